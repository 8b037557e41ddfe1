/* Labels as people have them: whole numbers in any type and of any size, in a column, -1 for noise; or
 * words. */
#include "embed.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CLASSES = 256, MOST_OF_PAGE = 65534 }; /* of a figure; of a page */
enum { NAME_SIZE = 24 };                           /* in bytes */

/* From here on, float32 does not hold every whole number: different labels may be one. */
static const float least_rounded = 16777216;

/* Where not, the sentence is dlviz_last_error(). */
static bool succeeds(dlviz_status status) {
    return status == DLVIZ_OK;
}

static bool fail_memory(void) {
    return succeeds(dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory for the labels"));
}

static bool check_count(int64_t count, const char *path, const char *points, int64_t n) {
    return count == n ||
           succeeds(dlviz_fail(DLVIZ_ERROR_SHAPE, "'%s' has %lld labels, '%s' has %lld points",
                               path, (long long)count, points, (long long)n));
}

static bool check_shape(const dlviz_tensor *read, const char *path, const char *points, int64_t n) {
    int64_t size = dlviz_tensor_num_elements(read);
    int longer = 0;
    for (int i = 0; i < dlviz_tensor_ndim(read); i++)
        longer += dlviz_tensor_dim(read, i) != 1;
    if (longer > 1) {
        return succeeds(dlviz_fail(DLVIZ_ERROR_SHAPE,
                                   "'%s' has %d dimensions; n or n x 1 labels are accepted", path,
                                   dlviz_tensor_ndim(read)));
    }
    return check_count(size, path, points, n);
}

static bool check_whole(const dlviz_tensor *read, const char *path) {
    const float *values = dlviz_tensor_const_float(read);
    for (int64_t i = 0; values && i < dlviz_tensor_num_elements(read); i++) {
        bool whole = floorf(values[i]) == values[i];
        if (whole && fabsf(values[i]) < least_rounded)
            continue;
        return succeeds(dlviz_fail(DLVIZ_ERROR_SHAPE, "label %lld of '%s' is %g; %s", (long long)i,
                                   path, (double)values[i],
                                   whole ? "from 2^24 on, whole numbers need an integer type"
                                         : "whole numbers are accepted"));
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
        return false;
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
    labels->num_names = labels->names ? labels->classes : 0;
    for (int64_t k = 0; labels->names && k < labels->classes; k++) {
        labels->names[k] = malloc(NAME_SIZE);
        if (!labels->names[k])
            return fail_memory();
        snprintf(labels->names[k], NAME_SIZE, "%lld", (long long)values[k]);
    }
    return labels->names || fail_memory();
}

static bool check_classes(const struct labels *labels, const char *path,
                          const struct settings *set) {
    int most = set->figure ? MOST_CLASSES : MOST_OF_PAGE;
    if (labels->classes <= most || (!set->figure && !set->html))
        return true;
    return succeeds(dlviz_fail(DLVIZ_ERROR_SHAPE, "'%s' has %lld classes; a %s shows up to %d",
                               path, (long long)labels->classes, set->figure ? "figure" : "page",
                               most));
}

static bool understand(struct labels *labels, const char *path, const struct settings *set) {
    int64_t count;
    int64_t *values = sorted_values(labels->all, &count);
    if (!values)
        return fail_memory();
    const int64_t *label = dlviz_tensor_const_data(labels->all);
    bool noise = has_noise(values, count);
    for (int64_t i = 0; noise && i < dlviz_tensor_num_elements(labels->all); i++)
        labels->noise += label[i] == -1;
    labels->classes = count - noise;
    bool done = check_classes(labels, path, set);
    if (done && (set->figure || set->html)) {
        /* Labels that can be a figure's classes keep their colors from figure to figure. */
        bool as_they_are =
            labels->classes == 0 || (values[noise] >= 0 && values[count - 1] < MOST_CLASSES);
        done = number_classes(labels, values + noise, as_they_are);
    }
    free(values);
    return done;
}

/* -- Numbers -------------------------------------------------------------------------------------
 */

static bool take_numbers(struct labels *labels, dlviz_tensor *read, const char *path,
                         const struct settings *set, int64_t n) {
    bool done = check_shape(read, path, set->in, n) && check_whole(read, path);
    dlviz_tensor *flat = NULL;
    if (done)
        done = dlviz_tensor_reshape(read, 1, &n, &flat) == DLVIZ_OK &&
               dlviz_tensor_convert(flat, DLVIZ_INT64, &labels->all) == DLVIZ_OK;
    dlviz_tensor_destroy(flat);
    return done && understand(labels, path, set);
}

/* -- Words ---------------------------------------------------------------------------------------
 */

static int compare_words(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_number(const char *word, int64_t *number) {
    char *end;
    errno = 0;
    *number = strtoll(word, &end, 10);
    return !errno && end != word && !*end;
}

/* Lines that are all whole numbers are these. */
static bool are_numbers(char **words, int64_t count, int64_t *numbers) {
    for (int64_t i = 0; i < count; i++)
        if (!is_number(words[i], &numbers[i]))
            return false;
    return true;
}

/* The different words in their order, which are the classes; an empty one is no class. */
static bool sort_words(struct labels *labels, char **words, int64_t n) {
    char **sorted = malloc(((size_t)n + 1) * sizeof *sorted);
    labels->names = calloc((size_t)n + 1, sizeof *labels->names);
    if (!sorted || !labels->names) {
        free(sorted);
        return fail_memory();
    }
    memcpy(sorted, words, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_words);
    bool done = true;
    for (int64_t i = 0; done && i < n; i++)
        if (sorted[i][0] && (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0)) {
            labels->names[labels->num_names] = strdup(sorted[i]);
            done = labels->names[labels->num_names++] != NULL || fail_memory();
        }
    free(sorted);
    labels->classes = labels->num_names;
    return done;
}

static bool number_words(struct labels *labels, char **words, int64_t n) {
    if (dlviz_tensor_create(&labels->all, DLVIZ_INT64, 1, &n) != DLVIZ_OK)
        return false;
    int64_t *class = dlviz_tensor_data(labels->all);
    for (int64_t i = 0; i < n; i++) {
        char **found = words[i][0] ? bsearch(&words[i], labels->names, (size_t)labels->num_names,
                                             sizeof *words, compare_words)
                                   : NULL;
        class[i] = found ? found - labels->names : -1;
        labels->noise += !found;
    }
    return dlviz_tensor_copy(labels->all, &labels->of_figure) == DLVIZ_OK;
}

static bool take_words(struct labels *labels, char **words, int64_t count, const char *path,
                       const struct settings *set, int64_t n) {
    dlviz_tensor *numbers;
    if (!check_count(count, path, set->in, n))
        return false;
    if (dlviz_tensor_create(&numbers, DLVIZ_INT64, 1, &n) != DLVIZ_OK)
        return false;
    bool done = are_numbers(words, n, dlviz_tensor_data(numbers))
                    ? take_numbers(labels, numbers, path, set, n)
                    : sort_words(labels, words, n) && number_words(labels, words, n);
    dlviz_tensor_destroy(numbers);
    return done && check_classes(labels, path, set);
}

/* As people quote them. */
static void remove_quotes(char **lines, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        size_t length = strlen(lines[i]);
        if (length >= 2 && lines[i][0] == '"' && lines[i][length - 1] == '"') {
            memmove(lines[i], lines[i] + 1, length - 2);
            lines[i][length - 2] = '\0';
        }
    }
}

/* Whether the first line, which is no number, is above numbers. */
static bool is_above_numbers(char **lines, int64_t count) {
    int64_t number, numbers = 0;
    if (count == 0 || !lines[0][0] || is_number(lines[0], &number))
        return false;
    for (int64_t i = 1; i < count; i++) {
        if (lines[i][0] && !is_number(lines[i], &number))
            return false;
        numbers += lines[i][0] != '\0';
    }
    return numbers > 0;
}

/* Whether the first line is like no other. */
static bool is_unlike_others(char **lines, int64_t count) {
    int64_t number;
    if (count == 0 || !lines[0][0] || is_number(lines[0], &number))
        return false;
    for (int64_t i = 1; i < count; i++)
        if (strcmp(lines[0], lines[i]) == 0)
            return false;
    return true;
}

/* One a line. A table's first line is a header where there is one line more than points; but the one
 * more may be empty, at the end: then it is the first line that tells. */
static bool read_text(struct labels *labels, const struct settings *set, int64_t n) {
    char **lines;
    int64_t count;
    bool table = ends_with(set->labels, ".csv");
    if (read_lines(set->labels, n + table, &lines, &count) != DLVIZ_OK)
        return false;
    bool one_more = table && count == n + 1, has_end = one_more && !lines[count - 1][0];
    remove_quotes(lines, count);
    bool header = has_end    ? is_unlike_others(lines, count)
                  : one_more ? true
                             : table && is_above_numbers(lines, count);
    int64_t taken = has_end && !header ? n : count - header;
    bool done = take_words(labels, lines + header, taken, set->labels, set, n);
    free_lines(lines, count);
    return done;
}

/* -- Out of the file that has the points ---------------------------------------------------------
 */

/* The names that a table's column of words has. */
static bool take_table(struct labels *labels, const dlviz_dataset *table,
                       const struct settings *set, int64_t n) {
    dlviz_tensor *copy;
    if (dlviz_tensor_copy(dlviz_dataset_labels(table), &copy) != DLVIZ_OK)
        return false;
    const int64_t *label = dlviz_tensor_const_data(copy);
    bool words = dlviz_dataset_class_name(table, 0) != NULL;
    char **names = words ? calloc((size_t)n, sizeof *names) : NULL;
    for (int64_t i = 0; names && i < n; i++)
        names[i] = (char *)dlviz_dataset_class_name(table, label[i]);
    bool done = names   ? take_words(labels, names, n, set->labels, set, n)
                : words ? fail_memory()
                        : take_numbers(labels, copy, set->labels, set, n);
    free(names);
    dlviz_tensor_destroy(copy);
    return done;
}

static bool read_column(struct labels *labels, const struct settings *set, int64_t n) {
    dlviz_csv_reader *reader;
    dlviz_dataset *table = NULL;
    dlviz_status status = dlviz_csv_reader_create(&reader);
    if (status == DLVIZ_OK)
        status = dlviz_csv_reader_set_label_column(reader, set->labels);
    if (status == DLVIZ_OK)
        status =
            dlviz_csv_reader_set_ignored_columns(reader, set->ignored.count, set->ignored.items);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_read_csv(&table, set->in, reader);
    bool done = status == DLVIZ_OK && take_table(labels, table, set, n);
    dlviz_dataset_destroy(table);
    dlviz_csv_reader_destroy(reader);
    return done;
}

static bool read_array(struct labels *labels, const struct settings *set, int64_t n) {
    dlviz_npz *npz;
    dlviz_tensor *read = NULL;
    if (dlviz_npz_open(&npz, set->in) != DLVIZ_OK)
        return false;
    bool done = dlviz_npz_read(npz, set->labels, &read) == DLVIZ_OK &&
                take_numbers(labels, read, set->labels, set, n);
    dlviz_tensor_destroy(read);
    dlviz_npz_destroy(npz);
    return done;
}

/* -- Whatever it is ------------------------------------------------------------------------------
 */

static bool read_npy(struct labels *labels, const struct settings *set, int64_t n) {
    char **words;
    int64_t count;
    if (read_npy_words(set->labels, &words, &count) != DLVIZ_OK)
        return false;
    if (words) {
        bool done = take_words(labels, words, count, set->labels, set, n);
        free_lines(words, count);
        return done;
    }
    dlviz_tensor *read;
    if (dlviz_tensor_read_npy(&read, set->labels) != DLVIZ_OK)
        return false;
    bool done = take_numbers(labels, read, set->labels, set, n);
    dlviz_tensor_destroy(read);
    return done;
}

static bool read_any(struct labels *labels, const struct settings *set, int64_t n) {
    if (labels_are_inside(set))
        return ends_with(set->in, ".npz") ? read_array(labels, set, n)
                                          : read_column(labels, set, n);
    if (ends_with(set->labels, ".txt") || ends_with(set->labels, ".csv"))
        return read_text(labels, set, n);
    return read_npy(labels, set, n);
}

dlviz_status read_labels(struct labels *labels, const struct settings *set, int64_t n) {
    return read_any(labels, set, n) ? DLVIZ_OK : DLVIZ_ERROR_SHAPE;
}

void free_labels(struct labels *labels) {
    free_lines(labels->names, labels->num_names);
    dlviz_tensor_destroy(labels->all);
    dlviz_tensor_destroy(labels->of_figure);
}
