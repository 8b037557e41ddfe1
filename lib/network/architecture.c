/* What a network is, as JSON in the metadata of its files: its input, and its layers in order, each
 * with name, type and settings. A network takes a file's state only if it is the same. */
#include "base/base.h"
#include "network/network.h"
#include "tensor/keys.h"
#include "tensor/safetensors.h"

#include <stdio.h>
#include <string.h>

/* Of the description. A change that an earlier library would misunderstand raises it; files without it
 * are of version 1. */
enum { VERSION = 1 };

/* Each of these gives NULL when out of memory; jansson then makes nothing of what holds it. */

/* What a node reads is left out where that is the layer before, as in a chain. */
static json_t *describe_inputs(const dlz_graph *graph, const dlz_node *node) {
    json_t *names = json_array();
    for (int k = 0; names && k < node->num_inputs; k++) {
        int input = node->inputs[k];
        const char *name =
            input == DLZ_GRAPH_INPUT ? DLZ_GRAPH_INPUT_NAME : graph->nodes[input].name;
        if (json_array_append_new(names, json_string(name)) != 0) {
            json_decref(names);
            names = NULL;
        }
    }
    return names;
}

static json_t *describe_layer(const dlz_graph *graph, int at) {
    const dlz_node *node = &graph->nodes[at];
    json_t *layer = json_pack("{s:s,s:s,s:o}", "name", node->name, "type", node->layer->type->name,
                              "settings", dlz_layer_settings(node->layer));
    if (node->num_inputs == 1 && node->inputs[0] == at - 1)
        return layer;
    if (layer && json_object_set_new(layer, "inputs", describe_inputs(graph, node)) != 0) {
        json_decref(layer);
        layer = NULL;
    }
    return layer;
}

static json_t *describe_input(const dlviz_network *network) {
    json_t *dims = json_array();
    for (int i = 0; i < network->graph.in.ndim; i++)
        if (json_array_append_new(dims, json_integer(network->graph.in.dims[i])) != 0) {
            json_decref(dims);
            return NULL;
        }
    return dims;
}

static json_t *describe_layers(const dlviz_network *network) {
    json_t *layers = json_array();
    for (int i = 0; i < network->graph.num_nodes; i++)
        if (json_array_append_new(layers, describe_layer(&network->graph, i)) != 0) {
            json_decref(layers);
            return NULL;
        }
    return layers;
}

json_t *dlz_network_describe(const dlviz_network *network) {
    return json_pack("{s:i,s:o,s:o,s:o}", "version", VERSION, "input", describe_input(network),
                     "layers", describe_layers(network), "loss", dlz_loss_settings(network->loss));
}

dlviz_status dlz_network_add_architecture(const dlviz_network *network, dlviz_safetensors *set) {
    json_t *whole = dlz_network_describe(network);
    if (whole && network->data.known &&
        json_object_set_new(whole, "data", dlz_data_description_write(&network->data)) != 0) {
        json_decref(whole);
        whole = NULL;
    }
    return dlz_safetensors_set_json(set, DLZ_NETWORK_KEY, whole);
}

static dlviz_status check_version(const json_t *whole) {
    const json_t *version = json_object_get(whole, "version");
    if (!version || json_integer_value(version) == VERSION)
        return DLVIZ_OK;
    return json_is_integer(version)
               ? dlz_fail(DLVIZ_ERROR_FORMAT,
                          "its description of the network has version %lld, and this library reads "
                          "version %d",
                          (long long)json_integer_value(version), VERSION)
               : dlz_fail(DLVIZ_ERROR_FORMAT,
                          "the 'version' of its description of the network is no whole number");
}

/* Of settings, which are the layers' and the loss's own, each that is read looks after its keys. */
static dlviz_status check_layer_keys(const json_t *layer, size_t index) {
    static const char *const keys[] = {"name", "type", "settings", "inputs", NULL};
    const char *name = json_string_value(json_object_get(layer, "name"));
    dlviz_status status = json_is_object(layer) ? dlz_check_keys(layer, NULL, keys) : DLVIZ_OK;
    if (status == DLVIZ_OK) /* or it has no name, which is told where that is needed */
        return status;
    return name ? dlz_fail_within(status, "layer '%s'", name)
                : dlz_fail_within(status, "layer %zu", index + 1);
}

dlviz_status dlz_network_check_description(const json_t *whole) {
    static const char *const keys[] = {"version", "input", "layers", "loss", "data", NULL};
    DLZ_TRY(check_version(whole));
    dlviz_status status = dlz_check_keys(whole, NULL, keys);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status, "the description of the network");
    const json_t *layers = json_object_get(whole, "layers");
    for (size_t i = 0; i < json_array_size(layers); i++)
        DLZ_TRY(check_layer_keys(json_array_get(layers, i), i));
    return DLVIZ_OK;
}

dlviz_status dlz_network_get_description(const dlviz_safetensors *set, json_t **whole) {
    DLZ_TRY(dlz_safetensors_get_json(set, DLZ_NETWORK_KEY, whole));
    dlviz_status status = dlz_network_check_description(*whole);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    json_decref(*whole);
    *whole = NULL;
    return status;
}

dlviz_status dlz_network_read_data_description(const dlviz_network *network,
                                               const dlviz_safetensors *set,
                                               dlz_data_description *data) {
    *data = (dlz_data_description){.known = false};
    if (!dlviz_safetensors_metadata(set, DLZ_NETWORK_KEY))
        return DLVIZ_OK;
    json_t *whole;
    DLZ_TRY(dlz_network_get_description(set, &whole));
    const json_t *object = json_object_get(whole, "data");
    dlviz_status status =
        object ? dlz_data_description_read(object, network->graph.in.dims[0], data) : DLVIZ_OK;
    json_decref(whole);
    return status;
}

static const char *text_of(const json_t *layer, const char *key) {
    const char *text = json_string_value(json_object_get(layer, key));
    return text ? text : "";
}

/* NULL: the layer before. */
static dlviz_status compare_inputs(const char *what, const json_t *file, const json_t *here) {
    if (!file == !here && (!file || json_equal(file, here)))
        return DLVIZ_OK;
    char *there = dlz_json_text(file, JSON_ENCODE_ANY), *own = dlz_json_text(here, JSON_ENCODE_ANY);
    dlviz_status status =
        dlz_fail(DLVIZ_ERROR_FORMAT, "%s reads %s in the file and %s here", what,
                 there ? there : "the layer before", own ? own : "the layer before");
    dlz_free(there);
    dlz_free(own);
    return status;
}

/* The one setting that may differ in a model that is only used. */
static const char *training_setting(const dlz_layer_type *type) {
    for (const dlz_setting *setting = type->settings; setting && setting->name; setting++)
        if (setting->training_only)
            return setting->name;
    return NULL;
}

/* Whether the one input is the layer before, which is left out otherwise. */
static bool names_before(const dlz_graph *graph, int at, const json_t *inputs) {
    const char *name = json_string_value(json_array_get(inputs, 0));
    const char *before = at == 0 ? DLZ_GRAPH_INPUT_NAME : graph->nodes[at - 1].name;
    return name && strcmp(name, before) == 0;
}

/* Layer `index` of one network or both. */
static dlviz_status compare_layer(const dlviz_network *network, size_t index, const json_t *file,
                                  bool to_train) {
    const dlz_node *node =
        index < (size_t)network->graph.num_nodes ? &network->graph.nodes[index] : NULL;
    const char *name = text_of(file, "name"), *type = text_of(file, "type");
    if (!node)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "layer %zu is '%s' (%s) in the file and absent here",
                        index + 1, name, type);
    const dlz_layer_type *own = node->layer->type;
    if (!file)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "layer %zu is absent in the file and '%s' (%s) here",
                        index + 1, node->name, own->name);
    if (strcmp(name, node->name) != 0 || strcmp(type, own->name) != 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "layer %zu is '%s' (%s) in the file and '%s' (%s) here",
                        index + 1, name, type, node->name, own->name);
    char what[200];
    snprintf(what, sizeof what, "%s '%s'", own->name, node->name);
    const json_t *inputs = json_object_get(file, "inputs");
    if (json_array_size(inputs) == 1 && names_before(&network->graph, (int)index, inputs))
        inputs = NULL;
    json_t *here = describe_layer(&network->graph, (int)index);
    dlviz_status status = here ? compare_inputs(what, inputs, json_object_get(here, "inputs"))
                               : dlz_fail_memory("a layer's settings", 0);
    if (status == DLVIZ_OK)
        status = dlz_settings_compare(what, json_object_get(file, "settings"),
                                      json_object_get(here, "settings"),
                                      to_train ? NULL : training_setting(own));
    json_decref(here);
    return status;
}

static dlviz_status compare(const dlviz_network *network, json_t *file, bool to_train) {
    /* The loss acts in training alone, and checkpoints compare it themselves. */
    json_t *here = json_pack("{s:o}", "input", describe_input(network));
    json_t *there = json_pack("{s:O*}", "input", json_object_get(file, "input"));
    dlviz_status status = here && there ? dlz_settings_compare("network", there, here, NULL)
                                        : dlz_fail_memory("a network's input", 0);
    json_decref(here);
    json_decref(there);
    json_t *layers = json_object_get(file, "layers");
    size_t given = json_array_size(layers), own = (size_t)network->graph.num_nodes;
    for (size_t i = 0; status == DLVIZ_OK && (i < given || i < own); i++)
        status = compare_layer(network, i, json_array_get(layers, i), to_train);
    return status;
}

dlviz_status dlz_network_compare_architecture(const dlviz_network *network,
                                              const dlviz_safetensors *set, bool to_train) {
    /* Files of other programs say nothing about it. */
    if (!to_train && !dlviz_safetensors_metadata(set, DLZ_NETWORK_KEY))
        return DLVIZ_OK;
    json_t *file;
    DLZ_TRY(dlz_network_get_description(set, &file));
    dlviz_status status = compare(network, file, to_train);
    json_decref(file);
    return status;
}
