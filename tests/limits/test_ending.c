/* The end of a program: main returns, or exit is called, while other threads are in calls of the library;
 * handlers of atexit and destructors use it, also after the library has ended its own threads. */
#include "limits/work.h"
#include "support/fork.h"
#include "support/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS = 60, RIGHT = 0, WRONG = 5 };

static const work *what;
static char place[300];
static uint64_t expected;

/* Whether the work gives what it did the first time; its files have names that begin so. */
static bool is_right(const char *names) {
    uint64_t digest = 0;
    return what->run(names, &digest) == DLVIZ_OK && digest == expected;
}

static void prepare(const work *which) {
    what = which;
    alarm(SECONDS);
    snprintf(place, sizeof place, "%s", scratch_path("ending-"));
    expected = 0;
    if (dlviz_set_num_threads(3) != DLVIZ_OK || what->run(place, &expected) != DLVIZ_OK)
        _exit(WRONG);
}

/* In a process of its own, which ends by itself, and well. */
static void ck_ends(const work *which, void (*program)(void)) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        prepare(which);
        program();
        exit(RIGHT);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(!WIFSIGNALED(status), "%s: signal %d", which->name, WTERMSIG(status));
    ck_assert_msg(WEXITSTATUS(status) == RIGHT, "%s: status %d", which->name, WEXITSTATUS(status));
}

static void ck_all_end(void (*program)(void)) {
    scratch_folder();
    for (int i = 0; !cannot_fork() && i < num_works; i++)
        if (!works[i].draws || dlviz_plot_supported())
            ck_ends(&works[i], program);
}

static void *work_for_ever(void *names) {
    for (;;)
        if (!is_right(names))
            _exit(WRONG);
    return NULL;
}

static void end_while_others_work(void) {
    static char names[2][320];
    pthread_t thread;
    for (int i = 0; i < 2; i++) {
        snprintf(names[i], sizeof names[i], "%s%d-", place, i);
        if (pthread_create(&thread, NULL, work_for_ever, names[i]) != 0)
            _exit(WRONG);
    }
    nanosleep(&(struct timespec){0, 15000000}, NULL);
}

START_TEST(a_program_ends_while_threads_are_in_calls) {
    ck_all_end(end_while_others_work);
}
END_TEST

static void work_at_exit(void) {
    if (!is_right(place))
        _exit(WRONG);
}

static void leave_work_for_the_end(void) {
    if (atexit(work_at_exit) != 0)
        _exit(WRONG);
}

START_TEST(handlers_of_atexit_may_use_it) {
    ck_all_end(leave_work_for_the_end);
}
END_TEST

static atomic_bool works_in_destructor;

/* After those of libraries that lie in the program itself, as the inside of this one does in tests. */
__attribute__((destructor(101))) static void work_in_destructor(void) {
    if (atomic_load(&works_in_destructor) && !is_right(place))
        _exit(WRONG);
}

static void leave_work_for_the_destructor(void) {
    atomic_store(&works_in_destructor, true);
}

START_TEST(destructors_may_use_it) {
    ck_all_end(leave_work_for_the_destructor);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_program_ends_while_threads_are_in_calls,
                                  handlers_of_atexit_may_use_it, destructors_may_use_it, NULL};
    return run_tests("ending", tests);
}
