#include "base/base.h"
#include "base/cancel.h"
#include "base/fork.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static dlviz_log_fn log_function;
static void *log_user;

static void after_fork(void) {
    pthread_rwlock_init(&lock, NULL);
}

DLZ_AFTER_FORK(after_fork)

void dlviz_set_log(dlviz_log_fn log, void *user) {
    DLZ_WATCH_FORKS();
    pthread_rwlock_wrlock(&lock);
    log_function = log;
    log_user = user;
    pthread_rwlock_unlock(&lock);
}

void dlviz_log_to_stream(dlviz_log_level level, const char *message, void *user) {
    (void)level;
    if (message && user)
        fprintf(user, "%s\n", message);
}

void dlz_log(dlviz_log_level level, const char *format, ...) {
    DLZ_NOT_CANCELLED;
    DLZ_WATCH_FORKS();
    pthread_rwlock_rdlock(&lock);
    dlviz_log_fn function = log_function;
    void *user = log_user;
    pthread_rwlock_unlock(&lock);
    if (!function)
        return;
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    dlz_vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    function(level, line, user);
}

static locale_t c_locale;

static void make_c_locale(void) {
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

int dlz_vsnprintf(char *buffer, size_t size, const char *format, va_list arguments) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_c_locale);
    locale_t before = c_locale ? uselocale(c_locale) : (locale_t)0;
    int length = vsnprintf(buffer, size, format, arguments);
    if (before)
        uselocale(before);
    return length;
}

static int format_number(char *buffer, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = dlz_vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

const char *dlz_number(char buffer[DLZ_NUMBER_SIZE], double value, int digits) {
    if (isnan(value))
        return strcpy(buffer, "nan");
    format_number(buffer, DLZ_NUMBER_SIZE, "%.*g", digits, value);
    return buffer;
}

/* By table 3-7 of the Unicode standard: no overlong forms, no surrogates. */
bool dlz_is_utf8(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        unsigned lead = *at++, low = 0x80, high = 0xBF;
        if (lead < 0x80)
            continue;
        int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
        if (lead < 0xC2 || lead > 0xF4)
            return false;
        if (lead == 0xE0)
            low = 0xA0;
        else if (lead == 0xED)
            high = 0x9F;
        else if (lead == 0xF0)
            low = 0x90;
        else if (lead == 0xF4)
            high = 0x8F;
        for (; more > 0; more--, at++, low = 0x80, high = 0xBF)
            if (*at < low || *at > high)
                return false;
    }
    return true;
}
