/* How accurate the report's network is after each epoch, by the schedule of its learning rate: 55,000
 * images of MNIST to train on, 5,000 held out; Adam, batch 64. Prints the accuracy on the held-out
 * images and on the test set. */
#include "networks.h"

#include <dlviz.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void try(dlviz_status status) {
    if (status == DLVIZ_OK)
        return;
    fprintf(stderr, "bench_schedules: %s\n", dlviz_last_error());
    exit(EXIT_FAILURE);
}

static dlviz_dataset *read_part(const char *folder, dlviz_dataset_part part) {
    dlviz_dataset *dataset;
    try(dlviz_dataset_read_mnist(&dataset, folder, part));
    try(dlviz_dataset_set_image_size(dataset, 32, 32));
    try(dlviz_dataset_set_normalization(dataset, 0.1307f, 0.3081f));
    return dataset;
}

static void set_schedule(dlviz_trainer *trainer, const char *name, int64_t epochs) {
    if (strcmp(name, "plateau") == 0)
        try(dlviz_trainer_set_schedule(trainer, dlviz_plateau(0.1, 3)));
    else if (strcmp(name, "one_cycle") == 0)
        try(dlviz_trainer_set_schedule(trainer, dlviz_one_cycle(0.01, (double)epochs)));
    else if (strcmp(name, "constant") != 0) {
        fputs("bench_schedules: constant, plateau and one_cycle are accepted\n", stderr);
        exit(2);
    }
}

typedef struct tested {
    dlviz_network *network;
    dlviz_dataset *test;
} tested;

static bool print_epoch(const dlviz_trainer_event *event, void *user) {
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    int64_t epoch = dlviz_trainer_event_epoch(event);
    double held_out = dlviz_trainer_history(trainer, epoch, "validation_accuracy"), test;
    const tested *of = user;
    try(dlviz_network_evaluate(of->network, of->test, NULL, &test));
    printf("%lld %.7f %.4f %.4f\n", (long long)epoch + 1, dlviz_trainer_event_learning_rate(event),
           100 * held_out, 100 * test);
    return fflush(stdout) == 0;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fputs("usage: bench_schedules FOLDER constant|plateau|one_cycle EPOCHS SEED\n", stderr);
        return 2;
    }
    int64_t epochs = atoll(argv[3]);
    uint64_t seed = strtoull(argv[4], NULL, 10);
    dlviz_dataset *all = read_part(argv[1], DLVIZ_DATASET_PART_TRAIN), *train, *held_out;
    dlviz_dataset *test = read_part(argv[1], DLVIZ_DATASET_PART_TEST);
    try(dlviz_dataset_split(all, 5000, seed, &train, &held_out));
    dlviz_network *network;
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    try((create_network(&network, "report", 3, (int64_t[]){1, 32, 32}, 10, seed)));
    try(dlviz_adam_create(&adam, 1e-3));
    try(dlviz_trainer_create(&trainer, network, adam));
    try(dlviz_trainer_set_seed(trainer, seed));
    try(dlviz_trainer_set_validation(trainer, held_out));
    set_schedule(trainer, argv[2], epochs);
    try(dlviz_trainer_set_epoch_callback(trainer, print_epoch, &(tested){network, test}));
    try(dlviz_trainer_fit(trainer, train, epochs));
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(adam);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(all);
    dlviz_dataset_destroy(train);
    dlviz_dataset_destroy(held_out);
    dlviz_dataset_destroy(test);
    return 0;
}
