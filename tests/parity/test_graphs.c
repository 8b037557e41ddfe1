/* Networks of any form, forward and backward, against PyTorch in float64 (graphs.py). */
#include "network/network.h"
#include "support/fixture.h"
#include "support/netspec.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest relative error of a tensor in the Euclidean norm. */
#define TOLERANCE 1e-5
#define ZERO 1e-5

static bool verbose;

static dlviz_tensor *numbers(int64_t n, const dlz_shape *shape, uint64_t seed, bool ties) {
    int64_t dims[4] = {n};
    memcpy(dims + 1, shape->dims, (size_t)shape->ndim * sizeof *dims);
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, shape->ndim + 1, dims));
    fill_values(dlviz_tensor_float(tensor), dlviz_tensor_num_elements(tensor), seed, ties);
    return tensor;
}

typedef struct graph_case {
    const fixture *file;
    const char *name;
    int64_t batch;
    bool ties;
} graph_case;

static int compare(const graph_case *c, const char *what, const char *state, dlviz_tensor *tensor) {
    char key[96];
    snprintf(key, sizeof key, "%s/%s%s", c->name, what, state);
    return !tensor_is_near(c->file, key, tensor, TOLERANCE, ZERO, verbose);
}

static int compare_states(const graph_case *c, dlviz_network *network) {
    int far = 0;
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        dlviz_tensor *tensor;
        if (state->spec.dtype != DLVIZ_FLOAT32)
            continue;
        if (state->gradient) {
            ck_ok(dlviz_network_get_gradient(network, state->name, &tensor));
            far += compare(c, "grad/", state->name, tensor);
        } else {
            ck_ok(dlviz_network_get_state(network, state->name, &tensor));
            far += compare(c, "state/", state->name, tensor);
        }
    }
    return far;
}

/* Runs one case; returns how many tensors are too far away. `bytes` receives all states and gradients. */
static int run_case(const graph_case *c, const json_t *description, void **bytes, size_t *size) {
    dlviz_network *network;
    ck_ok(dlz_network_open_description(&network, description));
    ck_ok(dlviz_network_build(network, 0));
    fill_states(network, 1, c->ties);
    const dlz_node *last = &network->graph.nodes[network->graph.num_nodes - 1];
    dlviz_tensor *x = numbers(c->batch, &network->graph.in, 100, c->ties);
    dlviz_tensor *gradient = numbers(c->batch, &last->out, 200, false), *y;
    int far = 0;
    ck_ok(dlviz_network_forward(network, x, &y));
    far += compare(c, "before", "", y);
    ck_ok(dlviz_network_input_gradient(network, last->name, x, gradient, &y));
    far += compare(c, "eval/dx", "", y);
    ck_ok(dlviz_network_backward_from(network, last->name, x, gradient, 1, 0, &y));
    far += compare(c, "train/dx", "", y);
    far += compare_states(c, network);
    *bytes = all_gradients(network, size);
    ck_ok(dlviz_network_forward(network, x, &y));
    far += compare(c, "after", "", y);
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(gradient);
    dlviz_network_destroy(network);
    return far;
}

static void run_group(const char *group) {
    char path[64];
    json_error_t error;
    snprintf(path, sizeof path, "graphs_%s.json", group);
    json_t *cases = json_load_file(fixture_path(path), 0, &error), *entry;
    ck_assert_msg(json_array_size(cases) > 0, "%s: %s", path, error.text);
    snprintf(path, sizeof path, "graphs_%s.safetensors", group);
    fixture *file = fixture_open(path);
    size_t at, size = 0, other_size;
    int far = 0;
    verbose = getenv("DLVIZ_TEST_VERBOSE") != NULL;
    json_array_foreach(cases, at, entry) {
        graph_case c = {.file = file,
                        .name = json_string_value(json_object_get(entry, "name")),
                        .batch = json_integer_value(json_object_get(entry, "batch")),
                        .ties =
                            strcmp(json_string_value(json_object_get(entry, "kind")), "ties") == 0};
        const json_t *network = json_object_get(entry, "network");
        void *first = NULL, *other;
        for (int threads = 1; threads <= 8; threads += threads == 3 ? 5 : 1) {
            ck_ok(dlviz_set_num_threads(threads));
            int found = run_case(&c, network, &other, &other_size);
            far += threads == 1 ? found : 0;
            if (!first) {
                first = other;
                size = other_size;
                continue;
            }
            ck_assert_msg(size == other_size && memcmp(first, other, size) == 0,
                          "%s: %d threads give other bits than one", c.name, threads);
            free(other);
        }
        free(first);
    }
    json_decref(cases);
    fixture_close(file);
    ck_assert_msg(far == 0, "%d tensors are too far from PyTorch's", far);
}

static const char *const groups[] = {DLVIZ_TEST_GRAPHS};

START_TEST(a_group_is_pytorchs) {
    run_group(groups[_i]);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("graphs against PyTorch");
    TCase *tcase = tcase_create("graphs");
    tcase_set_timeout(tcase, 600);
    tcase_add_loop_test(tcase, a_group_is_pytorchs, 0, (int)(sizeof groups / sizeof *groups));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
