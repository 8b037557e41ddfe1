/* ONNX models of every layer and of whole networks, computed in double precision from what is in the model
 * alone: each layer's output is the library's. */
#include "layers/layers_list.h"
#include "network/network.h"
#include "support/onnx_compare.h"
#include "support/onnx_nets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double worst;
static int far;

static void compare_model(const char *name, dlviz_network *network, const dlviz_tensor *inputs,
                          void *context) {
    (void)context;
    double found;
    far += onnx_compare(name, network, inputs, &found);
    worst = fmax(worst, found);
}

START_TEST(a_groups_models_compute_the_same) {
    onnx_for_each(onnx_groups[_i], compare_model, NULL);
    printf("%s: at most %.1e\n", onnx_groups[_i], worst);
    ck_assert_msg(far == 0, "%d outputs are too far from the library's", far);
}
END_TEST

/* -- Large and small numbers ----------------------------------------------------------------------
 */

static dlviz_layer *steep_softplus(double beta) {
    dlviz_layer *layer = dlviz_softplus();
    ck_ok(dlviz_softplus_set_beta(layer, beta));
    return layer;
}

/* Each number by itself, as a larger one would hide what is wrong with it. What a runtime computes on
 * the way must not leave floats where the layer does not. */
START_TEST(activations_hold_at_the_ends_of_floats) {
    const float ends[] = {0,  1e-45f, 1e-38f, 1e-20f, 1,       16,
                          88, 700,    1e10f,  1e20f,  1.5e38f, 3.4e38f};
    dlviz_layer *layers[] = {dlviz_relu(),          dlviz_leaky_relu(0.2), dlviz_elu(0.7),
                             dlviz_gelu(),          dlviz_gelu_tanh(),     dlviz_silu(),
                             dlviz_sigmoid(),       dlviz_tanh(),          dlviz_softplus(),
                             dlviz_hardswish(),     steep_softplus(0.5),   steep_softplus(4),
                             steep_softplus(1e-20), steep_softplus(1e20)};
    dlviz_tensor *input;
    ck_ok(dlviz_tensor_create(&input, DLVIZ_FLOAT32, 2, (int64_t[]){1, 1}));
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        dlviz_network *network;
        ck_ok(dlviz_network_create(&network, 1, (int64_t[]){1}));
        dlviz_network_add(network, "layer", layers[i]);
        ck_ok(dlviz_network_build(network, 1));
        for (size_t k = 0; k < 2 * sizeof ends / sizeof *ends; k++) {
            char name[80];
            dlviz_tensor_float(input)[0] = k % 2 ? -ends[k / 2] : ends[k / 2];
            snprintf(name, sizeof name, "%s %zu at %g", network->graph.nodes[0].layer->type->name,
                     i, (double)dlviz_tensor_float(input)[0]);
            compare_model(name, network, input, NULL);
        }
        dlviz_network_destroy(network);
    }
    dlviz_tensor_destroy(input);
    ck_assert_int_eq(far, 0);
}
END_TEST

/* -- Nothing is forgotten -------------------------------------------------------------------------
 */

static const dlz_layer_type *const types[] = {DLZ_LAYER_TYPES};
static bool seen[sizeof types / sizeof *types];

static void see(const char *name, dlviz_network *network, const dlviz_tensor *inputs,
                void *context) {
    (void)name;
    (void)inputs;
    (void)context;
    for (int i = 0; i < network->graph.num_nodes; i++)
        for (size_t k = 0; k < sizeof types / sizeof *types; k++)
            seen[k] |= network->graph.nodes[i].layer->type == types[k];
}

START_TEST(every_layer_is_among_them) {
    for (int i = 0; strcmp(onnx_groups[i], "examples") != 0; i++)
        onnx_for_each(onnx_groups[i], see, NULL);
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        ck_assert_msg(types[k]->onnx != NULL, "%s cannot be exported", types[k]->name);
        ck_assert_msg(seen[k], "no network has a %s", types[k]->name);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ONNX models");
    TCase *tcase = tcase_create("models");
    tcase_set_timeout(tcase, 600);
    tcase_add_loop_test(tcase, a_groups_models_compute_the_same, 0, ONNX_NUM_GROUPS);
    tcase_add_test(tcase, activations_hold_at_the_ends_of_floats);
    tcase_add_test(tcase, every_layer_is_among_them);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
