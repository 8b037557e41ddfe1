/* One handle used by two threads at once: the second is refused and changes nothing. */
#include "base/busy.h"
#include "network/network.h"
#include "support/support.h"
#include "support/pca.h"
#include "train/optimizer.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* -- The mark itself --------------------------------------------------------------------------- */

static dlviz_status alone(const dlz_busy *busy) {
    DLZ_HOLD_ALONE(busy, "thing");
    return DLVIZ_OK;
}

static dlviz_status nested(const dlz_busy *busy) {
    DLZ_HOLD_NESTED(busy, "thing");
    return DLVIZ_OK;
}

static dlviz_status shared(const dlz_busy *busy) {
    DLZ_HOLD_SHARED(busy, "thing");
    return DLVIZ_OK;
}

static dlviz_status fails_while_alone(const dlz_busy *busy) {
    DLZ_HOLD_ALONE(busy, "thing");
    return dlz_fail(DLVIZ_ERROR_NUMERIC, "no luck");
}

typedef struct other_thread {
    dlviz_status (*call)(const dlz_busy *busy);
    dlz_busy *busy;
    dlviz_status status;
    char sentence[256];
} other_thread;

static void *run_other(void *user) {
    other_thread *other = user;
    other->status = other->call(other->busy);
    strncpy(other->sentence, dlviz_last_error(), sizeof other->sentence - 1);
    return NULL;
}

static dlviz_status elsewhere(dlviz_status (*call)(const dlz_busy *busy), dlz_busy *busy) {
    other_thread other = {.call = call, .busy = busy};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run_other, &other), 0);
    pthread_join(thread, NULL);
    if (other.status != DLVIZ_OK)
        ck_assert_ptr_nonnull(strstr(other.sentence, "the thing is in use by another thread"));
    return other.status;
}

static dlviz_status within_alone(dlz_busy *busy) {
    DLZ_HOLD_ALONE(busy, "thing");
    ck_fails(alone(busy), DLVIZ_ERROR_STATE, "within a callback of the same thing");
    for (int time = 0; time < 2; time++) { /* what is nested gives nothing back that is not its */
        ck_ok(nested(busy));
        ck_ok(shared(busy));
        ck_assert_int_eq(elsewhere(alone, busy), DLVIZ_ERROR_STATE);
        ck_assert_int_eq(elsewhere(nested, busy), DLVIZ_ERROR_STATE);
        ck_assert_int_eq(elsewhere(shared, busy), DLVIZ_ERROR_STATE);
    }
    return DLVIZ_OK;
}

static dlviz_status within_shared(dlz_busy *busy) {
    DLZ_HOLD_SHARED(busy, "thing");
    ck_ok(shared(busy));
    ck_ok(elsewhere(shared, busy));
    ck_assert_int_eq(elsewhere(alone, busy), DLVIZ_ERROR_STATE);
    ck_assert_int_eq(elsewhere(nested, busy), DLVIZ_ERROR_STATE);
    ck_fails(alone(busy), DLVIZ_ERROR_STATE, "in use");
    return DLVIZ_OK;
}

START_TEST(marks_are_taken_and_given_back) {
    dlz_busy busy = {0};
    for (int time = 0; time < 3; time++) {
        ck_ok(within_alone(&busy));
        ck_ok(within_shared(&busy));
        ck_fails(fails_while_alone(&busy), DLVIZ_ERROR_NUMERIC, "no luck");
        ck_ok(elsewhere(alone, &busy));
    }
}
END_TEST

/* Many threads at once: whoever gets the mark is alone with it. `plain` is no atomic, so that
 * ThreadSanitizer watches too. */
typedef struct crowd {
    dlz_busy busy;
    int64_t plain;
    _Atomic int64_t granted, refused;
} crowd;

static dlviz_status add_one(crowd *c) {
    DLZ_HOLD_ALONE(&c->busy, "thing");
    c->plain++;
    return DLVIZ_OK;
}

static dlviz_status look(crowd *c, int64_t *seen) {
    DLZ_HOLD_SHARED(&c->busy, "thing");
    *seen = c->plain;
    return DLVIZ_OK;
}

static void *push(void *user) {
    crowd *c = user;
    for (int i = 0; i < 20000; i++) {
        int64_t seen;
        dlviz_status status = i % 4 ? add_one(c) : look(c, &seen);
        if (status == DLVIZ_OK && i % 4)
            c->granted++;
        else if (status != DLVIZ_OK)
            c->refused++;
    }
    return NULL;
}

START_TEST(a_crowd_counts_right) {
    crowd c = {.plain = 0};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, push, &c), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(c.plain, c.granted);
    ck_assert_int_gt(c.granted, 0);
    ck_ok(add_one(&c));
}
END_TEST

/* -- PCA and t-SNE ----------------------------------------------------------------------------- */

/* A fit whose callback lets another thread have a go at the handle, and waits for it. */
typedef struct intruder {
    dlviz_pca *pca;
    dlviz_tsne *tsne;
    dlviz_tensor *points;
    int calls;
} intruder;

/* For the thread that comes in between: everything that could do harm is refused. */
static void *meddle(void *user) {
    const intruder *in = user;
    dlviz_tensor *out = in->points;
    const char *words = "in use by another thread";
    if (in->pca) {
        ck_fails(dlviz_pca_fit(in->pca, in->points), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_pca_fit_transform(in->pca, in->points, &out), DLVIZ_ERROR_STATE, words);
        ck_assert_ptr_null(out);
        ck_fails(dlviz_pca_partial_fit(in->pca, in->points), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_pca_transform(in->pca, in->points, &out), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_pca_save(in->pca, scratch_path("never")), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_pca_set_num_wanted(in->pca, 1), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_pca_set_seed(in->pca, 1), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_pca_set_progress(in->pca, NULL, NULL), DLVIZ_ERROR_STATE, words);
    } else {
        ck_fails(dlviz_tsne_fit(in->tsne, in->points, &out), DLVIZ_ERROR_STATE, words);
        ck_assert_ptr_null(out);
        ck_fails(dlviz_tsne_transform(in->tsne, in->points, &out), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_tsne_history(in->tsne, &out), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_tsne_set_num_iterations(in->tsne, 1), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_tsne_set_initial_map(in->tsne, NULL), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_tsne_set_progress(in->tsne, 1, NULL, NULL), DLVIZ_ERROR_STATE, words);
    }
    return NULL;
}

static void let_meddle(intruder *in) {
    if (in->calls++ > 0)
        return;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, meddle, in), 0);
    pthread_join(thread, NULL);
}

static bool during_pca(const dlviz_pca_event *event, void *user) {
    intruder *in = user;
    let_meddle(in);
    ck_assert(dlviz_pca_event_done(event) >= 0);
    ck_assert_int_eq(dlviz_pca_num_wanted(in->pca), 3);
    ck_fails(dlviz_pca_set_seed(in->pca, 5), DLVIZ_ERROR_STATE,
             "within a callback of the same PCA");
    ck_fails(dlviz_pca_fit(in->pca, in->points), DLVIZ_ERROR_STATE, "within a callback");
    return true;
}

START_TEST(a_pca_in_use_is_refused) {
    intruder in = {.points = make_points(400, 20, 20, 0.9, 0, 1)};
    dlviz_pca *quiet;
    ck_ok(dlviz_pca_create(&quiet, 3));
    ck_ok(dlviz_pca_fit(quiet, in.points));
    ck_ok(dlviz_pca_create(&in.pca, 3));
    ck_ok(dlviz_pca_set_progress(in.pca, during_pca, &in));
    ck_ok(dlviz_pca_fit(in.pca, in.points));
    ck_assert_int_gt(in.calls, 0);
    ck_assert_uint_eq(dlviz_pca_seed(in.pca), 0);
    ck_assert_mem_eq(dlviz_tensor_const_data(dlviz_pca_components(in.pca)),
                     dlviz_tensor_const_data(dlviz_pca_components(quiet)), 3 * 20 * sizeof(float));
    dlviz_tensor *projected;
    in.calls = 0;
    ck_ok(dlviz_pca_fit_transform(in.pca, in.points, &projected)); /* transform within its own */
    dlviz_tensor_destroy(projected);
    ck_ok(dlviz_pca_set_progress(in.pca, NULL, NULL)); /* free again */
    dlviz_pca_destroy(in.pca);
    dlviz_pca_destroy(quiet);
    dlviz_tensor_destroy(in.points);
}
END_TEST

static bool during_tsne(const dlviz_tsne_event *event, void *user) {
    intruder *in = user;
    let_meddle(in);
    ck_assert_ptr_nonnull(dlviz_tsne_event_map(event));
    ck_assert_int_eq(dlviz_tsne_num_iterations(in->tsne), 60);
    ck_fails(dlviz_tsne_set_seed(in->tsne, 5), DLVIZ_ERROR_STATE, "within a callback of the same");
    return true;
}

START_TEST(a_tsne_in_use_is_refused) {
    intruder in = {.points = make_points(200, 10, 10, 0.9, 0, 1)};
    dlviz_tsne *quiet;
    dlviz_tensor *map, *expected;
    ck_ok(dlviz_tsne_create(&quiet));
    ck_ok(dlviz_tsne_set_num_iterations(quiet, 60));
    ck_ok(dlviz_tsne_fit(quiet, in.points, &expected));
    ck_ok(dlviz_tsne_create(&in.tsne));
    ck_ok(dlviz_tsne_set_num_iterations(in.tsne, 60));
    ck_ok(dlviz_tsne_set_progress(in.tsne, 20, during_tsne, &in));
    ck_ok(dlviz_tsne_fit(in.tsne, in.points, &map));
    ck_assert_int_eq(in.calls, 3);
    ck_assert_mem_eq(dlviz_tensor_const_data(map), dlviz_tensor_const_data(expected),
                     200 * 2 * sizeof(float));
    ck_ok(dlviz_tsne_set_progress(in.tsne, 0, NULL, NULL));
    dlviz_tsne_destroy(in.tsne);
    dlviz_tsne_destroy(quiet);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(expected);
    dlviz_tensor_destroy(in.points);
}
END_TEST

/* Two threads project with one analysis at the same time: that is allowed, and never refused. */
static void *project(void *user) {
    intruder *in = user;
    for (int i = 0; i < 50; i++) {
        dlviz_tensor *projected;
        ck_ok(dlviz_pca_transform(in->pca, in->points, &projected));
        dlviz_tensor_destroy(projected);
    }
    return NULL;
}

START_TEST(projecting_is_shared) {
    intruder in = {.points = make_points(60, 8, 8, 0.9, 0, 1)};
    ck_ok(dlviz_pca_create(&in.pca, 3));
    ck_ok(dlviz_pca_fit(in.pca, in.points));
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, project, &in), 0);
    project(&in);
    pthread_join(thread, NULL);
    dlviz_pca_destroy(in.pca);
    dlviz_tensor_destroy(in.points);
}
END_TEST

/* -- Fits while others try ------------------------------------------------------------------------
 */

typedef struct trial {
    dlviz_pca *pca;
    dlviz_tensor *points;
    atomic_bool over;
} trial;

static void *try_to_project(void *user) {
    trial *t = user;
    while (!atomic_load(&t->over)) {
        dlviz_tensor *projected;
        dlviz_status status = dlviz_pca_transform(t->pca, t->points, &projected);
        ck_assert(status == DLVIZ_OK || status == DLVIZ_ERROR_STATE);
        dlviz_tensor_destroy(projected);
    }
    return NULL;
}

/* Who is refused has looked at the handle's mark: at the end of a fit, when results are put in
 * their place, nothing else is written there. ThreadSanitizer sees it. */
START_TEST(those_refused_meet_no_results) {
    trial t = {.points = make_points(30, 4, 4, 0.9, 0, 1)};
    ck_ok(dlviz_pca_create(&t.pca, 2));
    ck_ok(dlviz_pca_fit(t.pca, t.points));
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, try_to_project, &t), 0);
    int fits = 0;
    for (int i = 0; i < 3000 && fits < 300; i++) {
        dlviz_status status =
            i % 2 ? dlviz_pca_fit(t.pca, t.points) : dlviz_pca_partial_fit(t.pca, t.points);
        ck_assert(status == DLVIZ_OK || status == DLVIZ_ERROR_STATE);
        fits += status == DLVIZ_OK;
    }
    atomic_store(&t.over, true);
    pthread_join(thread, NULL);
    ck_assert_int_eq(dlviz_pca_num_wanted(t.pca), 2);
    ck_assert_int_eq(dlviz_pca_num_components(t.pca), 2);
    ck_ok(dlviz_pca_fit(t.pca, t.points));
    dlviz_pca_destroy(t.pca);
    dlviz_tensor_destroy(t.points);
}
END_TEST

/* -- What a call reaches through its handle -------------------------------------------------------
 */

typedef struct workshop {
    dlviz_dataset *train;
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    void *checkpoint;
    size_t size;
} workshop;

static workshop open_workshop(void) {
    workshop w;
    dlviz_tensor *images, *labels;
    ck_ok(dlviz_tensor_create(&images, DLVIZ_FLOAT32, 2, (int64_t[]){8, 3}));
    ck_ok(dlviz_tensor_create(&labels, DLVIZ_INT64, 1, (int64_t[]){8}));
    ck_ok(dlviz_dataset_create(&w.train, images, labels));
    ck_ok(dlviz_network_create(&w.network, 1, (int64_t[]){3}));
    ck_ok(dlviz_network_add(w.network, "linear", dlviz_linear(2)));
    ck_ok(dlviz_network_build(w.network, 1));
    ck_ok(dlviz_adam_create(&w.optimizer, 1e-3));
    ck_ok(dlviz_trainer_create(&w.trainer, w.network, w.optimizer));
    ck_ok(dlviz_trainer_set_averaging(w.trainer, 0.9));
    ck_ok(dlviz_trainer_set_validation(w.trainer, w.train));
    ck_ok(dlviz_trainer_set_early_stopping(w.trainer, "validation_loss", DLVIZ_BETTER_LOWER, 3));
    ck_ok(dlviz_trainer_fit(w.trainer, w.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint_memory(w.trainer, &w.checkpoint, &w.size));
    dlviz_tensor_destroy(images);
    dlviz_tensor_destroy(labels);
    return w;
}

static void *work(void *user) {
    workshop *w = user;
    void *bytes;
    size_t size;
    const char *words = "in use by another thread";
    ck_fails(dlviz_trainer_fit(w->trainer, w->train, 1), DLVIZ_ERROR_STATE, words);
    ck_fails(dlviz_trainer_save_checkpoint(w->trainer, scratch_path("never")), DLVIZ_ERROR_STATE,
             words);
    ck_fails(dlviz_trainer_save_checkpoint_memory(w->trainer, &bytes, &size), DLVIZ_ERROR_STATE,
             words);
    ck_fails(dlviz_trainer_load_checkpoint(w->trainer, scratch_path("never")), DLVIZ_ERROR_STATE,
             words);
    ck_fails(dlviz_trainer_load_checkpoint_memory(w->trainer, w->checkpoint, w->size),
             DLVIZ_ERROR_STATE, words);
    ck_fails(dlviz_trainer_exchange_average(w->trainer), DLVIZ_ERROR_STATE, words);
    ck_fails(dlviz_trainer_restore_best(w->trainer), DLVIZ_ERROR_STATE, words);
    return NULL;
}

START_TEST(a_trainer_waits_for_its_network_and_optimizer) {
    workshop w = open_workshop();
    const dlz_busy *marks[] = {&w.network->busy, &w.optimizer->busy};
    for (int i = 0; i < 2; i++) {
        dlz_hold hold = {NULL};
        pthread_t thread;
        ck_ok(dlz_busy_take("a test", marks[i], "thing", DLZ_ALONE, &hold));
        ck_assert_int_eq(pthread_create(&thread, NULL, work, &w), 0);
        pthread_join(thread, NULL);
        dlz_busy_give_back(&hold);
    }
    ck_ok(dlviz_trainer_load_checkpoint_memory(w.trainer, w.checkpoint, w.size));
    ck_ok(dlviz_trainer_exchange_average(w.trainer));
    ck_ok(dlviz_trainer_exchange_average(w.trainer));
    ck_ok(dlviz_trainer_restore_best(w.trainer));
    ck_ok(dlviz_trainer_fit(w.trainer, w.train, 2));
    dlviz_free(w.checkpoint);
    dlviz_trainer_destroy(w.trainer);
    dlviz_optimizer_destroy(w.optimizer);
    dlviz_network_destroy(w.network);
    dlviz_dataset_destroy(w.train);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_trainer_waits_for_its_network_and_optimizer,
                                  marks_are_taken_and_given_back,
                                  a_crowd_counts_right,
                                  a_pca_in_use_is_refused,
                                  a_tsne_in_use_is_refused,
                                  projecting_is_shared,
                                  those_refused_meet_no_results,
                                  NULL};
    return run_tests("busy", tests);
}
