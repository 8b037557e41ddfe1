/* Activations in cache: nanoseconds a number, one thread. */
#include "bench.h"
#include "base/base.h"
#include "kernels/activations/activation.h"

#include <stdio.h>
#include <string.h>

DLZ_ACTIVATION_TABLE(elu)
DLZ_ACTIVATION_TABLE(gelu)
DLZ_ACTIVATION_TABLE(gelu_tanh)
DLZ_ACTIVATION_TABLE(hardswish)
DLZ_ACTIVATION_TABLE(leaky_relu)
DLZ_ACTIVATION_TABLE(sigmoid)
DLZ_ACTIVATION_TABLE(silu)
DLZ_ACTIVATION_TABLE(softplus)
DLZ_ACTIVATION_TABLE(tanh)

typedef struct activation_job {
    dlz_activation use;
    int64_t n;
    float *x, *dy, *result;
} activation_job;

static void run_forward(void *context) {
    activation_job *job = context;
    job->use.kernels->forward(job->use.settings, job->n, job->x, job->result);
}

static void run_backward(void *context) {
    activation_job *job = context;
    job->use.kernels->backward(job->use.settings, job->n, job->x, job->dy, job->result);
}

static void run_copy_of_x(void *context) {
    activation_job *job = context;
    memcpy(job->result, job->x, (size_t)job->n * sizeof *job->x);
}

void bench_activations(bench *b) {
    static const struct {
        const char *name;
        const dlz_activation_table *(*kernels)(dlz_isa isa);
        float settings[DLZ_ACTIVATION_SETTINGS];
    } functions[] = {
        {"leaky_relu", dlz_leaky_relu_kernels_of, {0.01f}},
        {"hardswish", dlz_hardswish_kernels_of, {0}},
        {"elu", dlz_elu_kernels_of, {1}},
        {"sigmoid", dlz_sigmoid_kernels_of, {0}},
        {"tanh", dlz_tanh_kernels_of, {0}},
        {"silu", dlz_silu_kernels_of, {0}},
        {"softplus", dlz_softplus_kernels_of, {1, 20}},
        {"gelu", dlz_gelu_kernels_of, {0}},
        {"gelu_tanh", dlz_gelu_tanh_kernels_of, {0}},
    };
    enum { N = 16384 };
    activation_job job = {.n = N,
                          .x = bench_uniform(N, 1),
                          .dy = bench_uniform(N, 2),
                          .result = dlz_alloc_array_zero(N, sizeof(float))};
    bool have = job.x && job.dy && job.result;
    b->failed |= !have;
    for (int i = 0; i < N && have; i++)
        job.x[i] *= 5;
    for (int isa = 0; isa < DLZ_ISA_COUNT && have; isa++) {
        if (!bench_wants(b, (dlz_isa)isa))
            continue;
        printf("%-10s %-8s %-14s %8.3f ns\n", "activation", dlz_isa_name((dlz_isa)isa), "copy",
               1e9 / N * bench_time(b, run_copy_of_x, &job));
        for (size_t f = 0; f < sizeof functions / sizeof *functions; f++) {
            job.use.kernels = functions[f].kernels((dlz_isa)isa);
            memcpy(job.use.settings, functions[f].settings, sizeof job.use.settings);
            double forward = bench_time(b, run_forward, &job);
            double backward = bench_time(b, run_backward, &job);
            printf("%-10s %-8s %-14s %8.3f ns forward %8.3f ns backward\n", "activation",
                   dlz_isa_name((dlz_isa)isa), functions[f].name, 1e9 / N * forward,
                   1e9 / N * backward);
            fflush(stdout);
        }
    }
    dlz_free(job.x);
    dlz_free(job.dy);
    dlz_free(job.result);
}
