/* isa/shuffle.h - squares of numbers turned, and many vectors' sums at once, for kernel sources:
 * the compilers' shuffles, which depend on the number of lanes alone. */
#ifndef DLZ_ISA_SHUFFLE_H
#define DLZ_ISA_SHUFFLE_H

#include "isa/isa.h"

/* DLZ_LOW<d>(x, y) keeps the lanes of x whose number has bit d clear and puts their partners of y
 * (d lower) in the other lanes; DLZ_HIGH<d> does it with the lanes whose bit d is set. */
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
#elif DLZ_LANES == 8
#define DLZ_LOW4(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11)
#define DLZ_HIGH4(x, y) __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15)
#define DLZ_LOW2(x, y) __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define DLZ_HIGH2(x, y) __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15)
#define DLZ_LOW1(x, y) __builtin_shufflevector(x, y, 0, 8, 2, 10, 4, 12, 6, 14)
#define DLZ_HIGH1(x, y) __builtin_shufflevector(x, y, 1, 9, 3, 11, 5, 13, 7, 15)
#else
#define DLZ_LOW2(x, y) __builtin_shufflevector(x, y, 0, 1, 4, 5)
#define DLZ_HIGH2(x, y) __builtin_shufflevector(x, y, 2, 3, 6, 7)
#define DLZ_LOW1(x, y) __builtin_shufflevector(x, y, 0, 4, 2, 6)
#define DLZ_HIGH1(x, y) __builtin_shufflevector(x, y, 1, 5, 3, 7)
#endif

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

/* Lane i of the result is the sum of v[i]'s lanes, added in halves: (j) + (j + d), d = half of
 * DLZ_LANES ... 1. Destroys v. */
DLZ_INLINE dlz_v dlz_sums(dlz_v v[DLZ_LANES]) {
#define DLZ_STAGE(d)                                                                               \
    DLZ_UNROLL for (int i = 0; i < d; i++) v[i] =                                                  \
        DLZ_LOW##d(v[i], v[i + d]) + DLZ_HIGH##d(v[i], v[i + d]);
#if DLZ_LANES == 16
    DLZ_STAGE(8)
#endif
#if DLZ_LANES >= 8
    DLZ_STAGE(4)
#endif
    DLZ_STAGE(2)
    DLZ_STAGE(1)
#undef DLZ_STAGE
    return v[0];
}

#endif
