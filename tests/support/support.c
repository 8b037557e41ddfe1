#include "support/support.h"
#include "base/random.h"

#include <ftw.h>
#include <locale.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of whatever draws: Fontconfig keeps its patterns until the process ends, and finds what they have by
 * offsets, which look like no pointers. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libfontconfig\n";
}

/* Two places may have one bit by chance: then the second is not written down. */
void mark_place(const char *file, int line) {
    static atomic_uint_fast64_t marked[256];
    uint64_t place = ((uintptr_t)file + (uint64_t)line) * UINT64_C(0x9E3779B97F4A7C15) >> 50;
    uint_fast64_t bit = UINT64_C(1) << place % 64;
    if (atomic_load_explicit(&marked[place / 64], memory_order_relaxed) & bit)
        return;
    atomic_fetch_or_explicit(&marked[place / 64], bit, memory_order_relaxed);
    (_mark_point)(file, line);
}

static char folder[256];

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *where) {
    (void)facts;
    (void)kind;
    (void)where;
    remove(path);
    return 0;
}

static void remove_scratch(void) {
    if (folder[0])
        nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_folder(void) {
    if (!folder[0]) {
        const char *given = getenv("TMPDIR");
        bool fits = given && *given && strlen(given) < sizeof folder - 32;
        snprintf(folder, sizeof folder, "%s/dlviz-test-XXXXXX", fits ? given : "/tmp");
        if (!mkdtemp(folder)) {
            perror("mkdtemp");
            exit(2);
        }
    }
    return folder;
}

static const char *join(const char *directory, const char *name) {
    static char buffers[4][1024];
    static int next;
    char *buffer = buffers[next++ % 4];
    snprintf(buffer, sizeof buffers[0], "%s/%s", directory, name);
    return buffer;
}

const char *scratch_path(const char *name) {
    return join(scratch_folder(), name);
}

const char *fixture_path(const char *name) {
    const char *source = getenv("DLVIZ_TEST_SOURCE");
    char directory[400];
    snprintf(directory, sizeof directory, "%s/parity/fixtures", source ? source : "tests");
    return join(directory, name);
}

void write_file(const char *path, const void *bytes, size_t size) {
    /* Some file systems flush a file that is cut short and written again, which takes long. */
    remove(path);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

void swap_to_file_order(void *numbers, size_t count, size_t size) {
    const uint16_t one = 1;
    if (*(const unsigned char *)&one == 1)
        return;
    unsigned char *number = numbers;
    for (size_t i = 0; i < count; i++, number += size)
        for (size_t low = 0, high = size - 1; low < high; low++, high--) {
            unsigned char kept = number[low];
            number[low] = number[high];
            number[high] = kept;
        }
}

const char *mnist_folder(void) {
    static char path[512];
    const char *given = getenv("DLVIZ_DATA_DIR"), *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (given && *given)
        snprintf(path, sizeof path, "%s", given);
    else if (cache && *cache)
        snprintf(path, sizeof path, "%s/dlviz/mnist", cache);
    else
        snprintf(path, sizeof path, "%s/.cache/dlviz/mnist", home ? home : "");
    if (access(join(path, "t10k-images-idx3-ubyte"), R_OK) == 0 ||
        access(join(path, "t10k-images-idx3-ubyte.gz"), R_OK) == 0)
        return path;
    return NULL;
}

bool read_mnist(const char *name, long header, size_t count, uint8_t *to) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", mnist_folder() ? mnist_folder() : "", name);
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    bool done = fseek(file, header, SEEK_SET) == 0 && fread(to, 1, count, file) == count;
    fclose(file);
    return done;
}

double plain_number(const char *text, char **end) {
    static locale_t plain;
    if (!plain)
        plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return strtod_l(text, end, plain);
}

double relative_error(const float *a, const float *b, int64_t count) {
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        double d = (double)a[i] - b[i];
        difference += d * d;
        norm += (double)b[i] * b[i];
    }
    return sqrt(difference) / fmax(sqrt(norm), 1e-30);
}

void fill_uniform(float *values, int64_t count, uint64_t seed) {
    dlz_random random = dlz_random_start(seed, 99);
    for (int64_t i = 0; i < count; i++)
        values[i] = 2 * dlz_random_float(&random) - 1;
}

/* By setlocale: newlocale loses what it makes of LOCPATH. */
locale_t comma_locale(void) {
    static locale_t found;
    static bool asked;
    if (asked)
        return found;
    asked = true;
    char *before = strdup(setlocale(LC_NUMERIC, NULL));
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8"))
        found = duplocale(LC_GLOBAL_LOCALE);
    setlocale(LC_NUMERIC, before);
    free(before);
    return found;
}

int run_suite(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    remove_scratch();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int run_tests(const char *suite_name, const TTest *const *tests) {
    /* Numbers in files and messages must not depend on the caller's locale. */
    const char *locale = getenv("DLVIZ_TEST_LOCALE");
    if (locale && !setlocale(LC_ALL, locale)) {
        printf("SKIP: this system has no locale %s\n", locale);
        return 77;
    }
    /* The folder is made before Check forks, so that one process owns and removes it. */
    scratch_folder();
    Suite *suite = suite_create(suite_name);
    for (; *tests; tests++) {
        TCase *test_case = tcase_create((*tests)->name);
        tcase_set_timeout(test_case, 600);
        tcase_add_test(test_case, *tests);
        suite_add_tcase(suite, test_case);
    }
    return run_suite(suite);
}
