/* ONNX models of every layer and of whole networks, computed in double precision from what is in the model
 * alone: each layer's output is the library's. */
#include "layers/layers_list.h"
#include "network/network.h"
#include "support/onnx_model.h"
#include "support/onnx_nets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the largest number of an output. */
#define TOLERANCE 1e-5

static double worst;
static int far;

static void compare_layer(const char *name, const char *layer, const onnx_value *value,
                          const dlviz_tensor *output) {
    ck_assert_msg(value != NULL, "%s: no value '%s'", name, layer);
    const float *expected = dlviz_tensor_const_float(output);
    double scale = 1e-30, distance = 0;
    ck_assert_msg(value->size == dlviz_tensor_num_elements(output), "%s: the size of '%s'", name,
                  layer);
    for (int64_t i = 0; i < value->size; i++) {
        double here = fabs((double)expected[i] - value->numbers[i]);
        distance = here <= distance ? distance : here;
        scale = fmax(scale, fabs((double)expected[i]));
    }
    worst = fmax(worst, distance / scale);
    if (distance / scale <= TOLERANCE)
        return;
    printf("%s: '%s' differs by %g of %g\n", name, layer, distance, scale);
    far++;
}

static void compare_shape(const dlviz_network *network, const char *layer,
                          const onnx_value *value) {
    ck_assert_int_eq(value->ndim, dlviz_network_layer_ndim(network, layer) + 1);
    ck_assert_mem_eq(value->dims + 1, dlviz_network_layer_dims(network, layer),
                     (size_t)(value->ndim - 1) * sizeof *value->dims);
}

static void compare_states(const dlviz_network *network, const onnx_model *model) {
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        const onnx_value *value = onnx_find(model, state->name);
        bool found = dlviz_network_layer_ndim(network, state->name) > 0 || value;
        ck_assert_msg(found || state->spec.dtype == DLVIZ_INT64, "no constant '%s'", state->name);
        bool same = true;
        for (int64_t k = 0; value && value->is_constant && k < state->size; k++)
            same &= value->numbers[k] == (double)((const float *)state->value)[k];
        ck_assert_msg(same, "'%s' has other numbers", state->name);
    }
}

static void compare_model(const char *name, dlviz_network *network, const dlviz_tensor *inputs,
                          void *context) {
    void *bytes;
    size_t size;
    dlviz_dataset *dataset;
    (void)context;
    ck_ok(dlviz_network_export_onnx_memory(network, &bytes, &size));
    onnx_model *model = onnx_read(bytes, size);
    ck_assert_str_eq(model->inputs[0].name, "input");
    ck_assert_str_eq(model->outputs[0].name,
                     network->graph.nodes[network->graph.num_nodes - 1].name);
    onnx_run(model, inputs);
    compare_states(network, model);
    ck_ok(dlviz_dataset_create(&dataset, inputs, NULL));
    for (int64_t i = 0; i < dlviz_network_num_layers(network); i++) {
        const char *layer = dlviz_network_layer_name(network, i);
        dlviz_tensor *output;
        if (!onnx_has_value(network, i))
            continue;
        ck_ok(dlviz_network_features(network, layer, dataset, &output));
        compare_layer(name, layer, onnx_find(model, layer), output);
        compare_shape(network, layer, onnx_find(model, layer));
        dlviz_tensor_destroy(output);
    }
    dlviz_dataset_destroy(dataset);
    onnx_free(model);
    dlviz_free(bytes);
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
