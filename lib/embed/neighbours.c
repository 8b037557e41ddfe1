#include "embed/neighbours_clusters.h"
#include "base/base.h"
#include "base/parallel.h"
#include "embed/sort.h"
#include "kernels/knn.h"

#include <math.h>
#include <string.h>

#define GROUPS (DLZ_KNN_TILE / DLZ_KNN_GROUP) /* share a panel while it is in the cache */
#define TILE DLZ_KNN_TILE

typedef struct search {
    const dlz_knn_kernel *kernel;
    const float *points, *queries; /* as given: final distances are taken from them */
    dlz_knn_source source;
    int64_t n, m, d, panels;
    bool exclude_self;
    int k, capacity;
    float *mean, *packed, *half_norms; /* mean: d; packed: panels x d x DLZ_KNN_PANEL */
    float largest_norm;
    float *groups;     /* a worker: GROUPS x d x DLZ_KNN_GROUP */
    uint64_t *entries; /* a worker: TILE x capacity */
    int32_t *indices;
    float *distances;
    const dlz_knn_clusters *clusters; /* NULL: all points are looked at */
    bool *overflows;                  /* a worker: a query found fewer than k */
} search;

/* The point in a place of the packed panels, n or more for none. */
static int64_t point_at(const search *s, int64_t slot) {
    return s->clusters ? s->clusters->points[slot] : slot;
}

static void pack_panel(void *context, int64_t tile, int worker) {
    search *s = context;
    (void)worker;
    float *panel = s->packed + tile * s->d * DLZ_KNN_PANEL;
    for (int64_t c = 0; c < DLZ_KNN_PANEL; c++) {
        int64_t slot = tile * DLZ_KNN_PANEL + c, point = point_at(s, slot);
        if (point >= s->n) {
            for (int64_t i = 0; i < s->d; i++)
                panel[i * DLZ_KNN_PANEL + c] = 0;
            s->half_norms[slot] = INFINITY;
            continue;
        }
        double norm = 0;
        for (int64_t i = 0; i < s->d; i++) {
            float value = s->points[point * s->d + i] - s->mean[i];
            panel[i * DLZ_KNN_PANEL + c] = value;
            norm += (double)value * value;
        }
        s->half_norms[slot] = (float)(norm / 2);
    }
}

/* Non-negative floats order as their bits do. */
static uint64_t pair(float distance, uint32_t index) {
    uint32_t bits;
    memcpy(&bits, &distance, sizeof bits);
    return (uint64_t)bits << 32 | index;
}

/* false when fewer were found than there are, because the distances overflow. */
static bool finish_query(const search *s, int64_t query, dlz_knn_buffer *buffer) {
    s->kernel->compact(buffer);
    if (buffer->count < s->k)
        return false;
    for (int32_t i = 0; i < buffer->count; i++) {
        uint32_t point = (uint32_t)point_at(s, (uint32_t)buffer->entries[i]);
        buffer->entries[i] = pair(
            s->kernel->squared_distance(s->queries + query * s->d, s->points + point * s->d, s->d),
            point);
    }
    dlz_sort_u64(buffer->entries, buffer->count);
    for (int i = 0; i < s->k; i++) {
        uint32_t bits = (uint32_t)(buffer->entries[i] >> 32);
        s->indices[query * s->k + i] = (int32_t)(uint32_t)buffer->entries[i];
        memcpy(&s->distances[query * s->k + i], &bits, sizeof bits);
    }
    return true;
}

static void scan_panels(const search *s, const float *groups, int64_t used, int64_t first,
                        int64_t last, dlz_knn_buffer *buffers) {
    for (int64_t panel = first; panel < last; panel++)
        for (int64_t g = 0; g < used; g++)
            s->kernel->scan(groups + g * DLZ_KNN_GROUP * s->d,
                            s->packed + panel * s->d * DLZ_KNN_PANEL,
                            s->half_norms + panel * DLZ_KNN_PANEL, s->d,
                            (int32_t)(panel * DLZ_KNN_PANEL), buffers + g * DLZ_KNN_GROUP);
}

static void search_tile(void *context, int64_t tile, int worker) {
    search *s = context;
    dlz_knn_buffer buffers[TILE];
    float *groups = s->groups + (int64_t)worker * GROUPS * DLZ_KNN_GROUP * s->d;
    int64_t first = tile * TILE, count = dlz_min_i64(TILE, s->m - first), cluster = 0;
    if (s->clusters) {
        const dlz_knn_tile *place = &s->clusters->tiles[tile];
        first = place->first;
        count = place->count;
        cluster = place->cluster;
    }
    for (int64_t q = 0; q < TILE; q++) {
        float *group = groups + q / DLZ_KNN_GROUP * DLZ_KNN_GROUP * s->d + q % DLZ_KNN_GROUP;
        int64_t query = q < count ? point_at(s, first + q) : 0;
        double norm = 0;
        for (int64_t i = 0; i < s->d; i++) {
            float value = q < count ? s->queries[query * s->d + i] - s->mean[i] : 0;
            group[i * DLZ_KNN_GROUP] = value;
            norm += (double)value * value;
        }
        double reach = sqrt(norm) + s->largest_norm;
        double error = (double)(s->d + 8) * 0x1p-24 * reach * reach;
        buffers[q] =
            (dlz_knn_buffer){.entries = s->entries + ((int64_t)worker * TILE + q) * s->capacity,
                             .capacity = s->capacity,
                             .keep = s->k,
                             .self = s->exclude_self ? (int32_t)(first + q) : -1,
                             .threshold = q < count ? INFINITY : -INFINITY,
                             .offset = (float)(norm / 2),
                             .error = (float)error,
                             .query = s->queries + query * s->d,
                             .source = &s->source};
    }
    int64_t used = dlz_ceil_div(count, DLZ_KNN_GROUP);
    if (!s->clusters)
        scan_panels(s, groups, used, 0, s->panels, buffers);
    else
        for (int64_t c = 0; c < s->clusters->visits[cluster]; c++) {
            int32_t near = s->clusters->nearest[cluster * s->clusters->count + c];
            scan_panels(s, groups, used, s->clusters->first_panel[near],
                        s->clusters->first_panel[near + 1], buffers);
        }
    for (int64_t q = 0; q < count; q++)
        if (!finish_query(s, point_at(s, first + q), &buffers[q]))
            s->overflows[worker] = true;
}

static void find_mean(search *s) {
    for (int64_t i = 0; i < s->d; i++) {
        double sum = 0;
        for (int64_t p = 0; p < s->n; p++)
            sum += s->points[p * s->d + i];
        s->mean[i] = (float)(sum / (double)s->n);
    }
}

static dlviz_status run(search *s, int workers) {
    s->mean = dlz_alloc_array((uint64_t)s->d, sizeof(float));
    s->packed =
        dlz_alloc_array((uint64_t)(s->panels * DLZ_KNN_PANEL), (uint64_t)s->d * sizeof(float));
    s->half_norms = dlz_alloc_array((uint64_t)(s->panels * DLZ_KNN_PANEL), sizeof(float));
    s->groups = dlz_alloc_array((uint64_t)workers * TILE, (uint64_t)s->d * sizeof(float));
    s->entries =
        dlz_alloc_array((uint64_t)workers * TILE, (uint64_t)s->capacity * sizeof(uint64_t));
    s->overflows = dlz_alloc_array_zero((uint64_t)workers, sizeof(bool));
    if (!s->mean || !s->packed || !s->half_norms || !s->groups || !s->entries || !s->overflows)
        return dlz_fail_memory("the search for neighbours",
                               (uint64_t)(s->n * s->d) * sizeof(float));
    find_mean(s);
    dlz_parallel_for(s->panels, workers, pack_panel, s);
    float largest = 0;
    for (int64_t i = 0; i < s->panels * DLZ_KNN_PANEL; i++)
        if (point_at(s, i) < s->n && s->half_norms[i] > largest)
            largest = s->half_norms[i];
    s->largest_norm = sqrtf(2 * largest);
    dlz_parallel_for(s->clusters ? s->clusters->tile_count : dlz_ceil_div(s->m, TILE), workers,
                     search_tile, s);
    for (int worker = 0; worker < workers; worker++)
        if (s->overflows[worker])
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "squared distances between the points are beyond the range of float32");
    return DLVIZ_OK;
}

static dlviz_status nearest(search *s) {
    s->kernel = dlz_knn();
    s->panels = s->clusters ? s->clusters->first_panel[s->clusters->count]
                            : dlz_ceil_div(s->n, DLZ_KNN_PANEL);
    s->capacity = (int)dlz_min_i64(9 * (int64_t)s->k / 4 + 128 + DLZ_KNN_PANEL, INT32_MAX);
    s->source = (dlz_knn_source){s->points, s->clusters ? s->clusters->points : NULL, s->d};
    int workers = (int)dlz_min_i64(dlz_threads(), dlz_ceil_div(s->m, TILE));
    dlviz_status status = run(s, workers);
    dlz_free(s->mean);
    dlz_free(s->packed);
    dlz_free(s->half_norms);
    dlz_free(s->groups);
    dlz_free(s->entries);
    dlz_free(s->overflows);
    return status;
}

dlviz_status dlz_knn_in_clusters(const float *points, int64_t n, int64_t d, int k,
                                 const dlz_knn_clusters *clusters, int32_t *indices,
                                 float *squared_distances) {
    search s = {.points = points,
                .queries = points,
                .n = n,
                .m = n,
                .d = d,
                .k = k,
                .exclude_self = true,
                .indices = indices,
                .distances = squared_distances,
                .clusters = clusters};
    return nearest(&s);
}

dlviz_status dlz_knn_query(const float *points, int64_t n, const float *queries, int64_t m,
                           int64_t d, int k, int32_t *indices, float *squared_distances) {
    if (k < 1 || k > n || d < 1 || m < 1 || n > INT32_MAX - DLZ_KNN_PANEL)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%d neighbours among %lld points in %lld dimensions; 1 to n are accepted",
                        k, (long long)n, (long long)d);
    search s = {.points = points,
                .queries = queries,
                .n = n,
                .m = m,
                .d = d,
                .k = k,
                .indices = indices,
                .distances = squared_distances};
    return nearest(&s);
}
