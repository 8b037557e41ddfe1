/* Where the images of a grid lie: all on the page, and as large as it allows. */
#include "plot/grid.h"
#include "base/base.h"
#include "plot/draw.h"

#include <math.h>
#include <string.h>

/* In units: a value's pixel is at most this large where the page is made for the grid, and where it
 * is wider for the sake of its title, or was set. */
static const double large_pixel = 30, largest_pixel = 90;
/* How high a grid may become before its tiles become smaller. */
static const double tallest_grid = 1200;
/* For the bar of colors and its numbers, with the gap before it. */
static const double bar_room = 78;
static const double largest_caption = 11.5, smallest_caption = 7;
/* How much wider than high a grid would be best. */
static const double best_shape = 1.7;
/* How small a tile, and a gap between two, may become. */
static const double least_tile = 0.5, least_gap = 0.6;

typedef struct grid_limits {
    double unit;  /* pixels of the page */
    double pixel; /* units that a value's pixel is large, at most */
} grid_limits;

bool dlz_grid_is_rgb(const dlviz_figure *figure) {
    const dlz_images *images = &figure->of.images;
    return figure->colormap == DLVIZ_COLORMAP_RGB ||
           (images->num_heat_maps > 0 && images->channels == 3);
}

int64_t dlz_grid_tiles_of_image(const dlviz_figure *figure) {
    const dlz_images *images = &figure->of.images;
    return dlz_grid_is_rgb(figure) ? 1 + images->num_heat_maps
                                   : images->channels + images->num_heat_maps;
}

/* As near to the shape as whole numbers of rows allow. Full rows come before shape, unless that
 * leaves a row or a column of everything. */
static int64_t choose_columns(int64_t groups, double aspect, double shape) {
    static const double farthest = 1.1; /* logarithm of how far a full grid may be off */
    int64_t best = 1, best_full = 0;
    double best_cost = INFINITY, best_full_cost = farthest;
    for (int64_t columns = 1; columns <= groups; columns++) {
        int64_t rows = dlz_ceil_div(groups, columns);
        double off = fabs(log((double)columns * aspect / (double)rows / shape));
        double cost = off + 0.5 * (double)(rows * columns - groups) / (double)groups;
        if (rows * columns == groups && off < best_full_cost) {
            best_full_cost = off;
            best_full = columns;
        }
        if (cost < best_cost) {
            best_cost = cost;
            best = columns;
        }
    }
    return best_full > 0 ? best_full : best;
}

const char *dlz_grid_caption(const dlviz_figure *figure, int64_t tile) {
    const dlz_images *images = &figure->of.images;
    int64_t each = dlz_grid_tiles_of_image(figure), image = tile / each, part = tile % each;
    const char *text = part == 0 && image < images->captions.count ? images->captions.items[image]
                       : part > 0 && images->num_heat_maps > 0 ? images->heat_maps[part - 1].name
                                                               : NULL;
    return text && *text ? text : NULL;
}

/* How many rows have captions. */
static int64_t find_captions(const dlviz_figure *figure, dlz_grid *plan) {
    int64_t count = 0;
    for (int64_t tile = 0; tile < plan->tiles; tile++) {
        int64_t row = tile / plan->columns;
        if (plan->captioned[row] || !dlz_grid_caption(figure, tile))
            continue;
        plan->captioned[row] = true;
        count++;
    }
    return count;
}

/* How many gaps there are before a column, or in a whole row, beyond those between any tiles. */
static int64_t wider_gaps(const dlz_grid *plan, int64_t column) {
    int64_t before = dlz_min_i64(column, plan->columns - 1);
    return plan->together > 1 ? 2 * (before / plan->together) : 0;
}

static double grid_width(const dlz_grid *plan) {
    return (double)plan->columns * plan->tile_width +
           (double)(plan->columns - 1 + wider_gaps(plan, plan->columns)) * plan->gap;
}

static double grid_height(const dlz_grid *plan, int64_t captions) {
    return (double)plan->rows * (plan->tile_height + plan->gap) - plan->gap +
           (double)captions * plan->caption_height;
}

static void size_captions(dlz_grid *plan) {
    plan->caption_size = fmin(fmax(0.5 * plan->tile_width, smallest_caption), largest_caption);
    plan->caption_height = 1.48 * plan->caption_size;
}

/* Pixels of the bitmap a tile takes: whole multiples of the image's own when it is enlarged. */
static int64_t tile_pixels(double units, double unit, int64_t own) {
    int64_t pixels = (int64_t)floor(units * unit + 1e-6);
    return pixels >= own ? pixels / own * own : dlz_max_i64(pixels, 1);
}

/* Tiles as large as the width allows, the height (0: any up to what is too much) and `pixel`. */
static void size_tiles(dlz_grid *plan, const dlz_images *images, double width, double height,
                       grid_limits limits, int64_t captions) {
    double aspect = (double)images->width / (double)images->height;
    double columns = (double)plan->columns, rows = (double)plan->rows;
    plan->gap = fmin(8, fmax(0.12 * width / columns, least_gap));
    if (height > 0)
        plan->gap = fmin(plan->gap, 0.25 * height / rows);
    double gaps = (columns - 1 + (double)wider_gaps(plan, plan->columns)) * plan->gap;
    plan->tile_width = fmax((width - gaps) / columns, least_tile);
    plan->tile_width = fmin(plan->tile_width, limits.pixel * (double)images->width);
    size_captions(plan);
    /* Captions that would leave no room for the images are left out. */
    double tallest = height > 0 ? height : fmax(tallest_grid, rows * (double)images->height / 2);
    if (height > 0 && (double)captions * plan->caption_height > 0.6 * height) {
        memset(plan->captioned, 0, sizeof plan->captioned);
        captions = 0;
    }
    double room = tallest - (double)captions * plan->caption_height - (rows - 1) * plan->gap;
    double tile_height = fmax(fmin(plan->tile_width / aspect, room / rows), least_tile);
    double tile_width = fmax(fmin(plan->tile_width, tile_height * aspect), least_tile);
    plan->tile_width = (double)tile_pixels(tile_width, limits.unit, images->width) / limits.unit;
    plan->tile_height = (double)tile_pixels(tile_height, limits.unit, images->height) / limits.unit;
    size_captions(plan);
}

static int64_t gap_pixels(const dlz_grid *plan, double unit) {
    return dlz_max_i64((int64_t)lround(plan->gap * unit), 1);
}

/* How many tiles that are as small as they become fit into so many units. */
static int64_t most_tiles(double units, double unit) {
    int64_t tile = tile_pixels(least_tile, unit, INT64_MAX);
    int64_t gap = dlz_max_i64((int64_t)lround(least_gap * unit), 1);
    return dlz_max_i64(((int64_t)floor(units * unit) + gap) / (tile + gap), 1);
}

/* Whether the grid goes on beyond the right edge of the page. */
static bool is_too_wide(const dlz_grid *plan, const dlz_images *images, double width, double unit) {
    int64_t tiles = plan->columns * tile_pixels(plan->tile_width, unit, images->width);
    int64_t gaps = plan->columns - 1 + wider_gaps(plan, plan->columns);
    return (double)(tiles + gaps * gap_pixels(plan, unit)) > (width + DLZ_MARGIN) * unit;
}

/* The channels of an image in several rows, of at least `columns`. */
static void wrap_channels(const dlz_images *images, int64_t columns, double shape, dlz_grid *plan) {
    double aspect = (double)images->width / (double)images->height;
    int64_t chosen = choose_columns(plan->together, aspect, shape * (double)images->n);
    plan->columns = dlz_min_i64(dlz_max_i64(chosen, columns), plan->together - 1);
    plan->together = 1;
}

/* Whether one row for all channels of an image makes them so small that several are better: with
 * other images below, the rows say which channels are the same. */
static bool should_wrap(const dlz_grid *plan, const dlz_images *images, double unit) {
    int64_t pixels = tile_pixels(plan->tile_width, unit, images->width);
    return plan->together > 1 && images->num_heat_maps == 0 && pixels < images->width &&
           (images->n == 1 || pixels < 4);
}

/* Fewer images in a row; of one whose channels alone are too many for it, these in several rows. */
static void choose_fewer_columns(const dlz_images *images, double width, double unit, double shape,
                                 dlz_grid *plan) {
    int64_t each = plan->together, most = most_tiles(width, unit);
    int64_t groups = dlz_min_i64(most / (each > 1 ? each + 2 : 1), plan->columns / each - 1);
    if (groups > 0) {
        plan->columns = groups * each;
        return;
    }
    wrap_channels(images, 1, shape, plan);
    plan->columns = dlz_max_i64(dlz_min_i64(plan->columns, most), 1);
}

/* Sizes the tiles for these columns. False where they are too many for the page. */
static bool arrange(const dlviz_figure *figure, double width, double height, grid_limits limits,
                    dlz_grid *plan) {
    const dlz_images *images = &figure->of.images;
    plan->rows = dlz_ceil_div(plan->tiles, plan->columns);
    memset(plan->captioned, 0, sizeof plan->captioned);
    int64_t captions = find_captions(figure, plan);
    size_tiles(plan, images, width, height, limits, captions);
    if (!is_too_wide(plan, images, width, limits.unit))
        return true;
    /* Gaps that were rounded to the next pixel up add up. */
    plan->gap = fmax(floor(plan->gap * limits.unit), 1) / limits.unit;
    return !is_too_wide(plan, images, width, limits.unit);
}

static void fit_width(const dlviz_figure *figure, double width, double height, double shape,
                      grid_limits limits, dlz_grid *plan) {
    while (!arrange(figure, width, height, limits, plan) && plan->columns > 1)
        choose_fewer_columns(&figure->of.images, width, limits.unit, shape, plan);
}

/* `columns`: at least so many. */
static void plan_grid(const dlviz_figure *figure, double width, double height, int64_t columns,
                      grid_limits limits, dlz_grid *plan) {
    const dlz_images *images = &figure->of.images;
    int64_t each = dlz_grid_tiles_of_image(figure);
    *plan = (dlz_grid){.tiles = images->n * each, .together = each};
    double shape = height > 0 ? width / height : best_shape;
    bool channels = images->num_heat_maps == 0;
    if (images->columns > 0 && channels) {
        plan->together = 1;
        plan->columns = dlz_min_i64(images->columns, plan->tiles);
    } else {
        double aspect = (double)images->width / (double)images->height * (double)each;
        int64_t groups = images->columns > 0 ? dlz_min_i64(images->columns, images->n)
                                             : choose_columns(images->n, aspect, shape);
        plan->columns = groups * each;
    }
    plan->columns = dlz_max_i64(plan->columns, dlz_min_i64(columns, plan->tiles));
    plan->bar = dlz_images_share_range(figure) && !dlz_grid_is_rgb(figure) ? bar_room : 0;
    if (plan->bar > 0.4 * width)
        plan->bar = 0;
    fit_width(figure, width - plan->bar, height, shape, limits, plan);
    if (should_wrap(plan, images, limits.unit)) {
        wrap_channels(images, columns, shape, plan);
        fit_width(figure, width - plan->bar, height, shape, limits, plan);
    }
}

static int64_t count_captions(const dlz_grid *plan, int64_t rows) {
    int64_t count = 0;
    for (int64_t row = 0; row < rows; row++)
        count += plan->captioned[row];
    return count;
}

void dlz_images_size(const dlviz_figure *figure, double unit, double least, double most,
                     double *width, double *height) {
    dlz_grid plan;
    plan_grid(figure, most, 0, 1, (grid_limits){unit, large_pixel}, &plan);
    *width = fmin(fmax(grid_width(&plan) + plan.bar, least), most);
    plan_grid(figure, *width, 0, 1, (grid_limits){unit, largest_pixel}, &plan);
    *height = grid_height(&plan, count_captions(&plan, plan.rows));
}

/* ---- In pixels ------------------------------------------------------------------------------ */

dlz_grid_pixels dlz_grid_in_pixels(const dlz_grid *grid, const dlz_images *images, double unit) {
    return (dlz_grid_pixels){.grid = grid,
                             .width = tile_pixels(grid->tile_width, unit, images->width),
                             .height = tile_pixels(grid->tile_height, unit, images->height),
                             .gap = gap_pixels(grid, unit),
                             .caption = (int64_t)lround(grid->caption_height * unit)};
}

int64_t dlz_grid_left(const dlz_grid_pixels *pixels, int64_t column) {
    return column * (pixels->width + pixels->gap) + wider_gaps(pixels->grid, column) * pixels->gap;
}

int64_t dlz_grid_top(const dlz_grid_pixels *pixels, int64_t row) {
    return row * (pixels->height + pixels->gap) +
           count_captions(pixels->grid, row) * pixels->caption;
}

int64_t dlz_grid_pixel_width(const dlz_grid_pixels *pixels) {
    return dlz_grid_left(pixels, pixels->grid->columns - 1) + pixels->width;
}

int64_t dlz_grid_pixel_height(const dlz_grid_pixels *pixels) {
    return dlz_grid_top(pixels, pixels->grid->rows - 1) + pixels->height;
}

/* ---- On the page ---------------------------------------------------------------------------- */

static bool fits_page(const dlz_canvas *canvas, const dlviz_figure *figure, const dlz_grid *plan,
                      dlz_box box) {
    dlz_grid_pixels pixels = dlz_grid_in_pixels(plan, &figure->of.images, canvas->unit);
    return box.y + (double)dlz_grid_pixel_height(&pixels) / canvas->unit <= canvas->height &&
           box.x + (double)dlz_grid_pixel_width(&pixels) / canvas->unit <= canvas->width;
}

/* Takes away what rounding up to whole pixels has added. */
static bool fits_tightly(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box,
                         dlz_grid *plan) {
    if (fits_page(canvas, figure, plan, box))
        return true;
    plan->gap = fmax(floor(plan->gap * canvas->unit), 1) / canvas->unit;
    plan->caption_height = floor(plan->caption_height * canvas->unit) / canvas->unit;
    return fits_page(canvas, figure, plan, box);
}

/* Where rows are too many for the page, there are ever more images in one. As many as a grid may
 * have fit on the smallest page. */
static void fit_rows(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box,
                     grid_limits limits, dlz_grid *plan) {
    int64_t wanted = plan->columns;
    while (!fits_tightly(canvas, figure, box, plan) && wanted < plan->tiles) {
        wanted += dlz_max_i64(wanted / 8, 1);
        wanted = dlz_ceil_div(wanted, plan->together) * plan->together;
        plan_grid(figure, box.width, box.height, wanted, limits, plan);
    }
}

void dlz_grid_lay_out(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box,
                      dlz_grid *grid) {
    const grid_limits limits = {canvas->unit, largest_pixel};
    /* A page that was made for the grid gives it all the height it wants, unless that is too much
     * for any page. */
    plan_grid(figure, box.width, figure->height > 0 ? box.height : 0, 1, limits, grid);
    if (grid_height(grid, count_captions(grid, grid->rows)) > box.height + 1)
        plan_grid(figure, box.width, box.height, 1, limits, grid);
    fit_rows(canvas, figure, box, limits, grid);
}
