#include "base/base.h"
#include "base/cancel.h"
#include "base/fork.h"
#include "base/locale.h"

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
    dlz_format_sentence(line, sizeof line, format, arguments);
    va_end(arguments);
    function(level, line, user);
}

static locale_t c_locale;

static void make_c_locale(void) {
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

locale_t dlz_locale_enter(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_c_locale);
    return c_locale ? uselocale(c_locale) : (locale_t)0;
}

int dlz_vsnprintf(char *buffer, size_t size, const char *format, va_list arguments) {
    DLZ_IN_C_LOCALE;
    return vsnprintf(buffer, size, format, arguments);
}

int dlz_snprintf(char *buffer, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = dlz_vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

const char *dlz_number(char buffer[DLZ_NUMBER_SIZE], double value, int digits) {
    if (isnan(value))
        return strcpy(buffer, "nan");
    dlz_snprintf(buffer, DLZ_NUMBER_SIZE, "%.*g", digits, value);
    return buffer;
}

/* By table 3-7 of the Unicode standard. */
size_t dlz_utf8_size(const char *text, size_t rest) {
    const unsigned char *s = (const unsigned char *)text;
    if (rest > 0 && s[0] < 0x80)
        return 1;
    /* The first byte tells the size; the second byte's range shuts out overlong forms, surrogates
     * and what lies beyond U+10FFFF. */
    size_t size = rest == 0                      ? 0
                  : s[0] >= 0xC2 && s[0] <= 0xDF ? 2
                  : s[0] >= 0xE0 && s[0] <= 0xEF ? 3
                  : s[0] >= 0xF0 && s[0] <= 0xF4 ? 4
                                                 : 0;
    if (size == 0 || size > rest)
        return 0;
    unsigned char low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

bool dlz_is_utf8(const char *text) {
    while (*text) {
        size_t size = dlz_utf8_size(text, SIZE_MAX);
        if (size == 0)
            return false;
        text += size;
    }
    return true;
}

/* A character that acts on the terminal, or on the order and the lines of the text around it, which
 * names in a file could forge with it: C0, DEL and C1, the separators of lines and paragraphs
 * (U+2028 and U+2029) and what overrides the direction of text (U+202A to U+202E, U+2066 to
 * U+2069). */
static bool acts(const unsigned char *s, size_t size) {
    if (size == 1)
        return s[0] < 0x20 || s[0] == 0x7F;
    if (size == 2)
        return s[0] == 0xC2 && s[1] < 0xA0;
    return size == 3 && s[0] == 0xE2 &&
           ((s[1] == 0x80 && s[2] >= 0xA8 && s[2] <= 0xAE) ||
            (s[1] == 0x81 && s[2] >= 0xA6 && s[2] <= 0xA9));
}

const char *dlviz_printable(char *buffer, size_t size, const char *text) {
    static const char more[] = "…";
    size_t used = 0, whole = 0; /* whole: up to where the mark of what is left out has room, too */
    if (!buffer || size == 0)
        return "";
    for (text = text ? text : ""; *text;) {
        size_t bytes = dlz_utf8_size(text, SIZE_MAX);
        bool shown = bytes > 0 && !acts((const unsigned char *)text, bytes);
        if (used + (shown ? bytes : 1) >= size) {
            if (size >= sizeof more) {
                memcpy(buffer + whole, more, sizeof more);
                return buffer;
            }
            break;
        }
        if (shown)
            memmove(buffer + used, text, bytes);
        else
            buffer[used] = '?';
        used += shown ? bytes : 1;
        text += bytes > 0 ? bytes : 1;
        if (used + sizeof more <= size)
            whole = used;
    }
    buffer[used] = '\0';
    return buffer;
}

/* Takes away the beginning of a character whose end had no room. */
static void drop_half_character(char *text, size_t length) {
    size_t start = length;
    while (start > 0 && length - start < 3 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    bool begins = start > 0 && (unsigned char)text[start - 1] >= 0xC2;
    if (begins && dlz_utf8_size(text + start - 1, length - (start - 1)) == 0)
        text[start - 1] = '\0';
}

void dlz_format_sentence(char *buffer, size_t size, const char *format, va_list arguments) {
    buffer[0] = '\0';
    int length = dlz_vsnprintf(buffer, size, format, arguments);
    if (length >= 0 && (size_t)length >= size)
        drop_half_character(buffer, strlen(buffer));
    dlviz_printable(buffer, size, buffer);
}
