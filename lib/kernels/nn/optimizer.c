#include "kernels/nn/optimizer.h"

#include "isa/isa.h"

#include <stddef.h>

/* A vector of one array: all its lanes, or the first `count` at an array's end. Both run the same
 * operations on whole vectors, so that an element has the same bits in either. */
DLZ_INLINE dlz_v get(const float *from, const bool whole, int count) {
    return whole ? dlz_load(from) : dlz_load_first(from, count);
}

DLZ_INLINE void put(float *to, dlz_v value, const bool whole, int count) {
    if (whole)
        dlz_store(to, value);
    else
        dlz_store_first(to, value, count);
}

DLZ_INLINE dlz_v get_gradient(const dlz_gradient *g, int64_t i, dlz_v p, const bool whole,
                              int count) {
    dlz_v gradient = get(g->gradient + i, whole, count) * dlz_splat(g->scale);
    if (g->weight_decay != 0.0f)
        gradient = dlz_fma(dlz_splat(g->weight_decay), p, gradient);
    if (g->zero_gradient)
        put(g->gradient + i, (dlz_v){0}, whole, count);
    return gradient;
}

/* Runs STEP(i, whole, count) over 0 ... n − 1. */
#define FOR_ALL(STEP)                                                                              \
    int64_t i = 0;                                                                                 \
    for (; i + DLZ_LANES <= n; i += DLZ_LANES)                                                     \
        STEP(true, DLZ_LANES);                                                                     \
    if (i < n)                                                                                     \
        STEP(false, (int)(n - i));

DLZ_INLINE void sgd_step(const dlz_sgd *rule, int64_t i, float *p, const dlz_gradient *g,
                         float *buffer, const bool whole, int count) {
    dlz_v value = get(p + i, whole, count);
    dlz_v gradient = get_gradient(g, i, value, whole, count), step = gradient;
    if (buffer) {
        if (!rule->first)
            step = dlz_fma(dlz_splat(rule->momentum), get(buffer + i, whole, count),
                           dlz_splat(rule->damping) * gradient);
        put(buffer + i, step, whole, count);
        if (rule->nesterov)
            step = dlz_fma(dlz_splat(rule->momentum), step, gradient);
    }
    put(p + i, dlz_fma(dlz_splat(-rule->learning_rate), step, value), whole, count);
}

static void sgd(const dlz_sgd *rule, int64_t n, float *p, const dlz_gradient *g, float *buffer) {
    dlz_sgd r = *rule;
    dlz_gradient from = *g;
#define STEP(whole, count) sgd_step(&r, i, p, &from, buffer, whole, count)
    FOR_ALL(STEP)
#undef STEP
}

DLZ_INLINE void adam_step(const dlz_adam *rule, int64_t i, float *p, const dlz_gradient *g,
                          float *m, float *v, const bool whole, int count) {
    dlz_v value = get(p + i, whole, count);
    dlz_v gradient = get_gradient(g, i, value, whole, count);
    dlz_v mean = dlz_fma(dlz_splat(rule->beta1), get(m + i, whole, count),
                         dlz_splat(rule->one_minus_beta1) * gradient);
    dlz_v square = dlz_fma(dlz_splat(rule->beta2), get(v + i, whole, count),
                           dlz_splat(rule->one_minus_beta2) * gradient * gradient);
    put(m + i, mean, whole, count);
    put(v + i, square, whole, count);
    dlz_v size =
        dlz_fma(dlz_sqrt(square), dlz_splat(rule->inv_sqrt_correction2), dlz_splat(rule->eps));
    put(p + i, dlz_fma(dlz_splat(rule->decay), value, dlz_splat(-rule->step_size) * mean / size),
        whole, count);
}

static void adam(const dlz_adam *rule, int64_t n, float *p, const dlz_gradient *g, float *m,
                 float *v) {
    dlz_adam r = *rule;
    dlz_gradient from = *g;
#define STEP(whole, count) adam_step(&r, i, p, &from, m, v, whole, count)
    FOR_ALL(STEP)
#undef STEP
}

DLZ_INLINE void rmsprop_step(const dlz_rmsprop *rule, int64_t i, float *p, const dlz_gradient *g,
                             float *v, float *average, float *buffer, const bool whole, int count) {
    dlz_v value = get(p + i, whole, count);
    dlz_v gradient = get_gradient(g, i, value, whole, count);
    dlz_v square = dlz_fma(dlz_splat(rule->alpha), get(v + i, whole, count),
                           dlz_splat(rule->one_minus_alpha) * gradient * gradient);
    put(v + i, square, whole, count);
    if (average) {
        dlz_v mean = dlz_fma(dlz_splat(rule->alpha), get(average + i, whole, count),
                             dlz_splat(rule->one_minus_alpha) * gradient);
        put(average + i, mean, whole, count);
        /* Rounding may leave a variance of nothing below 0; a NaN is not below 0 and stays. */
        square = dlz_fma(-mean, mean, square);
        square = (dlz_v)((dlz_vi)square & ~(square < (dlz_v){0}));
    }
    dlz_v step = gradient / (dlz_sqrt(square) + dlz_splat(rule->eps));
    if (buffer) {
        step = dlz_fma(dlz_splat(rule->momentum), get(buffer + i, whole, count), step);
        put(buffer + i, step, whole, count);
    }
    put(p + i, dlz_fma(dlz_splat(-rule->learning_rate), step, value), whole, count);
}

static void rmsprop(const dlz_rmsprop *rule, int64_t n, float *p, const dlz_gradient *g, float *v,
                    float *average, float *buffer) {
    dlz_rmsprop r = *rule;
    dlz_gradient from = *g;
#define STEP(whole, count) rmsprop_step(&r, i, p, &from, v, average, buffer, whole, count)
    FOR_ALL(STEP)
#undef STEP
}

const dlz_optimizer_table DLZ_VARIANT(dlz_optimizer_kernels) = {
    .sgd = sgd,
    .adam = adam,
    .rmsprop = rmsprop,
};
