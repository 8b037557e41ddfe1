/* tensor/tensor.h - the inside of a tensor. */
#ifndef DLZ_TENSOR_H
#define DLZ_TENSOR_H

#include <dlviz/tensor.h>

typedef struct dlz_storage dlz_storage;
typedef struct dlz_mapping dlz_mapping;

struct dlviz_tensor {
    dlviz_dtype dtype;
    int ndim;
    int64_t dims[DLVIZ_MAX_DIMS];
    int64_t size; /* elements */
    void *data;   /* first element; inside the storage */
    dlz_storage *storage;
};

/* As dlviz_tensor_create, with elements left as they are. */
dlviz_status dlz_tensor_create_raw(dlviz_tensor **out, dlviz_dtype dtype, int ndim,
                                   const int64_t *dims);

/* The storage is the mapping of a file, which lives as long. */
void dlz_tensor_mark_file(dlviz_tensor *tensor, const dlz_mapping *file);
/* That file, where it is one and the storage still has its numbers, for nobody has had a pointer to
 * write through: pages may then be let go, and elements be read from the file. Else NULL. */
const dlz_mapping *dlz_tensor_unwritten_file(const dlviz_tensor *tensor);

/* "2 x 3 x 4" for messages; "scalar" without dimensions. Returns buffer. */
#define DLZ_SHAPE_TEXT_SIZE 200
const char *dlz_shape_text(char buffer[DLZ_SHAPE_TEXT_SIZE], int ndim, const int64_t *dims);

/* Fails unless the tensor is float32 with two dimensions and at least one row and column; `who`
 * and `name` start the message. */
dlviz_status dlz_require_matrix(const char *who, const char *name, const dlviz_tensor *tensor);

/* The place of the largest number, the first of equal ones; NaN is less than any. */
int64_t dlz_argmax(const float *row, int64_t count);

#endif
