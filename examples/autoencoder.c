/* autoencoder.c - squeezes digits through two numbers and draws the map that this makes of them. */
#include <dlviz.h>
#include <stdio.h>
#include <stdlib.h>

static void check(dlviz_status status) {
    if (status != DLVIZ_OK) {
        fprintf(stderr, "%s\n", dlviz_last_error());
        exit(EXIT_FAILURE);
    }
}

static dlviz_layer *transposed(int64_t channels) { /* twice the height and width */
    dlviz_layer *layer = dlviz_conv_transpose2d(channels, 4, 2);
    dlviz_conv_transpose2d_set_padding(layer, 1, 1);
    return layer;
}

static dlviz_layer *halving(int64_t channels) {
    dlviz_layer *layer = dlviz_conv2d(channels, 4, 1);
    dlviz_conv2d_set_stride(layer, 2, 2);
    return layer;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "."; /* with MNIST's four files */
    int64_t images = argc > 2 ? atoll(argv[2]) : 20000, epochs = argc > 3 ? atoll(argv[3]) : 3;
    dlviz_dataset *all, *train, *test;
    check(dlviz_dataset_read_mnist(&all, folder, DLVIZ_DATASET_PART_TRAIN));
    check(dlviz_dataset_take(all, 0, images, &train));
    check(dlviz_dataset_set_targets_to_samples(train)); /* what comes out should be what went in */
    check(dlviz_dataset_read_mnist(&test, folder, DLVIZ_DATASET_PART_TEST));

    dlviz_network *net;
    check(dlviz_network_create(&net, 3, dlviz_dataset_dims(train)));
    dlviz_network_add(net, "conv1", halving(16)); /* 14 x 14 */
    dlviz_network_add(net, "relu1", dlviz_relu());
    dlviz_network_add(net, "conv2", halving(32)); /* 7 x 7 */
    dlviz_network_add(net, "relu2", dlviz_relu());
    dlviz_network_add(net, "flat", dlviz_flatten());
    dlviz_network_add(net, "hidden1", dlviz_linear(128));
    dlviz_network_add(net, "relu3", dlviz_relu());
    dlviz_network_add(net, "code", dlviz_linear(2)); /* all that the rest will know of an image */
    dlviz_network_add(net, "hidden2", dlviz_linear(128));
    dlviz_network_add(net, "relu4", dlviz_relu());
    dlviz_network_add(net, "wide", dlviz_linear(32 * 7 * 7));
    dlviz_network_add(net, "relu5", dlviz_relu());
    dlviz_network_add(net, "image", dlviz_reshape(3, (int64_t[]){32, 7, 7}));
    dlviz_network_add(net, "up1", transposed(16)); /* 14 x 14 */
    dlviz_network_add(net, "relu6", dlviz_relu());
    dlviz_network_add(net, "up2", transposed(1)); /* 28 x 28 */
    dlviz_network_add(net, "out", dlviz_sigmoid());
    check(dlviz_network_set_loss(net, dlviz_mse()));
    check(dlviz_network_build(net, 1)); /* the first error of all of the above */

    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    check(dlviz_adam_create(&adam, 1e-3));
    check(dlviz_trainer_create(&trainer, net, adam));
    check(dlviz_trainer_fit(trainer, train, epochs));
    int64_t last = dlviz_trainer_num_epochs(trainer) - 1;
    printf("mean squared error of a pixel: %.4f\n",
           dlviz_trainer_history(trainer, last, "train_loss"));

    dlviz_tensor *codes;
    check(dlviz_network_features(net, "code", test, &codes)); /* 10,000 x 2: a map already */
    check(dlviz_plot_scatter(codes, dlviz_dataset_labels(test), 0, NULL, "MNIST in two numbers",
                             "autoencoder.png"));

    dlviz_tensor_destroy(codes);
    dlviz_trainer_destroy(trainer), dlviz_optimizer_destroy(adam), dlviz_network_destroy(net);
    dlviz_dataset_destroy(all), dlviz_dataset_destroy(train), dlviz_dataset_destroy(test);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fprintf(stderr, "cannot write to standard output\n"), EXIT_FAILURE;
    return 0;
}
