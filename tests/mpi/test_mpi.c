/* A communicator over MPI: what all ranks do together, and what they see when one of them fails.
 *
 *     mpiexec -n N test_mpi work|fail|leave|finalize|longer|refuse|refuse_later|exit|kill|levels|
 *                       after
 *
 * The exit status is 0 where all went as it should on that rank. */
#include "mpi/joined.h"
#include "mpi/link.h"
#include "support/rank_work.h"
#include "support/support.h"

#include <dlviz/mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static dlviz_status expect(dlviz_status status, dlviz_status right, const char *sentence) {
    if (status == right && strcmp(dlviz_last_error(), sentence) == 0)
        return DLVIZ_OK;
    char said[1024];
    snprintf(said, sizeof said, "%s", dlviz_last_error());
    return dlviz_fail(DLVIZ_ERROR_STATE, "gave %s ('%s'), not %s ('%s')", dlviz_status_name(status),
                      said, dlviz_status_name(right), sentence);
}

/* -- Work -----------------------------------------------------------------------------------------
 */

static dlviz_status work_sums(dlviz_comm *comm) {
    static const int64_t sizes[] = {0, 1, 3, 100, 2048, 2049, 70001, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int present = 0; present <= DLZ_LEAVES; present += i < 6 ? 1 : 4) {
            ranks_sum_case c = {i + 1, sizes[i], present, (i + (size_t)present) % 3 == 0,
                                present % 2};
            TRY(ranks_sum(comm, &c));
        }
    return DLVIZ_OK;
}

/* Both the failing rank and the others are where agree says. */
static dlviz_status work_agreement(dlviz_comm *comm) {
    int size = dlz_comm_size(comm), rank = dlz_comm_rank(comm);
    for (int failing = -1; failing < size; failing++) {
        dlviz_status status = ranks_agree(comm, &(ranks_agree_case){failing, -1});
        dlviz_status right = failing < 0       ? DLVIZ_OK
                             : failing == rank ? DLVIZ_ERROR_NUMERIC
                                               : DLVIZ_ERROR_COMM;
        if (status != right)
            return dlviz_fail(DLVIZ_ERROR_STATE, "agree with a failure on %d gave %s", failing,
                              dlviz_status_name(status));
    }
    for (int differing = 1; differing <= size; differing++) {
        dlviz_status status = ranks_compare_texts(comm, &(ranks_text_case){differing, 1980});
        if ((status == DLVIZ_OK) != (differing == size))
            return dlviz_fail(DLVIZ_ERROR_STATE, "texts gave %s", dlviz_status_name(status));
    }
    return DLVIZ_OK;
}

static dlviz_status work(dlviz_comm *comm) {
    TRY(ranks_see_shares(comm, NULL));
    TRY(work_sums(comm));
    for (int between = 0; between < 2; between++) {
        ranks_many_case c = {RANKS_MANY, between};
        TRY(ranks_sum_many(comm, &c));
    }
    for (int64_t count = 0; count < 200000; count = count * 5 + 1) {
        TRY(ranks_gather_even(comm, &count));
        TRY(ranks_broadcast(comm, &count));
    }
    TRY(ranks_gather(comm, NULL));
    TRY(ranks_trade(comm, NULL));
    for (dlviz_dtype dtype = DLVIZ_FLOAT32; dtype <= DLVIZ_INT64; dtype++)
        TRY(ranks_join(comm, &dtype));
    TRY(ranks_all_of_it(comm, NULL));
    return work_agreement(comm);
}

/* In a communicator of every other rank, beside that of all. */
static dlviz_status work_apart(dlviz_comm *comm) {
    int rank = dlz_comm_rank(comm);
    MPI_Comm half;
    dlviz_comm *own;
    if (MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half) != MPI_SUCCESS)
        return dlviz_fail(DLVIZ_ERROR_STATE, "MPI_Comm_split failed");
    TRY(dlviz_mpi_comm_create(&own, half));
    MPI_Comm_free(&half);
    dlviz_status status = ranks_all_of_it(own, NULL);
    if (dlviz_comm_rank(own) != rank / 2)
        status = dlviz_fail(DLVIZ_ERROR_STATE, "the rank is another");
    dlviz_comm_destroy(own);
    return status;
}

static dlviz_status work_all(dlviz_comm *comm) {
    dlviz_comm *none = comm;
    TRY(work(comm));
    TRY(work_apart(comm));
    TRY(joined_training(comm));
    if (dlviz_mpi_comm_create(&none, MPI_COMM_NULL) != DLVIZ_ERROR_INVALID_ARGUMENT || none)
        return dlviz_fail(DLVIZ_ERROR_STATE, "MPI_COMM_NULL is accepted");
    /* One rank has nowhere to put it. */
    dlviz_status status =
        dlviz_mpi_comm_create(dlz_comm_rank(comm) == 0 ? NULL : &none, MPI_COMM_WORLD);
    if (dlz_comm_rank(comm) == 0)
        TRY(expect(status, DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_mpi_comm_create: 'out' is NULL"));
    else
        TRY(expect(status, DLVIZ_ERROR_COMM,
                   "rank 0 failed: dlviz_mpi_comm_create: 'out' is NULL"));
    return dlz_comm_agree(comm, DLVIZ_OK);
}

/* -- Trouble --------------------------------------------------------------------------------------
 */

/* Work that goes well, and is over on every rank before any gets into trouble: word of that would else end
 * it on a slower one. */
static dlviz_status begin_together(dlviz_comm *comm) {
    TRY(ranks_all_of_it(comm, NULL));
    return dlz_mpi_result("MPI_Barrier", MPI_Barrier(MPI_COMM_WORLD));
}

/* Goes on until a call fails. */
static dlviz_status go_on(dlviz_comm *comm) {
    for (;;)
        TRY(ranks_all_of_it(comm, NULL));
}

/* Rank 1 fails between two calls; sums are in flight everywhere. */
static dlviz_status fail_alone(dlviz_comm *comm) {
    static float nodes[8][100000];
    int rank = dlz_comm_rank(comm);
    TRY(begin_together(comm));
    if (dlz_comm_size(comm) > DLZ_LEAVES)
        return dlviz_fail(DLVIZ_ERROR_STATE, "too many ranks for this test");
    for (int i = 0; i < 8 && rank != 1; i++)
        if (dlz_comm_sum_node(comm, nodes[i], 100000) != DLVIZ_OK)
            break;
    if (rank == 1)
        return expect(dlz_comm_fail(comm, dlviz_fail(DLVIZ_ERROR_IO, "the disk is full")),
                      DLVIZ_ERROR_IO, "the disk is full");
    dlviz_status status = dlz_comm_sums_finish(comm);
    TRY(expect(status, DLVIZ_ERROR_COMM, "rank 1 failed: the disk is full"));
    return expect(dlz_comm_agree(comm, DLVIZ_OK), DLVIZ_ERROR_COMM,
                  "rank 1 failed: the disk is full");
}

/* Rank 1 ends as if all were done. */
static dlviz_status leave(dlviz_comm *comm) {
    TRY(begin_together(comm));
    if (dlz_comm_rank(comm) == 1)
        return DLVIZ_OK;
    dlviz_status status = go_on(comm);
    if (status == DLVIZ_ERROR_COMM && strstr(dlviz_last_error(), "has left"))
        return DLVIZ_OK;
    return status;
}

/* Rank 1 finalizes MPI before the communicator is destroyed. */
static dlviz_status finalize(dlviz_comm *comm) {
    TRY(begin_together(comm));
    if (dlz_comm_rank(comm) == 1)
        return dlz_mpi_result("MPI_Finalize", MPI_Finalize());
    dlviz_status status = go_on(comm);
    return status == DLVIZ_ERROR_COMM && strstr(dlviz_last_error(), "has left") ? DLVIZ_OK : status;
}

/* Rank 0 sends more than the others expect. */
static dlviz_status send_more(dlviz_comm *comm) {
    char data[64] = "";
    bool first = dlz_comm_rank(comm) == 0;
    TRY(begin_together(comm));
    dlviz_status status = dlz_comm_broadcast(comm, data, first ? 64 : 8);
    if (status == DLVIZ_OK)
        status = dlz_comm_agree(comm, DLVIZ_OK);
    if (status == DLVIZ_ERROR_COMM && strstr(dlviz_last_error(), "do not make the same calls"))
        return DLVIZ_OK;
    return status == DLVIZ_OK ? dlviz_fail(DLVIZ_ERROR_STATE, "it went well") : status;
}

static int receives_until_refusal; /* 0: none is refused */

/* In MPI's place. */
int MPI_Irecv(void *to, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
              MPI_Request *request) {
    if (receives_until_refusal > 0 && --receives_until_refusal == 0)
        return MPI_ERR_INTERN;
    return PMPI_Irecv(to, count, type, from, tag, comm, request);
}

/* MPI refuses a receive of rank 1's, before or after one for the same exchange: there is nothing to cancel,
 * or less than there would be. */
static dlviz_status refuse(dlviz_comm *comm, int receive) {
    TRY(begin_together(comm));
    receives_until_refusal = dlz_comm_rank(comm) == 1 ? receive : 0;
    /* As a program that initializes MPI itself has it. */
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_ARE_FATAL);
    dlviz_status status = go_on(comm);
    return status == DLVIZ_ERROR_COMM && strstr(dlviz_last_error(), "MPI_Irecv failed on rank 1: ")
               ? DLVIZ_OK
               : status;
}

static dlviz_status vanish(dlviz_comm *comm, bool kill_it) {
    TRY(begin_together(comm));
    if (dlz_comm_rank(comm) == 1 && kill_it)
        raise(SIGKILL);
    if (dlz_comm_rank(comm) == 1)
        _exit(0);
    return go_on(comm);
}

static dlviz_status run(const char *mode, dlviz_comm *comm) {
    if (strcmp(mode, "work") == 0)
        return work_all(comm);
    if (strcmp(mode, "fail") == 0)
        return fail_alone(comm);
    if (strcmp(mode, "leave") == 0)
        return leave(comm);
    if (strcmp(mode, "finalize") == 0)
        return finalize(comm);
    if (strcmp(mode, "longer") == 0)
        return send_more(comm);
    if (strncmp(mode, "refuse", 6) == 0)
        return refuse(comm, strcmp(mode, "refuse") == 0 ? 1 : 2);
    return vanish(comm, strcmp(mode, "kill") == 0);
}

/* Without a launcher: no communicator, and MPI is left alone. */
static int run_alone(void) {
    dlviz_comm *comm = (dlviz_comm *)&comm;
    int initialized = 1;
    dlviz_status status = dlviz_mpi_start(&comm);
    MPI_Initialized(&initialized);
    dlviz_mpi_end(comm);
    if (status != DLVIZ_OK || comm || initialized)
        return 1;
    status = dlviz_mpi_comm_create(&comm, MPI_COMM_WORLD);
    return status != DLVIZ_ERROR_STATE || !strstr(dlviz_last_error(), "not initialized");
}

/* Rank 0 has initialized MPI for one thread, and all learn of it. */
static int run_with_levels(void) {
    dlviz_comm *comm = (dlviz_comm *)&comm;
    const char *own = getenv("OMPI_COMM_WORLD_RANK"), *words = "MPI_THREAD_SINGLE";
    own = own ? own : getenv("PMI_RANK");
    bool first = own && strcmp(own, "0") == 0;
    int level;
    MPI_Init_thread(NULL, NULL, first ? MPI_THREAD_SINGLE : MPI_THREAD_FUNNELED, &level);
    dlviz_status status = dlviz_mpi_comm_create(&comm, MPI_COMM_WORLD);
    MPI_Bcast(&level, 1, MPI_INT, 0, MPI_COMM_WORLD);
    bool well = level > MPI_THREAD_SINGLE /* which an MPI may give who asks for less */
                    ? status == DLVIZ_OK
                    : status == (first ? DLVIZ_ERROR_STATE : DLVIZ_ERROR_COMM) &&
                          strstr(dlviz_last_error(), words) && !comm;
    if (!well)
        fprintf(stderr, "levels: %s: %s\n", dlviz_status_name(status), dlviz_last_error());
    dlviz_comm_destroy(status == DLVIZ_OK ? comm : NULL);
    MPI_Finalize();
    return !well;
}

/* Nothing begins once MPI is finalized. */
static int run_after(void) {
    dlviz_comm *comm = (dlviz_comm *)&comm;
    MPI_Init(NULL, NULL);
    MPI_Finalize();
    dlviz_status status = dlviz_mpi_start(&comm);
    bool well = status == DLVIZ_ERROR_STATE && !comm && strstr(dlviz_last_error(), "finalized");
    if (!well)
        fprintf(stderr, "after: %s: %s\n", dlviz_status_name(status), dlviz_last_error());
    dlviz_mpi_end(comm);
    return !well;
}

int main(int argc, char **argv) {
    dlviz_comm *comm;
    const char *mode = argc == 2 ? argv[1] : "work";
    if (strcmp(mode, "alone") == 0)
        return run_alone();
    if (strcmp(mode, "levels") == 0)
        return run_with_levels();
    if (strcmp(mode, "after") == 0)
        return run_after();
    dlviz_status status = dlviz_mpi_start(&comm);
    /* Of one rank there is none until it is asked for. */
    if (status == DLVIZ_OK && !comm)
        status = dlviz_mpi_comm_create(&comm, MPI_COMM_WORLD);
    if (status == DLVIZ_OK)
        status = run(mode, comm);
    if (status != DLVIZ_OK)
        fprintf(stderr, "%s, rank %d of %d: %s\n", mode, dlz_comm_rank(comm), dlz_comm_size(comm),
                dlviz_last_error());
    dlviz_mpi_end(comm);
    return status != DLVIZ_OK;
}
