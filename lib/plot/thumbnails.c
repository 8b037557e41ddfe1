#include "plot/thumbnails.h"
#include "base/base.h"
#include "tensor/tensor.h"

#include <math.h>

enum { MOST_SHOWN = 1024 };
static const double side = 32, spacing = 1.35, most_covered = 0.5, most_pixels = 16e6;

typedef struct thumbnail {
    int64_t point;
    dlz_box box;
} thumbnail;

/* The images, and where in them black and white are. */
typedef struct pictures {
    const dlviz_tensor *tensor;
    int64_t count, channels, height, width;
    double black, white;
} pictures;

static double value_at(const pictures *all, int64_t index) {
    return all->tensor->dtype == DLVIZ_UINT8 ? ((const uint8_t *)all->tensor->data)[index]
                                             : (double)((const float *)all->tensor->data)[index];
}

static pictures open_pictures(const dlviz_tensor *tensor) {
    const int64_t *dims = tensor->dims;
    pictures all = {.tensor = tensor,
                    .count = dims[0],
                    .channels = tensor->ndim == 4 ? dims[1] : 1,
                    .height = dims[tensor->ndim - 2],
                    .width = dims[tensor->ndim - 1],
                    .white = tensor->dtype == DLVIZ_UINT8 ? 255 : 1};
    double low = 0, high = all.white;
    for (int64_t i = 0; tensor->dtype == DLVIZ_FLOAT32 && i < tensor->size; i++)
        dlz_range_include(&low, &high, value_at(&all, i));
    if (low < 0 || high > all.white) {
        low = high = value_at(&all, 0);
        for (int64_t i = 1; i < tensor->size; i++)
            dlz_range_include(&low, &high, value_at(&all, i));
        all.black = low;
        all.white = high > low ? high : low + 1;
    }
    return all;
}

/* ---- Places ---------------------------------------------------------------------------------- */

/* Around a point, and inside the frame. */
static dlz_box box_around(const dlz_scatter_view *view, int64_t i, double width, double height) {
    dlz_box frame = view->frame;
    double left = fmin(view->at[2 * i] - width / 2, frame.x + frame.width - width - 1);
    double top = fmin(view->at[2 * i + 1] - height / 2, frame.y + frame.height - height - 1);
    return (dlz_box){fmax(left, frame.x + 1), fmax(top, frame.y + 1), width, height};
}

static bool meets(dlz_box a, dlz_box b, double times) {
    double dx = fabs(a.x + a.width / 2 - b.x - b.width / 2);
    double dy = fabs(a.y + a.height / 2 - b.y - b.height / 2);
    return dx < times * (a.width + b.width) / 2 && dy < times * (a.height + b.height) / 2;
}

static bool is_free(dlz_box box, int count, const thumbnail *shown, int num_taken,
                    const dlz_box *taken) {
    for (int k = 0; k < num_taken; k++)
        if (meets(box, taken[k], 1.05))
            return false;
    for (int k = 0; k < count; k++)
        if (meets(box, shown[k].box, spacing))
            return false;
    return true;
}

static int place(const dlz_scatter_view *view, dlz_ink_grid *ink, const pictures *all,
                 int num_taken, const dlz_box *taken, thumbnail *shown) {
    double longer = (double)dlz_max_i64(all->width, all->height);
    double width = fmax(side * (double)all->width / longer, 4);
    double height = fmax(side * (double)all->height / longer, 4);
    int count = 0;
    for (int64_t k = 0; k < view->scatter->n && count < MOST_SHOWN; k++) {
        int64_t i = view->order[k];
        dlz_box box = box_around(view, i, width, height);
        if (i >= all->count || !dlz_scatter_is_inside(view, i) ||
            !is_free(box, count, shown, num_taken, taken))
            continue;
        /* The point itself is there to be seen as an image. */
        double diameter = view->diameter + 2;
        dlz_ink_count(ink, box);
        dlz_ink_forgive(ink, dlz_scatter_entry(view, i), diameter * diameter);
        if (!dlz_ink_leaves_enough(ink, most_covered))
            continue;
        dlz_ink_cover(ink);
        shown[count++] = (thumbnail){i, box};
    }
    return count;
}

/* ---- Pixels ---------------------------------------------------------------------------------- */

/* The mean of the pixels that a stretch of the image has, or the one in its middle. */
static double mean_of(const pictures *all, int64_t plane, double top, double left, double step_y,
                      double step_x) {
    int64_t first_y = (int64_t)(top + (step_y < 1 ? step_y / 2 : 0)),
            first_x = (int64_t)(left + (step_x < 1 ? step_x / 2 : 0));
    int64_t last_y =
        dlz_min_i64(dlz_max_i64((int64_t)ceil(top + step_y), first_y + 1), all->height);
    int64_t last_x =
        dlz_min_i64(dlz_max_i64((int64_t)ceil(left + step_x), first_x + 1), all->width);
    if (step_y < 1)
        last_y = first_y + 1;
    if (step_x < 1)
        last_x = first_x + 1;
    double sum = 0;
    for (int64_t y = first_y; y < last_y; y++)
        for (int64_t x = first_x; x < last_x; x++)
            sum += value_at(all, (plane * all->height + y) * all->width + x);
    return sum / (double)((last_y - first_y) * (last_x - first_x));
}

static uint32_t pixel_of(const pictures *all, int64_t point, double top, double left, double step_y,
                         double step_x) {
    uint32_t pixel = 0xff;
    for (int64_t channel = 0; channel < 3; channel++) {
        int64_t plane = point * all->channels + (all->channels == 3 ? channel : 0);
        double value = mean_of(all, plane, top, left, step_y, step_x);
        double share = fmin(fmax((value - all->black) / (all->white - all->black), 0), 1);
        pixel = pixel << 8 | (uint32_t)lround(255 * share);
    }
    return pixel;
}

/* Sets the pixels of a thumbnail in an image of the whole frame. */
static void set_pixels(const dlz_scatter_view *view, const pictures *all, const thumbnail *item,
                       double scale, cairo_surface_t *surface) {
    unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    int left = (int)lround((item->box.x - view->frame.x) * scale),
        top = (int)lround((item->box.y - view->frame.y) * scale);
    int width = dlz_max_int((int)lround(item->box.width * scale), 1),
        height = dlz_max_int((int)lround(item->box.height * scale), 1);
    double step_x = (double)all->width / width, step_y = (double)all->height / height;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            if (left + x >= cairo_image_surface_get_width(surface) ||
                top + y >= cairo_image_surface_get_height(surface))
                continue;
            uint32_t *to = (uint32_t *)(void *)(data + (ptrdiff_t)(top + y) * stride) + left + x;
            *to = pixel_of(all, item->point, y * step_y, x * step_x, step_y, step_x);
        }
}

/* All of them are one image, which a vector file holds once. */
static void draw_images(const dlz_scatter_view *view, const pictures *all, int count,
                        const thumbnail *shown) {
    dlz_box frame = view->frame;
    double scale = fmin(view->canvas->unit, sqrt(most_pixels / (frame.width * frame.height)));
    int width = (int)ceil(frame.width * scale), height = (int)ceil(frame.height * scale);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, width, height);
    if (cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS) {
        cairo_surface_flush(surface);
        for (int k = 0; k < count; k++)
            set_pixels(view, all, &shown[k], scale, surface);
        cairo_surface_mark_dirty(surface);
    }
    dlz_show_picture(view->canvas, surface, frame.x, frame.y, scale);
}

dlviz_status dlz_draw_thumbnails(const dlz_scatter_view *view, dlz_ink_grid *ink, int num_taken,
                                 const dlz_box *taken) {
    if (!view->scatter->thumbnails)
        return DLVIZ_OK;
    pictures all = open_pictures(view->scatter->thumbnails);
    thumbnail *shown = dlz_alloc_array(MOST_SHOWN, sizeof *shown);
    if (!shown)
        return dlz_fail_memory("thumbnails", MOST_SHOWN * sizeof *shown);
    int count = place(view, ink, &all, num_taken, taken, shown);
    if (count > 0)
        draw_images(view, &all, count, shown);
    for (int k = 0; k < count; k++)
        dlz_stroke_box(view->canvas, shown[k].box, dlz_scatter_look(view, shown[k].point).color,
                       1.2);
    dlz_free(shown);
    return DLVIZ_OK;
}
