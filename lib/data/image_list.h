/* data/image_list.h - which images are in a folder, and which classes they are of. */
#ifndef DLZ_DATA_IMAGE_LIST_H
#define DLZ_DATA_IMAGE_LIST_H

#include "base/base.h"

/* Folders in folders, at most. */
#define DLZ_IMAGE_LIST_DEPTH 64

typedef struct dlz_image_path {
    char *text;     /* from the folder on; dlz_free */
    int32_t folder; /* how many of its bytes are folders, without the last '/' */
    int32_t class;  /* -1: none */
} dlz_image_path;

typedef struct dlz_image_list {
    dlz_image_path *paths; /* class by class, in order */
    int64_t count, room;
    char **classes; /* folders' names, in order */
    int64_t num_classes, classes_room;
} dlz_image_list;

/* Lists the images of a folder; see dlviz_dataset_read_folder. */
dlviz_status dlz_image_list_read(const char *folder, dlz_image_list *list);
void dlz_image_list_release(dlz_image_list *list);

#endif
