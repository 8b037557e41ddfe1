/* Every allocation fails once: the call that needed it says so, and nothing leaks. */
#include "support/netspec.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_long allocations, live, failing;

static void *allocate(size_t size, void *user) {
    (void)user;
    if (atomic_fetch_add(&allocations, 1) + 1 == atomic_load(&failing))
        return NULL;
    void *block = malloc(size);
    if (block)
        atomic_fetch_add(&live, 1);
    return block;
}

static void release(void *block, void *user) {
    (void)user;
    atomic_fetch_sub(&live, 1);
    free(block);
}

typedef struct handles {
    dlviz_tensor *inputs, *labels, *features, *outputs, *copy;
    dlviz_dataset *dataset;
    dlviz_network *network, *opened;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
} handles;

static dlviz_status make_network(handles *h) {
    TRY(dlviz_network_create(&h->network, 3, (int64_t[]){1, 10, 10}));
    dlviz_network_add(h->network, "conv", dlviz_conv2d(32, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(h->network, "bn", dlviz_batchnorm());
    dlviz_network_add(h->network, "relu", dlviz_relu());
    dlviz_network_add(h->network, "conv2", dlviz_conv2d(5, 3, 0));
    dlviz_network_add(h->network, "pool", dlviz_maxpool2d(2));
    dlviz_network_add(h->network, "drop", dlviz_dropout(0.25));
    dlviz_network_add(h->network, "flat", dlviz_flatten());
    dlviz_network_add(h->network, "fc", dlviz_linear(10));
    return dlviz_network_build(h->network, 1);
}

/* From the arrays to features, by hand and with a trainer. */
static dlviz_status use_everything(handles *h, dlviz_optimizer *(*make_optimizer)(void)) {
    TRY(dlviz_tensor_create(&h->inputs, DLVIZ_FLOAT32, 4, (int64_t[]){12, 1, 10, 10}));
    TRY(dlviz_tensor_create(&h->labels, DLVIZ_INT64, 1, (int64_t[]){12}));
    TRY(dlviz_dataset_create(&h->dataset, h->inputs, h->labels));
    TRY(make_network(h));
    h->optimizer = make_optimizer();
    if (!h->optimizer)
        return DLVIZ_ERROR_OUT_OF_MEMORY;
    TRY(dlviz_network_backward(h->network, h->inputs, h->labels, 1, 1, NULL));
    TRY(dlviz_optimizer_step(h->optimizer, h->network));
    TRY(dlviz_network_get_gradient(h->network, "fc.weight", &h->copy));
    TRY(dlviz_trainer_create(&h->trainer, h->network, h->optimizer));
    TRY(dlviz_trainer_set_batch_size(h->trainer, 5));
    dlviz_schedule *schedule =
        dlviz_warmup(0.5, 0.5, dlviz_multistep(2, (const double[]){1, 2}, 0.5));
    TRY(schedule ? dlviz_trainer_set_schedule(h->trainer, schedule) : DLVIZ_ERROR_OUT_OF_MEMORY);
    TRY(dlviz_trainer_set_validation(h->trainer, h->dataset));
    TRY(dlviz_trainer_fit(h->trainer, h->dataset, 2));
    TRY(dlviz_trainer_save_checkpoint(h->trainer, scratch_path("memory.safetensors")));
    TRY(dlviz_trainer_load_checkpoint(h->trainer, scratch_path("memory.safetensors")));
    TRY(dlviz_network_save(h->network, scratch_path("network.safetensors")));
    TRY(dlviz_network_load(h->network, scratch_path("network.safetensors")));
    TRY(dlviz_network_features(h->network, "pool", h->dataset, &h->features));
    return dlviz_network_predict(h->network, h->dataset, &h->outputs);
}

/* A network with values that several layers read, all that layers with several inputs do, and its file. */
static dlviz_status make_branches(dlviz_network **network) {
    TRY(dlviz_network_create(network, 3, (int64_t[]){2, 8, 8}));
    const char *both[] = {"conv", "other"}, *three[] = {"sum", "conv", "input"};
    const char *product[] = {"narrow", "bn"};
    dlviz_network_add(*network, "conv", dlviz_conv2d(4, 3, 1));
    dlviz_network_add(*network, "bn", dlviz_batchnorm());
    dlviz_network_add(*network, "relu", dlviz_relu());
    dlviz_network_add(*network, "other", dlviz_conv2d(4, 3, 1));
    dlviz_network_add_from(*network, "sum", dlviz_add(), 2, both);
    dlviz_network_add_from(*network, "wide", dlviz_concat(), 3, three);
    dlviz_network_add(*network, "narrow", dlviz_conv2d(4, 1, 0));
    dlviz_network_add_from(*network, "product", dlviz_multiply(), 2, product);
    dlviz_network_add(*network, "pool", dlviz_maxpool2d(3));
    dlviz_network_add(*network, "flat", dlviz_flatten());
    dlviz_network_add(*network, "fc", dlviz_linear(5));
    return dlviz_network_build(*network, 1);
}

static dlviz_status use_branches(handles *h, dlviz_optimizer *(*make_optimizer)(void)) {
    TRY(dlviz_tensor_create(&h->inputs, DLVIZ_FLOAT32, 4, (int64_t[]){3, 2, 8, 8}));
    TRY(dlviz_tensor_create(&h->labels, DLVIZ_FLOAT32, 2, (int64_t[]){3, 5}));
    TRY(make_branches(&h->network));
    h->optimizer = make_optimizer();
    if (!h->optimizer)
        return DLVIZ_ERROR_OUT_OF_MEMORY;
    TRY(dlviz_network_backward_from(h->network, "fc", h->inputs, h->labels, 1, 1, &h->features));
    TRY(dlviz_optimizer_step(h->optimizer, h->network));
    TRY(dlviz_network_save(h->network, scratch_path("branches.safetensors")));
    TRY(dlviz_network_open(&h->opened, scratch_path("branches.safetensors")));
    TRY(dlviz_network_load(h->opened, scratch_path("branches.safetensors")));
    TRY(dlviz_network_input_gradient(h->opened, "fc", h->inputs, h->labels, &h->copy));
    return dlviz_network_forward(h->opened, h->inputs, &h->outputs);
}

static void drop_everything(handles *h) {
    dlviz_network_destroy(h->opened);
    dlviz_trainer_destroy(h->trainer);
    dlviz_optimizer_destroy(h->optimizer);
    dlviz_network_destroy(h->network);
    dlviz_dataset_destroy(h->dataset);
    dlviz_tensor *tensors[] = {h->inputs, h->labels, h->features, h->outputs, h->copy};
    for (int i = 0; i < 5; i++)
        dlviz_tensor_destroy(tensors[i]);
}

static dlviz_optimizer *make_adam(void) {
    dlviz_optimizer *o;
    return dlviz_adam_create(&o, 1e-3) == DLVIZ_OK ? o : NULL;
}

static dlviz_optimizer *make_sgd(void) {
    dlviz_optimizer *o;
    if (dlviz_sgd_create(&o, 1e-3) == DLVIZ_OK)
        ck_ok(dlviz_sgd_set_momentum(o, 0.9, 0, false));
    return o;
}

/* NULL with a sentence, too, when a group finds no memory. */
static dlviz_optimizer *make_grouped(void) {
    dlviz_optimizer *o;
    if (dlviz_adamw_create(&o, 1e-3) != DLVIZ_OK)
        return NULL;
    if (dlviz_optimizer_set_rate_factor(o, "conv*", 0.5) == DLVIZ_OK &&
        dlviz_optimizer_set_rate_factor(o, "*.bias", 2) == DLVIZ_OK &&
        dlviz_optimizer_set_rate_factor(o, "conv*", 0.25) == DLVIZ_OK &&
        dlviz_optimizer_set_decay_factor(o, "fc.weight", 2) == DLVIZ_OK &&
        dlviz_optimizer_set_decay_weights_only(o, true) == DLVIZ_OK)
        return o;
    dlviz_optimizer_destroy(o);
    return NULL;
}

/* Steps with new groups on the way. */
static dlviz_status use_groups(handles *h, dlviz_optimizer *(*make_optimizer)(void)) {
    TRY(dlviz_tensor_create(&h->inputs, DLVIZ_FLOAT32, 4, (int64_t[]){12, 1, 10, 10}));
    TRY(dlviz_tensor_create(&h->labels, DLVIZ_INT64, 1, (int64_t[]){12}));
    TRY(make_network(h));
    h->optimizer = make_optimizer();
    if (!h->optimizer)
        return DLVIZ_ERROR_OUT_OF_MEMORY;
    static const char *const patterns[] = {"conv.weight", "bn.*", "fc.bias"};
    for (int i = 0; i < 3; i++) {
        TRY(dlviz_network_backward(h->network, h->inputs, h->labels, 1, 1, NULL));
        TRY(dlviz_optimizer_step(h->optimizer, h->network));
        TRY(dlviz_optimizer_set_rate_factor(h->optimizer, patterns[i], 0.125 * i));
    }
    TRY(dlviz_network_backward(h->network, h->inputs, h->labels, 1, 1, NULL));
    return dlviz_optimizer_step(h->optimizer, h->network);
}

typedef dlviz_status (*user)(handles *h, dlviz_optimizer *(*make_optimizer)(void));

static void fail_each_in_turn(user use, dlviz_optimizer *(*make_optimizer)(void)) {
    ck_ok(dlviz_set_allocator(allocate, release, NULL));
    dlviz_status status;
    long number = 0;
    do {
        handles h = {0};
        failing = ++number;
        allocations = 0;
        status = use(&h, make_optimizer);
        ck_assert_msg(status == DLVIZ_OK || status == DLVIZ_ERROR_OUT_OF_MEMORY,
                      "allocation %ld failed: '%s' (%s)", number, dlviz_status_name(status),
                      dlviz_last_error());
        /* A failure that nobody noticed would be as bad. */
        ck_assert_msg(status != DLVIZ_OK || allocations < failing,
                      "allocation %ld failed and no call said so", number);
        if (status != DLVIZ_OK)
            ck_assert_str_ne(dlviz_last_error(), "");
        failing = 0;
        drop_everything(&h);
        ck_assert_msg(live == 0, "allocation %ld failed: %ld blocks leak", number, live);
    } while (status != DLVIZ_OK);
    printf("%ld allocations failed in turn\n", number - 1);
    ck_assert_int_gt(number, 40);
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
}

START_TEST(each_allocation_fails_in_turn) {
    fail_each_in_turn(use_everything, make_grouped);
}
END_TEST

START_TEST(each_allocation_fails_in_turn_with_branches) {
    fail_each_in_turn(use_branches, make_adam);
}
END_TEST

START_TEST(each_allocation_fails_in_turn_with_momentum) {
    fail_each_in_turn(use_everything, make_sgd);
}
END_TEST

START_TEST(each_allocation_fails_in_turn_with_new_groups) {
    fail_each_in_turn(use_groups, make_grouped);
}
END_TEST

START_TEST(a_failed_call_can_be_repeated) {
    /* Once memory is back, the same handles work: the failure left them as they were. */
    for (long number = 1;; number++) {
        handles h = {0}, fresh = {0};
        dlviz_status first, second;
        double loss, expected;
        ck_ok(make_network(&h));
        ck_ok(make_network(&fresh));
        dlviz_tensor *inputs, *labels = label_tensor(7, 10, 1);
        ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, 4, (int64_t[]){7, 1, 10, 10}));
        fill_uniform(dlviz_tensor_float(inputs), 700, 1);
        h.optimizer = make_grouped();
        fresh.optimizer = make_grouped();
        ck_ok(dlviz_set_allocator(allocate, release, NULL));
        allocations = 0;
        failing = number;
        first = dlviz_network_backward(h.network, inputs, labels, 1, 1, &loss);
        second = first == DLVIZ_OK ? dlviz_optimizer_step(h.optimizer, h.network) : first;
        failing = 0;
        if (first != DLVIZ_OK)
            ck_ok(dlviz_network_backward(h.network, inputs, labels, 1, 1, &loss));
        if (second != DLVIZ_OK)
            ck_ok(dlviz_optimizer_step(h.optimizer, h.network));
        ck_ok(dlviz_network_backward(fresh.network, inputs, labels, 1, 1, &expected));
        ck_ok(dlviz_optimizer_step(fresh.optimizer, fresh.network));
        ck_assert_double_eq(loss, expected);
        assert_same_states(h.network, fresh.network);
        drop_everything(&h);
        drop_everything(&fresh);
        dlviz_tensor_destroy(inputs);
        dlviz_tensor_destroy(labels);
        if (second == DLVIZ_OK)
            break;
        ck_assert_int_eq(second, DLVIZ_ERROR_OUT_OF_MEMORY);
    }
}
END_TEST

START_TEST(a_training_step_allocates_nothing) {
    handles h = {0};
    live = 0; /* where tests share a process, an earlier one may have left some */
    ck_ok(dlviz_set_allocator(allocate, release, NULL));
    ck_ok(make_network(&h));
    h.optimizer = make_grouped();
    ck_ok(dlviz_tensor_create(&h.inputs, DLVIZ_FLOAT32, 4, (int64_t[]){12, 1, 10, 10}));
    ck_ok(dlviz_tensor_create(&h.labels, DLVIZ_INT64, 1, (int64_t[]){12}));
    for (uint64_t step = 0; step < 5; step++) {
        if (step == 1)
            allocations = 0;
        ck_ok(dlviz_network_backward(h.network, h.inputs, h.labels, 1, step, NULL));
        ck_ok(dlviz_optimizer_step(h.optimizer, h.network));
    }
    ck_assert_int_eq(allocations, 0);
    drop_everything(&h);
    ck_assert_int_eq(live, 0);
}
END_TEST

START_TEST(a_step_back_from_a_gradient_allocates_nothing) {
    handles h = {0};
    dlviz_optimizer *adam;
    live = 0;
    ck_ok(dlviz_set_allocator(allocate, release, NULL));
    ck_ok(make_branches(&h.network));
    ck_ok(dlviz_adam_create(&adam, 1e-3));
    ck_ok(dlviz_tensor_create(&h.inputs, DLVIZ_FLOAT32, 4, (int64_t[]){3, 2, 8, 8}));
    ck_ok(dlviz_tensor_create(&h.labels, DLVIZ_FLOAT32, 2, (int64_t[]){3, 5}));
    for (uint64_t step = 0; step < 5; step++) {
        if (step == 1)
            allocations = 0;
        ck_ok(dlviz_network_backward_from(h.network, "fc", h.inputs, h.labels, 1, step, NULL));
        ck_ok(dlviz_optimizer_step(adam, h.network));
    }
    ck_assert_int_eq(allocations, 0);
    dlviz_optimizer_destroy(adam);
    drop_everything(&h);
    ck_assert_int_eq(live, 0);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {each_allocation_fails_in_turn,
                                  each_allocation_fails_in_turn_with_momentum,
                                  each_allocation_fails_in_turn_with_branches,
                                  each_allocation_fails_in_turn_with_new_groups,
                                  a_failed_call_can_be_repeated,
                                  a_training_step_allocates_nothing,
                                  a_step_back_from_a_gradient_allocates_nothing,
                                  NULL};
    return run_tests("out of memory", tests);
}
