#include "kernels/embed/attract.h"
#include "isa/math.h"

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

DLZ_INLINE const float *narrow_place(const void *context, int i) {
    const targets *t = context;
    return t->map + 2 * (int64_t)t->narrow[i];
}

DLZ_INLINE const float *wide_place(const void *context, int i) {
    const targets *t = context;
    return t->map + 2 * (int64_t)t->wide[i];
}

/* Coordinates of DLZ_LANES points, one vector a dimension; in the plane in dlz_load_pairs's order.
 */
DLZ_INLINE void gather(const int dimensions, const bool wide, const targets *t, dlz_v *out) {
    if (dimensions == 2) {
        dlz_load_pairs(wide ? wide_place : narrow_place, t, &out[0], &out[1]);
        return;
    }
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
    return dimensions == 2 ? dlz_in_order_of_pairs(in_order) : in_order;
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
            dlz_v pull = values_of(dimensions, edges->values + e) * dlz_reciprocal(base);
            for (int c = 0; c < dimensions; c++)
                sums[c] += pull * other[c];
        }
        for (int c = 0; c < dimensions; c++)
            forces[row * dimensions + c] = edges->scales[row] * dlz_sum(sums[c]);
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
            sum += values_of(dimensions, edges->values + e) * dlz_log(square * inverse_a + 1.0f);
        }
        total += (double)edges->scales[row] * dlz_sum(sum);
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
            gain = dlz_select(against, gain + 0.2f, gain * 0.8f);
            gain = dlz_select(gain < 0.01f, dlz_splat(0.01f), gain);
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
        total += (double)dlz_sum(squares) + rest;
    }
    return total;
}

const dlz_attract_kernel DLZ_VARIANT(dlz_attract) = {forces, divergence, step};
