/* layers/custom.h - the inside of a layer that is the user's own. */
#ifndef DLZ_LAYERS_CUSTOM_H
#define DLZ_LAYERS_CUSTOM_H

#include "graph/op.h"
#include <dlviz/custom_layer.h>

typedef struct dlz_custom {
    dlviz_layer base;
    dlz_layer_type type; /* of this one layer: its name and number of inputs are the user's */
    dlviz_layer_functions functions;
    void *user;
    bool is_custom; /* in files: tells it from a type of the library's own with the same name */
    /* What `setup` said. */
    int num_inputs;
    dlz_shape *in, out;
    int num_states;
    dlz_state_spec states[DLZ_MAX_STATES]; /* the suffixes belong to the layer */
} dlz_custom;

extern const dlz_op_type dlz_custom_op_type;

/* Calls the user's `setup` and keeps what it says. */
dlviz_status dlz_custom_set_up(dlz_custom *custom, int num_inputs, const dlz_shape *in);
void dlz_custom_forget_setup(dlz_custom *custom);

#endif
