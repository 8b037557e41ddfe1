/* Heat maps of a grid of images: checked, brought to the images' size, and kept with it. */
#include "plot/figure.h"
#include "base/base.h"
#include "base/sort.h"
#include "tensor/tensor.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define IS_LESS(a, b) ((a) < (b))
DLZ_DEFINE_SORT(sort_sizes, float, IS_LESS)

static dlviz_status check_images(const char *who, const dlz_images *images) {
    if (images->channels != 1 && images->channels != 3)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the images have %lld channels; heat maps are drawn over images of 1, "
                        "or of 3 in color",
                        who, (long long)images->channels);
    int64_t tiles = images->n * (images->num_heat_maps + 2);
    if (images->num_heat_maps == DLZ_MAX_HEAT_MAPS || tiles > DLZ_MAX_TILES)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: no room for more heat maps of %lld images; %d of each, and %d tiles "
                        "in all, are accepted",
                        who, (long long)images->n, DLZ_MAX_HEAT_MAPS, DLZ_MAX_TILES);
    return DLVIZ_OK;
}

static dlviz_status check_maps(const char *who, const dlz_images *images,
                               const dlviz_tensor *maps) {
    if (maps->dtype != DLVIZ_FLOAT32 || (maps->ndim != 3 && maps->ndim != 4) || maps->size < 1 ||
        maps->dims[0] != images->n) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'maps' is %s %s, needs to be float32 n x h x w or n x c x h x w, not "
                        "empty, with n the %lld images",
                        who, dlviz_dtype_name(maps->dtype),
                        dlz_shape_text(text, maps->ndim, maps->dims), (long long)images->n);
    }
    const float *values = maps->data;
    int64_t each = maps->size / maps->dims[0];
    for (int64_t i = 0; i < maps->size; i++)
        if (!isfinite(values[i]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: map %lld has the value %g, which is not finite", who,
                            (long long)(i / each), (double)values[i]);
    return DLVIZ_OK;
}

/* Adds up the channels of maps of the images' size. */
static void add_channels(const dlviz_tensor *maps, int64_t pixels, float *to) {
    int64_t n = maps->dims[0], channels = maps->size / n / pixels;
    const float *from = maps->data;
    for (int64_t i = 0; i < n; i++)
        for (int64_t p = 0; p < pixels; p++) {
            double sum = 0;
            for (int64_t c = 0; c < channels; c++)
                sum += (double)from[(i * channels + c) * pixels + p];
            to[i * pixels + p] = (float)fmin(fmax(sum, -(double)FLT_MAX), (double)FLT_MAX);
        }
}

/* The size that one pixel in a hundred exceeds, or else the largest, for a map that is nearly empty. */
static float limit_of(const float *map, int64_t pixels, float *room) {
    for (int64_t p = 0; p < pixels; p++)
        room[p] = fabsf(map[p]);
    sort_sizes(room, pixels);
    float limit = room[pixels - 1 - pixels / 100];
    return limit > 0 ? limit : room[pixels - 1];
}

static dlviz_status fill(dlz_heat_maps *to, const dlz_images *images, const dlviz_tensor *maps) {
    int64_t pixels = images->height * images->width;
    to->values = dlz_alloc_array((uint64_t)images->n, (uint64_t)pixels * sizeof(float));
    to->limits = dlz_alloc_array((uint64_t)images->n, sizeof(float));
    float *room = dlz_alloc_array((uint64_t)pixels, sizeof *room);
    if (!to->values || !to->limits || !room) {
        dlz_free(room);
        return dlz_fail_memory("heat maps", (uint64_t)(images->n * pixels) * sizeof(float));
    }
    add_channels(maps, pixels, to->values);
    for (int64_t i = 0; i < images->n; i++)
        to->limits[i] = limit_of(to->values + i * pixels, pixels, room);
    dlz_free(room);
    return DLVIZ_OK;
}

dlviz_status dlviz_figure_add_heat_maps(dlviz_figure *figure, const char *name,
                                        const dlviz_tensor *maps) {
    DLZ_TRY(dlz_figure_require(__func__, figure, DLZ_FIGURE_IMAGES));
    DLZ_REQUIRE(maps);
    dlz_images *images = &figure->of.images;
    DLZ_TRY(check_images(__func__, images));
    DLZ_TRY(check_maps(__func__, images, maps));
    dlviz_tensor *resized;
    dlz_heat_maps added = {0};
    DLZ_TRY(dlz_set_text(__func__, "name", &added.name, name));
    dlviz_status status = dlviz_tensor_resize(maps, images->height, images->width, &resized);
    if (status == DLVIZ_OK) {
        status = fill(&added, images, resized);
        dlviz_tensor_destroy(resized);
    }
    if (status == DLVIZ_OK)
        images->heat_maps[images->num_heat_maps++] = added;
    else
        dlz_drop_heat_maps(&added);
    return status;
}
