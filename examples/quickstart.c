/* quickstart.c - trains a small ConvNet on MNIST and draws a map of what it learned. */
#include <dlviz.h>
#include <stdio.h>
#include <stdlib.h>

static void check(dlviz_status status) {
    if (status != DLVIZ_OK) {
        fprintf(stderr, "%s\n", dlviz_last_error());
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "."; /* with MNIST's four files */
    dlviz_dataset *train, *test;
    check(dlviz_dataset_read_mnist(&train, folder, DLVIZ_DATASET_PART_TRAIN));
    check(dlviz_dataset_read_mnist(&test, folder, DLVIZ_DATASET_PART_TEST));

    dlviz_network *net;
    check(dlviz_network_create(&net, 3, dlviz_dataset_dims(train)));
    dlviz_network_add(net, "conv", dlviz_conv2d(32, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(net, "bn", dlviz_batchnorm());
    dlviz_network_add(net, "relu", dlviz_relu());
    dlviz_network_add(net, "pool", dlviz_maxpool2d(2));
    dlviz_network_add(net, "flat", dlviz_flatten());
    dlviz_network_add(net, "hidden", dlviz_linear(64));
    dlviz_network_add(net, "relu2", dlviz_relu());
    dlviz_network_add(net, "out", dlviz_linear(10));
    check(dlviz_network_build(net, 1)); /* the first error of all of the above */

    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    double accuracy;
    check(dlviz_adam_create(&adam, 1e-3));
    check(dlviz_trainer_create(&trainer, net, adam));
    printf("training for 2 epochs, a minute or so ...\n");
    check(dlviz_trainer_fit(trainer, train, 2));
    check(dlviz_network_evaluate(net, test, NULL, &accuracy));
    printf("test accuracy %.2f %%\n", 100 * accuracy);

    dlviz_tensor *features, *map;
    dlviz_tsne *tsne;
    check(dlviz_network_features(net, "relu2", test, &features)); /* 10,000 x 64 */
    check(dlviz_tsne_create(&tsne));
    check(dlviz_tsne_fit(tsne, features, &map)); /* 10,000 x 2 */
    check(dlviz_plot_scatter(map, dlviz_dataset_labels(test), 0, NULL, "MNIST", "map.png"));
    printf("map.png shows the test images as layer relu2 tells them apart\n");

    dlviz_tensor_destroy(map), dlviz_tensor_destroy(features), dlviz_tsne_destroy(tsne);
    dlviz_trainer_destroy(trainer), dlviz_optimizer_destroy(adam), dlviz_network_destroy(net);
    dlviz_dataset_destroy(train), dlviz_dataset_destroy(test);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fprintf(stderr, "cannot write to standard output\n"), EXIT_FAILURE;
    return 0;
}
