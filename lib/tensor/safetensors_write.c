/* Writes the contents of a safetensors file, to a file or to memory. */
#include "base/file.h"
#include "tensor/safetensors.h"

#include <stdio.h>
#include <string.h>

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
    append_number(buffer, ",", begin + dlz_safetensors_bytes(entry));
    append_text(buffer, "]}");
}

/* Calls `visit` for the entries in the order of the file: wide elements first, which keeps all
 * aligned. */
#define FOR_EACH_IN_FILE_ORDER(contents, entry)                                                    \
    for (size_t width_ = 8; width_ > 0; width_ /= 2)                                               \
        for (const dlz_safetensors_entry *entry = (contents)->entries,                             \
                                         *end_ = entry ? entry + (contents)->count : NULL;         \
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
        begin += dlz_safetensors_bytes(entry);
    }
    append_text(buffer, "}");
    while (buffer->used % 8 != 0 && !buffer->failed)
        append_text(buffer, " ");
}

static dlviz_status make_header(const dlviz_safetensors *contents, text_buffer *header) {
    append_header(header, contents);
    if (header->failed)
        return dlz_fail_memory("the header", header->used);
    if (header->used > (size_t)DLZ_SAFETENSORS_MAX_HEADER)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "dlviz_safetensors_save: the header would have %zu bytes; at most "
                        "%lld are accepted",
                        header->used, (long long)DLZ_SAFETENSORS_MAX_HEADER);
    return DLVIZ_OK;
}

/* The writer keeps the first failure; commit reports it. */
static void write_all(const dlviz_safetensors *contents, const text_buffer *header,
                      dlz_file *file) {
    unsigned char length[DLZ_SAFETENSORS_LENGTH];
    size_t total = sizeof length + header->used;
    for (int i = 0; i < DLZ_SAFETENSORS_LENGTH; i++)
        length[i] = (unsigned char)((uint64_t)header->used >> 8 * i);
    for (size_t i = 0; i < contents->count; i++)
        total += dlz_safetensors_bytes(&contents->entries[i]);
    dlz_file_expect(file, total);
    dlz_file_write(file, length, sizeof length);
    dlz_file_write(file, header->text, header->used);
    FOR_EACH_IN_FILE_ORDER(contents, entry)
    dlz_file_write(file, entry->data, dlz_safetensors_bytes(entry));
}

dlviz_status dlz_safetensors_prepare(const dlviz_safetensors *contents, const char *path,
                                     dlz_file **out) {
    text_buffer header = {0};
    dlz_file *file = NULL;
    dlviz_status status = make_header(contents, &header);
    if (status == DLVIZ_OK)
        status = dlz_file_create(&file, path);
    if (status == DLVIZ_OK) {
        write_all(contents, &header, file);
        status = dlz_file_complete(file);
        if (status != DLVIZ_OK)
            dlz_file_discard(file);
    }
    *out = status == DLVIZ_OK ? file : NULL;
    dlz_free(header.text);
    return status;
}

dlviz_status dlviz_safetensors_save(const dlviz_safetensors *contents, const char *path) {
    DLZ_REQUIRE(contents);
    DLZ_REQUIRE(path);
    dlz_file *file;
    DLZ_TRY(dlz_safetensors_prepare(contents, path, &file));
    return dlz_file_commit(file);
}

dlviz_status dlviz_safetensors_save_memory(const dlviz_safetensors *contents, void **bytes,
                                           size_t *size) {
    DLZ_REQUIRE_OUT(bytes);
    DLZ_REQUIRE(size);
    *size = 0;
    DLZ_REQUIRE(contents);
    text_buffer header = {0};
    dlz_file *file = NULL;
    dlviz_status status = make_header(contents, &header);
    if (status == DLVIZ_OK)
        status = dlz_file_create_memory(&file, bytes, size);
    if (status == DLVIZ_OK) {
        write_all(contents, &header, file);
        status = dlz_file_commit(file);
    }
    dlz_free(header.text);
    return status;
}
