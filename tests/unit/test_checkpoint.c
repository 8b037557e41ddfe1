/* Checkpoints: training that stops and goes on elsewhere gives the bits of training that never
 * stopped. */
#include "support/process.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Six batches an epoch: stops after `batches`, saves, goes on with new objects up to epoch 4. */
static void stop_and_go_on(rule kind, int batches, const process *straight) {
    process first, second;
    const char *path = scratch_path("run.safetensors");
    begin_process(&first, PROCESS_NET, kind, true);
    first.stop_after = batches;
    ck_stops(first.trainer, first.train, 4);
    ck_ok(dlviz_trainer_save_checkpoint(first.trainer, path));
    begin_process(&second, PROCESS_NET, kind, true);
    fill_states(second.network, 77, false);
    ck_ok(dlviz_optimizer_set_learning_rate(second.optimizer, 0.125));
    ck_ok(dlviz_trainer_load_checkpoint(second.trainer, path));
    assert_same_run(&first, &second);
    ck_assert_int_eq(dlviz_trainer_batches_done(second.trainer),
                     dlviz_trainer_batches_done(first.trainer));
    ck_ok(dlviz_trainer_fit(second.trainer, second.train,
                            4 - dlviz_trainer_num_epochs(second.trainer)));
    assert_same_run(straight, &second);
    ck_assert_int_eq(first.batches + second.batches, 24);
    end_process(&first);
    end_process(&second);
}

START_TEST(going_on_gives_the_same_bits) {
    for (int kind = 0; kind < NUM_RULES; kind++) {
        process straight;
        begin_process(&straight, PROCESS_NET, (rule)kind, true);
        ck_ok(dlviz_trainer_fit(straight.trainer, straight.train, 4));
        ck_assert_double_lt(dlviz_optimizer_learning_rate(straight.optimizer), 1e-2);
        const int batches[] = {1, 5, 6, 10, 12, 17, 23};
        for (int i = 0; i < 7; i++)
            stop_and_go_on((rule)kind, batches[i], &straight);
        end_process(&straight);
    }
}
END_TEST

START_TEST(a_checkpoint_between_epochs_goes_on) {
    process straight, first, second;
    const char *path = scratch_path("between.safetensors");
    begin_process(&straight, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_fit(straight.trainer, straight.train, 2));
    begin_process(&first, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_fit(first.trainer, first.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint(first.trainer, path));
    begin_process(&second, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_load_checkpoint(second.trainer, path));
    ck_ok(dlviz_trainer_fit(second.trainer, second.train, 1));
    assert_same_run(&straight, &second);
    /* One that was written before training began, too. */
    end_process(&first);
    end_process(&second);
    begin_process(&first, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_save_checkpoint(first.trainer, path));
    begin_process(&second, PROCESS_NET, ADAM, false);
    fill_states(second.network, 5, false);
    ck_ok(dlviz_trainer_load_checkpoint(second.trainer, path));
    ck_ok(dlviz_trainer_fit(second.trainer, second.train, 2));
    assert_same_run(&straight, &second);
    end_process(&straight);
    end_process(&first);
    end_process(&second);
}
END_TEST

static double nothing(const dlviz_tensor *outputs, const dlviz_tensor *targets, void *user) {
    (void)outputs, (void)targets;
    return *(const double *)user;
}

/* The room for the history was made for shorter rows. */
START_TEST(metrics_are_added_after_going_back_to_the_beginning) {
    enum { METRICS = 400 };
    process p;
    double numbers[METRICS];
    char name[16];
    const char *path = scratch_path("beginning.safetensors");
    begin_process(&p, PROCESS_NET, PLAIN, false);
    ck_ok(dlviz_trainer_save_checkpoint(p.trainer, path));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_ok(dlviz_trainer_load_checkpoint(p.trainer, path));
    for (int i = 0; i < METRICS; i++) {
        numbers[i] = i;
        snprintf(name, sizeof name, "%d", i);
        ck_ok(dlviz_trainer_add_metric(p.trainer, name, nothing, &numbers[i]));
    }
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 4));
    for (int i = 0; i < 4 * METRICS; i++) {
        snprintf(name, sizeof name, "validation_%d", i % METRICS);
        ck_assert_double_eq(dlviz_trainer_history(p.trainer, i / METRICS, name), i % METRICS);
    }
    end_process(&p);
}
END_TEST

static bool save_in_callback(const dlviz_trainer_event *event, void *user) {
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    ck_ok(dlviz_trainer_save_checkpoint(trainer, user));
    return true;
}

START_TEST(the_earlier_checkpoint_is_kept) {
    process p, q;
    char path[512], previous[600];
    snprintf(path, sizeof path, "%s", scratch_path("twice.safetensors"));
    snprintf(previous, sizeof previous, "%s.previous", path);
    begin_process(&p, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_set_epoch_callback(p.trainer, save_in_callback, path));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_assert_int_ne(access(previous, F_OK), 0);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_assert_int_eq(access(previous, R_OK), 0);
    begin_process(&q, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_load_checkpoint(q.trainer, previous));
    ck_assert_int_eq(dlviz_trainer_num_epochs(q.trainer), 1);
    ck_ok(dlviz_trainer_load_checkpoint(q.trainer, path));
    ck_assert_int_eq(dlviz_trainer_num_epochs(q.trainer), 2);
    assert_same_run(&p, &q);
    ck_fails(dlviz_trainer_save_checkpoint(p.trainer, scratch_path("no/where.safetensors")),
             DLVIZ_ERROR_IO, "where");
    ck_fails(dlviz_trainer_save_checkpoint(p.trainer, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "path");
    ck_fails(dlviz_trainer_load_checkpoint(q.trainer, scratch_path("absent.safetensors")),
             DLVIZ_ERROR_IO, "absent");
    assert_same_run(&p, &q);
    /* By way of a link, what it points to is kept. */
    char link[512];
    snprintf(link, sizeof link, "%s", scratch_path("linked.safetensors"));
    snprintf(previous, sizeof previous, "%s.previous", link);
    ck_assert_int_eq(symlink(path, link), 0);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_ok(dlviz_trainer_set_epoch_callback(p.trainer, NULL, NULL));
    ck_ok(dlviz_trainer_save_checkpoint(p.trainer, link));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint(p.trainer, link));
    ck_ok(dlviz_trainer_load_checkpoint(q.trainer, previous));
    ck_assert_int_eq(dlviz_trainer_num_epochs(q.trainer), 3);
    ck_ok(dlviz_trainer_load_checkpoint(q.trainer, path));
    ck_assert_int_eq(dlviz_trainer_num_epochs(q.trainer), 4);
    /* A folder of that name stays where it is. */
    snprintf(link, sizeof link, "%s", scratch_path("folder"));
    snprintf(previous, sizeof previous, "%s.previous", link);
    ck_assert_int_eq(mkdir(link, 0777), 0);
    ck_fails(dlviz_trainer_save_checkpoint(p.trainer, link), DLVIZ_ERROR_IO, "folder");
    ck_assert_int_eq(access(link, X_OK), 0);
    ck_assert_int_ne(access(previous, F_OK), 0);
    rmdir(link);
    end_process(&p);
    end_process(&q);
}
END_TEST

START_TEST(a_checkpoint_that_does_not_fit_is_refused) {
    process writer, reader;
    char path[512], other[512];
    snprintf(path, sizeof path, "%s", scratch_path("with.safetensors"));
    snprintf(other, sizeof other, "%s", scratch_path("without.safetensors"));
    begin_process(&writer, PROCESS_NET, ADAM, true);
    writer.stop_after = 9;
    ck_stops(writer.trainer, writer.train, 4);
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, path));
    begin_process(&reader, PROCESS_NET, SGD, true);
    refuses(&reader, path, "optimizer");
    begin_process(&reader, PROCESS_NET, ADAMW, true);
    refuses(&reader, path, "optimizer");
    begin_process(&reader, PROCESS_NET, ADAM, false);
    refuses(&reader, path, "schedule");
    begin_process(&reader, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_set_batch_size(reader.trainer, 16));
    refuses(&reader, path, "batch");
    begin_process(&reader, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_set_seed(reader.trainer, 4));
    refuses(&reader, path, "seed");
    begin_process(&reader, "f:flatten fc:linear,out=4", ADAM, true);
    refuses(&reader, path, "");
    begin_process(&reader,
                  "c:conv,out=8,k=3,pad=same b:bn r:relu p:pool,k=2 d:dropout,p=0.25 f:flatten "
                  "fc1:linear,out=13 b2:bn r2:relu d2:dropout,p=0.5 fc2:linear,out=4",
                  ADAM, true);
    refuses(&reader, path, "");
    begin_process(&reader, PROCESS_NET " more:relu fc3:linear,out=4", ADAM, true);
    refuses(&reader, path, "layer 12 is absent in the file and 'more' (relu) here");
    /* And a schedule where the checkpoint has none; and a network's own file. */
    end_process(&writer);
    begin_process(&writer, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_fit(writer.trainer, writer.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, other));
    begin_process(&reader, PROCESS_NET, ADAM, true);
    refuses(&reader, other, "schedule");
    ck_ok(dlviz_network_save(writer.network, other));
    begin_process(&reader, PROCESS_NET, ADAM, false);
    refuses(&reader, other, "");
    end_process(&writer);
    /* A network that lacks a layer of the checkpoint's, without moments whose sizes would tell. */
    begin_process(&writer, PROCESS_NET " fc3:linear,out=4", PLAIN, false);
    ck_ok(dlviz_trainer_fit(writer.trainer, writer.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, other));
    begin_process(&reader, PROCESS_NET, PLAIN, false);
    refuses(&reader, other, "fc3");
    end_process(&writer);
}
END_TEST

/* A copy with other words in a tensor, and without checksums. */
static void write_changed(const dlviz_safetensors *set, const char *name, const dlviz_tensor *words,
                          const char *path) {
    dlviz_safetensors *changed;
    ck_ok(dlviz_safetensors_create(&changed));
    for (int64_t k = 0; k < dlviz_safetensors_num_tensors(set); k++) {
        const char *own = dlviz_safetensors_tensor_name(set, k);
        dlviz_tensor *tensor;
        ck_ok(dlviz_safetensors_get(set, own, &tensor));
        ck_ok(dlviz_safetensors_add(changed, own, strcmp(own, name) == 0 ? words : tensor));
        dlviz_tensor_destroy(tensor);
    }
    for (int64_t k = 0; k < dlviz_safetensors_num_metadata(set); k++) {
        const char *key = dlviz_safetensors_metadata_key(set, k);
        if (strcmp(key, "dlviz.crc32") != 0)
            ck_ok(
                dlviz_safetensors_set_metadata(changed, key, dlviz_safetensors_metadata(set, key)));
    }
    ck_ok(dlviz_safetensors_save(changed, path));
    dlviz_safetensors_destroy(changed);
}

/* Numbers that no training can have reached, each put in the place of one: below 0 and far too
 * large, or bits that are NaN's. */
static void impossible_numbers(const char *name, int first, int count, const char *const *words,
                               const int64_t wrong[2]) {
    process writer, reader;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("numbers.safetensors"));
    begin_process(&writer, PROCESS_NET, ADAM, true);
    writer.stop_after = 9;
    ck_stops(writer.trainer, writer.train, 4);
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, path));
    dlviz_safetensors *set;
    dlviz_tensor *state;
    ck_ok(dlviz_safetensors_open(&set, path));
    ck_ok(dlviz_safetensors_get(set, name, &state));
    ck_assert_int_ge(dlviz_tensor_num_elements(state), first + count);
    int64_t *numbers = (int64_t *)dlviz_tensor_data(state) + first;
    for (int i = 0; i < count; i++) {
        int64_t kept = numbers[i];
        for (int j = 0; j < 2; j++) {
            numbers[i] = wrong[j];
            write_changed(set, name, state, path);
            begin_process(&reader, PROCESS_NET, ADAM, true);
            refuses(&reader, path, words[i]);
        }
        numbers[i] = kept;
    }
    dlviz_tensor_destroy(state);
    dlviz_safetensors_destroy(set);
    end_process(&writer);
}

START_TEST(impossible_numbers_are_refused) {
    enum { NUMBERS = 11, RATE = 7, LAST = 19 }; /* all but the dataset's mark, which may be any */
    const int64_t wrong[] = {-1, INT64_MAX};
    const double rates[] = {1.0000001e30, INFINITY};
    int64_t bits[2];
    const char *words[NUMBERS];
    memcpy(bits, rates, sizeof bits);
    for (int i = 0; i < NUMBERS; i++)
        words[i] = "'.trainer.state' contradicts itself";
    impossible_numbers(".trainer.state", 0, NUMBERS, words, wrong);
    impossible_numbers(".trainer.state", RATE, 1, words, bits);
    /* Of the last step: a rate, and the norm of its gradients. */
    impossible_numbers(".trainer.state", LAST, 1, words, bits);
    const double below[] = {-1, INFINITY};
    memcpy(bits, below, sizeof bits);
    impossible_numbers(".trainer.state", LAST, 2, words, bits);
    impossible_numbers(
        ".schedule.memory", 0, 3,
        (const char *[]){"'.schedule.memory': the schedule's best loss is not a number it can have",
                         "the schedule's number of bad epochs is not a number it can have",
                         "the schedule's number of epochs to cool down is not a number"},
        wrong);
}
END_TEST

/* With 45 images in batches of 8, five are left out of each epoch. */
START_TEST(a_run_without_last_batches_goes_on) {
    process straight, first, second;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("whole.safetensors"));
    begin_process(&straight, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_set_drop_last(straight.trainer, true));
    ck_ok(dlviz_trainer_fit(straight.trainer, straight.train, 4));
    ck_assert_int_eq(straight.batches, 20);
    for (int batches = 1; batches <= 20; batches += 2) {
        begin_process(&first, PROCESS_NET, ADAM, true);
        ck_ok(dlviz_trainer_set_drop_last(first.trainer, true));
        first.stop_after = batches;
        ck_stops(first.trainer, first.train, 4);
        ck_ok(dlviz_trainer_save_checkpoint(first.trainer, path));
        begin_process(&second, PROCESS_NET, ADAM, true);
        refuses_checkpoint(&second, path, "trainer: drop_last is true in the file and false here");
        ck_ok(dlviz_trainer_set_drop_last(second.trainer, true));
        ck_ok(dlviz_trainer_load_checkpoint(second.trainer, path));
        ck_assert_int_eq(dlviz_trainer_num_batches(second.trainer), 5);
        ck_ok(dlviz_trainer_fit(second.trainer, second.train,
                                4 - dlviz_trainer_num_epochs(second.trainer)));
        assert_same_run(&straight, &second);
        ck_assert_int_eq(first.batches + second.batches, 20);
        end_process(&first);
        end_process(&second);
    }
    end_process(&straight);
}
END_TEST

/* Of another version, or damaged: what kind the file has is said first, whatever else differs. */
START_TEST(unknown_kinds_are_named) {
    static const char *const cases[][3] = {
        {"optimizer", "{\"beta2\":0.99,\"type\":\"Lion\"}",
         "optimizer: type is Lion in the file and Adam here"},
        {"optimizer", "{\"beta1\":0.9}", "optimizer: type is absent in the file and Adam here"},
        {"optimizer", "[]", "'optimizer' are not a JSON object"},
        {"schedule", "{\"gamma\":0.5,\"type\":\"spiral\"}",
         "schedule: type is spiral in the file and plateau here"},
        {"schedule", "{}", "schedule: type is absent in the file and plateau here"}};
    process p;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("kinds.safetensors"));
    begin_process(&p, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlviz_safetensors *set;
        ck_ok(dlviz_trainer_save_checkpoint(p.trainer, path));
        ck_ok(dlviz_safetensors_open(&set, path));
        ck_ok(dlviz_safetensors_set_metadata(set, cases[i][0], cases[i][1]));
        write_changed(set, "", NULL, path);
        refuses_checkpoint(&p, path, cases[i][2]);
        dlviz_safetensors_destroy(set);
    }
    end_process(&p);
}
END_TEST

START_TEST(momentum_may_be_set_after_a_checkpoint_of_no_step) {
    process p;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("start.safetensors"));
    float *moved[2];
    size_t bytes;
    for (int i = 0; i < 2; i++) {
        begin_process(&p, PROCESS_NET, PLAIN, false);
        ck_ok(dlviz_trainer_save_checkpoint(p.trainer, path));
        if (i)
            ck_ok(dlviz_trainer_load_checkpoint(p.trainer, path));
        ck_ok(dlviz_sgd_set_momentum(p.optimizer, 0.9, 0, false));
        ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
        moved[i] = all_gradients(p.network, &bytes);
        end_process(&p);
    }
    ck_assert_mem_eq(moved[0], moved[1], bytes);
    free(moved[0]);
    free(moved[1]);
}
END_TEST

/* Moments that a later setting has no use for are not used. */
START_TEST(centering_may_end_after_a_checkpoint_of_no_step) {
    process p;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("start.safetensors"));
    float *moved[2];
    size_t bytes;
    for (int i = 0; i < 2; i++) {
        begin_process(&p, PROCESS_NET, RMSPROP, false);
        if (i) {
            ck_ok(dlviz_rmsprop_set_centered(p.optimizer, true));
            ck_ok(dlviz_rmsprop_set_momentum(p.optimizer, 0.5));
            ck_ok(dlviz_trainer_save_checkpoint(p.trainer, path));
            ck_ok(dlviz_trainer_load_checkpoint(p.trainer, path));
        }
        ck_ok(dlviz_rmsprop_set_centered(p.optimizer, false));
        ck_ok(dlviz_rmsprop_set_momentum(p.optimizer, 0));
        ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
        moved[i] = all_gradients(p.network, &bytes);
        end_process(&p);
    }
    ck_assert_mem_eq(moved[0], moved[1], bytes);
    free(moved[0]);
    free(moved[1]);
}
END_TEST

START_TEST(a_damaged_checkpoint_is_refused) {
    process writer, reader;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("damaged.safetensors"));
    begin_process(&writer, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_fit(writer.trainer, writer.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, path));
    FILE *stream = fopen(path, "rb");
    static unsigned char bytes[1 << 18];
    size_t size = fread(bytes, 1, sizeof bytes, stream);
    ck_assert(size > 1000 && size < sizeof bytes);
    fclose(stream);
    for (size_t length = 0; length < size; length += size / 23) {
        write_file(path, bytes, length);
        begin_process(&reader, PROCESS_NET, ADAM, true);
        refuses(&reader, path, "");
    }
    end_process(&writer);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {going_on_gives_the_same_bits,
                                  a_checkpoint_between_epochs_goes_on,
                                  metrics_are_added_after_going_back_to_the_beginning,
                                  the_earlier_checkpoint_is_kept,
                                  a_checkpoint_that_does_not_fit_is_refused,
                                  a_damaged_checkpoint_is_refused,
                                  impossible_numbers_are_refused,
                                  a_run_without_last_batches_goes_on,
                                  unknown_kinds_are_named,
                                  momentum_may_be_set_after_a_checkpoint_of_no_step,
                                  centering_may_end_after_a_checkpoint_of_no_step,
                                  NULL};
    return run_tests("checkpoint", tests);
}
