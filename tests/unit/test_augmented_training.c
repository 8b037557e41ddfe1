/* Training on augmented samples: what becomes of targets, mixtures in the loss, loaders, and that it is
 * the same for any number of threads and in a run that goes on. */
#include "data/dataset.h"
#include "network/network.h"
#include "support/datasets.h"
#include "support/failing.h"
#include "support/process.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

enum { N = 24, HEIGHT = 6, WIDTH = 5, PIXELS = HEIGHT * WIDTH };

static dlviz_dataset *with(dlviz_dataset *set, dlviz_augmentation *augmentation) {
    ck_ok(dlviz_dataset_add_augmentation(set, augmentation));
    return set;
}

/* Images of numbers in 0 … 1, from which any targets are made. */
static dlviz_tensor *images(void) {
    dlviz_tensor *samples;
    ck_ok(dlviz_tensor_create(&samples, DLVIZ_FLOAT32, 3, (int64_t[]){N, HEIGHT, WIDTH}));
    float *values = dlviz_tensor_float(samples);
    fill_uniform(values, N * PIXELS, 4);
    for (int64_t i = 0; i < N * PIXELS; i++)
        values[i] = values[i] * 0.5f + 0.5f;
    return samples;
}

typedef enum { LABELS, LABEL_MAPS, FLOATS, FLOAT_MAPS, SAMPLES } targets_kind;

/* Maps are of what the images hold: the third that a pixel is in, or the pixel. */
static dlviz_dataset *make_set(targets_kind kind) {
    dlviz_tensor *samples = images(), *targets;
    const float *values = dlviz_tensor_const_float(samples);
    int64_t dims[3] = {N, HEIGHT, WIDTH};
    bool maps = kind == LABEL_MAPS || kind == FLOAT_MAPS;
    ck_ok(dlviz_tensor_create(&targets, kind < FLOATS ? DLVIZ_INT64 : DLVIZ_FLOAT32, maps ? 3 : 1,
                              dims));
    for (int64_t i = 0; i < dlviz_tensor_num_elements(targets); i++)
        if (kind < FLOATS)
            ((int64_t *)dlviz_tensor_data(targets))[i] =
                maps ? (int64_t)(values[i] * 2.999f) : i * 7 % 3;
        else
            dlviz_tensor_float(targets)[i] = maps ? values[i] : (float)i;
    dlviz_dataset *set;
    ck_ok(dlviz_dataset_create(&set, samples, targets));
    if (kind == SAMPLES)
        ck_ok(dlviz_dataset_set_targets_to_samples(set));
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(targets);
    return set;
}

static void set_weights(dlviz_dataset *set) {
    float weights[N];
    for (int i = 0; i < N; i++)
        weights[i] = 0.25f + (float)(i % 5);
    dlviz_tensor *tensor = float_tensor(1, (int64_t[]){N}, weights);
    ck_ok(dlviz_dataset_set_weights(set, tensor));
    dlviz_tensor_destroy(tensor);
}

/* A loader that gives all samples in one batch, augmented for (seed, epoch). */
static dlviz_loader *load_all(const dlviz_dataset *set, uint64_t seed, int64_t epoch,
                              const dlviz_tensor **samples, const dlviz_tensor **targets) {
    dlviz_loader *loader;
    ck_ok(dlviz_loader_create(&loader, set, N));
    ck_ok(dlviz_loader_set_seed(loader, seed));
    ck_ok(dlviz_loader_rewind(loader, epoch));
    ck_ok(dlviz_loader_set_augment(loader, true));
    ck_ok(dlviz_loader_next(loader, samples, targets));
    return loader;
}

static dlviz_tensor *augmented(const dlviz_dataset *set, uint64_t seed, int64_t epoch) {
    dlviz_tensor *samples;
    ck_ok(dlviz_dataset_augmented_samples(set, seed, epoch, 0, N, &samples));
    return samples;
}

static void assert_same(const dlviz_tensor *a, const dlviz_tensor *b) {
    ck_assert_int_eq(dlviz_tensor_num_elements(a), dlviz_tensor_num_elements(b));
    ck_assert_mem_eq(dlviz_tensor_const_data(a), dlviz_tensor_const_data(b),
                     (size_t)dlviz_tensor_num_elements(a) * sizeof(float));
}

/* -- Targets -------------------------------------------------------------------------------------
 */

static dlviz_dataset *with_whole_pixels(dlviz_dataset *set) {
    with(with(set, dlviz_random_shift(2, 2)), dlviz_random_horizontal_flip(0.5));
    return with(set, dlviz_random_vertical_flip(0.5));
}

START_TEST(maps_move_with_the_pixels) {
    for (int narrow = 0; narrow < 2; narrow++) {
        dlviz_dataset *set = with_whole_pixels(make_set(LABEL_MAPS));
        ck_ok(dlviz_dataset_set_fill(set, 9));
        ck_ok(dlviz_dataset_set_label_fill(set, 77 - narrow));
        const dlviz_tensor *samples, *targets;
        dlviz_loader *loader = load_all(set, 5, 3, &samples, &targets);
        const int64_t *labels = dlviz_tensor_const_data(targets);
        int outside = 0;
        for (int64_t i = 0; i < N * PIXELS; i++) {
            float value = dlviz_tensor_const_float(samples)[i];
            outside += value == 9;
            ck_assert_int_eq(labels[i], value == 9 ? 77 - narrow : (int64_t)(value * 2.999f));
        }
        ck_assert(outside > N && outside < N * PIXELS / 2);
        ck_assert_ptr_null(dlviz_loader_partner_targets(loader));
        ck_assert_ptr_null(dlviz_loader_shares(loader));
        dlviz_loader_destroy(loader);
        dlviz_dataset_destroy(set);
    }
    /* Float maps, between pixels too. */
    dlviz_dataset *set = with(with_whole_pixels(make_set(FLOAT_MAPS)), dlviz_random_affine(30));
    const dlviz_tensor *samples, *targets;
    ck_ok(dlviz_dataset_set_fill(set, 0.25));
    with(set, dlviz_mixup(1));
    dlviz_loader *loader = load_all(set, 5, 3, &samples, &targets);
    assert_same(samples, targets);
    dlviz_loader_destroy(loader);
    dlviz_dataset_destroy(set);
}
END_TEST

START_TEST(maps_of_another_size_are_refused) {
    dlviz_dataset *set = make_set(LABEL_MAPS);
    dlviz_loader *loader;
    with(set, dlviz_random_shift(1, 1));
    ck_ok(dlviz_dataset_set_image_size(set, 12, 10));
    ck_ok(dlviz_loader_create(&loader, set, 4));
    ck_fails(dlviz_loader_set_augment(loader, true), DLVIZ_ERROR_SHAPE,
             "dlviz_loader_set_augment: augmentations move the pixels of images of 12 x 10, and "
             "with them targets, which need the same size and have 6 x 5");
    ck_assert(!dlviz_loader_augments(loader));
    dlviz_loader_destroy(loader);
    dlviz_network *network = net_from_text("1x12x10", "c:conv,out=3,k=2,stride=2");
    dlviz_optimizer *sgd;
    dlviz_trainer *trainer;
    ck_ok(dlviz_sgd_create(&sgd, 0.1));
    ck_ok(dlviz_trainer_create(&trainer, network, sgd));
    ck_fails(dlviz_trainer_fit(trainer, set, 1), DLVIZ_ERROR_SHAPE,
             "dlviz_trainer_fit: augmentations move the pixels of images of 12 x 10");
    ck_ok(dlviz_dataset_clear_augmentations(set));
    with(set, dlviz_random_noise(0.1)); /* moves nothing */
    ck_ok(dlviz_trainer_fit(trainer, set, 1));
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(sgd);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(set);
}
END_TEST

START_TEST(labels_from_outside_must_suit_the_loss) {
    dlviz_dataset *set = with(make_set(LABEL_MAPS), dlviz_random_shift(3, 3));
    dlviz_network *network = net_from_text("1x6x5", "c:conv,out=3,k=3,pad=same");
    dlviz_loss *loss = dlviz_cross_entropy();
    ck_ok(dlviz_cross_entropy_set_ignored_label(loss, 255));
    ck_ok(dlviz_network_set_loss(network, loss));
    dlviz_optimizer *sgd;
    dlviz_trainer *trainer;
    ck_ok(dlviz_sgd_create(&sgd, 0.1));
    ck_ok(dlviz_trainer_create(&trainer, network, sgd));
    ck_fails(dlviz_trainer_fit(trainer, set, 1), INVALID,
             "dlviz_trainer_fit: augmentations bring in pixels of label -100, which "
             "dlviz_dataset_set_label_fill changes; the network's 3 outputs allow 0 to 2, and the "
             "label that dlviz_cross_entropy_set_ignored_label names");
    ck_ok(dlviz_dataset_set_label_fill(set, 255));
    ck_ok(dlviz_trainer_fit(trainer, set, 1));
    ck_ok(dlviz_dataset_set_label_fill(set, 2)); /* a class like any other */
    ck_ok(dlviz_trainer_fit(trainer, set, 1));
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(sgd);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(set);
}
END_TEST

/* Where the targets are the samples, noise and erasing are left to the input. */
START_TEST(an_autoencoder_learns_to_clean) {
    dlviz_dataset *set = make_set(SAMPLES), *clean = make_set(SAMPLES);
    with(with(with_whole_pixels(set), dlviz_random_brightness(0.5)), dlviz_mixup(0.5));
    with(with(with_whole_pixels(clean), dlviz_random_brightness(0.5)), dlviz_mixup(0.5));
    const dlviz_tensor *samples, *targets;
    dlviz_loader *loader = load_all(set, 1, 2, &samples, &targets);
    ck_assert_ptr_eq(samples, targets); /* as yet they are the same */
    dlviz_loader_destroy(loader);
    with(with(set, dlviz_random_noise(0.25)), dlviz_random_erase(0.5));
    ck_ok(dlviz_dataset_set_normalization(set, 0.5f, 0.25f));
    ck_ok(dlviz_dataset_set_normalization(clean, 0.5f, 0.25f));
    dlviz_tensor *noisy = augmented(set, 1, 2), *wanted = augmented(clean, 1, 2);
    loader = load_all(set, 1, 2, &samples, &targets);
    assert_same(samples, noisy);
    assert_same(targets, wanted);
    ck_assert(memcmp(dlviz_tensor_const_data(samples), dlviz_tensor_const_data(targets), 400) != 0);
    /* Loaders go back to what samples are. */
    ck_ok(dlviz_loader_set_augment(loader, false));
    ck_ok(dlviz_loader_next(loader, &samples, &targets));
    ck_assert_ptr_eq(samples, targets);
    dlviz_loader_destroy(loader);
    dlviz_tensor_destroy(noisy);
    dlviz_tensor_destroy(wanted);
    dlviz_dataset_destroy(set);
    dlviz_dataset_destroy(clean);
}
END_TEST

START_TEST(float_targets_and_weights_are_mixed) {
    dlviz_dataset *set = with(make_set(FLOATS), dlviz_mixup(1));
    set_weights(set);
    const dlviz_tensor *samples, *targets, *shares;
    dlviz_loader *loader = load_all(set, 1, 2, &samples, &targets);
    shares = dlviz_loader_shares(loader);
    ck_assert_ptr_null(dlviz_loader_partner_targets(loader));
    const float *weights = dlviz_tensor_const_float(dlviz_loader_weights(loader));
    for (int64_t i = 0; i < N; i++) {
        int64_t partner;
        double share = dlz_dataset_partner(set, &(dlz_variant){1, 2}, i, &partner);
        ck_assert_float_eq(dlviz_tensor_const_float(shares)[i], (float)share);
        double target = share * (double)i + (1 - share) * (double)partner;
        ck_assert(fabs((double)dlviz_tensor_const_float(targets)[i] - target) < 1e-5);
        double weight =
            share * (0.25 + (double)(i % 5)) + (1 - share) * (0.25 + (double)(partner % 5));
        ck_assert(fabs((double)weights[i] - weight) < 1e-6);
    }
    ck_ok(dlviz_loader_next(loader, &samples, &targets));
    ck_assert_ptr_null(dlviz_loader_shares(loader));
    dlviz_loader_destroy(loader);
    dlviz_dataset_destroy(set);
    ck_assert_ptr_null(dlviz_loader_shares(NULL));
}
END_TEST

/* -- Mixtures in the loss ------------------------------------------------------------------------
 */

/* The squared number of outputs below the label's, if that makes sense to anyone. */
static dlviz_status own_value(const dlviz_loss_pass *pass, void *user) {
    (void)user;
    const dlviz_tensor *outputs = dlviz_loss_pass_outputs(pass);
    const int64_t *labels = dlviz_tensor_const_data(dlviz_loss_pass_targets(pass));
    for (int64_t i = 0; i < dlviz_loss_pass_num_samples(pass); i++) {
        float margin = dlviz_tensor_const_float(outputs)[3 * i + labels[i]] - 1;
        dlviz_loss_pass_losses(pass)[i] = (double)(margin * margin);
        if (dlviz_loss_pass_gradient(pass))
            dlviz_tensor_float(dlviz_loss_pass_gradient(pass))[3 * i + labels[i]] = 2 * margin;
    }
    return DLVIZ_OK;
}

static dlviz_loss *own_loss(void) {
    return dlviz_loss_custom(&(dlviz_loss_functions){.struct_size = sizeof(dlviz_loss_functions),
                                                     .name = "margin",
                                                     .takes_labels = true,
                                                     .value = own_value},
                             NULL);
}

/* By linearity: from two steps by hand, each towards the labels of one side. */
static void check_mixture(dlviz_dataset *set, const char *net, dlviz_loss *loss) {
    dlviz_network *network = net_from_text("1x6x5", net);
    ck_ok(dlviz_network_set_loss(network, loss));
    with(with(set, dlviz_random_shift(1, 1)), dlviz_mixup(1));
    const dlviz_tensor *samples, *targets, *partners;
    dlviz_loader *loader = load_all(set, 7, 4, &samples, &targets);
    partners = dlviz_loader_partner_targets(loader);
    const float *shares = dlviz_tensor_const_float(dlviz_loader_shares(loader));
    float weights[2][N];
    double norms[2] = {0}, losses[2], mean, sums[8] = {0};
    int64_t order[N];
    for (int64_t i = 0, partner; i < N; i++) {
        order[i] = i;
        dlz_dataset_partner(set, &(dlz_variant){7, 4}, i, &partner);
        float own = 1, other = 1;
        dlz_dataset_load_weights(set, &i, 1, &own);
        dlz_dataset_load_weights(set, &partner, 1, &other);
        weights[0][i] = own * shares[i];
        weights[1][i] = other * (1 - shares[i]);
        norms[0] += (double)weights[0][i];
        norms[1] += (double)weights[1][i];
    }
    double *expected = NULL;
    size_t size, count = 0;
    for (int side = 0; side < 2; side++) {
        dlviz_tensor *w = float_tensor(1, (int64_t[]){N}, weights[side]);
        ck_ok(dlviz_network_backward_weighted(network, samples, side ? partners : targets, w, 7, 1,
                                              &losses[side]));
        float *gradients = all_gradients(network, &size);
        count = size / sizeof(float);
        if (!expected)
            expected = calloc(count, sizeof *expected);
        for (size_t i = 0; i < count; i++)
            expected[i] += norms[side] / (norms[0] + norms[1]) * (double)gradients[i];
        free(gradients);
        dlviz_tensor_destroy(w);
    }
    dlz_tally tally = {.sums = sums};
    ck_ok(dlz_network_train_batch(network, "test", set, order, N, 7, 4, 1, &tally, &mean));
    double wanted = (norms[0] * losses[0] + norms[1] * losses[1]) / (norms[0] + norms[1]);
    ck_assert_msg(fabs(mean - wanted) <= 1e-6 * wanted, "%.9g, not %.9g", mean, wanted);
    float *gradients = all_gradients(network, &size);
    double error = 0, norm = 0;
    for (size_t i = 0; i < count; i++) {
        error += pow((double)gradients[i] - expected[i], 2);
        norm += expected[i] * expected[i];
    }
    ck_assert_msg(norm > 0 && error <= 1e-12 * norm, "gradients off by %g", sqrt(error / norm));
    free(gradients);
    free(expected);
    dlviz_loader_destroy(loader);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(set);
}

START_TEST(a_mixed_loss_is_that_of_both_labels) {
    static const char one[] = "f:flatten fc:linear,out=8 r:relu fc2:linear,out=3";
    static const char map[] = "c:conv,out=4,k=3,pad=same r:relu c2:conv,out=3,k=3,pad=same";
    check_mixture(make_set(LABELS), one, dlviz_cross_entropy());
    dlviz_dataset *weighted = make_set(LABELS);
    set_weights(weighted);
    check_mixture(weighted, one, dlviz_cross_entropy());
    check_mixture(make_set(LABELS), one, own_loss());
    dlviz_loss *smoothed = dlviz_cross_entropy();
    ck_ok(dlviz_cross_entropy_set_label_smoothing(smoothed, 0.2));
    check_mixture(make_set(LABELS), one, smoothed);
    /* A pixel's label from outside is ignored, so that norms are no sums of weights: ask for one that
     * is not. */
    dlviz_dataset *maps = make_set(LABEL_MAPS);
    ck_ok(dlviz_dataset_set_label_fill(maps, 0));
    check_mixture(maps, map, dlviz_cross_entropy());
}
END_TEST

/* -- Who sees what -------------------------------------------------------------------------------
 */

/* The trainer's seed and epoch are those of dlviz_dataset_augmented_samples; what evaluates sees samples
 * as they are. */
START_TEST(training_alone_augments) {
    dlviz_dataset *set = make_set(LABELS), *seen;
    dlviz_network *network = net_from_text("1x6x5", "f:flatten fc:linear,out=3");
    dlviz_optimizer *sgd;
    dlviz_trainer *trainer;
    double before, after, loss;
    dlviz_tensor *plain, *same;
    ck_ok(dlviz_network_predict(network, set, &plain));
    ck_ok(dlviz_network_evaluate(network, set, &before, NULL));
    with(with(with(set, dlviz_random_affine(90)), dlviz_random_noise(1)), dlviz_random_erase(0.5));
    ck_ok(dlviz_network_evaluate(network, set, &after, NULL));
    ck_assert(before == after);
    ck_ok(dlviz_network_predict(network, set, &same));
    assert_same(plain, same);
    ck_ok(dlviz_sgd_create(&sgd, 0));
    ck_ok(dlviz_trainer_create(&trainer, network, sgd));
    ck_ok(dlviz_trainer_set_seed(trainer, 6));
    ck_ok(dlviz_trainer_set_batch_size(trainer, 7));
    ck_ok(dlviz_trainer_set_validation(trainer, set));
    ck_ok(dlviz_trainer_fit(trainer, set, 3));
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        dlviz_tensor *samples = augmented(set, 6, epoch);
        ck_ok(dlviz_dataset_create(&seen, samples, dlviz_dataset_labels(set)));
        ck_ok(dlviz_network_evaluate(network, seen, &loss, NULL));
        double trained = dlviz_trainer_history(trainer, epoch, "train_loss");
        ck_assert_msg(fabs(trained - loss) < 1e-6, "epoch %d: %g, not %g", (int)epoch, trained,
                      loss);
        ck_assert(fabs(loss - before) > 1e-4);
        ck_assert(dlviz_trainer_history(trainer, epoch, "validation_loss") == before);
        dlviz_tensor_destroy(samples);
        dlviz_dataset_destroy(seen);
    }
    dlviz_tensor_destroy(plain);
    dlviz_tensor_destroy(same);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(sgd);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(set);
}
END_TEST

/* -- The same run --------------------------------------------------------------------------------
 */

static void augment(process *p) {
    with(with(p->train, dlviz_random_shift(1, 1)), dlviz_random_affine(15));
    with(with(p->train, dlviz_random_erase(0.3)), dlviz_random_noise(0.05));
    with(p->train, dlviz_mixup(0.4));
}

START_TEST(threads_change_nothing) {
    process alone, other;
    ck_ok(dlviz_set_num_threads(1));
    begin_process(&alone, PROCESS_NET, ADAM, true);
    augment(&alone);
    ck_ok(dlviz_trainer_fit(alone.trainer, alone.train, 3));
    for (int threads = 2; threads <= 8; threads += threads == 2 ? 1 : 5) {
        ck_ok(dlviz_set_num_threads(threads));
        begin_process(&other, PROCESS_NET, ADAM, true);
        augment(&other);
        ck_ok(dlviz_trainer_fit(other.trainer, other.train, 3));
        assert_same_run(&alone, &other);
        end_process(&other);
    }
    /* Without them it is another run. */
    begin_process(&other, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_fit(other.trainer, other.train, 3));
    ck_assert(dlviz_trainer_history(alone.trainer, 2, "train_loss") !=
              dlviz_trainer_history(other.trainer, 2, "train_loss"));
    end_process(&other);
    end_process(&alone);
}
END_TEST

START_TEST(a_run_that_goes_on_is_the_same) {
    process whole, writer, reader;
    const char *path = scratch_path("augmented");
    begin_process(&whole, PROCESS_NET, ADAM, true);
    augment(&whole);
    ck_ok(dlviz_trainer_fit(whole.trainer, whole.train, 3));
    for (int stop = 3; stop <= 15; stop += 4) { /* epochs have 6 batches */
        begin_process(&writer, PROCESS_NET, ADAM, true);
        augment(&writer);
        writer.stop_after = stop;
        ck_stops(writer.trainer, writer.train, 3);
        ck_ok(dlviz_trainer_save_checkpoint(writer.trainer, path));
        begin_process(&reader, PROCESS_NET, ADAM, true);
        ck_ok(dlviz_trainer_load_checkpoint(reader.trainer, path));
        /* The epoch under way needs what it began with. */
        ck_fails(dlviz_trainer_fit(reader.trainer, reader.train, 1), DLVIZ_ERROR_STATE,
                 "an epoch is under way that began with other samples, targets or settings");
        augment(&reader);
        ck_ok(dlviz_dataset_set_fill(reader.train, 0.5));
        ck_fails(dlviz_trainer_fit(reader.trainer, reader.train, 1), DLVIZ_ERROR_STATE,
                 "an epoch is under way");
        ck_ok(dlviz_dataset_set_fill(reader.train, 0));
        ck_ok(dlviz_trainer_fit(reader.trainer, reader.train,
                                3 - dlviz_trainer_num_epochs(reader.trainer)));
        assert_same_run(&whole, &reader);
        end_process(&reader);
        end_process(&writer);
    }
    end_process(&whole);
}
END_TEST

/* -- Memory --------------------------------------------------------------------------------------
 */

static atomic_long allocations;

static void *allocate(size_t size, void *user) {
    (void)user;
    atomic_fetch_add(&allocations, 1);
    return malloc(size);
}

static void release(void *block, void *user) {
    (void)user;
    free(block);
}

START_TEST(a_step_allocates_nothing) {
    ck_ok(dlviz_set_allocator(allocate, release, NULL));
    dlviz_dataset *set = make_set(LABEL_MAPS);
    with(with(set, dlviz_random_affine(20)), dlviz_random_noise(0.1));
    with(with(set, dlviz_random_erase(0.5)), dlviz_mixup(0.5));
    dlviz_network *network = net_from_text("1x6x5", "c:conv,out=4,k=3,pad=same c2:conv,out=3,k=1");
    int64_t order[N];
    double mean, sums[8] = {0};
    dlz_tally tally = {.sums = sums};
    for (int i = 0; i < N; i++)
        order[i] = i;
    for (int step = 0; step < 6; step++) {
        if (step == 2) /* whole batches, and what is left at the end */
            allocations = 0;
        ck_ok(dlz_network_train_batch(network, "test", set, order, step % 2 ? N : 5, 1, step,
                                      (uint64_t)step, &tally, &mean));
    }
    ck_assert_int_eq(allocations, 0);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(set);
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
}
END_TEST

static dlviz_status train_mixed(void *context) {
    dlviz_dataset *set = context;
    dlviz_network *network = NULL;
    dlviz_optimizer *sgd = NULL;
    dlviz_trainer *trainer = NULL;
    dlviz_loader *loader = NULL;
    const dlviz_tensor *samples;
    dlviz_status status = dlviz_network_create(&network, 3, (int64_t[]){1, HEIGHT, WIDTH});
    if (status == DLVIZ_OK) {
        dlviz_network_add(network, "f", dlviz_flatten());
        dlviz_network_add(network, "fc", dlviz_linear(3));
        status = dlviz_network_build(network, 1);
    }
    if (status == DLVIZ_OK)
        status = dlviz_sgd_create(&sgd, 0.1);
    if (status == DLVIZ_OK)
        status = dlviz_trainer_create(&trainer, network, sgd);
    if (status == DLVIZ_OK)
        status = dlviz_trainer_fit(trainer, set, 1);
    if (status == DLVIZ_OK)
        status = dlviz_loader_create(&loader, set, 5);
    if (status == DLVIZ_OK)
        status = dlviz_loader_set_augment(loader, true);
    if (status == DLVIZ_OK)
        status = dlviz_loader_next(loader, &samples, NULL);
    dlviz_loader_destroy(loader);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(sgd);
    dlviz_network_destroy(network);
    return status;
}

START_TEST(each_allocation_fails_once) {
    dlviz_dataset *set = with(with(make_set(LABELS), dlviz_random_shift(1, 1)), dlviz_mixup(1));
    dlviz_tensor *samples = augmented(set, 1, 0); /* threads are there */
    dlviz_tensor_destroy(samples);
    ck_assert_int_gt(fail_each_allocation(train_mixed, set), 30);
    dlviz_dataset_destroy(set);
}
END_TEST

int main(void) {
    return run_tests("augmented training",
                     (const TTest *[]){maps_move_with_the_pixels, maps_of_another_size_are_refused,
                                       labels_from_outside_must_suit_the_loss,
                                       an_autoencoder_learns_to_clean,
                                       float_targets_and_weights_are_mixed,
                                       a_mixed_loss_is_that_of_both_labels, training_alone_augments,
                                       threads_change_nothing, a_run_that_goes_on_is_the_same,
                                       a_step_allocates_nothing, each_allocation_fails_once, NULL});
}
