/* Max pooling of any kernel, stride and padding; 2 x 2 windows that do not overlap are part of the
 * post operation instead. */
#include "base/base.h"
#include "base/parallel.h"
#include "layers/op.h"

#include <math.h>
#include <string.h>

typedef struct pool_pass {
    const dlz_op *op;
    const dlz_run *run;
} pool_pass;

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    dlz_maxpool2d_op *pool = &op->as.maxpool2d;
    pool->winners = NULL;
    if (setup->training)
        DLZ_TRY(dlz_memory_ask_array(setup->memory, &pool->winners,
                                     setup->n * dlz_value_size(op->out), sizeof *pool->winners,
                                     setup->forward_time, setup->backward_time));
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradient(op, setup);
}

/* The pixel of the window at (y, x) that wins for one channel. */
static int64_t winner_of(const dlz_op *op, const float *image, int64_t y, int64_t x, int64_t c) {
    const dlz_maxpool2d_settings *set = op->as.maxpool2d.set;
    int64_t channels = op->in->channels, width = op->in->width, best = -1;
    int64_t top = y * set->stride - set->padding, left = x * set->stride - set->padding;
    int64_t bottom = dlz_min_i64(top + set->kernel, op->in->height);
    int64_t right = dlz_min_i64(left + set->kernel, width);
    float most = 0;
    for (int64_t i = dlz_max_i64(top, 0); i < bottom; i++)
        for (int64_t j = dlz_max_i64(left, 0); j < right; j++) {
            float value = image[(i * width + j) * channels + c];
            if (best < 0 || value > most || isnan(value)) {
                best = i * width + j;
                most = value;
            }
        }
    return best;
}

static void forward_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const pool_pass *pass = context;
    const dlz_op *op = pass->op;
    const dlz_value *out = op->out;
    int64_t channels = out->channels, size = dlz_value_size(out);
    const float *image = op->in->data + sample * dlz_value_size(op->in);
    float *result = out->data + sample * size;
    int32_t *winners = op->as.maxpool2d.winners;
    for (int64_t y = 0; y < out->height; y++)
        for (int64_t x = 0; x < out->width; x++)
            for (int64_t c = 0; c < channels; c++) {
                int64_t at = (y * out->width + x) * channels + c;
                int64_t winner = winner_of(op, image, y, x, c);
                result[at] = image[winner * channels + c];
                if (winners)
                    winners[sample * size + at] = (int32_t)winner;
            }
}

static void forward(dlz_op *op, const dlz_run *run) {
    pool_pass pass = {op, run};
    dlz_parallel_for(run->n, run->workers, forward_tile, &pass);
}

static void backward_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const pool_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t channels = op->out->channels, size = dlz_value_size(op->out);
    int64_t in_size = dlz_value_size(op->in);
    float *dx = op->in->dy + sample * in_size;
    const float *dy = op->out->gradient.dy + sample * size;
    const int32_t *winners = op->as.maxpool2d.winners + sample * size;
    memset(dx, 0, (size_t)in_size * sizeof *dx);
    for (int64_t i = 0; i < size; i++)
        dx[winners[i] * channels + i % channels] += dy[i];
}

static void backward(dlz_op *op, const dlz_run *run) {
    if (!op->in->needs_gradient)
        return;
    pool_pass pass = {op, run};
    dlz_parallel_for(run->n, run->workers, backward_tile, &pass);
    op->in->gradient = (dlz_gradient_view){.dy = op->in->dy};
}

const dlz_op_type dlz_maxpool2d_op_type = {"maxpool2d", plan, forward, backward};
