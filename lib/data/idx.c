#include "data/idx.h"
#include "data/source.h"
#include "tensor/mapping.h"
#include "tensor/tensor.h"

enum { UNSIGNED_BYTE = 8, MAX_NDIM = 4 };

static const char *type_name(int type) {
    switch (type) {
    case 0x09:
        return "signed bytes";
    case 0x0B:
        return "16-bit integers";
    case 0x0C:
        return "32-bit integers";
    case 0x0D:
        return "float32";
    case 0x0E:
        return "float64";
    default:
        return "an unknown type";
    }
}

static dlviz_status read_header(dlz_source *source, const char *path, const char *what,
                                int min_ndim, int max_ndim, int *ndim, int64_t *dims) {
    unsigned char magic[4], size[4];
    DLZ_TRY(dlz_source_read(source, magic, sizeof magic));
    if (magic[0] != 0 || magic[1] != 0)
        return dlz_fail(
            DLVIZ_ERROR_FORMAT,
            "'%s' does not start as an IDX file does (two zero bytes): it starts with %02x %02x",
            path, magic[0], magic[1]);
    if (magic[2] != UNSIGNED_BYTE)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "'%s' holds %s (type 0x%02x); %s are unsigned bytes (0x08)", path,
                        type_name(magic[2]), magic[2], what);
    if (magic[3] < min_ndim || magic[3] > max_ndim)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' has %d dimension%s; %s have %d%s", path, magic[3],
                        magic[3] == 1 ? "" : "s", what, min_ndim,
                        max_ndim > min_ndim ? " or one more" : "");
    *ndim = magic[3];
    for (int i = 0; i < *ndim; i++) {
        DLZ_TRY(dlz_source_read(source, size, sizeof size));
        dims[i] = (int64_t)size[0] << 24 | size[1] << 16 | size[2] << 8 | size[3];
        if (dims[i] == 0)
            return dlz_fail(DLVIZ_ERROR_FORMAT, "dimension %d of '%s' is 0", i, path);
    }
    return DLVIZ_OK;
}

/* How many bytes there are to be, of which the file has room for `most`. */
static dlviz_status count_bytes(const char *path, int ndim, const int64_t *dims, int64_t most,
                                int64_t *size) {
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (dlz_product_overflows(ndim, dims, size) || *size > most)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "'%s' announces %s bytes, more than it can hold: it is cut "
                        "short, or its header is wrong",
                        path, dlz_shape_text(text, ndim, dims));
    return DLVIZ_OK;
}

static dlviz_status read_array(dlz_source *source, const char *path, const char *what, int min_ndim,
                               int max_ndim, dlviz_tensor **out) {
    int ndim = 0;
    int64_t dims[MAX_NDIM], size;
    DLZ_TRY(read_header(source, path, what, min_ndim, max_ndim, &ndim, dims));
    /* Asked before memory is taken, so that a false header of a small file cannot take much. */
    DLZ_TRY(count_bytes(path, ndim, dims, dlz_source_bound(source), &size));
    dlviz_tensor *array;
    DLZ_TRY(dlz_tensor_create_raw(&array, DLVIZ_UINT8, ndim, dims));
    dlviz_status status = dlz_source_read(source, array->data, (size_t)size);
    if (status == DLVIZ_OK)
        status = dlz_source_finish(source);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(array);
        return status;
    }
    *out = array;
    return DLVIZ_OK;
}

static dlviz_status read_source(dlz_source *source, const char *path, const char *what,
                                int min_ndim, int max_ndim, dlviz_tensor **out) {
    dlviz_status status = read_array(source, path, what, min_ndim, max_ndim, out);
    dlz_source_close(source);
    return status;
}

dlviz_status dlz_idx_read(const char *path, const char *what, int min_ndim, int max_ndim,
                          dlviz_tensor **out) {
    *out = NULL;
    dlz_source *source;
    DLZ_TRY(dlz_source_open(&source, path));
    return read_source(source, path, what, min_ndim, max_ndim, out);
}

dlviz_status dlz_idx_read_regular(const char *path, const char *what, int min_ndim, int max_ndim,
                                  dlviz_tensor **out) {
    *out = NULL;
    dlz_source *source;
    DLZ_TRY(dlz_source_open_regular(&source, path));
    return read_source(source, path, what, min_ndim, max_ndim, out);
}

dlviz_status dlz_idx_read_memory(const void *bytes, size_t size, const char *what, int min_ndim,
                                 int max_ndim, dlviz_tensor **out) {
    *out = NULL;
    dlz_source *source;
    DLZ_TRY(dlz_source_open_memory(&source, what, bytes, size));
    dlviz_status status = read_array(source, what, what, min_ndim, max_ndim, out);
    dlz_source_close(source);
    return status;
}

/* -- Mapped --------------------------------------------------------------------------------------
 */

static dlviz_status map_header(const dlz_mapping *mapping, const char *path, const char *what,
                               int min_ndim, int max_ndim, int *ndim, int64_t *dims) {
    dlz_source *source;
    if (mapping->size > 1 && mapping->address[0] == 0x1F && mapping->address[1] == 0x8B)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "'%s' is compressed with gzip and cannot be mapped: decompress it, or "
                        "dlviz_dataset_read_idx reads it into memory",
                        path);
    size_t most = 4 + 4 * (size_t)MAX_NDIM;
    DLZ_TRY(dlz_source_open_memory(&source, path, mapping->address,
                                   mapping->size < most ? mapping->size : most));
    dlviz_status status = read_header(source, path, what, min_ndim, max_ndim, ndim, dims);
    dlz_source_close(source);
    return status;
}

static dlviz_status map_array(dlz_mapping *mapping, const char *path, const char *what,
                              int min_ndim, int max_ndim, dlviz_tensor **out) {
    int ndim = 0;
    int64_t dims[MAX_NDIM], size;
    DLZ_TRY(map_header(mapping, path, what, min_ndim, max_ndim, &ndim, dims));
    size_t header = 4 + 4 * (size_t)ndim, rest = mapping->size - header;
    DLZ_TRY(count_bytes(path, ndim, dims, (int64_t)rest, &size));
    if (rest > (size_t)size)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' goes on after the last element that it announces",
                        path);
    return dlz_mapping_wrap(out, mapping, DLVIZ_UINT8, ndim, dims, header);
}

dlviz_status dlz_idx_map(const char *path, const char *what, int min_ndim, int max_ndim,
                         dlviz_tensor **out) {
    *out = NULL;
    dlz_mapping *mapping;
    DLZ_TRY(dlz_mapping_open(&mapping, path, "dlviz_dataset_read_idx"));
    dlviz_status status = map_array(mapping, path, what, min_ndim, max_ndim, out);
    if (status != DLVIZ_OK)
        dlz_mapping_close(mapping);
    return status;
}
