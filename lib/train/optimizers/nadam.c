/* m = beta1 * m + (1 − beta1) * g, v = beta2 * v + (1 − beta2) * g²,
 * p −= (gradient_size * g + mean_size * m) / (√v * inv_sqrt_correction2 + eps). With
 * mu_t = beta1 * (1 − 0.5 * 0.96^(t * momentum_decay)) and the product P_t of mu_1 … mu_t,
 * gradient_size = lr * (1 − mu_t) / (1 − P_t) and mean_size = lr * mu_t+1 / (1 − P_t+1). */
#include "train/optimizers/loops.h"

enum { FIRST, SECOND };

typedef struct nadam_step {
    float weight_decay, beta1, one_minus_beta1, beta2, one_minus_beta2;
    float gradient_size, mean_size, inv_sqrt_correction2, eps;
} nadam_step;

DLZ_INLINE void update_vector(const nadam_step *step, const dlz_update *u, int64_t i,
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
    dlz_v size =
        dlz_fma(dlz_sqrt(square), dlz_splat(step->inv_sqrt_correction2), dlz_splat(step->eps));
    dlz_v ahead =
        dlz_fma(dlz_splat(step->mean_size), mean, dlz_splat(step->gradient_size) * gradient);
    dlz_put(p, value - ahead / size, whole, count);
}

DLZ_OPTIMIZER(nadam, nadam_step)

#ifdef DLZ_BASELINE
#include "base/base.h"
#include "train/optimizer.h"

#include <math.h>

DLZ_OPTIMIZER_TABLE(nadam)

typedef struct nadam {
    dlviz_optimizer base;
    double betas[2], eps, momentum_decay;
} nadam;

static const dlz_setting settings[] = {
    {"beta1", DLZ_SETTING_REAL, offsetof(nadam, betas[0]), false},
    {"beta2", DLZ_SETTING_REAL, offsetof(nadam, betas[1]), false},
    {"eps", DLZ_SETTING_REAL, offsetof(nadam, eps), false},
    {"momentum_decay", DLZ_SETTING_REAL, offsetof(nadam, momentum_decay), false},
    {0},
};

static const dlz_moment moments[] = {
    [FIRST] = {"first_moment", false}, [SECOND] = {"second_moment", true}, {0}};

/* Of 0.96^(t * momentum_decay). */
static double mu_of(const nadam *own, double power) {
    return own->betas[0] * (1 - 0.5 * power);
}

/* P_t, from the step's number alone, so that a run that goes on need not have kept it. A product
 * that no longer tells 1 − P_t from 1 is 0; with the usual settings it is so after 50 steps. Where
 * mu grows to beta1 too fast for that, the rest of the product is a power: with any settings, the
 * loop ends after some thousand rounds. */
static double product_of_mus(const nadam *own, int64_t t) {
    const double nothing = 0x1p-60;
    double factor = pow(0.96, own->momentum_decay), power = 1, product = 1;
    for (int64_t i = 1; i <= t; i++) {
        power *= factor;
        if (power < nothing)
            return product * pow(own->betas[0], (double)(t - i + 1));
        product *= mu_of(own, power);
        if (product < nothing)
            return 0;
    }
    return product;
}

static void prepare(const dlviz_optimizer *optimizer, const dlz_step_terms *terms, void *prepared) {
    const nadam *own = (const nadam *)optimizer;
    double t = (double)terms->number, rate = terms->learning_rate;
    double mu = mu_of(own, pow(0.96, t * own->momentum_decay));
    double next_mu = mu_of(own, pow(0.96, (t + 1) * own->momentum_decay));
    double product = product_of_mus(own, terms->number);
    *(nadam_step *)prepared = (nadam_step){
        .weight_decay = (float)terms->weight_decay,
        .beta1 = (float)own->betas[0],
        .one_minus_beta1 = (float)(1 - own->betas[0]),
        .beta2 = (float)own->betas[1],
        .one_minus_beta2 = (float)(1 - own->betas[1]),
        .gradient_size = (float)(rate * (1 - mu) / (1 - product)),
        .mean_size = (float)(rate * next_mu / (1 - product * next_mu)),
        .inv_sqrt_correction2 = (float)(1 / sqrt(1 - pow(own->betas[1], t))),
        .eps = (float)own->eps,
    };
}

static const dlz_optimizer_type nadam_type = {
    .name = "NAdam",
    .size = sizeof(nadam),
    .settings = settings,
    .moments = moments,
    .step_size = sizeof(nadam_step),
    .prepare = prepare,
    .updates = dlz_nadam_updates_of,
};

static const nadam *as_nadam(const dlviz_optimizer *optimizer) {
    return dlz_optimizer_as(optimizer, &nadam_type);
}

dlviz_status dlviz_nadam_create(dlviz_optimizer **out, double learning_rate) {
    DLZ_TRY(dlz_optimizer_create(__func__, &nadam_type, out, learning_rate));
    nadam *own = (nadam *)*out;
    own->betas[0] = 0.9;
    own->betas[1] = 0.999;
    own->eps = 1e-8;
    own->momentum_decay = 4e-3;
    return DLVIZ_OK;
}

dlviz_status dlviz_nadam_set_betas(dlviz_optimizer *optimizer, double beta1, double beta2) {
    nadam *own = (nadam *)as_nadam(optimizer);
    return dlz_optimizer_set_betas(__func__, optimizer, own ? own->betas : NULL, beta1, beta2);
}

dlviz_status dlviz_nadam_set_eps(dlviz_optimizer *optimizer, double eps) {
    nadam *own = (nadam *)as_nadam(optimizer);
    return dlz_optimizer_set_eps(__func__, optimizer, own ? &own->eps : NULL, eps);
}

dlviz_status dlviz_nadam_set_momentum_decay(dlviz_optimizer *optimizer, double decay) {
    DLZ_CHANGE_OPTIMIZER(optimizer, as_nadam(optimizer));
    if (!(decay >= 0 && decay <= 1e30))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the momentum decay is %g; 0 to 1e30 is accepted", __func__, decay);
    ((nadam *)optimizer)->momentum_decay = decay;
    return DLVIZ_OK;
}

void dlviz_nadam_betas(const dlviz_optimizer *optimizer, double *beta1, double *beta2) {
    const nadam *own = as_nadam(optimizer);
    dlz_give(beta1, own ? own->betas[0] : (double)NAN);
    dlz_give(beta2, own ? own->betas[1] : (double)NAN);
}

double dlviz_nadam_eps(const dlviz_optimizer *optimizer) {
    const nadam *own = as_nadam(optimizer);
    return own ? own->eps : (double)NAN;
}

double dlviz_nadam_momentum_decay(const dlviz_optimizer *optimizer) {
    const nadam *own = as_nadam(optimizer);
    return own ? own->momentum_decay : (double)NAN;
}
#endif
