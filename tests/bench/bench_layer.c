/* bench_layer - one layer by itself, images as they lie inside a network: the shortest of many runs.
 *
 *     bench_layer LAYER CHANNELSxHEIGHTxWIDTH BATCH [THREADS [SECONDS]]
 *
 * compare_layers.py sets it beside PyTorch. */
#include "base/base.h"
#include "base/random.h"
#include "network/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static dlviz_layer *groupnorm(void) {
    return dlviz_groupnorm(2);
}

static dlviz_layer *maxpool(int64_t kernel, int64_t stride, int64_t padding) {
    dlviz_layer *layer = dlviz_maxpool2d(kernel);
    dlviz_maxpool2d_set_stride(layer, stride, stride);
    dlviz_maxpool2d_set_padding(layer, padding, padding);
    return layer;
}

static dlviz_layer *maxpool2(void) {
    return maxpool(2, 2, 0);
}

static dlviz_layer *maxpool3(void) {
    return maxpool(3, 2, 1);
}

static dlviz_layer *maxpool3s1(void) {
    return maxpool(3, 1, 1);
}

static dlviz_layer *maxpool13(void) {
    return maxpool(13, 1, 6);
}

static dlviz_layer *linear10(void) {
    return dlviz_linear(10);
}

static dlviz_layer *linear128(void) {
    return dlviz_linear(128);
}

static dlviz_layer *linear512(void) {
    return dlviz_linear(512);
}

static const struct {
    const char *name;
    dlviz_layer *(*create)(void);
} layers[] = {{"softmax", dlviz_softmax},
              {"log_softmax", dlviz_log_softmax},
              {"layernorm", dlviz_layernorm},
              {"groupnorm", groupnorm},
              {"instancenorm2d", dlviz_instancenorm2d},
              {"maxpool2", maxpool2},
              {"maxpool3", maxpool3},
              {"maxpool3s1", maxpool3s1},
              {"maxpool13", maxpool13},
              {"linear10", linear10},
              {"linear128", linear128},
              {"linear512", linear512}};

static dlviz_layer *create(const char *name) {
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (!strcmp(layers[i].name, name))
            return layers[i].create();
    return NULL;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fill(float *values, int64_t count, uint64_t seed) {
    dlz_random random = dlz_random_start(seed, 0);
    for (int64_t i = 0; i < count; i++)
        values[i] = 6 * dlz_random_float(&random) - 3;
}

static dlviz_status shortest(dlviz_status (*run)(dlz_plan *plan), dlz_plan *plan, double seconds,
                             double *best) {
    double end = now() + seconds;
    *best = 1e30;
    for (int i = 0; i < 5 || now() < end; i++) {
        double start = now();
        DLZ_TRY(run(plan));
        double took = now() - start;
        *best = took < *best ? took : *best;
    }
    return DLVIZ_OK;
}

static dlviz_status build(const char *dims, dlviz_layer *layer, dlviz_network **network) {
    int64_t sizes[3];
    int ndim = 0;
    for (char *at = (char *)(uintptr_t)dims; ndim < 3 && *at; at += *at == 'x')
        sizes[ndim++] = strtoll(at, &at, 10);
    DLZ_TRY(dlviz_network_create(network, ndim, sizes));
    DLZ_TRY(dlviz_network_add(*network, "layer", layer));
    return dlviz_network_build(*network, 1);
}

static dlviz_status measure(dlviz_network *network, int64_t n, double seconds) {
    dlz_plan *plan;
    dlz_mode mode = {.training = true, .gradients = true, .input_gradient = true};
    DLZ_TRY(dlz_plan_get(&network->plans, &network->graph, 0, mode, n, &plan));
    dlz_value *in = dlz_plan_input(plan), *out = dlz_plan_output(plan);
    fill(in->data, n * dlz_value_size(in), 1);
    fill(out->dy, n * dlz_value_size(out), 2);
    double forward, backward;
    DLZ_TRY(shortest(dlz_plan_forward, plan, seconds / 2, &forward));
    DLZ_TRY(shortest(dlz_plan_backward, plan, seconds / 2, &backward));
    printf("forward_us: %.2f\nbackward_us: %.2f\n", 1e6 * forward, 1e6 * backward);
    return DLVIZ_OK;
}

int main(int argc, char **argv) {
    dlviz_layer *layer = argc > 3 ? create(argv[1]) : NULL;
    if (!layer) {
        fprintf(stderr, "usage: bench_layer LAYER CHANNELSxHEIGHTxWIDTH BATCH [THREADS [SECONDS]]\n"
                        "layers:");
        for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
            fprintf(stderr, " %s", layers[i].name);
        fprintf(stderr, "\n");
        return 2;
    }
    dlviz_network *network = NULL;
    dlviz_status status = dlviz_set_num_threads(argc > 4 ? atoi(argv[4]) : 1);
    if (status == DLVIZ_OK)
        status = build(argv[2], layer, &network);
    if (status == DLVIZ_OK)
        status = measure(network, atoi(argv[3]), argc > 5 ? atof(argv[5]) : 0.5);
    if (status != DLVIZ_OK)
        fprintf(stderr, "bench_layer: %s\n", dlviz_last_error());
    dlviz_network_destroy(network);
    return status != DLVIZ_OK;
}
