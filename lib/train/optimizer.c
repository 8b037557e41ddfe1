/* What all optimizers share: making and setting them, and one step over all parameters of a network.
 */
#include "train/optimizer.h"
#include "base/base.h"
#include "base/parallel.h"
#include "network/network.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

/* Parameters a tile updates: its four arrays take half of a second-level cache. */
#define TILE_SIZE 32768

dlviz_status dlz_check_learning_rate(const char *who, double rate) {
    if (rate >= 0 && rate <= 1e30)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                    "%s: the learning rate is %g; finite, 0 or more is accepted", who, rate);
}

dlviz_status dlz_optimizer_create(const char *who, const dlz_optimizer_type *type,
                                  dlviz_optimizer **out, double learning_rate) {
    if (!out)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'out' is NULL", who);
    *out = NULL;
    DLZ_TRY(dlz_check_learning_rate(who, learning_rate));
    dlviz_optimizer *optimizer = dlz_alloc_zero(type->size);
    void *step = dlz_alloc_zero(type->step_size);
    if (!optimizer || !step) {
        dlz_free(optimizer);
        dlz_free(step);
        return dlz_fail_memory("an optimizer", type->size + type->step_size);
    }
    optimizer->type = type;
    optimizer->references = 1;
    optimizer->learning_rate = learning_rate;
    optimizer->step = step;
    *out = optimizer;
    return DLVIZ_OK;
}

dlviz_optimizer *dlz_optimizer_hold(dlviz_optimizer *optimizer) {
    atomic_fetch_add(&optimizer->references, 1);
    return optimizer;
}

static void free_moments(dlviz_optimizer *optimizer) {
    for (int i = 0; i < DLZ_MAX_MOMENTS; i++) {
        dlz_free(optimizer->moments[i]);
        optimizer->moments[i] = NULL;
    }
}

void dlviz_optimizer_destroy(dlviz_optimizer *optimizer) {
    if (!optimizer || atomic_fetch_sub(&optimizer->references, 1) != 1)
        return;
    dlviz_network_destroy(optimizer->network);
    free_moments(optimizer);
    dlz_free(optimizer->step);
    dlz_free(optimizer);
}

/* -- Settings ------------------------------------------------------------------------------------
 */

const void *dlz_optimizer_as(const dlviz_optimizer *optimizer, const dlz_optimizer_type *type) {
    return optimizer && optimizer->type == type ? optimizer : NULL;
}

dlviz_status dlz_optimizer_require(const char *who, const dlviz_optimizer *optimizer,
                                   const void *as_its_type) {
    if (!optimizer)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'optimizer' is NULL", who);
    if (!as_its_type)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the optimizer is %s, which has no such setting", who,
                        optimizer->type->name);
    return DLVIZ_OK;
}

dlviz_status dlz_optimizer_require_unstepped(const char *who, const dlviz_optimizer *optimizer,
                                             const char *setting) {
    if (optimizer->steps == 0)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "%s: the optimizer has taken %lld step%s; %s is set before the first", who,
                    (long long)optimizer->steps, optimizer->steps == 1 ? "" : "s", setting);
}

dlviz_status dlz_optimizer_check_betas(const char *who, double beta1, double beta2) {
    if (beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                    "%s: the betas are %g and %g; 0 to below 1 is accepted", who, beta1, beta2);
}

dlviz_status dlz_optimizer_check_eps(const char *who, double eps) {
    if (eps > 0 && eps <= 1e30)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: eps is %g; above 0 is accepted", who, eps);
}

dlviz_status dlz_optimizer_check_momentum(const char *who, double momentum) {
    if (momentum >= 0 && momentum < 1e30)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                    "%s: the momentum is %g; finite, 0 or more is accepted", who, momentum);
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
    DLZ_TRY(dlz_check_learning_rate(__func__, learning_rate));
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

/* -- Steps ---------------------------------------------------------------------------------------
 */

bool dlz_optimizer_keeps(const dlviz_optimizer *optimizer, int moment) {
    return !optimizer->type->keeps || optimizer->type->keeps(optimizer, moment);
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
    for (int i = 0; optimizer->type->moments[i].name; i++) {
        float **moment = &optimizer->moments[i];
        bool kept = dlz_optimizer_keeps(optimizer, i);
        if (*moment && !kept) { /* of settings that a checkpoint had, before the first step */
            dlz_free(*moment);
            *moment = NULL;
        }
        if (*moment || !kept)
            continue;
        *moment = dlz_alloc_array_zero(size, sizeof(float));
        if (!*moment) {
            if (!optimizer->network)
                free_moments(optimizer);
            return dlz_fail_memory("the optimizer's moments", size * sizeof(float));
        }
    }
    if (!optimizer->network)
        optimizer->network = dlz_network_hold(network);
    return DLVIZ_OK;
}

typedef struct step_pass {
    const dlviz_optimizer *optimizer;
    const dlz_optimizer_table *kernels;
    float *parameters, *gradients;
    int64_t size;
} step_pass;

static void step_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const step_pass *pass = context;
    int64_t first = tile * TILE_SIZE;
    dlz_update update = {.n = dlz_min_i64(TILE_SIZE, pass->size - first),
                         .parameters = pass->parameters + first,
                         .gradients = pass->gradients + first,
                         .gradient_scale = 1};
    for (int i = 0; i < DLZ_MAX_MOMENTS; i++)
        if (pass->optimizer->moments[i])
            update.moments[i] = pass->optimizer->moments[i] + first;
    pass->kernels->update(pass->optimizer->step, &update);
}

dlviz_status dlviz_optimizer_step(dlviz_optimizer *optimizer, dlviz_network *network) {
    DLZ_REQUIRE(optimizer);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_HOLD_NESTED(&optimizer->busy, "optimizer");
    DLZ_USE_NETWORK(__func__, network);
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
    dlz_step_terms terms = {.number = ++optimizer->steps,
                            .learning_rate = optimizer->learning_rate,
                            .weight_decay = optimizer->weight_decay};
    optimizer->type->prepare(optimizer, &terms, optimizer->step);
    step_pass pass = {.optimizer = optimizer,
                      .kernels = optimizer->type->updates(dlz_isa_chosen()),
                      .parameters = network->parameters,
                      .gradients = network->gradients,
                      .size = network->parameter_floats};
    dlz_parallel_for(dlz_ceil_div(pass.size, TILE_SIZE), dlz_threads(), step_tile, &pass);
    return DLVIZ_OK;
}
