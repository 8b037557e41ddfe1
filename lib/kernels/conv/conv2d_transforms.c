/* Convolution along rows: transforms, and the products between them. */
#include "kernels/conv/conv2d_along.h"
#include "kernels/conv/conv2d_tile.h"

#include <string.h>

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* to[i] = sum_j matrix[i][j] from[j], or with the matrix turned: of constants, so that zeros cost
 * nothing. */
DLZ_INLINE void mix(const int rows, const int columns, const bool turned, const float *matrix,
                    const dlz_v *from, dlz_v *to) {
    DLZ_UNROLL for (int i = 0; i < rows; i++) {
        bool begun = false;
        DLZ_UNROLL for (int j = 0; j < columns; j++) {
            const float factor = turned ? matrix[j * rows + i] : matrix[i * columns + j];
            if (factor == 0)
                continue;
            to[i] = begun ? to[i] + factor * from[j] : factor * from[j];
            begun = true;
        }
    }
}

/* -- Data ----------------------------------------------------------------------------------------
 */

DLZ_INLINE void transform_row(const int outputs, const int points, const float *matrix,
                              const dlz_conv2d_along *along, const float *row, float *to) {
    int64_t run = along->run, plane = along->plane;
    for (int64_t tile = 0; tile < along->tiles; tile++, row += outputs * run, to += run)
        for (int64_t e = 0; e < run; e += LANES) {
            dlz_v in[DLZ_ALONG_POINTS], out[DLZ_ALONG_POINTS];
            DLZ_UNROLL for (int j = 0; j < points; j++) in[j] = dlz_load(row + j * run + e);
            mix(points, points, false, matrix, in, out);
            /* A vector that is too long is overwritten there by the next one. */
            DLZ_UNROLL for (int q = 0; q < points; q++) dlz_store(to + q * plane + e, out[q]);
        }
}

static void transform(const dlz_conv2d_plan *plan, int64_t rows, const float *strip, float *to) {
    const dlz_conv2d_along *along = &plan->along;
    for (int64_t r = 0; r < rows; r++, strip += plan->row_floats, to += along->row_floats) {
#define TRANSFORM(m, r, n)                                                                         \
    if (along->taps == (r))                                                                        \
        transform_row(m, n, dlz_along_data_##n[0], along, strip, to);
        DLZ_ALONG_LIST(TRANSFORM)
    }
}

/* -- Forward -------------------------------------------------------------------------------------
 */

/* Tiles whose products fit beside the operands in a first-level cache. */
enum { MOST_TILES = 28 };

/* Where the tiles of a row go. */
typedef struct out_row {
    float *y;
    const float *bias;
    int64_t step, pixels; /* between pixels; of the row, from the first tile on */
    bool relu;
    int vectors, last; /* of a panel, and columns of its last vector */
} out_row;

/* One vector of a tile's outputs. */
DLZ_INLINE void turn_tile_back(const int outputs, const int points, const float *matrix,
                               const bool relu, const float *products, int64_t plane, dlz_v bias,
                               dlz_v out[]) {
    dlz_v in[DLZ_ALONG_POINTS];
    DLZ_UNROLL for (int q = 0; q < points; q++) in[q] = dlz_load(products + q * plane);
    mix(outputs, points, false, matrix, in, out);
    DLZ_UNROLL for (int i = 0; i < outputs; i++) {
        out[i] += bias;
        if (relu)
            out[i] = dlz_gated(out[i], out[i]);
    }
}

DLZ_INLINE void turn_back(const int outputs, const int points, const float *matrix, const bool relu,
                          const out_row *row, int64_t tiles, const float *products) {
    int64_t plane = tiles * PANEL, step = row->step;
    for (int j = 0; j < row->vectors; j++) {
        int count = j + 1 < row->vectors ? LANES : row->last;
        dlz_v bias = dlz_load(row->bias + j * LANES), out[DLZ_ALONG_OUTPUTS];
        const float *from = products + j * LANES;
        float *y = row->y + j * LANES;
        int64_t whole = count == LANES ? least(tiles, row->pixels / outputs) : 0, tile = 0;
        for (; tile < whole; tile++, from += PANEL, y += outputs * step) {
            turn_tile_back(outputs, points, matrix, relu, from, plane, bias, out);
            DLZ_UNROLL for (int i = 0; i < outputs; i++) dlz_store(y + i * step, out[i]);
        }
        for (; tile < tiles; tile++, from += PANEL, y += outputs * step) {
            turn_tile_back(outputs, points, matrix, relu, from, plane, bias, out);
            DLZ_UNROLL for (int i = 0; i < outputs; i++) if (tile * outputs + i < row->pixels)
                dlz_store_up_to(y + i * step, out[i], count);
        }
    }
}

static void turn_any_back(const dlz_conv2d_along *along, const out_row *row, int64_t tiles,
                          const float *products) {
#define TURN_BACK(m, r, n)                                                                         \
    if (along->taps == (r)) {                                                                      \
        if (row->relu)                                                                             \
            turn_back(m, n, dlz_along_sums_##m##_##n[0], true, row, tiles, products);              \
        else                                                                                       \
            turn_back(m, n, dlz_along_sums_##m##_##n[0], false, row, tiles, products);             \
    }
    DLZ_ALONG_LIST(TURN_BACK)
}

/* The products of some tiles of a row at one point: `row` is that of the kernel's first row. */
static void multiply_point(const dlz_conv2d_plan *plan, const dlz_conv2d_view *view,
                           const float *row, int64_t tiles, int vectors, const float *weights,
                           float *products) {
    const dlz_conv2d_along *along = &plan->along;
    int64_t taps = plan->shape.kernel[0], most = DLZ_CONV2D_DEPTH / along->run;
    int64_t parts = (tiles + ROWS_2 - 1) / ROWS_2;
    for (int64_t tap = 0; tap < taps; tap += most) {
        int64_t count = least(most, taps - tap);
        patch_walk walk = {.taps = count,
                           .run = along->run,
                           .step = view->along_tap,
                           .across = count,
                           .first = count,
                           .weights_step = vectors * LANES};
        for (int64_t part = 0; part < parts; part++) {
            int64_t tile = tiles * part / parts, rows = tiles * (part + 1) / parts - tile;
            float *c = products + tile * PANEL;
            tile_place place = {.c = c,
                                .c_step = PANEL,
                                .start = tap ? c : NULL,
                                .start_step = PANEL,
                                .last = LANES};
            DLZ_VARIANT(dlz_conv2d_tiles)
                .forward[vectors - 1][rows - 1](
                    &walk, row + tap * view->along_tap + tile * along->run, along->run,
                    weights + tap * along->run * walk.weights_step, &place);
        }
    }
}

static void forward(const dlz_conv2d_plan *plan, const dlz_conv2d_view *view,
                    dlz_conv2d_block block, const float *weights, const dlz_conv2d_output *output) {
    const dlz_conv2d_shape *s = &plan->shape;
    const dlz_conv2d_along *along = &plan->along;
    float *products = view->room;
    for (int64_t column = 0; column < s->outputs; column += PANEL) {
        int64_t left = least(PANEL, s->outputs - column);
        int vectors = left > LANES ? 2 : 1;
        const float *panel = weights + column * along->points * along->depth;
        out_row out = {.bias = output->bias + column,
                       .step = s->outputs,
                       .relu = output->relu,
                       .vectors = vectors,
                       .last = (int)(left - (vectors - 1) * LANES)};
        for (int64_t i = 0; i < block.rows; i++)
            for (int64_t tile = 0; tile < along->tiles; tile += MOST_TILES) {
                int64_t tiles = least(MOST_TILES, along->tiles - tile);
                int64_t pixel = tile * along->outputs;
                const float *row = view->along + i * view->along_line + tile * along->run;
                for (int64_t q = 0; q < along->points; q++)
                    multiply_point(plan, view, row + q * along->plane, tiles, vectors,
                                   panel + q * along->depth * vectors * LANES,
                                   products + q * tiles * PANEL);
                out.pixels = s->out_width - pixel;
                out.y = output->y + column +
                        (((block.image * s->out_height) + block.row + i) * s->out_width + pixel) *
                            s->outputs;
                turn_any_back(along, &out, tiles, products);
            }
    }
}

/* -- Gradient of the weights ---------------------------------------------------------------------
 */

/* A mixture of all pixels of a tile. */
enum { SEEN_POINT = 3 };

/* A row of the gradient to `points` rows of tiles, `plane` apart; what lies beyond its end is 0.
 * `seen` becomes the largest magnitude of one mixture, as its bits, if that is larger. */
DLZ_INLINE void transform_gradient(const int outputs, const int points, const float *matrix,
                                   const dlz_conv2d_plan *plan, const float *g, int64_t plane,
                                   float *to, dlz_vi *seen) {
    dlz_vi largest = *seen;
    int64_t columns = plan->shape.outputs, width = plan->shape.out_width;
    for (int64_t tile = 0; tile < plan->along.tiles; tile++, to += columns) {
        int64_t pixels = least(outputs, width - tile * outputs);
        const float *from = g + tile * outputs * columns;
        for (int64_t e = 0; e < columns; e += LANES) {
            dlz_v in[DLZ_ALONG_OUTPUTS], out[DLZ_ALONG_POINTS];
            if (pixels == outputs && e + LANES <= columns) {
                DLZ_UNROLL for (int i = 0; i < outputs; i++) in[i] =
                    dlz_load(from + i * columns + e);
            } else {
                DLZ_UNROLL for (int i = 0; i < outputs; i++) in[i] =
                    i < pixels ? dlz_load_up_to(from + i * columns + e, columns - e) : (dlz_v){0};
            }
            mix(points, outputs, true, matrix, in, out);
            dlz_vi size = (dlz_vi)out[SEEN_POINT] & INT32_MAX; /* as integers, NaN is above all */
            largest = (dlz_vi)dlz_select(size > largest, (dlz_v)size, (dlz_v)largest);
            DLZ_UNROLL for (int q = 0; q < points; q++) dlz_store(to + q * plane + e, out[q]);
        }
    }
    *seen = largest;
}

/* Whether mixtures of gradients of which this was seen, and their products with the data's, are
 * finite. */
static bool are_small(const dlz_conv2d_view *view, dlz_vi seen) {
    int32_t bits = 0;
    for (int lane = 0; lane < LANES; lane++)
        bits = seen[lane] > bits ? seen[lane] : bits;
    float largest;
    memcpy(&largest, &bits, sizeof largest);
    return largest <= DLZ_ALONG_LARGEST && largest * view->largest <= DLZ_ALONG_LARGEST_PRODUCT;
}

static bool add_weights(const dlz_conv2d_plan *plan, const dlz_conv2d_view *view,
                        dlz_conv2d_block block, const float *g, float *sums) {
    const dlz_conv2d_shape *s = &plan->shape;
    const dlz_conv2d_along *along = &plan->along;
    int64_t columns = s->outputs, row = (columns + LANES - 1) / LANES * LANES;
    int64_t plane = along->tiles * columns + DLZ_CONV2D_SLACK, whole = along->points * plane;
    float *room = view->room;
    dlz_vi seen = {0};
    for (int64_t i = 0; i < block.rows; i++) {
        const float *from = g + i * s->out_width * columns;
        float *to = room + i * whole;
#define TRANSFORM_GRADIENT(m, r, n)                                                                \
    if (along->taps == (r))                                                                        \
        transform_gradient(m, n, dlz_along_sums_##m##_##n[0], plan, from, plane, to, &seen);
        DLZ_ALONG_LIST(TRANSFORM_GRADIENT)
    }
    if (!are_small(view, seen))
        return false;
    pixel_walk walk = {
        .a_line = view->along_line, .g_line = whole, .a_step = along->run, .g_step = columns};
    int64_t most = DLZ_CONV2D_DEPTH / along->tiles, run = along->run;
    walk.count = least(along->tiles, DLZ_CONV2D_DEPTH);
    most = most > 0 ? most : 1;
    int64_t tiles = (run + ROWS_2 - 1) / ROWS_2;
    for (int64_t line = 0; line < block.rows; line += most)
        for (int64_t pixel = 0; pixel < along->tiles; pixel += DLZ_CONV2D_DEPTH) {
            walk.lines = least(most, block.rows - line);
            walk.count = least(DLZ_CONV2D_DEPTH, along->tiles - pixel);
            for (int64_t q = 0; q < along->points; q++)
                for (int64_t column = 0; column < columns; column += PANEL) {
                    int64_t left = least(PANEL, columns - column);
                    int vectors = left > LANES ? 2 : 1;
                    for (int64_t v = 0; v < s->kernel[0]; v++)
                        for (int64_t tile = 0; tile < tiles; tile++) {
                            int64_t k = run * tile / tiles, rows = run * (tile + 1) / tiles - k;
                            DLZ_VARIANT(dlz_conv2d_tiles)
                                .weights[vectors - 1][rows - 1](
                                    &walk,
                                    view->along + line * view->along_line + v * view->along_tap +
                                        q * along->plane + pixel * run + k,
                                    room + line * whole + q * plane + pixel * columns + column,
                                    sums + (q * along->depth + v * run + k) * row + column, row,
                                    (int)(left - (vectors - 1) * LANES));
                        }
                }
        }
    return true;
}

const dlz_along_table DLZ_VARIANT(dlz_along_kernels) = {transform, forward, add_weights};
