/* plot/output.h - from a path to a surface, and from the finished surface to the bytes of a file. */
#ifndef DLZ_OUTPUT_H
#define DLZ_OUTPUT_H

#include "plot/canvas.h"
#include <dlviz/plot.h>

typedef struct dlz_bytes {
    unsigned char *data;
    size_t size, capacity;
    bool out_of_memory;
} dlz_bytes;

typedef struct dlz_output {
    dlviz_figure_format format;
    cairo_surface_t *surface;
    dlz_canvas canvas;
    dlz_bytes bytes;
} dlz_output;

dlviz_status dlz_format_of_path(const char *path, dlviz_figure_format *format);
/* Opens a white surface of width x height pixels with `unit` pixels a unit. Must be closed, also
 * when this fails. The output must stay where it is in between. */
dlviz_status dlz_output_open(dlz_output *output, dlviz_figure_format format, int width, int height,
                             double unit, const char *title);
/* Finishes the surface: the bytes of the file are then complete. */
dlviz_status dlz_output_finish(dlz_output *output);
/* Writes them, all or nothing. */
dlviz_status dlz_output_save(const dlz_output *output, const char *path);
void dlz_output_close(dlz_output *output);

/* Makes cairo's SVG shorter and the same for equal figures, in place. */
void dlz_svg_tidy(dlz_bytes *bytes);

#endif
