/* support/onnx_compare.h - a network's ONNX model, computed from what is in it alone (onnx_model.h), against
 * the library. */
#ifndef DLZ_TESTS_ONNX_COMPARE_H
#define DLZ_TESTS_ONNX_COMPARE_H

#include "support/support.h"

/* Compares what every layer makes of a batch, shapes and states. Returns how many layers' outputs are
 * off by more than 1e-5 of their largest number, which it prints; *worst receives how far the
 * worst is off. */
int onnx_compare(const char *name, dlviz_network *network, const dlviz_tensor *inputs,
                 double *worst);

#endif
