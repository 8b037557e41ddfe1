/* Files that are read and written: what is wrong with them is better said before the work. */
#include "../run/again.h"
#include "../run/try.h"
#include "embed.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static dlviz_status refuse(const char *path, const char *why) {
    return dlviz_fail(DLVIZ_ERROR_IO, "cannot write '%s': %s", path, why);
}

/* The folder of a path, or its last part. */
struct part {
    char text[PATH_MAX];
};
static struct part part(const char *path, char *(*split)(char *)) {
    struct part copy, found;
    snprintf(copy.text, sizeof copy.text, "%s", path);
    snprintf(found.text, sizeof found.text, "%s", split(copy.text));
    return found;
}

static dlviz_status check_folder(const char *path, const char *target) {
    struct part folder = part(target, dirname);
    return AGAIN(access(folder.text, W_OK | X_OK)) == 0 ? DLVIZ_OK : refuse(path, strerror(errno));
}

/* A link is followed: what it points to is replaced. */
static dlviz_status check_output(const char *path) {
    char target[PATH_MAX];
    size_t length = strlen(path);
    struct stat info;
    if (length == 0 || path[length - 1] == '/')
        return refuse(path, "that names no file");
    bool exists = AGAIN(lstat(path, &info)) == 0;
    if (!exists && errno != ENOENT)
        return refuse(path, strerror(errno));
    if (!exists)
        return check_folder(path, path);
    /* Where /dev/stdout is a pipe, it leads to no name. */
    if (AGAIN(stat(path, &info)) != 0)
        return refuse(path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return refuse(path, S_ISDIR(info.st_mode)
                                ? "it is a folder"
                                : "it is a device, socket or FIFO; a regular file is accepted");
    if (!realpath_again(path, target))
        return refuse(path, strerror(errno));
    return AGAIN(access(target, W_OK)) == 0 ? check_folder(path, target)
                                            : refuse(path, strerror(errno));
}

/* Two names of one file, by links too, or of a file that neither has made yet. */
static bool are_one_file(const char *a, const char *b) {
    struct stat of_a, of_b;
    bool a_exists = AGAIN(stat(a, &of_a)) == 0, b_exists = AGAIN(stat(b, &of_b)) == 0;
    if (a_exists || b_exists)
        return a_exists && b_exists && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
    struct part folder_a = part(a, dirname), folder_b = part(b, dirname);
    struct part name_a = part(a, basename), name_b = part(b, basename);
    return strcmp(name_a.text, name_b.text) == 0 && AGAIN(stat(folder_a.text, &of_a)) == 0 &&
           AGAIN(stat(folder_b.text, &of_b)) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

/* A file may be read for two purposes, but a pipe gives what it has once. */
static bool can_be_read_twice(const char *path) {
    struct stat info;
    return AGAIN(stat(path, &info)) == 0 && S_ISREG(info.st_mode);
}

dlviz_status check_paths(const struct path *files, int count) {
    for (int i = 0; i < count; i++)
        if (files[i].path && files[i].written)
            TRY(check_output(files[i].path));
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++) {
            if (!files[i].path || !files[j].path || !are_one_file(files[i].path, files[j].path))
                continue;
            if (!files[i].written && !files[j].written && can_be_read_twice(files[i].path))
                continue;
            return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                              "%s and %s are one file, '%s': two are needed", files[j].role,
                              files[i].role, files[i].path);
        }
    return DLVIZ_OK;
}
