/* isa/list.h - the instruction sets that kernels are compiled for, one a line. From here come their
 * names and the choice between them (base/cpu.h) and the variants of each kernel
 * (kernels/select.h); isa/meson.build has the compiler flags, isa/<name>.h the operations.
 *
 * DLZ_ISA_LIST(HERE, ELSEWHERE, a, b) expands to HERE(ID, name, available, a, b) for each that the
 * processors compiled for may have, and to ELSEWHERE(ID, name, available, a, b) for the others; a
 * and b are whatever these two macros need. A later one is preferred to an earlier one. `available`
 * asks the machine; the builtin also asks whether the operating system saves the registers.
 * Builds for fuzzing define DLZ_GENERIC_ALONE: a third of the kernels is compiled. */
#ifndef DLZ_ISA_LIST_H
#define DLZ_ISA_LIST_H

#if defined(__x86_64__) && !defined(DLZ_GENERIC_ALONE)
#define DLZ_X86_64(HERE, ELSEWHERE) HERE
#else
#define DLZ_X86_64(HERE, ELSEWHERE) ELSEWHERE
#endif
#if defined(__aarch64__) && !defined(DLZ_GENERIC_ALONE)
#define DLZ_AARCH64(HERE, ELSEWHERE) HERE
#else
#define DLZ_AARCH64(HERE, ELSEWHERE) ELSEWHERE
#endif
#define DLZ_CPU_HAS(feature) __builtin_cpu_supports(feature)

/* clang-format off */
#define DLZ_ISA_LIST(HERE, ELSEWHERE, a, b)                                                        \
    HERE(GENERIC, generic, 1, a, b)                                                                \
    DLZ_AARCH64(HERE, ELSEWHERE)(NEON, neon, 1, a, b)                                              \
    DLZ_X86_64(HERE, ELSEWHERE)(AVX2, avx2, DLZ_CPU_HAS("avx2") && DLZ_CPU_HAS("fma"), a, b)       \
    DLZ_X86_64(HERE, ELSEWHERE)(AVX512, avx512,                                                    \
        DLZ_CPU_HAS("avx512f") && DLZ_CPU_HAS("avx512dq") && DLZ_CPU_HAS("avx512bw") &&            \
        DLZ_CPU_HAS("avx512vl") && DLZ_CPU_HAS("fma"), a, b)
/* clang-format on */

#endif
