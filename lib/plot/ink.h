/* plot/ink.h - where points of a map are seen, so that what is written over them hides no class. */
#ifndef DLZ_INK_H
#define DLZ_INK_H

#include "plot/scatter.h"

/* The drawn points as cells of two units: which class is seen in each. Classes are the view's
 * entries. */
typedef struct dlz_ink_grid {
    dlz_box frame;
    int columns, rows;
    int32_t *owner; /* a class, DLZ_NO_CLASS, or that it is empty */
    int32_t *sums;  /* (rows + 1) x (columns + 1): cells with ink above and left of a corner */
    int64_t *seen, *covered; /* cells of each class */
    /* Of the cells counted last: how many each class has, and the classes that have any. */
    int32_t *counts, *found;
    int num_found;
} dlz_ink_grid;

/* Freed by dlz_ink_free, also when it fails. */
dlviz_status dlz_ink_make(dlz_ink_grid *ink, const dlz_scatter_view *view);
void dlz_ink_free(dlz_ink_grid *ink);

/* The part of a box that has ink. */
double dlz_ink_share(const dlz_ink_grid *ink, dlz_box box);
/* Counts the cells in a box by their classes. */
void dlz_ink_count(dlz_ink_grid *ink, dlz_box box);
/* Whether each class would keep all but this share of what is seen of it, were the cells counted
 * last covered, too. */
bool dlz_ink_leaves_enough(const dlz_ink_grid *ink, double share);
/* Of the cells counted last, leaves out as many of a class as this area has, if there are so many.
 */
void dlz_ink_forgive(dlz_ink_grid *ink, int class, double area);
/* Notes that the cells counted last are covered. */
void dlz_ink_cover(dlz_ink_grid *ink);
/* Moves (x, y) to the nearest place where the class is seen; leaves it where none is. Returns the
 * distance. */
double dlz_ink_nearest(const dlz_ink_grid *ink, int class, double *x, double *y);

#endif
