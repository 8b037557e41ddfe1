/* report/sprite.h - the thumbnails as one picture, and of which points it has some. */
#ifndef DLZ_REPORT_SPRITE_H
#define DLZ_REPORT_SPRITE_H

#include "report/report.h"

/* What a page should not pass, and how many thumbnails it has at most. */
#define DLZ_SPRITE_MAX_PAGE (10u * 1000 * 1000)
enum { DLZ_SPRITE_MAX_COUNT = 20000 };

typedef struct dlz_sprite {
    int64_t count, columns; /* count 0: no images */
    uint32_t *places;       /* of the report's thumbnails, those that it has; ascending */
    uint8_t *png;
    size_t size;
} dlz_sprite;

/* `others` is what the page has beside it, in bytes. */
dlviz_status dlz_sprite_make(const dlviz_report *report, uint64_t others, dlz_sprite *sprite);
void dlz_sprite_release(dlz_sprite *sprite);

/* The point whose picture a thumbnail is. */
static inline int64_t dlz_thumbnail_point(const dlz_thumbnails *thumbnails, int64_t place) {
    return thumbnails->points ? thumbnails->points[place] : place;
}

/* -- sample.c: which thumbnails ------------------------------------------------------------------
 */

/* Marks `count` of the report's thumbnails: those of points that the last frame of a run gets wrong
 * first, then of all classes alike. `chosen` has a place for each and is all false. */
dlviz_status dlz_sprite_sample(const dlviz_report *report, int64_t count, bool *chosen);

/* -- palette.c: fewer colors ---------------------------------------------------------------------
 */

enum { DLZ_PALETTE_CELLS = 1 << 15 /* of 5 bits of red, green and blue each */ };

typedef struct dlz_palette {
    int count;
    uint8_t colors[3 * 256];
    uint8_t places[DLZ_PALETTE_CELLS]; /* the color for each cell */
} dlz_palette;

static inline int dlz_palette_cell(const uint8_t *pixel) {
    return (pixel[0] >> 3) << 10 | (pixel[1] >> 3) << 5 | pixel[2] >> 3;
}
/* The colors, at most `most`, that serve pixels of which there are so many of each cell. */
dlviz_status dlz_palette_make(const int64_t *counts, int most, dlz_palette *palette);

#endif
