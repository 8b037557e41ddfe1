/* Images resampled by maps, and the loss of mixed batches, against PyTorch
 * (generate_augmentations.py). */
#include "data/warp.h"
#include "losses/loss.h"
#include "support/fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *key_of(const char *name, const char *part) {
    static char key[140];
    snprintf(key, sizeof key, "%s/%s", name, part);
    return key;
}

/* The name of the case that an entry called <case>/<part> begins; false where it begins none. */
static bool begins(const char *key, const char *kind, const char *part, char name[100]) {
    const char *end = strrchr(key, '/');
    if (strncmp(key, kind, strlen(kind)) != 0 || strcmp(end + 1, part) != 0)
        return false;
    snprintf(name, 100, "%.*s", (int)(end - key), key);
    return true;
}

/* -- Resampling ----------------------------------------------------------------------------------
 */

/* Places are worked out in double and weights rounded to float, so that values in −1 … 1 are off by
 * a few roundings; far away from the center PyTorch's own places, in −1 … 1, are that much coarser. */
static double resample_floats(const fixture *file, const char *name, const int64_t *dims,
                              const dlz_warp *warp) {
    int64_t count = dims[0] * dims[1] * dims[2];
    const float *image = fixture_floats(file, key_of(name, "image"), count);
    const double *wanted = fixture_doubles(file, key_of(name, "out"), count);
    float *out = malloc((size_t)count * sizeof *out);
    double worst = 0;
    dlz_warp_floats(warp, dims[0], image, 0.25f, out);
    for (int64_t i = 0; i < count; i++)
        worst = fmax(worst, fabs((double)out[i] - wanted[i]));
    free(out);
    return worst;
}

static int64_t resample_labels(const fixture *file, const char *name, int64_t count,
                               const dlz_warp *warp) {
    const double *labels = fixture_doubles(file, key_of(name, "labels"), count);
    const double *wanted = fixture_doubles(file, key_of(name, "out_labels"), count);
    int64_t *wide = malloc((size_t)count * sizeof *wide),
            *out = malloc((size_t)count * sizeof *out);
    uint8_t *narrow = malloc((size_t)count);
    int64_t wrong = 0;
    for (int64_t i = 0; i < count; i++)
        narrow[i] = (uint8_t)(wide[i] = (int64_t)labels[i]);
    for (int kind = 0; kind < 2; kind++) {
        dlz_warp_labels(warp, kind ? DLVIZ_INT64 : DLVIZ_UINT8, kind ? (void *)wide : narrow, -100,
                        out);
        for (int64_t i = 0; i < count; i++)
            wrong += out[i] != (int64_t)wanted[i];
    }
    free(wide);
    free(out);
    free(narrow);
    return wrong;
}

START_TEST(images_are_resampled_as_pytorch_does_it) {
    fixture *file = fixture_open("augmentations.safetensors");
    const char *key, *dtype;
    int64_t dims[8];
    int ndim, cases = 0;
    for (int i = 0; fixture_entry(file, i, &key, &dtype, &ndim, dims); i++) {
        char name[100];
        if (!begins(key, "resample/", "image", name))
            continue;
        const double *m = fixture_doubles(file, key_of(name, "map"), 6);
        dlz_warp warp =
            dlz_warp_of(&(dlz_map){m[0], m[1], m[2], m[3], m[4], m[5]}, dims[1], dims[2]);
        double error = resample_floats(file, name, dims, &warp);
        ck_assert_msg(error <= 5e-7, "%s: off by %.2e", name, error);
        if (warp.whole)
            ck_assert_msg(error < 1e-12, "%s: whole pixels are off by %.2e", name, error);
        int64_t wrong = resample_labels(file, name, dims[1] * dims[2], &warp);
        ck_assert_msg(wrong == 0, "%s: %lld labels are wrong", name, (long long)wrong);
        cases++;
    }
    ck_assert_int_eq(cases, 5 * 14);
    fixture_close(file);
}
END_TEST

/* -- Mixtures ------------------------------------------------------------------------------------
 */

/* n x rows x columns to n x columns x rows. */
static float *reorder(const float *from, int64_t n, int64_t rows, int64_t columns) {
    float *to = malloc((size_t)(n * rows * columns) * sizeof *to);
    for (int64_t i = 0; i < n; i++)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                to[(i * columns + c) * rows + r] = from[(i * rows + r) * columns + c];
    return to;
}

static int64_t *labels_of(const fixture *file, const char *name, const char *part, int64_t count) {
    const double *from = fixture_doubles(file, key_of(name, part), count);
    int64_t *labels = malloc((size_t)count * sizeof *labels);
    for (int64_t i = 0; i < count; i++)
        labels[i] = (int64_t)from[i];
    return labels;
}

/* Of a name like mixture/6x5x3x4_0.1_110: smoothing, with weights of classes or not. */
static dlviz_loss *make_loss(const char *name) {
    dlviz_loss *loss = dlviz_cross_entropy();
    const char *smoothing = strchr(name, '_') + 1, *flags = strchr(smoothing, '_') + 1;
    char text[8];
    snprintf(text, sizeof text, "%.*s", (int)(flags - 1 - smoothing), smoothing);
    ck_ok(dlviz_cross_entropy_set_label_smoothing(loss, plain_number(text, NULL)));
    if (flags[0] == '1')
        ck_ok(dlviz_cross_entropy_set_class_weights(loss, 5, (double[]){0.5, 2, 0, 1, 1.25}));
    return loss;
}

static void compare_mixture(const fixture *file, const char *name, int ndim, const int64_t *dims) {
    int64_t n = dims[0], pixels = ndim == 4 ? dims[2] * dims[3] : 1, count = n * dims[1] * pixels;
    float *outputs =
        reorder(fixture_floats(file, key_of(name, "outputs"), count), n, dims[1], pixels);
    int64_t *own = labels_of(file, name, "own", n * pixels);
    int64_t *others = labels_of(file, name, "partners", n * pixels);
    double losses[8], sums[8] = {0}, mean;
    dlz_tally tally = {.sums = sums};
    dlz_loss_batch batch = {.n = n,
                            .size = dims[1] * pixels,
                            .channels = dims[1],
                            .outputs = outputs,
                            .labels = own,
                            .num_labels = pixels,
                            .label_maps = ndim == 4,
                            .weights = fixture_floats(file, key_of(name, "own_weights"), n),
                            .losses = losses};
    batch.shape.ndim = ndim - 1;
    memcpy(batch.shape.dims, dims + 1, (size_t)(ndim - 1) * sizeof *dims);
    dlz_loss_batch partners = batch;
    partners.labels = others;
    partners.weights = fixture_floats(file, key_of(name, "partner_weights"), n);
    float *gradient = malloc((size_t)count * sizeof *gradient), *room = malloc((size_t)count * 4);
    dlviz_loss *loss = make_loss(name);
    ck_ok(dlz_loss_add_mixed(loss, "test", &batch, &partners, gradient, room, &mean, &tally));
    double wanted = *fixture_doubles(file, key_of(name, "value"), 1), error = 0, norm = 0;
    ck_assert_msg(fabs(mean - wanted) <= 6e-6 * fabs(wanted), "%s: %.17g, not %.17g", name, mean,
                  wanted);
    ck_assert(mean == dlz_tally_mean(&tally));
    float *ordered = reorder(gradient, n, pixels, dims[1]);
    const float *expected = fixture_floats(file, key_of(name, "gradient"), count);
    for (int64_t i = 0; i < count; i++) {
        error += pow((double)ordered[i] - (double)expected[i], 2);
        norm += pow((double)expected[i], 2);
    }
    ck_assert_msg(error <= 36e-12 * norm, "%s: the gradient is off by %.1e", name,
                  sqrt(error / norm));
    /* Metrics are those of the own labels. */
    double alone[8] = {0};
    dlz_tally other = {.sums = alone};
    ck_ok(dlz_loss_add(loss, "test", &batch, NULL, &mean, &other));
    ck_assert_mem_eq(sums, alone, sizeof sums);
    dlviz_loss_destroy(loss);
    void *blocks[] = {outputs, own, others, gradient, room, ordered};
    for (int i = 0; i < 6; i++)
        free(blocks[i]);
}

START_TEST(mixed_batches_have_pytorchs_loss_and_gradient) {
    fixture *file = fixture_open("augmentations.safetensors");
    const char *key, *dtype;
    int64_t dims[8];
    int ndim, cases = 0;
    for (int i = 0; fixture_entry(file, i, &key, &dtype, &ndim, dims); i++) {
        char name[100];
        if (!begins(key, "mixture/", "outputs", name))
            continue;
        compare_mixture(file, name, ndim, dims);
        cases++;
    }
    ck_assert_int_eq(cases, 32);
    fixture_close(file);
}
END_TEST

int main(void) {
    return run_tests("parity of augmentations",
                     (const TTest *[]){images_are_resampled_as_pytorch_does_it,
                                       mixed_batches_have_pytorchs_loss_and_gradient, NULL});
}
