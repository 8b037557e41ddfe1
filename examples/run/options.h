/* options.h - what a run is told: the command lines of the report programs and of train. */
#ifndef RUN_OPTIONS_H
#define RUN_OPTIONS_H

#include "command.h"

/* What distinguishes the report's three programs. */
struct experiment {
    const char *name; /* "lr1e-3_20epochs": the folder of the results */
    const char *rate; /* "learning rate 1e-3" */
    double learning_rate;
    bool adaptive;
    int epochs;
};

enum schedule_choice { SCHEDULE_CONSTANT, SCHEDULE_PLATEAU, SCHEDULE_ONE_CYCLE, SCHEDULE_COSINE };
enum optimizer_choice { ADAM, ADAMW, NADAM, RADAM, LION, SGD, RMSPROP };

/* The names of these, ending with NULL. */
extern const char *const schedule_names[];
extern const char *const optimizer_names[];

struct options {
    const char *program;
    int num_words; /* the whole command line, for the summary */
    char **words;

    const char *data, *out, *test_folder;
    const char *network; /* "report", "resnet8", "mlp", or a file */
    const char *layer;   /* NULL: the one that the network suggests */
    const char *augment, *labels;
    struct texts ignored;            /* columns */
    int64_t height, width, channels; /* 0: those of the data */
    bool channels_of_network;        /* nobody has given them: a network's file says so */
    int64_t batch_size, train_limit, test_limit; /* 0: as many as suit the data; all */
    int64_t epochs, threads, tsne_iterations, patience, seed,
        memory_limit; /* 0 for none, or the default */
    double perplexity, learning_rate, validation, test;
    int schedule, optimizer;
    bool validation_given, test_given;
    bool resume, force, keep_checkpoint, quiet, skip_unreadable;
};

/* Each reads a command line, and ends the program for --help, --version and wrong usage. */
void parse_report_options(int argc, char **argv, const struct experiment *experiment,
                          struct options *options);
void parse_train_options(int argc, char **argv, struct options *options);

#endif
