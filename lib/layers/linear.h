/* layers/linear.h - what the files of the fully connected layer share. */
#ifndef DLZ_LAYERS_LINEAR_H
#define DLZ_LAYERS_LINEAR_H

#include "graph/op.h"
#include "kernels/gemm/gemm_linear.h"

extern const dlz_op_type dlz_linear_op_type;

enum { DLZ_LINEAR_WEIGHT, DLZ_LINEAR_BIAS };

typedef struct dlz_linear_op {
    float *folded_bias; /* with the batch norm, where there is one to fold */
    float *packed;      /* the weights, where they outlast a run and are not too many; else NULL */
    /* Where processes share the batch: x and dy of all of it. */
    float *x, *dy;
    /* Where they share the outputs, too: y of this process's outputs, y of its samples as the others
     * send it; dx as far as its outputs go, and what the others have of its samples' dx. */
    float *own_y, *others_y, *own_dx, *others_dx;
} dlz_linear_op;

/* -- linear_common.c --------------------------------------------------------------------------- */

/* What becomes of the product, of an operation as it is now. */
dlz_linear_end dlz_linear_end_of(const dlz_op *op);
/* Applies the activation that is part of the operation, if any, to a part of its output. */
void dlz_linear_activate(const dlz_op *op, dlz_linear_block part);
/* Gives all processes the samples of all, `size` numbers each, to `to`. */
void dlz_linear_gather_samples(const dlz_run *run, const float *from, int64_t size, float *to);

/* -- linear_shared.c: outputs that processes share --------------------------------------------- */

/* Whether a layer has so many weights that processes that share a batch share its outputs. The
 * gradient with respect to its inputs is then a tree of sums, with one process as with several. */
bool dlz_linear_is_large(const dlz_op *op);
/* Where each process's outputs begin. */
void dlz_linear_share_outputs(const dlz_op *op, const dlz_batch *batch,
                              int64_t rows[DLZ_LEAVES + 1]);
dlviz_status dlz_linear_ask_shared(dlz_op *op, const dlz_setup *setup);
void dlz_linear_forward_shared(dlz_op *op, const dlz_run *run);
/* Of an operation alone: all of the tree. */
void dlz_linear_input_gradients_tree(dlz_op *op, const dlz_run *run);
/* With the gradients of all samples in own->dy. */
void dlz_linear_input_gradients_shared(dlz_op *op, const dlz_run *run);

#endif
