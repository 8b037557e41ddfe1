/* kernels/nn/post_lanes.h - how post.c fills vectors: private to it.
 *
 * Where channels are few, a vector holds those of several pixels. Without a pool it matters to nobody
 * where a pixel ends, so that pixels together are one of more channels; with one, the windows of a
 * vector's lanes are picked out of two vectors of each row. */
#ifndef DLZ_KERNELS_NN_POST_LANES_H
#define DLZ_KERNELS_NN_POST_LANES_H

#include "isa/isa.h"
#include "kernels/nn/post.h"

typedef int8_t bytes_v __attribute__((vector_size(DLZ_LANES)));
typedef int8_t bytes_vu __attribute__((vector_size(DLZ_LANES), aligned(1), may_alias));

/* Pixels whose products are added up in float before they go to double. */
#define RUN 64

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
        codes[i] =
            (int8_t)from[i]; /* NOLINT(bugprone-signed-char-misuse,cert-str34-c): is signed */
    return codes;
}

/* Sums of lanes go to double. */
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

#endif
