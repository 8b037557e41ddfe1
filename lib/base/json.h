/* base/json.h - JSON from files, read into jansson's values or value by value.
 *
 * It is not jansson's own parser that reads it: where memory ends, that one takes text to be damaged that is
 * not, or goes on with a part of it. And of a text that is one large list it makes a tree of up to 75
 * times its size; here what is large is read value by value, and trees have a limit. */
#ifndef DLZ_JSON_H
#define DLZ_JSON_H

#include "base/base.h"

#include <jansson.h>

/* Of one tree: far more than any file of the library has. They take 1 GB at most, besides their text. */
#define DLZ_JSON_MOST_VALUES (INT64_C(1) << 22)
/* Of lists and objects in each other; it keeps the stack small. */
enum { DLZ_JSON_MOST_DEPTH = 128 };

/* What is wrong with a text, and where. */
typedef struct dlz_json_fault {
    char reason[80];
    size_t byte, line; /* from 0, from 1 */
} dlz_json_fault;

typedef struct dlz_json {
    const char *start, *at, *end;
    const char *reason; /* of DLVIZ_ERROR_FORMAT: what is wrong at `at` */
    int depth, most_depth;
    int64_t values;   /* how many more are accepted */
    uint64_t charged; /* for the value that was read last */
    char *key;        /* of the last member */
    size_t key_length, key_room;
} dlz_json;

void dlz_json_begin(dlz_json *json, const char *text, size_t length, int most_depth);
void dlz_json_end(dlz_json *json);
dlz_json_fault dlz_json_fault_of(const dlz_json *json);

/* Whether an object comes, which is then entered. */
bool dlz_json_enter(dlz_json *json);

/* All of these fail with DLVIZ_ERROR_FORMAT and a reason, for the caller to make a sentence of, or with
 * DLVIZ_ERROR_OUT_OF_MEMORY and its sentence. */

/* Goes to the next member of the object that was entered: json->key, in UTF-8 with no zero byte in it, and
 * its value next to be read. Without one the object is left. `first`: it was just entered. */
dlviz_status dlz_json_next(dlz_json *json, bool first, bool *found);
/* Whether the value that comes begins as a text. */
bool dlz_json_is_text(dlz_json *json);
/* The value that comes, which has to be a text: how long it is, and then the text, for which there are so
 * many bytes. With NULL it is passed over. */
dlviz_status dlz_json_measure_text(dlz_json *json, size_t *length);
dlviz_status dlz_json_take_text(dlz_json *json, char *text);
/* The value that comes, of at most `most` values in all. No object in it may have a key twice. */
dlviz_status dlz_json_take(dlz_json *json, int64_t most, json_t **value);
/* Frees the value that was taken last, which has counted as memory of this reading until now. */
void dlz_json_drop(dlz_json *json, json_t *value);
/* Fails unless nothing but white space is left. */
dlviz_status dlz_json_finish(dlz_json *json);

/* All of it as one value. `what` names it in sentences of memory; on DLVIZ_ERROR_FORMAT the fault says what
 * is wrong. */
dlviz_status dlz_json_read(const char *what, const char *text, size_t length, json_t **value,
                           dlz_json_fault *fault);

#endif
