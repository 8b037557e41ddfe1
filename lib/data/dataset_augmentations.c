/* The augmentations of a dataset. */
#include "base/base.h"
#include "data/dataset.h"
#include "tensor/tensor.h"

#include <string.h>

#define MOST_FILL 1e30

static dlviz_status add(dlviz_dataset *dataset, const char *who, dlviz_augmentation *augmentation) {
    if (!dataset)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'dataset' is NULL", who);
    DLZ_TRY(dlz_part_check_handed(who, &dlz_augmentation_noun, (const dlz_part *)augmentation));
    const dlz_augmentation_type *type = augmentation->type;
    if (!type->takes_vectors && !dataset->transform.is_image)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: %s is for images; the samples are vectors of %lld",
                        who, type->name, (long long)dataset->dims[0]);
    if (type->share && dataset->augmentations.mix)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the dataset has a %s already; one is accepted", who,
                        dataset->augmentations.mix->type->name);
    dataset->changes++;
    return dlz_augmentations_add(&dataset->augmentations, augmentation);
}

dlviz_status dlviz_dataset_add_augmentation(dlviz_dataset *dataset,
                                            dlviz_augmentation *augmentation) {
    dlviz_status status = add(dataset, __func__, augmentation);
    if (status != DLVIZ_OK)
        dlviz_augmentation_destroy(augmentation);
    return status;
}

dlviz_status dlviz_dataset_clear_augmentations(dlviz_dataset *dataset) {
    DLZ_REQUIRE(dataset);
    dlz_augmentations_release(&dataset->augmentations);
    dataset->changes++;
    return DLVIZ_OK;
}

int64_t dlviz_dataset_num_augmentations(const dlviz_dataset *dataset) {
    return dataset ? dataset->augmentations.count : 0;
}

const dlviz_augmentation *dlviz_dataset_augmentation(const dlviz_dataset *dataset, int64_t index) {
    return index >= 0 && index < dlviz_dataset_num_augmentations(dataset)
               ? dataset->augmentations.list[index]
               : NULL;
}

dlviz_status dlviz_dataset_set_fill(dlviz_dataset *dataset, double fill) {
    DLZ_REQUIRE(dataset);
    if (!(fill >= -MOST_FILL && fill <= MOST_FILL))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: the fill is %g; %g to %g is accepted",
                        __func__, fill, -MOST_FILL, MOST_FILL);
    dataset->augmentations.fill = fill;
    dataset->changes++;
    return DLVIZ_OK;
}

double dlviz_dataset_fill(const dlviz_dataset *dataset) {
    return dataset ? dataset->augmentations.fill : 0;
}

dlviz_status dlviz_dataset_set_label_fill(dlviz_dataset *dataset, int64_t label) {
    DLZ_REQUIRE(dataset);
    if (label < DLZ_DATASET_MIN_LABEL || label >= DLZ_DATASET_MAX_CLASSES)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: label %lld; %lld to %lld are accepted",
                        __func__, (long long)label, (long long)DLZ_DATASET_MIN_LABEL,
                        (long long)DLZ_DATASET_MAX_CLASSES - 1);
    dataset->augmentations.label_fill = label;
    dataset->changes++;
    return DLVIZ_OK;
}

int64_t dlviz_dataset_label_fill(const dlviz_dataset *dataset) {
    return dataset ? dataset->augmentations.label_fill : 0;
}

bool dlz_dataset_is_augmented(const dlviz_dataset *dataset) {
    return dataset->augmentations.count > 0;
}

dlviz_status dlz_dataset_check_augmentations(const dlviz_dataset *dataset, const char *who) {
    char targets[DLZ_SHAPE_TEXT_SIZE], images[DLZ_SHAPE_TEXT_SIZE];
    bool are_images = dataset->target_kind == DLZ_TARGETS_LABEL_MAPS || dataset->target_ndim == 3;
    const int64_t *size = dataset->target_dims + dataset->target_ndim - 2;
    if (!dataset->augmentations.moves_pixels || !are_images ||
        memcmp(size, dataset->dims + 1, 2 * sizeof *size) == 0)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_SHAPE,
                    "%s: augmentations move the pixels of images of %s, and with them targets, "
                    "which need the same size and have %s",
                    who, dlz_shape_text(images, 2, dataset->dims + 1),
                    dlz_shape_text(targets, 2, size));
}

dlviz_status dlviz_dataset_augmented_samples(const dlviz_dataset *dataset, uint64_t seed,
                                             int64_t epoch, int64_t first, int64_t count,
                                             dlviz_tensor **samples) {
    DLZ_REQUIRE_OUT(samples);
    DLZ_REQUIRE(dataset);
    if (epoch < 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: epoch %lld; 0 or more are accepted",
                        __func__, (long long)epoch);
    int64_t *positions;
    DLZ_TRY(dlz_dataset_positions(dataset, __func__, first, count, &positions));
    int64_t dims[4] = {count};
    memcpy(dims + 1, dataset->dims, sizeof dataset->dims);
    dlviz_tensor *result;
    dlviz_status status = dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, 1 + dataset->ndim, dims);
    if (status == DLVIZ_OK) {
        dlz_variant variant = {.seed = seed, .epoch = epoch};
        status = dlz_dataset_load_variants(dataset, &variant, positions, count, result->data, NULL,
                                           NULL);
        if (status == DLVIZ_OK)
            *samples = result;
        else
            dlviz_tensor_destroy(result);
    }
    dlz_free(positions);
    return status;
}
