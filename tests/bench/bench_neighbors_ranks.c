/* Times dlviz_neighbors_shared, and with a map the measures of it, on the ranks that mpirun has
 * started, or in one process: the shortest of several rounds, in seconds, and a digest of the
 * results, which is the same for any number of ranks.
 *
 *     mpirun -n 2 bench_neighbors_ranks --input POINTS.npy --threads 1 */
#include "points.h"

#include <dlviz/mpi.h>
#include <getopt.h>
#include <math.h>
#include <sys/resource.h>

static const char usage[] = "bench_neighbors_ranks --input POINTS.npy [--map MAP.npy] [--limit N] "
                            "[--neighbors K] [--threads N] [--rounds N]\n";

typedef struct work {
    dlviz_comm *comm;
    dlviz_tensor *points, *map, *labels;
    int64_t k;
    int rounds;
} work;

typedef uint64_t (*run_fn)(const work *w);

static double end; /* of what is timed */

static void done(void) {
    end = now(CLOCK_MONOTONIC);
}

static uint64_t digest_of(const void *bytes, size_t size) {
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
    return sum;
}

static uint64_t neighbors(const work *w) {
    dlviz_tensor *indices;
    check(dlviz_neighbors_shared(w->comm, w->points, w->k, 1, &indices, NULL));
    done();
    uint64_t digest = digest_of(dlviz_tensor_const_data(indices),
                                (size_t)dlviz_tensor_num_elements(indices) * sizeof(int64_t));
    dlviz_tensor_destroy(indices);
    return digest;
}

#define OF_MAP(name)                                                                               \
    static uint64_t name(const work *w) {                                                          \
        double result;                                                                             \
        check(dlviz_metrics_##name##_shared(w->comm, w->points, w->map, 10, INT64_MAX, 0, &result, \
                                            NULL));                                                \
        done();                                                                                    \
        return digest_of(&result, sizeof result);                                                  \
    }
OF_MAP(trustworthiness)
OF_MAP(continuity)
OF_MAP(neighbor_preservation)

static uint64_t silhouette(const work *w) {
    double result;
    check(dlviz_metrics_silhouette_shared(w->comm, w->map, w->labels, INT64_MAX, 0, &result, NULL));
    done();
    return digest_of(&result, sizeof result);
}

static uint64_t correlation(const work *w) {
    double result;
    check(dlviz_metrics_distance_correlation_shared(w->comm, w->points, w->map, 0, 0, &result));
    done();
    return digest_of(&result, sizeof result);
}

static void time_it(const work *w, const char *name, run_fn run) {
    double shortest = INFINITY;
    uint64_t digest = 0;
    for (int round = 0; round < w->rounds; round++) {
        check(dlviz_comm_agree(w->comm, DLVIZ_OK));
        double start = now(CLOCK_MONOTONIC);
        digest = run(w);
        shortest = fmin(shortest, end - start);
    }
    if (dlviz_comm_rank(w->comm) == 0)
        printf("%s: %.3f s, digest %016llx\n", name, shortest, (unsigned long long)digest);
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"input", 1, NULL, 'i'},   {"map", 1, NULL, 'm'},
                                            {"limit", 1, NULL, 'l'},   {"neighbors", 1, NULL, 'k'},
                                            {"threads", 1, NULL, 't'}, {"rounds", 1, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    const char *input = NULL, *map = NULL;
    int64_t limit = 0;
    work w = {.k = 90, .rounds = 3};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (option) {
        case 'i':
            input = optarg;
            break;
        case 'm':
            map = optarg;
            break;
        case 'l':
            limit = atoll(optarg);
            break;
        case 'k':
            w.k = atoll(optarg);
            break;
        case 't':
            check(dlviz_set_num_threads(atoi(optarg)));
            break;
        case 'r':
            w.rounds = atoi(optarg);
            break;
        default:
            fputs(usage, stderr);
            return 2;
        }
    if (!input) {
        fputs(usage, stderr);
        return 2;
    }
    check(dlviz_mpi_start(&w.comm));
    w.points = read_points(input, limit);
    time_it(&w, "neighbors", neighbors);
    if (map) {
        w.map = read_points(map, limit);
        w.labels = label_quarters(w.map);
        time_it(&w, "trustworthiness", trustworthiness);
        time_it(&w, "continuity", continuity);
        time_it(&w, "neighbor preservation", neighbor_preservation);
        time_it(&w, "silhouette", silhouette);
        time_it(&w, "distance correlation", correlation);
    }
    struct rusage resources;
    getrusage(RUSAGE_SELF, &resources);
    if (dlviz_comm_rank(w.comm) == 0)
        printf("ranks: %lld, threads: %lld, peak_rss_mb of rank 0: %.0f\n",
               (long long)dlviz_comm_num_ranks(w.comm), (long long)dlviz_num_threads(),
               (double)resources.ru_maxrss / 1024);
    dlviz_tensor_destroy(w.points);
    dlviz_tensor_destroy(w.map);
    dlviz_tensor_destroy(w.labels);
    dlviz_mpi_end(w.comm);
    return 0;
}
