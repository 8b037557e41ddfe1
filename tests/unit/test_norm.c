/* Layer, group and instance norm against their definitions in double. */
#include "support/one_layer.h"
#include "support/netspec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SIZE = 21 * 53 * 47, MOST = 5 * MOST_SIZE };

/* -- The definitions ------------------------------------------------------------------------------
 */

/* A sample is `groups` groups of neighbors, each brought to mean 0 and deviation 1. Weight and bias
 * belong to `repeat` numbers each. */
typedef struct definition {
    int64_t n, size, groups, repeat;
    double eps;
    const float *x, *dy, *weight, *bias;
    double *y, *dx, *dweight, *dbias;
    double *terms; /* how large what dx is made of can be */
} definition;

static void define_group(const definition *d, int64_t first) {
    int64_t count = d->size / d->groups, in_sample = first % d->size;
    long double total = 0; /* which equal numbers leave exact */
    for (int64_t i = 0; i < count; i++)
        total += (long double)d->x[first + i];
    double mean = (double)(total / (long double)count), variance = 0, sum = 0, product = 0;
    for (int64_t i = 0; i < count; i++)
        variance += pow((double)d->x[first + i] - mean, 2) / (double)count;
    double deviation = sqrt(variance + d->eps);
    for (int64_t i = 0; i < count; i++) {
        int64_t at = first + i, p = (in_sample + i) / d->repeat;
        double hat = ((double)d->x[at] - mean) / deviation, dy = (double)d->dy[at];
        double w = d->weight ? (double)d->weight[p] : 1, b = d->bias ? (double)d->bias[p] : 0;
        d->y[at] = hat * w + b;
        d->dweight[p] += dy * hat;
        d->dbias[p] += dy;
        sum += dy * w / (double)count;
        product += dy * w * hat / (double)count;
        *d->terms = count > 1 ? fmax(*d->terms, fabs(dy * w) / deviation) : 0;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t at = first + i, p = (in_sample + i) / d->repeat;
        double hat = ((double)d->x[at] - mean) / deviation;
        double w = d->weight ? (double)d->weight[p] : 1;
        d->dx[at] = (w * (double)d->dy[at] - sum - hat * product) / deviation;
    }
}

static void define(const definition *d) {
    memset(d->dweight, 0, (size_t)(d->size / d->repeat) * sizeof *d->dweight);
    memset(d->dbias, 0, (size_t)(d->size / d->repeat) * sizeof *d->dbias);
    for (int64_t first = 0; first < d->n * d->size; first += d->size / d->groups)
        define_group(d, first);
}

/* -- Data -----------------------------------------------------------------------------------------
 */

typedef enum data_kind {
    PLAIN,
    FAR,
    FARTHER,
    SMALL,
    TIES,
    CONSTANT,
    HUGE_NUMBERS,
    KINDS
} data_kind;
static const char *const kind_names[] = {"plain", "mean 1e4", "mean −3e5",     "deviation 1e-18",
                                         "ties",  "constant", "deviation 1e25"};

static void fill(float *x, int64_t count, data_kind kind, uint64_t seed) {
    fill_values(x, count, seed, kind == TIES);
    for (int64_t i = 0; i < count; i++) {
        if (kind == FAR || kind == FARTHER)
            x[i] = (kind == FAR ? 1e4f : -3e5f) + 1.7f * x[i];
        if (kind == SMALL || kind == HUGE_NUMBERS)
            x[i] *= kind == SMALL ? 1e-18f : 1e25f;
        if (kind == CONSTANT)
            x[i] = 0.1f;
    }
}

/* -- Comparing ------------------------------------------------------------------------------------
 */

static int far_ones;

/* Every number, as a share of the largest or of what it is made of. */
static void compare(const char *what, const char *text, const float *got, const double *want,
                    int64_t count, double allowed, double largest) {
    double worst = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(want[i]));
    for (int64_t i = 0; i < count; i++) {
        double error = fabs((double)got[i] - want[i]);
        worst = error <= worst ? worst : error; /* NaN stays */
    }
    if (worst <= allowed * largest)
        return;
    printf("%s: %s is off by %g of %g (%g allowed)\n", text, what, worst, largest,
           allowed * largest);
    far_ones++;
}

typedef enum norm_kind { LAYER, GROUP, INSTANCE } norm_kind;
typedef struct norm_case {
    norm_kind kind;
    const char *dims;
    int64_t groups;
    bool affine;
} norm_case;

static dlviz_layer *make(const norm_case *c, double eps) {
    dlviz_layer *layer = c->kind == LAYER   ? dlviz_layernorm()
                         : c->kind == GROUP ? dlviz_groupnorm(c->groups)
                                            : dlviz_instancenorm2d();
    dlviz_status (*const set_eps[])(dlviz_layer *, double) = {
        dlviz_layernorm_set_eps, dlviz_groupnorm_set_eps, dlviz_instancenorm2d_set_eps};
    dlviz_status (*const set_affine[])(dlviz_layer *, bool) = {
        dlviz_layernorm_set_affine, dlviz_groupnorm_set_affine, dlviz_instancenorm2d_set_affine};
    ck_ok(set_eps[c->kind](layer, eps));
    ck_ok(set_affine[c->kind](layer, c->affine));
    return layer;
}

static float x[MOST], dy[MOST], y[MOST], dx[MOST];
static double y_true[MOST], dx_true[MOST], dweight_true[MOST_SIZE], dbias_true[MOST_SIZE];

static void try_case(const norm_case *c, int64_t n, data_kind kind, double eps) {
    dlviz_network *network = one_layer(c->dims, make(c, eps));
    char text[120];
    int64_t size = one_layer_size(network), channels = strtoll(c->dims, NULL, 10);
    snprintf(text, sizeof text, "%s %s, %d groups%s, batch %d, %s",
             (const char *[]){"layer", "group", "instance"}[c->kind], c->dims, (int)c->groups,
             c->affine ? ", affine" : "", (int)n, kind_names[kind]);
    float *weight = one_layer_state(network, "layer.weight");
    float *bias = one_layer_state(network, "layer.bias");
    ck_assert_int_eq(weight != NULL, c->affine);
    int64_t repeat = c->kind == LAYER ? 1 : size / channels;
    for (int64_t i = 0; c->affine && i < size / repeat; i++)
        if (weight[i] != 1 || bias[i] != 0)
            ck_abort_msg("%s: parameter %d begins as %g and %g", text, (int)i, (double)weight[i],
                         (double)bias[i]);
    if (c->affine) {
        fill_uniform(weight, size / repeat, 3);
        fill_uniform(bias, size / repeat, 4);
    }
    fill(x, n * size, kind, 5);
    fill_uniform(dy, n * size, 6);
    run_one_layer(network, n, (one_layer_mode){.training = true, .gradients = true}, x, y, dy, dx);
    double terms = 0;
    definition d = {n,          size,    c->kind == INSTANCE ? channels : c->groups,
                    repeat,     eps,     x,
                    dy,         weight,  bias,
                    y_true,     dx_true, dweight_true,
                    dbias_true, &terms};
    define(&d);
    compare("the output", text, y, y_true, n * size, 1e-6, 0);
    compare("the input's gradient", text, dx, dx_true, n * size, 1e-6, terms);
    if (c->affine) {
        const float *dweight = one_layer_gradient(network, "layer.weight");
        const float *dbias = one_layer_gradient(network, "layer.bias");
        compare("the weight's gradient", text, dweight, dweight_true, size / repeat, 1e-6, 0);
        compare("the bias's gradient", text, dbias, dbias_true, size / repeat, 1e-6, 0);
    }
    /* Evaluation is the same. */
    static float again[MOST];
    run_one_layer(network, n, (one_layer_mode){0}, x, again, NULL, NULL);
    ck_assert_msg(memcmp(y, again, (size_t)(n * size) * sizeof *y) == 0,
                  "%s: evaluation gives other numbers", text);
    dlviz_network_destroy(network);
}

static const norm_case cases[] = {{LAYER, "1", 1, true},
                                  {LAYER, "7", 1, true},
                                  {LAYER, "512", 1, true},
                                  {LAYER, "1031", 1, false},
                                  {LAYER, "3x5x7", 1, true},
                                  {LAYER, "1x9x5", 1, true},
                                  {LAYER, "6x40x41", 1, true},
                                  {LAYER, "20x1x1", 1, true},
                                  {LAYER, "17x3x2", 1, false},
                                  {GROUP, "6", 2, true},
                                  {GROUP, "64", 8, true},
                                  {GROUP, "6x40x41", 3, true},
                                  {GROUP, "24x5x3", 4, true},
                                  {GROUP, "33x3x7", 11, false},
                                  {GROUP, "5x7x9", 5, true},
                                  {GROUP, "5x7x9", 1, true},
                                  {GROUP, "32x16x8", 32, true},
                                  {INSTANCE, "3x9x7", 0, false},
                                  {INSTANCE, "1x1x2", 0, true},
                                  {INSTANCE, "6x40x41", 0, true},
                                  {INSTANCE, "19x5x5", 0, true},
                                  {INSTANCE, "16x8x9", 0, false},
                                  /* So large that each sample is cut into pieces. */
                                  {LAYER, "3x131x127", 1, true},
                                  {LAYER, "21x53x47", 1, true},
                                  {LAYER, "50001", 1, true},
                                  {LAYER, "1x200x201", 1, true},
                                  {LAYER, "2x129x127", 1, false},
                                  {LAYER, "4099x3x3", 1, true},
                                  {GROUP, "6x101x83", 3, true},
                                  {GROUP, "40x31x33", 8, true},
                                  {GROUP, "70x23x29", 1, true},
                                  {GROUP, "2x150x151", 2, true},
                                  {INSTANCE, "5x83x89", 0, true},
                                  {INSTANCE, "64x23x23", 0, true}};
enum { CASES = sizeof cases / sizeof *cases };

START_TEST(norms_are_what_their_definitions_say) {
    far_ones = 0;
    for (int i = 0; i < CASES; i++)
        for (int kind = 0; kind < KINDS; kind++)
            for (int64_t n = 1; n <= 5; n += 4)
                try_case(&cases[i], n, (data_kind)kind, kind == SMALL ? 1e-37 : 1e-5);
    ck_assert_int_eq(far_ones, 0);
}
END_TEST

/* Channels that fill vectors and that do not, pixels that are a few more than are seen as one. */
START_TEST(any_number_of_channels_will_do) {
    far_ones = 0;
    for (int64_t channels = 1; channels <= 40; channels++)
        for (int kind = PLAIN; kind <= FAR; kind++) {
            char dims[40];
            snprintf(dims, sizeof dims, "%dx%dx15", (int)channels, channels % 2 ? 9 : 11);
            for (int k = 0; k < 4; k++) {
                norm_case c = {(norm_kind[]){LAYER, GROUP, GROUP, INSTANCE}[k], dims,
                               k == 2 ? channels : 1, k % 2 == 0};
                try_case(&c, 3, (data_kind)kind, 1e-5);
            }
        }
    ck_assert_int_eq(far_ones, 0);
}
END_TEST

START_TEST(equal_numbers_give_the_bias) {
    static const float values[] = {0, 0.1f, -1234567.9f, 3e-30f, 1e30f, 16777215};
    for (int i = 0; i < CASES; i++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            norm_case c = cases[i];
            c.affine = true;
            dlviz_network *network = one_layer(c.dims, make(&c, 1e-12));
            int64_t size = one_layer_size(network), channels = strtoll(c.dims, NULL, 10);
            int64_t repeat = c.kind == LAYER ? 1 : size / channels;
            float *bias = one_layer_state(network, "layer.bias");
            fill_uniform(bias, size / repeat, 4);
            bias[0] = 0;
            for (int64_t k = 0; k < size; k++)
                x[k] = values[v];
            run_one_layer(network, 1, (one_layer_mode){.training = true}, x, y, NULL, NULL);
            for (int64_t k = 0; k < size; k++)
                if (y[k] != bias[k / repeat])
                    ck_abort_msg("case %d: %g becomes %g, not %g", i, (double)values[v],
                                 (double)y[k], (double)bias[k / repeat]);
            dlviz_network_destroy(network);
        }
}
END_TEST

/* Their gradient is that of any sample about its mean, times 1 / sqrt(eps), which makes what lies
 * about numbers so large infinite where nothing lies: beyond the end of a vector. */
START_TEST(gradients_of_equal_numbers_are_finite) {
    static const double eps[] = {1e-5, 1e-12, 1e-60};
    static const float values[] = {0, 3e-30f, 1e9f, 5e32f, 1e37f};
    for (int turn = 0; turn < 3 * 5 * 3; turn++)
        for (int64_t size = 2; size <= 70; size++) {
            norm_case c = {.kind = turn % 3, .groups = 1, .affine = true};
            char dims[20];
            snprintf(dims, sizeof dims, c.kind == LAYER ? "%d" : "%dx1x3", (int)size);
            dlviz_network *network = one_layer(dims, make(&c, eps[turn / 15]));
            int64_t count = one_layer_size(network), row = c.kind == INSTANCE ? 3 : count;
            for (int64_t k = 0; k < count; k++)
                x[k] = values[turn / 3 % 5];
            fill_uniform(dy, count, 6);
            run_one_layer(network, 1, (one_layer_mode){.training = true, .gradients = true}, x, y,
                          dy, dx);
            const float *dweight = one_layer_gradient(network, "layer.weight");
            for (int64_t k = 0; k < count; k++) {
                double mean = 0;
                for (int64_t i = 0; i < row; i++)
                    mean += (double)dy[k / row * row + i] / (double)row;
                double want = ((double)dy[k] - mean) / sqrt(eps[turn / 15]);
                ck_assert_msg(fabs((double)dx[k] - want) <= 1e-6 / sqrt(eps[turn / 15]),
                              "kind %d, %s numbers of %g: dx %g, not %g", c.kind, dims,
                              (double)x[k], (double)dx[k], want);
            }
            for (int64_t k = 0; k < size; k++)
                ck_assert_double_eq((double)dweight[k], 0);
            dlviz_network_destroy(network);
        }
}
END_TEST

START_TEST(threads_do_not_change_the_bits) {
    static const int threads[] = {1, 2, 3, 8};
    static float first_y[MOST], first_dx[MOST], first_weight[MOST_SIZE];
    for (int i = 0; i < CASES; i++)
        for (int t = 0; t < 4; t++) {
            ck_ok(dlviz_set_num_threads(threads[t]));
            dlviz_network *network = one_layer(cases[i].dims, make(&cases[i], 1e-5));
            int64_t size = one_layer_size(network);
            fill(x, 5 * size, PLAIN, 5);
            fill_uniform(dy, 5 * size, 6);
            run_one_layer(network, 5, (one_layer_mode){.training = true, .gradients = true}, x, y,
                          dy, dx);
            const float *weight = one_layer_gradient(network, "layer.weight");
            size_t bytes = (size_t)(5 * size) * sizeof(float);
            int64_t parameters = cases[i].kind == LAYER ? size : strtoll(cases[i].dims, NULL, 10);
            size_t weights = weight ? (size_t)parameters * sizeof(float) : 0;
            if (t == 0) {
                memcpy(first_y, y, bytes);
                memcpy(first_dx, dx, bytes);
                if (weight)
                    memcpy(first_weight, weight, weights);
            }
            ck_assert_int_eq(memcmp(first_y, y, bytes), 0);
            ck_assert_int_eq(memcmp(first_dx, dx, bytes), 0);
            if (weight)
                ck_assert_int_eq(memcmp(first_weight, weight, weights), 0);
            dlviz_network_destroy(network);
        }
}
END_TEST

START_TEST(nan_and_infinity_are_not_hidden) {
    static const float values[] = {NAN, INFINITY, -INFINITY};
    const norm_case some[] = {
        {LAYER, "40", 1, true}, {GROUP, "6x4x4", 3, true}, {INSTANCE, "6x4x4", 0, false}};
    for (int i = 0; i < 3; i++)
        for (int v = 0; v < 3; v++) {
            dlviz_network *network = one_layer(some[i].dims, make(&some[i], 1e-5));
            int64_t size = one_layer_size(network);
            fill(x, size, PLAIN, 5);
            x[0] = values[v];
            run_one_layer(network, 1, (one_layer_mode){.training = true}, x, y, NULL, NULL);
            ck_assert(isnan(y[1]));
            if (i > 0) /* other groups know nothing of it */
                ck_assert(isfinite(y[size - 1]));
            dlviz_network_destroy(network);
        }
}
END_TEST

/* -- Settings and shapes --------------------------------------------------------------------------
 */

START_TEST(settings_are_checked) {
    static const double bad[] = {0, -1e-5, NAN, INFINITY};
    dlviz_layer *layers[] = {dlviz_layernorm(), dlviz_groupnorm(4), dlviz_instancenorm2d()};
    dlviz_status (*const set_eps[])(dlviz_layer *, double) = {
        dlviz_layernorm_set_eps, dlviz_groupnorm_set_eps, dlviz_instancenorm2d_set_eps};
    dlviz_status (*const set_affine[])(dlviz_layer *, bool) = {
        dlviz_layernorm_set_affine, dlviz_groupnorm_set_affine, dlviz_instancenorm2d_set_affine};
    double (*const eps[])(const dlviz_layer *) = {dlviz_layernorm_eps, dlviz_groupnorm_eps,
                                                  dlviz_instancenorm2d_eps};
    bool (*const affine[])(const dlviz_layer *) = {dlviz_layernorm_affine, dlviz_groupnorm_affine,
                                                   dlviz_instancenorm2d_affine};
    for (int i = 0; i < 3; i++) {
        ck_assert_double_eq(eps[i](layers[i]), 1e-5);
        ck_assert_int_eq(affine[i](layers[i]), i < 2);
        ck_ok(set_eps[i](layers[i], 0.25));
        ck_ok(set_affine[i](layers[i], i == 2));
        ck_assert_double_eq(eps[i](layers[i]), 0.25);
        ck_assert_int_eq(affine[i](layers[i]), i == 2);
        for (int k = 0; k < 3; k++)
            ck_assert(k == i ? eps[i](layers[k]) == 0.25 || k > i : isnan(eps[i](layers[k])));
        ck_assert(isnan(eps[i](NULL)));
        ck_assert(!affine[i](NULL));
        ck_fails(set_eps[i](NULL, 1), DLVIZ_ERROR_INVALID_ARGUMENT, "'layer' is NULL");
    }
    ck_assert_int_eq(dlviz_groupnorm_num_groups(layers[1]), 4);
    ck_assert_int_eq(dlviz_groupnorm_num_groups(layers[0]), 0);
    ck_assert_int_eq(dlviz_groupnorm_num_groups(NULL), 0);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 4; k++) {
            ck_fails(set_eps[i](layers[i], bad[k]), DLVIZ_ERROR_INVALID_ARGUMENT,
                     "1e-60 to 1e30 is accepted");
            ck_assert_double_eq(eps[i](layers[i]), 0.25);
        }
    ck_fails(dlviz_layernorm_set_affine(layers[1], true), DLVIZ_ERROR_INVALID_ARGUMENT,
             "the layer is a groupnorm, needs a layernorm");
    for (int i = 0; i < 3; i++)
        dlviz_layer_destroy(layers[i]);
}
END_TEST

static void build_fails(int ndim, const int64_t *dims, dlviz_layer *layer, dlviz_status status,
                        const char *words) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, ndim, dims));
    dlviz_status added = dlviz_network_add(network, "norm", layer);
    (void)added; /* build says it again */
    ck_fails(dlviz_network_build(network, 1), status, words);
    dlviz_network_destroy(network);
}

START_TEST(shapes_are_checked) {
    build_fails(3, (int64_t[]){6, 4, 4}, dlviz_groupnorm(4), DLVIZ_ERROR_SHAPE,
                "input has 6 channels, which cannot be divided into 4 groups");
    build_fails(1, (int64_t[]){6}, dlviz_groupnorm(7), DLVIZ_ERROR_SHAPE, "into 7 groups");
    build_fails(1, (int64_t[]){6}, dlviz_groupnorm(0), DLVIZ_ERROR_INVALID_ARGUMENT,
                "num_groups is 0; 1 to");
    build_fails(1, (int64_t[]){6}, dlviz_groupnorm(-2), DLVIZ_ERROR_INVALID_ARGUMENT,
                "num_groups is -2; 1 to");
    build_fails(1, (int64_t[]){6}, dlviz_instancenorm2d(), DLVIZ_ERROR_SHAPE, "needs 3");
    build_fails(3, (int64_t[]){6, 1, 1}, dlviz_instancenorm2d(), DLVIZ_ERROR_SHAPE,
                "one number a channel");
}
END_TEST

static dlviz_network *with_settings(double eps, int64_t groups, bool affine) {
    dlviz_network *network;
    dlviz_layer *layers[] = {dlviz_layernorm(), dlviz_groupnorm(groups), dlviz_instancenorm2d(),
                             dlviz_softmax(),   dlviz_log_softmax(),     dlviz_dropout2d(0.25)};
    ck_ok(dlviz_layernorm_set_eps(layers[0], eps));
    ck_ok(dlviz_instancenorm2d_set_affine(layers[2], affine));
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){4, 5, 3}));
    for (int i = 0; i < 6; i++)
        ck_ok(dlviz_network_add(
            network, (const char *[]){"layer", "group", "instance", "soft", "log", "drop"}[i],
            layers[i]));
    ck_ok(dlviz_network_build(network, 1));
    return network;
}

START_TEST(settings_are_kept_in_files) {
    const char *path = scratch_path("norms.safetensors");
    dlviz_network *network = with_settings(0.125, 2, true), *opened, *another;
    dlviz_tensor *inputs, *a, *b;
    fill_states(network, 3, false);
    ck_ok(dlviz_network_save(network, path));
    ck_ok(dlviz_network_open(&opened, path));
    ck_assert_str_eq(dlviz_network_summary(network), dlviz_network_summary(opened));
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, 4, (int64_t[]){2, 4, 5, 3}));
    fill_uniform(dlviz_tensor_float(inputs), 120, 1);
    ck_ok(dlviz_network_forward(network, inputs, &a));
    ck_ok(dlviz_network_forward(opened, inputs, &b));
    ck_assert_int_eq(
        memcmp(dlviz_tensor_const_float(a), dlviz_tensor_const_float(b), 120 * sizeof(float)), 0);
    another = with_settings(0.25, 2, true);
    ck_fails(dlviz_network_load(another, path), DLVIZ_ERROR_FORMAT, "eps");
    dlviz_network_destroy(another);
    another = with_settings(0.125, 4, true);
    ck_fails(dlviz_network_load(another, path), DLVIZ_ERROR_FORMAT, "num_groups");
    dlviz_network_destroy(another);
    another = with_settings(0.125, 2, false);
    ck_fails(dlviz_network_load(another, path), DLVIZ_ERROR_FORMAT, "affine");
    dlviz_network_destroy(another);
    dlviz_tensor *all[] = {inputs, a, b};
    for (int i = 0; i < 3; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_network_destroy(opened);
    dlviz_network_destroy(network);
}
END_TEST

/* -- Biases that a norm takes out -----------------------------------------------------------------
 */

/* The largest gradient of a convolution's bias before the layer. */
static double bias_before(dlviz_layer *layer, int64_t channels) {
    dlviz_network *network;
    dlviz_tensor *inputs, *labels, *gradient;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){2, 6, 6}));
    ck_ok(dlviz_network_add(network, "conv", dlviz_conv2d(channels, 3, DLVIZ_PAD_SAME)));
    ck_ok(dlviz_network_add(network, "norm", layer));
    ck_ok(dlviz_network_add(network, "relu", dlviz_relu()));
    ck_ok(dlviz_network_add(network, "flat", dlviz_flatten()));
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(3)));
    ck_ok(dlviz_network_build(network, 1));
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, 4, (int64_t[]){3, 2, 6, 6}));
    fill_uniform(dlviz_tensor_float(inputs), 3 * 72, 1);
    labels = int64_tensor(3, (int64_t[]){0, 1, 2});
    ck_ok(dlviz_network_backward(network, inputs, labels, 1, 1, NULL));
    ck_ok(dlviz_network_get_gradient(network, "conv.bias", &gradient));
    double largest = 0;
    for (int64_t c = 0; c < channels; c++)
        largest = fmax(largest, fabs((double)dlviz_tensor_const_float(gradient)[c]));
    dlviz_tensor_destroy(gradient);
    dlviz_tensor_destroy(labels);
    dlviz_tensor_destroy(inputs);
    dlviz_network_destroy(network);
    return largest;
}

START_TEST(a_bias_that_is_taken_out_has_no_gradient) {
    ck_assert_double_eq(bias_before(dlviz_instancenorm2d(), 4), 0);
    ck_assert_double_eq(bias_before(dlviz_groupnorm(4), 4), 0);
    ck_assert_double_eq(bias_before(dlviz_groupnorm(1), 1), 0);
    ck_assert_double_eq(bias_before(dlviz_layernorm(), 1), 0);
    ck_assert_double_gt(bias_before(dlviz_groupnorm(2), 4), 1e-4);
    ck_assert_double_gt(bias_before(dlviz_layernorm(), 4), 1e-4);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {norms_are_what_their_definitions_say,
                                  any_number_of_channels_will_do,
                                  equal_numbers_give_the_bias,
                                  gradients_of_equal_numbers_are_finite,
                                  threads_do_not_change_the_bits,
                                  nan_and_infinity_are_not_hidden,
                                  settings_are_checked,
                                  shapes_are_checked,
                                  settings_are_kept_in_files,
                                  a_bias_that_is_taken_out_has_no_gradient,
                                  NULL};
    return run_tests("layer, group and instance norm", tests);
}
