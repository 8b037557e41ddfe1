/* A whole network forward and backward in double precision. */
#include "support/reference.h"
#include "support/reference_layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct runner {
    const reference *ref;
    const reference_setup *setup;
    reference_pass *pass;
} runner;

static double *new_array(int64_t count) {
    double *array = calloc((size_t)count + 1, sizeof *array);
    ck_assert_ptr_nonnull(array);
    return array;
}

static const int64_t *in_dims(const net_spec *spec, int layer) {
    return layer > 0 ? spec->layers[layer - 1].dims : spec->dims;
}

static int in_ndim(const net_spec *spec, int layer) {
    return layer > 0 ? spec->layers[layer - 1].ndim : spec->ndim;
}

static const double *state_of(const runner *r, int layer, const char *what) {
    int at = reference_find(r->ref, layer, what);
    return at < 0 ? NULL : r->ref->states[at].values;
}

/* Moves numbers by their deviations. */
static void shake(const runner *r, double *values, const double *deviations, int64_t count) {
    for (int64_t i = 0; deviations && i < count; i++)
        if (deviations[i] != 0)
            values[i] += deviations[i] * dlz_random_normal(r->setup->random);
}

/* A shaken variance may fall below 0; NaN stays. */
static double at_least_0(double variance) {
    return variance < 0 ? 0 : variance;
}

/* -- Forward --------------------------------------------------------------------------------- */

static void normalize(const runner *r, int at, const double *x, double *y) {
    const layer_spec *layer = &r->ref->spec.layers[at];
    reference_pass *pass = r->pass;
    int64_t n = r->setup->n, channels = layer->dims[0];
    int64_t area = product(layer->ndim, layer->dims) / channels;
    double *mean = pass->mean[at] = new_array(channels);
    double *variance = pass->variance[at] = new_array(channels);
    if (r->setup->training)
        reference_statistics(n, channels, area, x, mean, variance);
    else
        for (int64_t c = 0; c < channels; c++) {
            mean[c] = state_of(r, at, "running_mean")[c];
            variance[c] = state_of(r, at, "running_var")[c];
        }
    if (r->setup->noise) {
        shake(r, mean, r->setup->noise->mean[at], channels);
        shake(r, variance, r->setup->noise->variance[at], channels);
    }
    const double *weight = state_of(r, at, "weight"), *bias = state_of(r, at, "bias");
    for (int64_t i = 0; i < n * channels * area; i++) {
        int64_t c = i / area % channels;
        y[i] = (x[i] - mean[c]) / sqrt(at_least_0(variance[c]) + layer->eps) * weight[c] + bias[c];
    }
}

/* Which numbers pass a relu or a dropout. NaN passes, so that it is not hidden. Given decisions
 * count for the gradient; forward, a relu's own do, of which its value depends without a jump. */
static void decide(const runner *r, int at, const double *x, int64_t count) {
    const layer_spec *layer = &r->ref->spec.layers[at];
    const reference_setup *setup = r->setup;
    uint8_t *passes = r->pass->passes[at] = malloc((size_t)count + 1);
    if (setup->decisions)
        memcpy(passes, setup->decisions->passes[at], (size_t)count);
    else if (layer->kind == RELU)
        for (int64_t i = 0; i < count; i++)
            passes[i] = (uint8_t) !(x[i] <= 0);
    else if (setup->training && setup->dropout && layer->p > 0)
        reference_mask(setup->n, layer->dims[0], product(layer->ndim, layer->dims) / layer->dims[0],
                       layer->p, at, setup->seed, setup->step, passes);
    else
        memset(passes, 1, (size_t)count);
}

static double keep_scale(const runner *r, const layer_spec *layer) {
    bool drops = layer->kind == DROPOUT && r->setup->training && r->setup->dropout;
    return drops ? 1 / (1 - layer->p) : 1;
}

static void pool(const runner *r, int at, const int64_t *in, const double *x, double *y) {
    const layer_spec *layer = &r->ref->spec.layers[at];
    int64_t n = r->setup->n, area = layer->dims[1] * layer->dims[2];
    int64_t count = n * layer->dims[0] * area;
    int32_t *winner = r->pass->winner[at] = malloc((size_t)(count + 1) * sizeof *winner);
    reference_find_winners(layer, in, n, x, winner);
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i / area * in[1] * in[2] + winner[i]];
    if (r->setup->decisions)
        memcpy(winner, r->setup->decisions->winner[at], (size_t)count * sizeof *winner);
}

static void forward_layer(const runner *r, int at) {
    const net_spec *spec = &r->ref->spec;
    const layer_spec *layer = &spec->layers[at];
    const int64_t *in = in_dims(spec, at);
    int64_t n = r->setup->n, count = n * product(layer->ndim, layer->dims);
    const double *x = r->pass->value[at];
    double *y = r->pass->value[at + 1] = new_array(count), scale = keep_scale(r, layer);
    const double *weight = state_of(r, at, "weight"), *bias = state_of(r, at, "bias");
    switch (layer->kind) {
    case CONV:
        reference_convolve(layer, in, n, weight, bias, x, y);
        break;
    case LINEAR:
        reference_multiply(product(in_ndim(spec, at), in), layer->out, n, weight, bias, x, y);
        break;
    case BATCHNORM:
        normalize(r, at, x, y);
        break;
    case POOL:
        pool(r, at, in, x, y);
        break;
    case RELU:
        decide(r, at, x, count);
        for (int64_t i = 0; i < count; i++)
            y[i] = x[i] <= 0 ? 0 : x[i];
        break;
    case DROPOUT:
        decide(r, at, x, count);
        for (int64_t i = 0; i < count; i++)
            y[i] = r->pass->passes[at][i] ? x[i] * scale : 0;
        break;
    case FLATTEN:
        memcpy(y, x, (size_t)count * sizeof *y);
        break;
    }
    if (r->setup->noise)
        shake(r, y, r->setup->noise->value[at + 1], count);
}

/* -- Backward -------------------------------------------------------------------------------- */

/* Mean cross-entropy and its gradient. */
static void classify(const runner *r) {
    const net_spec *spec = &r->ref->spec;
    reference_pass *pass = r->pass;
    int64_t n = r->setup->n, classes = spec->layers[spec->count - 1].dims[0];
    const double *logits = pass->value[spec->count];
    double *gradient = pass->gradient[spec->count] = new_array(n * classes);
    for (int64_t i = 0; i < n; i++) {
        const double *x = logits + i * classes;
        int64_t label = r->setup->labels[i];
        double most = -INFINITY, sum = 0, others = 0;
        for (int64_t c = 0; c < classes; c++)
            most = x[c] > most || isnan(x[c]) ? x[c] : most;
        for (int64_t c = 0; c < classes; c++) {
            sum += exp(x[c] - most);
            others += c == label ? 0 : exp(x[c] - most);
        }
        pass->loss += (most - x[label] + log(sum)) / (double)n;
        for (int64_t c = 0; c < classes; c++)
            gradient[i * classes + c] =
                (c == label ? -others / sum : exp(x[c] - most) / sum) / (double)n;
    }
    if (r->setup->noise)
        shake(r, gradient, r->setup->noise->gradient[spec->count], n * classes);
}

/* With xhat = (x − mean)/sigma: dx = weight/sigma (g − mean of g − xhat · mean of g xhat). */
static void normalize_back(const runner *r, int at, double *dweight, double *dbias, double *dx) {
    const layer_spec *layer = &r->ref->spec.layers[at];
    const reference_pass *pass = r->pass;
    int64_t n = r->setup->n, channels = layer->dims[0];
    int64_t area = product(layer->ndim, layer->dims) / channels;
    const double *x = pass->value[at], *g = pass->gradient[at + 1];
    const double *weight = state_of(r, at, "weight");
    double count = (double)(n * area);
    for (int64_t i = 0; i < n * channels * area; i++) {
        int64_t c = i / area % channels;
        dbias[c] += g[i];
        dweight[c] += g[i] * (x[i] - pass->mean[at][c]) /
                      sqrt(at_least_0(pass->variance[at][c]) + layer->eps);
    }
    double *first = new_array(channels), *second = new_array(channels);
    double *shared = new_array(channels);
    for (int64_t c = 0; c < channels; c++) {
        first[c] = dbias[c];
        second[c] = dweight[c];
    }
    if (r->setup->noise) { /* the sums have errors of their own, which reach every number */
        shake(r, first, r->setup->noise->state_gradient[reference_find(r->ref, at, "bias")],
              channels);
        shake(r, second, r->setup->noise->state_gradient[reference_find(r->ref, at, "weight")],
              channels);
        shake(r, shared, r->setup->noise->shared[at], channels);
    }
    for (int64_t i = 0; dx && i < n * channels * area; i++) {
        int64_t c = i / area % channels;
        double sigma = sqrt(at_least_0(pass->variance[at][c]) + layer->eps);
        double xhat = (x[i] - pass->mean[at][c]) / sigma;
        dx[i] =
            weight[c] / sigma * (g[i] - first[c] / count - xhat * second[c] / count) + shared[c];
    }
    free(first);
    free(second);
    free(shared);
}

static double *gradient_of(const runner *r, int layer, const char *what) {
    int at = reference_find(r->ref, layer, what);
    if (at < 0)
        return NULL;
    return r->pass->state_gradient[at] = new_array(r->ref->states[at].count);
}

static void backward_layer(const runner *r, int at) {
    const net_spec *spec = &r->ref->spec;
    const layer_spec *layer = &spec->layers[at];
    const int64_t *in = in_dims(spec, at);
    reference_pass *pass = r->pass;
    int64_t n = r->setup->n, count = n * product(layer->ndim, layer->dims);
    int64_t in_size = product(in_ndim(spec, at), in), area = count / n / layer->dims[0];
    const double *x = pass->value[at], *dy = pass->gradient[at + 1];
    double *dx = pass->gradient[at] = new_array(n * in_size), scale = keep_scale(r, layer);
    const double *weight = state_of(r, at, "weight");
    double *dweight = gradient_of(r, at, "weight"), *dbias = gradient_of(r, at, "bias");
    switch (layer->kind) {
    case CONV:
        reference_convolve_input(layer, in, n, weight, dy, dx);
        reference_convolve_weight(layer, in, n, x, dy, dweight);
        break;
    case LINEAR:
        reference_multiply_input(in_size, layer->out, n, weight, dy, dx);
        reference_multiply_weight(in_size, layer->out, n, x, dy, dweight);
        break;
    case BATCHNORM:
        normalize_back(r, at, dweight, dbias, dx);
        break;
    case POOL:
        for (int64_t i = 0; i < count; i++)
            dx[i / area * in[1] * in[2] + pass->winner[at][i]] += dy[i];
        break;
    case RELU:
    case DROPOUT:
        for (int64_t i = 0; i < count; i++)
            dx[i] = pass->passes[at][i] ? dy[i] * scale : 0;
        break;
    case FLATTEN:
        memcpy(dx, dy, (size_t)count * sizeof *dx);
        break;
    }
    if (dbias && layer->kind != BATCHNORM)
        reference_channel_sums(n, layer->dims[0], area, dy, dbias);
    const reference_pass *noise = r->setup->noise;
    if (!noise)
        return;
    shake(r, dx, noise->gradient[at], n * in_size);
    for (int i = 0; i < r->ref->count; i++)
        if (r->ref->states[i].layer == at && pass->state_gradient[i])
            shake(r, pass->state_gradient[i], noise->state_gradient[i], r->ref->states[i].count);
}

void reference_run(const reference *ref, const reference_setup *setup, reference_pass *pass) {
    const net_spec *spec = &ref->spec;
    runner r = {ref, setup, pass};
    int64_t count = setup->n * product(spec->ndim, spec->dims);
    memset(pass, 0, sizeof *pass);
    pass->value[0] = new_array(count);
    for (int64_t i = 0; i < count; i++)
        pass->value[0][i] = setup->inputs[i];
    for (int i = 0; i < spec->count; i++)
        forward_layer(&r, i);
    if (!setup->labels)
        return;
    classify(&r);
    for (int i = spec->count - 1; setup->training && i >= 0; i--)
        backward_layer(&r, i);
}

void reference_pass_free(reference_pass *pass) {
    for (int i = 0; i <= MAX_LAYERS; i++) {
        free(pass->value[i]);
        free(pass->gradient[i]);
    }
    for (int i = 0; i < MAX_LAYERS; i++) {
        free(pass->mean[i]);
        free(pass->variance[i]);
        free(pass->shared[i]);
        free(pass->passes[i]);
        free(pass->winner[i]);
    }
    for (int i = 0; i < REFERENCE_STATES; i++)
        free(pass->state_gradient[i]);
    memset(pass, 0, sizeof *pass);
}
