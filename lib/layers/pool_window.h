/* layers/pool_window.h - the windows of a pooling layer: settings, check, shapes. */
#ifndef DLZ_LAYERS_POOL_WINDOW_H
#define DLZ_LAYERS_POOL_WINDOW_H

#include "graph/layer.h"

/* Pairs are vertical, horizontal. */
typedef struct dlz_pool_window {
    int64_t kernel[2], stride[2], padding[2]; /* stride 0 until the shapes are known: the kernel */
    bool ceil_mode;
} dlz_pool_window;

/* For a layer's table of settings: those of its member `window`. */
#define DLZ_POOL_WINDOW_SETTINGS(layer)                                                            \
    {"kernel", DLZ_SETTING_PAIR, offsetof(layer, window.kernel), false},                           \
        {"stride", DLZ_SETTING_PAIR, offsetof(layer, window.stride), false},                       \
        {"padding", DLZ_SETTING_PAIR, offsetof(layer, window.padding), false}, {                   \
        "ceil_mode", DLZ_SETTING_BOOL, offsetof(layer, window.ceil_mode), false                    \
    }

dlviz_status dlz_pool_window_check(const dlz_pool_window *window);
/* For the public setter of the stride: refuses the 0 that stands for the kernel. */
dlviz_status dlz_pool_window_set_stride(const char *who, dlviz_layer *layer,
                                        const dlz_layer_type *type, size_t offset, int64_t vertical,
                                        int64_t horizontal);
/* For the public getter of the stride: the kernel while that stands for it; of no window, zeros. */
void dlz_pool_window_get_stride(const dlz_pool_window *window, int64_t *vertical,
                                int64_t *horizontal);
/* Works out strides and the output's shape. */
dlviz_status dlz_pool_window_infer(dlz_pool_window *window, const dlz_shape *in, dlz_shape *out);

#endif
