/* Networks with branches: how they are put together, what is refused, features, files. What they compute is
 * tests/parity/test_graphs.c's subject. */
#include "support/netspec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT
#define INPUTS(...)                                                                                \
    sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]) {                     \
        __VA_ARGS__                                                                                \
    }

static dlviz_network *images(int64_t c, int64_t h, int64_t w) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){c, h, w}));
    return network;
}

static void fails_to_build(dlviz_network *network, dlviz_status status, const char *words) {
    ck_fails(dlviz_network_build(network, 1), status, words);
    dlviz_network_destroy(network);
}

/* -- What is refused ------------------------------------------------------------------------- */

START_TEST(unknown_inputs_are_named) {
    dlviz_network *network = images(1, 8, 8);
    ck_ok(dlviz_network_add(network, "a", dlviz_relu()));
    ck_fails(dlviz_network_add_from(network, "sum", dlviz_add(), INPUTS("a", "nobody")),
             DLVIZ_ERROR_NOT_FOUND, "layer 'sum' reads 'nobody'");
    fails_to_build(network, DLVIZ_ERROR_NOT_FOUND, "'nobody'");
    /* A layer cannot read itself, or one that comes later. */
    network = images(1, 8, 8);
    ck_fails(dlviz_network_add_from(network, "self", dlviz_relu(), INPUTS("self")),
             DLVIZ_ERROR_NOT_FOUND, "'self'");
    fails_to_build(network, DLVIZ_ERROR_NOT_FOUND, "'self'");
    network = images(1, 8, 8);
    ck_fails(dlviz_network_add_from(network, "a", dlviz_relu(), 1, (const char *[]){NULL}), INVALID,
             "input 0 is NULL");
    fails_to_build(network, INVALID, "'a'");
}
END_TEST

START_TEST(numbers_of_inputs_are_checked) {
    dlviz_network *network = images(1, 8, 8);
    ck_fails(dlviz_network_add_from(network, "one", dlviz_add(), INPUTS("input")), INVALID,
             "add 'one' reads 1 layer; it takes 2 or more");
    fails_to_build(network, INVALID, "'one'");
    network = images(1, 8, 8);
    ck_fails(dlviz_network_add(network, "concat", dlviz_concat()), INVALID, "2 or more");
    fails_to_build(network, INVALID, "'concat'");
    network = images(1, 8, 8);
    ck_fails(dlviz_network_add_from(network, "two", dlviz_relu(), INPUTS("input", "input")),
             INVALID, "relu 'two' reads 2 layers; it takes 1");
    fails_to_build(network, INVALID, "'two'");
    network = images(1, 8, 8);
    ck_fails(dlviz_network_add_from(network, "three", dlviz_multiply(),
                                    INPUTS("input", "input", "input")),
             INVALID, "multiply 'three' reads 3 layers; it takes 2");
    fails_to_build(network, INVALID, "'three'");
    network = images(1, 8, 8);
    ck_fails(dlviz_network_add_from(network, "none", dlviz_relu(), 0, (const char *[]){"input"}),
             INVALID, "0 inputs");
    ck_fails(dlviz_network_add_from(network, "minus", dlviz_relu(), -1, (const char *[]){"input"}),
             INVALID, "-1 inputs");
    ck_fails(dlviz_network_add_from(network, "null", dlviz_relu(), 1, NULL), INVALID, "NULL");
    fails_to_build(network, INVALID, "0 inputs");
    ck_fails(dlviz_network_add_from(NULL, "null", dlviz_relu(), INPUTS("input")), INVALID,
             "network");
}
END_TEST

START_TEST(no_layer_takes_the_inputs_name) {
    dlviz_network *network = images(1, 8, 8);
    ck_fails(dlviz_network_add_from(network, "input", dlviz_relu(), INPUTS("input")), INVALID,
             "the name 'input' is that of the network's input");
    fails_to_build(network, INVALID, "'input'");
}
END_TEST

START_TEST(a_layer_that_nothing_reads_is_named) {
    dlviz_network *network = images(1, 8, 8);
    ck_ok(dlviz_network_add(network, "a", dlviz_relu()));
    ck_ok(dlviz_network_add(network, "lost", dlviz_relu()));
    ck_ok(dlviz_network_add_from(network, "last", dlviz_relu(), INPUTS("a")));
    fails_to_build(network, INVALID, "no layer reads 'lost'");
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "'last'"));
    /* The input need not be read twice, but what reads it alone is lost too. */
    network = images(1, 8, 8);
    ck_ok(dlviz_network_add(network, "first", dlviz_conv2d(2, 3, 1)));
    ck_ok(dlviz_network_add_from(network, "other", dlviz_relu(), INPUTS("input")));
    fails_to_build(network, INVALID, "no layer reads 'first'");
}
END_TEST

static void fails_together(dlviz_layer *layer, const char *a, const char *b, const char *shapes,
                           const char *rule) {
    dlviz_network *network = images(2, 8, 6);
    ck_ok(dlviz_network_add_from(network, "wide", dlviz_conv2d(3, 3, 1), INPUTS("input")));
    ck_ok(dlviz_network_add_from(network, "small", dlviz_maxpool2d(2), INPUTS("input")));
    ck_ok(dlviz_network_add_from(network, "flat", dlviz_flatten(), INPUTS("input")));
    ck_ok(dlviz_network_add_from(network, "fc", dlviz_linear(5), INPUTS("flat")));
    ck_ok(dlviz_network_add_from(network, "both", layer, INPUTS(a, b)));
    fails_to_build(network, DLVIZ_ERROR_SHAPE, shapes);
    ck_assert_msg(strstr(dlviz_last_error(), rule) && strstr(dlviz_last_error(), "'both'"),
                  "'%s' lacks '%s' or the layer's name", dlviz_last_error(), rule);
}

START_TEST(shapes_that_do_not_go_together_are_named) {
    fails_together(dlviz_add(), "input", "wide", "input 0 is 2 x 8 x 6 and input 1 is 3 x 8 x 6",
                   "one shape");
    fails_together(dlviz_add(), "small", "input", "input 0 is 2 x 4 x 3 and input 1 is 2 x 8 x 6",
                   "one shape");
    fails_together(dlviz_add(), "flat", "input", "input 0 is 96 and input 1 is 2 x 8 x 6",
                   "one shape");
    fails_together(dlviz_multiply(), "wide", "input",
                   "input 0 is 3 x 8 x 6 and input 1 is 2 x 8 x 6", "one factor a channel");
    fails_together(dlviz_multiply(), "wide", "fc", "input 0 is 3 x 8 x 6 and input 1 is 5",
                   "one factor a channel");
    fails_together(dlviz_concat(), "wide", "small", "input 0 is 3 x 8 x 6 and input 1 is 2 x 4 x 3",
                   "one height and width");
    fails_together(dlviz_concat(), "fc", "wide", "input 0 is 5 and input 1 is 3 x 8 x 6",
                   "one height and width");
}
END_TEST

/* -- Large ones ------------------------------------------------------------------------------ */

/* Many enough for time that grows with their square to be felt, in every step of it. */
START_TEST(a_chain_of_many_layers_is_built) {
    enum { NUM_LAYERS = 50000 };
    dlviz_network *network, *opened;
    char name[16];
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){3}));
    for (int i = 0; i < NUM_LAYERS; i++) {
        snprintf(name, sizeof name, "layer%d", i);
        ck_ok(dlviz_network_add(network, name, i % 2 ? dlviz_relu() : dlviz_linear(3)));
    }
    ck_ok(dlviz_network_build(network, 1));
    ck_assert_int_eq(dlviz_network_num_parameters(network), NUM_LAYERS / 2 * 12);
    ck_ok(dlviz_network_save(network, scratch_path("chain")));
    ck_ok(dlviz_network_open(&opened, scratch_path("chain")));
    assert_same_states(network, opened);
    dlviz_network_destroy(opened);
    dlviz_tensor *x, *y, *labels = label_tensor(2, 3, 1);
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){2, 3}));
    ck_ok(dlviz_network_forward(network, x, &y));
    ck_ok(dlviz_network_backward(network, x, labels, 1, 1, NULL));
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(y);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(a_value_may_be_read_many_times) {
    enum { TIMES = 1500 };
    dlviz_network *network, *again;
    const char *names[TIMES];
    for (int i = 0; i < TIMES; i++)
        names[i] = "fc";
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){2}));
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(2)));
    ck_ok(dlviz_network_add_from(network, "sum", dlviz_add(), TIMES, names));
    ck_ok(dlviz_network_build(network, 1));
    dlviz_tensor *x, *y, *once, *gradient, *dx, *dx_once;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){1, 2}));
    ck_ok(dlviz_tensor_create(&gradient, DLVIZ_FLOAT32, 2, (int64_t[]){1, 2}));
    fill_uniform(dlviz_tensor_float(x), 2, 1);
    fill_uniform(dlviz_tensor_float(gradient), 2, 2);
    ck_ok(dlviz_network_forward(network, x, &y));
    ck_ok(dlviz_network_backward_from(network, "fc", x, gradient, 1, 1, &dx_once));
    ck_ok(dlviz_network_backward_from(network, "sum", x, gradient, 1, 1, &dx));
    for (int i = 0; i < 2; i++)
        dlviz_tensor_float(dx_once)[i] *= TIMES;
    ck_assert_double_lt(relative_error(dlviz_tensor_float(dx), dlviz_tensor_float(dx_once), 2),
                        1e-5);
    ck_ok(dlviz_network_save(network, scratch_path("many.safetensors")));
    ck_ok(dlviz_network_open(&again, scratch_path("many.safetensors")));
    ck_ok(dlviz_network_forward(again, x, &once));
    ck_assert_mem_eq(dlviz_tensor_const_data(y), dlviz_tensor_const_data(once), 2 * sizeof(float));
    dlviz_tensor *tensors[] = {x, y, once, gradient, dx, dx_once};
    for (int i = 0; i < 6; i++)
        dlviz_tensor_destroy(tensors[i]);
    dlviz_network_destroy(network);
    dlviz_network_destroy(again);
}
END_TEST

/* -- Features -------------------------------------------------------------------------------- */

typedef struct part {
    const char *name;
    dlviz_layer *(*make)(void);
    int num_inputs;
    const char *inputs[3];
} part;

static dlviz_layer *conv4(void) {
    return dlviz_conv2d(4, 3, 1);
}
static dlviz_layer *conv4_small(void) {
    dlviz_layer *layer = dlviz_conv2d(4, 3, 1);
    ck_ok(dlviz_conv2d_set_stride(layer, 2, 2));
    return layer;
}
static dlviz_layer *pool2(void) {
    return dlviz_maxpool2d(2);
}
static dlviz_layer *linear4(void) {
    return dlviz_linear(4);
}
static dlviz_layer *half(void) {
    return dlviz_dropout(0.5);
}

/* A network in which most values are read more than once, in every way that layers are fused. */
static const part parts[] = {
    {"conv", conv4, 1, {"input"}},
    {"bn", dlviz_batchnorm, 1, {"conv"}},
    {"relu", dlviz_relu, 1, {"bn"}},
    {"conv2", conv4, 1, {"relu"}},
    {"bn2", dlviz_batchnorm, 1, {"conv2"}},
    {"sum", dlviz_add, 3, {"bn2", "relu", "conv"}},
    {"relu2", dlviz_relu, 1, {"sum"}},
    {"pool", pool2, 1, {"relu2"}},
    {"drop", half, 1, {"pool"}},
    {"side", conv4_small, 1, {"sum"}},
    {"product", dlviz_multiply, 2, {"drop", "side"}},
    {"wide", dlviz_concat, 3, {"product", "pool", "side"}},
    {"flat", dlviz_flatten, 1, {"side"}},
    {"factors", linear4, 1, {"flat"}},
    {"gated", dlviz_multiply, 2, {"pool", "factors"}},
    {"all", dlviz_concat, 2, {"wide", "gated"}},
    {"last", conv4, 1, {"all"}},
};
enum { PARTS = sizeof parts / sizeof *parts };

/* Those of the parts that part `target` depends on. */
static dlviz_network *up_to(int target) {
    bool wanted[PARTS] = {0};
    wanted[target] = true;
    for (int i = target; i >= 0; i--)
        for (int k = 0; wanted[i] && k < parts[i].num_inputs; k++)
            for (int j = 0; j < i; j++)
                wanted[j] |= strcmp(parts[j].name, parts[i].inputs[k]) == 0;
    dlviz_network *network = images(2, 8, 6);
    for (int i = 0; i <= target; i++)
        if (wanted[i])
            ck_ok(dlviz_network_add_from(network, parts[i].name, parts[i].make(),
                                         parts[i].num_inputs, parts[i].inputs));
    ck_ok(dlviz_network_build(network, 1));
    fill_states(network, 1, false);
    return network;
}

static dlviz_network *whole(void) {
    return up_to(PARTS - 1);
}

static dlviz_tensor *some_images(int64_t n) {
    dlviz_tensor *x;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 4, (int64_t[]){n, 2, 8, 6}));
    fill_uniform(dlviz_tensor_float(x), dlviz_tensor_num_elements(x), 3);
    return x;
}

static bool same_numbers(const dlviz_tensor *a, const dlviz_tensor *b) {
    int64_t count = dlviz_tensor_num_elements(a);
    return count == dlviz_tensor_num_elements(b) &&
           memcmp(dlviz_tensor_const_data(a), dlviz_tensor_const_data(b),
                  (size_t)count * sizeof(float)) == 0;
}

START_TEST(features_are_those_of_a_network_that_ends_there) {
    dlviz_network *network = whole();
    dlviz_tensor *x = some_images(5);
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, x, NULL));
    for (int i = 0; i < PARTS; i++) {
        dlviz_network *cut = up_to(i);
        dlviz_tensor *features, *outputs, *shaped;
        ck_ok(dlviz_network_features(network, parts[i].name, dataset, &features));
        ck_ok(dlviz_network_forward_to(network, parts[i].name, x, &shaped));
        ck_ok(dlviz_network_forward(cut, x, &outputs));
        ck_assert_msg(same_numbers(features, outputs), "features of '%s' differ", parts[i].name);
        ck_assert_int_eq(dlviz_tensor_ndim(features), 2);
        ck_assert_msg(same_numbers(shaped, outputs), "outputs of '%s' differ", parts[i].name);
        ck_assert_int_eq(dlviz_tensor_ndim(shaped), dlviz_tensor_ndim(outputs));
        for (int d = 0; d < dlviz_tensor_ndim(outputs); d++)
            ck_assert_int_eq(dlviz_tensor_dim(shaped, d), dlviz_tensor_dim(outputs, d));
        dlviz_tensor_destroy(shaped);
        dlviz_tensor_destroy(features);
        dlviz_tensor_destroy(outputs);
        dlviz_network_destroy(cut);
    }
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(x);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(the_input_is_a_feature) {
    dlviz_network *network = whole();
    const int64_t n = 130; /* more than two batches */
    dlviz_tensor *x = some_images(n), *features, *shaped, *none;
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, x, NULL));
    ck_ok(dlviz_network_features(network, "input", dataset, &features));
    ck_ok(dlviz_network_forward_to(network, "input", x, &shaped));
    ck_assert(same_numbers(features, x) && same_numbers(shaped, x));
    ck_assert_int_eq(dlviz_tensor_dim(features, 1), dlviz_tensor_num_elements(x) / n);
    ck_assert_int_eq(dlviz_tensor_ndim(shaped), 4);
    dlviz_tensor_destroy(features);
    /* As the network sees it. */
    ck_ok(dlviz_dataset_set_normalization(dataset, 0.5f, 0.25f));
    ck_ok(dlviz_network_features(network, "input", dataset, &features));
    for (int64_t i = 0; i < dlviz_tensor_num_elements(x); i++)
        ck_assert_float_eq_tol(dlviz_tensor_const_float(features)[i],
                               (dlviz_tensor_const_float(x)[i] - 0.5f) * 4, 1e-5f);
    ck_fails(dlviz_network_features(network, "inputs", dataset, &none), DLVIZ_ERROR_NOT_FOUND,
             "there is no layer 'inputs'; the network has conv, ");
    ck_fails(dlviz_network_forward_to(network, "inputs", x, &none), DLVIZ_ERROR_NOT_FOUND,
             "and 'input'");
    ck_fails(dlviz_network_input_gradient(network, "input", x, x, &none),
             DLVIZ_ERROR_INVALID_ARGUMENT, "'input'");
    dlviz_tensor_destroy(features);
    dlviz_tensor_destroy(shaped);
    dlviz_tensor_destroy(x);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(gradients_are_those_of_a_network_that_ends_there) {
    dlviz_network *network = whole();
    dlviz_tensor *x = some_images(5);
    for (int i = 0; i < PARTS; i++) {
        dlviz_network *cut = up_to(i);
        dlviz_tensor *gradient, *ours, *theirs;
        ck_ok(dlviz_network_forward(cut, x, &gradient)); /* for its shape */
        fill_uniform(dlviz_tensor_float(gradient), dlviz_tensor_num_elements(gradient), 7);
        ck_ok(dlviz_network_input_gradient(network, parts[i].name, x, gradient, &ours));
        ck_ok(dlviz_network_input_gradient(cut, parts[i].name, x, gradient, &theirs));
        ck_assert_msg(same_numbers(ours, theirs), "gradients of '%s' differ", parts[i].name);
        dlviz_tensor_destroy(ours);
        dlviz_tensor_destroy(theirs);
        dlviz_tensor_destroy(gradient);
        dlviz_network_destroy(cut);
    }
    dlviz_tensor_destroy(x);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(what_a_layer_does_not_depend_on_has_no_gradient) {
    dlviz_network *network = whole();
    dlviz_tensor *x = some_images(5), *gradient, *wrong;
    ck_ok(dlviz_tensor_create(&gradient, DLVIZ_FLOAT32, 4, (int64_t[]){5, 4, 8, 6}));
    ck_ok(dlviz_tensor_create(&wrong, DLVIZ_FLOAT32, 4, (int64_t[]){5, 4, 6, 8}));
    fill_uniform(dlviz_tensor_float(gradient), dlviz_tensor_num_elements(gradient), 7);
    ck_ok(dlviz_network_backward_from(network, "sum", x, gradient, 1, 1, NULL));
    for (int64_t i = 0; i < dlviz_network_num_states(network); i++) {
        const char *name = dlviz_network_state_name(network, i);
        if (!is_trainable(name))
            continue;
        dlviz_tensor *found;
        bool zero = true;
        ck_ok(dlviz_network_get_gradient(network, name, &found));
        for (int64_t j = 0; j < dlviz_tensor_num_elements(found); j++)
            zero &= dlviz_tensor_const_float(found)[j] == 0;
        bool beyond = strncmp(name, "side", 4) == 0 || strncmp(name, "factors", 7) == 0 ||
                      strncmp(name, "last", 4) == 0;
        if (strcmp(name, "conv2.bias") != 0) /* a batch norm takes it out */
            ck_assert_msg(zero == beyond, "the gradient of '%s' is %s", name, zero ? "0" : "not 0");
        dlviz_tensor_destroy(found);
    }
    ck_fails(dlviz_network_backward_from(network, "sum", x, wrong, 1, 1, NULL), DLVIZ_ERROR_SHAPE,
             "5 x 4 x 6 x 8");
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "5 x 4 x 8 x 6"));
    ck_fails(dlviz_network_backward_from(network, "nobody", x, wrong, 1, 1, NULL),
             DLVIZ_ERROR_NOT_FOUND, "nobody");
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(gradient);
    dlviz_tensor_destroy(wrong);
    dlviz_network_destroy(network);
}
END_TEST

/* A batch norm after the global pool sees one number a sample: no batch of one for it. */
START_TEST(a_batch_is_checked_for_what_it_runs_through) {
    dlviz_network *network = images(2, 4, 4);
    ck_ok(dlviz_network_add(network, "trunk", dlviz_conv2d(3, 3, 1)));
    ck_ok(dlviz_network_add(network, "pool", dlviz_global_avgpool2d()));
    ck_ok(dlviz_network_add(network, "norm", dlviz_batchnorm()));
    ck_ok(dlviz_network_add_from(network, "head", dlviz_relu(), INPUTS("trunk")));
    ck_ok(dlviz_network_add_from(network, "all", dlviz_multiply(), INPUTS("head", "norm")));
    ck_ok(dlviz_network_build(network, 1));
    dlviz_tensor *x, *head, *norm;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 4, (int64_t[]){1, 2, 4, 4}));
    ck_ok(dlviz_tensor_create(&head, DLVIZ_FLOAT32, 4, (int64_t[]){1, 3, 4, 4}));
    ck_ok(dlviz_tensor_create(&norm, DLVIZ_FLOAT32, 2, (int64_t[]){1, 3}));
    ck_ok(dlviz_network_backward_from(network, "head", x, head, 1, 1, NULL));
    ck_fails(dlviz_network_backward_from(network, "norm", x, norm, 1, 1, NULL), DLVIZ_ERROR_SHAPE,
             "batchnorm 'norm'");
    ck_fails(dlviz_network_backward_from(network, "all", x, head, 1, 1, NULL), DLVIZ_ERROR_SHAPE,
             "batchnorm 'norm'");
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(head);
    dlviz_tensor_destroy(norm);
    dlviz_network_destroy(network);
}
END_TEST

/* -- Files ----------------------------------------------------------------------------------- */

START_TEST(branches_survive_in_files) {
    dlviz_network *network = whole(), *other = whole(), *opened;
    const char *path = scratch_path("branches.safetensors");
    fill_states(network, 2, false);
    ck_ok(dlviz_network_save(network, path));
    ck_ok(dlviz_network_load(other, path));
    ck_ok(dlviz_network_open(&opened, path));
    assert_same_states(network, other);
    assert_same_states(network, opened);
    ck_assert_str_eq(dlviz_network_summary(network), dlviz_network_summary(opened));
    dlviz_tensor *x = some_images(3), *y, *again;
    ck_ok(dlviz_network_forward(network, x, &y));
    ck_ok(dlviz_network_forward(opened, x, &again));
    ck_assert(same_numbers(y, again));
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(y);
    dlviz_tensor_destroy(again);
    dlviz_network_destroy(network);
    dlviz_network_destroy(other);
    dlviz_network_destroy(opened);
}
END_TEST

/* Three convolutions and a layer that reads two of them. */
static dlviz_network *small(dlviz_layer *last, const char *of_third, const char *a, const char *b) {
    dlviz_network *network = images(2, 5, 5);
    ck_ok(dlviz_network_add(network, "one", dlviz_conv2d(2, 3, 1)));
    ck_ok(dlviz_network_add(network, "two", dlviz_conv2d(2, 3, 1)));
    ck_ok(dlviz_network_add_from(network, "three", dlviz_conv2d(2, 3, 1), INPUTS(of_third)));
    ck_ok(dlviz_network_add_from(network, "both", last, INPUTS(a, b)));
    ck_ok(dlviz_network_build(network, 1));
    return network;
}

START_TEST(a_file_of_another_graph_is_refused) {
    dlviz_network *saved = small(dlviz_add(), "one", "two", "three");
    const char *path = scratch_path("graph.safetensors");
    ck_ok(dlviz_network_save(saved, path));
    struct {
        dlviz_network *network;
        const char *difference;
    } others[] = {
        {small(dlviz_add(), "input", "two", "three"),
         "conv2d 'three' reads [\"one\"] in the file and [\"input\"] here"},
        {small(dlviz_add(), "two", "two", "three"),
         "conv2d 'three' reads [\"one\"] in the file and the layer before here"},
        {small(dlviz_add(), "one", "three", "two"),
         "add 'both' reads [\"two\", \"three\"] in the file and [\"three\", \"two\"] here"},
        {small(dlviz_multiply(), "one", "two", "three"),
         "layer 4 is 'both' (add) in the file and 'both' (multiply) here"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ck_fails(dlviz_network_load(others[i].network, path), DLVIZ_ERROR_FORMAT,
                 others[i].difference);
        dlviz_network_destroy(others[i].network);
    }
    dlviz_network_destroy(saved);
}
END_TEST

/* -- The summary ----------------------------------------------------------------------------- */

START_TEST(columns_are_as_wide_as_names) {
    dlviz_network *network = images(1, 4, 4);
    ck_ok(dlviz_network_add(network, "a.rather.long.name.of.a.layer", dlviz_conv2d(2, 3, 1)));
    ck_ok(dlviz_network_build(network, 1));
    const char *text = dlviz_network_summary(network), *line = text;
    /* The numbers of parameters end in one column. */
    size_t width = strcspn(text, "\n");
    for (int i = 0; i < 4; i++, line += width + 1)
        ck_assert_msg(strcspn(line, "\n") == width, "line %d:\n%s", i, text);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(the_summary_tells_what_layers_read) {
    dlviz_network *network = whole();
    const char *text = dlviz_network_summary(network);
    /* Multiply-adds of convolutions 48 * 4 * (2 + 4) * 9, of half the size 12 * 4 * (4 + 16) * 9, of
     * the fully connected layer 48 * 4, of a sum 48 * 4 and of two products 12 * 4: 19488. */
    static const char *const expected[] = {"reads bn2, relu, conv\n",
                                           "reads product, pool, side\n",
                                           "reads sum\n",
                                           "reads wide, gated\n",
                                           "multiply-adds for one sample, forward: 19.5 k\n",
                                           "memory to train on batches of 64"};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        ck_assert_msg(strstr(text, expected[i]) != NULL, "'%s' is missing in\n%s", expected[i],
                      text);
    const char *line = strstr(text, "\nrelu2 ") + 1, *reads = strstr(line, "reads");
    ck_assert_msg(reads > line + strcspn(line, "\n"), "'relu2' reads the layer before:\n%s", text);
    dlviz_network_destroy(network);
}
END_TEST

/* -- What other calls leave behind ------------------------------------------------------------ */

static dlviz_tensor *filled(int ndim, const int64_t *dims, uint64_t seed) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, ndim, dims));
    fill_values(dlviz_tensor_float(tensor), dlviz_tensor_num_elements(tensor), seed, false);
    return tensor;
}

static void bias_has_no_gradient(const dlviz_network *network) {
    dlviz_tensor *gradient;
    ck_ok(dlviz_network_get_gradient(network, "conv.bias", &gradient));
    for (int64_t i = 0; i < dlviz_tensor_num_elements(gradient); i++)
        ck_assert(dlviz_tensor_float(gradient)[i] == 0);
    dlviz_tensor_destroy(gradient);
}

/* A bias that a batch norm takes out has one in evaluation, and of the convolution's own output. */
START_TEST(a_training_step_has_nothing_of_other_gradients) {
    dlviz_network *network = images(1, 6, 6);
    ck_ok(dlviz_network_add(network, "conv", dlviz_conv2d(4, 3, 1)));
    ck_ok(dlviz_network_add(network, "bn", dlviz_batchnorm()));
    ck_ok(dlviz_network_add(network, "flat", dlviz_flatten()));
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(3)));
    ck_ok(dlviz_network_build(network, 1));
    dlviz_tensor *x = filled(4, (int64_t[]){5, 1, 6, 6}, 3), *labels, *gradient;
    dlviz_tensor *of_conv = filled(4, (int64_t[]){5, 4, 6, 6}, 4);
    ck_ok(dlviz_tensor_from_data(&labels, DLVIZ_INT64, 1, (int64_t[]){5},
                                 (int64_t[]){0, 1, 2, 0, 1}));
    ck_ok(dlviz_network_backward(network, x, labels, 1, 0, NULL));
    bias_has_no_gradient(network);
    ck_ok(dlviz_network_backward_from(network, "conv", x, of_conv, 1, 0, NULL));
    ck_ok(dlviz_network_backward(network, x, labels, 1, 0, NULL));
    bias_has_no_gradient(network);
    ck_ok(dlviz_network_input_gradient(network, "conv", x, of_conv, &gradient));
    dlviz_tensor_destroy(gradient);
    ck_ok(dlviz_network_backward(network, x, labels, 1, 0, NULL));
    bias_has_no_gradient(network);
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(labels);
    dlviz_tensor_destroy(of_conv);
    dlviz_network_destroy(network);
}
END_TEST

/* Nothing asks for the gradient of what lies between the input and the first parameter. */
START_TEST(layers_without_parameters_may_come_first) {
    dlviz_layer *first[] = {dlviz_instancenorm2d(), dlviz_softmax(),     dlviz_avgpool2d(2),
                            dlviz_gelu(),           dlviz_maxpool2d(3),  dlviz_upsample(2, 2),
                            dlviz_dropout(0.5),     dlviz_dropout2d(0.5)};
    dlviz_tensor *x = filled(4, (int64_t[]){4, 2, 6, 6}, 3), *labels;
    ck_ok(dlviz_tensor_from_data(&labels, DLVIZ_INT64, 1, (int64_t[]){4}, (int64_t[]){0, 1, 2, 0}));
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        dlviz_network *network = images(2, 6, 6);
        ck_ok(dlviz_network_add(network, "first", first[i]));
        ck_ok(dlviz_network_add(network, "flat", dlviz_flatten()));
        ck_ok(dlviz_network_add(network, "fc", dlviz_linear(3)));
        ck_ok(dlviz_network_build(network, 1));
        ck_ok(dlviz_network_backward(network, x, labels, 1, 0, NULL));
        dlviz_network_destroy(network);
    }
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(labels);
}
END_TEST

/* -- What the user's functions may not do ------------------------------------------------------ */

typedef struct meddler {
    dlviz_network *network;
    dlviz_trainer *trainer;
    const dlviz_tensor *x, *dy;
    bool ends_it; /* by what it was told */
    int calls;
} meddler;

static dlviz_status meddle(const dlviz_loss_pass *pass, void *user) {
    meddler *m = user;
    dlviz_tensor *y, *state;
    const char *words = "the network is at work: a function that it calls may not use it";
    ck_fails(dlviz_network_forward(m->network, m->x, &y), DLVIZ_ERROR_STATE, words);
    ck_fails(dlviz_network_input_gradient(m->network, "fc", m->x, m->dy, &y), DLVIZ_ERROR_STATE,
             words);
    ck_ok(dlviz_network_get_state(m->network, "fc.bias", &state));
    ck_fails(dlviz_network_set_state(m->network, "fc.bias", state), DLVIZ_ERROR_STATE, words);
    dlviz_tensor_destroy(state);
    ck_fails(dlviz_network_save(m->network, scratch_path("meddled")), DLVIZ_ERROR_STATE, words);
    ck_fails(dlviz_network_load(m->network, scratch_path("meddled")), DLVIZ_ERROR_STATE, words);
    if (m->trainer) {
        dlviz_trainer *t = m->trainer;
        ck_fails(dlviz_trainer_set_validation(t, NULL), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_trainer_set_batch_size(t, 3), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_trainer_set_seed(t, 3), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_trainer_set_drop_last(t, true), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_trainer_clear_schedule(t), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_trainer_save_checkpoint(t, scratch_path("meddled")), DLVIZ_ERROR_STATE,
                 words);
    }
    for (int64_t i = 0; i < dlviz_loss_pass_num_samples(pass); i++)
        dlviz_loss_pass_losses(pass)[i] = 1;
    m->calls++;
    dlviz_status refused =
        m->ends_it ? dlviz_network_backward_from(m->network, "fc", m->x, m->dy, 1, 1, NULL)
                   : DLVIZ_OK;
    return refused;
}

/* Of a network that keeps statistics. */
static dlviz_network *meddled(meddler *m) {
    dlviz_network *network = images(1, 4, 4);
    dlviz_loss_functions functions = {
        .struct_size = sizeof functions, .name = "meddler", .takes_labels = true, .value = meddle};
    m->network = network;
    m->x = filled(4, (int64_t[]){2, 1, 4, 4}, 3);
    m->dy = filled(2, (int64_t[]){2, 3}, 4);
    ck_ok(dlviz_network_add(network, "bn", dlviz_batchnorm()));
    ck_ok(dlviz_network_add(network, "flat", dlviz_flatten()));
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(3)));
    ck_ok(dlviz_network_set_loss(network, dlviz_loss_custom(&functions, m)));
    ck_ok(dlviz_network_build(network, 1));
    return network;
}

static void drop_meddled(meddler *m) {
    dlviz_tensor_destroy((dlviz_tensor *)m->x);
    dlviz_tensor_destroy((dlviz_tensor *)m->dy);
    dlviz_network_destroy(m->network);
}

START_TEST(a_loss_may_not_use_its_network) {
    meddler m = {.ends_it = false};
    dlviz_network *network = meddled(&m);
    dlviz_tensor *labels, *y, *before, *after;
    ck_ok(dlviz_tensor_from_data(&labels, DLVIZ_INT64, 1, (int64_t[]){2}, (int64_t[]){0, 1}));
    ck_ok(dlviz_network_get_state(network, "bn.running_mean", &before));
    /* What a refused call returns ends the step, which then leaves the statistics as they were. */
    m.ends_it = true;
    ck_fails(dlviz_network_backward(network, m.x, labels, 1, 0, NULL), DLVIZ_ERROR_STATE,
             "the network is at work");
    ck_ok(dlviz_network_get_state(network, "bn.running_mean", &after));
    ck_assert(same_numbers(before, after));
    dlviz_tensor_destroy(after);
    m.ends_it = false;
    ck_ok(dlviz_network_backward(network, m.x, labels, 1, 0, NULL));
    ck_ok(dlviz_network_get_state(network, "bn.running_mean", &after));
    ck_assert(!same_numbers(before, after));
    ck_assert_int_eq(m.calls, 2);
    ck_ok(dlviz_network_forward(network, m.x, &y));
    dlviz_tensor *all[] = {labels, y, before, after};
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(all[i]);
    drop_meddled(&m);
}
END_TEST

START_TEST(a_loss_may_not_change_its_trainer) {
    meddler m = {.ends_it = false};
    dlviz_network *network = meddled(&m);
    dlviz_tensor *labels;
    dlviz_dataset *set;
    dlviz_optimizer *sgd;
    ck_ok(dlviz_tensor_from_data(&labels, DLVIZ_INT64, 1, (int64_t[]){2}, (int64_t[]){0, 1}));
    ck_ok(dlviz_dataset_create(&set, m.x, labels));
    ck_ok(dlviz_sgd_create(&sgd, 1e-3));
    ck_ok(dlviz_trainer_create(&m.trainer, network, sgd));
    ck_ok(dlviz_trainer_set_validation(m.trainer, set));
    ck_ok(dlviz_trainer_fit(m.trainer, set, 2));
    ck_assert_int_eq(m.calls, 4);
    dlviz_trainer_destroy(m.trainer);
    dlviz_optimizer_destroy(sgd);
    dlviz_dataset_destroy(set);
    dlviz_tensor_destroy(labels);
    drop_meddled(&m);
}
END_TEST

static dlviz_status destroy_it(const dlviz_loss_pass *pass, void *user) {
    (void)pass;
    dlviz_network_destroy(user);
    return DLVIZ_OK;
}

/* The step ends with the network that it began with. */
START_TEST(a_loss_may_destroy_its_network) {
    dlviz_network *network = images(1, 4, 4);
    dlviz_loss_functions functions = {
        .struct_size = sizeof functions, .name = "end", .takes_labels = true, .value = destroy_it};
    dlviz_tensor *x = filled(4, (int64_t[]){2, 1, 4, 4}, 3), *labels = label_tensor(2, 16, 1);
    ck_ok(dlviz_network_add(network, "flat", dlviz_flatten()));
    ck_ok(dlviz_network_set_loss(network, dlviz_loss_custom(&functions, network)));
    ck_ok(dlviz_network_build(network, 1));
    ck_ok(dlviz_network_backward(network, x, labels, 1, 0, NULL));
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(labels);
}
END_TEST

START_TEST(setters_after_add_are_heard) {
    dlviz_network *network = images(1, 8, 8);
    dlviz_layer *layer = dlviz_conv2d(4, 3, 1), *refused = dlviz_conv2d(4, 3, 1);
    ck_ok(dlviz_network_add(network, "a", layer));
    ck_fails(dlviz_conv2d_set_stride(layer, -1, 1), INVALID, "-1");
    fails_to_build(network, INVALID, "layer 'a'");
    network = images(1, 8, 8);
    ck_ok(dlviz_network_add(network, "a", dlviz_relu()));
    ck_fails(dlviz_network_add(network, "a", refused), INVALID, "'a'");
    ck_ok(dlviz_conv2d_set_stride(refused, 2, 2)); /* it lives as long as the network */
    fails_to_build(network, INVALID, "'a'");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_training_step_has_nothing_of_other_gradients,
                                  layers_without_parameters_may_come_first,
                                  a_loss_may_not_use_its_network,
                                  a_loss_may_not_change_its_trainer,
                                  a_loss_may_destroy_its_network,
                                  setters_after_add_are_heard,
                                  unknown_inputs_are_named,
                                  numbers_of_inputs_are_checked,
                                  no_layer_takes_the_inputs_name,
                                  a_layer_that_nothing_reads_is_named,
                                  shapes_that_do_not_go_together_are_named,
                                  a_chain_of_many_layers_is_built,
                                  a_value_may_be_read_many_times,
                                  features_are_those_of_a_network_that_ends_there,
                                  the_input_is_a_feature,
                                  gradients_are_those_of_a_network_that_ends_there,
                                  a_batch_is_checked_for_what_it_runs_through,
                                  what_a_layer_does_not_depend_on_has_no_gradient,
                                  branches_survive_in_files,
                                  a_file_of_another_graph_is_refused,
                                  the_summary_tells_what_layers_read,
                                  columns_are_as_wide_as_names,
                                  NULL};
    return run_tests("graph", tests);
}
