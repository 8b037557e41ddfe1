#include "pca/pca.h"
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/embed/center.h"
#include "linalg/linalg.h"

#include <string.h>

/* Tall data: QR, then the singular vectors of its triangle. Wide data: QR of the transpose. */

static double squares(const double *numbers, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += numbers[i] * numbers[i];
    return sum;
}

static dlviz_status set_variance(dlz_pca_input *input, double scatter, dlz_pca_model *model) {
    input->scatter = scatter;
    return dlz_pca_set_variance("dlviz_pca_fit", input, model);
}

/* The singular values, falling, and the right singular vectors as rows, of n >= d points. */
static dlviz_status tall(dlz_pca_input *input, double *triangle, dlz_pca_model *model) {
    int64_t d = input->features;
    DLZ_TRY(set_variance(input, squares(triangle, d * d), model));
    return dlz_svd_right(d, d, triangle, model->variance, model->components);
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
static dlviz_status wide(dlz_pca_input *input, dlz_pca_model *model) {
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
    dlz_pages_release(&input->pages);
    if (status == DLVIZ_OK)
        status = set_variance(input, squares(triangle, n * n), model);
    if (status == DLVIZ_OK)
        status = dlz_svd_right(n, n, triangle, model->variance, rotation);
    if (status == DLVIZ_OK) {
        rotate_pass pass = {rotation, basis, model->components, n, d};
        dlz_parallel_for(dlz_ceil_div(d, 256), dlz_threads(), rotate_tile, &pass);
    }
    dlz_free(basis);
    dlz_free(triangle);
    return status;
}

/* By the leading rank. */
static dlviz_status decompose(dlz_pca_input *input, double *triangle, dlz_pca_model *model) {
    int64_t n = input->samples, d = input->features, most = dlz_min_i64(n, d);
    size_t cells;
    if (dlz_mul_overflows((uint64_t)most, (uint64_t)d, &cells))
        return dlz_fail_memory("singular vectors", SIZE_MAX);
    model->variance = dlz_alloc_array((uint64_t)most, sizeof *model->variance);
    model->components = dlz_alloc_array(cells, sizeof *model->components);
    if (!model->variance || !model->components)
        return dlz_fail_memory("singular vectors", cells * sizeof *model->components);
    DLZ_TRY(triangle ? tall(input, triangle, model) : wide(input, model));
    for (int64_t i = 0; i < most; i++)
        model->variance[i] *= model->variance[i] / (double)(n - 1);
    model->count = dlz_pca_wanted(input->pca, most);
    if (input->pca->fraction > 0)
        model->count = dlz_pca_count_for_fraction(model->variance, most, model->total_variance,
                                                  input->pca->fraction);
    return DLVIZ_OK;
}

dlviz_status dlz_pca_solve_svd(dlz_pca_input *input, dlz_pca_model *model) {
    int64_t n = input->samples, d = input->features;
    if (input->comm && n < DLZ_PCA_ROWS_FOR_LEAVES * d)
        return dlz_pca_solve_whole(input, dlz_pca_solve_svd, model);
    input->used = DLVIZ_PCA_SOLVER_SVD;
    double *triangle = NULL;
    dlviz_status status = DLVIZ_OK;
    if (n >= d) {
        triangle = dlz_alloc_array((uint64_t)d * (uint64_t)d, sizeof *triangle);
        status = dlz_pca_agree(input,
                               triangle ? DLVIZ_OK
                                        : dlz_fail_memory("a QR factor", (uint64_t)d * (uint64_t)d *
                                                                             sizeof *triangle));
        if (status == DLVIZ_OK)
            status = dlz_pca_triangle(input, triangle);
    }
    if (status == DLVIZ_OK) {
        if (dlz_pca_leads(input))
            status = decompose(input, triangle, model);
        status = dlz_pca_share(input, status, model);
    }
    dlz_free(triangle);
    return status;
}
