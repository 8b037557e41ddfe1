/* From a figure to a file: the size, the surface, and the part that draws. */
#include "plot/draw.h"
#include "plot/output.h"
#include "base/base.h"
#include "base/cancel.h"
#include "base/locale.h"

#include <math.h>

enum { DEFAULT_WIDTH = 1600, DEFAULT_HEIGHT = 1200, LARGEST_HEIGHT = 16384 };
/* Of a grid of images, in units. */
static const double least_width = 200;
/* Of what any figure shows, in units. */
static const double least_height = 40;

bool dlviz_plot_supported(void) {
    return true;
}

dlviz_status dlz_plot_check_supported(void) {
    return DLVIZ_OK;
}

typedef struct page_size {
    int width, height;
    double unit;
} page_size;

/* The default size of a grid of images or a map depends on how its title wraps, which only a canvas
 * can tell. */
static dlviz_status suitable_size(const dlviz_figure *figure, page_size *chosen) {
    dlz_output probe;
    dlviz_status status =
        dlz_output_open(&probe, DLVIZ_FIGURE_FORMAT_PNG, DEFAULT_WIDTH, 1, chosen->unit, NULL);
    dlz_canvas *canvas = &probe.canvas;
    double most = canvas->width - 2 * DLZ_MARGIN, width = most, height = 0;
    if (status == DLVIZ_OK && figure->kind == DLZ_FIGURE_SCATTER) {
        status = dlz_scatter_height(canvas, figure, most, &height);
    } else if (status == DLVIZ_OK) {
        double least = fmin(fmax(dlz_decorations_width(canvas, figure) + 1, least_width), most);
        dlz_images_size(figure, chosen->unit, least, most, &width, &height);
        canvas->width = width + 2 * DLZ_MARGIN;
        chosen->width = (int)ceil(canvas->width * chosen->unit);
    }
    if (status == DLVIZ_OK) {
        height = fmax(height, least_height) + dlz_decorations_height(canvas, figure);
        chosen->height = (int)fmin(fmax(ceil(height * chosen->unit), 200), LARGEST_HEIGHT);
        status = dlz_type_status(canvas->type);
    }
    dlz_output_close(&probe);
    return status;
}

static dlviz_status choose_size(const dlviz_figure *figure, page_size *chosen) {
    *chosen = (page_size){DEFAULT_WIDTH, DEFAULT_HEIGHT, 2};
    if (figure->width > 0) {
        chosen->width = figure->width;
        chosen->height = figure->height;
        double share = (double)figure->width / DEFAULT_WIDTH * figure->height / DEFAULT_HEIGHT;
        chosen->unit = 2 * sqrt(share);
    } else if (figure->kind == DLZ_FIGURE_IMAGES || figure->kind == DLZ_FIGURE_SCATTER) {
        return suitable_size(figure, chosen);
    }
    return DLVIZ_OK;
}

static dlviz_status (*const drawers[])(const dlz_canvas *canvas, const dlviz_figure *figure,
                                       dlz_box box) = {
    [DLZ_FIGURE_SCATTER] = dlz_draw_scatter,
    [DLZ_FIGURE_CURVES] = dlz_draw_curves,
    [DLZ_FIGURE_MATRIX] = dlz_draw_matrix,
    [DLZ_FIGURE_IMAGES] = dlz_draw_images,
};

static dlviz_status draw(const dlz_canvas *canvas, const dlviz_figure *figure) {
    dlz_box box = dlz_draw_decorations(canvas, figure);
    /* Text may leave no room in a very small figure: then what it shows keeps a little, over the
     * text. */
    box.height = fmax(box.height, least_height);
    box.y = fmax(fmin(box.y, canvas->height - box.height - DLZ_MARGIN), 0);
    return drawers[figure->kind](canvas, figure, box);
}

/* Draws the figure. The output must be closed, also when this fails. */
static dlviz_status make(const dlviz_figure *figure, const char *who, dlviz_figure_format format,
                         dlz_output *output) {
    DLZ_NOT_CANCELLED;
    DLZ_IN_C_LOCALE;
    *output = (dlz_output){.format = format};
    if (figure->kind == DLZ_FIGURE_CURVES && figure->of.curves.count == 0)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: the figure has no curves yet; dlviz_figure_add_curve adds them", who);
    page_size chosen;
    DLZ_TRY(choose_size(figure, &chosen));
    DLZ_TRY(
        dlz_output_open(output, format, chosen.width, chosen.height, chosen.unit, figure->title));
    output->pictures = figure->kind == DLZ_FIGURE_IMAGES;
    DLZ_TRY(draw(&output->canvas, figure));
    dlz_bytes description = {0};
    if (format == DLVIZ_FIGURE_FORMAT_SVG)
        dlz_describe(figure, &description);
    dlviz_status status = dlz_output_finish(output, &description);
    dlz_bytes_free(&description);
    return status;
}

dlviz_status dlviz_figure_write(const dlviz_figure *figure, const char *path) {
    DLZ_REQUIRE(figure);
    DLZ_REQUIRE(path);
    dlviz_figure_format format;
    DLZ_TRY(dlz_format_of_path(path, &format));
    dlz_output output;
    dlviz_status status = make(figure, __func__, format, &output);
    if (status == DLVIZ_OK)
        status = dlz_output_save(&output, path);
    dlz_output_close(&output);
    return status;
}

dlviz_status dlviz_figure_write_memory(const dlviz_figure *figure, dlviz_figure_format format,
                                       void **bytes, size_t *size) {
    DLZ_REQUIRE_OUT(bytes);
    DLZ_REQUIRE(size);
    *size = 0;
    DLZ_REQUIRE(figure);
    if (format != DLVIZ_FIGURE_FORMAT_PNG && format != DLVIZ_FIGURE_FORMAT_SVG &&
        format != DLVIZ_FIGURE_FORMAT_PDF)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: format %d is not DLVIZ_FIGURE_FORMAT_PNG, _SVG or _PDF", __func__,
                        (int)format);
    dlz_output output;
    dlviz_status status = make(figure, __func__, format, &output);
    if (status == DLVIZ_OK) {
        *bytes = output.bytes.data;
        *size = output.bytes.size;
        output.bytes.data = NULL;
    }
    dlz_output_close(&output);
    return status;
}
