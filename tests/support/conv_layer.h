/* support/conv_layer.h - one convolution's numbers, for the tests of its kernels: what goes in, what
 * comes out, what should. */
#ifndef DLZ_TESTS_CONV_LAYER_H
#define DLZ_TESTS_CONV_LAYER_H

#include "kernels/conv/conv2d.h"

/* Exactly as many numbers as there are, so that a sanitizer sees what reads beyond. */
typedef struct conv_layer {
    dlz_conv2d_shape shape;
    int64_t in_size, out_size, patch; /* of one image; weights of one output */
    float *x, *weights, *bias, *dy, *z;
    float *in_scale, *in_shift; /* per channel */
    float *scale, *shift, *a, *b, *center, *d;
    bool pending, in_relu, norm, relu, out_relu;
} conv_layer;

/* With random numbers: whole ones of -4 ... 4 (sums of their products are exact), or anything in
 * -1 ... 1. Each output sees `channels_each` of the channels. */
conv_layer make_conv_layer(dlz_conv2d_shape shape, int64_t channels_each, bool whole,
                           uint64_t seed);
void discard_conv_layer(conv_layer *l);
dlz_conv2d_shape square_conv(int64_t images, int64_t size, int64_t channels, int64_t outputs,
                             int64_t kernel, int64_t stride, int64_t padding);

/* Number `at` of the input, with what is pending, and of the gradient behind what follows. */
double conv_input_of(const conv_layer *l, int64_t at);
double conv_gradient_of(const conv_layer *l, int64_t at);

/* The same as the kernels read them. */
typedef struct conv_rows {
    dlz_conv2d_input input;
    dlz_conv2d_gradient gradient;
    float *factors[8];
} conv_rows;

conv_rows make_conv_rows(const conv_layer *l);
void discard_conv_rows(conv_rows *rows);

/* Full of NaN until they are written. */
typedef struct conv_results {
    float *y, *dw, *db, *dx;
} conv_results;

conv_results make_conv_results(const conv_layer *l);
void discard_conv_results(conv_results *r);

/* Sums and, for the bounds on rounding errors, sums of magnitudes: all 0 at first. */
typedef struct conv_reference {
    double *y, *dw, *db, *dx, *y_size, *dw_size, *db_size, *dx_size;
} conv_reference;

conv_reference make_conv_reference(const conv_layer *l);
void discard_conv_reference(conv_reference *r);

/* Asserts that results are the wanted ones; `merged` pixels are computed as one. Sums of at most 288
 * terms in one go, then of those: rounding hardly ever conspires, and 40 units of the sum of
 * magnitudes catch a wrong term and any order of summation that is worse. Whole numbers must be
 * right. */
void check_conv_results(const conv_layer *l, dlz_isa isa, int64_t merged, bool whole,
                        const conv_results *r, const conv_reference *wanted);

void *aligned_memory(int64_t count, size_t size);
float *exactly(int64_t count);
/* One factor a channel, again and again, up to `count`. */
float *repeated(const float *from, int64_t channels, int64_t count);

#endif
