#include "kernels/nn/resample.h"
#include "isa/isa.h"

/* Vectors of channels summed together. */
#define GROUPS 4

/* The taps of one pixel. */
typedef struct pixel_taps {
    const dlz_tap *row, *row_end, *column, *column_end;
    int64_t row_size; /* floats from one row of the source to the next */
    int64_t channels;
    float divisor;
} pixel_taps;

/* Some channels of one pixel: `groups` vectors, which stay in registers, the last of `left` floats.
 */
DLZ_INLINE void sum_part(const pixel_taps *taps, const float *in, int groups, int left,
                         float *out) {
    dlz_v total[GROUPS] = {0};
    for (const dlz_tap *row = taps->row; row < taps->row_end; row++) {
        const float *line = in + row->at * taps->row_size;
        dlz_v sum[GROUPS], weight = dlz_splat(taps->column->weight);
        const float *from = line + taps->column->at * taps->channels;
        for (int g = 0; g < groups; g++)
            sum[g] = weight * dlz_load_up_to(from + g * DLZ_LANES, left);
        for (const dlz_tap *tap = taps->column + 1; tap < taps->column_end; tap++) {
            from = line + tap->at * taps->channels;
            weight = dlz_splat(tap->weight);
            for (int g = 0; g < groups; g++)
                sum[g] = dlz_fma(weight, dlz_load_up_to(from + g * DLZ_LANES, left), sum[g]);
        }
        /* The first is not added to 0, which would lose the sign of another 0. */
        weight = dlz_splat(row->weight);
        for (int g = 0; g < groups; g++)
            total[g] = row == taps->row ? weight * sum[g] : dlz_fma(weight, sum[g], total[g]);
    }
    for (int g = 0; g < groups; g++) {
        if (taps->divisor != 1)
            total[g] /= dlz_splat(taps->divisor);
        dlz_store_up_to(out + g * DLZ_LANES, total[g], left);
    }
}

static void sum_pixel(const pixel_taps *taps, const float *in, float *out) {
    int64_t channels = taps->channels, c = 0;
    for (; c + GROUPS * DLZ_LANES <= channels; c += GROUPS * DLZ_LANES)
        sum_part(taps, in + c, GROUPS, DLZ_LANES, out + c);
    for (; c + DLZ_LANES <= channels; c += DLZ_LANES)
        sum_part(taps, in + c, 1, DLZ_LANES, out + c);
    if (c < channels)
        sum_part(taps, in + c, 1, (int)(channels - c), out + c);
}

static float divisor_of(const dlz_axis *axis, int64_t place) {
    return axis->divisors ? axis->divisors[place] : 1;
}

static void rows(const dlz_resample *resample, const float *in, int64_t first, int64_t end,
                 float *out) {
    const dlz_axis *rows = &resample->rows, *columns = &resample->columns;
    int64_t channels = resample->channels;
    pixel_taps taps = {.row_size = resample->in_width * channels, .channels = channels};
    out += first * resample->out_width * channels;
    for (int64_t y = first; y < end; y++) {
        taps.row = rows->taps + rows->first[y];
        taps.row_end = rows->taps + rows->first[y + 1];
        for (int64_t x = 0; x < resample->out_width; x++, out += channels) {
            taps.column = columns->taps + columns->first[x];
            taps.column_end = columns->taps + columns->first[x + 1];
            taps.divisor = divisor_of(rows, y) * divisor_of(columns, x);
            if (taps.row < taps.row_end && taps.column < taps.column_end)
                sum_pixel(&taps, in, out);
            else
                for (int64_t c = 0; c < channels; c++)
                    out[c] = resample->empty;
        }
    }
}

const dlz_resample_table DLZ_VARIANT(dlz_resample_kernel) = {rows};
