/* kernels/isa.h - included by every kernel source, which is compiled once per instruction set.
 *
 * The build defines DLZ_ISA (generic, avx2, avx512, neon) and DLZ_LANES, the floats in a vector.
 * Everything a kernel source defines is static, but for its table, named by DLZ_VARIANT. Kernels
 * call nothing that another file could also define inline (no libm, no memcpy of variable size in a
 * hot loop), so that no wide instruction leaks into code that every machine runs. */
#ifndef DLZ_KERNELS_ISA_H
#define DLZ_KERNELS_ISA_H

#include <stdint.h>
#include <string.h>

#define DLZ_PASTE_(a, b) a##_##b
#define DLZ_PASTE(a, b) DLZ_PASTE_(a, b)
#define DLZ_VARIANT(name) DLZ_PASTE(name, DLZ_ISA)

#define DLZ_INLINE static inline __attribute__((always_inline))

/* DLZ_LANES floats; `dlz_vu` may be dereferenced at any address that a float may have. */
typedef float dlz_v __attribute__((vector_size(DLZ_LANES * 4)));
typedef float dlz_vu __attribute__((vector_size(DLZ_LANES * 4), aligned(4), may_alias));
typedef int32_t dlz_vi __attribute__((vector_size(DLZ_LANES * 4)));
typedef int32_t dlz_viu __attribute__((vector_size(DLZ_LANES * 4), aligned(4), may_alias));

DLZ_INLINE dlz_v dlz_load(const float *from) {
    return *(const dlz_vu *)from;
}
DLZ_INLINE void dlz_store(float *to, dlz_v value) {
    *(dlz_vu *)to = value;
}
DLZ_INLINE dlz_v dlz_splat(float value) {
    return value - (dlz_v){0};
}

/* `yes` where mask is all ones, `no` where it is all zeros. */
DLZ_INLINE dlz_v dlz_select(dlz_vi mask, dlz_v yes, dlz_v no) {
    return (dlz_v)((mask & (dlz_vi)yes) | (~mask & (dlz_vi)no));
}

#endif
