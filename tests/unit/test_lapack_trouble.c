/* LAPACK's drivers that give up, and some that report success with a wrong answer: the linker puts
 * the functions below in their place. */
#include "base/base.h"
#include "linalg/linalg.h"
#include "support/pca.h"
#include "support/support.h"

#include <lapacke.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

typedef enum behavior {
    HONEST,
    GIVES_UP,
    REPEATS_A_VECTOR, /* success, but two vectors are the same */
    GIVES_NAN,
    BENDS_A_VECTOR, /* success, but one is a thousandth away from where it should be */
    SKIPS_THE_LARGEST
} behavior;

enum { DSTEMR, DSTEBZ, DSTEIN, DSTEDC, DSTEQR, DSTERF, ROUTINES };
static struct {
    behavior behavior;
    atomic_int calls; /* by several threads */
} routines[ROUTINES];

static void all_are(behavior manner, int first, int last) {
    for (int i = first; i <= last; i++)
        routines[i].behavior = manner;
}

static void all_are_honest(void) {
    all_are(HONEST, 0, ROUTINES - 1);
    for (int i = 0; i < ROUTINES; i++)
        routines[i].calls = 0;
}

/* True when the routine is to fail; counts the call. */
static bool called(int routine) {
    routines[routine].calls++;
    return routines[routine].behavior == GIVES_UP;
}

/* `count` vectors of n numbers, one after another. */
static void spoil(int routine, int n, int count, double *vectors) {
    if (count < 2)
        return;
    if (routines[routine].behavior == REPEATS_A_VECTOR)
        memcpy(vectors, vectors + n, (size_t)n * sizeof *vectors);
    if (routines[routine].behavior == GIVES_NAN)
        vectors[n / 2] = NAN;
    if (routines[routine].behavior == BENDS_A_VECTOR)
        for (int i = 0; i < n; i++)
            vectors[i] += 1e-3 * vectors[n + i];
}

lapack_int __real_LAPACKE_dstemr_work(int layout, char job, char range, lapack_int n, double *d,
                                      double *e, double low, double high, lapack_int first,
                                      lapack_int last, lapack_int *found, double *w, double *z,
                                      lapack_int ldz, lapack_int columns, lapack_int *support,
                                      lapack_logical *try_accuracy, double *work,
                                      lapack_int doubles, lapack_int *whole, lapack_int ints);
lapack_int __wrap_LAPACKE_dstemr_work(int layout, char job, char range, lapack_int n, double *d,
                                      double *e, double low, double high, lapack_int first,
                                      lapack_int last, lapack_int *found, double *w, double *z,
                                      lapack_int ldz, lapack_int columns, lapack_int *support,
                                      lapack_logical *try_accuracy, double *work,
                                      lapack_int doubles, lapack_int *whole, lapack_int ints);
lapack_int __wrap_LAPACKE_dstemr_work(int layout, char job, char range, lapack_int n, double *d,
                                      double *e, double low, double high, lapack_int first,
                                      lapack_int last, lapack_int *found, double *w, double *z,
                                      lapack_int ldz, lapack_int columns, lapack_int *support,
                                      lapack_logical *try_accuracy, double *work,
                                      lapack_int doubles, lapack_int *whole, lapack_int ints) {
    if (called(DSTEMR))
        return 22;
    if (routines[DSTEMR].behavior == SKIPS_THE_LARGEST && range == 'I') {
        first--;
        last--;
    }
    lapack_int info =
        __real_LAPACKE_dstemr_work(layout, job, range, n, d, e, low, high, first, last, found, w, z,
                                   ldz, columns, support, try_accuracy, work, doubles, whole, ints);
    spoil(DSTEMR, n, *found, z);
    return info;
}

lapack_int __real_LAPACKE_dstebz_work(char range, char order, lapack_int n, double low, double high,
                                      lapack_int first, lapack_int last, double tolerance,
                                      const double *d, const double *e, lapack_int *found,
                                      lapack_int *splits, double *w, lapack_int *block,
                                      lapack_int *split, double *work, lapack_int *whole);
lapack_int __wrap_LAPACKE_dstebz_work(char range, char order, lapack_int n, double low, double high,
                                      lapack_int first, lapack_int last, double tolerance,
                                      const double *d, const double *e, lapack_int *found,
                                      lapack_int *splits, double *w, lapack_int *block,
                                      lapack_int *split, double *work, lapack_int *whole);
lapack_int __wrap_LAPACKE_dstebz_work(char range, char order, lapack_int n, double low, double high,
                                      lapack_int first, lapack_int last, double tolerance,
                                      const double *d, const double *e, lapack_int *found,
                                      lapack_int *splits, double *w, lapack_int *block,
                                      lapack_int *split, double *work, lapack_int *whole) {
    if (called(DSTEBZ))
        return 4;
    return __real_LAPACKE_dstebz_work(range, order, n, low, high, first, last, tolerance, d, e,
                                      found, splits, w, block, split, work, whole);
}

lapack_int __real_LAPACKE_dstein_work(int layout, lapack_int n, const double *d, const double *e,
                                      lapack_int count, const double *w, const lapack_int *block,
                                      const lapack_int *split, double *z, lapack_int ldz,
                                      double *work, lapack_int *whole, lapack_int *failures);
lapack_int __wrap_LAPACKE_dstein_work(int layout, lapack_int n, const double *d, const double *e,
                                      lapack_int count, const double *w, const lapack_int *block,
                                      const lapack_int *split, double *z, lapack_int ldz,
                                      double *work, lapack_int *whole, lapack_int *failures);
lapack_int __wrap_LAPACKE_dstein_work(int layout, lapack_int n, const double *d, const double *e,
                                      lapack_int count, const double *w, const lapack_int *block,
                                      const lapack_int *split, double *z, lapack_int ldz,
                                      double *work, lapack_int *whole, lapack_int *failures) {
    if (called(DSTEIN))
        return 1;
    lapack_int info = __real_LAPACKE_dstein_work(layout, n, d, e, count, w, block, split, z, ldz,
                                                 work, whole, failures);
    spoil(DSTEIN, n, count, z);
    return info;
}

lapack_int __real_LAPACKE_dstedc_work(int layout, char job, lapack_int n, double *d, double *e,
                                      double *z, lapack_int ldz, double *work, lapack_int doubles,
                                      lapack_int *whole, lapack_int ints);
lapack_int __wrap_LAPACKE_dstedc_work(int layout, char job, lapack_int n, double *d, double *e,
                                      double *z, lapack_int ldz, double *work, lapack_int doubles,
                                      lapack_int *whole, lapack_int ints);
lapack_int __wrap_LAPACKE_dstedc_work(int layout, char job, lapack_int n, double *d, double *e,
                                      double *z, lapack_int ldz, double *work, lapack_int doubles,
                                      lapack_int *whole, lapack_int ints) {
    if (doubles >= 0 && called(DSTEDC))
        return 5;
    lapack_int info =
        __real_LAPACKE_dstedc_work(layout, job, n, d, e, z, ldz, work, doubles, whole, ints);
    if (doubles >= 0)
        spoil(DSTEDC, n, n, z + (n - 2) * n);
    return info;
}

lapack_int __real_LAPACKE_dsteqr_work(int layout, char job, lapack_int n, double *d, double *e,
                                      double *z, lapack_int ldz, double *work);
lapack_int __wrap_LAPACKE_dsteqr_work(int layout, char job, lapack_int n, double *d, double *e,
                                      double *z, lapack_int ldz, double *work);
lapack_int __wrap_LAPACKE_dsteqr_work(int layout, char job, lapack_int n, double *d, double *e,
                                      double *z, lapack_int ldz, double *work) {
    if (called(DSTEQR))
        return 7;
    lapack_int info = __real_LAPACKE_dsteqr_work(layout, job, n, d, e, z, ldz, work);
    spoil(DSTEQR, n, n, z + (n - 2) * n);
    return info;
}

lapack_int __real_LAPACKE_dsterf_work(lapack_int n, double *d, double *e);
lapack_int __wrap_LAPACKE_dsterf_work(lapack_int n, double *d, double *e);
lapack_int __wrap_LAPACKE_dsterf_work(lapack_int n, double *d, double *e) {
    if (called(DSTERF)) {
        d[0] = e[0] = NAN;
        return 3;
    }
    return __real_LAPACKE_dsterf_work(n, d, e);
}

/* ---- The eigensolver ---------------------------------------------------------------------------
 */

/* 2 on the diagonal, -1 beside it, times `scale`: eigenvalue k is 2 - 2 cos(kπ / (n + 1)). */
static void ck_second_difference(int n, int count, double scale) {
    double *a = dlz_alloc_array_zero((size_t)(n * n), sizeof *a), *values, *vectors;
    values = dlz_alloc_array((size_t)count, sizeof *values);
    vectors = dlz_alloc_array((size_t)(count * n), sizeof *vectors);
    for (int i = 0; i < n; i++) {
        a[i * n + i] = 2 * scale;
        if (i > 0)
            a[i * n + i - 1] = -scale;
    }
    dlz_eigen *eigen;
    ck_ok(dlz_eigen_create(&eigen, n, a));
    ck_ok(dlz_eigen_vectors(eigen, count, values, vectors));
    for (int i = 0; i < count; i++) {
        const double *v = vectors + i * n;
        double expected = 2 - 2 * cos((double)(n - i) * M_PI / (double)(n + 1));
        ck_assert_double_eq_tol(values[i] / scale, expected, 1e-13);
        for (int j = 0; j < n; j++) {
            double product = 2 * v[j] - (j > 0 ? v[j - 1] : 0) - (j < n - 1 ? v[j + 1] : 0);
            ck_assert_double_eq_tol(product, expected * v[j], 1e-12);
        }
        for (int j = 0; j <= i; j++) {
            double dot = 0;
            for (int c = 0; c < n; c++)
                dot += v[c] * vectors[j * n + c];
            ck_assert_double_eq_tol(dot, i == j, 1e-12);
        }
    }
    double all[100];
    ck_ok(dlz_eigen_values(eigen, all));
    for (int i = 0; i < n; i++)
        ck_assert_double_eq_tol(all[i] / scale,
                                2 - 2 * cos((double)(n - i) * M_PI / (double)(n + 1)), 1e-13);
    dlz_eigen_destroy(eigen);
    dlz_free(a);
    dlz_free(values);
    dlz_free(vectors);
}

static const int few[] = {DSTEMR, DSTEIN, DSTEDC, DSTEQR},
                 many[] = {DSTEDC, DSTEQR, DSTEIN, DSTEMR};

START_TEST(each_driver_takes_the_place_of_those_before_it) {
    const double scales[] = {1, 1e-300, 1e300};
    for (int wanted = 0; wanted < 2; wanted++)
        for (int failing = 0; failing < 4; failing++)
            for (int s = 0; s < 3; s++) {
                all_are_honest();
                const int *order = wanted ? many : few;
                for (int i = 0; i < failing; i++)
                    routines[order[i]].behavior = GIVES_UP;
                (void)dlz_fail(DLVIZ_ERROR_IO, "an earlier failure");
                ck_second_difference(90, wanted ? 90 : 7, scales[s]);
                ck_assert_str_eq(dlviz_last_error(), "an earlier failure");
                if (wanted) {
                    ck_second_difference(1, 1, scales[s]);
                    ck_second_difference(2, 2, scales[s]);
                }
                for (int i = 0; i < 4; i++)
                    ck_assert_int_eq(routines[order[i]].calls > 0, i <= failing);
            }
    all_are_honest();
}
END_TEST

START_TEST(wrong_answers_are_not_believed) {
    for (int wanted = 0; wanted < 2; wanted++)
        for (behavior lie = REPEATS_A_VECTOR; lie <= SKIPS_THE_LARGEST; lie++)
            for (int liars = 1; liars < 4; liars++) {
                all_are_honest();
                const int *order = wanted ? many : few;
                for (int i = 0; i < liars; i++)
                    routines[order[i]].behavior = lie;
                ck_second_difference(90, wanted ? 70 : 7, 1);
                if (lie != SKIPS_THE_LARGEST)
                    ck_assert_int_gt(routines[order[liars]].calls, 0);
                else if (!wanted)
                    ck_assert_int_gt(routines[DSTEIN].calls, 0);
            }
    all_are_honest();
}
END_TEST

START_TEST(parts_of_a_matrix_are_put_in_order) {
    enum { n = 48, k = 20 };
    routines[DSTEMR].behavior = GIVES_UP;
    double *a = dlz_alloc_array_zero(n * n, sizeof *a), values[k], vectors[k * n];
    for (int i = 0; i < n; i++)
        a[i * n + i] = i * 29 % n;
    dlz_eigen *eigen;
    ck_ok(dlz_eigen_create(&eigen, n, a));
    ck_ok(dlz_eigen_vectors(eigen, k, values, vectors));
    dlz_eigen_destroy(eigen);
    ck_assert_int_eq(routines[DSTEIN].calls, 1);
    ck_assert_int_eq(routines[DSTEDC].calls, 0); /* nothing was wrong with that */
    for (int i = 0; i < k; i++) {
        ck_assert_double_eq_tol(values[i], n - 1 - i, 1e-13);
        for (int j = 0; j < n; j++)
            ck_assert_double_eq_tol(fabs(vectors[i * n + j]), j * 29 % n == n - 1 - i, 1e-13);
    }
    dlz_free(a);
    all_are_honest();
}
END_TEST

START_TEST(values_are_found_another_way) {
    routines[DSTERF].behavior = GIVES_UP;
    ck_second_difference(60, 3, 1);
    ck_assert_int_gt(routines[DSTERF].calls, 0);
    all_are_honest();
}
END_TEST

START_TEST(all_failures_are_told) {
    enum { n = 40 };
    double *a = dlz_alloc_array_zero(n * n, sizeof *a), values[n], vectors[n * n];
    for (int i = 0; i < n; i++)
        a[i * n + i] = i;
    dlz_eigen *eigen;
    ck_ok(dlz_eigen_create(&eigen, n, a));
    all_are(GIVES_UP, DSTEMR, DSTERF);
    ck_fails(dlz_eigen_vectors(eigen, 3, values, vectors), DLVIZ_ERROR_NUMERIC,
             "dstemr (info 22), dstebz (info 4), dstedc (info 5), dsteqr (info 7)");
    ck_fails(dlz_eigen_values(eigen, values), DLVIZ_ERROR_NUMERIC, "dsterf (info 3), dstebz");
    all_are_honest();
    routines[DSTEMR].behavior = GIVES_NAN;
    all_are(GIVES_UP, DSTEBZ, DSTEQR);
    ck_fails(dlz_eigen_vectors(eigen, 3, values, vectors), DLVIZ_ERROR_NUMERIC, "dstemr inexact");
    dlz_eigen_destroy(eigen);
    all_are_honest();
    a[5 * n + 2] = NAN;
    ck_fails(dlz_eigen_create(&eigen, n, a), DLVIZ_ERROR_NUMERIC, "row 5, column 2");
    ck_assert_ptr_null(eigen);
    a[5 * n + 2] = INFINITY;
    ck_fails(dlz_eigen_create(&eigen, n, a), DLVIZ_ERROR_NUMERIC, "infinite");
    ck_fails(dlz_svd_right(n, n, a, values, vectors), DLVIZ_ERROR_NUMERIC, "infinite");
    dlz_free(a);
}
END_TEST

/* ---- Principal components ----------------------------------------------------------------------
 */

/* `like` was fitted while all was well: variances alike, and the same directions or their span. */
static void ck_alike(const dlviz_pca *pca, const dlviz_pca *like) {
    int64_t k = dlviz_pca_num_components(like), d = dlviz_pca_num_features(like);
    ck_assert_int_eq(dlviz_pca_num_components(pca), k);
    ck_assert_double_le(relative_error(values_of(dlviz_pca_explained_variance(pca)),
                                       values_of(dlviz_pca_explained_variance(like)), k),
                        2e-7);
    ck_assert_double_le(relative_error(values_of(dlviz_pca_components(pca)),
                                       values_of(dlviz_pca_components(like)), k * d),
                        1e-5);
}

START_TEST(a_fit_survives_any_driver) {
    static const struct {
        int64_t n, d, k;
    } shapes[] = {{120, 40, 3}, {120, 40, 40}, {40, 120, 3}, {40, 120, 39}, {400, 390, 3}};
    for (size_t c = 0; c < 5; c++)
        for (size_t s = 0; s < 4; s++) {
            all_are_honest();
            dlviz_tensor *x = make_points(shapes[c].n, shapes[c].d, 40, 0.8, 1, c);
            dlviz_pca *like = fitted(x, shapes[c].k, solvers[s]);
            dlviz_pca_solver_kind used = dlviz_pca_solver_used(like);
            for (int failing = 1; failing <= 5; failing++) {
                all_are_honest();
                for (int i = 0; i < failing && i < 4; i++)
                    routines[(shapes[c].k > 20 ? many : few)[i]].behavior = GIVES_UP;
                routines[DSTERF].behavior = GIVES_UP;
                if (failing >= 4)
                    routines[DSTEBZ].behavior = GIVES_UP;
                dlviz_pca *pca = fitted(x, shapes[c].k, solvers[s]);
                ck_alike(pca, like);
                ck_assert_int_eq(dlviz_pca_solver_used(pca),
                                 failing >= 4 ? DLVIZ_PCA_SOLVER_SVD : used);
                dlviz_pca_destroy(pca);
            }
            dlviz_pca_destroy(like);
            dlviz_tensor_destroy(x);
        }
    all_are_honest();
}
END_TEST

START_TEST(a_fraction_and_batches_survive_too) {
    dlviz_tensor *x = make_points(150, 30, 30, 0.8, 1, 3);
    dlviz_pca *like = NULL;
    for (int failing = 0; failing <= 1; failing++) {
        dlviz_pca *pca;
        all_are_honest();
        if (failing)
            all_are(GIVES_UP, DSTEMR, DSTERF);
        ck_ok(dlviz_pca_create(&pca, 0));
        ck_ok(dlviz_pca_set_variance_fraction(pca, 0.95));
        ck_ok(dlviz_pca_fit(pca, x));
        ck_ok(dlviz_pca_set_num_wanted(pca, dlviz_pca_num_components(pca)));
        ck_ok(dlviz_pca_partial_fit(pca, x));
        if (failing) {
            ck_alike(pca, like);
            dlviz_pca_destroy(pca);
        } else {
            like = pca;
        }
    }
    dlviz_pca_destroy(like);
    all_are_honest();
    dlviz_tensor_destroy(x);
}
END_TEST

/* Singular vectors take no LAPACK to find. */
START_TEST(a_fit_succeeds_where_all_drivers_fail) {
    const int64_t widths[] = {20, 50};
    for (size_t w = 0; w < 2; w++) {
        dlviz_tensor *x = make_points(60, widths[w], widths[w], 0.8, 1, 4);
        for (size_t s = 0; s < 4; s++)
            for (behavior manner = GIVES_UP; manner <= BENDS_A_VECTOR; manner++) {
                all_are_honest();
                dlviz_pca *like = fitted(x, 3, solvers[s]);
                all_are(GIVES_UP, DSTEMR, DSTERF);
                all_are(manner, DSTEMR, DSTEMR);
                all_are(manner, DSTEIN, DSTEQR);
                (void)dlz_fail(DLVIZ_ERROR_IO, "an earlier failure");
                dlviz_pca *pca = fitted(x, 3, solvers[s]);
                ck_alike(pca, like);
                ck_assert_int_eq(dlviz_pca_solver_used(pca), DLVIZ_PCA_SOLVER_SVD);
                ck_assert_str_eq(dlviz_last_error(), "an earlier failure");
                dlviz_pca_destroy(pca);
                dlviz_pca_destroy(like);
            }
        dlviz_tensor_destroy(x);
    }
    all_are_honest();
}
END_TEST

START_TEST(tsne_starts_from_components_all_the_same) {
    dlviz_tensor *x = make_points(200, 40, 40, 0.8, 1, 5), *map;
    all_are(GIVES_UP, DSTEMR, DSTEIN);
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 5));
    ck_ok(dlviz_tsne_fit(tsne, x, &map));
    ck_assert_int_gt(routines[DSTEDC].calls, 0);
    dlviz_tsne_destroy(tsne);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(x);
    all_are_honest();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {each_driver_takes_the_place_of_those_before_it,
                                  wrong_answers_are_not_believed,
                                  parts_of_a_matrix_are_put_in_order,
                                  values_are_found_another_way,
                                  all_failures_are_told,
                                  a_fit_survives_any_driver,
                                  a_fraction_and_batches_survive_too,
                                  a_fit_succeeds_where_all_drivers_fail,
                                  tsne_starts_from_components_all_the_same,
                                  NULL};
    return run_tests("lapack_trouble", tests);
}
