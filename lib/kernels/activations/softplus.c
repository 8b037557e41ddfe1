/* ln(1 + e^(beta x)) / beta, and x where beta x is above the threshold. Settings: beta, threshold.
 */
#include "kernels/activations/logistic.h"
#include "kernels/activations/loops.h"

DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    dlz_v z = x * settings[0];
    dlz_v rest = dlz_log1p_unit(dlz_exp_negative(-dlz_magnitude(z)));
    return dlz_select(z > settings[1], x, (dlz_greatest(z, (dlz_v){0}) + rest) / settings[0]);
}

DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    dlz_v z = x * settings[0];
    return dlz_select(z > settings[1], dlz_splat(1), dlz_logistic(z));
}

DLZ_ACTIVATION(softplus)
