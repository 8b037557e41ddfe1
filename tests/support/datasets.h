/* support/datasets.h - small datasets, and their labels as arrays. */
#ifndef DLZ_TESTS_DATASETS_H
#define DLZ_TESTS_DATASETS_H

#include "support/support.h"

/* n samples of one number, i. */
dlviz_dataset *numbered_samples(int64_t n);
/* One for each sample; the dataset must have labels. */
const int64_t *labels_of(const dlviz_dataset *dataset);
void set_labels(dlviz_dataset *dataset, const int64_t *labels);

#endif
