/* What figures show: checked and copied when a figure is made, so that drawing cannot meet bad
 * data. */
#include "plot/figure.h"
#include "plot/scales.h"
#include "base/base.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

dlviz_status dlz_figure_new(dlviz_figure **out, dlz_figure_kind kind) {
    DLZ_TRY(dlz_plot_check_supported());
    dlviz_figure *figure = dlz_alloc_zero(sizeof *figure);
    *out = figure;
    if (!figure)
        return dlz_fail_memory("a figure", sizeof *figure);
    figure->kind = kind;
    return DLVIZ_OK;
}

static void *copy_of(const void *from, size_t bytes) {
    void *copy = dlz_alloc(bytes);
    if (copy)
        memcpy(copy, from, bytes);
    return copy;
}

dlviz_status dlviz_figure_create_curves(dlviz_figure **out) {
    DLZ_REQUIRE_OUT(out);
    dlviz_figure *figure = NULL;
    DLZ_TRY(dlz_figure_new(&figure, DLZ_FIGURE_CURVES));
    if (!(figure->x_label = dlz_strdup("epoch"))) {
        dlviz_figure_destroy(figure);
        return dlz_fail_memory("a figure", 6);
    }
    *out = figure;
    return DLVIZ_OK;
}

/* The panel's place; the count of panels when there is none of this name. */
static int find_panel(const dlz_curves *curves, const char *name) {
    int at = 0;
    while (at < curves->count && strcmp(curves->panels[at].name, name) != 0)
        at++;
    return at;
}

/* NULL where there is no such panel. */
static const dlz_panel *panel_of(const dlviz_figure *figure, const char *panel) {
    if (!figure || figure->kind != DLZ_FIGURE_CURVES || !panel)
        return NULL;
    int at = find_panel(&figure->of.curves, panel);
    return at < figure->of.curves.count ? &figure->of.curves.panels[at] : NULL;
}

static dlviz_status require_panel(const char *who, dlviz_figure *figure, const char *panel,
                                  dlz_panel **found) {
    DLZ_TRY(dlz_figure_require(who, figure, DLZ_FIGURE_CURVES));
    if (!panel)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'panel' is NULL", who);
    int at = find_panel(&figure->of.curves, panel);
    if (at == figure->of.curves.count)
        return dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s: no panel is named '%s'", who, panel);
    *found = &figure->of.curves.panels[at];
    return DLVIZ_OK;
}

bool dlviz_figure_log_scale(const dlviz_figure *figure, const char *panel) {
    const dlz_panel *found = panel_of(figure, panel);
    return found && found->logarithmic;
}

dlviz_status dlviz_figure_set_log_scale(dlviz_figure *figure, const char *panel, bool logarithmic) {
    dlz_panel *found = NULL;
    DLZ_TRY(require_panel(__func__, figure, panel, &found));
    found->logarithmic = logarithmic;
    return DLVIZ_OK;
}

bool dlviz_figure_steps(const dlviz_figure *figure, const char *panel) {
    const dlz_panel *found = panel_of(figure, panel);
    return found && found->steps;
}

dlviz_status dlviz_figure_set_steps(dlviz_figure *figure, const char *panel, bool steps) {
    dlz_panel *found = NULL;
    DLZ_TRY(require_panel(__func__, figure, panel, &found));
    found->steps = steps;
    return DLVIZ_OK;
}

static dlviz_status copy_curve(dlz_curve *curve, const char *name, int64_t n, const double *x,
                               const double *y) {
    curve->n = n;
    curve->name = dlz_strdup(name);
    curve->x = dlz_alloc_array((uint64_t)n, sizeof(double));
    curve->y = dlz_alloc_array((uint64_t)n, sizeof(double));
    if (!curve->name || !curve->x || !curve->y) {
        dlz_free(curve->name);
        dlz_free(curve->x);
        dlz_free(curve->y);
        return dlz_fail_memory("a curve", (uint64_t)n * 16);
    }
    for (int64_t i = 0; i < n; i++) {
        curve->x[i] = x ? x[i] : (double)(i + 1);
        curve->y[i] = y[i];
    }
    return DLVIZ_OK;
}

dlviz_status dlviz_figure_add_curve(dlviz_figure *figure, const char *panel, const char *name,
                                    int64_t num_points, const double *x, const double *y) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_CURVES));
    DLZ_REQUIRE(panel);
    DLZ_REQUIRE(name);
    DLZ_REQUIRE(y);
    DLZ_TRY(dlz_check_text(__func__, "panel", panel));
    DLZ_TRY(dlz_check_text(__func__, "name", name));
    if (num_points < 1)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld points; 1 or more are needed",
                        __func__, (long long)num_points);
    for (int64_t i = 0; x && i < num_points; i++)
        if (!isfinite(x[i]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: curve '%s': x[%lld] is %g, which is not finite", __func__, name,
                            (long long)i, x[i]);
    dlz_curves *curves = &figure->of.curves;
    int at = find_panel(curves, panel);
    dlz_panel *into = at < curves->count ? &curves->panels[at] : NULL;
    if (into ? into->count == DLZ_MAX_CURVES : curves->count == DLZ_MAX_PANELS)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: no room for curve '%s' of panel '%s'; %d panels with %d curves each "
                        "are accepted",
                        __func__, name, panel, DLZ_MAX_PANELS, DLZ_MAX_CURVES);
    dlz_curve curve;
    DLZ_TRY(copy_curve(&curve, name, num_points, x, y));
    if (!into) {
        char *copy = dlz_strdup(panel);
        if (!copy) {
            dlz_free(curve.name);
            dlz_free(curve.x);
            dlz_free(curve.y);
            return dlz_fail_memory("a panel", strlen(panel) + 1);
        }
        into = &curves->panels[curves->count++];
        into->name = copy;
    }
    into->curves[into->count++] = curve;
    return DLVIZ_OK;
}

dlviz_status dlviz_figure_create_matrix(dlviz_figure **out, const dlviz_tensor *counts) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(counts);
    if (counts->dtype != DLVIZ_INT64 || counts->ndim != 2 || counts->dims[0] != counts->dims[1] ||
        counts->dims[0] < 1 || counts->dims[0] > DLZ_MAX_MATRIX) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'counts' is %s %s, needs to be int64 C x C with C from 1 to %d",
                        __func__, dlviz_dtype_name(counts->dtype),
                        dlz_shape_text(text, counts->ndim, counts->dims), DLZ_MAX_MATRIX);
    }
    const int64_t *values = counts->data;
    int64_t classes = counts->dims[0];
    for (int64_t i = 0; i < counts->size; i++)
        if (values[i] < 0)
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: the count at row %lld, column %lld is %lld; 0 or more is accepted",
                            __func__, (long long)(i / classes), (long long)(i % classes),
                            (long long)values[i]);
    dlviz_figure *figure = NULL;
    DLZ_TRY(dlz_figure_new(&figure, DLZ_FIGURE_MATRIX));
    figure->of.matrix.classes = (int)classes;
    figure->of.matrix.counts = copy_of(values, (size_t)counts->size * sizeof *values);
    figure->x_label = dlz_strdup("predicted");
    figure->y_label = dlz_strdup("true");
    if (!figure->of.matrix.counts || !figure->x_label || !figure->y_label) {
        dlviz_figure_destroy(figure);
        return dlz_fail_memory("a matrix", (uint64_t)counts->size * sizeof *values);
    }
    *out = figure;
    return DLVIZ_OK;
}

dlviz_status dlviz_figure_create_images(dlviz_figure **out, const dlviz_tensor *images) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(images);
    const int64_t *dims = images->dims;
    int64_t channels = images->ndim == 4 ? dims[1] : 1;
    if (images->dtype != DLVIZ_FLOAT32 || (images->ndim != 3 && images->ndim != 4) ||
        images->size < 1 || dims[0] > DLZ_MAX_TILES || channels > DLZ_MAX_TILES / dims[0]) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'images' is %s %s, needs to be float32 n x h x w or n x c x h x w, "
                        "not empty, with n x c at most %d",
                        __func__, dlviz_dtype_name(images->dtype),
                        dlz_shape_text(text, images->ndim, dims), DLZ_MAX_TILES);
    }
    const float *values = images->data;
    int64_t each = images->size / dims[0];
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < images->size; i++) {
        dlz_range_include(&low, &high, (double)values[i]);
        if (!isfinite(values[i]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: image %lld has the value %g, which is not finite", __func__,
                            (long long)(i / each), (double)values[i]);
    }
    dlviz_figure *figure = NULL;
    DLZ_TRY(dlz_figure_new(&figure, DLZ_FIGURE_IMAGES));
    dlz_images *grid = &figure->of.images;
    grid->low = low;
    grid->high = high;
    grid->shared_range = -1;
    grid->n = dims[0];
    grid->channels = channels;
    grid->height = dims[images->ndim - 2];
    grid->width = dims[images->ndim - 1];
    grid->values = copy_of(values, (size_t)images->size * sizeof *values);
    if (!grid->values) {
        dlviz_figure_destroy(figure);
        return dlz_fail_memory("the images of a figure", (uint64_t)images->size * sizeof *values);
    }
    *out = figure;
    return DLVIZ_OK;
}
