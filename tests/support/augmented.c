#include "support/augmented.h"
#include "base/random.h"

#include <string.h>

dlviz_dataset *make_set(dlviz_dtype dtype, int64_t n, int64_t channels, int64_t height,
                        int64_t width) {
    dlviz_tensor *samples;
    int64_t dims[4] = {n, channels, height, width}, vector[2] = {n, width};
    if (height == 0)
        ck_ok(dlviz_tensor_create(&samples, dtype, 2, vector));
    else
        ck_ok(dlviz_tensor_create(&samples, dtype, 4, dims));
    int64_t count = dlviz_tensor_num_elements(samples);
    dlz_random random = dlz_random_start(5, 5);
    for (int64_t i = 0; i < count; i++)
        if (dtype == DLVIZ_UINT8)
            ((uint8_t *)dlviz_tensor_data(samples))[i] = (uint8_t)dlz_random_u32(&random);
        else
            dlviz_tensor_float(samples)[i] = dlz_random_float(&random);
    dlviz_dataset *set;
    ck_ok(dlviz_dataset_create(&set, samples, NULL));
    dlviz_tensor_destroy(samples);
    return set;
}

dlviz_dataset *with(dlviz_dataset *set, dlviz_augmentation *augmentation) {
    ck_ok(dlviz_dataset_add_augmentation(set, augmentation));
    return set;
}

dlviz_tensor *augmented(const dlviz_dataset *set, uint64_t seed, int64_t epoch) {
    dlviz_tensor *samples;
    ck_ok(dlviz_dataset_augmented_samples(set, seed, epoch, 0, dlviz_dataset_num_samples(set),
                                          &samples));
    return samples;
}

dlviz_tensor *plain(const dlviz_dataset *set) {
    dlviz_tensor *samples;
    ck_ok(dlviz_dataset_samples(set, 0, dlviz_dataset_num_samples(set), &samples));
    return samples;
}

bool same(const dlviz_tensor *a, const dlviz_tensor *b) {
    return memcmp(dlviz_tensor_const_data(a), dlviz_tensor_const_data(b),
                  (size_t)dlviz_tensor_num_elements(a) * sizeof(float)) == 0;
}
