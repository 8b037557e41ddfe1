/* Tensors renamed, left out and taken by networks that they fit in part. The files are PyTorch's own
 * (tests/parity/generate_finetune.py, generate_data.py). */
#include "support/failing.h"
#include "support/fixture.h"
#include "support/netspec.h"

#include <dlviz/safetensors.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FEATURES                                                                                   \
    "conv1:conv,out=8,k=3,pad=1 relu1:relu pool1:pool,k=2 features.3:conv,out=16,k=3,pad=1 "       \
    "relu2:relu pool2:pool,k=2 flatten:flatten "

static dlviz_safetensors *pretrained(void) {
    dlviz_safetensors *file;
    ck_ok(dlviz_safetensors_open(&file, fixture_path("pretrained.safetensors")));
    return file;
}

static dlviz_safetensors *contents_of(const char *const *names) {
    dlviz_safetensors *contents;
    dlviz_tensor *tensor;
    ck_ok(dlviz_safetensors_create(&contents));
    for (int i = 0; names[i]; i++) {
        ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_INT64, 0, NULL, &(int64_t){i}));
        ck_ok(dlviz_safetensors_add(contents, names[i], tensor));
        dlviz_tensor_destroy(tensor);
    }
    return contents;
}

/* The names there are, in order, with the number that each tensor holds. */
static void expect_names(const dlviz_safetensors *contents, const char *wanted) {
    char found[512] = "";
    size_t used = 0;
    for (int64_t i = 0; i < dlviz_safetensors_num_tensors(contents); i++) {
        const char *name = dlviz_safetensors_tensor_name(contents, i);
        dlviz_tensor *tensor;
        ck_assert(dlviz_safetensors_has(contents, name));
        ck_ok(dlviz_safetensors_get(contents, name, &tensor));
        used += (size_t)snprintf(found + used, sizeof found - used, "%s%s=%lld", i ? " " : "", name,
                                 (long long)*(const int64_t *)dlviz_tensor_const_data(tensor));
        dlviz_tensor_destroy(tensor);
    }
    ck_assert_str_eq(found, wanted);
}

START_TEST(names_change_by_patterns) {
    static const char *const names[] = {"module.a.0.w", "module.a.0.b", "module.c", "other", NULL};
    dlviz_safetensors *c = contents_of(names);
    ck_ok(dlviz_safetensors_rename(c, "module.*", "*"));
    expect_names(c, "a.0.w=0 a.0.b=1 c=2 other=3");
    ck_ok(dlviz_safetensors_rename(c, "a.0.*", "block1.*"));
    expect_names(c, "block1.w=0 block1.b=1 c=2 other=3");
    ck_ok(dlviz_safetensors_rename(c, "*.w", "\xc3\xa4.*.weight"));
    expect_names(c, "\xc3\xa4.block1.weight=0 block1.b=1 c=2 other=3");
    ck_ok(dlviz_safetensors_rename(c, "c", "d.c"));
    ck_ok(dlviz_safetensors_rename(c, "o*r", "*"));
    expect_names(c, "\xc3\xa4.block1.weight=0 block1.b=1 d.c=2 the=3");
    /* Two that change places would meet only on the way; what matches takes part once. */
    ck_ok(dlviz_safetensors_rename(c, "*", "x*x"));
    expect_names(c, "x\xc3\xa4.block1.weightx=0 xblock1.bx=1 xd.cx=2 xthex=3");
    ck_ok(dlviz_safetensors_remove(c, "x?*.b?"));
    expect_names(c, "x\xc3\xa4.block1.weightx=0 xd.cx=2 xthex=3");
    ck_assert(!dlviz_safetensors_has(c, "xblock1.bx"));
    ck_ok(dlviz_safetensors_remove(c, "*"));
    expect_names(c, "");
    dlviz_safetensors_destroy(c);
}
END_TEST

/* The pattern goes with what it removes; AddressSanitizer sees whether it is looked at afterwards. */
START_TEST(a_tensor_is_removed_by_the_name_it_has) {
    static const char *const names[] = {"a", "b", "*", "c", NULL};
    dlviz_safetensors *c = contents_of(names);
    ck_ok(dlviz_safetensors_remove(c, dlviz_safetensors_tensor_name(c, 1)));
    expect_names(c, "a=0 *=2 c=3");
    ck_ok(dlviz_safetensors_remove(c, dlviz_safetensors_tensor_name(c, 1)));
    expect_names(c, "");
    dlviz_safetensors_destroy(c);
}
END_TEST

START_TEST(what_no_tensor_can_be_called_is_refused) {
    static const char *const names[] = {"a.w", "a.b", "b.w", "module.", NULL};
    dlviz_safetensors *c = contents_of(names);
    static const struct {
        const char *from, *to, *words;
        dlviz_status status;
    } cases[] = {
        {"x.*", "*", "no tensor is called 'x.*'; there are 'a.w', 'a.b', 'b.w', 'module.'",
         DLVIZ_ERROR_NOT_FOUND},
        {"a.*", "b.*", "'a.w' and 'b.w' would both be called 'b.w'", DLVIZ_ERROR_INVALID_ARGUMENT},
        {"b.w", "a.b", "'a.b' and 'b.w' would both be called 'a.b'", DLVIZ_ERROR_INVALID_ARGUMENT},
        {"*.w", "same", "either both have a '*' or none", DLVIZ_ERROR_INVALID_ARGUMENT},
        {"a.w", "*", "either both have a '*' or none", DLVIZ_ERROR_INVALID_ARGUMENT},
        {"*.*", "*", "'from' is '*.*'", DLVIZ_ERROR_INVALID_ARGUMENT},
        {"*", "**", "'to' is '**'", DLVIZ_ERROR_INVALID_ARGUMENT},
        {"a.?", "b", "'from' is 'a.?'", DLVIZ_ERROR_INVALID_ARGUMENT},
        {"a.w", "", "'to' is ''", DLVIZ_ERROR_INVALID_ARGUMENT},
        {"a.w", "\xff", "'to' is", DLVIZ_ERROR_INVALID_ARGUMENT},
        {"module.*", "*", "'module.' would be called ''", DLVIZ_ERROR_INVALID_ARGUMENT},
        {"a.w", "__metadata__", "which no tensor can be", DLVIZ_ERROR_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_fails(dlviz_safetensors_rename(c, cases[i].from, cases[i].to), cases[i].status,
                 cases[i].words);
        expect_names(c, "a.w=0 a.b=1 b.w=2 module.=3");
    }
    ck_fails(dlviz_safetensors_remove(c, "head.*"), DLVIZ_ERROR_NOT_FOUND, "'head.*'");
    expect_names(c, "a.w=0 a.b=1 b.w=2 module.=3");
    dlviz_safetensors_destroy(c);
}
END_TEST

/* Names of all lengths, so that a sentence's end falls anywhere. */
START_TEST(sentences_name_as_many_as_they_have_room_for) {
    for (int length = 1; length < 260; length++) {
        dlviz_safetensors *c;
        dlviz_tensor *tensor;
        char name[300];
        ck_ok(dlviz_safetensors_create(&c));
        ck_ok(dlviz_tensor_create(&tensor, DLVIZ_UINT8, 0, NULL));
        for (int i = 0; i < 12; i++) {
            memset(name, 'a' + i, (size_t)length);
            name[length] = '\0';
            ck_ok(dlviz_safetensors_add(c, name, tensor));
        }
        ck_fails(dlviz_safetensors_remove(c, "x"), DLVIZ_ERROR_NOT_FOUND,
                 length > 190 ? "there are others" : "there are 'a");
        dlviz_tensor_destroy(tensor);
        dlviz_safetensors_destroy(c);
    }
}
END_TEST

/* What a file of the library says of its tensors by name goes with the names. */
START_TEST(renamed_contents_can_be_saved_and_loaded) {
    dlviz_network *a = net_from_text("1x6x6", "c:conv,out=2,k=3 f:flatten fc:linear,out=2"),
                  *b = net_from_text("1x6x6", "x.c:conv,out=2,k=3 f:flatten x.fc:linear,out=2");
    dlviz_safetensors *file;
    void *bytes;
    size_t size;
    fill_states(a, 3, false);
    ck_ok(dlviz_network_save_memory(a, &bytes, &size));
    ck_ok(dlviz_safetensors_open_memory(&file, bytes, size));
    dlviz_free(bytes);
    ck_ok(dlviz_safetensors_rename(file, "*", "x.*"));
    ck_ok(dlviz_safetensors_save_memory(file, &bytes, &size));
    ck_ok(dlviz_network_load_memory(b, bytes, size));
    dlviz_free(bytes);
    dlviz_tensor *one, *two;
    ck_ok(dlviz_network_get_state(a, "fc.weight", &one));
    ck_ok(dlviz_network_get_state(b, "x.fc.weight", &two));
    ck_assert_int_eq(memcmp(dlviz_tensor_data(one), dlviz_tensor_data(two), 64 * sizeof(float)), 0);
    dlviz_tensor_destroy(one);
    dlviz_tensor_destroy(two);
    ck_ok(dlviz_network_load_tensors(b, file, true));
    ck_fails(dlviz_network_load_tensors(a, file, true), DLVIZ_ERROR_FORMAT,
             "'x.c.weight' is not part of this network");
    dlviz_safetensors_destroy(file);
    dlviz_network_destroy(a);
    dlviz_network_destroy(b);
}
END_TEST

/* PyTorch's features of the three digits, from PyTorch's weights under PyTorch's names. */
START_TEST(pytorchs_features_come_with_its_weights) {
    dlviz_network *network = net_from_text("1x28x28", FEATURES "head:linear,out=10");
    dlviz_safetensors *file = pretrained();
    dlviz_tensor *head, *after, *bytes, *features;
    dlviz_dataset *digits;
    ck_ok(dlviz_network_get_state(network, "head.weight", &head));
    ck_ok(dlviz_safetensors_rename(file, "module.*", "*"));
    ck_ok(dlviz_safetensors_rename(file, "features.0.*", "conv1.*"));
    ck_ok(dlviz_network_load_tensors(network, file, false));
    ck_assert_int_eq(dlviz_network_num_missing(network), 2);
    ck_assert_str_eq(dlviz_network_missing_name(network, 0), "head.weight");
    ck_assert_str_eq(dlviz_network_missing_name(network, 1), "head.bias");
    ck_assert_ptr_null(dlviz_network_missing_name(network, 2));
    ck_assert_ptr_null(dlviz_network_missing_name(network, -1));
    ck_assert_int_eq(dlviz_network_num_unused(network), 2);
    ck_assert_str_eq(dlviz_network_unused_name(network, 0), "classifier.weight");
    ck_assert_str_eq(dlviz_network_unused_name(network, 1), "classifier.bias");
    ck_ok(dlviz_network_get_state(network, "head.weight", &after));
    ck_assert_int_eq(memcmp(dlviz_tensor_data(head), dlviz_tensor_data(after), 7840 * 4), 0);
    ck_ok(dlviz_tensor_read_npy(&bytes, fixture_path("digits.npy")));
    ck_ok(dlviz_dataset_create(&digits, bytes, NULL));
    ck_ok(dlviz_dataset_set_normalization(digits, 0.1307f, 0.3081f));
    ck_ok(dlviz_network_features(network, "flatten", digits, &features));
    fixture *expected = fixture_open("pretrained_features.safetensors");
    double error = relative_error(dlviz_tensor_const_float(features),
                                  fixture_floats(expected, "features", 3 * 784), 3 * 784);
    ck_assert_msg(error < 1e-6, "off by %g", error);
    fixture_close(expected);
    dlviz_tensor_destroy(head);
    dlviz_tensor_destroy(after);
    dlviz_tensor_destroy(bytes);
    dlviz_tensor_destroy(features);
    dlviz_dataset_destroy(digits);
    dlviz_safetensors_destroy(file);
    dlviz_network_destroy(network);
}
END_TEST

static void refused(dlviz_network *network, const dlviz_safetensors *file, const char *words) {
    void *before, *after;
    size_t size, size_after;
    ck_ok(dlviz_network_save_memory(network, &before, &size));
    ck_fails(dlviz_network_load_tensors(network, file, false), DLVIZ_ERROR_FORMAT, words);
    ck_ok(dlviz_network_save_memory(network, &after, &size_after));
    ck_assert(size == size_after && memcmp(before, after, size) == 0);
    dlviz_free(before);
    dlviz_free(after);
}

START_TEST(what_is_there_must_fit) {
    dlviz_network *network = net_from_text("1x28x28", FEATURES "classifier:linear,out=10");
    dlviz_safetensors *file = pretrained();
    refused(network, file,
            "none of the 6 tensors is a state of the network: the first tensor is "
            "'module.features.0.weight', and the first state 'conv1.weight'");
    ck_ok(dlviz_safetensors_rename(file, "module.*", "*"));
    refused(network, file,
            "'classifier.weight' is float32 5 x 784, needs float32 10 x 784; where that is meant, "
            "leave the tensor out with dlviz_safetensors_remove");
    ck_ok(dlviz_safetensors_remove(file, "classifier.*"));
    ck_ok(dlviz_network_load_tensors(network, file, false));
    ck_assert_int_eq(dlviz_network_num_missing(network), 4);
    ck_assert_int_eq(dlviz_network_num_unused(network), 2);
    /* A failure leaves the lists, too, and a strict load empties them. */
    dlviz_tensor *bad;
    float nan[10] = {[3] = NAN};
    ck_ok(dlviz_tensor_from_data(&bad, DLVIZ_FLOAT32, 1, (int64_t[]){10}, nan));
    ck_ok(dlviz_safetensors_add(file, "classifier.bias", bad));
    dlviz_tensor_destroy(bad);
    refused(network, file, "'classifier.bias' holds NaN at element 3");
    ck_assert_int_eq(dlviz_network_num_missing(network), 4);
    ck_fails(dlviz_network_load_tensors(network, file, true), DLVIZ_ERROR_FORMAT,
             "'features.0.weight' is not part of this network");
    dlviz_safetensors_destroy(file);
    void *bytes;
    size_t size;
    ck_ok(dlviz_network_save_memory(network, &bytes, &size));
    ck_ok(dlviz_safetensors_open_memory(&file, bytes, size));
    ck_ok(dlviz_network_load_tensors(network, file, true));
    ck_assert_int_eq(dlviz_network_num_missing(network) + dlviz_network_num_unused(network), 0);
    dlviz_free(bytes);
    dlviz_safetensors_destroy(file);
    dlviz_network_destroy(network);
}
END_TEST

/* Counters that are not there are no loss, and another architecture is none of strictness's business. */
START_TEST(networks_of_the_library_load_in_part) {
    dlviz_network *a = net_from_text("1x6x6", "c:conv,out=2,k=3 b:bn r:relu f:flatten "
                                              "fc:linear,out=2"),
                  *b = net_from_text("1x6x6", "c:conv,out=2,k=3 b:bn f:flatten other:linear,out=2");
    dlviz_safetensors *file;
    void *bytes;
    size_t size;
    fill_states(a, 3, false);
    ck_ok(dlviz_network_save_memory(a, &bytes, &size));
    ck_ok(dlviz_safetensors_open_memory(&file, bytes, size));
    dlviz_free(bytes);
    ck_fails(dlviz_network_load_tensors(b, file, true), DLVIZ_ERROR_FORMAT,
             "layer 3 is 'r' (relu) in the file and 'f' (flatten) here");
    ck_ok(dlviz_safetensors_remove(file, "*.num_batches_tracked"));
    ck_ok(dlviz_network_load_tensors(b, file, false));
    ck_assert_int_eq(dlviz_network_num_missing(b), 2);
    ck_assert_str_eq(dlviz_network_missing_name(b, 0), "other.weight");
    ck_assert_int_eq(dlviz_network_num_unused(b), 2);
    dlviz_tensor *one, *two;
    ck_ok(dlviz_network_get_state(a, "b.running_var", &one));
    ck_ok(dlviz_network_get_state(b, "b.running_var", &two));
    ck_assert_int_eq(memcmp(dlviz_tensor_data(one), dlviz_tensor_data(two), 2 * sizeof(float)), 0);
    dlviz_tensor_destroy(one);
    dlviz_tensor_destroy(two);
    dlviz_safetensors_destroy(file);
    dlviz_network_destroy(a);
    dlviz_network_destroy(b);
}
END_TEST

static dlviz_status rename_and_load(void *context) {
    dlviz_safetensors *file = NULL;
    dlviz_network *network = NULL;
    dlviz_status status = dlviz_safetensors_open(&file, context);
    if (status == DLVIZ_OK)
        status = dlviz_safetensors_rename(file, "module.*", "*");
    if (status == DLVIZ_OK)
        status = dlviz_safetensors_remove(file, "features.0.*");
    if (status == DLVIZ_OK)
        status = dlviz_network_create(&network, 1, (int64_t[]){784});
    if (status == DLVIZ_OK) {
        dlviz_network_add(network, "classifier", dlviz_linear(5));
        dlviz_network_add(network, "more", dlviz_linear(5));
        status = dlviz_network_build(network, 1);
    }
    if (status == DLVIZ_OK)
        status = dlviz_network_load_tensors(network, file, false);
    if (status == DLVIZ_OK)
        status = dlviz_network_load_tensors(network, file, false);
    dlviz_safetensors_destroy(file);
    dlviz_network_destroy(network);
    return status;
}

START_TEST(memory_may_run_out_anywhere) {
    char path[1200];
    snprintf(path, sizeof path, "%s", fixture_path("pretrained.safetensors"));
    ck_assert_int_ge(fail_each_allocation(rename_and_load, path), 40);
}
END_TEST

int main(void) {
    return run_tests("load tensors", (const TTest *const[]){
                                         names_change_by_patterns,
                                         a_tensor_is_removed_by_the_name_it_has,
                                         what_no_tensor_can_be_called_is_refused,
                                         sentences_name_as_many_as_they_have_room_for,
                                         renamed_contents_can_be_saved_and_loaded,
                                         pytorchs_features_come_with_its_weights,
                                         what_is_there_must_fit,
                                         networks_of_the_library_load_in_part,
                                         memory_may_run_out_anywhere,
                                         NULL,
                                     });
}
