#include "options.h"

#include <dlviz.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DATA = 256,
    OUT,
    SIZE,
    BATCH,
    EPOCHS,
    THREADS,
    SEED,
    TRAIN,
    TEST,
    LAYER,
    PERPLEXITY,
    ITERATIONS,
    RESUME,
    QUIET,
    HELP,
    VERSION
};

static const struct option long_options[] = {
    {"data", required_argument, NULL, DATA},
    {"out", required_argument, NULL, OUT},
    {"image-size", required_argument, NULL, SIZE},
    {"batch-size", required_argument, NULL, BATCH},
    {"epochs", required_argument, NULL, EPOCHS},
    {"threads", required_argument, NULL, THREADS},
    {"seed", required_argument, NULL, SEED},
    {"train-limit", required_argument, NULL, TRAIN},
    {"test-limit", required_argument, NULL, TEST},
    {"layer", required_argument, NULL, LAYER},
    {"perplexity", required_argument, NULL, PERPLEXITY},
    {"tsne-iterations", required_argument, NULL, ITERATIONS},
    {"resume", no_argument, NULL, RESUME},
    {"quiet", no_argument, NULL, QUIET},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
    {NULL, 0, NULL, 0}};

static void print_help(const char *program, const struct experiment *experiment) {
    printf("Usage: %s [options]\n\n"
           "Trains the report's ConvNet on MNIST (%s), takes\n"
           "features of the test images, and draws them by PCA and t-SNE.\n\n"
           "  --data DIR           IDX files, plain or .gz (default: $DLVIZ_DATA_DIR, then\n"
           "                       ${XDG_CACHE_HOME:-~/.cache}/dlviz/mnist)\n"
           "  --out DIR            results (default: report/%s)\n"
           "  --image-size N       28 or 32 (default: 32)\n"
           "  --batch-size N       images a training step (default: 64)\n"
           "  --epochs N           epochs in all (default: %d)\n"
           "  --threads N          threads (default: one a processor)\n"
           "  --seed N             initial weights, split, order, dropout, t-SNE (default: 0)\n"
           "  --train-limit N      only the first N training images\n"
           "  --test-limit N       only the first N test images\n"
           "  --layer NAME         where features are taken (default: relu5)\n"
           "  --perplexity X       of t-SNE (default: 30)\n"
           "  --tsne-iterations N  (default: 1000, of which 250 exaggerated)\n"
           "  --resume             go on from the last checkpoint in --out\n"
           "  --quiet              errors only\n"
           "  --help, --version\n\n"
           "Writes history.csv, model.safetensors, features.npy, logits.npy, labels.npy, pca.npy,\n"
           "tsne.npy, summary.json, and the figures training, pca, tsne, confusion and filters as "
           "PNG\n"
           "and SVG. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n",
           program, experiment->rate, experiment->name, experiment->epochs);
}

static void wrong(const char *program, const char *option, const char *text, const char *accepted) {
    fprintf(stderr, "%s: --%s %s: %s\n", program, option, text, accepted);
    exit(EXIT_USAGE);
}

static int64_t whole(const char *program, const char *option, const char *text, int64_t least,
                     int64_t most) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < least || value > most) {
        char accepted[80];
        snprintf(accepted, sizeof accepted, "a whole number from %lld to %lld is accepted",
                 (long long)least, (long long)most);
        wrong(program, option, text, accepted);
    }
    return value;
}

static double real(const char *program, const char *option, const char *text, double least) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < least)
        wrong(program, option, text, "a number of 1 or more is accepted");
    return value;
}

/* In memory that lives as long as the program. */
static const char *default_data(void) {
    const char *given = getenv("DLVIZ_DATA_DIR"), *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    static char path[4096];
    if (given && *given)
        return given;
    if (cache && *cache)
        snprintf(path, sizeof path, "%s/dlviz/mnist", cache);
    else
        snprintf(path, sizeof path, "%s/.cache/dlviz/mnist", home ? home : "");
    return path;
}

static const char *default_out(const struct experiment *experiment) {
    static char path[256];
    snprintf(path, sizeof path, "report/%s", experiment->name);
    return path;
}

static void take(int option, const char *text, struct options *set) {
    const char *program = set->program;
    switch (option) {
    case DATA:
        set->data = text;
        break;
    case OUT:
        set->out = text;
        break;
    case SIZE:
        set->image_size = whole(program, "image-size", text, 28, 32);
        if (set->image_size != 28 && set->image_size != 32)
            wrong(program, "image-size", text, "28 or 32 is accepted");
        break;
    case BATCH:
        set->batch_size = whole(program, "batch-size", text, 2, 65536);
        break;
    case EPOCHS:
        set->epochs = (int)whole(program, "epochs", text, 1, 100000);
        break;
    case THREADS:
        set->threads = (int)whole(program, "threads", text, 1, 256);
        break;
    case SEED:
        set->seed = (uint64_t)whole(program, "seed", text, 0, INT64_MAX);
        break;
    case TRAIN:
        set->train_limit = whole(program, "train-limit", text, 100, INT32_MAX);
        break;
    case TEST:
        set->test_limit = whole(program, "test-limit", text, 100, INT32_MAX);
        break;
    case LAYER:
        set->layer = text;
        break;
    case PERPLEXITY:
        set->perplexity = real(program, "perplexity", text, 1);
        break;
    case ITERATIONS:
        set->tsne_iterations = (int)whole(program, "tsne-iterations", text, 0, 1000000);
        break;
    case RESUME:
        set->resume = true;
        break;
    case QUIET:
        set->quiet = true;
        break;
    default:
        fprintf(stderr, "Try '%s --help'.\n", program);
        exit(EXIT_USAGE);
    }
}

void parse_options(int argc, char **argv, const struct experiment *experiment,
                   struct options *set) {
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    *set = (struct options){.program = slash      ? slash + 1
                                       : argc > 0 ? argv[0]
                                                  : "report",
                            .data = default_data(),
                            .out = default_out(experiment),
                            .layer = "relu5",
                            .image_size = 32,
                            .batch_size = 64,
                            .epochs = experiment->epochs,
                            .perplexity = 30,
                            .tsne_iterations = 1000};
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (option == HELP) {
            print_help(set->program, experiment);
            exit(EXIT_DONE);
        }
        if (option == VERSION) {
            printf("%s (libdlviz) %s\n", set->program, dlviz_version());
            exit(EXIT_DONE);
        }
        take(option, optarg, set);
    }
    if (optind < argc) {
        fprintf(stderr, "%s: '%s' is no option; try --help\n", set->program, argv[optind]);
        exit(EXIT_USAGE);
    }
}
