/* Grids of images: all of them in one bitmap at the output's resolution, so that pixels stay
 * squares with sharp edges in every format. */
#include "plot/draw.h"
#include "base/base.h"

#include <math.h>
#include <string.h>

/* In units: a value's pixel is at most this large where the page is made for the grid, and where it
 * is wider for the sake of its title, or was set. */
static const double large_pixel = 30, largest_pixel = 90;
/* How high a grid may become before its tiles become smaller. */
static const double tallest_grid = 1200;
/* For the bar of colors and its numbers, with the gap before it. */
static const double bar_room = 78, bar_gap = 16, bar_width = 14, tallest_bar = 280;
static const double largest_caption = 11.5, smallest_caption = 7;
/* How much wider than high a grid would be best. */
static const double best_shape = 1.7;
/* How small a tile, and a gap between two, may become. */
static const double least_tile = 0.5, least_gap = 0.6;

typedef struct grid_limits {
    double unit;  /* pixels of the page */
    double pixel; /* units that a value's pixel is large, at most */
} grid_limits;

typedef struct grid {
    int64_t tiles, columns, rows;
    int64_t together; /* neighbors in a row that belong together; the gap after them is wider */
    double gap, tile_width, tile_height, bar; /* units; bar: 0 without one */
    double caption_size, caption_height;
    bool captioned[DLZ_MAX_TILES]; /* rows */
} grid;

/* Whether the channels of an image are one tile. Beside heat maps they always are. */
static bool is_rgb(const dlviz_figure *figure) {
    const dlz_images *images = &figure->of.images;
    return figure->colormap == DLVIZ_COLORMAP_RGB ||
           (images->num_heat_maps > 0 && images->channels == 3);
}

/* The tiles of an image and its heat maps, or of its channels. */
static int64_t tiles_of_image(const dlviz_figure *figure) {
    const dlz_images *images = &figure->of.images;
    return is_rgb(figure) ? 1 + images->num_heat_maps : images->channels + images->num_heat_maps;
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

/* Of an image's first tile it is the image's, of a heat map the map's name. */
static const char *caption_of(const dlviz_figure *figure, int64_t tile) {
    const dlz_images *images = &figure->of.images;
    int64_t each = tiles_of_image(figure), image = tile / each, part = tile % each;
    const char *text = part == 0 && image < images->captions.count ? images->captions.items[image]
                       : part > 0 && images->num_heat_maps > 0 ? images->heat_maps[part - 1].name
                                                               : NULL;
    return text && *text ? text : NULL;
}

/* How many rows have captions. */
static int64_t find_captions(const dlviz_figure *figure, grid *plan) {
    int64_t count = 0;
    for (int64_t tile = 0; tile < plan->tiles; tile++) {
        int64_t row = tile / plan->columns;
        if (plan->captioned[row] || !caption_of(figure, tile))
            continue;
        plan->captioned[row] = true;
        count++;
    }
    return count;
}

/* How many gaps there are before a column, or in a whole row, beyond those between any tiles. */
static int64_t wider_gaps(const grid *plan, int64_t column) {
    int64_t before = dlz_min_i64(column, plan->columns - 1);
    return plan->together > 1 ? 2 * (before / plan->together) : 0;
}

static double grid_width(const grid *plan) {
    return (double)plan->columns * plan->tile_width +
           (double)(plan->columns - 1 + wider_gaps(plan, plan->columns)) * plan->gap;
}

static double grid_height(const grid *plan, int64_t captions) {
    return (double)plan->rows * (plan->tile_height + plan->gap) - plan->gap +
           (double)captions * plan->caption_height;
}

static void size_captions(grid *plan) {
    plan->caption_size = fmin(fmax(0.5 * plan->tile_width, smallest_caption), largest_caption);
    plan->caption_height = 1.48 * plan->caption_size;
}

/* Pixels of the bitmap a tile takes: whole multiples of the image's own when it is enlarged. */
static int64_t tile_pixels(double units, double unit, int64_t own) {
    int64_t pixels = (int64_t)floor(units * unit + 1e-6);
    return pixels >= own ? pixels / own * own : dlz_max_i64(pixels, 1);
}

/* Tiles as large as the width allows, the height (0: any up to what is too much) and `pixel`. */
static void size_tiles(grid *plan, const dlz_images *images, double width, double height,
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

static int64_t gap_pixels(const grid *plan, double unit) {
    return dlz_max_i64((int64_t)lround(plan->gap * unit), 1);
}

/* How many tiles that are as small as they become fit into so many units. */
static int64_t most_tiles(double units, double unit) {
    int64_t tile = tile_pixels(least_tile, unit, INT64_MAX);
    int64_t gap = dlz_max_i64((int64_t)lround(least_gap * unit), 1);
    return dlz_max_i64(((int64_t)floor(units * unit) + gap) / (tile + gap), 1);
}

/* Whether the grid goes on beyond the right edge of the page. */
static bool is_too_wide(const grid *plan, const dlz_images *images, double width, double unit) {
    int64_t tiles = plan->columns * tile_pixels(plan->tile_width, unit, images->width);
    int64_t gaps = plan->columns - 1 + wider_gaps(plan, plan->columns);
    return (double)(tiles + gaps * gap_pixels(plan, unit)) > (width + DLZ_MARGIN) * unit;
}

/* The channels of an image in several rows, of at least `columns`. */
static void wrap_channels(const dlz_images *images, int64_t columns, double shape, grid *plan) {
    double aspect = (double)images->width / (double)images->height;
    int64_t chosen = choose_columns(plan->together, aspect, shape * (double)images->n);
    plan->columns = dlz_min_i64(dlz_max_i64(chosen, columns), plan->together - 1);
    plan->together = 1;
}

/* Whether one row for all channels of an image makes them so small that several are better: with
 * other images below, the rows say which channels are the same. */
static bool should_wrap(const grid *plan, const dlz_images *images, double unit) {
    int64_t pixels = tile_pixels(plan->tile_width, unit, images->width);
    return plan->together > 1 && images->num_heat_maps == 0 && pixels < images->width &&
           (images->n == 1 || pixels < 4);
}

/* Fewer images in a row; of one whose channels alone are too many for it, these in several rows. */
static void choose_fewer_columns(const dlz_images *images, double width, double unit, double shape,
                                 grid *plan) {
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
                    grid *plan) {
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

/* `columns`: at least so many. */
static void plan_grid(const dlviz_figure *figure, double width, double height, int64_t columns,
                      grid_limits limits, grid *plan) {
    const dlz_images *images = &figure->of.images;
    int64_t each = tiles_of_image(figure);
    *plan = (grid){.tiles = images->n * each, .together = each};
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
    plan->bar = dlz_images_share_range(figure) && !is_rgb(figure) ? bar_room : 0;
    if (plan->bar > 0.4 * width)
        plan->bar = 0;
    while (!arrange(figure, width - plan->bar, height, limits, plan) && plan->columns > 1)
        choose_fewer_columns(images, width - plan->bar, limits.unit, shape, plan);
    if (should_wrap(plan, images, limits.unit)) {
        wrap_channels(images, columns, shape, plan);
        while (!arrange(figure, width - plan->bar, height, limits, plan) && plan->columns > 1)
            choose_fewer_columns(images, width - plan->bar, limits.unit, shape, plan);
    }
}

static int64_t count_captions(const grid *plan, int64_t rows) {
    int64_t count = 0;
    for (int64_t row = 0; row < rows; row++)
        count += plan->captioned[row];
    return count;
}

void dlz_images_size(const dlviz_figure *figure, double unit, double least, double most,
                     double *width, double *height) {
    grid plan;
    plan_grid(figure, most, 0, 1, (grid_limits){unit, large_pixel}, &plan);
    *width = fmin(fmax(grid_width(&plan) + plan.bar, least), most);
    plan_grid(figure, *width, 0, 1, (grid_limits){unit, largest_pixel}, &plan);
    *height = grid_height(&plan, count_captions(&plan, plan.rows));
}

static uint32_t pack(dlz_color color) {
    return (uint32_t)lround(color.r * 255) << 16 | (uint32_t)lround(color.g * 255) << 8 |
           (uint32_t)lround(color.b * 255);
}

/* The values of a tile that fall into a pixel of the bitmap: one value when the tile is enlarged,
 * the mean of several when it is reduced. */
static double sample(const float *plane, int64_t width, double x0, double x1, double y0, double y1,
                     int64_t height) {
    int64_t left = (int64_t)x0,
            right = dlz_min_i64(dlz_max_i64((int64_t)ceil(x1), left + 1), width);
    int64_t top = (int64_t)y0,
            bottom = dlz_min_i64(dlz_max_i64((int64_t)ceil(y1), top + 1), height);
    if (x1 - x0 <= 1)
        right = left + 1;
    if (y1 - y0 <= 1)
        bottom = top + 1;
    double sum = 0;
    for (int64_t y = top; y < bottom; y++)
        for (int64_t x = left; x < right; x++)
            sum += (double)plane[y * width + x];
    return sum / (double)((right - left) * (bottom - top));
}

typedef struct tile_view {
    const float *planes[3]; /* one, or red, green and blue */
    int count;
    int64_t width, height;
    dlviz_colormap map;
    double low, high;
    const float *heat; /* what is drawn over it, or NULL */
    double heat_limit;
} tile_view;

static tile_view find_tile(const dlviz_figure *figure, int64_t tile) {
    const dlz_images *images = &figure->of.images;
    int64_t plane = images->width * images->height;
    int64_t each = tiles_of_image(figure), index = tile / each, part = tile % each;
    int count = is_rgb(figure) ? 3 : 1;
    if (images->num_heat_maps == 0 && count == 1) {
        index = tile;
        part = 0;
    }
    tile_view found = {.count = count,
                       .width = images->width,
                       .height = images->height,
                       .map = figure->colormap,
                       .low = INFINITY,
                       .high = -INFINITY};
    for (int c = 0; c < count; c++)
        found.planes[c] = images->values + (index * count + c) * plane;
    if (dlz_images_share_range(figure)) {
        found.low = images->low;
        found.high = images->high;
    }
    for (int64_t i = 0; i < plane * count && !dlz_images_share_range(figure); i++)
        dlz_range_include(&found.low, &found.high, (double)found.planes[0][i]);
    if (part > 0) {
        const dlz_heat_maps *maps = &images->heat_maps[part - 1];
        found.heat = maps->values + index * plane;
        found.heat_limit = (double)maps->limits[index];
    }
    if (found.map == DLVIZ_COLORMAP_AUTO && images->num_heat_maps > 0)
        found.map = DLVIZ_COLORMAP_GRAY;
    if (found.map == DLVIZ_COLORMAP_AUTO)
        found.map = found.low < 0 ? DLVIZ_COLORMAP_DIVERGING : DLVIZ_COLORMAP_GRAY;
    if (found.map == DLVIZ_COLORMAP_DIVERGING) {
        found.high = fmax(fabs(found.low), fabs(found.high));
        found.low = -found.high;
    }
    return found;
}

static dlz_color tile_color(const tile_view *tile, const double values[3]) {
    double range = tile->high - tile->low, shares[3] = {0};
    for (int c = 0; c < tile->count; c++)
        shares[c] = range > 0                               ? (values[c] - tile->low) / range
                    : tile->map == DLVIZ_COLORMAP_DIVERGING ? 0.5
                                                            : (double)(tile->low > 0);
    return tile->count == 3 ? (dlz_color){shares[0], shares[1], shares[2]}
                            : dlz_colormap_at(tile->map, shares[0]);
}

/* The image, pale and gray, and on it the heat, which covers it the more the farther it is from 0. */
static dlz_color heat_color(const tile_view *tile, dlz_color image, double heat) {
    static const double darkest = 0.7;
    double gray = darkest + (1 - darkest) * (0.299 * image.r + 0.587 * image.g + 0.114 * image.b);
    double share = tile->heat_limit > 0 ? fmin(fmax(heat / tile->heat_limit, -1), 1) : 0;
    return dlz_color_mix((dlz_color){gray, gray, gray},
                         dlz_colormap_at(DLVIZ_COLORMAP_DIVERGING, 0.5 + 0.5 * share), fabs(share));
}

static void paint_tile(const tile_view *tile, unsigned char *pixels, int stride, int64_t left,
                       int64_t top, int64_t width, int64_t height) {
    double step_x = (double)tile->width / (double)width;
    double step_y = (double)tile->height / (double)height;
    for (int64_t y = 0; y < height; y++) {
        uint32_t *row = (uint32_t *)(pixels + (top + y) * stride) + left;
        double y0 = (double)y * step_y, y1 = (double)(y + 1) * step_y;
        for (int64_t x = 0; x < width; x++) {
            double x0 = (double)x * step_x, x1 = (double)(x + 1) * step_x, values[3] = {0};
            for (int c = 0; c < tile->count; c++)
                values[c] = sample(tile->planes[c], tile->width, x0, x1, y0, y1, tile->height);
            dlz_color color = tile_color(tile, values);
            if (tile->heat)
                color = heat_color(tile, color,
                                   sample(tile->heat, tile->width, x0, x1, y0, y1, tile->height));
            row[x] = pack(color);
        }
    }
}

/* The grid in pixels of the page. */
typedef struct bitmap_view {
    const dlviz_figure *figure;
    const dlz_canvas *canvas;
    const grid *plan;
    int64_t width, height, gap, caption; /* of a tile; between tiles; below them */
    double left, top;                    /* of the grid, in units, at whole pixels */
} bitmap_view;

static int64_t left_of(const bitmap_view *view, int64_t column) {
    return column * (view->width + view->gap) + wider_gaps(view->plan, column) * view->gap;
}

static int64_t top_of(const bitmap_view *view, int64_t row) {
    return row * (view->height + view->gap) + count_captions(view->plan, row) * view->caption;
}

/* A white bitmap. */
static dlviz_status create_bitmap(int64_t width, int64_t height, cairo_surface_t **out) {
    cairo_surface_t *bitmap =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width, (int)height);
    cairo_t *cr = cairo_create(bitmap);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    bool failed = cairo_status(cr) != CAIRO_STATUS_SUCCESS;
    cairo_destroy(cr);
    if (failed) {
        cairo_surface_destroy(bitmap);
        return dlz_fail_memory("a grid of images", (uint64_t)(width * height * 4));
    }
    cairo_surface_flush(bitmap);
    *out = bitmap;
    return DLVIZ_OK;
}

static dlviz_status draw_tiles(const bitmap_view *view) {
    const grid *plan = view->plan;
    cairo_surface_t *bitmap = NULL;
    DLZ_TRY(create_bitmap(left_of(view, plan->columns - 1) + view->width,
                          top_of(view, plan->rows - 1) + view->height, &bitmap));
    unsigned char *pixels = cairo_image_surface_get_data(bitmap);
    int stride = cairo_image_surface_get_stride(bitmap);
    for (int64_t row = 0; row < plan->rows; row++) {
        int64_t top = top_of(view, row);
        for (int64_t column = 0; column < plan->columns; column++) {
            int64_t i = row * plan->columns + column;
            if (i >= plan->tiles)
                break;
            tile_view tile = find_tile(view->figure, i);
            paint_tile(&tile, pixels, stride, left_of(view, column), top, view->width,
                       view->height);
        }
    }
    cairo_surface_mark_dirty(bitmap);
    dlz_show_picture(view->canvas, bitmap, view->left, view->top, view->canvas->unit);
    return DLVIZ_OK;
}

/* A caption stands below its tile, or below all channels of its image. */
static void draw_captions(const bitmap_view *view) {
    const grid *plan = view->plan;
    bool wide = plan->together > 1 && view->figure->of.images.num_heat_maps == 0;
    int64_t across = wide ? plan->together : 1;
    for (int64_t tile = 0; tile < plan->tiles; tile++) {
        int64_t column = tile % plan->columns, row = tile / plan->columns;
        const char *caption = plan->captioned[row] ? caption_of(view->figure, tile) : NULL;
        if (!caption)
            continue;
        double unit = view->canvas->unit;
        double wide_pixels = (double)(across * (view->width + view->gap) - view->gap);
        double middle = (double)left_of(view, column) + wide_pixels / 2;
        double below = (double)(top_of(view, row) + view->height) / unit;
        dlz_text(view->canvas, view->left + middle / unit,
                 view->top + below + 0.5 * plan->caption_height, caption,
                 (dlz_style){.size = plan->caption_size,
                             .color = dlz_soft_ink,
                             .align = 0.5,
                             .most = (wide_pixels + (double)view->gap) / unit});
    }
}

/* Which color is which value. */
static void draw_bar(const bitmap_view *view, double height) {
    tile_view tile = find_tile(view->figure, 0);
    const grid *plan = view->plan;
    double left = (double)(left_of(view, plan->columns - 1) + view->width) / view->canvas->unit;
    dlz_box bar = {view->left + left + bar_gap, view->top, bar_width, fmin(height, tallest_bar)};
    dlz_axis axis;
    double low = tile.low, high = tile.high;
    dlz_axis_linear(&axis, low, high, 0, (int)fmin(fmax(bar.height / 26, 2), 8), false);
    dlz_draw_color_bar(view->canvas, bar, tile.map);
    for (int i = 0; i < axis.count; i++) {
        double y = bar.y + bar.height * (1 - dlz_axis_at(&axis, axis.ticks[i].value));
        double right = bar.x + bar.width;
        dlz_stroke_line(view->canvas, right, y, right + 4, y, dlz_soft_ink, 0.8);
        dlz_tick_text(view->canvas, right + 8, y, &axis.ticks[i],
                      (dlz_style){.size = 12, .color = dlz_soft_ink});
    }
}

static bitmap_view view_of(const dlz_canvas *canvas, const dlviz_figure *figure, const grid *plan) {
    const dlz_images *images = &figure->of.images;
    double unit = canvas->unit;
    return (bitmap_view){.figure = figure,
                         .canvas = canvas,
                         .plan = plan,
                         .width = tile_pixels(plan->tile_width, unit, images->width),
                         .height = tile_pixels(plan->tile_height, unit, images->height),
                         .gap = gap_pixels(plan, unit),
                         .caption = (int64_t)lround(plan->caption_height * unit)};
}

static double width_of(const bitmap_view *view) {
    return (double)(left_of(view, view->plan->columns - 1) + view->width) / view->canvas->unit;
}

static double height_of(const bitmap_view *view) {
    return (double)(top_of(view, view->plan->rows - 1) + view->height) / view->canvas->unit;
}

static bool fits_page(const dlz_canvas *canvas, const dlviz_figure *figure, const grid *plan,
                      dlz_box box) {
    bitmap_view view = view_of(canvas, figure, plan);
    return box.y + height_of(&view) <= canvas->height && box.x + width_of(&view) <= canvas->width;
}

/* Takes away what rounding up to whole pixels has added. */
static bool fits_tightly(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box,
                         grid *plan) {
    if (fits_page(canvas, figure, plan, box))
        return true;
    plan->gap = fmax(floor(plan->gap * canvas->unit), 1) / canvas->unit;
    plan->caption_height = floor(plan->caption_height * canvas->unit) / canvas->unit;
    return fits_page(canvas, figure, plan, box);
}

/* Where rows are too many for the page, there are ever more images in one. As many as a grid may
 * have fit on the smallest page. */
static void fit_rows(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box,
                     grid_limits limits, grid *plan) {
    int64_t wanted = plan->columns;
    while (!fits_tightly(canvas, figure, box, plan) && wanted < plan->tiles) {
        wanted += dlz_max_i64(wanted / 8, 1);
        wanted = dlz_ceil_div(wanted, plan->together) * plan->together;
        plan_grid(figure, box.width, box.height, wanted, limits, plan);
    }
}

dlviz_status dlz_draw_images(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box) {
    grid plan;
    double unit = canvas->unit;
    const grid_limits limits = {unit, largest_pixel};
    /* A page that was made for the grid gives it all the height it wants, unless that is too much
     * for any page. */
    plan_grid(figure, box.width, figure->height > 0 ? box.height : 0, 1, limits, &plan);
    if (grid_height(&plan, count_captions(&plan, plan.rows)) > box.height + 1)
        plan_grid(figure, box.width, box.height, 1, limits, &plan);
    fit_rows(canvas, figure, box, limits, &plan);
    bitmap_view view = view_of(canvas, figure, &plan);
    double width = width_of(&view), height = height_of(&view);
    /* Whole pixels of the page, so that nothing is resampled. */
    view.left = round((box.x + fmax(0, (box.width - width - plan.bar) / 2)) * unit) / unit;
    view.top = round(box.y * unit) / unit;
    DLZ_TRY(draw_tiles(&view));
    draw_captions(&view);
    if (plan.bar > 0)
        draw_bar(&view, height);
    return DLVIZ_OK;
}
