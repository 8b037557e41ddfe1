#include "support/netspec.h"
#include "base/base.h"
#include "base/random.h"
#include "support/fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t product(int ndim, const int64_t *dims) {
    int64_t result = 1;
    for (int i = 0; i < ndim; i++)
        result *= dims[i];
    return result;
}

/* -- Text ------------------------------------------------------------------------------------ */

static void parse_pair(int64_t pair[2], const char *text) {
    char *end;
    pair[0] = pair[1] = strtoll(text, &end, 10);
    if (*end == 'x')
        pair[1] = strtoll(end + 1, &end, 10);
    ck_assert_msg(end != text && *end == '\0', "'%s' is no number and no pair", text);
}

static layer_kind parse_kind(const char *text) {
    static const char *const names[] = {"conv",    "bn",     "relu",   "pool",
                                        "dropout", "linear", "flatten"};
    for (int i = 0; i < 7; i++)
        if (strcmp(text, names[i]) == 0)
            return (layer_kind)i;
    ck_abort_msg("unknown kind of layer '%s'", text);
    return RELU;
}

static void parse_option(layer_spec *layer, char *option) {
    char *value = strchr(option, '=');
    ck_assert_msg(value != NULL, "option '%s' has no value", option);
    *value++ = '\0';
    if (strcmp(option, "out") == 0)
        layer->out = strtoll(value, NULL, 10);
    else if (strcmp(option, "k") == 0)
        parse_pair(layer->kernel, value);
    else if (strcmp(option, "stride") == 0)
        parse_pair(layer->stride, value);
    else if (strcmp(option, "dil") == 0)
        parse_pair(layer->dilation, value);
    else if (strcmp(option, "pad") == 0 && strcmp(value, "same") == 0)
        layer->same = true;
    else if (strcmp(option, "pad") == 0)
        parse_pair(layer->padding, value);
    else if (strcmp(option, "bias") == 0)
        layer->bias = strcmp(value, "1") == 0;
    else if (strcmp(option, "eps") == 0)
        layer->eps = plain_number(value, NULL);
    else if (strcmp(option, "momentum") == 0)
        layer->momentum = plain_number(value, NULL);
    else if (strcmp(option, "p") == 0)
        layer->p = plain_number(value, NULL);
    else
        ck_abort_msg("unknown option '%s'", option);
}

static void parse_layer(layer_spec *layer, char *token) {
    char *rest = strchr(token, ':'), *save, *part;
    ck_assert_msg(rest != NULL, "'%s' has no ':'", token);
    *rest++ = '\0';
    *layer = (layer_spec){.bias = true, .eps = 1e-5, .momentum = 0.1, .dilation = {1, 1}};
    snprintf(layer->name, sizeof layer->name, "%s", token);
    part = strtok_r(rest, ",", &save);
    layer->kind = parse_kind(part);
    while ((part = strtok_r(NULL, ",", &save)))
        parse_option(layer, part);
    for (int i = 0; i < 2; i++) {
        if (layer->stride[i] == 0)
            layer->stride[i] = layer->kind == POOL ? layer->kernel[i] : 1;
        if (layer->same)
            layer->padding[i] = layer->dilation[i] * (layer->kernel[i] - 1) / 2;
    }
}

static void infer_shape(layer_spec *layer, int ndim, const int64_t *dims) {
    layer->ndim = ndim;
    memcpy(layer->dims, dims, sizeof layer->dims);
    if (layer->kind == CONV || layer->kind == POOL) {
        ck_assert_int_eq(ndim, 3);
        if (layer->kind == CONV)
            layer->dims[0] = layer->out;
        for (int i = 0; i < 2; i++) {
            int64_t extent = layer->dilation[i] * (layer->kernel[i] - 1) + 1;
            int64_t room = dims[1 + i] + 2 * layer->padding[i] - extent;
            layer->dims[1 + i] = room < 0 ? 0 : room / layer->stride[i] + 1;
        }
    } else if (layer->kind == LINEAR || layer->kind == FLATTEN) {
        layer->ndim = 1;
        layer->dims[0] = layer->kind == LINEAR ? layer->out : product(ndim, dims);
        layer->dims[1] = layer->dims[2] = 0;
    }
}

void parse_net(net_spec *spec, const char *dims, const char *layers) {
    memset(spec, 0, sizeof *spec);
    char *copy = strdup(dims), *save, *part;
    for (part = strtok_r(copy, "x ", &save); part; part = strtok_r(NULL, "x ", &save))
        spec->dims[spec->ndim++] = strtoll(part, NULL, 10);
    free(copy);
    copy = strdup(layers);
    int ndim = spec->ndim;
    const int64_t *shape = spec->dims;
    for (part = strtok_r(copy, " \n", &save); part; part = strtok_r(NULL, " \n", &save)) {
        ck_assert_int_lt(spec->count, MAX_LAYERS);
        layer_spec *layer = &spec->layers[spec->count++];
        parse_layer(layer, part);
        infer_shape(layer, ndim, shape);
        ndim = layer->ndim;
        shape = layer->dims;
    }
    free(copy);
}

/* -- Networks -------------------------------------------------------------------------------- */

static dlviz_layer *make_layer(const layer_spec *spec) {
    dlviz_layer *layer = NULL;
    switch (spec->kind) {
    case CONV:
        layer = dlviz_conv2d(spec->out, spec->kernel[0], spec->same ? DLVIZ_PAD_SAME : 0);
        if (spec->kernel[1] != spec->kernel[0])
            ck_ok(dlviz_conv2d_set_kernel(layer, spec->kernel[0], spec->kernel[1]));
        if (!spec->same)
            ck_ok(dlviz_conv2d_set_padding(layer, spec->padding[0], spec->padding[1]));
        if (spec->stride[0] != 1 || spec->stride[1] != 1)
            ck_ok(dlviz_conv2d_set_stride(layer, spec->stride[0], spec->stride[1]));
        if (spec->dilation[0] != 1 || spec->dilation[1] != 1)
            ck_ok(dlviz_conv2d_set_dilation(layer, spec->dilation[0], spec->dilation[1]));
        if (!spec->bias)
            ck_ok(dlviz_conv2d_set_bias(layer, false));
        return layer;
    case BATCHNORM:
        layer = dlviz_batchnorm();
        if (spec->eps != 1e-5)
            ck_ok(dlviz_batchnorm_set_eps(layer, spec->eps));
        if (spec->momentum != 0.1)
            ck_ok(dlviz_batchnorm_set_momentum(layer, spec->momentum));
        return layer;
    case RELU:
        return dlviz_relu();
    case POOL:
        layer = dlviz_maxpool2d(spec->kernel[0]);
        if (spec->stride[0] != spec->kernel[0])
            ck_ok(dlviz_maxpool2d_set_stride(layer, spec->stride[0], spec->stride[0]));
        if (spec->padding[0] != 0)
            ck_ok(dlviz_maxpool2d_set_padding(layer, spec->padding[0], spec->padding[0]));
        return layer;
    case DROPOUT:
        return dlviz_dropout(spec->p);
    case LINEAR:
        layer = dlviz_linear(spec->out);
        if (!spec->bias)
            ck_ok(dlviz_linear_set_bias(layer, false));
        return layer;
    case FLATTEN:
        return dlviz_flatten();
    }
    return NULL;
}

dlviz_network *build_net(const net_spec *spec, uint64_t seed) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, spec->ndim, spec->dims));
    for (int i = 0; i < spec->count; i++)
        ck_ok(dlviz_network_add(network, spec->layers[i].name, make_layer(&spec->layers[i])));
    ck_ok(dlviz_network_build(network, seed));
    return network;
}

dlviz_network *net_from_text(const char *dims, const char *layers) {
    net_spec spec;
    parse_net(&spec, dims, layers);
    return build_net(&spec, 1);
}

const char *report_text(double p_scale) {
    static char text[1024];
    char quarter[DLZ_NUMBER_SIZE], half[DLZ_NUMBER_SIZE]; /* with a point in any locale */
    snprintf(
        text, sizeof text,
        "conv1:conv,out=32,k=3,pad=same bn1:bn relu1:relu "
        "conv2:conv,out=32,k=3,pad=same bn2:bn relu2:relu pool1:pool,k=2 dropout1:dropout,p=%s "
        "conv3:conv,out=64,k=3,pad=same bn3:bn relu3:relu "
        "conv4:conv,out=64,k=3,pad=same bn4:bn relu4:relu pool2:pool,k=2 dropout2:dropout,p=%s "
        "flatten:flatten fc1:linear,out=512 bn5:bn relu5:relu dropout3:dropout,p=%s "
        "fc2:linear,out=10",
        dlz_number(quarter, 0.25 * p_scale, 6), quarter, dlz_number(half, 0.5 * p_scale, 6));
    return text;
}

void report_spec(net_spec *spec, int64_t size, double p_scale) {
    char dims[40];
    snprintf(dims, sizeof dims, "1x%lldx%lld", (long long)size, (long long)size);
    parse_net(spec, dims, report_text(p_scale));
}

dlviz_network *report_network(int64_t size, double p_scale) {
    net_spec spec;
    report_spec(&spec, size, p_scale);
    return build_net(&spec, 1);
}

/* -- Numbers --------------------------------------------------------------------------------- */

void fill_values(float *values, int64_t count, uint64_t seed, bool ties) {
    fill_uniform(values, count, seed);
    for (int64_t i = 0; ties && i < count; i++)
        values[i] = floorf(values[i] * 2) * 0.5f;
}

void fill_labels(int64_t *labels, int64_t count, int64_t classes, uint64_t seed) {
    dlz_random random = dlz_random_start(seed, 98);
    for (int64_t i = 0; i < count; i++)
        labels[i] = dlz_random_u32(&random) % classes;
}

static bool ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

bool is_trainable(const char *name) {
    return ends_with(name, ".weight") || ends_with(name, ".bias");
}

/* Every product with a number that is no power of two is rounded once, by itself, so that NumPy
 * gets the same bits. */
static void scale_state(const char *name, const dlviz_tensor *tensor, float *values, bool ties) {
    int64_t size = dlviz_tensor_num_elements(tensor);
    bool vector = dlviz_tensor_ndim(tensor) == 1;
    float factor = 1, offset = 0;
    if (ends_with(name, "running_var") || (ends_with(name, "weight") && vector)) {
        factor = 0.5f;
        offset = 1;
    } else if (vector || ends_with(name, "bias")) /* a layer norm's has more dimensions */
        factor = 0.125f;
    else if (!ties)
        factor = (float)(1 / sqrt((double)(size / dlviz_tensor_dim(tensor, 0))));
    for (int64_t i = 0; i < size; i++)
        values[i] *= factor;
    for (int64_t i = 0; offset != 0 && i < size; i++)
        values[i] += offset;
}

static uint64_t name_hash(const char *name) {
    uint64_t value = 0xCBF29CE484222325u;
    for (; *name; name++)
        value = (value ^ (unsigned char)*name) * 0x100000001B3u;
    return value;
}

void fill_states(dlviz_network *network, uint64_t seed, bool ties) {
    for (int i = 0; i < dlviz_network_num_states(network); i++) {
        const char *name = dlviz_network_state_name(network, i);
        if (ends_with(name, "num_batches_tracked"))
            continue;
        dlviz_tensor *tensor;
        ck_ok(dlviz_network_get_state(network, name, &tensor));
        float *values = dlviz_tensor_float(tensor);
        ck_assert_ptr_nonnull(values);
        fill_values(values, dlviz_tensor_num_elements(tensor), name_hash(name) ^ seed, ties);
        scale_state(name, tensor, values, ties);
        ck_ok(dlviz_network_set_state(network, name, tensor));
        dlviz_tensor_destroy(tensor);
    }
}

dlviz_tensor *float_tensor(int ndim, const int64_t *dims, const float *values) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_FLOAT32, ndim, dims, values));
    return tensor;
}

dlviz_tensor *int64_tensor(int64_t n, const int64_t *values) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_INT64, 1, &n, values));
    return tensor;
}

dlviz_tensor *input_tensor(const net_spec *spec, int64_t n, uint64_t seed, bool ties) {
    dlviz_tensor *tensor;
    int64_t dims[4] = {n, spec->dims[0], spec->dims[1], spec->dims[2]};
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, spec->ndim + 1, dims));
    fill_values(dlviz_tensor_float(tensor), dlviz_tensor_num_elements(tensor), seed, ties);
    return tensor;
}

dlviz_tensor *label_tensor(int64_t n, int64_t classes, uint64_t seed) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_INT64, 1, &n));
    fill_labels(dlviz_tensor_data(tensor), n, classes, seed);
    return tensor;
}

void digits(int64_t first, int64_t n, dlviz_tensor **inputs, dlviz_tensor **labels) {
    fixture *file = fixture_open("digits.safetensors");
    const uint8_t *images = fixture_bytes(file, "images", 64 * 1024);
    const uint8_t *classes = fixture_bytes(file, "labels", 64);
    if (inputs) {
        ck_ok(dlviz_tensor_create(inputs, DLVIZ_FLOAT32, 4, (int64_t[]){n, 1, 32, 32}));
        float *to = dlviz_tensor_float(*inputs);
        for (int64_t i = 0; i < n * 1024; i++)
            to[i] = ((float)images[(first * 1024 + i) % (64 * 1024)] / 255.0f - 0.1307f) / 0.3081f;
    }
    if (labels) {
        ck_ok(dlviz_tensor_create(labels, DLVIZ_INT64, 1, &n));
        for (int64_t i = 0; i < n; i++)
            ((int64_t *)dlviz_tensor_data(*labels))[i] = classes[(first + i) % 64];
    }
    fixture_close(file);
}

/* -- Comparisons to the bit ------------------------------------------------------------------ */

static void *gather(const dlviz_network *network, bool gradients, size_t *size) {
    char *bytes = NULL;
    *size = 0;
    for (int i = 0; i < dlviz_network_num_states(network); i++) {
        const char *name = dlviz_network_state_name(network, i);
        dlviz_tensor *tensor;
        if (gradients && !is_trainable(name))
            continue;
        if (gradients)
            ck_ok(dlviz_network_get_gradient(network, name, &tensor));
        else
            ck_ok(dlviz_network_get_state(network, name, &tensor));
        size_t more = (size_t)dlviz_tensor_num_elements(tensor) *
                      dlviz_dtype_size(dlviz_tensor_dtype(tensor));
        bytes = realloc(bytes, *size + more + 1);
        ck_assert_ptr_nonnull(bytes);
        memcpy(bytes + *size, dlviz_tensor_const_data(tensor), more);
        *size += more;
        dlviz_tensor_destroy(tensor);
    }
    return bytes;
}

void *all_states(const dlviz_network *network, size_t *size) {
    return gather(network, false, size);
}

void *all_gradients(const dlviz_network *network, size_t *size) {
    return gather(network, true, size);
}

void assert_same_states(const dlviz_network *a, const dlviz_network *b) {
    ck_assert_int_eq(dlviz_network_num_states(a), dlviz_network_num_states(b));
    for (int i = 0; i < dlviz_network_num_states(a); i++) {
        const char *name = dlviz_network_state_name(a, i);
        dlviz_tensor *left, *right;
        ck_ok(dlviz_network_get_state(a, name, &left));
        ck_ok(dlviz_network_get_state(b, name, &right));
        size_t bytes =
            (size_t)dlviz_tensor_num_elements(left) * dlviz_dtype_size(dlviz_tensor_dtype(left));
        ck_assert_int_eq(dlviz_tensor_num_elements(left), dlviz_tensor_num_elements(right));
        ck_assert_msg(
            memcmp(dlviz_tensor_const_data(left), dlviz_tensor_const_data(right), bytes) == 0,
            "'%s' differs", name);
        dlviz_tensor_destroy(left);
        dlviz_tensor_destroy(right);
    }
}
