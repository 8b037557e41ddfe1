/* Optimizers: settings, and one step over all parameters of a network. */
#include "train/optimizer.h"
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/nn/optimizer.h"
#include "network/network.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

/* Parameters a tile updates: its four arrays take half of a second-level cache. */
#define TILE_SIZE 32768

const char *dlz_rule_name(dlz_rule rule) {
    static const char *const names[] = {"Adam", "AdamW", "SGD", "RMSprop"};
    return names[rule];
}

static dlviz_status check_rate(const char *who, double rate) {
    if (rate >= 0 && rate <= 1e30)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                    "%s: the learning rate is %g; finite, 0 or more is accepted", who, rate);
}

static dlviz_status create(const char *who, dlviz_optimizer **out, dlz_rule rule,
                           double learning_rate) {
    if (!out)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'out' is NULL", who);
    *out = NULL;
    DLZ_TRY(check_rate(who, learning_rate));
    dlviz_optimizer *optimizer = dlz_alloc_zero(sizeof *optimizer);
    if (!optimizer)
        return dlz_fail_memory("an optimizer", sizeof *optimizer);
    optimizer->references = 1;
    optimizer->rule = rule;
    optimizer->learning_rate = learning_rate;
    optimizer->weight_decay = rule == DLZ_ADAMW ? 0.01 : 0;
    optimizer->beta1 = 0.9;
    optimizer->beta2 = 0.999;
    optimizer->eps = 1e-8;
    optimizer->alpha = 0.99;
    *out = optimizer;
    return DLVIZ_OK;
}

dlviz_status dlviz_adam_create(dlviz_optimizer **out, double learning_rate) {
    return create(__func__, out, DLZ_ADAM, learning_rate);
}

dlviz_status dlviz_adamw_create(dlviz_optimizer **out, double learning_rate) {
    return create(__func__, out, DLZ_ADAMW, learning_rate);
}

dlviz_status dlviz_sgd_create(dlviz_optimizer **out, double learning_rate) {
    return create(__func__, out, DLZ_SGD, learning_rate);
}

dlviz_status dlviz_rmsprop_create(dlviz_optimizer **out, double learning_rate) {
    return create(__func__, out, DLZ_RMSPROP, learning_rate);
}

dlviz_optimizer *dlz_optimizer_hold(dlviz_optimizer *optimizer) {
    atomic_fetch_add(&optimizer->references, 1);
    return optimizer;
}

void dlviz_optimizer_destroy(dlviz_optimizer *optimizer) {
    if (!optimizer || atomic_fetch_sub(&optimizer->references, 1) != 1)
        return;
    dlviz_network_destroy(optimizer->network);
    dlz_free(optimizer->first);
    dlz_free(optimizer->second);
    dlz_free(optimizer);
}

/* Settings that change which moments there are come before the first step. */
static dlviz_status require_rule(const char *who, const dlviz_optimizer *optimizer, bool fits) {
    if (!optimizer)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'optimizer' is NULL", who);
    if (!fits)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the optimizer is %s, which has no such "
                        "setting",
                        who, dlz_rule_name(optimizer->rule));
    return DLVIZ_OK;
}

static bool is_adam(const dlviz_optimizer *optimizer) {
    return optimizer && (optimizer->rule == DLZ_ADAM || optimizer->rule == DLZ_ADAMW);
}

dlviz_status dlviz_adam_set_betas(dlviz_optimizer *optimizer, double beta1, double beta2) {
    DLZ_TRY(require_rule(__func__, optimizer, is_adam(optimizer)));
    if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the betas are %g and %g; 0 to below 1 is accepted", __func__, beta1,
                        beta2);
    optimizer->beta1 = beta1;
    optimizer->beta2 = beta2;
    return DLVIZ_OK;
}

static dlviz_status set_eps(const char *who, dlviz_optimizer *optimizer, double eps) {
    if (!(eps > 0 && eps <= 1e30))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: eps is %g; above 0 is accepted", who,
                        eps);
    optimizer->eps = eps;
    return DLVIZ_OK;
}

dlviz_status dlviz_adam_set_eps(dlviz_optimizer *optimizer, double eps) {
    DLZ_TRY(require_rule(__func__, optimizer, is_adam(optimizer)));
    return set_eps(__func__, optimizer, eps);
}

dlviz_status dlviz_rmsprop_set_smoothing(dlviz_optimizer *optimizer, double alpha, double eps) {
    DLZ_TRY(require_rule(__func__, optimizer, optimizer && optimizer->rule == DLZ_RMSPROP));
    if (!(alpha >= 0 && alpha < 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: alpha is %g; 0 to below 1 is accepted",
                        __func__, alpha);
    DLZ_TRY(set_eps(__func__, optimizer, eps));
    optimizer->alpha = alpha;
    return DLVIZ_OK;
}

dlviz_status dlviz_sgd_set_momentum(dlviz_optimizer *optimizer, double momentum, double dampening,
                                    bool nesterov) {
    DLZ_TRY(require_rule(__func__, optimizer, optimizer && optimizer->rule == DLZ_SGD));
    if (optimizer->steps > 0)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: the optimizer has taken %lld steps; momentum is set "
                        "before the first",
                        __func__, (long long)optimizer->steps);
    if (!(momentum >= 0 && momentum < 1e30 && dampening >= 0 && dampening <= 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: momentum %g and dampening %g; 0 or more, and 0 to 1, are accepted",
                        __func__, momentum, dampening);
    if (nesterov && (momentum <= 0 || dampening != 0))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: Nesterov's look-ahead with momentum %g and dampening %g; it needs a "
                        "momentum above 0 and no dampening",
                        __func__, momentum, dampening);
    optimizer->momentum = momentum;
    optimizer->dampening = dampening;
    optimizer->nesterov = nesterov;
    return DLVIZ_OK;
}

dlviz_status dlviz_optimizer_set_weight_decay(dlviz_optimizer *optimizer, double decay) {
    DLZ_REQUIRE(optimizer);
    if (!(decay >= 0 && decay <= 1e30))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the weight decay is %g; finite, 0 or more is accepted", __func__,
                        decay);
    optimizer->weight_decay = decay;
    return DLVIZ_OK;
}

dlviz_status dlviz_optimizer_set_learning_rate(dlviz_optimizer *optimizer, double learning_rate) {
    DLZ_REQUIRE(optimizer);
    DLZ_TRY(check_rate(__func__, learning_rate));
    optimizer->learning_rate = learning_rate;
    return DLVIZ_OK;
}

double dlviz_optimizer_learning_rate(const dlviz_optimizer *optimizer) {
    return optimizer ? optimizer->learning_rate : NAN;
}

double dlviz_optimizer_weight_decay(const dlviz_optimizer *optimizer) {
    return optimizer ? optimizer->weight_decay : NAN;
}

int64_t dlviz_optimizer_num_steps(const dlviz_optimizer *optimizer) {
    return optimizer ? optimizer->steps : 0;
}

static void give(double *to, double value) {
    if (to)
        *to = value;
}

void dlviz_adam_betas(const dlviz_optimizer *optimizer, double *beta1, double *beta2) {
    bool known = is_adam(optimizer);
    give(beta1, known ? optimizer->beta1 : NAN);
    give(beta2, known ? optimizer->beta2 : NAN);
}

double dlviz_adam_eps(const dlviz_optimizer *optimizer) {
    return is_adam(optimizer) ? optimizer->eps : NAN;
}

void dlviz_sgd_momentum(const dlviz_optimizer *optimizer, double *momentum, double *dampening,
                        bool *nesterov) {
    bool known = optimizer && optimizer->rule == DLZ_SGD;
    give(momentum, known ? optimizer->momentum : NAN);
    give(dampening, known ? optimizer->dampening : NAN);
    if (nesterov)
        *nesterov = known && optimizer->nesterov;
}

void dlviz_rmsprop_smoothing(const dlviz_optimizer *optimizer, double *alpha, double *eps) {
    bool known = optimizer && optimizer->rule == DLZ_RMSPROP;
    give(alpha, known ? optimizer->alpha : NAN);
    give(eps, known ? optimizer->eps : NAN);
}

bool dlz_optimizer_needs_first(const dlviz_optimizer *optimizer) {
    return is_adam(optimizer) || (optimizer->rule == DLZ_SGD && optimizer->momentum > 0);
}

bool dlz_optimizer_needs_second(const dlviz_optimizer *optimizer) {
    return optimizer->rule != DLZ_SGD;
}

dlviz_status dlz_optimizer_check_network(const dlviz_optimizer *optimizer,
                                         const dlviz_network *network) {
    if (!optimizer->network || optimizer->network == network)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "the optimizer serves another network; each needs one of its own");
}

/* Zeroed moments for the network's parameters, those that do not exist. */
static dlviz_status attach(dlviz_optimizer *optimizer, dlviz_network *network) {
    size_t size = (size_t)network->parameter_floats;
    bool first = dlz_optimizer_needs_first(optimizer),
         second = dlz_optimizer_needs_second(optimizer);
    if (first && !optimizer->first)
        optimizer->first = dlz_alloc_array_zero(size, sizeof(float));
    if (second && !optimizer->second)
        optimizer->second = dlz_alloc_array_zero(size, sizeof(float));
    if ((first && !optimizer->first) || (second && !optimizer->second)) {
        if (!optimizer->network) {
            dlz_free(optimizer->first);
            dlz_free(optimizer->second);
            optimizer->first = optimizer->second = NULL;
        }
        return dlz_fail_memory("the optimizer's moments", size * sizeof(float));
    }
    if (!optimizer->network)
        optimizer->network = dlz_network_hold(network);
    return DLVIZ_OK;
}

typedef struct step_pass {
    const dlviz_optimizer *optimizer;
    float *parameters, *gradients;
    int64_t size;
    float weight_decay;
    dlz_adam adam;
    dlz_sgd sgd;
    dlz_rmsprop rmsprop;
} step_pass;

static void step_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const step_pass *pass = context;
    const dlviz_optimizer *optimizer = pass->optimizer;
    int64_t first = tile * TILE_SIZE, n = dlz_min_i64(TILE_SIZE, pass->size - first);
    float *p = pass->parameters + first;
    float *m = optimizer->first ? optimizer->first + first : NULL;
    float *v = optimizer->second ? optimizer->second + first : NULL;
    dlz_gradient g = {pass->gradients + first, 1, pass->weight_decay, false};
    switch (optimizer->rule) {
    case DLZ_ADAM:
    case DLZ_ADAMW:
        dlz_optimizer_kernels()->adam(&pass->adam, n, p, &g, m, v);
        break;
    case DLZ_SGD:
        dlz_optimizer_kernels()->sgd(&pass->sgd, n, p, &g, m);
        break;
    case DLZ_RMSPROP:
        dlz_optimizer_kernels()->rmsprop(&pass->rmsprop, n, p, &g, v, NULL, NULL);
        break;
    }
}

dlviz_status dlviz_optimizer_step(dlviz_optimizer *optimizer, dlviz_network *network) {
    DLZ_REQUIRE(optimizer);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_HOLD_NESTED(&optimizer->busy, "optimizer");
    dlz_hold hold __attribute__((cleanup(dlz_busy_give_back))) = {NULL};
    DLZ_TRY(dlz_busy_take(__func__, &network->busy, "network", DLZ_NESTED, &hold));
    if (!network->has_gradients)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: the network has no gradients; call dlviz_network_backward first",
                        __func__);
    if (!network->fresh_gradients)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: a step has used the network's gradients already; call "
                        "dlviz_network_backward before each",
                        __func__);
    dlviz_status status = dlz_optimizer_check_network(optimizer, network);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status, "%s", __func__);
    DLZ_TRY(attach(optimizer, network));
    network->fresh_gradients = false;
    int64_t t = ++optimizer->steps;
    double rate = optimizer->learning_rate;
    bool decoupled = optimizer->rule == DLZ_ADAMW;
    step_pass pass = {
        .optimizer = optimizer,
        .parameters = network->parameters,
        .gradients = network->gradients,
        .size = network->parameter_floats,
        .weight_decay = decoupled ? 0 : (float)optimizer->weight_decay,
        .adam = {.decay = decoupled ? (float)(1 - rate * optimizer->weight_decay) : 1,
                 .beta1 = (float)optimizer->beta1,
                 .one_minus_beta1 = (float)(1 - optimizer->beta1),
                 .beta2 = (float)optimizer->beta2,
                 .one_minus_beta2 = (float)(1 - optimizer->beta2),
                 .step_size = (float)(rate / (1 - pow(optimizer->beta1, (double)t))),
                 .inv_sqrt_correction2 = (float)(1 / sqrt(1 - pow(optimizer->beta2, (double)t))),
                 .eps = (float)optimizer->eps},
        .sgd = {(float)rate, (float)optimizer->momentum, (float)(1 - optimizer->dampening),
                optimizer->nesterov, t == 1},
        .rmsprop = {(float)rate, (float)optimizer->alpha, (float)(1 - optimizer->alpha),
                    (float)optimizer->eps, 0}};
    dlz_parallel_for(dlz_ceil_div(pass.size, TILE_SIZE), dlz_threads(), step_tile, &pass);
    return DLVIZ_OK;
}
