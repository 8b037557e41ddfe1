#include "attribution/attribution.h"
#include "base/base.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "tensor/tensor.h"

#include <string.h>

dlviz_status dlz_attribution_check(const char *who, const char *what, const dlviz_tensor *tensor) {
    int64_t n = tensor->dims[0], size = tensor->size / n;
    for (int64_t i = 0; i < n; i++)
        DLZ_TRY(dlz_check_finite(who, what, i, tensor->ndim - 1, tensor->dims + 1,
                                 (const float *)tensor->data + i * size));
    return DLVIZ_OK;
}

static int64_t num_outputs(const dlviz_network *network) {
    return dlz_shape_size(dlz_network_output(network));
}

static dlviz_status take_targets(dlz_attribution *to, const dlviz_tensor *targets) {
    if (targets->dtype == DLVIZ_FLOAT32 || targets->ndim != 1 || targets->dims[0] != to->n) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'targets' is %s %s, needs to be uint8 or int64 with %lld entries, one "
                        "a sample",
                        to->who, dlviz_dtype_name(targets->dtype),
                        dlz_shape_text(text, targets->ndim, targets->dims), (long long)to->n);
    }
    int64_t outputs = num_outputs(to->network);
    for (int64_t i = 0; i < to->n; i++) {
        int64_t target = targets->dtype == DLVIZ_UINT8 ? ((const uint8_t *)targets->data)[i]
                                                       : ((const int64_t *)targets->data)[i];
        if (target < 0 || target >= outputs)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: the target of sample %lld is %lld; the network has the outputs 0 "
                            "to %lld",
                            to->who, (long long)i, (long long)target, (long long)outputs - 1);
        to->targets[i] = target;
    }
    return DLVIZ_OK;
}

static void choose_targets(dlz_attribution *to) {
    int64_t outputs = num_outputs(to->network);
    for (int64_t i = 0; i < to->n; i++)
        to->targets[i] = dlz_argmax((const float *)to->outputs->data + i * outputs, outputs);
}

dlviz_status dlz_attribution_begin(dlz_attribution *attribution, const char *who,
                                   dlviz_network *network, const dlviz_tensor *inputs,
                                   const dlviz_tensor *targets, bool with_outputs) {
    *attribution = (dlz_attribution){.who = who, .network = network, .inputs = inputs};
    dlz_task_part(0, 0.2);
    DLZ_TRY(dlz_network_check_inputs(network, who, inputs));
    DLZ_TRY(dlz_attribution_check(who, "sample", inputs));
    attribution->n = inputs->dims[0];
    attribution->size = inputs->size / attribution->n;
    attribution->targets = dlz_alloc_array((uint64_t)attribution->n, sizeof(int64_t));
    if (!attribution->targets)
        return dlz_fail_memory("targets", (uint64_t)attribution->n * sizeof(int64_t));
    if (targets)
        DLZ_TRY(take_targets(attribution, targets));
    if (!targets || with_outputs) {
        DLZ_TRY(dlz_network_outputs(network, inputs, &attribution->outputs));
        DLZ_TRY(dlz_attribution_check(who, "the outputs of sample", attribution->outputs));
    }
    if (!targets)
        choose_targets(attribution);
    dlz_task_part(0.2, 1);
    return DLVIZ_OK;
}

void dlz_attribution_end(dlz_attribution *attribution) {
    dlz_free(attribution->targets);
    dlviz_tensor_destroy(attribution->outputs);
}

dlviz_status dlz_attribution_forward(dlviz_network *network, int node, const int *watched,
                                     const float *samples, int64_t n, dlz_plan **plan) {
    dlz_mode mode = {.gradients = true, .input_gradient = true, .watches = watched != NULL};
    if (watched)
        mode.watched = *watched;
    network->has_gradients = network->fresh_gradients = false;
    network->stale_gradients = true;
    DLZ_TRY(dlz_plan_get(&network->plans, &network->graph, node, mode, n, plan));
    DLZ_TRY(dlz_load_input(*plan, &(dlz_input){.samples = samples}));
    return dlz_plan_forward(*plan);
}

void dlz_attribution_aim(dlz_plan *plan, const int64_t *targets) {
    dlz_value *out = dlz_plan_output(plan);
    int64_t n = dlz_plan_run(plan)->n, size = dlz_value_size(out);
    int64_t pixels = out->height * out->width;
    memset(out->dy, 0, (size_t)(n * size) * sizeof *out->dy);
    /* Counted channel by channel, and channels-last here. */
    for (int64_t i = 0; i < n; i++)
        out->dy[i * size + targets[i] % pixels * out->channels + targets[i] / pixels] = 1;
}
