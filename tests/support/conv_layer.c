#include "support/conv_layer.h"

#include "base/random.h"
#include "support/random_cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void *aligned_memory(int64_t count, size_t size) {
    void *block = aligned_alloc(64, ((size_t)count * size + 63) / 64 * 64 + 64);
    ck_assert_ptr_nonnull(block);
    return block;
}

float *exactly(int64_t count) {
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

conv_layer make_conv_layer(dlz_conv2d_shape shape, int64_t channels_each, bool whole,
                           uint64_t seed) {
    dlz_random random = random_numbers(seed);
    for (int axis = 0; axis < 2; axis++) {
        int64_t size = axis ? shape.width : shape.height;
        int64_t extent = (shape.kernel[axis] - 1) * shape.dilation[axis] + 1;
        int64_t count = (size + 2 * shape.padding[axis] - extent) / shape.stride[axis] + 1;
        ck_assert_int_ge(size + 2 * shape.padding[axis], extent);
        *(axis ? &shape.out_width : &shape.out_height) = count;
    }
    conv_layer l = {.shape = shape};
    l.in_size = shape.height * shape.width * shape.channels;
    l.out_size = shape.out_height * shape.out_width * shape.outputs;
    l.patch = shape.kernel[0] * shape.kernel[1] * channels_each;
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

void discard_conv_layer(conv_layer *l) {
    float *arrays[] = {l->x,     l->weights, l->bias, l->dy, l->z,      l->in_scale, l->in_shift,
                       l->scale, l->shift,   l->a,    l->b,  l->center, l->d};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
}

dlz_conv2d_shape square_conv(int64_t images, int64_t size, int64_t channels, int64_t outputs,
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

/* -- As the kernels read them --------------------------------------------------------------------
 */

float *repeated(const float *from, int64_t channels, int64_t count) {
    float *to = aligned_memory(count + DLZ_CONV2D_SLACK, sizeof *to);
    dlz_conv2d_repeat(from, channels, count, to);
    return to;
}

conv_rows make_conv_rows(const conv_layer *l) {
    const dlz_conv2d_shape *s = &l->shape;
    int64_t in_row = s->width * s->channels, row = s->out_width * s->outputs;
    const float *per_output[] = {l->scale, l->shift, l->a, l->b, l->center, l->d};
    conv_rows rows = {0};
    for (int i = 0; i < 6; i++)
        rows.factors[i] = repeated(per_output[i], s->outputs, row);
    rows.factors[6] = repeated(l->in_scale, s->channels, in_row);
    rows.factors[7] = repeated(l->in_shift, s->channels, in_row);
    float **f = rows.factors;
    rows.input = (dlz_conv2d_input){.data = l->x,
                                    .scale = l->pending ? f[6] : NULL,
                                    .shift = l->pending ? f[7] : NULL,
                                    .relu = l->in_relu};
    rows.gradient = (dlz_conv2d_gradient){.dy = l->dy,
                                          .z = l->norm || l->relu ? l->z : NULL,
                                          .scale = f[0],
                                          .shift = f[1],
                                          .relu = l->relu,
                                          .a = l->norm ? f[2] : NULL,
                                          .b = l->norm ? f[3] : NULL,
                                          .center = l->norm ? f[4] : NULL,
                                          .d = l->norm ? f[5] : NULL};
    return rows;
}

void discard_conv_rows(conv_rows *rows) {
    for (int i = 0; i < 8; i++)
        free(rows->factors[i]);
}

/* -- Results, and what they should be -----------------------------------------------------------
 */

static void count_results(const conv_layer *l, int64_t counts[4]) {
    const dlz_conv2d_shape *s = &l->shape;
    counts[0] = s->images * l->out_size;
    counts[1] = s->outputs * l->patch;
    counts[2] = s->outputs;
    counts[3] = s->images * l->in_size;
}

conv_results make_conv_results(const conv_layer *l) {
    int64_t counts[4];
    count_results(l, counts);
    conv_results r;
    float **arrays[] = {&r.y, &r.dw, &r.db, &r.dx};
    for (int i = 0; i < 4; i++) {
        *arrays[i] = exactly(counts[i]);
        memset(*arrays[i], 0xff, (size_t)counts[i] * sizeof(float));
    }
    return r;
}

void discard_conv_results(conv_results *r) {
    free(r->y);
    free(r->dw);
    free(r->db);
    free(r->dx);
}

double conv_input_of(const conv_layer *l, int64_t at) {
    int64_t c = at % l->shape.channels;
    double value = (double)l->x[at];
    if (l->pending) {
        value = value * (double)l->in_scale[c] + (double)l->in_shift[c];
        if (l->in_relu && value <= 0)
            value = 0;
    }
    return value;
}

double conv_gradient_of(const conv_layer *l, int64_t at) {
    int64_t o = at % l->shape.outputs;
    double g = (double)l->dy[at], z = (double)l->z[at];
    if (l->relu && z * (double)l->scale[o] + (double)l->shift[o] <= 0)
        g = 0;
    return l->norm ? (double)l->a[o] * g + (double)l->b[o] * (z - (double)l->center[o]) +
                         (double)l->d[o]
                   : g;
}

conv_reference make_conv_reference(const conv_layer *l) {
    int64_t counts[4];
    count_results(l, counts);
    conv_reference r;
    double **arrays[] = {&r.y, &r.dw, &r.db, &r.dx, &r.y_size, &r.dw_size, &r.db_size, &r.dx_size};
    for (int i = 0; i < 8; i++) {
        *arrays[i] = calloc((size_t)counts[i % 4] + 1, sizeof(double));
        ck_assert_ptr_nonnull(*arrays[i]);
    }
    return r;
}

void discard_conv_reference(conv_reference *r) {
    double *arrays[] = {r->y, r->dw, r->db, r->dx, r->y_size, r->dw_size, r->db_size, r->dx_size};
    for (int i = 0; i < 8; i++)
        free(arrays[i]);
}

static void agree(const char *what, const conv_layer *l, dlz_isa isa, int64_t merged, bool whole,
                  const float *got, const double *wanted, const double *size, int64_t count) {
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
            (long long)s->dilation[1], (long long)s->outputs, (long long)merged, (long long)i,
            (double)got[i], wanted[i]);
    }
}

void check_conv_results(const conv_layer *l, dlz_isa isa, int64_t merged, bool whole,
                        const conv_results *r, const conv_reference *wanted) {
    int64_t counts[4];
    count_results(l, counts);
    agree("y", l, isa, merged, whole, r->y, wanted->y, wanted->y_size, counts[0]);
    agree("dw", l, isa, merged, whole, r->dw, wanted->dw, wanted->dw_size, counts[1]);
    agree("db", l, isa, merged, whole, r->db, wanted->db, wanted->db_size, counts[2]);
    agree("dx", l, isa, merged, whole, r->dx, wanted->dx, wanted->dx_size, counts[3]);
}
