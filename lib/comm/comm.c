/* Communicators: made of a table of functions, who they are, and exchanges of two ranks. */
#include "comm/exchange.h"

#include <string.h>

#define MAX_RANKS 4096
/* The table of the first version: its last member and all before. */
#define FIRST_SIZE (offsetof(dlviz_comm_functions, destroy) + sizeof(void (*)(void *)))
/* Beyond any version there will be. */
#define LARGEST_SIZE 4096

/* -- Made and destroyed ---------------------------------------------------------------------------
 */

static dlviz_status check_size(const dlviz_comm_functions *functions) {
    if (!functions)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_comm_create: 'functions' is NULL");
    if (functions->struct_size < FIRST_SIZE || functions->struct_size > LARGEST_SIZE)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_comm_create: struct_size is %zu; sizeof(dlviz_comm_functions), %zu, "
                        "is accepted",
                        functions->struct_size, sizeof *functions);
    return DLVIZ_OK;
}

static dlviz_status check_table(const dlviz_comm_functions *functions) {
    const unsigned char *bytes = (const unsigned char *)functions;
    for (size_t i = sizeof *functions; i < functions->struct_size; i++)
        if (bytes[i] != 0)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "dlviz_comm_create: the table has %zu bytes and uses what comes after "
                            "the first %zu, which this version of the library does not know",
                            functions->struct_size, sizeof *functions);
    if (!functions->start || !functions->finish || !functions->fail)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_comm_create: the table has no %s",
                        !functions->start    ? "start"
                        : !functions->finish ? "finish"
                                             : "fail");
    return DLVIZ_OK;
}

static dlviz_status check_ranks(int64_t rank, int64_t num_ranks) {
    if (num_ranks < 1 || num_ranks > MAX_RANKS)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_comm_create: num_ranks is %lld; 1 to %d are accepted",
                        (long long)num_ranks, MAX_RANKS);
    if (rank < 0 || rank >= num_ranks)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_comm_create: rank is %lld; of %lld ranks, 0 to %lld are accepted",
                        (long long)rank, (long long)num_ranks, (long long)num_ranks - 1);
    return DLVIZ_OK;
}

static dlviz_status create(dlviz_comm **out, int64_t rank, int64_t num_ranks,
                           const dlviz_comm_functions *functions, void *user) {
    DLZ_TRY(check_table(functions));
    DLZ_TRY(check_ranks(rank, num_ranks));
    dlviz_comm *comm = dlz_alloc_zero(sizeof *comm);
    if (!comm)
        return dlz_fail_memory("a communicator", sizeof *comm);
    size_t known =
        functions->struct_size < sizeof *functions ? functions->struct_size : sizeof *functions;
    memcpy(&comm->functions, functions, known);
    comm->user = user;
    comm->rank = (int)rank;
    comm->size = (int)num_ranks;
    dlz_comm_describe_library(comm->library, sizeof comm->library);
    atomic_init(&comm->holders, 1);
    *out = comm;
    return DLVIZ_OK;
}

dlviz_status dlviz_comm_create(dlviz_comm **out, int64_t rank, int64_t num_ranks,
                               const dlviz_comm_functions *functions, void *user) {
    if (out)
        *out = NULL;
    DLZ_NOT_CANCELLED;
    DLZ_TRY(check_size(functions));
    dlviz_status status =
        out ? create(out, rank, num_ranks, functions, user)
            : dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_comm_create: 'out' is NULL");
    if (status != DLVIZ_OK && functions->destroy)
        functions->destroy(user);
    return status;
}

void dlviz_comm_destroy(dlviz_comm *comm) {
    if (!comm || atomic_fetch_sub(&comm->holders, 1) > 1)
        return;
    DLZ_NOT_CANCELLED;
    if (comm->functions.destroy)
        comm->functions.destroy(comm->user);
    for (int i = 0; i <= DLZ_SUM_SLOTS; i++)
        dlz_free(comm->rooms[i].data);
    dlz_free(comm->sums);
    dlz_free(comm);
}

dlviz_comm *dlz_comm_hold(dlviz_comm *comm) {
    if (comm)
        atomic_fetch_add(&comm->holders, 1);
    return comm;
}

/* -- Who, and whose -------------------------------------------------------------------------------
 */

int dlz_comm_rank(const dlviz_comm *comm) {
    return comm ? comm->rank : 0;
}

int dlz_comm_size(const dlviz_comm *comm) {
    return comm ? comm->size : 1;
}

int64_t dlviz_comm_rank(const dlviz_comm *comm) {
    return dlz_comm_rank(comm);
}

int64_t dlviz_comm_num_ranks(const dlviz_comm *comm) {
    return dlz_comm_size(comm);
}

/* count * part / parts, of which the product may not fit. */
static int64_t begin_of(int64_t count, int64_t part, int64_t parts) {
    return count / parts * part + count % parts * part / parts;
}

static dlz_share part_of(int64_t count, int64_t part, int64_t parts) {
    int64_t first = begin_of(count, part, parts);
    return (dlz_share){first, begin_of(count, part + 1, parts) - first};
}

dlz_share dlz_comm_leaves(const dlviz_comm *comm, int rank) {
    return part_of(DLZ_LEAVES, rank, dlz_comm_size(comm));
}

dlz_share dlz_leaf(int64_t count, int leaf) {
    return part_of(count, leaf, DLZ_LEAVES);
}

dlz_share dlz_comm_share(const dlviz_comm *comm, int rank, int64_t count) {
    dlz_share leaves = dlz_comm_leaves(comm, rank);
    int64_t first = begin_of(count, leaves.first, DLZ_LEAVES);
    return (dlz_share){first, begin_of(count, leaves.first + leaves.count, DLZ_LEAVES) - first};
}

dlz_share dlz_comm_even_share(const dlviz_comm *comm, int rank, int64_t count) {
    return part_of(count, rank, dlz_comm_size(comm));
}

void dlviz_comm_share(const dlviz_comm *comm, int64_t num_rows, int64_t *first, int64_t *count) {
    dlz_share share = dlz_comm_share(comm, dlz_comm_rank(comm), num_rows > 0 ? num_rows : 0);
    if (first)
        *first = share.first;
    if (count)
        *count = share.count;
}

/* -- Failures -------------------------------------------------------------------------------------
 */

dlviz_status dlz_comm_check(const dlviz_comm *comm) {
    if (!comm || comm->broken == DLVIZ_OK)
        return DLVIZ_OK;
    return dlz_fail(comm->broken, "%s", comm->sentence);
}

/* The communicator's end: its sentence is the thread's last one. */
static void end(dlviz_comm *comm, dlviz_status status, const char *told) {
    if (comm->broken != DLVIZ_OK)
        return;
    comm->broken = status;
    memcpy(comm->sentence, dlviz_last_error(), strlen(dlviz_last_error()) + 1);
    comm->functions.fail(told, comm->user);
}

dlviz_status dlz_comm_fail(dlviz_comm *comm, dlviz_status status) {
    if (!comm || status == DLVIZ_OK || comm->broken != DLVIZ_OK)
        return status;
    dlz_failure kept;
    dlz_failure_keep(&kept);
    dlz_fail_within(status, "rank %d failed", comm->rank);
    char told[DLZ_SENTENCE_SIZE];
    memcpy(told, dlviz_last_error(), sizeof told);
    dlz_failure_put_back(&kept);
    end(comm, status, told);
    dlz_failure_put_back(&kept);
    return status;
}

/* What a function of the table has come to. */
static dlviz_status result(dlviz_comm *comm, const char *function, dlviz_status status,
                           uint64_t failures) {
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    if (dlz_num_failures() == failures || (int)status < 0 || status > DLVIZ_ERROR_COMM)
        status =
            dlz_fail(DLVIZ_ERROR_COMM, "the communicator's %s failed without a sentence", function);
    else
        status = dlz_fail(status, "%s", dlviz_last_error());
    dlz_failure kept;
    dlz_failure_keep(&kept);
    end(comm, status, kept.sentence);
    dlz_failure_put_back(&kept);
    return status;
}

/* -- Exchanges ------------------------------------------------------------------------------------
 */

dlviz_status dlz_comm_start(dlviz_comm *comm, int slot, const dlz_exchange *exchange) {
    DLZ_TRY(dlz_comm_check(comm));
    uint64_t failures = dlz_num_failures();
    dlviz_status status =
        comm->functions.start(slot, exchange->peer, exchange->send, exchange->send_size,
                              exchange->receive, exchange->receive_size, comm->user);
    return result(comm, "start", status, failures);
}

dlviz_status dlz_comm_finish(dlviz_comm *comm, int slot, bool wait, bool *finished) {
    *finished = false;
    DLZ_TRY(dlz_comm_check(comm));
    uint64_t failures = dlz_num_failures();
    dlviz_status status = comm->functions.finish(slot, wait, finished, comm->user);
    if (status == DLVIZ_OK && wait && !*finished)
        status = dlz_fail(DLVIZ_ERROR_COMM, "the communicator's finish did not wait");
    return result(comm, "finish", status, failures);
}

dlviz_status dlz_comm_exchange(dlviz_comm *comm, const dlz_exchange *exchange) {
    if (exchange->send_size == 0 && exchange->receive_size == 0)
        return dlz_comm_check(comm);
    DLZ_TRY(dlz_comm_start(comm, DLZ_MAIN_SLOT, exchange));
    bool finished;
    return dlz_comm_finish(comm, DLZ_MAIN_SLOT, true, &finished);
}

dlviz_status dlz_comm_grow(dlviz_comm *comm, dlz_room *room, uint64_t count, uint64_t size) {
    return dlz_comm_fail(comm, dlz_room_grow(room, count, size, "what other ranks send"));
}
