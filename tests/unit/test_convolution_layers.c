/* Settings of convolutions in groups and of transposed ones: what is refused, getters, initial
 * values, saving and loading. */
#include "support/netspec.h"

#include <math.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

/* What is wrong with the layer comes out when the network is built. */
static dlviz_network *network_with(dlviz_layer *layer, int64_t channels) {
    dlviz_network *network;
    ck_assert_ptr_nonnull(layer);
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){channels, 8, 7}));
    dlviz_status ignored = dlviz_network_add(network, "conv", layer);
    (void)ignored;
    return network;
}

static void fails_to_build(dlviz_layer *layer, int64_t channels, dlviz_status status,
                           const char *value, const char *accepted) {
    dlviz_network *network = network_with(layer, channels);
    ck_fails(dlviz_network_build(network, 1), status, value);
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "'conv'"));
    ck_assert_msg(strstr(dlviz_last_error(), accepted) != NULL, "'%s' does not say '%s'",
                  dlviz_last_error(), accepted);
    dlviz_network_destroy(network);
}

static dlviz_layer *grouped(int64_t outputs, int64_t groups) {
    dlviz_layer *layer = dlviz_conv2d(outputs, 3, 1);
    ck_ok(dlviz_conv2d_set_groups(layer, groups));
    return layer;
}

/* A setter that fails; then a new layer, as this one remembers. */
#define REFUSED(layer, again, setter_call, value, accepted)                                        \
    do {                                                                                           \
        ck_fails(setter_call, INVALID, value);                                                     \
        ck_assert_msg(strstr(dlviz_last_error(), accepted) != NULL, "'%s' does not say '%s'",      \
                      dlviz_last_error(), accepted);                                               \
        dlviz_layer_destroy(layer);                                                                \
        layer = again;                                                                             \
    } while (0)
#define PLAIN_REFUSED(setter_call, value, accepted)                                                \
    REFUSED(layer, dlviz_conv2d(6, 3, 1), setter_call, value, accepted)
#define TRANSPOSED_REFUSED(setter_call, value, accepted)                                           \
    REFUSED(layer, dlviz_conv_transpose2d(6, 3, 2), setter_call, value, accepted)

START_TEST(groups_are_checked) {
    dlviz_layer *layer = dlviz_conv2d(6, 3, 1);
    PLAIN_REFUSED(dlviz_conv2d_set_groups(layer, 0), "groups is 0", "1 to 6");
    PLAIN_REFUSED(dlviz_conv2d_set_groups(layer, 7), "groups is 7", "1 to 6");
    PLAIN_REFUSED(dlviz_conv2d_set_groups(layer, 4), "groups is 4", "a divisor");
    ck_fails(dlviz_conv2d_set_groups(layer, 4), INVALID, "groups is 4");
    ck_assert_int_eq(dlviz_conv2d_groups(layer), 1); /* as it was */
    dlviz_layer_destroy(layer);
    ck_fails(dlviz_conv2d_set_groups(NULL, 1), INVALID, "layer");
    layer = dlviz_relu();
    ck_fails(dlviz_conv2d_set_groups(layer, 1), INVALID, "relu");
    dlviz_layer_destroy(layer);
    fails_to_build(grouped(6, 3), 4, DLVIZ_ERROR_SHAPE, "4 channels", "3 groups");
}
END_TEST

START_TEST(settings_of_transposed_ones_are_checked) {
    dlviz_layer *layer = dlviz_conv_transpose2d(6, 3, 2);
    TRANSPOSED_REFUSED(dlviz_conv_transpose2d_set_kernel(layer, 3, 0), "3 x 0", "1 to");
    TRANSPOSED_REFUSED(dlviz_conv_transpose2d_set_stride(layer, 0, 1), "0 x 1", "1 to");
    TRANSPOSED_REFUSED(dlviz_conv_transpose2d_set_padding(layer, 0, -1), "0 x -1", "0 to");
    TRANSPOSED_REFUSED(dlviz_conv_transpose2d_set_output_padding(layer, -1, 0), "-1 x 0", "0 to");
    TRANSPOSED_REFUSED(dlviz_conv_transpose2d_set_dilation(layer, 1, 0), "1 x 0", "1 to");
    TRANSPOSED_REFUSED(dlviz_conv_transpose2d_set_groups(layer, 5), "groups is 5", "divisor");
    TRANSPOSED_REFUSED(dlviz_conv_transpose2d_set_groups(layer, 7), "groups is 7", "1 to 6");
    TRANSPOSED_REFUSED(dlviz_conv2d_set_bias(layer, false), "conv_transpose2d", "conv2d");
    dlviz_layer_destroy(layer);
    fails_to_build(dlviz_conv_transpose2d(0, 3, 1), 2, INVALID, "out_channels is 0", "1 to");
    fails_to_build(dlviz_conv_transpose2d(4, -3, 1), 2, INVALID, "-3", "1 to");
    fails_to_build(dlviz_conv_transpose2d(4, 3, 0), 2, INVALID, "0", "1 to");
}
END_TEST

START_TEST(shapes_of_transposed_ones_are_checked) {
    dlviz_layer *layer = dlviz_conv_transpose2d(6, 3, 2);
    ck_ok(dlviz_conv_transpose2d_set_output_padding(layer, 1, 2));
    fails_to_build(layer, 2, DLVIZ_ERROR_SHAPE, "width is 2", "0 to 1 are accepted");
    layer = dlviz_conv_transpose2d(6, 3, 1);
    ck_ok(dlviz_conv_transpose2d_set_padding(layer, 5, 0));
    fails_to_build(layer, 2, DLVIZ_ERROR_SHAPE, "padding of 5", "height");
    layer = dlviz_conv_transpose2d(6, 3, 1);
    ck_ok(dlviz_conv_transpose2d_set_groups(layer, 3));
    fails_to_build(layer, 4, DLVIZ_ERROR_SHAPE, "4 channels", "3 groups");
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){9}));
    ck_ok(dlviz_network_add(network, "conv", dlviz_conv_transpose2d(6, 3, 1)));
    ck_fails(dlviz_network_build(network, 1), DLVIZ_ERROR_SHAPE, "1 dimension");
    dlviz_network_destroy(network);
}
END_TEST

static dlviz_layer *odd_transposed(int64_t output_padding) {
    dlviz_layer *layer = dlviz_conv_transpose2d(6, 3, 2);
    ck_ok(dlviz_conv_transpose2d_set_kernel(layer, 4, 5));
    ck_ok(dlviz_conv_transpose2d_set_stride(layer, 3, 2));
    ck_ok(dlviz_conv_transpose2d_set_padding(layer, 1, 2));
    ck_ok(dlviz_conv_transpose2d_set_output_padding(layer, output_padding, 1));
    ck_ok(dlviz_conv_transpose2d_set_dilation(layer, 2, 1));
    ck_ok(dlviz_conv_transpose2d_set_groups(layer, 2));
    ck_ok(dlviz_conv_transpose2d_set_bias(layer, false));
    return layer;
}

typedef void pair_getter(const dlviz_layer *layer, int64_t *vertical, int64_t *horizontal);

static void is_pair(pair_getter *get, const dlviz_layer *layer, int64_t vertical,
                    int64_t horizontal) {
    int64_t pair[2] = {-7, -7};
    get(layer, &pair[0], &pair[1]);
    ck_assert_int_eq(pair[0], vertical);
    ck_assert_int_eq(pair[1], horizontal);
    get(layer, NULL, NULL);
}

START_TEST(getters_give_what_was_set) {
    dlviz_layer *layer = odd_transposed(2), *relu = dlviz_relu();
    ck_assert_int_eq(dlviz_conv_transpose2d_out_channels(layer), 6);
    ck_assert_int_eq(dlviz_conv_transpose2d_groups(layer), 2);
    ck_assert(!dlviz_conv_transpose2d_bias(layer));
    is_pair(dlviz_conv_transpose2d_kernel, layer, 4, 5);
    is_pair(dlviz_conv_transpose2d_stride, layer, 3, 2);
    is_pair(dlviz_conv_transpose2d_padding, layer, 1, 2);
    is_pair(dlviz_conv_transpose2d_output_padding, layer, 2, 1);
    is_pair(dlviz_conv_transpose2d_dilation, layer, 2, 1);
    is_pair(dlviz_conv2d_kernel, layer, 0, 0);
    is_pair(dlviz_conv_transpose2d_kernel, relu, 0, 0);
    is_pair(dlviz_conv_transpose2d_kernel, NULL, 0, 0);
    ck_assert_int_eq(dlviz_conv_transpose2d_groups(relu), 0);
    ck_assert_int_eq(dlviz_conv_transpose2d_out_channels(NULL), 0);
    dlviz_layer_destroy(layer);
    layer = grouped(6, 3);
    ck_ok(dlviz_conv2d_set_kernel(layer, 2, 5));
    ck_ok(dlviz_conv2d_set_stride(layer, 3, 2));
    ck_ok(dlviz_conv2d_set_padding(layer, 4, 1));
    ck_ok(dlviz_conv2d_set_dilation(layer, 1, 7));
    ck_assert_int_eq(dlviz_conv2d_groups(layer), 3);
    ck_assert_int_eq(dlviz_conv2d_out_channels(layer), 6);
    ck_assert(dlviz_conv2d_bias(layer) && !dlviz_conv2d_bias(relu) && !dlviz_conv2d_bias(NULL));
    is_pair(dlviz_conv2d_kernel, layer, 2, 5);
    is_pair(dlviz_conv2d_stride, layer, 3, 2);
    is_pair(dlviz_conv2d_padding, layer, 4, 1);
    is_pair(dlviz_conv2d_dilation, layer, 1, 7);
    dlviz_layer_destroy(layer);
    dlviz_layer_destroy(relu);
}
END_TEST

/* Of a few hundred numbers, some lie near the ends. */
static void is_within(dlviz_network *network, const char *name, double bound) {
    dlviz_tensor *tensor;
    double most = 0;
    ck_ok(dlviz_network_get_state(network, name, &tensor));
    for (int64_t i = 0; i < dlviz_tensor_num_elements(tensor); i++)
        most = fmax(most, fabs((double)dlviz_tensor_const_float(tensor)[i]));
    ck_assert_msg(most <= bound && most > 0.8 * bound, "%s: %g of %g", name, most, bound);
    dlviz_tensor_destroy(tensor);
}

/* fan_in is that of one group; of a transposed one, PyTorch counts its outputs. */
START_TEST(initial_values_are_pytorchs) {
    dlviz_network *network = network_with(grouped(60, 5), 20);
    ck_ok(dlviz_network_build(network, 1));
    ck_assert_int_eq(dlviz_network_num_parameters(network), 60 * 4 * 9 + 60);
    is_within(network, "conv.weight", 1 / sqrt(4 * 9));
    is_within(network, "conv.bias", 1 / sqrt(4 * 9));
    dlviz_network_destroy(network);
    dlviz_layer *layer = dlviz_conv_transpose2d(60, 3, 2);
    ck_ok(dlviz_conv_transpose2d_set_groups(layer, 5));
    network = network_with(layer, 20);
    ck_ok(dlviz_network_build(network, 1));
    ck_assert_int_eq(dlviz_network_num_parameters(network), 20 * 12 * 9 + 60);
    is_within(network, "conv.weight", 1 / sqrt(12 * 9));
    is_within(network, "conv.bias", 1 / sqrt(12 * 9));
    const int64_t *dims = dlviz_network_layer_dims(network, "conv");
    ck_assert_int_eq(dlviz_network_layer_ndim(network, "conv"), 3);
    ck_assert(dims[0] == 60 && dims[1] == 17 && dims[2] == 15);
    dlviz_network_destroy(network);
}
END_TEST

/* Saved, opened as the same network, loaded into the same, refused by another. */
static void travels(dlviz_layer *layer, dlviz_layer *same, dlviz_layer *other,
                    const char *setting) {
    const char *path = scratch_path("convolution.safetensors");
    dlviz_network *networks[] = {network_with(layer, 6), network_with(same, 6),
                                 network_with(other, 6)},
                  *opened;
    for (int i = 0; i < 3; i++)
        ck_ok(dlviz_network_build(networks[i], 1 + (uint64_t)i));
    ck_ok(dlviz_network_save(networks[0], path));
    ck_ok(dlviz_network_open(&opened, path));
    assert_same_states(networks[0], opened);
    ck_assert_str_eq(dlviz_network_summary(networks[0]), dlviz_network_summary(opened));
    ck_ok(dlviz_network_load(networks[1], path));
    assert_same_states(networks[0], networks[1]);
    ck_fails(dlviz_network_load(networks[2], path), DLVIZ_ERROR_FORMAT, setting);
    dlviz_network_destroy(opened);
    for (int i = 0; i < 3; i++)
        dlviz_network_destroy(networks[i]);
}

START_TEST(settings_are_saved_and_loaded) {
    travels(grouped(6, 3), grouped(6, 3), grouped(6, 2), "groups");
    travels(grouped(6, 1), grouped(6, 1), grouped(6, 6), "groups");
    travels(grouped(6, 6), grouped(6, 6), grouped(6, 1), "groups");
    travels(odd_transposed(2), odd_transposed(2), odd_transposed(1), "output_padding");
}
END_TEST

/* A batch norm that follows is worked into the weights, group by group: what it does to the output
 * of a transposed convolution is what it does to numbers. */
START_TEST(groups_have_their_own_batch_norms) {
    for (int64_t groups = 1; groups <= 6; groups += groups < 3 ? 1 : 3)
        for (int64_t stride = 1; stride <= 3; stride++) {
            dlviz_network *network;
            dlviz_tensor *plain, *normed, *states[4];
            static const char *const names[4] = {"bn.weight", "bn.bias", "bn.running_mean",
                                                 "bn.running_var"};
            dlviz_layer *layer = dlviz_conv_transpose2d(12, 3, stride);
            ck_ok(dlviz_conv_transpose2d_set_groups(layer, groups));
            ck_ok(dlviz_network_create(&network, 3, (int64_t[]){6, 4, 5}));
            ck_ok(dlviz_network_add(network, "conv", layer));
            ck_ok(dlviz_network_add(network, "bn", dlviz_batchnorm()));
            ck_ok(dlviz_network_build(network, 1));
            fill_states(network, 3, false);
            dlviz_tensor *in;
            ck_ok(dlviz_tensor_create(&in, DLVIZ_FLOAT32, 4, (int64_t[]){2, 6, 4, 5}));
            fill_uniform(dlviz_tensor_float(in), 2 * 6 * 4 * 5, 7);
            ck_ok(dlviz_network_forward_to(network, "conv", in, &plain));
            ck_ok(dlviz_network_forward(network, in, &normed));
            for (int i = 0; i < 4; i++)
                ck_ok(dlviz_network_get_state(network, names[i], &states[i]));
            int64_t size = dlviz_tensor_num_elements(plain), pixels = size / (2 * 12);
            for (int64_t i = 0; i < size; i++) {
                int64_t c = i / pixels % 12;
                double of[4];
                for (int k = 0; k < 4; k++)
                    of[k] = (double)dlviz_tensor_float(states[k])[c];
                double x = (double)dlviz_tensor_float(plain)[i];
                double y = (x - of[2]) / sqrt(of[3] + 1e-5) * of[0] + of[1];
                ck_assert_msg(fabs((double)dlviz_tensor_float(normed)[i] - y) < 1e-5,
                              "%lld groups, stride %lld, channel %lld: %g, not %g",
                              (long long)groups, (long long)stride, (long long)c,
                              (double)dlviz_tensor_float(normed)[i], y);
            }
            for (int i = 0; i < 4; i++)
                dlviz_tensor_destroy(states[i]);
            dlviz_tensor_destroy(in);
            dlviz_tensor_destroy(plain);
            dlviz_tensor_destroy(normed);
            dlviz_network_destroy(network);
        }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {groups_are_checked,
                                  settings_of_transposed_ones_are_checked,
                                  shapes_of_transposed_ones_are_checked,
                                  getters_give_what_was_set,
                                  initial_values_are_pytorchs,
                                  settings_are_saved_and_loaded,
                                  groups_have_their_own_batch_norms,
                                  NULL};
    return run_tests("convolution layers", tests);
}
