/* Writes .npy files, to files or to memory. */
#include "base/file.h"
#include "tensor/npy.h"
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

enum { ALIGNMENT = 64, PREFIX = 8 /* magic and version */, MOST_HEADER = 512 };

void dlz_npy_write_elements(dlz_file *file, dlviz_dtype dtype, const void *elements,
                            int64_t count) {
    char chunk[1 << 14];
    size_t element = dlviz_dtype_size(dtype);
    int64_t step = (int64_t)(sizeof chunk / element);
    for (int64_t first = 0; first < count; first += step) {
        int64_t some = dlz_min_i64(step, count - first);
        dlz_element_encode(dtype, (const char *)elements + (size_t)first * element, some, chunk);
        dlz_file_write(file, chunk, (size_t)some * element);
    }
}

void dlz_npy_write_header(dlz_file *file, dlviz_dtype dtype, int ndim, const int64_t *dims) {
    static const char *const names[] = {
        [DLVIZ_FLOAT32] = "<f4", [DLVIZ_UINT8] = "|u1", [DLVIZ_INT64] = "<i8"};
    char text[512], shape[256] = "";
    int used = 0;
    for (int i = 0; i < ndim; i++)
        used += snprintf(shape + used, sizeof shape - (size_t)used, "%s%lld", i ? ", " : "",
                         (long long)dims[i]);
    int length =
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s%s), }",
                 names[dtype], shape, ndim == 1 ? "," : "");
    /* Spaces up to a newline make the elements start at a multiple of 64. */
    int total = (PREFIX + 2 + length + ALIGNMENT) / ALIGNMENT * ALIGNMENT - PREFIX - 2;
    memset(text + length, ' ', (size_t)(total - length));
    text[total - 1] = '\n';
    const unsigned char prefix[PREFIX + 2] = {0x93,
                                              'N',
                                              'U',
                                              'M',
                                              'P',
                                              'Y',
                                              1,
                                              0,
                                              (unsigned char)(total & 255),
                                              (unsigned char)(total >> 8)};
    dlz_file_write(file, prefix, sizeof prefix);
    dlz_file_write(file, text, (size_t)total);
}

/* The writer keeps the first failure; commit reports it. */
static void write_all(const dlviz_tensor *tensor, dlz_file *file) {
    dlz_file_expect(file, MOST_HEADER + (size_t)tensor->size * dlviz_dtype_size(tensor->dtype));
    dlz_npy_write_header(file, tensor->dtype, tensor->ndim, tensor->dims);
    dlz_npy_write_elements(file, tensor->dtype, tensor->data, tensor->size);
}

dlviz_status dlviz_tensor_write_npy(const dlviz_tensor *tensor, const char *path) {
    DLZ_REQUIRE(tensor);
    DLZ_REQUIRE(path);
    dlz_file *file;
    DLZ_TRY(dlz_file_create(&file, path));
    write_all(tensor, file);
    return dlz_file_commit(file);
}

dlviz_status dlviz_tensor_write_npy_memory(const dlviz_tensor *tensor, void **bytes, size_t *size) {
    DLZ_REQUIRE_OUT(bytes);
    DLZ_REQUIRE(size);
    *size = 0;
    DLZ_REQUIRE(tensor);
    dlz_file *file;
    DLZ_TRY(dlz_file_create_memory(&file, bytes, size));
    write_all(tensor, file);
    return dlz_file_commit(file);
}
