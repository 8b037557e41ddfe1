/* Building networks, their states, their evaluation. What they compute is tests/parity's subject.
 */
#include "support/failing.h"
#include "support/netspec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

static dlviz_network *images(int64_t c, int64_t h, int64_t w) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){c, h, w}));
    return network;
}

/* Builds, expects a failure with these words, and destroys. */
static void fails_to_build(dlviz_network *network, dlviz_status status, const char *words) {
    ck_fails(dlviz_network_build(network, 1), status, words);
    ck_assert_str_eq(dlviz_network_summary(network), "");
    dlviz_network_destroy(network);
}

START_TEST(input_shapes_are_checked) {
    dlviz_network *network = (dlviz_network *)1;
    ck_fails(dlviz_network_create(NULL, 1, (int64_t[]){3}), INVALID, "out");
    ck_fails(dlviz_network_create(&network, 2, (int64_t[]){3, 4}), INVALID, "2 dimensions");
    ck_assert_ptr_null(network);
    ck_fails(dlviz_network_create(&network, 0, (int64_t[]){1}), INVALID, "0 dimensions");
    ck_fails(dlviz_network_create(&network, 4, (int64_t[]){1, 1, 1, 1}), INVALID, "4 dimensions");
    ck_fails(dlviz_network_create(&network, 3, NULL), INVALID, "dims");
    ck_fails(dlviz_network_create(&network, 3, (int64_t[]){1, 0, 4}), INVALID, "0");
    ck_fails(dlviz_network_create(&network, 3, (int64_t[]){1, -7, 4}), INVALID, "-7");
    int64_t huge[] = {INT64_MAX, INT64_MAX, 2};
    ck_assert_int_ne(dlviz_network_create(&network, 3, huge), DLVIZ_OK);
    ck_assert_ptr_null(network);
    dlviz_network_destroy(NULL);
}
END_TEST

START_TEST(a_shape_that_does_not_fit_is_named) {
    dlviz_network *network = images(1, 8, 8);
    ck_ok(dlviz_network_add(network, "flat", dlviz_flatten()));
    ck_ok(dlviz_network_add(network, "conv3", dlviz_conv2d(4, 3, 1)));
    fails_to_build(network, DLVIZ_ERROR_SHAPE,
                   "conv2d 'conv3': input has 1 dimension, needs 3 (channels, height, width)");
    network = images(1, 8, 8);
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(4)));
    fails_to_build(network, DLVIZ_ERROR_SHAPE, "linear 'fc': input has 3 dimensions, needs 1");
    network = images(1, 4, 9);
    ck_ok(dlviz_network_add(network, "big", dlviz_conv2d(4, 7, 1)));
    fails_to_build(network, DLVIZ_ERROR_SHAPE, "conv2d 'big'");
    network = images(1, 4, 9);
    ck_ok(dlviz_network_add(network, "wide", dlviz_maxpool2d(5)));
    fails_to_build(network, DLVIZ_ERROR_SHAPE, "maxpool2d 'wide'");
    network = images(1, 9, 9);
    ck_ok(dlviz_network_add(network, "even", dlviz_conv2d(4, 2, DLVIZ_PAD_SAME)));
    fails_to_build(network, DLVIZ_ERROR_SHAPE, "conv2d 'even'");
    network = images(1, 9, 9);
    dlviz_layer *dilated = dlviz_conv2d(4, 2, DLVIZ_PAD_SAME); /* extent 3 */
    ck_ok(dlviz_conv2d_set_dilation(dilated, 2, 2));
    ck_ok(dlviz_network_add(network, "odd", dilated));
    ck_ok(dlviz_network_build(network, 1));
    ck_assert_int_eq(dlviz_network_layer_ndim(network, "odd"), 3);
    const int64_t *dims = dlviz_network_layer_dims(network, "odd");
    ck_assert(dims[0] == 4 && dims[1] == 9 && dims[2] == 9);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(names_are_checked) {
    const char *const bad[] = {"", ".a", "a.", "a..b", "input", NULL, "\xff", "a\xc3"};
    for (int i = 0; i < 8; i++) {
        dlviz_network *network = images(1, 8, 8);
        ck_fails(dlviz_network_add(network, bad[i], dlviz_relu()), INVALID, "name");
        fails_to_build(network, INVALID, "name");
    }
    dlviz_network *network = images(1, 8, 8);
    ck_ok(dlviz_network_add(network, "twice", dlviz_relu()));
    ck_fails(dlviz_network_add(network, "twice", dlviz_relu()), INVALID, "'twice'");
    fails_to_build(network, INVALID, "'twice'");
    ck_fails(dlviz_network_add(NULL, "a", dlviz_relu()), INVALID, "network");
    network = images(1, 8, 8);
    ck_fails(dlviz_network_add(network, "gone", NULL), INVALID, "'gone'");
    fails_to_build(network, INVALID, "'gone'");
    network = images(1, 8, 8);
    ck_assert_int_ne(dlviz_network_build(network, 1), DLVIZ_OK); /* no layers */
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(the_first_error_is_kept) {
    dlviz_network *network = images(1, 8, 8);
    dlviz_network_add(network, "ok", dlviz_relu());
    dlviz_network_add(network, "first", dlviz_conv2d(-3, 3, 1));
    dlviz_network_add(network, "second", dlviz_dropout(7));
    dlviz_network_add(network, "third", NULL);
    ck_fails(dlviz_network_build(network, 1), INVALID, "-3");
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "'first'"));
    ck_assert_ptr_null(strstr(dlviz_last_error(), "third"));
    /* What is called all the same says why it cannot be. */
    dlviz_tensor *none;
    ck_fails(dlviz_network_get_state(network, "ok.weight", &none), DLVIZ_ERROR_STATE,
             "the network could not be built: ");
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "'first'"));
    dlviz_network_destroy(network);
}
END_TEST

static void has_no_parameters(const dlviz_network *network) {
    ck_assert_int_eq(dlviz_network_num_states(network), 0);
    ck_assert_int_eq(dlviz_network_num_parameters(network), 0);
    ck_assert_ptr_null(dlviz_network_state_name(network, 0));
}

static dlviz_status build_some(void *context) {
    dlviz_network *network;
    (void)context;
    TRY(dlviz_network_create(&network, 3, (int64_t[]){1, 8, 8}));
    dlviz_status status = dlviz_network_add(network, "c", dlviz_conv2d(4, 3, 1));
    if (status == DLVIZ_OK)
        status = dlviz_network_add(network, "b", dlviz_batchnorm());
    has_no_parameters(network);
    if (status == DLVIZ_OK)
        status = dlviz_network_build(network, 1);
    if (status != DLVIZ_OK)
        has_no_parameters(network);
    else
        ck_assert_int_eq(dlviz_network_num_states(network), 7);
    dlviz_network_destroy(network);
    return status;
}

/* Also where the build fails after they have been counted. */
START_TEST(what_could_not_be_built_has_no_parameters) {
    ck_assert_int_gt(fail_each_allocation(build_some, NULL), 10);
    has_no_parameters(NULL);
}
END_TEST

static bool no_memory;

static void *allocate(size_t size, void *user) {
    (void)user;
    return no_memory ? NULL : malloc(size);
}

static void release(void *block, void *user) {
    (void)user;
    free(block);
}

START_TEST(the_first_error_is_kept_without_memory) {
    char first[2000];
    ck_ok(dlviz_set_allocator(allocate, release, NULL));
    dlviz_network *network = images(1, 8, 8);
    /* No layer after a call that lacked memory is one that could not be made for that. */
    ck_fails(dlviz_set_num_threads(-1), INVALID, "-1");
    no_memory = true;
    ck_fails(dlviz_network_add(network, "first", NULL), INVALID, "NULL");
    strcpy(first, dlviz_last_error());
    no_memory = false;
    fails_to_build(network, INVALID, first);
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
}
END_TEST

static dlviz_status no_forward(const dlviz_layer_pass *pass, void *user) {
    (void)pass, (void)user;
    return DLVIZ_OK;
}

static dlviz_status no_value(const dlviz_loss_pass *pass, void *user) {
    (void)pass, (void)user;
    return DLVIZ_OK;
}

/* What is remembered is what was said, however long the names in it are. */
START_TEST(an_error_is_remembered_whole) {
    char name[701], first[2000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    dlviz_network *network = images(1, 8, 8);
    dlviz_layer *layer = dlviz_layer_custom(
        &(dlviz_layer_functions){
            .struct_size = sizeof(dlviz_layer_functions), .name = name, .forward = no_forward},
        NULL);
    ck_fails(dlviz_conv2d_set_bias(layer, true), INVALID, "needs a conv2d");
    ck_fails(dlviz_network_add(network, "a", layer), INVALID, "needs a conv2d");
    dlviz_loss *loss = dlviz_loss_custom(
        &(dlviz_loss_functions){
            .struct_size = sizeof(dlviz_loss_functions), .name = name, .value = no_value},
        NULL);
    ck_fails(dlviz_huber_set_delta(loss, 1), INVALID, "needs huber");
    strcpy(first, dlviz_last_error());
    ck_fails(dlviz_network_set_loss(network, loss), INVALID, first);
    dlviz_network_destroy(network);
}
END_TEST

/* The layer's mistake comes out at build, naming the layer, the value and what is accepted. */
static void layer_is_rejected(dlviz_layer *layer, const char *value, const char *accepted) {
    dlviz_network *network = images(2, 8, 8);
    ck_assert_ptr_nonnull(layer);
    ck_fails(dlviz_network_add(network, "culprit", layer), INVALID, value);
    fails_to_build(network, INVALID, value);
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "'culprit'"));
    ck_assert_msg(strstr(dlviz_last_error(), accepted) != NULL, "'%s' does not say '%s'",
                  dlviz_last_error(), accepted);
}

START_TEST(arguments_of_layers_are_checked) {
    layer_is_rejected(dlviz_conv2d(0, 3, 1), "out_channels is 0", "1 to");
    layer_is_rejected(dlviz_conv2d(INT64_MAX, 3, 1), "9223372036854775807", "1 to");
    layer_is_rejected(dlviz_conv2d(4, 0, 1), "0", "1 to");
    layer_is_rejected(dlviz_conv2d(4, -5, 1), "-5", "1 to");
    layer_is_rejected(dlviz_conv2d(4, 3, -2), "-2", "DLVIZ_PAD_SAME");
    layer_is_rejected(dlviz_conv2d(4, 3, INT64_MAX), "9223372036854775807", "0 to");
    layer_is_rejected(dlviz_maxpool2d(0), "0", "1 to");
    layer_is_rejected(dlviz_maxpool2d(-4), "-4", "1 to");
    layer_is_rejected(dlviz_dropout(1), "1", "below 1");
    layer_is_rejected(dlviz_dropout(-0.25), "-0.25", "below 1");
    layer_is_rejected(dlviz_dropout(NAN), "nan", "below 1");
    layer_is_rejected(dlviz_linear(0), "0", "1 to");
    layer_is_rejected(dlviz_linear(-9), "-9", "1 to");
}
END_TEST

#define REJECTED(layer_call, setter_call, value, accepted)                                         \
    do {                                                                                           \
        dlviz_layer *layer = layer_call;                                                           \
        ck_fails(setter_call, INVALID, value);                                                     \
        ck_assert_msg(strstr(dlviz_last_error(), accepted) != NULL, "'%s' does not say '%s'",      \
                      dlviz_last_error(), accepted);                                               \
        layer_is_rejected(layer, value, accepted);                                                 \
    } while (0)

START_TEST(setters_of_layers_are_checked_and_remembered) {
    REJECTED(dlviz_conv2d(4, 3, 1), dlviz_conv2d_set_kernel(layer, 0, 3), "0 x 3", "1 to");
    REJECTED(dlviz_conv2d(4, 3, 1), dlviz_conv2d_set_kernel(layer, 3, -1), "3 x -1", "1 to");
    REJECTED(dlviz_conv2d(4, 3, 1), dlviz_conv2d_set_stride(layer, 0, 1), "0 x 1", "1 to");
    REJECTED(dlviz_conv2d(4, 3, 1), dlviz_conv2d_set_padding(layer, 2, -6), "2 x -6", "0 to");
    REJECTED(dlviz_conv2d(4, 3, 1), dlviz_conv2d_set_dilation(layer, 1, 0), "1 x 0", "1 to");
    REJECTED(dlviz_batchnorm(), dlviz_batchnorm_set_eps(layer, 0), "0", "1e-60 to 1e30");
    REJECTED(dlviz_batchnorm(), dlviz_batchnorm_set_eps(layer, -1), "-1", "1e-60 to 1e30");
    REJECTED(dlviz_batchnorm(), dlviz_batchnorm_set_eps(layer, NAN), "nan", "1e-60 to 1e30");
    REJECTED(dlviz_batchnorm(), dlviz_batchnorm_set_eps(layer, INFINITY), "inf", "1e-60 to 1e30");
    REJECTED(dlviz_batchnorm(), dlviz_batchnorm_set_momentum(layer, 1.5), "1.5", "0 to 1");
    REJECTED(dlviz_batchnorm(), dlviz_batchnorm_set_momentum(layer, NAN), "nan", "0 to 1");
    REJECTED(dlviz_maxpool2d(3), dlviz_maxpool2d_set_stride(layer, 0, 0), "0", "1 to");
    REJECTED(dlviz_maxpool2d(3), dlviz_maxpool2d_set_padding(layer, 2, 2), "2", "0 to 1");
    REJECTED(dlviz_maxpool2d(3), dlviz_maxpool2d_set_padding(layer, -1, -1), "-1", "0 to 1");
    /* A setter of another kind of layer. */
    REJECTED(dlviz_relu(), dlviz_conv2d_set_stride(layer, 1, 1), "relu", "conv2d");
    REJECTED(dlviz_conv2d(4, 3, 1), dlviz_linear_set_bias(layer, false), "conv2d", "linear");
    REJECTED(dlviz_linear(4), dlviz_maxpool2d_set_stride(layer, 2, 2), "linear", "maxpool2d");
    ck_fails(dlviz_conv2d_set_bias(NULL, true), INVALID, "layer");
    ck_fails(dlviz_batchnorm_set_eps(NULL, 1), INVALID, "layer");
    ck_fails(dlviz_maxpool2d_set_padding(NULL, 1, 1), INVALID, "layer");
    dlviz_layer_destroy(dlviz_conv2d(-1, 3, 1));
    dlviz_layer_destroy(NULL);
}
END_TEST

START_TEST(a_network_is_built_once) {
    dlviz_network *network = images(1, 8, 8);
    dlviz_tensor *tensor = (dlviz_tensor *)1;
    ck_ok(dlviz_network_add(network, "flat", dlviz_flatten()));
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(3)));
    ck_assert_str_eq(dlviz_network_summary(network), "");
    ck_assert_int_eq(dlviz_network_layer_ndim(network, "fc"), 0);
    ck_fails(dlviz_network_get_state(network, "fc.weight", &tensor), DLVIZ_ERROR_STATE, "built");
    ck_assert_ptr_null(tensor);
    ck_fails(dlviz_network_save(network, scratch_path("no.safetensors")), DLVIZ_ERROR_STATE,
             "built");
    ck_fails(dlviz_network_load(network, scratch_path("no.safetensors")), DLVIZ_ERROR_STATE,
             "built");
    ck_ok(dlviz_network_build(network, 1));
    ck_fails(dlviz_network_build(network, 1), DLVIZ_ERROR_STATE, "built");
    ck_fails(dlviz_network_add(network, "more", dlviz_relu()), DLVIZ_ERROR_STATE, "built");
    /* Neither spoiled it. */
    ck_ok(dlviz_network_get_state(network, "fc.weight", &tensor));
    dlviz_tensor_destroy(tensor);
    ck_assert_int_eq(dlviz_network_num_layers(network), 2);
    ck_assert_str_eq(dlviz_network_layer_name(network, 1), "fc");
    ck_assert_ptr_null(dlviz_network_layer_name(network, 2));
    ck_assert_ptr_null(dlviz_network_layer_name(network, -1));
    ck_assert_int_eq(dlviz_network_layer_ndim(network, "fc"), 1);
    ck_assert_int_eq(dlviz_network_layer_dims(network, "fc")[0], 3);
    ck_assert_int_eq(dlviz_network_layer_ndim(network, "no"), 0);
    ck_assert_int_eq(dlviz_network_num_parameters(network), 64 * 3 + 3);
    ck_assert_int_eq(dlviz_network_num_states(network), 2);
    ck_assert_str_eq(dlviz_network_state_name(network, 0), "fc.weight");
    ck_assert_ptr_null(dlviz_network_state_name(network, 2));
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(the_summary_shows_every_layer) {
    dlviz_network *network = report_network(32, 1);
    const char *summary = dlviz_network_summary(network);
    for (int i = 0; i < dlviz_network_num_layers(network); i++)
        ck_assert_msg(strstr(summary, dlviz_network_layer_name(network, i)) != NULL,
                      "no '%s' in\n%s", dlviz_network_layer_name(network, i), summary);
    const char *const words[] = {"64 x 16 x 16", "4096", "512", "36928", "2169194"};
    for (int i = 0; i < 5; i++)
        ck_assert_msg(strstr(summary, words[i]) != NULL, "no '%s' in\n%s", words[i], summary);
    ck_assert_int_eq(summary[strlen(summary) - 1], '\n');
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(initial_values_are_pytorchs_distributions) {
    net_spec spec;
    report_spec(&spec, 32, 1);
    dlviz_network *a = build_net(&spec, 5), *b = build_net(&spec, 5), *c = build_net(&spec, 6);
    dlviz_tensor *tensor, *other;
    assert_same_states(a, b);
    static const struct {
        const char *name;
        double bound;
    } uniforms[] = {{"conv1.weight", 1.0 / 3},   {"conv1.bias", 1.0 / 3},
                    {"conv4.weight", 1 / 24.0},  {"fc1.weight", 1 / 64.0},
                    {"fc2.bias", 0.04419417382}, {"fc2.weight", 0.04419417382}};
    for (int i = 0; i < 6; i++) {
        double bound = uniforms[i].bound, sum = 0, squares = 0, most = 0;
        ck_ok(dlviz_network_get_state(a, uniforms[i].name, &tensor));
        ck_ok(dlviz_network_get_state(c, uniforms[i].name, &other));
        const float *v = dlviz_tensor_const_float(tensor);
        double n = (double)dlviz_tensor_num_elements(tensor);
        ck_assert_int_ne(memcmp(v, dlviz_tensor_const_data(other), (size_t)n * 4), 0);
        for (int64_t j = 0; j < dlviz_tensor_num_elements(tensor); j++) {
            sum += v[j];
            squares += (double)v[j] * v[j];
            most = fmax(most, fabs(v[j]));
        }
        ck_assert_double_le(most, bound * (1 + 1e-6));
        ck_assert_double_eq_tol(sum / n, 0, 5 * bound / sqrt(3 * n));
        ck_assert_double_eq_tol(squares / n, bound * bound / 3,
                                5 * bound * bound * sqrt(4.0 / 45 / n));
        dlviz_tensor_destroy(tensor);
        dlviz_tensor_destroy(other);
    }
    const char *const names[] = {"bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"};
    for (int i = 0; i < 4; i++) {
        ck_ok(dlviz_network_get_state(a, names[i], &tensor));
        for (int64_t j = 0; j < 32; j++)
            ck_assert_float_eq(dlviz_tensor_const_float(tensor)[j], i == 0 || i == 3 ? 1.0f : 0.0f);
        dlviz_tensor_destroy(tensor);
    }
    dlviz_network_destroy(a);
    dlviz_network_destroy(b);
    dlviz_network_destroy(c);
}
END_TEST

START_TEST(states_are_set_and_got) {
    dlviz_network *network = net_from_text("1x6x6", "conv:conv,out=3,k=3 bn:bn flat:flatten "
                                                    "fc:linear,out=2");
    dlviz_tensor *kept, *tensor = NULL, *counter;
    ck_ok(dlviz_network_get_state(network, "conv.bias", &kept));
    float values[] = {1, 2, 3};
    tensor = float_tensor(1, (int64_t[]){3}, values);
    ck_ok(dlviz_network_set_state(network, "conv.bias", tensor));
    dlviz_tensor_float(tensor)[0] = 9; /* the network has a copy */
    dlviz_tensor_destroy(kept);
    ck_ok(dlviz_network_get_state(network, "conv.bias", &kept));
    ck_assert_int_eq(memcmp(dlviz_tensor_const_data(kept), values, sizeof values), 0);
    dlviz_tensor_float(kept)[0] = 8;
    dlviz_tensor_destroy(kept);
    ck_ok(dlviz_network_get_state(network, "conv.bias", &kept));
    ck_assert_int_eq(memcmp(dlviz_tensor_const_data(kept), values, sizeof values), 0);

    ck_fails(dlviz_network_set_state(network, "fc.bias", tensor), DLVIZ_ERROR_SHAPE, "fc.bias");
    ck_fails(dlviz_network_set_state(network, "conv.beans", tensor), DLVIZ_ERROR_NOT_FOUND,
             "conv.bias");
    ck_fails(dlviz_network_set_state(network, NULL, tensor), INVALID, "name");
    ck_fails(dlviz_network_set_state(network, "conv.bias", NULL), INVALID, "tensor");
    ck_fails(dlviz_network_set_state(network, "bn.num_batches_tracked", tensor), DLVIZ_ERROR_SHAPE,
             "num_batches_tracked");
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        dlviz_tensor_float(tensor)[1] = bad[i];
        ck_fails(dlviz_network_set_state(network, "conv.bias", tensor), DLVIZ_ERROR_NUMERIC,
                 "conv.bias");
    }
    dlviz_tensor_destroy(tensor);
    tensor = int64_tensor(3, (int64_t[]){1, 2, 3});
    ck_fails(dlviz_network_set_state(network, "conv.bias", tensor), DLVIZ_ERROR_SHAPE, "int64");
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(kept);
    ck_ok(dlviz_network_get_state(network, "conv.bias", &kept));
    ck_assert_int_eq(memcmp(dlviz_tensor_const_data(kept), values, sizeof values), 0);
    dlviz_tensor_destroy(kept);

    int64_t batches = 17;
    ck_ok(dlviz_tensor_from_data(&counter, DLVIZ_INT64, 0, NULL, &batches));
    ck_ok(dlviz_network_set_state(network, "bn.num_batches_tracked", counter));
    dlviz_tensor_destroy(counter);
    ck_ok(dlviz_network_get_state(network, "bn.num_batches_tracked", &counter));
    ck_assert_int_eq(dlviz_tensor_ndim(counter), 0);
    ck_assert_int_eq(*(const int64_t *)dlviz_tensor_const_data(counter), 17);
    dlviz_tensor_destroy(counter);

    ck_fails(dlviz_network_get_state(network, "weight", &kept), DLVIZ_ERROR_NOT_FOUND, "fc.weight");
    ck_assert_ptr_null(kept);
    ck_fails(dlviz_network_get_gradient(network, "bn.running_mean", &kept), INVALID,
             "running_mean");
    ck_fails(dlviz_network_get_gradient(network, "bn.beans", &kept), DLVIZ_ERROR_NOT_FOUND,
             "bn.bias");
    ck_fails(dlviz_network_get_gradient(network, "conv.bias", &kept), DLVIZ_ERROR_STATE,
             "gradient");
    ck_assert_ptr_null(kept);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(batches_are_checked) {
    net_spec spec;
    parse_net(&spec, "2x5x4", "conv:conv,out=3,k=3 bn:bn flat:flatten fc:linear,out=4");
    dlviz_network *network = build_net(&spec, 1);
    dlviz_tensor *inputs = input_tensor(&spec, 3, 1, false), *labels = label_tensor(3, 4, 2), *out;
    dlviz_tensor *bad, *wrong = int64_tensor(3, (int64_t[]){0, 4, 1});
    double loss;
    void *before, *after;
    size_t size;
    before = all_states(network, &size);
    ck_fails(dlviz_network_backward(network, inputs, wrong, 0, 0, &loss), INVALID, "4");
    dlviz_tensor_destroy(wrong);
    wrong = int64_tensor(3, (int64_t[]){0, -1, 1});
    ck_fails(dlviz_network_backward(network, inputs, wrong, 0, 0, &loss), INVALID, "-1");
    dlviz_tensor_destroy(wrong);
    wrong = int64_tensor(2, (int64_t[]){0, 1});
    ck_fails(dlviz_network_backward(network, inputs, wrong, 0, 0, &loss), DLVIZ_ERROR_SHAPE, "2");
    dlviz_tensor_destroy(wrong);
    ck_fails(dlviz_network_backward(network, inputs, inputs, 0, 0, &loss), DLVIZ_ERROR_SHAPE,
             "labels");
    ck_fails(dlviz_network_backward(network, NULL, labels, 0, 0, &loss), INVALID, "inputs");
    ck_fails(dlviz_network_backward(network, inputs, NULL, 0, 0, &loss), INVALID, "targets");
    ck_ok(dlviz_tensor_create(&bad, DLVIZ_FLOAT32, 4, (int64_t[]){3, 2, 4, 5}));
    ck_fails(dlviz_network_backward(network, bad, labels, 0, 0, &loss), DLVIZ_ERROR_SHAPE,
             "2 x 5 x 4");
    ck_fails(dlviz_network_forward(network, bad, &out), DLVIZ_ERROR_SHAPE, "2 x 5 x 4");
    ck_assert_ptr_null(out);
    dlviz_tensor_destroy(bad);
    ck_ok(dlviz_tensor_create(&bad, DLVIZ_FLOAT32, 3, (int64_t[]){2, 5, 4}));
    ck_fails(dlviz_network_forward(network, bad, &out), DLVIZ_ERROR_SHAPE, "2 x 5 x 4");
    dlviz_tensor_destroy(bad);
    ck_ok(dlviz_tensor_create(&bad, DLVIZ_UINT8, 4, (int64_t[]){3, 2, 5, 4}));
    ck_fails(dlviz_network_forward(network, bad, &out), DLVIZ_ERROR_SHAPE, "uint8");
    dlviz_tensor_destroy(bad);
    ck_ok(dlviz_tensor_create(&bad, DLVIZ_FLOAT32, 4, (int64_t[]){0, 2, 5, 4}));
    ck_assert_int_ne(dlviz_network_backward(network, bad, labels, 0, 0, &loss), DLVIZ_OK);
    dlviz_tensor_destroy(bad);
    after = all_states(network, &size);
    ck_assert_msg(memcmp(before, after, size) == 0, "a refused batch changed the network");
    free(before);
    free(after);
    /* uint8 labels do as well, and count the same. */
    dlviz_tensor *bytes;
    double again;
    ck_ok(dlviz_tensor_convert(labels, DLVIZ_UINT8, &bytes));
    ck_ok(dlviz_network_backward(network, inputs, labels, 0, 0, &loss));
    ck_ok(dlviz_network_backward(network, inputs, bytes, 0, 0, &again));
    ck_assert_double_eq_tol(loss, again, 1e-6); /* the running statistics moved */
    ck_ok(dlviz_network_backward(network, inputs, bytes, 0, 0, NULL));
    dlviz_tensor_destroy(bytes);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(batch_norm_needs_two_values) {
    net_spec spec;
    parse_net(&spec, "5", "norm:bn fc:linear,out=2");
    dlviz_network *network = build_net(&spec, 1);
    dlviz_tensor *inputs = input_tensor(&spec, 1, 1, false), *labels = label_tensor(1, 2, 1), *out;
    ck_assert_int_ne(dlviz_network_backward(network, inputs, labels, 0, 0, NULL), DLVIZ_OK);
    ck_assert_msg(strstr(dlviz_last_error(), "norm") && strstr(dlviz_last_error(), "value"),
                  "'%s' does not explain", dlviz_last_error());
    ck_ok(dlviz_network_forward(network, inputs, &out)); /* evaluation can */
    dlviz_tensor_destroy(out);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(network);
    parse_net(&spec, "3x1x1", "norm:bn flat:flatten fc:linear,out=2");
    network = build_net(&spec, 1);
    inputs = input_tensor(&spec, 1, 1, false);
    labels = label_tensor(1, 2, 1);
    ck_assert_int_ne(dlviz_network_backward(network, inputs, labels, 0, 0, NULL), DLVIZ_OK);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(network);
}
END_TEST

/* n samples of the report network's kind, small: 1 x 12 x 12. */
#define SMALL                                                                                      \
    "c1:conv,out=32,k=3,pad=same b1:bn r1:relu p1:pool,k=2 d1:dropout,p=0.25 c2:conv,out=8,k=3 "   \
    "b2:bn r2:relu flat:flatten d2:dropout,p=0.5 fc:linear,out=10"

static dlviz_network *small_network(net_spec *spec) {
    parse_net(spec, "1x12x12", SMALL);
    dlviz_network *network = build_net(spec, 1);
    fill_states(network, 4, false);
    return network;
}

START_TEST(the_ways_of_evaluation_agree) {
    net_spec spec;
    dlviz_network *network = small_network(&spec);
    const int64_t n = 301;
    dlviz_tensor *inputs = input_tensor(&spec, n, 8, false), *labels = label_tensor(n, 10, 9);
    dlviz_tensor *predicted, *forward, *features;
    dlviz_dataset *dataset;
    double loss, accuracy, expected = 0;
    int64_t right = 0;
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    ck_ok(dlviz_network_predict(network, dataset, &predicted));
    ck_ok(dlviz_network_forward(network, inputs, &forward));
    ck_ok(dlviz_network_features(network, "fc", dataset, &features));
    ck_ok(dlviz_network_evaluate(network, dataset, &loss, &accuracy));
    size_t bytes = (size_t)n * 10 * sizeof(float);
    ck_assert_int_eq(dlviz_tensor_ndim(predicted), 2);
    ck_assert_int_eq(dlviz_tensor_dim(predicted, 0), n);
    ck_assert_int_eq(dlviz_tensor_dim(predicted, 1), 10);
    const float *p = dlviz_tensor_const_float(predicted);
    ck_assert_int_eq(memcmp(p, dlviz_tensor_const_data(forward), bytes), 0);
    ck_assert_int_eq(memcmp(p, dlviz_tensor_const_data(features), bytes), 0);
    for (int64_t i = 0; i < n; i++) {
        int64_t label = ((const int64_t *)dlviz_tensor_const_data(labels))[i], best = 0;
        double sum = 0;
        for (int64_t c = 0; c < 10; c++) {
            sum += exp((double)p[i * 10 + c]);
            best = p[i * 10 + c] > p[i * 10 + best] ? c : best;
        }
        expected += log(sum) - p[i * 10 + label];
        right += best == label;
    }
    ck_assert_double_eq_tol(loss, expected / (double)n, 1e-6 * expected / (double)n);
    ck_assert_double_eq_tol(accuracy, (double)right / (double)n, 1e-12);
    ck_ok(dlviz_network_evaluate(network, dataset, NULL, NULL));

    /* Neither do they depend on what else is in the batch, on the order, or on the threads. */
    for (int64_t i = 0; i < n; i += 37) {
        dlviz_tensor *one, *row;
        ck_ok(dlviz_tensor_slice(inputs, i, 1, &row));
        ck_ok(dlviz_network_forward(network, row, &one));
        ck_assert_msg(memcmp(dlviz_tensor_const_data(one), p + i * 10, 40) == 0,
                      "image %d alone gives other logits than in a batch", (int)i);
        dlviz_tensor_destroy(row);
        dlviz_tensor_destroy(one);
    }
    for (int threads = 1; threads <= 8; threads += threads == 3 ? 5 : 1) {
        dlviz_tensor *again;
        ck_ok(dlviz_set_num_threads(threads));
        ck_ok(dlviz_network_predict(network, dataset, &again));
        ck_assert_int_eq(memcmp(p, dlviz_tensor_const_data(again), bytes), 0);
        dlviz_tensor_destroy(again);
    }
    dlviz_tensor *all[] = {inputs, labels, predicted, forward, features};
    for (int i = 0; i < 5; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(evaluation_changes_nothing) {
    net_spec spec;
    dlviz_network *network = small_network(&spec), *same = small_network(&spec);
    dlviz_tensor *inputs = input_tensor(&spec, 20, 8, false), *labels = label_tensor(20, 10, 9),
                 *out;
    dlviz_dataset *dataset;
    double a, b;
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    ck_ok(dlviz_network_backward(network, inputs, labels, 1, 1, &a));
    ck_ok(dlviz_network_backward(same, inputs, labels, 1, 1, &b));
    ck_assert_double_eq(a, b);
    size_t size;
    void *before = all_gradients(network, &size), *after;
    ck_ok(dlviz_network_predict(network, dataset, &out));
    dlviz_tensor_destroy(out);
    ck_ok(dlviz_network_features(network, "p1", dataset, &out));
    dlviz_tensor_destroy(out);
    ck_ok(dlviz_network_evaluate(network, dataset, &a, NULL));
    assert_same_states(network, same);
    after = all_gradients(network, &size);
    ck_assert_int_eq(memcmp(before, after, size), 0);
    free(before);
    free(after);
    ck_ok(dlviz_network_backward(network, inputs, labels, 1, 2, &a));
    ck_ok(dlviz_network_backward(same, inputs, labels, 1, 2, &b));
    ck_assert_double_eq(a, b);
    assert_same_states(network, same);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
    dlviz_network_destroy(same);
}
END_TEST

START_TEST(datasets_are_checked) {
    net_spec spec, other;
    dlviz_network *network = small_network(&spec);
    parse_net(&other, "1x10x12", "f:flatten fc:linear,out=2");
    dlviz_tensor *inputs = input_tensor(&other, 4, 1, false),
                 *good = input_tensor(&spec, 4, 1, false);
    dlviz_tensor *labels = int64_tensor(4, (int64_t[]){0, 1, 2, 10}), *out = (dlviz_tensor *)1;
    dlviz_dataset *misshapen, *unlabeled, *beyond;
    double loss;
    ck_ok(dlviz_dataset_create(&misshapen, inputs, labels));
    ck_ok(dlviz_dataset_create(&unlabeled, good, NULL));
    ck_ok(dlviz_dataset_create(&beyond, good, labels));
    ck_fails(dlviz_network_predict(network, misshapen, &out), DLVIZ_ERROR_SHAPE, "1 x 12 x 12");
    ck_assert_ptr_null(out);
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "1 x 10 x 12"));
    ck_fails(dlviz_network_features(network, "c1", misshapen, &out), DLVIZ_ERROR_SHAPE,
             "1 x 10 x 12");
    ck_fails(dlviz_network_evaluate(network, unlabeled, &loss, NULL), INVALID, "label");
    ck_fails(dlviz_network_evaluate(network, beyond, &loss, NULL), INVALID, "10");
    ck_fails(dlviz_network_features(network, "conv1", unlabeled, &out), DLVIZ_ERROR_NOT_FOUND,
             "'conv1'");
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "d2"));
    ck_fails(dlviz_network_features(network, NULL, unlabeled, &out), INVALID, "layer");
    ck_fails(dlviz_network_predict(network, NULL, &out), INVALID, "dataset");
    ck_fails(dlviz_network_predict(NULL, unlabeled, &out), INVALID, "network");
    dlviz_dataset_destroy(misshapen);
    dlviz_dataset_destroy(unlabeled);
    dlviz_dataset_destroy(beyond);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(good);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(nan_passes_through) {
    dlviz_network *network = net_from_text("1x4x4", "r:relu p:pool,k=2");
    float values[16] = {-1, 2, NAN, 0, -3, -4, 5, 1};
    dlviz_tensor *inputs = float_tensor(4, (int64_t[]){1, 1, 4, 4}, values), *out;
    ck_ok(dlviz_network_forward(network, inputs, &out));
    const float *y = dlviz_tensor_const_float(out);
    ck_assert_int_eq(dlviz_tensor_ndim(out), 4);
    ck_assert_float_eq(y[0], 2);
    ck_assert_msg(isnan(y[1]), "NaN became %g", y[1]);
    ck_assert_float_eq(y[2], 0);
    dlviz_tensor_destroy(out);
    dlviz_tensor_destroy(inputs);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(a_layer_belongs_to_one_network_once) {
    dlviz_network *first, *second;
    dlviz_layer *relu = dlviz_relu();
    ck_ok(dlviz_network_create(&first, 1, (int64_t[]){3}));
    ck_ok(dlviz_network_create(&second, 1, (int64_t[]){3}));
    ck_ok(dlviz_network_add(first, "relu", relu));
    ck_fails(dlviz_network_add(first, "again", relu), DLVIZ_ERROR_INVALID_ARGUMENT,
             "belongs to a network already");
    ck_fails(dlviz_network_add(second, "relu", relu), DLVIZ_ERROR_INVALID_ARGUMENT,
             "belongs to a network already");
    dlviz_network_destroy(first);
    dlviz_network_destroy(second);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_layer_belongs_to_one_network_once,
                                  input_shapes_are_checked,
                                  a_shape_that_does_not_fit_is_named,
                                  names_are_checked,
                                  the_first_error_is_kept,
                                  what_could_not_be_built_has_no_parameters,
                                  the_first_error_is_kept_without_memory,
                                  an_error_is_remembered_whole,
                                  arguments_of_layers_are_checked,
                                  setters_of_layers_are_checked_and_remembered,
                                  a_network_is_built_once,
                                  the_summary_shows_every_layer,
                                  initial_values_are_pytorchs_distributions,
                                  states_are_set_and_got,
                                  batches_are_checked,
                                  batch_norm_needs_two_values,
                                  the_ways_of_evaluation_agree,
                                  evaluation_changes_nothing,
                                  datasets_are_checked,
                                  nan_passes_through,
                                  NULL};
    return run_tests("network", tests);
}
