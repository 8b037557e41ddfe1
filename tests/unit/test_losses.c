/* Losses as a user meets them: settings, targets, weights, what is refused, the user's own. */
#include "support/failing.h"
#include "support/netspec.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

/* n samples of d numbers, and as many targets of t numbers; weights 1, 2, 3, 1, … if wanted. */
static dlviz_dataset *numbers(int64_t n, int64_t d, int64_t t, bool weighted) {
    dlviz_tensor *samples, *targets, *weights;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_create(&samples, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    ck_ok(dlviz_tensor_create(&targets, DLVIZ_FLOAT32, 2, (int64_t[]){n, t}));
    ck_ok(dlviz_tensor_create(&weights, DLVIZ_FLOAT32, 1, &n));
    fill_uniform(dlviz_tensor_data(samples), n * d, 1);
    fill_uniform(dlviz_tensor_data(targets), n * t, 2);
    for (int64_t i = 0; i < n; i++)
        ((float *)dlviz_tensor_data(weights))[i] = (float)(1 + i % 3);
    ck_ok(dlviz_dataset_create(&dataset, samples, targets));
    if (weighted)
        ck_ok(dlviz_dataset_set_weights(dataset, weights));
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(targets);
    dlviz_tensor_destroy(weights);
    return dataset;
}

static dlviz_network *network_with(const char *dims, const char *text, dlviz_loss *loss) {
    dlviz_network *network = net_from_text(dims, text);
    fill_states(network, 1, false);
    ck_ok(dlviz_network_set_loss(network, loss));
    return network;
}

START_TEST(settings_are_got_and_checked) {
    dlviz_loss *loss = dlviz_cross_entropy(), *other = dlviz_mse();
    ck_assert_str_eq(dlviz_loss_name(loss), "cross_entropy");
    ck_assert_int_eq(dlviz_loss_num_metrics(loss), 2);
    ck_assert_str_eq(dlviz_loss_metric_name(loss, 1), "top5_accuracy");
    ck_assert_ptr_null(dlviz_loss_metric_name(loss, 2));
    ck_assert_ptr_null(dlviz_loss_metric_name(loss, -1));
    ck_assert_double_eq(dlviz_cross_entropy_label_smoothing(loss), 0);
    ck_assert_int_eq(dlviz_cross_entropy_ignored_label(loss), -100);
    ck_assert_int_eq(dlviz_cross_entropy_num_class_weights(loss), 0);
    ck_ok(dlviz_cross_entropy_set_label_smoothing(loss, 0.25));
    ck_ok(dlviz_cross_entropy_set_ignored_label(loss, 3));
    ck_ok(dlviz_cross_entropy_set_class_weights(loss, 2, (const double[]){0.5, 0}));
    ck_assert_double_eq(dlviz_cross_entropy_label_smoothing(loss), 0.25);
    ck_assert_int_eq(dlviz_cross_entropy_ignored_label(loss), 3);
    ck_assert_int_eq(dlviz_cross_entropy_num_class_weights(loss), 2);
    ck_assert_double_eq(dlviz_cross_entropy_class_weights(loss, 0), 0.5);
    ck_assert(isnan(dlviz_cross_entropy_class_weights(loss, 2)));
    ck_assert(isnan(dlviz_cross_entropy_label_smoothing(other)));
    ck_assert_int_eq(dlviz_bce_with_logits_num_positive_weights(loss), 0);
    ck_assert(isnan(dlviz_huber_delta(other)));
    ck_assert(!dlviz_kl_divergence_log_targets(other));
    ck_fails(dlviz_cross_entropy_set_label_smoothing(loss, 1.5), INVALID, "1.5");
    ck_assert_double_eq(dlviz_cross_entropy_label_smoothing(loss), 0.25);
    ck_fails(dlviz_huber_set_delta(other, 1), INVALID, "mse");
    ck_fails(dlviz_cross_entropy_set_class_weights(loss, 1, (const double[]){-1}), INVALID, "-1");
    ck_fails(dlviz_cross_entropy_set_class_weights(loss, 1, NULL), INVALID, "NULL");
    ck_fails(dlviz_cross_entropy_set_class_weights(loss, 1, (const double[]){NAN}), INVALID, "nan");
    ck_fails(dlviz_cross_entropy_set_class_weights(loss, 2, (const double[]){1, 9e-101}), INVALID,
             "weight 1 is 9e-101; 0 and 1e-100 to 1e+100 are accepted");
    ck_fails(dlviz_cross_entropy_set_class_weights(loss, 1, (const double[]){2e100}), INVALID,
             "2e+100");
    /* The first error comes again where the loss is handed over, which ends it. */
    dlviz_network *network = net_from_text("3", "fc:linear,out=2");
    ck_fails(dlviz_network_set_loss(network, loss), INVALID, "1.5");
    ck_fails(dlviz_network_set_loss(network, other), INVALID, "mse");
    ck_fails(dlviz_network_set_loss(network, dlviz_huber(0)), INVALID, "delta is 0");
    ck_fails(dlviz_network_set_loss(network, dlviz_huber(NAN)), INVALID, "delta is nan");
    ck_fails(dlviz_network_set_loss(network, NULL), INVALID, "'loss' is NULL");
    ck_assert_str_eq(dlviz_loss_name(dlviz_network_loss(network)), "cross_entropy");
    loss = dlviz_huber(2);
    ck_ok(dlviz_huber_set_delta(loss, 3));
    ck_ok(dlviz_network_set_loss(network, loss));
    ck_assert_ptr_eq(dlviz_network_loss(network), loss);
    ck_assert_double_eq(dlviz_huber_delta(dlviz_network_loss(network)), 3);
    ck_fails(dlviz_huber_set_delta(loss, 1), DLVIZ_ERROR_STATE, "belongs to a network");
    dlviz_loss_destroy(loss); /* is the network's */
    ck_fails(dlviz_network_set_loss(network, loss), INVALID, "belongs to a network");
    dlviz_optimizer *sgd;
    dlviz_trainer *trainer;
    ck_ok(dlviz_sgd_create(&sgd, 0.1));
    ck_ok(dlviz_trainer_create(&trainer, network, sgd));
    ck_fails(dlviz_network_set_loss(network, dlviz_mse()), DLVIZ_ERROR_STATE, "trainer");
    dlviz_trainer_destroy(trainer);
    ck_ok(dlviz_network_set_loss(network, dlviz_mse()));
    dlviz_optimizer_destroy(sgd);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(targets_must_fit_the_loss) {
    dlviz_dataset *three = numbers(6, 4, 3, false), *two = numbers(6, 4, 2, false);
    dlviz_network *network = network_with("4", "fc:linear,out=3", dlviz_mse());
    double loss;
    ck_ok(dlviz_network_evaluate(network, three, &loss, NULL));
    ck_fails(dlviz_network_evaluate(network, two, &loss, NULL), DLVIZ_ERROR_SHAPE,
             "outputs are 3, its targets 2");
    dlviz_tensor *labels = label_tensor(6, 3, 1);
    ck_ok(dlviz_dataset_set_targets(two, labels));
    ck_fails(dlviz_network_evaluate(network, two, &loss, NULL), DLVIZ_ERROR_SHAPE,
             "mse takes numbers of the outputs' shape (3), as float32; the targets are whole");
    ck_ok(dlviz_network_set_loss(network, dlviz_cross_entropy()));
    ck_ok(dlviz_network_evaluate(network, two, &loss, NULL));
    ck_fails(dlviz_network_evaluate(network, three, &loss, NULL), DLVIZ_ERROR_SHAPE,
             "cross_entropy takes class labels; the targets are numbers (3 for each sample)");
    ck_ok(dlviz_dataset_set_targets(three, NULL));
    ck_fails(dlviz_network_evaluate(network, three, &loss, NULL), INVALID, "no targets");
    dlviz_loss *weighted = dlviz_cross_entropy();
    ck_ok(dlviz_cross_entropy_set_class_weights(weighted, 2, (const double[]){1, 2}));
    ck_fails(dlviz_network_set_loss(network, weighted), DLVIZ_ERROR_SHAPE,
             "2 weights are set, for 3 classes");
    ck_ok(dlviz_network_set_loss(network, dlviz_bce_with_logits()));
    dlviz_dataset *beyond = numbers(70, 4, 3, false); /* targets below 0, in the second batch too */
    ck_fails(dlviz_network_evaluate(network, beyond, &loss, NULL), INVALID,
             "the loss bce_with_logits takes 0 to 1");
    ck_fails(dlviz_network_measure(network, beyond, "accuracy", &loss), DLVIZ_ERROR_NOT_FOUND,
             "has f1, exact_match, auc");
    dlviz_network *images = net_from_text("1x4x4", "c:conv,out=2,k=3");
    dlviz_tensor *inputs;
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, 4, (int64_t[]){6, 1, 4, 4}));
    ck_fails(dlviz_network_backward(images, inputs, labels, 0, 0, NULL), DLVIZ_ERROR_SHAPE,
             "flatten");
    ck_ok(dlviz_network_set_loss(images, dlviz_l1()));
    ck_fails(dlviz_network_backward(images, inputs, inputs, 0, 0, NULL), DLVIZ_ERROR_SHAPE,
             "outputs are 2 x 2 x 2, its targets 1 x 4 x 4");
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(images);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(three);
    dlviz_dataset_destroy(two);
    dlviz_dataset_destroy(beyond);
}
END_TEST

/* Over a set of several batches: the weighted mean of all samples, not of the batches' means. */
START_TEST(a_dataset_is_one_mean) {
    enum { N = 70, T = 3 };
    dlviz_dataset *set = numbers(N, 4, T, true);
    dlviz_network *network = network_with("4", "fc:linear,out=3", dlviz_mse());
    dlviz_tensor *outputs, *targets;
    ck_ok(dlviz_network_predict(network, set, &outputs));
    ck_ok(dlviz_dataset_targets(set, 0, N, &targets));
    double loss, mae, norm = 0, sum = 0, absolute = 0;
    for (int i = 0; i < N; i++) {
        double weight = 1 + i % 3, own = 0;
        for (int j = 0; j < T; j++) {
            double error = (double)dlviz_tensor_const_float(outputs)[i * T + j] -
                           (double)dlviz_tensor_const_float(targets)[i * T + j];
            own += error * error / T;
            absolute += fabs(error);
        }
        sum += weight * own;
        norm += weight;
    }
    ck_ok(dlviz_network_evaluate(network, set, &loss, &mae));
    ck_assert_double_eq_tol(loss, sum / norm, 1e-12);
    ck_assert_double_eq_tol(mae, absolute / (N * T), 1e-12);
    dlviz_tensor_destroy(outputs);
    dlviz_tensor_destroy(targets);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(set);
}
END_TEST

/* What all classes' weights are multiplied by is no matter, to the ends of what is accepted, also with
 * the smallest and the largest weights of samples. */
START_TEST(weights_of_any_size_give_their_mean) {
    enum { N = 6 };
    static const double sizes[] = {1, 1e100, 1e-100};
    static const float of_samples[] = {1, 0x1p-149f, 0x1p127f};
    dlviz_tensor *labels = int64_tensor(N, (const int64_t[]){0, 1, 2, 2, 1, 0}), *inputs, *weights;
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, 2, (int64_t[]){N, 4}));
    ck_ok(dlviz_tensor_create(&weights, DLVIZ_FLOAT32, 1, (int64_t[]){N}));
    fill_uniform(dlviz_tensor_float(inputs), (int64_t)N * 4, 3);
    for (int smooth = 0; smooth < 2; smooth++) {
        double first = 0;
        dlviz_tensor *first_gradient = NULL;
        for (int turn = 0; turn < 9; turn++) {
            double size = sizes[turn / 3], loss;
            dlviz_loss *weighted = dlviz_cross_entropy();
            ck_ok(dlviz_cross_entropy_set_label_smoothing(weighted, smooth ? 0.1 : 0));
            ck_ok(dlviz_cross_entropy_set_class_weights(
                weighted, 3, (const double[]){size, size, smooth ? size : 0}));
            dlviz_network *network = network_with("4", "fc:linear,out=3", weighted);
            dlviz_tensor *gradient;
            for (int i = 0; i < N; i++)
                dlviz_tensor_float(weights)[i] = of_samples[turn % 3];
            ck_ok(dlviz_network_backward_weighted(network, inputs, labels, weights, 0, 0, &loss));
            ck_ok(dlviz_network_get_gradient(network, "fc.weight", &gradient));
            if (turn == 0) {
                first = loss;
                first_gradient = gradient;
                ck_assert_double_gt(loss, 0.1);
            }
            ck_assert_double_eq_tol(loss, first, 1e-12);
            for (int64_t i = 0; i < dlviz_tensor_num_elements(gradient); i++)
                ck_assert_float_eq_tol(dlviz_tensor_const_float(gradient)[i],
                                       dlviz_tensor_const_float(first_gradient)[i], 1e-6f);
            if (turn > 0)
                dlviz_tensor_destroy(gradient);
            dlviz_network_destroy(network);
        }
        dlviz_tensor_destroy(first_gradient);
    }
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(weights);
    dlviz_tensor_destroy(labels);
}
END_TEST

/* All samples ignored: a step of 0, not of 0/0. But a set has no loss then, least of all the best. */
START_TEST(nothing_to_learn_is_zero) {
    dlviz_network *network = network_with("4", "fc:linear,out=3", dlviz_cross_entropy());
    dlviz_dataset *set = numbers(5, 4, 1, false);
    dlviz_tensor *labels = int64_tensor(5, (const int64_t[]){-100, -100, -100, -100, -100});
    dlviz_tensor *samples, *gradient;
    double loss = 7;
    ck_ok(dlviz_dataset_set_targets(set, labels));
    ck_ok(dlviz_network_evaluate(network, set, &loss, NULL));
    ck_assert(isnan(loss));
    ck_ok(dlviz_dataset_samples(set, 0, 5, &samples));
    ck_ok(dlviz_network_backward(network, samples, labels, 0, 0, &loss));
    ck_assert_double_eq(loss, 0);
    ck_ok(dlviz_network_get_gradient(network, "fc.weight", &gradient));
    for (int64_t i = 0; i < dlviz_tensor_num_elements(gradient); i++)
        ck_assert_double_eq((double)dlviz_tensor_const_float(gradient)[i], 0);
    dlviz_tensor_destroy(gradient);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(labels);
    dlviz_dataset_destroy(set);
    dlviz_network_destroy(network);
}
END_TEST

/* Whatever its targets are. */
START_TEST(a_sample_of_weight_zero_counts_for_nothing) {
    dlviz_network *network = network_with("4", "fc:linear,out=3", dlviz_mse());
    dlviz_dataset *set = numbers(5, 4, 3, false), *four;
    dlviz_tensor *targets, *weights;
    int64_t five = 5;
    ck_ok(dlviz_dataset_take(set, 0, 4, &four));
    ck_ok(dlviz_dataset_targets(set, 0, 5, &targets));
    ((float *)dlviz_tensor_data(targets))[13] = NAN;
    ck_ok(dlviz_tensor_create(&weights, DLVIZ_FLOAT32, 1, &five));
    for (int i = 0; i < 4; i++)
        ((float *)dlviz_tensor_data(weights))[i] = 0.25f;
    ck_ok(dlviz_dataset_set_targets(set, targets));
    ck_ok(dlviz_dataset_set_weights(set, weights));
    double loss, without;
    ck_ok(dlviz_network_evaluate(network, set, &loss, NULL));
    ck_ok(dlviz_network_evaluate(network, four, &without, NULL));
    ck_assert_double_eq_tol(loss, without, 1e-14);
    dlviz_tensor_destroy(weights);
    dlviz_tensor_destroy(targets);
    dlviz_dataset_destroy(four);
    dlviz_dataset_destroy(set);
    dlviz_network_destroy(network);
}
END_TEST

/* By hand, on the same samples, it is what a dataset with these weights has. */
START_TEST(samples_are_weighted_by_hand) {
    dlviz_network *network = network_with("4", "fc:linear,out=3", dlviz_mse());
    dlviz_dataset *set = numbers(5, 4, 3, false);
    dlviz_tensor *inputs, *targets, *weights, *first, *second;
    int64_t five = 5, four = 4;
    const float values[] = {0.5f, 0, 2, 1, 0.25f};
    double loss, evaluated, alike, none;
    ck_ok(dlviz_dataset_samples(set, 0, 5, &inputs));
    ck_ok(dlviz_dataset_targets(set, 0, 5, &targets));
    ck_ok(dlviz_tensor_from_data(&weights, DLVIZ_FLOAT32, 1, &five, values));
    ck_ok(dlviz_dataset_set_weights(set, weights));
    ck_ok(dlviz_network_evaluate(network, set, &evaluated, NULL));
    ck_ok(dlviz_network_backward_weighted(network, inputs, targets, weights, 1, 1, &loss));
    ck_assert_double_eq(loss, evaluated);
    ck_ok(dlviz_network_get_gradient(network, "fc.bias", &first));
    /* The gradient is the mean of the samples' own, by these weights. */
    double sums[3] = {0};
    for (int64_t i = 0; i < 5; i++) {
        dlviz_tensor *x, *t;
        ck_ok(dlviz_tensor_slice(inputs, i, 1, &x));
        ck_ok(dlviz_tensor_slice(targets, i, 1, &t));
        ck_ok(dlviz_network_backward(network, x, t, 1, 1, NULL));
        ck_ok(dlviz_network_get_gradient(network, "fc.bias", &second));
        for (int j = 0; j < 3; j++)
            sums[j] += (double)values[i] * (double)dlviz_tensor_const_float(second)[j] / 3.75;
        dlviz_tensor_destroy(second);
        dlviz_tensor_destroy(x);
        dlviz_tensor_destroy(t);
    }
    for (int j = 0; j < 3; j++)
        ck_assert_double_eq_tol((double)dlviz_tensor_const_float(first)[j], sums[j], 1e-6);
    ck_ok(dlviz_network_backward_weighted(network, inputs, targets, NULL, 1, 1, &none));
    ck_ok(dlviz_network_backward(network, inputs, targets, 1, 1, &alike));
    ck_assert_double_eq(none, alike);
    ck_assert_double_ne(none, loss);
    ((float *)dlviz_tensor_data(weights))[3] = -1;
    ck_fails(dlviz_network_backward_weighted(network, inputs, targets, weights, 1, 1, &loss),
             INVALID, "weight 3 is -1");
    ck_assert(isnan(loss));
    dlviz_tensor_destroy(weights);
    ck_ok(dlviz_tensor_create(&weights, DLVIZ_FLOAT32, 1, &four));
    ck_fails(dlviz_network_backward_weighted(network, inputs, targets, weights, 1, 1, &loss),
             DLVIZ_ERROR_SHAPE, "'weights' is float32 4, needs float32 5");
    dlviz_tensor *all[] = {inputs, targets, weights, first};
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_dataset_destroy(set);
    dlviz_network_destroy(network);
}
END_TEST

/* -- What is not finite --------------------------------------------------------------------------
 */

START_TEST(the_sample_with_a_nan_is_named) {
    for (int in_targets = 0; in_targets < 2; in_targets++) {
        dlviz_tensor *samples, *targets, *gradient;
        dlviz_dataset *set;
        ck_ok(dlviz_tensor_create(&samples, DLVIZ_FLOAT32, 2, (int64_t[]){80, 4}));
        ck_ok(dlviz_tensor_create(&targets, DLVIZ_FLOAT32, 2, (int64_t[]){80, 2}));
        ((float *)dlviz_tensor_data(in_targets ? targets : samples))[in_targets ? 141 : 281] = NAN;
        ck_ok(dlviz_dataset_create(&set, samples, targets));
        dlviz_network *network = network_with("4", "fc:linear,out=2", dlviz_mse());
        const char *words = in_targets ? "NaN in the targets of sample 70 (number 1 of 0 to 1)"
                                       : "NaN in sample 70 (number 1 of 0 to 3)";
        double loss;
        ck_fails(dlviz_network_evaluate(network, set, &loss, NULL), DLVIZ_ERROR_NUMERIC, words);
        ck_fails(dlviz_network_backward(network, samples, targets, 0, 0, &loss),
                 DLVIZ_ERROR_NUMERIC, words);
        ck_fails(dlviz_network_get_gradient(network, "fc.weight", &gradient), DLVIZ_ERROR_STATE,
                 "no gradients");
        dlviz_optimizer *sgd;
        dlviz_trainer *trainer;
        ck_ok(dlviz_sgd_create(&sgd, 0.1));
        ck_ok(dlviz_trainer_create(&trainer, network, sgd));
        ck_fails(dlviz_trainer_fit(trainer, set, 1), DLVIZ_ERROR_NUMERIC, words);
        ck_assert(isfinite(dlviz_trainer_current(trainer, "train_loss")) ||
                  dlviz_trainer_batches_done(trainer) == 0);
        dlviz_trainer_destroy(trainer);
        dlviz_optimizer_destroy(sgd);
        dlviz_network_destroy(network);
        dlviz_dataset_destroy(set);
        dlviz_tensor_destroy(samples);
        dlviz_tensor_destroy(targets);
    }
}
END_TEST

/* -- The user's own ------------------------------------------------------------------------------
 */

typedef struct own {
    int calls, destroyed;
    dlviz_status status;
    const char *sentence; /* for the failure; NULL: it leaves none */
} own;

/* The mean of the fourth powers of errors. */
static dlviz_status fourth(const dlviz_loss_pass *pass, void *user) {
    own *o = user;
    const dlviz_tensor *outputs = dlviz_loss_pass_outputs(pass);
    const dlviz_tensor *targets = dlviz_loss_pass_targets(pass);
    dlviz_tensor *gradient = dlviz_loss_pass_gradient(pass);
    double *losses = dlviz_loss_pass_losses(pass);
    int64_t n = dlviz_tensor_dims(outputs)[0], size = dlviz_tensor_num_elements(outputs) / n;
    const float *x = dlviz_tensor_const_float(outputs), *t = dlviz_tensor_const_float(targets);
    ck_assert_int_eq(dlviz_loss_pass_num_samples(pass), n);
    ck_assert_ptr_null(dlviz_loss_pass_metric(pass, 0));
    o->calls++;
    for (int64_t i = 0; i < n; i++) {
        ck_assert_double_eq(losses[i], 0);
        for (int64_t j = 0; j < size; j++) {
            double error = (double)x[i * size + j] - (double)t[i * size + j];
            losses[i] += pow(error, 4) / (double)size;
            if (gradient)
                ((float *)dlviz_tensor_data(gradient))[i * size + j] =
                    (float)(4 * pow(error, 3) / (double)size);
        }
    }
    return o->sentence ? dlviz_fail(o->status, "%s", o->sentence) : o->status;
}

static void count_end(void *user) {
    ((own *)user)->destroyed++;
}

static dlviz_loss *fourth_powers(own *o) {
    dlviz_loss_functions functions = {
        .struct_size = sizeof functions, .name = "fourth", .value = fourth, .destroy = count_end};
    return dlviz_loss_custom(&functions, o);
}

/* The derivative along a direction, by central differences of the loss in evaluation. */
START_TEST(the_users_own_loss) {
    own o = {0};
    net_spec spec;
    parse_net(&spec, "2x3x4", "c:conv,out=3,k=3,pad=same");
    dlviz_network *network = build_net(&spec, 1);
    fill_states(network, 1, false);
    ck_ok(dlviz_network_set_loss(network, fourth_powers(&o)));
    ck_assert_str_eq(dlviz_loss_name(dlviz_network_loss(network)), "fourth");
    ck_assert_int_eq(dlviz_loss_num_metrics(dlviz_network_loss(network)), 0);
    dlviz_tensor *inputs = input_tensor(&spec, 5, 3, false), *targets, *weights, *gradient, *w;
    dlviz_dataset *set;
    int64_t five = 5;
    ck_ok(dlviz_tensor_create(&targets, DLVIZ_FLOAT32, 4, (int64_t[]){5, 3, 3, 4}));
    ck_ok(dlviz_tensor_create(&weights, DLVIZ_FLOAT32, 1, &five));
    fill_uniform(dlviz_tensor_data(targets), 180, 4);
    for (int i = 0; i < 5; i++)
        ((float *)dlviz_tensor_data(weights))[i] = 1;
    ck_ok(dlviz_dataset_create(&set, inputs, targets));
    ck_ok(dlviz_dataset_set_weights(set, weights));
    double loss, low, high, metric = 0;
    ck_ok(dlviz_network_backward(network, inputs, targets, 0, 0, &loss));
    ck_ok(dlviz_network_evaluate(network, set, &low, &metric));
    ck_assert_double_eq(low, loss);
    ck_assert(isnan(metric));
    ck_ok(dlviz_network_get_gradient(network, "c.weight", &gradient));
    ck_ok(dlviz_network_get_state(network, "c.weight", &w));
    int64_t count = dlviz_tensor_num_elements(w);
    float *direction = malloc((size_t)count * sizeof *direction);
    fill_uniform(direction, count, 5);
    double slope = 0, step = 1e-3;
    for (int64_t i = 0; i < count; i++)
        slope += (double)direction[i] * (double)dlviz_tensor_const_float(gradient)[i];
    for (int side = -1; side <= 1; side += 2) {
        dlviz_tensor *moved;
        ck_ok(dlviz_tensor_copy(w, &moved));
        for (int64_t i = 0; i < count; i++)
            ((float *)dlviz_tensor_data(moved))[i] += (float)(side * step * (double)direction[i]);
        ck_ok(dlviz_network_set_state(network, "c.weight", moved));
        ck_ok(dlviz_network_evaluate(network, set, side < 0 ? &low : &high, NULL));
        dlviz_tensor_destroy(moved);
    }
    ck_assert_double_eq_tol((high - low) / (2 * step), slope, 2e-4 * fabs(slope));
    /* Whose failure ends the call. */
    o.status = DLVIZ_ERROR_UNSUPPORTED;
    ck_fails(dlviz_network_evaluate(network, set, &loss, NULL), DLVIZ_ERROR_UNSUPPORTED,
             "fourth returned 'unsupported' without a sentence");
    o.sentence = "powers above 3 cost extra";
    ck_fails(dlviz_network_backward(network, inputs, targets, 0, 0, NULL), DLVIZ_ERROR_UNSUPPORTED,
             "fourth: powers above 3 cost extra");
    o.sentence = NULL;
    o.status = (dlviz_status)999;
    ck_fails(dlviz_network_evaluate(network, set, &loss, NULL), INVALID, "999");
    ck_assert_int_eq(o.destroyed, 0);
    ck_ok(dlviz_network_set_loss(network, dlviz_mse()));
    ck_assert_int_eq(o.destroyed, 1);
    free(direction);
    dlviz_tensor_destroy(w);
    dlviz_tensor_destroy(gradient);
    dlviz_tensor_destroy(weights);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(targets);
    dlviz_dataset_destroy(set);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(a_table_of_functions_is_checked) {
    own o = {0};
    dlviz_loss_functions f = {.struct_size = sizeof f, .name = "x", .value = fourth};
    dlviz_network *network = net_from_text("3", "fc:linear,out=2");
    ck_fails(dlviz_network_set_loss(network, dlviz_loss_custom(NULL, NULL)), INVALID, "functions");
    f.struct_size = 8;
    ck_fails(dlviz_network_set_loss(network, dlviz_loss_custom(&f, &o)), INVALID, "struct_size");
    struct {
        dlviz_loss_functions known;
        void *later;
    } longer = {{.struct_size = sizeof longer, .name = "x", .value = fourth, .destroy = count_end},
                &o};
    ck_fails(dlviz_network_set_loss(network, dlviz_loss_custom(&longer.known, &o)), INVALID,
             "functions beyond");
    ck_assert_int_eq(o.destroyed, 1); /* the user's data are given up all the same */
    longer.later = NULL;
    dlviz_loss_destroy(dlviz_loss_custom(&longer.known, &o));
    ck_assert_int_eq(o.destroyed, 2);
    longer.known.name = "";
    dlviz_loss_destroy(dlviz_loss_custom(&longer.known, &o));
    ck_assert_int_eq(o.destroyed, 3);
    f.struct_size = sizeof f;
    f.name = "";
    ck_fails(dlviz_network_set_loss(network, dlviz_loss_custom(&f, &o)), INVALID, "name");
    f.name = "x";
    f.value = NULL;
    ck_fails(dlviz_network_set_loss(network, dlviz_loss_custom(&f, &o)), INVALID, "value");
    dlviz_network_destroy(network);
}
END_TEST

/* -- Figures -------------------------------------------------------------------------------------
 */

static double largest(const dlviz_tensor *outputs, const dlviz_tensor *targets, void *user) {
    double most = -INFINITY;
    ck_assert_int_eq(dlviz_tensor_num_elements(outputs), dlviz_tensor_num_elements(targets));
    for (int64_t i = 0; i < dlviz_tensor_num_elements(outputs); i++)
        most = fmax(most, (double)dlviz_tensor_const_float(outputs)[i]);
    ++*(int *)user;
    return most;
}

typedef struct training {
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    dlviz_dataset *set;
} training;

static training start(dlviz_loss *loss, int *calls) {
    training t = {.network = network_with("4", "fc:linear,out=3", loss),
                  .set = numbers(70, 4, 3, true)};
    ck_ok(dlviz_adam_create(&t.optimizer, 0.01));
    ck_ok(dlviz_trainer_create(&t.trainer, t.network, t.optimizer));
    ck_ok(dlviz_trainer_set_batch_size(t.trainer, 16));
    ck_ok(dlviz_trainer_set_validation(t.trainer, t.set));
    if (calls)
        ck_ok(dlviz_trainer_add_metric(t.trainer, "largest", largest, calls));
    return t;
}

static void stop(training *t) {
    dlviz_trainer_destroy(t->trainer);
    dlviz_optimizer_destroy(t->optimizer);
    dlviz_network_destroy(t->network);
    dlviz_dataset_destroy(t->set);
}

START_TEST(figures_follow_the_loss) {
    static const char *const names[] = {"learning_rate",
                                        "train_loss",
                                        "train_mae",
                                        "train_r2",
                                        "validation_loss",
                                        "validation_mae",
                                        "validation_r2",
                                        "validation_largest",
                                        "seconds",
                                        "samples_per_second",
                                        NULL};
    int calls = 0;
    training t = start(dlviz_mse(), &calls);
    for (int i = 0; i <= 10; i++)
        if (names[i])
            ck_assert_str_eq(dlviz_trainer_figure_name(t.trainer, i), names[i]);
        else
            ck_assert_ptr_null(dlviz_trainer_figure_name(t.trainer, i));
    ck_assert_int_eq(dlviz_trainer_num_figures(t.trainer), 10);
    ck_fails(dlviz_trainer_add_metric(t.trainer, "largest", largest, &calls), INVALID, "already");
    ck_fails(dlviz_trainer_add_metric(t.trainer, "r2", largest, &calls), INVALID, "already");
    ck_fails(dlviz_trainer_add_metric(t.trainer, "a,b", largest, &calls), INVALID, "a,b");
    ck_ok(dlviz_trainer_fit(t.trainer, t.set, 2));
    ck_fails(dlviz_trainer_add_metric(t.trainer, "b", largest, &calls), DLVIZ_ERROR_STATE, "begun");
    double loss, mae, r2;
    ck_ok(dlviz_network_evaluate(t.network, t.set, &loss, &mae));
    ck_ok(dlviz_network_measure(t.network, t.set, "r2", &r2));
    ck_assert_double_eq(dlviz_trainer_history(t.trainer, 1, "validation_loss"), loss);
    ck_assert_double_eq(dlviz_trainer_history(t.trainer, 1, "validation_mae"), mae);
    ck_assert_double_eq(dlviz_trainer_history(t.trainer, 1, "validation_r2"), r2);
    ck_assert_int_eq(calls, 2);
    ck_assert(isfinite(dlviz_trainer_history(t.trainer, 1, "validation_largest")));
    ck_assert(isnan(dlviz_trainer_history(t.trainer, 1, "validation_accuracy")));
    ck_assert(isnan(dlviz_trainer_history(t.trainer, 2, "train_loss")));
    char line[200];
    ck_ok(dlviz_trainer_write_history(t.trainer, scratch_path("history.csv")));
    FILE *file = fopen(scratch_path("history.csv"), "r");
    ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
    fclose(file);
    ck_assert_str_eq(line, "epoch,lr,train_loss,train_mae,train_r2,validation_loss,validation_mae,"
                           "validation_r2,validation_largest,seconds\n");
    ck_assert_int_eq(dlviz_trainer_batch_size(t.trainer), 16);
    ck_assert_uint_eq(dlviz_trainer_seed(t.trainer), 0);
    ck_assert_ptr_eq(dlviz_trainer_validation(t.trainer), t.set);
    ck_assert_ptr_null(dlviz_trainer_schedule(t.trainer));
    stop(&t);
}
END_TEST

static bool stop_after_seven(const dlviz_trainer_event *event, void *user) {
    (void)event;
    return ++*(int *)user != 7;
}

/* Broken off within an epoch, and gone on in another trainer, to the bit; with the sums of R². */
START_TEST(checkpoints_know_the_loss) {
    const char *path = scratch_path("checkpoint");
    int calls = 0, batches = 0;
    training whole = start(dlviz_huber(0.5), &calls), broken = start(dlviz_huber(0.5), &calls);
    ck_ok(dlviz_trainer_fit(whole.trainer, whole.set, 3));
    ck_ok(dlviz_trainer_set_batch_callback(broken.trainer, stop_after_seven, &batches));
    ck_stops(broken.trainer, broken.set, 3);
    ck_ok(dlviz_trainer_save_checkpoint(broken.trainer, path));
    training next = start(dlviz_huber(0.5), &calls);
    ck_ok(dlviz_trainer_load_checkpoint(next.trainer, path));
    ck_ok(dlviz_trainer_fit(next.trainer, next.set, 2));
    static const char *const names[] = {"train_loss", "train_r2", "validation_loss",
                                        "validation_largest"};
    for (int e = 0; e < 3; e++)
        for (int i = 0; i < 4; i++)
            ck_assert_double_eq(dlviz_trainer_history(whole.trainer, e, names[i]),
                                dlviz_trainer_history(next.trainer, e, names[i]));
    training delta = start(dlviz_huber(0.25), &calls), other = start(dlviz_mse(), &calls);
    training without = start(dlviz_huber(0.5), NULL);
    ck_fails(dlviz_trainer_load_checkpoint(delta.trainer, path), DLVIZ_ERROR_FORMAT,
             "loss: delta is 0.5 in the file and 0.25 here");
    ck_fails(dlviz_trainer_load_checkpoint(other.trainer, path), DLVIZ_ERROR_FORMAT, "loss: ");
    ck_fails(dlviz_trainer_load_checkpoint(without.trainer, path), DLVIZ_ERROR_FORMAT, "metrics");
    stop(&whole);
    stop(&broken);
    stop(&next);
    stop(&delta);
    stop(&other);
    stop(&without);
}
END_TEST

/* -- Threads -------------------------------------------------------------------------------------
 */

static void *use_meanwhile(void *user) {
    training *t = user;
    double loss;
    dlviz_tensor *outputs, *state;
    ck_fails(dlviz_network_evaluate(t->network, t->set, &loss, NULL), DLVIZ_ERROR_STATE,
             "the network is in use by another thread");
    ck_fails(dlviz_network_predict(t->network, t->set, &outputs), DLVIZ_ERROR_STATE, "network");
    ck_fails(dlviz_network_features(t->network, "fc", t->set, &outputs), DLVIZ_ERROR_STATE,
             "network");
    ck_fails(dlviz_network_get_state(t->network, "fc.weight", &state), DLVIZ_ERROR_STATE,
             "network");
    ck_fails(dlviz_network_save(t->network, scratch_path("net")), DLVIZ_ERROR_STATE, "network");
    ck_fails(dlviz_network_load(t->network, scratch_path("net")), DLVIZ_ERROR_STATE, "network");
    ck_fails(dlviz_trainer_fit(t->trainer, t->set, 1), DLVIZ_ERROR_STATE,
             "the trainer is in use by another thread");
    ck_fails(dlviz_trainer_set_seed(t->trainer, 1), DLVIZ_ERROR_STATE, "trainer");
    ck_fails(dlviz_optimizer_step(t->optimizer, t->network), DLVIZ_ERROR_STATE, "optimizer");
    ck_fails(dlviz_optimizer_set_learning_rate(t->optimizer, 1), DLVIZ_ERROR_STATE, "optimizer");
    return NULL;
}

static bool look_around(const dlviz_trainer_event *event, void *user) {
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    training *t = user;
    dlviz_tensor *outputs;
    double loss;
    ck_ok(dlviz_network_predict(t->network, t->set, &outputs));
    dlviz_tensor_destroy(outputs);
    ck_ok(dlviz_network_evaluate(t->network, t->set, &loss, NULL));
    ck_ok(dlviz_network_save(t->network, scratch_path("net")));
    ck_fails(dlviz_trainer_fit(trainer, t->set, 1), DLVIZ_ERROR_STATE, "callback");
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, use_meanwhile, t), 0);
    pthread_join(thread, NULL);
    return true;
}

START_TEST(a_second_thread_is_refused) {
    training t = start(dlviz_mse(), NULL);
    ck_ok(dlviz_trainer_set_epoch_callback(t.trainer, look_around, &t));
    ck_ok(dlviz_trainer_fit(t.trainer, t.set, 2));
    double loss;
    ck_ok(dlviz_network_evaluate(t.network, t.set, &loss, NULL)); /* free again */
    stop(&t);
}
END_TEST

START_TEST(bits_do_not_depend_on_threads) {
    static const int threads[] = {1, 2, 3, 8};
    double losses[4];
    for (int i = 0; i < 4; i++) {
        ck_ok(dlviz_set_num_threads(threads[i]));
        training t = start(dlviz_huber(0.5), NULL);
        ck_ok(dlviz_trainer_fit(t.trainer, t.set, 3));
        losses[i] = dlviz_trainer_history(t.trainer, 2, "train_loss");
        ck_assert(losses[i] == losses[0]);
        stop(&t);
    }
}
END_TEST

/* -- Memory --------------------------------------------------------------------------------------
 */

static dlviz_status hand_over(training *t, dlviz_loss *loss) {
    return loss ? dlviz_network_set_loss(t->network, loss) : DLVIZ_ERROR_OUT_OF_MEMORY;
}

static dlviz_status make_set(training *t) {
    dlviz_tensor *samples = NULL, *targets = NULL;
    dlviz_status status = dlviz_tensor_create(&samples, DLVIZ_FLOAT32, 4, (int64_t[]){70, 1, 2, 2});
    if (status == DLVIZ_OK)
        status = dlviz_tensor_create(&targets, DLVIZ_FLOAT32, 4, (int64_t[]){70, 3, 2, 2});
    for (int i = 0; status == DLVIZ_OK && i < 840; i += 2)
        ((float *)dlviz_tensor_data(targets))[i] = 1;
    if (status == DLVIZ_OK)
        status = dlviz_dataset_create(&t->set, samples, targets);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(targets);
    return status;
}

static dlviz_status use_losses(training *t, own *o) {
    double value;
    int calls = 0;
    TRY(make_set(t));
    TRY(dlviz_network_create(&t->network, 3, (int64_t[]){1, 2, 2}));
    TRY(dlviz_network_add(t->network, "c", dlviz_conv2d(3, 1, 0)));
    TRY(dlviz_network_build(t->network, 1));
    dlviz_loss *loss = dlviz_bce_with_logits();
    if (loss && dlviz_bce_with_logits_set_positive_weights(loss, 3, (const double[]){1, 2, 3})) {
        dlviz_loss_destroy(loss);
        return DLVIZ_ERROR_OUT_OF_MEMORY;
    }
    TRY(hand_over(t, loss));
    TRY(dlviz_network_measure(t->network, t->set, "auc", &value));
    TRY(hand_over(t, fourth_powers(o)));
    TRY(dlviz_network_evaluate(t->network, t->set, &value, NULL));
    TRY(dlviz_sgd_create(&t->optimizer, 0.01));
    TRY(dlviz_trainer_create(&t->trainer, t->network, t->optimizer));
    TRY(dlviz_trainer_add_metric(t->trainer, "largest", largest, &calls));
    TRY(dlviz_trainer_set_validation(t->trainer, t->set));
    TRY(dlviz_trainer_fit(t->trainer, t->set, 1));
    TRY(dlviz_trainer_save_checkpoint(t->trainer, scratch_path("memory")));
    return dlviz_trainer_load_checkpoint(t->trainer, scratch_path("memory"));
}

static dlviz_status work(void *context) {
    training t = {0};
    dlviz_status status = use_losses(&t, context);
    stop(&t);
    return status;
}

START_TEST(every_allocation_may_fail) {
    own o = {0};
    int64_t failed = fail_each_allocation(work, &o);
    printf("%lld allocations failed in turn\n", (long long)failed);
    ck_assert_int_gt(failed, 100);
}
END_TEST

int main(void) {
    return run_tests(
        "losses",
        (const TTest *[]){
            settings_are_got_and_checked, targets_must_fit_the_loss, a_dataset_is_one_mean,
            weights_of_any_size_give_their_mean, nothing_to_learn_is_zero,
            a_sample_of_weight_zero_counts_for_nothing, samples_are_weighted_by_hand,
            the_sample_with_a_nan_is_named, the_users_own_loss, a_table_of_functions_is_checked,
            figures_follow_the_loss, checkpoints_know_the_loss, a_second_thread_is_refused,
            bits_do_not_depend_on_threads, every_allocation_may_fail, NULL});
}
