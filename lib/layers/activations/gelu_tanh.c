/* x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, the approximation of GELU, which is x σ(z) with z =
 * √(8/π) (x + 0.044715 x³). */
#include "kernels/activations/logistic.h"
#include "layers/activations/loops.h"

/* Below −12 it is 0 for floats, and so is its derivative; above 12 that is 1. */
#define FAR 12.0f
#define A 1.59576912f   /* √(8/π) */
#define B 0.0713548139f /* A × 0.044715 as a float, */
#define B_REST                                                                                     \
    2.399e-09f /* and what the float lacks: z is up to 100, and its error is that of e^z */

DLZ_INLINE dlz_v z_over_x(dlz_v square) {
    return dlz_fma(square, dlz_splat(B), dlz_fma(square, dlz_splat(B_REST), dlz_splat(A)));
}

DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    (void)settings;
    x = dlz_greatest(x, dlz_splat(-FAR));
    dlz_v near = dlz_least(x, dlz_splat(FAR));
    return dlz_times_logistic(x, near * z_over_x(near * near));
}

DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    (void)settings;
    x = dlz_least(dlz_greatest(x, dlz_splat(-FAR)), dlz_splat(FAR));
    dlz_v x_times_slope_of_z = x * dlz_fma(x * x, dlz_splat(3 * B), dlz_splat(A));
    return dlz_times_logistic_slope(x * z_over_x(x * x), x_times_slope_of_z);
}

DLZ_ACTIVATION(gelu_tanh)

#ifdef DLZ_BASELINE
#include "layers/activations/layer.h"
#include "onnx/onnx.h"

DLZ_ACTIVATION_TABLE(gelu_tanh)

const dlz_layer_type dlz_gelu_tanh_type;

dlviz_layer *dlviz_gelu_tanh(void) {
    return dlz_layer_create(&dlz_gelu_tanh_type);
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    return dlz_activation_infer(layer, dlz_gelu_tanh_kernels(), in, out);
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    const char *x = dlz_onnx_input(to), *square = DLZ_ONNX_NODE(to, "Mul", "square", x, x);
    const char *z =
        DLZ_ONNX_NODE(to, "Mul", "bend", square, dlz_onnx_number(to, "share", 0.044715));
    z = DLZ_ONNX_NODE(to, "Add", "bend_plus_1", z, dlz_onnx_number(to, "one", 1));
    z = DLZ_ONNX_NODE(to, "Mul", "bent", x, z);
    z = DLZ_ONNX_NODE(to, "Mul", "scaled", z,
                      dlz_onnx_number(to, "root_of_2_over_pi", 0.797884560802865356));
    z = DLZ_ONNX_NODE(to, "Tanh", "tanh", z);
    z = DLZ_ONNX_NODE(to, "Add", "tanh_plus_1", z, dlz_onnx_number(to, "also_one", 1));
    /* Halved first: twice the largest floats are none. */
    DLZ_ONNX_NODE(to, "Mul", NULL,
                  DLZ_ONNX_NODE(to, "Mul", "half_x", x, dlz_onnx_number(to, "half", 0.5)), z);
}

const dlz_layer_type dlz_gelu_tanh_type = {
    .name = "gelu_tanh",
    .size = sizeof(dlz_activation_layer),
    .infer = infer,
    .stage = dlz_activation_stage,
    .join = dlz_activation_join,
    .onnx = onnx,
};
#endif
