/* Images whose channels lie side by side, pixel by pixel, put channel by channel. */
#include "base/base.h"
#include "base/parallel.h"
#include "data/dataset.h"
#include "tensor/tensor.h"

typedef struct planes {
    const dlviz_tensor *from;
    dlviz_tensor *to;
    int64_t pixels, channels;
} planes;

static void image_tile(void *context, int64_t image, int worker) {
    (void)worker;
    const planes *work = context;
    int64_t size = work->pixels * work->channels;
    for (int64_t c = 0; c < work->channels; c++)
        if (work->from->dtype == DLVIZ_UINT8) {
            const uint8_t *from = (const uint8_t *)work->from->data + image * size + c;
            uint8_t *to = (uint8_t *)work->to->data + image * size + c * work->pixels;
            for (int64_t i = 0; i < work->pixels; i++)
                to[i] = from[i * work->channels];
        } else {
            const float *from = (const float *)work->from->data + image * size + c;
            float *to = (float *)work->to->data + image * size + c * work->pixels;
            for (int64_t i = 0; i < work->pixels; i++)
                to[i] = from[i * work->channels];
        }
}

dlviz_status dlviz_dataset_create_from_hwc(dlviz_dataset **out, const dlviz_tensor *samples,
                                           const dlviz_tensor *targets) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(samples);
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (samples->dtype == DLVIZ_INT64)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'samples' holds int64; uint8 and float32 are accepted", __func__);
    if (samples->ndim != 4 || samples->size == 0)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'samples' is %s; n x height x width x channels is accepted, each 1 "
                        "or more",
                        __func__, dlz_shape_text(text, samples->ndim, samples->dims));
    const int64_t *dims = samples->dims;
    dlviz_tensor *planar;
    DLZ_TRY(dlz_tensor_create_raw(&planar, samples->dtype, 4,
                                  (int64_t[]){dims[0], dims[3], dims[1], dims[2]}));
    planes work = {samples, planar, dims[1] * dims[2], dims[3]};
    dlz_parallel_for(dims[0], dlz_threads(), image_tile, &work);
    dlviz_status status = dlz_dataset_create(out, __func__, planar, targets);
    dlviz_tensor_destroy(planar);
    return status;
}
