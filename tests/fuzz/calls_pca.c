/* Calls of dlviz/pca.h. */
#include "calls.h"

#include <math.h>

DECLARE_SETTINGS(pca)

static bool progress(const dlviz_pca_event *event, void *user) {
    double done = dlviz_pca_event_done(event);
    require(done >= 0 && done <= 1, "a share of the work");
    if (one_in(8)) {
        disturb();
        require(CALL(dlviz_pca_set_whiten(user, true)) == DLVIZ_ERROR_STATE,
                "a handle in use is refused");
    }
    return !one_in(16);
}

static void see_pca(const dlviz_pca *pca) {
    const dlviz_tensor *(*const results[])(const dlviz_pca *) = {
        dlviz_pca_mean, dlviz_pca_components, dlviz_pca_explained_variance,
        dlviz_pca_explained_variance_ratio, dlviz_pca_singular_values};
    int64_t k = dlviz_pca_num_components(pca), oversampling, iterations;
    require((k > 0) == (dlviz_pca_mean(pca) != NULL), "a mean of what is fitted");
    for (int64_t i = 0; i < COUNT(results); i++) {
        see_tensor(results[i](pca));
        require(is_finite_tensor(results[i](pca)), "results are finite");
    }
    see_count(dlviz_pca_num_features(pca));
    see_count(dlviz_pca_num_samples(pca));
    see_number(dlviz_pca_total_variance(pca));
    see_number(dlviz_pca_noise_variance(pca));
    require((unsigned)dlviz_pca_solver_used(pca) < 4, "a solver");
    dlviz_pca_randomized(pca, &oversampling, &iterations);
    dlviz_pca_randomized(pca, NULL, NULL);
    (void)dlviz_pca_seed(pca);
    (void)dlviz_pca_comm(pca);
}

static void set(dlviz_pca *pca) {
    int64_t first, second, got[2];
    dlviz_pca_solver_kind solver;
    dlviz_comm *comm;
    switch (below(8)) {
    case 0:
        if (CALL(dlviz_pca_set_num_wanted(pca, first = a_count())) == DLVIZ_OK)
            require(dlviz_pca_num_wanted(pca) == first && first >= 0, "a setting");
        break;
    case 1:
        if (CALL(dlviz_pca_set_variance_fraction(pca, 0.9)) == DLVIZ_OK)
            SET_NUMBER(pca,
                       ((pca_number){dlviz_pca_set_variance_fraction, dlviz_pca_variance_fraction,
                                     ABOVE_0, BELOW_1}),
                       pca, a_share());
        break;
    case 2:
        solver = (dlviz_pca_solver_kind)an_enum(4);
        if (CALL(dlviz_pca_set_solver(pca, solver)) == DLVIZ_OK)
            require(dlviz_pca_solver(pca) == solver && (unsigned)solver < 4, "a setting");
        break;
    case 3:
        SET_FLAG(pca, ((pca_flag){dlviz_pca_set_whiten, dlviz_pca_whiten}), pca, a_bool());
        break;
    case 4:
        (void)CALL(dlviz_pca_set_seed(pca, a_seed()));
        break;
    case 5:
        first = one_in(4) ? an_int() : below(4);
        second = one_in(4) ? an_int() : below(4);
        if (CALL(dlviz_pca_set_randomized(pca, first, second)) == DLVIZ_OK) {
            dlviz_pca_randomized(pca, &got[0], &got[1]);
            require(got[0] == first && got[1] == second, "a setting");
        }
        break;
    case 6:
        (void)CALL(dlviz_pca_set_progress(pca, one_in(3) ? NULL : progress, pca));
        break;
    default:
        comm = a_comm();
        (void)CALL(dlviz_pca_set_comm(pca, comm));
    }
}

static void require_same(dlviz_status status, const dlviz_pca *pca, uint64_t before) {
    uint64_t after = mark_of(dlviz_pca_components(pca), mark_of(dlviz_pca_mean(pca), 0));
    require(status == DLVIZ_OK || after == before, "a fit that fails leaves the former one");
}

void call_pca(void) {
    dlviz_pca *pca = a_pca();
    uint64_t before = mark_of(dlviz_pca_components(pca), mark_of(dlviz_pca_mean(pca), 0));
    int64_t d = dlviz_pca_num_features(pca), k = dlviz_pca_num_components(pca), rows = few_rows();
    const dlviz_tensor *data = floats(rows, d && !one_in(4) ? d : 1 + below(12));
    const char *path = a_path();
    blob file;
    dlviz_status status;
    switch (!pca && !one_in(8) ? 0 : below(16)) {
    case 0:
    case 1: {
        int64_t wanted = a_count();
        MAKE(pca, dlviz_pca_create(out, wanted));
        break;
    }
    case 2:
    case 3:
        set(pca);
        break;
    case 4:
    case 5:
    case 6:
        status = CALL(dlviz_pca_fit(pca, data));
        require_same(status, pca, before);
        break;
    case 7:
        MAKE(tensor, dlviz_pca_fit_transform(pca, data, out));
        break;
    case 8:
    case 9:
        status = CALL(dlviz_pca_partial_fit(pca, data));
        require_same(status, pca, before);
        break;
    case 10:
        MAKE(tensor, dlviz_pca_transform(pca, data, out));
        break;
    case 11:
        (void)CALL(dlviz_pca_transform_to_npy(pca, data, path));
        break;
    case 12:
        data = floats(rows, k > 0 ? k : 2);
        MAKE(tensor, dlviz_pca_inverse_transform(pca, data, out));
        break;
    case 13:
        if (a_bool())
            (void)CALL(dlviz_pca_save(pca, path));
        else
            WRITE(dlviz_pca_save_memory(pca, bytes, size));
        break;
    case 14:
        if (a_bool()) {
            MAKE(pca, dlviz_pca_open(out, path));
        } else {
            file = a_blob();
            MAKE(pca, dlviz_pca_open_memory(out, file.bytes, file.size));
        }
        break;
    default:
        drop_pca();
    }
    see_pca(a_pca());
}
