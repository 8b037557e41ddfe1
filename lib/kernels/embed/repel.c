#include "kernels/embed/repel.h"
#include "isa/math.h"

#include <stdbool.h>

#if DLZ_LANES == 16
#define VECTORS 4
#else
#define VECTORS 2
#endif

/* What the sources of a list add to VECTORS vectors of targets. Where the sources are the targets
 * themselves, target i leaves out source i. */
DLZ_INLINE void sum_body(const int dimensions, const bool cauchy, const bool themselves, float a,
                         const float *const targets[3], const float *const sources[3],
                         int64_t count, float *const force[3], float *similarity) {
    const float inverse_a = 1 / a;
    dlz_v lane;
    for (int l = 0; l < DLZ_LANES; l++)
        lane[l] = (float)l;
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
            dlz_v x[3];
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
                dlz_v w = dlz_reciprocal(base);
                dlz_v q = cauchy ? w : dlz_exp(-a * dlz_log(base));
                if (themselves)
                    q = dlz_select(lane == (float)(i - t - v * DLZ_LANES), dlz_splat(0), q);
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

/* With u = d^2, s's derivatives by u are -e, e w (a + 1) / a and -e w^2 (a + 1) (a + 2) / a^2,
 * where e = s w. Points that lie x_i from their center, sum of x_i zero, moments M = count, Q = sum
 * of x_i x_i', T = its trace, have
 *     sum of s  =  M s - e T + 2 (a + 1) / a e w d'Q d,
 * and the force is -1/2 of its gradient. */
DLZ_INLINE void expand_body(const int dimensions, const bool cauchy, float a,
                            const float *const targets[3], const dlz_repel_cells *cells,
                            int64_t count, float *const force[3], float *similarity) {
    const float inverse_a = 1 / a, first = (a + 1) / a, second = (a + 2) / a;
    for (int t = 0; t < DLZ_REPEL_TARGETS; t += DLZ_LANES * 2) {
        dlz_v y[3][2], f[3][2], sums[2];
        for (int v = 0; v < 2; v++) {
            sums[v] = dlz_load(similarity + t + v * DLZ_LANES);
            for (int c = 0; c < dimensions; c++) {
                y[c][v] = dlz_load(targets[c] + t + v * DLZ_LANES);
                f[c][v] = dlz_load(force[c] + t + v * DLZ_LANES);
            }
        }
        for (int64_t i = 0; i < count; i++) {
            float trace = cells->second[0][i], q[6] = {2 * first * trace};
            for (int k = 1; k < dimensions; k++) {
                trace += cells->second[k][i];
                q[k] = 2 * first * cells->second[k][i];
            }
            if (dimensions > 1)
                q[3] = 2 * first * cells->second[3][i];
            if (dimensions > 2) {
                q[4] = 2 * first * cells->second[4][i];
                q[5] = 2 * first * cells->second[5][i];
            }
            const float mass = cells->mass[i];
#pragma GCC unroll 2
            for (int v = 0; v < 2; v++) {
                dlz_v d[3], turned[3], square = {0}, b = {0};
#pragma GCC unroll 3
                for (int c = 0; c < dimensions; c++) {
                    d[c] = y[c][v] - cells->center[c][i];
                    square = c == 0 ? d[0] * d[0] : square + d[c] * d[c];
                }
                turned[0] = q[0] * d[0];
                if (dimensions > 1) {
                    turned[0] += q[3] * d[1];
                    turned[1] = q[3] * d[0] + q[1] * d[1];
                }
                if (dimensions > 2) {
                    turned[0] += q[4] * d[2];
                    turned[1] += q[5] * d[2];
                    turned[2] = q[4] * d[0] + q[5] * d[1] + q[2] * d[2];
                }
#pragma GCC unroll 3
                for (int c = 0; c < dimensions; c++)
                    b = c == 0 ? d[0] * turned[0] : b + d[c] * turned[c];
                dlz_v base = cauchy ? square + 1.0f : square * inverse_a + 1.0f;
                dlz_v w = dlz_reciprocal(base);
                dlz_v s = cauchy ? w : dlz_exp(-a * dlz_log(base));
                dlz_v e = s * w, bw = b * w;
                sums[v] += mass * s + e * (bw - trace);
                dlz_v radial = e * (mass + w * (second * bw - first * trace)), across = e * w;
#pragma GCC unroll 3
                for (int c = 0; c < dimensions; c++)
                    f[c][v] += radial * d[c] - across * turned[c];
            }
        }
        for (int v = 0; v < 2; v++) {
            dlz_store(similarity + t + v * DLZ_LANES, sums[v]);
            for (int c = 0; c < dimensions; c++)
                dlz_store(force[c] + t + v * DLZ_LANES, f[c][v]);
        }
    }
}

#define FOR_DIMENSIONS(BODY, ...)                                                                  \
    do {                                                                                           \
        const bool cauchy = a == 1;                                                                \
        if (dimensions == 1 && cauchy)                                                             \
            BODY(1, true, __VA_ARGS__);                                                            \
        else if (dimensions == 1)                                                                  \
            BODY(1, false, __VA_ARGS__);                                                           \
        else if (dimensions == 2 && cauchy)                                                        \
            BODY(2, true, __VA_ARGS__);                                                            \
        else if (dimensions == 2)                                                                  \
            BODY(2, false, __VA_ARGS__);                                                           \
        else if (cauchy)                                                                           \
            BODY(3, true, __VA_ARGS__);                                                            \
        else                                                                                       \
            BODY(3, false, __VA_ARGS__);                                                           \
    } while (0)

static void sum(int dimensions, float a, const float *const targets[3],
                const float *const sources[3], int64_t count, float *const force[3],
                float *similarity) {
    FOR_DIMENSIONS(sum_body, false, a, targets, sources, count, force, similarity);
}

static void sum_among(int dimensions, float a, const float *const targets[3], int64_t count,
                      float *const force[3], float *similarity) {
    FOR_DIMENSIONS(sum_body, true, a, targets, targets, count, force, similarity);
}

static void expand(int dimensions, float a, const float *const targets[3],
                   const dlz_repel_cells *cells, int64_t count, float *const force[3],
                   float *similarity) {
    FOR_DIMENSIONS(expand_body, a, targets, cells, count, force, similarity);
}

const dlz_repel_kernel DLZ_VARIANT(dlz_repel) = {sum, sum_among, expand};
