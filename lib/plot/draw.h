/* plot/draw.h - the parts of a figure. Each kind draws into the box that the decorations leave. */
#ifndef DLZ_DRAW_H
#define DLZ_DRAW_H

#include "plot/canvas.h"

/* What stays empty on the left and right. */
#define DLZ_MARGIN 22
/* Title, subtitle and footnote; returns the box between them. */
dlz_box dlz_draw_decorations(const dlz_canvas *canvas, const dlviz_figure *figure);
/* The height they take at a given width, without the box; nothing is drawn. */
double dlz_decorations_height(const dlz_canvas *canvas, const dlviz_figure *figure);
/* The width with which none of them would wrap. */
double dlz_decorations_width(const dlz_canvas *canvas, const dlviz_figure *figure);

/* An entry's text goes into `buffer` when it is made of a number. */
const char *dlz_class_name(const dlviz_figure *figure, int class, char buffer[16]);
/* Axis names centered along the bottom and left side of `box`, which shrinks by their places. */
void dlz_draw_axis_names(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box frame,
                         double x_height, double y_left);

dlviz_status dlz_draw_scatter(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box);
dlviz_status dlz_draw_curves(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box);
dlviz_status dlz_draw_matrix(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box);
dlviz_status dlz_draw_images(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box);

/* What a figure shows, in words, for those who cannot see it. */
void dlz_describe(const dlviz_figure *figure, dlz_bytes *text);

/* The colors of a map from the bottom of a box to its top, and a frame. */
void dlz_draw_color_bar(const dlz_canvas *canvas, dlz_box bar, dlviz_colormap map);

/* The size in units that a grid of images takes best, in at most `most` of width, and at least
 * `least`, on a page with `unit` pixels a unit. */
void dlz_images_size(const dlviz_figure *figure, double unit, double least, double most,
                     double *width, double *height);
/* The height in units that suits a map of points in the given width. */
dlviz_status dlz_scatter_height(const dlz_canvas *canvas, const dlviz_figure *figure, double width,
                                double *height);

#endif
