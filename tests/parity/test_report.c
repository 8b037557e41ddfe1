/* The network of the report against PyTorch: one training step, every layer's output, 100 steps of
 * Adam; and the same bits for any number of threads. */
#include "parity/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Largest relative error of logits, gradients and statistics in the Euclidean norm; where PyTorch's
 * own float32 result is further than half of that from its float64 one, twice PyTorch's error. */
#define TOLERANCE 1e-5

/* The committed digits that the fixture is of: none of their 10^6 rectifier inputs or pool windows
 * is within 5e-6 of where the gradient jumps, so rounding cannot decide for another branch. */
#define DIGITS 41

static void compare_step(const char *prefix, int64_t size, double tolerance, dlviz_tensor *inputs,
                         dlviz_tensor *labels) {
    fixture *file = fixture_open("report.safetensors");
    net_spec spec;
    report_spec(&spec, size, 0);
    int far = compare_network(file, prefix, &spec, false, 1, &inputs, &labels, tolerance, true);
    ck_assert_msg(far == 0, "%d tensors are too far from PyTorch's", far);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    fixture_close(file);
}

START_TEST(a_step_on_digits_is_pytorchs) {
    dlviz_tensor *inputs, *labels;
    digits(DIGITS, 8, &inputs, &labels);
    compare_step("digits", 32, TOLERANCE, inputs, labels);
}
END_TEST

START_TEST(a_step_on_a_batch_of_64_is_pytorchs) {
    net_spec spec;
    report_spec(&spec, 32, 0);
    /* Of 10^7 rectifier inputs and pool windows a few lie within float32's rounding of the point
     * where the gradient jumps, and each that falls on the other side moves a gradient by some 1e-4
     * of its norm. So the bound is wide here; it still finds a wrong tile or a missing image. */
    compare_step("synthetic32", 32, 3e-3, input_tensor(&spec, 64, 300, false),
                 label_tensor(64, 10, 301));
}
END_TEST

START_TEST(a_step_on_small_images_is_pytorchs) {
    net_spec spec;
    report_spec(&spec, 28, 0);
    compare_step("synthetic28", 28, TOLERANCE, input_tensor(&spec, 16, 303, false),
                 label_tensor(16, 10, 301));
}
END_TEST

START_TEST(each_layers_output_is_pytorchs) {
    fixture *file = fixture_open("report.safetensors");
    dlviz_network *network = report_network(32, 0);
    dlviz_tensor *inputs, *labels, *features;
    dlviz_dataset *dataset;
    int far = 0;
    fill_states(network, 1, false);
    digits(DIGITS, 8, &inputs, &labels);
    /* The stored features follow one training step, which moved the running statistics. */
    ck_ok(dlviz_network_backward(network, inputs, labels, 7, 0, NULL));
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    for (int i = 0; i < dlviz_network_num_layers(network); i++) {
        const char *layer = dlviz_network_layer_name(network, i);
        char key[64];
        int ndim = dlviz_network_layer_ndim(network, layer);
        const int64_t *dims = dlviz_network_layer_dims(network, layer);
        ck_ok(dlviz_network_features(network, layer, dataset, &features));
        ck_assert_int_eq(dlviz_tensor_ndim(features), 2);
        ck_assert_int_eq(dlviz_tensor_dim(features, 0), 8);
        ck_assert_int_eq(dlviz_tensor_dim(features, 1), product(ndim, dims));
        snprintf(key, sizeof key, "features/%s", layer);
        far += !tensor_is_near(file, key, features, TOLERANCE, 0, true);
    }
    ck_assert_msg(far == 0, "%d layers are too far from PyTorch's", far);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_network_destroy(network);
    fixture_close(file);
}
END_TEST

/* Trains 100 steps of 16 digits each and compares the losses with PyTorch's in float64.
 *
 * Training amplifies rounding: Adam divides by √v, so that a gradient that is little more than
 * noise moves its parameter as far as any other. PyTorch's own float32 runs, which differ in
 * nothing but the order of their sums, leave its float64 one: at rate 1e-3 within a few steps, at
 * 1e-5 after some fifty. So a loss counts as the same when it is within 1e-4, or within four times
 * the largest distance that any of them has had up to that step or reaches within the next twenty:
 * they part at about the same time, not at the same step. */
static void compare_training(const char *key, double learning_rate) {
    fixture *file = fixture_open("adam.safetensors");
    char name[64];
    snprintf(name, sizeof name, "%s/float64", key);
    const double *wide = fixture_doubles(file, name, 100);
    snprintf(name, sizeof name, "%s/apart", key);
    const double *apart = fixture_doubles(file, name, 100);
    dlviz_network *network = report_network(32, 0);
    dlviz_optimizer *adam;
    fill_states(network, 1, false);
    ck_ok(dlviz_adam_create(&adam, learning_rate));
    double torch = 0, worst = 0;
    int far = 0;
    for (int t = 0; t < 100; t++) {
        dlviz_tensor *inputs, *labels;
        double loss;
        digits(16 * t % 64, 16, &inputs, &labels);
        ck_ok(dlviz_network_backward(network, inputs, labels, 7, (uint64_t)t, &loss));
        ck_ok(dlviz_optimizer_step(adam, network));
        for (int ahead = t; ahead < 100 && ahead <= t + 20; ahead++)
            torch = fmax(torch, apart[ahead]);
        double error = fabs(loss - wide[t]) / wide[t];
        bool near = error <= fmax(1e-4, 4 * torch);
        worst = fmax(worst, error);
        far += !near;
        if (t < 10 || t % 10 == 9 || !near)
            printf("step %2d: loss %.6f, off by %.1e; worst so far %.1e, PyTorch float32 %.1e%s\n",
                   t, loss, error, worst, torch, near ? "" : "  TOO FAR");
        dlviz_tensor_destroy(inputs);
        dlviz_tensor_destroy(labels);
    }
    fflush(stdout);
    ck_assert_int_eq(dlviz_optimizer_num_steps(adam), 100);
    ck_assert_msg(far == 0, "%d losses are too far from PyTorch's", far);
    dlviz_optimizer_destroy(adam);
    dlviz_network_destroy(network);
    fixture_close(file);
}

START_TEST(a_hundred_steps_of_adam_follow_pytorch) {
    compare_training("rate1e-3", 1e-3);
}
END_TEST

START_TEST(a_hundred_small_steps_of_adam_are_pytorchs) {
    compare_training("rate1e-5", 1e-5);
}
END_TEST

START_TEST(names_and_shapes_are_pytorchs) {
    dlviz_network *network = report_network(32, 1);
    FILE *list = fopen(fixture_path("report_states.txt"), "r");
    ck_assert_ptr_nonnull(list);
    char line[128];
    int index = 0;
    for (; fgets(line, sizeof line, list); index++) {
        char name[64], dtype[8], text[128];
        dlviz_tensor *tensor;
        ck_assert_int_eq(sscanf(line, "%63s %7s", name, dtype), 2);
        ck_assert_str_eq(dlviz_network_state_name(network, index), name);
        ck_ok(dlviz_network_get_state(network, name, &tensor));
        int length = snprintf(text, sizeof text, "%s %s", name,
                              dlviz_tensor_dtype(tensor) == DLVIZ_INT64 ? "I64" : "F32");
        for (int i = 0; i < dlviz_tensor_ndim(tensor); i++)
            length += snprintf(text + length, sizeof text - (size_t)length, " %lld",
                               (long long)dlviz_tensor_dim(tensor, i));
        ck_assert_str_eq(strtok(line, "\n"), text);
        dlviz_tensor_destroy(tensor);
    }
    fclose(list);
    ck_assert_int_eq(dlviz_network_num_states(network), index);
    ck_assert_int_eq(dlviz_network_num_parameters(network), 2169194);
    dlviz_network_destroy(network);
}
END_TEST

/* Three steps with dropout; the states afterwards, the gradients of the last and the logits. */
static void train_three(int threads, void *result[3], size_t size[3]) {
    dlviz_network *network = report_network(28, 1);
    net_spec spec;
    dlviz_optimizer *adam;
    report_spec(&spec, 28, 1);
    ck_ok(dlviz_set_num_threads(threads));
    ck_ok(dlviz_adam_create(&adam, 1e-3));
    for (uint64_t t = 0; t < 3; t++) {
        /* 37 is odd and no multiple of any tile. */
        dlviz_tensor *inputs = input_tensor(&spec, 37, 700 + t, false);
        dlviz_tensor *labels = label_tensor(37, 10, 800 + t);
        ck_ok(dlviz_network_backward(network, inputs, labels, 11, t, NULL));
        ck_ok(dlviz_optimizer_step(adam, network));
        if (t == 2) {
            dlviz_tensor *logits;
            ck_ok(dlviz_network_forward(network, inputs, &logits));
            size[2] = (size_t)dlviz_tensor_num_elements(logits) * sizeof(float);
            result[2] = malloc(size[2]);
            memcpy(result[2], dlviz_tensor_const_data(logits), size[2]);
            dlviz_tensor_destroy(logits);
        }
        dlviz_tensor_destroy(inputs);
        dlviz_tensor_destroy(labels);
    }
    result[0] = all_states(network, &size[0]);
    result[1] = all_gradients(network, &size[1]);
    dlviz_optimizer_destroy(adam);
    dlviz_network_destroy(network);
}

START_TEST(threads_change_no_bit) {
    const int threads[] = {1, 2, 3, 8};
    void *first[3], *other[3];
    size_t first_size[3], other_size[3];
    train_three(1, first, first_size);
    for (int i = 0; i < 4; i++) {
        train_three(threads[i], other, other_size);
        for (int part = 0; part < 3; part++) {
            ck_assert_uint_eq(first_size[part], other_size[part]);
            ck_assert_msg(memcmp(first[part], other[part], first_size[part]) == 0,
                          "%d threads give other %s than 1", threads[i],
                          part == 0   ? "states"
                          : part == 1 ? "gradients"
                                      : "logits");
            free(other[part]);
        }
    }
    for (int part = 0; part < 3; part++)
        free(first[part]);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_step_on_digits_is_pytorchs,
                                  a_step_on_a_batch_of_64_is_pytorchs,
                                  a_step_on_small_images_is_pytorchs,
                                  each_layers_output_is_pytorchs,
                                  a_hundred_steps_of_adam_follow_pytorch,
                                  a_hundred_small_steps_of_adam_are_pytorchs,
                                  names_and_shapes_are_pytorchs,
                                  threads_change_no_bit,
                                  NULL};
    return run_tests("the report's network against PyTorch", tests);
}
