/* Outputs and features of all samples in one pass. */
#include "base/base.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "network/run.h"
#include "tensor/tensor.h"

#include <stdatomic.h>

static int last_node(const dlviz_network *network) {
    return network->graph.num_nodes - 1;
}

dlz_lane_job dlz_look_job(const dlviz_network *network, const dlz_look *look, int64_t n,
                          int64_t most) {
    dlz_lane_job job = dlz_network_job(network, last_node(network), n, most);
    job.mode.keeps = look->features != NULL;
    job.mode.watched = job.mode.keeps ? look->node : 0;
    return job;
}

static float *rows_from(dlviz_tensor *tensor, int64_t first) {
    return (float *)tensor->data + first * (tensor->size / tensor->dims[0]);
}

bool dlz_look_read(const dlz_look *look, dlz_plan *plan, int64_t first) {
    if (look->outputs)
        dlz_read_output(plan, rows_from(look->outputs, first));
    const dlz_value *kept = look->features ? dlz_plan_watched(plan) : NULL;
    if (kept)
        dlz_read_value(plan, kept, rows_from(look->features, first));
    return kept || !look->features;
}

/* A layer that others are computed with, such as a convolution before a batch norm, has no output
 * of its own there. */
dlviz_status dlz_look_finish(dlviz_network *network, const dlz_look *look, const dlz_input *input,
                             int64_t first, int64_t n, int64_t most) {
    float *to = rows_from(look->features, first);
    if (look->node == DLZ_GRAPH_INPUT)
        return dlz_dataset_load_parallel(input->dataset, input->indices, n, to);
    return dlz_network_run_to(network, look->node, n, most, input, to);
}

typedef struct look_pass {
    const dlz_look *look;
    const dlz_input *input;
    int64_t in_size, first;
    atomic_bool left; /* the features */
} look_pass;

static dlviz_status look_piece(void *context, dlz_plan *plan, int64_t first) {
    look_pass *pass = context;
    dlz_input input = dlz_input_from(pass->input, first, pass->in_size);
    DLZ_TRY(dlz_load_input(plan, &input));
    DLZ_TRY(dlz_plan_forward(plan));
    if (!dlz_look_read(pass->look, plan, pass->first + first))
        atomic_store_explicit(&pass->left, true, memory_order_relaxed);
    return DLVIZ_OK;
}

static dlviz_status look_at(dlviz_network *network, const dlviz_dataset *dataset,
                            const dlz_look *look, int64_t first, int64_t n, int64_t most) {
    int64_t indices[DLZ_EVALUATION_BATCH];
    dlz_input input = {.dataset = dataset, .indices = indices};
    for (int64_t i = 0; i < n; i++)
        indices[i] = first + i;
    if (!look->outputs)
        return dlz_look_finish(network, look, &input, first, n, most);
    look_pass pass = {look, &input, dlz_shape_size(&network->graph.in), first, false};
    dlz_lane_job job = dlz_look_job(network, look, n, most);
    DLZ_TRY(dlz_lanes_run(&network->plans, &job, look_piece, &pass));
    return pass.left ? dlz_look_finish(network, look, &input, first, n, most) : DLVIZ_OK;
}

dlviz_status dlz_network_look(dlviz_network *network, const dlviz_dataset *dataset,
                              const dlz_look *look) {
    int64_t n = dlviz_dataset_num_samples(dataset);
    int64_t most = dlz_evaluation_batch(&network->graph, network->parameter_floats, n);
    for (int64_t first = 0; first < n; first += most) {
        int64_t batch = dlz_min_i64(most, n - first);
        DLZ_TRY(look_at(network, dataset, look, first, batch, most));
        DLZ_TRY(dlz_task_report((double)(first + batch) / (double)n));
    }
    return DLVIZ_OK;
}
