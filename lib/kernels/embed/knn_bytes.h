/* kernels/embed/knn_bytes.h - kernels/embed/knn.h's comparison of many points with a few, of
 * coordinates rounded to bytes: four times as many products an instruction. What the rounding
 * leaves open, exact distances decide.
 *
 * Coordinates are whole numbers of steps about a common origin. A point's come as unsigned bytes, x
 * + 128, a query's as signed ones, -x, so that the sum of their products is -q.c - 128 sum(q); with
 * half the point's squared norm it orders points as their distances from the query do. Rounding
 * moves each point by its own error, and so a distance by no more than both points' errors. */
#ifndef DLZ_KERNELS_EMBED_KNN_BYTES_H
#define DLZ_KERNELS_EMBED_KNN_BYTES_H

#include "kernels/embed/knn.h"

#define DLZ_KNN_BYTES_DIMENSIONS 12288 /* up to which no sum overflows */
#define DLZ_KNN_BYTES_MOST (1 << 29)   /* no product reaches it, or falls to its negative */

/* A product as the high half of an entry, which orders as it does. */
static inline uint64_t dlz_knn_bytes_entry(int32_t product, uint32_t place) {
    return (uint64_t)((uint32_t)product ^ 0x80000000u) << 32 | place;
}

/* Half the square of the distance that a product says, made longer by so much. */
static inline double dlz_knn_bytes_value(const dlz_knn_buffer *buffer, double product,
                                         double longer) {
    double value = buffer->unit * (product + buffer->base);
    double distance = sqrt(value > 0 ? 2 * value : 0) + longer;
    return distance * distance / 2 * (1 + 0x1p-40);
}

/* The products that the limit leaves of interest. */
static inline void dlz_knn_bytes_aim(dlz_knn_buffer *buffer) {
    double most = DLZ_KNN_BYTES_MOST, below = -most;
    if (buffer->limit >= 0) {
        double distance = sqrt(2 * buffer->limit) + buffer->error;
        below = distance * distance / 2 * (1 + 0x1p-40) / buffer->unit - buffer->base;
    }
    buffer->below = below < most ? (int32_t)(below + 1) : (int32_t)most;
}

typedef struct dlz_knn_bytes_kernel {
    /* Whether this processor has the instructions. */
    int (*available)(void);
    /* As dlz_knn_kernel's scan: panel is [word][DLZ_KNN_PANEL] of four bytes a word, queries are
     * [word][DLZ_KNN_GROUP], half_norms of points that do not exist are DLZ_KNN_BYTES_MOST. */
    void (*scan)(const int32_t *queries, const uint8_t *panel, const int32_t *half_norms,
                 int64_t words, int32_t first, dlz_knn_buffer *buffers);
    /* As dlz_knn_kernel's compact. */
    void (*compact)(dlz_knn_buffer *buffer);
    /* An entry up to which at least `keep` of a buffer's, of which there are more, and hardly more
     * lie. */
    uint64_t (*bound)(const dlz_knn_buffer *buffer);
} dlz_knn_bytes_kernel;

DLZ_KERNEL_TABLE(dlz_knn_bytes_kernel, dlz_knn_bytes)

#endif
