/* plot/grid.h - where the images of a grid lie on the page. */
#ifndef DLZ_PLOT_GRID_H
#define DLZ_PLOT_GRID_H

#include "plot/canvas.h"
#include "plot/figure.h"

/* In units. */
typedef struct dlz_grid {
    int64_t tiles, columns, rows;
    int64_t together; /* neighbors in a row that belong together; the gap after them is wider */
    double gap, tile_width, tile_height, bar; /* bar: for colors and their numbers; 0 without one */
    double caption_size, caption_height;
    bool captioned[DLZ_MAX_TILES]; /* rows */
} dlz_grid;

/* The same in pixels of the page. */
typedef struct dlz_grid_pixels {
    const dlz_grid *grid;
    int64_t width, height, gap, caption; /* of a tile; between tiles; below them */
} dlz_grid_pixels;

/* Whether the channels of an image are one tile. Beside heat maps they always are. */
bool dlz_grid_is_rgb(const dlviz_figure *figure);
/* The tiles of an image and its heat maps, or of its channels. */
int64_t dlz_grid_tiles_of_image(const dlviz_figure *figure);
/* Of an image's first tile it is the image's, of a heat map the map's name; NULL without one. */
const char *dlz_grid_caption(const dlviz_figure *figure, int64_t tile);

/* Lays all tiles out in a box of the page, or, where that has no room for them, up to the page's
 * edges. */
void dlz_grid_lay_out(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box,
                      dlz_grid *grid);
dlz_grid_pixels dlz_grid_in_pixels(const dlz_grid *grid, const dlz_images *images, double unit);

/* Where a column and a row begin, and the size of all. */
int64_t dlz_grid_left(const dlz_grid_pixels *pixels, int64_t column);
int64_t dlz_grid_top(const dlz_grid_pixels *pixels, int64_t row);
int64_t dlz_grid_pixel_width(const dlz_grid_pixels *pixels);
int64_t dlz_grid_pixel_height(const dlz_grid_pixels *pixels);

#endif
