/* Layers of the user's own beside the library's: the same numbers, in any place of a graph. */
#include "support/custom_layers.h"
#include "support/failing.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

enum { N = 5, MOST = 1024 };

/* -- Beside the library's layers ------------------------------------------------------------------
 */

/* A residual network on 3 x 5 x 4: what the first convolution gives is read by three layers. */
static dlviz_network *residual(bool custom, dlviz_layer *last) {
    dlviz_network *net;
    ck_ok(dlviz_network_create(&net, 3, (int64_t[]){3, 5, 4}));
    dlviz_network_add(net, "c1", dlviz_conv2d(6, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(net, "r1", custom ? probe_layer(&probe_relu, NULL) : dlviz_relu());
    dlviz_network_add(net, "c2", dlviz_conv2d(6, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(net, "b2", dlviz_batchnorm());
    dlviz_network_add_from(net, "sum", custom ? probe_layer(&probe_add, NULL) : dlviz_add(), 3,
                           (const char *[]){"b2", "c1", "r1"});
    /* A batch norm puts the gradient in the place of what it read, unless that is needed. */
    dlviz_network_add(net, "r2", custom ? probe_layer(&probe_relu, NULL) : dlviz_relu());
    dlviz_network_add(net, "b3", dlviz_batchnorm());
    dlviz_network_add(net, "p", dlviz_maxpool2d(2));
    dlviz_network_add(net, "flat", custom ? probe_layer(&probe_flatten, NULL) : dlviz_flatten());
    dlviz_network_add(net, "fc", last);
    ck_ok(dlviz_network_build(net, 7));
    return net;
}

static dlviz_tensor *inputs_of(int64_t n, int ndim, const int64_t *dims) {
    int64_t whole[4] = {n};
    memcpy(whole + 1, dims, (size_t)ndim * sizeof *dims);
    dlviz_tensor *inputs;
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, ndim + 1, whole));
    fill_uniform(dlviz_tensor_float(inputs), dlviz_tensor_num_elements(inputs), 11);
    return inputs;
}

static dlviz_tensor *labels_of(int64_t n) {
    dlviz_tensor *labels;
    ck_ok(dlviz_tensor_create(&labels, DLVIZ_UINT8, 1, &n));
    for (int64_t i = 0; i < n; i++)
        ((uint8_t *)dlviz_tensor_data(labels))[i] = (uint8_t)(i % 3);
    return labels;
}

static void compare(const dlviz_tensor *a, const dlviz_tensor *b, const char *what,
                    double tolerance) {
    ck_assert_int_eq(dlviz_tensor_num_elements(a), dlviz_tensor_num_elements(b));
    double error = relative_error(dlviz_tensor_const_float(a), dlviz_tensor_const_float(b),
                                  dlviz_tensor_num_elements(a));
    ck_assert_msg(error <= tolerance, "%s differs by %g", what, error);
}

/* One step of both: loss, outputs, every state and gradient. */
static void compare_networks(dlviz_network *a, dlviz_network *b, double tolerance) {
    dlviz_tensor *x = inputs_of(N, 3, (int64_t[]){3, 5, 4}), *labels = labels_of(N), *one, *two;
    double loss_a, loss_b;
    for (int twice = 0; twice < 2; twice++) { /* gradients are not added up */
        ck_ok(dlviz_network_backward(a, x, labels, 3, 4, &loss_a));
        ck_ok(dlviz_network_backward(b, x, labels, 3, 4, &loss_b));
    }
    ck_assert_double_eq_tol(loss_a, loss_b, tolerance);
    ck_ok(dlviz_network_forward(a, x, &one));
    ck_ok(dlviz_network_forward(b, x, &two));
    compare(one, two, "the output", tolerance);
    dlviz_tensor_destroy(one), dlviz_tensor_destroy(two);
    ck_ok(dlviz_tensor_create(&one, DLVIZ_FLOAT32, 2, (int64_t[]){N, 3}));
    fill_uniform(dlviz_tensor_float(one), N * 3, 5);
    dlviz_tensor *dx_a, *dx_b;
    ck_ok(dlviz_network_input_gradient(a, "fc", x, one, &dx_a));
    ck_ok(dlviz_network_input_gradient(b, "fc", x, one, &dx_b));
    compare(dx_a, dx_b, "the input's gradient", tolerance);
    dlviz_tensor_destroy(one), dlviz_tensor_destroy(dx_a), dlviz_tensor_destroy(dx_b);
    ck_ok(dlviz_network_backward(a, x, labels, 3, 4, NULL));
    ck_ok(dlviz_network_backward(b, x, labels, 3, 4, NULL));
    ck_assert_int_eq(dlviz_network_num_states(a), dlviz_network_num_states(b));
    for (int i = 0; i < dlviz_network_num_states(a); i++) {
        const char *name = dlviz_network_state_name(a, i);
        ck_ok(dlviz_network_get_state(a, name, &one));
        ck_ok(dlviz_network_get_state(b, name, &two));
        if (dlviz_tensor_dtype(one) == DLVIZ_FLOAT32)
            compare(one, two, name, tolerance);
        dlviz_tensor_destroy(one), dlviz_tensor_destroy(two);
        if (strstr(name, "weight") == NULL && strstr(name, ".bias") == NULL)
            continue;
        if (strcmp(name, "c2.bias") == 0) /* the batch norm takes it out: 0 in both */
            continue;
        ck_ok(dlviz_network_get_gradient(a, name, &one));
        ck_ok(dlviz_network_get_gradient(b, name, &two));
        compare(one, two, name, tolerance);
        dlviz_tensor_destroy(one), dlviz_tensor_destroy(two);
    }
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(labels);
    dlviz_network_destroy(a), dlviz_network_destroy(b);
}

START_TEST(a_graph_of_custom_layers_computes_what_the_librarys_own_do) {
    compare_networks(residual(true, dlviz_linear(3)), residual(false, dlviz_linear(3)), 1e-6);
    compare_networks(residual(true, probe_layer(&probe_linear, NULL)),
                     residual(false, dlviz_linear(3)), 1e-6);
}
END_TEST

/* The custom layer reads the network's input, an image of several channels. */
START_TEST(reordering_changes_no_bit) {
    dlviz_tensor *x = inputs_of(70, 3, (int64_t[]){3, 5, 4}), *a, *b;
    for (int custom = 0; custom < 2; custom++) {
        dlviz_network *net;
        ck_ok(dlviz_network_create(&net, 3, (int64_t[]){3, 5, 4}));
        dlviz_network_add(net, "f", custom ? probe_layer(&probe_flatten, NULL) : dlviz_flatten());
        ck_ok(dlviz_network_build(net, 1));
        ck_ok(dlviz_network_forward(net, x, custom ? &a : &b));
        dlviz_network_destroy(net);
    }
    ck_assert_mem_eq(dlviz_tensor_const_data(a), dlviz_tensor_const_data(b),
                     (size_t)dlviz_tensor_num_elements(a) * sizeof(float));
    ck_assert_mem_eq(dlviz_tensor_const_data(a), dlviz_tensor_const_data(x),
                     (size_t)dlviz_tensor_num_elements(a) * sizeof(float));
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(a), dlviz_tensor_destroy(b);
}
END_TEST

/* -- Gradients by finite differences --------------------------------------------------------------
 */

/* swish before and behind a convolution, and once more on a vector. */
static dlviz_network *swish_network(const int64_t *dims, probe *p) {
    dlviz_network *net;
    ck_ok(dlviz_network_create(&net, 3, dims));
    dlviz_network_add(net, "s0", probe_layer(&probe_swish, p));
    dlviz_network_add(net, "c", dlviz_conv2d(5, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(net, "s1", probe_layer(&probe_swish, NULL));
    dlviz_network_add(net, "f", dlviz_flatten());
    dlviz_network_add(net, "l", dlviz_linear(7));
    dlviz_network_add(net, "s2", probe_layer(&probe_swish, NULL));
    dlviz_network_add(net, "out", dlviz_linear(3));
    ck_ok(dlviz_network_build(net, 5));
    return net;
}

/* The loss with `step` times a random direction added to all parameters; along, if not NULL,
 * receives the gradient's part in that direction, taken where step is 0. */
static double loss_along(dlviz_network *net, dlviz_tensor *x, dlviz_tensor *labels, float step,
                         double *along) {
    double loss;
    dlviz_tensor *before[16], *state, *gradient;
    int64_t count = dlviz_network_num_states(net);
    ck_assert_int_le(count, 16);
    for (int i = 0; i < count; i++) {
        const char *name = dlviz_network_state_name(net, i);
        ck_ok(dlviz_network_get_state(net, name, &before[i]));
        ck_ok(dlviz_tensor_copy(before[i], &state));
        int64_t size = dlviz_tensor_num_elements(state);
        float direction[MOST];
        ck_assert_int_le(size, MOST);
        fill_uniform(direction, size, 100 + (uint64_t)i);
        for (int64_t j = 0; j < size && !strstr(name, "steps"); j++)
            dlviz_tensor_float(state)[j] += step * direction[j];
        ck_ok(dlviz_network_set_state(net, name, state));
        dlviz_tensor_destroy(state);
    }
    ck_ok(dlviz_network_backward(net, x, labels, 0, 0, &loss));
    for (int i = 0; i < count; i++) {
        const char *name = dlviz_network_state_name(net, i);
        if (along && !strstr(name, "steps")) {
            ck_ok(dlviz_network_get_gradient(net, name, &gradient));
            float direction[MOST];
            fill_uniform(direction, dlviz_tensor_num_elements(gradient), 100 + (uint64_t)i);
            for (int64_t j = 0; j < dlviz_tensor_num_elements(gradient); j++)
                *along += (double)direction[j] * (double)dlviz_tensor_float(gradient)[j];
            dlviz_tensor_destroy(gradient);
        }
        ck_ok(dlviz_network_set_state(net, name, before[i]));
        dlviz_tensor_destroy(before[i]);
    }
    return loss;
}

START_TEST(gradients_are_those_of_finite_differences) {
    const int64_t shapes[][3] = {{3, 3, 5}, {1, 4, 3}, {4, 1, 1}, {2, 1, 6}};
    for (int i = 0; i < 4; i++) {
        dlviz_network *net = swish_network(shapes[i], NULL);
        dlviz_tensor *x = inputs_of(N, 3, shapes[i]), *labels = labels_of(N);
        double along = 0, step = 1e-2;
        loss_along(net, x, labels, 0, &along);
        double slope = (loss_along(net, x, labels, (float)step, NULL) -
                        loss_along(net, x, labels, (float)-step, NULL)) /
                       (2 * step);
        ck_assert_msg(fabs(slope - along) < 1e-3 * (0.1 + fabs(along)), "%g, by differences %g",
                      along, slope);
        dlviz_tensor_destroy(x), dlviz_tensor_destroy(labels);
        dlviz_network_destroy(net);
    }
}
END_TEST

/* -- What the functions see -----------------------------------------------------------------------
 */

START_TEST(functions_see_the_batch_the_mode_and_the_step) {
    const int64_t dims[] = {2, 3, 4};
    probe p = {0};
    dlviz_network *net = swish_network(dims, &p);
    ck_assert_ptr_nonnull(strstr(dlviz_network_summary(net), "swish"));
    ck_assert_int_eq(p.calls[CALL_SETUP], 1);
    dlviz_tensor *x = inputs_of(150, 3, dims), *labels = labels_of(150), *out, *steps;
    ck_ok(dlviz_network_forward(net, x, &out));
    dlviz_tensor_destroy(out);
    ck_assert_int_eq(p.largest, 50); /* equal ones, of 64 at most */
    ck_assert_int_eq(p.calls[CALL_FORWARD], 3);
    ck_assert(!p.trained);
    ck_ok(dlviz_network_backward(net, x, labels, 12, 34, NULL));
    ck_assert_int_eq(p.largest, 150);
    ck_assert_int_eq(p.calls[CALL_BACKWARD], 1);
    ck_assert_ptr_eq(p.thread, probe_thread());
    ck_assert(p.trained && p.seed == 12 && p.step == 34 && !p.saw_input_gradient);
    ck_ok(dlviz_network_get_state(net, "s0.steps", &steps));
    ck_assert_float_eq(*dlviz_tensor_float(steps), 1); /* not in evaluation */
    ck_fails(dlviz_network_get_gradient(net, "s0.steps", &out), DLVIZ_ERROR_INVALID_ARGUMENT,
             "not trained");
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(labels), dlviz_tensor_destroy(steps);
    ck_assert_int_eq(p.destroyed, 0);
    dlviz_network_destroy(net);
    ck_assert_int_eq(p.destroyed, 1);
}
END_TEST

START_TEST(getters_of_nothing_give_nothing) {
    ck_assert_ptr_null(dlviz_layer_pass_input(NULL, 0));
    ck_assert_ptr_null(dlviz_layer_pass_output(NULL));
    ck_assert_ptr_null(dlviz_layer_pass_output_gradient(NULL));
    ck_assert_ptr_null(dlviz_layer_pass_input_gradient(NULL, 0));
    ck_assert_ptr_null(dlviz_layer_pass_state(NULL, "w"));
    ck_assert_ptr_null(dlviz_layer_pass_buffer(NULL, "w"));
    ck_assert_ptr_null(dlviz_layer_pass_state_gradient(NULL, "w"));
    ck_assert_int_eq(dlviz_layer_pass_num_samples(NULL), 0);
    ck_assert_int_eq(dlviz_layer_pass_num_inputs(NULL), 0);
    ck_assert(!dlviz_layer_pass_is_training(NULL));
    ck_assert_uint_eq(dlviz_layer_pass_seed(NULL) + dlviz_layer_pass_step(NULL), 0);
    ck_assert_int_eq(dlviz_layer_setup_num_inputs(NULL), 0);
    ck_assert_int_eq(dlviz_layer_setup_input_ndim(NULL, 0), 0);
    ck_assert_ptr_null(dlviz_layer_setup_input_dims(NULL, 0));
    ck_fails(dlviz_layer_setup_set_output(NULL, 1, &(int64_t){1}), DLVIZ_ERROR_INVALID_ARGUMENT,
             "NULL");
    ck_fails(dlviz_layer_setup_add_buffer(NULL, "a", 0, NULL, 0), DLVIZ_ERROR_INVALID_ARGUMENT,
             "NULL");
    ck_assert_int_eq(dlviz_fail(DLVIZ_OK, "x %d", 1), DLVIZ_ERROR_INVALID_ARGUMENT);
    ck_assert_str_eq(dlviz_last_error(), "x 1");
}
END_TEST

/* A view that a function takes may be destroyed after the layer. */
static dlviz_tensor *kept;

static dlviz_status look_forward(const dlviz_layer_pass *pass, void *user) {
    (void)user;
    ck_assert_ptr_null(dlviz_layer_pass_input(pass, 1));
    ck_assert_ptr_null(dlviz_layer_pass_input(pass, -1));
    ck_assert_ptr_null(dlviz_layer_pass_state(pass, "nothing"));
    ck_assert_ptr_null(dlviz_layer_pass_output_gradient(pass));
    const float *y = dlviz_tensor_const_float(dlviz_layer_pass_output(pass));
    for (int64_t i = 0; i < dlviz_tensor_num_elements(dlviz_layer_pass_output(pass)); i++)
        ck_assert_float_eq(y[i], 0);
    return dlviz_tensor_slice(dlviz_layer_pass_input(pass, 0), 0, 1, &kept);
}

START_TEST(a_view_may_outlive_the_layer) {
    const dlviz_layer_functions look = {
        .struct_size = sizeof look, .name = "look", .forward = look_forward};
    dlviz_network *net;
    ck_ok(dlviz_network_create(&net, 3, (int64_t[]){2, 3, 3}));
    dlviz_network_add(net, "look", dlviz_layer_custom(&look, NULL));
    ck_ok(dlviz_network_build(net, 1));
    dlviz_tensor *x = inputs_of(2, 3, (int64_t[]){2, 3, 3}), *out;
    ck_ok(dlviz_network_forward(net, x, &out));
    ck_assert_float_eq(dlviz_tensor_float(out)[5], 0); /* nothing was written */
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(out);
    dlviz_network_destroy(net);
    dlviz_tensor_destroy(kept);
}
END_TEST

/* -- Threads, memory ------------------------------------------------------------------------------
 */

START_TEST(bits_do_not_depend_on_threads) {
    dlviz_tensor *x = inputs_of(33, 3, (int64_t[]){3, 5, 4}), *labels = labels_of(33), *first,
                 *next;
    const int threads[] = {1, 2, 3, 8};
    first = NULL;
    for (int i = 0; i < 4; i++) {
        ck_ok(dlviz_set_num_threads(threads[i]));
        dlviz_network *net = residual(true, probe_layer(&probe_linear, NULL));
        ck_ok(dlviz_network_backward(net, x, labels, 1, 1, NULL));
        ck_ok(dlviz_network_get_gradient(net, "c1.weight", &next));
        if (first)
            ck_assert_mem_eq(dlviz_tensor_data(first), dlviz_tensor_data(next),
                             (size_t)dlviz_tensor_num_elements(first) * sizeof(float));
        dlviz_tensor_destroy(first);
        first = next;
        dlviz_network_destroy(net);
    }
    ck_ok(dlviz_set_num_threads(0));
    dlviz_tensor_destroy(first), dlviz_tensor_destroy(x), dlviz_tensor_destroy(labels);
}
END_TEST

typedef struct whole_use {
    dlviz_tensor *x, *labels;
    probe p;
} whole_use;

static dlviz_status use(dlviz_network *net, const whole_use *w) {
    dlviz_tensor *out = NULL;
    dlviz_status status = dlviz_network_build(net, 1);
    if (status == DLVIZ_OK)
        status = dlviz_network_backward(net, w->x, w->labels, 0, 0, NULL);
    if (status == DLVIZ_OK)
        status = dlviz_network_forward(net, w->x, &out);
    dlviz_tensor_destroy(out);
    return status;
}

static dlviz_status build_and_use(void *context) {
    whole_use *w = context;
    dlviz_network *net;
    dlviz_status status = dlviz_network_create(&net, 3, (int64_t[]){3, 5, 4});
    if (status != DLVIZ_OK)
        return status;
    w->p.destroyed = 0;
    dlviz_network_add(net, "swish", probe_layer(&probe_swish, &w->p));
    dlviz_network_add_from(net, "sum", probe_layer(&probe_add, &w->p), 2,
                           (const char *[]){"swish", "input"});
    dlviz_network_add(net, "flat", probe_layer(&probe_flatten, &w->p));
    dlviz_network_add(net, "fc", probe_layer(&probe_linear, &w->p));
    status = use(net, w);
    dlviz_network_destroy(net);
    ck_assert_int_eq(w->p.destroyed, 4);
    return status;
}

START_TEST(each_allocation_may_fail) {
    whole_use w = {.x = inputs_of(N, 3, (int64_t[]){3, 5, 4}), .labels = labels_of(N)};
    ck_ok(dlviz_set_num_threads(1));
    ck_ok(build_and_use(&w));
    ck_assert_int_gt(fail_each_allocation(build_and_use, &w), 100);
    ck_ok(dlviz_set_num_threads(0));
    dlviz_tensor_destroy(w.x), dlviz_tensor_destroy(w.labels);
}
END_TEST

int main(void) {
    const TTest *tests[] = {a_graph_of_custom_layers_computes_what_the_librarys_own_do,
                            reordering_changes_no_bit,
                            gradients_are_those_of_finite_differences,
                            functions_see_the_batch_the_mode_and_the_step,
                            getters_of_nothing_give_nothing,
                            a_view_may_outlive_the_layer,
                            bits_do_not_depend_on_threads,
                            each_allocation_may_fail,
                            NULL};
    return run_tests("custom layers", tests);
}
