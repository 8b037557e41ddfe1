/* Processes that train together. */
#include "base/base.h"
#include "comm/comm.h"
#include "comm/enter.h"
#include "data/dataset.h"
#include "network/network.h"
#include "train/checkpoint.h"
#include "train/optimizer.h"
#include "train/trainer.h"

#include <stdio.h>
#include <zlib.h>

dlviz_status dlviz_trainer_set_comm(dlviz_trainer *trainer, dlviz_comm *comm) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    if (trainer->fitting)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: dlviz_trainer_fit is at work", __func__);
    if (dlz_comm_size(comm) > DLZ_LEAVES)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the communicator has %d ranks; at most %d share a batch", __func__,
                        dlz_comm_size(comm), DLZ_LEAVES);
    dlviz_comm *held = dlz_comm_hold(comm);
    dlviz_comm_destroy(trainer->comm);
    trainer->comm = held;
    return DLVIZ_OK;
}

dlviz_comm *dlviz_trainer_comm(const dlviz_trainer *trainer) {
    return trainer ? trainer->comm : NULL;
}

dlviz_status dlz_trainer_agree_on(const dlviz_trainer *trainer, bool *go_on) {
    int64_t all[DLZ_LEAVES];
    int ranks = dlz_comm_size(trainer->comm);
    if (ranks == 1)
        return DLVIZ_OK;
    DLZ_TRY(dlz_comm_gather_numbers(trainer->comm, *go_on, all));
    for (int rank = 0; rank < ranks; rank++)
        *go_on &= all[rank] != 0;
    return DLVIZ_OK;
}

/* What the numbers are made of, beside settings. */
static void describe(const dlviz_trainer *trainer, const dlviz_dataset *train, int64_t epochs,
                     char *text, size_t size) {
    const dlviz_network *network = trainer->network;
    size_t bytes = (size_t)network->parameter_floats * sizeof *network->parameters;
    uLong parameters = crc32_z(0, (const Bytef *)network->parameters, bytes);
    uLong buffers = crc32_z(0, network->buffers, network->buffer_bytes);
    snprintf(
        text, size,
        "%lld epochs from epoch %d and batch %lld on, %lld samples with mark "
        "%08lx, parameters %08lx, running statistics %08lx, moments %08lx, %lld steps, learning "
        "rate %a",
        (long long)epochs, trainer->num_epochs, (long long)trainer->batches_done,
        (long long)dlviz_dataset_num_samples(train), (unsigned long)dlz_dataset_mark(train),
        parameters, network->buffers ? buffers : 0, dlz_optimizer_digest(trainer->optimizer),
        (long long)trainer->optimizer->steps, dlviz_optimizer_learning_rate(trainer->optimizer));
}

dlviz_status dlz_trainer_check_ranks(const dlviz_trainer *trainer, const char *who,
                                     const dlviz_dataset *train, int64_t epochs,
                                     dlviz_status status) {
    char text[400];
    dlviz_comm *comm = trainer->comm;
    if (dlz_comm_size(comm) == 1)
        return status;
    DLZ_TRY(dlz_comm_enter(comm, who, status));
    describe(trainer, train, epochs, text, sizeof text);
    DLZ_TRY(dlz_comm_require_same(comm, who, "what is trained", text));
    return dlz_checkpoint_require_same(trainer, who, comm);
}
