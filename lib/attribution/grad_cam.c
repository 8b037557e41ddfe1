/* Where a layer found what speaks for an output: R. Selvaraju et al., "Grad-CAM: visual explanations
 * from deep networks via gradient-based localization", 2017. */
#include "attribution/attribution.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "tensor/tensor.h"

#include <string.h>

typedef struct cam_pass {
    const dlz_value *layer;
    const float
        *values;     /* of the layer, before the backward pass, which may write in their place */
    double *weights; /* n x channels */
    float *maps;
} cam_pass;

static void cam_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const cam_pass *pass = context;
    int64_t channels = pass->layer->channels, pixels = pass->layer->height * pass->layer->width;
    const float *gradient = pass->layer->gradient.dy + sample * pixels * channels;
    const float *values = pass->values + sample * pixels * channels;
    double *weights = pass->weights + sample * channels;
    memset(weights, 0, (size_t)channels * sizeof *weights);
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t c = 0; c < channels; c++)
            weights[c] += (double)gradient[i * channels + c];
    for (int64_t i = 0; i < pixels; i++) {
        double sum = 0;
        for (int64_t c = 0; c < channels; c++)
            sum += weights[c] * (double)values[i * channels + c];
        /* NaN stays, and is found. */
        pass->maps[sample * pixels + i] = sum <= 0 ? 0 : (float)(sum / (double)pixels);
    }
}

/* Room for a batch. */
typedef struct cam_room {
    float *values;
    double *weights;
} cam_room;

static dlviz_status run_batches(const dlz_attribution *of, int node, const cam_room *room,
                                float *maps) {
    const float *samples = of->inputs->data;
    int last = of->network->graph.num_nodes - 1;
    for (int64_t first = 0; first < of->n; first += DLZ_EVALUATION_BATCH) {
        int64_t n = dlz_min_i64(DLZ_EVALUATION_BATCH, of->n - first);
        dlz_plan *plan;
        DLZ_TRY(dlz_attribution_forward(of->network, last, &node, samples + first * of->size, n,
                                        &plan));
        const dlz_value *layer = dlz_plan_watched(plan);
        memcpy(room->values, layer->data,
               (size_t)(n * dlz_value_size(layer)) * sizeof *room->values);
        dlz_attribution_aim(plan, of->targets + first);
        DLZ_TRY(dlz_plan_backward(plan));
        cam_pass pass = {layer, room->values, room->weights,
                         maps + first * layer->height * layer->width};
        dlz_parallel_for(n, dlz_plan_run(plan)->workers, cam_tile, &pass);
        DLZ_TRY(dlz_task_report((double)(first + n) / (double)of->n));
    }
    return DLVIZ_OK;
}

static dlviz_status with_room(const dlz_attribution *of, int node, float *maps) {
    const dlz_shape *shape = dlz_graph_shape(&of->network->graph, node);
    uint64_t batch = (uint64_t)dlz_min_i64(DLZ_EVALUATION_BATCH, of->n);
    uint64_t size = (uint64_t)dlz_shape_size(shape);
    cam_room room = {dlz_alloc_array(batch * size, sizeof(float)),
                     dlz_alloc_array(batch * (uint64_t)shape->dims[0], sizeof(double))};
    dlviz_status status = room.values && room.weights
                              ? run_batches(of, node, &room, maps)
                              : dlz_fail_memory("a layer's output", batch * size * sizeof(float));
    dlz_free(room.values);
    dlz_free(room.weights);
    return status;
}

static dlviz_status grad_cam(const dlz_attribution *of, int node, dlviz_tensor **maps) {
    const dlz_shape *shape = dlz_graph_shape(&of->network->graph, node);
    dlviz_tensor *result;
    DLZ_TRY(dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, 3,
                                  (int64_t[]){of->n, shape->dims[1], shape->dims[2]}));
    dlviz_status status = with_room(of, node, result->data);
    if (status == DLVIZ_OK)
        status = dlz_attribution_check(of->who, "the map of sample", result);
    if (status == DLVIZ_OK)
        *maps = result;
    else
        dlviz_tensor_destroy(result);
    return status;
}

/* Fails for a layer that gives vectors, and names the last one that does not. */
static dlviz_status find_layer(const dlviz_network *network, const char *who, const char *name,
                               int *node) {
    const dlz_graph *graph = &network->graph;
    DLZ_TRY(dlz_network_find_layer(network, who, name, node));
    if (dlz_graph_shape(graph, *node)->ndim == 3)
        return DLVIZ_OK;
    int last = graph->num_nodes - 1;
    while (last >= 0 && graph->nodes[last].out.ndim != 3)
        last--;
    return dlz_fail(DLVIZ_ERROR_SHAPE,
                    "%s: the layer '%s' gives vectors of %lld; one that gives images is accepted, "
                    "%s%s%s",
                    who, name, (long long)dlz_shape_size(dlz_graph_shape(graph, *node)),
                    last >= 0 ? "such as '" : "and this network has none",
                    last >= 0 ? graph->nodes[last].name : "", last >= 0 ? "'" : "");
}

dlviz_status dlviz_network_grad_cam(dlviz_network *network, const char *layer,
                                    const dlviz_tensor *inputs, const dlviz_tensor *targets,
                                    dlviz_tensor **maps) {
    DLZ_REQUIRE_OUT(maps);
    DLZ_USE_STATES(__func__, network);
    DLZ_TASK("Grad-CAM");
    int node;
    DLZ_TRY(find_layer(network, __func__, layer, &node));
    dlz_attribution of;
    dlviz_status status = dlz_attribution_begin(&of, __func__, network, inputs, targets, false);
    if (status == DLVIZ_OK)
        status = grad_cam(&of, node, maps);
    dlz_attribution_end(&of);
    return status;
}
