/* support/expected.h - what a network must compute, and how far float32 may be from it.
 *
 * The truth is the reference in double precision. The bounds come from arithmetic: the reference
 * runs a few times more with every result of a layer moved at random by the size of a float32
 * rounding (reference_rounding), and with the truth's decisions (relu, pool). How far these runs
 * spread tells the conditioning of each number. A number may be off by SAFETY times the sum of its
 * own largest deviation and of the median deviation in its channel; the median keeps one lucky
 * number from being held to nothing.
 *
 * A decision is open when the numbers that it compares are closer than their bounds. What is exact
 * (sums of whole numbers, a batch norm whose weight is 0) has no bound, so its decisions never are:
 * ties go to the first. Each open decision that matters is turned the other way once, and the
 * bounds of the gradients grow by what that changes; more than MOST_OPEN of them leave the
 * gradients of that step unchecked. */
#ifndef DLZ_TESTS_EXPECTED_H
#define DLZ_TESTS_EXPECTED_H

#include "support/random_networks.h"

enum { EXPECTED_STEPS = 3, MOST_OPEN = 24 };

typedef struct expected_numbers {
    int64_t count;
    double *value, *bound;
    uint8_t *zero; /* 1 where the true number is 0 whatever the parameters; or NULL */
} expected_numbers;

typedef struct expected_step {
    reference *states; /* before it, each a float32 */
    double loss, loss_bound;
    bool finite;      /* false: too large for float32, nothing to compare */
    bool conditioned; /* false: rounding decides, nothing to compare but the optimizer */
    int open;         /* decisions */
    bool gradients;   /* to be compared */
    expected_numbers gradient[REFERENCE_STATES];
    expected_numbers running[REFERENCE_STATES]; /* statistics afterwards */
} expected_step;

typedef struct expected {
    bool finite;
    expected_numbers output[MAX_LAYERS]; /* of each layer, in evaluation */
    double loss, loss_bound;
    int num_steps;
    expected_step steps[EXPECTED_STEPS];
} expected;

void expected_make(expected *result, const network_case *made);
void expected_free(expected *result);

#endif
