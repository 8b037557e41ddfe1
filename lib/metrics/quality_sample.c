/* Some of the points, where to measure all would take long. */
#include "base/base.h"
#include "base/random.h"
#include "comm/comm.h"
#include "metrics/quality.h"
#include "neighbors/neighbors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define STREAM (DLZ_STREAM_EMBED + (3 << 8))

/* Each point in order, with the probability that the rest of the sample leaves it: D. Knuth, The
 * Art of Computer Programming 2, algorithm S. */
static void choose(int64_t n, uint64_t seed, dlz_sample *sample) {
    dlz_random random = dlz_random_start(seed, STREAM);
    int64_t chosen = 0;
    for (int64_t i = 0; chosen < sample->count; i++)
        if ((int64_t)dlz_random_below(&random, (uint64_t)(n - i)) < sample->count - chosen)
            sample->points[chosen++] = (int32_t)i;
}

dlviz_status dlz_sample_draw(const char *who, int64_t n, int64_t num_samples, uint64_t seed,
                             dlz_sample *sample) {
    *sample = (dlz_sample){.count = dlz_min_i64(num_samples, n)};
    if (num_samples < 1)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'num_samples' is %lld; 1 or more are accepted", who,
                        (long long)num_samples);
    if (num_samples >= n)
        return DLVIZ_OK;
    sample->points = dlz_alloc_array((uint64_t)sample->count, sizeof *sample->points);
    if (!sample->points)
        return dlz_fail_memory("a sample of the points",
                               (uint64_t)sample->count * sizeof *sample->points);
    choose(n, seed, sample);
    return DLVIZ_OK;
}

dlviz_status dlz_require_same_samples(dlviz_comm *comm, const char *who, int64_t num_neighbors,
                                      int64_t num_samples, uint64_t seed) {
    char text[96];
    snprintf(text, sizeof text, "%lld neighbors, %lld samples, seed %llu", (long long)num_neighbors,
             (long long)num_samples, (unsigned long long)seed);
    return dlz_comm_require_same(comm, who, "what is asked for", text);
}

void dlz_sample_free(dlz_sample *sample) {
    dlz_free(sample->points);
}

double dlz_sample_mean(const dlz_sample *sample, int64_t n, const double *values, double unit,
                       double *standard_error) {
    double m = (double)sample->count, sum = 0, squares = 0;
    for (int64_t i = 0; i < sample->count; i++)
        sum += values[i];
    double mean = sum / m;
    if (standard_error) {
        for (int64_t i = 0; i < sample->count; i++)
            squares += (values[i] - mean) * (values[i] - mean);
        *standard_error =
            sample->points ? sqrt(squares / (m - 1) / m * (1 - m / (double)n)) / unit : 0;
    }
    return sum / (m * unit);
}

/* Room for a search. */
typedef struct found {
    float *queries, *distances;
    int32_t *nearest; /* count x (k + 1): the point itself is among them, or has k + 1 equal ones */
} found;

static dlviz_status search(dlviz_comm *comm, const dlviz_tensor *points, const dlz_sample *sample,
                           int64_t k, const found *room, int32_t *indices) {
    int64_t n = points->dims[0], d = points->dims[1];
    const float *values = points->data;
    for (int64_t i = 0; i < sample->count; i++)
        memcpy(room->queries + i * d, values + sample->points[i] * d, (size_t)d * sizeof *values);
    DLZ_TRY(dlz_knn_query(comm, values, n, room->queries, sample->count, d, (int)k + 1,
                          room->nearest, room->distances));
    for (int64_t i = 0; i < sample->count; i++) {
        const int32_t *from = room->nearest + i * (k + 1);
        for (int64_t j = 0, to = 0; to < k; j++)
            if (from[j] != sample->points[i])
                indices[i * k + to++] = from[j];
    }
    return DLVIZ_OK;
}

static dlviz_status find_some(dlviz_comm *comm, const dlviz_tensor *points,
                              const dlz_sample *sample, int64_t k, int32_t *indices) {
    uint64_t count = (uint64_t)sample->count, wide = count * ((uint64_t)k + 1);
    found room = {
        .queries = dlz_alloc_array(count, (uint64_t)points->dims[1] * sizeof(float)),
        .distances = dlz_alloc_array(wide, sizeof(float)),
        .nearest = dlz_alloc_array(wide, sizeof(int32_t)),
    };
    dlviz_status status = room.queries && room.distances && room.nearest
                              ? DLVIZ_OK
                              : dlz_fail_memory("neighbors", wide * 2 * sizeof(float));
    status = dlz_comm_agree(comm, status);
    if (status == DLVIZ_OK)
        status = search(comm, points, sample, k, &room, indices);
    dlz_free(room.queries);
    dlz_free(room.distances);
    dlz_free(room.nearest);
    return status;
}

static dlviz_status find_all(dlviz_comm *comm, const dlviz_tensor *points, int64_t k,
                             int32_t *indices) {
    uint64_t count = (uint64_t)points->dims[0] * (uint64_t)k;
    float *distances = dlz_alloc_array(count, sizeof *distances);
    dlviz_status status =
        distances ? DLVIZ_OK : dlz_fail_memory("neighbors", count * sizeof *distances);
    status = dlz_comm_agree(comm, status);
    if (status == DLVIZ_OK)
        status = dlz_knn_exact(comm, points->data, points->dims[0], points->dims[1], (int)k,
                               indices, distances);
    dlz_free(distances);
    return status;
}

dlviz_status dlz_sample_neighbors(dlviz_comm *comm, const dlviz_tensor *points,
                                  const dlz_sample *sample, int64_t k, int32_t **indices) {
    uint64_t count = (uint64_t)sample->count * (uint64_t)k;
    *indices = dlz_alloc_array(count, sizeof **indices);
    dlviz_status status =
        *indices ? DLVIZ_OK : dlz_fail_memory("neighbors", count * sizeof **indices);
    status = dlz_comm_agree(comm, status);
    if (status == DLVIZ_OK)
        status = sample->points ? find_some(comm, points, sample, k, *indices)
                                : find_all(comm, points, k, *indices);
    if (status != DLVIZ_OK) {
        dlz_free(*indices);
        *indices = NULL;
    }
    return status;
}
