#include "print.h"
#include "again.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
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

static int write_text(int descriptor, bool line, const char *format, va_list arguments) {
    char some[4096], *text = some;
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(some, sizeof some - 1, format, arguments);
    if (length >= (int)sizeof some - 1) {
        text = malloc((size_t)length + 2);
        if (text)
            vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    if (length < 0 || !text)
        return ENOMEM;
    if (line)
        text[length++] = '\n';
    int error = write_whole(descriptor, text, (size_t)length);
    if (text != some)
        free(text);
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
