/* support/random_cases.h - tests that run over many random cases, each a function of its seed
 * alone.
 *
 * The suite runs each test on its usual number of cases, seeds 1, 2, 3 …, so every run tries the
 * same. DLVIZ_TEST_RANDOM=N (tests/run.sh --random N) runs N instead; DLVIZ_TEST_SEED=S starts at
 * seed S, so that N = 1 repeats one case. */
#ifndef DLZ_TESTS_RANDOM_CASES_H
#define DLZ_TESTS_RANDOM_CASES_H

#include "base/random.h"
#include "support/support.h"

typedef struct random_test {
    const char *name;
    void (*run)(uint64_t seed); /* asserts with ck_; what fails is reported with the seed */
    int cases;                  /* how many the suite tries */
} random_test;

/* Runs the tests of a NULL-terminated list (name NULL ends it) and returns main's exit status. Each
 * case is a Check case of its own. */
int run_random_tests(const char *suite, const random_test *tests);
/* In a case: the place of its test in that list. */
int random_test_number(void);

/* The numbers a case draws from: dlz_random_below, dlz_random_normal and so on. */
dlz_random random_numbers(uint64_t seed);
/* Uniform in low … high, both included. */
int64_t random_between(dlz_random *random, int64_t low, int64_t high);
/* True with this probability. */
bool random_chance(dlz_random *random, double probability);

#endif
