#include "network.h"

static void add_convolution(dlviz_network *net, const char *conv, const char *bn, const char *relu,
                            int64_t channels) {
    dlviz_network_add(net, conv, dlviz_conv2d(channels, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(net, bn, dlviz_batchnorm());
    dlviz_network_add(net, relu, dlviz_relu());
}

dlviz_status report_network_create(dlviz_network **network, int64_t image_size, uint64_t seed) {
    int64_t dims[3] = {1, image_size, image_size};
    dlviz_status status = dlviz_network_create(network, 3, dims);
    if (status != DLVIZ_OK)
        return status;
    dlviz_network *net = *network;
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
    dlviz_network_add(net, "fc2", dlviz_linear(10));
    status = dlviz_network_build(net, seed); /* reports the first error of all of the above */
    if (status != DLVIZ_OK) {
        dlviz_network_destroy(net);
        *network = NULL;
    }
    return status;
}
