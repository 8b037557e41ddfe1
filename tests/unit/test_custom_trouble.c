/* Layers of the user's own that fail, or that are not what they should be: every call says so, and
 * nothing is left half done. */
#include "support/custom_layers.h"
#include "support/support.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N = 100 };

/* -- A network with a layer that fails ------------------------------------------------------------
 */

static dlviz_status build(dlviz_network **net, probe *p) {
    ck_ok(dlviz_network_create(net, 3, (int64_t[]){2, 3, 4}));
    dlviz_network_add(*net, "c", dlviz_conv2d(4, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(*net, "b", dlviz_batchnorm());
    dlviz_network_add(*net, "act", dlviz_layer_custom(&probe_swish, p));
    dlviz_network_add(*net, "f", dlviz_flatten());
    dlviz_network_add(*net, "l", dlviz_linear(3));
    return dlviz_network_build(*net, 1);
}

static dlviz_network *built(probe *p) {
    dlviz_network *net;
    ck_ok(build(&net, p));
    return net;
}

static dlviz_tensor *samples, *labels;
static dlviz_dataset *dataset;

static void make_data(void) {
    ck_ok(dlviz_tensor_create(&samples, DLVIZ_FLOAT32, 4, (int64_t[]){N, 2, 3, 4}));
    ck_ok(dlviz_tensor_create(&labels, DLVIZ_UINT8, 1, (int64_t[]){N}));
    fill_uniform(dlviz_tensor_float(samples), dlviz_tensor_num_elements(samples), 3);
    for (int i = 0; i < N; i++)
        ((uint8_t *)dlviz_tensor_data(labels))[i] = (uint8_t)(i * i % 3);
    ck_ok(dlviz_dataset_create(&dataset, samples, labels));
}

static void destroy_data(void) {
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(samples), dlviz_tensor_destroy(labels);
}

static void fail_next(probe *p, int function, int after, dlviz_status status) {
    p->fail_function = function;
    p->fail_at = p->calls[function] + after;
    p->status = status;
}

static void compare_states(const dlviz_network *a, const dlviz_network *b) {
    for (int i = 0; i < dlviz_network_num_states(a); i++) {
        const char *name = dlviz_network_state_name(a, i);
        dlviz_tensor *one, *two;
        ck_ok(dlviz_network_get_state(a, name, &one));
        ck_ok(dlviz_network_get_state(b, name, &two));
        ck_assert_msg(memcmp(dlviz_tensor_data(one), dlviz_tensor_data(two),
                             (size_t)dlviz_tensor_num_elements(one) *
                                 dlviz_dtype_size(dlviz_tensor_dtype(one))) == 0,
                      "'%s' differs", name);
        dlviz_tensor_destroy(one), dlviz_tensor_destroy(two);
    }
}

START_TEST(a_setup_that_fails_ends_the_build) {
    probe p = {.fail_function = CALL_SETUP, .fail_at = 1, .status = DLVIZ_ERROR_SHAPE};
    dlviz_network *net;
    ck_fails(build(&net, &p), DLVIZ_ERROR_SHAPE,
             "swish 'act': setup: call 1 of setup is to fail (0.5)");
    dlviz_network_destroy(net);
    ck_assert_int_eq(p.destroyed, 1);
}
END_TEST

/* Layers before and behind it, and their network. */
static dlviz_layer *before, *behind;
static dlviz_network *around;

static dlviz_status set_others(dlviz_layer_setup *setup, void *user) {
    (void)setup;
    ck_fails(dlviz_conv2d_set_kernel(before, 5, 5), DLVIZ_ERROR_STATE, "settings come before");
    ck_fails(dlviz_linear_set_bias(behind, false), DLVIZ_ERROR_STATE, "settings come before");
    ck_fails(dlviz_network_build(around, 1), DLVIZ_ERROR_STATE, "is being built");
    if (*(const bool *)user)
        dlviz_network_destroy(around);
    return DLVIZ_OK;
}

/* Shapes are known that settings would no longer fit. */
START_TEST(a_setup_cannot_change_other_layers) {
    for (int destroys = 0; destroys < 2; destroys++) {
        bool flag = destroys;
        const dlviz_layer_functions table = {.struct_size = sizeof table,
                                             .name = "meddler",
                                             .setup = set_others,
                                             .forward = probe_relu.forward};
        ck_ok(dlviz_network_create(&around, 3, (int64_t[]){2, 6, 6}));
        before = dlviz_conv2d(4, 3, 1);
        behind = dlviz_linear(3);
        dlviz_network_add(around, "c", before);
        dlviz_network_add(around, "m", dlviz_layer_custom(&table, &flag));
        dlviz_network_add(around, "f", dlviz_flatten());
        dlviz_network_add(around, "l", behind);
        ck_ok(dlviz_network_build(around, 1)); /* as it would have been, and ends with the call */
        if (destroys)
            continue;
        int64_t rows;
        dlviz_conv2d_kernel(before, &rows, NULL);
        ck_assert_int_eq(rows, 3);
        ck_assert(dlviz_linear_bias(behind));
        dlviz_network_destroy(around);
    }
}
END_TEST

START_TEST(a_forward_that_fails_ends_what_it_runs_in) {
    make_data();
    probe p = {0};
    dlviz_network *net = built(&p), *fresh = built(NULL);
    dlviz_tensor *out, *good;
    ck_ok(dlviz_network_predict(net, dataset, &good));
    for (int piece = 1; piece <= 2; piece++) { /* 64 samples, then 36 */
        fail_next(&p, CALL_FORWARD, piece, DLVIZ_ERROR_NUMERIC);
        out = samples;
        ck_fails(dlviz_network_predict(net, dataset, &out), DLVIZ_ERROR_NUMERIC,
                 "swish 'act': forward: call");
        ck_assert_ptr_null(out);
        fail_next(&p, CALL_FORWARD, piece, DLVIZ_ERROR_IO);
        out = samples;
        ck_fails(dlviz_network_forward(net, samples, &out), DLVIZ_ERROR_IO, "'act': forward");
        ck_assert_ptr_null(out);
        fail_next(&p, CALL_FORWARD, piece, DLVIZ_CANCELLED);
        out = samples;
        ck_fails(dlviz_network_features(net, "f", dataset, &out), DLVIZ_CANCELLED, "to fail");
        ck_assert_ptr_null(out);
        double loss = 7, accuracy = 8;
        fail_next(&p, CALL_FORWARD, piece, DLVIZ_ERROR_STATE);
        ck_fails(dlviz_network_evaluate(net, dataset, &loss, &accuracy), DLVIZ_ERROR_STATE,
                 "to fail");
        ck_assert(isnan(loss) && isnan(accuracy));
    }
    /* What does not need the layer, and what comes later, is as ever. */
    fail_next(&p, CALL_FORWARD, 1, DLVIZ_ERROR_IO);
    ck_ok(dlviz_network_features(net, "b", dataset, &out));
    dlviz_tensor_destroy(out);
    p.fail_at = 0;
    ck_ok(dlviz_network_predict(net, dataset, &out));
    ck_assert_mem_eq(dlviz_tensor_data(out), dlviz_tensor_data(good),
                     (size_t)dlviz_tensor_num_elements(good) * sizeof(float));
    compare_states(net, fresh);
    dlviz_tensor_destroy(out), dlviz_tensor_destroy(good);
    dlviz_network_destroy(net), dlviz_network_destroy(fresh);
    destroy_data();
}
END_TEST

/* Running statistics, the layer's own buffer and the loss are as before; gradients are those of an
 * earlier batch, or gone. */
START_TEST(a_step_that_fails_leaves_everything_as_it_was) {
    make_data();
    probe p = {0};
    dlviz_network *net = built(&p), *fresh = built(NULL);
    dlviz_optimizer *sgd;
    dlviz_tensor *gradient;
    ck_ok(dlviz_sgd_create(&sgd, 0.1));
    double loss = 7;
    for (int function = CALL_FORWARD; function <= CALL_BACKWARD; function++) {
        fail_next(&p, function, 1, DLVIZ_ERROR_NUMERIC);
        ck_fails(dlviz_network_backward(net, samples, labels, 0, 0, &loss), DLVIZ_ERROR_NUMERIC,
                 function == CALL_FORWARD ? "swish 'act': forward: call"
                                          : "swish 'act': backward: call");
        ck_assert(isnan(loss));
        compare_states(net, fresh);
        ck_fails(dlviz_network_get_gradient(net, "c.weight", &gradient), DLVIZ_ERROR_STATE,
                 "no gradients yet");
        ck_fails(dlviz_optimizer_step(sgd, net), DLVIZ_ERROR_STATE, "");
    }
    ck_ok(dlviz_network_backward(net, samples, labels, 0, 0, &loss));
    ck_ok(dlviz_network_backward(fresh, samples, labels, 0, 0, NULL));
    compare_states(net, fresh);
    /* From a gradient of one's own, too. */
    dlviz_tensor *along, *input_gradient;
    ck_ok(dlviz_tensor_create(&along, DLVIZ_FLOAT32, 2, (int64_t[]){N, 3}));
    for (int function = CALL_FORWARD; function <= CALL_BACKWARD; function++) {
        fail_next(&p, function, 1, DLVIZ_ERROR_IO);
        input_gradient = along;
        ck_fails(dlviz_network_backward_from(net, "l", samples, along, 0, 0, &input_gradient),
                 DLVIZ_ERROR_IO, "swish 'act': ");
        ck_assert_ptr_null(input_gradient);
        compare_states(net, fresh);
        ck_fails(dlviz_network_get_gradient(net, "c.weight", &gradient), DLVIZ_ERROR_STATE, "");
    }
    dlviz_tensor_destroy(along);
    ck_ok(dlviz_network_backward(net, samples, labels, 0, 0, NULL));
    ck_ok(dlviz_network_backward(fresh, samples, labels, 0, 0, NULL));
    /* Forward: the gradients of the batch before; backward: some of them are overwritten. */
    fail_next(&p, CALL_FORWARD, 1, DLVIZ_ERROR_NUMERIC);
    ck_fails(dlviz_network_backward(net, samples, labels, 0, 0, NULL), DLVIZ_ERROR_NUMERIC, "");
    ck_ok(dlviz_network_get_gradient(net, "c.weight", &gradient));
    dlviz_tensor_destroy(gradient);
    fail_next(&p, CALL_BACKWARD, 1, DLVIZ_ERROR_NUMERIC);
    ck_fails(dlviz_network_backward(net, samples, labels, 0, 0, NULL), DLVIZ_ERROR_NUMERIC, "");
    ck_fails(dlviz_network_get_gradient(net, "c.weight", &gradient), DLVIZ_ERROR_STATE, "");
    compare_states(net, fresh);
    dlviz_optimizer_destroy(sgd);
    dlviz_network_destroy(net), dlviz_network_destroy(fresh);
    destroy_data();
}
END_TEST

static void train(dlviz_network *net, probe *p, int function, int after) {
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    ck_ok(dlviz_adam_create(&adam, 0.01));
    ck_ok(dlviz_trainer_create(&trainer, net, adam));
    ck_ok(dlviz_trainer_set_batch_size(trainer, 30)); /* 4 batches, then 2 pieces of validation */
    ck_ok(dlviz_trainer_set_validation(trainer, dataset));
    if (p) {
        fail_next(p, function, after, DLVIZ_ERROR_IO);
        ck_fails(dlviz_trainer_fit(trainer, dataset, 2), DLVIZ_ERROR_IO, "swish 'act'");
    }
    ck_ok(dlviz_trainer_fit(trainer, dataset, 2 - dlviz_trainer_num_epochs(trainer)));
    ck_assert_int_eq(dlviz_trainer_num_epochs(trainer), 2);
    dlviz_trainer_destroy(trainer), dlviz_optimizer_destroy(adam);
}

/* Whichever call fails, the training that goes on comes to the same bits. */
START_TEST(training_goes_on_where_it_failed) {
    make_data();
    dlviz_network *calm = built(NULL);
    train(calm, NULL, 0, 0);
    for (int function = CALL_FORWARD; function <= CALL_BACKWARD; function++)
        for (int call = 1; call <= (function == CALL_FORWARD ? 12 : 8); call++) {
            probe p = {0};
            dlviz_network *net = built(&p);
            train(net, &p, function, call);
            compare_states(net, calm);
            dlviz_network_destroy(net);
        }
    dlviz_network_destroy(calm);
    destroy_data();
}
END_TEST

START_TEST(a_failure_without_a_sentence_gets_one) {
    make_data();
    probe p = {.silent = true};
    dlviz_network *net = built(&p);
    dlviz_tensor *out;
    ck_assert_int_ne(dlviz_fail(DLVIZ_ERROR_IO, "of long ago"), DLVIZ_OK);
    fail_next(&p, CALL_FORWARD, 1, DLVIZ_ERROR_IO);
    ck_fails(dlviz_network_predict(net, dataset, &out), DLVIZ_ERROR_IO,
             "swish 'act': forward returned 'input or output failed' without a sentence");
    fail_next(&p, CALL_FORWARD, 1, (dlviz_status)99);
    ck_fails(dlviz_network_predict(net, dataset, &out), DLVIZ_ERROR_INVALID_ARGUMENT,
             "swish 'act': forward returned 99, which is no dlviz_status");
    fail_next(&p, CALL_BACKWARD, 1, (dlviz_status)-1);
    ck_fails(dlviz_network_backward(net, samples, labels, 0, 0, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "backward returned -1");
    dlviz_network_destroy(net);
    destroy_data();
}
END_TEST

static dlviz_network *other;

/* As the other network does. */
static dlviz_status call_forward(const dlviz_layer_pass *pass, void *user) {
    (void)user;
    dlviz_tensor *out, *to = dlviz_layer_pass_output(pass);
    dlviz_status status = dlviz_network_forward(other, dlviz_layer_pass_input(pass, 0), &out);
    if (status == DLVIZ_OK)
        memcpy(dlviz_tensor_data(to), dlviz_tensor_data(out),
               (size_t)dlviz_tensor_num_elements(to) * sizeof(float));
    dlviz_tensor_destroy(out);
    return status;
}

static dlviz_status three_outputs(dlviz_layer_setup *setup, void *user) {
    (void)user;
    return dlviz_layer_setup_set_output(setup, 1, &(int64_t){3});
}

START_TEST(a_function_may_call_another_network) {
    make_data();
    probe p = {0};
    const dlviz_layer_functions t = {
        .struct_size = sizeof t, .name = "caller", .setup = three_outputs, .forward = call_forward};
    dlviz_network *net;
    dlviz_tensor *out, *direct;
    other = built(&p);
    ck_ok(dlviz_network_create(&net, 3, (int64_t[]){2, 3, 4}));
    dlviz_network_add(net, "own", dlviz_layer_custom(&t, NULL));
    ck_ok(dlviz_network_build(net, 1));
    ck_ok(dlviz_network_predict(net, dataset, &out));
    ck_ok(dlviz_network_predict(other, dataset, &direct));
    ck_assert_mem_eq(dlviz_tensor_data(out), dlviz_tensor_data(direct),
                     (size_t)dlviz_tensor_num_elements(direct) * sizeof(float));
    dlviz_tensor_destroy(out), dlviz_tensor_destroy(direct);
    fail_next(&p, CALL_FORWARD, 1, DLVIZ_ERROR_IO);
    ck_fails(dlviz_network_predict(net, dataset, &out), DLVIZ_ERROR_IO,
             "caller 'own': forward: swish 'act': forward: call");
    dlviz_network_destroy(net), dlviz_network_destroy(other);
    destroy_data();
}
END_TEST

/* -- Tables ---------------------------------------------------------------------------------------
 */

static dlviz_status forward_nothing(const dlviz_layer_pass *pass, void *user) {
    (void)pass;
    (void)user;
    return DLVIZ_OK;
}

static void count_destroy(void *user) {
    ++*(int *)user;
}

static const dlviz_layer_functions plain = {.struct_size = sizeof plain,
                                            .name = "plain",
                                            .forward = forward_nothing,
                                            .destroy = count_destroy};

/* Adds a layer and builds; the user's pointer is destroyed as often as said. */
static dlviz_status try_table(const dlviz_layer_functions *functions, int num_inputs,
                              int times_destroyed) {
    int destroyed = 0;
    dlviz_network *net;
    ck_ok(dlviz_network_create(&net, 1, (int64_t[]){3}));
    const char *const inputs[] = {"input", "input", "input"};
    dlviz_network_add_from(net, "own", dlviz_layer_custom(functions, &destroyed), num_inputs,
                           inputs);
    dlviz_status status = dlviz_network_build(net, 1);
    dlviz_network_destroy(net);
    ck_assert_int_eq(destroyed, times_destroyed);
    return status;
}

START_TEST(tables_are_checked) {
    dlviz_layer_functions t = plain;
    ck_ok(try_table(&t, 1, 1));
    ck_fails(try_table(NULL, 1, 0), DLVIZ_ERROR_INVALID_ARGUMENT,
             "layer 'own': dlviz_layer_custom: 'functions' is NULL");
    const size_t sizes[] = {0, 8, sizeof t - 1, 1 << 20, SIZE_MAX};
    for (int i = 0; i < 5; i++) {
        t.struct_size = sizes[i];
        ck_fails(try_table(&t, 1, 0), DLVIZ_ERROR_INVALID_ARGUMENT, "struct_size is");
    }
    t = plain;
    t.name = NULL;
    ck_fails(try_table(&t, 1, 1), DLVIZ_ERROR_INVALID_ARGUMENT, "name is NULL");
    t.name = "";
    ck_fails(try_table(&t, 1, 1), DLVIZ_ERROR_INVALID_ARGUMENT, "name is ''");
    t.name = "\xff";
    ck_fails(try_table(&t, 1, 1), DLVIZ_ERROR_INVALID_ARGUMENT, "UTF-8");
    t = plain;
    t.forward = NULL;
    ck_fails(try_table(&t, 1, 1), DLVIZ_ERROR_INVALID_ARGUMENT, "'plain' has no forward");
    t = plain;
    t.min_inputs = -1;
    ck_fails(try_table(&t, 1, 1), DLVIZ_ERROR_INVALID_ARGUMENT, "min_inputs -1");
    t.min_inputs = 3, t.max_inputs = 2;
    ck_fails(try_table(&t, 3, 1), DLVIZ_ERROR_INVALID_ARGUMENT, "min_inputs 3 and max_inputs 2");
    t.min_inputs = 2, t.max_inputs = 0;
    ck_ok(try_table(&t, 2, 1));
    ck_fails(try_table(&t, 3, 1), DLVIZ_ERROR_INVALID_ARGUMENT, "plain 'own' reads 3 layers");
    t.min_inputs = 1, t.max_inputs = INT_MAX;
    ck_ok(try_table(&t, 3, 1));
    /* One that is never added. */
    int destroyed = 0;
    dlviz_layer_destroy(dlviz_layer_custom(&plain, &destroyed));
    ck_assert_int_eq(destroyed, 1);
}
END_TEST

START_TEST(tables_of_later_versions_are_taken_when_they_ask_for_nothing_new) {
    struct {
        dlviz_layer_functions known;
        void (*unknown[3])(void);
    } later;
    memset(&later, 0, sizeof later);
    later.known = plain;
    later.known.struct_size = sizeof later;
    ck_ok(try_table(&later.known, 1, 1));
    later.unknown[2] = (void (*)(void))count_destroy;
    ck_fails(try_table(&later.known, 1, 1), DLVIZ_ERROR_INVALID_ARGUMENT, "does not know");
}
END_TEST

/* -- Setups ---------------------------------------------------------------------------------------
 */

static dlviz_status (*step_of_setup)(dlviz_layer_setup *setup);

/* Ignores what its call returns: the build fails all the same. */
static dlviz_status careless_setup(dlviz_layer_setup *setup, void *user) {
    (void)user;
    ck_assert_int_eq(dlviz_layer_setup_num_inputs(setup), 1);
    ck_assert_int_eq(dlviz_layer_setup_input_ndim(setup, 0), 1);
    ck_assert_int_eq(dlviz_layer_setup_input_dims(setup, 0)[0], 3);
    ck_assert_int_eq(dlviz_layer_setup_input_ndim(setup, 1), 0);
    ck_assert_ptr_null(dlviz_layer_setup_input_dims(setup, -1));
    dlviz_status status = step_of_setup(setup);
    ck_assert_int_eq(dlviz_fail(DLVIZ_ERROR_IO, "another"), DLVIZ_ERROR_IO);
    return status == DLVIZ_OK ? DLVIZ_ERROR_IO : DLVIZ_OK;
}

#define SETUP(name, call)                                                                          \
    static dlviz_status name(dlviz_layer_setup *setup) {                                           \
        return call;                                                                               \
    }
SETUP(no_name, dlviz_layer_setup_add_buffer(setup, NULL, 0, NULL, 0))
SETUP(empty_name, dlviz_layer_setup_add_buffer(setup, "", 0, NULL, 0))
SETUP(dotted_name, dlviz_layer_setup_add_buffer(setup, "a.b", 0, NULL, 0))
SETUP(five_dims, dlviz_layer_setup_add_buffer(setup, "a", 5, (int64_t[]){1, 1, 1, 1, 1}, 0))
SETUP(no_dims, dlviz_layer_setup_add_buffer(setup, "a", 1, NULL, 0))
SETUP(zero_dim, dlviz_layer_setup_add_parameter(setup, "a", 2, (int64_t[]){2, 0}, 0, 0))
SETUP(no_value, dlviz_layer_setup_add_parameter(setup, "a", 0, NULL, NAN, 0))
SETUP(negative_bound, dlviz_layer_setup_add_parameter(setup, "a", 0, NULL, 0, -1))
SETUP(endless_bound, dlviz_layer_setup_add_parameter(setup, "a", 0, NULL, 0, 1e300))
SETUP(two_dims_out, dlviz_layer_setup_set_output(setup, 2, (int64_t[]){2, 2}))
SETUP(nothing_out, dlviz_layer_setup_set_output(setup, 3, (int64_t[]){2, 2, 0}))
SETUP(null_out, dlviz_layer_setup_set_output(setup, 1, NULL))

static dlviz_status twice(dlviz_layer_setup *setup) {
    ck_ok(dlviz_layer_setup_add_buffer(setup, "a", 0, NULL, 0));
    return dlviz_layer_setup_add_parameter(setup, "a", 0, NULL, 0, 0);
}

static dlviz_status nine(dlviz_layer_setup *setup) {
    char name[] = "a";
    for (; *name < 'a' + 8; ++*name)
        ck_ok(dlviz_layer_setup_add_buffer(setup, name, 0, NULL, 0));
    return dlviz_layer_setup_add_buffer(setup, name, 0, NULL, 0);
}

START_TEST(what_a_setup_says_is_checked) {
    const struct {
        dlviz_status (*step)(dlviz_layer_setup *setup);
        const char *words;
    } cases[] = {
        {no_name, "add_buffer: 'name' is 'NULL'"},
        {empty_name, "'name' is ''"},
        {dotted_name, "without '.'"},
        {five_dims, "5 dimensions; 0 to 4"},
        {no_dims, "'dims' is NULL"},
        {zero_dim, "add_parameter: dimension 1 is 0"},
        {no_value, "starts at nan"},
        {negative_bound, "give or take -1"},
        {endless_bound, "finite numbers"},
        {two_dims_out, "set_output: 2 dimensions"},
        {nothing_out, "dimension 2 is 0"},
        {null_out, "'dims' is NULL"},
        {twice, "there is a 'a' already"},
        {nine, "'i' is number 9; a layer has 8"},
    };
    dlviz_layer_functions t = plain;
    t.setup = careless_setup;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        step_of_setup = cases[i].step;
        ck_fails(try_table(&t, 1, 1), DLVIZ_ERROR_INVALID_ARGUMENT, cases[i].words);
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "plain 'own': setup: dlviz_layer_setup"));
    }
}
END_TEST

/* -- Without a backward, in files -----------------------------------------------------------------
 */

START_TEST(without_backward_there_is_no_training_through_it) {
    make_data();
    dlviz_layer_functions t = probe_swish;
    t.backward = NULL;
    probe p = {0};
    dlviz_network *net;
    dlviz_tensor *out;
    ck_ok(dlviz_network_create(&net, 3, (int64_t[]){2, 3, 4}));
    dlviz_network_add(net, "act", dlviz_layer_custom(&t, &p));
    dlviz_network_add(net, "f", dlviz_flatten());
    dlviz_network_add(net, "l", dlviz_linear(3));
    ck_ok(dlviz_network_build(net, 1));
    ck_ok(dlviz_network_predict(net, dataset, &out));
    dlviz_tensor_destroy(out);
    ck_fails(dlviz_network_backward(net, samples, labels, 0, 0, NULL), DLVIZ_ERROR_UNSUPPORTED,
             "swish 'act': the layer has no backward");
    dlviz_network_destroy(net);
    /* A fixed one that reads the network's input has nothing to do on the way back. */
    int destroyed = 0;
    ck_ok(dlviz_network_create(&net, 3, (int64_t[]){2, 3, 4}));
    dlviz_network_add(net, "own", dlviz_layer_custom(&plain, &destroyed));
    dlviz_network_add(net, "f", dlviz_flatten());
    dlviz_network_add(net, "l", dlviz_linear(3));
    ck_ok(dlviz_network_build(net, 1));
    ck_ok(dlviz_network_backward(net, samples, labels, 0, 0, NULL));
    dlviz_network_destroy(net);
    destroy_data();
}
END_TEST

static dlviz_network *with_activation(dlviz_layer *layer) {
    dlviz_network *net;
    ck_ok(dlviz_network_create(&net, 1, (int64_t[]){3}));
    dlviz_network_add(net, "act", layer);
    dlviz_network_add(net, "l", dlviz_linear(3));
    ck_ok(dlviz_network_build(net, 1));
    return net;
}

START_TEST(files_tell_one_layer_from_another) {
    const char *path = scratch_path("custom.safetensors");
    dlviz_network *net = with_activation(dlviz_layer_custom(&probe_swish, NULL));
    dlviz_tensor *value, *loaded;
    ck_ok(dlviz_tensor_from_data(&value, DLVIZ_FLOAT32, 0, NULL, &(float){41}));
    ck_ok(dlviz_network_set_state(net, "act.steps", value));
    ck_ok(dlviz_network_save(net, path));
    dlviz_network_destroy(net);
    ck_fails(dlviz_network_open(&net, path), DLVIZ_ERROR_FORMAT,
             "layer 'act' is a 'swish', a layer of a program's own");
    ck_assert_ptr_null(net);
    net = with_activation(dlviz_layer_custom(&probe_swish, NULL));
    ck_ok(dlviz_network_load(net, path));
    ck_ok(dlviz_network_get_state(net, "act.steps", &loaded));
    ck_assert_float_eq(*dlviz_tensor_float(loaded), 41);
    dlviz_tensor_destroy(value), dlviz_tensor_destroy(loaded);
    dlviz_network_destroy(net);
    dlviz_layer_functions t = probe_swish;
    t.name = "swish-2";
    net = with_activation(dlviz_layer_custom(&t, NULL));
    ck_fails(dlviz_network_load(net, path), DLVIZ_ERROR_FORMAT,
             "layer 1 is 'act' (swish) in the file and 'act' (swish-2) here");
    dlviz_network_destroy(net);
    t.name = "swish", t.setup = NULL, t.forward = forward_nothing;
    net = with_activation(dlviz_layer_custom(&t, NULL));
    ck_fails(dlviz_network_load(net, path), DLVIZ_ERROR_FORMAT, "'act.beta' is not part");
    dlviz_network_destroy(net);
    /* The library's relu, and one of the user's that is called so. */
    net = with_activation(dlviz_relu());
    ck_ok(dlviz_network_save(net, path));
    dlviz_network_destroy(net);
    net = with_activation(dlviz_layer_custom(&probe_relu, NULL));
    ck_fails(dlviz_network_load(net, path), DLVIZ_ERROR_FORMAT, "custom");
    dlviz_network_destroy(net);
}
END_TEST

int main(void) {
    const TTest *tests[] = {a_setup_that_fails_ends_the_build,
                            a_setup_cannot_change_other_layers,
                            a_forward_that_fails_ends_what_it_runs_in,
                            a_step_that_fails_leaves_everything_as_it_was,
                            training_goes_on_where_it_failed,
                            a_failure_without_a_sentence_gets_one,
                            a_function_may_call_another_network,
                            tables_are_checked,
                            tables_of_later_versions_are_taken_when_they_ask_for_nothing_new,
                            what_a_setup_says_is_checked,
                            without_backward_there_is_no_training_through_it,
                            files_tell_one_layer_from_another,
                            NULL};
    return run_tests("custom layers, trouble", tests);
}
