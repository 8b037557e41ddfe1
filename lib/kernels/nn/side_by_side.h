/* kernels/nn/side_by_side.h - short rows computed side by side, for kernel sources: as many rows as
 * there are lanes become columns, a vector for each number of a row. */
#ifndef DLZ_KERNELS_NN_SIDE_BY_SIDE_H
#define DLZ_KERNELS_NN_SIDE_BY_SIDE_H

#include "isa/shuffle.h"

#include <stdbool.h>
#include <stddef.h>

/* The longest rows: turning longer ones gains nothing over vectors that hold parts of them. */
#define DLZ_SHORT_ROW 16

/* Each quarter of a row, and so a column, is what lies together: four rows' four numbers are turned
 * at a time, which costs no step across the fours of a vector. Of the last four of a row some may
 * belong to the next one; they are written first, and then by their own row. */

/* In place, in each four of lanes: v[i][j] becomes v[j][i]. */
DLZ_INLINE void dlz_turn_fours(dlz_v v[4]) {
    dlz_v a = DLZ_ZIP_LOW(v[0], v[1]), b = DLZ_ZIP_HIGH(v[0], v[1]);
    dlz_v c = DLZ_ZIP_LOW(v[2], v[3]), d = DLZ_ZIP_HIGH(v[2], v[3]);
    v[0] = DLZ_LOW2(a, c);
    v[1] = DLZ_HIGH2(a, c);
    v[2] = DLZ_LOW2(b, d);
    v[3] = DLZ_HIGH2(b, d);
}

DLZ_INLINE void dlz_read_four_columns(int64_t stride, const float *x, dlz_v *columns) {
    dlz_v v[4];
    DLZ_UNROLL
    for (int j = 0; j < 4; j++)
        v[j] = dlz_load_fours(x + j * stride, 4 * stride);
    dlz_turn_fours(v);
    DLZ_UNROLL
    for (int j = 0; j < 4; j++)
        columns[j] = v[j];
}

DLZ_INLINE void dlz_write_four_columns(int64_t stride, const dlz_v *columns, float *y) {
    dlz_v v[4] = {columns[0], columns[1], columns[2], columns[3]};
    dlz_turn_fours(v);
    DLZ_UNROLL
    for (int k = 0; k < DLZ_LANES / 4; k++) {
        DLZ_UNROLL
        for (int j = 0; j < 4; j++)
            *(dlz_v4u *)(y + (4 * k + j) * stride) = dlz_four_of(v[j], k);
    }
}

/* Room for columns: 1, 2 or a multiple of 4, a constant, so that they stay in registers. The rows'
 * order among the lanes is the same for all rows of one length, and what is written follows it. */
DLZ_INLINE void dlz_read_columns(const int room, int64_t length, const float *x, dlz_v *columns) {
    if (room == 1) {
        columns[0] = dlz_load(x);
    } else if (room == 2) {
        dlz_v a = dlz_load(x), b = dlz_load(x + DLZ_LANES);
        columns[0] = DLZ_EVEN(a, b);
        columns[1] = DLZ_ODD(a, b);
    } else {
        DLZ_UNROLL
        for (int c = 0; c < room; c += 4)
            dlz_read_four_columns(length, x + c, columns + c);
    }
}

DLZ_INLINE void dlz_write_columns(const int room, int64_t length, const dlz_v *columns, float *y) {
    if (room == 1) {
        dlz_store(y, columns[0]);
    } else if (room == 2) {
        dlz_store(y, DLZ_ZIP_LOW(columns[0], columns[1]));
        dlz_store(y + DLZ_LANES, DLZ_ZIP_HIGH(columns[0], columns[1]));
    } else {
        DLZ_UNROLL
        for (int c = room - 4; c >= 0; c -= 4)
            dlz_write_four_columns(length, columns + c, y + c);
    }
}

/* Before what is done with each of `length` columns. */
#define DLZ_FOR_COLUMNS(c, room, length)                                                           \
    DLZ_UNROLL for (int c = 0; c < (room); c++) if (c < (length))

DLZ_INLINE void dlz_copy_numbers(int64_t count, const float *from, float *to) {
    for (int64_t i = 0; i < count; i += DLZ_LANES)
        dlz_store_up_to(to + i, dlz_load_up_to(from + i, count - i), count - i);
}

/* Makes the columns x what is wanted of them; y has the columns of the other array, if there is one.
 */
typedef void dlz_on_columns(const int room, int64_t length, dlz_v *x, const dlz_v *y);

DLZ_INLINE void dlz_side_by_side_in(const int room, int64_t rows, int64_t length, const int arrays,
                                    const float *x, const float *y, float *result,
                                    dlz_on_columns *function) {
    float edge[3][DLZ_LANES * DLZ_SHORT_ROW + 4];
    for (int64_t start = 0; start < rows; start += DLZ_LANES) {
        int64_t at = start * length, left = rows - start, count = left * length;
        const float *from = x + at, *from_other = arrays == 2 ? y + at : NULL;
        float *to = result + at;
        /* The last rows, where a whole vector of them would reach beyond the end. */
        bool over = left < DLZ_LANES || (left == DLZ_LANES && room > length);
        if (over) {
            for (int64_t i = count; i < DLZ_LANES * length + 4; i++)
                edge[0][i] = edge[1][i] = 0;
            dlz_copy_numbers(count, from, edge[0]);
            from = edge[0];
            if (arrays == 2)
                dlz_copy_numbers(count, from_other, edge[1]);
            from_other = edge[1];
            to = edge[2];
        }
        dlz_v columns[DLZ_SHORT_ROW], others[DLZ_SHORT_ROW];
        dlz_read_columns(room, length, from, columns);
        if (arrays == 2)
            dlz_read_columns(room, length, from_other, others);
        function(room, length, columns, others);
        dlz_write_columns(room, length, columns, to);
        if (over)
            dlz_copy_numbers(count, edge[2], result + at);
    }
}

/* For rows of up to DLZ_SHORT_ROW numbers without gaps, of one array or of two; result is neither
 * x nor y. */
DLZ_INLINE void dlz_side_by_side(int64_t rows, int64_t length, const int arrays, const float *x,
                                 const float *y, float *result, dlz_on_columns *function) {
    if (length == 1)
        dlz_side_by_side_in(1, rows, 1, arrays, x, y, result, function);
    else if (length == 2)
        dlz_side_by_side_in(2, rows, 2, arrays, x, y, result, function);
    else if (length <= 4)
        dlz_side_by_side_in(4, rows, length, arrays, x, y, result, function);
    else if (length <= 8)
        dlz_side_by_side_in(8, rows, length, arrays, x, y, result, function);
    else if (length <= 12)
        dlz_side_by_side_in(12, rows, length, arrays, x, y, result, function);
    else
        dlz_side_by_side_in(16, rows, length, arrays, x, y, result, function);
}

#endif
