/* Times dlviz_pca on the points of a .npy file and prints one "name: value" line a figure. */
#include "program.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char usage[] =
    "bench_pca --input POINTS.npy [--output PROJECTED.npy] [--components K] [--threads N]\n"
    "          [--solver auto|covariance|svd|randomized] [--iterations N] [--oversampling N]\n"
    "          [--repeat N] [--limit ROWS] [--variances FILE.npy] [--whiten]\n"
    "seconds_fit, seconds_transform and seconds_total are the fastest of the repeats.\n";

static dlviz_pca_solver_kind solver_named(const char *name) {
    static const char *const names[] = {"auto", "covariance", "svd", "randomized"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return (dlviz_pca_solver_kind)i;
    fprintf(stderr, "bench_pca: '%s' is no solver\n%s", name, usage);
    exit(2);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"input", 1, NULL, 'i'},     {"output", 1, NULL, 'o'}, {"components", 1, NULL, 'k'},
        {"threads", 1, NULL, 't'},   {"solver", 1, NULL, 's'}, {"iterations", 1, NULL, 'n'},
        {"repeat", 1, NULL, 'r'},    {"limit", 1, NULL, 'l'},  {"oversampling", 1, NULL, 'p'},
        {"variances", 1, NULL, 'v'}, {"whiten", 0, NULL, 'w'}, {"help", 0, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    const char *input = NULL, *output = NULL, *variances = NULL;
    int64_t components = 50, limit = 0;
    int threads = 0, repeat = 5, iterations = 0, oversampling = 10;
    dlviz_pca_solver_kind solver = DLVIZ_PCA_SOLVER_AUTO;
    bool whiten = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'i':
            input = optarg;
            break;
        case 'o':
            output = optarg;
            break;
        case 'v':
            variances = optarg;
            break;
        case 'k':
            components = atoll(optarg);
            break;
        case 'l':
            limit = atoll(optarg);
            break;
        case 't':
            threads = atoi(optarg);
            break;
        case 'n':
            iterations = atoi(optarg);
            break;
        case 'p':
            oversampling = atoi(optarg);
            break;
        case 'r':
            repeat = atoi(optarg);
            break;
        case 's':
            solver = solver_named(optarg);
            break;
        case 'w':
            whiten = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (!input) {
        fputs(usage, stderr);
        return 2;
    }
    double started = now(CLOCK_MONOTONIC);
    dlviz_tensor *data, *view, *projected = NULL;
    check(dlviz_set_num_threads(threads));
    check(dlviz_tensor_read_npy(&data, input));
    if (limit <= 0 || limit > dlviz_tensor_dim(data, 0))
        limit = dlviz_tensor_dim(data, 0);
    check(dlviz_tensor_slice(data, 0, limit, &view));
    double seconds_read = now(CLOCK_MONOTONIC) - started, fit = 1e9, transform = 1e9, total = 1e9;
    double processor = 1e9;
    dlviz_pca *pca;
    check(dlviz_pca_create(&pca, components));
    check(dlviz_pca_set_solver(pca, solver));
    check(dlviz_pca_set_whiten(pca, whiten));
    check(dlviz_pca_set_randomized(pca, oversampling, iterations));
    for (int i = 0; i < repeat; i++) {
        dlviz_tensor_destroy(projected);
        double start = now(CLOCK_MONOTONIC), used = now(CLOCK_PROCESS_CPUTIME_ID);
        check(dlviz_pca_fit(pca, view));
        double middle = now(CLOCK_MONOTONIC);
        check(dlviz_pca_transform(pca, view, &projected));
        double end = now(CLOCK_MONOTONIC);
        used = now(CLOCK_PROCESS_CPUTIME_ID) - used;
        fit = middle - start < fit ? middle - start : fit;
        transform = end - middle < transform ? end - middle : transform;
        total = end - start < total ? end - start : total;
        processor = used < processor ? used : processor;
    }
    struct rusage usage_now;
    getrusage(RUSAGE_SELF, &usage_now);
    static const char *const names[] = {"auto", "covariance", "svd", "randomized"};
    const float *ratio = dlviz_tensor_const_float(dlviz_pca_explained_variance_ratio(pca));
    double explained = 0;
    for (int64_t i = 0; i < dlviz_pca_num_components(pca); i++)
        explained += (double)ratio[i];
    printf("rows: %lld\ncolumns: %lld\ncomponents: %lld\nsolver: %s\nthreads: %lld\nblas: %s\n",
           (long long)limit, (long long)dlviz_tensor_dim(data, 1),
           (long long)dlviz_pca_num_components(pca), names[dlviz_pca_solver_used(pca)],
           (long long)dlviz_num_threads(), dlviz_blas());
    printf("explained: %.9f\nseconds_read: %.4f\nseconds_fit: %.4f\nseconds_transform: %.4f\n"
           "seconds_total: %.4f\nseconds_processor: %.4f\npeak_rss_mb: %.1f\n",
           explained, seconds_read, fit, transform, total, processor,
           (double)usage_now.ru_maxrss / 1024);
    if (output)
        check(dlviz_tensor_write_npy(projected, output));
    if (variances)
        check(dlviz_tensor_write_npy(dlviz_pca_explained_variance(pca), variances));
    dlviz_tensor_destroy(projected);
    dlviz_tensor_destroy(view);
    dlviz_tensor_destroy(data);
    dlviz_pca_destroy(pca);
    return 0;
}
