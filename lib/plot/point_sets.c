/* The points of a map: checked and copied when they are given, so that drawing cannot meet bad
 * data. */
#include "plot/figure.h"
#include "base/base.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static dlviz_status check_finite(const char *who, const dlviz_tensor *map) {
    const float *points = map->data;
    int64_t dims = map->dims[1];
    for (int64_t i = 0; i < map->size; i++)
        if (!isfinite(points[i]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: row %lld of 'map' has %g in column %lld, which is not finite", who,
                            (long long)(i / dims), (double)points[i], (long long)(i % dims));
    return DLVIZ_OK;
}

/* `dims`: the columns that it needs to have; 0 for 1 to 3. */
static dlviz_status check_map(const char *who, const dlviz_tensor *map, int dims) {
    int64_t columns = map->ndim == 2 ? map->dims[1] : 0;
    bool fits = dims ? columns == dims : columns >= 1 && columns <= 3;
    if (map->dtype == DLVIZ_FLOAT32 && map->ndim == 2 && fits && map->dims[0] >= 1)
        return check_finite(who, map);
    char text[DLZ_SHAPE_TEXT_SIZE], needed[80];
    if (dims)
        snprintf(needed, sizeof needed, "n x %d, as the figure's map, with n >= 1", dims);
    else
        snprintf(needed, sizeof needed, "n x 1, n x 2 or n x 3 with n >= 1");
    return dlz_fail(
        DLVIZ_ERROR_SHAPE, "%s: 'map' is %s %s, needs to be float32 %s%s", who,
        dlviz_dtype_name(map->dtype), dlz_shape_text(text, map->ndim, map->dims), needed,
        columns > 3 ? "; dlviz_tsne_fit and dlviz_pca_fit_transform make such maps" : "");
}

static dlviz_status check_labels(const char *who, const dlviz_tensor *labels, int64_t n) {
    if (labels->dtype == DLVIZ_FLOAT32 || labels->ndim != 1 || labels->dims[0] != n) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(
            DLVIZ_ERROR_SHAPE,
            "%s: 'labels' is %s %s, needs to be uint8 or int64 with %lld entries, one a "
            "row of 'map'",
            who, dlviz_dtype_name(labels->dtype), dlz_shape_text(text, labels->ndim, labels->dims),
            (long long)n);
    }
    if (labels->dtype == DLVIZ_INT64)
        for (int64_t i = 0; i < n; i++) {
            int64_t label = ((const int64_t *)labels->data)[i];
            if (label < INT32_MIN || label >= DLZ_MAX_LABELS)
                return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                "%s: label %lld is %lld; 0 to %d are accepted, and -2^31 to -1 for "
                                "a point without a class",
                                who, (long long)i, (long long)label, DLZ_MAX_LABELS - 1);
        }
    return DLVIZ_OK;
}

/* Puts n labels, or as many times "no class", into `to`. */
static void copy_labels(const dlviz_tensor *labels, int64_t n, int32_t *to) {
    for (int64_t i = 0; i < n; i++)
        to[i] = !labels                        ? -1
                : labels->dtype == DLVIZ_UINT8 ? ((const uint8_t *)labels->data)[i]
                                               : (int32_t)((const int64_t *)labels->data)[i];
}

dlviz_status dlviz_figure_create_scatter(dlviz_figure **out, const dlviz_tensor *map,
                                         const dlviz_tensor *labels) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(map);
    DLZ_TRY(check_map(__func__, map, 0));
    int64_t n = map->dims[0];
    if (labels)
        DLZ_TRY(check_labels(__func__, labels, n));
    dlviz_figure *figure = NULL;
    DLZ_TRY(dlz_figure_new(&figure, DLZ_FIGURE_SCATTER));
    dlz_scatter *scatter = &figure->of.scatter;
    scatter->n = n;
    scatter->dims = (int)map->dims[1];
    scatter->marks = -1;
    scatter->clip = true;
    scatter->points = dlz_alloc_array((uint64_t)map->size, sizeof(float));
    scatter->class = labels ? dlz_alloc_array((uint64_t)n, sizeof *scatter->class) : NULL;
    if (!scatter->points || (labels && !scatter->class)) {
        dlviz_figure_destroy(figure);
        return dlz_fail_memory("the points of a figure", (uint64_t)n * 12);
    }
    memcpy(scatter->points, map->data, (size_t)map->size * sizeof(float));
    if (labels)
        copy_labels(labels, n, scatter->class);
    *out = figure;
    return DLVIZ_OK;
}

typedef struct grown {
    float *points;
    int32_t *class; /* NULL: no set has labels */
    dlviz_tensor *values;
    char *name;
} grown;

static void drop_grown(const grown *all) {
    dlz_free(all->points);
    dlz_free(all->class);
    dlz_free(all->name);
    dlviz_tensor_destroy(all->values);
}

/* Values of all points: those that are new have none. */
static dlviz_status grow_values(const dlz_scatter *scatter, int64_t n, dlviz_tensor **values) {
    if (!scatter->values)
        return DLVIZ_OK;
    DLZ_TRY(dlz_tensor_create_raw(values, DLVIZ_FLOAT32, 1, &n));
    float *to = (*values)->data;
    memcpy(to, scatter->values->data, (size_t)scatter->n * sizeof *to);
    for (int64_t i = scatter->n; i < n; i++)
        to[i] = NAN;
    return DLVIZ_OK;
}

static dlviz_status grow(const dlz_scatter *scatter, const char *name, const dlviz_tensor *map,
                         const dlviz_tensor *labels, grown *all) {
    int64_t more = map->dims[0], n = scatter->n + more, dims = scatter->dims;
    bool classes = scatter->class || labels;
    all->points = dlz_alloc_array((uint64_t)n, (uint64_t)dims * sizeof(float));
    all->class = classes ? dlz_alloc_array((uint64_t)n, sizeof *all->class) : NULL;
    if (!all->points || (classes && !all->class))
        return dlz_fail_memory("the points of a figure", (uint64_t)n * 12);
    memcpy(all->points, scatter->points, (size_t)(scatter->n * dims) * sizeof(float));
    memcpy(all->points + scatter->n * dims, map->data, (size_t)(more * dims) * sizeof(float));
    if (classes && scatter->class)
        memcpy(all->class, scatter->class, (size_t)scatter->n * sizeof *all->class);
    else if (classes)
        copy_labels(NULL, scatter->n, all->class);
    if (classes)
        copy_labels(labels, more, all->class + scatter->n);
    DLZ_TRY(dlz_set_text("dlviz_figure_add_points", "name", &all->name, name));
    return grow_values(scatter, n, &all->values);
}

dlviz_status dlviz_figure_add_points(dlviz_figure *figure, const char *name,
                                     const dlviz_tensor *map, const dlviz_tensor *labels) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_SCATTER));
    DLZ_REQUIRE(name);
    DLZ_REQUIRE(map);
    dlz_scatter *scatter = &figure->of.scatter;
    if (!*name)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'name' is empty", __func__);
    if (scatter->num_sets == DLZ_MAX_POINT_SETS)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: no room for '%s'; %d sets are accepted in addition to the first",
                        __func__, name, DLZ_MAX_POINT_SETS);
    DLZ_TRY(check_map(__func__, map, scatter->dims));
    if (labels)
        DLZ_TRY(check_labels(__func__, labels, map->dims[0]));
    grown all = {0};
    dlviz_status status = grow(scatter, name, map, labels, &all);
    if (status != DLVIZ_OK) {
        drop_grown(&all);
        return status;
    }
    dlz_free(scatter->points);
    dlz_free(scatter->class);
    dlviz_tensor_destroy(scatter->values);
    scatter->points = all.points;
    scatter->class = all.class;
    scatter->values = all.values;
    scatter->sets[scatter->num_sets++] = (dlz_point_set){all.name, scatter->n};
    scatter->n += map->dims[0];
    return DLVIZ_OK;
}
