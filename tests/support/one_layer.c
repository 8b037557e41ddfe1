#include "support/one_layer.h"

#include "network/network.h"

#include <stdlib.h>
#include <string.h>

dlviz_network *one_layer(const char *dims, dlviz_layer *layer) {
    int64_t sizes[3];
    int ndim = 0;
    for (char *at = (char *)(uintptr_t)dims; ndim < 3 && *at; at += *at == 'x')
        sizes[ndim++] = strtoll(at, &at, 10);
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, ndim, sizes));
    ck_ok(dlviz_network_add(network, "layer", layer));
    ck_ok(dlviz_network_build(network, 1));
    return network;
}

int64_t one_layer_size(const dlviz_network *network) {
    return dlz_shape_size(&network->graph.in);
}

/* From n × rows × columns to n × columns × rows. */
static void transpose(int64_t n, int64_t rows, int64_t columns, const float *from, float *to) {
    for (int64_t i = 0; i < n; i++, from += rows * columns, to += rows * columns)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                to[c * rows + r] = from[r * columns + c];
}

void run_one_layer(dlviz_network *network, int64_t n, one_layer_mode mode, const float *x, float *y,
                   const float *dy, float *dx) {
    dlz_plan *plan;
    dlz_mode how = {
        .training = mode.training, .gradients = mode.gradients, .input_gradient = mode.gradients};
    ck_ok(dlz_plan_get(&network->plans, &network->graph, 0, how, n, &plan));
    dlz_value *in = dlz_plan_input(plan), *out = dlz_plan_output(plan);
    int64_t pixels = in->height * in->width;
    dlz_plan_run(plan)->seed = mode.seed;
    dlz_plan_run(plan)->step = mode.step;
    transpose(n, in->channels, pixels, x, in->data);
    ck_ok(dlz_plan_forward(plan));
    transpose(n, pixels, in->channels, out->data, y);
    if (!mode.gradients)
        return;
    transpose(n, in->channels, pixels, dy, out->dy);
    ck_ok(dlz_plan_backward(plan));
    transpose(n, pixels, in->channels, in->gradient.dy, dx);
}

static const dlz_state *find(dlviz_network *network, const char *name) {
    for (int i = 0; i < network->num_states; i++)
        if (strcmp(network->states[i].name, name) == 0)
            return &network->states[i];
    return NULL;
}

float *one_layer_state(dlviz_network *network, const char *name) {
    const dlz_state *state = find(network, name);
    return state ? state->value : NULL;
}

const float *one_layer_gradient(dlviz_network *network, const char *name) {
    const dlz_state *state = find(network, name);
    return state ? state->gradient : NULL;
}
