/* Running a network on batches: prediction, features, evaluation, one training step. */
#include "base/base.h"
#include "base/parallel.h"
#include "data/dataset.h"
#include "kernels/nn/loss.h"
#include "network/network.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Samples at a time in evaluation: enough to keep all threads busy, few enough for the cache. */
#define EVALUATION_BATCH 64

#define EVALUATION                                                                                 \
    (dlz_mode) {                                                                                   \
        .training = false                                                                          \
    }
#define TRAINING                                                                                   \
    (dlz_mode) {                                                                                   \
        .training = true, .gradients = true                                                        \
    }

/* -- Input: from PyTorch's order to channels-last ------------------------------------------------
 */

typedef struct input_pass {
    const dlz_value *in;
    const dlz_run *run;
    const dlviz_dataset *dataset; /* or NULL: `samples` */
    const int64_t *indices;
    int64_t *labels;
    const float *samples;
} input_pass;

/* rows x columns to columns x rows */
static void transpose(const float *from, int64_t rows, int64_t columns, float *to) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            to[c * rows + r] = from[r * columns + c];
}

static void input_tile(void *context, int64_t sample, int worker) {
    const input_pass *pass = context;
    const dlz_value *in = pass->in;
    int64_t size = dlz_value_size(in), pixels = in->height * in->width;
    float *to = in->data + sample * size;
    bool reorder = in->channels > 1 && pixels > 1;
    const float *from = pass->samples ? pass->samples + sample * size : NULL;
    if (pass->dataset) {
        float *loaded = reorder ? dlz_run_scratch(pass->run, worker) : to;
        dlz_dataset_load(pass->dataset, pass->indices + sample, 1, loaded,
                         pass->labels ? pass->labels + sample : NULL);
        from = loaded;
    }
    if (reorder)
        transpose(from, in->channels, pixels, to);
    else if (from != to)
        memcpy(to, from, (size_t)size * sizeof *to);
}

static void load_input(dlz_plan *plan, input_pass pass) {
    pass.in = dlz_plan_input(plan);
    pass.run = dlz_plan_run(plan);
    dlz_parallel_for(pass.run->n, pass.run->workers, input_tile, &pass);
}

/* -- Checks --------------------------------------------------------------------------------------
 */

static dlviz_status shape_error(const dlviz_network *network, const char *who, int ndim,
                                const int64_t *dims) {
    char given[DLZ_SHAPE_TEXT_SIZE], wanted[DLZ_SHAPE_TEXT_SIZE];
    return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: samples are %s, the network's input is %s", who,
                    dlz_shape_text(given, ndim, dims),
                    dlz_shape_text(wanted, network->graph.in.ndim, network->graph.in.dims));
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

static dlviz_status require_classifier(const dlviz_network *network, const char *who) {
    const dlz_node *last = &network->graph.nodes[network->graph.num_nodes - 1];
    if (last->out.ndim == 1)
        return DLVIZ_OK;
    return dlz_fail(
        DLVIZ_ERROR_SHAPE,
        "%s: the last layer '%s' gives images; a cross-entropy needs one number a class", who,
        last->name);
}

dlviz_status dlz_network_check_labels(const dlviz_network *network, const char *who,
                                      const dlviz_dataset *dataset) {
    DLZ_TRY(require_classifier(network, who));
    const dlviz_tensor *labels = dlviz_dataset_labels(dataset);
    if (!labels)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: the dataset has no labels", who);
    int64_t outputs = network->graph.nodes[network->graph.num_nodes - 1].out.dims[0], smallest,
            largest;
    if (dlz_dataset_label_range(dataset, &smallest, &largest) && smallest >= 0 && largest < outputs)
        return DLVIZ_OK;
    const int64_t *values = dlviz_tensor_const_data(labels);
    for (int64_t i = 0; i < dlviz_tensor_num_elements(labels); i++)
        if (values[i] < 0 || values[i] >= outputs)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: sample %lld has label %lld; the network's %lld outputs allow 0 to "
                            "%lld",
                            who, (long long)i, (long long)values[i], (long long)outputs,
                            (long long)outputs - 1);
    return DLVIZ_OK;
}

/* -- Evaluation ----------------------------------------------------------------------------------
 */

/* The plan's output in PyTorch's order. */
static void read_output(dlz_plan *plan, float *to) {
    const dlz_value *out = dlz_plan_output(plan);
    int64_t size = dlz_value_size(out), pixels = out->height * out->width;
    for (int64_t i = 0; i < dlz_plan_run(plan)->n; i++)
        transpose(out->data + i * size, pixels, out->channels, to + i * size);
}

/* Runs a dataset through nodes 0 … last; rows receives each sample's output, or is NULL; loss and
 * correct, if not NULL, receive sums over the samples. */
static dlviz_status run_dataset(dlviz_network *network, int last, const dlviz_dataset *dataset,
                                float *rows, double *loss, int64_t *correct) {
    int64_t n = dlviz_dataset_num_samples(dataset),
            width = dlz_shape_size(&network->graph.nodes[last].out);
    for (int64_t first = 0; first < n; first += EVALUATION_BATCH) {
        int64_t indices[EVALUATION_BATCH], labels[EVALUATION_BATCH];
        int64_t some = dlz_min_i64(EVALUATION_BATCH, n - first);
        for (int64_t i = 0; i < some; i++)
            indices[i] = first + i;
        dlz_plan *plan;
        DLZ_TRY(dlz_plan_get(&network->plans, &network->graph, last, EVALUATION, some, &plan));
        load_input(
            plan,
            (input_pass){.dataset = dataset, .indices = indices, .labels = loss ? labels : NULL});
        DLZ_TRY(dlz_plan_forward(plan));
        if (rows)
            read_output(plan, rows + first * width);
        if (!loss)
            continue;
        int64_t right;
        *loss += dlz_cross_entropy(some, width, dlz_plan_output(plan)->data, labels, 1, NULL, NULL,
                                   &right);
        *correct += right;
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
    dlviz_status status = run_dataset(network, last, dataset, rows->data, NULL, NULL);
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
    char names[800] = "";
    size_t used = 0;
    for (int i = 0; i < network->graph.num_nodes && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 network->graph.nodes[i].name);
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s: there is no layer '%s'; the network has %s", who,
                    name, names);
}

dlviz_status dlviz_network_features(dlviz_network *network, const char *layer,
                                    const dlviz_dataset *dataset, dlviz_tensor **features) {
    DLZ_REQUIRE_OUT(features);
    DLZ_TRY(dlz_require_built(network, __func__));
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
    int last = network->graph.num_nodes - 1;
    const dlz_shape *shape = &network->graph.nodes[last].out;
    int64_t n = inputs->dims[0], dims[4] = {n};
    memcpy(dims + 1, shape->dims, (size_t)shape->ndim * sizeof *dims);
    dlviz_tensor *result;
    DLZ_TRY(dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, shape->ndim + 1, dims));
    const float *from = inputs->data;
    float *to = result->data;
    int64_t in_size = dlz_shape_size(&network->graph.in), out_size = dlz_shape_size(shape);
    for (int64_t first = 0; first < n; first += EVALUATION_BATCH) {
        int64_t some = dlz_min_i64(EVALUATION_BATCH, n - first);
        dlz_plan *plan;
        dlviz_status status =
            dlz_plan_get(&network->plans, &network->graph, last, EVALUATION, some, &plan);
        if (status == DLVIZ_OK) {
            load_input(plan, (input_pass){.samples = from + first * in_size});
            status = dlz_plan_forward(plan);
        }
        if (status != DLVIZ_OK) {
            dlviz_tensor_destroy(result);
            return status;
        }
        read_output(plan, to + first * out_size);
    }
    *outputs = result;
    return DLVIZ_OK;
}

dlviz_status dlz_network_infer_batch(dlviz_network *network, const dlviz_dataset *dataset,
                                     const int64_t *indices, int64_t n) {
    dlz_plan *plan;
    DLZ_TRY(dlz_plan_get(&network->plans, &network->graph, network->graph.num_nodes - 1, EVALUATION,
                         n, &plan));
    load_input(plan, (input_pass){.dataset = dataset, .indices = indices});
    return dlz_plan_forward(plan);
}

dlviz_status dlviz_network_evaluate(dlviz_network *network, const dlviz_dataset *dataset,
                                    double *loss, double *accuracy) {
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_TRY(dlz_network_check_samples(network, __func__, dataset));
    DLZ_TRY(dlz_network_check_labels(network, __func__, dataset));
    double sum = 0;
    int64_t correct = 0;
    DLZ_TRY(run_dataset(network, network->graph.num_nodes - 1, dataset, NULL, &sum, &correct));
    double n = (double)dlviz_dataset_num_samples(dataset);
    if (loss)
        *loss = sum / n;
    if (accuracy)
        *accuracy = (double)correct / n;
    return DLVIZ_OK;
}

/* -- Training ------------------------------------------------------------------------------------
 */

static dlviz_status training_plan(dlviz_network *network, int64_t n, uint64_t seed, uint64_t step,
                                  dlz_plan **plan) {
    DLZ_TRY(dlz_graph_check_batch(&network->graph, n));
    DLZ_TRY(dlz_plan_get(&network->plans, &network->graph, network->graph.num_nodes - 1, TRAINING,
                         n, plan));
    dlz_run *run = dlz_plan_run(*plan);
    run->seed = seed;
    run->step = step;
    return DLVIZ_OK;
}

/* Forward, loss and backward on the batch that lies in the plan's input. */
static dlviz_status run_step(dlviz_network *network, dlz_plan *plan, const int64_t *labels,
                             double *loss_sum, int64_t *correct) {
    DLZ_TRY(dlz_plan_forward(plan));
    dlz_value *out = dlz_plan_output(plan);
    int64_t n = dlz_plan_run(plan)->n, right;
    double loss = dlz_cross_entropy(n, out->channels, out->data, labels, 1 / (double)n, NULL,
                                    out->dy, &right);
    /* Gone until the last of them is there. */
    network->has_gradients = network->fresh_gradients = false;
    DLZ_TRY(dlz_plan_backward(plan));
    network->has_gradients = network->fresh_gradients = true;
    *loss_sum += loss;
    *correct += right;
    return DLVIZ_OK;
}

/* A step that fails leaves the running statistics as they were. */
static dlviz_status train_step(dlviz_network *network, dlz_plan *plan, const int64_t *labels,
                               double *loss_sum, int64_t *correct) {
    dlz_network_keep_buffers(network);
    dlviz_status status = run_step(network, plan, labels, loss_sum, correct);
    if (status != DLVIZ_OK)
        dlz_network_put_buffers_back(network);
    return status;
}

dlviz_status dlz_network_train_batch(dlviz_network *network, const dlviz_dataset *dataset,
                                     const int64_t *indices, int64_t *labels, int64_t n,
                                     uint64_t seed, uint64_t step, double *loss_sum,
                                     int64_t *correct) {
    dlz_plan *plan;
    DLZ_TRY(training_plan(network, n, seed, step, &plan));
    load_input(plan, (input_pass){.dataset = dataset, .indices = indices, .labels = labels});
    return train_step(network, plan, labels, loss_sum, correct);
}

static int64_t label_at(const dlviz_tensor *labels, int64_t i) {
    return labels->dtype == DLVIZ_UINT8 ? ((const uint8_t *)labels->data)[i]
                                        : ((const int64_t *)labels->data)[i];
}

static dlviz_status check_labels(const dlviz_network *network, const char *who,
                                 const dlviz_tensor *labels, int64_t n) {
    if (!labels)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'labels' is NULL", who);
    if (labels->dtype == DLVIZ_FLOAT32 || labels->ndim != 1 || labels->dims[0] != n)
        return dlz_fail(
            DLVIZ_ERROR_SHAPE,
            "%s: 'labels' is %d-dimensional %s of %lld; needs %lld uint8 or int64, one an "
            "input",
            who, labels->ndim, dlviz_dtype_name(labels->dtype), (long long)labels->size,
            (long long)n);
    int64_t outputs = network->graph.nodes[network->graph.num_nodes - 1].out.dims[0];
    for (int64_t i = 0; i < n; i++)
        if (label_at(labels, i) < 0 || label_at(labels, i) >= outputs)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: label %lld is %lld; the network's outputs allow 0 to %lld", who,
                            (long long)i, (long long)label_at(labels, i), (long long)outputs - 1);
    return DLVIZ_OK;
}

dlviz_status dlviz_network_backward(dlviz_network *network, const dlviz_tensor *inputs,
                                    const dlviz_tensor *labels, uint64_t seed, uint64_t step,
                                    double *loss) {
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_TRY(require_classifier(network, __func__));
    DLZ_TRY(dlz_network_check_inputs(network, __func__, inputs));
    int64_t n = inputs->dims[0], correct = 0;
    DLZ_TRY(check_labels(network, __func__, labels, n));
    dlz_plan *plan;
    DLZ_TRY(training_plan(network, n, seed, step, &plan));
    load_input(plan, (input_pass){.samples = inputs->data});
    for (int64_t i = 0; i < n; i++)
        dlz_plan_extras(plan)->labels[i] = label_at(labels, i);
    double sum = 0;
    DLZ_TRY(train_step(network, plan, dlz_plan_extras(plan)->labels, &sum, &correct));
    if (loss)
        *loss = sum / (double)n;
    return DLVIZ_OK;
}
