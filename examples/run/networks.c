#include "networks.h"

#include <stdio.h>
#include <string.h>

/* -- report --------------------------------------------------------------------------------------
 */

static void add_convolution(dlviz_network *net, const char *conv, const char *bn, const char *relu,
                            int64_t channels) {
    dlviz_network_add(net, conv, dlviz_conv2d(channels, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(net, bn, dlviz_batchnorm());
    dlviz_network_add(net, relu, dlviz_relu());
}

static void add_report(dlviz_network *net, int64_t num_classes) {
    add_convolution(net, "conv1", "bn1", "relu1", 32);
    add_convolution(net, "conv2", "bn2", "relu2", 32);
    dlviz_network_add(net, "pool1", dlviz_maxpool2d(2));
    dlviz_network_add(net, "dropout1", dlviz_dropout(0.25));
    add_convolution(net, "conv3", "bn3", "relu3", 64);
    add_convolution(net, "conv4", "bn4", "relu4", 64);
    dlviz_network_add(net, "pool2", dlviz_maxpool2d(2));
    dlviz_network_add(net, "dropout2", dlviz_dropout(0.25));
    dlviz_network_add(net, "flatten", dlviz_flatten());
    dlviz_network_add(net, "fc1", dlviz_linear(512));
    dlviz_network_add(net, "bn5", dlviz_batchnorm());
    dlviz_network_add(net, "relu5", dlviz_relu());
    dlviz_network_add(net, "dropout3", dlviz_dropout(0.5));
    dlviz_network_add(net, "fc2", dlviz_linear(num_classes));
}

/* -- resnet8 -------------------------------------------------------------------------------------
 */

static dlviz_layer *convolution(int64_t channels, int64_t kernel, int64_t stride) {
    dlviz_layer *layer = dlviz_conv2d(channels, kernel, kernel / 2);
    dlviz_conv2d_set_stride(layer, stride, stride);
    dlviz_conv2d_set_bias(layer, false);
    return layer;
}

typedef char name[32];

/* Adds "<block>.<part>", which reads `input`, or else the layer before; returns its name. */
static const char *add_part(dlviz_network *net, const char *block, const char *part,
                            dlviz_layer *layer, const char *input, name own) {
    snprintf(own, sizeof(name), "%s.%s", block, part);
    if (input)
        dlviz_network_add_from(net, own, layer, 1, &input);
    else
        dlviz_network_add(net, own, layer);
    return own;
}

/* Two convolutions, and around them the input, or a 1 x 1 convolution of it where the size changes. */
static void add_block(dlviz_network *net, const char *block, const char *input, int64_t channels,
                      int64_t stride) {
    name any, norm, around, out;
    add_part(net, block, "conv1", convolution(channels, 3, stride), input, any);
    add_part(net, block, "bn1", dlviz_batchnorm(), NULL, any);
    add_part(net, block, "relu1", dlviz_relu(), NULL, any);
    add_part(net, block, "conv2", convolution(channels, 3, 1), NULL, any);
    const char *sum[2] = {add_part(net, block, "bn2", dlviz_batchnorm(), NULL, norm), input};
    if (stride != 1) {
        add_part(net, block, "shortcut", convolution(channels, 1, stride), input, any);
        sum[1] = add_part(net, block, "shortcut_bn", dlviz_batchnorm(), NULL, around);
    }
    snprintf(out, sizeof out, "%s.sum", block);
    dlviz_network_add_from(net, out, dlviz_add(), 2, sum);
    dlviz_network_add(net, block, dlviz_relu());
}

static void add_resnet8(dlviz_network *net, int64_t num_classes) {
    dlviz_network_add(net, "conv1", convolution(32, 3, 1));
    dlviz_network_add(net, "bn1", dlviz_batchnorm());
    dlviz_network_add(net, "relu1", dlviz_relu());
    add_block(net, "layer1", "relu1", 32, 1);
    add_block(net, "layer2", "layer1", 64, 2);
    add_block(net, "layer3", "layer2", 128, 2);
    dlviz_network_add(net, "pool", dlviz_global_avgpool2d());
    dlviz_network_add(net, "fc", dlviz_linear(num_classes));
}

/* -- mlp -----------------------------------------------------------------------------------------
 */

static void add_mlp(dlviz_network *net, int ndim, int64_t num_classes) {
    if (ndim > 1)
        dlviz_network_add(net, "flatten", dlviz_flatten());
    dlviz_network_add(net, "fc1", dlviz_linear(512));
    dlviz_network_add(net, "bn1", dlviz_batchnorm());
    dlviz_network_add(net, "relu1", dlviz_relu());
    dlviz_network_add(net, "dropout1", dlviz_dropout(0.25));
    dlviz_network_add(net, "fc2", dlviz_linear(512));
    dlviz_network_add(net, "bn2", dlviz_batchnorm());
    dlviz_network_add(net, "relu2", dlviz_relu());
    dlviz_network_add(net, "dropout2", dlviz_dropout(0.25));
    dlviz_network_add(net, "fc3", dlviz_linear(num_classes));
}

/* -- Any of them ---------------------------------------------------------------------------------
 */

bool is_network_file(const char *choice) {
    return strcmp(choice, "report") && strcmp(choice, "resnet8") && strcmp(choice, "mlp");
}

dlviz_status open_network(dlviz_network **network, const char *path) {
    dlviz_status status = dlviz_network_open_architecture(network, path);
    if (status != DLVIZ_OK)
        return status;
    status = dlviz_network_build(*network, 0);
    if (status != DLVIZ_OK) {
        dlviz_network_destroy(*network);
        *network = NULL;
    }
    return status;
}

dlviz_status read_network_dims(const char *path, int *ndim, int64_t dims[3]) {
    dlviz_network *network;
    dlviz_status status = open_network(&network, path);
    if (status != DLVIZ_OK)
        return status;
    *ndim = dlviz_network_layer_ndim(network, "input");
    for (int i = 0; status == DLVIZ_OK && i < *ndim; i++)
        dims[i] = dlviz_network_layer_dims(network, "input")[i];
    dlviz_network_destroy(network);
    return status;
}

dlviz_status begin_network(dlviz_network **network, const char *choice, int ndim,
                           const int64_t *dims, int64_t num_classes) {
    if (is_network_file(choice))
        return dlviz_network_open_architecture(network, choice);
    dlviz_status status = dlviz_network_create(network, ndim, dims);
    if (status != DLVIZ_OK)
        return status;
    if (strcmp(choice, "report") == 0)
        add_report(*network, num_classes);
    else if (strcmp(choice, "resnet8") == 0)
        add_resnet8(*network, num_classes);
    else
        add_mlp(*network, ndim, num_classes);
    return DLVIZ_OK;
}

/* A description may be of a network for other data. */
static dlviz_status check_output(const dlviz_network *network, const char *choice,
                                 int64_t num_classes) {
    const char *last = dlviz_network_layer_name(network, dlviz_network_num_layers(network) - 1);
    const int64_t *dims = dlviz_network_layer_dims(network, last);
    if (dlviz_network_layer_ndim(network, last) == 1 && dims[0] == num_classes)
        return DLVIZ_OK;
    return dlviz_fail(DLVIZ_ERROR_SHAPE,
                      "'%s': the last layer, '%s', gives %lld numbers, and the data have %lld "
                      "classes; change it in a copy of the file",
                      choice, last, (long long)dims[0], (long long)num_classes);
}

dlviz_status create_network(dlviz_network **network, const char *choice, int ndim,
                            const int64_t *dims, int64_t num_classes, uint64_t seed) {
    dlviz_status status = begin_network(network, choice, ndim, dims, num_classes);
    if (status == DLVIZ_OK) /* reports the first error of all that was added */
        status = dlviz_network_build(*network, seed);
    if (status == DLVIZ_OK)
        status = check_output(*network, choice, num_classes);
    if (status != DLVIZ_OK) {
        dlviz_network_destroy(*network);
        *network = NULL;
    }
    return status;
}

/* Dropout is nothing when features are taken: what comes before it is what it was. */
const char *suggested_layer(const dlviz_network *network, const char *choice) {
    if (!is_network_file(choice))
        return strcmp(choice, "report") == 0 ? "relu5"
               : strcmp(choice, "mlp") == 0  ? "relu2"
                                             : "pool";
    int64_t layers = dlviz_network_num_layers(network);
    return layers > 1 ? dlviz_network_layer_name(network, layers - 2) : "input";
}
