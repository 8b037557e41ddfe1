/* tensor/rows.h - rows of tensors, wherever they lie.
 *
 * Rows of a large mapped file are read from it into memory of their own: random rows that are touched
 * in the mapping leave the whole file there, and letting go of their pages costs several times as much
 * as reading does. Rows of all other tensors, and of those that may have been written to, are where
 * they are. So what fails, fails for large files only. */
#ifndef DLZ_ROWS_H
#define DLZ_ROWS_H

#include "tensor/tensor.h"

/* Whether elements are read from a large file. */
bool dlz_rows_are_read(const dlviz_tensor *tensor);

/* Writes elements first … first + count − 1. Fails with DLVIZ_ERROR_IO. */
dlviz_status dlz_tensor_get(const dlviz_tensor *tensor, int64_t first, int64_t count, void *to);
/* An entry of the first dimension; where it is read for the purpose, *block is its memory until
 * dlz_row_done, else NULL. The file keeps such blocks: memory is allocated where more rows are in use at
 * once than before. Fails with DLVIZ_ERROR_IO or _OUT_OF_MEMORY. */
dlviz_status dlz_row_fetch(const dlviz_tensor *tensor, int64_t row, const void **at, void **block);
void dlz_row_done(void *block);
/* These rows are going to be read soon: the disk may fetch them meanwhile. */
void dlz_rows_expect(const dlviz_tensor *tensor, int64_t first, int64_t count);
/* Bytes of a row. */
size_t dlz_row_size(const dlviz_tensor *tensor);

#endif
