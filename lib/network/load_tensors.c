/* States taken from tensors at hand: all of them, or those that there are. */
#include "base/reading.h"
#include "data/dataset.h"
#include "network/network.h"
#include "tensor/safetensors.h"

/* What a load would do, all of it allocated. */
typedef struct partial {
    dlviz_tensor **tensors; /* one a state; NULL: it stays as it is */
    const char **missing, **unused;
    int64_t num_missing, num_unused;
    char **missing_copy, **unused_copy;
} partial;

static void drop(const dlviz_network *network, partial *p) {
    dlz_network_drop_states(network, p->tensors);
    dlz_free(p->missing);
    dlz_free(p->unused);
    dlz_free(p->missing_copy);
    dlz_free(p->unused_copy);
}

static dlviz_status list_unused(const dlviz_network *network, const dlviz_safetensors *set,
                                partial *p) {
    int64_t count = dlviz_safetensors_num_tensors(set);
    p->unused = dlz_alloc_array((uint64_t)count, sizeof *p->unused);
    if (!p->unused)
        return dlz_fail_memory("the names of tensors", (uint64_t)count * sizeof *p->unused);
    for (int64_t i = 0; i < count; i++) {
        const char *name = dlviz_safetensors_tensor_name(set, i);
        if (!dlz_network_state(network, name))
            p->unused[p->num_unused++] = name;
    }
    if (p->num_unused < count)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_FORMAT,
                    "none of the %lld tensors is a state of the network: the first tensor is '%s', "
                    "and the first state '%s'; dlviz_safetensors_rename changes names",
                    (long long)count, count > 0 ? p->unused[0] : "",
                    network->num_states > 0 ? network->states[0].name : "");
}

static dlviz_status list_missing(const dlviz_network *network, const dlviz_safetensors *set,
                                 partial *p) {
    uint64_t count = (uint64_t)network->num_states;
    p->missing = dlz_alloc_array(count, sizeof *p->missing);
    if (!p->missing)
        return dlz_fail_memory("the names of states", count * sizeof *p->missing);
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        /* PyTorch's older files have no counters. */
        if (!dlviz_safetensors_has(set, state->name) && state->spec.dtype != DLVIZ_INT64)
            p->missing[p->num_missing++] = state->name;
    }
    return DLVIZ_OK;
}

static dlviz_status copy_names(partial *p) {
    if (p->num_missing > 0)
        DLZ_TRY(dlz_copy_names(p->num_missing, p->missing, &p->missing_copy));
    if (p->num_unused > 0)
        DLZ_TRY(dlz_copy_names(p->num_unused, p->unused, &p->unused_copy));
    return DLVIZ_OK;
}

static dlviz_status read_present(const dlviz_network *network, const dlviz_safetensors *set,
                                 partial *p) {
    dlviz_status status = dlz_network_read_present_states(network, set, &p->tensors);
    return status == DLVIZ_ERROR_SHAPE
               ? dlz_fail(status,
                          "%s; where that is meant, leave the tensor out with "
                          "dlviz_safetensors_remove",
                          dlviz_last_error())
               : status;
}

static void keep_lists(dlviz_network *network, partial *p) {
    dlz_free(network->missing);
    dlz_free(network->unused);
    network->missing = p->missing_copy;
    network->unused = p->unused_copy;
    network->num_missing = p->num_missing;
    network->num_unused = p->num_unused;
    p->missing_copy = p->unused_copy = NULL;
}

static dlviz_status load_present(dlviz_network *network, const dlviz_safetensors *set) {
    partial p = {.tensors = NULL};
    dlviz_status status = dlz_network_check_file_kind(set);
    if (status == DLVIZ_OK)
        status = list_unused(network, set, &p);
    if (status == DLVIZ_OK)
        status = list_missing(network, set, &p);
    if (status == DLVIZ_OK)
        status = read_present(network, set, &p);
    if (status == DLVIZ_OK)
        status = copy_names(&p);
    if (status == DLVIZ_OK) {
        dlz_network_take_present_states(network, p.tensors);
        keep_lists(network, &p);
    }
    drop(network, &p);
    return status;
}

dlviz_status dlviz_network_load_tensors(dlviz_network *network, const dlviz_safetensors *contents,
                                        bool strict) {
    DLZ_READING(NULL);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_REQUIRE(contents);
    DLZ_USE_NETWORK(__func__, network);
    if (!strict)
        DLZ_TRY(dlz_require_states(network, __func__));
    dlviz_status status =
        strict ? dlz_network_load_set(network, contents) : load_present(network, contents);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status == DLVIZ_ERROR_OUT_OF_MEMORY ? status : DLVIZ_ERROR_FORMAT,
                               "%s", __func__);
    if (strict)
        keep_lists(network, &(partial){.tensors = NULL});
    return DLVIZ_OK;
}

int64_t dlviz_network_num_missing(const dlviz_network *network) {
    return network ? network->num_missing : 0;
}

const char *dlviz_network_missing_name(const dlviz_network *network, int64_t index) {
    bool there = network && index >= 0 && index < network->num_missing;
    return there ? network->missing[index] : NULL;
}

int64_t dlviz_network_num_unused(const dlviz_network *network) {
    return network ? network->num_unused : 0;
}

const char *dlviz_network_unused_name(const dlviz_network *network, int64_t index) {
    bool there = network && index >= 0 && index < network->num_unused;
    return there ? network->unused[index] : NULL;
}
