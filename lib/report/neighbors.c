/* The neighbors of each point, and what the network looked at. */
#include "report/report.h"
#include "tensor/tensor.h"

#include <float.h>
#include <math.h>

static dlviz_status check_index(const char *who, const dlviz_report_run *run, const char *what,
                                int64_t at, int64_t index) {
    if (index >= 0 && index < run->report->n)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                    "%s: %s %lld is point %lld; 0 to %lld are accepted", who, what, (long long)at,
                    (long long)index, (long long)run->report->n - 1);
}

dlviz_status dlviz_report_run_set_neighbors(dlviz_report_run *run, const dlviz_tensor *indices) {
    DLZ_REQUIRE(run);
    DLZ_REQUIRE(indices);
    int64_t n = run->report->n;
    if (indices->dtype != DLVIZ_INT64 || indices->ndim != 2 || indices->dims[0] != n ||
        indices->dims[1] < 1) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'indices' is %s %s, needs to be int64 %lld x k with k >= 1, for the "
                        "report has %lld points",
                        __func__, dlviz_dtype_name(indices->dtype),
                        dlz_shape_text(text, indices->ndim, indices->dims), (long long)n,
                        (long long)n);
    }
    const int64_t *from = indices->data;
    for (int64_t i = 0; i < indices->size; i++)
        DLZ_TRY(check_index(__func__, run, "neighbor", i, from[i]));
    uint32_t *copy = dlz_alloc_array((uint64_t)indices->size, sizeof *copy);
    if (!copy)
        return dlz_fail_memory("neighbors", (uint64_t)indices->size * sizeof *copy);
    for (int64_t i = 0; i < indices->size; i++)
        copy[i] = (uint32_t)from[i];
    dlz_free(run->neighbors);
    run->neighbors = copy;
    run->num_neighbors = indices->dims[1];
    return DLVIZ_OK;
}

dlviz_status dlviz_report_run_get_neighbors(const dlviz_report_run *run, dlviz_tensor **indices) {
    DLZ_REQUIRE_OUT(indices);
    DLZ_REQUIRE(run);
    if (run->num_neighbors == 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the run has no neighbors", __func__);
    DLZ_TRY(dlz_tensor_create_raw(indices, DLVIZ_INT64, 2,
                                  (int64_t[]){run->report->n, run->num_neighbors}));
    int64_t *to = (*indices)->data;
    for (int64_t i = 0; i < (*indices)->size; i++)
        to[i] = run->neighbors[i];
    return DLVIZ_OK;
}

/* -- Attribution ---------------------------------------------------------------------------------
 */

static dlviz_status check_attribution(const char *who, const dlviz_report_run *run, int64_t count,
                                      const int64_t *points, const dlviz_tensor *maps) {
    if (maps->dtype != DLVIZ_FLOAT32 || (maps->ndim != 3 && maps->ndim != 4) ||
        maps->dims[0] != count || maps->size < 1) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(
            DLVIZ_ERROR_SHAPE,
            "%s: 'maps' is %s %s, needs to be float32 %lld x h x w or %lld x c x h x w, "
            "one a point, not empty",
            who, dlviz_dtype_name(maps->dtype), dlz_shape_text(text, maps->ndim, maps->dims),
            (long long)count, (long long)count);
    }
    for (int64_t i = 0; i < count; i++)
        DLZ_TRY(check_index(who, run, "entry", i, points[i]));
    const float *values = maps->data;
    for (int64_t i = 0; i < maps->size; i++)
        if (!isfinite(values[i]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: map %lld has the value %g, which is not finite", who,
                            (long long)(i / (maps->size / count)), (double)values[i]);
    return DLVIZ_OK;
}

/* A map in 127 steps of its largest magnitude. */
static void in_steps(const float *map, int64_t size, int8_t *to) {
    double largest = 0;
    for (int64_t i = 0; i < size; i++)
        largest = fabs(map[i]) > largest ? fabs(map[i]) : largest;
    for (int64_t i = 0; i < size; i++)
        to[i] = (int8_t)(largest > 0 ? floor(127 * (map[i] / largest) + 0.5) : 0);
}

/* `sum` has room for a map as it is given, `small` for one as it is kept. */
static void keep_map(const dlviz_tensor *maps, int64_t at, float *sum, float *small,
                     const dlz_report_attribution *into) {
    int64_t height = maps->dims[maps->ndim - 2], width = maps->dims[maps->ndim - 1];
    int64_t size = height * width, kept = into->height * into->width;
    int64_t channels = maps->size / maps->dims[0] / size;
    const float *from = (const float *)maps->data + at * channels * size;
    for (int64_t i = 0; i < size; i++) {
        double total = 0;
        for (int64_t c = 0; c < channels; c++)
            total += from[c * size + i];
        sum[i] = (float)fmin(fmax(total, -FLT_MAX), FLT_MAX);
    }
    dlz_shrink(sum, height, width, small, into->height, into->width);
    in_steps(small, kept, into->maps + at * kept);
}

static dlviz_status keep_maps(const dlviz_tensor *maps, const dlz_report_attribution *into) {
    uint64_t size = (uint64_t)(maps->dims[maps->ndim - 2] * maps->dims[maps->ndim - 1]);
    uint64_t kept = (uint64_t)(into->height * into->width);
    float *sum = dlz_alloc_array(size, sizeof *sum), *small = dlz_alloc_array(kept, sizeof *small);
    if (sum && small)
        for (int64_t i = 0; i < into->count; i++)
            keep_map(maps, i, sum, small, into);
    bool done = sum && small;
    dlz_free(sum);
    dlz_free(small);
    return done ? DLVIZ_OK : dlz_fail_memory("attribution maps", (size + kept) * sizeof *sum);
}

dlviz_status dlviz_report_run_set_attribution(dlviz_report_run *run, int64_t num_points,
                                              const int64_t *points, const dlviz_tensor *maps) {
    DLZ_REQUIRE(run);
    DLZ_REQUIRE(points);
    DLZ_REQUIRE(maps);
    DLZ_TRY(check_attribution(__func__, run, num_points, points, maps));
    dlz_report_attribution kept = {.count = num_points};
    dlz_thumbnail_size(maps->dims[maps->ndim - 2], maps->dims[maps->ndim - 1], &kept.height,
                       &kept.width);
    uint64_t bytes = (uint64_t)(num_points * kept.height * kept.width);
    kept.points = dlz_alloc_array((uint64_t)num_points, sizeof *kept.points);
    kept.maps = dlz_alloc_array(bytes, 1);
    dlviz_status status = kept.points && kept.maps ? keep_maps(maps, &kept)
                                                   : dlz_fail_memory("attribution maps", bytes);
    if (status != DLVIZ_OK) {
        dlz_free(kept.points);
        dlz_free(kept.maps);
        return status;
    }
    for (int64_t i = 0; i < num_points; i++)
        kept.points[i] = (uint32_t)points[i];
    dlz_free(run->attribution.points);
    dlz_free(run->attribution.maps);
    run->attribution = kept;
    return DLVIZ_OK;
}
