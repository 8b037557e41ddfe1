/* A number that tells datasets apart. */
#include "data/dataset.h"
#include "tensor/element.h"
#include "tensor/rows.h"
#include "tensor/tensor.h"

#include <string.h>
#include <zlib.h>

/* Of a large dataset, only so many samples and targets are looked at; of all, the weights and, where
 * each sample has one, the labels. */
enum { MARKED_SAMPLES = 64, SOME = 1024 };

/* Bytes in the same order on every machine. */
static uLong add_numbers(uLong mark, const int64_t *numbers, int count) {
    unsigned char bytes[8 * 16];
    dlz_element_encode(DLVIZ_INT64, numbers, count, bytes);
    return crc32_z(mark, bytes, 8 * (size_t)count);
}

static uLong add_some(uLong mark, dlviz_dtype dtype, const void *elements, int64_t count) {
    unsigned char bytes[SOME * sizeof(int64_t)];
    dlz_element_encode(dtype, elements, count, bytes);
    return crc32_z(mark, bytes, (size_t)count * dlviz_dtype_size(dtype));
}

static uLong add_elements(uLong mark, dlviz_dtype dtype, const void *elements, int64_t count) {
    size_t size = dlviz_dtype_size(dtype);
    for (int64_t first = 0; first < count; first += SOME)
        mark = add_some(mark, dtype, (const char *)elements + (size_t)first * size,
                        dlz_min_i64(SOME, count - first));
    return mark;
}

/* Of a tensor that may be a large file's. What cannot be read adds nothing: whoever loads it will say
 * so. */
static uLong add_stored(uLong mark, const dlviz_tensor *stored, int64_t first, int64_t count) {
    int64_t some[SOME];
    dlz_failure kept;
    dlz_failure_keep(&kept);
    for (int64_t i = 0; i < count; i += SOME) {
        int64_t size = dlz_min_i64(SOME, count - i);
        if (dlz_tensor_get(stored, first + i, size, some) == DLVIZ_OK)
            mark = add_some(mark, stored->dtype, some, size);
        else
            dlz_failure_put_back(&kept);
    }
    return mark;
}

/* As int64, whatever they are kept as. */
static uLong add_labels(uLong mark, const dlviz_tensor *labels, int64_t first, int64_t count) {
    int64_t some[SOME];
    dlz_failure kept;
    dlz_failure_keep(&kept);
    for (int64_t i = 0; i < count; i += SOME) {
        int64_t size = dlz_min_i64(SOME, count - i);
        if (dlz_labels_get(labels, first + i, size, some) == DLVIZ_OK)
            mark = add_some(mark, DLVIZ_INT64, some, size);
        else
            dlz_failure_put_back(&kept);
    }
    return mark;
}

static uLong add_sample(uLong mark, const dlviz_dataset *dataset, int64_t position) {
    const dlviz_tensor *stored = dataset->samples;
    int64_t row = dataset->rows[position];
    if (!stored)
        return crc32_combine(mark, dataset->files->checks[row],
                             (z_off_t)dlz_image_form_size(&dataset->files->form));
    int64_t length = stored->size / stored->dims[0];
    return add_stored(mark, stored, row * length, length);
}

static void add_setting(void *context, const char *name, int64_t number) {
    uLong *mark = context;
    *mark = crc32_z(*mark, (const unsigned char *)name, strlen(name));
    *mark = add_numbers(*mark, &number, 1);
}

uint32_t dlz_dataset_mark(const dlviz_dataset *dataset) {
    const dlz_transform *t = &dataset->transform;
    const dlviz_tensor *targets = dataset->targets;
    int64_t target_size = targets ? dlz_dataset_target_size(dataset) : 0;
    const int64_t numbers[] = {dataset->num_samples,
                               t->dtype,
                               t->channels,
                               t->height,
                               t->width,
                               t->rows.to,
                               t->columns.to,
                               t->is_image,
                               t->normal_count,
                               dataset->target_kind,
                               dataset->target_ndim,
                               dataset->target_dims[0],
                               dataset->target_dims[1],
                               target_size,
                               dataset->weights != NULL};
    uLong mark = add_numbers(0, numbers, sizeof numbers / sizeof *numbers);
    if (t->normal_count > 0) {
        mark = add_elements(mark, DLVIZ_FLOAT32, t->means, t->normal_count);
        mark = add_elements(mark, DLVIZ_FLOAT32, t->deviations, t->normal_count);
    }
    if (dataset->labels)
        mark = add_elements(mark, DLVIZ_INT64, dataset->labels->data, dataset->num_samples);
    if (dataset->weights)
        mark = add_elements(mark, DLVIZ_FLOAT32, dataset->weights->data, dataset->num_samples);
    int64_t looks = dlz_min_i64(MARKED_SAMPLES, dataset->num_samples);
    for (int64_t i = 0; i < looks; i++) {
        int64_t position = i * dataset->num_samples / looks;
        mark = add_sample(mark, dataset, position);
        if (target_size == 0)
            continue;
        int64_t row = dlz_dataset_target_row(dataset, position);
        mark = targets->dtype == DLVIZ_FLOAT32
                   ? add_stored(mark, targets, row * target_size, target_size)
                   : add_labels(mark, targets, row * target_size, target_size);
    }
    if (dlz_dataset_is_augmented(dataset))
        dlz_augmentations_tell(&dataset->augmentations, add_setting, &mark);
    return (uint32_t)mark;
}
