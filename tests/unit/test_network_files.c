/* Networks saved and loaded: what the file holds, and what is refused. */
#include "support/fixture.h"
#include "support/netspec.h"

#include <dlviz/safetensors.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL "conv:conv,out=3,k=3 bn:bn relu:relu flat:flatten fc:linear,out=2"

static dlviz_network *small(uint64_t seed) {
    dlviz_network *network = net_from_text("1x6x6", SMALL);
    fill_states(network, seed, false);
    return network;
}

START_TEST(a_file_has_pytorchs_names_and_shapes) {
    dlviz_network *network = report_network(32, 1);
    fill_states(network, 3, false);
    const char *path = scratch_path("report.safetensors");
    ck_ok(dlviz_network_save(network, path));
    fixture *file = fixture_open_path(path);
    FILE *list = fopen(fixture_path("report_states.txt"), "r");
    ck_assert_ptr_nonnull(list);
    char line[128];
    int count = 0;
    for (; fgets(line, sizeof line, list); count++) {
        char found[128] = "";
        char *wanted = strtok(line, "\n");
        const char *name, *dtype;
        int ndim;
        int64_t dims[8];
        size_t length = strcspn(wanted, " ");
        for (int i = 0; fixture_entry(file, i, &name, &dtype, &ndim, dims); i++)
            if (strlen(name) == length && strncmp(name, wanted, length) == 0) {
                int used = snprintf(found, sizeof found, "%s %s", name, dtype);
                for (int d = 0; d < ndim; d++)
                    used += snprintf(found + used, sizeof found - (size_t)used, " %lld",
                                     (long long)dims[d]);
            }
        ck_assert_str_eq(found, wanted);
    }
    fclose(list);
    ck_assert_int_eq(fixture_count(file), count);
    /* The elements are those of the network. */
    for (int i = 0; i < dlviz_network_num_states(network); i++) {
        const char *name = dlviz_network_state_name(network, i);
        dlviz_tensor *tensor;
        ck_ok(dlviz_network_get_state(network, name, &tensor));
        if (dlviz_tensor_dtype(tensor) == DLVIZ_FLOAT32) {
            ck_assert_int_eq(memcmp(fixture_floats(file, name, dlviz_tensor_size(tensor)),
                                    dlviz_tensor_const_data(tensor),
                                    (size_t)dlviz_tensor_size(tensor) * sizeof(float)),
                             0);
        }
        dlviz_tensor_destroy(tensor);
    }
    fixture_close(file);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(what_is_saved_comes_back) {
    dlviz_network *a = small(3), *b = small(9);
    int64_t batches = 1ll << 40;
    dlviz_tensor *counter;
    ck_ok(dlviz_tensor_from_data(&counter, DLVIZ_INT64, 0, NULL, &batches));
    ck_ok(dlviz_network_set_state(a, "bn.num_batches_tracked", counter));
    dlviz_tensor_destroy(counter);
    ck_ok(dlviz_network_save(a, scratch_path("a.safetensors")));
    ck_ok(dlviz_network_load(b, scratch_path("a.safetensors")));
    assert_same_states(a, b);
    /* Saving over an existing file works, into a folder that is not there does not. */
    ck_ok(dlviz_network_save(a, scratch_path("a.safetensors")));
    ck_fails(dlviz_network_save(a, scratch_path("nowhere/a.safetensors")), DLVIZ_ERROR_IO,
             "nowhere");
    ck_fails(dlviz_network_load(a, scratch_path("absent.safetensors")), DLVIZ_ERROR_IO, "absent");
    ck_fails(dlviz_network_save(a, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "path");
    ck_fails(dlviz_network_load(a, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "path");
    assert_same_states(a, b);
    dlviz_network_destroy(a);
    dlviz_network_destroy(b);
}
END_TEST

/* Writes the states of a network, but for `skip`, and with `replaced` under `name` instead. */
static const char *write_variant(dlviz_network *network, const char *skip, const char *name,
                                 const dlviz_tensor *replaced) {
    const char *path = scratch_path("variant.safetensors");
    dlviz_safetensors *file;
    ck_ok(dlviz_safetensors_create(&file));
    for (int i = 0; i < dlviz_network_num_states(network); i++) {
        const char *state = dlviz_network_state_name(network, i);
        dlviz_tensor *tensor;
        if ((skip && strcmp(skip, state) == 0) || (name && strcmp(name, state) == 0))
            continue;
        ck_ok(dlviz_network_get_state(network, state, &tensor));
        ck_ok(dlviz_safetensors_add(file, state, tensor));
        dlviz_tensor_destroy(tensor);
    }
    if (name)
        ck_ok(dlviz_safetensors_add(file, name, replaced));
    ck_ok(dlviz_safetensors_write(file, path));
    dlviz_safetensors_destroy(file);
    return path;
}

/* The variant is refused with these words, and the network that should have read it is as before.
 */
static void refused(const char *skip, const char *name, dlviz_tensor *replaced, const char *words) {
    dlviz_network *source = small(3), *network = small(9), *same = small(9);
    const char *path = write_variant(source, skip, name, replaced);
    ck_fails(dlviz_network_load(network, path), DLVIZ_ERROR_FORMAT, words);
    assert_same_states(network, same);
    dlviz_network_destroy(source);
    dlviz_network_destroy(network);
    dlviz_network_destroy(same);
    dlviz_tensor_destroy(replaced);
}

START_TEST(a_file_that_does_not_fit_changes_nothing) {
    float values[128] = {0}, bad[3] = {1, NAN, 2};
    refused("fc.bias", NULL, NULL, "fc.bias");
    refused("bn.running_var", NULL, NULL, "bn.running_var");
    refused(NULL, "fc2.bias", float_tensor(1, (int64_t[]){2}, values), "fc2.bias");
    refused(NULL, "fc.bias", float_tensor(1, (int64_t[]){3}, values), "fc.bias");
    refused(NULL, "fc.weight", float_tensor(2, (int64_t[]){48, 2}, values), "fc.weight");
    refused(NULL, "fc.weight", float_tensor(1, (int64_t[]){96}, values), "fc.weight");
    refused(NULL, "bn.weight", float_tensor(1, (int64_t[]){3}, bad), "bn.weight");
    bad[1] = INFINITY;
    refused(NULL, "fc.bias", float_tensor(1, (int64_t[]){2}, bad), "fc.bias");
    refused(NULL, "conv.bias", int64_tensor(3, (int64_t[]){1, 2, 3}), "conv.bias");
    refused(NULL, "bn.num_batches_tracked", float_tensor(1, (int64_t[]){2}, values),
            "num_batches_tracked");
}
END_TEST

START_TEST(a_missing_counter_is_zero) {
    dlviz_network *source = small(3), *network = small(9);
    dlviz_tensor *counter;
    int64_t batches = 5;
    ck_ok(dlviz_tensor_from_data(&counter, DLVIZ_INT64, 0, NULL, &batches));
    ck_ok(dlviz_network_set_state(network, "bn.num_batches_tracked", counter));
    dlviz_tensor_destroy(counter);
    ck_ok(dlviz_network_load(network, write_variant(source, "bn.num_batches_tracked", NULL, NULL)));
    assert_same_states(source, network); /* the source never trained */
    dlviz_network_destroy(source);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(damaged_files_change_nothing) {
    dlviz_network *source = small(3), *network = small(9), *same = small(9);
    const char *path = scratch_path("whole.safetensors"), *cut = scratch_path("cut.safetensors");
    ck_ok(dlviz_network_save(source, path));
    FILE *stream = fopen(path, "rb");
    static unsigned char bytes[1 << 14];
    size_t size = fread(bytes, 1, sizeof bytes, stream);
    ck_assert(size > 100 && size < sizeof bytes);
    fclose(stream);
    for (size_t length = 0; length < size; length += length < 16 ? 1 : 97) {
        write_file(cut, bytes, length);
        ck_fails(dlviz_network_load(network, cut), DLVIZ_ERROR_FORMAT, "cut.safetensors");
    }
    write_file(cut, bytes, size + 1);
    ck_fails(dlviz_network_load(network, cut), DLVIZ_ERROR_FORMAT, "cut.safetensors");
    assert_same_states(network, same);
    dlviz_network_destroy(source);
    dlviz_network_destroy(network);
    dlviz_network_destroy(same);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_file_has_pytorchs_names_and_shapes,
                                  what_is_saved_comes_back,
                                  a_file_that_does_not_fit_changes_nothing,
                                  a_missing_counter_is_zero,
                                  damaged_files_change_nothing,
                                  NULL};
    return run_tests("network files", tests);
}
