/* kernels/nn/softmax.h - rows of logits to exponentials and probabilities.
 *
 * The largest logit of a row is subtracted first, so that no finite logits overflow. Exponentials
 * are accurate to 1 unit in the last place; below 2^-126 they are 0. A row that contains a NaN, or
 * whose largest logit is infinite, has the sum NaN. Rows do not depend on each other. */
#ifndef DLZ_KERNELS_NN_SOFTMAX_H
#define DLZ_KERNELS_NN_SOFTMAX_H

#include "kernels/select.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct dlz_softmax_row {
    double sum;    /* of exp(logit − largest): 1 … classes */
    double others; /* the same without the label's: to its own precision */
    double below;  /* largest − logit of the label */
    bool correct;  /* the label is the first of the largest logits; false with a NaN */
} dlz_softmax_row;

/* A function of each row, rows without gaps of `classes` >= 1 numbers: y of x, and, with y and the
 * gradient with respect to it, that with respect to x. Nothing is written in place. */
typedef struct dlz_row_function {
    void (*forward)(int64_t rows, int64_t classes, const float *x, float *y);
    void (*backward)(int64_t rows, int64_t classes, const float *y, const float *dy, float *dx);
} dlz_row_function;

typedef struct dlz_softmax_table {
    /* For each of `rows` rows of `classes` >= 1 logits without gaps and its label (0 … classes −
     * 1): result, and unless NULL gradient = (softmax − onehot(label)) * scale. gradient may be
     * logits. */
    void (*cross_entropy)(int64_t rows, int64_t classes, const float *logits, const int64_t *labels,
                          double scale, float *gradient, dlz_softmax_row *result);
    dlz_row_function softmax;
} dlz_softmax_table;

DLZ_KERNEL_TABLE(dlz_softmax_table, dlz_softmax_kernels)

/* The logarithms of probabilities. */
DLZ_KERNEL_TABLE(dlz_row_function, dlz_log_softmax_kernels)

#endif
