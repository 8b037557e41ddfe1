#include "kernels/embed/perplexity.h"
#include "isa/math.h"

static void weigh(const float *d, int32_t count, float b, float *weights, double sums[3]) {
    dlz_v weight = {0}, first = {0}, second = {0};
    for (int32_t i = 0; i < count; i += DLZ_LANES) {
        dlz_v distance = dlz_load(d + i), e = dlz_exp(-b * distance), product = distance * e;
        dlz_store(weights + i, e);
        weight += e;
        first += product;
        second += distance * product;
    }
    sums[0] = dlz_sum(weight);
    sums[1] = dlz_sum(first);
    sums[2] = dlz_sum(second);
}

const dlz_perplexity_kernel DLZ_VARIANT(dlz_perplexity) = {weigh};
