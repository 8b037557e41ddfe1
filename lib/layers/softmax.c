/* Softmax over the channels of each pixel, or over a vector. */
#include "kernels/nn/softmax.h"
#include "kernels/nn/normalize.h"
#include "layers/rows_op.h"

const dlz_layer_type dlz_softmax_type;

dlviz_layer *dlviz_softmax(void) {
    return dlz_layer_create(&dlz_softmax_type);
}

static void forward(int64_t rows, int64_t classes, const float *x, float *y) {
    dlz_softmax_kernels()->softmax(rows, classes, x, y);
}

static void backward(int64_t rows, int64_t classes, const float *y, const float *dy, float *dx) {
    dlz_normalize_kernels()->softmax_gradient(rows, classes, y, dy, dx);
}

static const dlz_rows_type softmax_op = {
    .base = DLZ_ROWS_BASE("softmax"),
    .forward = forward,
    .backward = backward,
};

const dlz_layer_type dlz_softmax_type = {
    .name = "softmax",
    .size = sizeof(dlviz_layer),
    .infer = dlz_infer_same,
    .op = &softmax_op.base,
};
