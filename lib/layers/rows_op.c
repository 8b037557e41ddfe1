#include "layers/rows_op.h"
#include "base/base.h"
#include "base/parallel.h"

/* Numbers that a tile handles, at least. */
#define TILE_SIZE 16384

dlviz_status dlz_rows_plan(dlz_op *op, const dlz_setup *setup) {
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return setup->mode.gradients ? dlz_op_ask_input_gradients(op, setup) : DLVIZ_OK;
}

typedef struct rows_pass {
    const dlz_op *op;
    const dlz_rows_type *type;
    int64_t rows, size, together; /* together: rows of a tile */
} rows_pass;

static void forward_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const rows_pass *pass = context;
    int64_t first = tile * pass->together, rows = dlz_min_i64(pass->together, pass->rows - first);
    int64_t at = first * pass->size;
    pass->type->forward(rows, pass->size, pass->op->in->data + at, pass->op->out->data + at);
}

static void backward_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const rows_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t first = tile * pass->together, rows = dlz_min_i64(pass->together, pass->rows - first);
    int64_t at = first * pass->size;
    pass->type->backward(rows, pass->size, op->out->data + at, op->out->gradient.dy + at,
                         op->in->dy + at);
}

static void run_tiles(const dlz_op *op, const dlz_run *run,
                      void (*tile)(void *context, int64_t tile, int worker)) {
    int64_t size = op->in->channels;
    rows_pass pass = {.op = op,
                      .type = (const dlz_rows_type *)op->type,
                      .rows = run->n * op->in->height * op->in->width,
                      .size = size,
                      .together = dlz_max_i64(1, TILE_SIZE / size)};
    dlz_parallel_for(dlz_ceil_div(pass.rows, pass.together), run->workers, tile, &pass);
}

void dlz_rows_forward(dlz_op *op, const dlz_run *run) {
    run_tiles(op, run, forward_tile);
}

void dlz_rows_backward(dlz_op *op, const dlz_run *run) {
    if (!op->in->needs_gradient)
        return;
    run_tiles(op, run, backward_tile);
    dlz_op_give_gradients(op);
}
