/* Parameters whose gradients are not wanted: nothing is written for them, and all other gradients
 * have the same bits as before. */
#include "network/network.h"
#include "support/netspec.h"
#include "support/one_layer.h"
#include "tensor/tensor.h"

#include <stdlib.h>
#include <string.h>

typedef struct sample_layer {
    const char *name, *dims;
    dlviz_layer *(*make)(void);
} sample_layer;

static dlviz_layer *conv3x3(void) {
    return dlviz_conv2d(5, 3, 1);
}
static dlviz_layer *wide_conv3x3(void) { /* many channels: Winograd's */
    return dlviz_conv2d(64, 3, 1);
}
static dlviz_layer *conv5x5(void) {
    return dlviz_conv2d(5, 5, DLVIZ_PAD_SAME);
}
static dlviz_layer *grouped(void) {
    dlviz_layer *layer = dlviz_conv2d(6, 3, 1);
    ck_ok(dlviz_conv2d_set_groups(layer, 2));
    return layer;
}
static dlviz_layer *wide_grouped(void) {
    dlviz_layer *layer = dlviz_conv2d(32, 3, 1);
    ck_ok(dlviz_conv2d_set_groups(layer, 2));
    return layer;
}
static dlviz_layer *depthwise(void) {
    dlviz_layer *layer = dlviz_conv2d(4, 3, 1);
    ck_ok(dlviz_conv2d_set_groups(layer, 4));
    return layer;
}
static dlviz_layer *transposed(void) {
    return dlviz_conv_transpose2d(5, 3, 2);
}
static dlviz_layer *linear(void) {
    return dlviz_linear(300);
}
static dlviz_layer *groupnorm(void) {
    return dlviz_groupnorm(2);
}

static const sample_layer layers[] = {
    {"conv2d 3 x 3", "4x8x7", conv3x3},
    {"conv2d 3 x 3 of many channels", "64x16x16", wide_conv3x3},
    {"conv2d 5 x 5", "4x8x7", conv5x5},
    {"conv2d in groups", "4x8x7", grouped},
    {"conv2d in groups of many channels", "32x6x7", wide_grouped},
    {"conv2d of each channel", "4x8x7", depthwise},
    {"conv_transpose2d", "4x5x6", transposed},
    {"linear", "310", linear},
    {"batchnorm", "4x5x6", dlviz_batchnorm},
    {"batchnorm of a vector", "9", dlviz_batchnorm},
    {"layernorm", "4x5x6", dlviz_layernorm},
    {"layernorm of a vector", "9", dlviz_layernorm},
    {"groupnorm", "4x5x6", groupnorm},
};

enum { SAMPLES = 3 };

static dlviz_tensor *numbers(const dlz_shape *shape, uint64_t seed) {
    int64_t dims[4] = {SAMPLES}, size = SAMPLES * dlz_shape_size(shape);
    memcpy(dims + 1, shape->dims, sizeof shape->dims);
    float *values = malloc((size_t)size * sizeof *values);
    ck_assert_ptr_nonnull(values);
    fill_values(values, size, seed, false);
    dlviz_tensor *tensor = float_tensor(shape->ndim + 1, dims, values);
    free(values);
    return tensor;
}

/* The gradient of the input, unless it is not wanted; those of the states in `left_out`, bit by bit,
 * are not either. The network is new, since plans know what is wanted. */
static dlviz_network *run(const sample_layer *layer, unsigned left_out, bool input_wanted,
                          dlviz_tensor **input_gradient) {
    dlviz_network *network = one_layer(layer->dims, layer->make());
    fill_states(network, 7, false);
    dlz_node *node = &network->graph.nodes[0];
    for (int i = 0; i < node->num_states; i++)
        if (left_out >> i & 1)
            node->states[i].gradient = NULL;
    dlviz_tensor *x = numbers(&network->graph.in, 1), *dy = numbers(&node->out, 2);
    ck_ok(dlviz_network_backward_from(network, "layer", x, dy, 1, 1,
                                      input_wanted ? input_gradient : NULL));
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(dy);
    return network;
}

static void check(const sample_layer *layer, const dlviz_network *wanted, unsigned left_out,
                  const dlviz_tensor *wanted_dx, bool input_wanted) {
    dlviz_tensor *dx = NULL;
    dlviz_network *network = run(layer, left_out, input_wanted, &dx);
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        for (int64_t at = 0; state->gradient && at < state->size; at++) {
            float expected = left_out >> i & 1 ? 0 : wanted->states[i].gradient[at];
            ck_assert_msg(memcmp(&state->gradient[at], &expected, sizeof expected) == 0,
                          "%s, without %x: gradient %lld of '%s' is %g, not %g", layer->name,
                          left_out, (long long)at, state->name, (double)state->gradient[at],
                          (double)expected);
        }
    }
    if (input_wanted)
        ck_assert_msg(memcmp(dx->data, wanted_dx->data, (size_t)dx->size * sizeof(float)) == 0,
                      "%s, without %x: another gradient of the input", layer->name, left_out);
    dlviz_tensor_destroy(dx);
    dlviz_network_destroy(network);
}

START_TEST(layers_write_no_gradient_that_is_not_wanted) {
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        dlviz_tensor *dx;
        dlviz_network *all = run(&layers[i], 0, true, &dx);
        ck_assert_int_gt(all->num_states, 0);
        for (unsigned left_out = 0; left_out < 1u << all->num_states; left_out++) {
            check(&layers[i], all, left_out, dx, true);
            check(&layers[i], all, left_out, dx, false);
        }
        dlviz_tensor_destroy(dx);
        dlviz_network_destroy(all);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {layers_write_no_gradient_that_is_not_wanted, NULL};
    return run_tests("left_out_gradients", tests);
}
