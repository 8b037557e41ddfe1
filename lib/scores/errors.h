/* scores/errors.h - how far numbers are from what they should be. */
#ifndef DLZ_SCORES_ERRORS_H
#define DLZ_SCORES_ERRORS_H

#include <stdint.h>

/* Sums over samples of `size` numbers each, as an array of doubles that begin as zeros. The fixed
 * ones are over all numbers; then come those of each number of a sample. */
enum { DLZ_ERRORS_SAMPLES, DLZ_ERRORS_ABSOLUTE, DLZ_ERRORS_SQUARED, DLZ_ERRORS_FIXED };

static inline int64_t dlz_errors_num_sums(int64_t size) {
    return DLZ_ERRORS_FIXED + 3 * size;
}
/* The squared errors, and the targets' squared deviations from their mean. */
static inline const double *dlz_errors_squares(const double *sums) {
    return sums + DLZ_ERRORS_FIXED;
}
static inline const double *dlz_errors_deviations(const double *sums, int64_t size) {
    return sums + DLZ_ERRORS_FIXED + size;
}

/* Adds n samples, which lie `stride` numbers apart. */
void dlz_errors_add(double *sums, int64_t n, int64_t size, int64_t stride, const float *outputs,
                    const float *targets);
/* R² of such sums: of constant targets 1 if they were met, else 0, as in scikit-learn. */
double dlz_r2(double squares, double deviations);

#endif
