/* Reads and checks the header of a safetensors file: no byte of it is trusted. */
#include "base/json.h"
#include "base/reading.h"
#include "tensor/safetensors.h"
#include "base/cancel.h"
#include "tensor/tensor.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    SMALLEST_MEMBER = 48, /* "":{"dtype":"U8","shape":[],"data_offsets":[0,0]} */
    MOST_DEPTH = 16,      /* that of a valid file is three: object, tensor, list */
    MOST_VALUES = 4096    /* of a tensor's entry; seven to fifteen are needed */
};

static dlviz_status find_dtype(const char *name, const json_t *value, dlz_element *element) {
    const char *text = json_string_value(value);
    if (!text)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "tensor '%s' has no string 'dtype'", name);
    for (int i = 0; i < DLZ_ELEMENT_COUNT; i++)
        if (strcmp(text, dlz_safetensors_dtype(i)) == 0) {
            *element = i;
            return DLVIZ_OK;
        }
    return dlz_fail(
        DLVIZ_ERROR_UNSUPPORTED,
        "tensor '%s' has dtype '%s'; F64, F32, F16, BF16, BOOL and I8 to I64, U8 to U64 "
        "are accepted",
        name, text);
}

static dlviz_status read_shape(const json_t *value, dlviz_safetensors *contents,
                               dlz_safetensors_entry *entry) {
    if (!json_is_array(value))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "tensor '%s' has no list 'shape'", entry->name);
    if (json_array_size(value) > DLVIZ_MAX_DIMS)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "tensor '%s' has %zu dimensions; at most %d are accepted", entry->name,
                        json_array_size(value), DLVIZ_MAX_DIMS);
    entry->ndim = (int)json_array_size(value);
    int64_t *dims = dlz_arena_alloc(&contents->arena, (size_t)entry->ndim * sizeof *dims);
    if (!dims)
        return dlz_fail_memory("the list of tensors", (uint64_t)entry->ndim * sizeof *dims);
    entry->dims = dims;
    for (int i = 0; i < entry->ndim; i++) {
        const json_t *dim = json_array_get(value, (size_t)i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return dlz_fail(DLVIZ_ERROR_FORMAT,
                            "dimension %d of tensor '%s' is not an integer of 0 or more", i,
                            entry->name);
        dims[i] = json_integer_value(dim);
    }
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (dlz_product_overflows(entry->ndim, entry->dims, &entry->size) ||
        (uint64_t)entry->size > SIZE_MAX / 8)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "tensor '%s' of %s is too large for any file",
                        entry->name, dlz_shape_text(text, entry->ndim, entry->dims));
    return DLVIZ_OK;
}

static dlviz_status read_offsets(const json_t *value, size_t data_size,
                                 dlz_safetensors_entry *entry) {
    const json_t *first = json_array_get(value, 0), *second = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_integer(first) || !json_is_integer(second))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "tensor '%s' has no 'data_offsets' of two integers",
                        entry->name);
    json_int_t begin = json_integer_value(first), end = json_integer_value(second);
    if (begin < 0 || end < begin || (uint64_t)end > data_size)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "tensor '%s' has data_offsets [%lld, %lld]; the file has %zu bytes of data",
                        entry->name, (long long)begin, (long long)end, data_size);
    char text[DLZ_SHAPE_TEXT_SIZE];
    size_t bytes = dlz_safetensors_bytes(entry);
    if ((size_t)(end - begin) != bytes)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "tensor '%s' has %lld bytes by its data_offsets; %s of %s needs %zu",
                        entry->name, (long long)(end - begin),
                        dlz_shape_text(text, entry->ndim, entry->dims),
                        dlz_safetensors_dtype(entry->element), bytes);
    entry->begin = (size_t)begin;
    return DLVIZ_OK;
}

static dlviz_status fill_tensor(dlviz_safetensors *contents, const json_t *info, size_t data_size,
                                dlz_safetensors_entry *entry) {
    if (!json_is_object(info))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "the entry of tensor '%s' is not an object",
                        entry->name);
    DLZ_TRY(find_dtype(entry->name, json_object_get(info, "dtype"), &entry->element));
    DLZ_TRY(read_shape(json_object_get(info, "shape"), contents, entry));
    return read_offsets(json_object_get(info, "data_offsets"), data_size, entry);
}

static dlviz_status invalid(const dlz_json *header) {
    dlz_json_fault fault = dlz_json_fault_of(header);
    return dlz_fail(DLVIZ_ERROR_FORMAT, "its header is not valid JSON: %s at byte %zu",
                    fault.reason, fault.byte);
}

/* A failure of the reader's as the sentence that it becomes. */
static dlviz_status tell(const dlz_json *header, dlviz_status status) {
    return status == DLVIZ_ERROR_FORMAT ? invalid(header) : status;
}

static dlviz_status read_tensor(dlviz_safetensors *contents, dlz_json *header, size_t data_size) {
    dlz_safetensors_entry *entry = dlz_safetensors_grow(contents);
    if (!entry ||
        !(entry->name = dlz_arena_text(&contents->arena, header->key, header->key_length)))
        return dlz_fail_memory("the list of tensors", sizeof *entry);
    json_t *info;
    DLZ_TRY(tell(header, dlz_json_take(header, MOST_VALUES, &info)));
    dlviz_status status = fill_tensor(contents, info, data_size, entry);
    dlz_json_drop(header, info);
    return status;
}

/* Into the arena, as it stands in the header. */
static dlviz_status take_text(dlviz_safetensors *contents, dlz_json *header, char **text) {
    size_t length;
    DLZ_TRY(dlz_json_measure_text(header, &length));
    *text = dlz_arena_room(&contents->arena, length);
    return *text ? dlz_json_take_text(header, *text) : dlz_fail_memory("metadata", length);
}

static dlviz_status read_pair(dlviz_safetensors *contents, dlz_json *header) {
    dlz_safetensors_pair pair = {0};
    if (dlviz_safetensors_metadata(contents, header->key))
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "its header is not valid JSON: a duplicate of the metadata '%s'",
                        header->key);
    pair.key = dlz_arena_text(&contents->arena, header->key, header->key_length);
    if (!pair.key)
        return dlz_fail_memory("metadata", header->key_length);
    DLZ_TRY(tell(header, take_text(contents, header, &pair.value)));
    return dlz_safetensors_add_pair(contents, &pair) ? DLVIZ_OK : dlz_fail_memory("metadata", 0);
}

static dlviz_status pass_pair(dlz_json *header) {
    if (!dlz_json_is_text(header))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "the metadata '%s' is not a string", header->key);
    return tell(header, dlz_json_take_text(header, NULL));
}

/* Goes through the metadata, so that their list can be made at once. The copy has a key of its own. */
static dlviz_status count_pairs(dlz_json header, size_t *count) {
    dlviz_status status;
    bool found;
    header.key = NULL;
    header.key_room = 0;
    *count = 0;
    do {
        status = tell(&header, dlz_json_next(&header, *count == 0, &found));
        if (status == DLVIZ_OK && found)
            status = pass_pair(&header);
        *count += found;
    } while (status == DLVIZ_OK && found);
    dlz_json_end(&header);
    return status;
}

static dlviz_status read_metadata(dlviz_safetensors *contents, dlz_json *header) {
    size_t count;
    if (!dlz_json_enter(header))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'" DLZ_SAFETENSORS_METADATA "' is not an object");
    DLZ_TRY(count_pairs(*header, &count));
    DLZ_TRY(dlz_safetensors_expect_pairs(contents, count));
    for (bool first = true, found;; first = false) {
        DLZ_TRY(tell(header, dlz_json_next(header, first, &found)));
        if (!found)
            return DLVIZ_OK;
        DLZ_TRY(read_pair(contents, header));
    }
}

static int by_offset(const void *a, const void *b) {
    const dlz_safetensors_entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    size_t bytes_x = dlz_safetensors_bytes(x), bytes_y = dlz_safetensors_bytes(y);
    if (bytes_x != bytes_y) /* tensors without elements first: they end where they begin */
        return bytes_x < bytes_y ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Programs write them in order. The C library's sort takes memory for a pointer to each, twice. */
static dlviz_status sort_entries(dlviz_safetensors *contents) {
    size_t i = 1, bytes = 2 * contents->count * sizeof(void *);
    while (i < contents->count && by_offset(&contents->entries[i - 1], &contents->entries[i]) < 0)
        i++;
    if (i >= contents->count)
        return DLVIZ_OK;
    if (!dlz_reading_charge(bytes))
        return dlz_fail_memory("the order of tensors", bytes);
    qsort(contents->entries, contents->count, sizeof *contents->entries, by_offset);
    dlz_reading_discharge(bytes);
    return DLVIZ_OK;
}

/* The tensors must fill the data: each one begins where the one before it ends. */
static dlviz_status check_cover(dlviz_safetensors *contents, const unsigned char *data,
                                size_t data_size) {
    DLZ_TRY(sort_entries(contents));
    size_t end = 0;
    for (size_t i = 0; i < contents->count; i++) {
        dlz_safetensors_entry *entry = &contents->entries[i];
        if (entry->begin != end)
            return dlz_fail(
                DLVIZ_ERROR_FORMAT,
                "tensor '%s' begins at byte %zu of the data, and what precedes it ends at "
                "%zu: there is %s",
                entry->name, entry->begin, end, entry->begin > end ? "a gap" : "an overlap");
        entry->data = data + entry->begin;
        end += dlz_safetensors_bytes(entry);
    }
    if (end != data_size)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "the tensors end at byte %zu of the data; the file has %zu", end,
                        data_size);
    return DLVIZ_OK;
}

static dlviz_status index_names(dlviz_safetensors *contents) {
    bool room = dlz_names_expect(&contents->names, contents->count);
    for (size_t i = 0; room && i < contents->count; i++) {
        const char *name = contents->entries[i].name;
        if (dlz_names_find(contents->names, name) >= 0)
            return dlz_fail(DLVIZ_ERROR_FORMAT,
                            "its header is not valid JSON: a duplicate of tensor '%s'", name);
        room = dlz_names_add(&contents->names, name, (int64_t)i);
    }
    return room ? DLVIZ_OK
                : dlz_fail_memory("the names of tensors", contents->count * sizeof(char *));
}

/* How many tensors there may be at most, so that their list is made once. */
static size_t count_members(const char *text, size_t length) {
    size_t count = 0;
    for (const char *end = text + length; (text = memchr(text, '{', (size_t)(end - text))); text++)
        count++;
    return count < length / SMALLEST_MEMBER ? count : length / SMALLEST_MEMBER;
}

static dlviz_status read_members(dlviz_safetensors *contents, dlz_json *header, size_t data_size) {
    if (!dlz_json_enter(header))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "its header is not a JSON object");
    bool metadata = false;
    for (bool first = true, found;; first = false) {
        DLZ_TRY(tell(header, dlz_json_next(header, first, &found)));
        if (!found)
            return tell(header, dlz_json_finish(header));
        bool is_metadata = strcmp(header->key, DLZ_SAFETENSORS_METADATA) == 0;
        if (is_metadata && metadata)
            return dlz_fail(
                DLVIZ_ERROR_FORMAT,
                "its header is not valid JSON: a duplicate of '" DLZ_SAFETENSORS_METADATA "'");
        metadata = metadata || is_metadata;
        DLZ_TRY(is_metadata ? read_metadata(contents, header)
                            : read_tensor(contents, header, data_size));
    }
}

static dlviz_status read_header(dlviz_safetensors *contents, const char *text, size_t length,
                                size_t data_size) {
    dlz_json header;
    DLZ_TRY(dlz_safetensors_expect(contents, count_members(text, length)));
    dlz_json_begin(&header, text, length, MOST_DEPTH);
    dlviz_status status = read_members(contents, &header, data_size);
    dlz_json_end(&header);
    return status;
}

/* -- What else a file may be ---------------------------------------------------------------------
 */

static bool is_page(const unsigned char *bytes, size_t size) {
    size_t at = 0;
    while (at < size && bytes[at] && strchr(" \t\r\n", bytes[at]))
        at++;
    static const char *const starts[] = {"<!doctype", "<html", "<?xml"};
    for (size_t s = 0; s < sizeof starts / sizeof *starts; s++)
        if (size - at >= strlen(starts[s]) &&
            strncasecmp((const char *)bytes + at, starts[s], strlen(starts[s])) == 0)
            return true;
    return false;
}

/* What a file that cannot be read is by its first bytes; NULL where they do not tell. */
static const char *looks_like(const unsigned char *bytes, size_t size) {
    static const struct {
        const char *start;
        const char *kind;
    } kinds[] = {
        {"PK\3\4", "a zip archive, as torch.save and numpy.savez write them"},
        {"\x80\2\x8a", "a Python pickle, as torch.save wrote it before PyTorch 1.6"},
        {"\x80\4\x95", "a Python pickle"},
        {"\x93NUMPY", "a NumPy file, which dlviz_tensor_read_npy reads"},
        {"\x89HDF", "an HDF5 file, as Keras writes it"},
        {"\x1f\x8b\x08", "a gzip-compressed file"},
        {"version https://git-lfs",
         "a Git LFS pointer, in place of which 'git lfs pull' puts the file"},
        {"{\"", "JSON text"},
        {"{\n", "JSON text"},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        size_t length = strlen(kinds[k].start);
        if (size >= length && memcmp(bytes, kinds[k].start, length) == 0)
            return kinds[k].kind;
    }
    return is_page(bytes, size) ? "a web page, as a failed download leaves it" : NULL;
}

static dlviz_status fail_other(const char *kind) {
    return dlz_fail(DLVIZ_ERROR_FORMAT,
                    "it looks like %s; a .safetensors file is needed, as dlviz_network_save and "
                    "Python's safetensors.torch.save_file write it",
                    kind);
}

dlviz_status dlz_safetensors_parse(dlviz_safetensors *contents, const unsigned char *bytes,
                                   size_t size) {
    DLZ_NOT_CANCELLED;
    if (size < DLZ_SAFETENSORS_LENGTH)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "it has %zu bytes; the header's length alone takes %d",
                        size, DLZ_SAFETENSORS_LENGTH);
    uint64_t announced = 0;
    for (int i = DLZ_SAFETENSORS_LENGTH; i-- > 0;)
        announced = announced << 8 | bytes[i];
    size_t rest = size - DLZ_SAFETENSORS_LENGTH;
    bool possible = announced >= 2 && announced <= rest && bytes[DLZ_SAFETENSORS_LENGTH] == '{';
    const char *kind = possible ? NULL : looks_like(bytes, size);
    if (kind)
        return fail_other(kind);
    if (announced < 2 || announced > (uint64_t)DLZ_SAFETENSORS_MAX_HEADER || announced > rest)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "it is damaged, or not a .safetensors file: its first 8 bytes say that a "
                        "header of %llu bytes follows, and %zu do (2 to %lld are accepted)",
                        (unsigned long long)announced, rest, (long long)DLZ_SAFETENSORS_MAX_HEADER);
    size_t length = (size_t)announced;
    const char *text = (const char *)bytes + DLZ_SAFETENSORS_LENGTH;
    if (*text != '{')
        return dlz_fail(DLVIZ_ERROR_FORMAT, "its header does not begin with '{'");
    size_t data_size = rest - length;
    DLZ_TRY(read_header(contents, text, length, data_size));
    DLZ_TRY(check_cover(contents, bytes + DLZ_SAFETENSORS_LENGTH + length, data_size));
    return index_names(contents);
}
