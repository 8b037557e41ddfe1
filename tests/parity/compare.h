/* parity/compare.h - one network against what generate.py stored of PyTorch's. */
#ifndef DLZ_TESTS_PARITY_COMPARE_H
#define DLZ_TESTS_PARITY_COMPARE_H

#include "support/fixture.h"
#include "support/netspec.h"

/* Runs the steps in training mode (inputs and labels of each) on a network with the fixture's
 * weights, and compares logits before and after, losses, the last gradients and the running
 * statistics. Returns the number of tensors that are too far away, after printing them. */
int compare_network(const fixture *file, const char *prefix, const net_spec *spec, bool ties,
                    int steps, dlviz_tensor *const *inputs, dlviz_tensor *const *labels,
                    double tolerance, bool verbose);

#endif
