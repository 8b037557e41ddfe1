/* text.h - names that others gave, of files and classes, for what takes one line of UTF-8. */
#ifndef RUN_TEXT_H
#define RUN_TEXT_H

#include <stddef.h>

/* Copies a text with ' ' for each control character and '?' for each byte that is no UTF-8; what has no
 * room is cut off between characters, with "…" in its place. */
void copy_text(char *to, size_t size, const char *from);

#endif
