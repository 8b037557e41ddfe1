/* kernels/nn/post_backward.h - the way back of post.c: private to it. */
#ifndef DLZ_KERNELS_NN_POST_BACKWARD_H
#define DLZ_KERNELS_NN_POST_BACKWARD_H

#include "kernels/nn/post_far.h"
#include "kernels/nn/post_lanes.h"

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
    if (post->reach)
        far_sums(post, z, grad, codes, mean, sums);
    else if (post->pool)
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
    if (post->reach)
        far_backward(post, z, grad, codes, factors, dz);
    else if (post->pool)
        pooled_gradient(post, z, grad, codes, factors, dz);
    else if (sees_together(post, &wide))
        gradient_together(post, &wide, z, grad, codes, factors, dz);
    else
        gradient(post, z, grad, codes, factors, dz);
}

#endif
