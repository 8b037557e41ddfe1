/* kernels/conv/conv3x3_weights.h - the weights to their frequencies, and the frequencies of their
 * gradients back to taps: in float64, so that they are rounded once. */
#ifndef DLZ_KERNELS_CONV_CONV3X3_WEIGHTS_H
#define DLZ_KERNELS_CONV_CONV3X3_WEIGHTS_H

#include "kernels/conv/conv3x3_chunk.h"

enum { FAR_FLOATS = 1 << 20 };

/* DLZ_HALF_LANES of the taps' weights to as many of each frequency. */
DLZ_INLINE void transform_half(const float taps[9][DLZ_LANES], int64_t half,
                               float frequencies[FREQUENCIES][DLZ_LANES]) {
    dlz_vd along[3][SPAN];
    DLZ_UNROLL
    for (int i = 0; i < 3; i++) {
        dlz_vd g[3];
        for (int j = 0; j < 3; j++)
            g[j] = dlz_widen(*(const dlz_vhu *)&taps[i * 3 + j][half]);
        transform_weights(g, along[i]);
    }
    DLZ_UNROLL
    for (int j = 0; j < SPAN; j++) {
        dlz_vd in[3] = {along[0][j], along[1][j], along[2][j]}, out[SPAN];
        transform_weights(in, out);
        for (int i = 0; i < SPAN; i++)
            *(dlz_vhu *)&frequencies[i * SPAN + j][half] = dlz_narrow(out[i]);
    }
}

/* The taps' weights of up to DLZ_LANES columns, zeros after them. */
DLZ_INLINE void gather_taps(const float *from, int64_t stride, int64_t count,
                            float taps[9][DLZ_LANES]) {
    if (count == DLZ_C && DLZ_LANES <= 8) { /* put together in registers */
        DLZ_UNROLL
        for (int t = 0; t < 9; t++) {
            dlz_v column;
            DLZ_UNROLL
            for (int l = 0; l < DLZ_LANES; l++)
                column[l] = from[l * stride + t];
            dlz_store(taps[t], column);
        }
        return;
    }
    for (int64_t l = 0; l < DLZ_C; l++, from += stride)
        for (int t = 0; t < 9; t++)
            taps[t][l] = l < count ? from[t] : 0;
}

/* Rows row … last − 1 of a vector of columns; in w, rows and columns lie so far apart. Both layouts
 * hold a matrix a frequency: rows are the summed channels, columns the results. `step` apart. */
static void prepare_block(const float *w, int64_t row_stride, int64_t column_stride, int64_t row,
                          int64_t last, int64_t rows, int64_t column, int64_t columns,
                          int64_t padded, float *u, int64_t step) {
    int64_t count = dlz_min_i64(DLZ_C, columns - column);
    int64_t width = panel_columns(column, padded);
    /* Matrices beyond L2: each row's lines lie in as many pages, which no prefetcher follows. */
    bool far = FREQUENCIES * step > FAR_FLOATS;
    for (int64_t r = row; r < last; r++) {
        float taps[9][DLZ_LANES], frequencies[FREQUENCIES][DLZ_LANES];
        const float *from = w + r * row_stride + column * column_stride;
        gather_taps(from, column_stride, count, taps);
        transform_half(taps, 0, frequencies);
        transform_half(taps, DLZ_HALF_LANES, frequencies);
        float *to = u + panel_place(r, rows, column, padded);
        for (int f = 0; f < FREQUENCIES; f++, to += step) {
            if (far)
                __builtin_prefetch(to + 8 * width, 1, 3);
            dlz_store(to, dlz_load(frequencies[f]));
        }
    }
}

static void prepare(const dlz_conv3x3_plan *plan, int64_t tile, const float *w,
                    float *forward_weights, float *backward_weights) {
    int64_t in = plan->shape.in_channels, out = plan->shape.out_channels;
    int64_t blocks = plan->out_padded / DLZ_C;
    int64_t c = tile / blocks * DLZ_C, k = tile % blocks * DLZ_C;
    prepare_block(w, 9, in * 9, c, dlz_min_i64(c + DLZ_C, in), in, k, out, plan->out_padded,
                  forward_weights, plan->forward_step);
    if (backward_weights)
        prepare_block(w, in * 9, 9, k, dlz_min_i64(k + DLZ_C, out), out, c, in, plan->in_padded,
                      backward_weights, plan->backward_step);
}

/* The taps of rows that were transformed along. */
DLZ_INLINE void transform_columns_back(dlz_vd along[SPAN][3], dlz_vd taps[9]) {
    for (int j = 0; j < 3; j++) {
        dlz_vd column[SPAN], result[3];
        for (int i = 0; i < SPAN; i++)
            column[i] = along[i][j];
        transform_weights_back(column, result);
        for (int i = 0; i < 3; i++)
            taps[i * 3 + j] = result[i];
    }
}

/* DLZ_HALF_LANES out channels of one in channel, taps[tap][out channel], from a run's first
 * accumulator. */
static void finish_half(const dlz_conv3x3_plan *plan, int64_t each, const float *from,
                        float *taps) {
    dlz_vd along[SPAN][3], sums[9];
    for (int i = 0; i < SPAN; i++) {
        dlz_vd row[SPAN];
        for (int j = 0; j < SPAN; j++, from += plan->forward_step) {
            dlz_vh sum = *(const dlz_vhu *)from;
            for (int64_t a = 1; a < each; a++)
                sum += *(const dlz_vhu *)(from + a * plan->accumulator_stride);
            row[j] = dlz_widen(sum);
        }
        transform_weights_back(row, along[i]);
    }
    transform_columns_back(along, sums);
    for (int tap = 0; tap < 9; tap++)
        *(dlz_vhu *)(taps + tap * DLZ_LANES) = dlz_narrow(sums[tap]);
}

/* The same where some accumulators are of taps, which come last, as they are. */
static void finish_half_of_taps(const dlz_conv3x3_plan *plan, int64_t each, const float *run,
                                int64_t place, float *taps) {
    dlz_vd along[SPAN][3], sums[9];
    for (int i = 0; i < SPAN; i++) {
        dlz_vd row[SPAN];
        for (int j = 0; j < SPAN; j++) {
            row[j] = (dlz_vd){0};
            for (int64_t a = 0; a < each; a++) {
                const float *from = run + a * plan->accumulator_stride;
                int64_t at = (i * SPAN + j) * plan->forward_step + place;
                if (!is_of_taps(plan, from))
                    row[j] += dlz_widen(*(const dlz_vhu *)(from + at));
            }
        }
        transform_weights_back(row, along[i]);
    }
    transform_columns_back(along, sums);
    for (int tap = 0; tap < 9; tap++) {
        for (int64_t a = 0; a < each; a++) {
            const float *from = run + a * plan->accumulator_stride;
            if (is_of_taps(plan, from))
                sums[tap] += dlz_widen(*(const dlz_vhu *)(from + tap * plan->forward_step + place));
        }
        *(dlz_vhu *)(taps + tap * DLZ_LANES) = dlz_narrow(sums[tap]);
    }
}

/* An accumulator's numbers of one channel lie in as many pages as there are frequencies, which no
 * prefetcher follows. */
enum { FINISH_AHEAD = 6 };

DLZ_INLINE void fetch_frequencies(const dlz_conv3x3_plan *plan, int64_t each,
                                  const float *accumulators, int64_t first, int64_t last, int64_t c,
                                  int64_t k) {
    if (c >= last) { /* of the next run */
        accumulators += each * plan->accumulator_stride;
        c = dlz_min_i64(c - last + first, last - 1);
    }
    const float *from = accumulators + panel_place(c, plan->shape.in_channels, k, plan->out_padded);
    for (int f = 0; f < FREQUENCIES; f++, from += plan->forward_step)
        __builtin_prefetch(from, 0, 3);
}

static void transform_run(const dlz_conv3x3_plan *plan, const float *accumulators, int64_t first,
                          int64_t last, int64_t k, float *taps) {
    int64_t in = plan->shape.in_channels, each = plan->accumulators / plan->sums;
    bool of_taps = false;
    for (int64_t a = 0; a < each; a++)
        of_taps |= is_of_taps(plan, accumulators + a * plan->accumulator_stride);
    for (int64_t c = first; c < last; c++, taps += 9 * DLZ_LANES) {
        int64_t place = panel_place(c, in, k, plan->out_padded);
        const float *from = accumulators + place;
        for (int64_t half = 0; of_taps && half < DLZ_C; half += DLZ_HALF_LANES)
            finish_half_of_taps(plan, each, accumulators, place + half, taps + half);
        if (of_taps)
            continue;
        fetch_frequencies(plan, each, accumulators, first, last, c + FINISH_AHEAD, k);
        for (int64_t half = 0; half < DLZ_C; half += DLZ_HALF_LANES)
            finish_half(plan, each, from + half, taps + half);
    }
}

static void finish(const dlz_conv3x3_plan *plan, int64_t tile, const float *accumulators, float *dw,
                   float *db) {
    finish_tile(plan, tile, accumulators, dw, db, transform_run);
}

#endif
