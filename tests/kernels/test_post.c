/* Batch norm, relu, pool and dropout in one pass, of every instruction set this machine has,
 * against plain loops in double. */
#include "base/random.h"
#include "kernels/nn/post.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 7 * 4 * 1500, MOST_CHANNELS = 1500, EDGE = 16, IMAGE = 5 };
static const float GUARD = -12345.0f;
static const uint8_t CODE_GUARD = 0xAB;
static const float P = 0.25f;

static const int64_t channel_counts[] = {1, 3, 4, 6, 8, 16, 17, 33, 1500};
/* The last two have rows that the kernels cut into segments. */
static const int64_t sizes[][2] = {{1, 1}, {2, 2}, {3, 5}, {7, 4}, {2, 71}, {3, 2047}};

/* Batch norm, relu, pool, dropout: a bit each. */
enum { NORM = 1, RELU = 2, POOL = 4, DROP = 8, KINDS = 16 };

static float scale[MOST_CHANNELS], shift[MOST_CHANNELS], mean[MOST_CHANNELS];
static float a[MOST_CHANNELS], b[MOST_CHANNELS], center[MOST_CHANNELS], d[MOST_CHANNELS];
static float input[MOST], gradient[MOST];

static dlz_post settings(int kind, int64_t height, int64_t width, int64_t channels) {
    return (dlz_post){.height = height,
                      .width = width,
                      .channels = channels,
                      .scale = kind & NORM ? scale : NULL,
                      .shift = kind & NORM ? shift : NULL,
                      .weight = kind & NORM ? scale : NULL,
                      .relu = (kind & RELU) != 0,
                      .pool = (kind & POOL) != 0,
                      .drop_below = kind & DROP ? (uint32_t)(P * 0x1p32f) : 0,
                      .keep_scale = kind & DROP ? 1 / (1 - P) : 1,
                      .seed = 0x123456789abcdefu,
                      .stream = 77};
}

/* Small multiples of 1/8, so that there are ties, and products and sums of them are exact; some
 * zeros of either sign. */
static void fill_all(uint64_t seed) {
    dlz_random random = dlz_random_start(seed, 1);
    float *const arrays[] = {input, gradient, scale, shift, mean, a, b, center, d};
    const int64_t counts[] = {MOST,          MOST,          MOST_CHANNELS,
                              MOST_CHANNELS, MOST_CHANNELS, MOST_CHANNELS,
                              MOST_CHANNELS, MOST_CHANNELS, MOST_CHANNELS};
    for (int k = 0; k < 9; k++)
        for (int64_t i = 0; i < counts[k]; i++) {
            int eighths = (int)dlz_random_below(&random, 33) - 16;
            arrays[k][i] = eighths                       ? (float)eighths / 8
                           : dlz_random_u32(&random) & 1 ? -0.0f
                                                         : 0.0f;
        }
}

/* -- The plain reference -------------------------------------------------------------------------
 */

typedef struct plan {
    const dlz_post *post;
    int64_t height, width; /* of the output */
} plan;

static plan plan_of(const dlz_post *post) {
    int64_t step = post->pool ? 2 : 1;
    return (plan){post, post->height / step, post->width / step};
}

static int64_t numbers_in(const dlz_post *post) {
    return post->height * post->width * post->channels;
}

static int64_t numbers_out(const dlz_post *post) {
    plan p = plan_of(post);
    return p.height * p.width * post->channels;
}

/* Word i of an image: groups of 64 made of 16 counters, word w of counter l at place 16 w + l. */
static uint32_t word(const dlz_post *post, int64_t image, int64_t i) {
    uint32_t words[4];
    uint64_t counter = ((uint64_t)image << 32) + (uint64_t)(i / 64 * 16 + i % 16);
    dlz_philox(post->seed, post->stream, counter, words);
    return words[i % 64 / 16];
}

static double affine(const dlz_post *post, const float *z, int64_t i) {
    int64_t c = i % post->channels;
    return post->scale ? (double)z[i] * (double)post->scale[c] + (double)post->shift[c]
                       : (double)z[i];
}

/* Where place 0 … 3 of the window of output i lies in z. */
static int64_t window(const plan *p, int64_t i, int place) {
    int64_t channels = p->post->channels, c = i % channels, pixel = i / channels;
    int64_t y = pixel / p->width, x = pixel % p->width;
    if (!p->post->pool)
        return i;
    return ((2 * y + place / 2) * p->post->width + 2 * x + place % 2) * channels + c;
}

static double expected_output(const plan *p, int64_t image, const float *z, int64_t i, int *code) {
    const dlz_post *post = p->post;
    int winner = 0;
    double best = affine(post, z, window(p, i, 0));
    for (int place = 1; post->pool && place < 4; place++) {
        double y = affine(post, z, window(p, i, place));
        if (y > best || isnan(y)) {
            best = y;
            winner = place;
        }
    }
    *code = winner;
    if (post->relu && best <= 0) {
        *code = DLZ_POST_BLOCKED;
        best = 0;
    }
    if (post->drop_below && word(post, image, i) < post->drop_below) {
        *code = DLZ_POST_BLOCKED;
        return 0;
    }
    return best * (double)post->keep_scale;
}

/* The gradient that reaches the batch norm at number i of z. */
static double expected_gradient(const plan *p, const float *z, const float *grad,
                                const uint8_t *codes, int64_t i) {
    const dlz_post *post = p->post;
    if (!post->pool) {
        if (codes)
            return codes[i] == DLZ_POST_BLOCKED ? 0 : (double)grad[i] * (double)post->keep_scale;
        return post->relu && affine(post, z, i) <= 0 ? 0 : (double)grad[i];
    }
    int64_t channels = post->channels, pixel = i / channels;
    int64_t y = pixel / post->width, x = pixel % post->width;
    if (y / 2 >= p->height || x / 2 >= p->width)
        return 0;
    int64_t out = (y / 2 * p->width + x / 2) * channels + i % channels;
    return codes[out] == y % 2 * 2 + x % 2 ? (double)grad[out] * (double)post->keep_scale : 0;
}

/* -- Arrays with a guard on either side ----------------------------------------------------------
 */

static float out_room[MOST + 2 * EDGE];
static uint8_t code_room[MOST + 2 * EDGE];
static double sum_room[1 + 2 * MOST_CHANNELS + 2 * EDGE];
static float *const out = out_room + EDGE;
static uint8_t *const codes = code_room + EDGE;
static double *const sums = sum_room + EDGE;

static void raise_guards(void) {
    for (int64_t i = 0; i < MOST + 2 * EDGE; i++)
        out_room[i] = GUARD;
    memset(code_room, CODE_GUARD, sizeof code_room);
    for (int64_t i = 0; i < 1 + 2 * MOST_CHANNELS + 2 * EDGE; i++)
        sum_room[i] = (double)GUARD;
}

/* Nothing was written but out[0 … n - 1], codes[0 … m - 1] and sums[0 … k - 1]. */
static void check_guards(int64_t n, int64_t m, int64_t k) {
    int64_t wrong = 0;
    for (int64_t i = -EDGE; i < MOST + EDGE; i++) {
        wrong += out[i] != GUARD && (i < 0 || i >= n);
        wrong += codes[i] != CODE_GUARD && (i < 0 || i >= m);
    }
    for (int64_t i = -EDGE; i < 2 * MOST_CHANNELS + EDGE; i++)
        wrong += sums[i] != (double)GUARD && (i < 0 || i >= k);
    ck_assert_int_eq(wrong, 0);
}

static bool close_to(double got, double expected, double tolerance) {
    return got == expected || (isnan(got) && isnan(expected)) || fabs(got - expected) <= tolerance;
}

static const char *name_of(int isa, const dlz_post *post, int kind) {
    static char text[128];
    snprintf(text, sizeof text, "%s: %lld x %lld x %lld,%s%s%s%s", dlz_isa_name((dlz_isa)isa),
             (long long)post->height, (long long)post->width, (long long)post->channels,
             kind & NORM ? " norm" : "", kind & RELU ? " relu" : "", kind & POOL ? " pool" : "",
             kind & DROP ? " dropout" : "");
    return text;
}

/* Calls check(kernels, isa, post, kind) for every instruction set, combination and size. */
typedef void check_fn(const dlz_post_table *kernels, int isa, const dlz_post *post, int kind);

static void check_all(check_fn *check) {
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        const dlz_post_table *kernels = dlz_post_kernels_of((dlz_isa)isa);
        for (int kind = 0; kind < KINDS; kind++)
            for (size_t c = 0; c < sizeof channel_counts / sizeof *channel_counts; c++)
                for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                    dlz_post post = settings(kind, sizes[s][0], sizes[s][1], channel_counts[c]);
                    if (numbers_in(&post) > MOST)
                        continue;
                    check(kernels, isa, &post, kind);
                }
    }
}

/* -- Forward -------------------------------------------------------------------------------------
 */

static void check_forward(const dlz_post_table *kernels, int isa, const dlz_post *post, int kind) {
    plan p = plan_of(post);
    int64_t n = numbers_out(post);
    raise_guards();
    kernels->forward(post, IMAGE, input, out, codes);
    check_guards(n, n, 0);
    for (int64_t i = 0; i < n; i++) {
        int code;
        double expected = expected_output(&p, IMAGE, input, i, &code);
        if (!close_to((double)out[i], expected, 1e-6 * fabs(expected)))
            ck_abort_msg("%s: number %lld is %.9g, not %.9g", name_of(isa, post, kind),
                         (long long)i, (double)out[i], expected);
        if (codes[i] != code)
            ck_abort_msg("%s: code %lld is %d, not %d", name_of(isa, post, kind), (long long)i,
                         codes[i], code);
    }
    static float with_codes[MOST];
    memcpy(with_codes, out, (size_t)n * sizeof *out);
    raise_guards();
    kernels->forward(post, IMAGE, input, out, NULL);
    check_guards(n, 0, 0);
    ck_assert_mem_eq(with_codes, out, (size_t)n * sizeof *out);
}

START_TEST(forward_agrees_with_plain_loops) {
    fill_all(1);
    check_all(check_forward);
}
END_TEST

START_TEST(forward_works_in_place_without_a_pool) {
    fill_all(2);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int kind = 0; kind < KINDS && dlz_isa_available((dlz_isa)isa); kind++) {
            if (kind & POOL)
                continue;
            dlz_post post = settings(kind, 3, 5, 33);
            static float expected[MOST];
            const dlz_post_table *kernels = dlz_post_kernels_of((dlz_isa)isa);
            kernels->forward(&post, IMAGE, input, expected, NULL);
            memcpy(out, input, (size_t)numbers_in(&post) * sizeof *out);
            kernels->forward(&post, IMAGE, out, out, NULL);
            ck_assert_mem_eq(out, expected, (size_t)numbers_in(&post) * sizeof *out);
        }
}
END_TEST

/* NaN spreads through relu and pool as in PyTorch, a later NaN winning; infinities are numbers. */
START_TEST(forward_keeps_nan_and_infinity) {
    static const float values[][4] = {
        {NAN, 1, 2, 3},        {1, 2, NAN, 3},
        {3, NAN, 1, NAN},      {-INFINITY, -1, -2, -INFINITY},
        {INFINITY, 1, 2, 3},   {-INFINITY, -INFINITY, -INFINITY, -INFINITY},
        {-0.0f, 0, -0.0f, 0},  {-1, -1, -2, -1},
        {0, -0.0f, -0.0f, -1}, {2, 2, 2, 2}};
    enum { CASES = sizeof values / sizeof *values };
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int kind = 0; kind < KINDS && dlz_isa_available((dlz_isa)isa); kind++)
            for (int64_t channels = 1; channels <= 17; channels += 16) {
                /* Case k at pixel column k, in every channel. */
                dlz_post post = settings(kind, 2, 2 * CASES, channels);
                for (int64_t c = 0; c < channels; c++) {
                    scale[c] = 1;
                    shift[c] = 0;
                }
                for (int k = 0; k < CASES; k++)
                    for (int place = 0; place < 4; place++)
                        for (int64_t c = 0; c < channels; c++)
                            input[(place / 2 * post.width + 2 * k + place % 2) * channels + c] =
                                values[k][place];
                check_forward(dlz_post_kernels_of((dlz_isa)isa), isa, &post, kind);
            }
}
END_TEST

/* -- Dropout -------------------------------------------------------------------------------------
 */

START_TEST(masks_are_those_of_every_instruction_set) {
    fill_all(3);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t c = 0; c < sizeof channel_counts / sizeof *channel_counts; c++) {
            dlz_post post = settings(DROP, sizes[s][0], sizes[s][1], channel_counts[c]);
            int64_t n = numbers_out(&post);
            if (n > MOST)
                continue;
            static uint8_t first[MOST];
            dlz_post_kernels_of(DLZ_ISA_GENERIC)->forward(&post, 9, input, out, first);
            for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
                if (dlz_isa_available((dlz_isa)isa)) {
                    dlz_post_kernels_of((dlz_isa)isa)->forward(&post, 9, input, out, codes);
                    ck_assert_mem_eq(codes, first, (size_t)n);
                }
        }
}
END_TEST

/* The mask of `n` numbers in the shape of an image, for one setting. */
static void mask(dlz_post post, int64_t height, int64_t width, int64_t channels, int64_t image,
                 uint8_t *blocked) {
    post.height = height;
    post.width = width;
    post.channels = channels;
    dlz_post_kernels()->forward(&post, image, input, out, blocked);
}

static double agreement(const uint8_t *x, const uint8_t *y, int64_t n) {
    int64_t same = 0;
    for (int64_t i = 0; i < n; i++)
        same += x[i] == y[i];
    return (double)same / (double)n;
}

START_TEST(a_mask_depends_on_seed_stream_image_and_place_alone) {
    enum { N = 7 * 4 * 1500 };
    static uint8_t first[N], other[N];
    fill_all(4);
    dlz_post post = settings(DROP, 0, 0, 0);
    mask(post, 7, 4, 1500, 3, first);
    /* Another shape of as many numbers, other values, a row of them: the same. */
    fill_all(5);
    mask(post, 1, 1, N, 3, other);
    ck_assert_mem_eq(first, other, N);
    mask(post, 1500, 28, 1, 3, other);
    ck_assert_mem_eq(first, other, N);
    mask(post, 3, 14000, 1, 3, other);
    ck_assert_mem_eq(first, other, N);
    mask(post, 100, 20, 21, 3, other);
    ck_assert_mem_eq(first, other, N);
    /* Independent masks agree in p^2 + (1 - p)^2 = 0.625 of all places; 5 standard deviations. */
    for (int change = 0; change < 4; change++) {
        dlz_post changed = post;
        changed.seed += change == 0;
        changed.stream += change == 1;
        changed.seed += change == 2 ? UINT64_C(1) << 40 : 0;
        mask(changed, 7, 4, 1500, change == 3 ? 4 : 3, other);
        ck_assert_double_eq_tol(agreement(first, other, N), 0.625, 5 * sqrt(0.625 * 0.375 / N));
    }
}
END_TEST

START_TEST(dropout_has_the_rate_asked_for) {
    enum { N = 7 * 4 * 1500, IMAGES = 20 };
    static uint8_t blocked[N];
    static const double rates[] = {0.1, 0.25, 0.5, 0.9};
    fill_all(6);
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
        dlz_post post = settings(DROP, 7, 4, 1500);
        post.drop_below = (uint32_t)(rates[r] * 0x1p32);
        int64_t dropped = 0;
        for (int64_t image = 0; image < IMAGES; image++) {
            dlz_post_kernels()->forward(&post, image, input, out, blocked);
            for (int64_t i = 0; i < N; i++)
                dropped += blocked[i] == DLZ_POST_BLOCKED;
        }
        double share = (double)dropped / (N * IMAGES);
        ck_assert_double_eq_tol(share, rates[r],
                                5 * sqrt(rates[r] * (1 - rates[r]) / (N * IMAGES)));
    }
}
END_TEST

/* -- Backward ------------------------------------------------------------------------------------
 */

/* Codes as the forward pass leaves them; NULL where the backward pass gets none. */
static const uint8_t *make_codes(const dlz_post_table *kernels, const dlz_post *post, int kind) {
    static uint8_t made[MOST];
    static float ignored[MOST];
    if (!(kind & (POOL | DROP)))
        return NULL;
    kernels->forward(post, IMAGE, input, ignored, made);
    return made;
}

/* Of deviations on the way back. */
static float reach[MOST_CHANNELS];

static double reach_of(const dlz_post *post, int64_t c) {
    return post->reach ? (double)post->reach[c] : 1;
}

static void check_sums(const dlz_post_table *kernels, int isa, const dlz_post *post, int kind) {
    static double expected[2 * MOST_CHANNELS], size[2 * MOST_CHANNELS];
    plan p = plan_of(post);
    int64_t channels = post->channels;
    const uint8_t *made = make_codes(kernels, post, kind);
    memset(expected, 0, sizeof expected);
    memset(size, 0, sizeof size);
    for (int64_t i = 0; i < numbers_in(post); i++) {
        int64_t c = i % channels;
        double g = expected_gradient(&p, input, gradient, made, i);
        double product = g * ((double)input[i] - (double)mean[c]) * reach_of(post, c);
        expected[c] += g;
        expected[channels + c] += product;
        size[c] += fabs(g);
        size[channels + c] += fabs(product);
    }
    raise_guards();
    kernels->backward_sums(post, input, gradient, made, mean, sums);
    check_guards(0, 0, 2 * channels);
    for (int64_t c = 0; c < 2 * channels; c++)
        if (!close_to(sums[c], expected[c], 1e-6 * size[c]))
            ck_abort_msg("%s: sum %lld is %.9g, not %.9g", name_of(isa, post, kind), (long long)c,
                         sums[c], expected[c]);
}

START_TEST(backward_sums_agree_with_plain_loops) {
    fill_all(7);
    check_all(check_sums);
}
END_TEST

/* Many pixels: the sums go to double before float would lose them. */
START_TEST(backward_sums_of_a_large_image_are_accurate) {
    enum { PIXELS = 40000 };
    for (int64_t i = 0; i < PIXELS; i++) {
        input[i] = 3 + (float)(i % 2) / 8;
        gradient[i] = 1.0f + 0x1p-23f;
    }
    mean[0] = 3;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        if (dlz_isa_available((dlz_isa)isa)) {
            dlz_post post = settings(0, 200, 200, 1);
            dlz_post_kernels_of((dlz_isa)isa)
                ->backward_sums(&post, input, gradient, NULL, mean, sums);
            ck_assert_double_eq_tol(sums[0], PIXELS * (1 + 0x1p-23), 1e-6 * PIXELS);
            ck_assert_double_eq_tol(sums[1], PIXELS / 16.0 * (1 + 0x1p-23), 1e-6 * PIXELS);
        }
}
END_TEST

static void check_backward(const dlz_post_table *kernels, int isa, const dlz_post *post, int kind) {
    plan p = plan_of(post);
    int64_t n = numbers_in(post), channels = post->channels;
    const uint8_t *made = make_codes(kernels, post, kind);
    const dlz_post_factors factors =
        kind & NORM ? (dlz_post_factors){a, b, center, d} : (dlz_post_factors){.a = a};
    raise_guards();
    kernels->backward(post, input, gradient, made, &factors, out);
    check_guards(n, 0, 0);
    for (int64_t i = 0; i < n; i++) {
        int64_t c = i % channels;
        double g = expected_gradient(&p, input, gradient, made, i) * (double)a[c];
        double rest =
            factors.b ? (double)b[c] * ((double)input[i] - (double)center[c]) * reach_of(post, c)
                      : 0;
        double offset = factors.b ? (double)d[c] : 0;
        double expected = g + rest + offset, size = fabs(g) + fabs(rest) + fabs(offset);
        if (!close_to((double)out[i], expected, 1e-6 * size))
            ck_abort_msg("%s: dz %lld is %.9g, not %.9g", name_of(isa, post, kind), (long long)i,
                         (double)out[i], expected);
    }
    static float apart[MOST];
    memcpy(apart, out, (size_t)n * sizeof *out);
    raise_guards();
    memcpy(out, input, (size_t)n * sizeof *out);
    kernels->backward(post, out, gradient, made, &factors, out);
    check_guards(n, 0, 0);
    ck_assert_msg(memcmp(out, apart, (size_t)n * sizeof *out) == 0, "%s: differs in place",
                  name_of(isa, post, kind));
}

START_TEST(backward_agrees_with_plain_loops_and_works_in_place) {
    fill_all(8);
    check_all(check_backward);
}
END_TEST

static void check_far(const dlz_post_table *kernels, int isa, const dlz_post *post, int kind) {
    dlz_post with_reach = *post;
    with_reach.reach = reach;
    if (!(kind & NORM))
        return;
    check_sums(kernels, isa, &with_reach, kind);
    check_backward(kernels, isa, &with_reach, kind);
}

START_TEST(deviations_are_brought_near_one_first) {
    fill_all(9);
    for (int c = 0; c < MOST_CHANNELS; c++)
        reach[c] = ldexpf(1, c % 7 - 3);
    check_all(check_far);
}
END_TEST

/* Of which not even a difference of two numbers is finite. */
START_TEST(deviations_of_any_size_have_products) {
    enum { CHANNELS = 5, PIXELS = 64, SIZE = CHANNELS * PIXELS };
    static const int powers[CHANNELS] = {127, 100, 0, -100, -126};
    for (int i = 0; i < SIZE; i++) {
        input[i] = ldexpf((float)(1 + i / CHANNELS % 3) / 2 * (float)(i % 2 ? 1 : -1),
                          powers[i % CHANNELS]);
        gradient[i] = (float)(i % 11) - 5;
    }
    for (int c = 0; c < CHANNELS; c++) {
        mean[c] = center[c] = ldexpf(-1.25f, powers[c]);
        reach[c] = ldexpf(1, powers[c] < 126 ? -powers[c] : -126);
        a[c] = b[c] = d[c] = 1;
    }
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        dlz_post post = settings(0, 8, 8, CHANNELS);
        const dlz_post_factors factors = {a, b, center, d};
        double want[CHANNELS] = {0};
        post.reach = reach;
        dlz_post_kernels_of((dlz_isa)isa)->backward_sums(&post, input, gradient, NULL, mean, sums);
        dlz_post_kernels_of((dlz_isa)isa)->backward(&post, input, gradient, NULL, &factors, out);
        for (int i = 0; i < SIZE; i++) {
            int c = i % CHANNELS;
            double deviation = ((double)input[i] - (double)mean[c]) * (double)reach[c];
            want[c] += (double)gradient[i] * deviation;
            ck_assert_double_eq_tol((double)out[i], (double)gradient[i] + deviation + 1, 1e-5);
        }
        for (int c = 0; c < CHANNELS; c++)
            ck_assert_double_eq_tol(sums[CHANNELS + c], want[c], 1e-4);
    }
}
END_TEST

START_TEST(moments_agree_with_plain_loops) {
    static const int64_t row_counts[] = {1, 2, 27, 28, 63, 64, 65, 200};
    fill_all(9);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (size_t r = 0; r < 8 && dlz_isa_available((dlz_isa)isa); r++)
            for (size_t k = 0; k < sizeof channel_counts / sizeof *channel_counts; k++) {
                int64_t rows = row_counts[r], channels = channel_counts[k];
                if (rows * channels > MOST)
                    continue;
                raise_guards();
                dlz_post_kernels_of((dlz_isa)isa)->moments(rows, channels, input, sums);
                check_guards(0, 0, 1 + 2 * channels);
                ck_assert_double_eq(sums[0], (double)rows);
                for (int64_t c = 0; c < channels; c++) {
                    double average = 0, deviations = 0;
                    for (int64_t i = 0; i < rows; i++)
                        average += (double)input[i * channels + c] / (double)rows;
                    for (int64_t i = 0; i < rows; i++) {
                        double x = (double)input[i * channels + c] - average;
                        deviations += x * x;
                    }
                    ck_assert_double_eq_tol(sums[1 + c], average, 1e-6);
                    ck_assert_double_eq_tol(sums[1 + channels + c], deviations,
                                            64 * 0x1p-24 * (deviations + 1)); /* a run's sum */
                }
            }
}
END_TEST

/* A weight of 0 makes all of a window equal, so the first wins; where it is negative the smallest.
 */
START_TEST(a_pool_is_decided_by_the_sign_of_the_weight) {
    static const float values[4] = {1, 3, -2, 3};
    static const uint8_t winners[3] = {1, 0, 2}; /* of weights 2, 0, -2 */
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int64_t channels = 1; dlz_isa_available((dlz_isa)isa) && channels <= 17;
             channels += 16)
            for (int w = 0; w < 3; w++) {
                dlz_post post = settings(NORM | POOL, 2, 2, channels);
                for (int64_t i = 0; i < 4 * channels; i++) {
                    input[i] = values[i / channels];
                    scale[i / 4] = (float)(2 - 2 * w);
                    shift[i / 4] = 0.5f;
                }
                dlz_post_kernels_of((dlz_isa)isa)->forward(&post, 0, input, out, codes);
                for (int64_t c = 0; c < channels; c++) {
                    ck_assert_int_eq(codes[c], winners[w]);
                    ck_assert_float_eq(out[c], values[winners[w]] * (float)(2 - 2 * w) + 0.5f);
                }
            }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {forward_agrees_with_plain_loops,
                                  forward_works_in_place_without_a_pool,
                                  forward_keeps_nan_and_infinity,
                                  masks_are_those_of_every_instruction_set,
                                  a_mask_depends_on_seed_stream_image_and_place_alone,
                                  dropout_has_the_rate_asked_for,
                                  backward_sums_agree_with_plain_loops,
                                  backward_sums_of_a_large_image_are_accurate,
                                  backward_agrees_with_plain_loops_and_works_in_place,
                                  deviations_are_brought_near_one_first,
                                  deviations_of_any_size_have_products,
                                  moments_agree_with_plain_loops,
                                  a_pool_is_decided_by_the_sign_of_the_weight,
                                  NULL};
    return run_tests("post", tests);
}
