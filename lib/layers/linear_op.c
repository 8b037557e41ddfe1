/* Fully connected layer: y = x weightᵀ + bias. */
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/gemm_linear.h"
#include "layers/op.h"

typedef struct linear_pass {
    const dlz_op *op;
    const dlz_run *run;
    dlz_linear size;
} linear_pass;

static linear_pass make_pass(const dlz_op *op, const dlz_run *run) {
    return (linear_pass){op, run, {run->n, dlz_value_size(op->in), op->out->channels}};
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    dlz_memory_ask_scratch(setup->memory, DLZ_GEMM_SCRATCH_BYTES);
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradient(op, setup);
}

static void forward_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    const dlz_op *op = pass->op;
    dlz_linear_forward_tile(&pass->size, tile, op->in->data, op->as.linear.weight.value,
                            op->as.linear.bias.value, op->out->data,
                            dlz_run_scratch(pass->run, worker));
}

static void forward(dlz_op *op, const dlz_run *run) {
    linear_pass pass = make_pass(op, run);
    dlz_parallel_for(dlz_linear_forward_tiles(&pass.size), run->workers, forward_tile, &pass);
}

static void weight_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    const dlz_op *op = pass->op;
    dlz_linear_backward_weight_tile(&pass->size, tile, op->out->gradient.dy, op->in->data, false,
                                    op->as.linear.weight.gradient, op->as.linear.bias.gradient,
                                    dlz_run_scratch(pass->run, worker));
}

static void input_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    const dlz_op *op = pass->op;
    dlz_linear_backward_data_tile(&pass->size, tile, op->out->gradient.dy,
                                  op->as.linear.weight.value, false, op->in->dy,
                                  dlz_run_scratch(pass->run, worker));
}

static void backward(dlz_op *op, const dlz_run *run) {
    linear_pass pass = make_pass(op, run);
    dlz_parallel_for(dlz_linear_backward_weight_tiles(&pass.size), run->workers, weight_tile,
                     &pass);
    if (!op->in->needs_gradient)
        return;
    dlz_parallel_for(dlz_linear_backward_data_tiles(&pass.size), run->workers, input_tile, &pass);
    op->in->gradient = (dlz_gradient_view){.dy = op->in->dy};
}

const dlz_op_type dlz_linear_op_type = {"linear", plan, forward, backward};
