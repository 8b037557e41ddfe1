/* How long ranks take for an exchange, a sum and an agreement, beside what MPI itself takes.
 *
 *     mpiexec -n N bench_mpi [own]
 *
 * Prints medians in microseconds, of rank 0; with `own`, without MPI's own functions. */
#include "comm/exchange.h"
#include "mpi/link.h"
#include "support/support.h"

#include <dlviz/mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUM_WEIGHTS 2170000
#define MOST 400

typedef struct bench {
    dlviz_comm *comm;
    float *leaves, *sum;
    char *bytes[2];
    int64_t size;
} bench;

/* Ranks 0 and 1, 2 and 3 … exchange; a last one without a peer waits. */
static dlviz_status exchange(bench *b) {
    int peer = dlz_comm_rank(b->comm) ^ 1;
    if (peer >= dlz_comm_size(b->comm))
        return DLVIZ_OK;
    return dlz_comm_exchange(
        b->comm, &(dlz_exchange){peer, b->bytes[0], (size_t)b->size, b->bytes[1], (size_t)b->size});
}

static dlviz_status mpi_exchange(bench *b) {
    int peer = dlz_comm_rank(b->comm) ^ 1;
    if (peer < dlz_comm_size(b->comm))
        MPI_Sendrecv(b->bytes[0], (int)b->size, MPI_BYTE, peer, 0, b->bytes[1], (int)b->size,
                     MPI_BYTE, peer, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return DLVIZ_OK;
}

static dlviz_status sum(bench *b) {
    return dlz_comm_sum_floats(b->comm, b->leaves, b->size, b->size, DLZ_LEAVES, b->sum);
}

/* The leaves of a rank's own, which MPI does not know of, are not added up here. */
static dlviz_status mpi_sum(bench *b) {
    MPI_Allreduce(b->leaves, b->sum, (int)b->size, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    return DLVIZ_OK;
}

/* Sixteen in the background, as layers' gradients are. */
static dlviz_status sums(bench *b) {
    int64_t part = b->size / 16;
    for (int i = 0; i < 16; i++)
        TRY(dlz_comm_sum_node(b->comm, b->sum + i * part, part));
    return dlz_comm_sums_finish(b->comm);
}

static dlviz_status agree(bench *b) {
    return dlz_comm_agree(b->comm, DLVIZ_OK);
}

static dlviz_status mpi_agree(bench *b) {
    int64_t own = 1, lowest;
    (void)b;
    MPI_Allreduce(&own, &lowest, 1, MPI_INT64_T, MPI_MIN, MPI_COMM_WORLD);
    return DLVIZ_OK;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static dlviz_status measure(bench *b, const char *name, dlviz_status (*work)(bench *), int number,
                            int64_t size) {
    double times[MOST];
    b->size = size;
    for (int i = 0; i < number; i++) {
        TRY(dlz_comm_agree(b->comm, DLVIZ_OK));
        double begin = dlz_mpi_seconds();
        TRY(work(b));
        times[i] = dlz_mpi_seconds() - begin;
    }
    qsort(times, (size_t)number, sizeof *times, compare);
    if (dlz_comm_rank(b->comm) == 0)
        printf("%-24s %10lld %12.1f us\n", name, (long long)size, 1e6 * times[number / 2]);
    return DLVIZ_OK;
}

static dlviz_status run(dlviz_comm *comm, bool own) {
    bench b = {.comm = comm};
    b.leaves = calloc(DLZ_LEAVES, NUM_WEIGHTS * sizeof(float));
    b.sum = calloc(NUM_WEIGHTS, sizeof(float));
    b.bytes[0] = calloc(1, 1 << 20), b.bytes[1] = calloc(1, 1 << 20);
    if (!b.leaves || !b.sum || !b.bytes[0] || !b.bytes[1])
        return dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory");
    TRY(measure(&b, "exchange", exchange, MOST, 8));
    if (!own)
        TRY(measure(&b, "MPI_Sendrecv", mpi_exchange, MOST, 8));
    TRY(measure(&b, "exchange", exchange, 100, 1 << 20));
    if (!own)
        TRY(measure(&b, "MPI_Sendrecv", mpi_exchange, 100, 1 << 20));
    TRY(measure(&b, "agree", agree, MOST, 1));
    if (!own)
        TRY(measure(&b, "MPI_Allreduce, min", mpi_agree, MOST, 1));
    TRY(measure(&b, "sum", sum, MOST, 100));
    if (!own)
        TRY(measure(&b, "MPI_Allreduce, sum", mpi_sum, MOST, 100));
    TRY(measure(&b, "sum", sum, 20, NUM_WEIGHTS));
    TRY(measure(&b, "16 sums, background", sums, 20, NUM_WEIGHTS));
    if (!own)
        TRY(measure(&b, "MPI_Allreduce, sum", mpi_sum, 20, NUM_WEIGHTS));
    free(b.leaves), free(b.sum), free(b.bytes[0]), free(b.bytes[1]);
    return DLVIZ_OK;
}

int main(int argc, char **argv) {
    dlviz_comm *comm;
    dlviz_status status = dlviz_mpi_start(&comm);
    if (status == DLVIZ_OK && comm)
        status = run(comm, argc == 2 && strcmp(argv[1], "own") == 0);
    if (status != DLVIZ_OK)
        fprintf(stderr, "%s\n", dlviz_last_error());
    dlviz_mpi_end(comm);
    return status != DLVIZ_OK;
}
