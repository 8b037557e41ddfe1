/* tsne/tsne_internal.h - what the files of t-SNE share. */
#ifndef DLZ_TSNE_INTERNAL_H
#define DLZ_TSNE_INTERNAL_H

#include "base/busy.h"
#include "tsne/affinities.h"

#include <dlviz/tsne.h>

#define DLZ_TSNE_MAX_PERPLEXITIES 16
#define DLZ_TSNE_REPORT_EVERY 50

typedef struct dlz_tsne_settings {
    int dimensions;
    int perplexity_count;
    double perplexities[DLZ_TSNE_MAX_PERPLEXITIES];
    dlviz_tsne_distance_kind distance;
    int iterations;
    double early_factor, late_factor;
    int early_iterations, late_iterations;
    double learning_rate; /* 0: automatic */
    double early_momentum, late_momentum;
    double a; /* degrees of freedom */
    dlviz_tsne_init_kind init;
    uint64_t seed;
    dlviz_tsne_method_kind method;
    double angle, cell;
    double least_gradient;
    int patience;
    int every; /* 0: no progress function */
    dlviz_tsne_progress_fn progress;
    void *user;
    double transform_perplexity, transform_learning_rate, transform_exaggeration;
    int transform_iterations;
} dlz_tsne_settings;

typedef struct dlz_tsne_result {
    int64_t n;
    int dimensions;
    int64_t d;     /* of the points; 0 when there were none */
    float *points; /* n x d: scaled by `scale`, or to unit length for the cosine distance */
    float scale;   /* a power of two */
    float *map;    /* n x dimensions */
    dlviz_tsne_distance_kind distance;
    double a, cell;
    double divergence;
    double perplexity; /* the largest one used */
    int iterations, neighbors;
    dlviz_tsne_method_kind method;
    float *history; /* rows x 3 */
    int64_t rows, capacity;
    double seconds[3];
} dlz_tsne_result;

struct dlviz_tsne_event {
    int64_t iteration, num_iterations;
    double kl_divergence, gradient_norm;
    const dlviz_tensor *map;
};

struct dlviz_tsne {
    dlz_busy busy;
    dlz_tsne_settings settings;
    dlviz_tensor *initial_map;
    dlviz_comm *comm;
    bool fitted;
    dlz_tsne_result result;
};

void dlz_tsne_release(dlz_tsne_result *result);
void dlz_tsne_forget(dlviz_tsne *tsne);

/* What all ranks have come to, of their own status each: a failure if one has failed, else
 * DLVIZ_CANCELLED if one is cancelled. */
dlviz_status dlz_tsne_agree(dlviz_comm *comm, dlviz_status status);
/* The same where a call begins (comm/enter.h). */
dlviz_status dlz_tsne_enter(dlviz_comm *comm, const char *who, dlviz_status status);
/* Fails on all ranks unless they have the same settings, and these tensors. */
dlviz_status dlz_tsne_require_same(const dlviz_tsne *tsne, const char *who, int count,
                                   const char *const *names, const dlviz_tensor *const *tensors);

/* dlviz_tsne_fit for one who holds the handle's mark; *map is NULL. `status`: how this rank fares by
 * now. */
dlviz_status dlz_tsne_fit_points(dlviz_tsne *tsne, const char *who, const dlviz_tensor *points,
                                 dlviz_status status, dlviz_tensor **map);

/* Descends from result->map for the settings' iterations, and leaves the outcome in the result.
 * DLVIZ_CANCELLED leaves the result as complete as DLVIZ_OK does. */
dlviz_status dlz_tsne_optimize(const dlz_tsne_settings *settings, dlviz_comm *comm,
                               const dlz_affinities *affinities, dlz_tsne_result *result);

/* Coordinates to start from: the first `dimensions` principal components, scaled alike so that the
 * first has the deviation 1e-4; or normal numbers of that deviation. */
dlviz_status dlz_tsne_start_pca(float *points, int64_t n, int64_t d, int dimensions, uint64_t seed,
                                float *map);
void dlz_tsne_start_random(int64_t n, int dimensions, uint64_t seed, float *map);

/* Parts what gradients would never part, by random numbers of 1 % of the map's deviation, at most
 * 0.1: points at exactly the same place, and all points along a dimension in which they hardly
 * differ. A map whose deviation is below 1e-10 is enlarged to the usual start's, and one of a
 * single place becomes a random start. */
dlviz_status dlz_tsne_part(int64_t n, int dimensions, uint64_t seed, float *map);

/* A copy of an n x d matrix: for the cosine distance each row scaled to unit length, otherwise all of
 * it by *scale, a power of two: the given one, or when that is 0 one that brings the largest value
 * near 2^40, so that squares neither vanish nor overflow whatever the points' unit. Fails with
 * DLVIZ_ERROR_NUMERIC, naming the place, when a value is not finite or too large to square, or a
 * row has no direction. */
dlviz_status dlz_tsne_copy_points(const char *who, const dlviz_tensor *points,
                                  dlviz_tsne_distance_kind distance, float *scale, float **copy);
/* A power of two that brings the largest of these values near 2^40. */
float dlz_tsne_find_scale(const float *values, int64_t count);

/* The squares of one point's distances, but for a factor that its affinities do not depend on: of
 * very small distances the squares themselves would be 0. `squares` may be `distances`. */
void dlz_tsne_square(const float *distances, int64_t count, float *squares);
/* What the affinities of n points with k neighbors each use as squared distances, from what the
 * search for neighbors gives. */
void dlz_tsne_affinity_distances(dlviz_tsne_distance_kind distance, int64_t n, int64_t k,
                                 float *squared_distances);

double dlz_tsne_clock(void); /* seconds */

#endif
