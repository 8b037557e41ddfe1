/* neighbors/equal_rows.h - which rows of a matrix are equal, so that work is done once for all of
 * them.
 */
#ifndef DLZ_EQUAL_ROWS_H
#define DLZ_EQUAL_ROWS_H

#include <dlviz/comm.h>

/* Distinct rows are numbered by where each comes first. */
typedef struct dlz_equal_rows {
    int64_t count;   /* distinct rows */
    int64_t *starts; /* count + 1; NULL when all rows are distinct, as are the next two */
    int32_t
        *members;    /* rows starts[u] ... starts[u + 1] - 1 are the u-th distinct one, ascending */
    float *distinct; /* count x d: a copy */
} dlz_equal_rows;

/* Rows are equal when all values are (0 and -0 are). n <= INT32_MAX. Ranks share the work, and fail
 * together. */
dlviz_status dlz_equal_rows_find(dlviz_comm *comm, const float *rows, int64_t n, int64_t d,
                                 dlz_equal_rows *found);
void dlz_equal_rows_free(dlz_equal_rows *found);

/* Where the members of the u-th distinct row are, and how many. */
static inline int64_t dlz_equal_rows_size(const dlz_equal_rows *rows, int64_t u) {
    return rows->starts ? rows->starts[u + 1] - rows->starts[u] : 1;
}
static inline int32_t dlz_equal_rows_member(const dlz_equal_rows *rows, int64_t u, int64_t i) {
    return rows->starts ? rows->members[rows->starts[u] + i] : (int32_t)u;
}

#endif
