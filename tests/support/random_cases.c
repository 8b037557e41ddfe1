#include "support/random_cases.h"

#include <stdio.h>
#include <stdlib.h>

enum { STREAM = 77, SEEDS = 10000000 };

static const random_test *current;
static int current_number;

int random_test_number(void) {
    return current_number;
}

static uint64_t number_from_environment(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

/* What Check calls the number of the iteration ends with the seed. */
static void run_case(int index) {
    current_number = index / SEEDS;
    current[current_number].run((uint64_t)(index % SEEDS));
}

START_TEST(random_case) {
    run_case(_i);
}
END_TEST

int run_random_tests(const char *suite, const random_test *tests) {
    uint64_t cases = number_from_environment("DLVIZ_TEST_RANDOM", 0);
    uint64_t first = number_from_environment("DLVIZ_TEST_SEED", 1);
    current = tests;
    scratch_folder();
    Suite *s = suite_create(suite);
    for (int t = 0; tests[t].name; t++) {
        uint64_t count = cases > 0 ? cases : (uint64_t)tests[t].cases;
        if (first + count > SEEDS) {
            fprintf(stderr, "seeds go up to %d\n", SEEDS - 1);
            return EXIT_FAILURE;
        }
        TCase *tcase = tcase_create(tests[t].name);
        tcase_set_timeout(tcase, 600);
        int start = t * SEEDS + (int)first;
        tcase_add_loop_test(tcase, random_case, start, start + (int)count);
        suite_add_tcase(s, tcase);
    }
    return run_suite(s);
}

dlz_random random_numbers(uint64_t seed) {
    return dlz_random_start(seed, STREAM);
}

int64_t random_between(dlz_random *random, int64_t low, int64_t high) {
    return low + (int64_t)dlz_random_below(random, (uint64_t)(high - low + 1));
}

bool random_chance(dlz_random *random, double probability) {
    return dlz_random_double(random) < probability;
}
