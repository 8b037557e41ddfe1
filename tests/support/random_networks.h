/* support/random_networks.h - random networks with random numbers in them, each a function of a
 * seed. */
#ifndef DLZ_TESTS_RANDOM_NETWORKS_H
#define DLZ_TESTS_RANDOM_NETWORKS_H

#include "support/random_cases.h"
#include "support/reference.h"

typedef enum data_kind {
    DATA_NORMAL,
    DATA_WHOLE,    /* whole numbers, weights too: sums are exact and many tie */
    DATA_CONSTANT, /* images, channels or samples that are all alike */
    DATA_OUTLIER,  /* a few numbers a thousand to a billion times as large */
    DATA_SCALED,   /* 1e-18 to 1e18 */
    DATA_OFFSET,   /* far from 0 for their deviation */
    DATA_SPARSE,   /* mostly 0 */
    DATA_KINDS
} data_kind;

typedef struct network_case {
    char dims[40], text[2048];
    char data[96]; /* what the data is, in words */
    data_kind kind;
    net_spec spec;
    int64_t n, classes;
    float *inputs;
    int64_t *labels;
    reference *states; /* the numbers it starts with, each a float32 */
    rule_settings rule;
    uint64_t dropout_seed;
} network_case;

void network_case_make(network_case *made, uint64_t seed);
void network_case_free(network_case *made);
/* All of it as text on stdout, to repeat it by hand. */
void network_case_print(const network_case *made, uint64_t seed);

#endif
