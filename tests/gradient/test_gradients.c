/* Gradients against central differences of a loss computed in double precision by other code
 * (support/reference.c), in shapes chosen to be awkward and in shapes drawn at random. */
#include "base/random.h"
#include "support/reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Error of a directional derivative, relative to the norm of the tensor's gradient, that float32
 * and fast convolutions may make. */
#define TOLERANCE 1e-5
/* The same as a number: what is left where terms cancel, and where batch norms that follow each
 * other cancel whole gradients. */
#define CANCELLED 5e-8
#define CHAIN_CANCELLED 5e-6
#define DIRECTIONS 3
#define STEP 1e-8

static double norm(const float *values, int64_t count) {
    double squares = 0;
    for (int64_t i = 0; i < count; i++)
        squares += (double)values[i] * values[i];
    return sqrt(squares);
}

/* The derivative along `direction`, which has entries in [-1, 1). */
static double central_difference(reference *ref, double *parameter, const float *direction,
                                 int64_t count, const float *inputs, const int64_t *labels,
                                 int64_t n) {
    double *kept = malloc((size_t)count * sizeof *kept), loss[2];
    memcpy(kept, parameter, (size_t)count * sizeof *kept);
    for (int side = 0; side < 2; side++) {
        double h = side == 0 ? STEP : -STEP;
        for (int64_t i = 0; i < count; i++)
            parameter[i] = kept[i] + h * direction[i];
        loss[side] = reference_loss(ref, inputs, labels, n);
    }
    memcpy(parameter, kept, (size_t)count * sizeof *kept);
    free(kept);
    return (loss[0] - loss[1]) / (2 * STEP);
}

static int check_parameter(const dlviz_network *network, reference *ref, const char *name,
                           double whole_norm, double cancelled, const float *inputs,
                           const int64_t *labels, int64_t n) {
    dlviz_tensor *tensor;
    int64_t count;
    ck_ok(dlviz_network_get_gradient(network, name, &tensor));
    const float *gradient = dlviz_tensor_const_float(tensor);
    double *parameter = reference_state(ref, name, &count);
    ck_assert_int_eq(dlviz_tensor_num_elements(tensor), count);
    float *direction = malloc((size_t)count * sizeof *direction);
    double allowed = TOLERANCE * fmax(norm(gradient, count), 1e-2 * whole_norm) + cancelled;
    int far = 0;
    for (int d = 0; d < DIRECTIONS; d++) {
        double found = 0;
        fill_uniform(direction, count, 900 + (uint64_t)d);
        for (int64_t i = 0; i < count; i++)
            found += (double)gradient[i] * direction[i];
        double expected = central_difference(ref, parameter, direction, count, inputs, labels, n);
        if (!(fabs(found - expected) <= allowed)) {
            printf("  %s: derivative %.9g, central difference %.9g; %.2e apart, %.2e allowed\n",
                   name, found, expected, fabs(found - expected), allowed);
            far++;
        }
    }
    free(direction);
    dlviz_tensor_destroy(tensor);
    return far;
}

/* The output of every layer in evaluation. */
static int check_outputs(dlviz_network *network, reference *ref, const net_spec *spec,
                         dlviz_tensor *inputs, int64_t n) {
    dlviz_dataset *dataset;
    int far = 0;
    ck_ok(dlviz_dataset_create(&dataset, inputs, NULL));
    for (int i = 0; i < spec->count; i++) {
        const layer_spec *layer = &spec->layers[i];
        int64_t width = product(layer->ndim, layer->dims);
        dlviz_tensor *features;
        ck_assert_int_eq(dlviz_network_layer_ndim(network, layer->name), layer->ndim);
        const int64_t *dims = dlviz_network_layer_dims(network, layer->name);
        for (int d = 0; d < layer->ndim; d++)
            ck_assert_int_eq(dims[d], layer->dims[d]);
        ck_ok(dlviz_network_features(network, layer->name, dataset, &features));
        ck_assert_int_eq(dlviz_tensor_num_elements(features), n * width);
        double *expected =
            reference_outputs(ref, dlviz_tensor_const_float(inputs), n, false, layer->name);
        double difference = 0, squares = 0;
        for (int64_t j = 0; j < n * width; j++) {
            double d = dlviz_tensor_const_float(features)[j] - expected[j];
            difference += d * d;
            squares += expected[j] * expected[j];
        }
        if (!(sqrt(difference) <= TOLERANCE * sqrt(squares))) {
            printf("  output of %s: off by %.2e of %.2e\n", layer->name, sqrt(difference),
                   sqrt(squares));
            far++;
        }
        free(expected);
        dlviz_tensor_destroy(features);
    }
    dlviz_dataset_destroy(dataset);
    return far;
}

static int check_net(const net_spec *spec, int64_t n, uint64_t seed, double cancelled) {
    dlviz_network *network = build_net(spec, 1);
    int64_t classes = spec->layers[spec->count - 1].dims[0];
    fill_states(network, seed, false);
    reference *ref = reference_create(spec, network);
    dlviz_tensor *inputs = input_tensor(spec, n, seed + 1, false);
    dlviz_tensor *labels = label_tensor(n, classes, seed + 2);
    const float *x = dlviz_tensor_const_float(inputs);
    const int64_t *y = dlviz_tensor_const_data(labels);
    int far = check_outputs(network, ref, spec, inputs, n);
    double loss, expected = reference_loss(ref, x, y, n);
    ck_ok(dlviz_network_backward(network, inputs, labels, 0, 0, &loss));
    if (!(fabs(loss - expected) <= 3e-6 * fmax(expected, 1))) {
        printf("  loss %.9g, in double %.9g\n", loss, expected);
        far++;
    }
    size_t bytes;
    float *all = all_gradients(network, &bytes);
    double whole = norm(all, (int64_t)(bytes / sizeof *all));
    free(all);
    for (int i = 0; i < dlviz_network_num_states(network); i++) {
        const char *name = dlviz_network_state_name(network, i);
        if (is_trainable(name))
            far += check_parameter(network, ref, name, whole, cancelled, x, y, n);
    }
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    reference_destroy(ref);
    dlviz_network_destroy(network);
    fflush(stdout);
    return far;
}

START_TEST(awkward_shapes) {
    static const struct {
        int64_t n;
        const char *dims, *net;
    } cases[] = {
        {1, "3x7x5", "c:conv,out=7,k=3,pad=same f:flatten o:linear,out=3"},
        {5, "17x5x3", "c:conv,out=13,k=5x3,pad=2x1 b:bn r:relu f:flatten o:linear,out=3"},
        {3, "1x13x11",
         "c:conv,out=33,k=3,pad=same b:bn r:relu p:pool,k=2 f:flatten o:linear,out=5"},
        {3, "31x6x9", "c:conv,out=32,k=3,pad=same f:flatten o:linear,out=3"},
        {3, "32x9x6", "c:conv,out=31,k=3,pad=same f:flatten o:linear,out=3"},
        {2, "32x5x7",
         "a:conv,out=32,k=3,pad=same b:bn r:relu c:conv,out=64,k=3,pad=same d:bn s:relu p:pool,k=2 "
         "f:flatten o:linear,out=3"},
        {7, "1x3x3", "c:conv,out=1,k=3 b:bn f:flatten o:linear,out=2"},
        {3, "9x11x10",
         "a:conv,out=33,k=3 b:bn r:relu c:conv,out=16,k=3,pad=2x0 d:bn s:relu p:pool,k=2 f:flatten "
         "o:linear,out=3"},
        {4, "2x1x17", "c:conv,out=5,k=1x5,pad=0x2 b:bn r:relu p:pool,k=1 f:flatten o:linear,out=3"},
        {3, "4x12x5", "c:conv,out=6,k=4x2,stride=3x1,dil=2x3,pad=3x2 f:flatten o:linear,out=3"},
        {3, "5x9x9",
         "p:pool,k=3,stride=2,pad=1 c:conv,out=4,k=2 b:bn q:pool,k=2,stride=1 f:flatten "
         "o:linear,out=3"},
        {4, "3x12x12",
         "c:conv,out=32,k=3,pad=same p:pool,k=2 b:bn r:relu f:flatten o:linear,out=3"},
        {4, "32x12x12",
         "a:conv,out=32,k=3,pad=same b:bn r:relu c:conv,out=32,k=3,pad=same d:bn p:pool,k=2 e:bn "
         "s:relu f:flatten o:linear,out=3"},
        {9, "19", "a:linear,out=23 b:bn r:relu c:linear,out=17 d:bn s:relu o:linear,out=11"},
        {65, "3", "a:linear,out=2 b:bn,eps=0.1 r:relu o:linear,out=2"},
        {5, "2x6x6", "a:bn c:conv,out=3,k=3 f:flatten l:linear,out=4 b:bn r:relu o:linear,out=3"},
    };
    int far = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        net_spec spec;
        parse_net(&spec, cases[i].dims, cases[i].net);
        int more = check_net(&spec, cases[i].n, 40 + i, CANCELLED);
        if (more)
            printf("in %s | %s\n", cases[i].dims, cases[i].net);
        far += more;
    }
    ck_assert_msg(far == 0, "%d figures are too far from those in double precision", far);
}
END_TEST

static int between(dlz_random *random, int64_t low, int64_t high) {
    return (int)(low + (int64_t)dlz_random_below(random, (uint64_t)(high - low + 1)));
}

/* Appends a layer's text unless its output would be empty. */
static void append_layer(char *text, size_t size, const char *dims, const char *layer) {
    char longer[1200];
    net_spec spec;
    snprintf(longer, sizeof longer, "%s %s", text, layer);
    parse_net(&spec, dims, longer);
    const layer_spec *last = &spec.layers[spec.count - 1];
    for (int i = 0; i < last->ndim; i++)
        if (last->dims[i] < 1)
            return;
    ck_assert_uint_lt(strlen(longer), size);
    strcpy(text, longer);
}

static void random_net(dlz_random *random, char dims[40], char text[1024]) {
    static const int channels[] = {1, 2, 3, 5, 8, 16, 17, 32};
    char layer[128];
    int first = channels[between(random, 0, 7)], height = between(random, 1, 13);
    snprintf(dims, 40, "%dx%dx%d", first, height, between(random, 1, 13));
    text[0] = '\0';
    int blocks = between(random, 1, 3);
    for (int b = 0; b < blocks; b++) {
        int out = channels[between(random, 0, 7)], o[10];
        const int most[10] = {4, 4, 2, 2, 1, 1, 4, 4, 1, 1};
        for (int i = 0; i < 10; i++)
            o[i] = between(random, 0, most[i]);
        if (o[9]) /* the common kind */
            snprintf(layer, sizeof layer, "c%d:conv,out=%d,k=3,pad=same", b, out);
        else
            snprintf(layer, sizeof layer,
                     "c%d:conv,out=%d,k=%dx%d,stride=%dx%d,dil=%dx%d,pad=%dx%d,bias=%d", b, out,
                     o[0] + 1, o[1] + 1, o[2] + 1, o[3] + 1, o[4] + 1, o[5] + 1, o[6], o[7], o[8]);
        append_layer(text, 1024, dims, layer);
        if (between(random, 0, 3)) {
            snprintf(layer, sizeof layer, "b%d:bn,eps=1e-3", b);
            append_layer(text, 1024, dims, layer);
        }
        if (between(random, 0, 3)) {
            snprintf(layer, sizeof layer, "r%d:relu", b);
            append_layer(text, 1024, dims, layer);
        }
        if (between(random, 0, 1)) {
            int k = between(random, 1, 3), stride = between(random, 1, 3);
            snprintf(layer, sizeof layer, "p%d:pool,k=%d,stride=%d,pad=%d", b, k, stride,
                     between(random, 0, k / 2));
            append_layer(text, 1024, dims, layer);
        }
    }
    append_layer(text, 1024, dims, "f:flatten o:linear,out=4");
}

/* Any layer after any other: what one operation leaves to the next is then met by every kind. */
static void random_chain(dlz_random *random, char dims[40], char text[1024]) {
    static const int channels[] = {1, 3, 8, 17, 32};
    char layer[128];
    int width = between(random, 2, 12);
    snprintf(dims, 40, "%dx%dx%d", channels[between(random, 0, 4)], width + between(random, 0, 3),
             width);
    text[0] = '\0';
    bool flat = false;
    for (int i = 0; i < 7; i++) {
        int kind = between(random, 0, flat ? 2 : 6), out = channels[between(random, 0, 4)];
        if (kind == 0)
            snprintf(layer, sizeof layer, "b%d:bn,eps=1e-3", i);
        else if (kind == 1)
            snprintf(layer, sizeof layer, "r%d:relu", i);
        else if (kind == 2 && flat)
            snprintf(layer, sizeof layer, "l%d:linear,out=%d", i, out);
        else if (kind == 2)
            snprintf(layer, sizeof layer, "p%d:pool,k=%d,stride=2", i, between(random, 2, 3));
        else if (kind == 3)
            snprintf(layer, sizeof layer, "s%d:pool,k=2", i);
        else if (kind < 6)
            snprintf(layer, sizeof layer, "c%d:conv,out=%d,k=%d,pad=same", i, out,
                     kind == 5 && between(random, 0, 2) == 0 ? 1 : 3);
        else if (i > 3)
            snprintf(layer, sizeof layer, "f:flatten");
        flat |= kind == 6 && i > 3;
        if (kind < 6 || flat)
            append_layer(text, 1024, dims, layer);
    }
    append_layer(text, 1024, dims, flat ? "o:linear,out=4" : "f:flatten o:linear,out=4");
}

static void check_random(void (*make)(dlz_random *random, char dims[40], char text[1024]),
                         const char *what, uint64_t count, uint64_t stream, double cancelled) {
    int far = 0;
    for (uint64_t seed = 0; seed < count; seed++) {
        dlz_random random = dlz_random_start(seed, stream);
        char dims[40], text[1024];
        net_spec spec;
        make(&random, dims, text);
        parse_net(&spec, dims, text);
        int n = between(&random, 4, 9);
        int more = check_net(&spec, n, 1000 * (seed + 1), cancelled);
        if (more)
            printf("in %s %d: batch %d of %s |%s\n", what, (int)seed, n, dims, text);
        far += more;
    }
    ck_assert_msg(far == 0, "%d figures are too far from those in double precision", far);
}

START_TEST(random_networks) {
    check_random(random_net, "network", 80, 77, CANCELLED);
}
END_TEST

START_TEST(random_chains) {
    check_random(random_chain, "chain", 120, 78, CHAIN_CANCELLED);
}
END_TEST

/* Dropout's masks are the library's own, so here its own float32 loss is differenced. Networks
 * without a kink allow a wide step, which keeps rounding small. */
static void check_dropout(const char *dims, const char *text, int64_t n) {
    const float step = 0.005f;
    net_spec spec;
    parse_net(&spec, dims, text);
    dlviz_network *network = build_net(&spec, 1);
    fill_states(network, 3, false);
    dlviz_tensor *inputs = input_tensor(&spec, n, 4, false);
    dlviz_tensor *labels = label_tensor(n, spec.layers[spec.count - 1].dims[0], 5);
    for (int i = 0; i < dlviz_network_num_states(network); i++) {
        const char *name = dlviz_network_state_name(network, i);
        dlviz_tensor *gradient, *kept, *moved;
        if (!is_trainable(name))
            continue;
        ck_ok(dlviz_network_backward(network, inputs, labels, 21, 9, NULL));
        ck_ok(dlviz_network_get_gradient(network, name, &gradient));
        ck_ok(dlviz_network_get_state(network, name, &kept));
        int64_t count = dlviz_tensor_num_elements(kept);
        const float *g = dlviz_tensor_const_float(gradient);
        float *direction = malloc((size_t)count * sizeof *direction);
        fill_uniform(direction, count, 6);
        /* Partly random, partly the gradient's own, so that the derivative is not small. */
        double g_norm = norm(g, count), d_norm = norm(direction, count), expected = 0, loss[2];
        for (int64_t j = 0; j < count; j++) {
            direction[j] = (float)(direction[j] / d_norm + g[j] / fmax(g_norm, 1e-12));
            expected += (double)g[j] * direction[j];
        }
        for (int side = 0; side < 2; side++) {
            ck_ok(dlviz_tensor_copy(kept, &moved));
            for (int64_t j = 0; j < count; j++)
                dlviz_tensor_float(moved)[j] += (side ? -step : step) * direction[j];
            ck_ok(dlviz_network_set_state(network, name, moved));
            ck_ok(dlviz_network_backward(network, inputs, labels, 21, 9, &loss[side]));
            dlviz_tensor_destroy(moved);
        }
        ck_ok(dlviz_network_set_state(network, name, kept));
        double found = (loss[0] - loss[1]) / (2 * step);
        ck_assert_msg(fabs(found - expected) <= 1e-3 * fabs(expected) + 1e-4,
                      "%s | %s: %s has derivative %g, central difference %g", dims, text, name,
                      expected, found);
        free(direction);
        dlviz_tensor_destroy(gradient);
        dlviz_tensor_destroy(kept);
    }
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(network);
}

START_TEST(dropout_in_several_places) {
    check_dropout("13", "a:linear,out=17 d:dropout,p=0.5 o:linear,out=3", 9);
    check_dropout("13",
                  "d:dropout,p=0.2 a:linear,out=17 e:dropout,p=0.4 b:bn f:dropout,p=0.1 "
                  "o:linear,out=3",
                  9);
    check_dropout("3x7x5", "c:conv,out=5,k=3,pad=same d:dropout,p=0.25 f:flatten o:linear,out=3",
                  4);
    check_dropout("1x8x8",
                  "c:conv,out=32,k=3,pad=same b:bn d:dropout,p=0.25 e:conv,out=8,k=3 f:flatten "
                  "g:dropout,p=0.5 o:linear,out=3",
                  4);
}
END_TEST

/* What a batch norm takes out again changes no loss; Adam would make whole steps of rounding
 * errors. */
START_TEST(a_constant_that_a_batch_norm_takes_out_has_no_gradient) {
    static const char *const cases[][2] = {
        {"3x8x8", "a:conv,out=8,k=3,pad=same b:bn f:flatten o:linear,out=3"},
        {"1x9x8", "a:conv,out=5,k=3,pad=same p:pool,k=2 b:bn f:flatten o:linear,out=3"},
        {"8x9x8", "a:conv,out=8,k=3,pad=same p:pool,k=3,stride=2,pad=1 d:dropout,p=0 b:bn r:relu "
                  "f:flatten o:linear,out=3"},
        {"2x5x5", "a:conv,out=4,k=2 f:flatten b:bn o:linear,out=3"},
        {"2x8x8", "a:bn p:pool,k=2 b:bn f:flatten o:linear,out=3"},
        {"11", "a:linear,out=6 b:bn r:relu o:linear,out=3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        net_spec spec;
        parse_net(&spec, cases[i][0], cases[i][1]);
        dlviz_network *network = build_net(&spec, 1);
        fill_states(network, 3, false);
        dlviz_tensor *inputs = input_tensor(&spec, 7, 4, false), *labels = label_tensor(7, 3, 5);
        ck_ok(dlviz_network_backward(network, inputs, labels, 1, 1, NULL));
        dlviz_tensor *bias, *weight;
        ck_ok(dlviz_network_get_gradient(network, "a.bias", &bias));
        ck_ok(dlviz_network_get_gradient(network, "a.weight", &weight));
        for (int64_t k = 0; k < dlviz_tensor_num_elements(bias); k++)
            ck_assert_msg(dlviz_tensor_const_float(bias)[k] == 0, "%s: %g", cases[i][1],
                          (double)dlviz_tensor_const_float(bias)[k]);
        if (spec.layers[0].kind != BATCHNORM) /* whose weight is taken out as well, but for eps */
            ck_assert_double_gt(
                norm(dlviz_tensor_const_float(weight), dlviz_tensor_num_elements(weight)), 1e-3);
        dlviz_tensor_destroy(bias);
        dlviz_tensor_destroy(weight);
        dlviz_tensor_destroy(inputs);
        dlviz_tensor_destroy(labels);
        dlviz_network_destroy(network);
    }
    /* A relu between: the constant matters. */
    net_spec spec;
    parse_net(&spec, "11", "a:linear,out=6 r:relu b:bn o:linear,out=3");
    dlviz_network *network = build_net(&spec, 1);
    dlviz_tensor *inputs = input_tensor(&spec, 7, 4, false), *labels = label_tensor(7, 3, 5), *bias;
    ck_ok(dlviz_network_backward(network, inputs, labels, 1, 1, NULL));
    ck_ok(dlviz_network_get_gradient(network, "a.bias", &bias));
    ck_assert_double_gt(norm(dlviz_tensor_const_float(bias), 6), 1e-4);
    dlviz_tensor_destroy(bias);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(network);
}
END_TEST

/* Statistics of channels whose values are so large or so small that float32 cannot hold their
 * squares. */
START_TEST(batch_norm_at_any_scale) {
    for (int exponent = -90; exponent <= 70; exponent += 20)
        for (int way = 0; way < 3; way++) {
            static const char *const texts[] = {
                "b:bn,eps=1e-60 f:flatten o:linear,out=3",
                "c:conv,out=9,k=3,pad=1 b:bn,eps=1e-60 f:flatten o:linear,out=3",
                "c:conv,out=9,k=1 b:bn,eps=1e-60 f:flatten o:linear,out=3"};
            if (way > 0 && exponent < -60)
                continue; /* products of such inputs with weights have no digits to spare */
            net_spec spec;
            parse_net(&spec, "8x6x6", texts[way]);
            dlviz_network *network = build_net(&spec, 1);
            dlviz_tensor *inputs = input_tensor(&spec, 5, 4, false);
            dlviz_tensor *labels = label_tensor(5, 3, 5);
            double loss, wanted;
            ck_ok(dlviz_network_backward(network, inputs, labels, 1, 1, &wanted));
            if (way > 0) { /* a bias does not scale */
                dlviz_tensor *bias;
                ck_ok(dlviz_network_get_state(network, "c.bias", &bias));
                for (int64_t k = 0; k < dlviz_tensor_num_elements(bias); k++)
                    dlviz_tensor_float(bias)[k] = 0;
                ck_ok(dlviz_network_set_state(network, "c.bias", bias));
                dlviz_tensor_destroy(bias);
                ck_ok(dlviz_network_backward(network, inputs, labels, 1, 1, &wanted));
            }
            for (int64_t i = 0; i < dlviz_tensor_num_elements(inputs); i++)
                dlviz_tensor_float(inputs)[i] = ldexpf(dlviz_tensor_float(inputs)[i], exponent);
            ck_ok(dlviz_network_backward(network, inputs, labels, 1, 1, &loss));
            ck_assert_msg(fabs(loss - wanted) <= 2e-6 * wanted, "%s at 2^%d: loss %.9g, not %.9g",
                          texts[way], exponent, loss, wanted);
            dlviz_tensor_destroy(inputs);
            dlviz_tensor_destroy(labels);
            dlviz_network_destroy(network);
        }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {awkward_shapes,
                                  random_networks,
                                  random_chains,
                                  dropout_in_several_places,
                                  a_constant_that_a_batch_norm_takes_out_has_no_gradient,
                                  batch_norm_at_any_scale,
                                  NULL};
    return run_tests("gradients", tests);
}
