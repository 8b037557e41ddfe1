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

typedef struct dlz_softmax_table {
    /* For each of `rows` rows of `classes` >= 1 logits without gaps and its label (0 … classes −
     * 1): result, and unless NULL gradient = (softmax − onehot(label)) * scale. gradient may be
     * logits. */
    void (*cross_entropy)(int64_t rows, int64_t classes, const float *logits, const int64_t *labels,
                          double scale, float *gradient, dlz_softmax_row *result);
    /* probabilities may be logits. */
    void (*softmax)(int64_t rows, int64_t classes, const float *logits, float *probabilities);
    /* e[i] = exp(x[i]) for x[i] <= 0. */
    void (*exp_negative)(int64_t n, const float *x, float *e);
} dlz_softmax_table;

DLZ_KERNEL_TABLE(dlz_softmax_table, dlz_softmax_kernels)

#endif
