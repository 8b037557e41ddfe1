/* What a network is, in a file of its own: the JSON of its other files (architecture.c), laid out for people
 * who read and edit it. */
#include "base/base.h"
#include "base/file.h"
#include "base/json.h"
#include "base/reading.h"
#include "network/network.h"
#include "tensor/safetensors.h"

#include <string.h>

/* A layer takes some 200 bytes. */
enum { LARGEST_FILE = 16 << 20 };

/* -- Written: a line for each layer --------------------------------------------------------------
 */

/* Real numbers with the digits that bring them back, and no more: 0.1 and not 0.10000000000000001. NULL
 * when out of memory. */
static char *text_of(const json_t *value) {
    enum { FEWEST = 15, ENOUGH = 17 };
    for (size_t digits = FEWEST;; digits++) {
        char *text = dlz_json_text(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
        json_t *again = NULL;
        dlz_json_fault fault;
        dlviz_status status =
            text ? dlz_json_read("a network's description", text, strlen(text), &again, &fault)
                 : DLVIZ_ERROR_OUT_OF_MEMORY;
        bool same = again && json_equal(again, value);
        json_decref(again);
        if (status == DLVIZ_OK && (same || digits == ENOUGH))
            return text;
        dlz_free(text);
        if (status != DLVIZ_OK)
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
    dlz_json_fault fault;
    dlviz_status status = dlz_json_read("a network's description", bytes, size, whole, &fault);
    if (status == DLVIZ_ERROR_FORMAT)
        return dlz_fail(status, "line %zu is not JSON: %s", fault.line, fault.reason);
    DLZ_TRY(status);
    if (json_is_object(*whole))
        return DLVIZ_OK;
    json_decref(*whole);
    *whole = NULL;
    return dlz_fail(DLVIZ_ERROR_FORMAT, "it is no JSON object with \"input\" and \"layers\", as "
                                        "dlviz_network_save_architecture writes it");
}

/* As dlviz_network_build works, but that its parameters are only counted. */
static dlviz_status build_in_thought(dlviz_network *probe) {
    DLZ_TRY(dlz_network_lay_out(probe));
    uint64_t bytes = dlz_network_state_bytes(probe);
    if (!dlz_reading_charge(bytes))
        return dlz_fail_memory("the parameters", bytes);
    dlviz_status status = dlz_network_summarize(probe);
    dlz_reading_discharge(bytes);
    return status;
}

/* What dlviz_network_build will take counts against the limit for files: a few bytes can ask for as
 * much as there is, for parameters, and for the plan of how to train a network whose layers read
 * many others. So a second network of the same kind goes that way here, beside the one that is
 * given out, which in the end takes as much; what was read is gone by then. A network that cannot
 * be laid out is for dlviz_network_build to say. */
static dlviz_status charge_build(dlviz_network *probe) {
    dlz_failure kept;
    dlz_failure_keep(&kept);
    dlviz_status status = build_in_thought(probe);
    if (status == DLVIZ_OK || status == DLVIZ_ERROR_OUT_OF_MEMORY)
        return status;
    dlz_failure_put_back(&kept);
    return DLVIZ_OK;
}

/* All that can be wrong with shapes and names shows before anything is allocated for it. */
static dlviz_status make(dlviz_network **out, const void *bytes, size_t size) {
    json_t *whole;
    dlviz_network *network = NULL, *probe = NULL;
    DLZ_TRY(parse(bytes, size, &whole));
    dlviz_status status = dlz_network_check_description(whole);
    if (status == DLVIZ_OK && json_array_size(json_object_get(whole, "layers")) == 0)
        status = dlz_fail(DLVIZ_ERROR_FORMAT, "it has no \"layers\"");
    if (status == DLVIZ_OK)
        status = dlz_network_open_description(&network, whole);
    if (status == DLVIZ_OK && dlz_reading_now())
        status = dlz_network_open_description(&probe, whole);
    json_decref(whole);
    if (status == DLVIZ_OK && probe)
        status = charge_build(probe);
    dlviz_network_destroy(probe);
    if (status == DLVIZ_OK)
        *out = network;
    else
        dlviz_network_destroy(network);
    return status;
}

/* Whatever a layer lacks, it is the file that is wrong. */
static dlviz_status open(dlviz_network **out, const void *bytes, size_t size) {
    dlviz_status status = make(out, bytes, size);
    return status == DLVIZ_OK || status == DLVIZ_ERROR_OUT_OF_MEMORY ? status : DLVIZ_ERROR_FORMAT;
}

dlviz_status dlviz_network_open_architecture(dlviz_network **out, const char *path) {
    DLZ_READING(path);
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
    DLZ_READING(NULL);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(bytes);
    dlviz_status status = open(out, bytes, size);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "%s", __func__);
}
