#include "tensor/pages.h"

#include <sys/mman.h>
#include <unistd.h>

/* Pages are dealt with in windows of so many bytes. */
#define WINDOW ((size_t)2 << 20)
#define AHEAD (16 * WINDOW)
#define BEHIND (2 * WINDOW)
/* A thread that was held up leaves pages further behind. */
#define FAR_BEHIND (10 * WINDOW)
/* What the kernel reads ahead at one request may be as little as this. */
#define REQUEST ((size_t)128 << 10)

dlz_pages dlz_pages_of(const dlviz_tensor *tensor) {
    dlz_pages pages = {0};
    size_t size = (size_t)tensor->size * dlviz_dtype_size(tensor->dtype);
    if (tensor->ndim < 1 || size < DLZ_PAGES_LEAST || !dlz_tensor_unwritten_file(tensor))
        return pages;
    return (dlz_pages){tensor->data, size, size / (size_t)tensor->dims[0]};
}

/* All pages that have some of these bytes: those that only lie partly in here are fetched again, at
 * little cost. The first and the last may have the file's other numbers, or its header. */
static void advise(const dlz_pages *pages, size_t from, size_t to, int advice) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (to > pages->size)
        to = pages->size;
    if (from >= to)
        return;
    size_t before = (size_t)(uintptr_t)(pages->data + from) % page;
    (void)madvise(pages->data + from - before, to - from + before, advice);
}

void dlz_pages_read(const dlz_pages *pages, int64_t first, int64_t count) {
    if (!pages->data)
        return;
    size_t from = (size_t)first * pages->row, to = from + (size_t)count * pages->row;
    for (size_t window = (from + WINDOW - 1) / WINDOW * WINDOW; window < to; window += WINDOW) {
        for (size_t at = window + AHEAD; at < window + AHEAD + WINDOW; at += REQUEST)
            advise(pages, at, at + REQUEST, MADV_WILLNEED);
        if (window > BEHIND)
            advise(pages, window > FAR_BEHIND ? window - FAR_BEHIND : 0, window - BEHIND,
                   MADV_DONTNEED);
    }
}

void dlz_pages_done(const dlz_pages *pages, int64_t first, int64_t count) {
    size_t from = (size_t)first * pages->row, size = (size_t)count * pages->row;
    if (pages->data && size >= WINDOW)
        advise(pages, from, from + size, MADV_DONTNEED);
}

void dlz_pages_release(const dlz_pages *pages) {
    if (pages->data)
        advise(pages, 0, pages->size, MADV_DONTNEED);
}
