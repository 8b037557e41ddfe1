/* plot/output.h - from a path to a surface, and from the finished surface to a file. */
#ifndef DLZ_OUTPUT_H
#define DLZ_OUTPUT_H

#include "plot/canvas.h"

typedef enum dlz_file_format { DLZ_FORMAT_PNG, DLZ_FORMAT_SVG, DLZ_FORMAT_PDF } dlz_file_format;

typedef struct dlz_bytes {
    unsigned char *data;
    size_t size, capacity;
    bool out_of_memory;
} dlz_bytes;

typedef struct dlz_output {
    dlz_file_format format;
    cairo_surface_t *surface;
    dlz_canvas canvas;
    dlz_bytes bytes;
} dlz_output;

dlviz_status dlz_format_of_path(const char *path, dlz_file_format *format);
/* Opens a white surface of width x height pixels with `unit` pixels a unit. Must be closed, also
 * when this fails. The output must stay where it is in between. */
dlviz_status dlz_output_open(dlz_output *output, dlz_file_format format, int width, int height,
                             double unit, const char *title);
/* Finishes the surface and writes the file, all or nothing. */
dlviz_status dlz_output_save(dlz_output *output, const char *path);
void dlz_output_close(dlz_output *output);

/* Makes cairo's SVG shorter and the same for equal figures, in place. */
void dlz_svg_tidy(dlz_bytes *bytes);

#endif
