#include "train/groups.h"
#include "base/base.h"
#include "base/pattern.h"
#include "network/network.h"

#include <stdio.h>
#include <string.h>

/* -- Factors -------------------------------------------------------------------------------------
 */

dlz_groups dlz_groups_start(void) {
    return (dlz_groups){.rates.setting = "rate factor", .decays.setting = "decay factor"};
}

void dlz_factors_clear(dlz_factors *factors) {
    for (int64_t i = 0; i < factors->count; i++)
        dlz_free(factors->items[i].pattern);
    dlz_free(factors->items);
    factors->items = NULL;
    factors->count = 0;
}

void dlz_groups_drop(dlz_groups *groups) {
    dlz_factors_clear(&groups->rates);
    dlz_factors_clear(&groups->decays);
}

/* The trained parameters' names, as far as there is room. */
static void list_parameters(const dlviz_network *network, char *names, size_t room) {
    size_t used = 0;
    for (int i = 0; i < network->num_states && used < room; i++)
        if (network->states[i].spec.trainable)
            used += (size_t)snprintf(names + used, room - used, "%s%s", used > 0 ? ", " : "",
                                     network->states[i].name);
}

static dlviz_status check_pattern(const dlviz_network *network, const char *setting,
                                  const char *pattern) {
    for (int i = 0; i < network->num_states; i++)
        if (network->states[i].spec.trainable && dlz_matches(pattern, network->states[i].name))
            return DLVIZ_OK;
    char names[800] = "none";
    list_parameters(network, names, sizeof names);
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND,
                    "no parameter matches '%.100s', which has a %s; the network's are %s", pattern,
                    setting, names);
}

static int64_t find_factor(const dlz_factors *factors, const char *pattern) {
    for (int64_t i = 0; i < factors->count; i++)
        if (strcmp(factors->items[i].pattern, pattern) == 0)
            return i;
    return -1;
}

/* Behind the others, with a pattern of its own. */
static dlviz_status append(dlz_factors *factors, const char *pattern) {
    dlz_factor *items =
        dlz_realloc_array(factors->items, (uint64_t)factors->count + 1, sizeof *items);
    if (items)
        factors->items = items;
    char *copy = items ? dlz_strdup(pattern) : NULL;
    if (!copy)
        return dlz_fail_memory("a pattern of parameters", sizeof *items);
    factors->items[factors->count++].pattern = copy;
    return DLVIZ_OK;
}

dlviz_status dlz_factors_set(const char *who, dlz_factors *factors, const dlviz_network *network,
                             const char *pattern, double value) {
    if (!pattern)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'pattern' is NULL", who);
    if (!*pattern || !dlz_is_utf8(pattern))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the pattern is '%.100s'; UTF-8 of one character or more is accepted",
                        who, pattern);
    if (!(value >= 0 && value <= 1e30))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the %s of '%.100s' is %g; 0 to 1e30 is accepted", who,
                        factors->setting, pattern, value);
    if (network && check_pattern(network, factors->setting, pattern) != DLVIZ_OK)
        return dlz_fail_within(DLVIZ_ERROR_NOT_FOUND, "%s", who);
    int64_t at = find_factor(factors, pattern), last = factors->count - 1;
    if (at < 0) {
        DLZ_TRY(append(factors, pattern));
        at = ++last;
    }
    dlz_factor moved = factors->items[at];
    memmove(factors->items + at, factors->items + at + 1,
            (size_t)(last - at) * sizeof *factors->items);
    moved.value = value;
    factors->items[last] = moved;
    return DLVIZ_OK;
}

static dlviz_status check_factors(const dlz_factors *factors, const dlviz_network *network) {
    for (int64_t i = 0; i < factors->count; i++)
        DLZ_TRY(check_pattern(network, factors->setting, factors->items[i].pattern));
    return DLVIZ_OK;
}

dlviz_status dlz_groups_check(const dlz_groups *groups, const dlviz_network *network) {
    DLZ_TRY(check_factors(&groups->rates, network));
    return check_factors(&groups->decays, network);
}

/* Each is a setting of its own, so that the first difference can be named; its number is there since
 * the order decides. */
static bool add_factors(const dlz_factors *factors, json_t *settings) {
    for (int64_t i = 0; i < factors->count; i++) {
        char *name = dlz_format("%s %lld of '%s'", factors->setting, (long long)i + 1,
                                factors->items[i].pattern);
        bool added =
            name && json_object_set_new(settings, name, json_real(factors->items[i].value)) == 0;
        dlz_free(name);
        if (!added)
            return false;
    }
    return true;
}

bool dlz_groups_add_settings(const dlz_groups *groups, json_t *settings) {
    return add_factors(&groups->rates, settings) && add_factors(&groups->decays, settings) &&
           json_object_set_new(settings, "decay_weights_only",
                               json_boolean(groups->decay_weights_only)) == 0;
}

/* -- Runs ----------------------------------------------------------------------------------------
 */

static double factor_of(const dlz_factors *factors, const char *name, double otherwise) {
    for (int64_t i = factors->count - 1; i >= 0; i--)
        if (dlz_matches(factors->items[i].pattern, name))
            return factors->items[i].value;
    return otherwise;
}

static dlz_factor_pair pair_of(const dlz_groups *groups, const dlz_state *state, int64_t missed) {
    bool decays = !groups->decay_weights_only || state->spec.ndim >= 2;
    return (dlz_factor_pair){.rate = factor_of(&groups->rates, state->name, 1),
                             .decay = factor_of(&groups->decays, state->name, decays ? 1 : 0),
                             .missed = missed};
}

/* The pair's number, new or not. */
static int number_of(dlz_parameter_runs *all, dlz_factor_pair pair) {
    int number = 0;
    while (number < all->num_pairs &&
           (all->pairs[number].rate != pair.rate || all->pairs[number].decay != pair.decay ||
            all->pairs[number].missed != pair.missed))
        number++;
    all->pairs[number] = pair;
    all->num_pairs = dlz_max_int(all->num_pairs, number + 1);
    return number;
}

static void add_run(dlz_parameter_runs *all, dlz_parameter_run run) {
    if (all->num_runs > 0) {
        dlz_parameter_run *last = &all->runs[all->num_runs - 1];
        if (last->pair == run.pair && last->end == run.first) {
            last->end = run.end;
            return;
        }
    }
    all->runs[all->num_runs++] = run;
}

/* Where the next parameter begins: what lies between is 0 and stays so. */
static int64_t end_of(const dlviz_network *network, int state) {
    for (int i = state + 1; i < network->num_states; i++)
        if (network->states[i].spec.trainable)
            return (const float *)network->states[i].value - network->parameters;
    return network->parameter_floats;
}

dlviz_status dlz_parameter_runs_create(dlz_parameter_runs *out, const dlz_groups *groups,
                                       const dlviz_network *network, const int64_t *missed) {
    uint64_t most = (uint64_t)network->num_states;
    *out = (dlz_parameter_runs){.runs = dlz_alloc_array(most, sizeof *out->runs),
                                .pairs = dlz_alloc_array(most, sizeof *out->pairs)};
    if (!out->runs || !out->pairs) {
        dlz_parameter_runs_drop(out);
        return dlz_fail_memory("runs of parameters",
                               most * (sizeof *out->runs + sizeof *out->pairs));
    }
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        if (!state->spec.trainable || state->frozen)
            continue; /* what no run has, no step changes */
        add_run(out, (dlz_parameter_run){
                         .first = (const float *)state->value - network->parameters,
                         .end = end_of(network, i),
                         .pair = number_of(out, pair_of(groups, state, missed ? missed[i] : 0))});
    }
    return DLVIZ_OK;
}

void dlz_parameter_runs_drop(dlz_parameter_runs *runs) {
    dlz_free(runs->runs);
    dlz_free(runs->pairs);
    *runs = (dlz_parameter_runs){.runs = NULL};
}

int dlz_parameter_runs_find(const dlz_parameter_runs *runs, int64_t place) {
    int low = 0, high = runs->num_runs;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (runs->runs[middle].end > place)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
