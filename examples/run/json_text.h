/* json_text.h - JSON for people, written as text: an object's members have lines of their own, numbers of a list have one.
 * There is no tree of it that could lack a part: where memory ends, the whole fails, and the file stays as it was. */
#ifndef RUN_JSON_TEXT_H
#define RUN_JSON_TEXT_H

#include <dlviz.h>

#include <stdbool.h>
#include <stddef.h>

/* All zero at the beginning. */
struct json_text {
    char *bytes; /* without a line break, and with no end */
    size_t size, room;
    bool failed;
};

/* Each adds a value: to an object by its key, to a list with NULL for it. Brackets are '{' and '['. */
void put_open(struct json_text *json, const char *key, char bracket);
void put_close(struct json_text *json, char bracket);
/* Bytes that are not UTF-8, which JSON does not know, become '?'. */
void put_text(struct json_text *json, const char *key, const char *text);
/* null for what is not finite. */
void put_number(struct json_text *json, const char *key, double value);
void put_integer(struct json_text *json, const char *key, long long value);
void put_bool(struct json_text *json, const char *key, bool value);
/* The value that a member of an object has, which is JSON already; nothing where there is none. */
void put_member(struct json_text *json, const char *key, const char *object, size_t size);

/* The lines that it has in a file, with a '\0' behind (free); NULL where memory has ended. */
char *json_lines(const struct json_text *json);
/* Writes them, all or nothing. */
dlviz_status write_json(const struct json_text *json, const char *path);
void release_json(struct json_text *json);

#endif
