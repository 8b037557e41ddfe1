/* What all layers share: making, checking and describing them. */
#include "graph/layer.h"
#include "base/base.h"
#include "base/part.h"
#include "tensor/keys.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

dlviz_layer *dlz_layer_create(const dlz_layer_type *type) {
    dlviz_layer *layer = dlz_alloc_zero(type->size);
    if (!layer) {
        dlz_fail_memory(type->name, type->size);
        return NULL;
    }
    layer->type = type;
    return layer;
}

void dlviz_layer_destroy(dlviz_layer *layer) {
    if (!layer || layer->owned)
        return;
    if (layer->type->destroy)
        layer->type->destroy(layer);
    dlz_free(layer);
}

dlviz_status dlz_layer_remember(dlviz_layer *layer, dlviz_status status) {
    if (status != DLVIZ_OK && layer && layer->error == DLVIZ_OK) {
        layer->error = status;
        snprintf(layer->message, sizeof layer->message, "%s", dlviz_last_error());
    }
    return status;
}

static dlviz_status check(const dlviz_layer *layer) {
    return layer->type->check ? layer->type->check(layer) : DLVIZ_OK;
}

dlviz_layer *dlz_layer_checked(dlviz_layer *layer) {
    dlviz_status status = layer ? check(layer) : DLVIZ_OK;
    if (status != DLVIZ_OK)
        dlz_layer_remember(layer, dlz_fail_within(status, "dlviz_%s", layer->type->name));
    return layer;
}

dlviz_status dlz_layer_require(const char *who, const dlviz_layer *layer,
                               const dlz_layer_type *type) {
    if (!layer)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'layer' is NULL", who);
    if (layer->built)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the layer's network is built; settings come before",
                        who);
    if (layer->type != type)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: the layer is a %s, needs a %s", who,
                        layer->type->name, type->name);
    return DLVIZ_OK;
}

/* The widest setting. */
#define LARGEST_SETTING sizeof(dlz_shape)

dlviz_status dlz_layer_set(const char *who, dlviz_layer *layer, const dlz_layer_type *type,
                           size_t offset, const void *value, size_t size) {
    dlviz_status status = dlz_layer_require(who, layer, type);
    if (status != DLVIZ_OK)
        return layer && !layer->built ? dlz_layer_remember(layer, status) : status;
    char before[LARGEST_SETTING];
    memcpy(before, (char *)layer + offset, size);
    memcpy((char *)layer + offset, value, size);
    status = check(layer);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    memcpy((char *)layer + offset, before, size);
    /* What was wrong before is not this call's fault. */
    if (layer->error != DLVIZ_OK)
        return dlz_fail(layer->error, "%s", layer->message);
    return dlz_layer_remember(layer, dlz_fail_within(status, "%s", who));
}

dlviz_status dlz_layer_set_pair(const char *who, dlviz_layer *layer, const dlz_layer_type *type,
                                size_t offset, int64_t first, int64_t second) {
    const int64_t pair[2] = {first, second};
    return dlz_layer_set(who, layer, type, offset, pair, sizeof pair);
}

const void *dlz_layer_as(const dlviz_layer *layer, const dlz_layer_type *type) {
    return layer && layer->type == type ? layer : NULL;
}

double dlz_layer_real(const dlviz_layer *layer, const dlz_layer_type *type, size_t offset) {
    return dlz_part_real(dlz_layer_as(layer, type), offset);
}

void dlz_layer_pair(const dlviz_layer *layer, const dlz_layer_type *type, size_t offset,
                    int64_t *first, int64_t *second) {
    const int64_t none[2] = {0, 0};
    const char *set = dlz_layer_as(layer, type);
    dlz_layer_give_pair(set ? (const int64_t *)(const void *)(set + offset) : none, first, second);
}

void dlz_layer_give_pair(const int64_t pair[2], int64_t *first, int64_t *second) {
    if (first)
        *first = pair[0];
    if (second)
        *second = pair[1];
}

/* -- In files -----------------------------------------------------------------------------------
 */

json_t *dlz_layer_settings(const dlviz_layer *layer) {
    return dlz_settings_write(layer->type->settings, layer);
}

dlviz_status dlz_layer_open(dlviz_layer **out, const dlz_layer_type *type, const json_t *settings) {
    *out = NULL;
    dlviz_layer *layer = dlz_layer_create(type);
    if (!layer)
        return DLVIZ_ERROR_OUT_OF_MEMORY;
    dlviz_status status = dlz_check_keys(settings, type->settings, NULL);
    if (status != DLVIZ_OK)
        status = dlz_fail_within(status, "%s", type->name);
    else
        status = dlz_settings_read(type->settings, type->name, settings, layer);
    if (status == DLVIZ_OK && check(layer) != DLVIZ_OK)
        status = dlz_fail_within(DLVIZ_ERROR_FORMAT, "%s", type->name);
    if (status == DLVIZ_OK)
        *out = layer;
    else
        dlviz_layer_destroy(layer);
    return status;
}

/* -- For layers' files --------------------------------------------------------------------------
 */

void dlz_weight_and_bias(dlz_state_spec specs[2], int ndim, const int64_t *dims, int64_t outputs,
                         double fan_in) {
    dlz_state_spec spec = {
        .trainable = true, .initial = DLZ_INITIAL_UNIFORM, .bound = 1 / sqrt(fan_in)};
    specs[0] = specs[1] = spec;
    specs[0].suffix = "weight";
    specs[0].ndim = ndim;
    memcpy(specs[0].dims, dims, (size_t)ndim * sizeof *dims);
    specs[1].suffix = "bias";
    specs[1].ndim = 1;
    specs[1].dims[0] = outputs;
    specs[1].is_constant = true;
}

dlviz_status dlz_infer_same(dlviz_layer *layer, int num_inputs, const dlz_shape *in,
                            dlz_shape *out) {
    (void)layer;
    (void)num_inputs;
    *out = *in;
    return DLVIZ_OK;
}

dlz_constant dlz_hand_on_as_is(const dlviz_layer *layer, dlz_constant constant) {
    (void)layer;
    return constant;
}
