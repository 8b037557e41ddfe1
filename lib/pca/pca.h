/* pca/pca.h - the inside of a principal component analysis. */
#ifndef DLZ_PCA_H
#define DLZ_PCA_H

#include "base/busy.h"
#include "comm/comm.h"
#include "tensor/pages.h"

#include <dlviz/pca.h>

/* What a fit finds, in float64; components are rows. */
typedef struct dlz_pca_model {
    int64_t samples, features, count;
    double *mean;       /* features */
    double *components; /* count x features */
    double *variance;   /* count */
    double total_variance;
} dlz_pca_model;

struct dlviz_pca_event {
    double done;
};

struct dlviz_pca {
    dlz_busy busy;
    int64_t components; /* wanted; 0 for all */
    double fraction;    /* 0, or the fraction of the variance that decides instead */
    dlviz_pca_solver_kind solver, used;
    bool whiten;
    uint64_t seed;
    int oversampling, iterations;
    dlviz_pca_progress_fn progress;
    void *progress_user;
    dlviz_comm *comm; /* held; NULL: none */

    dlz_pca_model model; /* all zero before a fit */
    dlviz_tensor *mean, *vectors, *variance, *ratio, *singular;
};

/* Columns that are not the same number in all rows, rising; at least 1. */
typedef struct dlz_pca_varying {
    int64_t count, *columns;
} dlz_pca_varying;

/* What the solvers work on: the data and its mean. Of several ranks each has rows of its own, and
 * what is found by one alone is rank 0's: it leads. */
typedef struct dlz_pca_input {
    const dlviz_pca *pca;
    dlviz_comm *comm;   /* NULL: all rows are here */
    const float *data;  /* own x features */
    dlz_pages pages;    /* of the data */
    int64_t first, own; /* of all samples, those that are here */
    int64_t samples, features;
    const double *mean;
    double scatter;             /* the sum of squares of the centered data, once it is known */
    dlviz_pca_solver_kind used; /* set by the solvers */
    bool searched;              /* for columns that vary: */
    dlz_pca_varying varying;    /* no columns: all do, or it makes no difference */
} dlz_pca_input;

static inline bool dlz_pca_leads(const dlz_pca_input *input) {
    return dlz_comm_rank(input->comm) == 0;
}

/* The rows of a tile in passes over the data. */
#define DLZ_PCA_TILE 512

/* What dlviz_pca_transform gives by this model. */
dlviz_status dlz_pca_project(const dlz_pca_model *model, bool whiten, const dlviz_tensor *data,
                             dlviz_tensor **projected);

/* -- Ranks ---------------------------------------------------------------------------------------
 */

/* Begins a call that all ranks make, each with rows of its own: fails on all unless these are
 * matrices of as many columns, spread as dlviz_comm_share says, with settings and results so far
 * that are the same. `status`: how this rank fares by now. */
dlviz_status dlz_pca_join(const char *who, const char *name, const dlviz_pca *pca,
                          const dlviz_tensor *rows, dlviz_status status, dlz_pca_input *input);
/* Where a step in which a rank may fail alone is over: all go on, or all fail; where one was
 * cancelled all are. */
dlviz_status dlz_pca_agree(const dlz_pca_input *input, dlviz_status own);
/* All rows on each rank, as an input of a process alone, whose data the caller frees. */
dlviz_status dlz_pca_gather(const dlz_pca_input *input, dlz_pca_input *whole);
/* A solver's work, of all rows, by the leading rank. */
typedef dlviz_status (*dlz_pca_solver_fn)(dlz_pca_input *input, dlz_pca_model *model);
dlviz_status dlz_pca_solve_whole(dlz_pca_input *input, dlz_pca_solver_fn solve,
                                 dlz_pca_model *model);
/* The leading rank's model, and how it came by it, become everyone's. `own`: what the leading rank's
 * work ended with; DLVIZ_ERROR_NUMERIC is then every rank's own. */
dlviz_status dlz_pca_share(dlz_pca_input *input, dlviz_status own, dlz_pca_model *model);

/* -- Passes over the data ------------------------------------------------------------------------
 */

/* Narrower matrices have nothing to gain from a search for columns that vary. */
#define DLZ_PCA_NARROW 96

/* Columns that are the same in all rows, as borders of pictures are, have no part in the covariance:
 * without them it is smaller. Those that are the same in a rank's first rows are looked for in all
 * its others, piece by piece. */
typedef struct dlz_pca_search {
    int64_t count;
    int64_t *candidates;
    bool *varies; /* `count` a worker */
    int workers;
} dlz_pca_search;
dlviz_status dlz_pca_search_begin(const dlz_pca_input *input, dlz_pca_search *search);
void dlz_pca_search_rows(const dlz_pca_search *search, const dlz_pca_input *input, int64_t first,
                         int64_t count, int worker);
/* Joins what all ranks found. No columns where all vary. */
dlviz_status dlz_pca_search_end(const dlz_pca_input *input, dlz_pca_search *search,
                                dlz_pca_varying *varying);
/* Without its result. */
void dlz_pca_search_drop(dlz_pca_search *search);
/* All of that in a pass of its own. */
dlviz_status dlz_pca_find_varying(const dlz_pca_input *input, dlz_pca_varying *varying);

/* The mean of each column; fails on NaN and infinities. With `search`, on the way. */
dlviz_status dlz_pca_find_mean(const char *who, const dlz_pca_input *input, dlz_pca_search *search,
                               double *mean);
/* The sum of squares about the mean. */
dlviz_status dlz_pca_find_scatter(dlz_pca_input *input);
/* Fails with DLVIZ_ERROR_NUMERIC when the whole variance is more or less than float32 holds. */
dlviz_status dlz_pca_require_range(const char *who, double variance);
/* DLVIZ_CANCELLED when the callback, or the thread's, says so. */
dlviz_status dlz_pca_report(const dlviz_pca *pca, double done);
/* How many of the variances make up the wanted fraction of their sum. */
int64_t dlz_pca_count_for_fraction(const double *variances, int64_t count, double total,
                                   double fraction);
/* The wanted number of components, out of `most`. */
int64_t dlz_pca_wanted(const dlviz_pca *pca, int64_t most);

/* Forgets what a solver found that did not get to the end; the mean stays. */
void dlz_pca_forget_components(dlz_pca_model *model);

/* Each solver sets model->count (from the settings), components and variance; the signs are the
 * caller's to fix. What they allocate into the model, the caller frees, also after failures. */
dlviz_status dlz_pca_solve_covariance(dlz_pca_input *input, dlz_pca_model *model);
dlviz_status dlz_pca_solve_svd(dlz_pca_input *input, dlz_pca_model *model);
dlviz_status dlz_pca_solve_randomized(dlz_pca_input *input, dlz_pca_model *model);

/* The whole variance, as the scatter says, and whether results can hold it. */
dlviz_status dlz_pca_set_variance(const char *who, const dlz_pca_input *input,
                                  dlz_pca_model *model);

/* The lower triangle of Σ (x - μ)(x - μ)ᵀ over the points (of the varying columns), or, with
 * `gram`, of the products of the centered points with each other (samples x samples), for which all
 * points must be here; and their trace. *matrix, to be freed, is NULL on ranks that do not lead. */
dlviz_status dlz_pca_scatter_matrix(const dlz_pca_input *input, bool gram, double **matrix,
                                    double *trace);

/* With so many rows a column and more, each leaf has a QR of its own; else one process does all. */
#define DLZ_PCA_ROWS_FOR_LEAVES 8

/* The upper triangle r (features x features) of the centered data's QR factorization; samples >=
 * features. With several ranks there are rows for leaves, and the triangle is the leading one's. */
dlviz_status dlz_pca_triangle(const dlz_pca_input *input, double *triangle);

void dlz_pca_model_clear(dlz_pca_model *model);
/* Flips each component so that its largest-magnitude loading is positive; of loadings that tie,
 * within 1e-3 of the largest, the first. */
void dlz_pca_fix_signs(double *components, int64_t count, int64_t features);
/* Makes `model` (handed over on success) the analysis's result, on all ranks or on none. */
dlviz_status dlz_pca_adopt(dlviz_comm *comm, dlviz_pca *pca, dlz_pca_model *model);
/* dlviz_pca_fit_transform of data x factor, a power of two, finite and with 2 rows or more. Where that
 * hardly differs from row to row beside its size, so that the variance would be refused, it is done
 * with the differences from the first row, and a factor of their own. */
dlviz_status dlz_pca_project_any_size(dlviz_pca *pca, const dlviz_tensor *data, double factor,
                                      dlviz_tensor **projected);
/* 1 / standard deviation of component i, 0 when its variance is rounding noise. */
double dlz_pca_inverse_deviation(const dlz_pca_model *model, int64_t i);

#endif
