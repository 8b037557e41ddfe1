/* train/update.h - what an optimizer's loop is given: a run of parameters, one pass over memory.
 *
 * Each parameter is computed from its own numbers alone, in the same operations wherever it stands,
 * so parameters may be cut into runs anywhere without a bit changing. Whatever a formula needs of
 * the step's number (bias correction, products with the learning rate) was worked out in double.
 * Arrays do not overlap and need no alignment. */
#ifndef DLZ_TRAIN_UPDATE_H
#define DLZ_TRAIN_UPDATE_H

#include "kernels/select.h"

#include <stdbool.h>
#include <stdint.h>

enum { DLZ_MAX_MOMENTS = 4 };

typedef struct dlz_update {
    int64_t n;
    float *parameters;
    const float *gradients;
    float gradient_scale;            /* 1 leaves them as they are */
    float *moments[DLZ_MAX_MOMENTS]; /* NULL: not kept */
} dlz_update;

typedef struct dlz_optimizer_table {
    /* `step` is what the optimizer's type has prepared. */
    void (*update)(const void *step, const dlz_update *update);
} dlz_optimizer_table;

/* Declares dlz_<name>_updates_of(isa). */
#define DLZ_OPTIMIZER_TABLE(name)                                                                  \
    static inline const dlz_optimizer_table *dlz_##name##_updates(void) __attribute__((unused));   \
    DLZ_KERNEL_TABLE(dlz_optimizer_table, dlz_##name##_updates)

#endif
