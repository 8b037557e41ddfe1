/* The search for neighbors against a plain one in double: the same neighbors, whatever the
 * points.
 */
#include "neighbors/neighbors.h"
#include "support/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    int64_t n, m, d;
    int k;
    float *points, *queries;
    const char *what;
    int32_t *indices;
    float *distances;
    double *truth;
    int32_t *nearest;
} job;

static job draw_job(dlz_random *random, bool queries) {
    job j = {.n = random_chance(random, 0.04)  ? random_between(random, 2400, 3000)
                  : random_chance(random, 0.3) ? random_between(random, 2, 40)
                                               : random_between(random, 41, 700),
             .d = random_chance(random, 0.1) ? random_between(random, 65, 200)
                                             : random_between(random, 1, 64)};
    j.m = queries ? random_between(random, 1, 150) : j.n;
    int64_t most = queries ? j.n : j.n - 1;
    j.k = (int)(random_chance(random, 0.1) && j.n < 300
                    ? most
                    : random_between(random, 1, most < 40 ? most : 40));
    j.points = random_points(random, j.n, j.d, &j.what);
    j.queries = j.points;
    if (queries) {
        const char *other;
        j.queries = random_points(random, j.m, j.d, &other);
        for (int64_t q = 0; q < j.m; q++)
            if (random_chance(random, 0.7)) /* the others may lie far away */
                memcpy(j.queries + q * j.d, j.points + random_between(random, 0, j.n - 1) * j.d,
                       (size_t)j.d * sizeof(float));
    }
    j.indices = malloc((size_t)(j.m * j.k) * sizeof *j.indices);
    j.distances = malloc((size_t)(j.m * j.k) * sizeof *j.distances);
    j.nearest = malloc((size_t)j.k * sizeof *j.nearest);
    j.truth = malloc((size_t)j.n * sizeof *j.truth);
    return j;
}

static void free_job(job *j) {
    if (j->queries != j->points)
        free(j->queries);
    free(j->points);
    free(j->indices);
    free(j->distances);
    free(j->nearest);
    free(j->truth);
}

static void check_distance(const job *j, int64_t query, int place, double expected) {
    double found = (double)j->distances[query * j->k + place], square = expected * expected;
    ck_assert_msg(fabs(found - square) <= 1.2e-7 * square + 1e-45,
                  "%s, %lld x %lld: squared distance %d of %lld is %.9g, not %.17g", j->what,
                  (long long)j->n, (long long)j->d, place, (long long)query, found, square);
}

static void check_exact(const job *j, bool exclude_self) {
    int64_t step = j->n > 1000 ? 17 : 1;
    for (int64_t q = 0; q < j->m; q += step) {
        plain_distances(j->queries + q * j->d, j->points, j->n, j->d, j->truth);
        plain_nearest(j->truth, j->n, exclude_self ? q : -1, j->k, j->nearest);
        for (int i = 0; i < j->k; i++) {
            int32_t found = j->indices[q * j->k + i];
            ck_assert_msg(found == j->nearest[i],
                          "%s, %lld x %lld, k = %d: neighbor %d of %lld is %d (%.17g), not %d "
                          "(%.17g)",
                          j->what, (long long)j->n, (long long)j->d, j->k, i, (long long)q, found,
                          j->truth[found], j->nearest[i], j->truth[j->nearest[i]]);
            check_distance(j, q, i, j->truth[found]);
        }
    }
}

static void neighbors_are_those_of_a_plain_search(uint64_t seed) {
    static const int threads[] = {1, 2, 3, 8};
    dlz_random random = random_numbers(seed);
    choose_isa(seed);
    ck_ok(dlviz_set_num_threads(threads[random_between(&random, 0, 3)]));
    job j = draw_job(&random, false);
    ck_ok(dlz_knn_exact(NULL, j.points, j.n, j.d, j.k, j.indices, j.distances));
    check_exact(&j, true);
    free_job(&j);
}

static void queries_find_what_a_plain_search_finds(uint64_t seed) {
    dlz_random random = random_numbers(seed);
    choose_isa(seed);
    ck_ok(dlviz_set_num_threads((int)random_between(&random, 1, 3)));
    job j = draw_job(&random, true);
    ck_ok(dlz_knn_query(NULL, j.points, j.n, j.queries, j.m, j.d, j.k, j.indices, j.distances));
    check_exact(&j, false);
    free_job(&j);
}

/* The distances are those of the nearest, each point is there once, and all that are nearer than
 * the last are. */
static void check_drawn(const job *j) {
    bool *seen = calloc((size_t)j->n, sizeof *seen);
    for (int64_t q = 0; q<j->m; q += j->n> 1000 ? 17 : 1) {
        const int32_t *found = j->indices + q * j->k;
        plain_distances(j->points + q * j->d, j->points, j->n, j->d, j->truth);
        plain_nearest(j->truth, j->n, q, j->k, j->nearest);
        for (int i = 0; i < j->k; i++) {
            double expected = j->truth[j->nearest[i]];
            ck_assert_msg(found[i] != q && !seen[found[i]] && j->truth[found[i]] == expected,
                          "%s, %lld x %lld, k = %d: neighbor %d of %lld is %d (%.17g), not at "
                          "%.17g",
                          j->what, (long long)j->n, (long long)j->d, j->k, i, (long long)q,
                          found[i], j->truth[found[i]], expected);
            ck_assert(i == 0 || expected > j->truth[found[i - 1]] || found[i] > found[i - 1]);
            seen[found[i]] = true;
            check_distance(j, q, i, expected);
        }
        for (int i = 0; i < j->k; i++)
            seen[found[i]] = false;
    }
    free(seen);
}

static void drawn_ties_are_nearest_too(uint64_t seed) {
    dlz_random random = random_numbers(seed);
    choose_isa(seed);
    job j = draw_job(&random, false);
    ck_ok(dlviz_set_num_threads(1));
    ck_ok(dlz_knn_search_drawn(NULL, j.points, j.n, j.d, j.k, seed, j.indices, j.distances));
    check_drawn(&j);
    size_t count = (size_t)(j.m * j.k);
    int32_t *first = malloc(count * sizeof *first);
    memcpy(first, j.indices, count * sizeof *first);
    ck_ok(dlviz_set_num_threads(3));
    ck_ok(dlz_knn_search_drawn(NULL, j.points, j.n, j.d, j.k, seed, j.indices, j.distances));
    ck_assert_mem_eq(first, j.indices, count * sizeof *first);
    free(first);
    free_job(&j);
}

int main(void) {
    static const random_test tests[] = {
        {"neighbors_are_those_of_a_plain_search", neighbors_are_those_of_a_plain_search, 120},
        {"queries_find_what_a_plain_search_finds", queries_find_what_a_plain_search_finds, 60},
        {"drawn_ties_are_nearest_too", drawn_ties_are_nearest_too, 60},
        {0}};
    return run_random_tests("random neighbors", tests);
}
