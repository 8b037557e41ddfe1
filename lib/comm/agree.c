/* Whether all ranks fare well, and have the same settings. */
#include "comm/merge.h"

#include <stdio.h>
#include <string.h>

/* -- Statuses -------------------------------------------------------------------------------------
 */

/* Fits any status. */
#define STATUSES 64

int64_t dlz_comm_status_key(const dlviz_comm *comm, dlviz_status status) {
    int64_t order = status == DLVIZ_OK ? 2 : status == DLVIZ_CANCELLED ? 1 : 0;
    return (order * comm->size + comm->rank) * STATUSES + (int)status;
}

bool dlz_comm_key_fails(const dlviz_comm *comm, int64_t lowest) {
    return lowest / STATUSES < comm->size;
}

dlviz_status dlz_comm_follow_key(dlviz_comm *comm, int64_t lowest) {
    dlviz_status status = (dlviz_status)(lowest % STATUSES);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    int rank = (int)(lowest / STATUSES % comm->size);
    char sentence[DLZ_SENTENCE_SIZE] = "";
    snprintf(sentence, sizeof sentence, "%s", dlviz_last_error());
    DLZ_TRY(dlz_comm_broadcast_from(comm, rank, sentence, sizeof sentence));
    sentence[sizeof sentence - 1] = '\0';
    if (status == DLVIZ_CANCELLED)
        return dlz_fail(status, "rank %d: %s", rank, sentence);
    return dlz_fail(DLVIZ_ERROR_COMM, "rank %d failed: %s", rank, sentence);
}

static dlviz_status agree(dlviz_comm *comm, dlviz_status own) {
    int64_t key = dlz_comm_status_key(comm, own);
    DLZ_TRY(dlz_comm_find_lowest(comm, &key));
    return dlz_comm_follow_key(comm, key);
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

/* -- Settings -------------------------------------------------------------------------------------
 */

#define SHOWN 160 /* bytes of texts that differ, in the sentence */
#define BEFORE 40 /* and of these, so many before the first difference */
/* Texts are looked at so many bytes at a time, with the 0 behind them, and from STEP on those that follow:
 * so that all that is shown lies in one piece. */
#define COMPARED 4096
#define STEP (COMPARED - 1 - 2 * SHOWN)

/* Fowler, Noll and Vo's hash, 1a. */
uint64_t dlz_comm_hash(const char *text) {
    uint64_t sum = 14695981039346656037u;
    for (; *text; text++)
        sum = (sum ^ (unsigned char)*text) * 1099511628211u;
    return sum;
}

/* Cuts out what is about the first difference, at whole characters. */
static void shorten(char shown[SHOWN + 8], const char *text, size_t difference, bool follows) {
    size_t first = difference > BEFORE ? difference - BEFORE : 0;
    while (first > 0 && ((unsigned char)text[first] & 0xC0) == 0x80)
        first--;
    size_t length = strlen(text + first), kept = length < SHOWN ? length : SHOWN;
    while (kept > 0 && kept < length && ((unsigned char)text[first + kept] & 0xC0) == 0x80)
        kept--;
    snprintf(shown, SHOWN + 8, "%s%.*s%s", first > 0 || follows ? "..." : "", (int)kept,
             text + first, kept < length ? "..." : "");
}

static dlviz_status tell_difference(dlviz_comm *comm, const char *who, const char *what,
                                    const char *text, int rank) {
    char texts[2][COMPARED], shown[2][SHOWN + 8];
    size_t difference = 0, length = strlen(text), begin = 0;
    for (;; begin += STEP) {
        for (int i = 0; i < 2; i++) {
            memset(texts[i], 0, COMPARED);
            snprintf(texts[i], COMPARED, "%s", begin < length ? text + begin : "");
            DLZ_TRY(dlz_comm_broadcast_from(comm, i == 0 ? 0 : rank, texts[i], COMPARED));
            texts[i][COMPARED - 1] = '\0';
        }
        for (difference = 0; texts[0][difference] && texts[0][difference] == texts[1][difference];)
            difference++;
        if (difference < STEP + SHOWN)
            break;
    }
    for (int i = 0; i < 2; i++)
        shorten(shown[i], texts[i], difference, begin > 0);
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                    "%s: %s is '%s' on rank %d and '%s' on rank 0; the same is accepted on all "
                    "ranks",
                    who, what, shown[1], rank, shown[0]);
}

dlviz_status dlz_comm_require_same(dlviz_comm *comm, const char *who, const char *what,
                                   const char *text) {
    if (!comm || comm->size == 1)
        return DLVIZ_OK;
    uint64_t own = dlz_comm_hash(text), first = own;
    DLZ_TRY(dlz_comm_broadcast(comm, &first, sizeof first));
    int64_t lowest = own == first ? comm->size : comm->rank;
    DLZ_TRY(dlz_comm_find_lowest(comm, &lowest));
    if (lowest == comm->size)
        return DLVIZ_OK;
    return tell_difference(comm, who, what, text, (int)lowest);
}
