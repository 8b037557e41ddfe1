/* The handle of a figure and its settings. */
#include "plot/figure.h"
#include "base/base.h"

#include <math.h>
#include <string.h>

const char *dlz_figure_kind_name(dlz_figure_kind kind) {
    switch (kind) {
    case DLZ_FIGURE_SCATTER:
        return "a scatter figure";
    case DLZ_FIGURE_CURVES:
        return "a figure of curves";
    case DLZ_FIGURE_MATRIX:
        return "a matrix";
    case DLZ_FIGURE_IMAGES:
        return "a grid of images";
    }
    return "a figure";
}

dlviz_status dlz_figure_require(const char *who, const dlviz_figure *figure, dlz_figure_kind kind) {
    if (!figure)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'figure' is NULL", who);
    if (figure->kind != kind)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: this is %s, and needs to be %s", who,
                        dlz_figure_kind_name(figure->kind), dlz_figure_kind_name(kind));
    return DLVIZ_OK;
}

static void drop_names(dlz_names *names) {
    for (int i = 0; i < names->count; i++)
        dlz_free(names->items[i]);
    dlz_free(names->items);
}

static void drop_panel(dlz_panel *panel) {
    for (int i = 0; i < panel->count; i++) {
        dlz_free(panel->curves[i].name);
        dlz_free(panel->curves[i].x);
        dlz_free(panel->curves[i].y);
    }
    dlz_free(panel->name);
}

void dlz_drop_heat_maps(dlz_heat_maps *maps) {
    dlz_free(maps->name);
    dlz_free(maps->values);
    dlz_free(maps->limits);
}

static void drop_scatter(dlviz_figure *figure) {
    dlz_scatter *scatter = &figure->of.scatter;
    for (int i = 0; i < scatter->num_sets; i++)
        dlz_free(scatter->sets[i].name);
    void *const parts[] = {scatter->points, scatter->class,   scatter->values_name,
                           scatter->colors, scatter->markers, scatter->shares};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        dlz_free(parts[i]);
    dlviz_tensor_destroy(scatter->values);
    dlviz_tensor_destroy(scatter->thumbnails);
}

static void drop_curves(dlviz_figure *figure) {
    for (int i = 0; i < figure->of.curves.count; i++)
        drop_panel(&figure->of.curves.panels[i]);
}

static void drop_matrix(dlviz_figure *figure) {
    dlz_free(figure->of.matrix.counts);
}

static void drop_images(dlviz_figure *figure) {
    dlz_free(figure->of.images.values);
    drop_names(&figure->of.images.captions);
    for (int i = 0; i < figure->of.images.num_heat_maps; i++)
        dlz_drop_heat_maps(&figure->of.images.heat_maps[i]);
}

static void (*const droppers[])(dlviz_figure *figure) = {
    [DLZ_FIGURE_SCATTER] = drop_scatter,
    [DLZ_FIGURE_CURVES] = drop_curves,
    [DLZ_FIGURE_MATRIX] = drop_matrix,
    [DLZ_FIGURE_IMAGES] = drop_images,
};

void dlviz_figure_destroy(dlviz_figure *figure) {
    if (!figure)
        return;
    droppers[figure->kind](figure);
    dlz_free(figure->title);
    dlz_free(figure->subtitle);
    dlz_free(figure->footnote);
    dlz_free(figure->x_label);
    dlz_free(figure->y_label);
    drop_names(&figure->class_names);
    dlz_free(figure);
}

dlviz_status dlviz_figure_set_title(dlviz_figure *figure, const char *title) {
    DLZ_REQUIRE(figure);
    return dlz_set_text(__func__, "title", &figure->title, title);
}

dlviz_status dlviz_figure_set_subtitle(dlviz_figure *figure, const char *subtitle) {
    DLZ_REQUIRE(figure);
    return dlz_set_text(__func__, "subtitle", &figure->subtitle, subtitle);
}

dlviz_status dlviz_figure_set_footnote(dlviz_figure *figure, const char *footnote) {
    DLZ_REQUIRE(figure);
    return dlz_set_text(__func__, "footnote", &figure->footnote, footnote);
}

dlviz_status dlviz_figure_set_size(dlviz_figure *figure, int64_t height, int64_t width) {
    DLZ_REQUIRE(figure);
    if (width < 200 || width > 16384 || height < 200 || height > 16384)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld high and %lld wide; 200 to 16384 pixels each are accepted",
                        __func__, (long long)height, (long long)width);
    figure->width = (int)width;
    figure->height = (int)height;
    return DLVIZ_OK;
}

dlviz_status dlviz_figure_set_axis_labels(dlviz_figure *figure, const char *x, const char *y) {
    DLZ_REQUIRE(figure);
    if (figure->kind == DLZ_FIGURE_IMAGES)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %s has no axes", __func__,
                        dlz_figure_kind_name(figure->kind));
    if (figure->kind == DLZ_FIGURE_CURVES && y && *y)
        return dlz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "%s: 'y' is \"%s\", but curves have their panels' names there and take NULL", __func__,
            y);
    DLZ_TRY(dlz_check_text(__func__, "y", y));
    char *copy = NULL;
    DLZ_TRY(dlz_set_text(__func__, "y", &copy, y));
    dlviz_status status = dlz_set_text(__func__, "x", &figure->x_label, x);
    if (status != DLVIZ_OK) {
        dlz_free(copy);
        return status;
    }
    dlz_free(figure->y_label);
    figure->y_label = copy;
    return DLVIZ_OK;
}

dlviz_status dlviz_figure_set_class_names(dlviz_figure *figure, int64_t num_classes,
                                          const char *const *names) {
    DLZ_REQUIRE(figure);
    if (figure->kind != DLZ_FIGURE_SCATTER && figure->kind != DLZ_FIGURE_MATRIX)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %s has no classes", __func__,
                        dlz_figure_kind_name(figure->kind));
    if (num_classes < 0 || num_classes > DLZ_MAX_LABELS)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld names; 0 to %d are accepted",
                        __func__, (long long)num_classes, DLZ_MAX_LABELS);
    if (figure->kind == DLZ_FIGURE_MATRIX && num_classes > 0 &&
        num_classes != figure->of.matrix.classes)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: %lld names for a matrix of %d classes", __func__,
                        (long long)num_classes, figure->of.matrix.classes);
    return dlz_set_names(__func__, "names", &figure->class_names, (int)num_classes, names);
}

dlviz_status dlviz_figure_set_colormap(dlviz_figure *figure, dlviz_colormap colormap) {
    DLZ_REQUIRE(figure);
    if ((int)colormap < DLVIZ_COLORMAP_AUTO || colormap > DLVIZ_COLORMAP_RGB)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %d is no colormap", __func__,
                        (int)colormap);
    bool images = figure->kind == DLZ_FIGURE_IMAGES, map = figure->kind == DLZ_FIGURE_SCATTER;
    if (!images && !map && figure->kind != DLZ_FIGURE_MATRIX)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %s has no colormap", __func__,
                        dlz_figure_kind_name(figure->kind));
    if (map && colormap == DLVIZ_COLORMAP_RGB)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: the values of a map take all but RGB",
                        __func__);
    if (!images && !map && colormap > DLVIZ_COLORMAP_GRAY)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: a matrix takes the blue, viridis and gray colormaps", __func__);
    if (images && colormap == DLVIZ_COLORMAP_RGB && figure->of.images.channels != 3)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the images have %lld channels; RGB needs 3", __func__,
                        (long long)figure->of.images.channels);
    figure->colormap = colormap;
    return DLVIZ_OK;
}

dlviz_status dlviz_figure_set_captions(dlviz_figure *figure, int64_t num_captions,
                                       const char *const *captions) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_IMAGES));
    if (num_captions != 0 && num_captions != figure->of.images.n)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: %lld captions for %lld images", __func__,
                        (long long)num_captions, (long long)figure->of.images.n);
    return dlz_set_names(__func__, "captions", &figure->of.images.captions, (int)num_captions,
                         captions);
}

dlviz_status dlviz_figure_set_num_columns(dlviz_figure *figure, int64_t num_columns) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_IMAGES));
    if (num_columns < 0 || num_columns > DLZ_MAX_TILES)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld columns; 1 to %d are accepted, or 0 to choose", __func__,
                        (long long)num_columns, DLZ_MAX_TILES);
    figure->of.images.columns = (int)num_columns;
    return DLVIZ_OK;
}

bool dlz_images_share_range(const dlviz_figure *figure) {
    const dlz_images *images = &figure->of.images;
    if (images->shared_range >= 0)
        return images->shared_range;
    bool diverging = figure->colormap == DLVIZ_COLORMAP_DIVERGING ||
                     (figure->colormap == DLVIZ_COLORMAP_AUTO && images->low < 0);
    return diverging && images->num_heat_maps == 0;
}

dlviz_status dlviz_figure_set_shared_range(dlviz_figure *figure, bool shared) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_IMAGES));
    figure->of.images.shared_range = shared;
    return DLVIZ_OK;
}
