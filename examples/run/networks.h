/* networks.h - the networks that a run can train. */
#ifndef RUN_NETWORKS_H
#define RUN_NETWORKS_H

#include <dlviz.h>

/* Makes and builds one.
 * @param choice  "report": two blocks of two 3 x 3 convolutions, each with batch norm and relu, then
 *                pool and dropout; then a hidden layer of 512 (2,169,194 parameters for ten classes
 *                of 1 x 32 x 32 images); "resnet8"; "mlp"; or the path of a description, whose input
 *                and output must be these */
dlviz_status create_network(dlviz_network **network, const char *choice, int ndim,
                            const int64_t *dims, int64_t num_classes, uint64_t seed);
/* The same, not built yet: its layers can be looked at. */
dlviz_status begin_network(dlviz_network **network, const char *choice, int ndim,
                           const int64_t *dims, int64_t num_classes);
/* Whether a choice is the path of a file. */
bool is_network_file(const char *choice);
/* Opens and builds one of a file, whatever its input and output are. */
dlviz_status open_network(dlviz_network **network, const char *path);
/* The dimensions of what a file's network takes. */
dlviz_status read_network_dims(const char *path, int *ndim, int64_t dims[3]);

/* The layer whose features say most: the one before the last. */
const char *suggested_layer(const dlviz_network *network, const char *choice);

#endif
