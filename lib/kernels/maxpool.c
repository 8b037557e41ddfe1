#include "kernels/maxpool.h"
#include "kernels/isa.h"

#include <stdbool.h>

typedef float four __attribute__((vector_size(16)));
typedef float four_anywhere __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t four_places __attribute__((vector_size(16)));
typedef int32_t four_places_anywhere __attribute__((vector_size(16), aligned(4), may_alias));

/* A window without what lies outside the image. */
typedef struct window {
    int64_t top, bottom, left, right;
    int64_t width, channels; /* of the image */
} window;

/* Some channels of one window: a vector of them, which stays in registers. */
#define DEFINE_MAXIMUM(name, vector, anywhere, places, places_anywhere)                            \
    DLZ_INLINE void name(const window *w, const float *image, float *out, int32_t *winners) {      \
        int64_t at = w->top * w->width + w->left;                                                  \
        vector best = *(const anywhere *)(image + at * w->channels);                               \
        places place = (int32_t)at - (places){0};                                                  \
        for (int64_t y = w->top; y < w->bottom; y++) {                                             \
            at = y * w->width + w->left;                                                           \
            const float *from = image + at * w->channels;                                          \
            for (int64_t x = w->left; x < w->right; x++, at++, from += w->channels) {              \
                vector value = *(const anywhere *)from;                                            \
                places wins = (places)(value > best) | (places)(value != value);                   \
                best = (vector)((wins & (places)value) | (~wins & (places)best));                  \
                if (winners)                                                                       \
                    place = (wins & ((int32_t)at - (places){0})) | (~wins & place);                \
            }                                                                                      \
        }                                                                                          \
        *(anywhere *)out = best;                                                                   \
        if (winners)                                                                               \
            *(places_anywhere *)winners = place;                                                   \
    }

DEFINE_MAXIMUM(maximum_vector, dlz_v, dlz_vu, dlz_vi, dlz_viu)
DEFINE_MAXIMUM(maximum_four, four, four_anywhere, four_places, four_places_anywhere)

DLZ_INLINE void maximum_one(const window *w, const float *image, float *out, int32_t *winners) {
    int64_t place = w->top * w->width + w->left;
    float best = image[place * w->channels];
    for (int64_t y = w->top; y < w->bottom; y++)
        for (int64_t x = w->left; x < w->right; x++) {
            int64_t at = y * w->width + x;
            float value = image[at * w->channels];
            bool wins = (value > best) | (value != value);
            best = wins ? value : best;
            place = wins ? at : place;
        }
    *out = best;
    if (winners)
        *winners = (int32_t)place;
}

DLZ_INLINE void maximum_pixel(const window *w, const float *image, float *out, int32_t *winners) {
    int64_t channels = w->channels, c = 0;
    for (; c + DLZ_LANES <= channels; c += DLZ_LANES)
        maximum_vector(w, image + c, out + c, winners ? winners + c : NULL);
    for (; c + 4 <= channels; c += 4)
        maximum_four(w, image + c, out + c, winners ? winners + c : NULL);
    for (; c < channels; c++)
        maximum_one(w, image + c, out + c, winners ? winners + c : NULL);
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
