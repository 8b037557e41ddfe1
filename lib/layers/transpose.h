/* layers/transpose.h - rows and columns exchanged: from channels-last to PyTorch's order and back. */
#ifndef DLZ_LAYERS_TRANSPOSE_H
#define DLZ_LAYERS_TRANSPOSE_H

#include <stdint.h>

/* From rows x columns to columns x rows. */
void dlz_transpose_image(const float *from, int64_t rows, int64_t columns, float *to);

#endif
