/* Datasets whose samples are spread over several processes: what they come to is what one process comes
 * to that has all of them, to the bit. */
#include "support/ranks.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 61, HELD = 13, SIDE = 8, VECTOR = 11, MOST_RANKS = 8 };

/* -- What is trained on --------------------------------------------------------------------------
 */

typedef enum kind { LABELS, VECTORS, NUMBERS, ITSELF, MAPS, KINDS } data_kind;

typedef struct setting {
    data_kind kind;
    int64_t batch;
    bool weights, split, augmented, mixed, resized;
    int64_t stop; /* after so many batches of all, by a callback; 0: never */
} setting;

static dlviz_tensor *new_tensor(dlviz_dtype dtype, int ndim, const int64_t *dims) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, dtype, ndim, dims));
    return tensor;
}

static uint64_t hash(uint64_t x) {
    x = (x + 0x9E3779B97F4A7C15u) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 31) * 0x94D049BB133111EBu;
    return x ^ x >> 29;
}

static void fill(dlviz_tensor *tensor, uint64_t seed, uint64_t below) {
    int64_t size = dlviz_tensor_num_elements(tensor);
    if (dlviz_tensor_dtype(tensor) == DLVIZ_FLOAT32)
        fill_uniform(dlviz_tensor_float(tensor), size, seed);
    for (int64_t i = 0; i < size && dlviz_tensor_dtype(tensor) == DLVIZ_UINT8; i++)
        ((uint8_t *)dlviz_tensor_data(tensor))[i] =
            (uint8_t)(hash(seed * 1000003 + (uint64_t)i) % below);
}

static void new_arrays(data_kind kind, dlviz_tensor **samples, dlviz_tensor **targets) {
    const int64_t images[] = {SAMPLES, 2, SIDE, SIDE}, vectors[] = {SAMPLES, VECTOR};
    const int64_t numbers[] = {SAMPLES, 3}, maps[] = {SAMPLES, SIDE, SIDE};
    *targets = NULL;
    if (kind == VECTORS || kind == NUMBERS)
        *samples = new_tensor(DLVIZ_FLOAT32, 2, vectors);
    else
        *samples = new_tensor(kind == ITSELF ? DLVIZ_FLOAT32 : DLVIZ_UINT8, 4, images);
    if (kind == LABELS || kind == VECTORS)
        *targets = new_tensor(DLVIZ_UINT8, 1, images);
    if (kind == MAPS)
        *targets = new_tensor(DLVIZ_UINT8, 3, maps);
    if (kind == NUMBERS)
        *targets = new_tensor(DLVIZ_FLOAT32, 2, numbers);
    fill(*samples, 5, 256);
    if (*targets)
        fill(*targets, 6, 4);
    /* For figures that are ranks of yes and no. */
    for (int64_t i = 0; kind == NUMBERS && i < SAMPLES * 3; i++)
        dlviz_tensor_float(*targets)[i] = dlviz_tensor_float(*targets)[i] > 0;
}

static void set_weights(dlviz_dataset *dataset, int64_t first) {
    int64_t n = dlviz_dataset_num_samples(dataset);
    dlviz_tensor *weights = new_tensor(DLVIZ_FLOAT32, 1, &n);
    for (int64_t i = 0; i < n; i++)
        dlviz_tensor_float(weights)[i] = (float)(1 + (first + i) % 3);
    ck_ok(dlviz_dataset_set_weights(dataset, weights));
    dlviz_tensor_destroy(weights);
}

/* Samples first … first + count − 1 of all. */
static dlviz_dataset *new_part(const setting *s, int64_t first, int64_t count) {
    dlviz_tensor *samples, *targets, *own, *own_targets = NULL;
    dlviz_dataset *dataset;
    new_arrays(s->kind, &samples, &targets);
    ck_ok(dlviz_tensor_slice(samples, first, count, &own));
    if (targets)
        ck_ok(dlviz_tensor_slice(targets, first, count, &own_targets));
    ck_ok(dlviz_dataset_create(&dataset, own, own_targets));
    if (s->kind == ITSELF)
        ck_ok(dlviz_dataset_set_targets_to_samples(dataset));
    if (s->weights)
        set_weights(dataset, first);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(targets);
    dlviz_tensor_destroy(own);
    dlviz_tensor_destroy(own_targets);
    return dataset;
}

/* Where a rank's samples begin: the first rank has one, the others more and more. */
static int64_t first_of(int64_t rank, int64_t ranks) {
    if (rank == 0 || rank == ranks)
        return rank == 0 ? 0 : SAMPLES;
    return 1 + (SAMPLES - 1) * (rank - 1) * rank / ((ranks - 1) * ranks) + (rank - 1) / 2;
}

static dlviz_status new_dataset(const setting *s, dlviz_comm *comm, dlviz_dataset **out) {
    int64_t rank = dlviz_comm_rank(comm), ranks = dlviz_comm_num_ranks(comm);
    int64_t first = first_of(rank, ranks);
    dlviz_dataset *own = new_part(s, first, first_of(rank + 1, ranks) - first);
    dlviz_status status = dlviz_dataset_join(out, comm, own);
    dlviz_dataset_destroy(own);
    if (status != DLVIZ_OK)
        return status;
    if (s->resized)
        ck_ok(dlviz_dataset_set_normalization(*out, 0.4f, 0.3f));
    if (s->augmented)
        ck_ok(dlviz_dataset_add_augmentation(*out, s->kind == VECTORS || s->kind == NUMBERS
                                                       ? dlviz_random_noise(0.1)
                                                       : dlviz_random_affine(20)));
    if (s->mixed)
        ck_ok(dlviz_dataset_add_augmentation(*out, dlviz_mixup(0.4)));
    return DLVIZ_OK;
}

static void add(dlviz_network *network, const char *name, dlviz_layer *layer) {
    ck_ok(dlviz_network_add(network, name, layer));
}

static dlviz_network *new_network(const setting *s) {
    const int64_t image[] = {2, SIDE, SIDE}, vector[] = {VECTOR};
    bool vectors = s->kind == VECTORS || s->kind == NUMBERS;
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, vectors ? 1 : 3, vectors ? vector : image));
    add(network, "a", vectors ? dlviz_linear(24) : dlviz_conv2d(8, 3, DLVIZ_PAD_SAME));
    add(network, "b", dlviz_batchnorm());
    add(network, "r", dlviz_relu());
    if (s->kind == ITSELF || s->kind == MAPS) {
        add(network, "c", dlviz_conv2d(s->kind == ITSELF ? 2 : 4, 3, DLVIZ_PAD_SAME));
    } else {
        if (!vectors)
            add(network, "f", dlviz_flatten());
        add(network, "d", dlviz_dropout(0.25));
        add(network, "l", dlviz_linear(s->kind == NUMBERS ? 3 : 4));
    }
    if (s->kind == NUMBERS)
        ck_ok(dlviz_network_set_loss(network, dlviz_bce_with_logits()));
    if (s->kind == ITSELF)
        ck_ok(dlviz_network_set_loss(network, dlviz_mse()));
    ck_ok(dlviz_network_build(network, 3));
    return network;
}

/* -- A run ---------------------------------------------------------------------------------------
 */

typedef struct outcome {
    int64_t size;
    double *numbers;
    void *checkpoint; /* of where the callback stopped it */
    size_t checkpoint_size;
} outcome;

typedef struct job {
    const setting *setting;
    const outcome *from; /* to be resumed, or NULL */
    outcome outcomes[MOST_RANKS];
} job;

static void keep(outcome *out, double number) {
    out->numbers = realloc(out->numbers, (size_t)(out->size + 1) * sizeof number);
    ck_assert_ptr_nonnull(out->numbers);
    out->numbers[out->size++] = number;
}

static void keep_all(outcome *out, dlviz_network *network, const dlviz_trainer *trainer) {
    for (int64_t i = 0; i < dlviz_network_num_states(network); i++) {
        dlviz_tensor *state;
        ck_ok(dlviz_network_get_state(network, dlviz_network_state_name(network, i), &state));
        for (int64_t j = 0; j < dlviz_tensor_num_elements(state); j++)
            keep(out, dlviz_tensor_dtype(state) == DLVIZ_FLOAT32
                          ? (double)dlviz_tensor_float(state)[j]
                          : 0);
        dlviz_tensor_destroy(state);
    }
    for (int64_t epoch = 0; epoch < dlviz_trainer_num_epochs(trainer); epoch++)
        for (int64_t i = 0; i < dlviz_trainer_num_figures(trainer); i++) {
            const char *name = dlviz_trainer_figure_name(trainer, i);
            if (!strstr(name, "second"))
                keep(out, dlviz_trainer_history(trainer, epoch, name));
        }
}

static double sum_targets(const dlviz_tensor *outputs, const dlviz_tensor *targets, void *user) {
    (void)user;
    double sum = dlviz_tensor_const_float(outputs)[0];
    for (int64_t i = 0; i < dlviz_tensor_num_elements(targets); i++)
        sum +=
            dlviz_tensor_dtype(targets) == DLVIZ_FLOAT32
                ? (double)dlviz_tensor_const_float(targets)[i] * (double)(i % 7)
                : (double)((const int64_t *)dlviz_tensor_const_data(targets))[i] * (double)(i % 7);
    return sum;
}

typedef struct stopper {
    int64_t left;
} stopper;

static bool go_on(const dlviz_trainer_event *event, void *user) {
    (void)event;
    return --((stopper *)user)->left != 0;
}

static dlviz_status fit(const setting *s, dlviz_comm *comm, dlviz_dataset *train,
                        dlviz_dataset *validation, const outcome *from, outcome *out) {
    dlviz_network *network = new_network(s);
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    stopper stop = {s->stop ? s->stop : -1};
    ck_ok(dlviz_adam_create(&optimizer, 1e-3));
    ck_ok(dlviz_trainer_create(&trainer, network, optimizer));
    ck_ok(dlviz_trainer_set_batch_size(trainer, s->batch));
    ck_ok(dlviz_trainer_set_validation(trainer, validation));
    ck_ok(dlviz_trainer_add_metric(trainer, "own", sum_targets, NULL));
    ck_ok(dlviz_trainer_set_comm(trainer, comm));
    ck_ok(dlviz_trainer_set_batch_callback(trainer, go_on, &stop));
    if (from)
        ck_ok(
            dlviz_trainer_load_checkpoint_memory(trainer, from->checkpoint, from->checkpoint_size));
    dlviz_status status = dlviz_trainer_fit(trainer, train, from ? 1 : 2);
    if (status == DLVIZ_OK) {
        keep_all(out, network, trainer);
        ck_ok(
            dlviz_trainer_save_checkpoint_memory(trainer, &out->checkpoint, &out->checkpoint_size));
    }
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(optimizer);
    dlviz_network_destroy(network);
    return status;
}

static dlviz_status run(const setting *s, dlviz_comm *comm, const outcome *from, outcome *out) {
    dlviz_dataset *all, *train = NULL, *validation = NULL;
    dlviz_status status = new_dataset(s, comm, &all);
    if (status != DLVIZ_OK)
        return status;
    ck_assert_int_eq(dlviz_dataset_num_samples(all), SAMPLES);
    if (s->split)
        ck_ok(dlviz_dataset_split(all, HELD, 3, &train, &validation));
    else
        ck_ok(dlviz_dataset_take(all, 2, SAMPLES - 2, &validation));
    status = fit(s, comm, train ? train : all, validation, from, out);
    dlviz_dataset_destroy(train);
    dlviz_dataset_destroy(validation);
    dlviz_dataset_destroy(all);
    return status;
}

static dlviz_status run_rank(dlviz_comm *comm, void *user) {
    job *j = user;
    return run(j->setting, comm, j->from, &j->outcomes[dlviz_comm_rank(comm)]);
}

static void drop(outcome *out) {
    free(out->numbers);
    dlviz_free(out->checkpoint);
    *out = (outcome){0};
}

static void compare(const outcome *out, const outcome *alone, const char *what, int rank) {
    ck_assert_int_eq(out->size, alone->size);
    for (int64_t i = 0; i < alone->size; i++)
        ck_assert_msg(memcmp(&out->numbers[i], &alone->numbers[i], sizeof(double)) == 0,
                      "%s, rank %d, number %lld of %lld: %a, alone %a", what, rank, (long long)i,
                      (long long)alone->size, out->numbers[i], alone->numbers[i]);
    ck_assert_int_gt(alone->size, 0);
}

static const int all_ranks[] = {2, 3, 4, 8};

static void check(const setting *s) {
    outcome alone = {0};
    ck_ok(dlviz_set_num_threads(2));
    ck_ok(run(s, NULL, NULL, &alone));
    for (size_t i = 0; i < sizeof all_ranks / sizeof *all_ranks; i++) {
        char what[100];
        job j = {.setting = s};
        ranks_trouble trouble = {.delays = i % 2};
        ranks_result results[RANKS_MOST];
        snprintf(what, sizeof what, "kind %d, batch %lld, %d ranks", (int)s->kind,
                 (long long)s->batch, all_ranks[i]);
        ck_ok(dlviz_set_num_threads(1 + (int)i % 2));
        ranks_run_with(&trouble, all_ranks[i], run_rank, &j, results);
        for (int rank = 0; rank < all_ranks[i]; rank++) {
            ck_assert_msg(results[rank].status == DLVIZ_OK, "%s, rank %d: %s", what, rank,
                          results[rank].sentence);
            compare(&j.outcomes[rank], &alone, what, rank);
            drop(&j.outcomes[rank]);
        }
    }
    drop(&alone);
}

/* Batches that are shared, and that are not; with what is left at the end of each kind. */
static const int64_t batches[] = {16, 11, 24};

START_TEST(same_bits) {
    for (data_kind kind = LABELS; kind < KINDS; kind++)
        for (int i = 0; i < 3; i++)
            check(
                &(setting){.kind = kind, .batch = batches[i], .weights = i == 1, .resized = true});
}
END_TEST

START_TEST(same_bits_of_parts) {
    for (data_kind kind = LABELS; kind < KINDS; kind++)
        check(&(setting){.kind = kind, .batch = 16, .split = true});
}
END_TEST

START_TEST(same_bits_of_augmented) {
    for (data_kind kind = LABELS; kind < KINDS; kind++)
        for (int i = 0; i < 2; i++)
            check(&(setting){.kind = kind,
                             .batch = batches[i],
                             .split = i == 1,
                             .weights = true,
                             .augmented = true,
                             .mixed = i == 1});
}
END_TEST

/* -- Checkpoints ---------------------------------------------------------------------------------
 */

/* Some processes stop within an epoch, and others, or one, go on. */
static void check_resumed(const setting *whole, int before, int after, const outcome *alone) {
    setting first = *whole;
    first.stop = 5;
    job stopped = {.setting = &first}, resumed = {.setting = whole};
    if (before == 1)
        ck_ok(run(&first, NULL, NULL, &stopped.outcomes[0]));
    else
        ranks_succeed(before, run_rank, &stopped);
    resumed.from = &stopped.outcomes[0];
    if (after == 1)
        ck_ok(run(whole, NULL, resumed.from, &resumed.outcomes[0]));
    else
        ranks_succeed(after, run_rank, &resumed);
    for (int rank = 0; rank < after; rank++)
        compare(&resumed.outcomes[rank], alone, "resumed", rank);
    for (int rank = 0; rank < MOST_RANKS; rank++) {
        drop(&stopped.outcomes[rank]);
        drop(&resumed.outcomes[rank]);
    }
}

START_TEST(checkpoints_know_no_ranks) {
    for (data_kind kind = LABELS; kind < KINDS; kind++) {
        const setting s = {
            .kind = kind, .batch = 16, .split = kind % 2, .augmented = true, .weights = true};
        outcome alone = {0};
        ck_ok(run(&s, NULL, NULL, &alone));
        check_resumed(&s, 1, 1, &alone);
        check_resumed(&s, 2, 1, &alone);
        check_resumed(&s, 1, 3, &alone);
        check_resumed(&s, 4, 2, &alone);
        drop(&alone);
    }
}
END_TEST

/* -- Trouble --------------------------------------------------------------------------------------
 */

/* Whatever call or allocation fails on one rank, no rank waits for ever, and those that fail say why. */
START_TEST(failures_end_all_ranks) {
    const setting s = {.kind = NUMBERS, .batch = 16};
    job j = {.setting = &s};
    ranks_result results[RANKS_MOST];
    ranks_trouble trouble = {.rank = 1, .allocation = INT64_MAX};
    ranks_run_with(&trouble, 3, run_rank, &j, results);
    int64_t calls = results[1].calls;
    for (int i = 0; i < 3; i++)
        drop(&j.outcomes[i]);
    for (int64_t call = 1; call < calls; call += 1 + calls / 60) {
        trouble = (ranks_trouble){.rank = 1, .call = call};
        ranks_run_with(&trouble, 3, run_rank, &j, results);
        ck_assert_int_ne(results[1].status, DLVIZ_OK);
        for (int i = 0; i < 3; i++) {
            ck_assert(results[i].status == DLVIZ_OK || results[i].sentence[0]);
            drop(&j.outcomes[i]);
        }
    }
}
END_TEST

/* Without its communicator: what is not here is refused, what is here is given. */
static dlviz_status misuse(dlviz_comm *comm, void *user) {
    (void)user;
    const setting s = {.kind = NUMBERS, .batch = 16};
    dlviz_dataset *all, *again;
    dlviz_tensor *tensor;
    outcome out = {0};
    int64_t rank = dlviz_comm_rank(comm);
    TRY(new_dataset(&s, comm, &all));
    ck_assert_ptr_eq(dlviz_dataset_comm(all), comm);
    ck_fails(dlviz_dataset_join(&again, comm, all), DLVIZ_ERROR_INVALID_ARGUMENT, "joined dataset");
    ck_fails(fit(&s, NULL, all, NULL, NULL, &out), DLVIZ_ERROR_STATE, "dlviz_trainer_set_comm");
    ck_ok(dlviz_dataset_samples(all, rank, 1, &tensor));
    dlviz_tensor_destroy(tensor);
    ck_fails(dlviz_dataset_samples(all, 0, 2, &tensor), DLVIZ_ERROR_STATE, "is with rank");
    ck_fails(dlviz_dataset_targets(all, 0, 2, &tensor), DLVIZ_ERROR_STATE, "is with rank");
    dlviz_dataset_destroy(all);
    return DLVIZ_OK;
}

START_TEST(alone_it_is_refused) {
    ranks_succeed(2, misuse, NULL);
}
END_TEST

/* Other kinds of data on rank 1. */
static dlviz_status differ(dlviz_comm *comm, void *user) {
    (void)user;
    const setting s = {.kind = dlviz_comm_rank(comm) == 1 ? VECTORS : LABELS};
    dlviz_dataset *all;
    ck_fails(new_dataset(&s, comm, &all), DLVIZ_ERROR_INVALID_ARGUMENT, "rank 1");
    return DLVIZ_OK;
}

START_TEST(others_are_not_joined) {
    ranks_succeed(3, differ, NULL);
}
END_TEST

/* Lists of names that look alike with commas between the names. */
static const struct {
    int64_t counts[2];
    const char *names[2][2];
} alike[] = {
    {{1, 2}, {{"a, b"}, {"a", "b"}}},
    {{2, 2}, {{"a, b", "c"}, {"a", "b, c"}}},
    {{1, 0}, {{""}, {NULL}}},
};

static dlviz_status join_alike(dlviz_comm *comm, void *user) {
    const int *which = user;
    int64_t rank = dlviz_comm_rank(comm), count = alike[*which].counts[rank];
    dlviz_tensor *samples = new_tensor(DLVIZ_FLOAT32, 2, (int64_t[]){4, 3});
    dlviz_tensor *labels = new_tensor(DLVIZ_UINT8, 1, (int64_t[]){4});
    dlviz_dataset *own, *all;
    ck_ok(dlviz_dataset_create(&own, samples, labels));
    if (count > 0) {
        ck_ok(dlviz_dataset_set_num_classes(own, count));
        ck_ok(dlviz_dataset_set_class_names(own, count, alike[*which].names[rank]));
    }
    ck_fails(dlviz_dataset_join(&all, comm, own), DLVIZ_ERROR_INVALID_ARGUMENT, "classes");
    dlviz_dataset_destroy(own);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(labels);
    return DLVIZ_OK;
}

START_TEST(names_of_classes_are_compared_each) {
    for (int i = 0; i < (int)(sizeof alike / sizeof *alike); i++)
        ranks_succeed(2, join_alike, &i);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {same_bits,
                                  same_bits_of_parts,
                                  same_bits_of_augmented,
                                  checkpoints_know_no_ranks,
                                  failures_end_all_ranks,
                                  alone_it_is_refused,
                                  others_are_not_joined,
                                  names_of_classes_are_compared_each,
                                  NULL};
    return run_tests("joined datasets", tests);
}
