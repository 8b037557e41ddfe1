/* Labels, of uint8 or int64, in memory or in a large file. */
#include "base/base.h"
#include "data/dataset.h"
#include "data/joined.h"
#include "tensor/rows.h"
#include "tensor/tensor.h"

enum { SOME = 2048 };

int64_t dlz_label_at(const dlviz_tensor *labels, int64_t i) {
    return labels->dtype == DLVIZ_UINT8 ? ((const uint8_t *)labels->data)[i]
                                        : ((const int64_t *)labels->data)[i];
}

dlviz_status dlz_labels_get(const dlviz_tensor *labels, int64_t first, int64_t count, int64_t *to) {
    if (labels->dtype == DLVIZ_INT64)
        return dlz_tensor_get(labels, first, count, to);
    uint8_t bytes[SOME];
    for (int64_t done = 0; done < count; done += SOME) {
        int64_t size = dlz_min_i64(SOME, count - done);
        DLZ_TRY(dlz_tensor_get(labels, first + done, size, bytes));
        for (int64_t i = 0; i < size; i++)
            to[done + i] = bytes[i];
    }
    return DLVIZ_OK;
}

/* How many a sample has. */
static int64_t count_of(const dlviz_dataset *dataset) {
    return dataset->labels ? 1 : dataset->targets->size / dataset->targets->dims[0];
}

const dlviz_tensor *dlz_dataset_labels_of(const dlviz_dataset *dataset, int64_t position,
                                          int64_t *first) {
    if (dataset->labels) {
        *first = position;
        return dataset->labels;
    }
    if (dataset->targets_joined) {
        if (!dlz_joined_is_own(dataset->joined, dataset->rows[position], &position))
            return NULL;
        dataset = dataset->joined->own;
    }
    int64_t row = dlz_dataset_target_row(dataset, position);
    *first = row * count_of(dataset);
    return dataset->targets;
}

dlviz_status dlz_dataset_each_label(const dlviz_dataset *dataset, dlz_labels_fn see,
                                    void *context) {
    int64_t size = count_of(dataset), first, some[SOME];
    for (int64_t i = 0; i < dataset->num_samples; i++) {
        const dlviz_tensor *labels = dlz_dataset_labels_of(dataset, i, &first);
        for (int64_t j = 0; labels && j < size; j += SOME) {
            int64_t count = dlz_min_i64(SOME, size - j);
            DLZ_TRY(dlz_labels_get(labels, first + j, count, some));
            DLZ_TRY(see(context, i, some, count));
        }
    }
    return DLVIZ_OK;
}
