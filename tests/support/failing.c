#include "support/failing.h"
#include "support/support.h"

#include <stdatomic.h>
#include <stdlib.h>

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
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
    return failures;
}
