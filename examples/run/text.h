/* text.h - names that others gave, of files and classes, for what takes one line of UTF-8. */
#ifndef RUN_TEXT_H
#define RUN_TEXT_H

#include <stdbool.h>
#include <stddef.h>

bool is_utf8(const char *text);

/* Copies a text with ' ' for each control character and '?' for each byte that is no UTF-8; what has no
 * room is cut off between characters, with "…" in its place. */
void copy_text(char *to, size_t size, const char *from);

/* What the library has said last, without the names of C functions: options stand in their place, or the
 * advice is left out that is for programmers. Valid until the next call. */
const char *plain_error(void);
/* The same of any sentence of the library's. */
const char *plain_sentence(const char *sentence);

#endif
