/* support/one_layer.h - one layer by itself: outputs for given inputs, and all gradients for given
 * gradients of the outputs, everything in PyTorch's order. */
#ifndef DLZ_TESTS_ONE_LAYER_H
#define DLZ_TESTS_ONE_LAYER_H

#include "support/support.h"

#include <stdint.h>

/* dims: "3x5x7" or "12". The layer's name is "layer"; takes the layer. */
dlviz_network *one_layer(const char *dims, dlviz_layer *layer);
int64_t one_layer_size(const dlviz_network *network);

typedef struct one_layer_mode {
    bool training, gradients;
    uint64_t seed, step;
} one_layer_mode;

/* n samples; y, dy and dx are of the input's size, dy and dx NULL without gradients. Gradients of
 * parameters are then the network's. */
void run_one_layer(dlviz_network *network, int64_t n, one_layer_mode mode, const float *x, float *y,
                   const float *dy, float *dx);
/* A state's numbers, or its gradient's, where the network keeps them; NULL when there is none. */
float *one_layer_state(dlviz_network *network, const char *name);
const float *one_layer_gradient(dlviz_network *network, const char *name);

#endif
