#include "kernels/conv/conv2d_tile.h"

/* Sums that should run at one time. */
#define STREAMS(rows, vectors)                                                                     \
    (ROWS_1 / ((rows) * (vectors)) >= MOST_STREAMS ? MOST_STREAMS                                  \
     : ROWS_1 / ((rows) * (vectors)) > 1           ? ROWS_1 / ((rows) * (vectors))                 \
                                                   : 1)

#define TILE(rows, vectors)                                                                        \
    static void forward_##rows##_##vectors(const patch_walk *walk, const float *a, int64_t a_step, \
                                           const float *weights, const tile_place *place) {        \
        forward_tile(rows, vectors, walk, a, a_step, weights, place);                              \
    }                                                                                              \
    static void weights_##rows##_##vectors(const pixel_walk *walk, const float *a, const float *g, \
                                           float *sums, int64_t step, int last) {                  \
        weights_tile(rows, vectors, STREAMS(rows, vectors), walk, a, g, sums, step, last);         \
    }

/* Formatting would move these lists at every call. */
/* clang-format off */
TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1)
TILE(7, 1) TILE(8, 1) TILE(9, 1) TILE(10, 1) TILE(11, 1) TILE(12, 1)
TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2)
#if DLZ_REGISTERS == 32
TILE(7, 2) TILE(8, 2) TILE(9, 2) TILE(10, 2) TILE(11, 2) TILE(12, 2)
#endif
#if DLZ_LANES == 16
TILE(13, 1) TILE(14, 1) TILE(13, 2) TILE(14, 2)
#endif
/* clang-format on */

#define NAMES(kind, vectors)                                                                       \
    kind##_1_##vectors, kind##_2_##vectors, kind##_3_##vectors, kind##_4_##vectors,                \
        kind##_5_##vectors, kind##_6_##vectors
#define MORE_NAMES(kind, vectors)                                                                  \
    kind##_7_##vectors, kind##_8_##vectors, kind##_9_##vectors, kind##_10_##vectors,               \
        kind##_11_##vectors, kind##_12_##vectors

/* [vectors - 1][rows - 1] */
#if DLZ_LANES == 16
#define ALL_NAMES(kind)                                                                            \
    {NAMES(kind, 1), MORE_NAMES(kind, 1), kind##_13_1, kind##_14_1}, {                             \
        NAMES(kind, 2), MORE_NAMES(kind, 2), kind##_13_2, kind##_14_2                              \
    }
#elif DLZ_REGISTERS == 32
#define ALL_NAMES(kind)                                                                            \
    {NAMES(kind, 1), MORE_NAMES(kind, 1)}, {                                                       \
        NAMES(kind, 2), MORE_NAMES(kind, 2)                                                        \
    }
#else
#define ALL_NAMES(kind)                                                                            \
    {NAMES(kind, 1), MORE_NAMES(kind, 1)}, {                                                       \
        NAMES(kind, 2)                                                                             \
    }
#endif
                const conv2d_tiles
    DLZ_VARIANT(dlz_conv2d_tiles) = {{ALL_NAMES(forward)}, {ALL_NAMES(weights)}};
