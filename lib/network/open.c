/* A network made of the description in its file (architecture.c writes it). */
#include "base/base.h"
#include "base/reading.h"
#include "layers/layers.h"
#include "network/network.h"
#include "tensor/safetensors.h"

static dlviz_status malformed(const char *what) {
    return dlz_fail(DLVIZ_ERROR_FORMAT,
                    "the description of the network lacks %s, or it is malformed", what);
}

static dlviz_status create(dlviz_network **out, const json_t *input) {
    int64_t dims[3];
    size_t ndim = json_array_size(input);
    if (ndim != 1 && ndim != 3)
        return malformed("'input' with 1 or 3 dimensions");
    for (size_t i = 0; i < ndim; i++) {
        const json_t *value = json_array_get(input, i);
        if (!json_is_integer(value))
            return malformed("'input' of whole numbers");
        dims[i] = json_integer_value(value);
    }
    return dlviz_network_create(out, (int)ndim, dims);
}

static dlviz_status add_from(dlviz_network *network, const char *name, dlviz_layer *layer,
                             const json_t *inputs) {
    size_t count = json_array_size(inputs);
    const char **names = count > 0 ? dlz_alloc_array(count, sizeof *names) : NULL;
    if (!names) {
        dlviz_layer_destroy(layer);
        return count > 0 ? dlz_fail_memory("a layer's inputs", count * sizeof *names)
                         : malformed("a layer's 'inputs'");
    }
    for (size_t i = 0; i < count; i++)
        names[i] = json_string_value(json_array_get(inputs, i));
    dlviz_status status = dlviz_network_add_from(network, name, layer, (int64_t)count, names);
    dlz_free(names);
    return status;
}

static dlviz_status add_layer(dlviz_network *network, const json_t *description) {
    const char *name = json_string_value(json_object_get(description, "name"));
    const char *type_name = json_string_value(json_object_get(description, "type"));
    const json_t *inputs = json_object_get(description, "inputs");
    if (!name || !type_name)
        return malformed("a layer's 'name' or 'type'");
    const json_t *settings = json_object_get(description, "settings");
    if (json_is_true(json_object_get(settings, "custom")))
        return dlz_fail(
            DLVIZ_ERROR_FORMAT,
            "layer '%s' is a '%s', a layer of a program's own; build the network with it and "
            "use dlviz_network_load",
            name, type_name);
    const dlz_layer_type *type = dlz_layer_type_named(type_name);
    if (!type)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "layer '%s' is a '%s', which this library does not know", name, type_name);
    dlviz_layer *layer;
    dlviz_status status = dlz_layer_open(&layer, type, settings);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status, "layer '%s'", name);
    return inputs ? add_from(network, name, layer, inputs)
                  : dlviz_network_add(network, name, layer);
}

/* Files that are older than losses in files have none, and were trained on that of every network. */
static dlviz_status take_loss(dlviz_network *network, const json_t *description) {
    dlviz_loss *loss;
    if (!description)
        return DLVIZ_OK;
    DLZ_TRY(dlz_loss_open(&loss, description));
    return dlviz_network_set_loss(network, loss);
}

dlviz_status dlz_network_open_description(dlviz_network **out, const json_t *whole) {
    dlviz_network *network = NULL;
    *out = NULL;
    DLZ_TRY(create(&network, json_object_get(whole, "input")));
    const json_t *layers = json_object_get(whole, "layers");
    dlviz_status status = DLVIZ_OK;
    for (size_t i = 0; status == DLVIZ_OK && i < json_array_size(layers); i++)
        status = add_layer(network, json_array_get(layers, i));
    if (status == DLVIZ_OK)
        status = take_loss(network, json_object_get(whole, "loss"));
    if (status == DLVIZ_OK)
        *out = network;
    else
        dlviz_network_destroy(network);
    return status;
}

/* Nothing large is allocated before the tensors are known to be there. */
static dlviz_status build(dlviz_network *network, const dlviz_safetensors *set) {
    DLZ_TRY(dlz_network_lay_out(network));
    DLZ_TRY(dlz_network_check_shapes(network, set));
    DLZ_TRY(dlz_network_complete(network));
    return dlz_network_load_set(network, set);
}

static dlviz_status make(dlviz_network **out, const dlviz_safetensors *set) {
    json_t *whole;
    DLZ_TRY(dlz_network_check_file_kind(set));
    if (!dlviz_safetensors_metadata(set, DLZ_NETWORK_KEY))
        return dlz_fail(
            DLVIZ_ERROR_FORMAT,
            "it does not say what network it is of; build that and use dlviz_network_load");
    DLZ_TRY(dlz_network_get_description(set, &whole));
    dlviz_network *network = NULL;
    dlviz_status status = dlz_network_open_description(&network, whole);
    json_decref(whole);
    if (status == DLVIZ_OK)
        status = build(network, set);
    if (status == DLVIZ_OK)
        *out = network;
    else
        dlviz_network_destroy(network);
    return status;
}

/* Whatever a tensor lacks, it is the file that is wrong. */
static dlviz_status open(dlviz_network **out, const dlviz_safetensors *set) {
    dlviz_status status = make(out, set);
    return status == DLVIZ_OK || status == DLVIZ_ERROR_OUT_OF_MEMORY ? status : DLVIZ_ERROR_FORMAT;
}

dlviz_status dlviz_network_open(dlviz_network **out, const char *path) {
    DLZ_READING(path);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    dlviz_safetensors *set;
    DLZ_TRY(dlviz_safetensors_open(&set, path));
    dlviz_status status = open(out, set);
    dlviz_safetensors_destroy(set);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "cannot open '%s'", path);
}

dlviz_status dlviz_network_open_memory(dlviz_network **out, const void *bytes, size_t size) {
    DLZ_READING(NULL);
    DLZ_REQUIRE_OUT(out);
    dlviz_safetensors *set;
    DLZ_TRY(dlz_safetensors_view(&set, __func__, bytes, size));
    dlviz_status status = open(out, set);
    dlviz_safetensors_destroy(set);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "%s", __func__);
}
