/* Every layer, forward and backward, in training and in evaluation, against PyTorch in float64. */
#include "parity/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest relative error of a tensor in the Euclidean norm. Float32 has 6e-8; sums over a few
 * hundred terms and Winograd's transforms come to some 1e-6. */
#define TOLERANCE 5e-6
/* Where the mean is some 170 deviations from zero, rounding a convolution's result takes 1e-5 of
 * what the batch norm makes of it. */
#define FAR_TOLERANCE 2e-5

typedef struct layer_case {
    char name[32], dims[32], kind[16], net[512];
    int batch, steps;
} layer_case;

static bool read_case(FILE *file, layer_case *c) {
    char line[1024];
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        int fields = sscanf(line, " %31[^| ] | %31[^| ] | %d | %d | %15[^| ] | %511[^\n]", c->name,
                            c->dims, &c->batch, &c->steps, c->kind, c->net);
        ck_assert_msg(fields == 6, "bad line in layers.txt: %s", line);
        return true;
    }
    return false;
}

static int run_case(const fixture *file, const layer_case *c) {
    net_spec spec;
    dlviz_tensor *inputs[8], *labels[8];
    bool ties = strcmp(c->kind, "ties") == 0, far_mean = strcmp(c->kind, "far") == 0;
    parse_net(&spec, c->dims, c->net);
    int64_t classes = spec.layers[spec.count - 1].dims[0];
    for (int t = 0; t < c->steps; t++) {
        inputs[t] = input_tensor(&spec, c->batch, 100 + (uint64_t)t, ties);
        for (int64_t i = 0; far_mean && i < dlviz_tensor_num_elements(inputs[t]); i++)
            dlviz_tensor_float(inputs[t])[i] += 100.0f;
        labels[t] = label_tensor(c->batch, classes, 200 + (uint64_t)t);
    }
    int far =
        compare_network(file, c->name, &spec, ties, c->steps, inputs, labels,
                        far_mean ? FAR_TOLERANCE : TOLERANCE, getenv("DLVIZ_TEST_VERBOSE") != NULL);
    for (int t = 0; t < c->steps; t++) {
        dlviz_tensor_destroy(inputs[t]);
        dlviz_tensor_destroy(labels[t]);
    }
    return far;
}

static bool starts_with_any(const char *name, const char *const *prefixes) {
    for (; *prefixes; prefixes++)
        if (strncmp(name, *prefixes, strlen(*prefixes)) == 0)
            return true;
    return false;
}

/* Runs the cases whose names start with one of the prefixes, all of them even after a failure. */
static void run_family(const char *const *prefixes, int at_least) {
    fixture *file = fixture_open("layers.safetensors");
    FILE *cases = fopen(fixture_path("layers.txt"), "r");
    ck_assert_ptr_nonnull(cases);
    layer_case c;
    int count = 0, far = 0;
    while (read_case(cases, &c))
        if (starts_with_any(c.name, prefixes)) {
            far += run_case(file, &c);
            count++;
        }
    fclose(cases);
    fixture_close(file);
    ck_assert_int_ge(count, at_least);
    ck_assert_msg(far == 0, "%d tensors are too far from PyTorch's", far);
}

START_TEST(convolutions_are_pytorchs) {
    static const char *const names[] = {"conv",    "stride", "dilation", "padding", "no_bias",
                                        "whole_i", "image",  "big",      NULL};
    run_family(names, 33);
}
END_TEST

START_TEST(batch_normalization_is_pytorchs) {
    static const char *const names[] = {"bn", NULL};
    run_family(names, 21);
}
END_TEST

START_TEST(blocks_are_pytorchs) {
    static const char *const names[] = {"block", "head", NULL};
    run_family(names, 9);
}
END_TEST

START_TEST(the_other_layers_are_pytorchs) {
    static const char *const names[] = {"relu", "pool", "linear", "flatten", NULL};
    run_family(names, 26);
}
END_TEST

START_TEST(results_do_not_depend_on_threads) {
    fixture *file = fixture_open("layers.safetensors");
    FILE *cases = fopen(fixture_path("layers.txt"), "r");
    layer_case c;
    ck_assert_ptr_nonnull(cases);
    while (read_case(cases, &c)) {
        net_spec spec;
        void *states[4], *gradients[4];
        size_t state_size, gradient_size;
        const int threads[] = {1, 2, 3, 8};
        parse_net(&spec, c.dims, c.net);
        dlviz_tensor *inputs = input_tensor(&spec, c.batch, 100, false);
        dlviz_tensor *labels = label_tensor(c.batch, spec.layers[spec.count - 1].dims[0], 200);
        for (int i = 0; i < 4; i++) {
            dlviz_network *network = build_net(&spec, 1);
            ck_ok(dlviz_set_num_threads(threads[i]));
            fill_states(network, 1, false);
            ck_ok(dlviz_network_backward(network, inputs, labels, 7, 0, NULL));
            states[i] = all_states(network, &state_size);
            gradients[i] = all_gradients(network, &gradient_size);
            ck_assert_msg(memcmp(states[0], states[i], state_size) == 0 &&
                              memcmp(gradients[0], gradients[i], gradient_size) == 0,
                          "%s: %d threads give other bits than 1", c.name, threads[i]);
            dlviz_network_destroy(network);
        }
        for (int i = 0; i < 4; i++) {
            free(states[i]);
            free(gradients[i]);
        }
        dlviz_tensor_destroy(inputs);
        dlviz_tensor_destroy(labels);
    }
    fclose(cases);
    fixture_close(file);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        convolutions_are_pytorchs,     batch_normalization_is_pytorchs,  blocks_are_pytorchs,
        the_other_layers_are_pytorchs, results_do_not_depend_on_threads, NULL};
    return run_tests("layers against PyTorch", tests);
}
