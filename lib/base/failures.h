/* base/failures.h - what tiles fail of, told to the thread that waits for them.
 *
 * A sentence is the failing thread's own. So a tile that fails hands it over, and of several the one of
 * the lowest number counts: the same for any number of threads. */
#ifndef DLZ_FAILURES_H
#define DLZ_FAILURES_H

#include "base/base.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct dlz_failures {
    pthread_mutex_t lock;
    atomic_int_fast64_t first; /* the lowest tile that failed; INT64_MAX: none did */
    dlviz_status status;
    char sentence[DLZ_SENTENCE_SIZE];
} dlz_failures;

void dlz_failures_init(dlz_failures *failures);
/* Whether a tile below this one has failed, so that its own work is in vain. */
bool dlz_failures_before(const dlz_failures *failures, int64_t tile);
/* To be called by the tile, right after its failure; does nothing with DLVIZ_OK. */
void dlz_failures_note(dlz_failures *failures, int64_t tile, dlviz_status status);
/* Ends it: DLVIZ_OK, or the failure as the calling thread's own. */
dlviz_status dlz_failures_tell(dlz_failures *failures);

#endif
