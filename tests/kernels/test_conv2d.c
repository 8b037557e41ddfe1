/* Convolutions of any kernel, stride, padding and dilation, of every instruction set this machine
 * has, against plain loops in double. */
#include "base/random.h"
#include "kernels/conv/conv2d.h"
#include "kernels/gemm/gemm.h"
#include "support/random_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of a layer: exactly as many as there are, so that a sanitizer sees what reads beyond. */
typedef struct layer {
    dlz_conv2d_shape shape;
    int64_t in_size, out_size, patch; /* of one image; of one pixel */
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
    l.patch = shape.kernel[0] * shape.kernel[1] * shape.channels;
    l.x = numbers(shape.images * l.in_size, whole, &random);
    l.dy = numbers(shape.images * l.out_size, whole, &random);
    l.z = numbers(shape.images * l.out_size, whole, &random);
    l.weights = numbers(shape.outputs * l.patch, whole, &random);
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

static double input_of(const layer *l, int64_t image, int64_t y, int64_t x, int64_t c) {
    const dlz_conv2d_shape *s = &l->shape;
    if (y < 0 || y >= s->height || x < 0 || x >= s->width)
        return 0;
    double value = (double)l->x[image * l->in_size + (y * s->width + x) * s->channels + c];
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
    int64_t n = s->images, area = s->kernel[0] * s->kernel[1];
    const int64_t counts[] = {n * l->out_size, s->outputs * l->patch, s->outputs, n * l->in_size};
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
        for (int64_t v = 0; v < s->kernel[0]; v++)
            for (int64_t h = 0; h < s->kernel[1]; h++)
                for (int64_t c = 0; c < s->channels; c++) {
                    int64_t row = y * s->stride[0] - s->padding[0] + v * s->dilation[0];
                    int64_t column = x * s->stride[1] - s->padding[1] + h * s->dilation[1];
                    int64_t k = (o * s->channels + c) * area + v * s->kernel[1] + h;
                    double value = input_of(l, image, row, column, c), w = (double)l->weights[k];
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

static void run_forward(const layer *l, const dlz_conv2d_plan *plan, const dlz_conv2d_input *input,
                        float *y) {
    const dlz_conv2d_shape *s = &l->shape;
    float *packed = memory(plan->weight_floats, sizeof *packed);
    float *strip = memory(plan->strip_floats, sizeof *strip);
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

static void add_to_input(const layer *l, const dlz_conv2d_plan *plan, dlz_conv2d_block block,
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

/* The gradient's factors are set here. */
static void run_backward(const layer *l, const dlz_conv2d_plan *plan, const dlz_conv2d_input *input,
                         dlz_conv2d_gradient gradient, results *r) {
    enum { GROUPS = 2 };
    const dlz_conv2d_shape *s = &l->shape;
    const dlz_conv2d_rows_table *rows = dlz_conv2d_rows_of(plan->isa);
    int64_t row = s->out_width * s->outputs, columns = plan->fast.columns;
    const float *per_channel[] = {l->scale, l->shift, l->a, l->b, l->center, l->d};
    float *along_row[6];
    for (int i = 0; i < 6; i++)
        along_row[i] = repeated(per_channel[i], s->outputs, row);
    gradient.scale = along_row[0];
    gradient.shift = along_row[1];
    gradient.relu = l->relu;
    gradient.a = l->norm ? along_row[2] : NULL;
    gradient.b = l->norm ? along_row[3] : NULL;
    gradient.center = l->norm ? along_row[4] : NULL;
    gradient.d = l->norm ? along_row[5] : NULL;
    float *strip = memory(plan->strip_floats, sizeof *strip);
    float *g = memory(plan->gradient_floats, sizeof *g);
    int64_t sum_floats = GROUPS * plan->sum_floats + DLZ_CONV2D_SLACK;
    float *sums = memory(sum_floats, sizeof *sums);
    double *bias = memory(columns, sizeof *bias);
    memset(sums, 0, (size_t)sum_floats * sizeof *sums);
    memset(bias, 0, (size_t)columns * sizeof *bias);
    memset(r->dx, 0, (size_t)(s->images * l->in_size) * sizeof *r->dx);
    dlz_conv2d_block b = {0};
    for (; b.image < s->images; b.image += plan->backward_images)
        for (b.row = 0; b.row < s->out_height; b.row += plan->backward_rows) {
            b.images = dlz_min_i64(plan->backward_images, s->images - b.image);
            b.rows = dlz_min_i64(plan->backward_rows, s->out_height - b.row);
            memset(g, 0xff, (size_t)plan->gradient_floats * sizeof *g);
            rows->load_gradient(plan, &gradient, b, g);
            dlz_conv2d_view view = rows->load(plan, input, b, strip);
            dlz_conv2d_kernels_of(plan->isa)->add_weights(
                plan, &view, b, g, sums + (b.image + b.row) % GROUPS * plan->sum_floats);
            rows->add_bias(plan, b, g, bias);
            add_to_input(l, plan, b, g, r->dx);
        }
    for (int64_t tile = 0; tile < dlz_ceil_div(s->outputs, DLZ_CONV2D_UNPACKED); tile++)
        rows->unpack(plan, tile, GROUPS, sums, r->dw);
    for (int64_t o = 0; o < s->outputs; o++) {
        double sum = 0;
        for (int64_t c = o; c < columns; c += s->outputs)
            sum += bias[c];
        r->db[o] = (float)sum;
    }
    for (int i = 0; i < 6; i++)
        free(along_row[i]);
    free(strip);
    free(g);
    free(sums);
    free(bias);
}

static dlz_conv2d_plan plan_of(const layer *l, dlz_isa isa) {
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

static results run(const layer *l, const dlz_conv2d_plan *plan) {
    const dlz_conv2d_shape *s = &l->shape;
    results r = {exactly(s->images * l->out_size), exactly(s->outputs * l->patch),
                 exactly(s->outputs), exactly(s->images * l->in_size)};
    memset(r.y, 0xff, (size_t)(s->images * l->out_size) * sizeof *r.y); /* NaN */
    memset(r.dw, 0xff, (size_t)(s->outputs * l->patch) * sizeof *r.dw);
    int64_t row = s->width * s->channels;
    float *scale = repeated(l->in_scale, s->channels, row);
    float *shift = repeated(l->in_shift, s->channels, row);
    dlz_conv2d_input input = {.data = l->x,
                              .scale = l->pending ? scale : NULL,
                              .shift = l->pending ? shift : NULL,
                              .relu = l->in_relu};
    float *x = NULL, *dy = NULL;
    dlz_conv2d_gradient gradient = {.dy = l->dy, .z = l->norm || l->relu ? l->z : NULL};
    /* Sometimes as a part of pixels that have more channels. */
    if (!l->pending && s->height % 2 == 0) {
        input.step = s->channels + 3;
        input.data = x = apart(l->x, s->images * s->height * s->width, s->channels, input.step);
    }
    if (!gradient.z && s->width % 2 == 0) {
        gradient.step = s->outputs + 5;
        gradient.dy = dy =
            apart(l->dy, s->images * s->out_height * s->out_width, s->outputs, gradient.step);
    }
    run_forward(l, plan, &input, r.y);
    run_backward(l, plan, &input, gradient, &r);
    free(x);
    free(dy);
    free(scale);
    free(shift);
    return r;
}

/* -- Comparing -----------------------------------------------------------------------------------
 */

/* Sums of at most 288 terms in one go, then of those: rounding hardly ever conspires, and 40 units
 * of the sum of magnitudes catch a wrong term and any order of summation that is worse. Whole
 * numbers must be right. */
static void agree(const char *what, const layer *l, const dlz_conv2d_plan *plan, bool whole,
                  const float *got, const double *wanted, const double *size, int64_t count) {
    const dlz_conv2d_shape *s = &l->shape;
    for (int64_t i = 0; i < count; i++) {
        double bound = whole ? 0 : 40 * 0x1p-24 * (size[i] + 1);
        ck_assert_msg(
            fabs((double)got[i] - wanted[i]) <= bound,
            "%s, %s: %lld images %lld x %lld x %lld, kernel %lld x %lld, stride %lld %lld, padding "
            "%lld %lld, dilation %lld %lld, %lld outputs, %lld merged: number %lld is %.9g, not "
            "%.9g",
            dlz_isa_name(plan->isa), what, (long long)s->images, (long long)s->height,
            (long long)s->width, (long long)s->channels, (long long)s->kernel[0],
            (long long)s->kernel[1], (long long)s->stride[0], (long long)s->stride[1],
            (long long)s->padding[0], (long long)s->padding[1], (long long)s->dilation[0],
            (long long)s->dilation[1], (long long)s->outputs, (long long)plan->fast.merged,
            (long long)i, (double)got[i], wanted[i]);
    }
}

static void compare(const layer *l, const dlz_conv2d_plan *plan, bool whole,
                    const reference *wanted) {
    const dlz_conv2d_shape *s = &l->shape;
    results r = run(l, plan);
    agree("y", l, plan, whole, r.y, wanted->y, wanted->y_size, s->images * l->out_size);
    agree("dw", l, plan, whole, r.dw, wanted->dw, wanted->dw_size, s->outputs * l->patch);
    agree("db", l, plan, whole, r.db, wanted->db, wanted->db_size, s->outputs);
    agree("dx", l, plan, whole, r.dx, wanted->dx, wanted->dx_size, s->images * l->in_size);
    discard_results(&r);
}

/* Every instruction set, with the plan's blocks and with blocks of one row. */
static void check_shape(dlz_conv2d_shape shape, bool whole, uint64_t seed) {
    layer l = make(shape, whole, seed);
    reference wanted = compute(&l);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        dlz_conv2d_plan plan = plan_of(&l, (dlz_isa)isa);
        compare(&l, &plan, whole, &wanted);
        plan.forward_images = plan.backward_images = plan.forward_rows = plan.backward_rows = 1;
        compare(&l, &plan, whole, &wanted);
    }
    discard_reference(&wanted);
    discard(&l);
}

static dlz_conv2d_shape square(int64_t images, int64_t size, int64_t channels, int64_t outputs,
                               int64_t kernel, int64_t stride, int64_t padding) {
    return (dlz_conv2d_shape){.images = images,
                              .height = size,
                              .width = size,
                              .channels = channels,
                              .outputs = outputs,
                              .kernel = {kernel, kernel},
                              .stride = {stride, stride},
                              .padding = {padding, padding},
                              .dilation = {1, 1}};
}

START_TEST(layers_that_people_use) {
    const dlz_conv2d_shape shapes[] = {
        square(2, 28, 1, 6, 5, 1, 2),   square(2, 14, 6, 16, 5, 1, 0),
        square(2, 28, 1, 1, 5, 1, 2),   square(1, 32, 3, 8, 7, 2, 3),
        square(1, 47, 3, 20, 11, 4, 2), square(2, 16, 3, 48, 4, 4, 0),
        square(3, 9, 3, 33, 1, 1, 0),   square(2, 9, 33, 33, 5, 1, 2),
        square(2, 7, 40, 5, 3, 1, 0),   square(17, 5, 16, 50, 5, 1, 0),
        square(18, 2, 7, 3, 2, 1, 0),   square(40, 1, 130, 9, 1, 1, 0),
        square(2, 12, 5, 4, 3, 2, 1),   square(1, 6, 300, 17, 1, 1, 1),
        square(1, 5, 130, 3, 3, 1, 1)};
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
    dlz_conv2d_shape signal = square(2, 1, 2, 3, 1, 1, 0);
    signal.width = 1500;
    signal.kernel[1] = 31;
    check_shape(signal, false, 1);
    dlz_conv2d_shape column = square(2, 1, 2, 3, 1, 1, 0);
    column.height = 1500;
    column.kernel[0] = 31;
    check_shape(column, false, 2);
    dlz_conv2d_shape dilated = square(1, 20, 30, 2, 5, 1, 8);
    dilated.dilation[0] = dilated.dilation[1] = 4;
    check_shape(dilated, false, 3);
    dlz_conv2d_shape far = square(1, 40, 3, 2, 3, 1, 16);
    far.dilation[0] = 16;
    check_shape(far, true, 4);
}
END_TEST

/* Whatever is not finite reaches the outputs whose windows hold it, and changes no bit of others:
 * also where several pixels are computed as one. */
START_TEST(what_is_not_finite_stays_in_its_windows) {
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const dlz_conv2d_shape shapes[] = {square(2, 13, 1, 1, 5, 1, 2), square(2, 14, 1, 6, 5, 1, 0),
                                       square(1, 15, 3, 3, 3, 2, 1)};
    for (int i = 0; i < 3; i++) {
        layer l = make(shapes[i], false, 50 + (uint64_t)i);
        const dlz_conv2d_shape *s = &l.shape;
        l.pending = l.out_relu = l.relu = l.norm = false;
        int64_t row = s->height / 2, column = s->width - 1; /* of the first image */
        for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
            if (!dlz_isa_available((dlz_isa)isa))
                continue;
            dlz_conv2d_plan plan = plan_of(&l, (dlz_isa)isa);
            results before = run(&l, &plan);
            float *spoiled = &l.x[(row * s->width + column) * s->channels], kept = *spoiled;
            *spoiled = bad[i];
            results after = run(&l, &plan);
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
            discard_results(&before);
            discard_results(&after);
        }
        discard(&l);
    }
}
END_TEST

/* Where rounding decides on which side of 0 a number lies, the gradient passes exactly where the
 * forward pass let the number through. */
START_TEST(relu_is_decided_alike_forward_and_backward) {
    dlz_conv2d_shape shape = square(1, 16, 4, 4, 1, 1, 0);
    layer l = make(shape, false, 9);
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
    for (int64_t i = 0; i < size; i++) /* the neighbours, too */
        l.x[i] = i / row % 3 == 0 ? l.x[i] : nextafterf(l.x[i], i / row % 3 == 1 ? 2.0f : -2.0f);
    float *scale = repeated(l.in_scale, s->channels, row);
    float *shift = repeated(l.in_shift, s->channels, row);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        dlz_conv2d_plan plan = plan_of(&l, (dlz_isa)isa);
        float *strip = memory(plan.strip_floats, sizeof *strip);
        float *g = memory(plan.gradient_floats, sizeof *g);
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
    discard(&l);
}
END_TEST

START_TEST(what_fits_no_memory_is_refused) {
    dlz_conv2d_shape shape = square(1, 1, 1 << 30, 1, 1 << 20, 1, 1 << 20);
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
                                  what_fits_no_memory_is_refused,
                                  NULL};
    return run_tests("conv2d", tests);
}
