#include "kernels/embed/knn_bytes.h"
#include "isa/isa.h"

static int64_t count_up_to(const uint64_t *entries, int64_t count, uint64_t last) {
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++)
        found += entries[i] <= last;
    return found;
}

static uint64_t bound(const dlz_knn_buffer *buffer) {
    uint64_t least = UINT64_MAX, greatest = 0;
    for (int32_t i = 0; i < buffer->count; i++) {
        uint64_t e = buffer->entries[i];
        least = e < least ? e : least;
        greatest = e > greatest ? e : greatest;
    }
    uint32_t low = (uint32_t)(least >> 32), high = (uint32_t)(greatest >> 32);
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        int64_t found =
            count_up_to(buffer->entries, buffer->count, (uint64_t)middle << 32 | 0xFFFFFFFFu);
        if (found < buffer->keep)
            low = middle;
        else
            high = middle;
        if (found >= buffer->keep && found <= buffer->keep + buffer->keep / 8)
            break;
    }
    return (uint64_t)high << 32 | 0xFFFFFFFFu;
}

static void compact(dlz_knn_buffer *buffer) {
    if (buffer->best_count > 0) {
        buffer->settle(buffer, buffer->context);
        return;
    }
    if (buffer->count <= buffer->keep)
        return;
    /* Half norms are rounded down. */
    double product = (double)(int32_t)((uint32_t)(bound(buffer) >> 32) ^ 0x80000000u) + 1;
    double limit = dlz_knn_bytes_value(buffer, product, buffer->error);
    if (limit < buffer->limit)
        buffer->limit = limit;
    dlz_knn_bytes_aim(buffer);
    uint64_t end = dlz_knn_bytes_entry(buffer->below, 0);
    int32_t kept = 0;
    for (int32_t i = 0; i < buffer->count; i++) {
        uint64_t e = buffer->entries[i];
        buffer->entries[kept] = e;
        kept += e < end;
    }
    buffer->count = kept;
    if (buffer->count > buffer->capacity * 3 / 4)
        buffer->settle(buffer, buffer->context);
}

#ifdef DLZ_HAS_BYTES

#if DLZ_LANES == 16
#define ROWS 12
#else
#define ROWS 6
#endif
#define VECTORS 2

static int available(void) {
    return DLZ_HAS_BYTES;
}

/* differences: products less `below`. */
static __attribute__((noinline)) void push(dlz_knn_buffer *buffer, uint32_t bits,
                                           const int32_t *differences, int32_t first) {
    int32_t below = buffer->below;
    for (; bits; bits &= bits - 1) {
        int32_t lane = __builtin_ctz(bits);
        if (first + lane != buffer->self)
            buffer->entries[buffer->count++] =
                dlz_knn_bytes_entry(differences[lane] + below, (uint32_t)(first + lane));
    }
    if (buffer->count > buffer->capacity - DLZ_KNN_PANEL)
        compact(buffer);
}

static DLZ_WITH_BYTES void scan(const int32_t *queries, const uint8_t *panel,
                                const int32_t *half_norms, int64_t words, int32_t first,
                                dlz_knn_buffer *buffers) {
    const int width = VECTORS * DLZ_LANES;
    for (int column = 0; column < DLZ_KNN_PANEL; column += width)
        for (int row = 0; row < DLZ_KNN_GROUP; row += ROWS) {
            dlz_vi sums[ROWS][VECTORS];
            for (int v = 0; v < VECTORS; v++) {
                dlz_vi start = *(const dlz_viu *)(half_norms + column + v * DLZ_LANES);
#pragma GCC unroll 12
                for (int r = 0; r < ROWS; r++)
                    sums[r][v] = start - buffers[row + r].below;
            }
            const uint8_t *c = panel + column * 4;
            const int32_t *q = queries + row;
            for (int64_t i = 0; i < words; i++, c += DLZ_KNN_PANEL * 4, q += DLZ_KNN_GROUP) {
                dlz_vi points[VECTORS];
#pragma GCC unroll 2
                for (int v = 0; v < VECTORS; v++)
                    points[v] = *(const dlz_viu *)(c + v * DLZ_LANES * 4);
#pragma GCC unroll 12
                for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 2
                    for (int v = 0; v < VECTORS; v++)
                        sums[r][v] = dlz_add_bytes(sums[r][v], points[v], q[r]);
            }
            /* Mostly nothing passes: one question for all. */
            dlz_vi any = {0};
#pragma GCC unroll 12
            for (int r = 0; r < ROWS; r++)
                any |= sums[r][0] | sums[r][1];
            if (__builtin_expect(dlz_negative(any) == 0, 1))
                continue;
            int32_t differences[ROWS][VECTORS * DLZ_LANES];
            uint32_t bits[ROWS];
#pragma GCC unroll 12
            for (int r = 0; r < ROWS; r++) {
                bits[r] = 0;
#pragma GCC unroll 2
                for (int v = 0; v < VECTORS; v++) {
                    *(dlz_viu *)(differences[r] + v * DLZ_LANES) = sums[r][v];
                    bits[r] |= dlz_negative(sums[r][v]) << (v * DLZ_LANES);
                }
            }
            for (int r = 0; r < ROWS; r++)
                if (bits[r])
                    push(&buffers[row + r], bits[r], differences[r], first + column);
        }
}

#else

static int available(void) {
    return 0;
}

#define scan NULL

#endif

const dlz_knn_bytes_kernel DLZ_VARIANT(dlz_knn_bytes) = {available, scan, compact, bound};
