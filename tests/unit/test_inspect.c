/* dlviz_network_inspect: one pass that gives what three calls give. */
#include "network/network.h"
#include "network/run.h"
#include "support/failing.h"
#include "support/netspec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every kind of operation, each with what it leaves to its neighbors; 150 samples are two whole batches and
 * a rest. */
#define LAYERS                                                                                     \
    "c1:conv,out=8,k=3,pad=same b1:bn r1:relu c2:conv,out=8,k=3,pad=same b2:bn r2:relu "           \
    "p2:pool,k=2 d2:dropout,p=0.25 c3:conv,out=6,k=5,pad=2 r3:relu p3:pool,k=3,stride=2 "          \
    "f:flatten l1:linear,out=20 b4:bn r4:relu d4:dropout,p=0.5 d5:dropout,p=0.5 l2:linear,out=4"
enum { SAMPLES = 150, CLASSES = 4 };

static dlviz_dataset *data_of(const net_spec *spec) {
    dlviz_tensor *inputs = input_tensor(spec, SAMPLES, 3, false);
    dlviz_tensor *labels = label_tensor(SAMPLES, CLASSES, 5);
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    return dataset;
}

static void expect_same(const dlviz_tensor *found, const dlviz_tensor *wanted, const char *what) {
    ck_assert_int_eq(dlviz_tensor_ndim(found), 2);
    for (int axis = 0; axis < 2; axis++)
        ck_assert_int_eq(dlviz_tensor_dim(found, axis), dlviz_tensor_dim(wanted, axis));
    ck_assert_msg(memcmp(dlviz_tensor_const_data(found), dlviz_tensor_const_data(wanted),
                         (size_t)dlviz_tensor_num_elements(found) * sizeof(float)) == 0,
                  "%s differs", what);
}

/* All of it at once, and each result alone, beside what the single calls give. */
static void expect_as_single_calls(dlviz_network *network, const dlviz_dataset *dataset,
                                   const char *layer) {
    dlviz_tensor *outputs, *features, *found_outputs, *found_features;
    double loss, metric, found_loss, found_metric;
    ck_ok(dlviz_network_evaluate(network, dataset, &loss, &metric));
    ck_ok(dlviz_network_predict(network, dataset, &outputs));
    ck_ok(dlviz_network_features(network, layer, dataset, &features));
    for (int wanted = 0; wanted < 16; wanted++) {
        ck_ok(dlviz_network_inspect(network, dataset, layer, wanted & 1 ? &found_loss : NULL,
                                    wanted & 2 ? &found_metric : NULL,
                                    wanted & 4 ? &found_outputs : NULL,
                                    wanted & 8 ? &found_features : NULL));
        if (wanted & 1)
            ck_assert_double_eq(found_loss, loss);
        if (wanted & 2)
            ck_assert_double_eq(found_metric, metric);
        if (wanted & 4) {
            expect_same(found_outputs, outputs, "the outputs");
            dlviz_tensor_destroy(found_outputs);
        }
        if (wanted & 8) {
            expect_same(found_features, features, layer);
            dlviz_tensor_destroy(found_features);
        }
    }
    dlviz_tensor_destroy(outputs);
    dlviz_tensor_destroy(features);
}

START_TEST(one_pass_gives_what_three_give) {
    net_spec spec;
    parse_net(&spec, "3x12x12", LAYERS);
    dlviz_network *network = build_net(&spec, 1);
    fill_states(network, 7, false);
    dlviz_dataset *dataset = data_of(&spec);
    for (int i = 0; i < spec.count; i++)
        expect_as_single_calls(network, dataset, spec.layers[i].name);
    expect_as_single_calls(network, dataset, "input");
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
}
END_TEST

/* A residual network, where a layer has several readers. */
START_TEST(branches) {
    dlviz_network *network;
    net_spec spec = {.ndim = 3, .dims = {3, 8, 8}};
    ck_ok(dlviz_network_create(&network, 3, spec.dims));
    ck_ok(dlviz_network_add(network, "c1", dlviz_conv2d(6, 3, DLVIZ_PAD_SAME)));
    ck_ok(dlviz_network_add(network, "b1", dlviz_batchnorm()));
    ck_ok(dlviz_network_add(network, "r1", dlviz_relu()));
    ck_ok(dlviz_network_add(network, "c2", dlviz_conv2d(6, 3, DLVIZ_PAD_SAME)));
    ck_ok(dlviz_network_add_from(network, "sum", dlviz_add(), 2, (const char *[]){"c2", "r1"}));
    ck_ok(dlviz_network_add(network, "r2", dlviz_relu()));
    ck_ok(dlviz_network_add(network, "pool", dlviz_global_avgpool2d()));
    ck_ok(dlviz_network_add(network, "drop", dlviz_dropout(0.5)));
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(CLASSES)));
    ck_ok(dlviz_network_build(network, 1));
    dlviz_dataset *dataset = data_of(&spec);
    static const char *const layers[] = {"c1", "b1", "r1", "c2", "sum", "r2", "pool", "drop", "fc"};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        expect_as_single_calls(network, dataset, layers[i]);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
}
END_TEST

/* A batch norm that a convolution would do itself, in a plan that ends there, but for who else reads
 * that; and what comes behind it. */
START_TEST(others_read_what_a_layer_reads) {
    net_spec spec = {.ndim = 3, .dims = {3, 8, 8}};
    static const char *const layers[] = {"c1", "b1", "r1", "n1", "both", "b2"};
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, spec.dims));
    ck_ok(dlviz_network_add(network, "c1", dlviz_conv2d(6, 3, DLVIZ_PAD_SAME)));
    ck_ok(dlviz_network_add(network, "b1", dlviz_batchnorm()));
    ck_ok(dlviz_network_add(network, "r1", dlviz_relu()));
    ck_ok(dlviz_network_add(network, "n1", dlviz_groupnorm(3)));
    ck_ok(dlviz_network_add_from(network, "both", dlviz_concat(), 2, (const char *[]){"n1", "c1"}));
    ck_ok(dlviz_network_add(network, "b2", dlviz_batchnorm()));
    ck_ok(dlviz_network_add(network, "flat", dlviz_flatten()));
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(CLASSES)));
    ck_ok(dlviz_network_build(network, 1));
    fill_states(network, 7, false);
    dlviz_dataset *dataset = data_of(&spec);
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        expect_as_single_calls(network, dataset, layers[i]);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
}
END_TEST

/* What a plan for all outputs computes anyway is not computed again. */
START_TEST(no_second_pass_where_one_will_do) {
    net_spec spec;
    parse_net(&spec, "3x12x12", LAYERS);
    dlviz_network *network = build_net(&spec, 1);
    static const char *const kept[] = {"p2", "d2", "p3", "f", "r4", "d4", "d5", "l2", "input"};
    static const char *const inside[] = {"c1", "b1", "b4"};
    dlviz_tensor *features = float_tensor(2, (int64_t[]){1, 1}, (const float[]){0});
    dlz_look look = {.features = features};
    dlz_plan *plan;
    dlz_lane_job job;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        ck_ok(dlz_network_find_layer(network, "test", kept[i], &look.node));
        job = dlz_look_job(network, &look, 8, 8);
        ck_ok(dlz_plan_get(&network->plans, job.graph, job.node, job.mode, 8, &plan));
        ck_assert_msg(dlz_plan_watched(plan) != NULL, "%s is computed again", kept[i]);
    }
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        ck_ok(dlz_network_find_layer(network, "test", inside[i], &look.node));
        job = dlz_look_job(network, &look, 8, 8);
        ck_ok(dlz_plan_get(&network->plans, job.graph, job.node, job.mode, 8, &plan));
        ck_assert_ptr_null(dlz_plan_watched(plan));
    }
    dlviz_tensor_destroy(features);
    dlviz_network_destroy(network);
}
END_TEST

/* Metrics that need all outputs at once: those of several labels. */
START_TEST(metrics_of_whole_outputs) {
    net_spec spec;
    parse_net(&spec, "6", "l1:linear,out=5 r1:relu l2:linear,out=3");
    dlviz_network *network = build_net(&spec, 2);
    ck_ok(dlviz_network_set_loss(network, dlviz_bce_with_logits()));
    float targets[SAMPLES * 3];
    for (int i = 0; i < SAMPLES * 3; i++)
        targets[i] = (float)(i * 7 % 5 < 2);
    dlviz_tensor *inputs = input_tensor(&spec, SAMPLES, 3, false);
    dlviz_tensor *yes = float_tensor(2, (int64_t[]){SAMPLES, 3}, targets);
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, inputs, yes));
    expect_as_single_calls(network, dataset, "r1");
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(yes);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(what_is_refused) {
    net_spec spec;
    parse_net(&spec, "6", "l1:linear,out=5 r1:relu l2:linear,out=4");
    dlviz_network *network = build_net(&spec, 2);
    dlviz_dataset *dataset = data_of(&spec), *bare;
    dlviz_tensor *inputs = input_tensor(&spec, SAMPLES, 3, false), *outputs, *features;
    ck_ok(dlviz_dataset_create(&bare, inputs, NULL));
    double loss = 1, metric = 1;
    ck_fails(dlviz_network_inspect(network, bare, "r1", &loss, &metric, &outputs, &features),
             DLVIZ_ERROR_INVALID_ARGUMENT, "no targets");
    ck_assert(isnan(loss) && isnan(metric) && !outputs && !features);
    ck_ok(dlviz_network_inspect(network, bare, "r1", NULL, NULL, &outputs, &features));
    dlviz_tensor_destroy(outputs);
    dlviz_tensor_destroy(features);
    ck_fails(dlviz_network_inspect(network, dataset, "r9", &loss, NULL, &outputs, NULL),
             DLVIZ_ERROR_NOT_FOUND, "'r9'");
    ck_fails(dlviz_network_inspect(network, dataset, NULL, &loss, NULL, NULL, &features),
             DLVIZ_ERROR_INVALID_ARGUMENT, "'layer' is NULL");
    ck_fails(dlviz_network_inspect(network, NULL, NULL, &loss, NULL, NULL, NULL),
             DLVIZ_ERROR_INVALID_ARGUMENT, "'dataset' is NULL");
    dlviz_tensor_destroy(inputs);
    dlviz_dataset_destroy(bare);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {one_pass_gives_what_three_give,
                                  others_read_what_a_layer_reads,
                                  branches,
                                  no_second_pass_where_one_will_do,
                                  metrics_of_whole_outputs,
                                  what_is_refused,
                                  NULL};
    return run_tests("inspect", tests);
}
