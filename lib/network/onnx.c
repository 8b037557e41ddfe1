/* A network as an ONNX model. What its layers are there, their own files say (onnx/onnx.h). */
#include "onnx/model.h"
#include "base/base.h"
#include "base/file.h"
#include "network/network.h"
#include "tensor/safetensors.h"

/* What the model says of itself beside the graph: what the data were, as the library's own files say
 * it. */
static dlviz_status describe(const dlviz_network *network, dlz_onnx *model) {
    dlz_onnx_set_property(model, "loss", network->loss->name);
    if (!network->data.known)
        return DLVIZ_OK;
    json_t *data = dlz_data_description_write(&network->data);
    char *text = dlz_json_text(data, JSON_COMPACT);
    if (text)
        dlz_onnx_set_property(model, "data", text);
    json_decref(data);
    if (!text)
        return dlz_fail_memory("the description of the data", 0);
    dlz_free(text);
    return DLVIZ_OK;
}

static dlviz_status write_model(const dlviz_network *network, void **bytes, size_t *size) {
    dlz_onnx *model = NULL;
    DLZ_TRY(dlz_network_check_states(network, true));
    DLZ_TRY(dlz_onnx_create(&model, &network->graph));
    dlviz_status status = describe(network, model);
    if (status == DLVIZ_OK)
        status = dlz_onnx_write(model, bytes, size);
    dlz_onnx_destroy(model);
    return status;
}

dlviz_status dlviz_network_export_onnx_memory(const dlviz_network *network, void **bytes,
                                              size_t *size) {
    DLZ_REQUIRE_OUT(bytes);
    DLZ_REQUIRE(size);
    *size = 0;
    DLZ_READ_STATES(network);
    dlviz_status status = write_model(network, bytes, size);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "cannot export the network");
}

static dlviz_status write_file(const char *path, const void *bytes, size_t size) {
    dlz_file *file;
    DLZ_TRY(dlz_file_create(&file, path));
    dlz_file_write(file, bytes, size);
    return dlz_file_commit(file);
}

dlviz_status dlviz_network_export_onnx(const dlviz_network *network, const char *path) {
    DLZ_REQUIRE(path);
    DLZ_READ_STATES(network);
    void *bytes = NULL;
    size_t size = 0;
    dlviz_status status = write_model(network, &bytes, &size);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status, "cannot export '%s'", path);
    status = write_file(path, bytes, size);
    dlz_free(bytes);
    return status;
}
