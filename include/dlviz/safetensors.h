/* dlviz/safetensors.h - named tensors and text in one file, as PyTorch users exchange them.
 *
 * The format: https://github.com/huggingface/safetensors#format
 *
 * Before files of somebody else's are read, see dlviz_set_file_limit (dlviz/runtime.h). */
#ifndef DLVIZ_SAFETENSORS_H
#define DLVIZ_SAFETENSORS_H

#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The contents of a .safetensors file: tensors, each with a name, and metadata, which are pairs of
 *  a key and a value, both text. It holds copies: tensors put in or taken out share nothing with
 *  it. Reading one handle from several threads is safe. */
typedef struct dlviz_safetensors dlviz_safetensors;

/** Creates empty contents, to be filled and saved. Free them with dlviz_safetensors_destroy.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_safetensors_create(dlviz_safetensors **out);

/** Reads a file whole and checks all of it: the header's size (at most 100 MB), its JSON (UTF-8, no
 *  key twice, at most 4096 values for a tensor), that each tensor has as many bytes as its dtype
 *  and shape need, and that the tensors fill the file without gaps or overlaps. Where the metadata
 *  hold the checksums that the library notes in the files of networks and checkpoints
 *  ("dlviz.crc32"), each tensor must have its own; the sentence names the one that is damaged. A
 *  file may hold F64, F32, F16, BF16, BOOL, U8, I8, U16, I16, U32, I32, U64 and I64. Returns
 *  DLVIZ_ERROR_INVALID_ARGUMENT; DLVIZ_ERROR_IO; DLVIZ_ERROR_FORMAT when a rule is broken;
 *  DLVIZ_ERROR_UNSUPPORTED for another dtype or more than DLVIZ_MAX_DIMS dimensions;
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_safetensors_open(dlviz_safetensors **out, const char *path);
/** The same of the bytes of such a file, which are copied. They need no alignment. */
DLVIZ_CHECKED dlviz_status dlviz_safetensors_open_memory(dlviz_safetensors **out, const void *bytes,
                                                         size_t size);

/** Frees the contents; NULL is allowed. Tensors taken out live on. */
DLVIZ_API void dlviz_safetensors_destroy(dlviz_safetensors *contents);

/** The number of tensors. */
DLVIZ_API int64_t dlviz_safetensors_num_tensors(const dlviz_safetensors *contents);

/** The name of tensor `index`, 0 … num_tensors − 1, in the order of the file or of adding; NULL for
 *  any other index. Valid until the tensor is renamed or removed, or the contents are destroyed. */
DLVIZ_API const char *dlviz_safetensors_tensor_name(const dlviz_safetensors *contents,
                                                    int64_t index);

/** Whether there is a tensor of this name. */
DLVIZ_API bool dlviz_safetensors_has(const dlviz_safetensors *contents, const char *name);

/** Gets a copy of a tensor, the caller's to destroy. Real numbers become float32 (F64 rounded to
 *  the nearest; one beyond float32's range is DLVIZ_ERROR_NUMERIC), BOOL becomes uint8 of 0 and
 *  1 (as samples: see dlviz_tensor_read_npy), integers other than U8 become int64 (a U64 beyond
 *  its range is DLVIZ_ERROR_NUMERIC). Returns
 *  DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_NOT_FOUND, DLVIZ_ERROR_FORMAT for a BOOL that is
 *  neither 0 nor 1, DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_safetensors_get(const dlviz_safetensors *contents,
                                                 const char *name, dlviz_tensor **tensor);

/** Adds a copy of a tensor (F32, U8 or I64 in the file). Checksums that the metadata hold are
 *  dropped.
 *  @param name  UTF-8, not empty, not "__metadata__", not the name of a tensor that is there
 *               already
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY; the contents then stay as
 *  they were. */
DLVIZ_CHECKED dlviz_status dlviz_safetensors_add(dlviz_safetensors *contents, const char *name,
                                                 const dlviz_tensor *tensor);

/** Renames all tensors that a pattern describes, as where a file calls "module.conv1.weight" what a
 *  network calls "conv1.weight": from "module.*" to "*", or "layer1.0.*" to "block1.*".
 *  @param from  a name, in which one '*' may stand for any run of characters, also none
 *  @param to    the new name; a '*' in it, which it has if `from` has one, stands for what that one
 *               stood for
 *  What the metadata say of the tensors by their names ("dlviz.network", "dlviz.crc32") is dropped.
 *  Returns DLVIZ_ERROR_NOT_FOUND with some of the names there are (`from` describes none),
 *  DLVIZ_ERROR_INVALID_ARGUMENT (also where two tensors would get one name, or one none) or
 *  DLVIZ_ERROR_OUT_OF_MEMORY; the contents then stay as they were. */
DLVIZ_CHECKED dlviz_status dlviz_safetensors_rename(dlviz_safetensors *contents, const char *from,
                                                    const char *to);
/** Takes out all tensors whose names a pattern describes: '*' stands for any run of characters, '?'
 *  for one. The same metadata are dropped as by dlviz_safetensors_rename.
 *  Returns DLVIZ_ERROR_NOT_FOUND with some of the names there are, DLVIZ_ERROR_INVALID_ARGUMENT or
 *  DLVIZ_ERROR_OUT_OF_MEMORY; the contents then stay as they were. */
DLVIZ_CHECKED dlviz_status dlviz_safetensors_remove(dlviz_safetensors *contents,
                                                    const char *pattern);

/** The number of metadata pairs, and key `index` of them (NULL for an index that does not
 *  exist). */
DLVIZ_API int64_t dlviz_safetensors_num_metadata(const dlviz_safetensors *contents);
DLVIZ_API const char *dlviz_safetensors_metadata_key(const dlviz_safetensors *contents,
                                                     int64_t index);
/** The value of a key, or NULL when there is none. Valid until that key is set again, tensors are
 *  added, renamed or removed, or the contents are destroyed. */
DLVIZ_API const char *dlviz_safetensors_metadata(const dlviz_safetensors *contents,
                                                 const char *key);

/** Sets a metadata pair, in place of an earlier value. Both are copied, both UTF-8.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_safetensors_set_metadata(dlviz_safetensors *contents,
                                                          const char *key, const char *value);

/** Writes the contents under a temporary name beside `path` and then renames the file, so that an
 *  earlier one survives a failure. Tensors with wider elements come first, so each one is aligned
 *  in the file. Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_IO, DLVIZ_ERROR_OUT_OF_MEMORY, or
 *  DLVIZ_ERROR_UNSUPPORTED when the header would exceed 100 MB. */
DLVIZ_CHECKED dlviz_status dlviz_safetensors_save(const dlviz_safetensors *contents,
                                                  const char *path);
/** Writes the same bytes to memory.
 *  @param bytes  receives them, NULL on failure; free them with dlviz_free
 *  @param size   receives how many there are
 *  Returns as dlviz_safetensors_save, but for DLVIZ_ERROR_IO. */
DLVIZ_CHECKED dlviz_status dlviz_safetensors_save_memory(const dlviz_safetensors *contents,
                                                         void **bytes, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
