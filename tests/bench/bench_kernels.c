/* bench_kernels - checks and times every kernel on every instruction set and shape.
 *
 *     bench_kernels [--kernel NAME] [--isa NAME] [--layer TEXT] [--threads N] [--seconds S]
 *
 * Exit status 1 when a result is wrong. */
#include "bench.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool bench_wants(const bench *b, dlz_isa isa) {
    return dlz_isa_available(isa) && (!b->isa || !strcmp(b->isa, dlz_isa_name(isa)));
}

double bench_time(const bench *b, void (*run)(void *context), void *context) {
    double best = 1e30, end = now() + b->seconds;
    run(context);
    for (int i = 0; i < 5 || now() < end; i++) {
        double start = now();
        run(context);
        double took = now() - start;
        best = took < best ? took : best;
    }
    return best;
}

static double peak_of(bench *b, dlz_isa isa) {
    enum { ROUNDS = 200000 };
    if (b->peak[isa] == 0)
        for (int i = 0; i < 20; i++) {
            double start = now(), flops = dlz_peak_table_of(isa)->run(ROUNDS) * ROUNDS;
            double rate = flops / (now() - start);
            b->peak[isa] = rate > b->peak[isa] ? rate : b->peak[isa];
        }
    return b->peak[isa];
}

void bench_report(bench *b, const char *kernel, dlz_isa isa, const char *what, double seconds,
                  double flops, double error, double bound) {
    double rate = flops / seconds;
    bool good = error <= bound;
    b->failed |= !good;
    printf("%-10s %-8s %-44s %9.3f ms %8.1f GFLOP/s %6.1f %% of peak  error %.1e%s\n", kernel,
           dlz_isa_name(isa), what, 1e3 * seconds, 1e-9 * rate,
           100 * rate / (peak_of(b, isa) * b->threads), error, good ? "" : "  WRONG");
    fflush(stdout);
}

float *bench_uniform(int64_t count, uint64_t seed) {
    float *values = dlz_alloc_array((size_t)count, sizeof *values);
    dlz_random random = dlz_random_start(seed, 0);
    for (int64_t i = 0; values && i < count; i++)
        values[i] = 2 * dlz_random_float(&random) - 1;
    return values;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(bench *b);
    } kernels[] = {{"activations", bench_activations},
                   {"conv2d", bench_conv2d},
                   {"conv3x3", bench_conv3x3},
                   {"gemm", bench_gemm},
                   {"optimizer", bench_optimizer}};
    bench b = {.seconds = 0.3};
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(argv[i], "--kernel"))
            b.kernel = value;
        else if (!strcmp(argv[i], "--isa"))
            b.isa = value;
        else if (!strcmp(argv[i], "--layer"))
            b.only = value;
        else if (!strcmp(argv[i], "--seconds"))
            b.seconds = atof(value);
        else if (strcmp(argv[i], "--threads") || dlviz_set_num_threads(atoi(value)) != DLVIZ_OK) {
            fprintf(stderr, "usage: bench_kernels [--kernel NAME] [--isa NAME] [--layer TEXT] "
                            "[--threads N] [--seconds S]\n");
            return 2;
        }
    }
    b.threads = dlz_threads();
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        if (bench_wants(&b, isa))
            printf("peak %-8s %.1f GFLOP/s a core, %d threads in use\n", dlz_isa_name(isa),
                   1e-9 * peak_of(&b, isa), b.threads);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if (!b.kernel || strstr(kernels[i].name, b.kernel))
            kernels[i].run(&b);
    return b.failed;
}
