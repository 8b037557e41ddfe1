#include "kernels/nn/post.h"
#include "kernels/nn/moments.h"
#include "isa/isa.h"
#include "kernels/nn/window.h"

typedef int8_t bytes_v __attribute__((vector_size(DLZ_LANES)));
typedef int8_t bytes_vu __attribute__((vector_size(DLZ_LANES), aligned(1), may_alias));

/* Pixels whose products are added up in float before they go to double. */
#define RUN 64

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

DLZ_INLINE void store_codes(uint8_t *to, dlz_vi codes, int64_t count) {
    if (count >= DLZ_LANES)
        *(bytes_vu *)to = __builtin_convertvector(codes, bytes_v);
    else
        for (int64_t i = 0; i < count; i++)
            to[i] = (uint8_t)codes[i];
}

DLZ_INLINE dlz_vi load_codes(const uint8_t *from, int64_t count) {
    if (count >= DLZ_LANES)
        return __builtin_convertvector(*(const bytes_vu *)from, dlz_vi);
    dlz_vi codes = {0};
    for (int64_t i = 0; i < count; i++)
        codes[i] = (int8_t)from[i];
    return codes;
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
    for (int64_t x = first; x < first + pixels; x++) {
        const float *z = z_row + (pool ? 2 * x : x) * channels;
        for (int64_t c = from; c < from + count; c += DLZ_LANES) {
            int64_t left = from + count - c;
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

/* Few channels: as many pixels as fill whole vectors are seen as one of more channels. */
enum { FEW = DLZ_LANES - 1, MOST_TOGETHER = DLZ_LANES * DLZ_LANES };

typedef struct together {
    dlz_post post;  /* of the wide pixels */
    int64_t pixels; /* that are one */
    float scale[MOST_TOGETHER], shift[MOST_TOGETHER];
} together;

DLZ_INLINE const float *repeated(const float *from, int64_t channels, int64_t times, float *to) {
    for (int64_t i = 0; from && i < times; i++)
        for (int64_t c = 0; c < channels; c++)
            to[i * channels + c] = from[c];
    return from ? to : NULL;
}

/* False where there are channels enough, or too few pixels. */
static bool sees_together(const dlz_post *post, together *wide) {
    int64_t pixels = 1, all = post->height * post->width;
    while (pixels * post->channels % DLZ_LANES != 0)
        pixels *= 2;
    if (post->channels > FEW || all < 2 * pixels)
        return false;
    wide->pixels = pixels;
    wide->post = *post;
    wide->post.height = 1;
    wide->post.width = all / pixels;
    wide->post.channels = pixels * post->channels;
    wide->post.scale = repeated(post->scale, post->channels, pixels, wide->scale);
    wide->post.shift = repeated(post->shift, post->channels, pixels, wide->shift);
    return true;
}

/* The pixels that are left over. */
static dlz_post rest_of(const dlz_post *post, const together *wide) {
    dlz_post rest = *post;
    rest.height = 1;
    rest.width = post->height * post->width - wide->post.width * wide->pixels;
    return rest;
}

/* Few channels: the 2 x 2 windows of as many neighbors as fit a vector. */

/* Where in a row's next two vectors the left numbers of a vector's windows lie. */
DLZ_INLINE dlz_vi left_places(int64_t channels) {
    dlz_vi places;
    for (int i = 0; i < DLZ_LANES; i++)
        places[i] = (int32_t)((i / channels * 2 * channels + i % channels) % (2 * DLZ_LANES));
    return places;
}

/* All of a row's next `count` numbers, up to two vectors. */
DLZ_INLINE void load_two(const float *from, int64_t count, dlz_v two[2]) {
    two[0] = dlz_load_up_to(from, count);
    two[1] = count > DLZ_LANES ? dlz_load_up_to(from + DLZ_LANES, count - DLZ_LANES) : (dlz_v){0};
}

/* What there is of each channel, for the lanes of a vector of pixels. */
DLZ_INLINE dlz_v for_pixels(const float *from, int64_t channels) {
    float lanes[DLZ_LANES];
    for (int i = 0; i < DLZ_LANES; i++)
        lanes[i] = from[i % channels];
    return dlz_load(lanes);
}

static bool pools_neighbors(const dlz_post *post) {
    return post->pool && 2 * post->channels <= DLZ_LANES;
}

/* Codes of a vector: whole, where there is room before `end`, for what follows is written later. */
DLZ_INLINE void store_codes_before(const uint8_t *end, uint8_t *to, dlz_vi codes, int64_t count) {
    store_codes(to, codes, end - to >= DLZ_LANES ? DLZ_LANES : count);
}

DLZ_INLINE dlz_vi load_codes_before(const uint8_t *end, const uint8_t *from, int64_t count) {
    return load_codes(from, end - from >= DLZ_LANES ? DLZ_LANES : count);
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
    bool neighbors = pools_neighbors(post);
    windows w;
    if (neighbors)
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
                if (neighbors)
                    forward_neighbors(post, &w, z_row, x, some, words, out + at, row_codes,
                                      codes + height * width * channels);
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

DLZ_INLINE void flush_one(double *sums, int64_t count, dlz_v *lanes) {
    float numbers[DLZ_LANES];
    dlz_store(numbers, *lanes);
    if (count >= DLZ_LANES)
        for (int half = 0; half < DLZ_LANES; half += DLZ_HALF_LANES)
            *(dlz_vdu *)(sums + half) += dlz_widen(*(const dlz_vhu *)(numbers + half));
    else
        for (int64_t i = 0; i < count; i++)
            sums[i] += (double)numbers[i];
    *lanes = (dlz_v){0};
}

DLZ_INLINE void flush(double *sums, int64_t channels, int64_t c, int64_t count, dlz_v *first,
                      dlz_v *second) {
    flush_one(sums + c, count, first);
    flush_one(sums + channels + c, count, second);
}

/* What lets the gradient pass: all of it, the sign of what relu saw, or codes. */
enum { OPEN, GATED, CODED };

/* Of one vector of channels, or several, which stay in registers. */
DLZ_INLINE void sums_of_strip(const dlz_post *post, const int gate, const int vectors, int64_t c,
                              const float *z, const float *grad, const uint8_t *codes,
                              const float *mean, double *sums) {
    int64_t channels = post->channels, pixels = post->height * post->width, left = channels - c;
    dlz_v first[2] = {{0}}, second[2] = {{0}}, center[2], scale[2], shift[2];
    dlz_v keep_scale = dlz_splat(post->keep_scale);
    bool scaled = gate == GATED && post->scale;
    DLZ_UNROLL for (int v = 0; v < vectors; v++) {
        int64_t at = c + v * DLZ_LANES, rest = left - v * DLZ_LANES;
        center[v] = dlz_load_up_to(mean + at, rest);
        scale[v] = scaled ? dlz_load_up_to(post->scale + at, rest) : dlz_splat(1);
        shift[v] = scaled ? dlz_load_up_to(post->shift + at, rest) : (dlz_v){0};
    }
    for (int64_t start = 0; start < pixels; start += RUN) {
        int64_t end = start + RUN < pixels ? start + RUN : pixels;
        for (int64_t at = start * channels + c; at < end * channels; at += channels)
            DLZ_UNROLL for (int v = 0; v < vectors; v++) {
                int64_t i = at + v * DLZ_LANES, rest = left - v * DLZ_LANES;
                dlz_v value = dlz_load_up_to(z + i, rest), g = dlz_load_up_to(grad + i, rest);
                if (gate == CODED)
                    g = (dlz_v)((dlz_vi)(g * keep_scale) & (load_codes(codes + i, rest) >= 0));
                if (gate == GATED)
                    g = dlz_gated(g, dlz_fma(value, scale[v], shift[v]));
                first[v] += g;
                second[v] = dlz_fma(g, value - center[v], second[v]);
            }
        DLZ_UNROLL for (int v = 0; v < vectors; v++)
            flush(sums, channels, c + v * DLZ_LANES, left - v * DLZ_LANES, &first[v], &second[v]);
    }
}

DLZ_INLINE void sums_of_pixels(const dlz_post *post, const int gate, const float *z,
                               const float *grad, const uint8_t *codes, const float *mean,
                               double *sums) {
    int64_t c = 0;
    for (; c + 2 * DLZ_LANES <= post->channels; c += 2 * DLZ_LANES)
        sums_of_strip(post, gate, 2, c, z, grad, codes, mean, sums);
    for (; c < post->channels; c += DLZ_LANES)
        sums_of_strip(post, gate, 1, c, z, grad, codes, mean, sums);
}

static void add_sums(const dlz_post *post, const float *z, const float *grad, const uint8_t *codes,
                     const float *mean, double *sums) {
    if (codes)
        sums_of_pixels(post, CODED, z, grad, codes, mean, sums);
    else if (post->relu)
        sums_of_pixels(post, GATED, z, grad, NULL, mean, sums);
    else
        sums_of_pixels(post, OPEN, z, grad, NULL, mean, sums);
}

static void sums_together(const dlz_post *post, const together *wide, const float *z,
                          const float *grad, const uint8_t *codes, const float *mean,
                          double *sums) {
    float means[MOST_TOGETHER];
    double part[2 * MOST_TOGETHER] = {0};
    int64_t channels = post->channels, done = wide->post.width * wide->post.channels;
    repeated(mean, channels, wide->pixels, means);
    add_sums(&wide->post, z, grad, codes, means, part);
    for (int64_t i = 0; i < 2 * wide->post.channels; i++)
        sums[(i >= wide->post.channels ? channels : 0) + i % channels] += part[i];
    dlz_post rest = rest_of(post, wide);
    add_sums(&rest, z + done, grad + done, codes ? codes + done : NULL, mean, sums);
}

static void pooled_sums(const dlz_post *post, const float *z, const float *grad,
                        const uint8_t *codes, const float *mean, double *sums) {
    int64_t channels = post->channels, row = post->width * channels;
    int64_t width = post->width / 2, height = post->height / 2;
    for (int64_t c = 0; c < channels; c += DLZ_LANES) {
        int64_t left = channels - c, run = 0;
        dlz_v first = {0}, second = {0}, center = dlz_load_up_to(mean + c, left);
        for (int64_t y = 0; y < height; y++)
            for (int64_t x = 0; x < width; x++) {
                int64_t at = (y * width + x) * channels + c;
                const float *window = z + 2 * y * row + 2 * x * channels + c;
                dlz_vi code = load_codes(codes + at, left);
                dlz_v value = dlz_load_up_to(window, left);
                value = dlz_select(code == 1, dlz_load_up_to(window + channels, left), value);
                value = dlz_select(code == 2, dlz_load_up_to(window + row, left), value);
                value = dlz_select(code == 3, dlz_load_up_to(window + row + channels, left), value);
                dlz_v g = dlz_load_up_to(grad + at, left) * dlz_splat(post->keep_scale);
                g = (dlz_v)((dlz_vi)g & (code >= 0));
                first += g;
                second += g * (value - center);
                if (++run == RUN) {
                    run = 0;
                    flush(sums, channels, c, left, &first, &second);
                }
            }
        flush(sums, channels, c, left, &first, &second);
    }
}

static void backward_sums(const dlz_post *post, const float *z, const float *grad,
                          const uint8_t *codes, const float *mean, double *sums) {
    together wide;
    for (int64_t c = 0; c < 2 * post->channels; c++)
        sums[c] = 0;
    if (post->pool)
        pooled_sums(post, z, grad, codes, mean, sums);
    else if (sees_together(post, &wide))
        sums_together(post, &wide, z, grad, codes, mean, sums);
    else
        add_sums(post, z, grad, codes, mean, sums);
}

/* -- The gradient ---------------------------------------------------------------------------------
 */

DLZ_INLINE void gradient_of_strip(const dlz_post *post, const int gate, const bool normed,
                                  const int vectors, int64_t c, const float *z, const float *grad,
                                  const uint8_t *codes, const dlz_post_factors *factors,
                                  float *dz) {
    int64_t channels = post->channels, left = channels - c;
    int64_t end = post->height * post->width * channels;
    dlz_v a[2], b[2], center[2], d[2], scale[2], shift[2], keep_scale = dlz_splat(post->keep_scale);
    bool scaled = gate == GATED && post->scale;
    DLZ_UNROLL for (int v = 0; v < vectors; v++) {
        int64_t at = c + v * DLZ_LANES, rest = left - v * DLZ_LANES;
        a[v] = dlz_load_up_to(factors->a + at, rest);
        if (normed) {
            b[v] = dlz_load_up_to(factors->b + at, rest);
            center[v] = dlz_load_up_to(factors->center + at, rest);
            d[v] = dlz_load_up_to(factors->d + at, rest);
        }
        scale[v] = scaled ? dlz_load_up_to(post->scale + at, rest) : dlz_splat(1);
        shift[v] = scaled ? dlz_load_up_to(post->shift + at, rest) : (dlz_v){0};
    }
    for (int64_t at = c; at < end; at += channels)
        DLZ_UNROLL for (int v = 0; v < vectors; v++) {
            int64_t i = at + v * DLZ_LANES, rest = left - v * DLZ_LANES;
            dlz_v value = {0}, g = dlz_load_up_to(grad + i, rest);
            if (normed || gate == GATED)
                value = dlz_load_up_to(z + i, rest);
            if (gate == CODED)
                g = (dlz_v)((dlz_vi)(g * keep_scale) & (load_codes(codes + i, rest) >= 0));
            if (gate == GATED)
                g = dlz_gated(g, dlz_fma(value, scale[v], shift[v]));
            g = normed ? dlz_fma(g, a[v], dlz_fma(value - center[v], b[v], d[v])) : g * a[v];
            dlz_store_up_to(dz + i, g, rest);
        }
}

DLZ_INLINE void gradient_of_pixels(const dlz_post *post, const int gate, const bool normed,
                                   const float *z, const float *grad, const uint8_t *codes,
                                   const dlz_post_factors *factors, float *dz) {
    int64_t c = 0;
    for (; c + 2 * DLZ_LANES <= post->channels; c += 2 * DLZ_LANES)
        gradient_of_strip(post, gate, normed, 2, c, z, grad, codes, factors, dz);
    for (; c < post->channels; c += DLZ_LANES)
        gradient_of_strip(post, gate, normed, 1, c, z, grad, codes, factors, dz);
}

DLZ_INLINE void gradient_of_gate(const dlz_post *post, const int gate, const float *z,
                                 const float *grad, const uint8_t *codes,
                                 const dlz_post_factors *factors, float *dz) {
    if (factors->b)
        gradient_of_pixels(post, gate, true, z, grad, codes, factors, dz);
    else
        gradient_of_pixels(post, gate, false, z, grad, codes, factors, dz);
}

static void gradient(const dlz_post *post, const float *z, const float *grad, const uint8_t *codes,
                     const dlz_post_factors *factors, float *dz) {
    if (codes)
        gradient_of_gate(post, CODED, z, grad, codes, factors, dz);
    else if (post->relu)
        gradient_of_gate(post, GATED, z, grad, NULL, factors, dz);
    else
        gradient_of_gate(post, OPEN, z, grad, NULL, factors, dz);
}

static void gradient_together(const dlz_post *post, const together *wide, const float *z,
                              const float *grad, const uint8_t *codes,
                              const dlz_post_factors *factors, float *dz) {
    float room[4][MOST_TOGETHER];
    int64_t channels = post->channels, done = wide->post.width * wide->post.channels;
    const dlz_post_factors repeated_factors = {
        repeated(factors->a, channels, wide->pixels, room[0]),
        repeated(factors->b, channels, wide->pixels, room[1]),
        repeated(factors->center, channels, wide->pixels, room[2]),
        repeated(factors->d, channels, wide->pixels, room[3])};
    gradient(&wide->post, z, grad, codes, &repeated_factors, dz);
    dlz_post rest = rest_of(post, wide);
    gradient(&rest, z + done, grad + done, codes ? codes + done : NULL, factors, dz + done);
}

DLZ_INLINE void pooled_row(const dlz_post *post, const bool normed, const float *z,
                           const float *grad, const uint8_t *codes, const dlz_post_factors *factors,
                           float *dz) {
    int64_t channels = post->channels, row = post->width * channels;
    for (int64_t x = 0; x < post->width / 2; x++)
        for (int64_t c = 0; c < channels; c += DLZ_LANES) {
            int64_t left = channels - c, at = x * channels + c;
            dlz_vi code = load_codes(codes + at, left);
            dlz_v slope = {0}, offset = {0}, center = {0};
            if (normed) {
                slope = dlz_load_up_to(factors->b + c, left);
                offset = dlz_load_up_to(factors->d + c, left);
                center = dlz_load_up_to(factors->center + c, left);
            }
            dlz_v g = dlz_load_up_to(grad + at, left) * dlz_splat(post->keep_scale) *
                      dlz_load_up_to(factors->a + c, left);
            const float *from = z + 2 * x * channels + c;
            float *to = dz + 2 * x * channels + c;
            for (int place = 0; place < 4; place++) {
                int64_t step = (place & 1) * channels + (place >> 1) * row;
                dlz_v here = (dlz_v)((dlz_vi)g & (code == place));
                if (normed)
                    here += dlz_fma(dlz_load_up_to(from + step, left) - center, slope, offset);
                dlz_store_up_to(to + step, here, left);
            }
        }
}

/* Few channels: a vector's windows are two vectors of each of two rows. */
typedef struct neighbors {
    dlz_vi from[2], column[2]; /* of each vector's lanes: the window, and which of its columns */
    dlz_v a, b[2], center[2], d[2];
} neighbors;

static neighbors neighbors_of(const dlz_post *post, const dlz_post_factors *factors) {
    neighbors n = {.a = for_pixels(factors->a, post->channels) * dlz_splat(post->keep_scale)};
    int64_t channels = post->channels;
    for (int i = 0; i < 2 * DLZ_LANES; i++) {
        int64_t pixel = i / channels, c = i % channels;
        int half = i / DLZ_LANES, lane = i % DLZ_LANES;
        n.from[half][lane] = (int32_t)((pixel / 2 * channels + c) % DLZ_LANES);
        n.column[half][lane] = (int32_t)(pixel % 2);
        n.b[half][lane] = factors->b ? factors->b[c] : 0;
        n.center[half][lane] = factors->b ? factors->center[c] : 0;
        n.d[half][lane] = factors->b ? factors->d[c] : 0;
    }
    return n;
}

DLZ_INLINE void neighbors_row(const dlz_post *post, const neighbors *n, const bool normed,
                              const float *z, const float *grad, const uint8_t *codes,
                              const uint8_t *codes_end, float *dz) {
    int64_t channels = post->channels, row = post->width * channels, width = post->width / 2;
    int64_t most = DLZ_LANES / channels;
    for (int64_t x = 0; x < width; x += most) {
        int64_t some = x + most < width ? most : width - x, count = some * channels;
        int64_t at = x * channels;
        dlz_v g = dlz_load_up_to(grad + at, count) * n->a;
        dlz_v code = (dlz_v)load_codes_before(codes_end, codes + at, count);
        for (int half = 0; half < 2 && half * DLZ_LANES < 2 * count; half++) {
            int64_t left = 2 * count - half * DLZ_LANES, to = 2 * at + half * DLZ_LANES;
            dlz_vi gradients = (dlz_vi)dlz_pick(g, g, n->from[half]);
            dlz_vi place = (dlz_vi)dlz_pick(code, code, n->from[half]) - n->column[half];
            for (int down = 0; down < 2; down++, to += row) {
                dlz_v here = (dlz_v)(gradients & (place == 2 * down));
                if (normed)
                    here += dlz_fma(dlz_load_up_to(z + to, left) - n->center[half], n->b[half],
                                    n->d[half]);
                dlz_store_up_to(dz + to, here, left);
            }
        }
    }
}

/* The odd row and column that no window holds. */
static void gradient_of_edges(const dlz_post *post, const float *z, const dlz_post_factors *factors,
                              float *dz) {
    int64_t height = post->height / 2, width = post->width / 2, channels = post->channels;
    for (int64_t y = 0; y < post->height; y++)
        for (int64_t x = y < 2 * height ? 2 * width : 0; x < post->width; x++)
            for (int64_t c = 0; c < channels; c++) {
                int64_t at = (y * post->width + x) * channels + c;
                dz[at] =
                    factors->b ? (z[at] - factors->center[c]) * factors->b[c] + factors->d[c] : 0;
            }
}

static void pooled_gradient(const dlz_post *post, const float *z, const float *grad,
                            const uint8_t *codes, const dlz_post_factors *factors, float *dz) {
    int64_t height = post->height / 2, channels = post->channels, row = post->width * channels;
    int64_t pooled_size = post->width / 2 * channels;
    const uint8_t *codes_end = codes + height * pooled_size;
    neighbors n;
    bool few = pools_neighbors(post);
    if (few)
        n = neighbors_of(post, factors);
    for (int64_t y = 0; y < height; y++, codes += pooled_size, grad += pooled_size) {
        const float *from = z + 2 * y * row;
        float *to = dz + 2 * y * row;
        if (few && factors->b)
            neighbors_row(post, &n, true, from, grad, codes, codes_end, to);
        else if (few)
            neighbors_row(post, &n, false, from, grad, codes, codes_end, to);
        else if (factors->b)
            pooled_row(post, true, from, grad, codes, factors, to);
        else
            pooled_row(post, false, from, grad, codes, factors, to);
    }
    gradient_of_edges(post, z, factors, dz);
}

static void backward(const dlz_post *post, const float *z, const float *grad, const uint8_t *codes,
                     const dlz_post_factors *factors, float *dz) {
    together wide;
    if (post->pool)
        pooled_gradient(post, z, grad, codes, factors, dz);
    else if (sees_together(post, &wide))
        gradient_together(post, &wide, z, grad, codes, factors, dz);
    else
        gradient(post, z, grad, codes, factors, dz);
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
