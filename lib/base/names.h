/* base/names.h - what number a name has, found in the same time however many names there are. */
#ifndef DLZ_BASE_NAMES_H
#define DLZ_BASE_NAMES_H

#include <stdbool.h>
#include <stdint.h>

/* Starts as NULL. */
typedef struct dlz_names dlz_names;

/* The name stays the caller's and must outlive the table; one that is there already gets the new number.
 * Fails when out of memory, with the table as it was. */
bool dlz_names_add(dlz_names **names, const char *name, int64_t number);
/* How many names there will be, where that is known: the table then grows but once. */
bool dlz_names_expect(dlz_names **names, uint64_t count);
/* −1 for a name that there is not, and for NULL. */
int64_t dlz_names_find(const dlz_names *names, const char *name);
/* Takes all names out; as many can be added again, which cannot fail. NULL is allowed, as below. */
void dlz_names_clear(dlz_names *names);
void dlz_names_free(dlz_names *names);

#endif
