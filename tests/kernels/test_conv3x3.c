/* Every instruction set x algorithm x shape against the double-precision reference. */
#include "kernels/conv/conv3x3.h"
#include "kernels/nn/moments.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t out_height(dlz_conv3x3_shape s) {
    return s.height + 2 * s.padding[0] - 2;
}

static int64_t out_width(dlz_conv3x3_shape s) {
    return s.width + 2 * s.padding[1] - 2;
}

typedef struct problem {
    dlz_conv3x3_shape shape;
    int64_t inputs, outputs, weights;
    float *x, *w, *bias, *scale, *shift, *dy, *z, *z_scale, *z_shift, *a, *b, *d, *in_pivot,
        *center;
} problem;

static float *uniform(int64_t count, uint64_t seed) {
    float *values = dlz_alloc_array((size_t)count, sizeof *values);
    ck_assert_ptr_nonnull(values);
    fill_uniform(values, count, seed);
    return values;
}

static problem make_problem(dlz_conv3x3_shape s) {
    problem p = {.shape = s,
                 .inputs = s.images * s.height * s.width * s.in_channels,
                 .outputs = s.images * out_height(s) * out_width(s) * s.out_channels,
                 .weights = s.out_channels * s.in_channels * 9};
    float **in[] = {&p.scale, &p.shift, &p.in_pivot};
    float **out[] = {&p.bias, &p.z_scale, &p.z_shift, &p.a, &p.b, &p.d, &p.center};
    p.x = uniform(p.inputs, 1);
    p.w = uniform(p.weights, 2);
    p.dy = uniform(p.outputs, 3);
    p.z = uniform(p.outputs, 4);
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        *in[i] = uniform(s.in_channels, 10 + i);
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        *out[i] = uniform(s.out_channels, 20 + i);
    p.a[s.out_channels / 2] = 0; /* also a batch norm's weight */
    return p;
}

static void free_problem(problem *p) {
    float *all[] = {p->x,       p->w,       p->bias, p->scale, p->shift, p->dy,       p->z,
                    p->z_scale, p->z_shift, p->a,    p->b,     p->d,     p->in_pivot, p->center};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dlz_free(all[i]);
}

/* By the plain reference, in double. */
typedef struct reference {
    double *y, *dx, *dw, *db;
} reference;

static reference find_reference(const problem *p, const dlz_conv3x3_input *input,
                                const dlz_conv3x3_gradient *gradient) {
    reference t = {.y = malloc(sizeof *t.y * (size_t)p->outputs),
                   .dx = malloc(sizeof *t.dx * (size_t)p->inputs),
                   .dw = malloc(sizeof *t.dw * (size_t)p->weights),
                   .db = malloc(sizeof *t.db * (size_t)p->shape.out_channels)};
    ck_assert(t.y && t.dx && t.dw && t.db);
    dlz_conv3x3_reference_forward(p->shape, input, p->w, p->bias, t.y);
    dlz_conv3x3_reference_backward(p->shape, input, gradient, p->w, t.dx, t.dw, t.db);
    return t;
}

static void free_reference(reference *t) {
    free(t->y);
    free(t->dx);
    free(t->dw);
    free(t->db);
}

/* What one run of all four functions gives; guard values around each array are checked. */
typedef struct outcome {
    float *y, *dx, *dw, *db, *pooled;
    uint8_t *codes;
    double *stats, *sums;
    int64_t stats_count, sums_count;
} outcome;

enum { GUARD = 64 };

static void *guarded(int64_t count, size_t size) {
    unsigned char *block = malloc((size_t)count * size + 2 * GUARD);
    ck_assert_ptr_nonnull(block);
    memset(block, 0xA5, (size_t)count * size + 2 * GUARD);
    return block + GUARD;
}

static void check_guard(void *data, int64_t count, size_t size) {
    unsigned char *block = (unsigned char *)data - GUARD;
    for (int i = 0; i < GUARD; i++)
        ck_assert(block[i] == 0xA5 && block[GUARD + (size_t)count * size + i] == 0xA5);
}

static void free_guarded(void *data) {
    if (data)
        free((unsigned char *)data - GUARD);
}

/* The pool's result against a scan of y's windows: bits and places must be equal. */
static void check_pooled(dlz_conv3x3_shape s, const outcome *o, const float *sign) {
    int64_t height = out_height(s), width = out_width(s);
    int64_t line = width * s.out_channels, at = 0;
    for (int64_t i = 0; i < s.images; i++)
        for (int64_t r = 0; r < height / 2; r++)
            for (int64_t q = 0; q < width / 2; q++)
                for (int64_t k = 0; k < s.out_channels; k++, at++) {
                    const float *from =
                        o->y + (i * height + 2 * r) * line + 2 * q * s.out_channels + k;
                    float factor = !sign || sign[k] > 0 ? 1 : sign[k] < 0 ? -1 : 0, best = from[0];
                    int winner = 0;
                    for (int place = 1; place < 4; place++) {
                        float value = from[place / 2 * line + place % 2 * s.out_channels];
                        if (value * factor > best * factor || isnan(value * factor)) {
                            best = value;
                            winner = place;
                        }
                    }
                    ck_assert_int_eq(o->codes[at], winner);
                    ck_assert(!memcmp(&o->pooled[at], &best, sizeof best));
                }
}

/* What runs of accumulators come to, each finished by itself, by pairs: to the bit. */
static void check_runs(const dlz_conv3x3_plan *plan, const float *accumulators, int64_t sums) {
    int64_t outputs = plan->shape.out_channels, weights = outputs * plan->shape.in_channels * 9;
    dlz_conv3x3_plan one = *plan, all = *plan;
    one.accumulators /= sums;
    one.sums = 1;
    all.sums = sums;
    float *dw[DLZ_CONV3X3_SUMS + 1], *db[DLZ_CONV3X3_SUMS + 1];
    for (int64_t run = 0; run <= sums; run++) {
        dw[run] = guarded(weights, 4);
        db[run] = guarded(outputs, 4);
        const float *from = accumulators + run * one.accumulators * plan->accumulator_stride;
        for (int64_t i = 0; i < plan->weight_tiles; i++)
            dlz_conv3x3_finish(run < sums ? &one : &all, i, run < sums ? from : accumulators,
                               dw[run], db[run]);
    }
    for (int64_t step = 1; step < sums; step *= 2)
        for (int64_t run = 0; run + step < sums; run += 2 * step) {
            for (int64_t i = 0; i < weights; i++)
                dw[run][i] += dw[run + step][i];
            for (int64_t i = 0; i < outputs; i++)
                db[run][i] += db[run + step][i];
        }
    for (int64_t i = 0; i < weights; i++)
        ck_assert(dw[0][i] == dw[sums][i] || (isnan(dw[0][i]) && isnan(dw[sums][i])));
    for (int64_t i = 0; i < outputs; i++)
        ck_assert(db[0][i] == db[sums][i] || (isnan(db[0][i]) && isnan(db[sums][i])));
    for (int64_t run = 0; run <= sums; run++) {
        check_guard(dw[run], weights, 4);
        check_guard(db[run], outputs, 4);
        free_guarded(dw[run]);
        free_guarded(db[run]);
    }
}

/* `backwards` runs the tiles from last to first and fills scratch and buffers with NaN first. */
static outcome run(const dlz_conv3x3_plan *plan, const problem *p, const dlz_conv3x3_input *input,
                   const dlz_conv3x3_gradient *gradient, bool relu, bool backwards) {
    dlz_conv3x3_shape s = p->shape;
    outcome o = {.stats_count = plan->moment_blocks * dlz_moments_size(s.out_channels),
                 .sums_count = plan->backward_tiles * 2 * s.in_channels};
    float *forward = guarded(plan->forward_weight_floats, 4);
    float *backward = guarded(plan->backward_weight_floats, 4);
    float *accumulators = guarded(plan->accumulator_floats, 4);
    float *scratch = guarded(plan->scratch_floats, 4);
    o.y = guarded(p->outputs, 4);
    o.dx = guarded(p->inputs, 4);
    o.dw = guarded(p->weights, 4);
    o.db = guarded(s.out_channels, 4);
    o.stats = guarded(o.stats_count, 8);
    o.sums = guarded(o.sums_count, 8);
    int64_t windows = s.images * (out_height(s) / 2) * (out_width(s) / 2) * s.out_channels;
    o.pooled = guarded(windows, 4);
    o.codes = guarded(windows, 1);
    if (backwards) {
        memset(scratch, 0xFF, (size_t)plan->scratch_floats * 4);
        memset(accumulators, 0xFF, (size_t)plan->accumulator_floats * 4);
    }
    dlz_conv3x3_output output = {.y = o.y,
                                 .bias = p->bias,
                                 .relu = relu,
                                 .stats = o.stats,
                                 .pooled = plan->pools ? o.pooled : NULL,
                                 .codes = o.codes,
                                 .pool_sign = backwards ? NULL : p->a};
    dlz_conv3x3_input_gradient dx = {o.dx, o.sums, p->in_pivot};
    for (int64_t i = 0; i < plan->weight_tiles; i++)
        dlz_conv3x3_prepare(plan, backwards ? plan->weight_tiles - 1 - i : i, p->w, forward,
                            backward);
    for (int64_t i = 0; i < plan->forward_tiles; i++)
        dlz_conv3x3_forward(plan, backwards ? plan->forward_tiles - 1 - i : i, input, forward,
                            &output, scratch);
    for (int64_t i = 0; i < plan->backward_tiles; i++)
        dlz_conv3x3_backward(plan, backwards ? plan->backward_tiles - 1 - i : i, input, gradient,
                             backward, &dx, accumulators, scratch);
    for (int64_t i = 0; i < plan->weight_tiles; i++)
        dlz_conv3x3_finish(plan, backwards ? plan->weight_tiles - 1 - i : i, accumulators, o.dw,
                           o.db);
    int64_t sums = plan->accumulators; /* and runs of two */
    if (sums > 1 && sums <= DLZ_CONV3X3_SUMS && !backwards)
        check_runs(plan, accumulators, sums);
    if (sums > 2 && sums % 2 == 0 && sums <= 2 * DLZ_CONV3X3_SUMS && backwards)
        check_runs(plan, accumulators, sums / 2);
    check_guard(forward, plan->forward_weight_floats, 4);
    check_guard(backward, plan->backward_weight_floats, 4);
    check_guard(accumulators, plan->accumulator_floats, 4);
    check_guard(scratch, plan->scratch_floats, 4);
    check_guard(o.y, p->outputs, 4);
    check_guard(o.dx, p->inputs, 4);
    check_guard(o.dw, p->weights, 4);
    check_guard(o.db, s.out_channels, 4);
    check_guard(o.stats, o.stats_count, 8);
    check_guard(o.sums, o.sums_count, 8);
    check_guard(o.pooled, windows, 4);
    check_guard(o.codes, windows, 1);
    if (plan->pools)
        check_pooled(s, &o, backwards ? NULL : p->a);
    free_guarded(forward);
    free_guarded(backward);
    free_guarded(accumulators);
    free_guarded(scratch);
    return o;
}

static void free_outcome(outcome *o) {
    void *all[] = {o->y, o->dx, o->dw, o->db, o->stats, o->sums, o->pooled, o->codes};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free_guarded(all[i]);
}

static double rms_error(const float *got, const double *truth, int64_t count, double floor) {
    double error = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        error += (got[i] - truth[i]) * (got[i] - truth[i]);
        norm += truth[i] * truth[i];
    }
    return sqrt(error) / (sqrt(norm) + floor);
}

/* Sums over all tiles of a channel's first and second statistic. */
static void add_tiles(const double *partial, int64_t tiles, int64_t channels, double *total) {
    for (int64_t i = 0; i < 2 * channels; i++)
        total[i] = 0;
    for (int64_t t = 0; t < tiles; t++)
        for (int64_t i = 0; i < 2 * channels; i++)
            total[i] += partial[t * 2 * channels + i];
}

static void check_close(const char *what, const char *where, double error, double bound) {
    ck_assert_msg(error <= bound, "%s: %s is off by %.3g, more than %.3g", where, what, error,
                  bound);
}

typedef struct variant {
    int input_mode;    /* 0 as is, 1 affine, 2 affine and relu, 3 relu alone */
    int gradient_mode; /* 0 as is, 1 batch norm, 2 batch norm and relu, 3 those and a pool */
    bool relu;
    bool plain;
} variant;

static void check_problem(dlz_isa isa, dlz_conv3x3_algorithm algorithm, dlz_conv3x3_shape s,
                          variant how) {
    problem p = make_problem(s);
    dlz_conv3x3_input input = {
        .data = p.x, .relu = how.input_mode >= 2, .weights = p.w, .plain = how.plain};
    if (how.input_mode == 1 || how.input_mode == 2) {
        input.scale = p.scale;
        input.shift = p.shift;
    }
    dlz_conv3x3_gradient gradient = {.dy = p.dy};
    if (how.gradient_mode)
        gradient = (dlz_conv3x3_gradient){.dy = p.dy,
                                          .z = p.z,
                                          .scale = p.z_scale,
                                          .shift = p.z_shift,
                                          .relu = how.gradient_mode >= 2,
                                          .a = p.a,
                                          .b = p.b,
                                          .center = p.center,
                                          .d = p.d};
    int64_t windows = s.images * (out_height(s) / 2) * (out_width(s) / 2) * s.out_channels;
    uint8_t *codes = malloc((size_t)windows + 1);
    for (int64_t i = 0; i < windows; i++) /* 0 … 3, and now and then 255 */
        codes[i] = i * 7 % 5 < 4 ? (uint8_t)(i * 7 % 5) : 255;
    if (how.gradient_mode == 3)
        gradient.codes = codes;
    dlz_conv3x3_plan plan;
    ck_ok(dlz_conv3x3_plan_create(&plan, s, isa, algorithm));
    char where[200];
    snprintf(where, sizeof where,
             "%s algorithm %d, %lld x %lld x %lld, %lld -> %lld, padding %lld x %lld, modes %d %d",
             dlz_isa_name(isa), (int)algorithm, (long long)s.images, (long long)s.height,
             (long long)s.width, (long long)s.in_channels, (long long)s.out_channels,
             (long long)s.padding[0], (long long)s.padding[1], how.input_mode, how.gradient_mode);

    reference t = find_reference(&p, &input, &gradient);

    outcome o = run(&plan, &p, &input, &gradient, how.relu, false);
    int64_t in = s.in_channels, out = s.out_channels;
    double *stats = malloc(sizeof *stats * 2 * (size_t)out),
           *sums = malloc(sizeof *sums * 2 * (size_t)in);
    double *want = calloc(2 * (size_t)(in + out), sizeof *want);
    for (int64_t k = 0; k < out; k++) {
        dlz_moments all = dlz_moments_of(o.stats, plan.moment_blocks, out, k);
        ck_assert_double_eq(all.count, (double)(p.outputs / out));
        stats[k] = all.mean;
        stats[out + k] = all.deviations / all.count;
    }
    add_tiles(o.sums, plan.backward_tiles, in, sums);
    double sum_scale = 1e-30, sum_error = 0;
    double count = (double)(p.outputs / out);
    for (int64_t i = 0; i < p.outputs; i++)
        want[i % out] += t.y[i] / count;
    for (int64_t i = 0; i < p.outputs; i++)
        want[out + i % out] += (t.y[i] - want[i % out]) * (t.y[i] - want[i % out]) / count;
    double spread = 0, stat_error = 0;
    for (int64_t k = 0; k < out; k++)
        spread = fmax(spread, sqrt(want[out + k]));
    for (int64_t k = 0; k < out; k++) {
        stat_error = fmax(stat_error, fabs(stats[k] - want[k]) / (spread + 1));
        stat_error = fmax(stat_error, fabs(stats[out + k] - want[out + k]) / (spread * spread + 1));
    }
    double *want_sums = want + 2 * out;
    for (int64_t i = 0; i < p.inputs; i++) {
        want_sums[i % in] += t.dx[i];
        want_sums[in + i % in] += t.dx[i] * (p.x[i] - p.in_pivot[i % in]);
        sum_scale += fabs(t.dx[i]) / (double)in;
    }
    for (int64_t i = 0; i < 2 * in; i++)
        sum_error = fmax(sum_error, fabs(sums[i] - want_sums[i]));

    double bound = plan.algorithm == DLZ_CONV3X3_WINOGRAD4 ? 1.2e-6 : 6e-7;
    /* Sums of many channels round as often. */
    bound *= fmax(1, sqrt((double)dlz_max_i64(in, out) / 66));
    if (how.relu)
        for (int64_t i = 0; i < p.outputs; i++)
            t.y[i] = t.y[i] > 0 ? t.y[i] : 0;
    check_close("y", where, rms_error(o.y, t.y, p.outputs, 1e-2), bound);
    check_close("dx", where, rms_error(o.dx, t.dx, p.inputs, 1e-2), bound);
    check_close("dw", where, rms_error(o.dw, t.dw, p.weights, 1e-2), 2 * bound);
    check_close("db", where, rms_error(o.db, t.db, out, 1), 1e-6);
    check_close("moments", where, stat_error, 5e-6);
    check_close("sums", where, sum_error / (sum_scale + 1), 5e-6);

    outcome again = run(&plan, &p, &input, &gradient, how.relu, true);
    ck_assert(!memcmp(o.y, again.y, sizeof *o.y * (size_t)p.outputs));
    ck_assert(!memcmp(o.dx, again.dx, sizeof *o.dx * (size_t)p.inputs));
    ck_assert(!memcmp(o.dw, again.dw, sizeof *o.dw * (size_t)p.weights));
    ck_assert(!memcmp(o.db, again.db, sizeof *o.db * (size_t)out));
    ck_assert(!memcmp(o.stats, again.stats, sizeof *o.stats * (size_t)o.stats_count));
    ck_assert(!memcmp(o.sums, again.sums, sizeof *o.sums * (size_t)o.sums_count));

    free_outcome(&o);
    free_outcome(&again);
    free_reference(&t);
    free(stats);
    free(sums);
    free(want);
    free(codes);
    free_problem(&p);
}

static void check_all(dlz_conv3x3_shape shape, variant how) {
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int algorithm = DLZ_CONV3X3_AUTO;
             dlz_isa_available(isa) && algorithm <= DLZ_CONV3X3_WINOGRAD4; algorithm++)
            check_problem(isa, algorithm, shape, how);
}

START_TEST(odd_shapes_agree_with_the_reference) {
    static const int64_t sizes[][2] = {{1, 1}, {2, 3}, {5, 7}, {13, 9}, {8, 8}};
    static const int64_t channels[][2] = {{1, 1},   {1, 32},  {3, 16},  {16, 3},
                                          {17, 17}, {32, 33}, {64, 16}, {9, 40}};
    int turn = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < sizeof channels / sizeof *channels; j++, turn++)
            check_all((dlz_conv3x3_shape){turn % 2 ? 3 : 1,
                                          sizes[i][0],
                                          sizes[i][1],
                                          channels[j][0],
                                          channels[j][1],
                                          {1, 1}},
                      (variant){turn % 4, turn / 4 % 4, turn % 5 == 0, false});
}
END_TEST

START_TEST(every_way_of_reading_agrees_with_the_reference) {
    for (int i = 0; i < 4; i++)
        for (int g = 0; g < 4; g++)
            check_all((dlz_conv3x3_shape){2, 12, 10, 16, 32, {1, 1}},
                      (variant){i, g, i == g, false});
}
END_TEST

START_TEST(the_shapes_of_the_report_agree_with_the_reference) {
    static const dlz_conv3x3_shape shapes[] = {
        {9, 32, 32, 1, 32, {1, 1}},  {3, 32, 32, 32, 32, {1, 1}}, {9, 16, 16, 32, 64, {1, 1}},
        {5, 16, 16, 64, 64, {1, 1}}, {2, 28, 28, 32, 32, {1, 1}}, {33, 14, 14, 32, 64, {1, 1}}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check_all(shapes[i], (variant){2, 2 + (int)(i % 2), false, false});
}
END_TEST

/* Many channels: tiles of the same pixels have parts of them, and share accumulators. */
START_TEST(parts_of_channels_agree_with_the_reference) {
    static const dlz_conv3x3_shape shapes[] = {{1, 6, 7, 128, 130, {1, 1}},
                                               {3, 5, 9, 260, 128, {0, 1}}};
    for (int i = 0; i < 2; i++) {
        check_all(shapes[i], (variant){2, 2 + i, i == 0, false});
        check_all(shapes[i], (variant){1, 3 - i, i == 1, true});
    }
    dlz_conv3x3_plan plan;
    ck_ok(dlz_conv3x3_plan_create(&plan, shapes[0], DLZ_ISA_GENERIC, DLZ_CONV3X3_WINOGRAD4));
    ck_assert(plan.forward_parts > 1 && plan.backward_parts > 1);
}
END_TEST

/* None, which makes dx the larger one, to more than the kernel's reach, and unlike in height and
 * width. */
START_TEST(every_padding_agrees_with_the_reference) {
    static const int64_t sizes[][2] = {{3, 4}, {5, 3}, {8, 11}, {14, 9}};
    static const int64_t paddings[][2] = {{0, 0}, {0, 1}, {2, 0}, {2, 2}, {1, 2}, {5, 3}};
    static const int64_t channels[][2] = {{1, 32}, {17, 9}, {32, 33}};
    int turn = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < sizeof paddings / sizeof *paddings; j++, turn++)
            check_all((dlz_conv3x3_shape){turn % 2 ? 3 : 1,
                                          sizes[i][0],
                                          sizes[i][1],
                                          channels[turn / 2 % 3][0],
                                          channels[turn / 2 % 3][1],
                                          {paddings[j][0], paddings[j][1]}},
                      (variant){turn % 4, turn / 4 % 4, turn % 5 == 0, false});
}
END_TEST

/* What Winograd's kernels do with everything when told so, and with tiles that hold outliers. */
START_TEST(the_plain_way_agrees_with_the_reference) {
    static const dlz_conv3x3_shape shapes[] = {
        {1, 1, 1, 1, 1, {1, 1}},    {3, 5, 7, 17, 9, {1, 1}},   {2, 12, 10, 16, 32, {1, 1}},
        {3, 13, 9, 33, 65, {1, 1}}, {5, 4, 18, 40, 24, {1, 1}}, {3, 5, 11, 17, 9, {0, 0}},
        {2, 3, 9, 16, 32, {2, 0}},  {3, 6, 3, 9, 40, {0, 2}}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int g = 0; g < 4; g++)
            check_all(shapes[i], (variant){(int)(i % 4), g, i % 2 == 0, true});
}
END_TEST

/* A pixel of images of this size. */
typedef struct place {
    int64_t height, width, row, column;
} place;

/* The worst error of values more than a pixel away from the place in their image, over the deviation
 * of all such; infinite if one is not finite. */
static double far_error(int64_t images, place from, int64_t channels, const float *got,
                        const double *truth) {
    double worst = 0, squares = 0, sum = 0, count = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < images; i++)
        for (int64_t r = 0; r < from.height; r++)
            for (int64_t q = 0; q < from.width; q++)
                for (int64_t k = 0; k < channels; k++, at++) {
                    if (llabs(r - from.row) <= 1 && llabs(q - from.column) <= 1)
                        continue;
                    if (!isfinite(got[at]))
                        return INFINITY;
                    worst = fmax(worst, fabs((double)got[at] - truth[at]));
                    sum += truth[at];
                    squares += truth[at] * truth[at];
                    count++;
                }
    return worst / sqrt(squares / count - sum / count * (sum / count));
}

/* One pixel far larger than the rest, in the data or in the gradient, in one channel or in all: y
 * and dx elsewhere are as accurate as without it. */
START_TEST(outliers_spoil_nothing_but_what_they_reach) {
    static const float sizes[] = {1e3f, 65535, -1e6f, 1e9f, 1e20f, INFINITY, -INFINITY, NAN};
    static const dlz_conv3x3_shape shapes[] = {
        {4, 16, 16, 16, 32, {1, 1}}, {2, 9, 14, 40, 8, {1, 1}}, {3, 15, 16, 16, 32, {0, 2}}};
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int turn = 0; turn < 96 && dlz_isa_available(isa); turn++) {
            dlz_conv3x3_shape s = shapes[turn % 3];
            bool affine = turn / 3 & 1, everywhere = turn / 6 & 1;
            float size = sizes[turn / 12];
            problem p = make_problem(s);
            dlz_conv3x3_input input = {.data = p.x, .weights = p.w};
            if (affine) {
                input.scale = p.scale;
                input.shift = p.shift;
            }
            dlz_conv3x3_gradient gradient = {.dy = p.dy};
            reference t = find_reference(&p, &input, &gradient);
            int64_t row = 7, column = 5;
            for (int64_t i = 0; i < s.images; i++) {
                int64_t pixel = (i * s.height + row) * s.width + column;
                for (int64_t c = 0; c < (everywhere ? s.in_channels : 1); c++)
                    p.x[pixel * s.in_channels + c] = size;
                pixel = (i * out_height(s) + row) * out_width(s) + column;
                for (int64_t k = 0; k < (everywhere ? s.out_channels : 1); k++)
                    p.dy[pixel * s.out_channels + k] = size;
            }
            dlz_conv3x3_plan plan;
            ck_ok(dlz_conv3x3_plan_create(&plan, s, isa, DLZ_CONV3X3_WINOGRAD4));
            outcome o = run(&plan, &p, &input, &gradient, false, false);
            int64_t down = s.padding[0] - 1, along = s.padding[1] - 1;
            place in_y = {out_height(s), out_width(s), row + down, column + along};
            place in_x = {s.height, s.width, row - down, column - along};
            double errors[] = {far_error(s.images, in_y, s.out_channels, o.y, t.y),
                               far_error(s.images, in_x, s.in_channels, o.dx, t.dx)};
            for (int k = 0; k < 2; k++)
                ck_assert_msg(errors[k] < 1e-4,
                              "%s, pixel of %g, turn %d: %s off by %.2g elsewhere",
                              dlz_isa_name(isa), (double)size, turn, k ? "dx" : "y", errors[k]);
            free_outcome(&o);
            free_reference(&t);
            free_problem(&p);
        }
}
END_TEST

/* The worst error of values, over the largest of them; infinite if one is not finite. */
static double worst_error(int64_t count, const float *got, const double *truth) {
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(got[i]))
            return INFINITY;
        worst = fmax(worst, fabs((double)got[i] - truth[i]));
        largest = fmax(largest, fabs(truth[i]));
    }
    return worst / largest;
}

/* Data and gradients near the end of what a float holds, with weights so small that y and dx are far
 * from it. */
START_TEST(large_numbers_do_not_overflow_on_the_way) {
    static const dlz_conv3x3_shape shapes[] = {
        {2, 16, 16, 16, 32, {1, 1}}, {1, 9, 14, 40, 8, {1, 1}}, {3, 8, 8, 64, 64, {0, 1}}};
    static const float sizes[] = {1e31f, 1e36f, 3e38f};
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int turn = 0; turn < 9 && dlz_isa_available(isa); turn++) {
            dlz_conv3x3_shape s = shapes[turn % 3];
            problem p = make_problem(s);
            for (int64_t i = 0; i < p.inputs; i++)
                p.x[i] *= sizes[turn / 3];
            for (int64_t i = 0; i < p.outputs; i++)
                p.dy[i] *= sizes[turn / 3];
            for (int64_t i = 0; i < p.weights; i++)
                p.w[i] *= 1e-6f;
            dlz_conv3x3_input input = {.data = p.x, .weights = p.w};
            dlz_conv3x3_gradient gradient = {.dy = p.dy};
            reference t = find_reference(&p, &input, &gradient);
            dlz_conv3x3_plan plan;
            ck_ok(dlz_conv3x3_plan_create(&plan, s, isa, DLZ_CONV3X3_WINOGRAD4));
            outcome o = run(&plan, &p, &input, &gradient, false, false);
            double errors[] = {worst_error(p.outputs, o.y, t.y), worst_error(p.inputs, o.dx, t.dx)};
            for (int k = 0; k < 2; k++)
                ck_assert_msg(errors[k] < 1e-5, "%s, turn %d: %s off by %.2g", dlz_isa_name(isa),
                              turn, k ? "dx" : "y", errors[k]);
            free_outcome(&o);
            free_reference(&t);
            free_problem(&p);
        }
}
END_TEST

/* Whether a gradient is the truth's, over the largest of which it may be off by 1e-5; where the truth
 * is not finite, it is the same. */
static void check_weights(const float *got, const reference *truth, int64_t count,
                          const char *where) {
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = isfinite(truth->dw[i]) ? fmax(largest, fabs(truth->dw[i])) : largest;
    for (int64_t i = 0; i < count; i++) {
        double want = truth->dw[i], value = (double)got[i];
        if (isfinite(want) ? fabs(value - want) <= 1e-5 * largest
                           : value == want || (isnan(value) && isnan(want)))
            continue;
        ck_abort_msg("%s: dw %d is %g, not %g", where, (int)i, value, want);
    }
}

/* The weights' gradient up to the end of what a float holds: data large, the gradient large, or what
 * they come to together; in all images or in one number of one; and infinity in a corner, which
 * some taps do not reach. */
START_TEST(weights_gradients_do_not_overflow_on_the_way) {
    static const dlz_conv3x3_shape shapes[] = {{2, 16, 16, 16, 32, {1, 1}},
                                               {1, 9, 14, 40, 8, {1, 1}},
                                               {3, 8, 8, 64, 64, {0, 1}},
                                               {9, 6, 7, 9, 17, {1, 1}},
                                               {1, 5, 4, 130, 140, {2, 1}}};
    static const float powers[] = {1, 0, 0.5f, -0.2f, 1.3f}; /* the data's share */
    enum { SHAPES = 5, POWERS = 5, ONE_OF_DATA = POWERS, ONE_OF_GRADIENT, INFINITE, WAYS };
    for (int turn = 0; turn < SHAPES * WAYS; turn++) {
        dlz_conv3x3_shape s = shapes[turn % SHAPES];
        int way = turn / SHAPES;
        problem p = make_problem(s);
        double most = 3e38 / (double)(s.images * out_height(s) * out_width(s));
        if (way < POWERS) {
            float of_data = (float)fmin(pow(most, (double)powers[way]), 3e38);
            for (int64_t i = 0; i < p.inputs; i++)
                p.x[i] *= of_data;
            for (int64_t i = 0; i < p.outputs; i++)
                p.dy[i] *= (float)fmin(most / (double)of_data, 3e38);
        } else if (way == ONE_OF_DATA) {
            p.x[p.inputs / 2] = (float)most;
        } else if (way == ONE_OF_GRADIENT) {
            p.dy[p.outputs / 2] = (float)most;
        } else {
            p.x[0] = INFINITY;
        }
        dlz_conv3x3_input input = {.data = p.x, .weights = p.w};
        dlz_conv3x3_gradient gradient = {.dy = p.dy};
        reference truth = find_reference(&p, &input, &gradient);
        for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
            for (int algorithm = DLZ_CONV3X3_DIRECT; algorithm <= DLZ_CONV3X3_WINOGRAD4;
                 algorithm++) {
                if (!dlz_isa_available(isa))
                    continue;
                dlz_conv3x3_plan plan;
                char where[80];
                ck_ok(dlz_conv3x3_plan_create(&plan, s, isa, algorithm));
                outcome o = run(&plan, &p, &input, &gradient, false, true);
                snprintf(where, sizeof where, "%s, algorithm %d, shape %d, way %d",
                         dlz_isa_name(isa), algorithm, turn % SHAPES, way);
                check_weights(o.dw, &truth, p.weights, where);
                free_outcome(&o);
            }
        free_reference(&truth);
        free_problem(&p);
    }
}
END_TEST

/* Mean and variance of every channel against those of what was stored, in double. */
static void check_moments(const dlz_conv3x3_plan *plan, const problem *p, const char *what) {
    dlz_conv3x3_shape s = p->shape;
    dlz_conv3x3_input input = {.data = p->x, .weights = p->w};
    dlz_conv3x3_gradient gradient = {.dy = p->dy};
    outcome o = run(plan, p, &input, &gradient, false, false);
    for (int64_t k = 0; k < s.out_channels; k++) {
        double count = (double)(p->outputs / s.out_channels), mean = 0, variance = 0;
        for (int64_t i = k; i < p->outputs; i += s.out_channels)
            mean += o.y[i] / count;
        for (int64_t i = k; i < p->outputs; i += s.out_channels)
            variance += (o.y[i] - mean) * (o.y[i] - mean) / count;
        dlz_moments all = dlz_moments_of(o.stats, plan->moment_blocks, s.out_channels, k);
        double found = all.deviations / all.count;
        ck_assert_msg(
            fabs(all.mean - mean) <= 1e-5 * sqrt(variance) && fabs(found / variance - 1) <= 1e-5,
            "%s, %s algorithm %d: mean %.9g, not %.9g; variance %.9g, not %.9g", what,
            dlz_isa_name(plan->isa), (int)plan->algorithm, all.mean, mean, found, variance);
    }
    free_outcome(&o);
}

/* A bias may move a channel's mean to 1e4 times its deviation; the pieces that moments are taken of
 * may begin with numbers unlike all others; and one pixel may be an outlier, whichever it is. */
START_TEST(moments_keep_their_digits) {
    dlz_conv3x3_shape s = {9, 16, 16, 8, 16, {1, 1}};
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int algorithm = DLZ_CONV3X3_DIRECT;
             dlz_isa_available(isa) && algorithm <= DLZ_CONV3X3_WINOGRAD4; algorithm++) {
            dlz_conv3x3_plan plan;
            ck_ok(dlz_conv3x3_plan_create(&plan, s, isa, algorithm));
            problem p = make_problem(s);
            for (int64_t k = 0; k < s.out_channels; k++)
                p.bias[k] = k % 2 ? 4e4f : -4e4f;
            check_moments(&plan, &p, "a large bias");
            free_problem(&p);
            for (int64_t lines = 1; lines <= 12; lines += 5) {
                p = make_problem(s);
                int64_t line = s.width * s.in_channels;
                for (int64_t i = 0; i < p.inputs; i++)
                    p.x[i] = i / line % s.height < lines ? 0 : 1000 + p.x[i];
                check_moments(&plan, &p, "first rows of zeros");
                free_problem(&p);
            }
            for (int64_t pixel = 0; pixel < s.height * s.width; pixel += 51) {
                p = make_problem(s);
                p.x[pixel * s.in_channels] = 1e5f;
                check_moments(&plan, &p, "an outlier");
                free_problem(&p);
            }
        }
}
END_TEST

START_TEST(a_nan_is_not_hidden_by_relu_or_pool) {
    dlz_conv3x3_shape s = {1, 8, 8, 16, 16, {1, 1}};
    problem p = make_problem(s);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int algorithm = DLZ_CONV3X3_DIRECT; algorithm <= DLZ_CONV3X3_WINOGRAD4; algorithm++) {
            if (!dlz_isa_available(isa))
                continue;
            dlz_conv3x3_plan plan;
            ck_ok(dlz_conv3x3_plan_create(&plan, s, isa, algorithm));
            dlz_conv3x3_input input = {
                .data = p.x, .scale = p.scale, .shift = p.shift, .relu = true, .weights = p.w};
            dlz_conv3x3_gradient gradient = {.dy = p.dy};
            float kept = p.x[1000];
            p.x[1000] = NAN;
            outcome o = run(&plan, &p, &input, &gradient, true, false);
            p.x[1000] = kept;
            int64_t pixel = 1000 / 16;
            ck_assert(isnan(o.y[pixel * 16]));
            ck_assert(isnan(o.dw[(1000 % 16) * 9 + 4]));
            if (plan.pools)
                ck_assert(isnan(o.pooled[(pixel / 8 / 2 * 4 + pixel % 8 / 2) * 16]));
            free_outcome(&o);
        }
    free_problem(&p);
}
END_TEST

START_TEST(evaluation_may_keep_the_pool_alone) {
    dlz_conv3x3_shape s = {2, 14, 13, 16, 20, {1, 1}};
    problem p = make_problem(s);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int algorithm = DLZ_CONV3X3_WINOGRAD2; algorithm <= DLZ_CONV3X3_WINOGRAD4;
             algorithm++) {
            if (!dlz_isa_available(isa))
                continue;
            dlz_conv3x3_plan plan;
            ck_ok(dlz_conv3x3_plan_create(&plan, s, isa, algorithm));
            int64_t windows = s.images * 7 * 6 * s.out_channels;
            float *weights = guarded(plan.forward_weight_floats, 4);
            float *scratch = guarded(plan.scratch_floats, 4);
            float *y = guarded(p.outputs, 4), *pooled = guarded(windows, 4);
            float *alone = guarded(windows, 4);
            dlz_conv3x3_input input = {
                .data = p.x, .scale = p.scale, .shift = p.shift, .relu = true, .weights = p.w};
            dlz_conv3x3_output both = {.y = y, .bias = p.bias, .relu = true, .pooled = pooled};
            dlz_conv3x3_output one = {.bias = p.bias, .relu = true, .pooled = alone};
            for (int64_t i = 0; i < plan.weight_tiles; i++)
                dlz_conv3x3_prepare(&plan, i, p.w, weights, NULL);
            for (int64_t i = 0; i < plan.forward_tiles; i++) {
                dlz_conv3x3_forward(&plan, i, &input, weights, &both, scratch);
                dlz_conv3x3_forward(&plan, i, &input, weights, &one, scratch);
            }
            ck_assert(!memcmp(pooled, alone, (size_t)windows * 4));
            check_guard(pooled, windows, 4);
            check_guard(alone, windows, 4);
            void *all[] = {weights, scratch, y, pooled, alone};
            for (size_t i = 0; i < sizeof all / sizeof *all; i++)
                free_guarded(all[i]);
        }
    free_problem(&p);
}
END_TEST

/* Where a tile lies is said truly: that part of y is written, and no other. */
START_TEST(a_forward_tile_writes_its_pixels) {
    static const dlz_conv3x3_shape shapes[] = {
        {1, 5, 3, 8, 8, {1, 1}},    {7, 6, 5, 9, 17, {1, 1}}, {40, 9, 9, 8, 8, {1, 1}},
        {3, 1, 2, 2, 3, {1, 1}},    {64, 3, 4, 8, 1, {1, 1}}, {7, 11, 5, 9, 17, {0, 2}},
        {1, 7, 9, 128, 200, {1, 1}}};
    enum { SHAPES = sizeof shapes / sizeof *shapes };
    for (int turn = 0; turn < SHAPES * DLZ_ISA_COUNT * 4; turn++) {
        dlz_isa isa = (dlz_isa)(turn / SHAPES % DLZ_ISA_COUNT);
        dlz_conv3x3_plan plan;
        if (!dlz_isa_available(isa))
            continue;
        problem p = make_problem(shapes[turn % SHAPES]);
        ck_ok(dlz_conv3x3_plan_create(&plan, p.shape, isa,
                                      (dlz_conv3x3_algorithm)(turn / SHAPES / DLZ_ISA_COUNT)));
        float *weights = guarded(plan.forward_weight_floats, 4), *y = guarded(p.outputs, 4);
        float *scratch = guarded(plan.scratch_floats, 4);
        dlz_conv3x3_input input = {.data = p.x, .weights = p.w};
        dlz_conv3x3_output output = {.y = y, .bias = p.bias};
        for (int64_t i = 0; i < plan.weight_tiles; i++)
            dlz_conv3x3_prepare(&plan, i, p.w, weights, NULL);
        int64_t channels = p.shape.out_channels, written = 0;
        for (int64_t tile = 0; tile < plan.forward_tiles; tile++) {
            memset(y, 0xFF, (size_t)p.outputs * 4);
            dlz_conv3x3_forward(&plan, tile, &input, weights, &output, scratch);
            dlz_conv3x3_area area = dlz_conv3x3_forward_area(&plan, tile);
            for (int64_t i = 0; i < p.outputs; i++) {
                int64_t pixel = i / channels, k = i % channels;
                bool inside = pixel >= area.first && pixel < area.end && k >= area.first_channel &&
                              k < area.end_channel;
                ck_assert(isnan(y[i]) == !inside);
                written += inside;
            }
        }
        ck_assert_int_eq(written, p.outputs);
        free_guarded(weights);
        free_guarded(y);
        free_guarded(scratch);
        free_problem(&p);
    }
}
END_TEST

static dlz_conv3x3_algorithm chosen(dlz_conv3x3_shape s, dlz_conv3x3_algorithm algorithm) {
    dlz_conv3x3_plan plan;
    ck_ok(dlz_conv3x3_plan_create(&plan, s, DLZ_ISA_GENERIC, algorithm));
    return plan.algorithm;
}

/* Winograd's where channels are many and images not tiny, and for few images the smaller weights. */
START_TEST(the_choice_suits_the_shape) {
    dlz_conv3x3_algorithm forward = DLZ_CONV3X3_AUTO_FORWARD, step = DLZ_CONV3X3_AUTO;
    dlz_conv3x3_shape few = {1, 8, 8, 256, 256, {1, 1}}, many = few;
    many.images = 256;
    ck_assert_int_eq(chosen((dlz_conv3x3_shape){9, 28, 28, 1, 32, {0, 0}}, step),
                     DLZ_CONV3X3_DIRECT);
    ck_assert_int_eq(chosen((dlz_conv3x3_shape){9, 32, 32, 32, 32, {1, 1}}, step),
                     DLZ_CONV3X3_WINOGRAD4);
    ck_assert_int_eq(chosen((dlz_conv3x3_shape){1, 32, 32, 32, 32, {1, 1}}, forward),
                     DLZ_CONV3X3_WINOGRAD4);
    ck_assert_int_eq(chosen((dlz_conv3x3_shape){9, 1, 1, 64, 64, {1, 1}}, forward),
                     DLZ_CONV3X3_DIRECT);
    ck_assert_int_eq(chosen((dlz_conv3x3_shape){9, 4, 4, 64, 64, {0, 0}}, forward),
                     DLZ_CONV3X3_WINOGRAD2);
    ck_assert_int_eq(chosen(few, step), DLZ_CONV3X3_WINOGRAD2);
    ck_assert_int_eq(chosen(many, step), DLZ_CONV3X3_WINOGRAD4);
    /* Predictions do not depend on how many there are. */
    ck_assert_int_eq(chosen(few, forward), chosen(many, forward));
}
END_TEST

START_TEST(impossible_plans_are_refused) {
    dlz_conv3x3_plan plan;
    ck_fails(dlz_conv3x3_plan_create(&plan, (dlz_conv3x3_shape){1, 0, 4, 4, 4, {1, 1}},
                                     DLZ_ISA_GENERIC, DLZ_CONV3X3_AUTO),
             DLVIZ_ERROR_INVALID_ARGUMENT, "a size is 0");
    ck_fails(dlz_conv3x3_plan_create(&plan,
                                     (dlz_conv3x3_shape){INT64_MAX / 2, 64, 64, 64, 64, {1, 1}},
                                     DLZ_ISA_GENERIC, DLZ_CONV3X3_AUTO),
             DLVIZ_ERROR_OUT_OF_MEMORY, "too large");
    ck_fails(dlz_conv3x3_plan_create(&plan, (dlz_conv3x3_shape){1, INT64_MAX, 4, 4, 4, {1, 1}},
                                     DLZ_ISA_GENERIC, DLZ_CONV3X3_AUTO),
             DLVIZ_ERROR_OUT_OF_MEMORY, "too large");
    static const dlz_conv3x3_shape none[] = {
        {1, 2, 4, 4, 4, {0, 0}}, {1, 4, 1, 4, 4, {1, 0}}, {1, 4, 4, 4, 4, {1, -1}}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        ck_fails(dlz_conv3x3_plan_create(&plan, none[i], DLZ_ISA_GENERIC, DLZ_CONV3X3_AUTO),
                 DLVIZ_ERROR_INVALID_ARGUMENT, "leaves no output");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {odd_shapes_agree_with_the_reference,
                                  every_way_of_reading_agrees_with_the_reference,
                                  the_shapes_of_the_report_agree_with_the_reference,
                                  parts_of_channels_agree_with_the_reference,
                                  every_padding_agrees_with_the_reference,
                                  the_plain_way_agrees_with_the_reference,
                                  outliers_spoil_nothing_but_what_they_reach,
                                  large_numbers_do_not_overflow_on_the_way,
                                  weights_gradients_do_not_overflow_on_the_way,
                                  moments_keep_their_digits,
                                  a_nan_is_not_hidden_by_relu_or_pool,
                                  evaluation_may_keep_the_pool_alone,
                                  a_forward_tile_writes_its_pixels,
                                  the_choice_suits_the_shape,
                                  impossible_plans_are_refused,
                                  NULL};
    return run_tests("conv3x3", tests);
}
