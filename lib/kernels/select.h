/* kernels/select.h - one table of functions an operation, one variant of it an instruction set.
 *
 * DLZ_KERNEL_TABLE(type, name) declares the variants that kernel sources define as
 * DLZ_VARIANT(name), name_of(isa) to get one by force (for tests; available ISAs only), and name()
 * for the one this process uses. */
#ifndef DLZ_KERNELS_SELECT_H
#define DLZ_KERNELS_SELECT_H

#include "base/cpu.h"

#if defined(__x86_64__)
#define DLZ_KERNEL_TABLE(type, name)                                                               \
    extern const type name##_generic, name##_avx2, name##_avx512;                                  \
    static inline const type *name##_of(dlz_isa isa) {                                             \
        return isa == DLZ_ISA_AVX512 ? &name##_avx512                                              \
               : isa == DLZ_ISA_AVX2 ? &name##_avx2                                                \
                                     : &name##_generic;                                            \
    }                                                                                              \
    static inline const type *name(void) {                                                         \
        return name##_of(dlz_isa_chosen());                                                        \
    }
#elif defined(__aarch64__)
#define DLZ_KERNEL_TABLE(type, name)                                                               \
    extern const type name##_generic, name##_neon;                                                 \
    static inline const type *name##_of(dlz_isa isa) {                                             \
        return isa == DLZ_ISA_NEON ? &name##_neon : &name##_generic;                               \
    }                                                                                              \
    static inline const type *name(void) {                                                         \
        return name##_of(dlz_isa_chosen());                                                        \
    }
#else
#define DLZ_KERNEL_TABLE(type, name)                                                               \
    extern const type name##_generic;                                                              \
    static inline const type *name##_of(dlz_isa isa) {                                             \
        (void)isa;                                                                                 \
        return &name##_generic;                                                                    \
    }                                                                                              \
    static inline const type *name(void) {                                                         \
        return &name##_generic;                                                                    \
    }
#endif

#endif
