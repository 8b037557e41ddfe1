/* tsne/brakes.h - a learning rate that every point of a descent bears.
 *
 * While its neighbors stand still, attraction holds point i as a spring of the stiffness h =
 * exaggeration x sum over j of p_ij, and gradient descent with a momentum m swings about where that
 * pulls it, wider and wider, when rate x h is above 2 (1 + m). With the rate n / exaggeration most
 * points have 1 and hardly one 3, but those that very many others have as neighbor, as the center
 * of a cluster among the points, have as many as there are: they are shot out of the map. Such a
 * point gets the rate with which it, too, has 1; where it comes to rest does not depend on that.
 * Repulsion has a stiffness as well, up to 1 / n in a map of one spot, for which no rate at all
 * exceeds the limit. */
#ifndef DLZ_BRAKES_H
#define DLZ_BRAKES_H

#include "tsne/affinities.h"

#include <stdbool.h>

/* A zeroed struct may be freed. */
typedef struct dlz_brakes {
    int64_t n;
    double *degrees; /* sums of the affinities of each point, in the affinities' order */
    float *factors;  /* of the learning rate, in the descent's order */
    bool active, is_set;
    double pull, limit; /* that the factors were found for */
} dlz_brakes;

dlviz_status dlz_brakes_create(dlz_brakes *brakes, const dlz_affinities *affinities);
void dlz_brakes_free(dlz_brakes *brakes);

/* Finds the factors for a learning rate; returns the rate for those points that have the factor 1.
 * The descent's point i is the affinities' point order[i]. */
double dlz_brakes_set(dlz_brakes *brakes, const int32_t *order, double rate, double exaggeration,
                      double momentum);
/* To be called when the order has changed. */
void dlz_brakes_release(dlz_brakes *brakes);

/* Scales the forces on the points first ... last - 1, which is what another learning rate does. */
void dlz_brakes_apply(const dlz_brakes *brakes, int64_t first, int64_t last, int dimensions,
                      float *attraction, float *repulsion);

#endif
