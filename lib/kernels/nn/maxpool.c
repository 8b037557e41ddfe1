#include "kernels/nn/maxpool.h"
#include "isa/isa.h"

#include <stddef.h>

/* A window without what lies outside the image. */
typedef struct window {
    int64_t top, bottom, left, right;
    int64_t width, channels; /* of the image */
} window;

/* `left` channels of one window, a vector at most, which stays in registers. */
DLZ_INLINE void maximum_part(const window *w, const float *image, int left, float *out,
                             int32_t *winners) {
    int64_t at = w->top * w->width + w->left;
    dlz_v best = dlz_load_up_to(image + at * w->channels, left);
    dlz_vi place = (int32_t)at - (dlz_vi){0};
    for (int64_t y = w->top; y < w->bottom; y++) {
        at = y * w->width + w->left;
        const float *from = image + at * w->channels;
        for (int64_t x = w->left; x < w->right; x++, at++, from += w->channels) {
            dlz_v value = dlz_load_up_to(from, left);
            dlz_vi wins = (dlz_vi)(value > best) | (dlz_vi)(value != value);
            best = dlz_select(wins, value, best);
            if (winners)
                place = (wins & ((int32_t)at - (dlz_vi){0})) | (~wins & place);
        }
    }
    dlz_store_up_to(out, best, left);
    if (winners && left == DLZ_LANES)
        *(dlz_viu *)winners = place;
    for (int i = 0; winners && left < DLZ_LANES && i < left; i++)
        winners[i] = place[i];
}

DLZ_INLINE void maximum_pixel(const window *w, const float *image, float *out, int32_t *winners) {
    int64_t channels = w->channels, c = 0;
    for (; c + DLZ_LANES <= channels; c += DLZ_LANES)
        maximum_part(w, image + c, DLZ_LANES, out + c, winners ? winners + c : NULL);
    if (c < channels)
        maximum_part(w, image + c, (int)(channels - c), out + c, winners ? winners + c : NULL);
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Compiled with winners and without. */
DLZ_INLINE void maximum_rows(const dlz_maxpool *pool, const float *image, int64_t first,
                             int64_t end, float *out, int32_t *winners) {
    window w = {.width = pool->width, .channels = pool->channels};
    int64_t at = first * pool->out_width * pool->channels;
    for (int64_t y = first; y < end; y++) {
        int64_t top = y * pool->stride[0] - pool->padding[0];
        w.top = most(top, 0);
        w.bottom = least(top + pool->kernel[0], pool->height);
        for (int64_t x = 0; x < pool->out_width; x++, at += pool->channels) {
            int64_t left = x * pool->stride[1] - pool->padding[1];
            w.left = most(left, 0);
            w.right = least(left + pool->kernel[1], pool->width);
            maximum_pixel(&w, image, out + at, winners ? winners + at : NULL);
        }
    }
}

static void forward(const dlz_maxpool *pool, const float *image, int64_t first, int64_t end,
                    float *out, int32_t *winners) {
    if (winners)
        maximum_rows(pool, image, first, end, out, winners);
    else
        maximum_rows(pool, image, first, end, out, NULL);
}

static void backward(const dlz_maxpool *pool, const float *out_gradient, const int32_t *winners,
                     float *image_gradient) {
    int64_t channels = pool->channels, pixels = pool->out_height * pool->out_width;
    for (int64_t i = 0; i < pixels; i++, out_gradient += channels, winners += channels)
        for (int64_t c = 0; c < channels; c++)
            image_gradient[winners[c] * channels + c] += out_gradient[c];
}

const dlz_maxpool_table DLZ_VARIANT(dlz_maxpool_kernels) = {forward, backward};
