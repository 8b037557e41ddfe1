/* layers/transpose.h - rows and columns exchanged: from channels-last to PyTorch's order and back. */
#ifndef DLZ_LAYERS_TRANSPOSE_H
#define DLZ_LAYERS_TRANSPOSE_H

#include "graph/op.h"

/* From rows x columns to columns x rows. */
void dlz_transpose_image(const float *from, int64_t rows, int64_t columns, float *to);
/* Each of the batch's samples, rows x columns as it is read, becomes columns x rows. */
void dlz_transpose_samples(const dlz_run *run, const float *from, int64_t rows, int64_t columns,
                           float *to);

#endif
