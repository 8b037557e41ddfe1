/* The networks as a program would write them. Layers with parameters are called as in networks_torch.py, so
 * that PyTorch takes their files. */
#include "support/ten_networks.h"

#include <stdio.h>
#include <string.h>

enum { CLASSES = 10 };

/* -- What several of them have -------------------------------------------------------------------
 */

typedef char label[40];

static dlviz_layer *convolution(int64_t channels, int64_t kernel, int64_t stride, int64_t padding,
                                bool bias) {
    dlviz_layer *layer = dlviz_conv2d(channels, kernel, padding);
    dlviz_conv2d_set_stride(layer, stride, stride);
    dlviz_conv2d_set_bias(layer, bias);
    return layer;
}

static dlviz_layer *depthwise(int64_t channels, int64_t stride) {
    dlviz_layer *layer = convolution(channels, 3, stride, 1, false);
    dlviz_conv2d_set_groups(layer, channels);
    return layer;
}

static dlviz_layer *pool3x3(void) {
    dlviz_layer *layer = dlviz_maxpool2d(3);
    dlviz_maxpool2d_set_stride(layer, 2, 2);
    dlviz_maxpool2d_set_padding(layer, 1, 1);
    return layer;
}

/* "<kind><number>" */
static void add_numbered(dlviz_network *net, const char *kind, int number, dlviz_layer *layer) {
    label own;
    snprintf(own, sizeof own, "%s%d", kind, number);
    dlviz_network_add(net, own, layer);
}

/* A layer, batch norm and relu, all with this number. */
static void add_normalized(dlviz_network *net, const char *kind, int number, dlviz_layer *layer) {
    add_numbered(net, kind, number, layer);
    add_numbered(net, "bn", number, dlviz_batchnorm());
    add_numbered(net, "relu", number, dlviz_relu());
}

static void add_rectified(dlviz_network *net, const char *kind, int number, dlviz_layer *layer) {
    add_numbered(net, kind, number, layer);
    add_numbered(net, "relu", number, dlviz_relu());
}

/* -- One by one ----------------------------------------------------------------------------------
 */

static void add_report(dlviz_network *net) {
    add_normalized(net, "conv", 1, dlviz_conv2d(32, 3, 1));
    add_normalized(net, "conv", 2, dlviz_conv2d(32, 3, 1));
    dlviz_network_add(net, "pool1", dlviz_maxpool2d(2));
    dlviz_network_add(net, "dropout1", dlviz_dropout(0.25));
    add_normalized(net, "conv", 3, dlviz_conv2d(64, 3, 1));
    add_normalized(net, "conv", 4, dlviz_conv2d(64, 3, 1));
    dlviz_network_add(net, "pool2", dlviz_maxpool2d(2));
    dlviz_network_add(net, "dropout2", dlviz_dropout(0.25));
    dlviz_network_add(net, "flatten", dlviz_flatten());
    add_normalized(net, "fc", 5, dlviz_linear(512));
    dlviz_network_add(net, "dropout3", dlviz_dropout(0.5));
    dlviz_network_add(net, "fc6", dlviz_linear(CLASSES));
}

static void add_mnist_example(dlviz_network *net) {
    add_rectified(net, "conv", 1, dlviz_conv2d(32, 3, 0));
    add_rectified(net, "conv", 2, dlviz_conv2d(64, 3, 0));
    dlviz_network_add(net, "pool", dlviz_maxpool2d(2));
    dlviz_network_add(net, "dropout1", dlviz_dropout(0.25));
    dlviz_network_add(net, "flatten", dlviz_flatten());
    add_rectified(net, "fc", 3, dlviz_linear(128));
    dlviz_network_add(net, "dropout2", dlviz_dropout(0.5));
    dlviz_network_add(net, "fc4", dlviz_linear(CLASSES));
}

static void add_lenet5(dlviz_network *net) {
    add_rectified(net, "conv", 1, dlviz_conv2d(6, 5, 2));
    dlviz_network_add(net, "pool1", dlviz_maxpool2d(2));
    add_rectified(net, "conv", 2, dlviz_conv2d(16, 5, 0));
    dlviz_network_add(net, "pool2", dlviz_maxpool2d(2));
    dlviz_network_add(net, "flatten", dlviz_flatten());
    add_rectified(net, "fc", 3, dlviz_linear(120));
    add_rectified(net, "fc", 4, dlviz_linear(84));
    dlviz_network_add(net, "fc5", dlviz_linear(CLASSES));
}

static void add_vgg(dlviz_network *net) {
    int number = 0;
    for (int stage = 0; stage < 3; stage++) {
        for (int i = 0; i < 2; i++)
            add_normalized(net, "conv", ++number, dlviz_conv2d(64 << stage, 3, 1));
        add_numbered(net, "pool", stage + 1, dlviz_maxpool2d(2));
    }
    dlviz_network_add(net, "flatten", dlviz_flatten());
    add_rectified(net, "fc", 7, dlviz_linear(512));
    dlviz_network_add(net, "fc8", dlviz_linear(CLASSES));
}

/* Adds "<block>.<part>", which reads `input`, or else the layer before; `own` receives its name. */
static void add_part(dlviz_network *net, const char *block, const char *part, dlviz_layer *layer,
                     const char *input, label own) {
    snprintf(own, sizeof(label), "%s.%s", block, part);
    if (input)
        dlviz_network_add_from(net, own, layer, 1, &input);
    else
        dlviz_network_add(net, own, layer);
}

/* Two convolutions, and around them the input, or a 1 x 1 convolution of it where the size changes. */
static void add_block(dlviz_network *net, const char *block, const char *input, int64_t channels,
                      int64_t stride) {
    label any, norm, around, out;
    add_part(net, block, "conv1", convolution(channels, 3, stride, 1, false), input, any);
    add_part(net, block, "bn1", dlviz_batchnorm(), NULL, any);
    add_part(net, block, "relu1", dlviz_relu(), NULL, any);
    add_part(net, block, "conv2", convolution(channels, 3, 1, 1, false), NULL, any);
    add_part(net, block, "bn2", dlviz_batchnorm(), NULL, norm);
    const char *sum[2] = {norm, input};
    if (stride != 1) {
        add_part(net, block, "shortcut", convolution(channels, 1, stride, 0, false), input, any);
        add_part(net, block, "shortcut_bn", dlviz_batchnorm(), NULL, around);
        sum[1] = around;
    }
    snprintf(out, sizeof out, "%s.sum", block);
    dlviz_network_add_from(net, out, dlviz_add(), 2, sum);
    dlviz_network_add(net, block, dlviz_relu());
}

/* He et al. 2016 for CIFAR: stages of 16, 32 and 64 channels. */
static void add_resnet(dlviz_network *net, int blocks) {
    add_normalized(net, "conv", 1, convolution(16, 3, 1, 1, false));
    label last = "relu1";
    for (int stage = 0; stage < 3; stage++)
        for (int i = 0; i < blocks; i++) {
            label block;
            snprintf(block, sizeof block, "layer%d_%d", stage + 1, i + 1);
            add_block(net, block, last, 16 << stage, stage > 0 && i == 0 ? 2 : 1);
            memcpy(last, block, sizeof last);
        }
    dlviz_network_add(net, "pool", dlviz_global_avgpool2d());
    dlviz_network_add(net, "fc", dlviz_linear(CLASSES));
}

static void add_resnet8(dlviz_network *net) {
    add_resnet(net, 1);
}

static void add_resnet20(dlviz_network *net) {
    add_resnet(net, 3);
}

static void add_separable(dlviz_network *net) {
    static const struct {
        int64_t channels, stride;
    } blocks[] = {{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}};
    int64_t channels = 32;
    int number = 1;
    add_normalized(net, "conv", number, convolution(channels, 3, 1, 1, false));
    for (int i = 0; i < 5; i++) {
        add_normalized(net, "dw", ++number, depthwise(channels, blocks[i].stride));
        channels = blocks[i].channels;
        add_normalized(net, "pw", ++number, convolution(channels, 1, 1, 0, false));
    }
    dlviz_network_add(net, "pool", dlviz_global_avgpool2d());
    dlviz_network_add(net, "fc", dlviz_linear(CLASSES));
}

static dlviz_layer *doubling(int64_t channels) {
    dlviz_layer *layer = dlviz_conv_transpose2d(channels, 3, 2);
    dlviz_conv_transpose2d_set_padding(layer, 1, 1);
    dlviz_conv_transpose2d_set_output_padding(layer, 1, 1);
    return layer;
}

static void add_autoencoder(dlviz_network *net) {
    add_rectified(net, "conv", 1, convolution(16, 3, 2, 1, true));
    add_rectified(net, "conv", 2, convolution(32, 3, 2, 1, true));
    dlviz_network_add(net, "conv3", dlviz_conv2d(64, 7, 0));
    add_rectified(net, "up", 4, dlviz_conv_transpose2d(32, 7, 1));
    add_rectified(net, "up", 5, doubling(16));
    dlviz_network_add(net, "up6", doubling(1));
    dlviz_network_add(net, "sigmoid", dlviz_sigmoid());
}

static void add_mlp(dlviz_network *net) {
    for (int number = 1; number <= 2; number++) {
        add_normalized(net, "fc", number, dlviz_linear(512));
        add_numbered(net, "dropout", number, dlviz_dropout(0.25));
    }
    dlviz_network_add(net, "fc3", dlviz_linear(CLASSES));
}

static void add_large(dlviz_network *net) {
    add_normalized(net, "conv", 1, convolution(32, 7, 2, 3, false));
    dlviz_network_add(net, "pool1", pool3x3());
    add_normalized(net, "conv", 2, convolution(64, 3, 2, 1, false));
    add_normalized(net, "conv", 3, convolution(64, 3, 1, 1, false));
    add_normalized(net, "conv", 4, convolution(128, 1, 1, 0, false));
    add_normalized(net, "conv", 5, convolution(128, 3, 2, 1, false));
    dlviz_network_add(net, "pool2", dlviz_global_avgpool2d());
    dlviz_network_add(net, "fc", dlviz_linear(CLASSES));
}

/* -- All of them ---------------------------------------------------------------------------------
 */

const ten_network ten_networks[] = {
    {"report32", "report's network, 1 × 32 × 32", 3, {1, 32, 32}, false, 2, add_report},
    {"report28", "report's network, 1 × 28 × 28", 3, {1, 28, 28}, false, 2, add_report},
    {"mnist", "PyTorch's MNIST example", 3, {1, 28, 28}, false, 1, add_mnist_example},
    {"lenet5", "LeNet-5", 3, {1, 28, 28}, false, 1, add_lenet5},
    {"vgg", "VGG, small", 3, {3, 32, 32}, false, 1, add_vgg},
    {"resnet8", "ResNet-8", 3, {3, 32, 32}, false, 1, add_resnet8},
    {"resnet20", "ResNet-20", 3, {3, 32, 32}, false, 1, add_resnet20},
    {"separable", "depthwise-separable", 3, {3, 32, 32}, false, 1, add_separable},
    {"autoencoder", "autoencoder", 3, {1, 28, 28}, true, 1, add_autoencoder},
    {"mlp", "MLP", 1, {784}, false, 2, add_mlp},
    {"large", "3 × 112 × 112 images", 3, {3, 112, 112}, false, 1, add_large},
};
const int ten_networks_count = sizeof ten_networks / sizeof *ten_networks;

const ten_network *ten_networks_find(const char *name) {
    for (int i = 0; i < ten_networks_count; i++)
        if (strcmp(ten_networks[i].name, name) == 0)
            return &ten_networks[i];
    return NULL;
}

dlviz_status ten_networks_create(const ten_network *which, dlviz_network **out) {
    dlviz_status status = dlviz_network_create(out, which->ndim, which->dims);
    if (status != DLVIZ_OK)
        return status;
    which->add(*out);
    status = dlviz_network_build(*out, 1); /* reports the first error of all that was added */
    if (status == DLVIZ_OK && which->reconstructs)
        status = dlviz_network_set_loss(*out, dlviz_mse());
    if (status != DLVIZ_OK) {
        dlviz_network_destroy(*out);
        *out = NULL;
    }
    return status;
}
