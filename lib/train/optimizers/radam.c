/* m = beta1 * m + (1 − beta1) * g, v = beta2 * v + (1 − beta2) * g²; p −= step_size * m / (√v + eps),
 * or in the first steps, whose v says too little, p −= step_size * m. With r_∞ = 2 / (1 − beta2) − 1
 * and r_t = r_∞ − 2 * t * beta2^t / (1 − beta2^t), the length of the average that v is, the first
 * steps are those of r_t <= 5, with step_size = lr / (1 − beta1^t); later ones have √(1 − beta2^t)
 * times √((r_t − 4) * (r_t − 2) * r_∞ / ((r_∞ − 4) * (r_∞ − 2) * r_t)) as much. */
#include "train/optimizers/loops.h"

enum { FIRST, SECOND };

typedef struct radam_step {
    float weight_decay, beta1, one_minus_beta1, beta2, one_minus_beta2, step_size, eps;
    bool rectified;
} radam_step;

DLZ_INLINE void update_vector(const radam_step *step, const dlz_update *u, int64_t i,
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
    dlz_v direction = mean;
    if (step->rectified)
        direction = mean / (dlz_sqrt(square) + dlz_splat(step->eps));
    dlz_put(p, dlz_fma(dlz_splat(-step->step_size), direction, value), whole, count);
}

DLZ_OPTIMIZER(radam, radam_step)

#ifdef DLZ_BASELINE
#include "base/base.h"
#include "train/optimizer.h"

#include <math.h>

DLZ_OPTIMIZER_TABLE(radam)

typedef struct radam {
    dlviz_optimizer base;
    double betas[2], eps;
} radam;

static const dlz_setting settings[] = {
    {"beta1", DLZ_SETTING_REAL, offsetof(radam, betas[0]), false},
    {"beta2", DLZ_SETTING_REAL, offsetof(radam, betas[1]), false},
    {"eps", DLZ_SETTING_REAL, offsetof(radam, eps), false},
    {0},
};

static const dlz_moment moments[] = {
    [FIRST] = {"first_moment", false}, [SECOND] = {"second_moment", true}, {0}};

static void prepare(const dlviz_optimizer *optimizer, const dlz_step_terms *terms, void *prepared) {
    const radam *own = (const radam *)optimizer;
    double t = (double)terms->number, power2 = pow(own->betas[1], t);
    double longest = 2 / (1 - own->betas[1]) - 1;
    double length = longest - 2 * t * power2 / (1 - power2);
    double step_size = terms->learning_rate / (1 - pow(own->betas[0], t));
    bool rectified = length > 5;
    if (rectified)
        step_size *= sqrt(1 - power2) * sqrt((length - 4) * (length - 2) * longest /
                                             ((longest - 4) * (longest - 2) * length));
    *(radam_step *)prepared = (radam_step){
        .weight_decay = (float)terms->weight_decay,
        .beta1 = (float)own->betas[0],
        .one_minus_beta1 = (float)(1 - own->betas[0]),
        .beta2 = (float)own->betas[1],
        .one_minus_beta2 = (float)(1 - own->betas[1]),
        .step_size = (float)step_size,
        .eps = (float)own->eps,
        .rectified = rectified,
    };
}

static const dlz_optimizer_type radam_type = {
    .name = "RAdam",
    .size = sizeof(radam),
    .settings = settings,
    .moments = moments,
    .step_size = sizeof(radam_step),
    .prepare = prepare,
    .updates = dlz_radam_updates_of,
};

static const radam *as_radam(const dlviz_optimizer *optimizer) {
    return dlz_optimizer_as(optimizer, &radam_type);
}

dlviz_status dlviz_radam_create(dlviz_optimizer **out, double learning_rate) {
    DLZ_TRY(dlz_optimizer_create(__func__, &radam_type, out, learning_rate));
    radam *own = (radam *)*out;
    own->betas[0] = 0.9;
    own->betas[1] = 0.999;
    own->eps = 1e-8;
    return DLVIZ_OK;
}

dlviz_status dlviz_radam_set_betas(dlviz_optimizer *optimizer, double beta1, double beta2) {
    radam *own = (radam *)as_radam(optimizer);
    return dlz_optimizer_set_betas(__func__, optimizer, own ? own->betas : NULL, beta1, beta2);
}

dlviz_status dlviz_radam_set_eps(dlviz_optimizer *optimizer, double eps) {
    radam *own = (radam *)as_radam(optimizer);
    return dlz_optimizer_set_eps(__func__, optimizer, own ? &own->eps : NULL, eps);
}

void dlviz_radam_betas(const dlviz_optimizer *optimizer, double *beta1, double *beta2) {
    const radam *own = as_radam(optimizer);
    dlz_give(beta1, own ? own->betas[0] : (double)NAN);
    dlz_give(beta2, own ? own->betas[1] : (double)NAN);
}

double dlviz_radam_eps(const dlviz_optimizer *optimizer) {
    const radam *own = as_radam(optimizer);
    return own ? own->eps : (double)NAN;
}
#endif
