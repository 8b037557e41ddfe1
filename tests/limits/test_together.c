/* Neighbors: each kind of work in a thread of its own, all at once, with handles of their own, while
 * another thread changes how many threads there are and who reads the log, and another one multiplies
 * with BLAS and changes its threads. Everything gives the bits that it gives alone, and each thread has
 * its own last error. */
#include "limits/work.h"
#include "support/support.h"

#include <cblas.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_WORKS = 32 };

/* Present in OpenBLAS only. */
extern void openblas_set_num_threads(int threads) __attribute__((weak));

static atomic_bool enough;

typedef struct job {
    const work *work;
    pthread_t thread;
    uint64_t alone, together;
    char place[300];
    char trouble[400]; /* empty: none */
} job;

static void *work_beside_others(void *user) {
    job *j = user;
    char missing[400];
    dlviz_tensor *none;
    snprintf(missing, sizeof missing, "%smissing.npy", j->place);
    if (dlviz_tensor_read_npy(&none, missing) == DLVIZ_OK)
        snprintf(j->trouble, sizeof j->trouble, "a missing file was read");
    if (!strstr(dlviz_last_error(), missing))
        snprintf(j->trouble, sizeof j->trouble, "the error of another: %.300s", dlviz_last_error());
    j->together = 0;
    if (j->work->run(j->place, &j->together) != DLVIZ_OK)
        snprintf(j->trouble, sizeof j->trouble, "%.300s", dlviz_last_error());
    return NULL;
}

static void read_line(dlviz_log_level level, const char *line, void *user) {
    (void)level, (void)line;
    atomic_fetch_add((atomic_int *)user, 1);
}

static void *change_settings(void *unused) {
    (void)unused;
    static atomic_int lines;
    for (int64_t i = 0; !atomic_load(&enough); i++) {
        if (dlviz_set_num_threads(1 + i % 5) != DLVIZ_OK)
            abort();
        dlviz_set_log(i % 2 ? read_line : NULL, &lines);
        dlviz_num_threads();
        dlviz_isa();
        dlviz_blas();
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    dlviz_set_log(NULL, NULL);
    return NULL;
}

/* BLAS is the program's, too. */
static void *multiply(void *wrong) {
    enum { N = 120 };
    static double a[N * N], b[N * N];
    for (int i = 0; i < N * N; i++)
        a[i] = i % 7 - 3;
    for (int time = 0; !atomic_load(&enough); time++) {
        if (openblas_set_num_threads)
            openblas_set_num_threads(1 + time % 3);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, N, N, N, 1, a, N, a, N, 0, b, N);
        double sum = 0;
        for (int i = 0; i < N; i++)
            sum += a[i] * a[i];
        if (b[0] != sum)
            atomic_store((atomic_bool *)wrong, true);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    return NULL;
}

static void make_jobs(job jobs[MOST_WORKS]) {
    ck_assert_int_le(num_works, MOST_WORKS);
    for (int i = 0; i < num_works; i++) {
        jobs[i] = (job){.work = &works[i]};
        snprintf(jobs[i].place, sizeof jobs[i].place, "%s/%d-", scratch_folder(), i);
    }
}

static bool is_done(const job *j) {
    return !j->work->draws || dlviz_plot_supported();
}

static void work_together(job jobs[MOST_WORKS]) {
    static atomic_bool wrong;
    pthread_t changing, multiplying;
    atomic_store(&enough, false);
    ck_assert_int_eq(pthread_create(&changing, NULL, change_settings, NULL), 0);
    ck_assert_int_eq(pthread_create(&multiplying, NULL, multiply, &wrong), 0);
    for (int i = 0; i < num_works; i++)
        if (is_done(&jobs[i]))
            ck_assert_int_eq(pthread_create(&jobs[i].thread, NULL, work_beside_others, &jobs[i]),
                             0);
    for (int i = 0; i < num_works; i++)
        if (is_done(&jobs[i]))
            pthread_join(jobs[i].thread, NULL);
    atomic_store(&enough, true);
    pthread_join(changing, NULL);
    pthread_join(multiplying, NULL);
    for (int i = 0; i < num_works; i++)
        ck_assert_msg(!jobs[i].trouble[0], "%s: %s", jobs[i].work->name, jobs[i].trouble);
    ck_assert_msg(!atomic_load(&wrong), "BLAS multiplied wrongly");
}

static void work_alone(job jobs[MOST_WORKS]) {
    ck_ok(dlviz_set_num_threads(1));
    for (int i = 0; i < num_works; i++)
        if (is_done(&jobs[i])) {
            jobs[i].alone = 0;
            ck_assert_msg(jobs[i].work->run(jobs[i].place, &jobs[i].alone) == DLVIZ_OK, "%s: %s",
                          jobs[i].work->name, dlviz_last_error());
        }
}

static void ck_same(const job jobs[MOST_WORKS]) {
    for (int i = 0; i < num_works; i++)
        ck_assert_msg(jobs[i].together == jobs[i].alone, "%s: other results than alone",
                      jobs[i].work->name);
}

START_TEST(neighbors_change_nothing) {
    static job jobs[MOST_WORKS];
    make_jobs(jobs);
    work_alone(jobs);
    work_together(jobs);
    ck_same(jobs);
}
END_TEST

START_TEST(nor_where_all_begin_at_once) {
    static job jobs[MOST_WORKS];
    make_jobs(jobs);
    work_together(jobs);
    work_alone(jobs);
    ck_same(jobs);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {neighbors_change_nothing, nor_where_all_begin_at_once, NULL};
    return run_tests("together", tests);
}
