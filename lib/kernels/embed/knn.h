/* kernels/embed/knn.h - which of many points are nearest to a few: dot products and selection in
 * one pass.
 *
 * A point enters as half its squared norm minus the dot product with the query, which orders points
 * as their distances do: |q - c|^2 / 2 = |q|^2 / 2 + (|c|^2 / 2 - q.c). That value is compared with
 * the query's limit while it is still in a register; what passes goes into the query's buffer.
 *
 * Such a value cancels. With u = 2^-24, its error is below (d + 8) u (|q| + |c|)^2 / 2, and since
 * |c| <= |q| + |q - c|, below slack + relative |q - c|^2 / 2 with slack = 4 (d + 16) u |q|^2 and
 * relative = 2 (d + 16) u. So how far a point lies from the origin spoils its own search only, and
 * nobody else's; what the values leave open, exact distances decide. */
#ifndef DLZ_KERNELS_EMBED_KNN_H
#define DLZ_KERNELS_EMBED_KNN_H

#include "kernels/select.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define DLZ_KNN_PANEL 32 /* points a packed panel: [dimension][DLZ_KNN_PANEL] */
#define DLZ_KNN_GROUP 12 /* queries a packed group: [dimension][DLZ_KNN_GROUP] */

/* A point whose distance is known. `key` orders equal distances. */
typedef struct dlz_knn_found {
    double distance;
    uint32_t key;
    int32_t point;
} dlz_knn_found;

/* What a query has found. An entry's high half orders as the value does, its low half is the place.
 */
typedef struct dlz_knn_buffer dlz_knn_buffer;
struct dlz_knn_buffer {
    uint64_t *entries; /* capacity of them; capacity >= 9 * keep / 4 + DLZ_KNN_PANEL */
    int32_t count, capacity, keep;
    int32_t self;    /* the place that is never a neighbor, or -1 */
    float threshold; /* products below it are of interest */
    float offset;    /* from product to value */
    /* `slack` about the present origin, and the largest about which an entry came in. */
    float slack, largest_slack;
    double relative;
    double limit; /* the keep-th smallest true value is not above it */
    /* Where products are of bytes (knn_bytes.h): values are unit (product + base), distances off by
     * at most `error`; products below `below` are of interest. Else unit is 0. */
    double unit, base, error;
    int32_t below;
    /* The `keep` nearest of those whose exact distances had to be found, in order. */
    dlz_knn_found *best;
    int32_t best_count;
    int64_t query;
    /* Moves the entries that may be among the nearest into `best`, by their exact distances. */
    void (*settle)(dlz_knn_buffer *buffer, void *context);
    void *context;
};

/* The last entry of this value. */
static inline uint64_t dlz_knn_last_entry(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint64_t)(bits & 0x80000000u ? ~bits : bits | 0x80000000u) << 32 | 0xFFFFFFFFu;
}

/* The value of an entry: the high half's bits are a float's, turned so that they order as integers.
 */
static inline float dlz_knn_value(uint64_t entry) {
    uint32_t bits = (uint32_t)(entry >> 32);
    float value;
    bits = bits & 0x80000000u ? bits & 0x7FFFFFFFu : ~bits;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The threshold that the limit implies. A relative error of 1/4 and more, in millions of
 * dimensions, says nothing: then everything is of interest. */
static inline void dlz_knn_aim(dlz_knn_buffer *buffer) {
    double bound = buffer->limit * (1 + buffer->relative) + (double)buffer->slack;
    if (!(buffer->relative < 0.25) && buffer->limit > 0)
        bound = (double)__builtin_inff();
    buffer->threshold = (float)(bound - (double)buffer->offset);
}

typedef struct dlz_knn_kernel {
    /* Compares the points first ... first + DLZ_KNN_PANEL - 1 with a group of queries. half_norms
     * of points that do not exist are +infinity. */
    void (*scan)(const float *queries, const float *panel, const float *half_norms, int64_t d,
                 int32_t first, dlz_knn_buffer *buffers);
    /* Keeps the `keep` smallest entries of a buffer, up to an eighth more, and those that may be as
     * small by their errors; settles them when these are more than half the buffer. Lowers the
     * limit and the threshold. */
    void (*compact)(dlz_knn_buffer *buffer);
    /* A group about another origin: to = scale (group - origin), and half their squared norms. */
    void (*move)(const float *group, const float *origin, float scale, int64_t d, float *to,
                 float *half_norms);
} dlz_knn_kernel;

DLZ_KERNEL_TABLE(dlz_knn_kernel, dlz_knn)

#endif
