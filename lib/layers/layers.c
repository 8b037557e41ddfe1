#include "layers/layers.h"
#include "layers/layers_list.h"

#include <string.h>

const dlz_layer_type *dlz_layer_type_named(const char *name) {
    static const dlz_layer_type *const types[] = {DLZ_LAYER_TYPES};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}
