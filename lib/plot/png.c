/* Of a drawing's pixels, what is written of each. */
#include "plot/png.h"
#include "plot/colors.h"
#include "base/base.h"
#include "png/png.h"

#include <stdint.h>
#include <string.h>

typedef struct drawing {
    const dlz_colors *colors;
    const unsigned char *pixels;
    int stride, width;
} drawing;

static uint32_t color_at(const unsigned char *row, int x) {
    uint32_t color;
    memcpy(&color, row + 4 * (size_t)x, sizeof color);
    return color & 0xFFFFFF;
}

static const unsigned char *row_at(const drawing *from, int64_t y) {
    return from->pixels + (size_t)y * (size_t)from->stride;
}

/* -- Rows, by what a pixel becomes ---------------------------------------------------------------
 */

static void get_entries(const void *context, int64_t y, uint8_t *entries) {
    const drawing *from = context;
    const unsigned char *row = row_at(from, y);
    uint32_t last = UINT32_MAX;
    for (int x = 0; x < from->width; x++) {
        uint32_t color = color_at(row, x);
        entries[x] =
            color == last ? entries[x - 1] : (uint8_t)dlz_colors_entry(from->colors, color);
        last = color;
    }
}

static void get_grays(const void *context, int64_t y, uint8_t *grays) {
    const drawing *from = context;
    const unsigned char *row = row_at(from, y);
    for (int x = 0; x < from->width; x++)
        grays[x] = (uint8_t)color_at(row, x);
}

static void get_colors(const void *context, int64_t y, uint8_t *rgb) {
    const drawing *from = context;
    const unsigned char *row = row_at(from, y);
    for (int x = 0; x < from->width; x++, rgb += 3) {
        uint32_t color = color_at(row, x);
        rgb[0] = (uint8_t)(color >> 16);
        rgb[1] = (uint8_t)(color >> 8);
        rgb[2] = (uint8_t)color;
    }
}

/* -- The file ------------------------------------------------------------------------------------
 */

static void put_palette(const dlz_colors *colors, uint8_t *rgb) {
    for (int i = 0; i < colors->palette_size; i++) {
        rgb[3 * i] = (uint8_t)(colors->palette[i] >> 16);
        rgb[3 * i + 1] = (uint8_t)(colors->palette[i] >> 8);
        rgb[3 * i + 2] = (uint8_t)colors->palette[i];
    }
}

static void choose_kind(const dlz_colors *colors, dlz_png *png) {
    int size = colors->palette_size;
    if (size > 16 && colors->gray) {
        png->row = get_grays;
    } else if (size > 0) {
        png->row = get_entries;
        png->num_colors = size;
        png->bits = size <= 2 ? 1 : size <= 4 ? 2 : size <= 16 ? 4 : 8;
        png->means = DLZ_PNG_PLAIN;
    } else {
        png->row = get_colors;
        png->channels = 3;
    }
}

static dlviz_status add_file(dlz_bytes *to, const dlz_png *png) {
    uint8_t *file;
    size_t size;
    DLZ_TRY(dlz_png_write(png, &file, &size));
    dlz_bytes_add(to, file, size);
    dlz_free(file);
    return to->out_of_memory ? dlz_fail_memory("a PNG", size) : DLVIZ_OK;
}

dlviz_status dlz_figure_png(dlz_bytes *to, const unsigned char *pixels, int stride, int width,
                            int height, int most_off) {
    dlz_colors colors;
    dlviz_status status = dlz_colors_count(&colors, pixels, stride, width, height);
    if (status == DLVIZ_OK) {
        if (colors.count > 0)
            dlz_colors_find_palette(&colors, most_off);
        uint8_t palette[3 * DLZ_PALETTE_SIZE];
        put_palette(&colors, palette);
        drawing from = {&colors, pixels, stride, width};
        dlz_png png = {.height = height,
                       .width = width,
                       .channels = 1,
                       .bits = 8,
                       .palette = palette,
                       .context = &from,
                       .means = most_off < DLZ_PNG_OFF_DRAWING ? DLZ_PNG_FILTERED : DLZ_PNG_PLAIN};
        choose_kind(&colors, &png);
        status = add_file(to, &png);
    }
    dlz_colors_free(&colors);
    return status;
}
