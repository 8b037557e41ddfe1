/* Convolutions of each channel by itself, of every instruction set this machine has, against plain
 * loops in double. */
#include "base/random.h"
#include "kernels/conv/depthwise.h"
#include "support/random_cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of a layer: exactly as many as there are, so that a sanitizer sees what reads beyond. */
typedef struct layer {
    dlz_conv2d_shape shape;
    int64_t in_size, out_size, taps; /* of one image; of one output */
    float *x, *weights, *bias, *dy, *z;
    float *in_scale, *in_shift; /* per channel */
    float *scale, *shift, *a, *b, *center, *d;
    bool pending, in_relu, norm, relu, out_relu;
} layer;

typedef struct results {
    float *y, *dw, *db, *dx;
} results;

static void *memory(int64_t count, size_t size) {
    void *block = aligned_alloc(64, ((size_t)count * size + 63) / 64 * 64 + 64);
    ck_assert_ptr_nonnull(block);
    return block;
}

static float *exactly(int64_t count) {
    float *block = malloc((size_t)(count > 0 ? count : 1) * sizeof *block);
    ck_assert_ptr_nonnull(block);
    return block;
}

/* Whole numbers -4 ... 4 (sums of their products are exact), or anything in -1 ... 1. */
static float *numbers(int64_t count, bool whole, dlz_random *random) {
    float *values = exactly(count);
    for (int64_t i = 0; i < count; i++)
        values[i] =
            whole ? (float)dlz_random_below(random, 9) - 4 : 2 * dlz_random_float(random) - 1;
    return values;
}

static layer make(dlz_conv2d_shape shape, bool whole, uint64_t seed) {
    dlz_random random = random_numbers(seed);
    for (int axis = 0; axis < 2; axis++) {
        int64_t size = axis ? shape.width : shape.height;
        int64_t extent = (shape.kernel[axis] - 1) * shape.dilation[axis] + 1;
        int64_t count = (size + 2 * shape.padding[axis] - extent) / shape.stride[axis] + 1;
        ck_assert_int_ge(size + 2 * shape.padding[axis], extent);
        *(axis ? &shape.out_width : &shape.out_height) = count;
    }
    layer l = {.shape = shape};
    l.in_size = shape.height * shape.width * shape.channels;
    l.out_size = shape.out_height * shape.out_width * shape.outputs;
    l.taps = shape.kernel[0] * shape.kernel[1];
    l.x = numbers(shape.images * l.in_size, whole, &random);
    l.dy = numbers(shape.images * l.out_size, whole, &random);
    l.z = numbers(shape.images * l.out_size, whole, &random);
    l.weights = numbers(shape.outputs * l.taps, whole, &random);
    l.bias = numbers(shape.outputs, whole, &random);
    l.in_scale = numbers(shape.channels, whole, &random);
    l.in_shift = numbers(shape.channels, whole, &random);
    float **factors[] = {&l.scale, &l.shift, &l.a, &l.b, &l.center, &l.d};
    for (int i = 0; i < 6; i++)
        *factors[i] = numbers(shape.outputs, whole, &random);
    l.pending = random_chance(&random, 0.5);
    l.in_relu = random_chance(&random, 0.5);
    l.norm = random_chance(&random, 0.5);
    l.relu = random_chance(&random, 0.5);
    l.out_relu = random_chance(&random, 0.3);
    return l;
}

static void discard(layer *l) {
    float *arrays[] = {l->x,     l->weights, l->bias, l->dy, l->z,      l->in_scale, l->in_shift,
                       l->scale, l->shift,   l->a,    l->b,  l->center, l->d};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
}

static void discard_results(results *r) {
    free(r->y);
    free(r->dw);
    free(r->db);
    free(r->dx);
}

/* -- In double -----------------------------------------------------------------------------------
 */

static double input_of(const layer *l, int64_t at) {
    int64_t c = at % l->shape.channels;
    double value = (double)l->x[at];
    if (l->pending) {
        value = value * (double)l->in_scale[c] + (double)l->in_shift[c];
        if (l->in_relu && value <= 0)
            value = 0;
    }
    return value;
}

static double gradient_of(const layer *l, int64_t at) {
    int64_t o = at % l->shape.outputs;
    double g = (double)l->dy[at], z = (double)l->z[at];
    if (l->relu && z * (double)l->scale[o] + (double)l->shift[o] <= 0)
        g = 0;
    return l->norm ? (double)l->a[o] * g + (double)l->b[o] * (z - (double)l->center[o]) +
                         (double)l->d[o]
                   : g;
}

/* Sums and, for the bounds on rounding errors, sums of magnitudes. */
typedef struct reference {
    double *y, *dw, *db, *dx, *y_size, *dw_size, *db_size, *dx_size;
} reference;

static reference compute(const layer *l) {
    const dlz_conv2d_shape *s = &l->shape;
    int64_t n = s->images, multiplier = s->outputs / s->channels;
    const int64_t counts[] = {n * l->out_size, s->outputs * l->taps, s->outputs, n * l->in_size};
    reference r;
    double **arrays[] = {&r.y, &r.dw, &r.db, &r.dx, &r.y_size, &r.dw_size, &r.db_size, &r.dx_size};
    for (int i = 0; i < 8; i++) {
        *arrays[i] = memory(counts[i % 4], sizeof(double));
        memset(*arrays[i], 0, (size_t)counts[i % 4] * sizeof(double));
    }
    for (int64_t at = 0; at < n * l->out_size; at++) {
        int64_t o = at % s->outputs, pixel = at / s->outputs, x = pixel % s->out_width;
        int64_t y = pixel / s->out_width % s->out_height;
        int64_t image = pixel / s->out_width / s->out_height;
        double g = gradient_of(l, at), sum = (double)l->bias[o], size = fabs(sum);
        for (int64_t k = 0; k < l->taps; k++) {
            int64_t row = y * s->stride[0] - s->padding[0] + k / s->kernel[1] * s->dilation[0];
            int64_t column = x * s->stride[1] - s->padding[1] + k % s->kernel[1] * s->dilation[1];
            if (row < 0 || row >= s->height || column < 0 || column >= s->width)
                continue;
            int64_t from =
                image * l->in_size + (row * s->width + column) * s->channels + o / multiplier;
            double value = input_of(l, from), w = (double)l->weights[o * l->taps + k];
            sum += value * w;
            size += fabs(value * w);
            r.dw[o * l->taps + k] += value * g;
            r.dw_size[o * l->taps + k] += fabs(value * g);
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

static void discard_reference(reference *r) {
    double *arrays[] = {r->y, r->dw, r->db, r->dx, r->y_size, r->dw_size, r->db_size, r->dx_size};
    for (int i = 0; i < 8; i++)
        free(arrays[i]);
}

/* -- By the kernels ------------------------------------------------------------------------------
 */

static float *repeated(const float *from, int64_t channels, int64_t count) {
    float *to = memory(count + DLZ_CONV2D_SLACK, sizeof *to);
    dlz_conv2d_repeat(from, channels, count, to);
    return to;
}

/* Buffers are full of NaN before, as is what is to be written. */
static float *unknown(int64_t count) {
    float *block = memory(count, sizeof *block);
    memset(block, 0xff, (size_t)count * sizeof *block);
    return block;
}

static void run_blocks(const layer *l, const dlz_depthwise_plan *plan, dlz_isa isa,
                       const dlz_conv2d_input *input, const dlz_conv2d_gradient *gradient,
                       results *r) {
    enum { GROUPS = 2 };
    const dlz_depthwise_table *kernels = dlz_depthwise_kernels_of(isa);
    const dlz_conv2d_shape *s = &l->shape;
    int64_t size = (plan->taps + 1) * plan->step;
    float *strip = unknown(plan->strip_floats), *spare = unknown(plan->spare_floats);
    float *g = unknown(plan->gradient_floats), *weights = unknown(plan->taps * plan->step);
    float *bias = unknown(plan->step);
    double *sums = memory(GROUPS * size, sizeof *sums);
    memset(sums, 0, (size_t)(GROUPS * size) * sizeof *sums);
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
            kernels->add_weights(plan, strip, g, b, sums + (b.image + b.row) % GROUPS * size);
            kernels->input_gradient(plan, g, b, weights, spare, r->dx);
        }
    }
    dlz_depthwise_finish(plan, GROUPS, sums, r->dw, r->db);
    void *blocks[] = {strip, spare, g, weights, bias, sums};
    for (int i = 0; i < 6; i++)
        free(blocks[i]);
}

static results run(const layer *l, dlz_isa isa, dlz_depthwise_plan *plan) {
    const dlz_conv2d_shape *s = &l->shape;
    const int64_t counts[] = {s->images * l->out_size, s->outputs * l->taps, s->outputs,
                              s->images * l->in_size};
    results r;
    float **arrays[] = {&r.y, &r.dw, &r.db, &r.dx};
    for (int i = 0; i < 4; i++) {
        *arrays[i] = exactly(counts[i]);
        memset(*arrays[i], 0xff, (size_t)counts[i] * sizeof(float)); /* NaN */
    }
    int64_t in_row = s->width * s->channels, row = s->out_width * s->outputs;
    float *in_scale = repeated(l->in_scale, s->channels, in_row);
    float *in_shift = repeated(l->in_shift, s->channels, in_row);
    const float *per_channel[] = {l->scale, l->shift, l->a, l->b, l->center, l->d};
    float *along_row[6];
    for (int i = 0; i < 6; i++)
        along_row[i] = repeated(per_channel[i], s->outputs, row);
    dlz_conv2d_input input = {.data = l->x,
                              .scale = l->pending ? in_scale : NULL,
                              .shift = l->pending ? in_shift : NULL,
                              .relu = l->in_relu};
    dlz_conv2d_gradient gradient = {.dy = l->dy,
                                    .z = l->norm || l->relu ? l->z : NULL,
                                    .scale = along_row[0],
                                    .shift = along_row[1],
                                    .relu = l->relu,
                                    .a = l->norm ? along_row[2] : NULL,
                                    .b = l->norm ? along_row[3] : NULL,
                                    .center = l->norm ? along_row[4] : NULL,
                                    .d = l->norm ? along_row[5] : NULL};
    ck_ok(dlz_depthwise_plan_create(plan, s, isa));
    run_blocks(l, plan, isa, &input, &gradient, &r);
    free(in_scale);
    free(in_shift);
    for (int i = 0; i < 6; i++)
        free(along_row[i]);
    return r;
}

/* -- Comparing -----------------------------------------------------------------------------------
 */

/* Sums of at most 256 terms in float, then in double: 40 units of the sum of magnitudes catch a
 * wrong term and any order of summation that is worse. Whole numbers must be right. */
static void agree(const char *what, const layer *l, const dlz_depthwise_plan *plan, dlz_isa isa,
                  bool whole, const float *got, const double *wanted, const double *size,
                  int64_t count) {
    const dlz_conv2d_shape *s = &l->shape;
    for (int64_t i = 0; i < count; i++) {
        double bound = whole ? 0 : 40 * 0x1p-24 * (size[i] + 1);
        ck_assert_msg(
            fabs((double)got[i] - wanted[i]) <= bound,
            "%s, %s: %lld images %lld x %lld x %lld, kernel %lld x %lld, stride %lld %lld, padding "
            "%lld %lld, dilation %lld %lld, %lld outputs, %lld merged: number %lld is %.9g, not "
            "%.9g",
            dlz_isa_name(isa), what, (long long)s->images, (long long)s->height,
            (long long)s->width, (long long)s->channels, (long long)s->kernel[0],
            (long long)s->kernel[1], (long long)s->stride[0], (long long)s->stride[1],
            (long long)s->padding[0], (long long)s->padding[1], (long long)s->dilation[0],
            (long long)s->dilation[1], (long long)s->outputs, (long long)plan->merged, (long long)i,
            (double)got[i], wanted[i]);
    }
}

static void check_shape(dlz_conv2d_shape shape, bool whole, uint64_t seed) {
    layer l = make(shape, whole, seed);
    const dlz_conv2d_shape *s = &l.shape;
    reference wanted = compute(&l);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        dlz_depthwise_plan plan;
        results r = run(&l, (dlz_isa)isa, &plan);
        agree("output", &l, &plan, (dlz_isa)isa, whole, r.y, wanted.y, wanted.y_size,
              s->images * l.out_size);
        agree("weight gradient", &l, &plan, (dlz_isa)isa, whole, r.dw, wanted.dw, wanted.dw_size,
              s->outputs * l.taps);
        agree("bias gradient", &l, &plan, (dlz_isa)isa, whole, r.db, wanted.db, wanted.db_size,
              s->outputs);
        agree("input gradient", &l, &plan, (dlz_isa)isa, whole, r.dx, wanted.dx, wanted.dx_size,
              s->images * l.in_size);
        discard_results(&r);
    }
    discard_reference(&wanted);
    discard(&l);
}

static dlz_conv2d_shape square(int64_t images, int64_t size, int64_t channels, int64_t multiplier,
                               int64_t kernel, int64_t stride, int64_t padding) {
    return (dlz_conv2d_shape){.images = images,
                              .height = size,
                              .width = size,
                              .channels = channels,
                              .outputs = channels * multiplier,
                              .kernel = {kernel, kernel},
                              .stride = {stride, stride},
                              .padding = {padding, padding},
                              .dilation = {1, 1}};
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
        layer l = make(shapes[i], false, 50 + (uint64_t)i);
        const dlz_conv2d_shape *s = &l.shape;
        l.pending = l.out_relu = l.relu = l.norm = false;
        int64_t multiplier = s->outputs / s->channels;
        int64_t row = s->height / 2, column = s->width - 1; /* of the first image's first channel */
        for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
            if (!dlz_isa_available((dlz_isa)isa))
                continue;
            dlz_depthwise_plan plan;
            results before = run(&l, (dlz_isa)isa, &plan);
            float *spoiled = &l.x[(row * s->width + column) * s->channels], kept = *spoiled;
            *spoiled = bad[i];
            results after = run(&l, (dlz_isa)isa, &plan);
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
            for (int64_t k = 0; k < s->outputs * l.taps; k++) {
                int64_t h = k % s->kernel[1], x = column + s->padding[1] - h;
                bool meets = x >= 0 && x % s->stride[1] == 0 && x / s->stride[1] < s->out_width;
                if (k / l.taps >= multiplier || !meets)
                    ck_assert_mem_eq(&after.dw[k], &before.dw[k], sizeof(float));
            }
            discard_results(&before);
            discard_results(&after);
        }
        discard(&l);
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
