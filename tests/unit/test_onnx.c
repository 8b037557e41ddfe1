/* ONNX models: what they say of themselves, names that collide, and all that must not become one. */
#include "network/network.h"
#include "onnx/model.h"
#include "support/custom_layers.h"
#include "support/failing.h"
#include "support/memory.h"
#include "support/netspec.h"
#include "support/onnx_model.h"
#include "support/onnx_nets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NET "conv:conv,out=2,k=3 bn:bn relu:relu flat:flatten fc:linear,out=3"

static onnx_model *model_of(const dlviz_network *network) {
    void *bytes;
    size_t size;
    ck_ok(dlviz_network_export_onnx_memory(network, &bytes, &size));
    onnx_model *model = onnx_read(bytes, size);
    dlviz_free(bytes);
    return model;
}

START_TEST(a_model_says_what_it_is) {
    dlviz_network *network = net_from_text("1x5x5", NET);
    onnx_model *model = model_of(network);
    ck_assert_int_eq(model->ir_version, 8);
    ck_assert_int_eq(model->opset, 17);
    ck_assert_str_eq(model->producer, "libdlviz");
    ck_assert_str_eq(model->producer_version, dlviz_version());
    ck_assert_str_eq(onnx_property(model, "loss"), "cross_entropy");
    ck_assert_str_eq(model->inputs[0].name, "input");
    ck_assert_int_eq(model->inputs[0].ndim, 4);
    ck_assert_mem_eq(model->inputs[0].dims, ((int64_t[]){-1, 1, 5, 5}), 4 * sizeof(int64_t));
    ck_assert_str_eq(model->outputs[0].name, "fc");
    ck_assert_mem_eq(model->outputs[0].dims, ((int64_t[]){-1, 3}), 2 * sizeof(int64_t));
    ck_assert_int_eq(model->num_infos, 4);
    ck_assert_int_eq(model->num_nodes, 5);
    ck_assert_str_eq(model->nodes[0].op, "Conv");
    ck_assert_str_eq(model->nodes[4].op, "Gemm");
    const char *const states[] = {"conv.weight",     "conv.bias",      "bn.weight", "bn.bias",
                                  "bn.running_mean", "bn.running_var", "fc.weight", "fc.bias"};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        ck_assert(onnx_find(model, states[i]) && onnx_find(model, states[i])->is_constant);
    ck_assert(!onnx_find(model, "bn.num_batches_tracked"));
    ck_assert_mem_eq(onnx_find(model, "conv.weight")->dims, ((int64_t[]){2, 1, 3, 3}),
                     4 * sizeof(int64_t));
    onnx_free(model);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(a_file_has_the_bytes_in_memory) {
    dlviz_network *network = net_from_text("1x5x5", NET);
    const char *path = scratch_path("model.onnx");
    void *bytes, *again;
    size_t size, other;
    ck_ok(dlviz_network_export_onnx_memory(network, &bytes, &size));
    ck_ok(dlviz_network_export_onnx_memory(network, &again, &other));
    ck_assert(size == other && memcmp(bytes, again, size) == 0);
    ck_ok(dlviz_network_export_onnx(network, path));
    FILE *file = fopen(path, "rb");
    ck_assert(file != NULL);
    ck_assert_uint_eq(fread(again, 1, size, file), size);
    ck_assert(fgetc(file) == EOF && memcmp(bytes, again, size) == 0);
    fclose(file);
    dlviz_free(bytes);
    dlviz_free(again);
    dlviz_network_destroy(network);
}
END_TEST

static dlviz_network *network_with(dlviz_layer *layer) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){1, 5, 5}));
    dlviz_network_add(network, "conv", dlviz_conv2d(2, 3, 0));
    dlviz_network_add(network, "odd", layer);
    ck_ok(dlviz_network_build(network, 1));
    return network;
}

/* -- Names ----------------------------------------------------------------------------------------
 */

START_TEST(states_give_way_to_layers) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){4}));
    dlviz_network_add(network, "fc", dlviz_linear(3));
    dlviz_network_add(network, "fc.weight", dlviz_relu());
    dlviz_network_add(network, "fc.weight_1", dlviz_linear(2));
    dlviz_network_add(network, "\xe5\xb1\xa4 \"1\"\n", dlviz_silu());
    ck_ok(dlviz_network_build(network, 1));
    onnx_model *model = model_of(network);
    ck_assert(!onnx_find(model, "fc.weight")->is_constant);
    ck_assert(!onnx_find(model, "fc.weight_1")->is_constant);
    ck_assert(onnx_find(model, "fc.weight_2")->is_constant);
    ck_assert(onnx_find(model, "fc.weight_1.weight")->is_constant);
    ck_assert_str_eq(model->outputs[0].name, "\xe5\xb1\xa4 \"1\"\n");
    onnx_free(model);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(a_last_dropout_has_its_name) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){4}));
    dlviz_network_add(network, "first", dlviz_dropout(0.5));
    dlviz_network_add(network, "last", dlviz_dropout(0.5));
    ck_ok(dlviz_network_build(network, 1));
    onnx_model *model = model_of(network);
    ck_assert_int_eq(model->num_nodes, 1);
    ck_assert_str_eq(model->nodes[0].op, "Identity");
    ck_assert_str_eq(model->nodes[0].inputs[0], "input");
    ck_assert_str_eq(model->outputs[0].name, "last");
    onnx_free(model);
    dlviz_network_destroy(network);
}
END_TEST

/* -- What is refused ------------------------------------------------------------------------------
 */

START_TEST(what_is_missing_is_named) {
    dlviz_network *network;
    void *bytes = &network;
    size_t size = 1;
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){4}));
    dlviz_network_add(network, "fc", dlviz_linear(3));
    ck_fails(dlviz_network_export_onnx(network, scratch_path("model")), DLVIZ_ERROR_STATE, "build");
    ck_fails(dlviz_network_export_onnx_memory(network, &bytes, &size), DLVIZ_ERROR_STATE, "build");
    ck_assert(!bytes && size == 0);
    ck_ok(dlviz_network_build(network, 1));
    ck_fails(dlviz_network_export_onnx(network, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'path'");
    ck_fails(dlviz_network_export_onnx(NULL, "model"), DLVIZ_ERROR_INVALID_ARGUMENT, "NULL");
    ck_fails(dlviz_network_export_onnx_memory(network, NULL, &size), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'bytes'");
    ck_fails(dlviz_network_export_onnx_memory(network, &bytes, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'size'");
    ck_fails(dlviz_network_export_onnx(network, scratch_path("no/folder/model")), DLVIZ_ERROR_IO,
             "no/folder/model");
    ck_fails(dlviz_network_export_onnx(network, scratch_folder()), DLVIZ_ERROR_IO,
             scratch_folder());
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(an_earlier_file_survives) {
    const char *path = scratch_path("earlier.onnx");
    dlviz_network *network = network_with(probe_layer(&probe_relu, NULL));
    write_file(path, "earlier", 7);
    ck_fails(dlviz_network_export_onnx(network, path), DLVIZ_ERROR_UNSUPPORTED, "'odd'");
    char text[8] = "";
    FILE *file = fopen(path, "rb");
    ck_assert(file && fread(text, 1, 8, file) == 7);
    ck_assert_mem_eq(text, "earlier", 7);
    fclose(file);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(layers_of_a_programs_own_are_named) {
    dlviz_network *network = network_with(probe_layer(&probe_relu, NULL));
    void *bytes;
    size_t size;
    ck_fails(dlviz_network_export_onnx_memory(network, &bytes, &size), DLVIZ_ERROR_UNSUPPORTED,
             "'odd': this kind of layer");
    ck_assert(!bytes && size == 0);
    ck_assert(strstr(dlviz_last_error(), probe_relu.name) != NULL);
    dlviz_network_destroy(network);
}
END_TEST

static dlviz_layer *tiny_eps(int kind) {
    dlviz_layer *layers[] = {dlviz_batchnorm(), dlviz_layernorm(), dlviz_groupnorm(1),
                             dlviz_instancenorm2d()};
    dlviz_batchnorm_set_eps(layers[0], 1e-50);
    dlviz_layernorm_set_eps(layers[1], 1e-50);
    dlviz_groupnorm_set_eps(layers[2], 1e-50);
    dlviz_instancenorm2d_set_eps(layers[3], 1e-50);
    for (int i = 0; i < 4; i++)
        if (i != kind)
            dlviz_layer_destroy(layers[i]);
    return layers[kind];
}

START_TEST(an_eps_that_a_float_lacks_is_refused) {
    dlviz_network *network = network_with(tiny_eps(_i));
    void *bytes;
    size_t size;
    ck_fails(dlviz_network_export_onnx_memory(network, &bytes, &size), DLVIZ_ERROR_UNSUPPORTED,
             "'odd': eps is 1e-50");
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(a_matrix_beyond_a_model_is_refused) {
    dlviz_network *network;
    void *bytes;
    size_t size;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){1, 2, 40000}));
    dlviz_network_add(network, "odd", dlviz_adaptive_avgpool2d(1, 30000));
    ck_ok(dlviz_network_build(network, 1));
    ck_fails(dlviz_network_export_onnx_memory(network, &bytes, &size), DLVIZ_ERROR_UNSUPPORTED,
             "'odd': 30000 of 40000 columns");
    dlviz_network_destroy(network);
}
END_TEST

/* They stand for parameters that a layer does not have. */
START_TEST(constants_beyond_a_model_are_not_made) {
    if (sizeof(size_t) < 8) {
        printf("SKIP: no network that large has addresses of 32 bits\n");
        return;
    }
    dlviz_network *network;
    void *bytes;
    size_t size;
    watch_memory();
    dlviz_layer *layer = dlviz_layernorm();
    ck_ok(dlviz_layernorm_set_affine(layer, false));
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){600000000}));
    dlviz_network_add(network, "large", layer);
    ck_ok(dlviz_network_build(network, 1));
    ck_fails(dlviz_network_export_onnx_memory(network, &bytes, &size), DLVIZ_ERROR_UNSUPPORTED,
             "'large': its constants are too large");
    dlviz_network_destroy(network);
    ck_assert_int_lt(memory_watched(), 1 << 20);
}
END_TEST

START_TEST(states_that_are_not_finite_are_named) {
    dlviz_network *network = net_from_text("1x5x5", NET);
    void *bytes;
    size_t size;
    ((float *)dlz_network_state(network, "fc.bias")->value)[1] = NAN;
    ck_fails(dlviz_network_export_onnx(network, scratch_path("model")), DLVIZ_ERROR_NUMERIC,
             "fc.bias");
    ck_fails(dlviz_network_export_onnx_memory(network, &bytes, &size), DLVIZ_ERROR_NUMERIC,
             "fc.bias");
    dlviz_network_destroy(network);
}
END_TEST

/* Nothing of such a size is allocated before it is known not to fit. */
START_TEST(what_protobuf_cannot_hold_is_refused) {
    dlviz_network *network;
    dlz_onnx *model;
    void *bytes;
    size_t size;
    ck_ok(dlviz_network_create(&network, 1, (int64_t[]){30000}));
    dlviz_network_add(network, "fc", dlviz_linear(30000));
    ck_ok(dlz_network_lay_out(network));
    ck_ok(dlz_onnx_create(&model, &network->graph));
    ck_fails(dlz_onnx_write(model, &bytes, &size), DLVIZ_ERROR_UNSUPPORTED, "3600120");
    ck_assert(!bytes && size == 0);
    dlz_onnx_destroy(model);
    dlviz_network_destroy(network);
}
END_TEST

/* -- Memory ---------------------------------------------------------------------------------------
 */

static dlviz_status export_in_memory(void *network) {
    void *bytes;
    size_t size;
    dlviz_status status = dlviz_network_export_onnx_memory(network, &bytes, &size);
    ck_assert((status == DLVIZ_OK) == (bytes != NULL));
    dlviz_free(bytes);
    return status;
}

static dlviz_status export_to_file(void *network) {
    return dlviz_network_export_onnx(network, scratch_path("memory.onnx"));
}

static void fail_allocations(const char *name, dlviz_network *network, const dlviz_tensor *inputs,
                             void *context) {
    (void)name;
    (void)inputs;
    (void)context;
    ck_assert_int_gt(fail_each_allocation(export_in_memory, network), 5);
}

/* Every way to write a layer, and a network with many names. */
START_TEST(each_allocation_may_fail) {
    onnx_for_each("more", fail_allocations, NULL);
    dlviz_network *network = net_from_text("1x5x5", NET);
    ck_assert_int_gt(fail_each_allocation(export_to_file, network), 5);
    dlviz_network_destroy(network);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ONNX");
    TCase *tcase = tcase_create("ONNX");
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, a_model_says_what_it_is);
    tcase_add_test(tcase, a_file_has_the_bytes_in_memory);
    tcase_add_test(tcase, states_give_way_to_layers);
    tcase_add_test(tcase, a_last_dropout_has_its_name);
    tcase_add_test(tcase, what_is_missing_is_named);
    tcase_add_test(tcase, an_earlier_file_survives);
    tcase_add_test(tcase, layers_of_a_programs_own_are_named);
    tcase_add_loop_test(tcase, an_eps_that_a_float_lacks_is_refused, 0, 4);
    tcase_add_test(tcase, a_matrix_beyond_a_model_is_refused);
    tcase_add_test(tcase, constants_beyond_a_model_are_not_made);
    tcase_add_test(tcase, states_that_are_not_finite_are_named);
    tcase_add_test(tcase, what_protobuf_cannot_hold_is_refused);
    tcase_add_test(tcase, each_allocation_may_fail);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
