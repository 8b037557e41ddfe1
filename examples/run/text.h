/* text.h - names that others gave, of files and classes, for what takes one line of UTF-8. */
#ifndef RUN_TEXT_H
#define RUN_TEXT_H

#include <stdbool.h>
#include <stddef.h>

bool is_utf8(const char *text);

/* Copies a text with ' ' for each control character, or what else acts on the text around it, and
 * '?' for each byte that is no UTF-8; what has no room is cut off between characters, with "…" in
 * its place. */
void copy_text(char *to, size_t size, const char *from);

/* A copy, to be freed, of a text that a terminal only shows: at most so many bytes of it, with '?'
 * for each byte that is no UTF-8 and for each character that acts on the terminal, or on lines and
 * the direction of the text around it. NULL when out of memory. */
char *printable(const char *text, size_t most);

/* What the library has said last, without the names of C functions: options stand in their place, or the
 * advice is left out that is for programmers. Valid until the next call. */
const char *plain_error(void);
/* The same of any sentence of the library's. */
const char *plain_sentence(const char *sentence);

#endif
