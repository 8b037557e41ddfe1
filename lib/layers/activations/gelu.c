/* x Φ(x) with the distribution function of the normal distribution, Φ(x) = (1 + erf(x / √2)) / 2.
 *
 * For t = |x|, Φ(−t) = e^(−t²/2) P / (t + K), where P changes little: a polynomial in u = t / (t +
 * K), minimax for the relative error (1.7e-8, coefficients rounded) on 0 <= t <= 15, K = 5/2, and
 * exact at 0. Beyond 15 everything is 0 or 1 for floats. */
#include "kernels/activations/exponentials.h"
#include "layers/activations/loops.h"

#define FAR 15.0f
#define K 2.5f
#define DENSITY_AT_0 0.398942280f /* 1 / √(2π) */

DLZ_INLINE dlz_v polynomial(dlz_v u) {
    dlz_v p = dlz_fma(u, dlz_splat(-0x1.46fe0ep-4f), dlz_splat(0x1.1e85e2p-2f));
    p = dlz_fma(p, u, dlz_splat(-0x1.40f46ap-2f));
    p = dlz_fma(p, u, dlz_splat(0x1.1ab4ccp-3f));
    p = dlz_fma(p, u, dlz_splat(-0x1.32b9acp-3f));
    p = dlz_fma(p, u, dlz_splat(0x1.cb1fa2p-5f));
    p = dlz_fma(p, u, dlz_splat(0x1.2ade8ap-2f));
    p = dlz_fma(p, u, dlz_splat(0x1.5b5b28p-3f));
    p = dlz_fma(p, u, dlz_splat(-0x1.3e4ef4p+0f));
    return dlz_fma(p, u, dlz_splat(1.25f));
}

/* factor × e^(−t²/2). What rounding takes from t² would matter: it is found with t cut into 12
 * bits, whose square is exact, and the rest. */
DLZ_INLINE dlz_exp_parts bell_times(dlz_v factor, dlz_v t) {
    dlz_v square = t * t, upper = (dlz_v)((dlz_vi)t & ~0xFFF);
    dlz_v lost = (upper * upper - square) + (t - upper) * (t + upper);
    return dlz_exp_times(factor, -0.5f * square, -0.5f * lost);
}

/* max(x, 0) − t Φ(−t), and t / (t + K) is u. */
DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    (void)settings;
    dlz_v t = dlz_least(dlz_magnitude(x), dlz_splat(FAR)), u = t / (t + K);
    dlz_exp_parts e = bell_times(polynomial(u), t);
    dlz_v lacking = u * e.first * e.power;
    return dlz_select(x < 0.0f, -lacking, x - lacking);
}

/* Φ(x) + x φ(x). */
DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    (void)settings;
    dlz_v t = dlz_least(dlz_magnitude(x), dlz_splat(FAR)), d = 1.0f / (t + K);
    dlz_v difference = dlz_fma(t, dlz_splat(DENSITY_AT_0), -polynomial(t * d) * d);
    dlz_exp_parts e = bell_times(difference, t);
    dlz_v above_1 = e.first * e.power;
    return dlz_select(x < 0.0f, -above_1, above_1 + 1.0f);
}

DLZ_ACTIVATION(gelu)

#ifdef DLZ_BASELINE
#include "layers/activations/layer.h"
#include "onnx/onnx.h"

DLZ_ACTIVATION_TABLE(gelu)

const dlz_layer_type dlz_gelu_type;

dlviz_layer *dlviz_gelu(void) {
    return dlz_layer_create(&dlz_gelu_type);
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    return dlz_activation_infer(layer, dlz_gelu_kernels(), in, out);
}

/* In the steps of PyTorch's exporter, which runtimes know for one operator. */
static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    const char *x = dlz_onnx_input(to),
               *root = dlz_onnx_number(to, "root_of_2", 1.41421356237309505);
    const char *erf = DLZ_ONNX_NODE(to, "Div", "over_root_of_2", x, root);
    erf = DLZ_ONNX_NODE(to, "Erf", "erf", erf);
    erf = DLZ_ONNX_NODE(to, "Add", "erf_plus_1", erf, dlz_onnx_number(to, "one", 1));
    /* Halved first: twice the largest floats are none. */
    DLZ_ONNX_NODE(to, "Mul", NULL,
                  DLZ_ONNX_NODE(to, "Mul", "half_x", x, dlz_onnx_number(to, "half", 0.5)), erf);
}

const dlz_layer_type dlz_gelu_type = {
    .name = "gelu",
    .size = sizeof(dlz_activation_layer),
    .infer = infer,
    .stage = dlz_activation_stage,
    .join = dlz_activation_join,
    .onnx = onnx,
};
#endif
