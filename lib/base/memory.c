#include "base/base.h"
#include "base/fork.h"
#include "base/reading.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each block is preceded by what is needed to free and to resize it, and by which reading of a file it
 * counts for, if any. */
typedef struct header {
    void *origin;
    size_t size;
    uint64_t reading;
} header;

#define MORE (sizeof(header) + DLZ_ALIGNMENT)

typedef struct allocator {
    void *(*allocate)(size_t size, void *user);
    void (*release)(void *block, void *user);
    void *user;
} allocator;

static void *default_allocate(size_t size, void *user) {
    (void)user;
    return malloc(size);
}

static void default_release(void *block, void *user) {
    (void)user;
    free(block);
}

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static allocator current = {default_allocate, default_release, NULL};

static void after_fork(void) {
    pthread_rwlock_init(&lock, NULL);
}

DLZ_AFTER_FORK(after_fork)

static allocator get_allocator(void) {
    DLZ_WATCH_FORKS();
    pthread_rwlock_rdlock(&lock);
    allocator copy = current;
    pthread_rwlock_unlock(&lock);
    return copy;
}

dlviz_status dlviz_set_allocator(void *(*allocate)(size_t, void *), void (*release)(void *, void *),
                                 void *user) {
    if (!allocate != !release)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_set_allocator: '%s' is NULL; give both functions, or neither",
                        allocate ? "release" : "allocate");
    DLZ_WATCH_FORKS();
    pthread_rwlock_wrlock(&lock);
    current = allocate ? (allocator){allocate, release, user}
                       : (allocator){default_allocate, default_release, NULL};
    pthread_rwlock_unlock(&lock);
    return DLVIZ_OK;
}

void *dlz_alloc(size_t size) {
    size_t total;
    dlz_reading *reading = dlz_reading_now();
    if (dlz_add_overflows(size, MORE, &total) || !dlz_reading_take(reading, total))
        return NULL;
    allocator a = get_allocator();
    char *origin = a.allocate(total, a.user);
    if (!origin) {
        dlz_reading_give_back(reading, total);
        return NULL;
    }
    uintptr_t start = (uintptr_t)origin + sizeof(header) + DLZ_ALIGNMENT - 1;
    char *block = origin + (start / DLZ_ALIGNMENT * DLZ_ALIGNMENT - (uintptr_t)origin);
    ((header *)(void *)block)[-1] = (header){origin, size, reading ? reading->id : 0};
    return block;
}

void *dlz_alloc_zero(size_t size) {
    void *block = dlz_alloc(size);
    return block ? memset(block, 0, size) : NULL;
}

void *dlz_alloc_array(uint64_t count, uint64_t size) {
    size_t bytes;
    return dlz_mul_overflows(count, size, &bytes) ? NULL : dlz_alloc(bytes);
}

void *dlz_alloc_array_zero(uint64_t count, uint64_t size) {
    size_t bytes;
    return dlz_mul_overflows(count, size, &bytes) ? NULL : dlz_alloc_zero(bytes);
}

void *dlz_realloc_array(void *block, uint64_t count, uint64_t size) {
    void *bigger = dlz_alloc_array(count, size);
    if (!bigger || !block)
        return bigger;
    size_t old = ((header *)block)[-1].size, now = (size_t)(count * size);
    memcpy(bigger, block, old < now ? old : now);
    dlz_free(block);
    return bigger;
}

void dlz_free(void *block) {
    if (!block)
        return;
    header *of_block = (header *)block - 1;
    dlz_reading *reading = dlz_reading_now();
    while (reading && of_block->reading != reading->id)
        reading = reading->outer;
    dlz_reading_give_back(reading, of_block->size + MORE);
    allocator a = get_allocator();
    a.release(of_block->origin, a.user);
}

void dlviz_free(void *block) {
    dlz_free(block);
}

char *dlz_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = dlz_alloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

char *dlz_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = dlz_vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return NULL;
    char *text = dlz_alloc((size_t)length + 1);
    if (!text)
        return NULL;
    va_start(arguments, format);
    dlz_vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

bool dlz_product_overflows(int ndim, const int64_t *dims, int64_t *product) {
    int64_t total = 1;
    bool overflows = false, empty = false;
    for (int i = 0; i < ndim; i++) {
        empty |= dims[i] == 0;
        overflows |= __builtin_mul_overflow(total, dims[i], &total);
    }
    *product = empty ? 0 : total;
    return overflows && !empty;
}
