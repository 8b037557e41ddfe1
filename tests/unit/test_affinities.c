/* Affinities: perplexity, symmetry, order. */
#include "base/base.h"
#include "base/random.h"
#include "tsne/edges.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double entropy_of(const float *p, int k) {
    double entropy = 0, sum = 0;
    for (int i = 0; i < k; i++) {
        sum += p[i];
        entropy -= p[i] > 0 ? p[i] * log(p[i]) : 0;
    }
    ck_assert_double_eq_tol(sum, 1, 1e-5);
    return entropy;
}

START_TEST(every_row_has_the_perplexity_asked_for) {
    enum { n = 200, k = 90 };
    static float distances[n * k], p[n * k];
    for (int scale = -12; scale <= 12; scale += 6) {
        fill_uniform(distances, n * k, 4);
        for (int i = 0; i < n * k; i++)
            distances[i] =
                (float)(((double)distances[i] * (i / k % 7) + 50 + i / k) * pow(10, scale));
        const double wanted[] = {1.5, 5, 30, 80};
        for (int w = 0; w < 4; w++) {
            ck_ok(dlz_conditional_affinities(NULL, distances, n, k, &wanted[w], 1, p));
            for (int row = 0; row < n; row++) {
                if (row % 7 == 0)
                    ck_assert_double_eq_tol(entropy_of(p + row * k, k), log(k), 1e-4);
                else
                    ck_assert_double_eq_tol(entropy_of(p + row * k, k), log(wanted[w]), 2e-5);
            }
        }
    }
}
END_TEST

/* The widths that matter are those among the near neighbors, however far the farthest is. */
START_TEST(far_neighbors_do_not_blur_the_near_ones) {
    enum { k = 90, near = 80 };
    float distances[k], p[k];
    for (int power = 4; power <= 32; power += 2)
        for (int w = 0; w < 3; w++) {
            const double wanted = (double[]){1.5, 30, 79}[w];
            for (int i = 0; i < k; i++)
                distances[i] =
                    i < near ? 1 + 2 * (float)i / near : (float)pow(10, power) * (float)(i - 79);
            ck_ok(dlz_conditional_affinities(NULL, distances, 1, k, &wanted, 1, p));
            ck_assert_double_eq_tol(entropy_of(p, k), log(wanted), 1e-5);
            for (int i = near; i < k && power > 8; i++)
                ck_assert_float_eq(p[i], 0);
        }
}
END_TEST

START_TEST(ties_share_a_row_and_several_perplexities_are_averaged) {
    float distances[12] = {0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 5}, p[12], low[12], high[12];
    ck_ok(dlz_conditional_affinities(NULL, distances, 1, 12, (double[]){3}, 1, p));
    for (int i = 0; i < 12; i++)
        ck_assert_float_eq_tol(p[i], i < 6 ? 1.0f / 6 : 0, 1e-6f);
    for (int i = 0; i < 12; i++)
        distances[i] = (float)(i * i);
    ck_ok(dlz_conditional_affinities(NULL, distances, 1, 12, (double[]){2}, 1, low));
    ck_ok(dlz_conditional_affinities(NULL, distances, 1, 12, (double[]){8}, 1, high));
    ck_ok(dlz_conditional_affinities(NULL, distances, 1, 12, (double[]){2, 8}, 2, p));
    for (int i = 0; i < 12; i++)
        ck_assert_float_eq_tol(p[i], (low[i] + high[i]) / 2, 1e-6f);
}
END_TEST

START_TEST(affinities_become_symmetric) {
    enum { n = 400, k = 7 };
    static int32_t columns[n * k];
    static float values[n * k];
    static double dense[n][n];
    dlz_random random = dlz_random_start(3, 3);
    for (int row = 0; row < n; row++)
        for (int i = 0; i < k; i++) {
            /* Distinct columns, some of them the row itself, in no order. */
            columns[row * k + i] =
                (int32_t)((row + (i * 53 + (int)dlz_random_below(&random, 50))) % n);
            values[row * k + i] = i == 3 ? 0 : 0.1f + dlz_random_float(&random);
        }
    double sum = 0;
    for (int row = 0; row < n; row++)
        for (int i = 0; i < k; i++)
            if (columns[row * k + i] != row) {
                dense[row][columns[row * k + i]] += values[row * k + i];
                dense[columns[row * k + i]][row] += values[row * k + i];
                sum += 2 * (double)values[row * k + i];
            }
    dlz_affinities affinities;
    ck_ok(dlz_affinities_symmetric(NULL, &affinities, n, NULL, k, columns, values));
    double negentropy = 0;
    static double rebuilt[n][n];
    for (int row = 0; row < n; row++)
        for (int64_t e = affinities.offsets[row]; e < affinities.offsets[row + 1]; e++) {
            ck_assert(e == affinities.offsets[row] ||
                      affinities.columns[e] > affinities.columns[e - 1]);
            rebuilt[row][affinities.columns[e]] = affinities.values[e];
        }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double p = dense[i][j] / sum;
            ck_assert_double_eq_tol(rebuilt[i][j], p, 1e-6 * p + 1e-30);
            negentropy += p > 0 ? p * log(p) : 0;
        }
    ck_assert_double_eq_tol(affinities.negentropy, negentropy, 1e-6 * fabs(negentropy));
    dlz_affinities_free(&affinities);
}
END_TEST

/* More points than 16 bits can number; rows of no edge, of a few and of many; edges that lead to
 * points near in number, and after renumbering to points anywhere. */
START_TEST(packed_edges_are_the_affinities_renumbered) {
    enum { n = 150000, k = 3, hub = 77777 };
    int32_t *columns = malloc(n * k * sizeof *columns), *order = malloc(n * sizeof *order);
    float *values = malloc(n * k * sizeof *values);
    dlz_random random = dlz_random_start(5, 5);
    for (int64_t i = 0; i < n * k; i++) {
        int64_t row = i / k;
        columns[i] = (int32_t)((row + 1 + (i % k) * 99 + dlz_random_below(&random, 50)) % n);
        if (i % k == 0 && row % 300 == 0 && row != hub)
            columns[i] = hub;
        values[i] = row % 7 == 0 ? 0 : 1e-3f + dlz_random_float(&random);
    }
    dlz_affinities affinities;
    ck_ok(dlz_affinities_symmetric(NULL, &affinities, n, NULL, k, columns, values));
    dlz_packed_edges packed = {0};
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < n; i++)
            order[i] = (int32_t)(pass ? (i * 7919 + 13) % n : i);
        ck_ok(dlz_edges_pack(&packed, &affinities, order, NULL, 0, n));
        dlz_edges edges = dlz_edges_of(&packed);
        ck_assert(pass ? edges.wide && !edges.columns : edges.columns && !edges.wide);
        int64_t wrong = 0; /* an assertion for each edge would take long */
        ck_assert_int_eq(edges.groups[0], 0);
        for (int64_t row = 0; row < n; row++) {
            int32_t old = order[row];
            int64_t first = affinities.offsets[old], count = affinities.offsets[old + 1] - first;
            int64_t found = 0;
            float largest = 0;
            for (int64_t e = first; e < first + count; e++)
                largest = fmaxf(largest, affinities.values[e]);
            for (int64_t e = edges.groups[row] * DLZ_EDGE_GROUP;
                 e < edges.groups[row + 1] * DLZ_EDGE_GROUP; e++) {
                int64_t column =
                    edges.wide ? edges.wide[e] : edges.bases[e / DLZ_EDGE_GROUP] + edges.columns[e];
                if (column >= n)
                    ck_abort_msg("row %lld leads to %lld", (long long)row, (long long)column);
                if (edges.values[e] == 0)
                    continue;
                found++;
                int64_t at = first, past = first + count; /* rows are sorted by old numbers */
                while (past - at > 1) {
                    int64_t middle = (at + past) / 2;
                    if (affinities.columns[middle] <= order[column])
                        at = middle;
                    else
                        past = middle;
                }
                float value = edges.scales[row] * (float)edges.values[e];
                wrong += affinities.columns[at] != order[column] ||
                         fabsf(value - affinities.values[at]) > largest / 65535 * 0.51f;
            }
            wrong += found != count; /* none is so small here that it becomes 0 */
        }
        ck_assert_int_eq(wrong, 0);
    }
    dlz_edges_free(&packed);
    dlz_affinities_free(&affinities);
    free(columns);
    free(values);
    free(order);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {every_row_has_the_perplexity_asked_for,
                                  far_neighbors_do_not_blur_the_near_ones,
                                  ties_share_a_row_and_several_perplexities_are_averaged,
                                  affinities_become_symmetric,
                                  packed_edges_are_the_affinities_renumbered,
                                  NULL};
    return run_tests("affinities", tests);
}
