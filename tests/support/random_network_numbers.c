/* The numbers of a random network: inputs of every kind, parameters with zeros and extremes,
 * running statistics that have nothing to do with the data. */
#include "support/random_network_numbers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double pick(dlz_random *random, int count, const double *from) {
    return from[random_between(random, 0, count - 1)];
}

static double sign(dlz_random *random) {
    return random_chance(random, 0.5) ? 1 : -1;
}

static void describe(network_case *made, const char *format, double a, double b) {
    snprintf(made->data, sizeof made->data, format, a, b);
}

/* -- Inputs ---------------------------------------------------------------------------------- */

static void fill_normal(float *x, int64_t count, dlz_random *random, double deviation,
                        double mean) {
    for (int64_t i = 0; i < count; i++)
        x[i] = (float)(dlz_random_normal(random) * deviation + mean);
}

static void fill_whole(network_case *made, int64_t count, dlz_random *random) {
    static const double lowest[] = {-2, -1, 0, 0, 0}, highest[] = {2, 1, 1, 3, 255};
    int64_t which = random_between(random, 0, 4);
    describe(made, "whole numbers from %g to %g", lowest[which], highest[which]);
    for (int64_t i = 0; i < count; i++)
        made->inputs[i] =
            (float)random_between(random, (int64_t)lowest[which], (int64_t)highest[which]);
}

static void fill_constant(network_case *made, int64_t count, dlz_random *random) {
    static const char *const texts[] = {"all equal", "each sample a constant",
                                        "each channel a constant", "all samples alike"};
    int64_t size = count / made->n, channels = made->spec.dims[0], area = size / channels;
    int64_t which = random_between(random, 0, 3);
    float *x = made->inputs;
    fill_normal(x, count, random, 1, 0);
    if (which == 0 && random_chance(random, 0.3))
        x[0] = 0;
    describe(made, texts[which], 0, 0);
    for (int64_t i = 0; i < count; i++)
        x[i] = which == 0   ? x[0]
               : which == 1 ? x[i / size * size]
               : which == 2 ? x[i / area % channels * area]
                            : x[i % size];
}

static void fill_outliers(network_case *made, int64_t count, dlz_random *random) {
    double size = pow(10, (double)random_between(random, 3, 9));
    int64_t how_many = random_chance(random, 0.5) ? 1 : random_between(random, 1, 3);
    bool first = random_chance(random, 0.3);
    describe(made, "normal, %g outliers of size %g", (double)how_many, size);
    fill_normal(made->inputs, count, random, 1, 0);
    for (int64_t i = 0; i < how_many; i++)
        made->inputs[first && i == 0 ? 0 : random_between(random, 0, count - 1)] =
            (float)(size * sign(random));
}

static void fill_inputs(network_case *made, dlz_random *random) {
    static const double deviations[] = {1, 1, 0.1, 3}, means[] = {0, 0, 1, -2};
    int64_t count = made->n * product(made->spec.ndim, made->spec.dims);
    double deviation = 1, mean = 0;
    made->inputs = calloc((size_t)count, sizeof *made->inputs);
    ck_assert_ptr_nonnull(made->inputs);
    switch (made->kind) {
    case DATA_WHOLE:
        fill_whole(made, count, random);
        return;
    case DATA_CONSTANT:
        fill_constant(made, count, random);
        return;
    case DATA_OUTLIER:
        fill_outliers(made, count, random);
        return;
    case DATA_SCALED:
        deviation = pow(10, (double)random_between(random, -18, 18));
        break;
    case DATA_OFFSET:
        mean = sign(random) * pow(10, 1 + 3 * dlz_random_double(random));
        break;
    default:
        deviation = pick(random, 4, deviations);
        mean = pick(random, 4, means);
    }
    describe(made, "normal, deviation %g, mean %g", deviation, mean);
    fill_normal(made->inputs, count, random, deviation, mean);
    if (made->kind != DATA_SPARSE)
        return;
    describe(made, "normal, deviation %g, mean %g; 19 of 20 are 0", deviation, mean);
    for (int64_t i = 0; i < count; i++)
        if (random_chance(random, 0.95))
            made->inputs[i] = 0;
}

/* -- States ---------------------------------------------------------------------------------- */

static void fill_weights(const network_case *made, dlz_random *random, reference_state_entry *s) {
    int64_t out = made->spec.layers[s->layer].out, size = s->count / out;
    double deviation = 1.4 / sqrt((double)size);
    bool whole = made->kind == DATA_WHOLE;
    int64_t reach = random_between(random, 1, 2);
    for (int64_t i = 0; i < s->count; i++)
        s->values[i] = whole ? (double)random_between(random, -reach, reach)
                             : (float)(dlz_random_normal(random) * deviation);
    for (int64_t o = 0; o < out; o++) { /* channels that are 0, and large numbers */
        double other = random_chance(random, 0.03) ? 0 : random_chance(random, 0.02) ? 32 : 1;
        for (int64_t i = 0; i < size; i++)
            s->values[o * size + i] *= other;
    }
    if (random_chance(random, 0.05))
        s->values[random_between(random, 0, s->count - 1)] = 4096;
}

static void fill_biases(const network_case *made, dlz_random *random, reference_state_entry *s) {
    bool whole = made->kind == DATA_WHOLE && made->spec.layers[s->layer].kind != BATCHNORM;
    bool zero = random_chance(random, 0.1);
    for (int64_t i = 0; i < s->count; i++) {
        double value = whole ? (double)random_between(random, -2, 2)
                             : (float)(0.5 * dlz_random_normal(random));
        /* After a relu such a channel is dead. */
        s->values[i] = zero ? 0 : random_chance(random, 0.04) ? -2000 : value;
    }
}

static void fill_factors(dlz_random *random, reference_state_entry *s) {
    bool ones = random_chance(random, 0.1);
    for (int64_t i = 0; i < s->count; i++) {
        double value = (float)dlz_random_normal(random);
        s->values[i] = ones ? 1 : random_chance(random, 0.1) ? 0 : value;
    }
}

static void fill_statistics(dlz_random *random, reference_state_entry *s, bool variance) {
    static const double scales[] = {0, 1, 10, 100, 1e3, 1e4},
                        spreads[] = {1e-6, 1e-3, 1, 1, 1e3, 1e8};
    bool fresh = random_chance(random, 0.15), one_scale = random_chance(random, 0.5);
    double scale = pick(random, 6, scales), spread = pick(random, 6, spreads);
    for (int64_t i = 0; i < s->count; i++) {
        if (!one_scale) {
            scale = pick(random, 6, scales);
            spread = pick(random, 6, spreads);
        }
        double value = variance ? spread * (0.05 + 2 * dlz_random_double(random))
                                : scale * (0.5 + dlz_random_double(random)) * sign(random);
        s->values[i] = fresh ? (variance ? 1 : 0) : (float)value;
    }
}

static bool is_called(const reference_state_entry *s, const char *what) {
    return strcmp(strchr(s->name, '.') + 1, what) == 0;
}

static void fill_all_states(network_case *made, dlz_random *random) {
    made->states = reference_create_empty(&made->spec);
    for (int i = 0; i < made->states->count; i++) {
        reference_state_entry *s = &made->states->states[i];
        bool batchnorm = made->spec.layers[s->layer].kind == BATCHNORM;
        if (is_called(s, "weight") && !batchnorm)
            fill_weights(made, random, s);
        else if (is_called(s, "weight"))
            fill_factors(random, s);
        else if (is_called(s, "bias"))
            fill_biases(made, random, s);
        else
            fill_statistics(random, s, is_called(s, "running_var"));
    }
}

static void choose_rule(network_case *made, dlz_random *random) {
    static const double rates[] = {1e-3, 1e-2, 0.1}, decays[] = {0, 0, 0.01, 0.1};
    rule_settings *rule = &made->rule;
    *rule = (rule_settings){.kind = (rule_kind)random_between(random, RULE_SGD, RULE_RMSPROP),
                            .rate = pick(random, 3, rates),
                            .decay = pick(random, 4, decays),
                            .beta1 = 0.9,
                            .beta2 = 0.999,
                            .alpha = 0.99,
                            .eps = 1e-8};
    if (rule->kind == RULE_MOMENTUM || rule->kind == RULE_NESTEROV)
        rule->momentum = 0.9;
    if (rule->kind == RULE_MOMENTUM && random_chance(random, 0.3))
        rule->dampening = 0.25;
    if (random_chance(random, 0.2)) {
        rule->beta1 = 0.5;
        rule->beta2 = 0.9;
        rule->alpha = 0.5;
        rule->eps = 1e-4;
    }
}

void fill_case(network_case *made, dlz_random *random) {
    fill_inputs(made, random);
    made->labels = calloc((size_t)made->n, sizeof *made->labels);
    ck_assert_ptr_nonnull(made->labels);
    for (int64_t i = 0; i < made->n; i++)
        made->labels[i] = random_between(random, 0, made->classes < 256 ? made->classes - 1 : 255);
    fill_all_states(made, random);
    choose_rule(made, random);
    made->dropout_seed = (uint64_t)random_between(random, 0, 1000);
}
