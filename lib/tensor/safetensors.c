#include "tensor/safetensors.h"
#include "base/reading.h"
#include "tensor/tensor.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

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
    assert(*items);
    return memset((char *)*items + (*count)++ * size, 0, size);
}

static bool expect(void **items, size_t *room, size_t count, size_t size) {
    void *bigger = count > *room ? dlz_realloc_array(*items, count, size) : *items;
    if (count > *room && !bigger)
        return false;
    *items = bigger;
    *room = count > *room ? count : *room;
    return true;
}

dlviz_status dlz_safetensors_expect(dlviz_safetensors *contents, size_t count) {
    void *items = contents->entries;
    bool fits = expect(&items, &contents->room, count, sizeof *contents->entries);
    contents->entries = items;
    return fits ? DLVIZ_OK
                : dlz_fail_memory("the list of tensors", count * sizeof *contents->entries);
}

dlviz_status dlz_safetensors_expect_pairs(dlviz_safetensors *contents, size_t count) {
    void *items = contents->pairs;
    bool fits = expect(&items, &contents->pair_room, count, sizeof *contents->pairs) &&
                dlz_names_expect(&contents->keys, count);
    contents->pairs = items;
    return fits ? DLVIZ_OK : dlz_fail_memory("metadata", count * sizeof *contents->pairs);
}

dlz_safetensors_entry *dlz_safetensors_grow(dlviz_safetensors *contents) {
    void *items = contents->entries;
    dlz_safetensors_entry *added = grow(&items, &contents->count, &contents->room, sizeof *added);
    contents->entries = items;
    return added;
}

static dlz_safetensors_pair *grow_pairs(dlviz_safetensors *contents) {
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

static void release_pair(dlz_safetensors_pair *pair) {
    if (pair->own_key)
        dlz_free(pair->key);
    if (pair->own_value)
        dlz_free(pair->value);
}

void dlviz_safetensors_destroy(dlviz_safetensors *contents) {
    if (!contents)
        return;
    for (size_t i = 0; i < contents->count; i++) {
        if (contents->entries[i].own_name)
            dlz_free(contents->entries[i].name);
        dlz_free(contents->entries[i].own);
    }
    for (size_t i = 0; i < contents->pair_count; i++)
        release_pair(&contents->pairs[i]);
    dlz_names_free(contents->names);
    dlz_names_free(contents->keys);
    dlz_arena_release(&contents->arena);
    dlz_free(contents->entries);
    dlz_free(contents->pairs);
    dlz_free(contents->block);
    dlz_free(contents->path);
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
    DLZ_READING_OF(.file = contents ? contents->path : NULL, .kind = "tensor", .part = name);
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
    if (!*name || strcmp(name, DLZ_SAFETENSORS_METADATA) == 0 || !dlz_is_utf8(name))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: name '%s'; UTF-8 is accepted that is not empty and not '%s'", __func__,
                        name, DLZ_SAFETENSORS_METADATA);
    if (dlz_safetensors_find(contents, name))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: there is a tensor '%s' already",
                        __func__, name);
    size_t bytes = (size_t)tensor->size * dlviz_dtype_size(tensor->dtype), block,
           dims = (size_t)tensor->ndim * sizeof *tensor->dims;
    char *copied_name = dlz_strdup(name);
    int64_t *copy = dlz_add_overflows(dims, bytes, &block) ? NULL : dlz_alloc(block);
    dlz_safetensors_entry *entry = copied_name && copy ? dlz_safetensors_grow(contents) : NULL;
    if (entry && !dlz_names_add(&contents->names, copied_name, (int64_t)contents->count - 1)) {
        contents->count--;
        entry = NULL;
    }
    if (!entry) {
        dlz_free(copied_name);
        dlz_free(copy);
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "%s: out of memory: %zu bytes for tensor '%s'",
                        __func__, bytes, name);
    }
    unsigned char *data = memcpy(copy, tensor->dims, dims);
    data += dims;
    dlz_element_encode(tensor->dtype, tensor->data, tensor->size, data);
    *entry = (dlz_safetensors_entry){.name = copied_name,
                                     .element = dlz_element_of_dtype(tensor->dtype),
                                     .ndim = tensor->ndim,
                                     .dims = copy,
                                     .size = tensor->size,
                                     .data = data,
                                     .own = copy,
                                     .own_name = true};
    dlz_safetensors_remove_metadata(contents, DLZ_SAFETENSORS_CHECKSUMS);
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
    int64_t found = contents && key ? dlz_names_find(contents->keys, key) : -1;
    return found >= 0 ? &contents->pairs[found] : NULL;
}

const char *dlviz_safetensors_metadata(const dlviz_safetensors *contents, const char *key) {
    const dlz_safetensors_pair *pair = find_pair(contents, key);
    return pair ? pair->value : NULL;
}

/* After a key has gone: there is room for those that are left. */
static void index_pairs(dlviz_safetensors *contents) {
    dlz_names_clear(contents->keys);
    for (size_t i = 0; i < contents->pair_count; i++)
        dlz_names_add(&contents->keys, contents->pairs[i].key, (int64_t)i);
}

void dlz_safetensors_remove_metadata(dlviz_safetensors *contents, const char *key) {
    dlz_safetensors_pair *pair = find_pair(contents, key);
    if (!pair)
        return;
    release_pair(pair);
    size_t at = (size_t)(pair - contents->pairs);
    contents->pair_count--;
    memmove(pair, pair + 1, (contents->pair_count - at) * sizeof *pair);
    index_pairs(contents);
}

bool dlz_safetensors_add_pair(dlviz_safetensors *contents, const dlz_safetensors_pair *pair) {
    if (!dlz_names_add(&contents->keys, pair->key, (int64_t)contents->pair_count))
        return false;
    dlz_safetensors_pair *added = grow_pairs(contents);
    if (!added) {
        index_pairs(contents);
        return false;
    }
    *added = *pair;
    return true;
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
    char *copied_value = dlz_strdup(value);
    if (copied_value && pair) {
        if (pair->own_value)
            dlz_free(pair->value);
        pair->value = copied_value;
        pair->own_value = true;
        return DLVIZ_OK;
    }
    dlz_safetensors_pair added = {dlz_strdup(key), copied_value, true, true};
    if (added.key && copied_value && dlz_safetensors_add_pair(contents, &added))
        return DLVIZ_OK;
    release_pair(&added);
    return dlz_fail_memory("metadata", strlen(key) + strlen(value));
}
