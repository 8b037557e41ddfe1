/* Running a network on batches: prediction and features. */
#include "network/run.h"
#include "base/base.h"
#include "base/busy.h"
#include "base/failures.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "layers/transpose.h"
#include "network/network.h"
#include "tensor/tensor.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* -- Input: from PyTorch's order to channels-last ------------------------------------------------
 */

typedef struct input_pass {
    const dlz_value *in;
    const dlz_run *run;
    const dlz_input *input;
    dlz_failures failures;
} input_pass;

static dlviz_status load_sample(const input_pass *pass, int64_t sample, int worker) {
    const dlz_value *in = pass->in;
    const dlz_input *input = pass->input;
    int64_t size = dlz_value_size(in), pixels = in->height * in->width;
    float *to = in->data + sample * size;
    bool reorder = in->channels > 1 && pixels > 1;
    const float *from = input->samples ? input->samples + sample * size : NULL;
    if (input->dataset) {
        float *scratch = dlz_run_scratch(pass->run, worker), *loaded = reorder ? scratch : to;
        DLZ_TRY(input->variant
                    ? dlz_dataset_load_variant(input->dataset, input->variant,
                                               input->indices[sample], scratch + size, loaded)
                    : dlz_dataset_load(input->dataset, input->indices + sample, 1, loaded));
        from = loaded;
    }
    assert(from);
    if (reorder)
        dlz_transpose_image(from, in->channels, pixels, to);
    else if (from != to)
        memcpy(to, from, (size_t)size * sizeof *to);
    return DLVIZ_OK;
}

static void input_tile(void *context, int64_t sample, int worker) {
    input_pass *pass = context;
    dlz_failures_note(&pass->failures, sample, load_sample(pass, sample, worker));
}

dlviz_status dlz_load_input(dlz_plan *plan, const dlz_input *input) {
    input_pass pass = {.in = dlz_plan_input(plan), .run = dlz_plan_run(plan), .input = input};
    dlz_failures_init(&pass.failures);
    dlz_parallel_for(pass.run->n, pass.run->workers, input_tile, &pass);
    return dlz_failures_tell(&pass.failures);
}

void dlz_read_value(dlz_plan *plan, const dlz_value *value, float *to) {
    dlz_transpose_samples(dlz_plan_run(plan), value->data, value->height * value->width,
                          value->channels, to);
}

void dlz_read_output(dlz_plan *plan, float *to) {
    dlz_read_value(plan, dlz_plan_output(plan), to);
}

void dlz_write_output_gradient(dlz_plan *plan, const float *from) {
    const dlz_value *out = dlz_plan_output(plan);
    dlz_transpose_samples(dlz_plan_run(plan), from, out->channels, out->height * out->width,
                          out->dy);
}

void dlz_read_input_gradient(dlz_plan *plan, float *to) {
    const dlz_value *in = dlz_plan_input(plan);
    dlz_transpose_samples(dlz_plan_run(plan), in->gradient.dy, in->height * in->width, in->channels,
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
    bool other_size = ndim == 3 && in->ndim == 3 && dims[0] == in->dims[0];
    return dlz_fail(DLVIZ_ERROR_SHAPE,
                    "%s: the shape of a sample is %s, the network's input is %s%s", who,
                    dlz_shape_text(given, ndim, dims), dlz_shape_text(wanted, in->ndim, in->dims),
                    other_size ? "; dlviz_dataset_set_image_size makes them alike, as "
                                 "dlviz_network_prepare_data does"
                    : is_interleaved(in, ndim, dims)
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

dlviz_status dlz_network_find_layer(const dlviz_network *network, const char *who, const char *name,
                                    int *node) {
    if (!name)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'layer' is NULL", who);
    bool found;
    *node = dlz_graph_find(&network->graph, name, &found);
    if (found)
        return DLVIZ_OK;
    char names[800];
    dlz_graph_list_names(&network->graph, names, sizeof names);
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND,
                    "%s: there is no layer '%s'; the network has %s, and 'input'", who, name,
                    names);
}

/* Checks inputs that a caller hands over as one tensor: float32, n in front. */
dlviz_status dlz_network_check_inputs(const dlviz_network *network, const char *who,
                                      const dlviz_tensor *inputs) {
    if (!inputs)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'inputs' is NULL", who);
    if (inputs->dtype != DLVIZ_FLOAT32)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'inputs' holds %s, needs float32", who,
                        dlviz_dtype_name(inputs->dtype));
    if (same_shape(&network->graph.in, inputs->ndim, inputs->dims)) {
        char given[DLZ_SHAPE_TEXT_SIZE];
        dlz_shape_text(given, inputs->ndim, inputs->dims);
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'inputs' is %s, one sample without the dimension of the batch; the "
                        "shape 1 x %s is accepted",
                        who, given, given);
    }
    if (inputs->ndim < 1 || inputs->dims[0] < 1)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'inputs' holds no sample", who);
    if (!same_shape(&network->graph.in, inputs->ndim - 1, inputs->dims + 1))
        return shape_error(network, who, inputs->ndim - 1, inputs->dims + 1);
    return DLVIZ_OK;
}

/* -- Evaluation ----------------------------------------------------------------------------------
 */

/* What is evaluated: a dataset, or samples that lie one after the other. */
typedef struct source {
    int64_t n;
    const dlviz_dataset *dataset;
    const float *samples;
} source;

/* Some samples of a source, DLZ_EVALUATION_BATCH at most. */
typedef struct piece {
    int64_t first, n;
    int64_t indices[DLZ_EVALUATION_BATCH];
} piece;

static dlviz_status load_piece(const dlviz_network *network, const source *from, const piece *p,
                               float *to) {
    int64_t size = dlz_shape_size(&network->graph.in);
    if (from->dataset)
        return dlz_dataset_load_parallel(from->dataset, p->indices, p->n, to);
    memcpy(to, from->samples + p->first * size, (size_t)(p->n * size) * sizeof *to);
    return DLVIZ_OK;
}

typedef struct output_pass {
    dlz_input input; /* of the batch */
    int64_t in_size, out_size;
    float *to;
} output_pass;

dlz_input dlz_input_from(const dlz_input *input, int64_t first, int64_t size) {
    dlz_input rest = *input;
    if (input->dataset)
        rest.indices += first;
    else
        rest.samples += first * size;
    return rest;
}

static dlviz_status output_piece(void *context, dlz_plan *plan, int64_t first) {
    const output_pass *pass = context;
    dlz_input input = dlz_input_from(&pass->input, first, pass->in_size);
    DLZ_TRY(dlz_load_input(plan, &input));
    DLZ_TRY(dlz_plan_forward(plan));
    dlz_read_output(plan, pass->to + first * pass->out_size);
    return DLVIZ_OK;
}

dlz_lane_job dlz_network_job(const dlviz_network *network, int node, int64_t n, int64_t most) {
    const dlz_graph *graph = &network->graph;
    return (dlz_lane_job){.graph = graph,
                          .node = node,
                          .mode = DLZ_EVALUATION,
                          .n = n,
                          .piece = dlz_lanes_piece(graph, node, most)};
}

dlviz_status dlz_network_run_to(dlviz_network *network, int node, int64_t n, int64_t most,
                                const dlz_input *input, float *to) {
    const dlz_graph *graph = &network->graph;
    output_pass pass = {.input = *input,
                        .in_size = dlz_shape_size(&graph->in),
                        .out_size = dlz_shape_size(dlz_graph_shape(graph, node)),
                        .to = to};
    dlz_lane_job job = dlz_network_job(network, node, n, most);
    return dlz_lanes_run(&network->plans, &job, output_piece, &pass);
}

/* Computes a node for one batch of a source, one of `most` or the last. */
static dlviz_status run_batch(dlviz_network *network, int last, const source *from, const piece *p,
                              int64_t most, float *to) {
    dlz_input input = {.dataset = from->dataset, .indices = p->indices};
    if (!from->dataset)
        input.samples = from->samples + p->first * dlz_shape_size(&network->graph.in);
    return dlz_network_run_to(network, last, p->n, most, &input, to);
}

int64_t dlz_evaluation_batch(const dlz_graph *graph, int64_t parameter_floats, int64_t n) {
    /* Few images of the largest, and enough of the others to be cut into pieces: of what two layers
     * hand on, 64 MB at most. */
    enum {
        CACHED = 1 << 20,
        LEAST = 4,
        LEAST_TO_CUT = 16,
        MOST_TO_CUT = (64 << 20) / sizeof(float)
    };
    int64_t most = dlz_max_i64(CACHED, 3 * parameter_floats), largest = 1;
    int64_t before = dlz_shape_size(&graph->in);
    for (int node = 0; node < graph->num_nodes; node++) {
        int64_t size = dlz_shape_size(dlz_graph_shape(graph, node));
        largest = dlz_max_i64(largest, before + size);
        before = size;
    }
    int64_t least = largest <= MOST_TO_CUT / LEAST_TO_CUT ? LEAST_TO_CUT : LEAST;
    int64_t batch = dlz_min_i64(dlz_max_i64(most / largest, least), DLZ_EVALUATION_BATCH);
    int64_t equal = dlz_ceil_div(n, dlz_ceil_div(n, batch)); /* about equal ones */
    bool cut = equal < n && dlz_lanes_piece(graph, graph->num_nodes - 1, equal) < equal;
    return cut ? dlz_ceil_div(equal, 4) * 4 : equal; /* of equal pieces */
}

/* Computes a node, or the input, for all samples. */
static dlviz_status run_all(dlviz_network *network, int last, const source *from, float *to) {
    int64_t size = dlz_shape_size(dlz_graph_shape(&network->graph, last));
    int64_t most = dlz_evaluation_batch(&network->graph, network->parameter_floats, from->n);
    piece p;
    for (p.first = 0; p.first < from->n; p.first += p.n) {
        p.n = dlz_min_i64(most, from->n - p.first);
        for (int64_t i = 0; i < p.n; i++)
            p.indices[i] = p.first + i;
        float *rows = to + p.first * size;
        DLZ_TRY(last == DLZ_GRAPH_INPUT ? load_piece(network, from, &p, rows)
                                        : run_batch(network, last, from, &p, most, rows));
        DLZ_TRY(dlz_task_report((double)(p.first + p.n) / (double)from->n));
    }
    return DLVIZ_OK;
}

/* A new tensor, a row for each sample of a dataset, in the node's shape for samples that lie there.
 */
static dlviz_status outputs_of(dlviz_network *network, int last, const source *from,
                               dlviz_tensor **out) {
    const dlz_shape *shape = dlz_graph_shape(&network->graph, last);
    int ndim = from->dataset ? 1 : shape->ndim;
    int64_t dims[4] = {from->n, dlz_shape_size(shape)};
    if (!from->dataset)
        memcpy(dims + 1, shape->dims, (size_t)ndim * sizeof *dims);
    dlviz_tensor *result;
    DLZ_TRY(dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, ndim + 1, dims));
    dlviz_status status = run_all(network, last, from, result->data);
    if (status == DLVIZ_OK)
        *out = result;
    else
        dlviz_tensor_destroy(result);
    return status;
}

dlviz_status dlz_network_features(dlviz_network *network, const char *who, const char *layer,
                                  const dlviz_dataset *dataset, dlviz_tensor **out) {
    int node = network->graph.num_nodes - 1;
    if (layer)
        DLZ_TRY(dlz_network_find_layer(network, who, layer, &node));
    DLZ_TRY(dlz_network_check_samples(network, who, dataset));
    dlz_network_warn_of_data(network, who, dataset);
    source from = {.n = dlviz_dataset_num_samples(dataset), .dataset = dataset};
    return outputs_of(network, node, &from, out);
}

dlviz_status dlz_network_outputs(dlviz_network *network, const dlviz_tensor *inputs,
                                 dlviz_tensor **outputs) {
    source from = {.n = inputs->dims[0], .samples = inputs->data};
    return outputs_of(network, network->graph.num_nodes - 1, &from, outputs);
}

static dlviz_status of_inputs(dlviz_network *network, const char *who, const char *layer,
                              const dlviz_tensor *inputs, dlviz_tensor **out) {
    int node = network->graph.num_nodes - 1;
    if (layer)
        DLZ_TRY(dlz_network_find_layer(network, who, layer, &node));
    DLZ_TRY(dlz_network_check_inputs(network, who, inputs));
    source from = {.n = inputs->dims[0], .samples = inputs->data};
    return outputs_of(network, node, &from, out);
}

dlviz_status dlviz_network_predict(dlviz_network *network, const dlviz_dataset *dataset,
                                   dlviz_tensor **outputs) {
    DLZ_REQUIRE_OUT(outputs);
    DLZ_USE_STATES(__func__, network);
    DLZ_TASK("prediction");
    return dlz_network_features(network, __func__, NULL, dataset, outputs);
}

dlviz_status dlviz_network_features(dlviz_network *network, const char *layer,
                                    const dlviz_dataset *dataset, dlviz_tensor **features) {
    DLZ_REQUIRE_OUT(features);
    DLZ_USE_STATES(__func__, network);
    DLZ_REQUIRE(layer);
    DLZ_TASK("features");
    return dlz_network_features(network, __func__, layer, dataset, features);
}

dlviz_status dlviz_network_forward(dlviz_network *network, const dlviz_tensor *inputs,
                                   dlviz_tensor **outputs) {
    DLZ_REQUIRE_OUT(outputs);
    DLZ_USE_STATES(__func__, network);
    DLZ_TASK("prediction");
    return of_inputs(network, __func__, NULL, inputs, outputs);
}

dlviz_status dlviz_network_forward_to(dlviz_network *network, const char *layer,
                                      const dlviz_tensor *inputs, dlviz_tensor **outputs) {
    DLZ_REQUIRE_OUT(outputs);
    DLZ_USE_STATES(__func__, network);
    DLZ_REQUIRE(layer);
    DLZ_TASK("features");
    return of_inputs(network, __func__, layer, inputs, outputs);
}

dlviz_status dlz_network_infer_batch(dlviz_network *network, const dlviz_dataset *dataset,
                                     const int64_t *indices, int64_t n) {
    dlz_plan *plan;
    DLZ_TRY(dlz_plan_get(&network->plans, &network->graph, network->graph.num_nodes - 1,
                         DLZ_EVALUATION, n, &plan));
    DLZ_TRY(dlz_load_input(plan, &(dlz_input){.dataset = dataset, .indices = indices}));
    return dlz_plan_forward(plan);
}
