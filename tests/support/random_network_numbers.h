/* support/random_network_numbers.h - the numbers of a random network. */
#ifndef DLZ_TESTS_RANDOM_NETWORK_NUMBERS_H
#define DLZ_TESTS_RANDOM_NETWORK_NUMBERS_H

#include "support/random_networks.h"

/* Inputs, labels, states and optimizer of a case whose network and kind of data are decided. */
void fill_case(network_case *made, dlz_random *random);

#endif
