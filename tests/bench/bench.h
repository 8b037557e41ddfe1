/* bench/bench.h - what the kernels' benchmarks share.
 *
 * Each kernel has one file bench_<kernel>.c with one function bench_<kernel>(bench), listed in
 * bench_kernels.c. It goes over its shapes and instruction sets, checks every result against the
 * reference and times it. */
#ifndef DLZ_TESTS_BENCH_H
#define DLZ_TESTS_BENCH_H

#include "kernels/select.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct bench {
    const char *kernel; /* only kernels whose name contains this; or NULL */
    const char *isa;    /* only this instruction set; or NULL */
    const char *only;   /* of conv2d: only layers whose name contains this; or NULL */
    double seconds;     /* time to spend on each figure */
    int threads;
    bool failed;                /* some result was wrong */
    double peak[DLZ_ISA_COUNT]; /* FLOP/s of one core, measured when first wanted */
} bench;

bool bench_wants(const bench *b, dlz_isa isa);
/* The shortest of many runs, in seconds. */
double bench_time(const bench *b, void (*run)(void *context), void *context);
/* Prints a line: milliseconds, GFLOP/s (of `flops`, the work of the plain algorithm), the share of
 * the FMA peak of all threads in use, and the error. An error above the bound is a failure. */
void bench_report(bench *b, const char *kernel, dlz_isa isa, const char *what, double seconds,
                  double flops, double error, double bound);

/* Uniform in [-1, 1), a function of (seed, i) alone; NULL when out of memory. */
float *bench_uniform(int64_t count, uint64_t seed);

void bench_activations(bench *b);
void bench_conv2d(bench *b);
void bench_conv3x3(bench *b);
void bench_gemm(bench *b);
void bench_optimizer(bench *b);

/* Multiply-adds in registers, `rounds` × what it returns floating-point operations. */
typedef struct dlz_peak {
    double (*run)(int64_t rounds);
} dlz_peak;

DLZ_KERNEL_TABLE(dlz_peak, dlz_peak_table)

#endif
