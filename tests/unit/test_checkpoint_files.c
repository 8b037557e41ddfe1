/* What becomes of checkpoint files: nothing that could not be loaded is written, nothing good is
 * lost, and damage is located. */
#include "network/network.h"
#include "support/process.h"
#include "tensor/safetensors.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/trainer.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A checkpoint and the one before it, as bytes. */
typedef struct pair {
    char path[512], previous[600];
    unsigned char *bytes[2];
    size_t size[2];
} pair;

static pair remember(const char *name) {
    pair p;
    snprintf(p.path, sizeof p.path, "%s", scratch_path(name));
    snprintf(p.previous, sizeof p.previous, "%s.previous", p.path);
    p.bytes[0] = file_bytes(p.path, &p.size[0]);
    p.bytes[1] = file_bytes(p.previous, &p.size[1]);
    return p;
}

static void assert_untouched(const pair *p) {
    for (int i = 0; i < 2; i++) {
        size_t size;
        unsigned char *now = file_bytes(i ? p->previous : p->path, &size);
        ck_assert_uint_eq(size, p->size[i]);
        ck_assert_mem_eq(now, p->bytes[i], size);
        free(now);
    }
    DIR *folder = opendir(scratch_folder());
    for (struct dirent *entry; (entry = readdir(folder));)
        ck_assert_msg(!strstr(entry->d_name, ".tmp"), "'%s' is left over", entry->d_name);
    closedir(folder);
}

static void forget(pair *p) {
    free(p->bytes[0]);
    free(p->bytes[1]);
}

/* Two epochs, a checkpoint after each. */
static pair write_two(process *p, const char *name, const char *net, rule kind) {
    begin_process(p, net, kind, true);
    for (int epoch = 0; epoch < 2; epoch++) {
        ck_ok(dlviz_trainer_fit(p->trainer, p->train, 1));
        ck_ok(dlviz_trainer_save_checkpoint(p->trainer, scratch_path(name)));
    }
    return remember(name);
}

static float *state_of(process *p, const char *name) {
    dlz_state *state;
    ck_ok(dlz_network_find_state(p->network, "test", name, &state));
    return state->value;
}

START_TEST(what_could_not_be_loaded_is_not_saved) {
    process p;
    pair files = write_two(&p, "poisoned", PROCESS_NET, ADAM);
    float *weight = state_of(&p, "fc1.weight");
    int64_t place = weight - p.network->parameters;
    int64_t *count = (int64_t *)(void *)state_of(&p, "b.num_batches_tracked");
    const struct {
        float *at;
        float value;
        const char *words;
    } poison[] = {
        {weight + 3, NAN, "'fc1.weight' holds NaN at element 3"},
        {state_of(&p, "fc2.bias"), -INFINITY, "'fc2.bias' holds an infinity at element 0"},
        {state_of(&p, "b.running_mean") + 7, INFINITY, "'b.running_mean' holds an infinity at"},
        {state_of(&p, "b2.running_var") + 1, INFINITY, "'b2.running_var' holds an infinity at"},
        {state_of(&p, "b2.running_var"), -0.5f, "'b2.running_var' holds -0.5 at element 0"},
        {p.optimizer->moments[0] + place + 5, NAN,
         "'.optimizer.first_moment.fc1.weight' holds NaN at element 5"},
        {p.optimizer->moments[1] + place, INFINITY,
         "'.optimizer.second_moment.fc1.weight' holds an infinity at element 0"},
        {p.optimizer->moments[1] + place, -1, "'.optimizer.second_moment.fc1.weight' holds -1"},
    };
    for (size_t i = 0; i < sizeof poison / sizeof *poison; i++) {
        float kept = *poison[i].at;
        *poison[i].at = poison[i].value;
        ck_fails(dlviz_trainer_save_checkpoint(p.trainer, files.path), DLVIZ_ERROR_NUMERIC,
                 poison[i].words);
        assert_untouched(&files);
        *poison[i].at = kept;
    }
    int64_t kept = *count;
    *count = -1;
    ck_assert_int_ne(dlviz_trainer_save_checkpoint(p.trainer, files.path), DLVIZ_OK);
    *count = kept;
    /* And the numbers that are no tensor of the network. */
    dlviz_schedule *schedule = p.trainer->schedule;
    double *best = (double *)(void *)((char *)schedule + schedule->type->memory[0].offset);
    double *const numbers[] = {&p.trainer->tally.loss, &p.trainer->tally.norm, &p.trainer->seconds,
                               best, &p.optimizer->learning_rate};
    for (int i = 0; i < 5; i++) {
        double before = *numbers[i];
        *numbers[i] = NAN;
        ck_assert_int_ne(dlviz_trainer_save_checkpoint(p.trainer, files.path), DLVIZ_OK);
        *numbers[i] = before;
        assert_untouched(&files);
    }
    ck_ok(dlviz_trainer_save_checkpoint(p.trainer, files.path));
    ck_ok(dlviz_trainer_load_checkpoint(p.trainer, files.path));
    forget(&files);
    end_process(&p);
}
END_TEST

/* Changes a byte of every tensor in turn; the file then says which. */
START_TEST(damage_is_located) {
    process p;
    pair files = write_two(&p, "damaged", PROCESS_NET, ADAM);
    dlviz_safetensors *set;
    ck_ok(dlviz_safetensors_open(&set, files.path));
    size_t data = (const unsigned char *)set->entries[0].data - (const unsigned char *)set->block;
    unsigned char *bytes = files.bytes[0];
    for (size_t i = 0; i < set->count; i++) {
        const dlz_safetensors_entry *entry = &set->entries[i];
        char words[200];
        snprintf(words, sizeof words, "tensor '%s' is damaged", entry->name);
        for (int bit = 0; bit < 8; bit += 7) {
            size_t at = data - set->entries[0].begin + entry->begin +
                        (dlz_safetensors_bytes(entry) - 1) / 2;
            bytes[at] ^= (unsigned char)(1 << bit);
            write_file(scratch_path("flipped"), bytes, files.size[0]);
            refuses_checkpoint(&p, scratch_path("flipped"), words);
            bytes[at] ^= (unsigned char)(1 << bit);
        }
    }
    dlviz_safetensors_destroy(set);
    forget(&files);
    end_process(&p);
}
END_TEST

/* A byte anywhere in the header: refused, or what it says is the same. */
START_TEST(a_damaged_header_loads_nothing_else) {
    process p, reader;
    pair files = write_two(&p, "header", "f:flatten fc:linear,out=4", SGD);
    unsigned char *bytes = files.bytes[0];
    size_t header = 8 + bytes[0] + 256u * bytes[1];
    ck_assert_uint_lt(header, files.size[0]);
    for (size_t at = 0; at < header; at++) {
        bytes[at] ^= 1;
        write_file(scratch_path("flipped"), bytes, files.size[0]);
        begin_process(&reader, "f:flatten fc:linear,out=4", SGD, true);
        if (dlviz_trainer_load_checkpoint(reader.trainer, scratch_path("flipped")) == DLVIZ_OK)
            assert_same_run(&p, &reader);
        end_process(&reader);
        bytes[at] ^= 1;
    }
    forget(&files);
    end_process(&p);
}
END_TEST

START_TEST(a_damaged_file_does_not_replace_a_good_one) {
    process p, q;
    pair files = write_two(&p, "kept", PROCESS_NET, ADAM);
    size_t size;
    files.bytes[0][files.size[0] - 9] ^= 4;
    write_file(files.path, files.bytes[0], files.size[0]);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    dlz_fail(DLVIZ_ERROR_STATE, "what was wrong before");
    ck_ok(dlviz_trainer_save_checkpoint(p.trainer, files.path));
    ck_assert_str_eq(dlviz_last_error(), "what was wrong before");
    unsigned char *previous = file_bytes(files.previous, &size);
    ck_assert_uint_eq(size, files.size[1]);
    ck_assert_mem_eq(previous, files.bytes[1], size);
    free(previous);
    begin_process(&q, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_load_checkpoint(q.trainer, files.path));
    assert_same_run(&p, &q);
    /* Where there is nothing good to lose, whatever lay there is kept. */
    write_file(files.path, "a letter", 8);
    remove(files.previous);
    ck_ok(dlviz_trainer_save_checkpoint(p.trainer, files.path));
    ck_assert_str_eq(dlviz_last_error(), "what was wrong before");
    previous = file_bytes(files.previous, &size);
    ck_assert_uint_eq(size, 8);
    ck_assert_mem_eq(previous, "a letter", 8);
    free(previous);
    forget(&files);
    end_process(&p);
    end_process(&q);
}
END_TEST

/* The limit is for files that are read; what is looked at on the way to a file is the program's own. */
START_TEST(the_limit_for_files_is_none_for_saving) {
    process p;
    void *bytes;
    size_t size;
    pair files = write_two(&p, "limited", PROCESS_NET, ADAM);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_ok(dlviz_set_file_limit(1));
    ck_ok(dlviz_trainer_save_checkpoint(p.trainer, files.path));
    ck_ok(dlviz_trainer_save_checkpoint_memory(p.trainer, &bytes, &size));
    ck_fails(dlviz_trainer_load_checkpoint(p.trainer, files.path), DLVIZ_ERROR_OUT_OF_MEMORY,
             "(dlviz_set_file_limit)");
    ck_ok(dlviz_set_file_limit(0));
    unsigned char *now = file_bytes(files.previous, &size);
    ck_assert_mem_eq(now, files.bytes[0], files.size[0]);
    free(now);
    dlviz_free(bytes);
    forget(&files);
    end_process(&p);
}
END_TEST

/* A file system such as FAT, which has no hard links, and one that refuses a name now and then. */
static bool without_links;
static int renames_left = -1;

int __real_linkat(int from_folder, const char *from, int to_folder, const char *to, int flags);
int __wrap_linkat(int from_folder, const char *from, int to_folder, const char *to, int flags);
int __wrap_linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    if (!without_links)
        return __real_linkat(from_folder, from, to_folder, to, flags);
    errno = EPERM;
    return -1;
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to) {
    if (renames_left >= 0 && renames_left-- == 0) {
        errno = EIO;
        return -1;
    }
    return __real_rename(from, to);
}

START_TEST(without_hard_links_nothing_is_lost) {
    process p, q;
    without_links = true;
    pair files = write_two(&p, "unlinked", PROCESS_NET, ADAM);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    /* The second renaming fails: what was there has its name again. */
    renames_left = 1;
    ck_fails(dlviz_trainer_save_checkpoint(p.trainer, files.path), DLVIZ_ERROR_IO,
             "cannot replace");
    renames_left = -1;
    size_t size;
    unsigned char *now = file_bytes(files.path, &size);
    ck_assert_uint_eq(size, files.size[0]);
    ck_assert_mem_eq(now, files.bytes[0], size);
    free(now);
    ck_ok(dlviz_trainer_save_checkpoint(p.trainer, files.path));
    now = file_bytes(files.previous, &size);
    ck_assert_mem_eq(now, files.bytes[0], size);
    free(now);
    /* Ended between the two: who loads is told of the one there is. */
    ck_assert_int_eq(remove(files.path), 0);
    begin_process(&q, PROCESS_NET, ADAM, true);
    ck_fails(dlviz_trainer_load_checkpoint(q.trainer, files.path), DLVIZ_ERROR_IO,
             "the checkpoint before it is whole");
    ck_ok(dlviz_trainer_load_checkpoint(q.trainer, files.previous));
    without_links = false;
    forget(&files);
    end_process(&p);
    end_process(&q);
}
END_TEST

/* The longest name leaves no room for ".previous". */
START_TEST(a_name_of_any_length_saves_twice) {
    process p;
    begin_process(&p, PROCESS_NET, ADAM, true);
    for (size_t length = 245; length <= 255; length++) {
        char name[256], folder[512], path[800];
        for (size_t i = 0; i < length; i++) /* two-byte characters at the end */
            name[i] = i < 220 ? (char)('a' + i % 26) : (length - i) % 2 ? '\xA9' : '\xC3';
        if ((length - 220) % 2)
            name[220] = 'x';
        name[length] = '\0';
        snprintf(folder, sizeof folder, "%s/long%zu", scratch_folder(), length);
        ck_assert_int_eq(mkdir(folder, 0700), 0);
        snprintf(path, sizeof path, "%s/%s", folder, name);
        for (int i = 0; i < 3; i++)
            ck_ok(dlviz_trainer_save_checkpoint(p.trainer, path));
        DIR *list = opendir(folder);
        int files = 0, previous = 0;
        for (struct dirent *entry; (entry = readdir(list));) {
            if (entry->d_name[0] == '.')
                continue;
            files++;
            size_t size = strlen(entry->d_name);
            bool suffix = size > 9 && strcmp(entry->d_name + size - 9, ".previous") == 0;
            previous += suffix && strncmp(entry->d_name, name, 200) == 0;
            char found[1100];
            snprintf(found, sizeof found, "%s/%s", folder, entry->d_name);
            ck_ok(dlviz_trainer_load_checkpoint(p.trainer, found));
            remove(found);
        }
        closedir(list);
        ck_assert_int_eq(files, 2);
        ck_assert_int_eq(previous, 1);
        rmdir(folder);
    }
    end_process(&p);
}
END_TEST

START_TEST(a_full_disk_leaves_both_files) {
    process p;
    pair files = write_two(&p, "full", PROCESS_NET, ADAM);
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    for (rlim_t room = 0; room < files.size[0]; room += files.size[0] / 5) {
        struct rlimit limit = before;
        limit.rlim_cur = room;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        dlviz_status status = dlviz_trainer_save_checkpoint(p.trainer, files.path);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
        ck_assert_int_eq(status, DLVIZ_ERROR_IO);
        assert_untouched(&files);
    }
    forget(&files);
    end_process(&p);
}
END_TEST

/* A copy of the checkpoint without one tensor, or under another format's name. */
static const char *variant(const char *path, const char *without, const char *format) {
    dlviz_safetensors *set, *copy;
    ck_ok(dlviz_safetensors_open(&set, path));
    ck_ok(dlviz_safetensors_create(&copy));
    for (int64_t i = 0; i < dlviz_safetensors_num_tensors(set); i++) {
        const char *name = dlviz_safetensors_tensor_name(set, i);
        dlviz_tensor *tensor;
        ck_ok(dlviz_safetensors_get(set, name, &tensor));
        if (!without || strcmp(name, without) != 0)
            ck_ok(dlviz_safetensors_add(copy, name, tensor));
        dlviz_tensor_destroy(tensor);
    }
    for (int64_t i = 0; i < dlviz_safetensors_num_metadata(set); i++) {
        const char *key = dlviz_safetensors_metadata_key(set, i);
        ck_ok(dlviz_safetensors_set_metadata(copy, key, dlviz_safetensors_metadata(set, key)));
    }
    if (format)
        ck_ok(dlviz_safetensors_set_metadata(copy, "format", format));
    ck_ok(dlz_safetensors_add_checksums(copy));
    ck_ok(dlviz_safetensors_save(copy, scratch_path("variant")));
    dlviz_safetensors_destroy(set);
    dlviz_safetensors_destroy(copy);
    return scratch_path("variant");
}

START_TEST(a_checkpoint_that_lacks_something_is_refused) {
    process p;
    pair files = write_two(&p, "whole", PROCESS_NET, ADAM);
    dlviz_safetensors *set;
    ck_ok(dlviz_safetensors_open(&set, files.path));
    for (int64_t i = 0; i < dlviz_safetensors_num_tensors(set); i++) {
        char words[200];
        const char *name = dlviz_safetensors_tensor_name(set, i);
        snprintf(words, sizeof words, "'%s' is missing", name);
        refuses_checkpoint(&p, variant(files.path, name, NULL), words);
    }
    refuses_checkpoint(&p, variant(files.path, NULL, "dlviz checkpoint 1"),
                       "it is a 'dlviz checkpoint 1', of another version");
    refuses_checkpoint(&p, variant(files.path, NULL, "dlviz checkpoint 5"),
                       "it is a 'dlviz checkpoint 5', of another version");
    refuses_checkpoint(&p, variant(files.path, NULL, "pt"), "this is no checkpoint");
    ck_ok(dlviz_trainer_load_checkpoint(p.trainer, variant(files.path, NULL, NULL)));
    dlviz_safetensors_destroy(set);
    forget(&files);
    end_process(&p);
}
END_TEST

/* Settings may change at an epoch's border, and a checkpoint may be written then. */
START_TEST(a_checkpoint_after_a_change_of_settings_can_be_loaded) {
    process p, q;
    const char *path = scratch_path("changed");
    begin_process(&p, PROCESS_NET, ADAM, true);
    begin_process(&q, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    process *both[] = {&p, &q};
    for (int i = 0; i < 2; i++) {
        ck_ok(dlviz_trainer_set_batch_size(both[i]->trainer, 5));
        ck_ok(dlviz_trainer_set_seed(both[i]->trainer, UINT64_MAX));
        ck_ok(dlviz_optimizer_set_weight_decay(both[i]->optimizer, 0.1));
        ck_ok(dlviz_trainer_set_schedule(
            both[i]->trainer, make_plateau((plateau_settings){0.5, 0, 0.3, 1, 1.0 / 3})));
    }
    ck_assert_int_eq(dlviz_trainer_num_batches(p.trainer), 9);
    ck_ok(dlviz_trainer_save_checkpoint(p.trainer, path));
    ck_ok(dlviz_trainer_load_checkpoint(q.trainer, path));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_ok(dlviz_trainer_fit(q.trainer, q.train, 1));
    assert_same_run(&p, &q);
    end_process(&p);
    end_process(&q);
}
END_TEST

static long json_made, json_live, json_failing;

static void *allocate_json(size_t size) {
    if (++json_made == json_failing)
        return NULL;
    json_live++;
    return malloc(size);
}

static void release_json(void *block) {
    json_live -= block != NULL;
    free(block);
}

/* A schedule's settings are whole or nothing, and nothing of them is left. */
START_TEST(memory_for_settings_may_run_out_anywhere) {
    dlviz_schedule *schedule = dlviz_warmup(0.1, 1, dlviz_multistep(2, (double[]){1, 2}, 0.5));
    json_malloc_t usual;
    json_free_t usual_free;
    json_get_alloc_funcs(&usual, &usual_free);
    json_set_alloc_funcs(allocate_json, release_json);
    json_t *whole = dlz_schedule_settings(schedule, true);
    long live = json_live;
    ck_assert_ptr_nonnull(whole);
    for (json_failing = 1;; json_failing++) {
        json_made = 0;
        json_t *settings = dlz_schedule_settings(schedule, true);
        ck_assert_msg((settings == NULL) == (json_made >= json_failing),
                      "settings when allocation %ld failed", json_failing);
        ck_assert(!settings || json_equal(settings, whole));
        json_decref(settings);
        ck_assert_int_eq(json_live, live);
        if (settings)
            break;
    }
    ck_assert_int_gt(json_failing, 20);
    json_decref(whole);
    ck_assert_int_eq(json_live, 0);
    json_set_alloc_funcs(usual, usual_free);
    dlviz_schedule_destroy(schedule);
}
END_TEST

/* A network that holds its own teacher calls it so. */
START_TEST(layers_may_be_called_what_checkpoints_hold) {
    const char *net = "flat:flatten fc:linear,out=4 average.fc:linear,out=4 best.fc:linear,out=4 "
                      "accumulated.fc:linear,out=4 optimizer.first_moment.fc:linear,out=4";
    process p;
    begin_process(&p, net, ADAM, true);
    ck_ok(dlviz_trainer_set_averaging(p.trainer, 0.5));
    ck_ok(dlviz_trainer_set_early_stopping(p.trainer, "train_loss", DLVIZ_BETTER_LOWER, 5));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint(p.trainer, scratch_path("names")));
    ck_ok(dlviz_trainer_load_checkpoint(p.trainer, scratch_path("names")));
    end_process(&p);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {what_could_not_be_loaded_is_not_saved,
                                  damage_is_located,
                                  a_damaged_header_loads_nothing_else,
                                  a_damaged_file_does_not_replace_a_good_one,
                                  the_limit_for_files_is_none_for_saving,
                                  without_hard_links_nothing_is_lost,
                                  a_name_of_any_length_saves_twice,
                                  a_full_disk_leaves_both_files,
                                  a_checkpoint_that_lacks_something_is_refused,
                                  a_checkpoint_after_a_change_of_settings_can_be_loaded,
                                  memory_for_settings_may_run_out_anywhere,
                                  layers_may_be_called_what_checkpoints_hold,
                                  NULL};
    return run_tests("checkpoint files", tests);
}
