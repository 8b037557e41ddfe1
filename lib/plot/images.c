/* Grids of images: all of them in one bitmap at the output's resolution, so that pixels stay
 * squares with sharp edges in every format. */
#include "plot/draw.h"
#include "base/base.h"

#include <math.h>

static const double caption_size = 11.5, caption_height = 17, largest_pixel = 30;

typedef struct grid {
    int64_t tiles, columns, rows;
    int64_t
        together; /* neighbors in a row, an image and its heat maps; the gap after them is wider */
    double gap, tile_width, tile_height, caption; /* units */
} grid;

/* Whether the channels of an image are one tile. Beside heat maps they always are. */
static bool is_rgb(const dlviz_figure *figure) {
    const dlz_images *images = &figure->of.images;
    return figure->colormap == DLVIZ_COLORMAP_RGB ||
           (images->num_heat_maps > 0 && images->channels == 3);
}

/* Tiles that belong together: an image and its heat maps. */
static int64_t tiles_together(const dlviz_figure *figure) {
    return 1 + figure->of.images.num_heat_maps;
}

/* As near to the shape of the page as whole numbers of rows allow, preferring full rows. */
static int64_t choose_columns(int64_t tiles, double aspect) {
    int64_t best = 1;
    double best_cost = INFINITY;
    for (int64_t columns = 1; columns <= tiles; columns++) {
        int64_t rows = dlz_ceil_div(tiles, columns);
        double shape = fabs(log((double)columns * aspect / (double)rows / 1.7));
        double cost = shape + 0.5 * (double)(rows * columns - tiles) / (double)tiles;
        if (cost < best_cost) {
            best_cost = cost;
            best = columns;
        }
    }
    return best;
}

static bool has_captions(const dlz_images *images) {
    bool has = images->captions.count > 0;
    for (int i = 0; i < images->num_heat_maps; i++)
        has |= images->heat_maps[i].name != NULL;
    return has;
}

/* How many gaps there are before a column, or in a whole row, beyond those between any tiles. */
static int64_t wider_gaps(const grid *plan, int64_t column) {
    int64_t before = dlz_min_i64(column, plan->columns - 1);
    return plan->together > 1 ? 2 * (before / plan->together) : 0;
}

static grid plan_grid(const dlviz_figure *figure, double width, double height) {
    const dlz_images *images = &figure->of.images;
    int64_t together = tiles_together(figure);
    grid plan = {.tiles = is_rgb(figure) ? images->n : images->n * images->channels,
                 .together = together};
    double aspect = (double)images->width / (double)images->height;
    plan.columns = images->columns > 0 ? images->columns
                   : images->channels > 1 && !is_rgb(figure)
                       ? images->channels
                       : choose_columns(plan.tiles, aspect * (double)together);
    plan.columns = dlz_min_i64(plan.columns, plan.tiles) * together;
    plan.tiles *= together;
    plan.rows = dlz_ceil_div(plan.tiles, plan.columns);
    plan.caption = has_captions(images) ? caption_height : 0;
    double pitch = width / (double)plan.columns;
    plan.gap = fmin(8, fmax(0.12 * pitch, 0.6));
    if (height > 0) {
        double row = height / (double)plan.rows;
        plan.gap = fmin(plan.gap, 0.25 * row);
        /* Captions that would leave no room for the images are left out. */
        if (plan.caption > 0.6 * row)
            plan.caption = 0;
    }
    pitch = (width - (double)wider_gaps(&plan, plan.columns) * plan.gap) / (double)plan.columns;
    plan.tile_width = fmin(pitch - plan.gap, largest_pixel * (double)images->width);
    double tallest = height > 0 ? height / (double)plan.rows - plan.gap - plan.caption : INFINITY;
    tallest = fmax(tallest, 0.5);
    plan.tile_width = fmax(fmin(plan.tile_width, tallest * aspect), 0.5);
    plan.tile_height = fmin(plan.tile_width / aspect, tallest);
    return plan;
}

double dlz_images_height(const dlviz_figure *figure, double width) {
    grid plan = plan_grid(figure, width, 0);
    return (double)plan.rows * (plan.tile_height + plan.gap + plan.caption);
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
    int64_t index = tile / tiles_together(figure), part = tile % tiles_together(figure);
    int count = is_rgb(figure) ? 3 : 1;
    tile_view found = {.count = count,
                       .width = images->width,
                       .height = images->height,
                       .map = figure->colormap,
                       .low = INFINITY,
                       .high = -INFINITY};
    for (int c = 0; c < count; c++)
        found.planes[c] = images->values + (index * count + c) * plane;
    for (int64_t i = 0; i < plane * count; i++)
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

/* Pixels of the bitmap a tile takes: whole multiples of the image's own when it is enlarged. */
static int64_t tile_pixels(double units, double unit, int64_t own) {
    int64_t pixels = (int64_t)floor(units * unit + 1e-6);
    return pixels >= own ? pixels / own * own : dlz_max_i64(pixels, 1);
}

/* Where a column begins, in pixels of the bitmap. */
static int64_t left_of(const grid *plan, int64_t column, int64_t width, int64_t gap) {
    return column * (width + gap) + wider_gaps(plan, column) * gap;
}

/* Of an image's first tile it is the image's, of a heat map the map's name. */
static const char *caption_of(const dlz_images *images, int64_t image, int64_t part) {
    if (part > 0 && images->num_heat_maps > 0)
        return images->heat_maps[part - 1].name;
    return part == 0 && image < images->captions.count ? images->captions.items[image] : NULL;
}

dlviz_status dlz_draw_images(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box) {
    const dlz_images *images = &figure->of.images;
    grid plan = plan_grid(figure, box.width, box.height + 1e-6);
    int64_t width = tile_pixels(plan.tile_width, canvas->unit, images->width);
    int64_t height = tile_pixels(plan.tile_height, canvas->unit, images->height);
    int64_t gap_x = dlz_max_i64((int64_t)lround(plan.gap * canvas->unit), 1);
    int64_t gap_y = dlz_max_i64((int64_t)lround((plan.gap + plan.caption) * canvas->unit), 1);
    int64_t total_x = left_of(&plan, plan.columns, width, gap_x) - gap_x;
    int64_t total_y = plan.rows * (height + gap_y) - gap_y;
    cairo_surface_t *bitmap =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)total_x, (int)total_y);
    if (cairo_surface_status(bitmap) != CAIRO_STATUS_SUCCESS) {
        cairo_surface_destroy(bitmap);
        return dlz_fail_memory("a grid of images", (uint64_t)(total_x * total_y * 4));
    }
    cairo_t *cr = cairo_create(bitmap);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    cairo_destroy(cr);
    cairo_surface_flush(bitmap);
    unsigned char *pixels = cairo_image_surface_get_data(bitmap);
    int stride = cairo_image_surface_get_stride(bitmap);
    for (int64_t i = 0; i < plan.tiles; i++) {
        tile_view tile = find_tile(figure, i);
        paint_tile(&tile, pixels, stride, left_of(&plan, i % plan.columns, width, gap_x),
                   i / plan.columns * (height + gap_y), width, height);
    }
    cairo_surface_mark_dirty(bitmap);

    /* Whole pixels of the page, so that nothing is resampled. */
    double unit = canvas->unit;
    double left = round(box.x * unit) / unit;
    double top = round(box.y * unit) / unit;
    cairo_save(canvas->cr);
    cairo_translate(canvas->cr, left, top);
    cairo_scale(canvas->cr, 1 / unit, 1 / unit);
    cairo_set_source_surface(canvas->cr, bitmap, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(canvas->cr), CAIRO_FILTER_NEAREST);
    cairo_paint(canvas->cr);
    cairo_restore(canvas->cr);
    cairo_surface_destroy(bitmap);

    int64_t tiles_an_image = plan.tiles / images->n;
    for (int64_t tile = 0; plan.caption > 0 && tile < plan.tiles; tile++) {
        int64_t column = tile % plan.columns, row = tile / plan.columns;
        const char *caption = caption_of(images, tile / tiles_an_image, tile % tiles_an_image);
        if (caption)
            dlz_text(canvas,
                     left +
                         ((double)left_of(&plan, column, width, gap_x) + (double)width / 2) / unit,
                     top + (double)(row * (height + gap_y) + height) / unit + caption_height / 2,
                     caption,
                     (dlz_style){.size = caption_size,
                                 .color = dlz_soft_ink,
                                 .align = 0.5,
                                 .most = (double)(width + gap_x) / unit});
    }
    return DLVIZ_OK;
}
