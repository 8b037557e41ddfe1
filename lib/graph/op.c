#include "graph/op.h"
#include "base/base.h"
#include "graph/post.h"
#include "kernels/nn/moments.h"

int64_t dlz_value_size(const dlz_value *value) {
    return value->height * value->width * value->channels;
}

dlviz_status dlz_op_ask_output(dlz_op *op, const dlz_setup *setup) {
    return dlz_memory_ask_array(setup->memory, &op->out->data, setup->n * dlz_value_size(op->out),
                                sizeof(float), setup->forward_time, op->out->data_last);
}

dlviz_status dlz_op_ask_input_gradients(dlz_op *op, const dlz_setup *setup) {
    for (int i = 0; i < op->num_inputs; i++) {
        dlz_value *in = op->inputs[i];
        if (in->needs_gradient)
            DLZ_TRY(dlz_memory_ask_array(setup->memory, &in->dy, setup->n * dlz_value_size(in),
                                         sizeof(float), setup->backward_time, in->gradient_last));
    }
    return DLVIZ_OK;
}

void dlz_op_give_gradients(dlz_op *op) {
    for (int i = 0; i < op->num_inputs; i++)
        if (op->inputs[i]->needs_gradient)
            op->inputs[i]->gradient = (dlz_gradient_view){.dy = op->inputs[i]->dy};
}

dlviz_status dlz_fold_ask(dlz_fold *fold, int64_t channels, const dlz_setup *setup) {
    int time = setup->forward_time;
    float **factors[] = {&fold->scale, &fold->shift};
    for (size_t i = 0; fold->has_batchnorm && i < 2; i++)
        DLZ_TRY(
            dlz_memory_ask_array(setup->memory, factors[i], channels, sizeof(float), time, time));
    return DLVIZ_OK;
}

void dlz_fold_bias(const dlz_fold *fold, const float *bias, int64_t channels, float *folded) {
    const dlz_batchnorm_state *norm = &fold->batchnorm;
    if (fold->has_batchnorm)
        dlz_batchnorm_running_factors(norm, channels, fold->scale, fold->shift);
    for (int64_t c = 0; c < channels; c++) {
        folded[c] = bias ? bias[c] : 0;
        if (fold->has_batchnorm) {
            /* The mean is often nearly the bias. */
            double centred = (double)folded[c] - (double)norm->running_mean[c];
            double shift = norm->bias.value ? (double)norm->bias.value[c] : 0;
            folded[c] = (float)(centred * (double)fold->scale[c] + shift);
        }
    }
}

static dlviz_status ask_blocks(dlz_statistics *statistics, int64_t size, int64_t tiles, int first,
                               int last, dlz_memory *memory) {
    statistics->given = statistics->wanted;
    if (!statistics->wanted)
        return DLVIZ_OK;
    statistics->tiles = tiles;
    return dlz_memory_ask_array(memory, &statistics->partial, tiles * size, sizeof(double), first,
                                last);
}

dlviz_status dlz_op_ask_moments(dlz_op *op, int64_t tiles, const dlz_setup *setup) {
    return ask_blocks(&op->out->statistics, dlz_moments_size(op->out->channels), tiles,
                      setup->forward_time, setup->forward_time + 1, setup->memory);
}

dlviz_status dlz_op_ask_sums(dlz_op *op, int64_t tiles, const dlz_setup *setup) {
    return ask_blocks(&op->in->gradient_statistics, 2 * op->in->channels, tiles,
                      setup->backward_time, op->in->backward_time, setup->memory);
}
