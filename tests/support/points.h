/* support/points.h - random points of every kind that distances have to cope with, and their
 * neighbors by plain float64 arithmetic. */
#ifndef DLZ_TESTS_POINTS_H
#define DLZ_TESTS_POINTS_H

#include "support/random_cases.h"

/* n x d, by malloc. What kind - normal, whole numbers, ones and zeros (times a tenth), many equal
 * rows, far groups, single far values, large offsets, scales from 1e-18 to 1e18 and so on - is
 * drawn too; `what` receives its name. Squared distances stay within float's range. */
float *random_points(dlz_random *random, int64_t n, int64_t d, const char **what);

/* distances[j]: from a to each of the n rows of b, by the definition: the root of the sum of the
 * squared differences, one column after the other. */
void plain_distances(const float *a, const float *b, int64_t n, int64_t d, double *distances);

/* The k nearest of the n points, by (distance, index), but for `self` (-1 for none). */
void plain_nearest(const double *distances, int64_t n, int64_t self, int k, int32_t *nearest);

/* Lets this process use the seed's instruction set, unless it has begun to use one: each of those
 * available gets its share of the seeds. */
void choose_isa(uint64_t seed);

#endif
