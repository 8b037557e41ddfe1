/* Measures of maps by ranks: the bits of one process for any number of ranks and threads, and
 * failures that all ranks learn of. */
#include "base/base.h"
#include "comm/comm.h"
#include "comm/exchange.h"
#include "support/random_cases.h"
#include "support/ranks.h"
#include "support/support.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int rank_counts[] = {1, 2, 3, 4, 8};

enum measure { TRUST, CONTINUITY, PRESERVATION, ACCURACY, SILHOUETTE, CORRELATION, MEASURES };
static const char *const names[] = {"trustworthiness",   "continuity", "neighbor preservation",
                                    "neighbor accuracy", "silhouette", "distance correlation"};

/* What ranks are given; the one named `other` something else. */
typedef struct given {
    enum measure measure;
    dlviz_tensor *points, *map, *labels;
    int64_t k, samples;            /* or pairs */
    double result, standard_error; /* that are right */
    int other;
    enum { ALIKE, MAP, LABELS, NEIGHBORS, SAMPLES, SEED, NO_RESULT, CANCELS } what;
    dlviz_tensor *other_map, *other_labels;
} given;

static dlviz_status measure(dlviz_comm *comm, const given *g, const dlviz_tensor *map,
                            const dlviz_tensor *labels, int64_t k, int64_t samples, uint64_t seed,
                            double *result, double *error) {
    switch (g->measure) {
    case TRUST:
        return dlviz_metrics_trustworthiness_shared(comm, g->points, map, k, samples, seed, result,
                                                    error);
    case CONTINUITY:
        return dlviz_metrics_continuity_shared(comm, g->points, map, k, samples, seed, result,
                                               error);
    case PRESERVATION:
        return dlviz_metrics_neighbor_preservation_shared(comm, g->points, map, k, samples, seed,
                                                          result, error);
    case ACCURACY:
        return dlviz_metrics_neighbor_accuracy_shared(comm, map, labels, k, samples, seed, result,
                                                      error);
    case SILHOUETTE:
        return dlviz_metrics_silhouette_shared(comm, map, labels, samples, seed, result, error);
    default:
        *error = 0;
        return dlviz_metrics_distance_correlation_shared(
            comm, g->points, map, samples == INT64_MAX ? 0 : samples, seed, result);
    }
}

/* By the functions that know no ranks. */
static dlviz_status measure_alone(given *g) {
    int64_t k = g->k, samples = g->samples;
    double *result = &g->result, *error = &g->standard_error;
    bool all = samples == INT64_MAX;
    *error = 0;
    switch (g->measure) {
    case TRUST:
        return all ? dlviz_metrics_trustworthiness(g->points, g->map, k, result)
                   : dlviz_metrics_trustworthiness_sampled(g->points, g->map, k, samples, 3, result,
                                                           error);
    case CONTINUITY:
        return all ? dlviz_metrics_continuity(g->points, g->map, k, result)
                   : dlviz_metrics_continuity_sampled(g->points, g->map, k, samples, 3, result,
                                                      error);
    case PRESERVATION:
        return all ? dlviz_metrics_neighbor_preservation(g->points, g->map, k, result)
                   : dlviz_metrics_neighbor_preservation_sampled(g->points, g->map, k, samples, 3,
                                                                 result, error);
    case ACCURACY:
        return all ? dlviz_metrics_neighbor_accuracy(g->map, g->labels, k, result)
                   : dlviz_metrics_neighbor_accuracy_sampled(g->map, g->labels, k, samples, 3,
                                                             result, error);
    case SILHOUETTE:
        return all ? dlviz_metrics_silhouette(g->map, g->labels, result)
                   : dlviz_metrics_silhouette_sampled(g->map, g->labels, samples, 3, result, error);
    default:
        return dlviz_metrics_distance_correlation(g->points, g->map, all ? 0 : samples, 3, result);
    }
}

static bool never(const dlviz_progress_event *event, void *user) {
    (void)event;
    (void)user;
    return false;
}

static dlviz_status see_measure(dlviz_comm *comm, void *user) {
    const given *g = user;
    bool other = dlviz_comm_rank(comm) == g->other;
    double result = 5, error = 5;
    if (other && g->what == CANCELS)
        dlviz_set_progress(never, NULL);
    dlviz_status status =
        measure(comm, g, other && g->what == MAP ? g->other_map : g->map,
                other && g->what == LABELS ? g->other_labels : g->labels,
                g->k + (other && g->what == NEIGHBORS), g->samples - (other && g->what == SAMPLES),
                3 + (uint64_t)(other && g->what == SEED),
                other && g->what == NO_RESULT ? NULL : &result, &error);
    dlviz_set_progress(NULL, NULL);
    if (status != DLVIZ_OK) {
        if (!(result == 0 || (other && g->what == NO_RESULT)) || error != 0)
            return dlviz_fail(DLVIZ_ERROR_STATE, "results of a failure");
        char sentence[1024];
        snprintf(sentence, sizeof sentence, "%s", dlviz_last_error());
        double again = 0, again_error = 0;
        TRY(measure(comm, g, g->map, g->labels, g->k, g->samples, 3, &again, &again_error));
        if (memcmp(&again, &g->result, sizeof again) != 0)
            return dlviz_fail(DLVIZ_ERROR_STATE, "another result after a failure");
        return dlviz_fail(status, "%s", sentence);
    }
    if (memcmp(&result, &g->result, sizeof result) != 0 ||
        memcmp(&error, &g->standard_error, sizeof error) != 0)
        return dlviz_fail(DLVIZ_ERROR_STATE, "%s: %.17g (%.17g), not %.17g (%.17g)",
                          names[g->measure], result, error, g->result, g->standard_error);
    return DLVIZ_OK;
}

/* -- Points and maps ------------------------------------------------------------------------------
 */

static dlviz_tensor *matrix(int64_t n, int64_t d, uint64_t seed) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    fill_uniform(dlviz_tensor_float(tensor), n * d, seed);
    return tensor;
}

/* steps 0: all different; else coordinates are so many steps, which makes ties and equal rows. */
static given make(int64_t n, int64_t d, int64_t k, float steps) {
    given g = {.points = matrix(n, d, 1),
               .map = matrix(n, 2, 2),
               .other_map = matrix(n, 2, 2),
               .k = k,
               .other = -1};
    ck_ok(dlviz_tensor_create(&g.labels, DLVIZ_UINT8, 1, &n));
    ck_ok(dlviz_tensor_create(&g.other_labels, DLVIZ_UINT8, 1, &n));
    float *points = dlviz_tensor_float(g.points), *map = dlviz_tensor_float(g.map);
    for (int64_t i = 0; i < n * 2; i++)
        map[i] += points[i / 2 * d + i % 2];
    for (int64_t i = 0; steps > 0 && i < n * d; i++)
        points[i] = roundf(points[i] * steps);
    for (int64_t i = 0; steps > 0 && i < n * 2; i++)
        map[i] = roundf(map[i] * steps);
    for (int64_t i = 0; i < n; i++)
        ((uint8_t *)dlviz_tensor_data(g.labels))[i] = (uint8_t)(i * i % 7 + (map[i * 2] > 0));
    memcpy(dlviz_tensor_data(g.other_map), map, (size_t)n * 2 * sizeof *map);
    dlviz_tensor_float(g.other_map)[n] += 1;
    memcpy(dlviz_tensor_data(g.other_labels), dlviz_tensor_data(g.labels), (size_t)n);
    ((uint8_t *)dlviz_tensor_data(g.other_labels))[n / 2] ^= 1;
    return g;
}

static void destroy(given *g) {
    dlviz_tensor_destroy(g->points);
    dlviz_tensor_destroy(g->map);
    dlviz_tensor_destroy(g->labels);
    dlviz_tensor_destroy(g->other_map);
    dlviz_tensor_destroy(g->other_labels);
}

static void expect_bits(given g, int64_t samples) {
    g.samples = samples;
    for (int m = 0; m < MEASURES; m++) {
        g.measure = (enum measure)m;
        ck_ok(measure_alone(&g));
        for (int threads = 1; threads <= 2; threads++) {
            ck_ok(dlviz_set_num_threads(threads));
            for (size_t r = 0; r < sizeof rank_counts / sizeof *rank_counts; r++)
                ranks_succeed(rank_counts[r], see_measure, &g);
        }
    }
}

START_TEST(all_points_and_samples) {
    given g = make(1200, 9, 11, 0);
    expect_bits(g, INT64_MAX);
    expect_bits(g, 400);
    expect_bits(g, 40);
    destroy(&g);
    g = make(2600, 5, 4, 0);
    expect_bits(g, INT64_MAX);
    destroy(&g);
    g = make(9, 3, 2, 0);
    expect_bits(g, INT64_MAX);
    expect_bits(g, 2);
    destroy(&g);
}
END_TEST

/* So many are equally far that products leave ranks open. */
START_TEST(ties) {
    given g = make(1500, 3, 20, 1);
    expect_bits(g, INT64_MAX);
    expect_bits(g, 300);
    destroy(&g);
    g = make(700, 4, 5, 4);
    expect_bits(g, INT64_MAX);
    destroy(&g);
}
END_TEST

/* -- Failures -------------------------------------------------------------------------------------
 */

static void expect_failures(given *g, dlviz_status own, dlviz_status others, const char *words) {
    ranks_result results[4];
    g->other = 2;
    ck_ok(measure_alone(g));
    ranks_run(4, see_measure, g, results);
    for (int r = 0; r < 4; r++) {
        ck_assert_msg(results[r].status == (r == 2 ? own : others), "%s, rank %d: %s (%s)",
                      names[g->measure], r, dlviz_status_name(results[r].status),
                      results[r].sentence);
        ck_assert_msg(strstr(results[r].sentence, words) != NULL, "%s, rank %d: '%s' lacks '%s'",
                      names[g->measure], r, results[r].sentence, words);
        ck_assert_msg(r == 2 || strstr(results[r].sentence, "rank 2") != NULL, "'%s'",
                      results[r].sentence);
    }
}

START_TEST(what_one_rank_has_alone_is_refused) {
    const dlviz_status refused = DLVIZ_ERROR_INVALID_ARGUMENT;
    given g = make(300, 4, 5, 0);
    for (int m = 0; m < MEASURES; m++) {
        bool of_labels = m == ACCURACY || m == SILHOUETTE;
        g.measure = (enum measure)m;
        g.samples = 100;
        g.what = MAP;
        expect_failures(&g, refused, refused, of_labels ? "points is" : "map is");
        g.what = LABELS;
        if (of_labels)
            expect_failures(&g, refused, refused, "labels is");
        g.what = NEIGHBORS;
        if (m < SILHOUETTE)
            expect_failures(&g, refused, refused, "6 neighbors");
        g.what = SAMPLES;
        expect_failures(&g, refused, refused, m == CORRELATION ? "99 pairs" : "99 samples");
        g.what = SEED;
        expect_failures(&g, refused, refused, "seed 4");
        g.what = NO_RESULT;
        expect_failures(&g, refused, DLVIZ_ERROR_COMM, "'result' is NULL");
        g.what = CANCELS;
        expect_failures(&g, DLVIZ_CANCELLED, DLVIZ_CANCELLED, "cancelled");
    }
    destroy(&g);
}
END_TEST

START_TEST(no_memory_on_one_rank) {
    given g = make(500, 3, 5, 1);
    for (int m = 0; m < MEASURES; m++) {
        ranks_result results[3];
        g.measure = (enum measure)m;
        g.samples = m == CORRELATION ? 20000 : 200;
        ck_ok(measure_alone(&g));
        ranks_run_with(&(ranks_trouble){.allocation = INT64_MAX}, 3, see_measure, &g, results);
        int64_t allocations = results[1].allocations;
        ck_assert_int_gt(allocations, 5);
        for (int64_t i = 1; i <= allocations; i++) {
            ranks_run_with(&(ranks_trouble){.rank = 1, .allocation = i}, 3, see_measure, &g,
                           results);
            for (int r = 0; r < 3; r++)
                ck_assert_msg(results[r].status ==
                                  (r == 1 ? DLVIZ_ERROR_OUT_OF_MEMORY : DLVIZ_ERROR_COMM),
                              "%s, allocation %lld, rank %d: %s (%s)", names[m], (long long)i, r,
                              dlviz_status_name(results[r].status), results[r].sentence);
        }
    }
    destroy(&g);
}
END_TEST

/* What all ranks fail of alike is each one's own failure. */
static dlviz_status see_nan(dlviz_comm *comm, void *user) {
    given *g = user;
    double result, error;
    dlviz_status status = measure(comm, g, g->map, g->labels, g->k, g->samples, 3, &result, &error);
    if (status != DLVIZ_ERROR_NUMERIC || !strstr(dlviz_last_error(), "nan in row 7, column 1"))
        return dlviz_fail(DLVIZ_ERROR_STATE, "%s: %s", names[g->measure], dlviz_last_error());
    return DLVIZ_OK;
}

START_TEST(not_a_number) {
    given g = make(100, 3, 5, 0);
    g.samples = INT64_MAX;
    dlviz_tensor_float(g.map)[15] = NAN;
    for (int m = 0; m < MEASURES; m++) {
        g.measure = (enum measure)m;
        ranks_succeed(3, see_nan, &g);
    }
    destroy(&g);
}
END_TEST

typedef struct held {
    dlviz_comm *comm;
    dlz_hold hold;
    dlviz_status status;
} held;

static void *hold_comm(void *user) {
    held *h = user;
    h->status = dlz_busy_take("a test", &h->comm->busy, "communicator", DLZ_ALONE, &h->hold);
    return NULL;
}

/* Another thread has the communicator. */
static dlviz_status be_refused(dlviz_comm *comm, void *user) {
    const given *g = user;
    held h = {.comm = comm};
    pthread_t thread;
    double result = 7, error = 7;
    if (pthread_create(&thread, NULL, hold_comm, &h) != 0)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no thread");
    pthread_join(thread, NULL);
    dlviz_status status = measure(comm, g, g->map, g->labels, g->k, g->samples, 1, &result, &error);
    dlz_busy_give_back(&h.hold);
    if (h.status != DLVIZ_OK || status != DLVIZ_ERROR_STATE || result != 0 || error != 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: status %d and results %g, %g", names[g->measure],
                        (int)status, result, error);
    return DLVIZ_OK;
}

START_TEST(results_are_0_where_the_communicator_is_in_use) {
    given g = make(100, 3, 5, 0);
    g.samples = INT64_MAX;
    for (int m = 0; m < MEASURES; m++) {
        g.measure = (enum measure)m;
        ranks_succeed(2, be_refused, &g);
    }
    destroy(&g);
}
END_TEST

int main(void) {
    return run_tests("quality_ranks",
                     (const TTest *[]){all_points_and_samples, ties,
                                       what_one_rank_has_alone_is_refused, no_memory_on_one_rank,
                                       not_a_number, results_are_0_where_the_communicator_is_in_use,
                                       NULL});
}
