#include "bench.h"
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/conv/conv3x3.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The report's network at batch 64, with batch norm, relu and pool fused as in training. */
static const struct {
    const char *name;
    dlz_conv3x3_shape shape;
    /* The input passes a batch norm and relu on its way in, the gradient a pool (else a relu). */
    bool normed;
} layers[] = {
    {"conv1 1->32 @32x32", {64, 32, 32, 1, 32, {1, 1}}, false},
    {"conv2 32->32 @32x32", {64, 32, 32, 32, 32, {1, 1}}, true},
    {"conv3 32->64 @16x16", {64, 16, 16, 32, 64, {1, 1}}, false},
    {"conv4 64->64 @16x16", {64, 16, 16, 64, 64, {1, 1}}, true},
    {"conv2 32->32 @28x28", {64, 28, 28, 32, 32, {1, 1}}, true},
    {"conv4 64->64 @14x14", {64, 14, 14, 64, 64, {1, 1}}, true},
};

typedef struct work {
    dlz_conv3x3_plan plan;
    dlz_conv3x3_input input;
    dlz_conv3x3_gradient gradient;
    dlz_conv3x3_output output;
    dlz_conv3x3_input_gradient dx;
    float *w, *forward, *backward, *accumulators, *scratch, *dw, *db;
    bool training;
} work;

static float *scratch_of(const work *k, int worker) {
    return k->scratch + worker * k->plan.scratch_floats;
}

static void prepare_tile(void *context, int64_t tile, int worker) {
    work *k = context;
    (void)worker;
    dlz_conv3x3_prepare(&k->plan, tile, k->w, k->forward, k->training ? k->backward : NULL);
}

static void forward_tile(void *context, int64_t tile, int worker) {
    work *k = context;
    dlz_conv3x3_forward(&k->plan, tile, &k->input, k->forward, &k->output, scratch_of(k, worker));
}

static void backward_tile(void *context, int64_t tile, int worker) {
    work *k = context;
    dlz_conv3x3_backward(&k->plan, tile, &k->input, &k->gradient, k->backward,
                         k->dx.dx ? &k->dx : NULL, k->accumulators, scratch_of(k, worker));
}

static void finish_tile(void *context, int64_t tile, int worker) {
    work *k = context;
    (void)worker;
    dlz_conv3x3_finish(&k->plan, tile, k->accumulators, k->dw, k->db);
}

static void run_prepare(void *context) {
    work *k = context;
    dlz_parallel_for(k->plan.weight_tiles, dlz_threads(), prepare_tile, context);
}

static void run_forward(void *context) {
    work *k = context;
    dlz_parallel_for(k->plan.forward_tiles, dlz_threads(), forward_tile, context);
}

static void run_backward(void *context) {
    work *k = context;
    dlz_parallel_for(k->plan.backward_tiles, dlz_threads(), backward_tile, context);
}

static void run_finish(void *context) {
    work *k = context;
    dlz_parallel_for(k->plan.weight_tiles, dlz_threads(), finish_tile, context);
}

static double error_of(const float *got, const double *truth, int64_t count) {
    double error = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        error += (got[i] - truth[i]) * (got[i] - truth[i]);
        norm += truth[i] * truth[i];
    }
    return sqrt(error / norm);
}

/* The errors of y, dx and dw on one image (the reference is slow). */
static void errors(work *k, dlz_isa isa, dlz_conv3x3_algorithm algorithm, double error[3]) {
    dlz_conv3x3_plan whole = k->plan;
    dlz_conv3x3_shape s = k->plan.shape;
    s.images = 1;
    dlz_conv3x3_plan_create(&k->plan, s, isa, algorithm);
    int64_t inputs = s.height * s.width * s.in_channels,
            outputs = s.height * s.width * s.out_channels;
    int64_t weights = 9 * s.in_channels * s.out_channels;
    double *y = dlz_alloc((size_t)outputs * 8), *dx = dlz_alloc((size_t)inputs * 8);
    double *dw = dlz_alloc((size_t)weights * 8), *db = dlz_alloc((size_t)s.out_channels * 8);
    if (!y || !dx || !dw || !db)
        exit(1);
    dlz_conv3x3_reference_forward(s, &k->input, k->w, k->output.bias, y);
    run_prepare(k);
    run_forward(k); /* which also writes the codes that the gradient is read by */
    dlz_conv3x3_reference_backward(s, &k->input, &k->gradient, k->w, dx, dw, db);
    run_backward(k);
    run_finish(k);
    error[0] = error_of(k->output.y, y, outputs);
    error[1] = k->dx.dx ? error_of(k->dx.dx, dx, inputs) : 0;
    error[2] = error_of(k->dw, dw, weights);
    dlz_free(y);
    dlz_free(dx);
    dlz_free(dw);
    dlz_free(db);
    k->plan = whole;
}

static void bench_layer(bench *b, size_t layer, dlz_isa isa, dlz_conv3x3_algorithm algorithm) {
    static const char *names[] = {"auto", "direct", "winograd2", "winograd4"};
    dlz_conv3x3_shape s = layers[layer].shape;
    work k = {.training = s.in_channels > 1};
    if (dlz_conv3x3_plan_create(&k.plan, s, isa, algorithm) != DLVIZ_OK)
        exit(1);
    int64_t inputs = s.images * s.height * s.width * s.in_channels;
    int64_t outputs = s.images * s.height * s.width * s.out_channels;
    int64_t weights = 9 * s.in_channels * s.out_channels;
    float *x = bench_uniform(inputs, 1), *y = bench_uniform(outputs, 2);
    float *dy = bench_uniform(outputs, 3), *dx = bench_uniform(inputs, 4);
    float *z = bench_uniform(outputs, 5);
    float *c = bench_uniform(64 * 8, 6);
    double *stats = dlz_alloc_array((size_t)k.plan.moment_blocks * (1 + 2 * 64), sizeof *stats);
    double *sums = dlz_alloc_array((size_t)k.plan.backward_tiles * 2 * 64, sizeof *sums);
    float *pooled = bench_uniform(outputs / 4, 9);
    uint8_t *codes = dlz_alloc((size_t)outputs / 4);
    for (int64_t i = 0; codes && i < outputs / 4; i++)
        codes[i] = (uint8_t)(i * 7 % 5);
    k.w = bench_uniform(weights, 7);
    k.forward = bench_uniform(k.plan.forward_weight_floats, 8);
    k.backward = bench_uniform(k.plan.backward_weight_floats, 8);
    k.accumulators = bench_uniform(k.plan.accumulator_floats, 8);
    k.scratch = bench_uniform(k.plan.scratch_floats * b->threads, 8);
    k.dw = bench_uniform(weights, 8);
    k.db = bench_uniform(64, 8);
    if (!x || !codes || !pooled || !y || !dy || !dx || !z || !c || !stats || !sums || !k.w ||
        !k.forward || !k.backward || !k.accumulators || !k.scratch || !k.dw || !k.db)
        exit(1);
    bool normed = layers[layer].normed;
    k.input = (dlz_conv3x3_input){.data = x,
                                  .scale = normed ? c : NULL,
                                  .shift = normed ? c + 64 : NULL,
                                  .relu = normed,
                                  .weights = k.w};
    k.gradient = (dlz_conv3x3_gradient){.dy = dy,
                                        .z = z,
                                        .scale = c + 128,
                                        .shift = c + 192,
                                        .relu = true,
                                        .a = c + 256,
                                        .b = c + 320,
                                        .center = c + 64,
                                        .d = c + 384,
                                        .codes = normed ? codes : NULL};
    k.output = (dlz_conv3x3_output){.y = y,
                                    .bias = c + 448,
                                    .stats = stats,
                                    .pooled = normed && k.plan.pools ? pooled : NULL,
                                    .codes = codes,
                                    .pool_sign = c + 256};
    k.dx = (dlz_conv3x3_input_gradient){k.training ? dx : NULL, normed ? sums : NULL, c};

    double error[3], flops = 2.0 * (double)(outputs * s.in_channels * 9);
    errors(&k, isa, algorithm, error);
    double seconds[4] = {bench_time(b, run_forward, &k), bench_time(b, run_backward, &k),
                         bench_time(b, run_prepare, &k), bench_time(b, run_finish, &k)};
    char what[100];
    const char *name = names[k.plan.algorithm], *title = layers[layer].name;
    snprintf(what, sizeof what, "%s %s forward", title, name);
    bench_report(b, "conv3x3", isa, what, seconds[0], flops, error[0], 2e-6);
    snprintf(what, sizeof what, "%s %s backward", title, name);
    bench_report(b, "conv3x3", isa, what, seconds[1], k.training ? 2 * flops : flops,
                 fmax(error[1], error[2]), 2e-6);
    snprintf(what, sizeof what, "%s %s in all", title, name);
    bench_report(b, "conv3x3", isa, what, seconds[0] + seconds[1] + seconds[2] + seconds[3],
                 k.training ? 3 * flops : 2 * flops, error[2], 2e-6);
    float *blocks[] = {x,         y,    dy,  dx, z, c, k.w, k.forward, k.backward, k.accumulators,
                       k.scratch, k.dw, k.db};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        dlz_free(blocks[i]);
    dlz_free(codes);
    dlz_free(pooled);
    dlz_free(stats);
    dlz_free(sums);
}

void bench_conv3x3(bench *b) {
    for (int isa = DLZ_ISA_COUNT - 1; isa >= 0; isa--)
        for (size_t layer = 0; bench_wants(b, isa) && layer < sizeof layers / sizeof *layers;
             layer++)
            for (int algorithm = DLZ_CONV3X3_DIRECT; algorithm <= DLZ_CONV3X3_WINOGRAD4;
                 algorithm++)
                if (algorithm == DLZ_CONV3X3_DIRECT || layers[layer].shape.in_channels > 1)
                    bench_layer(b, layer, isa, algorithm);
}
