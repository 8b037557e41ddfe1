#include "base/file.h"
#include "tensor/safetensors.h"

dlviz_status dlviz_safetensors_open(dlviz_safetensors **out, const char *path) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    dlviz_safetensors *contents;
    DLZ_TRY(dlviz_safetensors_create(&contents));
    size_t size;
    dlviz_status status = dlz_file_read(path, INT64_MAX, &contents->block, &size);
    if (status == DLVIZ_OK) {
        status = dlz_safetensors_parse(contents, contents->block, size);
        if (status == DLVIZ_OK)
            status = dlz_safetensors_verify(contents);
        if (status != DLVIZ_OK)
            dlz_fail_within(status, "cannot read '%s'", path);
    }
    if (status != DLVIZ_OK)
        dlviz_safetensors_destroy(contents);
    else
        *out = contents;
    return status;
}
