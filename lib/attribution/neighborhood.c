/* What holds a point of a map among its neighbors there: integrated gradients of
 *
 *     log p = log Σ(neighbors) exp(−β d²) − log Σ(others) exp(−β d²)
 *
 * with d² the squared distances of the point's features f to those a of others. Its gradient with
 * respect to f is 2β (mean of the neighbors' a − mean of all a), each counted by its share in its sum. */
#include "attribution/attribution.h"
#include "attribution/way.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "tensor/tensor.h"

#include <math.h>

/* e to the minus this adds nothing to a sum of 1. */
#define NO_SHARE 40
/* By eights over all that squares of floats differ by, and by halves to the last bit. */
#define ROUNDS 200

typedef struct neighborhood {
    const char *who;
    dlviz_network *network;
    const dlviz_dataset *dataset;
    const dlviz_tensor *map;
    int64_t n, num_points, num_neighbors, size; /* size: numbers of a sample's features */
    const int64_t *points;
    int workers;
    const float *features; /* n x size */
    double *beta;          /* of each point */
    int64_t *neighbors;    /* num_points x num_neighbors */
    double *room;          /* workers x (n distances, and size sums) */
    float *rows;           /* DLZ_EVALUATION_BATCH x size: features on the way, then gradients */
    const int64_t *samples;
} neighborhood;

static double squared_distance(const float *a, const float *b, int64_t size) {
    double sum = 0;
    for (int64_t k = 0; k < size; k++) {
        double d = (double)a[k] - (double)b[k];
        sum += d * d;
    }
    return sum;
}

static double *room_of(const neighborhood *h, int worker) {
    return h->room + worker * (h->n + h->size);
}

/* -- Once for each point --------------------------------------------------------------------------
 */

/* The nearest points in the map, nearest first, the first of equally near ones. */
static void find_neighbors(const neighborhood *h, int64_t at, double *distances) {
    int64_t own = h->points[at], columns = h->map->dims[1],
            *found = h->neighbors + at * h->num_neighbors;
    const float *map = h->map->data;
    for (int64_t j = 0; j < h->n; j++)
        distances[j] = squared_distance(map + own * columns, map + j * columns, columns);
    distances[own] = INFINITY;
    for (int64_t k = 0; k < h->num_neighbors; k++) {
        int64_t nearest = own == 0;
        for (int64_t j = 0; j < h->n; j++)
            nearest = distances[j] < distances[nearest] ? j : nearest;
        found[k] = nearest;
        distances[nearest] = INFINITY;
    }
}

/* How many points count, as a logarithm: the entropy of their shares. */
static double entropy(const double *distances, int64_t n, double lowest, double beta) {
    double sum = 0, weighted = 0;
    for (int64_t j = 0; j < n; j++) {
        double d = distances[j] - lowest;
        double share = isinf(d) ? 0 : exp(-beta * d);
        sum += share;
        weighted += share > 0 ? share * d : 0;
    }
    /* cppcheck-suppress invalidFunctionArg ; the nearest one's share is 1 */
    return log(sum) + beta * weighted / sum;
}

/* By halves, between 0, where all count, and where one does. */
static double find_beta(const neighborhood *h, int64_t at, double *distances) {
    int64_t own = h->points[at];
    double lowest = INFINITY, highest = 0, next = INFINITY, mean = 0;
    double wanted = log(2.0 * (double)h->num_neighbors);
    for (int64_t j = 0; j < h->n; j++) {
        distances[j] = j == own ? INFINITY
                                : squared_distance(h->features + own * h->size,
                                                   h->features + j * h->size, h->size);
        lowest = fmin(lowest, distances[j]);
        highest = j == own ? highest : fmax(highest, distances[j]);
        mean += j == own ? 0 : distances[j] / (double)(h->n - 1);
    }
    if (!(highest > lowest)) /* all are equally far: none holds it more than the others */
        return 0;
    for (int64_t j = 0; j < h->n; j++)
        next = distances[j] > lowest ? fmin(next, distances[j]) : next;
    double low = 0, high = INFINITY,
           beta = 1 / fmax(mean - lowest, (highest - lowest) / (double)h->n);
    for (int round = 0; round < ROUNDS; round++) {
        bool many = entropy(distances, h->n, lowest, beta) > wanted;
        if (many && beta * (next - lowest) > NO_SHARE) /* so many are nearest, and at any beta */
            break;
        *(many ? &low : &high) = beta;
        beta = isinf(high) ? 8 * beta : (low + high) / 2;
    }
    return isfinite(beta) ? beta : low;
}

static void point_tile(void *context, int64_t at, int worker) {
    const neighborhood *h = context;
    find_neighbors(h, at, room_of(h, worker));
    h->beta[at] = find_beta(h, at, room_of(h, worker));
}

/* -- On the way -------------------------------------------------------------------------------------
 */

/* Adds factor · the mean of the features of `count` points, by their shares: those listed, or all but
 * `own` where `list` is NULL. */
static void add_mean(const neighborhood *h, const double *distances, int64_t own, double beta,
                     int64_t count, const int64_t *list, double factor, double *to) {
    double lowest = INFINITY, sum = 0;
    for (int64_t k = 0; k < count; k++)
        if (list || k != own)
            lowest = fmin(lowest, distances[list ? list[k] : k]);
    for (int pass = 0; pass < 2; pass++)
        for (int64_t k = 0; k < count; k++) {
            int64_t j = list ? list[k] : k;
            double share = j == own ? 0 : exp(-beta * (distances[j] - lowest));
            if (pass == 0)
                sum += share;
            for (int64_t i = 0; pass == 1 && share > 0 && i < h->size; i++)
                to[i] += factor * share / sum * (double)h->features[j * h->size + i];
        }
}

static void gradient_tile(void *context, int64_t row, int worker) {
    const neighborhood *h = context;
    int64_t at = h->samples[row], own = h->points[at];
    float *features = h->rows + row * h->size;
    double *distances = room_of(h, worker), *sums = distances + h->n, beta = h->beta[at];
    for (int64_t j = 0; j < h->n; j++)
        distances[j] = squared_distance(features, h->features + j * h->size, h->size);
    for (int64_t i = 0; i < h->size; i++)
        sums[i] = 0;
    add_mean(h, distances, own, beta, h->num_neighbors, h->neighbors + at * h->num_neighbors,
             2 * beta, sums);
    add_mean(h, distances, own, beta, h->n, NULL, -2 * beta, sums);
    for (int64_t i = 0; i < h->size; i++)
        features[i] = (float)sums[i];
}

static void aim(void *context, dlz_plan *plan, const int64_t *samples) {
    neighborhood *h = context;
    h->samples = samples;
    dlz_read_output(plan, h->rows);
    dlz_parallel_for(dlz_plan_run(plan)->n, h->workers, gradient_tile, h);
    dlz_write_output_gradient(plan, h->rows);
}

/* -- All together -----------------------------------------------------------------------------------
 */

static dlviz_status check(const neighborhood *h) {
    if (!h->map)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'map' is NULL", h->who);
    DLZ_TRY(dlz_require_matrix(h->who, "map", h->map));
    if (h->map->dims[0] != h->n)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'map' has %lld rows for %lld samples", h->who,
                        (long long)h->map->dims[0], (long long)h->n);
    DLZ_TRY(dlz_attribution_check(h->who, "row", h->map));
    if (h->num_neighbors < 1 || h->num_neighbors > h->n / 2 - 1)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld neighbors among %lld points; 1 to half of the points, less one, "
                        "are accepted",
                        h->who, (long long)h->num_neighbors, (long long)h->n);
    if (h->num_points < 1 || !h->points)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'points' is %s; 1 or more are needed",
                        h->who, h->points ? "empty" : "NULL");
    for (int64_t i = 0; i < h->num_points; i++)
        if (h->points[i] < 0 || h->points[i] >= h->n)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: point %lld is %lld; the map has 0 to %lld", h->who, (long long)i,
                            (long long)h->points[i], (long long)h->n - 1);
    return DLVIZ_OK;
}

static dlviz_status share_out(neighborhood *h, dlz_way *way, float *maps) {
    uint64_t points = (uint64_t)h->num_points;
    double *totals = dlz_alloc_array(points, sizeof *totals);
    h->workers = dlz_threads();
    h->beta = dlz_alloc_array(points, sizeof *h->beta);
    h->neighbors = dlz_alloc_array(points, (uint64_t)h->num_neighbors * sizeof *h->neighbors);
    h->room = dlz_alloc_array((uint64_t)h->workers, (uint64_t)(h->n + h->size) * sizeof *h->room);
    h->rows = dlz_alloc_array(DLZ_EVALUATION_BATCH, (uint64_t)h->size * sizeof *h->rows);
    dlviz_status status = DLVIZ_OK;
    if (!totals || !h->beta || !h->neighbors || !h->room || !h->rows)
        status = dlz_fail_memory("neighborhoods", (uint64_t)(h->n + h->size) * sizeof *h->room);
    if (status == DLVIZ_OK) {
        dlz_task_part(0.2, 0.4);
        status = dlz_parallel_for_task(h->num_points, h->workers, point_tile, h);
        way->aim = aim;
        way->context = h;
        dlz_task_part(0.4, 1);
    }
    if (status == DLVIZ_OK)
        status = dlz_share_out(way, maps, totals);
    dlz_free(totals);
    dlz_free(h->beta);
    dlz_free(h->neighbors);
    dlz_free(h->room);
    dlz_free(h->rows);
    return status;
}

/* `inputs`: the points' samples. */
static dlviz_status with_inputs(neighborhood *h, int node, const dlviz_tensor *inputs,
                                const dlviz_tensor *baselines, int64_t num_steps,
                                dlviz_tensor **maps) {
    dlviz_tensor *taken, *result;
    DLZ_TRY(dlz_take_baselines(h->who, inputs, baselines, &taken));
    dlviz_status status = dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, inputs->ndim, inputs->dims);
    if (status == DLVIZ_OK) {
        dlz_way way = {.network = h->network,
                       .node = node,
                       .inputs = inputs,
                       .baselines = taken,
                       .steps = num_steps};
        status = share_out(h, &way, result->data);
        if (status == DLVIZ_OK)
            status = dlz_attribution_check(h->who, "the map of point", result);
        if (status == DLVIZ_OK)
            *maps = result;
        else
            dlviz_tensor_destroy(result);
    }
    dlviz_tensor_destroy(taken);
    return status;
}

static dlviz_status load_points(const neighborhood *h, dlviz_tensor **inputs) {
    const dlz_shape *in = &h->network->graph.in;
    int64_t dims[4] = {h->num_points, in->dims[0], in->dims[1], in->dims[2]};
    DLZ_TRY(dlz_tensor_create_raw(inputs, DLVIZ_FLOAT32, in->ndim + 1, dims));
    dlviz_status status =
        dlz_dataset_load_parallel(h->dataset, h->points, h->num_points, (*inputs)->data);
    if (status != DLVIZ_OK)
        dlviz_tensor_destroy(*inputs);
    return status;
}

static dlviz_status with_features(neighborhood *h, int node, const dlviz_tensor *features,
                                  const dlviz_tensor *baselines, int64_t num_steps,
                                  dlviz_tensor **maps) {
    dlviz_tensor *inputs;
    h->features = features->data;
    h->size = features->dims[1];
    DLZ_TRY(dlz_dataset_check_finite(h->dataset, h->who, NULL, h->n));
    DLZ_TRY(dlz_attribution_check(h->who, "the features of sample", features));
    DLZ_TRY(load_points(h, &inputs));
    dlviz_status status = with_inputs(h, node, inputs, baselines, num_steps, maps);
    dlviz_tensor_destroy(inputs);
    return status;
}

dlviz_status dlviz_network_neighborhood(dlviz_network *network, const char *layer,
                                        const dlviz_dataset *dataset, const dlviz_tensor *map,
                                        int64_t num_points, const int64_t *points,
                                        const dlviz_tensor *baselines, int64_t num_neighbors,
                                        int64_t num_steps, dlviz_tensor **maps) {
    DLZ_REQUIRE_OUT(maps);
    DLZ_USE_STATES(__func__, network);
    DLZ_TASK("neighborhood");
    int node;
    DLZ_TRY(dlz_network_find_layer(network, __func__, layer, &node));
    if (node == DLZ_GRAPH_INPUT)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the layer is '" DLZ_GRAPH_INPUT_NAME
                        "'; the name of a layer is accepted",
                        __func__);
    DLZ_TRY(dlz_network_check_samples(network, __func__, dataset));
    neighborhood h = {.who = __func__,
                      .network = network,
                      .dataset = dataset,
                      .map = map,
                      .n = dlviz_dataset_num_samples(dataset),
                      .num_points = num_points,
                      .num_neighbors = num_neighbors,
                      .points = points};
    DLZ_TRY(check(&h));
    DLZ_TRY(dlz_check_steps(__func__, num_steps));
    dlviz_tensor *features;
    dlz_task_part(0, 0.2);
    DLZ_TRY(dlz_network_features(network, __func__, layer, dataset, &features));
    dlviz_status status = with_features(&h, node, features, baselines, num_steps, maps);
    dlviz_tensor_destroy(features);
    return status;
}
