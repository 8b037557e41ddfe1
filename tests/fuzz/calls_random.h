/* fuzz/calls_random.h - sequences of calls whose bytes are a function of a seed. */
#ifndef DLZ_FUZZ_CALLS_RANDOM_H
#define DLZ_FUZZ_CALLS_RANDOM_H

#include <stdint.h>

/* The sequence of this seed, which is said where it fails. */
void run_random_sequence(uint64_t seed);
/* Those of `first` and on, as many as there is time for. Returns how many. */
uint64_t run_random_sequences(double seconds, uint64_t first);

#endif
