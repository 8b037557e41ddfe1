/* train/optimizers/loops.h - the loop around an optimizer's update_vector(step, update, i, whole,
 * count), which changes the parameters i … i + count − 1: a whole vector of them, or the first
 * `count` lanes at the end of a run. Both are the same operations on whole vectors, so that a
 * parameter has the same bits in either. Included by optimizers' sources alone. */
#ifndef DLZ_TRAIN_OPTIMIZERS_LOOPS_H
#define DLZ_TRAIN_OPTIMIZERS_LOOPS_H

#include "isa/isa.h"
#include "train/update.h"

#include <stddef.h>

DLZ_INLINE dlz_v dlz_get(const float *from, const bool whole, int count) {
    return whole ? dlz_load(from) : dlz_load_first(from, count);
}

DLZ_INLINE void dlz_put(float *to, dlz_v value, const bool whole, int count) {
    if (whole)
        dlz_store(to, value);
    else
        dlz_store_first(to, value, count);
}

/* The gradients times gradient_scale, plus weight_decay * p. */
DLZ_INLINE dlz_v dlz_get_gradient(const dlz_update *u, int64_t i, float weight_decay, dlz_v p,
                                  const bool whole, int count) {
    dlz_v gradient = dlz_get(u->gradients + i, whole, count) * dlz_splat(u->gradient_scale);
    if (weight_decay != 0.0f)
        gradient = dlz_fma(dlz_splat(weight_decay), p, gradient);
    return gradient;
}

/* The table dlz_<name>_updates of this instruction set; `step_type` is what prepare fills. The loop
 * has copies of step and update, so that no store into the arrays may change them for the compiler;
 * the rest has not, so that nothing but the loop's own numbers is kept in registers. The loop lies
 * the same in cache lines whatever is linked before it. */
#define DLZ_OPTIMIZER(name, step_type)                                                             \
    __attribute__((aligned(64))) static void update_all(const void *prepared,                      \
                                                        const dlz_update *update) {                \
        const step_type step = *(const step_type *)prepared;                                       \
        const dlz_update u = *update;                                                              \
        int64_t i = 0;                                                                             \
        for (; i + DLZ_LANES <= u.n; i += DLZ_LANES)                                               \
            update_vector(&step, &u, i, true, DLZ_LANES);                                          \
        if (i < update->n)                                                                         \
            update_vector((const step_type *)prepared, update, i, false, (int)(update->n - i));    \
    }                                                                                              \
    extern const dlz_optimizer_table DLZ_VARIANT(dlz_##name##_updates);                            \
    const dlz_optimizer_table DLZ_VARIANT(dlz_##name##_updates) = {.update = update_all};

#endif
