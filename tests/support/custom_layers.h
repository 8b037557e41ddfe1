/* support/custom_layers.h - layers written against the public header, as users write them. */
#ifndef DLZ_TESTS_CUSTOM_LAYERS_H
#define DLZ_TESTS_CUSTOM_LAYERS_H

#include <dlviz.h>

enum { CALL_SETUP, CALL_FORWARD, CALL_BACKWARD, CALLS };

/* What the layers keep as `user`: counts the calls, and lets one of them fail. */
typedef struct probe {
    int calls[CALLS], destroyed;
    int fail_function, fail_at; /* call number, from 1; 0: none */
    dlviz_status status;        /* that it returns then */
    bool silent;                /* without a sentence */
    int64_t largest;            /* batch that was seen */
    bool trained, saw_input_gradient;
    uint64_t seed, step;
    const void *thread; /* probe_thread() where it was called */
} probe;

/* As the library's own: relu, add (two or more), flatten, linear with 3 outputs. */
extern const dlviz_layer_functions probe_relu, probe_add, probe_flatten, probe_linear;
/* x · sigmoid(beta · x) with beta for each channel, and the buffer "steps", which counts them. */
extern const dlviz_layer_functions probe_swish;

/* Differs from thread to thread. */
const void *probe_thread(void);
/* A layer that counts in `p`, which may be NULL. */
dlviz_layer *probe_layer(const dlviz_layer_functions *functions, probe *p);

#endif
