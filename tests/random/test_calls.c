/* Random sequences of calls: tests/fuzz/calls.h says what they are and what is required of them.
 *
 *     test_random_calls                  some sequences
 *     test_random_calls SECONDS [SEED]   those of this seed, the next and so on, and a count
 *     test_random_calls 0 SEED           the one of this seed again
 *     test_random_calls FILE...          those of files, such as libFuzzer has found
 *
 * Where something does not hold, the last lines say what, in which call, and the sequence's seed; with
 * DLVIZ_FUZZ_TRACE set, all of its calls come before. */
#include "fuzz/calls.h"
#include "fuzz/calls_random.h"
#include "fuzz/calls_run.h"
#include "support/random_cases.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEQUENCES = 250 /* of one case */, LARGEST_FILE = 1 << 20 };

static void some_sequences(uint64_t seed) {
    LLVMFuzzerInitialize(NULL, NULL);
    for (uint64_t i = 0; i < SEQUENCES; i++)
        run_random_sequence(seed * SEQUENCES + i);
}

static int run_files(int count, char **paths) {
    static uint8_t bytes[LARGEST_FILE];
    for (int i = 0; i < count; i++) {
        FILE *file = fopen(paths[i], "rb");
        if (!file) {
            perror(paths[i]);
            return EXIT_FAILURE;
        }
        size_t size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        fprintf(stderr, "%s: %zu bytes\n", paths[i], size);
        LLVMFuzzerTestOneInput(bytes, size);
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    static const random_test tests[] = {{"calls", some_sequences, 20}, {NULL, NULL, 0}};
    if (argc == 1)
        return run_random_tests("calls", tests);
    char *rest;
    double seconds = strtod(argv[1], &rest);
    int status = EXIT_SUCCESS;
    LLVMFuzzerInitialize(NULL, NULL);
    if (*rest)
        status = run_files(argc - 1, argv + 1);
    else
        run_random_sequences(seconds, argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
    print_counts();
    return status;
}
