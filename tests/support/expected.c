#include "support/expected.h"
#include "support/expected_decisions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Runs with random roundings, and how much farther than they a number may be. */
enum { RUNS = 5, NOISE_STREAM = 78 };
#define SAFETY 12.0
/* The share of that within which a decision counts as open. */
#define DECISION 0.25
#define UNIT 0x1p-24
/* Float32 has few digits below its normal numbers. */
#define FLOOR 0x1p-120
/* Beyond this a number is not expected to survive float32's range, nor its square. */
#define LARGEST 1e36
/* The share of a variance that rounding may change at most for a step to be compared. */
#define CONDITIONED 0.02
/* A gradient of this share of its terms is 0 but for the reference's own rounding. */
#define NOTHING 1e-11
/* The rounding of what is itself but a rounding, as a share of a network's largest gradient. */
#define SECOND_ORDER 0x1p-42

static double *new_array(int64_t count) {
    double *array = calloc((size_t)count + 1, sizeof *array);
    ck_assert_ptr_nonnull(array);
    return array;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The median of those that are not 0, of `groups` interleaved as [outer][group][area]. */
static double median_of(const double *deviations, int64_t outer, int64_t groups, int64_t area,
                        int64_t group, double *sorted) {
    int64_t count = 0;
    for (int64_t i = 0; i < outer; i++)
        for (int64_t j = 0; j < area; j++) {
            double d = deviations[(i * groups + group) * area + j];
            if (d > 0)
                sorted[count++] = d;
        }
    if (count == 0)
        return 0;
    qsort(sorted, (size_t)count, sizeof *sorted, ascending);
    return sorted[count / 2];
}

/* An array of numbers: [outer][group][area], and its truth, roundings and shaken runs. */
typedef struct family {
    int64_t outer, groups, area;
    const double *truth, *size, *runs[RUNS];
} family;

/* The bounds; `exact` asks for 0 where nothing was shaken. */
static double *spread(family f, bool exact) {
    int64_t count = f.outer * f.groups * f.area;
    double *deviations = new_array(count), *bound = new_array(count), *sorted = new_array(count);
    for (int64_t i = 0; i < count; i++)
        for (int run = 0; run < RUNS; run++)
            deviations[i] = fmax(deviations[i], fabs(f.runs[run][i] - f.truth[i]));
    if (f.outer * f.area < 16) { /* too few for a median of their own */
        f.outer = f.area = 1;
        f.area = count;
        f.groups = 1;
    }
    for (int64_t g = 0; g < f.groups; g++) {
        double median = median_of(deviations, f.outer, f.groups, f.area, g, sorted);
        for (int64_t i = 0; i < f.outer; i++)
            for (int64_t j = 0; j < f.area; j++) {
                int64_t at = (i * f.groups + g) * f.area + j;
                bool still = exact && deviations[at] == 0 && f.size[at] == 0;
                bound[at] = still ? 0
                                  : SAFETY * (deviations[at] + median) +
                                        4 * UNIT * fabs(f.truth[at]) + FLOOR;
            }
    }
    free(deviations);
    free(sorted);
    return bound;
}

static double *copied(const double *values, int64_t count) {
    double *copy = new_array(count);
    memcpy(copy, values, (size_t)count * sizeof *copy);
    return copy;
}

static family of_value(const net_spec *spec, int64_t n, int at, const reference_pass *truth,
                       const reference_pass *sizes, const reference_pass *runs) {
    const int64_t *dims = at > 0 ? spec->layers[at - 1].dims : spec->dims;
    int ndim = at > 0 ? spec->layers[at - 1].ndim : spec->ndim;
    family f = {.outer = n,
                .groups = dims[0],
                .area = product(ndim, dims) / dims[0],
                .truth = truth->value[at],
                .size = sizes->value[at]};
    for (int run = 0; run < RUNS; run++)
        f.runs[run] = runs[run].value[at];
    return f;
}

static bool fits_float(const double *values, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!(fabs(values[i]) < LARGEST))
            return false;
    return true;
}

/* All values, and the squares that batch norms sum. */
static bool pass_fits_float(const reference *ref, int64_t n, const reference_pass *pass) {
    const net_spec *spec = &ref->spec;
    for (int at = 0; at <= spec->count; at++) {
        const int64_t *dims = at > 0 ? spec->layers[at - 1].dims : spec->dims;
        int64_t size = n * product(at > 0 ? spec->layers[at - 1].ndim : spec->ndim, dims);
        if (!fits_float(pass->value[at], size))
            return false;
        if (pass->gradient[at] && !fits_float(pass->gradient[at], size))
            return false;
        if (at < spec->count && pass->variance[at] && !fits_float(pass->variance[at], dims[0]))
            return false;
    }
    for (int i = 0; i < ref->count; i++)
        if (pass->state_gradient[i] && !fits_float(pass->state_gradient[i], ref->states[i].count))
            return false;
    return true;
}

static void shaken_runs(const reference *ref, const reference_setup *setup,
                        const reference_pass *truth, const reference_pass *sizes,
                        reference_pass runs[RUNS]) {
    dlz_random random = dlz_random_start(setup->seed, NOISE_STREAM);
    reference_setup shaken = *setup;
    shaken.decisions = truth;
    shaken.noise = sizes;
    shaken.random = &random;
    for (int run = 0; run < RUNS; run++)
        reference_run(ref, &shaken, &runs[run]);
}

/* -- Evaluation ------------------------------------------------------------------------------ */

static void expect_evaluation(expected *result, const network_case *made) {
    const net_spec *spec = &made->spec;
    reference_setup setup = {
        .n = made->n, .inputs = made->inputs, .labels = made->labels, .seed = made->dropout_seed};
    reference_pass truth, sizes, terms, runs[RUNS];
    reference_run(made->states, &setup, &truth);
    result->finite = pass_fits_float(made->states, made->n, &truth);
    reference_rounding(made->states, &setup, &truth, &sizes, &terms);
    shaken_runs(made->states, &setup, &truth, &sizes, runs);
    for (int i = 0; i < spec->count; i++) {
        expected_numbers *to = &result->output[i];
        to->count = made->n * product(spec->layers[i].ndim, spec->layers[i].dims);
        to->value = copied(truth.value[i + 1], to->count);
        to->bound = spread(of_value(spec, made->n, i + 1, &truth, &sizes, runs), false);
    }
    result->loss = truth.loss;
    result->loss_bound = 8 * UNIT * (1 + fabs(truth.loss));
    for (int run = 0; run < RUNS; run++) {
        result->loss_bound += SAFETY * fabs(runs[run].loss - truth.loss);
        reference_pass_free(&runs[run]);
    }
    reference_pass_free(&truth);
    reference_pass_free(&sizes);
    reference_pass_free(&terms);
}

/* -- One step of training -------------------------------------------------------------------- */

typedef struct step_runs {
    const network_case *made;
    reference_setup setup;
    reference_pass sizes, terms, all[1 + RUNS], *truth, *runs; /* truth and runs are in all */
} step_runs;

static double largest_gradient(const reference *ref, const reference_pass *pass) {
    double most = 0;
    for (int i = 0; i < ref->count; i++)
        for (int64_t j = 0; pass->state_gradient[i] && j < ref->states[i].count; j++)
            most = fmax(most, fabs(pass->state_gradient[i][j]));
    return most;
}

static void expect_gradients(expected_step *step, step_runs *r) {
    const reference *ref = step->states;
    double least = SECOND_ORDER * largest_gradient(ref, r->truth);
    for (int i = 0; i < ref->count; i++) {
        expected_numbers *to = &step->gradient[i];
        if (!r->truth->state_gradient[i])
            continue;
        const layer_spec *layer = &ref->spec.layers[ref->states[i].layer];
        bool vector = layer->kind == BATCHNORM || ref->states[i].count == layer->out;
        to->count = ref->states[i].count;
        family f = {.outer = 1,
                    .groups = vector ? 1 : layer->out,
                    .area = vector ? to->count : to->count / layer->out,
                    .truth = r->truth->state_gradient[i],
                    .size = r->sizes.state_gradient[i]};
        for (int run = 0; run < RUNS; run++)
            f.runs[run] = r->runs[run].state_gradient[i];
        to->value = copied(r->truth->state_gradient[i], to->count);
        to->bound = spread(f, false);
        for (int64_t j = 0; j < to->count; j++)
            to->bound[j] += least;
    }
}

/* Whether a shift of all numbers of a channel (after a flatten: of any one number) that layer `at`
 * gives is taken out again by a batch norm, whatever the data. */
static bool shift_is_lost(const net_spec *spec, int at) {
    for (int i = at + 1; i < spec->count; i++) {
        const layer_spec *layer = &spec->layers[i];
        bool pads = layer->padding[0] != 0 || layer->padding[1] != 0;
        if (layer->kind == BATCHNORM)
            return true;
        if (layer->kind == RELU || (layer->kind == DROPOUT && layer->p > 0) ||
            (layer->kind == CONV && pads))
            return false;
    }
    return false;
}

/* Gradients that are 0 whatever the data (biases before a batch norm), and those whose every term
 * is 0 in all runs (what a relu blocks, a weight of 0 or an input of 0). */
static void find_zeros(expected_step *step, const step_runs *r) {
    const reference *ref = step->states;
    for (int i = 0; i < ref->count; i++) {
        expected_numbers *to = &step->gradient[i];
        if (to->count == 0)
            continue;
        bool lost = strcmp(strchr(ref->states[i].name, '.') + 1, "bias") == 0 &&
                    shift_is_lost(&ref->spec, ref->states[i].layer);
        to->zero = calloc((size_t)to->count, 1);
        ck_assert_ptr_nonnull(to->zero);
        for (int64_t j = 0; j < to->count; j++) {
            to->zero[j] = r->terms.state_gradient[i][j] == 0;
            for (int run = 0; run < RUNS; run++)
                to->zero[j] &= r->runs[run].state_gradient[i][j] == 0;
            to->zero[j] |= lost;
            if (fabs(to->value[j]) <= NOTHING * r->terms.state_gradient[i][j])
                to->value[j] = 0;
        }
    }
}

/* Turns each open decision the other way and adds what that changes to the bounds, with the
 * roundings of the numbers that then differ from 0. */
static void widen(expected_step *step, step_runs *r, open_decision *open) {
    const reference *ref = step->states;
    dlz_random random = dlz_random_start(r->setup.seed, NOISE_STREAM + 1);
    for (int d = 0; d < step->open; d++) {
        reference_pass turned, sizes, terms, shaken;
        reference_setup setup = r->setup;
        setup.decisions = r->truth;
        turn_decision(ref, r->truth, &open[d]);
        reference_run(ref, &setup, &turned);
        reference_rounding(ref, &setup, &turned, &sizes, &terms);
        setup.noise = &sizes;
        setup.random = &random;
        reference_run(ref, &setup, &shaken);
        turn_decision(ref, r->truth, &open[d]);
        for (int i = 0; i < ref->count; i++)
            for (int64_t j = 0; j < step->gradient[i].count; j++) {
                double there = turned.state_gradient[i][j];
                step->gradient[i].bound[j] += 1.5 * fabs(there - r->truth->state_gradient[i][j]) +
                                              SAFETY * fabs(shaken.state_gradient[i][j] - there);
            }
        reference_pass_free(&turned);
        reference_pass_free(&sizes);
        reference_pass_free(&terms);
        reference_pass_free(&shaken);
    }
}

static void expect_running(expected_step *step, const step_runs *r) {
    const reference *ref = step->states;
    const net_spec *spec = &ref->spec;
    for (int i = 0; i < ref->count; i++) {
        int at = ref->states[i].layer;
        const layer_spec *layer = &spec->layers[at];
        if (r->truth->state_gradient[i])
            continue;
        bool mean = i == reference_find(ref, at, "running_mean");
        int64_t channels = layer->dims[0];
        double count = (double)(r->made->n * product(layer->ndim, layer->dims) / channels);
        double unbias = mean ? 1 : count / (count - 1), share = layer->momentum;
        family f = {.outer = 1,
                    .groups = 1,
                    .area = channels,
                    .truth = mean ? r->truth->mean[at] : r->truth->variance[at],
                    .size = mean ? r->sizes.mean[at] : r->sizes.variance[at]};
        for (int run = 0; run < RUNS; run++)
            f.runs[run] = mean ? r->runs[run].mean[at] : r->runs[run].variance[at];
        expected_numbers *to = &step->running[i];
        to->count = channels;
        to->value = new_array(channels);
        to->bound = spread(f, false);
        for (int64_t c = 0; c < channels; c++) {
            double old = ref->states[i].values[c], now = f.truth[c] * unbias;
            to->value[c] = (1 - share) * old + share * now;
            to->bound[c] = share * unbias * to->bound[c] +
                           4 * UNIT * ((1 - share) * fabs(old) + share * fabs(now)) + FLOOR;
        }
    }
}

/* errors[i] of value[i]; those of the inputs are none. */
static void find_open(expected_step *step, step_runs *r) {
    const net_spec *spec = &r->made->spec;
    double *errors[MAX_LAYERS + 1];
    open_decision open[MOST_OPEN];
    for (int at = 0; at <= spec->count; at++) {
        family f = of_value(spec, r->made->n, at, r->truth, &r->sizes, r->runs);
        errors[at] = spread(f, true);
        for (int64_t i = 0; i < f.outer * f.groups * f.area; i++)
            errors[at][i] *= DECISION;
    }
    step->open =
        find_open_decisions(step->states, r->made->n, r->all, 1 + RUNS, errors, open, MOST_OPEN);
    for (int at = 0; at <= spec->count; at++)
        free(errors[at]);
    step->gradients = step->open <= MOST_OPEN;
    if (step->open == 0)
        find_zeros(step, r);
    else if (step->gradients)
        widen(step, r, open);
}

/* Whether each batch norm has a variance that rounding hardly changes. Elsewhere it normalizes
 * little else than rounding errors, and nothing that follows can be foretold. */
static bool is_conditioned(const expected_step *step, const step_runs *r) {
    const net_spec *spec = &step->states->spec;
    for (int at = 0; at < spec->count; at++)
        for (int64_t c = 0; spec->layers[at].kind == BATCHNORM && c < spec->layers[at].dims[0]; c++)
            for (int run = 0; run < RUNS; run++) {
                double truth = r->truth->variance[at][c] + spec->layers[at].eps;
                if (fabs(r->runs[run].variance[at][c] + spec->layers[at].eps - truth) >
                    CONDITIONED * truth)
                    return false;
            }
    return true;
}

/* What float32 holds. */
static void round_states(reference *ref) {
    for (int i = 0; i < ref->count; i++)
        for (int64_t j = 0; j < ref->states[i].count; j++)
            ref->states[i].values[j] = (float)ref->states[i].values[j];
}

static reference *copied_states(const reference *from) {
    reference *ref = reference_create_empty(&from->spec);
    for (int i = 0; i < ref->count; i++)
        memcpy(ref->states[i].values, from->states[i].values,
               (size_t)ref->states[i].count * sizeof *ref->states[i].values);
    return ref;
}

/* Returns whether float32 can hold the step. */
static bool expect_step(expected_step *step, const network_case *made, int t) {
    step_runs r = {.made = made,
                   .setup = {.n = made->n,
                             .inputs = made->inputs,
                             .labels = made->labels,
                             .training = true,
                             .dropout = true,
                             .seed = made->dropout_seed,
                             .step = (uint64_t)t}};
    r.truth = r.all;
    r.runs = r.all + 1;
    reference_run(step->states, &r.setup, r.truth);
    step->finite = pass_fits_float(step->states, made->n, r.truth);
    if (step->finite) {
        reference_rounding(step->states, &r.setup, r.truth, &r.sizes, &r.terms);
        shaken_runs(step->states, &r.setup, r.truth, &r.sizes, r.runs);
        step->loss = r.truth->loss;
        step->loss_bound = 8 * UNIT * (1 + fabs(r.truth->loss));
        for (int run = 0; run < RUNS; run++)
            step->loss_bound += SAFETY * fabs(r.runs[run].loss - r.truth->loss);
        expect_running(step, &r);
        expect_gradients(step, &r);
        step->conditioned = is_conditioned(step, &r);
        if (step->conditioned)
            find_open(step, &r);
    }
    for (int run = 0; step->finite && run < RUNS; run++)
        reference_pass_free(&r.runs[run]);
    reference_pass_free(r.truth);
    reference_pass_free(&r.sizes);
    reference_pass_free(&r.terms);
    return step->finite;
}

/* The states after a step, rounded to float32. */
static void advance(const network_case *made, const expected_step *from, int t, reference *states,
                    double *first[], double *second[]) {
    for (int i = 0; i < states->count; i++)
        for (int64_t j = 0; j < states->states[i].count; j++) {
            double error, *value = &states->states[i].values[j];
            *value = from->gradient[i].count > 0
                         ? reference_step(&made->rule, t, *value, from->gradient[i].value[j],
                                          &first[i][j], &second[i][j], &error)
                         : from->running[i].value[j];
        }
    round_states(states);
}

void expected_make(expected *result, const network_case *made) {
    double *first[REFERENCE_STATES], *second[REFERENCE_STATES];
    memset(result, 0, sizeof *result);
    expect_evaluation(result, made);
    reference *states = copied_states(made->states);
    for (int i = 0; i < states->count; i++) {
        first[i] = new_array(states->states[i].count);
        second[i] = new_array(states->states[i].count);
    }
    bool fits = true;
    for (int t = 0; fits && t < EXPECTED_STEPS; t++) {
        expected_step *step = &result->steps[t];
        result->num_steps = t + 1;
        step->states = copied_states(states);
        fits = expect_step(step, made, t);
        if (fits)
            advance(made, step, t + 1, states, first, second);
        for (int i = 0; i < states->count; i++)
            fits &= fits_float(states->states[i].values, states->states[i].count);
    }
    for (int i = 0; i < states->count; i++) {
        free(first[i]);
        free(second[i]);
    }
    reference_destroy(states);
}

static void free_numbers(expected_numbers *numbers) {
    free(numbers->value);
    free(numbers->bound);
    free(numbers->zero);
}

void expected_free(expected *result) {
    for (int i = 0; i < MAX_LAYERS; i++)
        free_numbers(&result->output[i]);
    for (int t = 0; t < result->num_steps; t++) {
        for (int i = 0; i < REFERENCE_STATES; i++) {
            free_numbers(&result->steps[t].gradient[i]);
            free_numbers(&result->steps[t].running[i]);
        }
        reference_destroy(result->steps[t].states);
    }
}
