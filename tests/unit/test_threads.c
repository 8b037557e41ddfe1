/* The pool of threads: who works, who sleeps, what happens when threads are missing; and how many
 * processors there are to work on. */
#include "base/cpu.h"
#include "base/parallel.h"
#include "base/processors.h"
#include "support/fork.h"
#include "support/support.h"

#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* -- Jobs whose tiles wait for each other --------------------------------------------------------
 */

typedef struct meeting {
    int wanted;
    atomic_int present;
    atomic_bool missed;
    pid_t thread[DLZ_MAX_THREADS]; /* of each worker */
} meeting;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* A tile ends when all have begun: each needs a thread of its own, so a worker that is not woken
 * is missed. */
static void meet(void *context, int64_t tile, int worker) {
    (void)tile;
    meeting *m = context;
    m->thread[worker] = (pid_t)syscall(SYS_gettid);
    atomic_fetch_add(&m->present, 1);
    for (double started = now(); atomic_load(&m->present) < m->wanted; sched_yield())
        if (now() - started > 60) {
            atomic_store(&m->missed, true);
            return;
        }
}

static void hold_meeting(meeting *m, int wanted) {
    memset(m, 0, sizeof *m);
    m->wanted = wanted;
    dlz_parallel_for(wanted, wanted, meet, m);
    ck_assert_msg(!m->missed, "%d of %d workers came", m->present, wanted);
    for (int w = 0; w < wanted; w++)
        ck_assert_msg(m->thread[w] != 0, "no worker had number %d of %d", w, wanted);
}

START_TEST(no_worker_misses_a_job_as_it_lies_down) {
    static meeting m;
    for (int job = 0; job < 6000; job++)
        hold_meeting(&m, 3 + job % 2);
    /* Nor does one take part that the next job does not want. */
    for (int job = 0; job < 2000; job++)
        hold_meeting(&m, job % 2 ? 2 : 6);
}
END_TEST

static void pause_microseconds(long microseconds) {
    nanosleep(&(struct timespec){0, microseconds * 1000}, NULL);
}

START_TEST(every_wanted_worker_comes) {
    /* With pauses about as long as a worker watches for jobs before it sleeps. */
    static const long pauses[] = {0, 10, 40, 50, 60, 80, 200};
    static const int wanted[] = {2, 2, 3, 2, 9, 2, 4, 2, 2, 17, 2};
    static meeting m;
    for (int job = 0; job < 2000; job++) {
        hold_meeting(&m, wanted[job % 11]);
        if (pauses[job % 7] > 0)
            pause_microseconds(pauses[job % 7]);
    }
}
END_TEST

/* How often a thread has gone to sleep. */
static long sleeps_of(pid_t thread) {
    char path[64], line[128];
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)thread);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "no thread %d any more", (int)thread);
    long sleeps = -1;
    while (fgets(line, sizeof line, file))
        sscanf(line, "voluntary_ctxt_switches: %ld", &sleeps);
    fclose(file);
    ck_assert_int_ge(sleeps, 0);
    return sleeps;
}

enum { MANY = 16 };

static void count_sleeps(const meeting *m, long sleeps[MANY]) {
    for (int w = 1; w < MANY; w++)
        sleeps[w] = sleeps_of(m->thread[w]);
}

START_TEST(a_job_for_few_wakes_no_others) {
    static meeting all, two;
    long before[MANY], after[MANY] = {0};
    hold_meeting(&all, MANY);
    do {
        memcpy(before, after, sizeof before);
        pause_microseconds(100000);
        count_sleeps(&all, after);
    } while (memcmp(before, after, sizeof before) != 0);
    for (int job = 0; job < 300; job++) {
        pause_microseconds(200);
        hold_meeting(&two, 2);
        ck_assert_int_eq(two.thread[1], all.thread[1]);
    }
    count_sleeps(&all, after);
    for (int w = 2; w < MANY; w++)
        ck_assert_msg(after[w] == before[w], "worker %d slept %ld times more", w,
                      after[w] - before[w]);
}
END_TEST

static int warnings;
static char last_warning[512];

static void keep_warning(dlviz_log_level level, const char *message, void *user) {
    (void)user;
    if (level != DLVIZ_LOG_LEVEL_WARNING)
        return;
    warnings++;
    snprintf(last_warning, sizeof last_warning, "%s", message);
}

static void count_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    atomic_fetch_add((atomic_int *)context + tile, 1);
}

START_TEST(work_is_done_without_the_threads_that_cannot_start) {
    enum { WORKERS = 40, TILES = 100 };
    static meeting m;
    pthread_attr_t usual, huge;
    ck_assert_int_eq(pthread_getattr_default_np(&usual), 0);
    ck_assert_int_eq(pthread_attr_init(&huge), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&huge, SIZE_MAX / 2 / 65536 * 65536), 0);
    ck_assert_int_eq(pthread_setattr_default_np(&huge), 0);
    dlviz_set_log(keep_warning, NULL);
    for (int job = 0; job < 500; job++) {
        atomic_int runs[TILES] = {0};
        dlz_parallel_for(TILES, WORKERS, count_tile, runs);
        for (int tile = 0; tile < TILES; tile++)
            ck_assert_int_eq(runs[tile], 1);
    }
    ck_assert_int_eq(warnings, 1);
    ck_assert_ptr_nonnull(strstr(last_warning, "of 40"));
    ck_assert_int_eq(pthread_setattr_default_np(&usual), 0);
    /* Later it tries again. */
    for (int job = 0; job < 1000; job++) {
        atomic_int runs[TILES] = {0};
        dlz_parallel_for(TILES, WORKERS, count_tile, runs);
    }
    hold_meeting(&m, WORKERS);
    ck_assert_int_eq(warnings, 1);
    dlviz_set_log(NULL, NULL);
    pthread_attr_destroy(&huge);
    pthread_attr_destroy(&usual);
}
END_TEST

/* -- Other processes -----------------------------------------------------------------------------
 */

static atomic_bool enough;

static void *work_on(void *endless) {
    while (endless || !atomic_load(&enough)) {
        atomic_int runs[8] = {0};
        dlz_parallel_for(8, 3, count_tile, runs);
    }
    return NULL;
}

START_TEST(a_fork_amid_a_job_leaves_a_pool_that_works) {
    if (cannot_fork())
        return;
    pthread_t thread;
    static meeting m;
    hold_meeting(&m, 5);
    atomic_store(&enough, false);
    ck_assert_int_eq(pthread_create(&thread, NULL, work_on, NULL), 0);
    for (int i = 0; i < 30; i++) {
        pid_t child = fork();
        if (child == 0) {
            for (int job = 0; job < 3; job++) {
                memset(&m, 0, sizeof m);
                m.wanted = 3;
                dlz_parallel_for(3, 3, meet, &m);
                if (m.missed)
                    _exit(1);
            }
            _exit(0);
        }
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    atomic_store(&enough, true);
    pthread_join(thread, NULL);
}
END_TEST

/* Ends as main would by returning. */
static void end_amid_work(void) {
    static bool endless = true;
    pthread_t thread;
    if (pthread_create(&thread, NULL, work_on, &endless) != 0)
        _exit(1);
    pthread_detach(thread);
    pause_microseconds(20000);
    exit(0);
}

static atomic_bool went_on, cancelled;

static void wait_to_be_cancelled(void *context, int64_t tile, int worker) {
    (void)tile, (void)worker;
    atomic_store((atomic_bool *)context, true);
    do
        pause_microseconds(20000); /* a point of cancellation */
    while (!atomic_load(&cancelled));
}

static void *be_cancelled(void *begun) {
    dlz_parallel_for(8, 3, wait_to_be_cancelled, begun);
    atomic_store(&went_on, true);
    pthread_testcancel();
    atomic_store(&went_on, false);
    return NULL;
}

START_TEST(a_cancelled_thread_ends_after_its_call) {
    for (int i = 0; i < 5; i++) {
        atomic_bool begun = false;
        pthread_t thread;
        void *result;
        atomic_store(&went_on, false);
        atomic_store(&cancelled, false);
        ck_assert_int_eq(pthread_create(&thread, NULL, be_cancelled, &begun), 0);
        while (!atomic_load(&begun))
            sched_yield();
        pthread_cancel(thread);
        atomic_store(&cancelled, true);
        ck_assert_int_eq(pthread_join(thread, &result), 0);
        ck_assert_ptr_eq(result, PTHREAD_CANCELED);
        ck_assert(atomic_load(&went_on));
        static meeting m;
        hold_meeting(&m, 3);
    }
}
END_TEST

START_TEST(a_program_ends_while_another_thread_computes) {
    if (cannot_fork())
        return;
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0)
            end_amid_work();
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}
END_TEST

/* -- Processors ----------------------------------------------------------------------------------
 */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status, (void)type, (void)walk;
    return remove(path);
}

/* A file and the folders it lies in. */
static void plant(const char *root, const char *name, const char *text) {
    char path[1024];
    int length = snprintf(path, sizeof path, "%s%s", root, name);
    ck_assert_int_lt(length, (int)sizeof path);
    for (char *slash = path + strlen(root); (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    write_file(path, text, strlen(text));
}

#define V2 "/sys/fs/cgroup"
#define V1 "/sys/fs/cgroup/cpu"

typedef struct quota_case {
    const char *what, *group; /* the text of /proc/self/cgroup, or NULL */
    const char *files[5][2];  /* name and text */
    int processors;
} quota_case;

static const quota_case quota_cases[] = {
    {"nothing at all", NULL, {{0}}, 0},
    {"no group", "", {{V2 "/cpu.max", "200000 100000\n"}}, 0},
    {"two processors", "0::/\n", {{V2 "/cpu.max", "200000 100000\n"}}, 2},
    {"half a processor", "0::/\n", {{V2 "/cpu.max", "50000 100000\n"}}, 1},
    {"a little more than two", "0::/\n", {{V2 "/cpu.max", "200001 100000\n"}}, 3},
    {"another period", "0::/\n", {{V2 "/cpu.max", "25000 10000\n"}}, 3},
    {"no quota", "0::/\n", {{V2 "/cpu.max", "max 100000\n"}}, 0},
    {"the group's own", "0::/a/b\n", {{V2 "/a/b/cpu.max", "300000 100000\n"}}, 3},
    {"a lower one above",
     "0::/a/b/c\n",
     {{V2 "/a/b/c/cpu.max", "800000 100000\n"}, {V2 "/a/cpu.max", "150000 100000\n"}},
     2},
    {"a higher one above",
     "0::/a/b/c\n",
     {{V2 "/a/b/c/cpu.max", "300000 100000\n"},
      {V2 "/a/b/cpu.max", "max 100000\n"},
      {V2 "/a/cpu.max", "900000 100000\n"}},
     3},
    {"of another group", "0::/a\n", {{V2 "/b/cpu.max", "100000 100000\n"}}, 0},
    {"of a group whose name begins alike", "0::/ab\n", {{V2 "/a/cpu.max", "100000 100000\n"}}, 0},
    {"the top alone is visible",
     "0::/docker/0123456789abcdef\n",
     {{V2 "/cpu.max", "400000 100000\n"}},
     4},
    {"a group outside the visible tree", "0::/../x\n", {{V2 "/cpu.max", "400000 100000\n"}}, 4},
    {"a colon in a name", "0::/a:b\n", {{V2 "/a:b/cpu.max", "400000 100000\n"}}, 4},
    {"no line feed", "0::/a", {{V2 "/a/cpu.max", "400000 100000"}}, 4},
    {"words", "0::/\n", {{V2 "/cpu.max", "many 100000\n"}}, 0},
    {"a number and letters", "0::/\n", {{V2 "/cpu.max", "100000x 100000\n"}}, 0},
    {"one number", "0::/\n", {{V2 "/cpu.max", "100000\n"}}, 0},
    {"nothing in the file", "0::/\n", {{V2 "/cpu.max", ""}}, 0},
    {"a period of 0", "0::/\n", {{V2 "/cpu.max", "100000 0\n"}}, 0},
    {"a quota of 0", "0::/\n", {{V2 "/cpu.max", "0 100000\n"}}, 0},
    {"below 0", "0::/\n", {{V2 "/cpu.max", "-100000 -100000\n"}}, 0},
    {"more than a number holds", "0::/\n", {{V2 "/cpu.max", "99999999999999999999 100000\n"}}, 0},
    {"a period that no number holds",
     "0::/\n",
     {{V2 "/cpu.max", "100000 99999999999999999999\n"}},
     0},
    {"more processors than there are", "0::/\n", {{V2 "/cpu.max", "9999999999999 1\n"}}, 0},
    {"a folder in the file's place", "0::/\n", {{V2 "/cpu.max/x", "100000 100000\n"}}, 0},
    {"lines that mean nothing", "\nx\n1:\n:::\n0::/\n", {{V2 "/cpu.max", "200000 100000\n"}}, 2},
    {"version 1",
     "4:memory:/m\n3:cpu:/a\n",
     {{V1 "/a/cpu.cfs_quota_us", "250000\n"}, {V1 "/a/cpu.cfs_period_us", "100000\n"}},
     3},
    {"version 1, no quota",
     "3:cpu:/a\n",
     {{V1 "/a/cpu.cfs_quota_us", "-1\n"}, {V1 "/a/cpu.cfs_period_us", "100000\n"}},
     0},
    {"version 1, a number and letters",
     "3:cpu:/a\n",
     {{V1 "/a/cpu.cfs_quota_us", "200000x\n"}, {V1 "/a/cpu.cfs_period_us", "100000\n"}},
     0},
    {"version 1, above",
     "3:cpu:/a/b\n",
     {{V1 "/a/b/cpu.cfs_quota_us", "-1\n"},
      {V1 "/a/b/cpu.cfs_period_us", "100000\n"},
      {V1 "/a/cpu.cfs_quota_us", "100000\n"},
      {V1 "/a/cpu.cfs_period_us", "100000\n"}},
     1},
    {"version 1, two controllers in one folder",
     "3:cpu,cpuacct:/a\n",
     {{V2 "/cpu,cpuacct/a/cpu.cfs_quota_us", "200000\n"},
      {V2 "/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"}},
     2},
    {"version 1, two controllers under the name of one",
     "3:cpuacct,cpu:/a\n",
     {{V1 "/a/cpu.cfs_quota_us", "200000\n"}, {V1 "/a/cpu.cfs_period_us", "100000\n"}},
     2},
    {"version 1, other controllers",
     "3:cpuset:/a\n2:cpuacct:/a\n",
     {{V1 "/a/cpu.cfs_quota_us", "200000\n"}, {V1 "/a/cpu.cfs_period_us", "100000\n"}},
     0},
    {"version 1, no period", "3:cpu:/a\n", {{V1 "/a/cpu.cfs_quota_us", "200000\n"}}, 0},
    {"both versions",
     "3:cpu:/a\n0::/b\n",
     {{V1 "/a/cpu.cfs_quota_us", "500000\n"},
      {V1 "/a/cpu.cfs_period_us", "100000\n"},
      {V2 "/unified/b/cpu.max", "300000 100000\n"}},
     3},
};

START_TEST(a_quota_is_read_from_the_group_and_those_above) {
    for (size_t i = 0; i < sizeof quota_cases / sizeof *quota_cases; i++) {
        const quota_case *c = &quota_cases[i];
        char root[256];
        snprintf(root, sizeof root, "%s", scratch_path("root"));
        ck_assert_int_eq(mkdir(root, 0777), 0);
        if (c->group)
            plant(root, "/proc/self/cgroup", c->group);
        for (int f = 0; f < 5 && c->files[f][0]; f++)
            plant(root, c->files[f][0], c->files[f][1]);
        int processors = dlz_quota_processors(root);
        ck_assert_msg(processors == c->processors, "%s: %d processors, not %d", c->what, processors,
                      c->processors);
        ck_assert_int_eq(nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    }
}
END_TEST

START_TEST(a_long_group_is_no_harm) {
    char root[256];
    static char group[20000];
    snprintf(root, sizeof root, "%s", scratch_path("root"));
    ck_assert_int_eq(mkdir(root, 0777), 0);
    for (size_t length = 4000; length < sizeof group; length += 300) {
        memset(group, 'a', sizeof group);
        memcpy(group, "0::/", 4);
        memcpy(group + length - 2, "\n", 2);
        plant(root, "/proc/self/cgroup", group);
        ck_assert_int_eq(dlz_quota_processors(root), 0);
    }
    ck_assert_int_eq(nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}
END_TEST

START_TEST(the_default_is_one_thread_a_processor) {
    cpu_set_t all, one;
    int quota = dlz_quota_processors("");
    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    int allowed = CPU_COUNT(&all);
    ck_assert_int_eq(dlz_processors(), quota > 0 && quota < allowed ? quota : allowed);
    unsetenv("DLVIZ_NUM_THREADS");
    ck_ok(dlviz_set_num_threads(0));
    ck_assert_int_eq(dlviz_num_threads(), dlz_processors());
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_int_eq(dlz_processors(), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof all, &all), 0);
}
END_TEST

static int lines;

/* Asks for what the line is about. */
static void ask_back(dlviz_log_level level, const char *message, void *user) {
    (void)user;
    ck_assert_int_eq(level, DLVIZ_LOG_LEVEL_WARNING);
    ck_assert_int_lt(++lines, 3);
    ck_assert_ptr_nonnull(strstr(message, "=nonsense is"));
    ck_assert_int_ge(dlviz_num_threads(), 1);
    ck_assert_str_ne(dlviz_isa(), "nonsense");
}

/* In a process that has computed nothing yet. */
START_TEST(who_is_told_of_a_setting_may_ask_for_it) {
    if (shares_its_process())
        return;
    ck_assert_int_eq(setenv("DLVIZ_NUM_THREADS", "nonsense", 1), 0);
    ck_assert_int_eq(setenv("DLVIZ_ISA", "nonsense", 1), 0);
    dlviz_set_log(ask_back, NULL);
    ck_assert_int_ge(dlviz_num_threads(), 1);
    ck_assert_str_ne(dlviz_isa(), "nonsense");
    ck_assert_int_eq(lines, 2);
    ck_assert_int_ge(dlviz_num_threads(), 1);
    ck_assert_str_ne(dlviz_isa(), "nonsense");
    dlviz_set_log(NULL, NULL);
    ck_assert_int_eq(lines, 2);
}
END_TEST

/* -- What the environment asks for ---------------------------------------------------------------
 */

/* Whether something is told, which then names what was asked for. */
static bool is_warned_of(const char *text) {
    bool told = *last_warning != '\0';
    ck_assert_msg(!told || strstr(last_warning, text) != NULL, "'%s' does not name '%s'",
                  last_warning, text);
    *last_warning = '\0';
    return told;
}

START_TEST(the_environment_sets_the_number_of_threads) {
    static const struct {
        const char *text;
        int threads; /* 0: it is ignored */
    } cases[] = {{"1", 1},  {"3", 3},   {"", -1},
                 {"0", 0},  {"-1", 0},  {"x", 0},
                 {"3x", 0}, {"2.5", 0}, {"99999999999999999999", 0}};
    *last_warning = '\0';
    unsetenv("DLVIZ_NUM_THREADS");
    ck_ok(dlviz_set_num_threads(0));
    int64_t usual = dlviz_num_threads();
    dlviz_set_log(keep_warning, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("DLVIZ_NUM_THREADS", cases[i].text, 1);
        ck_ok(dlviz_set_num_threads(0));
        ck_assert_int_eq(dlviz_num_threads(), cases[i].threads > 0 ? cases[i].threads : usual);
        ck_assert_int_eq(is_warned_of(cases[i].text), cases[i].threads == 0);
    }
    dlviz_set_log(NULL, NULL);
}
END_TEST

/* Each name in a process of its own, in which nothing was chosen yet. */
START_TEST(the_environment_chooses_the_instructions) {
    if (cannot_fork())
        return;
    for (int isa = 0; isa <= DLZ_ISA_COUNT; isa++) {
        const char *name = isa < DLZ_ISA_COUNT ? dlz_isa_name((dlz_isa)isa) : "abacus";
        bool there = isa < DLZ_ISA_COUNT && dlz_isa_available((dlz_isa)isa);
        pid_t child = fork();
        if (child == 0) {
            setenv("DLVIZ_ISA", name, 1);
            dlviz_set_log(keep_warning, NULL);
            bool chosen = strcmp(dlviz_isa(), name) == 0;
            _exit(chosen == there && is_warned_of(name) == !there ? 0 : 1);
        }
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(status == 0, "DLVIZ_ISA=%s", name);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {every_wanted_worker_comes,
                                  no_worker_misses_a_job_as_it_lies_down,
                                  a_job_for_few_wakes_no_others,
                                  work_is_done_without_the_threads_that_cannot_start,
                                  a_fork_amid_a_job_leaves_a_pool_that_works,
                                  a_cancelled_thread_ends_after_its_call,
                                  a_program_ends_while_another_thread_computes,
                                  a_quota_is_read_from_the_group_and_those_above,
                                  a_long_group_is_no_harm,
                                  the_default_is_one_thread_a_processor,
                                  who_is_told_of_a_setting_may_ask_for_it,
                                  the_environment_sets_the_number_of_threads,
                                  the_environment_chooses_the_instructions,
                                  NULL};
    return run_tests("threads", tests);
}
