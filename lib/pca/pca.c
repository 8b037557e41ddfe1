#include "pca/pca.h"
#include "base/base.h"
#include "base/progress.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

static dlviz_status check_wanted(const char *who, int64_t num_wanted) {
    if (num_wanted < 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'num_wanted' is %lld; 1 or more are accepted, or 0 for all", who,
                        (long long)num_wanted);
    return DLVIZ_OK;
}

/* What every setter begins with. */
#define BEGIN_SETTING(pca)                                                                         \
    DLZ_REQUIRE(pca);                                                                              \
    DLZ_HOLD_ALONE(&pca->busy, "PCA")

dlviz_status dlviz_pca_create(dlviz_pca **out, int64_t num_wanted) {
    DLZ_REQUIRE_OUT(out);
    DLZ_TRY(check_wanted(__func__, num_wanted));
    dlviz_pca *pca = dlz_alloc_zero(sizeof *pca);
    if (!pca)
        return dlz_fail_memory("a PCA", sizeof *pca);
    pca->components = num_wanted;
    pca->oversampling = 10;
    *out = pca;
    return DLVIZ_OK;
}

static void destroy_results(dlviz_pca *pca) {
    dlviz_tensor_destroy(pca->mean);
    dlviz_tensor_destroy(pca->vectors);
    dlviz_tensor_destroy(pca->variance);
    dlviz_tensor_destroy(pca->ratio);
    dlviz_tensor_destroy(pca->singular);
}

void dlviz_pca_destroy(dlviz_pca *pca) {
    if (!pca)
        return;
    dlz_pca_model_clear(&pca->model);
    destroy_results(pca);
    dlviz_comm_destroy(pca->comm);
    dlz_free(pca);
}

dlviz_status dlviz_pca_set_num_wanted(dlviz_pca *pca, int64_t num_wanted) {
    BEGIN_SETTING(pca);
    DLZ_TRY(check_wanted(__func__, num_wanted));
    pca->components = num_wanted;
    pca->fraction = 0;
    return DLVIZ_OK;
}

dlviz_status dlviz_pca_set_variance_fraction(dlviz_pca *pca, double fraction) {
    BEGIN_SETTING(pca);
    char text[DLZ_NUMBER_SIZE];
    if (!(fraction > 0 && fraction < 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'fraction' is %s; a number between 0 and 1 is accepted", __func__,
                        dlz_number(text, fraction, 6));
    pca->fraction = fraction;
    return DLVIZ_OK;
}

dlviz_status dlviz_pca_set_solver(dlviz_pca *pca, dlviz_pca_solver_kind solver) {
    BEGIN_SETTING(pca);
    if ((int)solver < DLVIZ_PCA_SOLVER_AUTO || (int)solver > DLVIZ_PCA_SOLVER_RANDOMIZED)
        return dlz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "%s: 'solver' is %d; DLVIZ_PCA_SOLVER_AUTO, _COVARIANCE, _SVD and _RANDOMIZED are "
            "accepted",
            __func__, (int)solver);
    pca->solver = solver;
    return DLVIZ_OK;
}

dlviz_status dlviz_pca_set_whiten(dlviz_pca *pca, bool whiten) {
    BEGIN_SETTING(pca);
    pca->whiten = whiten;
    return DLVIZ_OK;
}

dlviz_status dlviz_pca_set_seed(dlviz_pca *pca, uint64_t seed) {
    BEGIN_SETTING(pca);
    pca->seed = seed;
    return DLVIZ_OK;
}

dlviz_status dlviz_pca_set_randomized(dlviz_pca *pca, int64_t oversampling,
                                      int64_t num_iterations) {
    BEGIN_SETTING(pca);
    if (oversampling < 0 || oversampling > 1000)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'oversampling' is %lld; 0 to 1000 are accepted", __func__,
                        (long long)oversampling);
    if (num_iterations < 0 || num_iterations > 1000)
        return dlz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "%s: 'num_iterations' is %lld; 1 to 1000 are accepted, or 0 for as many as it takes",
            __func__, (long long)num_iterations);
    pca->oversampling = (int)oversampling;
    pca->iterations = (int)num_iterations;
    return DLVIZ_OK;
}

dlviz_status dlviz_pca_set_progress(dlviz_pca *pca, dlviz_pca_progress_fn progress, void *user) {
    BEGIN_SETTING(pca);
    pca->progress = progress;
    pca->progress_user = user;
    return DLVIZ_OK;
}

dlviz_status dlviz_pca_set_comm(dlviz_pca *pca, dlviz_comm *comm) {
    BEGIN_SETTING(pca);
    dlviz_comm *before = pca->comm;
    pca->comm = comm ? dlz_comm_hold(comm) : NULL;
    dlviz_comm_destroy(before);
    return DLVIZ_OK;
}

double dlviz_pca_event_done(const dlviz_pca_event *event) {
    return event ? event->done : NAN;
}

dlviz_status dlz_pca_report(const dlviz_pca *pca, double done) {
    dlviz_pca_event event = {done};
    if (pca->progress && !pca->progress(&event, pca->progress_user))
        return dlz_fail(DLVIZ_CANCELLED, "the PCA was cancelled by its progress callback");
    dlz_task_part(0, 1);
    return dlz_task_report(done);
}

void dlz_pca_model_clear(dlz_pca_model *model) {
    dlz_free(model->mean);
    dlz_free(model->components);
    dlz_free(model->variance);
    *model = (dlz_pca_model){0};
}

void dlz_pca_forget_components(dlz_pca_model *model) {
    dlz_free(model->components);
    dlz_free(model->variance);
    model->components = model->variance = NULL;
    model->count = 0;
}

static dlviz_status make_result(dlviz_tensor **out, int64_t rows, int64_t columns,
                                const double *values) {
    int64_t dims[2] = {rows, columns};
    DLZ_TRY(dlz_tensor_create_raw(out, DLVIZ_FLOAT32, rows ? 2 : 1, rows ? dims : dims + 1));
    float *to = (*out)->data;
    for (int64_t i = 0; i < (*out)->size; i++)
        to[i] = (float)values[i];
    return DLVIZ_OK;
}

static dlviz_status make_results(dlviz_pca *fresh, const dlz_pca_model *model) {
    int64_t k = model->count;
    double *scaled = dlz_alloc_array((uint64_t)k * 2, sizeof *scaled);
    if (!scaled)
        return dlz_fail_memory("PCA results", (uint64_t)k * 2 * sizeof *scaled);
    for (int64_t i = 0; i < k; i++) {
        double v = model->variance[i];
        scaled[i] = model->total_variance > 0 ? v / model->total_variance : 0;
        scaled[k + i] = sqrt(v * (double)(model->samples - 1));
    }
    dlviz_status status = make_result(&fresh->mean, 0, model->features, model->mean);
    if (status == DLVIZ_OK)
        status = make_result(&fresh->vectors, k, model->features, model->components);
    if (status == DLVIZ_OK)
        status = make_result(&fresh->variance, 0, k, model->variance);
    if (status == DLVIZ_OK)
        status = make_result(&fresh->ratio, 0, k, scaled);
    if (status == DLVIZ_OK)
        status = make_result(&fresh->singular, 0, k, scaled + k);
    dlz_free(scaled);
    return status;
}

/* No more than the results is written: other threads may be looking at the handle's mark. */
dlviz_status dlz_pca_adopt(dlviz_comm *comm, dlviz_pca *pca, dlz_pca_model *model) {
    dlviz_pca fresh = {.components = 0};
    dlviz_status status = dlz_comm_agree(comm, make_results(&fresh, model));
    if (status != DLVIZ_OK) {
        destroy_results(&fresh);
        return status;
    }
    destroy_results(pca);
    dlz_pca_model_clear(&pca->model);
    pca->mean = fresh.mean;
    pca->vectors = fresh.vectors;
    pca->variance = fresh.variance;
    pca->ratio = fresh.ratio;
    pca->singular = fresh.singular;
    pca->model = *model;
    *model = (dlz_pca_model){0};
    return DLVIZ_OK;
}

int64_t dlviz_pca_num_wanted(const dlviz_pca *pca) {
    return pca ? pca->components : 0;
}

double dlviz_pca_variance_fraction(const dlviz_pca *pca) {
    return pca ? pca->fraction : 0;
}

dlviz_pca_solver_kind dlviz_pca_solver(const dlviz_pca *pca) {
    return pca ? pca->solver : DLVIZ_PCA_SOLVER_AUTO;
}

bool dlviz_pca_whiten(const dlviz_pca *pca) {
    return pca && pca->whiten;
}

uint64_t dlviz_pca_seed(const dlviz_pca *pca) {
    return pca ? pca->seed : 0;
}

void dlviz_pca_randomized(const dlviz_pca *pca, int64_t *oversampling, int64_t *num_iterations) {
    if (oversampling)
        *oversampling = pca ? pca->oversampling : 0;
    if (num_iterations)
        *num_iterations = pca ? pca->iterations : 0;
}

dlviz_comm *dlviz_pca_comm(const dlviz_pca *pca) {
    return pca ? pca->comm : NULL;
}

int64_t dlviz_pca_num_components(const dlviz_pca *pca) {
    return pca ? pca->model.count : 0;
}
int64_t dlviz_pca_num_features(const dlviz_pca *pca) {
    return pca ? pca->model.features : 0;
}
int64_t dlviz_pca_num_samples(const dlviz_pca *pca) {
    return pca ? pca->model.samples : 0;
}
dlviz_pca_solver_kind dlviz_pca_solver_used(const dlviz_pca *pca) {
    return pca ? pca->used : DLVIZ_PCA_SOLVER_AUTO;
}
const dlviz_tensor *dlviz_pca_mean(const dlviz_pca *pca) {
    return pca ? pca->mean : NULL;
}
const dlviz_tensor *dlviz_pca_components(const dlviz_pca *pca) {
    return pca ? pca->vectors : NULL;
}
const dlviz_tensor *dlviz_pca_explained_variance(const dlviz_pca *pca) {
    return pca ? pca->variance : NULL;
}
const dlviz_tensor *dlviz_pca_explained_variance_ratio(const dlviz_pca *pca) {
    return pca ? pca->ratio : NULL;
}
const dlviz_tensor *dlviz_pca_singular_values(const dlviz_pca *pca) {
    return pca ? pca->singular : NULL;
}
double dlviz_pca_total_variance(const dlviz_pca *pca) {
    return pca ? pca->model.total_variance : 0;
}

double dlviz_pca_noise_variance(const dlviz_pca *pca) {
    if (!pca || pca->model.count == 0)
        return 0;
    const dlz_pca_model *model = &pca->model;
    int64_t left = dlz_min_i64(model->samples, model->features) - model->count;
    if (left <= 0)
        return 0;
    double rest = model->total_variance;
    for (int64_t i = 0; i < model->count; i++)
        rest -= model->variance[i];
    return fmax(rest, 0) / (double)left;
}
