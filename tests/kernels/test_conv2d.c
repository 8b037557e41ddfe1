/* Convolutions of any kernel, stride, padding and dilation, of every instruction set this machine
 * has, against plain loops in double. */
#include "base/random.h"
#include "kernels/conv/conv2d.h"
#include "kernels/gemm/gemm.h"
#include "support/conv_layer.h"
#include "support/random_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- In double -----------------------------------------------------------------------------------
 */

static double padded_input(const conv_layer *l, int64_t image, int64_t y, int64_t x, int64_t c) {
    const dlz_conv2d_shape *s = &l->shape;
    if (y < 0 || y >= s->height || x < 0 || x >= s->width)
        return 0;
    return conv_input_of(l, image * l->in_size + (y * s->width + x) * s->channels + c);
}

static conv_reference compute(const conv_layer *l) {
    const dlz_conv2d_shape *s = &l->shape;
    int64_t n = s->images, area = s->kernel[0] * s->kernel[1];
    conv_reference r = make_conv_reference(l);
    for (int64_t at = 0; at < n * l->out_size; at++) {
        int64_t o = at % s->outputs, pixel = at / s->outputs, x = pixel % s->out_width;
        int64_t y = pixel / s->out_width % s->out_height;
        int64_t image = pixel / s->out_width / s->out_height;
        double g = conv_gradient_of(l, at), sum = (double)l->bias[o], size = fabs(sum);
        for (int64_t v = 0; v < s->kernel[0]; v++)
            for (int64_t h = 0; h < s->kernel[1]; h++)
                for (int64_t c = 0; c < s->channels; c++) {
                    int64_t row = y * s->stride[0] - s->padding[0] + v * s->dilation[0];
                    int64_t column = x * s->stride[1] - s->padding[1] + h * s->dilation[1];
                    int64_t k = (o * s->channels + c) * area + v * s->kernel[1] + h;
                    double value = padded_input(l, image, row, column, c),
                           w = (double)l->weights[k];
                    sum += value * w;
                    size += fabs(value * w);
                    r.dw[k] += value * g;
                    r.dw_size[k] += fabs(value * g);
                    if (row < 0 || row >= s->height || column < 0 || column >= s->width)
                        continue;
                    int64_t to = image * l->in_size + (row * s->width + column) * s->channels + c;
                    r.dx[to] += g * w;
                    r.dx_size[to] += fabs(g * w);
                }
        r.y[at] = l->out_relu && sum <= 0 ? 0 : sum;
        r.y_size[at] = size;
        r.db[o] += g;
        r.db_size[o] += fabs(g);
    }
    return r;
}

/* -- By the kernels ------------------------------------------------------------------------------
 */

static void run_forward(const conv_layer *l, const dlz_conv2d_plan *plan,
                        const dlz_conv2d_input *input, float *y) {
    const dlz_conv2d_shape *s = &l->shape;
    float *packed = aligned_memory(plan->weight_floats, sizeof *packed);
    float *strip = aligned_memory(plan->strip_floats, sizeof *strip);
    dlz_conv2d_output output = {y, repeated(l->bias, s->outputs, plan->fast.columns), l->out_relu};
    dlz_conv2d_pack(plan, l->weights, NULL, packed);
    dlz_conv2d_block b = {0};
    for (; b.image < s->images; b.image += plan->forward_images)
        for (b.row = 0; b.row < s->out_height; b.row += plan->forward_rows) {
            b.images = dlz_min_i64(plan->forward_images, s->images - b.image);
            b.rows = dlz_min_i64(plan->forward_rows, s->out_height - b.row);
            memset(strip, 0xff, (size_t)plan->strip_floats * sizeof *strip); /* NaN */
            dlz_conv2d_view view = dlz_conv2d_rows_of(plan->isa)->load(plan, input, b, strip);
            dlz_conv2d_kernels_of(plan->isa)->forward(plan, &view, b, packed, &output);
        }
    free(packed);
    free(strip);
    free((void *)output.bias);
}

static void add_to_input(const conv_layer *l, const dlz_conv2d_plan *plan, dlz_conv2d_block block,
                         const float *g, float *dx) {
    static _Alignas(64) char scratch[DLZ_GEMM_SCRATCH_BYTES];
    const dlz_conv2d_shape *s = &l->shape;
    int64_t area = s->kernel[0] * s->kernel[1];
    float *matrix = exactly(s->outputs * l->patch);
    for (int64_t i = 0; i < s->outputs * l->patch; i++)
        matrix[i / l->patch * l->patch + i % area * s->channels + i % l->patch / area] =
            l->weights[i];
    int64_t pixels = block.images * block.rows * plan->fast.width * plan->fast.merged;
    float *patches = exactly(pixels * l->patch);
    dlz_gemm_kernels_of(plan->isa)->gemm(&(dlz_gemm){.m = pixels,
                                                     .n = l->patch,
                                                     .k = s->outputs,
                                                     .a = g,
                                                     .lda = s->outputs,
                                                     .b = matrix,
                                                     .ldb = l->patch,
                                                     .c = patches,
                                                     .ldc = l->patch},
                                         scratch);
    dlz_conv2d_rows_of(plan->isa)->scatter(plan, block, patches, dx);
    free(patches);
    free(matrix);
}

/* The gradient is what groups come to, each rounded by itself, added by pairs: to the bit. */
static void check_pairs(const dlz_conv2d_plan *plan, int64_t groups, const float *sums,
                        const float *dw) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t size = s->outputs * s->channels * s->kernel[0] * s->kernel[1];
    float *each = aligned_memory(groups * size, sizeof *each);
    for (int64_t group = 0; group < groups; group++)
        for (int64_t tile = 0; tile < dlz_ceil_div(s->outputs, DLZ_CONV2D_UNPACKED); tile++)
            dlz_conv2d_rows_of(plan->isa)->unpack(plan, tile, 1, sums + group * plan->sum_floats,
                                                  each + group * size);
    for (int64_t step = 1; step < groups; step *= 2)
        for (int64_t group = 0; group + step < groups; group += 2 * step)
            for (int64_t i = 0; i < size; i++)
                each[group * size + i] += each[(group + step) * size + i];
    for (int64_t i = 0; i < size; i++)
        ck_assert(each[i] == dw[i] || (isnan(each[i]) && isnan(dw[i])));
    free(each);
}

static void run_backward(const conv_layer *l, const dlz_conv2d_plan *plan,
                         const dlz_conv2d_input *input, const dlz_conv2d_gradient *gradient,
                         conv_results *r) {
    enum { GROUPS = 5 };
    const dlz_conv2d_shape *s = &l->shape;
    const dlz_conv2d_rows_table *rows = dlz_conv2d_rows_of(plan->isa);
    int64_t columns = plan->fast.columns;
    float *strip = aligned_memory(plan->strip_floats, sizeof *strip);
    float *g = aligned_memory(plan->gradient_floats, sizeof *g);
    int64_t sum_floats = GROUPS * plan->sum_floats + DLZ_CONV2D_SLACK;
    float *sums = aligned_memory(sum_floats, sizeof *sums);
    double *bias = aligned_memory(columns, sizeof *bias);
    memset(sums, 0, (size_t)sum_floats * sizeof *sums);
    memset(bias, 0, (size_t)columns * sizeof *bias);
    memset(r->dx, 0, (size_t)(s->images * l->in_size) * sizeof *r->dx);
    dlz_conv2d_block b = {0};
    for (; b.image < s->images; b.image += plan->backward_images)
        for (b.row = 0; b.row < s->out_height; b.row += plan->backward_rows) {
            b.images = dlz_min_i64(plan->backward_images, s->images - b.image);
            b.rows = dlz_min_i64(plan->backward_rows, s->out_height - b.row);
            memset(g, 0xff, (size_t)plan->gradient_floats * sizeof *g);
            const float *laid = rows->load_gradient(plan, gradient, b, g);
            dlz_conv2d_view view = rows->load(plan, input, b, strip);
            dlz_conv2d_kernels_of(plan->isa)->add_weights(
                plan, &view, b, laid, sums + (b.image + b.row) % GROUPS * plan->sum_floats);
            rows->add_bias(plan, b, laid, bias);
            add_to_input(l, plan, b, laid, r->dx);
        }
    for (int64_t tile = 0; tile < dlz_ceil_div(s->outputs, DLZ_CONV2D_UNPACKED); tile++)
        rows->unpack(plan, tile, GROUPS, sums, r->dw);
    check_pairs(plan, GROUPS, sums, r->dw);
    for (int64_t o = 0; o < s->outputs; o++) {
        double sum = 0;
        for (int64_t c = o; c < columns; c += s->outputs)
            sum += bias[c];
        r->db[o] = (float)sum;
    }
    free(strip);
    free(g);
    free(sums);
    free(bias);
}

static dlz_conv2d_plan plan_of(const conv_layer *l, dlz_isa isa) {
    dlz_conv2d_plan plan;
    ck_ok(dlz_conv2d_plan_create(&plan, &l->shape, isa));
    return plan;
}

/* Pixels with others' numbers after theirs, which nobody may touch; exactly as long as it must be. */
static float *apart(const float *from, int64_t pixels, int64_t channels, int64_t step) {
    int64_t size = (pixels - 1) * step + channels;
    float *to = exactly(size);
    memset(to, 0xff, (size_t)size * sizeof *to); /* NaN */
    for (int64_t i = 0; i < pixels * channels; i++)
        to[i / channels * step + i % channels] = from[i];
    return to;
}

static conv_results run(const conv_layer *l, const dlz_conv2d_plan *plan) {
    const dlz_conv2d_shape *s = &l->shape;
    conv_results r = make_conv_results(l);
    conv_rows rows = make_conv_rows(l);
    float *x = NULL, *dy = NULL;
    /* Sometimes as a part of pixels that have more channels. */
    if (!l->pending && s->height % 2 == 0) {
        rows.input.step = s->channels + 3;
        rows.input.data = x =
            apart(l->x, s->images * s->height * s->width, s->channels, rows.input.step);
    }
    if (!rows.gradient.z && s->width % 2 == 0) {
        rows.gradient.step = s->outputs + 5;
        rows.gradient.dy = dy =
            apart(l->dy, s->images * s->out_height * s->out_width, s->outputs, rows.gradient.step);
    }
    run_forward(l, plan, &rows.input, r.y);
    run_backward(l, plan, &rows.input, &rows.gradient, &r);
    free(x);
    free(dy);
    discard_conv_rows(&rows);
    return r;
}

/* -- Comparing -----------------------------------------------------------------------------------
 */

static void compare(const conv_layer *l, const dlz_conv2d_plan *plan, bool whole,
                    const conv_reference *wanted) {
    conv_results r = run(l, plan);
    check_conv_results(l, plan->isa, plan->fast.merged, whole, &r, wanted);
    discard_conv_results(&r);
}

/* Every instruction set, with the plan's blocks and with blocks of one row. */
static void check_shape(dlz_conv2d_shape shape, bool whole, uint64_t seed) {
    conv_layer l = make_conv_layer(shape, shape.channels, whole, seed);
    conv_reference wanted = compute(&l);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        dlz_conv2d_plan plan = plan_of(&l, (dlz_isa)isa);
        compare(&l, &plan, whole, &wanted);
        plan.forward_images = plan.backward_images = plan.forward_rows = plan.backward_rows = 1;
        compare(&l, &plan, whole, &wanted);
    }
    discard_conv_reference(&wanted);
    discard_conv_layer(&l);
}

START_TEST(layers_that_people_use) {
    const dlz_conv2d_shape shapes[] = {
        square_conv(2, 28, 1, 6, 5, 1, 2),   square_conv(2, 14, 6, 16, 5, 1, 0),
        square_conv(2, 28, 1, 1, 5, 1, 2),   square_conv(1, 32, 3, 8, 7, 2, 3),
        square_conv(1, 47, 3, 20, 11, 4, 2), square_conv(2, 16, 3, 48, 4, 4, 0),
        square_conv(3, 9, 3, 33, 1, 1, 0),   square_conv(2, 9, 33, 33, 5, 1, 2),
        square_conv(2, 7, 40, 5, 3, 1, 0),   square_conv(17, 5, 16, 50, 5, 1, 0),
        square_conv(18, 2, 7, 3, 2, 1, 0),   square_conv(40, 1, 130, 9, 1, 1, 0),
        square_conv(2, 12, 5, 4, 3, 2, 1),   square_conv(1, 6, 300, 17, 1, 1, 1),
        square_conv(1, 5, 130, 3, 3, 1, 1)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        check_shape(shapes[i], true, 100 + i);
        check_shape(shapes[i], false, 200 + i);
    }
}
END_TEST

START_TEST(any_settings) {
    for (uint64_t seed = 1; seed <= 150; seed++) {
        dlz_random random = random_numbers(1000 + seed);
        dlz_conv2d_shape s = {.images = random_between(&random, 1, 3),
                              .channels = random_between(&random, 1, 9),
                              .outputs = random_between(&random, 1, 20)};
        int64_t *sizes[] = {&s.height, &s.width};
        for (int axis = 0; axis < 2; axis++) {
            s.kernel[axis] = random_between(&random, 1, 6);
            s.stride[axis] = random_between(&random, 1, 4);
            s.padding[axis] = random_between(&random, 0, 4);
            s.dilation[axis] = random_chance(&random, 0.6) ? 1 : random_between(&random, 2, 3);
            int64_t extent = (s.kernel[axis] - 1) * s.dilation[axis] + 1;
            int64_t least = dlz_max_i64(1, extent - 2 * s.padding[axis]);
            *sizes[axis] = random_between(&random, least, least + 12);
        }
        check_shape(s, random_chance(&random, 0.5), seed);
    }
}
END_TEST

/* Sums over many pixels and over long patches are cut into blocks. */
START_TEST(long_rows_and_deep_patches) {
    dlz_conv2d_shape signal = square_conv(2, 1, 2, 3, 1, 1, 0);
    signal.width = 1500;
    signal.kernel[1] = 31;
    check_shape(signal, false, 1);
    dlz_conv2d_shape column = square_conv(2, 1, 2, 3, 1, 1, 0);
    column.height = 1500;
    column.kernel[0] = 31;
    check_shape(column, false, 2);
    dlz_conv2d_shape dilated = square_conv(1, 20, 30, 2, 5, 1, 8);
    dilated.dilation[0] = dilated.dilation[1] = 4;
    check_shape(dilated, false, 3);
    dlz_conv2d_shape far = square_conv(1, 40, 3, 2, 3, 1, 16);
    far.dilation[0] = 16;
    check_shape(far, true, 4);
}
END_TEST

/* Whatever is not finite reaches the outputs whose windows hold it, and changes no bit of others:
 * also where several pixels are computed as one. */
START_TEST(what_is_not_finite_stays_in_its_windows) {
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const dlz_conv2d_shape shapes[] = {square_conv(2, 13, 1, 1, 5, 1, 2),
                                       square_conv(2, 14, 1, 6, 5, 1, 0),
                                       square_conv(1, 15, 3, 3, 3, 2, 1)};
    for (int i = 0; i < 3; i++) {
        conv_layer l = make_conv_layer(shapes[i], shapes[i].channels, false, 50 + (uint64_t)i);
        const dlz_conv2d_shape *s = &l.shape;
        l.pending = l.out_relu = l.relu = l.norm = false;
        int64_t row = s->height / 2, column = s->width - 1; /* of the first image */
        for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
            if (!dlz_isa_available((dlz_isa)isa))
                continue;
            dlz_conv2d_plan plan = plan_of(&l, (dlz_isa)isa);
            conv_results before = run(&l, &plan);
            float *spoiled = &l.x[(row * s->width + column) * s->channels], kept = *spoiled;
            *spoiled = bad[i];
            conv_results after = run(&l, &plan);
            *spoiled = kept;
            for (int64_t at = 0; at < s->images * l.out_size; at++) {
                int64_t pixel = at / s->outputs, x = pixel % s->out_width, y = pixel / s->out_width;
                int64_t v = row - (y * s->stride[0] - s->padding[0]);
                int64_t h = column - (x * s->stride[1] - s->padding[1]);
                bool reached =
                    y < s->out_height && v >= 0 && v < s->kernel[0] && h >= 0 && h < s->kernel[1];
                if (reached)
                    ck_assert_msg(!isfinite(after.y[at]), "number %d is %g", (int)at,
                                  (double)after.y[at]);
                else
                    ck_assert_mem_eq(&after.y[at], &before.y[at], sizeof(float));
            }
            /* The kernel's place that never meets the last column keeps its gradient. */
            for (int64_t k = 0; k < s->outputs * l.patch; k++) {
                int64_t h = k % s->kernel[1], x = column + s->padding[1] - h;
                bool meets = x >= 0 && x % s->stride[1] == 0 && x / s->stride[1] < s->out_width;
                if (!meets)
                    ck_assert_msg(isfinite(after.dw[k]), "weight %d: %g", (int)k,
                                  (double)after.dw[k]);
            }
            discard_conv_results(&before);
            discard_conv_results(&after);
        }
        discard_conv_layer(&l);
    }
}
END_TEST

/* Where rounding decides on which side of 0 a number lies, the gradient passes exactly where the
 * forward pass let the number through. */
START_TEST(relu_is_decided_alike_forward_and_backward) {
    dlz_conv2d_shape shape = square_conv(1, 16, 4, 4, 1, 1, 0);
    conv_layer l = make_conv_layer(shape, shape.channels, false, 9);
    const dlz_conv2d_shape *s = &l.shape;
    int64_t row = s->width * s->channels, size = l.in_size;
    int passing = 0;
    /* The products cancel but for their rounding errors. */
    for (int64_t i = 0; i < size; i++) {
        l.x[i] = l.x[i % s->channels];
        l.dy[i] = 1;
    }
    for (int64_t c = 0; c < s->channels; c++)
        l.in_shift[c] = -(l.x[c] * l.in_scale[c]);
    for (int64_t i = 0; i < size; i++) /* the neighbors, too */
        l.x[i] = i / row % 3 == 0 ? l.x[i] : nextafterf(l.x[i], i / row % 3 == 1 ? 2.0f : -2.0f);
    float *scale = repeated(l.in_scale, s->channels, row);
    float *shift = repeated(l.in_shift, s->channels, row);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        dlz_conv2d_plan plan = plan_of(&l, (dlz_isa)isa);
        float *strip = aligned_memory(plan.strip_floats, sizeof *strip);
        float *g = aligned_memory(plan.gradient_floats, sizeof *g);
        dlz_conv2d_block block = {0, 1, 0, plan.forward_rows};
        ck_assert_int_eq(plan.forward_rows, s->out_height);
        dlz_conv2d_view view = dlz_conv2d_rows_of(plan.isa)->load(
            &plan, &(dlz_conv2d_input){.data = l.x, .scale = scale, .shift = shift, .relu = true},
            block, strip);
        dlz_conv2d_gradient gradient = {
            .dy = l.dy, .z = l.x, .scale = scale, .shift = shift, .relu = true};
        dlz_conv2d_rows_of(plan.isa)->load_gradient(&plan, &gradient, block, g);
        for (int64_t i = 0; i < size; i++) {
            float value = view.at[i / row * view.line_step + i % row];
            ck_assert_msg((value > 0) == (g[i] != 0), "%s: number %d is %g, its gradient %g",
                          dlz_isa_name(plan.isa), (int)i, (double)value, (double)g[i]);
            passing += value > 0;
        }
        free(strip);
        free(g);
    }
    ck_assert_int_gt(passing, 0);
    free(scale);
    free(shift);
    discard_conv_layer(&l);
}
END_TEST

/* -- Along rows ----------------------------------------------------------------------------------
 */

static void check_along(dlz_conv2d_shape shape, uint64_t seed) {
    conv_layer l = make_conv_layer(shape, shape.channels, false, seed);
    conv_reference wanted = compute(&l);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        dlz_conv2d_plan plan;
        ck_ok(dlz_conv2d_plan_create_along(&plan, &l.shape, (dlz_isa)isa));
        ck_assert_msg(plan.along.outputs > 0, "shape %d, %s: not along rows", (int)seed,
                      dlz_isa_name((dlz_isa)isa));
        compare(&l, &plan, false, &wanted);
        plan.forward_rows = plan.backward_rows = 1;
        compare(&l, &plan, false, &wanted);
    }
    discard_conv_reference(&wanted);
    discard_conv_layer(&l);
}

/* Every number of taps and of pixels in the last tile, few and many channels; runs that make sums of
 * several parts. */
START_TEST(wide_kernels_go_along_rows) {
    const dlz_conv2d_shape shapes[] = {
        square_conv(1, 32, 3, 32, 7, 2, 3),   square_conv(2, 39, 3, 40, 7, 2, 2),
        square_conv(1, 37, 16, 33, 7, 2, 3),  square_conv(1, 14, 33, 33, 5, 1, 2),
        square_conv(1, 15, 32, 70, 5, 1, 2),  square_conv(1, 16, 64, 48, 5, 1, 1),
        square_conv(1, 13, 48, 96, 4, 1, 1),  square_conv(1, 26, 40, 64, 6, 2, 1),
        square_conv(1, 33, 24, 64, 6, 2, 2),  square_conv(1, 95, 3, 48, 11, 4, 2),
        square_conv(1, 130, 16, 32, 7, 2, 3), square_conv(1, 14, 280, 32, 5, 1, 2)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_along(shapes[i], 300 + i);
    dlz_conv2d_shape dilated = square_conv(1, 30, 16, 32, 7, 2, 3);
    dilated.dilation[0] = 2;
    check_along(dilated, 320);
    dlz_conv2d_shape flat = square_conv(1, 400, 16, 32, 5, 1, 2);
    flat.height = 1;
    flat.kernel[0] = 1;
    flat.padding[0] = 0;
    check_along(flat, 321);
}
END_TEST

/* One number far larger than the others, or not finite, leaves the outputs that it does not reach
 * as near as they would be without; and what is asked to be plain is. */
START_TEST(outliers_do_not_spoil_rows) {
    const float bad[] = {1e6F, -3e30F, NAN, INFINITY};
    for (int i = 0; i < 4; i++) {
        dlz_conv2d_shape shape = square_conv(1, 32, 3, 32, 7, 2, 3);
        conv_layer l = make_conv_layer(shape, shape.channels, false, 60 + (uint64_t)i);
        const dlz_conv2d_shape *s = &l.shape;
        l.pending = l.out_relu = l.relu = l.norm = false;
        int64_t row = 14, column = 17;
        conv_reference wanted = compute(&l);
        l.x[(row * s->width + column) * s->channels + 1] = bad[i];
        for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
            if (!dlz_isa_available((dlz_isa)isa))
                continue;
            dlz_conv2d_plan plan;
            ck_ok(dlz_conv2d_plan_create_along(&plan, &l.shape, (dlz_isa)isa));
            ck_assert_int_gt(plan.along.outputs, 0);
            conv_results r = run(&l, &plan);
            for (int64_t at = 0; at < l.out_size; at++) {
                int64_t pixel = at / s->outputs, x = pixel % s->out_width, y = pixel / s->out_width;
                int64_t v = row - (2 * y - 3), h = column - (2 * x - 3);
                bool reached = v >= 0 && v < 7 && h >= 0 && h < 7;
                if (!reached)
                    ck_assert_msg(fabs((double)r.y[at] - wanted.y[at]) <= 1e-6 * wanted.y_size[at],
                                  "%s: number %d is %g instead of %g", dlz_isa_name(plan.isa),
                                  (int)at, (double)r.y[at], wanted.y[at]);
                else if (!isfinite(bad[i]))
                    ck_assert(!isfinite(r.y[at]));
            }
            discard_conv_results(&r);
        }
        discard_conv_reference(&wanted);
        discard_conv_layer(&l);
    }
}
END_TEST

/* Data, gradients, or what they come to together, up to the end of what a float holds. */
START_TEST(large_numbers_do_not_overflow_along_rows) {
    const dlz_conv2d_shape shapes[] = {square_conv(2, 39, 3, 40, 7, 2, 2),
                                       square_conv(1, 14, 33, 33, 5, 1, 2),
                                       square_conv(1, 13, 48, 96, 4, 1, 1)};
    const double powers[] = {1, 0, 0.5, -0.2, 1.3}; /* the data's share */
    for (int turn = 0; turn < 15; turn++) {
        conv_layer l = make_conv_layer(shapes[turn % 3], shapes[turn % 3].channels, false, 70);
        const dlz_conv2d_shape *s = &l.shape;
        l.pending = l.out_relu = l.relu = l.norm = false;
        double most = 3e38 / (double)(s->images * s->out_height * s->out_width);
        double of_data = fmin(pow(most, powers[turn / 3]), 3e38);
        for (int64_t i = 0; i < s->images * l.in_size; i++)
            l.x[i] *= (float)of_data;
        for (int64_t i = 0; i < s->images * l.out_size; i++)
            l.dy[i] *= (float)fmin(most / of_data, 3e38);
        for (int64_t i = 0; i < s->outputs * l.patch; i++)
            l.weights[i] *= 1e-6f;
        conv_reference wanted = compute(&l);
        for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
            if (!dlz_isa_available((dlz_isa)isa))
                continue;
            dlz_conv2d_plan plan;
            ck_ok(dlz_conv2d_plan_create_along(&plan, s, (dlz_isa)isa));
            ck_assert_int_gt(plan.along.outputs, 0);
            conv_results r = run(&l, &plan);
            for (int64_t i = 0; i < s->images * l.out_size; i++)
                ck_assert(fabs((double)r.y[i] - wanted.y[i]) <= 1e-5 * (wanted.y_size[i] + 1));
            for (int64_t i = 0; i < s->outputs * l.patch; i++)
                ck_assert_msg(fabs((double)r.dw[i] - wanted.dw[i]) <= 1e-5 * wanted.dw_size[i],
                              "%s, turn %d: dw %d is %g instead of %g", dlz_isa_name(plan.isa),
                              turn, (int)i, (double)r.dw[i], wanted.dw[i]);
            discard_conv_results(&r);
        }
        discard_conv_reference(&wanted);
        discard_conv_layer(&l);
    }
}
END_TEST

START_TEST(what_fits_no_memory_is_refused) {
    dlz_conv2d_shape shape = square_conv(1, 1, 1 << 30, 1, 1 << 20, 1, 1 << 20);
    shape.out_height = shape.out_width = (1 << 20) + 2;
    dlz_conv2d_plan plan;
    ck_fails(dlz_conv2d_plan_create(&plan, &shape, DLZ_ISA_GENERIC), DLVIZ_ERROR_OUT_OF_MEMORY,
             "rows of a convolution");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {layers_that_people_use,
                                  any_settings,
                                  long_rows_and_deep_patches,
                                  what_is_not_finite_stays_in_its_windows,
                                  relu_is_decided_alike_forward_and_backward,
                                  wide_kernels_go_along_rows,
                                  outliers_do_not_spoil_rows,
                                  large_numbers_do_not_overflow_along_rows,
                                  what_fits_no_memory_is_refused,
                                  NULL};
    return run_tests("conv2d", tests);
}
