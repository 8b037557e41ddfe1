/* analysis/model/tensor.h - a tensor that passed a check is there. */
#include "tensor/tensor.h"
#include "model.h"

#define dlz_require_matrix(who, name, matrix)                                                      \
    DLZ_MODEL_REQUIRED(matrix, dlz_require_matrix(who, name, matrix))
