#include "support/onnx_compare.h"
#include "network/network.h"
#include "support/onnx_model.h"
#include "support/onnx_nets.h"

#include <math.h>
#include <stdio.h>

/* Of the largest number of an output. */
#define TOLERANCE 1e-5

static double compare_layer(const char *name, const char *layer, const onnx_value *value,
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
    if (!(distance / scale <= TOLERANCE))
        printf("%s: '%s' differs by %g of %g\n", name, layer, distance, scale);
    return distance / scale;
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

int onnx_compare(const char *name, dlviz_network *network, const dlviz_tensor *inputs,
                 double *worst) {
    int far = 0;
    void *bytes;
    size_t size;
    dlviz_dataset *dataset;
    *worst = 0;
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
        double found = compare_layer(name, layer, onnx_find(model, layer), output);
        *worst = found <= *worst ? *worst : found; /* NaN stays */
        far += !(found <= TOLERANCE);
        compare_shape(network, layer, onnx_find(model, layer));
        dlviz_tensor_destroy(output);
    }
    dlviz_dataset_destroy(dataset);
    onnx_free(model);
    dlviz_free(bytes);
    return far;
}
