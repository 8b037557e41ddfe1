/* From points, neighbors or affinities to a map. */
#include "base/base.h"
#include "base/progress.h"
#include "comm/comm.h"
#include "comm/enter.h"
#include "neighbors/neighbors.h"
#include "tsne/tsne_internal.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

/* What a fit does before the descent, as shares of its work: more or less. */
#define NEIGHBORS 0.15
#define DESCENT 0.2

/* Perplexities lowered to what k neighbors carry. */
static int usable_perplexities(const dlz_tsne_settings *settings, int64_t k,
                               double usable[DLZ_TSNE_MAX_PERPLEXITIES]) {
    double most = fmax((double)k / 3, 1);
    for (int i = 0; i < settings->perplexity_count; i++) {
        usable[i] = fmin(settings->perplexities[i], most);
        if (usable[i] < settings->perplexities[i])
            dlz_log(DLVIZ_LOG_LEVEL_WARNING,
                    k > 3 ? "perplexity %g lowered to %g, a third of the %lld neighbors that each "
                            "point has"
                          : "perplexity %g lowered to %g, as each point has %lld neighbors",
                    settings->perplexities[i], floor(10 * usable[i] + 0.5) / 10, (long long)k);
    }
    return settings->perplexity_count;
}

static double largest_perplexity(const dlz_tsne_settings *settings) {
    double largest = 0;
    for (int i = 0; i < settings->perplexity_count; i++)
        largest = fmax(largest, settings->perplexities[i]);
    return largest;
}

/* The largest that a fit with k neighbors a point uses; NaN without neighbors. */
static double perplexity_used(const dlz_tsne_settings *settings, int k) {
    return k > 0 ? fmin(largest_perplexity(settings), fmax(k / 3.0, 1)) : NAN;
}

/* Whether the settings fit n points: to be asked before the earlier fit is forgotten. */
static dlviz_status require_settings(const dlviz_tsne *tsne, int64_t n) {
    const dlz_tsne_settings *settings = &tsne->settings;
    if (n > INT32_MAX - 64)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "t-SNE of %lld points; up to %d are accepted",
                        (long long)n, INT32_MAX - 64);
    if (tsne->initial_map &&
        (tsne->initial_map->dims[0] != n || tsne->initial_map->dims[1] != settings->dimensions))
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "the initial map is %lld x %lld; this fit needs %lld x %d",
                        (long long)tsne->initial_map->dims[0],
                        (long long)tsne->initial_map->dims[1], (long long)n, settings->dimensions);
    if (settings->method == DLVIZ_TSNE_METHOD_GRID && settings->dimensions > 2)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "the grid method makes maps of 1 or 2 dimensions, not %d; use Barnes-Hut",
                        settings->dimensions);
    return DLVIZ_OK;
}

static dlviz_status start_result(dlviz_tsne *tsne, int64_t n) {
    const dlz_tsne_settings *settings = &tsne->settings;
    dlz_tsne_result *result = &tsne->result;
    result->n = n;
    result->dimensions = settings->dimensions;
    result->distance = settings->distance;
    result->a = settings->a;
    result->cell = settings->cell;
    result->map = dlz_alloc_array_zero((uint64_t)n * (uint64_t)settings->dimensions, sizeof(float));
    if (!result->map)
        return dlz_fail_memory("the map",
                               (uint64_t)n * (uint64_t)settings->dimensions * sizeof(float));
    return DLVIZ_OK;
}

/* Each column's mean becomes 0, as it is after any iteration. */
static void center(int64_t n, int dimensions, float *map) {
    for (int c = 0; c < dimensions; c++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += map[i * dimensions + c];
        for (int64_t i = 0; i < n; i++)
            map[i * dimensions + c] = (float)(map[i * dimensions + c] - sum / (double)n);
    }
}

static dlviz_status start_map(dlviz_tsne *tsne) {
    dlz_tsne_result *result = &tsne->result;
    const dlz_tsne_settings *settings = &tsne->settings;
    if (tsne->initial_map)
        memcpy(result->map, tsne->initial_map->data,
               (size_t)tsne->initial_map->size * sizeof(float));
    else if (settings->init == DLVIZ_TSNE_INIT_PCA && result->points)
        DLZ_TRY(dlz_tsne_start_pca(result->points, result->n, result->d, result->dimensions,
                                   settings->seed, result->map));
    else
        dlz_tsne_start_random(result->n, result->dimensions, settings->seed, result->map);
    if (settings->iterations == 0 || result->n < 2)
        return DLVIZ_OK;
    if (tsne->initial_map)
        center(result->n, result->dimensions, result->map);
    return dlz_tsne_part(result->n, result->dimensions, settings->seed, result->map);
}

/* The results of the earlier fit, which come back where the descent of the next does not begin. */
typedef struct earlier_fit {
    bool fitted;
    dlz_tsne_result result;
} earlier_fit;

static earlier_fit put_aside(dlviz_tsne *tsne) {
    earlier_fit earlier = {tsne->fitted, tsne->result};
    tsne->result = (dlz_tsne_result){0};
    tsne->fitted = false;
    return earlier;
}

static void put_back(dlviz_tsne *tsne, const earlier_fit *earlier) {
    dlz_tsne_forget(tsne);
    tsne->fitted = earlier->fitted;
    tsne->result = earlier->result;
}

/* A copy of the map, unless a rank has no memory for it. */
static dlviz_status hand_out(const dlviz_tsne *tsne, dlviz_status status, dlviz_tensor **map) {
    const dlz_tsne_result *result = &tsne->result;
    dlviz_status copied = dlz_comm_agree(
        tsne->comm,
        dlviz_tensor_from_data(map, DLVIZ_FLOAT32, 2, (int64_t[]){result->n, result->dimensions},
                               result->map));
    if (copied == DLVIZ_OK)
        return status;
    dlviz_tensor_destroy(*map);
    *map = NULL;
    return copied;
}

/* Runs the descent and hands out the map; when it fails the handle forgets the fit. */
static dlviz_status end_fit(dlviz_tsne *tsne, dlviz_status status, earlier_fit *earlier,
                            dlz_affinities *affinities, dlviz_tensor **map) {
    dlz_tsne_result *result = &tsne->result;
    if (status != DLVIZ_OK) {
        put_back(tsne, earlier);
        dlz_affinities_free(affinities);
        return status;
    }
    dlz_tsne_release(&earlier->result);
    result->perplexity = perplexity_used(&tsne->settings, result->neighbors);
    dlz_task_part(DESCENT, 1);
    double start = dlz_tsne_clock();
    status = dlz_tsne_optimize(&tsne->settings, tsne->comm, affinities, result);
    result->seconds[2] = dlz_tsne_clock() - start;
    if (status == DLVIZ_OK || status == DLVIZ_CANCELLED)
        status = hand_out(tsne, status, map);
    tsne->fitted = *map != NULL;
    if (!tsne->fitted)
        dlz_tsne_forget(tsne);
    dlz_affinities_free(affinities);
    return status;
}

/* Affinities from squared distances, which are used up. */
static dlviz_status join_neighbors(const dlviz_tsne *tsne, int64_t n, const int32_t *indices,
                                   float *squared_distances, int k, dlz_affinities *affinities) {
    double perplexities[DLZ_TSNE_MAX_PERPLEXITIES];
    int count = usable_perplexities(&tsne->settings, k, perplexities);
    DLZ_TRY(dlz_conditional_affinities(tsne->comm, squared_distances, n, k, perplexities, count,
                                       squared_distances));
    return dlz_affinities_symmetric(tsne->comm, affinities, n, NULL, k, indices, squared_distances);
}

/* A single point has no neighbors and no affinities. */
static dlviz_status join_nothing(dlz_affinities *affinities) {
    affinities->n = 1;
    affinities->offsets = dlz_alloc_array_zero(2, sizeof(int64_t));
    affinities->columns = dlz_alloc(0);
    affinities->values = dlz_alloc(0);
    if (!affinities->offsets || !affinities->columns || !affinities->values) {
        dlz_affinities_free(affinities);
        return dlz_fail_memory("the affinities", 2 * sizeof(int64_t));
    }
    return DLVIZ_OK;
}

static dlviz_status find_neighbors(dlviz_tsne *tsne, int k, int32_t *indices, float *distances) {
    dlz_tsne_result *result = &tsne->result;
    uint64_t size = (uint64_t)result->n * (uint64_t)k * sizeof *distances;
    dlz_task_part(0, NEIGHBORS);
    DLZ_TRY(dlz_comm_agree(
        tsne->comm, indices && distances ? DLVIZ_OK : dlz_fail_memory("the neighbors", size)));
    double start = dlz_tsne_clock();
    dlviz_status status = dlz_knn_search_drawn(tsne->comm, result->points, result->n, result->d, k,
                                               tsne->settings.seed, indices, distances);
    result->seconds[0] = dlz_tsne_clock() - start;
    return status;
}

static dlviz_status join_points(dlviz_tsne *tsne, dlz_affinities *affinities) {
    dlz_tsne_result *result = &tsne->result;
    int64_t n = result->n;
    if (n == 1)
        return dlz_comm_agree(tsne->comm, join_nothing(affinities));
    int k = (int)fmin(ceil(3 * largest_perplexity(&tsne->settings)), (double)(n - 1));
    int32_t *indices = dlz_alloc_array((uint64_t)n * (uint64_t)k, sizeof *indices);
    float *distances = dlz_alloc_array((uint64_t)n * (uint64_t)k, sizeof *distances);
    dlviz_status status = find_neighbors(tsne, k, indices, distances);
    double start = dlz_tsne_clock();
    dlz_task_part(NEIGHBORS, DESCENT);
    if (status == DLVIZ_OK) {
        dlz_tsne_affinity_distances(result->distance, n, k, distances);
        status = join_neighbors(tsne, n, indices, distances, k, affinities);
        result->neighbors = k;
    }
    dlz_free(indices);
    dlz_free(distances);
    if (status == DLVIZ_OK)
        status = dlz_tsne_agree(tsne->comm, start_map(tsne));
    result->seconds[1] = dlz_tsne_clock() - start;
    return status;
}

/* The points as the search wants them, once it is known that they can be fitted. */
static dlviz_status take_points(dlviz_tsne *tsne, const char *who, const dlviz_tensor *points,
                                float *scale, float **copy) {
    DLZ_TRY(dlz_require_matrix(who, "points", points));
    DLZ_TRY(require_settings(tsne, points->dims[0]));
    return dlz_tsne_copy_points(who, points, tsne->settings.distance, scale, copy);
}

dlviz_status dlz_tsne_fit_points(dlviz_tsne *tsne, const char *who, const dlviz_tensor *points,
                                 dlviz_status status, dlviz_tensor **map) {
    dlz_affinities affinities = {0};
    float *copy = NULL, scale = 0;
    dlz_task task __attribute__((unused, cleanup(dlz_task_end))) = {.outer = NULL};
    if (status == DLVIZ_OK)
        status = dlz_task_begin(&task, "t-SNE");
    if (status == DLVIZ_OK)
        status = take_points(tsne, who, points, &scale, &copy);
    status = dlz_tsne_enter(tsne->comm, who, status);
    if (status == DLVIZ_OK)
        status = dlz_tsne_require_same(tsne, who, 1, (const char *const[]){"'points'"}, &points);
    if (status != DLVIZ_OK) {
        dlz_free(copy);
        return status;
    }
    earlier_fit earlier = put_aside(tsne);
    tsne->result.points = copy;
    tsne->result.scale = scale;
    tsne->result.d = points->dims[1];
    status = dlz_comm_agree(tsne->comm, start_result(tsne, points->dims[0]));
    if (status == DLVIZ_OK)
        status = join_points(tsne, &affinities);
    return end_fit(tsne, status, &earlier, &affinities, map);
}

dlviz_status dlviz_tsne_fit(dlviz_tsne *tsne, const dlviz_tensor *points, dlviz_tensor **map) {
    dlviz_status status = DLZ_OUT_STATUS(map);
    DLZ_REQUIRE(tsne);
    DLZ_HOLD_TOGETHER(&tsne->busy, "t-SNE handle", DLZ_ALONE, tsne->comm);
    return dlz_tsne_fit_points(tsne, __func__, points, status, map);
}

static dlviz_status require_tensor(const char *who, const char *name, const dlviz_tensor *tensor,
                                   dlviz_dtype dtype, int ndim) {
    if (!tensor)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", who, name);
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (tensor->dtype != dtype || tensor->ndim != ndim)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: '%s' is %s of %s, needs %d dimensions of %s", who,
                        name, dlz_shape_text(text, tensor->ndim, tensor->dims),
                        dlviz_dtype_name(tensor->dtype), ndim, dlviz_dtype_name(dtype));
    return DLVIZ_OK;
}

/* Indices as int32, each checked to be 0 ... n - 1. */
static dlviz_status narrow_indices(const char *who, const char *name, const dlviz_tensor *tensor,
                                   int64_t n, int32_t **narrow) {
    *narrow = dlz_alloc_array((uint64_t)tensor->size, sizeof **narrow);
    if (!*narrow)
        return dlz_fail_memory(name, (uint64_t)tensor->size * sizeof **narrow);
    const int64_t *wide = tensor->data;
    for (int64_t i = 0; i < tensor->size; i++) {
        if (wide[i] < 0 || wide[i] >= n) {
            dlz_free(*narrow);
            *narrow = NULL;
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: entry %lld of '%s' is %lld; 0 to %lld are accepted", who,
                            (long long)i, name, (long long)wide[i], (long long)(n - 1));
        }
        (*narrow)[i] = (int32_t)wide[i];
    }
    return DLVIZ_OK;
}

static dlviz_status require_values(const char *who, const char *name, const dlviz_tensor *tensor) {
    const float *values = tensor->data;
    for (int64_t i = 0; i < tensor->size; i++)
        if (!(values[i] >= 0 && values[i] <= 1e18f))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: entry %lld of '%s' is %g; 0 to 1e18 is accepted", who,
                            (long long)i, name, (double)values[i]);
    return DLVIZ_OK;
}

static dlviz_status square_all(const int32_t *indices, const dlviz_tensor *distances,
                               float **squares) {
    int64_t n = distances->dims[0], k = distances->dims[1];
    for (int64_t i = 0; i < n * k; i++)
        if (indices[i] == i / k)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "dlviz_tsne_fit_neighbors: row %lld of 'indices' names the point "
                            "itself",
                            (long long)(i / k));
    *squares = dlz_alloc_array((uint64_t)(n * k), sizeof **squares);
    if (!*squares)
        return dlz_fail_memory("the distances", (uint64_t)(n * k) * sizeof **squares);
    const float *given = distances->data;
    for (int64_t row = 0; row < n; row++)
        dlz_tsne_square(given + row * k, k, *squares + row * k);
    return DLVIZ_OK;
}

/* The descent from affinities that were given, or made of what was given, since `start`; none of
 * the arguments can be at fault from here on, and the earlier fit goes. */
static dlviz_status fit_joined(dlviz_tsne *tsne, dlz_affinities *affinities, int neighbors,
                               double start, dlviz_tensor **map) {
    earlier_fit earlier = put_aside(tsne);
    dlviz_status status = start_result(tsne, affinities->n);
    if (status == DLVIZ_OK)
        status = start_map(tsne);
    status = dlz_tsne_agree(tsne->comm, status);
    tsne->result.neighbors = neighbors;
    tsne->result.seconds[1] = dlz_tsne_clock() - start;
    return end_fit(tsne, status, &earlier, affinities, map);
}

/* The neighbors as they were given, once it is known that they can be fitted: indices, and squares
 * of the distances. */
static dlviz_status take_neighbors(const dlviz_tsne *tsne, const dlviz_tensor *indices,
                                   const dlviz_tensor *distances, int32_t **narrow,
                                   float **squares) {
    const char *who = "dlviz_tsne_fit_neighbors";
    DLZ_TRY(require_tensor(who, "indices", indices, DLVIZ_INT64, 2));
    DLZ_TRY(require_tensor(who, "distances", distances, DLVIZ_FLOAT32, 2));
    int64_t n = indices->dims[0], k = indices->dims[1];
    if (n != distances->dims[0] || k != distances->dims[1] || k < 1 || k >= n)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'indices' is %lld x %lld and 'distances' %lld x %lld; both must be "
                        "n x k with 1 <= k < n",
                        who, (long long)n, (long long)k, (long long)distances->dims[0],
                        (long long)distances->dims[1]);
    DLZ_TRY(require_settings(tsne, n));
    DLZ_TRY(require_values(who, "distances", distances));
    DLZ_TRY(narrow_indices(who, "indices", indices, n, narrow));
    return square_all(*narrow, distances, squares);
}

static dlviz_status fit_neighbors(dlviz_tsne *tsne, const dlviz_tensor *indices,
                                  const dlviz_tensor *distances, dlviz_status status,
                                  int32_t **narrow, float **squares, dlviz_tensor **map) {
    dlz_task task __attribute__((unused, cleanup(dlz_task_end))) = {.outer = NULL};
    if (status == DLVIZ_OK)
        status = dlz_task_begin(&task, "t-SNE");
    if (status == DLVIZ_OK)
        status = take_neighbors(tsne, indices, distances, narrow, squares);
    DLZ_TRY(dlz_tsne_enter(tsne->comm, "dlviz_tsne_fit_neighbors", status));
    DLZ_TRY(dlz_tsne_require_same(tsne, "dlviz_tsne_fit_neighbors", 2,
                                  (const char *const[]){"'indices'", "'distances'"},
                                  (const dlviz_tensor *const[]){indices, distances}));
    dlz_affinities affinities = {0};
    double start = dlz_tsne_clock();
    dlz_task_part(0, DESCENT);
    int64_t n = indices->dims[0];
    int k = (int)indices->dims[1];
    DLZ_TRY(join_neighbors(tsne, n, *narrow, *squares, k, &affinities));
    dlz_free(*narrow);
    dlz_free(*squares);
    *narrow = NULL;
    *squares = NULL;
    return fit_joined(tsne, &affinities, k, start, map);
}

dlviz_status dlviz_tsne_fit_neighbors(dlviz_tsne *tsne, const dlviz_tensor *indices,
                                      const dlviz_tensor *distances, dlviz_tensor **map) {
    dlviz_status status = DLZ_OUT_STATUS(map);
    DLZ_REQUIRE(tsne);
    DLZ_HOLD_TOGETHER(&tsne->busy, "t-SNE handle", DLZ_ALONE, tsne->comm);
    int32_t *narrow = NULL;
    float *squares = NULL;
    status = fit_neighbors(tsne, indices, distances, status, &narrow, &squares, map);
    dlz_free(narrow);
    dlz_free(squares);
    return status;
}

static dlviz_status require_offsets(const char *who, const dlviz_tensor *offsets, int64_t entries) {
    const int64_t *values = offsets->data;
    int64_t n = offsets->size - 1;
    if (n < 2)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'offsets' has %lld entries; n + 1 with n >= 2 are "
                        "needed",
                        who, (long long)offsets->size);
    for (int64_t i = 0; i < n; i++)
        if (values[i] > values[i + 1] || values[0] != 0)
            return dlz_fail(
                DLVIZ_ERROR_INVALID_ARGUMENT,
                "%s: 'offsets' must start with 0 and not fall; entries %lld and %lld are "
                "%lld and %lld",
                who, (long long)i, (long long)i + 1, (long long)values[i],
                (long long)values[i + 1]);
    if (values[n] != entries)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'offsets' ends with %lld, but there are %lld entries", who,
                        (long long)values[n], (long long)entries);
    return DLVIZ_OK;
}

static dlviz_status take_affinities(const dlviz_tsne *tsne, const dlviz_tensor *offsets,
                                    const dlviz_tensor *columns, const dlviz_tensor *values,
                                    int32_t **narrow) {
    const char *who = "dlviz_tsne_fit_affinities";
    DLZ_TRY(require_tensor(who, "offsets", offsets, DLVIZ_INT64, 1));
    DLZ_TRY(require_tensor(who, "columns", columns, DLVIZ_INT64, 1));
    DLZ_TRY(require_tensor(who, "values", values, DLVIZ_FLOAT32, 1));
    if (columns->size != values->size)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: %lld 'columns' and %lld 'values'; one an entry each", who,
                        (long long)columns->size, (long long)values->size);
    DLZ_TRY(require_offsets(who, offsets, columns->size));
    int64_t n = offsets->size - 1;
    DLZ_TRY(require_settings(tsne, n));
    DLZ_TRY(require_values(who, "values", values));
    return narrow_indices(who, "columns", columns, n, narrow);
}

static dlviz_status fit_affinities(dlviz_tsne *tsne, const dlviz_tensor *offsets,
                                   const dlviz_tensor *columns, const dlviz_tensor *values,
                                   dlviz_status status, int32_t **narrow, dlviz_tensor **map) {
    dlz_task task __attribute__((unused, cleanup(dlz_task_end))) = {.outer = NULL};
    if (status == DLVIZ_OK)
        status = dlz_task_begin(&task, "t-SNE");
    if (status == DLVIZ_OK)
        status = take_affinities(tsne, offsets, columns, values, narrow);
    DLZ_TRY(dlz_tsne_enter(tsne->comm, "dlviz_tsne_fit_affinities", status));
    DLZ_TRY(dlz_tsne_require_same(tsne, "dlviz_tsne_fit_affinities", 3,
                                  (const char *const[]){"'offsets'", "'columns'", "'values'"},
                                  (const dlviz_tensor *const[]){offsets, columns, values}));
    dlz_affinities affinities = {0};
    double start = dlz_tsne_clock();
    dlz_task_part(0, DESCENT);
    DLZ_TRY(dlz_affinities_symmetric(tsne->comm, &affinities, offsets->size - 1, offsets->data, 0,
                                     *narrow, values->data));
    dlz_free(*narrow);
    *narrow = NULL;
    return fit_joined(tsne, &affinities, 0, start, map);
}

dlviz_status dlviz_tsne_fit_affinities(dlviz_tsne *tsne, const dlviz_tensor *offsets,
                                       const dlviz_tensor *columns, const dlviz_tensor *values,
                                       dlviz_tensor **map) {
    dlviz_status status = DLZ_OUT_STATUS(map);
    DLZ_REQUIRE(tsne);
    DLZ_HOLD_TOGETHER(&tsne->busy, "t-SNE handle", DLZ_ALONE, tsne->comm);
    int32_t *narrow = NULL;
    status = fit_affinities(tsne, offsets, columns, values, status, &narrow, map);
    dlz_free(narrow);
    return status;
}
