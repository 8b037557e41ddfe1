#include "tensor/shape.h"
#include "base/base.h"
#include "tensor/tensor.h"

#include <string.h>

int64_t dlz_shape_size(const dlz_shape *shape) {
    int64_t size = 1;
    for (int i = 0; i < shape->ndim; i++)
        size *= shape->dims[i];
    return size;
}

bool dlz_shapes_equal(const dlz_shape *a, const dlz_shape *b) {
    return a->ndim == b->ndim && memcmp(a->dims, b->dims, (size_t)a->ndim * sizeof *a->dims) == 0;
}

dlviz_status dlz_require_image(const dlz_shape *in) {
    if (in->ndim != 3)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "input has %d dimension%s, needs 3 (channels, height, width): put a "
                        "reshape layer in front",
                        in->ndim, in->ndim == 1 ? "" : "s");
    return DLVIZ_OK;
}

dlviz_status dlz_fail_shapes(const char *needed, const dlz_shape *first, int i,
                             const dlz_shape *other) {
    char a[DLZ_SHAPE_TEXT_SIZE], b[DLZ_SHAPE_TEXT_SIZE];
    return dlz_fail(DLVIZ_ERROR_SHAPE, "input 0 is %s and input %d is %s: %s",
                    dlz_shape_text(a, first->ndim, first->dims), i,
                    dlz_shape_text(b, other->ndim, other->dims), needed);
}

dlviz_status dlz_require_equal_shapes(const dlz_shape *first, int i, const dlz_shape *other) {
    return dlz_shapes_equal(first, other)
               ? DLVIZ_OK
               : dlz_fail_shapes("all must have one shape", first, i, other);
}

int64_t dlz_window_count(int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                         int64_t dilation) {
    int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}
