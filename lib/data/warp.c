#include "data/warp.h"
#include "base/base.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Farther away than any pixel of any image. */
#define FAR 0x1p40

const dlz_map dlz_map_none = {.xx = 1, .yy = 1};

dlz_map dlz_map_compose(const dlz_map *first, const dlz_map *then) {
    return (dlz_map){.xx = first->xx * then->xx + first->xy * then->yx,
                     .xy = first->xx * then->xy + first->xy * then->yy,
                     .x0 = first->xx * then->x0 + first->xy * then->y0 + first->x0,
                     .yx = first->yx * then->xx + first->yy * then->yx,
                     .yy = first->yx * then->xy + first->yy * then->yy,
                     .y0 = first->yx * then->x0 + first->yy * then->y0 + first->y0};
}

static bool is_whole(const dlz_map *map) {
    return map->xy == 0 && map->yx == 0 && fabs(map->xx) == 1 && fabs(map->yy) == 1 &&
           map->x0 == floor(map->x0) && map->y0 == floor(map->y0);
}

dlz_warp dlz_warp_of(const dlz_map *map, int64_t height, int64_t width) {
    dlz_warp warp = {.height = height, .width = width, .map = *map};
    double x = (double)(width - 1) / 2, y = (double)(height - 1) / 2; /* the center */
    warp.map.x0 += x - map->xx * x - map->xy * y;
    warp.map.y0 += y - map->yx * x - map->yy * y;
    warp.whole = is_whole(&warp.map);
    warp.map.x0 = fmin(fmax(warp.map.x0, -FAR), FAR);
    warp.map.y0 = fmin(fmax(warp.map.y0, -FAR), FAR);
    return warp;
}

/* -- Whole pixels --------------------------------------------------------------------------------
 */

/* Of one axis: output i comes from start + i, or from start − i if it runs back; first … end − 1
 * come from inside. */
typedef struct span {
    int64_t start, first, end;
    bool back;
} span;

static span span_of(double factor, double start, int64_t size) {
    span s = {.start = (int64_t)start, .back = factor < 0};
    s.first = dlz_max_i64(s.back ? s.start - size + 1 : -s.start, 0);
    s.end = dlz_min_i64(s.back ? s.start + 1 : size - s.start, size);
    s.first = dlz_min_i64(s.first, size);
    s.end = dlz_max_i64(s.end, s.first);
    return s;
}

static int64_t source_of(const span *s, int64_t i) {
    return s->back ? s->start - i : s->start + i;
}

static void fill_floats(float *to, int64_t count, float fill) {
    for (int64_t i = 0; i < count; i++)
        to[i] = fill;
}

static void copy_row(const span *columns, int64_t width, const float *from, float fill, float *to) {
    fill_floats(to, columns->first, fill);
    if (columns->back)
        for (int64_t x = columns->first; x < columns->end; x++)
            to[x] = from[columns->start - x];
    else if (columns->end > columns->first)
        memcpy(to + columns->first, from + columns->start + columns->first,
               (size_t)(columns->end - columns->first) * sizeof *to);
    fill_floats(to + columns->end, width - columns->end, fill);
}

static void copy_floats(const dlz_warp *warp, const float *from, float fill, float *to) {
    int64_t width = warp->width;
    span rows = span_of(warp->map.yy, warp->map.y0, warp->height);
    span columns = span_of(warp->map.xx, warp->map.x0, width);
    fill_floats(to, rows.first * width, fill);
    for (int64_t y = rows.first; y < rows.end; y++)
        copy_row(&columns, width, from + source_of(&rows, y) * width, fill, to + y * width);
    fill_floats(to + rows.end * width, (warp->height - rows.end) * width, fill);
}

/* -- Between pixels ------------------------------------------------------------------------------
 */

/* Where an output pixel comes from: the pixel above and to the left, and how far from it. */
typedef struct place {
    int64_t x, y;
    float right, down;
} place;

/* false where no pixel has a part in it. Rounds down, for numbers above −1. */
static bool find_place(const dlz_warp *warp, double x, double y, place *p) {
    if (!(x > -1 && x < (double)warp->width && y > -1 && y < (double)warp->height))
        return false;
    p->x = (int64_t)(x + 1) - 1;
    p->y = (int64_t)(y + 1) - 1;
    p->right = (float)(x - (double)p->x);
    p->down = (float)(y - (double)p->y);
    return true;
}

static float blend(const place *p, float a, float b, float c, float d) {
    float above = a + p->right * (b - a), below = c + p->right * (d - c);
    return above + p->down * (below - above);
}

/* The same where differences are beyond float32, though no pixel is. */
static float blend_far(const place *p, float a, float b, float c, float d) {
    double right = (double)p->right, down = (double)p->down;
    double above = (1 - right) * (double)a + right * (double)b;
    double below = (1 - right) * (double)c + right * (double)d;
    return (float)((1 - down) * above + down * below);
}

static float pixel_or(const dlz_warp *warp, const float *plane, int64_t x, int64_t y, float fill) {
    bool inside = x >= 0 && x < warp->width && y >= 0 && y < warp->height;
    return inside ? plane[y * warp->width + x] : fill;
}

static inline float sample_at(const dlz_warp *warp, const float *plane, const place *p, float fill,
                              bool far) {
    int64_t width = warp->width;
    if (!far && p->x >= 0 && p->x + 1 < width && p->y >= 0 && p->y + 1 < warp->height) {
        const float *at = plane + p->y * width + p->x;
        return blend(p, at[0], at[1], at[width], at[width + 1]);
    }
    return (far ? blend_far : blend)(p, pixel_or(warp, plane, p->x, p->y, fill),
                                     pixel_or(warp, plane, p->x + 1, p->y, fill),
                                     pixel_or(warp, plane, p->x, p->y + 1, fill),
                                     pixel_or(warp, plane, p->x + 1, p->y + 1, fill));
}

static inline void blend_row(const dlz_warp *warp, int64_t channels, const float *from, float fill,
                             int64_t y, float *to, bool far) {
    const dlz_map *map = &warp->map;
    int64_t pixels = warp->height * warp->width;
    double start_x = map->xy * (double)y + map->x0, start_y = map->yy * (double)y + map->y0;
    for (int64_t x = 0; x < warp->width; x++) {
        place p = {0};
        bool near =
            find_place(warp, start_x + map->xx * (double)x, start_y + map->yx * (double)x, &p);
        for (int64_t channel = 0; channel < channels; channel++)
            to[channel * pixels + x] =
                near ? sample_at(warp, from + channel * pixels, &p, fill, far) : fill;
    }
}

static bool all_finite(const float *values, int64_t count) {
    int bad = 0;
    for (int64_t i = 0; i < count; i++)
        bad |= !(fabsf(values[i]) <= FLT_MAX);
    return !bad;
}

static void sample_row(const dlz_warp *warp, int64_t channels, const float *from, float fill,
                       int64_t y, float *to) {
    int64_t pixels = warp->height * warp->width;
    bool finite = true;
    blend_row(warp, channels, from, fill, y, to, false);
    for (int64_t channel = 0; finite && channel < channels; channel++)
        finite = all_finite(to + channel * pixels, warp->width);
    if (!finite)
        blend_row(warp, channels, from, fill, y, to, true);
}

void dlz_warp_floats(const dlz_warp *warp, int64_t channels, const float *from, float fill,
                     float *to) {
    int64_t pixels = warp->height * warp->width;
    if (warp->whole)
        for (int64_t channel = 0; channel < channels; channel++)
            copy_floats(warp, from + channel * pixels, fill, to + channel * pixels);
    else
        for (int64_t y = 0; y < warp->height; y++)
            sample_row(warp, channels, from, fill, y, to + y * warp->width);
}

/* -- Labels --------------------------------------------------------------------------------------
 */

/* The number of the nearest pixel, −1 outside. */
static int64_t nearest(const dlz_warp *warp, int64_t x, int64_t y) {
    const dlz_map *map = &warp->map;
    double from_x = floor(map->xx * (double)x + (map->xy * (double)y + map->x0) + 0.5);
    double from_y = floor(map->yx * (double)x + (map->yy * (double)y + map->y0) + 0.5);
    if (!(from_x >= 0 && from_x < (double)warp->width && from_y >= 0 &&
          from_y < (double)warp->height))
        return -1;
    return (int64_t)from_y * warp->width + (int64_t)from_x;
}

void dlz_warp_labels(const dlz_warp *warp, dlviz_dtype dtype, const void *from, int64_t fill,
                     int64_t *to) {
    for (int64_t y = 0; y < warp->height; y++)
        for (int64_t x = 0; x < warp->width; x++) {
            int64_t at = nearest(warp, x, y);
            *to++ = at < 0                 ? fill
                    : dtype == DLVIZ_UINT8 ? ((const uint8_t *)from)[at]
                                           : ((const int64_t *)from)[at];
        }
}
