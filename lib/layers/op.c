#include "kernels/nn/moments.h"
#include "layers/op.h"

int64_t dlz_value_size(const dlz_value *value) {
    return value->height * value->width * value->channels;
}

dlviz_status dlz_op_ask_output(dlz_op *op, const dlz_setup *setup) {
    /* Kept until the producer's own backward pass: the consumer may put the gradient in its place.
     */
    int last = setup->training ? setup->backward_time : setup->forward_time + 1;
    return dlz_memory_ask_array(setup->memory, &op->out->data, setup->n * dlz_value_size(op->out),
                                sizeof(float), setup->forward_time, last);
}

dlviz_status dlz_op_ask_input_gradient(dlz_op *op, const dlz_setup *setup) {
    /* One step longer than to its producer: a pending one hands it on to its own. */
    if (!setup->training || !op->in->needs_gradient)
        return DLVIZ_OK;
    return dlz_memory_ask_array(setup->memory, &op->in->dy, setup->n * dlz_value_size(op->in),
                                sizeof(float), setup->backward_time, setup->backward_time + 2);
}

void dlz_fold_bias(const dlz_fold *fold, const float *bias, int64_t channels, float *folded) {
    if (fold->has_batchnorm)
        dlz_batchnorm_running_factors(&fold->batchnorm, channels, fold->scale, fold->shift);
    for (int64_t c = 0; c < channels; c++) {
        folded[c] = bias ? bias[c] : 0;
        if (fold->has_batchnorm) {
            /* The mean is often nearly the bias. */
            double centred = (double)folded[c] - (double)fold->batchnorm.running_mean[c];
            folded[c] =
                (float)(centred * (double)fold->scale[c] + (double)fold->batchnorm.bias.value[c]);
        }
    }
}

static dlviz_status ask_blocks(dlz_statistics *statistics, int64_t size, int64_t tiles, int time,
                               dlz_memory *memory) {
    statistics->given = statistics->wanted;
    if (!statistics->wanted)
        return DLVIZ_OK;
    statistics->tiles = tiles;
    return dlz_memory_ask_array(memory, &statistics->partial, tiles * size, sizeof(double), time,
                                time + 1);
}

dlviz_status dlz_op_ask_moments(dlz_statistics *statistics, int64_t channels, int64_t tiles,
                                int time, dlz_memory *memory) {
    return ask_blocks(statistics, dlz_moments_size(channels), tiles, time, memory);
}

dlviz_status dlz_op_ask_sums(dlz_statistics *statistics, int64_t channels, int64_t tiles, int time,
                             dlz_memory *memory) {
    return ask_blocks(statistics, 2 * channels, tiles, time, memory);
}
