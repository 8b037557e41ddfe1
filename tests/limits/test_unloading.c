/* A program that loads a module which uses the library, has it work, and unloads it, again and again, as
 * hosts of plugins do: works as the first time, and takes no more memory with each.
 *
 *     test_unloading MODULE [ROUNDS] */
#include "limits/plugin.h"
#include "support/resident.h"

#include <dirent.h>
#include <dlfcn.h>
#include <unistd.h>

static int fail(const char *what, int round, const char *words) {
    fprintf(stderr, "round %d: %s: %s\n", round, what, words ? words : "?");
    return 1;
}

/* Loads the module, works and unloads it. */
static int do_round(const char *module, const char *place, int round, int *num_works) {
    const char *(*run)(const char *place, int round);
    int (*count)(void);
    void *loaded = dlopen(module, RTLD_NOW | RTLD_LOCAL);
    if (!loaded)
        return fail("dlopen", round, dlerror());
    *(void **)&run = dlsym(loaded, "plugin_run");
    *(void **)&count = dlsym(loaded, "plugin_num_works");
    if (!run || !count)
        return fail("dlsym", round, dlerror());
    *num_works = count();
    const char *trouble = run(place, round);
    if (trouble)
        return fail("work", round, trouble);
    return dlclose(loaded) == 0 ? 0 : fail("dlclose", round, dlerror());
}

static void remove_files(const char *folder) {
    DIR *entries = opendir(folder);
    char path[512];
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (entries)
        closedir(entries);
    rmdir(folder);
}

int main(int argc, char **argv) {
    char folder[] = "/tmp/dlviz-unload-XXXXXX", place[64];
    int rounds = argc > 2 ? atoi(argv[2]) : 0, num_works = 0, failed = 0;
    double first = 0;
    if (argc < 2 || !mkdtemp(folder))
        return fail("test_unloading MODULE [ROUNDS]", 0, "a folder is needed, and a module");
    snprintf(place, sizeof place, "%s/", folder);
    /* Three times each kind of work: after the first all that is kept is there. */
    for (int round = 0; !failed && (round == 0 || round < (rounds ? rounds : 3 * num_works));
         round++) {
        failed = do_round(argv[1], place, round, &num_works);
        if (round == num_works)
            first = megabytes("VmRSS");
    }
    double last = megabytes("VmRSS");
    if (!failed && MEMORY_IS_OURS && last > first + 4) {
        fprintf(stderr, "%.1f MB in use after the first rounds, %.1f MB after all\n", first, last);
        failed = 1;
    }
    remove_files(folder);
    return failed;
}
