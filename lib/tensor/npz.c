/* .npz files: which arrays there are, and reading one. */
#include "tensor/npz.h"
#include "base/cancel.h"
#include "base/file.h"
#include "base/reading.h"
#include "tensor/npy.h"

#include <string.h>
#include <unistd.h>

/* -- Opening -------------------------------------------------------------------------------------
 */

static dlviz_status create(dlviz_npz **out) {
    dlviz_npz *npz = dlz_alloc_zero(sizeof *npz);
    if (!npz)
        return dlz_fail_memory("an archive", sizeof *npz);
    npz->archive.descriptor = -1;
    *out = npz;
    return DLVIZ_OK;
}

void dlviz_npz_destroy(dlviz_npz *npz) {
    DLZ_NOT_CANCELLED;
    if (!npz)
        return;
    for (int64_t i = 0; i < npz->num_entries; i++) {
        dlz_free(npz->entries[i].name);
        dlz_free(npz->entries[i].file);
    }
    dlz_names_free(npz->names);
    dlz_free(npz->entries);
    dlz_free(npz->block);
    dlz_free(npz->path);
    if (npz->archive.descriptor >= 0)
        close(npz->archive.descriptor);
    dlz_free(npz);
}

/* A pipe is read whole, for the directory comes last. */
static dlviz_status open_file(const char *path, dlviz_npz *npz) {
    DLZ_NOT_CANCELLED;
    int64_t size;
    DLZ_TRY(dlz_file_open(path, &npz->archive.descriptor, &size));
    npz->archive.size = (uint64_t)size;
    if (size >= 0)
        return DLVIZ_OK;
    size_t length;
    DLZ_TRY(dlz_pipe_read(path, npz->archive.descriptor, INT64_MAX, &npz->block, &length));
    close(npz->archive.descriptor);
    npz->archive = (dlz_archive){.descriptor = -1, .memory = npz->block, .size = length};
    return DLVIZ_OK;
}

dlviz_status dlviz_npz_open(dlviz_npz **out, const char *path) {
    DLZ_READING(path);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    dlviz_npz *npz = NULL;
    DLZ_TRY(create(&npz));
    npz->path = dlz_strdup(path);
    dlviz_status status =
        npz->path ? open_file(path, npz) : dlz_fail_memory("a file name", strlen(path) + 1);
    if (status == DLVIZ_OK) {
        status = dlz_npz_read_directory(npz);
        if (status != DLVIZ_OK)
            status = dlz_fail_within(status, "cannot read '%s'", path);
    }
    if (status != DLVIZ_OK)
        dlviz_npz_destroy(npz);
    else
        *out = npz;
    return status;
}

dlviz_status dlviz_npz_open_memory(dlviz_npz **out, const void *bytes, size_t size) {
    DLZ_READING(NULL);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(bytes);
    dlviz_npz *npz = NULL;
    DLZ_TRY(create(&npz));
    npz->block = dlz_alloc(size);
    dlviz_status status = npz->block ? DLVIZ_OK : dlz_fail_memory("the bytes of a file", size);
    if (status == DLVIZ_OK) {
        memcpy(npz->block, bytes, size);
        npz->archive.memory = npz->block;
        npz->archive.size = size;
        status = dlz_npz_read_directory(npz);
        if (status != DLVIZ_OK)
            status = dlz_fail_within(status, "%s: cannot read the %zu byte%s", __func__, size,
                                     size == 1 ? "" : "s");
    }
    if (status != DLVIZ_OK)
        dlviz_npz_destroy(npz);
    else
        *out = npz;
    return status;
}

int64_t dlviz_npz_num_arrays(const dlviz_npz *npz) {
    return npz ? npz->num_entries : 0;
}

const char *dlviz_npz_array_name(const dlviz_npz *npz, int64_t index) {
    return npz && index >= 0 && index < npz->num_entries ? npz->entries[index].name : NULL;
}

/* -- Reading -------------------------------------------------------------------------------------
 */

enum { NAMES_SHOWN = 5 };
/* NumPy's headers take some hundred bytes. In an archive, a few bytes may claim to be a large one. */
enum { LARGEST_HEADER = 1 << 20 };

static dlviz_status no_array(const dlviz_npz *npz, const char *who, const char *name) {
    dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s", npz->num_entries > NAMES_SHOWN ? ", …" : "");
    for (int64_t i = dlz_min_i64(npz->num_entries, NAMES_SHOWN); i-- > 0;)
        dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s'%s'%s", i > 0 ? ", " : "", npz->entries[i].name,
                 dlviz_last_error());
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s: there is no array '%s'; the archive has %s", who,
                    name, npz->num_entries ? dlviz_last_error() : "none");
}

/* Unpacks the entry into a block of its own, whose size its first bytes must confirm. */
static dlviz_status unpack(dlz_npz_stream *stream, const dlz_npz_entry *entry, void **block,
                           dlz_npy_header *header) {
    if (entry->unpacked > PTRDIFF_MAX)
        return dlz_fail_memory("an array", entry->unpacked);
    unsigned char start[DLZ_NPY_START];
    size_t size = (size_t)entry->unpacked, done = size < sizeof start ? size : sizeof start, before;
    DLZ_TRY(dlz_npz_stream_read(stream, start, done));
    DLZ_TRY(dlz_npy_header_size(start, size, &before));
    if (before > LARGEST_HEADER)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "its header takes %zu bytes; at most %d are accepted",
                        before, LARGEST_HEADER);
    unsigned char *head = dlz_alloc(before > done ? before : done);
    if (!head)
        return dlz_fail_memory("an array's header", before);
    memcpy(head, start, done);
    dlviz_status status =
        before > done ? dlz_npz_stream_read(stream, head + done, before - done) : DLVIZ_OK;
    done = before > done ? before : done;
    if (status == DLVIZ_OK)
        status = dlz_npy_parse(head, size, header);
    if (status == DLVIZ_OK && !(*block = dlz_alloc(size)))
        status = dlz_fail_memory("an array", size);
    if (status == DLVIZ_OK) {
        memcpy(*block, head, done);
        status = dlz_npz_stream_read(stream, (unsigned char *)*block + done, size - done);
    }
    dlz_free(head);
    return status == DLVIZ_OK ? dlz_npz_stream_finish(stream) : status;
}

typedef enum reading { AS_IT_IS, SHIFTED, TRUTH_AS_FLOAT } reading;

/* An array of bool, which is uint8 as it is, becomes float32. */
static dlviz_status take_truth(const dlz_npy_header *header, void **block, dlviz_tensor **tensor) {
    dlviz_tensor *bytes;
    DLZ_TRY(dlz_npy_take(header, block, &bytes));
    dlviz_status status = dlviz_tensor_convert(bytes, DLVIZ_FLOAT32, tensor);
    dlviz_tensor_destroy(bytes);
    return status;
}

static dlviz_status read_entry(const dlviz_npz *npz, const dlz_npz_entry *entry, reading how,
                               dlviz_tensor **tensor, dlviz_tensor **offsets) {
    dlz_npz_stream *stream;
    DLZ_TRY(dlz_npz_stream_open(&stream, &npz->archive, entry));
    void *block = NULL;
    dlz_npy_header header = {0};
    dlviz_status status = unpack(stream, entry, &block, &header);
    dlz_npz_stream_close(stream);
    if (status == DLVIZ_OK && how == SHIFTED)
        status = dlz_npy_decode_shifted(&header, (unsigned char *)block + header.offset, tensor,
                                        offsets);
    else if (status == DLVIZ_OK && how == TRUTH_AS_FLOAT && header.element == DLZ_ELEMENT_BOOL)
        status = take_truth(&header, &block, tensor);
    else if (status == DLVIZ_OK)
        status = dlz_npy_take(&header, &block, tensor);
    dlz_free(block);
    return status;
}

static dlviz_status read_named(const dlviz_npz *npz, const char *who, const char *name, reading how,
                               dlviz_tensor **tensor, dlviz_tensor **offsets) {
    int64_t index = dlz_names_find(npz->names, name);
    if (index < 0)
        return no_array(npz, who, name);
    dlviz_status status = read_entry(npz, &npz->entries[index], how, tensor, offsets);
    return status == DLVIZ_OK ? status
                              : dlz_fail_within(status, "%s: cannot read array '%s'", who, name);
}

dlviz_status dlviz_npz_read(const dlviz_npz *npz, const char *name, dlviz_tensor **tensor) {
    DLZ_READING_OF(.file = npz ? npz->path : NULL, .kind = "array", .part = name);
    DLZ_REQUIRE_OUT(tensor);
    DLZ_REQUIRE(npz);
    DLZ_REQUIRE(name);
    return read_named(npz, __func__, name, AS_IT_IS, tensor, NULL);
}

dlviz_status dlz_npz_read_samples(const dlviz_npz *npz, const char *name, dlviz_tensor **tensor) {
    DLZ_READING_OF(.file = npz->path, .kind = "array", .part = name);
    return read_named(npz, "dlviz_npz_read", name, TRUTH_AS_FLOAT, tensor, NULL);
}

dlviz_status dlviz_npz_read_shifted(const dlviz_npz *npz, const char *name, dlviz_tensor **tensor,
                                    dlviz_tensor **offsets) {
    DLZ_READING_OF(.file = npz ? npz->path : NULL, .kind = "array", .part = name);
    if (offsets)
        *offsets = NULL;
    DLZ_REQUIRE_OUT(tensor);
    DLZ_REQUIRE(npz);
    DLZ_REQUIRE(name);
    return read_named(npz, __func__, name, SHIFTED, tensor, offsets);
}
