/* Jansson's objects are tables whose hashes a file's author cannot foresee. For that, the first one of a
 * process reads random bytes; a thread that were cancelled then would leave all others waiting for
 * them, and so none is where objects are made. */
#include "base/names.h"
#include "base/cancel.h"

bool dlz_names_add(dlz_names **names, const char *name, int64_t number) {
    DLZ_NOT_CANCELLED;
    if (!*names)
        *names = json_object();
    return *names && json_object_set_new(*names, name, json_integer(number)) == 0;
}

int64_t dlz_names_find(const dlz_names *names, const char *name) {
    const json_t *number = json_object_get(names, name);
    return number ? json_integer_value(number) : -1;
}
