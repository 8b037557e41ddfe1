/* support/reference.h - networks evaluated plainly in double precision: nothing of the library's.
 *
 * Slow loops straight from the definitions, for central differences that rounding does not blur,
 * and for shapes that no fixture holds. Dropout counts as absent. */
#ifndef DLZ_TESTS_REFERENCE_H
#define DLZ_TESTS_REFERENCE_H

#include "support/netspec.h"

typedef struct reference reference;

/* Copies the network's present states. */
reference *reference_create(const net_spec *spec, const dlviz_network *network);
void reference_destroy(reference *ref);
/* One parameter or running statistic, to read or to change; `count` receives its size. NULL when
 * there is none of that name. */
double *reference_state(reference *ref, const char *name, int64_t *count);

/* The outputs, n rows, in a block that the caller frees. Training normalises by the batch's
 * statistics and leaves the running ones alone. With a layer name, the output of that layer. */
double *reference_outputs(reference *ref, const float *inputs, int64_t n, bool training,
                          const char *layer);
/* Mean cross-entropy in training mode. */
double reference_loss(reference *ref, const float *inputs, const int64_t *labels, int64_t n);

#endif
