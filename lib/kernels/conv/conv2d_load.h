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

/* Factors are read again and again from their beginning, where so many of them are whole channels in
 * whole vectors: they stay in the first-level cache, as whole rows of them would not. */
static int64_t factor_period(int64_t channels, int64_t count) {
    enum { LEAST = 256 };
    if (channels % LANES != 0)
        return count;
    int64_t period = channels < LEAST ? LEAST / channels * channels : channels;
    return period < count ? period : count;
}

/* Floats ahead: the hardware's own fetching ends with each page. */
enum { AHEAD = 1024 };

/* A row's numbers with what is pending applied. Sets lanes of *strange where one is not finite. The
 * gradient's relu decides by the same fused product. */
DLZ_INLINE void load_row(const dlz_conv2d_input *input, const bool scales, const bool relu,
                         const bool checks, int64_t channels, const float *from, int64_t count,
                         float *to, dlz_vi *strange) {
    int64_t period = scales ? factor_period(channels, count) : count;
    for (int64_t first = 0; first < count; first += period) {
        int64_t left = count - first < period ? count - first : period;
        for (int64_t i = 0; i < left; i += LANES) {
            __builtin_prefetch(from + first + i + AHEAD);
            dlz_v value = dlz_load_up_to(from + first + i, left - i);
            if (scales)
                value = dlz_fma(value, dlz_load(input->scale + i), dlz_load(input->shift + i));
            if (relu)
                value = dlz_gated(value, value);
            if (checks)
                *strange |= (dlz_vi)(value - value != (dlz_v){0});
            dlz_store(to + first + i, value);
        }
    }
}

static void load_any_row(const dlz_conv2d_input *input, bool checks, int64_t channels,
                         const float *from, int64_t count, float *to, dlz_vi *strange) {
    int kind = (input->scale ? 4 : 0) + (input->scale && input->relu ? 2 : 0) + checks;
    switch (kind) {
    case 0:
        load_row(input, false, false, false, channels, from, count, to, strange);
        break;
    case 1:
        load_row(input, false, false, true, channels, from, count, to, strange);
        break;
    case 4:
        load_row(input, true, false, false, channels, from, count, to, strange);
        break;
    case 5:
        load_row(input, true, false, true, channels, from, count, to, strange);
        break;
    case 6:
        load_row(input, true, true, false, channels, from, count, to, strange);
        break;
    default:
        load_row(input, true, true, true, channels, from, count, to, strange);
    }
}

DLZ_INLINE void load_gradient_row(const dlz_conv2d_gradient *gradient, const bool gates,
                                  const bool scales, int64_t channels, int64_t at, int64_t count,
                                  float *to) {
    int64_t period = gates || scales ? factor_period(channels, count) : count;
    for (int64_t first = 0; first < count; first += period) {
        int64_t left = count - first < period ? count - first : period;
        const float *dy = gradient->dy + at + first;
        const float *from = gates || scales ? gradient->z + at + first : NULL;
        for (int64_t i = 0; i < left; i += LANES) {
            __builtin_prefetch(dy + i + AHEAD);
            dlz_v g = dlz_load_up_to(dy + i, left - i);
            if (gates || scales) {
                __builtin_prefetch(from + i + AHEAD);
                dlz_v z = dlz_load_up_to(from + i, left - i);
                if (gates)
                    g = dlz_gated(g, dlz_fma(z, dlz_load(gradient->scale + i),
                                             dlz_load(gradient->shift + i)));
                if (scales)
                    g = dlz_fma(dlz_load(gradient->a + i), g,
                                dlz_fma(dlz_load(gradient->b + i),
                                        z - dlz_load(gradient->center + i),
                                        dlz_load(gradient->d + i)));
            }
            dlz_store(to + first + i, g);
        }
    }
}

static void load_any_gradient_row(const dlz_conv2d_gradient *gradient, int64_t channels, int64_t at,
                                  int64_t count, float *to) {
    bool gates = gradient->z && gradient->relu, scales = gradient->z && gradient->a;
    if (gates && scales)
        load_gradient_row(gradient, true, true, channels, at, count, to);
    else if (gates)
        load_gradient_row(gradient, true, false, channels, at, count, to);
    else if (scales)
        load_gradient_row(gradient, false, true, channels, at, count, to);
    else
        load_gradient_row(gradient, false, false, channels, at, count, to);
}

#endif
