/* train/checkpoint.h - what a checkpoint is, and how it gets into a file. */
#ifndef DLZ_CHECKPOINT_H
#define DLZ_CHECKPOINT_H

#include <dlviz/safetensors.h>
#include <dlviz/trainer.h>

#define DLZ_CHECKPOINT_START "dlviz checkpoint "
#define DLZ_CHECKPOINT_FORMAT DLZ_CHECKPOINT_START "6"

/* Puts a checkpoint into empty contents, and reads it back. */
dlviz_status dlz_checkpoint_fill(const dlviz_trainer *trainer, dlviz_safetensors *set);
/* Fails, on all ranks, unless the trainers of all have the same network and settings. */
dlviz_status dlz_checkpoint_require_same(const dlviz_trainer *trainer, const char *who,
                                         dlviz_comm *comm);
/* Makes the trainer go on from one; after a failure nothing is changed. */
dlviz_status dlz_checkpoint_take(dlviz_trainer *trainer, const dlviz_safetensors *set);
/* Writes a checkpoint to `path` and keeps the one that was there as "<path>.previous". After a
 * failure the one at `path` is as it was. */
dlviz_status dlz_checkpoint_write(const dlviz_safetensors *set, const char *path);
/* What the one before it is called (dlz_free); NULL without memory. */
char *dlz_checkpoint_previous(const char *path);
/* Adds to the present sentence, of a checkpoint that cannot be read, that the one before it can. */
dlviz_status dlz_checkpoint_mention_previous(dlviz_status status, const char *path);

#endif
