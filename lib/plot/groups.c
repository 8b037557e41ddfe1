/* The classes that points have, those that look alike, and the order in which they are drawn. */
#include "plot/scatter.h"
#include "base/base.h"
#include "base/random.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 256 /* colors of values */, LAYERS = 2 * (DLZ_MAX_POINT_SETS + 1) };

/* ---- Classes --------------------------------------------------------------------------------- */

static int compare_labels(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int find_entry(const dlz_scatter_view *view, int32_t label) {
    int low = 0, high = view->classes - 1;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (view->entries[middle].label < label)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Makes entries of sorted labels, which begin with those below 0. */
static void list_entries(dlz_scatter_view *view, const int32_t *labels) {
    int64_t n = view->scatter->n, without = 0;
    while (without < n && labels[without] < 0)
        without++;
    for (int64_t i = without; i < n; i++) {
        if (i == without || labels[i] != labels[i - 1])
            view->entries[view->classes++] = (dlz_entry){.label = labels[i]};
        view->entries[view->classes - 1].size++;
    }
    view->num_entries = view->classes;
    if (without > 0) /* by the largest of their labels, as a rule -1 */
        view->entries[view->num_entries++] = (dlz_entry){labels[without - 1], without};
}

static int64_t count_different(int64_t n, const int32_t *sorted) {
    int64_t count = 1;
    for (int64_t i = 1; i < n; i++)
        count += sorted[i] != sorted[i - 1];
    return count;
}

static dlviz_status count_classes(dlz_scatter_view *view) {
    int64_t n = view->scatter->n;
    if (!view->scatter->class)
        return DLVIZ_OK;
    int32_t *sorted = dlz_alloc_array((uint64_t)n, sizeof *sorted);
    int32_t *entry_of = view->entry_of = dlz_alloc_array((uint64_t)n, sizeof *entry_of);
    if (sorted && entry_of) {
        memcpy(sorted, view->scatter->class, (size_t)n * sizeof *sorted);
        qsort(sorted, (size_t)n, sizeof *sorted, compare_labels);
        uint64_t most = (uint64_t)count_different(n, sorted) + 1;
        view->entries = dlz_alloc_array(most, sizeof *view->entries);
        if (view->entries)
            list_entries(view, sorted);
    }
    dlz_free(sorted);
    if (!entry_of || !view->entries)
        return dlz_fail_memory("the classes of points", (uint64_t)n * 8);
    for (int64_t i = 0; i < n; i++) {
        int32_t label = view->scatter->class[i];
        entry_of[i] = label < 0 ? DLZ_NO_CLASS : find_entry(view, label);
    }
    return DLVIZ_OK;
}

/* ---- Groups ---------------------------------------------------------------------------------- */

static dlviz_status make_looks(dlz_scatter_view *view, int count) {
    view->num_groups = count;
    view->looks = dlz_alloc_array((uint64_t)count, sizeof *view->looks);
    view->group_of = dlz_alloc_array_zero((uint64_t)view->scatter->n, sizeof *view->group_of);
    return view->looks && view->group_of
               ? DLVIZ_OK
               : dlz_fail_memory("the looks of points", (uint64_t)view->scatter->n * 4);
}

static dlviz_status group_by_class(dlz_scatter_view *view) {
    DLZ_TRY(make_looks(view, view->num_entries > 0 ? view->num_entries : 1));
    view->looks[0] = dlz_look_of(view->scatter, 0);
    for (int i = 0; i < view->num_entries; i++)
        view->looks[i] = dlz_look_of(view->scatter, view->entries[i].label);
    view->beneath = view->num_entries > view->classes ? view->classes : -1;
    for (int64_t i = 0; view->entry_of && i < view->scatter->n; i++)
        view->group_of[i] = view->entry_of[i] == DLZ_NO_CLASS ? view->beneath : view->entry_of[i];
    return DLVIZ_OK;
}

/* The bar's range: of the values that are there, but for a few that are far away. */
static dlviz_status find_range(dlz_scatter_view *view) {
    const float *values = view->scatter->values->data;
    float *given = dlz_alloc_array((uint64_t)view->scatter->n, sizeof *given);
    if (!given)
        return dlz_fail_memory("the values of points", (uint64_t)view->scatter->n * sizeof *given);
    int64_t count = 0;
    for (int64_t i = 0; i < view->scatter->n; i++)
        if (!isnan(values[i]))
            given[count++] = values[i];
    view->values_missing = view->scatter->n - count;
    dlz_extent range;
    dlviz_status status = dlz_find_extent(given, count, 1, view->scatter->clip, NULL, &range);
    dlz_free(given);
    DLZ_TRY(status);
    view->lowest = range.low[0];
    view->highest = range.high[0];
    view->values_outside = range.outside;
    double largest = fmax(fabs(view->lowest), fabs(view->highest));
    if (view->figure->colormap == DLVIZ_COLORMAP_DIVERGING) {
        view->lowest = -largest;
        view->highest = largest;
    }
    if (view->highest - view->lowest <= 1e-7 * largest || largest == 0) {
        double around = largest > 0 ? 0.1 * largest : 1;
        view->lowest -= around;
        view->highest += around;
    }
    return DLVIZ_OK;
}

static dlviz_status group_by_value(dlz_scatter_view *view) {
    DLZ_TRY(find_range(view));
    DLZ_TRY(make_looks(view, STEPS + 1));
    for (int i = 0; i < STEPS; i++)
        view->looks[i] = (dlz_look){.color = dlz_value_color(view->figure, (i + 0.5) / STEPS),
                                    .marker = DLVIZ_MARKER_CIRCLE};
    view->looks[STEPS] = dlz_class_look(-1);
    view->beneath = STEPS;
    const float *values = view->scatter->values->data;
    double range = view->highest - view->lowest;
    for (int64_t i = 0; i < view->scatter->n; i++) {
        double step = floor(STEPS * ((double)values[i] - view->lowest) / range);
        view->group_of[i] = isnan(values[i]) ? STEPS : (int32_t)fmin(fmax(step, 0), STEPS - 1);
    }
    return DLVIZ_OK;
}

/* ---- Order ----------------------------------------------------------------------------------- */

int dlz_scatter_set(const dlz_scatter *scatter, int64_t i) {
    int set = 0;
    while (set < scatter->num_sets && i >= scatter->sets[set].first)
        set++;
    return set;
}

static int layer_of(const dlz_scatter_view *view, int64_t i) {
    return 2 * dlz_scatter_set(view->scatter, i) + (view->group_of[i] != view->beneath);
}

/* A fixed shuffle: neighboring classes cover each other by chance and not by their order. Added
 * sets lie above earlier ones, and in each set points without a class or value beneath others. */
static dlviz_status make_order(dlz_scatter_view *view) {
    int64_t n = view->scatter->n, starts[LAYERS + 1] = {0};
    int64_t *shuffled = dlz_alloc_array((uint64_t)n, sizeof *shuffled);
    view->order = dlz_alloc_array((uint64_t)n, sizeof *view->order);
    if (!shuffled || !view->order) {
        dlz_free(shuffled);
        return dlz_fail_memory("the order of points", (uint64_t)n * sizeof *shuffled);
    }
    for (int64_t i = 0; i < n; i++) {
        shuffled[i] = i;
        starts[layer_of(view, i) + 1]++;
    }
    for (int layer = 0; layer < LAYERS; layer++)
        starts[layer + 1] += starts[layer];
    dlz_random random = dlz_random_start(0, DLZ_STREAM_SHUFFLE);
    dlz_random_shuffle(&random, shuffled, n);
    for (int64_t k = 0; k < n; k++)
        view->order[starts[layer_of(view, shuffled[k])]++] = shuffled[k];
    dlz_free(shuffled);
    return DLVIZ_OK;
}

dlviz_status dlz_make_groups(dlz_scatter_view *view) {
    DLZ_TRY(count_classes(view));
    DLZ_TRY(view->scatter->values ? group_by_value(view) : group_by_class(view));
    return make_order(view);
}

void dlz_free_groups(dlz_scatter_view *view) {
    void *const parts[] = {view->entries, view->entry_of, view->looks, view->group_of, view->order};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        dlz_free(parts[i]);
}
