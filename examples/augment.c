/* augment.c - trains on images that are turned, scaled and shifted at random, and draws what the
 * network sees; the folder holds MNIST's four files, or Fashion-MNIST's, which have the same
 * names. */
#include <dlviz.h>
#include <stdio.h>
#include <stdlib.h>

static void check(dlviz_status status) {
    if (status != DLVIZ_OK) {
        fprintf(stderr, "%s\n", dlviz_last_error());
        exit(EXIT_FAILURE);
    }
}

/* Eight images, and how each of eight epochs sees them. */
static void draw(const dlviz_dataset *train) {
    dlviz_tensor *rows, *picture;
    const int64_t *dims = dlviz_dataset_dims(train), size = dims[1] * dims[2];
    check(dlviz_tensor_create(&picture, DLVIZ_FLOAT32, 4, (int64_t[]){8, 8, dims[1], dims[2]}));
    for (int64_t epoch = 0; epoch < 8; epoch++) {
        check(dlviz_dataset_augmented_samples(train, 1, epoch, 0, 8, &rows));
        for (int64_t i = 0; i < 8 * size; i++) /* a row for each image, a column an epoch */
            dlviz_tensor_float(picture)[(i / size * 8 + epoch) * size + i % size] =
                dlviz_tensor_const_float(rows)[i];
        dlviz_tensor_destroy(rows);
    }
    dlviz_figure *figure;
    check(dlviz_figure_create_images(&figure, picture));
    check(dlviz_figure_set_colormap(figure, DLVIZ_COLORMAP_GRAY));
    check(dlviz_figure_set_title(figure, "Images as eight epochs see them"));
    check(dlviz_figure_write(figure, "augment.png"));
    dlviz_figure_destroy(figure), dlviz_tensor_destroy(picture);
}

static dlviz_network *make_network(const dlviz_dataset *train) {
    dlviz_network *net;
    check(dlviz_network_create(&net, 3, dlviz_dataset_dims(train)));
    dlviz_network_add(net, "conv1", dlviz_conv2d(16, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(net, "bn1", dlviz_batchnorm());
    dlviz_network_add(net, "relu1", dlviz_relu());
    dlviz_network_add(net, "pool1", dlviz_maxpool2d(2));
    dlviz_network_add(net, "conv2", dlviz_conv2d(32, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(net, "bn2", dlviz_batchnorm());
    dlviz_network_add(net, "relu2", dlviz_relu());
    dlviz_network_add(net, "pool2", dlviz_maxpool2d(2));
    dlviz_network_add(net, "flat", dlviz_flatten());
    dlviz_network_add(net, "fc", dlviz_linear(10));
    check(dlviz_network_build(net, 1)); /* the first error of all of the above */
    return net;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : ".";
    int64_t images = argc > 2 ? atoll(argv[2]) : 60000, epochs = argc > 3 ? atoll(argv[3]) : 6;
    dlviz_dataset *all, *train, *test;
    check(dlviz_dataset_read_mnist(&all, folder, DLVIZ_DATASET_PART_TRAIN));
    check(dlviz_dataset_take(all, 0, images, &train));
    check(dlviz_dataset_read_mnist(&test, folder, DLVIZ_DATASET_PART_TEST));

    dlviz_augmentation *turned = dlviz_random_affine(10); /* degrees */
    dlviz_random_affine_set_scale(turned, 0.9, 1.1);
    check(dlviz_dataset_add_augmentation(train, turned)); /* the first error of both */
    check(dlviz_dataset_add_augmentation(train, dlviz_random_shift(2, 2)));
    draw(train);

    dlviz_network *net = make_network(train);
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    double accuracy;
    check(dlviz_adam_create(&adam, 1e-3));
    check(dlviz_trainer_create(&trainer, net, adam));
    check(dlviz_trainer_fit(trainer, train, epochs));
    check(dlviz_network_evaluate(net, test, NULL, &accuracy)); /* of images as they are */
    printf("test accuracy after %lld epochs: %.2f %%\n", (long long)epochs, 100 * accuracy);
    dlviz_trainer_destroy(trainer), dlviz_optimizer_destroy(adam), dlviz_network_destroy(net);
    dlviz_dataset_destroy(all), dlviz_dataset_destroy(train), dlviz_dataset_destroy(test);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fprintf(stderr, "cannot write to standard output\n"), EXIT_FAILURE;
}
