/* base/pattern.h - patterns of names, such as "features.*" and "*.bias". */
#ifndef DLZ_BASE_PATTERN_H
#define DLZ_BASE_PATTERN_H

#include <stdbool.h>

/* Whether a pattern describes the whole name: '*' stands for any run of characters, also none and
 * also with dots, '?' for one character, and each other character for itself. Both are UTF-8.
 * Allocates nothing; takes no longer than the lengths' product, however many stars there are. */
bool dlz_matches(const char *pattern, const char *name);

#endif
