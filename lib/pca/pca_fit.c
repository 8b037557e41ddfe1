#include "pca/pca.h"
#include "base/base.h"
#include "base/progress.h"
#include "comm/enter.h"

#include <math.h>

/* With fewer rows and columns than so many times the vectors that iteration works on, the
 * covariance is sooner there (measured; by the products alone, 16). */
#define VECTORS_TO_CONVERGE 30

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

static dlviz_pca_solver_kind choose_solver(const dlviz_pca *pca, int64_t most) {
    if (pca->solver != DLVIZ_PCA_SOLVER_AUTO)
        return pca->solver;
    bool few = pca->fraction == 0 && pca->components > 0 &&
               pca->components + pca->oversampling <= most / VECTORS_TO_CONVERGE;
    return few ? DLVIZ_PCA_SOLVER_RANDOMIZED : DLVIZ_PCA_SOLVER_COVARIANCE;
}

static dlviz_status check_size(const char *who, const dlz_pca_input *input) {
    int64_t n = input->samples, d = input->features, wanted = input->pca->components;
    if (n < 2)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'data' has %lld row%s; a variance needs at least 2",
                        who, (long long)n, n == 1 ? "" : "s");
    if (input->pca->fraction == 0 && wanted > dlz_min_i64(n, d))
        return dlz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "%s: %lld components of data with %lld rows and %lld columns; 1 to %lld are "
            "possible",
            who, (long long)wanted, (long long)n, (long long)d, (long long)dlz_min_i64(n, d));
    return DLVIZ_OK;
}

/* On the way, columns that vary, where they are worth a search. */
static dlviz_status find_mean(const char *who, dlz_pca_input *input, double *mean) {
    bool wide = input->features > DLZ_PCA_NARROW && input->samples >= input->features;
    if (!wide || input->used != DLVIZ_PCA_SOLVER_COVARIANCE)
        return dlz_pca_find_mean(who, input, NULL, mean);
    dlz_pca_search search;
    DLZ_TRY(dlz_pca_search_begin(input, &search));
    dlviz_status status = dlz_pca_find_mean(who, input, search.count > 0 ? &search : NULL, mean);
    if (status != DLVIZ_OK) {
        dlz_pca_search_drop(&search);
        return status;
    }
    input->searched = true;
    return dlz_pca_search_end(input, &search, &input->varying);
}

static dlviz_status solve(dlz_pca_input *input, dlz_pca_model *model) {
    switch (input->used) {
    case DLVIZ_PCA_SOLVER_SVD:
        return dlz_pca_solve_svd(input, model);
    case DLVIZ_PCA_SOLVER_RANDOMIZED:
        return dlz_pca_solve_randomized(input, model);
    default:
        return dlz_pca_solve_covariance(input, model);
    }
}

static dlviz_status make_model(dlz_pca_input *input, dlz_pca_model *model) {
    int64_t d = input->features;
    model->samples = input->samples;
    model->features = d;
    model->mean = dlz_alloc_array((uint64_t)d, sizeof *model->mean);
    dlviz_status status = model->mean ? dlz_pca_report(input->pca, 0)
                                      : dlz_fail_memory("a mean", (uint64_t)d * sizeof(double));
    DLZ_TRY(dlz_pca_agree(input, status));
    input->mean = model->mean;
    dlz_task_part(0, 0);
    DLZ_TRY(find_mean("dlviz_pca_fit", input, model->mean));
    DLZ_TRY(solve(input, model));
    dlz_pca_fix_signs(model->components, model->count, d);
    return dlz_pca_agree(input, dlz_pca_report(input->pca, 1));
}

/* With `projected` the data are projected, too, before the earlier fit goes. */
static dlviz_status fit(const char *who, dlviz_pca *pca, const dlviz_tensor *data,
                        dlviz_status status, dlviz_tensor **projected) {
    dlz_pca_input input;
    DLZ_TRY(dlz_pca_join(who, "data", pca, data, status, &input));
    DLZ_TRY(check_size(who, &input));
    input.used = choose_solver(pca, dlz_min_i64(input.samples, input.features));
    dlz_pca_model model = {0};
    dlz_task task;
    status = dlz_pca_agree(&input, dlz_task_begin(&task, "PCA"));
    if (status == DLVIZ_OK)
        status = make_model(&input, &model);
    if (status == DLVIZ_OK && projected)
        status = dlz_comm_agree(input.comm, dlz_pca_project(&model, pca->whiten, data, projected));
    if (status == DLVIZ_OK)
        status = dlz_pca_adopt(input.comm, pca, &model);
    if (status == DLVIZ_OK)
        pca->used = input.used;
    dlz_task_end(&task);
    dlz_free(input.varying.columns);
    dlz_pca_model_clear(&model);
    return status;
}

dlviz_status dlviz_pca_fit(dlviz_pca *pca, const dlviz_tensor *data) {
    DLZ_REQUIRE(pca);
    DLZ_HOLD_TOGETHER(&pca->busy, "PCA", DLZ_ALONE, pca->comm);
    return fit(__func__, pca, data, DLVIZ_OK, NULL);
}

dlviz_status dlviz_pca_fit_transform(dlviz_pca *pca, const dlviz_tensor *data,
                                     dlviz_tensor **projected) {
    dlviz_status status = DLZ_OUT_STATUS(projected);
    DLZ_REQUIRE(pca);
    DLZ_HOLD_TOGETHER(&pca->busy, "PCA", DLZ_ALONE, pca->comm);
    status = fit(__func__, pca, data, status, projected);
    if (status != DLVIZ_OK && projected) {
        dlviz_tensor_destroy(*projected);
        *projected = NULL;
    }
    return status;
}
