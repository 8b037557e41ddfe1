/* kernels/activations/activation.h - functions of one number, applied to each of many, and their
 * derivatives.
 *
 * They are defined where their layers are, in lib/layers/activations/. Whoever uses one writes
 * DLZ_ACTIVATION_TABLE(name) and then has dlz_<name>_kernels().
 *
 * Whatever the function: a result depends on its own x (and dy) alone, not on where it lies or how
 * many there are; a NaN in x stays this NaN; where the slope is 0 the gradient is 0, even of an
 * infinite or undefined dy. Nothing is allocated; any thread may call. */
#ifndef DLZ_KERNELS_ACTIVATIONS_ACTIVATION_H
#define DLZ_KERNELS_ACTIVATIONS_ACTIVATION_H

#include "kernels/select.h"

#include <stdint.h>

enum { DLZ_ACTIVATION_SETTINGS = 2 };

typedef struct dlz_activation_table {
    /* y[i] = value(x[i]); y may be x. */
    void (*forward)(const float *settings, int64_t count, const float *x, float *y);
    /* dx[i] = slope(x[i]) * dy[i]; dx may be x or dy. */
    void (*backward)(const float *settings, int64_t count, const float *x, const float *dy,
                     float *dx);
} dlz_activation_table;

/* One use: which function, and its settings. */
typedef struct dlz_activation {
    const dlz_activation_table *kernels;
    float settings[DLZ_ACTIVATION_SETTINGS]; /* what they mean is said in the function's file */
} dlz_activation;

/* Unused, because this stands in source files, each of which needs one of the two. */
#define DLZ_ACTIVATION_TABLE(name)                                                                 \
    static inline const dlz_activation_table *dlz_##name##_kernels_of(dlz_isa isa)                 \
        __attribute__((unused));                                                                   \
    static inline const dlz_activation_table *dlz_##name##_kernels(void) __attribute__((unused));  \
    DLZ_KERNEL_TABLE(dlz_activation_table, dlz_##name##_kernels)

#endif
