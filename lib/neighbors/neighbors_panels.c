#include "neighbors/neighbors_plan.h"
#include "base/base.h"
#include "base/parallel.h"
#include "comm/comm.h"
#include "comm/tiles.h"

#include <math.h>
#include <string.h>

#define TILE DLZ_KNN_TILE
#define NUMBERS (INT64_C(1) << 18) /* whose largest is found together */
#define SAMPLE 31                  /* points that an origin is the median of */
/* Of the distance of a point's last neighbor, up to which it is worth rounding coordinates. */
#define BYTES_ERROR 0.10

/* -- As floats */

typedef struct magnitude {
    const float *values;
    int64_t count;
    float *largest; /* a tile */
} magnitude;

static void magnitude_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const magnitude *m = context;
    int64_t last = dlz_min_i64((tile + 1) * NUMBERS, m->count);
    float largest = 0;
    for (int64_t i = tile * NUMBERS; i < last; i++)
        largest = fabsf(m->values[i]) > largest ? fabsf(m->values[i]) : largest;
    m->largest[tile] = largest;
}

/* Raises *largest to the largest magnitude of the values. */
static dlviz_status find_largest(dlviz_comm *comm, const float *values, int64_t count,
                                 float *largest) {
    magnitude m = {.values = values, .count = count};
    dlz_comm_tiles tiles = {.count = dlz_ceil_div(count, NUMBERS),
                            .workers = dlz_threads(),
                            .cost = (double)count,
                            .run = magnitude_tile,
                            .context = &m};
    m.largest = dlz_alloc_array((uint64_t)tiles.count, sizeof *m.largest);
    tiles.data = m.largest;
    tiles.things = tiles.count;
    tiles.a_tile = 1;
    tiles.thing_size = sizeof *m.largest;
    dlviz_status status = m.largest ? DLVIZ_OK
                                    : dlz_fail_memory("the search for neighbors",
                                                      (uint64_t)tiles.count * sizeof *m.largest);
    status = dlz_comm_run_tiles(comm, status, &tiles);
    for (int64_t tile = 0; status == DLVIZ_OK && tile < tiles.count; tile++)
        *largest = m.largest[tile] > *largest ? m.largest[tile] : *largest;
    dlz_free(m.largest);
    return status;
}

dlviz_status dlz_knn_plan_find_scale(dlz_knn_plan *s) {
    float largest = 0;
    DLZ_TRY(find_largest(s->comm, s->points, s->n * s->d, &largest));
    if (s->queries != s->points)
        DLZ_TRY(find_largest(s->comm, s->queries, s->m * s->d, &largest));
    int exponent = largest > 0 && largest < INFINITY
                       ? 58 - ilogbf(largest) - (int)ceil(log2((double)s->d) / 2)
                       : 0;
    s->scale = ldexpf(1, exponent < 120 ? exponent : 120);
    return DLVIZ_OK;
}

static void pack_panel(const dlz_knn_plan *s, int64_t panel, const float *origin) {
    float *to = s->packed + panel * s->d * DLZ_KNN_PANEL;
    for (int64_t c = 0; c < DLZ_KNN_PANEL; c++) {
        int64_t slot = panel * DLZ_KNN_PANEL + c, point = dlz_knn_point_at(s, slot);
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
static void find_origin(const dlz_knn_plan *s, int64_t first, int64_t count, float *origin) {
    int64_t used = dlz_min_i64(count, SAMPLE);
    float values[SAMPLE];
    for (int64_t i = 0; i < s->d; i++) {
        for (int64_t p = 0; p < used; p++) {
            float value = s->points[dlz_knn_point_at(s, first + p * count / used) * s->d + i];
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
    const dlz_knn_plan *s = context;
    int64_t panel = dlz_knn_first_panel(s, cluster), last = dlz_knn_first_panel(s, cluster + 1);
    int64_t first = panel * DLZ_KNN_PANEL, count = 0;
    while (first + count < last * DLZ_KNN_PANEL && dlz_knn_point_at(s, first + count) < s->n)
        count++;
    find_origin(s, first, count, s->origins + cluster * s->d);
    for (; s->clusters && panel < last; panel++)
        pack_panel(s, panel, s->origins + cluster * s->d);
}

static void pack_only_cluster(void *context, int64_t panel, int worker) {
    (void)worker;
    pack_panel(context, panel, ((const dlz_knn_plan *)context)->origins);
}

dlviz_status dlz_knn_plan_prepare_floats(dlz_knn_plan *s) {
    s->origins = dlz_alloc_array((uint64_t)(dlz_knn_cluster_count(s) * s->d), sizeof(float));
    s->packed =
        dlz_alloc_array((uint64_t)(s->panels * DLZ_KNN_PANEL), (uint64_t)s->d * sizeof(float));
    s->half_norms = dlz_alloc_array((uint64_t)(s->panels * DLZ_KNN_PANEL), sizeof(float));
    if (!s->origins || !s->packed || !s->half_norms)
        return dlz_comm_agree(s->comm, dlz_fail_memory("the search for neighbors",
                                                       (uint64_t)(s->n * s->d) * sizeof(float)));
    dlz_parallel_for(dlz_knn_cluster_count(s), dlz_threads(), pack_cluster, s);
    if (!s->clusters)
        dlz_parallel_for(s->panels, dlz_threads(), pack_only_cluster, s);
    return dlz_comm_agree(s->comm, DLVIZ_OK);
}

/* The queries of a tile, about the origin of the cluster that is looked at next. */
static void move_queries(const dlz_knn_plan *s, dlz_knn_workspace *w, int64_t cluster, int64_t used,
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

/* -- As bytes */

static void pack_bytes(void *context, int64_t cluster, int worker) {
    const dlz_knn_plan *s = context;
    const dlz_knn_workspace *w = &s->workspaces[worker];
    int64_t size = s->frame.words * DLZ_KNN_PANEL * 4;
    int64_t last = dlz_knn_first_panel(s, cluster + 1) * DLZ_KNN_PANEL;
    double largest = 0;
    for (int64_t slot = dlz_knn_first_panel(s, cluster) * DLZ_KNN_PANEL; slot < last;
         slot += DLZ_KNN_BLOCK) {
        const float *points[DLZ_KNN_BLOCK];
        double errors[DLZ_KNN_BLOCK];
        for (int64_t p = 0; p < DLZ_KNN_BLOCK; p++) {
            int64_t point = dlz_knn_point_at(s, slot + p);
            points[p] = point < s->n ? s->points + point * s->d : NULL;
        }
        dlz_knn_frame_round(&s->frame, points, w->turned, w->rounded, errors);
        for (int64_t p = 0; p < DLZ_KNN_BLOCK; p++) {
            const int8_t *rounded = points[p] ? w->rounded + p * s->frame.words * 4 : NULL;
            s->byte_norms[slot + p] =
                dlz_knn_frame_pack(&s->frame, rounded, (slot + p) % DLZ_KNN_PANEL,
                                   s->byte_panels + slot / DLZ_KNN_PANEL * size);
            largest = points[p] ? fmax(largest, errors[p]) : largest;
        }
    }
    s->byte_errors[cluster] = largest;
}

/* Whether all ranks' processors have it. */
static dlviz_status find_bytes_available(dlviz_comm *comm, bool *available) {
    int ranks = dlz_comm_size(comm);
    *available = dlz_knn_bytes()->available();
    if (ranks == 1)
        return DLVIZ_OK;
    int64_t *all = dlz_alloc_array((uint64_t)ranks, sizeof *all);
    dlviz_status status =
        all ? DLVIZ_OK : dlz_fail_memory("the search for neighbors", (uint64_t)ranks * sizeof *all);
    status = dlz_comm_agree(comm, status);
    if (status == DLVIZ_OK)
        status = dlz_comm_gather_numbers(comm, *available, all);
    for (int rank = 0; status == DLVIZ_OK && rank < ranks; rank++)
        *available = *available && all[rank];
    dlz_free(all);
    return status;
}

dlviz_status dlz_knn_plan_choose_bytes(dlz_knn_plan *s) {
    bool available;
    if (!s->clusters || !(s->clusters->reach > 0) || s->d > DLZ_KNN_BYTES_DIMENSIONS)
        return DLVIZ_OK;
    DLZ_TRY(find_bytes_available(s->comm, &available));
    if (!available)
        return DLVIZ_OK;
    DLZ_TRY(dlz_knn_frame_find(s->comm, &s->frame, s->points, s->n, s->d));
    s->bytes = s->frame.step > 0 && s->frame.step < INFINITY &&
               dlz_knn_frame_error(&s->frame) <= BYTES_ERROR * s->clusters->reach;
    return DLVIZ_OK;
}

/* What is packed of a cluster: panels, norms, the largest error. */
static int64_t packed_size(const void *context, int64_t cluster) {
    const dlz_knn_plan *s = context;
    int64_t panels = dlz_knn_first_panel(s, cluster + 1) - dlz_knn_first_panel(s, cluster);
    return panels * DLZ_KNN_PANEL * 4 * (s->frame.words + 1) + (int64_t)sizeof(double);
}

static unsigned char *copy_part(void *own, unsigned char *bytes, int64_t size, bool in) {
    memcpy(in ? own : bytes, in ? bytes : own, (size_t)size);
    return bytes + size;
}

static void copy_packed(void *context, int64_t cluster, unsigned char *bytes, bool in) {
    const dlz_knn_plan *s = context;
    int64_t first = dlz_knn_first_panel(s, cluster) * DLZ_KNN_PANEL;
    int64_t places = dlz_knn_first_panel(s, cluster + 1) * DLZ_KNN_PANEL - first;
    int64_t width = s->frame.words * 4;
    bytes = copy_part(s->byte_panels + first * width, bytes, places * width, in);
    bytes = copy_part(s->byte_norms + first, bytes, places * 4, in);
    copy_part(s->byte_errors + cluster, bytes, sizeof(double), in);
}

dlviz_status dlz_knn_plan_prepare_bytes(dlz_knn_plan *s) {
    uint64_t places = (uint64_t)(s->panels * DLZ_KNN_PANEL);
    s->byte_panels = dlz_alloc_array(places, (uint64_t)s->frame.words * 4);
    s->byte_norms = dlz_alloc_array(places, sizeof *s->byte_norms);
    s->byte_errors = dlz_alloc_array((uint64_t)s->clusters->count, sizeof *s->byte_errors);
    bool all = s->byte_panels && s->byte_norms && s->byte_errors;
    dlz_comm_tiles clusters = {.count = s->clusters->count,
                               .workers = s->workers,
                               .cost = (double)(s->n * s->d * (s->frame.stages + 2)),
                               .run = pack_bytes,
                               .context = s,
                               .size = packed_size,
                               .copy = copy_packed};
    dlviz_status status =
        all ? DLVIZ_OK
            : dlz_fail_memory("the search for neighbors", places * (uint64_t)s->frame.words * 4);
    DLZ_TRY(dlz_comm_run_tiles(s->comm, status, &clusters));
    for (int64_t cluster = 0; cluster < s->clusters->count; cluster++)
        s->byte_error = fmax(s->byte_error, s->byte_errors[cluster]);
    return DLVIZ_OK;
}

void dlz_knn_round_queries(const dlz_knn_plan *s, dlz_knn_workspace *w, dlz_knn_buffer *buffers) {
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

static void scan_bytes(const dlz_knn_plan *s, const dlz_knn_workspace *w, int64_t cluster,
                       int64_t used, dlz_knn_buffer *buffers) {
    int64_t words = s->frame.words;
    for (int64_t panel = dlz_knn_first_panel(s, cluster);
         panel < dlz_knn_first_panel(s, cluster + 1); panel++)
        for (int64_t g = 0; g < used; g++)
            dlz_knn_bytes()->scan(w->byte_groups + g * DLZ_KNN_GROUP * words,
                                  s->byte_panels + panel * words * DLZ_KNN_PANEL * 4,
                                  s->byte_norms + panel * DLZ_KNN_PANEL, words,
                                  (int32_t)(panel * DLZ_KNN_PANEL), buffers + g * DLZ_KNN_GROUP);
}

/* -- Either */

void dlz_knn_scan_cluster(const dlz_knn_plan *s, dlz_knn_workspace *w, int64_t cluster,
                          int64_t used, dlz_knn_buffer *buffers) {
    if (s->bytes) {
        scan_bytes(s, w, cluster, used, buffers);
        return;
    }
    move_queries(s, w, cluster, used, buffers);
    for (int64_t panel = dlz_knn_first_panel(s, cluster);
         panel < dlz_knn_first_panel(s, cluster + 1); panel++)
        for (int64_t g = 0; g < used; g++)
            s->kernel->scan(w->groups + g * DLZ_KNN_GROUP * s->d,
                            s->packed + panel * s->d * DLZ_KNN_PANEL,
                            s->half_norms + panel * DLZ_KNN_PANEL, s->d,
                            (int32_t)(panel * DLZ_KNN_PANEL), buffers + g * DLZ_KNN_GROUP);
}
