/* x for x > 0, else alpha (e^x − 1). Settings: alpha. Its derivative at 0 is alpha. */
#include "kernels/activations/exponentials.h"
#include "kernels/activations/loops.h"

DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    dlz_v below = dlz_expm1_negative(dlz_select(x > 0.0f, (dlz_v){0}, x));
    return dlz_select(x > 0.0f, x, settings[0] * below);
}

DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    dlz_exp_parts e = dlz_exp_times(dlz_splat(settings[0]), dlz_least(x, (dlz_v){0}), (dlz_v){0});
    return dlz_select(x > 0.0f, dlz_splat(1), e.first * e.power);
}

DLZ_ACTIVATION(elu)
