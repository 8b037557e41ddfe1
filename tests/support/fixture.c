#include "support/fixture.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    char name[96], dtype[8];
    int ndim;
    int64_t dims[8], count;
    size_t begin, end;
} entry;

struct fixture {
    char path[1024];
    int count;
    entry *entries;
    unsigned char *data; /* what follows the header, 8-byte aligned */
    size_t size;
};

static void read_header(fixture *file, const char *text, size_t size) {
    json_error_t error;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error), *value;
    ck_assert_msg(json_is_object(root), "%s: %s", file->path, error.text);
    file->entries = calloc(json_object_size(root) + 1, sizeof *file->entries);
    const char *key;
    json_object_foreach(root, key, value) {
        if (strcmp(key, "__metadata__") == 0)
            continue;
        entry *e = &file->entries[file->count++];
        snprintf(e->name, sizeof e->name, "%s", key);
        snprintf(e->dtype, sizeof e->dtype, "%s",
                 json_string_value(json_object_get(value, "dtype")));
        json_t *shape = json_object_get(value, "shape"),
               *span = json_object_get(value, "data_offsets");
        e->ndim = (int)json_array_size(shape);
        ck_assert_int_le(e->ndim, 8);
        e->count = 1;
        for (int i = 0; i < e->ndim; i++)
            e->count *= e->dims[i] = json_integer_value(json_array_get(shape, (size_t)i));
        e->begin = (size_t)json_integer_value(json_array_get(span, 0));
        e->end = (size_t)json_integer_value(json_array_get(span, 1));
        ck_assert_msg(e->begin <= e->end && e->end <= file->size, "%s: '%s' lies outside the file",
                      file->path, key);
        if (e->count > 0) {
            size_t bytes = (e->end - e->begin) / (size_t)e->count;
            swap_to_file_order(file->data + e->begin, (size_t)e->count, bytes);
        }
    }
    json_decref(root);
}

fixture *fixture_open_path(const char *path) {
    FILE *stream = fopen(path, "rb");
    ck_assert_msg(stream != NULL, "cannot open '%s'", path);
    unsigned char start[8];
    uint64_t announced = 0;
    ck_assert_uint_eq(fread(start, 1, 8, stream), 8);
    for (int i = 0; i < 8; i++)
        announced |= (uint64_t)start[i] << (8 * i);
    ck_assert_int_eq(fseek(stream, 0, SEEK_END), 0);
    size_t total = (size_t)ftell(stream), header = (size_t)announced;
    ck_assert_uint_le(announced, total - 8);
    fixture *file = calloc(1, sizeof *file);
    snprintf(file->path, sizeof file->path, "%s", path);
    file->size = total - 8 - header;
    char *text = malloc(header + 1);
    file->data = malloc(file->size + 1);
    fseek(stream, 8, SEEK_SET);
    ck_assert_uint_eq(fread(text, 1, header, stream), header);
    ck_assert_uint_eq(fread(file->data, 1, file->size, stream), file->size);
    fclose(stream);
    read_header(file, text, header);
    free(text);
    return file;
}

fixture *fixture_open(const char *name) {
    return fixture_open_path(fixture_path(name));
}

void fixture_close(fixture *file) {
    free(file->entries);
    free(file->data);
    free(file);
}

int fixture_count(const fixture *file) {
    return file->count;
}

bool fixture_entry(const fixture *file, int index, const char **name, const char **dtype, int *ndim,
                   int64_t dims[8]) {
    if (index < 0 || index >= file->count)
        return false;
    const entry *e = &file->entries[index];
    *name = e->name;
    *dtype = e->dtype;
    *ndim = e->ndim;
    memcpy(dims, e->dims, sizeof e->dims);
    return true;
}

static const entry *find(const fixture *file, const char *name) {
    for (int i = 0; i < file->count; i++)
        if (strcmp(file->entries[i].name, name) == 0)
            return &file->entries[i];
    return NULL;
}

static const void *elements(const fixture *file, const char *name, const char *dtype,
                            int64_t count) {
    const entry *e = find(file, name);
    ck_assert_msg(e != NULL, "%s has no '%s'", file->path, name);
    ck_assert_msg(strcmp(e->dtype, dtype) == 0, "'%s' is %s, not %s", name, e->dtype, dtype);
    ck_assert_msg(e->count == count, "'%s' has %" PRId64 " elements, not %" PRId64, name, e->count,
                  count);
    return file->data + e->begin;
}

const uint8_t *fixture_bytes(const fixture *file, const char *name, int64_t count) {
    return elements(file, name, "U8", count);
}

const float *fixture_floats(const fixture *file, const char *name, int64_t count) {
    return elements(file, name, "F32", count);
}

const double *fixture_doubles(const fixture *file, const char *name, int64_t count) {
    return elements(file, name, "F64", count);
}

/* -- Comparison ------------------------------------------------------------------------------ */

#define PROJECTIONS 4

static double sample_error(const float *values, const float *reference, int64_t count,
                           int64_t stride) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double d = (double)values[i * stride] - reference[i];
        sum += d * d;
    }
    return sqrt(sum);
}

/* The error of the whole from a strided sample of it, and from projections on known random vectors
 * with entries of variance 1/3: the larger of both estimates. */
static double large_error(const fixture *file, const char *name, const float *values,
                          int64_t count) {
    char key[128];
    snprintf(key, sizeof key, "%s#sample", name);
    const entry *e = find(file, key);
    ck_assert_msg(e != NULL, "%s has neither '%s' nor a sample of it", file->path, name);
    int64_t stride = 1;
    while ((count + stride - 1) / stride > e->count)
        stride += 2;
    const float *sample = elements(file, key, "F32", (count + stride - 1) / stride);
    double error =
        sample_error(values, sample, e->count, stride) * sqrt((double)count / (double)e->count);
    snprintf(key, sizeof key, "%s#dots", name);
    const double *dots = fixture_doubles(file, key, PROJECTIONS);
    float *vector = malloc((size_t)count * sizeof *vector);
    double squares = 0;
    for (int j = 0; j < PROJECTIONS; j++) {
        double dot = 0;
        fill_uniform(vector, count, 1000 + (uint64_t)j);
        for (int64_t i = 0; i < count; i++)
            dot += (double)values[i] * vector[i];
        squares += (dot - dots[j]) * (dot - dots[j]);
    }
    free(vector);
    double projected = sqrt(3 * squares / PROJECTIONS);
    return error > projected ? error : projected; /* NaN wins: one anywhere makes projections NaN */
}

distance fixture_compare(const fixture *file, const char *name, const float *values,
                         int64_t count) {
    char key[128];
    snprintf(key, sizeof key, "%s#norm", name);
    const double *norms = fixture_doubles(file, key, 2);
    distance d = {.norm = norms[0], .torch = norms[1]};
    if (find(file, name))
        d.error = sample_error(values, elements(file, name, "F32", count), count, 1);
    else
        d.error = large_error(file, name, values, count);
    return d;
}

bool fixture_has(const fixture *file, const char *name) {
    char key[128];
    snprintf(key, sizeof key, "%s#norm", name);
    return find(file, key) != NULL;
}

bool is_near(const fixture *file, const char *name, const float *values, int64_t count,
             double tolerance, double zero, bool verbose) {
    distance d = fixture_compare(file, name, values, count);
    double allowed = fmax(fmax(tolerance * d.norm, 2 * d.torch), d.norm < zero ? zero : 0);
    bool near = d.error <= allowed;
    if (verbose || !near) {
        printf("%-32s norm %9.3g  off by %8.2e  PyTorch float32 by %8.2e", name, d.norm,
               d.norm < zero ? d.error : d.error / d.norm,
               d.norm < zero ? d.torch : d.torch / d.norm);
        printf(" (%s)%s\n", d.norm < zero ? "absolute" : "relative", near ? "" : "  TOO FAR");
        fflush(stdout);
    }
    return near;
}

bool tensor_is_near(const fixture *file, const char *name, dlviz_tensor *tensor, double tolerance,
                    double zero, bool verbose) {
    const float *values = dlviz_tensor_const_float(tensor);
    ck_assert_ptr_nonnull(values);
    bool near =
        is_near(file, name, values, dlviz_tensor_num_elements(tensor), tolerance, zero, verbose);
    dlviz_tensor_destroy(tensor);
    return near;
}
