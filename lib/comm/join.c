/* Tensors of which each rank has a part, joined. */
#include "comm/enter.h"
#include "comm/exchange.h"
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

static dlviz_status check(const dlviz_tensor *own) {
    if (own->ndim < 1)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "dlviz_comm_gather: 'own' is a scalar; 1 dimension or more are accepted");
    return DLVIZ_OK;
}

static dlviz_status require_same_rows(dlviz_comm *comm, const dlviz_tensor *own) {
    char text[DLZ_SHAPE_TEXT_SIZE + 32], shape[DLZ_SHAPE_TEXT_SIZE];
    snprintf(text, sizeof text, "%s, n%s%s", dlviz_dtype_name(own->dtype),
             own->ndim > 1 ? " x " : "",
             own->ndim > 1 ? dlz_shape_text(shape, own->ndim - 1, own->dims + 1) : "");
    dlviz_status status = dlz_comm_require_same(comm, "dlviz_comm_gather", "'own'", text);
    return status == DLVIZ_ERROR_INVALID_ARGUMENT
               ? dlz_fail(DLVIZ_ERROR_SHAPE, "%s", dlviz_last_error())
               : status;
}

/* Where each rank's rows begin; the last is how many there are. False when that does not fit. */
static bool add_up(int64_t *numbers, int num_ranks) {
    int64_t first = 0;
    bool fits = true;
    for (int rank = 0; rank <= num_ranks; rank++) {
        int64_t count = rank < num_ranks ? numbers[rank] : 0;
        numbers[rank] = first;
        fits = fits && !__builtin_add_overflow(first, count, &first);
    }
    return fits;
}

static dlviz_status create(dlviz_comm *comm, const dlviz_tensor *own, int64_t *numbers,
                           dlviz_tensor **all) {
    DLZ_TRY(dlz_comm_gather_numbers(comm, own->dims[0], numbers));
    int64_t dims[DLVIZ_MAX_DIMS];
    memcpy(dims, own->dims, sizeof dims);
    bool fits = add_up(numbers, dlz_comm_size(comm));
    dims[0] = numbers[dlz_comm_size(comm)];
    dlviz_status status = fits ? dlz_tensor_create_raw(all, own->dtype, own->ndim, dims)
                               : dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY,
                                          "dlviz_comm_gather: more rows than can be counted");
    return dlz_comm_agree(comm, status);
}

static dlviz_status gather(dlviz_comm *comm, const dlviz_tensor *own, int64_t *numbers,
                           dlviz_tensor *all) {
    size_t row = dlviz_dtype_size(own->dtype);
    for (int i = 1; i < own->ndim; i++)
        row *= (size_t)own->dims[i];
    for (int rank = 0; rank <= dlz_comm_size(comm); rank++)
        numbers[rank] *= (int64_t)row;
    size_t bytes = (size_t)own->size * dlviz_dtype_size(own->dtype);
    if (bytes > 0)
        memcpy((char *)all->data + numbers[dlz_comm_rank(comm)], own->data, bytes);
    return dlz_comm_gather_pieces(comm, all->data, numbers);
}

static dlviz_status join(dlviz_comm *comm, const dlviz_tensor *own, int64_t *numbers,
                         dlviz_tensor **all) {
    DLZ_TRY(require_same_rows(comm, own));
    DLZ_TRY(create(comm, own, numbers, all));
    return gather(comm, own, numbers, *all);
}

static dlviz_status prepare(dlviz_comm *comm, const dlviz_tensor *own, int64_t **numbers) {
    DLZ_TRY(dlz_comm_check(comm));
    DLZ_TRY(check(own));
    uint64_t count = (uint64_t)dlz_comm_size(comm) + 1;
    *numbers = dlz_alloc_array(count, sizeof **numbers);
    return *numbers ? DLVIZ_OK : dlz_fail_memory("ranks' rows", count * sizeof **numbers);
}

dlviz_status dlviz_comm_gather(dlviz_comm *comm, const dlviz_tensor *own, dlviz_tensor **all) {
    if (all)
        *all = NULL;
    DLZ_HOLD_COMM(__func__, comm);
    dlviz_status status = DLVIZ_OK;
    if (!all || !own)
        status = dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_comm_gather: '%s' is NULL",
                          own ? "all" : "own");
    int64_t *numbers = NULL;
    if (status == DLVIZ_OK)
        status = prepare(comm, own, &numbers);
    status = dlz_comm_enter(comm, __func__, status);
    if (status == DLVIZ_OK)
        status = join(comm, own, numbers, all);
    dlz_free(numbers);
    if (status != DLVIZ_OK && all) {
        dlviz_tensor_destroy(*all);
        *all = NULL;
    }
    return status;
}
