/* data/image_reader.h - the inside of an image reader. */
#ifndef DLZ_DATA_IMAGE_READER_H
#define DLZ_DATA_IMAGE_READER_H

#include "base/busy.h"

#include <dlviz/dataset_files.h>

/* What was left out, and why. */
typedef struct dlz_skipped {
    char *path, *reason; /* one block, begun by `path` */
} dlz_skipped;

struct dlviz_image_reader {
    dlz_busy busy; /* a folder is being read with it */
    int64_t height, width, num_channels, background, memory_limit;
    dlviz_image_fit fit;
    bool skips;
    dlz_skipped *skipped;
    int64_t num_skipped, skipped_room;
};

/* Notes what the present sentence says of a path. */
dlviz_status dlz_image_reader_skip(dlviz_image_reader *reader, const char *path);
void dlz_image_reader_forget(dlviz_image_reader *reader);
/* The defaults. */
void dlz_image_reader_init(dlviz_image_reader *reader);

#endif
