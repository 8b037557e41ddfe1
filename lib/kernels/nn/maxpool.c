#include "kernels/nn/maxpool.h"
#include "isa/isa.h"

#include <stddef.h>
#include <string.h>

/* Vectors of channels that are computed together, in registers. */
#if DLZ_REGISTERS == 32
enum { MOST_VECTORS = 4 };
#else
enum { MOST_VECTORS = 2 };
#endif

/* Pixels or windows first … end − 1. */
typedef struct range {
    int64_t first, end;
} range;

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Of a window, without what lies outside the image. */
static range pixels_of(int64_t at, int64_t kernel, int64_t stride, int64_t padding, int64_t size) {
    int64_t start = at * stride - padding;
    return (range){most(start, 0), least(start + kernel, size)};
}

/* Of the windows that hold a pixel. */
static range windows_of(int64_t pixel, int64_t kernel, int64_t stride, int64_t padding,
                        int64_t count) {
    int64_t place = pixel + padding;
    return (range){place < kernel ? 0 : (place - kernel) / stride + 1,
                   least(place / stride + 1, count)};
}

DLZ_INLINE void store_places(int32_t *to, dlz_vi places, int64_t left) {
    if (left >= DLZ_LANES)
        *(dlz_viu *)to = places;
    else
        dlz_store_first_integers(to, places, (int)left);
}

/* -- Forward --------------------------------------------------------------------------------------
 */

/* What a strip's lanes are: channels of one window, whole vectors but for the last one; or, where
 * channels are few, those of windows next to each other, one column of the image apart or two. */
enum { CHANNELS, NEIGHBORS, EVERY_OTHER };

/* Channels of all windows of a row, and what is pending on them. Numbers are compared times `sign`,
 * the sign of scale: where scale is 0 all are equal, but for what becomes NaN. */
typedef struct strip {
    int64_t lanes;      /* that count, in all vectors */
    dlz_vi from, steps; /* of neighbors: their places in two vectors, and columns apart */
    dlz_v sign[MOST_VECTORS], scale[MOST_VECTORS], shift[MOST_VECTORS];
} strip;

DLZ_INLINE void set_pending(strip *s, int v, dlz_v scale, dlz_v shift) {
    dlz_v zero = {0}, one = dlz_splat(1);
    s->scale[v] = scale;
    s->shift[v] = shift;
    s->sign[v] = dlz_select((dlz_vi)(scale > zero), one, zero);
    s->sign[v] = dlz_select((dlz_vi)(scale < zero), -one, s->sign[v]);
}

DLZ_INLINE strip strip_of(const dlz_maxpool *pool, const bool pending, const int vectors,
                          int64_t c) {
    strip s = {.lanes = pool->channels - c};
    for (int v = 0; pending && v < vectors; v++) {
        int64_t left = s.lanes - v * DLZ_LANES;
        set_pending(&s, v, dlz_load_up_to(pool->scale + c + v * DLZ_LANES, left),
                    dlz_load_up_to(pool->shift + c + v * DLZ_LANES, left));
    }
    return s;
}

DLZ_INLINE strip neighbors_of(const dlz_maxpool *pool, const bool pending) {
    strip s = {0};
    int64_t channels = pool->channels, stride = pool->stride[1];
    dlz_v scale = {0}, shift = {0};
    for (int i = 0; i < DLZ_LANES; i++) {
        int64_t window = i / channels, c = i % channels;
        s.steps[i] = (int32_t)(window * stride);
        s.from[i] = (int32_t)((window * stride * channels + c) % (2 * DLZ_LANES));
        scale[i] = pending ? pool->scale[c] : 0;
        shift[i] = pending ? pool->shift[c] : 0;
    }
    set_pending(&s, 0, scale, shift);
    return s;
}

DLZ_INLINE dlz_v compared(const strip *s, const int way, const bool pending, int v,
                          const float *from, int64_t span) {
    dlz_v value;
    if (way == EVERY_OTHER) {
        dlz_v first = dlz_load_up_to(from, span), second = {0};
        if (span > DLZ_LANES)
            second = dlz_load_up_to(from + DLZ_LANES, span - DLZ_LANES);
        value = dlz_pick(first, second, s->from);
    } else {
        value = dlz_load_up_to(from + v * DLZ_LANES, s->lanes - v * DLZ_LANES);
    }
    return pending ? value * s->sign[v] : value;
}

/* One window of a strip, or the first of its neighbors. `span`: numbers that neighbors reach over. */
DLZ_INLINE void maximum(const dlz_maxpool *pool, const strip *s, const int way, const int vectors,
                        const bool pending, range rows, range columns, int64_t span,
                        const float *image, float *out, int32_t *winners) {
    int64_t channels = pool->channels;
    dlz_v best[MOST_VECTORS];
    dlz_vi place[MOST_VECTORS];
    int64_t at = rows.first * pool->width + columns.first;
    DLZ_UNROLL for (int v = 0; v < vectors; v++) {
        best[v] = compared(s, way, pending, v, image + at * channels, span);
        place[v] = (int32_t)at - (dlz_vi){0};
    }
    for (int64_t y = rows.first; y < rows.end; y++) {
        at = y * pool->width + columns.first;
        const float *from = image + at * channels;
        for (int64_t x = columns.first; x < columns.end; x++, at++, from += channels) {
            DLZ_UNROLL for (int v = 0; v < vectors; v++) {
                dlz_v value = compared(s, way, pending, v, from, span);
                dlz_vi wins = (dlz_vi)(value > best[v]) | (dlz_vi)(value != value);
                best[v] = dlz_select(wins, value, best[v]);
                if (winners)
                    place[v] = (wins & ((int32_t)at - (dlz_vi){0})) | (~wins & place[v]);
            }
        }
    }
    DLZ_UNROLL for (int v = 0; v < vectors; v++) {
        int64_t left = s->lanes - v * DLZ_LANES;
        if (pending)
            best[v] = dlz_fma(best[v] * s->sign[v], s->scale[v], s->shift[v]);
        if (pending && pool->relu)
            best[v] = dlz_gated(best[v], best[v]);
        dlz_store_up_to(out + v * DLZ_LANES, best[v], left);
        if (winners)
            store_places(winners + v * DLZ_LANES, way == CHANNELS ? place[v] : place[v] + s->steps,
                         left);
    }
}

DLZ_INLINE void maximum_strip(const dlz_maxpool *pool, const int vectors, const bool pending,
                              range rows, int64_t c, const float *image, float *out,
                              int32_t *winners) {
    strip s = strip_of(pool, pending, vectors, c);
    for (int64_t x = 0; x < pool->out_width; x++) {
        range columns =
            pixels_of(x, pool->kernel[1], pool->stride[1], pool->padding[1], pool->width);
        int64_t at = x * pool->channels + c;
        maximum(pool, &s, CHANNELS, vectors, pending, rows, columns, 0, image + c, out + at,
                winners ? winners + at : NULL);
    }
}

static bool has_neighbors(const dlz_maxpool *pool) {
    return 2 * pool->channels <= DLZ_LANES && pool->stride[1] <= 2;
}

/* Few channels: as many windows as fit a vector, where they lie inside the image; others alone. */
DLZ_INLINE void maximum_neighbors(const dlz_maxpool *pool, strip *s, const int way,
                                  const bool pending, range rows, const float *image, float *out,
                                  int32_t *winners) {
    int64_t channels = pool->channels, kernel = pool->kernel[1], stride = pool->stride[1];
    int64_t padding = pool->padding[1], most_windows = DLZ_LANES / channels;
    int64_t first =
        (padding + stride - 1) / stride; /* the first window inside, the last one's end */
    int64_t end = least((pool->width + padding - kernel) / stride + 1, pool->out_width);
    for (int64_t x = 0, windows = 1; x < pool->out_width; x += windows) {
        bool inside = x >= first && x < end && pool->width + padding >= kernel;
        windows = inside ? least(most_windows, end - x) : 1;
        range columns = pixels_of(x, kernel, stride, padding, pool->width);
        int32_t *places = winners ? winners + x * channels : NULL;
        s->lanes = windows * channels;
        maximum(pool, s, way, 1, pending, rows, columns, ((windows - 1) * stride + 1) * channels,
                image, out + x * channels, places);
    }
}

/* Compiled with winners and without, with something pending and without. */
DLZ_INLINE void maximum_rows(const dlz_maxpool *pool, const bool pending, const float *image,
                             int64_t first, int64_t end, float *out, int32_t *winners) {
    int64_t channels = pool->channels, row = pool->out_width * channels;
    bool neighbors = has_neighbors(pool);
    strip few;
    if (neighbors)
        few = neighbors_of(pool, pending);
    for (int64_t y = first; y < end; y++) {
        range rows = pixels_of(y, pool->kernel[0], pool->stride[0], pool->padding[0], pool->height);
        float *to = out + y * row;
        int32_t *places = winners ? winners + y * row : NULL;
        int64_t c = 0;
        for (; c + MOST_VECTORS * DLZ_LANES <= channels; c += MOST_VECTORS * DLZ_LANES)
            maximum_strip(pool, MOST_VECTORS, pending, rows, c, image, to, places);
        for (; MOST_VECTORS == 4 && c + 2 * DLZ_LANES <= channels; c += 2 * DLZ_LANES)
            maximum_strip(pool, 2, pending, rows, c, image, to, places);
        for (; !neighbors && c < channels; c += DLZ_LANES)
            maximum_strip(pool, 1, pending, rows, c, image, to, places);
        if (neighbors && pool->stride[1] == 2)
            maximum_neighbors(pool, &few, EVERY_OTHER, pending, rows, image, to, places);
        else if (neighbors)
            maximum_neighbors(pool, &few, NEIGHBORS, pending, rows, image, to, places);
    }
}

static void forward(const dlz_maxpool *pool, const float *image, int64_t first, int64_t end,
                    float *out, int32_t *winners) {
    if (pool->scale && winners)
        maximum_rows(pool, true, image, first, end, out, winners);
    else if (pool->scale)
        maximum_rows(pool, true, image, first, end, out, NULL);
    else if (winners)
        maximum_rows(pool, false, image, first, end, out, winners);
    else
        maximum_rows(pool, false, image, first, end, out, NULL);
}

/* -- Backward -------------------------------------------------------------------------------------
 */

/* Whether pixels look for the windows that they won, rather than that gradients are brought to the
 * winners one by one: where vectors are long and full, and windows to look at are few. */
static bool looks_for_windows(const dlz_maxpool *pool) {
    int64_t windows = 1;
    for (int axis = 0; axis < 2; axis++)
        windows *= (pool->kernel[axis] + pool->stride[axis] - 1) / pool->stride[axis];
    return DLZ_LANES == 16 && pool->channels >= 32 && pool->channels % DLZ_LANES == 0 &&
           windows <= 9;
}

/* Channels from c on of a row of pixels, each of which looks for the windows that it won. */
DLZ_INLINE void gather_strip(const dlz_maxpool *pool, const int vectors, range rows, int64_t y,
                             int64_t c, const float *out_gradient, const int32_t *winners,
                             float *to) {
    int64_t channels = pool->channels;
    for (int64_t x = 0; x < pool->width; x++) {
        range columns =
            windows_of(x, pool->kernel[1], pool->stride[1], pool->padding[1], pool->out_width);
        dlz_vi pixel = (int32_t)(y * pool->width + x) - (dlz_vi){0};
        dlz_v sum[MOST_VECTORS];
        DLZ_UNROLL for (int v = 0; v < vectors; v++) sum[v] = (dlz_v){0};
        for (int64_t row = rows.first; row < rows.end; row++) {
            int64_t at = (row * pool->out_width + columns.first) * channels + c;
            for (int64_t column = columns.first; column < columns.end; column++, at += channels) {
                DLZ_UNROLL for (int v = 0; v < vectors; v++) {
                    int64_t i = at + v * DLZ_LANES;
                    dlz_vi won = *(const dlz_viu *)(winners + i) == pixel;
                    sum[v] += (dlz_v)((dlz_vi)dlz_load(out_gradient + i) & won);
                }
            }
        }
        DLZ_UNROLL for (int v = 0; v < vectors; v++) dlz_store_up_to(
            to + x * channels + c + v * DLZ_LANES, sum[v], channels - c - v * DLZ_LANES);
    }
}

static void gather(const dlz_maxpool *pool, const float *out_gradient, const int32_t *winners,
                   int64_t first, int64_t end, float *image_gradient) {
    int64_t channels = pool->channels;
    for (int64_t y = first; y < end; y++) {
        range rows =
            windows_of(y, pool->kernel[0], pool->stride[0], pool->padding[0], pool->out_height);
        float *to = image_gradient + y * pool->width * channels;
        int64_t c = 0;
        for (; c + MOST_VECTORS * DLZ_LANES <= channels; c += MOST_VECTORS * DLZ_LANES)
            gather_strip(pool, MOST_VECTORS, rows, y, c, out_gradient, winners, to);
        for (; MOST_VECTORS == 4 && c + 2 * DLZ_LANES <= channels; c += 2 * DLZ_LANES)
            gather_strip(pool, 2, rows, y, c, out_gradient, winners, to);
        for (; c < channels; c += DLZ_LANES)
            gather_strip(pool, 1, rows, y, c, out_gradient, winners, to);
    }
}

/* Brings a row of windows' gradients to the winners among pixels first … end − 1. */
DLZ_INLINE void spread(const bool all, int64_t windows, int64_t channels, int64_t first,
                       int64_t end, const float *out_gradient, const int32_t *winners,
                       float *image_gradient) {
    for (int64_t i = 0; i < windows; i++, out_gradient += channels, winners += channels)
        for (int64_t c = 0; c < channels; c++)
            if (all || (winners[c] >= first && winners[c] < end))
                image_gradient[winners[c] * channels + c] += out_gradient[c];
}

static void backward(const dlz_maxpool *pool, const float *out_gradient, const int32_t *winners,
                     int64_t first, int64_t end, float *image_gradient) {
    int64_t channels = pool->channels, row = pool->out_width * channels;
    int64_t from = first * pool->width, to = end * pool->width;
    if (looks_for_windows(pool)) {
        gather(pool, out_gradient, winners, first, end, image_gradient);
        return;
    }
    memset(image_gradient + from * channels, 0,
           (size_t)((to - from) * channels) * sizeof *image_gradient);
    for (int64_t y = 0; y < pool->out_height; y++) {
        range rows = pixels_of(y, pool->kernel[0], pool->stride[0], pool->padding[0], pool->height);
        if (rows.first >= first && rows.end <= end)
            spread(true, pool->out_width, channels, from, to, out_gradient + y * row,
                   winners + y * row, image_gradient);
        else if (rows.first < end && rows.end > first)
            spread(false, pool->out_width, channels, from, to, out_gradient + y * row,
                   winners + y * row, image_gradient);
    }
}

const dlz_maxpool_table DLZ_VARIANT(dlz_maxpool_kernels) = {forward, backward};
