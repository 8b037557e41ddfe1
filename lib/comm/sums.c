/* Sums that go on while other work is done. The k-th of them takes slot k mod DLZ_SUM_SLOTS on
 * every rank, where it comes after those before it. */
#include "comm/sum.h"

struct dlz_sums {
    dlz_sum all[DLZ_MAX_SUMS];      /* the k-th is at k mod DLZ_MAX_SUMS */
    int64_t begun;                  /* since there last were none */
    int64_t present[DLZ_SUM_SLOTS]; /* which of them a slot is at */
};

static dlviz_status ask_sums(dlviz_comm *comm) {
    if (comm->sums)
        return DLVIZ_OK;
    comm->sums = dlz_alloc_zero(sizeof *comm->sums);
    if (!comm->sums)
        return dlz_comm_fail(comm, dlz_fail_memory("sums", sizeof *comm->sums));
    for (int i = 0; i < DLZ_SUM_SLOTS; i++)
        comm->sums->present[i] = i;
    return DLVIZ_OK;
}

/* The first that is not finished; `begun` if all are. */
static int64_t oldest(const dlz_sums *sums) {
    int64_t first = sums->begun;
    for (int i = 0; i < DLZ_SUM_SLOTS; i++)
        first = dlz_min_i64(first, sums->present[i]);
    return first;
}

/* Lets what is on a slot go on. */
static dlviz_status advance(dlviz_comm *comm, int slot) {
    dlz_sums *sums = comm->sums;
    int64_t *present = &sums->present[slot];
    for (bool finished = true; finished && *present < sums->begun;) {
        DLZ_TRY(dlz_sum_advance(comm, &sums->all[*present % DLZ_MAX_SUMS], false, &finished));
        *present += finished ? DLZ_SUM_SLOTS : 0;
    }
    return DLVIZ_OK;
}

dlviz_status dlz_comm_progress(dlviz_comm *comm) {
    if (!comm || !comm->sums)
        return DLVIZ_OK;
    for (int slot = 0; slot < DLZ_SUM_SLOTS; slot++)
        DLZ_TRY(advance(comm, slot));
    return dlz_comm_check(comm);
}

/* How far all have come, for telling whether they go on. */
static int64_t count_steps(const dlz_sums *sums) {
    int64_t steps = 0;
    for (int64_t k = oldest(sums); k < sums->begun; k++)
        steps += 1 + sums->all[k % DLZ_MAX_SUMS].step;
    return steps;
}

/* Waits until at most `num` are not finished. All go on as long as any does; then, the oldest is
 * waited for. */
static dlviz_status wait_for(dlviz_comm *comm, int64_t num) {
    dlz_sums *sums = comm->sums;
    for (;;) {
        int64_t first = oldest(sums), steps = count_steps(sums);
        DLZ_TRY(dlz_comm_progress(comm));
        if (sums->begun - oldest(sums) <= num)
            return DLVIZ_OK;
        if (oldest(sums) != first || count_steps(sums) != steps)
            continue;
        DLZ_TRY(dlz_sum_wait(comm, &sums->all[first % DLZ_MAX_SUMS]));
    }
}

static dlviz_status begin(dlviz_comm *comm, const dlz_sum *wanted) {
    DLZ_TRY(dlz_comm_check(comm));
    DLZ_TRY(ask_sums(comm));
    dlz_sums *sums = comm->sums;
    DLZ_TRY(wait_for(comm, DLZ_MAX_SUMS - 1));
    int slot = (int)(sums->begun % DLZ_SUM_SLOTS);
    dlz_sum *added = &sums->all[sums->begun % DLZ_MAX_SUMS];
    *added = *wanted;
    added->slot = 1 + slot;
    dlz_sum_begin(comm, added);
    sums->begun++;
    return advance(comm, slot);
}

dlviz_status dlz_comm_sum_node(dlviz_comm *comm, float *node, int64_t size) {
    if (!comm)
        return DLVIZ_OK;
    if (!dlz_comm_has_subtrees(comm))
        return dlz_comm_sum_nodes_now(comm, node, size);
    return begin(comm, &(dlz_sum){
                           .present = DLZ_LEAVES,
                           .climbed = true,
                           .size = size,
                           .leaves = (char *)node,
                           .sum = (char *)node,
                       });
}

dlviz_status dlz_comm_sums_finish(dlviz_comm *comm) {
    DLZ_TRY(dlz_comm_check(comm));
    if (!comm || !comm->sums)
        return DLVIZ_OK;
    DLZ_TRY(wait_for(comm, 0));
    comm->sums->begun = 0;
    for (int i = 0; i < DLZ_SUM_SLOTS; i++)
        comm->sums->present[i] = i;
    return DLVIZ_OK;
}
