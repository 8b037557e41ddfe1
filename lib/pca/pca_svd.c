#include "pca/pca.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/embed/center.h"
#include "linalg/linalg.h"

#include <string.h>

/* Tall data: QR of tiles of rows, then of pairs of their triangles until one is left (a tree that
 * depends on n and d alone), then the singular vectors of that. Wide data: QR of the transpose. */
typedef struct qr_pass {
    const dlz_pca_input *input;
    int64_t rows;            /* of a tile */
    int64_t count, distance; /* triangles; between the partners of a pair */
    double *triangles, *scratch;
    dlviz_status *status;
} qr_pass;

static void factor_tile(void *context, int64_t tile, int worker) {
    const qr_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    int64_t d = input->features, first = tile * pass->rows;
    int64_t rows = dlz_min_i64(pass->rows, input->samples - first);
    double *scratch = pass->scratch + worker * pass->rows * d;
    for (int64_t i = 0; i < rows; i++)
        dlz_center()->to_double(input->data + (first + i) * d, input->mean, scratch + i * d, d);
    if (rows < d)
        memset(scratch + rows * d, 0, (size_t)((d - rows) * d) * sizeof *scratch);
    pass->status[tile] = dlz_qr_r(dlz_max_i64(rows, d), d, scratch, pass->triangles + tile * d * d);
}

static void merge_pair(void *context, int64_t tile, int worker) {
    const qr_pass *pass = context;
    int64_t d = pass->input->features, left = 2 * tile * pass->distance;
    int64_t right = left + pass->distance;
    if (right >= pass->count)
        return;
    double *scratch = pass->scratch + worker * pass->rows * d;
    double *triangle = pass->triangles + left * d * d;
    memcpy(scratch, triangle, (size_t)(d * d) * sizeof *scratch);
    memcpy(scratch + d * d, pass->triangles + right * d * d, (size_t)(d * d) * sizeof *scratch);
    dlviz_status status = dlz_qr_r(2 * d, d, scratch, triangle);
    if (pass->status[left] == DLVIZ_OK)
        pass->status[left] = status;
}

/* The messages of failures in other threads stay there: the only kind there is, is told again. */
static dlviz_status gather(const qr_pass *pass) {
    for (int64_t tile = 0; tile < pass->count; tile++)
        if (pass->status[tile] != DLVIZ_OK)
            return dlz_fail(pass->status[tile], "a QR factorization failed: %s",
                            dlviz_status_name(pass->status[tile]));
    return DLVIZ_OK;
}

static dlviz_status factor(qr_pass *pass, int workers) {
    DLZ_TRY(dlz_pca_report(pass->input->pca, 0.05));
    dlz_task_part(0.05, 0.4);
    DLZ_TRY(dlz_parallel_for_task(pass->count, workers, factor_tile, pass));
    DLZ_TRY(gather(pass));
    DLZ_TRY(dlz_pca_report(pass->input->pca, 0.4));
    for (pass->distance = 1; pass->distance < pass->count; pass->distance *= 2) {
        dlz_task_part(0.4, 0.4);
        DLZ_TRY(dlz_parallel_for_task(dlz_ceil_div(pass->count, 2 * pass->distance), workers,
                                      merge_pair, pass));
        DLZ_TRY(gather(pass));
    }
    return dlz_pca_report(pass->input->pca, 0.6);
}

dlviz_status dlz_pca_triangle(const dlz_pca_input *input, double *triangle) {
    int64_t d = input->features;
    int workers = dlz_threads();
    qr_pass pass = {.input = input, .rows = dlz_max_i64(4 * d, DLZ_PCA_TILE)};
    pass.count = dlz_ceil_div(input->samples, pass.rows);
    pass.triangles = dlz_alloc_array((uint64_t)(pass.count * d), (uint64_t)d * sizeof(double));
    pass.scratch = dlz_alloc_array((uint64_t)(workers * pass.rows), (uint64_t)d * sizeof(double));
    pass.status = dlz_alloc_array((uint64_t)pass.count, sizeof *pass.status);
    dlviz_status status;
    if (pass.triangles && pass.scratch && pass.status)
        status = factor(&pass, workers);
    else
        status = dlz_fail_memory("QR factors",
                                 (uint64_t)(pass.count * d) * (uint64_t)d * sizeof(double));
    if (status == DLVIZ_OK)
        memcpy(triangle, pass.triangles, (size_t)(d * d) * sizeof *triangle);
    dlz_free(pass.scratch);
    dlz_free(pass.status);
    dlz_free(pass.triangles);
    return status;
}

/* The singular values, falling, and the right singular vectors as rows, of n >= d points. */
static dlviz_status tall(const dlz_pca_input *input, double *values, double *vectors) {
    int64_t d = input->features;
    double *triangle = dlz_alloc_array((uint64_t)d * (uint64_t)d, sizeof *triangle);
    if (!triangle)
        return dlz_fail_memory("a QR factor", (uint64_t)d * (uint64_t)d * sizeof *triangle);
    dlviz_status status = dlz_pca_triangle(input, triangle);
    if (status == DLVIZ_OK)
        status = dlz_svd_right(d, d, triangle, values, vectors);
    dlz_free(triangle);
    return status;
}

typedef struct rotate_pass {
    const double *rotation, *basis;
    double *vectors;
    int64_t n, d;
} rotate_pass;

static void rotate_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const rotate_pass *pass = context;
    int64_t first = tile * 256, width = dlz_min_i64(256, pass->d - first);
    dlz_dgemm(false, false, pass->n, width, pass->n, 1, pass->rotation, pass->n,
              pass->basis + first, pass->d, 0, pass->vectors + first, pass->d);
}

/* The same of n < d points: x = r q with q's rows orthonormal, r = u s vᵀ, so x = u s (vᵀ q). */
static dlviz_status wide(const dlz_pca_input *input, double *values, double *vectors) {
    int64_t n = input->samples, d = input->features;
    double *basis = dlz_alloc_array((uint64_t)(n * d), sizeof *basis);
    double *triangle = dlz_alloc_array((uint64_t)(n * n) * 2, sizeof *triangle);
    double *rotation = triangle ? triangle + n * n : NULL;
    dlviz_status status = DLVIZ_OK;
    if (!basis || !triangle)
        status = dlz_fail_memory("QR factors", (uint64_t)(n * d) * sizeof *basis);
    if (status == DLVIZ_OK) {
        for (int64_t i = 0; i < n; i++)
            dlz_center()->to_double(input->data + i * d, input->mean, basis + i * d, d);
        status = dlz_orthonormalize_rows(n, d, basis, triangle);
    }
    if (status == DLVIZ_OK)
        status = dlz_svd_right(n, n, triangle, values, rotation);
    if (status == DLVIZ_OK) {
        rotate_pass pass = {rotation, basis, vectors, n, d};
        dlz_parallel_for(dlz_ceil_div(d, 256), dlz_threads(), rotate_tile, &pass);
    }
    dlz_free(basis);
    dlz_free(triangle);
    return status;
}

dlviz_status dlz_pca_solve_svd(dlz_pca_input *input, dlz_pca_model *model) {
    input->used = DLVIZ_PCA_SOLVER_SVD;
    int64_t n = input->samples, d = input->features, most = dlz_min_i64(n, d);
    size_t cells;
    if (dlz_mul_overflows((uint64_t)most, (uint64_t)d, &cells))
        return dlz_fail_memory("singular vectors", SIZE_MAX);
    model->variance = dlz_alloc_array((uint64_t)most, sizeof *model->variance);
    model->components = dlz_alloc_array(cells, sizeof *model->components);
    if (!model->variance || !model->components)
        return dlz_fail_memory("singular vectors", cells * sizeof *model->components);
    DLZ_TRY((n < d ? wide : tall)(input, model->variance, model->components));
    for (int64_t i = 0; i < most; i++)
        model->variance[i] *= model->variance[i] / (double)(n - 1);
    model->count = dlz_pca_wanted(input->pca, most);
    if (input->pca->fraction > 0)
        model->count = dlz_pca_count_for_fraction(model->variance, most, model->total_variance,
                                                  input->pca->fraction);
    return DLVIZ_OK;
}
