/* kernels/nn/optimizer.h - one step of an optimizer over `n` parameters: one pass over memory.
 *
 * Each parameter is computed from its own numbers alone, in the same operations wherever it stands,
 * so parameters may be cut into chunks anywhere without a bit changing. Whatever a formula needs of
 * the step's number (bias correction, products with the learning rate) the caller works out in
 * double and gives rounded to float. Arrays do not overlap and need no alignment.
 *
 * g is the gradient times `gradient_scale`, plus weight_decay * p where decay is coupled. With
 * `zero_gradient` the gradients are set to 0 on the way out, ready for the next accumulation. */
#ifndef DLZ_KERNELS_NN_OPTIMIZER_H
#define DLZ_KERNELS_NN_OPTIMIZER_H

#include "kernels/select.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct dlz_gradient {
    float *gradient; /* written only if zero_gradient */
    float scale;     /* 1 leaves it as it is */
    float weight_decay;
    bool zero_gradient;
} dlz_gradient;

/* p -= learning_rate * d. Without a momentum buffer d = g; with one, b = momentum * b + damping * g
 * (b = g in the first step, which does not read it), and d = b, or g + momentum * b with
 * Nesterov's look-ahead. damping is 1 − dampening. */
typedef struct dlz_sgd {
    float learning_rate, momentum, damping;
    bool nesterov, first;
} dlz_sgd;

/* p = decay * p (AdamW: 1 − lr * weight_decay; Adam: 1), m = beta1 * m + (1 − beta1) * g,
 * v = beta2 * v + (1 − beta2) * g², p −= step_size * m / (√v * inv_sqrt_correction2 + eps), where
 * step_size = lr / (1 − beta1^t) and inv_sqrt_correction2 = 1 / √(1 − beta2^t). */
typedef struct dlz_adam {
    float decay, beta1, one_minus_beta1, beta2, one_minus_beta2;
    float step_size, inv_sqrt_correction2, eps;
} dlz_adam;

/* v = alpha * v + (1 − alpha) * g²; d = g / (√v + eps). Centered, when there is an average of
 * gradients a = alpha * a + (1 − alpha) * g, with √max(v − a², 0) instead. p −= lr * d, or with a
 * momentum buffer b = momentum * b + d and p −= lr * b. */
typedef struct dlz_rmsprop {
    float learning_rate, alpha, one_minus_alpha, eps, momentum;
} dlz_rmsprop;

typedef struct dlz_optimizer_table {
    /* `buffer` NULL: no momentum. */
    void (*sgd)(const dlz_sgd *rule, int64_t n, float *p, const dlz_gradient *g, float *buffer);
    void (*adam)(const dlz_adam *rule, int64_t n, float *p, const dlz_gradient *g, float *m,
                 float *v);
    /* `average` NULL: not centered; `buffer` NULL: no momentum. */
    void (*rmsprop)(const dlz_rmsprop *rule, int64_t n, float *p, const dlz_gradient *g, float *v,
                    float *average, float *buffer);
} dlz_optimizer_table;

DLZ_KERNEL_TABLE(dlz_optimizer_table, dlz_optimizer_kernels)

#endif
