/* What is set can be got, after the defaults that the headers promise; of several values each alone
 * as well. */
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

START_TEST(of_a_pca) {
    dlviz_pca *pca;
    int64_t oversampling, iterations;
    ck_ok(dlviz_pca_create(&pca, 7));
    ck_assert_int_eq(dlviz_pca_num_wanted(pca), 7);
    ck_assert_double_eq(dlviz_pca_variance_fraction(pca), 0);
    ck_assert_int_eq(dlviz_pca_solver(pca), DLVIZ_PCA_SOLVER_AUTO);
    ck_assert(!dlviz_pca_whiten(pca));
    ck_assert_uint_eq(dlviz_pca_seed(pca), 0);
    dlviz_pca_randomized(pca, &oversampling, &iterations);
    ck_assert_int_eq(oversampling, 10);
    ck_assert_int_eq(iterations, 0);
    ck_ok(dlviz_pca_set_variance_fraction(pca, 0.75));
    ck_ok(dlviz_pca_set_solver(pca, DLVIZ_PCA_SOLVER_SVD));
    ck_ok(dlviz_pca_set_whiten(pca, true));
    ck_ok(dlviz_pca_set_seed(pca, UINT64_MAX));
    ck_ok(dlviz_pca_set_randomized(pca, 20, 30));
    ck_assert_double_eq(dlviz_pca_variance_fraction(pca), 0.75);
    ck_assert_int_eq(dlviz_pca_solver(pca), DLVIZ_PCA_SOLVER_SVD);
    ck_assert(dlviz_pca_whiten(pca));
    ck_assert(dlviz_pca_seed(pca) == UINT64_MAX);
    dlviz_pca_randomized(pca, &oversampling, NULL);
    dlviz_pca_randomized(pca, NULL, &iterations);
    ck_assert_int_eq(oversampling, 20);
    ck_assert_int_eq(iterations, 30);
    ck_ok(dlviz_pca_set_num_wanted(pca, 0));
    ck_assert_int_eq(dlviz_pca_num_wanted(pca), 0);
    ck_assert_double_eq(dlviz_pca_variance_fraction(pca), 0); /* undone */
    dlviz_pca_destroy(pca);
}
END_TEST

typedef void (*pair_getter)(const dlviz_tsne *tsne, double *value, int64_t *count);

static void expect_pair(const dlviz_tsne *tsne, pair_getter get, double value, int64_t count) {
    double got;
    int64_t got_count;
    get(tsne, &got, NULL);
    get(tsne, NULL, &got_count);
    ck_assert_double_eq(got, value);
    ck_assert_int_eq(got_count, count);
}

START_TEST(of_a_tsne) {
    dlviz_tsne *tsne;
    double early, late;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_assert_int_eq(dlviz_tsne_num_dimensions(tsne), 2);
    ck_assert_double_eq(dlviz_tsne_perplexity(tsne), 30);
    ck_assert_int_eq(dlviz_tsne_num_perplexities(tsne), 1);
    ck_assert_int_eq(dlviz_tsne_distance(tsne), DLVIZ_TSNE_DISTANCE_EUCLIDEAN);
    ck_assert_int_eq(dlviz_tsne_init(tsne), DLVIZ_TSNE_INIT_PCA);
    ck_assert_int_eq(dlviz_tsne_num_iterations(tsne), 1000);
    expect_pair(tsne, dlviz_tsne_early_exaggeration, 12, 250);
    expect_pair(tsne, dlviz_tsne_late_exaggeration, 1, 0);
    expect_pair(tsne, dlviz_tsne_stopping, 0, 0);
    dlviz_tsne_momentum(tsne, &early, &late);
    ck_assert(early == 0.5 && late == 0.8);
    ck_assert_double_eq(dlviz_tsne_learning_rate(tsne), 0);
    ck_assert_int_eq(dlviz_tsne_method(tsne), DLVIZ_TSNE_METHOD_AUTO);
    ck_assert_double_eq(dlviz_tsne_degrees_of_freedom(tsne), 1);
    ck_assert_double_eq(dlviz_tsne_angle(tsne), 0.5);
    ck_assert_double_eq(dlviz_tsne_cell_size(tsne), 0);
    ck_assert_uint_eq(dlviz_tsne_seed(tsne), 0);
    ck_assert_ptr_null(dlviz_tsne_initial_map(tsne));
    ck_assert_double_eq(dlviz_tsne_transform_perplexity(tsne), 5);
    ck_assert_int_eq(dlviz_tsne_num_transform_iterations(tsne), 250);
    ck_assert_double_eq(dlviz_tsne_transform_learning_rate(tsne), 0.1);
    ck_assert_double_eq(dlviz_tsne_transform_exaggeration(tsne), 1.5);

    ck_ok(dlviz_tsne_set_num_dimensions(tsne, 3));
    ck_ok(dlviz_tsne_set_perplexities(tsne, 2, (double[]){40, 50}));
    ck_ok(dlviz_tsne_set_perplexities(tsne, 2, dlviz_tsne_perplexities(tsne))); /* its own */
    ck_ok(dlviz_tsne_set_distance(tsne, DLVIZ_TSNE_DISTANCE_COSINE));
    ck_ok(dlviz_tsne_set_init(tsne, DLVIZ_TSNE_INIT_RANDOM));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, INT32_MAX));
    ck_ok(dlviz_tsne_set_early_exaggeration(tsne, 2, 3));
    ck_ok(dlviz_tsne_set_late_exaggeration(tsne, 4, 5));
    ck_ok(dlviz_tsne_set_stopping(tsne, 6, 7));
    ck_ok(dlviz_tsne_set_momentum(tsne, 0.125, 0.25));
    ck_ok(dlviz_tsne_set_learning_rate(tsne, 8));
    ck_ok(dlviz_tsne_set_method(tsne, DLVIZ_TSNE_METHOD_BARNES_HUT));
    ck_ok(dlviz_tsne_set_degrees_of_freedom(tsne, 9));
    ck_ok(dlviz_tsne_set_angle(tsne, 0.75));
    ck_ok(dlviz_tsne_set_cell_size(tsne, 0.375));
    ck_ok(dlviz_tsne_set_seed(tsne, UINT64_MAX));
    ck_ok(dlviz_tsne_set_transform_perplexity(tsne, 10));
    ck_ok(dlviz_tsne_set_num_transform_iterations(tsne, 11));
    ck_ok(dlviz_tsne_set_transform_learning_rate(tsne, 12));
    ck_ok(dlviz_tsne_set_transform_exaggeration(tsne, 13));
    dlviz_tensor *map;
    ck_ok(dlviz_tensor_from_data(&map, DLVIZ_FLOAT32, 2, (int64_t[]){2, 1}, (float[]){1, 2}));
    ck_ok(dlviz_tsne_set_initial_map(tsne, map));
    dlviz_tensor_destroy(map);
    ck_ok(dlviz_tsne_set_initial_map(tsne, dlviz_tsne_initial_map(tsne))); /* its own */

    ck_assert_int_eq(dlviz_tsne_num_dimensions(tsne), 3);
    ck_assert_int_eq(dlviz_tsne_num_perplexities(tsne), 2);
    ck_assert_double_eq(dlviz_tsne_perplexity(tsne), 40);
    ck_assert_double_eq(dlviz_tsne_perplexities(tsne)[1], 50);
    ck_assert_int_eq(dlviz_tsne_distance(tsne), DLVIZ_TSNE_DISTANCE_COSINE);
    ck_assert_int_eq(dlviz_tsne_init(tsne), DLVIZ_TSNE_INIT_RANDOM);
    ck_assert_int_eq(dlviz_tsne_num_iterations(tsne), INT32_MAX);
    expect_pair(tsne, dlviz_tsne_early_exaggeration, 2, 3);
    expect_pair(tsne, dlviz_tsne_late_exaggeration, 4, 5);
    expect_pair(tsne, dlviz_tsne_stopping, 6, 7);
    dlviz_tsne_momentum(tsne, &early, NULL);
    dlviz_tsne_momentum(tsne, NULL, &late);
    ck_assert(early == 0.125 && late == 0.25);
    ck_assert_double_eq(dlviz_tsne_learning_rate(tsne), 8);
    ck_assert_int_eq(dlviz_tsne_method(tsne), DLVIZ_TSNE_METHOD_BARNES_HUT);
    ck_assert_double_eq(dlviz_tsne_degrees_of_freedom(tsne), 9);
    ck_assert_double_eq(dlviz_tsne_angle(tsne), 0.75);
    ck_assert_double_eq(dlviz_tsne_cell_size(tsne), 0.375);
    ck_assert(dlviz_tsne_seed(tsne) == UINT64_MAX);
    ck_assert_float_eq(dlviz_tensor_const_float(dlviz_tsne_initial_map(tsne))[1], 2);
    ck_assert_double_eq(dlviz_tsne_transform_perplexity(tsne), 10);
    ck_assert_int_eq(dlviz_tsne_num_transform_iterations(tsne), 11);
    ck_assert_double_eq(dlviz_tsne_transform_learning_rate(tsne), 12);
    ck_assert_double_eq(dlviz_tsne_transform_exaggeration(tsne), 13);
    ck_fails(dlviz_tsne_set_num_iterations(tsne, INT32_MAX + INT64_C(1)),
             DLVIZ_ERROR_INVALID_ARGUMENT, "2147483648 iterations; 0 to 2147483647");
    dlviz_tsne_destroy(tsne);
}
END_TEST

START_TEST(of_a_fit_s_time) {
    dlviz_tsne *tsne;
    dlviz_tensor *points, *map;
    ck_ok(dlviz_tensor_create(&points, DLVIZ_FLOAT32, 2, (const int64_t[]){200, 5}));
    fill_uniform(dlviz_tensor_float(points), 200 * 5, 1);
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 50));
    for (int stage = -1; stage <= 3; stage++)
        ck_assert_double_eq(dlviz_tsne_seconds(tsne, (dlviz_tsne_stage)stage), 0);
    ck_ok(dlviz_tsne_fit(tsne, points, &map));
    for (int stage = -1; stage <= 3; stage++) {
        double seconds = dlviz_tsne_seconds(tsne, (dlviz_tsne_stage)stage);
        ck_assert(stage >= 0 && stage < 3 ? seconds > 0 && seconds < 600 : seconds == 0);
    }
    ck_assert_double_eq(dlviz_tsne_seconds(NULL, DLVIZ_TSNE_STAGE_ITERATIONS), 0);
    dlviz_tsne_destroy(tsne);
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
}
END_TEST

START_TEST(of_optimizers) {
    dlviz_optimizer *adam, *adamw, *sgd, *rmsprop;
    double a, b;
    bool nesterov = true;
    ck_ok(dlviz_adam_create(&adam, 0.5));
    ck_ok(dlviz_adamw_create(&adamw, 0.5));
    ck_ok(dlviz_sgd_create(&sgd, 0.5));
    ck_ok(dlviz_rmsprop_create(&rmsprop, 0.5));
    dlviz_adam_betas(adam, &a, &b);
    ck_assert(a == 0.9 && b == 0.999 && dlviz_adam_eps(adam) == 1e-8);
    ck_assert(dlviz_optimizer_weight_decay(adam) == 0);
    ck_assert(dlviz_optimizer_weight_decay(adamw) == 0.01);
    dlviz_sgd_momentum(sgd, &a, &b, &nesterov);
    ck_assert(a == 0 && b == 0 && !nesterov);
    dlviz_rmsprop_smoothing(rmsprop, &a, &b);
    ck_assert(a == 0.99 && b == 1e-8);

    ck_ok(dlviz_adam_set_betas(adamw, 0.25, 0.75));
    ck_ok(dlviz_adam_set_eps(adamw, 0.125));
    ck_ok(dlviz_sgd_set_momentum(sgd, 0.5, 0, true));
    ck_ok(dlviz_rmsprop_set_smoothing(rmsprop, 0.375, 0.625));
    ck_ok(dlviz_optimizer_set_weight_decay(sgd, 2));
    ck_ok(dlviz_optimizer_set_learning_rate(sgd, 3));
    dlviz_adam_betas(adamw, &a, NULL);
    dlviz_adam_betas(adamw, NULL, &b);
    ck_assert(a == 0.25 && b == 0.75 && dlviz_adam_eps(adamw) == 0.125);
    dlviz_sgd_momentum(sgd, &a, NULL, NULL);
    dlviz_sgd_momentum(sgd, NULL, &b, &nesterov);
    ck_assert(a == 0.5 && b == 0 && nesterov);
    dlviz_rmsprop_smoothing(rmsprop, &a, NULL);
    dlviz_rmsprop_smoothing(rmsprop, NULL, &b);
    ck_assert(a == 0.375 && b == 0.625);
    ck_assert(dlviz_optimizer_weight_decay(sgd) == 2 && dlviz_optimizer_learning_rate(sgd) == 3);

    /* Of another kind there is nothing to get. */
    dlviz_adam_betas(sgd, &a, &b);
    ck_assert(isnan(a) && isnan(b) && isnan(dlviz_adam_eps(rmsprop)));
    dlviz_sgd_momentum(adam, &a, &b, &nesterov);
    ck_assert(isnan(a) && isnan(b) && !nesterov);
    dlviz_rmsprop_smoothing(adamw, &a, &b);
    ck_assert(isnan(a) && isnan(b));
    ck_assert(dlviz_rmsprop_momentum(rmsprop) == 0 && !dlviz_rmsprop_centered(rmsprop));
    ck_ok(dlviz_rmsprop_set_momentum(rmsprop, 0.5));
    ck_ok(dlviz_rmsprop_set_centered(rmsprop, true));
    ck_assert(dlviz_rmsprop_momentum(rmsprop) == 0.5 && dlviz_rmsprop_centered(rmsprop));
    ck_assert(isnan(dlviz_rmsprop_momentum(sgd)) && !dlviz_rmsprop_centered(sgd));
    dlviz_optimizer_destroy(adam);
    dlviz_optimizer_destroy(adamw);
    dlviz_optimizer_destroy(sgd);
    dlviz_optimizer_destroy(rmsprop);
}
END_TEST

START_TEST(of_adams_relatives) {
    dlviz_optimizer *adam, *nadam, *radam, *lion;
    double a, b;
    ck_ok(dlviz_adam_create(&adam, 0.5));
    ck_ok(dlviz_nadam_create(&nadam, 0.5));
    ck_ok(dlviz_radam_create(&radam, 0.5));
    ck_ok(dlviz_lion_create(&lion, 0.5));
    ck_assert(!dlviz_adam_amsgrad(adam) && !dlviz_adam_amsgrad(nadam));
    ck_ok(dlviz_adam_set_amsgrad(adam, true));
    ck_assert(dlviz_adam_amsgrad(adam));

    dlviz_nadam_betas(nadam, &a, &b);
    ck_assert(a == 0.9 && b == 0.999 && dlviz_nadam_eps(nadam) == 1e-8);
    ck_assert(dlviz_nadam_momentum_decay(nadam) == 4e-3);
    ck_ok(dlviz_nadam_set_betas(nadam, 0.25, 0.75));
    ck_ok(dlviz_nadam_set_eps(nadam, 0.125));
    ck_ok(dlviz_nadam_set_momentum_decay(nadam, 0.5));
    dlviz_nadam_betas(nadam, &a, NULL);
    dlviz_nadam_betas(nadam, NULL, &b);
    ck_assert(a == 0.25 && b == 0.75 && dlviz_nadam_eps(nadam) == 0.125);
    ck_assert(dlviz_nadam_momentum_decay(nadam) == 0.5);
    dlviz_nadam_betas(radam, &a, &b);
    ck_assert(isnan(a) && isnan(b) && isnan(dlviz_nadam_eps(lion)));
    ck_assert(isnan(dlviz_nadam_momentum_decay(radam)));

    dlviz_radam_betas(radam, &a, &b);
    ck_assert(a == 0.9 && b == 0.999 && dlviz_radam_eps(radam) == 1e-8);
    ck_ok(dlviz_radam_set_betas(radam, 0.25, 0.75));
    ck_ok(dlviz_radam_set_eps(radam, 0.125));
    dlviz_radam_betas(radam, &a, NULL);
    dlviz_radam_betas(radam, NULL, &b);
    ck_assert(a == 0.25 && b == 0.75 && dlviz_radam_eps(radam) == 0.125);
    dlviz_radam_betas(nadam, &a, &b);
    ck_assert(isnan(a) && isnan(b) && isnan(dlviz_radam_eps(nadam)));

    dlviz_lion_betas(lion, &a, &b);
    ck_assert(a == 0.9 && b == 0.99 && dlviz_optimizer_weight_decay(lion) == 0);
    ck_ok(dlviz_lion_set_betas(lion, 0.25, 0.75));
    dlviz_lion_betas(lion, &a, NULL);
    dlviz_lion_betas(lion, NULL, &b);
    ck_assert(a == 0.25 && b == 0.75);
    dlviz_lion_betas(adam, &a, &b);
    ck_assert(isnan(a) && isnan(b));
    dlviz_optimizer_destroy(adam);
    dlviz_optimizer_destroy(nadam);
    dlviz_optimizer_destroy(radam);
    dlviz_optimizer_destroy(lion);
}
END_TEST

START_TEST(of_a_schedule) {
    dlviz_schedule *s = dlviz_plateau(0.25, INT64_C(1) << 40);
    ck_assert(dlviz_plateau_factor(s) == 0.25 && dlviz_plateau_patience(s) == INT64_C(1) << 40);
    ck_assert(dlviz_plateau_threshold(s) == 1e-4 && dlviz_plateau_minimum(s) == 0);
    ck_assert_int_eq(dlviz_plateau_cooldown(s), 0);
    ck_ok(dlviz_plateau_set_threshold(s, 0.5));
    ck_ok(dlviz_plateau_set_cooldown(s, 6));
    ck_ok(dlviz_plateau_set_minimum(s, 7));
    ck_assert(dlviz_plateau_threshold(s) == 0.5 && dlviz_plateau_minimum(s) == 7);
    ck_assert_int_eq(dlviz_plateau_cooldown(s), 6);
    dlviz_schedule_destroy(s);
}
END_TEST

/* The getters of a kind, for a schedule that is, or is not, of it. */
static void get_reals(const dlviz_schedule *s, int count,
                      double (*const getters[])(const dlviz_schedule *), const double *values) {
    dlviz_schedule *other = dlviz_constant_rate();
    for (int i = 0; i < count; i++) {
        ck_assert_double_eq(getters[i](s), values[i]);
        ck_assert(isnan(getters[i](other)) && isnan(getters[i](NULL)));
    }
    dlviz_schedule_destroy(other);
}

#define GET_REALS(s, count, ...)                                                                   \
    get_reals(s, count, (double (*const[])(const dlviz_schedule *)){__VA_ARGS__},                  \
              (const double[]){0.5, 0.25, 0.125, 7, 9})

START_TEST(of_schedules) {
    dlviz_schedule *step = dlviz_step_decay(0.5, 0.25), *exponential = dlviz_exponential(0.5);
    double milestones[] = {1, 2, 2};
    dlviz_schedule *multistep = dlviz_multistep(3, milestones, 0.5);
    dlviz_schedule *cosine = dlviz_cosine(0.5), *polynomial = dlviz_polynomial(0.5, 0.25);
    dlviz_schedule *restarts = dlviz_cosine_restarts(0.5, 1.25),
                   *cycle = dlviz_one_cycle(0.5, 0.25);
    GET_REALS(step, 2, dlviz_step_decay_period, dlviz_step_decay_factor);
    GET_REALS(exponential, 1, dlviz_exponential_factor);
    GET_REALS(multistep, 1, dlviz_multistep_factor);
    GET_REALS(polynomial, 2, dlviz_polynomial_length, dlviz_polynomial_power);
    milestones[0] = 9; /* they are copied */
    ck_assert_int_eq(dlviz_multistep_num_milestones(multistep), 3);
    ck_assert_double_eq(dlviz_multistep_milestones(multistep, 0), 1);
    ck_assert_double_eq(dlviz_multistep_milestones(multistep, 2), 2);
    ck_assert(isnan(dlviz_multistep_milestones(multistep, 3)));
    ck_assert(isnan(dlviz_multistep_milestones(multistep, -1)));
    ck_assert(isnan(dlviz_multistep_milestones(step, 0)));
    ck_assert_int_eq(dlviz_multistep_num_milestones(step), 0);
    ck_assert(dlviz_cosine_minimum(cosine) == 0 && dlviz_cosine_restarts_minimum(restarts) == 0);
    ck_ok(dlviz_cosine_set_minimum(cosine, 0.25));
    ck_ok(dlviz_cosine_restarts_set_minimum(restarts, 0.25));
    GET_REALS(cosine, 2, dlviz_cosine_length, dlviz_cosine_minimum);
    GET_REALS(restarts, 2, dlviz_cosine_restarts_length, dlviz_cosine_restarts_minimum);
    ck_assert(dlviz_cosine_restarts_growth(restarts) == 1.25);
    ck_assert(isnan(dlviz_cosine_restarts_growth(cosine)));
    ck_assert(dlviz_one_cycle_rise(cycle) == 0.3 && dlviz_one_cycle_start_divisor(cycle) == 25);
    ck_assert(dlviz_one_cycle_final_divisor(cycle) == 1e4 && !dlviz_one_cycle_linear(cycle));
    ck_ok(dlviz_one_cycle_set_rise(cycle, 0.125));
    ck_ok(dlviz_one_cycle_set_start_divisor(cycle, 7));
    ck_ok(dlviz_one_cycle_set_final_divisor(cycle, 9));
    ck_ok(dlviz_one_cycle_set_linear(cycle, true));
    ck_assert(dlviz_one_cycle_linear(cycle) && !dlviz_one_cycle_linear(step));
    GET_REALS(cycle, 5, dlviz_one_cycle_peak_rate, dlviz_one_cycle_length, dlviz_one_cycle_rise,
              dlviz_one_cycle_start_divisor, dlviz_one_cycle_final_divisor);
    dlviz_schedule *warmup = dlviz_warmup(0.5, 0.25, cycle);
    GET_REALS(warmup, 2, dlviz_warmup_length, dlviz_warmup_start_factor);
    ck_assert_ptr_eq(dlviz_warmup_then(warmup), cycle);
    ck_assert_ptr_null(dlviz_warmup_then(cosine));
    ck_assert_int_eq(dlviz_schedule_pace(warmup), DLVIZ_PACE_SMOOTH);
    ck_assert_int_eq(dlviz_schedule_pace(cosine), DLVIZ_PACE_EPOCH);
    ck_ok(dlviz_schedule_set_pace(cosine, DLVIZ_PACE_STEP));
    ck_assert_int_eq(dlviz_schedule_pace(cosine), DLVIZ_PACE_STEP);
    dlviz_schedule *const all[] = {step,       exponential, multistep, cosine,
                                   polynomial, restarts,    warmup};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dlviz_schedule_destroy(all[i]);
}
END_TEST

static void get_texts(dlviz_figure *figure) {
    int64_t height = 1, width = 1;
    dlviz_figure_size(figure, &height, &width);
    ck_assert(height == 0 && width == 0);
    ck_ok(dlviz_figure_set_size(figure, 300, 400));
    dlviz_figure_size(figure, &height, NULL);
    dlviz_figure_size(figure, NULL, &width);
    ck_assert(height == 300 && width == 400);
    ck_assert_ptr_null(dlviz_figure_title(figure));
    ck_ok(dlviz_figure_set_title(figure, "title"));
    ck_ok(dlviz_figure_set_subtitle(figure, "subtitle"));
    ck_ok(dlviz_figure_set_footnote(figure, "footnote"));
    ck_assert_str_eq(dlviz_figure_title(figure), "title");
    ck_assert_str_eq(dlviz_figure_subtitle(figure), "subtitle");
    ck_assert_str_eq(dlviz_figure_footnote(figure), "footnote");
    ck_ok(dlviz_figure_set_title(figure, ""));
    ck_assert_ptr_null(dlviz_figure_title(figure));
}

static void get_axes(dlviz_figure *figure, const char *first, const char *second) {
    const char *x, *y;
    dlviz_figure_axis_labels(figure, &x, NULL);
    dlviz_figure_axis_labels(figure, NULL, &y);
    ck_assert_pstr_eq(x, first);
    ck_assert_pstr_eq(y, second);
}

START_TEST(of_figures) {
    if (!dlviz_plot_supported()) {
        printf("SKIP: no figures in this build\n");
        return;
    }
    const char *names[] = {"none", "", "two"};
    dlviz_tensor *points, *counts, *pictures;
    dlviz_figure *map, *matrix, *images, *curves;
    ck_ok(dlviz_tensor_create(&points, DLVIZ_FLOAT32, 2, (int64_t[]){3, 2}));
    ck_ok(dlviz_tensor_create(&counts, DLVIZ_INT64, 2, (int64_t[]){3, 3}));
    ck_ok(dlviz_tensor_create(&pictures, DLVIZ_FLOAT32, 4, (int64_t[]){3, 3, 2, 2}));
    ck_ok(dlviz_figure_create_scatter(&map, points, NULL));
    ck_ok(dlviz_figure_create_matrix(&matrix, counts));
    ck_ok(dlviz_figure_create_images(&images, pictures));
    ck_ok(dlviz_figure_create_curves(&curves));
    get_texts(map);
    get_texts(images);
    get_axes(map, NULL, NULL);
    get_axes(matrix, "predicted", "true");
    get_axes(curves, "epoch", NULL);
    ck_ok(dlviz_figure_set_axis_labels(map, "a", "b"));
    get_axes(map, "a", "b");

    ck_assert_int_eq(dlviz_figure_num_class_names(map), 0);
    ck_ok(dlviz_figure_set_class_names(map, 3, names));
    ck_assert_int_eq(dlviz_figure_num_class_names(map), 3);
    ck_assert_str_eq(dlviz_figure_class_name(map, 2), "two");
    ck_assert_ptr_null(dlviz_figure_class_name(map, 1));
    ck_assert_ptr_null(dlviz_figure_class_name(map, 3));
    ck_assert_ptr_null(dlviz_figure_class_name(map, -1));
    ck_ok(dlviz_figure_set_captions(images, 3, names));
    ck_assert_int_eq(dlviz_figure_num_captions(images), 3);
    ck_assert_str_eq(dlviz_figure_caption(images, 0), "none");
    ck_assert_ptr_null(dlviz_figure_caption(images, 3));
    ck_ok(dlviz_figure_set_num_columns(images, 2));
    ck_assert_int_eq(dlviz_figure_num_columns(images), 2);
    ck_assert(!dlviz_figure_shared_range(images) && !dlviz_figure_shared_range(map));
    ck_ok(dlviz_figure_set_shared_range(images, true));
    ck_assert(dlviz_figure_shared_range(images));
    ck_ok(dlviz_figure_set_colormap(images, DLVIZ_COLORMAP_RGB));
    ck_assert_int_eq(dlviz_figure_colormap(images), DLVIZ_COLORMAP_RGB);

    ck_assert(dlviz_figure_point_size(map) == 0 && dlviz_figure_opacity(map) == 0);
    ck_assert(!dlviz_figure_ticks(map) && !dlviz_figure_class_counts(map));
    ck_assert(dlviz_figure_class_marks(map));
    ck_ok(dlviz_figure_set_point_size(map, 5));
    ck_ok(dlviz_figure_set_opacity(map, 0.5));
    ck_ok(dlviz_figure_set_ticks(map, true));
    ck_ok(dlviz_figure_set_class_counts(map, true));
    ck_ok(dlviz_figure_set_class_marks(map, false));
    ck_assert(dlviz_figure_point_size(map) == 5 && dlviz_figure_opacity(map) == 0.5);
    ck_assert(dlviz_figure_ticks(map) && dlviz_figure_class_counts(map));
    ck_assert(!dlviz_figure_class_marks(map));

    ck_ok(dlviz_figure_add_curve(curves, "loss", "training", 1, NULL, (double[]){1}));
    ck_assert(!dlviz_figure_log_scale(curves, "loss"));
    ck_ok(dlviz_figure_set_log_scale(curves, "loss", true));
    ck_assert(dlviz_figure_log_scale(curves, "loss") && !dlviz_figure_log_scale(curves, "rate"));
    ck_assert(!dlviz_figure_steps(curves, "loss"));
    ck_ok(dlviz_figure_set_steps(curves, "loss", true));
    ck_assert(dlviz_figure_steps(curves, "loss") && !dlviz_figure_steps(curves, "rate"));
    /* Of another kind there is nothing to get. */
    ck_assert(!dlviz_figure_steps(map, "loss") && !dlviz_figure_steps(curves, NULL));
    ck_assert(!dlviz_figure_log_scale(map, "loss") && !dlviz_figure_ticks(curves));
    ck_assert(dlviz_figure_num_captions(map) == 0 && dlviz_figure_num_columns(matrix) == 0);
    dlviz_figure_destroy(map);
    dlviz_figure_destroy(matrix);
    dlviz_figure_destroy(images);
    dlviz_figure_destroy(curves);
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(counts);
    dlviz_tensor_destroy(pictures);
}
END_TEST

START_TEST(of_layers) {
    int64_t top, bottom, left, right;
    dlviz_layer *pad = dlviz_pad(1, 2, 3, -4), *up = dlviz_upsample(2, 3);
    dlviz_layer *dropout = dlviz_dropout(0.25), *linear = dlviz_linear(12);
    dlviz_layer *reshape = dlviz_reshape(3, (const int64_t[]){2, -1, 4});
    dlviz_pad_amounts(pad, &top, &bottom, &left, &right);
    ck_assert(top == 1 && bottom == 2 && left == 3 && right == -4);
    dlviz_upsample_factors(up, &top, &left);
    ck_assert(top == 2 && left == 3);
    dlviz_pad_amounts(pad, NULL, NULL, NULL, &bottom);
    dlviz_upsample_factors(up, NULL, &left);
    ck_assert(bottom == -4 && left == 3);
    ck_assert(dlviz_dropout_p(dropout) == 0.25 && dlviz_linear_out_features(linear) == 12);
    ck_assert_int_eq(dlviz_reshape_ndim(reshape), 3);
    ck_assert_int_eq(dlviz_reshape_dims(reshape)[1], -1);
    for (int i = 0; i < 2; i++) {
        const dlviz_layer *none = i ? dropout : NULL;
        dlviz_pad_amounts(none, &top, &bottom, &left, &right);
        ck_assert(top == 0 && bottom == 0 && left == 0 && right == 0);
        left = 1;
        dlviz_upsample_factors(none, &top, &left);
        ck_assert(top == 0 && left == 0 && dlviz_linear_out_features(none) == 0);
        ck_assert(dlviz_reshape_ndim(none) == 0 && !dlviz_reshape_dims(none));
        ck_assert(isnan(dlviz_dropout_p(i ? linear : NULL)));
    }
    /* One that was refused has no dimensions to read beyond those it has room for. */
    dlviz_layer *large = dlviz_reshape(8, (const int64_t[]){1, 1, 1, 1, 1, 1, 1, 1});
    ck_assert(dlviz_reshape_ndim(large) == 0 && !dlviz_reshape_dims(large));
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (const int64_t[]){2, 3, 4}));
    ck_ok(dlviz_network_add(network, "reshape", reshape));
    ck_ok(dlviz_network_build(network, 1));
    ck_assert_int_eq(dlviz_reshape_dims(reshape)[1], 3);
    ck_assert_int_eq(dlviz_network_layer_ndim(network, "input"), 3);
    ck_assert_int_eq(dlviz_network_layer_dims(network, "input")[2], 4);
    dlviz_network_destroy(network);
    dlviz_layer *const all[] = {pad, up, dropout, linear, large};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dlviz_layer_destroy(all[i]);
}
END_TEST

START_TEST(of_batch_norms_and_linear_layers) {
    dlviz_layer *norm = dlviz_batchnorm(), *linear = dlviz_linear(3);
    ck_assert_double_eq(dlviz_batchnorm_eps(norm), 1e-5);
    ck_assert_double_eq(dlviz_batchnorm_momentum(norm), 0.1);
    ck_assert(dlviz_batchnorm_affine(norm) && dlviz_linear_bias(linear));
    ck_ok(dlviz_batchnorm_set_eps(norm, 0.25));
    ck_ok(dlviz_batchnorm_set_momentum(norm, 0.75));
    ck_ok(dlviz_batchnorm_set_affine(norm, false));
    ck_ok(dlviz_linear_set_bias(linear, false));
    ck_assert_double_eq(dlviz_batchnorm_eps(norm), 0.25);
    ck_assert_double_eq(dlviz_batchnorm_momentum(norm), 0.75);
    ck_assert(!dlviz_batchnorm_affine(norm) && !dlviz_linear_bias(linear));
    for (int i = 0; i < 2; i++) {
        ck_assert(isnan(dlviz_batchnorm_eps(i ? linear : NULL)));
        ck_assert(isnan(dlviz_batchnorm_momentum(i ? linear : NULL)));
        ck_assert(!dlviz_batchnorm_affine(i ? linear : NULL));
        ck_assert(!dlviz_linear_bias(i ? norm : NULL));
    }
    dlviz_layer_destroy(norm);
    dlviz_layer_destroy(linear);
}
END_TEST

START_TEST(of_augmentations) {
    dlviz_augmentation *all[] = {dlviz_random_brightness(0.125), dlviz_random_contrast(0.25),
                                 dlviz_random_horizontal_flip(0.375),
                                 dlviz_random_vertical_flip(0.5), dlviz_random_noise(0.625)};
    double (*const get[])(const dlviz_augmentation *augmentation) = {
        dlviz_random_brightness_amount, dlviz_random_contrast_amount,
        dlviz_random_horizontal_flip_probability, dlviz_random_vertical_flip_probability,
        dlviz_random_noise_deviation};
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 5; k++) {
            double got = get[i](all[k]);
            ck_assert(k == i ? got == 0.125 * (i + 1) : isnan(got));
        }
        ck_assert(isnan(get[i](NULL)));
    }
    for (int i = 0; i < 5; i++)
        dlviz_augmentation_destroy(all[i]);
}
END_TEST

START_TEST(of_a_loss) {
    dlviz_loss *loss = dlviz_bce_with_logits(), *other = dlviz_mse();
    ck_assert_int_eq(dlviz_bce_with_logits_num_positive_weights(loss), 0);
    ck_assert(isnan(dlviz_bce_with_logits_positive_weights(loss, 0)));
    ck_ok(dlviz_bce_with_logits_set_positive_weights(loss, 2, (const double[]){2.5, 0}));
    ck_assert_int_eq(dlviz_bce_with_logits_num_positive_weights(loss), 2);
    ck_assert_double_eq(dlviz_bce_with_logits_positive_weights(loss, 0), 2.5);
    ck_assert_double_eq(dlviz_bce_with_logits_positive_weights(loss, 1), 0);
    ck_assert(isnan(dlviz_bce_with_logits_positive_weights(loss, 2)));
    ck_assert(isnan(dlviz_bce_with_logits_positive_weights(loss, -1)));
    ck_assert(isnan(dlviz_bce_with_logits_positive_weights(other, 0)));
    ck_fails(dlviz_bce_with_logits_set_positive_weights(other, 1, (const double[]){1}),
             DLVIZ_ERROR_INVALID_ARGUMENT, "bce_with_logits");
    ck_fails(dlviz_bce_with_logits_set_positive_weights(NULL, 1, (const double[]){1}),
             DLVIZ_ERROR_INVALID_ARGUMENT, "NULL");
    dlviz_loss_destroy(loss);
    dlviz_loss_destroy(other);
}
END_TEST

START_TEST(of_a_trainer) {
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    ck_ok(dlviz_network_create(&network, 1, (const int64_t[]){3}));
    ck_ok(dlviz_network_add(network, "linear", dlviz_linear(2)));
    ck_ok(dlviz_network_build(network, 1));
    ck_ok(dlviz_sgd_create(&optimizer, 0.1));
    ck_ok(dlviz_trainer_create(&trainer, network, optimizer));
    ck_assert_double_eq(dlviz_trainer_clip_norm(trainer), 0);
    ck_assert_double_eq(dlviz_trainer_clip_value(trainer), 0);
    ck_assert_double_eq(dlviz_trainer_early_stopping_threshold(trainer), 0);
    ck_assert_ptr_null(dlviz_trainer_comm(trainer));
    ck_ok(dlviz_trainer_set_clip_norm(trainer, 2));
    ck_ok(dlviz_trainer_set_clip_value(trainer, 3));
    ck_ok(dlviz_trainer_set_early_stopping_threshold(trainer, 4));
    ck_assert_double_eq(dlviz_trainer_clip_norm(trainer), 2);
    ck_assert_double_eq(dlviz_trainer_clip_value(trainer), 3);
    ck_assert_double_eq(dlviz_trainer_early_stopping_threshold(trainer), 4);
    ck_assert(isnan(dlviz_trainer_clip_norm(NULL)) && isnan(dlviz_trainer_clip_value(NULL)));
    ck_assert(isnan(dlviz_trainer_early_stopping_threshold(NULL)));
    ck_assert_ptr_null(dlviz_trainer_comm(NULL));
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(optimizer);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(of_a_report) {
    dlviz_report *report;
    dlviz_report_run *run;
    ck_ok(dlviz_report_create(&report, "title", 2));
    ck_ok(dlviz_report_add_run(report, "run", &run));
    ck_assert_int_eq(dlviz_report_num_point_names(report), 0);
    ck_assert_ptr_null(dlviz_report_point_name(report, 0));
    ck_ok(dlviz_report_set_point_names(report, 2, (const char *const[]){"first", "second"}));
    ck_assert_int_eq(dlviz_report_num_point_names(report), 2);
    ck_assert_str_eq(dlviz_report_point_name(report, 0), "first");
    ck_assert_str_eq(dlviz_report_point_name(report, 1), "second");
    ck_ok(dlviz_report_run_add_map(run, "t-SNE"));
    ck_ok(dlviz_report_run_add_map(run, "PCA"));
    ck_assert_str_eq(dlviz_report_run_map_name(run, 0), "t-SNE");
    ck_assert_str_eq(dlviz_report_run_map_name(run, 1), "PCA");
    for (int64_t beyond = -1; beyond < 3; beyond += 3) {
        ck_assert_ptr_null(dlviz_report_point_name(report, beyond));
        ck_assert_ptr_null(dlviz_report_run_map_name(run, beyond));
    }
    ck_assert_int_eq(dlviz_report_num_point_names(NULL), 0);
    ck_assert_ptr_null(dlviz_report_point_name(NULL, 0));
    ck_assert_ptr_null(dlviz_report_run_map_name(NULL, 0));
    dlviz_report_destroy(report);
}
END_TEST

START_TEST(of_the_library) {
    char text[64];
    int number = dlviz_version_number();
    ck_assert_int_eq(number, DLVIZ_VERSION_NUMBER);
    snprintf(text, sizeof text, "%d.%d.%d", number / 10000, number / 100 % 100, number % 100);
    ck_assert_str_eq(dlviz_version(), text);
    ck_ok(dlviz_set_num_threads(3));
    ck_assert_int_eq(dlviz_num_threads(), 3);
    /* "OpenBLAS 0.3.21 Haswell (pthreads)" or what the other kind is. */
    const char *blas = dlviz_blas();
    ck_assert_ptr_eq(blas, dlviz_blas());
    ck_assert_ptr_nonnull(strstr(blas, "BLAS"));
    ck_assert(strcmp(blas, "BLAS of unknown make") == 0 || strstr(blas, " (serial)") ||
              strstr(blas, " (pthreads)") || strstr(blas, " (OpenMP)"));
}
END_TEST

/* Each status and each kind of number has a name of its own. */
START_TEST(names) {
    static const char *const dtypes[] = {"float32", "uint8", "int64", "unknown"};
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(dlviz_dtype_name((dlviz_dtype)i), dtypes[i]);
    static const char *const statuses[] = {"success",
                                           "invalid argument",
                                           "shape mismatch",
                                           "out of memory",
                                           "input or output failed",
                                           "bad file format",
                                           "not found",
                                           "wrong state",
                                           "numeric failure",
                                           "unsupported",
                                           "cancelled",
                                           "communication failed",
                                           "unknown status"};
    const dlviz_status values[] = {DLVIZ_OK,
                                   DLVIZ_ERROR_INVALID_ARGUMENT,
                                   DLVIZ_ERROR_SHAPE,
                                   DLVIZ_ERROR_OUT_OF_MEMORY,
                                   DLVIZ_ERROR_IO,
                                   DLVIZ_ERROR_FORMAT,
                                   DLVIZ_ERROR_NOT_FOUND,
                                   DLVIZ_ERROR_STATE,
                                   DLVIZ_ERROR_NUMERIC,
                                   DLVIZ_ERROR_UNSUPPORTED,
                                   DLVIZ_CANCELLED,
                                   DLVIZ_ERROR_COMM,
                                   (dlviz_status)-1};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        ck_assert_str_eq(dlviz_status_name(values[i]), statuses[i]);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {of_a_pca,
                                  of_a_tsne,
                                  of_a_fit_s_time,
                                  of_optimizers,
                                  of_adams_relatives,
                                  of_a_schedule,
                                  of_schedules,
                                  of_figures,
                                  of_layers,
                                  of_batch_norms_and_linear_layers,
                                  of_augmentations,
                                  of_a_loss,
                                  of_a_trainer,
                                  of_a_report,
                                  of_the_library,
                                  names,
                                  NULL};
    return run_tests("getters", tests);
}
