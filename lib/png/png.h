/* png/png.h - pictures written as PNG, by libpng: gray, colors of a palette, or RGB. */
#ifndef DLZ_PNG_H
#define DLZ_PNG_H

#include "base/base.h"

/* How the bytes of a picture are made fewer. */
typedef enum dlz_png_means {
    DLZ_PNG_SHORTEST, /* whatever makes a sample of the rows shortest: of several, all are tried */
    DLZ_PNG_PLAIN,    /* rows as they are: the areas of drawings, and places in a palette */
    DLZ_PNG_FILTERED  /* of each row what its neighbors do not tell: what is smooth */
} dlz_png_means;

typedef struct dlz_png {
    int64_t height, width;  /* 1 … 2^31 - 1 */
    int channels;           /* a pixel's bytes, as `row` gives them: 1 or 3 */
    int bits;               /* 8; or 1, 2 or 4 of one channel: `row` gives numbers below 2^bits */
    int num_colors;         /* above 0: what `row` gives are places in `palette` */
    const uint8_t *palette; /* red, green, blue of each color */
    /* Asked for any row, and again, by several threads at a time where the means is the shortest. */
    void (*row)(const void *context, int64_t y, uint8_t *pixels);
    const void *context;
    dlz_png_means means;
    size_t enough; /* of the shortest: a file clearly larger than this is not made; 0: any is */
} dlz_png;

/* Makes the file, the same for any number of threads; *bytes is to be freed with dlz_free. Where it is
 * more than enough, *bytes is NULL and *size what it would be, about. */
dlviz_status dlz_png_write(const dlz_png *png, uint8_t **bytes, size_t *size);

#endif
