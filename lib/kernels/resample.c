#include "kernels/resample.h"
#include "kernels/isa.h"

#include <stdbool.h>

typedef float four __attribute__((vector_size(16)));
typedef float four_anywhere __attribute__((vector_size(16), aligned(4), may_alias));
typedef float one;

/* The taps of one pixel. */
typedef struct pixel_taps {
    const dlz_tap *row, *row_end, *column, *column_end;
    int64_t row_size; /* floats from one row of the source to the next */
    int64_t channels;
    float divisor;
} pixel_taps;

/* Some channels of one pixel: `groups` vectors of a type, which stay in registers. */
#define DEFINE_SUM(name, vector, anywhere, groups)                                                 \
    DLZ_INLINE void name(const pixel_taps *taps, const float *in, float *out) {                    \
        enum { LANES = sizeof(vector) / sizeof(float) };                                           \
        vector total[groups] = {0};                                                                \
        for (const dlz_tap *row = taps->row; row < taps->row_end; row++) {                         \
            const float *line = in + row->at * taps->row_size;                                     \
            vector sum[groups];                                                                    \
            const float *from = line + taps->column->at * taps->channels;                          \
            for (int g = 0; g < groups; g++)                                                       \
                sum[g] = taps->column->weight * *(const anywhere *)(from + g * LANES);             \
            for (const dlz_tap *tap = taps->column + 1; tap < taps->column_end; tap++) {           \
                from = line + tap->at * taps->channels;                                            \
                for (int g = 0; g < groups; g++)                                                   \
                    sum[g] += tap->weight * *(const anywhere *)(from + g * LANES);                 \
            }                                                                                      \
            /* The first is not added to 0, which would lose the sign of another 0. */             \
            for (int g = 0; g < groups; g++)                                                       \
                total[g] = row == taps->row ? row->weight * sum[g]                                 \
                                            : total[g] + row->weight * sum[g];                     \
        }                                                                                          \
        for (int g = 0; g < groups; g++) {                                                         \
            if (taps->divisor != 1)                                                                \
                total[g] /= taps->divisor;                                                         \
            *(anywhere *)(out + g * LANES) = total[g];                                             \
        }                                                                                          \
    }

DEFINE_SUM(sum_wide, dlz_v, dlz_vu, 4)
DEFINE_SUM(sum_vector, dlz_v, dlz_vu, 1)
DEFINE_SUM(sum_four, four, four_anywhere, 1)
DEFINE_SUM(sum_one, one, one, 1)

static void sum_pixel(const pixel_taps *taps, const float *in, float *out) {
    int64_t channels = taps->channels, c = 0;
    for (; c + 4 * DLZ_LANES <= channels; c += 4 * DLZ_LANES)
        sum_wide(taps, in + c, out + c);
    for (; c + DLZ_LANES <= channels; c += DLZ_LANES)
        sum_vector(taps, in + c, out + c);
    for (; c + 4 <= channels; c += 4)
        sum_four(taps, in + c, out + c);
    for (; c < channels; c++)
        sum_one(taps, in + c, out + c);
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
