/* Networks made of their files: the loss that comes with them, and files that lie. */
#include "support/failing.h"
#include "support/netspec.h"

#include <dlviz/safetensors.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "dlviz.network"
#define NET "conv:conv,out=2,k=3 bn:bn relu:relu flat:flatten fc:linear,out=3"

static dlviz_network *trained_on(dlviz_loss *loss) {
    dlviz_network *network = net_from_text("1x5x5", NET);
    fill_states(network, 3, false);
    ck_ok(dlviz_network_set_loss(network, loss));
    return network;
}

static dlviz_network *saved_and_opened(const dlviz_network *network) {
    const char *path = scratch_path("opened");
    dlviz_network *opened;
    ck_ok(dlviz_network_save(network, path));
    ck_ok(dlviz_network_open(&opened, path));
    return opened;
}

static dlviz_dataset *some_samples(bool labels) {
    dlviz_tensor *x, *targets = labels ? label_tensor(20, 3, 5) : NULL;
    dlviz_dataset *set;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 4, (int64_t[]){20, 1, 5, 5}));
    fill_uniform(dlviz_tensor_float(x), 500, 4);
    if (!labels) {
        ck_ok(dlviz_tensor_create(&targets, DLVIZ_FLOAT32, 2, (int64_t[]){20, 3}));
        for (int i = 0; i < 60; i++)
            dlviz_tensor_float(targets)[i] = (float)(i % 3) / 3;
    }
    ck_ok(dlviz_dataset_create(&set, x, targets));
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(targets);
    return set;
}

static void loss_survives(dlviz_loss *loss, bool labels) {
    dlviz_network *network = trained_on(loss), *opened = saved_and_opened(network);
    dlviz_dataset *set = some_samples(labels);
    double here, there;
    ck_assert_str_eq(dlviz_loss_name(dlviz_network_loss(opened)), dlviz_loss_name(loss));
    ck_ok(dlviz_network_evaluate(network, set, &here, NULL));
    ck_ok(dlviz_network_evaluate(opened, set, &there, NULL));
    ck_assert_msg(here == there, "%s gives %g, and %g from the file", dlviz_loss_name(loss), here,
                  there);
    dlviz_dataset_destroy(set);
    dlviz_network_destroy(network);
    dlviz_network_destroy(opened);
}

START_TEST(losses_survive_with_their_settings) {
    dlviz_loss *loss = dlviz_cross_entropy();
    ck_ok(dlviz_cross_entropy_set_label_smoothing(loss, 0.125));
    ck_ok(dlviz_cross_entropy_set_class_weights(loss, 3, (double[]){0.5, 1, 3}));
    ck_ok(dlviz_cross_entropy_set_ignored_label(loss, 2));
    loss_survives(loss, true);
    loss_survives(dlviz_cross_entropy(), true);
    loss_survives(dlviz_huber(0.0625), false);
    loss_survives(dlviz_l1(), false);
    loss_survives(dlviz_mse(), false);
    loss = dlviz_bce_with_logits();
    ck_ok(dlviz_bce_with_logits_set_positive_weights(loss, 3, (double[]){0.5, 1, 3}));
    loss_survives(loss, false);
    loss_survives(dlviz_kl_divergence(), false);
    loss = dlviz_kl_divergence();
    ck_ok(dlviz_kl_divergence_set_log_targets(loss, true));
    loss_survives(loss, false);
}
END_TEST

static dlviz_status all_are_one(const dlviz_loss_pass *pass, void *user) {
    (void)user;
    for (int64_t i = 0; i < dlviz_loss_pass_num_samples(pass); i++)
        dlviz_loss_pass_losses(pass)[i] = 1;
    return DLVIZ_OK;
}

static dlviz_loss *own_loss(void) {
    dlviz_loss_functions functions = {
        .struct_size = sizeof functions, .name = "own", .value = all_are_one};
    return dlviz_loss_custom(&functions, NULL);
}

/* What was saved has it; what is opened has none that could be used by mistake. */
START_TEST(a_loss_of_ones_own_is_missed) {
    dlviz_network *network = trained_on(own_loss()), *opened = saved_and_opened(network),
                  *again = saved_and_opened(opened);
    dlviz_dataset *set = some_samples(false), *labeled = some_samples(true);
    dlviz_tensor *x, *targets, *outputs;
    double loss;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 4, (int64_t[]){4, 1, 5, 5}));
    ck_ok(dlviz_tensor_create(&targets, DLVIZ_FLOAT32, 2, (int64_t[]){4, 3}));
    ck_ok(dlviz_network_predict(again, set, &outputs));
    dlviz_tensor_destroy(outputs);
    const char *words = "the loss own, for outputs of 3: it is one of the program's own";
    ck_fails(dlviz_network_evaluate(again, set, &loss, NULL), DLVIZ_ERROR_STATE, words);
    ck_fails(dlviz_network_evaluate(again, labeled, &loss, NULL), DLVIZ_ERROR_STATE, words);
    ck_fails(dlviz_network_backward(again, x, targets, 1, 1, &loss), DLVIZ_ERROR_STATE, words);
    ck_ok(dlviz_dataset_set_targets(labeled, NULL));
    ck_fails(dlviz_network_evaluate(again, labeled, &loss, NULL), DLVIZ_ERROR_STATE, words);
    ck_ok(dlviz_network_load(network, scratch_path("opened")));
    ck_ok(dlviz_network_set_loss(again, own_loss()));
    ck_ok(dlviz_network_evaluate(again, set, &loss, NULL));
    ck_assert_double_eq(loss, 1);
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(targets);
    dlviz_dataset_destroy(set);
    dlviz_dataset_destroy(labeled);
    dlviz_network_destroy(network);
    dlviz_network_destroy(opened);
    dlviz_network_destroy(again);
}
END_TEST

/* -- Descriptions that lie ---------------------------------------------------------------------
 */

/* The path of a file with this description, and the tensors of a network of NET. */
static const char *described(const char *description) {
    dlviz_network *network = net_from_text("1x5x5", NET);
    const char *path = scratch_path("described");
    dlviz_safetensors *set;
    ck_ok(dlviz_network_save(network, path));
    ck_ok(dlviz_safetensors_open(&set, path));
    ck_ok(dlviz_safetensors_set_metadata(set, KEY, description));
    ck_ok(dlviz_safetensors_save(set, path));
    dlviz_safetensors_destroy(set);
    dlviz_network_destroy(network);
    return path;
}

static char *good_description(void) {
    dlviz_network *network = net_from_text("1x5x5", NET);
    const char *path = scratch_path("good");
    dlviz_safetensors *set;
    ck_ok(dlviz_network_save(network, path));
    ck_ok(dlviz_safetensors_open(&set, path));
    char *text = strdup(dlviz_safetensors_metadata(set, KEY));
    dlviz_safetensors_destroy(set);
    dlviz_network_destroy(network);
    return text;
}

/* The good description with `old` replaced. */
static char *changed(const char *old, const char *new) {
    char *text = good_description(), *at = strstr(text, old);
    ck_assert_msg(at != NULL, "'%s' is not in '%s'", old, text);
    char *result = malloc(strlen(text) + strlen(new) + 1);
    sprintf(result, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    free(text);
    return result;
}

START_TEST(descriptions_are_checked) {
    static const struct {
        const char *old, *new, *words;
    } cases[] = {
        {"\"out_features\":3", "\"out_features\":200000000",
         "'fc.weight' is float32 3 x 18, needs float32 200000000 x 18"},
        {"\"input\":[1,5,5]", "\"input\":[1,30000,30000]", "fc.weight"},
        {"\"input\":[1,5,5]", "\"input\":[1,5]", "'input'"},
        {"\"input\":[1,5,5]", "\"input\":[1,5,-5]", "-5"},
        {"\"input\":[1,5,5]", "\"input\":[1,5,\"5\"]", "'input'"},
        {"\"type\":\"linear\"", "\"type\":\"lineal\"",
         "layer 'fc' is a 'lineal', which this library does not know"},
        {"\"type\":\"linear\"", "\"type\":7", "a layer's 'name' or 'type'"},
        {"\"name\":\"fc\"", "\"name\":\"flat\"", "there is a layer 'flat' already"},
        {"\"name\":\"fc\"", "\"name\":\"fd\"", "'fd.weight' is missing"},
        {"\"out_features\":3", "\"out_features\":\"3\"", "'out_features' is missing or malformed"},
        {"\"out_features\":3", "\"out_features\":0", "0"},
        {"\"loss\":{", "\"loss\":[", "not a JSON object"},
        {"\"type\":\"cross_entropy\"", "\"type\":\"cross_country\"",
         "the loss is 'cross_country', which this library does not know"},
        {"\"label_smoothing\":0.0", "\"label_smoothing\":-1.0", "cross_entropy"},
        {"\"label_smoothing\":0.0", "\"label_smoothing\":{}", "'label_smoothing' is missing"},
        {"\"class_weights\":[]", "\"class_weights\":[1,\"2\",3]", "'class_weights'"},
        {"\"class_weights\":[]", "\"class_weights\":[1,-2,3]", "-2"},
        {"\"class_weights\":[]", "\"class_weights\":{}", "'class_weights' is missing"},
        {"\"class_weights\":[]", "\"class_weights\":null", "'class_weights' is missing"},
        {",\"class_weights\":[]", "", "'class_weights' is missing"},
        {"\"class_weights\":[]", "\"class\":[]", "loss cross_entropy: the key 'class' is unknown"},
        {"\"class_weights\":[]", "\"class_weights\":[1,2]", "2 weights are set, for 3 classes"},
        {"\"type\":\"cross_entropy\"", "\"type\":\"foo\",\"name\":\"a\"", "'foo', which"},
        {"\"type\":\"cross_entropy\"", "\"type\":\"custom\",\"name\":\"\"", "'custom', which"},
        {"\"out_features\":3", "\"out_features\":268435456", "fc.weight"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlviz_network *network = (dlviz_network *)1;
        char *text = changed(cases[i].old, cases[i].new);
        ck_fails(dlviz_network_open(&network, described(text)), DLVIZ_ERROR_FORMAT, cases[i].words);
        ck_assert_ptr_null(network);
        free(text);
    }
}
END_TEST

/* JSON has none; a border below all numbers is natural before a max pool. */
START_TEST(infinities_survive) {
    dlviz_network *network, *opened;
    dlviz_layer *pad = dlviz_pad(1, 1, 1, 1);
    ck_ok(dlviz_pad_set_value(pad, -INFINITY));
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){1, 3, 3}));
    ck_ok(dlviz_network_add(network, "pad", pad));
    ck_ok(dlviz_network_add(network, "pool", dlviz_maxpool2d(2)));
    ck_ok(dlviz_network_build(network, 1));
    opened = saved_and_opened(network);
    dlviz_tensor *x, *y, *again;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 4, (int64_t[]){1, 1, 3, 3}));
    ck_ok(dlviz_network_forward(network, x, &y));
    ck_ok(dlviz_network_forward(opened, x, &again));
    ck_assert_mem_eq(dlviz_tensor_const_data(y), dlviz_tensor_const_data(again), 4 * sizeof(float));
    ck_assert_float_eq(dlviz_tensor_const_float(again)[0], 0);
    dlviz_network_destroy(network);
    dlviz_network_destroy(opened);
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(y);
    dlviz_tensor_destroy(again);
}
END_TEST

/* 2^46 numbers, which nobody may start to count. */
START_TEST(what_would_take_for_ever_is_refused) {
    static const char text[] =
        "{\"input\":[1,1,2147483647],\"layers\":[{\"name\":\"p\",\"type\":\"avgpool2d\","
        "\"settings\":{\"kernel\":[1,32768],\"stride\":[1,1],\"padding\":[0,0],"
        "\"ceil_mode\":false,\"count_include_pad\":true}}]}";
    dlviz_network *network;
    /* With addresses of 32 bits its memory is out of reach before that. */
    ck_fails(dlviz_network_open(&network, described(text)), DLVIZ_ERROR_FORMAT,
             sizeof(size_t) < 8 ? "cannot open" : "the windows of all places hold more than");
}
END_TEST

START_TEST(files_of_before_losses_are_of_cross_entropy) {
    char *text = good_description(), *loss = strstr(text, ",\"loss\":");
    ck_assert_ptr_nonnull(loss);
    strcpy(loss, "}");
    dlviz_network *network;
    ck_ok(dlviz_network_open(&network, described(text)));
    ck_assert_str_eq(dlviz_loss_name(dlviz_network_loss(network)), "cross_entropy");
    dlviz_network_destroy(network);
    free(text);
}
END_TEST

/* Whatever a few bytes are changed to, the answer is a network that works or a sentence. */
START_TEST(broken_descriptions_do_no_harm) {
    static const char bytes[] = "0123456789-.e\"[]{},:xAt ";
    dlviz_dataset *set = some_samples(true);
    unsigned state = 1;
    int opened = 0;
    char *good = good_description();
    for (int round = 0; round < 1000; round++) {
        char *text = strdup(good);
        size_t length = strlen(text);
        for (int change = 0; change <= round % 3; change++) {
            state = state * 1664525 + 1013904223;
            size_t at = (state >> 8) % length;
            state = state * 1664525 + 1013904223;
            text[at] = bytes[(state >> 8) % (sizeof bytes - 1)];
        }
        dlviz_network *network;
        dlviz_status status = dlviz_network_open(&network, described(text));
        if (status == DLVIZ_OK) {
            dlviz_tensor *outputs;
            opened++;
            ck_ok(dlviz_network_predict(network, set, &outputs));
            dlviz_tensor_destroy(outputs);
        } else {
            ck_assert_msg(status == DLVIZ_ERROR_FORMAT, "%s: %s", text, dlviz_last_error());
            ck_assert_ptr_null(network);
        }
        dlviz_network_destroy(network);
        free(text);
    }
    free(good);
    ck_assert_int_gt(opened, 10);
    ck_assert_int_lt(opened, 500);
    dlviz_dataset_destroy(set);
}
END_TEST

static dlviz_status open_bytes(void *file) {
    const dlviz_safetensors *contents = file;
    dlviz_network *network = NULL;
    void *bytes = NULL;
    size_t size;
    dlviz_status status = dlviz_safetensors_save_memory(contents, &bytes, &size);
    if (status == DLVIZ_OK)
        status = dlviz_network_open_memory(&network, bytes, size);
    dlviz_free(bytes);
    dlviz_network_destroy(network);
    return status;
}

/* Also within the settings of a loss: it is not the file's fault. */
START_TEST(memory_may_run_out_anywhere) {
    const double weights[] = {1, 2.5, 0.5};
    dlviz_loss *loss = dlviz_cross_entropy();
    ck_ok(dlviz_cross_entropy_set_class_weights(loss, 3, weights));
    dlviz_network *network = trained_on(loss);
    dlviz_safetensors *contents;
    ck_ok(dlviz_network_save(network, scratch_path("weights")));
    ck_ok(dlviz_safetensors_open(&contents, scratch_path("weights")));
    ck_assert_int_gt(fail_each_allocation(open_bytes, contents), 20);
    dlviz_safetensors_destroy(contents);
    dlviz_network_destroy(network);
}
END_TEST

static long json_made, json_failing;

static void *allocate_json(size_t size) {
    return ++json_made == json_failing ? NULL : malloc(size);
}

/* What jansson does not say when it lacks memory for a key must not end up in a file. */
START_TEST(no_key_is_left_out_for_want_of_memory) {
    dlviz_network *network = trained_on(dlviz_cross_entropy());
    dlviz_dataset *set = some_samples(true);
    ck_ok(dlviz_network_describe_data(network, set));
    json_malloc_t usual;
    json_free_t usual_free;
    json_get_alloc_funcs(&usual, &usual_free);
    void *good, *bytes;
    size_t good_size, size;
    dlviz_status (*const writers[])(const dlviz_network *, void **, size_t *) = {
        dlviz_network_save_memory, dlviz_network_export_onnx_memory};
    for (int w = 0; w < 2; w++) {
        int failures = 0;
        ck_ok(writers[w](network, &good, &good_size));
        for (json_failing = 1;; json_failing++) {
            json_made = 0;
            json_set_alloc_funcs(allocate_json, usual_free);
            dlviz_status status = writers[w](network, &bytes, &size);
            json_set_alloc_funcs(usual, usual_free);
            if (status == DLVIZ_OK)
                ck_assert_msg(size == good_size && memcmp(good, bytes, size) == 0,
                              "other bytes when allocation %ld failed", json_failing);
            else
                ck_fails(status, DLVIZ_ERROR_OUT_OF_MEMORY, "memory");
            failures += status != DLVIZ_OK;
            dlviz_free(bytes);
            if (json_made < json_failing)
                break;
        }
        ck_assert_int_gt(failures, 5);
        dlviz_free(good);
    }
    dlviz_dataset_destroy(set);
    dlviz_network_destroy(network);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {losses_survive_with_their_settings,
                                  a_loss_of_ones_own_is_missed,
                                  descriptions_are_checked,
                                  what_would_take_for_ever_is_refused,
                                  infinities_survive,
                                  files_of_before_losses_are_of_cross_entropy,
                                  broken_descriptions_do_no_harm,
                                  memory_may_run_out_anywhere,
                                  no_key_is_left_out_for_want_of_memory,
                                  NULL};
    return run_tests("network open", tests);
}
