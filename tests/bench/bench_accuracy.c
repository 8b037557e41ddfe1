/* What the report's network learns from a part of MNIST with one seed: the other half of
 * compare_accuracy.py. Trains on the first images of the training set and validates on its last
 * 10,000; prints the validation loss and accuracy after each epoch. */
#include "networks.h"

#include <dlviz.h>
#include <stdio.h>
#include <stdlib.h>

#define VALIDATION 10000

static void try(dlviz_status status) {
    if (status == DLVIZ_OK)
        return;
    fprintf(stderr, "bench_accuracy: %s\n", dlviz_last_error());
    exit(EXIT_FAILURE);
}

static dlviz_dataset *part(const dlviz_dataset *all, int64_t first, int64_t count) {
    dlviz_dataset *dataset;
    try(dlviz_dataset_take(all, first, count, &dataset));
    try(dlviz_dataset_set_image_size(dataset, 32, 32));
    try(dlviz_dataset_set_normalization(dataset, 0.1307f, 0.3081f));
    return dataset;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fputs("usage: bench_accuracy FOLDER IMAGES EPOCHS SEED\n", stderr);
        return 2;
    }
    int64_t images = atoll(argv[2]);
    int epochs = atoi(argv[3]);
    uint64_t seed = strtoull(argv[4], NULL, 10);
    dlviz_dataset *all;
    try(dlviz_dataset_read_mnist(&all, argv[1], DLVIZ_DATASET_PART_TRAIN));
    dlviz_dataset *train = part(all, 0, images);
    dlviz_dataset *validation = part(all, dlviz_dataset_num_samples(all) - VALIDATION, VALIDATION);
    dlviz_network *network;
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    try((create_network(&network, "report", 3, (int64_t[]){1, 32, 32}, 10, seed)));
    try(dlviz_adam_create(&adam, 1e-3));
    try(dlviz_trainer_create(&trainer, network, adam));
    try(dlviz_trainer_set_seed(trainer, seed));
    try(dlviz_trainer_set_validation(trainer, validation));
    try(dlviz_trainer_fit(trainer, train, epochs));
    for (int epoch = 0; epoch < epochs; epoch++)
        printf("%d %.6f %.6f %.6f\n", epoch + 1,
               dlviz_trainer_history(trainer, epoch, "train_loss"),
               dlviz_trainer_history(trainer, epoch, "validation_loss"),
               dlviz_trainer_history(trainer, epoch, "validation_accuracy"));
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(adam);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(train);
    dlviz_dataset_destroy(validation);
    dlviz_dataset_destroy(all);
    return 0;
}
