/* support/npy_file.h - .npy files in this machine's byte order, which can be mapped, also such as
 * are mostly holes. */
#ifndef DLZ_TESTS_NPY_FILE_H
#define DLZ_TESTS_NPY_FILE_H

#include "support/support.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { NPY_HEADER = 128 };

/* Writes the header alone, and leaves the file open. */
static inline FILE *begin_npy_file(const char *path, dlviz_dtype dtype, int ndim,
                                   const int64_t *dims) {
    char header[NPY_HEADER + 1], shape[80] = "";
    uint16_t one = 1;
    for (int i = 0; i < ndim; i++)
        snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%lld, ", (long long)dims[i]);
    const char *name = dtype == DLVIZ_FLOAT32 ? "f4" : dtype == DLVIZ_INT64 ? "i8" : "u1";
    char order = dtype == DLVIZ_UINT8 ? '|' : *(unsigned char *)&one ? '<' : '>';
    int length = snprintf(header, sizeof header,
                          "\x93NUMPY\x01%cv%c{'descr': '%c%s', 'fortran_order': False, 'shape': "
                          "(%s), }",
                          0, 0, order, name, shape);
    ck_assert_int_lt(length, NPY_HEADER);
    memset(header + length, ' ', NPY_HEADER - (size_t)length);
    header[NPY_HEADER - 1] = '\n';
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(header, 1, NPY_HEADER, file), NPY_HEADER);
    return file;
}

static inline int64_t npy_size(dlviz_dtype dtype, int ndim, const int64_t *dims) {
    int64_t size = (int64_t)dlviz_dtype_size(dtype);
    for (int i = 0; i < ndim; i++)
        size *= dims[i];
    return size;
}

static inline void write_npy_file(const char *path, const dlviz_tensor *tensor) {
    dlviz_dtype dtype = dlviz_tensor_dtype(tensor);
    int64_t dims[8];
    int ndim = dlviz_tensor_ndim(tensor);
    for (int i = 0; i < ndim; i++)
        dims[i] = dlviz_tensor_dim(tensor, i);
    FILE *file = begin_npy_file(path, dtype, ndim, dims);
    size_t size = (size_t)npy_size(dtype, ndim, dims);
    ck_assert_uint_eq(fwrite(dlviz_tensor_const_data(tensor), 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* Zeros, which take no room on the disk, but those that are about to be mapped may; NULL where there is
 * none, else a file that the caller closes. */
static inline FILE *make_sparse_npy(const char *path, dlviz_dtype dtype, int ndim,
                                    const int64_t *dims) {
    struct statvfs disk;
    FILE *file = begin_npy_file(path, dtype, ndim, dims);
    int64_t size = npy_size(dtype, ndim, dims);
    if (fstatvfs(fileno(file), &disk) == 0 &&
        (double)disk.f_bavail * (double)disk.f_frsize > 1.2 * (double)size &&
        ftruncate(fileno(file), (off_t)(NPY_HEADER + size)) == 0)
        return file;
    printf("SKIP: no room for %lld MB beside '%s'\n", (long long)(size >> 20), path);
    fclose(file);
    remove(path);
    return NULL;
}

#endif
