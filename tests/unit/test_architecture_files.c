/* Networks described by a file of JSON: written for people, read back, and files that lie. */
#include "support/failing.h"
#include "support/netspec.h"

#include <jansson.h>
#include <string.h>

#define NET "conv:conv,out=2,k=3 bn:bn relu:relu flat:flatten fc:linear,out=3"

static dlviz_network *read_from(const char *text) {
    dlviz_network *network;
    ck_ok(dlviz_network_open_architecture_memory(&network, text, strlen(text)));
    return network;
}

static char *text_of(const dlviz_network *network) {
    void *bytes;
    size_t size;
    ck_ok(dlviz_network_save_architecture_memory(network, &bytes, &size));
    char *text = calloc(size + 1, 1);
    memcpy(text, bytes, size);
    dlviz_free(bytes);
    return text;
}

static void refuse(const char *text, const char *word) {
    dlviz_network *network;
    ck_assert_int_eq(dlviz_network_open_architecture_memory(&network, text, strlen(text)),
                     DLVIZ_ERROR_FORMAT);
    ck_assert_ptr_null(network);
    ck_assert_msg(strstr(dlviz_last_error(), word) != NULL, "'%s' lacks '%s'", dlviz_last_error(),
                  word);
}

START_TEST(a_network_survives) {
    dlviz_network *network = net_from_text("1x5x5", NET);
    char *text = text_of(network);
    dlviz_network *again = read_from(text);
    ck_assert_int_eq(dlviz_network_num_parameters(again), 0); /* not built yet */
    ck_ok(dlviz_network_build(again, 1));
    ck_assert_str_eq(dlviz_network_summary(again), dlviz_network_summary(network));
    char *same = text_of(again);
    ck_assert_str_eq(same, text);
    dlviz_tensor *a, *b; /* the same seed draws the same parameters */
    ck_ok(dlviz_network_get_state(network, "conv.weight", &a));
    ck_ok(dlviz_network_get_state(again, "conv.weight", &b));
    ck_assert_mem_eq(dlviz_tensor_data(a), dlviz_tensor_data(b), 18 * sizeof(float));
    dlviz_tensor_destroy(a);
    dlviz_tensor_destroy(b);
    free(text);
    free(same);
    dlviz_network_destroy(network);
    dlviz_network_destroy(again);
}
END_TEST

START_TEST(a_layer_has_a_line) {
    dlviz_network *network = net_from_text("1x5x5", NET);
    char *text = text_of(network);
    int lines = 0;
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    ck_assert_int_eq(lines, 9); /* version, input, layers, five of them, loss */
    json_t *whole = json_loads(text, 0, NULL);
    ck_assert_uint_eq(json_array_size(json_object_get(whole, "layers")), 5);
    ck_assert(strstr(text, "{\"name\": \"fc\", \"type\": \"linear\", \"settings\": "
                           "{\"out_features\": 3, \"bias\": true}}") != NULL);
    json_decref(whole);
    free(text);
    dlviz_network_destroy(network);
}
END_TEST

/* As people write them, where that is enough, and with all digits where it is not. */
START_TEST(real_numbers) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 1, (const int64_t[]){4}));
    ck_ok(dlviz_network_add(network, "norm", dlviz_batchnorm()));
    ck_ok(dlviz_network_add(network, "leaky", dlviz_leaky_relu(1.0 / 3)));
    ck_ok(dlviz_network_add(network, "elu", dlviz_elu(0.1 + 0.2)));
    ck_ok(dlviz_network_build(network, 1));
    char *text = text_of(network);
    ck_assert_ptr_nonnull(strstr(text, "\"eps\": 1e-5, \"momentum\": 0.1, "));
    ck_assert_ptr_nonnull(strstr(text, "0.3333333333333333"));
    ck_assert_ptr_nonnull(strstr(text, "0.30000000000000004"));
    dlviz_network *again = read_from(text);
    ck_ok(dlviz_network_build(again, 1));
    char *same = text_of(again);
    ck_assert_str_eq(same, text);
    free(same);
    free(text);
    dlviz_network_destroy(again);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(files_and_memory_are_the_same) {
    dlviz_network *network = net_from_text("1x5x5", NET), *again;
    const char *path = scratch_path("network.json");
    ck_ok(dlviz_network_save_architecture(network, path));
    ck_ok(dlviz_network_open_architecture(&again, path));
    ck_fails(dlviz_network_save_architecture(again, path), DLVIZ_ERROR_STATE, "built");
    ck_ok(dlviz_network_build(again, 1));
    char *a = text_of(network), *b = text_of(again);
    ck_assert_str_eq(a, b);
    free(a);
    free(b);
    dlviz_network_destroy(network);
    dlviz_network_destroy(again);
    ck_assert_int_eq(dlviz_network_open_architecture(&again, scratch_path("none.json")),
                     DLVIZ_ERROR_IO);
    ck_assert_ptr_null(again);
}
END_TEST

START_TEST(written_by_hand) {
    dlviz_network *network = read_from("{\"input\": [2], \"layers\": [\n"
                                       "{\"name\": \"a\", \"type\": \"linear\", \"settings\": "
                                       "{\"out_features\": 2, \"bias\": false}},\n"
                                       "{\"name\": \"sum\", \"type\": \"add\", \"inputs\": "
                                       "[\"a\", \"input\"]}]}");
    ck_ok(dlviz_network_build(network, 1));
    ck_assert_int_eq(dlviz_network_num_parameters(network), 4);
    ck_assert_str_eq(dlviz_loss_name(dlviz_network_loss(network)), "cross_entropy");
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(files_that_lie) {
    refuse("", "JSON");
    refuse("{\n\"input\": [1,\n", "line 3");
    refuse("[1, 2]", "\"layers\"");
    refuse("{\"input\": [1]}", "\"layers\"");
    refuse("{\"version\": 2, \"input\": [1], \"layers\": [1]}", "version 2");
    refuse("{\"input\": [1, 2], \"layers\": [1]}", "'input'");
    refuse("{\"input\": [-1], \"layers\": [1]}", "-1");
    refuse("{\"input\": [1], \"layers\": [1]}", "'name'");
    refuse("{\"input\": [1], \"layers\": [{\"name\": \"a\", \"type\": \"transformer\"}]}",
           "transformer");
    refuse("{\"input\": [1], \"layers\": [{\"name\": \"a\", \"type\": \"linear\", \"settings\": "
           "{\"bias\": true}}]}",
           "out_features");
    refuse("{\"input\": [1], \"layers\": [{\"name\": \"a\", \"type\": \"relu\", \"inputs\": "
           "[\"b\"]}]}",
           "'b'");
}
END_TEST

static dlviz_status there_and_back(void *context) {
    const dlviz_network *network = context;
    void *bytes;
    size_t size;
    dlviz_network *again = NULL;
    dlviz_status status = dlviz_network_save_architecture_memory(network, &bytes, &size);
    ck_assert((status == DLVIZ_OK) == (bytes != NULL));
    if (status == DLVIZ_OK)
        status = dlviz_network_open_architecture_memory(&again, bytes, size);
    ck_assert((status == DLVIZ_OK) == (again != NULL));
    dlviz_free(bytes);
    dlviz_network_destroy(again);
    return status;
}

/* -- Keys that nobody knows ----------------------------------------------------------------------
 */

static char *text_of_json(const json_t *whole) {
    char *text = json_dumps(whole, 0);
    ck_assert_ptr_nonnull(text);
    return text;
}

/* As a network's own description, and in the metadata of its states, whose key it has there. */
static void refuse_everywhere(const json_t *whole, const dlviz_safetensors *states,
                              const char *word) {
    char *text = text_of_json(whole);
    refuse(text, word);
    dlviz_safetensors *copy;
    dlviz_network *network;
    void *bytes;
    size_t size;
    ck_ok(dlviz_safetensors_save_memory(states, &bytes, &size));
    ck_ok(dlviz_safetensors_open_memory(&copy, bytes, size));
    dlviz_free(bytes);
    ck_ok(dlviz_safetensors_set_metadata(copy, "dlviz.network", text));
    ck_ok(dlviz_safetensors_save_memory(copy, &bytes, &size));
    dlviz_safetensors_destroy(copy);
    ck_fails(dlviz_network_open_memory(&network, bytes, size), DLVIZ_ERROR_FORMAT, word);
    dlviz_free(bytes);
    free(text);
}

/* Adds one key to each object there is, one after the other. Returns how many there were. */
static int add_everywhere(json_t *whole, json_t *value, const dlviz_safetensors *states) {
    int count = 0;
    size_t index;
    const char *key;
    json_t *part;
    if (json_is_object(value)) {
        json_object_set_new(value, "inplaec", json_true());
        refuse_everywhere(whole, states, "the key 'inplaec' is unknown; ");
        json_object_del(value, "inplaec");
        count++;
        json_object_foreach(value, key, part) count += add_everywhere(whole, part, states);
    }
    json_array_foreach(value, index, part) count += add_everywhere(whole, part, states);
    return count;
}

static dlviz_safetensors *states_of(const dlviz_network *network) {
    void *bytes;
    size_t size;
    dlviz_safetensors *states;
    ck_ok(dlviz_network_save_memory(network, &bytes, &size));
    ck_ok(dlviz_safetensors_open_memory(&states, bytes, size));
    dlviz_free(bytes);
    return states;
}

START_TEST(unknown_keys_are_refused) {
    dlviz_loss *const losses[] = {dlviz_cross_entropy(), dlviz_huber(1), dlviz_mse(),
                                  dlviz_bce_with_logits()};
    dlviz_cross_entropy_set_class_weights(losses[0], 3, (const double[]){1, 2, 3});
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        dlviz_network *network = net_from_text("1x5x5", NET);
        ck_ok(dlviz_network_set_loss(network, losses[i]));
        dlviz_safetensors *states = states_of(network);
        json_t *whole = json_loads(dlviz_safetensors_metadata(states, "dlviz.network"), 0, NULL);
        /* The whole, five layers with their settings, the loss. */
        ck_assert_int_eq(add_everywhere(whole, whole, states), 1 + 10 + 1);
        char *text = text_of_json(whole);
        dlviz_network *again = read_from(text);
        dlviz_network_destroy(again);
        free(text);
        json_decref(whole);
        dlviz_safetensors_destroy(states);
        dlviz_network_destroy(network);
    }
}
END_TEST

START_TEST(where_an_unknown_key_stands_is_said) {
    refuse("{\"input\": [1], \"layers\": [{\"name\": \"r\", \"type\": \"relu\", \"imputs\": "
           "[\"input\"]}]}",
           "layer 'r': the key 'imputs' is unknown; 'name', 'type', 'settings', 'inputs' are "
           "accepted");
    refuse("{\"input\": [1], \"layers\": [{\"name\": \"r\", \"type\": \"relu\", \"settings\": "
           "{\"inplaec\": 1}}]}",
           "layer 'r': relu: the key 'inplaec' is unknown; none is accepted");
    refuse("{\"input\": [1], \"layers\": [{\"name\": \"d\", \"type\": \"dropout\", "
           "\"settings\": {\"p\": 0.5, \"P\": 1}}]}",
           "layer 'd': dropout: the key 'P' is unknown; 'p' is accepted");
    refuse(
        "{\"input\": [1], \"layers\": [{\"name\": \"r\", \"type\": \"relu\", \"settings\": [1]}]}",
        "layer 'r': relu: ");
    refuse("{\"input\": [1], \"layers\": [{\"nmae\": \"r\", \"type\": \"relu\"}]}",
           "layer 1: the key 'nmae'");
    refuse("{\"input\": [1], \"los\": {\"type\": \"mse\"}, \"layers\": [{\"name\": \"r\", "
           "\"type\": \"relu\"}]}",
           "the key 'los' is unknown; 'version', 'input', 'layers', 'loss', 'data' are accepted");
    refuse("{\"input\": [1], \"loss\": {\"type\": \"huber\", \"delta\": 1, \"detla\": 2}, "
           "\"layers\": [{\"name\": \"r\", \"type\": \"relu\"}]}",
           "loss huber: the key 'detla' is unknown; 'type', 'delta' are accepted");
    refuse("{\"input\": [1], \"loss\": {\"type\": \"custom\", \"name\": \"own\", \"delta\": 1}, "
           "\"layers\": [{\"name\": \"r\", \"type\": \"relu\"}]}",
           "loss own: the key 'delta' is unknown; 'type', 'name', 'metrics' are accepted");
}
END_TEST

/* In the file of a network that is loaded into one at hand as well. */
START_TEST(a_load_refuses_unknown_keys) {
    dlviz_network *network = net_from_text("1x5x5", NET);
    dlviz_safetensors *states = states_of(network);
    json_t *whole = json_loads(dlviz_safetensors_metadata(states, "dlviz.network"), 0, NULL);
    json_object_set_new(json_array_get(json_object_get(whole, "layers"), 2), "imputs", json_true());
    char *text = text_of_json(whole);
    ck_ok(dlviz_safetensors_set_metadata(states, "dlviz.network", text));
    const char *path = scratch_path("keys.safetensors");
    ck_ok(dlviz_safetensors_save(states, path));
    ck_fails(dlviz_network_load(network, path), DLVIZ_ERROR_FORMAT,
             "layer 'relu': the key 'imputs' is unknown");
    free(text);
    json_decref(whole);
    dlviz_safetensors_destroy(states);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(memory_may_run_out_anywhere) {
    dlviz_network *network = net_from_text("1x5x5", NET);
    ck_assert_int_gt(fail_each_allocation(there_and_back, network), 10);
    dlviz_network_destroy(network);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_network_survives,
                                  a_layer_has_a_line,
                                  real_numbers,
                                  files_and_memory_are_the_same,
                                  written_by_hand,
                                  files_that_lie,
                                  unknown_keys_are_refused,
                                  where_an_unknown_key_stands_is_said,
                                  a_load_refuses_unknown_keys,
                                  memory_may_run_out_anywhere,
                                  NULL};
    return run_tests("architecture files", tests);
}
