/* Pooling, upsampling, padding and reshaping as layers: settings, shapes, decisions, and that each
 * linear one's gradient is its adjoint. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/graph.h"
#include "network/network.h"
#include "support/guarded.h"
#include "support/one_layer.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

/* -- One layer alone ------------------------------------------------------------------------------
 */

typedef struct lone {
    dlz_graph graph;
    dlz_plans plans;
    dlz_plan *plan;
} lone;

static dlviz_status place(lone *l, dlviz_layer *layer, int ndim, const int64_t *dims) {
    const char *const names[] = {"input"};
    memset(l, 0, sizeof *l);
    l->graph.in.ndim = ndim;
    memcpy(l->graph.in.dims, dims, (size_t)ndim * sizeof *dims);
    ck_ok(layer->error);
    ck_ok(dlz_graph_add(&l->graph, "layer", layer, 1, names));
    return dlz_graph_infer(&l->graph);
}

static void drop(lone *l) {
    dlz_plans_release(&l->plans);
    dlz_graph_release(&l->graph);
}

static const dlz_shape *shape_of(const lone *l) {
    return &l->graph.nodes[0].out;
}

/* Data are channels-last, as inside. */
static float *ready(lone *l, int64_t n) {
    dlz_mode mode = {.training = true, .gradients = true, .input_gradient = true};
    ck_ok(dlz_plan_get(&l->plans, &l->graph, 0, mode, n, &l->plan));
    return dlz_plan_input(l->plan)->data;
}

static const float *forward(lone *l) {
    ck_ok(dlz_plan_forward(l->plan));
    return dlz_plan_output(l->plan)->data;
}

static const float *backward(lone *l) {
    ck_ok(dlz_plan_backward(l->plan));
    return dlz_plan_input(l->plan)->gradient.dy;
}

/* Runs a layer over one image of one channel. */
static const float *run_image(lone *l, dlviz_layer *layer, int64_t height, int64_t width,
                              const float *pixels) {
    const int64_t dims[] = {1, height, width};
    ck_ok(place(l, layer, 3, dims));
    memcpy(ready(l, 1), pixels, (size_t)(height * width) * sizeof *pixels);
    return forward(l);
}

static dlviz_layer *windows(bool average, int64_t kernel, int64_t stride, int64_t padding,
                            bool ceil_mode) {
    dlviz_layer *layer = average ? dlviz_avgpool2d(kernel) : dlviz_maxpool2d(kernel);
    if (average) {
        ck_ok(dlviz_avgpool2d_set_stride(layer, stride, stride));
        ck_ok(dlviz_avgpool2d_set_padding(layer, padding, padding));
        ck_ok(dlviz_avgpool2d_set_ceil_mode(layer, ceil_mode));
    } else {
        ck_ok(dlviz_maxpool2d_set_stride(layer, stride, stride));
        ck_ok(dlviz_maxpool2d_set_padding(layer, padding, padding));
        ck_ok(dlviz_maxpool2d_set_ceil_mode(layer, ceil_mode));
    }
    return layer;
}

/* -- Shapes ---------------------------------------------------------------------------------------
 */

/* PyTorch's numbers of windows. */
START_TEST(windows_are_counted_as_pytorch_does) {
    const struct {
        int64_t size, kernel, stride, padding, floor, ceil;
    } cases[] = {{7, 2, 2, 0, 3, 4}, {7, 3, 2, 1, 4, 4}, {2, 3, 2, 0, 0, 1}, {5, 2, 3, 1, 2, 2},
                 {6, 2, 3, 0, 2, 2}, {8, 2, 3, 0, 3, 3}, {7, 2, 3, 0, 2, 3}, {1, 5, 4, 2, 1, 1},
                 {3, 5, 4, 2, 1, 2}, {1, 3, 2, 0, 0, 0}, {9, 4, 5, 2, 2, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int kind = 0; kind < 4; kind++) {
            lone l;
            const int64_t dims[] = {2, cases[i].size, 11};
            int64_t expected = kind & 1 ? cases[i].ceil : cases[i].floor;
            dlviz_layer *layer =
                windows(kind & 2, cases[i].kernel, cases[i].stride, cases[i].padding, kind & 1);
            dlviz_status status = place(&l, layer, 3, dims);
            ck_assert_msg(status == (expected ? DLVIZ_OK : DLVIZ_ERROR_SHAPE), "case %zu", i);
            if (expected)
                ck_assert_msg(shape_of(&l)->dims[1] == expected, "case %zu: %lld", i,
                              (long long)shape_of(&l)->dims[1]);
            drop(&l);
        }
}
END_TEST

static void does_not_fit(dlviz_layer *layer, int ndim, const int64_t *dims, dlviz_status status,
                         const char *words) {
    lone l;
    ck_fails(place(&l, layer, ndim, dims), status, words);
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "'layer'"));
    drop(&l);
}

static dlviz_layer *upsampled(dlviz_interpolation mode, bool align_corners) {
    dlviz_layer *layer = dlviz_upsample(2, 3);
    ck_ok(dlviz_upsample_set_mode(layer, mode));
    ck_ok(dlviz_upsample_set_align_corners(layer, align_corners));
    return layer;
}

static dlviz_layer *padded(int64_t top, int64_t bottom, int64_t left, int64_t right,
                           dlviz_border mode) {
    dlviz_layer *layer = dlviz_pad(top, bottom, left, right);
    ck_ok(dlviz_pad_set_mode(layer, mode));
    return layer;
}

static dlviz_layer *reshaped(int64_t a, int64_t b, int64_t c) {
    return dlviz_reshape(3, (const int64_t[]){a, b, c});
}

START_TEST(inputs_that_do_not_fit_are_named) {
    const int64_t image[] = {2, 4, 6}, vector[] = {48}, large[] = {1, 46000, 46000};
    does_not_fit(dlviz_avgpool2d(5), 3, image, DLVIZ_ERROR_SHAPE, "height of 4");
    does_not_fit(dlviz_avgpool2d(2), 1, vector, DLVIZ_ERROR_SHAPE, "1 dimension");
    does_not_fit(dlviz_global_avgpool2d(), 1, vector, DLVIZ_ERROR_SHAPE, "1 dimension");
    does_not_fit(dlviz_adaptive_avgpool2d(2, 2), 1, vector, DLVIZ_ERROR_SHAPE, "1 dimension");
    does_not_fit(dlviz_upsample(2, 2), 1, vector, DLVIZ_ERROR_SHAPE, "1 dimension");
    does_not_fit(dlviz_upsample(2, 2), 3, large, DLVIZ_ERROR_SHAPE, "");
    does_not_fit(upsampled(DLVIZ_INTERPOLATION_NEAREST, true), 3, image, INVALID, "bilinear");
    does_not_fit(dlviz_pad(1, 1, 1, 1), 1, vector, DLVIZ_ERROR_SHAPE, "1 dimension");
    does_not_fit(dlviz_pad(0, -4, 0, 0), 3, image, DLVIZ_ERROR_SHAPE, "height of 4");
    does_not_fit(padded(1, 1, 6, 0, DLVIZ_BORDER_REFLECT), 3, image, DLVIZ_ERROR_SHAPE,
                 "6 cannot be reflected of the input's width of 6: at most 5");
    does_not_fit(reshaped(2, 4, 5), 3, image, DLVIZ_ERROR_SHAPE, "48 numbers");
    does_not_fit(reshaped(-1, 5, 1), 3, image, DLVIZ_ERROR_SHAPE, "48 numbers");
    does_not_fit(reshaped(1 << 30, 1 << 30, 1 << 30), 3, image, DLVIZ_ERROR_SHAPE, "48 numbers");
}
END_TEST

/* -- Settings -------------------------------------------------------------------------------------
 */

static void is_rejected(dlviz_layer *layer, const char *value, const char *accepted) {
    ck_assert_int_eq(layer->error, INVALID);
    ck_assert_msg(strstr(layer->message, value) && strstr(layer->message, accepted),
                  "'%s' lacks '%s' or '%s'", layer->message, value, accepted);
    dlviz_layer_destroy(layer);
}

#define REJECTED(constructor, setter, value, accepted)                                             \
    do {                                                                                           \
        dlviz_layer *layer = constructor;                                                          \
        ck_fails(setter, INVALID, value);                                                          \
        is_rejected(layer, value, accepted);                                                       \
    } while (0)

START_TEST(settings_out_of_range_are_refused) {
    is_rejected(dlviz_avgpool2d(0), "0 x 0", "1 to");
    is_rejected(dlviz_adaptive_avgpool2d(0, 3), "0 x 3", "1 to");
    is_rejected(dlviz_upsample(2, -1), "2 x -1", "1 to");
    is_rejected(dlviz_pad(0, 0, (1 << 20) + 1, 0), "left is 1048577", "-1048576 to 1048576");
    is_rejected(dlviz_reshape(2, (const int64_t[]){3, 4}), "2 dimensions", "1, or 3");
    is_rejected(dlviz_reshape(-1, (const int64_t[]){3}), "-1 dimensions", "1, or 3");
    is_rejected(dlviz_reshape(3, NULL), "'dims'", "NULL");
    is_rejected(reshaped(3, 0, 2), "dimension 1 is 0", "1 to");
    is_rejected(reshaped(-1, 2, -1), "2 dimensions are -1", "one may be");
    REJECTED(dlviz_avgpool2d(3), dlviz_avgpool2d_set_kernel(layer, 3, 0), "3 x 0", "1 to");
    REJECTED(dlviz_avgpool2d(3), dlviz_avgpool2d_set_stride(layer, 0, 1), "0 x 1", "1 to");
    REJECTED(dlviz_avgpool2d(3), dlviz_avgpool2d_set_padding(layer, 2, 1), "2", "0 to 1");
    REJECTED(dlviz_upsample(2, 2), dlviz_upsample_set_size(layer, 0, 0), "0 x 0", "1 to");
    REJECTED(dlviz_upsample(2, 2), dlviz_upsample_set_size(layer, 7, 0), "7 x 0", "1 to");
    REJECTED(dlviz_upsample(2, 2), dlviz_upsample_set_mode(layer, (dlviz_interpolation)2), "2",
             "0 to 1");
    REJECTED(dlviz_pad(1, 1, 1, 1), dlviz_pad_set_mode(layer, (dlviz_border)3), "3", "0 to 2");
    REJECTED(dlviz_pad(1, 1, -1, 1), dlviz_pad_set_mode(layer, DLVIZ_BORDER_REFLECT), "left is -1",
             "0 to");
    REJECTED(dlviz_pad(1, 1, 1, 1), dlviz_pad_set_value(layer, NAN), "nan", "infinity");
    REJECTED(dlviz_pad(1, 1, 1, 1), dlviz_pad_set_value(layer, 1e39), "1e+39", "float");
    REJECTED(dlviz_maxpool2d(2), dlviz_avgpool2d_set_ceil_mode(layer, true), "maxpool2d",
             "avgpool2d");
    ck_fails(dlviz_pad_set_value(NULL, 1), INVALID, "layer");
    ck_fails(dlviz_upsample_set_size(NULL, 0, 0), INVALID, "layer");
    ck_fails(dlviz_avgpool2d_set_stride(NULL, 0, 0), INVALID, "layer");
}
END_TEST

#define GIVES(call, x, y)                                                                          \
    do {                                                                                           \
        int64_t a = -7, b = -7;                                                                    \
        call;                                                                                      \
        ck_assert_msg(a == (x) && b == (y), "%s: %lld, %lld", #call, (long long)a, (long long)b);  \
    } while (0)

START_TEST(settings_are_got_back) {
    dlviz_layer *average = dlviz_avgpool2d(4), *largest = dlviz_maxpool2d(4);
    dlviz_layer *up = dlviz_upsample(2, 3), *pad = dlviz_pad(1, 2, 3, 4);
    GIVES(dlviz_avgpool2d_stride(average, &a, &b), 4, 4);
    GIVES(dlviz_maxpool2d_stride(largest, &a, &b), 4, 4);
    ck_assert(dlviz_avgpool2d_count_include_pad(average) && !dlviz_avgpool2d_ceil_mode(average));
    ck_ok(dlviz_avgpool2d_set_kernel(average, 5, 6));
    ck_ok(dlviz_avgpool2d_set_stride(average, 2, 3));
    ck_ok(dlviz_avgpool2d_set_padding(average, 1, 3));
    ck_ok(dlviz_avgpool2d_set_ceil_mode(average, true));
    ck_ok(dlviz_avgpool2d_set_count_include_pad(average, false));
    ck_ok(dlviz_maxpool2d_set_kernel(largest, 5, 6));
    ck_ok(dlviz_maxpool2d_set_stride(largest, 2, 3));
    ck_ok(dlviz_maxpool2d_set_padding(largest, 1, 3));
    ck_ok(dlviz_maxpool2d_set_ceil_mode(largest, true));
    GIVES(dlviz_avgpool2d_kernel(average, &a, &b), 5, 6);
    GIVES(dlviz_avgpool2d_stride(average, &a, &b), 2, 3);
    GIVES(dlviz_avgpool2d_padding(average, &a, &b), 1, 3);
    GIVES(dlviz_maxpool2d_kernel(largest, &a, &b), 5, 6);
    GIVES(dlviz_maxpool2d_stride(largest, &a, &b), 2, 3);
    GIVES(dlviz_maxpool2d_padding(largest, &a, &b), 1, 3);
    ck_assert(!dlviz_avgpool2d_count_include_pad(average) && dlviz_avgpool2d_ceil_mode(average));
    ck_assert(dlviz_maxpool2d_ceil_mode(largest));
    ck_assert_int_eq(dlviz_upsample_mode(up), DLVIZ_INTERPOLATION_NEAREST);
    GIVES(dlviz_upsample_size(up, &a, &b), 0, 0);
    ck_ok(dlviz_upsample_set_size(up, 9, 8));
    ck_ok(dlviz_upsample_set_mode(up, DLVIZ_INTERPOLATION_BILINEAR));
    ck_ok(dlviz_upsample_set_align_corners(up, true));
    GIVES(dlviz_upsample_size(up, &a, &b), 9, 8);
    ck_assert_int_eq(dlviz_upsample_mode(up), DLVIZ_INTERPOLATION_BILINEAR);
    ck_assert(dlviz_upsample_align_corners(up));
    ck_assert(dlviz_pad_value(pad) == 0 && dlviz_pad_mode(pad) == DLVIZ_BORDER_CONSTANT);
    ck_ok(dlviz_pad_set_value(pad, -INFINITY));
    ck_ok(dlviz_pad_set_mode(pad, DLVIZ_BORDER_REPLICATE));
    ck_assert(isinf(dlviz_pad_value(pad)) && dlviz_pad_mode(pad) == DLVIZ_BORDER_REPLICATE);
    /* Of another kind, and of none. */
    for (int i = 0; i < 2; i++) {
        const dlviz_layer *other = i ? pad : NULL;
        GIVES(dlviz_avgpool2d_kernel(other, &a, &b), 0, 0);
        GIVES(dlviz_maxpool2d_stride(other, &a, &b), 0, 0);
        GIVES(dlviz_avgpool2d_padding(other, &a, &b), 0, 0);
        GIVES(dlviz_upsample_size(other, &a, &b), 0, 0);
        GIVES(dlviz_adaptive_avgpool2d_size(other, &a, &b), 0, 0);
        ck_assert(!dlviz_avgpool2d_ceil_mode(other) && !dlviz_maxpool2d_ceil_mode(other));
        ck_assert(!dlviz_avgpool2d_count_include_pad(other));
        ck_assert(!dlviz_upsample_align_corners(other));
        ck_assert_int_eq(dlviz_upsample_mode(other), DLVIZ_INTERPOLATION_NEAREST);
        ck_assert_int_eq(dlviz_pad_mode(i ? up : NULL), DLVIZ_BORDER_CONSTANT);
        ck_assert(isnan(dlviz_pad_value(i ? up : NULL)));
    }
    dlviz_layer *adaptive = dlviz_adaptive_avgpool2d(3, 8);
    GIVES(dlviz_adaptive_avgpool2d_size(adaptive, &a, &b), 3, 8);
    GIVES(dlviz_adaptive_avgpool2d_size(adaptive, NULL, &b), -7, 8);
    dlviz_layer *const all[] = {average, largest, up, pad, adaptive};
    for (int i = 0; i < 5; i++)
        dlviz_layer_destroy(all[i]);
}
END_TEST

/* -- Numbers --------------------------------------------------------------------------------------
 */

START_TEST(nan_and_the_first_of_equals_win) {
    const float pixels[] = {1, 3, 3, 3, 0, NAN, 3, 1, 0};
    lone l;
    const float *out = run_image(&l, windows(false, 2, 1, 0, false), 3, 3, pixels);
    ck_assert(out[0] == 3 && isnan(out[1]) && out[2] == 3 && isnan(out[3]));
    for (int i = 0; i < 4; i++)
        dlz_plan_output(l.plan)->dy[i] = (float)(1 << i);
    const float expected[] = {0, 1, 0, 4, 0, 10, 0, 0, 0};
    ck_assert_mem_eq(backward(&l), expected, sizeof expected);
    drop(&l);
}
END_TEST

START_TEST(averages_of_whole_numbers_are_exact) {
    const float ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    lone l;
    const float *out = run_image(&l, dlviz_avgpool2d(3), 3, 3, ones);
    ck_assert(out[0] == 1);
    drop(&l);
    out = run_image(&l, dlviz_global_avgpool2d(), 3, 3, ones);
    ck_assert(out[0] == 1 && shape_of(&l)->ndim == 1 && shape_of(&l)->dims[0] == 1);
    drop(&l);
    /* With a border that counts: 4, 6 or 9 of 9; without: 1. */
    for (int include = 0; include < 2; include++) {
        dlviz_layer *layer = windows(true, 3, 1, 1, false);
        ck_ok(dlviz_avgpool2d_set_count_include_pad(layer, include));
        out = run_image(&l, layer, 3, 3, ones);
        ck_assert(out[0] == (include ? 4.0f / 9 : 1) && out[1] == (include ? 6.0f / 9 : 1));
        ck_assert(out[4] == 1);
        drop(&l);
    }
    /* In ceil mode what lies beyond the padding never counts. */
    out = run_image(&l, windows(true, 2, 2, 0, true), 3, 3, ones);
    ck_assert(out[0] == 1 && out[1] == 1 && out[3] == 1);
    drop(&l);
}
END_TEST

START_TEST(a_border_is_what_its_mode_says) {
    const float pixels[] = {1, 2, 3};
    const float expected[][7] = {
        {9, 9, 1, 2, 3, 9, 9}, {3, 2, 1, 2, 3, 2, 1}, {1, 1, 1, 2, 3, 3, 3}};
    for (int mode = 0; mode < 3; mode++) {
        lone l;
        dlviz_layer *layer = padded(0, 0, 2, 2, (dlviz_border)mode);
        ck_ok(dlviz_pad_set_value(layer, 9));
        ck_assert_mem_eq(run_image(&l, layer, 1, 3, pixels), expected[mode], sizeof *expected);
        drop(&l);
    }
    lone l;
    ck_assert(run_image(&l, dlviz_pad(0, 0, -1, -1), 1, 3, pixels)[0] == 2);
    ck_assert_int_eq(shape_of(&l)->dims[2], 1);
    drop(&l);
}
END_TEST

/* A pixel that lies exactly where another is wanted is taken as it is, whatever stands beside it. */
START_TEST(interpolation_passes_through_its_pixels) {
    const float pixels[] = {1, INFINITY, 4};
    lone l;
    dlviz_layer *layer = upsampled(DLVIZ_INTERPOLATION_BILINEAR, true);
    ck_ok(dlviz_upsample_set_size(layer, 1, 5));
    const float *out = run_image(&l, layer, 1, 3, pixels);
    ck_assert(out[0] == 1 && isinf(out[1]) && isinf(out[2]) && isinf(out[3]) && out[4] == 4);
    drop(&l);
    const float ramp[] = {0, 4};
    const float half[] = {0, 1, 3, 4};
    layer = dlviz_upsample(1, 2);
    ck_ok(dlviz_upsample_set_mode(layer, DLVIZ_INTERPOLATION_BILINEAR));
    ck_assert_mem_eq(run_image(&l, layer, 1, 2, ramp), half, sizeof half);
    drop(&l);
}
END_TEST

/* Number k of PyTorch's order lies at pixel k mod P, channel k / P. */
static int64_t inside(const dlz_shape *shape, int64_t k) {
    int64_t pixels = dlz_shape_size(shape) / shape->dims[0];
    return k % pixels * shape->dims[0] + k / pixels;
}

START_TEST(reshaping_keeps_pytorchs_order) {
    const int64_t from[][3] = {{6, 4, 5}, {1, 10, 12}, {120, 1, 1}, {20, 3, 2}};
    const int64_t to[][3] = {{6, 10, 2}, {8, 3, 5}, {1, 12, 10}, {120, 1, 1}, {3, -1, 4}};
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 6; j++) {
            lone l;
            const int64_t flat[] = {120};
            dlviz_layer *layer = j < 5 ? dlviz_reshape(3, to[j]) : dlviz_reshape(1, flat);
            ck_ok(place(&l, layer, i < 4 ? 3 : 1, i < 4 ? from[i] : flat));
            float *in = ready(&l, 2);
            for (int64_t k = 0; k < 240; k++)
                in[k / 120 * 120 + inside(&l.graph.in, k % 120)] = (float)k;
            const float *out = forward(&l);
            float *dy = dlz_plan_output(l.plan)->dy;
            for (int64_t k = 0; k < 240; k++) {
                int64_t at = k / 120 * 120 + inside(shape_of(&l), k % 120);
                ck_assert(out[at] == (float)k);
                dy[at] = (float)k + 0.5f;
            }
            const float *dx = backward(&l);
            for (int64_t k = 0; k < 240; k++)
                ck_assert(dx[k / 120 * 120 + inside(&l.graph.in, k % 120)] == (float)k + 0.5f);
            drop(&l);
        }
}
END_TEST

/* What lies between is larger than what goes in and comes out. */
START_TEST(reshaping_has_room_of_its_own) {
    guard_memory();
    lone l = {.graph.in = {3, {2, 2, 2}}};
    ck_ok(dlz_graph_add(&l.graph, "larger", dlviz_upsample(4, 4), 1, (const char *[]){"input"}));
    ck_ok(dlz_graph_add(&l.graph, "reshape", reshaped(8, 4, 4), 1, (const char *[]){"larger"}));
    ck_ok(
        dlz_graph_add(&l.graph, "means", dlviz_global_avgpool2d(), 1, (const char *[]){"reshape"}));
    ck_ok(dlz_graph_infer(&l.graph));
    ck_ok(dlz_plan_get(&l.plans, &l.graph, 2, (dlz_mode){0}, 1, &l.plan));
    float *in = dlz_plan_input(l.plan)->data;
    for (int k = 0; k < 8; k++)
        in[inside(&l.graph.in, k)] = (float)(1 << k);
    const float *out = forward(&l);
    for (int channel = 0; channel < 8; channel++) {
        int sum = 0;
        for (int k = 16 * channel; k < 16 * (channel + 1); k++) /* of 2 x 8 x 8 */
            sum += 1 << (k / 64 * 4 + k % 64 / 8 / 4 * 2 + k % 8 / 4);
        ck_assert_float_eq(out[channel], (float)sum / 16);
    }
    drop(&l);
}
END_TEST

/* -- All of them ----------------------------------------------------------------------------------
 */

enum { KINDS = 14 };

static dlviz_layer *layer_of_kind(int kind) {
    switch (kind) {
    case 0:
        return windows(true, 2, 2, 0, false);
    case 1:
        return windows(true, 3, 2, 1, true);
    case 2:
        return dlviz_global_avgpool2d();
    case 3:
        return dlviz_adaptive_avgpool2d(3, 4);
    case 4:
        return dlviz_adaptive_avgpool2d(11, 5);
    case 5:
        return upsampled(DLVIZ_INTERPOLATION_NEAREST, false);
    case 6:
        return upsampled(DLVIZ_INTERPOLATION_BILINEAR, false);
    case 7:
        return upsampled(DLVIZ_INTERPOLATION_BILINEAR, true);
    case 8:
        return dlviz_pad(2, -1, 0, 3);
    case 9:
        return padded(1, 2, 3, 4, DLVIZ_BORDER_REFLECT);
    case 10:
        return padded(1, 2, 3, 9, DLVIZ_BORDER_REPLICATE);
    case 11:
        return reshaped(7, -1, 9);
    case 12:
        return windows(false, 3, 2, 1, true);
    default:
        return windows(false, 2, 1, 0, false);
    }
}

enum { N = 5 };

static void run_kind(lone *l, int kind, int64_t channels, int threads) {
    const int64_t dims[] = {channels, 9, 7};
    ck_ok(dlviz_set_num_threads(threads));
    ck_ok(place(l, layer_of_kind(kind), 3, dims));
    fill_uniform(ready(l, N), N * channels * 63, 1);
    forward(l);
    fill_uniform(dlz_plan_output(l->plan)->dy, N * dlz_shape_size(shape_of(l)), 2);
    backward(l);
}

/* For a linear layer A, the sum of dy · Ax is the sum of A'dy · x. */
START_TEST(gradients_are_adjoints) {
    for (int kind = 0; kind < 12; kind++)
        for (int64_t channels = 1; channels <= 20; channels += 19) {
            lone l;
            run_kind(&l, kind, channels, 2);
            const dlz_value *in = dlz_plan_input(l.plan), *out = dlz_plan_output(l.plan);
            double forwards = 0, backwards = 0, size = 0;
            for (int64_t i = 0; i < N * dlz_value_size(out); i++) {
                forwards += (double)out->data[i] * (double)out->dy[i];
                size += fabs((double)out->data[i] * (double)out->dy[i]);
            }
            for (int64_t i = 0; i < N * dlz_value_size(in); i++)
                backwards += (double)in->data[i] * (double)in->gradient.dy[i];
            ck_assert_msg(fabs(forwards - backwards) <= 1e-6 * size, "kind %d: %g, %g", kind,
                          forwards, backwards);
            drop(&l);
        }
}
END_TEST

START_TEST(bits_do_not_depend_on_threads) {
    for (int kind = 0; kind < KINDS; kind++)
        for (int t = 2; t <= 8; t += t == 3 ? 5 : 1) {
            lone one, many;
            run_kind(&one, kind, 20, 1);
            run_kind(&many, kind, 20, t);
            const dlz_value *a = dlz_plan_output(one.plan), *b = dlz_plan_output(many.plan);
            ck_assert_mem_eq(a->data, b->data, (size_t)(N * dlz_value_size(a)) * sizeof(float));
            a = dlz_plan_input(one.plan);
            b = dlz_plan_input(many.plan);
            ck_assert_mem_eq(a->gradient.dy, b->gradient.dy,
                             (size_t)(N * dlz_value_size(a)) * sizeof(float));
            drop(&one);
            drop(&many);
        }
}
END_TEST

static dlviz_network *network_of(dlviz_layer *layer) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (const int64_t[]){2, 9, 7}));
    ck_ok(dlviz_network_add(network, "layer", layer));
    ck_ok(dlviz_network_add(network, "flatten", dlviz_flatten()));
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(3)));
    ck_ok(dlviz_network_build(network, 1));
    return network;
}

START_TEST(settings_are_kept_in_files) {
    for (int kind = 0; kind < KINDS; kind++) {
        dlviz_network *network = network_of(layer_of_kind(kind));
        dlviz_network *same = network_of(layer_of_kind(kind));
        const char *path = scratch_path("kind.safetensors");
        ck_ok(dlviz_network_save(network, path));
        ck_ok(dlviz_network_load(same, path));
        dlviz_network_destroy(same);
        ck_ok(dlviz_network_open(&same, path));
        dlviz_tensor *x, *y, *z;
        ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 4, (const int64_t[]){3, 2, 9, 7}));
        fill_uniform(dlviz_tensor_float(x), 3 * 126, 4);
        ck_ok(dlviz_network_forward(network, x, &y));
        ck_ok(dlviz_network_forward(same, x, &z));
        ck_assert_mem_eq(dlviz_tensor_float(y), dlviz_tensor_float(z), 9 * sizeof(float));
        dlviz_tensor *const tensors[] = {x, y, z};
        for (int i = 0; i < 3; i++)
            dlviz_tensor_destroy(tensors[i]);
        dlviz_network_destroy(network);
        dlviz_network_destroy(same);
    }
    const char *path = scratch_path("average.safetensors");
    dlviz_network *network = network_of(windows(true, 3, 2, 1, false));
    ck_ok(dlviz_network_save(network, path));
    dlviz_network_destroy(network);
    dlviz_layer *other = windows(true, 3, 2, 1, false);
    ck_ok(dlviz_avgpool2d_set_count_include_pad(other, false));
    network = network_of(other);
    ck_fails(dlviz_network_load(network, path), DLVIZ_ERROR_FORMAT,
             "avgpool2d 'layer': count_include_pad is true in the file and false here");
    dlviz_network_destroy(network);
    network = network_of(dlviz_pad(1, 0, 1, 0));
    ck_ok(dlviz_network_save(network, path));
    dlviz_network_destroy(network);
    network = network_of(dlviz_pad(0, 1, 1, 0));
    ck_fails(dlviz_network_load(network, path), DLVIZ_ERROR_FORMAT,
             "pad 'layer': vertical is [1,0] in the file and [0,1] here");
    dlviz_network_destroy(network);
}
END_TEST

/* -- Behind a batch norm --------------------------------------------------------------------------
 */

enum { BEHIND_CHANNELS = 35, BEHIND_SIZE = 11, BEHIND_IMAGES = 3, BEHIND_OUTPUTS = 4000 };

/* A convolution, a batch norm with weights of either sign and 0, relu, and a pool, which reads what they
 * leave, or, with a padding of nothing between, what they have written. Returns the plan after both
 * passes. `y`: room for the outputs. */
static dlz_plan *behind(dlviz_network **network, bool relu, bool apart, int threads, float *y) {
    const int64_t dims[] = {2, BEHIND_SIZE, BEHIND_SIZE};
    ck_ok(dlviz_set_num_threads(threads));
    ck_ok(dlviz_network_create(network, 3, dims));
    ck_ok(dlviz_network_add(*network, "conv", dlviz_conv2d(BEHIND_CHANNELS, 5, 2)));
    ck_ok(dlviz_network_add(*network, "norm", dlviz_batchnorm()));
    if (relu)
        ck_ok(dlviz_network_add(*network, "relu", dlviz_relu()));
    if (apart)
        ck_ok(dlviz_network_add(*network, "nothing", dlviz_pad(0, 0, 0, 0)));
    ck_ok(dlviz_network_add(*network, "pool", windows(false, 3, 2, 1, true)));
    ck_ok(dlviz_network_build(*network, 3));
    float *weight = one_layer_state(*network, "norm.weight");
    float *bias = one_layer_state(*network, "norm.bias");
    for (int c = 0; c < BEHIND_CHANNELS; c++) {
        weight[c] = (float)(c % 5 - 2) / 2;
        bias[c] = (float)(c % 3 - 1) / 4;
    }
    dlz_plan *plan;
    dlz_mode mode = {.training = true, .gradients = true, .input_gradient = true};
    ck_ok(dlz_plan_get(&(*network)->plans, &(*network)->graph, (*network)->graph.num_nodes - 1,
                       mode, BEHIND_IMAGES, &plan));
    dlz_value *in = dlz_plan_input(plan), *out = dlz_plan_output(plan);
    fill_uniform(in->data, BEHIND_IMAGES * dlz_value_size(in), 1);
    fill_uniform(out->dy, BEHIND_IMAGES * dlz_value_size(out), 2);
    ck_ok(dlz_plan_forward(plan));
    ck_assert_int_le(BEHIND_IMAGES * dlz_value_size(out), BEHIND_OUTPUTS);
    memcpy(y, out->data, (size_t)(BEHIND_IMAGES * dlz_value_size(out)) * sizeof *y);
    ck_ok(dlz_plan_backward(plan));
    return plan;
}

static bool is_near(const float *x, const float *y, int64_t count) {
    double largest = 0, apart = 0;
    for (int64_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)y[i]));
        apart = fmax(apart, fabs((double)x[i] - (double)y[i]));
    }
    return largest > 0 && apart <= 1e-5 * largest;
}

START_TEST(a_pool_reads_what_a_batch_norm_leaves) {
    static const char *const states[] = {"conv.weight", "norm.weight", "norm.bias"};
    static const int64_t sizes[] = {BEHIND_CHANNELS * 50, BEHIND_CHANNELS, BEHIND_CHANNELS};
    static float outputs[3][BEHIND_OUTPUTS];
    for (int relu = 0; relu < 2; relu++) {
        dlviz_network *networks[3];
        dlz_plan *plans[3];
        for (int k = 0; k < 3; k++)
            plans[k] = behind(&networks[k], relu, k == 1, k == 2 ? 3 : 1, outputs[k]);
        ck_assert_int_eq(dlz_plan_num_ops(plans[0]) + 1, dlz_plan_num_ops(plans[1]));
        for (int k = 1; k < 3; k++) {
            const dlz_value *out = dlz_plan_output(plans[0]), *in = dlz_plan_input(plans[0]);
            int64_t outs = BEHIND_IMAGES * dlz_value_size(out),
                    ins = BEHIND_IMAGES * dlz_value_size(in);
            const float *dx = dlz_plan_input(plans[k])->gradient.dy;
            ck_assert(is_near(outputs[k], outputs[0], outs));
            ck_assert(is_near(dx, in->gradient.dy, ins));
            ck_assert(k == 1 ||
                      memcmp(outputs[k], outputs[0], (size_t)outs * sizeof **outputs) == 0);
            ck_assert(k == 1 || memcmp(dx, in->gradient.dy, (size_t)ins * sizeof *dx) == 0);
            for (int i = 0; i < 3; i++) {
                const float *gradient = one_layer_gradient(networks[k], states[i]);
                const float *first = one_layer_gradient(networks[0], states[i]);
                ck_assert_msg(is_near(gradient, first, sizes[i]), "%s", states[i]);
                ck_assert(k == 1 || memcmp(gradient, first, (size_t)sizes[i] * sizeof *first) == 0);
            }
        }
        for (int k = 0; k < 3; k++)
            dlviz_network_destroy(networks[k]);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {windows_are_counted_as_pytorch_does,
                                  inputs_that_do_not_fit_are_named,
                                  settings_out_of_range_are_refused,
                                  settings_are_got_back,
                                  nan_and_the_first_of_equals_win,
                                  averages_of_whole_numbers_are_exact,
                                  a_border_is_what_its_mode_says,
                                  interpolation_passes_through_its_pixels,
                                  reshaping_keeps_pytorchs_order,
                                  reshaping_has_room_of_its_own,
                                  gradients_are_adjoints,
                                  bits_do_not_depend_on_threads,
                                  a_pool_reads_what_a_batch_norm_leaves,
                                  settings_are_kept_in_files,
                                  NULL};
    return run_tests("pooling", tests);
}
