/* PCA over ranks: the bits of one process, whatever each rank has, and one end for all. */
#include "comm/comm.h"
#include "pca/pca.h"
#include "support/pca.h"
#include "support/ranks.h"
#include "support/support.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BATCHES 4

typedef struct problem {
    const char *name;
    int64_t n, d, components;
    dlviz_pca_solver_kind solver;
    double fraction;
    int64_t iterations;
    int64_t batches[MOST_BATCHES]; /* rows, for partial fits; 0: a fit */
    dlviz_pca_solver_kind used;
} problem;

#define AUTO DLVIZ_PCA_SOLVER_AUTO
#define COVARIANCE DLVIZ_PCA_SOLVER_COVARIANCE
#define SVD DLVIZ_PCA_SOLVER_SVD
#define RANDOMIZED DLVIZ_PCA_SOLVER_RANDOMIZED

static const problem problems[] = {
    {"narrow", 5000, 10, 3, COVARIANCE, 0, 0, {0}, COVARIANCE},
    {"blocks", 777, 150, 20, COVARIANCE, 0, 0, {0}, COVARIANCE},
    {"leaves of several chunks", 9001, 100, 5, COVARIANCE, 0, 0, {0}, COVARIANCE},
    {"two leaves a chunk", 3001, 200, 200, COVARIANCE, 0, 0, {0}, COVARIANCE},
    {"fraction", 900, 120, 0, AUTO, 0.7, 0, {0}, COVARIANCE},
    {"products of points", 40, 130, 7, COVARIANCE, 0, 0, {0}, COVARIANCE},
    {"triangles of leaves", 1000, 20, 0, SVD, 0, 0, {0}, SVD},
    {"triangles in pieces", 70001, 3, 2, SVD, 0, 0, {0}, SVD},
    {"several tiles a leaf", 9000, 30, 4, SVD, 0.5, 0, {0}, SVD},
    {"one triangle", 100, 20, 4, SVD, 0, 0, {0}, SVD},
    {"wide", 15, 40, 6, SVD, 0, 0, {0}, SVD},
    {"iterated", 3100, 400, 3, AUTO, 0, 0, {0}, RANDOMIZED},
    {"four products", 700, 420, 3, RANDOMIZED, 0, 4, {0}, RANDOMIZED},
    {"iterated, wide", 400, 900, 3, AUTO, 0, 0, {0}, RANDOMIZED},
    {"too small to iterate", 90, 30, 9, RANDOMIZED, 0, 0, {0}, COVARIANCE},
    {"two rows", 2, 3, 1, AUTO, 0, 0, {0}, COVARIANCE},
    {"three rows", 3, 2, 2, AUTO, 0, 0, {0}, COVARIANCE},
    {"five rows", 5, 5, 2, SVD, 0, 0, {0}, SVD},
    {"batches", 600, 12, 5, AUTO, 0, 0, {60, 7, 1, 532}, SVD},
    {"all components of batches", 300, 9, 0, AUTO, 0, 0, {9, 100, 191}, SVD}};

/* Some columns are the same in all rows, one in each leaf's rows, one in all but the last. */
static dlviz_tensor *points_of(const problem *p) {
    dlviz_tensor *x = make_points(p->n, p->d, p->d < 60 ? p->d : 60, 0.93, 2, (uint64_t)p->n);
    float *to = x->data;
    for (int64_t i = 0; i < p->n && p->d >= 100; i++) {
        to[i * p->d] = 0.1f;
        to[i * p->d + 17] = -3;
        to[i * p->d + 18] = 0;
        to[i * p->d + 40] = (float)(i * DLZ_LEAVES / p->n);
        to[i * p->d + 41] = i == p->n - 1 ? 1 : 0;
        to[i * p->d + p->d - 1] = 7;
    }
    return x;
}

static dlviz_status create(const problem *p, dlviz_comm *comm, dlviz_pca **pca) {
    DLZ_TRY(dlviz_pca_create(pca, p->components));
    dlviz_status status = dlviz_pca_set_solver(*pca, p->solver);
    if (status == DLVIZ_OK && p->fraction > 0)
        status = dlviz_pca_set_variance_fraction(*pca, p->fraction);
    if (status == DLVIZ_OK)
        status = dlviz_pca_set_randomized(*pca, 10, p->iterations);
    if (status == DLVIZ_OK)
        status = dlviz_pca_set_comm(*pca, comm);
    return status;
}

/* What is this rank's of rows `first` and the following. */
static dlviz_status slice(dlviz_comm *comm, const dlviz_tensor *x, int64_t first, int64_t count,
                          dlviz_tensor **own) {
    int64_t from, num;
    dlviz_comm_share(comm, count, &from, &num);
    return dlviz_tensor_slice(x, first + from, num, own);
}

/* The same, on all ranks or on none. */
static dlviz_status slice_alike(dlviz_comm *comm, const dlviz_tensor *x, int64_t first,
                                int64_t count, dlviz_tensor **own) {
    dlviz_status status = dlviz_comm_agree(comm, slice(comm, x, first, count, own));
    if (status != DLVIZ_OK)
        dlviz_tensor_destroy(*own);
    return status;
}

/* Own rows of all fits, or of the batches in turn; all ranks come to each call. */
static dlviz_status learn(dlviz_pca *pca, const problem *p, dlviz_comm *comm,
                          const dlviz_tensor *x) {
    dlviz_tensor *own;
    int64_t first = 0;
    for (int b = 0; b < MOST_BATCHES; b++) {
        int64_t count = p->batches[b] ? p->batches[b] : b == 0 ? p->n : 0;
        if (count == 0)
            break;
        DLZ_TRY(slice_alike(comm, x, first, count, &own));
        dlviz_status status =
            p->batches[b] ? dlviz_pca_partial_fit(pca, own) : dlviz_pca_fit(pca, own);
        dlviz_tensor_destroy(own);
        DLZ_TRY(status);
        first += count;
    }
    return DLVIZ_OK;
}

static dlviz_status same(const char *what, const dlviz_tensor *a, const dlviz_tensor *b) {
    if (a->size == b->size && memcmp(a->data, b->data, (size_t)a->size * sizeof(float)) == 0)
        return DLVIZ_OK;
    return dlviz_fail(DLVIZ_ERROR_STATE, "%s differs from one process's", what);
}

static dlviz_status same_results(const dlviz_pca *a, const dlviz_pca *b) {
    DLZ_TRY(same("the mean", dlviz_pca_mean(a), dlviz_pca_mean(b)));
    DLZ_TRY(same("a component", dlviz_pca_components(a), dlviz_pca_components(b)));
    DLZ_TRY(same("a variance", dlviz_pca_explained_variance(a), dlviz_pca_explained_variance(b)));
    DLZ_TRY(same("a ratio", dlviz_pca_explained_variance_ratio(a),
                 dlviz_pca_explained_variance_ratio(b)));
    DLZ_TRY(same("a singular value", dlviz_pca_singular_values(a), dlviz_pca_singular_values(b)));
    const dlz_pca_model *left = &a->model, *right = &b->model;
    if (left->count != right->count || left->samples != right->samples || a->used != b->used ||
        left->total_variance != right->total_variance ||
        memcmp(left->mean, right->mean, (size_t)left->features * sizeof(double)) != 0 ||
        memcmp(left->variance, right->variance, (size_t)left->count * sizeof(double)) != 0 ||
        memcmp(left->components, right->components,
               (size_t)(left->count * left->features) * sizeof(double)) != 0)
        return dlviz_fail(DLVIZ_ERROR_STATE, "a number differs from one process's");
    return DLVIZ_OK;
}

typedef struct comparison {
    const problem *p;
    const dlviz_tensor *x, *projected;
    const dlviz_pca *truth;
} comparison;

static dlviz_status compare_projections(dlviz_pca *pca, const comparison *c,
                                        const dlviz_tensor *own, const dlviz_tensor *projected) {
    dlviz_tensor *expected;
    DLZ_TRY(slice(dlviz_pca_comm(pca), c->projected, 0, c->p->n, &expected));
    dlviz_status status = same("a projection", projected, expected);
    if (projected->dims[0] != own->dims[0])
        status = dlviz_fail(DLVIZ_ERROR_STATE, "projections are of other rows");
    dlviz_tensor_destroy(expected);
    return status;
}

static dlviz_status fit_and_compare(dlviz_comm *comm, void *user) {
    const comparison *c = user;
    dlviz_pca *pca;
    dlviz_tensor *own = NULL, *projected = NULL;
    DLZ_TRY(create(c->p, comm, &pca));
    dlviz_status status = learn(pca, c->p, comm, c->x);
    if (status == DLVIZ_OK)
        status = same_results(pca, c->truth);
    if (status == DLVIZ_OK)
        status = slice(comm, c->x, 0, c->p->n, &own);
    if (status == DLVIZ_OK && c->p->batches[0] == 0) /* forgets the fit and makes it again */
        status = dlviz_pca_fit_transform(pca, own, &projected);
    else if (status == DLVIZ_OK)
        status = dlviz_pca_transform(pca, own, &projected);
    if (status == DLVIZ_OK)
        status = compare_projections(pca, c, own, projected);
    dlviz_tensor_destroy(own);
    dlviz_tensor_destroy(projected);
    dlviz_pca_destroy(pca);
    return status;
}

static void ck_bits(const problem *p) {
    static const int counts[] = {1, 2, 3, 4, 8, 11};
    dlviz_tensor *x = points_of(p), *projected;
    dlviz_pca *truth;
    ck_ok(dlviz_set_num_threads(1));
    ck_ok(create(p, NULL, &truth));
    ck_ok(learn(truth, p, NULL, x));
    ck_assert_msg(dlviz_pca_solver_used(truth) == p->used, "%s: solver %d", p->name,
                  (int)dlviz_pca_solver_used(truth));
    ck_ok(dlviz_pca_transform(truth, x, &projected));
    comparison c = {p, x, projected, truth};
    for (int threads = 1; threads <= 2; threads++)
        for (size_t r = 0; r < sizeof counts / sizeof *counts; r++) {
            ck_ok(dlviz_set_num_threads(threads));
            ranks_succeed(counts[r], fit_and_compare, &c);
        }
    ck_ok(dlviz_set_num_threads(0));
    dlviz_pca_destroy(truth);
    dlviz_tensor_destroy(projected);
    dlviz_tensor_destroy(x);
}

START_TEST(bits_do_not_depend_on_ranks) {
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++)
        ck_bits(problems + i);
}
END_TEST

/* ---- What is refused ----------------------------------------------------------------------------
 */

static dlviz_status fit_once(dlviz_comm *comm, void *user) {
    const comparison *c = user;
    dlviz_pca *pca;
    DLZ_TRY(create(c->p, comm, &pca));
    dlviz_status status = learn(pca, c->p, comm, c->x);
    dlviz_pca_destroy(pca);
    return status;
}

START_TEST(a_bad_value_is_named_by_its_row_among_all) {
    static const problem tall = {"", 300, 7, 2, AUTO, 0, 0, {0}, COVARIANCE};
    static const int64_t rows[][2] = {{299, 299}, {150, 260}, {0, 299}, {112, 113}};
    for (int i = 0; i < 4; i++)
        for (int infinite = 0; infinite < 2; infinite++) {
            dlviz_tensor *x = points_of(&tall);
            ((float *)x->data)[rows[i][0] * 7 + 3] = infinite ? -INFINITY : NAN;
            ((float *)x->data)[rows[i][1] * 7 + 5] = NAN;
            comparison c = {.p = &tall, .x = x};
            char expected[200];
            snprintf(expected, sizeof expected,
                     "dlviz_pca_fit: row %lld, column 3 of the data is %s; all values must be "
                     "finite",
                     (long long)rows[i][0], infinite ? "infinite" : "NaN");
            for (int ranks = 1; ranks <= 9; ranks++) {
                ranks_result results[9];
                ranks_run(ranks, fit_once, &c, results);
                for (int r = 0; r < ranks; r++) {
                    ck_assert_int_eq(results[r].status, DLVIZ_ERROR_NUMERIC);
                    ck_assert_str_eq(results[r].sentence, expected);
                }
            }
            dlviz_tensor_destroy(x);
        }
}
END_TEST

typedef struct oddity {
    int kind;
    const dlviz_tensor *x;
} oddity;

/* On rank 1 something is other than on the others. */
static dlviz_status be_odd(dlviz_comm *comm, void *user) {
    const oddity *odd = user;
    bool is_odd = dlviz_comm_rank(comm) == 1;
    dlviz_pca *pca;
    dlviz_tensor *own = NULL, *less = NULL;
    DLZ_TRY(dlviz_pca_create(&pca, is_odd && odd->kind == 0 ? 3 : 2));
    DLZ_TRY(dlviz_pca_set_seed(pca, is_odd && odd->kind == 1 ? 9 : 0));
    DLZ_TRY(dlviz_pca_set_comm(pca, comm));
    DLZ_TRY(slice(comm, odd->x, 0, odd->x->dims[0], &own));
    if (odd->kind == 2 && is_odd)
        DLZ_TRY(dlviz_tensor_slice(own, 0, own->dims[0] - 1, &less));
    if (odd->kind == 3 && is_odd)
        DLZ_TRY(dlviz_tensor_reshape(own, 2, (int64_t[]){own->dims[0] * 2, -1}, &less));
    if (odd->kind == 4) {
        DLZ_TRY(dlviz_pca_fit(pca, own));
        if (is_odd)
            pca->model.variance[0] += 1;
    }
    dlviz_status status = odd->kind == 5 && is_odd ? dlviz_pca_fit(pca, NULL)
                          : odd->kind == 4         ? dlviz_pca_partial_fit(pca, own)
                                                   : dlviz_pca_fit(pca, less ? less : own);
    dlviz_tensor_destroy(own);
    dlviz_tensor_destroy(less);
    dlviz_pca_destroy(pca);
    return status;
}

START_TEST(ranks_that_differ_are_refused) {
    static const char *const sentences[] = {
        "components 3", "seed 9",         "of 39 rows on all ranks 9 are its share",
        "columns 4",    "results before", "rank 1 failed: dlviz_pca_fit: 'data' is NULL"};
    dlviz_tensor *x = make_points(40, 8, 8, 0.9, 0, 5);
    for (int kind = 0; kind < 6; kind++) {
        oddity odd = {kind, x};
        ranks_result results[4];
        ranks_run(4, be_odd, &odd, results);
        for (int r = 0; r < 4; r++) {
            ck_assert_msg(results[r].status != DLVIZ_OK, "kind %d, rank %d", kind, r);
            ck_assert_msg(strstr(results[r].sentence, sentences[kind]) || (kind == 5 && r == 1),
                          "kind %d, rank %d: %s", kind, r, results[r].sentence);
        }
    }
    dlviz_tensor_destroy(x);
}
END_TEST

static dlviz_status fit_what_is_too_little(dlviz_comm *comm, void *user) {
    dlviz_tensor *own;
    dlviz_pca *pca;
    int64_t rows = *(const int64_t *)user, first, num;
    dlviz_comm_share(comm, rows, &first, &num);
    DLZ_TRY(dlviz_tensor_create(&own, DLVIZ_FLOAT32, 2, (int64_t[]){num, 3}));
    DLZ_TRY(dlviz_pca_create(&pca, 0));
    DLZ_TRY(dlviz_pca_set_comm(pca, comm));
    dlviz_status status = dlviz_pca_fit(pca, own);
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(own);
    return status;
}

START_TEST(too_few_rows_are_refused_by_all) {
    for (int64_t rows = 0; rows < 2; rows++) {
        ranks_result results[3];
        ranks_run(3, fit_what_is_too_little, &rows, results);
        for (int r = 0; r < 3; r++) {
            ck_assert_int_eq(results[r].status, DLVIZ_ERROR_SHAPE);
            ck_assert_ptr_nonnull(strstr(results[r].sentence, rows ? "1 row;" : "0 rows;"));
        }
    }
}
END_TEST

/* ---- Trouble on one rank ------------------------------------------------------------------------
 */

/* Of several kinds, small. */
static const problem small[] = {
    {"narrow", 90, 10, 3, COVARIANCE, 0, 0, {0}, COVARIANCE},
    {"blocks", 130, 110, 5, COVARIANCE, 0, 0, {0}, COVARIANCE},
    {"products of points", 20, 30, 7, COVARIANCE, 0, 0, {0}, COVARIANCE},
    {"triangles of leaves", 100, 8, 0, SVD, 0, 0, {0}, SVD},
    {"one triangle", 50, 20, 4, SVD, 0, 0, {0}, SVD},
    {"iterated", 420, 400, 3, AUTO, 0, 0, {0}, RANDOMIZED},
    {"batches", 150, 6, 3, AUTO, 0, 0, {10, 40, 3, 97}, SVD}};
#define NUM_SMALL (sizeof small / sizeof *small)

typedef struct trial {
    const problem *p;
    const dlviz_tensor *x;
    int stops;            /* which rank cancels */
    int at;               /* at which call of its progress callback, from 1 on */
    bool stopped[8];      /* whether each rank's callback was called that often */
    dlviz_status kept[8]; /* whether each rank's earlier fit stayed */
} trial;

typedef struct stopper {
    int calls, at;
} stopper;

static bool stop(const dlviz_pca_event *event, void *user) {
    stopper *s = user;
    (void)event;
    return ++s->calls != s->at;
}

/* An earlier fit, which is to stay. */
static dlviz_status fit_again(dlviz_comm *comm, void *user) {
    trial *t = user;
    int rank = (int)dlviz_comm_rank(comm);
    dlviz_pca *pca, *before = NULL;
    dlviz_tensor *own = NULL;
    stopper s = {0, rank == t->stops ? t->at : 0};
    DLZ_TRY(create(t->p, comm, &pca));
    dlviz_status status = slice(comm, t->x, 0, t->p->n, &own);
    if (status == DLVIZ_OK)
        status = dlviz_pca_fit(pca, own);
    if (status == DLVIZ_OK)
        status = create(t->p, comm, &before);
    if (status == DLVIZ_OK)
        status = dlviz_pca_fit(before, own);
    if (status == DLVIZ_OK)
        status = dlviz_pca_set_progress(pca, stop, &s);
    if (status == DLVIZ_OK) {
        status = dlviz_pca_fit(pca, own);
        t->stopped[rank] = s.at > 0 && s.calls >= s.at;
        t->kept[rank] = same_results(pca, before);
    }
    dlviz_tensor_destroy(own);
    dlviz_pca_destroy(before);
    dlviz_pca_destroy(pca);
    return status;
}

static void ck_cancel(const problem *p) {
    if (p->batches[0])
        return;
    dlviz_tensor *x = points_of(p);
    for (int stops = 0; stops < 3; stops++)
        for (int at = 1;; at++) {
            trial t = {.p = p, .x = x, .stops = stops, .at = at};
            ranks_result results[3];
            ranks_run(3, fit_again, &t, results);
            for (int r = 0; r < 3; r++) {
                ck_assert_msg(results[r].status == (t.stopped[stops] ? DLVIZ_CANCELLED : DLVIZ_OK),
                              "%s, rank %d cancels at %d, rank %d: %s", p->name, stops, at, r,
                              results[r].sentence);
                ck_assert_int_eq(t.kept[r], DLVIZ_OK);
            }
            if (!t.stopped[stops]) {
                ck_assert_int_gt(at, 2);
                break;
            }
        }
    dlviz_tensor_destroy(x);
}

START_TEST(where_one_cancels_all_are_cancelled) {
    for (size_t i = 0; i < NUM_SMALL; i++)
        ck_cancel(small + i);
}
END_TEST

/* Another fit, of fewer rows, with its projections; where that fails nobody has any, and all have the
 * earlier fit. */
static dlviz_status project_alike(dlviz_pca *pca, const comparison *c, dlviz_comm *comm) {
    dlviz_tensor *own, *projected;
    DLZ_TRY(slice_alike(comm, c->x, 0, c->p->n - 1, &own));
    dlviz_status status = dlviz_pca_fit_transform(pca, own, &projected);
    if ((status == DLVIZ_OK) != (projected != NULL))
        status = dlviz_fail(DLVIZ_ERROR_STATE, "projections of a fit that failed");
    else if (status != DLVIZ_OK && same_results(pca, c->truth) != DLVIZ_OK)
        status = dlviz_fail(DLVIZ_ERROR_STATE, "a fit that failed has left results");
    dlviz_tensor_destroy(own);
    dlviz_tensor_destroy(projected);
    return status;
}

/* A rank that failed alone outside of what it does with the others would leave them waiting. */
static dlviz_status learn_alike(dlviz_comm *comm, void *user) {
    const comparison *c = user;
    dlviz_pca *pca = NULL;
    dlviz_status status = dlviz_comm_agree(comm, create(c->p, comm, &pca));
    if (status == DLVIZ_OK) {
        status = learn(pca, c->p, comm, c->x);
        if (status != DLVIZ_OK && pca->model.count > 0 && !c->p->batches[0])
            status = dlviz_fail(DLVIZ_ERROR_STATE, "a fit that failed has left results");
    }
    if (status == DLVIZ_OK)
        status = same_results(pca, c->truth);
    if (status == DLVIZ_OK && !c->p->batches[0])
        status = project_alike(pca, c, comm);
    dlviz_pca_destroy(pca);
    return status;
}

static bool all_have(const ranks_result *results, int ranks, dlviz_status status) {
    for (int r = 0; r < ranks; r++)
        if (results[r].status != status)
            return false;
    return true;
}

static void ck_memory(const problem *p) {
    enum { RANKS = 3 };
    dlviz_tensor *x = points_of(p);
    dlviz_pca *truth;
    ck_ok(create(p, NULL, &truth));
    ck_ok(learn(truth, p, NULL, x));
    comparison c = {.p = p, .x = x, .truth = truth};
    for (int rank = 0; rank < RANKS; rank++)
        for (int64_t allocation = 1;; allocation++) {
            ranks_trouble trouble = {.rank = rank, .allocation = allocation};
            ranks_result results[RANKS];
            ranks_run_with(&trouble, RANKS, learn_alike, &c, results);
            if (results[rank].allocations < allocation) {
                ck_assert(all_have(results, RANKS, DLVIZ_OK));
                ck_assert_int_gt(allocation, 10);
                break;
            }
            for (int r = 0; r < RANKS; r++)
                ck_assert_msg(
                    results[r].status == (r == rank ? DLVIZ_ERROR_OUT_OF_MEMORY : DLVIZ_ERROR_COMM),
                    "%s: allocation %lld of rank %d failed, rank %d: %d %s", p->name,
                    (long long)allocation, rank, r, (int)results[r].status, results[r].sentence);
        }
    dlviz_pca_destroy(truth);
    dlviz_tensor_destroy(x);
}

START_TEST(where_one_has_no_memory_all_fail) {
    for (size_t i = 0; i < NUM_SMALL; i++)
        ck_memory(small + i);
}
END_TEST

static void ck_network(const problem *p) {
    enum { RANKS = 4 };
    dlviz_tensor *x = points_of(p);
    dlviz_pca *truth;
    ck_ok(create(p, NULL, &truth));
    ck_ok(learn(truth, p, NULL, x));
    comparison c = {.p = p, .x = x, .truth = truth};
    int failures = 0;
    for (int64_t call = 1;; call += 1 + call / 12) {
        ranks_trouble trouble = {.rank = (int)(call % RANKS),
                                 .call = call,
                                 .silent = call % 3 == 0,
                                 .delays = (uint64_t)call};
        ranks_result results[RANKS];
        ranks_run_with(&trouble, RANKS, learn_alike, &c, results);
        if (results[trouble.rank].calls < call) {
            ck_assert(all_have(results, RANKS, DLVIZ_OK));
            break;
        }
        ck_assert_int_ne(results[trouble.rank].status, DLVIZ_OK);
        for (int r = 0; r < RANKS; r++)
            ck_assert_msg(results[r].status != DLVIZ_ERROR_STATE, "%s", results[r].sentence);
        failures++;
    }
    ck_assert_int_gt(failures, 10);
    dlviz_pca_destroy(truth);
    dlviz_tensor_destroy(x);
}

START_TEST(where_the_network_fails_nobody_waits) {
    for (size_t i = 0; i < NUM_SMALL; i++)
        ck_network(small + i);
}
END_TEST

static dlviz_status hold(dlviz_comm *comm, void *user) {
    (void)user;
    dlviz_pca *pca;
    DLZ_TRY(dlviz_pca_create(&pca, 0));
    if (dlviz_pca_comm(pca))
        return dlviz_fail(DLVIZ_ERROR_STATE, "a communicator comes from nowhere");
    DLZ_TRY(dlviz_pca_set_comm(pca, comm));
    DLZ_TRY(dlviz_pca_set_comm(pca, comm));
    if (dlviz_pca_comm(pca) != comm)
        return dlviz_fail(DLVIZ_ERROR_STATE, "it is another");
    DLZ_TRY(dlviz_pca_set_comm(pca, NULL));
    if (dlviz_pca_comm(pca))
        return dlviz_fail(DLVIZ_ERROR_STATE, "it stays");
    DLZ_TRY(dlviz_pca_set_comm(pca, comm));
    dlviz_pca_destroy(pca);
    return DLVIZ_OK;
}

START_TEST(the_communicator_is_held) {
    ranks_succeed(2, hold, NULL);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {bits_do_not_depend_on_ranks,
                                  a_bad_value_is_named_by_its_row_among_all,
                                  ranks_that_differ_are_refused,
                                  too_few_rows_are_refused_by_all,
                                  where_one_cancels_all_are_cancelled,
                                  where_one_has_no_memory_all_fail,
                                  where_the_network_fails_nobody_waits,
                                  the_communicator_is_held,
                                  NULL};
    return run_tests("pca_ranks", tests);
}
