#include "support/onnx_layers.h"
#include "network/network.h"
#include "support/netspec.h"
#include "support/random_cases.h"

#include <math.h>
#include <string.h>

static int64_t draw(dlz_random *r, int64_t low, int64_t high) {
    return random_between(r, low, high);
}

static dlviz_layer *draw_conv(dlz_random *r, int64_t channels) {
    int64_t groups = random_chance(r, 0.3) ? channels : 1;
    dlviz_layer *layer = dlviz_conv2d(groups * draw(r, 1, 3), 1, 0);
    dlviz_conv2d_set_kernel(layer, draw(r, 1, 4), draw(r, 1, 4));
    dlviz_conv2d_set_stride(layer, draw(r, 1, 3), draw(r, 1, 3));
    dlviz_conv2d_set_padding(layer, draw(r, 0, 4), draw(r, 0, 4));
    dlviz_conv2d_set_dilation(layer, draw(r, 1, 2), draw(r, 1, 3));
    dlviz_conv2d_set_groups(layer, groups);
    dlviz_conv2d_set_bias(layer, random_chance(r, 0.7));
    return layer;
}

static dlviz_layer *draw_transposed(dlz_random *r, int64_t channels) {
    int64_t groups = random_chance(r, 0.3) ? channels : 1;
    dlviz_layer *layer = dlviz_conv_transpose2d(groups * draw(r, 1, 3), 1, 1);
    dlviz_conv_transpose2d_set_kernel(layer, draw(r, 1, 4), draw(r, 1, 4));
    dlviz_conv_transpose2d_set_stride(layer, draw(r, 1, 3), draw(r, 1, 3));
    dlviz_conv_transpose2d_set_padding(layer, draw(r, 0, 2), draw(r, 0, 2));
    dlviz_conv_transpose2d_set_output_padding(layer, draw(r, 0, 2), draw(r, 0, 2));
    dlviz_conv_transpose2d_set_dilation(layer, draw(r, 1, 3), draw(r, 1, 3));
    dlviz_conv_transpose2d_set_groups(layer, groups);
    dlviz_conv_transpose2d_set_bias(layer, random_chance(r, 0.7));
    return layer;
}

static dlviz_layer *draw_pool(dlz_random *r, bool largest) {
    int64_t height = draw(r, 1, 5), width = draw(r, 1, 5);
    int64_t above = draw(r, 0, height / 2), left = draw(r, 0, width / 2);
    int64_t down = draw(r, 1, 4), right = draw(r, 1, 4);
    bool ceil_mode = random_chance(r, 0.6), count = random_chance(r, 0.5);
    dlviz_layer *layer = largest ? dlviz_maxpool2d(1) : dlviz_avgpool2d(1);
    if (largest) {
        dlviz_maxpool2d_set_kernel(layer, height, width);
        dlviz_maxpool2d_set_stride(layer, down, right);
        dlviz_maxpool2d_set_padding(layer, above, left);
        dlviz_maxpool2d_set_ceil_mode(layer, ceil_mode);
    } else {
        dlviz_avgpool2d_set_kernel(layer, height, width);
        dlviz_avgpool2d_set_stride(layer, down, right);
        dlviz_avgpool2d_set_padding(layer, above, left);
        dlviz_avgpool2d_set_ceil_mode(layer, ceil_mode);
        dlviz_avgpool2d_set_count_include_pad(layer, count);
    }
    return layer;
}

static dlviz_layer *draw_upsample(dlz_random *r) {
    dlviz_layer *layer = dlviz_upsample(draw(r, 1, 5), draw(r, 1, 5));
    bool bilinear = random_chance(r, 0.6);
    if (random_chance(r, 0.5))
        dlviz_upsample_set_size(layer, draw(r, 1, 40), draw(r, 1, 40));
    if (bilinear)
        dlviz_upsample_set_mode(layer, DLVIZ_INTERPOLATION_BILINEAR);
    dlviz_upsample_set_align_corners(layer, bilinear && random_chance(r, 0.5));
    return layer;
}

static dlviz_layer *draw_pad(dlz_random *r) {
    dlviz_border mode = (dlviz_border)draw(r, DLVIZ_BORDER_CONSTANT, DLVIZ_BORDER_REPLICATE);
    int64_t least = mode == DLVIZ_BORDER_CONSTANT ? -12 : 0;
    dlviz_layer *layer =
        dlviz_pad(draw(r, least, 12), draw(r, least, 12), draw(r, least, 12), draw(r, least, 12));
    dlviz_pad_set_mode(layer, mode);
    dlviz_pad_set_value(layer, (double)draw(r, -2, 2));
    return layer;
}

static dlviz_layer *draw_norm(dlz_random *r, int64_t channels) {
    bool affine = random_chance(r, 0.6);
    double eps = pow(10, (double)draw(r, -6, -2));
    dlviz_layer *layer;
    switch (draw(r, 0, 3)) {
    case 0:
        layer = dlviz_batchnorm();
        dlviz_batchnorm_set_eps(layer, eps);
        dlviz_batchnorm_set_affine(layer, affine);
        return layer;
    case 1:
        layer = dlviz_layernorm();
        dlviz_layernorm_set_eps(layer, eps);
        dlviz_layernorm_set_affine(layer, affine);
        return layer;
    case 2:
        layer = dlviz_instancenorm2d();
        dlviz_instancenorm2d_set_eps(layer, eps);
        dlviz_instancenorm2d_set_affine(layer, affine);
        return layer;
    default:
        layer = dlviz_groupnorm(channels % 2 == 0 && random_chance(r, 0.5) ? 2 : 1);
        dlviz_groupnorm_set_eps(layer, eps);
        dlviz_groupnorm_set_affine(layer, affine);
        return layer;
    }
}

static dlviz_layer *draw_activation(dlz_random *r) {
    dlviz_layer *layer;
    switch (draw(r, 0, 5)) {
    case 0:
        return dlviz_elu((double)draw(r, -4, 8) / 4);
    case 1:
        return dlviz_leaky_relu((double)draw(r, -4, 8) / 4);
    case 2:
        return dlviz_gelu();
    case 3:
        return dlviz_gelu_tanh();
    case 4:
        return dlviz_hardswish();
    default:
        layer = dlviz_softplus();
        dlviz_softplus_set_beta(layer, (double)draw(r, 1, 20) / 4);
        dlviz_softplus_set_threshold(layer, (double)draw(r, -4, 30));
        return layer;
    }
}

static dlviz_layer *draw_layer(dlz_random *r, int64_t channels) {
    switch (draw(r, 0, 11)) {
    case 0:
    case 1:
        return draw_conv(r, channels);
    case 2:
    case 3:
        return draw_transposed(r, channels);
    case 4:
        return draw_pool(r, true);
    case 5:
    case 6:
        return draw_pool(r, false);
    case 7:
        return draw_upsample(r);
    case 8:
        return draw_pad(r);
    case 9:
        return draw_norm(r, channels);
    case 10:
        return draw_activation(r);
    default:
        return dlviz_adaptive_avgpool2d(draw(r, 1, 14), draw(r, 1, 14));
    }
}

/* Settings that do not fit the size are drawn again. */
dlviz_network *onnx_random_layer(uint64_t seed) {
    dlz_random random = random_numbers(seed), *r = &random;
    for (;;) {
        dlviz_network *network;
        int64_t dims[] = {draw(r, 1, 6), draw(r, 1, 13), draw(r, 1, 13)};
        ck_ok(dlviz_network_create(&network, 3, dims));
        dlviz_network_add(network, "layer", draw_layer(r, dims[0]));
        dlviz_status status = dlviz_network_build(network, 1);
        if (status == DLVIZ_OK) {
            fill_states(network, seed, false);
            return network;
        }
        ck_assert_msg(status == DLVIZ_ERROR_SHAPE, "seed %llu: %s", (unsigned long long)seed,
                      dlviz_last_error());
        dlviz_network_destroy(network);
    }
}

dlviz_tensor *onnx_inputs(const dlviz_network *network, int64_t n, bool ties) {
    const dlz_shape *in = &network->graph.in;
    int64_t dims[4] = {n};
    memcpy(dims + 1, in->dims, (size_t)in->ndim * sizeof *dims);
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, in->ndim + 1, dims));
    fill_values(dlviz_tensor_float(tensor), dlviz_tensor_num_elements(tensor), 100, ties);
    return tensor;
}
