#include "plot/places.h"
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

typedef struct located {
    float at[3];
    int64_t index;
} located;

static int compare_places(const located *a, const located *b) {
    for (int k = 0; k < 3; k++)
        if (a->at[k] != b->at[k])
            return a->at[k] < b->at[k] ? -1 : 1;
    return 0;
}

static int compare_located(const void *x, const void *y) {
    const located *a = x, *b = y;
    int order = compare_places(a, b);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

dlviz_status dlz_count_places(const float *points, int64_t n, int dims, int64_t *shared,
                              int64_t *places) {
    located *sorted = dlz_alloc_array_zero((uint64_t)n, sizeof *sorted);
    if (!sorted)
        return dlz_fail_memory("the places of points", (uint64_t)n * sizeof *sorted);
    for (int64_t i = 0; i < n; i++) {
        sorted[i].index = i;
        for (int k = 0; k < dims; k++)
            sorted[i].at[k] = points[i * dims + k];
    }
    qsort(sorted, (size_t)n, sizeof *sorted, compare_located);
    memset(shared, 0, (size_t)n * sizeof *shared);
    *places = 0;
    for (int64_t first = 0, end; first < n; first = end) {
        end = first + 1;
        while (end < n && compare_places(&sorted[first], &sorted[end]) == 0)
            end++;
        if (end - first > 1)
            shared[sorted[first].index] = end - first;
        ++*places;
    }
    dlz_free(sorted);
    return DLVIZ_OK;
}
