/* A process that forks, while nothing is computed and while other threads compute: everything goes on
 * in both, with the same results. */
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

/* What a process computes: the states after an epoch, outputs, principal components, a map; and that
 * BLAS, which the program may use too, still works. */
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

/* Forks, and the child does its part within a minute. Its failures are told on its own, for it is not
 * the process that Check watches. */
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

static void *keep_computing(void *part) {
    while (!atomic_load(&enough)) {
        results r = {0};
        ((void (*)(results *))part)(&r);
        release(&r);
        atomic_fetch_add(&rounds, 1);
    }
    return NULL;
}

static void *keep_predicting(void *unused) {
    while (!atomic_load(&enough)) {
        dlviz_tensor *outputs;
        ck_ok(dlviz_network_predict(shared_network, shared_samples, &outputs));
        dlviz_tensor_destroy(outputs);
        atomic_fetch_add(&rounds, 1);
    }
    return unused;
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

static void ck_forks_amid(void *(*thread)(void *), void *part, const results *first,
                          void (*child_part)(const results *), int forks) {
    pthread_t other;
    atomic_store(&enough, false);
    atomic_store(&rounds, 0);
    ck_assert_int_eq(pthread_create(&other, NULL, thread, part), 0);
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
    if (cannot_fork())
        return;
    ck_ok(dlviz_set_num_threads(3));
    results first = compute();
    void (*const parts[])(results *) = {train_and_predict, find_components, make_map};
    for (int i = 0; i < 3; i++)
        ck_forks_amid(keep_computing, (void *)parts[i], &first, ck_again, 3);
    release(&first);
}
END_TEST

START_TEST(what_another_thread_had_in_use_is_refused_in_the_child) {
    if (cannot_fork())
        return;
    ck_ok(dlviz_set_num_threads(2));
    results first = compute();
    process p;
    begin_process(&p, PROCESS_NET, ADAM, false);
    shared_network = p.network;
    shared_samples = p.train;
    ck_forks_amid(keep_predicting, NULL, &first, use_what_another_had, 4);
    end_process(&p);
    release(&first);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {parent_and_child_go_on_computing,
                                  a_child_may_be_the_first_to_compute,
                                  a_fork_amid_anothers_work_leaves_a_child_that_computes,
                                  what_another_thread_had_in_use_is_refused_in_the_child, NULL};
    return run_tests("fork", tests);
}
