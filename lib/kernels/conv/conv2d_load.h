/* kernels/conv/conv2d_load.h - rows of the input and of the output's gradient with what their
 * factors make of them: private to the sources of convolutions. */
#ifndef DLZ_KERNELS_CONV_CONV2D_LOAD_H
#define DLZ_KERNELS_CONV_CONV2D_LOAD_H

#include "isa/isa.h"
#include "kernels/conv/conv2d.h"

enum { LANES = DLZ_LANES };
_Static_assert(2 * LANES <= DLZ_CONV2D_SLACK, "two vectors may be read or written beyond an end");

/* Whole vectors: `to` has room beyond its end. */
static void fill_zero(float *to, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES)
        dlz_store(to + i, (dlz_v){0});
}

/* A row's numbers with what is pending applied. Sets lanes of *strange where one is not finite. The
 * gradient's relu decides by the same fused product. */
DLZ_INLINE void load_row(const dlz_conv2d_input *input, const bool scales, const bool relu,
                         const bool checks, const float *from, int64_t count, float *to,
                         dlz_vi *strange) {
    for (int64_t i = 0; i < count; i += LANES) {
        dlz_v value = dlz_load_up_to(from + i, count - i);
        if (scales)
            value = dlz_fma(value, dlz_load(input->scale + i), dlz_load(input->shift + i));
        if (relu)
            value = dlz_gated(value, value);
        if (checks)
            *strange |= (dlz_vi)(value - value != (dlz_v){0});
        dlz_store(to + i, value);
    }
}

static void load_any_row(const dlz_conv2d_input *input, bool checks, const float *from,
                         int64_t count, float *to, dlz_vi *strange) {
    int kind = (input->scale ? 4 : 0) + (input->scale && input->relu ? 2 : 0) + checks;
    switch (kind) {
    case 0:
        load_row(input, false, false, false, from, count, to, strange);
        break;
    case 1:
        load_row(input, false, false, true, from, count, to, strange);
        break;
    case 4:
        load_row(input, true, false, false, from, count, to, strange);
        break;
    case 5:
        load_row(input, true, false, true, from, count, to, strange);
        break;
    case 6:
        load_row(input, true, true, false, from, count, to, strange);
        break;
    default:
        load_row(input, true, true, true, from, count, to, strange);
    }
}

DLZ_INLINE void load_gradient_row(const dlz_conv2d_gradient *gradient, const bool gates,
                                  const bool scales, int64_t at, int64_t count, float *to) {
    for (int64_t i = 0; i < count; i += LANES) {
        dlz_v g = dlz_load_up_to(gradient->dy + at + i, count - i);
        if (gates || scales) {
            dlz_v z = dlz_load_up_to(gradient->z + at + i, count - i);
            if (gates)
                g = dlz_gated(
                    g, dlz_fma(z, dlz_load(gradient->scale + i), dlz_load(gradient->shift + i)));
            if (scales)
                g = dlz_fma(dlz_load(gradient->a + i), g,
                            dlz_fma(dlz_load(gradient->b + i), z - dlz_load(gradient->center + i),
                                    dlz_load(gradient->d + i)));
        }
        dlz_store(to + i, g);
    }
}

static void load_any_gradient_row(const dlz_conv2d_gradient *gradient, int64_t at, int64_t count,
                                  float *to) {
    bool gates = gradient->z && gradient->relu, scales = gradient->z && gradient->a;
    if (gates && scales)
        load_gradient_row(gradient, true, true, at, count, to);
    else if (gates)
        load_gradient_row(gradient, true, false, at, count, to);
    else if (scales)
        load_gradient_row(gradient, false, true, at, count, to);
    else
        load_gradient_row(gradient, false, false, at, count, to);
}

#endif
