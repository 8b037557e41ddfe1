/* What ranks do together in a fit. */
#include "base/base.h"
#include "comm/enter.h"
#include "pca/pca.h"
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

/* ---- The beginning ------------------------------------------------------------------------------
 */

/* A rank may have no rows where there are fewer than leaves. */
static dlviz_status check_own(const char *who, const char *name, const dlviz_pca *pca,
                              const dlviz_tensor *rows) {
    bool none = pca->comm && rows && rows->dtype == DLVIZ_FLOAT32 && rows->ndim == 2 &&
                rows->dims[0] == 0 && rows->dims[1] > 0;
    return none ? DLVIZ_OK : dlz_require_matrix(who, name, rows);
}

static uint64_t digest(uint64_t seed, const double *numbers, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, numbers + i, sizeof bits);
        seed = (seed ^ bits) * 0x9E3779B97F4A7C15u;
        seed ^= seed >> 29;
    }
    return seed;
}

/* All that a fit depends on besides the rows. */
static dlviz_status require_same(const char *who, const dlviz_pca *pca, int64_t columns) {
    const dlz_pca_model *model = &pca->model;
    uint64_t sum = 0;
    if (model->count > 0) {
        sum = digest(sum, &model->total_variance, 1);
        sum = digest(sum, model->mean, model->features);
        sum = digest(sum, model->variance, model->count);
        sum = digest(sum, model->components, model->count * model->features);
    }
    char text[512], number[DLZ_NUMBER_SIZE];
    snprintf(text, sizeof text,
             "columns %lld, components %lld, fraction %s, solver %d, seed %llu, oversampling %d, "
             "iterations %d, rows before %lld, results before %016llx",
             (long long)columns, (long long)pca->components, dlz_number(number, pca->fraction, 17),
             (int)pca->solver, (unsigned long long)pca->seed, pca->oversampling, pca->iterations,
             (long long)model->samples, (unsigned long long)sum);
    return dlz_comm_require_same(pca->comm, who, "the settings of the PCA", text);
}

/* The same numbers are before all ranks, and all come to the same end. */
static dlviz_status check_shares(const char *who, const dlviz_comm *comm, const int64_t *all,
                                 int64_t *samples) {
    *samples = 0;
    for (int rank = 0; rank < dlz_comm_size(comm); rank++)
        *samples += all[rank];
    for (int rank = 0; rank < dlz_comm_size(comm); rank++) {
        int64_t share = dlz_comm_share(comm, rank, *samples).count;
        if (all[rank] != share)
            return dlz_fail(DLVIZ_ERROR_SHAPE,
                            "%s: rank %d passes %lld rows; of %lld rows on all ranks %lld are its "
                            "share (dlviz_comm_share)",
                            who, rank, (long long)all[rank], (long long)*samples, (long long)share);
    }
    return DLVIZ_OK;
}

static dlviz_status join_ranks(const char *who, const char *name, const dlviz_pca *pca,
                               const dlviz_tensor *rows, dlviz_status status, int64_t *first,
                               int64_t *samples) {
    dlviz_comm *comm = pca->comm;
    uint64_t size = (uint64_t)dlz_comm_size(comm);
    int64_t *all = dlz_alloc_array(size, sizeof *all);
    if (status == DLVIZ_OK)
        status = all ? check_own(who, name, pca, rows)
                     : dlz_fail_memory("numbers of rows", size * sizeof *all);
    status = dlz_comm_enter(comm, who, status);
    if (status == DLVIZ_OK)
        status = require_same(who, pca, rows->dims[1]);
    if (status == DLVIZ_OK)
        status = dlz_comm_gather_numbers(comm, rows->dims[0], all);
    if (status == DLVIZ_OK)
        status = check_shares(who, comm, all, samples);
    *first = dlz_comm_share(comm, dlz_comm_rank(comm), *samples).first;
    dlz_free(all);
    return status;
}

dlviz_status dlz_pca_join(const char *who, const char *name, const dlviz_pca *pca,
                          const dlviz_tensor *rows, dlviz_status status, dlz_pca_input *input) {
    dlviz_comm *comm = dlz_comm_size(pca->comm) > 1 ? pca->comm : NULL;
    int64_t first = 0, samples = 0;
    if (comm) {
        DLZ_TRY(join_ranks(who, name, pca, rows, status, &first, &samples));
    } else {
        DLZ_TRY(status);
        DLZ_TRY(check_own(who, name, pca, rows));
        samples = rows->dims[0];
    }
    *input = (dlz_pca_input){.pca = pca,
                             .comm = comm,
                             .data = rows->data,
                             .first = first,
                             .own = rows->dims[0],
                             .samples = samples,
                             .features = rows->dims[1]};
    if (input->own > 0)
        input->pages = dlz_pages_of(rows);
    return DLVIZ_OK;
}

/* ---- On the way ---------------------------------------------------------------------------------
 */

dlviz_status dlz_pca_agree(const dlz_pca_input *input, dlviz_status own) {
    return dlz_comm_agree(input->comm, own);
}

dlviz_status dlz_pca_gather(const dlz_pca_input *input, dlz_pca_input *whole) {
    dlviz_comm *comm = input->comm;
    int size = dlz_comm_size(comm);
    uint64_t n = (uint64_t)input->samples, d = (uint64_t)input->features;
    size_t row = (size_t)d * sizeof(float);
    float *data = dlz_alloc_array(n, row);
    int64_t *offsets = dlz_alloc_array((uint64_t)size + 1, sizeof *offsets);
    dlviz_status status = dlz_pca_agree(
        input, data && offsets ? DLVIZ_OK : dlz_fail_memory("the rows of all ranks", n * row));
    if (status == DLVIZ_OK) {
        for (int rank = 0; rank < size; rank++)
            offsets[rank] = dlz_comm_share(comm, rank, input->samples).first * (int64_t)row;
        offsets[size] = input->samples * (int64_t)row;
        if (input->own > 0)
            memcpy((char *)data + offsets[dlz_comm_rank(comm)], input->data,
                   (size_t)input->own * row);
        dlz_pages_release(&input->pages);
        status = dlz_comm_gather_pieces(comm, data, offsets);
    }
    dlz_free(offsets);
    if (status != DLVIZ_OK) {
        dlz_free(data);
        return status;
    }
    *whole = *input;
    whole->comm = NULL;
    whole->data = data;
    whole->pages = (dlz_pages){0};
    whole->first = 0;
    whole->own = input->samples;
    return DLVIZ_OK;
}

/* ---- The end ------------------------------------------------------------------------------------
 */

typedef struct summary {
    int64_t status, used, count;
    double scatter, total_variance;
    char sentence[DLZ_SENTENCE_SIZE];
} summary;

/* What the others need room for. */
static dlviz_status make_room(const dlz_pca_input *input, const summary *found,
                              dlz_pca_model *model) {
    uint64_t count = (uint64_t)found->count, cells = count * (uint64_t)input->features;
    if (dlz_pca_leads(input))
        return DLVIZ_OK;
    dlz_pca_forget_components(model);
    model->count = found->count;
    model->total_variance = found->total_variance;
    model->variance = dlz_alloc_array(count, sizeof *model->variance);
    model->components = dlz_alloc_array(cells, sizeof *model->components);
    return model->variance && model->components
               ? DLVIZ_OK
               : dlz_fail_memory("components", cells * sizeof *model->components);
}

dlviz_status dlz_pca_share(dlz_pca_input *input, dlviz_status own, dlz_pca_model *model) {
    dlviz_comm *comm = input->comm;
    if (!comm)
        return own;
    bool leads = dlz_pca_leads(input);
    summary found = {own, (int64_t)input->used, model->count, input->scatter, model->total_variance,
                     {0}};
    if (leads && own != DLVIZ_OK)
        snprintf(found.sentence, sizeof found.sentence, "%s", dlviz_last_error());
    DLZ_TRY(dlz_comm_broadcast(comm, &found, sizeof found));
    if (found.status == (int64_t)DLVIZ_ERROR_NUMERIC)
        return leads ? own : dlz_fail(DLVIZ_ERROR_NUMERIC, "%s", found.sentence);
    DLZ_TRY(dlz_pca_agree(input, own));
    DLZ_TRY(dlz_pca_agree(input, make_room(input, &found, model)));
    input->used = (dlviz_pca_solver_kind)found.used;
    input->scatter = found.scatter;
    DLZ_TRY(
        dlz_comm_broadcast(comm, model->variance, (size_t)found.count * sizeof *model->variance));
    return dlz_comm_broadcast(comm, model->components,
                              (size_t)(found.count * input->features) * sizeof *model->components);
}

dlviz_status dlz_pca_solve_whole(dlz_pca_input *input, dlz_pca_solver_fn solve,
                                 dlz_pca_model *model) {
    dlz_pca_input whole;
    DLZ_TRY(dlz_pca_gather(input, &whole));
    dlviz_status status = DLVIZ_OK;
    if (dlz_pca_leads(input)) {
        status = solve(&whole, model);
        input->used = whole.used;
        input->scatter = whole.scatter;
    }
    dlz_free((void *)whole.data);
    return dlz_pca_share(input, status, model);
}
