#include "compact.h"
#include "replace.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_LINE = 160 };

static bool is_plain(const json_t *value) {
    return !json_is_array(value) && !json_is_object(value);
}

/* A list of plain values has one line however long; other things have one where that is short. */
static bool has_one_line(const json_t *value) {
    size_t i;
    json_t *element;
    if (is_plain(value))
        return true;
    if (json_is_object(value))
        return json_dumpb(value, NULL, 0, 0) <= MOST_LINE;
    json_array_foreach(value, i, element) if (!is_plain(element)) return false;
    return true;
}

static bool write_value(FILE *file, const json_t *value, int depth);

static bool write_line(FILE *file, const json_t *value) {
    return json_dumpf(value, file, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) == 0;
}

static bool begin_line(FILE *file, bool first, int depth) {
    return fprintf(file, "%s\n%*s", first ? "" : ",", 2 * (depth + 1), "") > 0;
}

static bool write_list(FILE *file, const json_t *list, int depth) {
    size_t i;
    json_t *element;
    bool done = fputc('[', file) != EOF;
    json_array_foreach(list, i, element) done =
        done && begin_line(file, i == 0, depth) && write_value(file, element, depth + 1);
    return done && fprintf(file, "\n%*s]", 2 * depth, "") > 0;
}

static bool write_object(FILE *file, const json_t *object, int depth) {
    const char *key;
    json_t *value;
    bool done = fputc('{', file) != EOF, first = true;
    json_object_foreach((json_t *)object, key, value) {
        done = done && begin_line(file, first, depth) && fprintf(file, "\"%s\": ", key) > 0 &&
               write_value(file, value, depth + 1);
        first = false;
    }
    return done && fprintf(file, "\n%*s}", 2 * depth, "") > 0;
}

static bool write_value(FILE *file, const json_t *value, int depth) {
    if (has_one_line(value))
        return write_line(file, value);
    return json_is_object(value) ? write_object(file, value, depth)
                                 : write_list(file, value, depth);
}

int write_compact(const json_t *object, const char *path) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    bool done = file && write_object(file, object, 0) && fputc('\n', file) != EOF;
    if (file && fclose(file) != 0)
        done = false;
    errno = ENOMEM; /* nothing else can have been lacking */
    int status = done ? replace_file(path, text, size) : -1;
    int error = errno;
    free(text);
    errno = error;
    return status;
}
