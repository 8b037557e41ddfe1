/* One pass over a dataset that gives whatever is wanted of it. */
#include "base/base.h"
#include "base/progress.h"
#include "network/run.h"
#include "tensor/tensor.h"

#include <math.h>

/* What is asked for. */
typedef struct wanted {
    double *loss, *metric;
    dlviz_tensor **outputs, **features;
} wanted;

static dlviz_status make_rows(const dlviz_network *network, const dlviz_dataset *dataset, int node,
                              dlviz_tensor **rows) {
    int64_t dims[2] = {dlviz_dataset_num_samples(dataset),
                       dlz_shape_size(dlz_graph_shape(&network->graph, node))};
    return dlz_tensor_create_raw(rows, DLVIZ_FLOAT32, 2, dims);
}

static dlviz_status run(dlviz_network *network, const char *who, const dlviz_dataset *dataset,
                        const wanted *want, dlz_look *look) {
    if (want->outputs)
        DLZ_TRY(make_rows(network, dataset, network->graph.num_nodes - 1, &look->outputs));
    if (want->features)
        DLZ_TRY(make_rows(network, dataset, look->node, &look->features));
    if (want->loss || want->metric)
        return dlz_network_measure(network, who, dataset, 0, look, want->loss, want->metric);
    return want->outputs || want->features ? dlz_network_look(network, dataset, look) : DLVIZ_OK;
}

static void give(dlviz_tensor **to, dlviz_tensor *tensor) {
    if (to)
        *to = tensor;
}

static dlviz_status inspect(dlviz_network *network, const char *who, const dlviz_dataset *dataset,
                            const char *layer, const wanted *want) {
    dlz_look look = {.node = network->graph.num_nodes - 1};
    if (want->features || layer)
        DLZ_TRY(dlz_network_find_layer(network, who, layer, &look.node));
    DLZ_TRY(dlz_network_check_samples(network, who, dataset));
    if (want->loss || want->metric)
        DLZ_TRY(dlz_network_check_targets(network, who, dataset));
    dlz_network_warn_of_data(network, who, dataset);
    dlviz_status status = run(network, who, dataset, want, &look);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(look.outputs);
        dlviz_tensor_destroy(look.features);
        return status;
    }
    give(want->outputs, look.outputs);
    give(want->features, look.features);
    return DLVIZ_OK;
}

dlviz_status dlviz_network_inspect(dlviz_network *network, const dlviz_dataset *dataset,
                                   const char *layer, double *loss, double *metric,
                                   dlviz_tensor **outputs, dlviz_tensor **features) {
    wanted want = {loss, metric, outputs, features};
    if (loss)
        *loss = NAN;
    if (metric)
        *metric = NAN;
    give(outputs, NULL);
    give(features, NULL);
    DLZ_USE_STATES(__func__, network);
    DLZ_TASK("evaluation");
    return inspect(network, __func__, dataset, layer, &want);
}
