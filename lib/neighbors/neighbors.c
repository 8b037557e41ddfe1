#include "neighbors/neighbors_clusters.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "neighbors/neighbors_bytes.h"
#include "neighbors/neighbors_ties.h"
#include "base/sort.h"
#include "kernels/embed/distance.h"

#include <math.h>
#include <string.h>

#define GROUPS (DLZ_KNN_TILE / DLZ_KNN_GROUP) /* share a panel while it is in the cache */
#define TILE DLZ_KNN_TILE
#define SAMPLE 31 /* points that an origin is the median of */
/* Of the distance of a point's last neighbor, up to which it is worth rounding coordinates. */
#define BYTES_ERROR 0.10
#define FETCHED 256 /* columns of a row; what is beyond comes in order */

#define NEARER(a, b)                                                                               \
    ((a).distance < (b).distance || ((a).distance == (b).distance && (a).key < (b).key))
DLZ_DEFINE_SORT(sort_found, dlz_knn_found, NEARER)

typedef struct search search;

/* What a worker works in. */
typedef struct workspace {
    const search *search;
    float *given, *groups; /* GROUPS x d x DLZ_KNN_GROUP: queries as given, and about an origin */
    int32_t *byte_groups;  /* GROUPS x words x DLZ_KNN_GROUP */
    int8_t *rounded;       /* DLZ_KNN_BLOCK x 4 words */
    double *turned;        /* dlz_knn_frame_scratch */
    uint64_t *entries;     /* TILE x capacity */
    dlz_knn_found *best;   /* TILE x keep */
    dlz_knn_found *merged; /* capacity + keep, as are the next two */
    dlz_knn_found *equal;  /* those whose distances are the same float */
    uint64_t *order;
    uint64_t *scratch;
    int64_t measured; /* distances */
    bool failed;      /* a squared distance is beyond float32 */
} workspace;

struct search {
    const dlz_knn_kernel *kernel;
    const float *points, *queries; /* distinct points */
    int64_t n, m, d, panels;
    int keep, capacity;
    dlz_knn_ties ties;
    const dlz_knn_clusters *clusters; /* NULL: all points are looked at */
    /* Points and queries enter the products as scale (x - origin), with an origin for each cluster,
     * amid its points, so that products of near points cancel little. */
    float *origins, *packed, *half_norms; /* packed: panels x d x DLZ_KNN_PANEL */
    float scale;
    /* Or they enter as bytes, all about one origin, where that decides nearly as much. */
    bool bytes;
    dlz_knn_frame frame;
    uint8_t *byte_panels; /* panels x words x DLZ_KNN_PANEL x 4 */
    int32_t *byte_norms;
    double *byte_errors; /* a cluster: the largest error of a point */
    double byte_error;   /* the largest */
    workspace *workspaces;
    int workers;
    int64_t measured; /* exact distances */
    int32_t *indices;
    float *distances;
};

/* The point in a place of the packed panels, n or more for none. */
static int64_t point_at(const search *s, int64_t slot) {
    return s->clusters ? s->clusters->points[slot] : slot;
}

static int64_t cluster_count(const search *s) {
    return s->clusters ? s->clusters->count : 1;
}

static int64_t first_panel(const search *s, int64_t cluster) {
    return s->clusters ? s->clusters->first_panel[cluster] : cluster * s->panels;
}

static void pack_panel(const search *s, int64_t panel, const float *origin) {
    float *to = s->packed + panel * s->d * DLZ_KNN_PANEL;
    for (int64_t c = 0; c < DLZ_KNN_PANEL; c++) {
        int64_t slot = panel * DLZ_KNN_PANEL + c, point = point_at(s, slot);
        if (point >= s->n) {
            for (int64_t i = 0; i < s->d; i++)
                to[i * DLZ_KNN_PANEL + c] = 0;
            s->half_norms[slot] = INFINITY;
            continue;
        }
        double norm = 0;
        for (int64_t i = 0; i < s->d; i++) {
            float value = (s->points[point * s->d + i] - origin[i]) * s->scale;
            to[i * DLZ_KNN_PANEL + c] = value;
            norm += (double)value * value;
        }
        s->half_norms[slot] = (float)(norm / 2);
    }
}

/* The median of some of a cluster's points, coordinate by coordinate: a point far from the others,
 * which would draw a mean away, does not move it. */
static void find_origin(const search *s, int64_t first, int64_t count, float *origin) {
    int64_t used = dlz_min_i64(count, SAMPLE);
    float values[SAMPLE];
    for (int64_t i = 0; i < s->d; i++) {
        for (int64_t p = 0; p < used; p++) {
            float value = s->points[point_at(s, first + p * count / used) * s->d + i];
            int64_t at = p;
            for (; at > 0 && values[at - 1] > value; at--)
                values[at] = values[at - 1];
            values[at] = value;
        }
        origin[i] = used > 0 ? values[used / 2] : 0;
    }
}

static void pack_cluster(void *context, int64_t cluster, int worker) {
    (void)worker;
    const search *s = context;
    int64_t panel = first_panel(s, cluster), last = first_panel(s, cluster + 1);
    int64_t first = panel * DLZ_KNN_PANEL, count = 0;
    while (first + count < last * DLZ_KNN_PANEL && point_at(s, first + count) < s->n)
        count++;
    find_origin(s, first, count, s->origins + cluster * s->d);
    for (; s->clusters && panel < last; panel++)
        pack_panel(s, panel, s->origins + cluster * s->d);
}

static void pack_only_cluster(void *context, int64_t panel, int worker) {
    (void)worker;
    pack_panel(context, panel, ((const search *)context)->origins);
}

/* -- As bytes */

static void pack_bytes(void *context, int64_t cluster, int worker) {
    const search *s = context;
    const workspace *w = &s->workspaces[worker];
    int64_t size = s->frame.words * DLZ_KNN_PANEL * 4;
    int64_t last = first_panel(s, cluster + 1) * DLZ_KNN_PANEL;
    double largest = 0;
    for (int64_t slot = first_panel(s, cluster) * DLZ_KNN_PANEL; slot < last;
         slot += DLZ_KNN_BLOCK) {
        const float *points[DLZ_KNN_BLOCK];
        double errors[DLZ_KNN_BLOCK];
        for (int64_t p = 0; p < DLZ_KNN_BLOCK; p++) {
            int64_t point = point_at(s, slot + p);
            points[p] = point < s->n ? s->points + point * s->d : NULL;
        }
        dlz_knn_frame_round(&s->frame, points, w->turned, w->rounded, errors);
        for (int64_t p = 0; p < DLZ_KNN_BLOCK; p++) {
            int32_t norm = dlz_knn_frame_pack(&s->frame, w->rounded + p * s->frame.words * 4,
                                              (slot + p) % DLZ_KNN_PANEL,
                                              s->byte_panels + slot / DLZ_KNN_PANEL * size);
            s->byte_norms[slot + p] = points[p] ? norm : DLZ_KNN_BYTES_MOST;
            largest = points[p] ? fmax(largest, errors[p]) : largest;
        }
    }
    s->byte_errors[cluster] = largest;
}

/* Decides whether rounding is small enough beside the distances of neighbors. */
static dlviz_status choose_bytes(search *s) {
    if (!s->clusters || !(s->clusters->reach > 0) || s->d > DLZ_KNN_BYTES_DIMENSIONS ||
        !dlz_knn_bytes()->available())
        return DLVIZ_OK;
    DLZ_TRY(dlz_knn_frame_find(&s->frame, s->points, s->n, s->d));
    s->bytes = s->frame.step > 0 && s->frame.step < INFINITY &&
               dlz_knn_frame_error(&s->frame) <= BYTES_ERROR * s->clusters->reach;
    return DLVIZ_OK;
}

static dlviz_status prepare_bytes(search *s) {
    uint64_t places = (uint64_t)(s->panels * DLZ_KNN_PANEL);
    s->byte_panels = dlz_alloc_array(places, (uint64_t)s->frame.words * 4);
    s->byte_norms = dlz_alloc_array(places, sizeof *s->byte_norms);
    s->byte_errors = dlz_alloc_array((uint64_t)s->clusters->count, sizeof *s->byte_errors);
    if (!s->byte_panels || !s->byte_norms || !s->byte_errors)
        return dlz_fail_memory("the search for neighbors", places * (uint64_t)s->frame.words * 4);
    dlz_parallel_for(s->clusters->count, s->workers, pack_bytes, s);
    for (int64_t cluster = 0; cluster < s->clusters->count; cluster++)
        s->byte_error = fmax(s->byte_error, s->byte_errors[cluster]);
    return DLVIZ_OK;
}

static void round_queries(const search *s, workspace *w, dlz_knn_buffer *buffers) {
    double scale = (double)s->scale, unit = s->frame.step * scale * (s->frame.step * scale);
    int64_t words = s->frame.words;
    for (int64_t first = 0; first < TILE; first += DLZ_KNN_BLOCK) {
        const float *points[DLZ_KNN_BLOCK];
        double errors[DLZ_KNN_BLOCK];
        for (int64_t p = 0; p < DLZ_KNN_BLOCK; p++)
            points[p] = s->queries + buffers[first + p].query * s->d;
        dlz_knn_frame_round(&s->frame, points, w->turned, w->rounded, errors);
        for (int64_t p = 0; p < DLZ_KNN_BLOCK; p++) {
            int64_t q = first + p, group = q / DLZ_KNN_GROUP;
            dlz_knn_buffer *buffer = &buffers[q];
            buffer->base =
                dlz_knn_frame_query(&s->frame, w->rounded + p * words * 4, q % DLZ_KNN_GROUP,
                                    w->byte_groups + group * DLZ_KNN_GROUP * words);
            buffer->error = (errors[p] + s->byte_error) * scale;
            buffer->unit = unit;
            dlz_knn_bytes_aim(buffer);
        }
    }
}

static void scan_bytes(const search *s, const workspace *w, int64_t cluster, int64_t used,
                       dlz_knn_buffer *buffers) {
    int64_t words = s->frame.words;
    for (int64_t panel = first_panel(s, cluster); panel < first_panel(s, cluster + 1); panel++)
        for (int64_t g = 0; g < used; g++)
            dlz_knn_bytes()->scan(w->byte_groups + g * DLZ_KNN_GROUP * words,
                                  s->byte_panels + panel * words * DLZ_KNN_PANEL * 4,
                                  s->byte_norms + panel * DLZ_KNN_PANEL, words,
                                  (int32_t)(panel * DLZ_KNN_PANEL), buffers + g * DLZ_KNN_GROUP);
}

/* -- As floats */

static float largest_of(const float *values, int64_t count) {
    float largest = 0;
    for (int64_t i = 0; i < count; i++)
        if (fabsf(values[i]) > largest)
            largest = fabsf(values[i]);
    return largest;
}

/* A power of two that keeps squares of all differences in the middle of float's range: neither do
 * the largest overflow, nor those of data of any usual scale vanish. */
static float find_scale(const search *s) {
    float largest = largest_of(s->points, s->n * s->d);
    if (s->queries != s->points) {
        float other = largest_of(s->queries, s->m * s->d);
        largest = other > largest ? other : largest;
    }
    if (!(largest > 0 && largest < INFINITY))
        return 1;
    int exponent = 58 - ilogbf(largest) - (int)ceil(log2((double)s->d) / 2);
    return ldexpf(1, exponent < 120 ? exponent : 120);
}

/* So that a list's rows are on their way while the list before is computed. */
static void fetch_rows(const search *s, const dlz_knn_found *found, int64_t count) {
    for (int64_t r = 0; r < count; r++) {
        const float *row = s->points + found[r].point * s->d;
        for (int64_t i = 0; i < s->d && i < FETCHED; i += 16)
            __builtin_prefetch(row + i);
    }
}

/* Takes exact distances, a list of points at a time, of the entries first ... last; returns how
 * many those are, in `to`. */
static int64_t measure(const search *s, const dlz_knn_buffer *buffer, uint64_t first, uint64_t last,
                       dlz_knn_found *to) {
    const float *query = s->queries + buffer->query * s->d;
    int64_t count = 0;
    for (int32_t i = 0; i < buffer->count; i++) {
        uint64_t entry = buffer->entries[i];
        if (entry < first || entry > last)
            continue;
        int64_t point = point_at(s, (uint32_t)entry);
        to[count].key = dlz_knn_tie_key(&s->ties, buffer->query, point);
        to[count++].point = (int32_t)point;
    }
    fetch_rows(s, to, dlz_min_i64(count, DLZ_DISTANCE_LIST));
    for (int64_t at = 0; at < count; at += DLZ_DISTANCE_LIST) {
        const float *rows[DLZ_DISTANCE_LIST];
        double squares[DLZ_DISTANCE_LIST];
        int64_t here = dlz_min_i64(DLZ_DISTANCE_LIST, count - at);
        fetch_rows(s, to + at + here, dlz_min_i64(DLZ_DISTANCE_LIST, count - at - here));
        for (int64_t r = 0; r < DLZ_DISTANCE_LIST; r++)
            rows[r] = s->points + to[at + (r < here ? r : 0)].point * s->d;
        dlz_distance()->list(query, rows, s->d, squares);
        for (int64_t r = 0; r < here; r++)
            to[at + r].distance = sqrt(squares[r]);
    }
    return count;
}

static void lower_limit(const search *s, dlz_knn_buffer *buffer, double distance) {
    double scaled = distance * (double)s->scale;
    buffer->limit = fmin(buffer->limit, scaled * scaled / 2);
    if (s->bytes)
        dlz_knn_bytes_aim(buffer);
    else
        dlz_knn_aim(buffer);
}

/* Takes exact distances of the entries that may be among the nearest. */
static int64_t measure_near(const search *s, dlz_knn_buffer *buffer, dlz_knn_found *to) {
    if (!s->bytes) {
        float most =
            (float)(buffer->limit * (1 + buffer->relative) + (double)buffer->largest_slack);
        return measure(s, buffer, 0,
                       buffer->relative < 0.25 ? dlz_knn_last_entry(most) : UINT64_MAX, to);
    }
    if (buffer->best_count > 0 || buffer->count <= buffer->keep)
        return measure(s, buffer, 0, dlz_knn_bytes_entry(buffer->below, 0) - 1, to);
    /* The most likely ones' distances leave out many others. */
    uint64_t first = dlz_knn_bytes()->bound(buffer);
    int64_t count = measure(s, buffer, 0, first, to), likely = count;
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, to[i].distance);
    lower_limit(s, buffer, largest);
    int64_t end = count + measure(s, buffer, first + 1, dlz_knn_bytes_entry(buffer->below, 0) - 1,
                                  to + count);
    for (int64_t i = likely; i < end; i++)
        if (to[i].distance <= largest)
            to[count++] = to[i];
    return count;
}

/* The `keep` nearest of those found, in order. Almost always their distances differ as floats, and
 * then sorting short numbers is enough. */
static int64_t choose_nearest(const workspace *w, int64_t count, int64_t keep, dlz_knn_found *to) {
    for (int64_t i = 0; i < count; i++) {
        float distance = (float)w->merged[i].distance;
        uint32_t bits;
        memcpy(&bits, &distance, sizeof bits);
        w->order[i] = (uint64_t)bits << 32 | (uint64_t)i;
    }
    dlz_sort_u64(w->order, count);
    for (int64_t i = 0; i < count && i < keep;) {
        int64_t end = i + 1;
        while (end < count && w->order[end] >> 32 == w->order[i] >> 32)
            end++;
        if (end > i + 1) {
            for (int64_t j = i; j < end; j++)
                w->equal[j - i] = w->merged[(uint32_t)w->order[j]];
            sort_found(w->equal, end - i);
        }
        for (int64_t j = i; j < end && j < keep; j++)
            to[j] = end > i + 1 ? w->equal[j - i] : w->merged[(uint32_t)w->order[j]];
        i = end;
    }
    return dlz_min_i64(count, keep);
}

static void settle(dlz_knn_buffer *buffer, void *context) {
    workspace *w = context;
    const search *s = w->search;
    memcpy(w->merged, buffer->best, (size_t)buffer->best_count * sizeof *w->merged);
    int64_t known = buffer->best_count, last = known + measure_near(s, buffer, w->merged + known);
    int64_t count = known;
    w->measured += last - known;
    for (int64_t i = known; i < last; i++)
        if (known < buffer->keep || NEARER(w->merged[i], buffer->best[known - 1]))
            w->merged[count++] = w->merged[i];
    buffer->best_count = (int32_t)choose_nearest(w, count, buffer->keep, buffer->best);
    buffer->count = 0;
    buffer->largest_slack = 0;
    if (buffer->best_count == buffer->keep)
        lower_limit(s, buffer, buffer->best[buffer->keep - 1].distance);
    else
        lower_limit(s, buffer, INFINITY);
}

/* The queries of a tile, about the origin of the cluster that is looked at next. */
static void move_queries(const search *s, workspace *w, int64_t cluster, int64_t used,
                         dlz_knn_buffer *buffers) {
    float half_norms[DLZ_KNN_GROUP];
    double precision = (double)(s->d + 16) * 0x1p-24;
    for (int64_t g = 0; g < used; g++) {
        int64_t at = g * DLZ_KNN_GROUP * s->d;
        s->kernel->move(w->given + at, s->origins + cluster * s->d, s->scale, s->d, w->groups + at,
                        half_norms);
        for (int64_t q = 0; q < DLZ_KNN_GROUP; q++) {
            dlz_knn_buffer *buffer = &buffers[g * DLZ_KNN_GROUP + q];
            buffer->offset = half_norms[q];
            /* What is added stands for products too small for float's precision. */
            buffer->slack = (float)(8 * precision * (double)half_norms[q] + 0x1p-120);
            dlz_knn_aim(buffer);
        }
    }
}

static void scan_cluster(const search *s, workspace *w, int64_t cluster, int64_t used,
                         dlz_knn_buffer *buffers) {
    if (s->bytes) {
        scan_bytes(s, w, cluster, used, buffers);
        return;
    }
    move_queries(s, w, cluster, used, buffers);
    for (int64_t panel = first_panel(s, cluster); panel < first_panel(s, cluster + 1); panel++)
        for (int64_t g = 0; g < used; g++)
            s->kernel->scan(w->groups + g * DLZ_KNN_GROUP * s->d,
                            s->packed + panel * s->d * DLZ_KNN_PANEL,
                            s->half_norms + panel * DLZ_KNN_PANEL, s->d,
                            (int32_t)(panel * DLZ_KNN_PANEL), buffers + g * DLZ_KNN_GROUP);
}

/* The results of a query: of all points that it stands for when it is one of the distinct ones. */
static bool finish_query(const search *s, workspace *w, int64_t query, dlz_knn_buffer *buffer) {
    if (buffer->best_count == 0 && s->bytes)
        dlz_knn_bytes()->compact(buffer);
    else if (buffer->best_count == 0)
        s->kernel->compact(buffer);
    settle(buffer, w);
    if (buffer->best_count < buffer->keep)
        return false;
    int64_t members = s->ties.exclude_self ? dlz_equal_rows_size(s->ties.rows, query) : 1;
    for (int64_t i = 0; i < members; i++) {
        int64_t point =
            s->ties.exclude_self ? dlz_equal_rows_member(s->ties.rows, query, i) : query;
        if (!dlz_knn_expand(&s->ties, query, point, buffer->best, buffer->best_count, w->scratch,
                            s->indices + point * s->ties.k, s->distances + point * s->ties.k))
            return false;
    }
    return true;
}

static void search_tile(void *context, int64_t tile, int worker) {
    const search *s = context;
    workspace *w = &s->workspaces[worker];
    dlz_knn_buffer buffers[TILE];
    int64_t first = tile * TILE, count = dlz_min_i64(TILE, s->m - first), cluster = 0;
    if (s->clusters) {
        const dlz_knn_tile *place = &s->clusters->tiles[tile];
        first = place->first;
        count = place->count;
        cluster = place->cluster;
    }
    for (int64_t q = 0; q < TILE; q++) {
        int64_t query = point_at(s, first + (q < count ? q : 0));
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
                                      .settle = settle,
                                      .context = w};
    }
    int64_t used = dlz_ceil_div(count, DLZ_KNN_GROUP);
    if (s->bytes)
        round_queries(s, w, buffers);
    if (!s->clusters)
        scan_cluster(s, w, 0, used, buffers);
    else
        for (int64_t c = 0; c < s->clusters->visits[cluster]; c++)
            scan_cluster(s, w, s->clusters->nearest[cluster * s->clusters->count + c], used,
                         buffers);
    for (int64_t q = 0; q < count; q++)
        if (!finish_query(s, w, buffers[q].query, &buffers[q]))
            w->failed = true;
}

static bool prepare_workspaces(search *s, int workers) {
    size_t group = (size_t)TILE * (size_t)s->d, capacity = (size_t)s->capacity;
    size_t keep = (size_t)s->keep;
    s->workspaces = dlz_alloc_array_zero((uint64_t)workers, sizeof *s->workspaces);
    bool all = s->workspaces;
    for (int i = 0; all && i < workers; i++) {
        workspace *w = &s->workspaces[i];
        w->search = s;
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

static void release(search *s, int workers) {
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

static dlviz_status prepare_floats(search *s) {
    s->origins = dlz_alloc_array((uint64_t)(cluster_count(s) * s->d), sizeof(float));
    s->packed =
        dlz_alloc_array((uint64_t)(s->panels * DLZ_KNN_PANEL), (uint64_t)s->d * sizeof(float));
    s->half_norms = dlz_alloc_array((uint64_t)(s->panels * DLZ_KNN_PANEL), sizeof(float));
    if (!s->origins || !s->packed || !s->half_norms)
        return dlz_fail_memory("the search for neighbors", (uint64_t)(s->n * s->d) * sizeof(float));
    dlz_parallel_for(cluster_count(s), dlz_threads(), pack_cluster, s);
    if (!s->clusters)
        dlz_parallel_for(s->panels, dlz_threads(), pack_only_cluster, s);
    return DLVIZ_OK;
}

static dlviz_status run(search *s, int64_t tiles, int workers) {
    s->scale = find_scale(s);
    DLZ_TRY(choose_bytes(s));
    s->capacity = (int)dlz_min_i64((s->bytes ? 4 : 9) * (int64_t)s->keep / (s->bytes ? 1 : 4) +
                                       128 + DLZ_KNN_PANEL,
                                   INT32_MAX);
    if (!prepare_workspaces(s, workers))
        return dlz_fail_memory("the search for neighbors",
                               (uint64_t)s->capacity * TILE * sizeof(uint64_t));
    DLZ_TRY(s->bytes ? prepare_bytes(s) : prepare_floats(s));
    DLZ_TRY(dlz_parallel_for_task(tiles, workers, search_tile, s));
    for (int worker = 0; worker < workers; worker++)
        s->measured += s->workspaces[worker].measured;
    for (int worker = 0; worker < workers; worker++)
        if (s->workspaces[worker].failed)
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "squared distances between the points are beyond the range of float32");
    return DLVIZ_OK;
}

static dlviz_status nearest(search *s) {
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
static dlviz_status all_equal(const search *s) {
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
    search s = {.points = distinct,
                .queries = distinct,
                .n = rows->count,
                .m = rows->count,
                .d = job->d,
                .keep = (int)dlz_min_i64(job->k, rows->count - 1),
                .ties = {.rows = rows, .k = job->k, .exclude_self = true, .seed = job->tie_seed},
                .indices = indices,
                .distances = squared_distances,
                .clusters = job->clusters};
    dlviz_status status = s.keep > 0 ? nearest(&s) : all_equal(&s);
    if (job->measured)
        *job->measured = s.measured;
    return status;
}

dlviz_status dlz_knn_query(const float *points, int64_t n, const float *queries, int64_t m,
                           int64_t d, int k, int32_t *indices, float *squared_distances) {
    if (k < 1 || k > n || d < 1 || m < 1 || n > INT32_MAX - DLZ_KNN_PANEL)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%d neighbors among %lld points in %lld dimensions; 1 to n are accepted", k,
                        (long long)n, (long long)d);
    DLZ_TASK("neighbors");
    dlz_equal_rows rows;
    DLZ_TRY(dlz_equal_rows_find(points, n, d, &rows));
    search s = {.points = rows.starts ? rows.distinct : points,
                .queries = queries,
                .n = rows.count,
                .m = m,
                .d = d,
                .keep = (int)dlz_min_i64(k, rows.count),
                .ties = {.rows = &rows, .k = k},
                .indices = indices,
                .distances = squared_distances};
    dlviz_status status = nearest(&s);
    dlz_equal_rows_free(&rows);
    return status;
}
