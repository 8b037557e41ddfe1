/* layers/loss.h - softmax cross-entropy. */
#ifndef DLZ_LOSS_H
#define DLZ_LOSS_H

#include <stdint.h>

/* For each row, −log softmax(logits)[label]: adds their sum to *loss, and the number of rows whose
 * greatest logit (the first of equals) is the label's to *correct. gradient, if not NULL, becomes
 * (softmax − onehot) * scale. All in double inside. */
void dlz_cross_entropy(int64_t rows, int64_t classes, const float *logits, const int64_t *labels,
                       double scale, float *gradient, double *loss, int64_t *correct);

#endif
