#include "pca/pca.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/embed/center.h"
#include "linalg/linalg.h"

#include <math.h>
#include <string.h>

/* components[count x features] = vectors[count x samples] (x - μ), by ranges of features. */
typedef struct back_pass {
    const dlz_pca_input *input;
    const double *vectors;
    double *components, *chunks;
    int64_t count;
} back_pass;

#define BACK_WIDTH 64

static void back_tile(void *context, int64_t tile, int worker) {
    const back_pass *pass = context;
    const dlz_pca_input *input = pass->input;
    int64_t n = input->samples, d = input->features, first = tile * BACK_WIDTH;
    int64_t width = dlz_min_i64(BACK_WIDTH, d - first);
    double *chunk = pass->chunks + worker * n * BACK_WIDTH;
    for (int64_t i = 0; i < n; i++)
        dlz_center()->to_double(input->data + i * d + first, input->mean + first, chunk + i * width,
                                width);
    dlz_dgemm(false, false, pass->count, width, n, 1, pass->vectors, n, chunk, width, 0,
              pass->components + first, d);
}

/* From eigenvectors of the Gram matrix to directions of the data. Those of tiny variance come out
 * inexact; orthonormalizing in falling order puts that right. */
static dlviz_status back_to_features(const dlz_pca_input *input, const double *vectors,
                                     int64_t count, double *components) {
    int workers = dlz_threads();
    uint64_t doubles = (uint64_t)workers * (uint64_t)input->samples * BACK_WIDTH;
    back_pass pass = {input, vectors, components, dlz_alloc_array(doubles, sizeof(double)), count};
    if (!pass.chunks)
        return dlz_fail_memory("a chunk of data", doubles * sizeof(double));
    dlz_task_part(0.9, 1);
    dlviz_status status =
        dlz_parallel_for_task(dlz_ceil_div(input->features, BACK_WIDTH), workers, back_tile, &pass);
    dlz_free(pass.chunks);
    DLZ_TRY(status);
    return dlz_orthonormalize_rows(count, input->features, components, NULL);
}

/* Eigenvectors of the varying columns become those of all: the other columns' are unit vectors, and
 * come last, with eigenvalues of 0. In place, from the last row on. */
static void insert_columns(const dlz_pca_varying *varying, int64_t features, int64_t count,
                           double *values, double *rows) {
    int64_t found = dlz_min_i64(count, varying->count);
    for (int64_t i = found - 1; i >= 0; i--) {
        double *row = rows + i * features;
        memmove(row, rows + i * varying->count, (size_t)varying->count * sizeof *row);
        for (int64_t c = features - 1, j = varying->count - 1; c >= 0; c--) {
            bool varies = j >= 0 && varying->columns[j] == c;
            row[c] = varies ? row[j] : 0;
            j -= varies;
        }
    }
    for (int64_t i = found, c = 0, j = 0; i < count; c++) {
        if (j < varying->count && varying->columns[j] == c) {
            j++;
            continue;
        }
        memset(rows + i * features, 0, (size_t)features * sizeof *rows);
        rows[i * features + c] = 1;
        values[i++] = 0;
    }
}

/* What the eigenvalues, of which the last are 0 where columns do not vary, say of how many vectors
 * are wanted. */
static dlviz_status count_for_fraction(const dlz_pca_input *input, const dlz_eigen *eigen,
                                       int64_t found, int64_t size, dlz_pca_model *model) {
    DLZ_TRY(dlz_eigen_values(eigen, model->variance));
    for (int64_t i = found; i < size; i++)
        model->variance[i] = 0;
    model->count =
        dlz_pca_count_for_fraction(model->variance, size, input->scatter, input->pca->fraction);
    return DLVIZ_OK;
}

static dlviz_status solve_eigen(const dlz_pca_input *input, bool gram, int64_t found,
                                const dlz_eigen *eigen, dlz_pca_model *model) {
    int64_t n = input->samples, d = input->features, size = gram ? n : d;
    double *values = dlz_alloc_array((uint64_t)size, sizeof *values), *vectors = NULL;
    model->variance = values;
    if (!values)
        return dlz_fail_memory("variances", (uint64_t)size * sizeof *values);
    model->count = dlz_pca_wanted(input->pca, size);
    if (input->pca->fraction > 0)
        DLZ_TRY(count_for_fraction(input, eigen, found, size, model));
    uint64_t cells = (uint64_t)model->count * (uint64_t)d;
    model->components = dlz_alloc_array(cells, sizeof *model->components);
    if (!model->components)
        return dlz_fail_memory("components", cells * sizeof *model->components);
    if (gram) {
        cells = (uint64_t)model->count * (uint64_t)n;
        vectors = dlz_alloc_array(cells, sizeof *vectors);
        if (!vectors)
            return dlz_fail_memory("eigenvectors", cells * sizeof *vectors);
    }
    dlviz_status status = dlz_eigen_vectors(eigen, dlz_min_i64(model->count, found), values,
                                            gram ? vectors : model->components);
    if (status == DLVIZ_OK && gram)
        status = back_to_features(input, vectors, model->count, model->components);
    else if (status == DLVIZ_OK && input->varying.columns)
        insert_columns(&input->varying, d, model->count, values, model->components);
    dlz_free(vectors);
    for (int64_t i = 0; status == DLVIZ_OK && i < model->count; i++)
        values[i] = fmax(values[i], 0) / (double)(n - 1);
    return status;
}

/* By the leading rank, for all. */
static dlviz_status solve_matrix(dlz_pca_input *input, bool gram, double *matrix,
                                 dlz_pca_model *model) {
    int64_t varying = input->varying.columns ? input->varying.count : input->features;
    int64_t size = gram ? input->samples : varying;
    dlz_eigen *eigen = NULL;
    dlviz_status status = DLVIZ_OK;
    if (dlz_pca_leads(input))
        status = dlz_eigen_create(&eigen, size, matrix);
    if (status == DLVIZ_OK && eigen)
        status = solve_eigen(input, gram, size, eigen, model);
    dlz_eigen_destroy(eigen);
    return dlz_pca_share(input, status, model);
}

/* *refused: no solver can do it. */
static dlviz_status solve_covariance(dlz_pca_input *input, dlz_pca_model *model, bool *refused) {
    bool gram = input->samples < input->features;
    if (!gram && !input->searched && input->features > DLZ_PCA_NARROW)
        DLZ_TRY(dlz_pca_find_varying(input, &input->varying));
    double *matrix;
    dlviz_status status = dlz_pca_scatter_matrix(input, gram, &matrix, &input->scatter);
    if (status == DLVIZ_OK) {
        status = dlz_pca_set_variance("dlviz_pca_fit", input, model);
        *refused = status != DLVIZ_OK;
    }
    if (status == DLVIZ_OK)
        status = solve_matrix(input, gram, matrix, model);
    dlz_free(matrix);
    dlz_free(input->varying.columns);
    input->varying = (dlz_pca_varying){0};
    input->searched = false;
    return status;
}

/* Singular vectors are found by other drivers: what no eigensolver can do is left to them. */
dlviz_status dlz_pca_solve_covariance(dlz_pca_input *input, dlz_pca_model *model) {
    if (input->comm && input->samples < input->features)
        return dlz_pca_solve_whole(input, dlz_pca_solve_covariance, model);
    input->used = DLVIZ_PCA_SOLVER_COVARIANCE;
    dlz_failure before;
    dlz_failure_keep(&before);
    bool refused = false;
    dlviz_status status = solve_covariance(input, model, &refused);
    if (status != DLVIZ_ERROR_NUMERIC || refused)
        return status;
    dlz_failure_put_back(&before);
    dlz_pca_forget_components(model);
    return dlz_pca_solve_svd(input, model);
}
