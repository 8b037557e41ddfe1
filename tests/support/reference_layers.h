/* support/reference_layers.h - one layer at a time, in double precision, on plain arrays. */
#ifndef DLZ_TESTS_REFERENCE_LAYERS_H
#define DLZ_TESTS_REFERENCE_LAYERS_H

#include "support/netspec.h"

/* Convolution: y from x, dx from dy, dw from x and dy. `in` is the shape of one image. */
void reference_convolve(const layer_spec *layer, const int64_t *in, int64_t n, const double *weight,
                        const double *bias, const double *x, double *y);
void reference_convolve_input(const layer_spec *layer, const int64_t *in, int64_t n,
                              const double *weight, const double *dy, double *dx);
void reference_convolve_weight(const layer_spec *layer, const int64_t *in, int64_t n,
                               const double *x, const double *dy, double *dw);
/* Fully connected: the same three. */
void reference_multiply(int64_t in, int64_t out, int64_t n, const double *weight,
                        const double *bias, const double *x, double *y);
void reference_multiply_input(int64_t in, int64_t out, int64_t n, const double *weight,
                              const double *dy, double *dx);
void reference_multiply_weight(int64_t in, int64_t out, int64_t n, const double *x,
                               const double *dy, double *dw);
/* sums[c] = sum of values over images and places: a bias's gradient. */
void reference_channel_sums(int64_t n, int64_t channels, int64_t area, const double *values,
                            double *sums);

/* Places in the input's plane of the first of a window's largest numbers; NaN counts as larger than
 * all. */
void reference_find_winners(const layer_spec *layer, const int64_t *in, int64_t n, const double *x,
                            int32_t *winner);

/* The mean and the biased variance of each channel. */
void reference_statistics(int64_t n, int64_t channels, int64_t area, const double *x, double *mean,
                          double *variance);

/* The library's dropout masks, 1 where a number is kept: numbers are counted channels-last, and 64
 * of them take 16 Philox blocks, word w of block l being number 16 w + l. */
void reference_mask(int64_t n, int64_t channels, int64_t area, double p, int layer, uint64_t seed,
                    uint64_t step, uint8_t *kept);

#endif
