#include "embed/repulsion.h"
#include "base/base.h"

struct dlz_repulsion {
    dlz_repulsion_settings settings;
    dlviz_tsne_method used;
    dlz_exact_repulsion exact;
};

dlviz_status dlz_repulsion_create(dlz_repulsion **out, const dlz_repulsion_settings *settings) {
    *out = dlz_alloc_zero(sizeof **out);
    if (!*out)
        return dlz_fail_memory("the repulsion", sizeof **out);
    (*out)->settings = *settings;
    (*out)->used = settings->method == DLVIZ_TSNE_AUTO ? DLVIZ_TSNE_EXACT : settings->method;
    return DLVIZ_OK;
}

void dlz_repulsion_destroy(dlz_repulsion *repulsion) {
    if (!repulsion)
        return;
    dlz_exact_free(&repulsion->exact);
    dlz_free(repulsion);
}

dlviz_tsne_method dlz_repulsion_method(const dlz_repulsion *repulsion) {
    return repulsion->used;
}

dlviz_status dlz_repulsion_compute(dlz_repulsion *repulsion, const float *map, float *forces,
                                   double *z) {
    return dlz_exact_compute(&repulsion->exact, &repulsion->settings, map, forces, z);
}
