#include "support/parts.h"
#include "support/judging.h"

#include <stdlib.h>
#include <string.h>

parts split_parts(const mutant *file) {
    if (file->size < 2)
        return (parts){.first = file->bytes, .second = file->bytes};
    size_t rest = file->size - 2, first = (size_t)(file->bytes[0] | file->bytes[1] << 8);
    first = first < rest ? first : rest;
    return (parts){.first = file->bytes + 2,
                   .second = file->bytes + 2 + first,
                   .first_size = first,
                   .second_size = rest - first};
}

void keep_parts(samples *to, const void *first, size_t first_size, const void *second,
                size_t second_size) {
    size_t size = 2 + first_size + second_size;
    unsigned char *bytes = malloc(size);
    if (!bytes)
        abort();
    bytes[0] = (unsigned char)first_size;
    bytes[1] = (unsigned char)(first_size >> 8);
    memcpy(bytes + 2, first, first_size);
    memcpy(bytes + 2 + first_size, second, second_size);
    keep_sample(to, bytes, size);
}

static int64_t per_sample(const dlviz_dataset *dataset) {
    double size = 1;
    for (int i = 0; i < dlviz_dataset_ndim(dataset); i++)
        size *= (double)dlviz_dataset_dims(dataset)[i];
    return size < 1e9 ? (int64_t)size : 1000000000;
}

static void cut_up(const dlviz_dataset *dataset, int64_t n) {
    dlviz_dataset *rest, *held;
    must(dlviz_dataset_split(dataset, 1, 0, &rest, &held), "it is not split");
    require(dlviz_dataset_num_samples(rest) == n - 1, "samples are lost");
    dlviz_dataset_destroy(rest);
    dlviz_dataset_destroy(held);
}

void use_dataset(dlviz_dataset *dataset) {
    if (!dataset)
        return;
    int64_t n = dlviz_dataset_num_samples(dataset), counts[4], size = per_sample(dataset);
    require(n >= 1, "it has no samples");
    dlviz_dataset_class_counts(dataset, 4, counts);
    int64_t few = n < 3 ? n : 3;
    dlviz_tensor *some, *means, *deviations;
    if (size < 100000) {
        must(dlviz_dataset_samples(dataset, n - few, few, &some), "samples are not loaded");
        dlviz_tensor_destroy(some);
        dlviz_status status = dlviz_dataset_targets(dataset, 0, few, &some);
        require(status == DLVIZ_OK || status == DLVIZ_ERROR_STATE, "targets are not loaded");
        dlviz_tensor_destroy(some);
    }
    if (n < 100000 && n * size < 100000) {
        dlviz_status status = dlviz_dataset_measure(dataset, &means, &deviations);
        require(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC, "it is not measured: '%s'",
                dlviz_status_name(status));
        dlviz_tensor_destroy(means);
        dlviz_tensor_destroy(deviations);
    }
    if (n > 1 && n < 10000)
        cut_up(dataset, n);
    if (size < 100000 && dlviz_dataset_ndim(dataset) == 3 &&
        dlviz_dataset_set_image_size(dataset, 5, 3) == DLVIZ_OK) {
        must(dlviz_dataset_samples(dataset, 0, 1, &some), "it does not load in another size");
        dlviz_tensor_destroy(some);
    }
}
