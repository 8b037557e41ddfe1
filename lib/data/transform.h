/* data/transform.h - turns one stored sample into what a network sees: scaled, resized, normalized.
 */
#ifndef DLZ_TRANSFORM_H
#define DLZ_TRANSFORM_H

#include "base/base.h"
#include <dlviz/tensor.h>

#define DLZ_MAX_IMAGE_SIZE 16384

/* One axis of a bilinear resize: output i is from[low[i]] + weight[i]·(from[high[i]] −
 * from[low[i]]). */
typedef struct dlz_axis {
    int64_t from, to;
    int32_t *low, *high; /* one block with `weight`; NULL when to == from */
    float *weight;
} dlz_axis;

typedef struct dlz_transform {
    dlviz_dtype dtype;               /* of the stored samples: uint8 or float32 */
    int64_t channels, height, width; /* as stored; a vector of d is 1 x 1 x d */
    bool is_image;
    dlz_axis rows, columns;
    int64_t normal_count;      /* 0: none; 1: for all; else one a channel (vector: component) */
    float *means, *deviations; /* one block, begun by `means` */
    bool far_means;            /* a number less its mean may be beyond float32 */
} dlz_transform;

void dlz_transform_init(dlz_transform *transform, dlviz_dtype dtype, int ndim,
                        const int64_t *sample_dims);
void dlz_transform_release(dlz_transform *transform);
/* A deep copy; after a failure `to` holds nothing. */
dlviz_status dlz_transform_copy(const dlz_transform *from, dlz_transform *to);

/* Both check their arguments for the public functions `who`, and leave the transform alone on
 * failure. */
dlviz_status dlz_transform_set_size(dlz_transform *transform, const char *who, int64_t height,
                                    int64_t width);
dlviz_status dlz_transform_set_normalization(dlz_transform *transform, const char *who,
                                             int64_t count, const float *means,
                                             const float *deviations);

/* Writes channels x rows.to x columns.to floats. Allocates nothing; any thread may call. */
void dlz_transform_apply(const dlz_transform *transform, const void *sample, float *out);
/* The two halves of it: scaled and resized, then normalized in place. */
void dlz_transform_load(const dlz_transform *transform, const void *sample, float *out);
void dlz_transform_normalize(const dlz_transform *transform, float *values);

#endif
