#include "layers/pool_window.h"
#include "base/base.h"

#define LARGEST (1 << 15)

dlviz_status dlz_pool_window_check(const dlz_pool_window *window) {
    DLZ_TRY(dlz_check_pair("the kernel", window->kernel, 1, LARGEST));
    DLZ_TRY(dlz_check_pair("the stride", window->stride, 0, LARGEST));
    for (int axis = 0; axis < 2; axis++)
        DLZ_TRY(
            dlz_check_integer("the padding", window->padding[axis], 0, window->kernel[axis] / 2));
    return DLVIZ_OK;
}

dlviz_status dlz_pool_window_set_stride(const char *who, dlviz_layer *layer,
                                        const dlz_layer_type *type, size_t offset, int64_t vertical,
                                        int64_t horizontal) {
    const int64_t pair[2] = {vertical, horizontal};
    bool stands_for_kernel = vertical == 0 || horizontal == 0;
    if (!stands_for_kernel || dlz_layer_require(who, layer, type) != DLVIZ_OK)
        return dlz_layer_set(who, layer, type, offset, pair, sizeof pair);
    return dlz_layer_remember(layer,
                              dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                       "%s: the stride is %lld x %lld; 1 to %d are accepted", who,
                                       (long long)vertical, (long long)horizontal, LARGEST));
}

static int64_t stride_of(const dlz_pool_window *window, int axis) {
    return window->stride[axis] ? window->stride[axis] : window->kernel[axis];
}

void dlz_pool_window_get_stride(const dlz_pool_window *window, int64_t *vertical,
                                int64_t *horizontal) {
    const int64_t pair[2] = {window ? stride_of(window, 0) : 0, window ? stride_of(window, 1) : 0};
    dlz_layer_give_pair(pair, vertical, horizontal);
}

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

dlviz_status dlz_pool_window_infer(dlz_pool_window *window, const dlz_shape *in, dlz_shape *out) {
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
