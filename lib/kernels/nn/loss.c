#include "kernels/nn/loss.h"

#include "base/base.h"
#include "kernels/nn/softmax.h"

#include <math.h>

enum { BLOCK = 64 };

double dlz_cross_entropy(int64_t rows, int64_t classes, const float *logits, const int64_t *labels,
                         double scale, double *losses, float *gradient, int64_t *correct) {
    double total = 0;
    int64_t right = 0;
    for (int64_t start = 0; start < rows; start += BLOCK) {
        dlz_softmax_row result[BLOCK];
        int64_t count = dlz_min_i64(BLOCK, rows - start);
        dlz_softmax_kernels()->cross_entropy(count, classes, logits + start * classes,
                                             labels + start, scale,
                                             gradient ? gradient + start * classes : NULL, result);
        for (int64_t i = 0; i < count; i++) {
            /* Where the label is the largest, the loss may be far below 1's precision. */
            double loss = result[i].below == 0 ? log1p(result[i].others)
                                               : log(result[i].sum) + result[i].below;
            if (losses)
                losses[start + i] = loss;
            total += loss;
            right += result[i].correct;
        }
    }
    if (correct)
        *correct = right;
    return total;
}
