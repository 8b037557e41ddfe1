#include "neighbors/neighbors_clusters.h"
#include "base/base.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/sort.h"
#include "comm/comm.h"
#include "comm/tiles.h"
#include "kernels/embed/knn.h"

#include <math.h>
#include <string.h>

#define POINTS_A_CLUSTER 600
#define MOST_CLUSTERS 1024
#define SAMPLE_A_CLUSTER 48
#define ROUNDS 6
#define QUERIES 256    /* that the number of clusters to look at is found by */
#define FEW_QUERIES 32 /* where all are looked at anyway */
#define RECALL 0.99
#define WORTH_SHARING 1e8           /* multiplications: a millisecond or so */
#define MOST_POINTS (INT32_MAX / 2) /* so that places, filled up to panels, have numbers */

typedef struct builder {
    dlviz_comm *comm;
    const float *points;
    int64_t n, d, sampled;
    dlz_knn_clusters clusters;
    float *sample, *centers, *distances;
    int32_t *owner; /* n: the cluster of each point */
    double *sums;
    int64_t *sizes;
} builder;

static void release(builder *b) {
    dlz_free(b->sample);
    dlz_free(b->centers);
    dlz_free(b->distances);
    dlz_free(b->owner);
    dlz_free(b->sums);
    dlz_free(b->sizes);
    dlz_free(b->clusters.first_panel);
    dlz_free(b->clusters.points);
    dlz_free(b->clusters.nearest);
    dlz_free(b->clusters.visits);
    dlz_free(b->clusters.tiles);
}

/* The nearest centers. Ranks share that where it takes longer than what they would exchange. */
static dlviz_status query_centers(builder *b, const float *queries, int64_t m, int k,
                                  int32_t *indices, float *distances) {
    bool shared = (double)(m * b->clusters.count) * (double)b->d > WORTH_SHARING;
    dlviz_status status = dlz_knn_query(shared ? b->comm : NULL, b->centers, b->clusters.count,
                                        queries, m, b->d, k, indices, distances);
    return shared ? status : dlz_comm_agree(b->comm, status);
}

/* S. Lloyd's iterations on a sample. */
static dlviz_status find_centers(builder *b) {
    int64_t count = b->clusters.count, d = b->d;
    dlz_random random = dlz_random_start(0, DLZ_STREAM_EMBED);
    for (int64_t i = 0; i < b->sampled; i++) {
        int64_t point = (int64_t)dlz_random_below(&random, (uint64_t)b->n);
        memcpy(b->sample + i * d, b->points + point * d, (size_t)d * sizeof(float));
    }
    memcpy(b->centers, b->sample, (size_t)(count * d) * sizeof(float));
    for (int round = 0; round < ROUNDS; round++) {
        DLZ_TRY(query_centers(b, b->sample, b->sampled, 1, b->owner, b->distances));
        memset(b->sums, 0, (size_t)(count * d) * sizeof(double));
        memset(b->sizes, 0, (size_t)count * sizeof(int64_t));
        for (int64_t i = 0; i < b->sampled; i++) {
            b->sizes[b->owner[i]]++;
            for (int64_t c = 0; c < d; c++)
                b->sums[b->owner[i] * d + c] += b->sample[i * d + c];
        }
        for (int64_t i = 0; i < count; i++)
            for (int64_t c = 0; b->sizes[i] > 0 && c < d; c++)
                b->centers[i * d + c] = (float)(b->sums[i * d + c] / (double)b->sizes[i]);
    }
    return DLVIZ_OK;
}

static dlviz_status fill_clusters(builder *b) {
    dlz_knn_clusters *c = &b->clusters;
    memset(b->sizes, 0, (size_t)c->count * sizeof(int64_t));
    for (int64_t i = 0; i < b->n; i++)
        b->sizes[b->owner[i]]++;
    c->first_panel[0] = 0;
    for (int64_t k = 0; k < c->count; k++) {
        c->first_panel[k + 1] = c->first_panel[k] + dlz_ceil_div(b->sizes[k], DLZ_KNN_PANEL);
        c->tile_count += dlz_ceil_div(b->sizes[k], DLZ_KNN_TILE);
    }
    int64_t places = c->first_panel[c->count] * DLZ_KNN_PANEL;
    c->points = dlz_alloc_array((uint64_t)places, sizeof *c->points);
    c->tiles = dlz_alloc_array((uint64_t)c->tile_count, sizeof *c->tiles);
    if (!c->points || !c->tiles)
        return dlz_fail_memory("the clusters", (uint64_t)places * sizeof *c->points);
    for (int64_t i = 0; i < places; i++)
        c->points[i] = (int32_t)b->n;
    dlz_knn_tile *tile = c->tiles;
    for (int64_t k = 0; k < c->count; k++) {
        int64_t first = c->first_panel[k] * DLZ_KNN_PANEL;
        for (int64_t at = 0; at < b->sizes[k]; at += DLZ_KNN_TILE)
            *tile++ = (dlz_knn_tile){first + at, dlz_min_i64(DLZ_KNN_TILE, b->sizes[k] - at), k};
        b->sizes[k] = first;
    }
    for (int64_t i = 0; i < b->n; i++)
        c->points[b->sizes[b->owner[i]]++] = (int32_t)i;
    for (int64_t k = 0; k < c->count; k++)
        b->sizes[k] -= c->first_panel[k] * DLZ_KNN_PANEL;
    return DLVIZ_OK;
}

static dlviz_status place_points(builder *b) {
    DLZ_TRY(query_centers(b, b->points, b->n, 1, b->owner, b->distances));
    return dlz_comm_agree(b->comm, fill_clusters(b));
}

static dlviz_status order_clusters(builder *b) {
    dlz_knn_clusters *c = &b->clusters;
    float *distances = dlz_alloc_array((uint64_t)(c->count * c->count), sizeof *distances);
    dlviz_status status =
        distances
            ? DLVIZ_OK
            : dlz_fail_memory("the clusters", (uint64_t)(c->count * c->count) * sizeof *distances);
    status = dlz_comm_agree(b->comm, status);
    if (status == DLVIZ_OK)
        status = query_centers(b, b->centers, c->count, (int)c->count, c->nearest, distances);
    dlz_free(distances);
    return status;
}

/* How many points are looked at from a point of `from` on until those of `to` are among them. */
static int64_t points_before(const builder *b, int64_t from, int64_t to) {
    const int32_t *nearest = b->clusters.nearest + from * b->clusters.count;
    int64_t seen = 0;
    for (int64_t c = 0; c < b->clusters.count; c++) {
        seen += b->sizes[nearest[c]];
        if (nearest[c] == to)
            break;
    }
    return seen;
}

/* The median distance of the last of k + 1 found. */
static double median_reach(const float *squared_distances, int64_t m, int k) {
    float last[QUERIES];
    for (int64_t q = 0; q < m; q++) {
        int64_t at = q;
        for (; at > 0 && last[at - 1] > squared_distances[q * (k + 1) + k]; at--)
            last[at] = last[at - 1];
        last[at] = squared_distances[q * (k + 1) + k];
    }
    /* cppcheck-suppress uninitvar ; there are m of them, one or more */
    return sqrt((double)last[m / 2]);
}

/* Finds all neighbors of a few points, and from them how far neighbors are, and how many points
 * have to be looked at for this share of neighbors. */
static dlviz_status find_wanted(builder *b, int k, double recall, int64_t *wanted) {
    int64_t d = b->d, m = dlz_min_i64(recall < 1 ? QUERIES : FEW_QUERIES, b->n), count = 0;
    float *queries = dlz_alloc_array((uint64_t)m, (uint64_t)d * sizeof(float));
    float *distances = dlz_alloc_array((uint64_t)m, ((uint64_t)k + 1) * sizeof(float));
    int32_t *indices = dlz_alloc_array((uint64_t)m, ((uint64_t)k + 1) * sizeof(int32_t));
    uint64_t *needed = dlz_alloc_array((uint64_t)m, ((uint64_t)k + 1) * sizeof(uint64_t));
    int64_t chosen[QUERIES];
    dlviz_status status = DLVIZ_OK;
    if (!queries || !distances || !indices || !needed)
        status = dlz_fail_memory("a sample of the points", (uint64_t)m * (uint64_t)(k + d) * 8);
    status = dlz_comm_agree(b->comm, status);
    if (status == DLVIZ_OK) {
        dlz_random random = dlz_random_start(1, DLZ_STREAM_EMBED);
        for (int64_t q = 0; q < m; q++) {
            chosen[q] = (int64_t)dlz_random_below(&random, (uint64_t)b->n);
            memcpy(queries + q * d, b->points + chosen[q] * d, (size_t)d * sizeof(float));
        }
        status = dlz_knn_query_distinct(b->comm, b->points, b->n, queries, m, d, k + 1, indices,
                                        distances);
    }
    if (status == DLVIZ_OK) {
        for (int64_t q = 0; q < m; q++)
            for (int64_t i = q * (k + 1); i < (q + 1) * (k + 1); i++)
                if (indices[i] != chosen[q])
                    needed[count++] =
                        (uint64_t)points_before(b, b->owner[chosen[q]], b->owner[indices[i]]);
        dlz_sort_u64(needed, count);
        *wanted = recall < 1 ? (int64_t)needed[(int64_t)(recall * (double)(count - 1))] : b->n;
        b->clusters.reach = median_reach(distances, m, k);
    }
    dlz_free(queries);
    dlz_free(distances);
    dlz_free(indices);
    dlz_free(needed);
    return status;
}

static dlviz_status choose_visits(builder *b, int k, double recall) {
    dlz_knn_clusters *c = &b->clusters;
    int64_t wanted = b->n;
    DLZ_TRY(order_clusters(b));
    DLZ_TRY(find_wanted(b, k, recall, &wanted));
    wanted = dlz_max_i64(wanted, (int64_t)k + 1);
    for (int64_t cluster = 0; cluster < c->count; cluster++) {
        int64_t seen = 0, visits = 0;
        while (seen < wanted && visits < c->count)
            seen += b->sizes[c->nearest[cluster * c->count + visits++]];
        c->visits[cluster] = visits;
    }
    return DLVIZ_OK;
}

static dlviz_status reserve(builder *b) {
    dlz_knn_clusters *c = &b->clusters;
    int64_t n = b->n, d = b->d;
    c->count = dlz_max_i64(dlz_min_i64(n / POINTS_A_CLUSTER, MOST_CLUSTERS), 1);
    b->sampled = dlz_min_i64(c->count * SAMPLE_A_CLUSTER, n);
    b->sample = dlz_alloc_array((uint64_t)(b->sampled * d), sizeof(float));
    b->centers = dlz_alloc_array((uint64_t)(c->count * d), sizeof(float));
    b->sums = dlz_alloc_array((uint64_t)(c->count * d), sizeof(double));
    b->distances = dlz_alloc_array((uint64_t)n, sizeof(float));
    b->owner = dlz_alloc_array((uint64_t)n, sizeof(int32_t));
    b->sizes = dlz_alloc_array((uint64_t)c->count, sizeof(int64_t));
    c->first_panel = dlz_alloc_array((uint64_t)c->count + 1, sizeof(int64_t));
    c->nearest = dlz_alloc_array((uint64_t)(c->count * c->count), sizeof(int32_t));
    c->visits = dlz_alloc_array((uint64_t)c->count, sizeof(int64_t));
    if (!b->sample || !b->centers || !b->sums || !b->distances || !b->owner || !b->sizes ||
        !c->first_panel || !c->nearest || !c->visits)
        return dlz_fail_memory("the clusters", (uint64_t)(b->sampled * d) * sizeof(float));
    return DLVIZ_OK;
}

static dlviz_status build(builder *b, int k, double recall) {
    DLZ_TRY(dlz_comm_agree(b->comm, reserve(b)));
    DLZ_TRY(find_centers(b));
    DLZ_TRY(place_points(b));
    return choose_visits(b, k, recall);
}

static dlviz_status search_clusters(dlz_knn_job *job, double recall, int32_t *indices,
                                    float *squared_distances) {
    const dlz_equal_rows *rows = job->rows;
    dlz_task_part(0, 0.2);
    builder b = {.comm = job->comm,
                 .points = rows->starts ? rows->distinct : job->points,
                 .n = rows->count,
                 .d = job->d};
    dlviz_status status = build(&b, (int)dlz_min_i64(job->k, b.n - 1), recall);
    job->clusters = &b.clusters;
    dlz_task_part(0.2, 1);
    if (status == DLVIZ_OK)
        status = dlz_knn_in_clusters(job, indices, squared_distances);
    job->clusters = NULL;
    release(&b);
    return status;
}

static dlviz_status find(dlviz_comm *comm, const float *points, int64_t n, int64_t d, int k,
                         double recall, bool clusters, const uint64_t *tie_seed, int32_t *indices,
                         float *squared_distances) {
    if (n > MOST_POINTS)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "neighbors of %lld points; up to %d are searched for", (long long)n,
                        MOST_POINTS);
    if (k < 1 || k >= n || d < 1)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%d neighbors of %lld points in %lld dimensions; 1 to n - 1 are accepted",
                        k, (long long)n, (long long)d);
    DLZ_SHARED_TASK(comm, "neighbors");
    dlz_equal_rows rows;
    DLZ_TRY(dlz_equal_rows_find(comm, points, n, d, &rows));
    dlz_knn_job job = {
        .comm = comm, .points = points, .d = d, .k = k, .rows = &rows, .tie_seed = tie_seed};
    dlviz_status status = clusters && rows.count > 1
                              ? search_clusters(&job, recall, indices, squared_distances)
                              : dlz_knn_in_clusters(&job, indices, squared_distances);
    dlz_equal_rows_free(&rows);
    return status;
}

/* To begin with the clusters nearby soon leaves little to keep: 20 to 25 % faster. */
static bool is_large(int64_t n) {
    return n >= 4 * POINTS_A_CLUSTER;
}

static dlviz_status find_most(dlviz_comm *comm, const float *points, int64_t n, int64_t d, int k,
                              const uint64_t *tie_seed, int32_t *indices,
                              float *squared_distances) {
    double recall = n <= DLZ_KNN_EXACT_POINTS ? 1 : RECALL;
    return find(comm, points, n, d, k, recall, is_large(n), tie_seed, indices, squared_distances);
}

dlviz_status dlz_knn_exact(dlviz_comm *comm, const float *points, int64_t n, int64_t d, int k,
                           int32_t *indices, float *squared_distances) {
    return find(comm, points, n, d, k, 1, is_large(n), NULL, indices, squared_distances);
}

dlviz_status dlz_knn_approximate(dlviz_comm *comm, const float *points, int64_t n, int64_t d, int k,
                                 double recall, int32_t *indices, float *squared_distances) {
    return find(comm, points, n, d, k, recall, true, NULL, indices, squared_distances);
}

dlviz_status dlz_knn_search(dlviz_comm *comm, const float *points, int64_t n, int64_t d, int k,
                            int32_t *indices, float *squared_distances) {
    return find_most(comm, points, n, d, k, NULL, indices, squared_distances);
}

dlviz_status dlz_knn_search_drawn(dlviz_comm *comm, const float *points, int64_t n, int64_t d,
                                  int k, uint64_t seed, int32_t *indices,
                                  float *squared_distances) {
    return find_most(comm, points, n, d, k, &seed, indices, squared_distances);
}
