/* again.h - calls on files that a signal interrupts, as it can where a network or a program serves them. */
#ifndef RUN_AGAIN_H
#define RUN_AGAIN_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* Makes a call whose failure is -1 again for as long as it is interrupted. */
#define AGAIN(call)                                                                                \
    ({                                                                                             \
        __typeof__(call) again_result;                                                             \
        do                                                                                         \
            again_result = (call);                                                                 \
        while (again_result == -1 && errno == EINTR);                                              \
        again_result;                                                                              \
    })

/* Whether a call on a name failed because there is none of it. After any other failure one may be there. */
static inline bool is_missing(int error) {
    return error == ENOENT || error == ENOTDIR;
}

/* Into PATH_MAX bytes of one's own: a failure is then none of memory, which looks like a path that leads
 * nowhere. */
static inline char *realpath_again(const char *path, char *resolved) {
    char *found;
    do
        found = realpath(path, resolved);
    while (!found && errno == EINTR);
    return found;
}

#endif
