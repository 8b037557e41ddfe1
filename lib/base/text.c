#include "base/base.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static dlviz_log_fn log_function;
static void *log_user;

void dlviz_set_log(dlviz_log_fn log, void *user) {
    pthread_rwlock_wrlock(&lock);
    log_function = log;
    log_user = user;
    pthread_rwlock_unlock(&lock);
}

void dlz_log(dlviz_log_level level, const char *format, ...) {
    pthread_rwlock_rdlock(&lock);
    dlviz_log_fn function = log_function;
    void *user = log_user;
    pthread_rwlock_unlock(&lock);
    if (!function)
        return;
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    function(level, line, user);
}

const char *dlz_number(char buffer[DLZ_NUMBER_SIZE], double value, int digits) {
    if (isnan(value))
        return strcpy(buffer, "nan");
    if (isinf(value))
        return strcpy(buffer, value < 0 ? "-inf" : "inf");
    snprintf(buffer, DLZ_NUMBER_SIZE, "%.*g", digits, value);
    const char *point = localeconv()->decimal_point;
    char *at = point && strcmp(point, ".") != 0 ? strstr(buffer, point) : NULL;
    if (at) {
        size_t length = strlen(point);
        *at = '.';
        memmove(at + 1, at + length, strlen(at + length) + 1);
    }
    return buffer;
}
