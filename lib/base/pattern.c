#include "base/pattern.h"

#include <stddef.h>

/* Past one character of UTF-8: its first byte, and those that continue it. */
static const char *after_character(const char *text) {
    do
        text++;
    while (((unsigned char)*text & 0xC0) == 0x80);
    return text;
}

/* Only the last star is ever tried again: whatever an earlier one could take, the last one can take
 * in its place. */
bool dlz_matches(const char *pattern, const char *name) {
    const char *star = NULL,
               *rest = NULL; /* the pattern after the star, and what it has not taken */
    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            rest = name;
        } else if (*pattern == '?') {
            pattern++;
            name = after_character(name);
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            rest = after_character(rest);
            pattern = star;
            name = rest;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}
