#include "base/busy.h"

/* A number that no other thread gets, 0 for none. The address of something of the thread's own would
 * not do: in the child of a fork a new thread may lie where one of the parent's lay, and would pass
 * for it. */
static uintptr_t this_thread(void) {
    static atomic_uintptr_t last;
    static _Thread_local uintptr_t number;
    if (number == 0)
        number = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    return number;
}

static dlviz_status refuse(const char *who, const char *what, bool own) {
    if (own)
        return dlz_fail(
            DLVIZ_ERROR_STATE,
            "%s: called from within a callback of the same %s, where it is not accepted", who,
            what);
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "%s: the %s is in use by another thread; one thread at a time is accepted", who,
                    what);
}

dlviz_status dlz_busy_take(const char *who, const dlz_busy *busy, const char *what,
                           dlz_hold_mode mode, dlz_hold *hold) {
    /* The mark is no part of what a const handle shows. */
    dlz_busy *mark = (dlz_busy *)(uintptr_t)busy;
    int users = 0, wanted = mode == DLZ_SHARED ? 1 : -1;
    while (!atomic_compare_exchange_weak_explicit(&mark->users, &users, wanted,
                                                  memory_order_acquire, memory_order_relaxed)) {
        if (users < 0) {
            bool own = atomic_load_explicit(&mark->owner, memory_order_relaxed) == this_thread();
            return own && mode != DLZ_ALONE ? DLVIZ_OK : refuse(who, what, own);
        }
        if (users > 0 && mode != DLZ_SHARED)
            return refuse(who, what, false);
        wanted = mode == DLZ_SHARED ? users + 1 : -1;
    }
    if (mode != DLZ_SHARED)
        atomic_store_explicit(&mark->owner, this_thread(), memory_order_relaxed);
    hold->busy = mark;
    return DLVIZ_OK;
}

bool dlz_busy_is_own(const dlz_busy *busy) {
    dlz_busy *mark = (dlz_busy *)(uintptr_t)busy;
    return atomic_load_explicit(&mark->owner, memory_order_relaxed) == this_thread();
}

void dlz_busy_give_back(dlz_hold *hold) {
    dlz_busy *mark = hold->busy;
    if (!mark)
        return;
    hold->busy = NULL;
    if (atomic_load_explicit(&mark->users, memory_order_relaxed) > 0) {
        atomic_fetch_sub_explicit(&mark->users, 1, memory_order_release);
    } else {
        atomic_store_explicit(&mark->owner, 0, memory_order_relaxed);
        atomic_store_explicit(&mark->users, 0, memory_order_release);
    }
}
