/* Matrix products on one core, and the passes of fully connected layers on all threads in use. */
#include "bench.h"
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/gemm/gemm_linear.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct shape {
    const char *what;
    int64_t m, n, k;
    bool transpose_a, transpose_b, packed;
} shape;

static const shape shapes[] = {
    {"square", 512, 512, 512, false, false, false},
    {"square, B transposed", 512, 512, 512, false, true, false},
    {"square, A transposed", 512, 512, 512, true, false, false},
    {"square, both transposed", 512, 512, 512, true, true, false},
    {"linear forward, batch 64", 64, 512, 4096, false, true, false},
    {"linear forward, batch 1", 1, 512, 4096, false, true, false},
    {"linear dX, batch 64", 64, 4096, 512, false, false, false},
    {"linear dW, batch 64", 512, 4096, 64, true, false, false},
    {"linear 512 to 10, batch 64", 64, 10, 512, false, true, false},
    {"pixels by weights", 128, 32, 9, false, false, true},
    {"pixels by weights", 128, 32, 288, false, false, true},
    {"pixels by weights", 128, 64, 576, false, false, true},
    {"pixels by weights", 64, 512, 1600, false, false, true},
    {"distances of points", 256, 2048, 50, false, true, false},
};

typedef struct product_job {
    const dlz_gemm_table *kernels;
    dlz_gemm g;
    const float *packed;
    void *scratch;
} product_job;

static void run_product(void *context) {
    product_job *job = context;
    if (job->packed)
        job->kernels->gemm_packed(&job->g, job->packed, job->scratch);
    else
        job->kernels->gemm(&job->g, job->scratch);
}

/* The largest error of some elements, in half units of the sum of magnitudes. */
static double error_of(const dlz_gemm *g) {
    double worst = 0;
    for (int64_t sample = 0; sample < 400; sample++) {
        int64_t i = sample * 7919 % g->m, j = sample * 104729 % g->n;
        double sum = 0, size = 0;
        for (int64_t p = 0; p < g->k; p++) {
            double a = g->transpose_a ? g->a[p * g->lda + i] : g->a[i * g->lda + p];
            double b = g->transpose_b ? g->b[j * g->ldb + p] : g->b[p * g->ldb + j];
            sum += a * b;
            size += fabs(a * b);
        }
        worst = fmax(worst, fabs((double)g->c[i * g->ldc + j] - sum) / (size * 0x1p-24));
    }
    return worst;
}

static void bench_shape(bench *b, const shape *s, void *scratch) {
    float *left = bench_uniform(s->m * s->k, 1), *right = bench_uniform(s->k * s->n, 2);
    float *c = dlz_alloc_array((size_t)(s->m * s->n), sizeof *c);
    for (int isa = 0; isa < DLZ_ISA_COUNT && left && right && c; isa++) {
        if (!bench_wants(b, (dlz_isa)isa))
            continue;
        product_job job = {.kernels = dlz_gemm_kernels_of((dlz_isa)isa), .scratch = scratch};
        job.g = (dlz_gemm){.m = s->m,
                           .n = s->n,
                           .k = s->k,
                           .a = left,
                           .lda = s->transpose_a ? s->m : s->k,
                           .b = right,
                           .ldb = s->transpose_b ? s->k : s->n,
                           .c = c,
                           .ldc = s->n,
                           .transpose_a = s->transpose_a,
                           .transpose_b = s->transpose_b};
        float *packed = NULL;
        if (s->packed) {
            packed = dlz_alloc_array(job.kernels->packed_size(s->k, s->n), sizeof *packed);
            if (!packed)
                break;
            job.kernels->pack(&job.g, packed);
            job.packed = packed;
        }
        char what[80];
        snprintf(what, sizeof what, "%s %dx%dx%d%s", s->what, (int)s->m, (int)s->n, (int)s->k,
                 s->packed ? " packed" : "");
        double seconds = bench_time(b, run_product, &job);
        int threads = b->threads;
        b->threads = 1;
        bench_report(b, "gemm", (dlz_isa)isa, what, seconds, 2.0 * (double)(s->m * s->n * s->k),
                     error_of(&job.g), 40);
        b->threads = threads;
        dlz_free(packed);
    }
    b->failed |= !left || !right || !c;
    dlz_free(left);
    dlz_free(right);
    dlz_free(c);
}

typedef struct layer_job {
    dlz_linear layer;
    float *x, *weight, *y;
    char *scratch;
    int threads;
} layer_job;

static void forward_tile(void *context, int64_t tile, int worker) {
    layer_job *job = context;
    dlz_linear_forward_tile(&job->layer, tile, job->x, job->weight, NULL, job->y,
                            job->scratch + (size_t)worker * DLZ_GEMM_SCRATCH_BYTES);
}
static void data_tile(void *context, int64_t tile, int worker) {
    layer_job *job = context;
    dlz_linear_backward_data_tile(&job->layer, tile, job->y, job->weight, false, job->x,
                                  job->scratch + (size_t)worker * DLZ_GEMM_SCRATCH_BYTES);
}
static void weight_tile(void *context, int64_t tile, int worker) {
    layer_job *job = context;
    dlz_linear_backward_weight_tile(&job->layer, NULL, tile, job->y, job->x, false, job->weight,
                                    NULL, job->scratch + (size_t)worker * DLZ_GEMM_SCRATCH_BYTES);
}
static void run_forward(void *context) {
    layer_job *job = context;
    dlz_parallel_for(dlz_linear_forward_tiles(&job->layer), job->threads, forward_tile, job);
}
static void run_data(void *context) {
    layer_job *job = context;
    dlz_parallel_for(dlz_linear_backward_data_tiles(&job->layer), job->threads, data_tile, job);
}
static void run_weight(void *context) {
    layer_job *job = context;
    dlz_parallel_for(dlz_linear_backward_weight_tiles(&job->layer, NULL), job->threads, weight_tile,
                     job);
}

/* Layers take the instruction set that is in force (DLVIZ_ISA). Each pass overwrites what another
 * one made; their results are checked by the tests. */
static void bench_layer(bench *b, dlz_linear layer) {
    static void (*const passes[])(void *) = {run_forward, run_data, run_weight};
    static const char *const names[] = {"forward", "backward data", "backward weight"};
    if (!bench_wants(b, dlz_isa_chosen()))
        return;
    layer_job job = {.layer = layer,
                     .x = bench_uniform(layer.batch * layer.inputs, 1),
                     .weight = bench_uniform(layer.inputs * layer.outputs, 2),
                     .y = bench_uniform(layer.batch * layer.outputs, 3),
                     .scratch = dlz_alloc_array((size_t)b->threads, DLZ_GEMM_SCRATCH_BYTES),
                     .threads = b->threads};
    for (int pass = 0; pass < 3 && job.x && job.weight && job.y && job.scratch; pass++) {
        char what[80];
        snprintf(what, sizeof what, "%s, batch %d, %d to %d", names[pass], (int)layer.batch,
                 (int)layer.inputs, (int)layer.outputs);
        bench_report(b, "linear", dlz_isa_chosen(), what, bench_time(b, passes[pass], &job),
                     2.0 * (double)(layer.batch * layer.inputs * layer.outputs), 0, 0);
    }
    b->failed |= !job.x || !job.weight || !job.y || !job.scratch;
    dlz_free(job.x);
    dlz_free(job.weight);
    dlz_free(job.y);
    dlz_free(job.scratch);
}

void bench_gemm(bench *b) {
    void *scratch = dlz_alloc(DLZ_GEMM_SCRATCH_BYTES);
    b->failed |= !scratch;
    for (size_t i = 0; scratch && i < sizeof shapes / sizeof *shapes; i++)
        bench_shape(b, &shapes[i], scratch);
    dlz_free(scratch);
    static const int64_t batches[] = {1, 7, 33, 64, 128};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
        bench_layer(b, (dlz_linear){batches[i], 4096, 512});
    bench_layer(b, (dlz_linear){64, 512, 10});
}
