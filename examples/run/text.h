/* text.h - sentences of the library, for those who have a command line. */
#ifndef RUN_TEXT_H
#define RUN_TEXT_H

#include <stdbool.h>
#include <stddef.h>

bool is_utf8(const char *text);

/* What the library has said last, without the names of C functions: options stand in their place, or the
 * advice is left out that is for programmers. Valid until the next call. */
const char *plain_error(void);
/* The same of any sentence of the library's. */
const char *plain_sentence(const char *sentence);

#endif
