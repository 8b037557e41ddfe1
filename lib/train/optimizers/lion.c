/* p = decay * p − lr * sign(beta1 * m + (1 − beta1) * g), where decay = 1 − lr * weight_decay and the
 * sign of 0 is 0; m = beta2 * m + (1 − beta2) * g. */
#include "train/optimizers/loops.h"

enum { FIRST };

typedef struct lion_step {
    float decay, learning_rate, beta1, one_minus_beta1, beta2, one_minus_beta2;
} lion_step;

/* What is not a number has no sign, and is not hidden. */
DLZ_INLINE dlz_v sign_of(dlz_v value) {
    dlz_v zero = {0};
    dlz_v below = dlz_select(value < zero, dlz_splat(-1.0f), value);
    return dlz_select(value > zero, dlz_splat(1.0f), below);
}

DLZ_INLINE void update_vector(const lion_step *step, const dlz_update *u, int64_t i,
                              const bool whole, int count) {
    float *p = u->parameters + i, *m = u->moments[FIRST] + i;
    dlz_v value = dlz_get(p, whole, count), mean = dlz_get(m, whole, count);
    dlz_v gradient = dlz_get_gradient(u, i, 0.0f, value, whole, count);
    dlz_v direction =
        dlz_fma(dlz_splat(step->beta1), mean, dlz_splat(step->one_minus_beta1) * gradient);
    dlz_put(m, dlz_fma(dlz_splat(step->beta2), mean, dlz_splat(step->one_minus_beta2) * gradient),
            whole, count);
    dlz_put(p,
            dlz_fma(dlz_splat(-step->learning_rate), sign_of(direction),
                    dlz_splat(step->decay) * value),
            whole, count);
}

DLZ_OPTIMIZER(lion, lion_step)

#ifdef DLZ_BASELINE
#include "base/base.h"
#include "train/optimizer.h"

#include <math.h>

DLZ_OPTIMIZER_TABLE(lion)

typedef struct lion {
    dlviz_optimizer base;
    double betas[2];
} lion;

static const dlz_setting settings[] = {
    {"beta1", DLZ_SETTING_REAL, offsetof(lion, betas[0]), false},
    {"beta2", DLZ_SETTING_REAL, offsetof(lion, betas[1]), false},
    {0},
};

static const dlz_moment moments[] = {[FIRST] = {"first_moment", false}, {0}};

static void prepare(const dlviz_optimizer *optimizer, const dlz_step_terms *terms, void *prepared) {
    const lion *own = (const lion *)optimizer;
    *(lion_step *)prepared = (lion_step){
        .decay = (float)(1 - terms->learning_rate * terms->weight_decay),
        .learning_rate = (float)terms->learning_rate,
        .beta1 = (float)own->betas[0],
        .one_minus_beta1 = (float)(1 - own->betas[0]),
        .beta2 = (float)own->betas[1],
        .one_minus_beta2 = (float)(1 - own->betas[1]),
    };
}

static const dlz_optimizer_type lion_type = {
    .name = "Lion",
    .size = sizeof(lion),
    .settings = settings,
    .moments = moments,
    .step_size = sizeof(lion_step),
    .prepare = prepare,
    .updates = dlz_lion_updates_of,
};

static const lion *as_lion(const dlviz_optimizer *optimizer) {
    return dlz_optimizer_as(optimizer, &lion_type);
}

dlviz_status dlviz_lion_create(dlviz_optimizer **out, double learning_rate) {
    DLZ_TRY(dlz_optimizer_create(__func__, &lion_type, out, learning_rate));
    lion *own = (lion *)*out;
    own->betas[0] = 0.9;
    own->betas[1] = 0.99;
    return DLVIZ_OK;
}

dlviz_status dlviz_lion_set_betas(dlviz_optimizer *optimizer, double beta1, double beta2) {
    lion *own = (lion *)as_lion(optimizer);
    return dlz_optimizer_set_betas(__func__, optimizer, own ? own->betas : NULL, beta1, beta2);
}

void dlviz_lion_betas(const dlviz_optimizer *optimizer, double *beta1, double *beta2) {
    const lion *own = as_lion(optimizer);
    dlz_give(beta1, own ? own->betas[0] : (double)NAN);
    dlz_give(beta2, own ? own->betas[1] : (double)NAN);
}
#endif
