#include "kernels/embed/particles.h"
#include "isa/math.h"

/* One row of a spline's nodes. */
DLZ_INLINE dlz_v8 load8(const float *from) {
    return *(const dlz_v8u *)from;
}
DLZ_INLINE void store8(float *to, dlz_v8 value) {
    *(dlz_v8u *)to = value;
}

/* Weight of node k at fraction t is the polynomial with the coefficients power[...][k] / 120. */
static const float power0[8] = {1, 26, 66, 26, 1, 0, 0, 0};
static const float power1[8] = {-5, -50, 0, 50, 5, 0, 0, 0};
static const float power2[8] = {10, 20, -60, 20, 10, 0, 0, 0};
static const float power3[8] = {-10, 20, 0, -20, 10, 0, 0, 0};
static const float power4[8] = {5, -20, 30, -20, 5, 0, 0, 0};
static const float power5[8] = {-1, 5, -10, 10, -5, 1, 0, 0};

DLZ_INLINE dlz_v8 weights(float t) {
    dlz_v8 w = load8(power5);
    w = w * t + load8(power4);
    w = w * t + load8(power3);
    w = w * t + load8(power2);
    w = w * t + load8(power1);
    w = w * t + load8(power0);
    return w * (1.0f / 120);
}

DLZ_INLINE dlz_v8 slopes(float t) {
    dlz_v8 w = 5.0f * load8(power5);
    w = w * t + 4.0f * load8(power4);
    w = w * t + 3.0f * load8(power3);
    w = w * t + 2.0f * load8(power2);
    w = w * t + load8(power1);
    return w * (1.0f / 120);
}

static void spread(const float *x, const float *y, int64_t first, int64_t last, float *grid,
                   int64_t stride) {
    for (int64_t i = first; i < last; i++) {
        int32_t column = (int32_t)x[i], line = (int32_t)y[i];
        dlz_v8 across = weights(x[i] - (float)column), down = weights(y[i] - (float)line);
        float *at = grid + line * stride + column;
#pragma GCC unroll 6
        for (int r = 0; r < DLZ_SPLINE_ORDER; r++, at += stride)
            store8(at, load8(at) + across * down[r]);
    }
}

static void gather(const float *x, const float *y, int64_t first, int64_t last, const float *grid,
                   int64_t stride, float *potential, float *dx, float *dy) {
    for (int64_t i = first; i < last; i++) {
        int32_t column = (int32_t)x[i], line = (int32_t)y[i];
        float tx = x[i] - (float)column, ty = y[i] - (float)line;
        dlz_v8 across = weights(tx), down = weights(ty), across_slope = slopes(tx);
        dlz_v8 down_slope = slopes(ty), value = {0}, slope = {0};
        const float *at = grid + line * stride + column;
#pragma GCC unroll 6
        for (int r = 0; r < DLZ_SPLINE_ORDER; r++, at += stride) {
            dlz_v8 nodes = load8(at);
            value += nodes * down[r];
            slope += nodes * down_slope[r];
        }
        potential[i] = dlz_sum8(value * across);
        dx[i] = dlz_sum8(value * across_slope);
        dy[i] = dlz_sum8(slope * across);
    }
}

DLZ_INLINE void near_body(const bool cauchy, const dlz_near *near, float cell, const float *x,
                          const float *y, int64_t first, int64_t last, const float *source_x,
                          const float *source_y, const dlz_range *ranges, int count,
                          float *potential, float *fx, float *fy) {
    const float squared_cell = cell * cell, reach = near->reach;
    const float inverse = 1 / (1 + reach), inverse_a = 1 / near->a;
    dlz_v lane;
    for (int l = 0; l < DLZ_LANES; l++)
        lane[l] = (float)l;
    for (int64_t i = first; i < last; i++) {
        dlz_v own_x = dlz_splat(x[i]), own_y = dlz_splat(y[i]);
        dlz_v sum = {0}, sum_x = {0}, sum_y = {0};
        for (int r = 0; r < count; r++)
            for (int64_t j = ranges[r].first; j < ranges[r].last; j += DLZ_LANES) {
                dlz_v across = own_x - dlz_load(source_x + j),
                      down = own_y - dlz_load(source_y + j);
                dlz_v u = (across * across + down * down) * squared_cell;
                dlz_vi counts = (u < reach) & (lane < (float)(ranges[r].last - j));
                dlz_v c, slope; /* slope = -c'(u) */
                if (cauchy) {
                    dlz_v q = dlz_reciprocal(u + 1.0f);
                    dlz_v t = (reach - u) * inverse, t2 = t * t, t5 = t2 * t2 * t;
                    c = t5 * t * q;
                    slope = q * (c + t5 * (6 * inverse));
                } else {
                    dlz_v base = u * inverse_a + 1.0f;
                    dlz_v q = dlz_exp(-near->a * dlz_log(base)), v = reach - u;
                    dlz_v taylor = dlz_splat(near->taylor[DLZ_NEAR_DEGREE]);
                    dlz_v derivative = DLZ_NEAR_DEGREE * taylor;
                    for (int k = DLZ_NEAR_DEGREE - 1; k >= 0; k--) {
                        taylor = taylor * v + near->taylor[k];
                        if (k > 0)
                            derivative = derivative * v + (float)k * near->taylor[k];
                    }
                    c = q - taylor;
                    slope = q * dlz_reciprocal(base) - derivative;
                }
                c = dlz_select(counts, c, dlz_splat(0));
                slope = dlz_select(counts, slope, dlz_splat(0));
                sum += c;
                sum_x += slope * across;
                sum_y += slope * down;
            }
        potential[i] += dlz_sum(sum);
        fx[i] += dlz_sum(sum_x) * cell;
        fy[i] += dlz_sum(sum_y) * cell;
    }
}

static void near_part(const dlz_near *near, float cell, const float *x, const float *y,
                      int64_t first, int64_t last, const float *source_x, const float *source_y,
                      const dlz_range *ranges, int count, float *potential, float *fx, float *fy) {
    if (near->a == 1)
        near_body(true, near, cell, x, y, first, last, source_x, source_y, ranges, count, potential,
                  fx, fy);
    else
        near_body(false, near, cell, x, y, first, last, source_x, source_y, ranges, count,
                  potential, fx, fy);
}

static bool extent(const float *map, int64_t n, int dimensions, float *least, float *greatest) {
    /* Vectors hold whole points for 1 and 2 dimensions, and every third vector the same coordinate.
     */
    int64_t step = (int64_t)DLZ_LANES * dimensions, count = n * dimensions, i = 0;
    dlz_v low[3], high[3];
    dlz_vi bad = {0};
    for (int v = 0; v < dimensions; v++)
        low[v] = dlz_splat(3e38f), high[v] = dlz_splat(-3e38f);
    for (; i + step <= count; i += step)
        for (int v = 0; v < dimensions; v++) {
            dlz_v value = dlz_load(map + i + v * DLZ_LANES);
            bad |= ~((value >= -1e30f) & (value <= 1e30f));
            low[v] = dlz_select(value < low[v], value, low[v]);
            high[v] = dlz_select(value > high[v], value, high[v]);
        }
    bool finite = true;
    for (int c = 0; c < dimensions; c++) {
        least[c] = 3e38f;
        greatest[c] = -3e38f;
    }
    for (int v = 0; v < dimensions; v++)
        for (int l = 0; l < DLZ_LANES; l++) {
            int c = (v * DLZ_LANES + l) % dimensions;
            finite &= !bad[l];
            least[c] = low[v][l] < least[c] ? low[v][l] : least[c];
            greatest[c] = high[v][l] > greatest[c] ? high[v][l] : greatest[c];
        }
    for (; i < count; i++) {
        int c = (int)(i % dimensions);
        finite &= map[i] >= -1e30f && map[i] <= 1e30f;
        least[c] = map[i] < least[c] ? map[i] : least[c];
        greatest[c] = map[i] > greatest[c] ? map[i] : greatest[c];
    }
    return finite;
}

const dlz_particles_kernel DLZ_VARIANT(dlz_particles) = {spread, gather, near_part, extent};
