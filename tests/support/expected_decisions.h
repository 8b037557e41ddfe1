/* support/expected_decisions.h - which decisions of a run float32 may take differently. */
#ifndef DLZ_TESTS_EXPECTED_DECISIONS_H
#define DLZ_TESTS_EXPECTED_DECISIONS_H

#include "support/reference.h"

typedef struct open_decision {
    int layer;
    int64_t index;   /* of the layer's output */
    int32_t instead; /* pool: the other winner */
} open_decision;

/* Writes up to `most` decisions of the first run that are open and change a gradient, in it or in
 * another of the runs, and returns how many there are. errors[i] bounds the error of value[i]; 0
 * where it is exact. */
int find_open_decisions(const reference *ref, int64_t n, const reference_pass *runs, int num_runs,
                        double *const *errors, open_decision *open, int most);
/* Turns one the other way; once more turns it back. */
void turn_decision(const reference *ref, reference_pass *truth, open_decision *decision);

#endif
