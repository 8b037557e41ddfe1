/* Convolutions in groups and transposed ones, of any settings, against their definition in double
 * precision: outputs, gradients, and the same bits for any number of threads. */
#include "base/base.h"
#include "support/netspec.h"
#include "support/random_cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One layer: that of a convolution with `inputs` channels and `outputs`, or transposed. */
typedef struct settings {
    bool transposed, bias;
    int64_t n, groups, inputs, outputs, size[2];
    int64_t kernel[2], stride[2], padding[2], dilation[2], output_padding[2], out_size[2];
} settings;

static settings draw(dlz_random *random) {
    settings s = {.n = random_between(random, 1, 9),
                  .groups = random_between(random, 1, 5),
                  .transposed = random_chance(random, 0.5),
                  .bias = random_chance(random, 0.7)};
    bool depthwise = !s.transposed && random_chance(random, 0.5);
    s.groups = s.transposed || s.groups > 1 ? s.groups : 2;
    if (depthwise)
        s.groups = random_between(random, 2, 40);
    s.inputs = s.groups * (depthwise ? 1 : random_between(random, 1, 12));
    s.outputs = s.groups * random_between(random, 1, depthwise ? 2 : 12);
    for (int axis = 0; axis < 2; axis++) {
        s.kernel[axis] = random_between(random, 1, 5);
        s.stride[axis] = random_between(random, 1, 3);
        s.padding[axis] = random_between(random, 0, 3);
        s.dilation[axis] = random_chance(random, 0.6) ? 1 : random_between(random, 2, 3);
        int64_t extent = (s.kernel[axis] - 1) * s.dilation[axis] + 1;
        int64_t least = dlz_max_i64(1, extent - 2 * s.padding[axis]);
        if (!s.transposed) {
            s.size[axis] = random_between(random, least, least + 10);
            s.out_size[axis] = (s.size[axis] + 2 * s.padding[axis] - extent) / s.stride[axis] + 1;
            continue;
        }
        s.output_padding[axis] =
            random_between(random, 0, dlz_max_i64(s.stride[axis], s.dilation[axis]) - 1);
        s.size[axis] = 1 + 2 * s.padding[axis] + random_between(random, 0, 6);
        s.out_size[axis] = (s.size[axis] - 1) * s.stride[axis] - 2 * s.padding[axis] + extent +
                           s.output_padding[axis];
    }
    return s;
}

static dlviz_layer *layer_of(const settings *s) {
    dlviz_layer *layer;
    if (s->transposed) {
        layer = dlviz_conv_transpose2d(s->outputs, 1, 1);
        ck_ok(dlviz_conv_transpose2d_set_kernel(layer, s->kernel[0], s->kernel[1]));
        ck_ok(dlviz_conv_transpose2d_set_stride(layer, s->stride[0], s->stride[1]));
        ck_ok(dlviz_conv_transpose2d_set_padding(layer, s->padding[0], s->padding[1]));
        ck_ok(dlviz_conv_transpose2d_set_dilation(layer, s->dilation[0], s->dilation[1]));
        ck_ok(dlviz_conv_transpose2d_set_output_padding(layer, s->output_padding[0],
                                                        s->output_padding[1]));
        ck_ok(dlviz_conv_transpose2d_set_groups(layer, s->groups));
        ck_ok(dlviz_conv_transpose2d_set_bias(layer, s->bias));
        return layer;
    }
    layer = dlviz_conv2d(s->outputs, 1, 0);
    ck_ok(dlviz_conv2d_set_kernel(layer, s->kernel[0], s->kernel[1]));
    ck_ok(dlviz_conv2d_set_stride(layer, s->stride[0], s->stride[1]));
    ck_ok(dlviz_conv2d_set_padding(layer, s->padding[0], s->padding[1]));
    ck_ok(dlviz_conv2d_set_dilation(layer, s->dilation[0], s->dilation[1]));
    ck_ok(dlviz_conv2d_set_groups(layer, s->groups));
    ck_ok(dlviz_conv2d_set_bias(layer, s->bias));
    return layer;
}

/* -- In double -----------------------------------------------------------------------------------
 */

/* Sums, and sums of magnitudes for the bounds. Tensors are in PyTorch's order. */
typedef struct sums {
    int64_t count;
    double *value, *size;
} sums;

static sums no_sums(int64_t count) {
    sums s = {count, calloc((size_t)count, sizeof(double)), calloc((size_t)count, sizeof(double))};
    ck_assert_ptr_nonnull(s.value);
    ck_assert_ptr_nonnull(s.size);
    return s;
}

static void add(sums *s, int64_t at, double value) {
    s->value[at] += value;
    s->size[at] += fabs(value);
}

typedef struct reference {
    sums y, dx, dw, db;
} reference;

/* The larger image's place that the smaller one's place (y, x) meets by a tap; false outside. */
static bool meet(const settings *s, const int64_t *large, int64_t y, int64_t x, int64_t tap,
                 int64_t *place) {
    int64_t row = y * s->stride[0] - s->padding[0] + tap / s->kernel[1] * s->dilation[0];
    int64_t column = x * s->stride[1] - s->padding[1] + tap % s->kernel[1] * s->dilation[1];
    *place = row * large[1] + column;
    return row >= 0 && row < large[0] && column >= 0 && column < large[1];
}

/* Every product that a convolution is made of, once: between input i and output o of a group. */
static void compute_pair(const settings *s, reference *r, const float *x, const float *weights,
                         const float *dy, int64_t image, int64_t i, int64_t o) {
    const int64_t *large = s->transposed ? s->out_size : s->size;
    const int64_t *small = s->transposed ? s->size : s->out_size;
    int64_t taps = s->kernel[0] * s->kernel[1];
    int64_t weight = s->transposed
                         ? (i * (s->outputs / s->groups) + o % (s->outputs / s->groups)) * taps
                         : (o * (s->inputs / s->groups) + i % (s->inputs / s->groups)) * taps;
    int64_t in = (image * s->inputs + i) * s->size[0] * s->size[1];
    int64_t out = (image * s->outputs + o) * s->out_size[0] * s->out_size[1];
    for (int64_t pixel = 0; pixel < small[0] * small[1]; pixel++)
        for (int64_t tap = 0; tap < taps; tap++) {
            int64_t place;
            if (!meet(s, large, pixel / small[1], pixel % small[1], tap, &place))
                continue;
            int64_t from = in + (s->transposed ? pixel : place);
            int64_t to = out + (s->transposed ? place : pixel);
            double value = (double)x[from], w = (double)weights[weight + tap];
            double g = (double)dy[to];
            add(&r->y, to, value * w);
            add(&r->dx, from, g * w);
            add(&r->dw, weight + tap, g * value);
        }
}

static reference compute(const settings *s, const float *x, const float *weights, const float *bias,
                         const float *dy) {
    int64_t out_pixels = s->out_size[0] * s->out_size[1];
    reference r = {no_sums(s->n * s->outputs * out_pixels),
                   no_sums(s->n * s->inputs * s->size[0] * s->size[1]),
                   no_sums(s->inputs * s->outputs / s->groups * s->kernel[0] * s->kernel[1]),
                   no_sums(s->outputs)};
    for (int64_t at = 0; at < r.y.count; at++) {
        int64_t o = at / out_pixels % s->outputs;
        if (bias)
            add(&r.y, at, (double)bias[o]);
        add(&r.db, o, (double)dy[at]);
    }
    for (int64_t image = 0; image < s->n; image++)
        for (int64_t o = 0; o < s->outputs; o++)
            for (int64_t k = 0; k < s->inputs / s->groups; k++) {
                int64_t group = o / (s->outputs / s->groups);
                compute_pair(s, &r, x, weights, dy, image, group * (s->inputs / s->groups) + k, o);
            }
    return r;
}

static void discard(reference *r) {
    sums *all[] = {&r->y, &r->dx, &r->dw, &r->db};
    for (int i = 0; i < 4; i++) {
        free(all[i]->value);
        free(all[i]->size);
    }
}

/* -- Comparing -----------------------------------------------------------------------------------
 */

static void agree(const settings *s, const char *what, dlviz_tensor *got, const sums *wanted) {
    const float *values = dlviz_tensor_const_float(got);
    ck_assert_int_eq(dlviz_tensor_num_elements(got), wanted->count);
    for (int64_t i = 0; i < wanted->count; i++)
        ck_assert_msg(
            fabs((double)values[i] - wanted->value[i]) <= 40 * 0x1p-24 * (wanted->size[i] + 1),
            "%s, %s: %lld images %lld x %lld x %lld, %lld groups, %lld outputs, kernel %lld x "
            "%lld, stride %lld %lld, padding %lld %lld, dilation %lld %lld: number %lld is %.9g, "
            "not %.9g",
            s->transposed ? "transposed" : "plain", what, (long long)s->n, (long long)s->inputs,
            (long long)s->size[0], (long long)s->size[1], (long long)s->groups,
            (long long)s->outputs, (long long)s->kernel[0], (long long)s->kernel[1],
            (long long)s->stride[0], (long long)s->stride[1], (long long)s->padding[0],
            (long long)s->padding[1], (long long)s->dilation[0], (long long)s->dilation[1],
            (long long)i, (double)values[i], wanted->value[i]);
    dlviz_tensor_destroy(got);
}

static dlviz_tensor *uniform(int64_t n, int64_t channels, const int64_t size[2], uint64_t seed) {
    const int64_t dims[4] = {n, channels, size[0], size[1]};
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 4, dims));
    fill_uniform(dlviz_tensor_float(tensor), dlviz_tensor_num_elements(tensor), seed);
    return tensor;
}

static dlviz_network *network_of(const settings *s, uint64_t seed) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){s->inputs, s->size[0], s->size[1]}));
    ck_ok(dlviz_network_add(network, "conv", layer_of(s)));
    ck_ok(dlviz_network_build(network, seed));
    return network;
}

static dlviz_tensor *gradient_of(dlviz_network *network, const char *name) {
    dlviz_tensor *gradient;
    ck_ok(dlviz_network_get_gradient(network, name, &gradient));
    return gradient;
}

static void a_layer_is_its_definition(uint64_t seed) {
    dlz_random random = random_numbers(seed);
    settings s = draw(&random);
    dlviz_network *network = network_of(&s, seed);
    dlviz_tensor *x = uniform(s.n, s.inputs, s.size, seed + 1), *y, *dx;
    dlviz_tensor *dy = uniform(s.n, s.outputs, s.out_size, seed + 2), *weight, *bias = NULL;
    ck_ok(dlviz_network_get_state(network, "conv.weight", &weight));
    if (s.bias)
        ck_ok(dlviz_network_get_state(network, "conv.bias", &bias));
    reference wanted =
        compute(&s, dlviz_tensor_const_float(x), dlviz_tensor_const_float(weight),
                bias ? dlviz_tensor_const_float(bias) : NULL, dlviz_tensor_const_float(dy));
    ck_ok(dlviz_network_forward(network, x, &y));
    agree(&s, "output", y, &wanted.y);
    ck_ok(dlviz_network_backward_from(network, "conv", x, dy, 1, 1, &dx));
    agree(&s, "input gradient", dx, &wanted.dx);
    agree(&s, "weight gradient", gradient_of(network, "conv.weight"), &wanted.dw);
    if (s.bias)
        agree(&s, "bias gradient", gradient_of(network, "conv.bias"), &wanted.db);
    discard(&wanted);
    dlviz_tensor *tensors[] = {x, dy, weight, bias};
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(tensors[i]);
    dlviz_network_destroy(network);
}

/* -- Between others -------------------------------------------------------------------------------
 */

/* Behind a batch norm and a relu, and in front of both: in training what they do may be left to the
 * layer or taken from it, and in evaluation all of it is folded. */
static dlviz_network *chain_of(const settings *s, uint64_t seed) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){2, s->size[0], s->size[1]}));
    ck_ok(dlviz_network_add(network, "in", dlviz_conv2d(s->inputs, 1, 0)));
    ck_ok(dlviz_network_add(network, "in_norm", dlviz_batchnorm()));
    ck_ok(dlviz_network_add(network, "in_relu", dlviz_relu()));
    ck_ok(dlviz_network_add(network, "conv", layer_of(s)));
    ck_ok(dlviz_network_add(network, "norm", dlviz_batchnorm()));
    ck_ok(dlviz_network_add(network, "relu", dlviz_relu()));
    ck_ok(dlviz_network_add(network, "out", dlviz_conv2d(3, 1, 0)));
    ck_ok(dlviz_network_build(network, seed));
    return network;
}

typedef struct numbers {
    dlviz_tensor *y, *dx;
    void *gradients, *states;
    size_t gradient_bytes, state_bytes;
} numbers;

static numbers run_chain(const settings *s, const dlviz_tensor *x, const dlviz_tensor *dy,
                         uint64_t seed) {
    dlviz_network *network = chain_of(s, seed);
    numbers r;
    ck_ok(dlviz_network_backward_from(network, "out", x, dy, 1, 1, &r.dx));
    ck_ok(dlviz_network_forward(network, x, &r.y));
    r.gradients = all_gradients(network, &r.gradient_bytes);
    r.states = all_states(network, &r.state_bytes);
    dlviz_network_destroy(network);
    return r;
}

static void discard_numbers(numbers *r) {
    dlviz_tensor_destroy(r->y);
    dlviz_tensor_destroy(r->dx);
    free(r->gradients);
    free(r->states);
}

static void same_tensor(const dlviz_tensor *a, const dlviz_tensor *b) {
    ck_assert_mem_eq(dlviz_tensor_const_data(a), dlviz_tensor_const_data(b),
                     (size_t)dlviz_tensor_num_elements(a) * sizeof(float));
}

static void bits_do_not_depend_on_threads(uint64_t seed) {
    static const int threads[] = {2, 3, 8};
    dlz_random random = random_numbers(seed + 5000);
    settings s = draw(&random);
    s.n += 2; /* a batch norm needs several values */
    dlviz_tensor *x = uniform(s.n, 2, s.size, seed), *dy = uniform(s.n, 3, s.out_size, seed + 1);
    ck_ok(dlviz_set_num_threads(1));
    numbers one = run_chain(&s, x, dy, seed);
    for (int i = 0; i < 3; i++) {
        ck_ok(dlviz_set_num_threads(threads[i]));
        numbers more = run_chain(&s, x, dy, seed);
        same_tensor(one.y, more.y);
        same_tensor(one.dx, more.dx);
        ck_assert_mem_eq(one.gradients, more.gradients, one.gradient_bytes);
        ck_assert_mem_eq(one.states, more.states, one.state_bytes);
        discard_numbers(&more);
    }
    discard_numbers(&one);
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(dy);
}

int main(void) {
    const random_test tests[] = {
        {"a_layer_is_its_definition", a_layer_is_its_definition, 150},
        {"bits_do_not_depend_on_threads", bits_do_not_depend_on_threads, 30},
        {NULL, NULL, 0}};
    return run_random_tests("convolutions", tests);
}
