/* support/pixels.h - what a figure that was drawn shows. */
#ifndef DLZ_TESTS_PIXELS_H
#define DLZ_TESTS_PIXELS_H

#include "plot/palette.h"
#include "support/support.h"

#include <cairo.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline cairo_surface_t *read_png(const char *path, int width, int height) {
    cairo_surface_t *surface = cairo_image_surface_create_from_png(path);
    ck_assert_int_eq(cairo_surface_status(surface), CAIRO_STATUS_SUCCESS);
    ck_assert_int_eq(cairo_image_surface_get_width(surface), width);
    ck_assert_int_eq(cairo_image_surface_get_height(surface), height);
    return surface;
}

/* How many pixels of a box are within `off` of a color in every channel. */
static inline int count_color(cairo_surface_t *surface, dlz_color color, int off, int left, int top,
                              int right, int bottom) {
    const unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface), found = 0;
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++) {
            uint32_t pixel;
            memcpy(&pixel, data + y * stride + 4 * x, sizeof pixel);
            found += abs((int)(pixel >> 16 & 255) - (int)lround(255 * color.r)) <= off &&
                     abs((int)(pixel >> 8 & 255) - (int)lround(255 * color.g)) <= off &&
                     abs((int)(pixel & 255) - (int)lround(255 * color.b)) <= off;
        }
    return found;
}

#endif
