#include "kernels/gemm/gemm_linear.h"

#include "base/base.h"
#include "kernels/gemm/gemm_finish.h"

/* Forward, a tile needs the whole of its rows of X and of W: few outputs, for many tiles. Backward,
 * a tile's columns are packed once for all its rows: runs of 1 KiB, and rows enough to pay for it.
 */
enum { FORWARD_ROWS = 256, FORWARD_COLUMNS = 32, BACKWARD_ROWS = 256, BACKWARD_COLUMNS = 256 };
enum { PACKED_ROWS = 256, PACKED_COLUMNS = 128 };

typedef dlz_linear_block block;

static int64_t block_count(int64_t rows, int64_t columns, int64_t most_rows, int64_t most_columns) {
    return dlz_ceil_div(rows, most_rows) * dlz_ceil_div(columns, most_columns);
}

static block block_of(int64_t tile, int64_t rows, int64_t columns, int64_t most_rows,
                      int64_t most_columns) {
    int64_t across = dlz_ceil_div(columns, most_columns);
    block part = {.row = tile / across * most_rows, .column = tile % across * most_columns};
    part.rows = dlz_min_i64(most_rows, rows - part.row);
    part.columns = dlz_min_i64(most_columns, columns - part.column);
    return part;
}

int64_t dlz_linear_forward_tiles(const dlz_linear *layer) {
    return block_count(layer->batch, layer->outputs, FORWARD_ROWS, FORWARD_COLUMNS);
}

dlz_linear_block dlz_linear_forward_block(const dlz_linear *layer, int64_t tile) {
    return block_of(tile, layer->batch, layer->outputs, FORWARD_ROWS, FORWARD_COLUMNS);
}

/* The product of a tile but for its weights, and what becomes of it. */
static dlz_gemm product_of(const dlz_linear *layer, const block *part, const float *x,
                           const dlz_linear_end *end, float *y) {
    return (dlz_gemm){.m = part->rows,
                      .n = part->columns,
                      .k = layer->inputs,
                      .a = x + part->row * layer->inputs,
                      .lda = layer->inputs,
                      .c = y + part->row * layer->outputs + part->column,
                      .ldc = layer->outputs,
                      .bias = end->bias && !end->scale ? end->bias + part->column : NULL};
}

static void finish(const dlz_linear_end *end, const block *part, const dlz_gemm *product) {
    if (end->scale || end->relu)
        dlz_gemm_finish_kernels()->finish(
            part->rows, part->columns, end->scale ? end->scale + part->column : NULL,
            end->scale ? end->bias + part->column : NULL, end->relu, product->c, product->ldc);
}

void dlz_linear_forward_tile(const dlz_linear *layer, int64_t tile, const float *x,
                             const float *weight, const dlz_linear_end *end, float *y,
                             void *scratch) {
    block part = dlz_linear_forward_block(layer, tile);
    dlz_gemm product = product_of(layer, &part, x, end, y);
    product.b = weight + part.column * layer->inputs;
    product.ldb = layer->inputs;
    product.transpose_b = true;
    dlz_gemm_kernels()->gemm(&product, scratch);
    finish(end, &part, &product);
}

/* Packed columns of a tile: several panels, but not so many that few threads have work. */
static int64_t packed_columns(const dlz_linear *layer) {
    int64_t quarter = layer->outputs / 4 / FORWARD_COLUMNS * FORWARD_COLUMNS;
    return dlz_max_i64(FORWARD_COLUMNS, dlz_min_i64(quarter, PACKED_COLUMNS));
}

size_t dlz_linear_packed_size(const dlz_linear *layer) {
    return dlz_gemm_kernels()->packed_size(layer->inputs, layer->outputs);
}

int64_t dlz_linear_pack_tiles(const dlz_linear *layer) {
    return dlz_ceil_div(layer->outputs, packed_columns(layer));
}

void dlz_linear_pack_tile(const dlz_linear *layer, int64_t tile, const float *weight,
                          float *packed) {
    int64_t column = tile * packed_columns(layer);
    dlz_gemm_kernels()->pack(
        &(dlz_gemm){.n = dlz_min_i64(packed_columns(layer), layer->outputs - column),
                    .k = layer->inputs,
                    .b = weight + column * layer->inputs,
                    .ldb = layer->inputs,
                    .transpose_b = true},
        packed + column * layer->inputs);
}

int64_t dlz_linear_packed_tiles(const dlz_linear *layer) {
    return block_count(layer->batch, layer->outputs, PACKED_ROWS, packed_columns(layer));
}

dlz_linear_block dlz_linear_packed_block(const dlz_linear *layer, int64_t tile) {
    return block_of(tile, layer->batch, layer->outputs, PACKED_ROWS, packed_columns(layer));
}

void dlz_linear_packed_tile(const dlz_linear *layer, int64_t tile, const float *x,
                            const float *packed, const dlz_linear_end *end, float *y,
                            void *scratch) {
    block part = dlz_linear_packed_block(layer, tile);
    dlz_gemm product = product_of(layer, &part, x, end, y);
    dlz_gemm_kernels()->gemm_packed(&product, packed + part.column * layer->inputs, scratch);
    finish(end, &part, &product);
}

int64_t dlz_linear_backward_data_tiles(const dlz_linear *layer) {
    return block_count(layer->batch, layer->inputs, BACKWARD_ROWS, BACKWARD_COLUMNS);
}

void dlz_linear_backward_data_tile(const dlz_linear *layer, int64_t tile, const float *dy,
                                   const float *weight, bool accumulate, float *dx, void *scratch) {
    block part = block_of(tile, layer->batch, layer->inputs, BACKWARD_ROWS, BACKWARD_COLUMNS);
    dlz_gemm_kernels()->gemm(&(dlz_gemm){.m = part.rows,
                                         .n = part.columns,
                                         .k = layer->outputs,
                                         .a = dy + part.row * layer->outputs,
                                         .lda = layer->outputs,
                                         .b = weight + part.column,
                                         .ldb = layer->inputs,
                                         .c = dx + part.row * layer->inputs + part.column,
                                         .ldc = layer->inputs,
                                         .accumulate = accumulate},
                             scratch);
}

int64_t dlz_linear_backward_weight_tiles(const dlz_linear *layer, const dlz_linear_rows *rows) {
    int64_t count = rows ? rows->end - rows->first : layer->outputs;
    return block_count(count, layer->inputs, BACKWARD_ROWS, BACKWARD_COLUMNS);
}

/* Sums of columns of dY, row by row so that memory is read in order. */
static void bias_gradient(const dlz_linear *layer, const block *part, const float *dy,
                          bool accumulate, float *dbias) {
    double sums[BACKWARD_ROWS];
    for (int64_t j = 0; j < part->rows; j++)
        sums[j] = accumulate ? (double)dbias[part->row + j] : 0.0;
    for (int64_t i = 0; i < layer->batch; i++) {
        const float *row = dy + i * layer->outputs + part->row;
        for (int64_t j = 0; j < part->rows; j++)
            sums[j] += (double)row[j];
    }
    for (int64_t j = 0; j < part->rows; j++)
        dbias[part->row + j] = (float)sums[j];
}

void dlz_linear_backward_weight_tile(const dlz_linear *layer, const dlz_linear_rows *rows,
                                     int64_t tile, const float *dy, const float *x, bool accumulate,
                                     float *dweight, float *dbias, void *scratch) {
    int64_t first = rows ? rows->first : 0, count = rows ? rows->end - first : layer->outputs;
    block part = block_of(tile, count, layer->inputs, BACKWARD_ROWS, BACKWARD_COLUMNS);
    part.row += first;
    if (dbias && part.column == 0)
        bias_gradient(layer, &part, dy, accumulate, dbias);
    if (!dweight)
        return;
    dlz_gemm_kernels()->gemm(&(dlz_gemm){.m = part.rows,
                                         .n = part.columns,
                                         .k = layer->batch,
                                         .a = dy + part.row,
                                         .lda = layer->outputs,
                                         .transpose_a = true,
                                         .b = x + part.column,
                                         .ldb = layer->inputs,
                                         .c = dweight + part.row * layer->inputs + part.column,
                                         .ldc = layer->inputs,
                                         .accumulate = accumulate},
                             scratch);
}
