/* Elements of .npy files as tensors, and the files that hold nothing else. */
#include "tensor/npy.h"
#include "base/file.h"
#include "base/reading.h"
#include "tensor/narrow.h"
#include "tensor/tensor.h"

#include <assert.h>
#include <string.h>

/* `from` holds the elements of `to` with the first index running fastest. */
static void from_fortran_order(const char *from, dlviz_tensor *to) {
    size_t element = dlviz_dtype_size(to->dtype), strides[DLVIZ_MAX_DIMS], stride = element;
    int ndim = to->ndim;
    assert(ndim > 0 && ndim <= DLVIZ_MAX_DIMS);
    for (int i = 0; i < ndim; i++) {
        strides[i] = stride;
        stride *= (size_t)to->dims[i];
    }
    int64_t index[DLVIZ_MAX_DIMS] = {0};
    char *target = to->data;
    for (int64_t n = 0; n < to->size; n++, target += element) {
        memcpy(target, from, element);
        for (int axis = ndim - 1; axis >= 0; axis--) {
            from += strides[axis];
            if (++index[axis] < to->dims[axis])
                break;
            from -= strides[axis] * (size_t)to->dims[axis];
            index[axis] = 0;
        }
    }
}

/* The numbers of the file as rows and columns. */
static dlz_wide wide_numbers(const dlz_npy_header *header, const unsigned char *elements) {
    dlz_wide wide =
        dlz_wide_of(header->element, header->ndim, header->dims, header->size, elements);
    wide.big_endian = header->big_endian;
    wide.column_major = header->fortran;
    return wide;
}

/* Puts a tensor that was filled in the file's order into its own. */
static dlviz_status reorder(const dlz_npy_header *header, dlviz_tensor **tensor) {
    if (!header->fortran || (*tensor)->ndim < 2)
        return DLVIZ_OK;
    dlviz_tensor *ordered;
    DLZ_TRY(dlz_tensor_create_raw(&ordered, (*tensor)->dtype, (*tensor)->ndim, (*tensor)->dims));
    from_fortran_order((*tensor)->data, ordered);
    dlviz_tensor_destroy(*tensor);
    *tensor = ordered;
    return DLVIZ_OK;
}

dlviz_status dlz_npy_decode(const dlz_npy_header *header, const unsigned char *elements,
                            dlviz_tensor **out) {
    if (header->element == DLZ_ELEMENT_F64) {
        dlz_wide wide = wide_numbers(header, elements);
        DLZ_TRY(dlz_check_narrow(&wide, "read it with dlviz_tensor_read_npy_shifted, or subtract "
                                        "an offset before writing it"));
    }
    dlviz_tensor *tensor;
    DLZ_TRY(dlz_tensor_create_raw(&tensor, dlz_element_dtype(header->element), header->ndim,
                                  header->dims));
    dlviz_status status = dlz_element_decode(header->element, header->big_endian, elements,
                                             header->size, tensor->data);
    if (status == DLVIZ_OK)
        status = reorder(header, &tensor);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(tensor);
        return status;
    }
    *out = tensor;
    return DLVIZ_OK;
}

/* An array without numbers may claim columns that its file does not have: of those it gets a few. */
enum { MOST_EMPTY_COLUMNS = 1 << 16 };

/* Zeros, in the shape of a row. */
static dlviz_status create_offsets(const dlz_npy_header *header, dlviz_tensor **offsets) {
    int ndim = header->ndim > 0 ? header->ndim - 1 : 0;
    const int64_t *dims = header->dims + 1;
    int64_t columns;
    bool fits = !dlz_product_overflows(ndim, dims, &columns);
    if (header->size == 0 && (!fits || columns > MOST_EMPTY_COLUMNS)) {
        char text[DLZ_SHAPE_TEXT_SIZE];
        dlz_shape_text(text, header->ndim, header->dims);
        return dlz_fail(
            DLVIZ_ERROR_FORMAT,
            "an array of %s has no numbers; it may then have at most %d columns, each of "
            "which gets an offset",
            text, MOST_EMPTY_COLUMNS);
    }
    return dlviz_tensor_create(offsets, DLVIZ_FLOAT32, ndim, dims);
}

/* Fills both in the file's order, then puts them into theirs. */
static dlviz_status decode_shifted(const dlz_npy_header *header, const unsigned char *elements,
                                   dlviz_tensor **tensor, dlviz_tensor **offsets) {
    DLZ_TRY(dlz_tensor_create_raw(tensor, DLVIZ_FLOAT32, header->ndim, header->dims));
    DLZ_TRY(create_offsets(header, offsets));
    dlz_wide wide = wide_numbers(header, elements);
    DLZ_TRY(dlz_narrow_shifted(&wide, (*tensor)->data, (*offsets)->data));
    DLZ_TRY(reorder(header, tensor));
    return reorder(header, offsets);
}

/* Numbers that float32 holds need no offset. */
static dlviz_status decode_exact(const dlz_npy_header *header, const unsigned char *elements,
                                 dlviz_tensor **tensor, dlviz_tensor **offsets) {
    dlviz_tensor *read;
    DLZ_TRY(create_offsets(header, offsets));
    DLZ_TRY(dlz_npy_decode(header, elements, &read));
    if (read->dtype == DLVIZ_FLOAT32) {
        *tensor = read;
        return DLVIZ_OK;
    }
    dlviz_status status = dlviz_tensor_convert(read, DLVIZ_FLOAT32, tensor);
    dlviz_tensor_destroy(read);
    return status;
}

dlviz_status dlz_npy_decode_shifted(const dlz_npy_header *header, const unsigned char *elements,
                                    dlviz_tensor **out, dlviz_tensor **offsets) {
    dlviz_tensor *tensor = NULL, *subtracted = NULL;
    dlviz_status status = (dlz_is_wide(header->element) ? decode_shifted : decode_exact)(
        header, elements, &tensor, &subtracted);
    if (status == DLVIZ_OK)
        *out = tensor;
    else
        dlviz_tensor_destroy(tensor);
    if (status == DLVIZ_OK && offsets)
        *offsets = subtracted;
    else
        dlviz_tensor_destroy(subtracted);
    return status;
}

/* -- Of a block that holds a whole file ----------------------------------------------------------
 */

static void free_file(void *data, void *block) {
    (void)data;
    dlz_free(block);
}

bool dlz_npy_is_a_tensors(const dlz_npy_header *header) {
    bool order = dlz_element_size(header->element) == 1 ||
                 header->big_endian == (DLZ_HOST_IS_BIG_ENDIAN != 0);
    return order && header->element == dlz_element_of_dtype(dlz_element_dtype(header->element)) &&
           !(header->fortran && header->ndim > 1);
}

dlviz_status dlz_npy_take(const dlz_npy_header *header, void **block, dlviz_tensor **out) {
    unsigned char *elements = (unsigned char *)*block + header->offset;
    if (!dlz_npy_is_a_tensors(header) || header->offset % DLZ_ALIGNMENT != 0)
        return dlz_npy_decode(header, elements, out);
    DLZ_TRY(dlviz_tensor_wrap(out, dlz_element_dtype(header->element), header->ndim, header->dims,
                              elements, free_file, *block));
    *block = NULL;
    return DLVIZ_OK;
}

/* -- From files ----------------------------------------------------------------------------------
 */

/* Reads the file into *block, the caller's to free also after failures, and its header. */
static dlviz_status open_file(const char *path, void **block, dlz_npy_header *header) {
    size_t size;
    DLZ_TRY(dlz_file_read(path, INT64_MAX, block, &size));
    dlviz_status status = dlz_npy_parse(*block, size, header);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "cannot read '%s'", path);
}

dlviz_status dlviz_tensor_read_npy(dlviz_tensor **out, const char *path) {
    DLZ_READING(path);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    void *block = NULL;
    dlz_npy_header header = {0};
    dlviz_status status = open_file(path, &block, &header);
    if (status == DLVIZ_OK) {
        status = dlz_npy_take(&header, &block, out);
        if (status != DLVIZ_OK)
            status = dlz_fail_within(status, "cannot read '%s'", path);
    }
    dlz_free(block);
    return status;
}

dlviz_status dlviz_tensor_read_npy_shifted(dlviz_tensor **out, const char *path,
                                           dlviz_tensor **offsets) {
    DLZ_READING(path);
    if (offsets)
        *offsets = NULL;
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    void *block = NULL;
    dlz_npy_header header = {0};
    dlviz_status status = open_file(path, &block, &header);
    if (status == DLVIZ_OK) {
        const unsigned char *elements = (const unsigned char *)block + header.offset;
        status = dlz_npy_decode_shifted(&header, elements, out, offsets);
        if (status != DLVIZ_OK)
            status = dlz_fail_within(status, "cannot read '%s'", path);
    }
    dlz_free(block);
    return status;
}

/* -- From memory ---------------------------------------------------------------------------------
 */

dlviz_status dlviz_tensor_read_npy_memory(dlviz_tensor **out, const void *bytes, size_t size) {
    DLZ_READING(NULL);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(bytes);
    dlz_npy_header header = {0};
    dlviz_status status = dlz_npy_parse(bytes, size, &header);
    if (status == DLVIZ_OK)
        status = dlz_npy_decode(&header, (const unsigned char *)bytes + header.offset, out);
    return status == DLVIZ_OK ? status
                              : dlz_fail_within(status, "%s: cannot read the %zu byte%s", __func__,
                                                size, size == 1 ? "" : "s");
}

dlviz_status dlviz_tensor_read_npy_shifted_memory(dlviz_tensor **out, const void *bytes,
                                                  size_t size, dlviz_tensor **offsets) {
    DLZ_READING(NULL);
    if (offsets)
        *offsets = NULL;
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(bytes);
    dlz_npy_header header = {0};
    dlviz_status status = dlz_npy_parse(bytes, size, &header);
    if (status == DLVIZ_OK)
        status = dlz_npy_decode_shifted(&header, (const unsigned char *)bytes + header.offset, out,
                                        offsets);
    return status == DLVIZ_OK ? status
                              : dlz_fail_within(status, "%s: cannot read the %zu byte%s", __func__,
                                                size, size == 1 ? "" : "s");
}
