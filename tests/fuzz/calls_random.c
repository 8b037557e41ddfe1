/* Sequences of calls from seeds. */
#include "calls_random.h"
#include "calls_run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SHORTEST = 100, LONGEST = 2000 };

/* Text that says which sequence fails, ready for a signal handler. */
static char which[64];
static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
enum { NUM_SIGNALS = sizeof signals / sizeof *signals };
static struct sigaction others[NUM_SIGNALS]; /* such as a sanitizer's */

static void say_which(int number) {
    ssize_t written = write(STDERR_FILENO, which, strlen(which));
    (void)written;
    for (int i = 0; i < NUM_SIGNALS; i++)
        if (signals[i] == number)
            sigaction(number, &others[i], NULL);
    raise(number);
}

static void watch_signals(void) {
    static const struct sigaction watch = {.sa_handler = say_which};
    static int watching;
    for (int i = 0; i < NUM_SIGNALS && !watching; i++)
        sigaction(signals[i], &watch, &others[i]);
    watching = 1;
}

/* SplitMix64: Steele, Lea & Flood 2014. */
static uint64_t next_number(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void run_random_sequence(uint64_t seed) {
    static uint8_t bytes[LONGEST];
    uint64_t state = seed;
    size_t size = SHORTEST + next_number(&state) % (LONGEST - SHORTEST);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(next_number(&state) >> 56);
    snprintf(which, sizeof which, "the sequence of seed %llu\n", (unsigned long long)seed);
    watch_signals();
    LLVMFuzzerTestOneInput(bytes, size);
}

uint64_t run_random_sequences(double seconds, uint64_t first) {
    struct timespec start, now;
    uint64_t count = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        run_random_sequence(first + count++);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - start.tv_sec) < seconds);
    return count;
}
