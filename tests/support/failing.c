#include "support/failing.h"
#include "support/support.h"

#include <stdatomic.h>
#include <stdlib.h>
#if defined __GLIBC__ && __GLIBC_PREREQ(2, 33)
#include <malloc.h>
#define HEAP_IN_USE() (mallinfo2().uordblks + mallinfo2().hblkhd)
#else
#define HEAP_IN_USE() ((size_t)0)
#endif

enum { RUNS = 50 }; /* of which one that leaves nothing tells that none has to */

typedef struct counter {
    atomic_llong made, live, fail_at;
    bool keep_failing;
} counter;

static void *allocate(size_t size, void *user) {
    counter *c = user;
    long long number = atomic_fetch_add(&c->made, 1) + 1, fail_at = atomic_load(&c->fail_at);
    if (number == fail_at || (c->keep_failing && number > fail_at))
        return NULL;
    void *block = malloc(size);
    if (block)
        atomic_fetch_add(&c->live, 1);
    return block;
}

static void release(void *block, void *user) {
    atomic_fetch_sub(&((counter *)user)->live, 1);
    free(block);
}

/* What other libraries allocate, as JSON's does, is not counted. But if a run leaves some of it,
 * memory grows with each; what is kept for later makes it grow with some only. */
static void expect_no_growth(dlviz_status (*work)(void *context), void *context) {
    size_t least = SIZE_MAX;
    for (int run = 0; run < RUNS && least > 0; run++) {
        size_t before = HEAP_IN_USE();
        ck_ok(work(context));
        size_t after = HEAP_IN_USE(), grown = after > before ? after - before : 0;
        least = grown < least ? grown : least;
    }
    ck_assert_msg(least == 0, "each run leaves %zu bytes of memory that is not the library's own",
                  least);
}

int64_t fail_each_allocation(dlviz_status (*work)(void *context), void *context) {
    counter c = {0};
    int64_t failures = 0;
    ck_ok(dlviz_set_allocator(allocate, release, &c));
    for (int64_t n = 1;; n++) {
        dlviz_status status = DLVIZ_OK;
        for (int keep = 0; keep < 2; keep++) {
            c.made = 0;
            c.fail_at = n;
            c.keep_failing = keep;
            status = work(context);
            ck_assert_msg(c.live == 0, "%lld blocks are left after allocation %lld failed",
                          (long long)c.live, (long long)n);
            ck_assert_msg((status == DLVIZ_OK) == (c.made < n),
                          "allocation %lld of %lld failed, and the "
                          "result is '%s'",
                          (long long)n, (long long)c.made, dlviz_status_name(status));
            if (status != DLVIZ_OK)
                ck_fails(status, DLVIZ_ERROR_OUT_OF_MEMORY, "memory");
        }
        if (status == DLVIZ_OK)
            break;
        failures++;
    }
    c.fail_at = 0;
    c.keep_failing = false;
    expect_no_growth(work, context);
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
    return failures;
}
