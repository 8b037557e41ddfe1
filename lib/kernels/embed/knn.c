#include "kernels/embed/knn.h"
#include "isa/isa.h"
#include "kernels/embed/knn_products.h"

/* Floats as integers of the same order. */
DLZ_INLINE uint32_t ordered(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

DLZ_INLINE uint64_t last_entry(float value) {
    return (uint64_t)ordered(value) << 32 | 0xFFFFFFFFu;
}

static int64_t count_up_to(const uint64_t *entries, int64_t count, uint64_t last) {
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++)
        found += entries[i] <= last;
    return found;
}

/* A value that at least `keep` entries, and hardly more, do not exceed. Counting is a vector
 * operation, which makes a few bisections cheaper than one selection. */
static float bound(const dlz_knn_buffer *buffer) {
    uint64_t least = UINT64_MAX, greatest = 0;
    for (int32_t i = 0; i < buffer->count; i++) {
        uint64_t e = buffer->entries[i];
        least = e < least ? e : least;
        greatest = e > greatest ? e : greatest;
    }
    float low = dlz_knn_value(least), high = dlz_knn_value(greatest);
    for (;;) {
        float middle = 0.5f * low + 0.5f * high;
        if (!(middle > low && middle < high))
            return high;
        int64_t found = count_up_to(buffer->entries, buffer->count, last_entry(middle));
        if (found < buffer->keep)
            low = middle;
        else
            high = middle;
        if (found >= buffer->keep && found <= buffer->keep + buffer->keep / 8)
            return high;
    }
}

DLZ_INLINE uint64_t make_entry(float value, uint32_t place) {
    return (uint64_t)ordered(value) << 32 | place;
}

static int32_t filter(uint64_t *entries, int32_t count, uint64_t last) {
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++) {
        uint64_t e = entries[i];
        entries[kept] = e;
        kept += e <= last;
    }
    return kept;
}

static void compact(dlz_knn_buffer *buffer) {
    if (buffer->best_count > 0 || !(buffer->relative < 0.25)) {
        buffer->settle(buffer, buffer->context);
        return;
    }
    if (buffer->count <= buffer->keep)
        return;
    double last = bound(buffer), slack = buffer->largest_slack;
    double limit = (last + slack) / (1 - buffer->relative);
    if (limit < buffer->limit)
        buffer->limit = limit;
    float most = (float)(buffer->limit * (1 + buffer->relative) + slack);
    buffer->count = filter(buffer->entries, buffer->count, last_entry(most));
    if (buffer->count > buffer->capacity / 2)
        buffer->settle(buffer, buffer->context);
    else
        dlz_knn_aim(buffer);
}

/* Rare: about keep * log(points / keep) times a query. */
static __attribute__((noinline)) void push(dlz_knn_buffer *buffer, uint32_t bits,
                                           const float *values, int32_t first) {
    for (; bits; bits &= bits - 1) {
        int32_t lane = __builtin_ctz(bits);
        if (first + lane != buffer->self)
            buffer->entries[buffer->count++] =
                make_entry(values[lane] + buffer->offset, (uint32_t)(first + lane));
    }
    if (buffer->slack > buffer->largest_slack)
        buffer->largest_slack = buffer->slack;
    if (buffer->count > buffer->capacity - DLZ_KNN_PANEL)
        compact(buffer);
}

static void scan(const float *queries, const float *panel, const float *half_norms, int64_t d,
                 int32_t first, dlz_knn_buffer *buffers) {
    const int width = VECTORS * DLZ_LANES;
    for (int column = 0; column < DLZ_KNN_PANEL; column += width)
        for (int row = 0; row < DLZ_KNN_GROUP; row += ROWS) {
            dlz_v sums[ROWS][VECTORS];
            multiply_panel(queries + row, panel + column, half_norms + column, d, sums);
#pragma GCC unroll 12
            for (int r = 0; r < ROWS; r++) {
                uint32_t bits = 0;
#pragma GCC unroll 2
                for (int v = 0; v < VECTORS; v++)
                    bits |= dlz_below(sums[r][v], buffers[row + r].threshold) << (v * DLZ_LANES);
                if (__builtin_expect(bits != 0, 0)) {
                    float values[VECTORS * DLZ_LANES];
#pragma GCC unroll 2
                    for (int v = 0; v < VECTORS; v++)
                        dlz_store(values + v * DLZ_LANES, sums[r][v]);
                    push(&buffers[row + r], bits, values, first + column);
                }
            }
        }
}

static void move(const float *group, const float *origin, float scale, int64_t d, float *to,
                 float *half_norms) {
    float sums[DLZ_KNN_GROUP] = {0};
    for (int64_t i = 0; i < d; i++, group += DLZ_KNN_GROUP, to += DLZ_KNN_GROUP)
        for (int q = 0; q < DLZ_KNN_GROUP; q++) {
            float value = (group[q] - origin[i]) * scale;
            to[q] = value;
            sums[q] += value * value;
        }
    for (int q = 0; q < DLZ_KNN_GROUP; q++)
        half_norms[q] = 0.5f * sums[q];
}

const dlz_knn_kernel DLZ_VARIANT(dlz_knn) = {scan, compact, move};
