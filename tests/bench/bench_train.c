/* Images a second of the report's network, in training or inference: whole steps as a user runs
 * them, data loading and optimizer included. The images are random: speed does not depend on them.
 */
#include "base/base.h"
#include "base/random.h"
#include "data/dataset.h"
#include "linalg/linalg.h"
#include "network/network.h"
#include "networks.h"
#include "profile.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct options {
    int64_t image_size, batch_size, steps;
    int threads;
    bool profile, inference;
    const char *augment;
} options;

static void die(void) {
    fprintf(stderr, "bench_train: %s\n", dlviz_last_error());
    exit(1);
}

static int64_t number(const char *text, const char *option) {
    char *end;
    long long value = strtoll(text, &end, 10);
    if (*end || end == text || value < 1) {
        fprintf(stderr, "bench_train: --%s %s: a whole number above 0 is accepted\n", option, text);
        exit(2);
    }
    return value;
}

static options parse(int argc, char **argv) {
    static const struct option long_options[] = {{"image-size", required_argument, NULL, 'i'},
                                                 {"batch-size", required_argument, NULL, 'b'},
                                                 {"threads", required_argument, NULL, 't'},
                                                 {"steps", required_argument, NULL, 's'},
                                                 {"profile", no_argument, NULL, 'p'},
                                                 {"inference", no_argument, NULL, 'f'},
                                                 {"augment", required_argument, NULL, 'a'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    options set = {.image_size = 32, .batch_size = 64, .steps = 100};
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        switch (c) {
        case 'i':
            set.image_size = number(optarg, "image-size");
            break;
        case 'b':
            set.batch_size = number(optarg, "batch-size");
            break;
        case 't':
            set.threads = (int)number(optarg, "threads");
            break;
        case 's':
            set.steps = number(optarg, "steps");
            break;
        case 'p':
            set.profile = true;
            break;
        case 'f':
            set.inference = true;
            break;
        case 'a':
            set.augment = optarg;
            break;
        case 'h':
            puts("usage: bench_train [--image-size N] [--batch-size N] [--threads N] [--steps N]\n"
                 "                   [--profile] [--inference] [--augment KIND]\n"
                 "KIND: shifts (and flips), affine, noise, mixup, all");
            exit(0);
        default:
            exit(2);
        }
    return set;
}

static dlviz_dataset *random_images(int64_t n, int64_t size) {
    uint8_t *pixels = malloc((size_t)(n * 28 * 28)), *labels = malloc((size_t)n);
    if (!pixels || !labels)
        exit(1);
    dlz_random random = dlz_random_start(1, 1);
    for (int64_t i = 0; i < n * 28 * 28; i++)
        pixels[i] = (uint8_t)dlz_random_u32(&random);
    for (int64_t i = 0; i < n; i++)
        labels[i] = (uint8_t)dlz_random_below(&random, 10);
    dlviz_tensor *image_tensor = NULL, *label_tensor = NULL;
    dlviz_dataset *dataset = NULL;
    if (dlviz_tensor_from_data(&image_tensor, DLVIZ_UINT8, 3, (int64_t[]){n, 28, 28}, pixels) ||
        dlviz_tensor_from_data(&label_tensor, DLVIZ_UINT8, 1, &n, labels) ||
        dlviz_dataset_create(&dataset, image_tensor, label_tensor) ||
        dlviz_dataset_set_num_classes(dataset, 10) ||
        dlviz_dataset_set_image_size(dataset, size, size) ||
        dlviz_dataset_set_normalization(dataset, 0.1307f, 0.3081f))
        die();
    dlviz_tensor_destroy(image_tensor);
    dlviz_tensor_destroy(label_tensor);
    free(pixels);
    free(labels);
    return dataset;
}

static void augment(dlviz_dataset *dataset, const char *kind) {
    bool all = strcmp(kind, "all") == 0;
    if (all || strcmp(kind, "shifts") == 0) {
        if (dlviz_dataset_add_augmentation(dataset, dlviz_random_shift(2, 2)) ||
            dlviz_dataset_add_augmentation(dataset, dlviz_random_horizontal_flip(0.5)))
            die();
    }
    if ((all || strcmp(kind, "affine") == 0) &&
        dlviz_dataset_add_augmentation(dataset, dlviz_random_affine(15)))
        die();
    if ((all || strcmp(kind, "noise") == 0) &&
        dlviz_dataset_add_augmentation(dataset, dlviz_random_noise(0.1)))
        die();
    if ((all || strcmp(kind, "mixup") == 0) &&
        dlviz_dataset_add_augmentation(dataset, dlviz_mixup(0.2)))
        die();
    if (dlviz_dataset_num_augmentations(dataset) == 0) {
        fprintf(stderr, "bench_train: --augment %s: there is no such kind\n", kind);
        exit(2);
    }
}

static void print_profile(const dlviz_network *network, dlz_plan *plan, const options *set,
                          double seconds, double optimizer_seconds) {
    int ops = dlz_plan_num_ops(plan);
    double(*spent)[2] = malloc((size_t)ops * sizeof *spent), steps = (double)set->steps;
    if (!spent)
        exit(1);
    for (int i = 0; i < ops; i++)
        for (int way = 0; way < 2; way++)
            spent[i][way] = dlz_plan_seconds(plan, i)[way] / steps;
    profile_print(network, plan, !set->inference, spent, seconds / steps,
                  optimizer_seconds / steps);
    free(spent);
}

static double sgemm_gflops(void) {
    enum { N = 768 };
    float *a = calloc(N * N, sizeof *a), *b = calloc(N * N, sizeof *b),
          *c = calloc(N * N, sizeof *c);
    double best = 0;
    for (int i = 0; a && b && c && i < 5; i++) {
        double started = profile_now();
        dlz_sgemm(false, false, N, N, N, 1, a, N, b, N, 0, c, N);
        double rate = 2.0 * N * N * N / (profile_now() - started) * 1e-9;
        best = rate > best ? rate : best;
    }
    free(a);
    free(b);
    free(c);
    return best;
}

int main(int argc, char **argv) {
    options set = parse(argc, argv);
    if (set.threads && dlviz_set_num_threads(set.threads))
        die();
    dlviz_network *network;
    dlviz_optimizer *adam;
    if (create_network(&network, "report", 3, (int64_t[]){1, set.image_size, set.image_size}, 10,
                       1) ||
        dlviz_adam_create(&adam, 1e-3))
        die();
    int64_t images = set.batch_size * 4;
    dlviz_dataset *dataset = random_images(images, set.image_size);
    if (set.augment)
        augment(dataset, set.augment);
    int64_t *indices = malloc((size_t)images * sizeof *indices);
    if (!indices)
        exit(1);
    dlz_epoch_order(1, 0, images, indices);

    double started = 0, optimizer_seconds = 0, loss = 0;
    /* As a trainer does, which wants the metrics. */
    double sums[8] = {0};
    dlz_tally tally = {.sums = sums};
    dlz_plan *plan = NULL;
    for (int64_t step = -5; step < set.steps; step++) {
        if (step == 0) {
            plan = network->plans.kept[0];
            if (set.profile && dlz_plan_profile(plan))
                die();
            optimizer_seconds = 0;
            started = profile_now();
        }
        const int64_t *batch = indices + (step + 5) % 4 * set.batch_size;
        if (set.inference) {
            if (dlz_network_infer_batch(network, dataset, batch, set.batch_size))
                die();
            continue;
        }
        if (dlz_network_train_batch(network, "bench_train", dataset, batch, set.batch_size, 1,
                                    step + 5, (uint64_t)(step + 5), &tally, &loss))
            die();
        double before = profile_now();
        if (dlviz_optimizer_step(adam, network))
            die();
        optimizer_seconds += profile_now() - before;
    }
    double seconds = profile_now() - started, done = (double)(set.batch_size * set.steps);
    if (set.profile)
        print_profile(network, plan, &set, seconds, optimizer_seconds);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double peak = (double)usage.ru_maxrss / 1024;
    printf("threads: %lld  isa: %s  blas: %s\n", (long long)dlviz_num_threads(), dlviz_isa(),
           dlviz_blas());
    printf("images_per_second: %.1f\n", done / seconds);
    printf("effective_gflops: %.1f\n",
           profile_flops(network, plan, !set.inference) * done / seconds * 1e-9);
    printf("sgemm_gflops: %.1f\n", sgemm_gflops());
    printf("peak_rss_mb: %.1f\n", peak);
    free(indices);
    dlviz_dataset_destroy(dataset);
    dlviz_optimizer_destroy(adam);
    dlviz_network_destroy(network);
    return 0;
}
