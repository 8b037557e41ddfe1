/* Neighbors by ranks: the bits of one process for any number of ranks and threads, and failures that
 * all ranks learn of. */
#include "comm/comm.h"
#include "neighbors/neighbors.h"
#include "support/points.h"
#include "support/ranks.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int rank_counts[] = {1, 2, 3, 4, 8};

enum kind { EXACT, APPROXIMATE, SEARCH, DRAWN, QUERY };

typedef struct search {
    const char *what;
    enum kind kind;
    float *points, *queries;
    int64_t n, m, d;
    int k;
    int32_t *indices;
    float *distances;
} search;

static dlviz_status run(dlviz_comm *comm, const search *s, int32_t *indices, float *distances) {
    switch (s->kind) {
    case EXACT:
        return dlz_knn_exact(comm, s->points, s->n, s->d, s->k, indices, distances);
    case APPROXIMATE:
        return dlz_knn_approximate(comm, s->points, s->n, s->d, s->k, 0.9, indices, distances);
    case SEARCH:
        return dlz_knn_search(comm, s->points, s->n, s->d, s->k, indices, distances);
    case DRAWN:
        return dlz_knn_search_drawn(comm, s->points, s->n, s->d, s->k, 7, indices, distances);
    default:
        return dlz_knn_query(comm, s->points, s->n, s->queries, s->m, s->d, s->k, indices,
                             distances);
    }
}

static dlviz_status see_search(dlviz_comm *comm, void *user) {
    const search *s = user;
    size_t count = (size_t)(s->m * s->k);
    int32_t *indices = malloc(count * sizeof *indices);
    float *distances = malloc(count * sizeof *distances);
    memset(indices, 0xAA, count * sizeof *indices);
    memset(distances, 0xAA, count * sizeof *distances);
    dlviz_status status = run(comm, s, indices, distances);
    if (status == DLVIZ_OK && (memcmp(indices, s->indices, count * sizeof *indices) != 0 ||
                               memcmp(distances, s->distances, count * sizeof *distances) != 0))
        status =
            dlviz_fail(DLVIZ_ERROR_STATE, "%s: other neighbors than one process finds", s->what);
    free(indices);
    free(distances);
    return status;
}

/* Without a communicator first. Frees the points. */
static void expect_bits(search s) {
    if (s.kind != QUERY)
        s.m = s.n;
    s.indices = malloc((size_t)(s.m * s.k) * sizeof *s.indices);
    s.distances = malloc((size_t)(s.m * s.k) * sizeof *s.distances);
    ck_ok(run(NULL, &s, s.indices, s.distances));
    for (int threads = 1; threads <= 2; threads++) {
        ck_ok(dlviz_set_num_threads(threads));
        for (size_t r = 0; r < sizeof rank_counts / sizeof *rank_counts; r++)
            ranks_succeed(rank_counts[r], see_search, &s);
    }
    free(s.points);
    free(s.queries);
    free(s.indices);
    free(s.distances);
}

/* -- Points ---------------------------------------------------------------------------------------
 */

static float *normal(int64_t n, int64_t d, uint64_t seed) {
    dlz_random random = random_numbers(seed);
    float *points = malloc((size_t)(n * d) * sizeof *points);
    for (int64_t i = 0; i < n * d; i++) {
        double sum = 0;
        for (int j = 0; j < 4; j++)
            sum += (double)random_between(&random, -1000000, 1000000);
        points[i] = (float)(sum * 1e-6);
    }
    return points;
}

/* Whole numbers 0 ... most: ties, and equal rows where there are few. */
static float *whole(int64_t n, int64_t d, int64_t most, uint64_t seed) {
    dlz_random random = random_numbers(seed);
    float *points = malloc((size_t)(n * d) * sizeof *points);
    for (int64_t i = 0; i < n * d; i++)
        points[i] = (float)random_between(&random, 0, most);
    return points;
}

/* A value so far away that bytes would tell nothing. */
static float *with_outlier(float *points) {
    points[17] = 1e6f;
    return points;
}

START_TEST(bytes_panels_and_few_points) {
    expect_bits(
        (search){.what = "bytes", .points = normal(5000, 24, 1), .n = 5000, .d = 24, .k = 15});
    expect_bits((search){.what = "panels in clusters",
                         .points = with_outlier(normal(5000, 24, 2)),
                         .n = 5000,
                         .d = 24,
                         .k = 15});
    expect_bits(
        (search){.what = "panels", .points = normal(900, 33, 3), .n = 900, .d = 33, .k = 7});
    expect_bits((search){.what = "one tile", .points = normal(60, 5, 4), .n = 60, .d = 5, .k = 59});
    expect_bits((search){.what = "five points", .points = normal(5, 3, 5), .n = 5, .d = 3, .k = 4});
    expect_bits((search){.what = "two points", .points = normal(2, 1, 6), .n = 2, .d = 1, .k = 1});
}
END_TEST

START_TEST(ties_and_equal_rows) {
    expect_bits(
        (search){.what = "ties", .points = whole(4000, 4, 9, 1), .n = 4000, .d = 4, .k = 12});
    expect_bits(
        (search){.what = "equal rows", .points = whole(3000, 3, 4, 2), .n = 3000, .d = 3, .k = 40});
    expect_bits((search){
        .what = "few equal rows", .points = whole(500, 2, 3, 3), .n = 500, .d = 2, .k = 60});
    expect_bits(
        (search){.what = "all equal", .points = whole(2500, 6, 0, 4), .n = 2500, .d = 6, .k = 3});
    expect_bits((search){.what = "drawn",
                         .kind = DRAWN,
                         .points = whole(4000, 3, 5, 5),
                         .n = 4000,
                         .d = 3,
                         .k = 20});
    expect_bits((search){.what = "drawn of equal points",
                         .kind = DRAWN,
                         .points = whole(300, 3, 0, 5),
                         .n = 300,
                         .d = 3,
                         .k = 20});
}
END_TEST

START_TEST(queries_and_approximate_neighbors) {
    static const int64_t queries[] = {1, 95, 97, 1500};
    for (int i = 0; i < 4; i++)
        expect_bits((search){.what = "queries",
                             .kind = QUERY,
                             .points = whole(1300, 7, 6, 1),
                             .queries = whole(queries[i], 7, 7, 2),
                             .n = 1300,
                             .m = queries[i],
                             .d = 7,
                             .k = 11});
    expect_bits((search){.what = "one point",
                         .kind = QUERY,
                         .points = normal(1, 7, 1),
                         .queries = normal(300, 7, 2),
                         .n = 1,
                         .m = 300,
                         .d = 7,
                         .k = 1});
    expect_bits((search){.what = "approximate",
                         .kind = APPROXIMATE,
                         .points = normal(9000, 6, 3),
                         .n = 9000,
                         .d = 6,
                         .k = 10});
    expect_bits((search){.what = "approximate, few",
                         .kind = APPROXIMATE,
                         .points = normal(7, 6, 3),
                         .n = 7,
                         .d = 6,
                         .k = 2});
    expect_bits((search){
        .what = "search", .kind = SEARCH, .points = normal(2600, 9, 3), .n = 2600, .d = 9, .k = 5});
}
END_TEST

/* Of every kind that distances have to cope with. */
START_TEST(random_points_by_ranks) {
    for (uint64_t seed = 1; seed <= 40; seed++) {
        dlz_random random = random_numbers(seed);
        search s = {.kind = (enum kind)(seed % 4),
                    .n = random_between(&random, 2, seed % 8 == 0 ? 3000 : 400),
                    .d = random_between(&random, 1, 30)};
        s.k = (int)random_between(&random, 1, s.n - 1 < 50 ? s.n - 1 : 50);
        s.points = random_points(&random, s.n, s.d, &s.what);
        expect_bits(s);
    }
}
END_TEST

/* -- The public function --------------------------------------------------------------------------
 */

/* What ranks are given; the one named `other` something else. */
typedef struct given {
    const float *points;
    int64_t n, d, k;
    double recall;
    int other;
    enum { ALIKE, NAN_ROW, DATA, SHAPE, NEIGHBORS, RECALL, NO_RESULT, DISTANCES, CANCELS } what;
    double cancel_at;
    int64_t *asked; /* how often the rank's progress function was called, or NULL */
    const dlviz_tensor *indices, *distances; /* that are right */
    bool again;                              /* and once more, alike, over the same communicator */
} given;

static bool cancel(const dlviz_progress_event *event, void *user) {
    const given *g = user;
    if (g->asked)
        ++*g->asked;
    return dlviz_progress_event_share(event) < g->cancel_at;
}

static bool same(const dlviz_tensor *a, const dlviz_tensor *b) {
    int64_t count = dlviz_tensor_dim(a, 0) * dlviz_tensor_dim(a, 1);
    return dlviz_tensor_dim(b, 0) == dlviz_tensor_dim(a, 0) &&
           dlviz_tensor_dim(b, 1) == dlviz_tensor_dim(a, 1) &&
           memcmp(dlviz_tensor_const_data(a), dlviz_tensor_const_data(b),
                  (size_t)count * dlviz_dtype_size(dlviz_tensor_dtype(a))) == 0;
}

static dlviz_status see_right(dlviz_comm *comm, const given *g, const dlviz_tensor *points) {
    dlviz_tensor *indices, *distances;
    TRY(dlviz_neighbors_shared(comm, points, g->k, g->recall, &indices, &distances));
    bool right = same(indices, g->indices) && same(distances, g->distances);
    dlviz_tensor_destroy(indices);
    dlviz_tensor_destroy(distances);
    return right ? DLVIZ_OK : dlviz_fail(DLVIZ_ERROR_STATE, "other neighbors");
}

static dlviz_status see_given(dlviz_comm *comm, void *user) {
    const given *g = user;
    bool other = dlviz_comm_rank(comm) == g->other;
    dlviz_tensor *points, *right, *indices = NULL, *distances = NULL;
    int64_t dims[2] = {other && g->what == SHAPE ? g->n - 1 : g->n, g->d};
    TRY(dlviz_tensor_from_data(&right, DLVIZ_FLOAT32, 2, (int64_t[]){g->n, g->d}, g->points));
    dlviz_status status = dlviz_tensor_from_data(&points, DLVIZ_FLOAT32, 2, dims, g->points);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(right);
        return status;
    }
    if (g->what == NAN_ROW && (other || g->other < 0))
        dlviz_tensor_float(points)[g->d] = NAN;
    if (g->what == DATA && other)
        dlviz_tensor_float(points)[g->n * g->d / 2] += 1;
    if (g->what == CANCELS && other)
        dlviz_set_progress(cancel, user);
    status = dlviz_neighbors_shared(comm, points, g->k + (other && g->what == NEIGHBORS),
                                    other && g->what == RECALL ? 0.5 : g->recall,
                                    other && g->what == NO_RESULT ? NULL : &indices,
                                    other && g->what == DISTANCES ? NULL : &distances);
    dlviz_set_progress(NULL, NULL);
    bool failed = status != DLVIZ_OK;
    if (failed == (indices || distances))
        status = dlviz_fail(DLVIZ_ERROR_STATE, "results do not go with the status");
    else if (!failed && !(same(indices, g->indices) && same(distances, g->distances)))
        status = dlviz_fail(DLVIZ_ERROR_STATE, "other neighbors");
    dlviz_tensor_destroy(indices);
    dlviz_tensor_destroy(distances);
    dlviz_tensor_destroy(points);
    if (g->again) {
        char sentence[1024];
        snprintf(sentence, sizeof sentence, "%s", dlviz_last_error());
        dlviz_status then = see_right(comm, g, right);
        status = then != DLVIZ_OK ? then : dlviz_fail(status, "%s", sentence);
    }
    dlviz_tensor_destroy(right);
    return status;
}

static float some_points[3000 * 8];

static given some_given(void) {
    given g = {
        .points = some_points, .n = 3000, .d = 8, .k = 6, .recall = 1, .other = 1, .again = true};
    dlviz_tensor *points, *indices, *distances;
    fill_uniform(some_points, g.n * g.d, 5);
    ck_ok(dlviz_tensor_from_data(&points, DLVIZ_FLOAT32, 2, (int64_t[]){g.n, g.d}, some_points));
    ck_ok(dlviz_neighbors(points, g.k, g.recall, &indices, &distances));
    dlviz_tensor_destroy(points);
    g.indices = indices;
    g.distances = distances;
    return g;
}

static void end_given(given *g) {
    dlviz_tensor_destroy((dlviz_tensor *)g->indices);
    dlviz_tensor_destroy((dlviz_tensor *)g->distances);
}

START_TEST(all_ranks_have_what_one_process_finds) {
    given g = some_given();
    g.again = false;
    for (int threads = 1; threads <= 2; threads++) {
        ck_ok(dlviz_set_num_threads(threads));
        for (size_t r = 0; r < sizeof rank_counts / sizeof *rank_counts; r++)
            ranks_succeed(rank_counts[r], see_given, &g);
    }
    end_given(&g);
}
END_TEST

/* own: the status of rank 1; others: of the others, with the words. */
static void expect_failures(const given *g, dlviz_status own, dlviz_status others,
                            const char *words) {
    for (int ranks = 2; ranks <= 4; ranks++) {
        ranks_result results[4];
        ranks_run(ranks, see_given, (void *)g, results);
        for (int r = 0; r < ranks; r++) {
            ck_assert_msg(results[r].status == (r == 1 ? own : others), "rank %d of %d: %s (%s)", r,
                          ranks, dlviz_status_name(results[r].status), results[r].sentence);
            ck_assert_msg(strstr(results[r].sentence, words) != NULL, "rank %d: '%s' lacks '%s'", r,
                          results[r].sentence, words);
            if (r != 1)
                ck_assert_msg(strstr(results[r].sentence, "rank 1") != NULL || g->other < 0,
                              "'%s' names no rank", results[r].sentence);
        }
    }
}

START_TEST(what_one_rank_fails_of_all_learn) {
    given g = some_given();
    g.what = NAN_ROW;
    expect_failures(&g, DLVIZ_ERROR_NUMERIC, DLVIZ_ERROR_COMM, "nan in row 1, column 0");
    g.other = -1;
    expect_failures(&g, DLVIZ_ERROR_NUMERIC, DLVIZ_ERROR_NUMERIC, "nan in row 1, column 0");
    g.other = 1;
    g.what = NO_RESULT;
    expect_failures(&g, DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_COMM, "'indices' is NULL");
    end_given(&g);
}
END_TEST

START_TEST(what_one_rank_has_alone_is_refused) {
    static const struct {
        int what;
        const char *words;
    } cases[] = {{DATA, "digest"},
                 {SHAPE, "2999 x 8"},
                 {NEIGHBORS, "7 neighbors"},
                 {RECALL, "recall 0.5"},
                 {DISTANCES, "distances not wanted"}};
    given g = some_given();
    for (int i = 0; i < 5; i++) {
        memcpy(&g.what, &cases[i].what, sizeof g.what);
        expect_failures(&g, DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_INVALID_ARGUMENT,
                        cases[i].words);
    }
    end_given(&g);
}
END_TEST

START_TEST(one_rank_cancels_for_all) {
    given g = some_given();
    g.what = CANCELS;
    expect_failures(&g, DLVIZ_CANCELLED, DLVIZ_CANCELLED, "cancelled");
    end_given(&g);
}
END_TEST

/* A search is asked ten times a second: with twice the points, until it lasts long enough for all of
 * the numbers of ranks. */
START_TEST(one_rank_cancels_a_search) {
    for (int64_t n = 40000, runs = 0; runs < 3; n *= 2) {
        ck_assert_int_le(n, 640000);
        float *points = malloc((size_t)n * 40 * sizeof *points);
        fill_uniform(points, n * 40, 3);
        for (int ranks = 2; ranks <= 4; ranks++) {
            ranks_result results[4];
            int64_t asked = 0;
            given g = {.points = points,
                       .n = n,
                       .d = 40,
                       .k = 30,
                       .recall = 1,
                       .other = 1,
                       .what = CANCELS,
                       .cancel_at = 1e-9,
                       .asked = &asked};
            ranks_run(ranks, see_given, &g, results);
            runs = asked < 2 ? 0 : runs + 1;
            for (int r = 0; r < ranks && asked > 1; r++)
                ck_assert_msg(results[r].status == DLVIZ_CANCELLED, "rank %d of %d: %s (%s)", r,
                              ranks, dlviz_status_name(results[r].status), results[r].sentence);
        }
        free(points);
    }
}
END_TEST

/* Wherever memory ends on one rank, all fail, and the communicator goes on. */
START_TEST(no_memory_on_one_rank) {
    given g = some_given();
    ranks_result results[3];
    ranks_run_with(&(ranks_trouble){.allocation = INT64_MAX}, 3, see_given, &g, results);
    int64_t allocations = results[1].allocations;
    ck_assert_int_gt(allocations, 50);
    for (int64_t i = 1; i <= allocations; i++) {
        ranks_run_with(&(ranks_trouble){.rank = 1, .allocation = i}, 3, see_given, &g, results);
        ck_assert_msg(results[1].status == DLVIZ_ERROR_OUT_OF_MEMORY, "allocation %lld: %s (%s)",
                      (long long)i, dlviz_status_name(results[1].status), results[1].sentence);
        for (int r = 0; r < 3; r++)
            ck_assert_msg(r == 1 || results[r].status == DLVIZ_ERROR_COMM,
                          "allocation %lld, rank %d: %s (%s)", (long long)i, r,
                          dlviz_status_name(results[r].status), results[r].sentence);
    }
    end_given(&g);
}
END_TEST

/* Whatever call fails on one rank, and however late exchanges are. */
START_TEST(broken_connections) {
    given g = some_given();
    g.again = false;
    ranks_result results[3];
    ranks_run(3, see_given, &g, results);
    int64_t calls = results[2].calls;
    for (int64_t i = 1; i <= calls; i += 1 + i / 16) {
        ranks_run_with(&(ranks_trouble){.rank = 2, .call = i}, 3, see_given, &g, results);
        for (int r = 0; r < 3; r++)
            ck_assert_msg(results[r].status != DLVIZ_OK, "call %lld, rank %d", (long long)i, r);
    }
    for (uint64_t seed = 1; seed <= 3; seed++) {
        ranks_run_with(&(ranks_trouble){.delays = seed}, 3, see_given, &g, results);
        for (int r = 0; r < 3; r++)
            ck_assert_msg(results[r].status == DLVIZ_OK, "%s", results[r].sentence);
    }
    end_given(&g);
}
END_TEST

int main(void) {
    return run_tests("neighbors_ranks",
                     (const TTest *[]){bytes_panels_and_few_points, ties_and_equal_rows,
                                       queries_and_approximate_neighbors, random_points_by_ranks,
                                       all_ranks_have_what_one_process_finds,
                                       what_one_rank_fails_of_all_learn,
                                       what_one_rank_has_alone_is_refused, one_rank_cancels_for_all,
                                       one_rank_cancels_a_search, no_memory_on_one_rank,
                                       broken_connections, NULL});
}
