#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[DLZ_SENTENCE_SIZE];
static _Thread_local dlviz_status last_status;
static _Thread_local uint64_t num_failures;

const char *dlviz_last_error(void) {
    return message;
}

dlviz_status dlz_last_status(void) {
    return last_status;
}

uint64_t dlz_num_failures(void) {
    return num_failures;
}

const char *dlviz_status_name(dlviz_status status) {
    switch (status) {
    case DLVIZ_OK:
        return "success";
    case DLVIZ_ERROR_INVALID_ARGUMENT:
        return "invalid argument";
    case DLVIZ_ERROR_SHAPE:
        return "shape mismatch";
    case DLVIZ_ERROR_OUT_OF_MEMORY:
        return "out of memory";
    case DLVIZ_ERROR_IO:
        return "input or output failed";
    case DLVIZ_ERROR_FORMAT:
        return "bad file format";
    case DLVIZ_ERROR_NOT_FOUND:
        return "not found";
    case DLVIZ_ERROR_STATE:
        return "wrong state";
    case DLVIZ_ERROR_NUMERIC:
        return "numeric failure";
    case DLVIZ_ERROR_UNSUPPORTED:
        return "unsupported";
    case DLVIZ_CANCELLED:
        return "cancelled";
    case DLVIZ_ERROR_COMM:
        return "communication failed";
    }
    return "unknown status";
}

/* What a sentence is before it is made to fit: with a path in it, say, and a name. */
enum { WHOLE_SIZE = 8 * DLZ_SENTENCE_SIZE };

static bool continues_a_character(char byte) {
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* What makes a sentence too long is a name in it, and what is wrong with that is said before and after:
 * so its middle is left out, and marked, at whole UTF-8 characters. */
static void leave_out_the_middle(char *to, const char *text, size_t length) {
    static const char mark[] = "...";
    size_t room = DLZ_SENTENCE_SIZE - sizeof mark, head = room / 2, tail = length - (room - head);
    while (head > 0 && continues_a_character(text[head]))
        head--;
    while (tail < length && continues_a_character(text[tail]))
        tail++;
    memcpy(to, text, head);
    memcpy(to + head, mark, sizeof mark - 1);
    memcpy(to + head + sizeof mark - 1, text + tail, length - tail + 1);
}

/* `text` may not lie in the present message. */
static dlviz_status store(dlviz_status status, const char *text) {
    size_t length = strlen(text);
    last_status = status;
    num_failures++;
    if (length < DLZ_SENTENCE_SIZE)
        memcpy(message, text, length + 1);
    else
        leave_out_the_middle(message, text, length);
    return status;
}

void dlz_failure_keep(dlz_failure *kept) {
    memcpy(kept->sentence, message, sizeof message);
    kept->status = last_status;
    kept->count = num_failures;
}

void dlz_failure_put_back(const dlz_failure *kept) {
    memcpy(message, kept->sentence, sizeof message);
    last_status = kept->status;
    num_failures = kept->count;
}

dlviz_status dlz_fail(dlviz_status status, const char *format, ...) {
    char text[WHOLE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    dlz_format_sentence(text, sizeof text, format, arguments);
    va_end(arguments);
    return store(status, text);
}

dlviz_status dlviz_fail(dlviz_status status, const char *format, ...) {
    char text[WHOLE_SIZE];
    text[0] = 0;
    va_list arguments;
    va_start(arguments, format);
    if (format)
        dlz_format_sentence(text, sizeof text, format, arguments);
    va_end(arguments);
    return store(status == DLVIZ_OK ? DLVIZ_ERROR_INVALID_ARGUMENT : status, text);
}

dlviz_status dlz_fail_within(dlviz_status status, const char *format, ...) {
    char text[WHOLE_SIZE + DLZ_SENTENCE_SIZE + 2]; /* and the present message */
    va_list arguments;
    va_start(arguments, format);
    dlz_format_sentence(text, WHOLE_SIZE, format, arguments);
    va_end(arguments);
    size_t length = strlen(text);
    snprintf(text + length, sizeof text - length, ": %s", message);
    return store(status, text);
}

dlviz_status dlz_fail_memory(const char *what, uint64_t bytes) {
    if (bytes == 0)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory for %s", what);
    return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory: %llu bytes for %s",
                    (unsigned long long)bytes, what);
}

dlviz_status dlz_fail_io(const char *action, const char *path, int error) {
    char reason[128];
    /* %m is strerror() without its shared buffer, and without the two kinds of strerror_r. */
    int saved = errno;
    errno = error;
    snprintf(reason, sizeof reason, "%m");
    errno = saved;
    /* As where a limit of the process's memory leaves no room to map a file. */
    return dlz_fail(error == ENOMEM ? DLVIZ_ERROR_OUT_OF_MEMORY : DLVIZ_ERROR_IO, "%s '%s': %s",
                    action, path, reason);
}

dlviz_status dlz_user_result(const char *function, dlviz_status status, uint64_t failures) {
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    if ((int)status < 0 || status > DLVIZ_ERROR_COMM)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s returned %d, which is no dlviz_status",
                        function, (int)status);
    if (dlz_num_failures() != failures && dlz_last_status() == status)
        return dlz_fail_within(status, "%s", function);
    return dlz_fail(status, "%s returned '%s' without a sentence (dlviz_fail leaves one)", function,
                    dlviz_status_name(status));
}
