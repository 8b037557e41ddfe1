#include "base/base.h"
#include "tensor/tensor.h"

#include <math.h>

/* A comparison with NaN is false. */
int64_t dlz_argmax(const float *row, int64_t count) {
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (row[i] > row[best] || (isnan(row[best]) && !isnan(row[i])))
            best = i;
    return best;
}

dlviz_status dlviz_tensor_argmax(const dlviz_tensor *tensor, dlviz_tensor **places) {
    DLZ_REQUIRE_OUT(places);
    DLZ_REQUIRE(tensor);
    int64_t count = tensor->ndim > 0 ? tensor->dims[tensor->ndim - 1] : 0;
    if (tensor->dtype != DLVIZ_FLOAT32 || count == 0) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'tensor' is %s of %s; float32 with a last dimension of 1 or more is "
                        "accepted",
                        __func__, dlz_shape_text(text, tensor->ndim, tensor->dims),
                        dlviz_dtype_name(tensor->dtype));
    }
    DLZ_TRY(dlz_tensor_create_raw(places, DLVIZ_INT64, tensor->ndim - 1, tensor->dims));
    int64_t *to = (*places)->data, rows = tensor->size / count;
    for (int64_t row = 0; row < rows; row++)
        to[row] = dlz_argmax((const float *)tensor->data + row * count, count);
    return DLVIZ_OK;
}
