/* kernels/conv/conv2d.h - the 2-D convolution of any kernel, stride, padding and dilation, float32:
 * forward, the weights' gradient, and what the input's gradient needs beside a matrix product.
 *
 * Activations are channels-last (image, row, column, channel), weights PyTorch's (outputs,
 * channels, kernel rows, kernel columns). Work is done a block of output rows at a time. The input
 * rows that a block reads are laid out with the padding around them and with what is pending
 * applied, once; from there
 *
 *   forward            y[p, o] = bias[o] + sum_k x[p + k] w[k, o]
 *   weights' gradient  dw[k, o] += sum_p x[p + k] g[p, o]
 *
 * read them in place: a patch is never copied. The columns of a kernel row times the channels lie
 * next to each other (one "run" of a patch), unless the kernel is dilated sideways: then it is the
 * channels alone.
 *
 * Few outputs would leave most lanes of a vector empty. So `merged` neighboring pixels of a row
 * can count as one pixel with merged x outputs numbers, which sees a window that is wider by
 * (merged - 1) strides and whose weights are 0 where a pixel's own window ends. A product with such
 * a 0 changes nothing while the input is finite; where it is not, the plain form is computed, which
 * gives every other number the same but for rounding, as long sums are cut elsewhere.
 *
 * A plan depends on the shape and the instruction set alone. Sums over k are cut into blocks of
 * at most DLZ_CONV2D_DEPTH terms, and those over p likewise, so that rounding errors stay small. */
#ifndef DLZ_KERNELS_CONV_CONV2D_H
#define DLZ_KERNELS_CONV_CONV2D_H

#include "base/base.h"
#include "kernels/select.h"

#define DLZ_CONV2D_DEPTH 288
/* Floats beyond their end that the buffers of this header must have. */
#define DLZ_CONV2D_SLACK 32
/* Independent sums of the weights' gradient: enough for as many threads, few enough to add up; and
 * fewer where a group would have less pixels than its sums are worth, which more so do not fit a
 * cache if there are many. */
#define DLZ_CONV2D_GROUPS 8
#define DLZ_CONV2D_GROUP_PIXELS 64
#define DLZ_CONV2D_MANY_SUMS 65536
#define DLZ_CONV2D_MANY_SUMS_PIXELS 768
/* Outputs of a tile of `unpack`. */
#define DLZ_CONV2D_UNPACKED 32

typedef struct dlz_conv2d_shape {
    int64_t images, height, width, channels;
    int64_t out_height, out_width, outputs;
    int64_t kernel[2], stride[2], padding[2], dilation[2]; /* vertical, horizontal */
} dlz_conv2d_shape;

/* A way to see the same convolution: with pixels of a row merged or not. */
typedef struct dlz_conv2d_form {
    int64_t merged;  /* pixels that count as one */
    int64_t width;   /* of a row, in those; the last one may be short of pixels */
    int64_t columns; /* merged x outputs */
    int64_t window;  /* columns of the kernel */
    int64_t taps, run;
    int64_t depth; /* taps x run: terms of a sum over k */
} dlz_conv2d_form;

/* Winograd's way along rows (conv2d_along.h), where it takes far fewer products. */
typedef struct dlz_conv2d_along {
    int64_t outputs, taps, points; /* of a tile; outputs 0: the way is not taken */
    int64_t tiles;                 /* of a row */
    int64_t run, depth;            /* numbers of a tap: stride x channels; of all kernel rows */
    int64_t plane, row_floats;     /* floats of a row at one point, and at all */
    /* Where its parts begin in the buffers: rows and room for products in a strip's, weights and
     * sums behind the plain ones. */
    int64_t rows_at, room_at, weights_at, sums_at;
} dlz_conv2d_along;

typedef struct dlz_conv2d_plan {
    dlz_conv2d_shape shape;
    dlz_isa isa;
    int64_t lanes;
    dlz_conv2d_form plain, fast; /* equal where merging does not pay */
    bool in_place;               /* without pending factors the input is read where it lies */
    dlz_conv2d_along along;
    /* Patches lie in the input one after the other: pixels, or whole images. */
    bool patches_in_order;
    /* Rows of the strip (padded input rows): floats of one, and rows between two taps and between
     * two output rows. */
    int64_t row_floats, tap_rows, line_rows;
    /* Blocks: images of a block and output rows of one, in the forward and the backward pass. More
     * than one image only with all rows. */
    int64_t forward_images, forward_rows, backward_images, backward_rows;
    /* Floats of buffers, slack included. A block's: */
    int64_t strip_floats, gradient_floats;
    /* The whole layer's: weights in forward's order for both forms, and sums of one group (the
     * slack comes after the last group). */
    int64_t weight_floats, sum_floats;
} dlz_conv2d_plan;

/* Output rows row ... row + rows - 1 of images image ... image + images - 1. */
typedef struct dlz_conv2d_block {
    int64_t image, images, row, rows;
} dlz_conv2d_block;

/* Factors of channels, repeated along a row of `count` numbers. */
typedef struct dlz_conv2d_input {
    const float *data;
    /* Pending: data * scale + shift, then relu if set. Both NULL: data as it is. Given for each
     * number of a row of the image, not for each channel, and readable a slack beyond. */
    const float *scale, *shift;
    bool relu;
    bool plain; /* never by the way along rows */
    /* Not 0: floats from one pixel to the next, of which the convolution's are a part. Then nothing
     * may be pending. */
    int64_t step;
} dlz_conv2d_input;

/* A block's input as the products read it. */
typedef struct dlz_conv2d_view {
    const float *at;
    int64_t tap_step, line_step, image_step; /* floats between vertical taps, output rows, images */
    bool finite;                             /* fit for the fast form */
    const float *along; /* rows for the way along them, where they are fit for it; else NULL */
    int64_t along_tap, along_line;
    float *room;
    float largest; /* magnitude, with `along` */
} dlz_conv2d_view;

/* The gradient of the output: dy, or where z is not NULL a * g + b * (z - center) + d, with g = dy
 * but 0 where relu is set and z * scale + shift <= 0. All factors for each number of a row, as
 * above; a, b, center and d may be NULL together, for g alone. */
typedef struct dlz_conv2d_gradient {
    const float *dy, *z;
    const float *scale, *shift;
    bool relu;
    const float *a, *b, *center, *d;
    int64_t step; /* as of the input; without z */
} dlz_conv2d_gradient;

typedef struct dlz_conv2d_output {
    float *y;
    const float *bias; /* per output, repeated fast.merged times, readable a slack beyond */
    bool relu;         /* store max(0, y) */
} dlz_conv2d_output;

static inline int64_t dlz_conv2d_groups(const dlz_conv2d_shape *shape) {
    int64_t pixels = shape->images * shape->out_height * shape->out_width;
    int64_t sums = shape->kernel[0] * shape->kernel[1] * shape->channels * shape->outputs;
    int64_t least =
        sums >= DLZ_CONV2D_MANY_SUMS ? DLZ_CONV2D_MANY_SUMS_PIXELS : DLZ_CONV2D_GROUP_PIXELS;
    int64_t groups = dlz_max_i64(2, dlz_min_i64(DLZ_CONV2D_GROUPS, pixels / least));
    return dlz_min_i64(shape->images, groups);
}

/* What moves numbers. `block` is of one plan; `strip` and `g` are the block's own buffers. */
typedef struct dlz_conv2d_rows_table {
    dlz_conv2d_view (*load)(const dlz_conv2d_plan *plan, const dlz_conv2d_input *input,
                            dlz_conv2d_block block, float *strip);
    /* Rows of plan->fast.width x plan->fast.columns numbers, 0 where a merged pixel has no output.
     * They are laid out in `g`, or lie where the gradient does if nothing is to be done to it. */
    const float *(*load_gradient)(const dlz_conv2d_plan *plan, const dlz_conv2d_gradient *gradient,
                                  dlz_conv2d_block block, float *g);
    /* sums[c] += the sum of a block's g in each of the plan->fast.columns. */
    void (*add_bias)(const dlz_conv2d_plan *plan, dlz_conv2d_block block, const float *g,
                     double *sums);
    /* Adds a block's gradients of patches (one row of plain.depth numbers for each pixel in g) to
     * dx, of all images. */
    void (*scatter)(const dlz_conv2d_plan *plan, dlz_conv2d_block block, const float *patches,
                    float *dx);
    /* The outputs of a tile: dw from the sums of `groups` groups, up to DLZ_CONV2D_GROUPS. What each
     * comes to, rounded, is added by pairs: 0 + 1, 2 + 3, then these. */
    void (*unpack)(const dlz_conv2d_plan *plan, int64_t tile, int64_t groups, const float *sums,
                   float *dw);
    /* Copies `count` numbers of each pixel; pixels lie from_step and to_step floats apart. */
    void (*move_pixels)(int64_t pixels, int64_t count, const float *from, int64_t from_step,
                        float *to, int64_t to_step);
} dlz_conv2d_rows_table;

typedef struct dlz_conv2d_table {
    int64_t lanes;
    /* The block's part of output->y. */
    void (*forward)(const dlz_conv2d_plan *plan, const dlz_conv2d_view *view,
                    dlz_conv2d_block block, const float *weights, const dlz_conv2d_output *output);
    /* sums += the block's part of dw, fast.depth x fast.columns, its rows rounded up to lanes. */
    void (*add_weights)(const dlz_conv2d_plan *plan, const dlz_conv2d_view *view,
                        dlz_conv2d_block block, const float *g, float *sums);
} dlz_conv2d_table;

DLZ_KERNEL_TABLE(dlz_conv2d_rows_table, dlz_conv2d_rows)
DLZ_KERNEL_TABLE(dlz_conv2d_table, dlz_conv2d_kernels)

/* Fails where buffers would not fit any memory. */
dlviz_status dlz_conv2d_plan_create(dlz_conv2d_plan *plan, const dlz_conv2d_shape *shape,
                                    dlz_isa isa);
/* A plan that may go along rows, where that pays. Sums of whole numbers are then not exact; blocks
 * with numbers that would spoil others or overflow, and input->plain, go the plain way. */
dlviz_status dlz_conv2d_plan_create_along(dlz_conv2d_plan *plan, const dlz_conv2d_shape *shape,
                                          dlz_isa isa);

/* Weights in forward's order, times scale[o] unless NULL. */
void dlz_conv2d_pack(const dlz_conv2d_plan *plan, const float *weights, const float *scale,
                     float *packed);
/* to[i] = from[i % channels], for i < count and the slack beyond. */
void dlz_conv2d_repeat(const float *from, int64_t channels, int64_t count, float *to);

#endif
