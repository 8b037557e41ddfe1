/* options.h - the command line of the report programs. */
#ifndef REPORT_OPTIONS_H
#define REPORT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

/* What distinguishes the three programs. */
struct experiment {
    const char *name; /* "lr1e-3_20epochs": the folder of the results */
    const char *rate; /* "learning rate 1e-3" */
    double learning_rate;
    bool adaptive;
    int epochs;
};

struct options {
    const char *program;
    const char *data, *out;
    const char *layer;
    int64_t image_size, batch_size, train_limit, test_limit; /* limits: 0 for all */
    int epochs, threads, tsne_iterations;                    /* threads: 0 for the default */
    uint64_t seed;
    double perplexity;
    bool resume, quiet;
};

/* Reads the command line; ends the program for --help, --version and wrong usage. */
void parse_options(int argc, char **argv, const struct experiment *experiment,
                   struct options *options);

#endif
