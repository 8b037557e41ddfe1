/* data/idx.h - reads arrays in the IDX format (http://yann.lecun.com/exdb/mnist). */
#ifndef DLZ_IDX_H
#define DLZ_IDX_H

#include <dlviz/tensor.h>

/* Reads an array of unsigned bytes with min_ndim to max_ndim dimensions (at most 4), none of them
 * 0. `what`
 * ("images") is for messages. */
dlviz_status dlz_idx_read(const char *path, const char *what, int min_ndim, int max_ndim,
                          dlviz_tensor **out);
/* The same of a file that was looked for in a folder: a regular one, and no pipe. */
dlviz_status dlz_idx_read_regular(const char *path, const char *what, int min_ndim, int max_ndim,
                                  dlviz_tensor **out);
/* The same of a file in memory. */
dlviz_status dlz_idx_read_memory(const void *bytes, size_t size, const char *what, int min_ndim,
                                 int max_ndim, dlviz_tensor **out);
/* The same of a file that is not compressed, whose pages become the tensor's storage. */
dlviz_status dlz_idx_map(const char *path, const char *what, int min_ndim, int max_ndim,
                         dlviz_tensor **out);

#endif
