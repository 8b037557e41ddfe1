/* The logarithm of a softmax over the channels of each pixel, or over a vector. */
#include "kernels/nn/softmax.h"
#include "layers/rows_op.h"

#include <math.h>

const dlz_layer_type dlz_log_softmax_type;

dlviz_layer *dlviz_log_softmax(void) {
    return dlz_layer_create(&dlz_log_softmax_type);
}

static int64_t place_of_largest(int64_t n, const float *x) {
    int64_t place = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[place])
            place = i;
    return place;
}

/* The largest number's exponential is 1, which would swallow small ones; so the others' are summed
 * by themselves. */
static void forward_row(int64_t classes, const float *x, float *y) {
    int64_t place = place_of_largest(classes, x);
    dlz_softmax_row row;
    dlz_softmax_kernels()->cross_entropy(1, classes, x, &place, 1, NULL, &row);
    float most = x[place], rest = isnan(row.sum) ? NAN : (float)log1p(row.others);
    for (int64_t c = 0; c < classes; c++)
        y[c] = (x[c] - most) - rest;
}

static void forward(int64_t rows, int64_t classes, const float *x, float *y) {
    for (int64_t at = 0; at < rows * classes; at += classes)
        forward_row(classes, x + at, y + at);
}

/* dx = dy − exp(y) * sum of dy. Where exp(y) is nearly 1, what is left is made of exp(y) − 1. */
static void backward_row(int64_t classes, const float *y, const float *dy, float *dx) {
    double sum = 0;
    for (int64_t c = 0; c < classes; c++)
        sum += (double)dy[c];
    dlz_softmax_kernels()->exp_negative(classes, y, dx);
    float total = (float)sum;
    for (int64_t c = 0; c < classes; c++)
        dx[c] = dy[c] - dx[c] * total;
    for (int64_t c = 0; c < classes; c++)
        if (y[c] > -0.5f)
            dx[c] = (float)(((double)dy[c] - sum) - expm1((double)y[c]) * sum);
}

static void backward(int64_t rows, int64_t classes, const float *y, const float *dy, float *dx) {
    for (int64_t at = 0; at < rows * classes; at += classes)
        backward_row(classes, y + at, dy + at, dx + at);
}

static const dlz_rows_type log_softmax_op = {
    .base = DLZ_ROWS_BASE("log_softmax"),
    .forward = forward,
    .backward = backward,
};

const dlz_layer_type dlz_log_softmax_type = {
    .name = "log_softmax",
    .size = sizeof(dlviz_layer),
    .infer = dlz_infer_same,
    .op = &log_softmax_op.base,
};
