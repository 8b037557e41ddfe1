/* What networks look at, against PyTorch in float64 (attribution.py): saliency, integrated gradients,
 * and Grad-CAM at the input and at every layer that gives images. */
#include "support/fixture.h"
#include "support/netspec.h"

#include "network/network.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest relative error of a tensor in the Euclidean norm. */
#define TOLERANCE 1e-5
#define ZERO 1e-5

enum { STEPS = 7 };

static bool verbose;

typedef struct attribution_case {
    const fixture *file;
    const char *group, *name;
    int64_t batch;
    bool ties;
} attribution_case;

/* What one case comes to, for comparison of its bits. */
typedef struct gathered {
    unsigned char *bytes;
    size_t size;
    int compared, far;
} gathered;

static void gather(const attribution_case *c, const char *what, const char *layer, bool compare,
                   dlviz_tensor *map, gathered *to) {
    size_t bytes = (size_t)dlviz_tensor_num_elements(map) * sizeof(float);
    to->bytes = realloc(to->bytes, to->size + bytes);
    ck_assert_ptr_nonnull(to->bytes);
    memcpy(to->bytes + to->size, dlviz_tensor_data(map), bytes);
    to->size += bytes;
    char key[128];
    snprintf(key, sizeof key, "%s/%s/%s%s", c->group, c->name, what, layer);
    if (!compare || !fixture_has(c->file, key)) {
        dlviz_tensor_destroy(map);
        return;
    }
    to->compared++;
    to->far += !tensor_is_near(c->file, key, map, TOLERANCE, ZERO, verbose);
}

static dlviz_tensor *filled(int ndim, const int64_t *dims, uint64_t seed, bool ties) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, ndim, dims));
    fill_values(dlviz_tensor_float(tensor), dlviz_tensor_num_elements(tensor), seed, ties);
    return tensor;
}

static gathered run_case(const attribution_case *c, const json_t *description, bool compare) {
    dlviz_network *network;
    gathered all = {0};
    ck_ok(dlz_network_open_description(&network, description));
    ck_ok(dlviz_network_build(network, 0));
    fill_states(network, 1, c->ties);
    int64_t dims[4] = {c->batch}, chosen[64];
    const int64_t *in = dlviz_network_layer_dims(network, "input");
    int ndim = dlviz_network_layer_ndim(network, "input");
    memcpy(dims + 1, in, (size_t)ndim * sizeof *in);
    dlviz_tensor *x = filled(ndim + 1, dims, 100, c->ties), *base = filled(ndim, in, 300, false);
    for (int64_t i = 0; i < c->batch; i++)
        chosen[i] = (7 * i + 3) % dlz_shape_size(dlz_network_output(network));
    dlviz_tensor *targets = int64_tensor(c->batch, chosen), *map;
    ck_ok(dlviz_network_saliency(network, x, targets, &map));
    gather(c, "saliency", "", compare, map, &all);
    ck_ok(dlviz_network_integrated_gradients(network, x, base, targets, STEPS, &map, NULL));
    gather(c, "integrated", "", compare, map, &all);
    for (int64_t i = -1; i < dlviz_network_num_layers(network); i++) {
        const char *layer = i < 0 ? "input" : dlviz_network_layer_name(network, i);
        if (dlviz_network_layer_ndim(network, layer) != 3)
            continue;
        ck_ok(dlviz_network_grad_cam(network, layer, x, targets, &map));
        gather(c, "cam/", layer, compare, map, &all);
    }
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(base), dlviz_tensor_destroy(targets);
    dlviz_network_destroy(network);
    return all;
}

static const char *const groups[] = {"branches", "nets", "residual", "random"};

START_TEST(maps_are_pytorchs_with_any_number_of_threads) {
    char path[64];
    json_error_t error;
    snprintf(path, sizeof path, "graphs_%s.json", groups[_i]);
    json_t *cases = json_load_file(fixture_path(path), 0, &error), *entry;
    ck_assert_msg(json_array_size(cases) > 0, "%s: %s", path, error.text);
    fixture *file = fixture_open("attribution.safetensors");
    size_t at;
    int far = 0, compared = 0;
    verbose = getenv("DLVIZ_TEST_VERBOSE") != NULL;
    json_array_foreach(cases, at, entry) {
        attribution_case c = {
            .file = file,
            .group = groups[_i],
            .name = json_string_value(json_object_get(entry, "name")),
            .batch = json_integer_value(json_object_get(entry, "batch")),
            .ties = strcmp(json_string_value(json_object_get(entry, "kind")), "ties") == 0};
        const json_t *network = json_object_get(entry, "network");
        ck_ok(dlviz_set_num_threads(1));
        gathered first = run_case(&c, network, true);
        far += first.far;
        compared += first.compared;
        for (int threads = 2; threads <= 8; threads += threads == 3 ? 5 : 1) {
            ck_ok(dlviz_set_num_threads(threads));
            gathered other = run_case(&c, network, false);
            ck_assert_msg(first.size == other.size &&
                              memcmp(first.bytes, other.bytes, first.size) == 0,
                          "%s: %d threads give other bits than one", c.name, threads);
            free(other.bytes);
        }
        free(first.bytes);
    }
    printf("%s: %d maps of %d networks compared\n", groups[_i], compared,
           (int)json_array_size(cases));
    json_decref(cases);
    fixture_close(file);
    ck_assert_int_gt(compared, 0);
    ck_assert_msg(far == 0, "%d maps are too far from PyTorch's", far);
}
END_TEST

/* The first of graphs_branches.json, which has a layer "sum". */
START_TEST(what_holds_a_point_is_pytorchs) {
    json_error_t error;
    json_t *cases = json_load_file(fixture_path("graphs_branches.json"), 0, &error);
    fixture *file = fixture_open("attribution.safetensors");
    dlviz_network *network;
    ck_ok(dlz_network_open_description(&network,
                                       json_object_get(json_array_get(cases, 0), "network")));
    ck_ok(dlviz_network_build(network, 0));
    fill_states(network, 1, false);
    const int64_t *in = dlviz_network_layer_dims(network, "input");
    const int64_t points[] = {0, 17, 39};
    dlviz_tensor *x = filled(4, (int64_t[]){40, in[0], in[1], in[2]}, 100, false);
    dlviz_tensor *base = filled(3, in, 300, false),
                 *map = filled(2, (int64_t[]){40, 2}, 400, false);
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, x, NULL));
    dlviz_tensor *one = NULL, *other;
    for (int threads = 1; threads <= 8; threads += threads == 3 ? 5 : 1) {
        ck_ok(dlviz_set_num_threads(threads));
        ck_ok(dlviz_network_neighborhood(network, "sum", dataset, map, 3, points, base, 5, STEPS,
                                         &other));
        if (!one) {
            one = other;
            continue;
        }
        ck_assert_mem_eq(dlviz_tensor_data(one), dlviz_tensor_data(other),
                         (size_t)dlviz_tensor_num_elements(one) * sizeof(float));
        dlviz_tensor_destroy(other);
    }
    ck_assert(tensor_is_near(file, "neighborhood", one, TOLERANCE, ZERO, true));
    json_decref(cases), fixture_close(file), dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(x), dlviz_tensor_destroy(base), dlviz_tensor_destroy(map);
    dlviz_network_destroy(network);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("attributions against PyTorch");
    TCase *tcase = tcase_create("attribution");
    tcase_set_timeout(tcase, 600);
    tcase_add_loop_test(tcase, maps_are_pytorchs_with_any_number_of_threads, 0,
                        (int)(sizeof groups / sizeof *groups));
    tcase_add_test(tcase, what_holds_a_point_is_pytorchs);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
