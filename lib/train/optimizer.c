/* What all optimizers share: making and setting them, and one step over all parameters of a
 * network. */
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
    if (dlz_is_learning_rate(rate))
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                    "%s: the learning rate is %g; 0 to 1e30 is accepted", who, rate);
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
    optimizer->step_blocks = 1;
    optimizer->groups = dlz_groups_start();
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
    dlz_free(optimizer->missed);
    optimizer->missed = NULL;
    optimizer->spreads.count = 0;
}

void dlviz_optimizer_destroy(dlviz_optimizer *optimizer) {
    if (!optimizer || atomic_fetch_sub(&optimizer->references, 1) != 1)
        return;
    dlviz_network_destroy(optimizer->network);
    free_moments(optimizer);
    dlz_groups_drop(&optimizer->groups);
    dlz_parameter_runs_drop(&optimizer->runs);
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

/* DLZ_CHANGE_OPTIMIZER for a setter that another one is made of. */
static dlviz_status require_idle(const char *who, dlviz_optimizer *optimizer,
                                 const void *as_its_type, dlz_hold *hold) {
    DLZ_TRY(dlz_optimizer_require(who, optimizer, as_its_type));
    return dlz_busy_take(who, &optimizer->busy, "optimizer", DLZ_NESTED, hold);
}

dlviz_status dlz_optimizer_require_unstepped(const char *who, const dlviz_optimizer *optimizer,
                                             const char *setting) {
    if (optimizer->steps == 0)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "%s: the optimizer has taken %lld step%s; %s is set before the first", who,
                    (long long)optimizer->steps, optimizer->steps == 1 ? "" : "s", setting);
}

dlviz_status dlz_optimizer_set_betas(const char *who, dlviz_optimizer *optimizer, double betas[2],
                                     double beta1, double beta2) {
    dlz_hold hold __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};
    DLZ_TRY(require_idle(who, optimizer, betas, &hold));
    if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the betas are %g and %g; 0 to below 1 is accepted", who, beta1, beta2);
    betas[0] = beta1;
    betas[1] = beta2;
    return DLVIZ_OK;
}

/* A float above 0, or the step of a gradient that has always been 0 would be 0 / 0. */
dlviz_status dlz_optimizer_check_eps(const char *who, double eps) {
    if (eps >= 1e-30 && eps <= 1e30)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: eps is %g; 1e-30 to 1e30 is accepted", who,
                    eps);
}

dlviz_status dlz_optimizer_set_eps(const char *who, dlviz_optimizer *optimizer, double *eps,
                                   double value) {
    dlz_hold hold __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};
    DLZ_TRY(require_idle(who, optimizer, eps, &hold));
    DLZ_TRY(dlz_optimizer_check_eps(who, value));
    *eps = value;
    return DLVIZ_OK;
}

dlviz_status dlz_optimizer_check_momentum(const char *who, double momentum) {
    if (momentum >= 0 && momentum <= 1e30)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: the momentum is %g; 0 to 1e30 is accepted",
                    who, momentum);
}

dlviz_status dlviz_optimizer_set_weight_decay(dlviz_optimizer *optimizer, double decay) {
    DLZ_CHANGE_OPTIMIZER(optimizer, optimizer);
    if (!(decay >= 0 && decay <= 1e30))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the weight decay is %g; 0 to 1e30 is accepted", __func__, decay);
    optimizer->weight_decay = decay;
    return DLVIZ_OK;
}

dlviz_status dlviz_optimizer_set_learning_rate(dlviz_optimizer *optimizer, double learning_rate) {
    DLZ_CHANGE_OPTIMIZER(optimizer, optimizer);
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

static dlviz_status check_serves(const dlviz_optimizer *optimizer, const dlviz_network *network) {
    if (!optimizer->network || optimizer->network == network)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "the optimizer serves another network; each needs one of its own");
}

dlviz_status dlz_optimizer_check_network(const dlviz_optimizer *optimizer,
                                         const dlviz_network *network) {
    DLZ_TRY(check_serves(optimizer, network));
    return dlz_groups_check(&optimizer->groups, network);
}

/* Zeroed moments for the network's parameters, those that do not exist. */
static dlviz_status attach(dlviz_optimizer *optimizer, dlviz_network *network) {
    size_t size = (size_t)network->parameter_floats, states = (size_t)network->num_states;
    if (!optimizer->missed)
        optimizer->missed = dlz_alloc_array_zero(states, sizeof *optimizer->missed);
    if (!optimizer->missed)
        return dlz_fail_memory("the optimizer's moments", states * sizeof *optimizer->missed);
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

/* What the type prepares for a pair of factors, each in cache lines of its own. */
static void *step_of(const dlviz_optimizer *optimizer, int pair) {
    size_t lines = (optimizer->type->step_size + DLZ_ALIGNMENT - 1) / DLZ_ALIGNMENT;
    return (char *)optimizer->step + (size_t)pair * lines * DLZ_ALIGNMENT;
}

/* Room for what is prepared for so many pairs. */
static dlviz_status make_room(dlviz_optimizer *optimizer, int pairs) {
    if (pairs <= optimizer->step_blocks)
        return DLVIZ_OK;
    size_t size = (size_t)((char *)step_of(optimizer, 1) - (char *)step_of(optimizer, 0));
    void *step = dlz_realloc_array(optimizer->step, (uint64_t)pairs, size);
    if (!step)
        return dlz_fail_memory("groups of parameters", (uint64_t)pairs * size);
    optimizer->step = step;
    optimizer->step_blocks = pairs;
    return DLVIZ_OK;
}

/* Moments and runs of the network's parameters, as the settings now are. */
static dlviz_status make_ready(dlviz_optimizer *optimizer, dlviz_network *network) {
    bool changed = optimizer->freezes != network->freezes;
    if (optimizer->runs.runs && !optimizer->regroup && !changed)
        return attach(optimizer, network);
    dlz_parameter_runs runs;
    DLZ_TRY(dlz_groups_check(&optimizer->groups, network));
    DLZ_TRY(dlz_parameter_runs_create(&runs, &optimizer->groups, network, optimizer->missed));
    dlviz_status status = make_room(optimizer, runs.num_pairs);
    if (status == DLVIZ_OK)
        status = attach(optimizer, network);
    if (status != DLVIZ_OK) {
        dlz_parameter_runs_drop(&runs);
        return status;
    }
    dlz_parameter_runs_drop(&optimizer->runs);
    optimizer->runs = runs;
    optimizer->regroup = false;
    optimizer->freezes = network->freezes;
    return DLVIZ_OK;
}

typedef struct step_pass {
    const dlviz_optimizer *optimizer;
    const dlz_optimizer_table *kernels;
    float *parameters, *gradients, scale;
    int64_t size;
    const dlz_spreads *spreads;
    int rank;
} step_pass;

static void update_run(const step_pass *pass, int pair, int64_t first, int64_t end) {
    dlz_update update = {.n = end - first,
                         .parameters = pass->parameters + first,
                         .gradients = pass->gradients + first,
                         .gradient_scale = pass->scale};
    for (int i = 0; i < DLZ_MAX_MOMENTS; i++)
        if (pass->optimizer->moments[i])
            update.moments[i] = pass->optimizer->moments[i] + first;
    pass->kernels->update(step_of(pass->optimizer, pair), &update);
}

/* Tiles are cut without regard to the runs, so that many small ones do not make many tiles. */
/* But for what other processes update, of the spreads from `index` on. */
static void update_own(const step_pass *pass, int pair, int64_t first, int64_t end, int index) {
    if (first >= end)
        return;
    if (index == pass->spreads->count) {
        update_run(pass, pair, first, end);
        return;
    }
    const dlz_spread *spread = &pass->spreads->all[index];
    const int64_t *ends = spread->ends;
    int64_t at = spread->gradient - pass->gradients, last = at;
    for (int rank = 0; rank <= DLZ_LEAVES; rank++)
        last = dlz_max_i64(last, at + ends[rank]);
    update_own(pass, pair, first, dlz_min_i64(end, at), index + 1);
    update_own(pass, pair, dlz_max_i64(first, at + ends[pass->rank]),
               dlz_min_i64(end, at + ends[pass->rank + 1]), index + 1);
    update_own(pass, pair, dlz_max_i64(first, last), end, index + 1);
}

static void step_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const step_pass *pass = context;
    const dlz_parameter_runs *runs = &pass->optimizer->runs;
    int64_t first = tile * TILE_SIZE, end = dlz_min_i64(first + TILE_SIZE, pass->size);
    for (int i = dlz_parameter_runs_find(runs, first);
         i < runs->num_runs && runs->runs[i].first < end; i++) {
        const dlz_parameter_run *run = &runs->runs[i];
        update_own(pass, run->pair, dlz_max_i64(first, run->first), dlz_min_i64(end, run->end), 0);
    }
}

static void prepare(const dlviz_optimizer *optimizer) {
    const dlz_parameter_runs *runs = &optimizer->runs;
    for (int i = 0; i < runs->num_pairs; i++) {
        dlz_step_terms terms = {.number = optimizer->steps - runs->pairs[i].missed,
                                .learning_rate = optimizer->learning_rate * runs->pairs[i].rate,
                                .weight_decay = optimizer->weight_decay * runs->pairs[i].decay};
        optimizer->type->prepare(optimizer, &terms, step_of(optimizer, i));
    }
}

static void count_step(dlviz_optimizer *optimizer, const dlviz_network *network) {
    optimizer->steps++;
    for (int i = 0; i < network->num_states; i++)
        optimizer->missed[i] += network->states[i].frozen;
}

dlviz_status dlz_optimizer_join_moments(dlviz_optimizer *optimizer, const dlviz_network *network) {
    dlz_spreads *spreads = &optimizer->spreads;
    if (spreads->count > 0 && !network->plans.comm)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "a fit by several processes has failed and left each of them some of the "
                        "optimizer's moments; dlviz_trainer_load_checkpoint goes on from earlier "
                        "ones");
    for (int i = 0; i < spreads->count; i++)
        for (int k = 0; k < DLZ_MAX_MOMENTS; k++)
            if (optimizer->moments[k])
                DLZ_TRY(dlz_spread_gather(&spreads->all[i], network->plans.comm,
                                          optimizer->moments[k] +
                                              (spreads->all[i].gradient - network->gradients)));
    spreads->count = 0;
    return DLVIZ_OK;
}

/* A step may need what other processes have trained so far. */
static dlviz_status prepare_spreads(dlviz_optimizer *optimizer, dlviz_network *network) {
    const dlz_spreads *before = &optimizer->spreads, *now = &network->plans.spreads;
    bool same = before->count == now->count;
    for (int i = 0; same && i < now->count; i++)
        same = memcmp(&before->all[i], &now->all[i], sizeof now->all[i]) == 0;
    if (!same) {
        DLZ_TRY(dlz_plans_join(&network->plans));
        DLZ_TRY(dlz_optimizer_join_moments(optimizer, network));
    }
    optimizer->spreads = *now;
    return DLVIZ_OK;
}

/* What each process has updated stays where it is, as its moments do. */
static void leave_apart(dlviz_network *network) {
    network->plans.apart = network->plans.spreads;
    network->plans.withheld = network->plans.spreads.count > 0;
    if (network->plans.withheld)
        network->has_gradients = false; /* not all of them are here */
}

dlviz_status dlviz_optimizer_step(dlviz_optimizer *optimizer, dlviz_network *network) {
    DLZ_REQUIRE(optimizer);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_HOLD_NESTED(&optimizer->busy, "optimizer");
    DLZ_USE_NETWORK(__func__, network);
    if (!network->plans.comm) /* the fit that leaves states apart steps, too */
        DLZ_TRY(dlz_require_states(network, __func__));
    if (!network->has_gradients)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: the network has no gradients; call dlviz_network_backward first",
                        __func__);
    if (!network->fresh_gradients)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: a step has used the network's gradients already; call "
                        "dlviz_network_backward before each",
                        __func__);
    dlviz_status status = check_serves(optimizer, network);
    if (status == DLVIZ_OK)
        status = make_ready(optimizer, network);
    if (status == DLVIZ_ERROR_STATE || status == DLVIZ_ERROR_NOT_FOUND)
        return dlz_fail_within(status, "%s", __func__);
    DLZ_TRY(status);
    DLZ_TRY(prepare_spreads(optimizer, network));
    network->fresh_gradients = false;
    count_step(optimizer, network);
    prepare(optimizer);
    dlz_plans_note_change(&network->plans);
    step_pass pass = {.optimizer = optimizer,
                      .kernels = optimizer->type->updates(dlz_isa_chosen()),
                      .parameters = network->parameters,
                      .gradients = network->gradients,
                      .scale = network->gradient_scale,
                      .size = network->parameter_floats,
                      .spreads = &network->plans.spreads,
                      .rank = dlz_comm_rank(network->plans.comm)};
    dlz_parallel_for(dlz_ceil_div(pass.size, TILE_SIZE), dlz_threads(), step_tile, &pass);
    leave_apart(network);
    return DLVIZ_OK;
}
