/* faults/inject_crash.c - whose code a process ends in by a signal. What a library of others does where it lacks memory
 * is no fault of the program's, but only what that library does itself.
 *
 * Of the functions that are under way, innermost first, the first one counts that is not the C library's:
 * strlen(NULL) and abort() are faults of those that called them. Where the stack is in pieces, as after a jump to a
 * function that had returned, it is who has jumped last. */
#include "inject.h"
#include "inject_control.h"

#include <execinfo.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
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

static const char *name_of(int number) {
    for (int i = 0; i < NUM_FATAL; i++)
        if (fatal[i] == number)
            return fatal_names[i];
    return "?";
}

/* Where the process was interrupted; NULL where this is not known. */
static void *instruction_of(const ucontext_t *context) {
#if defined(__x86_64__)
    return (void *)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (void *)context->uc_mcontext.pc;
#else
    (void)context;
    return NULL;
#endif
}

static void describe(int number, void *const *frames, int count) {
    char name[INJECT_OBJECT] = "?";
    int first = 0;
    for (; first < count; first++) {
        inject_object_of(frames[first], name);
        if (!is_of_c(name))
            break;
    }
    text[0] = 0;
    add(first < count ? name : "?");
    add(" ");
    add(name_of(number));
    for (int i = first > 1 ? first - 1 : 0; i < count; i++)
        add_frame(frames[i]);
}

/* -- Jumps -- */

static _Thread_local const void *jumped; /* who has made the last one */

__attribute__((noreturn)) static void jump(const char *name, jmp_buf to, int value,
                                           const void *caller) {
    void (*real)(jmp_buf, int) = inject_real(name);
    jumped = caller;
    real(to, value);
    abort();
}

/* As programs call it, and as those do that were compiled with _FORTIFY_SOURCE. */
void jump_plainly(jmp_buf to, int value) __asm__("longjmp");
void jump_plainly(jmp_buf to, int value) {
    jump("longjmp", to, value, __builtin_return_address(0));
}

void jump_checked(jmp_buf to, int value) __asm__("__longjmp_chk");
void jump_checked(jmp_buf to, int value) {
    jump("__longjmp_chk", to, value, __builtin_return_address(0));
}

/* -- The end -- */

static sigjmp_buf in_pieces;
static volatile sig_atomic_t unwinding;

/* The signal comes again, and ends the process as it would have. */
static void on_fatal(int number, siginfo_t *about, void *context) {
    (void)about;
    if (unwinding)
        siglongjmp(in_pieces, 1);
    void *frames[MOST_FRAMES], *alone[2] = {instruction_of(context)};
    int known = alone[0] != NULL;
    if (jumped)
        alone[known++] = (void *)(uintptr_t)jumped;
    unwinding = 1;
    if (sigsetjmp(in_pieces, 1) == 0)
        describe(number, frames, inject_backtrace(frames, MOST_FRAMES));
    else
        describe(number, alone, known);
    unwinding = 0;
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
    struct sigaction action = {.sa_sigaction = on_fatal,
                               .sa_flags = SA_ONSTACK | SA_SIGINFO | SA_NODEFER};
    backtrace(frames, 2); /* loads what it needs */
    sigaltstack(&other, NULL);
    for (int i = 0; i < NUM_FATAL; i++)
        sigaction(fatal[i], &action, NULL);
}
