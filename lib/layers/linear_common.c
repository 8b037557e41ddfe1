/* What a fully connected layer does whether or not processes share its outputs. */
#include "base/base.h"
#include "graph/fold.h"
#include "kernels/activations/activation.h"
#include "layers/linear.h"

#include <string.h>

dlz_linear_end dlz_linear_end_of(const dlz_op *op) {
    const dlz_linear_op *own = op->own;
    if (op->fold.has_batchnorm)
        return (dlz_linear_end){op->fold.scale, own->folded_bias, op->fold.relu};
    return (dlz_linear_end){NULL, op->states[DLZ_LINEAR_BIAS].value, op->fold.relu};
}

void dlz_linear_activate(const dlz_op *op, dlz_linear_block part) {
    const dlz_activation *activation = op->fold.activation;
    int64_t outputs = op->out->channels;
    float *y = op->out->data + part.row * outputs + part.column;
    for (int64_t i = 0; activation && i < part.rows; i++, y += outputs)
        activation->kernels->forward(activation->settings, part.columns, y, y);
}

void dlz_linear_gather_samples(const dlz_run *run, const float *from, int64_t size, float *to) {
    memcpy(to + run->batch.first * size, from, (size_t)(run->n * size) * sizeof *to);
    dlz_run_gather(run, to, run->n, size * (int64_t)sizeof *to);
}
