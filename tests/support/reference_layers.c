#include "support/reference_layers.h"
#include "base/random.h"

#include <math.h>
#include <string.h>

/* -- Convolution ----------------------------------------------------------------------------- */

enum direction { FORWARD, TO_INPUT, TO_WEIGHT };

/* The outputs of one axis whose window's place `at` lies inside the input: first … end − 1. */
static void valid_range(const layer_spec *layer, int axis, int64_t at, int64_t in, int64_t *first,
                        int64_t *end) {
    int64_t stride = layer->stride[axis], out = layer->dims[1 + axis];
    int64_t offset = at * layer->dilation[axis] - layer->padding[axis];
    *first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
    *end = in - 1 - offset < 0 ? 0 : (in - 1 - offset) / stride + 1;
    if (*end > out)
        *end = out;
}

/* One output channel from or to one input channel of one image. */
static inline void convolve_plane(const layer_spec *layer, const int64_t *in,
                                  const enum direction direction, double *w, double *x, double *y) {
    for (int64_t u = 0; u < layer->kernel[0]; u++)
        for (int64_t v = 0; v < layer->kernel[1]; v++, w++) {
            int64_t top, bottom, left, right;
            valid_range(layer, 0, u, in[1], &top, &bottom);
            valid_range(layer, 1, v, in[2], &left, &right);
            int64_t stride = layer->stride[1];
            double sum = 0, factor = *w;
            for (int64_t r = top; r < bottom; r++) {
                int64_t row = r * layer->stride[0] - layer->padding[0] + u * layer->dilation[0];
                double *from = x + row * in[2] - layer->padding[1] + v * layer->dilation[1];
                double *to = y + r * layer->dims[2];
                for (int64_t c = left; c < right; c++) {
                    if (direction == FORWARD)
                        to[c] += factor * from[c * stride];
                    else if (direction == TO_INPUT)
                        from[c * stride] += factor * to[c];
                    else
                        sum += from[c * stride] * to[c];
                }
            }
            if (direction == TO_WEIGHT)
                *w += sum;
        }
}

static inline void convolve(const layer_spec *layer, const int64_t *in, int64_t n,
                            const enum direction direction, double *w, double *x, double *y) {
    int64_t area = layer->kernel[0] * layer->kernel[1];
    int64_t in_plane = in[1] * in[2], out_plane = layer->dims[1] * layer->dims[2];
    for (int64_t i = 0; i < n; i++)
        for (int64_t o = 0; o < layer->dims[0]; o++)
            for (int64_t d = 0; d < in[0]; d++)
                convolve_plane(layer, in, direction, w + (o * in[0] + d) * area,
                               x + (i * in[0] + d) * in_plane,
                               y + (i * layer->dims[0] + o) * out_plane);
}

void reference_convolve(const layer_spec *layer, const int64_t *in, int64_t n, const double *weight,
                        const double *bias, const double *x, double *y) {
    int64_t channels = layer->dims[0], plane = layer->dims[1] * layer->dims[2];
    for (int64_t i = 0; i < n * channels * plane; i++)
        y[i] = bias ? bias[i / plane % channels] : 0;
    convolve(layer, in, n, FORWARD, (double *)weight, (double *)x, y);
}

void reference_convolve_input(const layer_spec *layer, const int64_t *in, int64_t n,
                              const double *weight, const double *dy, double *dx) {
    memset(dx, 0, (size_t)(n * product(3, in)) * sizeof *dx);
    convolve(layer, in, n, TO_INPUT, (double *)weight, dx, (double *)dy);
}

void reference_convolve_weight(const layer_spec *layer, const int64_t *in, int64_t n,
                               const double *x, const double *dy, double *dw) {
    int64_t count = layer->dims[0] * in[0] * layer->kernel[0] * layer->kernel[1];
    memset(dw, 0, (size_t)count * sizeof *dw);
    convolve(layer, in, n, TO_WEIGHT, dw, (double *)x, (double *)dy);
}

/* -- Fully connected ------------------------------------------------------------------------- */

void reference_multiply(int64_t in, int64_t out, int64_t n, const double *weight,
                        const double *bias, const double *x, double *y) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t o = 0; o < out; o++) {
            double sum = bias ? bias[o] : 0;
            for (int64_t d = 0; d < in; d++)
                sum += weight[o * in + d] * x[i * in + d];
            y[i * out + o] = sum;
        }
}

void reference_multiply_input(int64_t in, int64_t out, int64_t n, const double *weight,
                              const double *dy, double *dx) {
    memset(dx, 0, (size_t)(n * in) * sizeof *dx);
    for (int64_t i = 0; i < n; i++)
        for (int64_t o = 0; o < out; o++)
            for (int64_t d = 0; d < in; d++)
                dx[i * in + d] += weight[o * in + d] * dy[i * out + o];
}

void reference_multiply_weight(int64_t in, int64_t out, int64_t n, const double *x,
                               const double *dy, double *dw) {
    memset(dw, 0, (size_t)(in * out) * sizeof *dw);
    for (int64_t i = 0; i < n; i++)
        for (int64_t o = 0; o < out; o++)
            for (int64_t d = 0; d < in; d++)
                dw[o * in + d] += x[i * in + d] * dy[i * out + o];
}

void reference_channel_sums(int64_t n, int64_t channels, int64_t area, const double *values,
                            double *sums) {
    for (int64_t c = 0; c < channels; c++)
        sums[c] = 0;
    for (int64_t i = 0; i < n * channels; i++)
        for (int64_t j = 0; j < area; j++)
            sums[i % channels] += values[i * area + j];
}

/* -- Pool, batch norm, dropout ---------------------------------------------------------------- */

void reference_find_winners(const layer_spec *layer, const int64_t *in, int64_t n, const double *x,
                            int32_t *winner) {
    const int64_t *out = layer->dims;
    for (int64_t plane = 0; plane < n * in[0]; plane++)
        for (int64_t r = 0; r < out[1]; r++)
            for (int64_t c = 0; c < out[2]; c++) {
                const double *from = x + plane * in[1] * in[2];
                int64_t best = -1;
                for (int64_t u = 0; u < layer->kernel[0]; u++)
                    for (int64_t v = 0; v < layer->kernel[1]; v++) {
                        int64_t row = r * layer->stride[0] - layer->padding[0] + u;
                        int64_t column = c * layer->stride[1] - layer->padding[1] + v;
                        if (row < 0 || row >= in[1] || column < 0 || column >= in[2])
                            continue;
                        double here = from[row * in[2] + column];
                        if (best < 0 || here > from[best] || isnan(here))
                            best = row * in[2] + column;
                    }
                *winner++ = (int32_t)best;
            }
}

void reference_statistics(int64_t n, int64_t channels, int64_t area, const double *x, double *mean,
                          double *variance) {
    double count = (double)(n * area);
    /* About the first number, so that equal numbers have exactly their mean and no variance. */
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0, squares = 0, first = x[c * area];
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < area; j++)
                sum += x[(i * channels + c) * area + j] - first;
        mean[c] = first + sum / count;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < area; j++) {
                double d = x[(i * channels + c) * area + j] - mean[c];
                squares += d * d;
            }
        variance[c] = squares / count;
    }
}

void reference_mask(int64_t n, int64_t channels, int64_t area, double p, int layer, uint64_t seed,
                    uint64_t step, uint8_t *kept) {
    uint64_t stream = DLZ_STREAM_DROPOUT + ((uint64_t)layer << 8) + (step << 24);
    double below = fmin(p * 0x1p32, 0x1.fffffffep31);
    uint32_t drop_below = (uint32_t)below;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t j = 0; j < area; j++) {
                uint64_t number = (uint64_t)(j * channels + c);
                uint32_t words[4];
                dlz_philox(seed, stream, ((uint64_t)i << 32) + number / 64 * 16 + number % 16,
                           words);
                *kept++ = words[number % 64 / 16] >= drop_below;
            }
}
