/* A value that many read: each reader has a value of its own, and their gradients are added up. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/op.h"

/* Numbers a tile adds up. */
#define TILE 16384

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    return dlz_op_ask_input_gradients(op, setup);
}

static void forward(dlz_op *op, const dlz_run *run) {
    (void)run;
    for (int i = 0; i < op->num_parts; i++)
        op->parts[i]->data = op->in->data;
}

typedef struct sum_pass {
    const dlz_op *op;
    int64_t size;
} sum_pass;

static void sum_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const sum_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t first = tile * TILE, end = dlz_min_i64(first + TILE, pass->size);
    float *sum = op->in->dy;
    const float *a = op->parts[0]->gradient.dy, *b = op->parts[1]->gradient.dy;
    for (int64_t i = first; i < end; i++)
        sum[i] = a[i] + b[i];
    for (int part = 2; part < op->num_parts; part++) {
        const float *more = op->parts[part]->gradient.dy;
        for (int64_t i = first; i < end; i++)
            sum[i] += more[i];
    }
}

static void backward(dlz_op *op, const dlz_run *run) {
    sum_pass pass = {op, run->n * dlz_value_size(op->in)};
    dlz_parallel_for(dlz_ceil_div(pass.size, TILE), run->workers, sum_tile, &pass);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_split_op_type = {
    .name = "split",
    .abilities = DLZ_OP_HANDS_DATA_ON,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
