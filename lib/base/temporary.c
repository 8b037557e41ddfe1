#include "base/temporary.h"
#include "base/again.h"
#include "base/entropy.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ".dlviz-", 16 digits, "-", 16 digits, ".tmp" */
enum { NAME_ATTEMPTS = 100, PREFIX_LENGTH = 24, NAME_LENGTH = PREFIX_LENGTH + 20 };

uint64_t dlz_name_hash(const char *name) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash;
}

static bool lock(int descriptor) {
    return DLZ_AGAIN(flock(descriptor, LOCK_EX | LOCK_NB)) == 0;
}

/* A file system without locks keeps what was left behind: nobody can tell whose it is. */
static void remove_if_abandoned(int folder, const char *name) {
    int descriptor =
        DLZ_AGAIN(openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (descriptor < 0)
        return;
    struct stat info;
    if (DLZ_AGAIN(fstat(descriptor, &info)) == 0 && S_ISREG(info.st_mode) && lock(descriptor))
        (void)DLZ_AGAIN(unlinkat(folder, name, 0));
    close(descriptor);
}

static void remove_abandoned(const char *folder, const char *prefix) {
    DIR *list = opendir(folder);
    if (!list)
        return;
    for (struct dirent *entry; (entry = readdir(list));) {
        const char *name = entry->d_name;
        if (strncmp(name, prefix, PREFIX_LENGTH) == 0 && strlen(name) == NAME_LENGTH &&
            strcmp(name + NAME_LENGTH - 4, ".tmp") == 0)
            remove_if_abandoned(dirfd(list), name);
    }
    closedir(list);
}

/* Between its making and its locking somebody else may have taken the file for abandoned. */
static bool keep(int descriptor) {
    struct stat info;
    if (!lock(descriptor))
        return errno != EWOULDBLOCK;
    /* Where nothing can be learned, the chance is against it. */
    return DLZ_AGAIN(fstat(descriptor, &info)) != 0 || info.st_nlink > 0;
}

dlviz_status dlz_temporary_create(const char *target, const char *path, mode_t mode, char **name,
                                  int *descriptor) {
    size_t folder = dlz_folder_length(target), size = folder + NAME_LENGTH + 1;
    *descriptor = -1;
    *name = dlz_alloc(size);
    if (!*name)
        return dlz_fail_memory("a file name", size);
    char *last = *name + folder;
    memcpy(*name, target, folder);
    *last = '\0';
    char prefix[PREFIX_LENGTH + 1];
    snprintf(prefix, sizeof prefix, ".dlviz-%016llx-",
             (unsigned long long)dlz_name_hash(target + folder));
    remove_abandoned(folder ? *name : ".", prefix);
    for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
        snprintf(last, NAME_LENGTH + 1, "%s%016llx.tmp", prefix, (unsigned long long)dlz_entropy());
        *descriptor = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (*descriptor >= 0) {
            if (keep(*descriptor))
                return DLVIZ_OK;
            close(*descriptor);
            *descriptor = -1;
            errno = EEXIST;
        }
        if (errno != EEXIST && errno != EINTR)
            break;
    }
    int error = errno;
    dlz_free(*name); /* it names nothing of ours */
    *name = NULL;
    return dlz_fail_io("cannot create a file beside", path, error);
}
