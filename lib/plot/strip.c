#include "plot/strip.h"
#include "base/base.h"

#include <math.h>
#include <stdlib.h>

typedef struct stacked {
    double column;
    int32_t order;
    int64_t index;
} stacked;

static int compare_stacked(const void *x, const void *y) {
    const stacked *a = x, *b = y;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static int64_t end_of_stack(const stacked *sorted, int64_t first, int64_t count) {
    int64_t end = first + 1;
    while (end < count && sorted[end].column == sorted[first].column)
        end++;
    return end;
}

dlviz_status dlz_stack(int64_t n, const double *x, const int32_t *order, const bool *skip,
                       double diameter, double height, double *y) {
    stacked *sorted = dlz_alloc_array((uint64_t)n, sizeof *sorted);
    if (!sorted)
        return dlz_fail_memory("the stacks of a strip", (uint64_t)n * sizeof *sorted);
    int64_t count = 0, highest = 1;
    for (int64_t i = 0; i < n; i++) {
        y[i] = 0;
        if (!skip || !skip[i])
            sorted[count++] = (stacked){floor(x[i] / diameter), order ? order[i] : 0, i};
    }
    qsort(sorted, (size_t)count, sizeof *sorted, compare_stacked);
    for (int64_t first = 0, end; first < count; first = end) {
        end = end_of_stack(sorted, first, count);
        highest = dlz_max_i64(highest, end - first);
    }
    double pitch = fmin(diameter, fmax(height - diameter, 0) / (double)highest);
    for (int64_t first = 0, end; first < count; first = end) {
        end = end_of_stack(sorted, first, count);
        for (int64_t k = first; k < end; k++)
            y[sorted[k].index] = pitch * ((double)(k - first) - (double)(end - first - 1) / 2);
    }
    dlz_free(sorted);
    return DLVIZ_OK;
}
