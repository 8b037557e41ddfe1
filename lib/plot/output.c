#include "plot/output.h"
#include "plot/png.h"
#include "plot/svg.h"
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
    dlz_bytes_add(bytes, data, length);
    return bytes->out_of_memory ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

static dlviz_status check(cairo_status_t status, const dlz_bytes *bytes) {
    if (status == CAIRO_STATUS_SUCCESS && !bytes->out_of_memory)
        return DLVIZ_OK;
    if (status == CAIRO_STATUS_NO_MEMORY || bytes->out_of_memory)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory while drawing a figure");
    return dlz_fail(DLVIZ_ERROR_UNSUPPORTED, "cairo cannot draw this figure: %s",
                    cairo_status_to_string(status));
}

static dlviz_status set_title(cairo_surface_t *surface, const char *title) {
    char *replaced;
    if (!title)
        return DLVIZ_OK;
    if (!dlz_type_replace(title, strlen(title), &replaced))
        return dlz_fail_memory("a figure's title", strlen(title) + 1);
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, replaced ? replaced : title);
    dlz_free(replaced);
    return DLVIZ_OK;
}

dlviz_status dlz_output_open(dlz_output *output, dlviz_figure_format format, int width, int height,
                             double unit, const char *title) {
    *output = (dlz_output){.format = format, .title = title};
    DLZ_TRY(dlz_type_create(&output->canvas.type));
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
        DLZ_TRY(set_title(output->surface, title));
        break;
    }
    cairo_t *cr = cairo_create(output->surface);
    bool vector = format != DLVIZ_FIGURE_FORMAT_PNG;
    output->canvas.cr = cr;
    output->canvas.width = width / unit;
    output->canvas.height = height / unit;
    output->canvas.unit = unit;
    output->canvas.vector = vector;
    output->canvas.svg_text = format == DLVIZ_FIGURE_FORMAT_SVG ? &output->svg_text : NULL;
    double scale = vector ? unit * points : unit;
    cairo_scale(cr, scale, scale);
    dlz_fill_box(&output->canvas, (dlz_box){0, 0, width / unit, height / unit}, dlz_paper);
    return check(cairo_status(cr), &output->bytes);
}

dlviz_status dlz_output_finish(dlz_output *output, const dlz_bytes *description) {
    DLZ_TRY(dlz_type_status(output->canvas.type));
    DLZ_TRY(check(cairo_status(output->canvas.cr), &output->bytes));
    if (output->format == DLVIZ_FIGURE_FORMAT_PNG) {
        cairo_surface_flush(output->surface);
        DLZ_TRY(check(cairo_surface_status(output->surface), &output->bytes));
        return dlz_figure_png(&output->bytes, cairo_image_surface_get_data(output->surface),
                              cairo_image_surface_get_stride(output->surface),
                              cairo_image_surface_get_width(output->surface),
                              cairo_image_surface_get_height(output->surface),
                              output->pictures ? DLZ_PNG_OFF_PICTURE : DLZ_PNG_OFF_DRAWING);
    }
    cairo_surface_finish(output->surface);
    /* It takes a lack of memory that libpng had for something else. */
    DLZ_TRY(dlz_type_status(output->canvas.type));
    DLZ_TRY(check(cairo_surface_status(output->surface), &output->bytes));
    if (output->format == DLVIZ_FIGURE_FORMAT_SVG)
        dlz_svg_complete(&output->bytes, &output->canvas, output->title, description);
    return check(CAIRO_STATUS_SUCCESS, &output->bytes);
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
    dlz_type_destroy(output->canvas.type);
    dlz_bytes_free(&output->svg_text);
    dlz_bytes_free(&output->bytes);
    *output = (dlz_output){0};
}
