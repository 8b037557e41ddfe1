/* layers/activations/layer.h - what the layers of activations have in common. Their sources include
 * it for one instruction set alone, where DLZ_BASELINE says so. */
#ifndef DLZ_LAYERS_ACTIVATIONS_LAYER_H
#define DLZ_LAYERS_ACTIVATIONS_LAYER_H

#include "base/base.h"
#include "graph/post.h"
#include "kernels/activations/activation.h"

typedef struct dlz_activation_layer {
    dlviz_layer base;
    dlz_activation activation; /* set by `infer` */
} dlz_activation_layer;

/* For `infer`, which sees the settings when nothing will change them any more: the kernels get those
 * of the type's table, all of them doubles, in its order. */
dlviz_status dlz_activation_infer(dlviz_layer *layer, const dlz_activation_table *kernels,
                                  const dlz_shape *in, dlz_shape *out);
dlz_stage dlz_activation_stage(const dlviz_layer *layer);
void dlz_activation_join(const dlviz_layer *layer, const dlz_parameter *states, dlz_post_op *post);
/* For `check`: fails unless each setting is a number that a float can hold. */
dlviz_status dlz_activation_check(const dlviz_layer *layer);

#endif
