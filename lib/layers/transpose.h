/* layers/transpose.h - between channels-last images and PyTorch's order, channel by channel. */
#ifndef DLZ_LAYERS_TRANSPOSE_H
#define DLZ_LAYERS_TRANSPOSE_H

#include "graph/op.h"

/* Each of the batch's samples, rows x columns as it is read, becomes columns x rows. */
void dlz_transpose_samples(const dlz_run *run, const float *from, int64_t rows, int64_t columns,
                           float *to);

#endif
