/* faults/inject_crash.c - whose code a process ends in by a signal. What a library of others does where it lacks memory
 * is no fault of the program's, but only what that library does itself.
 *
 * Of the functions that are under way, innermost first, the first one counts that is not the C library's:
 * strlen(NULL) and abort() are faults of those that called them. */
#include "inject.h"
#include "inject_control.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST_FRAMES = 24 };

static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGILL, SIGFPE};
static const char *const fatal_names[] = {"SIGSEGV", "SIGBUS", "SIGABRT",
                                          "SIGTRAP", "SIGILL", "SIGFPE"};
enum { NUM_FATAL = sizeof fatal / sizeof *fatal };

static char own[1024];
static char *text = own;
static size_t room = sizeof own;
static char stack[64 * 1024]; /* for the end of a thread whose own is used up */

static void add(const char *more) {
    size_t used = strlen(text), length = strlen(more);
    if (used + length < room)
        memcpy(text + used, more, length + 1);
}

/* `object+offset`, as addr2line takes it. */
static void add_frame(const void *address) {
    char name[INJECT_OBJECT], frame[INJECT_OBJECT + 24];
    unsigned long offset = inject_object_of(address, name);
    snprintf(frame, sizeof frame, " %s+0x%lx", name, offset);
    add(frame);
}

static bool is_of_c(const char *name) {
    static const char *const those[] = {"libc.so", "libpthread.so", "ld-linux",
                                        "ld64.so", "libinject",     "linux-vdso"};
    for (size_t i = 0; i < sizeof those / sizeof *those; i++)
        if (strncmp(name, those[i], strlen(those[i])) == 0)
            return true;
    return false;
}

static void describe(int number) {
    void *frames[MOST_FRAMES];
    char name[INJECT_OBJECT];
    int count = inject_backtrace(frames, MOST_FRAMES), first = 0;
    while (first < count) {
        inject_object_of(frames[first], name);
        if (!is_of_c(name))
            break;
        first++;
    }
    text[0] = 0;
    add(first < count ? name : "?");
    for (int i = 0; i < NUM_FATAL; i++)
        if (fatal[i] == number) {
            add(" ");
            add(fatal_names[i]);
        }
    for (int i = first > 1 ? first - 1 : first; i < count; i++)
        add_frame(frames[i]);
}

/* The signal comes again, and ends the process as it would have. */
static void on_fatal(int number) {
    describe(number);
    inject_write_counts();
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigaction(number, &plain, NULL);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
}

const char *inject_crash(void) {
    return text;
}

void inject_note_crash(char *place, size_t size) {
    text = place;
    room = size;
    text[0] = 0;
}

void inject_begin_crashes(void) {
    void *frames[2];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = on_fatal, .sa_flags = SA_ONSTACK};
    backtrace(frames, 2); /* loads what it needs */
    sigaltstack(&other, NULL);
    for (int i = 0; i < NUM_FATAL; i++)
        sigaction(fatal[i], &action, NULL);
}
