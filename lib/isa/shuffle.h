/* isa/shuffle.h - squares of numbers turned, and many vectors' sums at once, for kernel sources:
 * the compilers' shuffles, which depend on the number of lanes alone. */
#ifndef DLZ_ISA_SHUFFLE_H
#define DLZ_ISA_SHUFFLE_H

#include "isa/isa.h"

/* DLZ_LOW<d>(x, y) keeps the lanes of x whose number has bit d clear and puts their partners of y
 * (d lower) in the other lanes; DLZ_HIGH<d> does it with the lanes whose bit d is set.
 *
 * Within each four lanes, DLZ_ZIP_LOW(x, y) takes the lower two of x and of y by turns, DLZ_ZIP_HIGH
 * the upper two; DLZ_EVEN and DLZ_ODD undo it. */
#if DLZ_LANES == 16
#define DLZ_LOW8(x, y)                                                                             \
    __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define DLZ_HIGH8(x, y)                                                                            \
    __builtin_shufflevector(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#define DLZ_LOW4(x, y)                                                                             \
    __builtin_shufflevector(x, y, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27)
#define DLZ_HIGH4(x, y)                                                                            \
    __builtin_shufflevector(x, y, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31)
#define DLZ_LOW2(x, y)                                                                             \
    __builtin_shufflevector(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define DLZ_HIGH2(x, y)                                                                            \
    __builtin_shufflevector(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define DLZ_LOW1(x, y)                                                                             \
    __builtin_shufflevector(x, y, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30)
#define DLZ_HIGH1(x, y)                                                                            \
    __builtin_shufflevector(x, y, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31)
#define DLZ_ZIP_LOW(x, y)                                                                          \
    __builtin_shufflevector(x, y, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define DLZ_ZIP_HIGH(x, y)                                                                         \
    __builtin_shufflevector(x, y, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define DLZ_EVEN(x, y)                                                                             \
    __builtin_shufflevector(x, y, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30)
#define DLZ_ODD(x, y)                                                                              \
    __builtin_shufflevector(x, y, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31)
#elif DLZ_LANES == 8
#define DLZ_LOW4(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11)
#define DLZ_HIGH4(x, y) __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15)
#define DLZ_LOW2(x, y) __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define DLZ_HIGH2(x, y) __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15)
#define DLZ_LOW1(x, y) __builtin_shufflevector(x, y, 0, 8, 2, 10, 4, 12, 6, 14)
#define DLZ_HIGH1(x, y) __builtin_shufflevector(x, y, 1, 9, 3, 11, 5, 13, 7, 15)
#define DLZ_ZIP_LOW(x, y) __builtin_shufflevector(x, y, 0, 8, 1, 9, 4, 12, 5, 13)
#define DLZ_ZIP_HIGH(x, y) __builtin_shufflevector(x, y, 2, 10, 3, 11, 6, 14, 7, 15)
#define DLZ_EVEN(x, y) __builtin_shufflevector(x, y, 0, 2, 8, 10, 4, 6, 12, 14)
#define DLZ_ODD(x, y) __builtin_shufflevector(x, y, 1, 3, 9, 11, 5, 7, 13, 15)
#else
#define DLZ_LOW2(x, y) __builtin_shufflevector(x, y, 0, 1, 4, 5)
#define DLZ_HIGH2(x, y) __builtin_shufflevector(x, y, 2, 3, 6, 7)
#define DLZ_LOW1(x, y) __builtin_shufflevector(x, y, 0, 4, 2, 6)
#define DLZ_HIGH1(x, y) __builtin_shufflevector(x, y, 1, 5, 3, 7)
#define DLZ_ZIP_LOW(x, y) __builtin_shufflevector(x, y, 0, 4, 1, 5)
#define DLZ_ZIP_HIGH(x, y) __builtin_shufflevector(x, y, 2, 6, 3, 7)
#define DLZ_EVEN(x, y) __builtin_shufflevector(x, y, 0, 2, 4, 6)
#define DLZ_ODD(x, y) __builtin_shufflevector(x, y, 1, 3, 5, 7)
#endif

/* The four numbers at each of as many places, `stride` apart, as a vector has fours. */
DLZ_INLINE dlz_v dlz_load_fours(const float *from, int64_t stride) {
#if DLZ_LANES == 4
    (void)stride;
    return dlz_load(from);
#else
    const dlz_v4 a = *(const dlz_v4u *)from, b = *(const dlz_v4u *)(from + stride);
    dlz_v8 low = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
#if DLZ_LANES == 8
    return low;
#else
    const dlz_v4 c = *(const dlz_v4u *)(from + 2 * stride),
                 d = *(const dlz_v4u *)(from + 3 * stride);
    dlz_v8 high = __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
#endif
}

/* Four number `place` of a vector's fours. */
DLZ_INLINE dlz_v4 dlz_four_of(dlz_v v, int place) {
#if DLZ_LANES == 4
    (void)place;
    return v;
#elif DLZ_LANES == 8
    return place ? __builtin_shufflevector(v, v, 4, 5, 6, 7)
                 : __builtin_shufflevector(v, v, 0, 1, 2, 3);
#else
    switch (place) {
    case 0:
        return __builtin_shufflevector(v, v, 0, 1, 2, 3);
    case 1:
        return __builtin_shufflevector(v, v, 4, 5, 6, 7);
    case 2:
        return __builtin_shufflevector(v, v, 8, 9, 10, 11);
    default:
        return __builtin_shufflevector(v, v, 12, 13, 14, 15);
    }
#endif
}

/* In place: rows[i][j] becomes rows[j][i]. */
DLZ_INLINE void dlz_transpose8(dlz_v8 rows[8]) {
    dlz_v8 a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        a[i] = __builtin_shufflevector(rows[i], rows[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        a[i + 1] = __builtin_shufflevector(rows[i], rows[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            dlz_v8 low = a[i + j], high = a[i + j + 2];
            b[i + 2 * j] = __builtin_shufflevector(low, high, 0, 1, 8, 9, 4, 5, 12, 13);
            b[i + 2 * j + 1] = __builtin_shufflevector(low, high, 2, 3, 10, 11, 6, 7, 14, 15);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        rows[i] = __builtin_shufflevector(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        rows[i + 4] = __builtin_shufflevector(b[i], b[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

DLZ_INLINE void dlz_transpose4(dlz_v4 rows[4]) {
    dlz_v4 a = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
    dlz_v4 b = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
    dlz_v4 c = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
    dlz_v4 e = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
    rows[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    rows[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    rows[2] = __builtin_shufflevector(b, e, 0, 1, 4, 5);
    rows[3] = __builtin_shufflevector(b, e, 2, 3, 6, 7);
}

/* The same of whole vectors. */
#if DLZ_LANES == 4
#define dlz_transpose dlz_transpose4
#elif DLZ_LANES == 8
#define dlz_transpose dlz_transpose8
#else
DLZ_INLINE void dlz_transpose(dlz_v v[16]) {
#define DLZ_STAGE(d)                                                                               \
    DLZ_UNROLL for (int i = 0; i < 16; i++) if (!(i & d)) {                                        \
        dlz_v low = DLZ_LOW##d(v[i], v[i + d]);                                                    \
        v[i + d] = DLZ_HIGH##d(v[i], v[i + d]);                                                    \
        v[i] = low;                                                                                \
    }
    DLZ_STAGE(8)
    DLZ_STAGE(4)
    DLZ_STAGE(2)
    DLZ_STAGE(1)
#undef DLZ_STAGE
}
#endif

/* Stages that halve as many vectors as there are lanes to one, of which lane i comes of v[i]'s lanes:
 * MERGE(j, j + d), d = half of DLZ_LANES ... 1. */
#define DLZ_MERGE_STAGE(d, MERGE)                                                                  \
    DLZ_UNROLL for (int i = 0; i < d; i++) v[i] =                                                  \
        MERGE(DLZ_LOW##d(v[i], v[i + d]), DLZ_HIGH##d(v[i], v[i + d]));
#if DLZ_LANES == 16
#define DLZ_MERGE_LANES(MERGE)                                                                     \
    DLZ_MERGE_STAGE(8, MERGE)                                                                      \
    DLZ_MERGE_STAGE(4, MERGE)                                                                      \
    DLZ_MERGE_STAGE(2, MERGE)                                                                      \
    DLZ_MERGE_STAGE(1, MERGE)
#elif DLZ_LANES == 8
#define DLZ_MERGE_LANES(MERGE)                                                                     \
    DLZ_MERGE_STAGE(4, MERGE)                                                                      \
    DLZ_MERGE_STAGE(2, MERGE)                                                                      \
    DLZ_MERGE_STAGE(1, MERGE)
#else
#define DLZ_MERGE_LANES(MERGE)                                                                     \
    DLZ_MERGE_STAGE(2, MERGE)                                                                      \
    DLZ_MERGE_STAGE(1, MERGE)
#endif
#define DLZ_ADD(x, y) (x) + (y)

/* Lane i of the result is the sum of v[i]'s lanes, added in halves: (j) + (j + d), d = half of
 * DLZ_LANES ... 1. Destroys v. */
DLZ_INLINE dlz_v dlz_sums(dlz_v v[DLZ_LANES]) {
    DLZ_MERGE_LANES(DLZ_ADD)
    return v[0];
}

/* Lane i of the result is the largest of v[i]'s lanes. Destroys v. */
DLZ_INLINE dlz_v dlz_largest_lanes(dlz_v v[DLZ_LANES]) {
    DLZ_MERGE_LANES(dlz_larger)
    return v[0];
}

#endif
