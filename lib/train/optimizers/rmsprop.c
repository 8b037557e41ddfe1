/* v = alpha * v + (1 − alpha) * g²; d = g / (√v + eps). Centered, with an average of gradients
 * a = alpha * a + (1 − alpha) * g, it is √max(v − a², 0) instead. p −= lr * d, or with a momentum
 * b = momentum * b + d and p −= lr * b. */
#include "train/optimizers/loops.h"

enum { SQUARE, AVERAGE, BUFFER };

typedef struct rmsprop_step {
    float weight_decay, learning_rate, alpha, one_minus_alpha, eps, momentum;
} rmsprop_step;

DLZ_INLINE void update_vector(const rmsprop_step *step, const dlz_update *u, int64_t i,
                              const bool whole, int count) {
    float *p = u->parameters + i, *v = u->moments[SQUARE] + i;
    dlz_v value = dlz_get(p, whole, count);
    dlz_v gradient = dlz_get_gradient(u, i, step->weight_decay, value, whole, count);
    dlz_v square = dlz_fma(dlz_splat(step->alpha), dlz_get(v, whole, count),
                           dlz_splat(step->one_minus_alpha) * gradient * gradient);
    dlz_put(v, square, whole, count);
    if (u->moments[AVERAGE]) {
        float *average = u->moments[AVERAGE] + i;
        dlz_v mean = dlz_fma(dlz_splat(step->alpha), dlz_get(average, whole, count),
                             dlz_splat(step->one_minus_alpha) * gradient);
        dlz_put(average, mean, whole, count);
        /* Rounding may leave a variance of nothing below 0; a NaN is not below 0 and stays. */
        square = dlz_fma(-mean, mean, square);
        square = (dlz_v)((dlz_vi)square & ~(square < (dlz_v){0}));
    }
    dlz_v direction = gradient / (dlz_sqrt(square) + dlz_splat(step->eps));
    if (u->moments[BUFFER]) {
        float *buffer = u->moments[BUFFER] + i;
        direction = dlz_fma(dlz_splat(step->momentum), dlz_get(buffer, whole, count), direction);
        dlz_put(buffer, direction, whole, count);
    }
    dlz_put(p, dlz_fma(dlz_splat(-step->learning_rate), direction, value), whole, count);
}

DLZ_OPTIMIZER(rmsprop, rmsprop_step)

#ifdef DLZ_BASELINE
#include "base/base.h"
#include "train/optimizer.h"

#include <math.h>

DLZ_OPTIMIZER_TABLE(rmsprop)

typedef struct rmsprop {
    dlviz_optimizer base;
    double alpha, eps, momentum;
    bool centered;
} rmsprop;

static const dlz_setting settings[] = {
    {"alpha", DLZ_SETTING_REAL, offsetof(rmsprop, alpha), false},
    {"eps", DLZ_SETTING_REAL, offsetof(rmsprop, eps), false},
    {"momentum", DLZ_SETTING_REAL, offsetof(rmsprop, momentum), false},
    {"centered", DLZ_SETTING_BOOL, offsetof(rmsprop, centered), false},
    {0},
};

static const dlz_moment moments[] = {[SQUARE] = {"second_moment", true},
                                     [AVERAGE] = {"gradient_average", false},
                                     [BUFFER] = {"momentum_buffer", false},
                                     {0}};

static bool keeps(const dlviz_optimizer *optimizer, int moment) {
    const rmsprop *own = (const rmsprop *)optimizer;
    return moment == SQUARE || (moment == AVERAGE && own->centered) ||
           (moment == BUFFER && own->momentum > 0);
}

static void prepare(const dlviz_optimizer *optimizer, const dlz_step_terms *terms, void *prepared) {
    const rmsprop *own = (const rmsprop *)optimizer;
    *(rmsprop_step *)prepared = (rmsprop_step){
        .weight_decay = (float)terms->weight_decay,
        .learning_rate = (float)terms->learning_rate,
        .alpha = (float)own->alpha,
        .one_minus_alpha = (float)(1 - own->alpha),
        .eps = (float)own->eps,
        .momentum = (float)own->momentum,
    };
}

static const dlz_optimizer_type rmsprop_type = {
    .name = "RMSprop",
    .size = sizeof(rmsprop),
    .settings = settings,
    .moments = moments,
    .keeps = keeps,
    .step_size = sizeof(rmsprop_step),
    .prepare = prepare,
    .updates = dlz_rmsprop_updates_of,
};

static const rmsprop *as_rmsprop(const dlviz_optimizer *optimizer) {
    return dlz_optimizer_as(optimizer, &rmsprop_type);
}

dlviz_status dlviz_rmsprop_create(dlviz_optimizer **out, double learning_rate) {
    DLZ_TRY(dlz_optimizer_create(__func__, &rmsprop_type, out, learning_rate));
    rmsprop *own = (rmsprop *)*out;
    own->alpha = 0.99;
    own->eps = 1e-8;
    return DLVIZ_OK;
}

dlviz_status dlviz_rmsprop_set_smoothing(dlviz_optimizer *optimizer, double alpha, double eps) {
    DLZ_CHANGE_OPTIMIZER(optimizer, as_rmsprop(optimizer));
    if (!(alpha >= 0 && alpha < 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: alpha is %g; 0 to below 1 is accepted",
                        __func__, alpha);
    DLZ_TRY(dlz_optimizer_check_eps(__func__, eps));
    ((rmsprop *)optimizer)->alpha = alpha;
    ((rmsprop *)optimizer)->eps = eps;
    return DLVIZ_OK;
}

dlviz_status dlviz_rmsprop_set_momentum(dlviz_optimizer *optimizer, double momentum) {
    DLZ_CHANGE_OPTIMIZER(optimizer, as_rmsprop(optimizer));
    DLZ_TRY(dlz_optimizer_require_unstepped(__func__, optimizer, "momentum"));
    DLZ_TRY(dlz_optimizer_check_momentum(__func__, momentum));
    ((rmsprop *)optimizer)->momentum = momentum;
    return DLVIZ_OK;
}

dlviz_status dlviz_rmsprop_set_centered(dlviz_optimizer *optimizer, bool centered) {
    DLZ_CHANGE_OPTIMIZER(optimizer, as_rmsprop(optimizer));
    DLZ_TRY(dlz_optimizer_require_unstepped(__func__, optimizer, "centering"));
    ((rmsprop *)optimizer)->centered = centered;
    return DLVIZ_OK;
}

void dlviz_rmsprop_smoothing(const dlviz_optimizer *optimizer, double *alpha, double *eps) {
    const rmsprop *own = as_rmsprop(optimizer);
    dlz_give(alpha, own ? own->alpha : (double)NAN);
    dlz_give(eps, own ? own->eps : (double)NAN);
}

double dlviz_rmsprop_momentum(const dlviz_optimizer *optimizer) {
    const rmsprop *own = as_rmsprop(optimizer);
    return own ? own->momentum : (double)NAN;
}

bool dlviz_rmsprop_centered(const dlviz_optimizer *optimizer) {
    const rmsprop *own = as_rmsprop(optimizer);
    return own && own->centered;
}
#endif
