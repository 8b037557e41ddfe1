#include "base/failures.h"

#include <string.h>

void dlz_failures_init(dlz_failures *failures) {
    pthread_mutex_init(&failures->lock, NULL);
    atomic_init(&failures->first, INT64_MAX);
    failures->status = DLVIZ_OK;
}

bool dlz_failures_before(const dlz_failures *failures, int64_t tile) {
    return atomic_load_explicit(&failures->first, memory_order_relaxed) < tile;
}

void dlz_failures_note(dlz_failures *failures, int64_t tile, dlviz_status status) {
    if (status == DLVIZ_OK)
        return;
    pthread_mutex_lock(&failures->lock);
    if (tile < atomic_load(&failures->first)) {
        atomic_store(&failures->first, tile);
        failures->status = status;
        strncpy(failures->sentence, dlviz_last_error(), sizeof failures->sentence - 1);
        failures->sentence[sizeof failures->sentence - 1] = '\0';
    }
    pthread_mutex_unlock(&failures->lock);
}

dlviz_status dlz_failures_tell(dlz_failures *failures) {
    pthread_mutex_destroy(&failures->lock);
    return failures->status == DLVIZ_OK ? DLVIZ_OK
                                        : dlz_fail(failures->status, "%s", failures->sentence);
}
