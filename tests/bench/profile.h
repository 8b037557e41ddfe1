/* profile.h - where the time of a network's steps goes, operation by operation. */
#ifndef DLZ_TESTS_BENCH_PROFILE_H
#define DLZ_TESTS_BENCH_PROFILE_H

#include "network/network.h"

/* Seconds since some time in the past. */
double profile_now(void);
/* Floating-point operations of one sample, by the plain algorithms. */
double profile_flops(const dlviz_network *network, const dlz_plan *plan, bool training);
/* A table of the operations, forward and backward, and of the rest of a step.
 * @param spent      seconds of each operation a step
 * @param seconds    of a step
 * @param optimizer  seconds of these */
void profile_print(const dlviz_network *network, dlz_plan *plan, bool training,
                   const double (*spent)[2], double seconds, double optimizer);

#endif
