/* What ranks do together, timed, with what they send: by one program alone, by the ranks that mpirun has
 * started on one machine, or over a network.
 *
 *     bench_ranks train NETWORK BATCH | pca N D | neighbors N D | tsne N | exchange BYTES
 *                 [--threads N] [--units N]
 *
 * Rank 0 prints one line of JSON. A unit is a step of training, a fit of the PCA, a search for 90
 * neighbors, or an iteration of t-SNE; of each: seconds, processor seconds of rank 0, exchanges that a rank
 * starts, bytes that it sends, seconds in which it waits for one, and, where the interface eth0 counts
 * them, bytes and packets on it; means over ranks. */
#include "comm/exchange.h"
#include "program.h"
#include "support/ten_networks.h"

#include <dlviz/mpi.h>
#include <getopt.h>
#include <math.h>
#include <string.h>

enum { TRAIN_WARM = 4, TSNE_WARM = 60, TSNE_EVERY = 10 };

/* -- What goes over the communicator ---------------------------------------------------------------
 */

enum { SECONDS, PROCESSOR, EXCHANGES, SENT, WAITED, LINK_BYTES, LINK_PACKETS, NUM_FIGURES };
static const char *const names[NUM_FIGURES] = {"seconds", "processor",  "exchanges",   "sent",
                                               "waited",  "link_bytes", "link_packets"};

static dlviz_comm_functions inner;
static double exchanges, sent, waited;

static dlviz_status count_start(int64_t slot, int64_t peer, const void *send, size_t send_size,
                                void *receive, size_t receive_size, void *user) {
    exchanges++;
    sent += (double)send_size;
    return inner.start(slot, peer, send, send_size, receive, receive_size, user);
}

static dlviz_status count_finish(int64_t slot, bool wait, bool *finished, void *user) {
    double start = now(CLOCK_MONOTONIC);
    dlviz_status status = inner.finish(slot, wait, finished, user);
    waited += wait ? now(CLOCK_MONOTONIC) - start : 0;
    return status;
}

static void meter(dlviz_comm *comm) {
    if (!comm)
        return;
    inner = comm->functions;
    comm->functions.start = count_start;
    comm->functions.finish = count_finish;
}

static double counter(const char *name) {
    char path[128];
    double value = 0;
    snprintf(path, sizeof path, "/sys/class/net/eth0/statistics/%s", name);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%lf", &value) != 1)
        value = 0;
    if (file)
        fclose(file);
    return value;
}

typedef struct figures {
    double all[NUM_FIGURES];
} figures;

static figures look(void) {
    return (figures){{now(CLOCK_MONOTONIC), now(CLOCK_PROCESS_CPUTIME_ID), exchanges, sent, waited,
                      counter("tx_bytes"), counter("tx_packets")}};
}

typedef struct bench {
    dlviz_comm *comm;
    const char *what;
    const char *arguments[2];
    int64_t numbers[2];
    int64_t units;
    figures first, last;
} bench;

static void report(bench *b) {
    int ranks = dlz_comm_size(b->comm);
    figures *all = calloc((size_t)ranks, sizeof *all);
    if (!all)
        exit(1);
    for (int i = 0; i < NUM_FIGURES; i++)
        all[dlz_comm_rank(b->comm)].all[i] = (b->last.all[i] - b->first.all[i]) / (double)b->units;
    check(dlz_comm_gather_even(b->comm, all, ranks, sizeof *all));
    if (dlz_comm_rank(b->comm) == 0) {
        printf(
            "{\"what\": \"%s\", \"of\": \"%s\", \"size\": \"%s\", \"ranks\": %d, \"threads\": %d",
            b->what, b->arguments[0] ? b->arguments[0] : "", b->arguments[1] ? b->arguments[1] : "",
            ranks, (int)dlviz_num_threads());
        for (int i = 0; i < NUM_FIGURES; i++) {
            double mean = all[0].all[i];
            for (int rank = 1; rank < ranks && i >= EXCHANGES; rank++)
                mean += all[rank].all[i];
            printf(", \"%s\": %.9g", names[i], i >= EXCHANGES ? mean / ranks : mean);
        }
        puts("}");
    }
    free(all);
}

/* -- Training --------------------------------------------------------------------------------------
 */

static bool after_batch(const dlviz_trainer_event *event, void *user) {
    bench *b = user;
    int64_t batch = dlviz_trainer_event_batch(event);
    if (batch == TRAIN_WARM - 1)
        b->first = look();
    if (batch == TRAIN_WARM + b->units - 1)
        b->last = look();
    return true;
}

static dlviz_dataset *make_dataset(const ten_network *which, int64_t n) {
    int64_t size = 1, dims[4] = {n};
    for (int i = 0; i < which->ndim; i++)
        size *= dims[1 + i] = which->dims[i];
    dlviz_tensor *inputs, *labels;
    check(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, which->ndim + 1, dims));
    uint32_t random = 1;
    for (int64_t i = 0; i < n * size; i++) {
        random = random * 1664525u + 1013904223u;
        dlviz_tensor_float(inputs)[i] = (float)(random >> 8) * 0x1p-24f;
    }
    check(dlviz_tensor_create(&labels, DLVIZ_INT64, 1, dims));
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)dlviz_tensor_data(labels))[i] = i % 10;
    dlviz_dataset *dataset;
    check(dlviz_dataset_create(&dataset, inputs, which->reconstructs ? inputs : labels));
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    return dataset;
}

/* Between two steps of one epoch, so that nothing of its beginning and end is counted. */
static void train(bench *b) {
    const ten_network *which = ten_networks_find(b->arguments[0]);
    if (!which) {
        fprintf(stderr, "bench_ranks: there is no network %s\n", b->arguments[0]);
        exit(2);
    }
    int64_t batch = b->numbers[1];
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    dlviz_dataset *dataset = make_dataset(which, batch * (b->units + TRAIN_WARM));
    check(ten_networks_create(which, &network));
    check(dlviz_adam_create(&optimizer, 1e-3));
    check(dlviz_trainer_create(&trainer, network, optimizer));
    check(dlviz_trainer_set_batch_size(trainer, batch));
    check(dlviz_trainer_set_comm(trainer, b->comm));
    check(dlviz_trainer_set_batch_callback(trainer, after_batch, b));
    check(dlviz_trainer_fit(trainer, dataset, 1));
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(optimizer);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(dataset);
}

/* -- Points ----------------------------------------------------------------------------------------
 */

/* Ten clusters whose columns are of falling variance, as principal components are; some of the rows. */
static dlviz_tensor *make_points(int64_t first, int64_t count, int64_t d) {
    dlviz_tensor *points;
    check(dlviz_tensor_create(&points, DLVIZ_FLOAT32, 2, (int64_t[]){count, d}));
    float *to = dlviz_tensor_float(points);
    dlz_random centers = dlz_random_start(1, 0);
    double *center = malloc((size_t)(10 * d) * sizeof *center);
    if (!center)
        exit(1);
    for (int64_t i = 0; i < 10 * d; i++)
        center[i] = 3 * dlz_random_normal(&centers) / sqrt(1 + (double)(i % d));
    for (int64_t row = first; row < first + count; row++) {
        dlz_random random = dlz_random_start(2, (uint64_t)row);
        for (int64_t j = 0; j < d; j++)
            *to++ = (float)(center[row % 10 * d + j] +
                            dlz_random_normal(&random) / sqrt(1 + (double)j));
    }
    free(center);
    return points;
}

static void begin(bench *b) {
    check(dlviz_comm_agree(b->comm, DLVIZ_OK));
    b->first = look();
}

static void pca(bench *b) {
    dlviz_pca *pca;
    int64_t first, count;
    dlviz_comm_share(b->comm, b->numbers[0], &first, &count);
    dlviz_tensor *rows = make_points(first, count, b->numbers[1]);
    check(dlviz_pca_create(&pca, 50));
    check(dlviz_pca_set_solver(pca, DLVIZ_PCA_SOLVER_COVARIANCE));
    check(dlviz_pca_set_comm(pca, b->comm));
    begin(b);
    for (int64_t i = 0; i < b->units; i++)
        check(dlviz_pca_fit(pca, rows));
    b->last = look();
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(rows);
}

static void neighbors(bench *b) {
    dlviz_tensor *points = make_points(0, b->numbers[0], b->numbers[1]), *indices;
    begin(b);
    for (int64_t i = 0; i < b->units; i++) {
        check(dlviz_neighbors_shared(b->comm, points, 90, 1, &indices, NULL));
        dlviz_tensor_destroy(indices);
    }
    b->last = look();
    dlviz_tensor_destroy(points);
}

static bool after_iterations(const dlviz_tsne_event *event, void *user) {
    bench *b = user;
    int64_t iteration = dlviz_tsne_event_iteration(event);
    if (iteration == TSNE_WARM)
        b->first = look();
    if (iteration == TSNE_WARM + b->units)
        b->last = look();
    return true;
}

static void tsne(bench *b) {
    dlviz_tsne *tsne;
    dlviz_tensor *points = make_points(0, b->numbers[0], 50), *map;
    b->units = (b->units + TSNE_EVERY - 1) / TSNE_EVERY * TSNE_EVERY;
    check(dlviz_tsne_create(&tsne));
    check(dlviz_tsne_set_method(tsne, DLVIZ_TSNE_METHOD_GRID));
    check(dlviz_tsne_set_num_iterations(tsne, TSNE_WARM + b->units));
    check(dlviz_tsne_set_progress(tsne, TSNE_EVERY, after_iterations, b));
    check(dlviz_tsne_set_comm(tsne, b->comm));
    check(dlviz_tsne_fit(tsne, points, &map));
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    dlviz_tsne_destroy(tsne);
}

/* -- Exchanges -------------------------------------------------------------------------------------
 */

/* Ranks 0 and 1, of so many bytes both ways. */
static void exchange(bench *b) {
    size_t size = (size_t)b->numbers[0];
    char *bytes = calloc(2, size);
    int rank = dlz_comm_rank(b->comm);
    if (!bytes)
        exit(1);
    for (int64_t i = -b->units; i < b->units; i++) {
        if (i == 0)
            begin(b);
        if (rank < 2 && dlz_comm_size(b->comm) > 1)
            check(dlz_comm_exchange(b->comm,
                                    &(dlz_exchange){1 - rank, bytes, size, bytes + size, size}));
    }
    b->last = look();
    free(bytes);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"threads", 1, NULL, 't'}, {"units", 1, NULL, 'u'}, {NULL, 0, NULL, 0}};
    static const struct {
        const char *what;
        int arguments;
        void (*run)(bench *b);
    } works[] = {{"train", 2, train},
                 {"pca", 2, pca},
                 {"neighbors", 2, neighbors},
                 {"tsne", 1, tsne},
                 {"exchange", 1, exchange}};
    bench b = {.units = 1};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (option == 't')
            check(dlviz_set_num_threads(atoi(optarg)));
        else if (option == 'u')
            b.units = atoll(optarg);
        else
            return 2;
    for (size_t i = 0; i < sizeof works / sizeof *works && optind < argc; i++) {
        if (strcmp(argv[optind], works[i].what) != 0 || argc - optind - 1 != works[i].arguments)
            continue;
        b.what = works[i].what;
        for (int k = 0; k < works[i].arguments; k++) {
            b.arguments[k] = argv[optind + 1 + k];
            b.numbers[k] = atoll(b.arguments[k]);
        }
        check(dlviz_mpi_start(&b.comm));
        meter(b.comm);
        works[i].run(&b);
        report(&b);
        dlviz_mpi_end(b.comm);
        return 0;
    }
    fputs("bench_ranks train NETWORK BATCH | pca N D | neighbors N D | tsne N | exchange BYTES\n"
          "            [--threads N] [--units N]\n",
          stderr);
    return 2;
}
