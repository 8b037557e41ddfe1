/* Each measure of a map against its definition, written down in plain double arithmetic. */
#include "support/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct measured {
    dlviz_tensor *points, *map, *labels;
    int64_t n;
    int k;
    const char *what, *what_map;
    double *distances[2]; /* n x n: in the points, in the map */
    int32_t *nearest[2];  /* n x k */
    const int64_t *label;
} measured;

static dlviz_tensor *matrix_of(float *values, int64_t n, int64_t d) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}, values));
    free(values);
    return tensor;
}

static void measure_plainly(measured *m) {
    const dlviz_tensor *each[] = {m->points, m->map};
    for (int s = 0; s < 2; s++) {
        const float *x = dlviz_tensor_const_data(each[s]);
        int64_t d = dlviz_tensor_dims(each[s])[1];
        m->distances[s] = malloc((size_t)(m->n * m->n) * sizeof(double));
        m->nearest[s] = malloc((size_t)(m->n * m->k) * sizeof(int32_t));
        for (int64_t i = 0; i < m->n; i++) {
            plain_distances(x + i * d, x, m->n, d, m->distances[s] + i * m->n);
            plain_nearest(m->distances[s] + i * m->n, m->n, i, m->k, m->nearest[s] + i * m->k);
        }
    }
}

static measured draw_case(uint64_t seed) {
    dlz_random random = random_numbers(seed);
    measured m = {.n = random_between(&random, 3, 150)};
    int64_t d = random_between(&random, 1, 60), classes = random_between(&random, 2, 6);
    m.k = (int)random_between(&random, 1, (m.n - 1) / 2);
    m.points = matrix_of(random_points(&random, m.n, d, &m.what), m.n, d);
    m.map = matrix_of(random_points(&random, m.n, 2, &m.what_map), m.n, 2);
    ck_ok(dlviz_tensor_create(&m.labels, DLVIZ_INT64, 1, &m.n));
    int64_t *label = dlviz_tensor_data(m.labels);
    for (int64_t i = 0; i < m.n; i++)
        label[i] = i < 2 ? i : random_between(&random, 0, classes - 1) * (i % 2);
    label[2] = 0; /* so that two share a label and two do not */
    m.label = label;
    measure_plainly(&m);
    return m;
}

static void free_case(measured *m) {
    for (int s = 0; s < 2; s++) {
        free(m->distances[s]);
        free(m->nearest[s]);
    }
    dlviz_tensor_destroy(m->points);
    dlviz_tensor_destroy(m->map);
    dlviz_tensor_destroy(m->labels);
}

static double trust(const measured *m, int near, int ranked) {
    double sum = 0;
    for (int64_t i = 0; i < m->n; i++)
        for (int j = 0; j < m->k; j++) {
            const double *row = m->distances[ranked] + i * m->n;
            int64_t rank = 1;
            for (int64_t l = 0; l < m->n; l++)
                rank += l != i && row[l] < row[m->nearest[near][i * m->k + j]];
            sum += rank > m->k ? (double)(rank - m->k) : 0;
        }
    return 1 - sum * 2 / ((double)(m->n * m->k) * (double)(2 * m->n - 3 * m->k - 1));
}

static double preservation(const measured *m) {
    int64_t common = 0;
    for (int64_t i = 0; i < m->n; i++)
        for (int a = 0; a < m->k; a++)
            for (int b = 0; b < m->k; b++)
                common += m->nearest[0][i * m->k + a] == m->nearest[1][i * m->k + b];
    return (double)common / (double)(m->n * m->k);
}

static double accuracy(const measured *m) {
    int64_t right = 0;
    for (int64_t i = 0; i < m->n; i++) {
        int64_t votes[8] = {0}, best = 0;
        for (int j = 0; j < m->k; j++)
            votes[m->label[m->nearest[0][i * m->k + j]]]++;
        for (int64_t c = 1; c < 8; c++)
            if (votes[c] > votes[best])
                best = c;
        right += best == m->label[i];
    }
    return (double)right / (double)m->n;
}

static double silhouette(const measured *m) {
    double total = 0;
    for (int64_t i = 0; i < m->n; i++) {
        double sums[8] = {0}, nearest = INFINITY;
        int64_t counts[8] = {0}, own = m->label[i];
        for (int64_t j = 0; j < m->n; j++)
            if (j != i) {
                sums[m->label[j]] += m->distances[0][i * m->n + j];
                counts[m->label[j]]++;
            }
        if (counts[own] == 0)
            continue;
        for (int c = 0; c < 8; c++)
            if (c != own && counts[c] > 0)
                nearest = fmin(nearest, sums[c] / (double)counts[c]);
        double within = sums[own] / (double)counts[own], larger = fmax(within, nearest);
        total += larger > 0 ? (nearest - within) / larger : 0;
    }
    return total / (double)m->n;
}

/* Of all pairs: the rank of a distance is how many are below it and half of how many are equal. */
static void rank_pairs(const double *distances, int64_t n, int64_t pairs, double *ranks) {
    double *values = malloc((size_t)pairs * sizeof *values);
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++)
            values[count++] = distances[i * n + j];
    for (int64_t p = 0; p < pairs; p++) {
        int64_t below = 0, equal = 0;
        for (int64_t q = 0; q < pairs; q++) {
            below += values[q] < values[p];
            equal += values[q] == values[p];
        }
        ranks[p] = (double)below + (double)(equal - 1) / 2;
    }
    free(values);
}

static double correlation(const measured *m) {
    int64_t pairs = m->n * (m->n - 1) / 2;
    double *a = malloc((size_t)pairs * 2 * sizeof *a), *b = a + pairs;
    double mean = (double)(pairs - 1) / 2, ab = 0, aa = 0, bb = 0;
    rank_pairs(m->distances[0], m->n, pairs, a);
    rank_pairs(m->distances[1], m->n, pairs, b);
    for (int64_t p = 0; p < pairs; p++) {
        ab += (a[p] - mean) * (b[p] - mean);
        aa += (a[p] - mean) * (a[p] - mean);
        bb += (b[p] - mean) * (b[p] - mean);
    }
    free(a);
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

static void check(const measured *m, const char *name, double found, double expected) {
    ck_assert_msg(fabs(found - expected) < 1e-12,
                  "%s of %lld points (%s; map: %s), k = %d: %.15g, not %.15g", name,
                  (long long)m->n, m->what, m->what_map, m->k, found, expected);
}

static void measures_are_their_definitions(uint64_t seed) {
    static const int threads[] = {1, 2, 3, 8};
    choose_isa(seed);
    ck_ok(dlviz_set_num_threads(threads[seed / 4 % 4]));
    measured m = draw_case(seed);
    double x;
    ck_ok(dlviz_metrics_trustworthiness(m.points, m.map, m.k, &x));
    check(&m, "trustworthiness", x, trust(&m, 1, 0));
    ck_ok(dlviz_metrics_continuity(m.points, m.map, m.k, &x));
    check(&m, "continuity", x, trust(&m, 0, 1));
    ck_ok(dlviz_metrics_neighbor_preservation(m.points, m.map, m.k, &x));
    check(&m, "neighbor preservation", x, preservation(&m));
    ck_ok(dlviz_metrics_neighbor_accuracy(m.points, m.labels, m.k, &x));
    check(&m, "neighbor accuracy", x, accuracy(&m));
    ck_ok(dlviz_metrics_silhouette(m.points, m.labels, &x));
    check(&m, "silhouette", x, silhouette(&m));
    if (m.n <= 60) {
        ck_ok(dlviz_metrics_distance_correlation(m.points, m.map, 0, 0, &x));
        check(&m, "distance correlation", x, correlation(&m));
    }
    free_case(&m);
}

int main(void) {
    static const random_test tests[] = {
        {"measures_are_their_definitions", measures_are_their_definitions, 160}, {0}};
    return run_random_tests("random measures", tests);
}
