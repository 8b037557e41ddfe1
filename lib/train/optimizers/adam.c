/* p = decay * p (AdamW: 1 − lr * weight_decay; Adam: 1), m = beta1 * m + (1 − beta1) * g,
 * v = beta2 * v + (1 − beta2) * g², p −= step_size * m / (√v * inv_sqrt_correction2 + eps), where
 * step_size = lr / (1 − beta1^t) and inv_sqrt_correction2 = 1 / √(1 − beta2^t). With amsgrad, the
 * largest v there was is in v's place. */
#include "train/optimizers/loops.h"

enum { FIRST, SECOND, LARGEST };

typedef struct adam_step {
    float weight_decay, decay, beta1, one_minus_beta1, beta2, one_minus_beta2;
    float step_size, inv_sqrt_correction2, eps;
} adam_step;

DLZ_INLINE void update_vector(const adam_step *step, const dlz_update *u, int64_t i,
                              const bool whole, int count) {
    float *p = u->parameters + i, *m = u->moments[FIRST] + i, *v = u->moments[SECOND] + i;
    dlz_v value = dlz_get(p, whole, count);
    dlz_v gradient = dlz_get_gradient(u, i, step->weight_decay, value, whole, count);
    dlz_v mean = dlz_fma(dlz_splat(step->beta1), dlz_get(m, whole, count),
                         dlz_splat(step->one_minus_beta1) * gradient);
    dlz_v square = dlz_fma(dlz_splat(step->beta2), dlz_get(v, whole, count),
                           dlz_splat(step->one_minus_beta2) * gradient * gradient);
    dlz_put(m, mean, whole, count);
    dlz_put(v, square, whole, count);
    if (u->moments[LARGEST]) {
        float *largest = u->moments[LARGEST] + i;
        square = dlz_larger(dlz_get(largest, whole, count), square);
        dlz_put(largest, square, whole, count);
    }
    dlz_v size =
        dlz_fma(dlz_sqrt(square), dlz_splat(step->inv_sqrt_correction2), dlz_splat(step->eps));
    dlz_put(p, dlz_fma(dlz_splat(step->decay), value, dlz_splat(-step->step_size) * mean / size),
            whole, count);
}

DLZ_OPTIMIZER(adam, adam_step)

#ifdef DLZ_BASELINE
#include "base/base.h"
#include "train/optimizer.h"

#include <math.h>

DLZ_OPTIMIZER_TABLE(adam)

typedef struct adam {
    dlviz_optimizer base;
    double betas[2], eps;
    bool amsgrad;
} adam;

static const dlz_setting settings[] = {
    {"beta1", DLZ_SETTING_REAL, offsetof(adam, betas[0]), false},
    {"beta2", DLZ_SETTING_REAL, offsetof(adam, betas[1]), false},
    {"eps", DLZ_SETTING_REAL, offsetof(adam, eps), false},
    {"amsgrad", DLZ_SETTING_BOOL, offsetof(adam, amsgrad), false},
    {0},
};

static const dlz_moment moments[] = {[FIRST] = {"first_moment", false},
                                     [SECOND] = {"second_moment", true},
                                     [LARGEST] = {"largest_second_moment", true},
                                     {0}};

static bool keeps(const dlviz_optimizer *optimizer, int moment) {
    return moment != LARGEST || ((const adam *)optimizer)->amsgrad;
}

static void prepare(const dlviz_optimizer *optimizer, const dlz_step_terms *terms, void *prepared) {
    const adam *own = (const adam *)optimizer;
    double t = (double)terms->number;
    *(adam_step *)prepared = (adam_step){
        .weight_decay = (float)terms->weight_decay,
        .decay = 1,
        .beta1 = (float)own->betas[0],
        .one_minus_beta1 = (float)(1 - own->betas[0]),
        .beta2 = (float)own->betas[1],
        .one_minus_beta2 = (float)(1 - own->betas[1]),
        .step_size = (float)(terms->learning_rate / (1 - pow(own->betas[0], t))),
        .inv_sqrt_correction2 = (float)(1 / sqrt(1 - pow(own->betas[1], t))),
        .eps = (float)own->eps,
    };
}

static void prepare_decoupled(const dlviz_optimizer *optimizer, const dlz_step_terms *terms,
                              void *prepared) {
    adam_step *step = prepared;
    prepare(optimizer, terms, prepared);
    step->weight_decay = 0;
    step->decay = (float)(1 - terms->learning_rate * terms->weight_decay);
}

static const dlz_optimizer_type adam_type = {
    .name = "Adam",
    .size = sizeof(adam),
    .settings = settings,
    .moments = moments,
    .keeps = keeps,
    .step_size = sizeof(adam_step),
    .prepare = prepare,
    .updates = dlz_adam_updates_of,
};

static const dlz_optimizer_type adamw_type = {
    .name = "AdamW",
    .size = sizeof(adam),
    .settings = settings,
    .moments = moments,
    .keeps = keeps,
    .step_size = sizeof(adam_step),
    .prepare = prepare_decoupled,
    .updates = dlz_adam_updates_of,
};

static dlviz_status create(const char *who, const dlz_optimizer_type *type, dlviz_optimizer **out,
                           double learning_rate) {
    DLZ_TRY(dlz_optimizer_create(who, type, out, learning_rate));
    adam *own = (adam *)*out;
    own->betas[0] = 0.9;
    own->betas[1] = 0.999;
    own->eps = 1e-8;
    return DLVIZ_OK;
}

dlviz_status dlviz_adam_create(dlviz_optimizer **out, double learning_rate) {
    return create(__func__, &adam_type, out, learning_rate);
}

dlviz_status dlviz_adamw_create(dlviz_optimizer **out, double learning_rate) {
    DLZ_TRY(create(__func__, &adamw_type, out, learning_rate));
    (*out)->weight_decay = 0.01;
    return DLVIZ_OK;
}

/* NULL unless it is of one of the two types. */
static const adam *as_adam(const dlviz_optimizer *optimizer) {
    const void *own = dlz_optimizer_as(optimizer, &adam_type);
    return own ? own : dlz_optimizer_as(optimizer, &adamw_type);
}

dlviz_status dlviz_adam_set_betas(dlviz_optimizer *optimizer, double beta1, double beta2) {
    adam *own = (adam *)as_adam(optimizer);
    return dlz_optimizer_set_betas(__func__, optimizer, own ? own->betas : NULL, beta1, beta2);
}

dlviz_status dlviz_adam_set_eps(dlviz_optimizer *optimizer, double eps) {
    adam *own = (adam *)as_adam(optimizer);
    return dlz_optimizer_set_eps(__func__, optimizer, own ? &own->eps : NULL, eps);
}

dlviz_status dlviz_adam_set_amsgrad(dlviz_optimizer *optimizer, bool amsgrad) {
    DLZ_CHANGE_OPTIMIZER(optimizer, as_adam(optimizer));
    DLZ_TRY(dlz_optimizer_require_unstepped(__func__, optimizer, "amsgrad"));
    ((adam *)optimizer)->amsgrad = amsgrad;
    return DLVIZ_OK;
}

void dlviz_adam_betas(const dlviz_optimizer *optimizer, double *beta1, double *beta2) {
    const adam *own = as_adam(optimizer);
    dlz_give(beta1, own ? own->betas[0] : (double)NAN);
    dlz_give(beta2, own ? own->betas[1] : (double)NAN);
}

double dlviz_adam_eps(const dlviz_optimizer *optimizer) {
    const adam *own = as_adam(optimizer);
    return own ? own->eps : (double)NAN;
}

bool dlviz_adam_amsgrad(const dlviz_optimizer *optimizer) {
    const adam *own = as_adam(optimizer);
    return own && own->amsgrad;
}
#endif
