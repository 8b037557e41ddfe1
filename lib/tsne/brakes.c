#include "tsne/brakes.h"
#include "base/base.h"

#include <math.h>

dlviz_status dlz_brakes_create(dlz_brakes *brakes, const dlz_affinities *affinities) {
    int64_t n = affinities->n;
    *brakes = (dlz_brakes){.n = n};
    brakes->degrees = dlz_alloc_array((uint64_t)n, sizeof *brakes->degrees);
    brakes->factors = dlz_alloc_array((uint64_t)n, sizeof *brakes->factors);
    if (!brakes->degrees || !brakes->factors) {
        dlz_brakes_free(brakes);
        return dlz_fail_memory("the points' learning rates", (uint64_t)n * sizeof(double));
    }
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t e = affinities->offsets[i]; e < affinities->offsets[i + 1]; e++)
            sum += affinities->values[e];
        brakes->degrees[i] = sum;
    }
    return DLVIZ_OK;
}

void dlz_brakes_free(dlz_brakes *brakes) {
    dlz_free(brakes->degrees);
    dlz_free(brakes->factors);
    *brakes = (dlz_brakes){0};
}

double dlz_brakes_set(dlz_brakes *brakes, const int32_t *order, double rate, double exaggeration,
                      double momentum) {
    double limit = 2 * (1 + momentum);
    rate = fmin(rate, limit * (double)brakes->n);
    double pull = rate * exaggeration;
    if (brakes->is_set && pull == brakes->pull && limit == brakes->limit)
        return rate;
    brakes->is_set = true;
    brakes->pull = pull;
    brakes->limit = limit;
    brakes->active = false;
    for (int64_t i = 0; i < brakes->n; i++) {
        double stiffness = pull * brakes->degrees[order[i]];
        brakes->factors[i] = stiffness > limit ? (float)(1 / stiffness) : 1;
        brakes->active |= stiffness > limit;
    }
    return rate;
}

void dlz_brakes_release(dlz_brakes *brakes) {
    brakes->is_set = false;
}

void dlz_brakes_apply(const dlz_brakes *brakes, int64_t first, int64_t last, int dimensions,
                      float *attraction, float *repulsion) {
    if (!brakes->active)
        return;
    for (int64_t i = first; i < last; i++)
        for (int c = 0; c < dimensions && brakes->factors[i] < 1; c++) {
            attraction[i * dimensions + c] *= brakes->factors[i];
            repulsion[i * dimensions + c] *= brakes->factors[i];
        }
}
