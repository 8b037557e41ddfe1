#include "pca/pca.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/embed/center.h"
#include "kernels/gemm/gemm.h"
#include "tensor/npy.h"
#include "tensor/tensor.h"

#include <float.h>
#include <math.h>

#define ROWS 128

double dlz_pca_inverse_deviation(const dlz_pca_model *model, int64_t i) {
    double floor = model->variance[0] * DBL_EPSILON * (double)model->features;
    return model->variance[i] > floor ? 1 / sqrt(model->variance[i]) : 0;
}

typedef struct transform_pass {
    const dlz_pca_model *model;
    dlz_pages pages;
    int64_t first;               /* of the pages' rows, the one at `from` */
    const float *from, *weights; /* weights: components, k x d, scaled for whitening */
    float *to;
    char *scratch; /* one `stride` a worker: for a product, and ROWS x d */
    uint64_t stride;
    int workers;
    int64_t rows;
} transform_pass;

static void project_tile(void *context, int64_t tile, int worker) {
    const transform_pass *pass = context;
    int64_t d = pass->model->features, k = pass->model->count, first = tile * ROWS;
    int64_t rows = dlz_min_i64(ROWS, pass->rows - first);
    char *scratch = pass->scratch + (uint64_t)worker * pass->stride;
    float *centered = (float *)(scratch + DLZ_GEMM_SCRATCH_BYTES);
    dlz_pages_read(&pass->pages, pass->first + first, rows);
    for (int64_t i = 0; i < rows; i++)
        dlz_center()->to_float(pass->from + (first + i) * d, pass->model->mean, centered + i * d,
                               d);
    dlz_gemm product = {.m = rows,
                        .n = k,
                        .k = d,
                        .a = centered,
                        .lda = d,
                        .b = pass->weights,
                        .ldb = d,
                        .c = pass->to + first * k,
                        .ldc = k,
                        .transpose_b = true};
    dlz_gemm_kernels()->gemm(&product, scratch);
}

static void reconstruct_tile(void *context, int64_t tile, int worker) {
    const transform_pass *pass = context;
    int64_t d = pass->model->features, k = pass->model->count, first = tile * ROWS;
    int64_t rows = dlz_min_i64(ROWS, pass->rows - first);
    float *to = pass->to + first * d;
    dlz_pages_read(&pass->pages, pass->first + first, rows);
    dlz_gemm product = {.m = rows,
                        .n = d,
                        .k = k,
                        .a = pass->from + first * k,
                        .lda = k,
                        .b = pass->weights,
                        .ldb = d,
                        .c = to,
                        .ldc = d};
    dlz_gemm_kernels()->gemm(&product, pass->scratch + (uint64_t)worker * pass->stride);
    for (int64_t i = 0; i < rows; i++)
        dlz_center()->restore(to + i * d, pass->model->mean, d);
}

/* Makes ready to project, or with `back` to reconstruct, rows of the input. What it allocates,
 * finish frees, also after a failure. */
static dlviz_status prepare(const dlz_pca_model *model, bool whiten, const dlviz_tensor *input,
                            bool back, transform_pass *pass) {
    int64_t k = model->count, d = model->features;
    float *weights = dlz_alloc_array((uint64_t)k * (uint64_t)d, sizeof *weights);
    *pass = (transform_pass){.model = model, .weights = weights, .workers = dlz_threads()};
    if (input->size > 0)
        pass->pages = dlz_pages_of(input);
    pass->stride = (uint64_t)(back ? 0 : ROWS * d) * sizeof(float) + DLZ_GEMM_SCRATCH_BYTES;
    pass->scratch = dlz_alloc_array((uint64_t)pass->workers, pass->stride);
    if (!weights || !pass->scratch)
        return dlz_fail_memory("a projection", (uint64_t)k * (uint64_t)d * sizeof *weights);
    for (int64_t i = 0; i < k; i++) {
        double scale = 1;
        if (whiten) {
            double inverse = dlz_pca_inverse_deviation(model, i);
            scale = !back || inverse == 0 ? inverse : 1 / inverse;
        }
        for (int64_t j = 0; j < d; j++)
            weights[i * d + j] = (float)(model->components[i * d + j] * scale);
    }
    return DLVIZ_OK;
}

static void finish(transform_pass *pass) {
    dlz_pages_release(&pass->pages);
    dlz_free((void *)pass->weights);
    dlz_free(pass->scratch);
}

static dlviz_status run(const dlz_pca_model *model, bool whiten, const dlviz_tensor *input,
                        bool back, dlviz_tensor **output) {
    int64_t rows = input->dims[0], columns = back ? model->features : model->count;
    transform_pass pass;
    dlviz_tensor *result = NULL;
    dlviz_status status = prepare(model, whiten, input, back, &pass);
    if (status == DLVIZ_OK)
        status = dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, 2, (int64_t[]){rows, columns});
    if (status == DLVIZ_OK) {
        pass.from = input->data;
        pass.to = result->data;
        pass.rows = rows;
        dlz_parallel_for(dlz_ceil_div(rows, ROWS), pass.workers,
                         back ? reconstruct_tile : project_tile, &pass);
    }
    finish(&pass);
    *output = result;
    return status;
}

dlviz_status dlz_pca_project(const dlz_pca_model *model, bool whiten, const dlviz_tensor *data,
                             dlviz_tensor **projected) {
    return run(model, whiten, data, false, projected);
}

/* A rank may have no rows. */
static dlviz_status check(const char *who, const dlviz_pca *pca, const char *name,
                          const dlviz_tensor *input, bool projected) {
    if (pca->model.count == 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the PCA is not fitted; call dlviz_pca_fit first",
                        who);
    bool none = pca->comm && input && input->dtype == DLVIZ_FLOAT32 && input->ndim == 2 &&
                input->dims[0] == 0;
    if (!none)
        DLZ_TRY(dlz_require_matrix(who, name, input));
    int64_t columns = projected ? pca->model.count : pca->model.features;
    if (input->dims[1] != columns)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: '%s' has %lld columns; the PCA was fitted with %lld %s", who, name,
                        (long long)input->dims[1], (long long)columns,
                        projected ? "components" : "features");
    return DLVIZ_OK;
}

dlviz_status dlviz_pca_transform(const dlviz_pca *pca, const dlviz_tensor *data,
                                 dlviz_tensor **projected) {
    DLZ_REQUIRE_OUT(projected);
    DLZ_REQUIRE(pca);
    DLZ_HOLD_SHARED(&pca->busy, "PCA");
    DLZ_TRY(check(__func__, pca, "data", data, false));
    return dlz_pca_project(&pca->model, pca->whiten, data, projected);
}

dlviz_status dlviz_pca_inverse_transform(const dlviz_pca *pca, const dlviz_tensor *projected,
                                         dlviz_tensor **data) {
    DLZ_REQUIRE_OUT(data);
    DLZ_REQUIRE(pca);
    DLZ_HOLD_SHARED(&pca->busy, "PCA");
    DLZ_TRY(check(__func__, pca, "projected", projected, true));
    return run(&pca->model, pca->whiten, projected, true, data);
}

/* ---- To a file, a few rows at a time ------------------------------------------------------------
 */

#define WRITTEN_FLOATS (1 << 20)

static dlviz_status write_rows(const dlviz_pca *pca, const dlviz_tensor *data, dlz_file *file) {
    int64_t n = data->dims[0], d = pca->model.features, k = pca->model.count;
    int64_t tiles = dlz_max_i64(WRITTEN_FLOATS / (k * ROWS), 2 * dlz_threads()),
            step = tiles * ROWS;
    step = dlz_min_i64(step, dlz_max_i64(n, 1));
    float *rows = dlz_alloc_array((uint64_t)step, (uint64_t)k * sizeof *rows);
    transform_pass pass;
    dlviz_status status = prepare(&pca->model, pca->whiten, data, false, &pass);
    if (status == DLVIZ_OK && !rows)
        status = dlz_fail_memory("a projection", (uint64_t)(step * k) * sizeof *rows);
    if (status == DLVIZ_OK)
        dlz_npy_write_header(file, DLVIZ_FLOAT32, 2, (int64_t[]){n, k});
    for (int64_t first = 0; status == DLVIZ_OK && first < n; first += step) {
        pass.first = first;
        pass.from = (const float *)data->data + first * d;
        pass.to = rows;
        pass.rows = dlz_min_i64(step, n - first);
        dlz_task_part((double)first / (double)n, (double)(first + pass.rows) / (double)n);
        status =
            dlz_parallel_for_task(dlz_ceil_div(pass.rows, ROWS), pass.workers, project_tile, &pass);
        if (status == DLVIZ_OK)
            dlz_npy_write_elements(file, DLVIZ_FLOAT32, rows, pass.rows * k);
    }
    finish(&pass);
    dlz_free(rows);
    return status;
}

dlviz_status dlviz_pca_transform_to_npy(const dlviz_pca *pca, const dlviz_tensor *data,
                                        const char *path) {
    DLZ_REQUIRE(pca);
    DLZ_REQUIRE(path);
    DLZ_HOLD_SHARED(&pca->busy, "PCA");
    DLZ_TRY(check(__func__, pca, "data", data, false));
    DLZ_TASK("PCA's projection");
    dlz_file *file;
    DLZ_TRY(dlz_file_create(&file, path));
    dlviz_status status = write_rows(pca, data, file);
    if (status == DLVIZ_OK)
        return dlz_file_commit(file);
    dlz_file_discard(file);
    return status;
}
