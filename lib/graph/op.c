#include "graph/op.h"
#include "base/base.h"
#include "kernels/nn/moments.h"
#include "kernels/nn/post.h"

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

bool dlz_mode_keeps_prepared(dlz_mode mode) {
    return !mode.training && !mode.gradients;
}

dlviz_status dlz_op_ask_prepared(const dlz_setup *setup, void *slot, int64_t count, size_t size,
                                 int last) {
    if (dlz_mode_keeps_prepared(setup->mode))
        return dlz_memory_ask_kept(setup->memory, slot, count, size);
    return dlz_memory_ask_array(setup->memory, slot, count, size, setup->forward_time, last);
}

void dlz_value_gradient_sums(const dlz_value *value, const float *dy, int64_t first, int64_t pixels,
                             double *sums) {
    int64_t at = first * value->channels;
    dlz_post settings = {.height = 1,
                         .width = pixels,
                         .channels = value->channels,
                         .scale = value->scale,
                         .shift = value->shift,
                         .relu = value->relu,
                         .keep_scale = 1};
    dlz_post_kernels()->backward_sums(&settings, value->data + at, dy + at, NULL,
                                      value->gradient_statistics.pivot, sums);
}

static dlviz_status ask_blocks(dlz_statistics *statistics, int64_t size, int64_t tiles, int first,
                               int last, const dlz_setup *setup) {
    statistics->given = statistics->wanted;
    if (!statistics->wanted)
        return DLVIZ_OK;
    statistics->tiles = tiles;
    statistics->parts = dlz_batch_parts(&setup->batch, setup->n, tiles);
    return dlz_memory_ask_array(setup->memory, &statistics->partial, tiles * size, sizeof(double),
                                first, last);
}

dlviz_status dlz_op_ask_moments(dlz_op *op, int64_t tiles, const dlz_setup *setup) {
    return ask_blocks(&op->out->statistics, dlz_moments_size(op->out->channels), tiles,
                      setup->forward_time, setup->forward_time + 1, setup);
}

dlviz_status dlz_op_ask_sums(dlz_op *op, int64_t tiles, const dlz_setup *setup) {
    for (int k = 0; k < op->num_inputs; k++) {
        dlz_value *in = op->inputs[k];
        DLZ_TRY(ask_blocks(&in->gradient_statistics, 2 * in->channels, tiles, setup->backward_time,
                           in->backward_time, setup));
    }
    return DLVIZ_OK;
}

int64_t dlz_setup_groups(const dlz_setup *setup, int64_t wanted) {
    const dlz_batch *batch = &setup->batch;
    int64_t all = dlz_batch_groups(batch, wanted);
    if (!batch->comm)
        return all;
    *setup->too_small |= !dlz_batch_shares(batch, all);
    return dlz_max_i64(1, dlz_batch_part(batch, all, setup->n));
}

void dlz_op_sum_groups(dlz_op *op, const dlz_run *run, int state, float *groups, int64_t stride,
                       int64_t count, int64_t size) {
    float *gradient = op->states[state].gradient;
    if (gradient)
        dlz_sum_pairs(groups, stride, count, size, run->workers, gradient);
    dlz_op_share_gradient(op, run, state, size);
}

void dlz_op_share_gradient(dlz_op *op, const dlz_run *run, int state, int64_t size) {
    dlviz_comm *comm = run->batch.comm;
    float *gradient = op->states[state].gradient;
    if (!comm || !gradient)
        return;
    dlviz_status status = dlz_comm_sum_node(comm, gradient, size);
    if (status != DLVIZ_OK)
        dlz_run_fail(run, status);
}

int64_t dlz_run_gather(const dlz_run *run, void *array, int64_t parts, int64_t bytes) {
    int64_t all = parts * run->batch.all / run->n;
    dlviz_status status = dlz_batch_gather(&run->batch, array, all, bytes);
    if (status != DLVIZ_OK)
        dlz_run_fail(run, status);
    return all;
}
