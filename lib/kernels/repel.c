#include "kernels/repel.h"
#include "kernels/vmath.h"

#include <stdbool.h>

#if defined(__AVX512F__)
#define VECTORS 4
#else
#define VECTORS 2
#endif

DLZ_INLINE void sum_body(const int dimensions, const bool cauchy, const bool weighted, float a,
                         const float *const targets[3], const float *const sources[3],
                         const float *masses, int64_t count, float *const force[3],
                         float *similarity) {
    const float inverse_a = 1 / a;
    for (int t = 0; t < DLZ_REPEL_TARGETS; t += VECTORS * DLZ_LANES) {
        dlz_v y[3][VECTORS], f[3][VECTORS], s[VECTORS];
        for (int v = 0; v < VECTORS; v++) {
            s[v] = dlz_load(similarity + t + v * DLZ_LANES);
            for (int c = 0; c < dimensions; c++) {
                y[c][v] = dlz_load(targets[c] + t + v * DLZ_LANES);
                f[c][v] = dlz_load(force[c] + t + v * DLZ_LANES);
            }
        }
        for (int64_t i = 0; i < count; i++) {
            dlz_v x[3], mass = dlz_splat(weighted ? masses[i] : 1);
            for (int c = 0; c < dimensions; c++)
                x[c] = dlz_splat(sources[c][i]);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                dlz_v d[3], square = {0};
#pragma GCC unroll 3
                for (int c = 0; c < dimensions; c++) {
                    d[c] = y[c][v] - x[c];
                    square = c == 0 ? d[0] * d[0] : square + d[c] * d[c];
                }
                dlz_v base = cauchy ? square + 1.0f : square * inverse_a + 1.0f;
                dlz_v w = dlz_v_reciprocal(base);
                dlz_v q = cauchy ? w : dlz_v_exp(-a * dlz_v_log(base));
                if (weighted)
                    q *= mass;
                s[v] += q;
                q *= w;
#pragma GCC unroll 3
                for (int c = 0; c < dimensions; c++)
                    f[c][v] += q * d[c];
            }
        }
        for (int v = 0; v < VECTORS; v++) {
            dlz_store(similarity + t + v * DLZ_LANES, s[v]);
            for (int c = 0; c < dimensions; c++)
                dlz_store(force[c] + t + v * DLZ_LANES, f[c][v]);
        }
    }
}

DLZ_INLINE void sum_of(const int dimensions, float a, const float *const targets[3],
                       const float *const sources[3], const float *masses, int64_t count,
                       float *const force[3], float *similarity) {
    if (a != 1)
        sum_body(dimensions, false, masses != NULL, a, targets, sources, masses, count, force,
                 similarity);
    else if (masses)
        sum_body(dimensions, true, true, a, targets, sources, masses, count, force, similarity);
    else
        sum_body(dimensions, true, false, a, targets, sources, masses, count, force, similarity);
}

static void sum(int dimensions, float a, const float *const targets[3],
                const float *const sources[3], const float *masses, int64_t count,
                float *const force[3], float *similarity) {
    if (dimensions == 1)
        sum_of(1, a, targets, sources, masses, count, force, similarity);
    else if (dimensions == 2)
        sum_of(2, a, targets, sources, masses, count, force, similarity);
    else
        sum_of(3, a, targets, sources, masses, count, force, similarity);
}

const dlz_repel_kernel DLZ_VARIANT(dlz_repel) = {sum};
