/* base/busy.h - a mark on a handle that is in use, so that a second thread is refused, not wrong.
 *
 * A handle holds a dlz_busy, all zero at first. Each public function that returns a status and
 * touches what another thread's call may be working on takes the mark, after its checks for NULL:
 *
 *     DLZ_REQUIRE(pca);
 *     DLZ_HOLD_ALONE(&pca->busy, "PCA");
 *
 * and holds it to the end of the block, whichever way that is left. Otherwise the function returns
 * DLVIZ_ERROR_STATE, with a sentence, before it has changed anything. There are three ways to ask:
 *
 * - DLZ_HOLD_ALONE: for what changes the handle. Nobody else may hold it, nor may this thread
 *   already, as it does in its own callback.
 * - DLZ_HOLD_NESTED: as DLZ_HOLD_ALONE, but granted to the thread that holds the mark alone: for
 *   what a callback may change, and for public functions that serve others.
 * - DLZ_HOLD_SHARED: for what reads only. Any number of threads at once, also within a call of the
 *   same thread that holds the mark alone.
 *
 * Getters that return no status take no mark, and so are never refused in a callback. A mark costs
 * one atomic exchange to take and one to give back. A thread that holds one is not cancelled. */
#ifndef DLZ_BUSY_H
#define DLZ_BUSY_H

#include "base/base.h"
#include "base/cancel.h"

#include <stdatomic.h>

typedef struct dlz_busy {
    atomic_int users;       /* -1: one that holds it alone; else how many share it */
    atomic_uintptr_t owner; /* the thread that holds it alone; 0 for none */
} dlz_busy;

/* What is held: NULL where a call of the same thread holds the mark already. */
typedef struct dlz_hold {
    dlz_busy *busy;
} dlz_hold;

typedef enum dlz_hold_mode { DLZ_ALONE, DLZ_NESTED, DLZ_SHARED } dlz_hold_mode;

/* `what` names the handle in the sentence: "the <what> is in use by another thread". */
dlviz_status dlz_busy_take(const char *who, const dlz_busy *busy, const char *what,
                           dlz_hold_mode mode, dlz_hold *hold);
/* Whether this thread holds it alone. */
bool dlz_busy_is_own(const dlz_busy *busy);
void dlz_busy_give_back(dlz_hold *hold);

#define DLZ_HOLD_IN_MODE(busy, what, mode)                                                         \
    DLZ_NOT_CANCELLED;                                                                             \
    dlz_hold dlz_hold_ __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};              \
    DLZ_TRY(dlz_busy_take(__func__, busy, what, mode, &dlz_hold_))
#define DLZ_HOLD_ALONE(busy, what) DLZ_HOLD_IN_MODE(busy, what, DLZ_ALONE)
#define DLZ_HOLD_NESTED(busy, what) DLZ_HOLD_IN_MODE(busy, what, DLZ_NESTED)
#define DLZ_HOLD_SHARED(busy, what) DLZ_HOLD_IN_MODE(busy, what, DLZ_SHARED)

#endif
