/* Sums and maxima over windows, of every instruction set this machine has, against plain loops in
 * double. */
#include "base/random.h"
#include "kernels/nn/maxpool.h"
#include "kernels/nn/resample.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

enum { HEIGHT = 5, WIDTH = 6, OUT = 7, MOST_CHANNELS = 150, MOST_TAPS = 4, EDGE = 16 };
static const float GUARD = -12345.0f;
static const int64_t channel_counts[] = {1, 3, 6, 15, 16, 17, 37, 64, 150};

static float image[HEIGHT * WIDTH * MOST_CHANNELS];
static float found[OUT * OUT * MOST_CHANNELS + EDGE];
static int32_t winners[OUT * OUT * MOST_CHANNELS + EDGE];

typedef struct axis_room {
    int32_t first[OUT + 1];
    dlz_tap taps[OUT * MOST_TAPS];
    float divisors[OUT];
} axis_room;

/* Whole numbers as weights and numbers make sums exact, whatever is fused. */
static dlz_axis random_axis(dlz_random *random, int64_t in, bool whole, axis_room *room) {
    int32_t count = 0;
    for (int o = 0; o < OUT; o++) {
        room->first[o] = count;
        int taps = o == 2 ? 0 : 1 + (int)dlz_random_below(random, MOST_TAPS);
        for (int t = 0; t < taps; t++)
            room->taps[count++] = (dlz_tap){(int32_t)dlz_random_below(random, (uint32_t)in),
                                            whole ? (float)(int)dlz_random_below(random, 3) - 1
                                                  : (float)dlz_random_normal(random)};
        room->divisors[o] = (float)(1 + dlz_random_below(random, 3));
    }
    room->first[OUT] = count;
    return (dlz_axis){room->first, room->taps, dlz_random_below(random, 2) ? room->divisors : NULL};
}

static void fill_image(dlz_random *random, bool whole) {
    for (size_t i = 0; i < sizeof image / sizeof *image; i++)
        image[i] =
            whole ? (float)(int)dlz_random_below(random, 9) - 4 : (float)dlz_random_normal(random);
}

static double plain_sum(const dlz_resample *r, int64_t y, int64_t x, int64_t c, double *size) {
    double sum = 0, divisor = 1;
    *size = 0;
    for (int32_t i = r->rows.first[y]; i < r->rows.first[y + 1]; i++)
        for (int32_t j = r->columns.first[x]; j < r->columns.first[x + 1]; j++) {
            const dlz_tap *row = &r->rows.taps[i], *column = &r->columns.taps[j];
            double term = (double)row->weight * (double)column->weight *
                          (double)image[(row->at * WIDTH + column->at) * r->channels + c];
            sum += term;
            *size += fabs(term);
        }
    if (r->rows.first[y] == r->rows.first[y + 1] || r->columns.first[x] == r->columns.first[x + 1])
        return (double)r->empty;
    divisor *= r->rows.divisors ? (double)r->rows.divisors[y] : 1;
    divisor *= r->columns.divisors ? (double)r->columns.divisors[x] : 1;
    *size /= divisor;
    return sum / divisor;
}

static void check_sums(dlz_isa isa, int64_t channels, bool whole, uint64_t seed) {
    dlz_random random = dlz_random_start(seed, 1);
    static axis_room rows, columns;
    fill_image(&random, whole);
    dlz_resample resample = {.in_width = WIDTH,
                             .out_width = OUT,
                             .channels = channels,
                             .rows = random_axis(&random, HEIGHT, whole, &rows),
                             .columns = random_axis(&random, WIDTH, whole, &columns),
                             .empty = 0.75f};
    int64_t row_size = OUT * channels, first = 1, end = OUT - 1;
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        found[i] = GUARD;
    dlz_resample_kernel_of(isa)->rows(&resample, image, first, end, found);
    for (int64_t i = 0; i < OUT * row_size + EDGE; i++) {
        int64_t y = i / row_size, x = i % row_size / channels;
        if (y < first || y >= end) {
            if (!(found[i] == GUARD))
                ck_abort_msg("writes to %lld", (long long)i);
            continue;
        }
        double size, truth = plain_sum(&resample, y, x, i % channels, &size);
        bool right = whole ? found[i] == (float)truth
                           : fabs((double)found[i] - truth) <= 1e-6 * size + 1e-30;
        if (!(right))
            ck_abort_msg("%s, %lld channels, row %lld, column %lld: %g, truth %g",
                         dlz_isa_name(isa), (long long)channels, (long long)y, (long long)x,
                         (double)found[i], truth);
    }
}

START_TEST(every_variant_sums_its_taps) {
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (size_t k = 0; dlz_isa_available((dlz_isa)isa) && k < 9; k++)
            for (uint64_t seed = 1; seed <= 12; seed++)
                check_sums((dlz_isa)isa, channel_counts[k], seed % 2, seed);
}
END_TEST

/* One tap of weight 1 copies, down to the sign of 0. */
START_TEST(every_variant_copies_bits) {
    const int32_t first[] = {0, 1, 2};
    const dlz_tap taps[] = {{1, 1}, {0, 1}};
    const dlz_axis axis = {(int32_t *)first, (dlz_tap *)taps, NULL};
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (size_t k = 0; dlz_isa_available((dlz_isa)isa) && k < 9; k++) {
            int64_t channels = channel_counts[k];
            for (int64_t i = 0; i < 4 * channels; i++)
                image[i] = i % 3 == 0 ? -0.0f : i % 3 == 1 ? 1 / (float)(i + 3) : -INFINITY;
            dlz_resample resample = {2, 2, channels, axis, axis, 0};
            dlz_resample_kernel_of((dlz_isa)isa)->rows(&resample, image, 0, 2, found);
            for (int64_t pixel = 0; pixel < 4; pixel++)
                ck_assert_mem_eq(found + pixel * channels, image + (3 - pixel) * channels,
                                 (size_t)channels * sizeof *found);
        }
}
END_TEST

/* Runs of copied columns between others, and rows like those before. */
START_TEST(every_variant_copies_runs_and_rows) {
    enum { IN = 13, LONG = 17 };
    static float source[3 * IN * 20], result[5 * LONG * 20];
    int32_t row_first[6], column_first[LONG + 1];
    const int32_t from[] = {2, 2, 0, 1, 1};
    dlz_tap rows[5], columns[2 * LONG];
    for (int y = 0; y <= 5; y++)
        row_first[y] = y;
    for (int y = 0; y < 5; y++)
        rows[y] = (dlz_tap){from[y], y == 4 ? 2.0f : 1.0f};
    int32_t count = 0;
    for (int x = 0; x < LONG; x++) {
        column_first[x] = count;
        if (x >= 2 && x < 14)
            columns[count++] = (dlz_tap){x - 1, 1};
        else if (x != 14)
            for (int t = 0; t < 2; t++)
                columns[count++] = (dlz_tap){(x + t) % IN, 0.5f};
    }
    column_first[LONG] = count;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int64_t channels = 1; dlz_isa_available((dlz_isa)isa) && channels <= 20; channels++) {
            for (int64_t i = 0; i < 3 * IN * channels; i++)
                source[i] = (float)(i * 7 % 31);
            dlz_resample resample = {
                IN, LONG, channels, {row_first, rows, NULL}, {column_first, columns, NULL}, 0.25f};
            dlz_resample_kernel_of((dlz_isa)isa)->rows(&resample, source, 0, 5, result);
            for (int64_t i = 0; i < 5 * LONG * channels; i++) {
                int64_t y = i / (LONG * channels), x = i / channels % LONG, c = i % channels;
                const float *line = source + from[y] * IN * channels;
                float truth = 0;
                for (int32_t t = column_first[x]; t < column_first[x + 1]; t++)
                    truth += columns[t].weight * line[columns[t].at * channels + c];
                truth = x == 14 ? 0.25f : truth * rows[y].weight;
                if (!(result[i] == truth))
                    ck_abort_msg("%s, %lld channels, row %lld, column %lld: %g, "
                                 "truth %g",
                                 dlz_isa_name((dlz_isa)isa), (long long)channels, (long long)y,
                                 (long long)x, (double)result[i], (double)truth);
            }
        }
}
END_TEST

/* A picture in a frame, parts of one, nothing of it; in two calls, as tiles do. */
START_TEST(every_variant_frames) {
    enum { ROWS = 9, PIXELS = 40 };
    static float source[ROWS * PIXELS * 4], result[ROWS * PIXELS * 4 + 2 * EDGE];
    const int64_t sizes[][6] = {
        /* in_row, out_row, top, bottom, left, right */
        {28, 32, 2, 7, 2, 30},     {28, 28, 0, 9, 0, 28}, {20, 17, 0, 9, 0, 17},
        {3, 37, 4, 5, 17, 20},     {5, 7, 0, 0, 0, 0},    {16, 48, 1, 9, 16, 32},
        {40, 150, 0, 3, 110, 150},
    };
    for (int64_t i = 0; i < ROWS * PIXELS * 4; i++)
        source[i] = (float)i;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int k = 0; dlz_isa_available((dlz_isa)isa) && k < 7; k++)
            for (int64_t cut = 0; cut <= ROWS; cut++) {
                const int64_t *s = sizes[k];
                dlz_frame frame = {s[0], s[1], s[2], s[3], s[4], s[5], 11, -0.5f};
                for (int64_t i = 0; i < ROWS * s[1] + 2 * EDGE; i++)
                    result[i] = GUARD;
                float *out = result + EDGE;
                dlz_resample_kernel_of((dlz_isa)isa)->frame(&frame, source, 0, cut, out);
                dlz_resample_kernel_of((dlz_isa)isa)->frame(&frame, source, cut, ROWS, out);
                for (int64_t i = -EDGE; i < ROWS * s[1] + EDGE; i++) {
                    int64_t y = i / s[1], x = i % s[1];
                    bool copied = y >= s[2] && y < s[3] && x >= s[4] && x < s[5];
                    float truth = i < 0 || i >= ROWS * s[1] ? GUARD
                                  : copied ? source[11 + (y - s[2]) * s[0] + x - s[4]]
                                           : -0.5f;
                    if (!(out[i] == truth))
                        ck_abort_msg("%s, frame %d, cut at %lld, number %lld: %g, truth %g",
                                     dlz_isa_name((dlz_isa)isa), k, (long long)cut, (long long)i,
                                     (double)out[i], (double)truth);
                }
            }
}
END_TEST

/* -- Maxima ---------------------------------------------------------------------------------------
 */

static float scale[MOST_CHANNELS], shift[MOST_CHANNELS];

/* What decides: of numbers on which something is pending the sign of its scale. */
static float compared(const dlz_maxpool *p, int64_t at, int64_t c) {
    float value = image[at * p->channels + c];
    if (!p->scale || p->scale[c] > 0)
        return value;
    return p->scale[c] < 0 ? -value : value * 0;
}

static int64_t plain_winner(const dlz_maxpool *p, int64_t y, int64_t x, int64_t c) {
    int64_t best = -1;
    for (int64_t i = 0; i < p->kernel[0]; i++)
        for (int64_t j = 0; j < p->kernel[1]; j++) {
            int64_t row = y * p->stride[0] - p->padding[0] + i;
            int64_t column = x * p->stride[1] - p->padding[1] + j, at = row * WIDTH + column;
            if (row < 0 || row >= HEIGHT || column < 0 || column >= WIDTH)
                continue;
            float value = compared(p, at, c);
            if (best < 0 || value > compared(p, best, c) || isnan(value))
                best = at;
        }
    return best;
}

/* What is pending applied to the winner; scales are powers of two and shifts whole numbers, so that
 * nothing is rounded. */
static float plain_maximum(const dlz_maxpool *p, int64_t at, int64_t c) {
    float value = image[at * p->channels + c];
    if (!p->scale)
        return value;
    value = value * p->scale[c] + p->shift[c];
    return p->relu && value <= 0 ? 0 : value;
}

static void check_maxima(dlz_isa isa, const dlz_maxpool *pool, bool with_winners) {
    int64_t row_size = pool->out_width * pool->channels, first = 0, end = pool->out_height;
    int64_t size = end * row_size;
    for (int64_t i = 0; i < size + EDGE; i++) {
        found[i] = GUARD;
        winners[i] = -77;
    }
    /* In two calls, as tiles do. */
    for (; first < end; first += (end + 1) / 2)
        dlz_maxpool_kernels_of(isa)->forward(pool, image, first, first == 0 ? (end + 1) / 2 : end,
                                             found, with_winners ? winners : NULL);
    for (int64_t i = 0; i < size; i++) {
        int64_t c = i % pool->channels, x = i % row_size / pool->channels;
        int64_t at = plain_winner(pool, i / row_size, x, c);
        float truth = plain_maximum(pool, at, c);
        if (!(isnan(truth) ? isnan(found[i]) : found[i] == truth))
            ck_abort_msg("%s, %lld channels, number %lld: %g, truth %g", dlz_isa_name(isa),
                         (long long)pool->channels, (long long)i, (double)found[i], (double)truth);
        if (!(winners[i] == (with_winners ? at : -77)))
            ck_abort_msg("%s, %lld channels, number %lld: pixel %d, truth %lld", dlz_isa_name(isa),
                         (long long)pool->channels, (long long)i, winners[i], (long long)at);
    }
    for (int64_t i = size; i < size + EDGE; i++)
        if (found[i] != GUARD || winners[i] != -77)
            ck_abort_msg("writes to %lld", (long long)i);
}

static void check_gradient(dlz_isa isa, const dlz_maxpool *pool) {
    static float gradient[OUT * OUT * MOST_CHANNELS], dx[HEIGHT * WIDTH * MOST_CHANNELS + EDGE];
    static float truth[HEIGHT * WIDTH * MOST_CHANNELS + EDGE];
    int64_t size = pool->out_height * pool->out_width * pool->channels;
    int64_t pixels = HEIGHT * WIDTH * pool->channels, cut = pool->height / 2;
    for (int64_t i = 0; i < size; i++)
        gradient[i] = (float)(i % 11 - 5);
    for (size_t i = 0; i < sizeof dx / sizeof *dx; i++) {
        dx[i] = GUARD;
        truth[i] = (int64_t)i < pixels ? 0 : GUARD;
    }
    for (int64_t i = 0; i < size; i++)
        truth[winners[i] * pool->channels + i % pool->channels] += gradient[i];
    dlz_maxpool_kernels_of(isa)->backward(pool, gradient, winners, cut, HEIGHT, dx);
    dlz_maxpool_kernels_of(isa)->backward(pool, gradient, winners, 0, cut, dx);
    ck_assert_mem_eq(dx, truth, sizeof dx);
}

/* Channels by turns with a scale above 0, below and 0. */
static void check_pending(dlz_isa isa, dlz_maxpool pool, bool relu) {
    for (int c = 0; c < MOST_CHANNELS; c++) {
        scale[c] = c % 3 == 0 ? 0.5f : c % 3 == 1 ? -2.0f : 0.0f;
        shift[c] = (float)(c % 5 - 2);
    }
    pool.scale = scale;
    pool.shift = shift;
    pool.relu = relu;
    check_maxima(isa, &pool, false);
    check_maxima(isa, &pool, true);
}

START_TEST(every_variant_finds_the_first_maximum) {
    const dlz_maxpool pools[] = {
        {.out_height = 2, .out_width = 3, .kernel = {3, 2}, .stride = {2, 2}},
        {.out_height = 5, .out_width = 6, .kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}},
        {.out_height = 3, .out_width = 3, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}},
        {.out_height = 2, .out_width = 3, .kernel = {2, 2}, .stride = {2, 2}},
        {.out_height = 2, .out_width = 2, .kernel = {4, 5}, .stride = {3, 4}, .padding = {2, 1}},
        {.out_height = 3, .out_width = 2, .kernel = {2, 4}, .stride = {2, 4}},
        {.out_height = 2, .out_width = 3, .kernel = {1, 1}, .stride = {3, 2}},
        {.out_height = 1, .out_width = 1, .kernel = {5, 6}, .stride = {1, 1}},
        {.out_height = 5, .out_width = 6, .kernel = {9, 9}, .stride = {1, 1}, .padding = {4, 4}},
    };
    dlz_random random = dlz_random_start(7, 1);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (size_t k = 0; dlz_isa_available((dlz_isa)isa) && k < 9; k++)
            for (int p = 0; p < 9; p++)
                for (int kind = 0; kind < 3; kind++) {
                    fill_image(&random, kind > 0);
                    for (size_t i = 0; kind == 2 && i < sizeof image / sizeof *image; i += 5)
                        image[i] = i % 3 ? NAN : -INFINITY;
                    dlz_maxpool pool = pools[p];
                    pool.height = HEIGHT;
                    pool.width = WIDTH;
                    pool.channels = channel_counts[k];
                    check_maxima((dlz_isa)isa, &pool, false);
                    check_maxima((dlz_isa)isa, &pool, true);
                    check_gradient((dlz_isa)isa, &pool);
                    if (kind > 0) {
                        check_pending((dlz_isa)isa, pool, false);
                        check_pending((dlz_isa)isa, pool, true);
                    }
                }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {every_variant_sums_its_taps,           every_variant_copies_bits,
                                  every_variant_copies_runs_and_rows,    every_variant_frames,
                                  every_variant_finds_the_first_maximum, NULL};
    return run_tests("pool kernels", tests);
}
