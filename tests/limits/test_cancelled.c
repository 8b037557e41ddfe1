/* pthread_cancel: a thread is ended between calls of the library, never in one, which would leave files
 * open, temporary files behind, memory lost and handles in use. Here a cancellation is due before the
 * first call and may act in every one of them: so each call meets it at all moments at once. */
#include "limits/work.h"
#include "support/fork.h"
#include "support/memory.h"
#include "support/random_cases.h"
#include "support/valid_files.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void let_cancellation_act(void) {
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
}

static void hold_cancellation_up(void) {
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
}

typedef struct victim {
    work_fn run;
    const char *place;
    uint64_t digest;
    dlviz_status status;
} victim;

static void *run_cancelled(void *user) {
    victim *v = user;
    hold_cancellation_up();
    pthread_cancel(pthread_self());
    work_call_begins = let_cancellation_act;
    work_call_ends = hold_cancellation_up;
    v->status = v->run(v->place, &v->digest);
    return NULL;
}

/* How many entries a folder has, of which none is a temporary file. */
static int count_entries(const char *path) {
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder)); count++)
        ck_assert_msg(strncmp(entry->d_name, ".dlviz-", 7) != 0, "%s is left", entry->d_name);
    closedir(folder);
    return count;
}

/* The work is done to its end all the same, and nothing of it stays. It is the first of its process, so
 * that also what is found out once is found out by a thread that is to end. */
static void survive(const char *name, work_fn run, const char *place) {
    victim v = {.run = run, .place = place};
    uint64_t digest = 0;
    void *result;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run_cancelled, &v), 0);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_msg(result != PTHREAD_CANCELED, "%s: the thread was ended in a call", name);
    ck_assert_msg(v.status == DLVIZ_OK, "%s: %s", name, dlviz_status_name(v.status));
    ck_assert_msg(run(place, &digest) == DLVIZ_OK, "%s: %s", name, dlviz_last_error());
    ck_assert_msg(v.digest == digest, "%s: other results", name);
    int open = count_entries("/proc/self/fd");
    v.digest = 0;
    watch_memory();
    ck_assert_int_eq(pthread_create(&thread, NULL, run_cancelled, &v), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    memory_watched();
    ck_assert_int_eq(count_entries("/proc/self/fd"), open);
    count_entries(scratch_folder());
}

static void ck_survives(const char *name, work_fn run, const char *place) {
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        survive(name, run, place);
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "%s: see above (in a process that ended with %d)", name, status);
}

START_TEST(no_call_is_ended_half_way) {
    scratch_folder();
    for (int i = 0; !cannot_fork() && i < num_works; i++)
        if (!works[i].draws || dlviz_plot_supported())
            ck_survives(works[i].name, works[i].run, scratch_path("cancelled-"));
}
END_TEST

/* -- At random moments ----------------------------------------------------------------------------
 */

static void *run_until_cancelled(void *user) {
    victim *v = user;
    hold_cancellation_up();
    work_call_begins = let_cancellation_act;
    work_call_ends = hold_cancellation_up;
    v->status = v->run(v->place, &v->digest);
    return NULL;
}

/* Nanoseconds that a piece of work takes, whose results are those that it should have. */
static int64_t time_work(victim *v) {
    struct timespec begin, end;
    v->digest = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    ck_assert_msg(v->run(v->place, &v->digest) == DLVIZ_OK, "%s", dlviz_last_error());
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec;
}

/* While another thread works, cancels it after some part of the time that it takes. */
static void cancel_amid(const work *each, const char *place, int64_t nanoseconds, uint64_t digest) {
    victim v = {.run = each->run, .place = place};
    struct timespec delay = {(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
    void *result;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run_until_cancelled, &v), 0);
    nanosleep(&delay, NULL);
    pthread_cancel(thread);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_msg(result != PTHREAD_CANCELED, "%s: the thread was ended in a call after %.3g ms",
                  each->name, (double)nanoseconds * 1e-6);
    ck_assert_msg(v.status == DLVIZ_OK, "%s: %s", each->name, dlviz_status_name(v.status));
    ck_assert_msg(v.digest == digest, "%s: other results after %.3g ms", each->name,
                  (double)nanoseconds * 1e-6);
}

START_TEST(no_moment_of_a_call_ends_it) {
    scratch_folder();
    dlz_random moments = random_numbers(19);
    for (int i = 0; i < num_works; i++) {
        if (works[i].draws && !dlviz_plot_supported())
            continue;
        victim once = {.run = works[i].run, .place = scratch_path("amid-")};
        time_work(&once); /* what is found out once */
        int64_t whole = time_work(&once);
        int open = count_entries("/proc/self/fd");
        for (int j = 0; j < 12; j++)
            cancel_amid(&works[i], once.place, random_between(&moments, 0, whole), once.digest);
        ck_assert_int_eq(count_entries("/proc/self/fd"), open);
    }
}
END_TEST

/* -- Calls that no work makes --------------------------------------------------------------------
 */

/* Between these, one call of the library. */
#define CALL(call) (let_cancellation_act(), called = (call), hold_cancellation_up(), called)

static dlviz_status read_archive(const char *place, uint64_t *digest) {
    (void)digest;
    dlviz_status called;
    dlviz_npz *npz;
    dlviz_tensor *tensor;
    TRY(CALL(dlviz_npz_open(&npz, place)));
    for (int64_t i = 0; i < dlviz_npz_num_arrays(npz); i++) {
        TRY(CALL(dlviz_npz_read(npz, dlviz_npz_array_name(npz, i), &tensor)));
        dlviz_tensor_destroy(tensor);
    }
    let_cancellation_act();
    dlviz_npz_destroy(npz);
    hold_cancellation_up();
    return DLVIZ_OK;
}

static dlviz_status read_images(const char *place, uint64_t *digest) {
    (void)digest;
    dlviz_status called;
    dlviz_dataset *dataset;
    dlviz_tensor *images;
    TRY(CALL(dlviz_dataset_read_folder(&dataset, place, NULL)));
    TRY(CALL(dlviz_dataset_samples(dataset, 0, dlviz_dataset_num_samples(dataset), &images)));
    dlviz_tensor_destroy(images);
    dlviz_dataset_destroy(dataset);
    return DLVIZ_OK;
}

static dlviz_status count_threads(const char *place, uint64_t *digest) {
    (void)place, (void)digest;
    dlviz_status called, status = CALL(dlviz_set_num_threads(0));
    let_cancellation_act();
    dlviz_num_threads();
    dlviz_isa();
    dlviz_blas();
    hold_cancellation_up();
    return status;
}

/* Nor what only sets something, where that takes the mark of a handle. */
static dlviz_status set_something(const char *place, uint64_t *digest) {
    (void)place, (void)digest;
    dlviz_status called;
    dlviz_optimizer *optimizer;
    dlviz_network *network = small_network(1);
    TRY(CALL(dlviz_adam_create(&optimizer, 1e-3)));
    TRY(CALL(dlviz_optimizer_set_rate_factor(optimizer, "*", 2)));
    TRY(CALL(dlviz_optimizer_clear_rate_factors(optimizer)));
    TRY(CALL(dlviz_network_set_loss(network, dlviz_cross_entropy())));
    dlviz_optimizer_destroy(optimizer);
    dlviz_network_destroy(network);
    return DLVIZ_OK;
}

/* A communicator of two ranks whose functions are where threads are ended. */
static dlviz_status fail_to_start(int64_t slot, int64_t peer, const void *from, size_t send_size,
                                  void *to, size_t receive_size, void *user) {
    (void)slot, (void)peer, (void)from, (void)send_size, (void)to, (void)receive_size, (void)user;
    return dlviz_fail(DLVIZ_ERROR_COMM, "nobody there");
}

static dlviz_status never_finish(int64_t slot, bool wait, bool *finished, void *user) {
    (void)slot, (void)wait, (void)finished, (void)user;
    return dlviz_fail(DLVIZ_ERROR_COMM, "nobody there");
}

static void tell_nobody(const char *sentence, void *user) {
    (void)sentence, (void)user;
}

static void take_time(void *user) {
    (void)user;
    nanosleep(&(struct timespec){0, 1000}, NULL);
}

static dlviz_status end_communicator(const char *place, uint64_t *digest) {
    (void)place, (void)digest;
    static const dlviz_comm_functions functions = {.struct_size = sizeof functions,
                                                   .start = fail_to_start,
                                                   .finish = never_finish,
                                                   .fail = tell_nobody,
                                                   .destroy = take_time};
    dlviz_comm *comm;
    dlviz_status called;
    if (CALL(dlviz_comm_create(&comm, 5, 2, &functions, NULL)) == DLVIZ_OK)
        return DLVIZ_ERROR_STATE;
    TRY(dlviz_comm_create(&comm, 0, 2, &functions, NULL));
    let_cancellation_act();
    dlviz_comm_destroy(comm);
    hold_cancellation_up();
    return DLVIZ_OK;
}

static void take_time_for(void *data, void *user) {
    (void)data;
    take_time(user);
}

/* What a tensor, a layer and a loss of the program's own end with. */
static dlviz_status end_what_is_ones_own(const char *place, uint64_t *digest) {
    (void)place, (void)digest;
    static float number;
    dlviz_tensor *tensor;
    dlviz_layer_functions layer = {.struct_size = sizeof layer, .destroy = take_time};
    dlviz_loss_functions loss = {.struct_size = sizeof loss, .destroy = take_time};
    TRY(dlviz_tensor_wrap(&tensor, DLVIZ_FLOAT32, 1, (int64_t[]){1}, &number, take_time_for, NULL));
    dlviz_layer *own_layer = dlviz_layer_custom(&layer, NULL);
    dlviz_loss *own_loss = dlviz_loss_custom(&loss, NULL);
    let_cancellation_act();
    dlviz_tensor_destroy(tensor);
    dlviz_layer_destroy(own_layer);
    dlviz_loss_destroy(own_loss);
    hold_cancellation_up();
    return DLVIZ_OK;
}

/* Files are made in a process of their own, which knows them in the end. */
static void make_files(void) {
    pid_t child = fork();
    if (child == 0) {
        samples archives = {.count = 0}, pictures = {.count = 0};
        make_npzs(&archives);
        write_file(scratch_path("archive.npz"), archives.all[archives.count - 1].bytes,
                   archives.all[archives.count - 1].size);
        mkdir(scratch_path("pictures"), 0700);
        mkdir(scratch_path("pictures/a"), 0700);
        if (dlviz_images_supported(DLVIZ_IMAGE_FORMAT_PNG)) {
            make_pngs(&pictures);
            write_file(scratch_path("pictures/a/1.png"), pictures.all[0].bytes,
                       pictures.all[0].size);
        }
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(nor_are_other_calls) {
    scratch_folder();
    if (cannot_fork())
        return;
    make_files();
    ck_survives("reading an archive", read_archive, scratch_path("archive.npz"));
    if (dlviz_images_supported(DLVIZ_IMAGE_FORMAT_PNG))
        ck_survives("reading a folder", read_images, scratch_path("pictures"));
    ck_survives("counting threads", count_threads, NULL);
    ck_survives("setting something", set_something, NULL);
    ck_survives("ending a communicator", end_communicator, NULL);
    ck_survives("ending what is one's own", end_what_is_ones_own, NULL);
    remove(scratch_path("pictures/a/1.png"));
    remove(scratch_path("pictures/a"));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {no_call_is_ended_half_way, no_moment_of_a_call_ends_it,
                                  nor_are_other_calls, NULL};
    return run_tests("cancelled", tests);
}
