#include "kernels/nn/softmax.h"

#include "kernels/nn/rows_together.h"

/* The largest number's exponential is 1, which would swallow small ones; so the others are summed by
 * themselves. Equal ones are counted. */
typedef struct rest_of_row {
    dlz_v sum;
    dlz_vi equal;
} rest_of_row;

DLZ_INLINE void add_to_rest(rest_of_row *to, dlz_v x, dlz_v most) {
    dlz_vi equal = x == most;
    to->sum += (dlz_v)((dlz_vi)dlz_exp_of(x - most) & ~equal);
    to->equal -= equal;
}

/* The logarithm of the sum of all; of an infinite largest number NaN. */
DLZ_INLINE dlz_v log_of_sum(dlz_v sum, dlz_v equal, dlz_v most) {
    return dlz_log1p_of(sum + (equal - 1.0f)) + (most - most);
}

DLZ_INLINE void log_softmax_of_columns(const int room, int64_t classes, dlz_v *x,
                                       const dlz_v *unused) {
    (void)unused;
    dlz_v most = dlz_largest_of_columns(room, classes, x);
    rest_of_row rest = {0};
    DLZ_FOR_COLUMNS(c, room, classes) {
        add_to_rest(&rest, x[c], most);
    }
    dlz_v log_sum = log_of_sum(rest.sum, __builtin_convertvector(rest.equal, dlz_v), most);
    DLZ_FOR_COLUMNS(c, room, classes) {
        x[c] = (x[c] - most) - log_sum;
    }
}

DLZ_INLINE dlz_v rest_of_long_row(int64_t classes, const float *x, dlz_v most, dlz_v *equal) {
    dlz_twofold sum = {0};
    rest_of_row rest = {0};
    for (int64_t start = 0; start < classes; start += DLZ_RUN * DLZ_LANES) {
        rest.sum = (dlz_v){0};
        int64_t end = dlz_end_of_run(start, classes);
        for (int64_t j = start; j < end; j += DLZ_LANES)
            add_to_rest(&rest, dlz_next_of_row(x + j, classes - j), most);
        dlz_add_run(&sum, start, rest.sum);
    }
    *equal = __builtin_convertvector(rest.equal, dlz_v);
    return dlz_twofold_end(sum);
}

static void log_softmax_together(int64_t rows, int64_t classes, const float *x, float *y) {
    dlz_v largest = dlz_largest_of_rows(rows, classes, x);
    dlz_row_numbers most = dlz_numbers_of_rows(largest);
    dlz_v sums[DLZ_LANES], equal[DLZ_LANES];
    dlz_fill_up(rows, sums);
    dlz_fill_up(rows, equal);
    for (int64_t i = 0; i < rows; i++)
        sums[i] = rest_of_long_row(classes, x + i * classes, dlz_splat(most.of[i]), &equal[i]);
    dlz_row_numbers log_sum =
        dlz_numbers_of_rows(log_of_sum(dlz_sums(sums), dlz_sums(equal), largest));
    for (int64_t i = 0; i < rows; i++, x += classes, y += classes)
        for (int64_t j = 0; j < classes; j += DLZ_LANES) {
            dlz_v value = dlz_load_up_to(x + j, classes - j) - dlz_splat(most.of[i]);
            dlz_store_part(y + j, value - dlz_splat(log_sum.of[i]), classes - j, i + 1 == rows);
        }
}

static void log_softmax(int64_t rows, int64_t classes, const float *x, float *y) {
    if (dlz_lies_side_by_side(classes))
        dlz_side_by_side(rows, classes, 1, x, NULL, y, log_softmax_of_columns);
    else
        for (int64_t some; rows > 0; rows -= some, x += some * classes, y += some * classes) {
            some = dlz_rows_together(rows, classes);
            log_softmax_together(some, classes, x, y);
        }
}

/* dx = dy − exp(y) * sum of dy. Of a probability near 1, which one of a row can be, that is
 * −(sum of the others' dy) − (exp(y) − 1) * sum of dy. */
DLZ_INLINE dlz_vi nearly_certain(dlz_v y) {
    return y > -0.5f;
}

typedef struct gradient_sums {
    dlz_v others, certain;
} gradient_sums;

DLZ_INLINE void add_gradient(gradient_sums *to, dlz_v y, dlz_v dy) {
    dlz_vi certain = nearly_certain(y);
    to->others += (dlz_v)((dlz_vi)dy & ~certain);
    to->certain += (dlz_v)((dlz_vi)dy & certain);
}

DLZ_INLINE dlz_v log_softmax_slope(dlz_v y, dlz_v dy, dlz_v sum, dlz_v others) {
    dlz_exp_of_row e = dlz_exp_start(y);
    return dlz_select(nearly_certain(y), (dlz_v){0} - dlz_fma(dlz_expm1_end(e), sum, others),
                      dlz_fma(-dlz_exp_end(e), sum, dy));
}

DLZ_INLINE void log_softmax_gradient_of_columns(const int room, int64_t classes, dlz_v *y,
                                                const dlz_v *dy) {
    gradient_sums sums = {0};
    DLZ_FOR_COLUMNS(c, room, classes) {
        add_gradient(&sums, y[c], dy[c]);
    }
    dlz_v sum = sums.others + sums.certain;
    DLZ_FOR_COLUMNS(c, room, classes) {
        y[c] = log_softmax_slope(y[c], dy[c], sum, sums.others);
    }
}

DLZ_INLINE gradient_sums sums_of_row(int64_t classes, const float *y, const float *dy) {
    dlz_twofold others = {0};
    gradient_sums sums = {0};
    for (int64_t start = 0; start < classes; start += DLZ_RUN * DLZ_LANES) {
        sums.others = (dlz_v){0};
        int64_t end = dlz_end_of_run(start, classes);
        for (int64_t j = start; j < end; j += DLZ_LANES)
            add_gradient(&sums, dlz_load_up_to(y + j, classes - j),
                         dlz_load_up_to(dy + j, classes - j));
        dlz_add_run(&others, start, sums.others);
    }
    sums.others = dlz_twofold_end(others);
    return sums;
}

static void log_softmax_gradient_together(int64_t rows, int64_t classes, const float *y,
                                          const float *dy, float *dx) {
    dlz_v lanes[2][DLZ_LANES];
    dlz_fill_up(rows, lanes[0]);
    dlz_fill_up(rows, lanes[1]);
    for (int64_t i = 0; i < rows; i++) {
        gradient_sums sums = sums_of_row(classes, y + i * classes, dy + i * classes);
        lanes[0][i] = sums.others;
        lanes[1][i] = sums.certain;
    }
    dlz_v all_others = dlz_sums(lanes[0]);
    dlz_row_numbers others = dlz_numbers_of_rows(all_others);
    dlz_row_numbers sum = dlz_numbers_of_rows(all_others + dlz_sums(lanes[1]));
    for (int64_t i = 0; i < rows; i++, y += classes, dy += classes, dx += classes)
        for (int64_t j = 0; j < classes; j += DLZ_LANES) {
            int64_t left = classes - j;
            dlz_v value =
                log_softmax_slope(dlz_load_up_to(y + j, left), dlz_load_up_to(dy + j, left),
                                  dlz_splat(sum.of[i]), dlz_splat(others.of[i]));
            dlz_store_part(dx + j, value, left, i + 1 == rows);
        }
}

static void log_softmax_gradient(int64_t rows, int64_t classes, const float *y, const float *dy,
                                 float *dx) {
    if (dlz_lies_side_by_side(classes))
        dlz_side_by_side(rows, classes, 2, y, dy, dx, log_softmax_gradient_of_columns);
    else
        DLZ_FOR_ROWS_TOGETHER(log_softmax_gradient_together)
}

const dlz_row_function DLZ_VARIANT(dlz_log_softmax_kernels) = {
    .forward = log_softmax,
    .backward = log_softmax_gradient,
};
