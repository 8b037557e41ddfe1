/* plot/thumbnails.h - small images of points on a map. */
#ifndef DLZ_THUMBNAILS_H
#define DLZ_THUMBNAILS_H

#include "plot/ink.h"

/* Draws the figure's thumbnails, if it has any, where they cover none of the boxes that are taken,
 * and together no more than half of any class. */
dlviz_status dlz_draw_thumbnails(const dlz_scatter_view *view, dlz_ink_grid *ink, int num_taken,
                                 const dlz_box *taken);

#endif
