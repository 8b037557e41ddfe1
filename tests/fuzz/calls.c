/* Random sequences of calls, as a fuzz target: see calls.h. For clang's libFuzzer, and for
 * tests/random/test_calls.c, which runs some in the suite. */
#include "calls.h"
#include "calls_run.h"

#include <stdio.h>
#include <stdlib.h>

static void log_function(dlviz_log_level level, const char *message, void *user) {
    (void)user;
    require((unsigned)level < 3 && message != NULL, "a line of the log");
    see_text(message);
}

static void release_nothing(void *block, void *user) {
    (void)block;
    (void)user;
}

void call_runtime(void) {
    int64_t threads = one_in(8) ? an_int() : 1 + below(2);
    int64_t limit = one_in(4) ? an_int() : a_bool() ? 0 : 1 << (8 + below(16));
    switch (below(9)) {
    case 8:
        if (CALL(dlviz_set_file_limit(limit)) == DLVIZ_OK)
            require(dlviz_file_limit() == limit, "that limit");
        break;
    case 0:
    case 1:
    case 2:
    case 3: /* the Nth request for memory fails */
        fail_an_allocation(below(48), one_in(3) ? 1 + below(16) : 1);
        break;
    case 4:
        if (call_depth() == 0 && (threads <= 2 || threads > 256) &&
            CALL(dlviz_set_num_threads(threads)) == DLVIZ_OK)
            require(threads == 0 || dlviz_num_threads() == threads, "so many threads");
        break;
    case 5:
        if (call_depth() == 0)
            dlviz_set_progress(a_bool() ? progress_function : NULL, NULL);
        break;
    case 6:
        dlviz_set_log(a_bool() ? log_function : NULL, NULL);
        require(CALL(dlviz_set_allocator(NULL, release_nothing, NULL)) != DLVIZ_OK,
                "half an allocator");
        break;
    default: {
        char shown[16] = "";
        see_text(dlviz_printable(one_in(8) ? NULL : shown, (size_t)below((int)sizeof shown + 1),
                                 dlviz_last_error()));
        see_text(dlviz_isa());
        see_text(dlviz_blas());
        see_text(dlviz_version());
        see_text(dlviz_status_name((dlviz_status)an_enum(12)));
        require(dlviz_version_number() == DLVIZ_VERSION_NUMBER &&
                    dlviz_status_name((dlviz_status)an_int()) != NULL,
                "names of everything");
    }
    }
}

/* The subjects that most calls of a sequence are of, so that it gets somewhere. */
enum { MOST_FAVORITES = 4 };
static uint8_t favorites[MOST_FAVORITES];
static int num_favorites;

void call_something(void) {
    static const struct subject {
        void (*call)(void);
        int share;
    } subjects[] = {
        {call_tensor, 20},    {call_files, 16},    {call_dataset, 28},   {call_augmentation, 14},
        {call_layer, 14},     {call_loss, 10},     {call_network, 26},   {call_network_files, 12},
        {call_gradients, 14}, {call_predictor, 8}, {call_optimizer, 12}, {call_schedule, 10},
        {call_trainer, 24},   {call_pca, 12},      {call_tsne, 12},      {call_film, 6},
        {call_metrics, 6},    {call_figure, 10},   {call_report, 10},    {call_comm, 3},
        {call_runtime, 12},
    };
    static int total;
    if (total == 0)
        for (int64_t i = 0; i < COUNT(subjects); i++)
            total += subjects[i].share;
    int borrowed = num_borrowed(), which = a_byte(), at = (which * 256 + a_byte()) % total;
    int64_t i = 0;
    for (; at >= subjects[i].share; i++)
        at -= subjects[i].share;
    if (num_favorites > 0 && a_byte() < 192)
        i = favorites[which % num_favorites] % COUNT(subjects);
    subjects[i].call();
    give_back_borrowed(borrowed);
}

static int64_t live_before;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    begin_checks();
    set_allocator();
    require(dlviz_set_num_threads(1) == DLVIZ_OK, "one thread");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    read_bytes_from(bytes, size);
    count_sequence();
    live_before = live_blocks();
    uint8_t settings = a_byte();
    dlviz_set_progress(settings % 4 == 3 ? progress_function : NULL, NULL);
    dlviz_set_log(settings & 16 ? log_function : NULL, NULL);
    require(dlviz_set_num_threads(settings >= 240 ? 2 : 1) == DLVIZ_OK, "a number of threads");
    num_favorites = a_byte() % (MOST_FAVORITES + 1);
    for (int i = 0; i < num_favorites; i++)
        favorites[i] = a_byte();
    for (uint8_t trainings = a_byte() % 4; trainings > 1; trainings--)
        make_a_training();
    while (bytes_left())
        call_something();
    fail_an_allocation(-1, 0);
    require(dlviz_set_file_limit(0) == DLVIZ_OK, "no limit");
    dlviz_set_progress(NULL, NULL);
    dlviz_set_log(NULL, NULL);
    drop_all();
    require(dlviz_set_num_threads(1) == DLVIZ_OK, "one thread");
    if (live_blocks() != live_before)
        fprintf(stderr, "%lld blocks are left\n", (long long)(live_blocks() - live_before));
    require(live_blocks() == live_before, "all memory is given back");
    require(users_left() == 0, "all user pointers are given back");
    forget_files();
    return 0;
}
