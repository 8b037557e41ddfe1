#include "support/judging.h"

#include <jansson.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Beyond this there is no memory at all. What a network that was read needs to compute may be as
 * much; loads are judged by a bound of their own. */
enum { ALL_MEMORY = 256 << 20 };

int64_t judged_loads, judged_taken;
double judged_share;
dlviz_status judged_status;

static const char *subject_name = "", *repeat_text = "";
static memory_bound bound;
static size_t file_size;
static dlviz_status allowed_status;
static atomic_llong live_bytes, live_blocks, most_bytes;
static long long bytes_before, blocks_before;

void require(bool holds, const char *format, ...) {
    if (holds)
        return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s%s: ", subject_name, repeat_text);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, " (last error: %s)\n", dlviz_last_error());
    va_end(arguments);
    abort();
}

void must(dlviz_status status, const char *what) {
    require(status == DLVIZ_OK, "%s", what);
}

/* Blocks have no header of ours, so that AddressSanitizer sees what is read before them. */
static void *allocate(size_t size, void *user) {
    (void)user;
    void *block =
        size > ALL_MEMORY || live_bytes + (long long)size > ALL_MEMORY ? NULL : malloc(size);
    long long asked = (long long)size > 0 ? (long long)size : 0, now = live_bytes + asked;
    if (block)
        now = atomic_fetch_add(&live_bytes, (long long)malloc_usable_size(block)) + asked;
    if (now > most_bytes) /* of what was asked for, whether there was any */
        most_bytes = now;
    live_blocks += block != NULL;
    return block;
}

static void release(void *block, void *user) {
    (void)user;
    live_bytes -= (long long)malloc_usable_size(block);
    live_blocks -= block != NULL;
    free(block);
}

static void *allocate_json(size_t size) {
    return allocate(size, NULL);
}

static void release_json(void *block) {
    release(block, NULL);
}

/* What jansson needs is part of what a file costs. */
void judge_start(void) {
    json_set_alloc_funcs(allocate_json, release_json);
    must(dlviz_set_num_threads(1), "one thread");
    must(dlviz_set_allocator(allocate, release, NULL), "an allocator");
}

void judge_name(const char *subject, const char *repeat) {
    subject_name = subject;
    repeat_text = repeat;
}

void judge_begin(const mutant *file, memory_bound allowed) {
    file_size = file->size;
    bound = allowed;
    blocks_before = live_blocks;
    allowed_status = DLVIZ_OK;
}

void judge_allow(dlviz_status status) {
    allowed_status = status;
}

void judge_end(void) {
    require(live_blocks == blocks_before, "%lld blocks are left",
            (long long)(live_blocks - blocks_before));
}

void judge_load(void) {
    most_bytes = bytes_before = live_bytes;
}

/* Whether a text is UTF-8 without what status.h says that no sentence has: decided by the
 * characters' numbers, in another way than the library's. */
static bool is_one_line(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        unsigned long code = *at < 0x80   ? *at
                             : *at < 0xE0 ? *at & 0x1FU
                             : *at < 0xF0 ? *at & 0x0FU
                                          : *at & 0x07U;
        int more = *at < 0x80   ? 0
                   : *at < 0xC0 ? -1
                   : *at < 0xE0 ? 1
                   : *at < 0xF0 ? 2
                   : *at < 0xF8 ? 3
                                : -1;
        static const unsigned long least[] = {0, 0x80, 0x800, 0x10000};
        if (more < 0)
            return false;
        at++;
        for (int i = 0; i < more; i++, at++) {
            if ((*at & 0xC0) != 0x80)
                return false;
            code = code << 6 | (*at & 0x3FU);
        }
        if (code < least[more] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) ||
            code < 0x20 || (code >= 0x7F && code <= 0x9F) || (code >= 0x2028 && code <= 0x202E) ||
            (code >= 0x2066 && code <= 0x2069))
            return false;
    }
    return true;
}

bool judged(bool has_result) {
    dlviz_status status = judged_status;
    long long most = most_bytes - bytes_before;
    double allowed = (double)bound.base + (double)bound.per_byte * (double)file_size;
    judged_loads++;
    judged_taken += status == DLVIZ_OK;
    require((double)most <= allowed,
            "%lld bytes are asked for, and %.0f were to do for a file of %zu", most, allowed,
            file_size);
    judged_share = judged_share > (double)most / allowed ? judged_share : (double)most / allowed;
    require(status == DLVIZ_OK || status == DLVIZ_ERROR_FORMAT ||
                status == DLVIZ_ERROR_UNSUPPORTED || status == DLVIZ_ERROR_NUMERIC ||
                status == allowed_status,
            "it gives '%s'", dlviz_status_name(status));
    require(has_result == (status == DLVIZ_OK), "%s result, and '%s'", has_result ? "a" : "no",
            dlviz_status_name(status));
    require(status == DLVIZ_OK || strlen(dlviz_last_error()) > 20, "no sentence");
    require(is_one_line(dlviz_last_error()), "a sentence with bytes that act on a terminal");
    return status == DLVIZ_OK;
}
