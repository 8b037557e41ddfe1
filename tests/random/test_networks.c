/* Random networks on random data against double precision, under every instruction set: outputs of
 * all layers, loss, every gradient, running statistics and three optimizer steps.
 * support/expected.h says how far a number may be off. */
#include "base/cpu.h"
#include "support/expected.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Checks in one process of one instruction set; the first few lines tell. */
typedef struct check {
    const char *where;
    int step; /* 0: evaluation */
    int far;
} check;

static void report(check *c, const char *what, const char *name, int64_t index, double found,
                   double truth, double bound) {
    if (c->far++ < 6)
        printf("  %s, step %d: %s%s[%lld] is %.9g, truth %.9g: off by %.3g, allowed %.3g\n",
               c->where, c->step, what, name, (long long)index, found, truth, fabs(found - truth),
               bound);
}

/* Reports the number that is farthest off, as a multiple of its bound. */
static void compare(check *c, const char *what, const char *name, const float *found,
                    const expected_numbers *numbers) {
    double worst = 1;
    int64_t at = -1, count = 0, live = -1, alive = 0;
    for (int64_t i = 0; i < numbers->count; i++) {
        double off = fabs((double)found[i] - numbers->value[i]), bound = numbers->bound[i];
        double ratio = isnan(off) ? INFINITY : bound > 0 ? off / bound : off > 0 ? INFINITY : 0;
        count += ratio > 1;
        if (ratio > worst) {
            worst = ratio;
            at = i;
        }
        if (numbers->zero && numbers->zero[i] && found[i] != 0) {
            alive++;
            live = i;
        }
    }
    if (at >= 0)
        report(c, what, name, at, (double)found[at], numbers->value[at], numbers->bound[at]);
    if (count > 1 && c->far <= 6)
        printf("    with %lld more of %lld\n", (long long)count - 1, (long long)numbers->count);
    if (live >= 0)
        report(c, "what must be exactly 0, ", name, live, (double)found[live], 0, 0);
    if (alive > 1 && c->far <= 6)
        printf("    with %lld more of %lld\n", (long long)alive - 1, (long long)numbers->count);
}

static void compare_loss(check *c, double found, double truth, double bound) {
    if (!(fabs(found - truth) <= bound))
        report(c, "loss", "", 0, found, truth, bound);
}

static void set_states(dlviz_network *network, const reference *states) {
    for (int i = 0; i < states->count; i++) {
        const reference_state_entry *s = &states->states[i];
        dlviz_tensor *tensor;
        ck_ok(dlviz_network_get_state(network, s->name, &tensor));
        ck_assert_int_eq(dlviz_tensor_num_elements(tensor), s->count);
        for (int64_t j = 0; j < s->count; j++)
            dlviz_tensor_float(tensor)[j] = (float)s->values[j];
        ck_ok(dlviz_network_set_state(network, s->name, tensor));
        dlviz_tensor_destroy(tensor);
    }
}

static dlviz_tensor *tensor_of(const network_case *made) {
    const net_spec *spec = &made->spec;
    int64_t dims[4] = {made->n, spec->dims[0], spec->dims[1], spec->dims[2]};
    return float_tensor(spec->ndim + 1, dims, made->inputs);
}

static void compare_bits(check *c, const char *what, const char *name, dlviz_tensor *found,
                         const dlviz_tensor *wanted) {
    const float *a = dlviz_tensor_const_float(found), *b = dlviz_tensor_const_float(wanted);
    for (int64_t i = 0; i < dlviz_tensor_num_elements(wanted); i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0) {
            report(c, what, name, i, a[i], b[i], 0);
            break;
        }
    dlviz_tensor_destroy(found);
}

/* One pass gives what calls of their own give, to the bit. */
static void check_inspection(check *c, dlviz_network *network, const dlviz_dataset *dataset,
                             const char *layer, const dlviz_tensor *features,
                             const dlviz_tensor *outputs) {
    dlviz_tensor *found_outputs, *found_features;
    ck_ok(dlviz_network_inspect(network, dataset, layer, NULL, NULL, &found_outputs,
                                &found_features));
    compare_bits(c, "inspected ", layer, found_features, features);
    compare_bits(c, "outputs beside ", layer, found_outputs, outputs);
}

static void check_evaluation(check *c, const network_case *made, const expected *truth,
                             dlviz_network *network) {
    dlviz_tensor *inputs = tensor_of(made), *labels = int64_tensor(made->n, made->labels), *found;
    dlviz_tensor *outputs;
    const net_spec *spec = &made->spec;
    dlviz_dataset *dataset;
    double loss;
    c->step = 0;
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    ck_ok(dlviz_network_predict(network, dataset, &outputs));
    for (int i = 0; i < spec->count; i++) {
        ck_ok(dlviz_network_features(network, spec->layers[i].name, dataset, &found));
        ck_assert_int_eq(dlviz_tensor_num_elements(found), truth->output[i].count);
        compare(c, "output of ", spec->layers[i].name, dlviz_tensor_const_float(found),
                &truth->output[i]);
        check_inspection(c, network, dataset, spec->layers[i].name, found, outputs);
        dlviz_tensor_destroy(found);
    }
    ck_ok(dlviz_network_forward(network, inputs, &found));
    compare(c, "forward", "", dlviz_tensor_const_float(found), &truth->output[spec->count - 1]);
    ck_ok(dlviz_network_evaluate(network, dataset, &loss, NULL));
    compare_loss(c, loss, truth->loss, truth->loss_bound);
    dlviz_tensor_destroy(found);
    dlviz_tensor_destroy(outputs);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
}

static dlviz_optimizer *make_optimizer(const rule_settings *rule) {
    dlviz_optimizer *o = NULL;
    switch (rule->kind) {
    case RULE_ADAM:
        ck_ok(dlviz_adam_create(&o, rule->rate));
        break;
    case RULE_ADAMW:
        ck_ok(dlviz_adamw_create(&o, rule->rate));
        break;
    case RULE_RMSPROP:
        ck_ok(dlviz_rmsprop_create(&o, rule->rate));
        ck_ok(dlviz_rmsprop_set_smoothing(o, rule->alpha, rule->eps));
        break;
    default:
        ck_ok(dlviz_sgd_create(&o, rule->rate));
        ck_ok(dlviz_sgd_set_momentum(o, rule->momentum, rule->dampening,
                                     rule->kind == RULE_NESTEROV));
    }
    if (rule->kind == RULE_ADAM || rule->kind == RULE_ADAMW) {
        ck_ok(dlviz_adam_set_betas(o, rule->beta1, rule->beta2));
        ck_ok(dlviz_adam_set_eps(o, rule->eps));
    }
    ck_ok(dlviz_optimizer_set_weight_decay(o, rule->decay));
    return o;
}

/* What the rule makes of the library's own gradients: `moments` are those of one state. */
static void compare_step(check *c, const rule_settings *rule, const char *name,
                         const reference_state_entry *before, const float *gradient,
                         const float *after, double *first, double *second) {
    expected_numbers numbers = {.count = before->count,
                                .value = calloc((size_t)before->count, sizeof(double)),
                                .bound = calloc((size_t)before->count, sizeof(double))};
    for (int64_t j = 0; j < before->count; j++)
        numbers.value[j] = reference_step(rule, c->step, before->values[j], (double)gradient[j],
                                          &first[j], &second[j], &numbers.bound[j]);
    compare(c, "stepped ", name, after, &numbers);
    free(numbers.value);
    free(numbers.bound);
}

static dlviz_tensor *state_copy(const dlviz_network *network, const char *name) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_network_get_state(network, name, &tensor));
    return tensor;
}

static void check_training(check *c, const network_case *made, const expected *truth,
                           dlviz_network *network) {
    dlviz_tensor *inputs = tensor_of(made), *labels = int64_tensor(made->n, made->labels);
    dlviz_optimizer *optimizer = make_optimizer(&made->rule);
    double *moments[REFERENCE_STATES][2] = {{0}};
    for (int i = 0; i < made->states->count; i++)
        for (int m = 0; m < 2; m++)
            moments[i][m] = calloc((size_t)made->states->states[i].count, sizeof(double));
    for (int t = 0; t < truth->num_steps && truth->steps[t].finite; t++) {
        const expected_step *step = &truth->steps[t];
        double loss;
        c->step = t + 1;
        set_states(network, step->states);
        ck_ok(dlviz_network_backward(network, inputs, labels, made->dropout_seed, (uint64_t)t,
                                     &loss));
        if (step->conditioned)
            compare_loss(c, loss, step->loss, step->loss_bound);
        dlviz_tensor *gradients[REFERENCE_STATES] = {0};
        for (int i = 0; i < made->states->count; i++) {
            const char *name = made->states->states[i].name;
            if (step->running[i].count > 0) {
                dlviz_tensor *now = state_copy(network, name);
                if (step->conditioned)
                    compare(c, "", name, dlviz_tensor_const_float(now), &step->running[i]);
                dlviz_tensor_destroy(now);
                continue;
            }
            ck_ok(dlviz_network_get_gradient(network, name, &gradients[i]));
            if (step->gradients)
                compare(c, "gradient of ", name, dlviz_tensor_const_float(gradients[i]),
                        &step->gradient[i]);
        }
        ck_ok(dlviz_optimizer_step(optimizer, network));
        for (int i = 0; i < made->states->count; i++) {
            const reference_state_entry *before = &step->states->states[i];
            if (!gradients[i])
                continue;
            dlviz_tensor *now = state_copy(network, before->name);
            compare_step(c, &made->rule, before->name, before,
                         dlviz_tensor_const_float(gradients[i]), dlviz_tensor_const_float(now),
                         moments[i][0], moments[i][1]);
            dlviz_tensor_destroy(now);
            dlviz_tensor_destroy(gradients[i]);
        }
    }
    for (int i = 0; i < REFERENCE_STATES; i++)
        for (int m = 0; m < 2; m++)
            free(moments[i][m]);
    dlviz_optimizer_destroy(optimizer);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
}

/* -- Every instruction set ------------------------------------------------------------------- */

typedef int run_fn(const network_case *made, const expected *truth, const char *isa);

/* The library chooses its instruction set once a process, so each runs in one of its own, which
 * finds the expected numbers in the memory that it shares with this one. */
static bool run_isa(dlz_isa isa, uint64_t seed, const network_case *made, const expected *truth,
                    run_fn *run) {
    fflush(stdout);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        setenv("DLVIZ_ISA", dlz_isa_name(isa), 1);
        ck_ok(dlviz_set_num_threads(1 + (int)((seed + isa) % 3)));
        int far = run(made, truth, dlz_isa_name(isa));
        fflush(stdout);
        _exit(far > 0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        printf("  %s: signal %d\n", dlz_isa_name(isa), WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void run_all(uint64_t seed, const network_case *made, const expected *truth, run_fn *run) {
    bool right = true;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        if (dlz_isa_available((dlz_isa)isa))
            right &= run_isa((dlz_isa)isa, seed, made, truth, run);
    if (!right)
        network_case_print(made, seed);
    fflush(stdout);
    ck_assert_msg(right,
                  "seed %llu: some numbers are wrong; DLVIZ_TEST_SEED=%llu "
                  "DLVIZ_TEST_RANDOM=1 repeats it",
                  (unsigned long long)seed, (unsigned long long)seed);
}

static int run_network(const network_case *made, const expected *truth, const char *isa) {
    check c = {.where = isa};
    dlviz_network *network = build_net(&made->spec, 1);
    set_states(network, made->states);
    if (truth->finite)
        check_evaluation(&c, made, truth, network);
    check_training(&c, made, truth, network);
    dlviz_network_destroy(network);
    return c.far;
}

/* Whether the first step's gradients could be compared: they cannot where they are too large for
 * float32, where a batch norm sees rounding alone, or where more relus and pools than can be
 * followed are so near a tie that rounding may decide them. */
static bool agrees_on(uint64_t seed) {
    network_case made;
    expected truth;
    network_case_make(&made, seed);
    expected_make(&truth, &made);
    const expected_step *step = &truth.steps[0];
    bool compared = truth.finite && step->finite && step->conditioned && step->gradients;
    run_all(seed, &made, &truth, run_network);
    expected_free(&truth);
    network_case_free(&made);
    return compared;
}

/* Where gradients could not be compared, another network is tried besides. */
static void agrees(uint64_t seed) {
    enum { TRIES = 6, FAR_SEEDS = 20000000 };
    int tries = 0;
    while (!agrees_on(seed + (uint64_t)tries * FAR_SEEDS))
        ck_assert_msg(++tries < TRIES, "seed %llu: no gradients could be compared",
                      (unsigned long long)seed);
}

/* -- NaN and infinity ------------------------------------------------------------------------ */

/* NaN where the truth is NaN, infinite where it is infinite, finite where it is finite. */
static void compare_kinds(check *c, const char *name, const float *found, const double *truth,
                          int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        double value = (double)found[i];
        bool same = isnan(value) == isnan(truth[i]) && isinf(value) == isinf(truth[i]);
        if (!same) {
            report(c, "output of ", name, i, value, truth[i], 0);
            return;
        }
    }
}

static int run_not_finite(const network_case *made, const expected *unused, const char *isa) {
    check c = {.where = isa};
    const net_spec *spec = &made->spec;
    dlviz_network *network = build_net(spec, 1);
    dlviz_tensor *inputs = tensor_of(made), *labels = int64_tensor(made->n, made->labels), *found;
    dlviz_dataset *dataset;
    reference_setup setup = {.n = made->n, .inputs = made->inputs, .labels = made->labels};
    reference_pass pass;
    (void)unused;
    set_states(network, made->states);
    reference_run(made->states, &setup, &pass);
    ck_ok(dlviz_dataset_create(&dataset, inputs, NULL));
    for (int i = 0; i < spec->count; i++) {
        ck_ok(dlviz_network_features(network, spec->layers[i].name, dataset, &found));
        compare_kinds(&c, spec->layers[i].name, dlviz_tensor_const_float(found), pass.value[i + 1],
                      dlviz_tensor_num_elements(found));
        dlviz_tensor_destroy(found);
    }
    reference_pass_free(&pass);
    setup.training = setup.dropout = true;
    reference_run(made->states, &setup, &pass);
    double loss;
    dlviz_status status = dlviz_network_backward(network, inputs, labels, 0, 0, &loss);
    ck_assert(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC);
    c.step = 1;
    if ((status == DLVIZ_OK) != isfinite(pass.loss))
        report(&c, "loss", "", 0, loss, pass.loss, 0);
    reference_pass_free(&pass);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(network);
    return c.far;
}

/* One input is NaN or infinite. */
static void shows_not_finite(uint64_t seed) {
    static const float values[] = {NAN, NAN, INFINITY, -INFINITY};
    dlz_random random = random_numbers(seed + 5000000);
    network_case made;
    do { /* scales are the other test's subject */
        network_case_make(&made, (uint64_t)random_between(&random, 0, 5000000));
        if (made.kind == DATA_SCALED || made.kind == DATA_OUTLIER)
            network_case_free(&made);
    } while (made.kind == DATA_SCALED || made.kind == DATA_OUTLIER);
    int64_t count = made.n * product(made.spec.ndim, made.spec.dims);
    int64_t at = random_between(&random, 0, count - 1), which = random_between(&random, 0, 3);
    made.inputs[at] = values[which];
    size_t used = strlen(made.data);
    snprintf(made.data + used, sizeof made.data - used, "; input %lld is %g", (long long)at,
             (double)values[which]);
    run_all(seed, &made, NULL, run_not_finite);
    network_case_free(&made);
}

int main(void) {
    const random_test tests[] = {
        {"agrees", agrees, 300}, {"shows_not_finite", shows_not_finite, 60}, {NULL, NULL, 0}};
    return run_random_tests("random networks", tests);
}
