/* png/encode.h - a picture, or some of its rows, as PNG in one way. */
#ifndef DLZ_PNG_ENCODE_H
#define DLZ_PNG_ENCODE_H

#include "png/png.h"

/* Filters as libpng names them, of which each row takes the one that leaves least; zlib's settings. */
typedef struct dlz_png_way {
    int filters, level, memory_level, strategy;
} dlz_png_way;

/* Bands of so many rows each, evenly far apart; all rows there are: one band. */
typedef struct dlz_png_rows {
    int64_t num_bands, band;
} dlz_png_rows;

/* Makes a file of these rows alone; *bytes is to be freed. */
dlviz_status dlz_png_encode(const dlz_png *picture, const dlz_png_way *way, dlz_png_rows rows,
                            uint8_t **bytes, size_t *size);

#endif
