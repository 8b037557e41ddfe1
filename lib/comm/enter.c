/* What each call that ranks make together begins with. */
#include "comm/enter.h"
#include "comm/merge.h"

#include <string.h>

/* -- What ranks have in common --------------------------------------------------------------------
 */

/* The first thing that ranks send each other, whatever their versions: it must stay as it is. */
typedef struct opening {
    int64_t status;         /* the lowest key of all */
    uint64_t call, library; /* hashes, of any rank */
    uint64_t differs;       /* whether those of all are not one: bits */
} opening;

enum { CALL_DIFFERS = 1, LIBRARY_DIFFERS = 2 };

/* Of ranks that are alike any one stands for all; of others it is known that they are not. */
static void merge(void *own, const void *other) {
    opening a, b;
    memcpy(&a, own, sizeof a);
    memcpy(&b, other, sizeof b);
    a.status = dlz_min_i64(a.status, b.status);
    a.differs |= b.differs | (a.call != b.call ? CALL_DIFFERS : 0) |
                 (a.library != b.library ? LIBRARY_DIFFERS : 0);
    memcpy(own, &a, sizeof a);
}

static dlviz_status open_call(dlviz_comm *comm, const char *who, dlviz_status own) {
    opening all = {
        .status = dlz_comm_status_key(comm, own),
        .call = dlz_comm_hash(who),
        .library = dlz_comm_hash(comm->library),
    };
    DLZ_TRY(dlz_comm_merge(comm, &all, sizeof all, merge));
    if (all.differs & LIBRARY_DIFFERS)
        return dlz_comm_require_same(comm, who, "the library", comm->library);
    /* A rank that failed alone may have gone on to where its program ends. */
    if (all.differs & CALL_DIFFERS && !dlz_comm_key_fails(comm, all.status))
        return dlz_comm_require_same(comm, who, "the call", who);
    return dlz_comm_follow_key(comm, all.status);
}

dlviz_status dlz_comm_enter(dlviz_comm *comm, const char *who, dlviz_status status) {
    if (dlz_comm_size(comm) == 1)
        return status;
    if (status == DLVIZ_OK)
        return open_call(comm, who, status);
    dlz_failure kept;
    dlz_failure_keep(&kept);
    (void)open_call(comm, who, status);
    dlz_failure_put_back(&kept);
    return status;
}

/* -- Marks ----------------------------------------------------------------------------------------
 */

dlviz_status dlz_comm_take_alone(const char *who, dlviz_comm *comm, dlz_hold *shared) {
    if (dlz_comm_size(comm) == 1)
        return DLVIZ_OK;
    return dlz_busy_take(who, &comm->busy, "communicator", DLZ_NESTED, shared);
}

dlviz_status dlz_comm_take(const char *who, const dlz_busy *busy, const char *what,
                           dlz_hold_mode mode, dlviz_comm *const *comm, dlz_hold *handle,
                           dlz_hold *shared) {
    dlviz_status status = dlz_busy_take(who, busy, what, mode, handle);
    if (status == DLVIZ_OK)
        return dlz_comm_take_alone(who, *comm, shared);
    if (dlz_busy_is_own(busy))
        return status;
    dlz_failure kept;
    dlz_failure_keep(&kept);
    bool can_tell = dlz_comm_take_alone(who, *comm, shared) == DLVIZ_OK;
    dlz_failure_put_back(&kept);
    return can_tell ? dlz_comm_enter(*comm, who, status) : status;
}

/* -- Public ---------------------------------------------------------------------------------------
 */

static bool is_status(dlviz_status status) {
    return (int)status >= 0 && status <= DLVIZ_ERROR_COMM;
}

dlviz_status dlviz_comm_agree(dlviz_comm *comm, dlviz_status status) {
    if (!is_status(status))
        status =
            dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                     "dlviz_comm_agree: 'status' is %d, which is no dlviz_status", (int)status);
    DLZ_HOLD_COMM(__func__, comm);
    return dlz_comm_enter(comm, __func__, status);
}
