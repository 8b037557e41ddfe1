/* plot/scatter.h - what the parts of a map of points share while it is drawn. */
#ifndef DLZ_SCATTER_H
#define DLZ_SCATTER_H

#include "plot/draw.h"

/* What a point has instead of a class that is without one. */
enum { DLZ_NO_CLASS = -1 };

typedef struct dlz_scatter_view {
    const dlz_canvas *canvas;
    const dlviz_figure *figure;
    const dlz_scatter *scatter;
    int64_t sizes[DLZ_MAX_CLASSES];   /* points of each class */
    int64_t without;                  /* points without a class, where others have one */
    int classes;                      /* that have points; 0 without labels */
    int entries[DLZ_MAX_CLASSES + 1]; /* of the legend: these classes, then DLZ_NO_CLASS */
    int entry_count;
    dlz_box frame;
    dlz_axis x, y;
    int64_t *order; /* in which the points are drawn */
    double diameter, opacity;
} dlz_scatter_view;

static inline int dlz_scatter_class(const dlz_scatter_view *view, int64_t i) {
    return view->scatter->class ? view->scatter->class[i] : 0;
}

static inline double dlz_scatter_x(const dlz_scatter_view *view, double value) {
    return view->frame.x + view->frame.width * dlz_axis_at(&view->x, value);
}

static inline double dlz_scatter_y(const dlz_scatter_view *view, double value) {
    return view->frame.y + view->frame.height * (1 - dlz_axis_at(&view->y, value));
}

/* Class names, where the figure wants them. */
dlviz_status dlz_draw_marks(const dlz_scatter_view *view);

#endif
