#include "embed/repulsion.h"
#include "base/base.h"
#include "embed/repulsion_grid.h"
#include "embed/repulsion_tree.h"

/* Fewer points repel each other directly faster than by way of a grid or tree. */
#define EXACT_POINTS 1000

struct dlz_repulsion {
    dlz_repulsion_settings settings;
    dlviz_tsne_method used;
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
    if (settings->method == DLVIZ_TSNE_AUTO)
        (*out)->used = settings->n <= EXACT_POINTS ? DLVIZ_TSNE_EXACT
                       : settings->dimensions < 3  ? DLVIZ_TSNE_GRID
                                                   : DLVIZ_TSNE_BARNES_HUT;
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

dlviz_tsne_method dlz_repulsion_method(const dlz_repulsion *repulsion) {
    return repulsion->used;
}

dlviz_status dlz_repulsion_compute(dlz_repulsion *repulsion, const float *map, float *forces,
                                   double *z) {
    if (repulsion->used == DLVIZ_TSNE_GRID)
        return dlz_grid_compute(&repulsion->grid, &repulsion->settings, map, forces, z);
    if (repulsion->used == DLVIZ_TSNE_BARNES_HUT)
        return dlz_tree_compute(&repulsion->tree, &repulsion->settings, map, forces, z);
    return dlz_exact_compute(&repulsion->exact, &repulsion->settings, map, forces, z);
}
