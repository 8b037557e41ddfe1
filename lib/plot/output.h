/* plot/output.h - from a path to a surface, and from the finished surface to the bytes of a file. */
#ifndef DLZ_OUTPUT_H
#define DLZ_OUTPUT_H

#include "plot/canvas.h"
#include <dlviz/plot.h>

typedef struct dlz_output {
    dlviz_figure_format format;
    cairo_surface_t *surface;
    dlz_canvas canvas;
    const char *title;  /* the figure's */
    bool pictures;      /* it shows pictures, whose colors are to stay */
    dlz_bytes svg_text; /* the elements of an SVG's text, until they are put into the file */
    dlz_bytes bytes;
} dlz_output;

dlviz_status dlz_format_of_path(const char *path, dlviz_figure_format *format);
/* Opens a white surface of width x height pixels with `unit` pixels a unit. Must be closed, also
 * when this fails. The output must stay where it is in between. */
dlviz_status dlz_output_open(dlz_output *output, dlviz_figure_format format, int width, int height,
                             double unit, const char *title);
/* Finishes the surface: the bytes of the file are then complete. The description is for an SVG. */
dlviz_status dlz_output_finish(dlz_output *output, const dlz_bytes *description);
/* Writes them, all or nothing. */
dlviz_status dlz_output_save(const dlz_output *output, const char *path);
void dlz_output_close(dlz_output *output);

#endif
