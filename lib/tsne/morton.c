#include "tsne/morton.h"

#include <string.h>

/* Bit b of the value goes to bit b * dimensions. */
static uint64_t apart(uint64_t value, int dimensions) {
    if (dimensions == 2) {
        value = (value | value << 8) & 0x00FF00FFu;
        value = (value | value << 4) & 0x0F0F0F0Fu;
        value = (value | value << 2) & 0x33333333u;
        return (value | value << 1) & 0x55555555u;
    }
    if (dimensions == 3) {
        value = (value | value << 16) & 0x0000FF0000FFu;
        value = (value | value << 8) & 0x00F00F00F00Fu;
        value = (value | value << 4) & 0x0C30C30C30C3u;
        return (value | value << 2) & 0x249249249249u;
    }
    return value;
}

void dlz_morton_order(const float *map, int64_t n, int dimensions, const float corner[3],
                      double width, int32_t *order, uint64_t *codes, uint64_t *scratch) {
    /* Sorts pairs (code, point) by 11 bits at a time. */
    uint64_t *keys = scratch, *points = scratch + n, *keys2 = scratch + 2 * n;
    uint64_t *points2 = scratch + 3 * n;
    const double most = (1 << DLZ_MORTON_BITS) - 1;
    double scale = width > 0 ? most / width : 0;
    for (int64_t i = 0; i < n; i++) {
        uint64_t code = 0;
        for (int c = 0; c < dimensions; c++) {
            double place = ((double)map[i * dimensions + c] - corner[c]) * scale;
            place = place > 0 ? (place < most ? place : most) : 0;
            code |= apart((uint64_t)place, dimensions) << (dimensions - 1 - c);
        }
        keys[i] = code;
        points[i] = (uint64_t)i;
    }
    int64_t starts[2048];
    for (int shift = 0; shift < DLZ_MORTON_BITS * dimensions; shift += 11) {
        memset(starts, 0, sizeof starts);
        for (int64_t i = 0; i < n; i++)
            starts[keys[i] >> shift & 2047]++;
        int64_t next = 0;
        for (int d = 0; d < 2048; d++) {
            int64_t count = starts[d];
            starts[d] = next;
            next += count;
        }
        for (int64_t i = 0; i < n; i++) {
            int64_t to = starts[keys[i] >> shift & 2047]++;
            keys2[to] = keys[i];
            points2[to] = points[i];
        }
        uint64_t *t = keys;
        keys = keys2;
        keys2 = t;
        t = points;
        points = points2;
        points2 = t;
    }
    for (int64_t i = 0; i < n; i++) {
        order[i] = (int32_t)points[i];
        if (codes)
            codes[i] = keys[i];
    }
}
