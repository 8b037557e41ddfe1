/* The rows of a table: counted and checked, then read by all threads. */
#include "base/parallel.h"
#include "data/csv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is kept of a column takes more than a field of a file may. */
enum { MOST_COLUMNS = 1 << 20, ROWS_PER_TILE = 512, FIRST_TILES = 64 };

dlviz_status dlz_csv_fail_at(const dlz_csv_table *table, dlviz_status status, int64_t column,
                             const dlz_csv_field *field, const char *what) {
    char shown[DLZ_CSV_SHOWN];
    dlz_csv_field whole = {table->columns[column].name, NULL, false};
    char name[DLZ_CSV_SHOWN];
    whole.end = whole.start + strlen(whole.start);
    long long line = (long long)dlz_csv_line(&table->text, field->start);
    return dlz_fail(status, "line %lld, column '%s': '%s' %s", line, dlz_csv_show(name, &whole),
                    dlz_csv_show(shown, field), what);
}

/* -- How many rows there are, and where they begin -----------------------------------------------
 */

typedef struct tiles {
    const char **starts; /* of every ROWS_PER_TILE-th row */
    int64_t count, room;
} tiles;

static dlviz_status add_tile(tiles *list, const char *start) {
    if (list->count == list->room) {
        int64_t room = list->room ? 2 * list->room : FIRST_TILES;
        void *larger = dlz_realloc_array(list->starts, (uint64_t)room, sizeof *list->starts);
        if (!larger)
            return dlz_fail_memory("the rows of a table", (uint64_t)room * sizeof *list->starts);
        list->starts = larger;
        list->room = room;
    }
    list->starts[list->count++] = start;
    return DLVIZ_OK;
}

static dlviz_status wrong_quotes(const dlz_csv_text *text, dlz_csv_step step, int64_t column,
                                 const dlz_csv_field *field) {
    long long line = (long long)dlz_csv_line(text, field->start), number = (long long)column + 1;
    if (step == DLZ_CSV_UNCLOSED)
        return dlz_fail(
            DLVIZ_ERROR_FORMAT,
            "line %lld, column #%lld: the quotation mark that begins here is not closed", line,
            number);
    return dlz_fail(
        DLVIZ_ERROR_FORMAT,
        "line %lld, column #%lld: something stands between a closing quotation mark and "
        "the next '%c'; a quotation mark inside quotes is written twice",
        line, number, text->delimiter);
}

/* Reads over a row, which must have `wanted` fields unless that is 0; *count is what it has. */
static dlviz_status check_row(const dlz_csv_text *text, const char **at, int64_t wanted,
                              int64_t *count) {
    const char *start = *at;
    dlz_csv_step step = DLZ_CSV_FIELD;
    dlz_csv_field field;
    for (*count = 0; step == DLZ_CSV_FIELD; ++*count)
        step = dlz_csv_next(text, at, &field);
    if (step != DLZ_CSV_LAST)
        return wrong_quotes(text, step, *count - 1, &field);
    if (wanted == 0 || *count == wanted)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_FORMAT, "line %lld has %lld field%s; line 1 has %lld",
                    (long long)dlz_csv_line(text, start), (long long)*count, *count == 1 ? "" : "s",
                    (long long)wanted);
}

static dlviz_status count_rows(dlz_csv_table *table, tiles *list) {
    int64_t count;
    for (const char *at = table->rows; at < table->text.end; table->num_rows++) {
        if (table->num_rows % ROWS_PER_TILE == 0)
            DLZ_TRY(add_tile(list, at));
        DLZ_TRY(check_row(&table->text, &at, table->num_columns, &count));
    }
    return table->num_rows > 0 ? DLVIZ_OK
                               : dlz_fail(DLVIZ_ERROR_FORMAT, "it has a header and no other row");
}

/* -- Their numbers -------------------------------------------------------------------------------
 */

typedef enum problem_kind { NO_PROBLEM, MISSING, NO_NUMBER, TOO_LARGE } problem_kind;

/* What was seen in a tile. */
typedef struct sight {
    problem_kind problem; /* the first one */
    int64_t column;
    dlz_csv_field field;
    bool inexact; /* there are numbers that float32 does not hold */
    bool far;     /* and such as dlz_csv_keep_wholes is for */
} sight;

typedef struct work {
    dlz_csv_table *table;
    const tiles *list;
    sight *sights; /* of each tile */
} work;

static problem_kind read_number(const dlz_csv_field *field, double *number, sight *seen) {
    if (!dlz_csv_number(field, number))
        return dlz_csv_is_missing(field) ? MISSING : NO_NUMBER;
    float narrow = (float)*number;
    seen->inexact = seen->inexact || (double)narrow != *number;
    seen->far = seen->far || fabs(*number) >= DLZ_CSV_LARGE;
    return isinf(narrow) ? TOO_LARGE : NO_PROBLEM;
}

static problem_kind read_field(dlz_csv_table *table, int64_t row, const dlz_csv_column *column,
                               const dlz_csv_field *field, sight *seen) {
    switch (column->role) {
    case DLZ_CSV_SAMPLES:
        return read_number(field, &table->samples[row * table->num_samples + column->place], seen);
    case DLZ_CSV_TARGETS:
        return table->targets
                   ? read_number(field, &table->targets[row * table->num_targets + column->place],
                                 seen)
                   : NO_PROBLEM;
    case DLZ_CSV_LABELS:
        if (table->labels)
            table->labels[row] = *field;
        return table->labels && dlz_csv_is_missing(field) ? MISSING : NO_PROBLEM;
    case DLZ_CSV_IGNORED:
        break;
    }
    return NO_PROBLEM;
}

static void read_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const work *w = context;
    dlz_csv_table *table = w->table;
    int64_t first = tile * ROWS_PER_TILE,
            last = dlz_min_i64(first + ROWS_PER_TILE, table->num_rows);
    const char *at = w->list->starts[tile];
    sight *seen = &w->sights[tile];
    for (int64_t row = first; row < last; row++)
        for (int64_t j = 0; j < table->num_columns; j++) {
            dlz_csv_field field;
            dlz_csv_next(&table->text, &at, &field);
            problem_kind problem = read_field(table, row, &table->columns[j], &field, seen);
            if (problem != NO_PROBLEM && seen->problem == NO_PROBLEM) {
                seen->problem = problem;
                seen->column = j;
                seen->field = field;
            }
        }
}

static dlviz_status report(const dlz_csv_table *table, const sight *s) {
    switch (s->problem) {
    case MISSING:
        return dlz_csv_fail_at(table, DLVIZ_ERROR_FORMAT, s->column, &s->field,
                               "stands for what is missing, and every sample must have all");
    case TOO_LARGE:
        return dlz_csv_fail_at(table, DLVIZ_ERROR_NUMERIC, s->column, &s->field,
                               "is beyond the range of float32");
    default:
        return dlz_csv_fail_at(table, DLVIZ_ERROR_FORMAT, s->column, &s->field,
                               dlz_csv_has_decimal_comma(&s->field)
                                   ? "is no number: a decimal point is needed, and no comma"
                                   : "is no number");
    }
}

static dlviz_status read_rows(dlz_csv_table *table, const tiles *list) {
    sight *sights = dlz_alloc_array_zero((uint64_t)list->count, sizeof *sights);
    if (!sights)
        return dlz_fail_memory("the rows of a table", (uint64_t)list->count * sizeof *sights);
    work w = {table, list, sights};
    dlz_parallel_for(list->count, dlz_threads(), read_tile, &w);
    dlviz_status status = DLVIZ_OK;
    bool far = false;
    table->exact = true;
    for (int64_t i = 0; status == DLVIZ_OK && i < list->count; i++) {
        table->exact = table->exact && !sights[i].inexact;
        far = far || sights[i].far;
        if (sights[i].problem != NO_PROBLEM)
            status = report(table, &sights[i]);
    }
    dlz_free(sights);
    if (status == DLVIZ_OK && far)
        dlz_csv_keep_wholes(table);
    return status;
}

/* -- All of it -----------------------------------------------------------------------------------
 */

/* There are no more numbers than the file has bytes. */
static dlviz_status make_room(dlz_csv_table *table, const dlviz_csv_reader *reader,
                              bool samples_only) {
    uint64_t rows = (uint64_t)table->num_rows, samples = rows * (uint64_t)table->num_samples,
             targets = rows * (uint64_t)table->num_targets;
    table->samples = dlz_alloc_array(samples, sizeof *table->samples);
    if (!table->samples)
        return dlz_fail_memory("the numbers of a table", samples * sizeof *table->samples);
    if (targets > 0 && !samples_only &&
        !(table->targets = dlz_alloc_array(targets, sizeof *table->targets)))
        return dlz_fail_memory("the targets of a table", targets * sizeof *table->targets);
    if (reader->label && !samples_only &&
        !(table->labels = dlz_alloc_array(rows, sizeof *table->labels)))
        return dlz_fail_memory("the labels of a table", rows * sizeof *table->labels);
    return DLVIZ_OK;
}

dlviz_status dlz_csv_parse(dlz_csv_table *table, const char *bytes, size_t size,
                           const dlviz_csv_reader *reader, bool samples_only) {
    static const dlviz_csv_reader defaults;
    memset(table, 0, sizeof *table);
    if (!reader)
        reader = &defaults;
    DLZ_TRY(dlz_csv_find_text(bytes, size, &table->text));
    dlz_csv_find_delimiter(&table->text, reader);
    const char *at = table->text.start;
    int64_t count;
    DLZ_TRY(check_row(&table->text, &at, 0, &count));
    if (count > MOST_COLUMNS)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "line 1 has %lld fields; at most %d are accepted",
                        (long long)count, MOST_COLUMNS);
    DLZ_TRY(dlz_csv_find_header(&table->text, reader, &table->has_header));
    DLZ_TRY(dlz_csv_find_columns(table, reader));
    tiles list = {0};
    dlviz_status status = count_rows(table, &list);
    if (status == DLVIZ_OK)
        status = make_room(table, reader, samples_only);
    if (status == DLVIZ_OK)
        status = read_rows(table, &list);
    dlz_free(list.starts);
    return status;
}

void dlz_csv_release(dlz_csv_table *table) {
    dlz_arena_release(&table->names);
    dlz_free(table->columns);
    dlz_free(table->samples);
    dlz_free(table->targets);
    dlz_free(table->labels);
}
