/* data.h - samples to train on, to validate and to test: read, split, normalized. */
#ifndef RUN_DATA_H
#define RUN_DATA_H

#include "options.h"
#include "terminal.h"
#include <dlviz.h>

struct data {
    char name[64];                            /* "MNIST", or that of the folder or file */
    dlviz_dataset *train, *validation, *test; /* validation: NULL for none */
    const char *advice;                       /* what to do about a failure, or NULL */
    int64_t *test_rows;  /* of the file, from 0, or NULL: those that were not split off */
    uint64_t mark;       /* of numbers of all parts, as they were read (mark.h) */
    int64_t original[2]; /* height and width as the files have them; 0: vectors */
};

/* The report's: MNIST, or what is in its place, with MNIST's normalization. */
dlviz_status load_report_data(struct data *data, const struct options *options);
/* Whatever options->data is; split by classes, normalized by the training part, augmented. */
dlviz_status load_train_data(struct data *data, const struct options *options,
                             struct terminal *terminal);
void release_data(struct data *data);

/* The test samples as the files have them, n x d float32 of 0 … 1. */
dlviz_status test_pixels(const struct data *data, dlviz_tensor **pixels);

#endif
