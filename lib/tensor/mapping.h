/* tensor/mapping.h - a file whose pages are the storage of a tensor.
 *
 * A large file stays open besides: rows of it are then read, and not touched in the mapping, where
 * their pages would stay (rows.h). */
#ifndef DLZ_MAPPING_H
#define DLZ_MAPPING_H

#include "tensor/blocks.h"
#include "tensor/tensor.h"

struct dlz_mapping {
    unsigned char *address;
    size_t size;
    int descriptor;     /* -1: the file is not large */
    char *path;         /* for sentences */
    dlz_blocks *blocks; /* for rows that are read; NULL: the file is not large */
};

/* `reader` is what reads files that cannot be mapped, for sentences. */
dlviz_status dlz_mapping_open(dlz_mapping **out, const char *path, const char *reader);
void dlz_mapping_close(dlz_mapping *mapping);
/* Makes a tensor of the elements from byte `offset` on, all of which are there. It has the mapping from
 * then on, unless it fails. */
dlviz_status dlz_mapping_wrap(dlviz_tensor **out, dlz_mapping *mapping, dlviz_dtype dtype, int ndim,
                              const int64_t *dims, size_t offset);

/* From which size on files are large, for those that are mapped from then on: DLZ_PAGES_LEAST, unless a
 * test makes it small. */
void dlz_mapping_set_large(size_t size);

#endif
