/* layers/pool_window.h - what pooling layers with windows have in common: settings with their check,
 * setters and getters, shapes. */
#ifndef DLZ_LAYERS_POOL_WINDOW_H
#define DLZ_LAYERS_POOL_WINDOW_H

#include "graph/layer.h"

/* Pairs are vertical, horizontal. */
typedef struct dlz_pool_window {
    int64_t kernel[2], stride[2], padding[2]; /* stride 0 until the shapes are known: the kernel */
    bool ceil_mode;
} dlz_pool_window;

/* What such a layer's struct begins with. */
typedef struct dlz_pool_layer {
    dlviz_layer base;
    dlz_pool_window window;
} dlz_pool_layer;

/* For a layer's table of settings. */
#define DLZ_POOL_SETTINGS                                                                          \
    {"kernel", DLZ_SETTING_PAIR, offsetof(dlz_pool_layer, window.kernel), false},                  \
        {"stride", DLZ_SETTING_PAIR, offsetof(dlz_pool_layer, window.stride), false},              \
        {"padding", DLZ_SETTING_PAIR, offsetof(dlz_pool_layer, window.padding), false}, {          \
        "ceil_mode", DLZ_SETTING_BOOL, offsetof(dlz_pool_layer, window.ceil_mode), false           \
    }

static inline const dlz_pool_window *dlz_pool_window_of(const dlviz_layer *layer) {
    return &((const dlz_pool_layer *)layer)->window;
}

/* A layer with a square window, which the constructor has yet to check; NULL when out of memory. */
dlviz_layer *dlz_pool_create(const dlz_layer_type *type, int64_t kernel);

/* For the public setters and getters. A stride of 0, which stands for the kernel, is refused, and
 * read as the kernel. */
dlviz_status dlz_pool_set_kernel(const char *who, dlviz_layer *layer, const dlz_layer_type *type,
                                 int64_t height, int64_t width);
dlviz_status dlz_pool_set_stride(const char *who, dlviz_layer *layer, const dlz_layer_type *type,
                                 int64_t vertical, int64_t horizontal);
dlviz_status dlz_pool_set_padding(const char *who, dlviz_layer *layer, const dlz_layer_type *type,
                                  int64_t vertical, int64_t horizontal);
dlviz_status dlz_pool_set_ceil_mode(const char *who, dlviz_layer *layer, const dlz_layer_type *type,
                                    bool ceil_mode);
void dlz_pool_kernel(const dlviz_layer *layer, const dlz_layer_type *type, int64_t *height,
                     int64_t *width);
void dlz_pool_stride(const dlviz_layer *layer, const dlz_layer_type *type, int64_t *vertical,
                     int64_t *horizontal);
void dlz_pool_padding(const dlviz_layer *layer, const dlz_layer_type *type, int64_t *vertical,
                      int64_t *horizontal);
bool dlz_pool_ceil_mode(const dlviz_layer *layer, const dlz_layer_type *type);

/* For the type: the settings' check; strides and the output's shape. */
dlviz_status dlz_pool_check(const dlviz_layer *layer);
dlviz_status dlz_pool_infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in,
                            dlz_shape *out);

/* For `onnx`: how far windows reach over the end of the input, at least the padding; and windows and
 * strides as attributes. ONNX's own ceil mode is not used: programs differ over the last window. */
void dlz_pool_reach_beyond(const dlviz_layer *layer, const dlz_shape *in, const dlz_shape *out,
                           int64_t beyond[2]);
void dlz_pool_set_onnx(const dlviz_layer *layer, dlz_onnx *to);

#endif
