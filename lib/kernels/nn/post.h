/* kernels/nn/post.h - what follows a convolution or a linear layer, in one pass over memory:
 *
 *   batch norm     y = z * scale[c] + shift[c]
 *   relu           y = max(0, y)
 *   max pool       2 x 2, stride 2, a last odd row or column left out
 *   dropout        y = 0 with probability p, else y / (1 - p)
 *
 * each of which may be absent. A call handles one image: height x width pixels of `channels` floats
 * (a vector is an image of one pixel). What the backward pass must know of the pool and the dropout
 * is one byte a number: the place of the window's winner, or DLZ_POST_BLOCKED when no gradient
 * passes. */
#ifndef DLZ_KERNELS_NN_POST_H
#define DLZ_KERNELS_NN_POST_H

#include "kernels/select.h"

#include <stdbool.h>
#include <stdint.h>

#define DLZ_POST_BLOCKED 255

typedef struct dlz_post {
    int64_t height, width, channels; /* of z */
    const float *scale, *shift;      /* both NULL: z as it is */
    const float
        *weight; /* of the batch norm: its signs decide who wins in the pool; NULL without */
    bool relu, pool;
    bool coded; /* z is a pool's result and has codes: forward only blocks those that end there */
    uint32_t drop_below; /* p * 2^32: random words below it drop their number; 0 for no dropout */
    float keep_scale;    /* 1 / (1 - p) */
    uint64_t seed, stream;
    /* On the way back: NULL, or of each channel a power of two by which z - mean is multiplied before
     * anything else, where products with it would leave the range of a float. */
    const float *reach;
} dlz_post;

/* Of the backward pass, per channel. b NULL: it, center and d have no part. */
typedef struct dlz_post_factors {
    const float *a, *b, *center, *d;
} dlz_post_factors;

typedef struct dlz_post_kernels {
    /* out: the result; codes: a byte for each of its numbers, or NULL when there is neither a pool
     * nor dropout, or no backward pass will come. `image` is the image's number in the batch; the
     * mask is a function of (seed, stream, image, place in the image). */
    void (*forward)(const dlz_post *post, int64_t image, const float *z, float *out,
                    uint8_t *codes);

    /* With g the gradient that reaches the batch norm (grad where the codes or the sign of z *
     * scale + shift let it pass): sums[c] = sum of g, sums[channels + c] = sum of g * (z -
     * mean[c]), times reach[c] if there is that. */
    void (*backward_sums)(const dlz_post *post, const float *z, const float *grad,
                          const uint8_t *codes, const float *mean, double *sums);

    /* dz = a[c] * g + b[c] * (z - center[c]) + d[c], with reach b[c] * ((z - center[c]) * reach[c]); dz
     * may be z. */
    void (*backward)(const dlz_post *post, const float *z, const float *grad, const uint8_t *codes,
                     const dlz_post_factors *factors, float *dz);

    /* The block of moments (kernels/nn/moments.h) of so many rows of z. */
    void (*moments)(int64_t rows, int64_t channels, const float *z, double *block);
} dlz_post_table;

DLZ_KERNEL_TABLE(dlz_post_table, dlz_post_kernels)

#endif
