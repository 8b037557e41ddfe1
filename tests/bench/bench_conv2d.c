#include "bench.h"
#include "base/base.h"
#include "network/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Layers by themselves, as a plan runs them: weights are prepared each time, as in training. What
 * 3 x 3 of stride 1 does is in bench_conv3x3.c. */
typedef struct layer_case {
    const char *name;
    int64_t images, channels, size, outputs, kernel, stride, padding, groups;
    int64_t output_padding; /* of a transposed one, else -1 */
    bool first;             /* nobody wants the input's gradient */
} layer_case;

static const layer_case cases[] = {
    {"3x3 s2 16->32 @32", 64, 16, 32, 32, 3, 2, 1, 1, -1, false},
    {"3x3 s2 32->64 @16", 64, 32, 16, 64, 3, 2, 1, 1, -1, false},
    {"3x3 s2 64->64 @28", 16, 64, 28, 64, 3, 2, 1, 1, -1, false},
    {"3x3 s2 128->128 @14", 16, 128, 14, 128, 3, 2, 1, 1, -1, false},
    {"3x3 s2 1->16 @28 first", 64, 1, 28, 16, 3, 2, 1, 1, -1, true},
    {"3x3 s2 16->32 @14", 64, 16, 14, 32, 3, 2, 1, 1, -1, false},
    {"1x1 s2 16->32 @32", 64, 16, 32, 32, 1, 2, 0, 1, -1, false},
    {"1x1 s2 32->64 @16", 64, 32, 16, 64, 1, 2, 0, 1, -1, false},
    {"1x1 32->64 @32", 64, 32, 32, 64, 1, 1, 0, 1, -1, false},
    {"1x1 64->128 @16", 64, 64, 16, 128, 1, 1, 0, 1, -1, false},
    {"1x1 64->128 @14", 64, 64, 14, 128, 1, 1, 0, 1, -1, false},
    {"1x1 128->128 @16", 32, 128, 16, 128, 1, 1, 0, 1, -1, false},
    {"1x1 128->256 @8", 64, 128, 8, 256, 1, 1, 0, 1, -1, false},
    {"1x1 256->256 @8", 32, 256, 8, 256, 1, 1, 0, 1, -1, false},
    {"5x5 1->6 @28 first", 64, 1, 28, 6, 5, 1, 2, 1, -1, true},
    {"5x5 6->16 @14", 64, 6, 14, 16, 5, 1, 0, 1, -1, false},
    {"7x7 s2 3->32 @112 first", 16, 3, 112, 32, 7, 2, 3, 1, -1, true},
    {"7x7 32->64 @7", 64, 32, 7, 64, 7, 1, 0, 1, -1, false},
    {"dw 3x3 32 @32", 64, 32, 32, 32, 3, 1, 1, 32, -1, false},
    {"dw 3x3 s2 64 @32", 64, 64, 32, 64, 3, 2, 1, 64, -1, false},
    {"dw 3x3 128 @16", 64, 128, 16, 128, 3, 1, 1, 128, -1, false},
    {"dw 3x3 s2 128 @16", 64, 128, 16, 128, 3, 2, 1, 128, -1, false},
    {"dw 3x3 256 @8", 64, 256, 8, 256, 3, 1, 1, 256, -1, false},
    {"transposed 7x7 64->32 @1", 64, 64, 1, 32, 7, 1, 0, 1, 0, false},
    {"transposed 3x3 s2 32->16 @7", 64, 32, 7, 16, 3, 2, 1, 1, 1, false},
    {"transposed 3x3 s2 16->1 @14", 64, 16, 14, 1, 3, 2, 1, 1, 1, false},
    {"3x3 s2 64->64 @16, 4 groups", 64, 64, 16, 64, 3, 2, 1, 4, -1, false},
    {"1x1 64->128 @16, 2 groups", 64, 64, 16, 128, 1, 1, 0, 2, -1, false},
    {"5x5 33->33 @14", 16, 33, 14, 33, 5, 1, 2, 1, -1, false},
    {"5x5 3->8 @32 first", 64, 3, 32, 8, 5, 1, 2, 1, -1, true},
    {"1x1 3->33 @32", 64, 3, 32, 33, 1, 1, 0, 1, -1, false},
    {"3x3 s2 3->16 @32 first", 64, 3, 32, 16, 3, 2, 1, 1, -1, true},
};

static dlviz_layer *layer_of(const layer_case *k) {
    dlviz_status status;
    dlviz_layer *layer;
    if (k->output_padding >= 0) {
        layer = dlviz_conv_transpose2d(k->outputs, k->kernel, k->stride);
        status = dlviz_conv_transpose2d_set_padding(layer, k->padding, k->padding);
        if (status == DLVIZ_OK)
            status = dlviz_conv_transpose2d_set_output_padding(layer, k->output_padding,
                                                               k->output_padding);
    } else {
        layer = dlviz_conv2d(k->outputs, k->kernel, k->padding);
        status = dlviz_conv2d_set_stride(layer, k->stride, k->stride);
        if (status == DLVIZ_OK)
            status = dlviz_conv2d_set_groups(layer, k->groups);
    }
    return status == DLVIZ_OK ? layer : NULL;
}

static dlviz_status build(const layer_case *k, dlviz_network **network) {
    DLZ_TRY(dlviz_network_create(network, 3, (int64_t[]){k->channels, k->size, k->size}));
    DLZ_TRY(dlviz_network_add(*network, "layer", layer_of(k)));
    return dlviz_network_build(*network, 1);
}

static void run_forward(void *plan) {
    if (dlz_plan_forward(plan) != DLVIZ_OK)
        exit(1);
}

static void run_backward(void *plan) {
    if (dlz_plan_backward(plan) != DLVIZ_OK)
        exit(1);
}

/* -- In double -----------------------------------------------------------------------------------
 */

typedef struct truth {
    double *y, *dx, *dw;
} truth;

static void add_product(const layer_case *k, truth *t, const float *x, const float *w,
                        const float *dy, int64_t at_x, int64_t at_w, int64_t at_y) {
    (void)k;
    t->y[at_y] += (double)x[at_x] * (double)w[at_w];
    t->dx[at_x] += (double)dy[at_y] * (double)w[at_w];
    t->dw[at_w] += (double)x[at_x] * (double)dy[at_y];
}

/* Every product of one image: `small` is the side that strides leave smaller. */
static void compute(const layer_case *k, const dlz_value *in, const dlz_value *out, const float *x,
                    const float *w, const float *dy, truth *t) {
    bool turned = k->output_padding >= 0;
    const dlz_value *small = turned ? in : out, *large = turned ? out : in;
    int64_t each_small = small->channels / k->groups, each_large = large->channels / k->groups;
    int64_t area = k->kernel * k->kernel;
    for (int64_t pixel = 0; pixel < small->height * small->width; pixel++)
        for (int64_t place = 0; place < area; place++) {
            int64_t row = pixel / small->width * k->stride - k->padding + place / k->kernel;
            int64_t column = pixel % small->width * k->stride - k->padding + place % k->kernel;
            if (row < 0 || row >= large->height || column < 0 || column >= large->width)
                continue;
            for (int64_t s = 0; s < small->channels; s++)
                for (int64_t l = 0; l < each_large; l++) {
                    int64_t at_small = pixel * small->channels + s;
                    int64_t at_large = (row * large->width + column) * large->channels +
                                       s / each_small * each_large + l;
                    int64_t at_w = (s * each_large + l) * area + place;
                    if (turned)
                        add_product(k, t, x, w, dy, at_small, at_w, at_large);
                    else
                        add_product(k, t, x, w, dy, at_large, at_w, at_small);
                }
        }
}

static double error_of(const float *got, const double *wanted, int64_t count) {
    double error = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        error += (got[i] - wanted[i]) * (got[i] - wanted[i]);
        norm += wanted[i] * wanted[i];
    }
    return sqrt(error / norm);
}

static void fill(float *values, int64_t count, uint64_t seed) {
    float *numbers = bench_uniform(count, seed);
    if (!numbers)
        exit(1);
    for (int64_t i = 0; i < count; i++)
        values[i] = numbers[i];
    dlz_free(numbers);
}

/* The errors of y and of both gradients, of a batch of one. */
static void errors(const layer_case *k, dlviz_network *network, dlz_mode mode, double error[2]) {
    dlz_plan *plan;
    mode.input_gradient = true;
    if (dlz_plan_get(&network->plans, &network->graph, 0, mode, 1, &plan) != DLVIZ_OK)
        exit(1);
    dlz_value *in = dlz_plan_input(plan), *out = dlz_plan_output(plan);
    const dlz_state *weight = &network->states[0], *bias = &network->states[1];
    int64_t inputs = dlz_value_size(in), outputs = dlz_value_size(out);
    float *x = bench_uniform(inputs, 1), *dy = bench_uniform(outputs, 2);
    truth t = {dlz_alloc_array((size_t)outputs, sizeof(double)),
               dlz_alloc_array((size_t)inputs, sizeof(double)),
               dlz_alloc_array((size_t)weight->size, sizeof(double))};
    if (!x || !dy || !t.y || !t.dx || !t.dw)
        exit(1);
    fill(in->data, inputs, 1);
    for (int64_t i = 0; i < outputs; i++)
        t.y[i] = (double)((const float *)bias->value)[i % out->channels];
    for (int64_t i = 0; i < inputs; i++)
        t.dx[i] = 0;
    for (int64_t i = 0; i < weight->size; i++)
        t.dw[i] = 0;
    compute(k, in, out, x, weight->value, dy, &t);
    run_forward(plan);
    error[0] = error_of(out->data, t.y, outputs);
    fill(out->dy, outputs, 2);
    run_backward(plan);
    error[1] = fmax(error_of(in->dy, t.dx, inputs), error_of(weight->gradient, t.dw, weight->size));
    dlz_free(x);
    dlz_free(dy);
    dlz_free(t.y);
    dlz_free(t.dx);
    dlz_free(t.dw);
}

static void report(bench *b, const layer_case *k, const char *what, double seconds, double flops,
                   double error) {
    char title[100];
    snprintf(title, sizeof title, "%s %s", k->name, what);
    bench_report(b, "conv2d", dlz_isa_chosen(), title, seconds, flops, error, 2e-6);
}

static void bench_layer(bench *b, const layer_case *k) {
    dlviz_network *network = NULL;
    dlz_plan *plan, *single;
    dlz_mode training = {.training = true, .gradients = true, .input_gradient = !k->first};
    if (build(k, &network) != DLVIZ_OK)
        exit(1);
    double error[2];
    errors(k, network, training, error);
    if (dlz_plan_get(&network->plans, &network->graph, 0, (dlz_mode){0}, 1, &single) != DLVIZ_OK)
        exit(1);
    fill(dlz_plan_input(single)->data, dlz_value_size(dlz_plan_input(single)), 1);
    double one = bench_time(b, run_forward, single);
    if (dlz_plan_get(&network->plans, &network->graph, 0, training, k->images, &plan) != DLVIZ_OK)
        exit(1);
    dlz_value *in = dlz_plan_input(plan), *out = dlz_plan_output(plan);
    bool turned = k->output_padding >= 0;
    const dlz_value *small = turned ? in : out;
    double flops = 2.0 * (double)(small->height * small->width * k->kernel * k->kernel *
                                  k->channels * k->outputs / k->groups);
    fill(in->data, k->images * dlz_value_size(in), 1);
    double forward = bench_time(b, run_forward, plan);
    fill(out->dy, k->images * dlz_value_size(out), 2);
    double backward = bench_time(b, run_backward, plan);
    report(b, k, "one image", one, flops, error[0]);
    report(b, k, "forward", forward, (double)k->images * flops, error[0]);
    report(b, k, "backward", backward, (double)k->images * flops * (k->first ? 1 : 2), error[1]);
    dlviz_network_destroy(network);
}

void bench_conv2d(bench *b) {
    if (bench_wants(b, dlz_isa_chosen()))
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            if (!b->only || strstr(cases[i].name, b->only))
                bench_layer(b, &cases[i]);
}
