/* kernels/embed/knn_products.h - half a norm less the product, of a few queries with the points of a panel:
 * what the distances of a search, and of ranks, are made of. Included by kernels' sources. */
#ifndef DLZ_KERNELS_EMBED_KNN_PRODUCTS_H
#define DLZ_KERNELS_EMBED_KNN_PRODUCTS_H

#include "isa/isa.h"
#include "kernels/embed/knn.h"

#if DLZ_LANES == 16
#define ROWS 12
#elif DLZ_LANES == 8
#define ROWS 6
#else
#define ROWS 4
#endif
#define VECTORS 2

/* Of ROWS queries from `queries` on with VECTORS vectors of points from `points` on, where queries lie in a
 * group and points in a panel; d coordinates. */
DLZ_INLINE void multiply_panel(const float *queries, const float *points, const float *half_norms,
                               int64_t d, dlz_v sums[ROWS][VECTORS]) {
    for (int v = 0; v < VECTORS; v++) {
        dlz_v start = dlz_load(half_norms + v * DLZ_LANES);
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++)
            sums[r][v] = start;
    }
    for (int64_t i = 0; i < d; i++, points += DLZ_KNN_PANEL, queries += DLZ_KNN_GROUP) {
        dlz_v at[VECTORS];
#pragma GCC unroll 2
        for (int v = 0; v < VECTORS; v++)
            at[v] = dlz_load(points + v * DLZ_LANES);
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++) {
            dlz_v query = dlz_splat(queries[r]);
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; v++)
                sums[r][v] -= query * at[v];
        }
    }
}

#endif
