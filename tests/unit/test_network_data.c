/* What a network knows of its data: taken from datasets, kept in files, given to other datasets. */
#include "network/network.h"
#include "support/failing.h"
#include "support/netspec.h"

#include <dlviz/safetensors.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY "dlviz.network"
#define NET "conv:conv,out=2,k=3 bn:bn relu:relu flat:flatten fc:linear,out=3"

static const char *const names[] = {"", "\xe6\xa2\xa8 \"\\ {}[]:,", "\xf0\x9f\x90\x88\n\t\x01"};
/* Without an end in decimal; the smallest and the largest; an ordinary one. */
static const float means[] = {0.1307f, -0.0f, FLT_MAX};
static const float deviations[] = {0.3081f, 1e-45f, 3.4e38f};

static dlviz_dataset *images(int64_t channels, int64_t height, int64_t width) {
    dlviz_tensor *x, *labels = label_tensor(6, 3, 5);
    dlviz_dataset *set;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_UINT8, 4, (int64_t[]){6, channels, height, width}));
    for (int64_t i = 0; i < dlviz_tensor_num_elements(x); i++)
        ((uint8_t *)dlviz_tensor_data(x))[i] = (uint8_t)(i * 37);
    ck_ok(dlviz_dataset_create(&set, x, labels));
    ck_ok(dlviz_dataset_set_num_classes(set, 3));
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(labels);
    return set;
}

static dlviz_dataset *vectors(int64_t d) {
    dlviz_tensor *x;
    dlviz_dataset *set;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){6, d}));
    ck_ok(dlviz_dataset_create(&set, x, NULL));
    dlviz_tensor_destroy(x);
    return set;
}

static dlviz_network *described(void) {
    dlviz_network *network = net_from_text("3x6x5", NET);
    dlviz_dataset *set = images(3, 6, 5);
    ck_ok(dlviz_dataset_set_channel_normalization(set, 3, means, deviations));
    ck_ok(dlviz_dataset_set_class_names(set, 3, names));
    ck_ok(dlviz_network_describe_data(network, set));
    dlviz_dataset_destroy(set);
    return network;
}

static void expect_description(const dlviz_network *network) {
    float m[4] = {7, 7, 7, 7}, d[4] = {7, 7, 7, 7};
    ck_assert_int_eq(dlviz_network_normalization(network, 4, m, d), 3);
    ck_assert_int_eq(memcmp(m, means, sizeof means), 0);
    ck_assert_int_eq(memcmp(d, deviations, sizeof deviations), 0);
    ck_assert(m[3] == 7 && d[3] == 7);
    ck_assert_int_eq(dlviz_network_num_class_names(network), 3);
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(dlviz_network_class_name(network, i), names[i]);
    ck_assert_ptr_null(dlviz_network_class_name(network, 3));
    ck_assert_ptr_null(dlviz_network_class_name(network, -1));
}

START_TEST(a_description_survives_files_to_the_bit) {
    dlviz_network *network = described(), *opened, *loaded = net_from_text("3x6x5", NET);
    const char *path = scratch_path("described");
    void *bytes;
    size_t size;
    expect_description(network);
    ck_ok(dlviz_network_save(network, path));
    ck_ok(dlviz_network_save_memory(network, &bytes, &size));
    ck_ok(dlviz_network_open(&opened, path));
    expect_description(opened);
    dlviz_network_destroy(opened);
    ck_ok(dlviz_network_open_memory(&opened, bytes, size));
    expect_description(opened);
    ck_assert_int_eq(dlviz_network_num_class_names(loaded), 0);
    ck_ok(dlviz_network_load_memory(loaded, bytes, size));
    expect_description(loaded);
    assert_same_states(loaded, network);
    dlviz_free(bytes);
    /* A file without leaves what there is. */
    dlviz_network *plain = net_from_text("3x6x5", NET);
    ck_ok(dlviz_network_save(plain, path));
    ck_ok(dlviz_network_load(loaded, path));
    expect_description(loaded);
    float m;
    ck_assert_int_eq(dlviz_network_normalization(loaded, 1, &m, NULL), 3);
    ck_assert(m == means[0]);
    dlviz_network_destroy(plain);
    dlviz_network_destroy(network);
    dlviz_network_destroy(opened);
    dlviz_network_destroy(loaded);
}
END_TEST

/* A description that Python wrote, and what PyTorch makes of the images
 * (tests/parity/generate_finetune.py). */
START_TEST(another_programs_description_is_read) {
    static const char *const written[] = {"\xc3\xa4pfel", "\xf0\x9f\x90\x88 \"cat\"",
                                          "\xe6\xa2\xa8\n"};
    dlviz_network *network;
    dlviz_safetensors *expected;
    dlviz_tensor *pixels, *outputs, *found;
    dlviz_dataset *set;
    float m[3], d[3];
    ck_ok(dlviz_network_open(&network, fixture_path("described.safetensors")));
    ck_ok(dlviz_safetensors_open(&expected, fixture_path("described_outputs.safetensors")));
    ck_ok(dlviz_safetensors_get(expected, "images", &pixels));
    ck_ok(dlviz_safetensors_get(expected, "outputs", &outputs));
    ck_assert_int_eq(dlviz_network_normalization(network, 3, m, d), 3);
    ck_assert(m[0] == 0.485f && m[1] == 0 && m[2] == 1.0f / 3);
    ck_assert(d[0] == 0.229f && d[1] == 1 && d[2] == 1e-3f);
    ck_assert_int_eq(dlviz_network_num_class_names(network), 3);
    for (int i = 0; i < 3; i++)
        ck_assert_str_eq(dlviz_network_class_name(network, i), written[i]);
    ck_ok(dlviz_dataset_create(&set, pixels, NULL));
    ck_ok(dlviz_network_prepare_data(network, set));
    ck_ok(dlviz_network_predict(network, set, &found));
    double error =
        relative_error(dlviz_tensor_const_float(found), dlviz_tensor_const_float(outputs), 12);
    ck_assert_msg(error < 1e-6, "off by %g", error);
    dlviz_tensor_destroy(pixels);
    dlviz_tensor_destroy(outputs);
    dlviz_tensor_destroy(found);
    dlviz_dataset_destroy(set);
    dlviz_safetensors_destroy(expected);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(training_describes_its_data) {
    dlviz_network *network = net_from_text("3x6x5", NET);
    dlviz_dataset *set = images(3, 6, 5);
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    ck_ok(dlviz_adam_create(&adam, 1e-3));
    ck_ok(dlviz_trainer_create(&trainer, network, adam));
    ck_ok(dlviz_trainer_fit(trainer, set, 1));
    ck_assert_int_eq(dlviz_network_normalization(network, 0, NULL, NULL), 0);
    ck_assert_int_eq(dlviz_network_num_class_names(network), 0);
    ck_ok(dlviz_dataset_set_class_names(set, 3, names));
    ck_ok(dlviz_dataset_set_channel_normalization(set, 3, means, deviations));
    dlviz_trainer_destroy(trainer);
    ck_ok(dlviz_trainer_create(&trainer, network, adam));
    ck_ok(dlviz_trainer_fit(trainer, set, 0)); /* which trains nothing */
    ck_assert_int_eq(dlviz_network_normalization(network, 0, NULL, NULL), 0);
    ck_ok(dlviz_network_describe_data(network, set));
    expect_description(network);
    /* A checkpoint has it, too. */
    dlviz_network *other = net_from_text("3x6x5", NET);
    dlviz_optimizer *adam2;
    dlviz_trainer *trainer2;
    ck_ok(dlviz_adam_create(&adam2, 1e-3));
    ck_ok(dlviz_trainer_create(&trainer2, other, adam2));
    ck_ok(dlviz_trainer_save_checkpoint(trainer, scratch_path("checkpoint")));
    ck_ok(dlviz_trainer_load_checkpoint(trainer2, scratch_path("checkpoint")));
    expect_description(other);
    dlviz_trainer_destroy(trainer2);
    dlviz_optimizer_destroy(adam2);
    dlviz_network_destroy(other);
    /* A set without names that has as many classes keeps them, one that has others does not. */
    ck_ok(dlviz_dataset_set_num_classes(set, 3));
    ck_ok(dlviz_network_describe_data(network, set));
    expect_description(network);
    ck_ok(dlviz_dataset_set_num_classes(set, 4));
    ck_ok(dlviz_dataset_set_normalization(set, 0.5f, 2));
    ck_ok(dlviz_network_describe_data(network, set));
    ck_assert_int_eq(dlviz_network_num_class_names(network), 0);
    ck_assert_int_eq(dlviz_network_normalization(network, 0, NULL, NULL), 1);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(adam);
    dlviz_dataset_destroy(set);
    dlviz_network_destroy(network);
}
END_TEST

static void count_warnings(dlviz_log_level level, const char *message, void *user) {
    if (level == DLVIZ_LOG_LEVEL_WARNING && strstr(message, "dlviz_network_prepare_data"))
        ++*(int *)user;
}

static void expect_training(const dlviz_network *network, float mean, const char *name) {
    float m = 0, d = 0;
    ck_assert_int_eq(dlviz_network_normalization(network, 1, &m, &d), 1);
    ck_assert_msg(m == mean, "normalized by %g, not %g", (double)m, (double)mean);
    ck_assert_str_eq(dlviz_network_class_name(network, 0), name);
    /* Its files say the same. */
    dlviz_network *opened;
    void *bytes;
    size_t size;
    ck_ok(dlviz_network_save_memory(network, &bytes, &size));
    ck_ok(dlviz_network_open_memory(&opened, bytes, size));
    ck_assert_int_eq(dlviz_network_normalization(opened, 1, &m, &d), 1);
    ck_assert(m == mean);
    ck_assert_str_eq(dlviz_network_class_name(opened, 0), name);
    dlviz_network_destroy(opened);
    dlviz_free(bytes);
}

static double no_rate(const dlviz_schedule_event *event, void *user) {
    (void)event;
    (void)user;
    return NAN;
}

typedef struct retold {
    dlviz_dataset *set;
    dlviz_network *network;
} retold;

/* Each batch is described when it has been trained, and not before. */
static bool change_set(const dlviz_trainer_event *event, void *user) {
    static const char *const renamed[] = {"p", "q", "r"};
    const retold *r = user;
    int64_t batch = dlviz_trainer_event_batch(event);
    expect_training(r->network, batch == 0 ? 0.5f : 0.25f, batch < 2 ? "a" : "p");
    if (batch == 0)
        ck_ok(dlviz_dataset_set_normalization(r->set, 0.25f, 2));
    if (batch == 1)
        ck_ok(dlviz_dataset_set_class_names(r->set, 3, renamed));
    expect_training(r->network, batch == 0 ? 0.5f : 0.25f, batch < 2 ? "a" : "p");
    return true;
}

/* A network knows the data that it was trained on: no others that a fit was begun with, and those
 * that a callback made. */
START_TEST(what_was_trained_on_is_described) {
    static const char *const first[] = {"a", "b", "c"}, *const second[] = {"x", "y", "z"};
    dlviz_network *network = net_from_text("1x5x5", NET);
    dlviz_dataset *set = images(1, 5, 5), *other = images(1, 5, 5);
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    int warnings = 0;
    retold told = {set, network};
    ck_ok(dlviz_adam_create(&adam, 1e-3));
    ck_ok(dlviz_trainer_create(&trainer, network, adam));
    ck_ok(dlviz_trainer_set_batch_size(trainer, 2));
    ck_ok(dlviz_dataset_set_normalization(set, 0.5f, 2));
    ck_ok(dlviz_dataset_set_class_names(set, 3, first));
    ck_ok(dlviz_dataset_set_class_names(other, 3, second));
    ck_ok(dlviz_trainer_fit(trainer, set, 1));
    expect_training(network, 0.5f, "a");
    ck_ok(dlviz_trainer_fit(trainer, other, 0));
    expect_training(network, 0.5f, "a");
    ck_ok(dlviz_trainer_set_schedule(trainer, dlviz_schedule_custom(no_rate, NULL)));
    ck_assert_int_eq(dlviz_trainer_fit(trainer, other, 1), DLVIZ_ERROR_NUMERIC);
    expect_training(network, 0.5f, "a");
    ck_ok(dlviz_trainer_clear_schedule(trainer));
    ck_ok(dlviz_trainer_set_batch_callback(trainer, change_set, &told));
    ck_ok(dlviz_trainer_fit(trainer, set, 1));
    expect_training(network, 0.25f, "p");
    /* The validation set is compared with what is going to be trained on. */
    ck_ok(dlviz_trainer_set_batch_callback(trainer, NULL, NULL));
    ck_ok(dlviz_trainer_set_validation(trainer, other));
    dlviz_set_log(count_warnings, &warnings);
    ck_ok(dlviz_trainer_fit(trainer, other, 1));
    ck_assert_int_eq(warnings, 0);
    ck_assert_str_eq(dlviz_network_class_name(network, 0), "x");
    ck_ok(dlviz_trainer_fit(trainer, set, 1));
    ck_assert_int_eq(warnings, 1);
    dlviz_set_log(NULL, NULL);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(adam);
    dlviz_dataset_destroy(set);
    dlviz_dataset_destroy(other);
    dlviz_network_destroy(network);
}
END_TEST

/* The same samples, whether the dataset's own settings or the network's prepare them. */
START_TEST(a_dataset_is_prepared_as_in_training) {
    dlviz_network *network = net_from_text("3x6x5", NET);
    dlviz_dataset *mine = images(3, 9, 9), *other = images(3, 9, 9);
    dlviz_tensor *a, *b;
    ck_ok(dlviz_dataset_set_image_size(mine, 6, 5));
    ck_ok(dlviz_dataset_set_channel_normalization(mine, 3, (float[]){0.25f, 0.5f, 0.1f},
                                                  (float[]){0.5f, 0.25f, 3}));
    ck_ok(dlviz_network_describe_data(network, mine));
    ck_ok(dlviz_dataset_set_normalization(other, 8, 8));
    ck_ok(dlviz_network_prepare_data(network, other));
    ck_ok(dlviz_dataset_samples(mine, 0, 6, &a));
    ck_ok(dlviz_dataset_samples(other, 0, 6, &b));
    ck_assert_int_eq(dlviz_tensor_num_elements(b), 6 * 3 * 6 * 5);
    ck_assert_int_eq(memcmp(dlviz_tensor_data(a), dlviz_tensor_data(b), 6 * 3 * 6 * 5 * 4), 0);
    dlviz_tensor_destroy(b);
    dlviz_dataset_destroy(mine);
    /* Trained on what was not normalized. */
    mine = images(3, 6, 5);
    ck_ok(dlviz_network_describe_data(network, mine));
    ck_ok(dlviz_network_prepare_data(network, other));
    ck_ok(dlviz_dataset_samples(other, 0, 1, &b));
    ck_assert(dlviz_tensor_const_float(b)[0] >= 0 && dlviz_tensor_const_float(b)[0] <= 1);
    dlviz_tensor_destroy(a);
    dlviz_tensor_destroy(b);
    dlviz_dataset_destroy(mine);
    dlviz_dataset_destroy(other);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(what_does_not_fit_is_refused) {
    dlviz_network *network = described(), *plain = net_from_text("3x6x5", NET),
                  *flat = net_from_text("4", "fc:linear,out=2");
    dlviz_dataset *gray = images(1, 6, 5), *rows = vectors(3), *four = vectors(4);
    static const char words[] = "images with 1 channels; the network takes images with 3 channels";
    ck_fails(dlviz_network_prepare_data(network, gray), DLVIZ_ERROR_SHAPE, words);
    ck_fails(dlviz_network_describe_data(network, gray), DLVIZ_ERROR_SHAPE, words);
    ck_fails(dlviz_network_prepare_data(network, rows), DLVIZ_ERROR_SHAPE, "vectors of 3 numbers");
    ck_fails(dlviz_network_prepare_data(flat, rows), DLVIZ_ERROR_SHAPE,
             "vectors of 3 numbers; the network takes vectors of 4 numbers");
    ck_fails(dlviz_network_prepare_data(flat, gray), DLVIZ_ERROR_SHAPE, "takes vectors");
    expect_description(network);
    ck_assert_int_eq(dlviz_dataset_normalization(gray, 0, NULL, NULL), 0);
    ck_ok(dlviz_network_prepare_data(flat, four));
    /* One that knows nothing leaves the dataset its own, but for the size. */
    dlviz_dataset *set = images(3, 9, 9);
    ck_ok(dlviz_dataset_set_normalization(set, 0.5f, 2));
    ck_ok(dlviz_network_prepare_data(plain, set));
    float mean;
    ck_assert_int_eq(dlviz_dataset_normalization(set, 1, &mean, NULL), 1);
    ck_assert(mean == 0.5f && dlviz_dataset_dims(set)[1] == 6 && dlviz_dataset_dims(set)[2] == 5);
    dlviz_dataset_destroy(set);
    /* Names that no file could hold. */
    ck_fails(dlviz_dataset_set_class_names(gray, 3, (const char *[]){"a", "\xff", "c"}),
             DLVIZ_ERROR_INVALID_ARGUMENT, "name 1 is not UTF-8");
    dlviz_dataset_destroy(gray);
    dlviz_dataset_destroy(rows);
    dlviz_dataset_destroy(four);
    dlviz_network_destroy(network);
    dlviz_network_destroy(plain);
    dlviz_network_destroy(flat);
}
END_TEST

/* The file of a network with what lies from `from` to the end of `until` in its description
 * replaced by `to`. */
static void *rewritten_between(const char *from, const char *until, const char *to, size_t *size) {
    dlviz_network *network = described();
    dlviz_safetensors *file;
    void *bytes;
    ck_ok(dlviz_network_save_memory(network, &bytes, size));
    ck_ok(dlviz_safetensors_open_memory(&file, bytes, *size));
    dlviz_free(bytes);
    const char *text = dlviz_safetensors_metadata(file, KEY), *at = strstr(text, from);
    ck_assert_msg(at != NULL, "'%s' lacks '%s'", text, from);
    const char *end = strstr(at + strlen(from), until);
    ck_assert_msg(end != NULL, "'%s' lacks '%s'", at, until);
    char *changed = malloc(strlen(text) + strlen(to) + 1);
    sprintf(changed, "%.*s%s%s", (int)(at - text), text, to, end + strlen(until));
    ck_ok(dlviz_safetensors_set_metadata(file, KEY, changed));
    free(changed);
    ck_ok(dlviz_safetensors_save_memory(file, &bytes, size));
    dlviz_safetensors_destroy(file);
    dlviz_network_destroy(network);
    return bytes;
}

static void *rewritten(const char *from, const char *to, size_t *size) {
    return rewritten_between(from, "", to, size);
}

START_TEST(damaged_foreign_and_newer_texts_get_a_sentence) {
    static const struct {
        const char *from, *to, *words, *until;
    } cases[] = {
        {"\"data\":{", "\"data\":7", "lacks an object", "]}"},
        {"\"means\":[", "", "lacks the lists 'means' and 'deviations'", "],"},
        {"\"means\":[", "\"moans\":[", "the description of its data: the key 'moans' is unknown",
         ""},
        {"\"means\":[", "\"means\":[0.5,", "has 4 means and 3 deviations", ""},
        {"\"means\":[", "\"means\":[\"1\"]", "has 1 means and 3 deviations", "]"},
        {"\"means\":[0.13", "\"means\":[null,0.13", "has 4 means", ""},
        {"0.1307000070810318", "false", "finite 'means'", ""},
        {"0.1307000070810318", "1e39", "finite 'means'", ""},
        {"0.30809998512268066", "0", "'deviations' above 0", ""},
        {"0.30809998512268066", "-1", "'deviations' above 0", ""},
        {"\"class_names\":[", "\"class_names\":[1,", "'class_names' that are texts", ""},
        {"\"class_names\":[", "\"class_names\":[]}", "'class_names' of 1 to 2^24", "]}"},
        {"\"class_names\":[", "\"class_names\":{}}", "'class_names' of 1 to 2^24", "]}"},
        {"\"version\":1", "\"version\":2", "has version 2, and this library reads version 1", ""},
        {"\"version\":1", "\"version\":\"1\"", "is no whole number", ""},
        {"{\"version\"", "{{\"version\"", "not a JSON object", ""},
    };
    dlviz_network *network = described(), *opened;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        void *bytes = rewritten_between(cases[i].from, cases[i].until, cases[i].to, &size);
        ck_fails(dlviz_network_open_memory(&opened, bytes, size), DLVIZ_ERROR_FORMAT,
                 cases[i].words);
        ck_assert_ptr_null(opened);
        ck_fails(dlviz_network_load_memory(network, bytes, size), DLVIZ_ERROR_FORMAT,
                 cases[i].words);
        expect_description(network);
        dlviz_free(bytes);
    }
    /* What another program might have written, too, and files that are older than the version. */
    size_t size;
    void *bytes = rewritten("\"version\":1,", "", &size);
    ck_ok(dlviz_network_load_memory(network, bytes, size));
    expect_description(network);
    dlviz_free(bytes);
    bytes = rewritten("0.30809998512268066", "2", &size);
    ck_ok(dlviz_network_open_memory(&opened, bytes, size));
    float d[3];
    ck_assert_int_eq(dlviz_network_normalization(opened, 3, NULL, d), 3);
    ck_assert(d[0] == 2);
    dlviz_free(bytes);
    dlviz_network_destroy(opened);
    /* What is known of the data is no difference between networks. */
    bytes = rewritten_between(",\"class_names\":[", "]}", "}", &size);
    ck_ok(dlviz_network_load_memory(network, bytes, size));
    ck_assert_int_eq(dlviz_network_num_class_names(network), 0);
    dlviz_free(bytes);
    dlviz_network_destroy(network);
}
END_TEST

static dlviz_status describe_save_open(void *context) {
    dlviz_dataset *set = context;
    dlviz_network *network = NULL, *opened = NULL;
    void *bytes = NULL;
    size_t size;
    dlviz_status status = dlviz_network_create(&network, 3, (int64_t[]){3, 6, 5});
    if (status == DLVIZ_OK) {
        dlviz_network_add(network, "flat", dlviz_flatten());
        dlviz_network_add(network, "fc", dlviz_linear(2));
        status = dlviz_network_build(network, 1);
    }
    if (status == DLVIZ_OK)
        status = dlviz_network_describe_data(network, set);
    if (status == DLVIZ_OK)
        status = dlviz_network_save_memory(network, &bytes, &size);
    if (status == DLVIZ_OK)
        status = dlviz_network_open_memory(&opened, bytes, size);
    if (status == DLVIZ_OK)
        status = dlviz_network_load_memory(network, bytes, size);
    dlviz_free(bytes);
    dlviz_network_destroy(network);
    dlviz_network_destroy(opened);
    return status;
}

START_TEST(memory_may_run_out_anywhere) {
    dlviz_dataset *set = images(3, 6, 5);
    ck_ok(dlviz_dataset_set_channel_normalization(set, 3, means, deviations));
    ck_ok(dlviz_dataset_set_class_names(set, 3, names));
    ck_assert_int_ge(fail_each_allocation(describe_save_open, set), 60);
    dlviz_dataset_destroy(set);
}
END_TEST

/* Data that are normalized otherwise than in training are taken, and the log told of them. */
START_TEST(other_normalization_is_told_of) {
    dlviz_network *network = net_from_text("1x5x5", NET);
    dlviz_dataset *train = images(1, 5, 5), *other = images(1, 5, 5);
    dlviz_tensor *outputs;
    double loss;
    int count = 0;
    dlviz_set_log(count_warnings, &count);
    ck_ok(dlviz_network_evaluate(network, other, &loss, NULL)); /* nothing is known */
    ck_ok(dlviz_dataset_set_normalization(train, 0.5f, 0.25f));
    ck_ok(dlviz_network_describe_data(network, train));
    ck_ok(dlviz_network_evaluate(network, train, &loss, NULL));
    ck_assert_int_eq(count, 0);
    ck_ok(dlviz_network_evaluate(network, other, &loss, NULL));
    ck_assert_int_eq(count, 1);
    ck_ok(dlviz_network_predict(network, other, &outputs));
    ck_assert_int_eq(count, 2);
    dlviz_tensor_destroy(outputs);
    ck_ok(dlviz_network_measure(network, other, "accuracy", &loss));
    ck_assert_int_eq(count, 3);
    ck_ok(dlviz_network_prepare_data(network, other));
    ck_ok(dlviz_network_evaluate(network, other, &loss, NULL));
    ck_assert_int_eq(count, 3);
    dlviz_set_log(NULL, NULL);
    dlviz_dataset_destroy(train);
    dlviz_dataset_destroy(other);
    dlviz_network_destroy(network);
}
END_TEST

typedef struct preparation {
    const dlviz_network *network;
    dlviz_dataset *dataset;
    dlviz_status status;
} preparation;

static void *prepare_elsewhere(void *user) {
    preparation *p = user;
    p->status = dlviz_network_prepare_data(p->network, p->dataset);
    return NULL;
}

/* Another thread may be changing what is read: it is refused there, and not in one's own callback. */
START_TEST(nothing_is_prepared_by_a_network_in_use) {
    dlviz_network *network = net_from_text("1x5x5", NET);
    preparation p = {.network = network, .dataset = images(1, 5, 5)};
    dlz_hold hold;
    pthread_t thread;
    ck_ok(dlz_busy_take("test", &network->busy, "network", DLZ_ALONE, &hold));
    ck_assert_int_eq(pthread_create(&thread, NULL, prepare_elsewhere, &p), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(p.status, DLVIZ_ERROR_STATE);
    ck_ok(dlviz_network_prepare_data(network, p.dataset));
    dlz_busy_give_back(&hold);
    dlviz_dataset_destroy(p.dataset);
    dlviz_network_destroy(network);
}
END_TEST

int main(void) {
    return run_tests("network data", (const TTest *const[]){
                                         a_description_survives_files_to_the_bit,
                                         another_programs_description_is_read,
                                         training_describes_its_data,
                                         what_was_trained_on_is_described,
                                         a_dataset_is_prepared_as_in_training,
                                         what_does_not_fit_is_refused,
                                         damaged_foreign_and_newer_texts_get_a_sentence,
                                         memory_may_run_out_anywhere,
                                         other_normalization_is_told_of,
                                         nothing_is_prepared_by_a_network_in_use,
                                         NULL,
                                     });
}
