/* plot/scatter.h - what the parts of a map of points share while it is drawn. */
#ifndef DLZ_SCATTER_H
#define DLZ_SCATTER_H

#include "plot/draw.h"

/* What a point has instead of a class that is without one. */
enum { DLZ_NO_CLASS = -1 };

/* A class that has points; of the legend, also the points without one. */
typedef struct dlz_entry {
    int label; /* below 0: without a class */
    int64_t size;
} dlz_entry;

typedef struct dlz_scatter_view {
    const dlz_canvas *canvas;
    const dlviz_figure *figure;
    const dlz_scatter *scatter;
    dlz_entry
        *entries; /* `classes`, by their labels, then, if there are points without, one more */
    int classes;  /* that have points; 0 without labels */
    int num_entries;
    int32_t *entry_of; /* n: of each point, or DLZ_NO_CLASS; NULL without labels */
    dlz_box frame;
    dlz_axis x, y;
    int64_t *order; /* in which the points are drawn */
    double diameter, opacity;
} dlz_scatter_view;

static inline int dlz_scatter_entry(const dlz_scatter_view *view, int64_t i) {
    return view->entry_of ? view->entry_of[i] : 0;
}

/* Below 0: without a class. */
static inline int dlz_scatter_label(const dlz_scatter_view *view, int64_t i) {
    return view->scatter->class ? view->scatter->class[i] : 0;
}

static inline double dlz_scatter_x(const dlz_scatter_view *view, double value) {
    return view->frame.x + view->frame.width * dlz_axis_at(&view->x, value);
}

static inline double dlz_scatter_y(const dlz_scatter_view *view, double value) {
    return view->frame.y + view->frame.height * (1 - dlz_axis_at(&view->y, value));
}

/* What a point looks like. */
dlz_color dlz_point_color(int label);
dlz_marker dlz_point_marker(int label);

typedef struct dlz_legend {
    double size, pitch, name_width, column_width;
    int rows, columns; /* 0: left out */
    int shown;         /* of the entries; if not all, a line says how many more there are */
} dlz_legend;

dlz_legend dlz_plan_legend(const dlz_scatter_view *view, double height);
void dlz_draw_legend(const dlz_scatter_view *view, const dlz_legend *plan, double left);

/* Class names, where the figure wants them. */
dlviz_status dlz_draw_marks(const dlz_scatter_view *view);

#endif
