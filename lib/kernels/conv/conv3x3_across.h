/* kernels/conv/conv3x3_across.h - Winograd's transforms along the rows, from the strips of a chunk to
 * matrices and back, for one row of frequencies. */
#ifndef DLZ_KERNELS_CONV_CONV3X3_ACROSS_H
#define DLZ_KERNELS_CONV_CONV3X3_ACROSS_H

#include "kernels/conv/conv3x3_chunk.h"

static void data_along(const dlz_conv3x3_plan *plan, int64_t rows, const chunk_memory *memory,
                       int i) {
    int64_t tiles = plan->tile_columns, padded = plan->in_padded, stride = memory->v_stride;
    int64_t columns = memory->in_columns;
    float *v = memory->v;
    const float *from = memory->in + i * memory->in_stride;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < padded; c += DLZ_C, from += columns * DLZ_C) {
            float *to = v + r * tiles * padded + c;
            dlz_v d[SPAN], out[SPAN];
            d[DLZ_TILE] = dlz_load(from);
            d[DLZ_TILE + 1] = dlz_load(from + DLZ_C);
            for (int64_t t = 0; t < tiles; t++, to += padded) {
                d[0] = d[DLZ_TILE];
                d[1] = d[DLZ_TILE + 1];
                DLZ_UNROLL
                for (int j = 2; j < SPAN; j++)
                    d[j] = dlz_load(from + (t * DLZ_TILE + j) * DLZ_C);
                transform_data(d, out);
                DLZ_UNROLL
                for (int j = 0; j < SPAN; j++)
                    dlz_store(to + j * stride, out[j]);
            }
        }
}

static void gradients_along(const dlz_conv3x3_plan *plan, int64_t rows, const chunk_memory *memory,
                            int i) {
    int64_t tiles = plan->tile_columns, padded = plan->out_padded, stride = memory->m_stride;
    float *m = memory->m;
    const float *from = memory->out + i * memory->out_stride;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < padded; k += DLZ_C) {
            float *to = m + r * tiles * padded + k;
            for (int64_t t = 0; t < tiles; t++, to += padded) {
                dlz_v g[DLZ_TILE], out[SPAN];
                DLZ_UNROLL
                for (int j = 0; j < DLZ_TILE; j++, from += DLZ_C)
                    g[j] = dlz_load(from);
                transform_outputs_back(g, out);
                DLZ_UNROLL
                for (int j = 0; j < SPAN; j++)
                    dlz_store(to + j * stride, out[j]);
            }
        }
}

static void outputs_along(const dlz_conv3x3_plan *plan, int64_t rows, const chunk_memory *memory,
                          share wanted, int i) {
    int64_t tiles = plan->tile_columns, padded = plan->out_padded, stride = memory->m_stride;
    const float *all = memory->m;
    for (int64_t r = 0; r < rows; r++) {
        float *to = memory->out + i * memory->out_stride +
                    (r * padded + wanted.first) * memory->out_columns;
        for (int64_t k = wanted.first; k < wanted.end; k += DLZ_C) {
            const float *from = all + r * tiles * padded + k;
            for (int64_t t = 0; t < tiles; t++, from += padded) {
                dlz_v m[SPAN], out[DLZ_TILE];
                DLZ_UNROLL
                for (int j = 0; j < SPAN; j++)
                    m[j] = dlz_load(from + j * stride);
                transform_outputs(m, out);
                DLZ_UNROLL
                for (int j = 0; j < DLZ_TILE; j++, to += DLZ_C)
                    dlz_store(to, out[j]);
            }
        }
    }
}

/* Each tile gives SPAN columns, of which the last two are its neighbor's first two. */
static void dx_along(const dlz_conv3x3_plan *plan, int64_t rows, const chunk_memory *memory,
                     share wanted, int i) {
    int64_t tiles = plan->tile_columns, padded = plan->in_padded, stride = memory->v_stride;
    const float *all = memory->v;
    for (int64_t r = 0; r < rows; r++) {
        float *to =
            memory->in + i * memory->in_stride + (r * padded + wanted.first) * memory->in_columns;
        for (int64_t c = wanted.first; c < wanted.end; c += DLZ_C) {
            const float *from = all + r * tiles * padded + c;
            dlz_v left = {0}, right = {0};
            for (int64_t t = 0; t < tiles; t++, from += padded) {
                dlz_v v[SPAN], out[SPAN];
                DLZ_UNROLL
                for (int j = 0; j < SPAN; j++)
                    v[j] = dlz_load(from + j * stride);
                transform_data_back(v, out);
                out[0] += left;
                out[1] += right;
                DLZ_UNROLL
                for (int j = 0; j < DLZ_TILE; j++, to += DLZ_C)
                    dlz_store(to, out[j]);
                left = out[DLZ_TILE];
                right = out[DLZ_TILE + 1];
            }
            dlz_store(to, left);
            dlz_store(to + DLZ_C, right);
            to += 2 * DLZ_C;
        }
    }
}

#endif
