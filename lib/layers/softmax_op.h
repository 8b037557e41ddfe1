/* layers/softmax_op.h - how softmax and its logarithm are computed: a function of each pixel's
 * channels, or of a vector. */
#ifndef DLZ_LAYERS_SOFTMAX_OP_H
#define DLZ_LAYERS_SOFTMAX_OP_H

#include "graph/op.h"

extern const dlz_op_type dlz_softmax_op, dlz_log_softmax_op;

#endif
