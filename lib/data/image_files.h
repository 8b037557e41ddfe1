/* data/image_files.h - the files that a dataset's samples come from, shared by all that were cut from it; and
 * samples that are decoded from them whenever they are wanted, where the dataset keeps none. */
#ifndef DLZ_DATA_IMAGE_FILES_H
#define DLZ_DATA_IMAGE_FILES_H

#include "data/image.h"

#include <stdatomic.h>

typedef struct dlz_image_files {
    atomic_int references;
    char *folder;
    int64_t count;
    char **paths;        /* from the folder on: pointers and texts in one block */
    dlz_image_form form; /* what they are decoded to */
    uint32_t *checks;    /* the CRC-32 of each decoded sample, or NULL where samples are kept */
} dlz_image_files;

dlz_image_files *dlz_image_files_hold(const dlz_image_files *files);
void dlz_image_files_release(dlz_image_files *files);

/* The bytes of a sample. */
size_t dlz_image_form_size(const dlz_image_form *form);
/* Decodes a file to a sample; `path` is from the folder on. */
dlviz_status dlz_image_decode(const char *folder, const char *path, const dlz_image_form *form,
                              uint8_t *sample);
/* What a file says of itself, of which no more is read than needed. */
dlviz_status dlz_image_probe(const char *folder, const char *path, dlz_image_header *header);
/* Decodes sample `row`; fails where that is not what it was when the folder was read. */
dlviz_status dlz_image_files_load(const dlz_image_files *files, int64_t row, uint8_t *sample);
/* CRC-32 as zlib has it. */
uint32_t dlz_image_check(const dlz_image_form *form, const uint8_t *sample);

#endif
