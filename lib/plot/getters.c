/* What a figure tells of its settings. Of a figure that is NULL or has no such setting they are 0,
 * false or NULL. */
#include "plot/figure.h"

static bool is(const dlviz_figure *figure, dlz_figure_kind kind) {
    return figure && figure->kind == kind;
}

const char *dlviz_figure_title(const dlviz_figure *figure) {
    return figure ? figure->title : NULL;
}

const char *dlviz_figure_subtitle(const dlviz_figure *figure) {
    return figure ? figure->subtitle : NULL;
}

const char *dlviz_figure_footnote(const dlviz_figure *figure) {
    return figure ? figure->footnote : NULL;
}

void dlviz_figure_size(const dlviz_figure *figure, int64_t *height, int64_t *width) {
    if (height)
        *height = figure ? figure->height : 0;
    if (width)
        *width = figure ? figure->width : 0;
}

void dlviz_figure_axis_labels(const dlviz_figure *figure, const char **x, const char **y) {
    if (x)
        *x = figure ? figure->x_label : NULL;
    if (y)
        *y = figure ? figure->y_label : NULL;
}

/* A name that was given as NULL or "" is none. */
static const char *name_at(const dlz_names *names, int64_t index) {
    bool there = index >= 0 && index < names->count && names->items[index][0];
    return there ? names->items[index] : NULL;
}

int64_t dlviz_figure_num_class_names(const dlviz_figure *figure) {
    return figure ? figure->class_names.count : 0;
}

const char *dlviz_figure_class_name(const dlviz_figure *figure, int64_t index) {
    return figure ? name_at(&figure->class_names, index) : NULL;
}

dlviz_colormap dlviz_figure_colormap(const dlviz_figure *figure) {
    return figure ? figure->colormap : DLVIZ_COLORMAP_AUTO;
}

int64_t dlviz_figure_num_captions(const dlviz_figure *figure) {
    return is(figure, DLZ_FIGURE_IMAGES) ? figure->of.images.captions.count : 0;
}

const char *dlviz_figure_caption(const dlviz_figure *figure, int64_t index) {
    return is(figure, DLZ_FIGURE_IMAGES) ? name_at(&figure->of.images.captions, index) : NULL;
}

int64_t dlviz_figure_num_columns(const dlviz_figure *figure) {
    return is(figure, DLZ_FIGURE_IMAGES) ? figure->of.images.columns : 0;
}

bool dlviz_figure_shared_range(const dlviz_figure *figure) {
    return is(figure, DLZ_FIGURE_IMAGES) && dlz_images_share_range(figure);
}
