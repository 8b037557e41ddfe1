/* Datasets of several processes that become one. */
#include "base/base.h"
#include "comm/enter.h"
#include "data/dataset.h"
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define JOIN "dlviz_dataset_join"

/* -- What must be alike --------------------------------------------------------------------------
 */

static dlviz_status require_same_samples(dlviz_comm *comm, const dlviz_dataset *own) {
    const dlz_transform *t = &own->transform;
    char text[200];
    int64_t stored[] = {t->channels, t->height, t->width};
    char shape[DLZ_SHAPE_TEXT_SIZE];
    snprintf(text, sizeof text, "%s, %s, seen as %lld x %lld", dlviz_dtype_name(t->dtype),
             dlz_shape_text(shape, t->is_image ? 3 : 1, t->is_image ? stored : stored + 2),
             (long long)t->rows.to, (long long)t->columns.to);
    return dlz_comm_require_same(comm, JOIN, "a sample", text);
}

static dlviz_status require_same_normalization(dlviz_comm *comm, const dlviz_dataset *own) {
    const dlz_transform *t = &own->transform;
    char text[100] = "none";
    size_t bytes = (size_t)t->normal_count * sizeof(float);
    if (t->normal_count > 0)
        dlz_snprintf(text, sizeof text, "%lld means, the first %g, with checksums %08lx and %08lx",
                     (long long)t->normal_count, (double)t->means[0],
                     (unsigned long)crc32_z(0, (const Bytef *)t->means, bytes),
                     (unsigned long)crc32_z(0, (const Bytef *)t->deviations, bytes));
    return dlz_comm_require_same(comm, JOIN, "normalization", text);
}

static dlviz_status require_same_targets(dlviz_comm *comm, const dlviz_dataset *own) {
    static const char *const kinds[] = {
        [DLZ_TARGETS_NONE] = "none",
        [DLZ_TARGETS_LABELS] = "one label",
        [DLZ_TARGETS_FLOATS] = "numbers",
        [DLZ_TARGETS_SAMPLES] = "the sample",
        [DLZ_TARGETS_LABEL_MAPS] = "labels of pixels",
    };
    char text[DLZ_SHAPE_TEXT_SIZE + 100], shape[DLZ_SHAPE_TEXT_SIZE];
    snprintf(text, sizeof text, "%s%s%s%s%s%s", kinds[own->target_kind], own->targets ? ", " : "",
             own->targets ? dlz_shape_text(shape, own->target_ndim, own->target_dims) : "",
             own->targets ? " of " : "", own->targets ? dlviz_dtype_name(own->targets->dtype) : "",
             own->weights ? ", with a weight" : "");
    return dlz_comm_require_same(comm, JOIN, "a sample's target", text);
}

static void add_setting(void *context, const char *name, int64_t number) {
    uLong *sum = context;
    *sum = crc32_z(*sum, (const Bytef *)name, strlen(name));
    *sum = crc32_z(*sum, (const Bytef *)&number, sizeof number);
}

static dlviz_status require_same_augmentations(dlviz_comm *comm, const dlviz_dataset *own) {
    char text[100];
    uLong sum = 0;
    dlz_augmentations_tell(&own->augmentations, add_setting, &sum);
    snprintf(text, sizeof text, "%lld, with checksum %08lx", (long long)own->augmentations.count,
             sum);
    return dlz_comm_require_same(comm, JOIN, "augmentations", text);
}

/* All of them: which one differs should be told. */
static char *list_names(const dlviz_dataset *own) {
    size_t size = 1, used = 0;
    for (int64_t i = 0; own->class_names && i < own->num_classes; i++)
        size += strlen(own->class_names[i]) + 2;
    char *text = dlz_alloc(size);
    if (!text)
        return NULL;
    text[0] = '\0';
    for (int64_t i = 0; own->class_names && i < own->num_classes; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", own->class_names[i]);
    return text;
}

/* In a list a name's comma looks like what is between two names. */
static dlviz_status require_same_names(dlviz_comm *comm, const dlviz_dataset *own) {
    char text[60];
    int64_t count = own->class_names ? own->num_classes : 0;
    uLong sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum = crc32_z(sum, (const Bytef *)own->class_names[i], strlen(own->class_names[i]) + 1);
    snprintf(text, sizeof text, "%lld, with checksum %08lx", (long long)count, sum);
    return dlz_comm_require_same(comm, JOIN, "names of classes", text);
}

static dlviz_status require_same_classes(dlviz_comm *comm, const dlviz_dataset *own) {
    char *names = list_names(own);
    dlviz_status status =
        dlz_comm_agree(comm, names ? DLVIZ_OK : dlz_fail_memory("the names of classes", 0));
    if (status == DLVIZ_OK)
        status = dlz_comm_require_same(comm, JOIN, "the list of classes", names);
    dlz_free(names);
    return status == DLVIZ_OK ? require_same_names(comm, own) : status;
}

static dlviz_status require_same(dlviz_comm *comm, const dlviz_dataset *own) {
    DLZ_TRY(require_same_samples(comm, own));
    DLZ_TRY(require_same_normalization(comm, own));
    DLZ_TRY(require_same_targets(comm, own));
    DLZ_TRY(require_same_augmentations(comm, own));
    return require_same_classes(comm, own);
}

/* -- What every rank knows of all samples --------------------------------------------------------
 */

/* Makes all of `data`, with so many bytes for each row, whole: this rank has filled its own. */
static dlviz_status gather_rows(const dlz_joined *joined, void *data, size_t width) {
    int ranks = dlz_comm_size(joined->comm);
    int64_t *offsets = joined->firsts + ranks + 1; /* as much room again */
    for (int rank = 0; rank <= ranks; rank++)
        offsets[rank] = joined->firsts[rank] * (int64_t)width;
    return dlz_comm_gather_pieces(joined->comm, data, offsets);
}

static dlviz_status gather_tensor(const dlz_joined *joined, const dlviz_tensor *own,
                                  dlviz_tensor *all) {
    size_t width = dlviz_dtype_size(all->dtype);
    int64_t first = joined->firsts[dlz_comm_rank(joined->comm)];
    memcpy((char *)all->data + (size_t)first * width, own->data, (size_t)own->size * width);
    return gather_rows(joined, all->data, width);
}

static dlviz_status see_labels(void *context, int64_t position, const int64_t *labels,
                               int64_t count) {
    int32_t *range = (int32_t *)context + 2 * position;
    for (int64_t i = 0; i < count; i++) {
        range[0] = (int32_t)dlz_min_i64(range[0], labels[i]);
        range[1] = (int32_t)dlz_max_i64(range[1], labels[i]);
    }
    return DLVIZ_OK;
}

static dlviz_status find_label_ranges(const dlviz_dataset *own, int32_t *ranges) {
    for (int64_t i = 0; i < own->num_samples; i++) {
        ranges[2 * i] = INT32_MAX;
        ranges[2 * i + 1] = INT32_MIN;
    }
    return dlz_dataset_each_label(own, see_labels, ranges);
}

/* As many as the rank has whose data have most. */
static dlviz_status count_classes(const dlz_joined *joined, dlviz_dataset *all) {
    int ranks = dlz_comm_size(joined->comm);
    int64_t *numbers = joined->firsts + ranks + 1;
    DLZ_TRY(dlz_comm_gather_numbers(joined->comm, joined->own->num_classes, numbers));
    for (int rank = 0; rank < ranks; rank++)
        all->num_classes = dlz_max_i64(all->num_classes, numbers[rank]);
    return DLVIZ_OK;
}

static dlviz_status gather(dlviz_dataset *all) {
    const dlz_joined *joined = all->joined;
    const dlviz_dataset *own = joined->own;
    int32_t *ranges = joined->label_ranges;
    if (all->labels)
        DLZ_TRY(gather_tensor(joined, own->labels, all->labels));
    if (all->weights)
        DLZ_TRY(gather_tensor(joined, own->weights, all->weights));
    if (ranges) {
        DLZ_TRY(dlz_comm_agree(
            joined->comm,
            find_label_ranges(own, ranges + 2 * joined->firsts[dlz_comm_rank(joined->comm)])));
        DLZ_TRY(gather_rows(joined, ranges, 2 * sizeof *ranges));
    }
    DLZ_TRY(count_classes(joined, all));
    if (dlz_dataset_target_dtype(all) == DLVIZ_INT64)
        DLZ_TRY(dlz_dataset_find_label_range(all));
    return DLVIZ_OK;
}

/* -- Making it -----------------------------------------------------------------------------------
 */

/* Its own part, which the caller's handle no longer changes. */
static dlviz_status create_joined(dlz_joined **out, dlviz_comm *comm, const dlviz_dataset *own) {
    uint64_t ranks = (uint64_t)dlz_comm_size(comm);
    dlz_joined *joined = dlz_alloc_zero(sizeof *joined);
    if (!joined)
        return dlz_fail_memory("a joined dataset", sizeof *joined);
    *out = joined;
    joined->references = 1;
    joined->comm = dlz_comm_hold(comm);
    joined->firsts = dlz_alloc_array_zero(2 * (ranks + 1), sizeof *joined->firsts);
    if (!joined->firsts)
        return dlz_fail_memory("ranks' rows", 2 * (ranks + 1) * sizeof *joined->firsts);
    return dlviz_dataset_take(own, 0, own->num_samples, &joined->own);
}

/* Counts become places. */
static dlviz_status count_rows(const dlz_joined *joined, int64_t *total) {
    int64_t first = 0;
    DLZ_TRY(dlz_comm_gather_numbers(joined->comm, joined->own->num_samples, joined->firsts));
    for (int rank = 0; rank <= dlz_comm_size(joined->comm); rank++) {
        int64_t count = joined->firsts[rank];
        joined->firsts[rank] = first;
        first += count;
    }
    *total = first;
    return first <= INT32_MAX
               ? DLVIZ_OK
               : dlz_fail(DLVIZ_ERROR_SHAPE, JOIN ": %lld samples in all; at most %d are accepted",
                          (long long)first, INT32_MAX);
}

static dlviz_status copy_targets(dlz_joined *joined, dlviz_dataset *all) {
    const dlviz_dataset *own = joined->own;
    all->target_kind = own->target_kind;
    all->target_ndim = own->target_ndim;
    memcpy(all->target_dims, own->target_dims, sizeof all->target_dims);
    all->targets_joined = own->targets != NULL;
    if (own->targets)
        DLZ_TRY(dlviz_tensor_reshape(own->targets, own->targets->ndim, own->targets->dims,
                                     &all->targets));
    if (own->labels)
        DLZ_TRY(dlz_tensor_create_raw(&all->labels, DLVIZ_INT64, 1, &all->num_samples));
    if (own->weights)
        DLZ_TRY(dlz_tensor_create_raw(&all->weights, DLVIZ_FLOAT32, 1, &all->num_samples));
    if (own->class_names)
        DLZ_TRY(dlz_copy_names(own->num_classes, (const char *const *)own->class_names,
                               &all->class_names));
    if (own->target_kind != DLZ_TARGETS_LABEL_MAPS)
        return DLVIZ_OK;
    uint64_t count = 2 * (uint64_t)all->num_samples;
    joined->label_ranges = dlz_alloc_array(count, sizeof *joined->label_ranges);
    return joined->label_ranges ? DLVIZ_OK
                                : dlz_fail_memory("labels", count * sizeof *joined->label_ranges);
}

static dlviz_status create(dlviz_dataset **out, dlviz_comm *comm, const dlviz_dataset *own) {
    dlz_joined *joined = NULL;
    int64_t total = 0;
    dlviz_status status = dlz_comm_agree(comm, create_joined(&joined, comm, own));
    if (status == DLVIZ_OK)
        status = count_rows(joined, &total);
    if (status != DLVIZ_OK) {
        dlz_joined_release(joined);
        return status;
    }
    status = dlz_dataset_create_joined(out, joined, total);
    if (status == DLVIZ_OK)
        status = copy_targets(joined, *out);
    DLZ_TRY(dlz_comm_agree(comm, status));
    return gather(*out);
}

static dlviz_status check(dlviz_dataset **out, const dlviz_dataset *own) {
    if (!out || !own)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, JOIN ": '%s' is NULL", out ? "own" : "out");
    if (own->joined)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        JOIN ": 'own' is a joined dataset; one that this rank has by itself is "
                             "accepted");
    return DLVIZ_OK;
}

dlviz_status dlviz_dataset_join(dlviz_dataset **out, dlviz_comm *comm, const dlviz_dataset *own) {
    if (out)
        *out = NULL;
    DLZ_HOLD_COMM(JOIN, comm);
    DLZ_TRY(dlz_comm_enter(comm, JOIN, check(out, own)));
    if (dlz_comm_size(comm) == 1)
        return dlviz_dataset_take(own, 0, own->num_samples, out);
    DLZ_TRY(require_same(comm, own));
    dlviz_status status = create(out, comm, own);
    if (status != DLVIZ_OK) {
        dlviz_dataset_destroy(*out);
        *out = NULL;
    }
    return status;
}
