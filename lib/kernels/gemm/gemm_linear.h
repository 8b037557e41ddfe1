/* kernels/gemm/gemm_linear.h - the three products of a fully connected layer, cut into tiles for
 * dlz_parallel_for.
 *
 *   forward           Y  = X W^T + bias       batch x outputs, or what is made of it
 *   backward_data     dX [+]= dY W            batch x inputs
 *   backward_weight   dW [+]= dY^T X, dbias [+]= the column sums of dY
 *
 * X is batch x inputs, W is outputs x inputs (PyTorch's order), all without gaps. Tiles depend on
 * the three sizes alone and write different numbers, so that they may run at one time and the
 * result has the same bits for any number of threads. W, the large one, is read once a pass while
 * the batch has at most 256 rows (64 forward, after which the caches have to help). */
#ifndef DLZ_KERNELS_GEMM_LINEAR_H
#define DLZ_KERNELS_GEMM_LINEAR_H

#include "kernels/gemm/gemm.h"

typedef struct dlz_linear {
    int64_t batch, inputs, outputs;
} dlz_linear;

/* What becomes of the product: + bias, or * scale + bias where scale is not NULL, then relu. The
 * bias may be NULL where scale is. */
typedef struct dlz_linear_end {
    const float *scale, *bias;
    bool relu;
} dlz_linear_end;

/* The part of Y that a tile computes. */
typedef struct dlz_linear_block {
    int64_t row, rows, column, columns;
} dlz_linear_block;

/* `scratch` is DLZ_GEMM_SCRATCH_BYTES for each worker. */
int64_t dlz_linear_forward_tiles(const dlz_linear *layer);
dlz_linear_block dlz_linear_forward_block(const dlz_linear *layer, int64_t tile);
void dlz_linear_forward_tile(const dlz_linear *layer, int64_t tile, const float *x,
                             const float *weight, const dlz_linear_end *end, float *y,
                             void *scratch);

/* The same with weights that were packed before, which takes less time for each pass but rounds
 * otherwise: floats that they take, and packing those of tile 0 … dlz_linear_pack_tiles − 1. */
size_t dlz_linear_packed_size(const dlz_linear *layer);
int64_t dlz_linear_pack_tiles(const dlz_linear *layer);
void dlz_linear_pack_tile(const dlz_linear *layer, int64_t tile, const float *weight,
                          float *packed);
int64_t dlz_linear_packed_tiles(const dlz_linear *layer);
dlz_linear_block dlz_linear_packed_block(const dlz_linear *layer, int64_t tile);
void dlz_linear_packed_tile(const dlz_linear *layer, int64_t tile, const float *x,
                            const float *packed, const dlz_linear_end *end, float *y,
                            void *scratch);

int64_t dlz_linear_backward_data_tiles(const dlz_linear *layer);
void dlz_linear_backward_data_tile(const dlz_linear *layer, int64_t tile, const float *dy,
                                   const float *weight, bool accumulate, float *dx, void *scratch);

/* The same with the terms, of which an output each has one, summed up along a tree: of
 * DLZ_LINEAR_LEAVES leaves, which begin at outputs * l / DLZ_LINEAR_LEAVES, in pairs, 0 + 1, 2 + 3,
 * then these. `leaves` is a node of it, whose sum this is: as many as a power of two, from a
 * multiple of it on. `scratch` is DLZ_LINEAR_TREE_SCRATCH_BYTES. */
#define DLZ_LINEAR_LEAVES 8
#define DLZ_LINEAR_TREE_SCRATCH_BYTES (DLZ_GEMM_SCRATCH_BYTES + ((size_t)384 << 10))
typedef struct dlz_linear_leaves {
    int first, count;
} dlz_linear_leaves;
int64_t dlz_linear_backward_data_tree_tiles(const dlz_linear *layer);
void dlz_linear_backward_data_tree_tile(const dlz_linear *layer, dlz_linear_leaves leaves,
                                        int64_t tile, const float *dy, const float *weight,
                                        float *dx, void *scratch);

/* Rows of dW and numbers of dbias first … end − 1, which have the same bits whichever others are
 * computed. */
typedef struct dlz_linear_rows {
    int64_t first, end;
} dlz_linear_rows;

/* `dweight` and `dbias` may be NULL; `rows` NULL: all. */
int64_t dlz_linear_backward_weight_tiles(const dlz_linear *layer, const dlz_linear_rows *rows);
void dlz_linear_backward_weight_tile(const dlz_linear *layer, const dlz_linear_rows *rows,
                                     int64_t tile, const float *dy, const float *x, bool accumulate,
                                     float *dweight, float *dbias, void *scratch);

#endif
