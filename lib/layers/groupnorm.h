/* layers/groupnorm.h - what group norm and instance norm share: the settings' struct and the
 * operation. */
#ifndef DLZ_LAYERS_GROUPNORM_H
#define DLZ_LAYERS_GROUPNORM_H

#include "graph/op.h"

typedef struct dlz_groupnorm {
    dlviz_layer base;
    int64_t num_groups; /* 0: as many as there are channels */
    double eps;
    bool affine;
    bool by_channel; /* each group is one channel; known when the shapes are */
} dlz_groupnorm;

enum { DLZ_GROUPNORM_WEIGHT, DLZ_GROUPNORM_BIAS };

int dlz_groupnorm_states(const dlviz_layer *layer, const dlz_shape *in,
                         dlz_state_spec specs[DLZ_MAX_STATES]);
dlz_constant dlz_groupnorm_hand_on(const dlviz_layer *layer, dlz_constant constant);

extern const dlz_op_type dlz_groupnorm_op;

#endif
