/* augment.h - "flip,shift=2,affine": augmentations as a list in words. */
#ifndef RUN_AUGMENT_H
#define RUN_AUGMENT_H

#include <dlviz.h>

/* Adds those of a list to a dataset. Fails with a sentence for one that there is not, or an amount
 * that it does not take. */
dlviz_status add_augmentations(dlviz_dataset *dataset, const char *list);
/* Whether a list is one, before there is a dataset; fails likewise. */
dlviz_status check_augmentations(const char *list);

#endif
