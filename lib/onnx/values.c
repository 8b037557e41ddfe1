/* The values of a model: what they are called, and those that are numbers from the beginning. */
#include "base/base.h"
#include "onnx/model.h"

#include <string.h>

void dlz_onnx_keep(dlz_onnx *to, dlviz_status status) {
    if (to->status == DLVIZ_OK)
        to->status = status;
}

void dlz_onnx_lack_memory(dlz_onnx *to, uint64_t bytes) {
    if (to->status == DLVIZ_OK)
        to->status = dlz_fail_memory("an ONNX model", bytes);
}

/* -- Names ----------------------------------------------------------------------------------------
 */

/* Takes the text. */
static const char *keep_text(dlz_onnx *to, char *text) {
    if (text && to->num_texts == to->text_room) {
        int room = to->text_room ? 2 * to->text_room : 32;
        char **texts = dlz_realloc_array(to->texts, (uint64_t)room, sizeof *texts);
        if (texts) {
            to->texts = texts;
            to->text_room = room;
        }
    }
    if (!text || to->num_texts == to->text_room || !dlz_names_add(&to->taken, text, 0)) {
        dlz_onnx_lack_memory(to, text ? strlen(text) + 1 : 0);
        dlz_free(text);
        return "";
    }
    to->texts[to->num_texts++] = text;
    return text;
}

const char *dlz_onnx_name(dlz_onnx *to, const char *part) {
    if (to->status != DLVIZ_OK)
        return "";
    char *text = dlz_format("%s.%s", to->node->name, part);
    for (int i = 1; text && dlz_names_find(to->taken, text) >= 0; i++) {
        dlz_free(text);
        text = dlz_format("%s.%s_%d", to->node->name, part, i);
    }
    return keep_text(to, text);
}

/* -- The layer's shapes and inputs ----------------------------------------------------------------
 */

const dlz_shape *dlz_onnx_in_of(const dlz_onnx *to, int input) {
    return &to->node->in[input];
}

const dlz_shape *dlz_onnx_in(const dlz_onnx *to) {
    return dlz_onnx_in_of(to, 0);
}

const dlz_shape *dlz_onnx_out(const dlz_onnx *to) {
    return &to->node->out;
}

int dlz_onnx_num_inputs(const dlz_onnx *to) {
    return to->node->num_inputs;
}

const char *dlz_onnx_input_of(const dlz_onnx *to, int input) {
    int node = to->node->inputs[input];
    return node == DLZ_GRAPH_INPUT ? DLZ_GRAPH_INPUT_NAME : to->values[node];
}

const char *dlz_onnx_input(const dlz_onnx *to) {
    return dlz_onnx_input_of(to, 0);
}

/* -- Initializers ---------------------------------------------------------------------------------
 */

/* `values` or a copy of them in `own`, which the model takes over. */
static const char *add(dlz_onnx *to, const char *part, dlviz_dtype dtype, int ndim,
                       const int64_t *dims, const void *values, void *own) {
    const char *name = dlz_onnx_name(to, part);
    if (to->status == DLVIZ_OK && to->num_tensors == to->tensor_room) {
        int room = to->tensor_room ? 2 * to->tensor_room : 32;
        dlz_onnx_tensor *tensors = dlz_realloc_array(to->tensors, (uint64_t)room, sizeof *tensors);
        if (tensors) {
            to->tensors = tensors;
            to->tensor_room = room;
        } else {
            dlz_onnx_lack_memory(to, (uint64_t)room * sizeof *tensors);
        }
    }
    if (to->status != DLVIZ_OK) {
        dlz_free(own);
        return "";
    }
    dlz_onnx_tensor *tensor = &to->tensors[to->num_tensors++];
    *tensor = (dlz_onnx_tensor){
        .name = name, .dtype = dtype, .ndim = ndim, .values = own ? own : values, .own = own};
    memcpy(tensor->dims, dims, (size_t)ndim * sizeof *dims);
    dlz_product_overflows(ndim, dims, &tensor->size);
    return name;
}

bool dlz_onnx_can_hold(dlz_onnx *to, int ndim, const int64_t *dims, size_t size) {
    int64_t count;
    bool fits = !dlz_product_overflows(ndim, dims, &count) &&
                (uint64_t)count <= (DLZ_ONNX_LARGEST - to->constants) / size;
    if (!fits && to->status == DLVIZ_OK)
        to->status = dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                              "%s '%s': its constants are too large for a model, which ends at %d "
                              "bytes",
                              to->node->layer->type->name, to->node->name, DLZ_ONNX_LARGEST);
    return fits && to->status == DLVIZ_OK;
}

/* Room for a constant; NULL after a failure. */
static void *make_room(dlz_onnx *to, int ndim, const int64_t *dims, size_t size) {
    int64_t count = 0;
    if (!dlz_onnx_can_hold(to, ndim, dims, size))
        return NULL;
    dlz_product_overflows(ndim, dims, &count);
    void *room = dlz_alloc_array((uint64_t)count, size);
    to->constants += (uint64_t)count * size;
    if (!room)
        dlz_onnx_lack_memory(to, (uint64_t)count * size);
    return room;
}

static dlz_state_spec spec_of(const dlz_onnx *to, int index) {
    dlz_state_spec specs[DLZ_MAX_STATES];
    to->node->layer->type->states(to->node->layer, to->node->in, specs);
    return specs[index];
}

const char *dlz_onnx_state_as(dlz_onnx *to, int index, int ndim, const int64_t *dims) {
    return add(to, spec_of(to, index).suffix, DLVIZ_FLOAT32, ndim, dims,
               to->node->states[index].value, NULL);
}

const char *dlz_onnx_state(dlz_onnx *to, int index) {
    dlz_state_spec spec = spec_of(to, index);
    return dlz_onnx_state_as(to, index, spec.ndim, spec.dims);
}

const char *dlz_onnx_channel_state(dlz_onnx *to, int index) {
    const dlz_shape *in = dlz_onnx_in(to);
    return dlz_onnx_state_as(to, index, in->ndim, (int64_t[]){in->dims[0], 1, 1});
}

const char *dlz_onnx_numbers(dlz_onnx *to, const char *part, int ndim, const int64_t *dims,
                             const float *values) {
    float *copy = make_room(to, ndim, dims, sizeof *copy);
    int64_t count;
    if (copy && !dlz_product_overflows(ndim, dims, &count))
        memcpy(copy, values, (size_t)count * sizeof *copy);
    return add(to, part, DLVIZ_FLOAT32, ndim, dims, NULL, copy);
}

const char *dlz_onnx_filled(dlz_onnx *to, const char *part, int ndim, const int64_t *dims,
                            float value) {
    float *copy = make_room(to, ndim, dims, sizeof *copy);
    int64_t count;
    if (copy && !dlz_product_overflows(ndim, dims, &count))
        for (int64_t i = 0; i < count; i++)
            copy[i] = value;
    return add(to, part, DLVIZ_FLOAT32, ndim, dims, NULL, copy);
}

const char *dlz_onnx_number(dlz_onnx *to, const char *part, double value) {
    return dlz_onnx_filled(to, part, 0, (int64_t[]){0}, (float)value);
}

const char *dlz_onnx_integers(dlz_onnx *to, const char *part, int64_t count,
                              const int64_t *values) {
    int64_t *copy = make_room(to, 1, &count, sizeof *copy);
    if (copy)
        memcpy(copy, values, (size_t)count * sizeof *copy);
    return add(to, part, DLVIZ_INT64, 1, &count, NULL, copy);
}
