/* What the columns of a table are: delimiter, header, names, roles. */
#include "data/csv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    ROWS_FOR_DELIMITER = 10,
    ROWS_FOR_HEADER = 20,
    FEWEST_COUNTED = 3, /* columns whose header may be nothing but their numbers */
    NAMES_SHOWN = 8
};

/* -- Delimiter -----------------------------------------------------------------------------------
 */

/* The fields of the row at *at, behind which it goes on; 0 where its quotes are wrong. */
static int64_t count_fields(const dlz_csv_text *text, const char **at) {
    dlz_csv_field field;
    for (int64_t count = 1;; count++) {
        dlz_csv_step step = dlz_csv_next(text, at, &field);
        if (step != DLZ_CSV_FIELD)
            return step == DLZ_CSV_LAST ? count : 0;
    }
}

/* The fields of the first row with the text's delimiter, and whether all the first rows have as many. */
static int64_t try_delimiter(const dlz_csv_text *text, bool *same) {
    const char *at = text->start;
    int64_t first = count_fields(text, &at);
    *same = first > 1;
    for (int i = 1; *same && i < ROWS_FOR_DELIMITER && at < text->end; i++)
        *same = count_fields(text, &at) == first;
    return first;
}

void dlz_csv_find_delimiter(dlz_csv_text *text, const dlviz_csv_reader *reader) {
    /* A comma comes late, for it may be a decimal one. */
    static const char candidates[] = {'\t', ';', ',', '|'};
    char best = ',';
    int64_t most = 1;
    if (reader->delimiter) {
        dlz_csv_set_delimiter(text, reader->delimiter);
        return;
    }
    for (size_t i = 0; i < sizeof candidates; i++) {
        bool same;
        dlz_csv_set_delimiter(text, candidates[i]);
        int64_t count = try_delimiter(text, &same);
        if (same)
            return;
        if (count > most) {
            best = candidates[i];
            most = count;
        }
    }
    dlz_csv_set_delimiter(text, best);
}

/* -- Header --------------------------------------------------------------------------------------
 */

/* A column as the first rows show it. */
typedef struct glance {
    dlz_csv_field first; /* in the first row */
    bool is_number;
    bool is_none; /* stands for what is missing or not finite, which nobody calls a column by */
    bool number_below, other_below;
    double number;
} glance;

static bool has_numbers_below(const glance *c) {
    return c->number_below && !c->other_below;
}

static bool equals(const dlz_csv_field *field, const char *name) {
    size_t length = strlen(name);
    return !field->doubled && (size_t)(field->end - field->start) == length &&
           memcmp(field->start, name, length) == 0;
}

static bool is_listed(const dlz_csv_field *field, const dlz_csv_names *names) {
    for (int64_t i = 0; i < names->count; i++)
        if (equals(field, names->names[i]))
            return true;
    return false;
}

static bool is_asked_for(const dlz_csv_field *field, const dlviz_csv_reader *reader) {
    return (reader->label && equals(field, reader->label)) || is_listed(field, &reader->targets) ||
           is_listed(field, &reader->ignored);
}

static bool is_empty(const dlz_csv_field *field) {
    return field->start == field->end;
}

/* `word` has small letters. */
static bool says(const char *text, size_t size, const char *word) {
    size_t i = 0;
    for (; i < size && word[i]; i++) {
        char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
        if (c != word[i])
            return false;
    }
    return i == size && !word[i];
}

/* Whether it says that there is no number, in the words of other programs: NumPy, pandas, R,
 * spreadsheets. ("Na" is an element.) */
static bool says_none(const dlz_csv_field *field) {
    static const char *const words[] = {"inf",   "infinity", "nan",    "none",   "null",    "nil",
                                        "n/a",   "<na>",     "#n/a",   "#na",    "#div/0!", "#num!",
                                        "#ref!", "#value!",  "#name?", "#null!", "#n/a n/a"};
    dlz_csv_field inner = *field; /* quotes keep spaces */
    while (inner.start < inner.end && *inner.start == ' ')
        inner.start++;
    while (inner.end > inner.start && inner.end[-1] == ' ')
        inner.end--;
    if (dlz_csv_is_missing(&inner) || equals(&inner, "na"))
        return true;
    const char *text = inner.start;
    size_t size = (size_t)(inner.end - text);
    if (size > 0 && (*text == '-' || *text == '+')) {
        text++;
        size--;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (says(text, size, words[i]))
            return true;
    return false;
}

/* Looks at the first rows; false where one has wrong quotes, which is reported later. */
static bool look(const dlz_csv_text *text, glance *columns, int64_t num_columns) {
    const char *at = text->start;
    for (int row = 0; row <= ROWS_FOR_HEADER && at < text->end; row++) {
        dlz_csv_step step = DLZ_CSV_FIELD;
        for (int64_t j = 0; step == DLZ_CSV_FIELD; j++) {
            dlz_csv_field field;
            double number = 0;
            step = dlz_csv_next(text, &at, &field);
            if (step != DLZ_CSV_FIELD && step != DLZ_CSV_LAST)
                return false;
            if (j >= num_columns)
                continue;
            bool is_number = dlz_csv_number(&field, &number);
            if (!is_number && dlz_csv_has_decimal_comma(&field)) { /* which is refused later */
                is_number = true;
                number = (double)NAN;
            }
            bool is_none = !is_number && says_none(&field);
            if (row == 0)
                columns[j] = (glance){field, is_number, is_none, false, false, number};
            columns[j].number_below = columns[j].number_below || (row > 0 && is_number);
            columns[j].other_below = columns[j].other_below || (row > 0 && !is_number && !is_none);
        }
    }
    return true;
}

/* The bytes of a character that may stand before a mistyped number's digits: a space, a sign, a
 * currency, a quotation mark; in UTF-8 also such from U+0080 to U+00BF and from U+2000 to U+2FFF. */
static int sign_size(const char *p, const char *end) {
    unsigned char c = (unsigned char)*p;
    if (c == 0xC2)
        return end - p >= 2 ? 2 : 0;
    if (c == 0xE2)
        return end - p >= 3 ? 3 : 0;
    return c != '\0' && strchr(" \t$'\"()[]{}<>=~*+-.,", c) ? 1 : 0;
}

/* Whether it begins as a number does, and so may be one that is mistyped. */
static bool begins_as_number(const dlz_csv_field *field) {
    const char *p = field->start;
    if (p < field->end && *p && strchr("+-.,", *p))
        return true;
    int size;
    while (p < field->end && (size = sign_size(p, field->end)) > 0)
        p += size;
    if (p == field->end)
        return false;
    bool is_wide = field->end - p >= 3 && memcmp(p, "\xef\xbc", 2) == 0; /* "５" */
    return (unsigned char)(is_wide ? p[2] - 0x90 : *p - '0') <= 9;
}

/* Whether what the first row has over numbers is 0, 1, 2, … */
static bool counts(const glance *columns, int64_t num_columns) {
    int64_t count = 0;
    for (int64_t j = 0; j < num_columns; j++) {
        if (!has_numbers_below(&columns[j]) || columns[j].is_none)
            continue;
        if (!columns[j].is_number || columns[j].number != (double)count++)
            return false;
    }
    return count >= FEWEST_COUNTED;
}

static dlviz_status judge(const glance *columns, int64_t num_columns,
                          const dlviz_csv_reader *reader, bool *has_header) {
    bool names = false, clear_names = false, numbers = false, unnamed = false;
    for (int64_t j = 0; j < num_columns; j++) {
        const glance *c = &columns[j];
        bool over_numbers = has_numbers_below(c);
        bool is_name = over_numbers && !c->is_number && !c->is_none;
        names = names || is_name;
        clear_names = clear_names || (is_name && !begins_as_number(&c->first));
        numbers = numbers || (c->is_number && over_numbers);
        unnamed = unnamed || is_empty(&c->first);
        if (is_asked_for(&c->first, reader)) {
            *has_header = true;
            return DLVIZ_OK;
        }
    }
    *has_header = names && (clear_names || !numbers);
    if (*has_header || !counts(columns, num_columns))
        return DLVIZ_OK;
    /* So does pandas number columns; beside them, that of row numbers has no name. */
    *has_header = unnamed;
    return unnamed ? DLVIZ_OK
                   : dlz_fail(DLVIZ_ERROR_FORMAT,
                              "line 1 has 0, 1, 2, …, which may be the numbers of columns or those "
                              "of a sample; say whether it is a header by "
                              "dlviz_csv_reader_set_header");
}

dlviz_status dlz_csv_find_header(const dlz_csv_text *text, const dlviz_csv_reader *reader,
                                 bool *has_header) {
    *has_header = reader->header == DLVIZ_CSV_HEADER_YES;
    const char *at = text->start;
    int64_t num_columns = count_fields(text, &at);
    if (reader->header != DLVIZ_CSV_HEADER_AUTO || num_columns == 0)
        return DLVIZ_OK;
    glance *columns = dlz_alloc_array_zero((uint64_t)num_columns, sizeof *columns);
    if (!columns)
        return dlz_fail_memory("a table's columns", (uint64_t)num_columns * sizeof *columns);
    dlviz_status status = look(text, columns, num_columns)
                              ? judge(columns, num_columns, reader, has_header)
                              : DLVIZ_OK;
    dlz_free(columns);
    return status;
}

/* -- Names and roles -----------------------------------------------------------------------------
 */

/* NumPy begins a header with "# ", which is no part of a name. */
static void drop_mark(char *name) {
    if (name[0] == '#' && name[1] == ' ')
        memmove(name, name + 2, strlen(name + 2) + 1);
}

/* What the header says, or "#3" where it says nothing or no text of UTF-8. */
static dlviz_status name_column(dlz_csv_table *table, const dlz_csv_field *field, int64_t j,
                                char **name) {
    size_t size = (size_t)(field->end - field->start) + 1;
    if (table->has_header && size > 1) {
        *name = dlz_arena_room(&table->names, size - 1);
        if (!*name)
            return dlz_fail_memory("the name of a column", size);
        size_t length = dlz_csv_copy(field, *name);
        if (strlen(*name) == length && dlz_is_utf8(*name)) {
            if (j == 0)
                drop_mark(*name);
            return DLVIZ_OK;
        }
    }
    char number[32];
    int length = snprintf(number, sizeof number, "#%lld", (long long)j + 1);
    *name = dlz_arena_text(&table->names, number, (size_t)length);
    return *name ? DLVIZ_OK : dlz_fail_memory("the name of a column", sizeof number);
}

/* Reads names from the first row, whose quotes are right, or makes them. */
static dlviz_status name_columns(dlz_csv_table *table) {
    const char *at = table->text.start;
    dlz_csv_step step = DLZ_CSV_FIELD;
    for (int64_t j = 0; step == DLZ_CSV_FIELD; j++) {
        dlz_csv_field field;
        step = dlz_csv_next(&table->text, &at, &field);
        DLZ_TRY(name_column(table, &field, j, &table->columns[j].name));
    }
    table->rows = table->has_header ? at : table->text.start;
    return DLVIZ_OK;
}

/* The columns of this name. */
static int64_t count_named(const dlz_csv_table *table, const char *name, int64_t *column) {
    int64_t count = 0;
    for (int64_t j = table->has_header ? table->num_columns : 0; j-- > 0;)
        if (strcmp(table->columns[j].name, name) == 0) {
            *column = j;
            count++;
        }
    return count;
}

/* The column that "#3" stands for; -1 where it is no such text, or there is no such column. */
static int64_t numbered(const dlz_csv_table *table, const char *name) {
    int64_t number = 0;
    if (name[0] != '#' || !name[1])
        return -1;
    for (const char *p = name + 1; *p; p++) {
        if (*p < '0' || *p > '9' || number > table->num_columns)
            return -1;
        number = number * 10 + (*p - '0');
    }
    return number >= 1 && number <= table->num_columns ? number - 1 : -1;
}

static dlviz_status no_column(const dlz_csv_table *table, const char *name) {
    if (!table->has_header)
        return dlz_fail(DLVIZ_ERROR_NOT_FOUND,
                        "there is no column '%s': the first row is no header "
                        "(dlviz_csv_reader_set_header), so columns are '#1' to '#%lld'",
                        name, (long long)table->num_columns);
    dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s", table->num_columns > NAMES_SHOWN ? ", …" : "");
    for (int64_t j = dlz_min_i64(table->num_columns, NAMES_SHOWN); j-- > 0;)
        dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s'%s'%s", j ? ", " : "", table->columns[j].name,
                 dlviz_last_error());
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND, "there is no column '%s' among the %lld: %s", name,
                    (long long)table->num_columns, dlviz_last_error());
}

static dlviz_status set_role(dlz_csv_table *table, const char *name, dlz_csv_role role,
                             int64_t place) {
    int64_t column = -1, count = count_named(table, name, &column);
    if (count > 1)
        return dlz_fail(DLVIZ_ERROR_NOT_FOUND,
                        "'%s' is the name of %lld columns; name one by its number, as \"#%lld\"",
                        name, (long long)count, (long long)column + 1);
    if (count == 0)
        column = numbered(table, name);
    if (column < 0)
        return no_column(table, name);
    dlz_csv_column *c = &table->columns[column];
    if (c->role != DLZ_CSV_SAMPLES)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "column '%s' is named twice among those of labels, targets and those to be "
                        "ignored",
                        c->name);
    c->role = role;
    c->place = place;
    return DLVIZ_OK;
}

static dlviz_status set_roles(dlz_csv_table *table, const dlz_csv_names *names, dlz_csv_role role) {
    for (int64_t i = 0; i < names->count; i++)
        DLZ_TRY(set_role(table, names->names[i], role, i));
    return DLVIZ_OK;
}

dlviz_status dlz_csv_find_columns(dlz_csv_table *table, const dlviz_csv_reader *reader) {
    const char *at = table->text.start;
    int64_t count = count_fields(&table->text, &at);
    table->columns = dlz_alloc_array_zero((uint64_t)count, sizeof *table->columns);
    if (!table->columns)
        return dlz_fail_memory("a table's columns", (uint64_t)count * sizeof *table->columns);
    table->num_columns = count;
    DLZ_TRY(name_columns(table));
    if (reader->label)
        DLZ_TRY(set_role(table, reader->label, DLZ_CSV_LABELS, 0));
    DLZ_TRY(set_roles(table, &reader->targets, DLZ_CSV_TARGETS));
    DLZ_TRY(set_roles(table, &reader->ignored, DLZ_CSV_IGNORED));
    table->num_targets = reader->targets.count;
    for (int64_t j = 0; j < count; j++)
        if (table->columns[j].role == DLZ_CSV_SAMPLES)
            table->columns[j].place = table->num_samples++;
    if (table->num_samples == 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "none of its %lld columns is left for the samples",
                        (long long)count);
    return DLVIZ_OK;
}
