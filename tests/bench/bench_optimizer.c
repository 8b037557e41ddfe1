/* Optimizer steps, which are a matter of memory: bytes read and written a second, one thread. */
#include "bench.h"
#include "base/base.h"
#include "kernels/nn/optimizer.h"

#include <stdio.h>
#include <string.h>

typedef struct step_job {
    const dlz_optimizer_table *kernels;
    int64_t n;
    float *p, *g, *m, *v;
} step_job;

static void run_sgd(void *context) {
    step_job *job = context;
    dlz_gradient g = {.gradient = job->g, .scale = 1};
    job->kernels->sgd(&(dlz_sgd){.learning_rate = 1e-6f, .momentum = 0.9f, .damping = 1}, job->n,
                      job->p, &g, job->m);
}

static void run_adam(void *context) {
    step_job *job = context;
    dlz_gradient g = {.gradient = job->g, .scale = 1};
    dlz_adam rule = {.decay = 1,
                     .beta1 = 0.9f,
                     .one_minus_beta1 = 0.1f,
                     .beta2 = 0.999f,
                     .one_minus_beta2 = 0.001f,
                     .step_size = 1e-6f,
                     .inv_sqrt_correction2 = 1,
                     .eps = 1e-8f};
    job->kernels->adam(&rule, job->n, job->p, &g, job->m, job->v);
}

static void run_rmsprop(void *context) {
    step_job *job = context;
    dlz_gradient g = {.gradient = job->g, .scale = 1};
    dlz_rmsprop rule = {
        .learning_rate = 1e-6f, .alpha = 0.99f, .one_minus_alpha = 0.01f, .eps = 1e-8f};
    job->kernels->rmsprop(&rule, job->n, job->p, &g, job->v, NULL, NULL);
}

/* The yardstick: what copying reaches. */
static void run_copy(void *context) {
    step_job *job = context;
    memcpy(job->m, job->g, (size_t)job->n * sizeof *job->m);
}

void bench_optimizer(bench *b) {
    static const struct {
        const char *name;
        void (*run)(void *);
        int bytes;
    } rules[] = {{"copy", run_copy, 8},
                 {"sgd, momentum", run_sgd, 20},
                 {"adam", run_adam, 28},
                 {"rmsprop", run_rmsprop, 20}};
    static const int64_t sizes[] = {36928, 2169194, 16000000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int64_t n = sizes[s];
        step_job job = {.n = n,
                        .p = bench_uniform(n, 1),
                        .g = bench_uniform(n, 2),
                        .m = dlz_alloc_array_zero((size_t)n, sizeof(float)),
                        .v = dlz_alloc_array_zero((size_t)n, sizeof(float))};
        bool have = job.p && job.g && job.m && job.v;
        b->failed |= !have;
        for (int isa = 0; isa < DLZ_ISA_COUNT && have; isa++) {
            if (!bench_wants(b, (dlz_isa)isa))
                continue;
            job.kernels = dlz_optimizer_kernels_of((dlz_isa)isa);
            for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
                double seconds = bench_time(b, rules[r].run, &job);
                printf("%-10s %-8s %-14s %9d parameters %9.3f ms %8.1f GB/s\n", "optimizer",
                       dlz_isa_name((dlz_isa)isa), rules[r].name, (int)n, 1e3 * seconds,
                       1e-9 * rules[r].bytes * (double)n / seconds);
                fflush(stdout);
            }
        }
        dlz_free(job.p);
        dlz_free(job.g);
        dlz_free(job.m);
        dlz_free(job.v);
    }
}
