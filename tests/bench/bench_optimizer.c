/* Optimizer steps, which are a matter of memory: bytes read and written a second, one thread. */
#include "bench.h"
#include "base/base.h"
#include "train/optimizer.h"

#include <stdio.h>
#include <string.h>

typedef struct step_job {
    const dlviz_optimizer *optimizer;
    const dlz_optimizer_table *kernels;
    dlz_update update;
} step_job;

static void run_step(void *context) {
    step_job *job = context;
    job->kernels->update(job->optimizer->step, &job->update);
}

/* The yardstick: what copying reaches. */
static void run_copy(void *context) {
    step_job *job = context;
    memcpy(job->update.moments[0], job->update.gradients, (size_t)job->update.n * sizeof(float));
}

static dlviz_status make_momentum(dlviz_optimizer **out, double rate) {
    DLZ_TRY(dlviz_sgd_create(out, rate));
    return dlviz_sgd_set_momentum(*out, 0.9, 0, false);
}

static dlviz_status make_amsgrad(dlviz_optimizer **out, double rate) {
    DLZ_TRY(dlviz_adam_create(out, rate));
    return dlviz_adam_set_amsgrad(*out, true);
}

static const struct {
    const char *name;
    dlviz_status (*make)(dlviz_optimizer **out, double rate); /* NULL: copy */
    int bytes;
} rules[] = {{"copy", NULL, 8},
             {"sgd, momentum", make_momentum, 20},
             {"adam", dlviz_adam_create, 28},
             {"adam, amsgrad", make_amsgrad, 36},
             {"nadam", dlviz_nadam_create, 28},
             {"radam", dlviz_radam_create, 28},
             {"lion", dlviz_lion_create, 20},
             {"rmsprop", dlviz_rmsprop_create, 20}};
enum { NUM_RULES = sizeof rules / sizeof *rules };

static void time_rules(bench *b, dlz_isa isa, dlviz_optimizer *const *optimizers,
                       const dlz_update *update) {
    for (int r = 0; r < NUM_RULES; r++) {
        step_job job = {.optimizer = optimizers[r], .update = *update};
        for (int m = 0; m < DLZ_MAX_MOMENTS && job.optimizer; m++)
            if (!job.optimizer->type->moments[m].name || !dlz_optimizer_keeps(job.optimizer, m)) {
                memset(job.update.moments + m, 0,
                       (size_t)(DLZ_MAX_MOMENTS - m) * sizeof *job.update.moments);
                break;
            }
        if (job.optimizer) {
            /* A later step than the first, in which SGD does not read its buffer. */
            dlz_step_terms terms = {.number = 1000, .learning_rate = 1e-6};
            job.optimizer->type->prepare(job.optimizer, &terms, job.optimizer->step);
            job.kernels = job.optimizer->type->updates(isa);
        }
        double n = (double)update->n;
        double seconds = bench_time(b, job.optimizer ? run_step : run_copy, &job);
        printf("%-10s %-8s %-14s %9d parameters %9.3f ms %8.1f GB/s\n", "optimizer",
               dlz_isa_name(isa), rules[r].name, (int)n, 1e3 * seconds,
               1e-9 * rules[r].bytes * n / seconds);
        fflush(stdout);
    }
}

static void time_size(bench *b, int64_t n, dlviz_optimizer *const *optimizers) {
    float *gradients = bench_uniform(n, 2);
    dlz_update update = {.n = n,
                         .parameters = bench_uniform(n, 1),
                         .gradients = gradients,
                         .gradient_scale = 1,
                         .moments = {dlz_alloc_array_zero((size_t)n, sizeof(float)),
                                     dlz_alloc_array_zero((size_t)n, sizeof(float)),
                                     dlz_alloc_array_zero((size_t)n, sizeof(float))}};
    bool have = update.parameters && update.gradients && update.moments[0] && update.moments[1] &&
                update.moments[2];
    b->failed |= !have;
    for (int isa = 0; isa < DLZ_ISA_COUNT && have; isa++)
        if (bench_wants(b, (dlz_isa)isa))
            time_rules(b, (dlz_isa)isa, optimizers, &update);
    dlz_free(update.parameters);
    dlz_free(gradients);
    dlz_free(update.moments[0]);
    dlz_free(update.moments[1]);
    dlz_free(update.moments[2]);
}

void bench_optimizer(bench *b) {
    static const int64_t sizes[] = {36928, 2169194, 16000000};
    dlviz_optimizer *optimizers[NUM_RULES] = {NULL};
    bool have = true;
    for (int r = 0; r < NUM_RULES; r++)
        have = have && (!rules[r].make || rules[r].make(&optimizers[r], 1e-6) == DLVIZ_OK);
    b->failed |= !have;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes && have; s++)
        time_size(b, sizes[s], optimizers);
    for (int r = 0; r < NUM_RULES; r++)
        dlviz_optimizer_destroy(optimizers[r]);
}
