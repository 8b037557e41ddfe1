/* dlviz/tensor.h - dense arrays of any rank: create, look inside, view, read and write .npy.
 *
 * Before files of somebody else's are read, see dlviz_set_file_limit (dlviz/runtime.h). */
#ifndef DLVIZ_TENSOR_H
#define DLVIZ_TENSOR_H

#include <dlviz/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A dense, row-major (C order), contiguous array. Tensors that are views share their storage,
 *  which lives until the last of them is destroyed. Reading one tensor from several threads is
 *  safe; writing its elements while others read is the caller's to prevent. */
typedef struct dlviz_tensor dlviz_tensor;

typedef enum dlviz_dtype { DLVIZ_FLOAT32 = 0, DLVIZ_UINT8 = 1, DLVIZ_INT64 = 2 } dlviz_dtype;

/** The most dimensions a tensor may have. */
#define DLVIZ_MAX_DIMS 8

/** Bytes of one element: 4, 1 or 8; 0 for a value that is no dtype. */
DLVIZ_API size_t dlviz_dtype_size(dlviz_dtype dtype);
/** "float32", "uint8" or "int64". A static string. */
DLVIZ_API const char *dlviz_dtype_name(dlviz_dtype dtype);

/** Creates a tensor filled with zeros.
 *  @param out   receives the tensor, NULL on failure; free it with dlviz_tensor_destroy
 *  @param ndim  0 (a single number) to DLVIZ_MAX_DIMS
 *  @param dims  ndim sizes, each 0 or more; may be NULL when ndim is 0
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY (also when the size
 *  overflows). Any thread may call. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_create(dlviz_tensor **out, dlviz_dtype dtype, int ndim,
                                               const int64_t *dims);

/** As dlviz_tensor_create, filled with a copy of the elements at `data` (row-major). */
DLVIZ_CHECKED dlviz_status dlviz_tensor_from_data(dlviz_tensor **out, dlviz_dtype dtype, int ndim,
                                                  const int64_t *dims, const void *data);

/** Makes a tensor of the caller's own memory without copying it.
 *  @param data     row-major elements, aligned for the dtype; must stay valid while the tensor or a
 *                  view of it lives
 *  @param release  called once with (data, user) when the last of them is destroyed, or NULL; not
 *                  called when this function fails */
DLVIZ_CHECKED dlviz_status dlviz_tensor_wrap(dlviz_tensor **out, dlviz_dtype dtype, int ndim,
                                             const int64_t *dims, void *data,
                                             void (*release)(void *data, void *user), void *user);

/** Destroys the handle, and the storage with the last handle on it. NULL is allowed. */
DLVIZ_API void dlviz_tensor_destroy(dlviz_tensor *tensor);

/** The type of the elements; of NULL, 0, which is DLVIZ_FLOAT32. */
DLVIZ_API dlviz_dtype dlviz_tensor_dtype(const dlviz_tensor *tensor);
/** The number of dimensions, 0 to DLVIZ_MAX_DIMS. */
DLVIZ_API int dlviz_tensor_ndim(const dlviz_tensor *tensor);
/** The ndim sizes; valid as long as the tensor. */
DLVIZ_API const int64_t *dlviz_tensor_dims(const dlviz_tensor *tensor);
/** The size of one dimension; a negative axis counts from the last (-1). 0 for an axis that does
 *  not exist. */
DLVIZ_API int64_t dlviz_tensor_dim(const dlviz_tensor *tensor, int axis);
/** The number of elements. */
DLVIZ_API int64_t dlviz_tensor_num_elements(const dlviz_tensor *tensor);

/** The elements, row-major, 64-byte aligned when the library allocated them. Owned by the
 *  tensor. */
DLVIZ_API void *dlviz_tensor_data(dlviz_tensor *tensor);
DLVIZ_API const void *dlviz_tensor_const_data(const dlviz_tensor *tensor);
/** The elements as float, or NULL when the dtype is not DLVIZ_FLOAT32. */
DLVIZ_API float *dlviz_tensor_float(dlviz_tensor *tensor);
DLVIZ_API const float *dlviz_tensor_const_float(const dlviz_tensor *tensor);

/** A view with another shape of the same number of elements. One size may be -1: it is inferred.
 *  Returns DLVIZ_ERROR_SHAPE when the numbers of elements differ. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_reshape(const dlviz_tensor *tensor, int ndim,
                                                const int64_t *dims, dlviz_tensor **view);

/** A view of the entries first … first + count − 1 of the first dimension. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_slice(const dlviz_tensor *tensor, int64_t first,
                                              int64_t count, dlviz_tensor **view);

/** A copy with storage of its own. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_copy(const dlviz_tensor *tensor, dlviz_tensor **copy);

/** A copy with another element type. A number that the other type does not have is
 *  DLVIZ_ERROR_NUMERIC: one out of its range, or a fraction or NaN for an integer type. Integers
 *  beyond 2^24 are rounded to the nearest float32, unless that loses what tells rows apart, as
 *  described at dlviz_tensor_read_npy: that is DLVIZ_ERROR_NUMERIC too. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_convert(const dlviz_tensor *tensor, dlviz_dtype dtype,
                                                dlviz_tensor **converted);

/** A copy in which images, the last two dimensions, have another size: bilinear with half-pixel
 *  centers and the border repeated, as PyTorch's interpolate(mode='bilinear', align_corners=False),
 *  without antialiasing. So maps of dlviz_network_grad_cam get the size of the images.
 *  @param images  float32, … × height × width, not empty
 *  @param height  1 or more
 *  @param width   1 or more
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_resize(const dlviz_tensor *images, int64_t height,
                                               int64_t width, dlviz_tensor **resized);

/** Reads a NumPy .npy file: format versions 1 to 3, C or Fortran order, either byte order, up to
 *  DLVIZ_MAX_DIMS dimensions. float32, uint8 and int64 are read as they are; float16 becomes
 *  float32, bool becomes uint8 of 0 and 1 (as the samples of a dataset these would be 1/255 of what
 *  they are: convert them to float32), other integers become int64. float64 is rounded to float32.
 *  Returns DLVIZ_ERROR_IO; DLVIZ_ERROR_FORMAT when the header breaks a rule or the file is shorter
 *  or longer than it says; DLVIZ_ERROR_UNSUPPORTED for any other dtype; DLVIZ_ERROR_OUT_OF_MEMORY;
 *  and DLVIZ_ERROR_NUMERIC
 *  - for a finite float64 beyond the range of float32, or a uint64 beyond that of int64;
 *  - when rounding would lose what tells rows (entries of the first dimension) apart: when it moves
 *    numbers of a column by more than a thousandth of the column's range, as it does with times in
 *    seconds, 1.7e9 and more. A range that is rounding noise itself, below 1e-12 of float64 numbers
 *    or 1e-6 of the widest column's range, does not count; fewer than 8 rows are judged by all
 *    columns together. dlviz_tensor_read_npy_shifted reads such files. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_read_npy(dlviz_tensor **out, const char *path);
/** The same of the bytes of such a file, which are copied. They need no alignment. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_read_npy_memory(dlviz_tensor **out, const void *bytes,
                                                        size_t size);

/** Reads numbers of any dtype as float32, for uses in which only the differences between rows
 *  matter, such as PCA, Euclidean distances and t-SNE. A column of float64 or integers that lies
 *  far from 0 compared to its spread (its mean more than 8 standard deviations) and that float32
 *  does not hold exactly has an offset, about its mean, subtracted before it is rounded.
 *  @param out      n x … float32, the caller's to destroy
 *  @param offsets  NULL, or receives what was subtracted: float32 of the shape without its first
 *                  dimension, 0 for columns left as they are. The caller's to destroy, and to
 *                  subtract from other data before dlviz_pca_transform
 *  Returns as dlviz_tensor_read_npy, with DLVIZ_ERROR_NUMERIC only where an offset does not
 *  help. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_read_npy_shifted(dlviz_tensor **out, const char *path,
                                                         dlviz_tensor **offsets);
/** The same of the bytes of such a file. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_read_npy_shifted_memory(dlviz_tensor **out,
                                                                const void *bytes, size_t size,
                                                                dlviz_tensor **offsets);

/** Maps a .npy file into memory instead of reading it: pages of it are fetched when they are used,
 *  and a file larger than memory will do. Writing to the tensor changes memory and not the file.
 *  The mapping ends when the tensor and the last view of it are destroyed.
 *  @param path  a regular file of float32, uint8 or int64 in C order and this machine's byte order
 *               (on most, little-endian), as numpy.save writes them
 *  Of a file of 128 MB or more only a bounded part is in memory at a time, for a dataset (see
 *  there) and for a PCA (pca.h). Such a file stays open as long as the mapping.
 *  While the file is mapped it must not be cut shorter by anybody: using what is no longer there
 *  ends the program with SIGBUS, as with any mapping; where a dataset reads a large file, it is
 *  DLVIZ_ERROR_IO instead. Replacing it by a new file of the same name,
 *  as this library and most others write, is harmless.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT; DLVIZ_ERROR_IO; DLVIZ_ERROR_FORMAT when the header breaks
 *  a rule or the file is shorter or longer than it says; DLVIZ_ERROR_UNSUPPORTED, with a sentence,
 *  for arrays that cannot be used as they lie in the file; DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_map_npy(dlviz_tensor **out, const char *path);

/** Writes a .npy file (version 1.0, C order, little-endian) under a temporary name beside `path`
 *  and then renames it, so that an earlier file survives a failure. Of arrays without elements
 *  NumPy reads those whose other sizes, multiplied, would fit its memory; dlviz_tensor_read_npy
 *  reads all. Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_IO. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_write_npy(const dlviz_tensor *tensor, const char *path);
/** Writes the same bytes to memory.
 *  @param bytes  receives them, NULL on failure; free them with dlviz_free
 *  @param size   receives how many there are
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_write_npy_memory(const dlviz_tensor *tensor, void **bytes,
                                                         size_t *size);

/** Where the largest number of each row is: for a tensor of n × … × d (float32), the places along
 *  the last dimension, int64, of the other dimensions' shape; of equal numbers, the first. For the
 *  outputs of a classifier these are the predicted classes. NaN is less than any number, and a row
 *  of NaN alone gives 0.
 *  @param places  receives them, the caller's to destroy; NULL on failure
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE (no dimension, a last dimension of 0, or
 *  no float32) or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_tensor_argmax(const dlviz_tensor *tensor, dlviz_tensor **places);

#ifdef __cplusplus
}
#endif
#endif
