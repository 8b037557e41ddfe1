/* Processes that train together. */
#include "base/base.h"
#include "comm/comm.h"
#include "comm/enter.h"
#include "comm/merge.h"
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

dlviz_status dlz_trainer_gather(dlviz_trainer *trainer) {
    DLZ_TRY(dlz_plans_join(&trainer->network->plans));
    return dlz_optimizer_join_moments(trainer->optimizer, trainer->network);
}

dlviz_status dlviz_trainer_gather(dlviz_trainer *trainer) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    return trainer->fitting ? dlz_trainer_gather(trainer)
                            : dlz_require_states(trainer->network, __func__);
}

/* -- Samples that are spread over them -----------------------------------------------------------
 */

/* Asks for a batch, of which the ranks compute these shares. */
static dlz_demand demand_of(const dlviz_dataset *train, const int64_t *order, int64_t n,
                            const dlz_variant *variant, const dlz_share *shares) {
    return (dlz_demand){.dataset = train,
                        .positions = order,
                        .count = n,
                        .variant = dlz_dataset_is_augmented(train) ? variant : NULL,
                        .shares = shares,
                        .all_targets = true};
}

dlviz_status dlz_trainer_bring(dlviz_trainer *trainer, const dlviz_dataset *train,
                               const int64_t *order, int64_t n, dlviz_dataset *view) {
    const dlz_variant variant = {.seed = trainer->seed, .epoch = trainer->num_epochs};
    dlz_share shares[DLZ_LEAVES];
    dlz_batch batch;
    DLZ_TRY(dlz_network_share_batch(trainer->network, n, &batch));
    for (int rank = 0; rank < dlz_comm_size(trainer->comm); rank++)
        shares[rank] = dlz_batch_share(&batch, rank);
    dlz_demand demand = demand_of(train, order, n, &variant, shares);
    DLZ_TRY(dlz_supply_take(&trainer->supply, &demand, view));
    /* A last batch of fewer samples may be shared otherwise. */
    int64_t left = trainer->samples - (trainer->batches_done + 1) * trainer->batch_size;
    if (trainer->batches_done + 1 == trainer->num_batches || left < n)
        return DLVIZ_OK;
    demand.positions += n;
    return dlz_supply_begin(&trainer->supply, &demand);
}

dlviz_status dlz_trainer_bring_all(dlviz_trainer *trainer, const dlviz_dataset *train,
                                   const int64_t *order, int64_t n, dlviz_dataset *view) {
    const dlz_variant variant = {.seed = trainer->seed, .epoch = trainer->num_epochs};
    const dlz_demand demand = demand_of(train, order, n, &variant, NULL);
    return dlz_supply_take(&trainer->supply, &demand, view);
}

static unsigned long digest_frozen(const dlviz_network *network) {
    uLong digest = 0;
    for (int i = 0; i < network->num_states; i++) {
        Bytef frozen = network->states[i].frozen;
        digest = crc32_z(digest, &frozen, 1);
    }
    return digest;
}

/* What decides over the steps to come, and is quickly told: callbacks and the user's schedules may have
 * set it. */
static void describe_steps(const dlviz_trainer *trainer, char *text, size_t size) {
    const dlviz_optimizer *optimizer = trainer->optimizer;
    const dlz_stopping *stopping = &trainer->stopping;
    dlz_snprintf(
        text, size,
        "learning rate %.17g, weight decay %.17g, %lld batches of %lld a step, clip norm %.17g "
        "and value %.17g, averaging %.17g, patience %lld, threshold %.17g, direction %d, "
        "frozen states %08lx, %lld samples for validation",
        dlviz_optimizer_learning_rate(optimizer), dlviz_optimizer_weight_decay(optimizer),
        (long long)trainer->accumulation.batches, (long long)trainer->batch_size,
        trainer->clip_norm, trainer->clip_value, trainer->averaging.decay,
        stopping->figure ? (long long)stopping->patience : 0, stopping->threshold,
        (int)stopping->better, digest_frozen(trainer->network),
        (long long)(trainer->validation ? dlviz_dataset_num_samples(trainer->validation) : 0));
}

dlviz_status dlz_trainer_agree_on(const dlviz_trainer *trainer, const char *who, bool *go_on) {
    char text[512];
    int64_t all[DLZ_LEAVES];
    int ranks = dlz_comm_size(trainer->comm);
    if (ranks == 1)
        return DLVIZ_OK;
    describe_steps(trainer, text, sizeof text);
    /* All but the lowest bit, which says whether to go on. */
    int64_t settings = (int64_t)(dlz_comm_hash(text) >> 1 << 1);
    bool same = true;
    DLZ_TRY(dlz_comm_gather_numbers(trainer->comm, settings + *go_on, all));
    for (int rank = 0; rank < ranks; rank++) {
        *go_on &= all[rank] & 1;
        same &= (all[rank] | 1) == (all[0] | 1);
    }
    return same ? DLVIZ_OK : dlz_comm_require_same(trainer->comm, who, "what steps go by", text);
}

/* The samples that figures, and what decides over them, are made of. */
static void describe_validation(const dlviz_dataset *validation, char *text, size_t size) {
    if (validation)
        snprintf(text, size, "of %lld samples with mark %08lx",
                 (long long)dlviz_dataset_num_samples(validation),
                 (unsigned long)dlz_dataset_mark(validation));
    else
        snprintf(text, size, "none");
}

/* What the numbers are made of, beside settings. */
static void describe(const dlviz_trainer *trainer, const dlviz_dataset *train, int64_t epochs,
                     char *text, size_t size) {
    const dlviz_network *network = trainer->network;
    size_t bytes = (size_t)network->parameter_floats * sizeof *network->parameters;
    uLong parameters = crc32_z(0, (const Bytef *)network->parameters, bytes);
    uLong buffers = crc32_z(0, network->buffers, network->buffer_bytes);
    dlz_snprintf(
        text, size,
        "%lld epochs from epoch %d and batch %lld on, %lld samples with mark "
        "%08lx, parameters %08lx, running statistics %08lx, moments %08lx, %lld steps, learning "
        "rate %.17g",
        (long long)epochs, trainer->num_epochs, (long long)trainer->batches_done,
        (long long)dlviz_dataset_num_samples(train), (unsigned long)dlz_dataset_mark(train),
        parameters, network->buffers ? buffers : 0, dlz_optimizer_digest(trainer->optimizer),
        (long long)trainer->optimizer->steps, dlviz_optimizer_learning_rate(trainer->optimizer));
}

dlviz_status dlz_trainer_require_same(const dlviz_trainer *trainer, const char *who,
                                      const dlviz_dataset *train, int64_t epochs) {
    char text[400];
    dlviz_comm *comm = trainer->comm;
    if (dlz_comm_size(comm) == 1)
        return DLVIZ_OK;
    describe(trainer, train, epochs, text, sizeof text);
    DLZ_TRY(dlz_comm_require_same(comm, who, "what is trained", text));
    describe_validation(trainer->validation, text, sizeof text);
    DLZ_TRY(dlz_comm_require_same(comm, who, "the validation set", text));
    return dlz_checkpoint_require_same(trainer, who, comm);
}

dlviz_status dlz_trainer_check_ranks(const dlviz_trainer *trainer, const char *who,
                                     const dlviz_dataset *train, int64_t epochs,
                                     dlviz_status status) {
    dlviz_comm *comm = trainer->comm;
    if (dlz_comm_size(comm) == 1)
        return status;
    DLZ_TRY(dlz_comm_enter(comm, who, status));
    DLZ_TRY(dlz_dataset_require_same_rows(train, who, "the dataset", comm));
    DLZ_TRY(dlz_dataset_require_same_rows(trainer->validation, who, "the validation set", comm));
    DLZ_TRY(dlz_dataset_share_looks(train, comm));
    if (trainer->validation)
        DLZ_TRY(dlz_dataset_share_looks(trainer->validation, comm));
    return dlz_trainer_require_same(trainer, who, train, epochs);
}
