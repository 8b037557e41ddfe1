/* print.h - what the programs say. Text arrives whole, or it is known that it did not: also where a
 * signal interrupts, the system takes a part at a time, or somebody else has made the pipe or
 * terminal one that does not wait.
 *
 * The formats are the programs' own. Texts that fill them may be names in files of others, or
 * paths: '?' takes the place of what is no UTF-8 and of what would act on a terminal, or on lines
 * (dlviz_printable). So a text of several lines, or one that moves the cursor, belongs into a
 * format. */
#ifndef RUN_PRINT_H
#define RUN_PRINT_H

#include <stdarg.h>
#include <stdbool.h>

/* Results, on standard output. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line of them. */
void print_line(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
/* What went wrong, on standard error. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void complain_list(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* Whether standard output has taken everything; tells the first failure. */
bool all_printed(const char *program);

#endif
