#include "tensor/tensor.h"
#include "base/base.h"
#include "base/cancel.h"
#include "tensor/narrow.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct dlz_storage {
    atomic_int references;
    const dlz_mapping *file; /* that the storage is the mapping of; or NULL */
    atomic_bool may_differ;  /* somebody has had a pointer to write through */
    void *data;
    void (*release)(void *data, void *user);
    void *user;
};

static void release_own(void *data, void *user) {
    (void)user;
    dlz_free(data);
}

static void storage_drop(dlz_storage *storage) {
    if (atomic_fetch_sub(&storage->references, 1) != 1)
        return;
    DLZ_NOT_CANCELLED;
    if (storage->release)
        storage->release(storage->data, storage->user);
    dlz_free(storage);
}

size_t dlviz_dtype_size(dlviz_dtype dtype) {
    switch (dtype) {
    case DLVIZ_FLOAT32:
        return sizeof(float);
    case DLVIZ_UINT8:
        return 1;
    case DLVIZ_INT64:
        return sizeof(int64_t);
    }
    return 0;
}

const char *dlviz_dtype_name(dlviz_dtype dtype) {
    switch (dtype) {
    case DLVIZ_FLOAT32:
        return "float32";
    case DLVIZ_UINT8:
        return "uint8";
    case DLVIZ_INT64:
        return "int64";
    }
    return "unknown";
}

const char *dlz_shape_text(char buffer[DLZ_SHAPE_TEXT_SIZE], int ndim, const int64_t *dims) {
    if (ndim == 0)
        return strcpy(buffer, "scalar");
    size_t used = 0;
    for (int i = 0; i < ndim && used < DLZ_SHAPE_TEXT_SIZE; i++)
        used += (size_t)snprintf(buffer + used, DLZ_SHAPE_TEXT_SIZE - used, "%s%lld",
                                 i ? " x " : "", (long long)dims[i]);
    return buffer;
}

/* Checks dtype and shape and makes the handle; its data and storage are the caller's to set. */
static dlviz_status make_handle(const char *who, dlviz_tensor **out, dlviz_dtype dtype, int ndim,
                                const int64_t *dims, size_t *bytes) {
    size_t element = dlviz_dtype_size(dtype);
    if (element == 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: dtype %d is not DLVIZ_FLOAT32, DLVIZ_UINT8 or DLVIZ_INT64", who,
                        (int)dtype);
    if (ndim < 0 || ndim > DLVIZ_MAX_DIMS)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %d dimensions; 0 to %d are accepted",
                        who, ndim, DLVIZ_MAX_DIMS);
    if (ndim > 0 && !dims)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'dims' is NULL", who);
    for (int i = 0; i < ndim; i++)
        if (dims[i] < 0)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: dimension %d is %lld; sizes are 0 or more", who, i,
                            (long long)dims[i]);
    int64_t size;
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (dlz_product_overflows(ndim, dims, &size) ||
        (uint64_t)size > (uint64_t)PTRDIFF_MAX / element) /* the largest array there is */
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "%s: a tensor of %s elements is too large", who,
                        dlz_shape_text(text, ndim, dims));
    *bytes = (size_t)size * element;
    dlviz_tensor *tensor = dlz_alloc_zero(sizeof *tensor);
    if (!tensor)
        return dlz_fail_memory("a tensor handle", sizeof *tensor);
    tensor->dtype = dtype;
    tensor->ndim = ndim;
    tensor->size = size;
    if (ndim > 0)
        memcpy(tensor->dims, dims, (size_t)ndim * sizeof *dims);
    *out = tensor;
    return DLVIZ_OK;
}

static dlviz_status attach(const char *who, dlviz_tensor **out, void *data,
                           void (*release)(void *, void *), void *user) {
    dlz_storage *storage = dlz_alloc(sizeof *storage);
    if (!storage) {
        dlz_free(*out);
        *out = NULL;
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "%s: out of memory", who);
    }
    *storage = (dlz_storage){.references = 1, .data = data, .release = release, .user = user};
    (*out)->data = data;
    (*out)->storage = storage;
    return DLVIZ_OK;
}

static dlviz_status create(const char *who, dlviz_tensor **out, dlviz_dtype dtype, int ndim,
                           const int64_t *dims, size_t *bytes) {
    DLZ_TRY(make_handle(who, out, dtype, ndim, dims, bytes));
    void *data = dlz_alloc(*bytes);
    if (!data) {
        dlz_free(*out);
        *out = NULL;
        char text[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "%s: out of memory: %zu bytes for %s of %s", who,
                        *bytes, dlviz_dtype_name(dtype), dlz_shape_text(text, ndim, dims));
    }
    dlviz_status status = attach(who, out, data, release_own, NULL);
    if (status != DLVIZ_OK)
        dlz_free(data);
    return status;
}

dlviz_status dlz_tensor_create_raw(dlviz_tensor **out, dlviz_dtype dtype, int ndim,
                                   const int64_t *dims) {
    *out = NULL;
    size_t bytes;
    return create("dlviz_tensor_create", out, dtype, ndim, dims, &bytes);
}

dlviz_status dlviz_tensor_create(dlviz_tensor **out, dlviz_dtype dtype, int ndim,
                                 const int64_t *dims) {
    DLZ_REQUIRE_OUT(out);
    size_t bytes;
    DLZ_TRY(create(__func__, out, dtype, ndim, dims, &bytes));
    memset((*out)->data, 0, bytes);
    return DLVIZ_OK;
}

dlviz_status dlviz_tensor_from_data(dlviz_tensor **out, dlviz_dtype dtype, int ndim,
                                    const int64_t *dims, const void *data) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(data);
    size_t bytes;
    DLZ_TRY(create(__func__, out, dtype, ndim, dims, &bytes));
    memcpy((*out)->data, data, bytes);
    return DLVIZ_OK;
}

dlviz_status dlviz_tensor_wrap(dlviz_tensor **out, dlviz_dtype dtype, int ndim, const int64_t *dims,
                               void *data, void (*release)(void *, void *), void *user) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(data);
    size_t bytes, element = dlviz_dtype_size(dtype);
    if (element && (uintptr_t)data % element != 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'data' is not aligned to the %zu bytes of a %s", __func__, element,
                        dlviz_dtype_name(dtype));
    DLZ_TRY(make_handle(__func__, out, dtype, ndim, dims, &bytes));
    return attach(__func__, out, data, release, user);
}

void dlviz_tensor_destroy(dlviz_tensor *tensor) {
    if (!tensor)
        return;
    storage_drop(tensor->storage);
    dlz_free(tensor);
}

dlviz_dtype dlviz_tensor_dtype(const dlviz_tensor *tensor) {
    return tensor ? tensor->dtype : DLVIZ_FLOAT32;
}
int dlviz_tensor_ndim(const dlviz_tensor *tensor) {
    return tensor ? tensor->ndim : 0;
}
const int64_t *dlviz_tensor_dims(const dlviz_tensor *tensor) {
    return tensor ? tensor->dims : NULL;
}
int64_t dlviz_tensor_num_elements(const dlviz_tensor *tensor) {
    return tensor ? tensor->size : 0;
}

int64_t dlviz_tensor_dim(const dlviz_tensor *tensor, int axis) {
    int ndim = dlviz_tensor_ndim(tensor);
    if (axis < 0)
        axis += ndim;
    return axis >= 0 && axis < ndim ? tensor->dims[axis] : 0;
}

void dlz_tensor_mark_file(dlviz_tensor *tensor, const dlz_mapping *file) {
    tensor->storage->file = file;
}

const dlz_mapping *dlz_tensor_unwritten_file(const dlviz_tensor *tensor) {
    const dlz_storage *storage = tensor->storage;
    return storage->file && !atomic_load_explicit(&storage->may_differ, memory_order_relaxed)
               ? storage->file
               : NULL;
}

/* For the owner, who may write. */
static void *writable(dlviz_tensor *tensor) {
    if (tensor->storage->file)
        atomic_store_explicit(&tensor->storage->may_differ, true, memory_order_relaxed);
    return tensor->data;
}

void *dlviz_tensor_data(dlviz_tensor *tensor) {
    return tensor ? writable(tensor) : NULL;
}
const void *dlviz_tensor_const_data(const dlviz_tensor *tensor) {
    return tensor ? tensor->data : NULL;
}

float *dlviz_tensor_float(dlviz_tensor *tensor) {
    return tensor && tensor->dtype == DLVIZ_FLOAT32 ? writable(tensor) : NULL;
}

const float *dlviz_tensor_const_float(const dlviz_tensor *tensor) {
    return tensor && tensor->dtype == DLVIZ_FLOAT32 ? tensor->data : NULL;
}

/* A handle on the same storage, its elements starting `offset` bytes further on. */
static dlviz_status make_view(const char *who, const dlviz_tensor *tensor, int ndim,
                              const int64_t *dims, size_t offset, dlviz_tensor **view) {
    size_t bytes;
    DLZ_TRY(make_handle(who, view, tensor->dtype, ndim, dims, &bytes));
    atomic_fetch_add(&tensor->storage->references, 1);
    (*view)->storage = tensor->storage;
    (*view)->data = (char *)tensor->data + offset;
    return DLVIZ_OK;
}

dlviz_status dlviz_tensor_reshape(const dlviz_tensor *tensor, int ndim, const int64_t *dims,
                                  dlviz_tensor **view) {
    DLZ_REQUIRE_OUT(view);
    DLZ_REQUIRE(tensor);
    if (ndim < 0 || ndim > DLVIZ_MAX_DIMS || (ndim > 0 && !dims))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %d dimensions at %p; 0 to %d dimensions with their sizes are accepted",
                        __func__, ndim, (const void *)dims, DLVIZ_MAX_DIMS);
    int64_t wanted[DLVIZ_MAX_DIMS] = {0}, known = 1;
    int inferred = -1;
    bool overflows = false;
    for (int i = 0; i < ndim; i++) {
        wanted[i] = dims[i];
        if (dims[i] == -1 && inferred < 0)
            inferred = i;
        else if (dims[i] < 0)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: dimension %d is %lld; sizes are 0 or more, and one may be -1",
                            __func__, i, (long long)dims[i]);
        else
            overflows |= __builtin_mul_overflow(known, dims[i], &known);
    }
    if (inferred >= 0 && known > 0 && !overflows && tensor->size % known == 0)
        wanted[inferred] = tensor->size / known;
    int64_t size;
    char from[DLZ_SHAPE_TEXT_SIZE], to[DLZ_SHAPE_TEXT_SIZE];
    if ((inferred >= 0 && wanted[inferred] < 0) || dlz_product_overflows(ndim, wanted, &size) ||
        size != tensor->size)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: %s has %lld elements and cannot become %s",
                        __func__, dlz_shape_text(from, tensor->ndim, tensor->dims),
                        (long long)tensor->size, dlz_shape_text(to, ndim, dims));
    return make_view(__func__, tensor, ndim, wanted, 0, view);
}

dlviz_status dlviz_tensor_slice(const dlviz_tensor *tensor, int64_t first, int64_t count,
                                dlviz_tensor **view) {
    DLZ_REQUIRE_OUT(view);
    DLZ_REQUIRE(tensor);
    if (tensor->ndim == 0)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: a scalar has no first dimension", __func__);
    if (first < 0 || count < 0 || first > tensor->dims[0] || count > tensor->dims[0] - first)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld entries from %lld on; the tensor has %lld", __func__,
                        (long long)count, (long long)first, (long long)tensor->dims[0]);
    int64_t dims[DLVIZ_MAX_DIMS];
    memcpy(dims, tensor->dims, sizeof dims);
    dims[0] = count;
    int64_t row = tensor->dims[0] ? tensor->size / tensor->dims[0] : 0;
    size_t offset = (size_t)(first * row) * dlviz_dtype_size(tensor->dtype);
    return make_view(__func__, tensor, tensor->ndim, dims, offset, view);
}

dlviz_status dlviz_tensor_copy(const dlviz_tensor *tensor, dlviz_tensor **copy) {
    DLZ_REQUIRE_OUT(copy);
    DLZ_REQUIRE(tensor);
    return dlviz_tensor_from_data(copy, tensor->dtype, tensor->ndim, tensor->dims, tensor->data);
}

static bool to_int64(float value, int64_t *result) {
    /* cppcheck-suppress incorrectLogicOperator ; it cannot read hexadecimal floats */
    if (!(value >= -0x1p63f && value < 0x1p63f) || value != truncf(value))
        return false;
    *result = (int64_t)value;
    return true;
}

static bool convert_element(const dlviz_tensor *from, int64_t i, dlviz_tensor *to) {
    float real = 0;
    int64_t whole = 0;
    bool is_real = from->dtype == DLVIZ_FLOAT32;
    if (is_real)
        real = ((const float *)from->data)[i];
    else
        whole = from->dtype == DLVIZ_UINT8 ? ((const uint8_t *)from->data)[i]
                                           : ((const int64_t *)from->data)[i];
    if (to->dtype == DLVIZ_FLOAT32) {
        ((float *)to->data)[i] = is_real ? real : (float)whole;
        return true;
    }
    if (is_real && !to_int64(real, &whole))
        return false;
    if (to->dtype == DLVIZ_INT64) {
        ((int64_t *)to->data)[i] = whole;
        return true;
    }
    if (whole < 0 || whole > UINT8_MAX)
        return false;
    ((uint8_t *)to->data)[i] = (uint8_t)whole;
    return true;
}

static dlviz_status misfit(const char *who, const dlviz_tensor *from, int64_t i,
                           dlviz_dtype dtype) {
    char text[DLZ_NUMBER_SIZE];
    double value = from->dtype == DLVIZ_FLOAT32 ? (double)((const float *)from->data)[i]
                                                : (double)((const int64_t *)from->data)[i];
    return dlz_fail(
        DLVIZ_ERROR_NUMERIC,
        "%s: element %lld of the %s tensor is %s; for %s, whole numbers %s are accepted", who,
        (long long)i, dlviz_dtype_name(from->dtype), dlz_number(text, value, 9),
        dlviz_dtype_name(dtype), dtype == DLVIZ_UINT8 ? "from 0 to 255" : "from -2^63 to 2^63 - 1");
}

/* Rounding may merge what told rows apart. */
static dlviz_status check_rounding(const char *who, const dlviz_tensor *from) {
    dlz_wide wide = dlz_wide_of(DLZ_ELEMENT_I64, from->ndim, from->dims, from->size, from->data);
    wide.big_endian = DLZ_HOST_IS_BIG_ENDIAN;
    dlviz_status status = dlz_check_narrow(&wide, "subtract an offset first");
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "%s", who);
}

dlviz_status dlviz_tensor_convert(const dlviz_tensor *tensor, dlviz_dtype dtype,
                                  dlviz_tensor **converted) {
    DLZ_REQUIRE_OUT(converted);
    DLZ_REQUIRE(tensor);
    if (dtype == tensor->dtype)
        return dlviz_tensor_copy(tensor, converted);
    if (tensor->dtype == DLVIZ_INT64 && dtype == DLVIZ_FLOAT32)
        DLZ_TRY(check_rounding(__func__, tensor));
    dlviz_tensor *result;
    DLZ_TRY(dlviz_tensor_create(&result, dtype, tensor->ndim, tensor->dims));
    for (int64_t i = 0; i < tensor->size; i++)
        if (!convert_element(tensor, i, result)) {
            dlviz_tensor_destroy(result);
            return misfit(__func__, tensor, i, dtype);
        }
    *converted = result;
    return DLVIZ_OK;
}

dlviz_status dlz_require_matrix(const char *who, const char *name, const dlviz_tensor *tensor) {
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (!tensor)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", who, name);
    if (tensor->dtype != DLVIZ_FLOAT32)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: '%s' holds %s, needs float32", who, name,
                        dlviz_dtype_name(tensor->dtype));
    if (tensor->ndim != 2 || tensor->size == 0)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: '%s' is %s, needs n x d with n, d >= 1", who, name,
                        dlz_shape_text(text, tensor->ndim, tensor->dims));
    return DLVIZ_OK;
}
