/* Limits of the process: on its memory (ulimit -v), on open files (-n) and on the size of files (-f). Each
 * kind of work is done, or fails for what is lacking and says so. It never crashes and never waits for
 * what does not come, and leaves no file half written, whatever the limit. */
#include "limits/work.h"
#include "support/fork.h"
#include "support/process.h"
#include "support/resident.h"
#include "support/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Statuses of a process: its work was done, or what was limited was lacking. */
enum { DONE = 0, LACKED = 10, FAILED = 11, SECONDS = 60 };

typedef struct bound {
    const char *what;
    int resource;
    rlim_t value; /* for memory: beyond what is in use */
    dlviz_status lacking;
} bound;

/* Address space in use, in bytes; 0 where the system does not say. */
static rlim_t space_in_use(void) {
    double used = megabytes("VmSize");
    return used > 0 ? (rlim_t)(used * 1024 * 1024) : 0;
}

static void work_within(const work *what, const bound *limit, const char *place) {
    uint64_t digest = 0;
    rlim_t most = limit->value + (limit->resource == RLIMIT_AS ? space_in_use() : 0);
    struct rlimit both = {most, most};
    alarm(SECONDS);
    if (dlviz_set_num_threads(2) != DLVIZ_OK || setrlimit(limit->resource, &both) != 0)
        _exit(FAILED);
    dlviz_status status = what->run(place, &digest);
    if (status != DLVIZ_OK && status != limit->lacking)
        fprintf(stderr, "%s with %llu %s: %s\n", what->name, (unsigned long long)limit->value,
                limit->what, dlviz_last_error());
    _exit(status == DLVIZ_OK ? DONE : status == limit->lacking ? LACKED : FAILED);
}

/* Whether it was done. */
static bool try_within(const work *what, const bound *limit, const char *place) {
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        work_within(what, limit, place);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "%s with %llu %s: signal %d", what->name,
                  (unsigned long long)limit->value, limit->what, WTERMSIG(status));
    ck_assert_msg(WEXITSTATUS(status) == DONE || WEXITSTATUS(status) == LACKED,
                  "%s with %llu %s: status %d", what->name, (unsigned long long)limit->value,
                  limit->what, WEXITSTATUS(status));
    return WEXITSTATUS(status) == DONE;
}

static bool cannot_limit(void) {
    if (MEMORY_IS_OURS && space_in_use() > 0)
        return cannot_fork();
    printf("SKIP: limits would be those of a sanitizer\n");
    return true;
}

START_TEST(memory) {
    if (cannot_limit())
        return;
    for (int i = 0; i < num_works; i++) {
        bool done = false, lacked = false;
        if (works[i].draws) /* GLib and fontconfig may end the process then */
            continue;
        bound limit = {"bytes of memory", RLIMIT_AS, 0, DLVIZ_ERROR_OUT_OF_MEMORY};
        while (limit.value <= 64 << 20) {
            bool now = try_within(&works[i], &limit, scratch_path("memory-"));
            done = done || now;
            lacked = lacked || !now;
            if (now && limit.value > 20 << 20)
                break;
            limit.value += limit.value < 2 << 20 ? 128 << 10 : limit.value / 5;
        }
        ck_assert_msg(done && lacked, "%s: %s", works[i].name,
                      done ? "no limit was too low" : "no limit was enough");
    }
}
END_TEST

/* -- Files ---------------------------------------------------------------------------------------
 */

/* How many files the work has, none of them a temporary one. */
static int count_files(void) {
    DIR *folder = opendir(scratch_folder());
    ck_assert_ptr_nonnull(folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder)); count++)
        ck_assert_msg(strncmp(entry->d_name, ".dlviz-", 7) != 0, "%s is left", entry->d_name);
    closedir(folder);
    return count;
}

/* All can be read that an earlier, unlimited work has written, whether it is replaced or not. */
static void ck_files_are_whole(const char *place) {
    char name[300];
    dlviz_tensor *tensor;
    dlviz_network *network;
    dlviz_pca *pca;
    snprintf(name, sizeof name, "%spoints.npy", place);
    ck_ok(dlviz_tensor_read_npy(&tensor, name));
    dlviz_tensor_destroy(tensor);
    snprintf(name, sizeof name, "%snetwork", place);
    ck_ok(dlviz_network_open(&network, name));
    dlviz_network_destroy(network);
    snprintf(name, sizeof name, "%spca", place);
    ck_ok(dlviz_pca_open(&pca, name));
    dlviz_pca_destroy(pca);
}

static void try_limits(int resource, const char *what, const rlim_t *values, int count) {
    char place[300];
    bound none = {"", RLIMIT_CORE, 0, DLVIZ_OK};
    snprintf(place, sizeof place, "%s", scratch_path("file-"));
    for (int time = 0; time < 2; time++) /* the second checkpoint keeps the first */
        for (int i = 0; i < num_works; i++)
            if (!works[i].draws || dlviz_plot_supported())
                ck_assert(try_within(&works[i], &none, place));
    int files = count_files();
    for (int i = 0; i < num_works; i++) {
        bool lacked = false, done = false;
        for (int v = 0; v < count && (!works[i].draws || resource == RLIMIT_FSIZE); v++) {
            bound limit = {what, resource, values[v], DLVIZ_ERROR_IO};
            if (works[i].draws && !dlviz_plot_supported())
                continue;
            bool now = try_within(&works[i], &limit, place);
            done = done || now;
            lacked = lacked || !now;
            ck_assert_int_eq(count_files(), files);
        }
        ck_assert_msg(done || works[i].draws, "%s: no limit was enough", works[i].name);
        if (strcmp(works[i].name, "files of tensors") == 0)
            ck_assert(lacked);
    }
    ck_files_are_whole(place);
}

START_TEST(open_files) {
    if (cannot_limit())
        return;
    /* The lowest that is free here, and a few more. */
    int next = open("/dev/null", O_RDONLY);
    close(next);
    rlim_t values[5];
    for (int i = 0; i < 5; i++)
        values[i] = (rlim_t)(next + (i < 4 ? i : 20));
    try_limits(RLIMIT_NOFILE, "files open", values, 5);
}
END_TEST

START_TEST(sizes_of_files) {
    static const rlim_t values[] = {0, 1, 500, 4096, 65536, 100000, 1 << 24};
    if (cannot_limit())
        return;
    try_limits(RLIMIT_FSIZE, "bytes in a file", values, sizeof values / sizeof *values);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {memory, open_files, sizes_of_files, NULL};
    return run_tests("limits", tests);
}
