/* Jansson's objects are tables whose hashes a file's author cannot foresee. */
#include "base/names.h"

bool dlz_names_add(dlz_names **names, const char *name, int64_t number) {
    if (!*names)
        *names = json_object();
    return *names && json_object_set_new(*names, name, json_integer(number)) == 0;
}

int64_t dlz_names_find(const dlz_names *names, const char *name) {
    const json_t *number = json_object_get(names, name);
    return number ? json_integer_value(number) : -1;
}
