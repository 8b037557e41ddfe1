/* support/parts.h - files of two parts, which become two files, or one that is packed. */
#ifndef DLZ_TESTS_PARTS_H
#define DLZ_TESTS_PARTS_H

#include "support/mutations.h"
#include "support/valid_files.h"

/* Within the file: the first two bytes tell where the second part begins. */
typedef struct parts {
    const unsigned char *first, *second;
    size_t first_size, second_size;
} parts;

/* Any file has two parts, which may be empty. */
parts split_parts(const mutant *file);
void keep_parts(samples *to, const void *first, size_t first_size, const void *second,
                size_t second_size);

/* What a program does with a dataset: some samples and targets, their mean, parts, another size. */
void use_dataset(dlviz_dataset *dataset); /* or NULL */

#endif
