/* The command line of dlviz-embed. */
#include "embed.h"
#include "../run/print.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { USUAL_COMPONENTS = 2 };

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

static const char *const solvers[] = {"auto", "covariance", "svd", "randomized", NULL};
static const char *const metrics[] = {"euclidean", "cosine", NULL};
static const char *const methods[] = {"auto", "exact", "barnes-hut", "grid", NULL};
static const char *const commands[] = {"pca", "tsne", "transform", "plot"};

static void print_help(const struct command_line *line) {
    const char *program = line->program;
    print("Usage: %s pca  IN OUT.npy [--components K | --variance F] [options]\n"
          "       %s tsne IN OUT.npy [options]\n"
          "       %s transform T.safetensors NEW OUT.npy [options]\n"
          "       %s plot MAP [--figure F] [--html F] [options]\n\n"
          "Reads n x d numbers (.npy, .npz or .csv) and writes their principal components\n"
          "or their t-SNE map; places new points in a map that tsne saved; draws a map that\n"
          "there is. All that it writes are regular files.\n\n"
          "All:\n",
          program, program, program, program);
    print_options(line, "");
    print("  -h, --help, --version\npca, tsne, transform:\n");
    print_options(line, "pca tsne transform");
    print("pca:\n");
    print_options(line, "pca");
    print("tsne:\n");
    print_options(line, "tsne");
    print("\nPoints without --names are called after their rows, counted from 1 without a\n"
          "header; of more than 100,000 points none has a name.\n"
          "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n");
}

/* A figure that cannot be written is better refused now than after the work. */
static void check_figure(const struct command_line *line, const char *text) {
    if (text && !ends_with(text, ".png") && !ends_with(text, ".svg") && !ends_with(text, ".pdf"))
        wrong_value(line, "figure", text, "a name that ends in .png, .svg or .pdf is accepted");
}

static bool is_read(const struct settings *set, bool (*is_kind)(const char *path)) {
    return is_kind(set->in) || (set->init && is_kind(set->init));
}

static bool is_archive(const char *path) {
    return ends_with(path, ".npz");
}

static void check_together(const struct command_line *line, struct settings *set) {
    check_figure(line, set->figure);
    if (set->array && !is_read(set, is_archive))
        wrong_usage(line, "--array is for the arrays of a .npz file");
    if (set->ignored.count > 0 && !is_table(set->in))
        wrong_usage(line, "--ignore is for the columns of a .csv file");
    if (set->components > 0 && !isnan(set->variance))
        wrong_usage(line, "--components and --variance both say how many components: one does");
    if (set->components == 0)
        set->components = USUAL_COMPONENTS;
    if (set->method == (int)DLVIZ_TSNE_METHOD_GRID && set->dimensions > 2)
        wrong_value(line, "method", "grid", "maps of 1 or 2 dimensions are accepted, not of 3");
    if (set->images && !set->html)
        wrong_usage(line, "--images are for the page: --html F is needed");
    if (set->names && !set->html)
        wrong_usage(line, "--names are for the page: --html F is needed");
    if (set->command == EMBED_PLOT && !set->figure && !set->html)
        wrong_usage(line, "plot needs --figure F or --html F");
}

static void start(struct settings *set, const char *program) {
    *set = (struct settings){.program = program,
                             .dimensions = 2,
                             .iterations = 1000,
                             .perplexity = 30,
                             .early = 12,
                             .late = 1,
                             .freedom = 1,
                             .variance = NAN};
}

/* The other words of each command, and where they go. */
static void take_words(const struct command_line *line, const char **words, int count,
                       struct settings *set) {
    static const char *const needed[] = {"IN and OUT.npy", "IN and OUT.npy",
                                         "T.safetensors, NEW and OUT.npy", "MAP"};
    static const int counts[] = {2, 2, 3, 1};
    if (count < counts[set->command])
        wrong_usage(line, "%s needs %s", line->command, needed[set->command]);
    if (count > counts[set->command])
        wrong_usage(line, "'%s' is one word too many", words[counts[set->command]]);
    if (set->command == EMBED_TRANSFORM)
        set->model = *words++;
    set->in = words[0];
    set->out = set->command == EMBED_PLOT ? NULL : words[1];
}

static bool is_about_program(const char *word) {
    return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "--version") == 0;
}

void parse_settings(int argc, char **argv, struct settings *set) {
    start(set, program_name(argc, argv, "dlviz-embed"));
    const struct option_line options[] = {
        {"labels", "L",
         "n classes, numbers or words: a .npy file, a .txt or\n"
         ".csv file with one a line, a column of IN.csv or an\n"
         "array of IN.npz; -1 for points in no class",
         TEXT, &set->labels, 0, 0, NULL, NULL},
        {"figure", "F", "the map as .png, .svg or .pdf", TEXT, &set->figure, 0, 0, NULL, NULL},
        {"html", "F", "the page that shows the map: one file, for any browser", TEXT, &set->html, 0,
         0, NULL, NULL},
        {"images", "X.npy",
         "pictures of the points, for the page: n x h x w, gray,\n"
         "or n x h x w x 3 or n x 3 x h x w",
         TEXT, &set->images, 0, 0, NULL, NULL},
        {"names", "N.txt", "names of the points, for the page, one a line", TEXT, &set->names, 0, 0,
         NULL, NULL},
        {"title", "TEXT", "of figure and page", TEXT, &set->title, 0, 0, NULL, NULL},
        {"array", "NAME", "which array of a .npz file (default: its only one)", TEXT, &set->array,
         0, 0, NULL, NULL},
        {"ignore", "NAME", "a column of IN.csv that is left out; may be given\nseveral times",
         TEXTS, &set->ignored, 0, 0, NULL, NULL},
        {"threads", "N", "(default: one a processor)", WHOLE, &set->threads, 1, 256, NULL, NULL},
        {"quiet", NULL, "errors only", FLAG, &set->quiet, 0, 0, NULL, NULL},
        {"seed", "N", "(default: 0)", WHOLE, &set->seed, 0, 9007199254740992.0, NULL,
         "pca tsne transform"},
        {"quality", NULL, "prints how faithful the result is", FLAG, &set->quality, 0, 0, NULL,
         "pca tsne transform"},
        {"components", "K", "how many (default: 2)", WHOLE, &set->components, 1, INT32_MAX, NULL,
         "pca"},
        {"variance", "F", "as many as explain this fraction of the variance", REAL, &set->variance,
         ABOVE_0, BELOW_1, NULL, "pca"},
        {"solver", "NAME", "auto, covariance, svd or randomized (default: auto)", CHOICE,
         &set->solver, 0, 0, solvers, "pca"},
        {"whiten", NULL, "components with variance 1", FLAG, &set->whiten, 0, 0, NULL, "pca"},
        {"perplexity", "X", "(default: 30)", REAL, &set->perplexity, 1, 1e6, NULL, "tsne"},
        {"iterations", "N", "in all (default: 1000)", WHOLE, &set->iterations, 0, INT32_MAX, NULL,
         "tsne"},
        {"dimensions", "N", "of the map, 1 to 3 (default: 2)", WHOLE, &set->dimensions, 1, 3, NULL,
         "tsne"},
        {"pca", "K", "first reduces the data to K components", WHOLE, &set->reduce, 1, INT32_MAX,
         NULL, "tsne"},
        {"metric", "NAME", "euclidean or cosine (default: euclidean)", CHOICE, &set->metric, 0, 0,
         metrics, "tsne"},
        {"method", "NAME", "auto, exact, barnes-hut or grid (default: auto)", CHOICE, &set->method,
         0, 0, methods, "tsne"},
        {"init", "NAME", "pca, random, or a .npy file with the map to start from\n(default: pca)",
         TEXT, &set->init, 0, 0, NULL, "tsne"},
        {"learning-rate", "X", "(default: automatic)", REAL, &set->learning_rate, 0, 1e12, NULL,
         "tsne"},
        {"early-exaggeration", "X", "of the first 250 iterations (default: 12)", REAL, &set->early,
         ABOVE_0, 1e6, NULL, "tsne"},
        {"late-exaggeration", "X", "of all others (default: 1)", REAL, &set->late, ABOVE_0, 1e6,
         NULL, "tsne"},
        {"degrees-of-freedom", "X", "(default: 1)", REAL, &set->freedom, 0.05, 1e4, NULL, "tsne"},
        {"save", "T.safetensors",
         "what transform needs; with --pca in two files, the other\n"
         "is T.pca.safetensors beside it",
         TEXT, &set->save, 0, 0, NULL, "tsne"}};
    struct command_line line = {.program = set->program,
                                .options = options,
                                .num_options = COUNT(options),
                                .help = print_help};
    const char *words[4] = {NULL};
    int command = COUNT(commands);
    while (argc > 1 && --command >= 0 && strcmp(argv[1], commands[command]) != 0)
        ;
    for (int i = 1; command < 0 && i < argc; i++)
        if (is_about_program(argv[i]))
            read_command_line(&line, argc, argv, i, words, 0); /* ends the program */
    if (argc < 2 || command < 0)
        wrong_usage(&line, "the first word is 'pca', 'tsne', 'transform' or 'plot'");
    set->command = (enum embed_command)command;
    line.command = commands[command];
    int count = read_command_line(&line, argc, argv, 2, words, 4);
    take_words(&line, words, count, set);
    check_together(&line, set);
}
