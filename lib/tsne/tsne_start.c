/* What comes before the descent: the points as the search wants them, and where they start. */
#include "base/base.h"
#include "base/random.h"
#include "neighbors/distances.h"
#include "base/sort.h"
#include "pca/pca.h"
#include "tsne/tsne_internal.h"
#include "tensor/tensor.h"

#include <float.h>
#include <math.h>
#include <string.h>
#include <time.h>

#define START_DEVIATION 1e-4
#define LARGEST_EXPONENT 40 /* of the points' values: far from squares that overflow */
#define LEAST_DEVIATION 1e-10
#define WIDE 4          /* root of the number of points: a deviation that no map needs */
#define PARTED 0.01     /* of the map's deviation */
#define MOST_PARTED 0.1 /* map units: within a point's own reach */
#define FLAT 1e-4       /* of the largest deviation, below which a dimension has no extent */
#define PART_STREAM (DLZ_STREAM_EMBED + (1 << 8))

double dlz_tsne_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static float largest_of(const float *values, int64_t count) {
    float largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(values[i]));
    return largest;
}

float dlz_tsne_find_scale(const float *values, int64_t count) {
    float largest = largest_of(values, count);
    return largest > 0 ? ldexpf(1, (int)fmin(LARGEST_EXPONENT - ilogbf(largest), 127)) : 1;
}

static dlviz_status scale_to_unit_length(const char *who, int64_t n, int64_t d, float *points) {
    for (int64_t row = 0; row < n; row++) {
        double norm = 0;
        for (int64_t i = row * d; i < (row + 1) * d; i++)
            norm += (double)points[i] * points[i];
        if (!(norm > 0))
            return dlz_fail(
                DLVIZ_ERROR_NUMERIC,
                "%s: row %lld of 'points' is all zeros and has no direction; the cosine "
                "distance needs one",
                who, (long long)row);
        norm = sqrt(norm);
        for (int64_t i = row * d; i < (row + 1) * d; i++)
            points[i] = (float)(points[i] / norm);
    }
    return DLVIZ_OK;
}

dlviz_status dlz_tsne_copy_points(const char *who, const dlviz_tensor *points,
                                  dlviz_tsne_distance_kind distance, float *scale, float **copy) {
    *copy = NULL;
    DLZ_TRY(dlz_require_matrix(who, "points", points));
    int64_t n = points->dims[0], d = points->dims[1];
    DLZ_TRY(dlz_require_distances(who, "points", points));
    float *to = dlz_alloc_array((uint64_t)(n * d), sizeof *to);
    if (!to)
        return dlz_fail_memory("a copy of the points", (uint64_t)(n * d) * sizeof *to);
    const float *from = points->data;
    if (distance == DLVIZ_TSNE_DISTANCE_COSINE) {
        *scale = 1;
        memcpy(to, from, (size_t)(n * d) * sizeof *to);
        dlviz_status status = scale_to_unit_length(who, n, d, to);
        if (status != DLVIZ_OK) {
            dlz_free(to);
            return status;
        }
    } else {
        if (*scale == 0)
            *scale = dlz_tsne_find_scale(from, n * d);
        for (int64_t i = 0; i < n * d; i++)
            to[i] = from[i] * *scale;
    }
    *copy = to;
    return DLVIZ_OK;
}

void dlz_tsne_square(const float *distances, int64_t count, float *squares) {
    double scale = (double)dlz_tsne_find_scale(distances, count);
    for (int64_t i = 0; i < count; i++)
        squares[i] = (float)(scale * distances[i] * (scale * distances[i]));
}

void dlz_tsne_affinity_distances(dlviz_tsne_distance_kind distance, int64_t n, int64_t k,
                                 float *squared_distances) {
    /* Unit vectors: |a - b|^2 = 2 (1 - cos), and the factor does not matter. */
    for (int64_t i = 0; distance == DLVIZ_TSNE_DISTANCE_COSINE && i < n; i++)
        dlz_tsne_square(squared_distances + i * k, k, squared_distances + i * k);
}

void dlz_tsne_start_random(int64_t n, int dimensions, uint64_t seed, float *map) {
    dlz_random random = dlz_random_start(seed, DLZ_STREAM_EMBED);
    for (int64_t i = 0; i < n * dimensions; i++)
        map[i] = (float)(START_DEVIATION * dlz_random_normal(&random));
}

/* Scales the columns alike so that the first has the wanted deviation around its mean; a map
 * without any extent, which would have no gradient, becomes random. */
static void scale_start(int64_t n, int dimensions, uint64_t seed, float *map) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += map[i * dimensions];
        squares += (double)map[i * dimensions] * map[i * dimensions];
    }
    double mean = sum / (double)n, variance = squares / (double)n - mean * mean;
    if (!(variance > 0)) {
        dlz_tsne_start_random(n, dimensions, seed, map);
        return;
    }
    double scale = START_DEVIATION / sqrt(variance);
    for (int64_t i = 0; i < n * dimensions; i++)
        map[i] = (float)(map[i] * scale);
}

/* Principal components in the map's first columns; columns the points have no components for are
 * filled with random numbers, small beside the others. */
static dlviz_status project(dlviz_pca *pca, const dlviz_tensor *points, int dimensions,
                            uint64_t seed, float *map) {
    dlviz_tensor *projected;
    DLZ_TRY(dlz_pca_project_any_size(pca, points, 1, &projected));
    int64_t n = points->dims[0], kept = projected->dims[1];
    const float *values = projected->data;
    float largest = 0;
    for (int64_t i = 0; i < n * kept; i++)
        largest = fmaxf(largest, fabsf(values[i]));
    dlz_random random = dlz_random_start(seed, DLZ_STREAM_EMBED);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < dimensions; c++)
            map[i * dimensions + c] = c < kept
                                          ? values[i * kept + c]
                                          : (float)(0.01 * largest * dlz_random_normal(&random));
    dlviz_tensor_destroy(projected);
    return DLVIZ_OK;
}

dlviz_status dlz_tsne_start_pca(float *points, int64_t n, int64_t d, int dimensions, uint64_t seed,
                                float *map) {
    if (n < 2) {
        dlz_tsne_start_random(n, dimensions, seed, map);
        return DLVIZ_OK;
    }
    dlviz_tensor *matrix = NULL;
    dlviz_pca *pca = NULL;
    DLZ_TRY(dlviz_tensor_wrap(&matrix, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}, points, NULL, NULL));
    dlviz_status status = dlviz_pca_create(&pca, dlz_min_i64(dimensions, dlz_min_i64(n, d)));
    if (status == DLVIZ_OK)
        status = dlviz_pca_set_seed(pca, seed);
    if (status == DLVIZ_OK)
        status = project(pca, matrix, dimensions, seed, map);
    if (status == DLVIZ_OK)
        scale_start(n, dimensions, seed, map);
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(matrix);
    return status;
}

/* Coordinates' deviations from their means; returns the largest. */
static double find_deviations(int64_t n, int dimensions, const float *map, double deviations[3]) {
    double largest = 0;
    for (int c = 0; c < dimensions; c++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < n; i++)
            sum += map[i * dimensions + c];
        for (int64_t i = 0; i < n; i++) {
            double difference = map[i * dimensions + c] - sum / (double)n;
            squares += difference * difference;
        }
        deviations[c] = sqrt(squares / (double)n);
        largest = fmax(largest, deviations[c]);
    }
    return largest;
}

/* A number that equal places share, and of 2^64 others one. */
static uint64_t place_hash(const float *place, int dimensions) {
    uint64_t hash = 0;
    for (int c = 0; c < dimensions; c++) {
        float coordinate = place[c] + 0.0f; /* -0 is 0 */
        uint32_t bits;
        memcpy(&bits, &coordinate, sizeof bits);
        hash = (hash ^ bits) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    return hash;
}

static bool contains(const uint64_t *sorted, int64_t count, uint64_t wanted) {
    int64_t first = 0;
    while (count > 0) {
        int64_t half = count / 2;
        if (sorted[first + half] < wanted) {
            first += half + 1;
            count -= half + 1;
        } else
            count = half;
    }
    return sorted[first] == wanted;
}

/* Moves the points that are not alone at their place. */
static void part_equal(int64_t n, int dimensions, uint64_t seed, double by, uint64_t *hashes,
                       float *map) {
    for (int64_t i = 0; i < n; i++)
        hashes[i] = place_hash(map + i * dimensions, dimensions);
    dlz_sort_u64(hashes, n);
    int64_t count = 0; /* of those that come several times, which move to the front */
    for (int64_t i = 1; i < n; i++)
        if (hashes[i] == hashes[i - 1] && (count == 0 || hashes[count - 1] != hashes[i]))
            hashes[count++] = hashes[i];
    dlz_random random = dlz_random_start(seed, PART_STREAM);
    for (int64_t i = 0; i < n && count > 0; i++) {
        float *place = map + i * dimensions;
        if (contains(hashes, count, place_hash(place, dimensions)))
            for (int c = 0; c < dimensions; c++)
                place[c] += (float)(by * dlz_random_normal(&random));
    }
}

dlviz_status dlz_tsne_part(int64_t n, int dimensions, uint64_t seed, float *map) {
    double deviations[3], largest = find_deviations(n, dimensions, map, deviations);
    if (!(largest > 0)) {
        dlz_tsne_start_random(n, dimensions, seed, map);
        return DLVIZ_OK;
    }
    if (largest < LEAST_DEVIATION) {
        for (int64_t i = 0; i < n * dimensions; i++)
            map[i] = (float)(map[i] * (START_DEVIATION / largest));
        largest = find_deviations(n, dimensions, map, deviations);
    }
    if (largest > WIDE * sqrt((double)n))
        dlz_log(
            DLVIZ_LOG_LEVEL_WARNING,
            "t-SNE: the start's deviation is %g; points so far apart hardly attract each other. "
            "Maps are best begun from %g",
            largest, START_DEVIATION);
    /* Less than the coordinates' last places would move nothing. */
    double by = fmin(PARTED * largest, MOST_PARTED);
    by = fmax(by, 4 * (double)FLT_EPSILON * (double)largest_of(map, n * dimensions));
    bool is_flat = false;
    dlz_random random = dlz_random_start(seed, PART_STREAM);
    for (int c = 0; c < dimensions; c++) {
        if (!(deviations[c] < FLAT * largest))
            continue;
        is_flat = true;
        for (int64_t i = 0; i < n; i++)
            map[i * dimensions + c] += (float)(by * dlz_random_normal(&random));
    }
    if (is_flat)
        return DLVIZ_OK;
    uint64_t *hashes = dlz_alloc_array((uint64_t)n, sizeof *hashes);
    if (!hashes)
        return dlz_fail_memory("the start", (uint64_t)n * sizeof *hashes);
    part_equal(n, dimensions, seed, by, hashes, map);
    dlz_free(hashes);
    return DLVIZ_OK;
}
