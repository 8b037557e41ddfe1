#include "kernels/attract.h"
#include "kernels/vmath.h"

#include <stdbool.h>

/* Coordinates of DLZ_LANES points, one vector a dimension. */
DLZ_INLINE void gather(const int dimensions, const float *map, const int32_t *points, dlz_v *out) {
#if defined(__AVX512F__)
    if (dimensions == 2) {
        __m256i low = _mm256_loadu_si256((const __m256i *)points);
        __m256i high = _mm256_loadu_si256((const __m256i *)(points + 8));
        __m512 a = _mm512_castpd_ps(_mm512_i32gather_pd(low, map, 8));
        __m512 b = _mm512_castpd_ps(_mm512_i32gather_pd(high, map, 8));
        const __m512i even =
            _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        out[0] = (dlz_v)_mm512_permutex2var_ps(a, even, b);
        out[1] = (dlz_v)_mm512_permutex2var_ps(a, _mm512_add_epi32(even, _mm512_set1_epi32(1)), b);
        return;
    }
#endif
    float lanes[3][DLZ_LANES];
#pragma GCC unroll 16
    for (int lane = 0; lane < DLZ_LANES; lane++)
#pragma GCC unroll 3
        for (int c = 0; c < dimensions; c++)
            lanes[c][lane] = map[(int64_t)points[lane] * dimensions + c];
    for (int c = 0; c < dimensions; c++)
        out[c] = dlz_load(lanes[c]);
}

DLZ_INLINE void forces_body(const int dimensions, const bool cauchy, float a, const float *map,
                            const dlz_edges *edges, int64_t first, int64_t last, float *forces) {
    const float inverse_a = 1 / a;
    for (int64_t row = first; row < last; row++) {
        dlz_v own[3], sums[3];
        for (int c = 0; c < dimensions; c++) {
            own[c] = dlz_splat(map[row * dimensions + c]);
            sums[c] = dlz_splat(0);
        }
        int64_t end = edges->offsets[row + 1];
        for (int64_t e = edges->offsets[row]; e < end; e += DLZ_LANES) {
            dlz_v other[3], square = {0};
            gather(dimensions, map, edges->columns + e, other);
            for (int c = 0; c < dimensions; c++) {
                other[c] = own[c] - other[c];
                square += other[c] * other[c];
            }
            dlz_v base = cauchy ? square + 1.0f : square * inverse_a + 1.0f;
            dlz_v pull = dlz_load(edges->values + e) * dlz_v_reciprocal(base);
            for (int c = 0; c < dimensions; c++)
                sums[c] += pull * other[c];
        }
        for (int c = 0; c < dimensions; c++)
            forces[row * dimensions + c] = dlz_v_sum(sums[c]);
    }
}

DLZ_INLINE double divergence_body(const int dimensions, float a, const float *map,
                                  const dlz_edges *edges, int64_t first, int64_t last) {
    const float inverse_a = 1 / a;
    double total = 0;
    for (int64_t row = first; row < last; row++) {
        dlz_v own[3], sum = {0};
        for (int c = 0; c < dimensions; c++)
            own[c] = dlz_splat(map[row * dimensions + c]);
        int64_t end = edges->offsets[row + 1];
        for (int64_t e = edges->offsets[row]; e < end; e += DLZ_LANES) {
            dlz_v other[3], square = {0};
            gather(dimensions, map, edges->columns + e, other);
            for (int c = 0; c < dimensions; c++) {
                other[c] = own[c] - other[c];
                square += other[c] * other[c];
            }
            sum += dlz_load(edges->values + e) * dlz_v_log(square * inverse_a + 1.0f);
        }
        total += dlz_v_sum(sum);
    }
    return a * total;
}

static void forces(int dimensions, float a, const float *map, const dlz_edges *edges, int64_t first,
                   int64_t last, float *out) {
    if (dimensions == 2 && a == 1)
        forces_body(2, true, a, map, edges, first, last, out);
    else if (dimensions == 2)
        forces_body(2, false, a, map, edges, first, last, out);
    else if (dimensions == 1)
        forces_body(1, false, a, map, edges, first, last, out);
    else
        forces_body(3, false, a, map, edges, first, last, out);
}

static double divergence(int dimensions, float a, const float *map, const dlz_edges *edges,
                         int64_t first, int64_t last) {
    if (dimensions == 1)
        return divergence_body(1, a, map, edges, first, last);
    if (dimensions == 2)
        return divergence_body(2, a, map, edges, first, last);
    return divergence_body(3, a, map, edges, first, last);
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
