/* Networks saved and loaded: what the file holds, and what is refused. */
#include "support/fixture.h"
#include "network/network.h"
#include "support/process.h"
#include "tensor/safetensors.h"

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
            ck_assert_int_eq(memcmp(fixture_floats(file, name, dlviz_tensor_num_elements(tensor)),
                                    dlviz_tensor_const_data(tensor),
                                    (size_t)dlviz_tensor_num_elements(tensor) * sizeof(float)),
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
    ck_ok(dlviz_safetensors_save(file, path));
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

/* Each has the tensors of the first, and another function, or another input. */
START_TEST(another_networks_file_is_refused) {
    static const char net[] = "c:conv,out=3,k=3,pad=1 b:bn r:relu p:pool,k=2 d:dropout,p=0.25 "
                              "f:flatten fc:linear,out=2";
    static const struct {
        const char *dims, *net, *words;
    } cases[] = {
        {"1x6x6",
         "c:conv,out=3,k=3,pad=1 b:bn p:pool,k=2 d:dropout,p=0.25 f:flatten fc:linear,out=2",
         "layer 3 is 'r' (relu) in the file and 'p' (maxpool2d) here"},
        {"1x6x6",
         "c:conv,out=3,k=3,pad=1 b:bn r:relu p:pool,k=2 d:dropout,p=0.25 f:flatten fc:linear,out=2 "
         "r2:relu",
         "layer 8 is absent in the file and 'r2' (relu) here"},
        {"1x6x6",
         "c:conv,out=3,k=3,pad=1 b:bn r:relu p:pool,k=3,stride=2,pad=1 d:dropout,p=0.25 f:flatten "
         "fc:linear,out=2",
         "maxpool2d 'p': kernel is [2,2] in the file and [3,3] here"},
        {"1x6x6",
         "c:conv,out=3,k=3,pad=1 b:bn,eps=0.1 r:relu p:pool,k=2 d:dropout,p=0.25 f:flatten "
         "fc:linear,out=2",
         "batchnorm 'b': eps is 1e-05 in the file and 0.1 here"},
        {"1x6x6",
         "c:conv,out=3,k=3,pad=2,dil=2 b:bn r:relu p:pool,k=2 d:dropout,p=0.25 f:flatten "
         "fc:linear,out=2",
         "conv2d 'c': padding is [1,1] in the file and [2,2] here"},
        {"1x6x6",
         "c:conv,out=3,k=3,pad=1 b:bn r:relu pool:pool,k=2 d:dropout,p=0.25 f:flatten "
         "fc:linear,out=2",
         "layer 4 is 'p' (maxpool2d) in the file and 'pool' (maxpool2d) here"},
        {"1x7x7",
         "c:conv,out=3,k=3,pad=1 b:bn r:relu p:pool,k=2 d:dropout,p=0.25 f:flatten fc:linear,out=2",
         "network: input is [1,6,6] in the file and [1,7,7] here"},
        {"1x6x6",
         "c:conv,out=3,k=3,pad=1 b:bn r:relu p:pool,k=2 d:dropout,p=0.25 f:flatten fc:linear,out=4",
         "linear 'fc': out_features is 2 in the file and 4 here"},
    };
    dlviz_network *source = net_from_text("1x6x6", net), *reader, *same;
    fill_states(source, 3, false);
    const char *path = scratch_path("architecture");
    ck_ok(dlviz_network_save(source, path));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reader = net_from_text(cases[i].dims, cases[i].net);
        same = net_from_text(cases[i].dims, cases[i].net);
        ck_fails(dlviz_network_load(reader, path), DLVIZ_ERROR_FORMAT, cases[i].words);
        assert_same_states(reader, same);
        dlviz_network_destroy(reader);
        dlviz_network_destroy(same);
    }
    /* What acts in training alone may be another's: a model is trained further as one likes. And
     * padding is what it comes to. */
    reader = net_from_text("1x6x6", "c:conv,out=3,k=3,pad=same b:bn,momentum=0.5 r:relu p:pool,k=2 "
                                    "d:dropout,p=0.5 f:flatten fc:linear,out=2");
    ck_ok(dlviz_network_load(reader, path));
    assert_same_states(reader, source);
    dlviz_network_destroy(reader);
    dlviz_network_destroy(source);
}
END_TEST

START_TEST(other_files_of_the_library_are_named) {
    process p;
    const char *path = scratch_path("other");
    begin_process(&p, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_save_checkpoint(p.trainer, path));
    ck_fails(dlviz_network_load(p.network, path), DLVIZ_ERROR_FORMAT,
             "it is a checkpoint of training; dlviz_trainer_load_checkpoint reads it");
    end_process(&p);
    dlviz_network *network = small(1);
    dlviz_tensor *rows;
    dlviz_pca *pca;
    ck_ok(dlviz_tensor_create(&rows, DLVIZ_FLOAT32, 2, (int64_t[]){5, 3}));
    fill_uniform(dlviz_tensor_float(rows), 15, 1);
    ck_ok(dlviz_pca_create(&pca, 2));
    ck_ok(dlviz_pca_fit(pca, rows));
    ck_ok(dlviz_pca_save(pca, path));
    ck_fails(dlviz_network_load(network, path), DLVIZ_ERROR_FORMAT, "dlviz_pca_open");
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_save(tsne, path));
    ck_fails(dlviz_network_load(network, path), DLVIZ_ERROR_FORMAT, "dlviz_tsne_open");
    dlviz_film *film;
    ck_ok(dlviz_film_create(&film));
    ck_ok(dlviz_film_save(film, path));
    ck_fails(dlviz_network_load(network, path), DLVIZ_ERROR_FORMAT, "dlviz_film_open");
    dlviz_film_destroy(film);
    dlviz_tsne_destroy(tsne);
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(rows);
    dlviz_network_destroy(network);
}
END_TEST

/* One bit of each tensor in turn. */
START_TEST(damage_is_located) {
    dlviz_network *source = small(3), *network = small(9), *same = small(9);
    const char *path = scratch_path("whole"), *flipped = scratch_path("flipped");
    ck_ok(dlviz_network_save(source, path));
    size_t size;
    unsigned char *bytes = file_bytes(path, &size);
    dlviz_safetensors *set;
    ck_ok(dlviz_safetensors_open(&set, path));
    size_t data = (const unsigned char *)set->entries[0].data - (const unsigned char *)set->block;
    for (size_t i = 0; i < set->count; i++) {
        const dlz_safetensors_entry *entry = &set->entries[i];
        char words[200];
        snprintf(words, sizeof words, "tensor '%s' is damaged", entry->name);
        size_t at = data + entry->begin + dlz_safetensors_bytes(entry) - 1;
        bytes[at] ^= 0x10;
        write_file(flipped, bytes, size);
        ck_fails(dlviz_network_load(network, flipped), DLVIZ_ERROR_FORMAT, words);
        assert_same_states(network, same);
        bytes[at] ^= 0x10;
    }
    free(bytes);
    dlviz_safetensors_destroy(set);
    dlviz_network_destroy(source);
    dlviz_network_destroy(network);
    dlviz_network_destroy(same);
}
END_TEST

START_TEST(what_could_not_be_loaded_is_not_saved) {
    dlviz_network *network = small(3);
    const char *path = scratch_path("good");
    ck_ok(dlviz_network_save(network, path));
    size_t size, now_size;
    unsigned char *bytes = file_bytes(path, &size);
    const struct {
        const char *name;
        float value;
        const char *words;
    } cases[] = {{"conv.weight", NAN, "'conv.weight' holds NaN at element 1"},
                 {"bn.running_mean", -INFINITY, "'bn.running_mean' holds an infinity at"},
                 {"bn.running_var", INFINITY, "'bn.running_var' holds an infinity at element 1"},
                 {"bn.running_var", -1, "'bn.running_var' holds -1 at element 1; 0 or more"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlz_state *state;
        ck_ok(dlz_network_find_state(network, "test", cases[i].name, &state));
        float *value = (float *)state->value + 1, kept = *value;
        *value = cases[i].value;
        ck_fails(dlviz_network_save(network, path), DLVIZ_ERROR_NUMERIC, cases[i].words);
        unsigned char *now = file_bytes(path, &now_size);
        ck_assert_uint_eq(now_size, size);
        ck_assert_mem_eq(now, bytes, size);
        free(now);
        *value = kept;
    }
    /* A count is a state as well: training would add to it. */
    const int64_t counts[] = {-1, INT64_MAX};
    for (int i = 0; i < 2; i++) {
        dlviz_tensor *counter;
        ck_ok(dlviz_tensor_from_data(&counter, DLVIZ_INT64, 0, NULL, &counts[i]));
        ck_fails(dlviz_network_set_state(network, "bn.num_batches_tracked", counter),
                 DLVIZ_ERROR_NUMERIC, "'bn.num_batches_tracked' holds");
        ck_fails(dlviz_network_load(
                     network, write_variant(network, NULL, "bn.num_batches_tracked", counter)),
                 DLVIZ_ERROR_FORMAT, "'bn.num_batches_tracked' holds");
        dlviz_tensor_destroy(counter);
    }
    free(bytes);
    dlviz_network_destroy(network);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_file_has_pytorchs_names_and_shapes,
                                  what_is_saved_comes_back,
                                  a_file_that_does_not_fit_changes_nothing,
                                  a_missing_counter_is_zero,
                                  damaged_files_change_nothing,
                                  another_networks_file_is_refused,
                                  other_files_of_the_library_are_named,
                                  damage_is_located,
                                  what_could_not_be_loaded_is_not_saved,
                                  NULL};
    return run_tests("network files", tests);
}
