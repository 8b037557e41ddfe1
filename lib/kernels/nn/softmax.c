#include "kernels/nn/softmax.h"

#include "kernels/nn/rows_together.h"
#include "kernels/nn/softmax_math.h"

#include <stddef.h>

static float largest(int64_t n, const float *x) {
    dlz_v most = dlz_splat(-__builtin_inff());
    for (int64_t j = 0; j < n; j += DLZ_LANES) {
        dlz_v value = dlz_next_of_row(x + j, n - j);
        most = dlz_select(value > most, value, most);
    }
    float result = most[0];
    for (int i = 1; i < DLZ_LANES; i++)
        result = most[i] > result ? most[i] : result;
    return result;
}

/* The sum of exp(x − most), each written to e unless that is NULL; that of number `left_out` is not
 * added. */
static double exponentials(int64_t n, const float *x, float most, int64_t left_out, float *e) {
    double sum = 0;
    for (int64_t start = 0; start < n; start += DLZ_RUN * DLZ_LANES) {
        int64_t end = n - start < DLZ_RUN * DLZ_LANES ? n : start + DLZ_RUN * DLZ_LANES;
        dlz_v lanes = {0};
        for (int64_t j = start; j < end; j += DLZ_LANES) {
            dlz_v value = dlz_exp_of(dlz_next_of_row(x + j, n - j) - dlz_splat(most));
            if (e)
                dlz_store_up_to(e + j, value, n - j);
            if (left_out >= j && left_out < j + DLZ_LANES)
                value[left_out - j] = 0;
            lanes += value;
        }
        for (int i = 0; i < DLZ_LANES; i++)
            sum += (double)lanes[i];
    }
    return sum;
}

static void multiply(int64_t n, float *x, float factor) {
    for (int64_t j = 0; j < n; j += DLZ_LANES)
        dlz_store_up_to(x + j, dlz_next_of_row(x + j, n - j) * dlz_splat(factor), n - j);
}

static void cross_entropy(int64_t rows, int64_t classes, const float *logits, const int64_t *labels,
                          double scale, float *gradient, dlz_softmax_row *result) {
    for (int64_t i = 0; i < rows; i++) {
        const float *x = logits + i * classes;
        int64_t label = labels[i];
        float most = largest(classes, x), own = x[label];
        bool earlier = false;
        for (int64_t j = 0; j < label; j++)
            earlier |= x[j] == most;
        float *e = gradient ? gradient + i * classes : NULL;
        /* The others are summed by themselves: a label whose probability is almost 1 would swallow
         * them, and its gradient is what they leave of that 1. */
        double others = exponentials(classes, x, most, label, e);
        double sum = others + (double)dlz_exp_of(dlz_splat(own - most))[0];
        result[i] = (dlz_softmax_row){.sum = sum,
                                      .others = others,
                                      .below = (double)most - (double)own,
                                      .correct = own == most && !earlier && sum == sum};
        if (!e)
            continue;
        multiply(classes, e, (float)(scale / sum));
        e[label] = (float)(-others / sum * scale);
    }
}

/* -- Softmax --------------------------------------------------------------------------------------
 */

DLZ_INLINE void softmax_of_columns(const int room, int64_t classes, dlz_v *x, const dlz_v *unused) {
    (void)unused;
    dlz_v most = dlz_largest_of_columns(room, classes, x), sum = {0};
    DLZ_FOR_COLUMNS(c, room, classes) {
        x[c] = dlz_exp_of(x[c] - most);
        sum += x[c];
    }
    dlz_v factor = 1.0f / sum;
    DLZ_FOR_COLUMNS(c, room, classes) {
        x[c] *= factor;
    }
}

DLZ_INLINE dlz_v exponentials_of_row(int64_t classes, const float *x, dlz_v most, bool whole,
                                     float *e) {
    dlz_twofold sum = {0};
    for (int64_t start = 0; start < classes; start += DLZ_RUN * DLZ_LANES) {
        dlz_v some = {0};
        int64_t end = dlz_end_of_run(start, classes);
        for (int64_t j = start; j < end; j += DLZ_LANES) {
            dlz_v value = dlz_exp_of(dlz_next_of_row(x + j, classes - j) - most);
            dlz_store_part(e + j, value, classes - j, !whole);
            some += value;
        }
        dlz_add_run(&sum, start, some);
    }
    return dlz_twofold_end(sum);
}

/* Exponentials of rows that are not long wait aside, in whole vectors: read again across the ends of
 * rows where vectors were written, they would have to reach the cache first. */
static void softmax_together(int64_t rows, int64_t classes, const float *x, float *y) {
    float room[DLZ_TOGETHER + DLZ_LANES * DLZ_LANES];
    bool aside = classes <= DLZ_TOGETHER / DLZ_LANES;
    int64_t step = aside ? (classes + DLZ_LANES - 1) / DLZ_LANES * DLZ_LANES : classes;
    float *e = aside ? room : y;
    dlz_row_numbers most = dlz_numbers_of_rows(dlz_largest_of_rows(rows, classes, x));
    dlz_v lanes[DLZ_LANES];
    dlz_fill_up(rows, lanes);
    for (int64_t i = 0; i < rows; i++)
        lanes[i] = exponentials_of_row(classes, x + i * classes, dlz_splat(most.of[i]), aside,
                                       e + i * step);
    dlz_row_numbers factors = dlz_numbers_of_rows(1.0f / dlz_sums(lanes));
    for (int64_t i = 0; i < rows; i++, e += step, y += classes)
        for (int64_t j = 0; j < classes; j += DLZ_LANES)
            dlz_store_part(y + j, dlz_load_up_to(e + j, classes - j) * dlz_splat(factors.of[i]),
                           classes - j, !aside || i + 1 == rows);
}

static void softmax(int64_t rows, int64_t classes, const float *x, float *y) {
    if (dlz_lies_side_by_side(classes))
        dlz_side_by_side(rows, classes, 1, x, NULL, y, softmax_of_columns);
    else
        for (int64_t some; rows > 0; rows -= some, x += some * classes, y += some * classes) {
            some = dlz_rows_together(rows, classes);
            softmax_together(some, classes, x, y);
        }
}

/* dx = y (dy − mean), mean = sum of y dy. Where one probability is almost 1, what is left of its dy
 * must keep its digits: so what rounding the mean lost is taken off, too, and that is the mean of dy
 * − mean. An infinite gradient is left to spoil its row as it does. */
DLZ_INLINE dlz_v finite_mean(dlz_v mean) {
    return (dlz_v)((dlz_vi)mean & (mean - mean == (dlz_v){0}));
}

DLZ_INLINE dlz_v mean_of_columns(const int room, int64_t classes, const dlz_v *y, const dlz_v *dy,
                                 dlz_v center) {
    dlz_v sums[2] = {{0}};
    DLZ_FOR_COLUMNS(c, room, classes) {
        sums[c % 2] = dlz_fma(y[c], dy[c] - center, sums[c % 2]);
    }
    return sums[0] + sums[1];
}

DLZ_INLINE void softmax_gradient_of_columns(const int room, int64_t classes, dlz_v *y,
                                            const dlz_v *dy) {
    dlz_v mean = finite_mean(mean_of_columns(room, classes, y, dy, (dlz_v){0}));
    dlz_v rest = mean_of_columns(room, classes, y, dy, mean);
    DLZ_FOR_COLUMNS(c, room, classes) {
        y[c] *= (dy[c] - mean) - rest;
    }
}

DLZ_INLINE dlz_v add_to_mean(dlz_v sum, const float *y, const float *dy, dlz_v center,
                             int64_t left) {
    return dlz_fma(dlz_load_up_to(y, left), dlz_load_up_to(dy, left) - center, sum);
}

DLZ_INLINE dlz_v mean_of_run(int64_t count, const float *y, const float *dy, dlz_v center) {
    int64_t whole = count / DLZ_LANES * DLZ_LANES;
    dlz_v sum = {0};
    for (int64_t j = 0; j < whole; j += DLZ_LANES)
        sum = add_to_mean(sum, y + j, dy + j, center, DLZ_LANES);
    if (whole < count)
        sum = add_to_mean(sum, y + whole, dy + whole, center, count - whole);
    return sum;
}

static dlz_v mean_of_long_row(int64_t classes, const float *y, const float *dy, dlz_v center) {
    dlz_twofold sum = {0};
    for (int64_t start = 0; start < classes; start += DLZ_RUN * DLZ_LANES)
        dlz_add_run(
            &sum, start,
            mean_of_run(dlz_end_of_run(start, classes) - start, y + start, dy + start, center));
    return dlz_twofold_end(sum);
}

DLZ_INLINE dlz_v mean_of_row(int64_t classes, const float *y, const float *dy, dlz_v center) {
    return classes <= DLZ_RUN * DLZ_LANES ? mean_of_run(classes, y, dy, center)
                                          : mean_of_long_row(classes, y, dy, center);
}

DLZ_INLINE dlz_v means_of_rows(int64_t rows, int64_t classes, const float *y, const float *dy,
                               const dlz_row_numbers *centers) {
    dlz_v lanes[DLZ_LANES];
    dlz_fill_up(rows, lanes);
    for (int64_t i = 0; i < rows; i++, y += classes, dy += classes)
        lanes[i] = mean_of_row(classes, y, dy, centers ? dlz_splat(centers->of[i]) : (dlz_v){0});
    return dlz_sums(lanes);
}

DLZ_INLINE dlz_v softmax_slope(const float *y, const float *dy, dlz_v mean, dlz_v rest,
                               int64_t left) {
    return dlz_load_up_to(y, left) * ((dlz_load_up_to(dy, left) - mean) - rest);
}

static void softmax_gradient_together(int64_t rows, int64_t classes, const float *y,
                                      const float *dy, float *dx) {
    dlz_row_numbers mean =
        dlz_numbers_of_rows(finite_mean(means_of_rows(rows, classes, y, dy, NULL)));
    dlz_row_numbers rest = dlz_numbers_of_rows(means_of_rows(rows, classes, y, dy, &mean));
    int64_t whole = classes / DLZ_LANES * DLZ_LANES;
    for (int64_t i = 0; i < rows; i++, y += classes, dy += classes, dx += classes) {
        dlz_v less = dlz_splat(mean.of[i]), more = dlz_splat(rest.of[i]);
        for (int64_t j = 0; j < whole; j += DLZ_LANES)
            dlz_store(dx + j, softmax_slope(y + j, dy + j, less, more, DLZ_LANES));
        if (whole < classes)
            dlz_store_part(dx + whole,
                           softmax_slope(y + whole, dy + whole, less, more, classes - whole),
                           classes - whole, i + 1 == rows);
    }
}

static void softmax_gradient(int64_t rows, int64_t classes, const float *y, const float *dy,
                             float *dx) {
    if (dlz_lies_side_by_side(classes))
        dlz_side_by_side(rows, classes, 2, y, dy, dx, softmax_gradient_of_columns);
    else
        DLZ_FOR_ROWS_TOGETHER(softmax_gradient_together)
}

const dlz_softmax_table DLZ_VARIANT(dlz_softmax_kernels) = {
    .cross_entropy = cross_entropy,
    .softmax = {softmax, softmax_gradient},
};
