/* layers/resample_op.h - the operation of layers whose outputs are weighted sums of the input's
 * pixels, in rows and columns apart (kernels/nn/resample.h). Such a layer says what each row and column
 * of its output is made of, and has its gradient from that. */
#ifndef DLZ_LAYERS_RESAMPLE_OP_H
#define DLZ_LAYERS_RESAMPLE_OP_H

#include "graph/op.h"
#include "kernels/nn/resample.h"

/* One axis, as a layer describes it. */
typedef struct dlz_axis_writer {
    dlz_axis axis; /* no taps: they are only counted */
    int64_t outputs, taps;
} dlz_axis_writer;

/* A tap of the output that is being described, in the order in which they are to be added. */
void dlz_axis_tap(dlz_axis_writer *to, int64_t at, double weight);
/* Ends it; the sum of its taps is divided by this. False when there are too many for the rest to be
 * described. */
bool dlz_axis_end(dlz_axis_writer *to, int64_t divisor);

typedef struct dlz_resample_type {
    dlz_op_type base;
    /* Describes all outputs of axis 0 (rows) or 1 (columns), which has `in` inputs. */
    void (*describe)(const dlviz_layer *layer, int axis, int64_t in, int64_t out,
                     dlz_axis_writer *to);
    /* Optional: the output where there is no tap; else 0. */
    float (*empty)(const dlviz_layer *layer);
} dlz_resample_type;

/* Of op->own. */
typedef struct dlz_resample_op {
    dlz_axis forward[2], backward[2];
} dlz_resample_op;

dlviz_status dlz_resample_plan(dlz_op *op, const dlz_setup *setup);
void dlz_resample_forward(dlz_op *op, const dlz_run *run);
void dlz_resample_backward(dlz_op *op, const dlz_run *run);

/* For `onnx`: two products with matrices, which hold what each row and each column is made of. */
void dlz_resample_onnx(const dlviz_layer *layer, const dlz_resample_type *type, dlz_onnx *to);

#define DLZ_RESAMPLE_BASE(type_name)                                                               \
    {                                                                                              \
        .name = (type_name), .own = sizeof(dlz_resample_op), .plan = dlz_resample_plan,            \
        .forward = dlz_resample_forward, .backward = dlz_resample_backward                         \
    }

#endif
