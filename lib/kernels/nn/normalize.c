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

DLZ_INLINE double sum_of(dlz_v lanes) {
    double sum = 0;
    for (int i = 0; i < DLZ_LANES; i++)
        sum += (double)lanes[i];
    return sum;
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
                second[k] = dlz_fma(g, value, second[k]); /* beyond the end g is 0 */
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

/* One vector of columns; sums of RUN rows go to double. */
DLZ_INLINE void column(int64_t rows, int64_t stride, int64_t left, const float *x, const float *dy,
                       const dlz_standard *standards, float *weight_gradient,
                       float *bias_gradient) {
    double sums[2][DLZ_LANES] = {{0}};
    for (int64_t start = 0; start < rows; start += RUN) {
        int64_t end = rows - start < RUN ? rows : start + RUN;
        dlz_v first = {0}, second = {0};
        for (int64_t i = start; i < end; i++) {
            const dlz_standard *standard = standards + i;
            dlz_v value = dlz_load_up_to(x + i * stride, left) - dlz_splat(standard->center);
            dlz_v g = dlz_load_up_to(dy + i * stride, left);
            value = dlz_fma(value, dlz_splat(standard->scale), dlz_splat(standard->shift));
            first += g;
            second = dlz_fma(g, value, second);
        }
        for (int i = 0; i < DLZ_LANES; i++) {
            sums[0][i] += (double)first[i];
            sums[1][i] += (double)second[i];
        }
    }
    for (int64_t i = 0; i < DLZ_LANES && i < left; i++) {
        if (bias_gradient)
            bias_gradient[i] = (float)sums[0][i];
        if (weight_gradient)
            weight_gradient[i] = (float)sums[1][i];
    }
}

static void columns(int64_t rows, int64_t stride, int64_t count, const float *x, const float *dy,
                    const dlz_standard *standards, float *weight_gradient, float *bias_gradient) {
    for (int64_t c = 0; c < count; c += DLZ_LANES)
        column(rows, stride, count - c, x + c, dy + c, standards,
               weight_gradient ? weight_gradient + c : NULL,
               bias_gradient ? bias_gradient + c : NULL);
}

static void pixels(int64_t num_pixels, int64_t channels, const float *x, const float *center,
                   const float *scale, const float *shift, float *y) {
    for (int64_t pixel = 0; pixel < num_pixels; pixel++, x += channels, y += channels)
        for (int64_t c = 0; c < channels; c += DLZ_LANES) {
            int64_t left = channels - c;
            dlz_v value = dlz_load_up_to(x + c, left) - dlz_load_up_to(center + c, left);
            dlz_store_up_to(
                y + c,
                dlz_fma(value, dlz_load_up_to(scale + c, left), dlz_load_up_to(shift + c, left)),
                left);
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
    for (int64_t i = 0; i < DLZ_LANES && i < left; i++) {
        first[i] += (double)sum[i];
        second[i] += (double)product[i];
    }
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
    for (int64_t pixel = 0; pixel < num_pixels;
         pixel++, x += channels, dy += channels, dx += channels)
        for (int64_t c = 0; c < channels; c += DLZ_LANES) {
            int64_t left = channels - c;
            vector_factors f = load_factors(factors, c, left);
            dlz_v value = standing_for(dlz_load_up_to(x + c, left), f.center, f.scale, f.shift);
            dlz_v rest =
                dlz_fma(dlz_load_up_to(dy + c, left), dlz_load_up_to(factors->weight + c, left),
                        -dlz_load_up_to(factors->mean + c, left));
            dlz_store_up_to(dx + c, dlz_fma(value, -dlz_load_up_to(factors->slope + c, left), rest),
                            left);
        }
}

/* -- Softmax --------------------------------------------------------------------------------------
 */

static int64_t place_of_largest(int64_t n, const float *y) {
    dlz_v lanes = {0};
    for (int64_t i = 0; i < n; i += DLZ_LANES) {
        dlz_v value = dlz_load_up_to(y + i, n - i);
        lanes = dlz_select(value > lanes, value, lanes);
    }
    float most = lanes[0];
    for (int i = 1; i < DLZ_LANES; i++)
        most = lanes[i] > most ? lanes[i] : most;
    for (int64_t i = 0; i < n; i += DLZ_LANES) {
        uint32_t below = dlz_below(dlz_load_up_to(y + i, n - i), most);
        for (int k = 0; k < DLZ_LANES && i + k < n; k++)
            if (!(below >> k & 1))
                return i + k;
    }
    return 0;
}

/* Rows so short that most of a vector would stay empty are computed side by side, a row a lane. */
#define FEW 32

/* The last row fills what is left. */
DLZ_INLINE dlz_v column_of_rows(int64_t some, int64_t classes, const float *x) {
    dlz_v value;
    for (int64_t i = 0; i < DLZ_LANES; i++)
        value[i] = x[(i < some ? i : some - 1) * classes];
    return value;
}

static void gradient_of_few(int64_t rows, int64_t classes, const float *y, const float *dy,
                            float *dx) {
    dlz_v probabilities[FEW], gradients[FEW];
    for (int64_t start = 0; start < rows; start += DLZ_LANES) {
        int64_t some = rows - start < DLZ_LANES ? rows - start : DLZ_LANES, at = start * classes;
        dlz_v most = {0}, pivot = {0}, sum = {0};
        for (int64_t c = 0; c < classes; c++) {
            dlz_v p = probabilities[c] = column_of_rows(some, classes, y + at + c);
            dlz_v g = gradients[c] = column_of_rows(some, classes, dy + at + c);
            pivot = dlz_select(p > most, g, pivot);
            most = dlz_select(p > most, p, most);
        }
        for (int64_t c = 0; c < classes; c++)
            sum = dlz_fma(probabilities[c], gradients[c] - pivot, sum);
        for (int64_t c = 0; c < classes; c++) {
            dlz_v value = probabilities[c] * ((gradients[c] - pivot) - sum);
            for (int64_t i = 0; i < some; i++)
                dx[at + i * classes + c] = value[i];
        }
    }
}

/* A constant added to a row's dy changes nothing. With the one that makes it 0 where the
 * probability is largest, the sum keeps its digits when that probability is almost 1. */
static void softmax_gradient(int64_t rows, int64_t classes, const float *y, const float *dy,
                             float *dx) {
    if (classes <= FEW) {
        gradient_of_few(rows, classes, y, dy, dx);
        return;
    }
    for (int64_t i = 0; i < rows; i++, y += classes, dy += classes, dx += classes) {
        dlz_v pivot = dlz_splat(dy[place_of_largest(classes, y)]);
        double sum = 0;
        for (int64_t start = 0; start < classes; start += RUN * DLZ_LANES) {
            int64_t end = classes - start < RUN * DLZ_LANES ? classes : start + RUN * DLZ_LANES;
            dlz_v lanes = {0};
            for (int64_t j = start; j < end; j += DLZ_LANES)
                lanes = dlz_fma(dlz_load_up_to(y + j, end - j),
                                dlz_load_up_to(dy + j, end - j) - pivot, lanes);
            sum += sum_of(lanes);
        }
        dlz_v total = dlz_splat((float)sum);
        for (int64_t j = 0; j < classes; j += DLZ_LANES) {
            int64_t left = classes - j;
            dlz_store_up_to(dx + j,
                            dlz_load_up_to(y + j, left) *
                                ((dlz_load_up_to(dy + j, left) - pivot) - total),
                            left);
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
    .softmax_gradient = softmax_gradient,
};
