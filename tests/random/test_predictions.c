/* Measures of predictions against their definitions, written down in plain double arithmetic: every
 * pair of items, every class against every item. */
#include "support/netspec.h"
#include "support/random_cases.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *room(int64_t count, size_t size) {
    void *block = calloc((size_t)count + 1, size);
    ck_assert_ptr_nonnull(block);
    return block;
}

static void is_near_to(const char *what, double got, double wanted, double size) {
    ck_assert_msg(fabs(got - wanted) <= 1e-12 * size, "%s is %.17g, not %.17g", what, got, wanted);
}

/* The same numbers as another type, at random; destroys the tensor. */
static dlviz_tensor *any_type(dlz_random *random, dlviz_tensor *tensor, bool floats_too) {
    const dlviz_dtype types[] = {DLVIZ_UINT8, DLVIZ_INT64, DLVIZ_FLOAT32};
    dlviz_tensor *other;
    ck_ok(
        dlviz_tensor_convert(tensor, types[random_between(random, 0, floats_too ? 2 : 1)], &other));
    dlviz_tensor_destroy(tensor);
    return other;
}

typedef dlviz_status averaged(const dlviz_tensor *predictions, const dlviz_tensor *labels,
                              dlviz_average average, double *result);

/* With any number of threads it has the same bits. */
static double measure(averaged *function, const dlviz_tensor *predictions,
                      const dlviz_tensor *labels, int average) {
    double first, again;
    ck_ok(dlviz_set_num_threads(1));
    ck_ok(function(predictions, labels, (dlviz_average)average, &first));
    for (int threads = 2; threads <= 5; threads += 3) {
        ck_ok(dlviz_set_num_threads(threads));
        ck_ok(function(predictions, labels, (dlviz_average)average, &again));
        ck_assert_mem_eq(&first, &again, sizeof first);
    }
    return first;
}

/* -- Predicted classes ---------------------------------------------------------------------------
 */

typedef struct class_case {
    int64_t n, classes;
    int64_t *labels, *guesses;
    float *scores;
} class_case;

static class_case draw_classes(dlz_random *random) {
    class_case c = {.n = random_between(random, 1, 80), .classes = random_between(random, 1, 12)};
    c.labels = room(c.n, sizeof *c.labels);
    c.guesses = room(c.n, sizeof *c.guesses);
    c.scores = room(c.n * c.classes, sizeof *c.scores);
    int64_t used = random_between(random, 1, c.classes);
    bool ties = random_chance(random, 0.5);
    for (int64_t i = 0; i < c.n; i++) {
        float *row = c.scores + i * c.classes;
        c.labels[i] = random_between(random, 0, used - 1);
        for (int64_t k = 0; k < c.classes; k++)
            row[k] = ties ? (float)random_between(random, -1, 1) : (float)dlz_random_normal(random);
        row[c.labels[i]] += random_chance(random, 0.5) ? 1 : 0;
        for (int64_t k = 1; k < c.classes; k++)
            if (row[k] > row[c.guesses[i]])
                c.guesses[i] = k;
    }
    return c;
}

/* Precision, recall and F1 by harmonic mean, of given counts. */
static void plain_scores(double both, double guessed, double there, double scores[3]) {
    scores[0] = guessed > 0 ? both / guessed : 0;
    scores[1] = there > 0 ? both / there : 0;
    scores[2] = both > 0 ? 2 / (1 / scores[0] + 1 / scores[1]) : 0;
}

static void compare_classes(const class_case *c, const dlviz_tensor *predictions,
                            const dlviz_tensor *labels) {
    averaged *const functions[] = {dlviz_metrics_precision, dlviz_metrics_recall, dlviz_metrics_f1};
    double sums[3][3] = {{0}}, weights[3] = {0}, right = 0;
    dlviz_tensor *table, *support;
    ck_ok(dlviz_metrics_per_class(predictions, labels, c->classes, &table, &support));
    for (int64_t k = 0; k < c->classes; k++) {
        double both = 0, guessed = 0, there = 0, scores[3];
        for (int64_t i = 0; i < c->n; i++) {
            both += c->labels[i] == k && c->guesses[i] == k;
            guessed += c->guesses[i] == k;
            there += c->labels[i] == k;
        }
        plain_scores(both, guessed, there, scores);
        const double weight[] = {guessed + there > 0, 0, there};
        for (int f = 0; f < 3; f++) {
            for (int average = 0; average < 3; average++)
                sums[average][f] += weight[average] * scores[f];
            is_near_to("of one class", (double)dlviz_tensor_const_float(table)[3 * k + f],
                       (double)(float)scores[f], 1e5);
        }
        for (int average = 0; average < 3; average++)
            weights[average] += weight[average];
        ck_assert(((const int64_t *)dlviz_tensor_const_data(support))[k] == (int64_t)there);
        right += both;
    }
    for (int f = 0; f < 3; f++)
        for (int average = 0; average < 3; average++)
            is_near_to("averaged", measure(functions[f], predictions, labels, average),
                       average == DLVIZ_AVERAGE_MICRO ? right / (double)c->n
                                                      : sums[average][f] / weights[average],
                       1);
    double accuracy;
    ck_ok(dlviz_metrics_accuracy(predictions, labels, &accuracy));
    ck_assert_double_eq(accuracy, right / (double)c->n);
    dlviz_tensor_destroy(table);
    dlviz_tensor_destroy(support);
}

static void compare_top_k(const class_case *c, const dlviz_tensor *scores,
                          const dlviz_tensor *labels) {
    for (int64_t k = 1; k <= c->classes; k++) {
        double hits = 0, got;
        for (int64_t i = 0; i < c->n; i++) {
            const float *row = c->scores + i * c->classes;
            int64_t before = 0, label = c->labels[i];
            for (int64_t other = 0; other < c->classes; other++)
                before += row[other] > row[label] || (row[other] == row[label] && other < label);
            hits += before < k;
        }
        ck_ok(dlviz_metrics_top_k_accuracy(scores, labels, k, &got));
        ck_assert_double_eq(got, hits / (double)c->n);
    }
}

static void compare_log_loss(const class_case *c, const dlviz_tensor *labels) {
    float *p = room(c->n * c->classes, sizeof *p);
    double wanted = 0, got;
    for (int64_t i = 0; i < c->n; i++) {
        float *row = p + i * c->classes;
        double sum = 0, clipped = 0, own = 0;
        for (int64_t k = 0; k < c->classes; k++)
            sum += exp(20 * (double)c->scores[i * c->classes + k]);
        for (int64_t k = 0; k < c->classes; k++) {
            row[k] = (float)(exp(20 * (double)c->scores[i * c->classes + k]) / sum);
            double one = fmin(fmax((double)row[k], (double)FLT_EPSILON), 1 - (double)FLT_EPSILON);
            clipped += one;
            own = k == c->labels[i] ? one : own;
        }
        wanted -= log(own / clipped) / (double)c->n;
    }
    dlviz_tensor *probabilities = float_tensor(2, (int64_t[]){c->n, c->classes}, p);
    if (c->classes > 1) {
        ck_ok(dlviz_metrics_log_loss(probabilities, labels, &got));
        is_near_to("log loss", got, wanted, 1 + wanted);
    } else {
        ck_fails(dlviz_metrics_log_loss(probabilities, labels, &got), DLVIZ_ERROR_SHAPE,
                 "one column");
    }
    dlviz_tensor_destroy(probabilities);
    free(p);
}

static void predicted_classes(uint64_t seed) {
    dlz_random random = random_numbers(seed);
    class_case c = draw_classes(&random);
    dlviz_tensor *labels = any_type(&random, int64_tensor(c.n, c.labels), false);
    dlviz_tensor *guesses = any_type(&random, int64_tensor(c.n, c.guesses), false);
    dlviz_tensor *scores = float_tensor(2, (int64_t[]){c.n, c.classes}, c.scores);
    compare_classes(&c, guesses, labels);
    compare_classes(&c, scores, labels);
    compare_top_k(&c, scores, labels);
    compare_log_loss(&c, labels);
    dlviz_tensor_destroy(labels);
    dlviz_tensor_destroy(guesses);
    dlviz_tensor_destroy(scores);
    free(c.labels);
    free(c.guesses);
    free(c.scores);
}

/* -- Yes or no -----------------------------------------------------------------------------------
 */

static float draw_score(dlz_random *random, int kind) {
    const float few[] = {-FLT_MAX, -1, -0x1p-149f, -0.0f, 0, 0x1p-149f, 0x1p-126f, FLT_MAX};
    switch (kind) {
    case 0:
        return (float)dlz_random_normal(random);
    case 1:
        return (float)random_between(random, -2, 2);
    case 2:
        return few[random_between(random, 0, 7)];
    default:
        return 0.25f;
    }
}

/* Of `n` scores that lie `stride` apart: the area of pairs, and the mean precision at the score of
 * each yes. NaN and 0 where there are none. */
static void plain_curves(int64_t n, int64_t stride, const float *scores, const int64_t *targets,
                         double areas[2]) {
    double won = 0, pairs = 0, precisions = 0, yes = 0;
    for (int64_t i = 0; i < n; i++) {
        double at_least = 0, hits = 0;
        if (!targets[i * stride])
            continue;
        for (int64_t j = 0; j < n; j++) {
            float own = scores[i * stride], other = scores[j * stride];
            won += targets[j * stride] ? 0 : own > other ? 1 : own == other ? 0.5 : 0;
            pairs += !targets[j * stride];
            at_least += other >= own;
            hits += other >= own && targets[j * stride];
        }
        precisions += hits / at_least;
        yes++;
    }
    areas[0] = pairs > 0 ? won / pairs : (double)NAN;
    areas[1] = yes > 0 ? precisions / yes : 0;
}

static void yes_or_no(uint64_t seed) {
    averaged *const functions[] = {dlviz_metrics_roc_auc, dlviz_metrics_average_precision};
    dlz_random random = random_numbers(seed);
    int64_t n = random_between(&random, 1, random_chance(&random, 0.1) ? 3 : 90);
    int64_t columns = random_between(&random, 1, 6), size = n * columns;
    float *scores = room(size, sizeof *scores);
    int64_t *targets = room(size, sizeof *targets);
    double share = (double)random_between(&random, 1, 19) / 20;
    int kind = (int)random_between(&random, 0, 3);
    for (int64_t i = 0; i < size; i++) {
        scores[i] = draw_score(&random, kind);
        targets[i] = random_chance(&random, share);
    }
    double wanted[3][2] = {{0}}, weights = 0, areas[2];
    for (int64_t column = 0; column < columns; column++) {
        double yes = 0;
        for (int64_t i = 0; i < n; i++)
            yes += (double)targets[i * columns + column];
        plain_curves(n, columns, scores + column, targets + column, areas);
        for (int f = 0; f < 2; f++) {
            wanted[DLVIZ_AVERAGE_MACRO][f] += areas[f] / (double)columns;
            wanted[DLVIZ_AVERAGE_WEIGHTED][f] += areas[f] * yes;
        }
        weights += yes;
    }
    plain_curves(size, 1, scores, targets, wanted[DLVIZ_AVERAGE_MICRO]);
    for (int f = 0; f < 2; f++)
        wanted[DLVIZ_AVERAGE_WEIGHTED][f] /= weights > 0 ? weights : 1;
    int ndim = columns == 1 && random_chance(&random, 0.5) ? 1 : 2;
    dlviz_tensor *x = float_tensor(ndim, (int64_t[]){n, columns}, scores);
    dlviz_tensor *flat = int64_tensor(size, targets), *t;
    ck_ok(dlviz_tensor_reshape(flat, 2, (int64_t[]){n, columns}, &t));
    dlviz_tensor_destroy(flat);
    t = any_type(&random, t, true);
    for (int f = 0; f < 2; f++)
        for (int average = 0; average < 3; average++) {
            double got;
            if (isnan(wanted[average][f]))
                ck_fails(functions[f](x, t, (dlviz_average)average, &got),
                         DLVIZ_ERROR_INVALID_ARGUMENT, "both 0 and 1");
            else
                is_near_to(f ? "average precision" : "area", measure(functions[f], x, t, average),
                           wanted[average][f], 1);
        }
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(t);
    free(scores);
    free(targets);
}

/* -- Numbers -------------------------------------------------------------------------------------
 */

typedef struct plain_errors {
    double absolute, squared, roots, r2[3];
} plain_errors;

static double plain_r2(double squared, double spread) {
    return spread > 0 ? 1 - squared / spread : squared == 0 ? 1 : 0;
}

static plain_errors measure_plainly(int64_t n, int64_t columns, const float *outputs,
                                    const float *targets) {
    plain_errors all = {0};
    double spreads = 0, weighted = 0;
    for (int64_t j = 0; j < columns; j++) {
        double squared = 0, mean = 0, spread = 0;
        for (int64_t i = 0; i < n; i++) {
            double error = (double)outputs[i * columns + j] - (double)targets[i * columns + j];
            all.absolute += fabs(error);
            squared += error * error;
            mean += (double)targets[i * columns + j] / (double)n;
        }
        for (int64_t i = 0; i < n; i++)
            spread += pow((double)targets[i * columns + j] - mean, 2);
        bool constant = true;
        for (int64_t i = 0; i < n; i++)
            constant &= targets[i * columns + j] == targets[j];
        spread = constant ? 0 : spread;
        all.squared += squared;
        all.roots += sqrt(squared / (double)n);
        all.r2[DLVIZ_AVERAGE_MACRO] += plain_r2(squared, spread) / (double)columns;
        weighted += spread * plain_r2(squared, spread);
        spreads += spread;
    }
    all.r2[DLVIZ_AVERAGE_MICRO] = plain_r2(all.squared, spreads);
    all.r2[DLVIZ_AVERAGE_WEIGHTED] = spreads > 0 ? weighted / spreads : all.r2[DLVIZ_AVERAGE_MACRO];
    return all;
}

static void numbers(uint64_t seed) {
    dlz_random random = random_numbers(seed);
    int64_t n = random_between(&random, 1, 60);
    int64_t columns = random_between(&random, 1, random_chance(&random, 0.2) ? 150 : 5);
    float *outputs = room(n * columns, sizeof *outputs),
          *targets = room(n * columns, sizeof *targets);
    bool whole = random_chance(&random, 0.3);
    float offset = random_chance(&random, 0.3) ? 1000 : 0;
    for (int64_t i = 0; i < n * columns; i++) {
        targets[i] =
            (whole ? (float)random_between(&random, 0, 2) : (float)dlz_random_normal(&random)) +
            offset;
        if (i % columns == 0 && random_chance(&random, 0.9))
            targets[i] = 0.1f; /* the first number is constant, or nearly */
        outputs[i] = random_chance(&random, 0.3)
                         ? targets[i]
                         : targets[i] + (float)random_between(&random, -2, 2) / 3;
    }
    plain_errors wanted = measure_plainly(n, columns, outputs, targets);
    int64_t dims[] = {n, columns, 1, 1};
    int ndim =
        columns == 1 ? (int)random_between(&random, 1, 4) : (int)random_between(&random, 2, 4);
    dlviz_tensor *o = float_tensor(ndim, dims, outputs), *t = float_tensor(ndim, dims, targets);
    double got, size = (double)(n * columns);
    ck_ok(dlviz_metrics_mae(o, t, &got));
    is_near_to("mae", got, wanted.absolute / size, wanted.absolute / size);
    ck_ok(dlviz_metrics_mse(o, t, &got));
    is_near_to("mse", got, wanted.squared / size, wanted.squared / size);
    ck_ok(dlviz_metrics_rmse(o, t, &got));
    is_near_to("rmse", got, wanted.roots / (double)columns, wanted.roots / (double)columns);
    /* What rounds off the mean of targets far from 0 is seen beside what they vary. */
    for (int average = 0; average < 3; average++)
        if (n > 1)
            is_near_to("r2", measure(dlviz_metrics_r2, o, t, average), wanted.r2[average],
                       100 * fmax(1, fabs(wanted.r2[average])));
        else
            ck_fails(dlviz_metrics_r2(o, t, (dlviz_average)average, &got), DLVIZ_ERROR_SHAPE,
                     "one sample");
    dlviz_tensor_destroy(o);
    dlviz_tensor_destroy(t);
    free(outputs);
    free(targets);
}

int main(void) {
    const random_test tests[] = {{"predicted classes", predicted_classes, 250},
                                 {"yes or no", yes_or_no, 400},
                                 {"numbers", numbers, 250},
                                 {NULL, NULL, 0}};
    return run_random_tests("predictions", tests);
}
