/* base/names.h - what number a name has, found in the same time however many names there are. */
#ifndef DLZ_BASE_NAMES_H
#define DLZ_BASE_NAMES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Starts as NULL; json_decref frees it. */
typedef json_t dlz_names;

/* Names are UTF-8; one that is there already gets the new number. Fails when out of memory. */
bool dlz_names_add(dlz_names **names, const char *name, int64_t number);
/* −1 for a name that there is not. */
int64_t dlz_names_find(const dlz_names *names, const char *name);

#endif
