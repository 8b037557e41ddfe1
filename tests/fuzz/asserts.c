/* What ck_assert and ck_ok do where no Check test runs: nothing, or the end of the program. In place of
 * Check's own, by the linker's --wrap. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void __wrap__mark_point(const char *file, int line);
void __wrap__ck_assert_failed(const char *file, int line, const char *expression,
                              const char *format, ...);

void __wrap__mark_point(const char *file, int line) {
    (void)file;
    (void)line;
}

void __wrap__ck_assert_failed(const char *file, int line, const char *expression,
                              const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s:%d: %s: ", file, line, expression);
    if (format)
        vfprintf(stderr, format, arguments);
    va_end(arguments);
    abort();
}
