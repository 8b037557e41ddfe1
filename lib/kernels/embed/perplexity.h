/* kernels/embed/perplexity.h - Gaussian weights of distances, and the sums that the search for
 * their width needs. */
#ifndef DLZ_KERNELS_EMBED_PERPLEXITY_H
#define DLZ_KERNELS_EMBED_PERPLEXITY_H

#include "kernels/select.h"

#include <stdint.h>

typedef struct dlz_perplexity_kernel {
    /* weights[i] = e^(-b d[i]) for i < count, a multiple of 16, b and d >= 0; sums receives the
     * sums of e, d e and d^2 e. */
    void (*weigh)(const float *d, int32_t count, float b, float *weights, double sums[3]);
} dlz_perplexity_kernel;

DLZ_KERNEL_TABLE(dlz_perplexity_kernel, dlz_perplexity)

#endif
