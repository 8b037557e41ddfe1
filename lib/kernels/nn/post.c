#include "kernels/nn/post.h"
#include "kernels/nn/moments.h"
#include "kernels/nn/post_backward.h"
#include "kernels/nn/window.h"

#include <assert.h>

/* Random words are made in groups of 64: 16 counters give 4 words each, word w of counter l being
 * number 16 w + l of the group. The order does not depend on the vector length. */
#define GROUP 64
#define SEGMENT 1024

/* 32-bit words in the low halves of 64-bit lanes, where their products have room; whatever the high
 * halves hold is ignored. */
typedef uint32_t half_v __attribute__((vector_size(DLZ_LANES * 2)));
typedef uint32_t half_vu __attribute__((vector_size(DLZ_LANES * 2), aligned(4), may_alias));

DLZ_INLINE dlz_vq wide_splat(uint64_t value) {
    return value - (dlz_vq){0};
}

static void philox_group(uint64_t seed, uint64_t stream, uint64_t counter, uint32_t *words) {
    dlz_vq lane;
    for (int i = 0; i < DLZ_HALF_LANES; i++)
        lane[i] = (uint64_t)i;
    for (int block = 0; block < 16; block += DLZ_HALF_LANES) {
        /* Counters are multiples of 16: adding the lane never carries into the high word. */
        dlz_vq c0 = wide_splat((uint32_t)counter + (uint64_t)block) + lane;
        dlz_vq c1 = wide_splat(counter >> 32);
        dlz_vq c2 = wide_splat((uint32_t)stream), c3 = wide_splat(stream >> 32);
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        for (int round = 0; round < 10; round++) {
            dlz_vq p0 = dlz_multiply_low(c0, 0xD2511F53u), p1 = dlz_multiply_low(c2, 0xCD9E8D57u);
            c0 = (p1 >> 32) ^ c1 ^ wide_splat(k0);
            c1 = p1;
            c2 = (p0 >> 32) ^ c3 ^ wide_splat(k1);
            c3 = p0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        *(half_vu *)(words + block) = __builtin_convertvector(c0, half_v);
        *(half_vu *)(words + 16 + block) = __builtin_convertvector(c1, half_v);
        *(half_vu *)(words + 32 + block) = __builtin_convertvector(c2, half_v);
        *(half_vu *)(words + 48 + block) = __builtin_convertvector(c3, half_v);
    }
}

/* The random words of numbers first … first + count − 1 of an image; count <= SEGMENT. */
static const uint32_t *random_words(const dlz_post *post, int64_t image, int64_t first,
                                    int64_t count, uint32_t buffer[SEGMENT + 2 * GROUP]) {
    int64_t group = first / GROUP, end = (first + count + GROUP - 1) / GROUP;
    uint64_t base = (uint64_t)image << 32;
    for (int64_t i = 0; group + i < end; i++)
        philox_group(post->seed, post->stream, base + (uint64_t)(group + i) * 16,
                     buffer + i * GROUP);
    return buffer + first % GROUP;
}

DLZ_INLINE dlz_v affine(const dlz_post *post, dlz_v z, int64_t c, int64_t count) {
    if (!post->scale)
        return z;
    return dlz_fma(z, dlz_load_up_to(post->scale + c, count),
                   dlz_load_up_to(post->shift + c, count));
}

/* All ones where the word keeps its number. */
DLZ_INLINE dlz_vi kept(const uint32_t *words, uint32_t drop_below, int64_t count) {
    typedef uint32_t words_v __attribute__((vector_size(DLZ_LANES * 4)));
    typedef uint32_t words_vu __attribute__((vector_size(DLZ_LANES * 4), aligned(4), may_alias));
    words_v value = {0};
    if (count >= DLZ_LANES)
        value = *(const words_vu *)words;
    else
        for (int64_t i = 0; i < count; i++)
            value[i] = words[i];
    return (dlz_vi)(value >= drop_below - (words_v){0});
}

/* relu (NaN stays), dropout and the final code of one vector. */
DLZ_INLINE dlz_v finish(const dlz_post *post, dlz_v y, dlz_vi *code, const uint32_t *words,
                        int64_t count) {
    if (post->relu) {
        dlz_v zero = {0};
        *code |= (dlz_vi)(y <= zero);
        y = dlz_select((dlz_vi)(y < zero), zero, y);
    }
    if (words) {
        dlz_vi keep = kept(words, post->drop_below, count);
        *code |= ~keep;
        y = (dlz_v)((dlz_vi)(y * dlz_splat(post->keep_scale)) & keep);
    }
    return y;
}

/* The winner of a 2 x 2 window, and what the batch norm makes of it. */
DLZ_INLINE dlz_v pooled(const dlz_post *post, const float *z, int64_t row, int64_t c, int64_t count,
                        dlz_vi *place) {
    int64_t channels = post->channels;
    dlz_v window[4] = {dlz_load_up_to(z, count), dlz_load_up_to(z + channels, count),
                       dlz_load_up_to(z + row, count), dlz_load_up_to(z + row + channels, count)};
    dlz_winner winner = {0};
    if (post->weight)
        winner = dlz_winner_after(dlz_load_up_to(post->weight + c, count));
    return affine(post, dlz_window_winner(window, winner, place), c, count);
}

/* Numbers of one row of the output: pixels first … first + pixels − 1, channels from … from + count
 * − 1, contiguous in memory when there is more than one pixel. */
DLZ_INLINE void forward_segment(const dlz_post *post, const bool pool, const float *z_row,
                                int64_t first, int64_t pixels, int64_t from, int64_t count,
                                const uint32_t *words, float *out, uint8_t *codes) {
    int64_t channels = post->channels, row = post->width * channels;
    assert(codes || !post->coded);
    for (int64_t x = first; x < first + pixels; x++) {
        const float *z = z_row + (pool ? 2 * x : x) * channels;
        for (int64_t c = from; c < from + count; c += DLZ_LANES) {
            int64_t left = from + count - c;
            /* cppcheck-suppress nullPointerArithmeticRedundantCheck ; as asserted */
            dlz_vi code = post->coded ? load_codes(codes + x * channels + c, left) : (dlz_vi){0};
            dlz_v y = pool ? pooled(post, z + c, row, c, left, &code)
                           : affine(post, dlz_load_up_to(z + c, left), c, left);
            y = finish(post, y, &code, words ? words + (x - first) * count + (c - from) : NULL,
                       left);
            dlz_store_up_to(out + x * channels + c, y, left);
            if (codes)
                store_codes(codes + x * channels + c, code, left);
        }
    }
}

/* The windows of a vector's lanes: where they lie, and what is made of them. */
typedef struct windows {
    dlz_vi left, right;
    dlz_v scale, shift;
    dlz_winner winner;
} windows;

static windows windows_of(const dlz_post *post) {
    windows w = {.left = left_places(post->channels)};
    w.right = w.left + (int32_t)post->channels;
    if (post->scale) {
        w.scale = for_pixels(post->scale, post->channels);
        w.shift = for_pixels(post->shift, post->channels);
    }
    if (post->weight)
        w.winner = dlz_winner_after(for_pixels(post->weight, post->channels));
    return w;
}

/* Pixels first … first + pixels − 1 of a row of the output. */
static void forward_neighbors(const dlz_post *post, const windows *w, const float *z_row,
                              int64_t first, int64_t pixels, const uint32_t *words, float *out,
                              uint8_t *codes, const uint8_t *codes_end) {
    int64_t channels = post->channels, row = post->width * channels;
    int64_t most = DLZ_LANES / channels;
    for (int64_t x = 0; x < pixels; x += most) {
        int64_t some = x + most < pixels ? most : pixels - x, count = some * channels;
        int64_t at = (first + x) * channels;
        dlz_v upper[2], lower[2];
        load_two(z_row + 2 * at, 2 * count, upper);
        load_two(z_row + 2 * at + row, 2 * count, lower);
        dlz_v window[4] = {
            dlz_pick(upper[0], upper[1], w->left), dlz_pick(upper[0], upper[1], w->right),
            dlz_pick(lower[0], lower[1], w->left), dlz_pick(lower[0], lower[1], w->right)};
        dlz_vi code;
        dlz_v y = dlz_window_winner(window, w->winner, &code);
        if (post->scale)
            y = dlz_fma(y, w->scale, w->shift);
        y = finish(post, y, &code, words ? words + x * channels : NULL, count);
        dlz_store_up_to(out + at, y, count);
        if (codes)
            store_codes_before(codes_end, codes + at, code, count);
    }
}

/* `before`: numbers of the image that lie before these rows. */
static void forward_rows(const dlz_post *post, int64_t image, int64_t before, const float *z,
                         float *out, uint8_t *codes) {
    int64_t channels = post->channels;
    int64_t height = post->pool ? post->height / 2 : post->height;
    int64_t width = post->pool ? post->width / 2 : post->width;
    int64_t pixels = channels < SEGMENT ? SEGMENT / channels : 1;
    int64_t count = channels < SEGMENT ? channels : SEGMENT;
    bool few = pools_neighbors(post);
    windows w;
    if (few)
        w = windows_of(post);
    uint32_t buffer[SEGMENT + 2 * GROUP];
    for (int64_t y = 0; y < height; y++) {
        const float *z_row = z + (post->pool ? 2 * y : y) * post->width * channels;
        int64_t at = y * width * channels;
        uint8_t *row_codes = codes ? codes + at : NULL;
        for (int64_t x = 0; x < width; x += pixels)
            for (int64_t c = 0; c < channels; c += count) {
                int64_t some = x + pixels < width ? pixels : width - x;
                int64_t part = c + count < channels ? count : channels - c;
                const uint32_t *words =
                    post->drop_below ? random_words(post, image, before + at + x * channels + c,
                                                    some * part, buffer)
                                     : NULL;
                if (few)
                    forward_neighbors(post, &w, z_row, x, some, words, out + at, row_codes,
                                      codes ? codes + height * width * channels : NULL);
                else if (post->pool)
                    forward_segment(post, true, z_row, x, some, c, part, words, out + at,
                                    row_codes);
                else
                    forward_segment(post, false, z_row, x, some, c, part, words, out + at,
                                    row_codes);
            }
    }
}

static void forward(const dlz_post *post, int64_t image, const float *z, float *out,
                    uint8_t *codes) {
    together wide;
    if (post->pool || !sees_together(post, &wide)) {
        forward_rows(post, image, 0, z, out, codes);
        return;
    }
    int64_t done = wide.post.width * wide.post.channels;
    dlz_post rest = rest_of(post, &wide);
    forward_rows(&wide.post, image, 0, z, out, codes);
    forward_rows(&rest, image, done, z + done, out + done, codes ? codes + done : NULL);
}

/* Of up to RUN rows of one vector of channels: their mean first, then the squares about it. */
DLZ_INLINE void moments_of_run(int64_t rows, int64_t channels, const float *z, int64_t count,
                               double before, double *means, double *deviations) {
    dlz_v sum = {0}, first = {0}, second = {0};
    for (int64_t row = 0; row < rows; row++)
        sum += dlz_load_up_to(z + row * channels, count);
    dlz_v center = sum / dlz_splat((float)rows);
    for (int64_t row = 0; row < rows; row++) {
        dlz_v value = dlz_load_up_to(z + row * channels, count) - center;
        first += value;
        second = dlz_fma(value, value, second);
    }
    for (int64_t i = 0; i < DLZ_LANES && i < count; i++) {
        double rest = (double)first[i] / (double)rows;
        double squares = (double)second[i] - rest * (double)first[i];
        dlz_moments run = {(double)rows, (double)center[i] + rest,
                           squares < 0 ? 0 : squares}; /* NaN stays */
        dlz_moments all = dlz_moments_join((dlz_moments){before, means[i], deviations[i]}, run);
        means[i] = all.mean;
        deviations[i] = all.deviations;
    }
}

static void moments(int64_t rows, int64_t channels, const float *z, double *block) {
    for (int64_t i = 0; i < dlz_moments_size(channels); i++)
        block[i] = 0;
    block[0] = (double)rows;
    for (int64_t row = 0; row < rows; row += RUN)
        for (int64_t c = 0; c < channels; c += DLZ_LANES)
            moments_of_run(rows - row < RUN ? rows - row : RUN, channels, z + row * channels + c,
                           channels - c, (double)row, block + 1 + c, block + 1 + channels + c);
}

const dlz_post_table DLZ_VARIANT(dlz_post_kernels) = {forward, backward_sums, backward, moments};
