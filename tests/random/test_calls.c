/* Random sequences of calls: tests/fuzz/calls.h says what they are and what is required of them.
 *
 *     test_random_calls                  some sequences
 *     test_random_calls SECONDS [SEED]   those of this seed, the next and so on, and a count
 *     test_random_calls 0 SEED           the one of this seed again
 *
 * Where something does not hold, the last lines say what, in which call, and the sequence's seed; with
 * DLVIZ_FUZZ_TRACE set, all of its calls come before. */
#include "fuzz/calls.h"
#include "fuzz/calls_random.h"
#include "fuzz/calls_run.h"
#include "support/random_cases.h"

#include <stdlib.h>

enum { SEQUENCES = 250 /* of one case */ };

static void some_sequences(uint64_t seed) {
    LLVMFuzzerInitialize(NULL, NULL);
    for (uint64_t i = 0; i < SEQUENCES; i++)
        run_random_sequence(seed * SEQUENCES + i);
}

int main(int argc, char **argv) {
    static const random_test tests[] = {{"calls", some_sequences, 20}, {NULL, NULL, 0}};
    if (argc == 1)
        return run_random_tests("calls", tests);
    LLVMFuzzerInitialize(NULL, NULL);
    run_random_sequences(atof(argv[1]), argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
    print_counts();
    return EXIT_SUCCESS;
}
