/* resnet.c - a small residual network on MNIST: layers that read the outputs of two others. */
#include <dlviz.h>
#include <stdio.h>
#include <stdlib.h>

static void check(dlviz_status status) {
    if (status != DLVIZ_OK) {
        fprintf(stderr, "%s\n", dlviz_last_error());
        exit(EXIT_FAILURE);
    }
}

static dlviz_layer *convolution(int64_t channels, int64_t kernel, int64_t stride) {
    dlviz_layer *layer = dlviz_conv2d(channels, kernel, kernel / 2);
    dlviz_conv2d_set_stride(layer, stride, stride);
    dlviz_conv2d_set_bias(layer, false);
    return layer;
}

/* Adds "<block>.<part>", which reads `input`, or else the layer before; returns its name. */
typedef char name[64];
static const char *add(dlviz_network *net, const char *block, const char *part, dlviz_layer *layer,
                       const char *input, name own) {
    snprintf(own, sizeof(name), "%s.%s", block, part);
    input ? dlviz_network_add_from(net, own, layer, 1, &input) : dlviz_network_add(net, own, layer);
    return own;
}

/* Two convolutions, and around them the input, or a 1 x 1 convolution of it where the size changes. */
static void add_block(dlviz_network *net, const char *block, const char *input, int64_t channels,
                      int64_t stride) {
    name any, norm, around, out;
    add(net, block, "conv1", convolution(channels, 3, stride), input, any);
    add(net, block, "bn1", dlviz_batchnorm(), NULL, any);
    add(net, block, "relu1", dlviz_relu(), NULL, any);
    add(net, block, "conv2", convolution(channels, 3, 1), NULL, any);
    const char *sum[2] = {add(net, block, "bn2", dlviz_batchnorm(), NULL, norm), input};
    if (stride != 1) {
        add(net, block, "shortcut", convolution(channels, 1, stride), input, any);
        sum[1] = add(net, block, "shortcut_bn", dlviz_batchnorm(), NULL, around);
    }
    snprintf(out, sizeof out, "%s.sum", block);
    dlviz_network_add_from(net, out, dlviz_add(), 2, sum);
    dlviz_network_add(net, block, dlviz_relu());
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "."; /* with MNIST's four files */
    int64_t images = argc > 2 ? atoll(argv[2]) : 20000, epochs = argc > 3 ? atoll(argv[3]) : 1;
    dlviz_dataset *all, *train, *test;
    check(dlviz_dataset_read_mnist(&all, folder, DLVIZ_DATASET_PART_TRAIN));
    check(dlviz_dataset_take(all, 0, images, &train));
    check(dlviz_dataset_read_mnist(&test, folder, DLVIZ_DATASET_PART_TEST));
    dlviz_network *net;
    check(dlviz_network_create(&net, 3, dlviz_dataset_dims(train)));
    dlviz_network_add(net, "conv1", convolution(16, 3, 1));
    dlviz_network_add(net, "bn1", dlviz_batchnorm());
    dlviz_network_add(net, "relu1", dlviz_relu());
    add_block(net, "layer1", "relu1", 16, 1);
    add_block(net, "layer2", "layer1", 32, 2);
    add_block(net, "layer3", "layer2", 64, 2);
    dlviz_network_add(net, "pool", dlviz_global_avgpool2d());
    dlviz_network_add(net, "fc", dlviz_linear(10));
    check(dlviz_network_build(net, 1)); /* the first error of all of the above */
    fputs(dlviz_network_summary(net), stdout);
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    double accuracy;
    check(dlviz_adam_create(&adam, 1e-3));
    check(dlviz_trainer_create(&trainer, net, adam));
    check(dlviz_trainer_fit(trainer, train, epochs));
    check(dlviz_network_evaluate(net, test, NULL, &accuracy));
    printf("test accuracy after %lld epochs of %lld images: %.2f %%\n", (long long)epochs,
           (long long)images, 100 * accuracy);
    dlviz_trainer_destroy(trainer), dlviz_optimizer_destroy(adam), dlviz_network_destroy(net);
    dlviz_dataset_destroy(all), dlviz_dataset_destroy(train), dlviz_dataset_destroy(test);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fprintf(stderr, "cannot write to standard output\n"), EXIT_FAILURE;
}
