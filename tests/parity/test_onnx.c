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
    tcase_add_test(tcase, every_layer_is_among_them);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
