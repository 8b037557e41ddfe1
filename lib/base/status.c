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

/* Cuts a message that did not fit at a whole UTF-8 character and marks the cut. */
static void mark_truncation(char *text, size_t size) {
    size_t end = size - 4;
    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80)
        end--;
    memcpy(text + end, "...", 4);
}

static dlviz_status store(dlviz_status status, const char *text, int needed) {
    last_status = status;
    num_failures++;
    memcpy(message, text, DLZ_SENTENCE_SIZE);
    if (needed >= DLZ_SENTENCE_SIZE)
        mark_truncation(message, DLZ_SENTENCE_SIZE);
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
    char text[DLZ_SENTENCE_SIZE] = "";
    va_list arguments;
    va_start(arguments, format);
    int needed = dlz_vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return store(status, text, needed);
}

dlviz_status dlviz_fail(dlviz_status status, const char *format, ...) {
    char text[DLZ_SENTENCE_SIZE] = "";
    va_list arguments;
    va_start(arguments, format);
    int needed = format ? dlz_vsnprintf(text, sizeof text, format, arguments) : 0;
    va_end(arguments);
    return store(status == DLVIZ_OK ? DLVIZ_ERROR_INVALID_ARGUMENT : status, text, needed);
}

dlviz_status dlz_fail_within(dlviz_status status, const char *format, ...) {
    char text[DLZ_SENTENCE_SIZE] = "";
    va_list arguments;
    va_start(arguments, format);
    int needed = dlz_vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (needed >= 0 && needed < DLZ_SENTENCE_SIZE) {
        size_t room = sizeof text - (size_t)needed;
        needed += snprintf(text + needed, room, ": %s", message);
    }
    return store(status, text, needed);
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
    return dlz_fail(DLVIZ_ERROR_IO, "%s '%s': %s", action, path, reason);
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
