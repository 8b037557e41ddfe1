/* The fields of a table, by RFC 4180 and what else is common. */
#include "data/csv.h"

#include <string.h>

static bool starts_with(const char *bytes, size_t size, const char *start) {
    size_t length = strlen(start);
    return size >= length && memcmp(bytes, start, length) == 0;
}

dlviz_status dlz_csv_find_text(const char *bytes, size_t size, dlz_csv_text *text) {
    static const struct {
        const char *start, *kind;
    } others[] = {
        {"\xff\xfe", "text in UTF-16; UTF-8 is accepted"},
        {"\xfe\xff", "text in UTF-16; UTF-8 is accepted"},
        {"PK\3\4", "a zip archive, as spreadsheets (.xlsx, .ods) are; save it as CSV"},
        {"\x1f\x8b", "compressed by gzip; unpack it first"},
        {"\x93NUMPY", "a .npy file"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (starts_with(bytes, size, others[i].start))
            return dlz_fail(DLVIZ_ERROR_FORMAT, "it is no table of text, but %s", others[i].kind);
    text->start = bytes + (starts_with(bytes, size, "\xef\xbb\xbf") ? 3 : 0);
    text->end = bytes + size;
    while (text->end > text->start && strchr(" \r\n", text->end[-1]) && text->end[-1])
        text->end--;
    if (text->end == text->start)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it holds nothing but blank lines");
    return DLVIZ_OK;
}

void dlz_csv_set_delimiter(dlz_csv_text *text, char delimiter) {
    text->delimiter = delimiter;
    memset(text->ends_field, 0, sizeof text->ends_field);
    text->ends_field['\n'] = text->ends_field['\r'] = true;
    text->ends_field[(unsigned char)delimiter] = true;
}

static bool is_space(const dlz_csv_text *text, char c) {
    return (c == ' ' || c == '\t') && c != text->delimiter;
}

/* Goes on behind what ends a field. */
static dlz_csv_step go_on(const dlz_csv_text *text, const char *p, const char **at) {
    if (p == text->end) {
        *at = p;
        return DLZ_CSV_LAST;
    }
    if (*p == text->delimiter) {
        *at = p + 1;
        return DLZ_CSV_FIELD;
    }
    bool two = *p == '\r' && p + 1 < text->end && p[1] == '\n';
    *at = p + 1 + two;
    return DLZ_CSV_LAST;
}

/* `first` is behind the opening quote. */
static dlz_csv_step read_quoted(const dlz_csv_text *text, const char *first, const char **at,
                                dlz_csv_field *field) {
    const char *p = first;
    *field = (dlz_csv_field){first, first, false};
    while ((p = memchr(p, '"', (size_t)(text->end - p))) && p + 1 < text->end && p[1] == '"') {
        field->doubled = true;
        p += 2;
    }
    if (!p)
        return DLZ_CSV_UNCLOSED;
    field->end = p++;
    while (p < text->end && is_space(text, *p))
        p++;
    if (p < text->end && !text->ends_field[(unsigned char)*p])
        return DLZ_CSV_BEHIND;
    return go_on(text, p, at);
}

dlz_csv_step dlz_csv_next(const dlz_csv_text *text, const char **at, dlz_csv_field *field) {
    const char *p = *at, *end = text->end;
    while (p < end && is_space(text, *p))
        p++;
    if (p < end && *p == '"')
        return read_quoted(text, p + 1, at, field);
    field->start = p;
    while (p < end && !text->ends_field[(unsigned char)*p])
        p++;
    field->end = p;
    while (field->end > field->start && is_space(text, field->end[-1]))
        field->end--;
    field->doubled = false;
    return go_on(text, p, at);
}

int64_t dlz_csv_line(const dlz_csv_text *text, const char *place) {
    int64_t line = 1;
    for (const char *p = text->start; p < place; p++)
        line += *p == '\n' || (*p == '\r' && !(p + 1 < text->end && p[1] == '\n'));
    return line;
}

bool dlz_csv_is_missing(const dlz_csv_field *field) {
    static const char *const words[] = {"", "NA", "N/A", "NaN", "nan", "NAN", "null", "NULL", "?"};
    size_t size = (size_t)(field->end - field->start);
    for (size_t i = 0; size < 5 && i < sizeof words / sizeof *words; i++)
        if (size == strlen(words[i]) && memcmp(field->start, words[i], size) == 0)
            return true;
    return false;
}

bool dlz_csv_has_decimal_comma(const dlz_csv_field *field) {
    char copy[40];
    double number;
    size_t size = (size_t)(field->end - field->start);
    char *comma = memchr(field->start, ',', size) && size < sizeof copy
                      ? memchr(memcpy(copy, field->start, size), ',', size)
                      : NULL;
    if (!comma)
        return false;
    *comma = '.';
    return dlz_read_number(copy, size, &number);
}

size_t dlz_csv_copy(const dlz_csv_field *field, char *to) {
    size_t length = 0;
    for (const char *p = field->start; p < field->end; p++) {
        to[length++] = *p;
        p += field->doubled && *p == '"'; /* another one follows */
    }
    to[length] = '\0';
    return length;
}

const char *dlz_csv_show(char buffer[DLZ_CSV_SHOWN], const dlz_csv_field *field) {
    enum { MOST = DLZ_CSV_SHOWN - 8 };
    size_t size = (size_t)(field->end - field->start), shown = size < MOST ? size : MOST;
    /* No character is cut in two. */
    while (shown > 0 && shown < size && (field->start[shown] & 0xC0) == 0x80)
        shown--;
    memcpy(buffer, field->start, shown);
    buffer[shown] = '\0';
    for (size_t i = 0; i < shown; i++) /* a zero would end the text here */
        buffer[i] = buffer[i] ? buffer[i] : '?';
    return shown < size ? strcat(buffer, "…") : buffer;
}
