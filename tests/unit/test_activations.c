/* Activations as layers: their settings, in memory and in files, and that fusing changes nothing.
 * What the functions compute is tests/kernels/test_activations.c's subject. */
#include "support/netspec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

enum { KINDS = 10 };

static const char *const names[KINDS] = {"relu", "leaky_relu", "elu",  "gelu",     "gelu_tanh",
                                         "silu", "sigmoid",    "tanh", "softplus", "hardswish"};

static dlviz_tensor *zeros(int ndim, const int64_t *dims) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, ndim, dims));
    return tensor;
}

static dlviz_layer *make(int kind) {
    dlviz_layer *layer = NULL;
    switch (kind) {
    case 0:
        return dlviz_relu();
    case 1:
        return dlviz_leaky_relu(0.2);
    case 2:
        return dlviz_elu(0.7);
    case 3:
        return dlviz_gelu();
    case 4:
        return dlviz_gelu_tanh();
    case 5:
        return dlviz_silu();
    case 6:
        return dlviz_sigmoid();
    case 7:
        return dlviz_tanh();
    case 8:
        layer = dlviz_softplus();
        ck_ok(dlviz_softplus_set_beta(layer, 2));
        ck_ok(dlviz_softplus_set_threshold(layer, 3));
        return layer;
    default:
        return dlviz_hardswish();
    }
}

static double truth(int kind, double x) {
    switch (kind) {
    case 0:
        return fmax(x, 0);
    case 1:
        return x > 0 ? x : 0.2 * x;
    case 2:
        return x > 0 ? x : 0.7 * expm1(x);
    case 3:
        return x * 0.5 * erfc(-x / sqrt(2));
    case 4:
        return x / 2 * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case 5:
        return x / (1 + exp(-x));
    case 6:
        return 1 / (1 + exp(-x));
    case 7:
        return tanh(x);
    case 8:
        return 2 * x > 3 ? x : log1p(exp(2 * x)) / 2;
    default:
        return x * fmin(fmax(x + 3, 0), 6) / 6;
    }
}

/* -- Settings -------------------------------------------------------------------------------------
 */

static void is_rejected(dlviz_layer *layer, const char *value, const char *accepted) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){3}));
    dlviz_status status = dlviz_network_add(network, "a", layer);
    if (status == DLVIZ_OK)
        status = dlviz_network_build(network, 1);
    ck_assert_int_eq(status, INVALID);
    ck_assert_msg(strstr(dlviz_last_error(), value) && strstr(dlviz_last_error(), accepted),
                  "'%s' lacks '%s' or '%s'", dlviz_last_error(), value, accepted);
    dlviz_network_destroy(network);
}

START_TEST(settings_out_of_range_are_refused) {
    is_rejected(dlviz_leaky_relu(NAN), "negative_slope is nan", "finite");
    is_rejected(dlviz_leaky_relu(-INFINITY), "negative_slope is -inf", "finite");
    is_rejected(dlviz_leaky_relu(1e39), "1e+39", "3.40282e+38");
    is_rejected(dlviz_elu(INFINITY), "alpha is inf", "finite");
    is_rejected(dlviz_elu(-1e300), "-1e+300", "3.40282e+38");
    static const double betas[] = {0, -1, (double)NAN, (double)INFINITY, 1e31, 1e-31};
    static const char *const words[] = {"beta is 0",   "beta is -1",    "beta is nan",
                                        "beta is inf", "beta is 1e+31", "beta is 1e-31"};
    dlviz_layer *layer;
    for (int i = 0; i < 6; i++) {
        layer = dlviz_softplus();
        ck_fails(dlviz_softplus_set_beta(layer, betas[i]), INVALID, words[i]);
        is_rejected(layer, words[i], "1e-30 to 1e30");
    }
    layer = dlviz_softplus();
    ck_fails(dlviz_softplus_set_threshold(layer, INFINITY), INVALID, "threshold is inf");
    is_rejected(layer, "threshold is inf", "finite");
    layer = dlviz_elu(1);
    ck_fails(dlviz_softplus_set_beta(layer, 1), INVALID, "softplus");
    dlviz_layer_destroy(layer);
    ck_fails(dlviz_softplus_set_threshold(NULL, 1), INVALID, "layer");
}
END_TEST

START_TEST(settings_can_be_got) {
    dlviz_layer *leaky = dlviz_leaky_relu(-0.25), *elu = dlviz_elu(2.5), *soft = dlviz_softplus();
    ck_assert_double_eq(dlviz_leaky_relu_negative_slope(leaky), -0.25);
    ck_assert_double_eq(dlviz_elu_alpha(elu), 2.5);
    ck_assert_double_eq(dlviz_softplus_beta(soft), 1);
    ck_assert_double_eq(dlviz_softplus_threshold(soft), 20);
    ck_ok(dlviz_softplus_set_beta(soft, 0.5));
    ck_ok(dlviz_softplus_set_threshold(soft, -7));
    ck_fails(dlviz_softplus_set_beta(soft, 0), INVALID, "beta");
    ck_assert_double_eq(dlviz_softplus_beta(soft), 0.5);
    ck_assert_double_eq(dlviz_softplus_threshold(soft), -7);
    ck_assert_double_nan(dlviz_leaky_relu_negative_slope(elu));
    ck_assert_double_nan(dlviz_elu_alpha(leaky));
    ck_assert_double_nan(dlviz_softplus_beta(elu));
    ck_assert_double_nan(dlviz_softplus_threshold(NULL));
    dlviz_layer_destroy(leaky);
    dlviz_layer_destroy(elu);
    dlviz_layer_destroy(soft);
}
END_TEST

static dlviz_network *of(dlviz_layer *layer) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){3}));
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(2)));
    ck_ok(dlviz_network_add(network, "act", layer));
    ck_ok(dlviz_network_build(network, 1));
    return network;
}

static void expect_load(dlviz_layer *saved, dlviz_layer *here, const char *words) {
    dlviz_network *a = of(saved), *b = of(here);
    const char *path = scratch_path("activation.safetensors");
    ck_ok(dlviz_network_save(a, path));
    if (words)
        ck_fails(dlviz_network_load(b, path), DLVIZ_ERROR_FORMAT, words);
    else
        ck_ok(dlviz_network_load(b, path));
    dlviz_network_destroy(a);
    dlviz_network_destroy(b);
}

START_TEST(files_hold_the_settings) {
    for (int kind = 0; kind < KINDS; kind++) {
        expect_load(make(kind), make(kind), NULL);
        expect_load(make(kind), make((kind + 1) % KINDS), names[kind]);
    }
    expect_load(dlviz_leaky_relu(0.2), dlviz_leaky_relu(0.25), "negative_slope");
    expect_load(dlviz_elu(1), dlviz_elu(0.5), "alpha");
    expect_load(dlviz_softplus(), make(8), "beta");
}
END_TEST

/* -- Fusion ---------------------------------------------------------------------------------------
 */

/* What comes before the activation, in layers that it is or is not computed along with. */
typedef struct stack {
    const char *what, *dims, *layers;
} stack;

static const stack stacks[] = {
    {"nothing", "3x4x5", ""},
    {"a vector", "7", ""},
    {"linear", "7", "fc:linear,out=9"},
    {"linear and batch norm", "7", "fc:linear,out=9 bn:bn"},
    {"3 x 3 in Winograd's tiles", "8x9x7", "conv:conv,out=9,k=3,pad=1"},
    {"the same with batch norm", "8x9x7", "conv:conv,out=17,k=3,pad=1 bn:bn"},
    {"3 x 3, few channels", "3x6x5", "conv:conv,out=4,k=3,pad=1 bn:bn"},
    {"5 x 5", "3x9x8", "conv:conv,out=6,k=5,pad=2"},
    {"a stride", "3x9x8", "conv:conv,out=6,k=2,stride=2 bn:bn"},
    {"a pool", "8x9x7", "conv:conv,out=8,k=3,pad=1 bn:bn pool:pool,k=2"},
    {"another activation", "8x9x7", "conv:conv,out=8,k=3,pad=1 relu:relu"},
};

/* The layers of a text up to the activation, in a network of its own. */
static void add_layers(dlviz_network *network, const net_spec *spec) {
    for (int i = 0; i < spec->count; i++) {
        const layer_spec *s = &spec->layers[i];
        dlviz_layer *layer = s->kind == CONV        ? dlviz_conv2d(s->out, s->kernel[0], 0)
                             : s->kind == BATCHNORM ? dlviz_batchnorm()
                             : s->kind == RELU      ? dlviz_relu()
                             : s->kind == POOL      ? dlviz_maxpool2d(s->kernel[0])
                                                    : dlviz_linear(s->out);
        if (s->kind == CONV) {
            ck_ok(dlviz_conv2d_set_padding(layer, s->padding[0], s->padding[1]));
            ck_ok(dlviz_conv2d_set_stride(layer, s->stride[0], s->stride[1]));
        }
        ck_ok(dlviz_network_add(network, s->name, layer));
    }
}

/* Evaluation against the formula, applied to what a network without the activation gives. */
static void check_evaluation(const stack *s, int kind) {
    net_spec spec;
    parse_net(&spec, s->dims, *s->layers ? s->layers : "none:relu");
    if (!*s->layers)
        spec.count = 0;
    dlviz_network *with, *without;
    ck_ok(dlviz_network_create(&with, spec.ndim, spec.dims));
    add_layers(with, &spec);
    ck_ok(dlviz_network_add(with, "act", make(kind)));
    ck_ok(dlviz_network_build(with, 1));
    fill_states(with, 3, false);
    dlviz_tensor *x = input_tensor(&spec, 70, 5, false), *found, *before;
    for (int64_t i = 0; i < dlviz_tensor_num_elements(x); i++)
        dlviz_tensor_float(x)[i] *= 6;
    ck_ok(dlviz_network_forward(with, x, &found));
    if (spec.count) {
        ck_ok(dlviz_network_create(&without, spec.ndim, spec.dims));
        add_layers(without, &spec);
        ck_ok(dlviz_network_build(without, 1));
        fill_states(without, 3, false);
        ck_ok(dlviz_network_forward(without, x, &before));
        dlviz_network_destroy(without);
    } else {
        ck_ok(dlviz_tensor_copy(x, &before));
    }
    int64_t count = dlviz_tensor_num_elements(before);
    ck_assert_int_eq(dlviz_tensor_num_elements(found), count);
    for (int64_t i = 0; i < count; i++) {
        double z = (double)dlviz_tensor_const_float(before)[i], expected = truth(kind, z);
        double off = fabs((double)dlviz_tensor_const_float(found)[i] - expected);
        ck_assert_msg(off <= 1e-6 * (fabs(z) + fabs(expected)), "%s behind %s: %g of %g, not %g",
                      names[kind], s->what, (double)dlviz_tensor_const_float(found)[i], z,
                      expected);
    }
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(found);
    dlviz_tensor_destroy(before);
    dlviz_network_destroy(with);
}

START_TEST(evaluation_is_the_formula) {
    for (size_t i = 0; i < sizeof stacks / sizeof *stacks; i++)
        for (int kind = 0; kind < KINDS; kind++)
            check_evaluation(&stacks[i], kind);
}
END_TEST

/* Batch norm, activation and dropout; with `apart` the activation has a second reader, whose zeros
 * change no number, but which keeps all three from being one pass. */
static dlviz_network *regularized(int kind, bool norm, double p, bool apart) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){5, 6, 7}));
    ck_ok(dlviz_network_add(network, "conv", dlviz_conv2d(9, 3, 1)));
    ck_ok(dlviz_network_add(network, "norm", norm ? dlviz_batchnorm() : dlviz_relu()));
    ck_ok(dlviz_network_add(network, "act", make(kind)));
    ck_ok(dlviz_network_add(network, "drop", dlviz_dropout(p)));
    ck_ok(dlviz_network_add(network, "flat", dlviz_flatten()));
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(3)));
    if (apart) {
        const char *act = "act", *both[] = {"fc", "zero"};
        ck_ok(dlviz_network_add_from(network, "flat2", dlviz_flatten(), 1, &act));
        ck_ok(dlviz_network_add(network, "zero", dlviz_linear(3)));
        ck_ok(dlviz_network_add_from(network, "sum", dlviz_add(), 2, both));
    }
    ck_ok(dlviz_network_build(network, 1));
    fill_states(network, 4, false);
    if (apart) {
        dlviz_tensor *weight = zeros(2, (int64_t[]){3, 378});
        dlviz_tensor *bias = zeros(1, (int64_t[]){3});
        ck_ok(dlviz_network_set_state(network, "zero.weight", weight));
        ck_ok(dlviz_network_set_state(network, "zero.bias", bias));
        dlviz_tensor_destroy(weight);
        dlviz_tensor_destroy(bias);
    }
    return network;
}

static void check_training(int kind, bool norm, double p) {
    static const char *const states[] = {"conv.weight", "conv.bias", "norm.weight",
                                         "norm.bias",   "fc.weight", "fc.bias"};
    dlviz_network *one = regularized(kind, norm, p, false), *two = regularized(kind, norm, p, true);
    dlviz_tensor *x = zeros(4, (int64_t[]){6, 5, 6, 7});
    dlviz_tensor *labels = label_tensor(6, 3, 8);
    fill_uniform(dlviz_tensor_float(x), dlviz_tensor_num_elements(x), 9);
    double loss[2];
    ck_ok(dlviz_network_backward(one, x, labels, 11, 12, &loss[0]));
    ck_ok(dlviz_network_backward(two, x, labels, 11, 12, &loss[1]));
    ck_assert_double_eq_tol(loss[0], loss[1], 1e-6);
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        dlviz_tensor *a, *b;
        if (!norm && strncmp(states[i], "norm", 4) == 0)
            continue;
        ck_ok(dlviz_network_get_gradient(one, states[i], &a));
        ck_ok(dlviz_network_get_gradient(two, states[i], &b));
        double error = relative_error(dlviz_tensor_const_float(a), dlviz_tensor_const_float(b),
                                      dlviz_tensor_num_elements(a));
        ck_assert_msg(error < 2e-6, "%s, p %g: the gradients of %s are %g apart", names[kind], p,
                      states[i], error);
        dlviz_tensor_destroy(a);
        dlviz_tensor_destroy(b);
    }
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(one);
    dlviz_network_destroy(two);
}

START_TEST(dropout_behind_an_activation_is_the_same_apart) {
    static const double rates[] = {0, 0.3};
    for (int kind = 0; kind < KINDS; kind++)
        for (int r = 0; r < 2; r++) {
            check_training(kind, true, rates[r]);
            check_training(kind, false, rates[r]);
        }
}
END_TEST

/* Of what nobody trains no gradient comes back: there is none to pass on. */
START_TEST(nothing_to_train_may_come_first) {
    for (int kind = 0; kind < KINDS; kind++) {
        dlviz_network *network;
        ck_ok(dlviz_network_create(&network, 3, (int64_t[]){2, 4, 4}));
        dlviz_layer *norm = dlviz_batchnorm();
        ck_ok(dlviz_batchnorm_set_affine(norm, false));
        ck_ok(dlviz_network_add(network, "norm", norm));
        ck_ok(dlviz_network_add(network, "act", make(kind)));
        ck_ok(dlviz_network_add(network, "drop", dlviz_dropout(0.5)));
        ck_ok(dlviz_network_add(network, "flat", dlviz_flatten()));
        ck_ok(dlviz_network_add(network, "fc", dlviz_linear(3)));
        ck_ok(dlviz_network_build(network, 1));
        dlviz_tensor *x = zeros(4, (int64_t[]){5, 2, 4, 4}), *gradient;
        dlviz_tensor *labels = label_tensor(5, 3, 8);
        fill_uniform(dlviz_tensor_float(x), dlviz_tensor_num_elements(x), 9);
        ck_ok(dlviz_network_backward(network, x, labels, 1, 2, NULL));
        ck_ok(dlviz_network_get_gradient(network, "fc.weight", &gradient));
        float sum = 0;
        for (int64_t i = 0; i < dlviz_tensor_num_elements(gradient); i++)
            sum += fabsf(dlviz_tensor_const_float(gradient)[i]);
        ck_assert_float_gt(sum, 0);
        dlviz_tensor_destroy(x);
        dlviz_tensor_destroy(labels);
        dlviz_tensor_destroy(gradient);
        dlviz_network_destroy(network);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {settings_out_of_range_are_refused,
                                  settings_can_be_got,
                                  files_hold_the_settings,
                                  evaluation_is_the_formula,
                                  dropout_behind_an_activation_is_the_same_apart,
                                  nothing_to_train_may_come_first,
                                  NULL};
    return run_tests("activations as layers", tests);
}
