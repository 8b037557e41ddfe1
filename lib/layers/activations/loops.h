/* layers/activations/loops.h - the loops around an activation's value(x, settings) and slope(x,
 * settings), which neither need to care for NaN. Included by the activations' sources alone.
 *
 * These sources are compiled without contraction, and fuse products and sums where they say so
 * (dlz_fma): each copy that the compiler makes of a loop gives the same bits. */
#ifndef DLZ_LAYERS_ACTIVATIONS_LOOPS_H
#define DLZ_LAYERS_ACTIVATIONS_LOOPS_H

#include "kernels/activations/activation.h"
#include "isa/isa.h"

typedef dlz_v dlz_activation_fn(dlz_v x, const float *settings);

/* The settings are copied, so that no store into the result may change them for the compiler. */
DLZ_INLINE void dlz_activation_forward(dlz_activation_fn *value, const float *settings,
                                       int64_t count, const float *x, float *y) {
    const float own[DLZ_ACTIVATION_SETTINGS] = {settings[0], settings[1]};
    for (int64_t i = 0; i < count; i += DLZ_LANES) {
        dlz_v v = dlz_load_up_to(x + i, count - i);
        dlz_store_up_to(y + i, dlz_select(v == v, value(v, own), v), count - i);
    }
}

DLZ_INLINE void dlz_activation_backward(dlz_activation_fn *slope, const float *settings,
                                        int64_t count, const float *x, const float *dy, float *dx) {
    const float own[DLZ_ACTIVATION_SETTINGS] = {settings[0], settings[1]};
    for (int64_t i = 0; i < count; i += DLZ_LANES) {
        dlz_v v = dlz_load_up_to(x + i, count - i), g = dlz_load_up_to(dy + i, count - i);
        dlz_v s = slope(v, own);
        dlz_v passed = (dlz_v)((dlz_vi)(s * g) & ~(dlz_vi)(s == (dlz_v){0}));
        dlz_store_up_to(dx + i, dlz_select(v == v, passed, v), count - i);
    }
}

/* The table dlz_<name>_kernels of this instruction set. */
#define DLZ_ACTIVATION(name)                                                                       \
    static void forward(const float *settings, int64_t count, const float *x, float *y) {          \
        dlz_activation_forward(value, settings, count, x, y);                                      \
    }                                                                                              \
    static void backward(const float *settings, int64_t count, const float *x, const float *dy,    \
                         float *dx) {                                                              \
        dlz_activation_backward(slope, settings, count, x, dy, dx);                                \
    }                                                                                              \
    extern const dlz_activation_table DLZ_VARIANT(dlz_##name##_kernels);                           \
    const dlz_activation_table DLZ_VARIANT(dlz_##name##_kernels) = {                               \
        .forward = forward,                                                                        \
        .backward = backward,                                                                      \
    };

#endif
