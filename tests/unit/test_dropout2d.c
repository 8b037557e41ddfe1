/* Dropout of whole channels: its masks, read off the outputs for inputs of 1. */
#include "support/one_layer.h"

#include <math.h>
#include <string.h>

enum { IMAGES = 40, CHANNELS = 37, PIXELS = 15, SIZE = CHANNELS * PIXELS, ALL = IMAGES * SIZE };

static float x[ALL], y[ALL], dy[ALL], dx[ALL];

static const double P = 0.3;

/* Writes 1 for each channel that was kept, image by image; what a channel holds must be 0 or 1/(1 −
 * p) throughout, and its gradient likewise. */
static void read_mask(double p, uint64_t seed, uint64_t step, uint8_t mask[IMAGES * CHANNELS]) {
    dlviz_network *network = one_layer("37x3x5", dlviz_dropout2d(p));
    for (int i = 0; i < ALL; i++) {
        x[i] = 1;
        dy[i] = 2;
    }
    run_one_layer(network, IMAGES,
                  (one_layer_mode){.training = true, .gradients = true, .seed = seed, .step = step},
                  x, y, dy, dx);
    for (int i = 0; i < ALL; i++) {
        mask[i / PIXELS] = y[i - i % PIXELS] > 0;
        float kept = mask[i / PIXELS] ? (float)(1 / (1 - p)) : 0;
        ck_assert_float_eq(y[i], kept);
        ck_assert_float_eq(dx[i], 2 * kept);
    }
    dlviz_network_destroy(network);
}

static double share(const uint8_t *a, const uint8_t *b, int count) {
    int different = 0;
    for (int i = 0; i < count; i++)
        different += b ? a[i] != b[i] : a[i];
    return (double)different / count;
}

static void assert_share(double got, double expected, double count) {
    ck_assert_double_eq_tol(got, expected, 5 * sqrt(expected * (1 - expected) / count) + 1e-9);
}

START_TEST(whole_channels_are_dropped_at_the_rate) {
    static const double rates[] = {0, 0.1, 0.5, 0.9};
    uint8_t mask[IMAGES * CHANNELS];
    for (int r = 0; r < 4; r++) {
        read_mask(rates[r], 5, 6, mask);
        assert_share(share(mask, NULL, IMAGES * CHANNELS), 1 - rates[r], IMAGES * CHANNELS);
    }
}
END_TEST

START_TEST(masks_differ_by_image_step_and_seed) {
    static uint8_t a[IMAGES * CHANNELS], b[IMAGES * CHANNELS];
    const int all = IMAGES * CHANNELS;
    const double apart = 2 * P * (1 - P); /* of independent masks */
    read_mask(P, 5, 6, a);
    read_mask(P, 5, 6, b);
    ck_assert_double_eq(share(a, b, all), 0);
    assert_share(share(a, a + CHANNELS, all - CHANNELS), apart, all - CHANNELS);
    for (int distance = 1; distance < 10; distance++) /* channels do not go together either */
        assert_share(share(a, a + distance, all - distance), apart, all - distance);
    const uint64_t others[][2] = {
        {5, 7}, {6, 6}, {5 + (1ull << 40), 6}, {5, 6 + (1ull << 33)}, {5, 5}};
    for (int i = 0; i < 5; i++) {
        read_mask(P, others[i][0], others[i][1], b);
        assert_share(share(a, b, all), apart, all);
        assert_share(share(a + CHANNELS, b, all - CHANNELS), apart, all - CHANNELS);
    }
}
END_TEST

START_TEST(the_number_of_threads_does_not_matter) {
    static uint8_t one[IMAGES * CHANNELS], many[IMAGES * CHANNELS];
    const int threads[] = {2, 3, 8};
    ck_ok(dlviz_set_num_threads(1));
    read_mask(P, 3, 4, one);
    for (int t = 0; t < 3; t++) {
        ck_ok(dlviz_set_num_threads(threads[t]));
        read_mask(P, 3, 4, many);
        ck_assert_int_eq(memcmp(one, many, sizeof one), 0);
    }
}
END_TEST

START_TEST(two_layers_have_different_masks) {
    /* With the same mask twice, half of the channels would pass; with two masks, a quarter. */
    dlviz_network *network;
    dlviz_tensor *inputs, *labels, *gradient, *zero;
    enum { MANY = 2000 };
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){MANY, 1, 1}));
    ck_ok(dlviz_network_add(network, "a", dlviz_dropout2d(0.5)));
    ck_ok(dlviz_network_add(network, "b", dlviz_dropout2d(0.5)));
    ck_ok(dlviz_network_add(network, "flat", dlviz_flatten()));
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(2)));
    ck_ok(dlviz_network_build(network, 1));
    ck_ok(dlviz_tensor_create(&zero, DLVIZ_FLOAT32, 2, (int64_t[]){2, MANY}));
    ck_ok(dlviz_network_set_state(network, "fc.weight", zero));
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, 4, (int64_t[]){1, MANY, 1, 1}));
    ck_ok(dlviz_tensor_create(&labels, DLVIZ_INT64, 1, (int64_t[]){1}));
    for (int i = 0; i < MANY; i++)
        dlviz_tensor_float(inputs)[i] = 1;
    ck_ok(dlviz_network_backward(network, inputs, labels, 1, 2, NULL));
    ck_ok(dlviz_network_get_gradient(network, "fc.weight", &gradient));
    int kept = 0;
    for (int i = 0; i < MANY; i++)
        kept += dlviz_tensor_const_float(gradient)[i] != 0;
    assert_share((double)kept / MANY, 0.25, MANY);
    dlviz_tensor *all[] = {inputs, labels, gradient, zero};
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(evaluation_passes_everything) {
    dlviz_network *network = one_layer("37x3x5", dlviz_dropout2d(0.5));
    fill_uniform(x, ALL, 1);
    fill_uniform(dy, ALL, 2);
    x[0] = NAN;
    run_one_layer(network, IMAGES, (one_layer_mode){0}, x, y, NULL, NULL);
    ck_assert_int_eq(memcmp(x, y, sizeof x), 0);
    memset(y, 0, sizeof y);
    run_one_layer(network, IMAGES, (one_layer_mode){.gradients = true}, x, y, dy, dx);
    ck_assert_int_eq(memcmp(x, y, sizeof x), 0);
    ck_assert_int_eq(memcmp(dy, dx, sizeof dy), 0);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(settings_and_shapes_are_checked) {
    static const double bad[] = {-0.1, 1, NAN, 7};
    for (int i = 0; i < 4; i++) {
        dlviz_network *network;
        ck_ok(dlviz_network_create(&network, 3, (int64_t[]){2, 3, 3}));
        ck_fails(dlviz_network_add(network, "drop", dlviz_dropout2d(bad[i])),
                 DLVIZ_ERROR_INVALID_ARGUMENT, "0 to below 1 is accepted");
        ck_fails(dlviz_network_build(network, 1), DLVIZ_ERROR_INVALID_ARGUMENT,
                 "0 to below 1 is accepted");
        dlviz_network_destroy(network);
    }
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){9}));
    dlviz_layer *layer = dlviz_dropout2d(0.25);
    ck_assert_double_eq(dlviz_dropout2d_p(layer), 0.25);
    ck_assert(isnan(dlviz_dropout2d_p(NULL)));
    ck_ok(dlviz_network_add(network, "drop", layer));
    ck_fails(dlviz_network_build(network, 1), DLVIZ_ERROR_SHAPE, "needs 3");
    dlviz_network_destroy(network);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {whole_channels_are_dropped_at_the_rate,
                                  masks_differ_by_image_step_and_seed,
                                  the_number_of_threads_does_not_matter,
                                  two_layers_have_different_masks,
                                  evaluation_passes_everything,
                                  settings_and_shapes_are_checked,
                                  NULL};
    return run_tests("dropout of channels", tests);
}
