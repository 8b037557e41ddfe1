#include "layers/pool_window.h"
#include "base/base.h"
#include "onnx/onnx.h"

#define LARGEST (1 << 15)

dlviz_layer *dlz_pool_create(const dlz_layer_type *type, int64_t kernel) {
    dlviz_layer *layer = dlz_layer_create(type);
    dlz_pool_layer *pool = (dlz_pool_layer *)layer;
    if (layer)
        pool->window.kernel[0] = pool->window.kernel[1] = kernel;
    return layer;
}

dlviz_status dlz_pool_check(const dlviz_layer *layer) {
    const dlz_pool_window *window = dlz_pool_window_of(layer);
    DLZ_TRY(dlz_check_pair("the kernel", window->kernel, 1, LARGEST));
    DLZ_TRY(dlz_check_pair("the stride", window->stride, 0, LARGEST));
    for (int axis = 0; axis < 2; axis++)
        DLZ_TRY(
            dlz_check_integer("the padding", window->padding[axis], 0, window->kernel[axis] / 2));
    return DLVIZ_OK;
}

/* -- Setters and getters -------------------------------------------------------------------------
 */

dlviz_status dlz_pool_set_kernel(const char *who, dlviz_layer *layer, const dlz_layer_type *type,
                                 int64_t height, int64_t width) {
    return dlz_layer_set_pair(who, layer, type, offsetof(dlz_pool_layer, window.kernel), height,
                              width);
}

dlviz_status dlz_pool_set_stride(const char *who, dlviz_layer *layer, const dlz_layer_type *type,
                                 int64_t vertical, int64_t horizontal) {
    bool stands_for_kernel = vertical == 0 || horizontal == 0;
    if (!stands_for_kernel || dlz_layer_require(who, layer, type) != DLVIZ_OK)
        return dlz_layer_set_pair(who, layer, type, offsetof(dlz_pool_layer, window.stride),
                                  vertical, horizontal);
    return dlz_layer_remember(layer,
                              dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                       "%s: the stride is %lld x %lld; 1 to %d are accepted", who,
                                       (long long)vertical, (long long)horizontal, LARGEST));
}

dlviz_status dlz_pool_set_padding(const char *who, dlviz_layer *layer, const dlz_layer_type *type,
                                  int64_t vertical, int64_t horizontal) {
    return dlz_layer_set_pair(who, layer, type, offsetof(dlz_pool_layer, window.padding), vertical,
                              horizontal);
}

dlviz_status dlz_pool_set_ceil_mode(const char *who, dlviz_layer *layer, const dlz_layer_type *type,
                                    bool ceil_mode) {
    return dlz_layer_set(who, layer, type, offsetof(dlz_pool_layer, window.ceil_mode), &ceil_mode,
                         sizeof ceil_mode);
}

static int64_t stride_of(const dlz_pool_window *window, int axis) {
    return window->stride[axis] ? window->stride[axis] : window->kernel[axis];
}

void dlz_pool_kernel(const dlviz_layer *layer, const dlz_layer_type *type, int64_t *height,
                     int64_t *width) {
    dlz_layer_pair(layer, type, offsetof(dlz_pool_layer, window.kernel), height, width);
}

void dlz_pool_stride(const dlviz_layer *layer, const dlz_layer_type *type, int64_t *vertical,
                     int64_t *horizontal) {
    int64_t pair[2] = {0, 0};
    for (int axis = 0; dlz_layer_as(layer, type) && axis < 2; axis++)
        pair[axis] = stride_of(dlz_pool_window_of(layer), axis);
    dlz_layer_give_pair(pair, vertical, horizontal);
}

void dlz_pool_padding(const dlviz_layer *layer, const dlz_layer_type *type, int64_t *vertical,
                      int64_t *horizontal) {
    dlz_layer_pair(layer, type, offsetof(dlz_pool_layer, window.padding), vertical, horizontal);
}

bool dlz_pool_ceil_mode(const dlviz_layer *layer, const dlz_layer_type *type) {
    return dlz_layer_as(layer, type) && dlz_pool_window_of(layer)->ceil_mode;
}

/* -- Shapes --------------------------------------------------------------------------------------
 */

/* With ceil mode a last window may reach over the end, if it begins before that. */
static int64_t count_windows(const dlz_pool_window *window, int axis, int64_t size) {
    int64_t stride = window->stride[axis], padding = window->padding[axis];
    int64_t room = size + 2 * padding - window->kernel[axis];
    if (room < 0 && (!window->ceil_mode || room + stride <= 0))
        return 0;
    int64_t count = room < 0 ? 0 : room / stride + 1;
    if (window->ceil_mode && room - (count - 1) * stride > 0 && count * stride < size + padding)
        count++;
    return count;
}

dlviz_status dlz_pool_infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in,
                            dlz_shape *out) {
    (void)num_inputs;
    dlz_pool_window *window = &((dlz_pool_layer *)layer)->window;
    DLZ_TRY(dlz_require_image(in));
    *out = *in;
    for (int axis = 0; axis < 2; axis++) {
        window->stride[axis] = stride_of(window, axis);
        int64_t size = in->dims[1 + axis];
        out->dims[1 + axis] = count_windows(window, axis, size);
        if (out->dims[1 + axis] < 1)
            return dlz_fail(
                DLVIZ_ERROR_SHAPE,
                "a window of %lld with padding %lld is larger than the input's %s of %lld",
                (long long)window->kernel[axis], (long long)window->padding[axis],
                axis == 0 ? "height" : "width", (long long)size);
    }
    return DLVIZ_OK;
}

/* -- ONNX ----------------------------------------------------------------------------------------
 */

void dlz_pool_reach_beyond(const dlviz_layer *layer, const dlz_shape *in, const dlz_shape *out,
                           int64_t beyond[2]) {
    const dlz_pool_window *window = dlz_pool_window_of(layer);
    for (int axis = 0; axis < 2; axis++) {
        int64_t last = (out->dims[1 + axis] - 1) * window->stride[axis] - window->padding[axis];
        beyond[axis] =
            dlz_max_i64(window->padding[axis], last + window->kernel[axis] - in->dims[1 + axis]);
    }
}

void dlz_pool_set_onnx(const dlviz_layer *layer, dlz_onnx *to) {
    const dlz_pool_window *window = dlz_pool_window_of(layer);
    dlz_onnx_set_integers(to, "kernel_shape", 2, window->kernel);
    dlz_onnx_set_integers(to, "strides", 2, window->stride);
}
