/* p −= lr * d. Without a momentum d = g; with one, b = momentum * b + damping * g (b = g in the first
 * step, which does not read it), and d = b, or g + momentum * b with Nesterov's look-ahead. damping
 * is 1 − dampening. */
#include "train/optimizers/loops.h"

enum { BUFFER };

typedef struct sgd_step {
    float weight_decay, learning_rate, momentum, damping;
    bool nesterov, first;
} sgd_step;

DLZ_INLINE void update_vector(const sgd_step *step, const dlz_update *u, int64_t i,
                              const bool whole, int count) {
    float *p = u->parameters + i;
    dlz_v value = dlz_get(p, whole, count);
    dlz_v gradient = dlz_get_gradient(u, i, step->weight_decay, value, whole, count);
    dlz_v direction = gradient;
    if (u->moments[BUFFER]) {
        float *buffer = u->moments[BUFFER] + i;
        if (!step->first)
            direction = dlz_fma(dlz_splat(step->momentum), dlz_get(buffer, whole, count),
                                dlz_splat(step->damping) * gradient);
        dlz_put(buffer, direction, whole, count);
        if (step->nesterov)
            direction = dlz_fma(dlz_splat(step->momentum), direction, gradient);
    }
    dlz_put(p, dlz_fma(dlz_splat(-step->learning_rate), direction, value), whole, count);
}

DLZ_OPTIMIZER(sgd, sgd_step)

#ifdef DLZ_BASELINE
#include "base/base.h"
#include "train/optimizer.h"

#include <math.h>

DLZ_OPTIMIZER_TABLE(sgd)

typedef struct sgd {
    dlviz_optimizer base;
    double momentum, dampening;
    bool nesterov;
} sgd;

static const dlz_setting settings[] = {
    {"momentum", DLZ_SETTING_REAL, offsetof(sgd, momentum), false},
    {"dampening", DLZ_SETTING_REAL, offsetof(sgd, dampening), false},
    {"nesterov", DLZ_SETTING_BOOL, offsetof(sgd, nesterov), false},
    {0},
};

static const dlz_moment moments[] = {[BUFFER] = {"first_moment", false}, {0}};

static bool keeps(const dlviz_optimizer *optimizer, int moment) {
    (void)moment;
    return ((const sgd *)optimizer)->momentum > 0;
}

static void prepare(const dlviz_optimizer *optimizer, const dlz_step_terms *terms, void *prepared) {
    const sgd *own = (const sgd *)optimizer;
    *(sgd_step *)prepared = (sgd_step){
        .weight_decay = (float)terms->weight_decay,
        .learning_rate = (float)terms->learning_rate,
        .momentum = (float)own->momentum,
        .damping = (float)(1 - own->dampening),
        .nesterov = own->nesterov,
        .first = terms->number == 1,
    };
}

static const dlz_optimizer_type sgd_type = {
    .name = "SGD",
    .size = sizeof(sgd),
    .settings = settings,
    .moments = moments,
    .keeps = keeps,
    .step_size = sizeof(sgd_step),
    .prepare = prepare,
    .updates = dlz_sgd_updates_of,
};

dlviz_status dlviz_sgd_create(dlviz_optimizer **out, double learning_rate) {
    return dlz_optimizer_create(__func__, &sgd_type, out, learning_rate);
}

dlviz_status dlviz_sgd_set_momentum(dlviz_optimizer *optimizer, double momentum, double dampening,
                                    bool nesterov) {
    sgd *own = (sgd *)optimizer;
    DLZ_CHANGE_OPTIMIZER(optimizer, dlz_optimizer_as(optimizer, &sgd_type));
    DLZ_TRY(dlz_optimizer_require_unstepped(__func__, optimizer, "momentum"));
    DLZ_TRY(dlz_optimizer_check_momentum(__func__, momentum));
    if (!(dampening >= 0 && dampening <= 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: the dampening is %g; 0 to 1 is accepted",
                        __func__, dampening);
    if (nesterov && (momentum <= 0 || dampening != 0))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: Nesterov's look-ahead with momentum %g and dampening %g; it needs a "
                        "momentum above 0 and no dampening",
                        __func__, momentum, dampening);
    own->momentum = momentum;
    own->dampening = dampening;
    own->nesterov = nesterov;
    return DLVIZ_OK;
}

void dlviz_sgd_momentum(const dlviz_optimizer *optimizer, double *momentum, double *dampening,
                        bool *nesterov) {
    const sgd *own = dlz_optimizer_as(optimizer, &sgd_type);
    dlz_give(momentum, own ? own->momentum : (double)NAN);
    dlz_give(dampening, own ? own->dampening : (double)NAN);
    if (nesterov)
        *nesterov = own && own->nesterov;
}
#endif
