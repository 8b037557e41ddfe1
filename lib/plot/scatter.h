/* plot/scatter.h - what the parts of a map of points share while it is drawn. */
#ifndef DLZ_SCATTER_H
#define DLZ_SCATTER_H

#include "plot/draw.h"
#include "plot/look.h"
#include "plot/outliers.h"

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

    /* Points that look alike: those of a class, or those of about one value. */
    dlz_look *looks;         /* num_groups */
    int32_t *group_of;       /* n */
    int num_groups, beneath; /* the group of points without a class or value; -1: none */
    double lowest, highest;  /* of the values' bar */
    int64_t values_outside, values_missing;

    dlz_extent extent;
    bool *outside;   /* n: far from all others */
    int64_t *shared; /* n: as of dlz_count_places */
    int64_t num_places, num_shared;

    int64_t *order; /* in which the points are drawn: one set after the other */
    double diameter, opacity;
    bool plain; /* too small for other markers than circles */

    /* The panel: which columns it shows in which frame. */
    int column_x, column_y; /* column_y below 0: a strip */
    dlz_box frame;
    dlz_axis x, y;
    double *at; /* n x 2: where its points lie */
} dlz_scatter_view;

/* Of a point: its class's place among the entries. */
static inline int dlz_scatter_entry(const dlz_scatter_view *view, int64_t i) {
    return view->entry_of ? view->entry_of[i] : 0;
}

static inline bool dlz_scatter_is_inside(const dlz_scatter_view *view, int64_t i) {
    const double *at = view->at + 2 * i;
    dlz_box frame = view->frame;
    return !view->outside[i] || (at[0] >= frame.x && at[0] <= frame.x + frame.width &&
                                 at[1] >= frame.y && at[1] <= frame.y + frame.height);
}

/* What a point is drawn as. */
static inline dlz_look dlz_scatter_look(const dlz_scatter_view *view, int64_t i) {
    return view->looks[view->group_of[i]];
}

/* The set that a point is of: 0 for the first. */
int dlz_scatter_set(const dlz_scatter *scatter, int64_t i);

/* Classes, groups and the order of points. What it makes is freed by dlz_free_groups, also when it
 * fails. */
dlviz_status dlz_make_groups(dlz_scatter_view *view);
void dlz_free_groups(dlz_scatter_view *view);

/* Draws the points of a panel, and arrows to those outside. */
dlviz_status dlz_draw_points(const dlz_scatter_view *view);

typedef struct dlz_legend {
    double size, pitch, name_width, column_width;
    double name_size;  /* of names, smaller than `size` where some would not fit */
    int rows, columns; /* 0: left out */
    int shown;         /* of the items; if not all, a line says how many more there are */
} dlz_legend;

/* How many things it explains: classes, unless values have the colors, and added sets. */
int dlz_legend_items(const dlz_scatter_view *view);
/* The largest one that fits; all items if they do. */
dlz_legend dlz_plan_legend(const dlz_scatter_view *view, double width, double height, int columns,
                           bool wide);
dlviz_status dlz_draw_legend(const dlz_scatter_view *view, const dlz_legend *plan, double left,
                             double top);

/* The width of the bar that explains the colors of values, with its numbers and name. */
double dlz_value_bar_width(const dlz_scatter_view *view);
void dlz_draw_value_bar(const dlz_scatter_view *view, dlz_box box);

/* Class names, where the figure wants them, and thumbnails. */
dlviz_status dlz_draw_marks(const dlz_scatter_view *view);

#endif
