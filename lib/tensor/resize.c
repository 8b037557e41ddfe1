/* Images brought to another size. */
#include "base/base.h"
#include "base/parallel.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

typedef struct resize_pass {
    const float *from;
    float *to;
    int64_t from_height, from_width, to_height, to_width;
} resize_pass;

/* Between which pixels an output's center lies, and its share of the second. */
typedef struct place {
    int64_t low, high;
    double share;
} place;

static place place_of(int64_t i, int64_t from, int64_t to) {
    double at = fmax(((double)i + 0.5) * (double)from / (double)to - 0.5, 0);
    int64_t low = dlz_min_i64((int64_t)at, from - 1);
    return (place){low, dlz_min_i64(low + 1, from - 1), at - (double)low};
}

static double blend(const float *row, place x) {
    return (1 - x.share) * (double)row[x.low] + x.share * (double)row[x.high];
}

static void resize_tile(void *context, int64_t image, int worker) {
    (void)worker;
    const resize_pass *pass = context;
    const float *from = pass->from + image * pass->from_height * pass->from_width;
    float *to = pass->to + image * pass->to_height * pass->to_width;
    for (int64_t i = 0; i < pass->to_height; i++) {
        place y = place_of(i, pass->from_height, pass->to_height);
        const float *above = from + y.low * pass->from_width;
        const float *below = from + y.high * pass->from_width;
        for (int64_t j = 0; j < pass->to_width; j++) {
            place x = place_of(j, pass->from_width, pass->to_width);
            to[i * pass->to_width + j] =
                (float)((1 - y.share) * blend(above, x) + y.share * blend(below, x));
        }
    }
}

dlviz_status dlviz_tensor_resize(const dlviz_tensor *images, int64_t height, int64_t width,
                                 dlviz_tensor **resized) {
    DLZ_REQUIRE_OUT(resized);
    DLZ_REQUIRE(images);
    if (images->dtype != DLVIZ_FLOAT32 || images->ndim < 2 || images->size < 1) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'images' is %s %s, needs to be float32 with two dimensions or more, "
                        "not empty",
                        __func__, dlviz_dtype_name(images->dtype),
                        dlz_shape_text(text, images->ndim, images->dims));
    }
    if (height < 1 || width < 1)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld x %lld; sizes of 1 or more are accepted", __func__,
                        (long long)height, (long long)width);
    int64_t dims[DLVIZ_MAX_DIMS];
    int ndim = images->ndim;
    memcpy(dims, images->dims, sizeof dims);
    resize_pass pass = {.from = images->data,
                        .from_height = dims[ndim - 2],
                        .from_width = dims[ndim - 1],
                        .to_height = height,
                        .to_width = width};
    dims[ndim - 2] = height;
    dims[ndim - 1] = width;
    dlviz_tensor *result;
    DLZ_TRY(dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, ndim, dims));
    pass.to = result->data;
    dlz_parallel_for(images->size / (pass.from_height * pass.from_width), dlz_threads(),
                     resize_tile, &pass);
    *resized = result;
    return DLVIZ_OK;
}
