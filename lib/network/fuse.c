/* Which operations compute a network: decided from what the layers are. */
#include "base/random.h"
#include "network/network.h"

#include <string.h>

typedef struct fuser {
    dlviz_network *network;
    int last;
    bool training;
    dlz_op *ops;
    dlz_value *values;
    int num_ops;
} fuser;

static dlz_parameter parameter_of(const dlviz_network *network, const dlz_node *node, int index) {
    if (index >= node->num_states)
        return (dlz_parameter){NULL, NULL};
    const dlz_state *state = &network->states[node->first_state + index];
    return (dlz_parameter){state->value, state->gradient};
}

static void set_size(dlz_value *value, const dlz_shape *shape) {
    value->channels = shape->dims[0];
    value->height = shape->ndim == 3 ? shape->dims[1] : 1;
    value->width = shape->ndim == 3 ? shape->dims[2] : 1;
}

static dlz_op *next_op(fuser *f, const dlz_op_type *type, int first, int last) {
    dlz_value *in = &f->values[f->num_ops], *out = &f->values[f->num_ops + 1];
    set_size(out, &f->network->nodes[last].out);
    out->needs_gradient = in->needs_gradient;
    dlz_op *op = &f->ops[f->num_ops++];
    *op = (dlz_op){.type = type, .in = in, .out = out, .first_layer = first, .last_layer = last};
    return op;
}

/* Whether a constant that layer `at` adds to each channel is taken out by a batch norm further on.
 * The gradient of that constant is 0, and computing it would only give the rounding errors of a sum
 * that cancels. */
static bool is_taken_out(const fuser *f, int at) {
    dlz_constant constant = DLZ_CONSTANT_EVERYWHERE;
    for (int next = at + 1; next <= f->last; next++) {
        const dlz_node *node = &f->network->nodes[next];
        const dlz_layer_type *type = dlz_layer_type_of(node->layer->kind);
        bool one_place = node->in.ndim == 1 || node->in.dims[1] * node->in.dims[2] == 1;
        if (!type->hand_on)
            return false;
        constant = type->hand_on(node->layer, one_place ? DLZ_CONSTANT_EVERYWHERE : constant);
        if (constant == DLZ_CONSTANT_LOST || constant == DLZ_CONSTANT_TAKEN_OUT)
            break;
    }
    return constant == DLZ_CONSTANT_TAKEN_OUT;
}

static dlz_parameter bias_of(const fuser *f, int at) {
    dlz_parameter bias = parameter_of(f->network, &f->network->nodes[at], 1);
    if (is_taken_out(f, at))
        bias.gradient = NULL;
    return bias;
}

static dlz_batchnorm_state batchnorm_of(const fuser *f, int at) {
    const dlz_node *node = &f->network->nodes[at];
    const dlz_state *states = &f->network->states[node->first_state];
    return (dlz_batchnorm_state){.eps = node->layer->set.batchnorm.eps,
                                 .momentum = node->layer->set.batchnorm.momentum,
                                 .weight = parameter_of(f->network, node, 0),
                                 .bias = bias_of(f, at),
                                 .running_mean = states[2].value,
                                 .running_var = states[3].value,
                                 .batches_tracked = states[4].value};
}

static bool is_small_pool(const dlz_node *node) {
    const dlz_maxpool2d_settings *set = &node->layer->set.maxpool2d;
    return node->layer->kind == DLZ_MAXPOOL2D && set->kernel == 2 && set->stride == 2 &&
           set->padding == 0;
}

/* Takes the layers from `first` on that one post operation can hold: batch norm, relu, pool,
 * dropout, in this order, each once at most. Returns the layer after them. */
static int collect_post(const fuser *f, int first, dlz_post_op *post) {
    int at = first;
    memset(post, 0, sizeof *post);
    for (int rank = 0; at <= f->last; at++) {
        const dlz_node *node = &f->network->nodes[at];
        int here;
        switch (node->layer->kind) {
        case DLZ_BATCHNORM:
            here = 1;
            break;
        case DLZ_RELU:
            here = 2;
            break;
        case DLZ_MAXPOOL2D:
            here = is_small_pool(node) ? 3 : 0;
            break;
        case DLZ_DROPOUT:
            here = 4;
            break;
        default:
            here = 0;
        }
        if (here <= rank)
            break;
        rank = here;
        if (here == 1) {
            post->has_batchnorm = true;
            post->batchnorm = batchnorm_of(f, at);
        } else if (here == 2) {
            post->relu = true;
        } else if (here == 3) {
            post->pool = true;
        } else {
            post->dropout = true;
            post->p = node->layer->set.dropout.p;
            post->stream = DLZ_STREAM_DROPOUT + ((uint64_t)at << 8);
        }
    }
    return at;
}

static dlz_fold *fold_of(dlz_op *convolution) {
    return convolution->type == &dlz_conv3x3_op_type ? &convolution->as.conv3x3.fold
                                                     : &convolution->as.conv2d.fold;
}

/* What follows a convolution or stands alone; `producer` is the convolution, or NULL. */
static int fuse_post(fuser *f, int first, dlz_op *producer) {
    dlz_post_op post;
    int next = collect_post(f, first, &post);
    if (next == first)
        return next;
    if (!f->training) {
        post.dropout = false;
        if (producer && (post.has_batchnorm || post.relu)) {
            *fold_of(producer) = (dlz_fold){.active = true,
                                            .relu = post.relu,
                                            .has_batchnorm = post.has_batchnorm,
                                            .batchnorm = post.batchnorm};
            post.has_batchnorm = post.relu = false;
        }
        if (!post.has_batchnorm && !post.relu && !post.pool)
            return next;
    }
    dlz_op *op = next_op(f, &dlz_post_op_type, first, next - 1);
    post.pending = f->training && producer && !post.pool && !post.dropout && next <= f->last &&
                   f->network->nodes[next].layer->kind == DLZ_CONV2D;
    if (f->training && producer && post.has_batchnorm)
        op->in->statistics.wanted = true;
    if (producer && post.pool)
        op->in->pooled = (dlz_pooled){
            .wanted = true, .sign = post.has_batchnorm ? post.batchnorm.weight.value : NULL};
    op->as.post = post;
    op->out->needs_gradient |= post.has_batchnorm;
    return next;
}

static bool is_conv3x3(const dlz_conv2d_settings *set) {
    bool fits = true;
    for (int axis = 0; axis < 2; axis++)
        fits &= set->kernel[axis] == 3 && set->stride[axis] == 1 && set->dilation[axis] == 1 &&
                dlz_conv2d_padding(set, axis) == 1;
    return fits;
}

static int fuse_main(fuser *f, int at) {
    dlviz_network *network = f->network;
    const dlz_node *node = &network->nodes[at];
    dlz_op *op;
    switch (node->layer->kind) {
    case DLZ_CONV2D:
        if (is_conv3x3(&node->layer->set.conv2d)) {
            op = next_op(f, &dlz_conv3x3_op_type, at, at);
            op->as.conv3x3 =
                (dlz_conv3x3_op){.weight = parameter_of(network, node, 0), .bias = bias_of(f, at)};
        } else {
            op = next_op(f, &dlz_conv2d_op_type, at, at);
            op->as.conv2d = (dlz_conv2d_op){.set = &node->layer->set.conv2d,
                                            .weight = parameter_of(network, node, 0),
                                            .bias = bias_of(f, at)};
        }
        op->out->needs_gradient = true;
        return fuse_post(f, at + 1, op);
    case DLZ_LINEAR:
        op = next_op(f, &dlz_linear_op_type, at, at);
        op->as.linear = (dlz_linear_op){parameter_of(network, node, 0), bias_of(f, at)};
        op->out->needs_gradient = true;
        return at + 1;
    case DLZ_FLATTEN:
        next_op(f, &dlz_flatten_op_type, at, at);
        return at + 1;
    case DLZ_MAXPOOL2D:
        if (!is_small_pool(node)) {
            op = next_op(f, &dlz_maxpool2d_op_type, at, at);
            op->as.maxpool2d.set = &node->layer->set.maxpool2d;
            return at + 1;
        }
        return fuse_post(f, at, NULL);
    default:
        return fuse_post(f, at, NULL);
    }
}

int dlz_fuse(dlviz_network *network, int last, bool training, dlz_op *ops, dlz_value *values) {
    fuser f = {network, last, training, ops, values, 0};
    values[0] = (dlz_value){0};
    set_size(&values[0], &network->in);
    for (int at = 0; at <= last;)
        at = fuse_main(&f, at);
    return f.num_ops;
}
