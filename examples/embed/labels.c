/* Labels as people have them: whole numbers in any type and of any size, in a column, -1 for noise.
 */
#include "embed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CLASSES = 256, NAME_SIZE = 24 }; /* of a figure; of a name in bytes */

/* From here on, float32 does not hold every whole number: different labels may be one. */
static const float least_rounded = 16777216;

static bool say_last_error(void) {
    fprintf(stderr, "embed: %s\n", dlviz_last_error());
    return false;
}

static bool say_no_memory(void) {
    fputs("embed: out of memory for the labels\n", stderr);
    return false;
}

static bool check_shape(const dlviz_tensor *read, const char *path, const char *points, int64_t n) {
    int64_t size = dlviz_tensor_num_elements(read);
    int longer = 0;
    for (int i = 0; i < dlviz_tensor_ndim(read); i++)
        longer += dlviz_tensor_dim(read, i) != 1;
    if (longer > 1) {
        fprintf(stderr, "embed: '%s' has %d dimensions; n or n x 1 labels are accepted\n", path,
                dlviz_tensor_ndim(read));
        return false;
    }
    if (size != n)
        fprintf(stderr, "embed: '%s' has %lld labels, '%s' has %lld points\n", path,
                (long long)size, points, (long long)n);
    return size == n;
}

static bool check_whole(const dlviz_tensor *read, const char *path) {
    const float *values = dlviz_tensor_const_float(read);
    for (int64_t i = 0; values && i < dlviz_tensor_num_elements(read); i++) {
        bool whole = floorf(values[i]) == values[i];
        if (whole && fabsf(values[i]) < least_rounded)
            continue;
        fprintf(stderr, "embed: label %lld of '%s' is %g; %s\n", (long long)i, path,
                (double)values[i],
                whole ? "from 2^24 on, whole numbers need an integer type"
                      : "whole numbers are accepted");
        return false;
    }
    return true;
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The different labels in order, to be freed. */
static int64_t *sorted_values(const dlviz_tensor *labels, int64_t *count) {
    int64_t n = dlviz_tensor_num_elements(labels);
    int64_t *values = malloc(((size_t)n + 1) * sizeof *values);
    *count = 0;
    if (!values)
        return NULL;
    memcpy(values, dlviz_tensor_const_data(labels), (size_t)n * sizeof *values);
    qsort(values, (size_t)n, sizeof *values, compare);
    for (int64_t i = 0; i < n; i++)
        if (*count == 0 || values[i] != values[*count - 1])
            values[(*count)++] = values[i];
    return values;
}

/* Clusterings count their clusters from 0 and call what is in none -1; beside labels from 1, as in
 * { -1, 1 }, it is a class like others. */
static bool has_noise(const int64_t *values, int64_t count) {
    return count > 0 && values[0] == -1 && (count == 1 || values[1] == 0);
}

static bool number_classes(struct labels *labels, const int64_t *values, bool as_they_are) {
    int64_t n = dlviz_tensor_num_elements(labels->all);
    if (dlviz_tensor_copy(labels->all, &labels->of_figure) != DLVIZ_OK)
        return say_last_error();
    if (as_they_are)
        return true;
    int64_t *class = dlviz_tensor_data(labels->of_figure);
    for (int64_t i = 0; i < n; i++)
        if (labels->noise == 0 || class[i] != -1) {
            const int64_t *found =
                bsearch(&class[i], values, (size_t)labels -> classes, sizeof *values, compare);
            class[i] = found - values;
        }
    labels->names = calloc((size_t)labels->classes, sizeof *labels->names);
    for (int64_t k = 0; labels->names && k < labels->classes; k++) {
        labels->names[k] = malloc(NAME_SIZE);
        if (!labels->names[k])
            return say_no_memory();
        snprintf(labels->names[k], NAME_SIZE, "%lld", (long long)values[k]);
    }
    return labels->names || say_no_memory();
}

static bool understand(struct labels *labels, const char *path, bool for_figure) {
    int64_t count;
    int64_t *values = sorted_values(labels->all, &count);
    if (!values)
        return say_no_memory();
    const int64_t *label = dlviz_tensor_const_data(labels->all);
    bool noise = has_noise(values, count);
    for (int64_t i = 0; noise && i < dlviz_tensor_num_elements(labels->all); i++)
        labels->noise += label[i] == -1;
    labels->classes = count - noise;
    bool done = true;
    if (for_figure && labels->classes > MOST_CLASSES) {
        fprintf(stderr, "embed: '%s' has %lld classes; a figure shows up to %d\n", path,
                (long long)labels->classes, MOST_CLASSES);
        done = false;
    } else if (for_figure) {
        /* Labels that can be a figure's classes keep their colors from figure to figure. */
        bool as_they_are =
            labels->classes == 0 || (values[noise] >= 0 && values[count - 1] < MOST_CLASSES);
        done = number_classes(labels, values + noise, as_they_are);
    }
    free(values);
    return done;
}

bool read_labels(struct labels *labels, const char *path, const char *points, int64_t n,
                 bool for_figure) {
    dlviz_tensor *read;
    if (dlviz_tensor_read_npy(&read, path) != DLVIZ_OK)
        return say_last_error();
    bool done = check_shape(read, path, points, n) && check_whole(read, path);
    dlviz_tensor *flat = NULL;
    if (done)
        done = (dlviz_tensor_reshape(read, 1, &n, &flat) == DLVIZ_OK &&
                dlviz_tensor_convert(flat, DLVIZ_INT64, &labels->all) == DLVIZ_OK) ||
               say_last_error();
    dlviz_tensor_destroy(flat);
    dlviz_tensor_destroy(read);
    return done && understand(labels, path, for_figure);
}

void free_labels(struct labels *labels) {
    for (int64_t k = 0; labels->names && k < labels->classes; k++)
        free(labels->names[k]);
    free(labels->names);
    dlviz_tensor_destroy(labels->all);
    dlviz_tensor_destroy(labels->of_figure);
}
