/* Files that are read and written: what is wrong with them is better said before the work. */
#include "embed.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *program;

static void refuse(const char *path, const char *why) {
    fprintf(stderr, "%s: cannot write '%s': %s\n", program, path, why);
    exit(EXIT_FAILED);
}

/* The folder of a path, or its last part; to be freed. */
static char *part(const char *path, char *(*split)(char *)) {
    char *copy = strdup(path), *found = copy ? strdup(split(copy)) : NULL;
    free(copy);
    if (!found) {
        fprintf(stderr, "%s: out of memory\n", program);
        exit(EXIT_FAILED);
    }
    return found;
}

static void check_folder(const char *path, const char *target) {
    char *folder = part(target, dirname);
    bool writable = access(folder, W_OK | X_OK) == 0;
    int error = errno;
    free(folder);
    if (!writable)
        refuse(path, strerror(error));
}

/* A link is followed: what it points to is replaced. */
static void check_output(const char *path) {
    size_t length = strlen(path);
    struct stat info;
    if (length == 0 || path[length - 1] == '/')
        refuse(path, "that names no file");
    bool exists = lstat(path, &info) == 0;
    if (!exists && errno != ENOENT)
        refuse(path, strerror(errno));
    if (!exists) {
        check_folder(path, path);
        return;
    }
    char *target = realpath(path, NULL);
    if (!target || stat(target, &info) != 0)
        refuse(path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        refuse(path, S_ISDIR(info.st_mode) ? "it is a folder"
                                           : "it is a device, socket or FIFO, not a regular file");
    if (access(target, W_OK) != 0)
        refuse(path, strerror(errno));
    check_folder(path, target);
    free(target);
}

/* Two names of one file, by links too, or of a file that neither has made yet. */
static bool are_one_file(const char *a, const char *b) {
    struct stat of_a, of_b;
    bool a_exists = stat(a, &of_a) == 0, b_exists = stat(b, &of_b) == 0;
    if (a_exists || b_exists)
        return a_exists && b_exists && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
    char *folder_a = part(a, dirname), *folder_b = part(b, dirname);
    char *name_a = part(a, basename), *name_b = part(b, basename);
    bool one = strcmp(name_a, name_b) == 0 && stat(folder_a, &of_a) == 0 &&
               stat(folder_b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
               of_a.st_ino == of_b.st_ino;
    free(folder_a);
    free(folder_b);
    free(name_a);
    free(name_b);
    return one;
}

/* A file may be read for two purposes, but a pipe gives what it has once. */
static bool can_be_read_twice(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

void check_paths(const char *name, const struct path *files, int count) {
    program = name;
    for (int i = 0; i < count; i++)
        if (files[i].path && files[i].written)
            check_output(files[i].path);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++) {
            if (!files[i].path || !files[j].path || !are_one_file(files[i].path, files[j].path))
                continue;
            if (!files[i].written && !files[j].written && can_be_read_twice(files[i].path))
                continue;
            fprintf(stderr, "%s: %s and %s are one file, '%s': two are needed\n", program,
                    files[j].role, files[i].role, files[i].path);
            exit(EXIT_USAGE);
        }
}
