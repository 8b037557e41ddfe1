#include "layers/loss.h"

#include <math.h>

static int64_t greatest(const float *row, int64_t classes) {
    int64_t best = 0;
    for (int64_t c = 1; c < classes; c++)
        if (row[c] > row[best])
            best = c;
    return best;
}

void dlz_cross_entropy(int64_t rows, int64_t classes, const float *logits, const int64_t *labels,
                       double scale, float *gradient, double *loss, int64_t *correct) {
    for (int64_t r = 0; r < rows; r++, logits += classes) {
        int64_t best = greatest(logits, classes);
        /* A NaN anywhere makes the sum NaN, whatever was taken for the greatest. */
        double most = (double)logits[best], sum = 0;
        for (int64_t c = 0; c < classes; c++)
            sum += exp((double)logits[c] - most);
        *loss += log(sum) - ((double)logits[labels[r]] - most);
        *correct += best == labels[r];
        if (!gradient)
            continue;
        for (int64_t c = 0; c < classes; c++)
            gradient[c] = (float)((exp((double)logits[c] - most) / sum - (c == labels[r])) * scale);
        gradient += classes;
    }
}
