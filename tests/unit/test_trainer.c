/* Training runs: history, callbacks, schedules, refusals. Checkpoints are in test_checkpoint.c. */
#include "support/netspec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

/* A dataset of n inputs of the network's shape, labeled by the sign of their first numbers, so
 * that there is something to learn. */
static dlviz_dataset *make_dataset(const net_spec *spec, int64_t n, int64_t classes,
                                   uint64_t seed) {
    dlviz_tensor *inputs = input_tensor(spec, n, seed, false),
                 *labels = label_tensor(n, classes, 0);
    int64_t width = product(spec->ndim, spec->dims);
    dlviz_dataset *dataset;
    for (int64_t i = 0; i < n; i++) {
        const float *x = dlviz_tensor_const_float(inputs) + i * width;
        int64_t label = (x[0] > 0) + 2 * (width > 1 && x[1] > 0);
        ((int64_t *)dlviz_tensor_data(labels))[i] = label % classes;
    }
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    return dataset;
}

typedef struct run {
    net_spec spec;
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    dlviz_dataset *train, *validation;
} run;

static run start(const char *dims, const char *net, int64_t n, double learning_rate) {
    run r;
    parse_net(&r.spec, dims, net);
    int64_t classes = r.spec.layers[r.spec.count - 1].dims[0];
    r.network = build_net(&r.spec, 1);
    fill_states(r.network, 1, false);
    r.train = make_dataset(&r.spec, n, classes, 11);
    r.validation = make_dataset(&r.spec, 20, classes, 12);
    ck_ok(dlviz_sgd_create(&r.optimizer, learning_rate));
    ck_ok(dlviz_trainer_create(&r.trainer, r.network, r.optimizer));
    return r;
}

static void stop(run *r) {
    dlviz_trainer_destroy(r->trainer);
    dlviz_optimizer_destroy(r->optimizer);
    dlviz_network_destroy(r->network);
    dlviz_dataset_destroy(r->train);
    dlviz_dataset_destroy(r->validation);
}

START_TEST(arguments_are_checked) {
    run r = start("6", "fc:linear,out=4", 10, 0.1);
    dlviz_trainer *t = (dlviz_trainer *)1;
    dlviz_network *raw;
    ck_fails(dlviz_trainer_create(NULL, r.network, r.optimizer), INVALID, "out");
    ck_fails(dlviz_trainer_create(&t, NULL, r.optimizer), INVALID, "network");
    ck_assert_ptr_null(t);
    ck_fails(dlviz_trainer_create(&t, r.network, NULL), INVALID, "optimizer");
    ck_ok(dlviz_network_create(&raw, 1, (int64_t[]){3}));
    ck_fails(dlviz_trainer_create(&t, raw, r.optimizer), DLVIZ_ERROR_STATE, "built");
    dlviz_network_destroy(raw);
    ck_fails(dlviz_trainer_set_batch_size(r.trainer, 0), INVALID, "0");
    ck_fails(dlviz_trainer_set_batch_size(r.trainer, -8), INVALID, "-8");
    ck_fails(dlviz_trainer_set_batch_size(NULL, 8), INVALID, "trainer");
    ck_fails(dlviz_trainer_fit(r.trainer, NULL, 1), INVALID, "train");
    ck_fails(dlviz_trainer_fit(NULL, r.train, 1), INVALID, "trainer");
    ck_fails(dlviz_trainer_fit(r.trainer, r.train, -1), INVALID, "-1");
    ck_assert_int_eq(dlviz_trainer_num_epochs(r.trainer), 0);
    ck_assert(isnan(dlviz_trainer_history(r.trainer, 0, "train_loss")));
    dlviz_trainer_destroy(NULL);
    stop(&r);
}
END_TEST

START_TEST(datasets_are_checked) {
    run r = start("6", "fc:linear,out=3", 10, 0.1);
    net_spec other;
    parse_net(&other, "7", "fc:linear,out=3");
    dlviz_dataset *misshapen = make_dataset(&other, 5, 3, 1),
                  *beyond = make_dataset(&r.spec, 40, 4, 1);
    dlviz_dataset *unlabeled;
    dlviz_tensor *inputs = input_tensor(&r.spec, 5, 1, false);
    size_t size;
    void *before = all_states(r.network, &size), *after;
    ck_ok(dlviz_dataset_create(&unlabeled, inputs, NULL));
    ck_fails(dlviz_trainer_fit(r.trainer, misshapen, 1), DLVIZ_ERROR_SHAPE, "7");
    ck_fails(dlviz_trainer_fit(r.trainer, unlabeled, 1), INVALID, "label");
    ck_fails(dlviz_trainer_fit(r.trainer, beyond, 1), INVALID, "3");
    const struct {
        dlviz_dataset *set;
        dlviz_status status;
    } bad[] = {{misshapen, DLVIZ_ERROR_SHAPE}, {unlabeled, INVALID}, {beyond, INVALID}};
    for (int i = 0; i < 3; i++) {
        /* A bad validation set is found before training begins, when it is set or when it is used.
         */
        dlviz_status status = dlviz_trainer_set_validation(r.trainer, bad[i].set);
        if (status == DLVIZ_OK)
            status = dlviz_trainer_fit(r.trainer, r.train, 1);
        ck_assert_int_eq(status, bad[i].status);
        ck_ok(dlviz_trainer_set_validation(r.trainer, NULL));
    }
    after = all_states(r.network, &size);
    ck_assert_msg(memcmp(before, after, size) == 0, "a refused dataset changed the network");
    free(before);
    free(after);
    ck_assert_int_eq(dlviz_trainer_num_epochs(r.trainer), 0);
    ck_ok(dlviz_trainer_fit(r.trainer, r.train, 1));
    dlviz_tensor_destroy(inputs);
    dlviz_dataset_destroy(misshapen);
    dlviz_dataset_destroy(unlabeled);
    dlviz_dataset_destroy(beyond);
    stop(&r);
}
END_TEST

START_TEST(one_batch_is_a_step_by_hand) {
    run r = start("6", "fc1:linear,out=8 r:relu fc2:linear,out=4", 32, 0.5);
    dlviz_network *hand = build_net(&r.spec, 1);
    dlviz_optimizer *sgd;
    dlviz_tensor *inputs, *states[2];
    ck_ok(dlviz_sgd_create(&sgd, 0.5));
    fill_states(hand, 1, false);
    ck_ok(dlviz_trainer_set_batch_size(r.trainer, 100));
    ck_ok(dlviz_trainer_set_validation(r.trainer, r.validation));
    ck_ok(dlviz_dataset_samples(r.train, 0, 32, &inputs));
    for (int epoch = 0; epoch < 5; epoch++) {
        double loss, accuracy, validation_loss, validation_accuracy;
        ck_ok(dlviz_network_evaluate(hand, r.train, NULL, &accuracy));
        ck_ok(dlviz_network_backward(hand, inputs, dlviz_dataset_labels(r.train), 0, 0, &loss));
        ck_ok(dlviz_optimizer_step(sgd, hand));
        ck_ok(dlviz_network_evaluate(hand, r.validation, &validation_loss, &validation_accuracy));
        ck_ok(dlviz_trainer_fit(r.trainer, r.train, 1));
        dlviz_trainer *t = r.trainer;
        ck_assert_double_eq_tol(dlviz_trainer_history(t, epoch, "train_loss"), loss, 1e-5);
        ck_assert_double_eq_tol(dlviz_trainer_history(t, epoch, "train_accuracy"), accuracy, 1e-9);
        ck_assert_double_eq_tol(dlviz_trainer_history(t, epoch, "validation_loss"), validation_loss,
                                1e-5);
        ck_assert_double_eq_tol(dlviz_trainer_history(t, epoch, "validation_accuracy"),
                                validation_accuracy, 1e-9);
        ck_assert_double_eq(dlviz_trainer_history(t, epoch, "learning_rate"), 0.5);
        ck_assert_double_gt(dlviz_trainer_history(t, epoch, "seconds"), 0);
        ck_assert_double_gt(dlviz_trainer_history(t, epoch, "samples_per_second"), 0);
    }
    ck_assert_int_eq(dlviz_trainer_num_epochs(r.trainer), 5);
    ck_assert(isnan(dlviz_trainer_history(r.trainer, 5, "train_loss")));
    ck_assert(isnan(dlviz_trainer_history(r.trainer, -1, "train_loss")));
    ck_assert(isnan(dlviz_trainer_history(r.trainer, 0, "test_loss")));
    ck_ok(dlviz_network_get_state(hand, "fc1.weight", &states[0]));
    ck_ok(dlviz_network_get_state(r.network, "fc1.weight", &states[1]));
    ck_assert_double_le(relative_error(dlviz_tensor_const_float(states[1]),
                                       dlviz_tensor_const_float(states[0]), 48),
                        1e-5);
    dlviz_tensor_destroy(states[0]);
    dlviz_tensor_destroy(states[1]);
    dlviz_tensor_destroy(inputs);
    dlviz_optimizer_destroy(sgd);
    dlviz_network_destroy(hand);
    stop(&r);
}
END_TEST

START_TEST(a_small_last_batch_counts_by_its_images) {
    /* At rate 0 nothing moves: the mean over the images must be the loss of the whole set,
     * whichever of them came last. */
    run r = start("6", "fc1:linear,out=8 r:relu fc2:linear,out=4", 10, 0);
    double loss, accuracy;
    ck_ok(dlviz_network_evaluate(r.network, r.train, &loss, &accuracy));
    ck_ok(dlviz_trainer_set_batch_size(r.trainer, 4));
    for (uint64_t seed = 0; seed < 5; seed++) {
        ck_ok(dlviz_trainer_set_seed(r.trainer, seed));
        ck_ok(dlviz_trainer_fit(r.trainer, r.train, 1));
        int last = (int)dlviz_trainer_num_epochs(r.trainer) - 1;
        ck_assert_double_eq_tol(dlviz_trainer_history(r.trainer, last, "train_loss"), loss,
                                1e-6 * loss);
        ck_assert_double_eq_tol(dlviz_trainer_history(r.trainer, last, "train_accuracy"), accuracy,
                                1e-9);
        ck_assert(isnan(dlviz_trainer_history(r.trainer, last, "validation_loss")));
        ck_assert(isnan(dlviz_trainer_history(r.trainer, last, "validation_accuracy")));
    }
    ck_assert_int_eq(dlviz_optimizer_num_steps(r.optimizer), 15);
    stop(&r);
}
END_TEST

/* One-hot images, weight 0 and rate 1: what is left of column i of the weight says how often image i
 * came. */
START_TEST(a_last_batch_can_be_left_out) {
    net_spec spec;
    parse_net(&spec, "30", "fc:linear,out=2,bias=0");
    dlviz_network *network = build_net(&spec, 1);
    dlviz_tensor *inputs, *labels, *weight, *zeros;
    dlviz_dataset *dataset;
    dlviz_optimizer *sgd;
    dlviz_trainer *trainer;
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, 2, (int64_t[]){30, 30}));
    ck_ok(dlviz_tensor_create(&labels, DLVIZ_INT64, 1, (int64_t[]){30}));
    ck_ok(dlviz_tensor_create(&zeros, DLVIZ_FLOAT32, 2, (int64_t[]){2, 30}));
    for (int i = 0; i < 30; i++)
        dlviz_tensor_float(inputs)[i * 31] = 1;
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    ck_ok(dlviz_sgd_create(&sgd, 1));
    ck_ok(dlviz_trainer_create(&trainer, network, sgd));
    ck_assert(!dlviz_trainer_drops_last(trainer));
    ck_ok(dlviz_trainer_set_drop_last(trainer, true));
    ck_assert(dlviz_trainer_drops_last(trainer));
    ck_ok(dlviz_trainer_set_batch_size(trainer, 7));
    int times[30] = {0}, most = 0;
    for (int epoch = 0; epoch < 3; epoch++) {
        int left_out = 0;
        ck_ok(dlviz_network_set_state(network, "fc.weight", zeros));
        ck_ok(dlviz_trainer_fit(trainer, dataset, 1));
        ck_ok(dlviz_network_get_state(network, "fc.weight", &weight));
        for (int i = 0; i < 30; i++) {
            double moved = (double)dlviz_tensor_const_float(weight)[i];
            ck_assert(moved == 0 || fabs(moved - 0.5 / 7) < 1e-6);
            left_out += moved == 0;
            times[i] += moved == 0;
        }
        ck_assert_int_eq(left_out, 2);
        ck_assert_int_eq(dlviz_optimizer_num_steps(sgd), 4 * (epoch + 1));
        dlviz_tensor_destroy(weight);
    }
    for (int i = 0; i < 30; i++)
        most = times[i] > most ? times[i] : most;
    ck_assert_int_lt(most, 3); /* not the same ones in each epoch */
    /* A batch of all is a whole one; a larger one is none. */
    ck_ok(dlviz_trainer_set_batch_size(trainer, 30));
    ck_ok(dlviz_trainer_fit(trainer, dataset, 1));
    ck_ok(dlviz_trainer_set_batch_size(trainer, 31));
    ck_fails(dlviz_trainer_fit(trainer, dataset, 1), INVALID,
             "30 samples in batches of 31: there is no whole batch, and others are left out "
             "(dlviz_trainer_set_drop_last)");
    ck_assert_int_eq(dlviz_trainer_num_epochs(trainer), 4);
    ck_ok(dlviz_trainer_set_drop_last(trainer, false));
    ck_ok(dlviz_trainer_fit(trainer, dataset, 1));
    ck_assert_int_eq(dlviz_trainer_num_epochs(trainer), 5);
    ck_fails(dlviz_trainer_set_drop_last(NULL, true), INVALID, "trainer");
    ck_assert(!dlviz_trainer_drops_last(NULL));
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(sgd);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_tensor_destroy(zeros);
}
END_TEST

static bool make_batches_too_large(const dlviz_trainer_event *event, void *user) {
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    (void)user;
    if (dlviz_trainer_batches_done(trainer) > 0)
        ck_fails(dlviz_trainer_set_drop_last(trainer, false), DLVIZ_ERROR_STATE, "under way");
    else
        ck_ok(dlviz_trainer_set_batch_size(trainer, 11));
    return true;
}

START_TEST(a_callback_cannot_leave_every_batch_out) {
    run r = start("6", "fc:linear,out=4", 10, 0.1);
    ck_ok(dlviz_trainer_set_batch_size(r.trainer, 4));
    ck_ok(dlviz_trainer_set_drop_last(r.trainer, true));
    ck_ok(dlviz_trainer_set_batch_callback(r.trainer, make_batches_too_large, NULL));
    ck_ok(dlviz_trainer_set_epoch_callback(r.trainer, make_batches_too_large, NULL));
    ck_fails(dlviz_trainer_fit(r.trainer, r.train, 3), INVALID, "10 samples in batches of 11");
    ck_assert_int_eq(dlviz_trainer_num_epochs(r.trainer), 1);
    ck_assert_int_eq(dlviz_optimizer_num_steps(r.optimizer), 2);
    stop(&r);
}
END_TEST

typedef struct calls {
    int batches, epochs, stop_batch, stop_epoch, last_done;
    int64_t total;
} calls;

static bool on_batch(const dlviz_trainer_event *event, void *user) {
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    calls *c = user;
    c->batches++;
    c->last_done = (int)dlviz_trainer_batches_done(trainer);
    c->total = dlviz_trainer_num_batches(trainer);
    ck_assert_int_eq(c->last_done, (c->batches - 1) % 3 + 1);
    ck_assert(isfinite(dlviz_trainer_current(trainer, "train_loss")));
    ck_assert(isfinite(dlviz_trainer_current(trainer, "train_accuracy")));
    ck_assert(isnan(dlviz_trainer_current(trainer, "validation_loss")));
    ck_assert_double_eq(dlviz_trainer_current(trainer, "learning_rate"), 0.1);
    return c->batches != c->stop_batch;
}

static bool on_epoch(const dlviz_trainer_event *event, void *user) {
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    calls *c = user;
    c->epochs++;
    ck_assert_int_eq(dlviz_trainer_num_epochs(trainer), c->epochs);
    ck_assert(isfinite(dlviz_trainer_history(trainer, c->epochs - 1, "train_loss")));
    return c->epochs != c->stop_epoch;
}

START_TEST(callbacks_see_everything_and_stop) {
    run r = start("6", "fc1:linear,out=8 r:relu fc2:linear,out=4", 10, 0.1);
    run straight = start("6", "fc1:linear,out=8 r:relu fc2:linear,out=4", 10, 0.1);
    calls c = {.stop_batch = 8, .stop_epoch = 3};
    ck_ok(dlviz_trainer_set_batch_size(r.trainer, 4));
    ck_ok(dlviz_trainer_set_batch_callback(r.trainer, on_batch, &c));
    ck_ok(dlviz_trainer_set_epoch_callback(r.trainer, on_epoch, &c));
    ck_stops(r.trainer, r.train, 5);
    ck_assert_int_eq(c.batches, 8); /* in the third epoch */
    ck_assert_int_eq(c.epochs, 2);
    ck_assert_int_eq(c.total, 3);
    ck_assert_int_eq(dlviz_trainer_num_epochs(r.trainer), 2);
    ck_assert_int_eq(dlviz_trainer_batches_done(r.trainer), 2);
    /* The unfinished epoch counts as one of the next call's; its callback stops that. */
    ck_stops(r.trainer, r.train, 2);
    ck_assert_int_eq(c.batches, 9);
    ck_assert_int_eq(dlviz_trainer_num_epochs(r.trainer), 3);
    ck_ok(dlviz_trainer_fit(r.trainer, r.train, 2));
    ck_assert_int_eq(c.batches, 15);
    ck_assert_int_eq(c.epochs, 5);
    ck_ok(dlviz_trainer_set_batch_callback(r.trainer, NULL, NULL));
    ck_ok(dlviz_trainer_set_epoch_callback(r.trainer, NULL, NULL));
    ck_ok(dlviz_trainer_fit(r.trainer, r.train, 1));
    ck_assert_int_eq(c.epochs, 5);
    /* Interruptions change nothing. */
    ck_ok(dlviz_trainer_set_batch_size(straight.trainer, 4));
    ck_ok(dlviz_trainer_fit(straight.trainer, straight.train, 6));
    assert_same_states(r.network, straight.network);
    for (int e = 0; e < 6; e++)
        ck_assert_double_eq(dlviz_trainer_history(r.trainer, e, "train_loss"),
                            dlviz_trainer_history(straight.trainer, e, "train_loss"));
    stop(&r);
    stop(&straight);
}
END_TEST

#define BLOCK                                                                                      \
    "c:conv,out=8,k=3,pad=same b:bn r:relu p:pool,k=2 d:dropout,p=0.25 f:flatten fc:linear,out=4"

/* After the last of 3 batches, the next epoch's rate; of the second epoch, also ends the fit. */
static bool set_next_rate(const dlviz_trainer_event *event, void *user) {
    double rates[] = {0.25, 0.125, 0.0625};
    int64_t epoch = dlviz_trainer_event_epoch(event);
    if (dlviz_trainer_event_batch(event) < 2)
        return true;
    ck_ok(dlviz_optimizer_set_learning_rate(user, rates[epoch]));
    return epoch != 1;
}

START_TEST(the_history_has_the_rate_of_the_last_step) {
    run r = start("6", "fc1:linear,out=8 fc2:linear,out=4", 12, 0.5);
    ck_ok(dlviz_trainer_set_batch_size(r.trainer, 4));
    ck_ok(dlviz_trainer_set_validation(r.trainer, r.validation));
    ck_ok(dlviz_trainer_set_batch_callback(r.trainer, set_next_rate, r.optimizer));
    ck_stops(r.trainer, r.train, 3);
    ck_assert_int_eq(dlviz_trainer_num_epochs(r.trainer), 1);
    ck_ok(dlviz_trainer_fit(r.trainer, r.train, 2));
    const double rates[] = {0.5, 0.25, 0.125};
    for (int e = 0; e < 3; e++)
        ck_assert_double_eq(dlviz_trainer_history(r.trainer, e, "learning_rate"), rates[e]);
    stop(&r);
}
END_TEST

START_TEST(seeds_decide_and_threads_do_not) {
    void *states[5];
    size_t size;
    const int threads[] = {1, 1, 2, 8, 3};
    for (int i = 0; i < 5; i++) {
        run r = start("1x8x8", BLOCK, 50, 0.1);
        ck_ok(dlviz_set_num_threads(threads[i]));
        ck_ok(dlviz_trainer_set_batch_size(r.trainer, 16));
        ck_ok(dlviz_trainer_set_seed(r.trainer, i == 1 ? 6 : 5));
        ck_ok(dlviz_trainer_fit(r.trainer, r.train, 3));
        states[i] = all_states(r.network, &size);
        stop(&r);
    }
    ck_assert_int_ne(memcmp(states[0], states[1], size), 0);
    for (int i = 2; i < 5; i++)
        ck_assert_msg(memcmp(states[0], states[i], size) == 0, "%d threads give other bits than 1",
                      threads[i]);
    for (int i = 0; i < 5; i++)
        free(states[i]);
}
END_TEST

START_TEST(every_image_comes_once_an_epoch) {
    /* One-hot images, weight 0 and rate 1: image i moves column i of the weight alone, in the first
     * epoch by the same amount for every image, if it comes once. */
    net_spec spec;
    parse_net(&spec, "30", "fc:linear,out=2,bias=0");
    dlviz_network *network = build_net(&spec, 1);
    dlviz_tensor *inputs, *labels, *weight;
    dlviz_dataset *dataset;
    dlviz_optimizer *sgd;
    dlviz_trainer *trainer;
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, 2, (int64_t[]){30, 30}));
    ck_ok(dlviz_tensor_create(&labels, DLVIZ_INT64, 1, (int64_t[]){30}));
    ck_ok(dlviz_tensor_create(&weight, DLVIZ_FLOAT32, 2, (int64_t[]){2, 30}));
    for (int i = 0; i < 30; i++)
        dlviz_tensor_float(inputs)[i * 31] = 1;
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    ck_ok(dlviz_network_set_state(network, "fc.weight", weight));
    ck_ok(dlviz_sgd_create(&sgd, 1));
    ck_ok(dlviz_trainer_create(&trainer, network, sgd));
    ck_ok(dlviz_trainer_set_batch_size(trainer, 5));
    ck_ok(dlviz_trainer_fit(trainer, dataset, 1));
    dlviz_tensor_destroy(weight);
    ck_ok(dlviz_network_get_state(network, "fc.weight", &weight));
    for (int i = 0; i < 30; i++)
        ck_assert_double_eq_tol(dlviz_tensor_const_float(weight)[i], 0.5 / 5, 1e-6);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(sgd);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_tensor_destroy(weight);
}
END_TEST

START_TEST(the_schedule_sees_the_loss) {
    /* Inputs of 0 and no bias: the loss stays log 4 and every epoch but the first is a bad one. */
    for (int with_validation = 0; with_validation < 2; with_validation++) {
        run r = start("6", "fc:linear,out=4,bias=0", 10, 1);
        dlviz_tensor *zeros, *labels = label_tensor(10, 4, 1);
        dlviz_dataset *dataset;
        ck_ok(dlviz_tensor_create(&zeros, DLVIZ_FLOAT32, 2, (int64_t[]){10, 6}));
        ck_ok(dlviz_dataset_create(&dataset, zeros, labels));
        ck_ok(dlviz_trainer_set_schedule(r.trainer, dlviz_plateau(0.5, 0)));
        if (with_validation)
            ck_ok(dlviz_trainer_set_validation(r.trainer, dataset));
        ck_ok(dlviz_trainer_fit(r.trainer, dataset, 4));
        const double rates[] = {1, 1, 0.5, 0.25};
        for (int e = 0; e < 4; e++)
            ck_assert_double_eq(dlviz_trainer_history(r.trainer, e, "learning_rate"), rates[e]);
        ck_assert_double_eq(dlviz_optimizer_learning_rate(r.optimizer), 0.125);
        ck_assert_double_eq_tol(dlviz_trainer_history(r.trainer, 3, "train_loss"), log(4), 1e-6);
        dlviz_dataset_destroy(dataset);
        dlviz_tensor_destroy(zeros);
        dlviz_tensor_destroy(labels);
        stop(&r);
    }
}
END_TEST

START_TEST(a_loss_that_is_no_number_ends_training) {
    run r = start("6", "fc1:linear,out=8 fc2:linear,out=4", 64, 1e30);
    ck_ok(dlviz_trainer_set_batch_size(r.trainer, 4));
    ck_fails(dlviz_trainer_fit(r.trainer, r.train, 3), DLVIZ_ERROR_NUMERIC, "loss");
    stop(&r);
}
END_TEST

/* A dataset of one input that all samples share, so that gradients and variances are known. */
static dlviz_dataset *constant_dataset(int64_t n, int64_t width, float value) {
    dlviz_tensor *inputs, *labels;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, 2, (int64_t[]){n, width}));
    ck_ok(dlviz_tensor_create(&labels, DLVIZ_INT64, 1, &n));
    for (int64_t i = 0; i < n * width; i++)
        dlviz_tensor_float(inputs)[i] = value;
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    return dataset;
}

/* The loss of each of these runs is finite to the end. */
START_TEST(a_state_that_is_no_number_ends_training) {
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("infinite"));
    /* Half of the inputs are -1e25 and half 1e25: a variance of about 1e50 for float32. */
    run r = start("6", "norm:bn fc:linear,out=4", 16, 0.01);
    dlviz_tensor *inputs, *labels = label_tensor(16, 4, 1);
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, 2, (int64_t[]){16, 6}));
    for (int i = 0; i < 16 * 6; i++)
        dlviz_tensor_float(inputs)[i] = i % 2 ? 1 : -1;
    for (int i = 0; i < 16; i++)
        dlviz_tensor_float(inputs)[6 * i + 2] = i % 2 ? 1e25f : -1e25f;
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    ck_ok(dlviz_trainer_set_batch_size(r.trainer, 8));
    ck_fails(dlviz_trainer_fit(r.trainer, dataset, 3), DLVIZ_ERROR_NUMERIC,
             "after batch 1 of epoch 1: 'norm.running_var' holds an infinity at element 2");
    ck_assert_int_eq(dlviz_trainer_num_epochs(r.trainer), 0);
    ck_fails(dlviz_trainer_save_checkpoint(r.trainer, path), DLVIZ_ERROR_NUMERIC,
             "norm.running_var");
    ck_fails(dlviz_trainer_fit(r.trainer, dataset, 1), DLVIZ_ERROR_NUMERIC, "norm.running_var");
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    stop(&r);
    /* A gradient of about 1e25: its square is too large for the mean of squares. */
    for (int adam = 0; adam < 2; adam++) {
        dlviz_optimizer *optimizer;
        dlviz_trainer *trainer;
        r = start("6", "fc:linear,out=4", 16, 0);
        dataset = constant_dataset(16, 6, 1e25f);
        ck_ok(adam ? dlviz_adam_create(&optimizer, 1e-3) : dlviz_rmsprop_create(&optimizer, 1e-3));
        ck_ok(dlviz_trainer_create(&trainer, r.network, optimizer));
        ck_fails(dlviz_trainer_fit(trainer, dataset, 1), DLVIZ_ERROR_NUMERIC,
                 "after epoch 1 (learning rate 0.001): '.optimizer.second_moment.fc.weight' holds "
                 "an infinity at element 0");
        ck_fails(dlviz_trainer_save_checkpoint(trainer, path), DLVIZ_ERROR_NUMERIC,
                 "optimizer.second_moment.fc.weight");
        ck_assert_int_eq(dlviz_trainer_num_epochs(trainer), 0);
        dlviz_trainer_destroy(trainer);
        dlviz_optimizer_destroy(optimizer);
        dlviz_dataset_destroy(dataset);
        stop(&r);
    }
    /* One step that is too wide, and no further batch whose loss would show it. */
    r = start("6", "fc:linear,out=4", 16, 1e20);
    dataset = constant_dataset(16, 6, 1e25f);
    ck_fails(dlviz_trainer_fit(r.trainer, dataset, 1), DLVIZ_ERROR_NUMERIC,
             "after epoch 1 (learning rate 1e+20): 'fc.weight' holds an infinity at element 0");
    ck_assert_int_eq(dlviz_trainer_num_epochs(r.trainer), 0);
    ck_assert_int_ne(access(path, F_OK), 0);
    dlviz_dataset_destroy(dataset);
    stop(&r);
}
END_TEST

START_TEST(batch_norm_on_one_value_is_explained) {
    run r = start("6", "fc1:linear,out=8 norm:bn fc2:linear,out=4", 9, 0.1);
    ck_ok(dlviz_trainer_set_batch_size(r.trainer, 4)); /* 4, 4 and 1 */
    ck_fails(dlviz_trainer_fit(r.trainer, r.train, 1), DLVIZ_ERROR_SHAPE,
             "9 samples in batches of 4 leave 1 for the last, which dlviz_trainer_set_drop_last "
             "leaves out: batchnorm 'norm': ");
    ck_assert_int_eq(dlviz_trainer_batches_done(r.trainer), 0); /* not after an epoch's work */
    ck_ok(dlviz_trainer_set_batch_size(r.trainer, 3));
    ck_ok(dlviz_trainer_fit(r.trainer, r.train, 1));
    ck_ok(dlviz_trainer_set_batch_size(r.trainer, 1));
    ck_fails(dlviz_trainer_fit(r.trainer, r.train, 1), DLVIZ_ERROR_SHAPE,
             "9 samples in batches of 1: batchnorm 'norm': ");
    ck_ok(dlviz_trainer_set_drop_last(r.trainer, true)); /* does not help that */
    ck_fails(dlviz_trainer_fit(r.trainer, r.train, 1), DLVIZ_ERROR_SHAPE, "in batches of 1: ");
    ck_ok(dlviz_trainer_set_batch_size(r.trainer, 4));
    ck_ok(dlviz_trainer_fit(r.trainer, r.train, 1));
    ck_assert_int_eq(dlviz_optimizer_num_steps(r.optimizer), 3 + 2);
    stop(&r);
}
END_TEST

/* Before the first batch, whose statistics would be changed already. */
START_TEST(an_optimizer_of_another_network_is_refused) {
    run r = start("6", "b:bn fc:linear,out=4", 10, 0.1);
    dlviz_network *other = build_net(&r.spec, 1), *same = build_net(&r.spec, 1);
    dlviz_trainer *trainer;
    ck_ok(dlviz_trainer_fit(r.trainer, r.train, 1));
    ck_fails(dlviz_trainer_create(&trainer, other, r.optimizer), DLVIZ_ERROR_STATE,
             "another network");
    ck_assert_ptr_null(trainer);
    /* Or it began to serve it after the trainer was made. */
    dlviz_optimizer *late;
    ck_ok(dlviz_sgd_create(&late, 0.1));
    ck_ok(dlviz_trainer_create(&trainer, other, late));
    dlviz_tensor *inputs = input_tensor(&r.spec, 3, 1, false), *labels = label_tensor(3, 4, 2);
    ck_ok(dlviz_network_backward(r.network, inputs, labels, 0, 0, NULL));
    ck_ok(dlviz_optimizer_step(late, r.network));
    ck_fails(dlviz_trainer_fit(trainer, r.train, 1), DLVIZ_ERROR_STATE, "another network");
    assert_same_states(other, same);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(late);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(other);
    dlviz_network_destroy(same);
    stop(&r);
}
END_TEST

typedef struct meddler {
    run *run;
    const char *path;
    int epochs;
    dlviz_trainer *other; /* of the same network */
} meddler;

static bool meddle(const dlviz_trainer_event *event, void *user) {
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    meddler *m = user;
    ck_ok(dlviz_trainer_save_checkpoint(trainer, m->path));
    ck_fails(dlviz_trainer_load_checkpoint(trainer, m->path), DLVIZ_ERROR_STATE, "callback");
    ck_fails(dlviz_trainer_fit(trainer, m->run->train, 1), DLVIZ_ERROR_STATE, "callback");
    ck_fails(dlviz_trainer_load_checkpoint(m->other, m->path), DLVIZ_ERROR_STATE,
             "is being trained, by another trainer");
    ck_fails(dlviz_trainer_fit(m->other, m->run->train, 1), DLVIZ_ERROR_STATE,
             "is being trained, by another trainer");
    ck_ok(dlviz_trainer_set_batch_size(trainer, ++m->epochs == 1 ? 1000 : 5));
    return true;
}

START_TEST(callbacks_change_the_batch_size_and_nothing_worse) {
    run r = start("6", "fc1:linear,out=8 fc2:linear,out=4", 90, 0.1);
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("meddled.safetensors"));
    meddler m = {&r, path, 0, NULL};
    dlviz_optimizer *optimizer;
    ck_ok(dlviz_sgd_create(&optimizer, 0.1));
    ck_ok(dlviz_trainer_create(&m.other, r.network, optimizer));
    ck_ok(dlviz_trainer_set_batch_size(r.trainer, 2));
    ck_ok(dlviz_trainer_set_epoch_callback(r.trainer, meddle, &m));
    ck_ok(dlviz_trainer_fit(r.trainer, r.train, 3));
    ck_assert_int_eq(dlviz_optimizer_num_steps(r.optimizer), 45 + 1 + 18);
    ck_ok(dlviz_trainer_load_checkpoint(r.trainer, path)); /* of batch size 5 */
    ck_ok(dlviz_trainer_fit(m.other, r.train, 1));
    dlviz_trainer_destroy(m.other);
    dlviz_optimizer_destroy(optimizer);
    stop(&r);
}
END_TEST

START_TEST(the_history_is_written_as_csv) {
    static const char header[] =
        "epoch,lr,train_loss,train_accuracy,validation_loss,validation_accuracy,seconds\n";
    for (int with_validation = 0; with_validation < 2; with_validation++) {
        run r = start("6", "fc1:linear,out=8 r:relu fc2:linear,out=4", 10, 0.1);
        const char *path = scratch_path("history.csv");
        char line[256];
        if (with_validation)
            ck_ok(dlviz_trainer_set_validation(r.trainer, r.validation));
        ck_ok(dlviz_trainer_fit(r.trainer, r.train, 2));
        ck_ok(dlviz_trainer_write_history(r.trainer, path));
        FILE *file = fopen(path, "r");
        ck_assert_ptr_nonnull(file);
        ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
        ck_assert_str_eq(line, header);
        for (int e = 0; e < 2; e++) {
            static const char *const metrics[] = {"learning_rate",       "train_loss",
                                                  "train_accuracy",      "validation_loss",
                                                  "validation_accuracy", "seconds"};
            ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
            char *rest = line, *field = strsep(&rest, ",\n");
            ck_assert_int_eq(atoi(field), e + 1);
            for (int m = 0; m < 6; m++) {
                double value = dlviz_trainer_history(r.trainer, e, metrics[m]);
                field = strsep(&rest, ",\n");
                ck_assert_ptr_nonnull(field);
                if (isnan(value))
                    ck_assert_str_eq(field, "");
                else
                    ck_assert_double_eq_tol(plain_number(field, NULL), value,
                                            1e-5 * fabs(value) + 1e-3 * (m == 5));
            }
            ck_assert_str_eq(rest, "");
        }
        ck_assert_ptr_null(fgets(line, sizeof line, file));
        fclose(file);
        ck_fails(dlviz_trainer_write_history(r.trainer, scratch_path("no/where.csv")),
                 DLVIZ_ERROR_IO, "where.csv");
        ck_fails(dlviz_trainer_write_history(r.trainer, NULL), INVALID, "path");
        stop(&r);
    }
}
END_TEST

START_TEST(digits_are_learned) {
    dlviz_network *network =
        net_from_text("1x32x32", "c:conv,out=8,k=3,pad=same b:bn r:relu p:pool,k=4 "
                                 "f:flatten fc:linear,out=10");
    dlviz_tensor *inputs, *labels;
    dlviz_dataset *dataset;
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    double accuracy;
    digits(0, 64, &inputs, &labels);
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    ck_ok(dlviz_adam_create(&adam, 3e-3));
    ck_ok(dlviz_trainer_create(&trainer, network, adam));
    ck_ok(dlviz_trainer_set_batch_size(trainer, 16));
    ck_ok(dlviz_trainer_fit(trainer, dataset, 20));
    ck_assert_double_lt(dlviz_trainer_history(trainer, 19, "train_loss"),
                        0.1 * dlviz_trainer_history(trainer, 0, "train_loss"));
    ck_ok(dlviz_network_evaluate(network, dataset, NULL, &accuracy));
    ck_assert_double_eq(accuracy, 1);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(adam);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {arguments_are_checked,
                                  datasets_are_checked,
                                  one_batch_is_a_step_by_hand,
                                  a_small_last_batch_counts_by_its_images,
                                  a_last_batch_can_be_left_out,
                                  a_callback_cannot_leave_every_batch_out,
                                  callbacks_see_everything_and_stop,
                                  the_history_has_the_rate_of_the_last_step,
                                  seeds_decide_and_threads_do_not,
                                  every_image_comes_once_an_epoch,
                                  the_schedule_sees_the_loss,
                                  a_loss_that_is_no_number_ends_training,
                                  a_state_that_is_no_number_ends_training,
                                  an_optimizer_of_another_network_is_refused,
                                  batch_norm_on_one_value_is_explained,
                                  callbacks_change_the_batch_size_and_nothing_worse,
                                  the_history_is_written_as_csv,
                                  digits_are_learned,
                                  NULL};
    return run_tests("trainer", tests);
}
