#include "base/file.h"
#include "tensor/safetensors.h"
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

static const char metadata_key[] = "__metadata__";

const char *dlz_safetensors_dtype(dlz_element element) {
    static const char *const names[DLZ_ELEMENT_COUNT] = {
        [DLZ_ELEMENT_F64] = "F64",   [DLZ_ELEMENT_F32] = "F32",   [DLZ_ELEMENT_F16] = "F16",
        [DLZ_ELEMENT_BF16] = "BF16", [DLZ_ELEMENT_BOOL] = "BOOL", [DLZ_ELEMENT_U8] = "U8",
        [DLZ_ELEMENT_I8] = "I8",     [DLZ_ELEMENT_U16] = "U16",   [DLZ_ELEMENT_I16] = "I16",
        [DLZ_ELEMENT_U32] = "U32",   [DLZ_ELEMENT_I32] = "I32",   [DLZ_ELEMENT_U64] = "U64",
        [DLZ_ELEMENT_I64] = "I64",
    };
    return names[element];
}

/* Makes room for one more item of `size` bytes and clears it. */
static void *grow(void **items, size_t *count, size_t *room, size_t size) {
    if (*count == *room) {
        size_t wider = *room ? 2 * *room : 16;
        void *bigger = dlz_realloc_array(*items, wider, size);
        if (!bigger)
            return NULL;
        *items = bigger;
        *room = wider;
    }
    return memset((char *)*items + (*count)++ * size, 0, size);
}

dlz_safetensors_entry *dlz_safetensors_grow(dlviz_safetensors *contents) {
    void *items = contents->entries;
    dlz_safetensors_entry *added = grow(&items, &contents->count, &contents->room, sizeof *added);
    contents->entries = items;
    return added;
}

dlz_safetensors_pair *dlz_safetensors_grow_pairs(dlviz_safetensors *contents) {
    void *items = contents->pairs;
    dlz_safetensors_pair *added =
        grow(&items, &contents->pair_count, &contents->pair_room, sizeof *added);
    contents->pairs = items;
    return added;
}

dlviz_status dlviz_safetensors_create(dlviz_safetensors **out) {
    DLZ_REQUIRE_OUT(out);
    *out = dlz_alloc_zero(sizeof **out);
    return *out ? DLVIZ_OK : dlz_fail_memory("the contents of a file", sizeof **out);
}

void dlviz_safetensors_destroy(dlviz_safetensors *contents) {
    if (!contents)
        return;
    for (size_t i = 0; i < contents->count; i++) {
        dlz_free(contents->entries[i].name);
        dlz_free(contents->entries[i].own);
    }
    for (size_t i = 0; i < contents->pair_count; i++) {
        dlz_free(contents->pairs[i].key);
        dlz_free(contents->pairs[i].value);
    }
    json_decref(contents->names);
    dlz_free(contents->entries);
    dlz_free(contents->pairs);
    dlz_free(contents->block);
    dlz_free(contents);
}

int64_t dlviz_safetensors_num_tensors(const dlviz_safetensors *contents) {
    return contents ? (int64_t)contents->count : 0;
}

const char *dlviz_safetensors_tensor_name(const dlviz_safetensors *contents, int64_t index) {
    return contents && index >= 0 && (uint64_t)index < contents->count
               ? contents->entries[index].name
               : NULL;
}

const dlz_safetensors_entry *dlz_safetensors_find(const dlviz_safetensors *contents,
                                                  const char *name) {
    int64_t found = contents && name ? dlz_names_find(contents->names, name) : -1;
    return found >= 0 ? &contents->entries[found] : NULL;
}

bool dlviz_safetensors_has(const dlviz_safetensors *contents, const char *name) {
    return dlz_safetensors_find(contents, name) != NULL;
}

dlviz_status dlviz_safetensors_get(const dlviz_safetensors *contents, const char *name,
                                   dlviz_tensor **tensor) {
    DLZ_REQUIRE_OUT(tensor);
    DLZ_REQUIRE(contents);
    DLZ_REQUIRE(name);
    const dlz_safetensors_entry *entry = dlz_safetensors_find(contents, name);
    if (!entry)
        return dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s: no tensor '%s' among %zu", __func__, name,
                        contents->count);
    dlviz_tensor *copy;
    DLZ_TRY(
        dlz_tensor_create_raw(&copy, dlz_element_dtype(entry->element), entry->ndim, entry->dims));
    dlviz_status status =
        dlz_element_decode(entry->element, false, entry->data, entry->size, copy->data);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(copy);
        return dlz_fail_within(status, "tensor '%s'", name);
    }
    *tensor = copy;
    return DLVIZ_OK;
}

dlviz_status dlviz_safetensors_add(dlviz_safetensors *contents, const char *name,
                                   const dlviz_tensor *tensor) {
    DLZ_REQUIRE(contents);
    DLZ_REQUIRE(name);
    DLZ_REQUIRE(tensor);
    if (!*name || strcmp(name, metadata_key) == 0 || !dlz_is_utf8(name))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: name '%s'; UTF-8 is accepted that is not empty and not '%s'", __func__,
                        name, metadata_key);
    if (dlz_safetensors_find(contents, name))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: there is a tensor '%s' already",
                        __func__, name);
    size_t bytes = (size_t)tensor->size * dlviz_dtype_size(tensor->dtype);
    char *copied_name = dlz_strdup(name);
    void *copy = dlz_alloc(bytes);
    dlz_safetensors_entry *entry = copied_name && copy ? dlz_safetensors_grow(contents) : NULL;
    if (entry && !dlz_names_add(&contents->names, name, (int64_t)contents->count - 1)) {
        contents->count--;
        entry = NULL;
    }
    if (!entry) {
        dlz_free(copied_name);
        dlz_free(copy);
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "%s: out of memory: %zu bytes for tensor '%s'",
                        __func__, bytes, name);
    }
    dlz_element_encode(tensor->dtype, tensor->data, tensor->size, copy);
    *entry = (dlz_safetensors_entry){.name = copied_name,
                                     .element = dlz_element_of_dtype(tensor->dtype),
                                     .ndim = tensor->ndim,
                                     .size = tensor->size,
                                     .bytes = bytes,
                                     .data = copy,
                                     .own = copy};
    memcpy(entry->dims, tensor->dims, sizeof entry->dims);
    return DLVIZ_OK;
}

int64_t dlviz_safetensors_num_metadata(const dlviz_safetensors *contents) {
    return contents ? (int64_t)contents->pair_count : 0;
}

const char *dlviz_safetensors_metadata_key(const dlviz_safetensors *contents, int64_t index) {
    bool there = contents && index >= 0 && (uint64_t)index < contents->pair_count;
    return there ? contents->pairs[index].key : NULL;
}

static dlz_safetensors_pair *find_pair(const dlviz_safetensors *contents, const char *key) {
    for (size_t i = 0; contents && key && i < contents->pair_count; i++)
        if (strcmp(contents->pairs[i].key, key) == 0)
            return &contents->pairs[i];
    return NULL;
}

const char *dlviz_safetensors_metadata(const dlviz_safetensors *contents, const char *key) {
    const dlz_safetensors_pair *pair = find_pair(contents, key);
    return pair ? pair->value : NULL;
}

dlviz_status dlviz_safetensors_set_metadata(dlviz_safetensors *contents, const char *key,
                                            const char *value) {
    DLZ_REQUIRE(contents);
    DLZ_REQUIRE(key);
    DLZ_REQUIRE(value);
    if (!dlz_is_utf8(key) || !dlz_is_utf8(value))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' = '%s' is not UTF-8", __func__, key,
                        value);
    dlz_safetensors_pair *pair = find_pair(contents, key);
    char *copied_key = pair ? NULL : dlz_strdup(key), *copied_value = dlz_strdup(value);
    if (copied_value && (pair || copied_key)) {
        if (!pair && (pair = dlz_safetensors_grow_pairs(contents)))
            pair->key = copied_key;
        if (pair) {
            dlz_free(pair->value);
            pair->value = copied_value;
            return DLVIZ_OK;
        }
    }
    dlz_free(copied_key);
    dlz_free(copied_value);
    return dlz_fail_memory("metadata", strlen(key) + strlen(value));
}

/* Text that grows; once it cannot, `failed` stays set and it is left alone. */
typedef struct text_buffer {
    char *text;
    size_t used, room;
    bool failed;
} text_buffer;

static void append(text_buffer *buffer, const char *text, size_t length) {
    if (!buffer->failed && length > buffer->room - buffer->used) {
        size_t wider = 2 * (buffer->used + length) + 256;
        char *bigger = dlz_realloc_array(buffer->text, wider, 1);
        if (bigger) {
            buffer->text = bigger;
            buffer->room = wider;
        }
        buffer->failed = !bigger;
    }
    if (buffer->failed || length == 0)
        return;
    memcpy(buffer->text + buffer->used, text, length);
    buffer->used += length;
}

static void append_text(text_buffer *buffer, const char *text) {
    append(buffer, text, strlen(text));
}

static void append_number(text_buffer *buffer, const char *before, uint64_t number) {
    char text[32];
    int length = snprintf(text, sizeof text, "%s%llu", before, (unsigned long long)number);
    append(buffer, text, (size_t)length);
}

static void append_quoted(text_buffer *buffer, const char *text) {
    append_text(buffer, "\"");
    for (; *text; text++) {
        char escape[8];
        if (*text == '"' || *text == '\\')
            append(buffer, (char[]){'\\', *text}, 2);
        else if ((unsigned char)*text < 0x20)
            append(buffer, escape,
                   (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*text));
        else
            append(buffer, text, 1);
    }
    append_text(buffer, "\"");
}

static void append_entry(text_buffer *buffer, const dlz_safetensors_entry *entry, size_t begin) {
    append_text(buffer, buffer->used > 1 ? "," : "");
    append_quoted(buffer, entry->name);
    append_text(buffer, ":{\"dtype\":");
    append_quoted(buffer, dlz_safetensors_dtype(entry->element));
    append_text(buffer, ",\"shape\":[");
    for (int i = 0; i < entry->ndim; i++)
        append_number(buffer, i ? "," : "", (uint64_t)entry->dims[i]);
    append_number(buffer, "],\"data_offsets\":[", begin);
    append_number(buffer, ",", begin + entry->bytes);
    append_text(buffer, "]}");
}

/* Calls `visit` for the entries in the order of the file: wide elements first, which keeps all
 * aligned. */
#define FOR_EACH_IN_FILE_ORDER(contents, entry)                                                    \
    for (size_t width_ = 8; width_ > 0; width_ /= 2)                                               \
        for (const dlz_safetensors_entry *entry = (contents)->entries,                             \
                                         *end_ = entry + (contents)->count;                        \
             entry < end_; entry++)                                                                \
            if (dlz_element_size(entry->element) == width_)

static void append_header(text_buffer *buffer, const dlviz_safetensors *contents) {
    append_text(buffer, "{");
    for (size_t i = 0; i < contents->pair_count; i++) {
        append_text(buffer, i ? "," : "\"__metadata__\":{");
        append_quoted(buffer, contents->pairs[i].key);
        append_text(buffer, ":");
        append_quoted(buffer, contents->pairs[i].value);
    }
    append_text(buffer, contents->pair_count ? "}" : "");
    size_t begin = 0;
    FOR_EACH_IN_FILE_ORDER(contents, entry) {
        append_entry(buffer, entry, begin);
        begin += entry->bytes;
    }
    append_text(buffer, "}");
    while (buffer->used % 8 != 0 && !buffer->failed)
        append_text(buffer, " ");
}

dlviz_status dlz_safetensors_write_then(const dlviz_safetensors *contents, const char *path,
                                        dlviz_status (*ready)(const char *path)) {
    text_buffer header = {0};
    append_header(&header, contents);
    dlviz_status status = DLVIZ_OK;
    if (header.failed)
        status = dlz_fail_memory("the header", header.used);
    else if (header.used > (size_t)DLZ_SAFETENSORS_MAX_HEADER)
        status = dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                          "dlviz_safetensors_save: the header would have %zu bytes; at most "
                          "%lld are accepted",
                          header.used, (long long)DLZ_SAFETENSORS_MAX_HEADER);
    dlz_file *file = NULL;
    if (status == DLVIZ_OK)
        status = dlz_file_create(&file, path);
    if (status == DLVIZ_OK) {
        unsigned char length[DLZ_SAFETENSORS_LENGTH];
        for (int i = 0; i < DLZ_SAFETENSORS_LENGTH; i++)
            length[i] = (unsigned char)((uint64_t)header.used >> 8 * i);
        /* The writer keeps the first failure; commit reports it. */
        dlz_file_write(file, length, sizeof length);
        dlz_file_write(file, header.text, header.used);
        FOR_EACH_IN_FILE_ORDER(contents, entry)
        dlz_file_write(file, entry->data, entry->bytes);
        if (ready) {
            status = dlz_file_complete(file);
            if (status == DLVIZ_OK)
                status = ready(path);
        }
        if (status == DLVIZ_OK)
            status = dlz_file_commit(file);
        else
            dlz_file_discard(file);
    }
    dlz_free(header.text);
    return status;
}

dlviz_status dlviz_safetensors_save(const dlviz_safetensors *contents, const char *path) {
    DLZ_REQUIRE(contents);
    DLZ_REQUIRE(path);
    return dlz_safetensors_write_then(contents, path, NULL);
}
