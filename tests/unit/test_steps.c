/* What a trainer makes of gradients: accumulation, clipping, averages. The truth is a step that is
 * worked out here, in double, of the gradients that the network has. */
#include "support/process.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT
/* Without batch norm and dropout, whose results depend on what is in a batch. */
#define PLAIN_NET "c:conv,out=6,k=3,pad=same r:relu p:pool,k=2 f:flatten fc:linear,out=4"

static void set_weights(process *p, const float weights[45]) {
    dlviz_tensor *tensor = float_tensor(1, (int64_t[]){45}, weights);
    ck_ok(dlviz_dataset_set_weights(p->train, tensor));
    dlviz_tensor_destroy(tensor);
}

/* A trainer of plain SGD at rate 0.1 over 45 samples, weighted or not. */
static void begin(process *p, int64_t batch, bool weighted) {
    begin_process(p, PLAIN_NET, PLAIN, false);
    ck_ok(dlviz_optimizer_set_learning_rate(p->optimizer, 0.1));
    ck_ok(dlviz_trainer_set_batch_size(p->trainer, batch));
    if (!weighted)
        return;
    float weights[45];
    for (int i = 0; i < 45; i++)
        weights[i] = i % 7 == 0 ? 0.0f : 0.25f * (float)(1 + i % 5);
    set_weights(p, weights);
}

static double apart(const dlviz_network *a, const dlviz_network *b, const char *name) {
    dlviz_tensor *one, *other;
    ck_ok(dlviz_network_get_state(a, name, &one));
    ck_ok(dlviz_network_get_state(b, name, &other));
    double error = relative_error(dlviz_tensor_const_float(one), dlviz_tensor_const_float(other),
                                  dlviz_tensor_num_elements(one));
    dlviz_tensor_destroy(one);
    dlviz_tensor_destroy(other);
    return error;
}

START_TEST(accumulated_batches_are_a_large_one) {
    static const struct {
        int64_t batch, accumulation;
        bool weighted;
    } cases[] = {{8, 2, false}, {4, 4, false}, {16, 1, true}, {8, 2, true},
                 {1, 16, true}, {5, 9, false}, {5, 100, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t large = cases[i].batch * cases[i].accumulation;
        process many, one;
        begin(&many, cases[i].batch, cases[i].weighted);
        begin(&one, large < 45 ? large : 45, cases[i].weighted);
        ck_ok(dlviz_trainer_set_accumulation(many.trainer, cases[i].accumulation));
        ck_ok(dlviz_trainer_fit(many.trainer, many.train, 3));
        ck_ok(dlviz_trainer_fit(one.trainer, one.train, 3));
        ck_assert_int_eq(dlviz_optimizer_num_steps(many.optimizer),
                         dlviz_optimizer_num_steps(one.optimizer));
        ck_assert_double_lt(apart(many.network, one.network, "c.weight"), 1e-6);
        ck_assert_double_lt(apart(many.network, one.network, "fc.weight"), 1e-6);
        for (int e = 0; e < 3; e++)
            ck_assert_double_eq_tol(dlviz_trainer_history(many.trainer, e, "train_loss"),
                                    dlviz_trainer_history(one.trainer, e, "train_loss"), 1e-6);
        end_process(&many);
        end_process(&one);
    }
}
END_TEST

/* Sums of weights beyond float, and so small that products with them would vanish, also where earlier
 * batches of the epoch outweigh those of a step. */
START_TEST(accumulated_weights_may_be_of_any_size) {
    static const struct {
        float some, others;
        int every; /* how many samples have one of the first size among them */
    } sizes[] = {{8e37f, 8e37f, 2},  {1e-37f, 1e-37f, 2}, {1e-30f, 3e30f, 2},
                 {3e38f, 1e-40f, 2}, {1e12f, 1e12f, 2},   {1e-40f, 1.0f, 2},
                 {1e9f, 1.0f, 20},   {1e17f, 1.0f, 20},   {3e38f, 1e-37f, 40}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        float weights[45];
        for (int j = 0; j < 45; j++)
            weights[j] = (j % sizes[i].every == 0 ? sizes[i].some : sizes[i].others) *
                         (0.25f + 0.25f * (float)(j % 4));
        process many, one;
        begin(&many, 4, false);
        begin(&one, 12, false);
        set_weights(&many, weights);
        set_weights(&one, weights);
        ck_ok(dlviz_trainer_set_accumulation(many.trainer, 3));
        ck_ok(dlviz_trainer_fit(many.trainer, many.train, 3));
        ck_ok(dlviz_trainer_fit(one.trainer, one.train, 3));
        ck_assert_double_lt(apart(many.network, one.network, "c.weight"), 1e-6);
        ck_assert_double_lt(apart(many.network, one.network, "fc.weight"), 1e-6);
        end_process(&many);
        end_process(&one);
    }
}
END_TEST

/* -- Clipping ------------------------------------------------------------------------------------
 */

typedef struct clipping {
    process *p;
    double norm, value; /* limits; 0: none */
    double *before;     /* the parameters before the step */
    double largest_norm;
    int steps;
} clipping;

static const char *const trained[] = {"c.weight", "c.bias", "fc.weight", "fc.bias"};

/* Each parameter moved by rate times the gradient, which is the clipped one. */
static bool check_step(const dlviz_trainer_event *event, void *user) {
    clipping *c = user;
    double *before = c->before, squares = 0;
    for (int i = 0; i < 4; i++) {
        dlviz_tensor *now, *gradient;
        ck_ok(dlviz_network_get_state(c->p->network, trained[i], &now));
        ck_ok(dlviz_network_get_gradient(c->p->network, trained[i], &gradient));
        for (int64_t j = 0; j < dlviz_tensor_num_elements(now); j++) {
            double g = (double)dlviz_tensor_const_float(gradient)[j];
            double value = (double)dlviz_tensor_const_float(now)[j];
            if (c->steps > 0)
                ck_assert_double_eq_tol(value, before[j] - 0.1 * g, 1e-7);
            if (c->value > 0)
                ck_assert_double_le(fabs(g), c->value * (1 + 1e-7));
            squares += g * g;
            before[j] = value;
        }
        before += dlviz_tensor_num_elements(now);
        dlviz_tensor_destroy(now);
        dlviz_tensor_destroy(gradient);
    }
    double norm = dlviz_trainer_event_gradient_norm(event);
    ck_assert(isnan(norm) == (c->norm == 0));
    if (c->norm > 0)
        ck_assert_double_eq_tol(sqrt(squares), fmin(norm, c->norm * norm / (norm + 1e-6)),
                                1e-6 * norm);
    c->largest_norm = fmax(c->largest_norm, sqrt(squares));
    c->steps++;
    return true;
}

static double largest_norm(double norm, double value) {
    process p;
    begin(&p, 8, false);
    double before[6 * 9 + 6 + 6 * 16 * 4 + 4];
    clipping c = {.p = &p, .norm = norm, .value = value, .before = before};
    ck_ok(dlviz_trainer_set_clip_norm(p.trainer, norm));
    ck_ok(dlviz_trainer_set_clip_value(p.trainer, value));
    ck_ok(dlviz_trainer_set_batch_callback(p.trainer, check_step, &c));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 2));
    ck_assert_int_eq(c.steps, 12);
    end_process(&p);
    return c.largest_norm;
}

START_TEST(gradients_are_clipped) {
    double free = largest_norm(0, 0);
    ck_assert_double_gt(free, 0.1);
    ck_assert(largest_norm(1000, 0) == free);
    ck_assert_double_le(largest_norm(0.05, 0), 0.05 * (1 + 1e-6));
    ck_assert_double_lt(largest_norm(0, 0.01), free);
    ck_assert_double_le(largest_norm(0.02, 0.01), 0.02 * (1 + 1e-6));
}
END_TEST

/* Of the 6 weights of a layer. */
static void weight_gradients(const dlviz_network *network, double to[6]) {
    dlviz_tensor *gradient;
    ck_ok(dlviz_network_get_gradient(network, "fc.weight", &gradient));
    for (int i = 0; i < 6; i++)
        to[i] = (double)dlviz_tensor_const_float(gradient)[i];
    dlviz_tensor_destroy(gradient);
}

/* Factors that no float is, of gradients that floats are, at once and one after the other. */
START_TEST(gradients_are_clipped_to_any_norm) {
    const double limits[] = {1e30, 1e10, 1, 1e-7, 1e-8, 1e-9, 1e-15, 1e-20, 1e-30};
    enum { LIMITS = sizeof limits / sizeof *limits };
    const float inputs[] = {2e30f, -1e30f, 1e29f, 2e30f};
    dlviz_network *network = net_from_text("2", "fc:linear,out=3");
    dlviz_tensor *x, *labels;
    ck_ok(dlviz_tensor_from_data(&x, DLVIZ_FLOAT32, 2, (int64_t[]){2, 2}, inputs));
    for (int label = 0; label < 3; label++) {
        ck_ok(dlviz_tensor_from_data(&labels, DLVIZ_INT64, 1, (int64_t[]){2},
                                     (int64_t[]){label, (label + 1) % 3}));
        for (int i = -1; i < LIMITS; i++)
            for (int j = i + 1; j < LIMITS; j++) {
                double before[6], after[6], norm;
                ck_ok(dlviz_network_backward(network, x, labels, 1, 1, NULL));
                weight_gradients(network, before);
                ck_ok(dlviz_network_clip_gradient_norm(network, 1e30, &norm));
                if (norm == 0)
                    continue;
                ck_assert_double_gt(norm, 1e29);
                if (i >= 0)
                    ck_ok(dlviz_network_clip_gradient_norm(network, limits[i], NULL));
                ck_ok(dlviz_network_clip_gradient_norm(network, limits[j], NULL));
                weight_gradients(network, after);
                double first = i < 0 ? 1e30 : limits[i], factor = fmin(1, first / norm);
                double rest = fmin(norm, first);
                factor *= fmin(1, limits[j] / (rest + 1e-6));
                for (int k = 0; k < 6; k++)
                    ck_assert_msg(fabs(after[k] - before[k] * factor) <=
                                      2e-6 * fabs(before[k] * factor) + 1e-44,
                                  "%g after %g: %g, not %g", limits[j], first, after[k],
                                  before[k] * factor);
            }
        dlviz_tensor_destroy(labels);
    }
    dlviz_tensor_destroy(x);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(a_norm_that_is_not_finite_ends_it) {
    process p;
    begin(&p, 8, false);
    ck_ok(dlviz_trainer_set_clip_norm(p.trainer, 1));
    ck_ok(dlviz_optimizer_set_learning_rate(p.optimizer, 1e30));
    dlviz_status status = dlviz_trainer_fit(p.trainer, p.train, 50);
    ck_assert_int_eq(status, DLVIZ_ERROR_NUMERIC);
    ck_assert_int_eq(dlviz_trainer_stop_reason(p.trainer), DLVIZ_STOP_REASON_ERROR);
    end_process(&p);
}
END_TEST

/* -- Averages ------------------------------------------------------------------------------------
 */

enum { NUM_STATES = 14, MOST = 4096 };
typedef struct averaging {
    process *p;
    double decay, average[MOST];
    int steps;
} averaging;

/* All float states, in double. */
static int64_t all_numbers(const dlviz_network *network, double *to) {
    int64_t count = 0;
    for (int64_t i = 0; i < dlviz_network_num_states(network); i++) {
        dlviz_tensor *state;
        ck_ok(dlviz_network_get_state(network, dlviz_network_state_name(network, i), &state));
        const float *values = dlviz_tensor_const_float(state);
        for (int64_t j = 0; values && j < dlviz_tensor_num_elements(state); j++)
            to[count++] = (double)values[j];
        dlviz_tensor_destroy(state);
    }
    ck_assert_int_le(count, MOST);
    return count;
}

static bool average_on(const dlviz_trainer_event *event, void *user) {
    (void)event;
    averaging *a = user;
    static double now[MOST];
    int64_t count = all_numbers(a->p->network, now);
    for (int64_t i = 0; i < count; i++)
        a->average[i] = a->steps == 0 ? now[i] : a->decay * a->average[i] + (1 - a->decay) * now[i];
    a->steps++;
    return true;
}

START_TEST(averages_are_of_all_steps) {
    process p;
    begin_process(&p, "c:conv,out=6,k=3 b:bn r:relu f:flatten fc:linear,out=4", ADAM, false);
    static averaging a;
    a = (averaging){.p = &p, .decay = 0.9};
    ck_ok(dlviz_trainer_set_averaging(p.trainer, 0.9));
    ck_fails(dlviz_trainer_exchange_average(p.trainer), DLVIZ_ERROR_STATE, "no average");
    ck_ok(dlviz_trainer_set_batch_callback(p.trainer, average_on, &a));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 3));
    ck_assert_int_eq(a.steps, 18);
    size_t size;
    void *before = all_states(p.network, &size), *after;
    double loss = dlviz_trainer_history(p.trainer, 2, "validation_loss"), own, raw;
    ck_ok(dlviz_network_evaluate(p.network, p.validation, &raw, NULL));
    ck_ok(dlviz_trainer_exchange_average(p.trainer));
    ck_assert(dlviz_trainer_average_is_exchanged(p.trainer));
    static double found[MOST];
    int64_t count = all_numbers(p.network, found);
    for (int64_t i = 0; i < count; i++)
        ck_assert_double_eq_tol(found[i], a.average[i], 2e-6 * (1 + fabs(a.average[i])));
    /* The figures are those of the average, and not those of what is trained. */
    ck_ok(dlviz_network_evaluate(p.network, p.validation, &own, NULL));
    ck_assert(own == loss && raw != loss);
    ck_fails(dlviz_trainer_fit(p.trainer, p.train, 1), DLVIZ_ERROR_STATE, "holds the average");
    ck_fails(dlviz_trainer_save_checkpoint(p.trainer, scratch_path("never")), DLVIZ_ERROR_STATE,
             "holds the average");
    ck_fails(dlviz_trainer_set_averaging(p.trainer, 0), DLVIZ_ERROR_STATE, "holds the average");
    ck_ok(dlviz_trainer_exchange_average(p.trainer));
    after = all_states(p.network, &size);
    ck_assert_mem_eq(before, after, size);
    free(before);
    free(after);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    end_process(&p);
}
END_TEST

static bool exchange_within(const dlviz_trainer_event *event, void *user) {
    (void)user;
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    bool last = dlviz_trainer_event_batch(event) + 1 == dlviz_trainer_num_batches(trainer);
    if (last)
        ck_ok(dlviz_trainer_exchange_average(trainer));
    return true;
}

static double exchange_in_metric(const dlviz_tensor *outputs, const dlviz_tensor *targets,
                                 void *user) {
    (void)outputs;
    (void)targets;
    process *p = user;
    ck_fails(dlviz_trainer_exchange_average(p->trainer), DLVIZ_ERROR_STATE, "being evaluated");
    ck_fails(dlviz_trainer_set_averaging(p->trainer, 0.5), DLVIZ_ERROR_STATE, "holds the average");
    return 1;
}

START_TEST(an_exchanged_average_is_not_trained) {
    process p;
    begin_process(&p, PLAIN_NET, ADAM, false);
    ck_ok(dlviz_trainer_set_averaging(p.trainer, 0.5));
    ck_ok(dlviz_trainer_add_metric(p.trainer, "within", exchange_in_metric, &p));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_ok(dlviz_trainer_set_batch_callback(p.trainer, exchange_within, NULL));
    ck_fails(dlviz_trainer_fit(p.trainer, p.train, 1), DLVIZ_ERROR_STATE, "holds the average");
    end_process(&p);
}
END_TEST

/* -- Events and settings -------------------------------------------------------------------------
 */

typedef struct watch {
    int64_t batches, epochs;
} watch;

static bool watch_batch(const dlviz_trainer_event *event, void *user) {
    watch *w = user;
    ck_assert_int_eq(dlviz_trainer_event_batch(event), w->batches % 6);
    ck_assert_int_eq(dlviz_trainer_event_epoch(event), w->batches / 6);
    ck_assert(dlviz_trainer_event_loss(event) > 0);
    ck_assert_double_eq(dlviz_trainer_event_learning_rate(event), 0.1);
    ck_assert_int_eq(dlviz_trainer_stop_reason(dlviz_trainer_event_trainer(event)),
                     DLVIZ_STOP_REASON_NONE);
    w->batches++;
    return true;
}

static bool watch_epoch(const dlviz_trainer_event *event, void *user) {
    watch *w = user;
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    ck_assert_int_eq(dlviz_trainer_event_epoch(event), w->epochs);
    ck_assert_int_eq(dlviz_trainer_event_batch(event), 5);
    ck_assert_double_eq(dlviz_trainer_event_loss(event),
                        dlviz_trainer_history(trainer, w->epochs, "validation_loss"));
    w->epochs++;
    return true;
}

static void keep_line(dlviz_log_level level, const char *message, void *user) {
    if (level == DLVIZ_LOG_LEVEL_INFO)
        strncpy(user, message, 399);
}

START_TEST(events_say_what_happened) {
    process p;
    watch w = {0, 0};
    char line[400] = "";
    begin(&p, 8, false);
    ck_ok(dlviz_trainer_set_batch_callback(p.trainer, watch_batch, &w));
    ck_ok(dlviz_trainer_set_epoch_callback(p.trainer, watch_epoch, &w));
    dlviz_set_log(keep_line, line);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 2));
    dlviz_set_log(NULL, NULL);
    ck_assert_int_eq(w.batches, 12);
    ck_assert_int_eq(w.epochs, 2);
    ck_assert_int_eq(dlviz_trainer_stop_reason(p.trainer), DLVIZ_STOP_REASON_EPOCHS);
    ck_assert_msg(strstr(line, "epoch 2 lr 0.1 train_loss ") == line, "%s", line);
    ck_assert_msg(strstr(line, " validation_accuracy ") != NULL, "%s", line);
    end_process(&p);
    ck_assert_ptr_null(dlviz_trainer_event_trainer(NULL));
    ck_assert_int_eq(dlviz_trainer_event_epoch(NULL), 0);
    ck_assert_int_eq(dlviz_trainer_event_batch(NULL), 0);
    ck_assert(isnan(dlviz_trainer_event_loss(NULL)));
    ck_assert(isnan(dlviz_trainer_event_gradient_norm(NULL)));
    ck_assert(isnan(dlviz_trainer_event_learning_rate(NULL)));
}
END_TEST

START_TEST(mistakes_are_named) {
    process p;
    begin(&p, 8, false);
    ck_fails(dlviz_trainer_set_accumulation(p.trainer, 0), INVALID, "0 batches");
    ck_fails(dlviz_trainer_set_clip_norm(p.trainer, -1), INVALID, "-1");
    ck_fails(dlviz_trainer_set_clip_norm(p.trainer, (double)NAN), INVALID, "nan");
    ck_fails(dlviz_trainer_set_clip_value(p.trainer, (double)INFINITY), INVALID, "inf");
    ck_fails(dlviz_trainer_set_averaging(p.trainer, 1), INVALID, "the decay is 1");
    ck_fails(dlviz_trainer_set_averaging(p.trainer, -0.5), INVALID, "-0.5");
    ck_fails(dlviz_network_clip_gradient_norm(p.network, 1, NULL), DLVIZ_ERROR_STATE, "no gradie");
    ck_fails(dlviz_network_clip_gradient_value(p.network, 1), DLVIZ_ERROR_STATE, "no gradients");
    ck_fails(dlviz_network_clip_gradient_value(p.network, 0), INVALID, "above 0");
    ck_assert_int_eq(dlviz_trainer_accumulation(p.trainer), 1);
    p.stop_after = 2;
    ck_stops(p.trainer, p.train, 1);
    ck_fails(dlviz_trainer_set_accumulation(p.trainer, 3), DLVIZ_ERROR_STATE, "under way");
    end_process(&p);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {accumulated_batches_are_a_large_one,
                                  accumulated_weights_may_be_of_any_size,
                                  gradients_are_clipped,
                                  gradients_are_clipped_to_any_norm,
                                  a_norm_that_is_not_finite_ends_it,
                                  averages_are_of_all_steps,
                                  an_exchanged_average_is_not_trained,
                                  events_say_what_happened,
                                  mistakes_are_named,
                                  NULL};
    return run_tests("from gradients to steps", tests);
}
