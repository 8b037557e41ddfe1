/* Reads and checks the header of a safetensors file: no byte of it is trusted. */
#include "tensor/safetensors.h"
#include "tensor/tensor.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The header of a valid file is nested three deep: object, tensor, list. */
enum { MAX_DEPTH = 16 };

/* The parser descends once a level; this keeps its stack small whatever the file says. */
static dlviz_status check_depth(const char *text, size_t length) {
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            depth++;
        else if (!in_string && (c == '}' || c == ']'))
            depth--;
        if (depth > MAX_DEPTH)
            return dlz_fail(DLVIZ_ERROR_FORMAT, "its header is nested more than %d deep",
                            MAX_DEPTH);
    }
    return DLVIZ_OK;
}

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

static dlviz_status read_shape(const json_t *value, dlz_safetensors_entry *entry) {
    if (!json_is_array(value))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "tensor '%s' has no list 'shape'", entry->name);
    if (json_array_size(value) > DLVIZ_MAX_DIMS)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "tensor '%s' has %zu dimensions; at most %d are accepted", entry->name,
                        json_array_size(value), DLVIZ_MAX_DIMS);
    entry->ndim = (int)json_array_size(value);
    for (int i = 0; i < entry->ndim; i++) {
        const json_t *dim = json_array_get(value, (size_t)i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return dlz_fail(DLVIZ_ERROR_FORMAT,
                            "dimension %d of tensor '%s' is not an integer of 0 or more", i,
                            entry->name);
        entry->dims[i] = json_integer_value(dim);
    }
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (dlz_product_overflows(entry->ndim, entry->dims, &entry->size) ||
        (uint64_t)entry->size > SIZE_MAX / 8)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "tensor '%s' of %s is too large for any file",
                        entry->name, dlz_shape_text(text, entry->ndim, entry->dims));
    entry->bytes = (size_t)entry->size * dlz_element_size(entry->element);
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
    if ((size_t)(end - begin) != entry->bytes)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "tensor '%s' has %lld bytes by its data_offsets; %s of %s needs %zu",
                        entry->name, (long long)(end - begin),
                        dlz_shape_text(text, entry->ndim, entry->dims),
                        dlz_safetensors_dtype(entry->element), entry->bytes);
    entry->begin = (size_t)begin;
    return DLVIZ_OK;
}

static dlviz_status read_tensor(dlviz_safetensors *contents, const char *name, const json_t *info,
                                size_t data_size) {
    dlz_safetensors_entry *entry = dlz_safetensors_grow(contents);
    if (!entry || !(entry->name = dlz_strdup(name)))
        return dlz_fail_memory("the list of tensors", sizeof *entry);
    if (!json_is_object(info))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "the entry of tensor '%s' is not an object", name);
    DLZ_TRY(find_dtype(name, json_object_get(info, "dtype"), &entry->element));
    DLZ_TRY(read_shape(json_object_get(info, "shape"), entry));
    return read_offsets(json_object_get(info, "data_offsets"), data_size, entry);
}

static dlviz_status read_metadata(dlviz_safetensors *contents, json_t *object) {
    if (!json_is_object(object))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'__metadata__' is not an object");
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        const char *text = json_string_value(value);
        if (!text)
            return dlz_fail(DLVIZ_ERROR_FORMAT, "the metadata '%s' is not a string", key);
        dlz_safetensors_pair *pair = dlz_safetensors_grow_pairs(contents);
        if (!pair || !(pair->key = dlz_strdup(key)) || !(pair->value = dlz_strdup(text)))
            return dlz_fail_memory("metadata", strlen(key) + strlen(text));
    }
    return DLVIZ_OK;
}

static int by_offset(const void *a, const void *b) {
    const dlz_safetensors_entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->bytes != y->bytes) /* tensors without elements first: they end where they begin */
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* The tensors must fill the data: each one begins where the one before it ends. */
static dlviz_status check_cover(dlviz_safetensors *contents, const unsigned char *data,
                                size_t data_size) {
    if (contents->count > 0)
        qsort(contents->entries, contents->count, sizeof *contents->entries, by_offset);
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
        end += entry->bytes;
        if (!dlz_names_add(&contents->names, entry->name, (int64_t)i))
            return dlz_fail_memory("the list of tensors", contents->count * sizeof *entry);
    }
    if (end != data_size)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "the tensors end at byte %zu of the data; the file has %zu", end,
                        data_size);
    return DLVIZ_OK;
}

static dlviz_status read_header(dlviz_safetensors *contents, json_t *root, size_t data_size) {
    if (!json_is_object(root))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "its header is not a JSON object");
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
        DLZ_TRY(strcmp(key, "__metadata__") == 0 ? read_metadata(contents, value)
                                                 : read_tensor(contents, key, value, data_size));
    return DLVIZ_OK;
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
    DLZ_TRY(check_depth(text, length));
    json_error_t error;
    bool lacked_memory;
    json_t *root = dlz_json_parse(text, length, 0, &error, &lacked_memory);
    if (lacked_memory)
        return dlz_fail_memory("the header", length);
    if (!root)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "its header is not valid JSON: %s at byte %d",
                        error.text, error.position);
    size_t data_size = rest - length;
    dlviz_status status = read_header(contents, root, data_size);
    json_decref(root);
    if (status != DLVIZ_OK)
        return status;
    return check_cover(contents, bytes + DLZ_SAFETENSORS_LENGTH + length, data_size);
}
