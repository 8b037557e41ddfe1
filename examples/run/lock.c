#include "lock.h"
#include "again.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Who holds a lock, only Linux's list of all says. Where a file system has other numbers there than stat
 * tells, nobody is found, which is no harm. */
static long owner_of(int descriptor) {
    struct stat info;
    FILE *list = fopen("/proc/locks", "re");
    long owner = 0, process;
    unsigned major_number, minor_number;
    unsigned long long node;
    char line[256];
    if (list && fstat(descriptor, &info) == 0)
        while (owner == 0 && fgets(line, sizeof line, list))
            if (sscanf(line, "%*d: FLOCK %*s WRITE %ld %x:%x:%llu", &process, &major_number,
                       &minor_number, &node) == 4 &&
                node == info.st_ino && makedev(major_number, minor_number) == info.st_dev &&
                process > 0)
                owner = process;
    if (list)
        fclose(list);
    return owner;
}

bool lock_folder(const char *folder, int *lock, long *owner) {
    *owner = 0;
    *lock = AGAIN(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (*lock < 0 || AGAIN(flock(*lock, LOCK_EX | LOCK_NB)) == 0)
        return true;
    bool taken = errno == EWOULDBLOCK;
    if (taken)
        *owner = owner_of(*lock);
    close(*lock);
    *lock = -1;
    return !taken;
}

void unlock_folder(int lock) {
    if (lock >= 0)
        close(lock);
}
