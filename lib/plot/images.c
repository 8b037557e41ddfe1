/* Grids of images: all of them in one bitmap at the output's resolution, so that pixels stay
 * squares with sharp edges in every format. */
#include "plot/draw.h"
#include "base/base.h"
#include "plot/grid.h"

#include <math.h>

/* In units. */
static const double bar_gap = 16, bar_width = 14, tallest_bar = 280;

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
    int64_t each = dlz_grid_tiles_of_image(figure), index = tile / each, part = tile % each;
    int count = dlz_grid_is_rgb(figure) ? 3 : 1;
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

typedef struct bitmap_view {
    const dlviz_figure *figure;
    const dlz_canvas *canvas;
    const dlz_grid *plan;
    dlz_grid_pixels at;
    double left, top; /* of the grid, in units, at whole pixels */
} bitmap_view;

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
    const dlz_grid *plan = view->plan;
    cairo_surface_t *bitmap = NULL;
    DLZ_TRY(
        create_bitmap(dlz_grid_pixel_width(&view->at), dlz_grid_pixel_height(&view->at), &bitmap));
    unsigned char *pixels = cairo_image_surface_get_data(bitmap);
    int stride = cairo_image_surface_get_stride(bitmap);
    for (int64_t row = 0; row < plan->rows; row++) {
        int64_t top = dlz_grid_top(&view->at, row);
        for (int64_t column = 0; column < plan->columns; column++) {
            int64_t i = row * plan->columns + column;
            if (i >= plan->tiles)
                break;
            tile_view tile = find_tile(view->figure, i);
            paint_tile(&tile, pixels, stride, dlz_grid_left(&view->at, column), top, view->at.width,
                       view->at.height);
        }
    }
    cairo_surface_mark_dirty(bitmap);
    dlz_show_picture(view->canvas, bitmap, view->left, view->top, view->canvas->unit);
    return DLVIZ_OK;
}

/* A caption stands below its tile, or below all channels of its image. */
static void draw_captions(const bitmap_view *view) {
    const dlz_grid *plan = view->plan;
    bool wide = plan->together > 1 && view->figure->of.images.num_heat_maps == 0;
    int64_t across = wide ? plan->together : 1;
    for (int64_t tile = 0; tile < plan->tiles; tile++) {
        int64_t column = tile % plan->columns, row = tile / plan->columns;
        const char *caption = plan->captioned[row] ? dlz_grid_caption(view->figure, tile) : NULL;
        if (!caption)
            continue;
        double unit = view->canvas->unit;
        double wide_pixels = (double)(across * (view->at.width + view->at.gap) - view->at.gap);
        double middle = (double)dlz_grid_left(&view->at, column) + wide_pixels / 2;
        double below = (double)(dlz_grid_top(&view->at, row) + view->at.height) / unit;
        dlz_text(view->canvas, view->left + middle / unit,
                 view->top + below + 0.5 * plan->caption_height, caption,
                 (dlz_style){.size = plan->caption_size,
                             .color = dlz_soft_ink,
                             .align = 0.5,
                             .most = (wide_pixels + (double)view->at.gap) / unit});
    }
}

/* Which color is which value. */
static void draw_bar(const bitmap_view *view, double height) {
    tile_view tile = find_tile(view->figure, 0);
    double left = (double)dlz_grid_pixel_width(&view->at) / view->canvas->unit;
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

dlviz_status dlz_draw_images(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box) {
    dlz_grid plan;
    double unit = canvas->unit;
    dlz_grid_lay_out(canvas, figure, box, &plan);
    bitmap_view view = {.figure = figure,
                        .canvas = canvas,
                        .plan = &plan,
                        .at = dlz_grid_in_pixels(&plan, &figure->of.images, unit)};
    double width = (double)dlz_grid_pixel_width(&view.at) / unit;
    /* Whole pixels of the page, so that nothing is resampled. */
    view.left = round((box.x + fmax(0, (box.width - width - plan.bar) / 2)) * unit) / unit;
    view.top = round(box.y * unit) / unit;
    DLZ_TRY(draw_tiles(&view));
    draw_captions(&view);
    if (plan.bar > 0)
        draw_bar(&view, (double)dlz_grid_pixel_height(&view.at) / unit);
    return DLVIZ_OK;
}
