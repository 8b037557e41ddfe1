/* quickstart.c - train a small ConvNet on MNIST, then see what it learned: a map of its features.
 */
#include <dlviz.h>
#include <stdio.h>
#include <stdlib.h>

static void try(dlviz_status status) {
    if (status == DLVIZ_OK)
        return;
    fprintf(stderr, "%s\n", dlviz_last_error());
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv) {
    dlviz_dataset *train, *test;
    try(dlviz_dataset_read_mnist(&train, argc > 1 ? argv[1] : ".", DLVIZ_MNIST_TRAIN));
    try(dlviz_dataset_read_mnist(&test, argc > 1 ? argv[1] : ".", DLVIZ_MNIST_TEST));

    dlviz_network *net;
    try(dlviz_network_create(&net, 3, dlviz_dataset_dims(train)));
    dlviz_network_add(net, "conv1", dlviz_conv2d(16, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(net, "bn1", dlviz_batchnorm());
    dlviz_network_add(net, "relu1", dlviz_relu());
    dlviz_network_add(net, "pool1", dlviz_maxpool2d(2));
    dlviz_network_add(net, "flat", dlviz_flatten());
    dlviz_network_add(net, "fc", dlviz_linear(10));
    try(dlviz_network_build(net, 1));

    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    double accuracy;
    try(dlviz_adam_create(&adam, 1e-3));
    try(dlviz_trainer_create(&trainer, net, adam));
    try(dlviz_trainer_fit(trainer, train, 1));
    try(dlviz_network_evaluate(net, test, NULL, &accuracy));
    printf("test accuracy %.2f %%\n", 100 * accuracy);
    return 0;
}
