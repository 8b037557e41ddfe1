/* Checkpoints: training that stops and goes on elsewhere gives the bits of training that never
 * stopped. */
#include "support/netspec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NET                                                                                        \
    "c:conv,out=8,k=3,pad=same b:bn r:relu p:pool,k=2 d:dropout,p=0.25 f:flatten "                 \
    "fc1:linear,out=12 "                                                                           \
    "b2:bn r2:relu d2:dropout,p=0.5 fc2:linear,out=4"

typedef enum { ADAM, ADAMW, SGD, RMSPROP, PLAIN } rule; /* PLAIN: no momentum */

/* Everything that a process which trains has. */
typedef struct process {
    net_spec spec;
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_schedule *schedule;
    dlviz_trainer *trainer;
    dlviz_dataset *train, *validation;
    int stop_after; /* batches; 0: never */
    int batches;
} process;

static bool count_batches(dlviz_trainer *trainer, void *user) {
    process *p = user;
    (void)trainer;
    return ++p->batches != p->stop_after;
}

static dlviz_dataset *make_dataset(const net_spec *spec, int64_t n, uint64_t seed) {
    dlviz_tensor *inputs = input_tensor(spec, n, seed, false), *labels = label_tensor(n, 4, seed);
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, inputs, labels));
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    return dataset;
}

static dlviz_optimizer *make_optimizer(rule kind) {
    dlviz_optimizer *o;
    if (kind == ADAM)
        ck_ok(dlviz_adam_create(&o, 1e-2));
    else if (kind == ADAMW)
        ck_ok(dlviz_adamw_create(&o, 1e-2));
    else if (kind == RMSPROP)
        ck_ok(dlviz_rmsprop_create(&o, 1e-2));
    else {
        ck_ok(dlviz_sgd_create(&o, 1e-2));
        if (kind == SGD)
            ck_ok(dlviz_sgd_set_momentum(o, 0.9, 0, true));
    }
    return o;
}

/* `net` is the network's text; the trainer has batches of 8 of 45 images, seed 3, and a schedule
 * that is quick to lose patience. */
static void begin(process *p, const char *net, rule kind, bool scheduled) {
    memset(p, 0, sizeof *p);
    parse_net(&p->spec, "1x8x8", net);
    p->network = build_net(&p->spec, 1);
    p->train = make_dataset(&p->spec, 45, 21);
    p->validation = make_dataset(&p->spec, 13, 22);
    p->optimizer = make_optimizer(kind);
    ck_ok(dlviz_trainer_create(&p->trainer, p->network, p->optimizer));
    ck_ok(dlviz_trainer_set_batch_size(p->trainer, 8));
    ck_ok(dlviz_trainer_set_seed(p->trainer, 3));
    ck_ok(dlviz_trainer_set_validation(p->trainer, p->validation));
    ck_ok(dlviz_trainer_on_batch(p->trainer, count_batches, p));
    if (scheduled) {
        ck_ok(dlviz_plateau_create(&p->schedule, 0.5, 0));
        ck_ok(dlviz_plateau_set_threshold(p->schedule, 0.3));
        ck_ok(dlviz_plateau_set_cooldown(p->schedule, 1));
        ck_ok(dlviz_trainer_set_schedule(p->trainer, p->schedule));
    }
}

static void end(process *p) {
    dlviz_trainer_destroy(p->trainer);
    dlviz_schedule_destroy(p->schedule);
    dlviz_optimizer_destroy(p->optimizer);
    dlviz_network_destroy(p->network);
    dlviz_dataset_destroy(p->train);
    dlviz_dataset_destroy(p->validation);
}

static void assert_same_run(const process *a, const process *b) {
    assert_same_states(a->network, b->network);
    ck_assert_int_eq(dlviz_trainer_num_epochs(a->trainer), dlviz_trainer_num_epochs(b->trainer));
    ck_assert_int_eq(dlviz_optimizer_steps(a->optimizer), dlviz_optimizer_steps(b->optimizer));
    ck_assert_double_eq(dlviz_optimizer_learning_rate(a->optimizer),
                        dlviz_optimizer_learning_rate(b->optimizer));
    for (int e = 0; e < dlviz_trainer_num_epochs(a->trainer); e++)
        for (int m = DLVIZ_LEARNING_RATE; m <= DLVIZ_VALIDATION_ACCURACY; m++) {
            double x = dlviz_trainer_history(a->trainer, e, (dlviz_metric)m);
            double y = dlviz_trainer_history(b->trainer, e, (dlviz_metric)m);
            ck_assert_msg(x == y, "epoch %d, figure %d: %.17g and %.17g", e, m, x, y);
        }
}

/* Six batches an epoch: stops after `batches`, saves, goes on with new objects up to epoch 4. */
static void stop_and_go_on(rule kind, int batches, const process *straight) {
    process first, second;
    const char *path = scratch_path("run.safetensors");
    begin(&first, NET, kind, true);
    first.stop_after = batches;
    ck_assert_int_eq(dlviz_trainer_fit(first.trainer, first.train, 4), DLVIZ_CANCELLED);
    ck_ok(dlviz_trainer_save_checkpoint(first.trainer, path));
    begin(&second, NET, kind, true);
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
    end(&first);
    end(&second);
}

START_TEST(going_on_gives_the_same_bits) {
    for (int kind = ADAM; kind <= PLAIN; kind++) {
        process straight;
        begin(&straight, NET, (rule)kind, true);
        ck_ok(dlviz_trainer_fit(straight.trainer, straight.train, 4));
        ck_assert_double_lt(dlviz_optimizer_learning_rate(straight.optimizer), 1e-2);
        const int batches[] = {1, 5, 6, 10, 12, 17, 23};
        for (int i = 0; i < 7; i++)
            stop_and_go_on((rule)kind, batches[i], &straight);
        end(&straight);
    }
}
END_TEST

START_TEST(a_checkpoint_between_epochs_goes_on) {
    process straight, first, second;
    const char *path = scratch_path("between.safetensors");
    begin(&straight, NET, ADAM, false);
    ck_ok(dlviz_trainer_fit(straight.trainer, straight.train, 2));
    begin(&first, NET, ADAM, false);
    ck_ok(dlviz_trainer_fit(first.trainer, first.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint(first.trainer, path));
    begin(&second, NET, ADAM, false);
    ck_ok(dlviz_trainer_load_checkpoint(second.trainer, path));
    ck_ok(dlviz_trainer_fit(second.trainer, second.train, 1));
    assert_same_run(&straight, &second);
    /* One that was written before training began, too. */
    end(&first);
    end(&second);
    begin(&first, NET, ADAM, false);
    ck_ok(dlviz_trainer_save_checkpoint(first.trainer, path));
    begin(&second, NET, ADAM, false);
    fill_states(second.network, 5, false);
    ck_ok(dlviz_trainer_load_checkpoint(second.trainer, path));
    ck_ok(dlviz_trainer_fit(second.trainer, second.train, 2));
    assert_same_run(&straight, &second);
    end(&straight);
    end(&first);
    end(&second);
}
END_TEST

static bool save_in_callback(dlviz_trainer *trainer, void *user) {
    ck_ok(dlviz_trainer_save_checkpoint(trainer, user));
    return true;
}

START_TEST(the_earlier_checkpoint_is_kept) {
    process p, q;
    char path[512], previous[600];
    snprintf(path, sizeof path, "%s", scratch_path("twice.safetensors"));
    snprintf(previous, sizeof previous, "%s.previous", path);
    begin(&p, NET, ADAM, true);
    ck_ok(dlviz_trainer_on_epoch(p.trainer, save_in_callback, path));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_assert_int_ne(access(previous, F_OK), 0);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_assert_int_eq(access(previous, R_OK), 0);
    begin(&q, NET, ADAM, true);
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
    ck_ok(dlviz_trainer_on_epoch(p.trainer, NULL, NULL));
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
    end(&p);
    end(&q);
}
END_TEST

/* The reader refuses the checkpoint with these words and is as it was. */
static void refuses(process *reader, const char *path, const char *words) {
    size_t size;
    void *before = all_states(reader->network, &size), *after;
    double rate = dlviz_optimizer_learning_rate(reader->optimizer);
    ck_fails(dlviz_trainer_load_checkpoint(reader->trainer, path), DLVIZ_ERROR_FORMAT, words);
    after = all_states(reader->network, &size);
    ck_assert_int_eq(memcmp(before, after, size), 0);
    ck_assert_double_eq(dlviz_optimizer_learning_rate(reader->optimizer), rate);
    ck_assert_int_eq(dlviz_optimizer_steps(reader->optimizer), 0);
    ck_assert_int_eq(dlviz_trainer_num_epochs(reader->trainer), 0);
    ck_assert_int_eq(dlviz_trainer_batches_done(reader->trainer), 0);
    free(before);
    free(after);
    end(reader);
}

START_TEST(a_checkpoint_that_does_not_fit_is_refused) {
    process writer, reader;
    char path[512], other[512];
    snprintf(path, sizeof path, "%s", scratch_path("with.safetensors"));
    snprintf(other, sizeof other, "%s", scratch_path("without.safetensors"));
    begin(&writer, NET, ADAM, true);
    writer.stop_after = 9;
    ck_assert_int_eq(dlviz_trainer_fit(writer.trainer, writer.train, 4), DLVIZ_CANCELLED);
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, path));
    begin(&reader, NET, SGD, true);
    refuses(&reader, path, "optimizer");
    begin(&reader, NET, ADAMW, true);
    refuses(&reader, path, "optimizer");
    begin(&reader, NET, ADAM, false);
    refuses(&reader, path, "schedule");
    begin(&reader, NET, ADAM, true);
    ck_ok(dlviz_trainer_set_batch_size(reader.trainer, 16));
    refuses(&reader, path, "batch");
    begin(&reader, NET, ADAM, true);
    ck_ok(dlviz_trainer_set_seed(reader.trainer, 4));
    refuses(&reader, path, "seed");
    begin(&reader, "f:flatten fc:linear,out=4", ADAM, true);
    refuses(&reader, path, "");
    begin(&reader,
          "c:conv,out=8,k=3,pad=same b:bn r:relu p:pool,k=2 d:dropout,p=0.25 f:flatten "
          "fc1:linear,out=13 b2:bn r2:relu d2:dropout,p=0.5 fc2:linear,out=4",
          ADAM, true);
    refuses(&reader, path, "");
    begin(&reader, NET " more:relu fc3:linear,out=4", ADAM, true);
    refuses(&reader, path, "fc3");
    /* And a schedule where the checkpoint has none; and a network's own file. */
    end(&writer);
    begin(&writer, NET, ADAM, false);
    ck_ok(dlviz_trainer_fit(writer.trainer, writer.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, other));
    begin(&reader, NET, ADAM, true);
    refuses(&reader, other, "schedule");
    ck_ok(dlviz_network_save(writer.network, other));
    begin(&reader, NET, ADAM, false);
    refuses(&reader, other, "");
    end(&writer);
    /* A network that lacks a layer of the checkpoint's, without moments whose sizes would tell. */
    begin(&writer, NET " fc3:linear,out=4", PLAIN, false);
    ck_ok(dlviz_trainer_fit(writer.trainer, writer.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, other));
    begin(&reader, NET, PLAIN, false);
    refuses(&reader, other, "fc3");
    end(&writer);
}
END_TEST

/* Numbers that no training can have reached, each put in the place of one of "trainer.state". */
START_TEST(impossible_numbers_are_refused) {
    process writer, reader;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("numbers.safetensors"));
    begin(&writer, NET, ADAM, true);
    writer.stop_after = 9;
    ck_assert_int_eq(dlviz_trainer_fit(writer.trainer, writer.train, 4), DLVIZ_CANCELLED);
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, path));
    dlviz_safetensors *set;
    dlviz_tensor *state;
    ck_ok(dlviz_safetensors_read(&set, path));
    ck_ok(dlviz_safetensors_get(set, "trainer.state", &state));
    int64_t *words = dlviz_tensor_data(state);
    for (int i = 0; i < 11; i++) { /* whole numbers, and the learning rate's bits */
        int64_t kept = words[i];
        const int64_t wrong[] = {-1, INT64_MAX};
        for (int j = 0; j < 2; j++) {
            dlviz_safetensors *changed;
            words[i] = wrong[j];
            ck_ok(dlviz_safetensors_create(&changed));
            for (int64_t k = 0; k < dlviz_safetensors_count(set); k++) {
                const char *name = dlviz_safetensors_name(set, k);
                dlviz_tensor *tensor;
                ck_ok(dlviz_safetensors_get(set, name, &tensor));
                ck_ok(dlviz_safetensors_add(changed, name,
                                            strcmp(name, "trainer.state") == 0 ? state : tensor));
                dlviz_tensor_destroy(tensor);
            }
            static const char *const keys[] = {"format", "optimizer", "schedule", "batch_size",
                                               "seed"};
            for (int k = 0; k < 5; k++)
                ck_ok(dlviz_safetensors_set_metadata(changed, keys[k],
                                                     dlviz_safetensors_metadata(set, keys[k])));
            ck_ok(dlviz_safetensors_write(changed, path));
            dlviz_safetensors_destroy(changed);
            begin(&reader, NET, ADAM, true);
            refuses(&reader, path, "trainer.state");
        }
        words[i] = kept;
    }
    dlviz_tensor_destroy(state);
    dlviz_safetensors_destroy(set);
    end(&writer);
}
END_TEST

START_TEST(momentum_may_be_set_after_a_checkpoint_of_no_step) {
    process p;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("start.safetensors"));
    float *moved[2];
    size_t bytes;
    for (int i = 0; i < 2; i++) {
        begin(&p, NET, PLAIN, false);
        ck_ok(dlviz_trainer_save_checkpoint(p.trainer, path));
        if (i)
            ck_ok(dlviz_trainer_load_checkpoint(p.trainer, path));
        ck_ok(dlviz_sgd_set_momentum(p.optimizer, 0.9, 0, false));
        ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
        moved[i] = all_gradients(p.network, &bytes);
        end(&p);
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
    begin(&writer, NET, ADAM, true);
    ck_ok(dlviz_trainer_fit(writer.trainer, writer.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, path));
    FILE *stream = fopen(path, "rb");
    static unsigned char bytes[1 << 18];
    size_t size = fread(bytes, 1, sizeof bytes, stream);
    ck_assert(size > 1000 && size < sizeof bytes);
    fclose(stream);
    for (size_t length = 0; length < size; length += size / 23) {
        write_file(path, bytes, length);
        begin(&reader, NET, ADAM, true);
        refuses(&reader, path, "");
    }
    end(&writer);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {going_on_gives_the_same_bits,
                                  a_checkpoint_between_epochs_goes_on,
                                  the_earlier_checkpoint_is_kept,
                                  a_checkpoint_that_does_not_fit_is_refused,
                                  a_damaged_checkpoint_is_refused,
                                  impossible_numbers_are_refused,
                                  momentum_may_be_set_after_a_checkpoint_of_no_step,
                                  NULL};
    return run_tests("checkpoint", tests);
}
