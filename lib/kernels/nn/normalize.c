#include "kernels/nn/normalize.h"

#include "isa/isa.h"

#include <stddef.h>

/* Vectors that are added up in float before they go to double. */
#define RUN 64

DLZ_INLINE dlz_v first_lanes(dlz_v value, int64_t left) {
    dlz_vi lane;
    for (int i = 0; i < DLZ_LANES; i++)
        lane[i] = i;
    return (dlz_v)((dlz_vi)value & (lane < (int32_t)left));
}

/* The lanes as doubles, one half and then the other. */
DLZ_INLINE dlz_vd half_of(dlz_v lanes, int half) {
    float numbers[DLZ_LANES];
    dlz_store(numbers, lanes);
    return dlz_widen(*(const dlz_vhu *)(numbers + half * DLZ_HALF_LANES));
}

DLZ_INLINE double sum_of(dlz_v lanes) {
    double sums[DLZ_HALF_LANES];
    *(dlz_vdu *)sums = half_of(lanes, 0) + half_of(lanes, 1);
    for (int step = DLZ_HALF_LANES / 2; step > 0; step /= 2)
        for (int i = 0; i < step; i++)
            sums[i] += sums[i + step];
    return sums[0];
}

/* Adds a vector's lanes, of which only `left` may be wanted, to as many doubles. */
DLZ_INLINE void add_lanes(double *to, dlz_v lanes, int64_t left) {
    if (left >= DLZ_LANES)
        for (int half = 0; half < 2; half++)
            *(dlz_vdu *)(to + half * DLZ_HALF_LANES) += half_of(lanes, half);
    else
        for (int64_t i = 0; i < left; i++)
            to[i] += (double)lanes[i];
}

/* -- Whole rows -----------------------------------------------------------------------------------
 */

/* Of up to RUN vectors: their mean first, then the squares about it. Four sums each, so that an
 * addition need not wait for the one before it. */
static dlz_moments moments_of_run(int64_t count, const float *x) {
    int64_t four = count / (4 * DLZ_LANES) * (4 * DLZ_LANES);
    dlz_v sums[4] = {{0}}, squares[4] = {{0}};
    for (int64_t i = 0; i < four; i += 4 * DLZ_LANES)
        for (int k = 0; k < 4; k++)
            sums[k] += dlz_load(x + i + k * DLZ_LANES);
    for (int64_t i = four; i < count; i += DLZ_LANES)
        sums[0] += dlz_load_up_to(x + i, count - i);
    float mean = (float)(sum_of((sums[0] + sums[1]) + (sums[2] + sums[3])) / (double)count);
    dlz_v center = dlz_splat(mean);
    for (int k = 0; k < 4; k++)
        sums[k] = (dlz_v){0};
    for (int64_t i = 0; i < four; i += 4 * DLZ_LANES)
        for (int k = 0; k < 4; k++) {
            dlz_v value = dlz_load(x + i + k * DLZ_LANES) - center;
            sums[k] += value;
            squares[k] = dlz_fma(value, value, squares[k]);
        }
    for (int64_t i = four; i < count; i += DLZ_LANES) {
        dlz_v value = first_lanes(dlz_load_up_to(x + i, count - i) - center, count - i);
        sums[0] += value;
        squares[0] = dlz_fma(value, value, squares[0]);
    }
    double first = sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
    double second = sum_of((squares[0] + squares[1]) + (squares[2] + squares[3]));
    double shift = first / (double)count, rest = second - shift * first;
    return (dlz_moments){(double)count, (double)mean + shift, rest < 0 ? 0 : rest}; /* NaN stays */
}

static void moments(int64_t count, const float *x, dlz_moments *result) {
    dlz_moments all = {0, 0, 0};
    for (int64_t i = 0; i < count; i += RUN * DLZ_LANES)
        all = dlz_moments_join(
            all, moments_of_run(count - i < RUN * DLZ_LANES ? count - i : RUN * DLZ_LANES, x + i));
    *result = all;
}

static void row(int64_t count, const float *x, const dlz_standard *standard, const float *weight,
                const float *bias, float *y) {
    dlz_v center = dlz_splat(standard->center), scale = dlz_splat(standard->scale);
    dlz_v shift = dlz_splat(standard->shift);
    for (int64_t i = 0; i < count; i += DLZ_LANES) {
        int64_t left = count - i;
        dlz_v value = dlz_fma(dlz_load_up_to(x + i, left) - center, scale, shift);
        if (weight)
            value =
                dlz_fma(value, dlz_load_up_to(weight + i, left), dlz_load_up_to(bias + i, left));
        dlz_store_up_to(y + i, value, left);
    }
}

/* What x stands for. */
DLZ_INLINE dlz_v standing_for(dlz_v x, dlz_v center, dlz_v scale, dlz_v shift) {
    return dlz_fma(x - center, scale, shift);
}

static void row_sums(int64_t count, const float *x, const float *dy, const float *weight,
                     const dlz_standard *standard, double sums[2]) {
    dlz_v center = dlz_splat(standard->center), scale = dlz_splat(standard->scale);
    dlz_v shift = dlz_splat(standard->shift);
    sums[0] = sums[1] = 0;
    for (int64_t start = 0; start < count; start += 2 * RUN * DLZ_LANES) {
        int64_t end = count - start < 2 * RUN * DLZ_LANES ? count : start + 2 * RUN * DLZ_LANES;
        dlz_v first[2] = {{0}}, second[2] = {{0}};
        for (int64_t i = start; i < end; i += 2 * DLZ_LANES)
            for (int k = 0; k < 2 && i + k * DLZ_LANES < end; k++) {
                int64_t at = i + k * DLZ_LANES, left = end - at;
                dlz_v g = dlz_load_up_to(dy + at, left);
                if (weight)
                    g *= dlz_load_up_to(weight + at, left);
                first[k] += g;
                dlz_v value = standing_for(dlz_load_up_to(x + at, left), center, scale, shift);
                if (left < DLZ_LANES) /* g is 0 there, but the value may be infinite */
                    value = first_lanes(value, left);
                second[k] = dlz_fma(g, value, second[k]);
            }
        sums[0] += sum_of(first[0] + first[1]);
        sums[1] += sum_of(second[0] + second[1]);
    }
}

static void row_gradient(int64_t count, const float *x, const float *dy, const float *weight,
                         const dlz_standard *standard, float mean, float slope, float *dx) {
    dlz_v center = dlz_splat(standard->center), scale = dlz_splat(standard->scale);
    dlz_v shift = dlz_splat(standard->shift), mean_g = dlz_splat(mean), less = dlz_splat(-slope);
    for (int64_t i = 0; i < count; i += DLZ_LANES) {
        int64_t left = count - i;
        dlz_v g = dlz_load_up_to(dy + i, left);
        if (weight)
            g *= dlz_load_up_to(weight + i, left);
        dlz_v value = standing_for(dlz_load_up_to(x + i, left), center, scale, shift);
        dlz_store_up_to(dx + i, dlz_fma(value, less, g - mean_g) * scale, left);
    }
}

/* -- Over rows ------------------------------------------------------------------------------------
 */

/* One vector of columns, of up to RUN rows. */
DLZ_INLINE void sums_of_column(int64_t rows, int64_t stride, int64_t left, const float *x,
                               const float *dy, const dlz_standard *standards, dlz_v sums[2]) {
    dlz_v first = {0}, second = {0};
    for (int64_t i = 0; i < rows; i++) {
        const dlz_standard *standard = standards + i;
        dlz_v value = dlz_load_up_to(x + i * stride, left) - dlz_splat(standard->center);
        dlz_v g = dlz_load_up_to(dy + i * stride, left);
        value = dlz_fma(value, dlz_splat(standard->scale), dlz_splat(standard->shift));
        first += g;
        second = dlz_fma(g, value, second);
    }
    sums[0] = first;
    sums[1] = second;
}

/* Of more rows, the sums go to double in between. */
static void sums_of_long_column(int64_t rows, int64_t stride, int64_t left, const float *x,
                                const float *dy, const dlz_standard *standards, dlz_v sums[2]) {
    double all[2][DLZ_LANES] = {{0}};
    for (int64_t start = 0; start < rows; start += RUN) {
        sums_of_column(rows - start < RUN ? rows - start : RUN, stride, left, x + start * stride,
                       dy + start * stride, standards + start, sums);
        add_lanes(all[0], sums[0], DLZ_LANES);
        add_lanes(all[1], sums[1], DLZ_LANES);
    }
    for (int i = 0; i < DLZ_LANES; i++) {
        sums[0][i] = (float)all[0][i];
        sums[1][i] = (float)all[1][i];
    }
}

static void columns(int64_t rows, int64_t stride, int64_t count, const float *x, const float *dy,
                    const dlz_standard *standards, float *weight_gradient, float *bias_gradient) {
    for (int64_t c = 0; c < count; c += DLZ_LANES) {
        dlz_v sums[2];
        if (rows <= RUN)
            sums_of_column(rows, stride, count - c, x + c, dy + c, standards, sums);
        else
            sums_of_long_column(rows, stride, count - c, x + c, dy + c, standards, sums);
        if (bias_gradient)
            dlz_store_up_to(bias_gradient + c, sums[0], count - c);
        if (weight_gradient)
            dlz_store_up_to(weight_gradient + c, sums[1], count - c);
    }
}

/* -- Pixels ---------------------------------------------------------------------------------------
 */

static void pixels(int64_t num_pixels, int64_t channels, const float *x, const float *center,
                   const float *scale, const float *shift, float *y) {
    for (int64_t start = 0, some; start < num_pixels; start += some) {
        some = num_pixels - start < RUN ? num_pixels - start : RUN;
        for (int64_t c = 0; c < channels; c += DLZ_LANES) {
            int64_t left = channels - c, at = start * channels + c;
            dlz_v less = dlz_load_up_to(center + c, left), times = dlz_load_up_to(scale + c, left);
            dlz_v plus = dlz_load_up_to(shift + c, left);
            for (int64_t pixel = 0; pixel < some; pixel++, at += channels)
                dlz_store_up_to(y + at, dlz_fma(dlz_load_up_to(x + at, left) - less, times, plus),
                                left);
        }
    }
}

static void keep_channels(int64_t num_pixels, int64_t channels, const float *x,
                          const float *factors, float *y) {
    for (int64_t pixel = 0; pixel < num_pixels; pixel++, x += channels, y += channels)
        for (int64_t c = 0; c < channels; c += DLZ_LANES) {
            int64_t left = channels - c;
            dlz_v factor = dlz_load_up_to(factors + c, left);
            dlz_v value = dlz_load_up_to(x + c, left) * factor;
            dlz_store_up_to(y + c, (dlz_v)((dlz_vi)value & (dlz_vi)(factor != (dlz_v){0})), left);
        }
}

/* A vector's factors. */
typedef struct vector_factors {
    dlz_v center, scale, shift;
} vector_factors;

DLZ_INLINE vector_factors load_factors(const dlz_channel_factors *factors, int64_t c,
                                       int64_t left) {
    return (vector_factors){dlz_load_up_to(factors->center + c, left),
                            dlz_load_up_to(factors->scale + c, left),
                            dlz_load_up_to(factors->shift + c, left)};
}

/* Of up to RUN pixels. */
DLZ_INLINE void sums_of_run(int64_t num_pixels, int64_t channels, int64_t left, const float *x,
                            const float *dy, vector_factors f, double *first, double *second) {
    dlz_v sum = {0}, product = {0};
    for (int64_t pixel = 0; pixel < num_pixels; pixel++, x += channels, dy += channels) {
        dlz_v g = dlz_load_up_to(dy, left);
        dlz_v value = standing_for(dlz_load_up_to(x, left), f.center, f.scale, f.shift);
        sum += g;
        product = dlz_fma(g, value, product);
    }
    add_lanes(first, sum, left);
    add_lanes(second, product, left);
}

static void pixels_sums(int64_t num_pixels, int64_t channels, const float *x, const float *dy,
                        const dlz_channel_factors *factors, double *sums) {
    for (int64_t c = 0; c < 2 * channels; c++)
        sums[c] = 0;
    for (int64_t start = 0; start < num_pixels; start += RUN) {
        int64_t some = num_pixels - start < RUN ? num_pixels - start : RUN;
        int64_t at = start * channels;
        for (int64_t c = 0; c < channels; c += DLZ_LANES)
            sums_of_run(some, channels, channels - c, x + at + c, dy + at + c,
                        load_factors(factors, c, channels - c), sums + c, sums + channels + c);
    }
}

static void pixels_gradient(int64_t num_pixels, int64_t channels, const float *x, const float *dy,
                            const dlz_channel_factors *factors, float *dx) {
    for (int64_t start = 0, some; start < num_pixels; start += some) {
        some = num_pixels - start < RUN ? num_pixels - start : RUN;
        for (int64_t c = 0; c < channels; c += DLZ_LANES) {
            int64_t left = channels - c, at = start * channels + c;
            vector_factors f = load_factors(factors, c, left);
            dlz_v weight = dlz_load_up_to(factors->weight + c, left);
            dlz_v mean = dlz_load_up_to(factors->mean + c, left);
            dlz_v slope = dlz_load_up_to(factors->slope + c, left);
            for (int64_t pixel = 0; pixel < some; pixel++, at += channels) {
                dlz_v value =
                    standing_for(dlz_load_up_to(x + at, left), f.center, f.scale, f.shift);
                dlz_v rest = dlz_fma(dlz_load_up_to(dy + at, left), weight, -mean);
                dlz_store_up_to(dx + at, dlz_fma(value, -slope, rest), left);
            }
        }
    }
}

const dlz_normalize_table DLZ_VARIANT(dlz_normalize_kernels) = {
    .moments = moments,
    .row = row,
    .row_sums = row_sums,
    .row_gradient = row_gradient,
    .columns = columns,
    .pixels = pixels,
    .keep_channels = keep_channels,
    .pixels_sums = pixels_sums,
    .pixels_gradient = pixels_gradient,
};
