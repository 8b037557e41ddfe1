/* linalg/lapack_end.h - threads that are in LAPACK while the program ends.
 *
 * OpenBLAS takes its tables of functions away when exit() comes to its destructor, and a thread that is
 * in one of its routines then crashes the program that was about to end well. So exit() waits for such
 * threads, which is never long, and lets none in any more: they wait for the end. */
#ifndef DLZ_LAPACK_END_H
#define DLZ_LAPACK_END_H

#include <stdbool.h>

/* Whether dlz_lapack_leave must follow: not so for the thread that ends the program, whose other
 * handlers may go on using the library. */
bool dlz_lapack_enter(void);
void dlz_lapack_leave(void);

static inline void dlz_lapack_leave_if(const bool *entered) {
    if (*entered)
        dlz_lapack_leave();
}

/* To the end of the block, on the thread that made the call; the workers of its tiles need none. */
#define DLZ_IN_LAPACK                                                                              \
    bool dlz_in_lapack_ __attribute__((unused, cleanup(dlz_lapack_leave_if))) = dlz_lapack_enter()

#endif
