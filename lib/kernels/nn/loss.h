/* kernels/nn/loss.h - softmax cross-entropy, −log softmax(logits)[label], from rows of logits. */
#ifndef DLZ_KERNELS_NN_LOSS_H
#define DLZ_KERNELS_NN_LOSS_H

#include <stdint.h>

/* `logits` and `gradient` are rows x classes without gaps, classes >= 1, labels 0 … classes − 1;
 * both may be the same memory. Unless NULL, losses[i]   the row's loss, in double; gradient
 * (softmax − onehot(label)) * scale: 1/batch for the gradient of the mean; *correct    the number
 * of rows whose label is the first of the largest logits. Returns the sum of the losses, added in
 * the order of rows. Finite logits of any size give a finite loss; a NaN among a row's logits makes
 * its loss and its gradient NaN, and the row not correct. */
double dlz_cross_entropy(int64_t rows, int64_t classes, const float *logits, const int64_t *labels,
                         double scale, double *losses, float *gradient, int64_t *correct);

#endif
