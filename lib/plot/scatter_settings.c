/* The settings of a map, and what it tells of them. Of a figure that is NULL or no map they are 0,
 * NaN, false or NULL. */
#include "plot/figure.h"
#include "plot/look.h"
#include "base/base.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

static const dlz_scatter *scatter_of(const dlviz_figure *figure) {
    return figure && figure->kind == DLZ_FIGURE_SCATTER ? &figure->of.scatter : NULL;
}

/* ---- Points and names ------------------------------------------------------------------------ */

dlviz_status dlviz_figure_set_point_size(dlviz_figure *figure, double pixels) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_SCATTER));
    if (pixels != 0 && !(pixels >= 0.5 && pixels <= 100))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %g pixels; 0.5 to 100, or 0 to choose",
                        __func__, pixels);
    figure->of.scatter.point_size = pixels;
    return DLVIZ_OK;
}

dlviz_status dlviz_figure_set_opacity(dlviz_figure *figure, double opacity) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_SCATTER));
    if (!(opacity >= 0 && opacity <= 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %g; above 0 up to 1, or 0 to choose",
                        __func__, opacity);
    figure->of.scatter.opacity = opacity;
    return DLVIZ_OK;
}

dlviz_status dlviz_figure_set_ticks(dlviz_figure *figure, bool ticks) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_SCATTER));
    figure->of.scatter.ticks = ticks;
    return DLVIZ_OK;
}

dlviz_status dlviz_figure_set_class_counts(dlviz_figure *figure, bool counts) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_SCATTER));
    figure->of.scatter.counts = counts;
    return DLVIZ_OK;
}

dlviz_status dlviz_figure_set_class_marks(dlviz_figure *figure, bool marks) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_SCATTER));
    figure->of.scatter.marks = marks;
    return DLVIZ_OK;
}

double dlviz_figure_point_size(const dlviz_figure *figure) {
    const dlz_scatter *scatter = scatter_of(figure);
    return scatter ? scatter->point_size : 0;
}

double dlviz_figure_opacity(const dlviz_figure *figure) {
    const dlz_scatter *scatter = scatter_of(figure);
    return scatter ? scatter->opacity : 0;
}

bool dlviz_figure_ticks(const dlviz_figure *figure) {
    const dlz_scatter *scatter = scatter_of(figure);
    return scatter && scatter->ticks;
}

bool dlviz_figure_class_counts(const dlviz_figure *figure) {
    const dlz_scatter *scatter = scatter_of(figure);
    return scatter && scatter->counts;
}

bool dlviz_figure_class_marks(const dlviz_figure *figure) {
    const dlz_scatter *scatter = scatter_of(figure);
    return scatter && scatter->marks != 0; /* also while they are chosen by the number of classes */
}

dlviz_status dlviz_figure_set_clip_outliers(dlviz_figure *figure, bool clip_outliers) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_SCATTER));
    figure->of.scatter.clip = clip_outliers;
    return DLVIZ_OK;
}

bool dlviz_figure_clip_outliers(const dlviz_figure *figure) {
    const dlz_scatter *scatter = scatter_of(figure);
    return scatter && scatter->clip;
}

/* ---- Classes --------------------------------------------------------------------------------- */

/* Replaces a list by a copy of another; none where count is 0. */
static dlviz_status set_list(const char *who, const char *name, void **slot, int64_t *num,
                             int64_t count, const void *items, size_t size) {
    void *copy = NULL;
    if (count > 0) {
        if (!items)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", who, name);
        if (!(copy = dlz_alloc_array((uint64_t)count, size)))
            return dlz_fail_memory(name, (uint64_t)count * size);
        memcpy(copy, items, (size_t)count * size);
    }
    dlz_free(*slot);
    *slot = copy;
    *num = count;
    return DLVIZ_OK;
}

static dlviz_status check_count(const char *who, const char *things, int64_t count) {
    if (count < 0 || count > DLZ_MAX_LABELS)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld %s; 0 to %d are accepted", who,
                        (long long)count, things, DLZ_MAX_LABELS);
    return DLVIZ_OK;
}

dlviz_status dlviz_figure_set_class_colors(dlviz_figure *figure, int64_t num_classes,
                                           const uint32_t *colors) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_SCATTER));
    DLZ_TRY(check_count(__func__, "colors", num_classes));
    for (int64_t i = 0; colors && i < num_classes; i++)
        if (colors[i] > 0xffffff)
            return dlz_fail(
                DLVIZ_ERROR_INVALID_ARGUMENT,
                "%s: color %lld is 0x%x; 0 to 0xffffff, which is 0xRRGGBB, are accepted", __func__,
                (long long)i, (unsigned)colors[i]);
    dlz_scatter *scatter = &figure->of.scatter;
    void *slot = scatter->colors;
    dlviz_status status = set_list(__func__, "colors", &slot, &scatter->num_colors, num_classes,
                                   colors, sizeof *colors);
    scatter->colors = slot;
    return status;
}

int64_t dlviz_figure_num_class_colors(const dlviz_figure *figure) {
    const dlz_scatter *scatter = scatter_of(figure);
    return scatter ? scatter->num_colors : 0;
}

uint32_t dlviz_figure_class_color(const dlviz_figure *figure, int64_t index) {
    const dlz_scatter *scatter = scatter_of(figure);
    if (!scatter || index < 0 || index >= DLZ_MAX_LABELS)
        return 0;
    return dlz_rgb_of_color(dlz_look_of(scatter, (int)index).color);
}

dlviz_status dlviz_figure_set_class_markers(dlviz_figure *figure, int64_t num_classes,
                                            const dlviz_marker *markers) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_SCATTER));
    DLZ_TRY(check_count(__func__, "markers", num_classes));
    for (int64_t i = 0; markers && i < num_classes; i++)
        if ((int)markers[i] < DLVIZ_MARKER_AUTO || markers[i] > DLVIZ_MARKER_PLUS)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: marker %lld is %d, and needs to be one of DLVIZ_MARKER_AUTO to "
                            "DLVIZ_MARKER_PLUS",
                            __func__, (long long)i, (int)markers[i]);
    dlz_scatter *scatter = &figure->of.scatter;
    void *slot = scatter->markers;
    dlviz_status status = set_list(__func__, "markers", &slot, &scatter->num_markers, num_classes,
                                   markers, sizeof *markers);
    scatter->markers = slot;
    return status;
}

int64_t dlviz_figure_num_class_markers(const dlviz_figure *figure) {
    const dlz_scatter *scatter = scatter_of(figure);
    return scatter ? scatter->num_markers : 0;
}

dlviz_marker dlviz_figure_class_marker(const dlviz_figure *figure, int64_t index) {
    const dlz_scatter *scatter = scatter_of(figure);
    if (!scatter || index < 0 || index >= DLZ_MAX_LABELS)
        return DLVIZ_MARKER_AUTO;
    return dlz_look_of(scatter, (int)index).marker;
}

/* ---- Axes ------------------------------------------------------------------------------------ */

dlviz_status dlviz_figure_set_axis_shares(dlviz_figure *figure, int64_t num_shares,
                                          const double *shares) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_SCATTER));
    DLZ_TRY(check_count(__func__, "shares", num_shares));
    for (int64_t i = 0; shares && i < num_shares; i++)
        if (!(shares[i] >= 0 && shares[i] <= 1))
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: share %lld is %g; 0 to 1 is accepted", __func__, (long long)i,
                            shares[i]);
    dlz_scatter *scatter = &figure->of.scatter;
    void *slot = scatter->shares;
    dlviz_status status = set_list(__func__, "shares", &slot, &scatter->num_shares, num_shares,
                                   shares, sizeof *shares);
    scatter->shares = slot;
    return status;
}

int64_t dlviz_figure_num_axis_shares(const dlviz_figure *figure) {
    const dlz_scatter *scatter = scatter_of(figure);
    return scatter ? scatter->num_shares : 0;
}

double dlviz_figure_axis_share(const dlviz_figure *figure, int64_t index) {
    const dlz_scatter *scatter = scatter_of(figure);
    return scatter && index >= 0 && index < scatter->num_shares ? scatter->shares[index] : NAN;
}

/* ---- Values and images ----------------------------------------------------------------------- */

static dlviz_status check_values(const char *who, const dlviz_tensor *values, int64_t n) {
    if (values->dtype != DLVIZ_FLOAT32 || values->ndim != 1 || values->dims[0] != n) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'values' is %s %s, needs to be float32 with %lld entries, one a point",
                        who, dlviz_dtype_name(values->dtype),
                        dlz_shape_text(text, values->ndim, values->dims), (long long)n);
    }
    bool any = false;
    for (int64_t i = 0; i < n; i++) {
        float value = ((const float *)values->data)[i];
        if (isinf(value))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: value %lld is %g; finite ones are accepted, and NaN for none", who,
                            (long long)i, (double)value);
        any |= !isnan(value);
    }
    return any ? DLVIZ_OK
               : dlz_fail(DLVIZ_ERROR_NUMERIC, "%s: all values are NaN; one is needed", who);
}

dlviz_status dlviz_figure_set_values(dlviz_figure *figure, const dlviz_tensor *values,
                                     const char *name) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_SCATTER));
    dlz_scatter *scatter = &figure->of.scatter;
    dlviz_tensor *copy = NULL;
    if (values)
        DLZ_TRY(check_values(__func__, values, scatter->n));
    DLZ_TRY(dlz_check_text(__func__, "name", name));
    if (values)
        DLZ_TRY(dlviz_tensor_copy(values, &copy));
    dlviz_status status =
        dlz_set_text(__func__, "name", &scatter->values_name, values ? name : NULL);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(copy);
        return status;
    }
    dlviz_tensor_destroy(scatter->values);
    scatter->values = copy;
    return DLVIZ_OK;
}

void dlviz_figure_values(const dlviz_figure *figure, const dlviz_tensor **values,
                         const char **name) {
    const dlz_scatter *scatter = scatter_of(figure);
    if (values)
        *values = scatter ? scatter->values : NULL;
    if (name)
        *name = scatter ? scatter->values_name : NULL;
}

static dlviz_status check_thumbnails(const char *who, const dlviz_tensor *images, int64_t n) {
    bool shape =
        images->ndim == 3 || (images->ndim == 4 && (images->dims[1] == 1 || images->dims[1] == 3));
    if (images->dtype == DLVIZ_INT64 || !shape || images->size < 1 || images->dims[0] != n) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(
            DLVIZ_ERROR_SHAPE,
            "%s: 'images' is %s %s, needs to be uint8 or float32 n x h x w, n x 1 x h x "
            "w or n x 3 x h x w, not empty, with n the %lld points",
            who, dlviz_dtype_name(images->dtype), dlz_shape_text(text, images->ndim, images->dims),
            (long long)n);
    }
    const float *values = images->data;
    for (int64_t i = 0; images->dtype == DLVIZ_FLOAT32 && i < images->size; i++)
        if (!isfinite(values[i]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: image %lld has the value %g, which is not finite", who,
                            (long long)(i / (images->size / n)), (double)values[i]);
    return DLVIZ_OK;
}

dlviz_status dlviz_figure_set_thumbnails(dlviz_figure *figure, const dlviz_tensor *images) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_SCATTER));
    dlz_scatter *scatter = &figure->of.scatter;
    dlviz_tensor *copy = NULL;
    if (images) {
        DLZ_TRY(check_thumbnails(__func__, images, scatter->n));
        DLZ_TRY(dlviz_tensor_copy(images, &copy));
    }
    dlviz_tensor_destroy(scatter->thumbnails);
    scatter->thumbnails = copy;
    return DLVIZ_OK;
}

const dlviz_tensor *dlviz_figure_thumbnails(const dlviz_figure *figure) {
    const dlz_scatter *scatter = scatter_of(figure);
    return scatter ? scatter->thumbnails : NULL;
}
