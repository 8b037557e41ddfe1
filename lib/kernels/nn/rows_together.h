/* kernels/nn/rows_together.h - functions of whole rows, for kernel sources. Short rows lie side by side
 * (kernels/nn/side_by_side.h), a row a lane. Of longer ones a vector holds a part of one row, and
 * several rows' lanes are added up at once. */
#ifndef DLZ_KERNELS_NN_ROWS_TOGETHER_H
#define DLZ_KERNELS_NN_ROWS_TOGETHER_H

#include "kernels/nn/side_by_side.h"
#include "kernels/nn/softmax_math.h"

/* Vectors that are added up in float before they go to double, or to a sum that loses nothing. */
#define DLZ_RUN 64

/* The next of the row's vectors; lanes beyond its end hold −infinity. */
DLZ_INLINE dlz_v dlz_next_of_row(const float *x, int64_t left) {
    if (left >= DLZ_LANES)
        return dlz_load(x);
    dlz_vi lane;
    for (int i = 0; i < DLZ_LANES; i++)
        lane[i] = i;
    return dlz_select(lane < (int32_t)left, dlz_load_first(x, (int)left),
                      dlz_splat(-__builtin_inff()));
}

/* Numbers of the rows that are computed together: they stay in the first cache. */
#define DLZ_TOGETHER 4096

DLZ_INLINE bool dlz_lies_side_by_side(int64_t classes) {
    return classes <= DLZ_SHORT_ROW;
}

DLZ_INLINE int64_t dlz_rows_together(int64_t rows, int64_t classes) {
    int64_t fit = DLZ_TOGETHER / classes;
    int64_t most = fit < 1 ? 1 : fit < DLZ_LANES ? fit : DLZ_LANES;
    return rows < most ? rows : most;
}

/* A number for each row. */
typedef struct dlz_row_numbers {
    float of[DLZ_LANES];
} dlz_row_numbers;

DLZ_INLINE dlz_row_numbers dlz_numbers_of_rows(dlz_v value) {
    dlz_row_numbers numbers;
    dlz_store(numbers.of, value);
    return numbers;
}

DLZ_INLINE dlz_v dlz_largest_of_row(int64_t n, const float *x) {
    dlz_v most = dlz_splat(-__builtin_inff());
    for (int64_t j = 0; j < n; j += DLZ_LANES)
        most = dlz_larger(dlz_next_of_row(x + j, n - j), most);
    return most;
}

/* Rows that are not there. */
DLZ_INLINE void dlz_fill_up(int64_t rows, dlz_v lanes[DLZ_LANES]) {
    for (int64_t i = rows; i < DLZ_LANES; i++)
        lanes[i] = (dlz_v){0};
}

DLZ_INLINE dlz_v dlz_largest_of_rows(int64_t rows, int64_t classes, const float *x) {
    dlz_v lanes[DLZ_LANES];
    dlz_fill_up(rows, lanes);
    for (int64_t i = 0; i < rows; i++)
        lanes[i] = dlz_largest_of_row(classes, x + i * classes);
    return dlz_largest_lanes(lanes);
}

DLZ_INLINE int64_t dlz_end_of_run(int64_t start, int64_t n) {
    return n - start < DLZ_RUN * DLZ_LANES ? n : start + DLZ_RUN * DLZ_LANES;
}

DLZ_INLINE void dlz_add_run(dlz_twofold *to, int64_t start, dlz_v sum) {
    if (start == 0)
        to->sum = sum;
    else
        dlz_twofold_add(to, sum);
}

/* Rows are written in their order: what goes beyond the end of one is written again by the next. */
DLZ_INLINE void dlz_store_part(float *to, dlz_v value, int64_t left, bool last) {
    if (last)
        dlz_store_up_to(to, value, left);
    else
        dlz_store(to, value);
}

DLZ_INLINE dlz_v dlz_largest_of_columns(const int room, int64_t classes, const dlz_v *x) {
    dlz_v most = x[0];
    DLZ_FOR_COLUMNS(c, room, classes) {
        most = dlz_larger(x[c], most);
    }
    return most;
}

/* Each group of rows that `together` takes. */
#define DLZ_FOR_ROWS_TOGETHER(together)                                                            \
    for (int64_t some; rows > 0;                                                                   \
         rows -= some, y += some * classes, dy += some * classes, dx += some * classes) {          \
        some = dlz_rows_together(rows, classes);                                                   \
        together(some, classes, y, dy, dx);                                                        \
    }

#endif
