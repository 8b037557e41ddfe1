/* A checkpoint takes the place of an earlier one: a good one exists at every moment. */
#include "base/again.h"
#include "base/base.h"
#include "base/file.h"
#include "base/temporary.h"
#include "tensor/safetensors.h"
#include "train/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static dlviz_status find_file(const char *path, bool *found) {
    struct stat info;
    int result = DLZ_AGAIN(stat(path, &info));
    *found = result == 0 && S_ISREG(info.st_mode);
    return result == 0 || errno == ENOENT || errno == ENOTDIR
               ? DLVIZ_OK
               : dlz_fail_io("cannot read", path, errno);
}

/* Whether a file is whole, undamaged and of the present format. One that cannot be read is none: else a
 * bad block of the disk would be in the way of all checkpoints to come. */
static dlviz_status find_checkpoint(const char *path, bool *found) {
    dlviz_safetensors *set = NULL;
    dlviz_status status = find_file(path, found);
    if (status != DLVIZ_OK || !*found)
        return status;
    *found = false;
    dlz_failure before;
    dlz_failure_keep(&before);
    status = dlviz_safetensors_open(&set, path);
    if (status == DLVIZ_ERROR_OUT_OF_MEMORY)
        return status;
    if (status != DLVIZ_OK) {
        dlz_failure_put_back(&before);
        return DLVIZ_OK;
    }
    const char *format = dlviz_safetensors_metadata(set, "format");
    *found = format && strcmp(format, DLZ_CHECKPOINT_FORMAT) == 0;
    dlviz_safetensors_destroy(set);
    return DLVIZ_OK;
}

/* Gives the present file a second name. *moved: the file system knows no second names, so that it has
 * lost its first. What it cannot keep is said, and no reason not to write a new one. */
static dlviz_status move_to(const char *path, const char *previous, bool *moved) {
    /* A file that came to harm does not replace one that is good. */
    bool good, good_before = false;
    DLZ_TRY(find_checkpoint(path, &good));
    if (!good)
        DLZ_TRY(find_checkpoint(previous, &good_before));
    if (good_before)
        return DLVIZ_OK;
    if (DLZ_AGAIN(unlink(previous)) != 0 && errno != ENOENT)
        return dlz_fail_io("cannot replace", previous, errno);
    if (DLZ_AGAIN(linkat(AT_FDCWD, path, AT_FDCWD, previous, AT_SYMLINK_FOLLOW)) == 0)
        return DLVIZ_OK;
    /* What a symbolic link leads to is what will be replaced, so the link itself must stay. */
    struct stat info;
    bool link = DLZ_AGAIN(lstat(path, &info)) == 0 && S_ISLNK(info.st_mode);
    if (!link && dlz_rename(path, previous) == 0)
        *moved = true;
    else
        dlz_log(DLVIZ_LOG_LEVEL_WARNING, "the checkpoint before the one in '%s' is not kept: %m",
                path);
    return DLVIZ_OK;
}

/* PATH.previous; of a name that would become too long with that, the first part and a hash of the
 * whole. */
char *dlz_checkpoint_previous(const char *path) {
    enum { SUFFIX = 9, HASH = 17 };
    size_t folder = dlz_folder_length(path), length = strlen(path + folder);
    if (length + SUFFIX <= NAME_MAX)
        return dlz_format("%s.previous", path);
    size_t kept = NAME_MAX - SUFFIX - HASH;
    while (kept > 0 && ((unsigned char)path[folder + kept] & 0xC0) == 0x80)
        kept--; /* no half of a UTF-8 character */
    return dlz_format("%.*s~%016llx.previous", (int)(folder + kept), path,
                      (unsigned long long)dlz_name_hash(path + folder));
}

dlviz_status dlz_checkpoint_mention_previous(dlviz_status status, const char *path) {
    bool found = false;
    char *previous = dlz_checkpoint_previous(path);
    dlz_failure failure;
    dlz_failure_keep(&failure);
    if (previous && find_checkpoint(previous, &found) != DLVIZ_OK)
        dlz_failure_put_back(&failure);
    if (found)
        status = dlz_fail(status, "%s; the checkpoint before it is whole: '%s'", failure.sentence,
                          previous);
    else
        dlz_failure_put_back(&failure);
    dlz_free(previous);
    return status;
}

static dlviz_status keep_previous(const char *path, bool *moved) {
    bool found;
    DLZ_TRY(find_file(path, &found));
    if (!found)
        return DLVIZ_OK;
    char *previous = dlz_checkpoint_previous(path);
    if (!previous)
        return dlz_fail_memory("a file name", strlen(path));
    dlviz_status status = move_to(path, previous, moved);
    dlz_free(previous);
    return status;
}

/* The new one could not take its place. */
static void move_back(const char *path) {
    char *previous = dlz_checkpoint_previous(path);
    if (!previous || dlz_rename(previous, path) != 0)
        dlz_log(DLVIZ_LOG_LEVEL_WARNING,
                "the checkpoint that was '%s' is called so with '.previous'", path);
    dlz_free(previous);
}

/* The new file is on the disk before the old one is touched. Without hard links there is a moment with
 * the earlier one alone, under its second name, which those who load look for. */
dlviz_status dlz_checkpoint_write(const dlviz_safetensors *set, const char *path) {
    bool moved = false;
    dlz_file *file;
    DLZ_TRY(dlz_safetensors_prepare(set, path, &file));
    dlviz_status status = keep_previous(path, &moved);
    if (status != DLVIZ_OK) {
        dlz_file_discard(file);
        return status;
    }
    status = dlz_file_commit(file);
    if (status != DLVIZ_OK && moved)
        move_back(path);
    return status;
}
