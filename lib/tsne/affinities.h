/* tsne/affinities.h - how much each pair of points belongs together, as a sparse symmetric matrix.
 *
 * The ranks of a communicator make them together, each some rows, of the same arguments, and all
 * receive all of them; what fails on one fails on all. */
#ifndef DLZ_AFFINITIES_H
#define DLZ_AFFINITIES_H

#include <dlviz/comm.h>

#include <stdint.h>

typedef struct dlz_affinities {
    int64_t n;
    int64_t *offsets; /* n + 1 */
    int32_t *columns;
    float *values;     /* sum 1 */
    double negentropy; /* sum of p ln p */
} dlz_affinities;

void dlz_affinities_free(dlz_affinities *affinities);

/* Conditional probabilities p(j | i): n x k, from squared distances, each row of sum 1 and averaged
 * over the perplexities, each of which is at least 1. The entropy ln(perplexity) is met within
 * 5e-6; where no width of the Gaussian meets it because too many of the smallest distances are
 * equal, these share the row. p may be the distances, which it then takes the place of. */
dlviz_status dlz_conditional_affinities(dlviz_comm *comm, const float *squared_distances, int64_t n,
                                        int k, const double *perplexities, int count, float *p);

/* (A + A^T) / 2 scaled to a sum of 1, rows sorted by column; entries on the diagonal are left out.
 * Row i of A has the entries offsets[i] ... offsets[i + 1] - 1, or i k ... (i + 1) k - 1 when
 * offsets is NULL. Fails with DLVIZ_ERROR_NUMERIC when nothing is above 0,
 * DLVIZ_ERROR_INVALID_ARGUMENT when a column comes twice in a row. */
dlviz_status dlz_affinities_symmetric(dlviz_comm *comm, dlz_affinities *out, int64_t n,
                                      const int64_t *offsets, int k, const int32_t *columns,
                                      const float *values);

#endif
