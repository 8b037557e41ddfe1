/* write_models FOLDER - writes the ONNX models of all networks of support/onnx_nets.h, and beside each,
 * as .safetensors, a batch ("input") and what the library makes of it: every layer's output. */
#include "network/network.h"
#include "support/onnx_nets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct target {
    const char *folder, *group;
} target;

static const char *case_path(const target *to, const char *name, const char *ending) {
    static char path[400];
    snprintf(path, sizeof path, "%s/%s-%s.%s", to->folder, to->group, name, ending);
    for (char *at = path + strlen(to->folder) + 1; *at; at++)
        *at = *at == '/' ? '-' : *at;
    return path;
}

static void write_case(const char *name, dlviz_network *network, const dlviz_tensor *inputs,
                       void *context) {
    const target *to = context;
    dlviz_dataset *dataset;
    dlviz_safetensors *values;
    ck_ok(dlviz_dataset_create(&dataset, inputs, NULL));
    ck_ok(dlviz_safetensors_create(&values));
    ck_ok(dlviz_safetensors_add(values, DLZ_GRAPH_INPUT_NAME, inputs));
    for (int64_t i = 0; i < dlviz_network_num_layers(network); i++) {
        const char *layer = dlviz_network_layer_name(network, i);
        dlviz_tensor *output;
        if (!onnx_has_value(network, i))
            continue;
        ck_ok(dlviz_network_features(network, layer, dataset, &output));
        ck_ok(dlviz_safetensors_add(values, layer, output));
        /* For the table of differences by layer. */
        char key[300];
        snprintf(key, sizeof key, "type %s", layer);
        ck_ok(
            dlviz_safetensors_set_metadata(values, key, network->graph.nodes[i].layer->type->name));
        dlviz_tensor_destroy(output);
    }
    ck_ok(dlviz_safetensors_save(values, case_path(to, name, "safetensors")));
    ck_ok(dlviz_network_export_onnx(network, case_path(to, name, "onnx")));
    dlviz_safetensors_destroy(values);
    dlviz_dataset_destroy(dataset);
}

static target where;

START_TEST(models_are_written) {
    for (int i = 0; i < ONNX_NUM_GROUPS; i++) {
        where.group = onnx_groups[i];
        onnx_for_each(where.group, write_case, &where);
    }
}
END_TEST

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: write_models FOLDER\n");
        return EXIT_FAILURE;
    }
    where.folder = argv[1];
    return run_tests("models for ONNX Runtime", (const TTest *const[]){models_are_written, NULL});
}
