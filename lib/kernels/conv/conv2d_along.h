/* kernels/conv/conv2d_along.h - Winograd's convolution along the rows of wide kernels: the numbers
 * of its transforms.
 *
 * A row's pixels are taken `stride` at a time, so that a kernel of k columns has ceil(k / stride)
 * taps of stride x channels numbers, at stride 1. F(m, taps) gives m neighboring outputs of n = m +
 * taps - 1 products, not m x taps, at n points: 0, 1, -1, 2, 1/2, -1/2 (1/2 only where n is 7) and
 * infinity. Rows and channels are summed up at each point, so that a tile is turned back once:
 *
 *   forward            y = sums (weights' transform x data's transform)
 *   weights' gradient  dw = weights^T (data's transform x sums^T g)
 *
 * (S. Winograd, Arithmetic Complexity of Computations, SIAM 1980; A. Lavin and S. Gray, "Fast
 * Algorithms for Convolutional Neural Networks", CVPR 2016.) In one dimension the errors stay near
 * those of plain sums: twice as large. */
#ifndef DLZ_KERNELS_CONV_CONV2D_ALONG_H
#define DLZ_KERNELS_CONV_CONV2D_ALONG_H

#include "kernels/conv/conv2d.h"

enum { DLZ_ALONG_POINTS = 7, DLZ_ALONG_OUTPUTS = 4, DLZ_ALONG_TAPS = 5 };

/* Of what tile, with how many taps, there are transforms. */
#define DLZ_ALONG_LIST(DO) DO(4, 3, 6) DO(4, 4, 7) DO(3, 5, 7)

static const float dlz_along_data_6[6][6] = {
    {1, 1.5F, -2, -1.5F, 1, 0}, {0, -1, -2.5F, -0.5F, 1, 0}, {0, 1, 0.5F, -2.5F, 1, 0},
    {0, -0.5F, -1, 0.5F, 1, 0}, {0, 2, -1, -2, 1, 0},        {0, 1, 1.5F, -2, -1.5F, 1},
};
static const float dlz_along_data_7[7][7] = {
    {-0.5F, 0.25F, 2.5F, -1.25F, -2, 1, 0}, {0, 0.5F, 0.25F, -2.25F, -1, 1, 0},
    {0, -0.5F, 0.75F, 1.75F, -3, 1, 0},     {0, 0.25F, 0, -1.25F, 0, 1, 0},
    {0, 1, 1.5F, -2, -1.5F, 1, 0},          {0, -1, 2.5F, 0, -2.5F, 1, 0},
    {0, -0.5F, 0.25F, 2.5F, -1.25F, -2, 1},
};
static const float dlz_along_sums_4_6[4][6] = {
    {1, 1, 1, 1, 1, 0},
    {0, 1, -1, 2, -0.5F, 0},
    {0, 1, 1, 4, 0.25F, 0},
    {0, 1, -1, 8, -0.125F, 1},
};
static const float dlz_along_sums_4_7[4][7] = {
    {1, 1, 1, 1, 1, 1, 0},
    {0, 1, -1, 2, 0.5F, -0.5F, 0},
    {0, 1, 1, 4, 0.25F, 0.25F, 0},
    {0, 1, -1, 8, 0.125F, -0.125F, 1},
};
static const float dlz_along_sums_3_7[3][7] = {
    {1, 1, 1, 1, 1, 1, 0},
    {0, 1, -1, 2, 0.5F, -0.5F, 0},
    {0, 1, 1, 4, 0.25F, 0.25F, 1},
};

/* Of numbers that are larger, mixtures may be infinite where sums are not, and so may sums of products
 * of mixtures where a product of the data with a gradient is larger. */
#define DLZ_ALONG_LARGEST 0x1p100F
#define DLZ_ALONG_LARGEST_PRODUCT 0x1p90F

/* The weights' transform: what tap j counts at point q. */
double dlz_along_weight(const dlz_conv2d_along *along, int64_t q, int64_t j);

/* What a plan may be computed by along rows; outputs = 0 where that does not pay. */
dlz_conv2d_along dlz_along_choose(const dlz_conv2d_plan *plan);
/* Weights as the products read them, behind a plan's plain ones. */
void dlz_along_pack(const dlz_conv2d_plan *plan, const float *weights, const float *scale,
                    float *packed);

typedef struct dlz_along_table {
    /* Rows of a strip to rows of along.row_floats numbers. */
    void (*transform)(const dlz_conv2d_plan *plan, int64_t rows, const float *strip, float *to);
    void (*forward)(const dlz_conv2d_plan *plan, const dlz_conv2d_view *view,
                    dlz_conv2d_block block, const float *weights, const dlz_conv2d_output *output);
    /* False, with nothing added, where mixtures might be infinite that the sums are not. */
    bool (*add_weights)(const dlz_conv2d_plan *plan, const dlz_conv2d_view *view,
                        dlz_conv2d_block block, const float *g, float *sums);
} dlz_along_table;

DLZ_KERNEL_TABLE(dlz_along_table, dlz_along_kernels)

#endif
