/* Calls of dlviz/optimizer.h. */
#include "calls.h"

#include <math.h>

DECLARE_SETTINGS(optimizer)

static const optimizer_number numbers[] = {
    {dlviz_adam_set_eps, dlviz_adam_eps, 1e-30, UP_TO},
    {dlviz_nadam_set_eps, dlviz_nadam_eps, 1e-30, UP_TO},
    {dlviz_nadam_set_momentum_decay, dlviz_nadam_momentum_decay, 0, UP_TO},
    {dlviz_radam_set_eps, dlviz_radam_eps, 1e-30, UP_TO},
    {dlviz_rmsprop_set_momentum, dlviz_rmsprop_momentum, 0, UP_TO},
    {dlviz_optimizer_set_weight_decay, dlviz_optimizer_weight_decay, 0, UP_TO},
    {dlviz_optimizer_set_learning_rate, dlviz_optimizer_learning_rate, 0, UP_TO},
};
static const optimizer_flag flags[] = {
    {dlviz_adam_set_amsgrad, dlviz_adam_amsgrad},
    {dlviz_rmsprop_set_centered, dlviz_rmsprop_centered},
    {dlviz_optimizer_set_decay_weights_only, dlviz_optimizer_decay_weights_only},
};
static const struct pair {
    dlviz_status (*set)(dlviz_optimizer *, double, double);
    void (*get)(const dlviz_optimizer *, double *, double *);
} pairs[] = {
    {dlviz_adam_set_betas, dlviz_adam_betas},
    {dlviz_nadam_set_betas, dlviz_nadam_betas},
    {dlviz_radam_set_betas, dlviz_radam_betas},
    {dlviz_lion_set_betas, dlviz_lion_betas},
    {dlviz_rmsprop_set_smoothing, dlviz_rmsprop_smoothing},
};
static dlviz_status (*const makers[])(dlviz_optimizer **, double) = {
    dlviz_adam_create, dlviz_adamw_create, dlviz_nadam_create,   dlviz_radam_create,
    dlviz_lion_create, dlviz_sgd_create,   dlviz_rmsprop_create,
};

void see_optimizer(const dlviz_optimizer *optimizer) {
    int64_t index = an_index();
    double first, second;
    bool flag;
    for (int64_t i = 0; i < COUNT(numbers); i++)
        require(optimizer || isnan(numbers[i].get(optimizer)), "no number of NULL");
    for (int64_t i = 0; i < COUNT(pairs); i++) {
        pairs[i].get(optimizer, &first, &second);
        pairs[i].get(optimizer, NULL, NULL);
    }
    dlviz_sgd_momentum(optimizer, &first, &second, &flag);
    dlviz_sgd_momentum(optimizer, NULL, NULL, NULL);
    see_count(dlviz_optimizer_num_steps(optimizer));
    for (int64_t i = 0; i < dlviz_optimizer_num_rate_factors(optimizer); i++)
        require(dlviz_optimizer_rate_factor_pattern(optimizer, i) &&
                    dlviz_optimizer_rate_factor(optimizer, i) >= 0,
                "a factor of a pattern");
    for (int64_t i = 0; i < dlviz_optimizer_num_decay_factors(optimizer); i++)
        require(dlviz_optimizer_decay_factor_pattern(optimizer, i) &&
                    dlviz_optimizer_decay_factor(optimizer, i) >= 0,
                "a factor of a pattern");
    see_text(dlviz_optimizer_rate_factor_pattern(optimizer, index));
    see_number(dlviz_optimizer_rate_factor(optimizer, index));
    see_text(dlviz_optimizer_decay_factor_pattern(optimizer, index));
    see_number(dlviz_optimizer_decay_factor(optimizer, index));
}

static void step(dlviz_optimizer *optimizer) {
    dlviz_network *network = a_network();
    if (!is_small_network(network))
        return;
    int64_t steps = dlviz_optimizer_num_steps(optimizer);
    uint64_t before = states_of(network);
    dlviz_status status = CALL(dlviz_optimizer_step(optimizer, network));
    require(dlviz_optimizer_num_steps(optimizer) == steps + (status == DLVIZ_OK), "one step more");
    require(status == DLVIZ_OK || states_of(network) == before,
            "a step that fails changes nothing");
}

void call_optimizer(void) {
    dlviz_optimizer *optimizer = a_optimizer();
    const char *pattern = a_pattern();
    double number = a_share(), other = a_share(), got[2];
    switch (!optimizer && !one_in(8) ? 0 : below(12)) {
    case 0:
    case 1:
        MAKE(optimizer, makers[below(COUNT(makers))](out, one_in(4) ? number : 0.01));
        break;
    case 2:
        SET_NUMBER(optimizer, numbers[below(COUNT(numbers))], optimizer,
                   a_bool() ? a_number() : number);
        break;
    case 3:
        SET_FLAG(optimizer, flags[below(COUNT(flags))], optimizer, a_bool());
        break;
    case 4: {
        const struct pair *pair = &pairs[below(COUNT(pairs))];
        if (CALL(pair->set(optimizer, number, other)) == DLVIZ_OK) {
            pair->get(optimizer, &got[0], &got[1]);
            require(got[0] == number && got[1] == other, "a pair is what it was set to");
        }
        break;
    }
    case 5:
        if (CALL(dlviz_sgd_set_momentum(optimizer, number, other, a_bool())) == DLVIZ_OK) {
            dlviz_sgd_momentum(optimizer, &got[0], &got[1], NULL);
            require(got[0] == number && got[1] == other, "a pair is what it was set to");
        }
        break;
    case 6:
        (void)CALL(
            dlviz_optimizer_set_rate_factor(optimizer, pattern, a_bool() ? a_number() : number));
        break;
    case 7:
        (void)CALL(
            dlviz_optimizer_set_decay_factor(optimizer, pattern, a_bool() ? a_number() : number));
        break;
    case 8:
        if (a_bool())
            (void)CALL(dlviz_optimizer_clear_rate_factors(optimizer));
        else
            (void)CALL(dlviz_optimizer_clear_decay_factors(optimizer));
        break;
    case 9:
        step(optimizer);
        break;
    case 10:
        see_optimizer(optimizer);
        break;
    default:
        drop_optimizer();
    }
}
