/* What a dataset is: its samples, their shape and the settings of what a network sees. */
#include "data/dataset.h"
#include "base/base.h"
#include "tensor/tensor.h"

static void update_dims(dlviz_dataset *dataset) {
    const dlz_transform *t = &dataset->transform;
    dataset->ndim = t->is_image ? 3 : 1;
    dataset->dims[0] = t->is_image ? t->channels : t->width;
    dataset->dims[1] = t->is_image ? t->rows.to : 0;
    dataset->dims[2] = t->is_image ? t->columns.to : 0;
}

/* A dataset of `count` samples whose rows are still to be filled. */
static dlviz_status allocate(const dlviz_tensor *samples, const dlz_image_files *files,
                             int64_t count, dlviz_dataset **out) {
    dlviz_dataset *dataset = dlz_alloc_zero(sizeof *dataset);
    if (!dataset)
        return dlz_fail_memory("a dataset", sizeof *dataset);
    dataset->references = 1;
    dataset->num_samples = count;
    dataset->files = dlz_image_files_hold(files);
    dlz_augmentations_init(&dataset->augmentations);
    dataset->rows = dlz_alloc_array((uint64_t)count, sizeof *dataset->rows);
    dlviz_status status = dataset->rows ? DLVIZ_OK
                                        : dlz_fail_memory("a dataset's rows",
                                                          (uint64_t)count * sizeof *dataset->rows);
    if (status == DLVIZ_OK && samples)
        status = dlviz_tensor_reshape(samples, samples->ndim, samples->dims, &dataset->samples);
    if (status != DLVIZ_OK)
        dlviz_dataset_destroy(dataset);
    else
        *out = dataset;
    return status;
}

static dlviz_status check_samples(const char *who, const dlviz_tensor *samples) {
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (samples->dtype == DLVIZ_INT64)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'samples' holds int64; uint8 and float32 are accepted", who);
    if (samples->ndim < 2 || samples->ndim > 4 || samples->size == 0)
        return dlz_fail(
            DLVIZ_ERROR_SHAPE,
            "%s: 'samples' is %s; n x height x width, n x channels x height x width and n x d "
            "are accepted, each 1 or more",
            who, dlz_shape_text(text, samples->ndim, samples->dims));
    if (samples->dims[0] > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: %lld samples; at most %d are accepted", who,
                        (long long)samples->dims[0], INT32_MAX);
    return DLVIZ_OK;
}

dlviz_status dlz_dataset_create(dlviz_dataset **out, const char *who, const dlviz_tensor *samples,
                                const dlviz_tensor *targets) {
    DLZ_TRY(check_samples(who, samples));
    dlviz_dataset *dataset;
    DLZ_TRY(allocate(samples, NULL, samples->dims[0], &dataset));
    for (int64_t i = 0; i < dataset->num_samples; i++)
        dataset->rows[i] = (int32_t)i;
    dlviz_status status = targets ? dlz_dataset_set_targets(dataset, who, targets) : DLVIZ_OK;
    if (status != DLVIZ_OK) {
        dlviz_dataset_destroy(dataset);
        return status;
    }
    dlz_transform_init(&dataset->transform, samples->dtype, samples->ndim - 1, samples->dims + 1);
    update_dims(dataset);
    *out = dataset;
    return DLVIZ_OK;
}

dlviz_status dlz_dataset_create_of_files(dlviz_dataset **out, const dlz_image_files *files,
                                         const dlviz_tensor *samples) {
    dlviz_dataset *dataset;
    DLZ_TRY(allocate(samples, files, files->count, &dataset));
    for (int64_t i = 0; i < dataset->num_samples; i++)
        dataset->rows[i] = (int32_t)i;
    const dlz_image_form *form = &files->form;
    dlz_transform_init(&dataset->transform, DLVIZ_UINT8, 3,
                       (int64_t[]){form->channels, form->height, form->width});
    update_dims(dataset);
    *out = dataset;
    return DLVIZ_OK;
}

dlviz_status dlz_dataset_create_joined(dlviz_dataset **out, dlz_joined *joined,
                                       int64_t num_samples) {
    dlviz_dataset *dataset;
    dlviz_status status = allocate(NULL, NULL, num_samples, &dataset);
    if (status != DLVIZ_OK) {
        dlz_joined_release(joined);
        return status;
    }
    dataset->joined = joined;
    for (int64_t i = 0; i < num_samples; i++)
        dataset->rows[i] = (int32_t)i;
    status = dlz_transform_copy(&joined->own->transform, &dataset->transform);
    if (status == DLVIZ_OK)
        status = dlz_augmentations_share(&joined->own->augmentations, &dataset->augmentations);
    if (status != DLVIZ_OK) {
        dlviz_dataset_destroy(dataset);
        return status;
    }
    update_dims(dataset);
    *out = dataset;
    return DLVIZ_OK;
}

dlviz_status dlviz_dataset_create(dlviz_dataset **out, const dlviz_tensor *samples,
                                  const dlviz_tensor *targets) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(samples);
    return dlz_dataset_create(out, __func__, samples, targets);
}

dlviz_dataset *dlz_dataset_hold(const dlviz_dataset *dataset) {
    dlviz_dataset *held = (dlviz_dataset *)dataset;
    atomic_fetch_add(&held->references, 1);
    return held;
}

void dlz_joined_release(dlz_joined *joined) {
    if (!joined || atomic_fetch_sub(&joined->references, 1) != 1)
        return;
    dlviz_dataset_destroy(joined->own);
    dlviz_comm_destroy(joined->comm);
    dlz_free(joined->firsts);
    dlz_free(joined->label_ranges);
    dlz_free(joined);
}

void dlviz_dataset_destroy(dlviz_dataset *dataset) {
    if (!dataset || atomic_fetch_sub(&dataset->references, 1) != 1)
        return;
    dlviz_tensor_destroy(dataset->samples);
    dlz_image_files_release(dataset->files);
    dlz_joined_release(dataset->joined);
    dlz_free(atomic_load(&dataset->looks));
    dlviz_tensor_destroy(dataset->weights);
    dlz_dataset_release_targets(dataset);
    dlz_transform_release(&dataset->transform);
    dlz_augmentations_release(&dataset->augmentations);
    dlz_free(dataset->rows);
    dlz_free(dataset);
}

int64_t dlviz_dataset_num_samples(const dlviz_dataset *dataset) {
    return dataset ? dataset->num_samples : 0;
}
int dlviz_dataset_ndim(const dlviz_dataset *dataset) {
    return dataset ? dataset->ndim : 0;
}
const int64_t *dlviz_dataset_dims(const dlviz_dataset *dataset) {
    return dataset ? dataset->dims : NULL;
}

const char *dlviz_dataset_sample_path(const dlviz_dataset *dataset, int64_t index) {
    if (index < 0 || index >= dlviz_dataset_num_samples(dataset))
        return NULL;
    const dlz_joined *joined = dataset->joined;
    if (joined)
        return dlz_joined_is_own(joined, dataset->rows[index], &index)
                   ? dlviz_dataset_sample_path(joined->own, index)
                   : NULL;
    return dataset->files ? dataset->files->paths[dataset->rows[index]] : NULL;
}

dlviz_status dlviz_dataset_set_image_size(dlviz_dataset *dataset, int64_t height, int64_t width) {
    DLZ_REQUIRE(dataset);
    DLZ_TRY(dlz_transform_set_size(&dataset->transform, __func__, height, width));
    update_dims(dataset);
    dataset->changes++;
    return DLVIZ_OK;
}

dlviz_status dlviz_dataset_set_normalization(dlviz_dataset *dataset, float mean, float deviation) {
    DLZ_REQUIRE(dataset);
    dataset->changes++;
    return dlz_transform_set_normalization(&dataset->transform, __func__, 1, &mean, &deviation);
}

dlviz_status dlviz_dataset_set_channel_normalization(dlviz_dataset *dataset, int64_t count,
                                                     const float *means, const float *deviations) {
    DLZ_REQUIRE(dataset);
    DLZ_REQUIRE(means);
    DLZ_REQUIRE(deviations);
    if (count != dataset->dims[0])
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld means and deviations; the dataset has %lld %s", __func__,
                        (long long)count, (long long)dataset->dims[0],
                        dataset->transform.is_image ? "channels" : "components");
    float *scales = dlz_alloc_array((uint64_t)count, sizeof *scales);
    if (!scales)
        return dlz_fail_memory("the deviations", (uint64_t)count * sizeof *scales);
    for (int64_t i = 0; i < count; i++)
        scales[i] = deviations[i] == 0 ? 1 : deviations[i];
    dlviz_status status =
        dlz_transform_set_normalization(&dataset->transform, __func__, count, means, scales);
    dlz_free(scales);
    dataset->changes++;
    return status;
}

int64_t dlviz_dataset_normalization(const dlviz_dataset *dataset, int64_t capacity, float *means,
                                    float *deviations) {
    if (!dataset)
        return 0;
    const dlz_transform *t = &dataset->transform;
    for (int64_t i = 0; i < t->normal_count && i < capacity; i++) {
        if (means)
            means[i] = t->means[i];
        if (deviations)
            deviations[i] = t->deviations[i];
    }
    return t->normal_count;
}

dlviz_status dlz_dataset_prepare(dlviz_dataset *dataset, const char *who, const int64_t *size,
                                 int64_t count, const float *means, const float *deviations) {
    dlz_transform changed;
    DLZ_TRY(dlz_transform_copy(&dataset->transform, &changed));
    dlviz_status status = size ? dlz_transform_set_size(&changed, who, size[0], size[1]) : DLVIZ_OK;
    if (status == DLVIZ_OK && count > 0)
        status = dlz_transform_set_normalization(&changed, who, count, means, deviations);
    if (status != DLVIZ_OK) {
        dlz_transform_release(&changed);
        return status;
    }
    dlz_transform_release(&dataset->transform);
    dataset->transform = changed;
    update_dims(dataset);
    dataset->changes++;
    return DLVIZ_OK;
}

dlviz_status dlz_dataset_subset(const dlviz_dataset *dataset, int64_t count,
                                const int64_t *positions, dlviz_dataset **out) {
    dlviz_dataset *subset;
    DLZ_TRY(allocate(dataset->samples, dataset->files, count, &subset));
    subset->joined = dlz_joined_hold(dataset->joined);
    for (int64_t i = 0; i < count; i++)
        subset->rows[i] = dataset->rows[positions[i]];
    dlviz_status status = dlz_transform_copy(&dataset->transform, &subset->transform);
    if (status == DLVIZ_OK)
        status = dlz_dataset_subset_targets(dataset, count, positions, subset);
    if (status == DLVIZ_OK)
        status = dlz_augmentations_share(&dataset->augmentations, &subset->augmentations);
    if (status != DLVIZ_OK) {
        dlviz_dataset_destroy(subset);
        return status;
    }
    update_dims(subset);
    *out = subset;
    return DLVIZ_OK;
}
