/* t-SNE by ranks: the bits of one process for any number of ranks and threads, ends that all ranks
 * come to together, and failures that all learn of. */
#include "support/ranks.h"
#include "support/tsne.h"

#include <stdio.h>
#include <stdlib.h>

static const int rank_counts[] = {1, 2, 3, 4, 8};

typedef struct outcome {
    dlviz_status status;
    dlviz_tensor *map, *history, *placed;
    double divergence;
    int64_t iterations;
    dlviz_tsne_method_kind method;
} outcome;

typedef struct fit {
    const char *what;
    dlviz_tensor *points, *more, *start; /* more: to be placed after the fit; NULL for none */
    dlviz_tensor *indices, *distances;   /* instead of points */
    dlviz_tensor *offsets, *columns, *values;
    int64_t dimensions, iterations, early, late, patience, every;
    double perplexity, early_factor, a, cell, gradient, rate;
    dlviz_tsne_method_kind method, used; /* used: what it should come to */
    dlviz_tsne_distance_kind distance;
    dlviz_tsne_init_kind init;
    /* Whose progress function stops it, and where. */
    int stopping_rank;
    int64_t stopped_at;
    bool without_history;
    outcome expected;
} fit;

typedef struct watch {
    const fit *fit;
    int64_t rank;
} watch;

static bool go_on(const dlviz_tsne_event *event, void *user) {
    const watch *w = user;
    return w->rank != w->fit->stopping_rank ||
           dlviz_tsne_event_iteration(event) < w->fit->stopped_at;
}

static dlviz_status set(dlviz_tsne *tsne, const fit *f, watch *w) {
    if (f->dimensions)
        ck_ok(dlviz_tsne_set_num_dimensions(tsne, f->dimensions));
    if (f->perplexity > 0)
        ck_ok(dlviz_tsne_set_perplexity(tsne, f->perplexity));
    if (f->a > 0)
        ck_ok(dlviz_tsne_set_degrees_of_freedom(tsne, f->a));
    if (f->rate > 0)
        ck_ok(dlviz_tsne_set_learning_rate(tsne, f->rate));
    if (f->every > 0)
        ck_ok(dlviz_tsne_set_progress(tsne, f->every, go_on, w));
    ck_ok(dlviz_tsne_set_cell_size(tsne, f->cell));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, f->iterations));
    double factor = f->early_factor > 0 ? f->early_factor : 12;
    ck_ok(dlviz_tsne_set_early_exaggeration(tsne, factor, f->early));
    ck_ok(dlviz_tsne_set_late_exaggeration(tsne, 8, f->late));
    ck_ok(dlviz_tsne_set_stopping(tsne, f->gradient, f->patience));
    ck_ok(dlviz_tsne_set_method(tsne, f->method));
    ck_ok(dlviz_tsne_set_distance(tsne, f->distance));
    ck_ok(dlviz_tsne_set_init(tsne, f->init));
    ck_ok(dlviz_tsne_set_num_transform_iterations(tsne, 30));
    return dlviz_tsne_set_initial_map(tsne, f->start);
}

static dlviz_status run(dlviz_comm *comm, const fit *f, outcome *o) {
    dlviz_tsne *tsne;
    watch w = {f, dlviz_comm_rank(comm)};
    *o = (outcome){.status = dlviz_tsne_create(&tsne)};
    if (o->status == DLVIZ_OK)
        o->status = set(tsne, f, &w);
    if (o->status == DLVIZ_OK)
        o->status = dlviz_tsne_set_comm(tsne, comm);
    if (o->status == DLVIZ_OK) {
        ck_assert_ptr_eq(dlviz_tsne_comm(tsne), comm);
        o->status = f->points    ? dlviz_tsne_fit(tsne, f->points, &o->map)
                    : f->indices ? dlviz_tsne_fit_neighbors(tsne, f->indices, f->distances, &o->map)
                                 : dlviz_tsne_fit_affinities(tsne, f->offsets, f->columns,
                                                             f->values, &o->map);
    }
    if (o->map && o->status == DLVIZ_OK && f->more)
        o->status = dlviz_tsne_transform(tsne, f->more, &o->placed);
    if (o->map) {
        o->divergence = dlviz_tsne_kl_divergence(tsne);
        o->iterations = dlviz_tsne_num_iterations_done(tsne);
        o->method = dlviz_tsne_method_used(tsne);
        if (!f->without_history)
            ck_ok(dlviz_tsne_history(tsne, &o->history));
    }
    dlviz_tsne_destroy(tsne);
    return o->status;
}

static void forget(outcome *o) {
    dlviz_tensor_destroy(o->map);
    dlviz_tensor_destroy(o->history);
    dlviz_tensor_destroy(o->placed);
}

static bool is_same(const dlviz_tensor *a, const dlviz_tensor *b) {
    if (!a || !b)
        return !a && !b;
    return dlviz_tensor_num_elements(a) == dlviz_tensor_num_elements(b) &&
           memcmp(dlviz_tensor_const_float(a), dlviz_tensor_const_float(b),
                  (size_t)dlviz_tensor_num_elements(a) * sizeof(float)) == 0;
}

static dlviz_status see_fit(dlviz_comm *comm, void *user) {
    const fit *f = user;
    outcome o;
    dlviz_status status = run(comm, f, &o);
    const char *differs = o.status != f->expected.status                      ? "the status"
                          : !is_same(o.map, f->expected.map)                  ? "the map"
                          : !is_same(o.placed, f->expected.placed)            ? "new points"
                          : o.divergence != f->expected.divergence            ? "the divergence"
                          : o.iterations != f->expected.iterations            ? "iterations"
                          : o.method != f->expected.method                    ? "the method"
                          : o.map && !is_same(o.history, f->expected.history) ? "the history"
                                                                              : NULL;
    if (differs)
        status = dlviz_fail(DLVIZ_ERROR_STATE, "%s: %s of rank %d of %d is another: %s", f->what,
                            differs, (int)dlviz_comm_rank(comm), (int)dlviz_comm_num_ranks(comm),
                            status == DLVIZ_OK ? "" : dlviz_last_error());
    else
        status = DLVIZ_OK;
    forget(&o);
    return status;
}

static void destroy(fit *f) {
    dlviz_tensor *const tensors[] = {f->points,    f->more,    f->start,   f->indices,
                                     f->distances, f->offsets, f->columns, f->values};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        dlviz_tensor_destroy(tensors[i]);
    forget(&f->expected);
}

/* Without a communicator first. Destroys what the fit has. */
static void expect_bits(fit f) {
    ck_ok(dlviz_set_num_threads(1));
    run(NULL, &f, &f.expected);
    ck_assert_ptr_nonnull(f.expected.map);
    if (f.used)
        ck_assert_msg(f.expected.method == f.used, "%s: method %d", f.what, f.expected.method);
    for (int threads = 1; threads <= 2; threads++) {
        ck_ok(dlviz_set_num_threads(threads));
        for (size_t r = 0; r < sizeof rank_counts / sizeof *rank_counts; r++)
            ranks_succeed(rank_counts[r], see_fit, &f);
    }
    destroy(&f);
}

#define EXACT DLVIZ_TSNE_METHOD_EXACT
#define TREE DLVIZ_TSNE_METHOD_BARNES_HUT
#define GRID DLVIZ_TSNE_METHOD_GRID

START_TEST(every_method_in_every_dimension) {
    for (int dimensions = 1; dimensions <= 3; dimensions++)
        for (int method = EXACT; method <= (dimensions < 3 ? GRID : TREE); method++) {
            char what[64];
            snprintf(what, sizeof what, "method %d in %d dimensions", method, dimensions);
            expect_bits((fit){.what = what,
                              .points = blobs(1300, 8, 3),
                              .dimensions = dimensions,
                              .method = (dlviz_tsne_method_kind)method,
                              .used = (dlviz_tsne_method_kind)method,
                              .perplexity = 12,
                              .iterations = 160,
                              .early = 60});
        }
}
END_TEST

START_TEST(the_grid_with_all_its_parts) {
    expect_bits((fit){.what = "wide cells, near parts",
                      .points = blobs(3000, 6, 4),
                      .method = GRID,
                      .used = GRID,
                      .cell = 1,
                      .perplexity = 10,
                      .iterations = 300,
                      .early = 50});
    expect_bits((fit){.what = "heavy tails",
                      .points = blobs(2500, 6, 5),
                      .method = GRID,
                      .used = GRID,
                      .a = 0.6,
                      .cell = 2,
                      .perplexity = 8,
                      .iterations = 150,
                      .early = 50});
    expect_bits((fit){.what = "chosen as it goes",
                      .points = blobs(6000, 5, 6),
                      .perplexity = 10,
                      .iterations = 290,
                      .early = 100,
                      .late = 40});
}
END_TEST

/* A point far from all others makes most of the grid's columns empty, and then takes the tree. */
static dlviz_tensor *with_far_point(int64_t n, float x, float y) {
    dlviz_tensor *start = matrix(n, 2, NULL);
    dlz_random random = dlz_random_start(1, 9);
    for (int64_t i = 0; i < 2 * n; i++)
        dlviz_tensor_float(start)[i] = (float)dlz_random_normal(&random);
    dlviz_tensor_float(start)[0] = x;
    dlviz_tensor_float(start)[1] = y;
    return start;
}

START_TEST(maps_of_odd_shapes) {
    expect_bits((fit){.what = "a point far to the right",
                      .points = blobs(1500, 4, 7),
                      .start = with_far_point(1500, 700, 0),
                      .method = GRID,
                      .perplexity = 5,
                      .iterations = 30,
                      .rate = 10});
    expect_bits((fit){.what = "a point far above",
                      .points = blobs(1500, 4, 7),
                      .start = with_far_point(1500, 0, 900),
                      .method = GRID,
                      .perplexity = 5,
                      .iterations = 30,
                      .rate = 10});
    expect_bits((fit){.what = "too wide for a grid",
                      .points = blobs(1500, 4, 7),
                      .start = with_far_point(1500, 5000, 0),
                      .method = GRID,
                      .used = TREE,
                      .perplexity = 5,
                      .iterations = 30,
                      .rate = 10});
}
END_TEST

START_TEST(few_points) {
    const int64_t counts[] = {1, 2, 3, 5, 7, 64, 65, 130};
    for (int method = 0; method <= GRID; method++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            char what[64];
            snprintf(what, sizeof what, "%d points by method %d", (int)counts[i], method);
            expect_bits((fit){.what = what,
                              .points = blobs(counts[i], 4, 1),
                              .more = blobs(3, 4, 2),
                              .method = (dlviz_tsne_method_kind)method,
                              .perplexity = 5,
                              .iterations = 80,
                              .early = 50});
        }
}
END_TEST

START_TEST(points_that_coincide) {
    dlviz_tensor *points = blobs(900, 4, 8);
    for (int64_t i = 4 * 300; i < 4 * 900; i++)
        dlviz_tensor_float(points)[i] = dlviz_tensor_float(points)[i % (4 * 30)];
    expect_bits((fit){.what = "thirty places",
                      .points = points,
                      .perplexity = 9,
                      .iterations = 120,
                      .early = 50,
                      .method = GRID});
    points = matrix(600, 3, NULL);
    for (int64_t i = 0; i < 1800; i++)
        dlviz_tensor_float(points)[i] = 1;
    expect_bits((fit){
        .what = "one place", .points = points, .perplexity = 9, .iterations = 120, .early = 50});
}
END_TEST

START_TEST(cosines_and_random_starts) {
    expect_bits((fit){.what = "cosine distance",
                      .points = blobs(1000, 5, 9),
                      .more = blobs(70, 5, 10),
                      .distance = DLVIZ_TSNE_DISTANCE_COSINE,
                      .init = DLVIZ_TSNE_INIT_RANDOM,
                      .perplexity = 10,
                      .iterations = 60,
                      .early = 30});
}
END_TEST

/* Exaggeration draws few points together, and the descent begins anew. */
START_TEST(a_collapse) {
    expect_bits((fit){.what = "a collapse",
                      .points = blobs(60, 3, 11),
                      .perplexity = 20,
                      .iterations = 400,
                      .early = 250});
}
END_TEST

START_TEST(neighbors_and_affinities_of_others) {
    fit f = {.what = "neighbors", .iterations = 150, .early = 50, .perplexity = 3};
    dlviz_tensor *offsets, *columns, *values;
    make_rings(700, 9, 1, &f.indices, &f.distances, &offsets, &columns, &values);
    expect_bits(f);
    expect_bits((fit){.what = "affinities",
                      .offsets = offsets,
                      .columns = columns,
                      .values = values,
                      .iterations = 150,
                      .early = 50});
}
END_TEST

START_TEST(new_points_into_maps) {
    for (int dimensions = 1; dimensions <= 3; dimensions++)
        expect_bits((fit){.what = "new points",
                          .points = blobs(2200, 6, 12),
                          .more = blobs(301, 6, 13),
                          .dimensions = dimensions,
                          .perplexity = 7,
                          .iterations = 100,
                          .early = 50});
}
END_TEST

START_TEST(early_ends) {
    fit f = {.what = "no new minimum",
             .points = blobs(300, 5, 4),
             .perplexity = 30,
             .iterations = 20000,
             .early = 250,
             .early_factor = 1,
             .late = 20000,
             .patience = 300,
             .every = 70,
             .stopping_rank = -1};
    outcome o;
    run(NULL, &f, &o);
    ck_assert_int_lt(o.iterations, 20000);
    forget(&o);
    expect_bits(f);
    expect_bits((fit){.what = "small gradient",
                      .points = blobs(700, 5, 14),
                      .perplexity = 10,
                      .iterations = 2000,
                      .early = 50,
                      .gradient = 1e-3});
}
END_TEST

/* -- Cancelled ------------------------------------------------------------------------------------
 */

START_TEST(one_rank_s_function_cancels_all) {
    fit f = {.what = "cancelled",
             .points = blobs(700, 5, 15),
             .perplexity = 10,
             .iterations = 200,
             .early = 50,
             .every = 30,
             .stopped_at = 90};
    outcome alone;
    ck_assert_int_eq(run(NULL, &f, &alone), DLVIZ_CANCELLED);
    ck_assert_int_eq(alone.iterations, 90);
    f.expected = alone;
    for (int ranks = 2; ranks <= 4; ranks++)
        for (f.stopping_rank = 0; f.stopping_rank < ranks; f.stopping_rank++)
            ranks_succeed(ranks, see_fit, &f);
    destroy(&f);
}
END_TEST

typedef struct asked {
    const fit *fit;
    bool stops;
    int64_t calls, stop_at;
} asked;

static bool ask(const dlviz_progress_event *event, void *user) {
    asked *a = user;
    (void)event;
    return !a->stops || a->calls++ < a->stop_at;
}

/* Whether all ranks have come to the same map, is told by gathering them. */
static dlviz_status require_same_maps(dlviz_comm *comm, const outcome *o) {
    dlviz_tensor *all = NULL;
    dlviz_status status = dlviz_comm_gather(comm, o->map, &all);
    int64_t size = dlviz_tensor_num_elements(o->map);
    for (int64_t r = 0; status == DLVIZ_OK && r < dlviz_comm_num_ranks(comm); r++)
        if (memcmp(dlviz_tensor_const_float(all) + r * size, dlviz_tensor_const_float(o->map),
                   (size_t)size * sizeof(float)) != 0)
            status = dlviz_fail(DLVIZ_ERROR_STATE, "rank %d has another map", (int)r);
    dlviz_tensor_destroy(all);
    return status;
}

static dlviz_status see_thread_cancelled(dlviz_comm *comm, void *user) {
    asked a = *(const asked *)user;
    outcome o;
    a.stops = dlviz_comm_rank(comm) == a.fit->stopping_rank;
    dlviz_set_progress(ask, &a);
    dlviz_status status = run(comm, a.fit, &o);
    dlviz_set_progress(NULL, NULL);
    if (status != DLVIZ_CANCELLED)
        status = dlviz_fail(DLVIZ_ERROR_STATE, "stopped at call %d: status %d: %s", (int)a.stop_at,
                            (int)status, dlviz_last_error());
    else
        status = o.map ? require_same_maps(comm, &o) : DLVIZ_OK;
    forget(&o);
    return status;
}

START_TEST(one_rank_s_thread_cancels_all) {
    fit f = {.what = "cancelled",
             .points = blobs(2500, 5, 15),
             .perplexity = 20,
             .iterations = 100000,
             .early = 50};
    for (f.stopping_rank = 0; f.stopping_rank < 3; f.stopping_rank++)
        for (int64_t stop_at = 0; stop_at < 4; stop_at++)
            ranks_succeed(3, see_thread_cancelled, &(asked){.fit = &f, .stop_at = stop_at});
    destroy(&f);
}
END_TEST

/* -- Failures -------------------------------------------------------------------------------------
 */

static dlviz_status just_fit(dlviz_comm *comm, void *user) {
    outcome o;
    dlviz_status status = run(comm, user, &o);
    forget(&o);
    return status;
}

/* Each allocation of one rank fails once: all ranks say so, or it was one that can be done without. */
static void fail_allocations(fit f, int64_t step) {
    ranks_result results[3];
    f.without_history = true;
    ranks_run_with(&(ranks_trouble){.allocation = INT64_MAX}, 3, just_fit, &f, results);
    int64_t allocations = results[1].allocations;
    ck_assert_int_gt(allocations, 20);
    for (int64_t a = 1; a <= allocations; a += step) {
        ranks_run_with(&(ranks_trouble){.rank = 1, .allocation = a}, 3, just_fit, &f, results);
        if (results[1].status == DLVIZ_OK) {
            ck_assert_int_eq(results[0].status, DLVIZ_OK);
            ck_assert_int_eq(results[2].status, DLVIZ_OK);
            continue;
        }
        ck_assert_msg(results[1].status == DLVIZ_ERROR_OUT_OF_MEMORY, "allocation %d: %s", (int)a,
                      results[1].sentence);
        for (int r = 0; r < 3; r += 2) {
            ck_assert_msg(results[r].status == DLVIZ_ERROR_COMM, "allocation %d, rank %d: %d",
                          (int)a, r, results[r].status);
            ck_assert_msg(strstr(results[r].sentence, "rank 1 ") != NULL, /* failed, or is gone */
                          "allocation %d, rank %d: %s", (int)a, r, results[r].sentence);
        }
    }
    destroy(&f);
}

START_TEST(one_rank_runs_out_of_memory) {
    fail_allocations((fit){.points = blobs(1000, 5, 16),
                           .more = blobs(40, 5, 17),
                           .perplexity = 5,
                           .method = GRID,
                           .iterations = 45,
                           .early = 20},
                     1);
    fail_allocations((fit){.points = blobs(300, 5, 16),
                           .perplexity = 5,
                           .dimensions = 3,
                           .method = TREE,
                           .iterations = 45,
                           .early = 20},
                     1);
    fail_allocations((fit){.points = blobs(300, 5, 16),
                           .perplexity = 5,
                           .method = EXACT,
                           .iterations = 45,
                           .early = 20},
                     1);
}
END_TEST

START_TEST(a_connection_breaks) {
    fit f = {.points = blobs(600, 5, 16),
             .perplexity = 5,
             .method = GRID,
             .iterations = 45,
             .early = 20};
    ranks_result results[3];
    ranks_run(3, just_fit, &f, results);
    int64_t calls = results[2].calls;
    for (int64_t call = 1; call <= calls; call += 1 + calls / 60)
        for (int silent = 0; silent < 2; silent++) {
            ranks_run_with(&(ranks_trouble){.rank = 2, .call = call, .silent = silent}, 3, just_fit,
                           &f, results);
            for (int r = 0; r < 3; r++)
                ck_assert_msg(results[r].status == DLVIZ_ERROR_COMM, "call %d, rank %d: %d, %s",
                              (int)call, r, results[r].status, results[r].sentence);
        }
    destroy(&f);
}
END_TEST

START_TEST(ranks_that_lag_behind) {
    fit f = {.what = "late ranks",
             .points = blobs(600, 5, 18),
             .perplexity = 5,
             .method = GRID,
             .iterations = 60,
             .early = 20};
    run(NULL, &f, &f.expected);
    ranks_result results[4];
    ranks_run_with(&(ranks_trouble){.delays = 5}, 4, see_fit, &f, results);
    for (int r = 0; r < 4; r++)
        ck_assert_msg(results[r].status == DLVIZ_OK, "%s", results[r].sentence);
    destroy(&f);
}
END_TEST

typedef struct difference {
    fit fits[2]; /* rank 1 has the second */
    const char *says;
} difference;

static dlviz_status see_difference(dlviz_comm *comm, void *user) {
    const difference *d = user;
    outcome o;
    dlviz_status status = run(comm, &d->fits[dlviz_comm_rank(comm) == 1], &o);
    forget(&o);
    if (status == DLVIZ_ERROR_INVALID_ARGUMENT && strstr(dlviz_last_error(), d->says))
        return DLVIZ_OK;
    return dlviz_fail(DLVIZ_ERROR_STATE, "status %d, not about %s: %s", (int)status, d->says,
                      dlviz_last_error());
}

START_TEST(ranks_with_other_points_or_settings) {
    fit f = {.points = blobs(200, 5, 19), .perplexity = 5, .iterations = 20, .early = 10};
    dlviz_tensor *other = blobs(200, 5, 20), *wider = blobs(200, 6, 19);
    difference d = {{f, f}, "'points'"};
    d.fits[1].points = other;
    ranks_succeed(3, see_difference, &d);
    d.fits[1].points = wider;
    ranks_succeed(3, see_difference, &d);
    d.fits[1] = f;
    d.says = "the settings";
    d.fits[1].perplexity = 6;
    ranks_succeed(3, see_difference, &d);
    d.fits[1].perplexity = 5;
    d.fits[1].iterations = 21;
    ranks_succeed(3, see_difference, &d);
    d.fits[1].iterations = 20;
    d.fits[1].every = 7;
    ranks_succeed(3, see_difference, &d);
    d.fits[1].every = 0;
    d.fits[1].start = with_far_point(200, 1, 1);
    ranks_succeed(3, see_difference, &d);
    d.fits[0].start = with_far_point(200, 1, 2);
    d.says = "the initial map";
    ranks_succeed(3, see_difference, &d);
    dlviz_tensor_destroy(d.fits[0].start);
    dlviz_tensor_destroy(d.fits[1].start);
    d.fits[0] = d.fits[1] = f;
    d.fits[0].more = other;
    d.fits[1].more = f.points;
    d.says = "'points'";
    ranks_succeed(3, see_difference, &d);
    dlviz_tensor_destroy(other);
    dlviz_tensor_destroy(wider);
    destroy(&f);
}
END_TEST

/* What only one rank has wrong is said there, and told to the others. */
static dlviz_status see_bad_points(dlviz_comm *comm, void *user) {
    difference *d = user;
    outcome o;
    bool is_bad = dlviz_comm_rank(comm) == 1;
    dlviz_status status = run(comm, &d->fits[is_bad], &o);
    forget(&o);
    if (status != (is_bad ? DLVIZ_ERROR_NUMERIC : DLVIZ_ERROR_COMM) ||
        !strstr(dlviz_last_error(), d->says))
        return dlviz_fail(DLVIZ_ERROR_STATE, "status %d: %s", (int)status, dlviz_last_error());
    /* The communicator is still good. */
    status = run(comm, &d->fits[0], &o);
    forget(&o);
    return status;
}

START_TEST(one_rank_has_bad_points) {
    fit f = {.points = blobs(200, 5, 19), .perplexity = 5, .iterations = 20, .early = 10};
    difference d = {{f, f}, "'points'"};
    d.fits[1].points = blobs(200, 5, 19);
    dlviz_tensor_float(d.fits[1].points)[33] = NAN;
    ranks_succeed(3, see_bad_points, &d);
    destroy(&d.fits[0]);
    destroy(&d.fits[1]);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {every_method_in_every_dimension,
                                  the_grid_with_all_its_parts,
                                  maps_of_odd_shapes,
                                  few_points,
                                  points_that_coincide,
                                  cosines_and_random_starts,
                                  a_collapse,
                                  neighbors_and_affinities_of_others,
                                  new_points_into_maps,
                                  early_ends,
                                  one_rank_s_function_cancels_all,
                                  one_rank_s_thread_cancels_all,
                                  one_rank_runs_out_of_memory,
                                  a_connection_breaks,
                                  ranks_that_lag_behind,
                                  ranks_with_other_points_or_settings,
                                  one_rank_has_bad_points,
                                  NULL};
    return run_tests("tsne_ranks", tests);
}
