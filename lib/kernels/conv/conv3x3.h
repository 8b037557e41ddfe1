/* kernels/conv/conv3x3.h - the 3 × 3 convolution, stride 1, any padding, float32: forward, backward,
 * weights.
 *
 * Activations are channels-last (image, row, column, channel), weights PyTorch's (out, in, 3, 3).
 * A plan fixes the algorithm, the cut into work units ("tiles" for dlz_parallel_for) and all buffer
 * sizes from the shape and the instruction set alone. The functions allocate nothing, touch only
 * their arguments, and give the same bits in whatever order and on whatever threads tiles run.
 * Buffers need no alignment beyond float's, but 64 bytes is faster.
 *
 * One training step:
 *
 *     prepare   weight_tiles    after each change of the weights
 *     forward   forward_tiles   y, and the moments for the batch norm that follows
 *     backward  backward_tiles  dx, the sums for the batch norm before, and the accumulators
 *     finish    weight_tiles    the weights' and the bias's gradient from all accumulators
 *
 * Winograd's algorithm (Lavin and Gray, CVPR 2016) computes m × m outputs from (m + 2)² products.
 * winograd2 (m = 2) is as accurate as direct; winograd4 (m = 4) interpolates at 0, ±5/8, ±3/2 and
 * infinity, which halves the rounding error of the customary 0, ±1, ±2. Rounding errors are
 * relative to the largest number in a tile, so y of rows of tiles with few outliers, and dx of chunks
 * of them, are computed the plain way; the weights' gradient, a sum over all tiles, is so only where
 * numbers are so large that transforms might overflow, or not finite. What forward gives for an image
 * does not depend on the others. */
#ifndef DLZ_KERNELS_CONV_CONV3X3_H
#define DLZ_KERNELS_CONV_CONV3X3_H

#include "base/base.h"
#include "kernels/select.h"

typedef enum dlz_conv3x3_algorithm {
    DLZ_CONV3X3_AUTO, /* the fastest for a training step */
    DLZ_CONV3X3_DIRECT,
    DLZ_CONV3X3_WINOGRAD2,
    DLZ_CONV3X3_WINOGRAD4,
    /* The fastest for forward alone, with weights that are prepared once. */
    DLZ_CONV3X3_AUTO_FORWARD
} dlz_conv3x3_algorithm;

typedef struct dlz_conv3x3_shape {
    int64_t images, height, width, in_channels, out_channels;
    int64_t padding[2]; /* zeros at either side: vertical, horizontal */
} dlz_conv3x3_shape;

/* How the input is read: a = data; with scale and shift (both or neither; per channel)
 * a = data·scale + shift; with relu a = max(0, that). The padding around an image is a = 0. */
typedef struct dlz_conv3x3_input {
    const float *data;
    const float *scale, *shift;
    bool relu;
    /* PyTorch's, for what Winograd's kernels take the plain way: tiles in which a few numbers are
     * far larger than the others, or everything (outputs and dx, that is) if `plain` is set. */
    const float *weights;
    bool plain;
} dlz_conv3x3_input;

/* What forward makes of y = convolution + bias. */
typedef struct dlz_conv3x3_output {
    float *y;          /* NULL: not stored (only with pooled) */
    const float *bias; /* per out channel, or NULL */
    bool relu;         /* store max(0, y) */
    /* NULL, or the plan's blocks of moments (kernels/nn/moments.h), of y before the relu. */
    double *stats;
    /* NULL, or for plans that pool: images × y's height / 2 × width / 2 × out_channels, the largest y
     * (after relu) of each 2 × 2 window; with codes also its place there, 0 … 3 as 2·row + column,
     * the first among equals. With pool_sign it is the smallest where that is negative, and the
     * first where it is 0: the window's winner after a batch norm with these weights, before its
     * sums are known. */
    float *pooled;
    uint8_t *codes;
    const float *pool_sign; /* per out channel, or NULL */
} dlz_conv3x3_output;

/* How the gradient G of y is read: G = dy when z is NULL. Otherwise the backward pass of a batch
 * norm (and relu) on y is applied: g = dy, or 0 where relu and z·scale + shift <= 0, and G = a·g +
 * b·(z − center) + d with per-channel coefficients; z is what forward stored as y.
 *
 * With codes (and z), a 2 × 2 max pool of stride 2 came after those: dy and codes are images ×
 * y's height / 2 × width / 2 × out_channels, and g = dy at the place of its window (0 … 3: 2·row +
 * column) that the code names, 0 elsewhere; any other code blocks the whole window, and relu is not
 * looked at. A constant factor, as of a dropout, belongs into a. */
typedef struct dlz_conv3x3_gradient {
    const float *dy;
    const float *z;
    const float *scale, *shift; /* only for relu */
    bool relu;
    const float *a, *b, *center, *d;
    const uint8_t *codes;
} dlz_conv3x3_gradient;

/* What backward makes of the input's gradient: dx is the gradient of data·scale + shift, that is,
 * with the input's relu it is 0 wherever that was <= 0. */
typedef struct dlz_conv3x3_input_gradient {
    float *dx;
    /* NULL, or backward_tiles × 2 × in_channels: per tile the sums of dx, then of dx·(data −
     * pivot), for the backward pass of the batch norm that the input's scale and shift stand for.
     */
    double *sums;
    const float *pivot; /* per in channel; NULL is 0 */
} dlz_conv3x3_input_gradient;

/* Runs of accumulators that are finished each by itself, at most. */
#define DLZ_CONV3X3_SUMS 8

/* Tile rows that pass through the scratch at a time, at most. */
#define DLZ_CONV3X3_CHUNK_ROWS 128

typedef struct dlz_conv3x3_plan dlz_conv3x3_plan;

typedef struct dlz_conv3x3_kernels {
    int lanes; /* floats in a vector */
    void (*prepare)(const dlz_conv3x3_plan *plan, int64_t tile, const float *weights,
                    float *forward_weights, float *backward_weights);
    void (*forward)(const dlz_conv3x3_plan *plan, int64_t tile, const dlz_conv3x3_input *input,
                    const float *forward_weights, const dlz_conv3x3_output *output, float *scratch);
    void (*backward)(const dlz_conv3x3_plan *plan, int64_t tile, const dlz_conv3x3_input *input,
                     const dlz_conv3x3_gradient *gradient, const float *backward_weights,
                     const dlz_conv3x3_input_gradient *input_gradient, float *accumulators,
                     float *scratch);
    void (*finish)(const dlz_conv3x3_plan *plan, int64_t tile, const float *accumulators, float *dw,
                   float *db);
} dlz_conv3x3_kernels;

DLZ_KERNEL_TABLE(dlz_conv3x3_kernels, dlz_conv3x3_direct)
DLZ_KERNEL_TABLE(dlz_conv3x3_kernels, dlz_conv3x3_winograd2)
DLZ_KERNEL_TABLE(dlz_conv3x3_kernels, dlz_conv3x3_winograd4)

struct dlz_conv3x3_plan {
    dlz_conv3x3_shape shape;
    int64_t out_height, out_width;
    dlz_isa isa;
    dlz_conv3x3_algorithm algorithm; /* what AUTO stands for */
    bool pools;                      /* forward can write a max pool's result: all but direct */

    int64_t forward_tiles, backward_tiles, weight_tiles;
    int64_t moment_blocks;
    int64_t scratch_floats; /* one block a worker */
    int64_t forward_weight_floats, backward_weight_floats;
    int64_t accumulator_floats; /* all accumulators together */

    /* the kernels' own */
    const dlz_conv3x3_kernels *kernels;
    int64_t in_padded, out_padded;   /* channels, rounded up to whole vectors */
    int64_t tile_rows, tile_columns; /* output tiles an image; for direct rows and columns */
    int64_t chunk_rows;              /* tile rows that pass through the scratch at a time */
    int64_t forward_rows;            /* tile rows a forward tile, counted over all images */
    int64_t backward_images;         /* images a backward tile */
    /* So many tiles share the same pixels, each for some of the channels. */
    int64_t forward_parts, backward_parts;
    int64_t accumulators;       /* backward tiles of the same pixels share one */
    int64_t accumulator_stride; /* floats from one accumulator to the next */
    /* Into so many equal runs the accumulators fall: those of one are added up in order, and what
     * each run comes to, rounded, is added by pairs: 0 + 1, 2 + 3, then these. */
    int64_t sums;
    /* Floats from one frequency's weights to the next: never a multiple of 4 KiB. */
    int64_t forward_step, backward_step;
};

/* Sizes, y's too, must be 1 or more, the padding 0 or more: else DLVIZ_ERROR_INVALID_ARGUMENT.
 * DLVIZ_ERROR_OUT_OF_MEMORY when a buffer's size would overflow. The instruction set must be
 * available. */
dlviz_status dlz_conv3x3_plan_create(dlz_conv3x3_plan *plan, dlz_conv3x3_shape shape, dlz_isa isa,
                                     dlz_conv3x3_algorithm algorithm);

/* One tile (of weight_tiles) of both layouts of the weights; backward_weights may be NULL when no
 * dx will be asked for. */
static inline void dlz_conv3x3_prepare(const dlz_conv3x3_plan *plan, int64_t tile,
                                       const float *weights, float *forward_weights,
                                       float *backward_weights) {
    plan->kernels->prepare(plan, tile, weights, forward_weights, backward_weights);
}

static inline void dlz_conv3x3_forward(const dlz_conv3x3_plan *plan, int64_t tile,
                                       const dlz_conv3x3_input *input, const float *forward_weights,
                                       const dlz_conv3x3_output *output, float *scratch) {
    plan->kernels->forward(plan, tile, input, forward_weights, output, scratch);
}

/* How far beyond y's edge the windows of dx reach, vertically (axis 0) or horizontally. */
static inline int64_t dlz_conv3x3_border(const dlz_conv3x3_plan *plan, int axis) {
    return dlz_max_i64(0, 2 - plan->shape.padding[axis]);
}

/* What of y a forward tile writes: the pixels first … end − 1, counted over all images, and of those
 * the channels first_channel … end_channel − 1. */
typedef struct dlz_conv3x3_area {
    int64_t first, end, first_channel, end_channel;
} dlz_conv3x3_area;

dlz_conv3x3_area dlz_conv3x3_forward_area(const dlz_conv3x3_plan *plan, int64_t tile);

/* Makes backward tiles of so many images, with one accumulator each, in one run. */
void dlz_conv3x3_plan_backward(dlz_conv3x3_plan *plan, int64_t images);

/* Of a plan for a batch, makes one for so many of its images. Forward tiles are cut so that `leaf`
 * images are whole tiles, and backward tiles so that there are `groups` of them, times backward_parts,
 * which divide the images evenly: both about as they were. Each group's accumulator is a run, of which
 * there may be DLZ_CONV3X3_SUMS. */
void dlz_conv3x3_plan_part(dlz_conv3x3_plan *plan, int64_t images, int64_t leaf, int64_t groups);

/* input_gradient is NULL when no dx is wanted (and backward_weights may then be NULL). Tiles
 * overwrite the accumulators: nothing needs zeroing. */
static inline void dlz_conv3x3_backward(const dlz_conv3x3_plan *plan, int64_t tile,
                                        const dlz_conv3x3_input *input,
                                        const dlz_conv3x3_gradient *gradient,
                                        const float *backward_weights,
                                        const dlz_conv3x3_input_gradient *input_gradient,
                                        float *accumulators, float *scratch) {
    plan->kernels->backward(plan, tile, input, gradient, backward_weights, input_gradient,
                            accumulators, scratch);
}

/* One tile (of weight_tiles) of dw (out, in, 3, 3); tile 0 also writes db (out channels). Either may
 * be NULL. */
static inline void dlz_conv3x3_finish(const dlz_conv3x3_plan *plan, int64_t tile,
                                      const float *accumulators, float *dw, float *db) {
    plan->kernels->finish(plan, tile, accumulators, dw, db);
}

/* The plain truth, in float64 throughout, for tests: y, dx (may be NULL), dw, db as above but in
 * double. */
void dlz_conv3x3_reference_forward(dlz_conv3x3_shape shape, const dlz_conv3x3_input *input,
                                   const float *weights, const float *bias, double *y);
void dlz_conv3x3_reference_backward(dlz_conv3x3_shape shape, const dlz_conv3x3_input *input,
                                    const dlz_conv3x3_gradient *gradient, const float *weights,
                                    double *dx, double *dw, double *db);

#endif
