/* Files that were damaged, or made to deceive: each loader gets mutations of valid files, and takes what is
 * valid, or fails with a sentence, whatever the bytes. It reads nothing beyond them, allocates nothing out
 * of proportion, changes nothing when it fails, leaves nothing behind, and gives nothing that cannot be
 * used. The fuzz targets (tests/fuzz) do the same by what code is reached; what they found is tried here too.
 *
 *     test_random_files                      a few thousand mutations
 *     test_random_files LOADER SECONDS       as many as there is time for, of one loader, and a count
 *     test_random_files LOADER 0 SEED        the one of this seed again
 *     test_random_files LOADER FILE ...      these files */
#include "support/loaders.h"
#include "support/process.h"
#include "support/random_cases.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MUTATIONS = 100 /* of one case */, MOST_SECONDS = 20, MOST_LOADERS = 64 };

static samples valid;

static void attempt_bytes(const loader *chosen, const unsigned char *bytes, size_t size) {
    dlz_random random = random_numbers(0);
    mutant file = copy_bytes(&random, bytes, size);
    loader_attempt(chosen, &file);
    free(file.block);
}

static void attempt_file(const loader *chosen, const char *path) {
    static char repeat[1100];
    size_t size;
    unsigned char *bytes = file_bytes(path, &size);
    snprintf(repeat, sizeof repeat, " on %s", path);
    judge_name(chosen->name, repeat);
    attempt_bytes(chosen, bytes, size);
    free(bytes);
}

static void attempt_nothing(const loader *chosen) {
    judge_name(chosen->name, " on no bytes");
    attempt_bytes(chosen, (const unsigned char *)"", 0);
}

/* What has ever failed. */
static void attempt_found(const loader *chosen) {
    const char *source = getenv("DLVIZ_TEST_SOURCE");
    char folder[600], path[1000];
    snprintf(folder, sizeof folder, "%s/fuzz/found/%s", source ? source : "tests", chosen->name);
    DIR *found = opendir(folder);
    for (struct dirent *entry; found && (entry = readdir(found));)
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            attempt_file(chosen, path);
        }
    if (found)
        closedir(found);
}

static void attempt(const loader *chosen, uint64_t seed) {
    static char repeat[40];
    snprintf(repeat, sizeof repeat, " 0 %llu", (unsigned long long)seed);
    judge_name(chosen->name, repeat);
    dlz_random random = random_numbers(seed);
    const sample *from = &valid.all[random_between(&random, 0, valid.count - 1)];
    mutant file = chosen->mutate(&random, from->bytes, from->size);
    clock_t start = clock();
    loader_attempt(chosen, &file);
    require(clock() - start < (clock_t)MOST_SECONDS * CLOCKS_PER_SEC, "it takes too long");
    free(file.block);
}

/* A case is some mutations of a loader. */
static void run_case(uint64_t seed) {
    const loader *chosen = &loaders[random_test_number()];
    valid.count = 0; /* of an earlier case in this process */
    judge_start();
    loader_start(chosen, &valid);
    if (seed == 1) {
        attempt_nothing(chosen);
        attempt_found(chosen);
    }
    for (uint64_t i = 0; i < MUTATIONS; i++)
        attempt(chosen, seed * MUTATIONS + i);
}

/* -- By hand ------------------------------------------------------------------------------------- */

static const loader *chosen;
static double seconds;
static uint64_t first_seed = 1;
static char **files; /* or NULL; the last is NULL */

START_TEST(as_many_as_there_is_time_for) {
    struct timespec start, now;
    uint64_t count = 0;
    judge_start();
    loader_start(chosen, &valid);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (; files && *files; files++)
        attempt_file(chosen, *files);
    if (files)
        return;
    do {
        attempt(chosen, first_seed + count++);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - start.tv_sec) < seconds);
    printf(
        "%s: %llu mutations, %lld loads, %lld of them of valid files; at most %.2f of the memory "
        "allowed\n",
        chosen->name, (unsigned long long)count, (long long)judged_loads, (long long)judged_taken,
        judged_share);
}
END_TEST

static int run_one(void) {
    scratch_folder();
    Suite *suite = suite_create(chosen->name);
    TCase *tcase = tcase_create(chosen->name);
    tcase_set_timeout(tcase, 2 * seconds + 60);
    tcase_add_test(tcase, as_many_as_there_is_time_for);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

int main(int argc, char **argv) {
    if (argc > 2) {
        char *end;
        chosen = find_loader(argv[1]);
        if (!chosen) {
            fprintf(stderr, "there is no loader '%s'\n", argv[1]);
            return EXIT_FAILURE;
        }
        seconds = strtod(argv[2], &end);
        if (*end)
            files = argv + 2;
        else if (argc > 3)
            first_seed = strtoull(argv[3], NULL, 10);
        return run_one();
    }
    static random_test tests[MOST_LOADERS];
    for (int i = 0; loaders[i].name; i++)
        tests[i] = (random_test){loaders[i].name, run_case, loaders[i].cases};
    return run_random_tests("files", tests);
}
