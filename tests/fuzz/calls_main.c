/* Sequences of calls without libFuzzer, such as files that it has found:
 *
 *     fuzz_calls FILE...                  each file is a sequence
 *     fuzz_calls --random SECONDS SEED    sequences of the seeds SEED, SEED + 1, … and a count */
#include "calls.h"
#include "calls_run.h"
#include "calls_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return EXIT_FAILURE;
    }
    static uint8_t bytes[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    fprintf(stderr, "%s: %zu bytes\n", path, size);
    LLVMFuzzerTestOneInput(bytes, size);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    int status = EXIT_SUCCESS;
    LLVMFuzzerInitialize(&argc, &argv);
    if (argc == 4 && strcmp(argv[1], "--random") == 0) {
        run_random_sequences(atof(argv[2]), strtoull(argv[3], NULL, 10));
    } else {
        for (int i = 1; i < argc; i++)
            if (run_file(argv[i]) != EXIT_SUCCESS)
                status = EXIT_FAILURE;
    }
    print_counts();
    return status;
}
