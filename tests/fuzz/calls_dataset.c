/* Calls of dlviz/dataset.h and loader.h. */
#include "calls.h"

void see_dataset(const dlviz_dataset *dataset) {
    int64_t index = an_index(), counts[8];
    float means[4], deviations[4];
    int64_t samples = dlviz_dataset_num_samples(dataset);
    require(!dataset == (samples < 1), "a dataset has samples");
    see_dims(dlviz_dataset_ndim(dataset), dlviz_dataset_dims(dataset));
    see_dims(dlviz_dataset_target_ndim(dataset), dlviz_dataset_target_dims(dataset));
    see_text(dlviz_dataset_sample_path(dataset, index));
    see_text(dlviz_dataset_class_name(dataset, index));
    see_count(dlviz_dataset_normalization(dataset, 4, means, deviations));
    see_count(dlviz_dataset_normalization(dataset, an_int() > 0 ? 0 : -1, NULL, NULL));
    if (is_small_dataset(dataset))
        require(dlviz_dataset_class_counts(dataset, 8, counts) ==
                    dlviz_dataset_num_classes(dataset),
                "a count for each class");
    see_tensor(dlviz_dataset_labels(dataset));
    see_tensor(dlviz_dataset_weights(dataset));
    (void)dlviz_dataset_targets_are_samples(dataset);
    (void)dlviz_dataset_comm(dataset);
    see_count(dlviz_dataset_num_augmentations(dataset));
    see_augmentation(dlviz_dataset_augmentation(dataset, index));
    see_number(dlviz_dataset_fill(dataset));
    require(!dlviz_dataset_labels(dataset) ||
                dlviz_tensor_dim(dlviz_dataset_labels(dataset), 0) == samples,
            "a label for each sample");
}

static const dlviz_tensor *some_samples(void) {
    int64_t dims[] = {few_rows(), 1 + below(3), 3 + below(6), 3 + below(6)};
    return fitting(a_bool() ? DLVIZ_UINT8 : DLVIZ_FLOAT32, a_bool() ? 4 : 2, dims, FILL_SHARES);
}

static void make_dataset(void) {
    const dlviz_tensor *samples = a_bool() ? a_tensor() : some_samples();
    int64_t rows = rows_of(samples);
    const dlviz_tensor *targets =
        one_in(4)   ? NULL
        : one_in(4) ? fitting(DLVIZ_FLOAT32, 2, (int64_t[]){rows, 1 + below(4)}, FILL_SHARES)
                    : labels_of(rows);
    if (one_in(6))
        MAKE(dataset, dlviz_dataset_create_from_hwc(out, samples, targets));
    else
        MAKE(dataset, dlviz_dataset_create(out, samples, targets));
}

/* Maps of labels, or of numbers, of the samples' size. */
static const dlviz_tensor *maps_for(const dlviz_dataset *dataset) {
    const int64_t *dims = dlviz_dataset_dims(dataset);
    bool images = dlviz_dataset_ndim(dataset) == 3;
    int64_t shape[] = {dlviz_dataset_num_samples(dataset), images ? dims[1] : 2,
                       images ? dims[2] : 2};
    return a_bool() ? fitting(DLVIZ_UINT8, 3, shape, FILL_LABELS)
                    : fitting(DLVIZ_FLOAT32, 3, shape, FILL_SHARES);
}

static uint64_t targets_mark(const dlviz_dataset *dataset) {
    uint64_t kind = (uint64_t)dlviz_dataset_num_classes(dataset) * 8 +
                    (uint64_t)dlviz_dataset_target_ndim(dataset);
    return mark_of(dlviz_dataset_labels(dataset), mark_of(dlviz_dataset_weights(dataset), kind));
}

static void set_targets(dlviz_dataset *dataset) {
    int64_t samples = dlviz_dataset_num_samples(dataset);
    uint64_t before = targets_mark(dataset);
    const dlviz_tensor *given;
    dlviz_status status;
    switch (below(4)) {
    case 0:
        given = one_in(4) ? NULL : labels_of(samples);
        status = CALL(dlviz_dataset_set_targets(dataset, given));
        break;
    case 1:
        given = maps_for(dataset);
        status = CALL(dlviz_dataset_set_targets(dataset, given));
        break;
    case 2:
        status = CALL(dlviz_dataset_set_targets_to_samples(dataset));
        require(status != DLVIZ_OK || dlviz_dataset_targets_are_samples(dataset),
                "targets are the samples");
        break;
    default:
        given = one_in(4) ? NULL : fitting(DLVIZ_FLOAT32, 1, &samples, FILL_SHARES);
        status = CALL(dlviz_dataset_set_weights(dataset, given));
        require(status != DLVIZ_OK ||
                    (!given == !dlviz_dataset_weights(dataset) && is_finite_tensor(given)),
                "weights");
    }
    require(status == DLVIZ_OK || targets_mark(dataset) == before,
            "targets that are refused change nothing");
}

static void set_classes(dlviz_dataset *dataset) {
    int64_t classes = one_in(8) ? an_int() : below(NUM_NAMES + 1);
    dlviz_status status = CALL(dlviz_dataset_set_num_classes(dataset, classes));
    require(status != DLVIZ_OK || dlviz_dataset_num_classes(dataset) == classes, "so many classes");
    if (a_bool()) {
        classes = dlviz_dataset_num_classes(dataset);
        classes = one_in(6) ? below(NUM_NAMES + 2) - 1 : classes;
        (void)CALL(dlviz_dataset_set_class_names(dataset, classes <= NUM_NAMES ? classes : 0,
                                                 some_names()));
    }
}

static void set_normalization(dlviz_dataset *dataset) {
    float means[16], deviations[16];
    int64_t count = below(8);
    for (int i = 0; i < 16; i++) {
        means[i] = (float)i / 16;
        deviations[i] = 0.5f;
    }
    if (one_in(4))
        means[below(3)] = (float)a_share();
    if (one_in(4))
        deviations[below(3)] = (float)a_number();
    const int64_t *dims = dlviz_dataset_dims(dataset);
    if (dims && dims[0] <= 16 && !one_in(8))
        count = dims[0];
    dlviz_status status =
        a_bool() ? CALL(dlviz_dataset_set_normalization(dataset, means[0], deviations[0]))
                 : CALL(dlviz_dataset_set_channel_normalization(dataset, count, means, deviations));
    if (status == DLVIZ_OK && dlviz_dataset_normalization(dataset, 16, means, deviations) > 0)
        require(deviations[0] > 0 && means[0] - means[0] == 0,
                "a mean and a deviation that are numbers");
}

static void cut(const dlviz_dataset *dataset) {
    int64_t first = an_index(), count = a_size(), indices[8];
    for (int i = 0; i < 8; i++)
        indices[i] = below(10) - one_in(20);
    switch (below(3)) {
    case 0:
        MAKE(dataset, dlviz_dataset_take(dataset, first, count, out));
        break;
    case 1:
        count = below(10) - 1;
        MAKE(dataset, dlviz_dataset_select(dataset, count <= 8 ? count : 8, indices, out));
        break;
    default: {
        dlviz_dataset *rest = NOT_MADE, *holdout = NOT_MADE;
        int64_t samples = dlviz_dataset_num_samples(dataset);
        dlviz_status status = CALL(dlviz_dataset_split(dataset, count, a_seed(), &rest, &holdout));
        bool made = was_made(status, true, rest);
        if (was_made(status, true, holdout) && made) {
            require(dlviz_dataset_num_samples(holdout) == count &&
                        dlviz_dataset_num_samples(rest) == samples - count,
                    "parts of the sizes that were asked for");
            keep_dataset(rest);
            keep_dataset(holdout);
        }
    }
    }
}

static void get_samples(const dlviz_dataset *dataset) {
    int64_t first = an_index(), count = a_size(), epoch;
    if (!is_small_dataset(dataset))
        return;
    switch (below(4)) {
    case 0:
        MAKE(tensor, dlviz_dataset_samples(dataset, first, count, out));
        break;
    case 1:
        MAKE(tensor, dlviz_dataset_targets(dataset, first, count, out));
        break;
    case 2: {
        epoch = an_index();
        MAKE(tensor, dlviz_dataset_augmented_samples(dataset, a_seed(), epoch, first, count, out));
        break;
    }
    default: {
        dlviz_tensor *means = NOT_MADE, *deviations = NOT_MADE;
        dlviz_status status = CALL(dlviz_dataset_measure(dataset, &means, &deviations));
        bool made = was_made(status, true, means);
        if (was_made(status, true, deviations) && made) {
            require(is_finite_tensor(means) && is_finite_tensor(deviations), "finite measures");
            keep_tensor(means);
            keep_tensor(deviations);
        }
    }
    }
}

static void make_loader(void) {
    const dlviz_dataset *dataset = a_dataset();
    int64_t batch_size = a_size();
    if (is_small_dataset(dataset))
        MAKE(loader, dlviz_loader_create(out, dataset, batch_size));
}

static void use_loader(void) {
    dlviz_loader *loader = a_loader();
    const dlviz_tensor *samples = NOT_MADE, *targets = NOT_MADE;
    dlviz_status status;
    bool flag = a_bool();
    if (!loader && !one_in(8)) {
        make_loader();
        return;
    }
    switch (below(9)) {
    case 0:
    case 1:
    case 2:
    case 3:
        status = CALL(dlviz_loader_next(loader, &samples, flag ? &targets : NULL));
        require(status == DLVIZ_OK || samples == NULL, "a batch of a failure");
        require(status == DLVIZ_OK || !flag || targets == NULL, "targets of a failure");
        see_tensor(samples);
        if (flag)
            see_tensor(targets);
        break;
    case 4:
        status = CALL(dlviz_loader_set_shuffle(loader, flag));
        require(status != DLVIZ_OK || dlviz_loader_is_shuffled(loader) == flag, "a setting");
        break;
    case 5:
        (void)CALL(dlviz_loader_set_seed(loader, a_seed()));
        break;
    case 6:
        status = CALL(dlviz_loader_set_drop_last(loader, flag));
        require(status != DLVIZ_OK || dlviz_loader_drops_last(loader) == flag, "a setting");
        break;
    case 7:
        status = CALL(dlviz_loader_set_augment(loader, flag));
        require(status != DLVIZ_OK || !dlviz_loader_augments(loader) || flag, "a setting");
        break;
    default:
        status = CALL(dlviz_loader_rewind(loader, an_index()));
    }
    see_tensor(dlviz_loader_weights(loader));
    see_tensor(dlviz_loader_shares(loader));
    see_tensor(dlviz_loader_partner_targets(loader));
    (void)dlviz_loader_seed(loader);
    see_count(dlviz_loader_batch_size(loader));
    see_count(dlviz_loader_num_batches(loader));
    see_count(dlviz_loader_epoch(loader));
}

void call_dataset(void) {
    dlviz_dataset *dataset = a_dataset();
    int64_t height, width;
    switch (!dataset && !one_in(8) ? 0 : below(18)) {
    case 0:
    case 1:
    case 2:
        make_dataset();
        break;
    case 3:
    case 4:
        set_targets(dataset);
        break;
    case 5:
        set_classes(dataset);
        break;
    case 6:
        set_normalization(dataset);
        break;
    case 7:
        height = a_size();
        width = one_in(10) ? a_size() : height;
        (void)CALL(dlviz_dataset_set_image_size(dataset, height, width));
        break;
    case 8:
    case 9:
        cut(dataset);
        break;
    case 10:
    case 11:
        get_samples(dataset);
        break;
    case 12:
        make_loader();
        break;
    case 13:
    case 14:
        use_loader();
        break;
    case 15:
        see_dataset(dataset);
        break;
    case 16: {
        dlviz_comm *comm = a_comm();
        MAKE(dataset, dlviz_dataset_join(out, comm, dataset));
        break;
    }
    default:
        if (a_bool())
            drop_dataset();
        else
            drop_loader();
    }
}
