/* embed.h - what the parts of the program embed share. */
#ifndef EMBED_H
#define EMBED_H

#include <dlviz.h>

#include <signal.h>

enum { DONE = 0, FAILED = 1, USAGE = 2, INTERRUPTED = 130 };

/* ---- Paths: everything that would stop the results from being written, before the work ---------
 */

/* NULL where one is not given. */
struct paths {
    const char *in, *labels, *init; /* read */
    const char *out, *figure;       /* written */
};

/* Ends the program with a sentence when a result cannot be written, or would replace what is read
 * or another result. */
void check_paths(const struct paths *paths);

/* ---- Labels ------------------------------------------------------------------------------------
 */

/* The classes of the points, from whole numbers of any size. */
struct labels {
    int64_t noise;     /* points labeled -1 beside classes from 0, which belong to none */
    int64_t classes;   /* different labels without noise */
    dlviz_tensor *all; /* n int64, as they were given */
    dlviz_tensor
        *of_figure; /* n int64: -1 for noise, and a class of the figure; NULL if not asked */
    char **names;   /* of the figure's classes; NULL where their numbers are the labels */
};

/* Reads the labels of n points. False after saying on stderr what does not fit. */
bool read_labels(struct labels *labels, const char *path, const char *points, int64_t n,
                 bool for_figure);
void free_labels(struct labels *labels);

/* ---- Quality -----------------------------------------------------------------------------------
 */

/* Prints how faithful a map is; labels may be NULL. Measures that have no meaning for these points
 * are named on stderr. False when one failed, which has been said, or `stop` was set. */
bool print_quality(const dlviz_tensor *points, const dlviz_tensor *map, const struct labels *labels,
                   uint64_t seed, const volatile sig_atomic_t *stop);

#endif
