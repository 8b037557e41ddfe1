/* Calls of dlviz/network.h that save and open networks. */
#include "calls.h"

static void load(dlviz_network *network) {
    uint64_t before = states_of(network);
    const char *path;
    blob file;
    dlviz_status status;
    switch (below(3)) {
    case 0:
        path = a_path();
        status = CALL(dlviz_network_load(network, path));
        break;
    case 1:
        file = a_blob();
        status = CALL(dlviz_network_load_memory(network, file.bytes, file.size));
        break;
    default: {
        const dlviz_safetensors *contents = a_safetensors();
        status = CALL(dlviz_network_load_tensors(network, contents, a_bool()));
    }
    }
    if (status != DLVIZ_OK)
        require(states_of(network) == before, "what is not loaded changes nothing");
}

void call_network_files(void) {
    dlviz_network *network = a_network();
    const char *path = a_path();
    blob file;
    if (!network && !one_in(8)) {
        make_a_training();
        return;
    }
    switch (below(12)) {
    case 0:
        (void)CALL(dlviz_network_save(network, path));
        break;
    case 1:
    case 2:
        WRITE(dlviz_network_save_memory(network, bytes, size));
        break;
    case 3:
    case 4:
    case 5:
        load(network);
        break;
    case 6:
        if (a_bool()) {
            MAKE(network, dlviz_network_open(out, path));
        } else {
            file = a_blob();
            MAKE(network, dlviz_network_open_memory(out, file.bytes, file.size));
        }
        break;
    case 7:
        (void)CALL(dlviz_network_save_architecture(network, path));
        break;
    case 8:
        WRITE(dlviz_network_save_architecture_memory(network, bytes, size));
        break;
    case 9:
        if (a_bool()) {
            MAKE(network, dlviz_network_open_architecture(out, path));
        } else {
            file = a_blob();
            MAKE(network, dlviz_network_open_architecture_memory(out, file.bytes, file.size));
        }
        break;
    case 10:
        (void)CALL(dlviz_network_export_onnx(network, path));
        break;
    default:
        WRITE(dlviz_network_export_onnx_memory(network, bytes, size));
    }
}
