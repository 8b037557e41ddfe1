#include "plot/outliers.h"
#include "plot/scales.h"
#include "base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FEWEST_POINTS = 8, MOST_OUTSIDE = 100 /* one in as many */, CLUSTER = 10 };
static const double reach = 2; /* lengths */

static int compare_numbers(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* A point that may be an outlier, in cells as long as the map without them. */
typedef struct candidate {
    double cell[DLZ_MAX_MAP_DIMS];
    float place[DLZ_MAX_MAP_DIMS];
    int64_t index;
} candidate;

static int compare_candidates(const void *x, const void *y) {
    const candidate *a = x, *b = y;
    for (int k = 0; k < DLZ_MAX_MAP_DIMS; k++)
        if (a->cell[k] != b->cell[k])
            return a->cell[k] < b->cell[k] ? -1 : 1;
    for (int k = 0; k < DLZ_MAX_MAP_DIMS; k++)
        if (a->place[k] != b->place[k])
            return a->place[k] < b->place[k] ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static double length_of(const dlz_extent *extent, int dims) {
    double length = 0;
    for (int k = 0; k < dims; k++)
        length = fmax(length, extent->high[k] - extent->low[k]);
    return length;
}

static dlz_extent empty(int dims) {
    dlz_extent extent = {0};
    for (int k = 0; k < dims; k++) {
        extent.low[k] = INFINITY;
        extent.high[k] = -INFINITY;
    }
    return extent;
}

static void include(dlz_extent *extent, const float *point, int dims) {
    for (int k = 0; k < dims; k++)
        dlz_range_include(&extent->low[k], &extent->high[k], (double)point[k]);
}

static bool is_beyond(const dlz_extent *extent, double length, const float *point, int dims) {
    bool beyond = false;
    for (int k = 0; k < dims; k++)
        beyond |= (double)point[k] < extent->low[k] - reach * length ||
                  (double)point[k] > extent->high[k] + reach * length;
    return beyond;
}

/* The range of all but the lowest and highest few of each coordinate. */
static dlviz_status find_core(const float *points, int64_t n, int dims, dlz_extent *core) {
    float *sorted = dlz_alloc_array((uint64_t)n, sizeof *sorted);
    if (!sorted)
        return dlz_fail_memory("the range of a map", (uint64_t)n * sizeof *sorted);
    int64_t few = dlz_max_i64(1, n / 200);
    for (int k = 0; k < dims; k++) {
        for (int64_t i = 0; i < n; i++)
            sorted[i] = points[i * dims + k];
        qsort(sorted, (size_t)n, sizeof *sorted, compare_numbers);
        core->low[k] = (double)sorted[few];
        core->high[k] = (double)sorted[n - 1 - few];
    }
    dlz_free(sorted);
    return DLVIZ_OK;
}

static void list_beyond(const float *points, int64_t n, int dims, const dlz_extent *core,
                        double length, candidate *list) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!is_beyond(core, length, points + i * dims, dims))
            continue;
        candidate *item = &list[count++];
        *item = (candidate){.index = i};
        for (int k = 0; k < dims; k++) {
            item->place[k] = points[i * dims + k];
            item->cell[k] = floor(((double)item->place[k] - core->low[k]) / length);
        }
    }
}

/* As numbers: 0 and -0 are one. */
static bool same_cell(const candidate *a, const candidate *b) {
    for (int k = 0; k < DLZ_MAX_MAP_DIMS; k++)
        if (a->cell[k] != b->cell[k])
            return false;
    return true;
}

static bool same_place(const candidate *a, const candidate *b) {
    for (int k = 0; k < DLZ_MAX_MAP_DIMS; k++)
        if (a->place[k] != b->place[k])
            return false;
    return true;
}

/* Widens the extent by those cells that hold a cluster. */
static void include_clusters(const candidate *sorted, int64_t count, int dims, dlz_extent *extent) {
    for (int64_t first = 0, end; first < count; first = end) {
        int64_t places = 1;
        for (end = first + 1; end < count && same_cell(&sorted[first], &sorted[end]); end++)
            places += !same_place(&sorted[end], &sorted[end - 1]);
        for (int64_t i = first; places >= CLUSTER && i < end; i++)
            include(extent, sorted[i].place, dims);
    }
}

/* Marks what is beyond, and makes the extent of all else. */
static void mark(const float *points, int64_t n, int dims, const dlz_extent *kept, bool *outside,
                 dlz_extent *extent) {
    double length = length_of(kept, dims);
    *extent = *kept;
    for (int64_t i = 0; i < n; i++) {
        bool beyond = is_beyond(kept, length, points + i * dims, dims);
        if (outside)
            outside[i] = beyond;
        extent->outside += beyond;
        if (!beyond)
            include(extent, points + i * dims, dims);
    }
}

static void include_all(const float *points, int64_t n, int dims, bool *outside,
                        dlz_extent *extent) {
    *extent = empty(dims);
    for (int64_t i = 0; i < n; i++)
        include(extent, points + i * dims, dims);
    if (outside)
        memset(outside, 0, (size_t)n * sizeof *outside);
}

static dlviz_status find_clipped(const float *points, int64_t n, int dims, bool *outside,
                                 dlz_extent *extent) {
    dlz_extent core = {0};
    DLZ_TRY(find_core(points, n, dims, &core));
    double length = length_of(&core, dims);
    int64_t beyond = 0;
    for (int64_t i = 0; length > 0 && i < n; i++)
        beyond += is_beyond(&core, length, points + i * dims, dims);
    if (beyond == 0)
        return DLVIZ_OK;
    candidate *list = dlz_alloc_array((uint64_t)beyond, sizeof *list);
    if (!list)
        return dlz_fail_memory("the outliers of a map", (uint64_t)beyond * sizeof *list);
    list_beyond(points, n, dims, &core, length, list);
    qsort(list, (size_t)beyond, sizeof *list, compare_candidates);
    include_clusters(list, beyond, dims, &core);
    dlz_free(list);
    dlz_extent clipped;
    mark(points, n, dims, &core, outside, &clipped);
    if (clipped.outside > dlz_max_i64(1, n / MOST_OUTSIDE))
        include_all(points, n, dims, outside, extent);
    else
        *extent = clipped;
    return DLVIZ_OK;
}

dlviz_status dlz_find_extent(const float *points, int64_t n, int dims, bool clip, bool *outside,
                             dlz_extent *extent) {
    include_all(points, n, dims, outside, extent);
    return clip && n >= FEWEST_POINTS ? find_clipped(points, n, dims, outside, extent) : DLVIZ_OK;
}
