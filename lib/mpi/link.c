/* Exchanges over MPI: a message each way, with the slot as its tag. */
#include "mpi/link.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* How long is waited, after a failure, for messages on their way, and for notices. Seconds. */
#define LAST_MESSAGES 0.1
#define LAST_NOTICES 3
/* For a message from a rank that has left, which its notice may have overtaken. */
#define LATE_MESSAGE 1
/* Looks in vain between those for notices. */
#define HEAR_EVERY 64
/* Bytes that every MPI sends without waiting for the receiver. */
#define SHORT 512

static atomic_bool in_trouble;

bool dlz_mpi_in_trouble(void) {
    return atomic_load(&in_trouble);
}

static const char *words_of(int code, char text[MPI_MAX_ERROR_STRING + 1]) {
    int length;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS)
        snprintf(text, MPI_MAX_ERROR_STRING, "code %d", code);
    return text;
}

dlviz_status dlz_mpi_result(const char *function, int code) {
    char text[MPI_MAX_ERROR_STRING + 1] = "";
    if (code == MPI_SUCCESS)
        return DLVIZ_OK;
    return dlviz_fail(DLVIZ_ERROR_COMM, "%s failed: %s", function, words_of(code, text));
}

dlviz_status dlz_mpi_result_on(const dlz_mpi_link *link, const char *function, int code) {
    char text[MPI_MAX_ERROR_STRING + 1] = "";
    if (code == MPI_SUCCESS)
        return DLVIZ_OK;
    return dlviz_fail(DLVIZ_ERROR_COMM, "%s failed on rank %d: %s", function, link->rank,
                      words_of(code, text));
}

/* -- Exchanges ------------------------------------------------------------------------------------
 */

/* Cuts a message into whole blocks and a rest; returns how many parts there are. */
static int cut(const dlz_mpi_link *link, size_t size, int counts[2], MPI_Datatype types[2],
               size_t offsets[2]) {
    int num = 0;
    size_t blocks = size / DLZ_MPI_LONGEST, rest = size % DLZ_MPI_LONGEST;
    if (blocks > 0)
        counts[num] = (int)blocks, types[num] = link->block, offsets[num++] = 0;
    if (rest > 0)
        counts[num] = (int)rest, types[num] = MPI_BYTE, offsets[num++] = size - rest;
    return num;
}

static dlviz_status receive(dlz_mpi_link *link, dlz_mpi_exchange *e, int slot, void *to,
                            size_t size) {
    size_t offsets[2];
    int parts = cut(link, size, e->counts, e->types, offsets);
    for (int i = 0; i < parts; i++, e->num++, e->num_received++)
        DLZ_MPI_TRY_ON(link, "MPI_Irecv",
                       MPI_Irecv((char *)to + offsets[i], e->counts[i], e->types[i], e->peer, slot,
                                 link->data, &e->requests[e->num]));
    return DLVIZ_OK;
}

static dlviz_status send(dlz_mpi_link *link, dlz_mpi_exchange *e, int slot, const void *from,
                         size_t size) {
    int counts[2];
    MPI_Datatype types[2];
    size_t offsets[2];
    int parts = cut(link, size, counts, types, offsets);
    for (int i = 0; i < parts; i++, e->num++)
        DLZ_MPI_TRY_ON(link, "MPI_Isend",
                       MPI_Isend((const char *)from + offsets[i], counts[i], types[i], e->peer,
                                 slot, link->data, &e->requests[e->num]));
    return DLVIZ_OK;
}

static dlviz_status check_thread(const dlz_mpi_link *link) {
    if (!link->one_thread || pthread_equal(link->thread, pthread_self()))
        return DLVIZ_OK;
    return dlviz_fail(
        DLVIZ_ERROR_STATE,
        "MPI was initialized with MPI_THREAD_FUNNELED, and on rank %d the communicator is used on "
        "another thread than the main one; that takes MPI_THREAD_SERIALIZED",
        link->rank);
}

static dlviz_status start(int64_t slot, int64_t peer, const void *from, size_t send_size, void *to,
                          size_t receive_size, void *user) {
    dlz_mpi_link *link = user;
    dlz_mpi_exchange *e = &link->exchanges[slot];
    dlviz_status status = check_thread(link);
    if (status == DLVIZ_OK && link->finalized)
        status = dlviz_fail(DLVIZ_ERROR_STATE, "MPI is finalized on rank %d", link->rank);
    if (status != DLVIZ_OK)
        return status;
    *e = (dlz_mpi_exchange){.active = true, .peer = (int)peer, .bytes = send_size + receive_size};
    status = receive(link, e, (int)slot, to, receive_size);
    return status == DLVIZ_OK ? send(link, e, (int)slot, from, send_size) : status;
}

static dlviz_status check_lengths(const dlz_mpi_link *link, const dlz_mpi_exchange *e,
                                  const MPI_Status *statuses) {
    for (int i = 0; i < e->num_received; i++) {
        int count = 0;
        DLZ_MPI_TRY_ON(link, "MPI_Get_count", MPI_Get_count(&statuses[i], e->types[i], &count));
        if (count != e->counts[i])
            return dlviz_fail(DLVIZ_ERROR_COMM,
                              "rank %d sent %d where %d were expected: the ranks do not make the "
                              "same calls",
                              e->peer, count, e->counts[i]);
    }
    return DLVIZ_OK;
}

/* A message that is longer than expected, MPI refuses itself. */
static dlviz_status refuse(const dlz_mpi_link *link, const dlz_mpi_exchange *e, int code) {
    int class = MPI_SUCCESS;
    if (MPI_Error_class(code, &class) == MPI_SUCCESS && class == MPI_ERR_TRUNCATE)
        return dlviz_fail(
            DLVIZ_ERROR_COMM,
            "rank %d sent more than was expected: the ranks do not make the same calls", e->peer);
    return dlz_mpi_result_on(link, "MPI_Testall", code);
}

/* A rank that fails leaves what it sends for whoever receives it later; but before, it gives notice
 * of that. What is short MPI has copied. */
static dlviz_status look(dlz_mpi_link *link, dlz_mpi_exchange *e, bool *finished) {
    MPI_Status statuses[DLZ_MPI_PARTS];
    int flag = 0;
    int code = MPI_Testall(e->num, e->requests, &flag, statuses);
    for (int i = 0; code == MPI_ERR_IN_STATUS && i < e->num; i++)
        if (statuses[i].MPI_ERROR != MPI_SUCCESS && statuses[i].MPI_ERROR != MPI_ERR_PENDING)
            return refuse(link, e, statuses[i].MPI_ERROR);
    if (code != MPI_SUCCESS)
        return refuse(link, e, code);
    *finished = flag != 0;
    if (!flag)
        return DLVIZ_OK;
    e->active = false;
    dlviz_status status = check_lengths(link, e, statuses);
    return status == DLVIZ_OK && e->num_received > 0 && e->bytes > SHORT ? dlz_mpi_hear(link)
                                                                         : status;
}

static dlviz_status wait_for(dlz_mpi_link *link, dlz_mpi_exchange *e, bool *finished) {
    dlz_mpi_wait wait = dlz_mpi_wait_begin(e->bytes, link->crowded);
    double left = -1;
    for (uint64_t looks = 1;; looks++) {
        dlviz_status status = look(link, e, finished);
        if (status != DLVIZ_OK || *finished)
            return status;
        double waited = dlz_mpi_wait_more(&wait);
        if (looks % HEAR_EVERY != 0)
            continue;
        status = dlz_mpi_hear(link);
        if (status != DLVIZ_OK)
            return status;
        if (link->gone[e->peer] && left < 0)
            left = waited;
        if (left >= 0 && waited - left > LATE_MESSAGE)
            return dlviz_fail(DLVIZ_ERROR_COMM,
                              "rank %d has left, while rank %d waits for a message from it",
                              e->peer, link->rank);
    }
}

static dlviz_status finish(int64_t slot, bool wait, bool *finished, void *user) {
    dlz_mpi_link *link = user;
    dlz_mpi_exchange *e = &link->exchanges[slot];
    dlviz_status status = check_thread(link);
    if (status != DLVIZ_OK)
        return status;
    if (wait)
        return wait_for(link, e, finished);
    status = look(link, e, finished);
    if (status != DLVIZ_OK || *finished || ++link->polls % HEAR_EVERY != 0)
        return status;
    return dlz_mpi_hear(link);
}

/* -- The end --------------------------------------------------------------------------------------
 */

static bool is_over(dlz_mpi_exchange *e) {
    MPI_Status statuses[DLZ_MPI_PARTS];
    int flag = 0;
    if (!e->active)
        return true;
    if (MPI_Testall(e->num, e->requests, &flag, statuses) != MPI_SUCCESS)
        return false;
    e->active = !flag;
    return flag != 0;
}

/* Takes back what would be received. What is sent cannot be: a rank that is already receiving it gets the
 * time to; others never look at it. */
static void give_up(dlz_mpi_link *link) {
    int left = 1;
    for (int i = 0; i < DLVIZ_COMM_NUM_SLOTS; i++)
        for (int j = 0; link->exchanges[i].active && j < link->exchanges[i].num_received; j++)
            if (link->exchanges[i].requests[j] != MPI_REQUEST_NULL)
                MPI_Cancel(&link->exchanges[i].requests[j]);
    for (double end = dlz_mpi_seconds() + LAST_MESSAGES; left && dlz_mpi_seconds() < end;) {
        left = 0;
        for (int i = 0; i < DLVIZ_COMM_NUM_SLOTS; i++)
            left += !is_over(&link->exchanges[i]);
    }
    link->stuck = link->stuck || left > 0;
}

static void fail(const char *sentence, void *user) {
    dlz_mpi_link *link = user;
    atomic_store(&in_trouble, true);
    if (!link->told)
        dlz_mpi_say(link, DLZ_MPI_FAILED, sentence);
    give_up(link);
    link->ended = true;
}

/* Frees nothing of which others may still make use: these ranks may be gone, or come later. */
static void destroy(void *user) {
    dlz_mpi_link *link = user;
    int finalized = 0;
    if (!link->complete)
        return;
    if (MPI_Finalized(&finalized) != MPI_SUCCESS || finalized)
        return;
    dlz_mpi_say(link, DLZ_MPI_LEAVES, "");
    bool all_gone = dlz_mpi_hear_all(link, link->ended ? LAST_NOTICES : -1);
    if (link->told || !all_gone || link->stuck)
        atomic_store(&in_trouble, true);
    if (!all_gone || link->stuck)
        return;
    dlz_mpi_unwatch(link);
    MPI_Comm_free(&link->data);
    MPI_Comm_free(&link->notices);
    MPI_Type_free(&link->block);
    free(link->sent);
    free(link->gone);
    free(link);
}

const dlviz_comm_functions dlz_mpi_functions = {
    .struct_size = sizeof(dlviz_comm_functions),
    .start = start,
    .finish = finish,
    .fail = fail,
    .destroy = destroy,
};
