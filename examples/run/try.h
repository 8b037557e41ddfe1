/* try.h - leaves a function at the first call that fails. */
#ifndef RUN_TRY_H
#define RUN_TRY_H

#define TRY(call)                                                                                  \
    do {                                                                                           \
        dlviz_status try_status = (call);                                                          \
        if (try_status != DLVIZ_OK)                                                                \
            return try_status;                                                                     \
    } while (0)

#endif
