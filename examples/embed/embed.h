/* embed.h - what the parts of the program dlviz-embed share. */
#ifndef EMBED_H
#define EMBED_H

#include "../run/command.h"
#include "../run/terminal.h"
#include <dlviz.h>

/* ---- Settings: what the command line says ------------------------------------------------------
 */

enum embed_command { EMBED_PCA, EMBED_TSNE, EMBED_TRANSFORM, EMBED_PLOT };

struct settings {
    const char *program;
    enum embed_command command;
    bool quiet, quality, whiten;
    const char *in, *out; /* OUT: NULL for plot */
    const char *model;    /* of transform: the saved t-SNE */
    const char *save;     /* of tsne */
    struct texts ignored; /* columns of a table */
    const char *array;    /* of an .npz file; NULL: its only one */
    const char *labels, *figure, *html, *images, *names, *title, *init;
    int64_t threads, dimensions, iterations, components, reduce, seed;
    double variance, perplexity, learning_rate, early, late, freedom; /* variance: NaN for none */
    int solver, metric, method;
};

/* Reads the command line; ends the program for help and for wrong usage. */
void parse_settings(int argc, char **argv, struct settings *set);

/* ---- Paths: everything that would stop the results from being written, before the work ---------
 */

struct path {
    const char *role; /* "OUT.npy" */
    const char *path; /* NULL where it is not given */
    bool written;
};

/* Fails when a result cannot be written or, with DLVIZ_ERROR_INVALID_ARGUMENT, would replace what is
 * read or another result. */
dlviz_status check_paths(const struct path *paths, int count);

/* ---- Reading: points, labels, names, pictures --------------------------------------------------
 */

bool ends_with(const char *path, const char *ending);
bool is_table(const char *path);
/* Whether --labels names a column or an array of IN: where that can have such, and no file has the
 * name. */
bool labels_are_inside(const struct settings *set);

/* Reads n x d numbers as float32 of an .npy, .npz or .csv file; a vector becomes one column. Where
 * only differences count, an offset of each column may be left out. */
dlviz_status read_matrix(const struct settings *set, const char *path, bool differences,
                         dlviz_tensor **matrix);

/* The lines of a text file, to be freed by free_lines. Empty ones that end it are left out where there
 * are more lines than `most`: up to there they say that something has no name or class. */
dlviz_status read_lines(const char *path, int64_t most, char ***lines, int64_t *count);
void free_lines(char **lines, int64_t count);

/* Pictures as n x c x h x w, uint8 or float32 of 0 … 1, from any usual order of dimensions. */
dlviz_status read_images(const char *path, int64_t n, dlviz_tensor **images);

/* Words of an .npy file of NumPy's text ("<U5", "|S5"); *count is 0 where it is not of text. */
dlviz_status read_npy_words(const char *path, char ***words, int64_t *count);

/* ---- Labels ------------------------------------------------------------------------------------
 */

/* The classes of the points: whole numbers of any size, or words. */
struct labels {
    int64_t noise;           /* points in no class: -1 beside classes from 0, or an empty word */
    int64_t classes;         /* different labels without noise */
    dlviz_tensor *all;       /* n int64, as they were given; words by their order */
    dlviz_tensor *of_figure; /* n int64: -1 for noise, and a class of the figure */
    char **names;            /* of the figure's classes; NULL where their numbers are the labels */
    int64_t num_names;
};

/* Reads the labels of n points. */
dlviz_status read_labels(struct labels *labels, const struct settings *set, int64_t n);
void free_labels(struct labels *labels);

/* ---- What transform needs ----------------------------------------------------------------------
 */

/* Beside a t-SNE that was saved, the PCA of --pca: new points go through it first. */
const char *pca_path(const char *path);
/* Nobody has named that file: fails where there is one that save_model has not written. */
dlviz_status check_pca_path(const char *path);
/* Writes the t-SNE and, where there is one, the PCA; one that an earlier run left goes. */
dlviz_status save_model(const dlviz_tsne *tsne, const dlviz_pca *pca, const char *path);
/* *pca: the one beside a t-SNE, NULL where none belongs to it. Fails where it is missing or of another
 * map. */
dlviz_status open_pca(dlviz_pca **pca, const char *model);

/* ---- Quality -----------------------------------------------------------------------------------
 */

/* Prints how faithful a map is; labels may be NULL. Measures that have no meaning for these points
 * are named on stderr. False when one failed, which has been said, or the program was interrupted.
 */
bool print_quality(const char *program, struct terminal *terminal, const dlviz_tensor *points,
                   const dlviz_tensor *map, const struct labels *labels, uint64_t seed);

/* ---- Results -----------------------------------------------------------------------------------
 */

/* What figures and pages are made of. */
struct shown {
    const struct settings *set;
    const dlviz_tensor *points; /* what the map is of, or NULL */
    const dlviz_tensor *map;    /* n x k */
    int64_t num_new;            /* the first of the map's are new beside old ones; 0: none is */
    const struct labels *labels;
    const dlviz_tensor *shares; /* of the variance, or NULL */
    const dlviz_tsne *tsne;     /* or NULL */
};

/* Fails on what any figure would fail on, as a title that is no text. */
dlviz_status try_figure(const struct settings *set);
/* Fails on what the figure or the page of n points, and those of the map that they are placed in, would
 * fail on for their classes. */
dlviz_status try_classes(const struct settings *set, const struct labels *labels, int64_t n);
dlviz_status write_figure(const struct shown *shown);
dlviz_status write_html(const struct shown *shown);

#endif
