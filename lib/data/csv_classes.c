/* Classes from what a column says: words or whole numbers. */
#include "base/names.h"
#include "data/csv.h"
#include "data/dataset.h"
#include "tensor/tensor.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whole numbers below are told from their neighbors. */
#define MOST_WHOLE 0x1p53
enum { NAMES_SHOWN = 5, WHOLE_SIZE = 32 };

/* What the column says, once. */
typedef struct word {
    char *text;
    bool is_number, is_fraction, is_whole;
    double number;
    int64_t row;   /* the first that has it */
    int64_t label; /* in the end */
} word;

typedef struct words {
    word *all;
    int64_t count, room;
    dlz_names *places;
} words;

static dlviz_status add_word(words *list, const char *text, int64_t row) {
    if (list->count == list->room) {
        int64_t room = list->room ? 2 * list->room : 64;
        word *larger = dlz_realloc_array(list->all, (uint64_t)room, sizeof *larger);
        if (!larger)
            return dlz_fail_memory("the words of a column", (uint64_t)room * sizeof *larger);
        list->all = larger;
        list->room = room;
    }
    word *added = &list->all[list->count];
    *added = (word){.text = dlz_strdup(text), .row = row};
    if (!added->text)
        return dlz_fail_memory("the words of a column", strlen(text));
    list->count++;
    added->is_number = dlz_read_number(text, strlen(text), &added->number);
    added->is_fraction = added->is_number && added->number != rint(added->number);
    added->is_whole = added->is_number && !added->is_fraction && fabs(added->number) < MOST_WHOLE;
    return dlz_names_add(&list->places, added->text, list->count - 1)
               ? DLVIZ_OK
               : dlz_fail_memory("the words of a column", strlen(text));
}

static void release_words(words *list) {
    for (int64_t i = 0; i < list->count; i++)
        dlz_free(list->all[i].text);
    dlz_free(list->all);
    dlz_names_free(list->places);
}

/* -- Which words there are -----------------------------------------------------------------------
 */

static int64_t label_column(const dlz_csv_table *table) {
    int64_t j = 0;
    while (table->columns[j].role != DLZ_CSV_LABELS)
        j++;
    return j;
}

static dlviz_status fail_at_row(const dlz_csv_table *table, int64_t row, const char *what) {
    return dlz_csv_fail_at(table, DLVIZ_ERROR_FORMAT, label_column(table), &table->labels[row],
                           what);
}

/* Gives each row the place of its word. `text` has room for the longest. */
static dlviz_status collect(const dlz_csv_table *table, words *list, char *text, int64_t *places) {
    for (int64_t row = 0; row < table->num_rows; row++) {
        size_t length = dlz_csv_copy(&table->labels[row], text);
        places[row] = dlz_names_find(list->places, text);
        if (strlen(text) != length || (places[row] < 0 && !dlz_is_utf8(text)))
            return fail_at_row(table, row, "is no text in UTF-8");
        if (places[row] >= 0)
            continue;
        if (list->count == DLZ_DATASET_MAX_CLASSES)
            return fail_at_row(table, row, "is one class more than the 2^24 that are accepted");
        places[row] = list->count;
        DLZ_TRY(add_word(list, text, row));
    }
    return DLVIZ_OK;
}

static char *make_room(const dlz_csv_table *table) {
    size_t longest = 0;
    for (int64_t row = 0; row < table->num_rows; row++) {
        size_t length = (size_t)(table->labels[row].end - table->labels[row].start);
        longest = length > longest ? length : longest;
    }
    return dlz_alloc(longest + 1);
}

/* -- What labels they get ------------------------------------------------------------------------
 */

static int by_number(const void *a, const void *b) {
    const word *x = *(word *const *)a, *y = *(word *const *)b;
    return (x->number > y->number) - (x->number < y->number);
}

static int by_text(const void *a, const void *b) {
    return strcmp((*(word *const *)a)->text, (*(word *const *)b)->text);
}

static const char *whole_text(char buffer[WHOLE_SIZE], double number) {
    snprintf(buffer, WHOLE_SIZE, "%lld", (long long)number);
    return buffer;
}

/* Gives sorted words their labels; equal numbers are one class. Returns how many classes there are. */
static int64_t number_words(word *const *sorted, int64_t count, bool whole) {
    int64_t classes = 0;
    for (int64_t i = 0; i < count; i++) {
        bool again = whole && i > 0 && sorted[i]->number == sorted[i - 1]->number;
        sorted[i]->label = again ? classes - 1 : classes++;
    }
    return classes;
}

/* Names in the order of the labels; whole numbers are all written alike. */
static dlviz_status name_classes(word *const *sorted, int64_t count, bool whole, int64_t classes,
                                 dlz_csv_names *names) {
    const char **texts = dlz_alloc_array((uint64_t)classes, sizeof *texts);
    char(*numbers)[WHOLE_SIZE] = whole ? dlz_alloc_array((uint64_t)classes, WHOLE_SIZE) : NULL;
    dlviz_status status = DLVIZ_OK;
    if (!texts || (whole && !numbers))
        status = dlz_fail_memory("names of classes", (uint64_t)classes * WHOLE_SIZE);
    for (int64_t i = 0; status == DLVIZ_OK && i < count; i++) {
        int64_t label = sorted[i]->label;
        texts[label] = whole ? whole_text(numbers[label], sorted[i]->number) : sorted[i]->text;
    }
    if (status == DLVIZ_OK)
        status = dlz_copy_names(classes, texts, &names->names);
    names->count = status == DLVIZ_OK ? classes : 0;
    dlz_free(texts);
    dlz_free(numbers);
    return status;
}

static dlviz_status sort_words(const dlz_csv_table *table, words *list, dlz_csv_names *names) {
    bool numbers = true, whole = true;
    int64_t fraction = -1;
    for (int64_t i = 0; i < list->count; i++) {
        numbers = numbers && list->all[i].is_number;
        whole = whole && list->all[i].is_whole;
        fraction = fraction < 0 && list->all[i].is_fraction ? i : fraction;
    }
    if (numbers && fraction >= 0)
        return fail_at_row(table, list->all[fraction].row,
                           "is no whole number, and labels are words or whole numbers; name the "
                           "column as a target if it holds what a network is to give");
    word **sorted = dlz_alloc_array((uint64_t)list->count, sizeof *sorted);
    if (!sorted)
        return dlz_fail_memory("the words of a column", (uint64_t)list->count * sizeof *sorted);
    for (int64_t i = 0; i < list->count; i++)
        sorted[i] = &list->all[i];
    qsort(sorted, (size_t)list->count, sizeof *sorted, whole ? by_number : by_text);
    int64_t classes = number_words(sorted, list->count, whole);
    /* Whole numbers from 0 on, all of them: they are the labels. */
    bool are_labels =
        whole && sorted[0]->number == 0 && sorted[list->count - 1]->number == (double)(classes - 1);
    dlviz_status status =
        are_labels ? DLVIZ_OK : name_classes(sorted, list->count, whole, classes, names);
    dlz_free(sorted);
    return status;
}

/* -- Classes that the reader was told ------------------------------------------------------------
 */

static dlviz_status unknown(const dlz_csv_table *table, const word *w,
                            const dlz_csv_names *classes) {
    dlz_fail(DLVIZ_ERROR_FORMAT, "%s", classes->count > NAMES_SHOWN ? ", …" : "");
    for (int64_t i = dlz_min_i64(classes->count, NAMES_SHOWN); i-- > 0;)
        dlz_fail(DLVIZ_ERROR_FORMAT, "%s'%s'%s", i ? ", " : "", classes->names[i],
                 dlviz_last_error());
    char *what = dlz_format("is none of the %lld classes: %s", (long long)classes->count,
                            dlviz_last_error());
    dlviz_status status = fail_at_row(table, w->row, what ? what : "is none of the classes");
    dlz_free(what);
    return status;
}

static dlviz_status look_up_each(const dlz_csv_table *table, words *list,
                                 const dlz_csv_names *classes, const dlz_names *places) {
    for (int64_t i = 0; i < list->count; i++) {
        word *w = &list->all[i];
        char whole[WHOLE_SIZE];
        w->label = dlz_names_find(places, w->text);
        if (w->label < 0 && w->is_whole)
            w->label = dlz_names_find(places, whole_text(whole, w->number));
        if (w->label < 0)
            return unknown(table, w, classes);
    }
    return DLVIZ_OK;
}

static dlviz_status look_up(const dlz_csv_table *table, words *list, const dlz_csv_names *classes,
                            dlz_csv_names *names) {
    dlz_names *places = NULL;
    dlviz_status status = DLVIZ_OK;
    for (int64_t i = 0; status == DLVIZ_OK && i < classes->count; i++)
        if (!dlz_names_add(&places, classes->names[i], i))
            status = dlz_fail_memory("names of classes", strlen(classes->names[i]));
    if (status == DLVIZ_OK)
        status = look_up_each(table, list, classes, places);
    if (status == DLVIZ_OK)
        status = dlz_copy_names(classes->count, (const char *const *)classes->names, &names->names);
    names->count = status == DLVIZ_OK ? classes->count : 0;
    dlz_names_free(places);
    return status;
}

/* -- All of it -----------------------------------------------------------------------------------
 */

static dlviz_status find(const dlz_csv_table *table, const dlviz_csv_reader *reader, words *list,
                         dlz_csv_classes *classes) {
    DLZ_TRY(dlz_tensor_create_raw(&classes->labels, DLVIZ_INT64, 1, &table->num_rows));
    int64_t *labels = classes->labels->data;
    char *text = make_room(table);
    if (!text)
        return dlz_fail_memory("the words of a column", 0);
    dlviz_status status = collect(table, list, text, labels);
    dlz_free(text);
    DLZ_TRY(status);
    DLZ_TRY(reader->classes.count > 0 ? look_up(table, list, &reader->classes, &classes->names)
                                      : sort_words(table, list, &classes->names));
    assert(list->all); /* a table has rows, and each has a word */
    for (int64_t row = 0; row < table->num_rows; row++)
        labels[row] = list->all[labels[row]].label;
    return DLVIZ_OK;
}

dlviz_status dlz_csv_find_classes(const dlz_csv_table *table, const dlviz_csv_reader *reader,
                                  dlz_csv_classes *classes) {
    words list = {0};
    *classes = (dlz_csv_classes){0};
    dlviz_status status = find(table, reader, &list, classes);
    release_words(&list);
    if (status != DLVIZ_OK)
        dlz_csv_release_classes(classes);
    return status;
}

void dlz_csv_release_classes(dlz_csv_classes *classes) {
    dlviz_tensor_destroy(classes->labels);
    dlz_free(classes->names.names);
    *classes = (dlz_csv_classes){0};
}
