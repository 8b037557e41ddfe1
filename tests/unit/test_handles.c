/* Handles that are destroyed while others use them: whoever uses one holds it. The sanitizers and
 * memcheck see what these tests cannot. */
#include "data/dataset.h"
#include "support/process.h"

#include <stdlib.h>
#include <string.h>

/* Destroys, after a number of batches, whatever handles it is told to. */
typedef struct breaker {
    process *p;
    int batches, at;
    bool train, validation, network, optimizer, schedule, trainer;
    int epochs;
} breaker;

static void strike(breaker *b) {
    process *p = b->p;
    if (b->train)
        dlviz_dataset_destroy(p->train);
    if (b->validation)
        dlviz_dataset_destroy(p->validation);
    if (b->network)
        dlviz_network_destroy(p->network);
    if (b->optimizer)
        dlviz_optimizer_destroy(p->optimizer);
    if (b->schedule)
        dlviz_schedule_destroy((dlviz_schedule *)dlviz_trainer_schedule(p->trainer));
    if (b->trainer)
        dlviz_trainer_destroy(p->trainer);
}

static bool on_batch(const dlviz_trainer_event *event, void *user) {
    (void)event;
    breaker *b = user;
    if (++b->batches == b->at)
        strike(b);
    return true;
}

static bool on_epoch(const dlviz_trainer_event *event, void *user) {
    (void)event;
    breaker *b = user;
    b->epochs++;
    return true;
}

static void end_what_is_left(const breaker *b) {
    process *p = b->p;
    if (!b->trainer)
        dlviz_trainer_destroy(p->trainer);
    if (!b->optimizer)
        dlviz_optimizer_destroy(p->optimizer);
    if (!b->network)
        dlviz_network_destroy(p->network);
    if (!b->train)
        dlviz_dataset_destroy(p->train);
    if (!b->validation)
        dlviz_dataset_destroy(p->validation);
}

/* Handles are destroyed after batch 8 of 18, or before the fit; the numbers are those of a run that
 * was left alone. */
static void handles_may_go(breaker b) {
    process straight, p;
    begin_process(&straight, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_fit(straight.trainer, straight.train, 3));
    begin_process(&p, PROCESS_NET, ADAM, true);
    b.p = &p;
    ck_ok(dlviz_trainer_set_batch_callback(p.trainer, on_batch, &b));
    ck_ok(dlviz_trainer_set_epoch_callback(p.trainer, on_epoch, &b));
    if (b.at == 0)
        strike(&b);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 3));
    ck_assert_int_eq(b.epochs, 3);
    for (int e = 0; e < 3; e++)
        assert_same_figures(p.trainer, straight.trainer, e);
    if (!b.network)
        assert_same_states(p.network, straight.network);
    ck_ok(dlviz_trainer_save_checkpoint(p.trainer, scratch_path("orphan")));
    ck_ok(dlviz_trainer_load_checkpoint(straight.trainer, scratch_path("orphan")));
    end_what_is_left(&b);
    end_process(&straight);
}

START_TEST(datasets_destroyed_during_a_fit) {
    handles_may_go((breaker){.at = 8, .train = true});
    handles_may_go((breaker){.at = 8, .validation = true});
    handles_may_go((breaker){.at = 1, .train = true, .validation = true});
}
END_TEST

START_TEST(everything_a_trainer_needs_destroyed_during_a_fit) {
    handles_may_go((breaker){.at = 8, .schedule = true});
    handles_may_go((breaker){.at = 8, .optimizer = true});
    handles_may_go((breaker){.at = 8, .network = true});
    handles_may_go((breaker){.at = 8,
                             .train = true,
                             .validation = true,
                             .network = true,
                             .optimizer = true,
                             .schedule = true});
}
END_TEST

START_TEST(what_a_trainer_needs_destroyed_before_the_fit) {
    handles_may_go(
        (breaker){.validation = true, .network = true, .optimizer = true, .schedule = true});
}
END_TEST

/* The fit ends at once, and the trainer after it. */
START_TEST(the_trainer_destroyed_during_its_fit) {
    process p;
    begin_process(&p, PROCESS_NET, ADAM, true);
    breaker b = {.p = &p, .at = 8, .trainer = true, .network = true, .train = true};
    ck_ok(dlviz_trainer_set_batch_callback(p.trainer, on_batch, &b));
    ck_ok(dlviz_trainer_set_epoch_callback(p.trainer, on_epoch, &b));
    ck_fails(dlviz_trainer_fit(p.trainer, p.train, 3), DLVIZ_CANCELLED, "destroyed the trainer");
    ck_assert_int_eq(b.batches, 8);
    ck_assert_int_eq(b.epochs, 1);
    end_what_is_left(&b);
}
END_TEST

static bool swap_validation(const dlviz_trainer_event *event, void *user) {
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    process *p = user;
    ck_ok(dlviz_trainer_set_validation(trainer, NULL));
    ck_ok(dlviz_trainer_set_validation(trainer, p->validation));
    return true;
}

START_TEST(handles_exchanged_during_a_fit) {
    process straight, p;
    begin_process(&straight, PROCESS_NET, ADAM, true);
    begin_process(&p, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_set_batch_callback(p.trainer, swap_validation, &p));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 2));
    ck_ok(dlviz_trainer_fit(straight.trainer, straight.train, 2));
    assert_same_run(&straight, &p);
    end_process(&p);
    end_process(&straight);
}
END_TEST

static bool swap_schedule(const dlviz_trainer_event *event, void *user) {
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    const dlviz_schedule *before = dlviz_trainer_schedule(trainer);
    (void)user;
    if (dlviz_trainer_batches_done(trainer) % 2)
        ck_ok(dlviz_trainer_clear_schedule(trainer));
    ck_ok(dlviz_trainer_set_schedule(trainer, dlviz_plateau(0.5, 1000)));
    ck_assert(!before || dlviz_plateau_patience(dlviz_trainer_schedule(trainer)) == 1000);
    return true;
}

START_TEST(schedules_exchanged_during_a_fit) {
    process straight, p;
    begin_process(&straight, PROCESS_NET, ADAM, false);
    begin_process(&p, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_set_batch_callback(p.trainer, swap_schedule, NULL));
    ck_ok(dlviz_trainer_set_epoch_callback(p.trainer, swap_schedule, NULL));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 2));
    ck_ok(dlviz_trainer_fit(straight.trainer, straight.train, 2));
    assert_same_run(&straight, &p);
    end_process(&p);
    end_process(&straight);
}
END_TEST

START_TEST(subsets_loaders_and_samples_outlive_what_they_came_from) {
    net_spec spec;
    parse_net(&spec, "1x8x8", PROCESS_NET);
    dlviz_tensor *samples = input_tensor(&spec, 20, 1, false), *labels = label_tensor(20, 4, 1);
    dlviz_tensor *copy, *taken;
    ck_ok(dlviz_tensor_copy(samples, &copy));
    dlviz_dataset *whole, *part, *rest, *holdout;
    dlviz_loader *loader;
    ck_ok(dlviz_dataset_create(&whole, samples, labels));
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(labels);
    ck_ok(dlviz_dataset_take(whole, 3, 10, &part));
    ck_ok(dlviz_dataset_split(whole, 5, 1, &rest, &holdout));
    ck_ok(dlviz_loader_create(&loader, part, 4));
    dlviz_dataset_destroy(whole);
    dlviz_dataset_destroy(rest);
    dlviz_dataset_destroy(holdout);
    ck_ok(dlviz_dataset_samples(part, 0, 10, &taken));
    dlviz_dataset_destroy(part);
    ck_assert_mem_eq(dlviz_tensor_const_float(taken), dlviz_tensor_const_float(copy) + 3 * 64,
                     10 * 64 * sizeof(float));
    const dlviz_tensor *batch, *marks;
    ck_ok(dlviz_loader_next(loader, &batch, &marks));
    ck_assert_mem_eq(dlviz_tensor_const_float(batch), dlviz_tensor_const_float(copy) + 3 * 64,
                     4 * 64 * sizeof(float));
    dlviz_loader_destroy(loader);
    dlviz_tensor_destroy(taken);
    dlviz_tensor_destroy(copy);
}
END_TEST

/* A layer keeps the settings that its network was built with, and the network its layers. */
START_TEST(layers_of_a_built_network_are_fixed) {
    dlviz_network *network;
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){1, 8, 8}));
    dlviz_layer *conv = dlviz_conv2d(4, 3, 0), *bn = dlviz_batchnorm(), *pool = dlviz_maxpool2d(2);
    dlviz_layer *fc = dlviz_linear(3);
    ck_ok(dlviz_network_add(network, "c", conv));
    ck_ok(dlviz_network_add(network, "b", bn));
    ck_ok(dlviz_network_add(network, "p", pool));
    ck_ok(dlviz_network_add(network, "f", dlviz_flatten()));
    ck_ok(dlviz_network_add(network, "l", fc));
    ck_ok(dlviz_batchnorm_set_momentum(bn, 0.5)); /* not built yet */
    dlviz_layer_destroy(conv);                    /* the network's */
    ck_ok(dlviz_network_build(network, 1));
    dlviz_layer_destroy(bn);
    ck_fails(dlviz_conv2d_set_kernel(conv, 7, 7), DLVIZ_ERROR_STATE, "built");
    ck_fails(dlviz_conv2d_set_stride(conv, 1, 1), DLVIZ_ERROR_STATE, "built");
    ck_fails(dlviz_conv2d_set_padding(conv, 3, 3), DLVIZ_ERROR_STATE, "built");
    ck_fails(dlviz_conv2d_set_dilation(conv, 3, 3), DLVIZ_ERROR_STATE, "built");
    ck_fails(dlviz_conv2d_set_bias(conv, false), DLVIZ_ERROR_STATE, "built");
    ck_fails(dlviz_batchnorm_set_eps(bn, 1), DLVIZ_ERROR_STATE, "built");
    ck_fails(dlviz_batchnorm_set_momentum(bn, 0.25), DLVIZ_ERROR_STATE, "built");
    ck_fails(dlviz_maxpool2d_set_stride(pool, 1, 1), DLVIZ_ERROR_STATE, "built");
    ck_fails(dlviz_maxpool2d_set_padding(pool, 1, 1), DLVIZ_ERROR_STATE, "built");
    ck_fails(dlviz_linear_set_bias(fc, false), DLVIZ_ERROR_STATE, "built");
    dlviz_tensor *inputs, *out;
    ck_ok(dlviz_tensor_create(&inputs, DLVIZ_FLOAT32, 4, (int64_t[]){2, 1, 8, 8}));
    ck_ok(dlviz_network_forward(network, inputs, &out));
    ck_assert_int_eq(dlviz_tensor_dim(out, 1), 3);
    dlviz_tensor_destroy(inputs);
    dlviz_tensor_destroy(out);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(marks_tell_datasets_apart) {
    dlviz_tensor *samples, *labels = label_tensor(300, 4, 1);
    ck_ok(dlviz_tensor_create(&samples, DLVIZ_UINT8, 3, (int64_t[]){300, 4, 5}));
    uint8_t *pixels = dlviz_tensor_data(samples);
    for (int i = 0; i < 6000; i++)
        pixels[i] = (uint8_t)(i * 7 / 5);
    dlviz_dataset *a, *b;
    ck_ok(dlviz_dataset_create(&a, samples, labels));
    /* The same in other storage. */
    dlviz_tensor *copy;
    ck_ok(dlviz_tensor_copy(samples, &copy));
    ck_ok(dlviz_dataset_create(&b, copy, labels));
    uint32_t mark = dlz_dataset_mark(a);
    ck_assert_uint_eq(mark, dlz_dataset_mark(b));
    ck_ok(dlviz_dataset_set_image_size(b, 5, 4));
    ck_assert_uint_ne(mark, dlz_dataset_mark(b));
    ck_ok(dlviz_dataset_set_image_size(b, 4, 5));
    ck_assert_uint_eq(mark, dlz_dataset_mark(b));
    ck_ok(dlviz_dataset_set_normalization(b, 0.1307f, 0.3081f));
    uint32_t normal = dlz_dataset_mark(b);
    ck_assert_uint_ne(mark, normal);
    ck_ok(dlviz_dataset_set_normalization(b, 0.1307f, 0.5f));
    ck_assert_uint_ne(normal, dlz_dataset_mark(b));
    dlviz_dataset_destroy(b);
    ck_ok(dlviz_dataset_create(&b, copy, NULL));
    ck_assert_uint_ne(mark, dlz_dataset_mark(b));
    dlviz_dataset_destroy(b);
    ((int64_t *)dlviz_tensor_data(labels))[299] ^= 1;
    ck_ok(dlviz_dataset_create(&b, copy, labels));
    ck_assert_uint_ne(mark, dlz_dataset_mark(b));
    dlviz_dataset_destroy(b);
    ck_ok(dlviz_dataset_take(a, 0, 299, &b));
    ck_assert_uint_ne(mark, dlz_dataset_mark(b));
    dlviz_dataset_destroy(a);
    dlviz_dataset_destroy(b);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(copy);
    dlviz_tensor_destroy(labels);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {datasets_destroyed_during_a_fit,
                                  everything_a_trainer_needs_destroyed_during_a_fit,
                                  what_a_trainer_needs_destroyed_before_the_fit,
                                  the_trainer_destroyed_during_its_fit,
                                  handles_exchanged_during_a_fit,
                                  schedules_exchanged_during_a_fit,
                                  subsets_loaders_and_samples_outlive_what_they_came_from,
                                  layers_of_a_built_network_are_fixed,
                                  marks_tell_datasets_apart,
                                  NULL};
    return run_tests("handles", tests);
}
