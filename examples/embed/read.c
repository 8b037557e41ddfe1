/* Points, from whatever holds them. */
#include "embed.h"
#include "../run/try.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

bool ends_with(const char *path, const char *ending) {
    size_t length = strlen(path), own = strlen(ending);
    return length > own && strcasecmp(path + length - own, ending) == 0;
}

bool is_table(const char *path) {
    return ends_with(path, ".csv") || ends_with(path, ".tsv");
}

bool labels_are_inside(const struct settings *set) {
    return set->labels && (is_table(set->in) || ends_with(set->in, ".npz")) &&
           access(set->labels, F_OK) != 0;
}

/* -- Points --------------------------------------------------------------------------------------
 */

/* As float32, exactly, or with a sentence that says what float32 would lose. */
static dlviz_status to_floats(dlviz_tensor *read, dlviz_tensor **numbers) {
    dlviz_status status = dlviz_tensor_convert(read, DLVIZ_FLOAT32, numbers);
    dlviz_tensor_destroy(read);
    return status;
}

/* Used where it lies, however large it is; what cannot be is read. */
static bool map_npy(const char *path, dlviz_tensor **numbers) {
    if (dlviz_tensor_map_npy(numbers, path) != DLVIZ_OK)
        return false;
    if (dlviz_tensor_dtype(*numbers) == DLVIZ_FLOAT32)
        return true;
    dlviz_tensor_destroy(*numbers);
    *numbers = NULL;
    return false;
}

static dlviz_status read_npy(const struct settings *set, const char *path, bool differences,
                             dlviz_tensor **numbers) {
    dlviz_tensor *read;
    if (set->command == EMBED_PCA && map_npy(path, numbers))
        return DLVIZ_OK;
    if (differences)
        return dlviz_tensor_read_npy_shifted(numbers, path, NULL);
    TRY(dlviz_tensor_read_npy(&read, path));
    return to_floats(read, numbers);
}

/* The one that was named, or the only one. */
static dlviz_status choose_array(const dlviz_npz *npz, const char *path, const char *asked,
                                 const char **name) {
    *name = asked ? asked : dlviz_npz_array_name(npz, 0);
    if (asked || dlviz_npz_num_arrays(npz) == 1)
        return DLVIZ_OK;
    char names[256] = "";
    for (int64_t i = 0; i < dlviz_npz_num_arrays(npz); i++) {
        size_t length = strlen(names);
        snprintf(names + length, sizeof names - length, "%s%s", i > 0 ? ", " : "",
                 dlviz_npz_array_name(npz, i));
    }
    return dlviz_fail(DLVIZ_ERROR_NOT_FOUND, "'%s' has %lld arrays; --array names one: %s", path,
                      (long long)dlviz_npz_num_arrays(npz), names);
}

static dlviz_status read_array(const dlviz_npz *npz, const char *name, bool differences,
                               dlviz_tensor **numbers) {
    dlviz_tensor *read;
    if (differences)
        return dlviz_npz_read_shifted(npz, name, numbers, NULL);
    TRY(dlviz_npz_read(npz, name, &read));
    return to_floats(read, numbers);
}

static dlviz_status read_npz(const struct settings *set, const char *path, bool differences,
                             dlviz_tensor **numbers) {
    dlviz_npz *npz;
    const char *name;
    TRY(dlviz_npz_open(&npz, path));
    dlviz_status status = choose_array(npz, path, set->array, &name);
    if (status == DLVIZ_OK)
        status = read_array(npz, name, differences, numbers);
    dlviz_npz_destroy(npz);
    return status;
}

/* Without the column of the labels, where --labels names one. */
static dlviz_status read_csv(const struct settings *set, const char *path, bool differences,
                             dlviz_tensor **numbers) {
    dlviz_csv_reader *reader;
    TRY(dlviz_csv_reader_create(&reader));
    dlviz_status status = DLVIZ_OK;
    if (path == set->in && labels_are_inside(set))
        status = dlviz_csv_reader_set_label_column(reader, set->labels);
    if (status == DLVIZ_OK && path == set->in)
        status =
            dlviz_csv_reader_set_ignored_columns(reader, set->ignored.count, set->ignored.items);
    if (status == DLVIZ_OK)
        status = differences ? dlviz_tensor_read_csv_shifted(numbers, path, reader, NULL)
                             : dlviz_tensor_read_csv(numbers, path, reader);
    dlviz_csv_reader_destroy(reader);
    if (status == DLVIZ_ERROR_FORMAT && path == set->in && strstr(dlviz_last_error(), ", column '"))
        return dlviz_fail(
            status, "%s; --labels NAME takes a column as classes, --ignore NAME leaves it out",
            dlviz_last_error());
    return status;
}

static dlviz_status read_any(const struct settings *set, const char *path, bool differences,
                             dlviz_tensor **numbers) {
    if (ends_with(path, ".npz"))
        return read_npz(set, path, differences, numbers);
    if (is_table(path))
        return read_csv(set, path, differences, numbers);
    return read_npy(set, path, differences, numbers);
}

dlviz_status read_matrix(const struct settings *set, const char *path, bool differences,
                         dlviz_tensor **matrix) {
    dlviz_tensor *numbers;
    TRY(read_any(set, path, differences, &numbers));
    int64_t n = dlviz_tensor_dim(numbers, 0);
    if (dlviz_tensor_ndim(numbers) == 2 || n == 0) {
        *matrix = numbers;
        return DLVIZ_OK;
    }
    dlviz_status status = dlviz_tensor_reshape(numbers, 2, (int64_t[]){n, -1}, matrix);
    dlviz_tensor_destroy(numbers);
    return status;
}
