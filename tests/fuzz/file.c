/* The fuzz target of all loaders of files (support/loaders.h): one is named, and libFuzzer makes the files.
 *
 *     fuzz_file --loader=npy [libFuzzer's options and folders]
 *     fuzz_file --loader=npy --write-seeds=FOLDER
 *     fuzz_file --list      a line for each: name, dictionary, largest size */
#include "support/loaders.h"
#include "support/random_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t most);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed);

static const loader *target;
static samples valid;

/* -- Command line --------------------------------------------------------------------------------
 */

static void list_loaders(void) {
    for (const loader *each = loaders; each->name; each++)
        printf("%s %s %d\n", each->name, each->words, each->most_bytes);
    exit(EXIT_SUCCESS);
}

/* Those that fit: what is longer libFuzzer would cut. */
static void write_seeds(const char *folder) {
    for (int i = 0; i < valid.count; i++) {
        char path[1024];
        const sample *each = &valid.all[i];
        snprintf(path, sizeof path, "%s/%d", folder, i);
        if (each->size <= (size_t)target->most_bytes)
            write_file(path, each->bytes, each->size);
    }
    exit(EXIT_SUCCESS);
}

/* The value of --name=value, or NULL. */
static const char *option(const char *argument, const char *name) {
    size_t length = strlen(name);
    return strncmp(argument, name, length) == 0 ? argument + length : NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    const char *folder = NULL, *value;
    for (int i = 1; i < *argc; i++) {
        if (strcmp((*argv)[i], "--list") == 0)
            list_loaders();
        else if ((value = option((*argv)[i], "--loader=")))
            target = find_loader(value);
        else if ((value = option((*argv)[i], "--write-seeds=")))
            folder = value;
    }
    if (!target) {
        fprintf(stderr, "name one of the loaders that --list lists, with --loader=NAME\n");
        exit(EXIT_FAILURE);
    }
    setenv("DLVIZ_TEST_SOURCE", DLVIZ_TEST_SOURCE, 0);
    judge_start();
    loader_start(target, &valid);
    if (folder)
        write_seeds(folder);
    return 0;
}

/* -- Inputs --------------------------------------------------------------------------------------
 */

/* At an alignment of its own, which depends on the bytes alone. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    dlz_random random = random_numbers(crc32_z(0, bytes, size));
    mutant file = copy_bytes(&random, bytes, size);
    loader_attempt(target, &file);
    free(file.block);
    return 0;
}

static size_t keep(mutant made, uint8_t *bytes, size_t most) {
    size_t size = made.size < most ? made.size : most;
    memcpy(bytes, made.bytes, size);
    free(made.block);
    return size;
}

/* The header of a safetensors file, whose length stands before it. */
static size_t mutate_header(uint8_t *bytes, size_t size, size_t most) {
    uint64_t length = 0;
    for (size_t i = size < 8 ? 0 : 8; i-- > 0;)
        length = length << 8 | bytes[i];
    if (size < 8 || length > size - 8 || size > most)
        return LLVMFuzzerMutate(bytes, size, most);
    size_t rest = size - 8 - (size_t)length;
    uint8_t *data = malloc(rest + 1);
    if (!data)
        abort();
    memcpy(data, bytes + 8 + length, rest);
    size_t changed = LLVMFuzzerMutate(bytes + 8, (size_t)length, most - 8 - rest);
    memcpy(bytes + 8 + changed, data, rest);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)changed >> 8 * i);
    free(data);
    return 8 + changed + rest;
}

/* libFuzzer's changes, the same within what a checksum or a length covers, and those of the random cases. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t most, unsigned seed) {
    dlz_random random = random_numbers(seed);
    int64_t way = random_between(&random, 0, 3);
    if (way == 0)
        return keep(target->mutate(&random, bytes, size), bytes, most);
    if (way == 1 && target->mutate == mutate_safetensors)
        return mutate_header(bytes, size, most);
    size = LLVMFuzzerMutate(bytes, size, most);
    if (way == 1)
        mend_png_checksums(bytes, size);
    return size;
}
