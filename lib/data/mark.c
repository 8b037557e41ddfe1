/* A number that tells datasets apart. */
#include "base/base.h"
#include "data/dataset.h"
#include "tensor/element.h"
#include "tensor/rows.h"
#include "tensor/tensor.h"

#include <string.h>
#include <zlib.h>

/* Of a large dataset, only DLZ_MARKED_SAMPLES samples and targets are looked at; of all, the weights
 * and, where each sample has one, the labels. */
enum { SOME = 1024 };

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

/* Of a tensor that may be a large file's; of labels as int64, whatever they are kept as. What cannot be
 * read adds nothing: whoever loads it will say so. */
static uLong add_stored(uLong mark, const dlviz_tensor *stored, bool labels, int64_t first,
                        int64_t count) {
    int64_t some[SOME];
    dlz_failure kept;
    dlz_failure_keep(&kept);
    for (int64_t i = 0; i < count; i += SOME) {
        int64_t size = dlz_min_i64(SOME, count - i);
        dlviz_status status = labels ? dlz_labels_get(stored, first + i, size, some)
                                     : dlz_tensor_get(stored, first + i, size, some);
        if (status == DLVIZ_OK)
            mark = add_some(mark, labels ? DLVIZ_INT64 : stored->dtype, some, size);
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
    return add_stored(mark, stored, false, row * length, length);
}

static int64_t targets_size(const dlviz_dataset *dataset) {
    return dataset->targets ? dlz_dataset_target_size(dataset) : 0;
}

static uLong add_targets(uLong mark, const dlviz_dataset *dataset, int64_t position) {
    const dlviz_tensor *targets = dataset->targets;
    int64_t size = targets_size(dataset);
    if (size == 0)
        return mark;
    int64_t first = dlz_dataset_target_row(dataset, position) * size;
    return add_stored(mark, targets, targets->dtype != DLVIZ_FLOAT32, first, size);
}

static int64_t count_looks(const dlviz_dataset *dataset) {
    return dlz_min_i64(DLZ_MARKED_SAMPLES, dataset->num_samples);
}

static int64_t look_at(const dlviz_dataset *dataset, int64_t look) {
    return look * dataset->num_samples / count_looks(dataset);
}

/* -- Where samples are with several processes ----------------------------------------------------
 */

static int64_t sample_bytes(const dlviz_dataset *dataset) {
    const dlz_transform *t = &dataset->transform;
    return t->channels * t->height * t->width * (int64_t)dlviz_dtype_size(t->dtype);
}

static int64_t targets_bytes(const dlviz_dataset *dataset) {
    return targets_size(dataset) * (int64_t)dlviz_dtype_size(dlz_dataset_target_dtype(dataset));
}

/* What they would add, of which their ranks told. */
static uLong add_looked(uLong mark, const dlviz_dataset *dataset, int64_t look) {
    const dlz_looks *looks = atomic_load(&dataset->looks);
    static const dlz_looks none;
    const uint32_t *checks = (looks ? looks : &none)->checks[look];
    mark = crc32_combine(mark, checks[DLZ_ROW_SAMPLE], (z_off_t)sample_bytes(dataset));
    return dataset->targets_joined
               ? crc32_combine(mark, checks[DLZ_ROW_TARGETS], (z_off_t)targets_bytes(dataset))
               : add_targets(mark, dataset, look_at(dataset, look));
}

static void look_at_own(const dlviz_dataset *dataset, dlz_looks *looks) {
    const dlz_joined *joined = dataset->joined;
    for (int64_t i = 0, own; i < count_looks(dataset); i++) {
        if (!dlz_joined_is_own(joined, dataset->rows[look_at(dataset, i)], &own))
            continue;
        looks->checks[i][DLZ_ROW_SAMPLE] = (uint32_t)add_sample(0, joined->own, own);
        looks->checks[i][DLZ_ROW_TARGETS] = (uint32_t)add_targets(0, joined->own, own);
    }
}

/* Of each look, what the rank says that has the sample. */
static void pick(const dlviz_dataset *dataset, const dlz_looks *all, dlz_looks *looks) {
    for (int64_t i = 0; i < count_looks(dataset); i++) {
        int owner = dlz_joined_owner(dataset->joined, dataset->rows[look_at(dataset, i)]);
        memcpy(looks->checks[i], all[owner].checks[i], sizeof looks->checks[i]);
    }
}

dlviz_status dlz_dataset_share_looks(const dlviz_dataset *dataset, dlviz_comm *comm) {
    if (!dataset->joined)
        return DLVIZ_OK;
    uint64_t ranks = (uint64_t)dlz_comm_size(comm);
    dlz_looks *all = dlz_alloc_array_zero(ranks, sizeof *all),
              *looks = dlz_alloc_zero(sizeof *looks), *none = NULL;
    dlviz_status status =
        all && looks ? DLVIZ_OK : dlz_fail_memory("a dataset's mark", (ranks + 1) * sizeof *all);
    status = dlz_comm_agree(comm, status);
    if (status == DLVIZ_OK) {
        look_at_own(dataset, &all[dlz_comm_rank(comm)]);
        status = dlz_comm_gather_even(comm, all, (int64_t)ranks, sizeof *all);
    }
    if (status == DLVIZ_OK)
        pick(dataset, all, looks);
    /* They do not change: what another thread may have set is the same. */
    if (status != DLVIZ_OK ||
        !atomic_compare_exchange_strong(&((dlviz_dataset *)dataset)->looks, &none, looks))
        dlz_free(looks);
    dlz_free(all);
    return status;
}

/* -- The mark ------------------------------------------------------------------------------------
 */

static void add_setting(void *context, const char *name, int64_t number) {
    uLong *mark = context;
    *mark = crc32_z(*mark, (const unsigned char *)name, strlen(name));
    *mark = add_numbers(*mark, &number, 1);
}

uint32_t dlz_dataset_mark(const dlviz_dataset *dataset) {
    const dlz_transform *t = &dataset->transform;
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
                               targets_size(dataset),
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
    for (int64_t i = 0; i < count_looks(dataset); i++) {
        int64_t position = look_at(dataset, i);
        mark = dataset->joined
                   ? add_looked(mark, dataset, i)
                   : add_targets(add_sample(mark, dataset, position), dataset, position);
    }
    if (dlz_dataset_is_augmented(dataset))
        dlz_augmentations_tell(&dataset->augmentations, add_setting, &mark);
    return (uint32_t)mark;
}
