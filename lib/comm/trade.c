/* Pieces that each rank has for each other one. Few ranks trade with all others at once, so that
 * messages wait on the wire together. */
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

/* Where the exchanges of a trade go. */
typedef struct trade {
    dlviz_comm *comm;
    int slot; /* of round 0 */
    const void *sent;
    const int64_t *sent_offsets;
    void *received;
    const int64_t *received_offsets;
} trade;

static bool has_any(const trade *t, int peer) {
    return peer != t->comm->rank && (t->sent_offsets[peer + 1] > t->sent_offsets[peer] ||
                                     t->received_offsets[peer + 1] > t->received_offsets[peer]);
}

static dlviz_status begin(const trade *t) {
    DLZ_TRY(dlz_comm_check(t->comm));
    for (int round = 0; round < t->comm->size; round++) {
        int peer = peer_of(t->comm, round);
        dlz_exchange exchange =
            exchange_with(peer, t->sent, t->sent_offsets, t->received, t->received_offsets);
        if (has_any(t, peer))
            DLZ_TRY(dlz_comm_start(t->comm, t->slot + round, &exchange));
    }
    return DLVIZ_OK;
}

static dlviz_status finish(const trade *t) {
    DLZ_TRY(dlz_comm_check(t->comm));
    for (int round = 0; round < t->comm->size; round++) {
        bool finished;
        if (has_any(t, peer_of(t->comm, round)))
            DLZ_TRY(dlz_comm_finish(t->comm, t->slot + round, true, &finished));
    }
    return DLVIZ_OK;
}

static dlviz_status trade_in_turn(const trade *t) {
    DLZ_TRY(dlz_comm_check(t->comm));
    for (int round = 0; round < t->comm->size; round++) {
        int peer = peer_of(t->comm, round);
        dlz_exchange exchange =
            exchange_with(peer, t->sent, t->sent_offsets, t->received, t->received_offsets);
        if (peer != t->comm->rank)
            DLZ_TRY(dlz_comm_exchange(t->comm, &exchange));
    }
    return DLVIZ_OK;
}

dlviz_status dlz_comm_trade_pieces(dlviz_comm *comm, const void *sent, const int64_t *sent_offsets,
                                   void *received, const int64_t *received_offsets) {
    const trade t = {comm, DLZ_AT_ONCE_SLOT, sent, sent_offsets, received, received_offsets};
    if (!comm)
        return DLVIZ_OK;
    if (comm->size > DLZ_AT_ONCE_SLOTS)
        return trade_in_turn(&t);
    DLZ_TRY(begin(&t));
    return finish(&t);
}

/* -- In the background, where there are not too many ---------------------------------------------
 */

dlviz_status dlz_comm_trade_begin(dlviz_comm *comm, const void *sent, const int64_t *sent_offsets,
                                  void *received, const int64_t *received_offsets) {
    const trade t = {comm, DLZ_TRADE_SLOT, sent, sent_offsets, received, received_offsets};
    if (!comm)
        return DLVIZ_OK;
    return comm->size > DLZ_TRADE_SLOTS ? trade_in_turn(&t) : begin(&t);
}

dlviz_status dlz_comm_trade_finish(dlviz_comm *comm, const int64_t *sent_offsets,
                                   const int64_t *received_offsets) {
    const trade t = {comm, DLZ_TRADE_SLOT, NULL, sent_offsets, NULL, received_offsets};
    return comm && comm->size <= DLZ_TRADE_SLOTS ? finish(&t) : DLVIZ_OK;
}
