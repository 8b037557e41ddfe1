/* Outputs and features of all samples in one pass. */
#include "base/base.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "network/run.h"
#include "tensor/tensor.h"

static int last_node(const dlviz_network *network) {
    return network->graph.num_nodes - 1;
}

dlviz_status dlz_look_plan(dlviz_network *network, const dlz_look *look, int64_t n,
                           dlz_plan **plan) {
    dlz_mode mode = DLZ_EVALUATION;
    mode.keeps = look->features != NULL;
    mode.watched = mode.keeps ? look->node : 0;
    return dlz_plan_get(&network->plans, &network->graph, last_node(network), mode, n, plan);
}

static float *rows_from(dlviz_tensor *tensor, int64_t first) {
    return (float *)tensor->data + first * (tensor->size / tensor->dims[0]);
}

/* A layer that others are computed with, such as a convolution before a batch norm, has no output
 * of its own there. */
static dlviz_status run_to_layer(dlviz_network *network, int node, int64_t n,
                                 const dlz_input *input, float *to) {
    dlz_plan *plan;
    if (node == DLZ_GRAPH_INPUT)
        return dlz_dataset_load_parallel(input->dataset, input->indices, n, to);
    DLZ_TRY(dlz_plan_get(&network->plans, &network->graph, node, DLZ_EVALUATION, n, &plan));
    DLZ_TRY(dlz_load_input(plan, input));
    DLZ_TRY(dlz_plan_forward(plan));
    dlz_read_output(plan, to);
    return DLVIZ_OK;
}

dlviz_status dlz_look_read(dlviz_network *network, const dlz_look *look, dlz_plan *plan,
                           const dlz_input *input, int64_t first) {
    if (look->outputs)
        dlz_read_output(plan, rows_from(look->outputs, first));
    if (!look->features)
        return DLVIZ_OK;
    float *to = rows_from(look->features, first);
    const dlz_value *kept = dlz_plan_watched(plan);
    if (!kept)
        return run_to_layer(network, look->node, dlz_plan_run(plan)->n, input, to);
    dlz_read_value(plan, kept, to);
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
    dlz_plan *plan;
    DLZ_TRY(dlz_look_plan(network, look, n, &plan));
    DLZ_TRY(dlz_load_input(plan, &input));
    DLZ_TRY(dlz_plan_forward(plan));
    return dlz_look_read(network, look, plan, &input, first);
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
