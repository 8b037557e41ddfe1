/* A batch norm takes out what its input is multiplied by: so outputs and gradients do not depend on it,
 * however large or small, and those of what it follows are divided by it. */
#include "network/network.h"
#include "support/netspec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add(dlviz_network *network, const char *name, dlviz_layer *layer) {
    ck_ok(dlviz_network_add(network, name, layer));
}

static void add_norm(dlviz_network *network) {
    dlviz_layer *norm = dlviz_batchnorm();
    ck_ok(dlviz_batchnorm_set_eps(norm, 1e-60));
    add(network, "bn", norm);
}

static dlviz_layer *conv(int64_t out, int64_t kernel, int64_t groups) {
    dlviz_layer *layer = dlviz_conv2d(out, kernel, DLVIZ_PAD_SAME);
    ck_ok(dlviz_conv2d_set_groups(layer, groups));
    return layer;
}

/* What each begins with is "first", whose parameters are multiplied; then comes the norm. */
static void alone(dlviz_network *network) {
    add(network, "first", dlviz_linear(17));
    add_norm(network);
}

static void hidden(dlviz_network *network) {
    add(network, "first", dlviz_linear(40));
    add_norm(network);
    add(network, "relu", dlviz_relu());
    add(network, "dropout", dlviz_dropout(0.3));
    add(network, "second", dlviz_linear(5));
}

static void with_tanh(dlviz_network *network) {
    add(network, "first", conv(7, 3, 1));
    add_norm(network);
    add(network, "tanh", dlviz_tanh());
    add(network, "dropout", dlviz_dropout(0.3));
    add(network, "second", conv(3, 3, 1));
}

static void two_activations(dlviz_network *network) {
    add(network, "first", conv(7, 3, 1));
    add_norm(network);
    add(network, "tanh", dlviz_tanh());
    add(network, "sigmoid", dlviz_sigmoid());
}

static void pending(dlviz_network *network) {
    add(network, "first", conv(6, 3, 1));
    add_norm(network);
    add(network, "relu", dlviz_relu());
    add(network, "second", conv(9, 3, 1));
}

static void pending_wide(dlviz_network *network) {
    add(network, "first", conv(32, 3, 1));
    add_norm(network);
    add(network, "relu", dlviz_relu());
    add(network, "second", conv(32, 3, 1));
}

static void pending_5x5(dlviz_network *network) {
    add(network, "first", conv(33, 5, 1));
    add_norm(network);
    add(network, "relu", dlviz_relu());
    add(network, "second", conv(5, 5, 1));
}

static void of_each_channel(dlviz_network *network) {
    add(network, "first", conv(16, 3, 16));
    add_norm(network);
    add(network, "relu", dlviz_relu());
    add(network, "second", conv(16, 3, 4));
}

static void pooled(dlviz_network *network) {
    add(network, "first", conv(6, 3, 1));
    add_norm(network);
    add(network, "relu", dlviz_relu());
    add(network, "pool", dlviz_maxpool2d(2));
    add(network, "dropout", dlviz_dropout(0.25));
    add(network, "second", conv(3, 3, 1));
}

static void pooled_wide(dlviz_network *network) {
    add(network, "first", conv(32, 3, 1));
    add_norm(network);
    add(network, "relu", dlviz_relu());
    add(network, "pool", dlviz_maxpool2d(2));
    add(network, "dropout", dlviz_dropout(0.25));
    add(network, "second", conv(32, 3, 1));
}

static void read_twice(dlviz_network *network) {
    add(network, "first", conv(9, 3, 1));
    add_norm(network);
    add(network, "second", conv(9, 3, 1));
    ck_ok(dlviz_network_add_from(network, "sum", dlviz_add(), 2, (const char *[]){"bn", "second"}));
    add(network, "relu", dlviz_relu());
}

static const struct {
    const char *name, *dims;
    void (*add)(dlviz_network *network);
} networks[] = {
    {"alone", "12", alone},
    {"hidden", "12", hidden},
    {"with tanh", "3x7x9", with_tanh},
    {"two activations", "3x7x9", two_activations},
    {"pending", "3x7x9", pending},
    {"pending, wide", "16x9x10", pending_wide},
    {"pending, 5 x 5", "16x14x15", pending_5x5},
    {"of each channel", "16x9x10", of_each_channel},
    {"pooled", "3x7x9", pooled},
    {"pooled, wide", "16x9x11", pooled_wide},
    {"read twice", "3x7x9", read_twice},
};

enum { NETWORKS = sizeof networks / sizeof *networks, SAMPLES = 5, MOST = 60000 };

typedef struct results {
    dlviz_network *network;
    float y[MOST], dx[MOST];
} results;

static bool is_of_first(const dlz_state *state) {
    return strncmp(state->name, "first.", 6) == 0;
}

static void multiply(const dlz_state *state, int64_t every, int power) {
    int64_t channels = state->spec.dims[0], each = state->size / channels;
    float *values = state->value;
    for (int64_t k = 0; k < state->size; k++)
        if (k / each % every == 0)
            values[k] = ldexpf(values[k], power);
}

/* With the first layer's parameters of channels that are multiples of `every` times 2^power. */
static void run(int index, bool training, int power, int64_t every, results *r) {
    static float x[MOST], dy[MOST];
    int64_t dims[3] = {0};
    int ndim = 0;
    for (char *at = (char *)(uintptr_t)networks[index].dims; *at; at += *at == 'x')
        dims[ndim++] = strtoll(at, &at, 10);
    ck_ok(dlviz_network_create(&r->network, ndim, dims));
    networks[index].add(r->network);
    ck_ok(dlviz_network_build(r->network, 1));
    fill_states(r->network, 2, false);
    for (int i = 0; i < r->network->num_states; i++) {
        const dlz_state *state = &r->network->states[i];
        if (is_of_first(state) || strcmp(state->name, "bn.running_mean") == 0)
            multiply(state, every, power);
        if (strcmp(state->name, "bn.running_var") == 0 && !training)
            multiply(state, every, 2 * power);
    }
    fill_uniform(x, MOST, 3);
    fill_uniform(dy, MOST, 4);
    const dlz_graph *graph = &r->network->graph;
    dlz_mode mode = {.training = training, .gradients = true, .input_gradient = true};
    dlz_plan *plan;
    ck_ok(dlz_plan_get(&r->network->plans, graph, graph->num_nodes - 1, mode, SAMPLES, &plan));
    dlz_plan_run(plan)->seed = 5;
    dlz_value *in = dlz_plan_input(plan), *out = dlz_plan_output(plan);
    size_t inputs = SAMPLES * (size_t)dlz_value_size(in) * sizeof *x;
    size_t outputs = SAMPLES * (size_t)dlz_value_size(out) * sizeof *x;
    memcpy(in->data, x, inputs);
    ck_ok(dlz_plan_forward(plan));
    memcpy(r->y, out->data, outputs);
    memcpy(out->dy, dy, outputs);
    ck_ok(dlz_plan_backward(plan));
    memcpy(r->dx, in->gradient.dy, inputs);
}

static void compare(const char *what, int index, int power, int64_t count, const float *got,
                    const float *want) {
    double largest = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)want[i]));
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= 1e-5 * largest))
            ck_abort_msg("%s, times 2^%d: %s %d is %g, not %g", networks[index].name, power, what,
                         (int)i, (double)got[i], (double)want[i]);
}

static int64_t size_of(const dlz_shape *shape) {
    return SAMPLES * dlz_shape_size(shape);
}

static results plain, far;

static void compare_runs(int index, bool training, int power, int64_t every) {
    run(index, training, 0, every, &plain);
    run(index, training, power, every, &far);
    const dlz_graph *graph = &plain.network->graph;
    compare("output", index, power, size_of(&graph->nodes[graph->num_nodes - 1].out), far.y,
            plain.y);
    compare("input's gradient", index, power, size_of(&graph->in), far.dx, plain.dx);
    for (int i = 0; i < plain.network->num_states; i++) {
        const dlz_state *state = &plain.network->states[i], *other = &far.network->states[i];
        if (!state->gradient)
            continue;
        if (is_of_first(state))
            for (int64_t k = 0; k < state->size; k++)
                if (k / (state->size / state->spec.dims[0]) % every == 0)
                    other->gradient[k] = ldexpf(other->gradient[k], power);
        compare(state->name, index, power, state->size, other->gradient, state->gradient);
    }
    dlviz_network_destroy(plain.network);
    dlviz_network_destroy(far.network);
}

START_TEST(what_is_multiplied_before_it_is_no_matter) {
    static const int powers[] = {-80, -70, -50, -30, 30, 50, 70, 100, 124};
    for (int index = 0; index < NETWORKS; index++)
        for (int i = 0; i < 9; i++)
            for (int64_t every = 1; every <= 3; every += 2)
                compare_runs(index, true, powers[i], every);
}
END_TEST

START_TEST(nor_is_it_in_evaluation) {
    static const int powers[] = {-59, -30, 30, 59}; /* whose squares are floats */
    for (int index = 0; index < NETWORKS; index++)
        for (int i = 0; i < 4; i++)
            for (int64_t every = 1; every <= 3; every += 2)
                compare_runs(index, false, powers[i], every);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {what_is_multiplied_before_it_is_no_matter,
                                  nor_is_it_in_evaluation, NULL};
    return run_tests("scale before a batch norm", tests);
}
