/* kernels/conv/conv2d_tile.h - what a core computes without leaving its registers: private to
 * the sources of conv2d. */
#ifndef DLZ_KERNELS_CONV_CONV2D_TILE_H
#define DLZ_KERNELS_CONV_CONV2D_TILE_H

#include "isa/isa.h"

#include <stdbool.h>

/* Rows of a tile with one vector of columns and with two: as many sums as the registers hold beside
 * the operands. */
#if DLZ_LANES == 16
enum { ROWS_1 = 14, ROWS_2 = 14 };
#elif DLZ_REGISTERS == 32
enum { ROWS_1 = 12, ROWS_2 = 12 };
#else
enum { ROWS_1 = 12, ROWS_2 = 6 };
#endif
enum { LANES = DLZ_LANES, PANEL = 2 * DLZ_LANES, MOST_STREAMS = 4 };

/* How a patch lies in memory: `taps` runs of `run` floats, each `step` after the one before, but
 * `jump` after every `across`-th of a row; the first row may have only `first` left. */
typedef struct patch_walk {
    int64_t taps, run, step, jump, across, first;
    int64_t weights_step; /* floats of the weights from one number of a patch to the next */
} patch_walk;

/* Where a tile's results go, and what they are added to: NULL for nothing, a step of 0 for a bias.
 */
typedef struct tile_place {
    float *c;
    int64_t c_step;
    const float *start;
    int64_t start_step;
    bool relu;
    int last; /* columns of the last vector */
} tile_place;

/* Pixels in lines: `lines` of `count`, and the steps between them in the input and the gradient. */
typedef struct pixel_walk {
    int64_t lines, count, a_line, g_line, a_step, g_step;
} pixel_walk;

typedef void forward_fn(const patch_walk *walk, const float *a, int64_t a_step,
                        const float *weights, const tile_place *place);
typedef void weights_fn(const pixel_walk *walk, const float *a, const float *g, float *sums,
                        int64_t step, int last);

/* Tiles of every size, [vectors - 1][rows - 1]. */
typedef struct conv2d_tiles {
    forward_fn *forward[2][ROWS_1];
    weights_fn *weights[2][ROWS_1];
} conv2d_tiles;
extern const conv2d_tiles DLZ_VARIANT(dlz_conv2d_tiles);

/* `rows` pixels, a_step apart, times `vectors` vectors of columns. */
DLZ_INLINE void forward_tile(const int rows, const int vectors, const patch_walk *walk,
                             const float *a, int64_t a_step, const float *weights,
                             const tile_place *place) {
    dlz_v sum[ROWS_1][2];
    DLZ_UNROLL for (int i = 0; i < rows; i++) {
        DLZ_UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = (dlz_v){0};
    }
    int64_t left = walk->first;
    for (int64_t tap = 0; tap < walk->taps; tap++) {
        const float *at = a;
        for (int64_t p = 0; p < walk->run; p++, at++) {
            dlz_v row[2];
            DLZ_UNROLL for (int j = 0; j < vectors; j++) row[j] = dlz_load(weights + j * LANES);
            DLZ_UNROLL for (int i = 0; i < rows; i++) {
                dlz_v value = dlz_splat(at[i * a_step]);
                DLZ_UNROLL for (int j = 0; j < vectors; j++) sum[i][j] =
                    dlz_fma(value, row[j], sum[i][j]);
            }
            weights += walk->weights_step;
        }
        a += walk->step;
        if (--left == 0) {
            left = walk->across;
            a += walk->jump;
        }
    }
    const float *start = place->start;
    float *c = place->c;
    DLZ_UNROLL for (int i = 0; i < rows; i++) {
        DLZ_UNROLL for (int j = 0; j < vectors; j++) {
            bool whole = j + 1 < vectors || place->last == LANES;
            if (start)
                sum[i][j] += whole ? dlz_load(start + j * LANES)
                                   : dlz_load_first(start + j * LANES, place->last);
            if (place->relu)
                sum[i][j] = (dlz_v)((dlz_vi)sum[i][j] & ~(dlz_vi)(sum[i][j] <= (dlz_v){0}));
            if (whole)
                dlz_store(c + j * LANES, sum[i][j]);
            else
                dlz_store_first(c + j * LANES, sum[i][j], place->last);
        }
        c += place->c_step;
        start = start ? start + place->start_step : NULL;
    }
}

/* Sums over pixels of `rows` neighboring numbers of a patch times `vectors` vectors of the
 * gradient, added to sums[row * step]. Few sums would wait for each other: then `streams`
 * neighboring pixels have sums of their own. Of the last vector, `last` columns are added. */
DLZ_INLINE void weights_tile(const int rows, const int vectors, const int streams,
                             const pixel_walk *walk, const float *a, const float *g, float *sums,
                             int64_t step, int last) {
    dlz_v sum[MOST_STREAMS][ROWS_1][2];
    DLZ_UNROLL for (int s = 0; s < streams; s++) {
        DLZ_UNROLL for (int i = 0; i < rows; i++) {
            DLZ_UNROLL for (int j = 0; j < vectors; j++) sum[s][i][j] = (dlz_v){0};
        }
    }
    int64_t a_step = walk->a_step, g_step = walk->g_step;
    for (int64_t line = 0; line < walk->lines; line++) {
        const float *pixel = a + line * walk->a_line, *gradient = g + line * walk->g_line;
        int64_t p = 0;
        for (; p + streams <= walk->count; p += streams) {
            DLZ_UNROLL for (int s = 0; s < streams; s++) {
                dlz_v row[2];
                /* What the next tile down and the next one across begin with. */
                __builtin_prefetch(pixel + 2 * LANES - 1);
                __builtin_prefetch(gradient + 2 * LANES);
                __builtin_prefetch(gradient + 3 * LANES);
                DLZ_UNROLL for (int j = 0; j < vectors; j++) row[j] =
                    dlz_load(gradient + j * LANES);
                DLZ_UNROLL for (int i = 0; i < rows; i++) {
                    dlz_v value = dlz_splat(pixel[i]);
                    DLZ_UNROLL for (int j = 0; j < vectors; j++) sum[s][i][j] =
                        dlz_fma(value, row[j], sum[s][i][j]);
                }
                pixel += a_step;
                gradient += g_step;
            }
        }
        for (; streams > 1 && p < walk->count; p++, pixel += a_step, gradient += g_step) {
            DLZ_UNROLL for (int j = 0; j < vectors; j++) {
                dlz_v row = dlz_load(gradient + j * LANES);
                DLZ_UNROLL for (int i = 0; i < rows; i++) sum[0][i][j] =
                    dlz_fma(dlz_splat(pixel[i]), row, sum[0][i][j]);
            }
        }
    }
    DLZ_UNROLL for (int i = 0; i < rows; i++) {
        DLZ_UNROLL for (int j = 0; j < vectors; j++) {
            dlz_v total = sum[0][i][j];
            DLZ_UNROLL for (int s = 1; s < streams; s++) total += sum[s][i][j];
            float *to = sums + i * step + j * LANES;
            if (j + 1 < vectors || last == LANES)
                dlz_store(to, dlz_load(to) + total);
            else
                dlz_store_first(to, dlz_load_first(to, last) + total, last);
        }
    }
}

#endif
