/* ONNX's operators on images, n × channels × height × width, in double precision. */
#include "support/onnx_model.h"

#include <math.h>
#include <string.h>

/* What slides over an image. */
typedef struct window {
    int64_t kernel[2], stride[2], dilation[2], pads[4]; /* above, left, below, right */
} window;

static window window_of(const onnx_call *call) {
    window w;
    onnx_list(call, "kernel_shape", 2, 1, w.kernel);
    onnx_list(call, "strides", 2, 1, w.stride);
    onnx_list(call, "dilations", 2, 1, w.dilation);
    onnx_list(call, "pads", 4, 0, w.pads);
    return w;
}

static int64_t places(const window *w, int axis, int64_t size) {
    int64_t extent = (w->kernel[axis] - 1) * w->dilation[axis] + 1;
    return (size + w->pads[axis] + w->pads[2 + axis] - extent) / w->stride[axis] + 1;
}

static double *pixel(const onnx_value *images, int64_t plane, int64_t y, int64_t x) {
    return images->numbers + (plane * images->dims[2] + y) * images->dims[3] + x;
}

static bool is_inside(const onnx_value *images, int64_t y, int64_t x) {
    return y >= 0 && x >= 0 && y < images->dims[2] && x < images->dims[3];
}

static void shape_of_windows(const onnx_call *call, const window *w, int64_t channels) {
    const int64_t *in = call->in[0]->dims;
    onnx_shape(call, 4, (int64_t[]){in[0], channels, places(w, 0, in[2]), places(w, 1, in[3])});
}

/* -- Convolutions ---------------------------------------------------------------------------------
 */

static void run_conv(const onnx_call *call) {
    const onnx_value *x = call->in[0], *weight = call->in[1], *bias = call->in[2];
    window w = window_of(call);
    int64_t groups = onnx_whole(call, "group", 1), depth = weight->dims[1];
    ck_assert(weight->dims[2] == w.kernel[0] && weight->dims[3] == w.kernel[1]);
    ck_assert(depth * groups == x->dims[1]);
    shape_of_windows(call, &w, weight->dims[0]);
    const int64_t *out = call->out->dims;
    for (int64_t i = 0; i < call->out->size; i++) {
        int64_t column = i % out[3], row = i / out[3] % out[2], c = i / (out[2] * out[3]) % out[1];
        int64_t first = i / (out[1] * out[2] * out[3]) * x->dims[1] + c / (out[1] / groups) * depth;
        double sum = bias ? bias->numbers[c] : 0;
        for (int64_t d = 0; d < depth; d++)
            for (int64_t ky = 0; ky < w.kernel[0]; ky++)
                for (int64_t kx = 0; kx < w.kernel[1]; kx++) {
                    int64_t at_y = row * w.stride[0] + ky * w.dilation[0] - w.pads[0];
                    int64_t at_x = column * w.stride[1] + kx * w.dilation[1] - w.pads[1];
                    if (is_inside(x, at_y, at_x))
                        sum += *pixel(x, first + d, at_y, at_x) *
                               *pixel(weight, c * depth + d, ky, kx);
                }
        call->out->numbers[i] = sum;
    }
}

/* Each number of the input adds its share to the places that its kernel covers. */
static void run_conv_transpose(const onnx_call *call) {
    const onnx_value *x = call->in[0], *weight = call->in[1], *bias = call->in[2];
    window w = window_of(call);
    int64_t groups = onnx_whole(call, "group", 1), share = weight->dims[1], more[2], size[2];
    onnx_list(call, "output_padding", 2, 0, more);
    for (int axis = 0; axis < 2; axis++) {
        ck_assert_msg(more[axis] < w.stride[axis], "runtimes refuse this output padding");
        size[axis] = w.stride[axis] * (x->dims[2 + axis] - 1) + more[axis] +
                     (w.kernel[axis] - 1) * w.dilation[axis] + 1 - w.pads[axis] - w.pads[2 + axis];
    }
    onnx_shape(call, 4, (int64_t[]){x->dims[0], share * groups, size[0], size[1]});
    onnx_value *out = call->out;
    for (int64_t i = 0; bias && i < out->size; i++)
        out->numbers[i] = bias->numbers[i / (size[0] * size[1]) % out->dims[1]];
    for (int64_t i = 0; i < x->size; i++) {
        int64_t column = i % x->dims[3], row = i / x->dims[3] % x->dims[2];
        int64_t plane = i / (x->dims[2] * x->dims[3]), c = plane % x->dims[1];
        int64_t first = plane / x->dims[1] * out->dims[1] + c / (x->dims[1] / groups) * share;
        for (int64_t s = 0; s < share; s++)
            for (int64_t ky = 0; ky < w.kernel[0]; ky++)
                for (int64_t kx = 0; kx < w.kernel[1]; kx++) {
                    int64_t at_y = row * w.stride[0] + ky * w.dilation[0] - w.pads[0];
                    int64_t at_x = column * w.stride[1] + kx * w.dilation[1] - w.pads[1];
                    if (is_inside(out, at_y, at_x))
                        *pixel(out, first + s, at_y, at_x) +=
                            x->numbers[i] * *pixel(weight, c * share + s, ky, kx);
                }
    }
}

/* -- Pools ----------------------------------------------------------------------------------------
 */

static void run_pool(const onnx_call *call, bool largest) {
    const onnx_value *x = call->in[0];
    window w = window_of(call);
    bool count_padding = !largest && onnx_whole(call, "count_include_pad", 0) == 1;
    ck_assert(onnx_whole(call, "ceil_mode", 0) == 0);
    for (int i = 0; i < 4; i++)
        ck_assert_msg(w.pads[i] < w.kernel[i % 2], "runtimes refuse such pads");
    shape_of_windows(call, &w, x->dims[1]);
    const int64_t *out = call->out->dims;
    for (int64_t i = 0; i < call->out->size; i++) {
        int64_t column = i % out[3], row = i / out[3] % out[2], plane = i / (out[2] * out[3]);
        int64_t count = 0;
        double sum = 0, most = -INFINITY;
        for (int64_t ky = 0; ky < w.kernel[0]; ky++)
            for (int64_t kx = 0; kx < w.kernel[1]; kx++) {
                int64_t at_y = row * w.stride[0] + ky - w.pads[0];
                int64_t at_x = column * w.stride[1] + kx - w.pads[1];
                count += count_padding || is_inside(x, at_y, at_x);
                if (!is_inside(x, at_y, at_x))
                    continue;
                sum += *pixel(x, plane, at_y, at_x);
                most = fmax(most, *pixel(x, plane, at_y, at_x));
            }
        call->out->numbers[i] = largest ? most : sum / (double)count;
    }
}

static void run_global_average(const onnx_call *call) {
    const onnx_value *x = call->in[0];
    int64_t area = x->dims[2] * x->dims[3];
    onnx_shape(call, 4, (int64_t[]){x->dims[0], x->dims[1], 1, 1});
    for (int64_t i = 0; i < x->size; i++)
        call->out->numbers[i / area] += x->numbers[i] / (double)area;
}

/* -- Borders and sizes ----------------------------------------------------------------------------
 */

/* Where a place of the padded axis lies in the input; −1: outside, in constant mode. */
static int64_t unpadded(const char *mode, int64_t place, int64_t size) {
    if (strcmp(mode, "reflect") == 0)
        return place < 0 ? -place : place >= size ? 2 * (size - 1) - place : place;
    if (strcmp(mode, "edge") == 0)
        return place < 0 ? 0 : place >= size ? size - 1 : place;
    return place < 0 || place >= size ? -1 : place;
}

static void run_pad(const onnx_call *call) {
    const onnx_value *x = call->in[0], *pads = call->in[1], *value = call->in[2];
    const char *mode = onnx_text(call, "mode", "constant");
    const double *p = pads->numbers;
    ck_assert(pads->is_whole && pads->size == 8 && p[0] == 0 && p[1] == 0 && p[4] == 0 &&
              p[5] == 0);
    for (int i = 0; i < 8; i++)
        ck_assert_msg(p[i] + (double)x->dims[i % 4] >= 0, "more is taken away than there is");
    int64_t above = (int64_t)p[2], left = (int64_t)p[3];
    onnx_shape(call, 4,
               (int64_t[]){x->dims[0], x->dims[1], x->dims[2] + above + (int64_t)p[6],
                           x->dims[3] + left + (int64_t)p[7]});
    const int64_t *out = call->out->dims;
    for (int64_t i = 0; i < call->out->size; i++) {
        int64_t row = unpadded(mode, i / out[3] % out[2] - above, x->dims[2]);
        int64_t column = unpadded(mode, i % out[3] - left, x->dims[3]);
        call->out->numbers[i] = row >= 0 && column >= 0
                                    ? *pixel(x, i / (out[2] * out[3]), row, column)
                                : value ? value->numbers[0]
                                        : 0;
    }
}

static double resized_from(const char *how, double scale, int64_t in, int64_t out, int64_t place) {
    if (strcmp(how, "asymmetric") == 0)
        return (double)place / scale;
    if (strcmp(how, "align_corners") == 0)
        return out == 1 ? 0 : (double)(place * (in - 1)) / (double)(out - 1);
    return ((double)place + 0.5) / scale - 0.5;
}

/* The two pixels that a place lies between, and the second's share. */
typedef struct between {
    int64_t first, second;
    double share;
} between;

static between find_between(const onnx_call *call, int axis, int64_t place) {
    const char *how = onnx_text(call, "coordinate_transformation_mode", "half_pixel");
    int64_t in = call->in[0]->dims[2 + axis], out = call->out->dims[2 + axis];
    double at = resized_from(how, call->in[2]->numbers[2 + axis], in, out, place);
    bool nearest = strcmp(onnx_text(call, "mode", "nearest"), "nearest") == 0;
    at = fmax(0, fmin(at, (double)(in - 1)));
    int64_t first = (int64_t)floor(at);
    return (between){first, first + 1 < in ? first + 1 : first, nearest ? 0 : at - (double)first};
}

static void run_resize(const onnx_call *call) {
    const onnx_value *x = call->in[0];
    ck_assert(call->num_inputs == 3 && !call->in[1] && call->in[2]->size == 4);
    ck_assert_str_eq(onnx_text(call, "nearest_mode", "round_prefer_floor"), "floor");
    const char *how = onnx_text(call, "coordinate_transformation_mode", "half_pixel");
    ck_assert(strcmp(how, "asymmetric") == 0 || strcmp(how, "align_corners") == 0 ||
              strcmp(how, "half_pixel") == 0);
    onnx_shape(call, 4,
               (int64_t[]){x->dims[0], x->dims[1],
                           (int64_t)floor((double)x->dims[2] * call->in[2]->numbers[2]),
                           (int64_t)floor((double)x->dims[3] * call->in[2]->numbers[3])});
    const int64_t *out = call->out->dims;
    for (int64_t i = 0; i < call->out->size; i++) {
        between row = find_between(call, 0, i / out[3] % out[2]);
        between column = find_between(call, 1, i % out[3]);
        int64_t plane = i / (out[2] * out[3]);
        double above = (1 - column.share) * *pixel(x, plane, row.first, column.first) +
                       column.share * *pixel(x, plane, row.first, column.second);
        double below = (1 - column.share) * *pixel(x, plane, row.second, column.first) +
                       column.share * *pixel(x, plane, row.second, column.second);
        call->out->numbers[i] = (1 - row.share) * above + row.share * below;
    }
}

bool onnx_run_on_images(const onnx_call *call) {
    const char *op = call->node->op;
    if (strcmp(op, "Conv") == 0)
        run_conv(call);
    else if (strcmp(op, "ConvTranspose") == 0)
        run_conv_transpose(call);
    else if (strcmp(op, "MaxPool") == 0 || strcmp(op, "AveragePool") == 0)
        run_pool(call, op[0] == 'M');
    else if (strcmp(op, "GlobalAveragePool") == 0)
        run_global_average(call);
    else if (strcmp(op, "Pad") == 0)
        run_pad(call);
    else if (strcmp(op, "Resize") == 0)
        run_resize(call);
    else
        return false;
    return true;
}
