#include "folder.h"
#include "again.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const char *const checkpoints[] = {"checkpoint.safetensors",
                                          "checkpoint.safetensors.previous"};
/* What is written before the first checkpoint, in the reverse order: nobody misses a film without
 * one where the settings are there. Without these, it is somebody's own. */
static const char *const before_checkpoints[] = {"film.safetensors", "settings.json"};
/* The last of them are there once the training is over, the others follow. The first tells that a run is
 * finished, and goes first. */
enum { OF_TRAINING = 3 };
static const char *const results[] = {
    "summary.json", "report.html", "features.npy", "logits.npy",   "labels.npy",
    "pca.npy",      "tsne.npy",    "history.csv",  "network.json", "model.safetensors"};
static const char *const figures[] = {"training.png",  "training.svg", "pca.png",     "pca.svg",
                                      "tsne.png",      "tsne.svg",     "filters.png", "filters.svg",
                                      "confusion.png", "confusion.svg"};

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

static bool note_all(const char *folder, const char *const *names, size_t number, int *count,
                     char text[256]) {
    for (size_t i = 0; i < number; i++)
        if (!note(folder, names[i], count, text))
            return false;
    return true;
}

enum folder_state look_into_folder(const char *folder, char text[256]) {
    int count = 0;
    if (!can_be(folder)) {
        snprintf(text, 256, "cannot write to the folder '%.160s': %s", folder, strerror(errno));
        return FOLDER_BLOCKED;
    }
    text[0] = '\0';
    if (!note_all(folder, results, COUNT(results), &count, text) ||
        !note_all(folder, figures, COUNT(figures), &count, text) ||
        !note_all(folder, checkpoints, COUNT(checkpoints), &count, text))
        return FOLDER_BLOCKED;
    bool free = count == 0;
    if (!note_all(folder, before_checkpoints, COUNT(before_checkpoints), &count, text))
        return FOLDER_BLOCKED;
    if (free && (count == 0 || has_settings(folder)))
        return FOLDER_FREE;
    size_t length = strlen(text);
    if (count > 2)
        snprintf(text + length, 256 - length, " and %d other%s", count - 2, count == 3 ? "" : "s");
    return FOLDER_HAS_RESULTS;
}

/* What cannot be looked at is not taken for lost: opening it says what is wrong. */
static bool has_file(const char *folder, const char *name) {
    return AGAIN(access(result_path(folder, name), F_OK)) == 0 || !is_missing(errno);
}

bool has_checkpoint(const char *folder) {
    return has_file(folder, checkpoints[0]) || has_file(folder, checkpoints[1]);
}

bool has_finished(const char *folder) {
    return has_file(folder, "summary.json"); /* which is written last */
}

/* The name of the first that stays, with errno set, or NULL. */
static const char *remove_all(const char *folder, const char *const *names, size_t number) {
    const char *left = NULL;
    int error = 0;
    for (size_t i = 0; i < number; i++)
        if (AGAIN(unlink(result_path(folder, names[i]))) != 0 && errno != ENOENT && !left) {
            left = names[i];
            error = errno;
        }
    errno = error;
    return left;
}

const char *remove_checkpoint(const char *folder) {
    const char *left = remove_all(folder, checkpoints, COUNT(checkpoints));
    int error = errno;
    const char *other = remove_all(folder, before_checkpoints, COUNT(before_checkpoints));
    if (left)
        errno = error;
    return left ? left : other;
}

void remove_figures(const char *folder) {
    (void)remove_all(folder, figures, COUNT(figures));
}

void remove_what_follows_training(const char *folder) {
    (void)remove_all(folder, results, COUNT(results) - OF_TRAINING);
    remove_figures(folder);
}

void remove_results(const char *folder) {
    (void)remove_all(folder, results, COUNT(results));
    remove_figures(folder);
}
