/* Pieces that each rank has for each other one. */
#include "comm/exchange.h"

dlviz_status dlz_comm_trade_pieces(dlviz_comm *comm, const void *sent, const int64_t *sent_offsets,
                                   void *received, const int64_t *received_offsets) {
    if (!comm)
        return DLVIZ_OK;
    DLZ_TRY(dlz_comm_check(comm));
    for (int round = 0; round < comm->size; round++) {
        int peer = (round - comm->rank + comm->size) % comm->size;
        if (peer == comm->rank)
            continue;
        DLZ_TRY(dlz_comm_exchange(
            comm, &(dlz_exchange){
                      .peer = peer,
                      .send = (const char *)sent + sent_offsets[peer],
                      .send_size = (size_t)(sent_offsets[peer + 1] - sent_offsets[peer]),
                      .receive = (char *)received + received_offsets[peer],
                      .receive_size = (size_t)(received_offsets[peer + 1] - received_offsets[peer]),
                  }));
    }
    return DLVIZ_OK;
}
