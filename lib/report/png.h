/* report/png.h - pictures as PNG, written and read by zlib alone: gray of 4 or 8 bits, RGB, or colors of
 * a palette. */
#ifndef DLZ_REPORT_PNG_H
#define DLZ_REPORT_PNG_H

#include "base/base.h"

typedef struct dlz_png {
    int64_t height, width;
    int channels;           /* a pixel's bytes, as `row` gives them: 1 or 3 */
    int bits;               /* 8, or 4 for gray: `row` gives 0 … 15 then */
    int num_colors;         /* above 0: `row` gives one byte a pixel, a place in `palette` */
    const uint8_t *palette; /* red, green, blue of each color */
    void (*row)(const void *context, int64_t y, uint8_t *pixels);
    const void *context;
    size_t enough; /* a file clearly larger than this is not made; 0: any is */
} dlz_png;

/* Compresses it in the way that makes a sample of its rows shortest; *bytes is to be freed. Where it
 * becomes too large, *bytes is NULL and *size what it would be, about. */
dlviz_status dlz_png_write(const dlz_png *png, uint8_t **bytes, size_t *size);

/* Reads what dlz_png_write writes, whatever the bytes: at most `most` pixels, *channels 1 or 3, 8 bits
 * each, *coarse where they had fewer. Fails with DLVIZ_ERROR_FORMAT. */
dlviz_status dlz_png_read(const uint8_t *bytes, size_t size, uint64_t most, uint8_t **pixels,
                          int64_t *height, int64_t *width, int *channels, bool *coarse);

#endif
