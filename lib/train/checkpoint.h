/* train/checkpoint.h - what checkpoint.c and checkpoint_file.c share. */
#ifndef DLZ_CHECKPOINT_H
#define DLZ_CHECKPOINT_H

#include <dlviz/safetensors.h>

#define DLZ_CHECKPOINT_START "dlviz checkpoint "
#define DLZ_CHECKPOINT_FORMAT DLZ_CHECKPOINT_START "5"

/* Writes a checkpoint to `path` and keeps the one that was there as "<path>.previous". After a
 * failure both are as they were. */
dlviz_status dlz_checkpoint_write(const dlviz_safetensors *set, const char *path);

#endif
