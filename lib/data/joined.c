#include "data/joined.h"
#include "base/base.h"
#include "comm/digest.h"
#include "data/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

dlz_joined *dlz_joined_hold(const dlz_joined *joined) {
    dlz_joined *held = (dlz_joined *)joined;
    if (held)
        atomic_fetch_add(&held->references, 1);
    return held;
}

dlviz_comm *dlviz_dataset_comm(const dlviz_dataset *dataset) {
    return dataset && dataset->joined ? dataset->joined->comm : NULL;
}

/* -- Where rows are ------------------------------------------------------------------------------
 */

int dlz_joined_owner(const dlz_joined *joined, int64_t row) {
    int low = 0, high = dlz_comm_size(joined->comm);
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (joined->firsts[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool dlz_joined_is_own(const dlz_joined *joined, int64_t row, int64_t *own) {
    const int64_t *firsts = joined->firsts + dlz_comm_rank(joined->comm);
    *own = row - firsts[0];
    return firsts[0] <= row && row < firsts[1];
}

static const char *find_arrival(const dlz_brought *brought, dlz_row_part part, int32_t row) {
    const dlz_arrival *arrivals = brought->arrivals[part];
    int64_t low = 0, high = brought->counts[part];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (arrivals[middle].row == row)
            return brought->bytes + arrivals[middle].offset;
        if (arrivals[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

dlviz_status dlz_joined_find(const dlviz_dataset *dataset, int64_t position, dlz_row_part part,
                             const char **bytes, int64_t *own) {
    const dlz_joined *joined = dataset->joined;
    int32_t row = dataset->rows[position];
    *bytes = NULL;
    if (dlz_joined_is_own(joined, row, own))
        return DLVIZ_OK;
    if (dataset->brought)
        *bytes = find_arrival(dataset->brought, part, row);
    return *bytes
               ? DLVIZ_OK
               : dlz_fail(DLVIZ_ERROR_STATE,
                          "sample %lld of a joined dataset is with rank %d, and this is rank %d: "
                          "dlviz_trainer_fit brings it here, for training and validation, where "
                          "dlviz_trainer_set_comm was given the communicator of "
                          "dlviz_dataset_join; all else takes the datasets that were joined, on "
                          "each rank its own",
                          (long long)position, dlz_joined_owner(joined, row),
                          dlz_comm_rank(joined->comm));
}

void dlz_joined_view(const dlviz_dataset *dataset, const dlz_brought *brought,
                     dlviz_dataset *view) {
    /* What comes before is counted and set while others look on. */
    size_t first = offsetof(dlviz_dataset, num_samples);
    memset(view, 0, first);
    memcpy((char *)view + first, (const char *)dataset + first, sizeof *view - first);
    view->brought = brought;
}

/* -- Whether ranks agree -------------------------------------------------------------------------
 */

dlviz_status dlz_dataset_check_comm(const dlviz_dataset *dataset, const char *who, const char *what,
                                    const dlviz_comm *comm) {
    if (!dataset || !dataset->joined || dataset->joined->comm == comm)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "%s: %s was joined of those of %d ranks, and the trainer has %s communicator; "
                    "dlviz_trainer_set_comm takes that of dlviz_dataset_join",
                    who, what, dlz_comm_size(dataset->joined->comm), comm ? "another" : "no");
}

dlviz_status dlz_dataset_require_same_rows(const dlviz_dataset *dataset, const char *who,
                                           const char *what, dlviz_comm *comm) {
    char text[100] = "none";
    if (dlz_comm_size(comm) == 1)
        return DLVIZ_OK;
    if (dataset && dataset->joined)
        snprintf(text, sizeof text, "joined, %lld samples with rows %016" PRIx64,
                 (long long)dataset->num_samples,
                 dlz_digest(dataset->rows, (size_t)dataset->num_samples * sizeof(int32_t)));
    else if (dataset)
        snprintf(text, sizeof text, "not joined");
    return dlz_comm_require_same(comm, who, what, text);
}
