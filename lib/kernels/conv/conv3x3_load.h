/* kernels/conv/conv3x3_load.h - how convolution kernels read their operands (batch norm and relu
 * fused into the load) and write their results. Channels come in vectors; the last one may be
 * partial. */
#ifndef DLZ_KERNELS_CONV_CONV3X3_LOAD_H
#define DLZ_KERNELS_CONV_CONV3X3_LOAD_H

#include "isa/isa.h"
#include "kernels/conv/conv3x3.h"
#include "kernels/conv/pairs.h"
#include "kernels/nn/moments.h"
#include "kernels/nn/window.h"

#define DLZ_C ((int64_t)DLZ_LANES)

/* The first `count` lanes, the others 0. `whole` is a constant: with it count is DLZ_LANES. */
DLZ_INLINE dlz_v load_lanes(const float *from, bool whole, int64_t count) {
    return whole ? dlz_load(from) : dlz_load_first(from, (int)count);
}

DLZ_INLINE void store_lanes(float *to, dlz_v value, bool whole, int64_t count) {
    if (whole)
        dlz_store(to, value);
    else
        dlz_store_first(to, value, (int)count);
}

enum { READ_PLAIN, READ_AFFINE, READ_AFFINE_RELU, READ_RELU };

static inline int input_mode(const dlz_conv3x3_input *input) {
    return input->scale ? (input->relu ? READ_AFFINE_RELU : READ_AFFINE)
                        : (input->relu ? READ_RELU : READ_PLAIN);
}

/* Memory that the next phase will touch: fetched into L2 a share at a time while products are
 * computed, which hides the latency that strided walks would pay. */
typedef struct fetch {
    const float *next, *end;
    int64_t share;
} fetch;

static inline fetch fetch_start(const float *from, int64_t floats, int64_t shares) {
    if (floats < 0)
        floats = 0;
    return (fetch){from, from + floats, (floats / 16 + shares) / shares};
}

static inline void fetch_share(fetch *f) {
    for (int64_t i = 0; i < f->share && f->next < f->end; i++, f->next += 16)
        __builtin_prefetch(f->next, 0, 2);
}

typedef struct input_lanes {
    dlz_v scale, shift;
} input_lanes;

DLZ_INLINE input_lanes input_channels(const dlz_conv3x3_input *input, int64_t c, bool whole,
                                      int64_t count) {
    input_lanes lanes = {0};
    if (input->scale) {
        lanes.scale = load_lanes(input->scale + c, whole, count);
        lanes.shift = load_lanes(input->shift + c, whole, count);
    }
    return lanes;
}

DLZ_INLINE dlz_v apply_input(dlz_v value, input_lanes lanes, int mode) {
    if (mode == READ_AFFINE || mode == READ_AFFINE_RELU)
        value = dlz_fma(value, lanes.scale, lanes.shift);
    if (mode == READ_RELU || mode == READ_AFFINE_RELU)
        value = dlz_rectify(value);
    return value;
}

enum { GRADIENT_PLAIN, GRADIENT_NORM, GRADIENT_NORM_RELU, GRADIENT_POOLED };

static inline int gradient_mode(const dlz_conv3x3_gradient *gradient) {
    if (!gradient->z)
        return GRADIENT_PLAIN;
    if (gradient->codes)
        return GRADIENT_POOLED;
    return gradient->relu ? GRADIENT_NORM_RELU : GRADIENT_NORM;
}

typedef struct gradient_lanes {
    dlz_v scale, shift, a, b, center, d;
} gradient_lanes;

DLZ_INLINE gradient_lanes gradient_channels(const dlz_conv3x3_gradient *gradient, int64_t k,
                                            bool whole, int64_t count) {
    gradient_lanes lanes = {0};
    if (gradient->z) {
        lanes.a = load_lanes(gradient->a + k, whole, count);
        lanes.b = load_lanes(gradient->b + k, whole, count);
        lanes.center = load_lanes(gradient->center + k, whole, count);
        lanes.d = load_lanes(gradient->d + k, whole, count);
        if (gradient->relu && !gradient->codes) {
            lanes.scale = load_lanes(gradient->scale + k, whole, count);
            lanes.shift = load_lanes(gradient->shift + k, whole, count);
        }
    }
    return lanes;
}

/* dy where the code of its window is `place`, 0 elsewhere. */
DLZ_INLINE dlz_v read_pooled(const dlz_conv3x3_gradient *gradient, int64_t window, int place,
                             bool whole, int64_t count) {
    typedef uint8_t bytes __attribute__((vector_size(DLZ_LANES), aligned(1), may_alias));
    dlz_v g = load_lanes(gradient->dy + window, whole, count);
    uint8_t some[DLZ_LANES] = {0};
    for (int64_t i = 0; !whole && i < count; i++)
        some[i] = gradient->codes[window + i];
    const uint8_t *codes = whole ? gradient->codes + window : some;
    dlz_vi code = __builtin_convertvector(*(const bytes *)codes, dlz_vi);
    return (dlz_v)((dlz_vi)g & (code == place));
}

/* G at `index`. When pooled, `window` is where its window's dy and code lie (negative for a pixel
 * in no window) and `place` its place there. */
DLZ_INLINE dlz_v read_gradient(const dlz_conv3x3_gradient *gradient, int64_t index, int64_t window,
                               int place, gradient_lanes lanes, int mode, bool whole,
                               int64_t count) {
    dlz_v g = {0};
    if (mode != GRADIENT_POOLED)
        g = load_lanes(gradient->dy + index, whole, count);
    else if (window >= 0)
        g = read_pooled(gradient, window, place, whole, count);
    if (mode == GRADIENT_PLAIN)
        return g;
    dlz_v z = load_lanes(gradient->z + index, whole, count);
    if (mode == GRADIENT_NORM_RELU)
        g = dlz_gated(g, dlz_fma(z, lanes.scale, lanes.shift));
    return dlz_fma(lanes.a, g, dlz_fma(lanes.b, z - lanes.center, lanes.d));
}

/* What forward does to a vector of outputs, with the running sums for the batch norm. */
typedef struct output_lanes {
    dlz_v bias, pivot, sum, squares;
    dlz_winner winner;
} output_lanes;

/* `pivots`: one of each channel's values in the tile, whole vectors of them; NULL without stats. */
DLZ_INLINE output_lanes output_channels(const dlz_conv3x3_output *output, const float *pivots,
                                        int64_t k, bool whole, int64_t count) {
    output_lanes lanes = {0};
    if (output->bias)
        lanes.bias = load_lanes(output->bias + k, whole, count);
    if (pivots)
        lanes.pivot = dlz_load(pivots + k);
    if (output->pooled && output->pool_sign)
        lanes.winner = dlz_winner_after(load_lanes(output->pool_sign + k, whole, count));
    return lanes;
}

/* The sums are those of three pixels, before the bias: the middle one is no outlier. */
DLZ_INLINE void store_pivots(const dlz_conv3x3_output *output, int64_t k, bool whole, int64_t count,
                             const dlz_v sums[3], float *pivots) {
    dlz_vi swapped = (dlz_vi)(sums[0] > sums[1]);
    dlz_v low = dlz_select(swapped, sums[1], sums[0]), high = dlz_select(swapped, sums[0], sums[1]);
    dlz_v sum = dlz_select((dlz_vi)(sums[2] < high), sums[2], high);
    sum = dlz_select((dlz_vi)(sum < low), low, sum);
    if (output->bias)
        sum += load_lanes(output->bias + k, whole, count);
    dlz_store(pivots + k, sum);
}

/* Returns what it stores. */
DLZ_INLINE dlz_v write_output(const dlz_conv3x3_output *output, int64_t index, dlz_v value,
                              output_lanes *lanes, bool stats, bool relu, bool stores, bool whole,
                              int64_t count) {
    value += lanes->bias;
    if (stats) {
        dlz_v centered = value - lanes->pivot;
        lanes->sum += centered;
        lanes->squares = dlz_fma(centered, centered, lanes->squares);
    }
    if (relu)
        value = dlz_rectify(value);
    if (stores)
        store_lanes(output->y + index, value, whole, count);
    return value;
}

DLZ_INLINE void write_pooled(const dlz_conv3x3_output *output, int64_t index, const dlz_v window[4],
                             dlz_winner winner, bool whole, int64_t count) {
    typedef uint8_t bytes __attribute__((vector_size(DLZ_LANES), aligned(1), may_alias));
    dlz_vi code = {0};
    dlz_v best = dlz_window_winner(window, winner, &code);
    store_lanes(output->pooled + index, best, whole, count);
    if (!output->codes)
        return;
    if (whole)
        *(bytes *)(output->codes + index) = __builtin_convertvector(code, bytes);
    else
        for (int64_t i = 0; i < count; i++)
            output->codes[index + i] = (uint8_t)code[i];
}

static inline void add_lanes(double *sums, dlz_v value, int64_t count) {
    float lanes[DLZ_LANES];
    dlz_store(lanes, value);
    for (int64_t i = 0; i < count; i++)
        sums[i] += lanes[i];
}

/* A block of moments, the channels first … end − 1 of it cleared; NULL when they are not wanted. */
static inline double *start_moments(const dlz_conv3x3_output *output, int64_t index,
                                    int64_t channels, int64_t first, int64_t end) {
    if (!output->stats)
        return NULL;
    double *block = output->stats + index * dlz_moments_size(channels);
    for (int64_t c = first; c < end; c++)
        block[1 + c] = block[1 + channels + c] = 0;
    return block;
}

/* The bias's gradient: the sum of what lies behind each accumulator of a run, and of runs by pairs. */
static inline void finish_bias(const dlz_conv3x3_plan *plan, const float *accumulators, float *db) {
    int64_t each = plan->accumulators / plan->sums, stride = plan->accumulator_stride;
    accumulators += plan->forward_weight_floats;
    for (int64_t k = 0; k < plan->shape.out_channels; k++) {
        float runs[DLZ_CONV3X3_SUMS];
        for (int64_t run = 0; run < plan->sums; run++) {
            double sum = 0;
            for (int64_t a = 0; a < each; a++)
                sum += accumulators[(run * each + a) * stride + k];
            runs[run] = (float)sum;
        }
        for (int64_t step = 1; step < plan->sums; step *= 2)
            for (int64_t i = 0; i + step < plan->sums; i += 2 * step)
                runs[i] += runs[i + step];
        db[k] = runs[0];
    }
}

/* What a run of accumulators comes to, of the in channels first … last − 1 and a vector of out
 * channels from k on: [in channel][tap][out channel]. */
typedef void finish_run(const dlz_conv3x3_plan *plan, const float *accumulators, int64_t first,
                        int64_t last, int64_t k, float *taps);

DLZ_INLINE void finish_tile(const dlz_conv3x3_plan *plan, int64_t tile, const float *accumulators,
                            float *dw, float *db, finish_run *run) {
    int64_t in = plan->shape.in_channels, blocks = plan->out_padded / DLZ_C;
    int64_t first = tile / blocks * DLZ_C, k = tile % blocks * DLZ_C;
    int64_t last = dlz_min_i64(first + DLZ_C, in), size = (last - first) * 9 * DLZ_LANES;
    int64_t step = plan->accumulators / plan->sums * plan->accumulator_stride;
    float taps[PAIRS_WAITING * DLZ_C * 9 * DLZ_LANES];
    int waiting = 0;
    for (int64_t i = 0; dw && i < plan->sums; i++) {
        run(plan, accumulators + i * step, first, last, k, taps + waiting * size);
        waiting = pairs_add(taps, size, waiting + 1, i, plan->sums);
    }
    if (dw)
        pairs_write(taps, DLZ_LANES, (last - first) * 9,
                    dlz_min_i64(DLZ_C, plan->shape.out_channels - k), dw + (k * in + first) * 9,
                    in * 9);
    if (tile == 0 && db)
        finish_bias(plan, accumulators, db);
}

/* What backward does to a vector of dx. */
typedef struct dx_lanes {
    input_lanes input;
    dlz_v pivot, sum, products;
} dx_lanes;

DLZ_INLINE dx_lanes dx_channels(const dlz_conv3x3_input *input,
                                const dlz_conv3x3_input_gradient *gradient, int64_t c, bool whole,
                                int64_t count) {
    dx_lanes lanes = {.input = input_channels(input, c, whole, count)};
    if (gradient->sums && gradient->pivot)
        lanes.pivot = load_lanes(gradient->pivot + c, whole, count);
    return lanes;
}

/* `reads` is a constant: whether a relu or sums make the input's own value necessary. */
DLZ_INLINE void write_dx(const dlz_conv3x3_input *input, const dlz_conv3x3_input_gradient *gradient,
                         int64_t index, dlz_v value, dx_lanes *lanes, bool reads, bool whole,
                         int64_t count) {
    if (reads) {
        dlz_v z = load_lanes(input->data + index, whole, count);
        if (input->relu) {
            dlz_v h = input->scale ? dlz_fma(z, lanes->input.scale, lanes->input.shift) : z;
            value = dlz_gated(value, h);
        }
        lanes->sum += value;
        lanes->products += value * (z - lanes->pivot);
    }
    store_lanes(gradient->dx + index, value, whole, count);
}

#endif
