/* Running a network on batches: prediction and features. */
#include "network/run.h"
#include "base/base.h"
#include "base/busy.h"
#include "base/parallel.h"
#include "data/dataset.h"
#include "layers/transpose.h"
#include "network/network.h"
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

/* -- Input: from PyTorch's order to channels-last ------------------------------------------------
 */

typedef struct input_pass {
    const dlz_value *in;
    const dlz_run *run;
    const dlz_input *input;
} input_pass;

static void input_tile(void *context, int64_t sample, int worker) {
    const input_pass *pass = context;
    const dlz_value *in = pass->in;
    const dlz_input *input = pass->input;
    int64_t size = dlz_value_size(in), pixels = in->height * in->width;
    float *to = in->data + sample * size;
    bool reorder = in->channels > 1 && pixels > 1;
    const float *from = input->samples ? input->samples + sample * size : NULL;
    if (input->dataset) {
        float *loaded = reorder ? dlz_run_scratch(pass->run, worker) : to;
        dlz_dataset_load(input->dataset, input->indices + sample, 1, loaded, NULL);
        from = loaded;
    }
    if (reorder)
        dlz_transpose_image(from, in->channels, pixels, to);
    else if (from != to)
        memcpy(to, from, (size_t)size * sizeof *to);
}

void dlz_load_input(dlz_plan *plan, const dlz_input *input) {
    input_pass pass = {dlz_plan_input(plan), dlz_plan_run(plan), input};
    dlz_parallel_for(pass.run->n, pass.run->workers, input_tile, &pass);
}

void dlz_read_output(dlz_plan *plan, float *to) {
    const dlz_value *out = dlz_plan_output(plan);
    dlz_transpose_samples(dlz_plan_run(plan), out->data, out->height * out->width, out->channels,
                          to);
}

/* -- Checks --------------------------------------------------------------------------------------
 */

/* Height x width x channels, taken for channels x height x width. */
static bool is_interleaved(const dlz_shape *in, int ndim, const int64_t *dims) {
    return ndim == 3 && in->ndim == 3 && dims[0] == in->dims[1] && dims[1] == in->dims[2] &&
           dims[2] == in->dims[0];
}

static dlviz_status shape_error(const dlviz_network *network, const char *who, int ndim,
                                const int64_t *dims) {
    char given[DLZ_SHAPE_TEXT_SIZE], wanted[DLZ_SHAPE_TEXT_SIZE];
    const dlz_shape *in = &network->graph.in;
    return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: samples are %s, the network's input is %s%s", who,
                    dlz_shape_text(given, ndim, dims), dlz_shape_text(wanted, in->ndim, in->dims),
                    is_interleaved(in, ndim, dims)
                        ? "; samples are channels x height x width: for images stored as height x "
                          "width x channels, make the dataset with dlviz_dataset_create_from_hwc"
                        : "");
}

static bool same_shape(const dlz_shape *shape, int ndim, const int64_t *dims) {
    return ndim == shape->ndim && memcmp(dims, shape->dims, (size_t)ndim * sizeof *dims) == 0;
}

dlviz_status dlz_network_check_samples(const dlviz_network *network, const char *who,
                                       const dlviz_dataset *dataset) {
    if (!dataset)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'dataset' is NULL", who);
    int ndim = dlviz_dataset_ndim(dataset);
    const int64_t *dims = dlviz_dataset_dims(dataset);
    return same_shape(&network->graph.in, ndim, dims) ? DLVIZ_OK
                                                      : shape_error(network, who, ndim, dims);
}

/* -- Evaluation ----------------------------------------------------------------------------------
 */

/* Runs a dataset through nodes 0 … last; rows receives each sample's output. */
static dlviz_status run_dataset(dlviz_network *network, int last, const dlviz_dataset *dataset,
                                float *rows) {
    int64_t n = dlviz_dataset_num_samples(dataset),
            width = dlz_shape_size(&network->graph.nodes[last].out);
    for (int64_t first = 0; first < n; first += DLZ_EVALUATION_BATCH) {
        int64_t indices[DLZ_EVALUATION_BATCH];
        int64_t some = dlz_min_i64(DLZ_EVALUATION_BATCH, n - first);
        for (int64_t i = 0; i < some; i++)
            indices[i] = first + i;
        dlz_plan *plan;
        DLZ_TRY(dlz_plan_get(&network->plans, &network->graph, last, DLZ_EVALUATION, some, &plan));
        dlz_load_input(plan, &(dlz_input){.dataset = dataset, .indices = indices});
        DLZ_TRY(dlz_plan_forward(plan));
        dlz_read_output(plan, rows + first * width);
    }
    return DLVIZ_OK;
}

static dlviz_status node_outputs(dlviz_network *network, const char *who, int last,
                                 const dlviz_dataset *dataset, dlviz_tensor **out) {
    DLZ_TRY(dlz_network_check_samples(network, who, dataset));
    int64_t dims[2] = {dlviz_dataset_num_samples(dataset),
                       dlz_shape_size(&network->graph.nodes[last].out)};
    dlviz_tensor *rows;
    DLZ_TRY(dlz_tensor_create_raw(&rows, DLVIZ_FLOAT32, 2, dims));
    dlviz_status status = run_dataset(network, last, dataset, rows->data);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(rows);
        return status;
    }
    *out = rows;
    return DLVIZ_OK;
}

dlviz_status dlviz_network_predict(dlviz_network *network, const dlviz_dataset *dataset,
                                   dlviz_tensor **outputs) {
    DLZ_REQUIRE_OUT(outputs);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_HOLD_NESTED(&network->busy, "network");
    return node_outputs(network, __func__, network->graph.num_nodes - 1, dataset, outputs);
}

dlviz_status dlz_network_find_layer(const dlviz_network *network, const char *who, const char *name,
                                    int *node) {
    if (!name)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'layer' is NULL", who);
    bool found;
    *node = dlz_graph_find(&network->graph, name, &found);
    if (found && *node != DLZ_GRAPH_INPUT)
        return DLVIZ_OK;
    char names[800];
    dlz_graph_list_names(&network->graph, names, sizeof names);
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s: there is no layer '%s'; the network has %s", who,
                    name, names);
}

dlviz_status dlviz_network_features(dlviz_network *network, const char *layer,
                                    const dlviz_dataset *dataset, dlviz_tensor **features) {
    DLZ_REQUIRE_OUT(features);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_HOLD_NESTED(&network->busy, "network");
    int last = 0;
    DLZ_TRY(dlz_network_find_layer(network, __func__, layer, &last));
    return node_outputs(network, __func__, last, dataset, features);
}

/* Checks inputs that a caller hands over as one tensor: float32, n in front. */
dlviz_status dlz_network_check_inputs(const dlviz_network *network, const char *who,
                                      const dlviz_tensor *inputs) {
    if (!inputs)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'inputs' is NULL", who);
    if (inputs->dtype != DLVIZ_FLOAT32)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'inputs' holds %s, needs float32", who,
                        dlviz_dtype_name(inputs->dtype));
    if (inputs->ndim < 1 || inputs->dims[0] < 1)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'inputs' holds no sample", who);
    if (!same_shape(&network->graph.in, inputs->ndim - 1, inputs->dims + 1))
        return shape_error(network, who, inputs->ndim - 1, inputs->dims + 1);
    return DLVIZ_OK;
}

dlviz_status dlviz_network_forward(dlviz_network *network, const dlviz_tensor *inputs,
                                   dlviz_tensor **outputs) {
    DLZ_REQUIRE_OUT(outputs);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_TRY(dlz_network_check_inputs(network, __func__, inputs));
    DLZ_HOLD_NESTED(&network->busy, "network");
    int last = network->graph.num_nodes - 1;
    const dlz_shape *shape = &network->graph.nodes[last].out;
    int64_t n = inputs->dims[0], dims[4] = {n};
    memcpy(dims + 1, shape->dims, (size_t)shape->ndim * sizeof *dims);
    dlviz_tensor *result;
    DLZ_TRY(dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, shape->ndim + 1, dims));
    const float *from = inputs->data;
    float *to = result->data;
    int64_t in_size = dlz_shape_size(&network->graph.in), out_size = dlz_shape_size(shape);
    for (int64_t first = 0; first < n; first += DLZ_EVALUATION_BATCH) {
        int64_t some = dlz_min_i64(DLZ_EVALUATION_BATCH, n - first);
        dlz_plan *plan;
        dlviz_status status =
            dlz_plan_get(&network->plans, &network->graph, last, DLZ_EVALUATION, some, &plan);
        if (status == DLVIZ_OK) {
            dlz_load_input(plan, &(dlz_input){.samples = from + first * in_size});
            status = dlz_plan_forward(plan);
        }
        if (status != DLVIZ_OK) {
            dlviz_tensor_destroy(result);
            return status;
        }
        dlz_read_output(plan, to + first * out_size);
    }
    *outputs = result;
    return DLVIZ_OK;
}

dlviz_status dlz_network_infer_batch(dlviz_network *network, const dlviz_dataset *dataset,
                                     const int64_t *indices, int64_t n) {
    dlz_plan *plan;
    DLZ_TRY(dlz_plan_get(&network->plans, &network->graph, network->graph.num_nodes - 1,
                         DLZ_EVALUATION, n, &plan));
    dlz_load_input(plan, &(dlz_input){.dataset = dataset, .indices = indices});
    return dlz_plan_forward(plan);
}
