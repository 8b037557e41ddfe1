/* layers/layers.h - all types of layers, by name. */
#ifndef DLZ_LAYERS_LAYERS_H
#define DLZ_LAYERS_LAYERS_H

#include "graph/layer.h"

/* NULL when there is none. */
const dlz_layer_type *dlz_layer_type_named(const char *name);

#endif
