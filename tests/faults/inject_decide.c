/* faults/inject_decide.c - reads the environment, counts calls, decides.
 *
 *   DLVIZ_FAULT=CALL:N:WHAT[:all]   the Nth CALL (and, with :all, every later one) does WHAT
 *   DLVIZ_FAULT_COUNT=FILE          written at the end, and before a kill: `CALL count` a line, then
 *                                   `hit CALL N WHAT PLACE` for each fault; after a signal that ends the process
 *                                   `crash OBJECT SIGNAL FRAME ...`: in whose code (inject_crash.c)
 *   DLVIZ_FAULT_ONLY=A:B            counts only calls on paths that begin with A or B
 *   DLVIZ_FAULT_SKIP=A:B            leaves out paths that begin with A or B, besides the system's
 *   DLVIZ_FAULT_STREAMS=1           counts writes to standard output (1), standard error (2), or both (12), too
 *   DLVIZ_FAULT_FROM=A:B            counts only calls made by objects whose name has A or B in it, also by way
 *                                   of glibc's own functions
 *   DLVIZ_FAULT_NOT_FROM=A:B        counts none of theirs
 *   DLVIZ_FAULT_THROUGH=A:B         counts only calls with code of such an object on the stack
 *
 * CALL is a name of INJECT_CALLS, or a group: `save` (what storing a file needs), `load`, `any` (all
 * but malloc and pthread_create). WHAT is an error's name (ENOSPC), `short` (half of what was asked for),
 * `zero` (nothing, and no error), `full` (half, and ENOSPC ever after), `kill` (SIGKILL before the call) or
 * `kill-after`. What a call cannot do (a short rename) is done to none.
 *
 * Nothing here allocates, and nothing calls what is wrapped. */
#include "inject.h"
#include "inject_control.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INJECT_NAME(name) #name,
static const char *const names[NUM_CALLS] = {INJECT_CALLS(INJECT_NAME)};
#undef INJECT_NAME

static const struct {
    const char *name;
    int error;
} errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EINTR", EINTR},   {"EAGAIN", EAGAIN},
              {"EACCES", EACCES}, {"EPERM", EPERM},   {"EMFILE", EMFILE}, {"ENFILE", ENFILE},
              {"ENOMEM", ENOMEM}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS},   {"EINVAL", EINVAL},
              {"ENOENT", ENOENT}, {"EEXIST", EEXIST}, {"EXDEV", EXDEV},   {"ENODEV", ENODEV},
              {"EBADF", EBADF},   {"ESTALE", ESTALE}, {"EFBIG", EFBIG},   {"ENOTSUP", ENOTSUP},
              {"EMLINK", EMLINK}, {"ELOOP", ELOOP},   {"EPIPE", EPIPE}};

static bool wanted[NUM_CALLS]; /* the calls among which the Nth is searched for */
static long wanted_number;
static bool wanted_all, wanted_full;
static inject_fault wanted_fault;
static char wanted_what[16];
static const char *count_file, *only, *skip, *from, *not_from, *through;
static const char *streams;
static bool read_already;
static atomic_bool begun;
static atomic_long counts[NUM_CALLS], number, num_hits;
static _Thread_local bool inside; /* of backtrace, which allocates and reads */

static char hits[2048];
static atomic_size_t num_hit_bytes;

static void refuse(const char *why) {
    char line[256];
    int length = snprintf(line, sizeof line, "libinject: %s\n", why);
    syscall(SYS_write, 2, line, (size_t)length);
    _exit(125);
}

static bool is_among(const char *name, const char *const *list) {
    for (; *list; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

static bool belongs(const char *name, const char *group) {
    static const char *const save[] = {"write", "pwrite",    "writev", "fsync",    "fdatasync",
                                       "link",  "ftruncate", "rename", "renameat", "linkat",
                                       "close", "fallocate", "unlink", "unlinkat", "fchmod",
                                       "mkdir", "fsetxattr", "fchown", "creat",    NULL};
    static const char *const load[] = {"open",    "openat",   "read",   "pread", "readv",
                                       "mmap",    "fstat",    "stat",   "lstat", "fstatat",
                                       "opendir", "readlink", "access", NULL};
    static const char *const no_files[] = {"malloc", "pthread_create", NULL};
    if (strcmp(group, "save") == 0)
        return is_among(name, save);
    if (strcmp(group, "load") == 0)
        return is_among(name, load);
    if (strcmp(group, "any") == 0)
        return !is_among(name, no_files);
    return strcmp(group, name) == 0;
}

static void read_what(const char *what) {
    static const struct {
        const char *name;
        inject_what what;
    } others[] = {{"short", FAULT_SHORT},
                  {"full", FAULT_SHORT},
                  {"zero", FAULT_ZERO},
                  {"kill", FAULT_KILL},
                  {"kill-after", FAULT_KILL_AFTER}};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strcmp(what, errors[i].name) == 0)
            wanted_fault = (inject_fault){FAULT_ERROR, errors[i].error};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(what, others[i].name) == 0)
            wanted_fault = (inject_fault){others[i].what, 0};
    wanted_full = strcmp(what, "full") == 0;
    if (wanted_fault.what == FAULT_NONE)
        refuse("DLVIZ_FAULT names no WHAT that is known");
}

/* Whether one of the names in a list, parted by colons, is in the text, or begins it. */
static bool any_name(const char *list, const char *text, bool at_begin) {
    for (const char *p = list; *p;) {
        size_t length = strcspn(p, ":");
        if (length > 0) {
            if (at_begin ? strncmp(text, p, length) == 0
                         : memmem(text, strlen(text), p, length) != NULL)
                return true;
        }
        p += length;
        p += *p == ':';
    }
    return false;
}

static void read_setting(const char *setting) {
    char call[24] = "", all[4] = "";
    int fields = sscanf(setting, "%23[^:]:%ld:%15[^:]:%3s", call, &wanted_number, wanted_what, all);
    if (fields < 3 || wanted_number < 1 || (fields == 4 && strcmp(all, "all") != 0))
        refuse("DLVIZ_FAULT is CALL:N:WHAT or CALL:N:WHAT:all");
    wanted_all = fields == 4;
    bool known = false;
    for (int i = 0; i < NUM_CALLS; i++)
        known = (wanted[i] = belongs(names[i], call)) || known;
    if (!known)
        refuse("DLVIZ_FAULT names no CALL that is known");
    read_what(wanted_what);
}

/* Before main, in one thread. */
static void read_environment(void) {
    read_already = true;
    count_file = getenv("DLVIZ_FAULT_COUNT");
    only = getenv("DLVIZ_FAULT_ONLY");
    skip = getenv("DLVIZ_FAULT_SKIP");
    from = getenv("DLVIZ_FAULT_FROM");
    not_from = getenv("DLVIZ_FAULT_NOT_FROM");
    through = getenv("DLVIZ_FAULT_THROUGH");
    streams = getenv("DLVIZ_FAULT_STREAMS");
    if (from || not_from || through) { /* loads what it needs */
        void *frames[2];
        backtrace(frames, 2);
    }
    const char *setting = getenv("DLVIZ_FAULT");
    if (setting && *setting)
        read_setting(setting);
}

void inject_plan(const char *setting) {
    for (int i = 0; i < NUM_CALLS; i++) {
        wanted[i] = false;
        atomic_store(&counts[i], 0);
    }
    atomic_store(&number, 0);
    atomic_store(&num_hits, 0);
    atomic_store(&num_hit_bytes, 0);
    wanted_fault = (inject_fault){FAULT_NONE, 0};
    if (setting)
        read_setting(setting);
}

long inject_count(const char *call) {
    long count = 0;
    for (int i = 0; i < NUM_CALLS; i++)
        if (belongs(names[i], call))
            count += atomic_load(&counts[i]);
    return count;
}

long inject_num_hits(void) {
    return atomic_load(&num_hits);
}

int inject_num_calls(void) {
    return NUM_CALLS;
}

const char *inject_call_name(int index) {
    return names[index];
}
bool inject_begun(void) {
    return atomic_load_explicit(&begun, memory_order_acquire);
}

/* Where code lies. */
typedef struct search {
    uintptr_t address, start;
    const char *name; /* of the object; NULL: it is none's */
} search;

static int look_at_object(struct dl_phdr_info *object, size_t size, void *user) {
    (void)size;
    search *s = user;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t first = object->dlpi_addr + part->p_vaddr;
        if (part->p_type != PT_LOAD || s->address < first || s->address - first >= part->p_memsz)
            continue;
        /* The program itself has no name there. */
        s->name = object->dlpi_name && *object->dlpi_name ? object->dlpi_name
                                                          : program_invocation_short_name;
        s->start = object->dlpi_addr;
        return 1;
    }
    return 0;
}

static search find_object(const void *address) {
    search s = {(uintptr_t)address, 0, NULL};
    dl_iterate_phdr(look_at_object, &s);
    return s;
}

static bool lies_in(const void *address, const char *list) {
    search s = find_object(address);
    return s.name && any_name(list, s.name, false);
}

unsigned long inject_object_of(const void *address, char name[INJECT_OBJECT]) {
    search s = find_object(address);
    const char *slash = s.name ? strrchr(s.name, '/') : NULL;
    snprintf(name, INJECT_OBJECT, "%s", slash ? slash + 1 : s.name ? s.name : "?");
    return s.address - s.start;
}

int inject_backtrace(void **frames, int most) {
    inside = true;
    int count = backtrace(frames, most);
    inside = false;
    return count;
}

static bool comes_through(const char *list) {
    void *frames[96];
    int count = inject_backtrace(frames, 96);
    bool found = false;
    for (int i = 0; i < count && !found; i++)
        found = lies_in(frames[i], list);
    return found;
}

/* Who has made a call: of what glibc does for others, such as strdup, the others. */
static const void *maker(const void *caller) {
    if (!lies_in(caller, "/libc.so"))
        return caller;
    void *frames[24];
    int count = inject_backtrace(frames, 24);
    for (int i = 0; i < count; i++)
        if (!lies_in(frames[i], "/libc.so:libinject"))
            return frames[i];
    return caller;
}

static void write_all(int fd, const char *text, size_t length) {
    for (size_t done = 0; done < length;) {
        long n = syscall(SYS_write, fd, text + done, length - done);
        if (n <= 0)
            return;
        done += (size_t)n;
    }
}

void inject_write_counts(void) {
    if (!count_file)
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, count_file,
                          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    char line[64];
    for (int i = 0; i < NUM_CALLS; i++) {
        int length = snprintf(line, sizeof line, "%s %ld\n", names[i], atomic_load(&counts[i]));
        write_all(fd, line, (size_t)length);
    }
    size_t length = atomic_load(&num_hit_bytes);
    write_all(fd, hits, length < sizeof hits ? length : sizeof hits);
    if (*inject_crash()) {
        write_all(fd, "crash ", 6);
        write_all(fd, inject_crash(), strlen(inject_crash()));
        write_all(fd, "\n", 1);
    }
    syscall(SYS_close, fd);
}

static void note_hit(inject_call call, long n, const char *place) {
    char line[INJECT_PLACE + 96];
    int length = snprintf(line, sizeof line, "hit %s %ld %s %.*s\n", names[call], n, wanted_what,
                          INJECT_PLACE, place ? place : "");
    size_t at = atomic_fetch_add(&num_hit_bytes, (size_t)length);
    if (at + (size_t)length <= sizeof hits)
        memcpy(hits + at, line, (size_t)length);
    else /* full: what is there stays */
        atomic_fetch_sub(&num_hit_bytes, (size_t)length);
}

static void kill_process(void) {
    inject_write_counts();
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) /* until it has arrived */
        syscall(SYS_sched_yield);
}

static bool can_be(inject_call call, inject_fault fault) {
    switch (fault.what) {
    case FAULT_SHORT:
    case FAULT_ZERO:
        return call == CALL_write || call == CALL_pwrite || call == CALL_writev ||
               call == CALL_read || call == CALL_pread || call == CALL_readv;
    default:
        return true;
    }
}

inject_fault inject_next(inject_call call, bool ours, const char *place, const void *caller) {
    const inject_fault none = {FAULT_NONE, 0};
    if (!ours || inside || !inject_begun())
        return none;
    int before = errno;
    bool counted = true;
    if (from || not_from) {
        caller = maker(caller);
        counted = !(from && !lies_in(caller, from)) && !(not_from && lies_in(caller, not_from));
    }
    counted = counted && !(through && !comes_through(through));
    inject_fault fault = none;
    if (counted) {
        long of_call = atomic_fetch_add(&counts[call], 1) + 1;
        if (wanted[call]) {
            long n = atomic_fetch_add(&number, 1) + 1;
            if ((n == wanted_number || ((wanted_all || wanted_full) && n > wanted_number)) &&
                can_be(call, wanted_fault)) {
                fault = wanted_fault;
                if (wanted_full && n > wanted_number)
                    fault = (inject_fault){FAULT_ERROR, ENOSPC};
                atomic_fetch_add(&num_hits, 1);
                note_hit(call, of_call, place);
            }
        }
    }
    if (fault.what == FAULT_KILL)
        kill_process();
    errno = before;
    return fault;
}

void inject_done(inject_fault fault) {
    if (fault.what == FAULT_KILL_AFTER)
        kill_process();
}

/* What is the system's. */
static const char theirs[] = "/proc/:/sys/:/etc/:/usr/:/lib/:/lib64/:/bin/:/var/cache/:/var/lib/";

static bool counts_place(const char *path) {
    if (strncmp(path, "/dev/", 5) == 0 && strncmp(path, "/dev/shm/", 9) != 0)
        return false;
    if (any_name(theirs, path, true) || strstr(path, "/.cache/fontconfig") ||
        strstr(path, "/.fonts") || strstr(path, "/.config/") || strstr(path, "/.local/share/"))
        return false;
    if (skip && any_name(skip, path, true))
        return false;
    return !only || any_name(only, path, true);
}

static bool descriptor_place(int fd, char *place) {
    char link[48];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, place, (size_t)INJECT_PLACE - 1);
    place[length > 0 ? length : 0] = 0;
    return length > 0;
}

bool inject_ours_descriptor(int fd, char *place) {
    place[0] = 0;
    if (fd < 0 || !inject_begun())
        return false;
    if (fd == 1 || fd == 2)
        return streams && strchr(streams, '0' + fd);
    int before = errno;
    bool ours = descriptor_place(fd, place) && counts_place(place);
    errno = before;
    return ours;
}

/* A path may go through a folder that is open, or begin where the process is. */
bool inject_ours_path(int folder, const char *path) {
    if (!inject_begun() || !path)
        return false;
    if (path[0] == '/')
        return counts_place(path);
    int before = errno;
    char place[INJECT_PLACE], whole[2 * INJECT_PLACE + 2];
    bool known = folder == AT_FDCWD ? syscall(SYS_getcwd, place, sizeof place) > 0
                                    : descriptor_place(folder, place);
    snprintf(whole, sizeof whole, "%s/%.*s", known ? place : ".", INJECT_PLACE, path);
    errno = before;
    return counts_place(whole);
}

void *inject_real(const char *name) {
    void *address = dlsym(RTLD_NEXT, name);
    if (!address)
        refuse(name);
    return address;
}

/* main, from where calls count. */
typedef int main_function(int, char **, char **);
static main_function *real_main;

static int main_that_counts(int count, char **words, char **environment) {
    if (streams)
        inject_begin_streams();
    inject_begin_crashes();
    atomic_store_explicit(&begun, true, memory_order_release);
    return real_main(count, words, environment);
}

int __libc_start_main(main_function *program, int count, char **words, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);
int __libc_start_main(main_function *program, int count, char **words, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end) {
    int (*next)(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void),
                void *) = inject_real("__libc_start_main");
    if (!read_already)
        read_environment();
    real_main = program;
    return next(main_that_counts, count, words, init, fini, rtld_fini, stack_end);
}

__attribute__((destructor)) static void at_end(void) {
    inject_write_counts();
}
