/* What augmentations do to samples against arithmetic in double, and the statistics of what they
 * draw. */
#include "base/random.h"
#include "data/dataset.h"
#include "support/augmented.h"
#include "support/failing.h"
#include "support/support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

/* -- What they do, in double ---------------------------------------------------------------------
 */

/* The numbers that augmentation `index` draws for a sample. */
static dlz_random draws(uint64_t seed, int64_t epoch, int64_t position, int64_t index) {
    dlz_random random =
        dlz_random_start(seed, 16 + ((uint64_t)index << 8) + ((uint64_t)epoch << 32));
    random.counter = (uint64_t)position << 32;
    return random;
}

static double between(dlz_random *random, double least, double most) {
    return least + (most - least) * dlz_random_double(random);
}

/* Forward: where a point of the image goes, which is undone numerically. */
typedef struct forward {
    double a[2][2], shift[2]; /* x, y */
} forward;

static forward times(const double a[2][2], const double b[2][2]) {
    forward f = {{{0}}, {0}};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            f.a[i][j] = a[i][0] * b[0][j] + a[i][1] * b[1][j];
    return f;
}

static void undo(const forward *f, double *x, double *y) {
    double det = f->a[0][0] * f->a[1][1] - f->a[0][1] * f->a[1][0];
    double u = *x - f->shift[0], v = *y - f->shift[1];
    *x = (f->a[1][1] * u - f->a[0][1] * v) / det;
    *y = (f->a[0][0] * v - f->a[1][0] * u) / det;
}

/* A pixel of the image, or the fill. */
static double pixel(const float *image, int64_t height, int64_t width, int64_t x, int64_t y,
                    double fill) {
    return x < 0 || y < 0 || x >= width || y >= height ? fill : (double)image[y * width + x];
}

static double bilinear(const float *image, int64_t height, int64_t width, double x, double y,
                       double fill) {
    if (!(fabs(x) < 1e6 && fabs(y) < 1e6))
        return fill;
    double left = floor(x), top = floor(y), sum = 0;
    for (int dy = 0; dy < 2; dy++)
        for (int dx = 0; dx < 2; dx++)
            sum += (dx ? x - left : 1 - (x - left)) * (dy ? y - top : 1 - (y - top)) *
                   pixel(image, height, width, (int64_t)left + dx, (int64_t)top + dy, fill);
    return sum;
}

enum { N = 20, CHANNELS = 2, HEIGHT = 9, WIDTH = 12, PIXELS = HEIGHT * WIDTH };

/* Compares with samples that all of these maps were applied to, first to last. */
static void expect_moved(const dlviz_dataset *set, const forward *maps, int count,
                         const float *before, int64_t position, double fill, const float *after,
                         double tolerance) {
    (void)set;
    for (int64_t c = 0; c < CHANNELS; c++)
        for (int64_t i = 0; i < PIXELS; i++) {
            double x = (double)(i % WIDTH) - (WIDTH - 1) / 2.0;
            double y = (double)(i / WIDTH) - (HEIGHT - 1) / 2.0;
            for (int m = count - 1; m >= 0; m--)
                undo(&maps[m], &x, &y);
            int64_t start = (position * CHANNELS + c) * PIXELS;
            double wanted = bilinear(before + start, HEIGHT, WIDTH, x + (WIDTH - 1) / 2.0,
                                     y + (HEIGHT - 1) / 2.0, fill);
            ck_assert_msg(fabs((double)after[start + i] - wanted) <= tolerance,
                          "sample %d, pixel %d: %.9g, not %.9g", (int)position, (int)i,
                          (double)after[start + i], wanted);
        }
}

static forward drawn_affine(dlz_random *r, double degrees, double least, double most,
                            double shear_v, double shear_h, double down, double right) {
    double pi = acos(-1), angle = between(r, -degrees, degrees) * pi / 180;
    double dy = between(r, -down, down) * HEIGHT, dx = between(r, -right, right) * WIDTH;
    double scale = between(r, least, most);
    double v = between(r, -shear_v, shear_v) * pi / 180,
           h = between(r, -shear_h, shear_h) * pi / 180;
    double turn[2][2] = {{cos(angle), -sin(angle)}, {sin(angle), cos(angle)}};
    double columns[2][2] = {{1, 0}, {-tan(v), 1}}, rows[2][2] = {{1, -tan(h)}, {0, 1}};
    forward f = times(turn, columns);
    f = times(f.a, rows);
    for (int i = 0; i < 4; i++)
        f.a[i / 2][i % 2] *= scale;
    f.shift[0] = dx;
    f.shift[1] = dy;
    return f;
}

START_TEST(affine_maps_are_those_of_the_formula) {
    dlviz_dataset *set = make_set(DLVIZ_UINT8, N, CHANNELS, HEIGHT, WIDTH);
    dlviz_tensor *before = plain(set);
    dlviz_augmentation *affine = dlviz_random_affine(120);
    ck_ok(dlviz_random_affine_set_scale(affine, 0.3, 3));
    ck_ok(dlviz_random_affine_set_shear(affine, 20, 50));
    ck_ok(dlviz_random_affine_set_translation(affine, 0.25, 0.5));
    with(set, affine);
    ck_ok(dlviz_dataset_set_fill(set, 0.75));
    dlviz_tensor *after = augmented(set, 3, 9);
    for (int64_t i = 0; i < N; i++) {
        dlz_random r = draws(3, 9, i, 0);
        forward f = drawn_affine(&r, 120, 0.3, 3, 20, 50, 0.25, 0.5);
        expect_moved(set, &f, 1, dlviz_tensor_const_float(before), i, 0.75,
                     dlviz_tensor_const_float(after), 1e-6);
    }
    dlviz_tensor_destroy(before);
    dlviz_tensor_destroy(after);
    dlviz_dataset_destroy(set);
}
END_TEST

static forward drawn_shift(dlz_random *r, uint64_t down, uint64_t right) {
    forward f = {{{1, 0}, {0, 1}}, {0}};
    f.shift[1] = (double)down - (double)dlz_random_below(r, 2 * down + 1);
    f.shift[0] = (double)right - (double)dlz_random_below(r, 2 * right + 1);
    return f;
}

static forward drawn_flip(dlz_random *r, double probability, int axis) {
    forward f = {{{1, 0}, {0, 1}}, {0}};
    if (dlz_random_double(r) < probability)
        f.a[axis][axis] = -1;
    return f;
}

/* Geometry is applied in the order in which it was added, whatever lies between; after what was
 * resized, and before what is normalized. */
static void check_chain(bool with_affine) {
    dlviz_dataset *set = make_set(DLVIZ_UINT8, N, CHANNELS, 5, 7);
    ck_ok(dlviz_dataset_set_image_size(set, HEIGHT, WIDTH));
    dlviz_tensor *before = plain(set);
    with(with(set, dlviz_random_shift(3, 2)), dlviz_random_vertical_flip(0.5));
    if (with_affine)
        with(set, dlviz_random_affine(40));
    else
        with(set, dlviz_random_brightness(0));
    with(with(set, dlviz_random_crop(2)), dlviz_random_horizontal_flip(0.4));
    ck_ok(dlviz_dataset_set_normalization(set, 0.25f, 0.5f));
    dlviz_tensor *after = augmented(set, 11, 2);
    float *values = dlviz_tensor_float(after);
    for (int64_t i = 0; i < dlviz_tensor_num_elements(after); i++)
        values[i] = values[i] * 0.5f + 0.25f;
    for (int64_t i = 0; i < N; i++) {
        dlz_random r[5];
        for (int a = 0; a < 5; a++)
            r[a] = draws(11, 2, i, a);
        forward maps[5] = {drawn_shift(&r[0], 3, 2), drawn_flip(&r[1], 0.5, 1),
                           drawn_affine(&r[2], with_affine ? 40 : 0, 1, 1, 0, 0, 0, 0),
                           drawn_shift(&r[3], 2, 2), drawn_flip(&r[4], 0.4, 0)};
        expect_moved(set, maps, 5, dlviz_tensor_const_float(before), i, 0, values, 1e-6);
    }
    dlviz_tensor_destroy(before);
    dlviz_tensor_destroy(after);
    dlviz_dataset_destroy(set);
}

START_TEST(geometry_composes) {
    check_chain(true);
    check_chain(false);
}
END_TEST

START_TEST(whole_pixels_are_copied) {
    /* What is shifted by whole pixels is what it was, to the bit, and what is shifted there and
     * back is not lost. */
    dlviz_dataset *set = make_set(DLVIZ_FLOAT32, N, 1, 6, 5);
    dlviz_tensor *before = plain(set);
    with(set, dlviz_random_shift(40, 30)); /* more than the image has */
    const float *b = dlviz_tensor_const_float(before);
    int inside = 0;
    for (int64_t epoch = 0; epoch < 40; epoch++) {
        dlviz_tensor *after = augmented(set, 1, epoch);
        for (int64_t s = 0; s < N; s++) {
            dlz_random r = draws(1, epoch, s, 0);
            forward f = drawn_shift(&r, 40, 30);
            for (int64_t i = 0; i < 30; i++) {
                int64_t x = i % 5 - (int64_t)f.shift[0], y = i / 5 - (int64_t)f.shift[1];
                float wanted = (float)pixel(b + s * 30, 6, 5, x, y, 0);
                ck_assert(dlviz_tensor_const_float(after)[s * 30 + i] == wanted);
                inside += wanted != 0;
            }
        }
        dlviz_tensor_destroy(after);
    }
    ck_assert_int_gt(inside, 50);
    dlviz_tensor_destroy(before);
    dlviz_dataset_destroy(set);
}
END_TEST

/* What geometry, values and mixtures do to uint8 images of 6 x 5. */
static void check_values(dlviz_augmentation *augmentation,
                         void (*apply)(dlz_random *r, double *values, int count),
                         dlviz_dtype dtype) {
    dlviz_dataset *set = make_set(dtype, N, 2, 6, 5);
    dlviz_tensor *before = plain(set);
    with(set, augmentation);
    dlviz_tensor *after = augmented(set, 21, 4);
    double values[60];
    for (int64_t s = 0; s < N; s++) {
        dlz_random r = draws(21, 4, s, 0);
        for (int i = 0; i < 60; i++)
            values[i] = (double)dlviz_tensor_const_float(before)[s * 60 + i];
        apply(&r, values, 60);
        for (int i = 0; i < 60; i++)
            ck_assert_msg(fabs((double)dlviz_tensor_const_float(after)[s * 60 + i] - values[i]) <=
                              1e-6,
                          "sample %d, number %d: %.9g, not %.9g", (int)s, i,
                          (double)dlviz_tensor_const_float(after)[s * 60 + i], values[i]);
    }
    dlviz_tensor_destroy(before);
    dlviz_tensor_destroy(after);
    dlviz_dataset_destroy(set);
}

static double clamp(double x) {
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

static void brighten(dlz_random *r, double *values, int count) {
    double factor = between(r, 0.25, 1.75);
    for (int i = 0; i < count; i++)
        values[i] = clamp(values[i] * factor);
}

static void brighten_freely(dlz_random *r, double *values, int count) {
    double factor = between(r, 0, 2.5);
    for (int i = 0; i < count; i++)
        values[i] *= factor;
}

static double mean_of(const double *values, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += values[i];
    return sum / count;
}

static void contrast(dlz_random *r, double *values, int count) {
    double factor = between(r, 0.25, 1.75), mean = mean_of(values, count);
    for (int i = 0; i < count; i++)
        values[i] = clamp(mean + factor * (values[i] - mean));
}

static void contrast_freely(dlz_random *r, double *values, int count) {
    double factor = between(r, 0, 2.5), mean = mean_of(values, count);
    for (int i = 0; i < count; i++)
        values[i] = mean + factor * (values[i] - mean);
}

static void erase(dlz_random *r, double *values, int count) {
    if (dlz_random_double(r) >= 0.75)
        return;
    double area = between(r, 0.1, 1) * 30, aspect = exp(between(r, log(0.2), log(4)));
    int64_t rows = (int64_t)fmin(fmax(floor(sqrt(area * aspect) + 0.5), 1), 6);
    int64_t columns = (int64_t)fmin(fmax(floor(sqrt(area / aspect) + 0.5), 1), 5);
    int64_t top = (int64_t)dlz_random_below(r, (uint64_t)(7 - rows));
    int64_t left = (int64_t)dlz_random_below(r, (uint64_t)(6 - columns));
    for (int i = 0; i < count; i++) {
        int64_t y = i % 30 / 5, x = i % 5;
        if (y >= top && y < top + rows && x >= left && x < left + columns)
            values[i] = -0.5;
    }
}

START_TEST(values_change_as_they_should) {
    check_values(dlviz_random_brightness(0.75), brighten, DLVIZ_UINT8);
    check_values(dlviz_random_brightness(1.5), brighten_freely, DLVIZ_FLOAT32);
    check_values(dlviz_random_contrast(0.75), contrast, DLVIZ_UINT8);
    check_values(dlviz_random_contrast(1.5), contrast_freely, DLVIZ_FLOAT32);
    dlviz_augmentation *eraser = dlviz_random_erase(0.75);
    ck_ok(dlviz_random_erase_set_area(eraser, 0.1, 1));
    ck_ok(dlviz_random_erase_set_aspect(eraser, 0.2, 4));
    ck_ok(dlviz_random_erase_set_fill(eraser, -0.5));
    check_values(eraser, erase, DLVIZ_UINT8);
}
END_TEST

/* Noise, and what is put in from outside, may be beyond 0 … 1. */
START_TEST(images_of_bytes_stay_within_their_range) {
    for (int kind = 0; kind < 2; kind++) {
        dlviz_dataset *set = make_set(DLVIZ_UINT8, 20, 1, 6, 5);
        ck_ok(dlviz_dataset_set_fill(set, -1));
        with(with(set, dlviz_random_shift(3, 3)), dlviz_random_noise(1));
        with(set, kind ? dlviz_random_contrast(0.1) : dlviz_random_brightness(0.1));
        dlviz_tensor *after = augmented(set, 1, 0);
        for (int64_t i = 0; i < dlviz_tensor_num_elements(after); i++)
            ck_assert_msg(dlviz_tensor_const_float(after)[i] >= 0 &&
                              dlviz_tensor_const_float(after)[i] <= 1,
                          "kind %d: %g", kind, (double)dlviz_tensor_const_float(after)[i]);
        dlviz_tensor_destroy(after);
        dlviz_dataset_destroy(set);
    }
}
END_TEST

/* The share is found again as that which explains the mixture. */
START_TEST(mixtures_are_of_two_samples) {
    dlviz_dataset *set = make_set(DLVIZ_UINT8, N, 1, 6, 5);
    with(set, dlviz_random_shift(1, 2));
    dlviz_tensor *alone = augmented(set, 2, 1);
    with(set, dlviz_mixup(1));
    dlviz_tensor *mixed = augmented(set, 2, 1);
    int with_others = 0;
    for (int64_t s = 0; s < N; s++) {
        int64_t partner;
        double share = dlz_dataset_partner(set, &(dlz_variant){2, 1}, s, &partner);
        ck_assert(partner != s && partner >= 0 && partner < N && share >= 0.5 && share <= 1);
        with_others += share < 0.95;
        for (int i = 0; i < 30; i++) {
            const float *a = dlviz_tensor_const_float(alone);
            double wanted =
                share * (double)a[s * 30 + i] + (1 - share) * (double)a[partner * 30 + i];
            ck_assert(fabs((double)dlviz_tensor_const_float(mixed)[s * 30 + i] - wanted) <= 1e-6);
        }
    }
    ck_assert_int_gt(with_others, N / 2);
    dlviz_tensor_destroy(alone);
    dlviz_tensor_destroy(mixed);
    dlviz_dataset_destroy(set);
    /* One sample has no partner. */
    set = with(make_set(DLVIZ_UINT8, 1, 1, 2, 2), dlviz_mixup(1));
    dlviz_tensor *before = plain(set), *after = augmented(set, 1, 1);
    ck_assert(same(before, after));
    dlviz_tensor_destroy(before);
    dlviz_tensor_destroy(after);
    dlviz_dataset_destroy(set);
}
END_TEST

/* -- Numbers that are far apart ------------------------------------------------------------------
 */

static const float far_numbers[] = {0.5f,     1e9f, 3e38f,  -3e38f, FLT_MAX,
                                    -FLT_MAX, 0,    1e-45f, -7e30f};
enum { FAR = sizeof far_numbers / sizeof *far_numbers };

/* Vectors and targets of one number each, and weights of their magnitudes. */
static dlviz_dataset *make_far_vectors(double alpha) {
    dlviz_tensor *samples, *weights;
    float magnitudes[FAR];
    for (int i = 0; i < FAR; i++)
        magnitudes[i] = fabsf(far_numbers[i]);
    ck_ok(dlviz_tensor_from_data(&samples, DLVIZ_FLOAT32, 2, (int64_t[]){FAR, 1}, far_numbers));
    ck_ok(dlviz_tensor_from_data(&weights, DLVIZ_FLOAT32, 1, (int64_t[]){FAR}, magnitudes));
    dlviz_dataset *set;
    ck_ok(dlviz_dataset_create(&set, samples, samples));
    ck_ok(dlviz_dataset_set_weights(set, weights));
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(weights);
    return with(set, dlviz_mixup(alpha));
}

/* Some roundings of its parts away, or of the smallest numbers there are. */
static void expect_mixed(const char *what, float value, double share, float own, float partner) {
    double a = share * (double)own, b = (1 - share) * (double)partner;
    ck_assert_msg(fabs((double)value - (a + b)) <= 2e-7 * (fabs(a) + fabs(b)) + 3e-45,
                  "%s: %.9g of %.9g and %.9g is %.9g, not %.9g", what, share, (double)own,
                  (double)partner, (double)value, a + b);
}

START_TEST(mixtures_of_far_numbers_are_right) {
    static const double alphas[] = {0.001, 0.05, 1};
    int alone = 0;
    for (int64_t run = 0; run < 300; run++) {
        dlviz_dataset *set = make_far_vectors(alphas[run % 3]);
        dlz_variant variant = {1, run};
        int64_t order[FAR], partner;
        float samples[FAR], targets[FAR], weights[FAR];
        for (int i = 0; i < FAR; i++)
            order[i] = i;
        ck_ok(dlz_dataset_load_variants(set, &variant, order, FAR, samples, targets, NULL));
        dlz_dataset_load_mixed_weights(set, &variant, order, FAR, weights);
        for (int i = 0; i < FAR; i++) {
            double share = dlz_dataset_partner(set, &variant, i, &partner);
            float own = far_numbers[i], other = far_numbers[partner];
            alone += share == 1;
            expect_mixed("sample", samples[i], share, own, other);
            expect_mixed("target", targets[i], share, own, other);
            expect_mixed("weight", weights[i], share, fabsf(own), fabsf(other));
        }
        dlviz_dataset_destroy(set);
    }
    ck_assert_int_gt(alone, 300); /* what is mixed with nothing remains */
}
END_TEST

static dlviz_dataset *make_far_images(int64_t height, int64_t width) {
    dlviz_tensor *samples;
    ck_ok(dlviz_tensor_create(&samples, DLVIZ_FLOAT32, 4, (int64_t[]){N, CHANNELS, height, width}));
    dlz_random random = dlz_random_start(6, 6);
    for (int64_t i = 0; i < N * CHANNELS * height * width; i++)
        dlviz_tensor_float(samples)[i] = dlz_random_double(&random) < 0.5 ? FLT_MAX : -FLT_MAX;
    dlviz_dataset *set;
    ck_ok(dlviz_dataset_create(&set, samples, NULL));
    dlviz_tensor_destroy(samples);
    return set;
}

START_TEST(moved_images_of_far_numbers_are_right) {
    dlviz_dataset *set = make_far_images(HEIGHT, WIDTH);
    dlviz_tensor *before = plain(set);
    with(set, dlviz_random_affine(120));
    ck_ok(dlviz_dataset_set_fill(set, -1e30));
    dlviz_tensor *after = augmented(set, 4, 1);
    for (int64_t i = 0; i < N; i++) {
        dlz_random r = draws(4, 1, i, 0);
        forward f = drawn_affine(&r, 120, 1, 1, 0, 0, 0, 0);
        expect_moved(set, &f, 1, dlviz_tensor_const_float(before), i, -1e30,
                     dlviz_tensor_const_float(after), 3e32);
    }
    dlviz_tensor_destroy(before);
    dlviz_tensor_destroy(after);
    dlviz_dataset_destroy(set);
}
END_TEST

/* All by one mean that is far from 0, or each by its own. */
START_TEST(normalized_far_numbers_are_right) {
    float means[FAR], deviations[FAR];
    for (int j = 0; j < FAR; j++) {
        means[j] = j % 2 ? 2.5e38f : -3e38f;
        deviations[j] = j % 3 ? 1e38f : 3e38f;
    }
    dlviz_tensor *samples, *all;
    float values[FAR * FAR];
    for (int i = 0; i < FAR * FAR; i++)
        values[i] = far_numbers[(i % FAR + i / FAR) % FAR];
    ck_ok(dlviz_tensor_from_data(&samples, DLVIZ_FLOAT32, 2, (int64_t[]){FAR, FAR}, values));
    dlviz_dataset *set;
    ck_ok(dlviz_dataset_create(&set, samples, NULL));
    for (int own = 0; own < 2; own++) {
        if (own)
            ck_ok(dlviz_dataset_set_channel_normalization(set, FAR, means, deviations));
        else
            ck_ok(dlviz_dataset_set_normalization(set, means[0], deviations[0]));
        all = plain(set);
        for (int i = 0; i < FAR * FAR; i++) {
            int j = own ? i % FAR : 0;
            double wanted = ((double)values[i] - (double)means[j]) / (double)deviations[j];
            ck_assert_double_eq_tol((double)dlviz_tensor_float(all)[i], wanted, 1e-6);
        }
        dlviz_tensor_destroy(all);
    }
    dlviz_tensor_destroy(samples);
    dlviz_dataset_destroy(set);
}
END_TEST

/* One sample whose deviations are beyond float32, and one that has none. */
START_TEST(contrast_of_far_numbers_is_right) {
    enum { SIZE = 12 };
    float values[2][SIZE];
    for (int i = 0; i < SIZE; i++) {
        values[0][i] = i == 7 ? FLT_MAX : -FLT_MAX;
        values[1][i] = 3e38f;
    }
    dlviz_tensor *samples;
    ck_ok(dlviz_tensor_from_data(&samples, DLVIZ_FLOAT32, 3, (int64_t[]){2, 3, 4}, values));
    dlviz_dataset *set;
    ck_ok(dlviz_dataset_create(&set, samples, NULL));
    dlviz_tensor_destroy(samples);
    with(set, dlviz_random_contrast(0.75));
    int beyond = 0, within = 0;
    for (int64_t epoch = 0; epoch < 50; epoch++) {
        dlviz_tensor *after = augmented(set, 9, epoch);
        for (int s = 0; s < 2; s++) {
            dlz_random r = draws(9, epoch, s, 0);
            double factor = between(&r, 0.25, 1.75), mean = 0;
            for (int i = 0; i < SIZE; i++)
                mean += (double)values[s][i] / SIZE;
            for (int i = 0; i < SIZE; i++) {
                double wanted = mean + factor * ((double)values[s][i] - mean);
                float value = dlviz_tensor_const_float(after)[s * SIZE + i];
                if (fabs(wanted) > (double)FLT_MAX * (1 + 1e-6)) {
                    ck_assert(isinf(value) && (value > 0) == (wanted > 0));
                    beyond++;
                } else if (fabs(wanted) < (double)FLT_MAX * (1 - 1e-6)) {
                    ck_assert(fabs((double)value - wanted) <= 1e33);
                    within += s == 0 && i == 7;
                }
            }
        }
        dlviz_tensor_destroy(after);
    }
    ck_assert(beyond > 10 && within > 10);
    dlviz_dataset_destroy(set);
}
END_TEST

/* -- What they draw ------------------------------------------------------------------------------
 */

enum { MANY = 20000 };

static void near(const char *what, double value, double wanted, double deviation) {
    double off = fabs(value - wanted) / (deviation / sqrt(MANY));
    ck_assert_msg(off < 5, "%s: %g, not %g (%.1f standard errors)", what, value, wanted, off);
}

START_TEST(draws_have_their_distributions) {
    /* One white pixel in the middle of 9 x 9, shifted by up to 4 and 2, tells its shift. */
    dlviz_tensor *samples;
    ck_ok(dlviz_tensor_create(&samples, DLVIZ_UINT8, 3, (int64_t[]){MANY, 9, 9}));
    uint8_t *pixels = dlviz_tensor_data(samples);
    for (int64_t i = 0; i < MANY; i++)
        pixels[i * 81 + 40] = 255;
    dlviz_dataset *set;
    ck_ok(dlviz_dataset_create(&set, samples, NULL));
    with(set, dlviz_random_shift(4, 2));
    dlviz_tensor *after = augmented(set, 5, 0);
    int64_t rows[9] = {0}, columns[9] = {0}, both[81] = {0};
    for (int64_t i = 0; i < MANY; i++)
        for (int64_t p = 0; p < 81; p++)
            if (dlviz_tensor_const_float(after)[i * 81 + p] == 1)
                rows[p / 9]++, columns[p % 9]++, both[p]++;
    for (int i = 0; i < 9; i++) {
        near("row", (double)rows[i] / MANY, 1.0 / 9, 0.32);
        near("column", (double)columns[i] / MANY, i >= 2 && i <= 6 ? 0.2 : 0, 0.4);
        ck_assert(i >= 2 && i <= 6 ? columns[i] > 0 : columns[i] == 0);
        for (int j = 2; j <= 6; j++)
            near("place", (double)both[9 * i + j] / MANY, 1.0 / 45, 0.15);
    }
    dlviz_tensor_destroy(after);
    dlviz_tensor_destroy(samples);
    dlviz_dataset_destroy(set);
}
END_TEST

START_TEST(noise_is_normal) {
    dlviz_tensor *samples;
    ck_ok(dlviz_tensor_create(&samples, DLVIZ_FLOAT32, 2, (int64_t[]){MANY, 5}));
    dlviz_dataset *set;
    ck_ok(dlviz_dataset_create(&set, samples, NULL));
    with(set, dlviz_random_noise(2));
    dlviz_tensor *after = augmented(set, 5, 0);
    const float *x = dlviz_tensor_const_float(after);
    for (int c = 0; c < 5; c++) {
        double sum = 0, squares = 0, fourth = 0, below = 0, product = 0;
        for (int64_t i = 0; i < MANY; i++) {
            double z = (double)x[5 * i + c] / 2;
            sum += z;
            squares += z * z;
            fourth += z * z * z * z;
            below += z < 0.6744897501960817;
            product += z * (double)x[5 * i + (c + 1) % 5] / 2;
        }
        near("mean", sum / MANY, 0, 1);
        near("variance", squares / MANY, 1, sqrt(2));
        near("fourth moment", fourth / MANY, 3, sqrt(96));
        near("third quartile", below / MANY, 0.75, sqrt(0.1875));
        near("covariance", product / MANY, 0, 1);
    }
    dlviz_tensor_destroy(after);
    dlviz_tensor_destroy(samples);
    dlviz_dataset_destroy(set);
}
END_TEST

/* Of max(λ, 1 − λ), where λ is Beta(alpha, alpha): mean, deviation and how much lies below 0.75, as
 * scipy.stats.beta has them. */
START_TEST(shares_are_of_the_beta_distribution) {
    static const struct {
        double alpha, mean, deviation, below;
    } cases[] = {{0.01, 0.993196305987, 0.0430749, 0.0108260514917},
                 {0.20000000000000001, 0.898809752352, 0.139722, 0.171888960957},
                 {1, 0.75, 0.144338, 0.5},
                 {4, 0.636718749999, 0.0953193, 0.85888671875},
                 {1000, 0.50891950556, 0.00673646, 1}};
    for (int c = 0; c < 5; c++) {
        dlviz_dataset *set = make_set(DLVIZ_UINT8, MANY, 1, 1, 1);
        with(set, dlviz_mixup(cases[c].alpha));
        double sum = 0, below = 0, partners = 0;
        for (int64_t i = 0; i < MANY; i++) {
            int64_t partner;
            double share = dlz_dataset_partner(set, &(dlz_variant){1, 0}, i, &partner);
            sum += share;
            below += share < 0.75;
            partners += (double)partner / (MANY - 1);
        }
        near("mean", sum / MANY, cases[c].mean, cases[c].deviation);
        double p = cases[c].below;
        near("below 0.75", below / MANY, p, sqrt(p * (1 - p)) + 1e-9);
        near("partner", partners / MANY, 0.5, sqrt(1.0 / 12));
        dlviz_dataset_destroy(set);
    }
}
END_TEST

START_TEST(probabilities_are_kept) {
    dlviz_dataset *set = make_set(DLVIZ_UINT8, MANY, 1, 1, 2);
    dlviz_tensor *before = plain(set);
    with(set, dlviz_random_horizontal_flip(0.3));
    with(set, dlviz_random_erase(0.6));
    dlviz_tensor *after = augmented(set, 1, 0);
    double flipped = 0, erased = 0;
    for (int64_t i = 0; i < MANY; i++) {
        dlz_random r = draws(1, 0, i, 1);
        erased += dlz_random_double(&r) < 0.6;
        const float *a = dlviz_tensor_const_float(before) + 2 * i,
                    *b = dlviz_tensor_const_float(after) + 2 * i;
        flipped += a[0] != a[1] && ((b[0] == a[1] && b[0] != 0) || (b[1] == a[0] && b[1] != 0));
    }
    near("erased", erased / MANY, 0.6, 0.49);
    /* Of those of whose two pixels not both were erased, and hardly any of which are alike. */
    ck_assert(flipped > 0.2 * MANY && flipped < 0.3 * MANY);
    dlviz_tensor_destroy(before);
    dlviz_tensor_destroy(after);
    dlviz_dataset_destroy(set);
}
END_TEST

/* -- The same for all ----------------------------------------------------------------------------
 */

static dlviz_dataset *with_everything(dlviz_dataset *set) {
    dlviz_augmentation *affine = dlviz_random_affine(20);
    ck_ok(dlviz_random_affine_set_scale(affine, 0.8, 1.2));
    with(with(set, dlviz_random_shift(2, 2)), affine);
    with(with(set, dlviz_random_horizontal_flip(0.5)), dlviz_random_erase(0.5));
    with(with(set, dlviz_random_brightness(0.2)), dlviz_random_contrast(0.2));
    return with(with(set, dlviz_random_noise(0.1)), dlviz_mixup(0.5));
}

START_TEST(threads_and_order_change_nothing) {
    dlviz_dataset *set = with_everything(make_set(DLVIZ_UINT8, 50, 3, 11, 9));
    ck_ok(dlviz_set_num_threads(1));
    dlviz_tensor *alone = augmented(set, 8, 3);
    const float *a = dlviz_tensor_const_float(alone);
    enum { SIZE = 3 * 11 * 9 };
    for (int threads = 1; threads <= 8; threads += threads < 3 ? 1 : 5) {
        ck_ok(dlviz_set_num_threads(threads));
        int64_t order[50];
        float *shuffled = malloc(50 * SIZE * sizeof *shuffled);
        dlz_epoch_order((uint64_t)threads, 0, 50, order);
        ck_ok(
            dlz_dataset_load_variants(set, &(dlz_variant){8, 3}, order, 50, shuffled, NULL, NULL));
        for (int64_t i = 0; i < 50; i++)
            ck_assert_mem_eq(shuffled + i * SIZE, a + order[i] * SIZE, SIZE * sizeof(float));
        free(shuffled);
    }
    /* Epochs, seeds and samples differ. */
    dlviz_tensor *later = augmented(set, 8, 4), *other = augmented(set, 9, 3);
    ck_assert(!same(alone, later));
    ck_assert(!same(alone, other));
    dlviz_tensor_destroy(later);
    dlviz_tensor_destroy(other);
    /* A piece is what it is of the whole. */
    ck_ok(dlviz_dataset_augmented_samples(set, 8, 3, 17, 4, &later));
    ck_assert_mem_eq(dlviz_tensor_const_data(later), a + 17 * SIZE, 4 * SIZE * sizeof(float));
    dlviz_tensor_destroy(later);
    dlviz_tensor_destroy(alone);
    dlviz_dataset_destroy(set);
}
END_TEST

START_TEST(extremes_are_harmless) {
    static const int64_t sizes[][3] = {{1, 1, 1}, {3, 1, 1}, {1, 1, 40}, {1, 40, 1}, {2, 3, 5}};
    for (int k = 0; k < 5; k++)
        for (int kind = 0; kind < 2; kind++) {
            dlviz_dataset *set = make_set(kind ? DLVIZ_FLOAT32 : DLVIZ_UINT8, 30, sizes[k][0],
                                          sizes[k][1], sizes[k][2]);
            dlviz_augmentation *a = dlviz_random_affine(180);
            ck_ok(dlviz_random_affine_set_scale(a, 0.001, 1000));
            ck_ok(dlviz_random_affine_set_shear(a, 89, 89));
            ck_ok(dlviz_random_affine_set_translation(a, 1, 1));
            with(set, a);
            with(set, dlviz_random_shift(INT32_MAX, INT32_MAX));
            with(set, dlviz_random_crop(INT32_MAX));
            with(set, dlviz_random_brightness(1000));
            with(set, dlviz_random_contrast(1000));
            with(set, dlviz_mixup(0.001));
            for (int64_t epoch = 0; epoch < 50; epoch++) {
                dlviz_tensor *after = augmented(set, UINT64_MAX, epoch);
                for (int64_t i = 0; i < dlviz_tensor_num_elements(after); i++)
                    ck_assert(isfinite(dlviz_tensor_const_float(after)[i]));
                dlviz_tensor_destroy(after);
            }
            ck_ok(dlviz_dataset_clear_augmentations(set));
            a = dlviz_random_erase(1);
            ck_ok(dlviz_random_erase_set_area(a, 1, 1));
            ck_ok(dlviz_random_erase_set_aspect(a, (double)sizes[k][1] / (double)sizes[k][2],
                                                (double)sizes[k][1] / (double)sizes[k][2]));
            ck_ok(dlviz_random_erase_set_fill(a, 7));
            with(set, a);
            dlviz_tensor *after = augmented(set, 1, 0); /* nothing is left */
            for (int64_t i = 0; i < dlviz_tensor_num_elements(after); i++)
                ck_assert(dlviz_tensor_const_float(after)[i] == 7);
            dlviz_tensor_destroy(after);
            dlviz_dataset_destroy(set);
        }
}
END_TEST

int main(void) {
    return run_tests(
        "augmented samples",
        (const TTest *[]){affine_maps_are_those_of_the_formula, geometry_composes,
                          whole_pixels_are_copied, values_change_as_they_should,
                          images_of_bytes_stay_within_their_range, mixtures_are_of_two_samples,
                          mixtures_of_far_numbers_are_right, moved_images_of_far_numbers_are_right,
                          normalized_far_numbers_are_right, contrast_of_far_numbers_is_right,
                          draws_have_their_distributions, noise_is_normal,
                          shares_are_of_the_beta_distribution, probabilities_are_kept,
                          threads_and_order_change_nothing, extremes_are_harmless, NULL});
}
