/* What is required of every call, and the memory that the library gets. */
#include "calls.h"

#include <math.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_BLOCK = 48 << 20, LARGEST_TOTAL = 256 << 20, MOST_DEPTH = 16 };

/* The last error before a call. No failure says this. */
static const char no_failure[] = "this is what was there before the call";

/* A call that is under way. */
typedef struct call {
    const char *file, *text;
    int line;
    int64_t refused;
    bool disturbed;
} call;
static call calls[MOST_DEPTH];
static int depth;
static bool tracing;
static long long num_sequences, num_calls, by_status[DLVIZ_ERROR_COMM + 1];

void require(bool holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "\nrequired: %s\n", what);
    for (int i = depth; i >= 0; i--)
        if (calls[i].text)
            fprintf(stderr, "  %s %s:%d: %s\n", i == depth ? "last" : "in", calls[i].file,
                    calls[i].line, calls[i].text);
    fprintf(stderr, "  last error: %s\n", dlviz_last_error());
    abort();
}

void begin_checks(void) {
    tracing = getenv("DLVIZ_FUZZ_TRACE") != NULL;
}

void call_begins(const char *file, int line, const char *text) {
    require(depth < MOST_DEPTH - 1, "calls within calls");
    if (tracing)
        fprintf(stderr, "%*s%s:%d %s\n", 2 * depth, "",
                strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line, text);
    dlviz_status status = dlviz_fail(DLVIZ_ERROR_STATE, "%s", no_failure);
    (void)status;
    calls[depth] = (call){file, text, line, refused_requests(), false};
    calls[++depth] = (call){NULL, NULL, 0, 0, false};
}

/* Whether a call may fail so although memory has run out meanwhile: what is wrong with a file is wrong anyway,
 * where there is no room to say more of it. */
static bool is_another_reason(dlviz_status status) {
    return status == DLVIZ_ERROR_IO || status == DLVIZ_ERROR_FORMAT ||
           status == DLVIZ_ERROR_UNSUPPORTED || status == DLVIZ_CANCELLED;
}

dlviz_status call_ended(dlviz_status status) {
    call *ended = &calls[--depth];
    const char *sentence = dlviz_last_error();
    if (tracing)
        fprintf(stderr, "%*s-> %s%s%s\n", 2 * depth, "", dlviz_status_name(status),
                status ? ": " : "", status ? sentence : "");
    require((int)status >= 0 && status <= DLVIZ_ERROR_COMM, "a status that there is");
    num_calls++;
    by_status[status]++;
    if (status == DLVIZ_OK) {
        require(ended->disturbed || strcmp(sentence, no_failure) == 0,
                "a call that succeeds leaves the last error alone");
    } else {
        require(strcmp(sentence, no_failure) != 0, "a failure has a sentence of its own");
        require(strlen(sentence) > 20, "a failure has a sentence");
        if (refused_requests() > ended->refused && !ended->disturbed)
            require(status == DLVIZ_ERROR_OUT_OF_MEMORY || is_another_reason(status),
                    "where memory ran out, that is what is said");
    }
    for (int i = 0; i < depth; i++)
        calls[i].disturbed = true;
    return status;
}

void disturb(void) {
    for (int i = 0; i < depth; i++)
        calls[i].disturbed = true;
}

int call_depth(void) {
    return depth;
}

bool was_made(dlviz_status status, bool wanted, const void *made) {
    if (!wanted)
        require(status != DLVIZ_OK, "no place for the result, and success");
    else if (status == DLVIZ_OK)
        require(made != NULL && made != NOT_MADE, "a success has its result");
    else
        require(made == NULL, "a failure gives NULL");
    return wanted && status == DLVIZ_OK;
}

void count_sequence(void) {
    num_sequences++;
}

void print_counts(void) {
    fprintf(stderr, "%lld sequences, %lld calls:", num_sequences, num_calls);
    for (int s = 0; s <= DLVIZ_ERROR_COMM; s++)
        fprintf(stderr, " %s %lld%s", dlviz_status_name((dlviz_status)s), by_status[s],
                s < DLVIZ_ERROR_COMM ? "," : "\n");
}

void settled_number(dlviz_status status, double before, double wanted, double after, double low,
                    double high) {
    if (status == DLVIZ_OK) {
        require(wanted >= low && wanted <= high, "a setting is within its limits, and no NaN");
        require(after == wanted, "a setting is what it was set to");
    } else {
        require(after == before || (isnan(after) && isnan(before)),
                "a setting that is refused leaves the former one");
    }
}

/* -- Memory ------------------------------------------------------------------------------------- */

/* What precedes a block, in as much room as keeps it aligned. */
typedef union header {
    size_t size;
    max_align_t aligned;
} header;

static atomic_llong live, total, refused, until_failure = -1, failures_left;
static atomic_int spared;

static bool refuses(size_t size) {
    if (size > LARGEST_BLOCK || atomic_load(&total) + (long long)size > LARGEST_TOTAL)
        return true;
    if (atomic_load(&spared) > 0 || atomic_load(&until_failure) < 0)
        return false;
    if (atomic_load(&until_failure) > 0) {
        atomic_fetch_sub(&until_failure, 1);
        return false;
    }
    if (atomic_fetch_sub(&failures_left, 1) <= 1)
        atomic_store(&until_failure, -1);
    return true;
}

static void *allocate(size_t size, void *user) {
    (void)user;
    header *block = refuses(size) ? NULL : malloc(sizeof *block + size);
    if (!block) {
        atomic_fetch_add(&refused, 1);
        return NULL;
    }
    block->size = size;
    atomic_fetch_add(&live, 1);
    atomic_fetch_add(&total, (long long)size);
    return block + 1;
}

static void release(void *at, void *user) {
    (void)user;
    header *block = (header *)at - 1;
    atomic_fetch_sub(&live, 1);
    atomic_fetch_sub(&total, (long long)block->size);
    free(block);
}

void set_allocator(void) {
    require(dlviz_set_allocator(allocate, release, NULL) == DLVIZ_OK, "an allocator");
}

void fail_an_allocation(int64_t n, int64_t how_many) {
    atomic_store(&failures_left, how_many);
    atomic_store(&until_failure, n);
}

void spare_allocations(bool spare) {
    atomic_fetch_add(&spared, spare ? 1 : -1);
}

int64_t live_blocks(void) {
    return atomic_load(&live);
}

int64_t refused_requests(void) {
    return atomic_load(&refused);
}

/* -- Looking at results ------------------------------------------------------------------------- */

static volatile uint64_t seen;

void see_text(const char *text) {
    if (text)
        seen += strlen(text);
}

void see_number(double number) {
    seen += number > 0;
}

void see_count(int64_t count) {
    require(count >= 0, "a count is 0 or more");
}

void see_dims(int ndim, const int64_t *dims) {
    require(ndim >= 0 && ndim <= DLVIZ_MAX_DIMS, "a number of dimensions");
    for (int d = 0; dims && d < ndim; d++)
        require(dims[d] >= 0, "a size is 0 or more");
}

void see_tensor(const dlviz_tensor *tensor) {
    if (!tensor)
        return;
    int ndim = dlviz_tensor_ndim(tensor);
    see_dims(ndim, dlviz_tensor_dims(tensor));
    int64_t count = 1;
    for (int d = 0; d < ndim; d++)
        count *= dlviz_tensor_dim(tensor, d);
    require(count == dlviz_tensor_num_elements(tensor), "as many elements as the shape says");
    size_t size = (size_t)count * dlviz_dtype_size(dlviz_tensor_dtype(tensor));
    const uint8_t *bytes = dlviz_tensor_const_data(tensor);
    for (size_t i = 0; i<size; i += size> 65536 ? 97 : 1)
        seen += bytes[i];
}

uint64_t mark_of(const dlviz_tensor *tensor, uint64_t before) {
    uint64_t mark = before ^ 1469598103934665603u; /* FNV-1a */
    size_t size =
        (size_t)dlviz_tensor_num_elements(tensor) * dlviz_dtype_size(dlviz_tensor_dtype(tensor));
    const uint8_t *bytes = dlviz_tensor_const_data(tensor);
    if (!tensor)
        return before;
    for (size_t i = 0; i < size; i++)
        mark = (mark ^ bytes[i]) * 1099511628211u;
    return mark;
}

bool is_finite_tensor(const dlviz_tensor *tensor) {
    const float *values = tensor ? dlviz_tensor_const_float(tensor) : NULL;
    for (int64_t i = 0; values && i < dlviz_tensor_num_elements(tensor); i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

void require_between(dlviz_status status, double low, double value, double high) {
    require(status != DLVIZ_OK || (value >= low && value <= high), "a result within its limits");
}
