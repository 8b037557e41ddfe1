#include "tensor/saved.h"
#include "base/base.h"

static dlviz_status make_contents(const void *handle, dlz_saved_fill_fn fill,
                                  dlviz_safetensors **contents) {
    DLZ_TRY(dlviz_safetensors_create(contents));
    dlviz_status status = fill(handle, *contents);
    if (status != DLVIZ_OK) {
        dlviz_safetensors_destroy(*contents);
        *contents = NULL;
    }
    return status;
}

dlviz_status dlz_saved_write(const void *handle, dlz_saved_fill_fn fill, const char *path) {
    dlviz_safetensors *contents;
    DLZ_TRY(make_contents(handle, fill, &contents));
    dlviz_status status = dlviz_safetensors_save(contents, path);
    dlviz_safetensors_destroy(contents);
    return status;
}

dlviz_status dlz_saved_write_memory(const void *handle, dlz_saved_fill_fn fill, void **bytes,
                                    size_t *size) {
    dlviz_safetensors *contents;
    DLZ_TRY(make_contents(handle, fill, &contents));
    dlviz_status status = dlviz_safetensors_save_memory(contents, bytes, size);
    dlviz_safetensors_destroy(contents);
    return status;
}

/* Ends the contents. */
static dlviz_status take(dlviz_safetensors *contents, void *handle, dlz_saved_read_fn read) {
    dlviz_status status = read(contents, handle);
    dlviz_safetensors_destroy(contents);
    return status == DLVIZ_OK || status == DLVIZ_ERROR_OUT_OF_MEMORY ? status : DLVIZ_ERROR_FORMAT;
}

dlviz_status dlz_saved_read(const char *who, void *handle, dlz_saved_read_fn read,
                            const char *path) {
    dlviz_safetensors *contents;
    DLZ_TRY(dlviz_safetensors_open(&contents, path));
    dlviz_status status = take(contents, handle, read);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "%s: cannot open '%s'", who, path);
}

dlviz_status dlz_saved_read_memory(const char *who, void *handle, dlz_saved_read_fn read,
                                   const void *bytes, size_t size) {
    dlviz_safetensors *contents;
    DLZ_TRY(dlz_safetensors_view(&contents, who, bytes, size));
    dlviz_status status = take(contents, handle, read);
    return status == DLVIZ_OK ? status
                              : dlz_fail_within(status, "%s: cannot open the %zu byte%s", who, size,
                                                size == 1 ? "" : "s");
}
