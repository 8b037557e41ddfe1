/* Pieces that each rank has for each other one. */
#include "comm/exchange.h"

static dlz_exchange exchange_with(int peer, const void *sent, const int64_t *sent_offsets,
                                  void *received, const int64_t *received_offsets) {
    return (dlz_exchange){
        .peer = peer,
        .send = (const char *)sent + sent_offsets[peer],
        .send_size = (size_t)(sent_offsets[peer + 1] - sent_offsets[peer]),
        .receive = (char *)received + received_offsets[peer],
        .receive_size = (size_t)(received_offsets[peer + 1] - received_offsets[peer]),
    };
}

/* Of round 0 … size − 1, the rank with which this one trades: both ranks add up to the round. */
static int peer_of(const dlviz_comm *comm, int round) {
    return (round - comm->rank + comm->size) % comm->size;
}

dlviz_status dlz_comm_trade_pieces(dlviz_comm *comm, const void *sent, const int64_t *sent_offsets,
                                   void *received, const int64_t *received_offsets) {
    if (!comm)
        return DLVIZ_OK;
    DLZ_TRY(dlz_comm_check(comm));
    for (int round = 0; round < comm->size; round++) {
        int peer = peer_of(comm, round);
        if (peer == comm->rank)
            continue;
        dlz_exchange exchange = exchange_with(peer, sent, sent_offsets, received, received_offsets);
        DLZ_TRY(dlz_comm_exchange(comm, &exchange));
    }
    return DLVIZ_OK;
}

/* -- In the background: each round has a slot, where there are not too many ----------------------
 */

static bool has_slots(const dlviz_comm *comm) {
    return comm->size <= DLZ_TRADE_SLOTS;
}

dlviz_status dlz_comm_trade_begin(dlviz_comm *comm, const void *sent, const int64_t *sent_offsets,
                                  void *received, const int64_t *received_offsets) {
    if (!comm || !has_slots(comm))
        return dlz_comm_trade_pieces(comm, sent, sent_offsets, received, received_offsets);
    DLZ_TRY(dlz_comm_check(comm));
    for (int round = 0; round < comm->size; round++) {
        int peer = peer_of(comm, round);
        dlz_exchange exchange = exchange_with(peer, sent, sent_offsets, received, received_offsets);
        if (peer != comm->rank && exchange.send_size + exchange.receive_size > 0)
            DLZ_TRY(dlz_comm_start(comm, DLZ_TRADE_SLOT + round, &exchange));
    }
    return DLVIZ_OK;
}

dlviz_status dlz_comm_trade_finish(dlviz_comm *comm, const int64_t *sent_offsets,
                                   const int64_t *received_offsets) {
    if (!comm || !has_slots(comm))
        return DLVIZ_OK;
    DLZ_TRY(dlz_comm_check(comm));
    for (int round = 0; round < comm->size; round++) {
        int peer = peer_of(comm, round);
        bool finished;
        if (peer != comm->rank && (sent_offsets[peer + 1] > sent_offsets[peer] ||
                                   received_offsets[peer + 1] > received_offsets[peer]))
            DLZ_TRY(dlz_comm_finish(comm, DLZ_TRADE_SLOT + round, true, &finished));
    }
    return DLVIZ_OK;
}
