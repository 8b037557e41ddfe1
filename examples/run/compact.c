#include "compact.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LINE = 160 };

static bool is_plain(const json_t *value) {
    return !json_is_array(value) && !json_is_object(value);
}

/* A list of plain values has one line however long; other things have one where that is short. */
static bool has_one_line(const json_t *value) {
    size_t i;
    json_t *element;
    if (is_plain(value))
        return true;
    if (json_is_object(value))
        return json_dumpb(value, NULL, 0, 0) <= MOST_LINE;
    json_array_foreach(value, i, element) if (!is_plain(element)) return false;
    return true;
}

static bool write_value(FILE *file, const json_t *value, int depth);

static bool write_line(FILE *file, const json_t *value) {
    return json_dumpf(value, file, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9)) == 0;
}

static bool begin_line(FILE *file, bool first, int depth) {
    return fprintf(file, "%s\n%*s", first ? "" : ",", 2 * (depth + 1), "") > 0;
}

static bool write_list(FILE *file, const json_t *list, int depth) {
    size_t i;
    json_t *element;
    bool done = fputc('[', file) != EOF;
    json_array_foreach(list, i, element) done =
        done && begin_line(file, i == 0, depth) && write_value(file, element, depth + 1);
    return done && fprintf(file, "\n%*s]", 2 * depth, "") > 0;
}

static bool write_object(FILE *file, const json_t *object, int depth) {
    const char *key;
    json_t *value;
    bool done = fputc('{', file) != EOF, first = true;
    json_object_foreach((json_t *)object, key, value) {
        done = done && begin_line(file, first, depth) && fprintf(file, "\"%s\": ", key) > 0 &&
               write_value(file, value, depth + 1);
        first = false;
    }
    return done && fprintf(file, "\n%*s}", 2 * depth, "") > 0;
}

static bool write_value(FILE *file, const json_t *value, int depth) {
    if (has_one_line(value))
        return write_line(file, value);
    return json_is_object(value) ? write_object(file, value, depth)
                                 : write_list(file, value, depth);
}

/* A name that nobody can foresee, so that nothing can have been put there; of a file that is replaced, with
 * its permissions from the beginning. */
static int open_temporary(const char *path, char *temporary, size_t size) {
    struct stat info;
    bool exists = stat(path, &info) == 0;
    for (int attempt = 0; attempt < 100; attempt++) {
        uint64_t number = 0;
        if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
            continue;
        snprintf(temporary, size, "%s.%016" PRIx64 ".part", path, number);
        int descriptor =
            open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, exists ? 0600 : 0666);
        if (descriptor >= 0 && exists && fchmod(descriptor, info.st_mode & 0777) != 0) {
            close(descriptor);
            unlink(temporary);
            return -1;
        }
        if (descriptor >= 0 || (errno != EEXIST && errno != EINTR))
            return descriptor;
    }
    return -1;
}

/* Some file systems cannot flush on demand, and say so. */
static bool flush_to_disk(FILE *file) {
    int result;
    do
        result = fflush(file) == 0 ? fsync(fileno(file)) : -1;
    while (result != 0 && errno == EINTR);
    return result == 0 || errno == EINVAL || errno == ENOTSUP || errno == EROFS;
}

static bool replace(const char *temporary, const char *path) {
    int result;
    do
        result = rename(temporary, path);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

int write_compact(const json_t *object, const char *path) {
    char temporary[4400];
    int descriptor = open_temporary(path, temporary, sizeof temporary);
    if (descriptor < 0)
        return -1;
    FILE *file = fdopen(descriptor, "w");
    bool done =
        file && write_object(file, object, 0) && fputc('\n', file) != EOF && flush_to_disk(file);
    int error = errno;
    if (file)
        fclose(file); /* all is on the disk: what it says no longer matters */
    else
        close(descriptor);
    if (done && replace(temporary, path))
        return 0;
    error = done ? errno : error;
    unlink(temporary);
    errno = error;
    return -1;
}
