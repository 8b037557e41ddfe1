/* finetune.c - a model from PyTorch, by PyTorch's names: its features stay, and learn to tell other classes. */
#include <dlviz.h>
#include <stdio.h>
#include <stdlib.h>

static void check(dlviz_status status) {
    if (status != DLVIZ_OK) {
        fprintf(stderr, "finetune: %s\n", dlviz_last_error());
        exit(EXIT_FAILURE);
    }
}

/* In PyTorch: features = Sequential(Conv2d(1, 8, 3, padding=1), ReLU(), MaxPool2d(2), Conv2d(8, 16, …), …),
 * classifier = Linear(16 * 7 * 7, 5), saved from DataParallel, so that names begin with "module.". */
static dlviz_network *build(const dlviz_dataset *train) {
    dlviz_network *net;
    check(dlviz_network_create(&net, 3, dlviz_dataset_dims(train)));
    dlviz_network_add(net, "conv1", dlviz_conv2d(8, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(net, "relu1", dlviz_relu());
    dlviz_network_add(net, "pool1", dlviz_maxpool2d(2));
    dlviz_network_add(net, "features.3",
                      dlviz_conv2d(16, 3, DLVIZ_PAD_SAME)); /* any name will do */
    dlviz_network_add(net, "relu2", dlviz_relu());
    dlviz_network_add(net, "pool2", dlviz_maxpool2d(2));
    dlviz_network_add(net, "flatten", dlviz_flatten());
    dlviz_network_add(net, "head", dlviz_linear(10));
    check(dlviz_network_build(net, 1));
    return net;
}

/* Names in files may come from anybody. */
static void tell(const char *what, const char *name) {
    char shown[200];
    printf("%s: %s\n", what, dlviz_printable(shown, sizeof shown, name));
}

static void take_features(dlviz_network *net, const char *path) {
    dlviz_safetensors *file;
    check(dlviz_safetensors_open(&file, path));
    check(dlviz_safetensors_rename(file, "module.*", "*"));
    check(dlviz_safetensors_rename(file, "features.0.*", "conv1.*"));
    check(dlviz_network_load_tensors(net, file, false)); /* what is there and fits */
    dlviz_safetensors_destroy(file);
    for (int64_t i = 0; i < dlviz_network_num_missing(net); i++)
        tell("new", dlviz_network_missing_name(net, i));
    for (int64_t i = 0; i < dlviz_network_num_unused(net); i++)
        tell("left", dlviz_network_unused_name(net, i));
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: finetune MODEL.safetensors MNIST_FOLDER [IMAGES [EPOCHS]]\n");
        return 2;
    }
    int64_t images = argc > 3 ? atoll(argv[3]) : 2000, epochs = argc > 4 ? atoll(argv[4]) : 3;
    dlviz_dataset *all, *train, *test;
    check(dlviz_dataset_read_mnist(&all, argv[2], DLVIZ_DATASET_PART_TRAIN));
    check(dlviz_dataset_read_mnist(&test, argv[2], DLVIZ_DATASET_PART_TEST));
    check(dlviz_dataset_set_normalization(all, 0.1307f, 0.3081f));
    check(dlviz_dataset_set_normalization(test, 0.1307f, 0.3081f));
    check(dlviz_dataset_take(all, 0, images, &train));
    dlviz_network *net = build(train);
    take_features(net, argv[1]);
    check(dlviz_network_freeze(net, "conv1.*"));
    check(dlviz_network_freeze(net, "features.*"));

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
