/* Times dlviz_neighbors and measures its recall on the first points, or on drawn ones; one
 * "name: value" line a figure. --save writes the points, for compare_hnswlib.cpp to read. */
#include "base/base.h"
#include "neighbors/neighbors.h"
#include "program.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define SAMPLE 1000

static const char usage[] =
    "bench_neighbors --input POINTS.npy | --random N D  [--limit N] [--neighbors K] [--recall R]\n"
    "                [--threads N] [--seed N] [--save POINTS.npy]\n";

/* The share of a sample's true neighbors that were found. */
static double find_recall(const dlviz_tensor *points, int64_t k, const int64_t *found) {
    int64_t n = dlviz_tensor_dim(points, 0), d = dlviz_tensor_dim(points, 1), hits = 0;
    int64_t m = n < SAMPLE ? n : SAMPLE;
    const float *values = dlviz_tensor_const_float(points);
    float *queries = malloc((size_t)(m * d) * sizeof *queries);
    float *distances = malloc((size_t)(m * (k + 1)) * sizeof *distances);
    int32_t *truth = malloc((size_t)(m * (k + 1)) * sizeof *truth);
    if (!queries || !distances || !truth)
        exit(1);
    for (int64_t q = 0; q < m; q++)
        memcpy(queries + q * d, values + q * (n / m) * d, (size_t)d * sizeof *queries);
    check(dlz_knn_query(NULL, values, n, queries, m, d, (int)k + 1, truth, distances));
    for (int64_t q = 0; q < m; q++) {
        int64_t point = q * (n / m), wanted = 0;
        for (int64_t i = 0; i <= k && wanted < k; i++) {
            int32_t one = truth[q * (k + 1) + i];
            if (one == point)
                continue;
            wanted++;
            for (int64_t j = 0; j < k; j++)
                hits += found[point * k + j] == one;
        }
    }
    free(queries);
    free(distances);
    free(truth);
    return (double)hits / (double)(m * k);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"input", 1, NULL, 'i'},     {"random", 1, NULL, 'r'}, {"limit", 1, NULL, 'l'},
        {"neighbors", 1, NULL, 'k'}, {"recall", 1, NULL, 'c'}, {"threads", 1, NULL, 't'},
        {"seed", 1, NULL, 's'},      {"save", 1, NULL, 'w'},   {NULL, 0, NULL, 0}};
    const char *input = NULL, *save = NULL;
    int64_t n = 0, d = 0, limit = 0, k = 90;
    uint64_t seed = 0;
    double recall = 0.99;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (option) {
        case 'i':
            input = optarg;
            break;
        case 'r':
            n = atoll(optarg);
            d = optind < argc ? atoll(argv[optind++]) : 0;
            break;
        case 'l':
            limit = atoll(optarg);
            break;
        case 'k':
            k = atoll(optarg);
            break;
        case 'c':
            recall = atof(optarg);
            break;
        case 't':
            check(dlviz_set_num_threads(atoi(optarg)));
            break;
        case 's':
            seed = strtoull(optarg, NULL, 10);
            break;
        case 'w':
            save = optarg;
            break;
        default:
            fputs(usage, stderr);
            return 2;
        }
    if (!input == !(n > 1 && d > 0)) {
        fputs(usage, stderr);
        return 2;
    }
    dlviz_tensor *points, *indices;
    if (input)
        check(dlviz_tensor_read_npy(&points, input));
    else
        points = make_normal(n, d, seed);
    if (limit > 0 && limit < dlviz_tensor_dim(points, 0)) {
        dlviz_tensor *all = points;
        check(dlviz_tensor_slice(all, 0, limit, &points));
        dlviz_tensor_destroy(all);
    }
    if (save)
        check(dlviz_tensor_write_npy(points, save));
    double start = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    check(dlviz_neighbors(points, k, recall, &indices, NULL));
    start = now(CLOCK_MONOTONIC) - start;
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    struct rusage resources;
    getrusage(RUSAGE_SELF, &resources);
    printf("points: %lld x %lld\n", (long long)dlviz_tensor_dim(points, 0),
           (long long)dlviz_tensor_dim(points, 1));
    printf("seconds: %.3f\n", start);
    printf("cpu_seconds: %.3f\n", cpu);
    printf("peak_rss_mb: %.0f\n", (double)resources.ru_maxrss / 1024);
    printf("recall@%lld: %.5f\n", (long long)k, find_recall(points, k, dlviz_tensor_data(indices)));
    printf("isa: %s\n", dlviz_isa());
    printf("threads: %lld\n", (long long)dlviz_num_threads());
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(indices);
    return 0;
}
