/* What a network looked at: closed forms, completeness, mistakes, and that nothing is changed by
 * asking. Numbers of whole networks are compared in parity/test_attribution.c. */
#include "network/network.h"
#include "support/custom_layers.h"
#include "support/failing.h"
#include "support/netspec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT
#define SHAPE DLVIZ_ERROR_SHAPE

static const float *numbers(const dlviz_tensor *tensor) {
    return dlviz_tensor_const_float(tensor);
}

static bool same(const dlviz_tensor *a, const dlviz_tensor *b) {
    int64_t n = dlviz_tensor_num_elements(a);
    return n == dlviz_tensor_num_elements(b) &&
           memcmp(numbers(a), numbers(b), (size_t)n * sizeof(float)) == 0;
}

static dlviz_tensor *random_tensor(int ndim, const int64_t *dims, uint64_t seed) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, ndim, dims));
    fill_uniform(dlviz_tensor_float(tensor), dlviz_tensor_num_elements(tensor), seed);
    return tensor;
}

static dlviz_tensor *images(int64_t n) {
    return random_tensor(4, (int64_t[]){n, 2, 8, 6}, 5);
}

/* A network with a batch norm, branches and a smooth or a bent activation. */
static dlviz_status make_network(dlviz_network **net, bool smooth) {
    const char *both[] = {"bn", "act"};
    TRY(dlviz_network_create(net, 3, (int64_t[]){2, 8, 6}));
    dlviz_network_add(*net, "conv", dlviz_conv2d(4, 3, 1));
    dlviz_network_add(*net, "bn", dlviz_batchnorm());
    dlviz_network_add(*net, "act", smooth ? dlviz_tanh() : dlviz_relu());
    dlviz_network_add_from(*net, "sum", dlviz_add(), 2, both);
    dlviz_network_add(*net, "drop", dlviz_dropout(0.5));
    dlviz_network_add(*net, "pool", smooth ? dlviz_avgpool2d(2) : dlviz_maxpool2d(2));
    dlviz_network_add(*net, "flat", dlviz_flatten());
    dlviz_network_add(*net, "fc", dlviz_linear(5));
    return dlviz_network_build(*net, 3);
}

static dlviz_network *made(bool smooth) {
    dlviz_network *net;
    ck_ok(make_network(&net, smooth));
    fill_states(net, 4, false);
    return net;
}

/* The outputs of one number, for weights that are looked at. */
static dlviz_network *linear_network(int64_t inputs, int64_t outputs, dlviz_tensor **weights) {
    dlviz_network *net;
    ck_ok(dlviz_network_create(&net, 1, &inputs));
    dlviz_network_add(net, "fc", dlviz_linear(outputs));
    ck_ok(dlviz_network_build(net, 1));
    fill_states(net, 9, false);
    ck_ok(dlviz_network_get_state(net, "fc.weight", weights));
    return net;
}

/* -- Closed forms ---------------------------------------------------------------------------------
 */

START_TEST(a_linear_networks_saliency_is_its_weights) {
    dlviz_tensor *weights, *maps, *x = random_tensor(2, (int64_t[]){150, 7}, 1);
    dlviz_network *net = linear_network(7, 4, &weights);
    int64_t labels[150];
    fill_labels(labels, 150, 4, 2);
    dlviz_tensor *targets = int64_tensor(150, labels);
    ck_ok(dlviz_network_saliency(net, x, targets, &maps));
    ck_assert(dlviz_tensor_ndim(maps) == 2 && dlviz_tensor_dim(maps, 0) == 150);
    for (int64_t i = 0; i < 150; i++)
        ck_assert_mem_eq(numbers(maps) + i * 7, numbers(weights) + labels[i] * 7, 7 * 4);
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(weights), dlviz_tensor_destroy(maps);
    dlviz_tensor_destroy(targets), dlviz_network_destroy(net);
}
END_TEST

/* w (x − b) with one step, and as well with any number of them. */
START_TEST(a_linear_network_shares_out_exactly) {
    dlviz_tensor *weights, *maps, *gaps, *x = random_tensor(2, (int64_t[]){9, 7}, 1);
    dlviz_tensor *base = random_tensor(1, (int64_t[]){7}, 2);
    dlviz_network *net = linear_network(7, 4, &weights);
    dlviz_tensor *targets = int64_tensor(9, (int64_t[]){0, 1, 2, 3, 3, 2, 1, 0, 0});
    const int64_t *target = dlviz_tensor_const_data(targets);
    for (int64_t steps = 1; steps <= 1000; steps = steps * 2 + (steps > 400)) {
        ck_ok(dlviz_network_integrated_gradients(net, x, base, targets, steps, &maps, &gaps));
        for (int64_t i = 0; i < 9; i++) {
            for (int64_t k = 0; k < 7; k++) {
                double w = (double)numbers(weights)[target[i] * 7 + k];
                double share = w * ((double)numbers(x)[i * 7 + k] - (double)numbers(base)[k]);
                ck_assert_double_eq_tol((double)numbers(maps)[i * 7 + k], share, 1e-7);
            }
            ck_assert_double_le(fabs((double)numbers(gaps)[i]), 5e-7);
        }
        dlviz_tensor_destroy(maps), dlviz_tensor_destroy(gaps);
    }
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(base), dlviz_tensor_destroy(weights);
    dlviz_tensor_destroy(targets), dlviz_network_destroy(net);
}
END_TEST

/* Σ x²: k points of Gauss-Legendre are exact up to the power 2k of the output, so 1 is enough here,
 * and (Σ x²)² needs 2. */
START_TEST(the_quadrature_is_gauss_legendres) {
    for (int powers = 1; powers <= 2; powers++) {
        dlviz_network *net;
        dlviz_tensor *maps, *gaps, *x = random_tensor(2, (int64_t[]){3, 5}, 1);
        dlviz_tensor *base = random_tensor(1, (int64_t[]){5}, 2);
        ck_ok(dlviz_network_create(&net, 1, (int64_t[]){5}));
        dlviz_network_add_from(net, "square", dlviz_multiply(), 2,
                               (const char *[]){"input", "input"});
        dlviz_network_add(net, "sum", dlviz_linear(1));
        if (powers == 2)
            dlviz_network_add_from(net, "again", dlviz_multiply(), 2,
                                   (const char *[]){"sum", "sum"});
        ck_ok(dlviz_network_build(net, 1));
        dlviz_tensor *ones, *zero;
        ck_ok(dlviz_tensor_create(&ones, DLVIZ_FLOAT32, 2, (int64_t[]){1, 5}));
        ck_ok(dlviz_tensor_create(&zero, DLVIZ_FLOAT32, 1, (int64_t[]){1}));
        for (int k = 0; k < 5; k++)
            dlviz_tensor_float(ones)[k] = 1;
        ck_ok(dlviz_network_set_state(net, "sum.weight", ones));
        ck_ok(dlviz_network_set_state(net, "sum.bias", zero));
        for (int64_t steps = 1; steps <= 3; steps++) {
            ck_ok(dlviz_network_integrated_gradients(net, x, base, NULL, steps, &maps, &gaps));
            for (int64_t i = 0; i < 3; i++) {
                double gap = fabs((double)numbers(gaps)[i]);
                ck_assert_msg(steps >= powers ? gap < 1e-5 : gap > 1e-3,
                              "power %d, %d steps: gap %g", 2 * powers, (int)steps, gap);
            }
            for (int64_t i = 0; powers == 1 && i < 15; i++) {
                double a = (double)numbers(x)[i], b = (double)numbers(base)[i % 5];
                ck_assert_double_eq_tol((double)numbers(maps)[i], a * a - b * b, 1e-6);
            }
            dlviz_tensor_destroy(maps), dlviz_tensor_destroy(gaps);
        }
        dlviz_tensor_destroy(x), dlviz_tensor_destroy(base);
        dlviz_tensor_destroy(ones), dlviz_tensor_destroy(zero), dlviz_network_destroy(net);
    }
}
END_TEST

START_TEST(shares_add_up_to_the_difference) {
    for (int smooth = 0; smooth <= 1; smooth++) {
        dlviz_network *net = made(smooth);
        dlviz_tensor *x = images(70), *base = random_tensor(4, (int64_t[]){70, 2, 8, 6}, 6);
        dlviz_tensor *maps, *gaps, *y, *start, *targets;
        ck_ok(dlviz_network_forward(net, x, &y));
        ck_ok(dlviz_network_forward(net, base, &start));
        int64_t labels[70];
        fill_labels(labels, 70, 5, 2);
        targets = int64_tensor(70, labels);
        double worst[2] = {0};
        for (int round = 0; round < 2; round++) {
            ck_ok(dlviz_network_integrated_gradients(net, x, base, targets, round ? 300 : 10, &maps,
                                                     &gaps));
            for (int64_t i = 0; i < 70; i++) {
                double sum = 0, at = (double)numbers(y)[i * 5 + labels[i]];
                for (int64_t k = 0; k < 96; k++)
                    sum += (double)numbers(maps)[i * 96 + k];
                double gap = sum - (at - (double)numbers(start)[i * 5 + labels[i]]);
                ck_assert_double_eq_tol(gap, (double)numbers(gaps)[i], 2e-6);
                worst[round] = fmax(worst[round], fabs(gap));
            }
            dlviz_tensor_destroy(maps), dlviz_tensor_destroy(gaps);
        }
        printf("%s: largest gap %.1e with 10 steps, %.1e with 300\n", smooth ? "smooth" : "relu",
               worst[0], worst[1]);
        /* Where the gradient jumps, quadrature gets no faster than the number of steps. */
        ck_assert_double_lt(worst[1], smooth ? 5e-6 : worst[0] / 5);
        dlviz_tensor_destroy(x), dlviz_tensor_destroy(base), dlviz_tensor_destroy(targets);
        dlviz_tensor_destroy(y), dlviz_tensor_destroy(start), dlviz_network_destroy(net);
    }
}
END_TEST

/* Behind a global mean and one linear layer, Grad-CAM is the class activation map of B. Zhou et al.:
 * the weights are the gradients. */
START_TEST(grad_cam_is_the_class_activation_map) {
    dlviz_network *net;
    ck_ok(dlviz_network_create(&net, 3, (int64_t[]){2, 8, 6}));
    dlviz_network_add(net, "conv", dlviz_conv2d(4, 3, 1));
    dlviz_network_add(net, "relu", dlviz_relu());
    dlviz_network_add(net, "mean", dlviz_global_avgpool2d());
    dlviz_network_add(net, "fc", dlviz_linear(5));
    ck_ok(dlviz_network_build(net, 1));
    dlviz_tensor *x = images(66), *a, *w, *y, *maps;
    ck_ok(dlviz_network_forward_to(net, "relu", x, &a));
    ck_ok(dlviz_network_forward(net, x, &y));
    ck_ok(dlviz_network_get_state(net, "fc.weight", &w));
    ck_ok(dlviz_network_grad_cam(net, "relu", x, NULL, &maps));
    ck_assert(dlviz_tensor_ndim(maps) == 3 && dlviz_tensor_dim(maps, 0) == 66 &&
              dlviz_tensor_dim(maps, 1) == 8 && dlviz_tensor_dim(maps, 2) == 6);
    double largest = 0;
    for (int64_t i = 0; i < 66; i++) {
        int64_t class = 0;
        for (int64_t k = 1; k < 5; k++)
            class = numbers(y)[i * 5 + k] > numbers(y)[i * 5 + class] ? k : class;
        for (int64_t p = 0; p < 48; p++) {
            double sum = 0;
            for (int64_t c = 0; c < 4; c++)
                sum += (double)numbers(w)[class * 4 + c] / 48 *
                       (double)numbers(a)[(i * 4 + c) * 48 + p];
            largest = fmax(largest, sum);
            ck_assert_double_eq_tol((double)numbers(maps)[i * 48 + p], fmax(sum, 0), 1e-8);
        }
    }
    ck_assert_double_gt(largest, 1e-3);
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(a), dlviz_tensor_destroy(w);
    dlviz_tensor_destroy(y), dlviz_tensor_destroy(maps), dlviz_network_destroy(net);
}
END_TEST

/* -- Arguments ------------------------------------------------------------------------------------
 */

START_TEST(without_targets_it_is_the_prediction) {
    dlviz_network *net = made(false);
    dlviz_tensor *x = images(70), *y, *with, *without, *chosen;
    ck_ok(dlviz_network_forward(net, x, &y));
    ck_ok(dlviz_tensor_create(&chosen, DLVIZ_UINT8, 1, (int64_t[]){70}));
    uint8_t *class = dlviz_tensor_data(chosen);
    for (int64_t i = 0; i < 70; i++)
        for (uint8_t k = 1; k < 5; k++)
            class[i] = numbers(y)[i * 5 + k] > numbers(y)[i * 5 + class[i]] ? k : class[i];
    ck_ok(dlviz_network_saliency(net, x, NULL, &without));
    ck_ok(dlviz_network_saliency(net, x, chosen, &with));
    ck_assert(same(with, without));
    dlviz_tensor_destroy(with), dlviz_tensor_destroy(without);
    ck_ok(dlviz_network_grad_cam(net, "act", x, NULL, &without));
    ck_ok(dlviz_network_grad_cam(net, "act", x, chosen, &with));
    ck_assert(same(with, without));
    dlviz_tensor_destroy(with), dlviz_tensor_destroy(without);
    ck_ok(dlviz_network_integrated_gradients(net, x, NULL, NULL, 3, &without, NULL));
    ck_ok(dlviz_network_integrated_gradients(net, x, NULL, chosen, 3, &with, NULL));
    ck_assert(same(with, without));
    dlviz_tensor_destroy(with), dlviz_tensor_destroy(without);
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(y), dlviz_tensor_destroy(chosen);
    dlviz_network_destroy(net);
}
END_TEST

START_TEST(baselines_come_in_several_shapes) {
    dlviz_network *net = made(true);
    dlviz_tensor *x = images(3), *one = random_tensor(3, (int64_t[]){2, 8, 6}, 6), *row, *all,
                 *zeros;
    ck_ok(dlviz_tensor_reshape(one, 4, (int64_t[]){1, 2, 8, 6}, &row));
    ck_ok(dlviz_tensor_create(&all, DLVIZ_FLOAT32, 4, (int64_t[]){3, 2, 8, 6}));
    for (int i = 0; i < 3; i++)
        memcpy(dlviz_tensor_float(all) + 96 * i, numbers(one), 96 * sizeof(float));
    ck_ok(dlviz_tensor_create(&zeros, DLVIZ_FLOAT32, 3, (int64_t[]){2, 8, 6}));
    const dlviz_tensor *alike[2][3] = {{one, row, all}, {zeros, NULL, zeros}};
    for (int set = 0; set < 2; set++) {
        dlviz_tensor *maps[3], *gaps[3];
        for (int i = 0; i < 3; i++)
            ck_ok(dlviz_network_integrated_gradients(net, x, alike[set][i], NULL, 70, &maps[i],
                                                     &gaps[i]));
        for (int i = 0; i < 3; i++)
            ck_assert(same(maps[0], maps[i]) && same(gaps[0], gaps[i]));
        for (int i = 0; i < 3; i++)
            dlviz_tensor_destroy(maps[i]), dlviz_tensor_destroy(gaps[i]);
    }
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(one), dlviz_tensor_destroy(row);
    dlviz_tensor_destroy(all), dlviz_tensor_destroy(zeros), dlviz_network_destroy(net);
}
END_TEST

/* All three of them at once. */
static void all_fail(dlviz_network *net, const dlviz_tensor *x, const dlviz_tensor *targets,
                     dlviz_status status, const char *words) {
    dlviz_tensor *maps = (dlviz_tensor *)&status, *gaps = maps;
    ck_fails(dlviz_network_saliency(net, x, targets, &maps), status, words);
    ck_assert_ptr_null(maps);
    maps = gaps;
    ck_fails(dlviz_network_grad_cam(net, "act", x, targets, &maps), status, words);
    ck_assert_ptr_null(maps);
    maps = gaps;
    ck_fails(dlviz_network_integrated_gradients(net, x, NULL, targets, 3, &maps, &gaps), status,
             words);
    ck_assert(!maps && !gaps);
}

START_TEST(mistakes_are_named) {
    dlviz_network *net = made(false);
    dlviz_tensor *x = images(70), *maps, *gaps;
    int64_t labels[70] = {0};
    dlviz_tensor *targets = int64_tensor(70, labels), *few = int64_tensor(69, labels);
    int64_t *at = dlviz_tensor_data(targets);
    all_fail(net, NULL, NULL, INVALID, "'inputs' is NULL");
    all_fail(net, targets, NULL, SHAPE, "'inputs' holds int64");
    all_fail(net, x, few, SHAPE,
             "'targets' is int64 69, needs to be uint8 or int64 with 70 entries");
    all_fail(net, x, x, SHAPE, "'targets' is float32 70 x 2 x 8 x 6");
    at[66] = 5;
    all_fail(net, x, targets, INVALID,
             "the target of sample 66 is 5; the network has the outputs 0 to 4");
    at[66] = -1;
    all_fail(net, x, targets, INVALID, "the target of sample 66 is -1");
    float *number = &dlviz_tensor_float(x)[65 * 96 + 50], kept = *number;
    *number = NAN;
    all_fail(net, x, NULL, DLVIZ_ERROR_NUMERIC, "NaN in sample 65 (channel 1, row 0, column 2)");
    *number = kept;
    dlviz_tensor *large, *row;
    ck_ok(dlviz_tensor_copy(x, &large));
    ck_ok(dlviz_tensor_slice(large, 65, 1, &row));
    for (int64_t i = 0; i < 96; i++)
        dlviz_tensor_float(row)[i] *= 3e38f;
    all_fail(net, large, NULL, DLVIZ_ERROR_NUMERIC, "in the outputs of sample 65");
    dlviz_tensor_destroy(large), dlviz_tensor_destroy(row);
    ck_fails(dlviz_network_grad_cam(net, "act2", x, NULL, &maps), DLVIZ_ERROR_NOT_FOUND,
             "there is no layer 'act2'; the network has conv, bn, act");
    ck_fails(
        dlviz_network_grad_cam(net, "fc", x, NULL, &maps), SHAPE,
        "the layer 'fc' gives vectors of 5; one that gives images is accepted, such as 'pool'");
    ck_fails(dlviz_network_grad_cam(net, NULL, x, NULL, &maps), INVALID, "'layer' is NULL");
    ck_fails(dlviz_network_integrated_gradients(net, x, NULL, NULL, 0, &maps, &gaps), INVALID,
             "0 steps; 1 to 1000");
    ck_fails(dlviz_network_integrated_gradients(net, x, NULL, NULL, 1001, &maps, NULL), INVALID,
             "1001 steps");
    ck_fails(dlviz_network_integrated_gradients(net, x, targets, NULL, 3, &maps, &gaps), SHAPE,
             "'baselines' is int64 70, needs float32 2 x 8 x 6 or 70 x 2 x 8 x 6");
    dlviz_tensor *base = images(2);
    ck_fails(dlviz_network_integrated_gradients(net, x, base, NULL, 3, &maps, &gaps), SHAPE,
             "'baselines' is float32 2 x 2 x 8 x 6");
    dlviz_tensor_destroy(base);
    base = images(1);
    dlviz_tensor_float(base)[3] = INFINITY;
    ck_fails(dlviz_network_integrated_gradients(net, x, base, NULL, 3, &maps, &gaps),
             DLVIZ_ERROR_NUMERIC, "an infinity in baseline 0 (channel 0, row 0, column 3)");
    ck_fails(dlviz_network_saliency(net, x, NULL, NULL), INVALID, "'maps' is NULL");
    dlviz_tensor_destroy(base), dlviz_tensor_destroy(targets), dlviz_tensor_destroy(few);
    dlviz_network_destroy(net);
    dlviz_tensor *vectors = random_tensor(2, (int64_t[]){2, 7}, 1), *weights;
    net = linear_network(7, 4, &weights);
    ck_fails(dlviz_network_grad_cam(net, "input", vectors, NULL, &maps), SHAPE,
             "'input' gives vectors of 7; one that gives images is accepted, and this network has "
             "none");
    dlviz_network_destroy(net);
    ck_ok(dlviz_network_create(&net, 3, (int64_t[]){2, 8, 6}));
    all_fail(net, x, NULL, DLVIZ_ERROR_STATE, "build");
    all_fail(NULL, x, NULL, INVALID, "'network' is NULL");
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(vectors), dlviz_tensor_destroy(weights);
    dlviz_network_destroy(net);
}
END_TEST

/* -- What asking leaves alone -----------------------------------------------------------------------
 */

static void train(dlviz_network *net, dlviz_optimizer *adam, const dlviz_tensor *x,
                  const dlviz_tensor *labels, uint64_t step) {
    ck_ok(dlviz_network_backward(net, x, labels, 1, step, NULL));
    ck_ok(dlviz_optimizer_step(adam, net));
}

/* Infinities that cancel out leave no number, which is none that speaks for an output either. */
START_TEST(what_is_no_number_is_no_zero) {
    dlviz_network *network = net_from_text("1x2x2", "c:conv,out=2,k=1 f:flatten fc:linear,out=1");
    dlviz_tensor *inputs, *targets, *maps;
    const int64_t target = 0;
    float weights[8];
    for (int i = 0; i < 8; i++)
        weights[i] = i < 4 ? 1 : -1;
    for (int i = 0; i < 2; i++)
        ((float *)dlz_network_state(network, "c.weight")->value)[i] = 10;
    memcpy(dlz_network_state(network, "fc.weight")->value, weights, sizeof weights);
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, 4, (int64_t[]){1, 1, 2, 2}));
    for (int i = 0; i < 4; i++)
        dlviz_tensor_float(inputs)[i] = 3e38f;
    ck_ok(dlviz_tensor_from_data(&targets, DLVIZ_INT64, 1, (int64_t[]){1}, &target));
    ck_fails(dlviz_network_grad_cam(network, "c", inputs, targets, &maps), DLVIZ_ERROR_NUMERIC,
             "NaN in the map of sample 0");
    ck_assert_ptr_null(maps);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(targets);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(states_and_training_stay_as_they_are) {
    dlviz_network *asked = made(false), *left = made(false);
    dlviz_optimizer *first, *second;
    dlviz_tensor *x = images(70), *labels = label_tensor(70, 5, 1), *maps, *gaps, *copy;
    ck_ok(dlviz_adam_create(&first, 1e-2));
    ck_ok(dlviz_adam_create(&second, 1e-2));
    for (uint64_t step = 0; step < 3; step++) {
        ck_ok(dlviz_network_saliency(asked, x, labels, &maps));
        dlviz_tensor_destroy(maps);
        ck_ok(dlviz_network_grad_cam(asked, "sum", x, labels, &maps));
        dlviz_tensor_destroy(maps);
        ck_ok(dlviz_network_integrated_gradients(asked, x, NULL, labels, 3, &maps, &gaps));
        dlviz_tensor_destroy(maps), dlviz_tensor_destroy(gaps);
        assert_same_states(asked, left);
        ck_fails(dlviz_network_get_gradient(asked, "fc.weight", &copy), DLVIZ_ERROR_STATE, "");
        ck_fails(dlviz_optimizer_step(first, asked), DLVIZ_ERROR_STATE, "");
        train(asked, first, x, labels, step);
        train(left, second, x, labels, step);
        assert_same_states(asked, left);
    }
    dlviz_optimizer_destroy(first), dlviz_optimizer_destroy(second);
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(labels);
    dlviz_network_destroy(asked), dlviz_network_destroy(left);
}
END_TEST

/* -- Layers of the program's own --------------------------------------------------------------------
 */

static dlviz_network *with_layer(dlviz_layer *act) {
    dlviz_network *net;
    ck_ok(dlviz_network_create(&net, 3, (int64_t[]){2, 8, 6}));
    dlviz_network_add(net, "conv", dlviz_conv2d(4, 3, 1));
    dlviz_network_add(net, "act", act);
    dlviz_network_add(net, "flat", dlviz_flatten());
    dlviz_network_add(net, "fc", dlviz_linear(5));
    ck_ok(dlviz_network_build(net, 1));
    return net;
}

static void fail_next(probe *p, int function, int after) {
    p->fail_function = function;
    p->fail_at = p->calls[function] + after;
    p->status = DLVIZ_ERROR_IO;
}

START_TEST(layers_of_the_programs_own_take_part) {
    probe p = {0};
    dlviz_network *own = with_layer(dlviz_layer_custom(&probe_relu, &p));
    dlviz_network *ours = with_layer(dlviz_relu());
    dlviz_tensor *x = images(70), *a, *b;
    const char *const layers[] = {"input", "conv", "act"};
    for (int i = 0; i < 3; i++) {
        ck_ok(dlviz_network_grad_cam(own, layers[i], x, NULL, &a));
        ck_ok(dlviz_network_grad_cam(ours, layers[i], x, NULL, &b));
        ck_assert_double_lt(relative_error(numbers(a), numbers(b), dlviz_tensor_num_elements(a)),
                            1e-5);
        dlviz_tensor_destroy(a), dlviz_tensor_destroy(b);
    }
    ck_ok(dlviz_network_saliency(own, x, NULL, &a));
    ck_ok(dlviz_network_saliency(ours, x, NULL, &b));
    ck_assert_double_lt(relative_error(numbers(a), numbers(b), 70 * 96), 1e-5);
    dlviz_tensor_destroy(a), dlviz_tensor_destroy(b);
    dlviz_tensor *targets = label_tensor(70, 5, 1);
    for (int function = CALL_FORWARD; function <= CALL_BACKWARD; function++)
        for (int call = 1; call <= 2; call++) { /* 64 samples, then 6 */
            const char *words =
                function == CALL_FORWARD ? "'act': forward: call" : "'act': backward: call";
            fail_next(&p, function, call);
            ck_fails(dlviz_network_saliency(own, x, targets, &a), DLVIZ_ERROR_IO, words);
            fail_next(&p, function, call);
            ck_fails(dlviz_network_grad_cam(own, "conv", x, targets, &a), DLVIZ_ERROR_IO, words);
            fail_next(&p, function, call);
            ck_fails(dlviz_network_integrated_gradients(own, x, NULL, targets, 3, &a, &b),
                     DLVIZ_ERROR_IO, words);
            ck_assert(!a && !b);
        }
    dlviz_tensor_destroy(targets);
    dlviz_tensor_destroy(x), dlviz_network_destroy(own), dlviz_network_destroy(ours);
}
END_TEST

/* -- Neighborhoods ----------------------------------------------------------------------------------
 */

/* Points on a line that a linear network leaves there: its neighbors hold a point in their direction,
 * and what does not change the features holds nothing. */
START_TEST(neighbors_hold_a_point_where_they_lie) {
    enum { N = 40 };
    dlviz_network *net;
    dlviz_tensor *x, *map, *weight, *maps;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){N, 2}));
    ck_ok(dlviz_tensor_create(&map, DLVIZ_FLOAT32, 2, (int64_t[]){N, 1}));
    for (int i = 0; i < N; i++) {
        dlviz_tensor_float(x)[2 * i] = dlviz_tensor_float(map)[i] = (float)(i * i) / 100 + 1;
        dlviz_tensor_float(x)[2 * i + 1] = (float)(i % 3);
    }
    ck_ok(dlviz_network_create(&net, 1, (int64_t[]){2}));
    dlviz_network_add(net, "fc", dlviz_linear(1));
    dlviz_network_add(net, "relu", dlviz_relu());
    ck_ok(dlviz_network_build(net, 1));
    weight = float_tensor(2, (int64_t[]){1, 2}, (float[]){1, 0});
    ck_ok(dlviz_network_set_state(net, "fc.weight", weight));
    ck_ok(dlviz_dataset_create(&dataset, x, NULL));
    /* On the way from 0, far from all, to the last point, or to the first: nearer to its neighbors. */
    const int64_t ends[] = {N - 1, 20, 0};
    ck_ok(dlviz_network_neighborhood(net, "relu", dataset, map, 3, ends, NULL, 3, 20, &maps));
    ck_assert(dlviz_tensor_ndim(maps) == 2 && dlviz_tensor_dim(maps, 0) == 3);
    ck_assert_float_gt(numbers(maps)[0], 1);
    ck_assert_float_gt(numbers(maps)[2], 1);
    for (int i = 0; i < 3; i++)
        ck_assert_float_eq(numbers(maps)[2 * i + 1], 0);
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(map), dlviz_tensor_destroy(weight);
    dlviz_tensor_destroy(maps), dlviz_dataset_destroy(dataset), dlviz_network_destroy(net);
}
END_TEST

static dlviz_network *identity_of(int64_t size) {
    dlviz_network *net;
    dlviz_tensor *weight, *bias;
    ck_ok(dlviz_network_create(&net, 1, &size));
    dlviz_network_add(net, "fc", dlviz_linear(size));
    ck_ok(dlviz_network_build(net, 1));
    ck_ok(dlviz_tensor_create(&weight, DLVIZ_FLOAT32, 2, (int64_t[]){size, size}));
    for (int64_t i = 0; i < size; i++)
        dlviz_tensor_float(weight)[i * size + i] = 1;
    ck_ok(dlviz_tensor_create(&bias, DLVIZ_FLOAT32, 1, &size));
    ck_ok(dlviz_network_set_state(net, "fc.weight", weight));
    ck_ok(dlviz_network_set_state(net, "fc.bias", bias));
    dlviz_tensor_destroy(weight), dlviz_tensor_destroy(bias);
    return net;
}

/* Of the first of the samples, by two neighbors of a map on which all lie in a row. */
static dlviz_status neighborhood_of_first(int64_t n, int64_t size, const float *values, float *to) {
    dlviz_network *net = identity_of(size);
    dlviz_tensor *x = float_tensor(2, (int64_t[]){n, size}, values), *map, *maps;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_create(&map, DLVIZ_FLOAT32, 2, (int64_t[]){n, 1}));
    for (int64_t i = 0; i < n; i++)
        dlviz_tensor_float(map)[i] = (float)i;
    ck_ok(dlviz_dataset_create(&dataset, x, NULL));
    dlviz_status status =
        dlviz_network_neighborhood(net, "fc", dataset, map, 1, (int64_t[]){0}, NULL, 2, 20, &maps);
    for (int64_t i = 0; status == DLVIZ_OK && i < size; i++)
        to[i] = numbers(maps)[i];
    dlviz_tensor_destroy(maps), dlviz_tensor_destroy(map), dlviz_tensor_destroy(x);
    dlviz_dataset_destroy(dataset), dlviz_network_destroy(net);
    return status;
}

/* No width of the similarity makes fewer count than there are equally near. */
START_TEST(equally_near_points_hold_a_point_too) {
    enum { N = 60 };
    float x[2 * N], few[2], many[2], own[N * N], none[N];
    for (int same = 4; same < N; same++) {
        for (int i = 0; i < N; i++) {
            x[2 * i] = i < same ? 1 : 2 + (float)i / N;
            x[2 * i + 1] = i < same ? 0.5f : (float)(i % 7) / 7;
        }
        ck_ok(neighborhood_of_first(N, 2, x, same == 4 ? few : many));
        for (int c = 0; c < 2 && same > 4; c++)
            ck_assert_msg(fabsf(many[c]) < 100 * (1 + fabsf(few[c])), "%d alike: %g, of 4 %g", same,
                          many[c], few[c]);
    }
    /* One far away takes nothing from the others. */
    for (int far = 0; far < 2; far++) {
        for (int i = 0; i < N; i++) {
            x[2 * i] = 1 + (float)(i * 37 % N) / N;
            x[2 * i + 1] = 1 + (float)(i % 7) / 7;
        }
        x[2 * N - 1] = far ? 1e17f : 100;
        ck_ok(neighborhood_of_first(N, 2, x, far ? many : few));
    }
    for (int c = 0; c < 2; c++)
        ck_assert_float_eq_tol(many[c], few[c], 1e-4f * (1 + fabsf(few[c])));
    /* All equally far, whatever the mean of the distances is rounded to. */
    for (int n = 6; n <= N; n++) {
        for (int i = 0; i < n * n; i++)
            own[i] = i % (n + 1) == 0 ? 0.3f : 0;
        ck_ok(neighborhood_of_first(n, n, own, none));
        for (int i = 0; i < n; i++)
            ck_assert_float_eq(none[i], 0);
    }
}
END_TEST

START_TEST(mistakes_about_neighborhoods_are_named) {
    dlviz_network *net = made(false);
    dlviz_tensor *x = images(10), *map = random_tensor(2, (int64_t[]){10, 2}, 1), *maps;
    dlviz_tensor *few = random_tensor(2, (int64_t[]){9, 2}, 1),
                 *other = random_tensor(2, (int64_t[]){10, 5}, 1);
    dlviz_dataset *dataset, *foreign;
    ck_ok(dlviz_dataset_create(&dataset, x, NULL));
    ck_ok(dlviz_dataset_create(&foreign, other, NULL));
    const int64_t points[] = {3, 10}, below[] = {-1};
#define NEIGHBORHOOD(layer, data, map, n, points, neighbors, steps)                                \
    dlviz_network_neighborhood(net, layer, data, map, n, points, NULL, neighbors, steps, &maps)
    ck_ok(NEIGHBORHOOD("act", dataset, map, 1, points, 4, 2));
    dlviz_tensor_destroy(maps);
    ck_fails(NEIGHBORHOOD("ac", dataset, map, 1, points, 4, 2), DLVIZ_ERROR_NOT_FOUND, "'ac'");
    ck_fails(NEIGHBORHOOD("input", dataset, map, 1, points, 4, 2), INVALID, "'input'");
    ck_fails(NEIGHBORHOOD("act", NULL, map, 1, points, 4, 2), INVALID, "'dataset' is NULL");
    ck_fails(NEIGHBORHOOD("act", foreign, map, 1, points, 4, 2), SHAPE, "a sample is 5");
    ck_fails(NEIGHBORHOOD("act", dataset, NULL, 1, points, 4, 2), INVALID, "'map' is NULL");
    ck_fails(NEIGHBORHOOD("act", dataset, few, 1, points, 4, 2), SHAPE, "9 rows for 10 samples");
    ck_fails(NEIGHBORHOOD("act", dataset, x, 1, points, 4, 2), SHAPE, "'map'");
    ck_fails(NEIGHBORHOOD("act", dataset, map, 0, points, 4, 2), INVALID, "'points' is empty");
    ck_fails(NEIGHBORHOOD("act", dataset, map, 1, NULL, 4, 2), INVALID, "'points' is NULL");
    ck_fails(NEIGHBORHOOD("act", dataset, map, 2, points, 4, 2), INVALID,
             "point 1 is 10; the map has 0 to 9");
    ck_fails(NEIGHBORHOOD("act", dataset, map, 1, below, 4, 2), INVALID, "point 0 is -1");
    ck_fails(NEIGHBORHOOD("act", dataset, map, 1, points, 5, 2), INVALID, "5 neighbors among 10");
    ck_fails(NEIGHBORHOOD("act", dataset, map, 1, points, 0, 2), INVALID, "0 neighbors");
    ck_fails(NEIGHBORHOOD("act", dataset, map, 1, points, 4, 0), INVALID, "0 steps");
    dlviz_tensor_float(map)[5] = INFINITY;
    ck_fails(NEIGHBORHOOD("act", dataset, map, 1, points, 4, 2), DLVIZ_ERROR_NUMERIC, "row 2");
    dlviz_tensor_float(map)[5] = 0;
    dlviz_tensor_float(x)[96 * 7] = NAN;
    ck_fails(NEIGHBORHOOD("act", dataset, map, 1, points, 4, 2), DLVIZ_ERROR_NUMERIC, "sample 7");
    ck_assert_ptr_null(maps);
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(map), dlviz_tensor_destroy(few);
    dlviz_tensor_destroy(other), dlviz_dataset_destroy(dataset), dlviz_dataset_destroy(foreign);
    dlviz_network_destroy(net);
}
END_TEST

/* -- Memory -----------------------------------------------------------------------------------------
 */

static dlviz_status use_everything(void *context) {
    (void)context;
    dlviz_network *net = NULL;
    dlviz_dataset *dataset = NULL;
    dlviz_tensor *x = NULL, *maps[5] = {NULL}, *gaps = NULL, *map = NULL;
    dlviz_status status = make_network(&net, false);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_create(&x, DLVIZ_FLOAT32, 4, (int64_t[]){66, 2, 8, 6});
    if (status == DLVIZ_OK)
        status = dlviz_network_saliency(net, x, NULL, &maps[0]);
    if (status == DLVIZ_OK)
        status = dlviz_network_grad_cam(net, "sum", x, NULL, &maps[1]);
    if (status == DLVIZ_OK)
        status = dlviz_network_integrated_gradients(net, x, NULL, NULL, 3, &maps[2], &gaps);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_resize(maps[1], 20, 21, &maps[3]);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_create(&dataset, x, NULL);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_create(&map, DLVIZ_FLOAT32, 2, (int64_t[]){66, 2});
    if (status == DLVIZ_OK)
        status = dlviz_network_neighborhood(net, "sum", dataset, map, 2, (int64_t[]){5, 6}, NULL, 4,
                                            3, &maps[4]);
    for (int i = 0; i < 5; i++)
        dlviz_tensor_destroy(maps[i]);
    dlviz_tensor_destroy(map), dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(gaps), dlviz_tensor_destroy(x), dlviz_network_destroy(net);
    return status;
}

START_TEST(each_allocation_fails_in_turn) {
    int64_t count = fail_each_allocation(use_everything, NULL);
    printf("%d allocations failed in turn\n", (int)count);
    ck_assert_int_gt(count, 40);
}
END_TEST

/* -- Resizing -----------------------------------------------------------------------------------------
 */

START_TEST(resized_as_pytorch_does) {
    /* torch.nn.functional.interpolate([[[0, 1, 2], [3, 5, 9]]], (3, 4) or (1, 2), mode='bilinear') */
    static const float from[6] = {0, 1, 2, 3, 5, 9};
    static const float larger[12] = {0,       0.625f, 1.375f, 2,     1.5f, 2.4375f,
                                     3.9375f, 5.5f,   3,      4.25f, 6.5f, 9};
    dlviz_tensor *image = float_tensor(2, (int64_t[]){2, 3}, from), *out, *batch;
    ck_ok(dlviz_tensor_resize(image, 3, 4, &out));
    for (int i = 0; i < 12; i++)
        ck_assert_float_eq_tol(numbers(out)[i], larger[i], 1e-6f);
    dlviz_tensor_destroy(out);
    ck_ok(dlviz_tensor_resize(image, 1, 2, &out));
    ck_assert_float_eq_tol(numbers(out)[0], 1.875f, 1e-6f);
    ck_assert_float_eq_tol(numbers(out)[1], 4.875f, 1e-6f);
    dlviz_tensor_destroy(out), dlviz_tensor_destroy(image);
    /* As a dataset resizes. */
    batch = images(5);
    dlviz_dataset *dataset;
    dlviz_tensor *seen;
    ck_ok(dlviz_dataset_create(&dataset, batch, NULL));
    for (int64_t size = 1; size < 20; size += 3) {
        ck_ok(dlviz_dataset_set_image_size(dataset, size, 23 - size));
        ck_ok(dlviz_dataset_samples(dataset, 0, 5, &seen));
        ck_ok(dlviz_tensor_resize(batch, size, 23 - size, &out));
        ck_assert(dlviz_tensor_ndim(out) == 4 && dlviz_tensor_dim(out, 2) == size);
        ck_assert_double_lt(
            relative_error(numbers(out), numbers(seen), dlviz_tensor_num_elements(seen)), 1e-6);
        dlviz_tensor_destroy(seen), dlviz_tensor_destroy(out);
    }
    dlviz_tensor *labels = int64_tensor(5, (int64_t[5]){0}), *vector;
    ck_fails(dlviz_tensor_resize(labels, 2, 2, &out), SHAPE, "'images' is int64 5");
    ck_ok(dlviz_tensor_reshape(batch, 1, (int64_t[]){-1}, &vector));
    ck_fails(dlviz_tensor_resize(vector, 2, 2, &out), SHAPE, "'images' is float32 480");
    ck_fails(dlviz_tensor_resize(batch, 0, 2, &out), INVALID, "0 x 2; sizes of 1 or more");
    dlviz_tensor_destroy(labels), dlviz_tensor_destroy(vector), dlviz_tensor_destroy(batch);
    dlviz_dataset_destroy(dataset);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_linear_networks_saliency_is_its_weights,
                                  a_linear_network_shares_out_exactly,
                                  the_quadrature_is_gauss_legendres,
                                  shares_add_up_to_the_difference,
                                  grad_cam_is_the_class_activation_map,
                                  without_targets_it_is_the_prediction,
                                  baselines_come_in_several_shapes,
                                  mistakes_are_named,
                                  what_is_no_number_is_no_zero,
                                  states_and_training_stay_as_they_are,
                                  layers_of_the_programs_own_take_part,
                                  neighbors_hold_a_point_where_they_lie,
                                  equally_near_points_hold_a_point_too,
                                  mistakes_about_neighborhoods_are_named,
                                  each_allocation_fails_in_turn,
                                  resized_as_pytorch_does,
                                  NULL};
    return run_tests("attribution", tests);
}
