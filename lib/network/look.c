/* Outputs and features of all samples in one pass. */
#include "base/base.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "network/run.h"
#include "tensor/tensor.h"

static int last_node(const dlviz_network *network) {
    return network->graph.num_nodes - 1;
}

dlz_lane_job dlz_look_job(const dlviz_network *network, const dlz_look *look, int64_t n) {
    dlz_lane_job job = dlz_network_job(network, last_node(network), n);
    job.mode.keeps = look->features != NULL;
    job.mode.watched = job.mode.keeps ? look->node : 0;
    return job;
}

static float *rows_from(dlviz_tensor *tensor, int64_t first) {
    return (float *)tensor->data + first * (tensor->size / tensor->dims[0]);
}

void dlz_look_read(const dlz_look *look, dlz_plan *plan, int64_t first) {
    if (look->outputs)
        dlz_read_output(plan, rows_from(look->outputs, first));
    const dlz_value *kept = look->features ? dlz_plan_watched(plan) : NULL;
    if (kept)
        dlz_read_value(plan, kept, rows_from(look->features, first));
}

/* A layer that others are computed with, such as a convolution before a batch norm, has no output
 * of its own there. */
static dlviz_status run_to_layer(dlviz_network *network, int node, int64_t n,
                                 const dlz_input *input, float *to) {
    if (node == DLZ_GRAPH_INPUT)
        return dlz_dataset_load_parallel(input->dataset, input->indices, n, to);
    return dlz_network_run_to(network, node, n, input, to);
}

dlviz_status dlz_look_finish(dlviz_network *network, const dlz_look *look, const dlz_input *input,
                             int64_t first, int64_t n) {
    dlz_plan *plan;
    if (!look->features)
        return DLVIZ_OK;
    dlz_lane_job job = dlz_look_job(network, look, n);
    DLZ_TRY(dlz_plan_get(&network->plans, job.graph, job.node, job.mode, job.piece, &plan));
    if (dlz_plan_watched(plan))
        return DLVIZ_OK;
    return run_to_layer(network, look->node, n, input, rows_from(look->features, first));
}

typedef struct look_pass {
    const dlz_look *look;
    const dlz_input *input;
    int64_t in_size, first;
} look_pass;

static dlviz_status look_piece(void *context, dlz_plan *plan, int64_t first) {
    const look_pass *pass = context;
    dlz_input input = dlz_input_from(pass->input, first, pass->in_size);
    DLZ_TRY(dlz_load_input(plan, &input));
    DLZ_TRY(dlz_plan_forward(plan));
    dlz_look_read(pass->look, plan, pass->first + first);
    return DLVIZ_OK;
}

static dlviz_status look_at(dlviz_network *network, const dlviz_dataset *dataset,
                            const dlz_look *look, int64_t first, int64_t n) {
    int64_t indices[DLZ_EVALUATION_BATCH];
    dlz_input input = {.dataset = dataset, .indices = indices};
    for (int64_t i = 0; i < n; i++)
        indices[i] = first + i;
    if (!look->outputs)
        return run_to_layer(network, look->node, n, &input, rows_from(look->features, first));
    look_pass pass = {look, &input, dlz_shape_size(&network->graph.in), first};
    dlz_lane_job job = dlz_look_job(network, look, n);
    DLZ_TRY(dlz_lanes_run(&network->plans, &job, look_piece, &pass));
    return dlz_look_finish(network, look, &input, first, n);
}

dlviz_status dlz_network_look(dlviz_network *network, const dlviz_dataset *dataset,
                              const dlz_look *look) {
    int64_t n = dlviz_dataset_num_samples(dataset);
    int64_t most = dlz_evaluation_batch(&network->graph, network->parameter_floats, n);
    for (int64_t first = 0; first < n; first += most) {
        int64_t batch = dlz_min_i64(most, n - first);
        DLZ_TRY(look_at(network, dataset, look, first, batch));
        DLZ_TRY(dlz_task_report((double)(first + batch) / (double)n));
    }
    return DLVIZ_OK;
}
