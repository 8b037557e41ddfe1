#include "comm/digest.h"
#include "base/base.h"
#include "base/parallel.h"
#include "comm/comm.h"
#include "tensor/tensor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* However much there is, digests of its parts fit on the stack. */
#define PARTS 256
#define LEAST (INT64_C(1) << 16) /* bytes a part */
#define LANES 4
#define WORD 8

typedef struct parts {
    const unsigned char *bytes;
    int64_t size, a_part;
    uint64_t digests[PARTS];
} parts;

/* Multiplied by an odd number each word of a lane changes all that follow, and is told from
 * others. */
static uint64_t mix(uint64_t digest, uint64_t word) {
    digest = (digest ^ word) * 0xD6E8FEB86659FD93u;
    return digest ^ digest >> 32;
}

static uint64_t digest_of(const unsigned char *bytes, int64_t size) {
    uint64_t lanes[LANES] = {1, 2, 3, 4}, digest = (uint64_t)size;
    for (; size >= LANES * WORD; size -= LANES * WORD, bytes += LANES * WORD) {
        uint64_t words[LANES];
        memcpy(words, bytes, sizeof words);
        for (int lane = 0; lane < LANES; lane++)
            lanes[lane] = mix(lanes[lane], words[lane]);
    }
    for (; size > 0; size--)
        digest = mix(digest, *bytes++);
    for (int lane = 0; lane < LANES; lane++)
        digest = mix(digest, lanes[lane]);
    return digest;
}

static void digest_part(void *context, int64_t part, int worker) {
    (void)worker;
    parts *p = context;
    int64_t first = part * p->a_part;
    p->digests[part] = digest_of(p->bytes + first, dlz_min_i64(p->a_part, p->size - first));
}

uint64_t dlz_digest(const void *bytes, size_t size) {
    parts p = {.bytes = bytes, .size = (int64_t)size};
    p.a_part = dlz_max_i64(dlz_ceil_div(p.size, PARTS), LEAST);
    int64_t count = dlz_ceil_div(p.size, p.a_part);
    uint64_t digest = size;
    dlz_parallel_for(count, dlz_threads(), digest_part, &p);
    for (int64_t part = 0; part < count; part++)
        digest = mix(digest, p.digests[part]);
    return digest;
}

dlviz_status dlz_comm_require_same_tensor(dlviz_comm *comm, const char *who, const char *name,
                                          const dlviz_tensor *tensor) {
    char shape[DLZ_SHAPE_TEXT_SIZE], text[DLZ_SHAPE_TEXT_SIZE + 64];
    if (dlz_comm_size(comm) == 1)
        return DLVIZ_OK;
    snprintf(text, sizeof text, "%s of %s, digest %016" PRIx64,
             dlz_shape_text(shape, tensor->ndim, tensor->dims), dlviz_dtype_name(tensor->dtype),
             dlz_digest(tensor->data, (size_t)tensor->size * dlviz_dtype_size(tensor->dtype)));
    return dlz_comm_require_same(comm, who, name, text);
}
