#include "support/datasets.h"
#include "support/netspec.h"

#include <stdlib.h>

dlviz_dataset *numbered_samples(int64_t n) {
    float *values = malloc((size_t)n * sizeof *values);
    ck_assert_ptr_nonnull(values);
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)i;
    dlviz_tensor *samples = float_tensor(2, (int64_t[]){n, 1}, values);
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, samples, NULL));
    dlviz_tensor_destroy(samples);
    free(values);
    return dataset;
}

const int64_t *labels_of(const dlviz_dataset *dataset) {
    const dlviz_tensor *labels = dlviz_dataset_labels(dataset);
    ck_assert_ptr_nonnull(labels);
    ck_assert_int_eq(dlviz_tensor_dtype(labels), DLVIZ_INT64);
    ck_assert_int_eq(dlviz_tensor_ndim(labels), 1);
    ck_assert_int_eq(dlviz_tensor_num_elements(labels), dlviz_dataset_num_samples(dataset));
    return dlviz_tensor_const_data(labels);
}

void set_labels(dlviz_dataset *dataset, const int64_t *labels) {
    dlviz_tensor *tensor = int64_tensor(dlviz_dataset_num_samples(dataset), labels);
    ck_ok(dlviz_dataset_set_targets(dataset, tensor));
    dlviz_tensor_destroy(tensor);
}
