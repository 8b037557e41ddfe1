#include "tsne/repulsion.h"
#include "base/base.h"
#include "tsne/repulsion_grid.h"
#include "tsne/repulsion_tree.h"

#include <math.h>

#define RECONSIDER 20  /* computations between looks at the cost */
#define RELUCTANCE 1.2 /* how much faster another method has to be */

/* Nanoseconds on one core of 2024, by dimensions: a pair of points; a point of a tree of 1000, and
 * the power of the number of points with which that grows. */
static const double cost_of_pair[] = {0.046, 0.076, 0.1};
static const double cost_in_tree[] = {35, 80, 120};
static const double growth_in_tree[] = {0, 0.28, 0.4};

struct dlz_repulsion {
    dlz_repulsion_settings settings;
    dlviz_tsne_method_kind used;
    int64_t computations;
    dlz_exact_repulsion exact;
    dlz_grid_repulsion grid;
    dlz_tree_repulsion tree;
};

dlviz_status dlz_repulsion_create(dlz_repulsion **out, const dlz_repulsion_settings *settings) {
    *out = dlz_alloc_zero(sizeof **out);
    if (!*out)
        return dlz_fail_memory("the repulsion", sizeof **out);
    (*out)->settings = *settings;
    (*out)->used = settings->method;
    return DLVIZ_OK;
}

void dlz_repulsion_destroy(dlz_repulsion *repulsion) {
    if (!repulsion)
        return;
    dlz_exact_free(&repulsion->exact);
    dlz_grid_free(&repulsion->grid);
    dlz_tree_free(&repulsion->tree);
    dlz_free(repulsion);
}

dlviz_tsne_method_kind dlz_repulsion_method(const dlz_repulsion *repulsion) {
    return repulsion->used;
}

/* By estimates, not by the clock: the method decides the last bits of a map, and they are to be
 * the same in each run. */
static dlviz_tsne_method_kind choose(const dlz_repulsion *repulsion, const float *map) {
    const dlz_repulsion_settings *settings = &repulsion->settings;
    double n = (double)settings->n, costs[DLVIZ_TSNE_METHOD_GRID + 1] = {0};
    int dimensions = settings->dimensions;
    costs[DLVIZ_TSNE_METHOD_EXACT] = cost_of_pair[dimensions - 1] * n * n;
    costs[DLVIZ_TSNE_METHOD_BARNES_HUT] =
        cost_in_tree[dimensions - 1] * n * pow(n / 1000, growth_in_tree[dimensions - 1]);
    costs[DLVIZ_TSNE_METHOD_GRID] = INFINITY;
    float least[3], greatest[3];
    if (dimensions < 3 && dlz_particles()->extent(map, settings->n, dimensions, least, greatest)) {
        double size[2] = {(double)greatest[0] - least[0],
                          dimensions > 1 ? (double)greatest[1] - least[1] : 0};
        costs[DLVIZ_TSNE_METHOD_GRID] = dlz_grid_cost(&repulsion->grid, settings, size);
    }
    int best = DLVIZ_TSNE_METHOD_EXACT;
    for (int method = best + 1; method <= DLVIZ_TSNE_METHOD_GRID; method++)
        best = costs[method] < costs[best] ? method : best;
    int now = (int)repulsion->used;
    return (dlviz_tsne_method_kind)(now != DLVIZ_TSNE_METHOD_AUTO &&
                                            costs[now] < RELUCTANCE * costs[best]
                                        ? now
                                        : best);
}

dlviz_status dlz_repulsion_compute(dlz_repulsion *repulsion, const float *map, float *forces,
                                   double *z) {
    const dlz_repulsion_settings *settings = &repulsion->settings;
    if (repulsion->computations++ % RECONSIDER == 0)
        repulsion->used =
            settings->method == DLVIZ_TSNE_METHOD_AUTO ? choose(repulsion, map) : settings->method;
    if (repulsion->used == DLVIZ_TSNE_METHOD_GRID) {
        DLZ_TRY(dlz_grid_compute(&repulsion->grid, settings, map, forces, z));
        if (!isnan(*z))
            return DLVIZ_OK;
        repulsion->used = DLVIZ_TSNE_METHOD_BARNES_HUT;
    }
    if (repulsion->used == DLVIZ_TSNE_METHOD_BARNES_HUT)
        return dlz_tree_compute(&repulsion->tree, settings, map, forces, z);
    return dlz_exact_compute(&repulsion->exact, settings, map, forces, z);
}
