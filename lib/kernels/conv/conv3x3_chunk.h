/* kernels/conv/conv3x3_chunk.h - the memory and the places of a chunk, a few rows of output tiles
 * that pass through the scratch together. */
#ifndef DLZ_KERNELS_CONV_CONV3X3_CHUNK_H
#define DLZ_KERNELS_CONV_CONV3X3_CHUNK_H

#include "kernels/conv/conv3x3_points.h"

enum { SPAN = DLZ_SPAN, FREQUENCIES = DLZ_SPAN * DLZ_SPAN };

typedef struct chunk_memory {
    float *v, *m;               /* SPAN matrices each: data or its gradient, outputs or theirs */
    int64_t v_stride, m_stride; /* floats from one matrix to the next: never a multiple of 4 KiB */
    float *in, *out;            /* the strips: data or its gradient, outputs or theirs */
    int64_t in_stride, out_stride; /* floats from one row of frequencies to the next */
    int64_t in_columns, out_columns;
    float *carry;   /* the two rows of dx that the next tile row adds to */
    float *weights; /* for the plain way: two vectors of results, all taps and channels */
    float *pivots;  /* a number of each out channel, about which squares are taken */
} chunk_memory;

/* The same from a tile row of the chunk on. */
static inline chunk_memory memory_from(const dlz_conv3x3_plan *plan, const chunk_memory *memory,
                                       int64_t row) {
    chunk_memory rest = *memory;
    rest.in += row * plan->in_padded * memory->in_columns;
    rest.out += row * plan->out_padded * memory->out_columns;
    return rest;
}

/* The channels first … end − 1, whole panels, which one of several tiles on the same pixels is for. */
typedef struct share {
    int64_t first, end;
} share;

static inline share share_of(int64_t padded, int64_t part, int64_t parts) {
    int64_t panels = dlz_ceil_div(padded, 2 * DLZ_C);
    return (share){panels * part / parts * 2 * DLZ_C,
                   dlz_min_i64(panels * (part + 1) / parts * 2 * DLZ_C, padded)};
}

static inline chunk_memory divide_scratch(const dlz_conv3x3_plan *plan, float *scratch) {
    int64_t rows = plan->chunk_rows, tiles = rows * plan->tile_columns;
    chunk_memory memory = {.v_stride = tiles * plan->in_padded + 16,
                           .m_stride = tiles * plan->out_padded + 16,
                           .in_columns = DLZ_TILE * plan->tile_columns + 2,
                           .out_columns = DLZ_TILE * plan->tile_columns};
    memory.in_stride = rows * plan->in_padded * memory.in_columns + 16;
    memory.out_stride = rows * plan->out_padded * memory.out_columns + 16;
    memory.v = scratch;
    memory.m = memory.v + SPAN * memory.v_stride;
    memory.in = memory.m + SPAN * memory.m_stride;
    memory.out = memory.in + SPAN * memory.in_stride;
    memory.carry = memory.out + SPAN * memory.out_stride;
    memory.weights = memory.carry + 2 * memory.in_columns * plan->in_padded;
    memory.pivots = scratch + plan->scratch_floats - plan->out_padded;
    return memory;
}

/* Which image a tile row belongs to, its first output row there, and the first row of the input that
 * its outputs see: negative in the padding. */
typedef struct tile_row {
    int64_t image, first, top;
} tile_row;

static inline tile_row find_row(const dlz_conv3x3_plan *plan, int64_t row) {
    int64_t image = row / plan->tile_rows;
    int64_t first = (row - image * plan->tile_rows) * DLZ_TILE;
    return (tile_row){image, first, first - plan->shape.padding[0]};
}

#endif
