/* Frozen states: what training leaves alone, and what is computed of the rest. */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 5, C = 4, SIZE = 8 };

/* A block whose norm is a batch norm or, with the same numbers, a depthwise convolution of 1 x 1;
 * behind it a pool, so that all that can be fused is. */
static dlviz_network *make(bool with_norm) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){2, SIZE, SIZE}));
    dlviz_network_add(network, "conv1", dlviz_conv2d(C, 3, DLVIZ_PAD_SAME));
    dlviz_layer *scale = dlviz_conv2d(C, 1, 0);
    ck_ok(dlviz_conv2d_set_groups(scale, C));
    dlviz_network_add(network, "norm", with_norm ? dlviz_batchnorm() : scale);
    if (with_norm)
        dlviz_layer_destroy(scale);
    dlviz_network_add(network, "relu1", dlviz_relu());
    dlviz_network_add(network, "pool1", dlviz_maxpool2d(2));
    dlviz_network_add(network, "conv2", dlviz_conv2d(C, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(network, "relu2", dlviz_relu());
    dlviz_network_add_from(network, "sum", dlviz_add(), 2, (const char *[]){"relu2", "pool1"});
    dlviz_network_add(network, "flat", dlviz_flatten());
    dlviz_network_add(network, "fc", dlviz_linear(3));
    ck_ok(dlviz_network_build(network, 5));
    return network;
}

static dlviz_tensor *uniform(int ndim, const int64_t *dims, float least, float most,
                             uint64_t seed) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, ndim, dims));
    float *values = dlviz_tensor_data(tensor);
    fill_uniform(values, dlviz_tensor_num_elements(tensor), seed);
    for (int64_t i = 0; i < dlviz_tensor_num_elements(tensor); i++)
        values[i] = least + (most - least) * (values[i] + 1) / 2;
    return tensor;
}

static void set(dlviz_network *network, const char *name, const dlviz_tensor *tensor) {
    ck_ok(dlviz_network_set_state(network, name, tensor));
}

/* Numbers that are not those of a new batch norm. */
static void set_norm(dlviz_network *network) {
    const char *const names[] = {"norm.weight", "norm.bias", "norm.running_mean",
                                 "norm.running_var"};
    for (int i = 0; i < 4; i++) {
        dlviz_tensor *values = uniform(1, (int64_t[]){C}, 0.3f, 1.7f, (uint64_t)i + 1);
        set(network, names[i], values);
        dlviz_tensor_destroy(values);
    }
}

static float at(const dlviz_network *network, const char *name, int64_t i) {
    dlviz_tensor *copy;
    ck_ok(dlviz_network_get_state(network, name, &copy));
    float value = ((const float *)dlviz_tensor_const_data(copy))[i];
    dlviz_tensor_destroy(copy);
    return value;
}

/* The same function by a convolution. */
static void set_scale(dlviz_network *to, const dlviz_network *from) {
    dlviz_tensor *weight, *bias;
    ck_ok(dlviz_tensor_create(&weight, DLVIZ_FLOAT32, 4, (int64_t[]){C, 1, 1, 1}));
    ck_ok(dlviz_tensor_create(&bias, DLVIZ_FLOAT32, 1, (int64_t[]){C}));
    for (int64_t c = 0; c < C; c++) {
        double factor = (double)at(from, "norm.weight", c) /
                        sqrt((double)at(from, "norm.running_var", c) + 1e-5);
        ((float *)dlviz_tensor_data(weight))[c] = (float)factor;
        ((float *)dlviz_tensor_data(bias))[c] =
            (float)((double)at(from, "norm.bias", c) -
                    (double)at(from, "norm.running_mean", c) * factor);
    }
    set(to, "norm.weight", weight);
    set(to, "norm.bias", bias);
    dlviz_tensor_destroy(weight);
    dlviz_tensor_destroy(bias);
}

static void step(dlviz_network *network, int64_t n) {
    dlviz_tensor *inputs = uniform(4, (int64_t[]){n, 2, SIZE, SIZE}, -1, 1, 77);
    int64_t labels[N] = {0, 2, 1, 1, 0};
    dlviz_tensor *targets;
    ck_ok(dlviz_tensor_from_data(&targets, DLVIZ_INT64, 1, (int64_t[]){n}, labels));
    ck_ok(dlviz_network_backward(network, inputs, targets, 1, 1, NULL));
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(targets);
}

static dlviz_tensor *gradient(const dlviz_network *network, const char *name) {
    dlviz_tensor *copy;
    ck_ok(dlviz_network_get_gradient(network, name, &copy));
    return copy;
}

static double difference(const dlviz_network *a, const dlviz_network *b, const char *name) {
    dlviz_tensor *one = gradient(a, name), *other = gradient(b, name);
    double error = relative_error(dlviz_tensor_const_data(one), dlviz_tensor_const_data(other),
                                  dlviz_tensor_num_elements(one));
    dlviz_tensor_destroy(one);
    dlviz_tensor_destroy(other);
    return error;
}

static const char *const others[] = {"conv1.weight", "conv1.bias", "conv2.weight",
                                     "conv2.bias",   "fc.weight",  "fc.bias"};
enum { NUM_OTHERS = 6 };

START_TEST(a_frozen_batch_norm_is_a_fixed_scale) {
    dlviz_network *norm = make(true), *scale = make(false);
    set_norm(norm);
    for (int i = 0; i < NUM_OTHERS; i++) {
        dlviz_tensor *copy;
        ck_ok(dlviz_network_get_state(norm, others[i], &copy));
        set(scale, others[i], copy);
        dlviz_tensor_destroy(copy);
    }
    set_scale(scale, norm);
    float mean = at(norm, "norm.running_mean", 1);
    /* By its parameters, by its statistics, by all there is of it. */
    const char *const patterns[] = {"norm.running_*", "norm.*", "norm.????*"};
    for (int i = 0; i < 3; i++) {
        ck_ok(dlviz_network_unfreeze(norm, "*"));
        ck_ok(dlviz_network_freeze(norm, patterns[i]));
        ck_assert(dlviz_network_is_frozen(norm, "norm.running_mean"));
        step(norm, N);
        step(scale, N);
        for (int j = 0; j < NUM_OTHERS; j++)
            ck_assert_double_lt(difference(norm, scale, others[j]), 2e-6);
        ck_assert(at(norm, "norm.running_mean", 1) == mean);
    }
    /* A bias before it is no constant that it takes out. */
    dlviz_tensor *bias = gradient(norm, "conv1.bias");
    ck_assert(((const float *)dlviz_tensor_const_data(bias))[0] != 0);
    dlviz_tensor_destroy(bias);
    step(norm, 1); /* needs no statistics of the batch */
    dlviz_network_destroy(norm);
    dlviz_network_destroy(scale);
}
END_TEST

START_TEST(what_is_not_frozen_has_the_same_gradients) {
    dlviz_network *all = make(true), *some = make(true);
    ck_ok(dlviz_network_freeze(all, "norm.running_*"));
    ck_ok(dlviz_network_freeze(some, "norm.running_*"));
    step(all, N);
    for (int frozen = 0; frozen < NUM_OTHERS; frozen++) {
        ck_ok(dlviz_network_freeze(some, others[frozen]));
        step(some, N);
        for (int i = 0; i < NUM_OTHERS; i++)
            if (i != frozen)
                ck_assert_msg(difference(some, all, others[i]) == 0, "%s with %s frozen", others[i],
                              others[frozen]);
        dlviz_tensor *none = NULL;
        ck_fails(dlviz_network_get_gradient(some, others[frozen], &none),
                 DLVIZ_ERROR_INVALID_ARGUMENT, "is frozen");
        ck_ok(dlviz_network_unfreeze(some, others[frozen]));
    }
    /* All that comes before the last layer. */
    ck_ok(dlviz_network_freeze(some, "conv*"));
    ck_ok(dlviz_network_freeze(some, "norm.*"));
    step(some, N);
    ck_assert(difference(some, all, "fc.weight") == 0);
    dlviz_network_destroy(all);
    dlviz_network_destroy(some);
}
END_TEST

START_TEST(thawed_is_as_never_frozen) {
    dlviz_network *never = make(true), *thawed = make(true);
    ck_ok(dlviz_network_freeze(thawed, "norm.weight"));
    ck_assert(!dlviz_network_is_frozen(thawed, "norm.running_mean"));
    ck_ok(dlviz_network_freeze(thawed, "norm.bias")); /* now all of its parameters */
    ck_assert(dlviz_network_is_frozen(thawed, "norm.running_mean"));
    step(thawed, N);
    ck_ok(dlviz_network_unfreeze(thawed, "norm.weight"));
    ck_assert(!dlviz_network_is_frozen(thawed, "norm.running_var"));
    ck_ok(dlviz_network_unfreeze(thawed, "*"));
    step(never, N);
    step(thawed, N);
    for (int i = 0; i < NUM_OTHERS; i++)
        ck_assert(difference(never, thawed, others[i]) == 0);
    ck_assert(difference(never, thawed, "norm.weight") == 0);
    ck_assert(at(never, "norm.running_mean", 0) == at(thawed, "norm.running_mean", 0));
    dlviz_network_destroy(never);
    dlviz_network_destroy(thawed);
}
END_TEST

/* Every optimizer would move a parameter whose gradient is 0: by its decay, by its momentum. */
START_TEST(optimizers_leave_them_alone) {
    dlviz_network *network = make(true);
    dlviz_optimizer *optimizer;
    ck_ok(dlviz_adamw_create(&optimizer, 0.1));
    ck_ok(dlviz_optimizer_set_weight_decay(optimizer, 0.5));
    step(network, N);
    ck_ok(dlviz_optimizer_step(optimizer, network));
    ck_ok(dlviz_network_freeze(network, "conv?.*"));
    dlviz_tensor *before, *after;
    ck_ok(dlviz_network_get_state(network, "conv2.weight", &before));
    float fc = at(network, "fc.weight", 0);
    for (int i = 0; i < 3; i++) {
        step(network, N);
        ck_ok(dlviz_optimizer_step(optimizer, network));
    }
    ck_ok(dlviz_network_get_state(network, "conv2.weight", &after));
    ck_assert_mem_eq(dlviz_tensor_const_data(before), dlviz_tensor_const_data(after),
                     (size_t)dlviz_tensor_num_elements(before) * sizeof(float));
    ck_assert(at(network, "fc.weight", 0) != fc);
    dlviz_tensor_destroy(before);
    dlviz_tensor_destroy(after);
    dlviz_optimizer_destroy(optimizer);
    dlviz_network_destroy(network);
}
END_TEST

static dlviz_status damped(dlviz_optimizer **out, double rate) {
    ck_ok(dlviz_sgd_create(out, rate));
    return dlviz_sgd_set_momentum(*out, 0.9, 0.5, false);
}

static void copy_states(dlviz_network *to, const dlviz_network *from) {
    for (int64_t i = 0; i < dlviz_network_num_states(from); i++) {
        dlviz_tensor *state;
        ck_ok(dlviz_network_get_state(from, dlviz_network_state_name(from, i), &state));
        set(to, dlviz_network_state_name(from, i), state);
        dlviz_tensor_destroy(state);
    }
}

static void has_same(const dlviz_network *a, const dlviz_network *b, const char *name) {
    dlviz_tensor *one, *other;
    ck_ok(dlviz_network_get_state(a, name, &one));
    ck_ok(dlviz_network_get_state(b, name, &other));
    ck_assert_mem_eq(dlviz_tensor_const_data(one), dlviz_tensor_const_data(other),
                     (size_t)dlviz_tensor_num_elements(one) * sizeof(float));
    dlviz_tensor_destroy(one);
    dlviz_tensor_destroy(other);
}

/* As in PyTorch, where each parameter counts its own steps. */
START_TEST(an_optimizer_begins_anew_with_what_is_thawed) {
    static dlviz_status (*const optimizers[])(dlviz_optimizer * *out, double rate) = {
        dlviz_adam_create,  dlviz_adamw_create, dlviz_nadam_create,
        dlviz_radam_create, dlviz_lion_create,  damped};
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        dlviz_network *network = make(true), *fresh = make(true);
        dlviz_optimizer *old, *new;
        ck_ok(optimizers[i](&old, 0.01));
        ck_ok(optimizers[i](&new, 0.01));
        ck_ok(dlviz_network_freeze(network, "conv2.*"));
        for (int round = 0; round < 12; round++) {
            if (round == 6)
                ck_ok(dlviz_network_unfreeze(network, "conv2.*"));
            copy_states(fresh, network);
            step(network, N);
            ck_ok(dlviz_optimizer_step(old, network));
            if (round < 6)
                continue;
            step(fresh, N);
            ck_ok(dlviz_optimizer_step(new, fresh));
            has_same(network, fresh, "conv2.weight");
            has_same(network, fresh, "conv2.bias");
        }
        dlviz_optimizer_destroy(old);
        dlviz_optimizer_destroy(new);
        dlviz_network_destroy(network);
        dlviz_network_destroy(fresh);
    }
}
END_TEST

/* What a pattern does not name keeps what it was. */
START_TEST(statistics_frozen_for_themselves_stay) {
    dlviz_network *network = make(true);
    ck_ok(dlviz_network_freeze(network, "norm.running_*"));
    ck_ok(dlviz_network_unfreeze(network, "*.bias"));
    ck_assert(dlviz_network_is_frozen(network, "norm.running_mean"));
    ck_ok(dlviz_network_freeze(network, "norm.weight"));
    ck_ok(dlviz_network_unfreeze(network, "norm.weight"));
    ck_assert(dlviz_network_is_frozen(network, "norm.running_mean"));
    ck_ok(dlviz_network_unfreeze(network, "norm.running_mean"));
    ck_assert(!dlviz_network_is_frozen(network, "norm.running_mean"));
    ck_assert(dlviz_network_is_frozen(network, "norm.running_var"));
    dlviz_network_destroy(network);
}
END_TEST

/* Thawed after the pass, whether or not frozen before it: zeros in their place would be stepped by. */
START_TEST(what_is_thawed_has_no_gradients) {
    for (int before = 0; before < 2; before++) {
        dlviz_network *network = make(true);
        dlviz_optimizer *optimizer;
        dlviz_tensor *none = NULL;
        ck_ok(dlviz_adam_create(&optimizer, 0.1));
        if (before)
            ck_ok(dlviz_network_freeze(network, "fc.*"));
        step(network, N);
        ck_ok(dlviz_network_freeze(network, "fc.*"));
        dlviz_tensor_destroy(gradient(network, "conv1.weight")); /* is there yet */
        ck_ok(dlviz_network_unfreeze(network, "conv2.*"));       /* was not frozen */
        dlviz_tensor_destroy(gradient(network, "conv1.weight"));
        ck_ok(dlviz_network_unfreeze(network, "fc.weight"));
        ck_fails(dlviz_network_get_gradient(network, "fc.weight", &none), DLVIZ_ERROR_STATE,
                 "dlviz_network_backward");
        ck_fails(dlviz_optimizer_step(optimizer, network), DLVIZ_ERROR_STATE,
                 "dlviz_network_backward");
        step(network, N);
        ck_ok(dlviz_optimizer_step(optimizer, network));
        dlviz_optimizer_destroy(optimizer);
        dlviz_network_destroy(network);
    }
}
END_TEST

START_TEST(mistakes_are_named) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){3}));
    ck_fails(dlviz_network_freeze(network, "*"), DLVIZ_ERROR_STATE, "not built");
    dlviz_network_destroy(network);
    network = make(true);
    ck_fails(dlviz_network_freeze(network, "fc1.*"), DLVIZ_ERROR_NOT_FOUND, "fc.weight");
    ck_fails(dlviz_network_unfreeze(network, ""), DLVIZ_ERROR_NOT_FOUND, "conv1.weight");
    ck_fails(dlviz_network_freeze(network, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'pattern'");
    ck_fails(dlviz_network_freeze(NULL, "*"), DLVIZ_ERROR_INVALID_ARGUMENT, "'network'");
    ck_assert(!dlviz_network_is_frozen(network, "fc1"));
    ck_assert(!dlviz_network_is_frozen(network, NULL));
    ck_assert(!dlviz_network_is_frozen(NULL, "fc.weight"));
    dlviz_network_destroy(network);
}
END_TEST

int main(void) {
    const TTest *tests[] = {a_frozen_batch_norm_is_a_fixed_scale,
                            what_is_not_frozen_has_the_same_gradients,
                            thawed_is_as_never_frozen,
                            optimizers_leave_them_alone,
                            an_optimizer_begins_anew_with_what_is_thawed,
                            statistics_frozen_for_themselves_stay,
                            what_is_thawed_has_no_gradients,
                            mistakes_are_named,
                            NULL};
    return run_tests("freeze", tests);
}
