/* What a network is, as JSON in the metadata of its files: its input, and its layers in order, each
 * with name, type and settings. A network takes a file's state only if it is the same. */
#include "base/base.h"
#include "network/network.h"
#include "tensor/safetensors.h"

#include <stdio.h>
#include <string.h>

#define KEY "dlviz.network"

/* Each of these gives NULL when out of memory; jansson then makes nothing of what holds it. */

static json_t *settings_of(const dlviz_layer *layer) {
    const dlz_layer_type *type = dlz_layer_type_of(layer->kind);
    return type->settings ? type->settings(layer) : json_object();
}

static json_t *describe_layer(const dlz_node *node) {
    return json_pack("{s:s,s:s,s:o}", "name", node->name, "type",
                     dlz_layer_type_of(node->layer->kind)->name, "settings",
                     settings_of(node->layer));
}

static json_t *describe_input(const dlviz_network *network) {
    json_t *dims = json_array();
    for (int i = 0; i < network->in.ndim; i++)
        if (json_array_append_new(dims, json_integer(network->in.dims[i])) != 0) {
            json_decref(dims);
            return NULL;
        }
    return dims;
}

static json_t *describe_layers(const dlviz_network *network) {
    json_t *layers = json_array();
    for (int i = 0; i < network->num_nodes; i++)
        if (json_array_append_new(layers, describe_layer(&network->nodes[i])) != 0) {
            json_decref(layers);
            return NULL;
        }
    return layers;
}

dlviz_status dlz_network_add_architecture(const dlviz_network *network, dlviz_safetensors *set) {
    json_t *whole = json_pack("{s:o,s:o}", "input", describe_input(network), "layers",
                              describe_layers(network));
    return dlz_safetensors_set_json(set, KEY, whole);
}

static const char *text_of(const json_t *layer, const char *key) {
    const char *text = json_string_value(json_object_get(layer, key));
    return text ? text : "";
}

/* Layer `index` of one network or both. */
static dlviz_status compare_layer(const dlviz_network *network, size_t index, const json_t *file,
                                  bool to_train) {
    const dlz_node *node = index < (size_t)network->num_nodes ? &network->nodes[index] : NULL;
    const char *name = text_of(file, "name"), *type = text_of(file, "type");
    if (!node)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "layer %zu is '%s' (%s) in the file and absent here",
                        index + 1, name, type);
    const dlz_layer_type *own = dlz_layer_type_of(node->layer->kind);
    if (!file)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "layer %zu is absent in the file and '%s' (%s) here",
                        index + 1, node->name, own->name);
    if (strcmp(name, node->name) != 0 || strcmp(type, own->name) != 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "layer %zu is '%s' (%s) in the file and '%s' (%s) here",
                        index + 1, name, type, node->name, own->name);
    char what[200];
    snprintf(what, sizeof what, "%s '%s'", own->name, node->name);
    json_t *here = settings_of(node->layer);
    dlviz_status status = here ? dlz_settings_compare(what, json_object_get(file, "settings"), here,
                                                      to_train ? NULL : own->training_setting)
                               : dlz_fail_memory("a layer's settings", 0);
    json_decref(here);
    return status;
}

static dlviz_status compare(const dlviz_network *network, json_t *file, bool to_train) {
    json_t *here = json_pack("{s:o}", "input", describe_input(network));
    dlviz_status status = here ? dlz_settings_compare("network", file, here, "layers")
                               : dlz_fail_memory("a network's input", 0);
    json_decref(here);
    json_t *layers = json_object_get(file, "layers");
    size_t given = json_array_size(layers), own = (size_t)network->num_nodes;
    for (size_t i = 0; status == DLVIZ_OK && (i < given || i < own); i++)
        status = compare_layer(network, i, json_array_get(layers, i), to_train);
    return status;
}

dlviz_status dlz_network_compare_architecture(const dlviz_network *network,
                                              const dlviz_safetensors *set, bool to_train) {
    /* Files of other programs say nothing about it. */
    if (!to_train && !dlviz_safetensors_metadata(set, KEY))
        return DLVIZ_OK;
    json_t *file;
    DLZ_TRY(dlz_safetensors_get_json(set, KEY, &file));
    dlviz_status status = compare(network, file, to_train);
    json_decref(file);
    return status;
}
