#include "kernels/nn/resample.h"
#include "isa/isa.h"

#include <stdbool.h>

/* Vectors of channels summed together. */
#define GROUPS 4
/* With as few channels as this, vectors are laid over a whole row, of so many floats at most. */
#define FEW 3
#define LINE 4096

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

/* The source's rows that a row is made of, summed: from the source itself if it is one as it is. */
static const float *sum_lines(const pixel_taps *taps, const float *in, float *line) {
    const dlz_tap *first = taps->row;
    int64_t size = taps->row_size;
    if (first + 1 == taps->row_end && first->weight == 1)
        return in + first->at * size;
    for (const dlz_tap *row = first; row < taps->row_end; row++) {
        const float *from = in + row->at * size;
        dlz_v weight = dlz_splat(row->weight);
        for (int64_t i = 0; i < size; i += DLZ_LANES) {
            dlz_v value = dlz_load_up_to(from + i, size - i);
            /* The line has room for whole vectors. */
            dlz_store(line + i,
                      row == first ? weight * value : dlz_fma(weight, value, dlz_load(line + i)));
        }
    }
    return line;
}

/* Compiled for each number of channels. */
DLZ_INLINE void sum_columns(const dlz_resample *resample, const float *line, int channels,
                            float row_divisor, float *out) {
    const dlz_axis *columns = &resample->columns;
    for (int64_t x = 0; x < resample->out_width; x++, out += channels) {
        const dlz_tap *tap = columns->taps + columns->first[x];
        const dlz_tap *end = columns->taps + columns->first[x + 1];
        float sum[FEW], divisor = row_divisor * divisor_of(columns, x);
        for (int c = 0; c < channels; c++)
            sum[c] = tap < end ? tap->weight * line[tap->at * channels + c] : resample->empty;
        if (tap == end)
            divisor = 1;
        else
            tap++;
        for (; tap < end; tap++)
            for (int c = 0; c < channels; c++)
                sum[c] += tap->weight * line[tap->at * channels + c];
        for (int c = 0; c < channels; c++)
            out[c] = divisor != 1 ? sum[c] / divisor : sum[c];
    }
}

static void few_channels_row(const dlz_resample *resample, const pixel_taps *taps, const float *in,
                             float row_divisor, float *out) {
    float room[LINE + DLZ_LANES];
    const float *line = sum_lines(taps, in, room);
    if (taps->channels == 1)
        sum_columns(resample, line, 1, row_divisor, out);
    else if (taps->channels == 2)
        sum_columns(resample, line, 2, row_divisor, out);
    else
        sum_columns(resample, line, 3, row_divisor, out);
}

static void row_of_pixels(const dlz_resample *resample, pixel_taps *taps, const float *in,
                          float row_divisor, float *out) {
    const dlz_axis *columns = &resample->columns;
    int64_t channels = resample->channels;
    for (int64_t x = 0; x < resample->out_width; x++, out += channels) {
        taps->column = columns->taps + columns->first[x];
        taps->column_end = columns->taps + columns->first[x + 1];
        taps->divisor = row_divisor * divisor_of(columns, x);
        if (taps->column < taps->column_end)
            sum_pixel(taps, in, out);
        else
            for (int64_t c = 0; c < channels; c++)
                out[c] = resample->empty;
    }
}

static void rows(const dlz_resample *resample, const float *in, int64_t first, int64_t end,
                 float *out) {
    const dlz_axis *rows = &resample->rows;
    int64_t channels = resample->channels, out_row = resample->out_width * channels;
    pixel_taps taps = {.row_size = resample->in_width * channels, .channels = channels};
    bool few = channels <= FEW && taps.row_size <= LINE;
    for (int64_t y = first; y < end; y++) {
        float *to = out + y * out_row;
        taps.row = rows->taps + rows->first[y];
        taps.row_end = rows->taps + rows->first[y + 1];
        if (taps.row == taps.row_end)
            for (int64_t i = 0; i < out_row; i++)
                to[i] = resample->empty;
        else if (few)
            few_channels_row(resample, &taps, in, divisor_of(rows, y), to);
        else
            row_of_pixels(resample, &taps, in, divisor_of(rows, y), to);
    }
}

const dlz_resample_table DLZ_VARIANT(dlz_resample_kernel) = {rows};
