/* Gradients from a gradient: back from any layer's output, to the parameters and to the inputs. */
#include "base/base.h"
#include "base/busy.h"
#include "network/network.h"
#include "network/run.h"
#include "tensor/tensor.h"

#include <string.h>

static dlviz_status check_gradient(const dlviz_network *network, const char *who, int node,
                                   int64_t n, const dlviz_tensor *gradient) {
    const dlz_shape *shape = dlz_graph_shape(&network->graph, node);
    int64_t dims[4] = {n};
    memcpy(dims + 1, shape->dims, (size_t)shape->ndim * sizeof *dims);
    if (!gradient)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'gradient' is NULL", who);
    if (gradient->dtype == DLVIZ_FLOAT32 && gradient->ndim == shape->ndim + 1 &&
        memcmp(gradient->dims, dims, (size_t)gradient->ndim * sizeof *dims) == 0)
        return DLVIZ_OK;
    char given[DLZ_SHAPE_TEXT_SIZE], wanted[DLZ_SHAPE_TEXT_SIZE];
    return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'gradient' is %s %s, needs float32 %s", who,
                    dlviz_dtype_name(gradient->dtype),
                    dlz_shape_text(given, gradient->ndim, gradient->dims),
                    dlz_shape_text(wanted, shape->ndim + 1, dims));
}

/* Forward and back in this mode; `result` has room for the inputs' gradient, or is NULL. */
static dlviz_status run_back(dlviz_network *network, int node, dlz_mode mode,
                             const dlviz_tensor *inputs, const dlviz_tensor *gradient,
                             uint64_t seed, uint64_t step, dlviz_tensor *result) {
    dlz_plan *plan;
    mode.input_gradient = result != NULL;
    DLZ_TRY(dlz_plan_get(&network->plans, &network->graph, node, mode, inputs->dims[0], &plan));
    dlz_run *run = dlz_plan_run(plan);
    run->seed = seed;
    run->step = step;
    /* Parameters that this layer does not depend on. */
    memset(network->gradients, 0, (size_t)network->parameter_floats * sizeof *network->gradients);
    DLZ_TRY(dlz_load_input(plan, &(dlz_input){.samples = inputs->data}));
    DLZ_TRY(dlz_plan_forward(plan));
    dlz_write_output_gradient(plan, gradient->data);
    DLZ_TRY(dlz_plan_backward(plan));
    if (result)
        dlz_read_input_gradient(plan, result->data);
    return DLVIZ_OK;
}

static dlviz_status back(dlviz_network *network, const char *who, const char *layer, dlz_mode mode,
                         const dlviz_tensor *inputs, const dlviz_tensor *gradient, uint64_t seed,
                         uint64_t step, dlviz_tensor **input_gradient) {
    int node;
    DLZ_USE_STATES(who, network);
    DLZ_TRY(dlz_network_find_layer(network, who, layer, &node));
    if (node == DLZ_GRAPH_INPUT)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the layer is '" DLZ_GRAPH_INPUT_NAME
                        "', from which nothing leads back; the name of a layer is accepted",
                        who);
    DLZ_TRY(dlz_network_check_inputs(network, who, inputs));
    DLZ_TRY(check_gradient(network, who, node, inputs->dims[0], gradient));
    if (mode.training)
        DLZ_TRY(dlz_graph_check_batch(&network->graph, node, inputs->dims[0]));
    dlviz_tensor *result = NULL;
    if (input_gradient)
        DLZ_TRY(dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, inputs->ndim, inputs->dims));
    network->stale_gradients = true;
    dlz_network_keep_buffers(network);
    dlviz_status status = run_back(network, node, mode, inputs, gradient, seed, step, result);
    if (status != DLVIZ_OK)
        dlz_network_put_buffers_back(network);
    network->has_gradients = network->fresh_gradients = status == DLVIZ_OK && mode.training;
    network->gradient_scale = 1;
    if (status != DLVIZ_OK)
        dlviz_tensor_destroy(result);
    else if (input_gradient)
        *input_gradient = result;
    return status;
}

dlviz_status dlviz_network_backward_from(dlviz_network *network, const char *layer,
                                         const dlviz_tensor *inputs, const dlviz_tensor *gradient,
                                         uint64_t seed, uint64_t step,
                                         dlviz_tensor **input_gradient) {
    if (input_gradient)
        *input_gradient = NULL;
    return back(network, __func__, layer, (dlz_mode){.training = true, .gradients = true}, inputs,
                gradient, seed, step, input_gradient);
}

dlviz_status dlviz_network_input_gradient(dlviz_network *network, const char *layer,
                                          const dlviz_tensor *inputs, const dlviz_tensor *gradient,
                                          dlviz_tensor **input_gradient) {
    DLZ_REQUIRE_OUT(input_gradient);
    return back(network, __func__, layer, (dlz_mode){.gradients = true}, inputs, gradient, 0, 0,
                input_gradient);
}
