/* faults/pipeline.c - walks through a pipeline's calls and makes one after another fail.
 *
 *   pipeline INPUT OUTPUT                       runs every stage, and prints digests of what came of it
 *   pipeline INPUT OUTPUT CALL:WHAT[:all] ...   each stage, for N = 1, 2, ...: the Nth CALL of the stage fails
 *
 *   --stage NAME    that one alone
 *   --number N      the Nth alone; N-M: these
 *   --most N        of a stage's calls N at most, spread over all of them
 *   --seed S        which of them
 *   --thin K        of stages that draw, which take longest, one in K faults alone
 *   --verbose       what each attempt came to
 *
 * CALL and WHAT are those of libinject.so, which has to be loaded (LD_PRELOAD); or CALL is `alloc`: what
 * the library allocates, by dlviz_set_allocator. INPUT is a folder that faults.py fills, OUTPUT an empty one.
 *
 * Every attempt runs in a process of its own: what a process does only once fails in each of them, and a
 * crash is a result like any other. After a failure the same calls are made again on the same handles, and must
 * come to what they come to without faults; a file is at every time the earlier one, or the new one.
 *
 * Prints a line for each stage, with tabs: `walked` STAGE CALL:WHAT, and how many calls, were tried, failed as they
 * should, made no difference, ended the process, are wrong; and `wrong` with what is. What figures are drawn with may
 * end the process where it lacks memory (SECURITY.md): that alone is no fault of ours. */
#include "faults/pipeline.h"
#include "faults/inject_control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_FILES = 12, MOST_CALLS = 64, MOST_FAULTS = 256, SECONDS = 120 };

static const stage *const stages[] = {
    &tables_stage,    &folder_stage,         &dataset_stage,      &network_stage,
    &training_stage,  &early_stopping_stage, &checkpoint_stage,   &files_stage,
    &inference_stage, &attribution_stage,    &threads_stage,      &pca_stage,
    &batches_stage,   &neighbors_stage,      &tsne_stage,         &film_stage,
    &page_stage,      &figures_stage,        &first_figure_stage, &letters_stage};
enum { NUM_STAGES = sizeof stages / sizeof *stages };

static struct {
    const char *output, *only;
    long number, last, most, thin;
    uint64_t seed;
    bool verbose;
} options = {.most = 1000000, .thin = 1};

/* -- What a child says -- */

typedef struct results {
    uint64_t digest, files[MOST_FILES];
} results;

typedef struct outcome {
    bool finished;
    dlviz_status status;
    char sentence[600], wrong[900];
    long hits, allocations, counts[MOST_CALLS];
    int signal;
    char crash[1000]; /* whose code the signal came in, then which functions were under way */
    results results;
} outcome;

static outcome *shared;

static void __attribute__((format(printf, 1, 2))) say_wrong(const char *format, ...) {
    size_t used = strlen(shared->wrong);
    va_list list;
    va_start(list, format);
    vsnprintf(shared->wrong + used, sizeof shared->wrong - used, format, list);
    va_end(list);
    used = strlen(shared->wrong);
    snprintf(shared->wrong + used, sizeof shared->wrong - used, "; ");
}

/* -- What the library allocates -- */

static atomic_long allocated, live, failing, failed;
static bool failing_on;

static void *allocate(size_t size, void *user) {
    (void)user;
    long number = atomic_fetch_add(&allocated, 1) + 1, at = atomic_load(&failing);
    if (at > 0 && (number == at || (failing_on && number > at))) {
        atomic_fetch_add(&failed, 1);
        return NULL;
    }
    void *block = malloc(size);
    if (block) {
        memset(block, 0xA5, size < 4096 ? size : 4096); /* nobody may count on zeros */
        atomic_fetch_add(&live, 1);
    }
    return block;
}

static void release(void *block, void *user) {
    (void)user;
    atomic_fetch_sub(&live, 1);
    free(block);
}

/* -- Faults -- */

typedef struct fault {
    const char *call, *what;
    bool all;
} fault;

static bool is_own(const fault *f) {
    return strcmp(f->call, "alloc") == 0;
}

static void begin_faults(const fault *f, long number) {
    atomic_store(&allocated, 0);
    atomic_store(&failed, 0);
    if (f && is_own(f)) {
        failing_on = f->all;
        atomic_store(&failing, number);
    } else if (f) {
        char setting[80];
        snprintf(setting, sizeof setting, "%s:%ld:%s%s", f->call, number, f->what,
                 f->all ? ":all" : "");
        inject_plan(setting);
    } else if (inject_plan) {
        inject_plan(NULL);
    }
}

static void end_faults(void) {
    shared->allocations = atomic_load(&allocated);
    shared->hits = atomic_load(&failed);
    atomic_store(&failing, 0);
    if (!inject_plan)
        return;
    shared->hits += inject_num_hits();
    if (inject_num_calls() > MOST_CALLS)
        abort();
    for (int i = 0; i < inject_num_calls(); i++)
        shared->counts[i] = inject_count(inject_call_name(i));
    inject_plan(NULL);
}

/* What no program need fail of, for another call does the rest. */
static bool is_harmless(const fault *f) {
    return strcmp(f->what, "EINTR") == 0 || strcmp(f->what, "short") == 0;
}

/* -- Files -- */

static void clear_output(void) {
    DIR *folder = opendir(options.output);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            remove(output_path(entry->d_name));
    if (folder)
        closedir(folder);
}

static void digest_files(const stage *s, uint64_t digests[MOST_FILES]) {
    for (int i = 0; i < MOST_FILES && s->files[i]; i++)
        digests[i] = file_digest(output_path(s->files[i]));
}

/* What a stage's files take the place of. */
static void write_earlier_files(const stage *s) {
    for (int i = 0; s->files[i]; i++) {
        FILE *file = fopen(output_path(s->files[i]), "wx");
        if (file) {
            fprintf(file, "an earlier '%s'\n", s->files[i]);
            fclose(file);
        }
    }
}

static bool is_among(uint64_t digest, const uint64_t *list) {
    for (int i = 0; i < MOST_FILES; i++)
        if (list[i] == digest)
            return true;
    return false;
}

/* Each file is a whole one, and there are no others. */
static void check_files(const stage *s, const uint64_t *earlier, const results *wanted) {
    uint64_t now[MOST_FILES] = {0};
    digest_files(s, now);
    for (int i = 0; s->files[i]; i++)
        if (now[i] == 0)
            say_wrong("'%s' is lost", s->files[i]);
        else if (now[i] != wanted->files[i] && !is_among(now[i], earlier))
            say_wrong("'%s' is neither the earlier file nor the new one", s->files[i]);
    DIR *folder = opendir(options.output);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        bool known = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        for (int i = 0; s->files[i]; i++)
            known = known || strcmp(entry->d_name, s->files[i]) == 0;
        if (!known)
            say_wrong("'%s' is left", entry->d_name);
    }
    if (folder)
        closedir(folder);
}

/* -- An attempt -- */

static uint64_t before[MOST_FILES];

/* Of three checkpoints two are left, the new one among them; the present one, where it cannot be read, is not. */
static bool may_be_earlier(const char *name, uint64_t digest) {
    size_t length = strlen(name);
    return length > 9 && strcmp(name + length - 9, ".previous") == 0 && is_among(digest, before);
}

static void find_results(const stage *s, results *found) {
    begin_notes();
    s->note();
    found->digest = noted();
    digest_files(s, found->files);
}

static void check_results(const stage *s, const char *when, const results *wanted) {
    results found = {0};
    find_results(s, &found);
    if (found.digest != wanted->digest)
        say_wrong("%s: other results than without faults", when);
    for (int i = 0; s->files[i]; i++)
        if (found.files[i] != wanted->files[i] && !may_be_earlier(s->files[i], found.files[i]))
            say_wrong("%s: '%s' is another than without faults", when, s->files[i]);
}

static void check_failure(const fault *f, const stage *s, attempt *a, const results *wanted) {
    snprintf(shared->sentence, sizeof shared->sentence, "%s", dlviz_last_error());
    if (!*shared->sentence)
        say_wrong("no sentence");
    if (is_harmless(f))
        say_wrong("fails of what is no failure: %s", shared->sentence);
    bool memory = is_own(f) || strcmp(f->call, "malloc") == 0;
    if (memory && shared->status != DLVIZ_ERROR_OUT_OF_MEMORY)
        say_wrong("'%s' for want of memory: %s", dlviz_status_name(shared->status),
                  shared->sentence);
    check_files(s, before, wanted);
    a->at = 0;
    if (s->run(a) != DLVIZ_OK)
        say_wrong("fails again without faults: %s", dlviz_last_error());
    else
        check_results(s, "tried again", wanted);
}

static void try_stage(const fault *f, long number, const stage *s, const results *wanted) {
    attempt a = {0, 0};
    must(dlviz_set_allocator(allocate, release, NULL));
    must(dlviz_set_num_threads(2));
    s->prepare();
    write_earlier_files(s);
    digest_files(s, before);
    begin_faults(f, number);
    shared->status = s->run(&a);
    end_faults();
    if (shared->status != DLVIZ_OK && !f)
        say_wrong("fails without faults: %s", dlviz_last_error());
    else if (shared->status != DLVIZ_OK)
        check_failure(f, s, &a, wanted);
    else if (f)
        check_results(s, "no failure", wanted);
    else
        find_results(s, &shared->results);
    s->release();
    if (live != 0)
        say_wrong("%ld blocks of memory are left", (long)live);
    shared->finished = true;
}

static void run_child(const fault *f, long number, const stage *s, const results *wanted) {
    clear_output();
    memset(shared, 0, sizeof *shared);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS);
        if (inject_note_crash)
            inject_note_crash(shared->crash, sizeof shared->crash);
        try_stage(f, number, s, wanted);
        exit(0); /* with the checks of sanitizers */
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    shared->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (WIFSIGNALED(status))
        say_wrong(WTERMSIG(status) == SIGALRM ? "no end after %d s" : "ended by signal %d in %s",
                  WTERMSIG(status) == SIGALRM ? SECONDS : WTERMSIG(status), shared->crash);
    else if (!shared->finished || WEXITSTATUS(status) != 0)
        say_wrong("ended with status %d", WEXITSTATUS(status));
}

/* -- Walks -- */

static long calls_of(const fault *f) {
    if (is_own(f))
        return shared->allocations;
    long count = 0;
    inject_plan(NULL);
    for (int i = 0; i < inject_num_calls(); i++)
        if (strcmp(inject_call_name(i), f->call) == 0)
            count = shared->counts[i];
    return count;
}

/* Of `count` calls the `i`th that is tried: all where they are few, else one of each equal part. */
static long choose(long i, long tried, long count) {
    if (tried == count)
        return i + 1;
    uint64_t draw = (options.seed * 1000003 + (uint64_t)i) * 6364136223846793005U;
    long first = i * count / tried, end = (i + 1) * count / tried;
    return 1 + first + (long)((draw >> 33) % (uint64_t)(end - first));
}

static bool is_drawn(const stage *s) {
    return s == &figures_stage || s == &first_figure_stage || s == &letters_stage;
}

static bool begins_with_any(const char *text, const char *const *beginnings) {
    for (; *beginnings; beginnings++)
        if (strncmp(text, *beginnings, strlen(*beginnings)) == 0)
            return true;
    return false;
}

/* fontconfig goes on with NULL, or gives it to Pango, which does; cairo too, in pixman, or it jumps to where it no longer
 * is, and GLib has to have its threads. It has to be they: whoever else crashes, the library above all, is wrong. */
static bool was_ended(const fault *f, const stage *s) {
    static const char *const without_memory[] = {"libcairo.so.2 ", "libpixman-1.so.0 ",
                                                 "libfontconfig.so.1 ", "libpangoft2-1.0.so.0 ",
                                                 NULL};
    static const char *const without_threads[] = {"libglib-2.0.so.0 ", NULL};
    bool memory =
        strcmp(f->call, "malloc") == 0 && (shared->signal == SIGABRT || shared->signal == SIGSEGV);
    bool thread = strcmp(f->call, "pthread_create") == 0 && shared->signal == SIGTRAP;
    return is_drawn(s) && ((memory && begins_with_any(shared->crash, without_memory)) ||
                           (thread && begins_with_any(shared->crash, without_threads)));
}

static int walk(const fault *f, const stage *s, const results *wanted, long count) {
    long tried = count < options.most ? count : options.most, done = 0;
    if (options.number)
        tried = options.last - options.number + 1;
    long as_it_should = 0, unnoticed = 0, ended = 0, wrong = 0;
    for (long i = 0; i < tried; i++) {
        long number = options.number ? options.number + i : choose(i, tried, count);
        run_child(f, number, s, wanted);
        done++;
        bool end = was_ended(f, s), bad = *shared->wrong && !end;
        wrong += bad;
        ended += end;
        as_it_should += !bad && !end && shared->status != DLVIZ_OK;
        unnoticed += !bad && !end && shared->status == DLVIZ_OK && shared->hits > 0;
        if (bad)
            printf("wrong\t%s\t%s:%ld:%s%s\t%s\n", s->name, f->call, number, f->what,
                   f->all ? ":all" : "", shared->wrong);
        else if (options.verbose)
            printf("tried\t%s\t%s:%ld:%s%s\t%s\t%s\n", s->name, f->call, number, f->what,
                   f->all ? ":all" : "", end ? "ended" : dlviz_status_name(shared->status),
                   end ? shared->crash : shared->sentence);
    }
    printf("walked\t%s\t%s:%s%s\t%ld\t%ld\t%ld\t%ld\t%ld\t%ld\n", s->name, f->call, f->what,
           f->all ? ":all" : "", count, done, as_it_should, unnoticed, ended, wrong);
    return wrong > 0;
}

/* Without faults, twice: what differs from run to run could not be compared. */
static int find_wanted(const stage *s, results *wanted) {
    for (int i = 0; i < 2; i++) {
        run_child(NULL, 0, s, NULL);
        if (i == 0)
            *wanted = shared->results;
        else if (memcmp(wanted, &shared->results, sizeof *wanted) != 0)
            say_wrong("other results the second time");
        if (*shared->wrong) {
            printf("wrong\t%s\twithout faults\t%s\n", s->name, shared->wrong);
            return 1;
        }
    }
    return 0;
}

static fault read_fault(char *text) {
    fault f = {.call = strtok(text, ":")};
    f.what = strtok(NULL, ":");
    const char *all = strtok(NULL, ":");
    f.all = all && strcmp(all, "all") == 0;
    if (!f.call || !f.what || (all && !f.all)) {
        fprintf(stderr, "a fault is CALL:WHAT or CALL:WHAT:all\n");
        exit(2);
    }
    if (!is_own(&f) && !inject_plan) {
        fprintf(stderr, "'%s' needs LD_PRELOAD=libinject.so\n", f.call);
        exit(2);
    }
    return f;
}

static int walk_stage(const stage *s, const fault *faults, int num_faults) {
    results wanted;
    if (find_wanted(s, &wanted) != 0)
        return 1;
    outcome without = *shared;
    int bad = 0;
    if (num_faults == 0)
        printf("ran\t%s\t%016llx\n", s->name, (unsigned long long)wanted.digest);
    for (int i = 0; i < num_faults; i++) {
        if (is_drawn(s) && (i + (long)(options.seed % 1000)) % options.thin != 0)
            continue;
        *shared = without;
        bad |= walk(&faults[i], s, &wanted, calls_of(&faults[i]));
    }
    return bad;
}

static const char *value_of(char **words, int count, int *i) {
    if (*i + 1 >= count) {
        fprintf(stderr, "%s needs a value\n", words[*i]);
        exit(2);
    }
    return words[++*i];
}

static void read_numbers(const char *text) {
    char *end;
    options.number = options.last = strtol(text, &end, 10);
    if (*end == '-')
        options.last = strtol(end + 1, &end, 10);
    if (*end || options.number < 1 || options.last < options.number) {
        fprintf(stderr, "--number %s: N or N-M is accepted, from 1\n", text);
        exit(2);
    }
}

int main(int count, char **words) {
    fault faults[MOST_FAULTS];
    int num_faults = 0, bad = 0;
    if (count < 3) {
        fprintf(stderr, "pipeline INPUT OUTPUT [options] [CALL:WHAT[:all] ...]\n");
        return 2;
    }
    set_folders(words[1], words[2]);
    options.output = words[2];
    for (int i = 3; i < count; i++) {
        if (strcmp(words[i], "--stage") == 0)
            options.only = value_of(words, count, &i);
        else if (strcmp(words[i], "--number") == 0)
            read_numbers(value_of(words, count, &i));
        else if (strcmp(words[i], "--most") == 0)
            options.most = atol(value_of(words, count, &i));
        else if (strcmp(words[i], "--seed") == 0)
            options.seed = strtoull(value_of(words, count, &i), NULL, 10);
        else if (strcmp(words[i], "--thin") == 0)
            options.thin = atol(value_of(words, count, &i));
        else if (strcmp(words[i], "--verbose") == 0)
            options.verbose = true;
        else if (num_faults == MOST_FAULTS)
            return fprintf(stderr, "more than %d faults\n", MOST_FAULTS), 2;
        else
            faults[num_faults++] = read_fault(words[i]);
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 3;
    for (int i = 0; i < NUM_STAGES; i++) {
        const stage *s = stages[i];
        if ((options.only && strcmp(options.only, s->name) != 0) ||
            (is_drawn(s) && !dlviz_plot_supported()) ||
            (s == &folder_stage && !dlviz_images_supported(DLVIZ_IMAGE_FORMAT_PNG)))
            continue;
        bad |= walk_stage(s, faults, num_faults);
    }
    return bad;
}
