#include "neighbors/neighbors_plan.h"
#include "base/base.h"
#include "base/parallel.h"
#include "comm/comm.h"
#include "comm/tiles.h"

#include <math.h>
#include <string.h>

#define TILE DLZ_KNN_TILE

/* The places of a tile's queries. */
static dlz_knn_tile places_of(const dlz_knn_plan *s, int64_t tile) {
    return s->clusters ? s->clusters->tiles[tile]
                       : (dlz_knn_tile){tile * TILE, dlz_min_i64(TILE, s->m - tile * TILE), 0};
}

/* The points that a query stands for. */
static int64_t num_members(const dlz_knn_plan *s, int64_t query) {
    return s->ties.exclude_self ? dlz_equal_rows_size(s->ties.rows, query) : 1;
}

static int64_t member_of(const dlz_knn_plan *s, int64_t query, int64_t i) {
    return s->ties.exclude_self ? dlz_equal_rows_member(s->ties.rows, query, i) : query;
}

/* The results of a query: of all points that it stands for when it is one of the distinct ones. */
static bool finish_query(const dlz_knn_plan *s, dlz_knn_workspace *w, int64_t query,
                         dlz_knn_buffer *buffer) {
    if (buffer->best_count == 0 && s->bytes)
        dlz_knn_bytes()->compact(buffer);
    else if (buffer->best_count == 0)
        s->kernel->compact(buffer);
    dlz_knn_settle(buffer, w);
    if (buffer->best_count < buffer->keep)
        return false;
    for (int64_t i = 0; i < num_members(s, query); i++) {
        int64_t point = member_of(s, query, i);
        if (!dlz_knn_expand(&s->ties, query, point, buffer->best, buffer->best_count, w->scratch,
                            s->indices + point * s->ties.k, s->distances + point * s->ties.k))
            return false;
    }
    return true;
}

static void search_tile(void *context, int64_t tile, int worker) {
    const dlz_knn_plan *s = context;
    dlz_knn_workspace *w = &s->workspaces[worker];
    dlz_knn_buffer buffers[TILE];
    dlz_knn_tile places = places_of(s, tile);
    int64_t first = places.first, count = places.count, cluster = places.cluster;
    for (int64_t q = 0; q < TILE; q++) {
        int64_t query = dlz_knn_point_at(s, first + (q < count ? q : 0));
        if (!s->bytes) {
            float *group = w->given + q / DLZ_KNN_GROUP * DLZ_KNN_GROUP * s->d + q % DLZ_KNN_GROUP;
            for (int64_t i = 0; i < s->d; i++)
                group[i * DLZ_KNN_GROUP] = s->queries[query * s->d + i];
        }
        buffers[q] = (dlz_knn_buffer){.entries = w->entries + q * s->capacity,
                                      .capacity = s->capacity,
                                      .keep = s->keep,
                                      .self = s->ties.exclude_self ? (int32_t)(first + q) : -1,
                                      .relative = (double)(2 * (s->d + 16)) * 0x1p-24,
                                      .limit = q < count ? INFINITY : -INFINITY,
                                      .best = w->best + q * s->keep,
                                      .query = query,
                                      .settle = dlz_knn_settle,
                                      .context = w};
    }
    int64_t used = dlz_ceil_div(count, DLZ_KNN_GROUP);
    if (s->bytes)
        dlz_knn_round_queries(s, w, buffers);
    if (!s->clusters)
        dlz_knn_scan_cluster(s, w, 0, used, buffers);
    else
        for (int64_t c = 0; c < s->clusters->visits[cluster]; c++)
            dlz_knn_scan_cluster(s, w, s->clusters->nearest[cluster * s->clusters->count + c], used,
                                 buffers);
    for (int64_t q = 0; q < count; q++)
        if (!finish_query(s, w, buffers[q].query, &buffers[q]))
            w->failed = true;
}

/* How long a tile takes, about. */
static int64_t weight_of(const void *context, int64_t tile) {
    const dlz_knn_plan *s = context;
    dlz_knn_tile places = places_of(s, tile);
    int64_t visits = s->clusters ? s->clusters->visits[places.cluster] : 1;
    return dlz_ceil_div(places.count, DLZ_KNN_GROUP) * visits;
}

/* What a tile has found: rows of indices, each with its distances behind it. */
static int64_t found_size(const void *context, int64_t tile) {
    const dlz_knn_plan *s = context;
    dlz_knn_tile places = places_of(s, tile);
    int64_t points = 0;
    for (int64_t q = 0; q < places.count; q++)
        points += num_members(s, dlz_knn_point_at(s, places.first + q));
    return points * s->ties.k * (int64_t)(sizeof *s->indices + sizeof *s->distances);
}

static unsigned char *copy_row(void *own, unsigned char *bytes, size_t size, bool in) {
    memcpy(in ? own : bytes, in ? bytes : own, size);
    return bytes + size;
}

static void copy_found(void *context, int64_t tile, unsigned char *bytes, bool in) {
    const dlz_knn_plan *s = context;
    dlz_knn_tile places = places_of(s, tile);
    int64_t k = s->ties.k;
    for (int64_t q = 0; q < places.count; q++) {
        int64_t query = dlz_knn_point_at(s, places.first + q);
        for (int64_t i = 0; i < num_members(s, query); i++) {
            int64_t at = member_of(s, query, i) * k;
            bytes = copy_row(s->indices + at, bytes, (size_t)k * sizeof *s->indices, in);
            bytes = copy_row(s->distances + at, bytes, (size_t)k * sizeof *s->distances, in);
        }
    }
}

static bool prepare_workspaces(dlz_knn_plan *s, int workers) {
    size_t group = (size_t)TILE * (size_t)s->d, capacity = (size_t)s->capacity;
    size_t keep = (size_t)s->keep;
    s->workspaces = dlz_alloc_array_zero((uint64_t)workers, sizeof *s->workspaces);
    bool all = s->workspaces;
    for (int i = 0; all && i < workers; i++) {
        dlz_knn_workspace *w = &s->workspaces[i];
        w->plan = s;
        w->given = dlz_alloc_array(group, 2 * sizeof(float));
        w->groups = w->given ? w->given + group : NULL;
        w->byte_groups = dlz_alloc_array(TILE, (uint64_t)s->frame.words * sizeof(int32_t));
        w->rounded = dlz_alloc_array(DLZ_KNN_BLOCK, (uint64_t)s->frame.words * 4);
        w->turned = dlz_alloc_array((uint64_t)dlz_knn_frame_scratch(&s->frame), sizeof(double));
        w->entries = dlz_alloc_array(TILE * capacity, sizeof *w->entries);
        w->best = dlz_alloc_array(TILE * keep, sizeof *w->best);
        w->merged = dlz_alloc_array(capacity + keep, sizeof *w->merged);
        w->equal = dlz_alloc_array(capacity + keep, sizeof *w->equal);
        w->order = dlz_alloc_array(capacity + keep, sizeof *w->order);
        w->scratch = dlz_alloc_array((uint64_t)dlz_knn_expand_scratch(&s->ties, s->keep),
                                     sizeof *w->scratch);
        all = w->given && w->byte_groups && w->rounded && w->turned && w->entries && w->best &&
              w->merged && w->equal && w->order && w->scratch;
    }
    return all;
}

static void release(dlz_knn_plan *s, int workers) {
    for (int i = 0; s->workspaces && i < workers; i++) {
        dlz_free(s->workspaces[i].given);
        dlz_free(s->workspaces[i].byte_groups);
        dlz_free(s->workspaces[i].rounded);
        dlz_free(s->workspaces[i].turned);
        dlz_free(s->workspaces[i].entries);
        dlz_free(s->workspaces[i].best);
        dlz_free(s->workspaces[i].merged);
        dlz_free(s->workspaces[i].equal);
        dlz_free(s->workspaces[i].order);
        dlz_free(s->workspaces[i].scratch);
    }
    dlz_free(s->workspaces);
    dlz_free(s->origins);
    dlz_free(s->packed);
    dlz_free(s->half_norms);
    dlz_knn_frame_free(&s->frame);
    dlz_free(s->byte_panels);
    dlz_free(s->byte_norms);
    dlz_free(s->byte_errors);
}

static dlviz_status look_at_workspaces(dlz_knn_plan *s, int workers) {
    for (int worker = 0; worker < workers; worker++)
        s->measured += s->workspaces[worker].measured;
    for (int worker = 0; worker < workers; worker++)
        if (s->workspaces[worker].failed)
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "squared distances between the points are beyond the range of float32");
    return DLVIZ_OK;
}

static dlviz_status run(dlz_knn_plan *s, int64_t tiles, int workers) {
    DLZ_TRY(dlz_knn_plan_find_scale(s));
    DLZ_TRY(dlz_knn_plan_choose_bytes(s));
    s->capacity = (int)dlz_min_i64((s->bytes ? 4 : 9) * (int64_t)s->keep / (s->bytes ? 1 : 4) +
                                       128 + DLZ_KNN_PANEL,
                                   INT32_MAX);
    dlviz_status status = prepare_workspaces(s, workers)
                              ? DLVIZ_OK
                              : dlz_fail_memory("the search for neighbors",
                                                (uint64_t)s->capacity * TILE * sizeof(uint64_t));
    DLZ_TRY(dlz_comm_agree(s->comm, status));
    DLZ_TRY(s->bytes ? dlz_knn_plan_prepare_bytes(s) : dlz_knn_plan_prepare_floats(s));
    dlz_comm_tiles search = {.count = tiles,
                             .workers = workers,
                             .cost = (double)s->m * (double)s->n * (double)s->d,
                             .run = search_tile,
                             .context = s,
                             .told = true,
                             .weight = weight_of,
                             .size = found_size,
                             .copy = copy_found};
    DLZ_TRY(dlz_comm_run_tiles(s->comm, DLVIZ_OK, &search));
    return dlz_comm_agree(s->comm, look_at_workspaces(s, workers));
}

static dlviz_status nearest(dlz_knn_plan *s) {
    s->kernel = dlz_knn();
    s->panels = s->clusters ? s->clusters->first_panel[s->clusters->count]
                            : dlz_ceil_div(s->n, DLZ_KNN_PANEL);
    int64_t tiles = s->clusters ? s->clusters->tile_count : dlz_ceil_div(s->m, TILE);
    int workers = (int)dlz_min_i64(dlz_threads(), tiles);
    s->workers = workers;
    dlviz_status status = run(s, tiles, workers);
    release(s, workers);
    return status;
}

/* No point differs from the others: there is nothing to look for. */
static dlviz_status all_equal(const dlz_knn_plan *s) {
    int64_t n = dlz_equal_rows_size(s->ties.rows, 0);
    int64_t size = dlz_knn_expand_scratch(&s->ties, 1);
    uint64_t *scratch = dlz_alloc_array((uint64_t)size, sizeof *scratch);
    if (!scratch)
        return dlz_fail_memory("the search for neighbors", (uint64_t)size * sizeof *scratch);
    for (int64_t i = 0; i < n; i++)
        dlz_knn_expand(&s->ties, 0, i, NULL, 0, scratch, s->indices + i * s->ties.k,
                       s->distances + i * s->ties.k);
    dlz_free(scratch);
    return DLVIZ_OK;
}

dlviz_status dlz_knn_in_clusters(const dlz_knn_job *job, int32_t *indices,
                                 float *squared_distances) {
    const dlz_equal_rows *rows = job->rows;
    const float *distinct = rows->starts ? rows->distinct : job->points;
    dlz_knn_plan s = {
        .comm = job->comm,
        .points = distinct,
        .queries = distinct,
        .n = rows->count,
        .m = rows->count,
        .d = job->d,
        .keep = (int)dlz_min_i64(job->k, rows->count - 1),
        .ties = {.rows = rows, .k = job->k, .exclude_self = true, .seed = job->tie_seed},
        .indices = indices,
        .distances = squared_distances,
        .clusters = job->clusters};
    dlviz_status status = s.keep > 0 ? nearest(&s) : dlz_comm_agree(s.comm, all_equal(&s));
    if (job->measured)
        *job->measured = s.measured;
    return status;
}

static dlviz_status query(dlviz_comm *comm, const float *points, const dlz_equal_rows *rows,
                          const float *queries, int64_t m, int64_t d, int k, int32_t *indices,
                          float *squared_distances) {
    dlz_knn_plan s = {.comm = comm,
                      .points = rows->starts ? rows->distinct : points,
                      .queries = queries,
                      .n = rows->count,
                      .m = m,
                      .d = d,
                      .keep = (int)dlz_min_i64(k, rows->count),
                      .ties = {.rows = rows, .k = k},
                      .indices = indices,
                      .distances = squared_distances};
    return nearest(&s);
}

dlviz_status dlz_knn_query_distinct(dlviz_comm *comm, const float *points, int64_t n,
                                    const float *queries, int64_t m, int64_t d, int k,
                                    int32_t *indices, float *squared_distances) {
    dlz_equal_rows rows = {.count = n};
    return query(comm, points, &rows, queries, m, d, k, indices, squared_distances);
}

dlviz_status dlz_knn_query(dlviz_comm *comm, const float *points, int64_t n, const float *queries,
                           int64_t m, int64_t d, int k, int32_t *indices,
                           float *squared_distances) {
    if (k < 1 || k > n || d < 1 || m < 1 || n > INT32_MAX - DLZ_KNN_PANEL)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%d neighbors among %lld points in %lld dimensions; 1 to n are accepted", k,
                        (long long)n, (long long)d);
    DLZ_SHARED_TASK(comm, "neighbors");
    dlz_equal_rows rows;
    DLZ_TRY(dlz_equal_rows_find(comm, points, n, d, &rows));
    dlviz_status status = query(comm, points, &rows, queries, m, d, k, indices, squared_distances);
    dlz_equal_rows_free(&rows);
    return status;
}
