/* base/again.h - system calls that a signal has interrupted. */
#ifndef DLZ_BASE_AGAIN_H
#define DLZ_BASE_AGAIN_H

#include <errno.h>

/* Makes a call on a file, whose failure is -1, again for as long as a signal interrupts it. On a local
 * disk hardly any can be; on a network's, or one that a program serves, all of them. Not for close, after
 * which a descriptor may be another file's. */
#define DLZ_AGAIN(call)                                                                            \
    ({                                                                                             \
        __typeof__(call) again_result;                                                             \
        do                                                                                         \
            again_result = (call);                                                                 \
        while (again_result == -1 && errno == EINTR);                                              \
        again_result;                                                                              \
    })

#endif
