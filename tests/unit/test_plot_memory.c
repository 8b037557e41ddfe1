/* One allocation of cairo's fails: the figure is refused, or it is the same as ever. It is never
 * drawn without its text, or in part, as if all were well. */
#include "support/figures.h"
#include "support/sanitizers.h"

#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__GLIBC__) && !WITH_ADDRESS_SANITIZER && !WITH_THREAD_SANITIZER
#define CAN_FAIL 1

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

/* Where cairo's code lies, how often it has asked for memory, and the time it gets none. */
static uintptr_t first_byte, last_byte;
static long asked, refused;

static bool fails(const void *caller) {
    uintptr_t at = (uintptr_t)caller;
    if (refused == 0 || at < first_byte || at >= last_byte || ++asked != refused)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(block, size);
}

static int find_cairo(struct dl_phdr_info *module, size_t size, void *user) {
    (void)size;
    (void)user;
    if (strstr(module->dlpi_name, "libcairo.so"))
        for (int i = 0; i < module->dlpi_phnum; i++)
            if (module->dlpi_phdr[i].p_type == PT_LOAD && (module->dlpi_phdr[i].p_flags & PF_X)) {
                first_byte = module->dlpi_addr + module->dlpi_phdr[i].p_vaddr;
                last_byte = first_byte + module->dlpi_phdr[i].p_memsz;
            }
    return 0;
}
#else
#define CAN_FAIL 0
#endif

#if CAN_FAIL
enum outcome { SAME, OTHER, OUT_OF_MEMORY, REFUSED_OTHERWISE, KILLED, NUM_OUTCOMES };

typedef struct drawing {
    dlviz_figure *figure;
    dlviz_figure_format format;
    void *bytes;
    size_t size;
} drawing;

/* In a process of its own, as an earlier drawing leaves cairo's caches full. */
static enum outcome draw_without(const drawing *whole, long number) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        void *bytes;
        size_t size;
        if (!freopen("/dev/null", "w", stderr))
            _exit(REFUSED_OTHERWISE);
        asked = 0;
        refused = number;
        dlviz_status status =
            dlviz_figure_write_memory(whole->figure, whole->format, &bytes, &size);
        refused = 0;
        if (status == DLVIZ_OK)
            _exit(size == whole->size && memcmp(bytes, whole->bytes, size) == 0 ? SAME : OTHER);
        _exit(status == DLVIZ_ERROR_OUT_OF_MEMORY ? OUT_OF_MEMORY : REFUSED_OTHERWISE);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? (enum outcome)WEXITSTATUS(status) : KILLED;
}

/* The number of allocations of a drawing in a process that has drawn nothing, and its bytes. */
static long draw_whole(drawing *whole) {
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        void *bytes;
        size_t size;
        asked = 0;
        refused = -1;
        ck_ok(dlviz_figure_write_memory(whole->figure, whole->format, &bytes, &size));
        refused = 0;
        write_file(scratch_path("whole"), bytes, size);
        _exit(write(ends[1], &asked, sizeof asked) != sizeof asked);
    }
    int status;
    long count;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(read(ends[0], &count, sizeof count), sizeof count);
    close(ends[0]), close(ends[1]);
    whole->bytes = read_text(scratch_path("whole"), &whole->size);
    return count;
}
#endif

START_TEST(no_figure_is_drawn_in_part) {
#if CAN_FAIL
    dl_iterate_phdr(find_cairo, NULL);
    if (first_byte == 0) {
        printf("SKIP: no libcairo.so in this process\n");
        return;
    }
    for (int format = 0; format < 3; format++) {
        drawing whole = {.figure = curves_figure(3), .format = (dlviz_figure_format)format};
        ck_ok(dlviz_figure_set_size(whole.figure, 220, 260));
        ck_ok(dlviz_figure_set_title(whole.figure, "Título עברית"));
        long count = draw_whole(&whole), outcomes[NUM_OUTCOMES] = {0}, tried = 0;
        ck_assert_int_gt(count, 50);
        for (long number = 1; number <= count; number += 1 + count / 150) {
            enum outcome outcome = draw_without(&whole, number);
            ck_assert_msg(outcome != OTHER, "format %d: another figure without allocation %ld",
                          format, number);
            outcomes[outcome]++;
            tried++;
        }
        ck_assert_int_gt(outcomes[OUT_OF_MEMORY], tried / 2);
        ck_assert_int_eq(outcomes[REFUSED_OTHERWISE], 0);
        /* Cairo itself does not survive some: 1.16 ends in 5 of 974. */
        ck_assert_int_le(outcomes[KILLED], 2 + tried / 20);
        dlviz_figure_destroy(whole.figure);
        free(whole.bytes);
    }
#else
    printf("SKIP: allocations cannot be replaced here\n");
#endif
}
END_TEST

/* GLib ends the process when it gets no memory or no thread: before that the figure is refused. */
START_TEST(little_room_ends_no_process) {
#if CAN_FAIL
    dlviz_figure *figure = curves_figure(3);
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;
    if (!file || fscanf(file, "%ld", &pages) != 1) {
        printf("SKIP: no /proc\n");
        return;
    }
    fclose(file);
    rlim_t now = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
    int drawn = 0, without = 0;
    for (rlim_t more = 0; more < (rlim_t)480 << 20; more += (rlim_t)12 << 20) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            void *bytes;
            size_t size;
            setrlimit(RLIMIT_AS, &(struct rlimit){now + more, now + more});
            dlviz_status status =
                dlviz_figure_write_memory(figure, DLVIZ_FIGURE_FORMAT_PNG, &bytes, &size);
            _exit(status == DLVIZ_OK                    ? SAME
                  : status == DLVIZ_ERROR_OUT_OF_MEMORY ? OUT_OF_MEMORY
                                                        : REFUSED_OTHERWISE);
        }
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFEXITED(status), "killed by signal %d with %lld MiB", WTERMSIG(status),
                      (long long)(more >> 20));
        ck_assert_int_ne(WEXITSTATUS(status), REFUSED_OTHERWISE);
        drawn += WEXITSTATUS(status) == SAME;
        without += WEXITSTATUS(status) == OUT_OF_MEMORY;
    }
    ck_assert(drawn > 5 && without > 0);
    dlviz_figure_destroy(figure);
#else
    printf("SKIP: addresses cannot be limited here\n");
#endif
}
END_TEST

int main(void) {
    const TTest *const tests[] = {no_figure_is_drawn_in_part, little_room_ends_no_process, NULL};
    return run_tests("plot memory", tests);
}
