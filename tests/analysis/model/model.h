/* analysis/model/model.h - what static analyzers cannot see across files. Each file here is of one header of lib/,
 * and is included before those files that call its functions, but for those that define one of them. */
#ifndef DLZ_MODEL_H
#define DLZ_MODEL_H

#include <dlviz/status.h>

/* `call` fails. */
#define DLZ_MODEL_FAILED(call)                                                                     \
    ({                                                                                             \
        dlviz_status failed_ = call;                                                               \
        if (failed_ == DLVIZ_OK)                                                                   \
            __builtin_unreachable();                                                               \
        failed_;                                                                                   \
    })

/* `call`, which is given a status as `own_`, fails where that is a failure. */
#define DLZ_MODEL_AGREED(own, call)                                                                \
    ({                                                                                             \
        dlviz_status own_ = (own), agreed_ = call;                                                 \
        if (own_ != DLVIZ_OK && agreed_ == DLVIZ_OK)                                               \
            __builtin_unreachable();                                                               \
        agreed_;                                                                                   \
    })

/* `call` fails where a pointer is NULL. */
#define DLZ_MODEL_REQUIRED(pointer, call)                                                          \
    ({                                                                                             \
        dlviz_status required_ = call;                                                             \
        if (required_ == DLVIZ_OK && (pointer) == NULL)                                            \
            __builtin_unreachable();                                                               \
        required_;                                                                                 \
    })

#endif
