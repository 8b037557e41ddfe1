/* profile.h - where the time of a network's steps goes, operation by operation. */
#ifndef DLZ_TESTS_BENCH_PROFILE_H
#define DLZ_TESTS_BENCH_PROFILE_H

#include "network/network.h"

/* Seconds since some time in the past. */
double profile_now(void);
/* Floating-point operations of one sample, by the plain algorithms. */
double profile_flops(const dlviz_network *network, const dlz_plan *plan, bool training);
/* A table of what a profiled plan has counted (dlz_plan_profile).
 * @param images            that went through it meanwhile
 * @param seconds           that passed meanwhile
 * @param optimizer_seconds of these */
void profile_print(const dlviz_network *network, dlz_plan *plan, bool training, double images,
                   double seconds, double optimizer_seconds);

#endif
