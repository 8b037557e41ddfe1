#include "kernels/embed/attract.h"
#include "kernels/vmath.h"

#include <stdbool.h>

/* Where the edges from e on lead: points e ... e + DLZ_LANES - 1 of the group. */
typedef struct targets {
    const float *map; /* that point 0 of `narrow` or `wide` is the first of */
    const uint16_t *narrow;
    const int32_t *wide;
} targets;

DLZ_INLINE targets targets_of(const int dimensions, const bool wide, const float *map,
                              const dlz_edges *edges, int64_t e) {
    if (wide)
        return (targets){map, NULL, edges->wide + e};
    int64_t base = edges->bases[e / DLZ_EDGE_GROUP];
    return (targets){map + base * dimensions, edges->columns + e, NULL};
}

DLZ_INLINE int64_t target(const bool wide, const targets *t, int i) {
    return wide ? (int64_t)t->wide[i] : (int64_t)t->narrow[i];
}

#if defined(__AVX__)
/* Four points of the plane. Single loads put together beat the gather instruction, which processors
 * break into more steps than these. */
DLZ_INLINE __m256d four_points(const bool wide, const targets *t, int first) {
    const double *at = (const double *)(const void *)t->map;
    __m128d a =
        _mm_loadh_pd(_mm_load_sd(at + target(wide, t, first)), at + target(wide, t, first + 1));
    __m128d b =
        _mm_loadh_pd(_mm_load_sd(at + target(wide, t, first + 2)), at + target(wide, t, first + 3));
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(a), b, 1);
}
#endif

/* Coordinates of DLZ_LANES points, one vector a dimension. */
DLZ_INLINE void gather(const int dimensions, const bool wide, const targets *t, dlz_v *out) {
#if defined(__AVX512F__)
    if (dimensions == 2) {
        __m512 a = _mm512_castpd_ps(_mm512_insertf64x4(
            _mm512_castpd256_pd512(four_points(wide, t, 0)), four_points(wide, t, 4), 1));
        __m512 b = _mm512_castpd_ps(_mm512_insertf64x4(
            _mm512_castpd256_pd512(four_points(wide, t, 8)), four_points(wide, t, 12), 1));
        const __m512i even =
            _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        out[0] = (dlz_v)_mm512_permutex2var_ps(a, even, b);
        out[1] = (dlz_v)_mm512_permutex2var_ps(a, _mm512_add_epi32(even, _mm512_set1_epi32(1)), b);
        return;
    }
#elif defined(__AVX__)
    if (dimensions == 2) {
        __m256 a = _mm256_castpd_ps(four_points(wide, t, 0));
        __m256 b = _mm256_castpd_ps(four_points(wide, t, 4));
        /* Lanes come as 0 1 4 5 2 3 6 7, and so do the edges' values: see values_of. */
        out[0] = (dlz_v)_mm256_shuffle_ps(a, b, 0x88);
        out[1] = (dlz_v)_mm256_shuffle_ps(a, b, 0xDD);
        return;
    }
#endif
    float lanes[3][DLZ_LANES];
#pragma GCC unroll 16
    for (int lane = 0; lane < DLZ_LANES; lane++)
#pragma GCC unroll 3
        for (int c = 0; c < dimensions; c++)
            lanes[c][lane] = t->map[target(wide, t, lane) * dimensions + c];
    for (int c = 0; c < dimensions; c++)
        out[c] = dlz_load(lanes[c]);
}

typedef uint16_t narrow __attribute__((vector_size(DLZ_LANES * 2), aligned(2), may_alias));

/* The edges' values in the order in which gather() gives their points. */
DLZ_INLINE dlz_v values_of(const int dimensions, const uint16_t *values) {
    dlz_v in_order = __builtin_convertvector(*(const narrow *)values, dlz_v);
#if defined(__AVX__) && !defined(__AVX512F__)
    if (dimensions == 2)
        return (dlz_v)_mm256_castpd_ps(
            _mm256_permute4x64_pd(_mm256_castps_pd((__m256)in_order), 0xD8));
#else
    (void)dimensions;
#endif
    return in_order;
}

DLZ_INLINE void forces_body(const int dimensions, const bool cauchy, const bool wide, float a,
                            const float *map, const dlz_edges *edges, int64_t first, int64_t last,
                            float *forces) {
    const float inverse_a = 1 / a;
    for (int64_t row = first; row < last; row++) {
        dlz_v own[3], sums[3];
        for (int c = 0; c < dimensions; c++) {
            own[c] = dlz_splat(map[row * dimensions + c]);
            sums[c] = dlz_splat(0);
        }
        int64_t end = edges->groups[row + 1] * DLZ_EDGE_GROUP;
        for (int64_t e = edges->groups[row] * DLZ_EDGE_GROUP; e < end; e += DLZ_LANES) {
            dlz_v other[3], square = {0};
            targets t = targets_of(dimensions, wide, map, edges, e);
            gather(dimensions, wide, &t, other);
            for (int c = 0; c < dimensions; c++) {
                other[c] = own[c] - other[c];
                square += other[c] * other[c];
            }
            dlz_v base = cauchy ? square + 1.0f : square * inverse_a + 1.0f;
            dlz_v pull = values_of(dimensions, edges->values + e) * dlz_v_reciprocal(base);
            for (int c = 0; c < dimensions; c++)
                sums[c] += pull * other[c];
        }
        for (int c = 0; c < dimensions; c++)
            forces[row * dimensions + c] = edges->scales[row] * dlz_v_sum(sums[c]);
    }
}

DLZ_INLINE double divergence_body(const int dimensions, const bool wide, float a, const float *map,
                                  const dlz_edges *edges, int64_t first, int64_t last) {
    const float inverse_a = 1 / a;
    double total = 0;
    for (int64_t row = first; row < last; row++) {
        dlz_v own[3], sum = {0};
        for (int c = 0; c < dimensions; c++)
            own[c] = dlz_splat(map[row * dimensions + c]);
        int64_t end = edges->groups[row + 1] * DLZ_EDGE_GROUP;
        for (int64_t e = edges->groups[row] * DLZ_EDGE_GROUP; e < end; e += DLZ_LANES) {
            dlz_v other[3], square = {0};
            targets t = targets_of(dimensions, wide, map, edges, e);
            gather(dimensions, wide, &t, other);
            for (int c = 0; c < dimensions; c++) {
                other[c] = own[c] - other[c];
                square += other[c] * other[c];
            }
            sum += values_of(dimensions, edges->values + e) * dlz_v_log(square * inverse_a + 1.0f);
        }
        total += (double)edges->scales[row] * dlz_v_sum(sum);
    }
    return a * total;
}

static void forces(int dimensions, float a, const float *map, const dlz_edges *edges, int64_t first,
                   int64_t last, float *out) {
    if (edges->wide && dimensions == 1)
        forces_body(1, false, true, a, map, edges, first, last, out);
    else if (edges->wide && dimensions == 2)
        forces_body(2, false, true, a, map, edges, first, last, out);
    else if (edges->wide)
        forces_body(3, false, true, a, map, edges, first, last, out);
    else if (dimensions == 2 && a == 1)
        forces_body(2, true, false, a, map, edges, first, last, out);
    else if (dimensions == 2)
        forces_body(2, false, false, a, map, edges, first, last, out);
    else if (dimensions == 1)
        forces_body(1, false, false, a, map, edges, first, last, out);
    else
        forces_body(3, false, false, a, map, edges, first, last, out);
}

static double divergence(int dimensions, float a, const float *map, const dlz_edges *edges,
                         int64_t first, int64_t last) {
    if (edges->wide && dimensions == 1)
        return divergence_body(1, true, a, map, edges, first, last);
    if (edges->wide && dimensions == 2)
        return divergence_body(2, true, a, map, edges, first, last);
    if (edges->wide)
        return divergence_body(3, true, a, map, edges, first, last);
    if (dimensions == 1)
        return divergence_body(1, false, a, map, edges, first, last);
    if (dimensions == 2)
        return divergence_body(2, false, a, map, edges, first, last);
    return divergence_body(3, false, a, map, edges, first, last);
}

static double step(const dlz_descent *descent, int64_t first, int64_t last) {
    const float *attraction = descent->attraction, *repulsion = descent->repulsion;
    float *map = descent->map, *velocity = descent->velocity, *gains = descent->gains;
    double total = 0;
    for (int64_t start = first; start < last; start += 1024) {
        int64_t end = start + 1024 < last ? start + 1024 : last, i = start;
        dlz_v squares = {0};
        for (; i + DLZ_LANES <= end; i += DLZ_LANES) {
            dlz_v gradient = descent->exaggeration * dlz_load(attraction + i) -
                             descent->repulsion_scale * dlz_load(repulsion + i);
            dlz_v speed = dlz_load(velocity + i), gain = dlz_load(gains + i);
            dlz_vi against = speed * gradient < 0.0f;
            gain = dlz_v_select(against, gain + 0.2f, gain * 0.8f);
            gain = dlz_v_select(gain < 0.01f, dlz_splat(0.01f), gain);
            speed = descent->momentum * speed - descent->learning_rate * gain * gradient;
            squares += gradient * gradient;
            dlz_store(gains + i, gain);
            dlz_store(velocity + i, speed);
            dlz_store(map + i, dlz_load(map + i) + speed);
        }
        float rest = 0;
        for (; i < end; i++) {
            float gradient =
                descent->exaggeration * attraction[i] - descent->repulsion_scale * repulsion[i];
            float gain = velocity[i] * gradient < 0 ? gains[i] + 0.2f : gains[i] * 0.8f;
            gains[i] = gain < 0.01f ? 0.01f : gain;
            velocity[i] =
                descent->momentum * velocity[i] - descent->learning_rate * gains[i] * gradient;
            map[i] += velocity[i];
            rest += gradient * gradient;
        }
        total += (double)dlz_v_sum(squares) + rest;
    }
    return total;
}

const dlz_attract_kernel DLZ_VARIANT(dlz_attract) = {forces, divergence, step};
