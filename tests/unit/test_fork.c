/* A process that forks, while nothing is computed and while other threads compute: everything goes
 * on in both, with the same results. */
#include "base/busy.h"
#include "base/lock.h"
#include "base/parallel.h"
#include "linalg/linalg.h"
#include "support/fork.h"
#include "support/pca.h"
#include "support/process.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { POINTS = 300, WIDTH = 120, KEPT = 9 };

/* What a process computes: the states after an epoch, outputs, principal components, a map; and
 * that BLAS, which the program may use too, still works. */
typedef struct results {
    void *states;
    size_t size;
    dlviz_tensor *outputs, *projected[3], *map;
    float product;
} results;

static void train_and_predict(results *r) {
    process p;
    begin_process(&p, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    r->states = all_states(p.network, &r->size);
    ck_ok(dlviz_network_predict(p.network, p.train, &r->outputs));
    end_process(&p);
}

static void find_components(results *r) {
    dlviz_tensor *x = make_points(POINTS, WIDTH, 40, 0.9, 1, 1);
    for (int s = 0; s < 3; s++) {
        dlviz_pca *pca;
        ck_ok(dlviz_pca_create(&pca, KEPT));
        ck_ok(dlviz_pca_set_solver(pca, solvers[s + 1]));
        ck_ok(dlviz_pca_fit_transform(pca, x, &r->projected[s]));
        dlviz_pca_destroy(pca);
    }
    dlviz_tensor_destroy(x);
}

static void make_map(results *r) {
    dlviz_tensor *x = make_points(POINTS, WIDTH, 40, 0.9, 1, 2);
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 20));
    ck_ok(dlviz_tsne_fit(tsne, x, &r->map));
    dlviz_tsne_destroy(tsne);
    dlviz_tensor_destroy(x);
}

static void multiply(results *r) {
    enum { n = 200 };
    float *a = malloc(n * n * sizeof *a), *b = malloc(n * n * sizeof *b);
    fill_uniform(a, n * n, 3);
    dlz_sgemm(false, true, n, n, n, 1, a, n, a, n, 0, b, n);
    r->product = b[n * n - 1];
    free(a);
    free(b);
}

static results compute(void) {
    results r = {0};
    train_and_predict(&r);
    find_components(&r);
    make_map(&r);
    multiply(&r);
    return r;
}

static void release(results *r) {
    free(r->states);
    dlviz_tensor_destroy(r->outputs);
    for (int s = 0; s < 3; s++)
        dlviz_tensor_destroy(r->projected[s]);
    dlviz_tensor_destroy(r->map);
}

static void ck_again(const results *first) {
    results r = compute();
    ck_assert_uint_eq(r.size, first->size);
    ck_assert_mem_eq(r.states, first->states, r.size);
    ck_same_bits(r.outputs, first->outputs);
    for (int s = 0; s < 3; s++)
        ck_same_bits(r.projected[s], first->projected[s]);
    ck_same_bits(r.map, first->map);
    ck_assert(fabsf(r.product - first->product) < 1e-3f);
    release(&r);
}

/* Forks, and the child does its part within a minute. Its failures are told on its own, for it is
 * not the process that Check watches. */
static pid_t in_a_child(void (*part)(const results *), const results *first) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        alarm(60);
        part(first);
        _exit(0);
    }
    return child;
}

static void ck_well(pid_t child) {
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(!WIFSIGNALED(status), "the child was ended by signal %d", WTERMSIG(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}

static void compute_with_other_threads(const results *first) {
    if (dlviz_num_threads() != 3)
        _exit(3);
    ck_again(first);
    ck_ok(dlviz_set_num_threads(2));
    ck_again(first);
    pid_t grandchild = in_a_child(ck_again, first);
    ck_again(first);
    ck_well(grandchild);
}

START_TEST(parent_and_child_go_on_computing) {
    if (cannot_fork())
        return;
    ck_ok(dlviz_set_num_threads(3));
    results first = compute();
    for (int i = 0; i < 2; i++) {
        pid_t child = in_a_child(compute_with_other_threads, &first);
        ck_again(&first);
        ck_well(child);
    }
    release(&first);
}
END_TEST

START_TEST(a_child_may_be_the_first_to_compute) {
    if (cannot_fork())
        return;
    ck_ok(dlviz_set_num_threads(3));
    pid_t children[2];
    results alone;
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            alarm(60);
            results r = compute();
            ck_again(&r);
            _exit(0);
        }
    }
    alone = compute();
    ck_again(&alone);
    for (int i = 0; i < 2; i++)
        ck_well(children[i]);
    release(&alone);
}
END_TEST

/* ---- While others compute -------------------------------------------------------------------- */

static atomic_bool enough;
static atomic_int rounds;
static dlviz_network *shared_network;
static dlviz_dataset *shared_samples;

/* What another thread works with. Check has a lock of its own, so that thread asks nothing of it.
 */
typedef struct work {
    process p;
    dlviz_tensor *points;
    dlviz_pca *pca;
    dlviz_tsne *tsne;
    int kind;
} work;

static void begin_work(work *w) {
    begin_process(&w->p, PROCESS_NET, ADAM, false);
    w->points = make_points(POINTS, WIDTH, 40, 0.9, 1, 2);
    ck_ok(dlviz_pca_create(&w->pca, KEPT));
    ck_ok(dlviz_tsne_create(&w->tsne));
    ck_ok(dlviz_tsne_set_num_iterations(w->tsne, 20));
}

static void end_work(work *w) {
    end_process(&w->p);
    dlviz_tensor_destroy(w->points);
    dlviz_pca_destroy(w->pca);
    dlviz_tsne_destroy(w->tsne);
}

static void *keep_computing(void *user) {
    work *w = user;
    while (!atomic_load(&enough)) {
        dlviz_tensor *result = NULL;
        dlviz_status status = w->kind == 0   ? dlviz_trainer_fit(w->p.trainer, w->p.train, 1)
                              : w->kind == 1 ? dlviz_pca_fit_transform(w->pca, w->points, &result)
                              : w->kind == 2
                                  ? dlviz_tsne_fit(w->tsne, w->points, &result)
                                  : dlviz_network_predict(w->p.network, w->p.train, &result);
        if (status != DLVIZ_OK)
            abort();
        dlviz_tensor_destroy(result);
        atomic_fetch_add(&rounds, 1);
    }
    return NULL;
}

/* What another thread had in use at the fork stays so in the child, and is refused. */
static void use_what_another_had(const results *first) {
    dlviz_tensor *outputs = NULL;
    dlviz_status status = dlviz_network_predict(shared_network, shared_samples, &outputs);
    dlviz_tensor_destroy(outputs);
    if (status != DLVIZ_OK && status != DLVIZ_ERROR_STATE)
        _exit(4);
    ck_again(first);
}

static void ck_forks_amid(work *w, const results *first, void (*child_part)(const results *),
                          int forks) {
    pthread_t other;
    atomic_store(&enough, false);
    atomic_store(&rounds, 0);
    ck_assert_int_eq(pthread_create(&other, NULL, keep_computing, w), 0);
    while (atomic_load(&rounds) == 0)
        sched_yield();
    for (int i = 0; i < forks; i++) {
        usleep(1000 * (useconds_t)(1 + 3 * i));
        ck_well(in_a_child(child_part, first));
    }
    ck_again(first);
    atomic_store(&enough, true);
    pthread_join(other, NULL);
}

START_TEST(a_fork_amid_anothers_work_leaves_a_child_that_computes) {
    if (cannot_fork_amid_work())
        return;
    ck_ok(dlviz_set_num_threads(3));
    results first = compute();
    work w;
    begin_work(&w);
    for (w.kind = 0; w.kind < 3; w.kind++)
        ck_forks_amid(&w, &first, ck_again, 3);
    end_work(&w);
    release(&first);
}
END_TEST

START_TEST(what_another_thread_had_in_use_is_refused_in_the_child) {
    if (cannot_fork_amid_work())
        return;
    ck_ok(dlviz_set_num_threads(2));
    results first = compute();
    work w;
    begin_work(&w);
    w.kind = 3;
    shared_network = w.p.network;
    shared_samples = w.p.train;
    ck_forks_amid(&w, &first, use_what_another_had, 4);
    end_work(&w);
    release(&first);
}
END_TEST

/* ---- Marks ---------------------------------------------------------------------------------- */

static dlz_busy mark;
static atomic_bool is_marked;

static void *mark_for_ever(void *unused) {
    dlz_hold hold = {NULL};
    if (dlz_busy_take("test", &mark, "handle", DLZ_ALONE, &hold) != DLVIZ_OK)
        abort();
    atomic_store(&is_marked, true);
    while (!atomic_load(&enough))
        sched_yield();
    dlz_busy_give_back(&hold);
    return unused;
}

static void *try_the_mark(void *unused) {
    for (dlz_hold_mode mode = DLZ_ALONE; mode <= DLZ_SHARED; mode++) {
        dlz_hold hold = {NULL};
        dlviz_status status = dlz_busy_take("test", &mark, "handle", mode, &hold);
        if (status != DLVIZ_ERROR_STATE || !strstr(dlviz_last_error(), "another thread"))
            _exit(7);
    }
    if (dlz_busy_is_own(&mark))
        _exit(8);
    return unused;
}

/* One of them may lie in memory where the thread was that has the mark. */
static void try_the_mark_in_threads(const results *unused) {
    (void)unused;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    try_the_mark(NULL);
    for (int t = 0; t < THREADS; t++)
        if (pthread_create(&threads[t], NULL, try_the_mark, NULL) != 0)
            _exit(5);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
}

START_TEST(no_thread_of_a_child_passes_for_one_of_its_parent) {
    if (cannot_fork())
        return;
    pthread_t other;
    atomic_store(&enough, false);
    ck_assert_int_eq(pthread_create(&other, NULL, mark_for_ever, NULL), 0);
    while (!atomic_load(&is_marked))
        sched_yield();
    ck_well(in_a_child(try_the_mark_in_threads, NULL));
    atomic_store(&enough, true);
    pthread_join(other, NULL);
}
END_TEST

/* ---- Locks ----------------------------------------------------------------------------------- */

static dlz_lock held;
static atomic_bool is_held;

static void *hold_for_ever(void *unused) {
    dlz_lock_take(&held);
    atomic_store(&is_held, true);
    while (!atomic_load(&enough))
        sched_yield();
    dlz_lock_give_back(&held);
    return unused;
}

static void *take_and_give_back(void *unused) {
    for (int i = 0; i < 1000; i++) {
        dlz_lock_take(&held);
        ++*(int *)unused;
        dlz_lock_give_back(&held);
    }
    return NULL;
}

static void take_what_nobody_has(const results *unused) {
    (void)unused;
    enum { THREADS = 3 };
    static int count;
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++)
        if (pthread_create(&threads[t], NULL, take_and_give_back, &count) != 0)
            _exit(5);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    if (count != 1000 * THREADS)
        _exit(6);
}

static void *log_and_allocate(void *unused) {
    while (!atomic_load(&enough)) {
        dlz_log(DLVIZ_LOG_LEVEL_DEBUG, "busy");
        dlz_free(dlz_alloc(10));
        atomic_fetch_add(&rounds, 1);
    }
    return unused;
}

static void set_allocator_and_log(const results *unused) {
    (void)unused;
    dlviz_set_log(dlviz_log_to_stream, stderr);
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
    dlviz_set_log(NULL, NULL);
    dlz_free(dlz_alloc(10));
}

/* As a thread leaves it that makes the mutex anew while another one forks. */
START_TEST(a_lock_half_made_anew_is_open_in_the_child) {
    if (cannot_fork())
        return;
    ck_assert(dlz_lock_init(&held));
    dlz_lock_take(&held);
    atomic_fetch_or(&held.forks, 1);
    ck_well(in_a_child(take_what_nobody_has, NULL));
    dlz_lock_give_back(&held);
    dlz_lock_destroy(&held);
}
END_TEST

START_TEST(locks_of_other_threads_are_open_in_the_child) {
    if (cannot_fork_amid_work())
        return;
    pthread_t other;
    ck_assert(dlz_lock_init(&held));
    atomic_store(&enough, false);
    ck_assert_int_eq(pthread_create(&other, NULL, hold_for_ever, NULL), 0);
    while (!atomic_load(&is_held))
        sched_yield();
    ck_well(in_a_child(take_what_nobody_has, NULL));
    atomic_store(&enough, true);
    pthread_join(other, NULL);
    dlz_lock_destroy(&held);
    atomic_store(&enough, false);
    ck_assert_int_eq(pthread_create(&other, NULL, log_and_allocate, NULL), 0);
    for (int i = 0; i < 100; i++)
        ck_well(in_a_child(set_allocator_and_log, NULL));
    atomic_store(&enough, true);
    pthread_join(other, NULL);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {parent_and_child_go_on_computing,
                                  a_child_may_be_the_first_to_compute,
                                  a_fork_amid_anothers_work_leaves_a_child_that_computes,
                                  what_another_thread_had_in_use_is_refused_in_the_child,
                                  no_thread_of_a_child_passes_for_one_of_its_parent,
                                  locks_of_other_threads_are_open_in_the_child,
                                  a_lock_half_made_anew_is_open_in_the_child,
                                  NULL};
    return run_tests("fork", tests);
}
