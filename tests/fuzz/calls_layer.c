/* Calls of dlviz/layer.h. */
#include "calls.h"

#include <float.h>
#include <math.h>

DECLARE_SETTINGS(layer)

typedef dlviz_status (*pair_setter)(dlviz_layer *, int64_t, int64_t);
typedef void (*pair_getter)(const dlviz_layer *, int64_t *, int64_t *);

static const layer_number numbers[] = {
    {dlviz_batchnorm_set_eps, dlviz_batchnorm_eps, 1e-60, UP_TO},
    {dlviz_batchnorm_set_momentum, dlviz_batchnorm_momentum, 0, 1},
    {dlviz_layernorm_set_eps, dlviz_layernorm_eps, 1e-60, UP_TO},
    {dlviz_groupnorm_set_eps, dlviz_groupnorm_eps, 1e-60, UP_TO},
    {dlviz_instancenorm2d_set_eps, dlviz_instancenorm2d_eps, 1e-60, UP_TO},
    {dlviz_softplus_set_beta, dlviz_softplus_beta, 1e-30, 1e30},
    {dlviz_softplus_set_threshold, dlviz_softplus_threshold, -FLT_MAX, FLT_MAX},
    {dlviz_pad_set_value, dlviz_pad_value, -INFINITY, INFINITY},
};
static const layer_flag flags[] = {
    {dlviz_conv2d_set_bias, dlviz_conv2d_bias},
    {dlviz_conv_transpose2d_set_bias, dlviz_conv_transpose2d_bias},
    {dlviz_batchnorm_set_affine, dlviz_batchnorm_affine},
    {dlviz_layernorm_set_affine, dlviz_layernorm_affine},
    {dlviz_groupnorm_set_affine, dlviz_groupnorm_affine},
    {dlviz_instancenorm2d_set_affine, dlviz_instancenorm2d_affine},
    {dlviz_maxpool2d_set_ceil_mode, dlviz_maxpool2d_ceil_mode},
    {dlviz_avgpool2d_set_ceil_mode, dlviz_avgpool2d_ceil_mode},
    {dlviz_avgpool2d_set_count_include_pad, dlviz_avgpool2d_count_include_pad},
    {dlviz_upsample_set_align_corners, dlviz_upsample_align_corners},
    {dlviz_linear_set_bias, dlviz_linear_bias},
};
static const layer_count counts[] = {
    {dlviz_conv2d_set_groups, dlviz_conv2d_groups},
    {dlviz_conv_transpose2d_set_groups, dlviz_conv_transpose2d_groups},
};
static const struct pair {
    pair_setter set;
    pair_getter get;
} pairs[] = {
    {dlviz_conv2d_set_kernel, dlviz_conv2d_kernel},
    {dlviz_conv2d_set_stride, dlviz_conv2d_stride},
    {dlviz_conv2d_set_padding, dlviz_conv2d_padding},
    {dlviz_conv2d_set_dilation, dlviz_conv2d_dilation},
    {dlviz_conv_transpose2d_set_kernel, dlviz_conv_transpose2d_kernel},
    {dlviz_conv_transpose2d_set_stride, dlviz_conv_transpose2d_stride},
    {dlviz_conv_transpose2d_set_padding, dlviz_conv_transpose2d_padding},
    {dlviz_conv_transpose2d_set_output_padding, dlviz_conv_transpose2d_output_padding},
    {dlviz_conv_transpose2d_set_dilation, dlviz_conv_transpose2d_dilation},
    {dlviz_maxpool2d_set_kernel, dlviz_maxpool2d_kernel},
    {dlviz_maxpool2d_set_stride, dlviz_maxpool2d_stride},
    {dlviz_maxpool2d_set_padding, dlviz_maxpool2d_padding},
    {dlviz_avgpool2d_set_kernel, dlviz_avgpool2d_kernel},
    {dlviz_avgpool2d_set_stride, dlviz_avgpool2d_stride},
    {dlviz_avgpool2d_set_padding, dlviz_avgpool2d_padding},
    {dlviz_upsample_set_size, dlviz_upsample_size},
};
static const pair_getter other_pairs[] = {dlviz_adaptive_avgpool2d_size, dlviz_upsample_factors};
static double (*const number_getters[])(const dlviz_layer *) = {
    dlviz_leaky_relu_negative_slope, dlviz_elu_alpha, dlviz_dropout_p, dlviz_dropout2d_p};
static int64_t (*const count_getters[])(const dlviz_layer *) = {
    dlviz_conv2d_out_channels, dlviz_conv_transpose2d_out_channels, dlviz_groupnorm_num_groups,
    dlviz_linear_out_features};
static dlviz_layer *(*const plain[])(void) = {
    dlviz_relu,        dlviz_batchnorm,        dlviz_layernorm, dlviz_instancenorm2d,
    dlviz_gelu,        dlviz_gelu_tanh,        dlviz_silu,      dlviz_sigmoid,
    dlviz_tanh,        dlviz_softplus,         dlviz_hardswish, dlviz_softmax,
    dlviz_log_softmax, dlviz_global_avgpool2d, dlviz_flatten,   dlviz_add,
    dlviz_multiply,    dlviz_concat,
};

void see_layer(const dlviz_layer *layer) {
    int64_t sizes[4] = {0};
    for (int64_t i = 0; i < COUNT(pairs) + COUNT(other_pairs); i++) {
        pair_getter get = i < COUNT(pairs) ? pairs[i].get : other_pairs[i - COUNT(pairs)];
        get(layer, &sizes[0], &sizes[1]);
        get(layer, NULL, NULL);
        require(layer || (sizes[0] == 0 && sizes[1] == 0), "no sizes of NULL");
    }
    for (int64_t i = 0; i < COUNT(numbers) + COUNT(number_getters); i++) {
        double number =
            i < COUNT(numbers) ? numbers[i].get(layer) : number_getters[i - COUNT(numbers)](layer);
        require(layer || isnan(number), "no number of NULL");
    }
    for (int64_t i = 0; i < COUNT(counts) + COUNT(count_getters); i++) {
        int64_t count =
            i < COUNT(counts) ? counts[i].get(layer) : count_getters[i - COUNT(counts)](layer);
        require(layer || count == 0, "no count of NULL");
    }
    for (int64_t i = 0; i < COUNT(flags); i++)
        require(!flags[i].get(layer) || layer, "no flag of NULL");
    dlviz_pad_amounts(layer, &sizes[0], &sizes[1], &sizes[2], &sizes[3]);
    dlviz_pad_amounts(layer, NULL, NULL, NULL, NULL);
    require((unsigned)dlviz_pad_mode(layer) < 3 && (unsigned)dlviz_upsample_mode(layer) < 2,
            "a mode");
    int ndim = dlviz_reshape_ndim(layer);
    const int64_t *dims = dlviz_reshape_dims(layer);
    for (int d = 0; dims && d < ndim && d < DLVIZ_MAX_DIMS; d++)
        see_number((double)dims[d]);
}

/* Any layer, its arguments good or bad. */
static dlviz_layer *make_layer(void) {
    int64_t refused = refused_requests(), dims[3];
    dlviz_layer *layer;
    switch (below(24)) {
    case 0:
    case 1:
    case 2:
        layer = dlviz_conv2d(a_size(), one_in(8) ? an_int() : 1 + below(4),
                             one_in(8) ? an_int() : below(3) - 1);
        break;
    case 3:
        layer = dlviz_conv_transpose2d(a_size(), 1 + below(4), a_size());
        break;
    case 4:
        layer = dlviz_groupnorm(a_size());
        break;
    case 5:
        layer = dlviz_leaky_relu(a_share());
        break;
    case 6:
        layer = dlviz_elu(a_share());
        break;
    case 7:
        layer = dlviz_maxpool2d(a_size());
        break;
    case 8:
        layer = dlviz_avgpool2d(a_size());
        break;
    case 9:
        layer = dlviz_adaptive_avgpool2d(a_size(), a_size());
        break;
    case 10:
        layer = dlviz_upsample(one_in(8) ? an_int() : 1 + below(3),
                               one_in(8) ? an_int() : 1 + below(3));
        break;
    case 11:
        layer = dlviz_pad(an_amount(), an_amount(), an_index(), an_index());
        break;
    case 12:
        layer = dlviz_dropout(a_share());
        break;
    case 13:
        layer = dlviz_dropout2d(a_share());
        break;
    case 14:
    case 15:
        layer = dlviz_linear(a_size());
        break;
    case 16:
        for (int d = 0; d < 3; d++)
            dims[d] = one_in(4) ? -1 : a_size();
        layer = dlviz_reshape(one_in(6)  ? (int)an_int()
                              : a_bool() ? 1
                                         : 3,
                              one_in(30) ? NULL : dims);
        break;
    case 17:
        return custom_layer();
    default:
        layer = plain[below(COUNT(plain))]();
    }
    require(layer != NULL || refused_requests() > refused, "a layer, unless memory ran out");
    return layer;
}

dlviz_layer *sensible_layer(bool images, bool *vectors_after) {
    uint8_t which = a_byte();
    *vectors_after = !images;
    if (!images)
        switch (which % 8) {
        case 0:
        case 1:
            return dlviz_linear(1 + below(8));
        case 2:
            return dlviz_batchnorm();
        case 3:
            return dlviz_dropout(0.25);
        case 4:
            return dlviz_layernorm();
        case 5:
            return custom_layer();
        default:
            return plain[which / 8 % 13](); /* one that takes vectors, as a rule */
        }
    dlviz_layer *layer;
    switch (which % 16) {
    case 0:
    case 1:
    case 2:
    case 3:
        layer = dlviz_conv2d(1 + below(6), 1 + below(3), which & 16 ? 1 : 0);
        if (which & 32)
            dlviz_conv2d_set_stride(layer, 1 + below(2), 1 + below(2));
        return layer;
    case 4:
        return dlviz_conv_transpose2d(1 + below(4), 1 + below(3), 1 + below(2));
    case 5:
        return dlviz_maxpool2d(1 + below(2));
    case 6:
        return dlviz_avgpool2d(1 + below(2));
    case 7:
        return dlviz_upsample(1, 1 + below(2));
    case 8:
        return dlviz_pad(below(2), below(2), below(2), 0);
    case 9:
        *vectors_after = true;
        return a_bool() ? dlviz_global_avgpool2d() : dlviz_flatten();
    case 10:
        return custom_layer();
    case 11:
        return dlviz_groupnorm(1);
    case 12:
        return dlviz_dropout2d(0.5);
    default:
        return plain[which / 16 % 13]();
    }
}

void add_to(dlviz_network *network, const char *name, dlviz_layer *layer) {
    (void)CALL(dlviz_network_add(network, name, layer));
}

static void set(dlviz_layer *layer) {
    int64_t first, second;
    switch (below(8)) {
    case 0:
        SET_NUMBER(layer, numbers[below(COUNT(numbers))], layer, a_number());
        break;
    case 1:
        SET_FLAG(layer, flags[below(COUNT(flags))], layer, a_bool());
        break;
    case 2:
        SET_COUNT(layer, counts[below(COUNT(counts))], layer, a_size());
        break;
    case 3: {
        dlviz_interpolation mode = (dlviz_interpolation)an_enum(2);
        if (CALL(dlviz_upsample_set_mode(layer, mode)) == DLVIZ_OK)
            require(dlviz_upsample_mode(layer) == mode && (unsigned)mode < 2, "a mode");
        break;
    }
    case 4: {
        dlviz_border mode = (dlviz_border)an_enum(3);
        if (CALL(dlviz_pad_set_mode(layer, mode)) == DLVIZ_OK)
            require(dlviz_pad_mode(layer) == mode && (unsigned)mode < 3, "a mode");
        break;
    }
    default: {
        const struct pair *pair = &pairs[below(COUNT(pairs))];
        int64_t height = a_size(), width = a_size();
        if (CALL(pair->set(layer, height, width)) == DLVIZ_OK) {
            pair->get(layer, &first, &second);
            require(first == height && second == width, "a pair is what it was set to");
        }
    }
    }
}

void call_layer(void) {
    dlviz_layer *layer = a_layer();
    switch (!layer && !one_in(8) ? 0 : below(8)) {
    case 0:
    case 1:
    case 2:
        layer = make_layer();
        see_layer(layer);
        keep_layer(layer);
        break;
    case 3:
    case 4:
    case 5:
        set(layer);
        break;
    case 6:
        see_layer(layer);
        break;
    default:
        drop_layer();
    }
}
