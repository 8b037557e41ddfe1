/* As many independent multiply-adds as the registers hold: the peak of one core. */
#include "isa/isa.h"
#include "bench.h"

#define CHAINS 12

static double run(int64_t rounds) {
    dlz_v sum[CHAINS];
    dlz_v a = dlz_splat(0.999f), b = dlz_splat(0.001f);
    for (int i = 0; i < CHAINS; i++)
        sum[i] = dlz_splat((float)i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sum[i] = sum[i] * a + b;
        /* Keeps the loop. */
        __asm__ volatile("" : "+r"(r));
    }
    dlz_v total = sum[0];
    for (int i = 1; i < CHAINS; i++)
        total += sum[i];
    volatile float sink = total[0];
    (void)sink;
    return 2.0 * DLZ_LANES * CHAINS;
}

const dlz_peak DLZ_VARIANT(dlz_peak_table) = {run};
