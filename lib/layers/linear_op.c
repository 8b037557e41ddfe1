/* Fully connected layer: y = x weightᵀ + bias. */
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/gemm.h"
#include "layers/op.h"

/* Columns of a product that a tile computes. */
#define OUTPUTS_PER_TILE 64
#define INPUTS_PER_TILE 256

typedef struct linear_pass {
    const dlz_op *op;
    const dlz_run *run;
    int64_t inputs, outputs;
} linear_pass;

static linear_pass make_pass(const dlz_op *op, const dlz_run *run) {
    return (linear_pass){op, run, dlz_value_size(op->in), op->out->channels};
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    dlz_memory_ask_scratch(setup->memory, DLZ_GEMM_SCRATCH_BYTES);
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradient(op, setup);
}

static void forward_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    const dlz_linear_op *linear = &pass->op->as.linear;
    int64_t first = tile * OUTPUTS_PER_TILE;
    dlz_gemm product = {.m = pass->run->n,
                        .n = dlz_min_i64(OUTPUTS_PER_TILE, pass->outputs - first),
                        .k = pass->inputs,
                        .a = pass->op->in->data,
                        .lda = pass->inputs,
                        .b = linear->weight.value + first * pass->inputs,
                        .ldb = pass->inputs,
                        .transpose_b = true,
                        .c = pass->op->out->data + first,
                        .ldc = pass->outputs,
                        .bias = linear->bias.value ? linear->bias.value + first : NULL};
    dlz_gemm_kernels()->gemm(&product, dlz_run_scratch(pass->run, worker));
}

static void forward(dlz_op *op, const dlz_run *run) {
    linear_pass pass = make_pass(op, run);
    dlz_parallel_for(dlz_ceil_div(pass.outputs, OUTPUTS_PER_TILE), run->workers, forward_tile,
                     &pass);
}

static void weight_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    const dlz_linear_op *linear = &pass->op->as.linear;
    int64_t first = tile * OUTPUTS_PER_TILE;
    int64_t some = dlz_min_i64(OUTPUTS_PER_TILE, pass->outputs - first), n = pass->run->n;
    const float *dy = pass->op->out->gradient.dy + first;
    dlz_gemm product = {.m = some,
                        .n = pass->inputs,
                        .k = n,
                        .a = dy,
                        .lda = pass->outputs,
                        .transpose_a = true,
                        .b = pass->op->in->data,
                        .ldb = pass->inputs,
                        .c = linear->weight.gradient + first * pass->inputs,
                        .ldc = pass->inputs};
    dlz_gemm_kernels()->gemm(&product, dlz_run_scratch(pass->run, worker));
    for (int64_t j = 0; linear->bias.value && j < some; j++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += (double)dy[i * pass->outputs + j];
        linear->bias.gradient[first + j] = (float)sum;
    }
}

static void input_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    int64_t first = tile * INPUTS_PER_TILE;
    dlz_gemm product = {.m = pass->run->n,
                        .n = dlz_min_i64(INPUTS_PER_TILE, pass->inputs - first),
                        .k = pass->outputs,
                        .a = pass->op->out->gradient.dy,
                        .lda = pass->outputs,
                        .b = pass->op->as.linear.weight.value + first,
                        .ldb = pass->inputs,
                        .c = pass->op->in->dy + first,
                        .ldc = pass->inputs};
    dlz_gemm_kernels()->gemm(&product, dlz_run_scratch(pass->run, worker));
}

static void backward(dlz_op *op, const dlz_run *run) {
    linear_pass pass = make_pass(op, run);
    dlz_parallel_for(dlz_ceil_div(pass.outputs, OUTPUTS_PER_TILE), run->workers, weight_tile, &pass);
    if (!op->in->needs_gradient)
        return;
    dlz_parallel_for(dlz_ceil_div(pass.inputs, INPUTS_PER_TILE), run->workers, input_tile, &pass);
    op->in->gradient = (dlz_gradient_view){.dy = op->in->dy};
}

const dlz_op_type dlz_linear_op_type = {"linear", plan, forward, backward};
