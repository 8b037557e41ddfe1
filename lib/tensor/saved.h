/* tensor/saved.h - handles that live in a .safetensors file of their own, on disk or in memory. */
#ifndef DLZ_SAVED_H
#define DLZ_SAVED_H

#include "tensor/safetensors.h"

/* Puts a handle into empty contents. */
typedef dlviz_status (*dlz_saved_fill_fn)(const void *handle, dlviz_safetensors *contents);
/* Fills a new handle from contents. Whatever fails but memory makes the file wrong. */
typedef dlviz_status (*dlz_saved_read_fn)(const dlviz_safetensors *contents, void *handle);

dlviz_status dlz_saved_write(const void *handle, dlz_saved_fill_fn fill, const char *path);
dlviz_status dlz_saved_write_memory(const void *handle, dlz_saved_fill_fn fill, void **bytes,
                                    size_t *size);

/* For the public function `who`, which destroys the handle after a failure. */
dlviz_status dlz_saved_read(const char *who, void *handle, dlz_saved_read_fn read,
                            const char *path);
dlviz_status dlz_saved_read_memory(const char *who, void *handle, dlz_saved_read_fn read,
                                   const void *bytes, size_t size);

#endif
