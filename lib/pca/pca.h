/* pca/pca.h - the inside of a principal component analysis. */
#ifndef DLZ_PCA_H
#define DLZ_PCA_H

#include "base/busy.h"

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

    dlz_pca_model model; /* all zero before a fit */
    dlviz_tensor *mean, *vectors, *variance, *ratio, *singular;
};

/* Columns that are not the same number in all rows, rising; at least 1. */
typedef struct dlz_pca_varying {
    int64_t count, *columns;
} dlz_pca_varying;

/* What the solvers work on: the data and its mean. */
typedef struct dlz_pca_input {
    const dlviz_pca *pca;
    const float *data;
    int64_t samples, features;
    const double *mean;
    double scatter;             /* the sum of squares of the centered data */
    dlviz_pca_solver_kind used; /* set by the solvers */
    dlz_pca_varying varying;    /* no columns: all do, or it makes no difference */
} dlz_pca_input;

/* The rows of a tile in passes over the data. */
#define DLZ_PCA_TILE 512

/* The mean of each column and the sum of squares about it; fails on NaN and infinities. */
dlviz_status dlz_pca_moments(const char *who, const float *data, int64_t samples, int64_t features,
                             double *mean, double *scatter);
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

/* Finds the columns that vary, which the caller frees; none where all do, or too few do not. */
dlviz_status dlz_pca_find_varying(const dlz_pca_input *input, dlz_pca_varying *varying);

/* The lower triangle of Σ (x - μ)(x - μ)ᵀ over the points (of the varying columns), or, with
 * `gram`, of the products of the centered points with each other (samples x samples). */
dlviz_status dlz_pca_scatter_matrix(const dlz_pca_input *input, bool gram, double *matrix);

/* The upper triangle r (features x features) of the centered data's QR factorization; samples >=
 * features. */
dlviz_status dlz_pca_triangle(const dlz_pca_input *input, double *triangle);

void dlz_pca_model_clear(dlz_pca_model *model);
/* Flips each component so that its largest-magnitude loading is positive; of loadings that tie,
 * within 1e-3 of the largest, the first. */
void dlz_pca_fix_signs(double *components, int64_t count, int64_t features);
/* Makes `model` (handed over on success) the analysis's result. */
dlviz_status dlz_pca_adopt(dlviz_pca *pca, dlz_pca_model *model);
/* 1 / standard deviation of component i, 0 when its variance is rounding noise. */
double dlz_pca_inverse_deviation(const dlz_pca_model *model, int64_t i);

#endif
