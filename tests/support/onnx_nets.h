/* support/onnx_nets.h - networks whose ONNX models are compared with the library: those of the
 * fixtures in parity/, which have every layer with many settings, some more where ONNX differs from
 * the library, layers with random settings, and the trained networks of the examples. */
#ifndef DLZ_TESTS_ONNX_NETS_H
#define DLZ_TESTS_ONNX_NETS_H

#include "support/support.h"

/* A group is one of the fixtures', "more", "drawn" or "examples". */
#define ONNX_NUM_GROUPS 11
extern const char *const onnx_groups[ONNX_NUM_GROUPS];

/* Calls `visit` with each network of the group, its name and a batch for it. */
typedef void (*onnx_visitor)(const char *name, dlviz_network *network, const dlviz_tensor *inputs,
                             void *context);
void onnx_for_each(const char *group, onnx_visitor visit, void *context);

/* Whether the model has a value of the layer's name: dropout has none unless it comes last. */
bool onnx_has_value(const dlviz_network *network, int64_t layer);

#endif
