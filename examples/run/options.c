#include "ranks.h"
#include "options.h"
#include "networks.h"
#include "print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* That the library takes. */
#define MOST_PERPLEXITY 1e6
#define MOST_RATE 1e30

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

const char *const schedule_names[] = {"constant", "plateau", "onecycle", "cosine", NULL};
const char *const optimizer_names[] = {"adam", "adamw", "nadam",   "radam",
                                       "lion", "sgd",   "rmsprop", NULL};

/* Of the experiment whose help is asked for. */
static const struct experiment *helped;

static void start(struct options *set, int argc, char **argv, const char *otherwise) {
    *set = (struct options){.program = program_name(argc, argv, otherwise),
                            .num_words = argc,
                            .words = argv,
                            .network = "report",
                            .batch_size = 64,
                            .perplexity = 30,
                            .tsne_iterations = 1000,
                            .learning_rate = 1e-3};
}

/* -- The report's programs -----------------------------------------------------------------------
 */

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

/* The names of a choice's layers on stdout, divided by commas. */
static void print_layers(const char *choice) {
    dlviz_network *network;
    if (begin_network(&network, choice, 3, (int64_t[]){1, 32, 32}, 10) != DLVIZ_OK)
        return;
    int column = 18; /* of what stands before */
    for (int64_t i = 0; i < dlviz_network_num_layers(network); i++) {
        const char *layer = dlviz_network_layer_name(network, i);
        bool wraps = column + (int)strlen(layer) > 66;
        print(wraps && i > 0 ? ",\n  %s" : wraps ? "\n  %s" : i > 0 ? ", %s" : "%s", layer);
        column = (wraps ? 2 : column + 2) + (int)strlen(layer);
    }
    dlviz_network_destroy(network);
}

static void print_report_help(const struct command_line *line) {
    print("Usage: %s [options]\n\n"
          "Trains the report's ConvNet on MNIST (%s), takes features of\n"
          "the test images at some epochs, and shows what it learned.\n\n",
          line->program, helped->rate);
    print_options(line, "");
    print("  -h, --help, --version\n\nThe layers are ");
    print_layers("report");
    print(".\n\n"
          "Writes report.html, the page to open; history.csv, model.safetensors,\n"
          "network.json, features.npy, logits.npy, labels.npy, pca.npy, tsne.npy,\n"
          "summary.json; and the figures training, pca, tsne, confusion and filters as PNG\n"
          "and SVG.\n"
          "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n");
}

void parse_report_options(int argc, char **argv, const struct experiment *experiment,
                          struct options *set) {
    static char epochs_help[64], out_help[128];
    const char *size = "32";
    start(set, argc, argv, "report");
    set->data = default_data();
    set->out = default_out(experiment);
    set->epochs = experiment->epochs;
    set->learning_rate = experiment->learning_rate;
    set->schedule = experiment->adaptive ? SCHEDULE_PLATEAU : SCHEDULE_CONSTANT;
    set->optimizer = ADAM;
    snprintf(epochs_help, sizeof epochs_help, "epochs in all (default: %d)", experiment->epochs);
    snprintf(out_help, sizeof out_help, "results (default: report/%s)", experiment->name);
    const struct option_line options[] = {
        {"data", "DIR",
         "IDX files, plain or .gz (default: $DLVIZ_DATA_DIR,\n"
         "then ${XDG_CACHE_HOME:-~/.cache}/dlviz/mnist)",
         TEXT, &set->data, 0, 0, NULL, NULL},
        {"out", "DIR", out_help, TEXT, &set->out, 0, 0, NULL, NULL},
        {"image-size", "N", "28 or 32 (default: 32)", TEXT, &size, 0, 0, NULL, NULL},
        {"batch-size", "N", "images a training step (default: 64)", WHOLE, &set->batch_size, 2,
         65536, NULL, NULL},
        {"epochs", "N", epochs_help, WHOLE, &set->epochs, 1, 100000, NULL, NULL},
        {"threads", "N", "threads (default: one a processor)", WHOLE, &set->threads, 1, 256, NULL,
         NULL},
        {"seed", "N", "weights, split, order, dropout, t-SNE (default: 0)", WHOLE, &set->seed, 0,
         9007199254740992.0, NULL, NULL},
        {"train-limit", "N", "only the first N training images", WHOLE, &set->train_limit, 100,
         INT32_MAX, NULL, NULL},
        {"test-limit", "N", "only the first N test images", WHOLE, &set->test_limit, 100, INT32_MAX,
         NULL, NULL},
        {"layer", "NAME", "where features are taken (default: relu5)", TEXT, &set->layer, 0, 0,
         NULL, NULL},
        {"perplexity", "X", "of t-SNE (default: 30)", REAL, &set->perplexity, 1, MOST_PERPLEXITY,
         NULL, NULL},
        {"tsne-iterations", "N", "(default: 1000, of which 250 exaggerated)", WHOLE,
         &set->tsne_iterations, 0, 1000000, NULL, NULL},
        {"resume", NULL, "go on from the last checkpoint in --out; where there is\nnone yet, begin",
         FLAG, &set->resume, 0, 0, NULL, NULL},
        {"force", NULL, "replace what an earlier run left in --out", FLAG, &set->force, 0, 0, NULL,
         NULL},
        {"keep-checkpoint", NULL, "leave it there, to go on with more epochs", FLAG,
         &set->keep_checkpoint, 0, 0, NULL, NULL},
        {"quiet", NULL, "errors only", FLAG, &set->quiet, 0, 0, NULL, NULL}};
    const struct command_line line = {.program = set->program,
                                      .options = options,
                                      .num_options = COUNT(options),
                                      .help = print_report_help};
    helped = experiment;
    read_command_line(&line, argc, argv, 1, NULL, 0);
    if (strcmp(size, "28") != 0 && strcmp(size, "32") != 0)
        wrong_value(&line, "image-size", size, "28 or 32 is accepted");
    set->height = set->width = strcmp(size, "28") == 0 ? 28 : 32;
}

/* -- train ---------------------------------------------------------------------------------------
 */

static void print_train_help(const struct command_line *line) {
    print("Usage: %s DATA --out DIR [options]\n\n"
          "Trains a network to tell classes apart, takes features of samples that it has\n"
          "not seen, and writes a page that shows what it learned: DIR/report.html.\n\n"
          "DATA is a folder with a folder of PNG or JPEG files for each class (or with two\n"
          "such, train and test), one with MNIST's or CIFAR's files, a .npz or a .csv file.\n\n",
          line->program);
    print_options(line, "");
    print("  -h, --help, --version\n\nLayers of report: ");
    print_layers("report");
    print(".\nOf resnet8: ");
    print_layers("resnet8");
    print(".\nOf mlp: ");
    print_layers("mlp");
    print(".\nPoints of a .csv or .npz file are called after their rows, counted from 1\n"
          "without the header, up to 100,000 of them; those of x_test have their numbers.\n"
          "A FILE.json describes a network as DIR/network.json does that of a run.\n"
          "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n");
}

/* "64" or "48x64". */
static void take_size(const struct command_line *line, const char *text, struct options *set) {
    char *end;
    long long height = strtoll(text, &end, 10), width = height;
    bool read = end != text;
    if (read && *end == 'x') {
        const char *second = end + 1;
        width = strtoll(second, &end, 10);
        read = end != second;
    }
    if (!read || *end || height < 4 || height > 4096 || width < 4 || width > 4096)
        wrong_value(line, "image-size", text,
                    "one number from 4 to 4096, or two as in 48x64 (height x width) are accepted");
    set->height = height;
    set->width = width;
}

static void check_shares(const struct command_line *line, struct options *set) {
    const double usual = 0.2;
    set->validation_given = !isnan(set->validation);
    set->test_given = !isnan(set->test);
    if (!set->validation_given)
        set->validation = 0.1;
    if (isnan(set->test))
        set->test = usual < 0.9 - set->validation ? usual : (1 - set->validation) / 2;
    if (set->validation + set->test < 0.9999) /* which leaves something to train on */
        return;
    let_first_speak(EXIT_USAGE);
    complain("%s: --validation %g and --test %g are %g of the samples together: less than 1 is "
             "accepted, as the others are trained on\n",
             line->program, set->validation, set->test, set->validation + set->test);
    exit(EXIT_USAGE);
}

void parse_train_options(int argc, char **argv, struct options *set) {
    const char *size = NULL, *channels = NULL;
    start(set, argc, argv, "dlviz-train");
    set->network = NULL;
    set->epochs = 10;
    set->validation = set->test = NAN;
    set->batch_size = 0;
    set->learning_rate = NAN;
    set->optimizer = ADAM;
    const struct option_line options[] = {
        {"out", "DIR", "results; needed", TEXT, &set->out, 0, 0, NULL, NULL},
        {"network", "NAME",
         "report (two blocks of convolutions, the default for\n"
         "images), resnet8, mlp (the default for vectors), or a\n"
         "FILE.json",
         TEXT, &set->network, 0, 0, NULL, NULL},
        {"epochs", "N", "(default: 10)", WHOLE, &set->epochs, 1, 100000, NULL, NULL},
        {"augment", "LIST",
         "what varies training images: shift, crop, flip,\n"
         "vertical-flip, affine, brightness, contrast, noise,\n"
         "erase, mixup, each also with its amount: flip,shift=2",
         TEXT, &set->augment, 0, 0, NULL, NULL},
        {"optimizer", "NAME", "adam, adamw, nadam, radam, lion, sgd or rmsprop\n(default: adam)",
         CHOICE, &set->optimizer, 0, 0, optimizer_names, NULL},
        {"learning-rate", "X", "(default: 0.001; sgd 0.05, lion 0.0001)", REAL, &set->learning_rate,
         0, MOST_RATE, NULL, NULL},
        {"schedule", "NAME", "constant (the default), plateau, onecycle or cosine", CHOICE,
         &set->schedule, 0, 0, schedule_names, NULL},
        {"patience", "N",
         "stop after N epochs without a better validation loss,\nand go back to the best", WHOLE,
         &set->patience, 1, 100000, NULL, NULL},
        {"batch-size", "N",
         "samples a training step (default: 64, or down to 8 where\n"
         "there are too few for 20 steps an epoch)",
         WHOLE, &set->batch_size, 2, 65536, NULL, NULL},
        {"image-size", "N",
         "or HxW: images are cropped and scaled to it (default:\n"
         "their own where they have one, up to 64, else 64)",
         TEXT, &size, 0, 0, NULL, NULL},
        {"channels", "N", "1 gray, 3 color (default: 1 if all images are gray)", TEXT, &channels, 0,
         0, NULL, NULL},
        {"skip-unreadable", NULL, "go on without images that cannot be read", FLAG,
         &set->skip_unreadable, 0, 0, NULL, NULL},
        {"memory-limit", "SIZE",
         "of images in memory, 2G for example; above it they are\n"
         "decoded again batch by batch",
         BYTES, &set->memory_limit, 0, 0, NULL, NULL},
        {"labels", "NAME",
         "the column of a .csv file, or the array of a .npz file,\nthat has the classes", TEXT,
         &set->labels, 0, 0, NULL, NULL},
        {"ignore", "NAME", "a column of a .csv file that is left out; may be given\nseveral times",
         TEXTS, &set->ignored, 0, 0, NULL, NULL},
        {"validation", "SHARE",
         "of the samples, to validate on where they have no part\n"
         "for it (default: 0.1)",
         REAL, &set->validation, 0, 0.9, NULL, NULL},
        {"test", "SHARE",
         "of the samples, to test on where they have no part for\n"
         "it (default: 0.2)",
         REAL, &set->test, 0.001, 0.9, NULL, NULL},
        {"test-folder", "DIR", "images to test on, in folders of the same names", TEXT,
         &set->test_folder, 0, 0, NULL, NULL},
        {"layer", "NAME", "where features are taken (default: the one before the\nlast)", TEXT,
         &set->layer, 0, 0, NULL, NULL},
        {"perplexity", "X", "of t-SNE (default: 30)", REAL, &set->perplexity, 1, MOST_PERPLEXITY,
         NULL, NULL},
        {"tsne-iterations", "N", "(default: 1000, of which 250 exaggerated)", WHOLE,
         &set->tsne_iterations, 0, 1000000, NULL, NULL},
        {"seed", "N", "weights, split, order, dropout, t-SNE (default: 0)", WHOLE, &set->seed, 0,
         9007199254740992.0, NULL, NULL},
        {"threads", "N", "threads (default: one a processor)", WHOLE, &set->threads, 1, 256, NULL,
         NULL},
        {"resume", NULL, "go on from the last checkpoint in --out; where there is\nnone yet, begin",
         FLAG, &set->resume, 0, 0, NULL, NULL},
        {"force", NULL, "replace what an earlier run left in --out", FLAG, &set->force, 0, 0, NULL,
         NULL},
        {"keep-checkpoint", NULL,
         "leave it there, to go on with more epochs (not for\n"
         "onecycle and cosine, whose rates end with the last)",
         FLAG, &set->keep_checkpoint, 0, 0, NULL, NULL},
        {"quiet", NULL, "errors only", FLAG, &set->quiet, 0, 0, NULL, NULL}};
    const struct command_line line = {.program = set->program,
                                      .options = options,
                                      .num_options = COUNT(options),
                                      .help = print_train_help};
    if (read_command_line(&line, argc, argv, 1, &set->data, 1) == 0)
        wrong_usage(&line, "needs the folder or file with the data");
    if (!set->out)
        wrong_usage(&line, "needs a folder for the results: --out DIR");
    if (size)
        take_size(&line, size, set);
    check_shares(&line, set);
    if (channels && strcmp(channels, "1") != 0 && strcmp(channels, "3") != 0)
        wrong_value(&line, "channels", channels, "1 or 3 is accepted");
    set->channels = !channels ? 0 : *channels == '1' ? 1 : 3;
    if (isnan(set->learning_rate))
        set->learning_rate = set->optimizer == SGD ? 0.05 : set->optimizer == LION ? 1e-4 : 1e-3;
    if (set->learning_rate == 0 && set->schedule == SCHEDULE_ONE_CYCLE)
        wrong_value(&line, "learning-rate", "0", "with onecycle a number above 0 is accepted");
}
