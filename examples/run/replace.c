#include "replace.h"
#include "again.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACCESS_LIST "system.posix_acl_access"

/* The temporary file's name: the other's, '.', as many hexadecimal digits, and this. */
enum { DIGITS = 16 };
static const char ending[] = ".part";

struct temporary {
    char target[PATH_MAX], path[PATH_MAX + DIGITS + sizeof ending + 1];
    int descriptor;
};

static bool lock(int descriptor) {
    return AGAIN(flock(descriptor, LOCK_EX | LOCK_NB)) == 0;
}

/* -- What runs that were killed have left --------------------------------------------------------
 */

static bool is_temporary(const char *name, const char *base) {
    size_t length = strlen(base);
    return strncmp(name, base, length) == 0 && name[length] == '.' &&
           strspn(name + length + 1, "0123456789abcdef") == DIGITS &&
           strcmp(name + length + 1 + DIGITS, ending) == 0;
}

/* Who still writes one holds its lock. */
static void remove_if_abandoned(int folder, const char *name) {
    struct stat info;
    int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int descriptor = AGAIN(openat(folder, name, flags));
    if (descriptor < 0)
        return;
    if (AGAIN(fstat(descriptor, &info)) == 0 && S_ISREG(info.st_mode) && lock(descriptor))
        (void)AGAIN(unlinkat(folder, name, 0));
    close(descriptor);
}

static void remove_abandoned(const char *target) {
    char folder[PATH_MAX];
    const char *slash = strrchr(target, '/'), *base = slash ? slash + 1 : target;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(base - target) : 1, slash ? target : ".");
    DIR *list = opendir(folder);
    if (!list)
        return;
    for (const struct dirent *entry; (entry = readdir(list));)
        if (is_temporary(entry->d_name, base))
            remove_if_abandoned(dirfd(list), entry->d_name);
    closedir(list);
}

/* -- The new file -------------------------------------------------------------------------------- */

/* What may be done with a file stays; a group that cannot be given may do no more than all others. */
static bool imitate(int descriptor, const char *target, const struct stat *old) {
    char list[4096];
    mode_t mode = old->st_mode & 07777;
    ssize_t size = AGAIN(getxattr(target, ACCESS_LIST, list, sizeof list));
    bool kept = AGAIN(fchown(descriptor, (uid_t)-1, old->st_gid)) == 0;
    if (AGAIN(fchown(descriptor, old->st_uid, (gid_t)-1)) != 0)
        mode &= ~(mode_t)(S_ISUID | S_ISGID);
    (void)AGAIN(fremovexattr(descriptor, ACCESS_LIST)); /* one of the folder's may have come in */
    if (kept && size > 0)
        kept = AGAIN(fsetxattr(descriptor, ACCESS_LIST, list, (size_t)size, 0)) == 0;
    if (!kept)
        mode = (mode & ~(mode_t)(S_IRWXG | S_ISUID | S_ISGID)) | (mode & mode << 3 & S_IRWXG);
    return AGAIN(fchmod(descriptor, mode)) == 0;
}

/* A name that nobody can foresee, so that nothing can have been put there. */
static int open_new(struct temporary *file, mode_t mode) {
    for (int attempt = 0; attempt < 100; attempt++) {
        uint64_t number = 0;
        if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
            continue;
        snprintf(file->path, sizeof file->path, "%s.%016" PRIx64 "%s", file->target, number,
                 ending);
        int descriptor = AGAIN(open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
        if (descriptor >= 0 || errno != EEXIST)
            return descriptor;
    }
    return -1;
}

static int open_temporary(struct temporary *file, const char *path) {
    struct stat old;
    if (!realpath_again(path, file->target)) {
        if (errno != ENOENT)
            return -1;
        snprintf(file->target, sizeof file->target, "%s", path);
    }
    bool exists = AGAIN(stat(file->target, &old)) == 0;
    if (!exists && errno != ENOENT)
        return -1;
    remove_abandoned(file->target);
    file->descriptor = open_new(file, exists ? 0600 : 0666);
    if (file->descriptor < 0)
        return -1;
    (void)lock(file->descriptor); /* without locks nobody takes it for abandoned either */
    return !exists || imitate(file->descriptor, file->target, &old) ? 0 : -1;
}

static bool write_bytes(int descriptor, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t written = AGAIN(write(descriptor, bytes, size));
        if (written <= 0) {
            errno = written < 0 ? errno : EIO;
            return false;
        }
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

/* Some file systems cannot flush on demand, and say so. */
static bool flush_to_disk(int descriptor) {
    return AGAIN(fsync(descriptor)) == 0 || errno == EINVAL || errno == ENOTSUP || errno == EROFS;
}

int replace_file(const char *path, const void *bytes, size_t size) {
    struct temporary file = {.descriptor = -1};
    bool done = open_temporary(&file, path) == 0 && write_bytes(file.descriptor, bytes, size) &&
                flush_to_disk(file.descriptor) && AGAIN(rename(file.path, file.target)) == 0;
    int error = errno;
    if (!done && file.descriptor >= 0)
        (void)AGAIN(unlink(file.path));
    if (file.descriptor >= 0)
        close(file.descriptor); /* all is on the disk: what it says no longer matters */
    errno = error;
    return done ? 0 : -1;
}
