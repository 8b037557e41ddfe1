/* Training shared by the ranks of an MPI program: images a second of one of ten networks, and a
 * digest of what was trained, which is the same for any number of ranks and threads.
 *
 * mpirun -n 2 bench_shared --network report32 --threads 1 bench_shared --network report32
 * --threads 2 */
#include "support/ten_networks.h"

#include <dlviz/mpi.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct options {
    const ten_network *network;
    int64_t batch, steps, threads;
} options;

static void check(dlviz_status status) {
    if (status == DLVIZ_OK)
        return;
    fprintf(stderr, "bench_shared: %s\n", dlviz_last_error());
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int64_t number(const char *text, const char *option) {
    char *end;
    long long value = strtoll(text, &end, 10);
    if (*end || end == text || value < 1) {
        fprintf(stderr, "bench_shared: --%s %s: a whole number above 0 is accepted\n", option,
                text);
        exit(2);
    }
    return value;
}

static options parse(int argc, char **argv) {
    static const struct option long_options[] = {{"network", required_argument, NULL, 'n'},
                                                 {"batch", required_argument, NULL, 'b'},
                                                 {"steps", required_argument, NULL, 's'},
                                                 {"threads", required_argument, NULL, 't'},
                                                 {NULL, 0, NULL, 0}};
    options set = {ten_networks_find("report32"), 64, 100, 1};
    for (int c, i; (c = getopt_long(argc, argv, "", long_options, &i)) != -1;)
        if (c == 'n')
            set.network = ten_networks_find(optarg);
        else if (c == 'b')
            set.batch = number(optarg, long_options[i].name);
        else if (c == 's')
            set.steps = number(optarg, long_options[i].name);
        else if (c == 't')
            set.threads = number(optarg, long_options[i].name);
        else
            exit(2);
    if (!set.network) {
        fprintf(stderr, "bench_shared: there is no such network; bench_networks --list has them\n");
        exit(2);
    }
    return set;
}

static dlviz_dataset *make_dataset(const options *set) {
    const ten_network *which = set->network;
    int64_t n = set->batch * 8, size = 1, dims[4] = {n};
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

static unsigned long long digest(const dlviz_network *network) {
    unsigned long long sum = 14695981039346656037u;
    for (int64_t i = 0; i < dlviz_network_num_states(network); i++) {
        dlviz_tensor *state;
        check(dlviz_network_get_state(network, dlviz_network_state_name(network, i), &state));
        const unsigned char *bytes = dlviz_tensor_const_data(state);
        size_t count =
            (size_t)dlviz_tensor_num_elements(state) * dlviz_dtype_size(dlviz_tensor_dtype(state));
        for (size_t k = 0; k < count; k++)
            sum = (sum ^ bytes[k]) * 1099511628211u;
        dlviz_tensor_destroy(state);
    }
    return sum;
}

static void run(const options *set, dlviz_comm *comm) {
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    dlviz_dataset *dataset = make_dataset(set);
    check(dlviz_set_num_threads((int)set->threads));
    check(ten_networks_create(set->network, &network));
    check(dlviz_adam_create(&optimizer, 1e-3));
    check(dlviz_trainer_create(&trainer, network, optimizer));
    check(dlviz_trainer_set_batch_size(trainer, set->batch));
    check(dlviz_trainer_set_comm(trainer, comm));
    check(dlviz_trainer_fit(trainer, dataset, 1)); /* plans, and warm caches */
    int64_t epochs = (set->steps + 7) / 8;
    double started = now();
    check(dlviz_trainer_fit(trainer, dataset, epochs));
    double seconds = now() - started;
    if (dlviz_comm_rank(comm) == 0)
        printf("network: %s  ranks: %lld  threads: %lld\nimages_per_second: %.0f\n"
               "ms_per_step: %.3f\ndigest: %016llx\n",
               set->network->name, (long long)dlviz_comm_num_ranks(comm), (long long)set->threads,
               (double)(epochs * 8 * set->batch) / seconds, 1e3 * seconds / (double)(epochs * 8),
               digest(network));
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(optimizer);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(dataset);
}

int main(int argc, char **argv) {
    options set = parse(argc, argv);
    dlviz_comm *comm;
    check(dlviz_mpi_start(&comm));
    run(&set, comm);
    dlviz_mpi_end(comm);
    return 0;
}
