/* Datasets of mapped files: the same bits as from memory, whatever is done with them, and no more of a
 * large file in memory than a bound. */
#include "data/dataset.h"
#include "network/network.h"
#include "network/targets.h"
#include "support/failing.h"
#include "support/netspec.h"
#include "support/npy_file.h"
#include "support/resident.h"
#include "tensor/mapping.h"
#include "tensor/pages.h"
#include "tensor/rows.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { N = 37, HEIGHT = 6, WIDTH = 5, PIXELS = HEIGHT * WIDTH };

/* -- The same data in memory and mapped -----------------------------------------------------------
 */

typedef enum { SMALL_SET, COLOR_SET, VECTOR_SET, MAP_SET, WIDE_MAP_SET, IMAGE_SET, COPY_SET } kind;

static const struct {
    const char *dims, *net;
    dlviz_dtype samples, targets;
    int ndim, target_ndim;
    int64_t shape[4], target_shape[4];
    bool floats; /* a loss of numbers */
} kinds[] = {
    [SMALL_SET] = {"1x6x5",
                   "c:conv,out=4,k=3 f:flatten l:linear,out=3",
                   DLVIZ_UINT8,
                   DLVIZ_INT64,
                   3,
                   1,
                   {N, HEIGHT, WIDTH},
                   {N},
                   false},
    [COLOR_SET] = {"3x6x5",
                   "c:conv,out=4,k=3 f:flatten l:linear,out=3",
                   DLVIZ_FLOAT32,
                   DLVIZ_UINT8,
                   4,
                   1,
                   {N, 3, HEIGHT, WIDTH},
                   {N},
                   false},
    [VECTOR_SET] = {"11",
                    "l:linear,out=7 r:relu m:linear,out=2",
                    DLVIZ_FLOAT32,
                    DLVIZ_FLOAT32,
                    2,
                    2,
                    {N, 11},
                    {N, 2},
                    true},
    [MAP_SET] = {"1x6x5",
                 "c:conv,out=3,k=3,pad=same",
                 DLVIZ_UINT8,
                 DLVIZ_UINT8,
                 3,
                 3,
                 {N, HEIGHT, WIDTH},
                 {N, HEIGHT, WIDTH},
                 false},
    [WIDE_MAP_SET] = {"2x6x5",
                      "c:conv,out=3,k=3,pad=same",
                      DLVIZ_FLOAT32,
                      DLVIZ_INT64,
                      4,
                      3,
                      {N, 2, HEIGHT, WIDTH},
                      {N, HEIGHT, WIDTH},
                      false},
    [IMAGE_SET] = {"1x6x5",
                   "c:conv,out=2,k=3,pad=same",
                   DLVIZ_UINT8,
                   DLVIZ_FLOAT32,
                   3,
                   4,
                   {N, HEIGHT, WIDTH},
                   {N, 2, HEIGHT, WIDTH},
                   true},
    [COPY_SET] = {"3x6x5",
                  "c:conv,out=3,k=3,pad=same",
                  DLVIZ_UINT8,
                  DLVIZ_FLOAT32,
                  4,
                  1,
                  {N, 3, HEIGHT, WIDTH},
                  {N},
                  true},
};
enum { NUM_KINDS = sizeof kinds / sizeof *kinds };

static dlviz_tensor *numbers(dlviz_dtype dtype, int ndim, const int64_t *dims, bool labels) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, dtype, ndim, dims));
    void *data = dlviz_tensor_data(tensor);
    for (int64_t i = 0; i < dlviz_tensor_num_elements(tensor); i++) {
        uint8_t byte = (uint8_t)(i * 37 + i / 11 * 5 + i / 111);
        if (dtype == DLVIZ_UINT8)
            ((uint8_t *)data)[i] = labels ? byte % 3 : byte;
        else if (dtype == DLVIZ_INT64)
            ((int64_t *)data)[i] = byte % 3;
        else
            ((float *)data)[i] = (float)byte / 200 - 0.4f;
    }
    return tensor;
}

static dlviz_tensor *mapped(const dlviz_tensor *tensor, const char *path) {
    dlviz_tensor *result;
    write_npy_file(path, tensor);
    ck_ok(dlviz_tensor_map_npy(&result, path));
    ck_assert(dlz_rows_are_read(result));
    return result;
}

/* Its files are samples.npy and targets.npy. */
static dlviz_dataset *make_set(kind k, bool is_mapped) {
    dlviz_tensor *samples = numbers(kinds[k].samples, kinds[k].ndim, kinds[k].shape, false);
    dlviz_tensor *targets =
        numbers(kinds[k].targets, kinds[k].target_ndim, kinds[k].target_shape, true);
    dlviz_dataset *set;
    if (is_mapped) {
        dlviz_tensor *in_memory[2] = {samples, targets};
        samples = mapped(samples, scratch_path("samples.npy"));
        targets = mapped(targets, scratch_path("targets.npy"));
        dlviz_tensor_destroy(in_memory[0]);
        dlviz_tensor_destroy(in_memory[1]);
    }
    ck_ok(dlviz_dataset_create(&set, samples, targets));
    if (k == COPY_SET)
        ck_ok(dlviz_dataset_set_targets_to_samples(set));
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(targets);
    return set;
}

/* -- All that is done with datasets, and what comes of it -----------------------------------------
 */

typedef struct results {
    unsigned char *bytes;
    size_t size;
} results;

static void add(results *r, const void *bytes, size_t size) {
    r->bytes = realloc(r->bytes, r->size + size);
    ck_assert_ptr_nonnull(r->bytes);
    memcpy(r->bytes + r->size, bytes, size);
    r->size += size;
}

static void add_tensor(results *r, const dlviz_tensor *tensor) {
    add(r, dlviz_tensor_const_data(tensor),
        (size_t)dlviz_tensor_num_elements(tensor) * dlviz_dtype_size(dlviz_tensor_dtype(tensor)));
}

static void take(results *r, dlviz_tensor *tensor) {
    add_tensor(r, tensor);
    dlviz_tensor_destroy(tensor);
}

static dlviz_network *make_net(kind k) {
    dlviz_network *network = net_from_text(kinds[k].dims, kinds[k].net);
    if (kinds[k].floats)
        ck_ok(dlviz_network_set_loss(network, dlviz_mse()));
    return network;
}

static dlviz_status train(dlviz_network *network, const dlviz_dataset *set,
                          const dlviz_dataset *validation, int64_t epochs) {
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    ck_ok(dlviz_adam_create(&adam, 0.01));
    ck_ok(dlviz_trainer_create(&trainer, network, adam));
    ck_ok(dlviz_trainer_set_batch_size(trainer, 5));
    if (validation)
        ck_ok(dlviz_trainer_set_validation(trainer, validation));
    dlviz_status status = dlviz_trainer_fit(trainer, set, epochs);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(adam);
    return status;
}

static void train_and_predict(results *r, kind k, const dlviz_dataset *set) {
    dlviz_network *network = make_net((kind)k);
    dlviz_dataset *rest, *holdout;
    dlviz_tensor *outputs;
    double figures[2];
    ck_ok(dlviz_dataset_split(set, 9, 5, &rest, &holdout));
    ck_ok(train(network, rest, holdout, 2));
    size_t size;
    void *states = all_states(network, &size);
    add(r, states, size);
    free(states);
    ck_ok(dlviz_network_inspect(network, set, NULL, &figures[0], &figures[1], &outputs, NULL));
    add(r, figures, sizeof figures);
    take(r, outputs);
    ck_ok(dlviz_network_predict(network, holdout, &outputs));
    take(r, outputs);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(rest);
    dlviz_dataset_destroy(holdout);
}

static void walk(results *r, const dlviz_dataset *set, bool augment) {
    dlviz_loader *loader;
    const dlviz_tensor *samples, *targets;
    ck_ok(dlviz_loader_create(&loader, set, 8));
    ck_ok(dlviz_loader_set_shuffle(loader, true));
    ck_ok(dlviz_loader_set_augment(loader, augment));
    for (;;) {
        ck_ok(dlviz_loader_next(loader, &samples, &targets));
        if (!samples)
            break;
        add_tensor(r, samples);
        if (targets)
            add_tensor(r, targets);
        if (dlviz_loader_partner_targets(loader))
            add_tensor(r, dlviz_loader_partner_targets(loader));
    }
    dlviz_loader_destroy(loader);
}

static void look_at(results *r, const dlviz_dataset *set) {
    dlviz_tensor *means, *deviations, *some;
    int64_t counts[3] = {0};
    uint32_t mark = dlz_dataset_mark(set);
    ck_ok(dlviz_dataset_measure(set, &means, &deviations));
    take(r, means);
    take(r, deviations);
    add(r, &mark, sizeof mark);
    dlviz_dataset_class_counts(set, 3, counts);
    add(r, counts, sizeof counts);
    ck_ok(dlviz_dataset_samples(set, 1, 7, &some));
    take(r, some);
    ck_ok(dlviz_dataset_targets(set, 1, 7, &some));
    take(r, some);
}

/* Of `variety` 0 as they are, 1 augmented, 2 mixed besides. Not all kinds have pixels. */
static results use(kind k, dlviz_dataset *set, int variety) {
    results r = {0};
    bool pixels = k != VECTOR_SET;
    if (variety > 0)
        ck_ok(dlviz_dataset_add_augmentation(set, pixels ? dlviz_random_horizontal_flip(0.5)
                                                         : dlviz_random_noise(0.1)));
    if (variety > 1)
        ck_ok(dlviz_dataset_add_augmentation(set, dlviz_mixup(0.5)));
    if (variety == 0 && kinds[k].target_ndim == 1 && k != COPY_SET)
        ck_ok(dlviz_dataset_set_normalization(set, 0.2f, 0.7f));
    look_at(&r, set);
    walk(&r, set, variety > 0);
    train_and_predict(&r, k, set);
    static const int64_t indices[] = {36, 0, 0, 17, 18, 19, 3, 35, 36, 1, 2};
    dlviz_dataset *some, *part;
    ck_ok(dlviz_dataset_select(set, 11, indices, &some));
    ck_ok(dlviz_dataset_take(some, 2, 8, &part));
    look_at(&r, part);
    walk(&r, part, variety > 0);
    train_and_predict(&r, k, some);
    dlviz_dataset_destroy(part);
    dlviz_dataset_destroy(some);
    return r;
}

START_TEST(mapped_samples_give_the_same_bits) {
    dlz_mapping_set_large(1);
    for (int k = 0; k < NUM_KINDS; k++)
        for (int variety = 0; variety < 3; variety++) {
            dlviz_dataset *set = make_set((kind)k, false);
            ck_ok(dlviz_set_num_threads(1));
            results truth = use((kind)k, set, variety);
            dlviz_dataset_destroy(set);
            static const int threads[] = {1, 2, 3, 8};
            for (int t = 0; t < 4; t++) {
                ck_ok(dlviz_set_num_threads(threads[t]));
                set = make_set((kind)k, true);
                ck_assert(dlz_rows_are_read(set->samples));
                results got = use((kind)k, set, variety);
                ck_assert_uint_eq(got.size, truth.size);
                ck_assert_msg(memcmp(got.bytes, truth.bytes, got.size) == 0,
                              "kind %d, variety %d, %d threads", k, variety, threads[t]);
                free(got.bytes);
                dlviz_dataset_destroy(set);
            }
            free(truth.bytes);
        }
    ck_ok(dlviz_set_num_threads(0));
    dlz_mapping_set_large(DLZ_PAGES_LEAST);
}
END_TEST

/* A dataset's tensors are views, and what a view has had written to it only memory has. */
START_TEST(what_was_written_is_what_is_loaded) {
    dlz_mapping_set_large(1);
    const char *path = scratch_path("written.npy");
    dlviz_tensor *memory = numbers(DLVIZ_UINT8, 3, (int64_t[]){N, HEIGHT, WIDTH}, false);
    dlviz_tensor *file = mapped(memory, path), *rows, *loaded;
    dlviz_dataset *set;
    ck_ok(dlviz_tensor_slice(file, 5, 20, &rows));
    ck_assert(dlz_rows_are_read(rows));
    ck_ok(dlviz_dataset_create(&set, rows, NULL));
    for (int written = 0; written < 2; written++) {
        if (written)
            ((uint8_t *)dlviz_tensor_data(file))[(size_t)(5 + 3) * PIXELS + 1] = 255;
        ck_assert(dlz_rows_are_read(set->samples) == !written);
        ck_ok(dlviz_dataset_samples(set, 3, 1, &loaded));
        const uint8_t *stored = dlviz_tensor_const_data(memory);
        for (int p = 0; p < PIXELS; p++)
            ck_assert_float_eq(dlviz_tensor_const_float(loaded)[p],
                               written && p == 1 ? 1 : (float)stored[8 * PIXELS + p] / 255);
        dlviz_tensor_destroy(loaded);
    }
    dlviz_dataset_destroy(set);
    dlviz_tensor_destroy(rows);
    dlviz_tensor_destroy(file);
    dlviz_tensor_destroy(memory);
    dlz_mapping_set_large(DLZ_PAGES_LEAST);
}
END_TEST

/* -- What fails -----------------------------------------------------------------------------------
 */

#define SHORTER "has become shorter than the"

/* Whoever touched the mapping would end the program. */
START_TEST(a_file_that_was_cut_is_an_error) {
    dlz_mapping_set_large(1);
    for (int k = 0; k < NUM_KINDS; k++)
        for (int cut_targets = 0; cut_targets < 2; cut_targets++)
            for (int augment = 0; augment < 2; augment++) {
                bool copied =
                    kinds[k].target_ndim == 1; /* labels are, and COPY_SET has no use for them */
                if (cut_targets && copied)
                    continue;
                dlviz_dataset *set = make_set((kind)k, true);
                dlviz_tensor *tensor, *other;
                dlviz_loader *loader;
                const dlviz_tensor *samples;
                dlviz_network *network = make_net((kind)k);
                const char *path = scratch_path(cut_targets ? "targets.npy" : "samples.npy");
                if (augment && k != VECTOR_SET)
                    ck_ok(dlviz_dataset_add_augmentation(set, dlviz_random_horizontal_flip(0.5)));
                ck_ok(dlviz_loader_create(&loader, set, N));
                ck_ok(dlviz_loader_set_augment(loader, augment));
                ck_assert_int_eq(truncate(path, NPY_HEADER + 3), 0);
                ck_fails(train(network, set, NULL, 1), DLVIZ_ERROR_IO, SHORTER);
                ck_fails(dlviz_network_evaluate(network, set, NULL, NULL), DLVIZ_ERROR_IO, path);
                ck_fails(dlviz_loader_next(loader, &samples, NULL), DLVIZ_ERROR_IO, SHORTER);
                if (cut_targets) {
                    ck_fails(dlviz_dataset_targets(set, 0, N, &tensor), DLVIZ_ERROR_IO, SHORTER);
                } else {
                    ck_fails(dlviz_dataset_samples(set, 0, N, &tensor), DLVIZ_ERROR_IO, SHORTER);
                    ck_fails(dlviz_network_predict(network, set, &tensor), DLVIZ_ERROR_IO, SHORTER);
                    ck_fails(dlviz_dataset_measure(set, &tensor, &other), DLVIZ_ERROR_IO, SHORTER);
                }
                ck_assert_ptr_null(tensor);
                (void)dlz_dataset_mark(set);
                dlviz_loader_destroy(loader);
                dlviz_network_destroy(network);
                dlviz_dataset_destroy(set);
            }
    dlz_mapping_set_large(DLZ_PAGES_LEAST);
}
END_TEST

/* What has no status leaves out what is not there. */
START_TEST(label_maps_that_were_cut_are_an_error) {
    static const kind both[] = {MAP_SET, WIDE_MAP_SET};
    dlz_mapping_set_large(1);
    for (int i = 0; i < 2; i++) {
        kind k = both[i];
        dlviz_dataset *set = make_set(k, true), *part;
        const char *path = scratch_path("labels.npy");
        dlviz_tensor *memory =
            numbers(kinds[k].targets, kinds[k].target_ndim, kinds[k].target_shape, true);
        dlviz_tensor *labels = mapped(memory, path);
        int64_t counts[3], sum = 0;
        ck_assert_int_eq(truncate(path, NPY_HEADER + 3), 0);
        ck_fails(dlviz_dataset_set_targets(set, labels), DLVIZ_ERROR_IO, path);
        ck_assert_int_eq(dlviz_dataset_class_counts(set, 3, counts), 3);
        for (int c = 0; c < 3; c++)
            sum += counts[c];
        ck_assert_int_eq(sum, N * PIXELS); /* those that it had */
        ck_assert_int_eq(truncate(scratch_path("targets.npy"), NPY_HEADER + 3), 0);
        ck_fails(dlviz_dataset_take(set, 5, 2, &part), DLVIZ_ERROR_IO, SHORTER);
        ck_assert_ptr_null(part);
        ck_assert_int_eq(dlviz_dataset_class_counts(set, 3, counts), 3);
        ck_assert_int_eq(counts[0] + counts[1] + counts[2], 0);
        dlviz_tensor_destroy(memory);
        dlviz_tensor_destroy(labels);
        dlviz_dataset_destroy(set);
    }
    dlz_mapping_set_large(DLZ_PAGES_LEAST);
}
END_TEST

typedef struct files {
    kind kind;
    const char *samples, *targets;
} files;

static dlviz_status load_all(const dlviz_dataset *set) {
    dlviz_tensor *some;
    TRY(dlviz_dataset_samples(set, 0, N, &some));
    dlviz_tensor_destroy(some);
    TRY(dlviz_dataset_targets(set, 0, N, &some));
    dlviz_tensor_destroy(some);
    TRY(dlviz_dataset_augmented_samples(set, 1, 0, 0, N, &some));
    dlviz_tensor_destroy(some);
    return DLVIZ_OK;
}

static dlviz_status fit(const files *f, const dlviz_dataset *set) {
    dlviz_network *network = NULL;
    dlviz_optimizer *sgd = NULL;
    dlviz_trainer *trainer = NULL;
    dlviz_status status = dlviz_network_create(&network, 3, (int64_t[]){1, HEIGHT, WIDTH});
    if (status == DLVIZ_OK) {
        dlviz_network_add(network, "c", dlviz_conv2d(f->kind == MAP_SET ? 3 : 2, 1, 0));
        status = dlviz_network_build(network, 1);
    }
    if (status == DLVIZ_OK && f->kind == IMAGE_SET) {
        dlviz_loss *mse = dlviz_mse();
        status = mse ? dlviz_network_set_loss(network, mse) : DLVIZ_ERROR_OUT_OF_MEMORY;
    }
    if (status == DLVIZ_OK)
        status = dlviz_sgd_create(&sgd, 0.1);
    if (status == DLVIZ_OK)
        status = dlviz_trainer_create(&trainer, network, sgd);
    if (status == DLVIZ_OK)
        status = dlviz_trainer_fit(trainer, set, 1);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(sgd);
    dlviz_network_destroy(network);
    return status;
}

static dlviz_status map_and_train(void *context) {
    const files *f = context;
    dlviz_tensor *samples = NULL, *targets = NULL;
    dlviz_dataset *set = NULL;
    dlviz_status status = dlviz_tensor_map_npy(&samples, f->samples);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_map_npy(&targets, f->targets);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_create(&set, samples, targets);
    if (status == DLVIZ_OK) {
        dlviz_augmentation *flip = dlviz_random_horizontal_flip(0.5);
        status = flip ? dlviz_dataset_add_augmentation(set, flip) : DLVIZ_ERROR_OUT_OF_MEMORY;
    }
    if (status == DLVIZ_OK)
        status = load_all(set);
    if (status == DLVIZ_OK)
        status = fit(f, set);
    dlviz_dataset_destroy(set);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(targets);
    return status;
}

START_TEST(each_allocation_fails_once) {
    static const kind both[] = {MAP_SET, IMAGE_SET};
    dlz_mapping_set_large(1);
    ck_ok(dlviz_set_num_threads(1));
    for (int i = 0; i < 2; i++) {
        dlviz_dataset_destroy(make_set(both[i], true));
        files f = {both[i], scratch_path("samples.npy"), scratch_path("targets.npy")};
        ck_assert_int_gt(fail_each_allocation(map_and_train, &f), 30);
    }
    ck_ok(dlviz_set_num_threads(0));
    dlz_mapping_set_large(DLZ_PAGES_LEAST);
}
END_TEST

static atomic_long allocations;

static void *allocate(size_t size, void *user) {
    (void)user;
    atomic_fetch_add(&allocations, 1);
    return malloc(size);
}

static void release(void *block, void *user) {
    (void)user;
    free(block);
}

/* Steps on a set of which there have been some, and how much they allocated. */
static long allocated_by_steps(kind k, dlviz_dataset *set) {
    dlviz_network *network = make_net(k);
    int64_t order[N];
    double mean, sums[1000] = {0};
    dlz_tally tally = {.sums = sums};
    for (int i = 0; i < N; i++)
        order[i] = i * 3 % N;
    for (int step = 0; step < 6; step++) {
        if (step == 2) /* whole batches, and what is left at the end */
            atomic_store(&allocations, 0);
        ck_ok(dlz_network_train_batch(network, "test", set, order, step % 2 ? N : 5, 1, step,
                                      (uint64_t)step, &tally, &mean));
        dlz_dataset_expect(set, order, N);
    }
    long count = atomic_load(&allocations);
    dlviz_network_destroy(network);
    return count;
}

START_TEST(a_step_allocates_nothing) {
    dlz_mapping_set_large(1);
    ck_ok(dlviz_set_allocator(allocate, release, NULL));
    for (int k = 0; k < NUM_KINDS; k++)
        for (int augment = 0; augment < 2; augment++)
            for (int threads = 1; threads < 4; threads += 2) {
                ck_ok(dlviz_set_num_threads(threads));
                dlviz_dataset *set = make_set((kind)k, true);
                if (augment && k != VECTOR_SET)
                    ck_ok(dlviz_dataset_add_augmentation(set, dlviz_random_horizontal_flip(0.5)));
                if (augment)
                    ck_ok(dlviz_dataset_add_augmentation(set, dlviz_mixup(0.5)));
                /* Threads that never were in a file at once before may be now: a block each of samples and
                 * of targets. */
                ck_assert_int_le(allocated_by_steps((kind)k, set), threads == 1 ? 0 : 2 * 3);
                dlviz_dataset_destroy(set);
            }
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
    ck_ok(dlviz_set_num_threads(0));
    dlz_mapping_set_large(DLZ_PAGES_LEAST);
}
END_TEST

/* -- Large files ----------------------------------------------------------------------------------
 */

/* Opens a file of zeros; NULL where the disk has no room for one. */
static dlviz_tensor *zeros(const char *name, dlviz_dtype dtype, int ndim, const int64_t *dims) {
    const char *path = scratch_path(name);
    dlviz_tensor *tensor;
    FILE *file = make_sparse_npy(path, dtype, ndim, dims);
    if (!file)
        return NULL;
    ck_assert_int_eq(fclose(file), 0);
    ck_ok(dlviz_tensor_map_npy(&tensor, path));
    remove(path); /* the mapping keeps it */
    return tensor;
}

static void ck_within(double most, double resident, bool counted) {
    double more = megabytes("VmHWM") - resident;
    if (counted)
        ck_assert_msg(more < most, "%.0f MB are in memory", more);
    else
        printf("SKIP: memory is not counted here\n");
}

static bool count_memory(double *resident) {
    *resident = megabytes("VmRSS");
    return MEMORY_IS_OURS && forget_peak() && megabytes("VmHWM") > 0;
}

/* All that a user does with a set while it trains, and what of the process is in memory meanwhile at
 * most. */
static void ck_trains_within(double most, dlviz_network *network, const dlviz_dataset *set) {
    dlviz_dataset *rest, *holdout;
    dlviz_tensor *outputs, *means, *deviations;
    double resident;
    bool counted = count_memory(&resident);
    ck_ok(dlviz_dataset_split(set, 512, 1, &rest, &holdout));
    ck_ok(train(network, rest, holdout, 1));
    ck_ok(dlviz_network_predict(network, holdout, &outputs));
    ck_ok(dlviz_dataset_measure(holdout, &means, &deviations));
    ck_within(most, resident, counted);
    dlviz_tensor_destroy(outputs);
    dlviz_tensor_destroy(means);
    dlviz_tensor_destroy(deviations);
    dlviz_dataset_destroy(rest);
    dlviz_dataset_destroy(holdout);
    dlviz_network_destroy(network);
}

START_TEST(samples_of_a_large_file_are_not_kept) {
    enum { ROWS = MEMORY_IS_OURS ? 8192 : 1024, COLUMNS = 1 << 16 };
    dlviz_tensor *samples = zeros("large.npy", DLVIZ_FLOAT32, 2, (int64_t[]){ROWS, COLUMNS});
    dlviz_tensor *labels = numbers(DLVIZ_UINT8, 1, (int64_t[]){ROWS}, true);
    dlviz_dataset *set;
    if (!samples)
        return;
    ck_ok(dlviz_dataset_create(&set, samples, labels));
    ck_trains_within(250, net_from_text("65536", "l:linear,out=3"), set);
    dlviz_dataset_destroy(set);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(labels);
}
END_TEST

START_TEST(targets_of_a_large_file_are_not_kept) {
    enum { ROWS = MEMORY_IS_OURS ? 4096 : 1024, SIDE = 256 };
    int64_t dims[] = {ROWS, SIDE, SIDE};
    dlviz_tensor *samples = zeros("large.npy", DLVIZ_UINT8, 3, dims);
    dlviz_tensor *targets = zeros("targets.npy", DLVIZ_FLOAT32, 3, dims);
    dlviz_dataset *set;
    if (!samples || !targets)
        return;
    dlviz_network *network = net_from_text("1x256x256", "c:conv,out=1,k=1");
    ck_ok(dlviz_network_set_loss(network, dlviz_mse()));
    ck_ok(dlviz_dataset_create(&set, samples, targets));
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(targets);
    ck_ok(dlviz_dataset_add_augmentation(set, dlviz_random_horizontal_flip(0.5)));
    ck_trains_within(250, network, set);
    dlviz_dataset_destroy(set);
}
END_TEST

/* Every call that looks at each label of a set. */
static void look_at_labels(const dlviz_tensor *samples, const dlviz_tensor *labels) {
    dlviz_dataset *set, *some;
    dlviz_network *network = net_from_text("1x512x512", "c:conv,out=2,k=1");
    int64_t counts[256], n = dlviz_tensor_dim(labels, 0), few[] = {n - 1, 3, 7};
    ck_ok(dlviz_dataset_create(&set, samples, labels));
    ck_assert_int_eq(dlviz_dataset_num_classes(set), 256);
    dlviz_dataset_class_counts(set, 256, counts);
    ck_assert_int_eq(counts[0], n * 512 * 512 - 1);
    ck_assert_int_eq(counts[255], 1);
    dlviz_loss *loss = dlviz_cross_entropy();
    ck_ok(dlviz_cross_entropy_set_ignored_label(loss, 255));
    ck_ok(dlviz_network_set_loss(network, loss));
    ck_ok(dlz_network_check_targets(network, "test", set));
    ck_ok(dlviz_dataset_take(set, 1, n - 1, &some));
    dlviz_dataset_destroy(some);
    ck_ok(dlviz_dataset_select(set, 3, few, &some));
    dlviz_dataset_destroy(some);
    dlviz_dataset_destroy(set);
    dlviz_network_destroy(network);
}

START_TEST(labels_of_a_large_file_are_not_kept) {
    enum { ROWS = MEMORY_IS_OURS ? 2048 : 600, SIDE = 512 };
    int64_t dims[] = {ROWS, SIDE, SIDE};
    dlviz_tensor *samples = zeros("large.npy", DLVIZ_UINT8, 3, dims), *labels;
    const char *path = scratch_path("labels.npy");
    FILE *file = samples ? make_sparse_npy(path, DLVIZ_UINT8, 3, dims) : NULL;
    double resident;
    if (!file)
        return;
    ck_assert_int_eq(fseeko(file, NPY_HEADER + (off_t)SIDE * SIDE * (ROWS - 2), SEEK_SET), 0);
    ck_assert_int_eq(fputc(255, file), 255);
    ck_assert_int_eq(fclose(file), 0);
    ck_ok(dlviz_tensor_map_npy(&labels, path));
    bool counted = count_memory(&resident);
    look_at_labels(samples, labels);
    ck_within(50, resident, counted);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(labels);
    remove(path);
}
END_TEST

START_TEST(images_of_a_large_idx_file_are_not_kept) {
    /* 1024 or 512 of 1024 x 512 */
    static unsigned char header[] = {0, 0, 8, 3, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 2, 0};
    header[6] = MEMORY_IS_OURS ? 4 : 2;
    const char *path = scratch_path("large-idx3");
    dlviz_tensor *means, *deviations;
    dlviz_dataset *set;
    double resident;
    write_file(path, header, sizeof header);
    if (truncate(path, (off_t)sizeof header + header[6] * 256 * (off_t)(1024 * 512)) != 0)
        return;
    ck_ok(dlviz_dataset_map_idx(&set, path, NULL));
    bool counted = count_memory(&resident);
    ck_ok(dlviz_dataset_measure(set, &means, &deviations));
    ck_within(50, resident, counted);
    dlviz_tensor_destroy(means);
    dlviz_tensor_destroy(deviations);
    dlviz_dataset_destroy(set);
    remove(path);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {mapped_samples_give_the_same_bits,
                                  what_was_written_is_what_is_loaded,
                                  a_file_that_was_cut_is_an_error,
                                  label_maps_that_were_cut_are_an_error,
                                  each_allocation_fails_once,
                                  a_step_allocates_nothing,
                                  samples_of_a_large_file_are_not_kept,
                                  targets_of_a_large_file_are_not_kept,
                                  labels_of_a_large_file_are_not_kept,
                                  images_of_a_large_idx_file_are_not_kept,
                                  NULL};
    return run_tests("mapped training", tests);
}
