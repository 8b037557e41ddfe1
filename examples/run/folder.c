#include "folder.h"
#include "again.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const char *const of_training[] = {"checkpoint.safetensors",
                                          "checkpoint.safetensors.previous", "film.safetensors",
                                          "settings.json"};
static const char *const results[] = {
    "report.html",  "summary.json",  "history.csv",   "model.safetensors", "network.json",
    "features.npy", "logits.npy",    "labels.npy",    "pca.npy",           "tsne.npy",
    "training.png", "training.svg",  "pca.png",       "pca.svg",           "tsne.png",
    "tsne.svg",     "confusion.png", "confusion.svg", "filters.png",       "filters.svg"};

const char *result_path(const char *folder, const char *name) {
    static char paths[4][4352];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

int make_folder(const char *path) {
    char partial[4096];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof partial) {
        errno = length == 0 ? ENOENT : ENAMETOOLONG;
        return -1;
    }
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(partial, path, i);
        partial[i] = '\0';
        if (AGAIN(mkdir(partial, 0777)) != 0 && errno != EEXIST)
            return -1;
    }
    struct stat info;
    if (AGAIN(stat(path, &info)) == 0 && !S_ISDIR(info.st_mode)) {
        errno = ENOTDIR;
        return -1;
    }
    return AGAIN(access(path, W_OK | X_OK));
}

/* Whether it can be written to, or made, as far as can be told without making it. */
static bool can_be(const char *folder) {
    struct stat info;
    if (AGAIN(stat(folder, &info)) != 0)
        return errno == ENOENT;
    if (S_ISDIR(info.st_mode))
        return AGAIN(access(folder, W_OK | X_OK)) == 0;
    errno = ENOTDIR;
    return false;
}

/* Adds a name that is there; false if it is no file that could be replaced. */
static bool note(const char *folder, const char *name, int *count, char text[256]) {
    struct stat info;
    const char *path = result_path(folder, name);
    if (AGAIN(stat(path, &info)) != 0) {
        int error = errno;
        if (error == ENOENT || error == ELOOP) {
            bool link = AGAIN(lstat(path, &info)) == 0;
            if (!link && errno == ENOENT)
                return true;
            error = link ? 0 : errno;
        }
        if (error == 0)
            snprintf(text, 256, "'%.200s' is a link that leads nowhere", path);
        else
            snprintf(text, 256, "cannot look at '%.150s': %s", path, strerror(error));
        return false;
    }
    if (!S_ISREG(info.st_mode)) {
        snprintf(text, 256, "'%.200s' is %s", path,
                 S_ISDIR(info.st_mode) ? "a folder" : "no regular file");
        return false;
    }
    size_t length = strlen(text);
    if ((*count)++ < 2)
        snprintf(text + length, 256 - length, "%s%s", *count == 1 ? "" : ", ", name);
    return true;
}

enum folder_state look_into_folder(const char *folder, char text[256]) {
    int count = 0;
    if (!can_be(folder)) {
        snprintf(text, 256, "cannot write to the folder '%.160s': %s", folder, strerror(errno));
        return FOLDER_BLOCKED;
    }
    text[0] = '\0';
    for (size_t i = 0; i < COUNT(results); i++)
        if (!note(folder, results[i], &count, text))
            return FOLDER_BLOCKED;
    for (size_t i = 0; i < COUNT(of_training); i++)
        if (!note(folder, of_training[i], &count, text))
            return FOLDER_BLOCKED;
    size_t length = strlen(text);
    if (count > 2)
        snprintf(text + length, 256 - length, " and %d other%s", count - 2, count == 3 ? "" : "s");
    return count > 0 ? FOLDER_HAS_RESULTS : FOLDER_FREE;
}

static bool has_file(const char *folder, const char *name) {
    return AGAIN(access(result_path(folder, name), F_OK)) == 0;
}

bool has_checkpoint(const char *folder) {
    return has_file(folder, "checkpoint.safetensors") ||
           has_file(folder, "checkpoint.safetensors.previous");
}

bool has_finished(const char *folder) {
    return has_file(folder, "summary.json"); /* which is written last */
}

const char *remove_checkpoint(const char *folder) {
    const char *left = NULL;
    int error = 0;
    for (size_t i = 0; i < COUNT(of_training); i++)
        if (AGAIN(unlink(result_path(folder, of_training[i]))) != 0 && errno != ENOENT && !left) {
            left = of_training[i];
            error = errno;
        }
    errno = error;
    return left;
}

void remove_results(const char *folder) {
    for (size_t i = 0; i < COUNT(results); i++)
        (void)AGAIN(unlink(result_path(folder, results[i])));
}
