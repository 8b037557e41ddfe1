/* neighbors/neighbors_ties.h - from the nearest distinct rows to the nearest points: equal rows,
 * and points equally far. */
#ifndef DLZ_NEIGHBORS_TIES_H
#define DLZ_NEIGHBORS_TIES_H

#include "neighbors/equal_rows.h"
#include "kernels/embed/knn.h"

#include <stdbool.h>

typedef struct dlz_knn_ties {
    const dlz_equal_rows *rows;
    int k;                /* neighbors wanted of each point */
    bool exclude_self;    /* the queries are the points */
    const uint64_t *seed; /* NULL: the lowest indices come first */
} dlz_knn_ties;

/* What orders distinct rows `row` that are equally far from `query`. */
uint32_t dlz_knn_tie_key(const dlz_knn_ties *ties, int64_t query, int64_t row);

/* How many numbers dlz_knn_expand needs to work in, for `keep` nearest rows. */
int64_t dlz_knn_expand_scratch(const dlz_knn_ties *ties, int64_t keep);
/* Writes the k neighbors of point `self` (which is one of the distinct row's members; or of a
 * query that is no point) from the nearest distinct rows, in order. There are enough of them. False
 * when a squared distance is beyond float32. */
bool dlz_knn_expand(const dlz_knn_ties *ties, int64_t row, int64_t self, const dlz_knn_found *found,
                    int32_t count, uint64_t *scratch, int32_t *indices, float *squared_distances);

#endif
