#include "kernels/nn/softmax.h"

#include "isa/isa.h"

#include <stddef.h>

/* Vectors that are added up in float before they go to double. */
#define RUN 64

/* The next of the row's vectors; lanes beyond its end hold −infinity. */
DLZ_INLINE dlz_v next(const float *x, int64_t left) {
    if (left >= DLZ_LANES)
        return dlz_load(x);
    dlz_vi lane;
    for (int i = 0; i < DLZ_LANES; i++)
        lane[i] = i;
    return dlz_select(lane < (int32_t)left, dlz_load_first(x, (int)left),
                      dlz_splat(-__builtin_inff()));
}

/* e^x for x <= 0, NaN for NaN. x = n ln 2 + r with |r| <= ln 2 / 2; e^r = 1 + r + r² q(r), where q
 * is the minimax polynomial of degree 4 for the relative error (3.1e-9, found with Remez'
 * algorithm). The upper part of ln 2 has 9 bits, so that n times it is exact with and without fused
 * operations. */
DLZ_INLINE dlz_v exp_of(dlz_v x) {
    const float round = 0x1.8p23f;
    dlz_vi zero = x < -87.33654f;
    dlz_v shifted = x * 0x1.715476p+0f + round; /* n in the low bits */
    dlz_v n = shifted - round;
    dlz_v r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    dlz_v q = r * 0.00138145401768f + 0.00836874510894f;
    q = q * r + 0.0416683907835f;
    q = q * r + 0.16666520399f;
    q = q * r + 0.499999934321f;
    dlz_v y = (q * (r * r) + r) + 1.0f;
    /* Multiplied by 2^n rather than added to the exponent, so that a NaN stays one. */
    typedef uint32_t words_v
        __attribute__((vector_size(DLZ_LANES * 4))); /* may wrap, below zero's */
    dlz_v power = (dlz_v)(((words_v)shifted - 0x4b400000u + 127u) << 23);
    return (dlz_v)((dlz_vi)(y * power) & ~zero);
}

static float largest(int64_t n, const float *x) {
    dlz_v most = dlz_splat(-__builtin_inff());
    for (int64_t j = 0; j < n; j += DLZ_LANES) {
        dlz_v value = next(x + j, n - j);
        most = dlz_select(value > most, value, most);
    }
    float result = most[0];
    for (int i = 1; i < DLZ_LANES; i++)
        result = most[i] > result ? most[i] : result;
    return result;
}

/* The sum of exp(x − most), each written to e unless that is NULL; that of number `left_out` is not
 * added (−1: all are). */
static double exponentials(int64_t n, const float *x, float most, int64_t left_out, float *e) {
    double sum = 0;
    for (int64_t start = 0; start < n; start += RUN * DLZ_LANES) {
        int64_t end = n - start < RUN * DLZ_LANES ? n : start + RUN * DLZ_LANES;
        dlz_v lanes = {0};
        for (int64_t j = start; j < end; j += DLZ_LANES) {
            dlz_v value = exp_of(next(x + j, n - j) - dlz_splat(most));
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
        dlz_store_up_to(x + j, next(x + j, n - j) * dlz_splat(factor), n - j);
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
        double sum = others + (double)exp_of(dlz_splat(own - most))[0];
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

/* Rows so short that most of a vector would stay empty are computed side by side, a row a lane. */
#define FEW 32

static void softmax_of_few(int64_t rows, int64_t classes, const float *x, float *p) {
    dlz_v columns[FEW];
    for (int64_t start = 0; start < rows; start += DLZ_LANES) {
        int64_t some = rows - start < DLZ_LANES ? rows - start : DLZ_LANES;
        const float *row[DLZ_LANES];
        for (int64_t i = 0; i < DLZ_LANES; i++) /* the last row fills what is left */
            row[i] = x + (start + (i < some ? i : some - 1)) * classes;
        dlz_v most = dlz_splat(-__builtin_inff()), sum = {0};
        for (int64_t c = 0; c < classes; c++) {
            dlz_v value;
            for (int i = 0; i < DLZ_LANES; i++)
                value[i] = row[i][c];
            columns[c] = value;
            most = dlz_select(value > most, value, most);
        }
        for (int64_t c = 0; c < classes; c++)
            sum += columns[c] = exp_of(columns[c] - most);
        dlz_v factor = 1.0f / sum;
        for (int64_t c = 0; c < classes; c++) {
            dlz_v value = columns[c] * factor;
            for (int64_t i = 0; i < some; i++)
                p[(start + i) * classes + c] = value[i];
        }
    }
}

static void softmax(int64_t rows, int64_t classes, const float *logits, float *probabilities) {
    if (classes <= FEW) {
        softmax_of_few(rows, classes, logits, probabilities);
        return;
    }
    for (int64_t i = 0; i < rows; i++) {
        const float *x = logits + i * classes;
        float *p = probabilities + i * classes;
        double sum = exponentials(classes, x, largest(classes, x), -1, p);
        multiply(classes, p, (float)(1 / sum));
    }
}

static void exp_negative(int64_t n, const float *x, float *e) {
    for (int64_t j = 0; j < n; j += DLZ_LANES)
        dlz_store_up_to(e + j, exp_of(next(x + j, n - j)), n - j);
}

const dlz_softmax_table DLZ_VARIANT(dlz_softmax_kernels) = {
    .cross_entropy = cross_entropy,
    .softmax = softmax,
    .exp_negative = exp_negative,
};
