/* json.h - JSON for people, by jansson: an object's members have lines of their own, numbers of a list have one.
 * What memory ended for is remembered: the whole fails then, and the file stays as it was. */
#ifndef RUN_JSON_H
#define RUN_JSON_H

#include <dlviz.h>

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { MOST_OPEN = 8 }; /* more than any file here has */

struct json_builder {
    json_t *open[MOST_OPEN]; /* the object that is built, and what is open within it */
    int num_open;
    bool failed;
};

struct json_builder begin_json(void);
/* Each adds a value to what is open: to an object by its key, to a list with NULL for it. */
void put_open(struct json_builder *json, const char *key, char bracket); /* '{' or '[' */
void put_close(struct json_builder *json);
/* Bytes that are not UTF-8, which JSON does not know, become '?'. */
void put_text(struct json_builder *json, const char *key, const char *text);
/* null for what is not finite. */
void put_number(struct json_builder *json, const char *key, double value);
void put_integer(struct json_builder *json, const char *key, long long value);
void put_bool(struct json_builder *json, const char *key, bool value);
/* The value that a member has in a text that is a JSON object. */
void put_member(struct json_builder *json, const char *key, const char *object, size_t size);

/* Writes it, all or nothing. */
dlviz_status write_json(const struct json_builder *json, const char *path);
void release_json(struct json_builder *json);

/* A value as in such a file, in one line (free); NULL where memory has ended. */
char *json_line(const json_t *value);
/* The object or list (json_decref) that a text is, of which sentences have the name. */
dlviz_status parse_json(const char *name, const char *text, size_t size, json_t **value);

#endif
