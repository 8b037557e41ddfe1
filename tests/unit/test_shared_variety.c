/* Training by several processes with all that a trainer, a dataset, a loss and a network can be
 * set to: the bits of one process. */
#include "support/ranks.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 9
#define CHANNELS 3
#define PIXELS (SIDE * SIDE)

typedef struct variety {
    const char *name;
    void (*layers)(dlviz_network *network);
    enum { CLASSES, PIXEL_CLASSES, NUMBERS } targets;
    int64_t samples, batch, validation;
    dlviz_loss *(*loss)(void);
    void (*dataset)(dlviz_dataset *dataset);
    void (*network)(dlviz_network *network);
    void (*trainer)(dlviz_trainer *trainer);
    dlviz_status (*optimizer)(dlviz_optimizer **out);
} variety;

/* -- Networks ------------------------------------------------------------------------------------
 */

static void add(dlviz_network *network, const char *name, dlviz_layer *layer) {
    ck_ok(dlviz_network_add(network, name, layer));
}

static void add_plain(dlviz_network *net) {
    add(net, "c1", dlviz_conv2d(8, 3, DLVIZ_PAD_SAME));
    add(net, "b1", dlviz_batchnorm());
    add(net, "r1", dlviz_relu());
    add(net, "p1", dlviz_maxpool2d(2));
    add(net, "d1", dlviz_dropout(0.25));
    add(net, "c2", dlviz_conv2d(16, 3, 1));
    add(net, "b2", dlviz_batchnorm());
    add(net, "r2", dlviz_relu());
    add(net, "f", dlviz_flatten());
    add(net, "l1", dlviz_linear(33));
    add(net, "r3", dlviz_relu());
    add(net, "d2", dlviz_dropout(0.5));
    add(net, "l2", dlviz_linear(4));
}

static dlviz_layer *strided(int64_t out, int64_t kernel, int64_t padding, int64_t stride,
                            int64_t dilation) {
    dlviz_layer *layer = dlviz_conv2d(out, kernel, padding);
    ck_ok(dlviz_conv2d_set_stride(layer, stride, stride));
    ck_ok(dlviz_conv2d_set_dilation(layer, dilation, dilation));
    return layer;
}

static dlviz_layer *transposed(int64_t out, int64_t groups, bool bias) {
    dlviz_layer *layer = dlviz_conv_transpose2d(out, 3, 2);
    ck_ok(dlviz_conv_transpose2d_set_groups(layer, groups));
    ck_ok(dlviz_conv_transpose2d_set_padding(layer, 1, 1));
    ck_ok(dlviz_conv_transpose2d_set_bias(layer, bias));
    return layer;
}

static dlviz_layer *plain_batchnorm(void) {
    dlviz_layer *layer = dlviz_batchnorm();
    ck_ok(dlviz_batchnorm_set_affine(layer, false));
    return layer;
}

/* An image out: strides, dilation, transposed convolutions, norms, and a sum of two inputs. */
static void add_dense(dlviz_network *net) {
    add(net, "c1", strided(8, 3, 1, 2, 1));
    add(net, "g1", dlviz_groupnorm(4));
    add(net, "a1", dlviz_silu());
    add(net, "c2", strided(8, 3, 2, 1, 2));
    add(net, "i2", dlviz_instancenorm2d());
    add(net, "a2", dlviz_leaky_relu(0.1));
    add(net, "d2", dlviz_dropout2d(0.3));
    ck_ok(dlviz_network_add_from(net, "cat", dlviz_concat(), 2, (const char *[]){"d2", "a1"}));
    add(net, "b3", plain_batchnorm());
    add(net, "t3", transposed(6, 2, true));
    add(net, "b4", dlviz_batchnorm());
    add(net, "r4", dlviz_elu(1));
    add(net, "c5", dlviz_conv2d(4, 1, 0));
}

/* Numbers out, of pools, a gate, padding and softmax. */
static void add_mixed(dlviz_network *net) {
    add(net, "pad", dlviz_pad(1, 2, 0, 1));
    add(net, "c1", dlviz_conv2d(10, 5, 2));
    add(net, "ln", dlviz_layernorm());
    add(net, "a1", dlviz_gelu());
    add(net, "avg", dlviz_avgpool2d(2));
    add(net, "up", dlviz_upsample(2, 2));
    add(net, "t1", transposed(10, 1, false));
    add(net, "a2", dlviz_tanh());
    add(net, "ad", dlviz_adaptive_avgpool2d(4, 3));
    add(net, "gate", dlviz_conv2d(10, 1, 0));
    add(net, "s", dlviz_sigmoid());
    ck_ok(dlviz_network_add_from(net, "times", dlviz_multiply(), 2, (const char *[]){"s", "ad"}));
    add(net, "f", dlviz_flatten());
    add(net, "l1", dlviz_linear(300));
    add(net, "bn", dlviz_batchnorm());
    add(net, "h", dlviz_hardswish());
    add(net, "l2", dlviz_linear(5));
    add(net, "sm", dlviz_softplus());
}

/* -- Losses and settings -------------------------------------------------------------------------
 */

static dlviz_loss *smoothed(void) {
    dlviz_loss *loss = dlviz_cross_entropy();
    const double weights[] = {1, 0.3, 2.7, 0.9};
    ck_ok(dlviz_cross_entropy_set_label_smoothing(loss, 0.1));
    ck_ok(dlviz_cross_entropy_set_class_weights(loss, 4, weights));
    ck_ok(dlviz_cross_entropy_set_ignored_label(loss, 3));
    return loss;
}

static dlviz_loss *huber(void) {
    return dlviz_huber(0.7);
}

static void weigh(dlviz_dataset *dataset) {
    int64_t n = dlviz_dataset_num_samples(dataset);
    dlviz_tensor *weights;
    ck_ok(dlviz_tensor_create(&weights, DLVIZ_FLOAT32, 1, &n));
    fill_uniform(dlviz_tensor_float(weights), n, 9);
    for (int64_t i = 0; i < n; i++) /* the first batches weigh nothing, or almost */
        dlviz_tensor_float(weights)[i] = i % 3 == 0 ? 0 : 1 + dlviz_tensor_float(weights)[i];
    ck_ok(dlviz_dataset_set_weights(dataset, weights));
    dlviz_tensor_destroy(weights);
}

static void augment(dlviz_dataset *dataset) {
    ck_ok(dlviz_dataset_add_augmentation(dataset, dlviz_random_shift(2, 2)));
    ck_ok(dlviz_dataset_add_augmentation(dataset, dlviz_random_horizontal_flip(0.5)));
    ck_ok(dlviz_dataset_add_augmentation(dataset, dlviz_random_noise(0.1)));
}

static void augment_images(dlviz_dataset *dataset) {
    augment(dataset);
    ck_ok(dlviz_dataset_set_label_fill(dataset, 3));
}

static void augment_and_mix(dlviz_dataset *dataset) {
    augment(dataset);
    weigh(dataset);
    ck_ok(dlviz_dataset_add_augmentation(dataset, dlviz_mixup(0.4)));
}

static void freeze_norm(dlviz_network *network) {
    ck_ok(dlviz_network_freeze(network, "b1.*"));
    ck_ok(dlviz_network_freeze(network, "c2.weight"));
}

static void freeze_first(dlviz_network *network) {
    ck_ok(dlviz_network_freeze(network, "c1.*"));
    ck_ok(dlviz_network_freeze(network, "b*.running_*"));
    ck_ok(dlviz_network_freeze(network, "l1.bias"));
}

static void average_and_stop(dlviz_trainer *trainer) {
    ck_ok(dlviz_trainer_set_averaging(trainer, 0.7));
    ck_ok(dlviz_trainer_set_clip_value(trainer, 0.01));
    ck_ok(dlviz_trainer_set_early_stopping(trainer, "validation_loss", DLVIZ_BETTER_HIGHER, 1));
    ck_ok(dlviz_trainer_set_drop_last(trainer, true));
}

static void follow_loss(dlviz_trainer *trainer) {
    ck_ok(dlviz_trainer_set_schedule(trainer, dlviz_plateau(0.5, 0)));
    ck_ok(dlviz_trainer_set_accumulation(trainer, 3));
    ck_ok(dlviz_trainer_set_clip_norm(trainer, 0.05));
}

static void cycle(dlviz_trainer *trainer) {
    ck_ok(dlviz_trainer_set_schedule(trainer, dlviz_one_cycle(1e-2, 6)));
    ck_ok(dlviz_trainer_set_averaging(trainer, 0.9));
}

static dlviz_status momentum(dlviz_optimizer **out) {
    ck_ok(dlviz_sgd_create(out, 1e-2));
    ck_ok(dlviz_sgd_set_momentum(*out, 0.9, 0, true));
    ck_ok(dlviz_optimizer_set_weight_decay(*out, 1e-2));
    return dlviz_optimizer_set_rate_factor(*out, "l1.*", 0.25);
}

static dlviz_status amsgrad(dlviz_optimizer **out) {
    ck_ok(dlviz_adamw_create(out, 1e-3));
    ck_ok(dlviz_adam_set_amsgrad(*out, true));
    return dlviz_optimizer_set_decay_weights_only(*out, true);
}

static dlviz_status centered(dlviz_optimizer **out) {
    ck_ok(dlviz_rmsprop_create(out, 1e-3));
    ck_ok(dlviz_rmsprop_set_centered(*out, true));
    return dlviz_rmsprop_set_momentum(*out, 0.5);
}

static dlviz_status lion(dlviz_optimizer **out) {
    return dlviz_lion_create(out, 1e-3);
}

static const variety varieties[] = {
    {"plain", add_plain, CLASSES, 40, 16, 33, NULL, weigh, freeze_norm, average_and_stop, momentum},
    {"smoothed", add_plain, CLASSES, 56, 24, 7, smoothed, augment_and_mix, NULL, follow_loss,
     amsgrad},
    {"frozen", add_plain, CLASSES, 24, 8, 1, dlviz_cross_entropy, augment, freeze_first, cycle,
     lion},
    {"dense", add_dense, PIXEL_CLASSES, 40, 16, 17, smoothed, augment_images, NULL, follow_loss,
     centered},
    {"numbers", add_mixed, NUMBERS, 56, 40, 300, huber, weigh, NULL, cycle, amsgrad},
    {"momentum", add_mixed, NUMBERS, 18, 8, 6, dlviz_mse, augment, NULL, average_and_stop,
     momentum},
    {"few", add_plain, CLASSES, 8, 64, 2, NULL, NULL, NULL, NULL, lion},
    {"fewer", add_plain, CLASSES, 3, 8, 3, NULL, NULL, NULL, NULL, amsgrad},
};
enum { VARIETIES = sizeof varieties / sizeof *varieties };

/* -- A run ---------------------------------------------------------------------------------------
 */

static dlviz_dataset *new_dataset(const variety *v, int64_t samples, uint64_t seed) {
    const int64_t dims[] = {samples, CHANNELS, SIDE, SIDE};
    const int64_t shapes[][4] = {{samples}, {samples, SIDE, SIDE}, {samples, 5}};
    const int ndims[] = {1, 3, 2};
    dlviz_tensor *inputs, *targets;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, 4, dims));
    fill_uniform(dlviz_tensor_float(inputs), samples * CHANNELS * PIXELS, seed);
    bool numbers = v->targets == NUMBERS;
    ck_ok(dlviz_tensor_create(&targets, numbers ? DLVIZ_FLOAT32 : DLVIZ_INT64, ndims[v->targets],
                              shapes[v->targets]));
    int64_t count = dlviz_tensor_num_elements(targets);
    if (numbers)
        fill_uniform(dlviz_tensor_float(targets), count, seed + 1);
    for (int64_t i = 0; i < count && !numbers; i++)
        ((int64_t *)dlviz_tensor_data(targets))[i] = (i * 7 + i / 5) % 4;
    ck_ok(dlviz_dataset_create(&dataset, inputs, targets));
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(targets);
    return dataset;
}

static dlviz_network *new_network(const variety *v) {
    const int64_t dims[] = {CHANNELS, SIDE, SIDE};
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, dims));
    v->layers(network);
    if (v->loss)
        ck_ok(dlviz_network_set_loss(network, v->loss()));
    ck_ok(dlviz_network_build(network, 3));
    if (v->network)
        v->network(network);
    return network;
}

typedef struct numbers {
    int64_t size;
    float *all;
} numbers;

static void keep(numbers *to, const void *values, int64_t count) {
    to->all = realloc(to->all, (size_t)(to->size + count) * sizeof *to->all);
    ck_assert_ptr_nonnull(to->all);
    memcpy(to->all + to->size, values, (size_t)count * sizeof *to->all);
    to->size += count;
}

static void keep_states(numbers *to, const dlviz_network *network) {
    for (int64_t i = 0; i < dlviz_network_num_states(network); i++) {
        dlviz_tensor *state;
        ck_ok(dlviz_network_get_state(network, dlviz_network_state_name(network, i), &state));
        if (dlviz_tensor_dtype(state) == DLVIZ_FLOAT32)
            keep(to, dlviz_tensor_const_float(state), dlviz_tensor_num_elements(state));
        dlviz_tensor_destroy(state);
    }
}

static void keep_all(numbers *to, const dlviz_network *network, dlviz_trainer *trainer) {
    keep_states(to, network);
    for (int64_t epoch = 0; epoch < dlviz_trainer_num_epochs(trainer); epoch++) {
        const double losses[] = {dlviz_trainer_history(trainer, epoch, "train_loss"),
                                 dlviz_trainer_history(trainer, epoch, "validation_loss")};
        keep(to, losses, 4);
    }
    if (dlviz_trainer_averaging(trainer) > 0) {
        ck_ok(dlviz_trainer_exchange_average(trainer));
        keep_states(to, network);
    }
}

static dlviz_status train(const variety *v, dlviz_comm *comm, numbers *out) {
    dlviz_network *network = new_network(v);
    dlviz_dataset *dataset = new_dataset(v, v->samples, 5);
    dlviz_dataset *validation = new_dataset(v, v->validation, 6);
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    if (v->dataset)
        v->dataset(dataset);
    ck_ok(v->optimizer(&optimizer));
    ck_ok(dlviz_trainer_create(&trainer, network, optimizer));
    ck_ok(dlviz_trainer_set_batch_size(trainer, v->batch));
    ck_ok(dlviz_trainer_set_validation(trainer, validation));
    ck_ok(dlviz_trainer_set_comm(trainer, comm));
    if (v->trainer)
        v->trainer(trainer);
    dlviz_status status = dlviz_trainer_fit(trainer, dataset, 2);
    if (status == DLVIZ_OK)
        status = dlviz_trainer_fit(trainer, dataset, 1);
    if (status == DLVIZ_OK)
        keep_all(out, network, trainer);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(optimizer);
    dlviz_dataset_destroy(dataset);
    dlviz_dataset_destroy(validation);
    dlviz_network_destroy(network);
    return status;
}

typedef struct job {
    const variety *variety;
    numbers ranks[8];
} job;

static dlviz_status train_rank(dlviz_comm *comm, void *user) {
    job *j = user;
    return train(j->variety, comm, &j->ranks[dlviz_comm_rank(comm)]);
}

static void check(const variety *v, int ranks, const numbers *alone) {
    job j = {.variety = v};
    ranks_succeed(ranks, train_rank, &j);
    for (int rank = 0; rank < ranks; rank++) {
        const numbers *own = &j.ranks[rank];
        ck_assert_int_eq(own->size, alone->size);
        for (int64_t i = 0; i < alone->size; i++)
            ck_assert_msg(memcmp(&own->all[i], &alone->all[i], sizeof(float)) == 0,
                          "%s: %d ranks, rank %d, number %lld of %lld: %a, alone %a", v->name,
                          ranks, rank, (long long)i, (long long)alone->size, (double)own->all[i],
                          (double)alone->all[i]);
        free(own->all);
    }
}

START_TEST(same_bits_of_all_settings) {
    const int ranks[] = {2, 3, 5, 6, 7, 8};
    for (int i = 0; i < VARIETIES; i++) {
        numbers alone = {0};
        ck_ok(dlviz_set_num_threads(2));
        ck_ok(train(&varieties[i], NULL, &alone));
        ck_assert_int_gt(alone.size, 0);
        for (int k = 0; k < 6; k++) {
            ck_ok(dlviz_set_num_threads(1 + k % 2));
            check(&varieties[i], ranks[k], &alone);
        }
        free(alone.all);
    }
}
END_TEST

/* -- Validation sets that differ -----------------------------------------------------------------
 */

typedef struct refusal {
    dlviz_status status;
    char sentence[300];
    int64_t rows; /* of rank 1's set; 0: it has none */
} refusal;

static dlviz_status validate_otherwise(dlviz_comm *comm, void *user) {
    const variety *v = &varieties[VARIETIES - 2];
    int64_t rank = dlviz_comm_rank(comm);
    refusal *out = (refusal *)user + rank;
    dlviz_network *network = new_network(v);
    dlviz_dataset *dataset = new_dataset(v, v->samples, 5);
    dlviz_dataset *validation = rank != 1       ? new_dataset(v, 20, 6)
                                : out->rows > 0 ? new_dataset(v, out->rows, 7)
                                                : NULL;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    ck_ok(v->optimizer(&optimizer));
    ck_ok(dlviz_trainer_create(&trainer, network, optimizer));
    ck_ok(dlviz_trainer_set_validation(trainer, validation));
    ck_ok(dlviz_trainer_set_comm(trainer, comm));
    out->status = dlviz_trainer_fit(trainer, dataset, 1);
    snprintf(out->sentence, sizeof out->sentence, "%s", dlviz_last_error());
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(optimizer);
    dlviz_dataset_destroy(dataset);
    dlviz_dataset_destroy(validation);
    dlviz_network_destroy(network);
    return out->status;
}

START_TEST(other_validation_sets_are_refused) {
    const int64_t rows[] = {20, 0}; /* as many, but others; none */
    for (int i = 0; i < 2; i++) {
        refusal out[3] = {{.rows = 0}, {.rows = rows[i]}};
        ranks_result results[3];
        ranks_run(3, validate_otherwise, out, results);
        for (int rank = 0; rank < 3; rank++) {
            ck_assert_int_eq(out[rank].status, DLVIZ_ERROR_INVALID_ARGUMENT);
            ck_assert_msg(strstr(out[rank].sentence, "validation") &&
                              strstr(out[rank].sentence, "rank 1"),
                          "%s", out[rank].sentence);
        }
    }
}
END_TEST

/* -- Figures that differ -------------------------------------------------------------------------
 */

/* Better with each epoch, but for rank 0. */
typedef struct own_metric {
    int64_t rank;
    double calls;
} own_metric;

static double count_calls(const dlviz_tensor *outputs, const dlviz_tensor *targets, void *user) {
    own_metric *metric = user;
    (void)outputs, (void)targets;
    metric->calls++;
    return metric->rank == 0 ? 0 : metric->calls;
}

static dlviz_status stop_by_own_figure(dlviz_comm *comm, void *user) {
    const variety *v = &varieties[VARIETIES - 2];
    int64_t *epochs = user;
    dlviz_network *network = new_network(v);
    dlviz_dataset *dataset = new_dataset(v, v->samples, 5);
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    ck_ok(v->optimizer(&optimizer));
    ck_ok(dlviz_trainer_create(&trainer, network, optimizer));
    own_metric metric = {.rank = dlviz_comm_rank(comm)};
    ck_ok(dlviz_trainer_set_validation(trainer, dataset));
    ck_ok(dlviz_trainer_add_metric(trainer, "own", count_calls, &metric));
    ck_ok(dlviz_trainer_set_early_stopping(trainer, "validation_own", DLVIZ_BETTER_HIGHER, 2));
    ck_ok(dlviz_trainer_set_comm(trainer, comm));
    dlviz_status status = dlviz_trainer_fit(trainer, dataset, 9);
    epochs[dlviz_comm_rank(comm)] = dlviz_trainer_num_epochs(trainer);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(optimizer);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
    return status;
}

START_TEST(all_stop_where_rank_0_does) {
    int64_t epochs[3] = {0};
    ranks_succeed(3, stop_by_own_figure, epochs);
    for (int rank = 0; rank < 3; rank++)
        ck_assert_int_eq(epochs[rank], 3);
}
END_TEST

/* -- Callbacks of one rank that change something --------------------------------------------------
 */

typedef struct meddler {
    int what; /* of `meddlings` */
    int64_t rank;
    dlviz_trainer *trainer;
    dlviz_optimizer *optimizer;
    dlviz_network *network;
    dlviz_status status;
    char sentence[400];
    int64_t batches; /* that the callback has seen */
} meddler;

static void set_rate(const meddler *m) {
    ck_ok(dlviz_optimizer_set_learning_rate(m->optimizer, 0.25));
}

static void set_decay(const meddler *m) {
    ck_ok(dlviz_optimizer_set_weight_decay(m->optimizer, 0.125));
}

static void clip(const meddler *m) {
    ck_ok(dlviz_trainer_set_clip_value(m->trainer, 0.5));
}

static void validate(const meddler *m) {
    const variety plain = {.layers = add_plain, .targets = CLASSES, .samples = 16};
    dlviz_dataset *dataset = new_dataset(&plain, plain.samples, 6);
    ck_ok(dlviz_trainer_set_validation(m->trainer, dataset));
    dlviz_dataset_destroy(dataset);
}

static void stop_early(const meddler *m) {
    ck_ok(dlviz_trainer_set_early_stopping(m->trainer, "train_loss", DLVIZ_BETTER_LOWER, 1));
}

static void freeze(const meddler *m) {
    ck_ok(dlviz_network_freeze(m->network, "l1.*"));
}

static void set_states(const meddler *m) {
    dlviz_tensor *bias;
    ck_ok(dlviz_network_get_state(m->network, "l2.bias", &bias));
    dlviz_tensor_float(bias)[0] += 1;
    ck_ok(dlviz_network_set_state(m->network, "l2.bias", bias));
    dlviz_tensor_destroy(bias);
}

static void set_factor(const meddler *m) {
    ck_ok(dlviz_optimizer_set_rate_factor(m->optimizer, "l1.weight", 0.5));
}

/* After batch 1 of the first epoch; `batches`: when the fit ends, at the latest 6, with the epoch. */
static const struct meddling {
    void (*change)(const meddler *m);
    int64_t batches;
    const char *told;
} meddlings[] = {
    {set_rate, 2, "rate 0.25"},    {set_decay, 2, "decay 0.125"}, {clip, 2, "value 0.5"},
    {freeze, 2, "frozen"},         {stop_early, 2, "patience 1"}, {validate, 2, "16 samples"},
    {set_states, 6, "parameters"}, {set_factor, 6, "parameters"}, {NULL, 1, "learning rate 0.75"},
};
enum { MEDDLINGS = sizeof meddlings / sizeof *meddlings };

static bool meddle(const dlviz_trainer_event *event, void *user) {
    meddler *m = user;
    const struct meddling *meddling = &meddlings[m->what];
    m->batches++;
    if (m->rank == 1 && meddling->change && dlviz_trainer_event_batch(event) == 1)
        meddling->change(m);
    return true;
}

static double own_rate(const dlviz_schedule_event *event, void *user) {
    (void)event;
    return ((const meddler *)user)->rank == 1 ? 0.75 : 0.5;
}

static dlviz_status train_meddling(dlviz_comm *comm, void *user) {
    const variety plain = {.layers = add_plain, .targets = CLASSES, .samples = 48};
    meddler *m = (meddler *)user + dlviz_comm_rank(comm);
    dlviz_dataset *dataset = new_dataset(&plain, plain.samples, 5);
    m->rank = dlviz_comm_rank(comm);
    m->network = new_network(&plain);
    ck_ok(dlviz_sgd_create(&m->optimizer, 0.5));
    ck_ok(dlviz_trainer_create(&m->trainer, m->network, m->optimizer));
    ck_ok(dlviz_trainer_set_batch_size(m->trainer, 8));
    ck_ok(dlviz_trainer_set_comm(m->trainer, comm));
    ck_ok(dlviz_trainer_set_batch_callback(m->trainer, meddle, m));
    if (!meddlings[m->what].change)
        ck_ok(dlviz_trainer_set_schedule(m->trainer, dlviz_schedule_custom(own_rate, m)));
    m->status = dlviz_trainer_fit(m->trainer, dataset, 2);
    snprintf(m->sentence, sizeof m->sentence, "%s", dlviz_last_error());
    dlviz_trainer_destroy(m->trainer);
    dlviz_optimizer_destroy(m->optimizer);
    dlviz_network_destroy(m->network);
    dlviz_dataset_destroy(dataset);
    return m->status;
}

START_TEST(what_one_rank_changes_is_refused) {
    for (int what = 0; what < MEDDLINGS; what++) {
        meddler all[3] = {{.what = what}, {.what = what}, {.what = what}};
        ranks_result results[3];
        ranks_run(3, train_meddling, all, results);
        for (int rank = 0; rank < 3; rank++) {
            /* The first to know tells the others, some of which may not have come to it. */
            ck_assert_msg(all[rank].status == DLVIZ_ERROR_INVALID_ARGUMENT ||
                              all[rank].status == DLVIZ_ERROR_COMM,
                          "%d: %d (%s)", what, (int)all[rank].status, all[rank].sentence);
            ck_assert_msg(strstr(all[rank].sentence, meddlings[what].told) &&
                              strstr(all[rank].sentence, "rank 1"),
                          "%d: %s", what, all[rank].sentence);
            ck_assert_int_eq(all[rank].batches, meddlings[what].batches);
        }
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {same_bits_of_all_settings, all_stop_where_rank_0_does,
                                  what_one_rank_changes_is_refused,
                                  other_validation_sets_are_refused, NULL};
    return run_tests("shared variety", tests);
}
