/* Whether all ranks fare well, and have the same settings. */
#include "comm/exchange.h"

#include <stdio.h>
#include <string.h>

/* -- The lowest of a number each ------------------------------------------------------------------
 */

static dlviz_status swap_lowest(dlviz_comm *comm, int peer, bool send, bool receive,
                                int64_t *lowest) {
    int64_t other = *lowest;
    DLZ_TRY(dlz_comm_exchange(comm, &(dlz_exchange){
                                        .peer = peer,
                                        .send = lowest,
                                        .send_size = send ? sizeof *lowest : 0,
                                        .receive = &other,
                                        .receive_size = receive ? sizeof other : 0,
                                    }));
    *lowest = dlz_min_i64(*lowest, other);
    return DLVIZ_OK;
}

/* Ranks beyond a power of two tell one of the others, and are told in the end. */
static dlviz_status find_lowest(dlviz_comm *comm, int64_t *lowest) {
    int power = 1, rank = comm->rank;
    while (power * 2 <= comm->size)
        power *= 2;
    if (rank >= power) {
        DLZ_TRY(swap_lowest(comm, rank - power, true, false, lowest));
        return swap_lowest(comm, rank - power, false, true, lowest);
    }
    bool has_other = rank + power < comm->size;
    if (has_other)
        DLZ_TRY(swap_lowest(comm, rank + power, false, true, lowest));
    for (int distance = 1; distance < power; distance *= 2)
        DLZ_TRY(swap_lowest(comm, rank ^ distance, true, true, lowest));
    return has_other ? swap_lowest(comm, rank + power, true, false, lowest) : DLVIZ_OK;
}

/* -- Statuses -------------------------------------------------------------------------------------
 */

/* What a rank says: failures come before cancellations, lower ranks first. Fits any status. */
#define STATUSES 64

static int64_t key_of(const dlviz_comm *comm, dlviz_status status) {
    int64_t order = status == DLVIZ_OK ? 2 : status == DLVIZ_CANCELLED ? 1 : 0;
    return (order * comm->size + comm->rank) * STATUSES + (int)status;
}

static dlviz_status agree(dlviz_comm *comm, dlviz_status own) {
    int64_t key = key_of(comm, own);
    DLZ_TRY(find_lowest(comm, &key));
    dlviz_status status = (dlviz_status)(key % STATUSES);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    int rank = (int)(key / STATUSES % comm->size);
    char sentence[DLZ_SENTENCE_SIZE] = "";
    snprintf(sentence, sizeof sentence, "%s", dlviz_last_error());
    DLZ_TRY(dlz_comm_broadcast_from(comm, rank, sentence, sizeof sentence));
    sentence[sizeof sentence - 1] = '\0';
    if (status == DLVIZ_CANCELLED)
        return dlz_fail(status, "rank %d: %s", rank, sentence);
    return dlz_fail(DLVIZ_ERROR_COMM, "rank %d failed: %s", rank, sentence);
}

dlviz_status dlz_comm_agree(dlviz_comm *comm, dlviz_status own) {
    if (!comm || comm->size == 1)
        return own;
    if (own == DLVIZ_OK)
        return agree(comm, own);
    dlz_failure kept;
    dlz_failure_keep(&kept);
    (void)agree(comm, own);
    dlz_failure_put_back(&kept);
    return own;
}

static bool is_status(dlviz_status status) {
    return (int)status >= 0 && status <= DLVIZ_ERROR_COMM;
}

dlviz_status dlviz_comm_agree(dlviz_comm *comm, dlviz_status status) {
    if (!is_status(status))
        status =
            dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                     "dlviz_comm_agree: 'status' is %d, which is no dlviz_status", (int)status);
    if (!comm)
        return status;
    DLZ_HOLD_ALONE(&comm->busy, "communicator");
    return dlz_comm_agree(comm, status);
}

/* -- Settings -------------------------------------------------------------------------------------
 */

#define COMPARED 4096 /* bytes of texts that differ, which are looked at for where */
#define SHOWN 160     /* bytes of them in the sentence */
#define BEFORE 40     /* and of these, so many before the first difference */

/* Fowler, Noll and Vo's hash, 1a. */
static uint64_t hash(const char *text) {
    uint64_t sum = 14695981039346656037u;
    for (; *text; text++)
        sum = (sum ^ (unsigned char)*text) * 1099511628211u;
    return sum;
}

/* Cuts out what is about the first difference, at whole characters. */
static void shorten(char shown[SHOWN + 8], const char *text, size_t difference) {
    size_t first = difference > BEFORE ? difference - BEFORE : 0;
    while (first > 0 && ((unsigned char)text[first] & 0xC0) == 0x80)
        first--;
    size_t length = strlen(text + first), kept = length < SHOWN ? length : SHOWN;
    while (kept > 0 && kept < length && ((unsigned char)text[first + kept] & 0xC0) == 0x80)
        kept--;
    snprintf(shown, SHOWN + 8, "%s%.*s%s", first > 0 ? "..." : "", (int)kept, text + first,
             kept < length ? "..." : "");
}

static dlviz_status tell_difference(dlviz_comm *comm, const char *who, const char *what,
                                    const char *text, int rank) {
    char texts[2][COMPARED] = {"", ""}, shown[2][SHOWN + 8];
    for (int i = 0; i < 2; i++) {
        snprintf(texts[i], COMPARED, "%s", text);
        DLZ_TRY(dlz_comm_broadcast_from(comm, i == 0 ? 0 : rank, texts[i], COMPARED));
        texts[i][COMPARED - 1] = '\0';
    }
    size_t difference = 0;
    while (texts[0][difference] && texts[0][difference] == texts[1][difference])
        difference++;
    for (int i = 0; i < 2; i++)
        shorten(shown[i], texts[i], difference);
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                    "%s: %s is '%s' on rank %d and '%s' on rank 0; the same is accepted on all "
                    "ranks",
                    who, what, shown[1], rank, shown[0]);
}

dlviz_status dlz_comm_require_same(dlviz_comm *comm, const char *who, const char *what,
                                   const char *text) {
    if (!comm || comm->size == 1)
        return DLVIZ_OK;
    uint64_t own = hash(text), first = own;
    DLZ_TRY(dlz_comm_broadcast(comm, &first, sizeof first));
    int64_t lowest = own == first ? comm->size : comm->rank;
    DLZ_TRY(find_lowest(comm, &lowest));
    if (lowest == comm->size)
        return DLVIZ_OK;
    return tell_difference(comm, who, what, text, (int)lowest);
}
