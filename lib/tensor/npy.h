/* tensor/npy.h - the inside of a .npy file, which may be a file, an entry of an archive, or mapped. */
#ifndef DLZ_NPY_H
#define DLZ_NPY_H

#include "base/file.h"
#include "tensor/element.h"

typedef struct dlz_npy_header {
    dlz_element element;
    bool big_endian, fortran;
    int ndim;
    int64_t dims[DLVIZ_MAX_DIMS], size;
    size_t offset; /* of the elements in the file */
} dlz_npy_header;

/* No header's size stands beyond so many bytes. */
enum { DLZ_NPY_START = 12 };

/* How many bytes come before the elements, of a file of `size` bytes of which the first DLZ_NPY_START
 * (all, if there are fewer) are at hand. At most `size`. */
dlviz_status dlz_npy_header_size(const unsigned char *bytes, size_t size, size_t *header_size);
/* Reads the header of a file of `size` bytes, of which those before the elements must be at hand, and
 * checks that the elements take all the others. */
dlviz_status dlz_npy_parse(const unsigned char *bytes, size_t size, dlz_npy_header *header);

/* Whether the elements in the file, if they are aligned, can serve as a tensor's. */
bool dlz_npy_is_a_tensors(const dlz_npy_header *header);
/* The elements as a tensor of their own. */
dlviz_status dlz_npy_decode(const dlz_npy_header *header, const unsigned char *elements,
                            dlviz_tensor **out);
/* The same of a block that holds the whole file, which the tensor takes over where it can: *block is
 * NULL then. */
dlviz_status dlz_npy_take(const dlz_npy_header *header, void **block, dlviz_tensor **out);
/* As dlviz_tensor_read_npy_shifted; *offsets only where `offsets` is not NULL. */
dlviz_status dlz_npy_decode_shifted(const dlz_npy_header *header, const unsigned char *elements,
                                    dlviz_tensor **out, dlviz_tensor **offsets);

/* Writes a header, and then, in as many pieces as one likes, the elements that it speaks of. The file
 * keeps the first failure, which dlz_file_commit reports. */
void dlz_npy_write_header(dlz_file *file, dlviz_dtype dtype, int ndim, const int64_t *dims);
void dlz_npy_write_elements(dlz_file *file, dlviz_dtype dtype, const void *elements, int64_t count);

#endif
