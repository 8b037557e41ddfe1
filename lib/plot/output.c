#include "plot/output.h"
#include "base/file.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <string.h>
#include <strings.h>

dlviz_status dlz_format_of_path(const char *path, dlviz_figure_format *format) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    if (dot && dot > name && strcasecmp(dot, ".png") == 0)
        *format = DLVIZ_FIGURE_FORMAT_PNG;
    else if (dot && dot > name && strcasecmp(dot, ".svg") == 0)
        *format = DLVIZ_FIGURE_FORMAT_SVG;
    else if (dot && dot > name && strcasecmp(dot, ".pdf") == 0)
        *format = DLVIZ_FIGURE_FORMAT_PDF;
    else
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_figure_write: the path '%s' needs to end in .png, .svg or .pdf",
                        path);
    return DLVIZ_OK;
}

static cairo_status_t append(void *closure, const unsigned char *data, unsigned int length) {
    dlz_bytes *bytes = closure;
    if (length > bytes->capacity - bytes->size) {
        size_t capacity = 2 * (bytes->size + length);
        unsigned char *grown = dlz_realloc_array(bytes->data, capacity, 1);
        if (!grown) {
            bytes->out_of_memory = true;
            return CAIRO_STATUS_WRITE_ERROR;
        }
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->size, data, length);
    bytes->size += length;
    return CAIRO_STATUS_SUCCESS;
}

static dlviz_status check(cairo_status_t status, const dlz_bytes *bytes) {
    if (status == CAIRO_STATUS_SUCCESS && !bytes->out_of_memory)
        return DLVIZ_OK;
    if (status == CAIRO_STATUS_NO_MEMORY || bytes->out_of_memory)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory while drawing a figure");
    return dlz_fail(DLVIZ_ERROR_UNSUPPORTED, "cairo cannot draw this figure: %s",
                    cairo_status_to_string(status));
}

/* Text is tried on a surface of its own: where fonts are missing, the failure stays there. */
static void try_text(dlz_canvas *canvas) {
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 8, 8);
    cairo_t *cr = cairo_create(surface);
    cairo_text_extents_t extents = {0};
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, 8);
    cairo_move_to(cr, 0, 8);
    cairo_show_text(cr, "0");
    cairo_text_extents(cr, "0", &extents);
    canvas->has_text = cairo_status(cr) == CAIRO_STATUS_SUCCESS && extents.x_advance > 0;
    /* The font that cairo carries for machines without any is made of drawing commands. */
    cairo_scaled_font_t *font = cairo_get_scaled_font(cr);
    canvas->ascii = cairo_scaled_font_get_type(font) == CAIRO_FONT_TYPE_USER;
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
}

/* Letters are placed alike in all formats and at all sizes: no hinting. */
static void set_font_options(cairo_t *cr) {
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(cr, options);
    cairo_font_options_destroy(options);
}

dlviz_status dlz_output_open(dlz_output *output, dlviz_figure_format format, int width, int height,
                             double unit, const char *title) {
    *output = (dlz_output){.format = format};
    double points = 0.5;
    switch (format) {
    case DLVIZ_FIGURE_FORMAT_PNG:
        output->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
        break;
    case DLVIZ_FIGURE_FORMAT_SVG:
        output->surface = cairo_svg_surface_create_for_stream(append, &output->bytes,
                                                              points * width, points * height);
        /* Since 1.18 cairo's own choice is another. */
        cairo_svg_surface_set_document_unit(output->surface, CAIRO_SVG_UNIT_PT);
        break;
    case DLVIZ_FIGURE_FORMAT_PDF:
        output->surface = cairo_pdf_surface_create_for_stream(append, &output->bytes,
                                                              points * width, points * height);
        /* An empty date leaves it out: equal figures are equal files. */
        cairo_pdf_surface_set_metadata(output->surface, CAIRO_PDF_METADATA_CREATE_DATE, "");
        if (title)
            cairo_pdf_surface_set_metadata(output->surface, CAIRO_PDF_METADATA_TITLE, title);
        break;
    }
    cairo_t *cr = cairo_create(output->surface);
    bool vector = format != DLVIZ_FIGURE_FORMAT_PNG;
    output->canvas = (dlz_canvas){
        .cr = cr, .width = width / unit, .height = height / unit, .unit = unit, .vector = vector};
    try_text(&output->canvas);
    double scale = vector ? unit * points : unit;
    cairo_scale(cr, scale, scale);
    set_font_options(cr);
    dlz_fill_box(&output->canvas, (dlz_box){0, 0, width / unit, height / unit}, dlz_paper);
    return check(cairo_status(cr), &output->bytes);
}

dlviz_status dlz_output_finish(dlz_output *output) {
    DLZ_TRY(check(cairo_status(output->canvas.cr), &output->bytes));
    if (output->format == DLVIZ_FIGURE_FORMAT_PNG) {
        cairo_surface_flush(output->surface);
        DLZ_TRY(check(cairo_surface_write_to_png_stream(output->surface, append, &output->bytes),
                      &output->bytes));
    }
    cairo_surface_finish(output->surface);
    DLZ_TRY(check(cairo_surface_status(output->surface), &output->bytes));
    if (output->format == DLVIZ_FIGURE_FORMAT_SVG)
        dlz_svg_tidy(&output->bytes);
    return DLVIZ_OK;
}

dlviz_status dlz_output_save(const dlz_output *output, const char *path) {
    dlz_file *file;
    DLZ_TRY(dlz_file_create(&file, path));
    dlviz_status status = dlz_file_write(file, output->bytes.data, output->bytes.size);
    if (status != DLVIZ_OK) {
        dlz_file_discard(file);
        return status;
    }
    return dlz_file_commit(file);
}

void dlz_output_close(dlz_output *output) {
    if (output->canvas.cr)
        cairo_destroy(output->canvas.cr);
    if (output->surface)
        cairo_surface_destroy(output->surface);
    dlz_free(output->bytes.data);
    *output = (dlz_output){0};
}
