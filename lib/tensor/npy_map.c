/* A .npy file used where it lies: its pages become a tensor's storage. */
#include "base/base.h"
#include "base/reading.h"
#include "tensor/mapping.h"
#include "tensor/npy.h"

static dlviz_status check_usable(const dlz_npy_header *header) {
    size_t element = dlz_element_size(header->element);
    const char *why = header->element != dlz_element_of_dtype(dlz_element_dtype(header->element))
                          ? "float32, uint8 and int64 are"
                      : header->fortran && header->ndim > 1
                          ? "it is in Fortran order, and C order is"
                      : !dlz_npy_is_a_tensors(header) ? "it is in the other byte order"
                      : header->offset % element != 0 ? "its elements are not aligned"
                                                      : NULL;
    if (!why)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                    "the array cannot be used as it lies in the file (%s); dlviz_tensor_read_npy "
                    "reads it",
                    why);
}

static dlviz_status wrap(dlviz_tensor **out, dlz_mapping *mapping) {
    dlz_npy_header header = {0};
    DLZ_TRY(dlz_npy_parse(mapping->address, mapping->size, &header));
    DLZ_TRY(check_usable(&header));
    return dlz_mapping_wrap(out, mapping, dlz_element_dtype(header.element), header.ndim,
                            header.dims, header.offset);
}

dlviz_status dlviz_tensor_map_npy(dlviz_tensor **out, const char *path) {
    DLZ_READING(path);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    dlz_mapping *mapping;
    DLZ_TRY(dlz_mapping_open(&mapping, path, "dlviz_tensor_read_npy"));
    dlviz_status status = wrap(out, mapping);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    dlz_mapping_close(mapping);
    return dlz_fail_within(status, "cannot map '%s'", path);
}
