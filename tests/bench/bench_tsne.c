/* Times dlviz_tsne_fit on the points of a .npy file, or on standard normal numbers, and prints one
 * "name: value" line a figure. */
#include "program.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char usage[] =
    "bench_tsne --input POINTS.npy | --random N D\n"
    "           [--output MAP.npy] [--iterations N] [--perplexity X]\n"
    "           [--dimensions N] [--method auto|exact|barnes_hut|grid] [--angle X] [--cell X]\n"
    "           [--threads N] [--seed N] [--init pca|random] [--limit N] [--verbose]\n";

static double started;

static bool show(const dlviz_tsne_event *event, void *user) {
    (void)user;
    const dlviz_tensor *map = dlviz_tsne_event_map(event);
    const float *values = dlviz_tensor_const_float(map);
    float low = 0, high = 0;
    for (int64_t i = 0; i < dlviz_tensor_num_elements(map); i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    fprintf(stderr, "%5lld / %lld  %7.2f s  divergence %.5f  gradient %.3e  map %.4g to %.4g\n",
            (long long)dlviz_tsne_event_iteration(event),
            (long long)dlviz_tsne_event_num_iterations(event), now(CLOCK_MONOTONIC) - started,
            dlviz_tsne_event_kl_divergence(event), dlviz_tsne_event_gradient_norm(event),
            (double)low, (double)high);
    return true;
}

static int choice(const char *name, const char *const *names, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    fprintf(stderr, "bench_tsne: '%s' is none of the choices\n%s", name, usage);
    exit(2);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"input", 1, NULL, 'i'},  {"output", 1, NULL, 'o'},     {"iterations", 1, NULL, 'n'},
        {"method", 1, NULL, 'm'}, {"perplexity", 1, NULL, 'p'}, {"dimensions", 1, NULL, 'd'},
        {"angle", 1, NULL, 'a'},  {"threads", 1, NULL, 't'},    {"seed", 1, NULL, 's'},
        {"cell", 1, NULL, 'c'},   {"limit", 1, NULL, 'l'},      {"verbose", 0, NULL, 'v'},
        {"init", 1, NULL, 'r'},   {"random", 1, NULL, 'N'},     {NULL, 0, NULL, 0}};
    const char *input = NULL, *output = NULL;
    long long limit = 0, n = 0, d = 0;
    dlviz_tsne *tsne;
    check(dlviz_tsne_create(&tsne));
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (option) {
        case 'i':
            input = optarg;
            break;
        case 'o':
            output = optarg;
            break;
        case 'n':
            check(dlviz_tsne_set_num_iterations(tsne, atoi(optarg)));
            break;
        case 'N':
            n = atoll(optarg);
            d = optind < argc ? atoll(argv[optind++]) : 0;
            break;
        case 'm':
            check(dlviz_tsne_set_method(
                tsne,
                (dlviz_tsne_method_kind)choice(
                    optarg, (const char *const[]){"auto", "exact", "barnes_hut", "grid"}, 4)));
            break;
        case 'r':
            check(dlviz_tsne_set_init(
                tsne,
                (dlviz_tsne_init_kind)choice(optarg, (const char *const[]){"pca", "random"}, 2)));
            break;
        case 'p':
            check(dlviz_tsne_set_perplexity(tsne, atof(optarg)));
            break;
        case 'd':
            check(dlviz_tsne_set_num_dimensions(tsne, atoi(optarg)));
            break;
        case 'a':
            check(dlviz_tsne_set_angle(tsne, atof(optarg)));
            break;
        case 'c':
            check(dlviz_tsne_set_cell_size(tsne, atof(optarg)));
            break;
        case 't':
            check(dlviz_set_num_threads(atoi(optarg)));
            break;
        case 's':
            check(dlviz_tsne_set_seed(tsne, strtoull(optarg, NULL, 10)));
            break;
        case 'l':
            limit = atoll(optarg);
            break;
        case 'v':
            check(dlviz_tsne_set_progress(tsne, 50, show, NULL));
            break;
        default:
            fputs(usage, stderr);
            return 2;
        }
    if (!input == !(n > 0 && d > 0)) {
        fputs(usage, stderr);
        return 2;
    }
    dlviz_tensor *points, *map;
    if (!input)
        points = make_normal(n, d, 0);
    started = now(CLOCK_MONOTONIC);
    if (input)
        check(dlviz_tensor_read_npy(&points, input));
    if (limit > 0 && limit < dlviz_tensor_dim(points, 0)) {
        dlviz_tensor *all = points;
        check(dlviz_tensor_slice(all, 0, limit, &points));
        dlviz_tensor_destroy(all);
    }
    check(dlviz_tsne_fit(tsne, points, &map));
    double total = now(CLOCK_MONOTONIC) - started;
    struct rusage resources;
    getrusage(RUSAGE_SELF, &resources);
    n = dlviz_tensor_dim(points, 0);
    printf("points: %lld x %lld\n", n, (long long)dlviz_tensor_dim(points, 1));
    printf("seconds_total: %.3f\n", total);
    printf("cpu_seconds: %.3f\n", (double)clock() / CLOCKS_PER_SEC);
    printf("seconds_neighbors: %.3f\n", dlviz_tsne_seconds(tsne, DLVIZ_TSNE_STAGE_NEIGHBORS));
    printf("seconds_affinities: %.3f\n", dlviz_tsne_seconds(tsne, DLVIZ_TSNE_STAGE_AFFINITIES));
    printf("seconds_optimize: %.3f\n", dlviz_tsne_seconds(tsne, DLVIZ_TSNE_STAGE_ITERATIONS));
    printf("kl: %.5f\n", dlviz_tsne_kl_divergence(tsne));
    printf("peak_rss_mb: %.0f\n", (double)resources.ru_maxrss / 1024);
    printf("peak_rss_bytes_a_point: %.0f\n", (double)resources.ru_maxrss * 1024 / (double)n);
    printf("isa: %s\n", dlviz_isa());
    printf("threads: %lld\n", (long long)dlviz_num_threads());
    if (output)
        check(dlviz_tensor_write_npy(map, output));
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(points);
    dlviz_tsne_destroy(tsne);
    return 0;
}
