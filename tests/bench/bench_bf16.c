/* bench_bf16 - what products of bfloat16 could give: the multiply-adds of one core in registers, in float32,
 * in bfloat16 with float32 sums (AVX512-BF16), and in tiles of bfloat16 (AMX), where the processor has
 * them. x86-64 and Linux alone. */
#include <cpuid.h>
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SUMS = 12, ROUNDS = 20000000, TILE_BYTES = 1024, STEPS = 4 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* As many sums as hide an instruction's latency, each a variable of its own, to stay in a register. */
#define FOR_SUMS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define DECLARE(i) __m512 s##i = _mm512_set1_ps(i);
/* Keeps the compiler from leaving out what nobody reads. */
#define KEEP(i) __asm__ volatile("" : "+v"(s##i));

__attribute__((target("avx512f"))) static double float32(void) {
    __m512 a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
    FOR_SUMS(DECLARE)
    double started = now();
    for (int round = 0; round < ROUNDS; round++) {
#define ADD(i) s##i = _mm512_fmadd_ps(a, s##i, b);
        FOR_SUMS(ADD)
        FOR_SUMS(KEEP)
#undef ADD
    }
    return 2.0 * 16 * SUMS * ROUNDS / (now() - started);
}

__attribute__((target("avx512f,avx512bf16"))) static double vectors(void) {
    __m512bh a = (__m512bh)_mm512_set1_epi32(0x3F003F00);
    FOR_SUMS(DECLARE)
    double started = now();
    for (int round = 0; round < ROUNDS; round++) {
#define ADD(i) s##i = _mm512_dpbf16_ps(s##i, a, a);
        FOR_SUMS(ADD)
        FOR_SUMS(KEEP)
#undef ADD
    }
    return 2.0 * 32 * SUMS * ROUNDS / (now() - started);
}

/* 32 x 32 numbers from 32 x 32 by 32 x 32: two tiles of either operand, read from the first-level cache. */
__attribute__((target("amx-tile,amx-bf16"))) static double tiles(void) {
    static _Alignas(64) char from[STEPS][4][TILE_BYTES];
    static _Alignas(64) uint8_t shape[64];
    shape[0] = 1;
    for (int tile = 0; tile < 8; tile++) {
        shape[16 + 2 * tile] = 64;
        shape[48 + tile] = 16;
    }
    _tile_loadconfig(shape);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    double started = now();
    for (int round = 0; round < ROUNDS; round++) {
        const char(*at)[TILE_BYTES] = from[round % STEPS];
        _tile_loadd(4, at[0], 64);
        _tile_loadd(5, at[1], 64);
        _tile_loadd(6, at[2], 64);
        _tile_loadd(7, at[3], 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    double rate = 2.0 * 32 * 32 * 32 * ROUNDS / (now() - started);
    _tile_release();
    return rate;
}

/* Tiles must be asked for: ARCH_REQ_XCOMP_PERM, of their data. */
static bool may_use_tiles(void) {
    return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
}

int main(void) {
    unsigned a, b, c, d;
    if (!__builtin_cpu_supports("avx512f")) {
        puts("this processor has no AVX-512");
        return 0;
    }
    printf("float32, AVX-512:           %5.0f GFLOP/s\n", 1e-9 * float32());
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1))
        printf("bfloat16, AVX512-BF16:      %5.0f GFLOP/s\n", 1e-9 * vectors());
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1) && may_use_tiles())
        printf("bfloat16, AMX:              %5.0f GFLOP/s\n", 1e-9 * tiles());
    return 0;
}
