/* plot/colors.h - the colors of a drawing, and the few that can stand for them. */
#ifndef DLZ_COLORS_H
#define DLZ_COLORS_H

#include <dlviz/status.h>
#include <stdbool.h>
#include <stdint.h>

enum { DLZ_MOST_COLORS = 1 << 16, DLZ_PALETTE_SIZE = 256, DLZ_AREA_RUN = 4, DLZ_AREA_OFF = 2 };

typedef struct dlz_color_count {
    uint32_t color; /* 0xRRGGBB */
    uint32_t count; /* of pixels */
    uint32_t run;   /* the longest in a row */
} dlz_color_count;

/* Colors by frequency, those of areas first, and the palette's entry that stands for each. */
typedef struct dlz_colors {
    dlz_color_count *list;
    unsigned char *entry;
    int count;
    bool gray; /* all of them */
    uint32_t palette[DLZ_PALETTE_SIZE];
    int palette_size; /* 0: no palette will do */
    int *table;       /* for finding a color in the list */
} dlz_colors;

/* Counts the colors of pixels as cairo keeps them. Of more than DLZ_MOST_COLORS it gives up, with
 * count 0. Must be freed, also when this fails. */
dlviz_status dlz_colors_count(dlz_colors *colors, const unsigned char *pixels, int stride,
                              int width, int height);
/* Finds a palette in which no color is off by more than `most_off` in any channel, nor that of an
 * area by more than DLZ_AREA_OFF, if there is one. An area has a few pixels of its color side by
 * side; what has not is an edge between two of them. */
void dlz_colors_find_palette(dlz_colors *colors, int most_off);
/* The palette's entry for a color that was counted. */
int dlz_colors_entry(const dlz_colors *colors, uint32_t color);
void dlz_colors_free(dlz_colors *colors);

#endif
