/* onecycle.c - 99.5 % of MNIST in four epochs: one cycle of the learning rate. */
#include <dlviz.h>
#include <stdio.h>
#include <stdlib.h>

static void check(dlviz_status status) {
    if (status != DLVIZ_OK) {
        fprintf(stderr, "%s\n", dlviz_last_error());
        exit(EXIT_FAILURE);
    }
}

static void add_convolution(dlviz_network *net, const char *conv, const char *bn, const char *relu,
                            int64_t channels) {
    dlviz_network_add(net, conv, dlviz_conv2d(channels, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(net, bn, dlviz_batchnorm());
    dlviz_network_add(net, relu, dlviz_relu());
}

/* The report's network: four convolutions and two layers that are fully connected. */
static void add_layers(dlviz_network *net) {
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
}

static bool print_epoch(const dlviz_trainer_event *event, void *user) {
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    int64_t epoch = dlviz_trainer_num_epochs(trainer) - 1;
    (void)user;
    printf("epoch %lld: learning rate %.7f, loss %.4f\n", (long long)epoch + 1,
           dlviz_trainer_history(trainer, epoch, "learning_rate"),
           dlviz_trainer_history(trainer, epoch, "train_loss"));
    return fflush(stdout) == 0;
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : "."; /* with MNIST's four files */
    int64_t images = argc > 2 ? atoll(argv[2]) : 60000, epochs = argc > 3 ? atoll(argv[3]) : 4;
    uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    dlviz_dataset *all, *train, *test;
    check(dlviz_dataset_read_mnist(&all, folder, DLVIZ_DATASET_PART_TRAIN));
    check(dlviz_dataset_take(all, 0, images, &train));
    check(dlviz_dataset_read_mnist(&test, folder, DLVIZ_DATASET_PART_TEST));
    dlviz_network *net;
    check(dlviz_network_create(&net, 3, dlviz_dataset_dims(train)));
    add_layers(net);
    check(dlviz_network_build(net, seed)); /* the first error of all of the above */
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    double accuracy;
    check(dlviz_adam_create(&adam, 1e-3)); /* a rate that the schedule replaces */
    check(dlviz_trainer_create(&trainer, net, adam));
    check(dlviz_trainer_set_seed(trainer, seed));
    check(dlviz_trainer_set_schedule(trainer, dlviz_one_cycle(0.01, (double)epochs)));
    check(dlviz_trainer_set_epoch_callback(trainer, print_epoch, NULL));
    check(dlviz_trainer_fit(trainer, train, epochs));
    check(dlviz_network_evaluate(net, test, NULL, &accuracy));
    printf("test accuracy %.2f %%\n", 100 * accuracy);
    dlviz_trainer_destroy(trainer), dlviz_optimizer_destroy(adam), dlviz_network_destroy(net);
    dlviz_dataset_destroy(all), dlviz_dataset_destroy(train), dlviz_dataset_destroy(test);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fprintf(stderr, "cannot write to standard output\n"), EXIT_FAILURE;
}
