/* data/csv.h - tables of text: their fields, what their columns are, and their numbers. */
#ifndef DLZ_CSV_H
#define DLZ_CSV_H

#include "base/arena.h"
#include "base/base.h"
#include <dlviz/dataset_files.h>

/* Names of columns or classes, in one block. */
typedef struct dlz_csv_names {
    int64_t count;
    char **names;
} dlz_csv_names;

struct dlviz_csv_reader {
    char delimiter; /* 0: found out */
    dlviz_csv_header header;
    char *label; /* or NULL */
    dlz_csv_names targets, ignored, classes;
};

/* -- Fields --------------------------------------------------------------------------------------
 */

/* The text of a table, without what surrounds it: byte order mark, blank lines at the end. */
typedef struct dlz_csv_text {
    const char *start, *end;
    char delimiter;
    bool ends_field[256]; /* by character: delimiter and line breaks */
} dlz_csv_text;

/* What stands in a field, without its quotes or the spaces around it. */
typedef struct dlz_csv_field {
    const char *start, *end;
    bool doubled; /* there are quotes in it, each written twice */
} dlz_csv_field;

typedef enum dlz_csv_step {
    DLZ_CSV_FIELD,    /* another one follows in the row */
    DLZ_CSV_LAST,     /* the row's last */
    DLZ_CSV_UNCLOSED, /* its quote is not closed */
    DLZ_CSV_BEHIND    /* something follows its closing quote */
} dlz_csv_step;

/* Finds the text in a file's bytes; fails where they are something else. */
dlviz_status dlz_csv_find_text(const char *bytes, size_t size, dlz_csv_text *text);
void dlz_csv_set_delimiter(dlz_csv_text *text, char delimiter);
/* Reads the field at *at and goes on behind it. Rows follow each other up to the text's end. */
dlz_csv_step dlz_csv_next(const dlz_csv_text *text, const char **at, dlz_csv_field *field);
/* The line, from 1, in which a place of the text is. */
int64_t dlz_csv_line(const dlz_csv_text *text, const char *place);
/* Whether a field stands for one that is missing. */
bool dlz_csv_is_missing(const dlz_csv_field *field);
/* Whether it is a number but for a decimal comma, as "1,5" is. */
bool dlz_csv_has_decimal_comma(const dlz_csv_field *field);
/* Copies what it says, with quotes written once, to a block of its length + 1. Returns the length. */
size_t dlz_csv_copy(const dlz_csv_field *field, char *to);
static inline bool dlz_csv_number(const dlz_csv_field *field, double *number) {
    return dlz_read_number(field->start, (size_t)(field->end - field->start), number);
}
/* A field for sentences: its beginning, on one line. Returns buffer. */
enum { DLZ_CSV_SHOWN = 64 };
const char *dlz_csv_show(char buffer[DLZ_CSV_SHOWN], const dlz_csv_field *field);

/* -- Columns -------------------------------------------------------------------------------------
 */

typedef enum dlz_csv_role {
    DLZ_CSV_SAMPLES,
    DLZ_CSV_TARGETS,
    DLZ_CSV_LABELS,
    DLZ_CSV_IGNORED
} dlz_csv_role;

typedef struct dlz_csv_column {
    char *name; /* of the header, or "#3"; in the table's arena */
    dlz_csv_role role;
    int64_t place;  /* among those of its role */
    bool is_whole;  /* its numbers are kept as int64 */
    bool from_text; /* and are to be read again for that */
} dlz_csv_column;

typedef struct dlz_csv_table {
    dlz_csv_text text;
    const char *rows; /* where those begin that follow the header */
    int64_t num_rows, num_columns, num_samples, num_targets; /* of columns, but for the first */
    bool has_header;
    dlz_csv_column *columns;
    dlz_arena names; /* of these */
    /* num_rows x num_samples, num_rows x num_targets; whole columns have int64 there */
    double *samples, *targets;
    bool exact;            /* float32 holds all these numbers; it has room for them in any case */
    dlz_csv_field *labels; /* num_rows, or NULL */
} dlz_csv_table;

/* Finds out, where the reader leaves it open, the delimiter and whether there is a header. */
void dlz_csv_find_delimiter(dlz_csv_text *text, const dlviz_csv_reader *reader);
dlviz_status dlz_csv_find_header(const dlz_csv_text *text, const dlviz_csv_reader *reader,
                                 bool *has_header);
/* Reads the header and finds each column's role. */
dlviz_status dlz_csv_find_columns(dlz_csv_table *table, const dlviz_csv_reader *reader);

/* Reads a table; with `samples_only`, labels and targets are left out. The table refers to the bytes.
 * After a failure too, dlz_csv_release must follow. */
dlviz_status dlz_csv_parse(dlz_csv_table *table, const char *bytes, size_t size,
                           const dlviz_csv_reader *reader, bool samples_only);
void dlz_csv_release(dlz_csv_table *table);

/* Keeps columns of nothing but whole numbers as int64 where some are larger than this. */
#define DLZ_CSV_LARGE 1e12
void dlz_csv_keep_wholes(dlz_csv_table *table);

/* Fails at a field: "line 12, column 'age': <what>", and '%s' in it stands for the field. */
dlviz_status dlz_csv_fail_at(const dlz_csv_table *table, dlviz_status status, int64_t column,
                             const dlz_csv_field *field, const char *what);

/* -- Classes -------------------------------------------------------------------------------------
 */

/* What the labels of a table become. */
typedef struct dlz_csv_classes {
    dlviz_tensor *labels; /* num_rows of int64 */
    dlz_csv_names names;  /* or none: the labels are what the table says */
} dlz_csv_classes;

dlviz_status dlz_csv_find_classes(const dlz_csv_table *table, const dlviz_csv_reader *reader,
                                  dlz_csv_classes *classes);
void dlz_csv_release_classes(dlz_csv_classes *classes);

#endif
