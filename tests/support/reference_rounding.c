/* The size of float32's rounding errors in each number of a run.
 *
 * u = 2^-24 is half a unit in the last place. A sum of N products is given u (1 + sqrt(N)/8) times
 * the sum of their absolute values: more than it needs in the order that kernels add. Sums of whole
 * numbers (more generally, of multiples of one power of two) that float32 holds exactly are given
 * nothing: kernels must get them right whatever the order.
 *
 * Winograd's algorithm for 3 x 3 convolutions mixes the numbers of a tile before it sums. It is
 * allowed 4 u times the largest sum of absolute values nearby, but no more than 32 times what is
 * usual in the channel: a number far larger than the rest must not spoil its neighbors. */
#include "support/reference.h"
#include "support/reference_layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define UNIT 0x1p-24
#define WINOGRAD 4.0
#define WINOGRAD_MOST 32.0
#define WINOGRAD_REACH 4
/* What is below float32's normal numbers is no error. */
#define UNDERFLOW 0x1p-126
#define SMALLEST 0x1p-149

typedef struct sizer {
    const reference *ref;
    const reference_setup *setup;
    const reference_pass *pass;
    reference_pass *sizes, *terms;
} sizer;

static const int64_t *in_dims(const net_spec *spec, int at) {
    return at > 0 ? spec->layers[at - 1].dims : spec->dims;
}

static int64_t input_size(const net_spec *spec, int at) {
    return product(at > 0 ? spec->layers[at - 1].ndim : spec->ndim, in_dims(spec, at));
}

static double *new_array(int64_t count) {
    double *array = calloc((size_t)count + 1, sizeof *array);
    ck_assert_ptr_nonnull(array);
    return array;
}

static double *absolute(const double *values, int64_t count) {
    if (!values)
        return NULL;
    double *array = new_array(count);
    for (int64_t i = 0; i < count; i++)
        array[i] = fabs(values[i]);
    return array;
}

/* The size of a gradient with its own rounding: of one that is 0 by cancelling, that is left. */
static double *rounded_gradient(const sizer *s, int value, int64_t count) {
    double *array = absolute(s->pass->gradient[value], count);
    for (int64_t i = 0; i < count; i++)
        array[i] += s->sizes->gradient[value][i];
    return array;
}

static double sum_factor(int64_t terms) {
    return UNIT * (1 + sqrt((double)terms) / 8);
}

static const double *state_of(const sizer *s, int layer, const char *what) {
    int at = reference_find(s->ref, layer, what);
    return at < 0 ? NULL : s->ref->states[at].values;
}

/* -- Exact sums ------------------------------------------------------------------------------ */

/* The largest power of two of which all numbers are multiples; infinite for zeros. */
static double grain(const double *values, int64_t count) {
    double finest = INFINITY;
    for (int64_t i = 0; values && i < count; i++) {
        int exponent;
        double mantissa = frexp(values[i], &exponent);
        if (values[i] == 0 || !isfinite(mantissa))
            continue;
        int64_t whole = (int64_t)ldexp(fabs(mantissa), 53);
        finest = fmin(finest, ldexp(1, exponent - 53 + __builtin_ctzll((uint64_t)whole)));
    }
    return finest;
}

/* Whether the sums of products, whose absolute values add up to `sums`, are exact in float32. */
static bool sums_are_exact(const double *x, int64_t x_count, const double *weight,
                           int64_t weight_count, const double *bias, int64_t bias_count,
                           const double *sums, int64_t count) {
    double finest = fmin(grain(x, x_count) * grain(weight, weight_count), grain(bias, bias_count));
    double most = 0;
    for (int64_t i = 0; i < count; i++)
        most = fmax(most, sums[i]);
    return most / finest <= 0x1p24;
}

/* -- Winograd -------------------------------------------------------------------------------- */

/* The library's convolutions that may run by Winograd's algorithm. */
static bool may_be_winograd(const layer_spec *layer, const int64_t *in) {
    bool fits = layer->kind == CONV && in[0] >= 8 && layer->out >= 8;
    for (int axis = 0; axis < 2; axis++)
        fits &= layer->kernel[axis] == 3 && layer->stride[axis] == 1 && layer->dilation[axis] == 1;
    return fits;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double box_most(const double *plane, int64_t height, int64_t width, int64_t row,
                       int64_t column) {
    double most = 0;
    for (int64_t r = row - WINOGRAD_REACH; r <= row + WINOGRAD_REACH; r++)
        for (int64_t c = column - WINOGRAD_REACH; c <= column + WINOGRAD_REACH; c++)
            if (r >= 0 && r < height && c >= 0 && c < width)
                most = fmax(most, plane[r * width + c]);
    return most;
}

/* Adds to `sizes` what Winograd's algorithm may add, from the sums of absolute values. */
static void add_winograd(int64_t n, int64_t channels, int64_t height, int64_t width,
                         const double *sums, double *sizes) {
    int64_t area = height * width;
    double *sorted = new_array(n * area);
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t i = 0; i < n; i++)
            memcpy(sorted + i * area, sums + (i * channels + c) * area,
                   (size_t)area * sizeof *sorted);
        qsort(sorted, (size_t)(n * area), sizeof *sorted, ascending);
        double usual = sorted[n * area * 3 / 4];
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < area; j++) {
                const double *plane = sums + (i * channels + c) * area;
                double near = box_most(plane, height, width, j / width, j % width);
                sizes[(i * channels + c) * area + j] +=
                    WINOGRAD * UNIT * fmin(near, WINOGRAD_MOST * usual);
            }
    }
    free(sorted);
}

/* The same for the weights' gradient: numbers of x and dy meet that lie in one tile. */
static void add_winograd_weight(const layer_spec *layer, const int64_t *in, int64_t n,
                                const double *x, const double *dy, double *sizes) {
    const int64_t *out = layer->dims;
    int64_t area = out[1] * out[2], planes = n * out[0], count = out[0] * in[0] * 9;
    double *near = new_array(planes * area), *terms = new_array(count);
    for (int64_t i = 0; i < planes * area; i++)
        near[i] = box_most(dy + i / area * area, out[1], out[2], i % area / out[2], i % out[2]);
    reference_convolve_weight(layer, in, n, x, near, terms);
    for (int64_t i = 0; i < count; i++)
        for (int64_t tap = i / 9 * 9; tap < i / 9 * 9 + 9; tap++)
            sizes[i] = fmax(sizes[i], 0.5 * WINOGRAD * UNIT * terms[tap]);
    free(near);
    free(terms);
}

/* -- Layers ---------------------------------------------------------------------------------- */

static void size_sums(const sizer *s, int at) {
    const net_spec *spec = &s->ref->spec;
    const layer_spec *layer = &spec->layers[at];
    const int64_t *in = in_dims(spec, at);
    int64_t n = s->setup->n, count = n * product(layer->ndim, layer->dims);
    int64_t in_size = input_size(spec, at);
    int64_t weights = s->ref->states[reference_find(s->ref, at, "weight")].count;
    const double *weight = state_of(s, at, "weight"), *bias = state_of(s, at, "bias");
    double *x = absolute(s->pass->value[at], n * in_size), *w = absolute(weight, weights);
    double *b = absolute(bias, layer->out), *sizes = s->sizes->value[at + 1];
    if (layer->kind == CONV)
        reference_convolve(layer, in, n, w, b, x, sizes);
    else
        reference_multiply(in_size, layer->out, n, w, b, x, sizes);
    /* In evaluation the factors of a batch norm that follows may be in the weights. */
    bool folded =
        !s->setup->training && at + 1 < spec->count && spec->layers[at + 1].kind == BATCHNORM;
    bool winograd = may_be_winograd(layer, in);
    bool exact = !folded && !winograd &&
                 sums_are_exact(x, n * in_size, w, weights, b, layer->out, sizes, count);
    double *sums = absolute(sizes, count), factor = sum_factor(weights / layer->out);
    for (int64_t i = 0; i < count; i++)
        sizes[i] = exact ? 0 : factor * sums[i] + (sums[i] > 0 ? UNDERFLOW : 0);
    if (winograd)
        add_winograd(n, layer->out, layer->dims[1], layer->dims[2], sums, sizes);
    free(sums);
    free(x);
    free(w);
    free(b);
}

static void size_sums_back(const sizer *s, int at) {
    const layer_spec *layer = &s->ref->spec.layers[at];
    const int64_t *in = in_dims(&s->ref->spec, at);
    int64_t n = s->setup->n, count = n * product(layer->ndim, layer->dims);
    int64_t in_size = input_size(&s->ref->spec, at);
    int state = reference_find(s->ref, at, "weight");
    int bias = reference_find(s->ref, at, "bias");
    int64_t weights = s->ref->states[state].count, window = weights / layer->out / in[0];
    double *x = absolute(s->pass->value[at], n * in_size);
    double *dy = rounded_gradient(s, at + 1, count);
    double *w = absolute(s->ref->states[state].values, weights);
    double *sums = new_array(n * in_size), *dx = s->sizes->gradient[at];
    double *terms = s->terms->state_gradient[state] = new_array(weights);
    double *dw = s->sizes->state_gradient[state] = new_array(weights);
    bool winograd = may_be_winograd(layer, in);
    if (layer->kind == CONV) {
        reference_convolve_input(layer, in, n, w, dy, sums);
        reference_convolve_weight(layer, in, n, x, dy, terms);
    } else {
        window = 1;
        reference_multiply_input(in_size, layer->out, n, w, dy, sums);
        reference_multiply_weight(in_size, layer->out, n, x, dy, terms);
    }
    for (int64_t i = 0; i < n * in_size; i++)
        dx[i] = sum_factor(layer->out * window) * sums[i] + (sums[i] > 0 ? UNDERFLOW : 0);
    double factor = sum_factor(count / layer->dims[0]);
    for (int64_t i = 0; i < weights; i++) {
        dw[i] = factor * terms[i] + (terms[i] > 0 ? UNDERFLOW : 0);
    }
    if (winograd) {
        add_winograd(n, in[0], in[1], in[2], sums, dx);
        add_winograd_weight(layer, in, n, x, dy, dw);
    }
    if (bias >= 0) {
        s->terms->state_gradient[bias] = new_array(layer->out);
        s->sizes->state_gradient[bias] = new_array(layer->out);
        reference_channel_sums(n, layer->out, count / n / layer->out, dy,
                               s->terms->state_gradient[bias]);
        for (int64_t o = 0; o < layer->out; o++)
            s->sizes->state_gradient[bias][o] = factor * s->terms->state_gradient[bias][o];
    }
    free(sums);
    free(x);
    free(dy);
    free(w);
}

/* y = x * scale + shift with shift = bias − mean * scale. */
static void size_batchnorm(const sizer *s, int at) {
    const layer_spec *layer = &s->ref->spec.layers[at];
    int64_t n = s->setup->n, channels = layer->dims[0];
    int64_t area = product(layer->ndim, layer->dims) / channels, count = n * channels * area;
    const double *x = s->pass->value[at], *mean = s->pass->mean[at];
    const double *variance = s->pass->variance[at];
    const double *weight = state_of(s, at, "weight"), *bias = state_of(s, at, "bias");
    double *y = s->sizes->value[at + 1];
    s->sizes->mean[at] = new_array(channels);
    s->sizes->variance[at] = new_array(channels);
    for (int64_t i = 0; i < count; i++) {
        int64_t c = i / area % channels;
        double scale = fabs(weight[c]) / sqrt(variance[c] + layer->eps);
        y[i] = scale == 0 ? 0 : UNIT * (2 * (fabs(x[i]) + fabs(mean[c])) * scale + fabs(bias[c]));
    }
    for (int64_t c = 0; s->setup->training && c < channels; c++) {
        s->sizes->mean[at][c] = 2 * UNIT * sqrt(variance[c]);
        s->sizes->variance[at][c] = 8 * UNIT * variance[c];
    }
}

static void size_batchnorm_back(const sizer *s, int at) {
    const layer_spec *layer = &s->ref->spec.layers[at];
    int64_t n = s->setup->n, channels = layer->dims[0];
    int64_t area = product(layer->ndim, layer->dims) / channels, count = n * channels * area;
    int states[2] = {reference_find(s->ref, at, "bias"), reference_find(s->ref, at, "weight")};
    const double *x = s->pass->value[at];
    double *g = rounded_gradient(s, at + 1, count);
    const double *mean = s->pass->mean[at], *variance = s->pass->variance[at];
    const double *weight = state_of(s, at, "weight");
    const double *first = s->pass->state_gradient[states[0]];
    const double *second = s->pass->state_gradient[states[1]];
    double *sizes[2], *terms[2], *dx = s->sizes->gradient[at];
    double *shared = s->sizes->shared[at] = new_array(channels);
    for (int i = 0; i < 2; i++) {
        sizes[i] = s->sizes->state_gradient[states[i]] = new_array(channels);
        terms[i] = s->terms->state_gradient[states[i]] = new_array(channels);
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t c = i / area % channels;
        double sigma = sqrt(variance[c] + layer->eps), factor = sum_factor(n * area);
        double scale = fabs(weight[c]) / sigma, number = (double)(n * area);
        double slope = scale * fabs(second[c]) / number / sigma;
        sizes[0][c] += factor * g[i];
        sizes[1][c] += factor * g[i] * fabs(x[i] - mean[c]) / sigma;
        terms[0][c] += g[i];
        terms[1][c] += g[i] * (fabs(x[i]) + fabs(mean[c])) / sigma;
        dx[i] = UNIT * (scale * (g[i] + fabs(first[c]) / number) +
                        2 * slope * (fabs(x[i]) + fabs(mean[c])));
        if (slope > 0) /* which may be below the normal numbers */
            dx[i] += SMALLEST * (fabs(x[i]) + fabs(mean[c]));
        shared[c] = 2 * UNIT * slope * fabs(mean[c]);
    }
    free(g);
}

/* Layers that compute nothing hand the size of a rounding on. */
static void size_passing_back(const sizer *s, int at) {
    const layer_spec *layer = &s->ref->spec.layers[at];
    const int64_t *in = in_dims(&s->ref->spec, at);
    int64_t count = s->setup->n * product(layer->ndim, layer->dims);
    const double *dy = s->sizes->gradient[at + 1];
    double *dx = s->sizes->gradient[at];
    for (int64_t i = 0; i < count; i++)
        if (layer->kind == POOL)
            dx[i / (layer->dims[1] * layer->dims[2]) * in[1] * in[2] + s->pass->winner[at][i]] +=
                dy[i];
        else if (layer->kind == FLATTEN || s->pass->passes[at][i])
            dx[i] = layer->kind == DROPOUT ? dy[i] / (1 - layer->p) : dy[i];
}

/* Each probability to its own precision; the label's is 1 minus the others'. */
static void size_loss(const sizer *s) {
    const net_spec *spec = &s->ref->spec;
    int64_t n = s->setup->n, classes = spec->layers[spec->count - 1].dims[0];
    const double *x = s->pass->value[spec->count], *g = s->pass->gradient[spec->count];
    double *sizes = s->sizes->gradient[spec->count];
    for (int64_t i = 0; i < n; i++) {
        double most = -INFINITY, others = 0;
        int64_t label = i * classes + s->setup->labels[i];
        for (int64_t c = i * classes; c < (i + 1) * classes; c++)
            most = fmax(most, x[c]);
        for (int64_t c = i * classes; c < (i + 1) * classes; c++) {
            /* e^x of less than about −87 is 0 in float32. */
            double lost = most - x[c] > 80 ? fabs(g[c]) : 0;
            sizes[c] = UNIT * (8 + most - x[c]) * fabs(g[c]) + lost;
            others += c == label ? 0 : sizes[c];
        }
        sizes[label] = others + 8 * UNIT * fabs(g[label]);
    }
}

void reference_rounding(const reference *ref, const reference_setup *setup,
                        const reference_pass *pass, reference_pass *sizes, reference_pass *terms) {
    const net_spec *spec = &ref->spec;
    sizer s = {ref, setup, pass, sizes, terms};
    memset(sizes, 0, sizeof *sizes);
    memset(terms, 0, sizeof *terms);
    for (int at = 0; at <= spec->count; at++) {
        sizes->value[at] = new_array(setup->n * input_size(spec, at));
        sizes->gradient[at] = new_array(setup->n * input_size(spec, at));
    }
    for (int at = 0; at < spec->count; at++)
        if (spec->layers[at].kind == BATCHNORM)
            size_batchnorm(&s, at);
        else if (spec->layers[at].kind == CONV || spec->layers[at].kind == LINEAR)
            size_sums(&s, at);
    if (!setup->training || !setup->labels)
        return;
    size_loss(&s);
    for (int at = spec->count - 1; at >= 0; at--)
        if (spec->layers[at].kind == BATCHNORM)
            size_batchnorm_back(&s, at);
        else if (spec->layers[at].kind == CONV || spec->layers[at].kind == LINEAR)
            size_sums_back(&s, at);
        else
            size_passing_back(&s, at);
}
