#include "pca/pca.h"
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/embed/center.h"
#include "kernels/gemm/gemm.h"
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
    const float *from, *weights; /* weights: components, k x d, scaled for whitening */
    float *to;
    char *scratch; /* one `stride` a worker: for a product, and ROWS x d */
    uint64_t stride;
    int64_t rows;
} transform_pass;

static void project_tile(void *context, int64_t tile, int worker) {
    const transform_pass *pass = context;
    int64_t d = pass->model->features, k = pass->model->count, first = tile * ROWS;
    int64_t rows = dlz_min_i64(ROWS, pass->rows - first);
    char *scratch = pass->scratch + (uint64_t)worker * pass->stride;
    float *centered = (float *)(scratch + DLZ_GEMM_SCRATCH_BYTES);
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

static dlviz_status run(const dlviz_pca *pca, const dlviz_tensor *input, int64_t columns,
                        dlz_tile_fn function, int64_t scratch_columns, dlviz_tensor **output) {
    const dlz_pca_model *model = &pca->model;
    int64_t rows = input->dims[0], k = model->count, d = model->features;
    int workers = dlz_threads();
    transform_pass pass = {.model = model, .from = input->data, .rows = rows};
    float *weights = dlz_alloc_array((uint64_t)k * (uint64_t)d, sizeof *weights);
    pass.stride = (uint64_t)(ROWS * scratch_columns) * sizeof(float) + DLZ_GEMM_SCRATCH_BYTES;
    pass.scratch = dlz_alloc_array((uint64_t)workers, pass.stride);
    dlviz_tensor *result = NULL;
    dlviz_status status = DLVIZ_OK;
    if (!weights || !pass.scratch)
        status = dlz_fail_memory("a projection", (uint64_t)k * (uint64_t)d * sizeof *weights);
    else
        status = dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, 2, (int64_t[]){rows, columns});
    if (status == DLVIZ_OK) {
        for (int64_t i = 0; i < k; i++) {
            double scale = 1;
            if (pca->whiten) {
                double inverse = dlz_pca_inverse_deviation(model, i);
                scale = scratch_columns || inverse == 0 ? inverse : 1 / inverse;
            }
            for (int64_t j = 0; j < d; j++)
                weights[i * d + j] = (float)(model->components[i * d + j] * scale);
        }
        pass.weights = weights;
        pass.to = result->data;
        dlz_parallel_for(dlz_ceil_div(rows, ROWS), workers, function, &pass);
    }
    dlz_free(weights);
    dlz_free(pass.scratch);
    *output = result;
    return status;
}

static dlviz_status check(const char *who, const dlviz_pca *pca, const char *name,
                          const dlviz_tensor *input, bool projected) {
    if (pca->model.count == 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the PCA is not fitted; call dlviz_pca_fit first",
                        who);
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
    return run(pca, data, pca->model.count, project_tile, pca->model.features, projected);
}

dlviz_status dlviz_pca_inverse_transform(const dlviz_pca *pca, const dlviz_tensor *projected,
                                         dlviz_tensor **data) {
    DLZ_REQUIRE_OUT(data);
    DLZ_REQUIRE(pca);
    DLZ_HOLD_SHARED(&pca->busy, "PCA");
    DLZ_TRY(check(__func__, pca, "projected", projected, true));
    return run(pca, projected, pca->model.features, reconstruct_tile, 0, data);
}
