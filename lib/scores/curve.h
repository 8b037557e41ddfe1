/* scores/curve.h - areas under the curves of a threshold that moves over scores. */
#ifndef DLZ_SCORES_CURVE_H
#define DLZ_SCORES_CURVE_H

#include <stdbool.h>
#include <stdint.h>

/* A score, which is no NaN, and whether it is a positive's. */
uint64_t dlz_scored(float score, bool positive);
/* In ascending order of the scores; `spare` is as long, and what is in it is lost. */
void dlz_scored_sort(int64_t count, uint64_t *scored, uint64_t *spare);

/* Both take them sorted, and treat equal scores alike, in whatever order they are. */

/* Under the ROC curve: the share of pairs of a positive and a negative in which the positive has the
 * higher score; a tie counts half. NaN without a pair. */
double dlz_roc_area(int64_t count, const uint64_t *scored);
/* Σ (R_k − R_{k − 1}) P_k over the thresholds, with P_k the precision and R_k the recall of what is
 * at least threshold k. 0 without a positive. */
double dlz_precision_area(int64_t count, const uint64_t *scored);

#endif
