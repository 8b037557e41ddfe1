/* Sums that apply the relu behind them, and add up their readers' gradients, themselves. Against PyTorch they
 * are compared in tests/parity/graphs_residual.py. */
#include "support/netspec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INPUTS(...)                                                                                \
    sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]) {                     \
        __VA_ARGS__                                                                                \
    }

static bool same_numbers(const dlviz_tensor *a, const dlviz_tensor *b) {
    int64_t count = dlviz_tensor_num_elements(a);
    return count == dlviz_tensor_num_elements(b) &&
           memcmp(dlviz_tensor_const_data(a), dlviz_tensor_const_data(b),
                  (size_t)count * sizeof(float)) == 0;
}

/* -- Features and gradients in the middle --------------------------------------------------------- */

/* A block, after which comes another that reads it twice if `more` is set. */
static dlviz_network *block(bool more) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){3, 7, 6}));
    ck_ok(dlviz_network_add(network, "stem", dlviz_conv2d(9, 3, 1)));
    ck_ok(dlviz_network_add(network, "stem_bn", dlviz_batchnorm()));
    ck_ok(dlviz_network_add(network, "stem_relu", dlviz_relu()));
    ck_ok(dlviz_network_add(network, "conv", dlviz_conv2d(9, 3, 1)));
    ck_ok(dlviz_network_add(network, "bn", dlviz_batchnorm()));
    ck_ok(dlviz_network_add_from(network, "sum", dlviz_add(), INPUTS("bn", "stem_relu")));
    ck_ok(dlviz_network_add(network, "relu", dlviz_relu()));
    if (more) {
        ck_ok(dlviz_network_add(network, "conv2", dlviz_conv2d(9, 3, 1)));
        ck_ok(dlviz_network_add_from(network, "sum2", dlviz_add(), INPUTS("conv2", "relu")));
        ck_ok(dlviz_network_add(network, "relu2", dlviz_relu()));
    }
    ck_ok(dlviz_network_build(network, 1));
    fill_states(network, 1, false);
    return network;
}

/* The sum's features are those before the relu, also where the relu has been made a part of it. */
START_TEST(features_at_the_sum_and_at_the_relu) {
    dlviz_network *network = block(true), *shorter = block(false);
    dlviz_tensor *x, *sum, *relu, *alone;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 4, (int64_t[]){5, 3, 7, 6}));
    fill_uniform(dlviz_tensor_float(x), dlviz_tensor_num_elements(x), 3);
    ck_ok(dlviz_dataset_create(&dataset, x, NULL));
    ck_ok(dlviz_network_features(network, "sum", dataset, &sum));
    ck_ok(dlviz_network_features(network, "relu", dataset, &relu));
    ck_ok(dlviz_network_forward(shorter, x, &alone));
    int64_t count = dlviz_tensor_num_elements(sum), below = 0;
    for (int64_t i = 0; i < count; i++) {
        float value = dlviz_tensor_const_float(sum)[i];
        below += value < 0;
        ck_assert_float_eq(dlviz_tensor_const_float(relu)[i], value < 0 ? 0 : value);
    }
    ck_assert_int_gt(below, count / 20);
    ck_assert_int_lt(below, count - count / 20);
    ck_assert(same_numbers(relu, alone));
    dlviz_tensor *tensors[] = {x, sum, relu, alone};
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(tensors[i]);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
    dlviz_network_destroy(shorter);
}
END_TEST

/* What goes back from the relu is what goes back from the sum where the relu lets it pass. */
START_TEST(gradients_from_the_sum_and_from_the_relu) {
    dlviz_network *network = block(true);
    dlviz_tensor *x, *relu, *from_relu, *from_sum;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 4, (int64_t[]){5, 3, 7, 6}));
    fill_uniform(dlviz_tensor_float(x), dlviz_tensor_num_elements(x), 3);
    ck_ok(dlviz_dataset_create(&dataset, x, NULL));
    ck_ok(dlviz_network_features(network, "relu", dataset, &relu));
    dlviz_tensor *gradient, *masked;
    ck_ok(dlviz_tensor_create(&gradient, DLVIZ_FLOAT32, 4, (int64_t[]){5, 9, 7, 6}));
    ck_ok(dlviz_tensor_create(&masked, DLVIZ_FLOAT32, 4, (int64_t[]){5, 9, 7, 6}));
    fill_uniform(dlviz_tensor_float(gradient), dlviz_tensor_num_elements(gradient), 8);
    fill_uniform(dlviz_tensor_float(masked), dlviz_tensor_num_elements(masked), 8);
    for (int64_t i = 0; i < dlviz_tensor_num_elements(relu); i++)
        if (dlviz_tensor_const_float(relu)[i] <= 0)
            dlviz_tensor_float(masked)[i] = 0;
    ck_ok(dlviz_network_input_gradient(network, "relu", x, gradient, &from_relu));
    ck_ok(dlviz_network_input_gradient(network, "sum", x, masked, &from_sum));
    ck_assert(same_numbers(from_relu, from_sum));
    ck_assert_double_gt(relative_error(dlviz_tensor_float(from_relu), dlviz_tensor_float(x), 9), 0);
    dlviz_tensor *tensors[] = {x, relu, gradient, masked, from_relu, from_sum};
    for (int i = 0; i < 6; i++)
        dlviz_tensor_destroy(tensors[i]);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
}
END_TEST

/* -- Numbers that are not finite ------------------------------------------------------------------ */

/* NaN stays NaN and lets the gradient pass, as PyTorch's relu does; infinities are numbers like
 * others. The relu is read once, or by two. */
static void check_not_finite(bool twice) {
    const float numbers[] = {1, -1, 0, -0.0f, NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-40f};
    enum { COUNT = sizeof numbers / sizeof *numbers };
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){COUNT}));
    ck_ok(dlviz_network_add_from(network, "sum", dlviz_add(), INPUTS("input", "input")));
    ck_ok(dlviz_network_add(network, "relu", dlviz_relu()));
    if (twice)
        ck_ok(dlviz_network_add_from(network, "last", dlviz_add(), INPUTS("relu", "relu")));
    ck_ok(dlviz_network_build(network, 1));
    dlviz_tensor *x, *y, *dx, *gradient;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){1, COUNT}));
    ck_ok(dlviz_tensor_create(&gradient, DLVIZ_FLOAT32, 2, (int64_t[]){1, COUNT}));
    fill_uniform(dlviz_tensor_float(gradient), COUNT, 5);
    memcpy(dlviz_tensor_float(x), numbers, sizeof numbers);
    ck_ok(dlviz_network_forward(network, x, &y));
    const char *last = twice ? "last" : "relu";
    ck_ok(dlviz_network_backward_from(network, last, x, gradient, 1, 1, &dx));
    for (int i = 0; i < COUNT; i++) {
        float sum = numbers[i] + numbers[i], truth = sum < 0 ? 0 : sum;
        float found = dlviz_tensor_const_float(y)[i], g = dlviz_tensor_const_float(gradient)[i];
        if (twice) {
            truth += truth;
            g += g;
        }
        ck_assert_msg(isnan(truth) ? isnan(found) : found == truth, "of %g: %g, not %g",
                      (double)numbers[i], (double)found, (double)truth);
        g = sum <= 0 ? 0 : g + g;
        found = dlviz_tensor_const_float(dx)[i];
        ck_assert_msg(found == g, "at %g: gradient %g, not %g", (double)numbers[i], (double)found,
                      (double)g);
    }
    dlviz_tensor *tensors[] = {x, y, dx, gradient};
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(tensors[i]);
    dlviz_network_destroy(network);
}

START_TEST(what_is_not_finite_passes_a_sum) {
    check_not_finite(false);
    check_not_finite(true);
}
END_TEST

/* -- Dropout -------------------------------------------------------------------------------------- */

/* Vectors, so that flattening them changes nothing but which layers are computed together. */
static dlviz_network *dropping(const char *order) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){40}));
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(40)));
    ck_ok(dlviz_network_add_from(network, "sum", dlviz_add(), INPUTS("fc", "input")));
    for (; *order; order++) {
        dlviz_layer *layer = *order == 'r'   ? dlviz_relu()
                             : *order == 'd' ? dlviz_dropout(0.4)
                                             : dlviz_flatten();
        char name[2] = {*order, 0};
        ck_ok(dlviz_network_add(network, name, layer));
    }
    ck_ok(dlviz_network_add(network, "last", dlviz_linear(3)));
    ck_ok(dlviz_network_build(network, 1));
    fill_states(network, 1, false);
    return network;
}

/* In the first network the sum applies the relu, in the second it does not. The third one's dropout
 * is another layer of the network, and drops other numbers. */
START_TEST(dropout_behind_a_sum) {
    dlviz_tensor *x, *gradient, *dx[2];
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){6, 40}));
    ck_ok(dlviz_tensor_create(&gradient, DLVIZ_FLOAT32, 2, (int64_t[]){6, 3}));
    fill_uniform(dlviz_tensor_float(x), 6 * 40, 1);
    fill_uniform(dlviz_tensor_float(gradient), 6 * 3, 2);
    const char *const orders[] = {"rfd", "frd", "dfr"};
    for (int other = 1; other < 3; other++) {
        void *bytes[2];
        size_t size[2];
        for (int i = 0; i < 2; i++) {
            dlviz_network *network = dropping(orders[i == 0 ? other - 1 : other]);
            ck_ok(dlviz_network_backward_from(network, "last", x, gradient, 3, 4, &dx[i]));
            bytes[i] = all_gradients(network, &size[i]);
            dlviz_network_destroy(network);
        }
        ck_assert(size[0] == size[1]);
        ck_assert((memcmp(bytes[0], bytes[1], size[0]) == 0) == (other == 1));
        ck_assert(same_numbers(dx[0], dx[1]) == (other == 1));
        for (int i = 0; i < 2; i++) {
            free(bytes[i]);
            dlviz_tensor_destroy(dx[i]);
        }
    }
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(gradient);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {features_at_the_sum_and_at_the_relu,
                                  gradients_from_the_sum_and_from_the_relu,
                                  what_is_not_finite_passes_a_sum, dropout_behind_a_sum, NULL};
    return run_tests("residual networks", tests);
}
