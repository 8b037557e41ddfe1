/* comm/exchange.h - the inside of a communicator, and the exchanges that all else is made of. */
#ifndef DLZ_COMM_EXCHANGE_H
#define DLZ_COMM_EXCHANGE_H

#include "base/base.h"
#include "base/busy.h"
#include "base/room.h"
#include "comm/comm.h"

/* What is waited for goes over slot 0, sums in the background over the next ones, and pieces that are
 * traded in the background over the rest but the last, where few ranks trade at once. */
#define DLZ_MAIN_SLOT 0
#define DLZ_SUM_SLOTS 32
#define DLZ_TRADE_SLOT (1 + DLZ_SUM_SLOTS)
#define DLZ_AT_ONCE_SLOTS 8
#define DLZ_AT_ONCE_SLOT (DLVIZ_COMM_NUM_SLOTS - DLZ_AT_ONCE_SLOTS)
#define DLZ_TRADE_SLOTS (DLZ_AT_ONCE_SLOT - DLZ_TRADE_SLOT)
#define DLZ_MAX_SUMS 256

#define DLZ_LIBRARY_SIZE 192

typedef struct dlz_sums dlz_sums;

struct dlviz_comm {
    dlviz_comm_functions functions;
    void *user;
    int rank, size;
    atomic_int holders;
    dlz_busy busy;
    dlviz_status broken; /* what every call fails with; DLVIZ_OK while all is well */
    char sentence[DLZ_SENTENCE_SIZE];
    char library[DLZ_LIBRARY_SIZE];    /* what it must be on all ranks */
    dlz_room rooms[1 + DLZ_SUM_SLOTS]; /* what sums receive into, by slot */
    dlz_sums *sums;                    /* those in the background; NULL until there are some */
};

typedef struct dlz_exchange {
    int peer;
    const void *send;
    size_t send_size;
    void *receive;
    size_t receive_size;
} dlz_exchange;

/* Fails with the sentence of the communicator's failure if there was one. */
dlviz_status dlz_comm_check(const dlviz_comm *comm);
/* Start and finish of an exchange; what fails ends the communicator, and all ranks are told. */
dlviz_status dlz_comm_start(dlviz_comm *comm, int slot, const dlz_exchange *exchange);
dlviz_status dlz_comm_finish(dlviz_comm *comm, int slot, bool wait, bool *finished);
/* Both, over the main slot. Of nothing either way, does nothing. */
dlviz_status dlz_comm_exchange(dlviz_comm *comm, const dlz_exchange *exchange);
/* Makes a room large enough; else fails, as above. */
dlviz_status dlz_comm_grow(dlviz_comm *comm, dlz_room *room, uint64_t count, uint64_t size);

/* library.c: version, instruction set, compiler. */
void dlz_comm_describe_library(char *text, size_t size);

/* The bytes of `root` for all. */
dlviz_status dlz_comm_broadcast_from(dlviz_comm *comm, int root, void *data, size_t size);

#endif
