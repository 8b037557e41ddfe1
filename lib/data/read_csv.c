/* Datasets and tensors of tables of text, on disk or in memory. */
#include "base/file.h"
#include "base/reading.h"
#include "data/csv.h"
#include "data/dataset.h"
#include "tensor/narrow.h"
#include "tensor/tensor.h"

#define REMEDY "read it with dlviz_tensor_read_csv_shifted, or subtract an offset before writing it"

/* -- Numbers -------------------------------------------------------------------------------------
 */

/* What a role's columns are, in their order: their names, and which of them are whole, in a block
 * that the names begin; *wholes is NULL where none is. */
static dlviz_status list_columns(const dlz_csv_table *table, dlz_csv_role role, int64_t count,
                                 const char ***names, bool **wholes) {
    *names = dlz_alloc_array((uint64_t)count, sizeof **names + sizeof **wholes);
    if (!*names)
        return dlz_fail_memory("names of columns", (uint64_t)count * sizeof **names);
    bool *flags = (bool *)(*names + count);
    *wholes = NULL;
    for (int64_t j = 0; j < table->num_columns; j++)
        if (table->columns[j].role == role) {
            (*names)[table->columns[j].place] = table->columns[j].name;
            flags[table->columns[j].place] = table->columns[j].is_whole;
            *wholes = table->columns[j].is_whole ? flags : *wholes;
        }
    return DLVIZ_OK;
}

/* With offsets if `shifted`; `exact`: all numbers are floats as they are. */
static dlviz_status convert(const dlz_wide *wide, const double *numbers, bool exact, bool shifted,
                            const int64_t dims[2], dlviz_tensor **out, dlviz_tensor **offsets) {
    DLZ_TRY(dlz_tensor_create_raw(out, DLVIZ_FLOAT32, 2, dims));
    if (shifted)
        DLZ_TRY(dlviz_tensor_create(offsets, DLVIZ_FLOAT32, 1, dims + 1));
    float *to = (*out)->data;
    if (!exact && shifted)
        return dlz_narrow_shifted(wide, to, (*offsets)->data);
    if (wide->wholes)
        return dlz_narrow_checked(wide, to, REMEDY);
    if (!exact)
        DLZ_TRY(dlz_check_narrow(wide, REMEDY));
    for (int64_t i = 0; i < (*out)->size; i++)
        to[i] = (float)numbers[i];
    return DLVIZ_OK;
}

/* The numbers of a role's columns as float32; with offsets, which may be NULL, if `shifted`. */
static dlviz_status narrow(const dlz_csv_table *table, dlz_csv_role role, bool shifted,
                           dlviz_tensor **out, dlviz_tensor **offsets) {
    bool samples = role == DLZ_CSV_SAMPLES;
    int64_t dims[] = {table->num_rows, samples ? table->num_samples : table->num_targets};
    const double *numbers = samples ? table->samples : table->targets;
    dlz_wide wide = dlz_wide_of(DLZ_ELEMENT_F64, 2, dims, dims[0] * dims[1], numbers);
    wide.big_endian = DLZ_HOST_IS_BIG_ENDIAN;
    const char **names;
    bool *wholes = NULL;
    DLZ_TRY(list_columns(table, role, dims[1], &names, &wholes));
    wide.names = names;
    wide.wholes = wholes;
    dlviz_status status = convert(&wide, numbers, table->exact, shifted, dims, out, offsets);
    dlz_free(names);
    return status;
}

/* -- Datasets ------------------------------------------------------------------------------------
 */

static dlviz_status set_labels(dlviz_dataset *dataset, const char *who, const dlz_csv_table *table,
                               const dlviz_csv_reader *reader) {
    dlz_csv_classes classes;
    DLZ_TRY(dlz_csv_find_classes(table, reader, &classes));
    dlviz_status status = dlz_dataset_set_targets(dataset, who, classes.labels);
    if (status == DLVIZ_OK && classes.names.count > 0)
        status = dlviz_dataset_set_num_classes(dataset, classes.names.count);
    if (status == DLVIZ_OK && classes.names.count > 0)
        status = dlviz_dataset_set_class_names(dataset, classes.names.count,
                                               (const char *const *)classes.names.names);
    dlz_csv_release_classes(&classes);
    return status;
}

static dlviz_status make_dataset(dlviz_dataset **out, const char *who, const dlz_csv_table *table,
                                 const dlviz_csv_reader *reader) {
    dlviz_tensor *samples = NULL, *targets = NULL;
    dlviz_status status = narrow(table, DLZ_CSV_SAMPLES, false, &samples, NULL);
    if (status == DLVIZ_OK && table->targets)
        status = narrow(table, DLZ_CSV_TARGETS, false, &targets, NULL);
    if (status == DLVIZ_OK)
        status = dlz_dataset_create(out, who, samples, targets);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(targets);
    if (status == DLVIZ_OK && table->labels)
        status = set_labels(*out, who, table, reader);
    if (status != DLVIZ_OK) {
        dlviz_dataset_destroy(*out);
        *out = NULL;
    }
    return status;
}

static dlviz_status read_dataset(dlviz_dataset **out, const char *who, const char *bytes,
                                 size_t size, const dlviz_csv_reader *reader) {
    dlz_csv_table table;
    dlviz_status status = dlz_csv_parse(&table, bytes, size, reader, false);
    if (status == DLVIZ_OK)
        status = make_dataset(out, who, &table, reader);
    dlz_csv_release(&table);
    return status;
}

/* A sample has labels or other targets. */
static dlviz_status check_reader(const char *who, const dlviz_csv_reader *reader) {
    if (!reader || !reader->label || reader->targets.count == 0)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                    "%s: the reader has both a label column ('%s') and target columns; a dataset "
                    "has labels or other targets",
                    who, reader->label);
}

dlviz_status dlviz_dataset_read_csv(dlviz_dataset **out, const char *path,
                                    const dlviz_csv_reader *reader) {
    DLZ_READING(path);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    DLZ_TRY(check_reader(__func__, reader));
    void *bytes;
    size_t size;
    DLZ_TRY(dlz_file_read(path, INT64_MAX, &bytes, &size));
    dlviz_status status = read_dataset(out, __func__, bytes, size, reader);
    dlz_free(bytes);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "cannot read '%s'", path);
}

dlviz_status dlviz_dataset_read_csv_memory(dlviz_dataset **out, const void *bytes, size_t size,
                                           const dlviz_csv_reader *reader) {
    DLZ_READING(NULL);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(bytes);
    DLZ_TRY(check_reader(__func__, reader));
    dlviz_status status = read_dataset(out, __func__, bytes, size, reader);
    return status == DLVIZ_OK ? status
                              : dlz_fail_within(status, "%s: cannot read the %zu byte%s", __func__,
                                                size, size == 1 ? "" : "s");
}

/* -- Tensors -------------------------------------------------------------------------------------
 */

static dlviz_status read_tensor(dlviz_tensor **out, const char *bytes, size_t size,
                                const dlviz_csv_reader *reader, bool shifted,
                                dlviz_tensor **offsets) {
    dlz_csv_table table;
    dlviz_tensor *read = NULL, *subtracted = NULL;
    dlviz_status status = dlz_csv_parse(&table, bytes, size, reader, true);
    if (status == DLVIZ_OK)
        status = narrow(&table, DLZ_CSV_SAMPLES, shifted, &read, &subtracted);
    dlz_csv_release(&table);
    if (status == DLVIZ_OK)
        *out = read;
    else
        dlviz_tensor_destroy(read);
    if (status == DLVIZ_OK && offsets)
        *offsets = subtracted;
    else
        dlviz_tensor_destroy(subtracted);
    return status;
}

static dlviz_status read_file(dlviz_tensor **out, const char *path, const dlviz_csv_reader *reader,
                              bool shifted, dlviz_tensor **offsets) {
    void *bytes;
    size_t size;
    DLZ_TRY(dlz_file_read(path, INT64_MAX, &bytes, &size));
    dlviz_status status = read_tensor(out, bytes, size, reader, shifted, offsets);
    dlz_free(bytes);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "cannot read '%s'", path);
}

static dlviz_status read_memory(dlviz_tensor **out, const char *who, const void *bytes, size_t size,
                                const dlviz_csv_reader *reader, bool shifted,
                                dlviz_tensor **offsets) {
    dlviz_status status = read_tensor(out, bytes, size, reader, shifted, offsets);
    return status == DLVIZ_OK ? status
                              : dlz_fail_within(status, "%s: cannot read the %zu byte%s", who, size,
                                                size == 1 ? "" : "s");
}

dlviz_status dlviz_tensor_read_csv(dlviz_tensor **out, const char *path,
                                   const dlviz_csv_reader *reader) {
    DLZ_READING(path);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    return read_file(out, path, reader, false, NULL);
}

dlviz_status dlviz_tensor_read_csv_memory(dlviz_tensor **out, const void *bytes, size_t size,
                                          const dlviz_csv_reader *reader) {
    DLZ_READING(NULL);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(bytes);
    return read_memory(out, __func__, bytes, size, reader, false, NULL);
}

dlviz_status dlviz_tensor_read_csv_shifted(dlviz_tensor **out, const char *path,
                                           const dlviz_csv_reader *reader, dlviz_tensor **offsets) {
    DLZ_READING(path);
    if (offsets)
        *offsets = NULL;
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    return read_file(out, path, reader, true, offsets);
}

dlviz_status dlviz_tensor_read_csv_shifted_memory(dlviz_tensor **out, const void *bytes,
                                                  size_t size, const dlviz_csv_reader *reader,
                                                  dlviz_tensor **offsets) {
    DLZ_READING(NULL);
    if (offsets)
        *offsets = NULL;
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(bytes);
    return read_memory(out, __func__, bytes, size, reader, true, offsets);
}
