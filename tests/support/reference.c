#include "support/reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct state {
    char name[64];
    double *values;
    int64_t count;
} state;

struct reference {
    net_spec spec;
    int count;
    state states[MAX_LAYERS * 5];
};

reference *reference_create(const net_spec *spec, const dlviz_network *network) {
    reference *ref = calloc(1, sizeof *ref);
    ref->spec = *spec;
    for (int i = 0; i < dlviz_network_num_states(network); i++) {
        state *s = &ref->states[ref->count];
        dlviz_tensor *tensor;
        snprintf(s->name, sizeof s->name, "%s", dlviz_network_state_name(network, i));
        ck_ok(dlviz_network_get_state(network, s->name, &tensor));
        const float *values = dlviz_tensor_const_float(tensor);
        s->count = dlviz_tensor_size(tensor);
        if (values) {
            s->values = malloc((size_t)s->count * sizeof *s->values);
            for (int64_t j = 0; j < s->count; j++)
                s->values[j] = values[j];
            ref->count++;
        }
        dlviz_tensor_destroy(tensor);
    }
    return ref;
}

void reference_destroy(reference *ref) {
    for (int i = 0; i < ref->count; i++)
        free(ref->states[i].values);
    free(ref);
}

double *reference_state(reference *ref, const char *name, int64_t *count) {
    for (int i = 0; i < ref->count; i++)
        if (strcmp(ref->states[i].name, name) == 0) {
            if (count)
                *count = ref->states[i].count;
            return ref->states[i].values;
        }
    return NULL;
}

static double *parameter(reference *ref, const layer_spec *layer, const char *what) {
    char name[64];
    snprintf(name, sizeof name, "%s.%s", layer->name, what);
    return reference_state(ref, name, NULL);
}

static double *convolve(reference *ref, const layer_spec *layer, const int64_t *in, const double *x,
                        int64_t n) {
    const double *weight = parameter(ref, layer, "weight"), *bias = parameter(ref, layer, "bias");
    const int64_t *out = layer->dims, *k = layer->kernel;
    double *y = malloc((size_t)(n * product(3, out)) * sizeof *y), *to = y;
    for (int64_t i = 0; i < n; i++)
        for (int64_t o = 0; o < out[0]; o++)
            for (int64_t r = 0; r < out[1]; r++)
                for (int64_t c = 0; c < out[2]; c++, to++) {
                    *to = bias ? bias[o] : 0;
                    for (int64_t d = 0; d < in[0]; d++)
                        for (int64_t u = 0; u < k[0]; u++)
                            for (int64_t v = 0; v < k[1]; v++) {
                                int64_t row = r * layer->stride[0] - layer->padding[0] +
                                              u * layer->dilation[0];
                                int64_t column = c * layer->stride[1] - layer->padding[1] +
                                                 v * layer->dilation[1];
                                if (row >= 0 && row < in[1] && column >= 0 && column < in[2])
                                    *to += weight[((o * in[0] + d) * k[0] + u) * k[1] + v] *
                                           x[((i * in[0] + d) * in[1] + row) * in[2] + column];
                            }
                }
    return y;
}

static double *pool(const layer_spec *layer, const int64_t *in, const double *x, int64_t n) {
    const int64_t *out = layer->dims;
    double *y = malloc((size_t)(n * product(3, out)) * sizeof *y), *to = y;
    for (int64_t plane = 0; plane < n * in[0]; plane++)
        for (int64_t r = 0; r < out[1]; r++)
            for (int64_t c = 0; c < out[2]; c++, to++) {
                *to = -INFINITY;
                for (int64_t u = 0; u < layer->kernel[0]; u++)
                    for (int64_t v = 0; v < layer->kernel[1]; v++) {
                        int64_t row = r * layer->stride[0] - layer->padding[0] + u;
                        int64_t column = c * layer->stride[1] - layer->padding[1] + v;
                        if (row >= 0 && row < in[1] && column >= 0 && column < in[2])
                            *to = fmax(*to, x[(plane * in[1] + row) * in[2] + column]);
                    }
            }
    return y;
}

static double *normalise(reference *ref, const layer_spec *layer, const double *x, int64_t n,
                         bool training) {
    int64_t channels = layer->dims[0], area = product(layer->ndim, layer->dims) / channels;
    const double *weight = parameter(ref, layer, "weight"), *bias = parameter(ref, layer, "bias");
    double *y = malloc((size_t)(n * channels * area) * sizeof *y);
    for (int64_t c = 0; c < channels; c++) {
        double mean = parameter(ref, layer, "running_mean")[c];
        double variance = parameter(ref, layer, "running_var")[c], sum = 0, squares = 0;
        for (int64_t i = 0; training && i < n * area; i++)
            sum += x[(i / area * channels + c) * area + i % area];
        mean = training ? sum / (double)(n * area) : mean;
        for (int64_t i = 0; training && i < n * area; i++) {
            double d = x[(i / area * channels + c) * area + i % area] - mean;
            squares += d * d;
        }
        variance = training ? squares / (double)(n * area) : variance;
        for (int64_t i = 0; i < n * area; i++) {
            int64_t at = (i / area * channels + c) * area + i % area;
            y[at] = (x[at] - mean) / sqrt(variance + layer->eps) * weight[c] + bias[c];
        }
    }
    return y;
}

static double *multiply(reference *ref, const layer_spec *layer, int64_t in, const double *x,
                        int64_t n) {
    const double *weight = parameter(ref, layer, "weight"), *bias = parameter(ref, layer, "bias");
    double *y = malloc((size_t)(n * layer->out) * sizeof *y);
    for (int64_t i = 0; i < n * layer->out; i++) {
        y[i] = bias ? bias[i % layer->out] : 0;
        for (int64_t d = 0; d < in; d++)
            y[i] += weight[i % layer->out * in + d] * x[i / layer->out * in + d];
    }
    return y;
}

static double *rectify(const layer_spec *layer, const double *x, int64_t n) {
    int64_t count = n * product(layer->ndim, layer->dims);
    double *y = malloc((size_t)count * sizeof *y);
    for (int64_t i = 0; i < count; i++)
        y[i] = layer->kind == RELU && x[i] < 0 ? 0 : x[i];
    return y;
}

double *reference_outputs(reference *ref, const float *inputs, int64_t n, bool training,
                          const char *name) {
    const net_spec *spec = &ref->spec;
    int ndim = spec->ndim;
    const int64_t *dims = spec->dims;
    int64_t count = n * product(ndim, dims);
    double *x = malloc((size_t)count * sizeof *x);
    for (int64_t i = 0; i < count; i++)
        x[i] = inputs[i];
    for (int i = 0; i < spec->count; i++) {
        const layer_spec *layer = &spec->layers[i];
        double *y = layer->kind == CONV        ? convolve(ref, layer, dims, x, n)
                    : layer->kind == POOL      ? pool(layer, dims, x, n)
                    : layer->kind == BATCHNORM ? normalise(ref, layer, x, n, training)
                    : layer->kind == LINEAR    ? multiply(ref, layer, product(ndim, dims), x, n)
                                               : rectify(layer, x, n);
        free(x);
        x = y;
        ndim = layer->ndim;
        dims = layer->dims;
        if (name && strcmp(name, layer->name) == 0)
            break;
    }
    return x;
}

double reference_loss(reference *ref, const float *inputs, const int64_t *labels, int64_t n) {
    double *logits = reference_outputs(ref, inputs, n, true, NULL), total = 0;
    int64_t classes = ref->spec.layers[ref->spec.count - 1].dims[0];
    for (int64_t i = 0; i < n; i++) {
        double most = -INFINITY, sum = 0;
        for (int64_t c = 0; c < classes; c++)
            most = fmax(most, logits[i * classes + c]);
        for (int64_t c = 0; c < classes; c++)
            sum += exp(logits[i * classes + c] - most);
        total += most + log(sum) - logits[i * classes + labels[i]];
    }
    free(logits);
    return total / (double)n;
}
