/* The settings of reading tables. */
#include "base/names.h"
#include "data/csv.h"
#include "data/dataset.h"

#include <string.h>

dlviz_status dlviz_csv_reader_create(dlviz_csv_reader **out) {
    DLZ_REQUIRE_OUT(out);
    *out = dlz_alloc_zero(sizeof **out);
    return *out ? DLVIZ_OK : dlz_fail_memory("a reader", sizeof **out);
}

void dlviz_csv_reader_destroy(dlviz_csv_reader *reader) {
    if (!reader)
        return;
    dlz_free(reader->label);
    dlz_free(reader->targets.names);
    dlz_free(reader->ignored.names);
    dlz_free(reader->classes.names);
    dlz_free(reader);
}

dlviz_status dlviz_csv_reader_set_delimiter(dlviz_csv_reader *reader, char delimiter) {
    DLZ_REQUIRE(reader);
    unsigned char c = (unsigned char)delimiter;
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool accepted =
        c == 0 || c == '\t' ||
        (c >= ' ' && c < 0x7F && !letter && !(c >= '0' && c <= '9') && !strchr("\".+-", c));
    if (!accepted)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the delimiter is character %d; printable ones of ASCII, space and tab "
                        "are accepted that are no letters, digits, quotation marks, '.', '+' or "
                        "'-', and 0",
                        __func__, c);
    reader->delimiter = delimiter;
    return DLVIZ_OK;
}

char dlviz_csv_reader_delimiter(const dlviz_csv_reader *reader) {
    return reader ? reader->delimiter : 0;
}

dlviz_status dlviz_csv_reader_set_header(dlviz_csv_reader *reader, dlviz_csv_header header) {
    DLZ_REQUIRE(reader);
    if (header != DLVIZ_CSV_HEADER_AUTO && header != DLVIZ_CSV_HEADER_YES &&
        header != DLVIZ_CSV_HEADER_NO)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: header %d is not DLVIZ_CSV_HEADER_AUTO, _YES or _NO", __func__,
                        (int)header);
    reader->header = header;
    return DLVIZ_OK;
}

dlviz_csv_header dlviz_csv_reader_header(const dlviz_csv_reader *reader) {
    return reader ? reader->header : DLVIZ_CSV_HEADER_AUTO;
}

dlviz_status dlviz_csv_reader_set_label_column(dlviz_csv_reader *reader, const char *column) {
    DLZ_REQUIRE(reader);
    char *copy = NULL;
    if (column && !*column)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the column's name is empty; a name, or a number such as \"#3\", is "
                        "accepted",
                        __func__);
    if (column && !(copy = dlz_strdup(column)))
        return dlz_fail_memory("the name of a column", strlen(column) + 1);
    dlz_free(reader->label);
    reader->label = copy;
    return DLVIZ_OK;
}

const char *dlviz_csv_reader_label_column(const dlviz_csv_reader *reader) {
    return reader ? reader->label : NULL;
}

/* -- Lists of names ------------------------------------------------------------------------------
 */

/* `what` is "column" or "name". */
static dlviz_status check_name(const char *who, const char *what, dlz_names **seen, int64_t i,
                               const char *name) {
    if (!name || !*name || !dlz_is_utf8(name))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %s %lld is %s", who, what, (long long)i,
                        !name   ? "NULL"
                        : *name ? "not UTF-8"
                                : "empty");
    int64_t before = dlz_names_find(*seen, name);
    if (before >= 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %ss %lld and %lld are both '%s'", who,
                        what, (long long)before, (long long)i, name);
    return dlz_names_add(seen, name, i) ? DLVIZ_OK : dlz_fail_memory("names", strlen(name));
}

static dlviz_status set_names(const char *who, const char *what, dlz_csv_names *to, int64_t count,
                              const char *const *names) {
    if (count < 0 || (count > 0 && !names))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld %ss at %p; 0 and more with their names are accepted", who,
                        (long long)count, what, (const void *)names);
    dlz_names *seen = NULL;
    dlviz_status status = DLVIZ_OK;
    for (int64_t i = 0; status == DLVIZ_OK && i < count; i++)
        status = check_name(who, what, &seen, i, names[i]);
    dlz_names_free(seen);
    DLZ_TRY(status);
    char **copy = NULL;
    if (count > 0)
        DLZ_TRY(dlz_copy_names(count, names, &copy));
    dlz_free(to->names);
    *to = (dlz_csv_names){count, copy};
    return DLVIZ_OK;
}

static const char *name_at(const dlz_csv_names *names, int64_t index) {
    return index >= 0 && index < names->count ? names->names[index] : NULL;
}

dlviz_status dlviz_csv_reader_set_target_columns(dlviz_csv_reader *reader, int64_t count,
                                                 const char *const *columns) {
    DLZ_REQUIRE(reader);
    return set_names(__func__, "column", &reader->targets, count, columns);
}

int64_t dlviz_csv_reader_num_target_columns(const dlviz_csv_reader *reader) {
    return reader ? reader->targets.count : 0;
}

const char *dlviz_csv_reader_target_column(const dlviz_csv_reader *reader, int64_t index) {
    return reader ? name_at(&reader->targets, index) : NULL;
}

dlviz_status dlviz_csv_reader_set_ignored_columns(dlviz_csv_reader *reader, int64_t count,
                                                  const char *const *columns) {
    DLZ_REQUIRE(reader);
    return set_names(__func__, "column", &reader->ignored, count, columns);
}

int64_t dlviz_csv_reader_num_ignored_columns(const dlviz_csv_reader *reader) {
    return reader ? reader->ignored.count : 0;
}

const char *dlviz_csv_reader_ignored_column(const dlviz_csv_reader *reader, int64_t index) {
    return reader ? name_at(&reader->ignored, index) : NULL;
}

dlviz_status dlviz_csv_reader_set_class_names(dlviz_csv_reader *reader, int64_t count,
                                              const char *const *names) {
    DLZ_REQUIRE(reader);
    return set_names(__func__, "name", &reader->classes, count, names);
}

int64_t dlviz_csv_reader_num_class_names(const dlviz_csv_reader *reader) {
    return reader ? reader->classes.count : 0;
}

const char *dlviz_csv_reader_class_name(const dlviz_csv_reader *reader, int64_t index) {
    return reader ? name_at(&reader->classes, index) : NULL;
}
