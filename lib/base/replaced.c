#include "base/replaced.h"
#include "base/again.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACCESS_LIST "system.posix_acl_access"

enum { MOST_LINKS = 40 };

/* -- Where it is ---------------------------------------------------------------------------------
 */

static dlviz_status look_at_folder(const char *path, struct stat *info) {
    char *folder = dlz_strdup(path);
    if (!folder)
        return dlz_fail_memory("a file name", strlen(path) + 1);
    size_t length = dlz_folder_length(folder);
    folder[length] = '\0';
    int result = DLZ_AGAIN(stat(length ? folder : ".", info)), error = errno;
    dlz_free(folder);
    return result == 0 ? DLVIZ_OK : dlz_fail_io("cannot write", path, error);
}

/* Replaces *at, a link, by what it says. */
static dlviz_status follow(const char *path, char **at) {
    char text[PATH_MAX];
    ssize_t length = DLZ_AGAIN(readlink(*at, text, sizeof text - 1));
    if (length < 0)
        return dlz_fail_io("cannot write through the link", path, errno);
    text[length] = '\0';
    int folder = text[0] == '/' ? 0 : (int)dlz_folder_length(*at);
    char *next = dlz_format("%.*s%s", folder, *at, text);
    if (!next)
        return dlz_fail_memory("a file name", (uint64_t)length + 1);
    dlz_free(*at);
    *at = next;
    return DLVIZ_OK;
}

/* Whoever owns a folder could as well replace anything in it. */
static dlviz_status check_owner(const char *path, const char *at, const struct stat *info) {
    struct stat folder;
    if (info->st_uid == geteuid() || info->st_uid == 0)
        return DLVIZ_OK;
    DLZ_TRY(look_at_folder(at, &folder));
    bool link = S_ISLNK(info->st_mode);
    /* As with the kernel's protected_regular: in a folder such as /tmp, a file that is there already. */
    bool shared = link || ((folder.st_mode & S_ISVTX) && (folder.st_mode & S_IWOTH));
    if (!shared || info->st_uid == folder.st_uid)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_IO,
                    "cannot write '%s': %s of another user (%u), who is not the owner of the "
                    "folder; another name or folder is accepted",
                    path, link ? "it is a symbolic link" : "it is a file", (unsigned)info->st_uid);
}

/* The last name may be that of a folder, as after a link to "folder/". */
static dlviz_status check_kind(const char *path, const char *at, const struct stat *info) {
    if (!S_ISREG(info->st_mode))
        return dlz_fail(DLVIZ_ERROR_IO, "cannot write '%s': it is %s; a regular file is accepted",
                        path, S_ISDIR(info->st_mode) ? "a folder" : "a device, socket or FIFO");
    /* As the user that the process acts for, who need not be the one who started it. */
    return DLZ_AGAIN(faccessat(AT_FDCWD, at, W_OK, AT_EACCESS)) == 0
               ? DLVIZ_OK
               : dlz_fail_io("cannot write", path, errno);
}

/* Links such as /dev/stdout may lead to a pipe, and what they say is no path then. */
static bool leads_elsewhere(const char *at, struct stat *info) {
    struct stat behind;
    if (DLZ_AGAIN(stat(at, &behind)) != 0 || S_ISREG(behind.st_mode) || S_ISDIR(behind.st_mode))
        return false;
    *info = behind;
    return true;
}

static dlviz_status find(const char *path, char **at, struct stat *info, bool *exists) {
    bool linked = false;
    for (int links = 0; links <= MOST_LINKS; links++) {
        *exists = DLZ_AGAIN(lstat(*at, info)) == 0;
        if (!*exists && (errno != ENOENT || linked))
            return dlz_fail_io(linked ? "cannot write through the link" : "cannot write", path,
                               errno);
        if (!*exists)
            return DLVIZ_OK;
        DLZ_TRY(check_owner(path, *at, info));
        if (!S_ISLNK(info->st_mode) || leads_elsewhere(*at, info))
            return check_kind(path, *at, info);
        DLZ_TRY(follow(path, at));
        linked = true;
    }
    return dlz_fail_io("cannot write through the link", path, ELOOP);
}

/* A file system, or a system, without such lists is one in which nobody can have been given more. */
static bool has_no_list(int error) {
    return error == ENODATA || error == ENOTSUP || error == ENOSYS;
}

static dlviz_status read_list(const char *path, const char *at, dlz_replaced *replaced) {
    replaced->list_size =
        DLZ_AGAIN(getxattr(at, ACCESS_LIST, replaced->list, sizeof replaced->list));
    if (replaced->list_size < 0 && errno == ERANGE)
        return dlz_fail(DLVIZ_ERROR_IO,
                        "cannot replace '%s': its access list has more than %d bytes", path,
                        DLZ_ACCESS_LIST_SIZE);
    if (replaced->list_size < 0 && has_no_list(errno))
        replaced->list_size = 0;
    return DLVIZ_OK;
}

dlviz_status dlz_replaced_find(const char *path, char **target, dlz_replaced *replaced) {
    struct stat info;
    replaced->exists = false;
    *target = dlz_strdup(path);
    if (!*target)
        return dlz_fail_memory("a file name", strlen(path) + 1);
    DLZ_TRY(find(path, target, &info, &replaced->exists));
    if (!replaced->exists)
        return DLVIZ_OK;
    replaced->mode = info.st_mode & 07777;
    replaced->owner = info.st_uid;
    replaced->group = info.st_gid;
    return read_list(path, *target, replaced);
}

/* -- What stays ----------------------------------------------------------------------------------
 */

/* The file's group is not the one it was given to: that one's members are among all others now, and who
 * was among those may be in the new one. So each may do what both might. */
static mode_t without_group(mode_t mode) {
    mode_t both = mode & mode >> 3 & S_IRWXO;
    return (mode & ~(mode_t)(S_IRWXG | S_IRWXO | S_ISUID | S_ISGID)) | both << 3 | both;
}

/* What everybody may do whom a list names, or leaves to all others: nothing, where nobody knows what it
 * says. Entries of a tag, of what is allowed and of whom stand behind a version. */
static mode_t least_of(const dlz_replaced *replaced) {
    enum { VERSION = 4, ENTRY = 8, OWNER = 1, MASK = 16 };
    const unsigned char *list = (const unsigned char *)replaced->list;
    mode_t least = replaced->list_size < 0 ? 0 : S_IRWXO;
    for (ssize_t at = VERSION; at + ENTRY <= replaced->list_size; at += ENTRY)
        if (list[at] != OWNER && list[at] != MASK)
            least &= list[at + 2];
    return least;
}

/* The group's permissions were the most that the list gave to anybody. */
static mode_t without_list(const dlz_replaced *replaced, mode_t mode) {
    return without_group(mode & (~(mode_t)S_IRWXO | least_of(replaced)));
}

dlviz_status dlz_replaced_imitate(const dlz_replaced *replaced, const char *path, int descriptor) {
    mode_t mode = replaced->mode;
    if (!replaced->exists)
        return DLVIZ_OK;
    bool kept = DLZ_AGAIN(fchown(descriptor, (uid_t)-1, replaced->group)) == 0;
    if (DLZ_AGAIN(fchown(descriptor, replaced->owner, (gid_t)-1)) != 0)
        mode &= ~(mode_t)(S_ISUID | S_ISGID);
    if (!kept)
        mode = without_group(mode);
    /* A list of the folder's may have come in, and the mode would be the most that it allows. */
    bool alone = DLZ_AGAIN(fremovexattr(descriptor, ACCESS_LIST)) == 0 || has_no_list(errno);
    size_t size = replaced->list_size > 0 ? (size_t)replaced->list_size : 0;
    if (size > 0 && kept)
        alone = DLZ_AGAIN(fsetxattr(descriptor, ACCESS_LIST, replaced->list, size, 0)) == 0;
    if (!alone || replaced->list_size < 0 || (size > 0 && !kept))
        mode = without_list(replaced, mode);
    return DLZ_AGAIN(fchmod(descriptor, mode)) == 0
               ? DLVIZ_OK
               : dlz_fail_io("cannot set the permissions of", path, errno);
}
