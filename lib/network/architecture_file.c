/* What a network is, in a file of its own: the JSON of its other files (architecture.c), laid out for people
 * who read and edit it. */
#include "base/base.h"
#include "base/file.h"
#include "network/network.h"
#include "tensor/safetensors.h"

#include <string.h>

/* A layer takes some 200 bytes. */
enum { LARGEST_FILE = 16 << 20 };

/* -- Written: a line for each layer --------------------------------------------------------------
 */

/* Real numbers with the digits that bring them back, and no more: 0.1 and not 0.10000000000000001. */
static char *text_of(const json_t *value) {
    enum { FEWEST = 15, ENOUGH = 17 };
    for (size_t digits = FEWEST;; digits++) {
        char *text = dlz_json_text(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
        json_error_t error;
        bool lacked_memory = false;
        json_t *again =
            text ? dlz_json_parse(text, strlen(text), JSON_DECODE_ANY, &error, &lacked_memory)
                 : NULL;
        bool same = again && json_equal(again, value);
        json_decref(again);
        if (!lacked_memory && (!text || same || digits == ENOUGH))
            return text;
        dlz_free(text);
        if (lacked_memory)
            return NULL;
    }
}

static dlviz_status write_value(dlz_file *file, const char *before, const json_t *value) {
    char *text = text_of(value);
    dlviz_status status = text ? dlz_file_printf(file, "%s%s", before, text)
                               : dlz_fail_memory("a network's description", 0);
    dlz_free(text);
    return status;
}

static dlviz_status write_layers(dlz_file *file, const json_t *layers) {
    DLZ_TRY(dlz_file_printf(file, ",\n \"layers\": ["));
    for (size_t i = 0; i < json_array_size(layers); i++)
        DLZ_TRY(write_value(file, i == 0 ? "\n  " : ",\n  ", json_array_get(layers, i)));
    return dlz_file_printf(file, "]");
}

static dlviz_status write_whole(dlz_file *file, const json_t *whole) {
    DLZ_TRY(write_value(file, "{\"version\": ", json_object_get(whole, "version")));
    DLZ_TRY(write_value(file, ",\n \"input\": ", json_object_get(whole, "input")));
    DLZ_TRY(write_layers(file, json_object_get(whole, "layers")));
    DLZ_TRY(write_value(file, ",\n \"loss\": ", json_object_get(whole, "loss")));
    return dlz_file_printf(file, "}\n");
}

/* Ends `file` whatever the outcome. */
static dlviz_status write_network(dlz_file *file, const dlviz_network *network) {
    json_t *whole = dlz_network_describe(network);
    dlviz_status status =
        whole ? write_whole(file, whole) : dlz_fail_memory("a network's description", 0);
    json_decref(whole);
    if (status == DLVIZ_OK)
        return dlz_file_commit(file);
    dlz_file_discard(file);
    return status;
}

dlviz_status dlviz_network_save_architecture(const dlviz_network *network, const char *path) {
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_REQUIRE(path);
    DLZ_HOLD_SHARED(&network->busy, "network");
    dlz_file *file;
    DLZ_TRY(dlz_file_create(&file, path));
    return write_network(file, network);
}

dlviz_status dlviz_network_save_architecture_memory(const dlviz_network *network, void **bytes,
                                                    size_t *size) {
    DLZ_REQUIRE_OUT(bytes);
    DLZ_REQUIRE(size);
    *size = 0;
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_HOLD_SHARED(&network->busy, "network");
    dlz_file *file;
    DLZ_TRY(dlz_file_create_memory(&file, bytes, size));
    return write_network(file, network);
}

/* -- Read ---------------------------------------------------------------------------------------- */

static dlviz_status parse(const void *bytes, size_t size, json_t **whole) {
    json_error_t error;
    bool lacked_memory;
    *whole = dlz_json_parse(bytes, size, 0, &error, &lacked_memory);
    if (lacked_memory)
        return dlz_fail_memory("a network's description", size);
    if (!*whole)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "line %d is not JSON: %s", error.line, error.text);
    if (json_is_object(*whole))
        return DLVIZ_OK;
    json_decref(*whole);
    *whole = NULL;
    return dlz_fail(DLVIZ_ERROR_FORMAT, "it is no JSON object with \"input\" and \"layers\", as "
                                        "dlviz_network_save_architecture writes it");
}

/* All that can be wrong with shapes and names shows before anything is allocated for it. */
static dlviz_status make(dlviz_network **out, const void *bytes, size_t size) {
    json_t *whole;
    DLZ_TRY(parse(bytes, size, &whole));
    dlviz_status status = dlz_network_check_version(whole);
    if (status == DLVIZ_OK && json_array_size(json_object_get(whole, "layers")) == 0)
        status = dlz_fail(DLVIZ_ERROR_FORMAT, "it has no \"layers\"");
    if (status == DLVIZ_OK)
        status = dlz_network_open_description(out, whole);
    json_decref(whole);
    return status;
}

/* Whatever a layer lacks, it is the file that is wrong. */
static dlviz_status open(dlviz_network **out, const void *bytes, size_t size) {
    dlviz_status status = make(out, bytes, size);
    return status == DLVIZ_OK || status == DLVIZ_ERROR_OUT_OF_MEMORY ? status : DLVIZ_ERROR_FORMAT;
}

dlviz_status dlviz_network_open_architecture(dlviz_network **out, const char *path) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    void *bytes;
    size_t size;
    DLZ_TRY(dlz_file_read(path, LARGEST_FILE, &bytes, &size));
    dlviz_status status = open(out, bytes, size);
    dlz_free(bytes);
    return status == DLVIZ_OK ? status
                              : dlz_fail_within(status, "cannot make the network of '%s'", path);
}

dlviz_status dlviz_network_open_architecture_memory(dlviz_network **out, const void *bytes,
                                                    size_t size) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(bytes);
    dlviz_status status = open(out, bytes, size);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "%s", __func__);
}
