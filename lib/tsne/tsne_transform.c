/* New points in a map that stays as it is. */
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "comm/comm.h"
#include "comm/enter.h"
#include "neighbors/neighbors.h"
#include "tsne/repulsion_grid.h"
#include "tsne/tsne_internal.h"
#include "kernels/embed/repel.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

#define TARGETS DLZ_REPEL_TARGETS
#define PIECE 2048 /* sources summed in float before the sums go to double */
#define MEDIAN_OF 25
#define LARGEST_GRADIENT 0.25
#define MOMENTUM 0.8
#define GRID_POINTS 2000 /* from here on a map's potential is worth computing */
#define MARGIN 8         /* map units around the fitted map that its grid covers */

typedef struct placement {
    dlviz_comm *comm;
    int64_t first_tile; /* of this rank */
    const dlz_tsne_settings *settings;
    const dlz_tsne_result *fit;
    const dlz_repel_kernel *kernel;
    int64_t m;
    int k;
    int32_t *indices;        /* m x k */
    float *p;                /* m x k: squared distances, then rows of sum 1 */
    dlz_grid_repulsion grid; /* of the fitted map, when has_grid */
    bool has_grid;
    float *sources[3];
    float *map; /* m x dimensions */
} placement;

static float median(float *values, int count) {
    for (int i = 1; i < count; i++) {
        float value = values[i]; /* cppcheck-suppress uninitvar ; the caller's, `count` of them */
        int j = i;
        for (; j > 0 && values[j - 1] > value; j--)
            values[j] = values[j - 1];
        values[j] = value;
    }
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void start_at_median(const placement *s, int64_t point, float *to) {
    int dimensions = s->fit->dimensions, count = s->k < MEDIAN_OF ? s->k : MEDIAN_OF;
    for (int c = 0; c < dimensions; c++) {
        float values[MEDIAN_OF];
        for (int i = 0; i < count; i++)
            values[i] = s->fit->map[(int64_t)s->indices[point * s->k + i] * dimensions + c];
        to[c] = median(values, count);
    }
}

/* The repulsion of the whole map on TARGETS places, and their similarities' sums, pair by pair. */
static void repel_exactly(const placement *s, float places[3][TARGETS], double force[3][TARGETS],
                          double similarity[TARGETS]) {
    int dimensions = s->fit->dimensions;
    memset(force, 0, 3 * sizeof force[0]);
    memset(similarity, 0, TARGETS * sizeof similarity[0]);
    for (int64_t piece = 0; piece < s->fit->n; piece += PIECE) {
        float forces[3][TARGETS], similarities[TARGETS] = {0};
        memset(forces, 0, sizeof forces);
        const float *sources[3] = {0};
        for (int c = 0; c < dimensions; c++)
            sources[c] = s->sources[c] + piece;
        s->kernel->sum(dimensions, (float)s->fit->a,
                       (const float *const[3]){places[0], places[1], places[2]}, sources,
                       dlz_min_i64(PIECE, s->fit->n - piece),
                       (float *const[3]){forces[0], forces[1], forces[2]}, similarities);
        for (int t = 0; t < TARGETS; t++) {
            similarity[t] += similarities[t];
            for (int c = 0; c < dimensions; c++)
                force[c][t] += forces[c][t];
        }
    }
}

static void repel(const placement *s, int64_t count, float places[3][TARGETS],
                  double force[3][TARGETS], double similarity[TARGETS]) {
    for (int64_t t = 0; s->has_grid && t < count; t++) {
        double read[2];
        if (!dlz_grid_read(&s->grid, (float[]){places[0][t], places[1][t]}, &similarity[t], read)) {
            /* A place beyond the grid: this one alone takes the long way. */
            float one[3][TARGETS] = {{0}};
            double one_force[3][TARGETS], one_similarity[TARGETS];
            for (int c = 0; c < 3; c++)
                one[c][0] = places[c][t];
            repel_exactly(s, one, one_force, one_similarity);
            similarity[t] = one_similarity[0];
            read[0] = one_force[0][0];
            read[1] = one_force[1][0];
        }
        force[0][t] = read[0];
        force[1][t] = read[1];
    }
    if (!s->has_grid)
        repel_exactly(s, places, force, similarity);
}

/* Adds exaggeration x attraction of one point to its gradient. */
static void attract(const placement *s, int64_t point, const double place[3], double gradient[3]) {
    int dimensions = s->fit->dimensions;
    for (int i = 0; i < s->k; i++) {
        const float *other = s->fit->map + (int64_t)s->indices[point * s->k + i] * dimensions;
        double difference[3], square = 0;
        for (int c = 0; c < dimensions; c++) {
            difference[c] = place[c] - other[c];
            square += difference[c] * difference[c];
        }
        double pull =
            s->settings->transform_exaggeration * s->p[point * s->k + i] / (1 + square / s->fit->a);
        for (int c = 0; c < dimensions; c++)
            gradient[c] += pull * difference[c];
    }
}

/* A new point's affinities sum to 1, as the weights of its repulsion do: see brakes.h for what rate
 * that bears. */
static double bearable_rate(const dlz_tsne_settings *settings) {
    double stiffness = fmax(settings->transform_exaggeration, 1);
    double rate = settings->transform_learning_rate;
    return rate * stiffness > 2 * (1 + MOMENTUM) ? 1 / stiffness : rate;
}

static void place_tile(void *context, int64_t tile, int worker) {
    const placement *s = context;
    (void)worker;
    int dimensions = s->fit->dimensions;
    tile += s->first_tile;
    int64_t first = tile * TARGETS, count = dlz_min_i64(TARGETS, s->m - first);
    double rate = bearable_rate(s->settings);
    float places[3][TARGETS] = {{0}};
    double velocity[TARGETS][3] = {{0}}, gains[TARGETS][3], force[3][TARGETS], similarity[TARGETS];
    for (int64_t t = 0; t < TARGETS; t++) {
        for (int c = 0; c < 3; c++)
            gains[t][c] = 1;
        for (int c = 0; t < count && c < dimensions; c++)
            places[c][t] = s->map[(first + t) * dimensions + c];
    }
    for (int iteration = 0; iteration < s->settings->transform_iterations; iteration++) {
        repel(s, count, places, force, similarity);
        for (int64_t t = 0; t < count; t++) {
            double place[3] = {0}, gradient[3] = {0}, norm = 0;
            for (int c = 0; c < dimensions; c++) {
                place[c] = places[c][t];
                gradient[c] = -force[c][t] / fmax(similarity[t], 1e-30);
            }
            attract(s, first + t, place, gradient);
            for (int c = 0; c < dimensions; c++)
                norm += gradient[c] * gradient[c];
            double clip = fmin(1, LARGEST_GRADIENT / fmax(sqrt(norm), 1e-30));
            for (int c = 0; c < dimensions; c++) {
                double g = gradient[c] * clip, v = velocity[t][c];
                gains[t][c] = fmax(v * g < 0 ? gains[t][c] + 0.2 : gains[t][c] * 0.8, 0.01);
                velocity[t][c] = MOMENTUM * v - rate * gains[t][c] * g;
                places[c][t] = (float)(place[c] + velocity[t][c]);
            }
        }
    }
    for (int64_t t = 0; t < count; t++)
        for (int c = 0; c < dimensions; c++)
            s->map[(first + t) * dimensions + c] = places[c][t];
}

/* The points as the search wants them. New ones may be so much larger than the fit's that these take
 * another scale: a copy of them, else the fit's own. */
typedef struct searched {
    float *old, *copy;
} searched;

static dlviz_status take_points(const placement *s, const dlviz_tensor *points, searched *taken) {
    const dlz_tsne_result *fit = s->fit;
    float scale = fit->scale;
    double most = ldexp((double)dlz_tsne_find_scale(points->data, points->size), 8);
    if (fit->distance == DLVIZ_TSNE_DISTANCE_EUCLIDEAN && (double)scale > most)
        scale = (float)most;
    DLZ_TRY(
        dlz_tsne_copy_points("dlviz_tsne_transform", points, fit->distance, &scale, &taken->copy));
    taken->old = fit->points;
    if (scale == fit->scale)
        return DLVIZ_OK;
    taken->old = dlz_alloc_array((uint64_t)(fit->n * fit->d), sizeof *taken->old);
    if (!taken->old)
        return dlz_fail_memory("a copy of the points",
                               (uint64_t)(fit->n * fit->d) * sizeof *taken->old);
    for (int64_t i = 0; i < fit->n * fit->d; i++)
        taken->old[i] = fit->points[i] * (scale / fit->scale);
    return DLVIZ_OK;
}

static dlviz_status find_neighbors(placement *s, const dlviz_tensor *points) {
    const dlz_tsne_result *fit = s->fit;
    searched taken = {NULL, NULL};
    dlviz_status status = dlz_comm_agree(s->comm, take_points(s, points, &taken));
    if (status == DLVIZ_OK)
        status = dlz_knn_query(s->comm, taken.old, fit->n, taken.copy, s->m, fit->d, s->k,
                               s->indices, s->p);
    if (taken.old != fit->points)
        dlz_free(taken.old);
    dlz_free(taken.copy);
    return status;
}

/* What each rank has of the map, all of it. */
static dlviz_status prepare_map(placement *s, float *memory) {
    const dlz_tsne_result *fit = s->fit;
    for (int c = 0; c < fit->dimensions; c++) {
        s->sources[c] = memory + c * fit->n;
        for (int64_t i = 0; i < fit->n; i++)
            s->sources[c][i] = fit->map[i * fit->dimensions + c];
    }
    if (fit->dimensions == 3 || fit->n < GRID_POINTS)
        return DLVIZ_OK;
    dlz_repulsion_settings settings = {
        .n = fit->n, .dimensions = fit->dimensions, .a = fit->a, .cell = fit->cell};
    double z;
    float *forces = dlz_alloc_array((uint64_t)(fit->n * fit->dimensions), sizeof *forces);
    if (!forces)
        return dlz_fail_memory("the map's potential", (uint64_t)fit->n * sizeof *forces);
    s->grid.margin = MARGIN;
    dlviz_status status = dlz_grid_compute(&s->grid, &settings, fit->map, forces, &z);
    dlz_free(forces);
    DLZ_TRY(status);
    s->has_grid = !isnan(z);
    return DLVIZ_OK;
}

static dlviz_status prepare(placement *s, const dlviz_tensor *points, float *memory) {
    const dlz_tsne_result *fit = s->fit;
    DLZ_TRY(find_neighbors(s, points));
    dlz_tsne_affinity_distances(fit->distance, s->m, s->k, s->p);
    double perplexity = fmax(fmin(s->settings->transform_perplexity, s->k / 3.0), 1);
    for (int64_t i = 0; i < s->m; i++)
        start_at_median(s, i, s->map + i * fit->dimensions);
    DLZ_TRY(dlz_comm_agree(s->comm, prepare_map(s, memory)));
    /* In place: a row's distances are read before its probabilities are written. */
    return dlz_conditional_affinities(s->comm, s->p, s->m, s->k, &perplexity, 1, s->p);
}

/* Each rank places some of the points. */
static dlviz_status place(placement *s) {
    int ranks = dlz_comm_size(s->comm);
    int64_t tiles = dlz_ceil_div(s->m, TARGETS),
            point = s->fit->dimensions * (int64_t)sizeof(float);
    dlz_share own = dlz_comm_even_share(s->comm, dlz_comm_rank(s->comm), tiles);
    int64_t *offsets = dlz_alloc_array((uint64_t)ranks + 1, sizeof *offsets);
    s->first_tile = own.first;
    dlviz_status status = offsets ? dlz_parallel_for_task(own.count, dlz_threads(), place_tile, s)
                                  : dlz_fail_memory("the new points", (uint64_t)ranks);
    status = dlz_tsne_agree(s->comm, status);
    for (int rank = 0; rank <= ranks && status == DLVIZ_OK; rank++) {
        int64_t first = rank < ranks ? dlz_comm_even_share(s->comm, rank, tiles).first : tiles;
        offsets[rank] = dlz_min_i64(first * TARGETS, s->m) * point;
    }
    if (status == DLVIZ_OK)
        status = dlz_comm_gather_pieces(s->comm, s->map, offsets);
    dlz_free(offsets);
    return status;
}

/* Memory for what is found. */
static dlviz_status reserve(placement *s, const dlviz_tensor *points, float **memory,
                            dlviz_tensor **result) {
    const dlz_tsne_result *fit = s->fit;
    DLZ_TRY(dlz_require_matrix("dlviz_tsne_transform", "points", points));
    if (points->dims[1] != fit->d)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "dlviz_tsne_transform: 'points' has %lld columns; the fit had %lld",
                        (long long)points->dims[1], (long long)fit->d);
    s->m = points->dims[0];
    *memory = dlz_alloc_array((uint64_t)fit->n, (uint64_t)fit->dimensions * sizeof(float));
    s->indices = dlz_alloc_array((uint64_t)s->m, (uint64_t)s->k * sizeof(int32_t));
    s->p = dlz_alloc_array((uint64_t)s->m, (uint64_t)s->k * sizeof(float));
    if (!*memory || !s->indices || !s->p)
        return dlz_fail_memory("the new points' neighbors", (uint64_t)s->m * (uint64_t)s->k * 4);
    DLZ_TRY(dlz_tensor_create_raw(result, DLVIZ_FLOAT32, 2, (int64_t[]){s->m, fit->dimensions}));
    s->map = (*result)->data;
    return DLVIZ_OK;
}

static dlviz_status require_fit(const dlviz_tsne *tsne) {
    if (!tsne->fitted || !tsne->result.points)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "dlviz_tsne_transform: needs a fit of points before; one of neighbors or "
                        "affinities does not tell where new points belong");
    return DLVIZ_OK;
}

/* The map of the fit stands for all of it. */
static dlviz_status require_same(const dlviz_tsne *tsne, const dlviz_tensor *points) {
    const dlz_tsne_result *fit = &tsne->result;
    dlviz_tensor *map = NULL;
    dlviz_status status = dlz_comm_agree(
        tsne->comm, dlviz_tensor_wrap(&map, DLVIZ_FLOAT32, 2, (int64_t[]){fit->n, fit->dimensions},
                                      fit->map, NULL, NULL));
    if (status == DLVIZ_OK)
        status = dlz_tsne_require_same(tsne, "dlviz_tsne_transform", 2,
                                       (const char *const[]){"the fitted map", "'points'"},
                                       (const dlviz_tensor *const[]){map, points});
    dlviz_tensor_destroy(map);
    return status;
}

static dlviz_status transform(const dlviz_tsne *tsne, const dlviz_tensor *points,
                              dlviz_status status, placement *s, float **memory,
                              dlviz_tensor **result) {
    dlz_task task __attribute__((unused, cleanup(dlz_task_end))) = {.outer = NULL};
    if (status == DLVIZ_OK)
        status = require_fit(tsne);
    if (status == DLVIZ_OK)
        status = dlz_task_begin(&task, "placing in a map");
    if (status == DLVIZ_OK)
        status = reserve(s, points, memory, result);
    DLZ_TRY(dlz_tsne_enter(tsne->comm, "dlviz_tsne_transform", status));
    if (dlz_comm_size(tsne->comm) > 1)
        DLZ_TRY(require_same(tsne, points));
    dlz_task_part(0, 0.3);
    DLZ_TRY(prepare(s, points, *memory));
    dlz_task_part(0.3, 1);
    return place(s);
}

dlviz_status dlviz_tsne_transform(const dlviz_tsne *tsne, const dlviz_tensor *points,
                                  dlviz_tensor **map) {
    dlviz_status status = DLZ_OUT_STATUS(map);
    DLZ_REQUIRE(tsne);
    DLZ_HOLD_TOGETHER(&tsne->busy, "t-SNE handle", DLZ_SHARED, tsne->comm);
    const dlz_tsne_result *fit = &tsne->result;
    double wanted = fmax(ceil(3 * tsne->settings.transform_perplexity), MEDIAN_OF);
    placement s = {.comm = tsne->comm,
                   .settings = &tsne->settings,
                   .fit = fit,
                   .kernel = dlz_repel(),
                   .k = (int)fmin(wanted, (double)fit->n)};
    float *memory = NULL;
    dlviz_tensor *result = NULL;
    status = transform(tsne, points, status, &s, &memory, &result);
    dlz_grid_free(&s.grid);
    dlz_free(memory);
    dlz_free(s.indices);
    dlz_free(s.p);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(result);
        return status;
    }
    *map = result;
    return DLVIZ_OK;
}
