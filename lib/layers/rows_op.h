/* layers/rows_op.h - functions of a row of numbers, the channels of one pixel or a whole vector, whose
 * gradient is made of the output. */
#ifndef DLZ_LAYERS_ROWS_OP_H
#define DLZ_LAYERS_ROWS_OP_H

#include "graph/op.h"

typedef struct dlz_rows_type {
    dlz_op_type base; /* DLZ_ROWS_BASE */
    /* Of rows of `size` numbers, one behind the other. */
    void (*forward)(int64_t rows, int64_t size, const float *x, float *y);
    void (*backward)(int64_t rows, int64_t size, const float *y, const float *dy, float *dx);
} dlz_rows_type;

dlviz_status dlz_rows_plan(dlz_op *op, const dlz_setup *setup);
void dlz_rows_forward(dlz_op *op, const dlz_run *run);
void dlz_rows_backward(dlz_op *op, const dlz_run *run);

#define DLZ_ROWS_BASE(type_name)                                                                   \
    {                                                                                              \
        .name = (type_name), .abilities = DLZ_OP_NEEDS_OUTPUT, .plan = dlz_rows_plan,              \
        .forward = dlz_rows_forward, .backward = dlz_rows_backward                                 \
    }

#endif
