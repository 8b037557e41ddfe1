/* Checkpoints saved and loaded: in files and in memory. */
#include "base/base.h"
#include "base/reading.h"
#include "network/network.h"
#include "tensor/safetensors.h"
#include "train/checkpoint.h"
#include "train/optimizer.h"
#include "train/trainer.h"

/* Checkpoints are of an optimizer that serves the network, and of states that are trained. */
static dlviz_status check_parts(const dlviz_trainer *trainer, const char *who) {
    dlviz_status status = dlz_optimizer_check_network(trainer->optimizer, trainer->network);
    return status == DLVIZ_OK ? dlz_trainer_check_average(trainer, who)
                              : dlz_fail_within(status, "%s", who);
}

/* -- Saving --------------------------------------------------------------------------------------
 */

/* The contents, to be destroyed; `what` for a sentence: "'<path>'". */
static dlviz_status collect(const dlviz_trainer *trainer, const char *who, const char *what,
                            dlviz_safetensors **set) {
    DLZ_TRY(dlz_network_check_idle(trainer->network, who));
    DLZ_TRY(check_parts(trainer, who));
    DLZ_TRY(dlviz_safetensors_create(set));
    dlviz_status status = dlz_checkpoint_fill(trainer, *set);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    dlviz_safetensors_destroy(*set);
    return dlz_fail_within(status, "cannot save %s", what);
}

static dlviz_status save_to(const dlviz_trainer *trainer, const char *who, const char *path) {
    dlviz_safetensors *set;
    char *what = dlz_format("'%s'", path);
    if (!what)
        return dlz_fail_memory("a file name", 0);
    dlviz_status status = collect(trainer, who, what, &set);
    dlz_free(what);
    DLZ_TRY(status);
    status = dlz_checkpoint_write(set, path);
    dlviz_safetensors_destroy(set);
    return status;
}

dlviz_status dlviz_trainer_save_checkpoint(const dlviz_trainer *trainer, const char *path) {
    DLZ_READING_OWN;
    DLZ_REQUIRE(trainer);
    DLZ_REQUIRE(path);
    DLZ_HOLD_SHARED(&trainer->busy, "trainer");
    DLZ_HOLD_OTHERS(trainer, DLZ_SHARED);
    return save_to(trainer, __func__, path);
}

dlviz_status dlviz_trainer_save_checkpoint_memory(const dlviz_trainer *trainer, void **bytes,
                                                  size_t *size) {
    DLZ_READING_OWN;
    DLZ_REQUIRE_OUT(bytes);
    DLZ_REQUIRE(size);
    *size = 0;
    DLZ_REQUIRE(trainer);
    DLZ_HOLD_SHARED(&trainer->busy, "trainer");
    DLZ_HOLD_OTHERS(trainer, DLZ_SHARED);
    dlviz_safetensors *set;
    DLZ_TRY(collect(trainer, __func__, "a checkpoint", &set));
    dlviz_status status = dlviz_safetensors_save_memory(set, bytes, size);
    dlviz_safetensors_destroy(set);
    return status;
}

/* -- Loading -------------------------------------------------------------------------------------
 */

/* Destroys the contents. Whatever a tensor lacks, it is the file that is wrong. */
static dlviz_status take(dlviz_trainer *trainer, dlviz_safetensors *set, const char *path) {
    dlviz_status status = dlz_checkpoint_take(trainer, set);
    dlviz_safetensors_destroy(set);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    if (status != DLVIZ_ERROR_OUT_OF_MEMORY)
        status = DLVIZ_ERROR_FORMAT;
    return path ? dlz_fail_within(status, "cannot resume from '%s'", path)
                : dlz_fail_within(status, "cannot resume from memory");
}

dlviz_status dlviz_trainer_load_checkpoint(dlviz_trainer *trainer, const char *path) {
    DLZ_READING(path);
    DLZ_REQUIRE(trainer);
    DLZ_REQUIRE(path);
    DLZ_HOLD_ALONE(&trainer->busy, "trainer");
    DLZ_HOLD_OTHERS(trainer, DLZ_NESTED);
    DLZ_TRY(dlz_trainer_check_outside(trainer, __func__));
    DLZ_TRY(check_parts(trainer, __func__));
    dlviz_safetensors *set;
    dlviz_status status = dlviz_safetensors_open(&set, path);
    if (status != DLVIZ_OK)
        return dlz_checkpoint_mention_previous(status, path);
    return take(trainer, set, path);
}

dlviz_status dlviz_trainer_load_checkpoint_memory(dlviz_trainer *trainer, const void *bytes,
                                                  size_t size) {
    DLZ_READING(NULL);
    DLZ_REQUIRE(trainer);
    DLZ_HOLD_ALONE(&trainer->busy, "trainer");
    DLZ_HOLD_OTHERS(trainer, DLZ_NESTED);
    DLZ_TRY(dlz_trainer_check_outside(trainer, __func__));
    DLZ_TRY(check_parts(trainer, __func__));
    dlviz_safetensors *set;
    DLZ_TRY(dlz_safetensors_view(&set, __func__, bytes, size));
    return take(trainer, set, NULL);
}
