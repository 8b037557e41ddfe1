/* Losses, their gradients and metrics against PyTorch and scikit-learn (generate_losses.py), and
 * small networks over 20 steps. */
#include "losses/loss.h"
#include "support/fixture.h"
#include "support/netspec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A case of the fixture, its outputs and targets channels-last. */
typedef struct loss_case {
    char name[100];
    dlz_loss_batch batch;
    float *outputs, *targets;
    int64_t *labels;
} loss_case;

static bool find(const fixture *file, const char *name, const char *part, int64_t dims[8]) {
    char key[140];
    const char *found, *dtype;
    int ndim;
    snprintf(key, sizeof key, "%s/%s", name, part);
    for (int i = 0; fixture_entry(file, i, &found, &dtype, &ndim, dims); i++)
        if (strcmp(found, key) == 0)
            return true;
    return false;
}

/* n x channels x pixels to n x pixels x channels, or back. */
static float *reorder(const float *from, int64_t n, int64_t rows, int64_t columns) {
    float *to = malloc((size_t)(n * rows * columns) * sizeof *to);
    for (int64_t i = 0; i < n; i++)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                to[(i * columns + c) * rows + r] = from[(i * rows + r) * columns + c];
    return to;
}

static const char *key_of(const loss_case *c, const char *part) {
    static char key[140];
    snprintf(key, sizeof key, "%s/%s", c->name, part);
    return key;
}

static int64_t *read_labels(const double *from, int64_t n) {
    int64_t *labels = malloc((size_t)n * sizeof *labels);
    for (int64_t i = 0; i < n; i++)
        labels[i] = (int64_t)from[i];
    return labels;
}

static loss_case open_case(const fixture *file, const char *name, int ndim, const int64_t *dims) {
    loss_case c = {.batch = {.n = dims[0], .size = 1, .channels = dims[1]}};
    snprintf(c.name, sizeof c.name, "%s", name);
    dlz_loss_batch *b = &c.batch;
    b->shape.ndim = ndim - 1;
    for (int d = 1; d < ndim; d++)
        b->size *= b->shape.dims[d - 1] = dims[d];
    int64_t pixels = b->size / b->channels, count = b->n * b->size, other[8];
    b->outputs = c.outputs =
        reorder(fixture_floats(file, key_of(&c, "outputs"), count), b->n, b->channels, pixels);
    if (strstr(name, "cross_entropy/") || strcmp(name, "metrics/cross_entropy") == 0) {
        b->num_labels = pixels;
        b->labels = c.labels =
            read_labels(fixture_doubles(file, key_of(&c, "targets"), b->n * pixels), b->n * pixels);
    } else
        b->targets = c.targets =
            reorder(fixture_floats(file, key_of(&c, "targets"), count), b->n, b->channels, pixels);
    if (find(file, name, "weights", other))
        b->weights = fixture_floats(file, key_of(&c, "weights"), b->n);
    b->losses = malloc((size_t)b->n * sizeof(double));
    return c;
}

static void close_case(loss_case *c) {
    free(c->outputs);
    free(c->targets);
    free(c->labels);
    free(c->batch.losses);
}

/* The loss that a name stands for: "huber/3x5_1_0.25_0", say. */
static dlviz_loss *make_loss(const fixture *file, const loss_case *c) {
    const char *name = c->name;
    char setting[20] = "";
    sscanf(name, "%*[^/]/%*[^_]_%*[^_]_%19[^_]", setting);
    if (strncmp(name, "mse", 3) == 0)
        return dlviz_mse();
    if (strncmp(name, "l1", 2) == 0)
        return dlviz_l1();
    if (strncmp(name, "huber", 5) == 0)
        return dlviz_huber(plain_number(setting, NULL));
    dlviz_loss *loss;
    if (strncmp(name, "kl", 2) == 0) {
        loss = dlviz_kl_divergence();
        ck_ok(
            dlviz_kl_divergence_set_log_targets(loss, strncmp(name, "kl_divergence_log", 17) == 0));
    } else if (strncmp(name, "bce", 3) == 0) {
        loss = dlviz_bce_with_logits();
        double weights[512];
        for (int64_t i = 0; i < c->batch.channels; i++)
            weights[i] = 0.5 + 1.5 * (double)i;
        if (strstr(name, "_True_"))
            ck_ok(dlviz_bce_with_logits_set_positive_weights(loss, c->batch.channels, weights));
    } else {
        int64_t dims[8];
        loss = dlviz_cross_entropy();
        ck_ok(dlviz_cross_entropy_set_label_smoothing(
            loss, *fixture_doubles(file, key_of(c, "smoothing"), 1)));
        if (find(file, name, "class_weights", dims))
            ck_ok(dlviz_cross_entropy_set_class_weights(
                loss, dims[0], fixture_doubles(file, key_of(c, "class_weights"), dims[0])));
    }
    return loss;
}

/* How far a gradient may be: one rounding to float and, in the usual cross-entropy, exponentials in
 * float of differences that were rounded (tests/kernels/test_loss.c). */
static double tolerance_of(const dlviz_loss *loss) {
    return dlviz_cross_entropy_label_smoothing(loss) == 0 ? 6e-6 : 2e-7;
}

static int compare_case(const fixture *file, loss_case *c) {
    const dlz_loss_batch *b = &c->batch;
    dlviz_loss *loss = make_loss(file, c);
    int64_t count = b->n * b->size;
    float *gradient = malloc((size_t)count * sizeof *gradient);
    double mean, value = *fixture_doubles(file, key_of(c, "value"), 1), error = 0, norm = 0;
    dlz_tally tally = {.sums = NULL};
    bool maps = b->labels && b->shape.ndim == 3;
    dlz_target_shape targets = {.labels = b->labels != NULL,
                                .ndim = maps        ? 2
                                        : b->labels ? 0
                                                    : b->shape.ndim,
                                .dims = b->shape.dims + maps};
    ck_ok(dlz_loss_check(loss, "test", &b->shape, targets));
    ck_ok(dlz_loss_add(loss, "test", b, gradient, &mean, &tally));
    float *ordered = reorder(gradient, b->n, b->size / b->channels, b->channels);
    const float *wanted = fixture_floats(file, key_of(c, "gradient"), count);
    for (int64_t i = 0; i < count; i++) {
        error += pow((double)ordered[i] - (double)wanted[i], 2);
        norm += pow((double)wanted[i], 2);
    }
    error = sqrt(error) / fmax(sqrt(norm), 1e-12);
    double tolerance = tolerance_of(loss), off = fabs(mean - value) / fmax(fabs(value), 1e-12);
    bool near =
        off <= fmax(tolerance, 1e-12) && error <= tolerance && mean == dlz_tally_mean(&tally);
    if (!near)
        printf("%s: %.17g, not %.17g (off by %.1e); gradient off by %.1e\n", c->name, mean, value,
               off, error);
    /* Without a gradient the value is the same. */
    double again;
    ck_ok(dlz_loss_add(loss, "test", b, NULL, &again, &tally));
    ck_assert(again == mean);
    free(gradient);
    free(ordered);
    dlviz_loss_destroy(loss);
    return !near;
}

START_TEST(values_and_gradients_are_pytorchs) {
    fixture *file = fixture_open("losses.safetensors");
    const char *key, *dtype;
    int64_t dims[8];
    int ndim, cases = 0, far = 0;
    for (int i = 0; fixture_entry(file, i, &key, &dtype, &ndim, dims); i++) {
        const char *end = strstr(key, "/outputs");
        if (!end || strncmp(key, "metrics", 7) == 0)
            continue;
        char name[100];
        snprintf(name, sizeof name, "%.*s", (int)(end - key), key);
        loss_case c = open_case(file, name, ndim, dims);
        far += compare_case(file, &c);
        close_case(&c);
        cases++;
    }
    fflush(stdout);
    ck_assert_int_gt(cases, 100);
    ck_assert_int_eq(far, 0);
    fixture_close(file);
}
END_TEST

/* -- Metrics -------------------------------------------------------------------------------------
 */

static void compare_metrics(const fixture *file, const char *kind, dlviz_loss *loss) {
    char name[100];
    int64_t dims[8];
    snprintf(name, sizeof name, "metrics/%s", kind);
    ck_assert(find(file, name, "outputs", dims));
    loss_case c = open_case(file, name, 2, dims);
    const dlz_metrics *metrics = loss->type->metrics;
    const double *wanted = fixture_doubles(file, key_of(&c, "values"), metrics->count);
    double values[DLZ_MAX_METRICS], mean;
    dlz_tally tally = {.sums =
                           calloc((size_t)dlz_loss_num_sums(loss, &c.batch.shape), sizeof(double))};
    /* In three batches that differ in size. */
    const int64_t ends[] = {0, 1, 20, c.batch.n};
    for (int i = 0; i < 3; i++) {
        dlz_loss_batch part = c.batch;
        part.n = ends[i + 1] - ends[i];
        part.outputs += ends[i] * part.size;
        if (part.labels)
            part.labels += ends[i];
        else
            part.targets += ends[i] * part.size;
        ck_ok(dlz_loss_add(loss, "test", &part, NULL, &mean, &tally));
    }
    dlz_loss_metrics(loss, &c.batch.shape, &tally, values);
    if (metrics->judge) {
        dlviz_tensor *outputs = float_tensor(2, dims, c.outputs),
                     *targets = float_tensor(2, dims, c.targets);
        ck_ok(metrics->judge(outputs, targets, values + metrics->count - metrics->num_whole));
        dlviz_tensor_destroy(outputs);
        dlviz_tensor_destroy(targets);
    }
    for (int i = 0; i < metrics->count; i++)
        ck_assert_msg(fabs(values[i] - wanted[i]) <= 1e-12, "%s, %s: %.17g, not %.17g", kind,
                      metrics->names[i], values[i], wanted[i]);
    free(tally.sums);
    close_case(&c);
    dlviz_loss_destroy(loss);
}

START_TEST(metrics_are_scikit_learns) {
    fixture *file = fixture_open("losses.safetensors");
    compare_metrics(file, "cross_entropy", dlviz_cross_entropy());
    compare_metrics(file, "mse", dlviz_mse());
    compare_metrics(file, "l1", dlviz_l1());
    compare_metrics(file, "huber", dlviz_huber(1)); /* targets far from 0 */
    compare_metrics(file, "bce_with_logits", dlviz_bce_with_logits());
    fixture_close(file);
}
END_TEST

/* -- Networks ------------------------------------------------------------------------------------
 */

static dlviz_tensor *label_maps(int64_t height, int64_t width, const float *numbers) {
    dlviz_tensor *maps;
    ck_ok(dlviz_tensor_create(&maps, DLVIZ_UINT8, 3, (int64_t[]){9, height, width}));
    for (int64_t i = 0; i < 9 * height * width; i++)
        ((uint8_t *)dlviz_tensor_data(maps))[i] = (uint8_t)numbers[i];
    return maps;
}

static void follow(const char *name, const char *dims, const char *net, dlviz_loss *loss) {
    fixture *file = fixture_open("losses.safetensors");
    net_spec spec;
    char key[100];
    parse_net(&spec, dims, net);
    dlviz_network *network = build_net(&spec, 1);
    fill_states(network, 1, false);
    ck_ok(dlviz_network_set_loss(network, loss));
    dlviz_optimizer *adam;
    ck_ok(dlviz_adam_create(&adam, 0.01));
    snprintf(key, sizeof key, "networks/%s/losses", name);
    const double *losses = fixture_doubles(file, key, 20);
    const layer_spec *last = &spec.layers[spec.count - 1];
    int64_t shape[4] = {9};
    memcpy(shape + 1, last->dims, sizeof last->dims);
    bool maps = last->ndim == 3 && strcmp(dlviz_loss_name(loss), "cross_entropy") == 0;
    if (maps)
        shape[1] = 1;
    for (int step = 0; step < 20; step++) {
        snprintf(key, sizeof key, "networks/%s/targets%d", name, step);
        dlviz_tensor *inputs = input_tensor(&spec, 9, 700 + (uint64_t)step, false);
        const float *numbers = fixture_floats(file, key, product(last->ndim + 1, shape));
        dlviz_tensor *targets = maps ? label_maps(shape[2], shape[3], numbers)
                                     : float_tensor(last->ndim + 1, shape, numbers);
        double value;
        ck_ok(dlviz_network_backward(network, inputs, targets, 0, (uint64_t)step, &value));
        ck_ok(dlviz_optimizer_step(adam, network));
        ck_assert_msg(fabs(value - losses[step]) <= 1e-4 * losses[step],
                      "%s, step %d: %.9g, not %.9g", name, step, value, losses[step]);
        dlviz_tensor_destroy(inputs);
        dlviz_tensor_destroy(targets);
    }
    dlviz_optimizer_destroy(adam);
    dlviz_network_destroy(network);
    fixture_close(file);
}

START_TEST(a_regression_follows_pytorch) {
    follow("regression", "6", "fc1:linear,out=16 relu:relu fc2:linear,out=3", dlviz_mse());
}
END_TEST

START_TEST(a_multilabel_network_follows_pytorch) {
    dlviz_loss *loss = dlviz_bce_with_logits();
    ck_ok(dlviz_bce_with_logits_set_positive_weights(loss, 5, (const double[]){1, 2, 0.5, 3, 1}));
    follow("multilabel", "1x8x8",
           "conv:conv,out=4,k=3,pad=same relu:relu pool:pool,k=2 flat:flatten fc:linear,out=5",
           loss);
}
END_TEST

START_TEST(images_as_targets_follow_pytorch) {
    follow("images", "3x5x4",
           "conv1:conv,out=6,k=3,pad=same relu:relu conv2:conv,out=2,k=3,pad=same",
           dlviz_huber(0.5));
}
END_TEST

START_TEST(a_class_for_each_pixel_follows_pytorch) {
    dlviz_loss *loss = dlviz_cross_entropy();
    ck_ok(dlviz_cross_entropy_set_class_weights(loss, 3, (const double[]){1, 0.5, 2}));
    follow("segmentation", "3x5x4",
           "conv1:conv,out=6,k=3,pad=same relu:relu conv2:conv,out=3,k=3,pad=same", loss);
}
END_TEST

int main(void) {
    return run_tests("parity of losses",
                     (const TTest *[]){values_and_gradients_are_pytorchs, metrics_are_scikit_learns,
                                       a_regression_follows_pytorch,
                                       a_multilabel_network_follows_pytorch,
                                       images_as_targets_follow_pytorch,
                                       a_class_for_each_pixel_follows_pytorch, NULL});
}
