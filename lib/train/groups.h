/* train/groups.h - parameters that an optimizer treats otherwise than the rest: factors of the
 * learning rate and of the weight decay by patterns of names, and the runs of parameters that have
 * the same. */
#ifndef DLZ_TRAIN_GROUPS_H
#define DLZ_TRAIN_GROUPS_H

#include <dlviz/network.h>

#include <jansson.h>
#include <stdbool.h>

typedef struct dlz_factor {
    char *pattern;
    double value;
} dlz_factor;

/* In the order of the calls: of those that match a name, the last one holds. */
typedef struct dlz_factors {
    const char *setting; /* "rate factor" */
    dlz_factor *items;
    int64_t count;
} dlz_factors;

typedef struct dlz_groups {
    dlz_factors rates, decays;
    bool decay_weights_only; /* a decay factor of 0 for what has fewer than two dimensions, unless a
                                pattern says otherwise */
} dlz_groups;

/* And the steps that were made while they were frozen: what is thawed begins as if the optimizer did,
 * for its moments do. */
typedef struct dlz_factor_pair {
    double rate, decay;
    int64_t missed;
} dlz_factor_pair;

/* Floats `first` … `end` − 1 of the block of all parameters. */
typedef struct dlz_parameter_run {
    int64_t first, end;
    int pair;
} dlz_parameter_run;

/* Runs in the order of the block, and the pairs of factors that they have. */
typedef struct dlz_parameter_runs {
    dlz_parameter_run *runs;
    dlz_factor_pair *pairs;
    int num_runs, num_pairs;
} dlz_parameter_runs;

/* Starts empty, with names for its settings; dlz_groups_drop frees what is in it. */
dlz_groups dlz_groups_start(void);
void dlz_groups_drop(dlz_groups *groups);
void dlz_factors_clear(dlz_factors *factors);
/* Puts a factor behind the others; an earlier one of the same pattern goes. `network` is
 * the one that the pattern must match a parameter of, or NULL. */
dlviz_status dlz_factors_set(const char *who, dlz_factors *factors, const dlviz_network *network,
                             const char *pattern, double value);
/* Fails with DLVIZ_ERROR_NOT_FOUND at the first pattern that no parameter's name matches. */
dlviz_status dlz_groups_check(const dlz_groups *groups, const dlviz_network *network);
/* Adds what a run that goes on must have the same, where there is anything; false without memory. */
bool dlz_groups_add_settings(const dlz_groups *groups, json_t *settings);

/* Neighbors with the same factors are one run; without groups, all are. `missed`: of each of the
 * network's states, the steps that were made while it was frozen; NULL for none. */
dlviz_status dlz_parameter_runs_create(dlz_parameter_runs *out, const dlz_groups *groups,
                                       const dlviz_network *network, const int64_t *missed);
void dlz_parameter_runs_drop(dlz_parameter_runs *runs);
/* The first run that ends behind a place; num_runs if none does. */
int dlz_parameter_runs_find(const dlz_parameter_runs *runs, int64_t place);

#endif
