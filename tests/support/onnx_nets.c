#include "support/onnx_nets.h"
#include "network/network.h"
#include "support/netspec.h"
#include "support/onnx_layers.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const onnx_groups[ONNX_NUM_GROUPS] = {"activation", "branches", "conv",    "nets",
                                                  "norm",       "pool",     "random",  "residual",
                                                  "more",       "drawn",    "examples"};

bool onnx_has_value(const dlviz_network *network, int64_t layer) {
    bool is_dropout =
        strncmp(network->graph.nodes[layer].layer->type->name, "dropout", strlen("dropout")) == 0;
    return !is_dropout || layer == network->graph.num_nodes - 1;
}

/* -- The fixtures' --------------------------------------------------------------------------------
 */

static void visit_fixtures(const char *group, onnx_visitor visit, void *context) {
    char path[64];
    json_error_t error;
    snprintf(path, sizeof path, "graphs_%s.json", group);
    json_t *cases = json_load_file(fixture_path(path), 0, &error), *entry;
    ck_assert_msg(json_array_size(cases) > 0, "%s: %s", path, error.text);
    size_t at;
    json_array_foreach(cases, at, entry) {
        dlviz_network *network;
        bool ties = strcmp(json_string_value(json_object_get(entry, "kind")), "ties") == 0;
        ck_ok(dlz_network_open_description(&network, json_object_get(entry, "network")));
        ck_ok(dlviz_network_build(network, 0));
        fill_states(network, 1, ties);
        dlviz_tensor *inputs =
            onnx_inputs(network, json_integer_value(json_object_get(entry, "batch")), ties);
        visit(json_string_value(json_object_get(entry, "name")), network, inputs, context);
        dlviz_tensor_destroy(inputs);
        dlviz_network_destroy(network);
    }
    json_decref(cases);
}

/* -- Where ONNX differs ---------------------------------------------------------------------------
 */

static dlviz_layer *average_beyond(bool count_include_pad, int64_t padding) {
    dlviz_layer *layer = dlviz_avgpool2d(5);
    dlviz_avgpool2d_set_stride(layer, 3, 4);
    dlviz_avgpool2d_set_padding(layer, padding, 1);
    dlviz_avgpool2d_set_ceil_mode(layer, true);
    dlviz_avgpool2d_set_count_include_pad(layer, count_include_pad);
    return layer;
}

static dlviz_layer *largest_beyond(void) {
    dlviz_layer *layer = dlviz_maxpool2d(5);
    dlviz_maxpool2d_set_stride(layer, 3, 4);
    dlviz_maxpool2d_set_padding(layer, 2, 1);
    dlviz_maxpool2d_set_ceil_mode(layer, true);
    return layer;
}

static dlviz_layer *sized(int64_t height, int64_t width, dlviz_interpolation mode, bool corners) {
    dlviz_layer *layer = dlviz_upsample(1, 1);
    dlviz_upsample_set_size(layer, height, width);
    dlviz_upsample_set_mode(layer, mode);
    dlviz_upsample_set_align_corners(layer, corners);
    return layer;
}

static dlviz_layer *padded(int64_t top, int64_t bottom, int64_t left, int64_t right,
                           dlviz_border mode, double value) {
    dlviz_layer *layer = dlviz_pad(top, bottom, left, right);
    dlviz_pad_set_mode(layer, mode);
    dlviz_pad_set_value(layer, value);
    return layer;
}

static dlviz_layer *cut_softplus(double beta, double threshold) {
    dlviz_layer *layer = dlviz_softplus();
    dlviz_softplus_set_beta(layer, beta);
    dlviz_softplus_set_threshold(layer, threshold);
    return layer;
}

static dlviz_layer *plain_norm(dlviz_layer *layer) {
    dlviz_batchnorm_set_affine(layer, false);
    return layer;
}

static dlviz_layer *far_transposed(void) {
    dlviz_layer *layer = dlviz_conv_transpose2d(4, 3, 2);
    dlviz_conv_transpose2d_set_dilation(layer, 3, 2);
    dlviz_conv_transpose2d_set_output_padding(layer, 2, 1);
    dlviz_conv_transpose2d_set_groups(layer, 2);
    return layer;
}

#define NEAREST DLVIZ_INTERPOLATION_NEAREST
#define BILINEAR DLVIZ_INTERPOLATION_BILINEAR

/* Each of them alone, on two channels of 11 x 10. */
static dlviz_layer *make_more(int index) {
    switch (index) {
    case 0:
        return average_beyond(true, 2);
    case 1:
        return average_beyond(false, 2);
    case 2:
        return average_beyond(true, 0);
    case 3:
        return largest_beyond();
    case 4:
        return sized(451, 410, NEAREST, false); /* by 41: PyTorch's float decides otherwise */
    case 5:
        return sized(33, 30, NEAREST, false);
    case 6:
        return sized(7, 23, NEAREST, false);
    case 7:
        return sized(33, 20, BILINEAR, false);
    case 8:
        return sized(33, 20, BILINEAR, true);
    case 9:
        return sized(25, 7, BILINEAR, false);
    case 10:
        return sized(1, 1, BILINEAR, true);
    case 11:
        return padded(-13, 20, 3, -9, DLVIZ_BORDER_CONSTANT, 2.5);
    case 12:
        return padded(20, -30, -2, -3, DLVIZ_BORDER_CONSTANT, -1);
    case 13:
        return padded(3, 10, 9, 0, DLVIZ_BORDER_REFLECT, 0);
    case 14:
        return padded(13, 12, 0, 25, DLVIZ_BORDER_REPLICATE, 0);
    case 15:
        return cut_softplus(1, 0.25);
    case 16:
        return cut_softplus(2.5, 0.5);
    case 17:
        return cut_softplus(0.5, 100);
    case 18:
        return dlviz_adaptive_avgpool2d(4, 7);
    case 19:
        return dlviz_adaptive_avgpool2d(1, 5);
    case 20:
        return dlviz_adaptive_avgpool2d(23, 3);
    case 21:
        return dlviz_dropout(0.5);
    case 22:
        return dlviz_dropout2d(0.5);
    case 23:
        return plain_norm(dlviz_batchnorm());
    case 24:
        return far_transposed();
    case 25:
        return dlviz_elu(-0.75);
    case 26:
        return dlviz_leaky_relu(0);
    default:
        return NULL;
    }
}

/* Channels of a vector weighted by an image of one pixel and the other way round, dropout before
 * and between, and layers that are called as the states of others are. */
static dlviz_network *make_names(void) {
    dlviz_network *network;
    const char *in[] = {"input"}, *first[] = {"vector", "pixel"}, *second[] = {"pixel", "first"};
    const char *three[] = {"\xc3\xa9t\xc3\xa9 \xe2\x98\x80/fc", "first", "second"};
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){3, 4, 5}));
    dlviz_network_add(network, "before", dlviz_dropout(0.25));
    dlviz_network_add(network, "fc.weight", dlviz_global_avgpool2d());
    dlviz_network_add(network, "fc", dlviz_linear(3));
    dlviz_network_add(network, "fc.bias", dlviz_relu());
    dlviz_network_add(network, "fc.weight_1", dlviz_linear(4));
    dlviz_network_add(network, "vector", dlviz_silu());
    dlviz_network_add(network, "vector.sigmoid", dlviz_dropout(0.5));
    dlviz_network_add(network, three[0], dlviz_linear(4));
    dlviz_network_add_from(network, "mixed", dlviz_conv2d(4, 1, 0), 1, in);
    dlviz_network_add(network, "pixel", dlviz_adaptive_avgpool2d(1, 1));
    dlviz_network_add_from(network, "first", dlviz_multiply(), 2, first);
    dlviz_network_add_from(network, "second0", dlviz_multiply(), 2, second);
    dlviz_network_add(network, "second", dlviz_flatten());
    dlviz_network_add_from(network, "sum", dlviz_add(), 3, three);
    const char *all[] = {"vector.sigmoid", "sum", "vector"};
    dlviz_network_add_from(network, "all", dlviz_concat(), 3, all);
    dlviz_network_add(network, "last", dlviz_dropout(0.5));
    ck_ok(dlviz_network_build(network, 3));
    return network;
}

static void visit_more(onnx_visitor visit, void *context) {
    dlviz_layer *layer;
    for (int i = 0; (layer = make_more(i)) != NULL; i++) {
        char name[40];
        dlviz_network *network;
        ck_ok(dlviz_network_create(&network, 3, (int64_t[]){2, 11, 10}));
        dlviz_network_add(network, "layer", layer);
        ck_ok(dlviz_network_build(network, 1));
        fill_states(network, 1, false);
        dlviz_tensor *inputs = onnx_inputs(network, 3, false);
        snprintf(name, sizeof name, "more%d", i);
        visit(name, network, inputs, context);
        dlviz_tensor_destroy(inputs);
        dlviz_network_destroy(network);
    }
    dlviz_network *network = make_names();
    dlviz_tensor *inputs = onnx_inputs(network, 2, false);
    visit("names", network, inputs, context);
    dlviz_tensor_destroy(inputs);
    dlviz_network_destroy(network);
}

/* -- The examples' --------------------------------------------------------------------------------
 */

static dlviz_layer *convolution(int64_t channels, int64_t kernel, int64_t stride, bool bias) {
    dlviz_layer *layer = dlviz_conv2d(channels, kernel, kernel % 2 ? kernel / 2 : 1);
    dlviz_conv2d_set_stride(layer, stride, stride);
    dlviz_conv2d_set_bias(layer, bias);
    return layer;
}

static void add(dlviz_network *network, const char *block, const char *part, dlviz_layer *layer,
                const char *input) {
    char name[64];
    snprintf(name, sizeof name, "%s.%s", block, part);
    if (input)
        dlviz_network_add_from(network, name, layer, 1, &input);
    else
        dlviz_network_add(network, name, layer);
}

static void add_block(dlviz_network *network, const char *block, const char *input,
                      int64_t channels, int64_t stride) {
    char norm[64], around[64], sum[64];
    snprintf(norm, sizeof norm, "%s.bn2", block);
    snprintf(around, sizeof around, "%s.shortcut_bn", block);
    snprintf(sum, sizeof sum, "%s.sum", block);
    add(network, block, "conv1", convolution(channels, 3, stride, false), input);
    add(network, block, "bn1", dlviz_batchnorm(), NULL);
    add(network, block, "relu1", dlviz_relu(), NULL);
    add(network, block, "conv2", convolution(channels, 3, 1, false), NULL);
    add(network, block, "bn2", dlviz_batchnorm(), NULL);
    if (stride != 1) {
        add(network, block, "shortcut", convolution(channels, 1, stride, false), input);
        add(network, block, "shortcut_bn", dlviz_batchnorm(), NULL);
    }
    const char *both[] = {norm, stride != 1 ? around : input};
    dlviz_network_add_from(network, sum, dlviz_add(), 2, both);
    dlviz_network_add(network, block, dlviz_relu());
}

/* As in examples/resnet.c. */
static dlviz_network *make_resnet(void) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){1, 32, 32}));
    dlviz_network_add(network, "conv1", convolution(16, 3, 1, false));
    dlviz_network_add(network, "bn1", dlviz_batchnorm());
    dlviz_network_add(network, "relu1", dlviz_relu());
    add_block(network, "layer1", "relu1", 16, 1);
    add_block(network, "layer2", "layer1", 32, 2);
    add_block(network, "layer3", "layer2", 64, 2);
    dlviz_network_add(network, "pool", dlviz_global_avgpool2d());
    dlviz_network_add(network, "fc", dlviz_linear(10));
    ck_ok(dlviz_network_build(network, 1));
    return network;
}

static dlviz_layer *doubling(int64_t channels) {
    dlviz_layer *layer = dlviz_conv_transpose2d(channels, 4, 2);
    dlviz_conv_transpose2d_set_padding(layer, 1, 1);
    return layer;
}

/* As in examples/autoencoder.c, of 32 x 32 pixels. */
static dlviz_network *make_autoencoder(void) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){1, 32, 32}));
    dlviz_network_add(network, "conv1", convolution(16, 4, 2, true));
    dlviz_network_add(network, "relu1", dlviz_relu());
    dlviz_network_add(network, "conv2", convolution(32, 4, 2, true));
    dlviz_network_add(network, "relu2", dlviz_relu());
    dlviz_network_add(network, "flat", dlviz_flatten());
    dlviz_network_add(network, "hidden1", dlviz_linear(128));
    dlviz_network_add(network, "relu3", dlviz_relu());
    dlviz_network_add(network, "code", dlviz_linear(2));
    dlviz_network_add(network, "hidden2", dlviz_linear(128));
    dlviz_network_add(network, "relu4", dlviz_relu());
    dlviz_network_add(network, "wide", dlviz_linear(32 * 8 * 8));
    dlviz_network_add(network, "relu5", dlviz_relu());
    dlviz_network_add(network, "image", dlviz_reshape(3, (int64_t[]){32, 8, 8}));
    dlviz_network_add(network, "up1", doubling(16));
    dlviz_network_add(network, "relu6", dlviz_relu());
    dlviz_network_add(network, "up2", doubling(1));
    dlviz_network_add(network, "out", dlviz_sigmoid());
    ck_ok(dlviz_network_set_loss(network, dlviz_mse()));
    ck_ok(dlviz_network_build(network, 1));
    return network;
}

enum { DIGITS = 64, STEPS = 12 };

/* Takes the network. */
static void visit_trained(const char *name, dlviz_network *network, onnx_visitor visit,
                          void *context) {
    dlviz_tensor *images, *labels, *first;
    dlviz_optimizer *adam;
    digits(0, DIGITS, &images, &labels);
    bool is_autoencoder = strcmp(name, "autoencoder") == 0;
    ck_ok(dlviz_adam_create(&adam, 1e-3));
    for (uint64_t step = 1; step <= STEPS; step++) {
        ck_ok(dlviz_network_backward(network, images, is_autoencoder ? images : labels, 1, step,
                                     NULL));
        ck_ok(dlviz_optimizer_step(adam, network));
    }
    digits(0, 5, &first, NULL);
    visit(name, network, first, context);
    dlviz_tensor_destroy(images);
    dlviz_tensor_destroy(labels);
    dlviz_tensor_destroy(first);
    dlviz_optimizer_destroy(adam);
    dlviz_network_destroy(network);
}

enum { DRAWN = 200 };

static void visit_drawn(onnx_visitor visit, void *context) {
    for (uint64_t seed = 1; seed <= DRAWN; seed++) {
        char name[40];
        dlviz_network *network = onnx_random_layer(seed);
        dlviz_tensor *inputs = onnx_inputs(network, 1 + (int64_t)(seed % 4), false);
        snprintf(name, sizeof name, "seed%llu", (unsigned long long)seed);
        visit(name, network, inputs, context);
        dlviz_tensor_destroy(inputs);
        dlviz_network_destroy(network);
    }
}

void onnx_for_each(const char *group, onnx_visitor visit, void *context) {
    if (strcmp(group, "more") == 0) {
        visit_more(visit, context);
    } else if (strcmp(group, "drawn") == 0) {
        visit_drawn(visit, context);
    } else if (strcmp(group, "examples") == 0) {
        visit_trained("report", report_network(32, 1), visit, context);
        visit_trained("resnet", make_resnet(), visit, context);
        visit_trained("autoencoder", make_autoencoder(), visit, context);
    } else {
        visit_fixtures(group, visit, context);
    }
}
