#include "kernels/conv/conv3x3.h"

/* y's height or width. */
static int64_t out_size(dlz_conv3x3_shape s, int axis) {
    return (axis ? s.width : s.height) + 2 * s.padding[axis] - 2;
}

static double read_input(const dlz_conv3x3_input *input, int64_t index, int64_t channel) {
    double value = input->data[index];
    if (input->scale)
        value = value * input->scale[channel] + input->shift[channel];
    return input->relu && value <= 0 ? 0 : value;
}

static double read_gradient(dlz_conv3x3_shape s, const dlz_conv3x3_gradient *gradient,
                            int64_t image, int64_t row, int64_t column, int64_t channel) {
    int64_t height = out_size(s, 0), width = out_size(s, 1);
    int64_t index = ((image * height + row) * width + column) * s.out_channels + channel;
    if (!gradient->z)
        return gradient->dy[index];
    double z = gradient->z[index], g = 0;
    if (!gradient->codes) {
        if (!gradient->relu || z * gradient->scale[channel] + gradient->shift[channel] > 0)
            g = gradient->dy[index];
    } else if (row / 2 < height / 2 && column / 2 < width / 2) {
        int64_t line = image * (height / 2) + row / 2;
        int64_t window = (line * (width / 2) + column / 2) * s.out_channels + channel;
        if (gradient->codes[window] == row % 2 * 2 + column % 2)
            g = gradient->dy[window];
    }
    return gradient->a[channel] * g + gradient->b[channel] * (z - gradient->center[channel]) +
           gradient->d[channel];
}

void dlz_conv3x3_reference_forward(dlz_conv3x3_shape shape, const dlz_conv3x3_input *input,
                                   const float *weights, const float *bias, double *y) {
    int64_t height = shape.height, width = shape.width;
    int64_t out_height = out_size(shape, 0), out_width = out_size(shape, 1);
    int64_t in = shape.in_channels, out = shape.out_channels;
    for (int64_t i = 0; i < shape.images; i++)
        for (int64_t r = 0; r < out_height; r++)
            for (int64_t q = 0; q < out_width; q++)
                for (int64_t k = 0; k < out; k++) {
                    double sum = bias ? bias[k] : 0;
                    for (int64_t t = 0; t < 9; t++) {
                        int64_t row = r + t / 3 - shape.padding[0];
                        int64_t column = q + t % 3 - shape.padding[1];
                        if (row < 0 || row >= height || column < 0 || column >= width)
                            continue;
                        int64_t from = ((i * height + row) * width + column) * in;
                        for (int64_t c = 0; c < in; c++)
                            sum += read_input(input, from + c, c) * weights[(k * in + c) * 9 + t];
                    }
                    y[((i * out_height + r) * out_width + q) * out + k] = sum;
                }
}

void dlz_conv3x3_reference_backward(dlz_conv3x3_shape shape, const dlz_conv3x3_input *input,
                                    const dlz_conv3x3_gradient *gradient, const float *weights,
                                    double *dx, double *dw, double *db) {
    int64_t height = shape.height, width = shape.width;
    int64_t out_height = out_size(shape, 0), out_width = out_size(shape, 1);
    int64_t in = shape.in_channels, out = shape.out_channels;
    int64_t elements = shape.images * height * width * in;
    for (int64_t i = 0; dx && i < elements; i++)
        dx[i] = 0;
    for (int64_t i = 0; i < out * in * 9; i++)
        dw[i] = 0;
    for (int64_t k = 0; k < out; k++)
        db[k] = 0;
    for (int64_t i = 0; i < shape.images; i++)
        for (int64_t r = 0; r < out_height; r++)
            for (int64_t q = 0; q < out_width; q++)
                for (int64_t k = 0; k < out; k++) {
                    double g = read_gradient(shape, gradient, i, r, q, k);
                    db[k] += g;
                    for (int64_t t = 0; t < 9; t++) {
                        int64_t row = r + t / 3 - shape.padding[0];
                        int64_t column = q + t % 3 - shape.padding[1];
                        if (row < 0 || row >= height || column < 0 || column >= width)
                            continue;
                        int64_t from = ((i * height + row) * width + column) * in;
                        for (int64_t c = 0; c < in; c++) {
                            dw[(k * in + c) * 9 + t] += g * read_input(input, from + c, c);
                            if (dx)
                                dx[from + c] += g * weights[(k * in + c) * 9 + t];
                        }
                    }
                }
    for (int64_t i = 0; dx && input->relu && i < elements; i++)
        if (read_input(input, i, i % in) <= 0)
            dx[i] = 0;
}
