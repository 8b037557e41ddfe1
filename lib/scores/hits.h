/* scores/hits.h - how good answers are that are right or wrong. */
#ifndef DLZ_SCORES_HITS_H
#define DLZ_SCORES_HITS_H

#include <stdint.h>

/* Items of one class, or of several added up: of it and said to be, said to be only, of it only. */
typedef struct dlz_hits {
    int64_t both, wrongly, missed;
} dlz_hits;

/* As scikit-learn has them, with 0 where 0 would be divided by 0. */
double dlz_precision(dlz_hits hits);
double dlz_recall(dlz_hits hits);
double dlz_f1(dlz_hits hits);

/* How many outputs come before the label's: the larger ones, and of equal ones the earlier. A NaN
 * comes before all, and what is infinite has no place. */
int64_t dlz_label_place(int64_t classes, const float *outputs, int64_t label);

#endif
