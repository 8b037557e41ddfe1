/* dlviz/npz.h - arrays that NumPy keeps together in one file: numpy.savez, savez_compressed.
 *
 * Before files of somebody else's are read, see dlviz_set_file_limit (dlviz/runtime.h): compressed
 * arrays take up to a thousand times as much memory as their bytes. */
#ifndef DLVIZ_NPZ_H
#define DLVIZ_NPZ_H

#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An .npz file: a zip archive of .npy files, which are read one at a time when they are asked for.
 *  Several threads may read from one handle at the same time. */
typedef struct dlviz_npz dlviz_npz;

/** Opens a file, reads the list of its arrays and checks it. The file stays open, and must not be
 *  changed, until the handle is destroyed. Archives of the zip64 format are read too; entries that
 *  are no .npy files are passed over.
 *  @param out  receives the handle, NULL on failure; free it with dlviz_npz_destroy
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT; DLVIZ_ERROR_IO; DLVIZ_ERROR_FORMAT for what is no zip
 *  archive, is cut short or contradicts itself, and for one in which two arrays have the same name
 *  or one a name that is no UTF-8;
 *  DLVIZ_ERROR_UNSUPPORTED for an archive in several files; DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_npz_open(dlviz_npz **out, const char *path);
/** The same of the bytes of such a file, which are copied. They need no alignment. */
DLVIZ_CHECKED dlviz_status dlviz_npz_open_memory(dlviz_npz **out, const void *bytes, size_t size);
/** Closes the file; NULL is allowed. Tensors that were read live on. */
DLVIZ_API void dlviz_npz_destroy(dlviz_npz *npz);

/** The number of arrays. */
DLVIZ_API int64_t dlviz_npz_num_arrays(const dlviz_npz *npz);
/** The name of array `index`, 0 … num_arrays - 1, in the order of the archive: that of its file
 *  without ".npy", and with the folders that it is in ("train/x"). NULL for any other index. Valid
 *  as long as the handle. */
DLVIZ_API const char *dlviz_npz_array_name(const dlviz_npz *npz, int64_t index);

/** Reads an array, as it is or compressed ("stored" or "deflated"), as dlviz_tensor_read_npy reads
 *  a file; its checksum must be right. Memory is taken for no more than the array's own header says
 *  and the archive can hold.
 *  @param tensor  receives it, the caller's to destroy; NULL on failure
 *  Returns as dlviz_tensor_read_npy; DLVIZ_ERROR_NOT_FOUND with some of the names there are;
 *  DLVIZ_ERROR_UNSUPPORTED where it is encrypted or compressed in another way. */
DLVIZ_CHECKED dlviz_status dlviz_npz_read(const dlviz_npz *npz, const char *name,
                                          dlviz_tensor **tensor);
/** As dlviz_npz_read, but as dlviz_tensor_read_npy_shifted reads a file.
 *  @param offsets  NULL, or receives what was subtracted; the caller's to destroy */
DLVIZ_CHECKED dlviz_status dlviz_npz_read_shifted(const dlviz_npz *npz, const char *name,
                                                  dlviz_tensor **tensor, dlviz_tensor **offsets);

#ifdef __cplusplus
}
#endif
#endif
