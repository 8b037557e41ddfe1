/* support/reference.h - networks run plainly in double precision: nothing of the library's.
 *
 * Slow loops straight from the definitions, for central differences that rounding does not blur,
 * for shapes that no fixture holds, and for random networks. Forward, backward, running statistics
 * and optimizers. Values lie in PyTorch's order (image, channel, row, column).
 *
 * The same code also runs as float32 would, for error bounds: every result of a layer moved by a
 * random number of the size of float32's rounding (reference_rounding says how large that is). */
#ifndef DLZ_TESTS_REFERENCE_H
#define DLZ_TESTS_REFERENCE_H

#include "base/random.h"
#include "support/netspec.h"

#define REFERENCE_STATES (MAX_LAYERS * 5)

typedef struct reference_state {
    char name[64];
    double *values;
    int64_t count;
    int layer;
} reference_state_entry;

typedef struct reference {
    net_spec spec;
    int count;
    reference_state_entry states[REFERENCE_STATES];
} reference;

/* Copies the network's present states, all but num_batches_tracked. */
reference *reference_create(const net_spec *spec, const dlviz_network *network);
/* The same states with memory for values that the caller sets; 0 so far. */
reference *reference_create_empty(const net_spec *spec);
void reference_destroy(reference *ref);
/* One parameter or running statistic, to read or to change; `count` receives its size. NULL when
 * there is none of that name. */
double *reference_state(reference *ref, const char *name, int64_t *count);
/* The number of a layer's state ("weight", "bias", "running_mean", "running_var") or −1. */
int reference_find(const reference *ref, int layer, const char *what);

/* The outputs, n rows, in a block that the caller frees. Training normalizes by the batch's
 * statistics and leaves the running ones alone; dropout counts as absent. With a layer name, the
 * output of that layer. */
double *reference_outputs(reference *ref, const float *inputs, int64_t n, bool training,
                          const char *layer);
/* Mean cross-entropy in training mode, without dropout. */
double reference_loss(reference *ref, const float *inputs, const int64_t *labels, int64_t n);

/* -- Whole runs ------------------------------------------------------------------------------ */

/* All numbers of one run. A relu's and a pool's decisions are kept beside the values so that
 * another run can be made to decide the same. */
typedef struct reference_pass {
    double *value[MAX_LAYERS + 1];    /* [0] the inputs, [i + 1] what layer i gives */
    double *gradient[MAX_LAYERS + 1]; /* of the loss with respect to those */
    double *mean[MAX_LAYERS], *variance[MAX_LAYERS]; /* by which a batch norm normalized */
    uint8_t *passes[MAX_LAYERS];                     /* relu and dropout: 1 where a number passes */
    int32_t *winner[MAX_LAYERS];                     /* pool: place in the channel's plane */
    double *state_gradient[REFERENCE_STATES];        /* trainable ones */
    double
        *shared[MAX_LAYERS]; /* noise only: what a batch norm's whole channel of dx has in common */
    double loss;
} reference_pass;

typedef struct reference_setup {
    int64_t n;
    const float *inputs;
    const int64_t *labels; /* NULL: no loss, and nothing backward */
    bool training, dropout;
    uint64_t seed, step;             /* of dropout's masks, which are those of the library */
    const reference_pass *decisions; /* by which gradients flow; NULL: its own */
    const reference_pass *noise;     /* NULL: none; else deviations, from reference_rounding */
    dlz_random *random;              /* for noise */
} reference_setup;

void reference_run(const reference *ref, const reference_setup *setup, reference_pass *pass);
void reference_pass_free(reference_pass *pass);

/* What float32 rounding may do to each number of a run: `sizes` receives the size of a rounding
 * error for every value and gradient, made where it is computed and not handed on. `terms`
 * receives, in state_gradient alone, the sum of the absolute values that each gradient is a sum of.
 */
void reference_rounding(const reference *ref, const reference_setup *setup,
                        const reference_pass *pass, reference_pass *sizes, reference_pass *terms);

/* -- Optimizers ------------------------------------------------------------------------------ */

typedef enum rule_kind {
    RULE_SGD,
    RULE_MOMENTUM,
    RULE_NESTEROV,
    RULE_ADAM,
    RULE_ADAMW,
    RULE_RMSPROP,
    RULES
} rule_kind;

typedef struct rule_settings {
    rule_kind kind;
    double rate, decay, momentum, dampening, beta1, beta2, alpha, eps;
} rule_settings;

/* One step, number t = 1, 2, …, of one parameter with moments first and second, which begin as 0.
 * Returns the new parameter. `error` receives what float32 arithmetic may make of it. */
double reference_step(const rule_settings *settings, int t, double parameter, double gradient,
                      double *first, double *second, double *error);

#endif
