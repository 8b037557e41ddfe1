/* Networks saved to files, and files loaded into networks. */
#include "base/base.h"
#include "base/reading.h"
#include "network/network.h"
#include "tensor/safetensors.h"

#include <string.h>

/* All that a network's file holds. */
static dlviz_status make_contents(const dlviz_network *network, dlviz_safetensors **out) {
    *out = NULL;
    DLZ_TRY(dlz_network_check_states(network, true));
    dlviz_safetensors *set;
    DLZ_TRY(dlviz_safetensors_create(&set));
    dlviz_status status = dlz_network_add_states(network, set);
    if (status == DLVIZ_OK)
        status = dlviz_safetensors_set_metadata(set, "format", "pt");
    if (status == DLVIZ_OK)
        status = dlz_network_add_architecture(network, set);
    if (status == DLVIZ_OK)
        status = dlz_safetensors_add_checksums(set);
    if (status == DLVIZ_OK)
        *out = set;
    else
        dlviz_safetensors_destroy(set);
    return status;
}

dlviz_status dlviz_network_save(const dlviz_network *network, const char *path) {
    DLZ_REQUIRE(path);
    DLZ_READ_STATES(network);
    dlviz_safetensors *set;
    dlviz_status status = make_contents(network, &set);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status, "cannot save '%s'", path);
    status = dlviz_safetensors_save(set, path);
    dlviz_safetensors_destroy(set);
    return status;
}

dlviz_status dlviz_network_save_memory(const dlviz_network *network, void **bytes, size_t *size) {
    DLZ_REQUIRE_OUT(bytes);
    DLZ_REQUIRE(size);
    *size = 0;
    DLZ_READ_STATES(network);
    dlviz_safetensors *set;
    dlviz_status status = make_contents(network, &set);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status, "%s", __func__);
    status = dlviz_safetensors_save_memory(set, bytes, size);
    dlviz_safetensors_destroy(set);
    return status;
}

/* The library's other files are named as what they are, not by the first tensor that surprises. */
dlviz_status dlz_network_check_file_kind(const dlviz_safetensors *set) {
    static const struct {
        const char *start, *kind, *reader;
    } others[] = {{"dlviz checkpoint", "a checkpoint of training", "dlviz_trainer_load_checkpoint"},
                  {"dlviz-pca", "a saved PCA", "dlviz_pca_open"},
                  {"dlviz-tsne", "a saved t-SNE", "dlviz_tsne_open"},
                  {"dlviz-film", "a saved film", "dlviz_film_open"}};
    const char *format = dlviz_safetensors_metadata(set, "format");
    for (size_t i = 0; format && i < sizeof others / sizeof *others; i++)
        if (strncmp(format, others[i].start, strlen(others[i].start)) == 0)
            return dlz_fail(DLVIZ_ERROR_FORMAT, "it is %s; %s reads it", others[i].kind,
                            others[i].reader);
    return DLVIZ_OK;
}

dlviz_status dlz_network_load_set(dlviz_network *network, const dlviz_safetensors *set) {
    DLZ_TRY(dlz_network_check_file_kind(set));
    DLZ_TRY(dlz_network_compare_architecture(network, set, false));
    for (int64_t i = 0; i < dlviz_safetensors_num_tensors(set); i++)
        if (!dlz_network_state(network, dlviz_safetensors_tensor_name(set, i)))
            return dlz_fail(DLVIZ_ERROR_FORMAT,
                            "'%s' is not part of this network; for parts of a "
                            "file, and for other names, there are dlviz_network_load_tensors and "
                            "dlviz_safetensors_rename",
                            dlviz_safetensors_tensor_name(set, i));
    dlviz_tensor **tensors;
    dlz_data_description data;
    DLZ_TRY(dlz_network_read_states(network, set, &tensors));
    dlviz_status status = dlz_network_read_data_description(network, set, &data);
    if (status == DLVIZ_OK) {
        dlz_network_take_states(network, tensors);
        dlz_network_take_data_description(network, &data);
    }
    dlz_network_drop_states(network, tensors);
    return status;
}

/* Whatever a tensor lacks, it is the file that is wrong. */
static dlviz_status load(dlviz_network *network, const dlviz_safetensors *set) {
    dlviz_status status = dlz_network_load_set(network, set);
    return status == DLVIZ_OK || status == DLVIZ_ERROR_OUT_OF_MEMORY ? status : DLVIZ_ERROR_FORMAT;
}

dlviz_status dlviz_network_load(dlviz_network *network, const char *path) {
    DLZ_READING(path);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_REQUIRE(path);
    DLZ_USE_NETWORK(__func__, network);
    dlviz_safetensors *set;
    DLZ_TRY(dlviz_safetensors_open(&set, path));
    dlviz_status status = load(network, set);
    dlviz_safetensors_destroy(set);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "cannot load '%s'", path);
}

dlviz_status dlviz_network_load_memory(dlviz_network *network, const void *bytes, size_t size) {
    DLZ_READING(NULL);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_USE_NETWORK(__func__, network);
    dlviz_safetensors *set;
    DLZ_TRY(dlz_safetensors_view(&set, __func__, bytes, size));
    dlviz_status status = load(network, set);
    dlviz_safetensors_destroy(set);
    return status == DLVIZ_OK ? status : dlz_fail_within(status, "%s", __func__);
}
