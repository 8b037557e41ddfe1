/* A checksum for each tensor, kept in the metadata, so that damage is found and located. */
#include "tensor/safetensors.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* The value is a JSON object: {"<tensor>": "<CRC-32 of its bytes, 8 hexadecimal digits>", …}. */
#define KEY DLZ_SAFETENSORS_CHECKSUMS

enum { TEXT_SIZE = 9 };

static void checksum(const dlz_safetensors_entry *entry, char text[TEXT_SIZE]) {
    snprintf(text, TEXT_SIZE, "%08lx", crc32_z(0, entry->data, entry->bytes));
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

static dlviz_status verify(const dlviz_safetensors *contents, json_t *sums) {
    for (size_t i = 0; i < contents->count; i++) {
        const dlz_safetensors_entry *entry = &contents->entries[i];
        const char *wanted = json_string_value(json_object_get(sums, entry->name));
        char found[TEXT_SIZE];
        checksum(entry, found);
        if (!wanted)
            return dlz_fail(DLVIZ_ERROR_FORMAT,
                            "tensor '%s' is none of those whose checksums the file holds",
                            entry->name);
        if (strcmp(found, wanted) != 0)
            return dlz_fail(DLVIZ_ERROR_FORMAT,
                            "tensor '%s' is damaged: its checksum is %s, and %.8s when it was "
                            "written (metadata '" KEY "')",
                            entry->name, found, wanted);
    }
    const char *name;
    json_t *value;
    json_object_foreach(sums, name, value) if (
        !dlviz_safetensors_has(
            contents, name)) return dlz_fail(DLVIZ_ERROR_FORMAT,
                                             "tensor '%s', whose checksum the file holds, is "
                                             "not there",
                                             name);
    return DLVIZ_OK;
}

dlviz_status dlz_safetensors_verify(const dlviz_safetensors *contents) {
    if (!dlviz_safetensors_metadata(contents, KEY))
        return DLVIZ_OK;
    json_t *sums;
    DLZ_TRY(dlz_safetensors_get_json(contents, KEY, &sums));
    dlviz_status status = verify(contents, sums);
    json_decref(sums);
    return status;
}
