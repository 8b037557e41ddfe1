/* What a thread is told of its long calls, and that each of them can be cancelled wherever it asks.
 *
 * Linked so that the clock is this file's, on which a ninth of a second passes whenever it is looked
 * at: each report is then told. */
#include "support/netspec.h"
#include "support/tsne.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static atomic_long looks;

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time) {
    (void)clock;
    long ninths = atomic_fetch_add(&looks, 1);
    *time = (struct timespec){.tv_sec = ninths / 9, .tv_nsec = ninths % 9 * 110000000};
    return 0;
}

/* -- What is called ------------------------------------------------------------------------------
 */

enum { N = 400, D = 120, SAMPLES = 200, CLASSES = 3 };

static dlviz_tensor *points, *map, *labels, *inputs, *images_map;
static dlviz_network *network;
static dlviz_dataset *dataset;
static dlviz_film *film;

static void prepare(void) {
    points = blobs(N, D, 1);
    map = blobs(N, 2, 2);
    ck_ok(dlviz_tensor_create(&labels, DLVIZ_UINT8, 1, (int64_t[]){N}));
    for (int i = 0; i < N; i++)
        ((uint8_t *)dlviz_tensor_data(labels))[i] = (uint8_t)(i % 4);
    net_spec spec;
    parse_net(&spec, "1x8x8", "c1:conv,out=4,k=3,pad=same r1:relu f:flatten fc:linear,out=3");
    network = build_net(&spec, 1);
    inputs = input_tensor(&spec, SAMPLES, 3, false);
    dlviz_tensor *targets = label_tensor(SAMPLES, CLASSES, 5);
    ck_ok(dlviz_dataset_create(&dataset, inputs, targets));
    dlviz_tensor_destroy(targets);
    images_map = blobs(SAMPLES, 2, 3);
    ck_ok(dlviz_film_create(&film));
    for (int64_t epoch = 0; epoch < 3; epoch++)
        ck_ok(dlviz_film_add(film, epoch, points, NULL));
    ck_ok(dlviz_film_set_num_later_iterations(film, 5));
}

static void clean_up(void) {
    dlviz_film_destroy(film);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
    dlviz_tensor *all[] = {points, map, labels, inputs, images_map};
    for (int i = 0; i < 5; i++)
        dlviz_tensor_destroy(all[i]);
}

/* Destroys what a call gives; nothing is given by one that fails. */
static dlviz_status drop(dlviz_status status, dlviz_tensor *tensor) {
    ck_assert(status == DLVIZ_OK || !tensor);
    dlviz_tensor_destroy(tensor);
    return status;
}

#define GIVES(call)                                                                                \
    dlviz_tensor *out = NULL;                                                                      \
    dlviz_status status = (call);                                                                  \
    return drop(status, out)
#define MEASURES(call)                                                                             \
    double value = 1;                                                                              \
    dlviz_status status = (call);                                                                  \
    ck_assert(status == DLVIZ_OK || value == 0 || isnan(value));                                   \
    return status

static dlviz_status neighbors(void) {
    GIVES(dlviz_neighbors(points, 5, 1, &out, NULL));
}
static dlviz_status near_neighbors(void) {
    GIVES(dlviz_neighbors(points, 5, 0.9, &out, NULL));
}
static dlviz_status trustworthiness(void) {
    MEASURES(dlviz_metrics_trustworthiness(points, map, 5, &value));
}
static dlviz_status continuity(void) {
    MEASURES(dlviz_metrics_continuity_sampled(points, map, 5, 100, 1, &value, NULL));
}
static dlviz_status preservation(void) {
    MEASURES(dlviz_metrics_neighbor_preservation(points, map, 5, &value));
}
static dlviz_status accuracy(void) {
    MEASURES(dlviz_metrics_neighbor_accuracy(points, labels, 5, &value));
}
static dlviz_status silhouette(void) {
    MEASURES(dlviz_metrics_silhouette(points, labels, &value));
}
static dlviz_status correlation(void) {
    MEASURES(dlviz_metrics_distance_correlation(points, map, 0, 0, &value));
}

static dlviz_status pca(dlviz_pca_solver_kind solver, int64_t wanted) {
    dlviz_pca *analysis;
    ck_ok(dlviz_pca_create(&analysis, wanted));
    ck_ok(dlviz_pca_set_solver(analysis, solver));
    dlviz_status status = dlviz_pca_fit(analysis, points);
    ck_assert_int_eq(dlviz_pca_num_components(analysis), status == DLVIZ_OK ? wanted : 0);
    dlviz_pca_destroy(analysis);
    return status;
}
static dlviz_status covariance(void) {
    return pca(DLVIZ_PCA_SOLVER_COVARIANCE, 9);
}
static dlviz_status svd(void) {
    return pca(DLVIZ_PCA_SOLVER_SVD, 9);
}
static dlviz_status randomized(void) {
    return pca(DLVIZ_PCA_SOLVER_RANDOMIZED, 2);
}
static dlviz_status in_pieces(void) {
    dlviz_pca *analysis;
    ck_ok(dlviz_pca_create(&analysis, 3));
    dlviz_status status = dlviz_pca_partial_fit(analysis, points);
    dlviz_pca_destroy(analysis);
    return status;
}

static dlviz_tsne *quick_tsne(void) {
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 12));
    return tsne;
}

/* A fit that is cancelled before its descent gives nothing, and the earlier fit stays; later it
 * gives the map as it is. */
static dlviz_status tsne(void) {
    dlviz_tsne *t = quick_tsne();
    dlviz_tensor *out;
    dlviz_status status = dlviz_tsne_fit(t, points, &out);
    ck_assert(status == DLVIZ_CANCELLED || (status == DLVIZ_OK) == (out != NULL));
    ck_assert((out != NULL) == !isnan(dlviz_tsne_kl_divergence(t)));
    dlviz_tensor_destroy(out);
    dlviz_tsne_destroy(t);
    return status;
}

static dlviz_status film_fit(void) {
    dlviz_tsne *t = quick_tsne();
    bool had = dlviz_film_tsne_map(film, 0) != NULL;
    dlviz_status status = dlviz_film_fit(film, t);
    ck_assert((dlviz_film_tsne_map(film, 0) != NULL) == (had || status == DLVIZ_OK));
    ck_assert_int_eq(dlviz_tsne_num_iterations(t), 12);
    dlviz_tsne_destroy(t);
    return status;
}

static dlviz_status film_add(void) {
    dlviz_film *other;
    ck_ok(dlviz_film_create(&other));
    dlviz_status status = dlviz_film_add(other, 0, points, NULL);
    ck_assert_int_eq(dlviz_film_num_frames(other), status == DLVIZ_OK);
    dlviz_film_destroy(other);
    return status;
}

static dlviz_status predict(void) {
    GIVES(dlviz_network_predict(network, dataset, &out));
}
static dlviz_status features(void) {
    GIVES(dlviz_network_features(network, "r1", dataset, &out));
}
static dlviz_status forward(void) {
    GIVES(dlviz_network_forward(network, inputs, &out));
}
static dlviz_status evaluate(void) {
    MEASURES(dlviz_network_evaluate(network, dataset, &value, NULL));
}
static dlviz_status measure(void) {
    MEASURES(dlviz_network_measure(network, dataset, "accuracy", &value));
}
static dlviz_status inspect(void) {
    double loss;
    GIVES(dlviz_network_inspect(network, dataset, "r1", &loss, NULL, NULL, &out));
}
static dlviz_status look(void) {
    GIVES(dlviz_network_inspect(network, dataset, "r1", NULL, NULL, NULL, &out));
}
static dlviz_status saliency(void) {
    GIVES(dlviz_network_saliency(network, inputs, NULL, &out));
}
static dlviz_status grad_cam(void) {
    GIVES(dlviz_network_grad_cam(network, "r1", inputs, NULL, &out));
}
static dlviz_status integrated(void) {
    GIVES(dlviz_network_integrated_gradients(network, inputs, NULL, NULL, 3, &out, NULL));
}
static dlviz_status neighborhood(void) {
    GIVES(dlviz_network_neighborhood(network, "r1", dataset, images_map, 3,
                                     (const int64_t[]){1, 5, 9}, NULL, 4, 3, &out));
}

static const struct call {
    const char *task;
    dlviz_status (*function)(void);
} calls[] = {{"neighbors", neighbors},
             {"neighbors", near_neighbors},
             {"trustworthiness", trustworthiness},
             {"continuity", continuity},
             {"neighbor preservation", preservation},
             {"neighbor accuracy", accuracy},
             {"silhouette", silhouette},
             {"distance correlation", correlation},
             {"PCA", covariance},
             {"PCA", svd},
             {"PCA", randomized},
             {"PCA", in_pieces},
             {"t-SNE", tsne},
             {"film", film_fit},
             {"PCA", film_add},
             {"prediction", predict},
             {"features", features},
             {"prediction", forward},
             {"evaluation", evaluate},
             {"evaluation", measure},
             {"evaluation", inspect},
             {"evaluation", look},
             {"saliency", saliency},
             {"Grad-CAM", grad_cam},
             {"integrated gradients", integrated},
             {"neighborhood", neighborhood}};
enum { CALLS = sizeof calls / sizeof *calls };

/* -- Telling and cancelling ----------------------------------------------------------------------
 */

typedef struct told {
    const char *task;
    pthread_t thread;
    int count, last; /* calls so far; the one that cancels, or 0 */
    double share;
} told;

static bool tell(const dlviz_progress_event *event, void *user) {
    told *t = user;
    ck_assert_str_eq(dlviz_progress_event_task(event), t->task);
    ck_assert(pthread_equal(pthread_self(), t->thread));
    double share = dlviz_progress_event_share(event);
    ck_assert_msg(share >= t->share && share <= 1, "%s: %g after %g", t->task, share, t->share);
    if (t->count == 0)
        ck_assert_double_eq(share, 0);
    t->share = share;
    return ++t->count != t->last;
}

static told listen(const struct call *call, int last) {
    return (told){.task = call->task, .thread = pthread_self(), .last = last};
}

START_TEST(each_long_call_tells) {
    const struct call *call = &calls[_i];
    prepare();
    for (int threads = 1; threads <= 3; threads += 2) {
        ck_ok(dlviz_set_num_threads(threads));
        told t = listen(call, 0);
        dlviz_set_progress(tell, &t);
        ck_ok(call->function());
        dlviz_set_progress(NULL, NULL);
        /* Other threads may have taken all tiles. */
        ck_assert_msg(t.count >= (threads == 1 ? 3 : 1), "%s: told %d times", t.task, t.count);
        ck_assert_msg(threads > 1 || t.share > 0.3, "%s: told of %g in the end", t.task, t.share);
    }
    clean_up();
}
END_TEST

static atomic_long live;

static void *allocate(size_t size, void *user) {
    (void)user;
    atomic_fetch_add(&live, 1);
    return malloc(size);
}

static void release(void *block, void *user) {
    (void)user;
    atomic_fetch_sub(&live, 1);
    free(block);
}

/* Wherever it asks: with the function's first call, its second … nothing leaks, and the next call
 * gives what it always gives. */
static void cancel_everywhere(const struct call *call, int threads) {
    ck_ok(dlviz_set_num_threads(threads));
    ck_ok(call->function()); /* what a network keeps is there then */
    long before = atomic_load(&live);
    int last = 1;
    for (;; last += last < 15 ? 1 : last / 4) {
        told t = listen(call, last);
        dlviz_set_progress(tell, &t);
        dlviz_status status = call->function();
        dlviz_set_progress(NULL, NULL);
        ck_assert_int_eq(atomic_load(&live), before);
        if (t.count < last) {
            ck_assert_int_eq(status, DLVIZ_OK);
            break;
        }
        ck_assert_msg(status == DLVIZ_CANCELLED, "%s, call %d: %s (%s)", t.task, last,
                      dlviz_status_name(status), dlviz_last_error());
        ck_assert_msg(t.count == last, "%s is told %d times after it was cancelled", t.task,
                      t.count - last);
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), call->task));
    }
    ck_assert(threads > 1 || last > 3);
    ck_ok(call->function());
}

START_TEST(each_long_call_can_be_cancelled) {
    ck_ok(dlviz_set_allocator(allocate, release, NULL));
    prepare();
    for (int threads = 1; threads <= 3; threads++)
        cancel_everywhere(&calls[_i], threads);
    clean_up();
}
END_TEST

/* -- Whose, and when -----------------------------------------------------------------------------
 */

static void *call_on_another_thread(void *unused) {
    (void)unused;
    ck_ok(neighbors());
    return NULL;
}

static bool never(const dlviz_progress_event *event, void *user) {
    (void)event;
    (void)user;
    ck_abort_msg("told of another thread's call");
    return false;
}

START_TEST(a_thread_hears_of_its_own_calls) {
    prepare();
    dlviz_set_progress(never, NULL);
    pthread_t other;
    ck_assert_int_eq(pthread_create(&other, NULL, call_on_another_thread, NULL), 0);
    ck_assert_int_eq(pthread_join(other, NULL), 0);
    dlviz_set_progress(NULL, NULL);
    ck_assert(isnan(dlviz_progress_event_share(NULL)) && !dlviz_progress_event_task(NULL));
    clean_up();
}
END_TEST

/* Getters answer within a call; the event of t-SNE's own function comes as well, and either
 * cancels. */
static bool ask(const dlviz_progress_event *event, void *user) {
    (void)event;
    ck_assert(isnan(dlviz_tsne_kl_divergence(user)));
    ck_assert_int_eq(dlviz_tsne_num_iterations(user), 12);
    return true;
}

static bool count_up(const dlviz_tsne_event *event, void *user) {
    (void)event;
    return ++*(int *)user < 3;
}

START_TEST(both_functions_of_tsne_work) {
    prepare();
    dlviz_tsne *t = quick_tsne();
    int own = 0;
    dlviz_tensor *out;
    ck_ok(dlviz_tsne_set_progress(t, 2, count_up, &own));
    dlviz_set_progress(ask, t);
    ck_assert_int_eq(dlviz_tsne_fit(t, points, &out), DLVIZ_CANCELLED);
    dlviz_set_progress(NULL, NULL);
    ck_assert_int_eq(own, 3);
    ck_assert_int_eq(dlviz_tsne_num_iterations_done(t), 6);
    ck_assert_ptr_nonnull(out);
    dlviz_tensor_destroy(out);
    dlviz_tsne_destroy(t);
    clean_up();
}
END_TEST

/* Where each point takes long, few of them are compared in between. */
START_TEST(many_neighbors) {
    prepare();
    int64_t k = N - 1;
    for (int m = 0; m < 2; m++) {
        double value;
        told t = {.task = m ? "neighbor accuracy" : "neighbor preservation",
                  .thread = pthread_self()};
        ck_ok(dlviz_set_num_threads(1));
        dlviz_set_progress(tell, &t);
        ck_ok(m ? dlviz_metrics_neighbor_accuracy(points, labels, k, &value)
                : dlviz_metrics_neighbor_preservation(points, map, k, &value));
        dlviz_set_progress(NULL, NULL);
        /* The searches tell a few times, and this of every 26th point. */
        ck_assert_msg(t.count > N / 26, "%s: told %d times", t.task, t.count);
    }
    clean_up();
}
END_TEST

/* A function that comes while a call is under way hears of that call's share, not of the last one's. */
static bool listen_now(const dlviz_tsne_event *event, void *user) {
    (void)event;
    dlviz_set_progress(tell, user);
    return true;
}

START_TEST(a_listener_may_come_late) {
    prepare();
    told t = listen(&calls[0], 0);
    dlviz_set_progress(tell, &t);
    ck_ok(neighbors());
    dlviz_set_progress(NULL, NULL);
    dlviz_tsne *tsne = quick_tsne();
    dlviz_tensor *out;
    /* Not the first call, which tells 0. */
    t = (told){.task = "t-SNE", .thread = pthread_self(), .count = 1};
    ck_ok(dlviz_tsne_set_progress(tsne, 2, listen_now, &t));
    ck_ok(dlviz_tsne_fit(tsne, points, &out));
    dlviz_set_progress(NULL, NULL);
    ck_assert_int_gt(t.count, 3);
    ck_assert_msg(t.share > 0.5 && t.share < 1, "told of %g in the end", t.share);
    dlviz_tensor_destroy(out);
    dlviz_tsne_destroy(tsne);
    clean_up();
}
END_TEST

/* The earlier fit is there when the next is cancelled before its descent, to the bit. */
START_TEST(an_earlier_fit_stays) {
    prepare();
    dlviz_tsne *t = quick_tsne();
    dlviz_tensor *out, *placed, *again;
    ck_ok(dlviz_tsne_fit(t, points, &out));
    dlviz_tensor_destroy(out);
    ck_ok(dlviz_tsne_transform(t, points, &placed));
    double divergence = dlviz_tsne_kl_divergence(t);
    bool before = false, after = false;
    for (int last = 1; !after; last++) {
        told listening = {.task = "t-SNE", .thread = pthread_self(), .last = last};
        dlviz_set_progress(tell, &listening);
        ck_assert_int_eq(dlviz_tsne_fit(t, points, &out), DLVIZ_CANCELLED);
        dlviz_set_progress(NULL, NULL);
        after = out != NULL;
        dlviz_tensor_destroy(out);
        if (after)
            continue;
        before = true;
        ck_assert_double_eq(dlviz_tsne_kl_divergence(t), divergence);
        ck_ok(dlviz_tsne_transform(t, points, &again));
        ck_assert_mem_eq(dlviz_tensor_const_data(again), dlviz_tensor_const_data(placed),
                         2 * N * sizeof(float));
        dlviz_tensor_destroy(again);
    }
    ck_assert(before);
    /* Placing new points can be cancelled too. */
    told listening = {.task = "placing in a map", .thread = pthread_self(), .last = 4};
    dlviz_set_progress(tell, &listening);
    ck_assert_int_eq(dlviz_tsne_transform(t, points, &again), DLVIZ_CANCELLED);
    ck_assert_ptr_null(again);
    dlviz_set_progress(NULL, NULL);
    dlviz_tensor_destroy(placed);
    dlviz_tsne_destroy(t);
    clean_up();
}
END_TEST

/* -- What a listener does meanwhile --------------------------------------------------------------
 */

static void *allocate_marked(size_t size, void *user) {
    (void)user;
    size_t *block = malloc(size + 64);
    if (!block)
        return NULL;
    block[0] = size;
    return (char *)block + 64;
}

/* What is read afterwards is no number. */
static void release_spoiled(void *block, void *user) {
    (void)user;
    size_t *start = (size_t *)(void *)((char *)block - 64);
    memset(block, 0xFF, start[0]);
    free(start);
}

typedef struct listener {
    double loss; /* of all samples */
    int64_t *labels, bad[2];
    int calls;
    bool inside;
} listener;

static bool evaluate_more(const dlviz_progress_event *event, void *user) {
    listener *l = user;
    (void)event;
    if (l->inside)
        return true;
    l->inside = true;
    l->calls++;
    ck_ok(dlviz_network_evaluate(network, dataset, &l->loss, NULL));
    l->inside = false;
    return true;
}

START_TEST(an_evaluation_within_another) {
    ck_ok(dlviz_set_allocator(allocate_marked, release_spoiled, NULL));
    prepare();
    dlviz_dataset *few, *rest;
    double alone, all, loss;
    ck_ok(dlviz_dataset_split(dataset, 65, 1, &rest, &few));
    for (int threads = 1; threads <= 4; threads++) {
        dlviz_network *fresh = network;
        listener l = {.loss = 0};
        ck_ok(dlviz_set_num_threads(threads));
        net_spec spec;
        parse_net(&spec, "1x8x8", "c1:conv,out=4,k=3,pad=same r1:relu f:flatten fc:linear,out=3");
        network = build_net(&spec, 1);
        dlviz_set_progress(evaluate_more, &l);
        ck_ok(dlviz_network_evaluate(network, few, &loss, NULL));
        dlviz_set_progress(NULL, NULL);
        ck_assert_int_gt(l.calls, 1);
        ck_ok(dlviz_network_evaluate(network, few, &alone, NULL));
        ck_ok(dlviz_network_evaluate(network, dataset, &all, NULL));
        ck_assert(memcmp(&loss, &alone, sizeof loss) == 0);
        ck_assert(memcmp(&l.loss, &all, sizeof all) == 0);
        dlviz_network_destroy(network);
        network = fresh;
    }
    dlviz_dataset_destroy(few);
    dlviz_dataset_destroy(rest);
    clean_up();
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
}
END_TEST

static bool change_labels(const dlviz_progress_event *event, void *user) {
    listener *l = user;
    if (dlviz_progress_event_share(event) > 0)
        for (int i = 0; i < 2; i++)
            l->labels[l->bad[i]] = 99;
    return true;
}

/* In two pieces of a batch, the third and the first or last: the sentence is that of the first. */
START_TEST(labels_that_change_meanwhile) {
    enum { ROWS = 104, BATCH = 52, SIDE = 8, MAP = SIDE * SIDE };
    dlviz_network *maps;
    dlviz_dataset *mapped;
    net_spec spec;
    parse_net(&spec, "1x8x8", "c1:conv,out=4,k=3,pad=same r1:relu c2:conv,out=3,k=3,pad=same");
    maps = build_net(&spec, 1);
    dlviz_tensor *images = input_tensor(&spec, ROWS, 3, false), *targets;
    ck_ok(dlviz_tensor_create(&targets, DLVIZ_INT64, 3, (int64_t[]){ROWS, SIDE, SIDE}));
    ck_ok(dlviz_dataset_create(&mapped, images, targets));
    static const int64_t bad[][2] = {{31, 5}, {30, 50}, {28, 28}};
    for (int threads = 1; threads <= 8; threads++)
        for (int i = 0; i < 3; i++) {
            listener l = {.labels = dlviz_tensor_data(targets)};
            double loss;
            for (int j = 0; j < 2; j++)
                l.bad[j] = (BATCH + bad[i][j]) * MAP + 7;
            int64_t first = BATCH + (bad[i][0] < bad[i][1] ? bad[i][0] : bad[i][1]);
            char words[40];
            snprintf(words, sizeof words, "sample %lld", (long long)first);
            memset(l.labels, 0, (size_t)(ROWS * MAP) * sizeof *l.labels);
            ck_ok(dlviz_set_num_threads(threads));
            dlviz_set_progress(change_labels, &l);
            ck_fails(dlviz_network_evaluate(maps, mapped, &loss, NULL),
                     DLVIZ_ERROR_INVALID_ARGUMENT, words);
            dlviz_set_progress(NULL, NULL);
        }
    dlviz_dataset_destroy(mapped);
    dlviz_tensor_destroy(images);
    dlviz_tensor_destroy(targets);
    dlviz_network_destroy(maps);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("progress");
    TCase *each = tcase_create("each"), *whole = tcase_create("whole");
    tcase_set_timeout(each, 300);
    tcase_set_timeout(whole, 300);
    tcase_add_loop_test(each, each_long_call_tells, 0, CALLS);
    tcase_add_loop_test(each, each_long_call_can_be_cancelled, 0, CALLS);
    tcase_add_test(whole, a_thread_hears_of_its_own_calls);
    tcase_add_test(whole, both_functions_of_tsne_work);
    tcase_add_test(whole, many_neighbors);
    tcase_add_test(whole, a_listener_may_come_late);
    tcase_add_test(whole, an_earlier_fit_stays);
    tcase_add_test(whole, an_evaluation_within_another);
    tcase_add_test(whole, labels_that_change_meanwhile);
    suite_add_tcase(suite, each);
    suite_add_tcase(suite, whole);
    return run_suite(suite);
}
