#include "base/file.h"
#include "base/reading.h"
#include "tensor/safetensors.h"

#include <string.h>

static dlviz_status open(dlviz_safetensors *contents, const void *bytes, size_t size) {
    DLZ_TRY(dlz_safetensors_parse(contents, bytes, size));
    return dlz_safetensors_verify(contents);
}

dlviz_status dlviz_safetensors_open(dlviz_safetensors **out, const char *path) {
    DLZ_READING(path);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    dlviz_safetensors *contents;
    DLZ_TRY(dlviz_safetensors_create(&contents));
    size_t size;
    contents->path = dlz_strdup(path);
    dlviz_status status =
        contents->path ? DLVIZ_OK : dlz_fail_memory("a file name", strlen(path) + 1);
    if (status == DLVIZ_OK)
        status = dlz_file_read(path, INT64_MAX, &contents->block, &size);
    if (status == DLVIZ_OK) {
        status = open(contents, contents->block, size);
        if (status != DLVIZ_OK)
            dlz_fail_within(status, "cannot read '%s'", path);
    }
    if (status != DLVIZ_OK)
        dlviz_safetensors_destroy(contents);
    else
        *out = contents;
    return status;
}

dlviz_status dlz_safetensors_view(dlviz_safetensors **out, const char *who, const void *bytes,
                                  size_t size) {
    *out = NULL;
    if (!bytes)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'bytes' is NULL", who);
    dlviz_safetensors *contents;
    DLZ_TRY(dlviz_safetensors_create(&contents));
    dlviz_status status = open(contents, bytes, size);
    if (status == DLVIZ_OK) {
        *out = contents;
        return DLVIZ_OK;
    }
    dlviz_safetensors_destroy(contents);
    return dlz_fail_within(status, "%s: cannot read the %zu byte%s", who, size,
                           size == 1 ? "" : "s");
}

dlviz_status dlviz_safetensors_open_memory(dlviz_safetensors **out, const void *bytes,
                                           size_t size) {
    DLZ_READING(NULL);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(bytes);
    void *copy = dlz_alloc(size);
    if (!copy)
        return dlz_fail_memory("the bytes of a file", size);
    memcpy(copy, bytes, size);
    dlviz_status status = dlz_safetensors_view(out, __func__, copy, size);
    if (status == DLVIZ_OK)
        (*out)->block = copy;
    else
        dlz_free(copy);
    return status;
}
