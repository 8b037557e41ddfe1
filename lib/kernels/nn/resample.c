#include "kernels/nn/resample.h"
#include "isa/isa.h"

#include <stdbool.h>

/* Vectors of channels summed together. */
#define GROUPS 4
/* With as few channels as this, vectors are laid over a whole row, of so many floats at most. */
#define FEW 3
#define LINE 4096
/* Pixels from which on it is worth looking for a run of them that is copied. */
#define RUN 8

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

/* Places first … end − 1 of a row. */
typedef struct range {
    int64_t first, end;
} range;

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
                            float row_divisor, range places, float *out) {
    const dlz_axis *columns = &resample->columns;
    out += places.first * channels;
    for (int64_t x = places.first; x < places.end; x++, out += channels) {
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
                             float row_divisor, range places, float *out) {
    float room[LINE + DLZ_LANES];
    const float *line = sum_lines(taps, in, room);
    if (taps->channels == 1)
        sum_columns(resample, line, 1, row_divisor, places, out);
    else if (taps->channels == 2)
        sum_columns(resample, line, 2, row_divisor, places, out);
    else
        sum_columns(resample, line, 3, row_divisor, places, out);
}

static void row_of_pixels(const dlz_resample *resample, pixel_taps *taps, const float *in,
                          float row_divisor, range places, float *out) {
    const dlz_axis *columns = &resample->columns;
    int64_t channels = resample->channels;
    out += places.first * channels;
    for (int64_t x = places.first; x < places.end; x++, out += channels) {
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

static void row_range(const dlz_resample *resample, pixel_taps *taps, const float *in,
                      float row_divisor, range places, float *out) {
    if (places.first == places.end)
        return;
    if (taps->channels <= FEW && taps->row_size <= LINE)
        few_channels_row(resample, taps, in, row_divisor, places, out);
    else
        row_of_pixels(resample, taps, in, row_divisor, places, out);
}

DLZ_INLINE void copy(const float *from, int64_t count, float *to) {
    for (int64_t i = 0; i < count; i += DLZ_LANES)
        dlz_store_up_to(to + i, dlz_load_up_to(from + i, count - i), count - i);
}

/* The one tap of a place that is another's copy, or NULL. */
static const dlz_tap *copied(const dlz_axis *axis, int64_t place) {
    const dlz_tap *tap = axis->taps + axis->first[place];
    bool one = axis->first[place + 1] - axis->first[place] == 1;
    return one && tap->weight == 1 && divisor_of(axis, place) == 1 ? tap : NULL;
}

/* The longest range of columns that are a copy of as many in the source, one beside the other; none
 * if it is short. */
static range copied_columns(const dlz_axis *columns, int64_t width) {
    range longest = {0, 0};
    for (int64_t first = 0, end; first < width; first = end) {
        const dlz_tap *tap = copied(columns, first);
        for (end = first + 1; tap && end < width; end++) {
            const dlz_tap *next = copied(columns, end);
            if (!next || next->at != tap->at + (end - first))
                break;
        }
        if (tap && end - first > longest.end - longest.first)
            longest = (range){first, end};
    }
    return longest.end - longest.first >= RUN ? longest : (range){0, 0};
}

static bool is_like_before(const dlz_axis *rows, int64_t y) {
    int32_t first = rows->first[y], count = rows->first[y + 1] - first;
    if (first - rows->first[y - 1] != count || divisor_of(rows, y) != divisor_of(rows, y - 1))
        return false;
    for (int32_t i = first; i < first + count; i++)
        if (rows->taps[i].at != rows->taps[i - count].at ||
            rows->taps[i].weight != rows->taps[i - count].weight)
            return false;
    return true;
}

static void rows(const dlz_resample *resample, const float *in, int64_t first, int64_t end,
                 float *out) {
    const dlz_axis *rows = &resample->rows;
    int64_t channels = resample->channels, width = resample->out_width;
    pixel_taps taps = {.row_size = resample->in_width * channels, .channels = channels};
    range run = copied_columns(&resample->columns, width);
    for (int64_t y = first; y < end; y++) {
        float *to = out + y * width * channels;
        taps.row = rows->taps + rows->first[y];
        taps.row_end = rows->taps + rows->first[y + 1];
        if (y > first && is_like_before(rows, y)) {
            copy(to - width * channels, width * channels, to);
        } else if (taps.row == taps.row_end) {
            for (int64_t i = 0; i < width * channels; i++)
                to[i] = resample->empty;
        } else if (run.end > 0 && copied(rows, y)) {
            const dlz_tap *column = resample->columns.taps + resample->columns.first[run.first];
            row_range(resample, &taps, in, 1, (range){0, run.first}, to);
            copy(in + taps.row->at * taps.row_size + column->at * channels,
                 (run.end - run.first) * channels, to + run.first * channels);
            row_range(resample, &taps, in, 1, (range){run.end, width}, to);
        } else {
            row_range(resample, &taps, in, divisor_of(rows, y), (range){0, width}, to);
        }
    }
}

DLZ_INLINE void fill(dlz_v value, int64_t count, float *to) {
    for (int64_t i = 0; i < count; i += DLZ_LANES)
        dlz_store_up_to(to + i, value, count - i);
}

static void frame(const dlz_frame *frame, const float *in, int64_t first, int64_t end, float *out) {
    int64_t row = frame->out_row, inside = frame->right - frame->left;
    dlz_v empty = dlz_splat(frame->empty);
    int64_t top = frame->top < first ? first : frame->top < end ? frame->top : end;
    int64_t bottom = frame->bottom < top ? top : frame->bottom < end ? frame->bottom : end;
    fill(empty, (top - first) * row, out + first * row);
    const float *from = in + frame->start + (top - frame->top) * frame->in_row;
    for (int64_t y = top; y < bottom; y++, from += frame->in_row) {
        float *to = out + y * row;
        fill(empty, frame->left, to);
        copy(from, inside, to + frame->left);
        fill(empty, row - frame->right, to + frame->right);
    }
    fill(empty, (end - bottom) * row, out + bottom * row);
}

const dlz_resample_table DLZ_VARIANT(dlz_resample_kernel) = {rows, frame};
