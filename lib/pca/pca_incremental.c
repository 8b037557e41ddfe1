#include "pca/pca.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/embed/center.h"
#include "linalg/linalg.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

static dlviz_status check_batch(const char *who, const dlviz_pca *pca, const dlviz_tensor *batch) {
    DLZ_TRY(dlz_require_matrix(who, "batch", batch));
    if (pca->fraction > 0)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: a fraction of the variance was asked for; batches need a number of "
                        "components (dlviz_pca_set_num_wanted)",
                        who);
    int64_t rows = batch->dims[0], columns = batch->dims[1];
    if (pca->model.count > 0) {
        if (columns != pca->model.features)
            return dlz_fail(DLVIZ_ERROR_SHAPE,
                            "%s: 'batch' has %lld columns; earlier ones had %lld", who,
                            (long long)columns, (long long)pca->model.features);
        return DLVIZ_OK;
    }
    if (rows < 2)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: the first batch has 1 row; it needs at least 2",
                        who);
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

static dlviz_status update(const dlviz_pca *pca, const dlviz_tensor *batch, dlz_pca_model *model) {
    const dlz_pca_model *old = &pca->model;
    int64_t m = batch->dims[0], d = batch->dims[1];
    model->features = d;
    model->mean = dlz_alloc_array((uint64_t)d, sizeof *model->mean);
    if (!model->mean)
        return dlz_fail_memory("a mean", (uint64_t)d * sizeof *model->mean);
    dlz_pca_input input = {pca, batch->data, m, d, model->mean, 0, DLVIZ_PCA_SOLVER_SVD, {0}};
    DLZ_TRY(dlz_pca_report(pca, 0));
    dlz_task_part(0, 0);
    DLZ_TRY(
        dlz_pca_moments("dlviz_pca_partial_fit", batch->data, m, d, model->mean, &input.scatter));
    int64_t height = dlz_min_i64(m, d) + (old->count > 0 ? old->count + 1 : 0);
    int64_t most = dlz_min_i64(height, d);
    double *rows = dlz_alloc_array((uint64_t)height * (uint64_t)d, sizeof *rows);
    model->variance = dlz_alloc_array((uint64_t)most, sizeof *model->variance);
    model->components = dlz_alloc_array((uint64_t)most * (uint64_t)d, sizeof *model->components);
    dlviz_status status;
    if (rows && model->variance && model->components)
        status = stack_rows(&input, old, rows);
    else
        status = dlz_fail_memory("a stack of rows", (uint64_t)height * (uint64_t)d * sizeof *rows);
    if (status == DLVIZ_OK)
        status = dlz_svd_right(height, d, rows, model->variance, model->components);
    dlz_free(rows);
    DLZ_TRY(status);
    merge_moments(&input, old, model);
    DLZ_TRY(dlz_pca_require_range("dlviz_pca_partial_fit", model->total_variance));
    model->count = old->count > 0 ? old->count : dlz_pca_wanted(pca, most);
    for (int64_t i = 0; i < model->count; i++)
        model->variance[i] *= model->variance[i] / (double)(model->samples - 1);
    dlz_pca_fix_signs(model->components, model->count, d);
    return dlz_pca_report(pca, 1);
}

dlviz_status dlviz_pca_partial_fit(dlviz_pca *pca, const dlviz_tensor *batch) {
    DLZ_REQUIRE(pca);
    DLZ_HOLD_ALONE(&pca->busy, "PCA");
    DLZ_TRY(check_batch(__func__, pca, batch));
    DLZ_TASK("PCA");
    dlz_pca_model model = {0};
    dlviz_status status = update(pca, batch, &model);
    if (status == DLVIZ_OK)
        status = dlz_pca_adopt(pca, &model);
    if (status == DLVIZ_OK)
        pca->used = DLVIZ_PCA_SOLVER_SVD;
    dlz_pca_model_clear(&model);
    return status;
}
