/* isa/vector.h - the vocabulary that kernels are written in: vectors of DLZ_LANES floats and what
 * can be done with them, the same words on every instruction set. Included by isa/<name>.h alone,
 * which has said how many DLZ_LANES and DLZ_REGISTERS there are (4, 8 or 16 floats in a vector, 16
 * or 32 vector registers) and defines every function that is only declared here; plain C for each
 * is in isa/plain.h. What needs no instructions of its own, the compilers' vector extensions do.
 *
 * Where two instruction sets may round differently (fused products, reciprocals, the order of a
 * sum) the comment says so; all else gives the same bits on all. */
#ifndef DLZ_ISA_VECTOR_H
#define DLZ_ISA_VECTOR_H

#include <stdint.h>
#include <string.h>

#if DLZ_LANES != 4 && DLZ_LANES != 8 && DLZ_LANES != 16
#error "isa/<name>.h defines DLZ_LANES as 4, 8 or 16 before it includes isa/vector.h"
#endif
#if DLZ_REGISTERS != 32 && (DLZ_REGISTERS != 16 || DLZ_LANES == 16)
#error "isa/<name>.h defines DLZ_REGISTERS as 16, or 32 as it must be for 16 lanes"
#endif

#define DLZ_INLINE static inline __attribute__((always_inline))

/* Before a loop of a constant number of rounds, at most 64: none is left. */
#if defined(__clang__)
#define DLZ_UNROLL _Pragma("clang loop unroll(full)")
#else
#define DLZ_UNROLL _Pragma("GCC unroll 64")
#endif

/* -- Vectors. Those whose names end in u may be dereferenced at any address that a lane may have.
 */

typedef float dlz_v __attribute__((vector_size(DLZ_LANES * 4)));
typedef float dlz_vu __attribute__((vector_size(DLZ_LANES * 4), aligned(4), may_alias));
typedef int32_t dlz_vi __attribute__((vector_size(DLZ_LANES * 4)));
typedef int32_t dlz_viu __attribute__((vector_size(DLZ_LANES * 4), aligned(4), may_alias));

/* Of half as many lanes: doubles, 64-bit words, and the floats that become doubles. */
#define DLZ_HALF_LANES (DLZ_LANES / 2)
typedef double dlz_vd __attribute__((vector_size(DLZ_LANES * 4)));
typedef double dlz_vdu __attribute__((vector_size(DLZ_LANES * 4), aligned(8), may_alias));
typedef uint64_t dlz_vq __attribute__((vector_size(DLZ_LANES * 4)));
typedef float dlz_vh __attribute__((vector_size(DLZ_LANES * 2)));
typedef float dlz_vhu __attribute__((vector_size(DLZ_LANES * 2), aligned(4), may_alias));

/* Of four and of eight floats, whatever the instruction set. */
typedef float dlz_v4 __attribute__((vector_size(16)));
typedef float dlz_v4u __attribute__((vector_size(16), aligned(4), may_alias));
typedef float dlz_v8 __attribute__((vector_size(32)));
typedef float dlz_v8u __attribute__((vector_size(32), aligned(4), may_alias));

/* -- Memory */

DLZ_INLINE dlz_v dlz_load(const float *from) {
    return *(const dlz_vu *)from;
}
DLZ_INLINE void dlz_store(float *to, dlz_v value) {
    *(dlz_vu *)to = value;
}
DLZ_INLINE dlz_v dlz_splat(float value) {
    return value - (dlz_v){0};
}

/* The first `count` of a vector, 1 <= count <= DLZ_LANES, in one masked access where there is one,
 * for rows so short that their edges count. The rest is 0 and its memory is not touched. */
DLZ_INLINE dlz_v dlz_load_first(const float *from, int count);
DLZ_INLINE void dlz_store_first(float *to, dlz_v value, int count);

/* The same of whole numbers, to store them. */
DLZ_INLINE void dlz_store_first_integers(int32_t *to, dlz_vi value, int count);

/* A vector of which only `left` floats may be left, at least one. */
DLZ_INLINE dlz_v dlz_load_up_to(const float *from, int64_t left) {
    return left >= DLZ_LANES ? dlz_load(from) : dlz_load_first(from, (int)left);
}
DLZ_INLINE void dlz_store_up_to(float *to, dlz_v value, int64_t left) {
    if (left >= DLZ_LANES)
        dlz_store(to, value);
    else
        dlz_store_first(to, value, (int)left);
}

/* Pairs of neighboring floats, pair i from place(context, i): all firsts and all seconds. They
 * come in an order of the instruction set's own, into which dlz_in_order_of_pairs puts other
 * vectors. `place` is DLZ_INLINE too; of an array of places compilers make vectors first. */
typedef const float *dlz_place(const void *context, int i);
DLZ_INLINE void dlz_load_pairs(dlz_place *place, const void *context, dlz_v *firsts,
                               dlz_v *seconds);
DLZ_INLINE dlz_v dlz_in_order_of_pairs(dlz_v value);

/* Lane i is number places[i] of the lanes of a and, from DLZ_LANES on, of b. */
DLZ_INLINE dlz_v dlz_pick(dlz_v a, dlz_v b, dlz_vi places);

/* -- Choice */

/* `yes` where mask is all ones, `no` where it is all zeros. */
DLZ_INLINE dlz_v dlz_select(dlz_vi mask, dlz_v yes, dlz_v no) {
    return (dlz_v)((mask & (dlz_vi)yes) | (~mask & (dlz_vi)no));
}

/* What relu lets pass, of the value itself or of its gradient: 0 where `gate` is 0 or less. NaN in
 * the gate passes, so that it is not hidden. */
DLZ_INLINE dlz_v dlz_gated(dlz_v value, dlz_v gate) {
    return (dlz_v)((dlz_vi)value & ~(dlz_vi)(gate <= (dlz_v){0}));
}

/* max(0, value), where NaN stays NaN so that it is not hidden. */
DLZ_INLINE dlz_v dlz_rectify(dlz_v value);

/* a where it is above b, else b: what is not a number counts only as b. */
DLZ_INLINE dlz_v dlz_larger(dlz_v a, dlz_v b);

/* One bit a lane: value < limit. */
DLZ_INLINE uint32_t dlz_below(dlz_v value, float limit);

/* -- Arithmetic */

DLZ_INLINE dlz_v dlz_sqrt(dlz_v x);

/* a * b + c, fused where the instruction set can. Written a * b + c * d, the compiler may fuse
 * either product, and choose differently in two copies of a loop. */
DLZ_INLINE dlz_v dlz_fma(dlz_v a, dlz_v b, dlz_v c);

/* 1 / x for normal x well inside the range, to about one unit in the last place. */
DLZ_INLINE dlz_v dlz_reciprocal(dlz_v x);

/* The sum of the lanes, in an order of the instruction set's own. */
DLZ_INLINE float dlz_sum(dlz_v v);
/* ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)) */
DLZ_INLINE float dlz_sum8(dlz_v8 v);

/* The products of the lanes' low 32 bits; the high ones do not count, which the compilers' own
 * vector products do not know. */
DLZ_INLINE dlz_vq dlz_multiply_low(dlz_vq a, uint32_t factor);

/* -- Bytes. Some processors of an instruction set multiply them four at a time, others do not. Where
 * DLZ_HAS_BYTES is defined, as a question to the machine, a function that is DLZ_WITH_BYTES may say
 *
 *     dlz_vi dlz_add_bytes(dlz_vi sums, dlz_vi bytes, int32_t four)
 *
 * which adds to each lane the products of its four unsigned bytes with four signed ones, exactly,
 * and
 *
 *     uint32_t dlz_negative(dlz_vi value)
 *
 * one bit a lane: value < 0. */

/* -- Doubles */

/* Floats as doubles, and doubles rounded to floats. */
DLZ_INLINE dlz_vd dlz_widen(dlz_vh from);
DLZ_INLINE dlz_vh dlz_narrow(dlz_vd from) {
    return __builtin_convertvector(from, dlz_vh);
}

#endif
