#include "pca/pca.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/embed/center.h"
#include "linalg/linalg.h"
#include "tensor/tensor.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* With fewer rows and columns than so many times the vectors that iteration works on, the
 * covariance is sooner there (measured; by the products alone, 16). */
#define VECTORS_TO_CONVERGE 30

typedef struct moments_pass {
    const float *data;
    const double *mean; /* NULL in the first pass */
    int64_t samples, features;
    double *partial; /* tiles x features sums, or tiles sums of squares */
} moments_pass;

static void sum_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const moments_pass *pass = context;
    int64_t d = pass->features, first = tile * DLZ_PCA_TILE;
    int64_t last = dlz_min_i64(first + DLZ_PCA_TILE, pass->samples);
    double *sums = pass->partial + tile * d;
    memset(sums, 0, (size_t)d * sizeof *sums);
    for (int64_t i = first; i < last; i++)
        dlz_center()->add(pass->data + i * d, sums, d);
}

static void square_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const moments_pass *pass = context;
    int64_t d = pass->features, first = tile * DLZ_PCA_TILE;
    int64_t last = dlz_min_i64(first + DLZ_PCA_TILE, pass->samples);
    double total = 0;
    for (int64_t i = first; i < last; i++)
        total += dlz_center()->squares(pass->data + i * d, pass->mean, d);
    pass->partial[tile] = total;
}

static dlviz_status name_bad_value(const char *who, const float *data, int64_t samples,
                                   int64_t features) {
    for (int64_t i = 0; i < samples * features; i++)
        if (!isfinite(data[i]))
            return dlz_fail(
                DLVIZ_ERROR_NUMERIC,
                "%s: row %lld, column %lld of the data is %s; all values must be finite", who,
                (long long)(i / features), (long long)(i % features),
                isnan(data[i]) ? "NaN" : "infinite");
    return DLVIZ_OK;
}

dlviz_status dlz_pca_moments(const char *who, const float *data, int64_t samples, int64_t features,
                             double *mean, double *scatter) {
    int64_t tiles = dlz_ceil_div(samples, DLZ_PCA_TILE);
    moments_pass pass = {data, NULL, samples, features,
                         dlz_alloc_array((uint64_t)tiles * (uint64_t)features, sizeof(double))};
    if (!pass.partial)
        return dlz_fail_memory("column sums",
                               (uint64_t)tiles * (uint64_t)features * sizeof(double));
    dlviz_status status = dlz_parallel_for_task(tiles, dlz_threads(), sum_tile, &pass);
    memset(mean, 0, (size_t)features * sizeof *mean);
    for (int64_t tile = 0; status == DLVIZ_OK && tile < tiles; tile++)
        for (int64_t j = 0; j < features; j++)
            mean[j] += pass.partial[tile * features + j];
    bool finite = true;
    for (int64_t j = 0; j < features; j++) {
        finite &= isfinite(mean[j]) != 0;
        mean[j] /= (double)samples;
    }
    *scatter = 0;
    if (finite && status == DLVIZ_OK) {
        pass.mean = mean;
        status = dlz_parallel_for_task(tiles, dlz_threads(), square_tile, &pass);
        for (int64_t tile = 0; status == DLVIZ_OK && tile < tiles; tile++)
            *scatter += pass.partial[tile];
    }
    dlz_free(pass.partial);
    DLZ_TRY(status);
    return finite ? DLVIZ_OK : name_bad_value(who, data, samples, features);
}

/* Loadings this near the largest count as large. Where two are equal by the data's symmetry, the
 * exact solvers' differ by less than 1e-11 of them, the randomized one's by less than 1e-5 as a
 * rule and 3e-4 where variances are near each other (measured): none of that decides a sign. */
#define TIE 1e-3

void dlz_pca_fix_signs(double *components, int64_t count, int64_t features) {
    for (int64_t i = 0; i < count; i++) {
        double *row = components + i * features, largest = 0;
        for (int64_t j = 0; j < features; j++)
            largest = fmax(largest, fabs(row[j]));
        int64_t first = 0;
        while (fabs(row[first]) < (1 - TIE) * largest)
            first++;
        if (row[first] < 0)
            for (int64_t j = 0; j < features; j++)
                row[j] = -row[j];
    }
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

static dlviz_pca_solver_kind choose_solver(const dlviz_pca *pca, int64_t most) {
    if (pca->solver != DLVIZ_PCA_SOLVER_AUTO)
        return pca->solver;
    bool few = pca->fraction == 0 && pca->components > 0 &&
               pca->components + pca->oversampling <= most / VECTORS_TO_CONVERGE;
    return few ? DLVIZ_PCA_SOLVER_RANDOMIZED : DLVIZ_PCA_SOLVER_COVARIANCE;
}

static dlviz_status check_fit(const char *who, const dlviz_pca *pca, const dlviz_tensor *data) {
    DLZ_TRY(dlz_require_matrix(who, "data", data));
    int64_t most = dlz_min_i64(data->dims[0], data->dims[1]);
    if (data->dims[0] < 2)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'data' has 1 row; a variance needs at least 2",
                        who);
    if (pca->fraction == 0 && pca->components > most)
        return dlz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "%s: %lld components of data with %lld rows and %lld columns; 1 to %lld are "
            "possible",
            who, (long long)pca->components, (long long)data->dims[0], (long long)data->dims[1],
            (long long)most);
    return DLVIZ_OK;
}

/* *solver: the one to use; then the one that was used. */
static dlviz_status solve(const dlviz_pca *pca, const dlviz_tensor *data,
                          dlviz_pca_solver_kind *solver, dlz_pca_model *model) {
    int64_t n = data->dims[0], d = data->dims[1];
    model->samples = n;
    model->features = d;
    model->mean = dlz_alloc_array((uint64_t)d, sizeof *model->mean);
    if (!model->mean)
        return dlz_fail_memory("a mean", (uint64_t)d * sizeof *model->mean);
    dlz_pca_input input = {pca, data->data, n, d, model->mean, 0, *solver, {0}};
    DLZ_TRY(dlz_pca_report(pca, 0));
    dlz_task_part(0, 0);
    DLZ_TRY(dlz_pca_moments("dlviz_pca_fit", input.data, n, d, model->mean, &input.scatter));
    model->total_variance = input.scatter / (double)(n - 1);
    DLZ_TRY(dlz_pca_require_range("dlviz_pca_fit", model->total_variance));
    switch (*solver) {
    case DLVIZ_PCA_SOLVER_SVD:
        DLZ_TRY(dlz_pca_solve_svd(&input, model));
        break;
    case DLVIZ_PCA_SOLVER_RANDOMIZED:
        DLZ_TRY(dlz_pca_solve_randomized(&input, model));
        break;
    default:
        DLZ_TRY(dlz_pca_solve_covariance(&input, model));
    }
    *solver = input.used;
    dlz_pca_fix_signs(model->components, model->count, d);
    return dlz_pca_report(pca, 1);
}

static dlviz_status fit(const char *who, dlviz_pca *pca, const dlviz_tensor *data) {
    DLZ_TRY(check_fit(who, pca, data));
    dlviz_pca_solver_kind solver = choose_solver(pca, dlz_min_i64(data->dims[0], data->dims[1]));
    DLZ_TASK("PCA");
    dlz_pca_model model = {0};
    dlviz_status status = solve(pca, data, &solver, &model);
    if (status == DLVIZ_OK)
        status = dlz_pca_adopt(pca, &model);
    if (status == DLVIZ_OK)
        pca->used = solver;
    dlz_pca_model_clear(&model);
    return status;
}

dlviz_status dlviz_pca_fit(dlviz_pca *pca, const dlviz_tensor *data) {
    DLZ_REQUIRE(pca);
    DLZ_HOLD_ALONE(&pca->busy, "PCA");
    return fit(__func__, pca, data);
}

dlviz_status dlviz_pca_fit_transform(dlviz_pca *pca, const dlviz_tensor *data,
                                     dlviz_tensor **projected) {
    DLZ_REQUIRE_OUT(projected);
    DLZ_REQUIRE(pca);
    DLZ_HOLD_ALONE(&pca->busy, "PCA");
    DLZ_TRY(fit(__func__, pca, data));
    return dlviz_pca_transform(pca, data, projected);
}
