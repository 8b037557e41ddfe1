#include "base/base.h"
#include "base/parallel.h"
#include "pca/leaves.h"
#include "pca/pca.h"

#include <math.h>
#include <string.h>

/* Columns that are the same in a rank's first rows are looked for in all its others; where there are
 * none, that is all the work. */
#define FIRST_ROWS 64

static int64_t find_candidates(const dlz_pca_input *input, int64_t *candidates) {
    int64_t d = input->features, rows = dlz_min_i64(FIRST_ROWS, input->own), count = 0;
    for (int64_t c = 0; c < d && rows > 0; c++) {
        int64_t i = 1;
        while (i < rows && input->data[i * d + c] == input->data[c])
            i++;
        if (i == rows)
            candidates[count++] = c;
    }
    return count;
}

void dlz_pca_search_drop(dlz_pca_search *search) {
    dlz_free(search->candidates);
    dlz_free(search->varies);
    *search = (dlz_pca_search){0};
}

dlviz_status dlz_pca_search_begin(const dlz_pca_input *input, dlz_pca_search *search) {
    uint64_t bytes = (uint64_t)input->features * sizeof(int64_t);
    *search = (dlz_pca_search){.workers = dlz_threads(), .candidates = dlz_alloc((size_t)bytes)};
    if (search->candidates)
        search->count = find_candidates(input, search->candidates);
    if (search->count > 0)
        search->varies = dlz_alloc_array_zero((uint64_t)search->workers, (uint64_t)search->count);
    dlviz_status status = DLVIZ_OK;
    if (!search->candidates || (search->count > 0 && !search->varies))
        status = dlz_fail_memory("a search for columns that vary", bytes);
    status = dlz_pca_agree(input, status);
    if (status != DLVIZ_OK)
        dlz_pca_search_drop(search);
    return status;
}

void dlz_pca_search_rows(const dlz_pca_search *search, const dlz_pca_input *input, int64_t first,
                         int64_t count, int worker) {
    bool *varies = search->varies + worker * search->count;
    for (int64_t i = first; i < first + count; i++) {
        const float *row = input->data + i * input->features;
        for (int64_t c = 0; c < search->count; c++)
            varies[c] |= row[search->candidates[c]] != input->data[search->candidates[c]];
    }
}

/* What each column is in all rows here: NaN where it varies, infinity where there are no rows. */
static void find_constants(const dlz_pca_input *input, const dlz_pca_search *search,
                           float *constants) {
    for (int64_t j = 0; j < input->features; j++)
        constants[j] = input->own > 0 ? NAN : INFINITY;
    for (int64_t c = 0; c < search->count; c++) {
        bool varies = false;
        for (int w = 0; w < search->workers; w++)
            varies |= search->varies[w * search->count + c];
        if (!varies)
            constants[search->candidates[c]] = input->data[search->candidates[c]];
    }
}

/* A column that has another number on another rank varies too. */
static dlviz_status join(const dlz_pca_input *input, float *constants) {
    int64_t d = input->features, row = d * (int64_t)sizeof *constants;
    int ranks = dlz_comm_size(input->comm), rank = dlz_comm_rank(input->comm);
    float *all = dlz_alloc_array((uint64_t)ranks, (uint64_t)row);
    int64_t *offsets = dlz_alloc_array((uint64_t)ranks + 1, sizeof *offsets);
    dlviz_status status = dlz_pca_agree(
        input, all && offsets
                   ? DLVIZ_OK
                   : dlz_fail_memory("a search for columns that vary",
                                     (uint64_t)ranks * ((uint64_t)row + sizeof *offsets)));
    if (status == DLVIZ_OK) {
        for (int r = 0; r <= ranks; r++)
            offsets[r] = r * row;
        memcpy(all + rank * d, constants, (size_t)row);
        status = dlz_comm_gather_pieces(input->comm, all, offsets);
    }
    for (int r = 0; status == DLVIZ_OK && r < ranks; r++)
        for (int64_t j = 0; j < d; j++) {
            float other = all[r * d + j];
            if (isinf(constants[j]))
                constants[j] = other;
            else if (!isinf(other) && other != constants[j])
                constants[j] = NAN;
        }
    dlz_free(all);
    dlz_free(offsets);
    return status;
}

static dlviz_status list(const dlz_pca_input *input, const dlz_pca_search *search,
                         dlz_pca_varying *varying) {
    int64_t d = input->features;
    int64_t *columns = dlz_alloc_array((uint64_t)d, sizeof *columns);
    float *constants = dlz_alloc_array((uint64_t)d, sizeof *constants);
    dlviz_status status = dlz_pca_agree(
        input, columns && constants
                   ? DLVIZ_OK
                   : dlz_fail_memory("a search for columns that vary",
                                     (uint64_t)d * (sizeof *columns + sizeof *constants)));
    int64_t count = 0;
    if (status == DLVIZ_OK) {
        find_constants(input, search, constants);
        if (input->comm)
            status = join(input, constants);
    }
    for (int64_t j = 0; status == DLVIZ_OK && j < d; j++)
        if (isnan(constants[j]))
            columns[count++] = j;
    dlz_free(constants);
    if (status == DLVIZ_OK && count > 0 && count < d)
        *varying = (dlz_pca_varying){count, columns};
    else
        dlz_free(columns);
    return status;
}

dlviz_status dlz_pca_search_end(const dlz_pca_input *input, dlz_pca_search *search,
                                dlz_pca_varying *varying) {
    *varying = (dlz_pca_varying){input->features, NULL};
    dlviz_status status = DLVIZ_OK;
    if (search->count > 0 || input->comm)
        status = list(input, search, varying);
    dlz_pca_search_drop(search);
    return status;
}

typedef struct search_pass {
    const dlz_pca_input *input;
    const dlz_pca_search *search;
} search_pass;

static void search_tile(void *context, int64_t tile, int worker) {
    const search_pass *pass = context;
    int64_t first = tile * DLZ_PCA_TILE,
            count = dlz_min_i64(DLZ_PCA_TILE, pass->input->own - first);
    dlz_pages_read(&pass->input->pages, first, count);
    dlz_pca_search_rows(pass->search, pass->input, first, count, worker);
}

dlviz_status dlz_pca_find_varying(const dlz_pca_input *input, dlz_pca_varying *varying) {
    dlz_pca_search search;
    DLZ_TRY(dlz_pca_search_begin(input, &search));
    search_pass pass = {input, &search};
    if (search.count > 0) {
        dlz_parallel_for(dlz_ceil_div(input->own, DLZ_PCA_TILE), search.workers, search_tile,
                         &pass);
        dlz_pages_release(&input->pages);
    }
    return dlz_pca_search_end(input, &search, varying);
}
