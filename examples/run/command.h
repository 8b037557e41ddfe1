/* command.h - the command lines of the programs: tables of options, read and explained. */
#ifndef RUN_COMMAND_H
#define RUN_COMMAND_H

#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

enum option_kind {
    FLAG,   /* bool */
    TEXT,   /* const char * */
    WHOLE,  /* int64_t, from `least` to `most` */
    REAL,   /* double, from `least` to `most` */
    CHOICE, /* int: the place among `choices`, which end with NULL */
    BYTES,  /* int64_t: "500M", "2G" */
    TEXTS   /* struct texts: one each time that the option is given */
};

enum { MOST_TEXTS = 64 };
struct texts {
    int count;
    const char *items[MOST_TEXTS];
};

/* Bounds of a REAL that leave out 0, and 1. */
#define ABOVE_0 DBL_MIN
#define BELOW_1 (1 - DBL_EPSILON / 2)

struct option_line {
    const char *name;     /* "batch-size" */
    const char *argument; /* "N"; NULL for a flag */
    const char *help;     /* lines, to stand beside it; NULL: not in the help */
    enum option_kind kind;
    void *value;
    double least, most;
    const char *const *choices;
    const char *of; /* the commands that have it, "pca tsne"; NULL: all */
};

struct command_line {
    const char *program; /* argv[0] without its folder */
    const char *command; /* "pca"; NULL for programs that have none */
    const struct option_line *options;
    int num_options;
    void (*help)(const struct command_line *line);
};

/* The name that a program was called by. */
const char *program_name(int argc, char **argv, const char *otherwise);

/* Reads argv[first …]: options, anywhere, into their values, and the other words in their order, of
 * which there are as many as this returns. Ends the program for -h, --help and --version, and with a
 * line for wrong usage, also for more than `most_words`. */
int read_command_line(const struct command_line *line, int argc, char **argv, int first,
                      const char **words, int most_words);

/* What the options are, a line or more each; of one command alone, or of all if `of` is "". */
void print_options(const struct command_line *line, const char *of);

/* Ends the program: `--option text: accepted`, or any other sentence. */
void wrong_value(const struct command_line *line, const char *option, const char *text,
                 const char *accepted) __attribute__((noreturn));
void wrong_usage(const struct command_line *line, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

#endif
