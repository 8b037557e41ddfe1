/* Threads with little stack: no call needs more of it than dlviz/runtime.h says. Each kind of work runs
 * on a stack that was filled with a pattern, which shows how deep it went, and then on one that ends
 * where it would go deeper than that. */
#include "base/json.h"
#include "base/base.h"
#include "limits/work.h"
#include "tensor/safetensors.h"
#include "support/sanitizers.h"
#include "support/support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What include/dlviz/runtime.h says. */
enum { PROMISED = 64 << 10, PROMISED_TO_DRAW = 256 << 10 };
enum { ROOMY = 2 << 20, PATTERN = 0xA5 };

/* Instrumented code has larger frames, and so has code that is not optimized. */
#if WITH_ADDRESS_SANITIZER || WITH_THREAD_SANITIZER || !defined(__OPTIMIZE__)
#define FRAMES_ARE_OURS false
#else
#define FRAMES_ARE_OURS true
#endif

typedef struct errand {
    void (*run)(void *context);
    void *context;
    size_t above, below; /* of the stack, in use where `run` was called; that it used */
    char *frame;
} errand;

static void *do_errand(void *user) {
    errand *e = user;
    e->frame = __builtin_frame_address(0);
    e->run(e->context);
    return NULL;
}

/* In a thread whose stack has `size` bytes, and below these a page that nobody may touch. */
static void run_on_stack(errand *e, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *memory =
        mmap(NULL, page + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(memory != MAP_FAILED);
    ck_assert_int_eq(mprotect(memory, page, PROT_NONE), 0);
    unsigned char *stack = memory + page, *lowest = stack;
    memset(stack, PATTERN, size);
    pthread_attr_t attributes;
    pthread_t thread;
    ck_assert_int_eq(pthread_attr_init(&attributes), 0);
    ck_assert_int_eq(pthread_attr_setstack(&attributes, stack, size), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, do_errand, e), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
    while (lowest < stack + size && *lowest == PATTERN)
        lowest++;
    e->above = (size_t)((char *)stack + size - e->frame);
    e->below = (size_t)(e->frame - (char *)lowest);
    ck_assert_int_eq(munmap(memory, page + size), 0);
}

static void do_nothing(void *unused) {
    (void)unused;
}

/* Runs it with all the stack that it may need, and then with what it is promised to need at most. */
static void ck_fits(const char *name, void (*run)(void *context), void *context, size_t promised) {
    errand empty = {.run = do_nothing}, roomy = {.run = run, .context = context}, tight = roomy;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    run_on_stack(&empty, ROOMY);
    run_on_stack(&roomy, ROOMY);
    if (getenv("DLVIZ_TEST_STACKS"))
        fprintf(stderr, "%8zu bytes of stack: %s\n", roomy.below, name);
    if (!FRAMES_ARE_OURS)
        return;
    ck_assert_msg(roomy.below <= promised, "%s needs %zu bytes of stack; %zu are promised to do",
                  name, roomy.below, promised);
    run_on_stack(&tight, (empty.above + promised + page - 1) / page * page);
}

/* -- Each kind of work ---------------------------------------------------------------------------
 */

typedef struct piece {
    const work *work;
    const char *place;
    uint64_t digest;
    dlviz_status status;
    char sentence[300];
} piece;

static void do_piece(void *context) {
    piece *p = context;
    p->digest = 0;
    p->status = p->work->run(p->place, &p->digest);
    if (p->status != DLVIZ_OK)
        snprintf(p->sentence, sizeof p->sentence, "%s", dlviz_last_error());
}

static void try_works(bool that_draw, size_t promised) {
    for (int i = 0; i < num_works; i++) {
        piece p = {.work = &works[i], .place = scratch_path("stack-")};
        if (works[i].draws != that_draw)
            continue;
        ck_fits(p.work->name, do_piece, &p, promised);
        ck_assert_msg(p.status == DLVIZ_OK, "%s: %s", p.work->name, p.sentence);
    }
}

START_TEST(work_fits_on_small_stacks) {
    /* All on the calling thread, and among others. */
    for (int64_t threads = 1; threads <= 3; threads += 2) {
        ck_ok(dlviz_set_num_threads(threads));
        try_works(false, PROMISED);
    }
}
END_TEST

START_TEST(figures_need_more) {
    if (!dlviz_plot_supported()) {
        printf("SKIP: this build draws no figures\n");
        return;
    }
    ck_ok(dlviz_set_num_threads(1));
    try_works(true, PROMISED_TO_DRAW);
}
END_TEST

/* -- The first call of a process -----------------------------------------------------------------
 */

static void count_threads(void *count) {
    *(int64_t *)count = dlviz_num_threads();
}

START_TEST(the_number_of_processors_is_found_on_a_small_stack) {
    int64_t count = 0;
    unsetenv("DLVIZ_NUM_THREADS");
    errand e = {.run = count_threads, .context = &count};
    run_on_stack(&e, ROOMY);
    ck_assert_int_ge(count, 1);
    if (FRAMES_ARE_OURS)
        ck_assert_uint_le(e.below, PROMISED);
    if (getenv("DLVIZ_TEST_STACKS"))
        fprintf(stderr, "%8zu bytes of stack: the number of processors\n", e.below);
}
END_TEST

/* -- Files made to deceive -----------------------------------------------------------------------
 */

/* `before`, so many levels, `after`; free it. */
static char *nested(const char *before, int levels, bool objects, const char *after) {
    const char *open = objects ? "{\"a\":" : "[", *close = objects ? "}" : "]";
    size_t room = strlen(before) + (size_t)levels * 6 + strlen(after) + 2;
    char *text = malloc(room), *at = text + sprintf(text, "%s", before);
    for (int i = 0; i < levels; i++)
        at += sprintf(at, "%s", open);
    *at++ = '1';
    for (int i = 0; i < levels; i++)
        at += sprintf(at, "%s", close);
    sprintf(at, "%s", after);
    return text;
}

typedef struct trap {
    const void *bytes;
    size_t size;
    dlviz_status (*open)(const void *bytes, size_t size);
    dlviz_status status;
    char sentence[300];
} trap;

static dlviz_status open_architecture(const void *bytes, size_t size) {
    dlviz_network *network;
    return dlviz_network_open_architecture_memory(&network, bytes, size);
}

static dlviz_status open_network(const void *bytes, size_t size) {
    dlviz_network *network;
    return dlviz_network_open_memory(&network, bytes, size);
}

static dlviz_status open_tensors(const void *bytes, size_t size) {
    dlviz_safetensors *contents;
    return dlviz_safetensors_open_memory(&contents, bytes, size);
}

static dlviz_status merge_page(const void *bytes, size_t size) {
    dlviz_report *report;
    dlviz_status status = dlviz_report_create(&report, NULL, 0);
    if (status == DLVIZ_OK)
        status = dlviz_report_merge_memory(report, bytes, size);
    dlviz_report_destroy(report);
    return status;
}

static void fall_in(void *context) {
    trap *t = context;
    t->status = t->open(t->bytes, t->size);
    snprintf(t->sentence, sizeof t->sentence, "%s", dlviz_last_error());
}

/* `too_deep`: that is why. */
static void ck_refuses(const char *what, dlviz_status (*open)(const void *, size_t),
                       const void *bytes, size_t size, bool too_deep) {
    trap t = {.bytes = bytes, .size = size, .open = open};
    ck_fits(what, fall_in, &t, PROMISED);
    ck_assert_int_eq(t.status, DLVIZ_ERROR_FORMAT);
    ck_assert_msg(!too_deep || strstr(t.sentence, "nested more than") != NULL, "%s: %s", what,
                  t.sentence);
}

/* A network's file, with that in place of what the network is. */
static void ck_refuses_network(const char *description, bool too_deep) {
    dlviz_safetensors *contents;
    void *bytes;
    size_t size;
    ck_ok(dlviz_safetensors_create(&contents));
    ck_ok(dlviz_safetensors_set_metadata(contents, DLZ_NETWORK_KEY, description));
    ck_ok(dlviz_safetensors_save_memory(contents, &bytes, &size));
    ck_refuses("a network", open_network, bytes, size, too_deep);
    dlviz_free(bytes);
    dlviz_safetensors_destroy(contents);
}

START_TEST(what_is_nested_deep_is_refused) {
    /* As deep as is read, and deeper: 2048 is jansson's own bound. */
    static const int depths[] = {DLZ_JSON_MOST_DEPTH - 4, DLZ_JSON_MOST_DEPTH + 1, 2000, 4000};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++)
        for (int objects = 0; objects <= 1; objects++) {
            int levels = depths[i];
            bool deep = levels > DLZ_JSON_MOST_DEPTH;
            char *text = nested("{\"layers\":", levels, objects, "}");
            ck_refuses("a description", open_architecture, text, strlen(text), deep);
            free(text);
            text = nested("<script type=\"application/json\" id=\"data\">", levels, objects,
                          "</script><script type=\"text/plain\" id=\"sprite\"></script>");
            ck_refuses("a page", merge_page, text, strlen(text), deep);
            free(text);
            text = nested("12345678{\"a\":", levels, objects, "}");
            size_t length = strlen(text);
            for (int byte = 0; byte < 8; byte++)
                text[byte] = (char)((length - 8) >> (8 * byte));
            ck_refuses("a header", open_tensors, text, length, deep);
            free(text);
            text = nested("", levels, objects, "");
            ck_refuses_network(text, deep);
            free(text);
        }
}
END_TEST

/* -- The program's own thread ---------------------------------------------------------------------
 */

/* What main does in a process of its own: a line for the first failure. */
static int work_in_main(const char *place) {
    if (dlviz_set_num_threads(2) != DLVIZ_OK)
        return 2;
    for (int i = 0; i < num_works; i++) {
        uint64_t digest = 0;
        if (!works[i].draws && works[i].run(place, &digest) != DLVIZ_OK) {
            fprintf(stderr, "%s: %s\n", works[i].name, dlviz_last_error());
            return 1;
        }
    }
    return 0;
}

START_TEST(main_may_have_little_too) {
    static const char *const isas[] = {"generic", "avx2", "avx512", "neon"};
    if (!FRAMES_ARE_OURS)
        return;
    for (size_t i = 0; i < sizeof isas / sizeof *isas; i++) {
        const char *place = scratch_path("main-");
        pid_t child = fork();
        if (child == 0) {
            /* The names and values of the environment lie there as well. */
            char isa[32], *arguments[] = {"test_small_stacks", (char *)(uintptr_t)place, NULL};
            char *environment[] = {isa, NULL};
            snprintf(isa, sizeof isa, "DLVIZ_ISA=%s", isas[i]);
            struct rlimit limit = {PROMISED + (32 << 10), PROMISED + (32 << 10)};
            if (setrlimit(RLIMIT_STACK, &limit) == 0)
                execve("/proc/self/exe", arguments, environment);
            _exit(3);
        }
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: %s %d", isas[i],
                      WIFEXITED(status) ? "status" : "signal",
                      WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
}
END_TEST

int main(int argc, char **argv) {
    if (argc > 1)
        return work_in_main(argv[1]);
    const TTest *const tests[] = {the_number_of_processors_is_found_on_a_small_stack,
                                  work_fits_on_small_stacks,
                                  main_may_have_little_too,
                                  what_is_nested_deep_is_refused,
                                  figures_need_more,
                                  NULL};
    return run_tests("small stacks", tests);
}
