#include "pca/pca.h"
#include "base/base.h"
#include "base/progress.h"
#include "comm/enter.h"
#include "kernels/embed/center.h"
#include "linalg/linalg.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

static dlviz_status check_fraction(const char *who, const dlviz_pca *pca) {
    if (pca->fraction > 0)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: a fraction of the variance was asked for; batches need a number of "
                        "components (dlviz_pca_set_num_wanted)",
                        who);
    return DLVIZ_OK;
}

static dlviz_status check_batch(const char *who, const dlz_pca_input *input) {
    const dlviz_pca *pca = input->pca;
    int64_t rows = input->samples, columns = input->features;
    if (pca->model.count > 0) {
        if (columns != pca->model.features)
            return dlz_fail(DLVIZ_ERROR_SHAPE,
                            "%s: 'batch' has %lld columns; earlier ones had %lld", who,
                            (long long)columns, (long long)pca->model.features);
        if (rows < 1)
            return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: no rank has a row of 'batch'", who);
        return DLVIZ_OK;
    }
    if (rows < 2)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: the first batch has %lld row%s; it needs at least 2", who,
                        (long long)rows, rows == 1 ? "" : "s");
    if (pca->components > dlz_min_i64(rows, columns))
        return dlz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "%s: %lld components of a first batch with %lld rows and %lld columns; 1 to "
            "%lld are possible",
            who, (long long)pca->components, (long long)rows, (long long)columns,
            (long long)dlz_min_i64(rows, columns));
    return DLVIZ_OK;
}

/* Rows whose scatter is that of all points so far, as far as it is known: the old components times
 * their singular values, the shift between the means, and the centered batch (or its triangle). */
static dlviz_status stack_rows(const dlz_pca_input *input, const dlz_pca_model *old, double *rows) {
    int64_t d = input->features;
    if (old->count > 0) {
        double n = (double)old->samples, m = (double)input->samples;
        for (int64_t i = 0; i < old->count; i++, rows += d) {
            double singular = sqrt(old->variance[i] * (n - 1));
            for (int64_t j = 0; j < d; j++)
                rows[j] = old->components[i * d + j] * singular;
        }
        for (int64_t j = 0; j < d; j++)
            rows[j] = sqrt(n * m / (n + m)) * (old->mean[j] - input->mean[j]);
        rows += d;
    }
    if (input->samples > d)
        return dlz_pca_triangle(input, rows);
    for (int64_t i = 0; i < input->samples; i++)
        dlz_center()->to_double(input->data + i * d, input->mean, rows + i * d, d);
    return DLVIZ_OK;
}

/* Moves the mean and the whole variance from those of the batch to those of all points. */
static void merge_moments(const dlz_pca_input *input, const dlz_pca_model *old,
                          dlz_pca_model *model) {
    double n = (double)old->samples, m = (double)input->samples, scatter = input->scatter;
    model->samples = old->samples + input->samples;
    if (old->count > 0) {
        scatter += old->total_variance * (n - 1);
        for (int64_t j = 0; j < model->features; j++) {
            double shift = model->mean[j] - old->mean[j];
            scatter += n * m / (n + m) * shift * shift;
            model->mean[j] = old->mean[j] + shift * (m / (n + m));
        }
    }
    model->total_variance = scatter / (double)(model->samples - 1);
}

/* The leading rank's work, for which all rows are on it, or all ranks see to the triangle. */
static dlviz_status decompose(dlz_pca_input *input, dlz_pca_model *model) {
    const dlz_pca_model *old = &input->pca->model;
    int64_t m = input->samples, d = input->features;
    int64_t height = dlz_min_i64(m, d) + (old->count > 0 ? old->count + 1 : 0);
    int64_t most = dlz_min_i64(height, d);
    double *rows = dlz_alloc_array((uint64_t)height * (uint64_t)d, sizeof *rows);
    model->variance = dlz_alloc_array((uint64_t)most, sizeof *model->variance);
    model->components = dlz_alloc_array((uint64_t)most * (uint64_t)d, sizeof *model->components);
    dlviz_status status =
        dlz_pca_agree(input, rows && model->variance && model->components
                                 ? DLVIZ_OK
                                 : dlz_fail_memory("a stack of rows",
                                                   (uint64_t)height * (uint64_t)d * sizeof *rows));
    if (status == DLVIZ_OK)
        status = stack_rows(input, old, rows);
    bool leads = dlz_pca_leads(input);
    if (status == DLVIZ_OK && leads)
        status = dlz_svd_right(height, d, rows, model->variance, model->components);
    dlz_free(rows);
    if (status != DLVIZ_OK || !leads)
        return status;
    model->count = old->count > 0 ? old->count : dlz_pca_wanted(input->pca, most);
    double all = (double)(old->samples + m - 1);
    for (int64_t i = 0; i < model->count; i++)
        model->variance[i] *= model->variance[i] / all;
    dlz_pca_fix_signs(model->components, model->count, d);
    return DLVIZ_OK;
}

static dlviz_status update(dlz_pca_input *input, dlz_pca_model *model) {
    const dlz_pca_model *old = &input->pca->model;
    int64_t d = input->features;
    model->features = d;
    model->mean = dlz_alloc_array((uint64_t)d, sizeof *model->mean);
    dlviz_status status = model->mean ? dlz_pca_report(input->pca, 0)
                                      : dlz_fail_memory("a mean", (uint64_t)d * sizeof(double));
    DLZ_TRY(dlz_pca_agree(input, status));
    input->mean = model->mean;
    dlz_task_part(0, 0);
    DLZ_TRY(dlz_pca_find_mean("dlviz_pca_partial_fit", input, NULL, model->mean));
    DLZ_TRY(dlz_pca_find_scatter(input));
    if (input->comm && input->samples < DLZ_PCA_ROWS_FOR_LEAVES * d) {
        DLZ_TRY(dlz_pca_solve_whole(input, decompose, model));
    } else {
        status = decompose(input, model);
        DLZ_TRY(dlz_pca_share(input, status, model));
    }
    merge_moments(input, old, model);
    DLZ_TRY(dlz_pca_require_range("dlviz_pca_partial_fit", model->total_variance));
    return dlz_pca_agree(input, dlz_pca_report(input->pca, 1));
}

dlviz_status dlviz_pca_partial_fit(dlviz_pca *pca, const dlviz_tensor *batch) {
    DLZ_REQUIRE(pca);
    DLZ_HOLD_TOGETHER(&pca->busy, "PCA", DLZ_ALONE, pca->comm);
    dlz_pca_input input;
    DLZ_TRY(dlz_pca_join(__func__, "batch", pca, batch, DLVIZ_OK, &input));
    DLZ_TRY(check_fraction(__func__, pca));
    DLZ_TRY(check_batch(__func__, &input));
    dlz_pca_model model = {0};
    dlz_task task;
    dlviz_status status = dlz_pca_agree(&input, dlz_task_begin(&task, "PCA"));
    if (status == DLVIZ_OK)
        status = update(&input, &model);
    if (status == DLVIZ_OK)
        status = dlz_pca_adopt(input.comm, pca, &model);
    if (status == DLVIZ_OK)
        pca->used = DLVIZ_PCA_SOLVER_SVD;
    dlz_task_end(&task);
    dlz_pca_model_clear(&model);
    return status;
}
