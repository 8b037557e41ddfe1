#include "metrics/quality.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "neighbors/distances.h"

#include <math.h>

#define ASK_EVERY (256 * DLZ_DISTANCE_PANEL) /* points */

dlviz_status dlz_require_points(const char *who, const char *name, const dlviz_tensor *points,
                                int64_t least) {
    DLZ_TRY(dlz_require_matrix(who, name, points));
    int64_t n = points->dims[0];
    if (n < least || n > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: '%s' has %lld rows; %lld to %d are accepted", who,
                        name, (long long)n, (long long)least, INT32_MAX);
    return dlz_require_distances(who, name, points);
}

dlviz_status dlz_require_map(const char *who, const dlviz_tensor *points, const dlviz_tensor *map,
                             int64_t least) {
    DLZ_TRY(dlz_require_points(who, "points", points, least));
    DLZ_TRY(dlz_require_points(who, "map", map, least));
    if (map->dims[0] != points->dims[0])
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'map' has %lld rows, 'points' has %lld", who,
                        (long long)map->dims[0], (long long)points->dims[0]);
    return DLVIZ_OK;
}

dlviz_status dlz_require_labels(const char *who, const char *name, const dlviz_tensor *labels,
                                int64_t n) {
    if (!labels)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", who, name);
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (labels->dtype == DLVIZ_FLOAT32)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: '%s' holds float32; uint8 or int64 are accepted",
                        who, name);
    if (labels->ndim != 1 || labels->dims[0] != n)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: '%s' is %s, needs %lld", who, name,
                        dlz_shape_text(text, labels->ndim, labels->dims), (long long)n);
    return DLVIZ_OK;
}

static void pack_panel(void *context, int64_t panel, int worker) {
    (void)worker;
    const dlz_distances *distances = context;
    int64_t n = distances->n, d = distances->d, first = panel * DLZ_DISTANCE_PANEL;
    float *to = distances->panels + first * d;
    for (int64_t p = 0; p < DLZ_DISTANCE_PANEL; p++)
        for (int64_t j = 0; j < d; j++)
            to[j * DLZ_DISTANCE_PANEL + p] =
                first + p < n ? distances->points[(first + p) * d + j] : 0;
}

dlviz_status dlz_distances_start(dlz_distances *distances, const dlviz_tensor *points) {
    int64_t n = points->dims[0], d = points->dims[1];
    int64_t panels = dlz_ceil_div(n, DLZ_DISTANCE_PANEL), stride = panels * DLZ_DISTANCE_PANEL;
    *distances = (dlz_distances){.points = points->data, .n = n, .d = d, .stride = stride};
    distances->scratch = (size_t)(DLZ_DISTANCE_ROWS * d);
    distances->panels = dlz_alloc_array((uint64_t)stride, (uint64_t)d * sizeof(float));
    if (!distances->panels)
        return dlz_fail_memory("a copy of the points", (uint64_t)(stride * d) * sizeof(float));
    dlz_parallel_for(panels, dlz_threads(), pack_panel, distances);
    return DLVIZ_OK;
}

void dlz_distances_end(dlz_distances *distances) {
    dlz_free(distances->panels);
}

/* A group's queries side by side; those that do not exist are zeros. */
static void pack_group(const dlz_distances *distances, const dlz_sample *sample, int64_t first,
                       double *to) {
    for (int64_t q = 0; q < DLZ_DISTANCE_GROUP; q++) {
        bool exists = first + q < sample->count;
        int64_t point = exists ? dlz_sample_point(sample, first + q) : 0;
        for (int64_t j = 0; j < distances->d; j++)
            to[j * DLZ_DISTANCE_GROUP + q] =
                exists ? (double)distances->points[point * distances->d + j] : 0;
    }
}

int64_t dlz_distance_rows(const dlz_distances *distances, const dlz_sample *sample, int64_t first,
                          double *scratch, double *rows) {
    int64_t d = distances->d, stride = distances->stride;
    int64_t count = dlz_min_i64(DLZ_DISTANCE_ROWS, sample->count - first);
    for (int64_t g = 0; g < count; g += DLZ_DISTANCE_GROUP)
        pack_group(distances, sample, first + g, scratch + g * d);
    for (int64_t p = 0; p < stride; p += DLZ_DISTANCE_PANEL) {
        if (p % ASK_EVERY == 0 && !dlz_task_goes_on())
            break;
        for (int64_t g = 0; g < count; g += DLZ_DISTANCE_GROUP)
            dlz_distance()->panel(scratch + g * d, distances->panels + p * d, d,
                                  rows + g * stride + p, stride);
    }
    for (int64_t i = 0; i < count; i++)
        rows[i * stride + dlz_sample_point(sample, first + i)] = INFINITY;
    return count;
}
