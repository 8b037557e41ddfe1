/* Datasets cut from datasets. */
#include "base/random.h"
#include "data/dataset.h"
#include "tensor/tensor.h"

#include <string.h>

static dlviz_status check_range(const char *who, const dlviz_dataset *dataset, int64_t first,
                                int64_t count) {
    if (first < 0 || count < 1 || first >= dataset->size || count > dataset->size - first)
        return dlz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "%s: %lld samples from %lld on; 1 or more are accepted, and the dataset has %lld", who,
            (long long)count, (long long)first, (long long)dataset->size);
    return DLVIZ_OK;
}

static dlviz_status no_memory(const char *who, int64_t count) {
    return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "%s: out of memory for %lld positions", who,
                    (long long)count);
}

static dlviz_status take(const dlviz_dataset *dataset, const char *who, int64_t first,
                         int64_t count, dlviz_dataset **subset) {
    DLZ_TRY(check_range(who, dataset, first, count));
    int64_t *positions = dlz_alloc_array((uint64_t)count, sizeof *positions);
    if (!positions)
        return no_memory(who, count);
    for (int64_t i = 0; i < count; i++)
        positions[i] = first + i;
    dlviz_status status = dlz_dataset_subset(dataset, positions, count, subset);
    dlz_free(positions);
    return status;
}

dlviz_status dlviz_dataset_take(const dlviz_dataset *dataset, int64_t first, int64_t count,
                                dlviz_dataset **subset) {
    DLZ_REQUIRE_OUT(subset);
    DLZ_REQUIRE(dataset);
    return take(dataset, __func__, first, count, subset);
}

dlviz_status dlviz_dataset_select(const dlviz_dataset *dataset, const int64_t *indices,
                                  int64_t count, dlviz_dataset **subset) {
    DLZ_REQUIRE_OUT(subset);
    DLZ_REQUIRE(dataset);
    DLZ_REQUIRE(indices);
    if (count < 1 || count > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld indices; 1 to %d are accepted",
                        __func__, (long long)count, INT32_MAX);
    for (int64_t i = 0; i < count; i++)
        if (indices[i] < 0 || indices[i] >= dataset->size)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: index %lld is %lld; the dataset has %lld samples", __func__,
                            (long long)i, (long long)indices[i], (long long)dataset->size);
    return dlz_dataset_subset(dataset, indices, count, subset);
}

dlviz_status dlviz_dataset_samples(const dlviz_dataset *dataset, int64_t first, int64_t count,
                                   dlviz_tensor **samples) {
    DLZ_REQUIRE_OUT(samples);
    DLZ_REQUIRE(dataset);
    dlviz_dataset *part;
    DLZ_TRY(take(dataset, __func__, first, count, &part));
    int64_t dims[4] = {count};
    memcpy(dims + 1, dataset->dims, sizeof dataset->dims);
    dlviz_tensor *result;
    dlviz_status status = dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, 1 + dataset->ndim, dims);
    if (status == DLVIZ_OK) {
        dlz_dataset_load_parallel(part, NULL, count, result->data, NULL);
        *samples = result;
    }
    dlviz_dataset_destroy(part);
    return status;
}

static void count_classes(const dlviz_dataset *dataset, int classes, int64_t *counts) {
    if (dataset->labels)
        dlviz_dataset_class_counts(dataset, counts);
    else
        for (int c = 0; c < classes; c++)
            counts[c] = dataset->size;
}

/* Shares out `total` in proportion to `counts` by largest remainders: whole parts first, then one
 * more to the classes with the largest fractions, the lower class first among equals. */
static void apportion(int classes, const int64_t *counts, int64_t size, int64_t total,
                      int64_t *shares) {
    int64_t fractions[DLVIZ_MAX_CLASSES], left = total;
    for (int c = 0; c < classes; c++) {
        /* Both factors are below 2^31. */
        shares[c] = total * counts[c] / size;
        fractions[c] = total * counts[c] % size;
        left -= shares[c];
    }
    for (; left > 0; left--) {
        int best = 0;
        for (int c = 1; c < classes; c++)
            if (fractions[c] > fractions[best])
                best = c;
        shares[best]++;
        fractions[best] = -1;
    }
}

/* Marks the samples to hold out: of each class, the first of its members in an order drawn for it.
 */
static void draw(const dlviz_dataset *dataset, int64_t total, uint64_t seed, int64_t *members,
                 bool *held) {
    int classes = dataset->labels ? dataset->num_classes : 1;
    const uint8_t *labels = dataset->labels ? dataset->labels->data : NULL;
    int64_t counts[DLVIZ_MAX_CLASSES], shares[DLVIZ_MAX_CLASSES];
    count_classes(dataset, classes, counts);
    apportion(classes, counts, dataset->size, total, shares);
    memset(held, 0, (size_t)dataset->size * sizeof *held);
    for (int c = 0; c < classes; c++) {
        int64_t found = 0;
        for (int64_t i = 0; i < dataset->size; i++)
            if (!labels || labels[i] == c)
                members[found++] = i;
        dlz_random random = dlz_random_start(seed, DLZ_STREAM_SPLIT + ((uint64_t)c << 8));
        dlz_random_shuffle(&random, members, found);
        for (int64_t i = 0; i < shares[c]; i++)
            held[members[i]] = true;
    }
}

static dlviz_status make_part(const dlviz_dataset *dataset, const bool *held, bool wanted,
                              int64_t *positions, dlviz_dataset **part) {
    int64_t count = 0;
    for (int64_t i = 0; i < dataset->size; i++)
        if (held[i] == wanted)
            positions[count++] = i;
    return dlz_dataset_subset(dataset, positions, count, part);
}

dlviz_status dlviz_dataset_split(const dlviz_dataset *dataset, int64_t holdout_count, uint64_t seed,
                                 dlviz_dataset **rest, dlviz_dataset **holdout) {
    if (rest)
        *rest = NULL;
    DLZ_REQUIRE_OUT(holdout);
    DLZ_REQUIRE_OUT(rest);
    DLZ_REQUIRE(dataset);
    int64_t size = dataset->size;
    if (holdout_count < 1 || holdout_count >= size)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: holding out %lld of %lld samples; each part needs 1 or more", __func__,
                        (long long)holdout_count, (long long)size);
    int64_t *positions = dlz_alloc_array((uint64_t)size, sizeof *positions);
    bool *held = dlz_alloc_array((uint64_t)size, sizeof *held);
    dlviz_status status = positions && held ? DLVIZ_OK : no_memory(__func__, size);
    if (status == DLVIZ_OK) {
        draw(dataset, holdout_count, seed, positions, held);
        status = make_part(dataset, held, false, positions, rest);
    }
    if (status == DLVIZ_OK)
        status = make_part(dataset, held, true, positions, holdout);
    if (status != DLVIZ_OK) {
        dlviz_dataset_destroy(*rest);
        *rest = NULL;
    }
    dlz_free(positions);
    dlz_free(held);
    return status;
}
