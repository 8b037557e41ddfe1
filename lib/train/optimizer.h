/* train/optimizer.h - the inside of an optimizer. */
#ifndef DLZ_TRAIN_OPTIMIZER_H
#define DLZ_TRAIN_OPTIMIZER_H

#include "base/busy.h"

#include <dlviz/optimizer.h>
#include <dlviz/safetensors.h>

#include <jansson.h>
#include <stdatomic.h>

typedef enum dlz_rule { DLZ_ADAM, DLZ_ADAMW, DLZ_SGD, DLZ_RMSPROP } dlz_rule;

struct dlviz_optimizer {
    atomic_int references; /* the user's handle, and trainers */
    dlz_busy busy;
    dlz_rule rule;
    double learning_rate, weight_decay;
    double beta1, beta2, eps;
    double momentum, dampening, alpha;
    bool nesterov;
    int64_t steps;
    dlviz_network *network; /* the one it serves, and holds, once it has stepped it */
    float *first, *second;  /* moments, laid out as the network's parameters; NULL if not needed */
};

const char *dlz_rule_name(dlz_rule rule);
bool dlz_optimizer_needs_first(const dlviz_optimizer *optimizer);
bool dlz_optimizer_needs_second(const dlviz_optimizer *optimizer);
/* Fails with DLVIZ_ERROR_STATE unless the optimizer serves this network or none yet. */
dlviz_status dlz_optimizer_check_network(const dlviz_optimizer *optimizer,
                                         const dlviz_network *network);
/* Keeps the optimizer alive, whoever destroys their handle; dlviz_optimizer_destroy ends that too.
 */
dlviz_optimizer *dlz_optimizer_hold(dlviz_optimizer *optimizer);

/* -- optimizer_state.c ------------------------------------------------------------------------- */

/* What a run that goes on must have the same, as a new JSON object; NULL when out of memory. The
 * learning rate is none of it: schedules change it, and a checkpoint restores it. */
json_t *dlz_optimizer_settings(const dlviz_optimizer *optimizer);
/* Fails with DLVIZ_ERROR_NUMERIC, naming the moment and the parameter, where one is not finite. */
dlviz_status dlz_optimizer_check_moments(const dlviz_optimizer *optimizer);
/* A tensor for each moment of each parameter, "optimizer.first_moment.<parameter>" and so on. */
dlviz_status dlz_optimizer_add_states(const dlviz_optimizer *optimizer, dlviz_safetensors *set);
/* Whether a tensor of this name can be one of those. */
bool dlz_optimizer_owns(const dlviz_network *network, const char *name);

/* In blocks that are laid out as the network's parameters; NULL where the rule needs none. */
typedef struct dlz_optimizer_moments {
    float *first, *second;
} dlz_optimizer_moments;

/* Reads and checks them and changes nothing; zeros if the optimizer had not stepped yet. */
dlviz_status dlz_optimizer_read_moments(const dlviz_optimizer *optimizer,
                                        const dlviz_network *network, const dlviz_safetensors *set,
                                        bool stepped, dlz_optimizer_moments *moments);
void dlz_optimizer_drop_moments(dlz_optimizer_moments *moments);
/* Cannot fail; what was read belongs to the optimizer then, which serves this network. */
void dlz_optimizer_take_moments(dlviz_optimizer *optimizer, dlviz_network *network,
                                dlz_optimizer_moments *moments);

#endif
