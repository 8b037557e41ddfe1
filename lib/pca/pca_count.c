/* How many components are wanted. */
#include "pca/pca.h"

int64_t dlz_pca_count_for_fraction(const double *variances, int64_t count, double total,
                                   double fraction) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += variances[i];
        if (sum >= fraction * total)
            return i + 1;
    }
    return count;
}

int64_t dlz_pca_wanted(const dlviz_pca *pca, int64_t most) {
    return pca->components ? pca->components : most;
}
