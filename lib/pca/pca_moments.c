/* The mean of each column, and the sum of squares about it. */
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/embed/center.h"
#include "pca/leaves.h"
#include "pca/pca.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* So many tiles have sums of their own at a time, which are then added in order: however many rows
 * there are, memory does not grow with them. */
#define WINDOW 64

typedef struct moments_pass {
    const dlz_pca_input *input;
    const dlz_pca_search *search;
    dlz_leaves leaves;
    int workers;
    int64_t first; /* tile of the window */
    double *sums;  /* WINDOW x features, or WINDOW sums of squares */
} moments_pass;

static void sum_tile(void *context, int64_t tile, int worker) {
    const moments_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    int64_t d = input->features;
    dlz_rows rows = dlz_leaves_tile(&pass->leaves, pass->first + tile);
    double *sums = pass->sums + tile * d;
    dlz_pages_read(&input->pages, rows.first, rows.count);
    memset(sums, 0, (size_t)d * sizeof *sums);
    for (int64_t i = rows.first; i < rows.first + rows.count; i++)
        dlz_center()->add(input->data + i * d, sums, d);
    if (pass->search)
        dlz_pca_search_rows(pass->search, input, rows.first, rows.count, worker);
    dlz_pages_done(&input->pages, rows.first, rows.count);
}

static void square_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const moments_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    int64_t d = input->features;
    dlz_rows rows = dlz_leaves_tile(&pass->leaves, pass->first + tile);
    double total = 0;
    dlz_pages_read(&input->pages, rows.first, rows.count);
    for (int64_t i = rows.first; i < rows.first + rows.count; i++)
        total += dlz_center()->squares(input->data + i * d, input->mean, d);
    dlz_pages_done(&input->pages, rows.first, rows.count);
    pass->sums[tile] = total;
}

/* Runs the tiles, whose sums are of `cells` numbers, and adds them: to sums of leaves, and these. */
static dlviz_status run(moments_pass *pass, dlz_tile_fn function, int64_t cells, double *total) {
    const dlz_pca_input *input = pass->input;
    pass->leaves = dlz_leaves_of(input->comm, input->samples, DLZ_PCA_TILE);
    int64_t tiles = pass->leaves.tiles[pass->leaves.count];
    uint64_t room = (uint64_t)dlz_min_i64(WINDOW, tiles), leaves = (uint64_t)pass->leaves.count;
    double *sums = dlz_alloc_array_zero(leaves * (uint64_t)cells, sizeof *sums);
    pass->sums = dlz_alloc_array(room * (uint64_t)cells, sizeof *pass->sums);
    dlviz_status status = DLVIZ_OK;
    if (!sums || !pass->sums)
        status = dlz_fail_memory("column sums", (room + leaves) * (uint64_t)cells * sizeof *sums);
    for (; status == DLVIZ_OK && pass->first < tiles; pass->first += WINDOW) {
        int64_t count = dlz_min_i64(WINDOW, tiles - pass->first);
        status = dlz_parallel_for_task(count, pass->workers, function, pass);
        for (int64_t tile = 0; status == DLVIZ_OK && tile < count; tile++) {
            double *to = sums + dlz_leaves_tile(&pass->leaves, pass->first + tile).leaf * cells;
            for (int64_t j = 0; j < cells; j++)
                to[j] += pass->sums[tile * cells + j];
        }
    }
    dlz_pages_release(&input->pages);
    dlz_free(pass->sums);
    status = dlz_pca_agree(input, status);
    if (status == DLVIZ_OK)
        status = dlz_leaves_sum(input->comm, sums, 1, cells, total);
    dlz_free(sums);
    return status;
}

/* The first of the values here that is not finite, by its place among all ranks' values; INT64_MAX
 * where there is none. */
static int64_t find_bad_value(const dlz_pca_input *input) {
    int64_t d = input->features, most = input->own * d, found = INT64_MAX;
    for (int64_t i = 0; i < input->own && found == INT64_MAX; i++) {
        dlz_pages_read(&input->pages, i, 1);
        for (int64_t j = i * d; j < (i + 1) * d && found == INT64_MAX; j++)
            if (!isfinite(input->data[j]))
                found = j;
    }
    dlz_pages_release(&input->pages);
    return found < most ? input->first * d + found : INT64_MAX;
}

/* Each rank tells the place of its value, doubled, and one more if it is NaN. */
static dlviz_status name_bad_value(const char *who, const dlz_pca_input *input) {
    int64_t place = find_bad_value(input), d = input->features, found = INT64_MAX;
    if (place < INT64_MAX)
        found = place * 2 + (isnan(input->data[place - input->first * d]) ? 1 : 0);
    if (input->comm) {
        int ranks = dlz_comm_size(input->comm);
        int64_t *all = dlz_alloc_array((uint64_t)ranks, sizeof *all);
        dlviz_status status = dlz_pca_agree(
            input,
            all ? DLVIZ_OK : dlz_fail_memory("places of values", (uint64_t)ranks * sizeof *all));
        if (status == DLVIZ_OK)
            status = dlz_comm_gather_numbers(input->comm, found, all);
        for (int rank = 0; status == DLVIZ_OK && rank < ranks; rank++)
            found = dlz_min_i64(found, all[rank]);
        dlz_free(all);
        DLZ_TRY(status);
    }
    if (found == INT64_MAX)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_NUMERIC,
                    "%s: row %lld, column %lld of the data is %s; all values must be finite", who,
                    (long long)(found / 2 / d), (long long)(found / 2 % d),
                    found % 2 ? "NaN" : "infinite");
}

dlviz_status dlz_pca_find_mean(const char *who, const dlz_pca_input *input, dlz_pca_search *search,
                               double *mean) {
    moments_pass pass = {
        .input = input, .search = search, .workers = search ? search->workers : dlz_threads()};
    DLZ_TRY(run(&pass, sum_tile, input->features, mean));
    bool finite = true;
    for (int64_t j = 0; j < input->features; j++) {
        finite &= isfinite(mean[j]) != 0;
        mean[j] /= (double)input->samples;
    }
    return finite ? DLVIZ_OK : name_bad_value(who, input);
}

dlviz_status dlz_pca_find_scatter(dlz_pca_input *input) {
    moments_pass pass = {.input = input, .workers = dlz_threads()};
    return run(&pass, square_tile, 1, &input->scatter);
}

dlviz_status dlz_pca_require_range(const char *who, double variance) {
    if (variance == 0 || (variance >= FLT_MIN && variance <= FLT_MAX))
        return DLVIZ_OK;
    char text[DLZ_NUMBER_SIZE];
    return dlz_fail(
        DLVIZ_ERROR_NUMERIC,
        "%s: the variance of the data is %s in all; 0 and 1.2e-38 to 3.4e+38 are accepted, since "
        "results are float32; multiply the data by a constant first",
        who, dlz_number(text, variance, 3));
}

dlviz_status dlz_pca_set_variance(const char *who, const dlz_pca_input *input,
                                  dlz_pca_model *model) {
    model->total_variance = input->scatter / (double)(input->samples - 1);
    return dlz_pca_require_range(who, model->total_variance);
}
