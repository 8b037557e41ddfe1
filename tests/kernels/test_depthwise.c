/* Convolutions of each channel by itself, of every instruction set this machine has, against plain
 * loops in double. */
#include "base/random.h"
#include "kernels/conv/depthwise.h"
#include "support/conv_layer.h"
#include "support/random_cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* -- In double -----------------------------------------------------------------------------------
 */

static conv_reference compute(const conv_layer *l) {
    const dlz_conv2d_shape *s = &l->shape;
    int64_t n = s->images, multiplier = s->outputs / s->channels;
    conv_reference r = make_conv_reference(l);
    for (int64_t at = 0; at < n * l->out_size; at++) {
        int64_t o = at % s->outputs, pixel = at / s->outputs, x = pixel % s->out_width;
        int64_t y = pixel / s->out_width % s->out_height;
        int64_t image = pixel / s->out_width / s->out_height;
        double g = conv_gradient_of(l, at), sum = (double)l->bias[o], size = fabs(sum);
        for (int64_t k = 0; k < l->patch; k++) {
            int64_t row = y * s->stride[0] - s->padding[0] + k / s->kernel[1] * s->dilation[0];
            int64_t column = x * s->stride[1] - s->padding[1] + k % s->kernel[1] * s->dilation[1];
            if (row < 0 || row >= s->height || column < 0 || column >= s->width)
                continue;
            int64_t from =
                image * l->in_size + (row * s->width + column) * s->channels + o / multiplier;
            double value = conv_input_of(l, from), w = (double)l->weights[o * l->patch + k];
            sum += value * w;
            size += fabs(value * w);
            r.dw[o * l->patch + k] += value * g;
            r.dw_size[o * l->patch + k] += fabs(value * g);
            r.dx[from] += g * w;
            r.dx_size[from] += fabs(g * w);
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

/* Buffers are full of NaN before, as is what is to be written. */
static float *unknown(int64_t count) {
    float *block = aligned_memory(count, sizeof *block);
    memset(block, 0xff, (size_t)count * sizeof *block);
    return block;
}

static void run_blocks(const conv_layer *l, const dlz_depthwise_plan *plan, dlz_isa isa,
                       const dlz_conv2d_input *input, const dlz_conv2d_gradient *gradient,
                       conv_results *r) {
    const dlz_depthwise_table *kernels = dlz_depthwise_kernels_of(isa);
    const dlz_conv2d_shape *s = &l->shape;
    int64_t size = (plan->taps + 1) * plan->step;
    float *strip = unknown(plan->strip_floats), *spare = unknown(plan->spare_floats);
    float *g = unknown(plan->gradient_floats), *weights = unknown(plan->taps * plan->step);
    float *bias = unknown(plan->step);
    double *sums = aligned_memory(size, sizeof *sums);
    memset(sums, 0, (size_t)size * sizeof *sums);
    dlz_depthwise_pack(plan, l->weights, NULL, weights);
    dlz_depthwise_pack_bias(plan, l->bias, bias);
    dlz_depthwise_block b = {0};
    for (; b.image < s->images; b.image++) {
        for (b.row = 0; b.row < s->out_height; b.row += plan->forward_rows) {
            b.rows = dlz_min_i64(plan->forward_rows, s->out_height - b.row);
            if (plan->in_place && !input->scale && (b.image + s->height) % 2 == 0) {
                kernels->forward_in_place(plan, input->data, b, weights, bias, l->out_relu, r->y);
                continue;
            }
            kernels->load(plan, input, b, spare, strip);
            kernels->forward(plan, strip, b, weights, bias, l->out_relu, r->y);
        }
        for (b.row = 0; b.row < s->out_height; b.row += plan->backward_rows) {
            b.rows = dlz_min_i64(plan->backward_rows, s->out_height - b.row);
            kernels->load(plan, input, b, spare, strip);
            kernels->load_gradient(plan, gradient, b, g);
            kernels->add_weights(plan, strip, g, b, sums);
            kernels->input_gradient(plan, g, b, weights, spare, r->dx);
        }
    }
    dlz_depthwise_finish(plan, sums, r->dw, r->db);
    void *blocks[] = {strip, spare, g, weights, bias, sums};
    for (int i = 0; i < 6; i++)
        free(blocks[i]);
}

static conv_results run(const conv_layer *l, dlz_isa isa, dlz_depthwise_plan *plan) {
    conv_results r = make_conv_results(l);
    conv_rows rows = make_conv_rows(l);
    ck_ok(dlz_depthwise_plan_create(plan, &l->shape, isa));
    run_blocks(l, plan, isa, &rows.input, &rows.gradient, &r);
    discard_conv_rows(&rows);
    return r;
}

/* -- Comparing -----------------------------------------------------------------------------------
 */

static void check_shape(dlz_conv2d_shape shape, bool whole, uint64_t seed) {
    conv_layer l = make_conv_layer(shape, 1, whole, seed);
    conv_reference wanted = compute(&l);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        dlz_depthwise_plan plan;
        conv_results r = run(&l, (dlz_isa)isa, &plan);
        check_conv_results(&l, (dlz_isa)isa, plan.merged, whole, &r, &wanted);
        discard_conv_results(&r);
    }
    discard_conv_reference(&wanted);
    discard_conv_layer(&l);
}

static dlz_conv2d_shape square(int64_t images, int64_t size, int64_t channels, int64_t multiplier,
                               int64_t kernel, int64_t stride, int64_t padding) {
    return square_conv(images, size, channels, channels * multiplier, kernel, stride, padding);
}

START_TEST(layers_that_people_use) {
    const dlz_conv2d_shape shapes[] = {
        square(2, 32, 32, 1, 3, 1, 1), square(2, 16, 64, 1, 3, 1, 1), square(1, 32, 32, 1, 3, 2, 1),
        square(2, 15, 24, 1, 3, 2, 1), square(2, 14, 24, 1, 3, 1, 1), square(1, 60, 48, 1, 3, 1, 1),
        square(2, 9, 40, 1, 5, 1, 2),  square(2, 9, 40, 1, 5, 2, 2),  square(1, 9, 33, 1, 7, 1, 3),
        square(3, 7, 3, 1, 3, 1, 1),   square(3, 28, 1, 8, 5, 1, 2),  square(2, 8, 16, 4, 3, 1, 1),
        square(2, 9, 5, 3, 3, 2, 1),   square(2, 1, 70, 1, 1, 1, 0),  square(1, 8, 16, 1, 1, 2, 0)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        check_shape(shapes[i], true, 100 + i);
        check_shape(shapes[i], false, 200 + i);
    }
}
END_TEST

START_TEST(any_settings) {
    for (uint64_t seed = 1; seed <= 250; seed++) {
        dlz_random random = random_numbers(1000 + seed);
        dlz_conv2d_shape s = {.images = random_between(&random, 1, 3),
                              .channels = random_between(&random, 1, 40)};
        s.outputs = s.channels * (random_chance(&random, 0.7) ? 1 : random_between(&random, 2, 3));
        int64_t *sizes[] = {&s.height, &s.width};
        for (int axis = 0; axis < 2; axis++) {
            s.kernel[axis] = random_between(&random, 1, 10);
            s.stride[axis] = random_chance(&random, 0.4) ? 1 : random_between(&random, 1, 5);
            s.padding[axis] = random_between(&random, 0, 6);
            s.dilation[axis] = random_chance(&random, 0.6) ? 1 : random_between(&random, 2, 4);
            int64_t extent = (s.kernel[axis] - 1) * s.dilation[axis] + 1;
            int64_t least = dlz_max_i64(1, extent - 2 * s.padding[axis]);
            *sizes[axis] = random_between(&random, least, least + 20);
        }
        check_shape(s, random_chance(&random, 0.5), seed);
    }
}
END_TEST

/* Sums over many pixels are cut into runs, tall images into blocks. */
START_TEST(long_rows_and_tall_images) {
    dlz_conv2d_shape signal = square(2, 1, 18, 1, 1, 1, 0);
    signal.width = 1500;
    signal.kernel[1] = 31;
    check_shape(signal, false, 1);
    dlz_conv2d_shape column = square(2, 1, 2, 1, 1, 1, 0);
    column.height = 9000;
    column.kernel[0] = 3;
    check_shape(column, false, 2);
    check_shape(square(1, 120, 20, 1, 3, 2, 1), false, 3);
    check_shape(square(1, 90, 40, 1, 3, 1, 1), true, 4);
    dlz_conv2d_shape far = square(1, 70, 33, 1, 3, 1, 16);
    far.dilation[0] = far.dilation[1] = 16;
    check_shape(far, true, 5);
}
END_TEST

/* Whatever is not finite reaches the outputs whose windows hold it, and changes no bit of others:
 * also of other channels, and where several pixels are computed as one. */
START_TEST(what_is_not_finite_stays_in_its_windows) {
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const dlz_conv2d_shape shapes[] = {square(2, 13, 1, 1, 5, 1, 0), square(2, 14, 18, 1, 3, 1, 1),
                                       square(1, 15, 5, 2, 3, 2, 1)};
    for (int i = 0; i < 3; i++) {
        conv_layer l = make_conv_layer(shapes[i], 1, false, 50 + (uint64_t)i);
        const dlz_conv2d_shape *s = &l.shape;
        l.pending = l.out_relu = l.relu = l.norm = false;
        int64_t multiplier = s->outputs / s->channels;
        int64_t row = s->height / 2, column = s->width - 1; /* of the first image's first channel */
        for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
            if (!dlz_isa_available((dlz_isa)isa))
                continue;
            dlz_depthwise_plan plan;
            conv_results before = run(&l, (dlz_isa)isa, &plan);
            float *spoiled = &l.x[(row * s->width + column) * s->channels], kept = *spoiled;
            *spoiled = bad[i];
            conv_results after = run(&l, (dlz_isa)isa, &plan);
            *spoiled = kept;
            for (int64_t at = 0; at < s->images * l.out_size; at++) {
                int64_t pixel = at / s->outputs, x = pixel % s->out_width, y = pixel / s->out_width;
                int64_t v = row - (y * s->stride[0] - s->padding[0]);
                int64_t h = column - (x * s->stride[1] - s->padding[1]);
                bool reached = at % s->outputs < multiplier && y < s->out_height && v >= 0 &&
                               v < s->kernel[0] && h >= 0 && h < s->kernel[1];
                if (reached)
                    ck_assert_msg(!isfinite(after.y[at]), "number %d is %g", (int)at,
                                  (double)after.y[at]);
                else
                    ck_assert_mem_eq(&after.y[at], &before.y[at], sizeof(float));
            }
            /* Other channels' weights, and the kernel's place that never meets the last column. */
            for (int64_t k = 0; k < s->outputs * l.patch; k++) {
                int64_t h = k % s->kernel[1], x = column + s->padding[1] - h;
                bool meets = x >= 0 && x % s->stride[1] == 0 && x / s->stride[1] < s->out_width;
                if (k / l.patch >= multiplier || !meets)
                    ck_assert_mem_eq(&after.dw[k], &before.dw[k], sizeof(float));
            }
            discard_conv_results(&before);
            discard_conv_results(&after);
        }
        discard_conv_layer(&l);
    }
}
END_TEST

START_TEST(what_fits_no_memory_is_refused) {
    dlz_conv2d_shape shape = square(1, 1, 1 << 30, 1, 1 << 20, 1, 1 << 20);
    shape.out_height = shape.out_width = (1 << 20) + 2;
    dlz_depthwise_plan plan;
    ck_fails(dlz_depthwise_plan_create(&plan, &shape, DLZ_ISA_GENERIC), DLVIZ_ERROR_OUT_OF_MEMORY,
             "rows of a convolution");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        layers_that_people_use,         any_settings,
        long_rows_and_tall_images,      what_is_not_finite_stays_in_its_windows,
        what_fits_no_memory_is_refused, NULL};
    return run_tests("depthwise", tests);
}
