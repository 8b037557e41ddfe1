/* bench/program.h - what the programs that time a whole task share. */
#ifndef DLZ_TESTS_BENCH_PROGRAM_H
#define DLZ_TESTS_BENCH_PROGRAM_H

#include "base/random.h"

#include <dlviz.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* In seconds: CLOCK_MONOTONIC, or CLOCK_PROCESS_CPUTIME_ID. */
static inline double now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static inline void check(dlviz_status status) {
    if (status == DLVIZ_OK)
        return;
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, dlviz_last_error());
    exit(1);
}

/* Standard normal numbers: points without any clusters. */
static inline dlviz_tensor *make_normal(int64_t n, int64_t d, uint64_t seed) {
    dlviz_tensor *points;
    check(dlviz_tensor_create(&points, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    float *values = dlviz_tensor_float(points);
    dlz_random random = dlz_random_start(seed, 0);
    for (int64_t i = 0; i < n * d; i++)
        values[i] = (float)dlz_random_normal(&random);
    return points;
}

#endif
