/* support/onnx_layers.h - layers with random settings on inputs of random sizes. */
#ifndef DLZ_TESTS_ONNX_LAYERS_H
#define DLZ_TESTS_ONNX_LAYERS_H

#include "support/support.h"

/* A network of one layer, or of two where it takes two inputs; a function of the seed. */
dlviz_network *onnx_random_layer(uint64_t seed);
/* A batch for a network of random numbers. */
dlviz_tensor *onnx_inputs(const dlviz_network *network, int64_t n, bool ties);

#endif
