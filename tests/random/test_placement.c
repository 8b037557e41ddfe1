/* The memory plan on random lifetimes: buffers that are needed at one time do not overlap, and the
 * block is as small as with the plain search for the lowest free place. */
#include "graph/placement.h"
#include "support/random_cases.h"

#include <stdlib.h>
#include <string.h>

typedef struct problem {
    int count, times;
    dlz_request *requests;
} problem;

static void ask(problem *p, size_t lines, int first, int last) {
    last = last < p->times ? last : p->times - 1;
    p->requests[p->count] =
        (dlz_request){.bytes = 64 * lines, .first = first, .last = last, .number = p->count};
    p->count++;
}

static size_t random_lines(dlz_random *random, int kind) {
    switch (kind) {
    case 0: /* all alike */
        return 7;
    case 1: /* a few sizes, as layers have */
        return (size_t)1 << random_between(random, 0, 6);
    case 2: /* from nothing to much */
        return (size_t)random_between(random, 0, random_chance(random, 0.1) ? 10000 : 50);
    default:
        return (size_t)random_between(random, 1, 1000);
    }
}

/* As training asks: what a layer keeps until its backward pass, and what it needs for a moment. */
static void ask_like_training(problem *p, dlz_random *random, int sizes, int count) {
    int layers = p->times / 2;
    while (p->count < count) {
        int layer = (int)random_between(random, 0, layers - 1), back = p->times - 1 - layer;
        ask(p, random_lines(random, sizes), layer, back);
        if (p->count < count)
            ask(p, random_lines(random, sizes), layer, layer + (int)random_between(random, 0, 2));
        if (p->count < count)
            ask(p, random_lines(random, sizes), back, back + (int)random_between(random, 0, 2));
    }
}

static problem random_problem(uint64_t seed) {
    dlz_random random = random_numbers(seed);
    int shape = (int)random_between(&random, 0, 4), sizes = (int)random_between(&random, 0, 3);
    int count = (int)random_between(&random, 0, random_chance(&random, 0.2) ? 700 : 60);
    problem p = {.times = (int)random_between(&random, 1, 150)};
    p.requests = malloc(((size_t)count + 1) * sizeof *p.requests);
    ck_assert_ptr_nonnull(p.requests);
    if (shape == 0 && p.times > 1)
        ask_like_training(&p, &random, sizes, count);
    while (p.count < count) {
        int first = (int)random_between(&random, 0, p.times - 1), length = 0;
        if (shape == 1) /* as evaluation asks: a chain */
            length = 1;
        else if (shape == 2)
            length = (int)random_between(&random, 0, 3);
        else if (shape == 3)
            length = (int)random_between(&random, 0, p.times);
        else
            length = (int)random_between(&random, 0, random_chance(&random, 0.1) ? p.times : 2);
        ask(&p, random_lines(&random, sizes), first, first + length);
    }
    return p;
}

static bool share_time(const dlz_request *a, const dlz_request *b) {
    return a->first <= b->last && b->first <= a->last;
}

static bool share_memory(const dlz_request *a, const dlz_request *b) {
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static void check_apart(const problem *p, size_t total) {
    for (int i = 0; i < p->count; i++) {
        const dlz_request *a = &p->requests[i];
        ck_assert_uint_eq(a->offset % 64, 0);
        ck_assert_uint_le(a->offset + a->bytes, total);
        for (int j = 0; j < i; j++) {
            const dlz_request *b = &p->requests[j];
            ck_assert_msg(!share_time(a, b) || !share_memory(a, b),
                          "requests %d and %d lie at %zu and %zu and overlap", a->number, b->number,
                          a->offset, b->offset);
        }
    }
}

/* No block can be smaller than what is needed at one time. */
static size_t most_at_one_time(const problem *p) {
    size_t most = 0;
    for (int time = 0; time < p->times; time++) {
        size_t live = 0;
        for (int i = 0; i < p->count; i++)
            if (p->requests[i].first <= time && time <= p->requests[i].last)
                live += p->requests[i].bytes;
        most = live > most ? live : most;
    }
    return most;
}

static int larger_first(const void *left, const void *right) {
    const dlz_request *a = left, *b = right;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a->number - b->number;
}

static bool fits(const dlz_request *requests, int placed, const dlz_request *wanted, size_t at) {
    dlz_request there = *wanted;
    there.offset = at;
    for (int i = 0; i < placed; i++)
        if (share_time(&requests[i], &there) && share_memory(&requests[i], &there))
            return false;
    return true;
}

/* Largest first, each at the lowest place that fits: 0, or where another one ends. */
static size_t plain_search(const problem *p) {
    dlz_request *requests = malloc(((size_t)p->count + 1) * sizeof *requests);
    ck_assert_ptr_nonnull(requests);
    memcpy(requests, p->requests, (size_t)p->count * sizeof *requests);
    qsort(requests, (size_t)p->count, sizeof *requests, larger_first);
    size_t total = 0;
    for (int i = 0; i < p->count; i++) {
        size_t best = fits(requests, i, &requests[i], 0) ? 0 : SIZE_MAX;
        for (int j = 0; j < i; j++) {
            size_t end = requests[j].offset + requests[j].bytes;
            if (end < best && fits(requests, i, &requests[i], end))
                best = end;
        }
        requests[i].offset = best;
        total = best + requests[i].bytes > total ? best + requests[i].bytes : total;
    }
    free(requests);
    return total;
}

static void check_placement(uint64_t seed) {
    problem p = random_problem(seed);
    size_t bound = most_at_one_time(&p), plain = plain_search(&p), total = 1;
    ck_ok(dlz_place(p.requests, p.count, &total));
    check_apart(&p, total);
    ck_assert_msg(total <= plain, "a block of %zu bytes; the plain search needs %zu", total, plain);
    ck_assert_msg((double)total <= 2 * (double)bound,
                  "a block of %zu bytes for at most %zu at one time", total, bound);
    free(p.requests);
}

int main(void) {
    const random_test tests[] = {{"placement", check_placement, 200}, {0}};
    return run_random_tests("placement", tests);
}
