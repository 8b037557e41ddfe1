/* The gradient of one output of each sample with respect to its inputs. */
#include "attribution/attribution.h"
#include "base/base.h"
#include "base/progress.h"
#include "tensor/tensor.h"

static dlviz_status run_batches(const dlz_attribution *of, float *maps) {
    const float *samples = of->inputs->data;
    int last = of->network->graph.num_nodes - 1;
    for (int64_t first = 0; first < of->n; first += DLZ_EVALUATION_BATCH) {
        int64_t n = dlz_min_i64(DLZ_EVALUATION_BATCH, of->n - first);
        dlz_plan *plan;
        DLZ_TRY(
            dlz_attribution_forward(of->network, last, NULL, samples + first * of->size, n, &plan));
        dlz_attribution_aim(plan, of->targets + first);
        DLZ_TRY(dlz_plan_backward(plan));
        dlz_read_input_gradient(plan, maps + first * of->size);
        DLZ_TRY(dlz_task_report((double)(first + n) / (double)of->n));
    }
    return DLVIZ_OK;
}

static dlviz_status saliency(const dlz_attribution *of, dlviz_tensor **maps) {
    dlviz_tensor *result;
    DLZ_TRY(dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, of->inputs->ndim, of->inputs->dims));
    dlviz_status status = run_batches(of, result->data);
    if (status == DLVIZ_OK)
        status = dlz_attribution_check(of->who, "the map of sample", result);
    if (status == DLVIZ_OK)
        *maps = result;
    else
        dlviz_tensor_destroy(result);
    return status;
}

dlviz_status dlviz_network_saliency(dlviz_network *network, const dlviz_tensor *inputs,
                                    const dlviz_tensor *targets, dlviz_tensor **maps) {
    DLZ_REQUIRE_OUT(maps);
    DLZ_USE_STATES(__func__, network);
    DLZ_TASK("saliency");
    dlz_attribution of;
    dlviz_status status = dlz_attribution_begin(&of, __func__, network, inputs, targets, false);
    if (status == DLVIZ_OK)
        status = saliency(&of, maps);
    dlz_attribution_end(&of);
    return status;
}
