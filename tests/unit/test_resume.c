/* A run goes on only as what it was: every setting that decides over its numbers is in the
 * checkpoint, and the first that differs is named. */
#include "support/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Changes one setting of a process. */
typedef void (*change_fn)(process *p);

static void weight_decay(process *p) {
    ck_ok(dlviz_optimizer_set_weight_decay(p->optimizer, 0.5));
}
static void beta1(process *p) {
    ck_ok(dlviz_adam_set_betas(p->optimizer, 0.8, 0.999));
}
static void beta2(process *p) {
    ck_ok(dlviz_adam_set_betas(p->optimizer, 0.9, 0.99));
}
static void adam_eps(process *p) {
    ck_ok(dlviz_adam_set_eps(p->optimizer, 1e-7));
}
static void close_beta(process *p) {
    ck_ok(dlviz_adam_set_betas(p->optimizer, 0.9, 0.99900000000000011));
}
static void momentum(process *p) {
    ck_ok(dlviz_sgd_set_momentum(p->optimizer, 0.5, 0, true));
}
static void no_momentum(process *p) {
    ck_ok(dlviz_sgd_set_momentum(p->optimizer, 0, 0, false));
}
static void plain(process *p) {
    ck_ok(dlviz_sgd_set_momentum(p->optimizer, 0.9, 0, false));
}
static void dampening(process *p) {
    ck_ok(dlviz_sgd_set_momentum(p->optimizer, 0.9, 0.1, false));
}
static void alpha(process *p) {
    ck_ok(dlviz_rmsprop_set_smoothing(p->optimizer, 0.9, 1e-8));
}
static void rms_eps(process *p) {
    ck_ok(dlviz_rmsprop_set_smoothing(p->optimizer, 0.99, 1e-6));
}
static void schedule(process *p, plateau_settings settings) {
    ck_ok(dlviz_trainer_set_schedule(p->trainer, make_plateau(settings)));
}
static void threshold(process *p) {
    schedule(p, (plateau_settings){0.5, 0, 0.25, 1, 0});
}
static void cooldown(process *p) {
    schedule(p, (plateau_settings){0.5, 0, 0.3, 2, 0});
}
static void minimum(process *p) {
    schedule(p, (plateau_settings){0.5, 0, 0.3, 1, 1e-5});
}
static void factor(process *p) {
    schedule(p, (plateau_settings){0.4, 0, 0.3, 1, 0});
}
static void patience(process *p) {
    schedule(p, (plateau_settings){0.5, 7, 0.3, 1, 0});
}
static void unscheduled(process *p) {
    ck_ok(dlviz_trainer_clear_schedule(p->trainer));
}
static void unvalidated(process *p) {
    ck_ok(dlviz_trainer_set_validation(p->trainer, NULL));
}
static void batch_size(process *p) {
    ck_ok(dlviz_trainer_set_batch_size(p->trainer, 9));
}
static void seed(process *p) {
    ck_ok(dlviz_trainer_set_seed(p->trainer, 4));
}

static void drop_last(process *p) {
    ck_ok(dlviz_trainer_set_drop_last(p->trainer, true));
}
static void accumulation(process *p) {
    ck_ok(dlviz_trainer_set_accumulation(p->trainer, 2));
}
static void clip_norm(process *p) {
    ck_ok(dlviz_trainer_set_clip_norm(p->trainer, 0.5));
}
static void clip_value(process *p) {
    ck_ok(dlviz_trainer_set_clip_value(p->trainer, 0.25));
}
static void averaging(process *p) {
    ck_ok(dlviz_trainer_set_averaging(p->trainer, 0.75));
}
static void stopping(process *p) {
    ck_ok(dlviz_trainer_set_early_stopping(p->trainer, "train_loss", DLVIZ_BETTER_LOWER, 5));
}
static void frozen(process *p) {
    ck_ok(dlviz_network_freeze(p->network, "c.bias"));
}
static void rms_momentum(process *p) {
    ck_ok(dlviz_rmsprop_set_momentum(p->optimizer, 0.5));
}
static void centered(process *p) {
    ck_ok(dlviz_rmsprop_set_centered(p->optimizer, true));
}

static void amsgrad(process *p) {
    ck_ok(dlviz_adam_set_amsgrad(p->optimizer, true));
}
static void lion_beta(process *p) {
    ck_ok(dlviz_lion_set_betas(p->optimizer, 0.9, 0.9));
}
static void nadam_beta(process *p) {
    ck_ok(dlviz_nadam_set_betas(p->optimizer, 0.8, 0.999));
}
static void nadam_eps(process *p) {
    ck_ok(dlviz_nadam_set_eps(p->optimizer, 1e-7));
}
static void momentum_decay(process *p) {
    ck_ok(dlviz_nadam_set_momentum_decay(p->optimizer, 0.5));
}
static void radam_beta(process *p) {
    ck_ok(dlviz_radam_set_betas(p->optimizer, 0.9, 0.9));
}
static void radam_eps(process *p) {
    ck_ok(dlviz_radam_set_eps(p->optimizer, 1e-7));
}
static void rate_factor(process *p) {
    ck_ok(dlviz_optimizer_set_rate_factor(p->optimizer, "*.bias", 1.5));
}
/* The same factors, but another one is the last. */
static void other_order(process *p) {
    ck_ok(dlviz_optimizer_set_rate_factor(p->optimizer, "fc*", 0.5));
}
static void more_factors(process *p) {
    ck_ok(dlviz_optimizer_set_rate_factor(p->optimizer, "b*", 0.5));
}
static void decay_factor(process *p) {
    ck_ok(dlviz_optimizer_set_decay_factor(p->optimizer, "fc*.weight", 0));
}
static void all_decay(process *p) {
    ck_ok(dlviz_optimizer_set_decay_weights_only(p->optimizer, false));
}
static void ungrouped(process *p) {
    ck_ok(dlviz_optimizer_set_rate_factor(p->optimizer, "fc1.bias", 1));
}

START_TEST(settings_that_differ_are_named) {
    static const struct {
        rule kind;
        change_fn change;
        const char *words;
    } cases[] = {
        {ADAM, weight_decay, "optimizer: weight_decay is 0 in the file and 0.5 here"},
        {ADAMW, weight_decay, "optimizer: weight_decay is 0.01 in the file and 0.5 here"},
        {SGD, weight_decay, "optimizer: weight_decay is 0 in the file and 0.5 here"},
        {RMSPROP, weight_decay, "optimizer: weight_decay is 0 in the file and 0.5 here"},
        {ADAM, beta1, "optimizer: beta1 is 0.9 in the file and 0.8 here"},
        {ADAMW, beta2, "optimizer: beta2 is 0.999 in the file and 0.99 here"},
        {ADAM, close_beta, "beta2 is 0.999 in the file and 0.99900000000000011 here"},
        {ADAM, adam_eps, "optimizer: eps is 1e-08 in the file and 1e-07 here"},
        {SGD, momentum, "optimizer: momentum is 0.9 in the file and 0.5 here"},
        {SGD, no_momentum, "optimizer: momentum is 0.9 in the file and 0 here"},
        {SGD, plain, "optimizer: nesterov is true in the file and false here"},
        {SGD, dampening, "optimizer: dampening is 0 in the file and 0.1 here"},
        {PLAIN, plain, "optimizer: momentum is 0 in the file and 0.9 here"},
        {RMSPROP, alpha, "optimizer: alpha is 0.99 in the file and 0.9 here"},
        {RMSPROP, rms_eps, "optimizer: eps is 1e-08 in the file and 1e-06 here"},
        {RMSPROP, rms_momentum, "optimizer: momentum is 0 in the file and 0.5 here"},
        {RMSPROP, centered, "optimizer: centered is false in the file and true here"},
        {ADAM, amsgrad, "optimizer: amsgrad is false in the file and true here"},
        {LION, lion_beta, "optimizer: beta2 is 0.99 in the file and 0.9 here"},
        {NADAM, nadam_beta, "optimizer: beta1 is 0.9 in the file and 0.8 here"},
        {NADAM, nadam_eps, "optimizer: eps is 1e-08 in the file and 1e-07 here"},
        {NADAM, momentum_decay, "optimizer: momentum_decay is 0.004 in the file and 0.5 here"},
        {RADAM, radam_beta, "optimizer: beta2 is 0.999 in the file and 0.9 here"},
        {RADAM, radam_eps, "optimizer: eps is 1e-08 in the file and 1e-07 here"},
        {GROUPED, rate_factor, "rate factor 2 of '*.bias' is 2 in the file and 1.5 here"},
        {GROUPED, other_order, "rate factor 1 of '*.bias' is absent in the file and 2 here"},
        {GROUPED, more_factors, "rate factor 3 of 'b*' is absent in the file and 0.5 here"},
        {GROUPED, decay_factor, "decay factor 1 of 'fc*.weight' is 3 in the file and 0 here"},
        {GROUPED, all_decay, "decay_weights_only is true in the file and false here"},
        {ADAM, ungrouped, "rate factor 1 of 'fc1.bias' is absent in the file and 1 here"},
        {ADAM, factor, "schedule: factor is 0.5 in the file and 0.4 here"},
        {ADAM, patience, "schedule: patience is 0 in the file and 7 here"},
        {ADAM, threshold, "schedule: threshold is 0.3 in the file and 0.25 here"},
        {ADAM, cooldown, "schedule: cooldown is 1 in the file and 2 here"},
        {ADAM, minimum, "schedule: minimum is 0 in the file and 1e-05 here"},
        {ADAM, unvalidated, "schedule: metric is validation loss in the file and training loss"},
        {ADAM, batch_size, "trainer: batch_size is 8 in the file and 9 here"},
        {ADAM, drop_last, "trainer: drop_last is false in the file and true here"},
        {ADAM, accumulation, "trainer's steps: accumulation is 1 in the file and 2 here"},
        {ADAM, clip_norm, "trainer's steps: clip_norm is 0 in the file and 0.5 here"},
        {ADAM, clip_value, "trainer's steps: clip_value is 0 in the file and 0.25 here"},
        {ADAM, averaging, "trainer's steps: averaging is 0 in the file and 0.75 here"},
        {ADAM, stopping,
         "trainer's early stopping: figure is none in the file and train_loss here"},
        {ADAM, frozen, "trainer: frozen is [] in the file and [\"c.bias\"] here"},
        {ADAM, unscheduled, "schedule: type is plateau in the file and none here"},
        {ADAM, seed, "trainer: seed is 3 in the file and 4 here"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        process writer, reader;
        const char *path = scratch_path("settings");
        begin_process(&writer, PROCESS_NET, cases[i].kind, true);
        writer.stop_after = 9;
        ck_stops(writer.trainer, writer.train, 4);
        ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, path));
        begin_process(&reader, PROCESS_NET, cases[i].kind, true);
        cases[i].change(&reader);
        refuses(&reader, path, cases[i].words);
        begin_process(&reader, PROCESS_NET, cases[i].kind, true);
        ck_ok(dlviz_trainer_load_checkpoint(reader.trainer, path));
        assert_same_run(&writer, &reader);
        end_process(&reader);
        end_process(&writer);
    }
}
END_TEST

/* Also the weights of these fit, whatever the difference does to the numbers. */
START_TEST(networks_that_differ_are_named) {
    static const char net[] = "c:conv,out=4,k=3,pad=same b:bn r:relu p:pool,k=2 d:dropout,p=0.25 "
                              "c2:conv,out=4,k=3,pad=1 f:flatten fc:linear,out=4";
    static const struct {
        const char *net, *words;
    } cases[] = {
        {"c:conv,out=4,k=3,pad=same b:bn r:relu p:pool,k=2 d:dropout,p=0.5 "
         "c2:conv,out=4,k=3,pad=1 f:flatten fc:linear,out=4",
         "dropout 'd': p is 0.25 in the file and 0.5 here"},
        {"c:conv,out=4,k=3,pad=same b:bn,momentum=0.5 r:relu p:pool,k=2 d:dropout,p=0.25 "
         "c2:conv,out=4,k=3,pad=1 f:flatten fc:linear,out=4",
         "batchnorm 'b': momentum is 0.1 in the file and 0.5 here"},
        {"c:conv,out=4,k=3,pad=same b:bn,eps=1e-3 r:relu p:pool,k=2 d:dropout,p=0.25 "
         "c2:conv,out=4,k=3,pad=1 f:flatten fc:linear,out=4",
         "batchnorm 'b': eps is 1e-05 in the file and 0.001 here"},
        {"c:conv,out=4,k=3,pad=same b:bn r:relu p:pool,k=3,stride=2,pad=1 d:dropout,p=0.25 "
         "c2:conv,out=4,k=3,pad=1 f:flatten fc:linear,out=4",
         "maxpool2d 'p': kernel is [2,2] in the file and [3,3] here"},
        {"c:conv,out=4,k=3,pad=same b:bn r:relu p:pool,k=2 d:dropout,p=0.25 "
         "c2:conv,out=4,k=3,pad=2,dil=2 f:flatten fc:linear,out=4",
         "conv2d 'c2': padding is [1,1] in the file and [2,2] here"},
        {"c:conv,out=4,k=3,pad=same,stride=2 b:bn r:relu d:dropout,p=0.25 "
         "c2:conv,out=4,k=3,pad=1 f:flatten fc:linear,out=4",
         "conv2d 'c': stride is [1,1] in the file and [2,2] here"},
        {"c:conv,out=4,k=3,pad=same b:bn p:pool,k=2 d:dropout,p=0.25 "
         "c2:conv,out=4,k=3,pad=1 f:flatten fc:linear,out=4",
         "layer 3 is 'r' (relu) in the file and 'p' (maxpool2d) here"},
        {"c:conv,out=4,k=3,pad=same b:bn r:relu p:pool,k=2 d:dropout,p=0.25 "
         "c2:conv,out=4,k=3,pad=1 f:flatten fc:linear,out=4 last:relu",
         "layer 9 is absent in the file and 'last' (relu) here"},
        {"c:conv,out=4,k=3,pad=same b:bn r:dropout,p=0 p:pool,k=2 d:dropout,p=0.25 "
         "c2:conv,out=4,k=3,pad=1 f:flatten fc:linear,out=4",
         "layer 3 is 'r' (relu) in the file and 'r' (dropout) here"},
    };
    process writer, reader;
    const char *path = scratch_path("architecture");
    begin_process(&writer, net, SGD, false);
    ck_ok(dlviz_trainer_fit(writer.trainer, writer.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, path));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_process(&reader, cases[i].net, SGD, false);
        refuses(&reader, path, cases[i].words);
    }
    /* And the other way round: a layer that only the file has. */
    end_process(&writer);
    begin_process(&writer, "f:flatten fc:linear,out=4 r:relu", SGD, false);
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, path));
    begin_process(&reader, "f:flatten fc:linear,out=4", SGD, false);
    refuses(&reader, path, "layer 3 is 'r' (relu) in the file and absent here");
    end_process(&writer);
}
END_TEST

/* The learning rate is restored, and may be set afterwards; the validation set matters only to a
 * schedule; so do not callbacks and threads. */
START_TEST(what_may_differ_does) {
    process straight, writer, reader;
    const char *path = scratch_path("free");
    begin_process(&straight, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_fit(straight.trainer, straight.train, 3));
    begin_process(&writer, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_fit(writer.trainer, writer.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, path));
    begin_process(&reader, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_optimizer_set_learning_rate(reader.optimizer, 77));
    ck_ok(dlviz_trainer_set_validation(reader.trainer, NULL));
    ck_ok(dlviz_trainer_set_batch_callback(reader.trainer, NULL, NULL));
    ck_ok(dlviz_set_num_threads(3));
    ck_ok(dlviz_trainer_load_checkpoint(reader.trainer, path));
    ck_assert_double_eq(dlviz_optimizer_learning_rate(reader.optimizer), 1e-2);
    ck_ok(dlviz_trainer_fit(reader.trainer, reader.train, 2));
    assert_same_states(straight.network, reader.network);
    ck_ok(dlviz_trainer_load_checkpoint(reader.trainer, path));
    ck_ok(dlviz_optimizer_set_learning_rate(reader.optimizer, 0.5));
    ck_assert_double_eq(dlviz_optimizer_learning_rate(reader.optimizer), 0.5);
    end_process(&straight);
    end_process(&writer);
    end_process(&reader);
}
END_TEST

static dlviz_dataset *dataset_of(const dlviz_tensor *samples, const dlviz_tensor *labels) {
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, samples, labels));
    return dataset;
}

/* Within an epoch the samples still to come must be those that its order was drawn for. */
START_TEST(an_epoch_is_finished_with_the_set_it_began_with) {
    process writer, reader;
    const char *path = scratch_path("middle");
    begin_process(&writer, PROCESS_NET, ADAM, false);
    writer.stop_after = 9;
    ck_stops(writer.trainer, writer.train, 4);
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, path));
    dlviz_tensor *samples = input_tensor(&writer.spec, 45, 21, false);
    dlviz_tensor *labels = label_tensor(45, 4, 21);
    dlviz_dataset *same = dataset_of(samples, labels), *others[4];
    ((int64_t *)dlviz_tensor_data(labels))[44] ^= 1;
    others[0] = dataset_of(samples, labels);
    ((int64_t *)dlviz_tensor_data(labels))[44] ^= 1;
    dlviz_tensor *changed;
    ck_ok(dlviz_tensor_copy(samples, &changed));
    dlviz_tensor_float(changed)[64 * 20 + 63] += 1;
    others[1] = dataset_of(changed, labels);
    others[2] = dataset_of(samples, labels);
    ck_ok(dlviz_dataset_set_normalization(others[2], 0.5f, 1));
    int64_t reversed[45];
    for (int i = 0; i < 45; i++)
        reversed[i] = 44 - i;
    ck_ok(dlviz_dataset_select(same, 45, reversed, &others[3]));
    begin_process(&reader, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_load_checkpoint(reader.trainer, path));
    for (int i = 0; i < 4; i++) {
        /* The process that was interrupted, and the one that goes on. */
        ck_fails(dlviz_trainer_fit(writer.trainer, others[i], 1), DLVIZ_ERROR_STATE,
                 "began with other samples");
        ck_fails(dlviz_trainer_fit(reader.trainer, others[i], 1), DLVIZ_ERROR_STATE,
                 "began with other samples");
    }
    assert_same_run(&writer, &reader);
    ck_ok(dlviz_trainer_fit(reader.trainer, same, 1));
    writer.stop_after = 0;
    ck_ok(dlviz_trainer_fit(writer.trainer, writer.train, 1));
    assert_same_run(&writer, &reader);
    /* From one epoch to the next the data may change: that is how a model is trained further. */
    ck_ok(dlviz_trainer_fit(reader.trainer, others[1], 1));
    for (int i = 0; i < 4; i++)
        dlviz_dataset_destroy(others[i]);
    dlviz_dataset_destroy(same);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(changed);
    dlviz_tensor_destroy(labels);
    end_process(&writer);
    end_process(&reader);
}
END_TEST

/* Weights of their own, moments of their own: a refused file changes neither. */
START_TEST(a_refused_checkpoint_leaves_a_run_as_it_was) {
    process straight, p, writer;
    const char *path = scratch_path("refused");
    begin_process(&writer, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_fit(writer.trainer, writer.train, 2));
    ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, path));
    begin_process(&straight, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_optimizer_set_weight_decay(straight.optimizer, 0.1));
    ck_ok(dlviz_trainer_fit(straight.trainer, straight.train, 2));
    begin_process(&p, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_optimizer_set_weight_decay(p.optimizer, 0.1));
    refuses_checkpoint(&p, path, "weight_decay");
    /* The refusal has not even made the optimizer this network's. */
    dlviz_network *other = build_net(&p.spec, 1);
    dlviz_tensor *inputs = input_tensor(&p.spec, 4, 1, false), *labels = label_tensor(4, 4, 2);
    dlviz_optimizer *adam;
    ck_ok(dlviz_adam_create(&adam, 0.1));
    dlviz_trainer *trainer;
    ck_ok(dlviz_trainer_create(&trainer, other, adam));
    ck_assert_int_eq(dlviz_trainer_load_checkpoint(trainer, path), DLVIZ_ERROR_FORMAT);
    dlviz_trainer_destroy(trainer);
    ck_ok(dlviz_network_backward(p.network, inputs, labels, 0, 0, NULL));
    dlviz_network_destroy(other);
    end_process(&p);
    begin_process(&p, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_optimizer_set_weight_decay(p.optimizer, 0.1));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    refuses_checkpoint(&p, path, "weight_decay");
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    assert_same_run(&straight, &p);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(labels);
    dlviz_optimizer_destroy(adam);
    end_process(&p);
    end_process(&straight);
    end_process(&writer);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {settings_that_differ_are_named,
                                  networks_that_differ_are_named,
                                  what_may_differ_does,
                                  an_epoch_is_finished_with_the_set_it_began_with,
                                  a_refused_checkpoint_leaves_a_run_as_it_was,
                                  NULL};
    return run_tests("resume", tests);
}
