/* Times the measures of an embedding's quality on points and their map (or their first two
 * columns); labels are the quarters of the map, each cut in two. One line a measure. */
#include "points.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "bench_quality --points POINTS.npy [--map MAP.npy] [--limit N] [--neighbors K]\n"
    "              [--samples M] [--threads N]\n";

static dlviz_tensor *first_columns(const dlviz_tensor *points) {
    int64_t n = dlviz_tensor_dim(points, 0), d = dlviz_tensor_dim(points, 1);
    dlviz_tensor *map;
    check(dlviz_tensor_create(&map, DLVIZ_FLOAT32, 2, (int64_t[]){n, 2}));
    for (int64_t i = 0; i < n * 2; i++)
        dlviz_tensor_float(map)[i] = dlviz_tensor_const_float(points)[i / 2 * d + i % 2];
    return map;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"points", 1, NULL, 'p'},  {"map", 1, NULL, 'm'},
                                            {"limit", 1, NULL, 'l'},   {"neighbors", 1, NULL, 'k'},
                                            {"samples", 1, NULL, 's'}, {"threads", 1, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    const char *input = NULL, *input_map = NULL;
    int64_t limit = 0, k = 10, samples = INT64_MAX;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (option) {
        case 'p':
            input = optarg;
            break;
        case 'm':
            input_map = optarg;
            break;
        case 'l':
            limit = atoll(optarg);
            break;
        case 'k':
            k = atoll(optarg);
            break;
        case 's':
            samples = atoll(optarg);
            break;
        case 't':
            check(dlviz_set_num_threads(atoi(optarg)));
            break;
        default:
            fputs(usage, stderr);
            return 2;
        }
    if (!input) {
        fputs(usage, stderr);
        return 2;
    }
    dlviz_tensor *points = read_points(input, limit);
    dlviz_tensor *map = input_map ? read_points(input_map, limit) : first_columns(points);
    dlviz_tensor *labels = label_quarters(map);
    static const char *const names[] = {"trustworthiness", "continuity", "neighbor_preservation",
                                        "neighbor_accuracy", "silhouette"};
    for (int measure = 0; measure < 5; measure++) {
        double value = 0, error = 0, seconds = now(CLOCK_MONOTONIC),
               cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        dlviz_status status =
            measure == 0
                ? dlviz_metrics_trustworthiness_sampled(points, map, k, samples, 1, &value, &error)
            : measure == 1
                ? dlviz_metrics_continuity_sampled(points, map, k, samples, 1, &value, &error)
            : measure == 2 ? dlviz_metrics_neighbor_preservation_sampled(points, map, k, samples, 1,
                                                                         &value, &error)
            : measure == 3
                ? dlviz_metrics_neighbor_accuracy_sampled(map, labels, k, samples, 1, &value,
                                                          &error)
                : dlviz_metrics_silhouette_sampled(points, labels, samples, 1, &value, &error);
        check(status);
        seconds = now(CLOCK_MONOTONIC) - seconds;
        cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        printf("%-22s %.12f +- %.6f  %8.3f s, %8.3f s of processors\n", names[measure], value,
               error, seconds, cpu);
    }
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
    return 0;
}
