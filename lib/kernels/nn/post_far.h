/* kernels/nn/post_far.h - the way back of post.c for channels whose deviation is so large, or so
 * small, that float32 holds neither its products with gradients nor b: private to it. Deviations are
 * brought near 1 first, by a power of two, which takes no digit. Rare, so all kinds share one loop. */
#ifndef DLZ_KERNELS_NN_POST_FAR_H
#define DLZ_KERNELS_NN_POST_FAR_H

#include "kernels/nn/post_lanes.h"

/* The gradient that reaches a vector of channels of one pixel, whose z is `value`. */
static dlz_v far_gradient_at(const dlz_post *post, const float *grad, const uint8_t *codes,
                             int64_t y, int64_t x, int64_t c, dlz_v value) {
    int64_t left = post->channels - c, width = post->width;
    int32_t place = (int32_t)(y % 2 * 2 + x % 2);
    if (post->pool) {
        width /= 2;
        y /= 2;
        x /= 2;
        if (y >= post->height / 2 || x >= width)
            return (dlz_v){0};
    }
    int64_t at = (y * width + x) * post->channels + c;
    dlz_v g = dlz_load_up_to(grad + at, left);
    if (codes) {
        dlz_vi code = load_codes(codes + at, left);
        dlz_vi passes = post->pool ? code == place : code >= 0;
        return (dlz_v)((dlz_vi)(g * dlz_splat(post->keep_scale)) & passes);
    }
    if (post->relu)
        return dlz_gated(g, post->scale ? dlz_fma(value, dlz_load_up_to(post->scale + c, left),
                                                  dlz_load_up_to(post->shift + c, left))
                                        : value);
    return g;
}

/* What a vector of channels' deviations are multiplied by: those that are too large before a
 * difference may overflow, those that are too small after it. */
typedef struct far_lanes {
    dlz_v down, up, center;
} far_lanes;

static far_lanes far_lanes_of(const dlz_post *post, const float *center, int64_t c) {
    int64_t left = post->channels - c;
    dlz_v reach = dlz_load_up_to(post->reach + c, left), one = dlz_splat(1);
    far_lanes lanes = {.down = dlz_select((dlz_vi)(reach < one), reach, one),
                       .up = dlz_select((dlz_vi)(reach > one), reach, one)};
    lanes.center = dlz_load_up_to(center + c, left) * lanes.down;
    return lanes;
}

DLZ_INLINE dlz_v far_deviation(far_lanes lanes, dlz_v value) {
    return (dlz_fma(value, lanes.down, -lanes.center)) * lanes.up;
}

static void far_sums(const dlz_post *post, const float *z, const float *grad, const uint8_t *codes,
                     const float *mean, double *sums) {
    int64_t channels = post->channels;
    for (int64_t c = 0; c < channels; c += DLZ_LANES) {
        int64_t left = channels - c, run = 0;
        far_lanes lanes = far_lanes_of(post, mean, c);
        dlz_v first = {0}, second = {0};
        for (int64_t y = 0; y < post->height; y++)
            for (int64_t x = 0; x < post->width; x++) {
                dlz_v value = dlz_load_up_to(z + (y * post->width + x) * channels + c, left);
                dlz_v g = far_gradient_at(post, grad, codes, y, x, c, value);
                first += g;
                second = dlz_fma(g, far_deviation(lanes, value), second);
                if (++run == RUN) {
                    run = 0;
                    flush(sums, channels, c, left, &first, &second);
                }
            }
        flush(sums, channels, c, left, &first, &second);
    }
}

static void far_backward(const dlz_post *post, const float *z, const float *grad,
                         const uint8_t *codes, const dlz_post_factors *factors, float *dz) {
    int64_t channels = post->channels;
    for (int64_t c = 0; c < channels; c += DLZ_LANES) {
        int64_t left = channels - c;
        far_lanes lanes = far_lanes_of(post, factors->center, c);
        dlz_v a = dlz_load_up_to(factors->a + c, left), b = dlz_load_up_to(factors->b + c, left);
        dlz_v d = dlz_load_up_to(factors->d + c, left);
        for (int64_t y = 0; y < post->height; y++)
            for (int64_t x = 0; x < post->width; x++) {
                int64_t at = (y * post->width + x) * channels + c;
                dlz_v value = dlz_load_up_to(z + at, left);
                dlz_v g = far_gradient_at(post, grad, codes, y, x, c, value);
                dlz_v rest = dlz_fma(far_deviation(lanes, value), b, d);
                dlz_store_up_to(dz + at, dlz_fma(g, a, rest), left);
            }
    }
}

#endif
