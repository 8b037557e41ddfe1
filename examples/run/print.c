#include "print.h"
#include "again.h"

#include <dlviz.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int failure; /* errno of the first text that standard output did not take; 0 for none */

/* The C library's streams give up at once where a descriptor does not wait, and forget the text. */
static int write_whole(int descriptor, const char *text, size_t size) {
    while (size > 0) {
        ssize_t written = AGAIN(write(descriptor, text, size));
        if (written > 0) {
            text += written;
            size -= (size_t)written;
        } else if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            struct pollfd room = {.fd = descriptor, .events = POLLOUT};
            (void)AGAIN(poll(&room, 1, -1));
        } else {
            return written < 0 ? errno : EIO;
        }
    }
    return 0;
}

/* -- Formatting: as printf, but of texts among the arguments no more than is shown --------------
 */

struct text {
    char *bytes;
    size_t used, room;
    bool failed;
};

static void append(struct text *to, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    size_t needed = to->used + (length > 0 ? (size_t)length : 0) + 2; /* and the end of a line */
    if (needed > to->room) {
        char *bytes = realloc(to->bytes, 2 * needed);
        to->failed |= !bytes;
        to->bytes = bytes ? bytes : to->bytes;
        to->room = bytes ? 2 * needed : to->room;
    }
    to->failed |= length < 0;
    if (!to->failed) {
        vsnprintf(to->bytes + to->used, to->room - to->used, format, again);
        to->used += (size_t)length;
    }
    va_end(again);
}

static void append_one(struct text *to, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    append(to, format, arguments);
    va_end(arguments);
}

/* One that has been gone through in part: a va_list that is a parameter may be no more than a
 * pointer. */
struct arguments {
    va_list list;
};

/* A text, of which `most` bytes count; where it came from is not known here. */
static void append_text(struct text *to, const char *how, const char *from, size_t most) {
    from = from ? from : "(null)";
    size_t size = strnlen(from, most);
    char *shown = malloc(size + 1);
    to->failed |= !shown;
    if (shown) {
        memcpy(shown, from, size);
        shown[size] = '\0';
        append_one(to, how, dlviz_printable(shown, size + 1, shown));
    }
    free(shown);
}

/* A number, of the size that `length` tells: "", "l", "ll" or "z". */
static void append_integer(struct text *to, const char *how, const char *length,
                           struct arguments *from) {
    if (strcmp(length, "ll") == 0)
        append_one(to, how, va_arg(from->list, long long));
    else if (strcmp(length, "l") == 0)
        append_one(to, how, va_arg(from->list, long));
    else if (strcmp(length, "z") == 0)
        append_one(to, how, va_arg(from->list, size_t));
    else
        append_one(to, how, va_arg(from->list, int));
}

enum { HOW = 64 }; /* of one conversion: "%-*.*s", with the numbers in place of the stars */

/* A conversion, which begins at a '%'; returns what follows. */
static const char *append_conversion(struct text *to, const char *format, struct arguments *from) {
    char how[HOW], length[3] = "";
    size_t used = 0, most = SIZE_MAX;
    how[used++] = *format++;
    for (; *format && strchr("-+ #0123456789.*", *format) && used < HOW - 24; format++) {
        bool precision = *format == '.', star = precision ? format[1] == '*' : *format == '*';
        if (precision)
            how[used++] = *format;
        if (star) {
            int number = va_arg(from->list, int);
            number = precision && number < 0 ? INT_MAX : number; /* none */
            used += (size_t)snprintf(how + used, HOW - used, "%d", number);
            most = precision ? (size_t)number : most;
            format += precision;
        } else if (precision) {
            most = strtoul(format + 1, NULL, 10);
        } else {
            how[used++] = *format;
        }
    }
    for (int i = 0; i < 2 && *format && strchr("lz", *format); i++)
        length[i] = how[used++] = *format++;
    how[used++] = *format;
    how[used] = '\0';
    if (*format == '%')
        append_one(to, "%%");
    else if (*format == 's')
        append_text(to, how, va_arg(from->list, const char *), most);
    else if (*format && strchr("aefgAEFG", *format))
        append_one(to, how, va_arg(from->list, double));
    else if (*format && strchr("cdiouxX", *format))
        append_integer(to, how, length, from);
    else
        to->failed = true; /* a conversion that no program here has needed yet */
    return format + 1;
}

/* The format is the program's own, with line feeds and what else it wants; what fills it may be
 * from anywhere. */
static void fill(struct text *to, const char *format, va_list arguments) {
    struct arguments from;
    va_copy(from.list, arguments);
    while (*format) {
        size_t plain = strcspn(format, "%");
        if (plain > 0)
            append_one(to, "%.*s", (int)plain, format);
        format += plain;
        if (*format)
            format = append_conversion(to, format, &from);
    }
    va_end(from.list);
}

static int write_text(int descriptor, bool line, const char *format, va_list arguments) {
    struct text text = {.used = 0};
    append_one(&text, "%s", "");
    fill(&text, format, arguments);
    if (!text.failed && line)
        text.bytes[text.used++] = '\n';
    int error = text.failed ? ENOMEM : write_whole(descriptor, text.bytes, text.used);
    free(text.bytes);
    return error;
}

static void note(int error) {
    if (failure == 0)
        failure = error;
}

void print(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    note(write_text(STDOUT_FILENO, false, format, arguments));
    va_end(arguments);
}

void print_line(const char *format, va_list arguments) {
    note(write_text(STDOUT_FILENO, true, format, arguments));
}

void complain_list(const char *format, va_list arguments) {
    (void)write_text(STDERR_FILENO, false, format, arguments);
}

void complain(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain_list(format, arguments);
    va_end(arguments);
}

bool all_printed(const char *program) {
    if (failure != 0)
        complain("%s: cannot write to standard output: %s\n", program, strerror(failure));
    return failure == 0;
}
