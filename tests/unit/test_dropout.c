/* Dropout's masks, read off the gradients of a linear layer behind it. */
#include "support/netspec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES 8

/* What dropout makes of images in which every number of image i is 2^i: the gradient of a linear
 * layer with weight 0 and two outputs is −1/2 · mean over images for the label's output, so the sum
 * over images of what passed comes back exactly. Writes 1 for every number that was kept, image by
 * image. */
static void read_masks(const char *dims, const char *net_text, double p, uint64_t seed,
                       uint64_t step, uint8_t *masks, int64_t size) {
    net_spec spec;
    parse_net(&spec, dims, net_text);
    dlviz_network *network = build_net(&spec, 1);
    dlviz_tensor *inputs = input_tensor(&spec, IMAGES, 0, false), *labels, *zero, *gradient;
    for (int64_t i = 0; i < IMAGES * size; i++)
        dlviz_tensor_float(inputs)[i] = (float)(1 << (i / size));
    labels = int64_tensor(IMAGES, (int64_t[IMAGES]){0});
    ck_ok(dlviz_tensor_create(&zero, DLVIZ_FLOAT32, 2, (int64_t[]){2, size}));
    ck_ok(dlviz_network_set_state(network, "fc.weight", zero));
    ck_ok(dlviz_network_backward(network, inputs, labels, seed, step, NULL));
    ck_ok(dlviz_network_get_gradient(network, "fc.weight", &gradient));
    for (int64_t j = 0; j < size; j++) {
        double sum = -2.0 * IMAGES * (1 - p) * dlviz_tensor_const_float(gradient)[j];
        int bits = (int)lround(sum);
        ck_assert_msg(fabs(sum - bits) < 1e-4, "a kept number is not scaled by 1/(1 - %g)", p);
        ck_assert_msg(bits >= 0 && bits < 1 << IMAGES, "the sum of kept numbers is %g", sum);
        for (int i = 0; i < IMAGES; i++)
            masks[i * size + j] = bits >> i & 1;
    }
    dlviz_tensor_destroy(zero);
    dlviz_tensor_destroy(gradient);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(network);
}

/* The numbers of a mask in which two differ, as a share. */
static double share_of_difference(const uint8_t *a, const uint8_t *b, int64_t size) {
    int64_t count = 0;
    for (int64_t i = 0; i < size; i++)
        count += a[i] != b[i];
    return (double)count / (double)size;
}

static void assert_share(double share, double expected, double count) {
    ck_assert_double_eq_tol(share, expected, 5 * sqrt(expected * (1 - expected) / count) + 1e-9);
}

/* Linear layers need their biases at 0 for equal outputs; without one they are. */
#define VECTOR_NET "drop:dropout,p=%g fc:linear,out=2,bias=0"
#define IMAGE_NET "drop:dropout,p=%g flat:flatten fc:linear,out=2,bias=0"

static const char *net_with(const char *format, double p) {
    static char text[256];
    char *at = strstr(format, "%g");
    ck_assert_ptr_nonnull(at);
    snprintf(text, sizeof text, "%.*s%g%s", (int)(at - format), format, p, at + 2);
    return text;
}

static const struct {
    const char *dims, *net;
    int64_t size;
} places[] = {{"1031", VECTOR_NET, 1031}, {"3x17x19", IMAGE_NET, 969}, {"32x9x5", IMAGE_NET, 1440}};

START_TEST(the_rate_is_right) {
    static const double rates[] = {0.1, 0.25, 0.5, 0.9};
    static uint8_t masks[IMAGES * 1440];
    for (size_t k = 0; k < 3; k++)
        for (size_t r = 0; r < 4; r++) {
            int64_t size = places[k].size, kept = 0;
            read_masks(places[k].dims, net_with(places[k].net, rates[r]), rates[r], 5, 6, masks,
                       size);
            for (int64_t i = 0; i < IMAGES * size; i++)
                kept += masks[i];
            assert_share((double)kept / (double)(IMAGES * size), 1 - rates[r],
                         (double)(IMAGES * size));
        }
}
END_TEST

START_TEST(masks_differ_by_image_step_and_seed) {
    static uint8_t a[IMAGES * 1440], b[IMAGES * 1440];
    for (size_t k = 0; k < 3; k++) {
        const char *net = net_with(places[k].net, 0.5);
        int64_t size = places[k].size;
        read_masks(places[k].dims, net, 0.5, 5, 6, a, size);
        for (int i = 0; i < IMAGES; i++)
            for (int j = 0; j < i; j++)
                assert_share(share_of_difference(a + i * size, a + j * size, size), 0.5,
                             (double)size);
        read_masks(places[k].dims, net, 0.5, 5, 6, b, size);
        ck_assert_double_eq(share_of_difference(a, b, IMAGES * size), 0);
        read_masks(places[k].dims, net, 0.5, 5, 7, b, size);
        assert_share(share_of_difference(a, b, IMAGES * size), 0.5, (double)(IMAGES * size));
        read_masks(places[k].dims, net, 0.5, 6, 6, b, size);
        assert_share(share_of_difference(a, b, IMAGES * size), 0.5, (double)(IMAGES * size));
        read_masks(places[k].dims, net, 0.5, 5 + (1ull << 40), 6, b, size);
        assert_share(share_of_difference(a, b, IMAGES * size), 0.5, (double)(IMAGES * size));
        read_masks(places[k].dims, net, 0.5, 5, 6 + (1ull << 33), b, size);
        assert_share(share_of_difference(a, b, IMAGES * size), 0.5, (double)(IMAGES * size));
        /* Nor does the mask of one step reappear at the next image of another. */
        read_masks(places[k].dims, net, 0.5, 5, 5, b, size);
        for (int i = 0; i < IMAGES; i++)
            for (int j = 0; j < IMAGES; j++)
                assert_share(share_of_difference(a + i * size, b + j * size, size), 0.5,
                             (double)size);
    }
}
END_TEST

START_TEST(neighbors_are_independent) {
    /* The share of neighbors that are both kept, at distances within and across blocks of numbers.
     */
    static uint8_t masks[IMAGES * 1440];
    read_masks("1031", net_with(VECTOR_NET, 0.5), 0.5, 1, 2, masks, 1031);
    for (int64_t distance = 1; distance < 70; distance++) {
        int64_t both = 0, count = IMAGES * 1031 - distance;
        for (int64_t i = 0; i < count; i++)
            both += masks[i] && masks[i + distance];
        assert_share((double)both / (double)count, 0.25, (double)count);
    }
}
END_TEST

START_TEST(two_layers_have_different_masks) {
    /* With the same mask twice, half of the numbers would pass; with two masks, a quarter. */
    static uint8_t masks[IMAGES * 1440];
    read_masks("1031", "a:dropout,p=0.5 b:dropout,p=0.5 fc:linear,out=2,bias=0", 0.75, 1, 2, masks,
               1031);
    int64_t kept = 0;
    for (int64_t i = 0; i < IMAGES * 1031; i++)
        kept += masks[i];
    assert_share((double)kept / (IMAGES * 1031), 0.25, IMAGES * 1031);
}
END_TEST

START_TEST(threads_do_not_change_a_mask) {
    static uint8_t one[IMAGES * 1440], many[IMAGES * 1440];
    const int threads[] = {2, 3, 8};
    for (size_t k = 0; k < 3; k++) {
        ck_ok(dlviz_set_num_threads(1));
        read_masks(places[k].dims, net_with(places[k].net, 0.25), 0.25, 3, 4, one, places[k].size);
        for (int t = 0; t < 3; t++) {
            ck_ok(dlviz_set_num_threads(threads[t]));
            read_masks(places[k].dims, net_with(places[k].net, 0.25), 0.25, 3, 4, many,
                       places[k].size);
            ck_assert_int_eq(memcmp(one, many, (size_t)(IMAGES * places[k].size)), 0);
        }
    }
}
END_TEST

/* The gradient of fc.weight's first row in a block as networks have it; what is kept must be what
 * passes without dropout, times 1/(1 − p). */
static float *block_gradient(double p) {
    net_spec spec;
    char text[256];
    snprintf(text, sizeof text,
             "conv:conv,out=32,k=3,pad=same bn:bn relu:relu pool:pool,k=2 drop:dropout,p=%g "
             "flat:flatten fc:linear,out=2,bias=0",
             p);
    parse_net(&spec, "1x14x18", text);
    dlviz_network *network = build_net(&spec, 1);
    fill_states(network, 1, false);
    dlviz_tensor *inputs = input_tensor(&spec, 1, 9, false), *gradient, *zero, *high, *labels;
    const int64_t size = 32 * 7 * 9;
    ck_ok(dlviz_tensor_create(&zero, DLVIZ_FLOAT32, 2, (int64_t[]){2, size}));
    ck_ok(dlviz_tensor_create(&high, DLVIZ_FLOAT32, 1, (int64_t[]){32}));
    for (int i = 0; i < 32; i++) /* nothing is cut off by the rectifier */
        dlviz_tensor_float(high)[i] = 20;
    labels = int64_tensor(1, (int64_t[]){0});
    ck_ok(dlviz_network_set_state(network, "fc.weight", zero));
    ck_ok(dlviz_network_set_state(network, "bn.bias", high));
    ck_ok(dlviz_network_backward(network, inputs, labels, 31, 2, NULL));
    ck_ok(dlviz_network_get_gradient(network, "fc.weight", &gradient));
    float *row = malloc((size_t)size * sizeof *row);
    memcpy(row, dlviz_tensor_const_float(gradient), (size_t)size * sizeof *row);
    dlviz_tensor *all[] = {inputs, gradient, zero, high, labels};
    for (int i = 0; i < 5; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_network_destroy(network);
    return row;
}

START_TEST(what_passes_after_a_block_is_scaled) {
    const int64_t size = 32 * 7 * 9;
    float *whole = block_gradient(0);
    const double rates[] = {0.25, 0.5};
    for (int r = 0; r < 2; r++) {
        float *some = block_gradient(rates[r]);
        int64_t kept = 0;
        for (int64_t i = 0; i < size; i++)
            if (some[i] != 0) {
                ck_assert_double_eq_tol(some[i] * (1 - rates[r]) / whole[i], 1, 4e-7);
                kept++;
            }
        assert_share((double)kept / (double)size, 1 - rates[r], (double)size);
        free(some);
    }
    free(whole);
}
END_TEST

START_TEST(evaluation_passes_everything) {
    net_spec spec;
    parse_net(&spec, "40", "drop:dropout,p=0.5 fc:linear,out=3");
    dlviz_network *with = build_net(&spec, 1), *without = net_from_text("40", "fc:linear,out=3");
    fill_states(with, 1, false);
    fill_states(without, 1, false);
    dlviz_tensor *inputs = input_tensor(&spec, 5, 1, false), *a, *b, *features;
    dlviz_dataset *dataset;
    ck_ok(dlviz_network_forward(with, inputs, &a));
    ck_ok(dlviz_network_forward(without, inputs, &b));
    ck_assert_int_eq(
        memcmp(dlviz_tensor_const_data(a), dlviz_tensor_const_data(b), 15 * sizeof(float)), 0);
    ck_ok(dlviz_dataset_create(&dataset, inputs, NULL));
    ck_ok(dlviz_network_features(with, "drop", dataset, &features));
    ck_assert_int_eq(memcmp(dlviz_tensor_const_data(features), dlviz_tensor_const_data(inputs),
                            200 * sizeof(float)),
                     0);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(features);
    dlviz_tensor_destroy(a);
    dlviz_tensor_destroy(b);
    dlviz_tensor_destroy(inputs);
    dlviz_network_destroy(with);
    dlviz_network_destroy(without);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {the_rate_is_right,
                                  masks_differ_by_image_step_and_seed,
                                  neighbors_are_independent,
                                  two_layers_have_different_masks,
                                  threads_do_not_change_a_mask,
                                  what_passes_after_a_block_is_scaled,
                                  evaluation_passes_everything,
                                  NULL};
    return run_tests("dropout", tests);
}
