/* An optimizer's settings for some of the parameters. */
#include "base/base.h"
#include "train/optimizer.h"

#include <math.h>

static dlviz_status set_factor(const char *who, dlviz_optimizer *optimizer, dlz_factors *factors,
                               const char *pattern, double value) {
    DLZ_NOT_CANCELLED;
    dlz_hold hold __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};
    DLZ_TRY(dlz_busy_take(who, &optimizer->busy, "optimizer", DLZ_NESTED, &hold));
    DLZ_TRY(dlz_factors_set(who, factors, optimizer->network, pattern, value));
    optimizer->regroup = true;
    return DLVIZ_OK;
}

static dlviz_status clear_factors(const char *who, dlviz_optimizer *optimizer,
                                  dlz_factors *factors) {
    DLZ_NOT_CANCELLED;
    dlz_hold hold __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};
    DLZ_TRY(dlz_busy_take(who, &optimizer->busy, "optimizer", DLZ_NESTED, &hold));
    dlz_factors_clear(factors);
    optimizer->regroup = true;
    return DLVIZ_OK;
}

/* NULL beyond the last. */
static const dlz_factor *factor_at(const dlz_factors *factors, int64_t index) {
    return index >= 0 && index < factors->count ? &factors->items[index] : NULL;
}

dlviz_status dlviz_optimizer_set_rate_factor(dlviz_optimizer *optimizer, const char *pattern,
                                             double factor) {
    DLZ_REQUIRE(optimizer);
    return set_factor(__func__, optimizer, &optimizer->groups.rates, pattern, factor);
}

dlviz_status dlviz_optimizer_clear_rate_factors(dlviz_optimizer *optimizer) {
    DLZ_REQUIRE(optimizer);
    return clear_factors(__func__, optimizer, &optimizer->groups.rates);
}

int64_t dlviz_optimizer_num_rate_factors(const dlviz_optimizer *optimizer) {
    return optimizer ? optimizer->groups.rates.count : 0;
}

const char *dlviz_optimizer_rate_factor_pattern(const dlviz_optimizer *optimizer, int64_t index) {
    const dlz_factor *factor = optimizer ? factor_at(&optimizer->groups.rates, index) : NULL;
    return factor ? factor->pattern : NULL;
}

double dlviz_optimizer_rate_factor(const dlviz_optimizer *optimizer, int64_t index) {
    const dlz_factor *factor = optimizer ? factor_at(&optimizer->groups.rates, index) : NULL;
    return factor ? factor->value : (double)NAN;
}

dlviz_status dlviz_optimizer_set_decay_factor(dlviz_optimizer *optimizer, const char *pattern,
                                              double factor) {
    DLZ_REQUIRE(optimizer);
    return set_factor(__func__, optimizer, &optimizer->groups.decays, pattern, factor);
}

dlviz_status dlviz_optimizer_clear_decay_factors(dlviz_optimizer *optimizer) {
    DLZ_REQUIRE(optimizer);
    return clear_factors(__func__, optimizer, &optimizer->groups.decays);
}

int64_t dlviz_optimizer_num_decay_factors(const dlviz_optimizer *optimizer) {
    return optimizer ? optimizer->groups.decays.count : 0;
}

const char *dlviz_optimizer_decay_factor_pattern(const dlviz_optimizer *optimizer, int64_t index) {
    const dlz_factor *factor = optimizer ? factor_at(&optimizer->groups.decays, index) : NULL;
    return factor ? factor->pattern : NULL;
}

double dlviz_optimizer_decay_factor(const dlviz_optimizer *optimizer, int64_t index) {
    const dlz_factor *factor = optimizer ? factor_at(&optimizer->groups.decays, index) : NULL;
    return factor ? factor->value : (double)NAN;
}

dlviz_status dlviz_optimizer_set_decay_weights_only(dlviz_optimizer *optimizer, bool weights_only) {
    DLZ_REQUIRE(optimizer);
    DLZ_HOLD_NESTED(&optimizer->busy, "optimizer");
    optimizer->groups.decay_weights_only = weights_only;
    optimizer->regroup = true;
    return DLVIZ_OK;
}

bool dlviz_optimizer_decay_weights_only(const dlviz_optimizer *optimizer) {
    return optimizer && optimizer->groups.decay_weights_only;
}
