#include "support/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool count_batches(const dlviz_trainer_event *event, void *user) {
    (void)event;
    process *p = user;
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
    else if (kind == CENTERED) {
        ck_ok(dlviz_rmsprop_create(&o, 1e-2));
        ck_ok(dlviz_rmsprop_set_smoothing(o, 0.99, 1e-3));
        ck_ok(dlviz_rmsprop_set_momentum(o, 0.5));
        ck_ok(dlviz_rmsprop_set_centered(o, true));
    } else if (kind == AMSGRAD) {
        ck_ok(dlviz_adam_create(&o, 1e-2));
        ck_ok(dlviz_adam_set_amsgrad(o, true));
    } else if (kind == LION)
        ck_ok(dlviz_lion_create(&o, 1e-2));
    else if (kind == NADAM)
        ck_ok(dlviz_nadam_create(&o, 1e-2));
    else if (kind == RADAM)
        ck_ok(dlviz_radam_create(&o, 1e-2));
    else if (kind == GROUPED) {
        ck_ok(dlviz_adamw_create(&o, 1e-2));
        ck_ok(dlviz_optimizer_set_decay_weights_only(o, true));
        ck_ok(dlviz_optimizer_set_rate_factor(o, "fc*", 0.5));
        ck_ok(dlviz_optimizer_set_rate_factor(o, "*.bias", 2));
        ck_ok(dlviz_optimizer_set_decay_factor(o, "fc*.weight", 3));
    } else {
        ck_ok(dlviz_sgd_create(&o, 1e-2));
        if (kind == SGD)
            ck_ok(dlviz_sgd_set_momentum(o, 0.9, 0, true));
    }
    return o;
}

dlviz_schedule *make_plateau(plateau_settings settings) {
    dlviz_schedule *schedule = dlviz_plateau(settings.factor, settings.patience);
    ck_ok(dlviz_plateau_set_threshold(schedule, settings.threshold));
    ck_ok(dlviz_plateau_set_cooldown(schedule, settings.cooldown));
    ck_ok(dlviz_plateau_set_minimum(schedule, settings.minimum));
    return schedule;
}

void begin_process(process *p, const char *net, rule kind, bool scheduled) {
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
    ck_ok(dlviz_trainer_set_batch_callback(p->trainer, count_batches, p));
    if (scheduled)
        ck_ok(dlviz_trainer_set_schedule(p->trainer,
                                         make_plateau((plateau_settings){0.5, 0, 0.3, 1, 0})));
}

void end_process(process *p) {
    dlviz_trainer_destroy(p->trainer);
    dlviz_optimizer_destroy(p->optimizer);
    dlviz_network_destroy(p->network);
    dlviz_dataset_destroy(p->train);
    dlviz_dataset_destroy(p->validation);
}

void assert_same_figures(const dlviz_trainer *a, const dlviz_trainer *b, int epoch) {
    ck_assert_int_eq(dlviz_trainer_num_figures(a), dlviz_trainer_num_figures(b));
    for (int64_t i = 0; i < dlviz_trainer_num_figures(a); i++) {
        const char *name = dlviz_trainer_figure_name(a, i);
        if (strcmp(name, "seconds") == 0 || strcmp(name, "samples_per_second") == 0)
            continue;
        double x = dlviz_trainer_history(a, epoch, name), y = dlviz_trainer_history(b, epoch, name);
        ck_assert_msg(x == y, "epoch %d, %s: %.17g and %.17g", epoch, name, x, y);
    }
}

void assert_same_run(const process *a, const process *b) {
    assert_same_states(a->network, b->network);
    ck_assert_int_eq(dlviz_trainer_num_epochs(a->trainer), dlviz_trainer_num_epochs(b->trainer));
    ck_assert_int_eq(dlviz_optimizer_num_steps(a->optimizer),
                     dlviz_optimizer_num_steps(b->optimizer));
    ck_assert_double_eq(dlviz_optimizer_learning_rate(a->optimizer),
                        dlviz_optimizer_learning_rate(b->optimizer));
    for (int e = 0; e < dlviz_trainer_num_epochs(a->trainer); e++)
        assert_same_figures(a->trainer, b->trainer, e);
}

void refuses_checkpoint(process *reader, const char *path, const char *words) {
    size_t size;
    void *before = all_states(reader->network, &size), *after;
    double rate = dlviz_optimizer_learning_rate(reader->optimizer);
    int64_t steps = dlviz_optimizer_num_steps(reader->optimizer);
    int epochs = (int)dlviz_trainer_num_epochs(reader->trainer);
    int64_t batches = dlviz_trainer_batches_done(reader->trainer);
    ck_fails(dlviz_trainer_load_checkpoint(reader->trainer, path), DLVIZ_ERROR_FORMAT, words);
    after = all_states(reader->network, &size);
    ck_assert_int_eq(memcmp(before, after, size), 0);
    ck_assert_double_eq(dlviz_optimizer_learning_rate(reader->optimizer), rate);
    ck_assert_int_eq(dlviz_optimizer_num_steps(reader->optimizer), steps);
    ck_assert_int_eq(dlviz_trainer_num_epochs(reader->trainer), epochs);
    ck_assert_int_eq(dlviz_trainer_batches_done(reader->trainer), batches);
    free(before);
    free(after);
}

void refuses(process *reader, const char *path, const char *words) {
    refuses_checkpoint(reader, path, words);
    end_process(reader);
}

unsigned char *file_bytes(const char *path, size_t *size) {
    FILE *stream = fopen(path, "rb");
    ck_assert_msg(stream != NULL, "cannot read %s", path);
    ck_assert_int_eq(fseek(stream, 0, SEEK_END), 0);
    *size = (size_t)ftell(stream);
    rewind(stream);
    unsigned char *bytes = malloc(*size + 1);
    ck_assert_uint_eq(fread(bytes, 1, *size, stream), *size);
    fclose(stream);
    return bytes;
}
