/* support/augmented.h - small datasets of random numbers, and what augmentations make of them. */
#ifndef DLZ_TESTS_AUGMENTED_H
#define DLZ_TESTS_AUGMENTED_H

#include "support/support.h"

/* n images of any size, or vectors (height 0) of `width`. */
dlviz_dataset *make_set(dlviz_dtype dtype, int64_t n, int64_t channels, int64_t height,
                        int64_t width);
/* The set, with one augmentation more. */
dlviz_dataset *with(dlviz_dataset *set, dlviz_augmentation *augmentation);
/* All samples, as an epoch sees them and as they are. */
dlviz_tensor *augmented(const dlviz_dataset *set, uint64_t seed, int64_t epoch);
dlviz_tensor *plain(const dlviz_dataset *set);
/* The same numbers, to the bit. */
bool same(const dlviz_tensor *a, const dlviz_tensor *b);

#endif
