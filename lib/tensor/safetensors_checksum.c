/* A checksum for each tensor, kept in the metadata, so that damage is found and located. */
#include "base/json.h"
#include "tensor/safetensors.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* The value is a JSON object: {"<tensor>": "<CRC-32 of its bytes, 8 hexadecimal digits>", …}. */
#define KEY DLZ_SAFETENSORS_CHECKSUMS

enum { TEXT_SIZE = 9, MOST_VALUES = 1000 /* of what is no checksum */ };

static void checksum(const dlz_safetensors_entry *entry, char text[TEXT_SIZE]) {
    snprintf(text, TEXT_SIZE, "%08lx", crc32_z(0, entry->data, dlz_safetensors_bytes(entry)));
}

dlviz_status dlz_safetensors_add_checksums(dlviz_safetensors *contents) {
    json_t *sums = json_object();
    for (size_t i = 0; i < contents->count; i++) {
        char text[TEXT_SIZE];
        checksum(&contents->entries[i], text);
        if (json_object_set_new(sums, contents->entries[i].name, json_string(text)) != 0) {
            json_decref(sums);
            return dlz_fail_memory("the checksums", contents->count * TEXT_SIZE);
        }
    }
    return dlz_safetensors_set_json(contents, KEY, sums);
}

static dlviz_status verify_one(const dlz_safetensors_entry *entry, const char *wanted) {
    char found[TEXT_SIZE];
    checksum(entry, found);
    if (strcmp(found, wanted) == 0)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_FORMAT,
                    "tensor '%s' is damaged: its checksum is %s, and %.8s when it was "
                    "written (metadata '" KEY "')",
                    entry->name, found, wanted);
}

static dlviz_status not_an_object(dlviz_status status) {
    return status == DLVIZ_ERROR_FORMAT
               ? dlz_fail(status, "its metadata '" KEY "' are not a JSON object")
               : status;
}

/* seen[i]: tensor i has been verified. */
static dlviz_status verify_next(const dlviz_safetensors *contents, dlz_json *sums, bool *seen) {
    int64_t index = dlz_names_find(contents->names, sums->key);
    if (index < 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "tensor '%s', whose checksum the file holds, is not there", sums->key);
    char wanted[TEXT_SIZE] = "";
    size_t length;
    if (!dlz_json_is_text(sums)) {
        json_t *other;
        DLZ_TRY(not_an_object(dlz_json_take(sums, MOST_VALUES, &other)));
        dlz_json_drop(sums, other);
        return DLVIZ_OK;
    }
    DLZ_TRY(not_an_object(dlz_json_measure_text(sums, &length)));
    if (seen[index])
        return not_an_object(DLVIZ_ERROR_FORMAT);
    seen[index] = true;
    DLZ_TRY(not_an_object(dlz_json_take_text(sums, length < TEXT_SIZE ? wanted : NULL)));
    return verify_one(&contents->entries[index], wanted);
}

static dlviz_status verify_each(const dlviz_safetensors *contents, dlz_json *sums, bool *seen) {
    if (!dlz_json_enter(sums))
        return not_an_object(DLVIZ_ERROR_FORMAT);
    for (bool first = true, found;; first = false) {
        DLZ_TRY(not_an_object(dlz_json_next(sums, first, &found)));
        if (!found)
            break;
        DLZ_TRY(verify_next(contents, sums, seen));
    }
    for (size_t i = 0; i < contents->count; i++)
        if (!seen[i])
            return dlz_fail(DLVIZ_ERROR_FORMAT,
                            "tensor '%s' is none of those whose checksums the file holds",
                            contents->entries[i].name);
    return not_an_object(dlz_json_finish(sums));
}

/* Sum by sum: a file may hold millions. */
dlviz_status dlz_safetensors_verify(const dlviz_safetensors *contents) {
    const char *text = dlviz_safetensors_metadata(contents, KEY);
    if (!text)
        return DLVIZ_OK;
    bool *seen = dlz_alloc_array_zero(contents->count, sizeof *seen);
    if (!seen)
        return dlz_fail_memory("the checksums", contents->count);
    dlz_json sums;
    dlz_json_begin(&sums, text, strlen(text), DLZ_JSON_MOST_DEPTH);
    dlviz_status status = verify_each(contents, &sums, seen);
    dlz_json_end(&sums);
    dlz_free(seen);
    return status;
}
