/* speedrun.c - MNIST as fast as it goes: 99.0, 99.4 or 99.5 % of the test images in the fewest
 * seconds, each by a recipe that is fixed in advance. */
#include "run/command.h"
#include "run/print.h"

#include <dlviz.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RECIPES = 3, MOST_SEEDS = 100 };

/* What differs from target to target. All have one network, Adam, one cycle of the learning rate
 * step by step, and smoothed labels. Chosen by the accuracy on training images that were held out,
 * never on test images: docs/speedrun.md. */
static const struct recipe {
    const char *target; /* per cent of the test images */
    double epochs;      /* of the whole training set */
    double peak_rate;   /* that the learning rate rises to and falls from */
    int64_t shift;      /* by which images are moved at random, in pixels */
} recipes[RECIPES] = {{"99.0", 0.6, 0.02, 0}, {"99.4", 2.25, 0.01, 1}, {"99.5", 5.5, 0.01, 1}};

enum { BATCH_SIZE = 64 };

struct figures {
    double accuracy;        /* per cent */
    double training, whole; /* seconds */
};

static const char *program;

static void check(dlviz_status status) {
    if (status != DLVIZ_OK) {
        complain("%s: %s\n", program, dlviz_last_error());
        exit(EXIT_FAILED);
    }
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void add_convolution(dlviz_network *net, const char *conv, const char *bn, const char *relu,
                            int64_t channels, int64_t kernel, int64_t padding) {
    dlviz_layer *layer = dlviz_conv2d(channels, kernel, padding);
    dlviz_conv2d_set_bias(layer, false); /* the batch norm has one */
    dlviz_network_add(net, conv, layer);
    dlviz_network_add(net, bn, dlviz_batchnorm());
    dlviz_network_add(net, relu, dlviz_relu());
}

/* Digits fill 20 x 20 pixels of the 28 x 28, so that four of each border can go; the first
 * convolution leaves 16 x 16, and from there on all sizes are multiples of 4 x 4, the tiles in
 * which 3 x 3 convolutions are computed. 43,000 parameters, 1.3 million multiplications an image. */
static dlviz_network *make_network(const int64_t *dims, uint64_t seed) {
    dlviz_network *net;
    check(dlviz_network_create(&net, 3, dims));
    dlviz_network_add(net, "crop", dlviz_pad(-4, -4, -4, -4));
    add_convolution(net, "conv1", "bn1", "relu1", 16, 5, 0);
    dlviz_network_add(net, "pool1", dlviz_maxpool2d(2));
    add_convolution(net, "conv2", "bn2", "relu2", 32, 3, DLVIZ_PAD_SAME);
    add_convolution(net, "conv3", "bn3", "relu3", 32, 3, DLVIZ_PAD_SAME);
    dlviz_network_add(net, "pool2", dlviz_maxpool2d(2));
    add_convolution(net, "conv4", "bn4", "relu4", 64, 3, DLVIZ_PAD_SAME);
    dlviz_network_add(net, "flatten", dlviz_flatten());
    dlviz_network_add(net, "fc", dlviz_linear(10));
    dlviz_loss *loss = dlviz_cross_entropy();
    dlviz_cross_entropy_set_label_smoothing(loss, 0.1);
    check(dlviz_network_set_loss(net, loss));
    check(dlviz_network_build(net, seed)); /* the first error of all of the above */
    return net;
}

/* The training images and those that the accuracy is measured on: the test images or, to choose
 * recipes by, a sixth of the training images, others for each seed. Returns how many images the
 * training set has as a whole: held-out ones make no training shorter. */
static int64_t read_data(const char *folder, bool validate, uint64_t seed, dlviz_dataset **train,
                         dlviz_dataset **held) {
    dlviz_dataset *all;
    check(dlviz_dataset_read_mnist(&all, folder, DLVIZ_DATASET_PART_TRAIN));
    check(dlviz_dataset_set_normalization(all, 0.1307f, 0.3081f));
    int64_t images = dlviz_dataset_num_samples(all);
    if (validate) {
        check(dlviz_dataset_split(all, images / 6, 1000 + seed, train, held));
        dlviz_dataset_destroy(all);
    } else {
        *train = all;
        check(dlviz_dataset_read_mnist(held, folder, DLVIZ_DATASET_PART_TEST));
        check(dlviz_dataset_set_normalization(*held, 0.1307f, 0.3081f));
    }
    return images;
}

/* Ends the training after so many steps, which may be in the middle of an epoch. */
static bool go_on(const dlviz_trainer_event *event, void *user) {
    int64_t *steps_left = user;
    (void)event;
    return --*steps_left > 0;
}

static void fit(const struct recipe *recipe, int64_t steps, dlviz_network *net,
                const dlviz_dataset *train, uint64_t seed) {
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    check(dlviz_adam_create(&adam, recipe->peak_rate));
    check(dlviz_adam_set_betas(adam, 0.9, 0.99));
    check(dlviz_trainer_create(&trainer, net, adam));
    check(dlviz_trainer_set_batch_size(trainer, BATCH_SIZE));
    check(dlviz_trainer_set_seed(trainer, seed));
    dlviz_schedule *cycle = dlviz_one_cycle(recipe->peak_rate, (double)steps);
    dlviz_schedule_set_pace(cycle, DLVIZ_PACE_STEP);
    check(dlviz_trainer_set_schedule(trainer, cycle));
    check(dlviz_trainer_set_batch_callback(trainer, go_on, &steps));
    check(dlviz_trainer_fit(trainer, train, steps)); /* epochs, of one step or more */
    dlviz_trainer_destroy(trainer), dlviz_optimizer_destroy(adam);
}

/* From the files to the accuracy, which is measured once, at the end. */
static void run(const struct recipe *recipe, const char *folder, bool validate, uint64_t seed,
                struct figures *figures) {
    double started = now();
    dlviz_dataset *train, *held;
    int64_t images = read_data(folder, validate, seed, &train, &held);
    int64_t steps = (int64_t)ceil(recipe->epochs * (double)images / BATCH_SIZE);
    if (recipe->shift > 0)
        check(dlviz_dataset_add_augmentation(train,
                                             dlviz_random_shift(recipe->shift, recipe->shift)));
    dlviz_network *net = make_network(dlviz_dataset_dims(train), seed);
    double began = now();
    fit(recipe, steps, net, train, seed);
    figures->training = now() - began;
    check(dlviz_network_evaluate(net, held, NULL, &figures->accuracy));
    figures->accuracy *= 100;
    figures->whole = now() - started;
    dlviz_network_destroy(net), dlviz_dataset_destroy(train), dlviz_dataset_destroy(held);
}

/* One line for all seeds: accuracy with its standard error, and seconds. */
static void print_mean(int64_t seeds, const struct figures *runs) {
    struct figures mean = {0};
    double squares = 0;
    for (int64_t i = 0; i < seeds; i++) {
        mean.accuracy += runs[i].accuracy / (double)seeds;
        mean.training += runs[i].training / (double)seeds;
        mean.whole += runs[i].whole / (double)seeds;
    }
    for (int64_t i = 0; i < seeds; i++)
        squares += pow(runs[i].accuracy - mean.accuracy, 2);
    print("mean of %lld: %.3f", (long long)seeds, mean.accuracy);
    if (seeds > 1)
        print(" ± %.3f", sqrt(squares / (double)(seeds - 1) / (double)seeds));
    print(" %%, training %.2f s, whole %.2f s\n", mean.training, mean.whole);
}

static void print_help(const struct command_line *line) {
    print("Usage: %s 99.0|99.4|99.5 [options]\n\n"
          "Trains on MNIST to this accuracy on the test images, by the quickest recipe\n"
          "known here, once for each seed; prints accuracy and seconds.\n\n",
          line->program);
    print_options(line, "");
    print("  -h, --help, --version\n\n"
          "Exit status: 0 done, 1 failed, 2 wrong usage.\n");
}

static const struct recipe *find_recipe(const struct command_line *line, const char *target) {
    for (int i = 0; i < RECIPES; i++)
        if (strcmp(recipes[i].target, target) == 0)
            return &recipes[i];
    wrong_usage(line, "there is no recipe for '%s', only for 99.0, 99.4 and 99.5", target);
}

int main(int argc, char **argv) {
    const char *folder = ".", *target;
    int64_t seeds = 5, threads = 0;
    bool validate = false;
    const struct option_line options[] = {
        {"data", "DIR", "folder with MNIST's four files (default: .)", TEXT, &folder, 0, 0, NULL,
         NULL},
        {"seeds", "N", "runs, with seeds from 0 on (default 5)", WHOLE, &seeds, 1, MOST_SEEDS, NULL,
         NULL},
        {"threads", "N", "threads to compute with (default: one a processor)", WHOLE, &threads, 1,
         256, NULL, NULL},
        {"validate", NULL,
         "measure on a sixth of the training images, which are\n"
         "then not trained on, instead of on the test images",
         FLAG, &validate, 0, 0, NULL, NULL}};
    const struct command_line line = {.program = program_name(argc, argv, "speedrun"),
                                      .options = options,
                                      .num_options = 4,
                                      .help = print_help};
    program = line.program;
    if (read_command_line(&line, argc, argv, 1, &target, 1) != 1)
        wrong_usage(&line, "needs an accuracy: 99.0, 99.4 or 99.5");
    const struct recipe *recipe = find_recipe(&line, target);
    check(dlviz_set_num_threads(threads));
    struct figures runs[MOST_SEEDS];
    for (int64_t seed = 0; seed < seeds; seed++) {
        run(recipe, folder, validate, (uint64_t)seed, &runs[seed]);
        print("seed %lld: %.2f %%, training %.2f s, whole %.2f s\n", (long long)seed,
              runs[seed].accuracy, runs[seed].training, runs[seed].whole);
    }
    print_mean(seeds, runs);
    return all_printed(line.program) ? EXIT_DONE : EXIT_FAILED;
}
