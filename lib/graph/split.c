/* Values that many read: each reader has a value of its own, and their gradients are added up. */
#include "graph/split.h"
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/nn/sum.h"

/* Numbers a tile adds up, about. */
#define TILE 16384

/* Pixels of a leaf, or of all samples. */
static int64_t leaf_pixels(const dlz_op *op, const dlz_batch *batch) {
    return batch->all / batch->leaves * op->in->height * op->in->width;
}

dlviz_status dlz_gather_plan(dlz_gathering *gathering, dlz_op *op, const dlz_setup *setup) {
    int time = setup->backward_time;
    int64_t leaves = dlz_batch_part(&setup->batch, setup->batch.leaves, setup->n);
    int64_t wanted = dlz_max_i64(1, TILE / op->in->channels);
    gathering->tiles = leaves * dlz_ceil_div(leaf_pixels(op, &setup->batch), wanted);
    DLZ_TRY(dlz_op_ask_sums(op, gathering->tiles, setup));
    return dlz_memory_ask_array(setup->memory, &gathering->from, dlz_max_int(1, op->num_parts),
                                sizeof *gathering->from, time, time);
}

typedef struct gather_pass {
    const dlz_gathering *gathering;
    const dlz_op *op;
    int64_t leaf, together, tiles; /* pixels of a leaf and of a tile, tiles of a leaf */
    int parts;
    const float *gate;
    float *to;
} gather_pass;

static void gather_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const gather_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t channels = op->in->channels, at = tile % pass->tiles * pass->together;
    int64_t first = tile / pass->tiles * pass->leaf + at;
    int64_t pixels = dlz_min_i64(pass->together, pass->leaf - at);
    dlz_sum_kernels()->gradients(pass->gathering->from, pass->parts, pass->gate, first * channels,
                                 pixels * channels, pass->to);
    for (int k = 0; k < op->num_inputs; k++) {
        const dlz_value *in = op->inputs[k];
        const dlz_statistics *sums = &in->gradient_statistics;
        if (sums->given)
            dlz_value_gradient_sums(in, pass->to, first, pixels,
                                    sums->partial + tile * 2 * channels);
    }
}

void dlz_gather(const dlz_gathering *gathering, const dlz_op *op, const dlz_run *run,
                const float *gate, float *to) {
    gathering->from[0] = op->out->gradient.dy;
    for (int i = 0; i < op->num_parts; i++)
        gathering->from[i] = op->parts[i]->gradient.dy;
    gather_pass pass = {.gathering = gathering,
                        .op = op,
                        .leaf = leaf_pixels(op, &run->batch),
                        .together = dlz_max_i64(1, TILE / op->in->channels),
                        .parts = dlz_max_int(1, op->num_parts),
                        .gate = gate,
                        .to = to};
    pass.tiles = dlz_ceil_div(pass.leaf, pass.together);
    dlz_parallel_for(gathering->tiles, run->workers, gather_tile, &pass);
}

void dlz_hand_on(const dlz_op *op, const dlz_value *value) {
    for (int i = 0; i < op->num_parts; i++) {
        dlz_value *part = op->parts[i];
        part->data = value->data;
        part->scale = value->scale;
        part->shift = value->shift;
        part->relu = value->relu;
    }
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    DLZ_TRY(dlz_gather_plan(op->own, op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

static void forward(dlz_op *op, const dlz_run *run) {
    (void)run;
    dlz_hand_on(op, op->in);
}

static void backward(dlz_op *op, const dlz_run *run) {
    dlz_gather(op->own, op, run, NULL, op->in->dy);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_split_op_type = {
    .name = "split",
    .own = sizeof(dlz_gathering),
    .abilities = DLZ_OP_HANDS_DATA_ON,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
